"""nftables' JSON (libnftables-json(5)) to rules.

What an expression reads is an entry of `SELECTORS`, under the name it has in nft's own syntax; what
a statement does is an entry of `STATEMENTS`. What has no entry, or says more than is known here,
raises `_UnknownError`: the match is then Unmodelled, the statement Unclear.

nft adds conditions that a listing does not show: ``tcp dport 22`` is for TCP alone, ``ip saddr``
for IPv4 alone, negated or not. They are the `NEEDS` of what is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from ipaddress import IPv4Address, IPv6Address
from operator import index, or_
from types import MappingProxyType
from typing import Any

from ipv6check.firewall.model import (
    ALWAYS,
    BITS,
    IPV4,
    IPV6,
    NEVER,
    Accept,
    Action,
    AllOf,
    AnyOf,
    Assign,
    Base,
    Branch,
    Chain,
    Condition,
    ConntrackStatus,
    Drop,
    Field,
    FieldMatch,
    Gap,
    Hook,
    InterfaceMatch,
    Jump,
    Not,
    NoTrack,
    Range,
    Ranges,
    Redirect,
    Refusal,
    Reject,
    Return,
    Rule,
    RuleError,
    RulePlace,
    RuleSet,
    SourceNat,
    Step,
    Table,
    Unclear,
    Unmodelled,
    merged,
    per_second,
    prefix,
)
from ipv6check.firewall.names import ICMP, ICMPV6, PROTOCOLS, SERVICES, TCP
from ipv6check.firewall.nft import words
from ipv6check.firewall.nft.words import only, read, written

BOTH = frozenset({IPV4, IPV6})
FAMILIES: Mapping[str, frozenset[int]] = MappingProxyType(
    {"ip": frozenset({IPV4}), "ip6": frozenset({IPV6}), "inet": BOTH, "netdev": BOTH}
)
# Frames between the ports of a bridge, and ARP: nothing that comes to this host over IP.
ELSEWHERE = frozenset({"bridge", "arp"})
HARMLESS_OBJECTS = frozenset(
    {"counter", "quota", "limit", "flowtable", "secmark", "synproxy", "tunnel"}
    | {"ct helper", "ct timeout", "ct expectation"}
)
# Those of a set that stays as it is.
# What an element has that does not make it come and go, or match less than always.
STEADY = frozenset({"val", "counter", "comment"})
SET_FLAGS = frozenset({"constant", "interval"})
TABLE_FLAGS = frozenset({"dormant", "owner", "persist"})
_CHANGES = re.compile(r"\b(add|update|delete)\s+@([^\s{]+)")
DEVICE_HOOKS = frozenset({Hook.INGRESS, Hook.EGRESS})
# nft 1.0.6 leaves out of its JSON where a chain of the hook ingress is.
NOT_TOLD = Unmodelled("if the chain is on its interface, which this listing does not name")
NO_POLICY = Unclear("if its policy lets it through")
POLICIES: Mapping[str, Accept | Drop] = MappingProxyType({"accept": Accept(), "drop": Drop()})
MAX_ERROR = 60
LISTED = (
    "give what nft itself lists where it is loaded: nft -a list ruleset, or nft -j list ruleset"
)
_WORD = re.compile(r"[A-Za-z][\w-]*")


class _UnknownError(ValueError):
    """Nobody can tell from here what this means; nor what a value that is none means."""


# --- what can be read of a packet


def _is(key: Field, *numbers: int) -> FieldMatch:
    return FieldMatch(key, merged((number, number) for number in numbers))


TOP = (1 << 128) - 1
V4, V6 = _is(Field.FAMILY, IPV4), _is(Field.FAMILY, IPV6)
TRANSPORTS = MappingProxyType({"tcp": TCP, "udp": 17, "dccp": 33, "sctp": 132, "udplite": 136})
# What nft makes sure of before it reads any field of this header.
NEEDS: Mapping[str, tuple[FieldMatch, ...]] = MappingProxyType(
    {
        **dict.fromkeys(("ip", "ip option", "ct original ip daddr"), (V4,)),
        **dict.fromkeys(("ip6", "exthdr", "ct original ip6 daddr"), (V6,)),
        "icmp": (V4, _is(Field.PROTOCOL, ICMP)),
        "icmpv6": (V6, _is(Field.PROTOCOL, ICMPV6)),
        **{name: (_is(Field.PROTOCOL, number),) for name, number in TRANSPORTS.items()},
    }
)
# The bytes where a port would be, of a packet that has none.
NO_PORT = AllOf(
    (
        FieldMatch(Field.PROTOCOL, _is(Field.PROTOCOL, *TRANSPORTS.values()).ranges, negated=True),
        Unmodelled("if the bytes match in which other packets have a port", steady=False),
    )
)
INTERFACES = frozenset({Field.IIF, Field.OIF})
_ADDRESSES = frozenset({Field.SADDR, Field.DADDR, Field.ORIGINAL_DADDR})
_NUMBER = re.compile("[0-9]{1,10}|0x[0-9a-f]{1,8}")


@dataclass(frozen=True, slots=True)
class Selector:
    """What the left side of a match reads: the field, and how the values of it are written.

    ``bits`` is the width of its numbers, 0 where it has only names. ``flags``: several names are
    one number. ``raw``: it reads a port unconditionally.
    """

    key: Field
    bits: int = 32
    names: Mapping[Any, int] = field(default_factory=dict)
    flags: bool = False
    raw: bool = False

    def test(self, elements: Sequence[Any], mask: int | None = None) -> Condition:
        """The value is one of these."""
        if self.key in INTERFACES:
            names = tuple(dict.fromkeys(map(_interface, elements)))
            return InterfaceMatch(self.key, names) if names else NEVER
        ranges = [self.range(element) for element in elements]
        if self.key is Field.STATE and mask is None and all(low == high for low, high in ranges):
            # A packet has one state: any of these bits is the same, and reads better.
            return self.test_bits(sum({low for low, _ in ranges if low.bit_count() == 1}))
        return self._among(merged(ranges), mask)

    def test_bits(self, value: Any, mask: int = -1) -> Condition:
        """Any of these bits is set."""
        bits = self.number(value) & mask
        return self._among(((1, max(bits, 1)),), bits)

    def compared(self, operator: str, value: Any, mask: int | None) -> Condition:
        """The value is less, or greater."""
        number = self.number(value)
        bounds = {
            "<": (0, number - 1),
            "<=": (0, number),
            ">": (number + 1, TOP),
            ">=": (number, TOP),
        }
        if not self.bits or operator not in bounds:
            raise _UnknownError
        return self._among(
            tuple(bound for bound in [bounds[operator]] if bound[0] <= bound[1]), mask
        )

    def present(self) -> Condition:
        """The packet has it."""
        return ALWAYS if self.key in INTERFACES else self._among(((0, TOP),))

    def number(self, value: Any) -> int:
        """One value, as written in a rule."""
        if isinstance(value, dict | list):
            parts = value.get("|") if isinstance(value, dict) else value if self.flags else None
            if parts is None:
                raise _UnknownError
            return reduce(or_, map(self.number, parts), 0)
        if self.key in _ADDRESSES and isinstance(value, str) and "%" not in value:
            return int(IPv4Address(value) if self.bits == BITS[IPV4] else IPv6Address(value))
        if value in self.names:
            return self.names[value]
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            value = int(value, 16 if "x" in value else 10)
        if type(value) is not int or not self.bits or not 0 <= value < 1 << self.bits:
            raise _UnknownError
        return value

    def range(self, value: Any) -> Range:
        """The values that an element of a set stands for."""
        if value == "*":
            return 0, TOP
        kind, body = only(value) if isinstance(value, dict) else ("", value)
        if kind == "elem":
            return self.range(body["val"])
        if kind == "range":
            low, high = map(self.number, body)
            if low > high or not self.bits:
                raise _UnknownError
            return low, high
        if kind == "prefix" and 0 <= body["len"] <= self.bits:
            return prefix(self.number(body["addr"]), body["len"], self.bits)
        number = self.number(value)
        return number, number

    def _among(self, ranges: Ranges, mask: int | None = None) -> Condition:
        of_status = self.key is Field.STATUS
        if self.key in INTERFACES or (
            of_status and (mask is None or mask >= 1 << len(ConntrackStatus))
        ):
            # In the status the kernel has bits of its own, of which nothing is known here.
            raise _UnknownError
        match = FieldMatch(self.key, ranges, mask=mask)
        return AnyOf((match, NO_PORT)) if self.raw else match


def _interface(value: Any) -> str:
    name = _bare(value)
    # A number is an index, of an interface that is not there; "eth\*" is a name with a star in it.
    if not isinstance(name, str) or not 0 < len(name) < 16 or name.isdecimal() or "\\" in name:
        raise _UnknownError
    return name


def _bare(element: Any) -> Any:
    """An element without its timeout, its counter and its comment."""
    return element["elem"]["val"] if isinstance(element, dict) and "elem" in element else element


SELECTORS: Mapping[str, Selector] = MappingProxyType(
    {
        "ip saddr": Selector(Field.SADDR, 32),
        "ip daddr": Selector(Field.DADDR, 32),
        "ip6 saddr": Selector(Field.SADDR, 128),
        "ip6 daddr": Selector(Field.DADDR, 128),
        "ip protocol": Selector(Field.NEXT_HEADER, 8, PROTOCOLS),
        "ip6 nexthdr": Selector(Field.NEXT_HEADER, 8, PROTOCOLS),
        "ip version": Selector(Field.FAMILY, 4),
        "ip6 version": Selector(Field.FAMILY, 4),
        "ip ttl": Selector(Field.HOP_LIMIT, 8),
        "ip6 hoplimit": Selector(Field.HOP_LIMIT, 8),
        **{
            f"{name} {port}": Selector(Field(port), 16, SERVICES)
            for name in TRANSPORTS
            for port in ("sport", "dport")
        },
        "th sport": (_RAW_SPORT := Selector(Field.SPORT, 16, SERVICES, raw=True)),
        "th dport": (_RAW_DPORT := Selector(Field.DPORT, 16, SERVICES, raw=True)),
        "@th,0,16": _RAW_SPORT,
        "@th,16,16": _RAW_DPORT,
        "tcp flags": Selector(Field.FLAGS, 8, words.TCP_FLAGS, flags=True),
        "icmp type": Selector(Field.TYPE, 8, words.ICMP_TYPES),
        "icmp code": Selector(Field.CODE, 8, words.ICMP_CODES),
        "icmpv6 type": Selector(Field.TYPE, 8, words.ICMPV6_TYPES),
        "icmpv6 code": Selector(Field.CODE, 8, words.ICMPV6_CODES),
        "meta nfproto": Selector(Field.FAMILY, 0, {"ipv4": IPV4, "ipv6": IPV6, 2: IPV4, 10: IPV6}),
        "meta protocol": Selector(Field.FAMILY, 0, words.ETHER_TYPES),
        "meta l4proto": Selector(Field.PROTOCOL, 8, PROTOCOLS),
        "meta mark": Selector(Field.MARK),
        "meta pkttype": Selector(Field.PACKET_TYPE, 8, words.PACKET_TYPES),
        **dict.fromkeys(("iif", "iifname"), Selector(Field.IIF, 0)),
        **dict.fromkeys(("oif", "oifname"), Selector(Field.OIF, 0)),
        "ct state": Selector(Field.STATE, 32, words.STATES, flags=True),
        "ct status": Selector(Field.STATUS, 32, words.STATUSES, flags=True),
        "ct direction": Selector(Field.DIRECTION, 8, words.DIRECTIONS),
        "ct mark": Selector(Field.CT_MARK),
        "ct original proto-dst": Selector(Field.ORIGINAL_DPORT, 16, SERVICES, raw=True),
        "ct original ip daddr": Selector(Field.ORIGINAL_DADDR, 32),
        "ct original ip6 daddr": Selector(Field.ORIGINAL_DADDR, 128),
        **{
            f"fib {end}{iif} type": Selector(Field(f"{end} type"), 32, words.ADDRESS_TYPES)
            for end in ("saddr", "daddr")
            for iif in ("", " . iif")
        },
        "exthdr hbh": Selector(Field.HOP_BY_HOP, 0, words.PRESENCE),
        "exthdr rt": Selector(Field.ROUTING, 0, words.PRESENCE),
        "exthdr frag": Selector(Field.FRAGMENT, 0, words.PRESENCE),
        "exthdr dst": Selector(Field.DESTINATION_OPTIONS, 0, words.PRESENCE),
        "exthdr rt type": Selector(Field.ROUTING_TYPE, 8),
    }
)
# Is the source routed back over where the packet came in: that it is, is assumed of any packet.
ROUTED_BACK = frozenset(
    f"fib saddr .{mark} iif {result}" for mark in ("", " mark .") for result in ("oif", "oifname")
)
ROUTES = MappingProxyType({"True": 1, "exists": 1, "False": 0, "missing": 0, "0": 0})


def _selectors(expression: Any) -> list[Selector]:
    """How to read an expression, or each part of a concatenation. Raises _UnknownError."""
    selectors = [SELECTORS.get(read(part)) for part in expression.get("concat", [expression])]
    if None in selectors:
        raise _UnknownError
    return [selector for selector in selectors if selector]


def _is_drawn(expression: Any) -> bool:
    """Whether it is a number that nobody foresees: of a counter, by lot or by a hash."""
    return only(expression)[0] in {"numgen", "jhash", "symhash"}


def _needs(expression: Any) -> Iterator[FieldMatch]:
    """What nft makes sure of before it reads this."""
    expression = _bare(expression)
    if isinstance(expression, list):
        for part in expression:
            yield from _needs(part)
    elif isinstance(expression, dict):
        kind, body = only(expression)
        if name := read(expression):
            yield from NEEDS.get(name) or NEEDS.get(name.partition(" ")[0], ())
        else:
            yield from NEEDS.get(kind) or _needs(body if isinstance(body, list) else None)


Case = tuple[Condition, Action]

# --- one table


@dataclass(slots=True)
class _Set:
    """A named set or map. ``fades``: elements come and go, ``shrinks``: and those listed may go."""

    elements: list[Any] = field(default_factory=list)
    fades: bool = False
    shrinks: bool = False

    def lasting(self) -> list[Any]:
        """The elements that are there to stay."""
        return [element for element in self.elements if not (self.shrinks or _expires(element))]


def _expires(element: Any) -> bool:
    options = element.get("elem", ()) if isinstance(element, dict) else ()
    return not STEADY.issuperset(options)


def _acts(statements: Any) -> bool:
    return any(
        not isinstance(statement, dict) or set(statement) != {"counter"}
        for statement in statements or ()
    )


@dataclass(slots=True)
class _Scope:
    """A table that is being read.

    ``made``: of its sets, ``last``: no statement follows.
    ``strange``: why nft would hardly take the rule.
    """

    table: Table
    refuse: Callable[[str], None]
    sets: dict[str, _Set] = field(default_factory=dict)
    made: dict[tuple[str, str], Condition] = field(default_factory=dict)
    last: bool = True
    strange: str = ""

    def named(self, reference: str) -> _Set:
        """The set that ``@name`` is. Raises _UnknownError."""
        found = self.sets.get(reference[1:])
        if found is None:
            self.refuse(f"there is no set {reference[1:]}")
            raise _UnknownError
        return found

    def look_at_words(self, statement: Any) -> None:
        """Whether nft could know all the words of what is not known here."""
        found = next(_unknown_words(statement), None) or _unknown_field(statement)
        if found and not self.strange:
            self.strange = f"nft does not know {found!a} there"

    def match(self, body: Any) -> Condition:
        """A match, but for its needs. Raises _UnknownError."""
        operator, left, right = body["op"], body["left"], body["right"]
        if "fib" in left and read(left) in ROUTED_BACK:
            if operator not in {"==", "!="} or str(right) not in ROUTES:
                raise _UnknownError
            return ALWAYS if ROUTES[str(right)] == (operator == "==") else NEVER
        kind, parts = only(left)
        selectors = _selectors(parts[0] if kind == "&" else left)
        mask = selectors[0].number(parts[1]) if kind == "&" else None
        if operator in {"==", "!="}:
            found = self.among(left, selectors, right, mask)
        elif len(selectors) > 1:
            raise _UnknownError
        elif operator in {"in", "!"}:
            found = selectors[0].test_bits(right, -1 if mask is None else mask)
        else:
            found = selectors[0].compared(operator, right, mask)
        return _negated(found, selectors) if operator in {"!=", "!"} else found

    def among(
        self, left: Any, selectors: Sequence[Selector], right: Any, mask: int | None
    ) -> Condition:
        """What is read is the value, or is in the set, on the right. Raises _UnknownError."""
        if not isinstance(right, str) or not right.startswith("@"):
            elements = _elements(right)
            if len(elements) == 1 and elements != [right] and read(left) == "tcp flags":
                # To nft 1.0.6 it is the bit alone, to other versions the whole value.
                raise _UnknownError
            return _in(selectors, elements, mask)
        key = (written(left), right)
        if key not in self.made:
            known = self.named(right)
            found = _in(selectors, known.lasting() if known.fades else known.elements, mask)
            if known.fades:
                reason = f"if {key[0]} is in the set {right[1:]}, which changes at run time"
                found = AnyOf((found, _maybe(reason)))
            self.made[key] = found
        return self.made[key]

    def branch(self, key: Any, data: Any, act: Callable[[Any], Action]) -> Iterator[Step]:
        """What a map does; keys with the same value are one case. Raises _UnknownError."""
        yield from _needs(key)
        elements = _elements(data)
        if isinstance(data, str):
            known = self.named(data)
            if known.fades:
                raise _UnknownError
            elements = known.elements
        grouped: dict[str, tuple[Action, list[Any]]] = {}
        for element, value in elements:
            same = "*" if _bare(element) == "*" else json.dumps(value)
            if same not in grouped:
                grouped[same] = act(value), []
            grouped[same][1].append(element)
        if _is_drawn(key):
            yield Branch(tuple(_drawn(key, [*grouped.values()])))
            return
        selectors = _selectors(key)
        rest = grouped.pop("*", None)
        cases = [(_in(selectors, keys), act) for act, keys in grouped.values()]
        if rest is not None:
            cases.append((AllOf(tuple(selector.present() for selector in selectors)), rest[0]))
        yield Branch(tuple(cases))


def _drawn(key: Any, cases: Sequence[tuple[Action, list[Any]]]) -> Iterator[Case]:
    """Of the cases any may be, and one has to be where there is one for every number."""
    ((_, body),) = key.items()
    first = body.get("offset", 0)
    there = merged(SELECTORS["meta mark"].range(key) for _, keys in cases for key in keys)
    whole = there == ((first, first + body["mod"] - 1),)
    for number, (action, keys) in enumerate(cases, 1):
        last = whole and number == len(cases)
        said = f"if {written(key)} draws {', '.join(map(written, keys))}"
        yield ALWAYS if last else _maybe(said), action


def _maybe(reason: str) -> Unmodelled:
    return Unmodelled(reason, steady=False)


def _elements(right: Any) -> list[Any]:
    if isinstance(right, dict) and isinstance(right.get("set"), list):
        return list(right["set"])
    return [right]


def _in(
    selectors: Sequence[Selector], elements: Sequence[Any], mask: int | None = None
) -> Condition:
    if len(selectors) == 1:
        return selectors[0].test(elements, mask)
    return AnyOf(tuple(_joined(selectors, _bare(element)) for element in elements))


def _negated(condition: Condition, selectors: Sequence[Selector]) -> Condition:
    """The opposite, for a packet that has what is read."""
    match condition:
        case FieldMatch() | InterfaceMatch():
            return replace(condition, negated=True)
        case AnyOf((FieldMatch() as known, no_port)) if no_port is NO_PORT:
            return AnyOf((replace(known, negated=True), NO_PORT))
    return AllOf((*(selector.present() for selector in selectors), Not(condition)))


def _joined(selectors: Sequence[Selector], element: Any) -> Condition:
    if element == "*":
        return ALWAYS
    if not isinstance(element, dict) or "concat" not in element:
        raise _UnknownError
    parts = zip(selectors, element["concat"], strict=True)
    return AllOf(tuple(selector.test([part]) for selector, part in parts))


# --- statements

Steps = Iterator[Step]
Handler = Callable[[_Scope, str, Any], Steps]


def _match(scope: _Scope, kind: str, body: Any) -> Steps:
    yield from _needs(body["left"])
    try:
        yield scope.match(body)
    except ValueError:
        scope.look_at_words(body)
        yield _maybe(f'if "{written({kind: body})}" matches, which is not modelled')


def _unknown_words(value: Any, named: bool = False) -> Iterator[str]:  # noqa: FBT001, FBT002
    """Those that no nft has, where they are not names of one's own."""
    if isinstance(value, str):
        word = value.partition("/")[0]
        if not named and _WORD.fullmatch(word) and word.lower() not in words.KNOWN:
            yield word
    elif isinstance(value, list):
        for part in value:
            yield from _unknown_words(part, named)
    elif isinstance(value, dict):
        own = any(words.NAMING & set(str(name).split()) for name in map(_key_of, value.values()))
        for key, part in value.items():
            yield from _unknown_words(part, named or own or key in _NAMES)


