"""What becomes of a packet: every way through the rules that what is known of it leaves open.

Conditions are three-valued. Where one may hold or not, the packet goes both ways, each with what it
has learned: narrower addresses, a named interface, an assumption. Ways that differ in nothing the
rules can see are one again. The answer is certain where all ways end alike, and only there.

The order is the kernel's: netdev ingress, prerouting, conntrack at -200, input or forward, then
postrouting; base chains of a hook by priority over all tables, where any drop is final and accept
ends one base chain. Two things are assumed, because they are no matter of the rules: a packet
comes in on the interface over which its source is routed, and it is not fragmented.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ipv6check.firewall.model import (
    BITS,
    IPV6,
    RST,
    Accept,
    Action,
    AddressType,
    AllOf,
    AnyOf,
    Assign,
    Base,
    Branch,
    Chain,
    Condition,
    ConntrackState,
    ConntrackStatus,
    Drop,
    Field,
    FieldMatch,
    Hook,
    InterfaceMatch,
    Jump,
    Nat,
    Not,
    NoTrack,
    Ranges,
    Redirect,
    Reject,
    Return,
    Rule,
    RulePlace,
    RuleSet,
    SourceNat,
    Step,
    Table,
    Truth,
    Unclear,
    Unmodelled,
    common,
    lies,
    merged,
    without,
)
from ipv6check.firewall.names import ICMP, ICMPV6, TCP
from ipv6check.firewall.packets import UNICAST, Packet
from ipv6check.firewall.sentences import sentences

CONNTRACK = -200
BEFORE, AFTER = (CONNTRACK, CONNTRACK - 1), (CONNTRACK, CONNTRACK)
# The kernel runs every nat chain from one place of each hook, whatever its own priority.
NAT = {Hook.PREROUTING: -100, Hook.INPUT: 100, Hook.OUTPUT: -100, Hook.POSTROUTING: 100}
# The kernel refuses a file whose jumps nest deeper (NFT_JUMP_STACK_SIZE).
MAX_DEPTH = 16
# More of any is not told apart, which makes an answer depend but never wrong.
MAX_WAYS = 32
MAX_RANGES = 12
MAX_ASSUMED = 64
MAX_TRIED = 64
MAX_INTERFACES = 16
OTHERS = "~"  # no name that rules have
MAX_STORIES = 24
MAX_STORIES_OF_A_CHAIN = 6
# Packets a second from which on a limit is there against floods, and lets through what is meant to
# come. For ICMP what RFC 4443 section 2.4 lets a small device send of errors; for connections
# that are begun what a busy service has.
GENEROUS, GENEROUS_ICMP = 1000.0, 10.0
# Of packets that come to one chain by jumps; those beyond are judged by what is known of all.
MAX_CLASSES = 16
# Steps take about a microsecond each.
POOL = 500_000
LEAST_SHARE, MOST_SHARE = 20_000, 500_000
PASSES = 8
TOO_COMPLEX = "the rules are too complex to evaluate in time"

STATUSES: Ranges = ((0, (1 << 15) - 1),)
ADDRESSES: Ranges = ((0, (1 << 128) - 1),)
PORTS: Ranges = ((0, 65535),)
MARKS: Ranges = ((0, 0xFFFFFFFF),)
UNSEEN: Ranges = ((ConntrackState.INVALID, ConntrackState.INVALID),)
UNTRACKED: Ranges = ((ConntrackState.UNTRACKED, ConntrackState.UNTRACKED),)
UNMAPPED = FieldMatch(Field.MAPPED, ((0, 0),))
TRACKED = Unmodelled("if anything on this host uses conntrack")
FIRST_PACKET = FieldMatch(Field.STATE, ((ConntrackState.NEW, ConntrackState.NEW),))
RELATED = FieldMatch(Field.STATE, ((ConntrackState.RELATED, ConntrackState.RELATED),))

OF_CONNTRACK = frozenset(
    {Field.STATE, Field.STATUS, Field.DIRECTION, Field.ORIGINAL_DADDR, Field.ORIGINAL_DPORT}
    | {Field.CT_MARK}
)

Values = dict[Field, Ranges]
Changes = dict[Field, Ranges]


@dataclass(frozen=True, slots=True)
class Decision:
    """The rule, or the policy, that decided, and where it stands."""

    text: str
    table: str
    chain: str
    place: RulePlace
    hook: Hook
    policy: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """On which conditions a packet came this way, and the decision that it met last."""

    conditions: tuple[Condition, ...] = ()
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class PathOutcome:
    """One end of a packet: accept, drop, reject with a ``reply``, or unclear with a ``reason``."""

    verdict: str
    reply: str | None
    stories: tuple[Story, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PacketVerdict:
    """What becomes of a packet.

    ``verdict`` is accept, drop, reject or depends. ``reply`` is what a reject sends: ``rst``,
    ``icmpv6 1/4``, ``icmp 3/3``. ``conditions`` tells on what it depends, a phrase each; or, of
    what is certain up to a generous rate, that rate. ``otherwise`` is the verdict where none of
    them holds, empty where that is not known. ``on``: the way in or out that alone it depends on.
    """

    packet: Packet
    verdict: str
    reply: str | None = None
    conditions: tuple[str, ...] = ()
    rule: Decision | None = None
    otherwise: str = ""
    on: Field | None = None


@dataclass(frozen=True, slots=True)
class _Way:
    """A packet on its way.

    ``changed`` are the fields that rules have set: ways with equal ones behave alike.
    """

    values: Values
    interfaces: dict[Field, str]
    assumed: dict[Condition, bool]
    stories: tuple[Story, ...]
    changed: tuple[tuple[Field, Ranges], ...] = ()

    def decided(self, decision: Decision) -> _Way:
        """The same, with this as what was decided last."""
        stories = tuple(
            story if _stands(story.decision, decision) else Story(story.conditions, decision)
            for story in self.stories
        )
        return replace(self, stories=stories)

    def changing(self, new: Changes) -> _Way:
        """The same, with these fields set."""
        changed = tuple(sorted((dict(self.changed) | new).items()))
        return replace(self, values=self.values | new, changed=changed)


def _stands(before: Decision | None, new: Decision) -> bool:
    """Whether a rule has accepted in this hook already, so that a policy adds nothing."""
    same = before is not None and before.hook is new.hook and not before.policy
    return same and new.policy and new.text == "policy accept"


@dataclass(slots=True)
class Budget:
    """How many steps the answers on one rule set may take: a deadline that no clock decides.

    So the same rules get the same answers on every machine. Each packet has its ``share``, what
    needs more draws on the ``pool``, and what finds that empty depends.
    """

    share: int
    pool: int = POOL
    used: int = 0

    @classmethod
    def of(cls, rules: RuleSet) -> Budget:
        """A share lets a packet pass all these rules several times."""
        size = sum(
            _weight(rule)
            for table in rules.tables
            for chain in table.chains.values()
            for rule in chain.rules
        )
        return cls(min(LEAST_SHARE + PASSES * size, MOST_SHARE))


def _weight(rule: Rule) -> int:
    return 1 + sum(_size(step) for step in rule.steps)


def _size(step: Step) -> int:
    """How many conditions have to be looked at, about: those of one set are alike."""
    match step:
        case AllOf(parts) | AnyOf(parts) if parts:
            return 1 + len(parts) * _size(parts[0])
        case Not(part):
            return 1 + _size(part)
        case Branch(cases) if cases:
            return 1 + len(cases) * _size(cases[0][0])
    return 1


def judge(rules: RuleSet, packet: Packet, budget: Budget | None = None) -> PacketVerdict:
    """What these rules make of this packet. Certain answers are the kernel's own."""
    budget = budget or Budget(POOL)
    tables = [t for t in rules.tables if packet.family in t.families and not t.dormant]
    chains = [
        (chain.base, chain, table)
        for table in tables
        for chain in table.chains.values()
        if chain.base is not None and (chain.rules or chain.base.policy != Accept())
    ]
    before = budget.used
    answer = _of_both_orders(chains, packet, budget)
    cost = budget.used - before
    missing = _missing(rules, packet.family)
    if missing:
        found = answer.conditions or (f"{answer.verdict} by what was given",)
        return _depending(answer, (*missing, *found))
    if answer.on is None:
        return answer
    names = _interfaces(tables, answer.on)
    if cost * len(names) > budget.share:
        return answer
    return _by_interface(answer, names, lambda each: _of_both_orders(chains, each, budget))


