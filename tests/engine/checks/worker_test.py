"""Judging: whatever a check does, it becomes findings, and the others get theirs."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipv6check.engine.checks.api import Check, Input
from ipv6check.engine.checks.worker import CheckThread, judge, missing_input
from ipv6check.model import (
    VANTAGE_KINDS,
    Cause,
    Failure,
    Finding,
    Findings,
    Kind,
    Status,
    fail,
    ok,
    skip,
    unknown,
    warn,
)
from ipv6check.model.findings import Explained
from tests.pace import Lag

DEADLINE_S = 0.2
# The judge looks every 0.1 s, and threads have to be started.
PATIENCE_S = 2.0


def check(name: str, function: Callable[..., Any], *inputs: Input) -> Check:
    """A check as the loader would make it."""
    return Check(function, "About.", "", Cause.DNS, inputs, name, Path(f"{name}.py"))


def fine() -> Any:
    """What a check that is well returns."""
    return ok("fine")


class Block:
    """A check that does not return until it is let go, and counts how often it was called."""

    def __init__(self) -> None:
        self.calls = 0
        self.let_go = threading.Event()

    def __call__(self) -> Any:
        """Block."""
        self.calls += 1
        self.let_go.wait(30)
        return ok("late")


@pytest.fixture
def block() -> Iterator[Block]:
    """A blocking check whose thread ends with the test."""
    block = Block()
    yield block
    block.let_go.set()


def judged(*targets: list[Check], deadline_s: float = DEADLINE_S) -> list[list[Findings]]:
    """What is found of several targets, asked for at the same time."""

    async def go() -> list[list[Findings]]:
        judges = CheckThread(deadline_s)
        try:
            return await asyncio.gather(*(judges.findings(checks, {}) for checks in targets))
        finally:
            judges.close()

    return asyncio.run(go())


def statuses(findings: list[Findings]) -> list[str]:
    """The status of each check's one finding."""
    return [finding.status for (finding,) in findings]


def test_findings_come_in_the_order_of_the_checks() -> None:
    """Each check's findings stand at the place of the check."""
    checks = [check(str(number), lambda number=number: ok(str(number))) for number in range(20)]
    (found,) = judged(checks)
    assert [finding.message for (finding,) in found] == [str(number) for number in range(20)]


@pytest.mark.timing
def test_a_blocking_check_is_an_error_and_the_others_are_judged(block: Block, lag: Lag) -> None:
    """What waits behind a check that does not return is judged after its deadline."""
    began = time.monotonic()
    (found,) = judged([check("a", fine), check("b", block), check("c", fine)])
    assert statuses(found) == ["pass", "error", "pass"]
    assert time.monotonic() - began < DEADLINE_S + PATIENCE_S + lag.s
    (finding,) = found[1]
    assert finding.cause is Cause.TOOL
    assert "b blocks" in finding.message


@pytest.mark.timing
def test_a_blocking_check_is_not_run_again(block: Block, lag: Lag) -> None:
    """One target pays for a check that blocks, not every target."""
    checks = [check("a", fine), check("b", block)]
    began = time.monotonic()
    found = judged(*[checks] * 50)
    assert [statuses(findings) for findings in found] == [["pass", "error"]] * 50
    assert block.calls == 1
    assert time.monotonic() - began < DEADLINE_S + PATIENCE_S + lag.s


def test_two_blocking_checks_cost_two_deadlines(block: Block) -> None:
    """The second check that blocks is found out as the first was."""
    other = Block()
    try:
        (found,) = judged([check("a", block), check("b", other), check("c", fine)])
    finally:
        other.let_go.set()
    assert statuses(found) == ["error", "error", "pass"]
    assert (block.calls, other.calls) == (1, 1)


@pytest.mark.timing
def test_the_event_loop_goes_on_while_a_check_blocks(block: Block, lag: Lag) -> None:
    """Times are measured in the loop, so a check that blocks must not hold it."""

    async def go() -> float:
        judges = CheckThread(DEADLINE_S)
        found = asyncio.ensure_future(judges.findings([check("a", block)], {}))
        longest = 0.0
        while not found.done():
            began = time.monotonic()
            await asyncio.sleep(0.001)
            longest = max(longest, time.monotonic() - began)
        judges.close()
        return longest

    assert asyncio.run(go()) < DEADLINE_S + lag.s


