import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipv6check.firewall.evaluate import judge
from ipv6check.firewall.model import (
    NEVER,
    Accept,
    AllOf,
    AnyOf,
    Assign,
    Branch,
    Drop,
    Field,
    FieldMatch,
    Gap,
    Hook,
    InterfaceMatch,
    Jump,
    Not,
    NoTrack,
    Redirect,
    Reject,
    Return,
    RuleError,
    RulePlace,
    RuleSet,
    SourceNat,
    Step,
    Unclear,
    Unmodelled,
)
from ipv6check.firewall.nft import from_json
from ipv6check.firewall.packets import packet

DROP = {"drop": None}
V4, V6 = FieldMatch(Field.FAMILY, ((4, 4),)), FieldMatch(Field.FAMILY, ((6, 6),))
TCP_ONLY = FieldMatch(Field.PROTOCOL, ((6, 6),))
ANY = (1 << 128) - 1


def payload(name: str) -> dict[str, Any]:
    """The expression that reads a header's field."""
    protocol, field = name.split()
    return {"payload": {"protocol": protocol, "field": field}}


def match(left: Any, right: Any, op: str = "==") -> dict[str, Any]:
    """The statement; the left side may be written in nft's syntax."""
    if isinstance(left, str):
        kind, _, key = left.partition(" ")
        left = {kind: {"key": key}} if kind in {"meta", "ct"} else payload(left)
    return {"match": {"op": op, "left": left, "right": right}}


def rules(*statements: Any, objects: Any = (), family: str = "inet") -> RuleSet:
    """A table t with a base chain c of these statements, and a chain x."""
    place = {"family": family, "table": "t"}
    base = {"type": "filter", "hook": "input", "prio": 0, "policy": "drop"}
    return from_json.build(
        [
            {"table": {"family": family, "name": "t"}},
            {"chain": {**place, "name": "x"}},
            {"chain": {**place, "name": "c", **base}},
            *[{kind: {**place, **body}} for kind, body in objects],
            {"rule": {**place, "chain": "c", "handle": 7, "expr": list(statements)}},
        ],
        "f.json",
    )


def steps(*statements: Any, objects: Any = (), family: str = "inet") -> tuple[Step, ...]:
    """The steps of one rule."""
    (table,) = rules(*statements, objects=objects, family=family).tables
    (rule,) = table.chains["c"].rules
    return rule.steps


def condition(*statements: Any, objects: Any = ()) -> Step:
    """The last condition of one rule that drops."""
    *_, found, action = steps(*statements, DROP, objects=objects)
    assert action == Drop()
    return found


@pytest.mark.parametrize(
    ("matched", "expected"),
    [
        (match("tcp dport", 22), (TCP_ONLY, FieldMatch(Field.DPORT, ((22, 22),)))),
        (
            match("ip saddr", "10.0.0.1", "!="),
            (V4, FieldMatch(Field.SADDR, ((10 << 24 | 1,) * 2,), negated=True)),
        ),
        (match("ip6 nexthdr", "tcp"), (V6, FieldMatch(Field.NEXT_HEADER, ((6, 6),)))),
        (
            match("icmp type", "echo-request"),
            (V4, FieldMatch(Field.PROTOCOL, ((1, 1),)), FieldMatch(Field.TYPE, ((8, 8),))),
        ),
        (
            match("icmpv6 type", {"set": ["echo-request", "nd-neighbor-solicit"]}),
            (
                V6,
                FieldMatch(Field.PROTOCOL, ((58, 58),)),
                FieldMatch(Field.TYPE, ((128, 128), (135, 135))),
            ),
        ),
        (
            match({"exthdr": {"name": "frag"}}, right=True),
            (V6, FieldMatch(Field.FRAGMENT, ((1, 1),))),
        ),
        (
            match({"exthdr": {"name": "rt", "field": "type"}}, 0),
            (V6, FieldMatch(Field.ROUTING_TYPE, ((0, 0),))),
        ),
    ],
)
def test_a_match_brings_what_nft_makes_sure_of(matched: Any, expected: tuple[Step, ...]) -> None:
    """A field of a header is read of packets that have the header, and of no others."""
    assert steps(matched, DROP) == (*expected, Drop())


