"""The gate: whether a run passes, by its thresholds, waivers and baseline.

It changes neither a status nor a verdict. It only decides which findings stop nobody.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ipv6check.model import (
    GateOutcome,
    NoIPv6,
    Note,
    Status,
    Summary,
    TargetReport,
    Vantage,
    Verdict,
    Waiver,
    verdict_of,
)
from ipv6check.reports.waivers import WAIVABLE, Waivers


class EarlierReport(Protocol):
    """An earlier report, whose findings are known already."""

    def known(self, report: TargetReport, /) -> TargetReport:
        """The report; each result that was as bad before is marked ``known``."""
        ...


@dataclass(slots=True)
class Gate:
    """Applied to each target of a run, it concludes whether the run passes.

    Attributes:
        fail_on: the least status that fails the run: fail or warn.
        on_unknown: what an unknown verdict does: fail or pass.
        waivers: the waivers of the configuration.
        baseline: an earlier report, None for none.
        today: the day that waivers and reviews are compared with.
        whole: the run has all targets of the configuration.
        configured: the names of these targets.
    """

    fail_on: str = "fail"
    on_unknown: str = "fail"
    waivers: Sequence[Waiver] = ()
    baseline: EarlierReport | None = None
    today: dt.date = field(default_factory=lambda: dt.datetime.now(dt.UTC).date())
    whole: bool = False
    configured: Collection[str] = ()
    _waivers: Waivers = field(init=False)
    _failed: bool = False
    _blind: bool = False
    _excused: int = 0
    # By what services require of the vantage: the first service that does.
    _required: dict[str, str] = field(default_factory=dict)
    # By service: its statement that it has no IPv6 on purpose, past its day of review.
    _overdue: dict[str, NoIPv6] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Index the waivers."""
        self._waivers = Waivers(self.waivers, self.today, self.configured)

    def apply(self, report: TargetReport) -> TargetReport:
        """The report with what excuses its results, and the verdict without these results."""
        if report.purpose is not None:
            return self._without_ipv6(report, report.purpose)
        report = report if self.baseline is None else self.baseline.known(report)
        results = self._waivers.apply(report) if self.waivers else report.results
        counting = [result for result in results if not result.excused]
        gating = verdict_of(counting, report.optional)
        warns = any(result.status is Status.WARN for result in counting)
        self._failed |= gating is Verdict.NOT_READY or (warns and self.fail_on == "warn")
        counts_unknown = self.on_unknown == "fail" or report.requires != "any"
        self._blind |= gating is Verdict.UNKNOWN and counts_unknown
        self._excused += sum(result.excused and result.status in WAIVABLE for result in results)
        if report.requires != "any":
            self._required.setdefault(report.requires, report.service)
        return replace(report, results=tuple(results), gating=gating)

    def conclude(self, summary: Summary, vantage: Vantage) -> Summary:
        """The summary with the gate's outcome, the number of excused findings and the notes."""
        unmet = [*self._unmet(vantage)]
        nothing = not summary.verdicts and not summary.on_purpose
        # --on-unknown is about targets that were checked, not about those that were not.
        partial = summary.interrupted or summary.bad_lines > 0
        blind = partial or self._blind or unmet or (nothing and self.on_unknown == "fail")
        notes = (
            *unmet,
            *self._overdue_notes(),
            *self._waivers.notes(whole=self.whole and not summary.interrupted),
        )
        outcome = GateOutcome.UNKNOWN if blind else GateOutcome.PASSED
        outcome = GateOutcome.FAILED if self._failed else outcome
        return replace(summary, gate=outcome, excused=self._excused, notes=notes)

    def _without_ipv6(self, report: TargetReport, purpose: NoIPv6) -> TargetReport:
        """A target without IPv6 on purpose: ready for the gate, degraded once it is overdue."""
        if self.today <= purpose.review:
            return replace(report, gating=Verdict.READY)
        self._failed |= self.fail_on == "warn"
        self._overdue.setdefault(report.service, purpose)
        return replace(report, gating=Verdict.DEGRADED)

    def _unmet(self, vantage: Vantage) -> Iterable[Note]:
        """A note for each requirement of services that this vantage does not meet."""
        for requires, service in self._required.items():
            lacks = [] if vantage.ipv6 == "yes" else ["IPv6"]
            if requires == "dual-stack" and vantage.ipv4 != "yes":
                lacks.append("IPv4")
            if lacks:
                names = " and ".join(lacks)
                yield Note(f"service {service} must be checked from a host with {names}")

    def _overdue_notes(self) -> Iterable[Note]:
        for service, purpose in self._overdue.items():
            statement = f'service {service} has no IPv6 on purpose ("{purpose.reason}")'
            yield Note(f"{statement}: its review was due on {purpose.review}")
