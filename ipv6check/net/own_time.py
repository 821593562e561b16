"""A target's own time, which is paused while it waits for its turn behind others.

How long a queue is says nothing of the network, so whoever stands in one loses nothing by it:
places in ``net/limits.py``, and what somebody else is asking already (``net/memory.py``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from math import inf

# The initial retransmission timeout of TCP (RFC 6298 section 2) and a round trip: silence for less
# may be one lost packet.
SILENCE_S = 1.5
# How often an alarm looks whether its clock goes again.
_LOOK_S = 0.05


class OwnTime:
    """The clock of one target. ``since``: what was observed before that is of no use to it."""

    def __init__(self, deadline_s: float = inf) -> None:
        self.since = -inf
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._deadline_s = deadline_s
        self._waiting = 0
        self._stopped_at = 0.0
        self._stood_s = 0.0

    @property
    def spent_s(self) -> float:
        """How much of it has passed."""
        until = self._stopped_at if self._waiting else self._loop.time()
        return until - self._began - self._stood_s

    @property
    def left_s(self) -> float:
        """How much of it is left until the target's deadline."""
        return self._deadline_s - self.spent_s

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time inside does not count: the target waits for its turn."""
        if not self._waiting:
            self._stopped_at = self._loop.time()
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._stood_s += self._loop.time() - self._stopped_at

    def alarm(self, after_s: float, ring: Callable[[], object]) -> Alarm:
        """Call back once so much of it has passed."""
        return Alarm(self, after_s, ring)

    def renew(self) -> None:
        """What was observed so far is to be observed again."""
        self.since = self._loop.time()

    @property
    def is_paused(self) -> bool:
        """Whether it waits for a turn."""
        return self._waiting > 0


class Alarm:
    """Rings once, when its clock says so."""

    def __init__(self, clock: OwnTime, after_s: float, ring: Callable[[], object]) -> None:
        self._clock = clock
        self._due_s = clock.spent_s + after_s
        self._ring = ring
        self._set(after_s)

    def cancel(self) -> None:
        """Ring no more."""
        self._timer.cancel()

    def _set(self, left_s: float) -> None:
        if self._clock.is_paused:
            left_s = max(left_s, _LOOK_S)
        self._timer = asyncio.get_running_loop().call_later(left_s, self._look)

    def _look(self) -> None:
        left_s = self._due_s - self._clock.spent_s
        if left_s > 0:
            self._set(left_s)
        else:
            self._ring()


_CLOCK: ContextVar[OwnTime] = ContextVar("own time")


def begin(deadline_s: float) -> OwnTime:
    """A new target's time begins, for this task and for all that it starts."""
    clock = OwnTime(deadline_s)
    _CLOCK.set(clock)
    return clock


def own_time() -> OwnTime:
    """The clock of the target at hand; one without a deadline where there is none."""
    return _CLOCK.get(None) or OwnTime()


def patience_s(timeout_s: float) -> float:
    """How long one answer may be waited for: half of what is left, so that others have a turn too.

    But never so short that the silence tells nothing.
    """
    return min(timeout_s, max(own_time().left_s / 2, SILENCE_S))


def spare_s() -> float:
    """What is left of the target's time, but for a little: so that what is known is told."""
    return own_time().left_s * 0.95


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """So much of the target's own time for what is inside. Raises TimeoutError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        alarm = own_time().alarm(seconds, lambda: limit.reschedule(loop.time()))
        try:
            yield
        finally:
            alarm.cancel()
