"""What we say of the rule-set suite, in every notation; and the kernel, asked again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from ipv6check.firewall.evaluate import judge
from ipv6check.firewall.model import ConntrackState, RuleError
from ipv6check.firewall.notation import read
from ipv6check.firewall.packets import packet
from tests.firewall import oracle, suite

CASES = suite.every_case()
RECORDED = [case for case in CASES if not case.refused]
REFUSED = [case for case in CASES if case.refused]
DERIVED = [(case, notation) for case in RECORDED for notation in case.derived]
STATES = [record for case in RECORDED for record in case.packets if "state" in record]


def by_name(case: suite.Case) -> str:
    """What the test of a case is called."""
    return f"{case.topic}: {case.name}"


@pytest.fixture(scope="module")
def kernel() -> Iterator[oracle.Oracle]:
    """The kernel itself."""
    yield from suite.running_oracle()


def ours(files: suite.Files, packets: Sequence[suite.Packet]) -> list[str]:
    """What we say of each packet, in the words of the records."""
    rules = read(files)
    answers = [judge(rules, packet(suite.question(record))) for record in packets]
    return [
        f"reject {answer.reply}" if answer.verdict == "reject" else answer.verdict
        for answer in answers
    ]


def untrue(kernel: oracle.Oracle, cases: Sequence[suite.Case]) -> list[str]:
    """In which of their packets the records of these cases and the kernel differ."""
    found = []
    for case in cases:
        packets = [suite.question(record) for record in case.packets]
        try:
            seen = kernel.ask(case.rules, packets, states=case.states)
        except oracle.RefusedError as refused:
            found += [] if case.refused else [f"{case.name}: {refused}"]
            continue
        told = [suite.told(answer, states=case.states) for answer in seen]
        recorded = [suite.record(record) for record in case.packets]
        found += [
            f"{case.name}: {packet}: {now}"
            for packet, now, then in zip(case.packets, told, recorded, strict=True)
            if now != then
        ]
    return found


def test_the_suite_is_worth_its_name() -> None:
    """All pitfalls and more than sixty cases of our own, each with a name of its own."""
    assert sum(case.topic == "pitfalls" for case in CASES) == 79
    assert len(CASES) >= 79 + 60
    assert len({(case.topic, case.name) for case in CASES}) == len(CASES)


@pytest.mark.slow(after=60)
@pytest.mark.parametrize("case", RECORDED, ids=by_name)
def test_we_say_what_the_kernel_does(case: suite.Case) -> None:
    """Exactly the kernel's verdict, or "depends" where that is meant."""
    told = dict(enumerate(ours(case.files, case.packets)))
    assert told == {at: p.get("expect", p["kernel"]) for at, p in enumerate(case.packets)}


@pytest.mark.parametrize("case", REFUSED, ids=by_name)
def test_nothing_is_certain_of_a_refused_file(case: suite.Case) -> None:
    """What the kernel would not load leaves whatever was there before."""
    try:
        told = ours(case.files, case.packets)
    except RuleError:
        return
    assert set(told) == {"depends"}


@pytest.mark.slow(after=20)
@pytest.mark.parametrize(
    ("case", "notation"), DERIVED, ids=[f"{by_name(case)}: {name}" for case, name in DERIVED]
)
def test_other_notations_are_never_wrong(case: suite.Case, notation: str) -> None:
    """What the real tools print of the same rules: equal answers, or less certain ones."""
    told = ours(case.derived[notation], case.packets)
    both = zip(case.packets, told, strict=True)
    wrong = [
        (record, answer) for record, answer in both if answer not in {record["kernel"], "depends"}
    ]
    assert not wrong


@pytest.mark.slow(after=20)
@pytest.mark.parametrize("record", STATES, ids=str)
def test_conntrack_is_known(record: suite.Packet) -> None:
    """The state that we give a packet is the one that conntrack gave it, or one of several."""
    assert ConntrackState[record["state"].upper()] in packet(suite.question(record)).state


@pytest.mark.parametrize("topic", suite.TOPICS)
def test_the_records_are_true(topic: str, kernel: oracle.Oracle) -> None:
    """The kernel of this machine gives the verdicts that are recorded."""
    assert not untrue(kernel, [case for case in suite.cases(topic) if not case.legacy])


def test_the_records_of_the_legacy_tables_are_true(kernel: oracle.Oracle) -> None:
    """Likewise where some of the rules are in the older half of the kernel."""
    if reason := oracle.unavailable("ip6tables-legacy"):
        pytest.skip(reason)
    assert not untrue(kernel, [case for case in CASES if case.legacy])
