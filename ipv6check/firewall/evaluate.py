"""The verdict on a packet: every path through the rules that what is known of it leaves open.

Conditions are three-valued. Where one may hold or not, both paths are followed, each with what it
has learned: narrower addresses, a named interface, an assumption. Paths that differ in nothing the
rules can see are joined. The verdict is certain where all paths end alike, and only there.

The order is the kernel's: netdev ingress, prerouting, conntrack at -200, input or forward, then
postrouting; base chains of a hook by priority over all tables, where any drop is final and accept
ends one base chain. Two things are assumed, because rules do not decide them: a packet comes in on
the interface over which its source is routed, and it is not fragmented.
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
# More of any are not kept apart, which makes a verdict depend but never wrong.
MAX_PATHS = 32
MAX_RANGES = 12
MAX_ASSUMED = 64
MAX_TRIED = 64
MAX_INTERFACES = 16
OTHERS = "~"  # no name that rules have
MAX_TRACES = 24
MAX_TRACES_OF_A_CHAIN = 6
# Packets a second from which on a limit is there against floods, and passes legitimate traffic. For
# ICMP what RFC 4443 section 2.4 lets a small device send of errors; for new connections what a busy
# service has.
GENEROUS, GENEROUS_ICMP = 1000.0, 10.0
# Classes of packets that jump to one chain; those beyond are judged by what is known of all.
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
class Trace:
    """The conditions of one path, and the last decision on it."""

    conditions: tuple[Condition, ...] = ()
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class PathOutcome:
    """The end of paths: accept, drop, reject with a ``reply``, or unclear with a ``reason``."""

    verdict: str
    reply: str | None
    traces: tuple[Trace, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PacketVerdict:
    """The verdict of a rule set on a packet.

    ``verdict`` is accept, drop, reject or depends. ``reply`` is what a reject sends: ``rst``,
    ``icmpv6 1/4``, ``icmp 3/3``. ``conditions`` says on what it depends, a phrase each; or, of
    what is certain up to a generous rate, that rate. ``otherwise`` is the verdict where none of
    them holds, empty where that is not known. ``on``: IIF or OIF, where it depends on that alone.
    """

    packet: Packet
    verdict: str
    reply: str | None = None
    conditions: tuple[str, ...] = ()
    rule: Decision | None = None
    otherwise: str = ""
    on: Field | None = None


@dataclass(frozen=True, slots=True)
class _Path:
    """One path of a packet: what is known of it there.

    ``changed`` are the fields that rules have set: paths with equal ones behave alike.
    """

    values: Values
    interfaces: dict[Field, str]
    assumed: dict[Condition, bool]
    traces: tuple[Trace, ...]
    changed: tuple[tuple[Field, Ranges], ...] = ()

    def decided(self, decision: Decision) -> _Path:
        """The same path, with this as the last decision."""
        traces = tuple(
            trace if _stands(trace.decision, decision) else Trace(trace.conditions, decision)
            for trace in self.traces
        )
        return replace(self, traces=traces)

    def changing(self, new: Changes) -> _Path:
        """The same path, with these fields set."""
        changed = tuple(sorted((dict(self.changed) | new).items()))
        return replace(self, values=self.values | new, changed=changed)


def _stands(before: Decision | None, new: Decision) -> bool:
    """Whether a rule has accepted in this hook already, so that a policy adds nothing."""
    same = before is not None and before.hook is new.hook and not before.policy
    return same and new.policy and new.text == "policy accept"


@dataclass(slots=True)
class Budget:
    """How many steps the verdicts of one rule set may take: a deadline without a clock.

    So the same rules give the same verdicts on every machine. Each packet has its ``share``; one
    that needs more draws on the ``pool``, and one that finds it empty depends.
    """

    share: int
    pool: int = POOL
    used: int = 0

    @classmethod
    def of(cls, rules: RuleSet) -> Budget:
        """A budget whose share lets a packet pass all these rules several times."""
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
    """About how many conditions have to be tested: those of one set are alike."""
    match step:
        case AllOf(parts) | AnyOf(parts) if parts:
            return 1 + len(parts) * _size(parts[0])
        case Not(part):
            return 1 + _size(part)
        case Branch(cases) if cases:
            return 1 + len(cases) * _size(cases[0][0])
    return 1


def judge(rules: RuleSet, packet: Packet, budget: Budget | None = None) -> PacketVerdict:
    """The verdict of these rules on this packet. A certain one is the kernel's own."""
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
        conditions = answer.conditions or (f"{answer.verdict} by the given rules",)
        return _depending(answer, (*missing, *conditions))
    if answer.on is None:
        return answer
    names = _interfaces(tables, answer.on)
    if cost * len(names) > budget.share:
        return answer
    return _by_interface(answer, names, lambda variant: _of_both_orders(chains, variant, budget))


