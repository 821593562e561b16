"""The packets that are asked about: what of each is known, and what may be anything.

A packet is a set of values for each field. One that is not given is left open, as far as such a
packet can have it: any source address, any interface but loopback. What a message of neighbour
discovery looks like is not open: RFC 4861 sets its hop limit, its addresses and conntrack's view.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import MappingProxyType
from typing import Any

from ipv6check.firewall.model import (
    ACK,
    BITS,
    FIN,
    IPV4,
    IPV6,
    PSH,
    RST,
    SYN,
    URG,
    AddressType,
    ConntrackState,
    Field,
    Hook,
    Range,
    Ranges,
    RuleError,
    merged,
    prefix,
    without,
)
from ipv6check.firewall.names import ICMP, ICMPV6, PROTOCOLS, TCP, UDP
from ipv6check.model.text import closest

MULTICAST6 = prefix(0xFF << 120, 8, 128)
MULTICAST4 = prefix(0xE0 << 24, 4, 32)
LINK_LOCAL = prefix(0xFE80 << 112, 10, 128)
MAPPED = prefix(0xFFFF << 32, 96, 128)
ALL_NODES, MLDV2_ROUTERS = 0xFF02 << 112 | 1, 0xFF02 << 112 | 0x16
SOLICITED_NODE = prefix(0xFF02 << 112 | 0x1FF << 24, 104, 128)

LOOPBACK: Mapping[int, Range] = MappingProxyType({IPV4: prefix(127 << 24, 8, 32), IPV6: (1, 1)})
# Any unicast address that a packet from outside can come from or go to: no loopback, no ::.
UNICAST: Mapping[int, Ranges] = MappingProxyType(
    {
        IPV4: ((1 << 24, (127 << 24) - 1), (128 << 24, MULTICAST4[0] - 1)),
        IPV6: ((2, MAPPED[0] - 1), (MAPPED[1] + 1, MULTICAST6[0] - 1)),
    }
)

# Where a packet from the Internet goes: RFC 4291 section 2.5.4, and IPv4 without what is private,
# shared or link-local (RFC 1918, 6598, 3927).
GLOBAL: Mapping[int, Ranges] = MappingProxyType(
    {
        IPV4: without(
            UNICAST[IPV4],
            (
                prefix(10 << 24, 8, 32),
                prefix(100 << 24 | 64 << 16, 10, 32),
                prefix(169 << 24 | 254 << 16, 16, 32),
                prefix(172 << 24 | 16 << 16, 12, 32),
                prefix(192 << 24 | 168 << 16, 16, 32),
            ),
        ),
        IPV6: (prefix(0x2000 << 112, 3, 128),),
    }
)

ICMPV6_NAMES: Mapping[str, int] = MappingProxyType(
    {
        "destination-unreachable": 1,
        "packet-too-big": 2,
        "time-exceeded": 3,
        "parameter-problem": 4,
        "echo-request": 128,
        "echo-reply": 129,
        "mld-query": 130,
        "mld-report": 131,
        "mld-done": 132,
        "router-solicitation": 133,
        "router-advertisement": 134,
        "neighbour-solicitation": 135,
        "neighbour-advertisement": 136,
        "redirect": 137,
        "router-renumbering": 138,
        "node-information-query": 139,
        "node-information-response": 140,
        "inverse-neighbour-solicitation": 141,
        "inverse-neighbour-advertisement": 142,
        "mldv2-report": 143,
        "certification-path-solicitation": 148,
        "certification-path-advertisement": 149,
        "multicast-router-advertisement": 151,
        "multicast-router-solicitation": 152,
        "multicast-router-termination": 153,
    }
)
ICMP_NAMES: Mapping[str, int] = MappingProxyType(
    {
        "echo-reply": 0,
        "destination-unreachable": 3,
        "redirect": 5,
        "echo-request": 8,
        "time-exceeded": 11,
        "parameter-problem": 12,
        "timestamp-request": 13,
        "timestamp-reply": 14,
    }
)
_SPELLINGS = {"neighbor": "neighbour", "solicit": "solicitation", "advert": "advertisement"}

# How conntrack sees a message that belongs to no flow it knows: RFC 4861, 2710 and 3810 messages
# are never tracked; of the others only requests begin a flow (nf_conntrack_proto_icmpv6.c).
_UNTRACKED6 = frozenset({130, 131, 132, 133, 134, 135, 136, 143, 151, 152})
_REQUESTS6 = frozenset({128, 139})
_REQUESTS4 = frozenset({8, 13, 15, 17})
_ERRORS = MappingProxyType({ICMP: frozenset({3, 4, 5, 11, 12}), ICMPV6: frozenset({1, 2, 3, 4})})
_HOP_LIMIT_255 = frozenset({133, 134, 135, 136, 137, 141, 142, 148, 149})
_HOP_LIMIT_1 = frozenset({130, 131, 132, 143, 151, 152, 153})
# With a router alert in a hop-by-hop header (RFC 2710 section 3, RFC 3810 section 5).
_ROUTER_ALERT = frozenset({130, 131, 132, 143})
_LOCAL_SENDERS = _HOP_LIMIT_255 | _HOP_LIMIT_1
_VALID_FLAGS = frozenset(
    {SYN, SYN | URG, SYN | ACK, RST, RST | ACK, FIN | ACK, FIN | ACK | URG, ACK, ACK | URG}
)
_FLAG_NAMES = MappingProxyType(
    {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ece": 64, "cwr": 128}
)
_EXTENSIONS = MappingProxyType(
    {
        "hbh": (0, Field.HOP_BY_HOP),
        "rh0": (43, Field.ROUTING),
        "frag": (44, Field.FRAGMENT),
        "dst": (60, Field.DESTINATION_OPTIONS),
    }
)
_KEYS = (
    *("family", "proto", "dport", "type", "code", "saddr", "daddr", "iif", "oif", "hook", "ct"),
    *("id", "sport", "hoplimit", "flags", "ext"),
)
_HOOKS = MappingProxyType({str(hook): hook for hook in (Hook.INPUT, Hook.FORWARD, Hook.OUTPUT)})
_STATES = MappingProxyType(
    {
        "new": None,
        "related": ConntrackState.RELATED,
        "established": ConntrackState.ESTABLISHED,
        "untracked": ConntrackState.UNTRACKED,
        "invalid": ConntrackState.INVALID,
    }
)
_RANGE = re.compile("([0-9]{1,5})(?:-([0-9]{1,5}))?")
MAX_TEXT = 60


@dataclass(frozen=True, slots=True)
class Packet:
    """What is known of a packet, before any rule has seen it.

    ``values``: for each field that it has the numbers it may be. ``interfaces``: the names of IIF
    and OIF; the one that is missing may be any but loopback. ``state`` is what conntrack will say,
    where it sees the packet. ``given`` is what the asker wrote.
    """

    label: str
    family: int
    hook: Hook
    values: Mapping[Field, Ranges]
    interfaces: Mapping[Field, str]
    state: ConntrackState
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def protocol(self) -> int:
        """The upper layer's protocol number."""
        return self.values[Field.PROTOCOL][0][0]

    @property
    def icmp_error(self) -> bool:
        """Whether it is an ICMP error message, which nobody may answer (RFC 4443 section 2.4)."""
        kinds = _ERRORS.get(self.protocol)
        if kinds is None:
            return False
        ((low, _),) = self.values[Field.TYPE]
        return low < 128 if self.protocol == ICMPV6 else low in kinds