@pytest.mark.parametrize(
    ("matched", "expected"),
    [
        (match("meta nfproto", "ipv6"), V6),
        (match("meta protocol", "ip"), V4),
        (
            match("meta l4proto", {"set": ["tcp", "udp"]}),
            FieldMatch(Field.PROTOCOL, ((6, 6), (17, 17))),
        ),
        (
            match("meta iifname", {"set": ["eth*", "wg0"]}),
            InterfaceMatch(Field.IIF, ("eth*", "wg0")),
        ),
        (match("meta oif", "lo", "!="), InterfaceMatch(Field.OIF, ("lo",), negated=True)),
        (match("meta mark", 3, "<"), FieldMatch(Field.MARK, ((0, 2),))),
        (match("meta pkttype", "multicast"), FieldMatch(Field.PACKET_TYPE, ((2, 2),))),
        (match("tcp dport", 1024, ">"), FieldMatch(Field.DPORT, ((1025, ANY),))),
        (
            match("tcp dport", {"range": [1, 5]}, "!="),
            FieldMatch(Field.DPORT, ((1, 5),), negated=True),
        ),
        (
            match("ip saddr", {"prefix": {"addr": "10.0.0.0", "len": 8}}),
            FieldMatch(Field.SADDR, ((10 << 24, (11 << 24) - 1),)),
        ),
        (
            match({"&": [payload("ip6 daddr"), "::ffff"]}, "::1", "!="),
            FieldMatch(Field.DADDR, ((1, 1),), negated=True, mask=0xFFFF),
        ),
        (
            match({"fib": {"result": "type", "flags": ["daddr"]}}, "local"),
            FieldMatch(Field.DADDR_TYPE, ((2, 2),)),
        ),
        (match("ct direction", "original"), FieldMatch(Field.DIRECTION, ((0, 0),))),
        (match("ct status", "dnat", "in"), FieldMatch(Field.STATUS, ((1, 32),), mask=32)),
        (
            match({"ct": {"key": "ip daddr", "dir": "original"}}, "1.2.3.4"),
            FieldMatch(Field.ORIGINAL_DADDR, ((0x01020304,) * 2,)),
        ),
    ],
)
def test_a_match_is_a_condition(matched: Any, expected: Step) -> None:
    """Names, prefixes, ranges, masks and comparisons become numbers of the field."""
    assert condition(matched) == expected


@pytest.mark.parametrize(
    ("right", "op", "mask", "negated"),
    [
        ("established", "in", 2, False),
        (["established", "related"], "in", 6, False),
        ("established", "==", 2, False),
        ({"set": ["established", "related"]}, "==", 6, False),
        ({"set": ["established", "related"]}, "!=", 6, True),
        ("established", "!", 2, True),
        ("established", "!=", 2, True),
    ],
)
def test_a_packet_has_one_state(right: Any, op: str, mask: int, negated: bool) -> None:  # noqa: FBT001
    """Equality with a state and a test of its bit are the same thing."""
    expected = FieldMatch(Field.STATE, ((1, mask),), negated, mask)
    assert condition(match("ct state", right, op)) == expected


def test_not_two_states_at_once_is_always() -> None:
    """``ct state != established,related`` compares with a value that no packet has."""
    found = condition(match("ct state", {"|": ["established", "related"]}, "!="))
    assert found == FieldMatch(Field.STATE, ((1, 1),), negated=True, mask=0)


@pytest.mark.parametrize(
    ("matched", "expected"),
    [
        (match("tcp flags", "syn", "in"), FieldMatch(Field.FLAGS, ((1, 2),), mask=2)),
        (
            match("tcp flags", ["syn", "ack"], "!"),
            FieldMatch(Field.FLAGS, ((1, 18),), negated=True, mask=18),
        ),
        (match("tcp flags", "syn"), FieldMatch(Field.FLAGS, ((2, 2),))),
        (match("tcp flags", {"set": ["syn", "fin"]}), FieldMatch(Field.FLAGS, ((1, 2),))),
        (
            match({"&": [payload("tcp flags"), ["syn", "ack"]]}, "syn"),
            FieldMatch(Field.FLAGS, ((2, 2),), mask=18),
        ),
    ],
)
def test_flags_are_bits_or_a_whole_value(matched: Any, expected: Step) -> None:
    """``in`` asks for any of the bits, a set for the whole value."""
    assert condition(matched) == expected


def test_a_set_of_one_flag_has_two_readings() -> None:
    """Nft 1.0.6 loads ``tcp flags {{ syn }}`` as a test of the bit: it is not certain."""
    assert isinstance(condition(match("tcp flags", {"set": ["syn"]})), Unmodelled)


