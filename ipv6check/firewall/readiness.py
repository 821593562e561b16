"""What a rule set means for IPv6: which packets are tried, and what their verdicts say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
    DHCPV6_REPLIES,
    DHCPV6_REQUEST,
    HOST,
    OUTBOUND,
    TRANSIT,
    Message,
    PacketSpec,
)
from ipv6check.model import Cause, Finding, Status, fail, family_of, ok, unknown, warn

# Protocol and port, or ports: ("tcp", "6000-6010").
PortSpec = tuple[str, str]

PORTS: tuple[PortSpec, ...] = (("tcp", "22"), ("tcp", "80"), ("tcp", "443"))
# Of no service: what happens to it happens to every port that no rule names.
UNNAMED_PORT: PortSpec = ("tcp", "4")
MAX_NAMES = 5

# What becomes of a packet, in one word; NO_RULES where no rules for its family were given.
ALLOWED, BLOCKED, DEPENDS, NO_RULES = "allowed", "blocked", "depends", "no rules"
_EFFECTS = {"accept": ALLOWED, "drop": BLOCKED, "reject": BLOCKED, "depends": DEPENDS}

TRAPS: Mapping[str, str] = MappingProxyType(
    {
        "-p icmp": "in ip6tables -p icmp means ICMPv4 and never matches: use -p ipv6-icmp",
        "ip6 nexthdr": "ip6 nexthdr misses MLD, which has a hop-by-hop header: "
        "use meta l4proto ipv6-icmp",
        "ct state new": "ct state new never matches it, because conntrack does not track it: "
        "accept it without ct state",
    }
)
NOT_RELATED = "conntrack does not match it to the request, which went to a multicast group"


@dataclass(frozen=True, slots=True)
class ReviewScope:
    """Which packets a review is about.

    ``ports`` were named by the user and are meant to be allowed; `PORTS` are looked at in any case.
    ``iif``: the interface on which packets arrive, empty for any but loopback. ``source`` and
    ``destinations``: addresses or prefixes, at most one of each family counts. ``forward``: packets
    that this host forwards, instead of those for itself.
    """

    ports: tuple[PortSpec, ...] = ()
    iif: str = ""
    source: str = ""
    destinations: tuple[str, ...] = ()
    forward: bool = False

    def placed(self, spec: PacketSpec) -> dict[str, Any]:
        """The packet on this interface and in this hook."""
        placed = dict(spec)
        if self.iif:
            placed["oif" if placed.get("hook") == "output" else "iif"] = self.iif
        if self.forward:
            placed.setdefault("hook", "forward")
        return placed

    def to_port(self, port: PortSpec, family: int) -> dict[str, Any]:
        """The first packet to a port."""
        return self.addressed({"family": family, "proto": port[0], "dport": port[1]})

    def addressed(self, spec: PacketSpec) -> dict[str, Any]:
        """The packet from this source to this destination, or from and to anywhere."""
        ends = (("saddr", self.source), *(("daddr", address) for address in self.destinations))
        known = {
            key: address
            for key, address in ends
            if address and family_of(address) == spec["family"]
        }
        return self.placed({**spec, "daddr": "unicast", **known})


@dataclass(frozen=True, slots=True)
class Comparison:
    """The verdict on an IPv6 packet, beside that on its IPv4 twin.

    ``four`` is None where there is no twin, or no rules for IPv4 were given. ``message`` is None
    for ports.
    """

    name: str
    six: PacketVerdict
    four: PacketVerdict | None = None
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """Verdicts on all packets that matter to IPv6, and what they mean.

    ``headline`` is one sentence, empty where one cannot hold it.
    """

    ports: tuple[Comparison, ...]
    messages: tuple[Comparison, ...]
    findings: tuple[Finding, ...]
    headline: str = ""


@dataclass(frozen=True, slots=True)
class _Trials:
    """The packets of a review and their verdicts. ``outbound`` and ``dhcpv6_*``: a host's alone."""

    ports: tuple[Comparison, ...]
    unnamed_port: Comparison
    messages: tuple[Comparison, ...]
    outbound: tuple[Comparison, ...] = ()
    dhcpv6_replies: tuple[Comparison, ...] = ()
    dhcpv6_request: Comparison | None = None