def packet(given: Mapping[str, Any]) -> Packet:
    """The packet that a dictionary of the probe form describes.

    Keys: ``proto`` (tcp, udp, icmp, icmpv6, another name or a number), ``family`` (4 or 6; by
    default what proto and addresses say, else 6), ``dport``, ``sport``, ``type``, ``code`` (0 by
    default), ``saddr``, ``daddr`` (an address, a prefix, or "unicast" for any), ``iif``, ``oif``,
    ``hook`` (input, by default, forward or output), ``ct`` (new, by default: whatever the message
    is to conntrack without a known flow; related, established), ``hoplimit``, ``flags``
    ("syn,ack"), ``ext`` (hbh, dst, frag, rh0), ``id``. Ports may be ranges: "1024-65535".

    Without addresses it comes from anywhere, and goes to a global address of this host; what
    neighbour discovery and MLD send has the addresses that they use.

    Raises RuleError with one line that ends in the offending value.
    """
    for key in sorted(set(map(str, given)) - set(_KEYS)):
        # Others are the asker's own; but one that is nearly ours was meant to say something.
        if meant := closest(key, _KEYS):
            raise _error(f"a packet has no such key, did you mean {meant}", key)
    family = _family(given)
    protocol = _protocol(given.get("proto"), family)
    hook = _choice(given, "hook", _HOOKS, "input")
    values: dict[Field, Ranges] = {
        Field.FAMILY: ((family, family),),
        Field.PROTOCOL: ((protocol, protocol),),
        Field.NEXT_HEADER: ((protocol, protocol),),
        Field.HOP_LIMIT: _numbers(given, "hoplimit", ((1, 255),), 255),
        Field.MARK: ((0, 0),),
    }
    _upper_layer(values, protocol, given)
    _headers(values, protocol, family, given)
    _addresses(values, protocol, family, hook, given)
    interfaces = {name: given[str(name)] for name in (Field.IIF, Field.OIF) if given.get(str(name))}
    for name in interfaces.values():
        if not isinstance(name, str) or len(name) > 15:
            raise _error("is not the name of an interface", name)
    if hook is Hook.INPUT:
        interfaces[Field.OIF] = ""
    elif hook is Hook.OUTPUT:
        interfaces[Field.IIF] = ""
    state = _choice(given, "ct", _STATES, "new") or _untold_state(values, protocol)
    label = given.get("id") or _label(protocol, values)
    return Packet(str(label), family, hook, values, interfaces, state, dict(given))


