"""The runner: tasks, limits and deadlines, on a network of plain data."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipv6check import engine
from ipv6check.config.profiles import PROFILES
from ipv6check.config.target import Target, parse
from ipv6check.engine.checks import loader
from ipv6check.engine.checks.api import Check, Input, Plan, Probe
from ipv6check.engine.plan import ServicePlan
from ipv6check.engine.workers import Run
from ipv6check.model import (
    Answer,
    Attempt,
    Cause,
    Failure,
    Finding,
    Kind,
    RunInfo,
    Status,
    Summary,
    TargetReport,
    Vantage,
    Verdict,
    fail,
    ok,
    skip,
    warn,
)
from ipv6check.net import Net
from ipv6check.reports.formats import Renderer, Style
from ipv6check.reports.progress import Progress
from ipv6check.reports.sinks import Outputs, Sink
from ipv6check.testing import SETTINGS, FakeNet, answer, attempt, echo, examine
from tests.pace import loops

V6, V4 = "2001:470::1", "192.0.33.8"
PTR = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.4.0.1.0.0.2.ip6.arpa"
FACT = (Input("fact"),)
# For what happens soon after.
PATIENCE_S = 30.0


class AnyHost(FakeNet):
    """A network on which every name is well."""

    async def resolve(self, name: str, rdtype: str) -> Answer | Failure:
        """One address of each family, and a name for the address."""
        self.calls.append(("resolve", name, rdtype))
        await asyncio.sleep(0)
        return answer(name, rdtype, {"AAAA": V6, "A": V4}.get(rdtype, "example.com."))


class Hanging(AnyHost):
    """A network whose handshakes never end."""

    def __init__(self, *observed: Any) -> None:
        super().__init__(*observed)
        self.connecting = asyncio.Event()

    async def connect(self, address: str, port: int, *, once: bool = False) -> Attempt:  # noqa: ARG002
        """Never."""
        self.connecting.set()
        self.calls.append(("connect", address, port))
        await asyncio.get_running_loop().create_future()
        raise AssertionError


def well() -> Sequence[Any]:
    """What every host of AnyHost says."""
    return [
        *(attempt(address, port) for address in (V6, V4) for port in (443, 80)),
        echo(V6),
        echo(V4),
    ]


class Examined:
    """One run: its summary, and its reports in the order in which they were emitted."""

    def __init__(self, net: Net, plan: Plan | None = None, **settings: Any) -> None:
        self.settings = replace(SETTINGS, **settings)
        self.emitted: list[tuple[int, TargetReport]] = []
        self.watch = Watched()
        self.plan = plan or loader.load(only=self.settings.only, profile=self.settings.profile)
        self.net = net
        self.run: Run
        self.summary: Summary

    def __call__(self, *texts: str, meanwhile: Callable[[Examined], Any] | None = None) -> Examined:
        """Run these targets; ``meanwhile`` is called, and awaited, beside them."""
        asyncio.run(self._go(texts, meanwhile))
        return self

    async def _go(self, texts: Sequence[str], meanwhile: Callable[[Examined], Any] | None) -> None:
        jobs = {"": ServicePlan(self.plan, self.settings)}
        self.run = engine.run(jobs, stream(texts), self.net, watch=self.watch)
        beside = asyncio.ensure_future(meanwhile(self)) if meanwhile else None
        self.emitted = [finished async for finished in self.run]
        self.summary = self.run.summary
        if beside is not None:
            await beside

    def report(self, target: str) -> TargetReport:
        """The one report of this target."""
        (found,) = [report for _, report in self.emitted if report.target == target]
        return found

    def statuses(self, target: str) -> dict[str, str]:
        """The status of each check, one finding each."""
        return {result.check: result.status for result in self.report(target).results}


class Watched(Progress):
    """Counts what is under way at once."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0
        self.probes: dict[str, tuple[str, ...]] = {}

    def started(self, *_: object) -> None:
        """One more."""
        self.now += 1
        self.most = max(self.most, self.now)

    def waiting(self, target: str, probes: Sequence[str]) -> None:
        """Remember."""
        self.probes[target] = tuple(probes)

    def done(self, *_: object) -> None:
        """One less."""
        self.now -= 1


async def stream(texts: Sequence[str]) -> AsyncIterator[Target]:
    """The targets."""
    for text in texts:
        yield parse(text)