@dataclass(frozen=True, slots=True)
class _Tester:
    """Sends packets of one scope through one rule set, within one budget."""

    rules: RuleSet
    scope: ReviewScope
    budget: Budget

    def verdict(self, tried: Packet) -> PacketVerdict:
        return judge(self.rules, tried, self.budget)

    def placed(self, spec: PacketSpec) -> PacketVerdict:
        return self.verdict(packet(self.scope.placed(spec)))

    def twin(self, spec: PacketSpec) -> PacketVerdict | None:
        # Built in any case: a packet that cannot be is an error, whatever the rules are.
        tried = packet(spec)
        return self.verdict(tried) if IPV4 in self.rules.covers else None

    def port(self, port: PortSpec) -> Comparison:
        return Comparison(
            "/".join(port),
            self.verdict(packet(self.scope.to_port(port, IPV6))),
            self.twin(self.scope.to_port(port, IPV4)),
        )

    def inbound(self, message: Message) -> Comparison:
        six = self.placed({"id": message.name, **message.packet})
        four = self.twin(self.scope.placed(message.twin)) if message.twin else None
        return Comparison(message.name, six, four, message)

    def outbound(self, message: Message) -> Comparison:
        six = self.placed({**message.packet, "hook": "output"})
        return Comparison(message.name, six, None, message)

    def tried(self) -> _Trials:
        """Every packet of the review."""
        *ports, unnamed = map(self.port, dict.fromkeys((*self.scope.ports, *PORTS, UNNAMED_PORT)))
        if self.scope.forward:
            return _Trials(tuple(ports), unnamed, tuple(map(self.inbound, TRANSIT)))
        return _Trials(
            tuple(ports),
            unnamed,
            tuple(map(self.inbound, HOST)),
            tuple(map(self.outbound, OUTBOUND)),
            tuple(map(self.inbound, DHCPV6_REPLIES)),
            self.outbound(DHCPV6_REQUEST),
        )


def review(rules: RuleSet, scope: ReviewScope) -> Review:
    """Try the ports and every message that IPv6 needs, and judge the verdicts.

    Raises RuleError where the scope describes a packet that cannot be.
    """
    budget = Budget.of(rules)
    tester, pool = _Tester(rules, scope, budget), budget.pool
    trials = tester.tried()
    findings, sentence = list(_uncertain(rules)), ""
    if not findings:
        findings += _judged(tester, trials)
        # Rules that took a packet more than its share are too complex to try every port.
        if not scope.forward and budget.pool == pool:
            passing = any(finding.id == "icmpv6-accepted" for finding in findings)
            sentence = headline(
                rules, lambda spec: tester.placed(scope.addressed(spec)), needs_pass=passing
            )
    findings += _unread_includes(rules)
    messages = (*trials.messages, *trials.dhcpv6_replies)
    return Review(trials.ports, messages, tuple(findings), sentence)


