"""A loop of its own keeps time while another is busy."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from statistics import median

import pytest

from ipv6check.net.timing_loop import TimingLoop


@pytest.fixture
def timing() -> Iterator[TimingLoop]:
    """A loop, and its end."""
    loop = TimingLoop()
    yield loop
    loop.close()


async def late_ms() -> float:
    """By how much a timer of 20 ms is late."""
    loop = asyncio.get_running_loop()
    due_s = loop.time() + 0.02
    await asyncio.sleep(0.02)
    return (loop.time() - due_s) * 1000


async def busy() -> None:
    """Takes the loop for 20 ms at a time."""
    while True:
        until = time.perf_counter() + 0.02
        while time.perf_counter() < until:
            pass
        await asyncio.sleep(0)


@pytest.mark.timing
def test_a_busy_loop_makes_nothing_late(timing: TimingLoop) -> None:
    """Timers are seen in time there, and late here."""

    async def main() -> tuple[list[float], list[float]]:
        others = [asyncio.ensure_future(busy()) for _ in range(3)]
        there = [await timing.run(late_ms) for _ in range(5)]
        here = [await late_ms() for _ in range(5)]
        for task in others:
            task.cancel()
        return there, here

    there, here = asyncio.run(main())
    assert median(there) < median(here) / 2


def test_what_is_raised_comes_out(timing: TimingLoop) -> None:
    """An error is its caller's, and the next work runs all the same."""

    async def fail() -> None:
        raise OSError(24, "Too many open files")

    async def main() -> float:
        with pytest.raises(OSError, match="Too many"):
            await timing.run(fail)
        return await timing.run(late_ms)

    assert asyncio.run(main()) >= 0.0


def test_nothing_is_left_behind() -> None:
    """Whoever is cancelled is cancelled there, and the end ends the rest."""
    ended: list[str] = []

    async def wait(name: str) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(name)

    async def main() -> None:
        loop = TimingLoop()
        for name in ("cancelled", "left"):
            task = asyncio.ensure_future(loop.run(lambda name=name: wait(name)))  # type: ignore[misc]
            await asyncio.sleep(0.02)
            if name == "cancelled":
                task.cancel()
            await asyncio.sleep(0.02)
        loop.close()
        with pytest.raises(asyncio.CancelledError):
            await task

    usual_s = sys.getswitchinterval()
    asyncio.run(main())
    assert ended == ["cancelled", "left"]
    assert sys.getswitchinterval() == usual_s
