"""The observing of one target: each probe begins when its inputs are known, and runs once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ipv6check.config.target import Target
from ipv6check.engine.checks.api import Probe
from ipv6check.engine.defects import crash
from ipv6check.model import Cause, Failure, Kind, Observed
from ipv6check.net.own_time import OwnTime

# The longest row of waits in one probe (PTR, then forward), and one more for places.
PROBE_WAITS = 3
# What is missing where time is over while the probe waits; the rest observe this host itself.
_MISSING = {
    **dict.fromkeys(("addresses", "pointers"), Cause.DNS),
    **dict.fromkeys(
        ("connections", "handshakes", "path", "pings", "race", "survey"), Cause.NETWORK
    ),
}


@dataclass(frozen=True, slots=True)
class ProbeGraph:
    """Which probe comes after which: the same for all targets of a service.

    ``probes`` come inputs first. ``missing``: by probe, how many of its inputs are probes too.
    ``followers``: by probe, those that it is an input of.
    """

    probes: tuple[Probe, ...]
    missing: Mapping[str, int]
    followers: Mapping[str, Sequence[Probe]]


def graph_of(probes: Sequence[Probe]) -> ProbeGraph:
    """The graph of these probes, which come inputs first."""
    names = {probe.name for probe in probes}
    inputs = {
        probe.name: [wanted.name for wanted in probe.inputs if wanted.name in names]
        for probe in probes
    }
    followers = {name: [probe for probe in probes if name in inputs[probe.name]] for name in names}
    return ProbeGraph(
        tuple(probes), {name: len(needs) for name, needs in inputs.items()}, followers
    )


@dataclass(frozen=True, slots=True)
class RecordedTarget:
    """A target as it was observed once: every attempt, the first one first."""

    target: Target
    attempts: tuple[Observed, ...]
    duration_ms: float


def recalled(attempt: Observed, probes: Sequence[Probe]) -> dict[str, Any]:
    """What was recorded of these probes, and a Failure for each of which nothing was."""
    missing = {
        probe.name: Failure(Kind.NOT_RECORDED, f"{probe.name}: not in the recording")
        for probe in probes
        if not probe.pure and probe.name not in attempt.facts
    }
    return {**attempt.facts, **missing}


class ProbeRun:
    """The probes of one attempt at a target: what is known by now, and what is under way.

    Attributes:
        facts: by name, what was given and what each probe has observed, or why it has not.
        known_ms: when each probe's fact was known, since the attempt began.
    """

    def __init__(
        self,
        graph: ProbeGraph,
        given: Mapping[str, Any],
        timeout_s: float,
        waiting: Callable[[Sequence[str]], None],
    ) -> None:
        """Nothing is begun yet. ``waiting`` is called with the probes that are still under way."""
        self.facts: dict[str, Any] = dict(given)
        self.known_ms: dict[str, float] = {}
        self._graph = graph
        self._missing = dict(graph.missing)
        self._timeout_s = timeout_s
        self._limit_s = PROBE_WAITS * timeout_s + 1
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._clock = OwnTime()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._since_s: dict[str, float] = {}  # of the target's own time, in this order
        self._end: Failure | None = None
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._waiting = waiting

    async def finish(self, clock: OwnTime, late: Failure) -> None:
        """Observe everything; what is not known at the end of the target's time is ``late``."""
        if not self._graph.probes:
            return
        self._clock = clock
        # Many silent addresses make many waits in a row: they may take nearly all of the time.
        self._limit_s = max(self._limit_s, clock.left_s - self._timeout_s / 2)
        alarm = clock.alarm(clock.left_s, partial(self.end, late))
        self._limit = clock.alarm(self._limit_s, self._give_up)
        for probe in self._graph.probes:
            if not self._missing[probe.name]:
                self._start(probe)
        try:
            await self._done
        finally:
            alarm.cancel()
            self._limit.cancel()

    def end(self, why: Failure) -> None:
        """End early: what is not known by now is ``why``."""
        self._end = self._end or why
        for task in list(self._tasks.values()):
            task.cancel()

    def _give_up(self) -> None:
        """Cancel each probe that has had its time, and look again when the next one has."""
        left_s = self._limit_s
        for name, since_s in list(self._since_s.items()):
            left_s = since_s + self._limit_s - self._clock.spent_s
            if left_s > 0:
                break
            del self._since_s[name]
            self._tasks[name].cancel()
            left_s = self._limit_s
        self._limit = self._clock.alarm(left_s, self._give_up)

    def _start(self, probe: Probe) -> None:
        """Begin the probe; a Failure of an input that it does not admit is its own."""
        arguments = {}
        for wanted in probe.inputs:
            fact = self.facts[wanted.name]
            if isinstance(fact, Failure) and not wanted.admits_failure:
                self._learn(probe.name, fact)
                return
            arguments[wanted.name] = fact
        if self._end is not None:
            self._learn(probe.name, self._end)
            return
        task = self._loop.create_task(self._run(probe, arguments))
        task.add_done_callback(partial(self._never_began, probe.name))
        self._tasks[probe.name] = task

    def _never_began(self, name: str, task: asyncio.Task[None]) -> None:
        """What was ended before its first step has run none of its code."""
        if task.cancelled() and self._end is not None:
            del self._tasks[name]
            self._learn(name, self._end)

    async def _run(self, probe: Probe, arguments: dict[str, Any]) -> None:
        self._since_s[probe.name] = self._clock.spent_s
        try:
            fact = await probe.observe(**arguments)
        except asyncio.CancelledError:
            # Nobody but end() and _give_up() cancels it.
            fact = _cut(probe.name, self._end)
        except Exception as error:  # noqa: BLE001 - a broken probe becomes a result
            fact = Failure(Kind.CRASH, crash(error, f"probe {probe.name}").message)
        finally:
            self._since_s.pop(probe.name, None)
        del self._tasks[probe.name]
        self._learn(probe.name, fact)

    def _learn(self, name: str, fact: Any) -> None:
        self.facts[name] = fact
        self.known_ms[name] = (self._loop.time() - self._began) * 1000
        for probe in self._graph.followers[name]:
            self._missing[probe.name] -= 1
            if not self._missing[probe.name]:
                self._start(probe)
        if len(self.known_ms) == len(self._graph.probes):
            if not self._done.done():
                self._done.set_result(None)
        else:
            self._waiting(list(self._tasks))


def _cut(name: str, why: Failure | None) -> Failure:
    """What becomes of a probe that was under way, by the end of the target or by its own limit."""
    if why is None:
        why = Failure(Kind.DEADLINE, "did not come back in time")
    if why.kind is not Kind.DEADLINE:
        return why
    return replace(why, detail=f"{name} {why.detail}", cause=_MISSING.get(name))