def _by_interface(
    answer: PacketVerdict, names: Sequence[str], judged: Callable[[Packet], PacketVerdict]
) -> PacketVerdict:
    """The answer as a list of interfaces, where each alone is certain and they are few."""
    packet, field = answer.packet, answer.on
    if field is None or not 0 < len(names) <= MAX_INTERFACES:
        return answer
    by_verdict: dict[str, list[str]] = {}
    for name in (*names, OTHERS):
        # The name itself, or one that only this pattern matches.
        known = f"{name[:-1]}~" if name.endswith("*") else name
        alone = judged(replace(packet, interfaces={**packet.interfaces, field: known}))
        if alone.verdict == "depends":
            return answer
        by_verdict.setdefault(alone.verdict, []).append(name)
    otherwise = next(verdict for verdict, where in by_verdict.items() if where[-1] == OTHERS)
    on = "out of" if field is Field.OIF else "on"
    rest = sorted(verdict for verdict in by_verdict if verdict != otherwise)
    exceptions = "; ".join(f"{verdict} {on} {', '.join(by_verdict[verdict])}" for verdict in rest)
    sentence = f"{exceptions}; {otherwise} {on} others" if rest else f"{otherwise} {on} all"
    return replace(answer, conditions=(sentence,), otherwise=otherwise)


def _interfaces(tables: Iterable[Table], field: Field) -> list[str]:
    """The interfaces that rules name."""
    names: dict[str, None] = {}
    for table in tables:
        for chain in table.chains.values():
            if chain.base is not None and field is Field.IIF:
                names |= dict.fromkeys(chain.base.devices)
            for rule in chain.rules:
                for step in rule.steps:
                    names |= dict.fromkeys(_named_in(step, field))
    return sorted(name for name in names if name != "*")


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
    """The answer, where chains of equal priority may run in either order."""
    answer = _judge(sorted(chains, key=_place), packet, BEFORE, budget)
    if _tied(chains):
        turned = chains[::-1]
        # Rules do not say which of two chains of one priority is first; the kernel may reverse it.
        other = _judge(sorted(turned, key=_place), packet, AFTER, budget)
        if (other.verdict, other.reply) != (answer.verdict, answer.reply):
            why = f"{other.verdict} if chains of equal priority run in the other order"
            answer = _depending(answer, (*answer.conditions, *other.conditions, why))
    return answer


def _depending(answer: PacketVerdict, conditions: Iterable[str]) -> PacketVerdict:
    unique = tuple(dict.fromkeys(conditions))
    return replace(answer, verdict="depends", reply=None, conditions=unique, otherwise="", on=None)


def _missing(rules: RuleSet, family: int) -> list[str]:
    """Why nothing is certain for this family."""
    missing = [
        f"{refusal.place.file}{f':{refusal.place.line}' * bool(refusal.place.line)} would not load:"
        f" {refusal.reason}"
        for refusal in rules.refusals
        if family in refusal.families
    ][:1]
    missing += [gap.reason for gap in rules.gaps if family in gap.families]
    if family not in rules.covers:
        missing.append(f"no IPv{family} rules were given")
    return missing


BaseChain = tuple[Base, Chain, Table]


def _place(chain: BaseChain) -> tuple[int, int]:
    return _order(chain[0])


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
        # It depends on a limit that is there against floods.
        within, limits = _walked(chains, packet, conntrack, budget, generous=True)
        if within.verdict != "depends":
            rate = (f"up to {min(limits):g}/s",) if limits else ()
            return replace(within, conditions=rate)
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
        paths = walk.through(chains, conntrack)
    except _TooManyPathsError:
        reason = "if conditions hold that are too many to tell apart here"
        walk.outcomes.append(PathOutcome("unclear", None, (Trace(),), reason))
        paths = []
    except _TooManyStepsError:
        return PacketVerdict(packet, "depends", conditions=(TOO_COMPLEX,)), set()
    finally:
        left = max(steps.left, 0)
        budget.used += budget.share + budget.pool - left
        budget.pool = min(budget.pool, left)
    walk.outcomes += [PathOutcome("accept", None, path.traces) for path in paths]
    return _answer(packet, walk.outcomes), walk.limits


