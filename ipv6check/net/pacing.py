"""How fast a survey may go: as one client would at most, and not as a scan."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from ipv6check.net import own_time

Value = TypeVar("Value")

AT_ONCE = 6
# The least delay between two attempts of RFC 8305 section 5.
APART_S = 0.01


async def politely(
    calls: Sequence[Callable[[], Awaitable[Value]]],
    at_once: int = AT_ONCE,
    apart_s: float = APART_S,
) -> list[Value]:
    """What the calls return, in their order; so many at once, and no two starts closer than that.

    Whatever one of them raises comes out, and none is left behind.
    """
    if len(calls) < 2:
        return [await call() for call in calls]
    loop = asyncio.get_running_loop()
    places = asyncio.Semaphore(at_once)
    running: list[asyncio.Task[Value]] = []
    next_s = loop.time()

    async def occupy(call: Callable[[], Awaitable[Value]]) -> Value:
        try:
            return await call()
        finally:
            places.release()

    try:
        for call in calls:
            await places.acquire()
            if (wait_s := next_s - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            next_s = loop.time() + apart_s
            running.append(loop.create_task(occupy(call)))
        return list(await asyncio.gather(*running))
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def in_time(
    calls: Sequence[Callable[[], Awaitable[Value]]], within_s: float
) -> list[Value | None]:
    """What the calls return that end in time, as ``politely`` as those; None for the others.

    Waiting for a turn behind other targets takes none of it.
    """
    return await _in_time(calls, within_s, politely)


async def at_once(
    calls: Sequence[Callable[[], Awaitable[Value]]], within_s: float
) -> list[Value | None]:
    """The same, begun all at once."""
    return await _in_time(calls, within_s, partial(politely, at_once=len(calls), apart_s=0.0))


async def _in_time(
    calls: Sequence[Callable[[], Awaitable[Value]]],
    within_s: float,
    pace: Callable[[Sequence[Callable[[], Awaitable[None]]]], Awaitable[object]],
) -> list[Value | None]:
    results: list[Value | None] = [None] * len(calls)

    async def keep(place: int, call: Callable[[], Awaitable[Value]]) -> None:
        results[place] = await call()

    with suppress(TimeoutError):
        async with own_time.within(within_s):
            await pace([partial(keep, *numbered) for numbered in enumerate(calls)])
    return results
