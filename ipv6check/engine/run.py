"""Plan and targets in, reports out: the only module with tasks, limits and deadlines."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterable, Awaitable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

from ipv6check.config.target import Target
from ipv6check.engine import causes, coverage, measured, purpose, retries
from ipv6check.engine.checks import program as external
from ipv6check.engine.checks.loader import GIVEN, Check, Plan
from ipv6check.engine.checks.worker import Judge, lacking, unmet
from ipv6check.engine.observe import Course, Observation, Recorded, course, recalled
from ipv6check.model import (
    Cause,
    Failure,
    Finding,
    Findings,
    Kind,
    NoIPv6,
    Observed,
    Result,
    Settings,
    Status,
    Summary,
    TargetReport,
    Verdict,
    verdict_of,
    worst,
)
from ipv6check.model.settings import SPREAD, pauses_s
from ipv6check.model.text import printable
from ipv6check.net import Net, own_time
from ipv6check.net.loop_lag import AdmissionByLag
from ipv6check.net.own_time import OwnTime
from ipv6check.probes.addresses import DNS64, Addresses
from ipv6check.probes.pointers import Pointers


class Emit(Protocol):
    """Where finished targets go. ``number`` counts targets in the order named, from 0."""

    def __call__(self, number: int, report: TargetReport, /) -> Awaitable[None]:
        """Take one report; may wait, and so hold the run back."""
        ...


class Watch(Protocol):
    """Who looks on while targets are observed."""

    def started(self, target: str) -> None:
        """A target's first packet is about to leave."""
        ...

    def waiting(self, target: str, probes: Sequence[str]) -> None:
        """These probes of the target have not come back yet."""
        ...

    def done(self, report: TargetReport) -> None:
        """A target is done."""
        ...