def described(text: str, family: int = IPV6) -> dict[str, Any]:
    """The dictionary of what ``--packet`` takes: tcp/443, udp/53, icmpv6/packet-too-big, icmp/8/0.

    Raises RuleError.
    """
    proto, slash, rest = text.strip().lower().partition("/")
    if proto in {"icmpv6", "icmp"}:
        names = ICMPV6_NAMES if proto == "icmpv6" else ICMP_NAMES
        kind, _, code = rest.partition("/")
        for short, long in _SPELLINGS.items():
            kind = re.sub(rf"{short}\b", long, kind)
        number = names.get(kind, kind)
        if not slash or not re.fullmatch("[0-9]{1,3}", str(number)):
            raise _error(f"is not a packet, as {proto}/echo-request or {proto}/128 is", text)
        given = {"proto": proto, "type": int(number), "family": 6 if proto == "icmpv6" else 4}
        return given | ({"code": int(code)} if re.fullmatch("[0-9]{1,3}", code) else {})
    if not slash or not _RANGE.fullmatch(rest) or proto not in PROTOCOLS:
        raise _error("is not a packet, as tcp/443 or icmpv6/packet-too-big is", text)
    return {"proto": proto, "dport": rest, "family": family}


def _error(what: str, value: object) -> RuleError:
    shown = ascii(value)
    return RuleError(f"{what}: {shown[:MAX_TEXT]}{'…' if len(shown) > MAX_TEXT else ''}")


def _choice(given: Mapping[str, Any], key: str, choices: Mapping[str, Any], default: str) -> Any:
    value = given.get(key, default)
    if not isinstance(value, str) or value.lower() not in choices:
        raise _error(f"{key} is none of {', '.join(choices)}", value)
    return choices[value.lower()]


def _family(given: Mapping[str, Any]) -> int:
    family = given.get("family")
    if family is None:
        written = [given.get("saddr"), given.get("daddr")]
        v4 = given.get("proto") in {"icmp", 1} or any("." in str(each) for each in written if each)
        return IPV4 if v4 else IPV6
    if family not in (IPV4, IPV6) or isinstance(family, bool):
        raise _error("family is neither 4 nor 6", family)
    return int(family)


