"""Rules as the kernel runs them, in whichever notation they were written.

A parser makes a `RuleSet`; the evaluator follows packets through it. A parser must mark what it
does not model, with `Unmodelled` (a match), `Unclear` (a statement), `Gap` (evidence that was not
given) or `Refusal` (the kernel would not load it): each makes the verdict depend, and none is ever
read as "no match".
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag, StrEnum
from types import MappingProxyType
from typing import Any

from ipv6check.model import BadInputError, RuleFiles

IPV4, IPV6 = 4, 6

# Both ends included. Ranges are sorted, disjoint and not adjacent: see `merged`.
Range = tuple[int, int]
Ranges = tuple[Range, ...]


class RuleError(BadInputError):
    """A rule set cannot be read. The message is one printable line: file, line number, token."""


class Truth(IntEnum):
    """Three-valued truth of a condition, for a packet of which not all is known (Kleene)."""

    NO = 0
    MAYBE = 1
    YES = 2


class Field(StrEnum):
    """A property of a packet that a condition tests: a number, or the name of an interface.

    An address is its integer, of 32 or 128 bits: every condition on one stands beside a condition
    on FAMILY. NEXT_HEADER is the byte of the fixed header alone (IPv4: protocol); PROTOCOL is
    the upper layer's, behind the extension headers. HOP_BY_HOP, ROUTING, FRAGMENT and
    DESTINATION_OPTIONS are 1 where the header is there, else 0. MAPPED is the evaluator's own: 1
    once a nat chain of the hook has set up a mapping.
    """

    FAMILY = "family"
    IIF = "iif"
    OIF = "oif"
    SADDR = "saddr"
    DADDR = "daddr"
    SADDR_TYPE = "saddr type"
    DADDR_TYPE = "daddr type"
    PROTOCOL = "protocol"
    NEXT_HEADER = "next header"
    HOP_LIMIT = "hop limit"
    SPORT = "sport"
    DPORT = "dport"
    FLAGS = "tcp flags"
    TYPE = "icmp type"
    CODE = "icmp code"
    STATE = "ct state"
    STATUS = "ct status"
    DIRECTION = "ct direction"
    ORIGINAL_DADDR = "ct original daddr"
    ORIGINAL_DPORT = "ct original dport"
    MARK = "mark"
    CT_MARK = "ct mark"
    PACKET_TYPE = "packet type"
    HOP_BY_HOP = "hop-by-hop header"
    ROUTING = "routing header"
    ROUTING_TYPE = "routing header type"
    FRAGMENT = "fragment header"
    DESTINATION_OPTIONS = "destination options header"
    MAPPED = "nat mapping"


class ConntrackState(IntFlag):
    """Conntrack's state of a packet, with the bits of nftables' ``ct state``."""

    INVALID = 1
    ESTABLISHED = 2
    RELATED = 4
    NEW = 8
    UNTRACKED = 64


class ConntrackStatus(IntFlag):
    """Bits of ``ct status`` that a first packet can have."""

    EXPECTED = 1
    SEEN_REPLY = 2
    ASSURED = 4
    CONFIRMED = 8
    SNAT = 16
    DNAT = 32


class AddressType(IntEnum):
    """Kinds of address of the routing table, with the kernel's numbers (rtnetlink's RTN_*)."""

    UNSPEC = 0
    UNICAST = 1
    LOCAL = 2
    BROADCAST = 3
    ANYCAST = 4
    MULTICAST = 5
    BLACKHOLE = 6
    UNREACHABLE = 7
    PROHIBIT = 8


FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))


# --- conditions

_HASHED = 8  # parts of a condition


@dataclass(frozen=True, slots=True)
class FieldMatch:
    """The field's value, under the mask if there is one, lies in one of the ranges.

    A packet without the field (the port of an ICMP message) does not match, negated or not: that
    is nftables' rule. ``state & (new|established) != 0`` is the mask with the range from 1 up.
    """

    field: Field
    ranges: Ranges
    negated: bool = False
    mask: int | None = None

    def __hash__(self) -> int:
        """A hash of the first ranges: a set may have a hundred thousand."""
        return hash((self.field, self.ranges[:_HASHED], len(self.ranges), self.negated, self.mask))


@dataclass(frozen=True, slots=True)
class InterfaceMatch:
    """The interface (IIF or OIF) has one of these names; ``eth*`` is a prefix, ``eth`` is not."""

    field: Field
    names: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Unmodelled:
    """A match of which it cannot be determined here whether it holds.

    ``reason`` ends the sentence "accept only ...": ``under a rate limit``, ``if it is between 9:00
    and 17:00``, ``if -m string ... matches, which is not modelled``. Two equal ones that are
    ``steady`` are both true or both false; a rate limit is not steady. ``rate``: it is one, of
    so many packets a second; ``over``: it matches those beyond.
    """

    reason: str
    steady: bool = True
    rate: float = 0.0
    over: bool = False


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds; true where there is none."""

    parts: tuple[Condition, ...]

    def __hash__(self) -> int:
        return hash(("all", self.parts[:_HASHED], len(self.parts)))


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One part holds; false where there is none."""

    parts: tuple[Condition, ...]

    def __hash__(self) -> int:
        return hash(("any", self.parts[:_HASHED], len(self.parts)))


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold: also where the packet lacks the field, unlike a negated Among."""

    part: Condition


