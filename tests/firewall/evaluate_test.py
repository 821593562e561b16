"""The evaluator over rules that are plain data: what is open stays open, what is certain holds."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ipv6check.firewall.evaluate import MAX_PATHS, TOO_COMPLEX, Budget, PacketVerdict, judge
from ipv6check.firewall.model import (
    ALWAYS,
    Accept,
    Action,
    Assign,
    Base,
    Branch,
    Chain,
    Condition,
    ConntrackState,
    Drop,
    Field,
    FieldMatch,
    Gap,
    Hook,
    InterfaceMatch,
    Jump,
    NoTrack,
    Redirect,
    Refusal,
    Reject,
    Return,
    Rule,
    RulePlace,
    RuleSet,
    SourceNat,
    Step,
    Table,
    Unclear,
    Unmodelled,
    prefix,
)
from ipv6check.firewall.packets import packet

DOCUMENTATION = prefix(0x20010DB8 << 96, 32, 128)
SSH: Condition = FieldMatch(Field.DPORT, ((22, 22),))
FROM_DOCUMENTATION: Condition = FieldMatch(Field.SADDR, (DOCUMENTATION,))
ON_WG0: Condition = InterfaceMatch(Field.IIF, ("wg0",))
ECHO: dict[str, object] = {"proto": "icmpv6", "type": 128}
SOMETIMES: Condition = Unmodelled("under a rate limit", steady=False)


def rule(*steps: Step) -> Rule:
    """A rule whose text nobody reads."""
    return Rule(steps, "a rule", RulePlace("rules", 1))


def base(
    *rules: Rule,
    hook: Hook = Hook.INPUT,
    priority: int = 0,
    policy: Accept | Drop = Drop(),  # noqa: B008 - frozen
    nat: bool = False,
    name: str = "input",
) -> Chain:
    """A base chain."""
    return Chain(name, Base(hook, priority, policy, nat=nat), list(rules))


def host(*chains: Chain) -> RuleSet:
    """A host with these chains, a table each unless they jump to each other."""
    table = Table("inet", "filter", frozenset({4, 6}), {chain.name: chain for chain in chains})
    return RuleSet([table], frozenset({4, 6}))


def asked(rules: RuleSet, **probe: object) -> PacketVerdict:
    """The answer for TCP port 22 over IPv6, unless the probe says else."""
    given = {"proto": "tcp", "dport": 22, **probe}
    if str(given["proto"]).startswith("icmp"):
        del given["dport"]
    return judge(rules, packet(given))


def test_the_first_rule_that_matches_decides() -> None:
    """A drop above an accept is what counts, and it is named."""
    answer = asked(host(base(rule(SSH, Drop()), rule(Accept()))))
    assert (answer.verdict, answer.rule and answer.rule.text) == ("drop", "a rule")


def test_an_open_source_makes_it_depend_and_says_on_what() -> None:
    """Where the sender is not given, a rule on senders divides them."""
    answer = asked(host(base(rule(FROM_DOCUMENTATION, Accept()))))
    assert answer.verdict == "depends"
    assert answer.conditions == ("accept only from 2001:db8::/32", "drop otherwise")
    assert answer.otherwise == "drop"


@pytest.mark.parametrize(
    ("source", "verdict"),
    [("2001:db8::1", "accept"), ("2001:db8:5::/48", "accept"), ("2001:db9::/32", "drop")],
)
def test_a_given_source_is_certain(source: str, verdict: str) -> None:
    """An address or a prefix that lies within, or outside, decides."""
    assert asked(host(base(rule(FROM_DOCUMENTATION, Accept()))), saddr=source).verdict == verdict


def test_what_was_learned_is_remembered() -> None:
    """Behind a rule that took all of a prefix, nobody of that prefix is left."""
    others = FieldMatch(Field.SADDR, (DOCUMENTATION,), negated=True)
    answer = asked(host(base(rule(FROM_DOCUMENTATION, Drop()), rule(others, Drop()))))
    assert answer.verdict == "drop"


def test_a_steady_condition_is_the_same_twice() -> None:
    """One unknown match that stands in two rules is true in both or in none."""
    secret = Unmodelled("if it is Tuesday")
    both = host(base(rule(secret, Drop()), rule(secret, Accept()), policy=Drop()))
    assert asked(both).verdict == "drop"
    twice = host(base(rule(SOMETIMES, Drop()), rule(SOMETIMES, Accept()), policy=Drop()))
    assert asked(twice).verdict == "depends"


def test_ways_that_end_alike_are_certain() -> None:
    """An unknown match that only decides who accepts leaves the answer certain."""
    answer = asked(host(base(rule(SOMETIMES, Accept()), rule(Accept()))))
    assert answer.verdict == "accept"


def test_an_interface_is_open_but_never_loopback() -> None:
    """Rules on lo do not concern what comes from outside; others divide."""
    only_lo = host(base(rule(InterfaceMatch(Field.IIF, ("lo",)), Accept())))
    assert asked(only_lo).verdict == "drop"
    assert asked(only_lo, iif="lo").verdict == "accept"
    answer = asked(host(base(rule(ON_WG0, Accept()))))
    assert answer.conditions == ("accept on wg0; drop on others",)
    assert asked(host(base(rule(ON_WG0, Accept()))), iif="wg0").verdict == "accept"


def test_where_only_the_interface_decides_it_is_a_list() -> None:
    """One line, by verdict; patterns are names too, and what a source decides stays as it was."""
    lan: Condition = InterfaceMatch(Field.IIF, ("lan*", "lo"))
    guest: Condition = InterfaceMatch(Field.IIF, ("lan9",))
    rules = host(base(rule(guest, Reject()), rule(lan, Accept()), rule(ON_WG0, SSH, Accept())))
    answer = asked(rules)
    assert answer.conditions == ("accept on lan*, lo, wg0; reject on lan9; drop on others",)
    assert (answer.verdict, answer.otherwise) == ("depends", "drop")
    assert asked(rules, dport=80).conditions == (
        "accept on lan*, lo; reject on lan9; drop on others",
    )
    mixed = host(base(rule(ON_WG0, FROM_DOCUMENTATION, Accept())))
    assert asked(mixed).conditions == (
        "accept only on wg0 and from 2001:db8::/32",
        "drop otherwise",
    )
    out = host(
        base(rule(InterfaceMatch(Field.OIF, ("eth1",)), Drop()), hook=Hook.FORWARD, policy=Accept())
    )
    assert asked(out, hook="forward").conditions == ("drop out of eth1; accept out of others",)


def limit(rate: float, *, over: bool = False) -> Condition:
    """A limit of so many packets a second."""
    return Unmodelled(f"a rate limit ({rate}/second)", steady=False, rate=rate, over=over)


@pytest.mark.parametrize(
    ("rules", "probe", "verdict", "conditions"),
    [
        ([rule(limit(1000), Accept())], ECHO, "accept", ("up to 1000/s",)),
        ([rule(limit(10), Accept())], ECHO, "accept", ("up to 10/s",)),
        ([rule(limit(9.9), Accept())], ECHO, "depends", None),
        ([rule(limit(500), Accept()), rule(limit(20), Drop())], ECHO, "accept", ("up to 500/s",)),
        ([rule(limit(50, over=True), Drop()), rule(Accept())], ECHO, "accept", ("up to 50/s",)),
        ([rule(limit(50, over=True), Drop())], ECHO, "drop", ()),
        ([rule(limit(50), Accept()), rule(Accept())], ECHO, "accept", ()),
        ([rule(SSH, limit(25 / 60), Accept())], {}, "depends", None),
        ([rule(SSH, limit(100), Accept())], {}, "depends", None),
        ([rule(SSH, limit(1000), Accept())], {}, "accept", ("up to 1000/s",)),
        ([rule(limit(20), SSH, Drop()), rule(Accept())], ECHO, "accept", ()),
        ([rule(ON_WG0, limit(20), Accept())], ECHO, "depends", ("accept on wg0; drop on others",)),
    ],
)
def test_a_generous_limit_is_a_pass(
    rules: list[Rule], probe: dict[str, object], verdict: str, conditions: tuple[str, ...] | None
) -> None:
    """What a flood would reach and nobody else; a limit that users reach is told as one."""
    answer = asked(host(base(*rules)), **probe)
    assert answer.verdict == verdict
    assert conditions is None or answer.conditions == conditions


@pytest.mark.parametrize(("goto", "verdict"), [(False, "accept"), (True, "drop")])
def test_goto_does_not_come_back(goto: bool, verdict: str) -> None:  # noqa: FBT001
    """The end of a chain leads back to the jump, but past a goto to the policy."""
    rules = host(base(rule(Jump("other", goto)), rule(Accept())), Chain("other"))
    assert asked(rules).verdict == verdict


def test_return_leaves_the_chain() -> None:
    """In a jumped chain that is the next rule of the caller, in a base chain the policy."""
    inner = Chain("inner", rules=[rule(Return()), rule(Drop())])
    assert asked(host(base(rule(Jump("inner")), rule(Accept())), inner)).verdict == "accept"
    assert asked(host(base(rule(Return()), rule(Accept())))).verdict == "drop"


def test_accept_ends_one_base_chain_only() -> None:
    """A later chain of the same hook still drops."""
    rules = host(
        base(rule(Accept()), name="first", priority=-10),
        base(rule(SSH, Drop()), name="second", policy=Accept()),
    )
    assert asked(rules).verdict == "drop"
    assert asked(rules, dport=80).verdict == "accept"


def test_chains_of_equal_priority_are_certain_where_their_order_is_nothing() -> None:
    """Two drops are a drop; a drop and a reject are not known to be either."""
    drops = host(base(rule(SSH, Drop()), name="one"), base(rule(SSH, Drop()), name="two"))
    assert asked(drops).verdict == "drop"
    differ = host(base(rule(SSH, Drop()), name="one"), base(rule(SSH, Reject()), name="two"))
    assert asked(differ).verdict == "depends"


def test_state_is_invalid_before_conntrack() -> None:
    """A chain before -200 sees no state, one behind it the real one."""
    new = FieldMatch(Field.STATE, ((ConntrackState.NEW, ConntrackState.NEW),))
    early = host(base(rule(new, Drop()), hook=Hook.PREROUTING, priority=-300, policy=Accept()))
    late = host(base(rule(new, Drop()), hook=Hook.PREROUTING, priority=-150, policy=Accept()))
    beside = host(base(rule(new, Drop()), hook=Hook.PREROUTING, priority=-200, policy=Accept()))
    assert [asked(rules).verdict for rules in (early, late, beside)] == [
        "accept",
        "drop",
        "depends",
    ]


def test_notrack_is_seen_later() -> None:
    """What conntrack was told to leave alone is untracked to every later rule."""
    untracked = FieldMatch(Field.STATE, ((ConntrackState.UNTRACKED, ConntrackState.UNTRACKED),))
    rules = host(
        base(rule(NoTrack()), hook=Hook.PREROUTING, priority=-300, policy=Accept(), name="raw"),
        base(rule(untracked, Accept())),
    )
    assert asked(rules).verdict == "accept"


def test_a_mark_of_an_earlier_hook_decides() -> None:
    """Two ways that differ in their mark stay two, also through later chains."""
    marked = FieldMatch(Field.MARK, ((7, 7),))
    raw = base(
        rule(SOMETIMES, Assign(Field.MARK, 7, 0)),
        hook=Hook.PREROUTING,
        priority=-150,
        policy=Accept(),
        name="mangle",
    )
    assert asked(host(raw, base(rule(marked, Accept())))).verdict == "depends"
    assert asked(host(raw, base(rule(marked, Accept()), rule(Accept())))).verdict == "accept"


def test_a_redirect_changes_the_port_that_later_rules_see() -> None:
    """Destination NAT to another local port opens that one."""
    nat = base(
        rule(SSH, Redirect((2222, 2222), local=True)),
        hook=Hook.PREROUTING,
        priority=-100,
        policy=Accept(),
        nat=True,
        name="nat",
    )
    rules = host(nat, base(rule(FieldMatch(Field.DPORT, ((2222, 2222),)), Accept())))
    assert asked(rules).verdict == "accept"
    assert asked(rules, ct="established").verdict == "drop", "nat sees first packets only"


def test_what_is_sent_on_to_another_host_depends() -> None:
    """Where a packet goes to another address, these rules do not tell its end."""
    nat = base(
        rule(SSH, Redirect(None, DOCUMENTATION)),
        hook=Hook.PREROUTING,
        policy=Accept(),
        nat=True,
        name="nat",
    )
    assert asked(host(nat)).verdict == "depends"


@pytest.mark.parametrize(
    ("probe", "verdict", "reply"),
    [
        ({}, "reject", "icmpv6 1/4"),
        ({"proto": "icmpv6", "type": 2}, "drop", None),
        ({"proto": "icmpv6", "type": 130}, "drop", None),
        ({"proto": "icmpv6", "type": 135, "saddr": "::"}, "drop", None),
        ({"proto": "tcp", "family": 4}, "reject", "icmp 3/3"),
    ],
)
def test_a_reject_that_may_not_answer_is_a_drop(
    probe: dict[str, object], verdict: str, reply: str | None
) -> None:
    """RFC 4443 section 2.4: errors, groups and the unspecified address get no answer."""
    answer = asked(host(base(rule(Reject()))), **probe)
    assert (answer.verdict, answer.reply) == (verdict, reply)


def test_a_verdict_map_takes_the_first_case_and_else_goes_on() -> None:
    """A key that is in no case leads to the next rule."""
    cases: tuple[tuple[Condition, Action], ...] = ((SSH, Drop()),)
    rules = host(base(rule(Branch(cases)), rule(Accept())))
    assert asked(rules).verdict == "drop"
    assert asked(rules, dport=80).verdict == "accept"
    assert asked(rules, dport="20-30").verdict == "depends"


def test_what_is_not_given_is_never_certain() -> None:
    """Gaps, files that would not load, a family without rules: it depends, and says why."""
    rules = host(base(rule(Accept())))
    rules.gaps.append(Gap("the legacy tables were not given", frozenset({6})))
    answer = asked(rules)
    assert answer.verdict == "depends"
    assert answer.conditions[0] == "the legacy tables were not given"
    assert asked(rules, family=4).verdict == "accept"
    rules = host(base(rule(Accept())))
    rules.refusals.append(Refusal("no such chain", RulePlace("rules", 3), frozenset({6})))
    assert asked(rules).conditions[0] == "rules:3 would not load: no such chain"
    rules = host(base(rule(Accept())))
    rules.covers = frozenset({6})
    assert asked(rules, family=4).verdict == "depends"


def test_a_statement_that_is_not_modelled_is_never_certain() -> None:
    """Neither the verdict before nor the one behind it is taken for granted."""
    answer = asked(host(base(rule(Unclear("if a program lets it through")), rule(Accept()))))
    assert answer.verdict == "depends"
    assert answer.conditions == ("accept only if a program lets it through",)


def test_a_missing_or_endless_chain_is_never_certain() -> None:
    """A jump to nowhere, and chains that jump to each other, end in depends."""
    assert asked(host(base(rule(Jump("nowhere"))))).verdict == "depends"
    loop = Chain("loop", rules=[rule(Jump("loop"))])
    assert asked(host(base(rule(Jump("loop"))), loop)).verdict == "depends"


def test_more_ways_than_can_be_told_apart_depend() -> None:
    """Marks that multiply without end are given up, not guessed."""
    many = [rule(SOMETIMES, Assign(Field.MARK, 1 << bit, 0xFFFFFFFF)) for bit in range(MAX_PATHS)]
    answer = asked(host(base(*many, policy=Accept())))
    assert answer.verdict == "depends"


def nested(depth: int, *conditions: Condition) -> RuleSet:
    """Chains of which each jumps to the next one several times, by these conditions."""
    chains = [
        Chain(
            f"c{at}",
            rules=[rule(condition, Jump(f"c{at + 1}")) for condition in varied(at, conditions)],
        )
        for at in range(depth)
    ]
    last = Chain(f"c{depth}", rules=[rule(FROM_DOCUMENTATION, SSH, Drop())])
    return host(base(rule(Jump("c0")), policy=Accept()), *chains, last)


def varied(level: int, conditions: Iterable[Condition]) -> list[Condition]:
    """The same conditions of another level: they are about other bits, names and limits."""
    return [
        FieldMatch(condition.field, ((1 << level,) * 2,), mask=1 << level)
        if isinstance(condition, FieldMatch)
        else InterfaceMatch(condition.field, (f"{condition.names[0]}{level}",), condition.negated)
        if isinstance(condition, InterfaceMatch)
        else Unmodelled(f"{condition.reason} {level}", condition.steady)
        if isinstance(condition, Unmodelled)
        else condition
        for condition in conditions
    ]


def steps_taken(rules: RuleSet) -> int:
    """How many steps the answer takes."""
    whole = 1_000_000_000
    budget = Budget(0, whole)
    assert judge(rules, packet({"proto": "tcp", "dport": 22}), budget).verdict == "depends"
    return whole - budget.pool


ANY_SOURCE: Condition = FieldMatch(Field.SADDR, ((1, 1),), mask=1)
ANY_SPORT: Condition = FieldMatch(Field.SPORT, ((1, 1),), mask=1)


@pytest.mark.parametrize(
    "conditions",
    [
        (ALWAYS, ALWAYS),
        (ALWAYS, ALWAYS, ALWAYS),
        (SOMETIMES, SOMETIMES),
        (Unmodelled("one"), Unmodelled("two")),
        (ON_WG0, InterfaceMatch(Field.IIF, ("eth",), negated=True)),
        (ANY_SOURCE, ANY_SPORT),
        (ANY_SOURCE, ALWAYS),
    ],
    ids=["plain", "thrice", "limits", "unknown", "interfaces", "masks", "mixed"],
)
def test_jumps_do_not_multiply(conditions: tuple[Condition, ...]) -> None:
    """Two jumps a level to the same next chain: twice as deep is some times the work, no square."""
    shallow, deep = (steps_taken(nested(depth, *conditions)) for depth in (7, 14))
    assert deep < 12 * shallow, (shallow, deep)
    assert deep < 60_000


def test_gotos_and_maps_do_not_multiply_either() -> None:
    """Whatever leads to a chain, it is judged once for each class of packets."""
    cases = tuple((FieldMatch(Field.SPORT, ((at, at),)), Jump("next")) for at in range(1024, 1824))
    maps = host(base(rule(Branch(cases))), Chain("next", rules=[rule(FROM_DOCUMENTATION, Drop())]))
    maps.tables[0].chains["input"].rules.append(rule(FROM_DOCUMENTATION, Accept()))
    assert steps_taken(maps) < 20 * len(cases)
    loop = host(
        base(rule(Jump("a"))),
        Chain("a", rules=[rule(Jump("b")), rule(Jump("b", goto=True))]),
        Chain("b", rules=[rule(Jump("a")), rule(Jump("a", goto=True))]),
    )
    assert steps_taken(loop) < 1_000


def test_what_takes_too_long_depends() -> None:
    """The deadline is a number of steps, so the same rules get the same answer everywhere."""
    rules = host(base(*[rule(SOMETIMES, SSH, Drop()) for _ in range(100)], rule(SSH, Accept())))
    short = judge(rules, packet({"proto": "tcp", "dport": 22}), Budget(50, 50))
    assert (short.verdict, short.conditions) == ("depends", (TOO_COMPLEX,))
    assert TOO_COMPLEX not in asked(rules).conditions


def test_a_hard_packet_leaves_the_others_their_share() -> None:
    """The pool is for all packets together; a share is each one's own."""
    hard = host(base(*[rule(SOMETIMES, SSH, Drop()) for _ in range(500)]))
    budget = Budget(200, 200)
    asked_for = packet({"proto": "tcp", "dport": 22})
    assert judge(hard, asked_for, budget).conditions == (TOO_COMPLEX,)
    assert budget.pool == 0
    assert judge(host(base(rule(SSH, Accept()))), asked_for, budget).verdict == "accept"


