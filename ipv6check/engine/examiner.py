"""One target at a time: observe it, judge what was seen, try again, and add it up to a report."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from ipv6check.config.target import Target
from ipv6check.engine import causes, coverage, measured, purpose, retries
from ipv6check.engine.checks import program
from ipv6check.engine.checks.api import Check
from ipv6check.engine.checks.worker import CheckThread, missing_input, skipped_for
from ipv6check.engine.observe import ProbeGraph, ProbeRun, RecordedTarget, recalled
from ipv6check.engine.plan import ServicePlan
from ipv6check.engine.results import result_of
from ipv6check.engine.watch import Watch
from ipv6check.model import (
    Failure,
    Findings,
    Kind,
    Observed,
    Result,
    Settings,
    TargetReport,
    Verdict,
    verdict_of,
)
from ipv6check.model.settings import SPREAD, pauses_s
from ipv6check.model.text import printable
from ipv6check.net import Net, own_time
from ipv6check.net.own_time import OwnTime
from ipv6check.probes.addresses import DNS64, Addresses
from ipv6check.probes.pointers import Pointers


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt at a target: what was observed, and what the checks made of it."""

    observed: Observed
    results: list[Result]


class Examiner:
    """Examines targets, many at once. ``end()`` ends all that is under way; it needs no loop yet.

    Attributes:
        ended: why what is not known by now stays unknown; None while nothing was ended.
    """

    def __init__(
        self, jobs: Mapping[str, ServicePlan], net: Net | None, watch: Watch, *, keep: bool
    ) -> None:
        self.ended: Failure | None = None
        self._jobs = jobs
        self._net = net
        self._watch = watch
        self._keep = keep
        self._timeout_s = jobs[""].settings.timeout_s
        self._checks = CheckThread(self._timeout_s)
        self._observing: set[ProbeRun] = set()
        self._programs: set[asyncio.Task[Findings]] = set()
        self._over = asyncio.Event()

    def end(self, why: Failure) -> None:
        """End every target: what is not known by now is ``why``, or what it was ended by before."""
        self.ended = self.ended or why
        self._over.set()
        self._checks.hurry()
        for observation in list(self._observing):
            observation.end(self.ended)
        for task in self._programs:
            task.cancel()

    def close(self) -> None:
        """Let the thread of the checks end."""
        self._checks.close()

    async def examine(self, given: Target | RecordedTarget) -> TargetReport:
        """Observe and judge a target; what was recorded is judged again, without a packet."""
        started = time.perf_counter()
        target = given.target if isinstance(given, RecordedTarget) else given
        self._watch.started(target.text)
        job = self._jobs[target.service]
        if isinstance(given, RecordedTarget):
            attempts = [await self._recall(target, job, attempt) for attempt in given.attempts]
            duration_ms = given.duration_ms
        else:
            attempts = await self._try(target, job)
            duration_ms = (time.perf_counter() - started) * 1000
        report = self._report(target, job, attempts, duration_ms)
        self._watch.done(report)
        return report

    def _report(
        self, target: Target, job: ServicePlan, attempts: Sequence[_Attempt], duration_ms: float
    ) -> TargetReport:
        """All that the attempts at a target add up to."""
        settings = job.settings
        results = retries.best([attempt.results for attempt in attempts])
        facts = [attempt.observed.facts for attempt in attempts]
        asked = any(_is_of_dns(known.get("addresses")) for known in facts)
        on_purpose = purpose.applies(results, job.no_ipv6, settings.optional)
        if job.no_ipv6 is not None:
            published = any(_publishes(known.get("addresses")) for known in facts)
            results = purpose.marked(
                results, job.no_ipv6, on_purpose=on_purpose, published=published
            )
        if not on_purpose:
            heard = asked or any(isinstance(known.get("pointers"), Pointers) for known in facts)
            measuring = job.measuring | (job.asking_names if heard else frozenset())
            unmeasured = measured.unmeasured(results, facts, settings.optional, measuring)
            results = [*results, *unmeasured]
        return TargetReport(
            target=printable(target.text),
            host=target.host,
            ports=settings.ports_for(target.ports),
            verdict=Verdict.UNKNOWN if on_purpose else verdict_of(results, settings.optional),
            duration_ms=duration_ms,
            results=tuple(results),
            service=target.service,
            owner=job.owner,
            place=target.place,
            requires=job.requires,
            optional=settings.optional,
            purpose=job.no_ipv6 if on_purpose else None,
            looked_at=job.coverage.looked_at(results, asked=asked),
            not_looked_at=tuple(map(printable, coverage.not_looked_at(target))),
            text=target.text if self._keep else "",
            observed=tuple(attempt.observed for attempt in attempts) if self._keep else (),
        )

    # --- attempts ----------------------------------------------------------------------------

    async def _try(self, target: Target, job: ServicePlan) -> list[_Attempt]:
        """One attempt, and more for as long as there is hope, time and patience."""
        clock = own_time.begin(job.settings.deadline_s)
        attempts = [await self._attempt(target, job, clock)]
        for least_s in pauses_s(job.settings.retries):
            results = retries.best([attempt.results for attempt in attempts])
            if not retries.worth_another(results, attempts[-1].observed.facts):
                break
            pause_s = least_s * random.uniform(1, 1 + SPREAD)  # noqa: S311 - spreads load
            if pause_s >= clock.left_s or await self._ends_within(pause_s):
                break
            clock.renew()
            attempts.append(await self._attempt(target, job, clock))
        return attempts

    async def _ends_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()
        return self._over.is_set()

    async def _attempt(self, target: Target, job: ServicePlan, clock: OwnTime) -> _Attempt:
        """Observe the target and judge what was seen."""
        given = {**job.given, "target": target, "net": self._net}
        known = await self._observe(target, given, job.graph, job.settings, clock)
        recordable = sorted(probe.name for probe in job.graph.probes if not probe.pure)
        observed = Observed({name: known.facts[name] for name in recordable}, known.known_ms)
        return await self._judged(target, job, known.facts, observed)

    async def _recall(self, target: Target, job: ServicePlan, observed: Observed) -> _Attempt:
        """Judge what was seen once. No packet is sent: what was not recorded is not known."""
        recorded = recalled(observed, job.plan.probes)
        given = {**recorded, **job.given, "target": target}
        clock = own_time.begin(job.settings.deadline_s)
        known = await self._observe(target, given, job.recorded_graph, job.settings, clock)
        return await self._judged(target, job, known.facts, observed)

    async def _observe(
        self,
        target: Target,
        given: Mapping[str, Any],
        graph: ProbeGraph,
        settings: Settings,
        clock: OwnTime,
    ) -> ProbeRun:
        """Every fact of the graph, or why it is not known."""
        waiting = partial(self._watch.waiting, target.text)
        observation = ProbeRun(graph, given, self._timeout_s, waiting)
        if self.ended is not None:
            observation.end(self.ended)
        self._observing.add(observation)
        try:
            late = Failure(
                Kind.DEADLINE, f"not measured within the target's {settings.deadline_s:g} s"
            )
            await observation.finish(clock, late)
        finally:
            self._observing.remove(observation)
        return observation

    # --- judgement ---------------------------------------------------------------------------

    async def _judged(
        self, target: Target, job: ServicePlan, facts: Mapping[str, Any], observed: Observed
    ) -> _Attempt:
        by_check = await self._findings(target, job, facts)
        results = [
            result_of(
                finding,
                check.id,
                cause=check.cause,
                version=check.version,
                reference=check.reference,
                status=job.settings.profile.grade(check.id, finding.status),
                duration_ms=_duration(check, observed.known_ms),
            )
            for check, findings in zip(job.plan.checks, by_check, strict=True)
            for finding in findings
        ]
        return _Attempt(observed, results)

    async def _findings(
        self, target: Target, job: ServicePlan, facts: Mapping[str, Any]
    ) -> list[Findings]:
        """What each check of the plan finds, in the plan's order."""
        findings = await self._checks.findings(job.functions, facts)
        if roots := job.plan.roots:
            of_roots = zip(roots, await self._checks.findings(roots, facts), strict=True)
            findings = causes.with_roots(job.functions, findings, of_roots, job.settings.optional)
        if not job.programs:
            return findings
        answers = await asyncio.gather(*(self._ask(check, target, facts) for check in job.programs))
        names = [check.id for check in (*job.functions, *job.programs)]
        by_check = dict(zip(names, (*findings, *answers), strict=True))
        return [by_check[check.id] for check in job.plan.checks]

    async def _ask(self, check: Check, target: Target, facts: Mapping[str, Any]) -> Findings:
        """What a check that is a program answers, unless the run ends before."""
        reason = self.ended or missing_input(check, facts)
        if reason is not None:
            return (skipped_for(reason),)
        asking = program.ask(check, target, facts, self._timeout_s)
        task = asyncio.get_running_loop().create_task(asking)
        self._programs.add(task)
        try:
            await asyncio.wait((task,))
            ended = self.ended if task.cancelled() else None
            return task.result() if ended is None else (skipped_for(ended),)
        finally:
            self._programs.remove(task)


def _is_of_dns(fact: Any) -> bool:
    """Whether these are addresses that the DNS was asked for."""
    return isinstance(fact, Addresses) and fact.origin == "dns"


def _publishes(fact: Any) -> bool:
    """Whether the name has an AAAA record of its own."""
    if not isinstance(fact, Addresses):
        return False
    return bool(fact.ipv6) or any(address.reason.name != DNS64 for address in fact.unusable)


def _duration(check: Check, known_ms: Mapping[str, float]) -> float:
    """How long what this check judges took to observe, in milliseconds."""
    return max((known_ms.get(wanted.name, 0.0) for wanted in check.inputs), default=0.0)
