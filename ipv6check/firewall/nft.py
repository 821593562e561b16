"""nftables' JSON (libnftables-json(5)) to rules.

What an expression reads is an entry of `SELECTORS`, under the name it has in nft's own syntax; what
a statement does is an entry of `STATEMENTS`. What has no entry is not modelled, and says so.

nft adds conditions that a listing does not show: ``tcp dport 22`` is for TCP alone, ``ip saddr``
for IPv4 alone, negated or not. They are the ``needs`` of what is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
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
    AddressType,
    AllOf,
    Among,
    AnyOf,
    Assign,
    Base,
    Branch,
    Chain,
    Condition,
    Drop,
    Field,
    Gap,
    Hook,
    Jump,
    Named,
    Not,
    NoTrack,
    Place,
    Range,
    Ranges,
    Redirect,
    Refusal,
    Reject,
    Return,
    Rule,
    RuleError,
    RuleSet,
    State,
    Status,
    Step,
    Table,
    Unclear,
    Unmodelled,
    merged,
    prefix,
)
from ipv6check.firewall.names import ICMP, ICMPV6, PROTOCOLS, SERVICES, TCP

FAMILIES: Mapping[str, frozenset[int]] = MappingProxyType(
    {
        "ip": frozenset({IPV4}),
        "ip6": frozenset({IPV6}),
        "inet": frozenset({IPV4, IPV6}),
        "netdev": frozenset({IPV4, IPV6}),
    }
)
# Frames between the ports of a bridge, and ARP: nothing that comes to this host over IP.
ELSEWHERE = frozenset({"bridge", "arp"})
PRIORITIES = MappingProxyType(
    {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
)
_PRIORITY = re.compile(r"([a-z]*)\s*([+-]?)\s*([0-9]*)")
HARMLESS_OBJECTS = frozenset(
    {"counter", "quota", "limit", "flowtable", "secmark", "synproxy", "tunnel"}
    | {"ct helper", "ct timeout", "ct expectation"}
)
# Those of a set that stays as it is.
SET_FLAGS = frozenset({"constant", "interval"})
TABLE_FLAGS = frozenset({"dormant", "owner", "persist"})
_CHANGES = re.compile(r"\b(add|update|delete)\s+@([^\s{]+)")
# After every other chain, which is where egress is.
LAST = 1 << 30
MAX_SHOWN = 8
MAX_ERROR = 60


class _UnknownError(Exception):
    """Nobody can tell from here what this means."""


# --- nft's own syntax, for people, and as the key of SELECTORS


def _only(value: Any) -> tuple[str, Any]:
    """The kind of an expression or statement, and what it consists of."""
    ((kind, body),) = value.items()
    return kind, body


def describe(value: Any, mark: str = "") -> str:
    """An expression in nft's syntax; ``mark`` is put around words, for names of interfaces."""
    if isinstance(value, bool):
        return "exists" if value else "missing"
    if isinstance(value, str):
        return value if value.startswith("@") else f"{mark}{value}{mark}"
    if not isinstance(value, dict) or len(value) != 1:
        parts = value if isinstance(value, list) else [str(value)]
        return ",".join(describe(each, mark) for each in parts)
    kind, body = _only(value)
    if kind in _OPERATORS:
        return f" {kind} ".join(describe(each, mark) for each in body)
    if kind in _EXPRESSIONS:
        return _EXPRESSIONS[kind](body, mark)
    return f"{kind} {_plainly(body)}"


def _plainly(body: Any) -> str:
    return " ".join(map(str, body.values())) if isinstance(body, dict) else str(body)


def _describe_set(body: Any, mark: str) -> str:
    if not isinstance(body, list):
        return describe(body, mark)
    shown = [
        f"{describe(each[0], mark)} : {_describe_statement(each[1])}"
        if isinstance(each, list)
        else describe(each, mark)
        for each in body[:MAX_SHOWN]
    ]
    return f"{{ {', '.join(shown + ['…'] * (len(body) > MAX_SHOWN))} }}"


def _describe_meta(body: Any, _: str) -> str:
    key = str(body["key"])
    return key if key.startswith(("iif", "oif")) else f"meta {key}"


def _describe_payload(body: Any, _: str) -> str:
    raw = "base" in body
    return f"@{body['base']},{body['offset']},{body['len']}" if raw else _plainly(body)


def _describe_fib(body: Any, _: str) -> str:
    flags = sorted(body["flags"], key="saddr daddr mark iif oif".find)
    return f"fib {' . '.join(flags)} {body['result']}"


_OPERATORS = frozenset({"&", "|", "^", "<<", ">>"})
_EXPRESSIONS: Mapping[str, Callable[[Any, str], str]] = MappingProxyType(
    {
        "payload": _describe_payload,
        "meta": _describe_meta,
        "ct": lambda body, _: " ".join(
            ["ct", *([body["dir"]] if "dir" in body else []), body["key"]]
        ),
        "fib": _describe_fib,
        "prefix": lambda body, _: f"{body['addr']}/{body['len']}",
        "range": lambda body, mark: "-".join(describe(each, mark) for each in body),
        "concat": lambda body, mark: " . ".join(describe(each, mark) for each in body),
        "elem": lambda body, mark: describe(body["val"], mark),
        "set": _describe_set,
        "map": lambda body, mark: f"{describe(body['key'])} map {describe(body['data'], mark)}",
    }
)


def _describe_match(body: Any) -> str:
    left = describe(body["left"])
    mark = '"' if left.startswith(("iif", "oif")) else ""
    operator = "" if body["op"] in {"==", "in"} else f"{body['op']} "
    return f"{left} {operator}{describe(body['right'], mark)}"


def _describe_nat(kind: str, body: Any) -> str:
    if not body:
        return kind
    family = f" {body['family']}" if "family" in body else ""
    port = f":{describe(body['port'])}" if "port" in body else ""
    return f"{kind}{family} to {describe(body.get('addr', ''))}{port}"


def _rate(body: Any) -> str:
    if not isinstance(body, dict):
        return str(body)
    unit = f" {body['rate_unit']}" if "rate_unit" in body else ""
    return f"{body['rate']}{unit}/{body.get('per', 'second')}"


def _describe_reject(body: Any) -> str:
    kind = (body or {}).get("type")
    code = f" {describe(body['expr'])}" if kind and "expr" in body else ""
    return f"reject with {kind}{code}" if kind else "reject"


