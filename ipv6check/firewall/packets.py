"""The packets that rules are tried with: what is known of each, and what may be anything.

A packet is a set of possible values for each field. A field that is not given may have any value
that such a packet can have: any source address, any interface but loopback. What a message of
neighbour discovery looks like is fixed: RFC 4861 sets its hop limit and its addresses.

A packet is written as a dictionary (`packet` has the keys) or as the word that ``--packet`` takes
(`described`): ``tcp/443``, ``udp/6000-6010``, ``icmpv6/packet-too-big``, ``icmp/3/4``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
from ipv6check.firewall.names import (
    ICMP,
    ICMP_NAMES,
    ICMPV6,
    ICMPV6_NAMES,
    PROTOCOLS,
    TCP,
    UDP,
    WITH_PORTS,
    IcmpType,
    Icmpv6Type,
)
from ipv6check.model.text import closest

MULTICAST6 = prefix(0xFF << 120, 8, 128)
MULTICAST4 = prefix(0xE0 << 24, 4, 32)
LINK_LOCAL = prefix(0xFE80 << 112, 10, 128)
MAPPED = prefix(0xFFFF << 32, 96, 128)
ALL_NODES, MLDV2_ROUTERS = 0xFF02 << 112 | 1, 0xFF02 << 112 | 0x16
SOLICITED_NODE = prefix(0xFF02 << 112 | 0x1FF << 24, 104, 128)

# Packet types of the link layer (PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST of if_packet.h).
TO_HOST, TO_ALL, TO_GROUP = 0, 1, 2

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

_SPELLINGS = {"neighbor": "neighbour", "solicit": "solicitation", "advert": "advertisement"}


@dataclass(frozen=True, slots=True)
class Icmpv6Defaults:
    """How a message between neighbours is sent, from a link-local address.

    ``destination``: the group it is sent to, None where it may be any address. ``tracked``: whether
    conntrack looks at it. ``router_alert``: it has one in a hop-by-hop header.
    """

    hop_limit: int
    destination: int | None = None
    tracked: bool = True
    router_alert: bool = False


# RFC 4861 section 4 and RFC 3971 section 6 (hop limit 255), RFC 2710 section 3, RFC 3810 section 5
# and RFC 4286 section 3 (hop limit 1). What is not tracked: nf_conntrack_proto_icmpv6.c.
_DISCOVERY = Icmpv6Defaults(255, tracked=False)
_TRACKED_DISCOVERY = Icmpv6Defaults(255)
_MLD = Icmpv6Defaults(1, ALL_NODES, tracked=False, router_alert=True)
ICMPV6_DEFAULTS: Mapping[int, Icmpv6Defaults] = MappingProxyType(
    {
        Icmpv6Type.MLD_QUERY: _MLD,
        Icmpv6Type.MLD_REPORT: _MLD,
        Icmpv6Type.MLD_DONE: _MLD,
        Icmpv6Type.MLDV2_REPORT: replace(_MLD, destination=MLDV2_ROUTERS),
        Icmpv6Type.ROUTER_SOLICITATION: _DISCOVERY,
        Icmpv6Type.ROUTER_ADVERTISEMENT: replace(_DISCOVERY, destination=ALL_NODES),
        Icmpv6Type.NEIGHBOUR_SOLICITATION: _DISCOVERY,
        Icmpv6Type.NEIGHBOUR_ADVERTISEMENT: _DISCOVERY,
        Icmpv6Type.REDIRECT: _TRACKED_DISCOVERY,
        Icmpv6Type.INVERSE_NEIGHBOUR_SOLICITATION: _TRACKED_DISCOVERY,
        Icmpv6Type.INVERSE_NEIGHBOUR_ADVERTISEMENT: _TRACKED_DISCOVERY,
        Icmpv6Type.CERTIFICATION_PATH_SOLICITATION: _TRACKED_DISCOVERY,
        Icmpv6Type.CERTIFICATION_PATH_ADVERTISEMENT: _TRACKED_DISCOVERY,
        Icmpv6Type.MULTICAST_ROUTER_ADVERTISEMENT: Icmpv6Defaults(1, ALL_NODES, tracked=False),
        Icmpv6Type.MULTICAST_ROUTER_SOLICITATION: Icmpv6Defaults(1, tracked=False),
        Icmpv6Type.MULTICAST_ROUTER_TERMINATION: Icmpv6Defaults(1),
    }
)
# Of what conntrack tracks only requests begin a flow (nf_conntrack_proto_icmp.c, _icmpv6.c).
_REQUESTS6 = frozenset({Icmpv6Type.ECHO_REQUEST, Icmpv6Type.NODE_INFORMATION_QUERY})
_REQUESTS4 = frozenset(
    {
        IcmpType.ECHO_REQUEST,
        IcmpType.TIMESTAMP_REQUEST,
        IcmpType.INFORMATION_REQUEST,
        IcmpType.ADDRESS_MASK_REQUEST,
    }
)
# RFC 4443 section 2.1, and RFC 1122 section 3.2.2.
_FIRST_INFORMATIONAL = 128
_ERRORS4 = frozenset(
    {
        IcmpType.DESTINATION_UNREACHABLE,
        IcmpType.SOURCE_QUENCH,
        IcmpType.REDIRECT,
        IcmpType.TIME_EXCEEDED,
        IcmpType.PARAMETER_PROBLEM,
    }
)
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
        if self.protocol not in {ICMP, ICMPV6}:
            return False
        ((low, _),) = self.values[Field.TYPE]
        return low < _FIRST_INFORMATIONAL if self.protocol == ICMPV6 else low in _ERRORS4


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
        Field.FAMILY: _one(family),
        Field.PROTOCOL: _one(protocol),
        Field.NEXT_HEADER: _one(protocol),
        Field.HOP_LIMIT: _numbers(given, "hoplimit", ((1, 255),), 255),
        Field.MARK: _one(0),
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
    state = _choice(given, "ct", _STATES, "new") or _state_without_flow(values, protocol)
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


def _one(number: int) -> Ranges:
    return ((number, number),)


def _error(what: str, value: object) -> RuleError:
    shown = ascii(value)
    return RuleError(f"{what}: {shown[:MAX_TEXT]}{'…' if len(shown) > MAX_TEXT else ''}")


def _choice(given: Mapping[str, Any], key: str, choices: Mapping[str, Any], default: str) -> Any:
    value = given.get(key, default)
    if not isinstance(value, str) or value.lower() not in choices:
        raise _error(f"{key} is not one of {', '.join(choices)}", value)
    return choices[value.lower()]


def _family(given: Mapping[str, Any]) -> int:
    family = given.get("family")
    if family is None:
        written = [given.get("saddr"), given.get("daddr")]
        v4 = given.get("proto") in {"icmp", 1} or any(
            "." in str(address) for address in written if address
        )
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
        raise _error("proto is not a protocol", value)
    if (value == ICMPV6 and family == IPV4) or (value == ICMP and family == IPV6):
        raise _error(f"proto does not fit family {family}", value)
    return value


def _numbers(given: Mapping[str, Any], key: str, default: Ranges, highest: int) -> Ranges:
    value = given.get(key)
    if value is None:
        return default
    match = _RANGE.fullmatch(str(value)) if not isinstance(value, bool | float) else None
    if match is None:
        raise _error(f"{key} is not a number", value)
    low, high = int(match[1]), int(match[2] or match[1])
    if not low <= high <= highest:
        raise _error(f"{key} is not between 0 and {highest}", value)
    return ((low, high),)


def _upper_layer(values: dict[Field, Ranges], protocol: int, given: Mapping[str, Any]) -> None:
    if protocol in {ICMP, ICMPV6}:
        if given.get("type") is None:
            raise _error("an ICMP packet needs its type", given.get("id", ""))
        values[Field.TYPE] = _numbers(given, "type", (), 255)
        values[Field.CODE] = _numbers(given, "code", ((0, 0),), 255)
    elif protocol in WITH_PORTS:
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
        defaults = _icmpv6_defaults(values, protocol)
        extension = "hbh" if defaults and defaults.router_alert else None
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
        raise _error(f"ext is not one of {', '.join(_EXTENSIONS)}", extension)


def _addresses(
    values: dict[Field, Ranges],
    protocol: int,
    family: int,
    hook: Hook,
    given: Mapping[str, Any],
) -> None:
    source, destination = UNICAST[family], GLOBAL[family]
    if defaults := _icmpv6_defaults(values, protocol):
        source = (LINK_LOCAL,)
        if given.get("hoplimit") is None:
            values[Field.HOP_LIMIT] = _one(defaults.hop_limit)
        if defaults.destination is not None:
            destination = _one(defaults.destination)
    values[Field.SADDR] = _address(given, "saddr", family, source)
    if values[Field.SADDR] == _one(0) and _is_solicitation(values, protocol):
        # Duplicate address detection (RFC 4862 section 5.4.2).
        destination = (SOLICITED_NODE,)
    values[Field.DADDR] = _address(given, "daddr", family, destination)
    _address_types(values, family, hook, given)


def _icmpv6_defaults(values: Mapping[Field, Ranges], protocol: int) -> Icmpv6Defaults | None:
    return ICMPV6_DEFAULTS.get(values[Field.TYPE][0][0]) if protocol == ICMPV6 else None


def _is_solicitation(values: Mapping[Field, Ranges], protocol: int) -> bool:
    return protocol == ICMPV6 and values[Field.TYPE][0][0] == Icmpv6Type.NEIGHBOUR_SOLICITATION


def _address_types(
    values: dict[Field, Ranges], family: int, hook: Hook, given: Mapping[str, Any]
) -> None:
    """What the routing table calls the addresses, and the link layer the packet."""
    multicast = MULTICAST6 if family == IPV6 else MULTICAST4
    to_group = all(
        multicast[0] <= low and high <= multicast[1] for low, high in values[Field.DADDR]
    )
    local = AddressType.LOCAL if hook is Hook.INPUT else AddressType.UNICAST
    values[Field.DADDR_TYPE] = _one(AddressType.MULTICAST if to_group else local)
    values[Field.PACKET_TYPE] = _one(TO_GROUP if to_group else TO_HOST)
    if family == IPV4 and values[Field.DADDR] == _one(0xFFFFFFFF):
        values[Field.DADDR_TYPE] = _one(AddressType.BROADCAST)
        values[Field.PACKET_TYPE] = _one(TO_ALL)
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
        raise _error(f"{key} is not an address", text) from None
    bits = BITS[family]
    if ip.version != family:
        raise _error(f"{key} does not fit family {family}", text)
    if not slash:
        return ((int(ip), int(ip)),)
    if not re.fullmatch("[0-9]{1,3}", length) or int(length) > bits:
        raise _error(f"{key} is not a prefix", text)
    return (prefix(int(ip), int(length), bits),)


def _state_without_flow(values: Mapping[Field, Ranges], protocol: int) -> ConntrackState:
    """Conntrack's view of a packet that belongs to no flow that it knows."""
    if protocol in {ICMP, ICMPV6}:
        ((kind, _),) = values[Field.TYPE]
        if (defaults := _icmpv6_defaults(values, protocol)) and not defaults.tracked:
            return ConntrackState.UNTRACKED
        requests = _REQUESTS6 if protocol == ICMPV6 else _REQUESTS4
        return ConntrackState.NEW if kind in requests else ConntrackState.INVALID
    if protocol == TCP:
        ((flags, _),) = values[Field.FLAGS]
        plain = flags & ~(PSH | 64 | 128)
        begins = plain in _VALID_FLAGS and (flags & (SYN | ACK | FIN | RST)) in {SYN, ACK}
        return ConntrackState.NEW if begins else ConntrackState.INVALID
    if protocol in WITH_PORTS - {UDP}:
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
