"""One line and an exit code, for Nagios, Icinga and others that run monitoring plugins.

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

# Nagios reads 4 KiB at least; NRPE cuts where its own buffer ends.
LINE_BYTES = 4096
TEXT_BYTES = 2048
# Targets in the first line, and findings in the lines after it.
WORST = 5
LINES = 100
SENTENCE = 200

# Exit codes of a complete run: 0 passed, 1 failed, 3 could not be measured.
_COMPLETE = frozenset({0, 1, 3})
_BAD_FIRST = (Status.FAIL, Status.ERROR, Status.UNKNOWN, Status.WARN)
# Characters that end a label, and spaces, which some readers split at.
_NOT_IN_A_LABEL = re.compile("['=\\s]+")


class State(IntEnum):
    """The states of a monitoring plugin, which are its exit codes."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


def line(state: State, text: str) -> str:
    """The line of a state, without performance data: for an error before the run."""
    return f"IPV6CHECK {state.name} - {_cut(_safe(text, Style()), TEXT_BYTES)}\n"


class _Nagios:
    """One run. The line names the worst targets, which are kept, with as much as lines hold."""

    ORDERED = True

    def __init__(self) -> None:
        self._state = State.UNKNOWN
        self._verdicts: Counter[Verdict] = Counter()
        self._warned = False
        self._worst: list[tuple[int, str]] = []
        self._lines: list[str] = []
        self._omitted = 0
        # By label: two services may have the same target, and readers keep one value of a label.
        self._perfdata: dict[str, str] = {}

    def head(self, _run: RunInfo, _vantage: Vantage) -> str:
        """Nothing: the worst comes first."""
        return ""

    def target(self, report: TargetReport, _run: RunInfo, _vantage: Vantage, style: Style) -> str:
        """Nothing yet."""
        if report.purpose is not None:
            # Counts as nothing before the day of its review.
            self._warned |= report.gating is Verdict.DEGRADED
            return ""
        verdict = report.gating or report.verdict
        self._verdicts[verdict] += 1
        bad = [result for result in report.results if result.status in _BAD_FIRST]
        counting = [result for result in bad if not result.excused]
        self._warned |= any(result.status is Status.WARN for result in counting)
        if verdict is not Verdict.READY:
            rank = WORST_FIRST.index(verdict)
            self._worst = sorted(
                [*self._worst, (rank, _summary(report, counting, style))],
                key=lambda ranked: ranked[0],
            )[:WORST]
        if style.verbose:
            room = LINES - len(self._lines)
            self._lines += [_finding(report, result, style) for result in bad[:room]]
            self._omitted += max(0, len(bad) - room)
        if sum(map(len, self._perfdata.values())) < LINE_BYTES:
            for label, item in _times(report, style):
                self._perfdata.setdefault(label, item)
        return ""

    def tail(self, summary: Summary, _run: RunInfo, _vantage: Vantage, style: Style) -> str:
        """The line, and with ``-v`` those of the findings."""
        self._state = self._state_of(summary)
        text = _cut("; ".join(self._clauses(summary, style)), TEXT_BYTES)
        first = f"IPV6CHECK {self._state.name} - {text} |"
        for item in (*self._counts(summary), *self._perfdata.values()):
            if len(first.encode()) + len(item.encode()) + 1 >= LINE_BYTES:
                break
            first += f" {item}"
        more = [f"and {self._omitted} more findings"] if self._omitted else []
        return "\n".join([first, *self._lines, *more]) + "\n"

    def exit_code(self, code: int) -> int:
        """The state; never OK if the run could not be made as requested."""
        return self._state if code in _COMPLETE else self._state or State.UNKNOWN

    def _state_of(self, summary: Summary) -> State:
        if incomplete(summary) or summary.gate is GateOutcome.UNKNOWN:
            return State.UNKNOWN
        if self._verdicts[Verdict.NOT_READY]:
            return State.CRITICAL
        if summary.gate is GateOutcome.FAILED or self._warned:
            return State.WARNING
        return State.OK

    def _clauses(self, summary: Summary, style: Style) -> Iterator[str]:
        """The text of the line, the most important first."""
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
        yield from (text for _, text in self._worst)
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


begin = _Nagios


def _summary(report: TargetReport, counting: Sequence[Result], style: Style) -> str:
    """The worst finding of a target, and the number of others."""
    worst = min(counting, key=lambda result: _BAD_FIRST.index(result.status))
    more = f" (and {len(counting) - 1} more)" if len(counting) > 1 else ""
    expired = f" ({agreement})" if (agreement := excuse(worst)) else ""
    message = _cut(_safe(worst.message + expired, style), SENTENCE)
    return f"{_safe(report.target, style)}: {message}{more}"


def _finding(report: TargetReport, result: Result, style: Style) -> str:
    agreement = excuse(result)
    parts = [result.message, f"({agreement})" if agreement else "", result.hint]
    text = " - ".join(filter(None, parts))
    return _safe(f"{result.status} {report.target} {result.check}: {text}", style)


def _times(report: TargetReport, style: Style) -> Iterator[tuple[str, str]]:
    """Connection times by label: family and port, after the target if there are several."""
    prefix = f"{_safe(report.target, style)}_" if style.many else ""
    for (port, family), seconds in sorted(connects(report).items()):
        text = _NOT_IN_A_LABEL.sub("_", f"{prefix}{family}_{port}")
        # Icinga reads `::` as a separator of check_multi. No two addresses get one label by this.
        label = text.replace("::", ":0:")
        yield label, f"'{label}'={seconds:.6f}s;;;0"


def _safe(text: str, style: Style) -> str:
    """Text from the network, without the character that begins performance data."""
    return style.legible(text).replace("|", "\\x7c")


def _cut(text: str, size: int) -> str:
    raw = text.encode()
    return text if len(raw) <= size else raw[: size - 3].decode(errors="ignore") + "..."