def _by_interface(
    answer: PacketVerdict, names: Sequence[str], judged: Callable[[Packet], PacketVerdict]
) -> PacketVerdict:
    """The answer as a list of interfaces, where each alone is certain and they are few."""
    packet, field = answer.packet, answer.on
    if field is None or not 0 < len(names) <= MAX_INTERFACES:
        return answer
    found: dict[str, list[str]] = {}
    for name in (*names, OTHERS):
        # A name that is told, or one that only this pattern has.
        known = f"{name[:-1]}~" if name.endswith("*") else name
        one = judged(replace(packet, interfaces={**packet.interfaces, field: known}))
        if one.verdict == "depends":
            return answer
        found.setdefault(one.verdict, []).append(name)
    otherwise = next(verdict for verdict, where in found.items() if where[-1] == OTHERS)
    on = "out of" if field is Field.OIF else "on"
    rest = [verdict for verdict in found if verdict != otherwise]
    said = "; ".join(f"{verdict} {on} {', '.join(found[verdict])}" for verdict in sorted(rest))
    whole = f"{said}; {otherwise} {on} others" if said else f"{otherwise} {on} all"
    return replace(answer, conditions=(whole,), otherwise=otherwise)


def _interfaces(tables: Iterable[Table], field: Field) -> list[str]:
    """The interfaces that rules name."""
    found: dict[str, None] = {}
    for table in tables:
        for chain in table.chains.values():
            if chain.base is not None and field is Field.IIF:
                found |= dict.fromkeys(chain.base.devices)
            for rule in chain.rules:
                for step in rule.steps:
                    found |= dict.fromkeys(_named_in(step, field))
    return sorted(name for name in found if name != "*")


def _named_in(step: Step, field: Field) -> Iterator[str]:
    match step:
        case InterfaceMatch():
            yield from step.names if step.field is field else ()
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _named_in(part, field)
        case Not(part):
            yield from _named_in(part, field)
        case Branch(cases):
            for condition, _ in cases:
                yield from _named_in(condition, field)


def _of_both_orders(chains: Sequence[BaseChain], packet: Packet, budget: Budget) -> PacketVerdict:
    """The answer, where chains of equal priority may run either way round."""
    answer = _judge(sorted(chains, key=_place), packet, BEFORE, budget)
    if _tied(chains):
        turned = chains[::-1]
        # Which of two at one priority runs first the rules do not tell; the kernel turns it round.
        other = _judge(sorted(turned, key=_place), packet, AFTER, budget)
        if (other.verdict, other.reply) != (answer.verdict, answer.reply):
            why = f"{other.verdict} if what has equal priority runs the other way round"
            answer = _depending(answer, (*answer.conditions, *other.conditions, why))
    return answer


