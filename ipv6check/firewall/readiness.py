"""What rules mean for IPv6: the packets that have to be asked about, and what the answers say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

from ipv6check.firewall.evaluate import Budget, Decision, PacketVerdict, judge
from ipv6check.firewall.model import (
    IPV4,
    IPV6,
    AllOf,
    ConntrackState,
    Field,
    FieldMatch,
    Rule,
    RuleSet,
    Step,
)
from ipv6check.firewall.names import ICMP
from ipv6check.firewall.openness import headline
from ipv6check.firewall.packets import Packet, packet
from ipv6check.firewall.rfc4890 import (
    DHCPV6,
    DHCPV6_QUESTION,
    HOST,
    LEAVING,
    TRANSIT,
    Message,
    PacketSpec,
)
from ipv6check.model import Finding, Status, fail, ok, unknown, warn

Judged = Callable[[Packet], PacketVerdict]
# Protocol and port, or ports: ("tcp", "6000-6010").
Port = tuple[str, str]

PORTS: tuple[Port, ...] = (("tcp", "22"), ("tcp", "80"), ("tcp", "443"))
# Of no service: what happens to it happens to all that nobody has thought of.
ANY_OTHER_PORT: Port = ("tcp", "4")
MAX_NAMES = 5
SHUT = frozenset({"drop", "reject"})

TRAPS: Mapping[str, str] = MappingProxyType(
    {
        "-p icmp": "is ICMP of IPv4 to ip6tables, and never matches: write -p ipv6-icmp",
        "ip6 nexthdr": "misses MLD, which has a hop-by-hop header: write meta l4proto ipv6-icmp",
        "ct state new": "is never true of it, as conntrack does not track it: accept without state",
    }
)
OF_A_GROUP = "conntrack does not match it to the request, which went to a multicast group"


@dataclass(frozen=True, slots=True)
class ReviewScope:
    """What is asked about the rules. ``ports`` were named, and are to be open; else `PORTS`.

    ``iif``: on which interface, any but loopback if empty. ``source`` and ``destinations``:
    addresses or prefixes, of each family at most one counts. ``forward``: what this host forwards.
    """

    ports: tuple[Port, ...] = ()
    iif: str = ""
    source: str = ""
    destinations: tuple[str, ...] = ()
    forward: bool = False

    def probe(self, probe: PacketSpec) -> dict[str, Any]:
        """The probe as this question asks it: on its interface, through its hook."""
        asked = dict(probe)
        if self.iif:
            asked["oif" if asked.get("hook") == "output" else "iif"] = self.iif
        if self.forward:
            asked.setdefault("hook", "forward")
        return asked

    def port(self, port: Port, family: int) -> dict[str, Any]:
        """The first packet to a port."""
        return self.ends({"family": family, "proto": port[0], "dport": port[1]})

    def ends(self, probe: PacketSpec) -> dict[str, Any]:
        """The probe from the source and to the destination of this question, or from anywhere."""
        family = probe["family"]
        probe = {**probe, "daddr": "unicast"}
        ends = [("saddr", self.source), *(("daddr", each) for each in self.destinations)]
        of_family = {key: text for key, text in ends if text and (":" in text) is (family == IPV6)}
        return self.probe(probe | of_family)


@dataclass(frozen=True, slots=True)
class Comparison:
    """An answer, and its IPv4 twin's: None where there is none, or no rules for IPv4 are known."""

    name: str
    six: PacketVerdict
    four: PacketVerdict | None = None
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """All that was asked by default, and what it says; ``headline``: in one sentence, or empty."""

    ports: tuple[Comparison, ...]
    messages: tuple[Comparison, ...]
    findings: tuple[Finding, ...]
    headline: str = ""


