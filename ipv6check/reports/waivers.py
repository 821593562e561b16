"""Waivers in a run: which finding each one excuses, and which of them need attention."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import translate

from ipv6check.model import Note, Result, Status, TargetReport, Waived, Waiver, WaiverState
from ipv6check.model.text import count

# How long before its last day a waiver is reported as about to expire.
NOTICE_DAYS = 14
# Waivers that one note names.
MOST_NAMED = 5
# What a waiver can excuse: what could not be measured is no finding about the target.
WAIVABLE = frozenset({Status.FAIL, Status.WARN})
UNMEASURED = frozenset({Status.UNKNOWN, Status.ERROR})


@dataclass(slots=True)
class _Use:
    """The use of one waiver in a run.

    Attributes:
        targets: how many targets it matched.
        findings: how many findings it excused, or would have before it expired.
        ran: its check ran for some of these targets.
        unsure: the check was skipped or could not measure there, which may hide the finding.
        outlived: another waiver for the same finding expires later.
    """

    targets: int = 0
    findings: int = 0
    ran: bool = False
    unsure: bool = False
    outlived: bool = False


class Waivers:
    """The waivers of the configuration, applied to each target of a run."""

    def __init__(
        self, waivers: Sequence[Waiver], today: dt.date, configured: Collection[str] = ()
    ) -> None:
        """Index the waivers. ``configured``: the names of all targets of the configuration."""
        self._waivers = waivers
        self._today = today
        self._configured = configured
        self._uses = [_Use() for _ in waivers]
        # Numbers of waivers by target: most name a single one, and there may be many.
        self._by_name: dict[str, list[int]] = {}
        self._by_pattern: list[tuple[int, re.Pattern[str]]] = []
        for number, waiver in enumerate(waivers):
            name = waiver.target.lower()
            if "*" in name or "?" in name:
                self._by_pattern.append((number, _pattern(name)))
            else:
                self._by_name.setdefault(name, []).append(number)

    def apply(self, report: TargetReport) -> list[Result]:
        """The results of a target, each with the waiver that covers it, if any."""
        matching = self._matching({report.target.lower(), report.host})
        for number in matching:
            use = self._uses[number]
            check = self._waivers[number].check
            statuses = {result.status for result in report.results if result.check == check}
            use.targets += 1
            use.ran |= bool(statuses)
            use.unsure |= statuses <= {Status.SKIP} or bool(statuses & UNMEASURED)
        return [self._waived(result, matching) for result in report.results]

    def notes(self, *, whole: bool) -> Iterator[Note]:
        """What to do about waivers that expire, match nothing or were not needed.

        ``whole``: the run had all targets of the configuration, so that a waiver that matches none
        of them is obsolete.
        """
        unused, unmatched = list[Waiver](), list[Waiver]()
        for waiver, use in zip(self._waivers, self._uses, strict=True):
            if problem := self._problem(waiver, use, whole=whole):
                name = f"the waiver of {waiver.check} for {waiver.target} ({waiver.owner})"
                yield Note(f"{name} {problem}", waiver.place)
            elif use.targets and not use.ran:
                unused.append(waiver)
            elif not use.targets and not self._is_elsewhere(waiver):
                unmatched.append(waiver)
        yield from _joint_note(unused, "for checks not in this run")
        yield from _joint_note(unmatched, "for targets not in this run")

    def _matching(self, names: set[str]) -> list[int]:
        numbers = {number for name in names for number in self._by_name.get(name, ())}
        numbers |= {number for number, glob in self._by_pattern if any(map(glob.match, names))}
        return sorted(numbers)

    def _waived(self, result: Result, matching: Sequence[int]) -> Result:
        """The result with the waiver that expires last of those that cover it."""
        covering = [number for number in matching if _covers(self._waivers[number], result)]
        if not covering or result.status not in WAIVABLE:
            return result
        latest = max(covering, key=lambda number: self._waivers[number].expires)
        self._uses[latest].findings += 1
        for number in covering:
            self._uses[number].outlived |= number != latest
        waiver = self._waivers[latest]
        days_left = self._days_left(waiver)
        return replace(result, waived=Waived(waiver, _state(days_left), days_left))

    def _problem(self, waiver: Waiver, use: _Use, *, whole: bool) -> str:
        """What is wrong with a waiver and what to do, empty if nothing is."""
        days_left = self._days_left(waiver)
        remedy = "fix the fault or renew the waiver"
        if use.findings and days_left < 0:
            return f"expired on {waiver.expires} and excuses nothing: {remedy}"
        if use.findings and days_left <= NOTICE_DAYS:
            left = "today" if days_left == 0 else f"in {count(days_left, 'day', 'days')}"
            return f"expires {left}, on {waiver.expires}: {remedy}"
        if use.findings or use.unsure:
            return ""
        if use.outlived:
            return "is redundant, another one for the same finding expires later: remove it"
        if use.targets:
            correction = ", or correct its subject" if waiver.subject else ""
            return f"matches no finding: remove it{correction}"
        return "matches no target: remove it, or correct its target" if whole else ""

    def _is_elsewhere(self, waiver: Waiver) -> bool:
        """Whether it matches a configured target, which is not part of this run."""
        return any(map(_pattern(waiver.target.lower()).match, self._configured))

    def _days_left(self, waiver: Waiver) -> int:
        return (waiver.expires - self._today).days


def _pattern(name: str) -> re.Pattern[str]:
    # Brackets are those of an address.
    return re.compile(translate(name.replace("[", "[[]")))


def _covers(waiver: Waiver, result: Result) -> bool:
    return waiver.check == result.check and waiver.subject in {"", result.subject}


def _state(days_left: int) -> WaiverState:
    if days_left < 0:
        return WaiverState.EXPIRED
    return WaiverState.EXPIRING if days_left <= NOTICE_DAYS else WaiverState.ACTIVE


def _joint_note(waivers: Sequence[Waiver], reason: str) -> Iterator[Note]:
    """One note for all waivers that were not used for the same reason."""
    if not waivers:
        return
    names = [f"{waiver.check} for {waiver.target}" for waiver in waivers[:MOST_NAMED]]
    if more := len(waivers) - len(names):
        names.append(f"and {more} more")
    number = count(len(waivers), "waiver", "waivers")
    place = waivers[0].place if len(waivers) == 1 else None
    yield Note(f"{number} {reason}: {', '.join(names)}", place)
