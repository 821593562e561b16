"""What rules allow, in one sentence; and which rules no base chain reaches.

Ports are tried in ranges that no rule divides, so that the sentence holds for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ipv6check.firewall.evaluate import PacketVerdict
from ipv6check.firewall.model import (
    IPV6,
    AllOf,
    AnyOf,
    Branch,
    Condition,
    Field,
    FieldMatch,
    Gap,
    Not,
    Range,
    RuleSet,
    Step,
    Table,
)
from ipv6check.firewall.names import ICMP, ICMPV6, PROTOCOLS, TCP, UDP

# More would take too long to try, and too long to read.
MAX_RANGES = 48
MAX_LISTED = 8
ALL_PORTS = (0, 65535)
# Reserved for experiments (RFC 3692): its verdict is that of every protocol that no rule names.
UNNAMED_PROTOCOL = 253

Tester = Callable[[Mapping[str, Any]], PacketVerdict]


def unreached(rules: RuleSet) -> list[Gap]:
    """The tables whose rules no base chain reaches: they decide nothing by themselves.

    Who saves a table of iptables saves its base chains too; a table of nftables may be left over.
    """
    based = {
        id(table)
        for table in rules.tables
        if any(chain.base and (chain.declared or chain.rules) for chain in table.chains.values())
    }
    unreachable = [
        table
        for table in rules.tables
        if id(table) not in based and any(chain.rules for chain in table.chains.values())
    ]
    return [
        Gap(
            f"no base chain leads to the rules of {table.kind} {table.name}: they are only a part "
            "of a rule set",
            table.families,
            "give all of it: ip6tables-save or nft list ruleset from the host that has loaded it",
        )
        for table in unreachable
        if table.notation == "iptables" or not based
    ]


def headline(rules: RuleSet, tester: Tester, *, needs_pass: bool) -> str:
    """What is allowed over IPv6, empty where that takes too long to try or to read.

    ``needs_pass``: the ICMPv6 that IPv6 needs is allowed.
    """
    tables = [table for table in rules.tables if IPV6 in table.families and not table.dormant]
    edges = _edges(tables)
    if edges is None:
        return ""
    by_ports = {
        (name, ports): tester({"family": IPV6, "proto": name, "dport": f"{ports[0]}-{ports[1]}"})
        for name in ("tcp", "udp")
        for ports in _between(edges)
    }
    rest = {name: tester({"family": IPV6, "proto": number}) for name, number in _others(tables)}
    blocked = any(_is_blocked(verdict) for verdict in (*by_ports.values(), *rest.values()))
    if not blocked and all(verdict.verdict == "accept" for verdict in by_ports.values()):
        return "IPv6: everything is allowed"
    if not _is_blocked(rest["anything else"]):
        # Where the policy is to accept, the exceptions matter, and findings name them.
        return ""
    allowed = _with_verdict("accept", by_ports, rest)
    depending = _with_verdict("depends", by_ports, rest)
    return _sentence(allowed, depending, needs_pass=needs_pass)


def _is_blocked(verdict: PacketVerdict) -> bool:
    return verdict.verdict in {"drop", "reject"}


def _sentence(allowed: Sequence[str], depending: Sequence[str], *, needs_pass: bool) -> str:
    items = [*allowed, *["the ICMPv6 that IPv6 needs"] * needs_pass]
    listed = ", ".join(items[:-1]) + (" and " if items[1:] else "") + "".join(items[-1:])
    are = "are" if len(items) > 1 else "is"
    sentence = f"IPv6: only {listed} {are} allowed" if items else "IPv6: nothing is allowed"
    return f"{sentence}; {', '.join(depending)} on conditions" if depending else sentence


def _with_verdict(
    wanted: str,
    by_ports: Mapping[tuple[str, Range], PacketVerdict],
    rest: Mapping[str, PacketVerdict],
) -> list[str]:
    """The ports and protocols with one verdict, neighbouring ports together."""
    names: list[str] = []
    for protocol in ("tcp", "udp"):
        ranges = [
            ports
            for (name, ports), verdict in by_ports.items()
            if name == protocol and verdict.verdict == wanted
        ]
        names += [_name(protocol, ports) for ports in _joined(ranges)]
    names += [name for name, verdict in rest.items() if verdict.verdict == wanted]
    more = len(names) - MAX_LISTED
    return names if more <= 1 else [*names[:MAX_LISTED], f"{more} more"]


def _name(protocol: str, ports: Range) -> str:
    low, high = ports
    if ports == ALL_PORTS:
        return f"all of {protocol.upper()}"
    return f"{protocol}/{low}" if low == high else f"{protocol}/{low}-{high}"


def _joined(ranges: Iterable[Range]) -> list[Range]:
    joined: list[Range] = []
    for low, high in ranges:
        if joined and joined[-1][1] + 1 == low:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return joined


def _edges(tables: Iterable[Table]) -> list[int] | None:
    """The ports at which rules begin to differ; None where they are too many."""
    edges: set[int] = {0}
    for match in _conditions(tables):
        if match.field in {Field.DPORT, Field.ORIGINAL_DPORT}:
            if match.mask is not None:
                return None
            edges |= {edge for low, high in match.ranges[:MAX_RANGES] for edge in (low, high + 1)}
            if len(edges) > MAX_RANGES or len(match.ranges) > MAX_RANGES:
                return None
    return sorted(edge for edge in edges if edge <= ALL_PORTS[1])


def _between(edges: Sequence[int]) -> Iterator[Range]:
    for at, edge in enumerate(edges):
        yield edge, edges[at + 1] - 1 if at + 1 < len(edges) else ALL_PORTS[1]


def _others(tables: Sequence[Table]) -> list[tuple[str, int]]:
    """The protocols that rules name, and one that none does."""
    named = {
        low
        for match in _conditions(tables)
        if match.field is Field.PROTOCOL and not match.negated and len(match.ranges) < MAX_RANGES
        for low, high in match.ranges
        if low == high
    }
    names = {number: name for name, number in PROTOCOLS.items()}
    tried_otherwise = {TCP, UDP, ICMP, ICMPV6, UNNAMED_PROTOCOL}
    numbers = sorted(named - tried_otherwise)[:MAX_LISTED]
    return [(names.get(number, f"protocol {number}"), number) for number in numbers] + [
        ("anything else", UNNAMED_PROTOCOL)
    ]


def _conditions(tables: Iterable[Table]) -> Iterator[FieldMatch]:
    for table in tables:
        for chain in table.chains.values():
            for rule in chain.rules:
                for step in rule.steps:
                    yield from _matches(step)


def _matches(step: Step | Condition) -> Iterator[FieldMatch]:
    match step:
        case FieldMatch():
            yield step
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _matches(part)
        case Not(part):
            yield from _matches(part)
        case Branch(cases):
            for condition, _ in cases:
                yield from _matches(condition)
