"""A question that many ask and one sends: its callers wait for the same task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from math import inf
from typing import Generic, TypeVar

Value = TypeVar("Value")


class SharedQuestion(Generic[Value]):
    """Asked when it is first needed, in the event loop of whoever needs it."""

    def __init__(self, ask: Callable[[], Coroutine[None, None, Value]]) -> None:
        self._ask = ask
        self._asked_at = -inf
        self._task: asyncio.Task[Value] | None = None

    def begin(self, keep_s: float = inf) -> asyncio.Task[Value]:
        """The task that asks: under way, begun less than ``keep_s`` ago, or a new one."""
        loop = asyncio.get_running_loop()
        if self._task is None or (self._task.done() and loop.time() - self._asked_at > keep_s):
            self._task, self._asked_at = loop.create_task(self._ask()), loop.time()
        return self._task

    async def answer(self, keep_s: float = inf) -> Value:
        """What came of it, asked again where that is older. A caller may give up by itself."""
        return await asyncio.shield(self.begin(keep_s))

    def close(self) -> None:
        """Wait for no answer any more."""
        if self._task is not None:
            self._task.cancel()
