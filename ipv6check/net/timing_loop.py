"""An event loop of its own for work that keeps time, while hundreds of other targets are checked.

A busy event loop sees a timer late, by as much as everything takes that is ready before it. In a
thread of its own a loop waits for nobody but the interpreter's lock.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import TypeVar

from ipv6check.net.limits import Limit
from ipv6check.net.switch_interval import SHORTENED

Value = TypeVar("Value")
Work = Callable[[], Coroutine[None, None, Value]]

# Races under way at once: each has some sockets, and waits for no place once it has begun.
RACES = 96
_END_S = 1.0


async def undisturbed(loop: TimingLoop | None, work: Work[Value], *, lasts: bool = True) -> Value:
    """The result of work that keeps time; without a loop for it, it is done in the one at hand.

    ``lasts``: there is something to wait for, so that timers count. What it connects to may go as
    it is known to go, without a packet.
    """
    return await (work() if loop is None else loop.run(work, lasts=lasts))


class TimingLoop:
    """A thread with an event loop, which begins when it is first needed."""

    def __init__(self) -> None:
        self._places = Limit(RACES)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_running_here(self) -> bool:
        """Whether the running event loop is this one."""
        return self._loop is not None and asyncio.get_running_loop() is self._loop

    async def run(self, work: Work[Value], *, lasts: bool = True) -> Value:
        """What the work returns or raises; done here where it does not last.

        Its turn has come before it begins: it waits for nobody. Cancelled, it is cancelled there,
        and not waited for.
        """
        async with self._places:
            if not lasts:
                return await work()
            loop = self._loop or self._start()
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), loop))

    def close(self) -> None:
        """End what still runs, and the thread."""
        if self._loop is None or self._thread is None:
            return
        SHORTENED.release()
        asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result(_END_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_END_S)
        self._loop.close()
        self._loop = self._thread = None

    def _start(self) -> asyncio.AbstractEventLoop:
        self._loop = asyncio.new_event_loop()
        SHORTENED.hold()
        self._thread = threading.Thread(target=self._loop.run_forever, name="timing", daemon=True)
        self._thread.start()
        return self._loop


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