def _depending(answer: PacketVerdict, conditions: Iterable[str]) -> PacketVerdict:
    told = tuple(dict.fromkeys(conditions))
    return replace(answer, verdict="depends", reply=None, conditions=told, otherwise="", on=None)


def _missing(rules: RuleSet, family: int) -> list[str]:
    """Why nothing is certain for this family."""
    missing = [
        f"{each.place.file}{f':{each.place.line}' * bool(each.place.line)} would not load:"
        f" {each.reason}"
        for each in rules.refusals
        if family in each.families
    ][:1]
    missing += [gap.reason for gap in rules.gaps if family in gap.families]
    if family not in rules.covers:
        missing.append(f"no IPv{family} rules were given")
    return missing


BaseChain = tuple[Base, Chain, Table]


def _place(each: BaseChain) -> tuple[int, int]:
    return _order(each[0])


def _order(base: Base) -> tuple[int, int]:
    return (NAT.get(base.hook, base.priority) if base.nat else base.priority), base.priority


def _tied(chains: Sequence[BaseChain]) -> bool:
    places = [(base.hook, _order(base)) for base, _, _ in chains]
    return len(set(places)) < len(places) or any(
        base.priority == CONNTRACK for base, _, _ in chains
    )


def _tracks(chains: Sequence[BaseChain], family: int) -> bool:
    """Whether these rules themselves switch conntrack on, without which no nat chain runs.

    NAT to an address does so for the family of the address alone (nft_nat_init), whatever the
    table's is.
    """
    tables = {id(table): table for _, _, table in chains}.values()
    rules = (rule for table in tables for chain in table.chains.values() for rule in chain.rules)
    return any(_switches_on(rule, family) for rule in rules)


def _switches_on(rule: Rule, family: int) -> bool:
    ours = _is_possible(rule, {Field.FAMILY: _one(family)})
    return any(_needs_conntrack(step, ours=ours) for step in rule.steps)


def _needs_conntrack(step: Step, *, ours: bool) -> bool:
    """``ours``: the rule is not for the other family alone."""
    match step:
        case Redirect(local=local) | SourceNat(local):
            return local or ours
        case AllOf(parts) | AnyOf(parts):
            return any(_needs_conntrack(part, ours=ours) for part in parts)
        case Not(part):
            return _needs_conntrack(part, ours=ours)
        case Branch(cases):
            return any(_needs_conntrack(part, ours=ours) for case in cases for part in case)
    return isinstance(step, FieldMatch) and step.field in OF_CONNTRACK


def _judge(
    chains: Sequence[BaseChain], packet: Packet, conntrack: tuple[int, int], budget: Budget
) -> PacketVerdict:
    answer, limits = _walked(chains, packet, conntrack, budget, generous=False)
    if answer.verdict == "depends" and limits:
        # Of what depends on a limit, and the limit is there against floods.
        within, limits = _walked(chains, packet, conntrack, budget, generous=True)
        if within.verdict != "depends":
            said = (f"up to {min(limits):g}/s",) if limits else ()
            return replace(within, conditions=said)
        answer = within if within.on else answer
    return answer


def _walked(
    chains: Sequence[BaseChain],
    packet: Packet,
    conntrack: tuple[int, int],
    budget: Budget,
    *,
    generous: bool,
) -> tuple[PacketVerdict, set[float]]:
    """The answer, and the generous limits of rate that it met; ``generous``: none is reached."""
    # Only nat chains ask for it, and to find it out is to look at every rule.
    nat = any(base.nat for base, _, _ in chains)
    steps = _Steps(budget.share + budget.pool)
    tracking = nat and _tracks(chains, packet.family)
    walk = _Walk(packet, steps, tracking=tracking, generous=generous)
    try:
        ways = walk.through(chains, conntrack)
    except _TooManyWaysError:
        reason = "if more conditions hold than can be told apart here"
        walk.outcomes.append(PathOutcome("unclear", None, (Story(),), reason))
        ways = []
    except _TooManyStepsError:
        return PacketVerdict(packet, "depends", conditions=(TOO_COMPLEX,)), set()
    finally:
        left = max(steps.left, 0)
        budget.used += budget.share + budget.pool - left
        budget.pool = min(budget.pool, left)
    walk.outcomes += [PathOutcome("accept", None, way.stories) for way in ways]
    return _answer(packet, walk.outcomes), walk.limits


def _answer(packet: Packet, outcomes: Sequence[PathOutcome]) -> PacketVerdict:
    ends = {(outcome.verdict, outcome.reply) for outcome in outcomes}
    verdicts = {verdict for verdict, _ in ends}
    # Of several ways to the same end, the one that nothing had to be assumed for.
    stories = [story for outcome in outcomes for story in outcome.stories]
    plain = [story for story in stories if not story.conditions] or stories
    decision = next((story.decision for story in plain if story.decision), None)
    if len(verdicts) == 1 and "unclear" not in verdicts:
        reply = outcomes[0].reply if len(ends) == 1 else None
        return PacketVerdict(packet, outcomes[0].verdict, reply, rule=decision)
    open_end = [
        outcome
        for outcome in outcomes
        if outcome.verdict != "unclear" and any(not story.conditions for story in outcome.stories)
    ]
    otherwise = open_end[-1].verdict if len({end.verdict for end in open_end}) == 1 else ""
    told = [
        (outcome.verdict, story.conditions, outcome.reason)
        for outcome in outcomes
        for story in outcome.stories
    ]
    said = sentences(told, otherwise, BITS[packet.family])
    on = None if "unclear" in verdicts else _on(stories)
    return PacketVerdict(packet, "depends", None, said, decision, otherwise, on)