def _answer(packet: Packet, outcomes: Sequence[PathOutcome]) -> PacketVerdict:
    """The verdict that the ends of all paths add up to."""
    traces = [trace for outcome in outcomes for trace in outcome.traces]
    # Of several paths to the same end, the one that nothing had to be assumed for.
    plain = [trace for trace in traces if not trace.conditions] or traces
    decision = next((trace.decision for trace in plain if trace.decision), None)
    verdicts = {outcome.verdict for outcome in outcomes}
    if len(verdicts) > 1 or "unclear" in verdicts:
        return _dependent_answer(packet, outcomes, decision)
    replies = {outcome.reply for outcome in outcomes}
    reply = outcomes[0].reply if len(replies) == 1 else None
    return PacketVerdict(packet, outcomes[0].verdict, reply, rule=decision)


def _dependent_answer(
    packet: Packet, outcomes: Sequence[PathOutcome], decision: Decision | None
) -> PacketVerdict:
    """The verdict where paths end differently: on what it depends, and what it is otherwise."""
    unconditional = [
        outcome.verdict
        for outcome in outcomes
        if outcome.verdict != "unclear" and any(not trace.conditions for trace in outcome.traces)
    ]
    otherwise = unconditional[0] if len(set(unconditional)) == 1 else ""
    ends = [
        (outcome.verdict, trace.conditions, outcome.reason)
        for outcome in outcomes
        for trace in outcome.traces
    ]
    conditions = sentences(ends, otherwise, BITS[packet.family])
    unclear = any(outcome.verdict == "unclear" for outcome in outcomes)
    traces = [trace for outcome in outcomes for trace in outcome.traces]
    on = None if unclear else _interface_alone(traces)
    return PacketVerdict(packet, "depends", None, conditions, decision, otherwise, on)


def _interface_alone(traces: Iterable[Trace]) -> Field | None:
    """IIF or OIF, where nothing else decides."""
    fields = {_interface_of(condition) for trace in traces for condition in trace.conditions}
    return fields.pop() if len(fields) == 1 else None


def _interface_of(condition: Condition) -> Field | None:
    atom, _ = _atom(condition)
    return atom.field if isinstance(atom, InterfaceMatch) else None


class _TooManyPathsError(Exception):
    """More paths than are kept apart."""


class _TooManyStepsError(Exception):
    """More steps than an answer may take."""


@dataclass(slots=True)
class _Steps:
    """The steps that are ``left`` of a budget."""

    left: int

    def take(self, number: int) -> None:
        """Take so many steps. Raises _TooManyStepsError."""
        self.left -= number
        if self.left < 0:
            raise _TooManyStepsError


@dataclass(slots=True)
class _Frame:
    """A chain that is being run. ``accepted``: the paths that have ended its base chain."""

    chain: Chain
    table: Table
    hook: Hook
    accepted: list[_Path]
    depth: int = 0
    returned: list[_Path] = field(default_factory=list)

    def call(self, chain: Chain, accepted: list[_Path]) -> _Frame:
        """The frame of a chain that this one jumps to."""
        return _Frame(chain, self.table, self.hook, accepted, self.depth + 1)

    def decision(self, text: str, place: RulePlace, *, policy: bool = False) -> Decision:
        """A decision of this chain."""
        table = f"{self.table.kind} {self.table.name}"
        return Decision(text, table, self.chain.name, place, self.hook, policy)


@dataclass(frozen=True, slots=True)
class _Called:
    """What a chain makes of one class of paths that jump to it: where they end and go on."""

    going: Sequence[_Path]
    accepted: Sequence[_Path]
    outcomes: Sequence[PathOutcome]

    @property
    def weight(self) -> int:
        """How long the traces are."""
        return _length((*self.going, *self.accepted), self.outcomes)


