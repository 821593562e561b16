"""How findings say numbers, so that every check says them alike."""

from __future__ import annotations


def ms(milliseconds: float) -> str:
    """A time for a reader: ``9.3 ms``, ``250 ms``, ``1.2 s``, ``133 s``."""
    if milliseconds < 0.1:
        return "<0.1 ms"
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.1f} s" if seconds < 10 else f"{int(seconds)} s"


def count(number: int, one: str, many: str) -> str:
    """``1 address``, ``2 addresses``."""
    return f"{number} {one if number == 1 else many}"