def test_a_result_that_comes_too_late_is_dropped(block: Block) -> None:
    """A check that returns after it was given up changes nothing any more."""

    async def go() -> tuple[list[str], list[str]]:
        judges = CheckThread(DEADLINE_S)
        first = await judges.findings([check("a", block)], {})
        block.let_go.set()
        await asyncio.sleep(0.05)
        second = await judges.findings([check("a", block), check("b", fine)], {})
        judges.close()
        return statuses(first), statuses(second)

    assert asyncio.run(go()) == (["error"], ["error", "pass"])


def test_a_check_that_exits_is_an_error() -> None:
    """sys.exit() in a check ends neither the thread nor the run, and is called what it is."""
    (found,) = judged([check("a", sys.exit), check("b", fine)])
    assert statuses(found) == ["error", "pass"]
    assert "SystemExit" in found[0][0].message


@pytest.mark.parametrize("raised", [BaseException, GeneratorExit, asyncio.CancelledError])
def test_nothing_that_a_check_raises_ends_the_thread(raised: type[BaseException]) -> None:
    """What is no Exception neither: it would be told as a check that blocks."""

    def broken() -> Any:
        raise raised

    (found,) = judged([check("a", broken), check("b", fine)])
    assert statuses(found) == ["error", "pass"]
    assert found[0][0].message.startswith("a crashed")


def test_a_crash_is_an_error_with_its_traceback() -> None:
    """An exception names the check and what was raised; the traceback is evidence."""

    def broken() -> Any:
        raise KeyError("x\x1b[31m")

    (finding,) = judge(check("a", broken), {})
    assert (finding.status, finding.cause) == (Status.ERROR, Cause.TOOL)
    assert finding.message.startswith("a crashed: KeyError: ")
    assert "\x1b" not in finding.message
    assert "in broken" in finding.evidence["traceback"]


def test_endless_recursion_is_an_error() -> None:
    """A check that calls itself for ever crashes like any other, and its evidence is bounded."""

    def deeper() -> Any:
        return deeper()

    (finding,) = judge(check("a", deeper), {})
    assert "RecursionError" in finding.message
    assert len(finding.evidence["traceback"]) <= 4000


@pytest.mark.parametrize(
    ("returned", "named"),
    [
        (None, "NoneType"),
        (True, "bool"),
        (1, "int"),
        ([], "list"),
        ((), "tuple"),
        ({"status": "pass"}, "dict"),
        ("pass", "something else"),
        ([ok("x"), "pass"], "something else"),
        ((item for item in [ok("x")]), "generator"),
    ],
)
def test_a_wrong_return_value_is_an_error(returned: object, named: str) -> None:
    """What is neither a Finding nor a list of them is the check's own fault."""
    (finding,) = judge(check("a", lambda: returned), {})
    assert (finding.status, finding.cause) == (Status.ERROR, Cause.TOOL)
    assert finding.message.startswith("a returned")
    assert named in finding.message


@pytest.mark.parametrize("several", [[ok("x"), warn("y")], (ok("x"), warn("y"))])
def test_several_findings_are_kept_in_order(several: Any) -> None:
    """A list and a tuple of Findings are equally good."""
    assert judge(check("a", lambda: several), {}) == (ok("x"), warn("y"))


def explaining(*findings: Any) -> Check:
    """A check that explains ``shut`` (fail) and ``open`` (pass), and finds these."""
    explained = (Explained("shut", "fail", "It is shut."), Explained("open", "pass", "It is open."))
    return replace(check("a", lambda: list(findings)), findings=explained)