class _Walk:
    """One packet's paths through the rules; ``outcomes`` are their ends so far."""

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

    def through(self, chains: Sequence[BaseChain], conntrack: tuple[int, int]) -> list[_Path]:
        """The paths that have passed every hook."""
        packet = self.packet
        values = {**packet.values, Field.STATE: _one(ConntrackState.INVALID)}
        paths = [_Path(values, dict(packet.interfaces), {}, (Trace(),))]

        def pass_through(stage: Hook, paths: list[_Path]) -> list[_Path]:
            own = [chain for chain in chains if chain[0].hook is stage]
            return self._hook(stage, own, conntrack, [self._at(stage, path) for path in paths])

        def leaving(paths: list[_Path]) -> list[_Path]:
            return pass_through(Hook.EGRESS, pass_through(Hook.POSTROUTING, paths))

        if packet.hook is Hook.OUTPUT:
            return leaving(pass_through(Hook.OUTPUT, paths))
        paths = pass_through(Hook.PREROUTING, pass_through(Hook.INGRESS, paths))
        # What was to be forwarded may have been redirected to this host.
        here = [path for path in paths if packet.hook is Hook.INPUT or _is_local(path)]
        there = [path for path in paths if path not in here]
        forwarded = leaving(pass_through(Hook.FORWARD, there))
        return pass_through(Hook.INPUT, here) + forwarded

    def _hook(
        self,
        stage: Hook,
        chains: Sequence[BaseChain],
        conntrack: tuple[int, int],
        paths: list[_Path],
    ) -> list[_Path]:
        """The paths that leave a hook, with conntrack in its place among the chains."""
        untracked = stage in {Hook.PREROUTING, Hook.OUTPUT}
        for base, chain, table in chains:
            if untracked and _order(base) > conntrack:
                paths, untracked = [self._tracked(path) for path in paths], False
            paths = _met([out for path in paths for out in self._base(base, chain, table, path)])
        return [self._tracked(path) for path in paths] if untracked else paths

    def _at(self, stage: Hook, path: _Path) -> _Path:
        """The packet in this hook: before routing it has no OIF, and behind it the IIF is lost.

        Each hook has its own mapping: once one of its nat chains has set it up, the others are
        skipped (nf_nat_inet_fn).
        """
        interfaces = dict(path.interfaces)
        path = path.changing({Field.MAPPED: _one(0)})
        if stage in {Hook.INGRESS, Hook.PREROUTING}:
            interfaces[Field.OIF] = ""
        elif stage is Hook.FORWARD:
            del interfaces[Field.OIF]
            interfaces |= self.packet.interfaces
            path = path.changing({Field.HOP_LIMIT: _decreased(path.values[Field.HOP_LIMIT])})
        elif stage in {Hook.POSTROUTING, Hook.EGRESS}:
            interfaces.pop(Field.IIF, None)
        return replace(path, interfaces=interfaces)

    def _tracked(self, path: _Path) -> _Path:
        """The packet behind conntrack, which leaves alone what notrack marked."""
        if path.values[Field.STATE] == _one(ConntrackState.UNTRACKED):
            return path
        state = self.packet.state
        seen: Changes = {Field.STATE: merged((bit, bit) for bit in state)}
        if state & (ConntrackState.NEW | ConntrackState.ESTABLISHED | ConntrackState.RELATED):
            fresh = state == ConntrackState.NEW
            seen |= {
                Field.STATUS: _one(0) if fresh else STATUSES,
                Field.CT_MARK: _one(0) if fresh else MARKS,
                Field.DIRECTION: _one(0) if fresh else ((0, 1),),
                # Of a flow that is known, this packet may be the answer.
                Field.ORIGINAL_DADDR: path.values[Field.DADDR] if fresh else ADDRESSES,
            }
            if Field.DPORT in path.values:
                seen[Field.ORIGINAL_DPORT] = path.values[Field.DPORT] if fresh else PORTS
            elif not fresh:
                seen[Field.ORIGINAL_DPORT] = PORTS
        return path.changing(seen)

    def _base(self, base: Base, chain: Chain, table: Table, path: _Path) -> list[_Path]:
        """The paths that leave a base chain by accept, its policy included."""
        conditions: list[Condition] = []
        if base.nat:
            related = () if self.packet.icmp_error else (RELATED,)
            conditions += [AnyOf((FIRST_PACKET, *related)), UNMAPPED]
            if not self._tracking:
                conditions.append(TRACKED)
        if base.devices:
            side = Field.OIF if base.hook is Hook.EGRESS else Field.IIF
            conditions.append(InterfaceMatch(side, base.devices))
        inside, outside = _split(AllOf(tuple(conditions)), path)
        frame = _Frame(chain, table, base.hook, [] if outside is None else [outside])
        if inside is not None:
            policy = {Accept: "accept", Drop: "drop"}.get(type(base.policy), "unknown")
            decision = frame.decision(f"policy {policy}", chain.place, policy=True)
            for end in self._chain(frame, inside):
                self._end(base.policy, end, decision, frame)
        return frame.accepted

    def _end(
        self,
        action: Accept | Drop | Reject | Unclear,
        path: _Path,
        decision: Decision,
        frame: _Frame,
    ) -> None:
        path = path.decided(decision)
        match action:
            case Accept():
                frame.accepted.append(path)
            case Drop():
                self.outcomes.append(PathOutcome("drop", None, path.traces))
            case Reject():
                reply = self._reply(action, path)
                self.outcomes.append(PathOutcome("reject" if reply else "drop", reply, path.traces))
            case Unclear(reason):
                self.outcomes.append(PathOutcome("unclear", None, path.traces, reason))

    def _chain(self, frame: _Frame, path: _Path) -> list[_Path]:
        """The paths that reach the chain's end, or return from it."""
        paths = [path]
        for rule, weight in self._possible(frame.chain):
            self._steps.take(weight * len(paths))
            paths = _rejoined(
                [out for reaching in paths for out in self._rule(rule, frame, reaching)], path
            )
            if not paths:
                break
        return _rejoined(paths + frame.returned, path)

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

    def _rule(self, rule: Rule, frame: _Frame, path: _Path, start: int = 0) -> list[_Path]:
        """The paths that go on to the next rule."""
        unsure: list[Condition] = []
        for at in range(start, len(rule.steps)):
            step = rule.steps[at]
            if isinstance(step, CONDITIONS):
                held = truth(step, path)
                if held is Truth.MAYBE and isinstance(step, Unmodelled):
                    held = self._limited(step, rule.steps[at + 1 :], path)
                if held is Truth.NO:
                    return [path]
                if held is Truth.MAYBE:
                    unsure.append(step)
            elif unsure:
                inside, outside = _split(AllOf(tuple(unsure)), path)
                going = [] if inside is None else self._rule(rule, frame, inside, at)
                return _rejoined(going if outside is None else [*going, outside], path)
            else:
                after = self._act(step, rule, frame, path)
                if not isinstance(after, _Path):
                    return after
                path = after
        return [path]

    def _limited(self, limit: Unmodelled, rest: Sequence[Step], path: _Path) -> Truth:
        """Whether a rate limit holds; a generous one may be taken as never reached."""
        if not limit.rate or limit.rate < self._least:
            return Truth.MAYBE
        if any(isinstance(step, CONDITIONS) and truth(step, path) is Truth.NO for step in rest):
            return Truth.NO
        self.limits.add(limit.rate)
        if not self._generous:
            return Truth.MAYBE
        return Truth.NO if limit.over else Truth.YES

    def _act(self, action: Action, rule: Rule, frame: _Frame, path: _Path) -> _Path | list[_Path]:
        """The path on which this rule goes on; where it ends, those that go on to the next rule."""
        decision = frame.decision(rule.text, rule.place)
        match action:
            case Accept() | Drop() | Reject() | Unclear():
                self._end(action, path, decision, frame)
            case Return():
                frame.returned.append(path)
            case Jump(name, goto):
                ends = self._jump(name, decision, frame, path)
                if not goto:
                    return ends
                frame.returned += ends
            case Branch(cases):
                return self._branch(cases, rule, frame, path)
            case Assign():
                return self._assign(action, path)
            case NoTrack():
                # What conntrack has a flow for it keeps.
                known = without(path.values[Field.STATE], UNSEEN)
                if known == path.values[Field.STATE]:
                    return path
                return path.changing({Field.STATE: merged([*known, *UNTRACKED])})
            case Redirect() | SourceNat():
                self._map(action, path.changing({Field.MAPPED: _one(1)}), decision, frame)
        return []

    def _jump(self, name: str, decision: Decision, frame: _Frame, path: _Path) -> list[_Path]:
        called = frame.table.chains.get(name)
        if called is None or frame.depth == MAX_DEPTH:
            self._end(Unclear(f"if there is a chain {name} to jump to"), path, decision, frame)
            return []
        if not _is_shared(name, frame.table):
            return self._chain(frame.call(called, frame.accepted), path)
        done = self._call(frame.call(called, []), path)
        self._steps.take(done.weight * len(path.traces))
        frame.accepted += [_follow(path, end) for end in done.accepted]
        self.outcomes += [
            replace(outcome, traces=_concatenated(path.traces, outcome.traces))
            for outcome in done.outcomes
        ]
        return [_follow(path, end) for end in done.going]

    def _call(self, frame: _Frame, path: _Path) -> _Called:
        """What a chain makes of this path; it is run once for each class of paths.

        Otherwise two jumps to each level would double the work at each.
        """
        place = id(frame.chain), frame.hook, frame.depth, path.changed
        key = place, _class(path, self.packet.values)
        if key not in self._called:
            self._classes[place] += 1
            if self._classes[place] > MAX_CLASSES:
                path = self._forgetful(path, frame.hook)
                key = place, _class(path, self.packet.values)
        if key not in self._called:
            self._called[key] = self._run(frame, replace(path, traces=(Trace(),)))
        return self._called[key]

    def _run(self, frame: _Frame, path: _Path) -> _Called:
        before, self.outcomes = self.outcomes, []
        try:
            going = self._chain(frame, path)
            self._steps.take(_length((*going, *frame.accepted), self.outcomes))
            return _Called(going, _met(frame.accepted), _gathered(self.outcomes))
        finally:
            self.outcomes = before

    def _forgetful(self, path: _Path, hook: Hook) -> _Path:
        """The path with what rules have set, and nothing that it has learned from them."""
        values = {**path.values, **self.packet.values, **dict(path.changed)}
        interfaces = dict(self.packet.interfaces)
        if hook in {Hook.INGRESS, Hook.PREROUTING, Hook.INPUT}:
            interfaces[Field.OIF] = ""
        elif hook is Hook.POSTROUTING:
            interfaces.pop(Field.IIF, None)
        return _Path(values, interfaces, {}, path.traces, path.changed)

    def _branch(
        self,
        cases: Sequence[tuple[Condition, Action]],
        rule: Rule,
        frame: _Frame,
        path: _Path,
    ) -> list[_Path]:
        going: list[_Path] = []
        for condition, action in cases:
            self._steps.take(1)
            inside, outside = _split(condition, path)
            if inside is not None:
                after = self._act(action, rule, frame, inside)
                going += [after] if isinstance(after, _Path) else after
            if outside is None:
                return going
            path = outside
        return [*going, path]

    def _assign(self, action: Assign, path: _Path) -> _Path | list[_Path]:
        source = path.values.get(action.source) if action.source else _one(0)
        if source is None:
            # nftables ends the rule where what it reads is not there.
            return [path]
        if action.field not in path.values:
            return path
        new = MARKS
        if action.known and _single(source):
            new = _one((source[0][0] & action.keep) ^ action.flip)
        return path.changing({action.field: new})

    def _map(self, action: Nat, path: _Path, decision: Decision, frame: _Frame) -> None:
        """Go on behind NAT, as far as the packet still comes to this host."""
        if isinstance(action, SourceNat):
            frame.accepted.append(path.decided(decision))
            return
        new: Changes = {}
        if (status := path.values.get(Field.STATUS)) is not None:
            mapped = _one(status[0][0] | ConntrackStatus.DNAT) if _single(status) else STATUSES
            # A mapping to what the packet has already is none to conntrack.
            new[Field.STATUS] = mapped if _changes(action, path) else merged([*status, *mapped])
        if action.port is not None and Field.DPORT in path.values:
            new[Field.DPORT] = (action.port,)
        if action.local:
            new[Field.DADDR] = UNICAST[self.packet.family]
            new[Field.DADDR_TYPE] = _one(AddressType.LOCAL)
        elif action.address is not None and (action.address,) != path.values[Field.DADDR]:
            reason = "if the host that it is sent on to lets it in"
            self._end(Unclear(reason), path, decision, frame)
            return
        frame.accepted.append(path.changing(new).decided(decision))

    def _reply(self, action: Reject, path: _Path) -> str | None:
        """What a reject sends, None where nothing may be sent (RFC 4443 section 2.4)."""
        packet, values = self.packet, path.values
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
        rules = (rule for chain in table.chains.values() for rule in chain.rules)
        table.jumps = Counter(
            target for rule in rules for step in rule.steps for target in _targets(step)
        )
    return table.jumps[name] > 1