_MORE_FIELDS = frozenset(("saddr", "daddr", "proto-src", "proto-dst", "ipsec"))


def _unknown_field(statement: Any) -> str:
    """What is read on the left side, if nft reads no such thing."""
    left = statement.get("left") if isinstance(statement, dict) else None
    header, _, key = read(left).partition(" ") if isinstance(left, dict) else ("", "", "")
    key = key.removeprefix("original ").removeprefix("reply ").rpartition(" ")[2]
    known = words.FIELDS.get(header, frozenset({key})) | _MORE_FIELDS
    return "" if key in known or header not in words.FIELDS else f"{header} {key}"


def _key_of(value: Any) -> str:
    """The last word of what a match reads."""
    return read(value).rpartition(" ")[2] if isinstance(value, dict) and len(value) == 1 else ""


# What is under these is named by whoever wrote the rules.
_NAMES = frozenset(("target", "prefix", "comment", "unparsed", "text", "name", "helper"))


def _not_modelled(statement: Any) -> str:
    return f'if "{written(statement)}" lets it through, which is not modelled'


VERDICTS: Mapping[str, Action] = MappingProxyType(
    {"accept": Accept(), "drop": Drop(), "return": Return()}
)


def _verdict(scope: _Scope, kind: str, body: Any) -> Action:
    if kind in VERDICTS:
        return VERDICTS[kind]
    if kind == "continue" and scope.last:
        return Branch(())
    if kind not in {"jump", "goto"}:
        return Unclear(_not_modelled({kind: body}))
    target = scope.table.chains.get(body["target"])
    if target is None or target.base is not None:
        scope.refuse(f"there is no chain {body['target']} to jump to")
    return Jump(body["target"], kind == "goto")