def _on(stories: Iterable[Story]) -> Field | None:
    """Whether only the interface decides, and which."""
    found = {_interface_of(each) for story in stories for each in story.conditions}
    return found.pop() if len(found) == 1 else None


def _interface_of(condition: Condition) -> Field | None:
    atom, _ = _atom(condition)
    return atom.field if isinstance(atom, InterfaceMatch) else None


class _TooManyWaysError(Exception):
    """More ways than can be told apart."""


class _TooManyStepsError(Exception):
    """More steps than an answer may take."""


@dataclass(slots=True)
class _Steps:
    """Those that are ``left``."""

    left: int

    def take(self, number: int) -> None:
        """Take so many of them. Raises _TooManyStepsError."""
        self.left -= number
        if self.left < 0:
            raise _TooManyStepsError


@dataclass(slots=True)
class _Frame:
    """A chain that is being run. ``accepted``: the ways that have ended its base chain."""

    chain: Chain
    table: Table
    hook: Hook
    accepted: list[_Way]
    depth: int = 0
    returned: list[_Way] = field(default_factory=list)

    def call(self, chain: Chain, accepted: list[_Way]) -> _Frame:
        """The frame of a chain that this one jumps to."""
        return _Frame(chain, self.table, self.hook, accepted, self.depth + 1)

    def decision(self, text: str, place: RulePlace, *, policy: bool = False) -> Decision:
        """What is decided here."""
        table = f"{self.table.kind} {self.table.name}"
        return Decision(text, table, self.chain.name, place, self.hook, policy)


@dataclass(frozen=True, slots=True)
class _Called:
    """What a chain that was jumped to makes of a class of ways: where they end and go on."""

    going: Sequence[_Way]
    accepted: Sequence[_Way]
    outcomes: Sequence[PathOutcome]

    @property
    def weight(self) -> int:
        """How much there is to tell on."""
        return _length((*self.going, *self.accepted), self.outcomes)