def _targets(step: Step) -> Iterator[str]:
    match step:
        case Jump(name):
            yield name
        case Branch(cases):
            for _, action in cases:
                yield from _targets(action)


def _class(path: _Path, known: Mapping[Field, Ranges]) -> Hashable:
    """What two paths have in common if rules cannot tell them apart, beside what was ``known``."""
    learned = [
        (field, value) for field, value in path.values.items() if value is not known.get(field)
    ]
    return (
        frozenset(learned),
        frozenset(path.interfaces.items()),
        frozenset(path.assumed.items()),
    )


def _length(paths: Iterable[_Path], outcomes: Iterable[PathOutcome]) -> int:
    """How long the traces are."""
    ends = (*(path.traces for path in paths), *(outcome.traces for outcome in outcomes))
    return sum(1 + len(trace.conditions) for traces in ends for trace in traces)


def _follow(path: _Path, end: _Path) -> _Path:
    """The path through a chain, after the path that led to it."""
    return replace(end, traces=_concatenated(path.traces, end.traces))


def _concatenated(first: Sequence[Trace], then: Sequence[Trace]) -> tuple[Trace, ...]:
    return tuple(
        Trace((*before.conditions, *after.conditions), after.decision or before.decision)
        for before in first
        for after in then
    )[:MAX_TRACES]


