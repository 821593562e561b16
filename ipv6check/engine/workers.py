"""One run over many targets: workers, deadline, stop and tally."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from dataclasses import dataclass, field

from ipv6check.config.target import Target
from ipv6check.engine.examiner import Examiner
from ipv6check.engine.observe import RecordedTarget
from ipv6check.engine.plan import ServicePlan
from ipv6check.engine.watch import Watch
from ipv6check.model import (
    Cause,
    Failure,
    Kind,
    Status,
    Summary,
    TargetReport,
    Verdict,
    worst,
)
from ipv6check.net import Net
from ipv6check.net.loop_lag import AdmissionByLag


class Run:
    """One run, for one ``async for`` over ``(number, report)``; then `summary` is of all of it.

    Reports come as their targets are done; ``number`` counts targets in the order named, from 0. A
    target is taken from the targets when a worker is free, and a worker is free again when its
    report was taken, so that a slow consumer holds the run back.
    """

    def __init__(
        self,
        jobs: Mapping[str, ServicePlan],
        targets: AsyncIterable[Target | RecordedTarget],
        net: Net | None,
        *,
        keep: bool = False,
        ahead: int | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._settings = jobs[""].settings
        self._targets = _Numbered(targets)
        self._ahead = ahead
        self._examiner = Examiner(jobs, net, watch or Watch(), keep=keep)
        self._finished: asyncio.Queue[_Finished | None] = asyncio.Queue()
        self._unfinished: set[int] = set()
        self._moved = asyncio.Condition()
        self._tally = _Tally()
        self._began = time.perf_counter()
        self._duration_s: float | None = None

    async def __aiter__(self) -> AsyncGenerator[tuple[int, TargetReport], None]:
        """Examine the targets, ``parallel`` of them at once."""
        self._began = time.perf_counter()
        workers = asyncio.get_running_loop().create_task(self._work())
        try:
            while (finished := await self._finished.get()) is not None:
                yield finished.number, finished.report
                finished.taken.set()
            await workers
        finally:
            workers.cancel()
            await asyncio.wait((workers,))

    def stop(self) -> None:
        """Stop observing; every target that is known by now still gets its report."""
        self._examiner.end(Failure(Kind.INTERRUPTED, "interrupted before it was measured"))

    @property
    def summary(self) -> Summary:
        """What the reports so far add up to; of the whole run after its last report."""
        ended = self._examiner.ended
        tally = self._tally
        duration_s = self._duration_s or time.perf_counter() - self._began
        return Summary(
            verdict=worst(tally.verdicts),
            counts={status: tally.counts[status] for status in Status},
            verdicts=dict(tally.verdicts),
            duration_ms=duration_s * 1000,
            interrupted=ended is not None and ended.kind is Kind.INTERRUPTED,
            blind=tally.blind,
            on_purpose=tally.on_purpose,
        )

    async def _work(self) -> None:
        """Let the workers work until the targets are over, within the time of the run."""
        alarm = self._set_alarm()
        admission = AdmissionByLag()
        try:
            async with asyncio.TaskGroup() as workers:
                more = self._settings.parallel - 1
                workers.create_task(self._worker(workers, admission, more))
        finally:
            if alarm is not None:
                alarm.cancel()
            self._examiner.close()
            admission.close()
            self._duration_s = time.perf_counter() - self._began
            self._finished.put_nowait(None)

    def _set_alarm(self) -> asyncio.TimerHandle | None:
        limit_s = self._settings.run_deadline_s
        if limit_s is None:
            return None
        late = Failure(Kind.DEADLINE, f"not measured within the run's {limit_s:g} s")
        return asyncio.get_running_loop().call_later(limit_s, self._examiner.end, late)

    async def _worker(
        self, workers: asyncio.TaskGroup, admission: AdmissionByLag, more: int
    ) -> None:
        """Take targets until there are none; the first one taken calls the next worker.

        What is to be measured begins while the loop is in time.
        """
        async for number, target in self._targets:
            if more:
                workers.create_task(self._worker(workers, admission, more - 1))
                more = 0
            self._unfinished.add(number)
            if isinstance(target, Target) and self._examiner.ended is None:
                await admission.enter()
            report = await self._examiner.examine(target)
            self._tally.add(report)
            finished = _Finished(number, report)
            self._finished.put_nowait(finished)
            await finished.taken.wait()
            self._unfinished.remove(number)
            if self._ahead is not None:
                await self._keep_near(number, self._ahead)

    async def _keep_near(self, number: int, ahead: int) -> None:
        """Wait while a target so far before this one is unfinished: who orders waits for it."""
        async with self._moved:
            self._moved.notify_all()
            await self._moved.wait_for(
                lambda: number - min(self._unfinished, default=number) < ahead
            )


@dataclass(frozen=True, slots=True)
class _Finished:
    """A report on its way to whoever iterates over the run."""

    number: int
    report: TargetReport
    taken: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class _Tally:
    """What a summary adds up. ``blind``: some result is unknown because of the vantage."""

    counts: Counter[Status] = field(default_factory=Counter)
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    on_purpose: int = 0
    blind: bool = False

    def add(self, report: TargetReport) -> None:
        """One more target."""
        self.counts.update(result.status for result in report.results)
        if report.purpose is None:
            self.verdicts[report.verdict] += 1
        else:
            self.on_purpose += 1
        self.blind |= any(result.cause is Cause.VANTAGE for result in report.results)


class _Numbered:
    """Hands each target to one of the workers, with its place in the order named."""

    def __init__(self, targets: AsyncIterable[Target | RecordedTarget]) -> None:
        self._targets = aiter(targets)
        self._lock = asyncio.Lock()
        self._number = -1
        self._empty = False

    def __aiter__(self) -> _Numbered:
        return self

    async def __anext__(self) -> tuple[int, Target | RecordedTarget]:
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
