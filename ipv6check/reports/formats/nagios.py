"""One line and an exit code for Nagios, Icinga and what else runs monitoring plugins.

https://www.monitoring-plugins.org/doc/guidelines.html. The first line is what counts; with ``-v``
a line for each finding follows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import IntEnum

from ipv6check.model import (
    WORST_FIRST,
    GateOutcome,
    Result,
    RunInfo,
    Status,
    Summary,
    TargetReport,
    Vantage,
    Verdict,
)
from ipv6check.reports.formats import Style
from ipv6check.reports.sentences import excuse, incomplete, on_purpose
from ipv6check.reports.timings import connects

# Nagios promises to read 4 KiB, whatever more it may do; NRPE cuts where its own buffer ends.
LINE_BYTES = 4096
TEXT_BYTES = 2048
# Targets that the first line names, and findings that the lines after it do.
WORST = 5
LINES = 100
SENTENCE = 200

# Exit codes of a run that came to its end: 0 passed, 1 failed, 3 could not be measured.
_JUDGED = frozenset({0, 1, 3})
_BAD_FIRST = (Status.FAIL, Status.ERROR, Status.UNKNOWN, Status.WARN)
# What a label may not have: its own quote and end; and spaces, which not every reader splits well.
_NOT_IN_A_LABEL = re.compile("['=\\s]+")


class State(IntEnum):
    """The exit codes of that world."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


def line(state: State, text: str) -> str:
    """The line of a state, without performance data: for what went wrong before there is a run."""
    return f"IPV6CHECK {state.name} - {_cut(_safe(text, Style()), TEXT_BYTES)}\n"


def begin() -> Document:
    """The reporter of one run."""
    return Document()


class Document:
    """One run. It names the worst first, so it remembers those, and as much as fits into lines."""

    ORDERED = True

    def __init__(self) -> None:
        self._state = State.UNKNOWN
        self._verdicts: Counter[Verdict] = Counter()
        self._warned = False
        self._worst: list[tuple[int, str]] = []
        self._lines: list[str] = []
        self._untold = 0
        # By label: two services may have one target, and readers keep one value of a label.
        self._perfdata: dict[str, str] = {}

    def head(self, _run: RunInfo, _vantage: Vantage) -> str:
        """Nothing: the worst comes first."""
        return ""

    def target(self, report: TargetReport, _run: RunInfo, _vantage: Vantage, style: Style) -> str:
        """Nothing yet."""
        if report.purpose is not None:
            # Neither well nor ill, and nobody's business before the day of the next look.
            self._warned |= report.gating is Verdict.DEGRADED
            return ""
        verdict = report.gating or report.verdict
        self._verdicts[verdict] += 1
        bad = [each for each in report.results if each.status in _BAD_FIRST]
        counting = [each for each in bad if not each.excused]
        self._warned |= any(each.status is Status.WARN for each in counting)
        if verdict is not Verdict.READY:
            rank = WORST_FIRST.index(verdict)
            self._worst = sorted(
                [*self._worst, (rank, _told(report, counting, style))],
                key=lambda each: each[0],
            )[:WORST]
        if style.verbose:
            room = LINES - len(self._lines)
            self._lines += [_finding(report, each, style) for each in bad[:room]]
            self._untold += max(0, len(bad) - room)
        if sum(map(len, self._perfdata.values())) < LINE_BYTES:
            for label, item in _times(report, style):
                self._perfdata.setdefault(label, item)
        return ""

    def tail(self, summary: Summary, _run: RunInfo, _vantage: Vantage, style: Style) -> str:
        """The line, and with ``-v`` those of the findings."""
        self._state = self._judged(summary)
        text = _cut("; ".join(self._said(summary, style)), TEXT_BYTES)
        first = f"IPV6CHECK {self._state.name} - {text} |"
        for item in (*self._counts(summary), *self._perfdata.values()):
            if len(first.encode()) + len(item.encode()) + 1 >= LINE_BYTES:
                break
            first += f" {item}"
        more = [f"and {self._untold} more findings"] if self._untold else []
        return "\n".join([first, *self._lines, *more]) + "\n"

    def exit_code(self, code: int) -> int:
        """The state. Nothing is OK where the run could not be made as it was asked for."""
        return self._state if code in _JUDGED else self._state or State.UNKNOWN

    def _judged(self, summary: Summary) -> State:
        if incomplete(summary) or summary.gate is GateOutcome.UNKNOWN:
            return State.UNKNOWN
        if self._verdicts[Verdict.NOT_READY]:
            return State.CRITICAL
        if summary.gate is GateOutcome.FAILED or self._warned:
            return State.WARNING
        return State.OK

    def _said(self, summary: Summary, style: Style) -> Iterator[str]:
        yield from incomplete(summary)
        total = self._verdicts.total()
        tally = [
            f"{self._verdicts[verdict]} {verdict.replace('-', ' ')}"
            for verdict in WORST_FIRST
            if self._verdicts[verdict]
        ]
        excused = f", {summary.excused} excused" if summary.excused else ""
        tally += [on_purpose(summary)] if summary.on_purpose else []
        if style.many or not self._worst:
            yield (", ".join(tally) or "no target was checked") + excused
        yield from (told for _, told in self._worst)
        bad = total - self._verdicts[Verdict.READY] - len(self._worst)
        if bad > 0 and len(self._worst) == WORST:
            yield f"and {bad} more"
        yield from (_cut(_safe(note.text, style), SENTENCE) for note in summary.notes[:WORST])

    def _counts(self, summary: Summary) -> Iterator[str]:
        total = self._verdicts.total()
        yield f"'time'={summary.duration_ms / 1000:.3f}s;;;0"
        yield f"'targets'={total};;;0"
        yield f"'not_ready'={self._verdicts[Verdict.NOT_READY]};;0;0;{total}"
        yield f"'degraded'={self._verdicts[Verdict.DEGRADED]};0;;0;{total}"
        yield f"'unknown'={self._verdicts[Verdict.UNKNOWN]};;;0;{total}"
        yield f"'excused'={summary.excused};;;0"


