"""How fast a survey goes."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import pairwise

import pytest

from ipv6check.net.pacing import politely
from tests.eyeballs.race_test import run


def test_six_at_once_ten_ms_apart() -> None:
    """No more than six are under way, no two starts are closer, and the order is kept."""
    starts: list[float] = []
    under_way: set[int] = set()
    most = 0

    async def call(number: int, lasts_s: float) -> int:
        nonlocal most
        starts.append(asyncio.get_running_loop().time())
        under_way.add(number)
        most = max(most, len(under_way))
        await asyncio.sleep(lasts_s)
        under_way.remove(number)
        return number

    async def main() -> list[int]:
        return await politely([partial(call, n, 3.0 if n % 2 else 0.001) for n in range(20)])

    assert run(main()) == list(range(20))
    assert most == 6
    assert all(other - one >= 0.01 - 1e-6 for one, other in pairwise(starts))


def test_nothing_is_left_behind() -> None:
    """Where one raises, that comes out, and the others are cancelled."""
    ended: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("waiter")

    async def fail() -> None:
        raise OSError(24, "Too many open files")

    with pytest.raises(OSError, match="Too many"):
        run(politely([wait, fail]))
    assert ended == ["waiter"]


def test_no_calls() -> None:
    """Nothing takes no time."""
    assert run(politely([])) == []