@dataclass(frozen=True)
class Assignment:
    """What is done with the targets of one service, and whose it is.

    ``requires``: what the vantage must have for the verdict to count, any, ipv6 or dual-stack.
    """

    plan: Plan
    settings: Settings
    owner: str = ""
    requires: str = "any"
    no_ipv6: NoIPv6 | None = None

    @cached_property
    def course(self) -> Course:
        """Which of its probes comes after which."""
        return course(self.plan.probes)

    @cached_property
    def recollection(self) -> Course:
        """The course of what is computed from recorded facts."""
        return course([probe for probe in self.plan.probes if probe.pure])

    @cached_property
    def sights(self) -> coverage.Sights:
        """What its checks look at."""
        return coverage.Sights(self.plan)

    @cached_property
    def measuring(self) -> frozenset[str]:
        """The checks a pass of which shows by itself that IPv6 works."""
        return frozenset(check.id for check in self.plan.checks if check.measures)

    @cached_property
    def asking_names(self) -> frozenset[str]:
        """The checks that the user names and that need nothing but answers of the DNS."""
        named = (check for check in self.plan.checks if check.id in self.settings.only)
        return frozenset(
            check.id for check in named if {*_inputs(check)} <= {"addresses", "pointers"}
        )

    @cached_property
    def pure(self) -> list[Check]:
        """The checks that are functions."""
        return [check for check in self.plan.checks if not check.executable]

    @cached_property
    def external(self) -> list[Check]:
        """The checks that are programs."""
        return [check for check in self.plan.checks if check.executable]


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt at a target: what was observed, and what the checks made of it."""

    observed: Observed
    results: list[Result]


class Run:
    """One run. ``stop()`` ends it early: what is known is still reported.

    ``assignments`` are by the name of the service; "" is for targets of none, and says how the run
    as a whole goes. ``net`` is None where every target was recorded. ``keep``: a report holds what
    was observed.
    """

    def __init__(
        self,
        assignments: Mapping[str, Assignment],
        net: Net | None,
        emit: Emit,
        watch: Watch,
        *,
        keep: bool = False,
    ) -> None:
        self._assignments = assignments
        self._settings = assignments[""].settings
        self._net = net
        self._emit = emit
        self._watch = watch
        self._judge = Judge(self._settings.timeout_s)
        self._observing: set[Observation] = set()
        self._programs: set[asyncio.Task[Findings]] = set()
        self._keep = keep
        self._ended: Failure | None = None
        self._over = asyncio.Event()
        self._counts: Counter[Status] = Counter()
        self._verdicts: Counter[Verdict] = Counter()
        self._on_purpose = 0
        self._blind = False

    async def run(self, targets: AsyncIterable[Target | Recorded]) -> Summary:
        """Observe and judge each target, so many at once; what was recorded is judged again."""
        started = time.perf_counter()
        numbered = _Numbered(targets)
        alarm = self._set_alarm()
        admission = AdmissionByLag()
        try:
            async with asyncio.TaskGroup() as workers:
                more = self._settings.parallel - 1
                workers.create_task(self._work(numbered, workers, admission, more))
        finally:
            if alarm is not None:
                alarm.cancel()
            self._judge.close()
            admission.close()
        return Summary(
            verdict=worst(self._verdicts),
            counts={status: self._counts[status] for status in Status},
            verdicts=dict(self._verdicts),
            duration_ms=(time.perf_counter() - started) * 1000,
            interrupted=self._ended is not None and self._ended.kind is Kind.INTERRUPTED,
            blind=self._blind,
            on_purpose=self._on_purpose,
        )

    def stop(self) -> None:
        """Stop observing; every target that is known by now still gets its report."""
        self._end(Failure(Kind.INTERRUPTED, "interrupted before it was measured"))

    def _end(self, why: Failure) -> None:
        self._ended = self._ended or why
        self._over.set()
        self._judge.hurry()
        for observation in list(self._observing):
            observation.end(why)
        for program in self._programs:
            program.cancel()

    def _set_alarm(self) -> asyncio.TimerHandle | None:
        limit = self._settings.run_deadline_s
        if limit is None:
            return None
        late = Failure(Kind.DEADLINE, f"not measured within the run's {limit:g} s")
        return asyncio.get_running_loop().call_later(limit, self._end, late)

    async def _work(
        self, targets: _Numbered, workers: asyncio.TaskGroup, admission: AdmissionByLag, more: int
    ) -> None:
        """Take targets until there are none; the first one taken calls the next worker.

        What is to be measured begins while the loop is in time.
        """
        async for number, target in targets:
            if more:
                workers.create_task(self._work(targets, workers, admission, more - 1))
                more = 0
            if isinstance(target, Target) and self._ended is None:
                await admission.enter()
            report = await self._examine(target)
            self._counts.update(result.status for result in report.results)
            if report.purpose is None:
                self._verdicts[report.verdict] += 1
            else:
                self._on_purpose += 1
            self._blind |= any(result.cause is Cause.VANTAGE for result in report.results)
            self._watch.done(report)
            await self._emit(number, report)

    async def _examine(self, named: Target | Recorded) -> TargetReport:
        started = time.perf_counter()
        recorded = named if isinstance(named, Recorded) else None
        target = named.target if isinstance(named, Recorded) else named
        self._watch.started(target.text)
        assigned = self._assignments[target.service]
        settings = assigned.settings
        if recorded is None:
            attempts = await self._try(target, assigned)
            duration_ms = (time.perf_counter() - started) * 1000
        else:
            attempts = [await self._recall(target, assigned, each) for each in recorded.attempts]
            duration_ms = recorded.duration_ms
        results = retries.best([each.results for each in attempts])
        facts = [each.observed.facts for each in attempts]
        on_purpose = purpose.agreed(results, assigned.no_ipv6, settings.optional)
        if assigned.no_ipv6 is not None:
            published = any(_publishes(each.get("addresses")) for each in facts)
            results = purpose.told(
                results, assigned.no_ipv6, on_purpose=on_purpose, published=published
            )
        asked = any(_is_of_dns(each.get("addresses")) for each in facts)
        if not on_purpose:
            heard = asked or any(isinstance(each.get("pointers"), Pointers) for each in facts)
            measuring = assigned.measuring | (assigned.asking_names if heard else frozenset())
            line = measured.unmeasured(results, facts, settings.optional, measuring)
            results = [*results, *line]
        return TargetReport(
            target=printable(target.text),
            host=target.host,
            ports=settings.ports_for(target.ports),
            verdict=Verdict.UNKNOWN if on_purpose else verdict_of(results, settings.optional),
            duration_ms=duration_ms,
            results=tuple(results),
            service=target.service,
            owner=assigned.owner,
            place=target.place,
            requires=assigned.requires,
            optional=settings.optional,
            purpose=assigned.no_ipv6 if on_purpose else None,
            looked_at=assigned.sights.seen(results, asked=asked),
            not_looked_at=tuple(map(printable, coverage.not_looked_at(target))),
            text=target.text if self._keep else "",
            observed=tuple(each.observed for each in attempts) if self._keep else (),
        )

    async def _try(self, target: Target, assigned: Assignment) -> list[_Attempt]:
        """One attempt, and more for as long as there is hope, time and patience."""
        clock = own_time.begin(assigned.settings.deadline_s)
        attempts = [await self._attempt(target, assigned, clock)]
        for least_s in pauses_s(assigned.settings.retries):
            results = retries.best([each.results for each in attempts])
            if not retries.worth_another(results, attempts[-1].observed.facts):
                break
            pause_s = least_s * random.uniform(1, 1 + SPREAD)  # noqa: S311 - spreads load
            if pause_s >= clock.left_s or await self._ends_within(pause_s):
                break
            clock.renew()
            attempts.append(await self._attempt(target, assigned, clock))
        return attempts

    async def _ends_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()
        return self._over.is_set()

    async def _attempt(self, target: Target, assigned: Assignment, clock: OwnTime) -> _Attempt:
        """Observe the target and judge what was seen."""
        given = {"target": target, "settings": assigned.settings, "net": self._net}
        course = assigned.course
        observation = await self._observe(target, given, course, assigned.settings, clock)
        asked = sorted(probe.name for probe in course.probes if not probe.pure)
        facts = {name: observation.facts[name] for name in asked}
        observed = Observed(facts, observation.known_ms)
        return await self._judged(target, assigned, observation.facts, observed)

    async def _recall(self, target: Target, assigned: Assignment, observed: Observed) -> _Attempt:
        """Judge what was seen once. No packet is sent: what was not recorded is not known."""
        settings = assigned.settings
        recorded = recalled(observed, assigned.plan.probes)
        given = {**recorded, "target": target, "settings": settings}
        clock = own_time.begin(settings.deadline_s)
        course = assigned.recollection
        observation = await self._observe(target, given, course, settings, clock)
        return await self._judged(target, assigned, observation.facts, observed)

    async def _judged(
        self, target: Target, assigned: Assignment, facts: Mapping[str, Any], observed: Observed
    ) -> _Attempt:
        findings = await self._find(target, assigned, facts)
        results = [
            _result(check, finding, assigned.settings, _duration(check, observed.known_ms))
            for check, found in zip(assigned.plan.checks, findings, strict=True)
            for finding in found
        ]
        return _Attempt(observed, results)

    async def _observe(
        self,
        target: Target,
        given: Mapping[str, Any],
        course: Course,
        settings: Settings,
        clock: OwnTime,
    ) -> Observation:
        """Every fact of the course, or why it is not known."""
        observation = Observation(course, given, self._settings.timeout_s)
        if self._ended is not None:
            observation.end(self._ended)
        observation.changed = partial(self._watch.waiting, target.text)
        self._observing.add(observation)
        try:
            late = Failure(
                Kind.DEADLINE, f"not measured within the target's {settings.deadline_s:g} s"
            )
            await observation.finish(clock, late)
        finally:
            self._observing.remove(observation)
        return observation

    async def _find(
        self, target: Target, assigned: Assignment, facts: Mapping[str, Any]
    ) -> list[Findings]:
        found = await self._judge.findings(assigned.pure, facts)
        if roots := assigned.plan.roots:
            judged_too = await self._judge.findings(roots, facts)
            roots_found = zip(roots, judged_too, strict=True)
            found = causes.told(assigned.pure, found, roots_found, assigned.settings.optional)
        if not assigned.external:
            return found
        programs = assigned.external
        said = await asyncio.gather(*(self._ask(check, target, facts) for check in programs))
        names = [check.id for check in (*assigned.pure, *programs)]
        judged = dict(zip(names, (*found, *said), strict=True))
        return [judged[check.id] for check in assigned.plan.checks]

    async def _ask(self, check: Check, target: Target, facts: Mapping[str, Any]) -> Findings:
        """What a check that is a program says, unless the run ends before."""
        cannot = self._ended or lacking(check, facts)
        if cannot is not None:
            return (unmet(cannot),)
        asking = external.ask(check, target, facts, self._settings.timeout_s)
        program = asyncio.get_running_loop().create_task(asking)
        self._programs.add(program)
        try:
            await asyncio.wait((program,))
            ended = self._ended if program.cancelled() else None
            return program.result() if ended is None else (unmet(ended),)
        finally:
            self._programs.remove(program)


class _Numbered:
    """Hands each target to one of the workers, with its place in the order named."""

    def __init__(self, targets: AsyncIterable[Target | Recorded]) -> None:
        self._targets = aiter(targets)
        self._lock = asyncio.Lock()
        self._number = -1
        self._empty = False

    def __aiter__(self) -> _Numbered:
        return self

    async def __anext__(self) -> tuple[int, Target | Recorded]:
        async with self._lock:
            if self._empty:
                raise StopAsyncIteration
            try:
                target = await anext(self._targets)
            except StopAsyncIteration:
                self._empty = True
                raise
            self._number += 1
            return self._number, target


def _inputs(check: Check) -> Iterator[str]:
    """The probes that a check needs."""
    return (wanted.name for wanted in check.inputs if wanted.name not in GIVEN)


def _is_of_dns(fact: Any) -> bool:
    return isinstance(fact, Addresses) and fact.origin == "dns"


def _publishes(fact: Any) -> bool:
    """Whether the name has an AAAA record of its own."""
    if not isinstance(fact, Addresses):
        return False
    return bool(fact.ipv6) or any(each.reason.name != DNS64 for each in fact.unusable)


def _result(check: Check, finding: Finding, settings: Settings, duration_ms: float) -> Result:
    """The only place where a Finding becomes a Result: graded, and made harmless (law 8)."""
    status = settings.profile.grade(check.id, finding.status)
    said = status not in {Status.PASS, Status.SKIP}
    return Result(
        check=check.id,
        status=status,
        message=printable(finding.message),
        hint=printable(finding.hint),
        subject=printable(finding.subject),
        cause=(finding.cause or check.cause) if said else None,
        evidence=finding.evidence,
        reference=check.reference,
        duration_ms=duration_ms,
        finding=printable(finding.id),
    )


def _duration(check: Check, finished: Mapping[str, float]) -> float:
    """How long what this check judges took to observe."""
    return max((finished.get(wanted.name, 0.0) for wanted in check.inputs), default=0.0)