def check(name: str, judge: Callable[..., Any], *inputs: Input, **more: Any) -> Check:
    """A check as the loader would make it."""
    return Check(judge, "About.", "", Cause.DNS, inputs, name, Path(f"{name}.py"), **more)


def plan(observe: Callable[..., Any], *checks: Check, given: Sequence[Input] = ()) -> Plan:
    """A plan of one probe, named fact."""
    return Plan(checks, (Probe("fact", observe, tuple(given), frozenset({int})),))


async def one() -> int:
    """A probe that is done."""
    return 1


def always(found: Any) -> Callable[..., Any]:
    """A check that finds the same whatever it is given."""
    return lambda **_: found


def says(fact: object) -> Finding:
    """A check that tells what it was given."""
    return ok(f"{fact}")


# --- probes ----------------------------------------------------------------------------------


def test_each_probe_runs_once_for_each_target() -> None:
    """Two checks and a probe that want the same fact share one observation of a target."""
    seen: Counter[str] = Counter()

    async def fact(target: Target) -> int:
        seen[target.host] += 1
        await asyncio.sleep(0)
        return len(target.host)

    async def twice(fact: int) -> int:
        return fact * 2

    checks = (
        check("a", says, Input("fact")),
        check("b", says, Input("fact")),
        check("c", lambda twice: ok(f"{twice}"), Input("twice")),
    )
    probes = (
        Probe("fact", fact, (Input("target"),), frozenset({int})),
        Probe("twice", twice, FACT, frozenset({int})),
    )
    done = Examined(FakeNet(), Plan(checks, probes))("a.example", "bb.example")
    assert seen == {"a.example": 1, "bb.example": 1}
    messages = [result.message for result in done.report("bb.example").results]
    assert messages == ["10", "10", "20"]


def test_no_question_is_asked_twice_of_a_target() -> None:
    """The shipped plan resolves, pings and traces each thing once; the race connects again."""
    net = AnyHost(*well())
    Examined(net)("example.com")
    asked = Counter(call for call in net.calls if call[0] != "connect")
    assert set(asked.values()) == {1}
    assert ("resolve", PTR, "PTR") in asked


def test_only_what_a_check_needs_is_observed() -> None:
    """One check alone costs its own packets and no others."""
    net = AnyHost(*well())
    done = Examined(net, only=frozenset({"aaaa"}))("example.com")
    assert {call[0] for call in net.calls} <= {"resolve", "pref64"}
    assert done.statuses("example.com") == {"aaaa": "pass"}


def test_a_failed_input_is_the_probe_s_own_failure() -> None:
    """A probe is not run where its input failed, and the root cause reaches the check."""

    async def fact() -> Failure:
        return Failure(Kind.SERVFAIL, "the root of it")

    async def never(fact: int) -> int:
        raise AssertionError

    probes = (
        Probe("fact", fact, (), frozenset({int})),
        Probe("never", never, FACT, frozenset({int})),
    )
    checks = (check("a", pytest.fail, Input("never")),)
    done = Examined(FakeNet(), Plan(checks, probes))("a.example")
    result = done.report("a.example").results[0]
    assert (result.status, result.message) == (Status.SKIP, "the root of it")
    assert done.report("a.example").verdict is Verdict.UNKNOWN


def test_a_broken_probe_is_an_error_and_the_run_goes_on() -> None:
    """A crash is our own fault, in each check that needs the probe; the others are judged."""

    async def fact(target: Target) -> int:
        if target.host == "a.example":
            raise ZeroDivisionError("by \x1b[31mnought")
        return 1

    checks = (check("a", says, *FACT), check("b", lambda: ok("fine")))
    done = Examined(FakeNet(), plan(fact, *checks, given=[Input("target")]))(
        "a.example", "b.example"
    )
    assert done.statuses("a.example") == {"a": "error", "b": "pass"}
    assert done.statuses("b.example") == {"a": "pass", "b": "pass"}
    result = done.report("a.example").results[0]
    assert result.cause is Cause.TOOL
    assert result.message == r"probe fact crashed: ZeroDivisionError: by \x1b[31mnought"
    assert done.report("a.example").verdict is Verdict.UNKNOWN


# --- deadlines -------------------------------------------------------------------------------