class _Walk:
    """One packet's ways through the rules; ``outcomes`` are the ends they have come to."""

    def __init__(
        self, packet: Packet, steps: _Steps, *, tracking: bool, generous: bool = False
    ) -> None:
        self.packet = packet
        self._steps = steps
        self._tracking = tracking
        self._generous = generous
        self._least = GENEROUS_ICMP if packet.protocol in {ICMP, ICMPV6} else GENEROUS
        self.limits: set[float] = set()
        self.outcomes: list[PathOutcome] = []
        self._called: dict[Hashable, _Called] = {}
        self._classes: Counter[Hashable] = Counter()

    def through(self, chains: Sequence[BaseChain], conntrack: tuple[int, int]) -> list[_Way]:
        """The ways that come out at the end, having passed every hook."""
        packet = self.packet
        values = {**packet.values, Field.STATE: _one(ConntrackState.INVALID)}
        ways = [_Way(values, dict(packet.interfaces), {}, (Story(),))]

        def pass_through(stage: Hook, ways: list[_Way]) -> list[_Way]:
            own = [each for each in chains if each[0].hook is stage]
            return self._hook(stage, own, conntrack, [self._at(stage, way) for way in ways])

        def leaving(ways: list[_Way]) -> list[_Way]:
            return pass_through(Hook.EGRESS, pass_through(Hook.POSTROUTING, ways))

        if packet.hook is Hook.OUTPUT:
            return leaving(pass_through(Hook.OUTPUT, ways))
        ways = pass_through(Hook.PREROUTING, pass_through(Hook.INGRESS, ways))
        # What was to be forwarded may have been redirected to this host.
        here = [way for way in ways if packet.hook is Hook.INPUT or _is_local(way)]
        there = [way for way in ways if way not in here]
        forwarded = leaving(pass_through(Hook.FORWARD, there))
        return pass_through(Hook.INPUT, here) + forwarded

    def _hook(
        self,
        stage: Hook,
        chains: Sequence[BaseChain],
        conntrack: tuple[int, int],
        ways: list[_Way],
    ) -> list[_Way]:
        """The ways that leave a hook, where conntrack stands in its place among the chains."""
        untracked = stage in {Hook.PREROUTING, Hook.OUTPUT}
        for base, chain, table in chains:
            if untracked and _order(base) > conntrack:
                ways, untracked = [self._tracked(way) for way in ways], False
            ways = _met([out for way in ways for out in self._base(base, chain, table, way)])
        return [self._tracked(way) for way in ways] if untracked else ways

    def _at(self, stage: Hook, way: _Way) -> _Way:
        """The packet in this hook: before routing it has no OIF, and behind it the IIF is lost.

        Each hook has its own mapping: once one of its nat chains has set it up, the others are
        skipped (nf_nat_inet_fn).
        """
        interfaces = dict(way.interfaces)
        way = way.changing({Field.MAPPED: _one(0)})
        if stage in {Hook.INGRESS, Hook.PREROUTING}:
            interfaces[Field.OIF] = ""
        elif stage is Hook.FORWARD:
            del interfaces[Field.OIF]
            interfaces |= self.packet.interfaces
            way = way.changing({Field.HOP_LIMIT: _decreased(way.values[Field.HOP_LIMIT])})
        elif stage in {Hook.POSTROUTING, Hook.EGRESS}:
            interfaces.pop(Field.IIF, None)
        return replace(way, interfaces=interfaces)

    def _tracked(self, way: _Way) -> _Way:
        """The packet behind conntrack, which leaves alone what notrack marked."""
        if way.values[Field.STATE] == _one(ConntrackState.UNTRACKED):
            return way
        state = self.packet.state
        seen: Changes = {Field.STATE: merged((bit, bit) for bit in state)}
        if state & (ConntrackState.NEW | ConntrackState.ESTABLISHED | ConntrackState.RELATED):
            fresh = state == ConntrackState.NEW
            seen |= {
                Field.STATUS: _one(0) if fresh else STATUSES,
                Field.CT_MARK: _one(0) if fresh else MARKS,
                Field.DIRECTION: _one(0) if fresh else ((0, 1),),
                # Of a flow that is known, this packet may be the answer.
                Field.ORIGINAL_DADDR: way.values[Field.DADDR] if fresh else ADDRESSES,
            }
            if Field.DPORT in way.values:
                seen[Field.ORIGINAL_DPORT] = way.values[Field.DPORT] if fresh else PORTS
            elif not fresh:
                seen[Field.ORIGINAL_DPORT] = PORTS
        return way.changing(seen)

    def _base(self, base: Base, chain: Chain, table: Table, way: _Way) -> list[_Way]:
        """The ways that leave a base chain by accept, its policy among them."""
        conditions: list[Condition] = []
        if base.nat:
            related = () if self.packet.icmp_error else (RELATED,)
            conditions += [AnyOf((FIRST_PACKET, *related)), UNMAPPED]
            if not self._tracking:
                conditions.append(TRACKED)
        if base.devices:
            side = Field.OIF if base.hook is Hook.EGRESS else Field.IIF
            conditions.append(InterfaceMatch(side, base.devices))
        inside, outside = _split(AllOf(tuple(conditions)), way)
        frame = _Frame(chain, table, base.hook, [] if outside is None else [outside])
        if inside is not None:
            policy = {Accept: "accept", Drop: "drop"}.get(type(base.policy), "unknown")
            decision = frame.decision(f"policy {policy}", chain.place, policy=True)
            for end in self._chain(frame, inside):
                self._end(base.policy, end, decision, frame)
        return frame.accepted

    def _end(
        self, action: Accept | Drop | Reject | Unclear, way: _Way, decision: Decision, frame: _Frame
    ) -> None:
        way = way.decided(decision)
        match action:
            case Accept():
                frame.accepted.append(way)
            case Drop():
                self.outcomes.append(PathOutcome("drop", None, way.stories))
            case Reject():
                reply = self._reply(action, way)
                self.outcomes.append(PathOutcome("reject" if reply else "drop", reply, way.stories))
            case Unclear(reason):
                self.outcomes.append(PathOutcome("unclear", None, way.stories, reason))

    def _chain(self, frame: _Frame, way: _Way) -> list[_Way]:
        """The ways that reach the chain's end, or return from it."""
        ways = [way]
        for rule, weight in self._possible(frame.chain):
            self._steps.take(weight * len(ways))
            ways = _rejoined([out for each in ways for out in self._rule(rule, frame, each)], way)
            if not ways:
                break
        return _rejoined(ways + frame.returned, way)

    def _possible(self, chain: Chain) -> list[tuple[Rule, int]]:
        """The rules that are not for another family or protocol, which no rule ever changes.

        Each with its weight.
        """
        kind = self.packet.family, self.packet.protocol
        if kind not in chain.possible:
            values = {Field.FAMILY: _one(kind[0]), Field.PROTOCOL: _one(kind[1])}
            chain.possible[kind] = [
                (rule, _weight(rule)) for rule in chain.rules if _is_possible(rule, values)
            ]
        return chain.possible[kind]

    def _rule(self, rule: Rule, frame: _Frame, way: _Way, start: int = 0) -> list[_Way]:
        """The ways that go on to the next rule."""
        unsure: list[Condition] = []
        for at in range(start, len(rule.steps)):
            step = rule.steps[at]
            if isinstance(step, CONDITIONS):
                held = truth(step, way)
                if held is Truth.MAYBE and isinstance(step, Unmodelled):
                    held = self._limited(step, rule.steps[at + 1 :], way)
                if held is Truth.NO:
                    return [way]
                if held is Truth.MAYBE:
                    unsure.append(step)
            elif unsure:
                inside, outside = _split(AllOf(tuple(unsure)), way)
                going = [] if inside is None else self._rule(rule, frame, inside, at)
                return _rejoined(going if outside is None else [*going, outside], way)
            else:
                after = self._act(step, rule, frame, way)
                if not isinstance(after, _Way):
                    return after
                way = after
        return [way]

    def _limited(self, limit: Unmodelled, rest: Sequence[Step], way: _Way) -> Truth:
        """Whether a limit of rate holds: of a generous one it may be asked what is within it."""
        if not limit.rate or limit.rate < self._least:
            return Truth.MAYBE
        if any(isinstance(s, CONDITIONS) and truth(s, way) is Truth.NO for s in rest):
            return Truth.NO
        self.limits.add(limit.rate)
        if not self._generous:
            return Truth.MAYBE
        return Truth.NO if limit.over else Truth.YES

    def _act(self, action: Action, rule: Rule, frame: _Frame, way: _Way) -> _Way | list[_Way]:
        """The way that this rule goes on with; where it ends, those that go on to the next rule."""
        decision = frame.decision(rule.text, rule.place)
        match action:
            case Accept() | Drop() | Reject() | Unclear():
                self._end(action, way, decision, frame)
            case Return():
                frame.returned.append(way)
            case Jump(name, goto):
                ends = self._jump(name, decision, frame, way)
                if not goto:
                    return ends
                frame.returned += ends
            case Branch(cases):
                return self._branch(cases, rule, frame, way)
            case Assign():
                return self._assign(action, way)
            case NoTrack():
                # What conntrack has a flow for it keeps.
                known = without(way.values[Field.STATE], UNSEEN)
                if known == way.values[Field.STATE]:
                    return way
                return way.changing({Field.STATE: merged([*known, *UNTRACKED])})
            case Redirect() | SourceNat():
                self._map(action, way.changing({Field.MAPPED: _one(1)}), decision, frame)
        return []

    def _jump(self, name: str, decision: Decision, frame: _Frame, way: _Way) -> list[_Way]:
        called = frame.table.chains.get(name)
        if called is None or frame.depth == MAX_DEPTH:
            self._end(Unclear(f"if there is a chain {name} to jump to"), way, decision, frame)
            return []
        if not _is_shared(name, frame.table):
            return self._chain(frame.call(called, frame.accepted), way)
        done = self._call(frame.call(called, []), way)
        self._steps.take(done.weight * len(way.stories))
        frame.accepted += [_follow(way, each) for each in done.accepted]
        self.outcomes += [
            replace(each, stories=_told_after(way.stories, each.stories)) for each in done.outcomes
        ]
        return [_follow(way, each) for each in done.going]

    def _call(self, frame: _Frame, way: _Way) -> _Called:
        """What a chain makes of this way; it is run once for each class of ways.

        Else two jumps a level would double the work at each.
        """
        place = id(frame.chain), frame.hook, frame.depth, way.changed
        key = place, _class(way, self.packet.values)
        if key not in self._called:
            self._classes[place] += 1
            if self._classes[place] > MAX_CLASSES:
                way = self._forgetful(way, frame.hook)
                key = place, _class(way, self.packet.values)
        if key not in self._called:
            self._called[key] = self._run(frame, replace(way, stories=(Story(),)))
        return self._called[key]

    def _run(self, frame: _Frame, way: _Way) -> _Called:
        before, self.outcomes = self.outcomes, []
        try:
            going = self._chain(frame, way)
            self._steps.take(_length((*going, *frame.accepted), self.outcomes))
            return _Called(going, _met(frame.accepted), _gathered(self.outcomes))
        finally:
            self.outcomes = before

    def _forgetful(self, way: _Way, hook: Hook) -> _Way:
        """The way with what rules have set, and nothing that it has learned from them."""
        values = {**way.values, **self.packet.values, **dict(way.changed)}
        interfaces = dict(self.packet.interfaces)
        if hook in {Hook.INGRESS, Hook.PREROUTING, Hook.INPUT}:
            interfaces[Field.OIF] = ""
        elif hook is Hook.POSTROUTING:
            interfaces.pop(Field.IIF, None)
        return _Way(values, interfaces, {}, way.stories, way.changed)

    def _branch(
        self,
        cases: Sequence[tuple[Condition, Action]],
        rule: Rule,
        frame: _Frame,
        way: _Way,
    ) -> list[_Way]:
        going: list[_Way] = []
        for condition, action in cases:
            self._steps.take(1)
            inside, outside = _split(condition, way)
            if inside is not None:
                after = self._act(action, rule, frame, inside)
                going += [after] if isinstance(after, _Way) else after
            if outside is None:
                return going
            way = outside
        return [*going, way]

    def _assign(self, action: Assign, way: _Way) -> _Way | list[_Way]:
        source = way.values.get(action.source) if action.source else _one(0)
        if source is None:
            # nftables ends the rule where what it reads is not there.
            return [way]
        if action.field not in way.values:
            return way
        new = MARKS
        if action.known and _single(source):
            new = _one((source[0][0] & action.keep) ^ action.flip)
        return way.changing({action.field: new})

    def _map(self, action: Nat, way: _Way, decision: Decision, frame: _Frame) -> None:
        """Go on behind NAT, as far as the packet still comes to this host."""
        if isinstance(action, SourceNat):
            frame.accepted.append(way.decided(decision))
            return
        new: Changes = {}
        if (status := way.values.get(Field.STATUS)) is not None:
            mapped = _one(status[0][0] | ConntrackStatus.DNAT) if _single(status) else STATUSES
            # A mapping to what the packet has already is none to conntrack.
            new[Field.STATUS] = mapped if _changes(action, way) else merged([*status, *mapped])
        if action.port is not None and Field.DPORT in way.values:
            new[Field.DPORT] = (action.port,)
        if action.local:
            new[Field.DADDR] = UNICAST[self.packet.family]
            new[Field.DADDR_TYPE] = _one(AddressType.LOCAL)
        elif action.address is not None and (action.address,) != way.values[Field.DADDR]:
            reason = "if the host that it is sent on to lets it in"
            self._end(Unclear(reason), way, decision, frame)
            return
        frame.accepted.append(way.changing(new).decided(decision))

    def _reply(self, action: Reject, way: _Way) -> str | None:
        """What a reject sends, None where nothing may be sent (RFC 4443 section 2.4)."""
        packet, values = self.packet, way.values
        if values[Field.PACKET_TYPE] != _one(0) or values[Field.SADDR] == _one(0):
            return None
        message = action.icmpv6 if packet.family == IPV6 else action.icmp
        if message is None:
            answered = packet.protocol == TCP and not values[Field.FLAGS][0][0] & RST
            return "rst" if answered else None
        if packet.icmp_error:
            return None
        return f"{'icmpv6' if packet.family == IPV6 else 'icmp'} {message[0]}/{message[1]}"


