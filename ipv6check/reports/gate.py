"""What a run means to whoever waits for it: waivers, a baseline and thresholds.

Statuses and verdicts say what is, and stay as they are. The gate only decides what is let pass.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import translate
from typing import Protocol

from ipv6check.model import (
    GateOutcome,
    NoIPv6,
    Note,
    Result,
    Status,
    Summary,
    TargetReport,
    Vantage,
    Verdict,
    Waived,
    Waiver,
    WaiverState,
    verdict_of,
)
from ipv6check.model.text import count

# How long before its last day a waiver says that it is about to end.
NOTICE_DAYS = 14
# Waivers that one note names.
MOST_NAMED = 5
# What a waiver can excuse. What could not be measured is no finding of the target's.
WAIVABLE = frozenset({Status.FAIL, Status.WARN})
UNMEASURED = frozenset({Status.UNKNOWN, Status.ERROR})


class Baseline(Protocol):
    """What was so before."""

    def known(self, report: TargetReport, /) -> TargetReport:
        """The report, its results marked ``known`` that are no worse than they were."""
        ...


@dataclass(slots=True)
class _Use:
    """What became of one waiver in this run: how many targets it names, what it spoke of.

    ``ran``: its check was part of the run on some target. ``unsure``: there it was skipped or could
    not measure, which may well have hidden what is waived.
    """

    targets: int = 0
    findings: int = 0
    ran: bool = False
    unsure: bool = False
    outlived: bool = False


@dataclass(slots=True)
class Gatekeeper:
    """Looks at each target of a run, then says whether the run passes.

    ``whole``: the run is over all targets of the configuration, so that a waiver for none of them
    is one that nobody needs. ``configured``: the names of those targets.
    """

    fail_on: str = "fail"
    on_unknown: str = "fail"
    waivers: Sequence[Waiver] = ()
    baseline: Baseline | None = None
    today: dt.date = field(default_factory=lambda: dt.datetime.now(dt.UTC).date())
    whole: bool = False
    configured: Collection[str] = ()
    _uses: dict[int, _Use] = field(default_factory=dict)
    _failed: bool = False
    _blind: bool = False
    _excused: int = 0
    # What services require of the vantage, and the name of the first one that does.
    _required: dict[str, str] = field(default_factory=dict)
    # By service: that it has no IPv6 on purpose, past the day of the next look.
    _overdue: dict[str, NoIPv6] = field(default_factory=dict)
    # The numbers of the waivers by what they are for: most name one target, and many may there be.
    _by_name: dict[str, list[int]] = field(default_factory=dict)
    _by_glob: list[tuple[int, re.Pattern[str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Put the waivers where they are found."""
        for number, waiver in enumerate(self.waivers):
            name = waiver.target.lower()
            if {*name} & {*"*?"}:
                self._by_glob.append((number, _glob(name)))
            else:
                self._by_name.setdefault(name, []).append(number)

    def applied(self, report: TargetReport) -> TargetReport:
        """The report with what is agreed on its results, and what is left of its verdict."""
        if report.purpose is not None:
            return self._agreed(report, report.purpose)
        told = report if self.baseline is None else self.baseline.known(report)
        results = self._waive(told) if self.waivers else told.results
        counting = [each for each in results if not each.excused]
        gating = verdict_of(counting, report.optional)
        warned = self.fail_on == "warn" and any(each.status is Status.WARN for each in counting)
        self._failed |= warned or gating is Verdict.NOT_READY
        self._blind |= gating is Verdict.UNKNOWN and self._counts_as_blind(report.requires)
        self._excused += sum(each.excused and each.status in WAIVABLE for each in results)
        if report.requires != "any":
            self._required.setdefault(report.requires, report.service)
        return replace(told, results=tuple(results), gating=gating)

    def _agreed(self, report: TargetReport, purpose: NoIPv6) -> TargetReport:
        """A target that has no IPv6 on purpose stops nobody; once it is overdue, it warns."""
        if (self.today - purpose.review).days <= 0:
            return replace(report, gating=Verdict.READY)
        self._failed |= self.fail_on == "warn"
        self._overdue.setdefault(report.service, purpose)
        return replace(report, gating=Verdict.DEGRADED)

    def concluded(self, summary: Summary, vantage: Vantage) -> Summary:
        """The summary with the gate's word on the whole run."""
        missing = [*self._missing(vantage)]
        nothing = not summary.verdicts and not summary.on_purpose
        # What was not even begun is not for --on-unknown to let pass.
        partial = summary.interrupted or summary.bad_lines > 0
        blind = partial or self._blind or missing or (nothing and self.on_unknown == "fail")
        gate = (
            GateOutcome.FAILED
            if self._failed
            else GateOutcome.UNKNOWN
            if blind
            else GateOutcome.PASSED
        )
        notes = (
            *missing,
            *self._overdue_notes(),
            *self._waiver_notes(whole=self.whole and not summary.interrupted),
        )
        return replace(summary, gate=gate, excused=self._excused, notes=notes)

    def _counts_as_blind(self, requires: str) -> bool:
        return self.on_unknown == "fail" or requires != "any"

    def _missing(self, vantage: Vantage) -> Iterable[Note]:
        """What services require of this vantage, and it does not have."""
        for requires, service in self._required.items():
            lacks = [] if vantage.ipv6 == "yes" else ["IPv6"]
            if requires == "dual-stack" and vantage.ipv4 != "yes":
                lacks.append("IPv4")
            if lacks:
                names = " and ".join(lacks)
                yield Note(f"service {service} has to be checked from a host with {names}")

    def _overdue_notes(self) -> Iterable[Note]:
        for service, purpose in self._overdue.items():
            told = f'service {service} has no IPv6 on purpose ("{purpose.reason}")'
            yield Note(f"{told}, which was to be looked at again on {purpose.review}")

    # --- waivers -----------------------------------------------------------------------------

    def _waive(self, report: TargetReport) -> list[Result]:
        names = {report.target.lower(), report.host}
        numbers = {number for name in names for number in self._by_name.get(name, ())}
        numbers |= {number for number, glob in self._by_glob if any(map(glob.match, names))}
        meant = [(number, self.waivers[number]) for number in sorted(numbers)]
        for number, waiver in meant:
            use = self._uses.setdefault(number, _Use())
            use.targets += 1
            found = {each.status for each in report.results if each.check == waiver.check}
            use.ran |= bool(found)
            use.unsure |= found <= {Status.SKIP} or bool(found & UNMEASURED)
        return [self._waived(result, meant) for result in report.results]

    def _waived(self, result: Result, meant: Sequence[tuple[int, Waiver]]) -> Result:
        """The result with the waiver that lasts longest of those that speak of it."""
        speaking = [(n, each) for n, each in meant if _speaks_of(each, result)]
        if not speaking or result.status not in WAIVABLE:
            return result
        number, longest = max(speaking, key=lambda pair: pair[1].expires)
        self._uses[number].findings += 1
        for other in {n for n, _ in speaking} - {number}:
            self._uses[other].outlived = True
        days_left = (longest.expires - self.today).days
        return replace(result, waived=Waived(longest, _term(days_left), days_left))

    def _waiver_notes(self, *, whole: bool) -> Iterable[Note]:
        left_out, strangers = list[Waiver](), list[Waiver]()
        for number, waiver in enumerate(self.waivers):
            use = self._uses.get(number, _Use())
            told = self._of_use(waiver, use, whole=whole)
            if told:
                name = f"the waiver of {waiver.check} for {waiver.target} ({waiver.owner})"
                yield Note(f"{name} {told}", waiver.place)
            elif use.targets and not use.ran:
                left_out.append(waiver)
            elif not use.targets and not self._is_elsewhere(waiver):
                strangers.append(waiver)
        yield from _together(left_out, "whose check is not part of this run")
        yield from _together(strangers, "without a target in this run")

    def _is_elsewhere(self, waiver: Waiver) -> bool:
        """Whether it is for a target of the configuration that this run leaves out."""
        glob = _glob(waiver.target.lower())
        return any(glob.match(name) for name in self.configured)

    def _of_use(self, waiver: Waiver, use: _Use, *, whole: bool) -> str:
        days_left = (waiver.expires - self.today).days
        if use.findings and days_left < 0:
            return f"expired on {waiver.expires}: what it excused counts again"
        if use.findings and days_left <= NOTICE_DAYS:
            left = "today" if days_left == 0 else f"in {count(days_left, 'day', 'days')}"
            return f"expires {left}, on {waiver.expires}: fix the fault, or set a later day"
        if use.findings or use.unsure:
            return ""
        if use.outlived:
            return "is outlived by another one for the same: remove it"
        if use.targets:
            mend = ", or correct its subject" if waiver.subject else ""
            return f"matches nothing that is wrong: remove it{mend}"
        return "matches no target: remove it, or correct its target" if whole else ""


def _glob(name: str) -> re.Pattern[str]:
    # Brackets are those of an address.
    return re.compile(translate(name.replace("[", "[[]")))


def _together(waivers: Sequence[Waiver], what: str) -> Iterable[Note]:
    """One note for all waivers that touch nothing of the run, for the same reason."""
    if not waivers:
        return
    named = [f"{each.check} for {each.target}" for each in waivers[:MOST_NAMED]]
    more = len(waivers) - len(named)
    names = ", ".join(named) + (f", and {more} more" if more else "")
    waived = count(len(waivers), "waiver", "waivers")
    yield Note(f"{waived} {what}: {names}", waivers[0].place if len(waivers) == 1 else None)


def _term(days_left: int) -> WaiverState:
    if days_left < 0:
        return WaiverState.EXPIRED
    return WaiverState.EXPIRING if days_left <= NOTICE_DAYS else WaiverState.ACTIVE


def _speaks_of(waiver: Waiver, result: Result) -> bool:
    return waiver.check == result.check and waiver.subject in {"", result.subject}
