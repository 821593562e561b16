"""How findings say numbers and errors say names, so that all of them say them alike."""

from __future__ import annotations

from collections.abc import Iterable


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


def closest(name: str, names: Iterable[str]) -> str | None:
    """The one of these names that was probably meant, None where none is like it."""
    import difflib  # noqa: PLC0415 - only on the way to an error

    near = difflib.get_close_matches(name[:64], sorted(names), 1)
    return near[0] if near else None