def _is_shared(name: str, table: Table) -> bool:
    """Whether several rules jump to this chain."""
    if table.jumps is None:
        steps = (s for chain in table.chains.values() for rule in chain.rules for s in rule.steps)
        table.jumps = Counter(name for step in steps for name in _targets(step))
    return table.jumps[name] > 1


def _targets(step: Step) -> Iterator[str]:
    match step:
        case Jump(name):
            yield name
        case Branch(cases):
            for _, action in cases:
                yield from _targets(action)


def _class(way: _Way, known: Mapping[Field, Ranges]) -> Hashable:
    """What two ways have alike that the rules cannot tell apart, beside what was ``known``."""
    learned = [each for each in way.values.items() if each[1] is not known.get(each[0])]
    return (
        frozenset(learned),
        frozenset(way.interfaces.items()),
        frozenset(way.assumed.items()),
    )


def _length(ways: Iterable[_Way], outcomes: Iterable[PathOutcome]) -> int:
    """How much these stories tell."""
    told = (*(way.stories for way in ways), *(outcome.stories for outcome in outcomes))
    return sum(1 + len(story.conditions) for stories in told for story in stories)


def _follow(way: _Way, end: _Way) -> _Way:
    """The end of a chain, of a way that came to the chain like this."""
    return replace(end, stories=_told_after(way.stories, end.stories))