def _told(report: TargetReport, counting: Sequence[Result], style: Style) -> str:
    """The worst finding of a target, and how many more there are."""
    worst = min(counting, key=lambda each: _BAD_FIRST.index(each.status))
    more = f" (and {len(counting) - 1} more)" if len(counting) > 1 else ""
    expired = f" ({agreement})" if (agreement := excuse(worst)) else ""
    message = _cut(_safe(worst.message + expired, style), SENTENCE)
    return f"{_safe(report.target, style)}: {message}{more}"


def _finding(report: TargetReport, result: Result, style: Style) -> str:
    agreement = excuse(result)
    parts = [result.message, f"({agreement})" if agreement else "", result.hint]
    said = " - ".join(filter(None, parts))
    return _safe(f"{result.status} {report.target} {result.check}: {said}", style)


def _times(report: TargetReport, style: Style) -> Iterator[tuple[str, str]]:
    """Connection times by label: family and port, after the target where there are several."""
    whose = f"{_safe(report.target, style)}_" if style.many else ""
    for (port, family), seconds in sorted(connects(report).items()):
        text = _NOT_IN_A_LABEL.sub("_", f"{whose}{family}_{port}")
        # Icinga takes `::` for a mark of check_multi's; no address has `:0:` where another has it.
        label = text.replace("::", ":0:")
        yield label, f"'{label}'={seconds:.6f}s;;;0"


def _safe(text: str, style: Style) -> str:
    """Text of the network's, without what begins performance data."""
    return style.legible(text).replace("|", "\\x7c")


def _cut(text: str, size: int) -> str:
    raw = text.encode()
    return text if len(raw) <= size else raw[: size - 3].decode(errors="ignore") + "..."