def _gathered(outcomes: Sequence[PathOutcome]) -> list[PathOutcome]:
    """The same ends, each once, with the traces that lead there, unconditional ones first."""
    ends: dict[tuple[str, str | None, str], dict[Trace, None]] = {}
    for outcome in outcomes:
        traces = ends.setdefault((outcome.verdict, outcome.reply, outcome.reason), {})
        traces |= dict.fromkeys(outcome.traces)
    return [
        PathOutcome(verdict, reply, _plain_first(traces)[:MAX_TRACES_OF_A_CHAIN], reason)
        for (verdict, reply, reason), traces in ends.items()
    ]


def _plain_first(traces: Iterable[Trace]) -> tuple[Trace, ...]:
    return tuple(sorted(traces, key=lambda trace: bool(trace.conditions)))


def _is_possible(rule: Rule, values: Values) -> bool:
    for step in rule.steps:
        if not isinstance(step, CONDITIONS):
            break
        if isinstance(step, FieldMatch) and step.field in values and not _among(step, values):
            return False
    return True


_OPPOSITES = (Truth.YES, Truth.MAYBE, Truth.NO)
CONDITIONS = (FieldMatch, InterfaceMatch, Unmodelled, AllOf, AnyOf, Not)


def truth(condition: Condition, path: _Path) -> Truth:
    """Whether a condition holds, by what is known and what has been assumed."""
    kind = type(condition)
    if kind is FieldMatch:
        held = _among(condition, path.values)  # type: ignore[arg-type]
    elif kind is AllOf or kind is AnyOf:
        held = _combined(condition, path)  # type: ignore[arg-type]
    elif kind is InterfaceMatch:
        held = _named(condition, path.interfaces)  # type: ignore[arg-type]
    elif kind is Not:
        held = _opposite(truth(condition.part, path))  # type: ignore[union-attr]
    else:
        held = Truth.MAYBE
    if held is Truth.MAYBE and path.assumed:
        known, straight = _atom(condition)
        if (holds := path.assumed.get(known)) is not None:
            return Truth.YES if holds is straight else Truth.NO
    return held