def _protocol(value: object, family: int) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, str):
        value = PROTOCOLS.get(value.lower(), value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 255:
        raise _error("proto is no protocol", value)
    if (value == ICMPV6 and family == IPV4) or (value == ICMP and family == IPV6):
        raise _error(f"proto does not fit family {family}", value)
    return value


def _numbers(given: Mapping[str, Any], key: str, default: Ranges, highest: int) -> Ranges:
    value = given.get(key)
    if value is None:
        return default
    found = _RANGE.fullmatch(str(value)) if not isinstance(value, bool | float) else None
    if found is None:
        raise _error(f"{key} is no number", value)
    low, high = int(found[1]), int(found[2] or found[1])
    if not low <= high <= highest:
        raise _error(f"{key} is not within 0 and {highest}", value)
    return ((low, high),)


def _upper_layer(values: dict[Field, Ranges], protocol: int, given: Mapping[str, Any]) -> None:
    if protocol in {ICMP, ICMPV6}:
        if given.get("type") is None:
            raise _error("an ICMP packet needs its type", given.get("id", ""))
        values[Field.TYPE] = _numbers(given, "type", (), 255)
        values[Field.CODE] = _numbers(given, "code", ((0, 0),), 255)
    elif protocol in {TCP, UDP, 33, 132, 136}:
        values[Field.SPORT] = _numbers(given, "sport", ((1024, 65535),), 65535)
        values[Field.DPORT] = _numbers(given, "dport", ((0, 65535),), 65535)
    if protocol == TCP:
        values[Field.FLAGS] = _flags(given)


def _flags(given: Mapping[str, Any]) -> Ranges:
    established = given.get("ct") == "established"
    text = given.get("flags")
    if text is None:
        flags = PSH | ACK if established else SYN
    else:
        names = [name for name in str(text).lower().replace(" ", "").split(",") if name]
        if not set(names) <= {*_FLAG_NAMES, "none", "null"}:
            raise _error("flags are not names such as syn,ack", text)
        flags = sum(_FLAG_NAMES.get(name, 0) for name in set(names))
    return ((flags, flags),)


def _headers(
    values: dict[Field, Ranges], protocol: int, family: int, given: Mapping[str, Any]
) -> None:
    if family == IPV4:
        return
    extension = given.get("ext")
    if extension is None and protocol == ICMPV6:
        ((kind, _),) = values[Field.TYPE]
        extension = "hbh" if kind in _ROUTER_ALERT else None
    for name, (number, presence) in _EXTENSIONS.items():
        values[presence] = ((int(extension == name),) * 2,)
        if extension == name:
            values[Field.NEXT_HEADER] = ((number, number),)
    if extension == "frag":
        # Gone before any rule sees it, if anything on the host defragments, as conntrack does.
        values[Field.FRAGMENT] = ((0, 1),)
        values[Field.NEXT_HEADER] = merged([(44, 44), (protocol, protocol)])
    elif extension == "rh0":
        values[Field.ROUTING_TYPE] = ((0, 0),)
    elif extension is not None and extension not in _EXTENSIONS:
        raise _error(f"ext is none of {', '.join(_EXTENSIONS)}", extension)


def _addresses(
    values: dict[Field, Ranges],
    protocol: int,
    family: int,
    hook: Hook,
    given: Mapping[str, Any],
) -> None:
    source, destination = UNICAST[family], GLOBAL[family]
    if protocol == ICMPV6:
        ((kind, _),) = values[Field.TYPE]
        if kind in _LOCAL_SENDERS:
            source = (LINK_LOCAL,)
            if given.get("hoplimit") is None:
                limit = 255 if kind in _HOP_LIMIT_255 else 1
                values[Field.HOP_LIMIT] = ((limit, limit),)
        if kind in {130, 131, 132, 134, 151}:
            destination = ((ALL_NODES, ALL_NODES),)
        elif kind == 143:
            destination = ((MLDV2_ROUTERS, MLDV2_ROUTERS),)
        elif kind == 135 and _address(given, "saddr", family, ()) == ((0, 0),):
            destination = (SOLICITED_NODE,)
    values[Field.SADDR] = _address(given, "saddr", family, source)
    values[Field.DADDR] = _address(given, "daddr", family, destination)
    multicast = MULTICAST6 if family == IPV6 else MULTICAST4
    to_group = all(
        multicast[0] <= low and high <= multicast[1] for low, high in values[Field.DADDR]
    )
    local = AddressType.LOCAL if hook is Hook.INPUT else AddressType.UNICAST
    kind_of = AddressType.MULTICAST if to_group else local
    values[Field.DADDR_TYPE] = ((kind_of, kind_of),)
    values[Field.PACKET_TYPE] = ((2, 2),) if to_group else ((0, 0),)
    if family == IPV4 and values[Field.DADDR] == ((0xFFFFFFFF, 0xFFFFFFFF),):
        values[Field.DADDR_TYPE] = ((AddressType.BROADCAST,) * 2,)
        values[Field.PACKET_TYPE] = ((1, 1),)
    values[Field.SADDR_TYPE] = _source_type(values[Field.SADDR], family, hook, given)


def _source_type(source: Ranges, family: int, hook: Hook, given: Mapping[str, Any]) -> Ranges:
    """Whose address it comes from; on the loopback the answer depends on how a rule asks."""
    looped = given.get("iif") == "lo"
    low, high = LOOPBACK[family]
    if source == ((0, 0),) or (looped and not low <= source[0][0] <= source[-1][1] <= high):
        return ((0, 255),)
    own = AddressType.LOCAL if looped or hook is Hook.OUTPUT else AddressType.UNICAST
    return ((own, own),)


def _address(given: Mapping[str, Any], key: str, family: int, default: Ranges) -> Ranges:
    text = given.get(key)
    if text is None:
        return default
    if text == "unicast":
        return UNICAST[family]
    address, slash, length = str(text).partition("/")
    try:
        ip: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        raise _error(f"{key} is no address", text) from None
    bits = BITS[family]
    if ip.version != family:
        raise _error(f"{key} does not fit family {family}", text)
    if not slash:
        return ((int(ip), int(ip)),)
    if not re.fullmatch("[0-9]{1,3}", length) or int(length) > bits:
        raise _error(f"{key} is no prefix", text)
    return (prefix(int(ip), int(length), bits),)


def _untold_state(values: Mapping[Field, Ranges], protocol: int) -> ConntrackState:
    """Conntrack's view of a packet that belongs to no flow that it knows."""
    if protocol in {ICMP, ICMPV6}:
        ((kind, _),) = values[Field.TYPE]
        if protocol == ICMPV6 and kind in _UNTRACKED6:
            return ConntrackState.UNTRACKED
        requests = _REQUESTS6 if protocol == ICMPV6 else _REQUESTS4
        return ConntrackState.NEW if kind in requests else ConntrackState.INVALID
    if protocol == TCP:
        ((flags, _),) = values[Field.FLAGS]
        plain = flags & ~(PSH | 64 | 128)
        begins = plain in _VALID_FLAGS and (flags & (SYN | ACK | FIN | RST)) in {SYN, ACK}
        return ConntrackState.NEW if begins else ConntrackState.INVALID
    if protocol in {33, 132, 136}:
        # They have state machines of their own, or none, by the kernel's version.
        return ConntrackState.NEW | ConntrackState.INVALID
    return ConntrackState.NEW


def _label(protocol: int, values: Mapping[Field, Ranges]) -> str:
    name = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMPV6: "icmpv6"}.get(protocol, str(protocol))
    if Field.TYPE in values:
        label = f"{name}/{_shown(values[Field.TYPE][0])}"
        code = values.get(Field.CODE, ((0, 0),))[0]
        return label if code[0] == 0 else f"{label}/{_shown(code)}"
    return f"{name}/{_shown(values[Field.DPORT][0])}" if Field.DPORT in values else name


def _shown(numbers: Range) -> str:
    low, high = numbers
    return str(low) if low == high else f"{low}-{high}"
