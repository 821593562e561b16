"""How often the interpreter's lock changes hands (`sys.setswitchinterval`), for all who mind.

A loop that keeps time, and one that others work beside, must not be held up by another thread.
"""

from __future__ import annotations

import sys

# After this a thread that waits for the interpreter's lock is given it; Python's own is 5 ms.
SHORT_S = 0.0005


class SwitchInterval:
    """The interval, short as long as anybody holds it so."""

    def __init__(self, short_s: float) -> None:
        self._short_s = short_s
        self._holders = 0
        self._usual_s = 0.0

    def hold(self) -> None:
        """Shorten it, unless whoever runs this has it shorter still."""
        if not self._holders:
            self._usual_s = sys.getswitchinterval()
            sys.setswitchinterval(min(self._short_s, self._usual_s))
        self._holders += 1

    def release(self) -> None:
        """Leave it as it was, once nobody holds it any more."""
        self._holders -= 1
        if not self._holders:
            sys.setswitchinterval(self._usual_s)


SHORTENED = SwitchInterval(SHORT_S)
