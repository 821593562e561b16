"""What is better, what is worse, and what is neither."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ipv6check.model import Result, Status, TargetReport
from ipv6check.reports.compare import ChangeKind, compare, known
from tests.saved import result, target

A, B, C = "[2001:db8::a]:443", "[2001:db8::b]:443", "[2001:db8::c]:443"
RESULTS = st.builds(
    result,
    st.sampled_from([*Status]),
    st.sampled_from(["", A, B, C]),
    st.sampled_from(["aaaa", "tcp"]),
    st.sampled_from(["host", "firewall"]),
    st.sampled_from(["", "refused", "silent"]),
)
TARGETS = st.lists(RESULTS, max_size=6).map(lambda results: target(*results))


def drifts(old: list[Result], new: list[Result]) -> list[str]:
    """The kinds of what differs."""
    return [change.kind for change in compare(target(*old), target(*new))]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (["pass"], ["fail"], ["lost"]),
        (["skip"], ["warn"], ["lost"]),
        (["warn"], ["fail"], ["lost"]),
        (["fail"], ["warn"], ["gained"]),
        (["fail"], ["skip"], ["gained"]),
        (["pass"], ["skip"], []),
        (["fail"], ["fail"], []),
        (["fail"], ["unknown"], ["changed"]),
        (["pass"], ["error"], ["changed"]),
        (["unknown"], ["fail"], ["changed"]),
        (["unknown"], ["pass"], ["changed"]),
        (["unknown"], ["unknown"], []),
        (["unknown"], ["error"], ["changed"]),
        # Of several that speak of the same the worst counts.
        (["pass", "fail"], ["fail", "warn"], []),
        (["pass", "warn"], ["unknown", "fail"], ["lost"]),
        # A check that only one of the reports has.
        ([], ["fail"], ["changed"]),
        ([], ["unknown"], ["changed"]),
        (["warn"], [], ["changed"]),
        ([], ["pass"], []),
    ],
)
def test_statuses_of_one_subject(old: list[str], new: list[str], expected: list[str]) -> None:
    """What could not be seen, or was not looked at, is neither better nor worse."""
    assert drifts([result(row) for row in old], [result(row) for row in new]) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # Each address for itself, where both reports have it.
        ({A: "fail", B: "pass"}, {A: "pass", B: "fail"}, ["lost", "gained"]),
        # A second one fails, and the other way round.
        ({A: "fail"}, {A: "fail", B: "fail"}, ["lost"]),
        ({A: "fail", B: "fail"}, {A: "fail"}, ["gained"]),
        # Withdrawn, and what is left passes.
        ({A: "fail", B: "pass"}, {B: "pass"}, ["gained"]),
        # Renumbered: broken as before, mended, broken on the way.
        ({A: "fail"}, {B: "fail"}, ["changed"]),
        ({A: "fail"}, {B: "pass"}, ["gained"]),
        ({A: "pass"}, {B: "fail"}, ["lost"]),
        ({A: "pass"}, {B: "pass"}, []),
        ({A: "fail"}, {B: "fail", C: "fail"}, ["lost", "changed"]),
        ({A: "fail"}, {B: "fail", C: "pass"}, ["changed"]),
        ({A: "warn"}, {B: "fail", C: "warn"}, ["lost", "changed"]),
        # An address that passes comes or goes.
        ({A: "pass"}, {A: "pass", B: "pass"}, []),
        # Nobody knows whether the new one is what was not seen.
        ({"": "unknown"}, {A: "fail", B: "fail"}, ["changed", "changed"]),
        ({A: "fail", B: "pass"}, {"": "unknown"}, ["changed"]),
        # But what both have is certain.
        ({A: "pass", B: "pass"}, {A: "fail", C: "unknown"}, ["lost", "changed"]),
    ],
)
def test_addresses(old: dict[str, str], new: dict[str, str], expected: list[str]) -> None:
    """Addresses that both reports have are compared, then what is left of the check."""
    before = [result(status, subject) for subject, status in old.items()]
    after = [result(status, subject) for subject, status in new.items()]
    assert drifts(before, after) == expected


def test_another_cause_or_finding_is_a_change() -> None:
    """As bad as before, and not the same; a report that names no finding denies none."""
    old = result("fail", A, cause="host", finding="refused")
    assert drifts([old], [replace(old, message="other words")]) == []
    assert drifts([old], [replace(old, finding="")]) == []
    assert drifts([old], [replace(old, finding="silent")]) == ["changed"]
    assert drifts([old], [result("fail", A, cause="firewall", finding="refused")]) == ["changed"]


def test_the_worst_is_first() -> None:
    """Then by check and subject."""
    old = target(result("fail", A), result("pass", B), result("pass", C), result("warn", "", "z"))
    new = target(
        result("pass", A), result("fail", C), result("warn", B), result("unknown", "", "z")
    )
    told = [(change.kind, change.check, change.subject) for change in compare(old, new)]
    assert told == [
        ("lost", "tcp", B),
        ("lost", "tcp", C),
        ("changed", "z", ""),
        ("gained", "tcp", A),
    ]


@given(TARGETS)
def test_nothing_differs_from_itself(told: TargetReport) -> None:
    """Whatever it says, and in whatever order it says it."""
    assert compare(told, told) == ()
    assert compare(told, replace(told, results=told.results[::-1])) == ()


@given(TARGETS, TARGETS)
def test_gained_is_lost_the_other_way_round(old: TargetReport, new: TargetReport) -> None:
    """The same pairs, with old and new exchanged."""
    mirror = {ChangeKind.LOST: ChangeKind.GAINED, ChangeKind.GAINED: ChangeKind.LOST}
    there = [(change.kind, change.check, change.old, change.new) for change in compare(old, new)]
    back = [
        (mirror.get(change.kind, change.kind), change.check, change.new, change.old)
        for change in compare(new, old)
    ]
    assert sorted(there, key=repr) == sorted(back, key=repr)


@given(TARGETS, TARGETS, st.data())
def test_becoming_unknown_is_no_gain_and_no_loss(
    old: TargetReport, new: TargetReport, data: st.DataObject
) -> None:
    """Wherever one more result is unknown, nothing more is gained or lost, here or elsewhere."""
    assume(new.results)
    at = data.draw(st.integers(0, len(new.results) - 1))
    hidden = new.results[at]
    blind = tuple(
        replace(result, status=Status.UNKNOWN)
        if (result.check, result.subject) == (hidden.check, hidden.subject)
        else result
        for result in new.results
    )
    seen = [change.kind for change in compare(old, new)]
    unseen = [change.kind for change in compare(old, replace(new, results=blind))]
    assert unseen.count(ChangeKind.LOST) <= seen.count(ChangeKind.LOST)
    assert unseen.count(ChangeKind.GAINED) <= seen.count(ChangeKind.GAINED)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({A: "fail"}, {A: "fail"}, [True]),
        ({A: "fail"}, {A: "warn"}, [True]),
        ({A: "warn"}, {A: "fail"}, [False]),
        ({A: "pass"}, {A: "fail"}, [False]),
        ({A: "unknown"}, {A: "fail"}, [False]),
        ({}, {A: "fail"}, [False]),
        # A second address fails; the broken host is renumbered.
        ({A: "fail"}, {A: "fail", B: "fail"}, [True, False]),
        ({A: "fail"}, {B: "fail"}, [True]),
        ({"": "unknown"}, {A: "fail"}, [False]),
        # There is nothing to excuse.
        ({A: "fail"}, {A: "pass"}, [False]),
        ({A: "unknown"}, {A: "unknown"}, [False]),
    ],
)
def test_what_is_known(old: dict[str, str], new: dict[str, str], expected: list[bool]) -> None:
    """A trouble that was there before, as bad or worse; of the unknown nothing is known."""
    before = target(*(result(status, subject) for subject, status in old.items()))
    after = target(*(result(status, subject) for subject, status in new.items()))
    assert [result.known for result in known(before, after).results] == expected


@given(TARGETS, TARGETS)
def test_what_is_lost_is_not_known(old: TargetReport, new: TargetReport) -> None:
    """A gate stops for all that the comparison calls lost, and for nothing that is as it was."""
    told = known(old, new).results
    lost = [change.new for change in compare(old, new) if change.kind is ChangeKind.LOST]
    assert not [result for result in told if result.known and replace(result, known=False) in lost]
    troubles = {Status.WARN, Status.FAIL}
    for row in known(new, new).results:
        assert row.known == (row.status in troubles)