_SAID: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    {
        "match": _describe_match,
        "jump": lambda body: f"jump {body['target']}",
        "goto": lambda body: f"goto {body['target']}",
        "vmap": lambda body: f"{describe(body['key'])} vmap {describe(body['data'])}",
        "mangle": lambda body: f"{describe(body['key'])} set {describe(body['value'])}",
        "reject": _describe_reject,
        "counter": lambda _: "counter",
        "log": lambda body: (
            f'log prefix "{body["prefix"]}"' if body and "prefix" in body else "log"
        ),
        "limit": lambda body: f"limit rate {'over ' * _inverted(body)}{_rate(body)}",
        "ct count": lambda body: f"ct count {'over ' * _inverted(body)}{body['val']}",
        "set": lambda body: f"{body['op']} {body['set']} {{ {describe(body['elem'])} }}",
        "map": lambda body: f"{body['op']} {body['map']} {{ {describe(body['elem'])} : … }}",
        **{
            kind: lambda body, kind=kind: _describe_nat(kind, body)  # type: ignore[misc]
            for kind in ("dnat", "snat", "redirect", "masquerade")
        },
        "unparsed": str,
    }
)


def _inverted(body: Any) -> bool:
    return isinstance(body, dict) and bool(body.get("inv"))


def _describe_statement(statement: Any) -> str:
    """A statement, or what a map has for a key, in nft's syntax as far as that is known here."""
    if isinstance(statement, str):
        return " ".join(statement.split())
    if not isinstance(statement, dict):
        return describe(statement)
    kind, body = _only(statement)
    if kind in _SAID:
        return _SAID[kind](body)
    return kind if body is None else describe(statement)


# --- what can be read of a packet


def _is(key: Field, *numbers: int) -> Among:
    return Among(key, merged((number, number) for number in numbers))


NUMBERS: Ranges = ((0, (1 << 128) - 1),)
V4, V6 = _is(Field.FAMILY, IPV4), _is(Field.FAMILY, IPV6)
TRANSPORTS = MappingProxyType({"tcp": TCP, "udp": 17, "dccp": 33, "sctp": 132, "udplite": 136})
PORTED = _is(Field.PROTOCOL, *TRANSPORTS.values())
# What nft makes sure of before it reads any field of this header.
NEEDS: Mapping[str, tuple[Among, ...]] = MappingProxyType(
    {
        "ip": (V4,),
        "ip6": (V6,),
        "icmp": (V4, _is(Field.PROTOCOL, ICMP)),
        "icmpv6": (V6, _is(Field.PROTOCOL, ICMPV6)),
        **{name: (_is(Field.PROTOCOL, number),) for name, number in TRANSPORTS.items()},
    }
)
COMPARED: Mapping[str, Callable[[int], Range]] = MappingProxyType(
    {
        "<": lambda number: (0, number - 1),
        "<=": lambda number: (0, number),
        ">": lambda number: (number + 1, NUMBERS[0][1]),
        ">=": lambda number: (number, NUMBERS[0][1]),
    }
)
# The bytes where a port would be, of a packet that has none.
NO_PORT = AllOf(
    (
        Among(Field.PROTOCOL, PORTED.ranges, negated=True),
        Unmodelled("if the bytes match in which other packets have a port", steady=False),
    )
)


@dataclass(frozen=True, slots=True)
class Selector:
    """What the left side of a match reads: the field, and how the values of it are written.

    ``bits`` is the width of its numbers, 0 for names of interfaces. ``flags``: several names are
    one number. ``symbolic``: numbers mean something else. ``raw``: it reads a port unconditionally.
    """

    key: Field
    bits: int = 32
    names: Mapping[str, int] = field(default_factory=dict)
    needs: tuple[Among, ...] = ()
    flags: bool = False
    symbolic: bool = False
    raw: bool = False

    def test(
        self, elements: Iterable[Any], mask: int | None = None, *, negated: bool = False
    ) -> Condition:
        """The value is one of these. What the packet does not have is not, negated or not."""
        if not self.bits:
            names = tuple(dict.fromkeys(map(_interface, elements)))
            return Named(self.key, names, negated) if names else (NEVER, ALWAYS)[negated]
        ranges = [self.range(element) for element in elements]
        if self.key is Field.STATE and mask is None and all(low == high for low, high in ranges):
            # A packet has one state: any of these bits is the same, and reads better.
            bits = {low for low, _ in ranges if low.bit_count() == 1}
            return self.test_bits(sum(bits), negated=negated)
        return self._among(merged(ranges), mask, negated=negated)

    def test_bits(self, value: Any, mask: int | None = None, *, negated: bool = False) -> Condition:
        """Any of these bits is set."""
        bits = self.number(value) & (-1 if mask is None else mask)
        return self._among(((1, max(bits, 1)),), bits, negated=negated)

    def compared(self, operator: str, value: Any, mask: int | None) -> Condition:
        """The value is less, or greater."""
        if self.symbolic or operator not in COMPARED:
            raise _UnknownError
        low, high = COMPARED[operator](self.number(value))
        return self._among(((low, high),) if low <= high else (), mask)

    def present(self) -> Condition:
        """The packet has it."""
        return self._among(NUMBERS) if self.bits else ALWAYS

    def number(self, value: Any) -> int:
        """One value, as written in a rule."""
        if isinstance(value, dict | list):
            return self._united(value)
        if isinstance(value, str):
            if self.bits in BITS.values() and self.key in _ADDRESSES:
                return _address(value, self.bits)
            number = self.names.get(value)
            if number is not None:
                return number
            if not re.fullmatch("[0-9]{1,10}|0x[0-9a-f]{1,8}", value):
                raise _UnknownError
            value = int(value, 0 if "x" in value else 10)
        if not isinstance(value, int) or (isinstance(value, bool) and self.bits != 1):
            raise _UnknownError
        if self.symbolic or not 0 <= value < 1 << self.bits:
            raise _UnknownError
        return int(value)

    def _united(self, value: Any) -> int:
        kind, parts = _only(value) if isinstance(value, dict) else ("|", value)
        if kind != "|" or not (self.flags or isinstance(value, dict)):
            raise _UnknownError
        number = 0
        for part in parts:
            number |= self.number(part)
        return number

    def range(self, value: Any) -> Range:
        """The values that an element of a set stands for."""
        if value == "*":
            return NUMBERS[0]
        kind, body = _only(value) if isinstance(value, dict) else ("", value)
        if kind == "elem":
            return self.range(body["val"])
        if kind == "range":
            low, high = map(self.number, body)
            if low > high or self.symbolic:
                raise _UnknownError
            return low, high
        if kind == "prefix" and 0 <= body["len"] <= self.bits:
            return prefix(self.number(body["addr"]), body["len"], self.bits)
        number = self.number(value)
        return number, number

    def _among(
        self, ranges: Ranges, mask: int | None = None, *, negated: bool = False
    ) -> Condition:
        of_status = self.key is Field.STATUS
        if not self.bits or (of_status and (mask is None or mask >= 1 << len(Status))):
            # In the status the kernel has bits of its own, of which nothing is known here.
            raise _UnknownError
        found = Among(self.key, ranges, negated, mask)
        return AnyOf((found, NO_PORT)) if self.raw else found