def test_a_probe_that_does_not_come_back_is_unknown() -> None:
    """A probe has its own deadline, before that of the target."""

    async def fact() -> int:
        await asyncio.sleep(60)
        return 1

    limits = {"timeout_s": 0.01, "deadline_s": 1.2}
    done = Examined(FakeNet(), plan(fact, check("a", says, *FACT)), **limits)("a.example")
    (result,) = done.report("a.example").results
    assert (result.status, result.cause) == (Status.UNKNOWN, Cause.VANTAGE)
    assert "fact did not come back in time" in result.message


def test_the_deadline_of_a_target_keeps_what_is_known() -> None:
    """What was observed in time is judged, the rest is unknown and says why."""
    done = Examined(Hanging(*well()), deadline_s=0.1)("a.example")
    statuses = done.statuses("a.example")
    assert (statuses["aaaa"], statuses["ptr"], statuses["tcp"]) == ("pass", "pass", "unknown")
    (tcp,) = [result for result in done.report("a.example").results if result.check == "tcp"]
    assert tcp.message == "4 of 4 pairs of address and port not tried before the target's deadline"
    assert tcp.cause is Cause.NETWORK


def test_the_deadline_of_the_run_reports_every_target() -> None:
    """When the run's time is over, targets that were never begun are reported too."""
    net = Hanging(*well())
    names = [f"{number}.example" for number in range(10)]
    done = Examined(net, parallel=2, run_deadline_s=0.1, deadline_s=60.0)(*names)
    assert [report.target for _, report in sorted(done.emitted)] == names
    assert {status["tcp"] for status in map(done.statuses, names)} == {"unknown"}
    last = done.report("9.example").results[0]
    assert last.message == "not measured within the run's 0.1 s"
    assert {call[1] for call in net.calls if call[0] == "resolve"} >= {"0.example", "1.example"}
    assert ("resolve", "9.example", "AAAA") not in net.calls


def test_nothing_is_left_running() -> None:
    """After a deadline every probe's task is over, not merely forgotten."""
    ended = []

    async def fact() -> int:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)
        return 1

    Examined(FakeNet(), plan(fact, check("a", says, *FACT)), deadline_s=0.05)("a.example")
    assert ended == [True]


# --- stop ------------------------------------------------------------------------------------


def test_stop_reports_what_is_known_and_marks_the_rest() -> None:
    """An interrupted run ends at once: the known is judged, the rest is unknown."""

    async def interrupt(done: Examined) -> None:
        await net.connecting.wait()
        await asyncio.sleep(0.02)
        done.run.stop()

    net = Hanging(*well())
    done = Examined(net, parallel=1)("a.example", "b.example", meanwhile=interrupt)
    assert done.statuses("a.example")["aaaa"] == "pass"
    assert done.statuses("a.example")["tcp"] == "unknown"
    assert set(done.statuses("b.example").values()) == {"unknown"}
    assert done.report("b.example").results[0].message == "interrupted before it was measured"
    assert done.summary.interrupted
    assert not any("b.example" in call for call in net.calls)


def test_stop_after_everything_changes_nothing() -> None:
    """Stopping twice, or too late, is harmless."""
    done = Examined(AnyHost(*well()))("a.example")
    done.run.stop()
    done.run.stop()
    assert not done.summary.interrupted


@pytest.mark.parametrize("turns", range(25))
def test_stop_at_any_moment_ends_the_run(turns: int) -> None:
    """Whatever the loop was about to do next, every target gets its report."""

    async def interrupt(done: Examined) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        done.run.stop()

    done = Examined(AnyHost(*well()), parallel=2, deadline_s=5.0)
    done("a.example", "b.example", "c.example", meanwhile=interrupt)
    assert {number for number, _ in done.emitted} == {0, 1, 2}


# --- many targets ----------------------------------------------------------------------------


def test_no_more_targets_at_once_than_allowed() -> None:
    """The bound on targets under way holds, and is used to the full."""

    async def fact() -> int:
        await asyncio.sleep(0.01)
        return 1

    names = [f"{number}.example" for number in range(30)]
    done = Examined(FakeNet(), plan(fact, check("a", says, *FACT)), parallel=5)(*names)
    assert done.watch.most == 5
    assert done.summary.counts[Status.PASS] == 30


