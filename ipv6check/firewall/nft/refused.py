"""What nft refuses although its grammar takes it: of the objects that `nft_text` makes.

It adds to a rule what the rule does not say (``tcp dport 22`` is for TCP alone) and refuses where
that contradicts; it wants what is named to be declared, and intervals apart. Where nft itself has
been asked none of this is needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipv6check.firewall.names import PROTOCOLS
from ipv6check.firewall.nft.from_json import SELECTORS, Selector
from ipv6check.firewall.nft.words import FIELDS, Json, only, read, written

NETWORKS = ("ip", "ip6")
ICMP = {"icmp": "ip", "icmpv6": "ip6"}
TRANSPORTS = frozenset({"tcp", "udp", "udplite", "sctp", "dccp", "ah", "esp", "comp", *ICMP})
_NUMBERS = {number: name for name, number in PROTOCOLS.items() if name in TRANSPORTS}
_READ_PROTOCOL = (
    {"meta": {"key": "l4proto"}},
    {"payload": {"protocol": "ip", "field": "protocol"}},
    {"payload": {"protocol": "ip6", "field": "nexthdr"}},
)
_ETHER = {"meta": {"key": "protocol"}}
_NFPROTO = {"meta": {"key": "nfproto"}}
# Behind these a rule has nothing more to say.
TERMINAL = frozenset(
    {"accept", "drop", "return", "jump", "goto", "reject"}
    | {"dnat", "snat", "masquerade", "redirect", "queue"}
)
_ADDRESS = {"ip": re.compile(r"[0-9.]+"), "ip6": re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:.]*")}
# Of what is not modelled.
_BITS = {
    **dict.fromkeys(("ip dscp", "ip6 dscp"), 6),
    **dict.fromkeys(("ip ecn", "ip6 ecn"), 2),
    **dict.fromkeys(("ip length", "ip id", "ct zone", "ip checksum", "udp length"), 16),
    **dict.fromkeys(("vlan dei", "vlan cfi", "transparent", "wildcard", "meta nftrace"), 1),
    "ip hdrlength": 4,
    "ip6 flowlabel": 20,
    "vlan id": 12,
    "vlan pcp": 3,
}
# What is in a set of this type.
_TYPES = {
    "ipv4_addr": "ip saddr",
    "ipv6_addr": "ip6 saddr",
    "inet_service": "tcp dport",
    "inet_proto": "meta l4proto",
    "mark": "meta mark",
    "icmp_type": "icmp type",
    "icmpv6_type": "icmpv6 type",
}
_FAMILIES = {"ip saddr": "ip", "ip daddr": "ip", "ip6 saddr": "ip6", "ip6 daddr": "ip6"}
# Names that no version has added to.
_CLOSED = frozenset(f"{kind} {key}" for kind in ("icmp", "icmpv6") for key in ("type", "code"))
_ORDERED = frozenset({"<", "<=", ">", ">="})
_KINDS = {read: kind for kind, read in _TYPES.items()}
_KINDS |= {"ip daddr": "ipv4_addr", "ip6 daddr": "ipv6_addr"}
NAT = frozenset({"dnat", "snat", "masquerade", "redirect", "tproxy"})
DECLARED = frozenset({"counter", "quota", "limit", "flowtable"})
DECLARED |= {"ct helper", "ct timeout", "ct expectation"}


Interval = tuple[int, int]


class _RefusedError(Exception):
    """Why nft takes no such rule."""


def refusals(objects: Sequence[Json]) -> Iterator[Json]:
    """One for each rule or set that nft would refuse, as `nft.build` takes them."""
    declared = {
        (kind, *_owner(body), str(body.get("name"))): body
        for item in objects
        for kind, body in item.items()
    }
    for thing in objects:
        kind, body = only(thing)
        try:
            if kind == "rule" and body["family"] in {"ip", "ip6", "inet", "netdev"}:
                _Context(body["family"]).follow(body["expr"])
                _look_up(body, declared)
            elif kind in {"set", "map"}:
                _set(body)
        except _RefusedError as error:
            yield {"refused": _placed(body, str(error))}
        except (AttributeError, LookupError, TypeError, ValueError):
            continue  # of another form than is known here: `nft.build` tells


def _placed(body: Json, reason: str) -> Json:
    return {"reason": reason, **{key: body[key] for key in ("line", "file") if key in body}}


def _owner(body: Json) -> tuple[Any, Any]:
    return body.get("family"), body.get("table")


def _look_up(rule: Json, declared: Mapping[tuple[Any, ...], Json]) -> None:
    chain = declared.get(("chain", *_owner(rule), rule["chain"]), {})
    for statement in rule["expr"]:
        kind, body = only(statement)
        if kind in NAT and "type" in chain:
            _in_its_chain(kind, chain)
        for kinds, name in _used(kind, body):
            if not any((kind, *_owner(rule), name) in declared for kind in kinds):
                raise _RefusedError(f"there is no {kinds[0]} {name[:60]!a}")
        if kind == "flow":
            kind, body = "flowtable", body["flowtable"].removeprefix("@")
        named = isinstance(body, str) and kind in DECLARED
        if named and (kind, *_owner(rule), body) not in declared:
            raise _RefusedError(f"there is no {kind} {body[:60]!a}")
        right = body["right"] if kind == "match" else ""
        if isinstance(right, str) and right.startswith("@"):
            held = declared.get(("set", *_owner(rule), right[1:]), {}).get("type")
            wanted = _KINDS.get(read(body["left"]))
            if wanted and isinstance(held, str) and held in _TYPES and held != wanted:
                raise _RefusedError(f"{right[:60]} is a set of another type")


def _in_its_chain(kind: str, chain: Json) -> None:
    if kind == "tproxy":
        if (chain["type"], chain["hook"]) != ("filter", "prerouting"):
            raise _RefusedError("tproxy is only for chains of type filter at the hook prerouting")
    elif chain["type"] != "nat":
        raise _RefusedError(f"{kind} is only for chains of type nat")


def _used(kind: str, body: Any) -> Iterator[tuple[Sequence[str], str]]:
    """The sets and maps that a statement adds to or looks up in, and what each may be."""
    if kind in {"set", "map"} and isinstance(body, dict) and "op" in body:
        yield ("set", "map"), body[kind].removeprefix("@")
    while kind == "mangle":
        kind, body = only(body["value"]) if isinstance(body["value"], dict) else ("", {})
    if kind in {"map", "vmap"} and str(body.get("data")).startswith("@"):
        yield ("map",), body["data"].removeprefix("@")


@dataclass(slots=True)
class _Context:
    """Of which protocols the packet is, as far as a rule has said: ``ip``, and ``tcp``."""

    family: str
    network: str = ""
    transport: str = ""

    def follow(self, statements: Sequence[Any]) -> None:
        """One statement after the other. Raises _RefusedError."""
        if self.family in NETWORKS:
            self.network = self.family
        ended = ""
        for statement in statements:
            if not isinstance(statement, dict) or "unparsed" in statement:
                return
            kind, body = only(statement)
            if ended:
                raise _RefusedError(f"nothing may follow {ended}")
            ended = kind if kind in TERMINAL else ""
            for header in _read(body):
                self.meet(header)
            if kind == "dup" and self.family == "inet":
                raise _RefusedError("dup in a table of the family inet")
            if kind in NAT:
                self.nat(kind, body or {})
            elif kind in (about := {"match": self.match, "reject": self.reject, **_ALONE}):
                about[kind](body or {})

    def meet(self, header: Json) -> None:
        """A header is read, which the packet has to have."""
        kind, body = only(header)
        if kind in {"ct", "fib"}:
            (self.track if kind == "ct" else _fib)(body)
            return
        protocol = body.get("protocol") if kind == "payload" else "ip6"
        if protocol in NETWORKS:
            self.be(network=protocol)
        elif protocol in TRANSPORTS:
            self.be(transport=protocol)
            if not self.network and protocol in ICMP:
                self.network = ICMP[protocol]

    def track(self, body: Json) -> None:
        """A property of the connection, of one direction perhaps."""
        family, _, key = body["key"].rpartition(" ")
        if key not in FIELDS["ct"] | _DIRECTED | {"event"} or ("dir" in body) < (key in _DIRECTED):
            raise _RefusedError(f"ct has no {body['key'][:60]!a}")
        if "dir" in body and key not in _DIRECTED | _OF_EITHER:
            raise _RefusedError(f"ct {key} takes no direction")
        if family and self.network and family != self.network:
            raise _RefusedError(f"conflicting protocols in one rule, {self.network} and {family}")

    def be(self, network: str = "", transport: str = "") -> None:
        """It is of this protocol from here on."""
        for before, now in ((self.network, network), (self.transport, transport)):
            if before and now and before != now:
                raise _RefusedError(f"conflicting protocols in one rule, {before} and {now}")
        self.network, self.transport = network or self.network, transport or self.transport

    def match(self, body: Json) -> None:
        """A comparison that says which protocol it is."""
        _comparable(body["op"], body["left"], body["right"])
        _in_range(body["left"], body["right"])
        if body["op"] not in {"==", "in"}:
            return
        right = body["right"]
        several = right["set"] if isinstance(right, dict) and "set" in right else [right]
        if body["left"] in _READ_PROTOCOL:
            names = {_protocol(value) for value in several if _plain(value)}
            if names:
                self.transport = names.pop() if len(names) == 1 else "one of several"
        elif body["left"] == _NFPROTO and right in {"ipv4", "ipv6"}:
            if self.family in NETWORKS:
                raise _RefusedError(f"meta nfproto in a table of the family {self.family}")
            self.network = {"ipv4": "ip", "ipv6": "ip6"}[right]
        elif body["left"] == _ETHER and self.family == "netdev" and right in NETWORKS:
            self.network = right

    def reject(self, body: Json) -> None:
        kind = body.get("type")
        if kind in ICMP:
            self.be(network=ICMP[kind])
            _in_range(only_named(f"{kind} code"), body["expr"])
        if kind == "tcp reset" and self.transport not in {"", "tcp"}:
            raise _RefusedError(f"a TCP reset for {self.transport}")

    def nat(self, kind: str, body: Json) -> None:
        address = body.get("addr")
        if address is not None and not (self.network or body.get("family")):
            raise _RefusedError(f"{kind} to an address needs ip or ip6 before it")
        if body.get("family"):
            network = self.network if self.family in NETWORKS or kind == "tproxy" else ""
            if network and network != body["family"]:
                raise _RefusedError(f"{kind} {body['family']} for {network}")
        family = body.get("family") or self.network
        if isinstance(address, str) and _is_of_other(address, family):
            raise _RefusedError(f"{kind} {family} to {address[:60]!a}")
        if (body.get("port") is not None or kind == "tproxy") and not self.transport:
            raise _RefusedError(f"{kind} to a port needs a protocol before it")


def _protocol(value: str | int) -> str:
    number = PROTOCOLS.get(value) if isinstance(value, str) else value
    return "another" if number is None else _NUMBERS.get(number, "another")


def _is_of_other(address: str, family: str) -> bool:
    return (
        bool(_ADDRESS[{"ip": "ip6", "ip6": "ip"}[family]].fullmatch(address)) if family else False
    )


def _plain(value: Any) -> bool:
    return isinstance(value, str | int) and not str(value).startswith("@")


def _comparable(operator: str, left: Any, right: Any) -> None:
    """Each comparison wants values of its form. Raises."""
    kind, body = only(right) if isinstance(right, dict) else ("", None)
    if operator in _ORDERED and kind in {"range", "prefix"}:
        raise _RefusedError(f"{operator} compares with one value: {written(right)[:60]!a}")
    if right == "*":
        raise _RefusedError("a name that is only a *")
    if kind == "set" and not body:
        raise _RefusedError("an empty set")
    if isinstance(left, dict) and "concat" in left:
        if kind not in {"", "set"}:
            raise _RefusedError("a concatenation is compared with a set")
        for element in body or ():
            _joined(len(left["concat"]), element)


def _joined(number: int, element: Any) -> None:
    parts = element.get("concat", [element]) if isinstance(element, dict) else [element]
    bare = isinstance(element, str | int) or (isinstance(element, dict) and "concat" in element)
    if bare and element != "*" and len(parts) != number:
        raise _RefusedError(f"{number} values are expected: {written(element)[:60]!a}")


def _in_range(left: Any, value: Any) -> None:
    """A number that has the bits of what is read, whose name nft.build knows. Raises."""
    name = read(left) or " ".join(map(str, left.get("socket", {"": ""}).values())).strip()
    bits = _BITS.get(name) or (SELECTORS[name].bits if name in SELECTORS else 0)
    if name.startswith("@"):
        bits = int(left["payload"]["len"])
        if not bits:
            raise _RefusedError("a payload of 0 bits")
    for element in value["set"] if isinstance(value, dict) and "set" in value else [value]:
        ends = element["range"] if isinstance(element, dict) and "range" in element else [element]
        if element == "":
            raise _RefusedError("an empty string")
        if name in _CLOSED and isinstance(element, str) and element not in SELECTORS[name].names:
            raise _RefusedError(f"no {name} is called {element[:60]!a}")
        family = _FAMILIES.get(name, "")
        if any(isinstance(end, str) and _is_of_other(end, family) for end in ends):
            raise _RefusedError(f"{written(element)[:60]!a} is of the other family")
        prefixed = (
            element["prefix"]["len"] if isinstance(element, dict) and "prefix" in element else 0
        )
        if (bits and any(type(end) is int and end >> bits for end in ends)) or prefixed > (
            bits or 128
        ):
            raise _RefusedError(f"out of range: {written(element)[:60]!a}")
        if all(type(end) is int for end in ends) and ends[0] > ends[-1]:
            raise _RefusedError(f"a range that ends before it begins: {written(element)[:60]!a}")


_HEADERS = frozenset({"payload", "exthdr", "ct", "fib"})
_DIRECTED = frozenset({"saddr", "daddr", "proto-src", "proto-dst"})
_OF_EITHER = frozenset({"l3proto", "protocol", "bytes", "packets", "avgpkt", "zone"})


def _fib(body: Json) -> None:
    ends, sides = {"saddr", "daddr"} & {*body["flags"]}, {"iif", "oif"} & {*body["flags"]}
    if len(ends) != 1 or len(sides) > 1:
        raise _RefusedError("fib wants one of saddr and daddr, and at most one of iif and oif")


def _read(body: Any) -> Iterator[Json]:
    """The headers that a statement reads, in its order."""
    if isinstance(body, list):
        for part in body:
            yield from _read(part)
    elif isinstance(body, dict):
        for kind, inner in body.items():
            if kind in _HEADERS and isinstance(inner, dict) and "base" not in inner:
                yield {kind: inner}
            else:
                yield from _read(inner)


def _log(body: Json) -> None:
    grouped = not body.keys().isdisjoint({"group", "snaplen", "queue-threshold"})
    level = str(body.get("level", ""))
    if grouped and not body.keys().isdisjoint({"level", "flags"}):
        raise _RefusedError("a log to a group has neither level nor flags")
    if level and level not in _LEVELS:
        raise _RefusedError(f"no log level {level[:60]!a}")
    if level == "audit" and len(body) > 1:
        raise _RefusedError("log level audit takes nothing else")


def _limit(body: Json) -> None:
    unit, burst = body.get("rate_unit", "packets"), body.get("burst_unit", "")
    if unit not in _UNITS or (burst and (burst == "packets") != (unit == "packets")):
        raise _RefusedError(f"a limit in {unit} with a burst in {burst or unit}"[:80])
    factor = 1 << 10 * ("bytes", "kbytes", "mbytes").index(unit) if unit != "packets" else 1
    if body.get("per") not in _PERIODS:
        raise _RefusedError(f"a limit per {body.get('per')!a}"[:80])
    if body.get("rate") == 0 or body["rate"] * factor >> 39:
        raise _RefusedError("a limit of 0, or one that is too large")


_LEVELS = frozenset(["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit"])
_PERIODS = frozenset(["second", "minute", "hour", "day", "week"])
_UNITS = ("packets", "bytes", "kbytes", "mbytes")
# Statements that say nothing of protocols.
_ALONE: dict[str, Callable[[Json], None]] = {
    "mangle": lambda body: _in_range(body["key"], body["value"]),
    "vmap": lambda body: _intervals(read(body["key"]), body["data"]),
    "log": _log,
    "limit": _limit,
}

# --- sets


def _set(body: Json) -> None:
    """A named set or map. Raises _RefusedError."""
    kind = body.get("type")
    if isinstance(kind, list):
        return
    name = kind.get("typeof", "") if isinstance(kind, dict) else _TYPES.get(str(kind), "")
    flags = body.get("flags", [])
    if body.get("auto-merge") or "elem" not in body:
        return
    _intervals(name, {"set": body["elem"]}, named=True, wide="interval" in flags)


def _intervals(name: str, data: Any, *, named: bool = False, wide: bool = True) -> None:
    """The elements of a set under what it is compared with: apart, and of one value each."""
    selector = SELECTORS.get(name)
    if selector is None or not selector.bits or not isinstance(data, dict):
        return
    found: list[tuple[Interval, Any]] = []
    for element in data["set"]:
        key, value = element if isinstance(element, list) else (element, None)
        key = key["elem"]["val"] if isinstance(key, dict) and "elem" in key else key
        if key == "*":
            continue
        if not wide and isinstance(key, dict) and not key.keys().isdisjoint({"range", "prefix"}):
            raise _RefusedError(f"a set without the flag interval has {written(key)[:60]!a}")
        found.append((_interval(name, selector, key), value))
    mapped = any(value is not None for _, value in found)
    if (twice := _contradicting(found)) is not None and mapped:
        raise _RefusedError(f"two values for one key: {twice}")
    if wide and (named or mapped) and _overlap(found):
        raise _RefusedError("intervals overlap, and there is no auto-merge")


def _interval(name: str, selector: Selector, key: Any) -> Interval:
    plain = key["prefix"]["addr"] if isinstance(key, dict) and "prefix" in key else key
    family = _FAMILIES.get(name)
    if isinstance(plain, str) and family and _is_of_other(plain, family):
        raise _RefusedError(f"{plain[:60]!a} among addresses of the other family")
    _in_range(only_named(name), key)
    return selector.range(key)


def only_named(name: str) -> Json:
    """The expression that reads a header's field or a property."""
    kind, _, key = name.partition(" ")
    return (
        {kind: {"key": key}} if kind in {"meta", "ct"} else {"payload": {kind: kind, "field": key}}
    )


def _overlap(elements: Iterable[tuple[Interval, Any]]) -> bool:
    """Whether one interval reaches into another; the same one twice does not."""
    last: Interval | None = None
    for interval in sorted(interval for interval, _ in elements):
        if last is not None and interval != last and interval[0] <= last[1]:
            return True
        last = interval
    return False


def _contradicting(elements: Iterable[tuple[Interval, Any]]) -> Interval | None:
    """The first key that has two values."""
    seen: dict[Interval, str] = {}
    for key, data in elements:
        said = json.dumps(data, sort_keys=True)
        if seen.setdefault(key, said) != said:
            return key
    return None
