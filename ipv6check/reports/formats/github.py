"""Annotations of GitHub Actions: workflow commands on standard output.

GitHub shows the first ten errors and the first ten warnings of a step. So these are the worst ones,
of as many targets as possible, and a notice counts the others. The whole report is the step
summary, which the format markdown writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from ipv6check.model import Place, RunInfo, Status, Summary, TargetReport, Vantage
from ipv6check.model.text import count, printable
from ipv6check.reports.formats import Style
from ipv6check.reports.places import in_repository
from ipv6check.reports.sentences import incomplete, tally, vantage_problem

SHOWN = 10  # of each level, in a step
LONGEST = 1000
_LEVELS = {Status.FAIL: "error", Status.WARN: "warning"}
_UNMEASURED = frozenset({Status.UNKNOWN, Status.ERROR})


class _Annotation(NamedTuple):
    """An annotation; the least is shown first. ``nth``: how many of its target come before."""

    nth: int
    number: int
    title: str
    text: str
    place: Place | None


class _GitHub:
    """The annotations of one step."""

    ORDERED = True

    def __init__(self) -> None:
        self._worst: dict[str, list[_Annotation]] = {level: [] for level in _LEVELS.values()}
        self._count = 0
        self._first: dict[Status, str] = {}

    def head(self, _run: RunInfo, _vantage: Vantage) -> str:
        """Nothing: the worst is known at the end."""
        return ""

    def target(self, report: TargetReport, run: RunInfo, _vantage: Vantage, _style: Style) -> str:
        """Nothing yet: a worse one may come."""
        place = in_repository(report.place, run)
        nth: Counter[str] = Counter()
        for result in report.results:
            title = f"{report.target}: {result.check}"
            text = _lines(result.message, result.hint)
            level = _LEVELS.get(result.status)
            if result.status in _UNMEASURED:
                self._first.setdefault(result.status, f"{title}: {result.message}")
            elif level is not None and not result.excused:
                annotation = _Annotation(nth[level], self._count, title, text, place)
                self._worst[level] = sorted([*self._worst[level], annotation])[:SHOWN]
                nth[level] += 1
                self._count += 1
        return ""

    def tail(self, summary: Summary, run: RunInfo, vantage: Vantage, _style: Style) -> str:
        """The annotations, and a line for readers of the log."""
        of_run = [*self._of_the_run(summary, run, vantage)]
        warnings = [*of_run, *self._worst["warning"]][:SHOWN]
        lines = [_command("error", annotation) for annotation in self._worst["error"]]
        lines += [_command("warning", annotation) for annotation in warnings]
        if more := self._count + len(of_run) - len(lines):
            text = f"{count(more, 'more finding', 'more findings')}: see the step summary"
            lines.append(f"::notice title=ipv6check::{text}")
        verdicts = "".join(text for text, _ in tally(summary))
        return "\n".join([*lines, f"ipv6check: {verdicts}; gate {summary.gate}"]) + "\n"

    def _of_the_run(
        self, summary: Summary, run: RunInfo, vantage: Vantage
    ) -> Iterator[_Annotation]:
        """Notes on the run, which blame no target: each once, however many targets it is about."""
        for reason in incomplete(summary):
            yield _Annotation(0, 0, "ipv6check", reason, None)
        if broken := self._first.get(Status.ERROR):
            number = count(summary.counts.get(Status.ERROR, 0), "check", "checks")
            text = _lines(f"{number} failed to run, first {broken}")
            yield _Annotation(0, 0, "ipv6check", text, None)
        if unknown := self._first.get(Status.UNKNOWN):
            number = count(summary.counts.get(Status.UNKNOWN, 0), "finding", "findings")
            reason = vantage_problem(vantage) if summary.blind else ""
            text = _lines(
                f"{number} could not be measured from here; the targets may be fine",
                reason or f"first {unknown}",
            )
            yield _Annotation(0, 0, "ipv6check", text, None)
        for note in summary.notes:
            yield _Annotation(0, 0, "ipv6check", _lines(note.text), in_repository(note.place, run))


begin = _GitHub


def _lines(message: str, more: str = "") -> str:
    """Up to two lines of text; a line break within either is escaped."""
    return "\n".join(printable(text) for text in (message, more) if text)


def _command(level: str, annotation: _Annotation) -> str:
    """One workflow command, in which no text can begin another."""
    at = annotation.place
    place = {"file": at.file, "line": str(at.line)} if at else {}
    properties = ",".join(
        f"{key}={_property(value)}" for key, value in (place | {"title": annotation.title}).items()
    )
    return f"::{level} {properties}::{_data(annotation.text)}"


def _data(text: str) -> str:
    """The text of a command, escaped for the runner. ``##[`` began commands of an older kind."""
    cut = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    escaped = cut.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return escaped.replace("##[", "# #[")


def _property(text: str) -> str:
    return _data(printable(text)).replace(":", "%3A").replace(",", "%2C")
