"""How nft writes what its JSON says, and the numbers that its words stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ipv6check.firewall.model import AddressType, ConntrackState, ConntrackStatus
from ipv6check.firewall.names import PROTOCOLS, SERVICES

# A statement or an expression, as ``nft -j`` writes it.
Json = dict[str, Any]

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
        return " ".join(f"{key} {written(part)}" for key, part in value.items())
    kind, body = only(value)
    if isinstance(body, dict):
        return read(value) or _statement(kind, body)
    if kind in _SIGNS:
        return _SIGNS[kind].join(map(written, body))
    said = _listed(body) if kind == "set" and isinstance(body, list) else written(body)
    return said if kind in {"set", "unparsed"} else f"{kind} {said}".strip()


def _listed(elements: list[Any]) -> str:
    shown = [
        " : ".join(map(written, element if isinstance(element, list) else [element]))
        for element in elements[:MAX_SHOWN]
    ]
    return f"{{ {', '.join(shown + ['…'] * (len(elements) > MAX_SHOWN))} }}"


def _statement(kind: str, body: Mapping[str, Any]) -> str:
    if kind == "counter" and "packets" in body:
        return kind
    parts = {key: written(part) for key, part in body.items()}
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


def _lower(names: type[ConntrackState | ConntrackStatus | AddressType]) -> Mapping[Any, int]:
    return MappingProxyType({str(bit.name).lower().replace("_", "-"): int(bit) for bit in names})


# As ``nft describe`` lists them.
STATES, STATUSES, ADDRESS_TYPES = (
    _lower(ConntrackState),
    _lower(ConntrackStatus),
    _lower(AddressType),
)
ETHER_TYPES: Mapping[Any, int] = MappingProxyType(
    {**dict.fromkeys(("ip", 0x0800), 4), **dict.fromkeys(("ip6", 0x86DD), 6)}
    | dict.fromkeys(("arp", 0x0806, "vlan", 0x8100, "8021q", "8021ad", 0x88A8), 0)
)
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

# What nft's grammar has, in one version or another, and the names of its types and their values.
_VOCABULARY = (
    " ingress prerouting input forward output postrouting egress filter nat route raw mangle dstnat"
    " srcnat security out"
    " ih ppp ipip ipip6 loopback sit ipgre response dying fixed-timeout dynamic offload"
    " binding-refresh-request home-test-init careof-test-init home-test careof-test binding-update"
    " binding-acknowledgement binding-error fast-binding-update fast-binding-acknowledgement"
    " fast-binding-advertisement experimental-mobility-header home-agent-switch-message"
    " 8021ad 8021q a-rwnd abort accept ackseq add add-addr addr af11 af12 af13 af21 af22 af23"
    " af31 af32 af33 af41 af42 af43 ah alert all and any arp arp_op asconf asconf-ack assured"
    " audit auto-merge avgpkt be bitmask boolean bridge burst bypass bytes ce cfi cgroup"
    " cgroupsv2 cgroupv2 chain chains checksum chunk classid close close_wait closereq code"
    " comment comp constant continue cookie-ack cookie-echo count counter counters cpi cpu"
    " create crit cs0 cs1 cs2 cs3 cs4 cs5 cs6 cs7 csumcov ct ct_dir ct_event ct_label ct_state"
    " ct_status cum-tsn-ack cwr daddr data dataack day day_type days dccp dccp_pkttype debug"
    " define dei delete describe destroy devgroup device devices df direction dnat doff dport"
    " drop dscp dss dst dup dynamic echo ecn ecne ect0 ect1 ef element elements emerg eol eq"
    " err error esp established ether ether_addr ether_type event exists expectation"
    " expiration expires export exthdr false fanout fastopen fib fib_addrtype fin_wait flags"
    " flow flowlabel flowtable flowtables flush forward forward-tsn frag frag-off friday"
    " fully-random fwd gateway gc-interval ge geneve get gid goto gre gretap group gt handle"
    " hbh hdrlength heartbeat heartbeat-ack helper helpers hlen hook hooks hoplimit hour"
    " hour_type hours htype ibriport ibrname ibrpvid ibrvproto icmp icmp_code icmp_type icmpv6"
    " icmpv6_code icmpv6_type icmpx icmpx_code id iface_index iface_type ifindex ifname igmp"
    " igmp_type iif iifgroup iifkind iifname iiftype import in inc include index inet"
    " inet_proto inet_service info init init-ack init-tag initial-tsn inner inreply inrequest"
    " insert integer interval ip ip6 ipcomp ipsec ipv4 ipv4_addr ipv6 ipv6_addr jhash json"
    " jump kbytes l2 l3proto label last last-entry last_ack le leave-group left length lephb"
    " level limit limits list ll local log loose lowest-tsn lshift lsrr lt map maps mark"
    " masquerade max max-delay maxseg mbytes md5sig membership-query membership-report-v1"
    " membership-report-v2 membership-report-v3 memory meta meter meters mh min minute minutes"
    " missing mod monday monitor more-fragments mp-capable mp-fail mp-fastclose mp-join"
    " mp-prio mp-tcprst mptcp mrt mss mtu nak name ne netdev never new-cum-tsn nexthdr nexthop"
    " nf_proto nfproto nftrace nh none noop nop not not-ect notice notrack num num-dup-tsns"
    " num-gap-ack-blocks num-inbound-streams num-outbound-streams numbers numgen obriport"
    " obrname offload offset oif oifgroup oifkind oifname oiftype operation option options or"
    " original osf out over packets param-problem pcp performance persistent pkt_type pkttype"
    " plen policy port position ppid prefix priority proto-dst proto-src protocol protoinfo"
    " ptr ptype queue queue-threshold quota quotas ra random rate realm redefine redirect"
    " reject related remove-addr rename replace replied reply reqid request reserved reserved2"
    " reset retrans return right rr rreply rrequest rshift rt rt0 rt2 rtclassid rule rules"
    " ruleset sack sack-perm sack-permitted sack0 sack1 sack2 sack3 saddr saturday sctp sdif"
    " sdifname sec-ctx secmark secmarks second seconds secpath seed seg-left seqadj seqno"
    " sequence set sets shutdown shutdown-ack shutdown-complete sid size skgid skip skuid"
    " snaplen snat socket spi spnum sport srh ssn ssrr state status stream string subtype"
    " sunday symhash syn_recv syn_sent sync syncack synproxy synproxys table tables tag tcp"
    " tcp_flag th thursday time time_type time_wait timeout timestamp to tproxy trace"
    " transparent true tsecr tsn tsval ttl tuesday tunnel type typeof udp udplite uid unack"
    " undefine unreplied until update urgptr used va value verdict version vlan vm vmap vtag"
    " vxlan warn wednesday week weeks wildcard window with wscale xml xor xt zone"
)
KNOWN = frozenset(_VOCABULARY.split()).union(
    *({str(word).lower() for word in names} for names in (SERVICES, PROTOCOLS, STATES, STATUSES)),
    *({str(word).lower() for word in names} for names in (ADDRESS_TYPES, ICMP_TYPES, ICMPV6_TYPES)),
    *({str(word).lower() for word in names} for names in (ICMP_CODES, ICMPV6_CODES, TCP_FLAGS)),
    PACKET_TYPES,
    DIRECTIONS,
)
# Words before a name of one's own.
NAMING = frozenset(
    (
        *("@", "jump", "goto", "name", "helper", "timeout", "expectation", "label", "secmark"),
        *("iif", "oif", "iifname", "oifname", "ibrname", "obrname", "iifkind", "oifkind"),
        *("sdifname", "device", "devices", "iifgroup", "oifgroup", "rtclassid", "cgroupv2"),
        *("skuid", "skgid", "comment", "prefix", "sdif", "classid", "priority", "cgroup"),
    )
)