def _told_after(first: Sequence[Story], then: Sequence[Story]) -> tuple[Story, ...]:
    return tuple(
        Story((*before.conditions, *after.conditions), after.decision or before.decision)
        for before in first
        for after in then
    )[:MAX_STORIES]


def _gathered(outcomes: Sequence[PathOutcome]) -> list[PathOutcome]:
    """The same ends, each once: with the stories that lead there, the unconditional ones first."""
    found: dict[tuple[str, str | None, str], dict[Story, None]] = {}
    for each in outcomes:
        stories = found.setdefault((each.verdict, each.reply, each.reason), {})
        stories |= dict.fromkeys(each.stories)
    return [
        PathOutcome(verdict, reply, _plain_first(stories)[:MAX_STORIES_OF_A_CHAIN], reason)
        for (verdict, reply, reason), stories in found.items()
    ]


def _plain_first(stories: Iterable[Story]) -> tuple[Story, ...]:
    return tuple(sorted(stories, key=lambda story: bool(story.conditions)))


def _is_possible(rule: Rule, values: Values) -> bool:
    for step in rule.steps:
        if not isinstance(step, CONDITIONS):
            break
        if isinstance(step, FieldMatch) and step.field in values and not _among(step, values):
            return False
    return True


_OPPOSITES = (Truth.YES, Truth.MAYBE, Truth.NO)
CONDITIONS = (FieldMatch, InterfaceMatch, Unmodelled, AllOf, AnyOf, Not)


def truth(condition: Condition, way: _Way) -> Truth:
    """Whether a condition holds, by what is known and what has been assumed."""
    kind = type(condition)
    if kind is FieldMatch:
        found = _among(condition, way.values)  # type: ignore[arg-type]
    elif kind is AllOf or kind is AnyOf:
        found = _combined(condition, way)  # type: ignore[arg-type]
    elif kind is InterfaceMatch:
        found = _named(condition, way.interfaces)  # type: ignore[arg-type]
    elif kind is Not:
        found = _opposite(truth(condition.part, way))  # type: ignore[union-attr]
    else:
        found = Truth.MAYBE
    if found is Truth.MAYBE and way.assumed:
        known, straight = _atom(condition)
        if (holds := way.assumed.get(known)) is not None:
            return Truth.YES if holds is straight else Truth.NO
    return found


def _among(condition: FieldMatch, values: Values) -> Truth:
    value = values.get(condition.field)
    if value is None:
        return Truth.NO
    if condition.mask is None:
        found = lies(value, condition.ranges)
    elif _single(value):
        masked = value[0][0] & condition.mask
        found = lies(((masked, masked),), condition.ranges)
    elif all(high - low < MAX_TRIED for low, high in value):
        each = {
            lies(_one(number & condition.mask), condition.ranges)
            for low, high in value
            for number in range(low, high + 1)
        }
        found = each.pop() if len(each) == 1 else Truth.MAYBE
    else:
        found = Truth.MAYBE
    return _opposite(found) if condition.negated else found


def _named(condition: InterfaceMatch, interfaces: dict[Field, str]) -> Truth:
    name = interfaces.get(condition.field)
    if name is None:
        # Nobody is served over loopback from outside.
        found = Truth.NO if condition.names == ("lo",) else Truth.MAYBE
        if "*" in condition.names:
            found = Truth.YES
    else:
        found = Truth.YES if any(_is_called(name, each) for each in condition.names) else Truth.NO
    return _opposite(found) if condition.negated else found


