"""Where checks run: in a thread of their own, which a check that blocks loses for good.

The event loop measures time, so nothing that may block runs in it. One thread serves all targets;
a check that does not return in time is called an error, is not run again, and another thread takes
over what was waiting behind it.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ipv6check.engine.checks.api import Check
from ipv6check.engine.defects import broken, crash
from ipv6check.model import (
    VANTAGE_KINDS,
    Cause,
    Failure,
    Finding,
    Findings,
    Kind,
    Status,
    skip,
    unknown,
)

_MORE_TIME = "give it more time: --deadline for a target, --run-deadline for the run"
_LOOK_S = 0.1
# What a check may still take once the run is to end.
_LAST_S = 0.2


@dataclass(slots=True)
class _Job:
    """The checks of one target, what they are to judge, and what was found so far."""

    checks: Sequence[Check]
    facts: Mapping[str, Any]
    done: asyncio.Future[list[Findings]]
    findings: list[Findings] = field(default_factory=list)


class _Worker(threading.Thread):
    """One judging thread, until it is abandoned."""

    def __init__(self, jobs: queue.SimpleQueue[_Job | None], blocked: set[str]) -> None:
        super().__init__(name="checks", daemon=True)
        self.jobs = jobs
        self.blocked = blocked
        self.job: _Job | None = None
        self.check: Check | None = None
        self.since = 0.0
        self.abandoned = False
        self.judged: list[_Job] = []
        # Held while one check's end and the next one's beginning are written down, and while the
        # loop decides whether one of them blocks.
        self.lock = threading.Lock()

    def run(self) -> None:
        """Judge what waits, and tell the loop once of all that is judged by then."""
        while (job := self.jobs.get()) is not None:
            self.job = job
            self._serve(job)
            if self.abandoned:
                break
            self.judged.append(job)
            if self.jobs.empty():
                job.done.get_loop().call_soon_threadsafe(_finish, self.judged)
                self.judged = []

    def _serve(self, job: _Job) -> None:
        while len(job.findings) < len(job.checks):
            check = job.checks[len(job.findings)]
            with self.lock:
                self.since, self.check = time.monotonic(), check
            found = (_gave_up(check),) if check.id in self.blocked else judge(check, job.facts)
            with self.lock:
                if self.abandoned:
                    return
                self.check = None
                job.findings.append(found)


def _finish(judged: list[_Job]) -> None:
    for job in judged:
        if not job.done.done():
            job.done.set_result(job.findings)


class CheckThread:
    """Judges targets one after another, away from the event loop; begins with the first one.

    ``deadline_s``: how long one check may take.
    """

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._blocked: set[str] = set()
        self._worker: _Worker | None = None
        self._watch: asyncio.TimerHandle | None = None

    async def findings(self, checks: Sequence[Check], facts: Mapping[str, Any]) -> list[Findings]:
        """What each check finds, in their order. Raises nothing: a crash is a finding."""
        if self._worker is None:
            self._worker = self._open_worker()
            self._watch = asyncio.get_running_loop().call_later(_LOOK_S, self._look, self._worker)
        job = _Job(checks, facts, asyncio.get_running_loop().create_future())
        self._jobs.put(job)
        return await job.done

    def hurry(self) -> None:
        """The run is to end: wait no longer for a check that blocks."""
        self._deadline_s = min(self._deadline_s, _LAST_S)

    def close(self) -> None:
        """Let the thread end."""
        if self._watch is not None:
            self._watch.cancel()
        self._jobs.put(None)

    def _open_worker(self) -> _Worker:
        worker = _Worker(self._jobs, self._blocked)
        worker.start()
        return worker

    def _look(self, worker: _Worker) -> None:
        """Replace the thread when a check has kept it for too long."""
        if self._blocks(worker):
            self._worker = worker = self._open_worker()
        self._watch = asyncio.get_running_loop().call_later(_LOOK_S, self._look, worker)

    def _blocks(self, worker: _Worker) -> bool:
        """Whether a check has kept the thread for too long; what waits is then for another one."""
        # What is judged must not wait for the check that follows.
        _finish(list(worker.judged))
        with worker.lock:
            check, job = worker.check, worker.job
            late = time.monotonic() - worker.since >= self._deadline_s
            if check is None or job is None or not late:
                return False
            worker.abandoned = True
        self._blocked.add(check.id)
        job.findings.append((_gave_up(check),))
        waiting, self._jobs = self._jobs, queue.SimpleQueue()
        self._jobs.put(job)
        while not waiting.empty():
            self._jobs.put(waiting.get())
        return True


def judge(check: Check, facts: Mapping[str, Any]) -> Findings:
    """What one check finds in these facts. Missing input and crashes are findings too."""
    failure = missing_input(check, facts)
    if failure is not None:
        return (skipped_for(failure),)
    try:
        found = check.judge(**{wanted.name: facts[wanted.name] for wanted in check.inputs})
    except BaseException as error:  # noqa: BLE001 - it is a result, the run goes on
        return (crash(error, check.id),)
    findings = (found,) if isinstance(found, Finding) else found
    if not isinstance(findings, Sequence) or not findings:
        return (broken(f"{check.id} returned {type(found).__name__}, not a Finding or a list"),)
    if not all(isinstance(finding, Finding) for finding in findings):
        return (broken(f"{check.id} returned a list of something else than Findings"),)
    sound = tuple(_admitting(check, finding, facts) for finding in findings)
    return (*sound, *_undeclared(check, findings))


def _admitting(check: Check, finding: Finding, facts: Mapping[str, Any]) -> Finding:
    """The finding; where it cannot look because a probe crashed, that is our defect."""
    if finding.status not in {Status.SKIP, Status.UNKNOWN}:
        return finding
    inputs = (facts[wanted.name] for wanted in check.inputs)
    crashed = (fact for fact in inputs if isinstance(fact, Failure) and fact.kind is Kind.CRASH)
    why = next((failure for failure in crashed if failure.detail in finding.message), None)
    return finding if why is None else skipped_for(why)


def _undeclared(check: Check, findings: Sequence[Finding]) -> Findings:
    """A defect for what a check found and does not explain. What it found is true all the same."""
    if not check.findings:
        return ()
    known = {explained.id: explained for explained in check.findings}
    strange = dict.fromkeys(
        f'"{finding.id}" ({finding.status})'
        for finding in findings
        if finding.id not in known or finding.status not in known[finding.id].statuses
    )
    return tuple(
        broken(f"{check.id} found {finding}, which it does not explain") for finding in strange
    )


def missing_input(check: Check, facts: Mapping[str, Any]) -> Failure | None:
    """Why the check cannot judge these facts, if so. Without a record nothing can be said.

    A program is not to guess what a crash of ours means.
    """
    for wanted in check.inputs:
        fact = facts[wanted.name]
        if isinstance(fact, Failure) and (not wanted.admits_failure or _says_nothing(check, fact)):
            return fact
    return None


def _says_nothing(check: Check, failure: Failure) -> bool:
    return failure.kind is Kind.NOT_RECORDED or (failure.kind is Kind.CRASH and check.executable)


def skipped_for(failure: Failure) -> Finding:
    """What becomes of a check whose input is missing: the root cause is told once, elsewhere."""
    if failure.kind is Kind.CRASH:
        return broken(failure.detail)
    if failure.kind in VANTAGE_KINDS:
        hint = _MORE_TIME if failure.kind is Kind.DEADLINE else ""
        return unknown(failure.detail, hint=hint, cause=failure.cause or Cause.VANTAGE)
    return skip(failure.detail)


def _gave_up(check: Check) -> Finding:
    return broken(f"{check.id} blocks: it did not return in time and is not run again")