def _ending(scope: _Scope, kind: str, body: Any) -> Steps:
    yield _verdict(scope, kind, body)


def _vmap(scope: _Scope, _: str, body: Any) -> Steps:
    return scope.branch(body["key"], body["data"], lambda value: _verdict(scope, *only(value)))


def _harmless(_: _Scope, kind: str, body: Any) -> Steps:
    if isinstance(body, dict) and "map" in body:
        # Where the map has no such key, the rule ends.
        yield _maybe(f'if "{written({kind: body})}" has such a key')


# How it is said until the bound is reached, and from there on.
BOUNDS = MappingProxyType(
    {
        "limit": ("{} a rate limit ({rate}/{per})", "under", "over"),
        "quota": ("{} a quota", "within", "over"),
        "ct count": ("while there are {} {val} connections", "at most", "more than"),
    }
)


def _bounded(_: _Scope, kind: str, body: Any) -> Steps:
    if not isinstance(body, dict) or "map" in body:
        yield _maybe(f"as the {kind} {written(body)} allows")
        return
    said, *reach = BOUNDS[kind]
    unit = f" {body['rate_unit']}" if "rate_unit" in body else ""
    over = bool(body.get("inv"))
    parts = {"per": "second", **body, "rate": f"{body.get('rate')}{unit}"}
    rate = _rate(body) if kind == "limit" else 0.0
    yield replace(_maybe(said.format(reach[over], **parts)), rate=rate, over=over)