@pytest.mark.parametrize("name", ["th dport", "@th,16,16"])
def test_a_port_of_no_protocol_is_raw_bytes(name: str) -> None:
    """``th dport`` reads the bytes of an ICMP message too, which are not known."""
    raw = {"payload": {"base": "th", "offset": 16, "len": 16}}
    found = condition(match(raw if name.startswith("@") else name, 53, "!="))
    assert isinstance(found, AnyOf)
    known, unknown = found.parts
    assert known == FieldMatch(Field.DPORT, ((53, 53),), negated=True)
    assert isinstance(unknown, AllOf)
    assert isinstance(unknown.parts[1], Unmodelled)


@pytest.mark.parametrize(
    ("right", "op", "expected"),
    [(False, "==", (NEVER, Drop())), (True, "==", (Drop(),)), (False, "!=", (Drop(),))],
)
def test_the_source_is_routed_back(right: bool, op: str, expected: tuple[Step, ...]) -> None:  # noqa: FBT001
    """A reverse path filter lets pass what comes in where its source is routed."""
    fib = {"fib": {"result": "oif", "flags": ["saddr", "mark", "iif"]}}
    assert steps(match(fib, right, op), DROP) == expected


def test_a_concatenation_matches_together() -> None:
    """Negated it wants all of its fields there, and no element that matches."""
    left = {"concat": [payload("ip saddr"), payload("tcp dport")]}
    right = {"set": [{"concat": ["10.0.0.1", {"range": [1, 5]}]}]}
    address, port = (
        FieldMatch(Field.SADDR, ((10 << 24 | 1,) * 2,)),
        FieldMatch(Field.DPORT, ((1, 5),)),
    )
    inside = AnyOf((AllOf((address, port)),))
    there = (FieldMatch(Field.SADDR, ((0, ANY),)), FieldMatch(Field.DPORT, ((0, ANY),)))
    assert steps(match(left, right), DROP) == (V4, TCP_ONLY, inside, Drop())
    assert condition(match(left, right, "!=")) == AllOf((*there, Not(inside)))


PORTS: dict[str, Any] = {"name": "s", "type": "inet_service"}


def test_a_named_set_is_its_elements() -> None:
    """Elements may have counters and comments, and come from several objects."""
    elements = [{"elem": {"val": 22, "counter": {"packets": 0}}}, {"range": [80, 90]}]
    objects = [("set", {**PORTS, "elem": elements}), ("element", {"name": "s", "elem": 443})]
    found = condition(match("tcp dport", "@s"), objects=objects)
    assert found == FieldMatch(Field.DPORT, ((22, 22), (80, 90), (443, 443)))


@pytest.mark.parametrize(
    ("extra", "statement"),
    [
        ({"flags": ["timeout"]}, None),
        ({"flags": "dynamic"}, None),
        ({}, {"set": {"op": "add", "elem": payload("tcp dport"), "set": "@s"}}),
        ({}, "jump {\n update @s { tcp dport }\n}"),
    ],
)
def test_a_set_that_changes_is_sure_of_lasting_elements_alone(extra: Any, statement: Any) -> None:
    """What is in it for good is in it; of anything else nobody knows."""
    elements = [22, {"elem": {"val": 80, "timeout": 60}}]
    objects = [("set", {**PORTS, **extra, "elem": elements})]
    if statement:
        objects.append(("rule", {"chain": "x", "expr": [statement]}))
    found = condition(match("tcp dport", "@s"), objects=objects)
    assert isinstance(found, AnyOf)
    assert found.parts[0] == FieldMatch(Field.DPORT, ((22, 22),))
    assert found.parts[1] == Unmodelled(
        "if tcp dport is in the set s, which changes at run time", steady=False
    )


@pytest.mark.parametrize("how", ["delete", "expire"])
def test_what_may_be_gone_is_no_lasting_element(how: str) -> None:
    """Neither where a rule deletes, nor where the set has a timeout for all."""
    extra = {"timeout": 60} if how == "expire" else {}
    delete = {"set": {"op": "delete", "elem": payload("tcp dport"), "set": "@s"}}
    objects = [("set", {**PORTS, **extra, "elem": [22]})]
    objects += [("rule", {"chain": "x", "expr": [delete]})] if how == "delete" else []
    found = condition(match("tcp dport", "@s"), objects=objects)
    assert isinstance(found, AnyOf)
    assert found.parts[0] == FieldMatch(Field.DPORT, ())