_ADDRESSES = frozenset({Field.SADDR, Field.DADDR, Field.ORIGINAL_DADDR})


def _address(text: str, bits: int) -> int:
    try:
        if "%" not in text:
            return int(IPv4Address(text) if bits == BITS[IPV4] else IPv6Address(text))
    except ValueError:
        pass
    raise _UnknownError


def _interface(value: Any) -> str:
    if isinstance(value, dict) and "elem" in value:
        return _interface(value["elem"]["val"])
    # A number is an index, of an interface that is not there; "eth\*" is a name with a star in it.
    if not isinstance(value, str) or not value or value.isdecimal() or "\\" in value:
        raise _UnknownError
    return value


def _numbered(text: str) -> Mapping[str, int]:
    """Names and their numbers, as ``nft describe`` lists them."""
    pairs = (word.split(":") for word in text.split())
    return MappingProxyType({name: int(number) for name, number in pairs})


def _lower(names: type[State | Status | AddressType]) -> dict[str, int]:
    return {str(each.name).lower().replace("_", "-"): int(each) for each in names}


_ICMP_TYPES = _numbered(
    "echo-reply:0 destination-unreachable:3 source-quench:4 redirect:5 echo-request:8 "
    "router-advertisement:9 router-solicitation:10 time-exceeded:11 parameter-problem:12 "
    "timestamp-request:13 timestamp-reply:14 info-request:15 info-reply:16 "
    "address-mask-request:17 address-mask-reply:18"
)
_ICMPV6_TYPES = _numbered(
    "destination-unreachable:1 packet-too-big:2 time-exceeded:3 parameter-problem:4 "
    "echo-request:128 echo-reply:129 mld-listener-query:130 mld-listener-report:131 "
    "mld-listener-done:132 mld-listener-reduction:132 nd-router-solicit:133 "
    "nd-router-advert:134 nd-neighbor-solicit:135 nd-neighbor-advert:136 nd-redirect:137 "
    "router-renumbering:138 ind-neighbor-solicit:141 ind-neighbor-advert:142 "
    "mld2-listener-report:143"
)
_ICMP_CODES = _numbered(
    "net-unreachable:0 host-unreachable:1 prot-unreachable:2 port-unreachable:3 "
    "frag-needed:4 net-prohibited:9 host-prohibited:10 admin-prohibited:13"
)
_ICMPV6_CODES = _numbered(
    "no-route:0 admin-prohibited:1 addr-unreachable:3 port-unreachable:4 policy-fail:5 "
    "reject-route:6"
)
_TCP_FLAGS = _numbered("fin:1 syn:2 rst:4 psh:8 ack:16 urg:32 ecn:64 ece:64 cwr:128")
_PACKET_TYPES = _numbered("host:0 unicast:0 broadcast:1 multicast:2 other:3")
_PRESENCE = _numbered("missing:0 exists:1")
_PORT_FIELDS = {"sport": Field.SPORT, "dport": Field.DPORT}

SELECTORS: Mapping[str, Selector] = MappingProxyType(
    {
        **{
            f"{name} {key}": Selector(Field(key), BITS[family], needs=NEEDS[name])
            for name, family in (("ip", IPV4), ("ip6", IPV6))
            for key in ("saddr", "daddr")
        },
        "ip protocol": Selector(Field.NEXT_HEADER, 8, PROTOCOLS, (V4,)),
        "ip6 nexthdr": Selector(Field.NEXT_HEADER, 8, PROTOCOLS, (V6,)),
        "ip ttl": Selector(Field.HOP_LIMIT, 8, needs=(V4,)),
        "ip6 hoplimit": Selector(Field.HOP_LIMIT, 8, needs=(V6,)),
        "ip version": Selector(Field.FAMILY, 4, needs=(V4,)),
        "ip6 version": Selector(Field.FAMILY, 4, needs=(V6,)),
        **{
            f"{name} {port}": Selector(key, 16, SERVICES, NEEDS[name])
            for name in TRANSPORTS
            for port, key in _PORT_FIELDS.items()
        },
        **{
            name: Selector(_PORT_FIELDS[port], 16, SERVICES, raw=True)
            for port, names in (
                ("sport", ("th sport", "@th,0,16")),
                ("dport", ("th dport", "@th,16,16")),
            )
            for name in names
        },
        "tcp flags": Selector(Field.FLAGS, 8, _TCP_FLAGS, NEEDS["tcp"], flags=True),
        "icmp type": Selector(Field.TYPE, 8, _ICMP_TYPES, NEEDS["icmp"]),
        "icmp code": Selector(Field.CODE, 8, _ICMP_CODES, NEEDS["icmp"]),
        "icmpv6 type": Selector(Field.TYPE, 8, _ICMPV6_TYPES, NEEDS["icmpv6"]),
        "icmpv6 code": Selector(Field.CODE, 8, _ICMPV6_CODES, NEEDS["icmpv6"]),
        "meta nfproto": Selector(Field.FAMILY, 8, {"ipv4": IPV4, "ipv6": IPV6}, symbolic=True),
        "meta protocol": Selector(
            Field.FAMILY, 16, {"ip": IPV4, "ip6": IPV6, "arp": 0}, symbolic=True
        ),
        "meta l4proto": Selector(Field.PROTOCOL, 8, PROTOCOLS),
        "meta mark": Selector(Field.MARK),
        "meta pkttype": Selector(Field.PACKET_TYPE, 8, _PACKET_TYPES),
        "iif": Selector(Field.IIF, 0),
        "iifname": Selector(Field.IIF, 0),
        "oif": Selector(Field.OIF, 0),
        "oifname": Selector(Field.OIF, 0),
        "ct state": Selector(Field.STATE, 32, _lower(State), flags=True),
        "ct status": Selector(Field.STATUS, 32, _lower(Status), flags=True),
        "ct direction": Selector(Field.DIRECTION, 8, {"original": 0, "reply": 1}),
        "ct mark": Selector(Field.CT_MARK),
        "ct original proto-dst": Selector(Field.ORIGINAL_DPORT, 16, SERVICES, raw=True),
        "ct original ip daddr": Selector(Field.ORIGINAL_DADDR, 32, needs=(V4,)),
        "ct original ip6 daddr": Selector(Field.ORIGINAL_DADDR, 128, needs=(V6,)),
        **{
            f"fib {flags} type": Selector(key, 32, _lower(AddressType))
            for end, key in (("saddr", Field.SADDR_TYPE), ("daddr", Field.DADDR_TYPE))
            for flags in (end, f"{end} . iif")
        },
        "exthdr hbh": Selector(Field.HOP_BY_HOP, 1, _PRESENCE, (V6,)),
        "exthdr rt": Selector(Field.ROUTING, 1, _PRESENCE, (V6,)),
        "exthdr frag": Selector(Field.FRAGMENT, 1, _PRESENCE, (V6,)),
        "exthdr dst": Selector(Field.DESTINATION_OPTIONS, 1, _PRESENCE, (V6,)),
        "exthdr rt type": Selector(Field.ROUTING_TYPE, 8, needs=(V6,)),
    }
)
# Is the source routed back over where the packet came in: that it is, is assumed of any packet.
ROUTED_BACK = frozenset(
    f"fib saddr .{mark} iif {result}" for mark in ("", " mark .") for result in ("oif", "oifname")
)


