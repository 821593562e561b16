"""Markdown for a comment on a pull request, or a step summary of GitHub Actions.

Every text that is not ours stands in a code span, the one place where nothing of it is a link, an
image, a mention, a tag or the end of a table's cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ipv6check.model import GateOutcome, RunInfo, Status, Summary, TargetReport, Vantage
from ipv6check.model.text import count, printable
from ipv6check.reports.formats import Style
from ipv6check.reports.sentences import excuse, incomplete, tally, vantage_problem

# A comment holds 65,536 characters, which are bytes at worst; each part has its share of them.
FINDINGS_ROOM, EXCUSED_ROOM, MENDS_ROOM, UNMEASURED_ROOM = 28_000, 12_000, 14_000, 5_000
UNSEEN_ROOM = 2_000
MOST_NOTES = 10
MOST_ROWS = 500  # of a kind: more than there is room for
LONGEST = 300

_GATES = {GateOutcome.PASSED: "✅", GateOutcome.FAILED: "❌", GateOutcome.UNKNOWN: "❓"}
# Worst first.
_MARKS = {Status.FAIL: "❌", Status.ERROR: "💥", Status.WARN: "⚠️"}


class _Rows:
    """Rows of a table: the first ones, and how many there are in all."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.number = 0

    def add(self, *cells: str) -> None:
        """One more, kept where there is room."""
        self.number += 1
        if len(self.kept) < MOST_ROWS:
            self.kept.append(_row(*cells))


class _Markdown:
    """One comment."""

    ORDERED = True

    def __init__(self) -> None:
        self._findings = {status: _Rows() for status in _MARKS}
        self._mends = {status: _Rows() for status in _MARKS}
        self._excused = _Rows()
        self._unmeasured = _Rows()
        self._unseen = _Rows()
        self._looked: dict[str, None] = {}

    def head(self, _run: RunInfo, _vantage: Vantage) -> str:
        """Nothing: the headline is known last."""
        return ""

    def target(self, report: TargetReport, _run: RunInfo, _vantage: Vantage, _style: Style) -> str:
        """Nothing yet: a worse one may come."""
        self._looked |= dict.fromkeys(report.looked_at)
        if report.not_looked_at:
            self._unseen.add(_code(report.target), _code("; ".join(report.not_looked_at)))
        for result in report.results:
            names = (_code(report.target), _code(result.check))
            message = _code(result.message)
            if result.excused:
                self._excused.add(*names, message, _code(excuse(result)))
            elif result.status is Status.UNKNOWN:
                self._unmeasured.add(*names, message)
            elif result.status in _MARKS:
                # An expired waiver excuses it no longer.
                said = " ".join(filter(None, (message, _code(excuse(result)))))
                mark, cause = f"{_MARKS[result.status]} {result.status}", result.cause or ""
                self._findings[result.status].add(mark, *names, said, cause)
                if result.hint:
                    self._mends[result.status].add(*names, _code(result.hint))
        return ""

    def tail(self, summary: Summary, run: RunInfo, vantage: Vantage, _style: Style) -> str:
        """The comment."""
        said = "".join(word for word, _ in tally(summary))
        parts = [f"### {_GATES[summary.gate]} IPv6 gate {summary.gate} · {said}"]
        parts += _notes(summary, vantage)
        wrong = ("", "target", "check", "what is wrong", "cause")
        parts += _table(wrong, [*self._findings.values()], FINDINGS_ROOM)
        if self._excused.number:
            excused = ("target", "check", "what is wrong", "why it may stay")
            told = _table(excused, [self._excused], EXCUSED_ROOM)
            parts += [f"#### Let pass ({self._excused.number})", *told]
        mends = [*self._mends.values()]
        parts += _details("What to do", ("target", "check", "what to do"), mends, MENDS_ROOM)
        unknown = [self._unmeasured]
        parts += _details("Not measured", ("target", "check", "why"), unknown, UNMEASURED_ROOM)
        parts += _details("Not looked at", ("target", "what"), [self._unseen], UNSEEN_ROOM)
        if self._looked:
            parts.append(f"<sub>looked at: {_code(', '.join(self._looked))}</sub>")
        parts.append(f"<sub>ipv6check {run.version}, {run.started_at}</sub>")
        return "\n\n".join(parts) + "\n"


begin = _Markdown


def _notes(summary: Summary, vantage: Vantage) -> Iterator[str]:
    """What is said of the run itself, a quotation each."""
    for short in incomplete(summary):
        yield f"> {short}"
    if summary.blind and (ill := vantage_problem(vantage)):
        yield f"> {_code(ill)}"
    for note in summary.notes[:MOST_NOTES]:
        yield f"> {_code(note.text)}"
    if more := len(summary.notes[MOST_NOTES:]):
        yield f"> and {count(more, 'more note', 'more notes')}"


def _table(names: Sequence[str], parts: Sequence[_Rows], room: int) -> Iterator[str]:
    """A table of what there is room for, then what there is besides. Nothing without rows."""
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
        yield f"and {more} more, for which there is no room here: see another format"


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
    """A code span, in which no mark of Markdown's is left that could end it, or its cell."""
    visible = " ".join(printable(text).split())
    cut = visible if len(visible) <= LONGEST else visible[: LONGEST - 1] + "…"
    return f"`{cut.replace('`', chr(39)).replace('|', '¦')}`" if cut else ""