def _uncertain(rules: RuleSet) -> Iterator[Finding]:
    """Why nothing can be determined, if nothing can."""
    for refusal in rules.refusals[:1]:
        line = f":{refusal.place.line}" if refusal.place.line else ""
        where = f"{refusal.place.file}{line}"
        yield fail(
            f"{where} would not load: {refusal.reason}",
            hint="fix the line: until then the previous rules stay in force, or none do",
            subject=where,
            evidence={"trap": "would not load"},
            id="would-not-load",
        )
    for gap in rules.gaps:
        if IPV6 in gap.families:
            yield unknown(
                f"what the rules do cannot be determined: {gap.reason}",
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


def _judged(tester: _Tester, trials: _Trials) -> list[Finding]:
    """What the verdicts mean, where the rules are known completely."""
    icmpv4_rule = _rule_on_icmpv4(tester.rules)
    findings = list(_parity(trials, tester.scope))
    findings += _icmpv6(tester, (*trials.messages, *trials.outbound), icmpv4_rule)
    if trials.dhcpv6_request is not None:
        findings += _dhcpv6(trials.dhcpv6_replies, trials.dhcpv6_request, tester.rules.leased)
        findings += _replies(tester, trials.ports)
    findings += _icmpv4_for_icmpv6(icmpv4_rule, findings)
    return findings


# --- ports


@dataclass(frozen=True, slots=True)
class _PortFinding:
    """What a port's two verdicts mean. ``message`` and ``hint`` are templates.

    ``named``: only of a port that the user has named.
    """

    id: str
    status: Status
    message: str
    hint: str = ""
    named: bool = False


_SHUT = _PortFinding(
    "shut", Status.FAIL, "{port} is blocked over IPv6 by {six}", "accept {port}", named=True
)
_SHUT_ALIKE = replace(
    _SHUT, status=Status.WARN, message="{port} is blocked over both IPv6 and IPv4 by {six}"
)
_DEPENDS = _PortFinding("depends", Status.UNKNOWN, "{port} over IPv6: {six_if}", named=True)
_DIFFERS = _PortFinding(
    "differs",
    Status.WARN,
    "{port} over IPv6: {six_if}; over IPv4: {four_if}",
    "make both families depend on the same conditions",
)
# By what becomes of a port over IPv6 and over IPv4.
_PARITY: Mapping[tuple[str, str], _PortFinding] = MappingProxyType(
    {
        (BLOCKED, ALLOWED): _PortFinding(
            "shut-over-ipv6",
            Status.FAIL,
            "{port} is allowed over IPv4 but blocked over IPv6 by {six}",
            "accept {port} in the IPv6 rules too",
        ),
        (ALLOWED, BLOCKED): _PortFinding(
            "open-over-ipv6",
            Status.FAIL,
            "{port} is allowed over IPv6 but blocked over IPv4 by {four}",
            "block {port} in the IPv6 rules too, unless it is meant to be open",
        ),
        (BLOCKED, BLOCKED): _SHUT_ALIKE,
        (BLOCKED, DEPENDS): _SHUT,
        (BLOCKED, NO_RULES): _SHUT,
        (DEPENDS, ALLOWED): _DEPENDS,
        (DEPENDS, BLOCKED): _DEPENDS,
        (DEPENDS, DEPENDS): _DEPENDS,
        (DEPENDS, NO_RULES): _DEPENDS,
    }
)


def _parity(trials: _Trials, scope: ReviewScope) -> Iterator[Finding]:
    """Ports that are allowed over one family alone."""
    unnamed = trials.unnamed_port
    if (_effect(unnamed.six), _effect(unnamed.four)) == (ALLOWED, BLOCKED):
        rule = unnamed.six.rule
        empty = rule is None or rule.policy
        yield fail(
            "every port that no rule names is allowed over IPv6 but blocked over IPv4",
            hint="give the IPv6 rules the policy and the rules that the IPv4 rules have",
            subject="tcp",
            evidence=_both_families(unnamed) | ({"trap": "empty IPv6 rules"} if empty else {}),
            id="unfiltered",
        )
        return
    for port in trials.ports:
        yield from _port(port, named=tuple(port.name.split("/")) in scope.ports)


def _port(port: Comparison, *, named: bool) -> Iterator[Finding]:
    six, four = port.six, port.four
    row = _PARITY.get((_effect(six), _effect(four)))
    if four is not None and _depend_differently(six, four):
        row = _DIFFERS
    if row is None or (row.named and not named):
        return
    words = {
        "port": port.name,
        "six": _decided_by(six),
        "four": _decided_by(four),
        "six_if": _condition(six),
        "four_if": _condition(four),
    }
    yield Finding(
        row.status,
        row.message.format(**words),
        row.hint.format(**words),
        port.name,
        Cause.FIREWALL,
        _both_families(port),
        row.id,
    )


def _depend_differently(six: PacketVerdict, four: PacketVerdict) -> bool:
    """Whether the families depend on different conditions, addresses aside."""
    if "depends" not in (six.verdict, four.verdict):
        return False
    if six.verdict != four.verdict:
        return six.otherwise != four.otherwise
    return bool(six.otherwise and four.otherwise and six.otherwise != four.otherwise)


# --- ICMPv6


def _icmpv6(
    tester: _Tester, messages: Sequence[Comparison], icmpv4_rule: Rule | None
) -> Iterator[Finding]:
    """What breaks IPv6. Messages that are blocked for one reason are one finding."""
    blocked: dict[tuple[Status, str], list[Comparison]] = {}
    for comparison in messages:
        assert comparison.message is not None
        severity, six = comparison.message.severity, comparison.six
        if severity is None:
            continue
        if _effect(six) == BLOCKED:
            trap = _trap(tester, six.packet, icmpv4_rule)
            blocked.setdefault((severity, trap), []).append(comparison)
        elif _effect(six) == DEPENDS:
            blocked.setdefault((Status.UNKNOWN, _condition(six)), []).append(comparison)
    for (severity, reason), group in sorted(blocked.items()):
        yield _not_passing(severity, reason, group)
    if not blocked:
        message = f"allows the ICMPv6 that IPv6 needs: {len(messages)} messages of RFC 4890"
        yield ok(message, id="icmpv6-accepted")


def _not_passing(severity: Status, reason: str, group: Sequence[Comparison]) -> Finding:
    """One finding on messages that are blocked, or depend, for one reason."""
    messages = [comparison.message for comparison in group if comparison.message is not None]
    names = [message.name for message in messages]
    # "neighbour solicitation" says enough where all its forms are blocked.
    forms = {name for name in names for other in names if name.startswith(f"{other} ")}
    listed = _first([name for name in names if name not in forms])
    evidence = {"messages": [_evidence(comparison.six) for comparison in group]}
    if severity is Status.UNKNOWN:
        hint = "name the interface with --iif"
        message = f"{listed}: {reason}"
        return unknown(message, hint=hint, cause="firewall", evidence=evidence, id="depends")
    losses = "; ".join(dict.fromkeys(message.loss for message in messages if message.loss))
    rules = " or ".join(dict.fromkeys(_decided_by(comparison.six) for comparison in group))
    types = ", ".join(map(str, sorted({message.packet["type"] for message in messages})))
    hint = TRAPS[reason] if reason else f"accept ICMPv6 type {types} before that rule"
    text = f"{rules} blocks ICMPv6 that IPv6 needs: {listed}{f' ({losses})' if losses else ''}"
    trap = {"trap": reason} if reason else {}
    return Finding(severity, text, hint, "icmpv6", None, evidence | trap, "icmpv6-lost")


def _first(names: Sequence[str]) -> str:
    """The first names; all of them are in the evidence."""
    more = len(names) - MAX_NAMES
    return ", ".join(names if more <= 1 else [*names[:MAX_NAMES], f"{more} more messages"])


def _trap(tester: _Tester, blocked: Packet, icmpv4_rule: Rule | None) -> str:
    """The name of the mistake that keeps a rule from accepting this; empty for none.

    The packet is changed into what the rule was written for, and tried again.
    """
    values = blocked.values
    variants = {}
    if icmpv4_rule is not None:
        variants["-p icmp"] = replace(blocked, values={**values, Field.PROTOCOL: ((ICMP, ICMP),)})
    if values[Field.NEXT_HEADER] != values[Field.PROTOCOL]:
        direct = {**values, Field.NEXT_HEADER: values[Field.PROTOCOL]}
        variants["ip6 nexthdr"] = replace(blocked, values=direct)
    if blocked.state & ConntrackState.UNTRACKED:
        variants["ct state new"] = replace(blocked, state=ConntrackState.NEW)
    for name, variant in variants.items():
        if tester.verdict(variant).verdict == "accept":
            return name
    return ""


def _icmpv4_for_icmpv6(rule: Rule | None, findings: Iterable[Finding]) -> Iterator[Finding]:
    """A rule that never matches what it was written for, where no other finding names it."""
    if rule is not None and not any(
        finding.evidence.get("trap") == "-p icmp" for finding in findings
    ):
        yield warn(
            f"{rule.text}: in ip6tables -p icmp means ICMPv4 and never matches",
            hint="use -p ipv6-icmp",
            subject=f"{rule.place.file}:{rule.place.line}",
            evidence={"trap": "-p icmp"},
            id="icmp-of-ipv4",
        )


def _rule_on_icmpv4(rules: RuleSet) -> Rule | None:
    """The first rule of ip6tables on the ICMP of IPv4."""
    return next(
        (
            rule
            for table in rules.tables
            if table.kind == "ip6" and table.notation == "iptables"
            for chain in table.chains.values()
            for rule in chain.rules
            if any(_matches_icmpv4(step) for step in rule.steps)
        ),
        None,
    )


def _matches_icmpv4(step: Step) -> bool:
    if isinstance(step, AllOf):
        return any(_matches_icmpv4(part) for part in step.parts)
    return step == FieldMatch(Field.PROTOCOL, ((ICMP, ICMP),))


# --- DHCPv6, replies, includes


def _dhcpv6(
    replies: Sequence[Comparison], request: Comparison, leased: Sequence[str]
) -> Iterator[Finding]:
    """Whether this host could get its address by DHCPv6, and keep the one that it has."""
    reply, from_global = replies
    blocked = [trial for trial in (reply, request) if _effect(trial.six) == BLOCKED]
    if not blocked and leased and _effect(from_global.six) == BLOCKED:
        blocked = [from_global]
    if not blocked:
        return
    first = blocked[0]
    outbound = first is request
    what = "requests to udp/547" if outbound else "replies to udp/546"
    if first is from_global:
        what += " from a global address, which some relays send"
    loss = f"this host loses {leased[0]}" if leased else "a host with a DHCPv6 address loses it"
    certain = leased and first is not from_global
    yield (fail if certain else warn)(
        f"{_decided_by(first.six)} blocks DHCPv6 {what}: {loss} when the lease runs out",
        hint="accept udp/547 to ff02::1:2 in the output rules"
        if outbound
        else f"accept udp/546 from fe80::/10: {NOT_RELATED}",
        subject="udp/547" if outbound else "udp/546",
        evidence={"messages": [_evidence(trial.six) for trial in blocked]},
        id="dhcpv6-lost",
    )


def _replies(tester: _Tester, ports: Sequence[Comparison]) -> Iterator[Finding]:
    """Ports that are allowed, but whose replies are blocked."""
    replies = [
        (port.name, tester.placed(_reply_from(port.name)))
        for port in ports
        if _effect(port.six) == ALLOWED
    ]
    blocked = [(name, reply) for name, reply in replies if _effect(reply) == BLOCKED]
    if blocked:
        names = ", ".join(name for name, _ in blocked)
        rule = _decided_by(blocked[0][1])
        yield fail(
            f"{names}: inbound is allowed, but replies are blocked by {rule}",
            hint="accept established connections on OUTPUT",
            subject="output",
            evidence={
                "trap": "replies blocked",
                "replies": [_evidence(reply) for _, reply in blocked],
            },
            id="replies-lost",
        )


def _reply_from(port: str) -> PacketSpec:
    protocol, _, number = port.partition("/")
    reply = {"family": IPV6, "proto": protocol, "sport": number, "dport": "1024-65535"}
    return {**reply, "flags": "syn,ack", "ct": "established", "hook": "output"}


def _unread_includes(rules: RuleSet) -> Iterator[Finding]:
    """Files that would be included if they were there."""
    if rules.empty_includes:
        yield warn(
            f"includes {', '.join(rules.empty_includes)}, which matches no file here",
            hint="give those files too, if they exist where these rules are loaded",
            subject="include",
            id="empty-include",
        )


# --- verdicts in words and as data


def _effect(verdict: PacketVerdict | None) -> str:
    return NO_RULES if verdict is None else _EFFECTS[verdict.verdict]


def _condition(verdict: PacketVerdict | None) -> str:
    return "" if verdict is None else "; ".join(verdict.conditions) or verdict.verdict


def _decided_by(verdict: PacketVerdict | None) -> str:
    if verdict is None:
        return ""
    return verdict.verdict if verdict.rule is None else rule_and_place(verdict.rule)


def rule_and_place(rule: Decision) -> str:
    """A rule and where it stands, as far as that is known: line, or handle."""
    place = rule.place
    where = f", handle {place.handle}" if place.handle is not None else ""
    if place.line is not None:
        where = f", {PurePath(place.file).name}:{place.line}"
    return f"{rule.text} ({rule.table} {rule.chain}{where})"


def _both_families(comparison: Comparison) -> dict[str, Any]:
    return {
        "ipv6": _evidence(comparison.six),
        "ipv4": _evidence(comparison.four) if comparison.four else None,
    }


def _evidence(verdict: PacketVerdict) -> dict[str, Any]:
    return verdict_data(verdict) | {"packet": verdict.packet.label}


def verdict_data(verdict: PacketVerdict) -> dict[str, Any]:
    """A verdict as plain data: verdict, reply, conditions, rule."""
    rule = verdict.rule
    return {
        "verdict": verdict.verdict,
        "reply": verdict.reply,
        "conditions": list(verdict.conditions),
        "rule": None
        if rule is None
        else {
            "text": rule.text,
            "table": rule.table,
            "chain": rule.chain,
            "file": rule.place.file,
            "line": rule.place.line,
            "handle": rule.place.handle,
        },
    }
