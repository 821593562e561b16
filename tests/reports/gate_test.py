"""What is let pass, and what is said of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from ipv6check.model import (
    GateOutcome,
    Place,
    Result,
    Status,
    Summary,
    TargetReport,
    Vantage,
    Verdict,
    Waiver,
    WaiverState,
    verdict_of,
    worst,
)
from ipv6check.reports.gate import Gate
from tests.pace import loops

TODAY = dt.date(2026, 11, 21)
WAIVER = Waiver(
    "tcp",
    "*.legacy.example",
    "moves in January",
    "ops",
    dt.date(2027, 1, 31),
    place=Place("ipv6check.toml", 7),
)


def result(status: str, check: str = "tcp", subject: str = "") -> Result:
    """One result."""
    return Result(check, Status(status), "it is so", subject=subject)


def target(*results: Result, name: str = "a.legacy.example", **more: Any) -> TargetReport:
    """One target with these results."""
    optional = frozenset({"ping"})
    verdict = verdict_of(results, optional)
    return TargetReport(name, name, (443,), verdict, 1.0, results, optional=optional, **more)


def judged(
    gate: Gate, *targets: TargetReport, vantage: Vantage | None = None
) -> tuple[Summary, list[TargetReport]]:
    """The end of a run over these targets."""
    told = [gate.apply(target) for target in targets]
    verdicts = {target.verdict: 1 for target in targets}
    end = Summary(worst(verdicts), {}, verdicts, 1.0)
    return gate.conclude(end, vantage or Vantage()), told


@pytest.mark.parametrize(
    ("statuses", "thresholds", "outcome"),
    [
        (["pass", "skip"], {}, GateOutcome.PASSED),
        (["warn"], {}, GateOutcome.PASSED),
        (["warn"], {"fail_on": "warn"}, GateOutcome.FAILED),
        (["fail"], {}, GateOutcome.FAILED),
        (["fail", "unknown"], {"on_unknown": "pass"}, GateOutcome.FAILED),
        (["unknown"], {}, GateOutcome.UNKNOWN),
        (["error"], {}, GateOutcome.UNKNOWN),
        (["unknown"], {"on_unknown": "pass"}, GateOutcome.PASSED),
        (["unknown", "warn"], {"fail_on": "warn"}, GateOutcome.FAILED),
    ],
)
def test_thresholds(statuses: list[str], thresholds: dict[str, str], outcome: GateOutcome) -> None:
    """What gates is what is at or above the threshold, and what could not be measured."""
    end, _ = judged(Gate(**thresholds), target(*map(result, statuses)))  # type: ignore[arg-type]
    assert end.gate is outcome


def test_an_optional_unknown_does_not_gate() -> None:
    """What the profile does not require may be unknown."""
    end, _ = judged(Gate(), target(result("pass"), result("unknown", "ping")))
    assert end.gate is GateOutcome.PASSED


def test_nothing_judged_is_unknown() -> None:
    """A run over no target has not passed, unless that was asked for."""
    assert judged(Gate())[0].gate is GateOutcome.UNKNOWN
    assert judged(Gate(on_unknown="pass"))[0].gate is GateOutcome.PASSED


@pytest.mark.parametrize("lack", [{"interrupted": True}, {"bad_lines": 1}])
@pytest.mark.parametrize(
    ("status", "outcome"), [("pass", GateOutcome.UNKNOWN), ("fail", GateOutcome.FAILED)]
)
def test_part_of_a_run_does_not_pass(
    status: str, outcome: GateOutcome, lack: dict[str, Any]
) -> None:
    """Whatever is not measured may pass, but what nobody has looked at is no such thing."""
    gate = Gate(on_unknown="pass")
    gate.apply(target(result(status)))
    end = replace(Summary(Verdict.READY, {}, {Verdict.READY: 1}, 1.0), **lack)
    assert gate.conclude(end, Vantage()).gate is outcome


def test_a_waived_fail_stays_a_fail_and_does_not_gate() -> None:
    """Status and verdict tell what is; the gate lets it pass and says by whose word."""
    gate = Gate(waivers=[WAIVER], today=TODAY)
    end, (told,) = judged(gate, target(result("fail"), result("pass", "aaaa")))
    assert (told.verdict, told.gating) == (Verdict.NOT_READY, Verdict.READY)
    waived = told.results[0].waived
    assert waived is not None
    assert (waived.waiver, waived.term, waived.days_left) == (WAIVER, WaiverState.ACTIVE, 71)
    assert told.results[1].waived is None
    assert (end.gate, end.excused, end.notes) == (GateOutcome.PASSED, 1, ())


class _Known:
    """A baseline that has everything already."""

    def known(self, report: TargetReport) -> TargetReport:
        """Each result marked."""
        return replace(
            report, results=tuple(replace(result, known=True) for result in report.results)
        )


@pytest.mark.parametrize(("days", "outcome"), [(0, GateOutcome.PASSED), (1, GateOutcome.FAILED)])
def test_a_baseline_prolongs_no_waiver(days: int, outcome: GateOutcome) -> None:
    """It was made while the waiver held, and the exception would live for ever."""
    today = WAIVER.expires + dt.timedelta(days)
    gate = Gate(waivers=[WAIVER], baseline=_Known(), today=today)
    assert judged(gate, target(result("fail")))[0].gate is outcome
    gate = Gate(baseline=_Known(), today=today)
    assert judged(gate, target(result("fail")))[0].gate is GateOutcome.PASSED


def test_a_waiver_leaves_other_findings_alone() -> None:
    """Another check, another target, another subject: each of them still gates."""
    narrow = replace(WAIVER, subject="[2001:db8::1]:443")
    for waiver, report in (
        (WAIVER, target(result("fail", "aaaa"))),
        (WAIVER, target(result("fail"), name="shop.example")),
        (narrow, target(result("fail", subject="[2001:db8::2]:443"))),
    ):
        end, _ = judged(Gate(waivers=[waiver], today=TODAY), report)
        assert end.gate is GateOutcome.FAILED
    same = target(result("fail", subject="[2001:db8::1]:443"))
    assert judged(Gate(waivers=[narrow], today=TODAY), same)[0].gate is GateOutcome.PASSED


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("A.Legacy.example", "a.legacy.EXAMPLE", True),
        ("*", "a.legacy.example", True),
        ("[2001:db8::1]:443", "[2001:db8::1]:443", True),
        ("[2001:db8::1]:443", "1:443", False),
        ("*.legacy.example", "legacy.example", False),
    ],
)
def test_globs(pattern: str, name: str, matches: bool) -> None:  # noqa: FBT001
    """A target is a glob in any case; the brackets of an address are what they look like."""
    gate = Gate(waivers=[replace(WAIVER, target=pattern)], today=TODAY)
    end, _ = judged(gate, target(result("fail"), name=name))
    assert (end.gate is GateOutcome.PASSED) == matches


def test_many_waivers_keep_no_target_waiting() -> None:
    """What excuses a target is looked up: between two packets there is no time to search."""
    waivers = [replace(WAIVER, target=f"h{number}.example") for number in range(10_000)]
    gate = Gate(waivers=waivers, today=TODAY)
    report = target(result("fail"), name="h7.example")
    told: list[TargetReport] = []
    assert loops(lambda: told.extend(gate.apply(report) for _ in range(1000))) < 16
    assert told[-1].results[0].waived is not None


@pytest.mark.parametrize(
    ("days", "term", "outcome", "says"),
    [
        (15, WaiverState.ACTIVE, GateOutcome.PASSED, ""),
        (14, WaiverState.EXPIRING, GateOutcome.PASSED, "expires in 14 days, on 2026-12-05"),
        (1, WaiverState.EXPIRING, GateOutcome.PASSED, "expires in 1 day, on 2026-11-22"),
        (0, WaiverState.EXPIRING, GateOutcome.PASSED, "expires today"),
        (
            -1,
            WaiverState.EXPIRED,
            GateOutcome.FAILED,
            "expired on 2026-11-20 and excuses nothing: fix",
        ),
    ],
)
def test_a_waiver_ends(days: int, term: WaiverState, outcome: GateOutcome, says: str) -> None:
    """It warns for 14 days, holds on its last day, and excuses nothing afterwards."""
    waiver = replace(WAIVER, expires=TODAY + dt.timedelta(days))
    end, (told,) = judged(Gate(waivers=[waiver], today=TODAY), target(result("fail")))
    waived = told.results[0].waived
    assert waived is not None
    assert (waived.term, end.gate) == (term, outcome)
    assert [note.place for note in end.notes] == [waiver.place] * bool(says)
    assert says in "".join(note.text for note in end.notes)


def test_the_waiver_that_lasts_longest_counts() -> None:
    """An expired waiver does not undo one that was agreed anew."""
    old = replace(WAIVER, expires=TODAY - dt.timedelta(3))
    for waivers in ([old, WAIVER], [WAIVER, old]):
        end, (told,) = judged(Gate(waivers=waivers, today=TODAY), target(result("fail")))
        assert end.gate is GateOutcome.PASSED
        assert told.results[0].waived is not None
        assert told.results[0].waived.waiver is WAIVER
        (note,) = end.notes
        assert "is redundant, another one" in note.text


def test_a_waiver_that_matches_nothing_is_told() -> None:
    """Its target is well now, or there is none of its name: either way it can go."""
    well, _ = judged(Gate(waivers=[WAIVER], today=TODAY), target(result("pass")))
    assert "matches no finding" in well.notes[0].text
    other = target(result("pass"), name="shop.example")
    whole, _ = judged(Gate(waivers=[WAIVER], today=TODAY, whole=True), other)
    assert "matches no target" in whole.notes[0].text
    part, _ = judged(Gate(waivers=[WAIVER], today=TODAY), other)
    assert part.notes[0].text == "1 waiver for targets not in this run: tcp for *.legacy.example"
    many, _ = judged(Gate(waivers=[WAIVER] * 7, today=TODAY), other)
    assert many.notes[0].text.startswith("7 waivers for targets not in this run: tcp for ")
    assert many.notes[0].text.endswith(", and 2 more")
    known, _ = judged(Gate(waivers=[WAIVER], today=TODAY, configured=["a.legacy.example"]), other)
    assert known.notes == ()
    narrow = replace(WAIVER, subject="[2001:db8::1]:443")
    missed, _ = judged(Gate(waivers=[narrow], today=TODAY), target(result("fail")))
    assert missed.notes[0].text.endswith("remove it, or correct its subject")


def test_what_could_not_be_measured_says_nothing_of_a_waiver() -> None:
    """A runner without IPv6 must not tell anybody to remove a waiver, nor is unknown excused."""
    end, (told,) = judged(Gate(waivers=[WAIVER], today=TODAY), target(result("unknown")))
    assert (end.gate, end.notes) == (GateOutcome.UNKNOWN, ())
    assert told.results[0].waived is None


def test_a_check_that_judged_nothing_says_nothing_of_a_waiver() -> None:
    """Its input is missing: what is waived may be there as before."""
    end, _ = judged(Gate(waivers=[WAIVER], today=TODAY, whole=True), target(result("skip")))
    assert end.notes == ()


@pytest.mark.parametrize("results", [[], [result("pass", "aaaa")]])
def test_a_waiver_whose_check_is_left_out(results: list[Result]) -> None:
    """By --only, say: nobody is told to remove it, but that this run has no use for it."""
    end, _ = judged(Gate(waivers=[WAIVER], today=TODAY, whole=True), target(*results))
    (note,) = end.notes
    assert note.text.startswith("1 waiver for checks not in this run: tcp for ")


def test_a_waived_fail_does_not_hide_what_was_not_measured() -> None:
    """What is left once the fail is excused is judged for itself."""
    told = target(result("fail"), result("unknown", "aaaa"))
    assert judged(Gate(waivers=[WAIVER], today=TODAY), told)[0].gate is GateOutcome.UNKNOWN


class Before:
    """A baseline that knows every failure of tcp."""

    def known(self, report: TargetReport) -> TargetReport:
        """The report with them marked."""
        return replace(
            report,
            results=tuple(
                replace(result, known=result.check == "tcp") for result in report.results
            ),
        )


def test_what_the_baseline_knows_does_not_gate() -> None:
    """Only what got worse does; what was not measured is still not measured."""
    gate = Gate(baseline=Before())
    end, (told,) = judged(gate, target(result("fail")))
    assert (told.verdict, end.gate, end.excused) == (Verdict.NOT_READY, GateOutcome.PASSED, 1)
    worse = target(result("fail"), result("fail", "aaaa"))
    assert judged(Gate(baseline=Before()), worse)[0].gate is GateOutcome.FAILED


@pytest.mark.parametrize(
    ("requires", "vantage", "outcome", "says"),
    [
        ("any", Vantage(ipv6="no"), GateOutcome.PASSED, ""),
        ("ipv6", Vantage(ipv6="no"), GateOutcome.UNKNOWN, "from a host with IPv6"),
        ("ipv6", Vantage(ipv4="no"), GateOutcome.PASSED, ""),
        ("dual-stack", Vantage(ipv4="no"), GateOutcome.UNKNOWN, "from a host with IPv4"),
        ("dual-stack", Vantage(), GateOutcome.PASSED, ""),
    ],
)
def test_a_service_may_require_its_vantage(
    requires: str, vantage: Vantage, outcome: GateOutcome, says: str
) -> None:
    """Then --on-unknown pass does not excuse that nothing was measured."""
    told = target(result("pass"), service="shop", requires=requires)
    gate = Gate(on_unknown="pass")
    end, _ = judged(gate, told, vantage=vantage)
    assert end.gate is outcome
    assert says in "".join(note.text for note in end.notes)