def test_a_verdict_map_is_a_branch() -> None:
    """Keys with one verdict are one case, the catch-all comes last, nothing runs after it."""
    data = [
        [22, {"accept": None}],
        ["*", DROP],
        [80, {"jump": {"target": "x"}}],
        [443, {"accept": None}],
    ]
    found = steps({"vmap": {"key": payload("tcp dport"), "data": {"set": data}}}, DROP)
    cases = (
        (FieldMatch(Field.DPORT, ((22, 22), (443, 443))), Accept()),
        (FieldMatch(Field.DPORT, ((80, 80),)), Jump("x")),
        (AllOf((FieldMatch(Field.DPORT, ((0, ANY),)),)), Drop()),
    )
    assert found == (TCP_ONLY, Branch(cases))


def test_a_map_of_what_is_not_modelled_may_do_anything() -> None:
    """Its verdicts are not told apart."""
    data = {"set": [[5, {"accept": None}]]}
    (found,) = steps({"vmap": {"key": {"meta": {"key": "cgroup"}}, "data": data}})
    assert isinstance(found, Unclear)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"accept": None}, (Accept(),)),
        ({"return": None}, (Return(),)),
        ({"goto": {"target": "x"}}, (Jump("x", goto=True),)),
        ({"notrack": None}, (NoTrack(),)),
        ({"counter": {"packets": 0, "bytes": 0}}, ()),
        ({"reject": None}, (Reject((3, 3), (1, 4)),)),
        ({"reject": {"type": "tcp reset"}}, (TCP_ONLY, Reject(None, None))),
        ({"reject": {"type": "icmpx", "expr": "no-route"}}, (Reject((3, 0), (1, 0)),)),
        ({"reject": {"type": "icmpx", "expr": "host-unreachable"}}, (Reject((3, 1), (1, 3)),)),
        ({"reject": {"type": "icmpx", "expr": "admin-prohibited"}}, (Reject((3, 13), (1, 1)),)),
        ({"reject": {"type": "icmpv6", "expr": "policy-fail"}}, (V6, Reject(icmpv6=(1, 5)))),
        ({"reject": {"type": "icmp", "expr": "net-prohibited"}}, (V4, Reject(icmp=(3, 9)))),
        ({"masquerade": None}, (SourceNat(local=True),)),
        ({"redirect": {"port": 8080}}, (Redirect((8080, 8080), local=True),)),
        (
            {"dnat": {"family": "ip", "addr": "1.2.3.4", "port": {"range": [80, 90]}}},
            (V4, Redirect((80, 90), (0x01020304, 0x01020304))),
        ),
        (
            {
                "dnat": {
                    "family": "ip6",
                    "addr": {
                        "map": {
                            "key": payload("tcp dport"),
                            "data": {"set": [[80, {"concat": ["::1", 8080]}]]},
                        }
                    },
                }
            },
            (
                *(V6, TCP_ONLY),
                Branch(((FieldMatch(Field.DPORT, ((80, 80),)), Redirect((8080, 8080), (1, 1))),)),
            ),
        ),
        ({"mangle": {"key": {"meta": {"key": "mark"}}, "value": 7}}, (Assign(Field.MARK, 7, 0),)),
        (
            {
                "mangle": {
                    "key": {"ct": {"key": "mark"}},
                    "value": {"|": [{"&": [{"meta": {"key": "mark"}}, 0xF]}, 0x11]},
                }
            },
            (Assign(Field.CT_MARK, 0x11, 0xE, Field.MARK),),
        ),
        ({"mangle": {"key": payload("ip6 dscp"), "value": "cs1"}}, ()),
        ({"xt": {"type": "match", "name": "comment"}}, ()),
    ],
)
def test_a_statement_is_an_action(statement: Any, expected: tuple[Step, ...]) -> None:
    """Each statement does what the kernel was seen to do."""
    assert steps(statement) == expected


