"""A table for the terminal: is it ready, what is wrong and where, what to do.

Text of the network's never becomes markup and never reaches the terminal unescaped: it enters
through `_clean`, and is laid out as plain strings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from io import StringIO
from itertools import groupby
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from ipv6check.model import (
    Evidence,
    Result,
    RunInfo,
    Status,
    Summary,
    TargetReport,
    Vantage,
    Verdict,
)
from ipv6check.model.text import count
from ipv6check.reports.charts import DRAWN, pictures
from ipv6check.reports.formats import Style
from ipv6check.reports.formats.json import plain
from ipv6check.reports.sentences import excuse, tally, vantage_problem

ORDERED = True

WIDEST = 110  # on a wider terminal the cause would be out of sight of its message
NARROWEST = 20
STACKED_BELOW = 60  # where a message in a column of its own would be a ribbon
WORST_CLIENTS = 3  # of which a bar is shown, all of them with -v
NAME_WIDTH = 9  # at least, so that the columns of most targets are in line

# Joiners, variation selectors, tags and the like: they make names that look alike, and terminals
# disagree on the width of what holds them.


class _Look(NamedTuple):
    mark: str
    ascii: str
    colour: str


# Worst first: this is also the order of the rows.
_LOOKS = {
    Status.FAIL: _Look("✗", "x", "red"),
    Status.ERROR: _Look("E", "E", "magenta"),
    Status.UNKNOWN: _Look("?", "?", "cyan"),
    Status.WARN: _Look("!", "!", "yellow"),
    Status.PASS: _Look("✓", "ok", "green"),
    Status.SKIP: _Look("-", "-", "dim"),
}
_RANK = {status: rank for rank, status in enumerate(_LOOKS)}
_AT_REST = frozenset({Status.PASS, Status.SKIP})
_EXPLAINED = frozenset({Status.FAIL, Status.WARN})
_VERDICT_LOOKS = {
    Verdict.NOT_READY: _LOOKS[Status.FAIL],
    Verdict.UNKNOWN: _LOOKS[Status.UNKNOWN],
    Verdict.DEGRADED: _LOOKS[Status.WARN],
    Verdict.READY: _LOOKS[Status.PASS],
}

_LET_PASS = frozenset({Verdict.READY, Verdict.DEGRADED})

# Many checks that say the same (nothing to look at, nothing to look with) share one row.
_SHARED = {Status.SKIP: "skipped", Status.UNKNOWN: "unknown"}


@dataclass(frozen=True, slots=True)
class _Row:
    """One finding, ready to be laid out: every text in it is clean."""

    status: Status
    name: str
    text: str
    hint: str = ""
    cause: str = ""
    agreed: str = ""
    facts: str = ""
    drawn: Evidence = field(default_factory=dict, compare=False)


def head(_run: RunInfo, _vantage: Vantage) -> str:
    """Nothing: the first target is the first thing to see."""
    return ""


def target(report: TargetReport, _run: RunInfo, _vantage: Vantage, style: Style) -> str:
    """One target: a header, then its findings, the worst first. A ready one of many is one line."""
    if style.quiet and report.verdict is Verdict.READY:
        return ""
    lines = _header(report, style)
    brief = style.many and report.verdict is Verdict.READY and not style.verbose
    if not brief:
        lines += _block(_rows(report, style), style)
    lines += _looked(report, style)
    if not brief and not style.many:
        lines += _advice(report, style)
    return _paint(lines, style)


def tail(summary: Summary, _run: RunInfo, vantage: Vantage, style: Style) -> str:
    """What ails the vantage, if anything; then one line for the whole run."""
    notes = _notes(summary, style)
    if style.quiet and summary.verdict is Verdict.READY and not summary.interrupted:
        return _paint(notes, style) if notes else ""
    lines = [Text()] if style.many else []
    lines += notes
    lines += _vantage_note(vantage, style) if summary.blind else []
    lines += _pack(_closing(summary, vantage, style), style)
    return _paint(lines, style)


def packets(told: Sequence[tuple[str, str, str, str]], style: Style) -> str:
    """What rules do to packets: verdict, its name, packets and the reason, a row each."""
    looks = {"accept": Status.PASS, "depends": Status.UNKNOWN}
    rows = [
        _Row(
            looks.get(verdict, Status.SKIP),
            _clean(name, style),
            _clean(names, style),
            _clean(why, style),
        )
        for verdict, name, names, why in told
    ]
    return _paint(_block(rows, style), style)


def difference(status: Status, name: str, text: str, cause: str, message: str, style: Style) -> str:
    """A row of what differs between two reports, marked as if it were of this status."""
    row = _Row(status, name, _clean(text, style), cause=cause, facts=_clean(message, style))
    return _paint(_block([row], style), style)


# --- a target --------------------------------------------------------------------------------


def _header(report: TargetReport, style: Style) -> list[Text]:
    look = _VERDICT_LOOKS[report.verdict]
    word = _word(report.verdict)
    bold = "bold"
    if report.purpose is not None:
        look, word = _LOOKS[Status.SKIP], "no IPv6, on purpose"
    if report.purpose is not None or (style.many and report.verdict is Verdict.READY):
        bold = ""  # what needs nobody does not shout
    else:
        word = word.upper()
    if report.gating in _LET_PASS and report.verdict is Verdict.NOT_READY:
        word += ", excused"
    prefix = Text.assemble((f"{_mark(look, style)} ", look.colour))
    name = _clean(report.target, style)
    host = _clean(report.host, style)
    ascii_form = "" if host in name.lower() else f" ({host})"
    service = f" [{_clean(report.service, style)}]" if report.service else ""
    right = Text(word, f"{bold} {look.colour}")
    return _beside(prefix, name + ascii_form + service, right, style, bold)


def _rows(report: TargetReport, style: Style) -> list[_Row]:
    """The rows to show, the worst first, then by check."""
    results: Sequence[Result] = report.results
    if (style.many or style.quiet) and not style.verbose:
        results = [result for result in results if result.status not in _AT_REST]
    ordered = sorted(results, key=lambda result: (_RANK[result.status], result.check))
    rows = [_row(result, report, style) for result in ordered]
    return rows if style.verbose else [*_shared(rows)]


def _row(result: Result, report: TargetReport, style: Style) -> _Row:
    text = result.message
    if result.subject not in {"", report.host, report.target} and result.subject not in text:
        text = f"{result.subject}: {text}"
    at_rest = result.status in _AT_REST
    return _Row(
        result.status,
        _clean(result.check, style),
        _clean(text, style),
        _clean(result.hint, style),
        "" if at_rest or result.cause is None else result.cause,
        _clean(excuse(result), style),
        _clean(_facts(result), style) if style.verbose else "",
        _drawn(result.evidence, style) if _has_pictures(result, style) else {},
    )


def _drawn(evidence: Evidence, style: Style) -> Evidence:
    """What pictures are made of, every text in it clean."""
    lists = {key: evidence[key] for key in DRAWN if isinstance(evidence.get(key), list | tuple)}
    return {key: [_cleaned(each, style) for each in told] for key, told in lists.items()}


def _cleaned(told: object, style: Style) -> object:
    if not isinstance(told, Mapping):
        return told
    return {
        key: _clean(value, style) if isinstance(value, str) else value
        for key, value in told.items()
    }


def _has_pictures(result: Result, style: Style) -> bool:
    """Whether the evidence is drawn: where somebody looks at one target, and where it matters."""
    return style.verbose or (result.status in _EXPLAINED and not style.many and not style.quiet)


def _shared(rows: Sequence[_Row]) -> Iterator[_Row]:
    """The rows, those of several checks that could not look for the same reason as one."""
    alike: dict[_Row, list[_Row]] = {}
    for number, row in enumerate(rows):
        name = _SHARED.get(row.status, f"{number}")  # a number: like no other
        alike.setdefault(replace(row, name=name), []).append(row)
    for shared, members in alike.items():
        names = dict.fromkeys(row.name for row in members)
        if len(names) == 1:
            yield members[0]
        else:
            yield replace(shared, text=f"{', '.join(names)}: {shared.text}")


def _facts(result: Result) -> str:
    """The evidence as ``key=value``, nested keys joined by dots, but for what is drawn."""
    drawn = pictures(result.evidence, WIDEST, unicode=True, most=1)
    told = {key: value for key, value in result.evidence.items() if not drawn or key not in DRAWN}
    pairs = [f"{key}={value}" for key, value in _flat("", plain(told))]
    if result.reference:
        pairs.append(f"({result.reference})")
    return " ".join(pairs)


def _flat(key: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for inner, item in value.items():
            yield from _flat(f"{key}.{inner}" if key else str(inner), item)
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        yield key, f"{len(value)} (see --format json)"
    elif key:
        bare = isinstance(value, str) and value and " " not in value
        yield key, str(value) if bare else json.dumps(value, ensure_ascii=False)


def _block(rows: Sequence[_Row], style: Style) -> list[Text]:
    """The rows below each other; what a check says twice is said once."""
    block = _block_width(style)
    names = max([NAME_WIDTH, *(cell_len(row.name) for row in rows)])
    stacked = block < STACKED_BELOW or names > block // 3
    lines: list[Text] = []
    for _, group in groupby(rows, key=lambda row: (row.status, row.name)):
        members = [*group]
        for number, row in enumerate(members):
            last = number == len(members) - 1
            once = "" if not last and members[number + 1].hint == row.hint else row.hint
            seen = replace(row, name="" if number else row.name, hint=once)
            lines += _stacked(seen, style) if stacked else _columns(seen, names, style)
    return lines


def _columns(row: _Row, names: int, style: Style) -> list[Text]:
    """Mark, check and message side by side, the cause at the edge, the rest below the message."""
    prefix = _row_mark(row, style).append(row.name, _name_tone(row))
    prefix.append(" " * (names - cell_len(row.name) + 2))
    lines = _beside(prefix, row.text, _cause(row), style, _tone(row))
    return lines + _below(row, prefix.cell_len, style)


def _stacked(row: _Row, style: Style) -> list[Text]:
    """Mark, check and cause on a line of their own, the rest below: for a narrow terminal."""
    mark = _row_mark(row, style)
    if row.name:
        lines = _beside(mark, row.name, _cause(row), style, _name_tone(row))
        lines += _beside(Text(" " * mark.cell_len), row.text, Text(), style, _tone(row))
    else:
        lines = _beside(mark, row.text, _cause(row), style, _tone(row))
    return lines + _below(row, mark.cell_len, style)


def _row_mark(row: _Row, style: Style) -> Text:
    look = _LOOKS[row.status]
    return Text.assemble((f" {_mark(look, style)} ", look.colour))


def _name_tone(row: _Row) -> str:
    return _tone(row) if row.status in _AT_REST else "bold"


def _cause(row: _Row) -> Text:
    return Text(row.cause, _LOOKS[row.status].colour)


def _tone(row: _Row) -> str:
    return "dim" if row.status is Status.SKIP else ""


def _below(row: _Row, indent: int, style: Style) -> list[Text]:
    lines: list[Text] = []
    if row.hint:
        arrow = Text(" " * indent + ("→ " if style.unicode else "> "), "dim")
        lines += _beside(arrow, row.hint, Text(), style, "dim")
    if row.agreed:
        lines += _beside(Text(" " * indent), row.agreed, Text(), style)
    room = max(_block_width(style) - indent, 1)
    most = None if style.verbose else WORST_CLIENTS
    drawn = pictures(row.drawn, room, unicode=style.unicode, most=most)
    lines += [Text(" " * indent).append_text(_wrapped(Text(line), room)[0]) for line in drawn]
    if row.facts:
        lines += _beside(Text(" " * indent), row.facts, Text(), style, "dim")
    return lines


def _looked(report: TargetReport, style: Style) -> list[Text]:
    """What was looked at, for who sees one target; what was not, for everybody."""
    at = f"looked at: {', '.join(report.looked_at)}" if report.looked_at else ""
    told = [at] if at and (style.verbose or not (style.many or style.quiet)) else []
    told += [f"not looked at: {each}" for each in report.not_looked_at]
    indent = Text(" " * (_mark_width(style) + 2))
    return [
        line for each in told for line in _beside(indent, _clean(each, style), Text(), style, "dim")
    ]


def _advice(report: TargetReport, style: Style) -> list[Text]:
    """Where to read more of the worst finding."""
    wanting = [result for result in report.results if result.status in _EXPLAINED]
    if not wanting:
        return []
    worst = min(wanting, key=lambda result: (_RANK[result.status], result.check))
    text = f"explain: ipv6check explain {_clean(worst.check, style)}"
    return _beside(Text(" " * (_mark_width(style) + 2)), text, Text(), style, "dim")


# --- the run ---------------------------------------------------------------------------------


def _vantage_note(vantage: Vantage, style: Style) -> list[Text]:
    text = vantage_problem(vantage)
    if not text:
        return []
    look = _LOOKS[Status.UNKNOWN]
    mark = Text(f"{_mark(look, style)} ", look.colour)
    return _beside(mark, _clean(text, style), Text(), style, look.colour)


def _notes(summary: Summary, style: Style) -> list[Text]:
    """What is to be said of the run, a paragraph each."""
    look = _LOOKS[Status.WARN]
    lines: list[Text] = []
    for note in summary.notes:
        at = f"{note.place.file}:{note.place.line}: " if note.place else ""
        mark = Text(f"{_mark(look, style)} ", look.colour)
        lines += _beside(mark, _clean(f"{at}{note.text}", style), Text(), style)
    return lines


def _closing(summary: Summary, vantage: Vantage, style: Style) -> list[Text]:
    """The parts of the last line."""
    parts = [Text("interrupted", "bold yellow")] if summary.interrupted else []
    parts.append(_tally(summary))
    if summary.excused:
        excused = count(summary.excused, "finding", "findings")
        parts.append(Text(f"gate {summary.gate}, {excused} excused"))
    parts.append(Text(_duration(summary.duration_ms)))
    places = [] if vantage.kind == "local" else [vantage.name]
    places += [vantage.source_ipv6] if vantage.source_ipv6 else []
    if places:
        parts.append(Text(f"from {_clean(' '.join(places), style)}"))
    if style.many and summary.verdict is not Verdict.READY:
        parts.append(Text("explain: ipv6check explain CHECK", "dim"))
    return parts


def _tally(summary: Summary) -> Text:
    """How many targets are of which verdict, in words."""
    return Text.assemble(
        *(
            (word, _VERDICT_LOOKS[verdict].colour if verdict else "")
            for word, verdict in tally(summary)
        )
    )


def _duration(milliseconds: float) -> str:
    seconds = milliseconds / 1000
    if round(milliseconds) < 1000:
        return f"{milliseconds:.0f} ms"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    return f"{round(seconds) // 60} min {round(seconds) % 60} s"


def _pack(parts: Sequence[Text], style: Style) -> list[Text]:
    """The parts on as few lines as hold them; a part is broken only if it is too long alone."""
    separator = " · " if style.unicode else " - "
    width = _width(style)
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + cell_len(separator) + part.cell_len <= width:
            lines[-1].append(separator, "dim").append_text(part)
        else:
            lines += _wrapped(part, width)
    return lines


# --- layout ----------------------------------------------------------------------------------


def _clean(text: str, style: Style) -> str:
    return style.legible(text)


def _word(verdict: Verdict) -> str:
    return verdict.replace("-", " ")


def _mark(look: _Look, style: Style) -> str:
    return look.mark if style.unicode else f"{look.ascii:<2}"


def _mark_width(style: Style) -> int:
    return 1 if style.unicode else 2


def _width(style: Style) -> int:
    return max(style.width, NARROWEST)


def _block_width(style: Style) -> int:
    return min(_width(style), WIDEST)


def _beside(prefix: Text, text: str, right: Text, style: Style, tone: str = "") -> list[Text]:
    """Text beside a prefix, wrapped below itself; ``right`` at the edge of the first line."""
    width = _block_width(style)
    indent = prefix.cell_len
    reserved = right.cell_len + 2 if right else 0
    first, *others = _wrapped(Text(text, tone), max(width - indent - reserved, 1))
    line = prefix.copy().append_text(first)
    if right:
        line.append(" " * (width - line.cell_len - right.cell_len)).append_text(right)
    return [line, *(Text(" " * indent).append_text(other) for other in others)]


def _wrapped(whole: Text, width: int) -> Sequence[Text]:
    if whole.cell_len <= width:
        return [whole]
    lines = [*whole.divide(_breaks(whole.plain, width))]
    for line in lines:
        line.rstrip()
    return lines


def _breaks(text: str, width: int) -> Iterator[int]:
    """Where lines begin: at a word that has no room, within a word that has none on any line.

    Done here because rich's own wrapping fails on text that was made to break it: releases of it
    loop for ever on a zero-width character, others raise IndexError.
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


def _paint(lines: Sequence[Text], style: Style) -> str:
    for line in lines:
        line.rstrip()
    console = _console(style)
    with console.capture() as captured:
        console.print(Text("\n").join(lines), soft_wrap=True)
    return captured.get()


@cache
def _console(style: Style) -> Console:
    """A console that looks at no terminal and no environment: the style says all."""
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