def test_shared_chains_are_as_certain_as_others() -> None:
    """A chain that was judged for one class of packets is judged anew for another."""
    inner = Chain("inner", rules=[rule(FROM_DOCUMENTATION, Accept()), rule(Drop())])
    other = prefix(0x20010DB9 << 96, 32, 128)
    both = host(
        base(
            rule(FROM_DOCUMENTATION, Jump("inner")),
            rule(FieldMatch(Field.SADDR, (other,)), Jump("inner")),
            rule(Accept()),
        ),
        inner,
    )
    assert asked(both, saddr="2001:db8::1").verdict == "accept"
    assert asked(both, saddr="2001:db9::1").verdict == "drop"
    assert asked(both).conditions == ("drop from 2001:db9::/32", "accept otherwise")


def test_more_classes_than_are_told_apart_are_never_wrong() -> None:
    """Jumps from hundreds of sources to one chain, which asks for the source again."""
    sources = [prefix((0x20010DB8 << 96) + (at << 80), 48, 128) for at in range(300)]
    inner = Chain(
        "inner", rules=[rule(FieldMatch(Field.SADDR, (sources[-1],)), Drop()), rule(Accept())]
    )
    jumps = [rule(FieldMatch(Field.SADDR, (source,)), Jump("inner")) for source in sources]
    rules = host(base(*jumps), inner)
    assert asked(rules, saddr="2001:db8:12b::1").verdict == "drop"
    assert asked(rules, saddr="2001:db8:12a::1").verdict == "accept"
    assert asked(rules).verdict == "depends"