def review(rules: RuleSet, question: ReviewScope) -> Review:
    """Ask about the ports and about every message that IPv6 needs, and judge the answers."""
    budget = Budget.of(rules)
    judged, whole = partial(judge, rules, budget=budget), budget.pool

    def ask(probe: PacketSpec) -> PacketVerdict:
        return judged(packet(question.probe(probe)))

    def twin(probe: PacketSpec) -> PacketVerdict | None:
        # Built in any case: what cannot be asked is an error, whatever the rules are.
        asked = packet(probe)
        return judged(asked) if IPV4 in rules.covers else None

    ports = [
        Comparison(
            "/".join(port),
            judged(packet(question.port(port, IPV6))),
            twin(question.port(port, IPV4)),
        )
        for port in dict.fromkeys((*question.ports, *PORTS, ANY_OTHER_PORT))
    ]
    messages = [
        Comparison(
            each.name,
            ask({"id": each.name, **each.probe}),
            twin(question.probe(each.twin)) if each.twin else None,
            each,
        )
        for each in (TRANSIT if question.forward else HOST)
    ]
    own = not question.forward
    leaving = [
        Comparison(each.name, ask({**each.probe, "hook": "output"}), None, each)
        for each in (*LEAVING, DHCPV6_QUESTION)
        if own
    ]
    replies = [
        Comparison(each.name, ask({"id": each.name, **each.probe}), None, each)
        for each in DHCPV6
        if own
    ]
    found, said = list(_certainty(rules)), ""
    if not found:
        found += _parity(ports[:-1], ports[-1], question)
        icmp4 = _about_icmp4(rules)
        found += _messages(judged, (*messages, *leaving[:-1]), icmp4)
        if own:
            found += _dhcpv6(replies, leaving[-1], rules.leased)
            found += _replies(judged, ports[:-1], question)
        found += _names(icmp4, found)
        # Rules that took a packet more than its share are too hard to ask about every port.
        if own and budget.pool == whole:
            passing = any(each.id == "icmpv6-accepted" for each in found)
            said = headline(rules, lambda probe: ask(question.ends(probe)), needs_pass=passing)
    found += _includes(rules)
    return Review(tuple(ports[:-1]), (*messages, *replies), tuple(found), said)


def _certainty(rules: RuleSet) -> Iterator[Finding]:
    """Why nothing can be said, if nothing can."""
    for refusal in rules.refusals[:1]:
        line = f":{refusal.place.line}" if refusal.place.line else ""
        where = f"{refusal.place.file}{line}"
        yield fail(
            f"{where} would not load: {refusal.reason}",
            hint="fix the line: until then the rules that were there stay, or none",
            subject=where,
            evidence={"trap": "would not load"},
            id="would-not-load",
        )
    for gap in rules.gaps:
        if IPV6 in gap.families:
            yield unknown(
                f"nothing is certain: {gap.reason}",
                hint=gap.hint
                or "give ip6tables-save, ip6tables-legacy-save and nft list ruleset together",
                cause="tool",
                id="incomplete",
            )
    if IPV6 not in rules.covers:
        yield unknown(
            "no IPv6 rules were given",
            hint="give ip6tables-save or nft list ruleset",
            cause="tool",
            id="incomplete",
        )


def _parity(
    ports: Sequence[Comparison], other: Comparison, question: ReviewScope
) -> Iterator[Finding]:
    """Findings 1 and 2: what is open over one family alone."""
    if _is_open(other.six) and _is_shut(other.four):
        rule = other.six.rule
        empty = rule is None or rule.policy
        yield fail(
            "every port is open over IPv6 that no rule names, and shut over IPv4",
            hint="give the IPv6 rules the policy and the rules that the IPv4 rules have",
            subject="tcp",
            evidence=_sides(other) | ({"trap": "empty IPv6 rules"} if empty else {}),
            id="unfiltered",
        )
        return
    for told in ports:
        yield from _port(told, named=tuple(told.name.split("/")) in question.ports)


def _port(told: Comparison, *, named: bool) -> Iterator[Finding]:
    six, four = told.six, told.four
    status: Callable[..., Finding] | None = None
    message, hint, what = "", "", ""
    if _is_open(four) and _is_shut(six):
        what = "shut-over-ipv6"
        status, message = fail, f"is open over IPv4 and shut over IPv6 by {_by(six)}"
        hint = f"accept {told.name} in the IPv6 rules too"
    elif four and _is_open(six) and _is_shut(four):
        what = "open-over-ipv6"
        status, message = fail, f"is open over IPv6 and shut over IPv4 by {_by(four)}"
        hint = f"shut {told.name} in the IPv6 rules too, if it is meant to be shut"
    elif four and "depends" in (six.verdict, four.verdict) and _differ(six, four):
        what = "differs"
        status, message = warn, f"over IPv6: {_said(six)}; over IPv4: {_said(four)}"
        hint = "let both families depend on the same"
    elif named and _is_shut(six):
        alike, what = _is_shut(four), "shut"
        status = warn if alike else fail
        message = f"is shut over IPv6{' and IPv4 alike' if alike else ''} by {_by(six)}"
        hint = f"accept {told.name}"
    elif named and six.verdict == "depends":
        what = "depends"
        status, message = unknown, f"over IPv6: {_said(six)}"
    if status is not None:
        yield status(
            f"{told.name} {message}",
            hint=hint,
            subject=told.name,
            cause="firewall",
            evidence=_sides(told),
            id=what,
        )


