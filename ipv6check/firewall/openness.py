"""What is open, in one sentence; and which rules nothing leads to.

Ports are asked about in ranges that no rule divides, so that the sentence holds for all of them.
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

# More would be asked too long, and read by nobody.
MAX_RANGES = 48
MAX_TOLD = 8
ALL_PORTS = (0, 65535)
# Reserved for experiments (RFC 3692): what happens to it happens to all that nobody has thought of.
NOBODYS = 253

Asked = Callable[[Mapping[str, Any]], PacketVerdict]


def unreached(rules: RuleSet) -> list[Gap]:
    """The tables whose rules no base chain leads to: a part of a rule set, by itself nothing.

    Whoever saves a table of iptables saves its base chains; of nftables a table may be left over.
    """
    based = {
        id(table)
        for table in rules.tables
        if any(c.base and (c.told or c.rules) for c in table.chains.values())
    }
    lost = [
        table
        for table in rules.tables
        if id(table) not in based and any(chain.rules for chain in table.chains.values())
    ]
    return [
        Gap(
            f"no base chain leads to the rules of {table.kind} {table.name}, which are a part of a "
            "rule set",
            table.families,
            "give the whole: ip6tables-save or nft list ruleset of where it is loaded",
        )
        for table in lost
        if table.notation == "iptables" or not based
    ]


def headline(rules: RuleSet, ask: Asked, *, needs_pass: bool) -> str:
    """What is open over IPv6, empty where that is too much to ask or to tell.

    ``needs_pass``: the ICMPv6 that IPv6 needs is let in.
    """
    tables = [table for table in rules.tables if IPV6 in table.families and not table.dormant]
    edges = _edges(tables)
    if edges is None:
        return ""
    found = {
        (name, ports): ask({"family": IPV6, "proto": name, "dport": f"{ports[0]}-{ports[1]}"})
        for name in ("tcp", "udp")
        for ports in _between(edges)
    }
    rest = {name: ask({"family": IPV6, "proto": number}) for name, number in _others(tables)}
    shut = [answer for answer in (*found.values(), *rest.values()) if _is_shut(answer)]
    if not shut and all(answer.verdict == "accept" for answer in found.values()):
        return "IPv6: everything is open"
    if not _is_shut(rest["anything else"]):
        # Of a policy to accept the exceptions are what to tell, and findings do.
        return ""
    is_open = _told(found, rest, "accept")
    partly = _told(found, rest, "depends")
    return _sentence(is_open, partly, needs_pass=needs_pass)


def _is_shut(answer: PacketVerdict) -> bool:
    return answer.verdict in {"drop", "reject"}


def _sentence(is_open: Sequence[str], partly: Sequence[str], *, needs_pass: bool) -> str:
    items = [*is_open, *["what ICMPv6 needs"] * needs_pass]
    said = ", ".join(items[:-1]) + (" and " if items[1:] else "") + "".join(items[-1:])
    are = "are" if len(items) > 1 else "is"
    whole = f"IPv6: only {said} {are} open" if items else "IPv6: nothing is open"
    return f"{whole}; {', '.join(partly)} on conditions" if partly else whole


def _told(
    found: Mapping[tuple[str, Range], PacketVerdict],
    rest: Mapping[str, PacketVerdict],
    verdict: str,
) -> list[str]:
    """The ports and protocols of one fate, neighbouring ports together."""
    told: list[str] = []
    for name in ("tcp", "udp"):
        mine = [ports for (each, ports), answer in found.items() if each == name]
        mine = [ports for ports in mine if found[name, ports].verdict == verdict]
        told += [_name(name, ports) for ports in _joined(mine)]
    told += [name for name, answer in rest.items() if answer.verdict == verdict]
    more = len(told) - MAX_TOLD
    return told if more <= 1 else [*told[:MAX_TOLD], f"{more} more"]


def _name(protocol: str, ports: Range) -> str:
    low, high = ports
    if ports == ALL_PORTS:
        return f"all of {protocol.upper()}"
    return f"{protocol}/{low}" if low == high else f"{protocol}/{low}-{high}"


def _joined(ranges: Iterable[Range]) -> list[Range]:
    found: list[Range] = []
    for low, high in ranges:
        if found and found[-1][1] + 1 == low:
            found[-1] = (found[-1][0], high)
        else:
            found.append((low, high))
    return found


def _edges(tables: Iterable[Table]) -> list[int] | None:
    """The ports at which rules begin to say something else; None where they are too many."""
    found: set[int] = {0}
    for each in _conditions(tables):
        if each.field in {Field.DPORT, Field.ORIGINAL_DPORT}:
            if each.mask is not None:
                return None
            found |= {edge for low, high in each.ranges[:MAX_RANGES] for edge in (low, high + 1)}
            if len(found) > MAX_RANGES or len(each.ranges) > MAX_RANGES:
                return None
    return sorted(edge for edge in found if edge <= ALL_PORTS[1])


def _between(edges: Sequence[int]) -> Iterator[Range]:
    for at, edge in enumerate(edges):
        yield edge, edges[at + 1] - 1 if at + 1 < len(edges) else ALL_PORTS[1]


def _others(tables: Sequence[Table]) -> list[tuple[str, int]]:
    """The protocols that rules name, and one that none does."""
    named = {
        low
        for each in _conditions(tables)
        if each.field is Field.PROTOCOL and not each.negated and len(each.ranges) < MAX_RANGES
        for low, high in each.ranges
        if low == high
    }
    names = {number: name for name, number in PROTOCOLS.items()}
    with_ports = {TCP, UDP, ICMP, ICMPV6}
    numbers = sorted(named - with_ports - {NOBODYS})[:MAX_TOLD]
    return [(names.get(each, f"protocol {each}"), each) for each in numbers] + [
        ("anything else", NOBODYS)
    ]


def _conditions(tables: Iterable[Table]) -> Iterator[FieldMatch]:
    for table in tables:
        for chain in table.chains.values():
            for rule in chain.rules:
                for step in rule.steps:
                    yield from _amongs(step)


def _amongs(step: Step | Condition) -> Iterator[FieldMatch]:
    match step:
        case FieldMatch():
            yield step
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _amongs(part)
        case Not(part):
            yield from _amongs(part)
        case Branch(cases):
            for condition, _ in cases:
                yield from _amongs(condition)