# A limit of bytes lets so many packets through at least.
LARGEST = 1500
BYTES = MappingProxyType({"bytes": 1, "kbytes": 1 << 10, "mbytes": 1 << 20})


def _rate(body: Mapping[str, Any]) -> float:
    """Packets a second, 0 where that cannot be told."""
    unit, number = body.get("rate_unit", "packets"), body.get("rate")
    if not isinstance(number, int) or unit not in {"packets", *BYTES}:
        return 0.0
    packets = number if unit == "packets" else number * BYTES[unit] / LARGEST
    return per_second(packets, body.get("per", "second"))


def _tracked(scope: _Scope, _: str, body: Any) -> Steps:
    """A statement with a key into a set: it ends the rule where the packet has no such key."""
    key = _bare(body["key"] if "key" in body else body["elem"])
    yield from _needs(key)
    parts = key["concat"] if isinstance(key, dict) and "concat" in key else [key]
    try:
        read_parts = [part for part in parts if isinstance(part, dict) and "elem" not in part]
        yield from [selector.present() for part in read_parts for selector in _selectors(part)]
    except ValueError:
        yield _maybe(f'if it has "{written(key)}", which is not modelled')
    if isinstance(body.get("data"), dict):
        yield _maybe(f'if it has "{written(body["data"])}", which is not modelled')
    for statement in _list(body.get("stmt", [])):
        yield from _statement(scope, statement)