def _is_called(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _combined(condition: AllOf | AnyOf, way: _Way) -> Truth:
    final = Truth.NO if isinstance(condition, AllOf) else Truth.YES
    found = _opposite(final)
    for part in condition.parts:
        held = truth(part, way)
        if held is final:
            return final
        if held is Truth.MAYBE:
            found = Truth.MAYBE
    return found


def _opposite(found: Truth) -> Truth:
    return _OPPOSITES[found]


def _atom(condition: Condition) -> tuple[Condition, bool]:
    """A condition without its negation, and whether it had none."""
    if isinstance(condition, Not):
        atom, straight = _atom(condition.part)
        return atom, not straight
    if isinstance(condition, FieldMatch | InterfaceMatch) and condition.negated:
        return replace(condition, negated=False), False
    return condition, True


def _split(condition: Condition, way: _Way) -> tuple[_Way | None, _Way | None]:
    """The way on which the condition holds, and the one on which it does not."""
    held = truth(condition, way)
    if held is Truth.MAYBE:
        return _assuming(way, condition, holds=True), _assuming(way, condition, holds=False)
    return (way, None) if held is Truth.YES else (None, way)


def _assuming(way: _Way, condition: Condition, *, holds: bool) -> _Way:
    """The way on which a condition that may hold does, or does not."""
    values, interfaces, assumed = dict(way.values), dict(way.interfaces), dict(way.assumed)
    told: list[Condition] = []
    for atom, true in _atoms(condition, holds, way):
        _learn(atom, true, values, interfaces, assumed)
        told.append(atom if true else Not(atom))
    stories = way.stories
    if holds:
        stories = tuple(Story((*story.conditions, *told), story.decision) for story in way.stories)
    return _Way(values, interfaces, assumed, stories, way.changed)


def _atoms(condition: Condition, holds: bool, way: _Way) -> Iterator[tuple[Condition, bool]]:  # noqa: FBT001
    """What follows from a condition's being true, or false: atoms and their truth."""
    atom, straight = _atom(condition)
    holds = holds is straight
    parts = atom.parts if isinstance(atom, AllOf | AnyOf) else ()
    unsure = [part for part in parts if truth(part, way) is Truth.MAYBE]
    # All of them true, or none of any of them; one open part alone decides the whole.
    if parts and (holds is isinstance(atom, AllOf) or len(unsure) == 1):
        for part in unsure:
            yield from _atoms(part, holds, way)
    else:
        yield atom, holds


def _learn(
    atom: Condition,
    holds: bool,  # noqa: FBT001
    values: Values,
    interfaces: dict[Field, str],
    assumed: dict[Condition, bool],
) -> None:
    if isinstance(atom, FieldMatch) and atom.mask is None and atom.field in values:
        narrow: Callable[[Ranges, Ranges], Ranges] = common if holds else without
        if len(values[atom.field]) + len(atom.ranges) <= MAX_RANGES:
            values[atom.field] = narrow(values[atom.field], atom.ranges) or values[atom.field]
        return
    if (
        isinstance(atom, InterfaceMatch)
        and holds
        and len(atom.names) == 1
        and atom.names[0][-1:] != "*"
    ):
        interfaces[atom.field] = atom.names[0]
    elif len(assumed) < MAX_ASSUMED and _steady(atom):
        assumed[atom] = holds


def _steady(condition: Condition) -> bool:
    """Whether it is true again if it was true before."""
    match condition:
        case Unmodelled(steady=steady):
            return steady
        case AllOf(parts) | AnyOf(parts):
            return all(map(_steady, parts))
        case Not(part):
            return _steady(part)
    return True


def _changes(action: Redirect, way: _Way) -> bool:
    """Whether destination NAT changes the port or the address for certain."""
    pairs = ((Field.DPORT, action.port), (Field.DADDR, action.address))
    return any(
        new is not None and field in way.values and lies(way.values[field], (new,)) is Truth.NO
        for field, new in pairs
    )


def _rejoined(ways: list[_Way], since: _Way) -> list[_Way]:
    """Ways of one chain that rules have changed alike are one again, with what was known before."""
    if len(ways) < 2:
        return ways
    groups = _alike(ways)
    return [
        group[0]
        if len(group) == 1
        else replace(since, values=since.values | dict(changed), changed=changed)
        for changed, group in groups.items()
    ]


def _met(ways: list[_Way]) -> list[_Way]:
    """Ways out of a base chain likewise, but with how each of them came here."""
    return [group[0] if len(group) == 1 else _join(group) for group in _alike(ways).values()]


def _alike(ways: Sequence[_Way]) -> dict[tuple[tuple[Field, Ranges], ...], list[_Way]]:
    groups: dict[tuple[tuple[Field, Ranges], ...], list[_Way]] = {}
    for way in ways:
        groups.setdefault(way.changed, []).append(way)
    if len(groups) > MAX_WAYS:
        raise _TooManyWaysError
    return groups


def _join(group: Sequence[_Way]) -> _Way:
    """One way for several, which knows only what all of them know."""
    first, *others = group
    values = {
        key: merged(part for way in group for part in way.values[key]) for key in first.values
    }
    interfaces = {
        key: name
        for key, name in first.interfaces.items()
        if all(way.interfaces.get(key) == name for way in others)
    }
    assumed = {
        atom: holds
        for atom, holds in first.assumed.items()
        if all(way.assumed.get(atom) is holds for way in others)
    }
    stories = dict.fromkeys(story for way in group for story in way.stories)
    return _Way(values, interfaces, assumed, tuple(stories)[:MAX_STORIES], first.changed)


def _is_local(way: _Way) -> bool:
    return way.values[Field.DADDR_TYPE] == _one(AddressType.LOCAL)


def _decreased(hop_limit: Ranges) -> Ranges:
    """A hop limit as the hook forward sees it (RFC 8200 section 3)."""
    return tuple((max(low - 1, 0), max(high - 1, 0)) for low, high in hop_limit)


def _one(number: int) -> Ranges:
    return ((number, number),)


def _single(value: Ranges) -> bool:
    return len(value) == 1 and value[0][0] == value[0][1]
