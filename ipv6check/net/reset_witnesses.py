"""Peers that completed handshakes, of TCP or of TLS, in one family: they tell whose a reset is.

A packet filter of this host's own that rejects with a reset does so in the target's name. It
does so to everybody, so peers that were connected to before are asked.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from math import inf

# Makes the handshake again, in so many seconds. Whether there is an answer, be it a reset.
Again = Callable[[float], Awaitable[bool]]

# So many others are needed: a single one that refuses as well may have been stopped.
ENOUGH = 2
# So many are remembered, and so many of them are asked at once.
_KNOWN, _ASKED = 8, 3
_TIMELINE = 256


class ResetWitnesses:
    """The last peers, when they were connected to, and whether they all refuse by now.

    Times are of `time.monotonic`.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._known: OrderedDict[str, Again] = OrderedDict()
        self._accepted: deque[tuple[str, float]] = deque(maxlen=_TIMELINE)
        self._asking: asyncio.Task[tuple[float, bool]] | None = None
        self._refuse_s: float | None = None

    def note(self, address: str, again: Again, sent_s: float) -> None:
        """Take notice of a handshake that was begun at that time, and completed."""
        self._refuse_s = None
        self._accepted.append((address, sent_s))
        self._remember(address, again)

    def enough(self, address: str) -> bool:
        """Whether there are others than this one to ask."""
        return len(self._others(address)) >= ENOUGH

    def accepted(self, address: str, start_s: float, end_s: float = inf) -> bool:
        """Whether a handshake with another than this one was begun in this time."""
        return any(
            start_s <= sent_s <= end_s and other != address
            for other, sent_s in reversed(self._accepted)
        )

    async def refuse(self, address: str, since_s: float) -> bool:
        """Whether all others refuse as well, since that time. One question serves all."""
        while not self.accepted(address, since_s):
            if self._asking is None:
                self._asking = asyncio.get_running_loop().create_task(self._question(address))
            asked_s, refuse = await asyncio.shield(self._asking)
            if asked_s >= since_s:
                return refuse and not self.accepted(address, since_s)
        return False

    def refuse_for(self, seconds: float) -> bool:
        """Whether they have refused for so long."""
        return self._refuse_s is not None and time.monotonic() - self._refuse_s > seconds

    def close(self) -> None:
        """Ask nobody any more."""
        if self._asking is not None:
            self._asking.cancel()

    def _remember(self, address: str, again: Again) -> None:
        """As the last one to be asked."""
        self._known[address] = again
        self._known.move_to_end(address)
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)

    def _others(self, address: str) -> list[tuple[str, Again]]:
        return [peer for peer in self._known.items() if peer[0] != address]

    async def _question(self, address: str) -> tuple[float, bool]:
        """When some others were asked, and whether they all refused."""
        asked_s = time.monotonic()
        try:
            refuse = await self._all_refuse(address)
            if refuse and self._refuse_s is None:
                self._refuse_s = asked_s
            return asked_s, refuse
        finally:
            self._asking = None

    async def _all_refuse(self, address: str) -> bool:
        """Ask one after the other, until one does not refuse; next time others come first."""
        for other, again in self._others(address)[:_ASKED]:
            self._remember(other, again)
            asked_s = time.monotonic()
            try:
                answers = await again(self._timeout_s)
            except OSError:
                answers = False
            if not answers or self.accepted(address, asked_s):
                return False
        return True
