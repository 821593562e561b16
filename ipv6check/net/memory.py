"""What a run has learned of addresses: names that share one do not ask it the same thing again.

That is polite to a server of many names, and all of them are told the same. Success is remembered
for longer than failure, which may be over in a moment; what is not certain, such as an answer that
took a second packet, serves only those who wait for it already.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from math import inf
from typing import Generic, TypeVar

from ipv6check.net.own_time import own_time
from ipv6check.net.wait import settle

Subject = TypeVar("Subject", bound=Hashable)
Fact = TypeVar("Fact")

# Some 3 MB, however many addresses a run has.
SIZE = 4096
SUCCESS_S = 60.0
# A link that is away for seconds must not be remembered as the target's.
FAILURE_S = 5.0


class _Asking(Generic[Fact]):
    """A question that is under way; ``fact`` is None where nobody was told."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.since = loop.time()
        self.begun: asyncio.Future[None] = loop.create_future()
        self.fact: asyncio.Future[Fact | None] = loop.create_future()

    def begin(self) -> None:
        """The first packet is about to leave; until then it waits for its turn."""
        self.since = asyncio.get_running_loop().time()
        settle(self.begun, None)

    def end(self, fact: Fact | None) -> None:
        """Tell everybody."""
        settle(self.begun, None)
        settle(self.fact, fact)


class Memory(Generic[Subject, Fact]):
    """The facts of one kind, the latest ones, in one event loop.

    ``certain``: whether a fact is success (True), failure (False), or neither for sure (None).
    """

    def __init__(self, certain: Callable[[Fact], bool | None], size: int = SIZE) -> None:
        self._certain = certain
        self._size = size
        self._known: OrderedDict[Subject, tuple[Fact, float, float]] = OrderedDict()
        self._asking: dict[Subject, _Asking[Fact]] = {}

    async def recall(
        self, key: Subject, ask: Callable[[Callable[[], None]], Awaitable[Fact]]
    ) -> Fact:
        """The fact, asked for if need be; ``ask`` calls what it is given when its turn has come.

        Whatever it raises is its caller's; others ask for themselves then.
        """
        clock = own_time()
        loop = asyncio.get_running_loop()
        while True:
            known = self._known.get(key)
            if known is not None and known[2] > loop.time() and known[1] >= clock.since:
                return known[0]
            asking = self._asking.get(key)
            if asking is None or asking.since < clock.since:
                return await self._ask(key, ask)
            if not asking.begun.done():
                with clock.paused():
                    await asyncio.shield(asking.begun)
            fact = await asyncio.shield(asking.fact)
            if fact is not None:
                return fact

    def lately(self, key: Subject) -> Fact | None:
        """What was seen at last, not too long ago, certain or not; None where nothing was."""
        known = self._known.get(key)
        if known is None or known[1] < asyncio.get_running_loop().time() - SUCCESS_S:
            return None
        return known[0]

    async def _ask(
        self, key: Subject, ask: Callable[[Callable[[], None]], Awaitable[Fact]]
    ) -> Fact:
        asking = self._asking[key] = _Asking()
        fact: Fact | None = None
        try:
            fact = await ask(asking.begin)
            self._keep(key, fact, asking.since)
        finally:
            if self._asking.get(key) is asking:
                del self._asking[key]
            asking.end(fact)
        return fact

    def _keep(self, key: Subject, fact: Fact, since: float) -> None:
        certain = self._certain(fact)
        keep_s = -inf if certain is None else SUCCESS_S if certain else FAILURE_S
        self._known[key] = (fact, since, asyncio.get_running_loop().time() + keep_s)
        self._known.move_to_end(key)
        if len(self._known) > self._size:
            self._known.popitem(last=False)


class Turns(Generic[Subject]):
    """Who has done a thing of late, so that others need not."""

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._done: OrderedDict[Subject, float] = OrderedDict()

    def first(self, key: Subject, now: float) -> bool:
        """Whether nobody has done it of late; whoever asks does it now."""
        if self._done.get(key, -inf) > now - SUCCESS_S:
            return False
        self._done[key] = now
        self._done.move_to_end(key)
        if len(self._done) > self._size:
            self._done.popitem(last=False)
        return True

    def forget(self, key: Subject) -> None:
        """What came of it tells nothing: whoever asks next does it again."""
        self._done.pop(key, None)