@pytest.mark.parametrize(
    "matched",
    [
        match("meta cgroup", 7),
        match("ip6 dscp", "cs1"),
        match("tcp dport", "no-such-service"),
        match("ct status", "dnat", "!="),
        match("meta iif", 7),
        match("meta nfproto", 7),
        match("ip6 saddr", "10.0.0.1"),
        match("meta mark", 1 << 40),
        match({"fib": {"result": "oif", "flags": ["saddr"]}}, right=False),
        match({"exthdr": {"name": "srh", "field": "sid[1]"}}, "::1"),
        match({"numgen": {"mode": "inc", "mod": 2, "offset": 0}}, 0),
        match("tcp dport", 22, "like"),
    ],
)
def test_a_match_that_is_not_modelled_says_so(matched: Any) -> None:
    """It is neither true nor false, whatever comes after it."""
    found = condition(matched)
    assert isinstance(found, Unmodelled)
    assert found.reason.endswith("matches, which is not modelled")
    assert not found.steady


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ({"limit": {"rate": 10, "per": "second"}}, "under a rate limit (10/second)"),
        ({"limit": {"rate": 1, "per": "day", "inv": True}}, "over a rate limit (1/day)"),
        ({"limit": "slow"}, "as the limit slow allows"),
        ({"quota": {"val": 5, "inv": True}}, "over a quota"),
        ({"ct count": {"val": 3}}, "while there are at most 3 connections"),
        ({"flow": {"op": "add", "flowtable": "@f"}}, "if its flow can be offloaded"),
        (
            {"xt": {"type": "match", "name": "recent"}},
            "if xt match recent matches, which this listing does not show: give ip6tables-save",
        ),
        (
            {"meter": {"name": "m", "key": payload("ip saddr"), "stmt": {"limit": "slow"}}},
            "as the limit slow allows",
        ),
        ({"tproxy": {"port": 1}}, "if a transparent proxy takes it"),
    ],
)
def test_a_statement_that_may_end_the_rule_is_a_condition(statement: Any, reason: str) -> None:
    """Two alike are not one: a limit that held a moment ago may hold no more."""
    found = condition(statement)
    assert isinstance(found, Unmodelled)
    assert (found.reason, found.steady) == (reason, False)


@pytest.mark.parametrize(
    "statement",
    [
        {"queue": {"num": 1}},
        {"synproxy": None},
        {"fwd": {"dev": "lo"}},
        {"teleport": {"to": "mars"}},
        {"unparsed": "teleport to mars"},
        {"mangle": {"key": payload("ip6 daddr"), "value": "::1"}},
        {"mangle": {"key": {"ct": {"key": "zone"}}, "value": 1}},
        {"reject": {"type": "icmpx", "expr": "mars"}},
        {"vmap": {"key": payload("tcp dport"), "data": "@gone"}},
        {"xt": {"type": "target", "name": "MARK"}},
        "jump {\n accept\n}",
    ],
)
def test_a_statement_that_is_not_modelled_ends_unclear(statement: Any) -> None:
    """It may have let the packet in, so nothing after it is certain."""
    *_, found = steps(statement, DROP)
    assert isinstance(found, Unclear)


def test_a_mark_from_a_map_is_one_of_its_values() -> None:
    """Where the map has no such key the rule ends; which mark it is, is not told."""
    value = {"map": {"key": payload("tcp dport"), "data": {"set": [[80, 7]]}}}
    readable, mark, action = steps(
        {"mangle": {"key": {"meta": {"key": "mark"}}, "value": value}}, DROP
    )
    assert isinstance(readable, Unmodelled)
    assert "tcp dport map { 80 : 7 }" in readable.reason
    assert (mark, action) == (Assign(Field.MARK, known=False), Drop())


def test_xt_makes_its_table_opaque() -> None:
    """Another file has to tell what is in it."""
    assert rules({"xt": {"type": "match", "name": "recent"}}, DROP).tables[0].opaque


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        ([("rule", {"chain": "gone", "expr": []})], "there is no chain gone"),
        ([("rule", {"chain": "x", "expr": [{"jump": {"target": "y"}}]})], "no chain y to jump to"),
        ([("rule", {"chain": "x", "expr": [{"jump": {"target": "c"}}]})], "no chain c to jump to"),
        ([("rule", {"chain": "x", "expr": [match("tcp dport", "@g"), DROP]})], "there is no set g"),
        ([("element", {"name": "g", "elem": [1]})], "there is no set g"),
        ([("refused", {"line": 3, "reason": "no such word"})], "no such word"),
        (
            [("chain", {"name": "c", "type": "filter", "hook": "forward", "prio": 0})],
            "the chain c is declared twice",
        ),
    ],
)
def test_what_the_kernel_would_not_load_is_refused(objects: Any, reason: str) -> None:
    """Such a file leaves the rules as they were."""
    (refusal,) = rules(objects=objects).refusals
    assert reason in refusal.reason