ROUTES = MappingProxyType(
    {"True": True, "exists": True, "False": False, "missing": False, "0": False}
)


# --- one table


@dataclass(slots=True)
class _Set:
    """A named set or map. ``fades``: its elements come and go, ``shrinks``: rules delete some."""

    name: str
    elements: list[Any] = field(default_factory=list)
    fades: bool = False
    expires: bool = False
    shrinks: bool = False

    def lasting(self) -> list[Any]:
        """The elements that are there to stay."""
        if self.shrinks or self.expires:
            return []
        return [element for element in self.elements if not _expires(element)]


def _expires(element: Any) -> bool:
    if isinstance(element, list):
        return _expires(element[0])
    body = element.get("elem") if isinstance(element, dict) else None
    return body is not None and ("timeout" in body or "expires" in body)


@dataclass(slots=True)
class _Scope:
    """A table that is being read: its sets, and the conditions already made of them.

    ``doubts``: of which chains it is not told where they run. ``last``: no statement follows.
    """

    table: Table
    refuse: Callable[[str], None]
    sets: dict[str, _Set] = field(default_factory=dict)
    made: dict[tuple[str, ...], Condition] = field(default_factory=dict)
    doubts: dict[str, Unmodelled] = field(default_factory=dict)
    last: bool = True

    def selector(self, expression: Any) -> Selector:
        """How to read this expression. Raises _UnknownError."""
        name = describe(expression)
        if name == "ct original daddr":
            name = f"ct original {self.table.kind} daddr"
        if name not in SELECTORS:
            raise _UnknownError
        return SELECTORS[name]

    def named(self, reference: str) -> _Set:
        """The set that ``@name`` is. Raises _UnknownError."""
        found = self.sets.get(reference[1:])
        if found is None:
            self.refuse(f"there is no set {reference[1:]}")
            raise _UnknownError
        return found

    def needs(self, expression: Any) -> Iterator[Among]:
        """What nft makes sure of before it reads this."""
        if isinstance(expression, list):
            for each in expression:
                yield from self.needs(each)
        elif isinstance(expression, dict):
            kind, body = _only(expression)
            if kind == "payload":
                yield from NEEDS.get(body.get("protocol", ""), ())
            elif kind == "exthdr":
                yield V6
            elif kind == "ip option":
                yield V4
            elif kind == "ct":
                yield from getattr(SELECTORS.get(describe(expression)), "needs", ())
            elif kind in _OPERATORS or kind == "concat":
                yield from self.needs(body)
            elif kind == "elem":
                yield from self.needs(body["val"])

    def match(self, body: Any) -> Condition:
        """A match, but for its needs. Raises _UnknownError."""
        operator, left, right = body["op"], body["left"], body["right"]
        name = describe(left)
        if name in ROUTED_BACK:
            exists = ROUTES.get(str(right))
            if operator not in {"==", "!="} or exists is None:
                raise _UnknownError
            return ALWAYS if exists is (operator == "==") else NEVER
        kind, parts = _only(left)
        mask = None
        if kind == "&":
            left, bits = parts
            mask = self.selector(left).number(bits)
        selectors = [self.selector(each) for each in (parts if kind == "concat" else [left])]
        if operator in {"==", "!="}:
            found = self.among(name, selectors, right, mask, negated=operator == "!=")
            if operator == "==" and mask is None and _one_flag(selectors, right):
                reason = f'if "{_describe_match(body)}" is for the bit alone'
                return _either(found, selectors[0].test_bits(right["set"][0]), reason)
            return found
        (selector,) = selectors
        if operator in {"in", "!"}:
            return selector.test_bits(right, mask, negated=operator == "!")
        return selector.compared(operator, right, mask)

    def among(
        self,
        name: str,
        selectors: Sequence[Selector],
        right: Any,
        mask: int | None,
        *,
        negated: bool,
    ) -> Condition:
        """What ``name`` reads is the value, or is in the set, on the right."""
        if not isinstance(right, str) or not right.startswith("@"):
            return _in(selectors, _elements(right), mask, negated=negated)
        key = (name, right, str(negated))
        if key not in self.made:
            known = self.named(right)
            if known.fades:
                reason = f"if {name} is in the set {known.name}, which changes at run time"
                found = _in(selectors, known.lasting(), mask, negated=False)
                found = AnyOf((found, Unmodelled(reason, steady=False)))
                if negated:
                    found = AllOf((*(each.present() for each in selectors), Not(found)))
            else:
                found = _in(selectors, known.elements, mask, negated=negated)
            self.made[key] = found
        return self.made[key]

    def cases(
        self, key: Any, data: Any, act: Callable[[Any], Action]
    ) -> tuple[tuple[Condition, Action], ...]:
        """The cases of a map, those with the same value as one. Raises _UnknownError."""
        elements = _elements(data)
        if isinstance(data, str):
            known = self.named(data)
            if known.fades:
                raise _UnknownError
            elements = known.elements
        grouped: dict[str, tuple[Any, list[Any]]] = {}
        for element, value in elements:
            bare = (
                element["elem"]["val"]
                if isinstance(element, dict) and "elem" in element
                else element
            )
            same = "*" if bare == "*" else json.dumps(value)
            grouped.setdefault(same, (value, []))[1].append(bare)
        rest = grouped.pop("*", None)
        found = [(self._case(key, keys), act(value)) for value, keys in grouped.values()]
        if rest is not None:
            found.append((self._case(key, rest[1]), act(rest[0])))
        return tuple(found)

    def _case(self, key: Any, keys: list[Any]) -> Condition:
        kind, parts = _only(key)
        try:
            selectors = [self.selector(each) for each in (parts if kind == "concat" else [key])]
            if keys == ["*"]:
                return AllOf(tuple(each.present() for each in selectors))
            return _in(selectors, keys, None, negated=False)
        except _UnknownError:
            values = _describe_set(keys, "")
            return Unmodelled(
                f'if "{describe(key)}" is in {values}, which is not modelled', steady=False
            )