def test_behind_a_mapping_other_nat_chains_are_skipped() -> None:
    """Whichever action has set it up, and in the same hook alone."""
    new: Condition = FieldMatch(Field.STATE, ((ConntrackState.NEW, ConntrackState.NEW),))

    def answer(first: Action, late: Hook = Hook.PREROUTING) -> str:
        early = base(
            rule(SSH, first), hook=Hook.PREROUTING, policy=Accept(), nat=True, name="early"
        )
        second = base(rule(Drop()), hook=late, priority=1, policy=Accept(), nat=True, name="late")
        return asked(host(early, second, base(rule(new, Accept())))).verdict

    assert answer(Redirect((22, 22), local=True)) == "accept"
    assert answer(SourceNat(local=True)) == "accept"
    assert answer(Accept()) == "drop"
    assert answer(Redirect((22, 22), local=True), Hook.INPUT) == "drop"


def test_a_field_that_a_packet_lacks_never_matches() -> None:
    """The port of an ICMP message is neither 22 nor not 22."""
    no_ssh = FieldMatch(Field.DPORT, ((22, 22),), negated=True)
    rules = host(base(rule(no_ssh, Drop()), policy=Accept()))
    assert asked(rules, proto="icmpv6", type=128).verdict == "accept"
    assert asked(rules, dport=80).verdict == "drop"