Condition = FieldMatch | InterfaceMatch | Unmodelled | AllOf | AnyOf | Not

ALWAYS = AllOf(())
NEVER = AnyOf(())


# --- actions


@dataclass(frozen=True, slots=True)
class Accept:
    """Ends the base chain; the hooks after it go on."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Ends the packet."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Ends the packet and answers. ``icmp`` and ``icmpv6`` are (type, code); none: a TCP reset."""

    icmp: tuple[int, int] | None = (3, 3)
    icmpv6: tuple[int, int] | None = (1, 4)


@dataclass(frozen=True, slots=True)
class Jump:
    """Run a chain of the same table, then the next rule.

    ``goto``: then what the caller's caller has next, or the policy.
    """

    chain: str
    goto: bool = False


@dataclass(frozen=True, slots=True)
class Return:
    """End this chain; in a base chain, the policy."""


@dataclass(frozen=True, slots=True)
class Assign:
    """A mark, or the hop limit, becomes ``(source & keep) ^ flip``; without source just ``flip``.

    ``known`` is False where the new value cannot be determined.
    """

    field: Field
    flip: int = 0
    keep: int = 0xFFFFFFFF
    source: Field | None = None
    known: bool = True


@dataclass(frozen=True, slots=True)
class NoTrack:
    """Keep the packet from conntrack: UNTRACKED. Only before it, at a priority under -200."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Destination NAT; ends the base chain as Accept does.

    ``port`` is the new one, None where it stays, (low, high) where it is one of them. ``address``
    likewise, in integers of the packet's family. ``local``: to this host itself (REDIRECT).
    """

    port: Range | None = None
    address: Range | None = None
    local: bool = False


@dataclass(frozen=True, slots=True)
class SourceNat:
    """Source NAT; ends the base chain as Accept does, and changes nothing that is asked for here.

    ``local``: to whatever address this host has (masquerade), of either family.
    """

    local: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """A verdict map: the action of the first case whose condition holds, else nothing at all."""

    cases: tuple[tuple[Condition, Action], ...]


@dataclass(frozen=True, slots=True)
class Unclear:
    """A statement whose effect on the packet cannot be determined here.

    ``reason`` as in Unmodelled.
    """

    reason: str


Nat = Redirect | SourceNat
Action = Accept | Drop | Reject | Jump | Return | Assign | NoTrack | Nat | Branch | Unclear

# In the order in which they are written: iptables has one action, at the end; nftables may have
# several, and conditions between them.
Step = Condition | Action


