"""What a duration is held against: the machine as it is now, measured in the same run.

`loops` is for work: CPU time in units of a fixed loop. `Lag` is for waiting: how late timers are.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cache
from types import TracebackType
from typing import Self


def loops(work: Callable[[], object]) -> float:
    """The CPU time that this takes, in units of what a loop of a million turns takes here and now.

    The loop is measured before and after, and the slower counts: who shares the processor shares
    its caches too.
    """
    before_s = _cpu_s(_loop)
    took_s = _cpu_s(work)
    return took_s / max(before_s, _cpu_s(_loop))


@cache
def loop_s() -> float:
    """The CPU time of the loop, measured once."""
    return _cpu_s(_loop)


def _cpu_s(work: Callable[[], object]) -> float:
    began_s = time.process_time()
    work()
    return time.process_time() - began_s


def _loop() -> int:
    total = 0
    for number in range(1_000_000):
        total += number & 7
    return total


class Lag:
    """How late this machine runs whoever is due, as a thread that sleeps and wakes sees it.

    Attributes:
        worst_s: the most that a sleep of a millisecond was late.
    """

    TURNS = 4  # what is measured waits about so often for its turn: both ends of both directions

    def __init__(self) -> None:
        self.worst_s = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._measure, daemon=True)

    @property
    def s(self) -> float:
        """The seconds by which a measured duration may be longer than what is due."""
        return self.TURNS * self.worst_s

    @property
    def ms(self) -> float:
        """The same in milliseconds."""
        return 1000 * self.s

    def __enter__(self) -> Self:
        """Start to measure."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        self._over.set()
        self._thread.join()

    def _measure(self) -> None:
        while not self._over.is_set():
            began_s = time.monotonic()
            time.sleep(0.001)
            self.worst_s = max(self.worst_s, time.monotonic() - began_s - 0.001)