def test_what_is_explained_is_found() -> None:
    """A check that explains its findings may give any of them."""
    found = (fail("x", id="shut"), ok("y", id="open"), fail("z", id="shut"))
    assert judge(explaining(*found), {}) == found


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (fail("x", id="ajar"), 'a found "ajar" (fail), which it does not explain'),
        (fail("x"), 'a found "" (fail), which it does not explain'),
        (warn("x", id="shut"), 'a found "shut" (warn), which it does not explain'),
    ],
)
def test_what_is_not_explained_is_a_defect_beside_the_finding(found: Finding, said: str) -> None:
    """A table that lacks a finding hides no failure: both are told, the defect once."""
    first, second, defect = judge(explaining(found, found), {})
    assert (first, second) == (found, found)
    assert (defect.status, defect.cause, defect.message) == (Status.ERROR, Cause.TOOL, said)


@pytest.mark.parametrize("found", [fail("x"), fail("x", id="ajar")])
def test_a_check_need_not_explain(found: Finding) -> None:
    """Without a table any finding is good, with an id and without."""
    assert judge(check("a", lambda: found), {}) == (found,)


def test_a_missing_input_needs_no_explanation() -> None:
    """What judges writes in a check's stead is not one of its findings."""
    needing = replace(explaining(), inputs=(Input("reason"),))
    (finding,) = judge(needing, {"reason": Failure(Kind.TIMEOUT, "why")})
    assert (finding.status, finding.id) == (Status.SKIP, "")


@pytest.mark.parametrize("kind", sorted(set(Kind) - VANTAGE_KINDS - {Kind.CRASH}))
def test_a_missing_input_skips(kind: Kind) -> None:
    """A check whose input failed is skipped with the root cause, and is not called."""
    never = check("a", pytest.fail, Input("reason"))
    (finding,) = judge(never, {"reason": Failure(kind, "why")})
    assert (finding.status, finding.message, finding.cause) == (Status.SKIP, "why", None)


@pytest.mark.parametrize("kind", sorted(VANTAGE_KINDS))
def test_an_input_that_the_vantage_could_not_give_is_unknown(kind: Kind) -> None:
    """Law 1: what could not be measured from here is unknown, not skipped and not failed."""
    never = check("a", pytest.fail, Input("reason"))
    (finding,) = judge(never, {"reason": Failure(kind, "why")})
    assert (finding.status, finding.cause) == (Status.UNKNOWN, Cause.VANTAGE)


def test_an_input_whose_probe_crashed_is_an_error() -> None:
    """A broken probe is our fault in every check that needs it."""
    never = check("a", pytest.fail, Input("reason"))
    (finding,) = judge(never, {"reason": Failure(Kind.CRASH, "probe x crashed")})
    assert (finding.status, finding.cause) == (Status.ERROR, Cause.TOOL)


def test_a_failure_reaches_a_check_that_admits_it() -> None:
    """A check whose annotation admits Failure judges it itself."""
    admits = check("a", lambda fact: ok(fact.detail), Input("fact", admits_failure=True))
    (finding,) = judge(admits, {"fact": Failure(Kind.TIMEOUT, "silence")})
    assert finding == ok("silence")


CRASHED = Failure(Kind.CRASH, "probe pings crashed: ZeroDivisionError: x")


def test_a_crashed_probe_is_an_error_of_the_check_that_wants_it() -> None:
    """Also where the check takes a Failure, and says that it cannot look; others go on without."""

    def cannot(fact: Any) -> Any:
        return skip(fact.detail)

    def unread(fact: Any) -> Any:
        return unknown(f"cannot be read: {fact.detail}")

    def needless(fact: Any) -> Any:
        return [ok("fine"), unknown("for another reason")]

    admitted = Input("fact", admits_failure=True)
    found = {
        judging.__name__: judge(check("a", judging, admitted), {"fact": CRASHED})
        for judging in (cannot, unread, needless)
    }
    for name in ("cannot", "unread"):
        (finding,) = found[name]
        assert (finding.status, finding.cause) == (Status.ERROR, Cause.TOOL)
        assert finding.message == CRASHED.detail
    assert [finding.status for finding in found["needless"]] == [Status.PASS, Status.UNKNOWN]


def test_a_program_is_not_asked_what_a_crash_means() -> None:
    """It has no word for our defects."""
    program = replace(check("a", fine, Input("fact", admits_failure=True)), path=Path("a"))
    assert missing_input(program, {"fact": CRASHED}) is CRASHED
    assert missing_input(program, {"fact": Failure(Kind.SERVFAIL, "x")}) is None
