"""How late the event loop is: what it adds to a measurement is not the network's time.

A target begins only while the loop is in time (`AdmissionByLag`), so that those under way are not
slowed by more than they can bear; and its lag is added up (`LagMeter`), so that it can be left out.
"""

from __future__ import annotations

import asyncio
import gc

from ipv6check.net.switch_interval import SHORTENED

# Later than this, the loop has enough to do.
LATE_S = 0.002
# After so many new objects garbage is looked for; Python's own is 700. What many targets hold is
# none, and to look through it again and again takes an eighth of a long list's time.
GARBAGE = 10_000
_TICK_S = 0.01


class AdmissionByLag:
    """Admits one target after another, while the loop is in time."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._threshold = gc.get_threshold()
        # The thread of the checks must not hold the loop up.
        SHORTENED.hold()
        if self._threshold[0]:  # 0: never, as whoever runs this has it
            gc.set_threshold(max(GARBAGE, self._threshold[0]), *self._threshold[1:])

    async def enter(self) -> None:
        """Wait for one's turn, and for a turn of the loop that is quick."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            began = loop.time()
            await asyncio.sleep(0)
            while loop.time() - began >= LATE_S:
                await asyncio.sleep(LATE_S)
                began = loop.time()
                await asyncio.sleep(0)

    def close(self) -> None:
        """Leave the interpreter as it was."""
        SHORTENED.release()
        gc.set_threshold(*self._threshold)


class LagMeter:
    """Adds up by how much the loop is late, by a timer of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._sum_s = 0.0
        self._due = self._loop.time() + _TICK_S
        self._timer = self._loop.call_at(self._due, self._tick)

    @property
    def late_ms(self) -> float:
        """All lag since the meter was made; the difference of two readings is that between them."""
        return (self._sum_s + max(0.0, self._loop.time() - self._due)) * 1000

    def close(self) -> None:
        """Stop the timer."""
        self._timer.cancel()

    def _tick(self) -> None:
        now = self._loop.time()
        self._sum_s += max(0.0, now - self._due)
        self._due = now + _TICK_S
        self._timer = self._loop.call_at(self._due, self._tick)
