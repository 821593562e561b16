"""How busy the event loop is: what is measured meanwhile must not be told as the network's time.

A target begins only while the loop is in time (`Door`), so that those under way are not slowed by
more than they can bear; and what it was late for is known (`Pulse`), so that it can be left out.
"""

from __future__ import annotations

import asyncio
import gc
import sys

# Later than this, the loop has enough to do.
LATE_S = 0.002
# After this a thread that waits for the interpreter's lock is given it; Python's own is 5 ms.
SWITCH_S = 0.0005
# After so many new objects garbage is looked for; Python's own is 700. What many targets hold is
# none, and to look through it again and again takes an eighth of a long list's time.
GARBAGE = 10_000
_BEAT_S = 0.01


class Door:
    """Lets one target in after another, while the loop is in time."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._usual_s = sys.getswitchinterval()
        self._usually = gc.get_threshold()
        # The thread of the checks must not hold the loop up.
        sys.setswitchinterval(min(SWITCH_S, self._usual_s))
        if self._usually[0]:  # 0: never, as whoever runs this has it
            gc.set_threshold(max(GARBAGE, self._usually[0]), *self._usually[1:])

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
        sys.setswitchinterval(self._usual_s)
        gc.set_threshold(*self._usually)


class Pulse:
    """Adds up by how much the loop is late, as its timers are."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._sum_s = 0.0
        self._due = self._loop.time() + _BEAT_S
        self._timer = self._loop.call_at(self._due, self._beat)

    @property
    def late_ms(self) -> float:
        """All lateness since the beginning; what lies between two looks is that of the time."""
        return (self._sum_s + max(0.0, self._loop.time() - self._due)) * 1000

    def close(self) -> None:
        """Beat no more."""
        self._timer.cancel()

    def _beat(self) -> None:
        now = self._loop.time()
        self._sum_s += max(0.0, now - self._due)
        self._due = now + _BEAT_S
        self._timer = self._loop.call_at(self._due, self._beat)