@pytest.mark.parametrize(
    ("thing", "reason"),
    [
        ({"teleporter": {"name": "x"}}, "teleporter objects are not modelled"),
        ({"metainfo": {"json_schema_version": 2}}, "version 2 of nft's JSON is not known"),
        ({"table": {"family": "ipx", "name": "t"}}, "tables of the family ipx are not modelled"),
        ({"gap": {"line": 2, "reason": "an include is missing"}}, "an include is missing"),
        ({"unparsed_object": {"text": "blob x", "line": 2}}, '"blob x" is not modelled'),
        (
            {"table": {"family": "inet", "name": "t", "flags": "filter"}},
            "it is not known whether the table inet t is dormant: give nft's text",
        ),
    ],
)
def test_what_is_not_known_is_a_gap(thing: Any, reason: str) -> None:
    """It could decide anything."""
    assert from_json.build([thing], "f").gaps == [Gap(reason)]


@pytest.mark.parametrize(
    "thing",
    [
        {"counter": {"family": "inet", "table": "t", "name": "c"}},
        {"table": {"family": "bridge", "name": "b"}},
        {"unparsed_object": {"text": "ct helper ftp", "line": 1}},
        {"metainfo": {"json_schema_version": 1}},
    ],
)
def test_what_decides_nothing_is_no_gap(thing: Any) -> None:
    """Counters count, and bridges do not route."""
    assert from_json.build([thing], "f") == RuleSet(covers=frozenset({4, 6}))


def test_a_dormant_table_is_marked() -> None:
    """Its chains are there and do not run."""
    table = {"table": {"family": "ip6", "name": "t", "flags": ["dormant"]}}
    (found,) = from_json.build([table], "f").tables
    assert found.dormant
    assert found.families == {6}


def test_a_priority_is_a_number() -> None:
    """The names of text are numbers in JSON."""
    chain = {"name": "p", "type": "nat", "hook": "prerouting", "prio": -90}
    base = rules(objects=[("chain", chain)]).tables[0].chains["p"].base
    assert base is not None
    assert (base.hook, base.priority, base.nat) == (Hook.PREROUTING, -90, True)
    with pytest.raises(RuleError):
        rules(objects=[("chain", {**chain, "prio": "dstnat"})])


def test_a_chain_at_egress_only_sees_what_leaves() -> None:
    """It is the last hook of its interface, and nothing that comes in passes it."""
    table = {"family": "netdev", "name": "t"}
    base = {"type": "filter", "hook": "egress", "dev": "eth0", "prio": 0, "policy": "drop"}
    chain = {"family": "netdev", "table": "t", "name": "e", **base}
    read = from_json.build([{"table": table}, {"chain": chain}], "f")
    leaving = {"proto": "udp", "dport": 53, "hook": "output"}
    assert not read.gaps
    assert judge(read, packet({"proto": "tcp", "dport": 22})).verdict == "accept"
    assert judge(read, packet({**leaving, "oif": "eth0"})).verdict == "drop"
    assert judge(read, packet({**leaving, "oif": "eth1"})).verdict == "accept"