def _messages(
    judged: Judged, messages: Sequence[Comparison], icmp4: Rule | None
) -> Iterator[Finding]:
    """Finding 3: what breaks IPv6. Messages lost for one reason are one finding."""
    lost: dict[tuple[Status, str], list[Comparison]] = {}
    for told in messages:
        assert told.message is not None
        if told.message.severity is None:
            continue
        if _is_shut(told.six):
            trap = _trap(judged, told.six.packet, icmp4)
            lost.setdefault((told.message.severity, trap), []).append(told)
        elif told.six.verdict == "depends":
            lost.setdefault((Status.UNKNOWN, _said(told.six)), []).append(told)
    for (severity, why), group in sorted(lost.items()):
        yield _loss(severity, why, group)
    if not lost:
        message = f"accepts the ICMPv6 that IPv6 needs: {len(messages)} messages of RFC 4890"
        yield ok(message, id="icmpv6-accepted")


def _loss(severity: Status, why: str, group: Sequence[Comparison]) -> Finding:
    messages = [told.message for told in group if told.message is not None]
    names = [message.name for message in messages]
    # "neighbour solicitation" says enough where all its forms are lost.
    forms = {name for name in names for other in names if name.startswith(f"{other} ")}
    said = _few([name for name in names if name not in forms])
    evidence = {"messages": [_answer(told.six) for told in group]}
    if severity is Status.UNKNOWN:
        hint = "say which interface is meant with --iif"
        message = f"{said}: {why}"
        return unknown(message, hint=hint, cause="firewall", evidence=evidence, id="depends")
    losses = "; ".join(dict.fromkeys(message.loss for message in messages if message.loss))
    by = " or ".join(dict.fromkeys(_by(told.six) for told in group))
    types = ", ".join(map(str, sorted({message.probe["type"] for message in messages})))
    hint = f"{why} {TRAPS[why]}" if why else f"accept ICMPv6 type {types} before that"
    message = f"{by} loses {said}{f': {losses}' if losses else ''}"
    trap = {"trap": why} if why else {}
    return Finding(severity, message, hint, "icmpv6", None, evidence | trap, "icmpv6-lost")


def _dhcpv6(
    replies: Sequence[Comparison], question: Comparison, leased: Sequence[str]
) -> Iterator[Finding]:
    """Whether this host could have its address by DHCPv6, and keep the one that it has."""
    reply, from_global = replies
    lost = [told for told in (reply, question) if _is_shut(told.six)]
    if not lost and leased and _is_shut(from_global.six):
        lost = [from_global]
    if not lost:
        return
    first = lost[0]
    asks = first is question
    what = "questions to udp/547" if asks else "replies to udp/546"
    if first is from_global:
        what += " from a global address, as some relays send them"
    who = (
        f"this host, which has {leased[0]} by it," if leased else "a host that has an address by it"
    )
    known = leased and first is not from_global
    yield (fail if known else warn)(
        f"{_by(first.six)} drops DHCPv6's {what}: {who} loses it when the lease runs out",
        hint="accept udp/547 to ff02::1:2 on the way out"
        if asks
        else f"accept udp/546 from fe80::/10: {OF_A_GROUP}",
        subject="udp/547" if asks else "udp/546",
        evidence={"messages": [_answer(told.six) for told in lost]},
        id="dhcpv6-lost",
    )


def _few(names: Sequence[str]) -> str:
    """All of them are in the evidence."""
    more = len(names) - MAX_NAMES
    return ", ".join(names if more <= 1 else [*names[:MAX_NAMES], f"{more} more messages"])


def _trap(judged: Judged, asked: Packet, icmp4: Rule | None) -> str:
    """The mistake, by name, that keeps a rule from accepting this: what if the packet were so?"""
    values = asked.values
    what_if = {}
    if icmp4 is not None:
        what_if["-p icmp"] = replace(asked, values={**values, Field.PROTOCOL: ((ICMP, ICMP),)})
    if values[Field.NEXT_HEADER] != values[Field.PROTOCOL]:
        direct = {**values, Field.NEXT_HEADER: values[Field.PROTOCOL]}
        what_if["ip6 nexthdr"] = replace(asked, values=direct)
    if asked.state & ConntrackState.UNTRACKED:
        what_if["ct state new"] = replace(asked, state=ConntrackState.NEW)
    for name, other in what_if.items():
        if judged(other).verdict == "accept":
            return name
    return ""