MARKS = MappingProxyType({"meta mark": Field.MARK, "ct mark": Field.CT_MARK})
# Written to, they change nothing that decides here.
SET_HARMLESSLY = frozenset(
    {"meta nftrace", "meta priority", "meta secmark", "ct label", "ct event", "ct secmark"}
    | {"ip dscp", "ip6 dscp", "ip ecn", "ip6 ecn", "ip6 flowlabel"}
)


def _mangle(_: _Scope, kind: str, body: Any) -> Steps:
    key, value = body["key"], body["value"]
    name = read(key)
    yield from _needs([key, value])
    # What cannot be read ends the rule.
    readable = _maybe(f'if "{written({kind: body})}" can be done, which is not modelled')
    if name in MARKS:
        try:
            yield Assign(MARKS[name], *_computed(value))
        except ValueError:
            yield readable
            yield Assign(MARKS[name], known=False)
    elif "tcp option" in key or (name in SET_HARMLESSLY and isinstance(value, dict)):
        yield readable
    elif name not in SET_HARMLESSLY:
        raise _UnknownError


def _computed(value: Any) -> tuple[int, int, Field | None]:
    """A mark: flip, keep and source of Assign."""
    if not isinstance(value, dict):
        return SELECTORS["meta mark"].number(value), 0, None
    kind, body = only(value)
    if kind not in {"&", "|", "^"}:
        if read(value) not in MARKS:
            raise _UnknownError
        return 0, 0xFFFFFFFF, MARKS[read(value)]
    flip, keep, source = _computed(body[0])
    bits = SELECTORS["meta mark"].number(body[1])
    if kind == "&":
        return flip & bits, keep & bits, source
    if kind == "|":
        return flip & ~bits | bits, keep & ~bits, source
    return flip ^ bits, keep, source