def _either(one: Condition, other: Condition, reason: str) -> Condition:
    """Either of two readings, of which nft 1.0.6 has one and other versions the other."""
    which = Unmodelled(reason, steady=False)
    return AllOf((AnyOf((one, other)), AnyOf((AllOf((one, other)), which))))


def _one_flag(selectors: Sequence[Selector], right: Any) -> bool:
    return (
        len(selectors) == 1
        and selectors[0].flags
        and selectors[0].key is not Field.STATE
        and isinstance(right, dict)
        and isinstance(right.get("set"), list)
        and len(right["set"]) == 1
    )


def _elements(right: Any) -> list[Any]:
    if isinstance(right, dict) and isinstance(right.get("set"), list):
        return list(right["set"])
    return [right]


def _in(
    selectors: Sequence[Selector], elements: Sequence[Any], mask: int | None, *, negated: bool
) -> Condition:
    if len(selectors) == 1:
        return selectors[0].test(elements, mask, negated=negated)
    found = AnyOf(tuple(_joined(selectors, element) for element in elements))
    if not negated:
        return found
    return AllOf((*(each.present() for each in selectors), Not(found)))


def _joined(selectors: Sequence[Selector], element: Any) -> Condition:
    kind, body = _only(element) if isinstance(element, dict) else ("", element)
    if kind == "elem":
        return _joined(selectors, body["val"])
    if element == "*":
        return ALWAYS
    if kind != "concat":
        raise _UnknownError
    return AllOf(tuple(each.test([part]) for each, part in zip(selectors, body, strict=True)))


# --- statements


Steps = Iterator[Step]


def _not_modelled(kind: str, body: Any) -> str:
    return f'if "{_describe_statement({kind: body})}" lets it through, which is not modelled'


def _match(scope: _Scope, body: Any) -> Steps:
    yield from scope.needs(body["left"])
    try:
        yield scope.match(body)
    except _UnknownError:
        reason = f'if "{_describe_match(body)}" matches, which is not modelled'
        yield Unmodelled(reason, steady=False)


def _jump(scope: _Scope, name: Any, *, goto: bool = False) -> Jump:
    target = scope.table.chains.get(name)
    if target is None or target.base is not None:
        scope.refuse(f"there is no chain {name} to jump to")
    return Jump(name, goto)


VERDICTS: Mapping[str, Callable[[_Scope, Any], Action]] = MappingProxyType(
    {
        "accept": lambda _, __: Accept(),
        "drop": lambda _, __: Drop(),
        "return": lambda _, __: Return(),
        "jump": lambda scope, body: _jump(scope, body["target"]),
        "goto": lambda scope, body: _jump(scope, body["target"], goto=True),
    }
)


def _vmap(scope: _Scope, body: Any) -> Steps:
    def act(value: Any) -> Action:
        kind, verdict = _only(value)
        if kind == "continue" and scope.last:
            return Branch(())
        if kind not in VERDICTS:
            return Unclear(_not_modelled(kind, verdict))
        return VERDICTS[kind](scope, verdict)

    yield from scope.needs(body["key"])
    try:
        yield Branch(scope.cases(body["key"], body["data"], act))
    except _UnknownError:
        yield Unclear(_not_modelled("vmap", body))


def _harmless(_: _Scope, body: Any) -> Steps:
    if isinstance(body, dict) and "map" in body:
        # Where the map has no such key, the rule ends.
        yield Unmodelled(f'if "{describe(body)}" has such a key', steady=False)


def _limit(_: _Scope, body: Any) -> Steps:
    if isinstance(body, str):
        yield Unmodelled(f"as the limit {body} allows", steady=False)
    else:
        reach = "over" if _inverted(body) else "under"
        yield Unmodelled(f"{reach} a rate limit ({_rate(body)})", steady=False)


def _quota(_: _Scope, body: Any) -> Steps:
    if isinstance(body, dict) and "val" in body:
        yield Unmodelled("over a quota" if _inverted(body) else "within a quota", steady=False)
    else:
        yield Unmodelled(f"as the quota {describe(body)} allows", steady=False)


def _ct_count(_: _Scope, body: Any) -> Steps:
    reach = "more than" if _inverted(body) else "at most"
    yield Unmodelled(f"while there are {reach} {body['val']} connections", steady=False)


def _tracked(scope: _Scope, body: Any) -> Steps:
    """A statement with a key into a set: it ends the rule where the packet has no such key."""
    key = body["key"] if "key" in body else body["elem"]
    key = key["elem"]["val"] if "elem" in key else key
    yield from scope.needs(key)
    kind, parts = _only(key)
    try:
        for each in parts if kind == "concat" else [key]:
            yield scope.selector(each).present()
    except _UnknownError:
        yield Unmodelled(f'if it has "{describe(key)}", which is not modelled', steady=False)
    if isinstance(body.get("data"), dict):
        yield Unmodelled(
            f'if it has "{describe(body["data"])}", which is not modelled', steady=False
        )
    inner = body.get("stmt", [])
    for statement in inner if isinstance(inner, list) else [inner]:
        yield from _statement(scope, statement)


MARKS = MappingProxyType({"meta mark": Field.MARK, "ct mark": Field.CT_MARK})
# Written to, they change nothing that decides here.
SET_HARMLESSLY = frozenset(
    {"meta nftrace", "meta priority", "meta secmark", "ct label", "ct event", "ct secmark"}
    | {"ip dscp", "ip6 dscp", "ip ecn", "ip6 ecn", "ip6 flowlabel"}
)


