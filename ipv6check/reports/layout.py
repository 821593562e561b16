"""The layout of text in a terminal: rows in columns, wrapped to its width, in its colours.

Text from the network never becomes markup and never reaches the terminal unescaped: all of it is
clean (`Style.legible`) before it comes here, and is laid out as plain strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from io import StringIO
from itertools import groupby
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from ipv6check.model import Evidence, Status
from ipv6check.reports.charts import pictures
from ipv6check.reports.formats import Style

WIDEST = 110  # in a wider block the cause would be too far from its message
NARROWEST = 20
STACKED_BELOW = 60  # where the column of messages would be too narrow
WORST_CLIENTS = 3  # drawn as bars; all of them with -v
NAME_WIDTH = 9  # at least, so that the columns of most targets are aligned


class Look(NamedTuple):
    """The mark of a status, in Unicode and in ASCII, and its colour."""

    mark: str
    ascii: str
    colour: str


# Worst first: this is also the order of the rows.
LOOKS = {
    Status.FAIL: Look("✗", "x", "red"),
    Status.ERROR: Look("E", "E", "magenta"),
    Status.UNKNOWN: Look("?", "?", "cyan"),
    Status.WARN: Look("!", "!", "yellow"),
    Status.PASS: Look("✓", "ok", "green"),
    Status.SKIP: Look("-", "-", "dim"),
}
AT_REST = frozenset({Status.PASS, Status.SKIP})


@dataclass(frozen=True, slots=True)
class Row:
    """One finding, every text of it clean.

    Attributes:
        name: of the check.
        cause: shown at the right edge.
        excuse: the waiver or baseline that it is in.
        facts: its evidence as text.
        drawn: its evidence as far as it is drawn.
    """

    status: Status
    name: str
    text: str
    hint: str = ""
    cause: str = ""
    excuse: str = ""
    facts: str = ""
    drawn: Evidence = field(default_factory=dict, compare=False)


def block(rows: Sequence[Row], style: Style) -> list[Text]:
    """The lines of the rows; a name or hint that several rows of a check share is shown once."""
    width = _block_width(style)
    names = max([NAME_WIDTH, *(cell_len(row.name) for row in rows)])
    stacked = width < STACKED_BELOW or names > width // 3
    lines: list[Text] = []
    for _, group in groupby(rows, key=lambda row: (row.status, row.name)):
        members = [*group]
        for number, row in enumerate(members):
            repeated = number + 1 < len(members) and members[number + 1].hint == row.hint
            shown = replace(row, name="" if number else row.name, hint="" if repeated else row.hint)
            lines += _stacked(shown, style) if stacked else _columns(shown, names, style)
    return lines


def mark(look: Look, style: Style) -> Text:
    """The mark of a status, and a space."""
    return Text(f"{look.mark if style.unicode else f'{look.ascii:<2}'} ", look.colour)


def indent(style: Style) -> Text:
    """The space before what belongs to a target without a mark of its own."""
    return Text(" " * (3 if style.unicode else 4))


def beside(prefix: Text, text: str, right: Text, style: Style, tone: str = "") -> list[Text]:
    """Text after a prefix, wrapped below itself, with ``right`` at the edge of the first line."""
    width = _block_width(style)
    reserved = right.cell_len + 2 if right else 0
    first, *others = _wrapped(Text(text, tone), max(width - prefix.cell_len - reserved, 1))
    line = prefix.copy().append_text(first)
    if right:
        line.append(" " * (width - line.cell_len - right.cell_len)).append_text(right)
    return [line, *(Text(" " * prefix.cell_len).append_text(other) for other in others)]


def packed(parts: Sequence[Text], style: Style) -> list[Text]:
    """The parts on as few lines as possible; only a part longer than a line is broken."""
    separator = " · " if style.unicode else " - "
    width = _width(style)
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + cell_len(separator) + part.cell_len <= width:
            lines[-1].append(separator, "dim").append_text(part)
        else:
            lines += _wrapped(part, width)
    return lines


def painted(lines: Sequence[Text], style: Style) -> str:
    """The lines as text for the terminal, with its escape sequences if it has colours."""
    for line in lines:
        line.rstrip()
    console = _console(style)
    with console.capture() as captured:
        console.print(Text("\n").join(lines), soft_wrap=True)
    return captured.get()


def _columns(row: Row, names: int, style: Style) -> list[Text]:
    """Mark, check, message and cause in columns, all else below the message."""
    prefix = _row_mark(row, style).append(row.name, _name_tone(row))
    prefix.append(" " * (names - cell_len(row.name) + 2))
    lines = beside(prefix, row.text, _cause(row), style, _tone(row))
    return lines + _below(row, prefix.cell_len, style)


def _stacked(row: Row, style: Style) -> list[Text]:
    """Mark, check and cause on a line, all else below: for a narrow terminal."""
    prefix = _row_mark(row, style)
    if row.name:
        lines = beside(prefix, row.name, _cause(row), style, _name_tone(row))
        lines += beside(Text(" " * prefix.cell_len), row.text, Text(), style, _tone(row))
    else:
        lines = beside(prefix, row.text, _cause(row), style, _tone(row))
    return lines + _below(row, prefix.cell_len, style)


def _row_mark(row: Row, style: Style) -> Text:
    return Text(" ").append_text(mark(LOOKS[row.status], style))


def _name_tone(row: Row) -> str:
    return _tone(row) if row.status in AT_REST else "bold"


def _cause(row: Row) -> Text:
    return Text(row.cause, LOOKS[row.status].colour)


def _tone(row: Row) -> str:
    return "dim" if row.status is Status.SKIP else ""


def _below(row: Row, cells: int, style: Style) -> list[Text]:
    """The lines below a message: hint, excuse, pictures, facts."""
    space = Text(" " * cells)
    lines: list[Text] = []
    if row.hint:
        arrow = Text(" " * cells + ("→ " if style.unicode else "> "), "dim")
        lines += beside(arrow, row.hint, Text(), style, "dim")
    if row.excuse:
        lines += beside(space, row.excuse, Text(), style)
    room = max(_block_width(style) - cells, 1)
    most = None if style.verbose else WORST_CLIENTS
    drawn = pictures(row.drawn, room, unicode=style.unicode, most=most)
    lines += [space.copy().append_text(_wrapped(Text(line), room)[0]) for line in drawn]
    if row.facts:
        lines += beside(space, row.facts, Text(), style, "dim")
    return lines


def _width(style: Style) -> int:
    return max(style.width, NARROWEST)


def _block_width(style: Style) -> int:
    return min(_width(style), WIDEST)


def _wrapped(whole: Text, width: int) -> Sequence[Text]:
    if whole.cell_len <= width:
        return [whole]
    lines = [*whole.divide(_breaks(whole.plain, width))]
    for line in lines:
        line.rstrip()
    return lines


def _breaks(text: str, width: int) -> Iterator[int]:
    """Where lines begin: at a word that does not fit, or within one that is longer than a line.

    rich's own wrapping fails on text that was made to break it: some releases loop for ever on a
    zero-width character, others raise IndexError.
    """
    used = 0
    for word in re.finditer(r"\S+\s*", text):
        if used and used + cell_len(word[0].rstrip()) > width:
            yield word.start()
            used = 0
        for place, character in enumerate(word[0], word.start()):
            cells = cell_len(character)
            if used + cells > width and not character.isspace():
                yield place
                used = 0
            used += cells


@cache
def _console(style: Style) -> Console:
    """A console that depends on the style alone, on no terminal and no environment."""
    return Console(
        file=StringIO(),
        width=_width(style),
        force_terminal=style.colour,
        color_system="standard" if style.colour else None,
        no_color=not style.colour,
        force_jupyter=False,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )
