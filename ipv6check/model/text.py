"""Common wordings of numbers and times, and text from elsewhere made harmless."""

from __future__ import annotations

import re
from collections.abc import Iterable

# C0, DEL, C1, line separators, what reorders or hides a terminal's text, and lone surrogates, which
# no terminal's encoding holds.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def printable(text: str) -> str:
    r"""Text of the network's, made harmless: a control character becomes ``\xNN`` (law 8)."""
    return text if text.isprintable() else _UNPRINTABLE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def without_user(text: str) -> str:
    """``text`` from its last ``@`` on: what stands before may be a password, and is not shown."""
    return f"...@{text.rpartition('@')[2]}" if "@" in text else text


def quoted(text: str) -> str:
    """``text`` in double quotes, made harmless."""
    return f'"{harmless(text)}"'


def harmless(text: str, limit: int = 80) -> str:
    r"""``text`` for one line of a terminal: printable, the rest as ``\xNN``, and bounded."""
    shown = text if len(text) <= limit else f"{text[:limit]}..."
    if shown.isprintable():
        return shown
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in shown
    )


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
    """The name that was probably meant, None where none is like it."""
    import difflib  # noqa: PLC0415 - only on the way to an error

    near = difflib.get_close_matches(name[:64], sorted(names), 1)
    return near[0] if near else None