def _mangle(scope: _Scope, body: Any) -> Steps:
    key, value = body["key"], body["value"]
    name = describe(key)
    yield from scope.needs(key)
    yield from scope.needs(value)
    text = f"{name} set {describe(value)}"
    # What cannot be read ends the rule.
    readable = Unmodelled(f'if "{text}" can be done, which is not modelled', steady=False)
    if name in MARKS:
        try:
            source, keep, flip = _computed(scope, value)
        except _UnknownError:
            yield readable
            yield Assign(MARKS[name], known=False)
        else:
            yield Assign(MARKS[name], flip, keep, source)
    elif "tcp option" in key:
        yield AnyOf((*NEEDS["tcp"], readable))
        if isinstance(value, dict) and "rt" not in value:
            yield readable
    elif name not in SET_HARMLESSLY:
        yield Unclear(f'if it still passes after "{text}", which is not modelled')
    elif isinstance(value, dict):
        yield readable


def _computed(scope: _Scope, value: Any) -> tuple[Field | None, int, int]:
    """A mark as (value of the field & keep) ^ flip."""
    if not isinstance(value, dict):
        return None, 0, SELECTORS["meta mark"].number(value)
    kind, body = _only(value)
    if kind not in {"&", "|", "^"}:
        name = describe(value)
        if name not in MARKS:
            raise _UnknownError
        return MARKS[name], 0xFFFFFFFF, 0
    source, keep, flip = _computed(scope, body[0])
    bits = SELECTORS["meta mark"].number(body[1])
    if kind == "&":
        return source, keep & bits, flip & bits
    if kind == "|":
        return source, keep & ~bits, flip & ~bits | bits
    return source, keep, flip ^ bits


# (type, code) over IPv4 and over IPv6 (nft_reject_icmp_code and nft_reject_icmpv6_code).
ICMPX: Mapping[Any, tuple[tuple[int, int], tuple[int, int]]] = MappingProxyType(
    {
        "no-route": ((3, 0), (1, 0)),
        "port-unreachable": ((3, 3), (1, 4)),
        "host-unreachable": ((3, 1), (1, 3)),
        "admin-prohibited": ((3, 13), (1, 1)),
    }
)


def _reject(_: _Scope, body: Any) -> Steps:
    kind = (body or {}).get("type")
    code = (body or {}).get("expr", "port-unreachable")
    if kind == "tcp reset":
        yield from NEEDS["tcp"]
        yield Reject(None, None)
    elif kind in {"icmp", "icmpv6"}:
        yield V4 if kind == "icmp" else V6
        try:
            number = SELECTORS[f"{kind} code"].number(code)
        except _UnknownError:
            yield Unclear(_not_modelled("reject", body))
        else:
            yield Reject(icmp=(3, number)) if kind == "icmp" else Reject(icmpv6=(1, number))
    elif kind in {"icmpx", None} and code in ICMPX:
        yield Reject(*ICMPX[code])
    else:
        yield Unclear(_not_modelled("reject", body))


def _nat(scope: _Scope, body: Any, *, local: bool) -> Steps:
    body = body or {}
    family = body.get("family", scope.table.kind)
    yield from {"ip": (V4,), "ip6": (V6,)}.get(family, ())
    address, port = body.get("addr"), body.get("port")
    six = family == "ip6" or (family != "ip" and ":" in describe(address))
    bits = BITS[IPV6 if six else IPV4]
    if not (_is_map(address) or _is_map(port)):
        yield _redirect(address, port, bits, local=local)
        return

    def act(value: Any) -> Action:
        if _is_map(address):
            return _redirect(value, port, bits, local=local)
        return _redirect(address, value, bits, local=local)

    mapped = (address if _is_map(address) else port)["map"]
    yield from scope.needs(mapped["key"])
    try:
        yield Branch(scope.cases(mapped["key"], mapped["data"], act))
    except _UnknownError:
        yield Unclear(_not_modelled("dnat", body))


def _is_map(value: Any) -> bool:
    return isinstance(value, dict) and "map" in value


def _redirect(address: Any, port: Any, bits: int, *, local: bool) -> Action:
    if isinstance(address, dict) and "concat" in address:
        address, port = address["concat"]
    try:
        return Redirect(
            None if port is None else SELECTORS["th dport"].range(port),
            None if address is None else Selector(Field.DADDR, bits).range(address),
            local,
        )
    except _UnknownError:
        return Unclear(_not_modelled("dnat", {"addr": address, "port": port}))


def _snat(scope: _Scope, body: Any) -> Steps:
    body = body or {}
    yield from {"ip": (V4,), "ip6": (V6,)}.get(body.get("family", scope.table.kind), ())
    if _is_map(body.get("addr")) or _is_map(body.get("port")):
        yield Unmodelled(f'if "{_describe_nat("snat", body)}" has such a key', steady=False)
    yield Accept()


def _xt(scope: _Scope, body: Any) -> Steps:
    kind, name = (body or {}).get("type"), (body or {}).get("name", "")
    if kind == "match" and name == "comment":
        return
    scope.table.opaque = True
    save = "iptables-save" if scope.table.kind == "ip" else "ip6tables-save"
    hint = f"which this listing does not show: give {save}"
    if kind == "match":
        yield Unmodelled(f"if xt match {name} matches, {hint}", steady=False)
    else:
        yield Unclear(f"if xt target {name} lets it through, {hint}")


def _unclear(reason: str) -> Callable[[_Scope, Any], Steps]:
    def handler(_: _Scope, __: Any) -> Steps:
        yield Unclear(reason)

    return handler


def _maybe(reason: str) -> Callable[[_Scope, Any], Steps]:
    def handler(_: _Scope, __: Any) -> Steps:
        yield Unmodelled(reason, steady=False)

    return handler


def _then(*steps: Step) -> Callable[[_Scope, Any], Steps]:
    return lambda _, __: iter(steps)


def _verdict(kind: str) -> Callable[[_Scope, Any], Steps]:
    return lambda scope, body: iter((VERDICTS[kind](scope, body),))