def test_targets_are_taken_as_they_are_needed() -> None:
    """A list of any length is read no further than the run has got."""
    taken = 0
    ahead = []

    async def endless() -> AsyncIterator[Target]:
        nonlocal taken
        while taken < 200:
            taken += 1
            yield parse(f"{taken}.example")

    done: list[int] = []
    simple = plan(one, check("a", says, *FACT))

    async def go() -> None:
        jobs = {"": ServicePlan(simple, replace(SETTINGS, parallel=4))}
        async for number, _ in engine.run(jobs, endless(), FakeNet()):
            done.append(number)
            ahead.append(taken - len(done))

    asyncio.run(go())
    assert len(done) == 200
    assert max(ahead) <= 4


def test_a_target_is_emitted_when_it_is_done_with_its_number() -> None:
    """A slow target holds nobody back, and its number tells where it belongs."""

    async def fact(target: Target) -> int:
        await asyncio.sleep(0.1 if target.host == "slow.example" else 0)
        return 1

    simple = plan(fact, check("a", says, *FACT), given=[Input("target")])
    done = Examined(FakeNet(), simple)("slow.example", "b.example", "c.example")
    assert [number for number, _ in done.emitted][-1] == 0
    assert {number: report.target for number, report in done.emitted} == {
        0: "slow.example",
        1: "b.example",
        2: "c.example",
    }


class _Names:
    """A reporter of names."""

    def __init__(self, *, ordered: bool) -> None:
        self.ORDERED = ordered

    def head(self, *_: object) -> str:
        return ""

    def target(self, report: TargetReport, *_: object) -> str:
        return f"{report.target} "

    def tail(self, summary: Summary, *_: object) -> str:
        return f"({sum(summary.verdicts.values())})"


class _Memory(Sink):
    """A document in memory."""

    def __init__(self, *, ordered: bool) -> None:
        super().__init__("memory", Renderer(_Names(ordered=ordered), Style()))
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


def test_an_ordered_document_is_in_the_order_named() -> None:
    """Law 11: one document is in the order named, another is written as targets are done."""

    async def fact(target: Target) -> int:
        await asyncio.sleep(0.05 if target.host == "slow.example" else 0)
        return 1

    async def go() -> None:
        net = FakeNet()
        outputs = Outputs(sinks, RunInfo("0", ""))
        simple = plan(fact, check("a", says, *FACT), given=[Input("target")])
        jobs = {"": ServicePlan(simple, replace(SETTINGS, parallel=2))}
        run = engine.run(jobs, stream(["slow.example", "b.example", "c.example"]), net)
        outputs.head(net.uplink.vantage())
        async for number, report in run:
            outputs(number, report, net.uplink.vantage())
        outputs.tail(run.summary, net.uplink.vantage())

    sinks = [_Memory(ordered=True), _Memory(ordered=False)]
    asyncio.run(go())
    assert [sink.text for sink in sinks] == [
        "slow.example b.example c.example (3)",
        "b.example c.example slow.example (3)",
    ]


def test_the_same_facts_give_the_same_report() -> None:
    """Law 11: results are in the order of the checks, whatever came back first."""

    async def later() -> int:
        await asyncio.sleep(0.02)
        return 1

    probes = (
        Probe("fact", later, (), frozenset({int})),
        Probe("other", one, (), frozenset({int})),
    )
    checks = (
        check("a", says, *FACT),
        check("b", always([warn("1"), ok("2")]), Input("other")),
    )
    done = Examined(FakeNet(), Plan(checks, probes))("a.example")
    assert [(result.check, result.message) for result in done.report("a.example").results] == [
        ("a", "1"),
        ("b", "1"),
        ("b", "2"),
    ]


@pytest.mark.slow
def test_a_thousand_targets_are_quick() -> None:
    """On a network that takes no time, the machinery takes little."""
    names = [f"{number}.example" for number in range(1000)]
    done = Examined(AnyHost(*well()))
    assert loops(lambda: done(*names)) < 250  # 100 is usual
    assert [report.target for _, report in sorted(done.emitted, key=lambda row: row[0])] == names
    assert done.summary.verdicts == {Verdict.READY: 1000}


def test_no_targets_at_all_are_unknown() -> None:
    """A run that judged nothing must not pass a gate."""
    done = Examined(FakeNet())()
    assert done.summary.verdict is Verdict.UNKNOWN
    assert done.emitted == []