# (type, code) over IPv4 and over IPv6 (nft_reject_icmp_code and nft_reject_icmpv6_code).
ICMPX: Mapping[Any, Reject] = MappingProxyType(
    {
        "no-route": Reject((3, 0), (1, 0)),
        "port-unreachable": Reject((3, 3), (1, 4)),
        "host-unreachable": Reject((3, 1), (1, 3)),
        "admin-prohibited": Reject((3, 13), (1, 1)),
    }
)


def _reject(_: _Scope, __: str, body: Any) -> Steps:
    kind = (body or {}).get("type", "icmpx")
    code = (body or {}).get("expr", "port-unreachable")
    if kind == "tcp reset":
        yield from NEEDS["tcp"]
        yield Reject(None, None)
    elif kind in {"icmp", "icmpv6"}:
        yield NEEDS[kind][0]
        number = SELECTORS[f"{kind} code"].number(code)
        yield Reject(icmp=(3, number)) if kind == "icmp" else Reject(icmpv6=(1, number))
    elif kind == "icmpx" and code in ICMPX:
        yield ICMPX[code]
    else:
        raise _UnknownError


def _nat(scope: _Scope, kind: str, body: Any) -> Steps:
    """What changes a packet's ends; where from decides nothing here."""
    body = body or {}
    yield from NEEDS.get(body.get("family", scope.table.kind), ())
    ends = {"address": body.get("addr"), "port": body.get("port")}
    maps = [end for end, value in ends.items() if isinstance(value, dict) and "map" in value]
    if kind in {"snat", "masquerade"}:
        yield from [_maybe(f'if "{written({kind: body})}" has such a key') for _ in maps]
        yield SourceNat(local=kind == "masquerade")
    elif maps:
        mapped = ends[maps[0]]["map"]
        yield from scope.branch(
            mapped["key"],
            mapped["data"],
            lambda value: _redirect(kind, **(ends | {maps[0]: value})),
        )
    else:
        yield _redirect(kind, **ends)


def _redirect(kind: str, address: Any, port: Any) -> Redirect:
    if isinstance(address, dict) and "concat" in address:
        address, port = address["concat"]
    selector = SELECTORS["ip6 daddr" if ":" in written(address) else "ip daddr"]
    return Redirect(
        None if port is None else SELECTORS["th dport"].range(port),
        None if address is None else selector.range(address),
        kind == "redirect",
    )


def _xt(scope: _Scope, _: str, body: Any) -> Steps:
    kind, name = (body or {}).get("type"), (body or {}).get("name", "")
    if kind == "match" and name == "comment":
        return
    scope.table.opaque = True
    save = "iptables-save" if scope.table.kind == "ip" else "ip6tables-save"
    hint = f"which this listing does not show: give {save}"
    if kind == "match":
        yield _maybe(f"if xt match {name} matches, {hint}")
    else:
        yield Unclear(f"if xt target {name} lets it through, {hint}")


def _unknown(_: _Scope, __: str, ___: Any) -> Steps:
    raise _UnknownError


def _then(*steps: Step) -> Handler:
    return lambda _, __, ___: iter(steps)


STATEMENTS: Mapping[str, Handler] = MappingProxyType(
    {
        "match": _match,
        **dict.fromkeys((*VERDICTS, "jump", "goto"), _ending),
        "vmap": _vmap,
        "reject": _reject,
        **dict.fromkeys(("continue", "counter", "log", "last", "dup", "secmark"), _harmless),
        **dict.fromkeys(("ct helper", "ct timeout"), _harmless),
        **dict.fromkeys(BOUNDS, _bounded),
        **dict.fromkeys(("set", "map", "meter"), _tracked),
        "mangle": _mangle,
        "notrack": _then(NoTrack()),
        **dict.fromkeys(("dnat", "redirect", "snat", "masquerade"), _nat),
        "ct expectation": _then(_maybe("if it has a connection to expect another of")),
        "flow": _then(_maybe("if its flow can be offloaded")),
        # Without a socket of such a proxy the rule ends there (nft_tproxy.c).
        "tproxy": _then(_maybe("if a transparent proxy takes it")),
        "queue": _then(Unclear("if the program that reads its queue lets it through")),
        "synproxy": _then(*NEEDS["tcp"], Unclear("if a SYN proxy completes its connection")),
        "xt": _xt,
    }
)


