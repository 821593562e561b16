"""Markdown for a comment on a pull request, or a step summary of GitHub Actions.

Text from the network is always in a code span, where nothing of it can become a link, an image, a
mention, a tag or the end of a table's cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ipv6check.model import GateOutcome, RunInfo, Status, Summary, TargetReport, Vantage
from ipv6check.model.text import count, printable
from ipv6check.reports.formats import Style
from ipv6check.reports.sentences import excuse, incomplete, tally, vantage_problem

# A comment holds 65,536 characters, counted here as bytes. Each part has its share of them.
FINDINGS_ROOM, EXCUSED_ROOM, FIXES_ROOM, UNMEASURED_ROOM = 28_000, 12_000, 14_000, 5_000
UNTESTED_ROOM = 2_000
MOST_NOTES = 10
MOST_ROWS = 500  # of a kind, more than fit
LONGEST = 300

_GATES = {GateOutcome.PASSED: "✅", GateOutcome.FAILED: "❌", GateOutcome.UNKNOWN: "❓"}
# Worst first.
_MARKS = {Status.FAIL: "❌", Status.ERROR: "💥", Status.WARN: "⚠️"}


class _Rows:
    """Rows of a table: the first ones, and the number of all."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.number = 0

    def add(self, *cells: str) -> None:
        """Add a row, which is kept if there is room."""
        self.number += 1
        if len(self.kept) < MOST_ROWS:
            self.kept.append(_row(*cells))


class _Markdown:
    """One comment."""

    ORDERED = True

    def __init__(self) -> None:
        self._findings = {status: _Rows() for status in _MARKS}
        self._fixes = {status: _Rows() for status in _MARKS}
        self._excused = _Rows()
        self._unmeasured = _Rows()
        self._untested = _Rows()
        self._tested: dict[str, None] = {}

    def head(self, _run: RunInfo, _vantage: Vantage) -> str:
        """Nothing: the headline is known at the end."""
        return ""

    def target(self, report: TargetReport, _run: RunInfo, _vantage: Vantage, _style: Style) -> str:
        """Nothing yet: a worse one may come."""
        self._tested |= dict.fromkeys(report.looked_at)
        if report.not_looked_at:
            self._untested.add(_code(report.target), _code("; ".join(report.not_looked_at)))
        for result in report.results:
            names = (_code(report.target), _code(result.check))
            message = _code(result.message)
            if result.excused:
                self._excused.add(*names, message, _code(excuse(result)))
            elif result.status is Status.UNKNOWN:
                self._unmeasured.add(*names, message)
            elif result.status in _MARKS:
                # An expired waiver is named, but excuses nothing.
                text = " ".join(filter(None, (message, _code(excuse(result)))))
                mark, cause = f"{_MARKS[result.status]} {result.status}", result.cause or ""
                self._findings[result.status].add(mark, *names, text, cause)
                if result.hint:
                    self._fixes[result.status].add(*names, _code(result.hint))
        return ""

    def tail(self, summary: Summary, run: RunInfo, vantage: Vantage, _style: Style) -> str:
        """The comment."""
        verdicts = "".join(text for text, _ in tally(summary))
        parts = [f"### {_GATES[summary.gate]} IPv6 gate {summary.gate} · {verdicts}"]
        parts += _notes(summary, vantage)
        header = ("", "target", "check", "finding", "cause")
        parts += _table(header, [*self._findings.values()], FINDINGS_ROOM)
        if self._excused.number:
            columns = ("target", "check", "finding", "excused by")
            table = _table(columns, [self._excused], EXCUSED_ROOM)
            parts += [f"#### Excused ({self._excused.number})", *table]
        fixes = [*self._fixes.values()]
        parts += _details("How to fix it", ("target", "check", "fix"), fixes, FIXES_ROOM)
        unmeasured = [self._unmeasured]
        parts += _details(
            "Could not be measured", ("target", "check", "reason"), unmeasured, UNMEASURED_ROOM
        )
        parts += _details("Not checked", ("target", "what"), [self._untested], UNTESTED_ROOM)
        if self._tested:
            parts.append(f"<sub>checked: {_code(', '.join(self._tested))}</sub>")
        parts.append(f"<sub>ipv6check {run.version}, {run.started_at}</sub>")
        return "\n\n".join(parts) + "\n"


begin = _Markdown


def _notes(summary: Summary, vantage: Vantage) -> Iterator[str]:
    """Notes on the run itself, a quotation each."""
    for reason in incomplete(summary):
        yield f"> {reason}"
    if summary.blind and (problem := vantage_problem(vantage)):
        yield f"> {_code(problem)}"
    for note in summary.notes[:MOST_NOTES]:
        yield f"> {_code(note.text)}"
    if more := len(summary.notes[MOST_NOTES:]):
        yield f"> and {count(more, 'more note', 'more notes')}"


def _table(names: Sequence[str], parts: Sequence[_Rows], room: int) -> Iterator[str]:
    """A table of the rows that fit, and how many do not. Nothing without rows."""
    number = sum(rows.number for rows in parts)
    if not number:
        return
    shown = [_row(*names), "|---" * len(names) + "|"]
    room -= sum(map(_size, shown))
    for row in (row for rows in parts for row in rows.kept):
        room -= _size(row)
        if room < 0:
            break
        shown.append(row)
    yield "\n".join(shown)
    if more := number - len(shown) + 2:
        yield f"and {more} more that do not fit here: use another format to see all"


def _details(title: str, names: Sequence[str], parts: Sequence[_Rows], room: int) -> Iterator[str]:
    """A table that is folded away."""
    number = sum(rows.number for rows in parts)
    if number:
        yield f"<details><summary>{title} ({number})</summary>"
        yield from _table(names, parts, room)
        yield "</details>"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _size(row: str) -> int:
    return len(row.encode("utf-8", "surrogatepass")) + 1


def _code(text: str) -> str:
    """A code span without any character that could end it or its cell; empty for no text."""
    visible = " ".join(printable(text).split())
    cut = visible if len(visible) <= LONGEST else visible[: LONGEST - 1] + "…"
    return f"`{cut.replace('`', chr(39)).replace('|', '¦')}`" if cut else ""