@dataclass(frozen=True, slots=True)
class RulePlace:
    """The place of a rule: a line of a file (from 1), a handle of the kernel's, or neither."""

    file: str = ""
    line: int | None = None
    handle: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its steps, the text that it was written as, and its place."""

    steps: tuple[Step, ...]
    text: str
    place: RulePlace = RulePlace()


class Hook(StrEnum):
    """The place in the kernel where a base chain runs."""

    INGRESS = "ingress"
    PREROUTING = "prerouting"
    INPUT = "input"
    FORWARD = "forward"
    OUTPUT = "output"
    POSTROUTING = "postrouting"
    EGRESS = "egress"


@dataclass(frozen=True, slots=True)
class Base:
    """The attachment of a base chain to a hook.

    ``policy`` is Accept, Drop or Unclear. ``nat``: it sees only the first packet of a flow.
    ``devices`` of the hooks ingress and egress. ``priority``: lower runs earlier, conntrack is
    at -200.
    """

    hook: Hook
    priority: int
    policy: Accept | Drop | Unclear = Accept()
    nat: bool = False
    devices: tuple[str, ...] = ()


@dataclass(slots=True)
class Chain:
    """A chain; without ``base`` it runs only when jumped to. Parsers append to ``rules``.

    ``declared``: the file declares it; iptables has chains of its own that a file may leave out.
    ``possible``: the evaluator's memory, by family and protocol: rules and weights.
    """

    name: str
    base: Base | None = None
    rules: list[Rule] = field(default_factory=list)
    place: RulePlace = RulePlace()
    declared: bool = True
    possible: dict[tuple[int, int], list[tuple[Rule, int]]] = field(
        default_factory=dict, repr=False, compare=False
    )


@dataclass(slots=True)
class Table:
    """A table. ``families``: those whose packets it sees. ``dormant``: it is there and inert.

    ``kind`` is the notation's own word for the family, for people: ip6, inet, ip, netdev.
    ``backend``: ``legacy`` or ``nft`` where the file says so, as iptables-save does; else empty.
    ``opaque``: it has matches that this listing does not show (``xt`` in nft's JSON).
    ``notation``: iptables or nft. ``sets``: their elements. ``jumps``: the evaluator's memory, how
    many rules jump to each chain.
    """

    kind: str
    name: str
    families: frozenset[int]
    chains: dict[str, Chain] = field(default_factory=dict)
    dormant: bool = False
    backend: str = ""
    opaque: bool = False
    notation: str = "nft"
    sets: dict[str, list[Any]] = field(default_factory=dict)
    jumps: Counter[str] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Gap:
    """Evidence that was not given, so that nothing is certain for these families.

    ``reason`` is a clause: "the legacy tables exist and were not given". ``hint``: what to do.
    """

    reason: str
    families: frozenset[int] = frozenset({IPV4, IPV6})
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A fault for which the kernel or its tool refuses a file: the previous rules stay in force."""

    reason: str
    place: RulePlace
    families: frozenset[int] = frozenset({IPV4, IPV6})


@dataclass(slots=True)
class RuleSet:
    """The rules of one host, or of one of its files.

    ``covers``: the families it says something about; a lone ip6tables-save says nothing on IPv4.
    ``empty_includes``: patterns of files to include that match none here. ``source``: the texts
    that it was read from, where they are files. ``notes``: how they were read, for people.
    ``leased``: the addresses that the host has by DHCPv6, where that is known.
    """

    tables: list[Table] = field(default_factory=list)
    covers: frozenset[int] = frozenset()
    gaps: list[Gap] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    empty_includes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    source: RuleFiles | None = field(default=None, compare=False)
    leased: tuple[str, ...] = ()


# --- rates

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def per_second(number: float, unit: str) -> float:
    """A rate per second, minute, hour, day or week, or what is short for one of them."""
    return number / _SECONDS[unit[0]]


# --- ranges


def merged(ranges: Iterable[Range]) -> Ranges:
    """The same numbers as sorted, disjoint ranges."""
    disjoint: list[Range] = []
    for low, high in sorted(ranges):
        if disjoint and low <= disjoint[-1][1] + 1:
            disjoint[-1] = (disjoint[-1][0], max(high, disjoint[-1][1]))
        else:
            disjoint.append((low, high))
    return tuple(disjoint)


def lies(value: Ranges, ranges: Ranges) -> Truth:
    """Whether all, some or none of the value's numbers are in the ranges."""
    held = _lies(value[0], ranges)
    if len(value) > 1 and any(_lies(part, ranges) is not held for part in value[1:]):
        return Truth.MAYBE
    return held


def _lies(value: Range, ranges: Ranges) -> Truth:
    low, high = value
    if len(ranges) == 1:
        # The usual case, and the only one in an element of a concatenation.
        ((first, last),) = ranges
        if last < low or high < first:
            return Truth.NO
        return Truth.YES if first <= low and high <= last else Truth.MAYBE
    # The first range that does not end before the value begins.
    at = bisect_left(ranges, low, key=_last)
    if at == len(ranges) or ranges[at][0] > high:
        return Truth.NO
    return Truth.YES if ranges[at][0] <= low and high <= ranges[at][1] else Truth.MAYBE


def _last(numbers: Range) -> int:
    return numbers[1]


def common(value: Ranges, ranges: Ranges) -> Ranges:
    """The numbers that are in both."""
    return tuple(
        (max(low, first), min(high, last))
        for low, high in value
        for first, last in ranges
        if first <= high and low <= last
    )


def without(value: Ranges, ranges: Ranges) -> Ranges:
    """The numbers of the value that are not in the ranges."""
    for first, last in ranges:
        value = tuple(
            part
            for low, high in value
            for part in ((low, min(high, first - 1)), (max(low, last + 1), high))
            if part[0] <= part[1]
        )
    return value


def prefix(address: int, length: int, bits: int) -> Range:
    """The first and the last address of a prefix."""
    span = (1 << (bits - length)) - 1
    return address & ~span, address | span


BITS: Mapping[int, int] = MappingProxyType({IPV4: 32, IPV6: 128})