def _statement(scope: _Scope, statement: Any) -> Steps:
    if isinstance(statement, str):
        # nft 1.0.6 prints an anonymous chain as text.
        hint = "which nft -j does not spell out: give nft list ruleset"
        yield Unclear(f'if "{" ".join(statement.split())}" lets it through, {hint}')
        return
    kind, body = only(statement)
    try:
        yield from STATEMENTS.get(kind, _unknown)(scope, kind, body)
    except ValueError:
        scope.look_at_words(statement)
        yield Unclear(_not_modelled(statement))


EACH_PROTOCOL = frozenset(_is(Field.PROTOCOL, number) for number in range(256))
FIXED = frozenset({Field.FAMILY, Field.PROTOCOL})
# Behind these nft takes nothing more, and what ends a rule for the kernel.
FINAL = (Accept, Drop, Reject, Return, Jump, SourceNat)
ENDS = (*FINAL, Redirect, Branch, Unclear)


def _steps(scope: _Scope, statements: Sequence[Any]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for at, statement in enumerate(statements, 1):
        scope.last = at == len(statements)
        for step in _statement(scope, statement):
            fixed = isinstance(step, FieldMatch) and step.field in FIXED
            if step is not ALWAYS and not (fixed and step in steps):
                steps.append(step)
        if steps and isinstance(steps[-1], ENDS):
            rest = statements[at:]
            final = isinstance(steps[-1], FINAL) or any(
                "unparsed" in statement for statement in rest
            )
            if rest and final:
                scope.strange = scope.strange or f"nft takes nothing after {written(statement)!a}"
            break
    # Conditions on nothing: such a rule only counts.
    while steps and isinstance(steps[-1], Condition):
        steps.pop()
    return tuple(steps)


# --- objects


class _Reader:
    """Objects of one file, put into a rule set; ``now`` and ``place`` are of the present one."""

    def __init__(self, file: str, *, loaded: bool = False) -> None:
        self.rules = RuleSet(covers=BOTH)
        self._loaded = loaded
        self.now: tuple[int, Any] = (0, None)
        self._file = file
        self._scopes: dict[tuple[str, str], _Scope] = {}
        self.place = RulePlace(file)

    def read(self, objects: Sequence[Any]) -> None:
        """Read them all, first what others refer to."""
        alone: Mapping[str, Callable[[Any], None]] = {
            "metainfo": self._metainfo,
            "table": self._table,
            "gap": lambda body: self._gap(str(body["reason"]), hint=str(body.get("hint", ""))),
            "strange": self._strange,
            "refused": lambda body: self._refuse(str(body["reason"])),
            "unparsed_object": self._unparsed,
        }
        inside: Mapping[str, Callable[[_Scope, Any], None]] = {
            "chain": self._chain,
            **dict.fromkeys(("set", "map"), self._set),
            "element": self._element,
            "rule": self._changes,
        }
        todo: dict[str, list[tuple[int, Any, RulePlace]]] = {kind: [] for kind in inside}
        for self.now in enumerate(objects, 1):
            kind, body = only(self.now[1])
            if body.get("family") in ELSEWHERE:
                continue
            line, handle = (body.get(key) and index(body[key]) for key in ("line", "handle"))
            self.place = RulePlace(str(body.get("file", self._file)), line, handle)
            if kind in alone:
                alone[kind](body)
            elif kind in todo:
                todo[kind].append((*self.now, self.place))
            elif kind not in HARMLESS_OBJECTS:
                self._gap(f"{kind} objects are not modelled")
        for kind, put in (*inside.items(), ("rule", self._rule)):
            for number, thing, self.place in todo[kind]:
                self.now = number, thing
                if scope := self._scope(thing[kind]):
                    put(scope, thing[kind])
        self.rules.gaps = list(dict.fromkeys(self.rules.gaps))
        self.rules.refusals = list(dict.fromkeys(self.rules.refusals))

    def _scope(self, body: Any) -> _Scope | None:
        """The table that an object is in."""
        family, name = body["family"], body["table"]
        found = self._scopes.get((family, name))
        if found is None and family not in FAMILIES:
            self._gap(f"tables of the family {family} are not modelled")
        elif found is None:
            self._refuse(f"there is not a table {family} {name}")
        return found

    def _gap(self, reason: str, families: frozenset[int] = BOTH, hint: str = "") -> None:
        self.rules.gaps.append(Gap(reason, families, hint))

    def _refuse(self, reason: str) -> None:
        self.rules.refusals.append(Refusal(reason, self.place))

    def _strange(self, body: Any) -> None:
        """What nft would hardly load; what it has loaded is not strange."""
        if not self._loaded:
            where = f"{self.place.file}:{self.place.line}" if self.place.line else self._file
            self._gap(f"{where}: {body['reason']}", hint=LISTED)

    def _metainfo(self, body: Any) -> None:
        version = body.get("json_schema_version", 1)
        if version != 1:
            self._gap(f"version {written(version)} of nft's JSON is not known")

    def _unparsed(self, body: Any) -> None:
        """A block of a table that the grammar of the text does not know."""
        text = str(body["text"])
        if not text.startswith(tuple(f"{kind} " for kind in HARMLESS_OBJECTS)):
            self._gap(f'"{text}" is not modelled')

    def _table(self, body: Any) -> None:
        kind, name = body["family"], body["name"]
        if kind not in FAMILIES:
            self._gap(f"tables of the family {kind} are not modelled")
            return
        if (kind, name) not in self._scopes:
            table = Table(kind, str(name), FAMILIES[kind])
            self._scopes[kind, name] = _Scope(table, self._refuse)
            self.rules.tables.append(table)
        flags = body.get("flags", [])
        # nft 1.0.6 prints the name of some table in the place of flags.
        if flags == name or not TABLE_FLAGS.issuperset(_list(flags)):
            reason = f"it is not known whether the table {kind} {name} is dormant: give nft's text"
            self._gap(reason, FAMILIES[kind])
        elif "dormant" in _list(flags):
            self._scopes[kind, name].table.dormant = True

    def _chain(self, scope: _Scope, body: Any) -> None:
        name, based = body["name"], not {"hook", "type", "prio"}.isdisjoint(body)
        if name in scope.table.chains:
            self._refuse(f"the chain {name} is declared twice")
        base = self._base(body) if based else None
        scope.table.chains[name] = Chain(str(name), base, [], self.place)

    def _base(self, body: Any) -> Base | None:
        hook, kind = body["hook"], body["type"]
        if kind not in {"filter", "nat", "route"} or hook not in {*Hook}:
            self._gap(f"chains of type {kind} at the hook {hook} are not modelled")
            return None
        devices = tuple(map(_interface, _list(body.get("dev", body.get("devices", [])))))
        policy = POLICIES.get(body.get("policy", "accept"), NO_POLICY)
        if hook in DEVICE_HOOKS and not devices and policy != Accept():
            policy = Unclear(NOT_TOLD.reason)
        return Base(Hook(hook), index(body["prio"]), policy, kind == "nat", devices)

    def _set(self, scope: _Scope, body: Any) -> None:
        known = scope.sets.setdefault(body["name"], _Set())
        scope.table.sets[str(body["name"])] = known.elements
        known.elements += _list(body.get("elem", []))
        # What is done at each lookup may end it, a limit's for one.
        known.shrinks = known.shrinks or "timeout" in body or _acts(body.get("stmt"))
        steady = SET_FLAGS.issuperset(_list(body.get("flags", [])))
        known.fades = known.fades or known.shrinks or not steady

    def _element(self, scope: _Scope, body: Any) -> None:
        if body["name"] in scope.sets:
            scope.sets[body["name"]].elements += _list(body["elem"])
        else:
            self._refuse(f"there is no set {body['name']}")

    def _changes(self, scope: _Scope, body: Any) -> None:
        """Which sets a rule changes."""
        for operation, name in _changed(body["expr"]):
            if known := scope.sets.get(name):
                known.fades = True
                known.shrinks = known.shrinks or operation == "delete"

    def _rule(self, scope: _Scope, body: Any) -> None:
        chain = scope.table.chains.get(body["chain"])
        if chain is None:
            self._refuse(f"there is no chain {body['chain']}")
            return
        scope.strange = ""
        steps = _steps(scope, body["expr"])
        if scope.strange and "handle" not in body:
            # One with a handle has been loaded.
            self._strange({"reason": scope.strange})
        if not self._loaded and len(set(steps) & EACH_PROTOCOL) > 1:
            self._refuse("a rule for two protocols at once")
        if steps and chain.base and chain.base.hook in DEVICE_HOOKS and not chain.base.devices:
            steps = (NOT_TOLD, *steps)
        text = body.get("text")
        if text is None:
            comment = [{"comment": body["comment"]}] if "comment" in body else []
            text = " ".join(" ".join(map(written, [*body["expr"], *comment])).split())
        chain.rules.append(Rule(steps, str(text), self.place))


def _changed(statements: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for statement in statements:
        kind, body = ("", statement) if isinstance(statement, str) else only(statement)
        if isinstance(body, str):
            yield from _CHANGES.findall(body)
        elif kind in {"set", "map"}:
            yield body["op"], body.get("map", body.get("set")).removeprefix("@")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def recognised(text: str) -> bool:
    """Whether it is JSON, as ``nft -j list ruleset`` prints it: no other notation begins so."""
    return text.lstrip("\ufeff \t\r\n").startswith(("{", "["))


def parse(text: str, file: str) -> RuleSet:
    """The rules in a text of ``nft -j list ruleset``. Raises RuleError."""
    try:
        whole = json.loads(text.lstrip("\ufeff"))
    except json.JSONDecodeError as error:
        token = ascii(error.doc[error.pos : error.pos + 20])
        raise RuleError(f"{file}:{error.lineno}: {error.msg}: {token}") from None
    except (ValueError, RecursionError):
        raise RuleError(f"{file}:1: a number is too long, or the nesting too deep") from None
    objects = whole.get("nftables") if isinstance(whole, dict) else None
    if not isinstance(objects, list):
        raise RuleError(f'{file}:1: not what nft -j prints, which is an object with "nftables"')
    return build(objects, file)


def build(objects: list[dict[str, Any]], file: str, *, loaded: bool = False) -> RuleSet:
    """The rules in the objects of libnftables-json(5), of a listing or made from nft's text.

    ``loaded``: nft has taken them, so that only what they mean can be strange.

    The latter may have ``line`` and ``text``, and objects of kinds that nft does not know: refused,
    gap, unparsed_object, and in a rule the statement unparsed. Raises RuleError.
    """
    reader = _Reader(file, loaded=loaded)
    try:
        reader.read(objects)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        # The one check that an object has the parts that it should have, each of its type.
        number, thing = reader.now
        where, shown = reader.place.line or f"object {number}", ascii(thing)[:MAX_ERROR]
        raise RuleError(f"{file}:{where}: not as nft prints it: {shown}") from None
    return reader.rules