STATEMENTS: Mapping[str, Callable[[_Scope, Any], Steps]] = MappingProxyType(
    {
        "match": _match,
        **{kind: _verdict(kind) for kind in VERDICTS},
        "continue": _harmless,
        "vmap": _vmap,
        "reject": _reject,
        **dict.fromkeys(("counter", "log", "last", "dup", "secmark"), _harmless),
        **dict.fromkeys(("ct helper", "ct timeout"), _harmless),
        "ct expectation": _maybe("if it has a connection to expect another of"),
        "limit": _limit,
        "quota": _quota,
        "ct count": _ct_count,
        **dict.fromkeys(("set", "map", "meter"), _tracked),
        "flow": _maybe("if its flow can be offloaded"),
        "mangle": _mangle,
        "notrack": _then(NoTrack()),
        "dnat": lambda scope, body: _nat(scope, body, local=False),
        "redirect": lambda scope, body: _nat(scope, body, local=True),
        "snat": _snat,
        "masquerade": _snat,
        # Without a socket of such a proxy the rule ends there (nft_tproxy.c).
        "tproxy": _maybe("if a transparent proxy takes it"),
        "queue": _unclear("if the program that reads its queue lets it through"),
        "fwd": _unclear("if the interface that it is sent out of lets it through"),
        "synproxy": _then(*NEEDS["tcp"], Unclear("if a SYN proxy completes its connection")),
        "xt": _xt,
    }
)


def _statement(scope: _Scope, statement: Any) -> Steps:
    if isinstance(statement, str):
        # nft 1.0.6 prints an anonymous chain as text.
        hint = "which nft -j does not spell out: give nft list ruleset"
        yield Unclear(f'if "{_describe_statement(statement)}" lets it through, {hint}')
        return
    kind, body = _only(statement)
    if kind in STATEMENTS:
        yield from STATEMENTS[kind](scope, body)
    else:
        yield Unclear(_not_modelled(kind, body))


FIXED = frozenset({Field.FAMILY, Field.PROTOCOL})
ENDS = (Accept, Drop, Reject, Return, Jump, Redirect, Branch, Unclear)