def test_a_chain_that_is_declared_again_is_not_certain() -> None:
    """No listing has it twice."""
    again = {"name": "c", "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}
    assert rules(DROP, objects=[("chain", again)]).refusals


@pytest.mark.parametrize("devices", [{}, {"dev": "eth0"}, {"dev": ["eth0", "eth1"]}])
def test_ingress_is_of_the_devices_it_names(devices: Any) -> None:
    """Nft 1.0.6 leaves them out of its JSON, and then nobody knows where the chain runs."""
    chain = {"name": "i", "type": "filter", "hook": "ingress", "prio": 0, "policy": "drop"}
    objects = [("chain", {**chain, **devices}), ("rule", {"chain": "i", "expr": [DROP]})]
    found = rules(objects=objects, family="netdev").tables[0].chains["i"]
    assert found.base is not None
    assert isinstance(found.base.policy, Drop if devices else Unclear)
    assert isinstance(found.rules[0].steps[0], Drop if devices else Unmodelled)


def test_a_rule_is_told_in_the_syntax_of_nft() -> None:
    """With its handle, or with the text and the line that it was read from."""
    statements = [
        match("meta iifname", "eth0"),
        match("tcp dport", {"set": [22, {"range": [80, 90]}]}, "!="),
        {"counter": {"packets": 0, "bytes": 0}},
        {"reject": {"type": "icmpx", "expr": "no-route"}},
    ]
    (found,) = rules(*statements).tables[0].chains["c"].rules
    text = 'iifname "eth0" tcp dport != { 22, 80-90 } counter reject with icmpx no-route'
    assert (found.text, found.place) == (text, RulePlace("f.json", None, 7))
    given_text = ("rule", {"chain": "x", "expr": [DROP], "text": "drop", "line": 3})
    (found,) = rules(objects=[given_text]).tables[0].chains["x"].rules
    assert (found.text, found.place) == ("drop", RulePlace("f.json", 3))


@pytest.mark.parametrize("kind", ["set", "map"])
def test_a_statement_that_adds_to_a_set_goes_on(kind: str) -> None:
    """It needs what it reads, and is told as it was written."""
    body = {"op": "add", kind: "@s", "elem": payload("ip saddr")}
    (rule,) = (
        rules({kind: body | ({"data": 5} if kind == "map" else {})}, DROP)
        .tables[0]
        .chains["c"]
        .rules
    )
    assert rule.steps == (V4, FieldMatch(Field.SADDR, ((0, ANY),)), Drop())
    assert rule.text.startswith("add @s { ip saddr")


def test_conditions_on_nothing_are_left_out() -> None:
    """A rule that only counts decides nothing."""
    assert steps(match("tcp dport", 22), {"counter": None}) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "f:1: Expecting property name"),
        ('{\n"nftables": [}', "f:2: Expecting value"),
        ('{"nftables": 5}', "f:1: not what nft -j prints"),
        ("[]", "f:1: not what nft -j prints"),
        ("[" * 100_000, "f:1: a number is too long, or the nesting too deep"),
        ('{"nftables": [1]}', "f:object 1: not as nft prints it: 1"),
        ('{"nftables": [{"table": {"name": 5}}]}', "f:object 1: not as nft prints it: "),
        ('{"nftables": [{"rule": {"line": 8}}]}', "f:8: not as nft prints it: "),
    ],
)
def test_an_error_tells_where(text: str, message: str) -> None:
    """One line, with the line of the file or the number of the object."""
    assert from_json.recognised(text)
    with pytest.raises(RuleError) as caught:
        from_json.parse(text, "f")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("text", ["table inet t {", "*filter\n", "-P INPUT DROP\n", ""])
def test_other_notations_are_not_json(text: str) -> None:
    """Only JSON begins with a bracket."""
    assert not from_json.recognised(text)


LISTING = [
    match("ip6 saddr", {"prefix": {"addr": "fe80::", "len": 10}}),
    match({"concat": [payload("ip saddr"), payload("th dport")]}, "@s"),
    {"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["new", DROP], ["*", DROP]]}}},
    {"dnat": {"family": "ip", "addr": {"range": ["10.0.0.1", "10.0.0.9"]}, "port": 80}},
]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["set", "elem", "range", "key", "val"]), inner, max_size=2
        )
    ),
    max_leaves=5,
)


def garbled(value: Any, data: st.DataObject) -> Any:
    """The same with one part replaced."""
    if isinstance(value, dict | list) and value and data.draw(st.integers(0, 9)):
        key = data.draw(st.sampled_from(range(len(value)) if isinstance(value, list) else [*value]))
        copy: Any = value.copy()
        copy[key] = garbled(value[key], data)
        return copy
    return data.draw(JUNK)


@given(st.data())
def test_garbled_json_is_an_error_or_a_rule_set(data: st.DataObject) -> None:
    """No text makes the parser fail in any other way."""
    place = {"family": "inet", "table": "t"}
    listing: Any = [
        {"metainfo": {"json_schema_version": 1}},
        {"table": {"family": "inet", "name": "t"}},
        {"chain": {**place, "name": "c", "type": "filter", "hook": "input", "prio": 0}},
        {"set": {**place, "name": "s", "flags": ["timeout"], "elem": [{"concat": ["1.2.3.4", 5]}]}},
        *({"rule": {**place, "chain": "c", "expr": [statement]}} for statement in LISTING),
    ]
    try:
        from_json.parse(json.dumps({"nftables": garbled(listing, data)}), "f")
    except RuleError as error:
        message = str(error)
    else:
        message = ""
    assert not set(message) & {"\n", "\x1b", "\x00"}
