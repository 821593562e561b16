"""A loop of its own for what keeps time, while hundreds of other targets are being checked.

A busy event loop sees a timer late, by as much as everything takes that is ready before it. In a
thread of its own a loop waits for nobody but the interpreter's lock.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import TypeVar

from ipv6check.net.loop_lag import SWITCH_S

Value = TypeVar("Value")

_END_S = 1.0


class QuietLoop:
    """Begins when it is made."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._usual_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        self._thread = threading.Thread(target=self.loop.run_forever, name="quiet", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[], Coroutine[None, None, Value]]) -> Value:
        """What it returns or raises. Cancelled, it is cancelled there, and not waited for."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), self.loop))

    def close(self) -> None:
        """End what still runs, and the thread."""
        if sys.getswitchinterval() == SWITCH_S:
            sys.setswitchinterval(self._usual_s)
        asyncio.run_coroutine_threadsafe(_cancel_all(), self.loop).result(_END_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_END_S)
        self.loop.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