def _among(condition: FieldMatch, values: Values) -> Truth:
    value = values.get(condition.field)
    if value is None:
        return Truth.NO
    if condition.mask is None:
        held = lies(value, condition.ranges)
    elif _single(value):
        masked = value[0][0] & condition.mask
        held = lies(((masked, masked),), condition.ranges)
    elif all(high - low < MAX_TRIED for low, high in value):
        outcomes = {
            lies(_one(number & condition.mask), condition.ranges)
            for low, high in value
            for number in range(low, high + 1)
        }
        held = outcomes.pop() if len(outcomes) == 1 else Truth.MAYBE
    else:
        held = Truth.MAYBE
    return _opposite(held) if condition.negated else held


def _named(condition: InterfaceMatch, interfaces: dict[Field, str]) -> Truth:
    name = interfaces.get(condition.field)
    if name is None:
        # Packets from outside do not come in on loopback.
        held = Truth.NO if condition.names == ("lo",) else Truth.MAYBE
        if "*" in condition.names:
            held = Truth.YES
    else:
        held = (
            Truth.YES if any(_is_called(name, pattern) for pattern in condition.names) else Truth.NO
        )
    return _opposite(held) if condition.negated else held


def _is_called(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _combined(condition: AllOf | AnyOf, path: _Path) -> Truth:
    final = Truth.NO if isinstance(condition, AllOf) else Truth.YES
    whole = _opposite(final)
    for part in condition.parts:
        held = truth(part, path)
        if held is final:
            return final
        if held is Truth.MAYBE:
            whole = Truth.MAYBE
    return whole


def _opposite(held: Truth) -> Truth:
    return _OPPOSITES[held]


def _atom(condition: Condition) -> tuple[Condition, bool]:
    """A condition without its negation, and whether it had none."""
    if isinstance(condition, Not):
        atom, straight = _atom(condition.part)
        return atom, not straight
    if isinstance(condition, FieldMatch | InterfaceMatch) and condition.negated:
        return replace(condition, negated=False), False
    return condition, True


def _split(condition: Condition, path: _Path) -> tuple[_Path | None, _Path | None]:
    """The path on which the condition holds, and the one on which it does not."""
    held = truth(condition, path)
    if held is Truth.MAYBE:
        return _assuming(path, condition, holds=True), _assuming(path, condition, holds=False)
    return (path, None) if held is Truth.YES else (None, path)


def _assuming(path: _Path, condition: Condition, *, holds: bool) -> _Path:
    """The path on which a condition that may hold does, or does not."""
    values, interfaces, assumed = dict(path.values), dict(path.interfaces), dict(path.assumed)
    learned: list[Condition] = []
    for atom, true in _atoms(condition, holds, path):
        _learn(atom, true, values, interfaces, assumed)
        learned.append(atom if true else Not(atom))
    traces = path.traces
    if holds:
        traces = tuple(
            Trace((*trace.conditions, *learned), trace.decision) for trace in path.traces
        )
    return _Path(values, interfaces, assumed, traces, path.changed)


def _atoms(condition: Condition, holds: bool, path: _Path) -> Iterator[tuple[Condition, bool]]:  # noqa: FBT001
    """What follows from a condition's being true, or false: atoms and their truth."""
    atom, straight = _atom(condition)
    holds = holds is straight
    parts = atom.parts if isinstance(atom, AllOf | AnyOf) else ()
    unsure = [part for part in parts if truth(part, path) is Truth.MAYBE]
    # All of them true, or none of any of them; one open part alone decides the whole.
    if parts and (holds is isinstance(atom, AllOf) or len(unsure) == 1):
        for part in unsure:
            yield from _atoms(part, holds, path)
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


def _changes(action: Redirect, path: _Path) -> bool:
    """Whether destination NAT changes the port or the address for certain."""
    pairs = ((Field.DPORT, action.port), (Field.DADDR, action.address))
    return any(
        new is not None and field in path.values and lies(path.values[field], (new,)) is Truth.NO
        for field, new in pairs
    )


def _rejoined(paths: list[_Path], since: _Path) -> list[_Path]:
    """Paths of one chain that rules have changed alike are joined, with what was known before."""
    if len(paths) < 2:
        return paths
    groups = _alike(paths)
    return [
        group[0]
        if len(group) == 1
        else replace(since, values=since.values | dict(changed), changed=changed)
        for changed, group in groups.items()
    ]


def _met(paths: list[_Path]) -> list[_Path]:
    """Paths out of a base chain likewise, but with the traces of all of them."""
    return [group[0] if len(group) == 1 else _join(group) for group in _alike(paths).values()]


def _alike(paths: Sequence[_Path]) -> dict[tuple[tuple[Field, Ranges], ...], list[_Path]]:
    groups: dict[tuple[tuple[Field, Ranges], ...], list[_Path]] = {}
    for path in paths:
        groups.setdefault(path.changed, []).append(path)
    if len(groups) > MAX_PATHS:
        raise _TooManyPathsError
    return groups


def _join(group: Sequence[_Path]) -> _Path:
    """One path for several, which knows only what all of them know."""
    first, *others = group
    values = {
        key: merged(part for path in group for part in path.values[key]) for key in first.values
    }
    interfaces = {
        key: name
        for key, name in first.interfaces.items()
        if all(path.interfaces.get(key) == name for path in others)
    }
    assumed = {
        atom: holds
        for atom, holds in first.assumed.items()
        if all(path.assumed.get(atom) is holds for path in others)
    }
    traces = dict.fromkeys(trace for path in group for trace in path.traces)
    return _Path(values, interfaces, assumed, tuple(traces)[:MAX_TRACES], first.changed)


def _is_local(path: _Path) -> bool:
    return path.values[Field.DADDR_TYPE] == _one(AddressType.LOCAL)


def _decreased(hop_limit: Ranges) -> Ranges:
    """A hop limit as the hook forward sees it (RFC 8200 section 3)."""
    return tuple((max(low - 1, 0), max(high - 1, 0)) for low, high in hop_limit)


def _one(number: int) -> Ranges:
    return ((number, number),)


def _single(value: Ranges) -> bool:
    return len(value) == 1 and value[0][0] == value[0][1]