def _steps(scope: _Scope, statements: Sequence[Any]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for at, statement in enumerate(statements, 1):
        scope.last = at == len(statements)
        for step in _statement(scope, statement):
            if isinstance(step, Among) and step.field in FIXED and step in steps:
                continue
            if step != ALWAYS:
                steps.append(step)
        if steps and isinstance(steps[-1], ENDS):
            break
    # Conditions on nothing: such a rule only counts.
    while steps and isinstance(steps[-1], Condition):
        steps.pop()
    return tuple(steps)


# --- objects


class _Reader:
    """Objects of one file, put into a rule set kind after kind."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.rules = RuleSet(covers=frozenset({IPV4, IPV6}))
        self._scopes: dict[tuple[str, str], _Scope] = {}
        self._egress: list[Chain] = []
        self._place = Place(file)

    def read(self, objects: Sequence[Any]) -> None:
        """Read them all, first what others refer to. Raises RuleError."""
        kinds: Sequence[tuple[str, Callable[[Any], None]]] = (
            ("metainfo", self._metainfo),
            ("table", self._table),
            ("chain", self._chain),
            ("set", self._set),
            ("map", self._set),
            ("element", self._element),
            ("rule", self._changes),
            ("rule", self._rule),
            ("refused", lambda body: self._refuse(str(body["reason"]), self._at(body))),
            ("gap", lambda body: self._gap(str(body["reason"]))),
            ("unparsed_object", self._unparsed),
        )
        known = {kind for kind, _ in kinds} | HARMLESS_OBJECTS
        found: dict[str, list[tuple[int, Any]]] = {}
        with _as_printed(self.file, now := _Now()):
            for now.number, now.thing in enumerate(objects, 1):
                kind, body = _only(now.thing)
                if kind not in known:
                    self._gap(f"{kind} objects are not modelled")
                elif body.get("family") not in ELSEWHERE:
                    found.setdefault(kind, []).append((now.number, now.thing))
            for kind, put in kinds:
                for now.number, now.thing in found.get(kind, ()):
                    put(now.thing[kind])
        for chain in self._egress:
            self._narrow(chain)

    def _gap(self, reason: str, families: frozenset[int] = FAMILIES["inet"]) -> None:
        gap = Gap(reason, families)
        if gap not in self.rules.gaps:
            self.rules.gaps.append(gap)

    def _refuse(self, reason: str, place: Place | None = None) -> None:
        refusal = Refusal(reason, place or self._place)
        if refusal not in self.rules.refusals:
            self.rules.refusals.append(refusal)

    def _at(self, body: Any) -> Place:
        line, handle = body.get("line"), body.get("handle")
        return Place(
            self.file,
            line if isinstance(line, int) else None,
            handle if isinstance(handle, int) else None,
        )

    def _scope(self, body: Any) -> _Scope | None:
        """The table that an object is in."""
        self._place = self._at(body)
        found = self._scopes.get((body["family"], body["table"]))
        if found is None and body["family"] not in FAMILIES:
            self._gap(f"tables of the family {body['family']} are not modelled")
        elif found is None:
            self._refuse(f"there is no table {body['family']} {body['table']}")
        return found

    def _metainfo(self, body: Any) -> None:
        version = body.get("json_schema_version", 1)
        if version != 1:
            self._gap(f"version {describe(version)} of nft's JSON is not known")

    def _unparsed(self, body: Any) -> None:
        text = str(body["text"])
        if not text.startswith(tuple(f"{kind} " for kind in HARMLESS_OBJECTS)):
            self._gap(f'"{text}" is not modelled')

    def _table(self, body: Any) -> None:
        kind, name = body["family"], body["name"]
        if kind not in FAMILIES:
            self._gap(f"tables of the family {kind} are not modelled")
            return
        scope = self._scopes.get((kind, name))
        if scope is None:
            scope = _Scope(Table(kind, str(name), FAMILIES[kind]), self._refuse)
            self._scopes[kind, name] = scope
            self.rules.tables.append(scope.table)
        flags = body.get("flags", [])
        # nft 1.0.6 prints the name of some table in the place of flags.
        if (isinstance(flags, str) and flags == name) or not TABLE_FLAGS.issuperset(_list(flags)):
            reason = f"it is not told whether the table {kind} {name} is dormant: give nft's text"
            self._gap(reason, FAMILIES[kind])
        elif "dormant" in _list(flags):
            scope.table.dormant = True

    def _chain(self, body: Any) -> None:
        scope = self._scope(body)
        if scope is None:
            return
        name = body["name"]
        known = scope.table.chains.get(name)
        based = not {"hook", "type", "prio"}.isdisjoint(body)
        base = self._base(scope, body) if based else None
        if known is None:
            scope.table.chains[name] = Chain(str(name), base, [], self._place)
            if body.get("hook") == "egress":
                self._egress.append(scope.table.chains[name])
        elif base is not None:
            old = known.base
            if old is None or (old.hook, old.priority, old.nat) != (
                base.hook,
                base.priority,
                base.nat,
            ):
                self._refuse(f"the chain {name} is declared twice, and differently")
            elif "policy" in body:
                known.base = base

    def _base(self, scope: _Scope, body: Any) -> Base | None:
        hook, kind, name = body["hook"], body["type"], body["name"]
        devices = tuple(_list(body.get("dev", body.get("devices", []))))
        policy: Accept | Drop | Unclear = {"accept": Accept(), "drop": Drop()}.get(
            body.get("policy", "accept"), Unclear("if its policy lets it through")
        )  # type: ignore[assignment]
        priority = self._priority(body["prio"])
        if kind not in {"filter", "nat", "route"} or hook not in {*map(str, Hook), "egress"}:
            self._gap(f"chains of type {kind} at the hook {hook} are not modelled")
            return None
        if hook == "egress":
            return Base(Hook.POSTROUTING, LAST, policy, devices=tuple(map(_interface, devices)))
        if hook == "ingress" and not devices:
            # nft 1.0.6 leaves them out of its JSON.
            reason = f"if the chain {name} is on its interface, which this listing does not name"
            scope.doubts[name] = Unmodelled(reason)
            policy = policy if policy == Accept() else Unclear(reason)
        return Base(Hook(hook), priority, policy, kind == "nat", tuple(map(_interface, devices)))

    def _priority(self, value: Any) -> int:
        if isinstance(value, int):
            return int(value)
        found = _PRIORITY.fullmatch(value.strip())
        name, sign, digits = found.groups() if found else ("?", "", "")
        if (
            (name and name not in PRIORITIES)
            or not (name or digits)
            or (digits and len(digits) > 9)
        ):
            self._refuse(f"there is no priority {value}")
            return 0
        return PRIORITIES.get(name, 0) + int(f"{sign}{digits or 0}")

    def _narrow(self, chain: Chain) -> None:
        """Egress comes after what the evaluator knows: what a chain does there is open."""
        base = chain.base
        if base is None or (not chain.rules and base.policy == Accept()):
            return
        named = (Named(Field.OIF, base.devices),) if base.devices else ()
        unclear = Unclear(f"if the chain {chain.name} lets it through at egress")
        chain.rules = [Rule((*named, unclear), f"chain {chain.name}", chain.place)]
        chain.base = Base(base.hook, base.priority)

    def _set(self, body: Any) -> None:
        scope = self._scope(body)
        if scope is not None:
            known = scope.sets.setdefault(body["name"], _Set(str(body["name"])))
            known.elements += _list(body.get("elem", []))
            known.expires = known.expires or "timeout" in body
            steady = SET_FLAGS.issuperset(_list(body.get("flags", [])))
            known.fades = known.fades or known.expires or not steady

    def _element(self, body: Any) -> None:
        scope = self._scope(body)
        if scope is not None and body["name"] in scope.sets:
            scope.sets[body["name"]].elements += _list(body["elem"])
        elif scope is not None:
            self._refuse(f"there is no set {body['name']}")

    def _changes(self, body: Any) -> None:
        """Which sets a rule changes."""
        scope = self._scope(body)
        for operation, name in _changed(body["expr"]):
            if scope is not None and (known := scope.sets.get(name)) is not None:
                known.fades = True
                known.shrinks = known.shrinks or operation == "delete"

    def _rule(self, body: Any) -> None:
        scope = self._scope(body)
        if scope is None:
            return
        chain = scope.table.chains.get(body["chain"])
        if chain is None:
            self._refuse(f"there is no chain {body['chain']}")
            return
        steps = _steps(scope, body["expr"])
        if _conflicting(steps):
            self._refuse("a rule for two protocols at once")
        if steps and chain.name in scope.doubts:
            steps = (scope.doubts[chain.name], *steps)
        text = body.get("text")
        if text is None:
            text = " ".join(map(_describe_statement, body["expr"]))
            text += f' comment "{body["comment"]}"' if "comment" in body else ""
        chain.rules.append(Rule(steps, str(text), self._place))


def _conflicting(steps: Iterable[Step]) -> bool:
    """Whether a rule names two upper-layer protocols, of which a packet has one."""
    named = {
        step.ranges
        for step in steps
        if isinstance(step, Among) and step.field is Field.PROTOCOL and not step.negated
    }
    return len([ranges for ranges in named if len(ranges) == 1 and len(set(ranges[0])) == 1]) > 1


def _changed(statements: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for statement in statements:
        kind, body = ("", statement) if isinstance(statement, str) else _only(statement)
        if isinstance(body, str):
            yield from _CHANGES.findall(body)
        elif kind in {"set", "map"}:
            yield body["op"], body.get("map", body.get("set")).removeprefix("@")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


_NOT_PRINTED = (
    *(ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
    _UnknownError,
)


@dataclass(slots=True)
class _Now:
    """The object that is being read."""

    number: int = 0
    thing: Any = None


@contextmanager
def _as_printed(file: str, now: _Now) -> Iterator[None]:
    """Make an error about the object of whatever a value of the wrong type leads to."""
    try:
        yield
    except _NOT_PRINTED:
        body = next(iter(now.thing.values()), None) if isinstance(now.thing, dict) else None
        line = body.get("line") if isinstance(body, dict) else None
        where = line if isinstance(line, int) else f"object {now.number}"
        shown = ascii(now.thing)[:MAX_ERROR]
        raise RuleError(f"{file}:{where}: not as nft prints it: {shown}") from None


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
        raise RuleError(f"{file}:1: a number too long, or nested too deep") from None
    objects = whole.get("nftables") if isinstance(whole, dict) else None
    if not isinstance(objects, list):
        raise RuleError(f'{file}:1: not what nft -j prints, which is an object with "nftables"')
    return build(objects, file)


def build(objects: list[dict[str, Any]], file: str) -> RuleSet:
    """The rules in the objects of libnftables-json(5), of a listing or made from nft's text.

    The latter may have ``line`` and ``text``, and objects of kinds that nft does not know: refused,
    gap, unparsed_object, and in a rule the statement unparsed. Raises RuleError.
    """
    reader = _Reader(file)
    reader.read(objects)
    return reader.rules