def test_a_slow_target_lets_the_others_run_ahead_so_far() -> None:
    """Who puts reports in order has to hold those that come too early: as many as it says."""

    async def go(ahead: int | None, most: int) -> list[int]:
        others_are_done = asyncio.Event()

        async def fact(target: Target) -> int:
            if target.host == "slow.example":
                await others_are_done.wait()
                await asyncio.sleep(0.05)  # in which one more would get out, if it might
            return 1

        simple = plan(fact, check("a", says, *FACT), given=[Input("target")])
        jobs = {"": ServicePlan(simple, replace(SETTINGS, parallel=2))}
        names = ["slow.example", *(f"{number}.example" for number in range(9))]
        numbers = []
        async for number, _ in engine.run(jobs, stream(names), FakeNet(), ahead=ahead):
            numbers.append(number)
            if len(numbers) == most:
                others_are_done.set()
        return numbers

    assert asyncio.run(go(3, 3)).index(0) == 3
    assert asyncio.run(go(None, 9)).index(0) == 9


def test_what_breaks_the_run_ends_it() -> None:
    """An error of ours gets out, whether it is the engine's or of who names the targets."""

    async def broken() -> AsyncIterator[Target]:
        yield parse("a.example")
        raise BrokenPipeError

    async def go() -> None:
        jobs = {"": ServicePlan(plan(one, check("a", says, *FACT)), SETTINGS)}
        async for _ in engine.run(jobs, broken(), FakeNet()):
            pass

    with pytest.raises(BaseExceptionGroup) as caught:
        asyncio.run(go())
    assert caught.group_contains(BrokenPipeError)


def test_who_stops_listening_ends_the_run() -> None:
    """After a break or an error of the consumer no target is taken, and no thread is left."""
    before = threading.active_count()
    net = AnyHost(*well())

    async def go() -> None:
        jobs = {"": ServicePlan(loader.load(), replace(SETTINGS, parallel=1))}
        run = engine.run(jobs, stream(["a.example", "b.example"]), net)
        async with aclosing(aiter(run)) as reports:
            async for _ in reports:
                break

    asyncio.run(go())
    deadline = time.monotonic() + PATIENCE_S
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before
    assert not any("b.example" in call for call in net.calls)


def test_the_summary_is_of_the_reports_so_far() -> None:
    """Who looks while the run goes on sees what is known by then."""

    async def go() -> list[int]:
        jobs = {"": ServicePlan(plan(one, check("a", says, *FACT)), SETTINGS)}
        run = engine.run(jobs, stream(["a.example", "b.example"]), FakeNet())
        return [run.summary.counts[Status.PASS] async for _ in run]

    first, last = asyncio.run(go())
    assert 1 <= first <= last == 2


# --- results ---------------------------------------------------------------------------------


def test_a_finding_becomes_a_result() -> None:
    """The result has the finding's words, the check's reference, and times."""

    async def fact() -> int:
        await asyncio.sleep(0.02)
        return 1

    evidence = {"elapsed_ms": 3.0}
    found = fail("it is", hint="mend it", subject="[::1]:443", evidence=evidence, id="refused")
    judging = Check(always(found), "About.", "RFC 4890", Cause.NETWORK, FACT, "a", Path("a.py"))
    done = Examined(FakeNet(), plan(fact, judging))("a.example:8443")
    report = done.report("a.example:8443")
    (result,) = report.results
    assert (result.check, result.finding) == ("a", "refused")
    assert (result.status, result.message, result.hint, result.subject) == (
        "fail",
        "it is",
        "mend it",
        "[::1]:443",
    )
    assert (result.cause, result.reference) == (Cause.NETWORK, "RFC 4890")
    assert result.evidence == {"elapsed_ms": 3.0}
    assert 20 <= result.duration_ms <= report.duration_ms
    assert (report.host, report.ports) == ("a.example", (8443,))