def _replies(
    judged: Judged, ports: Sequence[Comparison], question: ReviewScope
) -> Iterator[Finding]:
    """What comes in and whose answer never leaves."""
    replies = [
        (told, judged(packet(question.probe(_reply(told.name)))))
        for told in ports
        if _is_open(told.six)
    ]
    blocked = [(told, reply) for told, reply in replies if _is_shut(reply)]
    if blocked:
        names = ", ".join(told.name for told, _ in blocked)
        yield fail(
            f"{names}: let in, but no answer leaves: {_by(blocked[0][1])}",
            hint="accept established connections on OUTPUT",
            subject="output",
            evidence={"trap": "replies blocked", "replies": [_answer(each) for _, each in blocked]},
            id="replies-lost",
        )


def _reply(port: str) -> PacketSpec:
    protocol, _, number = port.partition("/")
    answer = {"family": 6, "proto": protocol, "sport": number, "dport": "1024-65535"}
    return {**answer, "flags": "syn,ack", "ct": "established", "hook": "output"}


def _names(rule: Rule | None, found: Iterable[Finding]) -> Iterator[Finding]:
    """A rule that never matches what it was written for, where nothing else has told of it."""
    if rule is not None and not any(each.evidence.get("trap") == "-p icmp" for each in found):
        yield warn(
            f"{rule.text}: -p icmp {TRAPS['-p icmp']}",
            hint="write -p ipv6-icmp",
            subject=f"{rule.place.file}:{rule.place.line}",
            evidence={"trap": "-p icmp"},
            id="icmp-of-ipv4",
        )


def _includes(rules: RuleSet) -> Iterator[Finding]:
    """What the files would bring in where there is something to bring in."""
    if rules.empty_includes:
        yield warn(
            f"includes {', '.join(rules.empty_includes)}, of which there is nothing here",
            hint="give those files too, if there are any where these rules are loaded",
            subject="include",
            id="empty-include",
        )


def _about_icmp4(rules: RuleSet) -> Rule | None:
    """The first rule of ip6tables on the ICMP of IPv4."""
    return next(
        (
            rule
            for table in rules.tables
            if table.kind == "ip6" and table.notation == "iptables"
            for chain in table.chains.values()
            for rule in chain.rules
            if any(_is_icmp4(step) for step in rule.steps)
        ),
        None,
    )


def _is_icmp4(step: Step) -> bool:
    if isinstance(step, AllOf):
        return any(_is_icmp4(part) for part in step.parts)
    return step == FieldMatch(Field.PROTOCOL, ((ICMP, ICMP),))


def _is_open(answer: PacketVerdict | None) -> bool:
    return answer is not None and answer.verdict == "accept"


def _is_shut(answer: PacketVerdict | None) -> bool:
    return answer is not None and answer.verdict in SHUT


def _differ(six: PacketVerdict, four: PacketVerdict) -> bool:
    """Whether they depend on what is not the same for both, addresses aside."""
    if six.verdict != four.verdict:
        return six.otherwise != four.otherwise
    return bool(six.otherwise and four.otherwise and six.otherwise != four.otherwise)


def _said(answer: PacketVerdict) -> str:
    return "; ".join(answer.conditions) or answer.verdict


def _by(answer: PacketVerdict) -> str:
    return answer.verdict if answer.rule is None else told_rule(answer.rule)


def told_rule(rule: Decision) -> str:
    """A rule and where it stands, as far as that is known: line, or handle."""
    place = rule.place
    where = f", handle {place.handle}" if place.handle is not None else ""
    if place.line is not None:
        where = f", {PurePath(place.file).name}:{place.line}"
    return f"{rule.text} ({rule.table} {rule.chain}{where})"


def _sides(told: Comparison) -> dict[str, Any]:
    return {
        "ipv6": _answer(told.six),
        "ipv4": _answer(told.four) if told.four else None,
    }


def _answer(answer: PacketVerdict) -> dict[str, Any]:
    return answered(answer) | {"packet": answer.packet.label}


def answered(answer: PacketVerdict) -> dict[str, Any]:
    """An answer as plain data: verdict, reply, conditions, rule."""
    rule = answer.rule
    place = (
        {}
        if rule is None
        else {"file": rule.place.file, "line": rule.place.line, "handle": rule.place.handle}
    )
    return {
        "verdict": answer.verdict,
        "reply": answer.reply,
        "conditions": list(answer.conditions),
        "rule": None
        if rule is None
        else {"text": rule.text, "table": rule.table, "chain": rule.chain, **place},
    }
