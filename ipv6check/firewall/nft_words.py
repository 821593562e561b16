"""How nft writes what its JSON says, and the numbers that its words stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ipv6check.firewall.model import AddressType, State, Status

MAX_SHOWN = 8
_SIGNS = MappingProxyType(
    {sign: f" {sign} " for sign in ("&", "|", "^", "<<", ">>")} | {"range": "-", "concat": " . "}
)
_FORMS = MappingProxyType(
    {
        "elem": "{val}",
        "prefix": "{addr}/{len}",
        "jump": "jump {target}",
        "goto": "goto {target}",
        "vmap": "{key} vmap {data}",
        "mangle": "{key} set {value}",
        "reject": "reject with {type} {expr}",
        "log": 'log prefix "{prefix}"',
        "limit": "limit rate {rate}/{per}",
    }
)
_CONSTANTS: Mapping[Any, str] = MappingProxyType({"True": "exists", "False": "missing", "None": ""})
_INTERFACE = re.compile(r"(?<![@\w.*:-])[\w.*:-]+")


# What nft reads of a packet besides what is modelled (nft(8), payload and meta expressions).
FIELDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        header: frozenset(fields.split())
        for header, fields in {
            "ip": "version hdrlength dscp ecn length id frag-off ttl protocol checksum saddr daddr",
            "ip6": "version dscp ecn flowlabel length nexthdr hoplimit saddr daddr",
            "tcp": "sport dport sequence ackseq doff reserved flags window checksum urgptr",
            "udp": "sport dport length checksum",
            "th": "sport dport",
            "icmp": "type code checksum id sequence gateway mtu",
            "icmpv6": "type code checksum parameter-problem packet-too-big id sequence max-delay"
            " mtu taddr daddr",
            "meta": "length protocol priority mark iiftype oiftype skuid skgid nftrace rtclassid"
            " ibrname obrname ibrpvid ibrvproto pkttype cpu iifgroup oifgroup cgroup random secpath"
            " secmark nfproto l4proto iifkind oifkind sdif sdifname time day hour broute",
            "ct": "state direction status mark secmark expiration helper label id count l3proto"
            " protocol zone bytes packets avgpkt",
        }.items()
    }
)


def only(value: Any) -> tuple[str, Any]:
    """The kind of an expression or statement, and what it consists of."""
    ((kind, body),) = value.items()
    return kind, body


def read(expression: Any) -> str:
    """What an expression reads of a packet, as nft writes it; empty where that is nothing."""
    kind, body = only(expression)
    name = ""
    if kind == "payload" and "base" in body:
        name = f"@{body['base']},{body['offset']},{body['len']}"
    elif kind == "payload":
        name = " ".join(map(str, body.values()))
    elif kind == "meta":
        key = str(body["key"])
        name = key if key.startswith(("iif", "oif")) else f"meta {key}"
    elif kind == "ct":
        name = f"ct {body['dir']} {body['key']}" if "dir" in body else f"ct {body['key']}"
    elif kind == "fib":
        flags = sorted(body["flags"], key="saddr daddr mark iif oif".find)
        name = f"fib {' . '.join(flags)} {body['result']}"
    elif kind == "exthdr":
        name = f"exthdr {' '.join(map(str, body.values()))}"
    return name


def written(value: Any) -> str:
    """An expression or a statement in nft's syntax, or near to it."""
    if isinstance(value, list):
        return ",".join(map(written, value))
    if not isinstance(value, dict):
        return value if isinstance(value, str) else _CONSTANTS.get(repr(value), str(value))
    if len(value) != 1:
        return " ".join(f"{key} {written(each)}" for key, each in value.items())
    kind, body = only(value)
    if isinstance(body, dict):
        return read(value) or _statement(kind, body)
    if kind in _SIGNS:
        return _SIGNS[kind].join(map(written, body))
    said = _listed(body) if kind == "set" and isinstance(body, list) else written(body)
    return said if kind in {"set", "unparsed"} else f"{kind} {said}".strip()


def _listed(elements: list[Any]) -> str:
    shown = [
        " : ".join(map(written, each if isinstance(each, list) else [each]))
        for each in elements[:MAX_SHOWN]
    ]
    return f"{{ {', '.join(shown + ['…'] * (len(elements) > MAX_SHOWN))} }}"


def _statement(kind: str, body: Mapping[str, Any]) -> str:
    if kind == "counter" and "packets" in body:
        return kind
    parts = {key: written(each) for key, each in body.items()}
    if kind == "match":
        left, operator, right = parts["left"], parts["op"], parts["right"]
        if left.startswith(("iif", "oif")):
            right = _INTERFACE.sub(r'"\g<0>"', right)
        return f"{left} {right}" if operator in {"==", "in"} else f"{left} {operator} {right}"
    if kind in {"set", "map"} and "op" in parts:
        return f"{parts['op']} {parts[kind]} {{ {parts['elem']} }}"
    if kind == "map":
        return f"{parts['key']} map {parts['data']}"
    try:
        return _FORMS[kind].format_map(parts)
    except KeyError:
        return " ".join((kind, *(f"{key} {part}" for key, part in parts.items())))


def _numbered(text: str) -> Mapping[Any, int]:
    pairs = (word.split(":") for word in text.split())
    return MappingProxyType({name: int(number) for name, number in pairs})


def _lower(names: type[State | Status | AddressType]) -> Mapping[Any, int]:
    return MappingProxyType({str(each.name).lower().replace("_", "-"): int(each) for each in names})


# As ``nft describe`` lists them.
STATES, STATUSES, ADDRESS_TYPES = _lower(State), _lower(Status), _lower(AddressType)
ICMP_TYPES = _numbered(
    "echo-reply:0 destination-unreachable:3 source-quench:4 redirect:5 echo-request:8 "
    "router-advertisement:9 router-solicitation:10 time-exceeded:11 parameter-problem:12 "
    "timestamp-request:13 timestamp-reply:14 info-request:15 info-reply:16 "
    "address-mask-request:17 address-mask-reply:18"
)
ICMPV6_TYPES = _numbered(
    "destination-unreachable:1 packet-too-big:2 time-exceeded:3 parameter-problem:4 "
    "echo-request:128 echo-reply:129 mld-listener-query:130 mld-listener-report:131 "
    "mld-listener-done:132 mld-listener-reduction:132 nd-router-solicit:133 "
    "nd-router-advert:134 nd-neighbor-solicit:135 nd-neighbor-advert:136 nd-redirect:137 "
    "router-renumbering:138 ind-neighbor-solicit:141 ind-neighbor-advert:142 "
    "mld2-listener-report:143"
)
ICMP_CODES = _numbered(
    "net-unreachable:0 host-unreachable:1 prot-unreachable:2 port-unreachable:3 "
    "frag-needed:4 net-prohibited:9 host-prohibited:10 admin-prohibited:13"
)
ICMPV6_CODES = _numbered(
    "no-route:0 admin-prohibited:1 addr-unreachable:3 port-unreachable:4 policy-fail:5 "
    "reject-route:6"
)
TCP_FLAGS = _numbered("fin:1 syn:2 rst:4 psh:8 ack:16 urg:32 ecn:64 ece:64 cwr:128")
PACKET_TYPES = _numbered("host:0 unicast:0 broadcast:1 multicast:2 other:3")
DIRECTIONS = _numbered("original:0 reply:1")
PRESENCE: Mapping[Any, int] = MappingProxyType({"missing": 0, "exists": 1, False: 0, True: 1})