def test_programs_and_functions_are_judged_side_by_side(tmp_path: Path) -> None:
    """Results keep the order of the checks, whatever these are written in."""
    for name in ("a-program", "zz-program"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho fine\n")
        program.chmod(0o755)
    wanted = loader.load([tmp_path], only=["a-program", "tcp", "zz-program"])
    report = Examined(AnyHost(*well()), wanted)("a.example").report("a.example")
    assert [(result.check, result.status) for result in report.results] == [
        ("a-program", "pass"),
        ("tcp", "pass"),
        ("zz-program", "pass"),
    ]


def test_a_finding_s_own_cause_goes_before_the_check_s() -> None:
    """A check names a cause where it knows better than its decorator."""
    simple = plan(one, check("a", always(fail("x", cause="firewall")), *FACT))
    assert Examined(FakeNet(), simple)("a.example").report("a.example").results[0].cause == (
        Cause.FIREWALL
    )


@pytest.mark.parametrize("rest", [ok("fine"), skip("nothing to do")])
def test_what_is_at_rest_has_no_cause(rest: Finding) -> None:
    """A pass and a skip blame nobody."""
    simple = plan(one, check("a", always(rest), *FACT))
    assert Examined(FakeNet(), simple)("a.example").report("a.example").results[0].cause is None


@pytest.mark.parametrize(
    ("profile", "status", "verdict"),
    [
        ("web", Status.WARN, Verdict.DEGRADED),
        ("mail", Status.FAIL, Verdict.NOT_READY),
        ("strict", Status.FAIL, Verdict.NOT_READY),
    ],
)
def test_the_profile_grades(profile: str, status: Status, verdict: Verdict) -> None:
    """What is a warning for one profile fails another."""
    simple = plan(one, check("ptr", always(warn("no name")), *FACT))
    report = Examined(FakeNet(), simple, profile=PROFILES[profile])("a.example").report("a.example")
    assert (report.results[0].status, report.verdict) == (status, verdict)
    assert report.results[0].cause is Cause.DNS


def test_text_of_the_network_is_made_harmless() -> None:
    """Law 8: no control character of a finding, or of the target's text, gets into a report."""
    evil = "a\x1b[31m\r\nb\u202e"
    found = fail(evil, hint=evil, subject=evil, id=evil)
    simple = plan(one, check("a", always(found), *FACT))
    (result,) = Examined(FakeNet(), simple)("a.example").report("a.example").results
    for text in (result.message, result.hint, result.subject, result.finding):
        assert text.isprintable()


def test_the_summary_counts() -> None:
    """Statuses are counted by result, verdicts by target, and the worst is the run's."""

    def judge(target: Target) -> Finding:
        return fail("x") if target.host == "b.example" else ok("x")

    simple = Plan((check("a", judge, Input("target")),), ())
    summary = Examined(FakeNet(), simple)("a.example", "b.example", "c.example").summary
    assert summary.verdict is Verdict.NOT_READY
    assert summary.verdicts == {Verdict.READY: 2, Verdict.NOT_READY: 1}
    assert (summary.counts[Status.PASS], summary.counts[Status.FAIL]) == (2, 1)
    assert set(summary.counts) == set(Status)
    assert not summary.interrupted
    assert summary.duration_ms > 0


def test_who_looks_on_is_told() -> None:
    """The watch hears of each target, and of what it waits for."""
    done = Examined(AnyHost(*well()), only=frozenset({"ptr"}))("a.example")
    assert "pointers" in done.watch.probes["a.example"]
    assert (done.watch.now, done.watch.most) == (0, 1)


def test_no_ipv6_here_blames_nobody() -> None:
    """Law 1, through the whole plan: without a route of ours the verdict is unknown."""
    net = FakeNet(
        answer("example.com", "AAAA", V6),
        answer("example.com", "A", V4),
        answer(PTR, "PTR", "example.com."),
        attempt(V4, 443),
        attempt(V4, 80),
        echo(V4),
        failures=dict.fromkeys([(V6, 443), (V6, 80), V6], Kind.NO_LOCAL_ROUTE),
        vantage=Vantage(ipv6="no"),
    )
    report = examine("example.com", net)
    assert report.verdict is Verdict.UNKNOWN
    (tcp,) = [result for result in report.results if result.check == "tcp"]
    assert (tcp.status, tcp.cause) == (Status.UNKNOWN, Cause.VANTAGE)
    assert ("controls_answer",) not in net.calls


def test_no_thread_is_left() -> None:
    """A run's judging thread ends with it."""
    before = set(threading.enumerate())
    Examined(FakeNet(), plan(one, check("a", says, *FACT)))("a.example")
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(1)
    assert not any(thread.is_alive() for thread in left)
