"""How much work something is on any machine, however busy: CPU time in units of a fixed loop."""

from __future__ import annotations

import time
from collections.abc import Callable


def loops(work: Callable[[], object]) -> float:
    """The CPU time that this takes, in units of what a loop of a million turns takes here and now.

    The loop is measured before and after, and the slower counts: who shares the processor shares
    its caches too.
    """
    before_s = _cpu_s(_loop)
    took_s = _cpu_s(work)
    return took_s / max(before_s, _cpu_s(_loop))


def _cpu_s(work: Callable[[], object]) -> float:
    began_s = time.process_time()
    work()
    return time.process_time() - began_s


def _loop() -> int:
    total = 0
    for number in range(1_000_000):
        total += number & 7
    return total
