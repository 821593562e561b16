"""The messages that may not be lost, and how bad it is: ICMPv6 by RFC 4890, and DHCPv6.

Section 4.4 for a host, 4.3 for what a router forwards. What breaks without them: RFC 8201 (path
MTU), RFC 4861 (neighbour discovery), RFC 4862 (SLAAC, duplicate address detection), RFC 4541 (MLD
snooping). Each stands beside its IPv4 twin where there is one.

DHCPv6 asks a group and is answered by another address, so that conntrack takes the reply for a new
flow (RFC 8415 sections 7.1 and 7.2 have the group and the ports). IPv4 has no such twin: clients of
its DHCP read packets before any rule does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ipv6check.model import Status

OUTSIDER = "2000::/3"
NEIGHBOUR = "fe80::/10"
SOLICITED_NODE = "ff02::1:ff00:0/104"

PacketSpec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """A message that has to pass. ``severity`` if it does not, None: only worth telling.

    ``loss`` says what breaks. ``twin`` is the IPv4 packet that does the same.
    """

    name: str
    severity: Status | None
    probe: PacketSpec
    loss: str = ""
    twin: PacketSpec | None = None


def _icmp6(kind: int, **more: Any) -> PacketSpec:
    return {"family": 6, "proto": "icmpv6", "type": kind, **more}


def _icmp4(kind: int, **more: Any) -> PacketSpec:
    return {"family": 4, "proto": "icmp", "type": kind, **more}


_STALLS = "connections stall on narrow paths"
_NO_NEIGHBOURS = "no neighbour finds this host"
_SLOW_ERRORS = "errors become timeouts"

_ERRORS = (
    Message(
        "packet-too-big of a known flow",
        Status.FAIL,
        _icmp6(2, ct="related"),
        _STALLS,
        _icmp4(3, code=4, ct="related"),
    ),
    Message(
        "destination-unreachable of a known flow",
        Status.WARN,
        _icmp6(1, code="0-6", ct="related"),
        _SLOW_ERRORS,
        _icmp4(3, code=1, ct="related"),
    ),
    Message(
        "time-exceeded of a known flow",
        Status.WARN,
        _icmp6(3, ct="related"),
        _SLOW_ERRORS,
        _icmp4(11, ct="related"),
    ),
    Message(
        "parameter-problem of a known flow",
        Status.WARN,
        _icmp6(4, code="1-2", ct="related"),
        _SLOW_ERRORS,
        _icmp4(12, ct="related"),
    ),
    Message(
        "echo-request",
        Status.WARN,
        _icmp6(128, saddr=OUTSIDER),
        "a dead path looks like a closed port",
        _icmp4(8),
    ),
    Message(
        "echo-reply to our own request",
        Status.WARN,
        _icmp6(129, ct="established", saddr=OUTSIDER),
        "a dead path looks like a closed port",
        _icmp4(0, ct="established"),
    ),
)

TRANSIT = (
    *_ERRORS,
    Message("time-exceeded in reassembly", None, _icmp6(3, code=1, ct="related")),
    Message("erroneous header field", None, _icmp6(4, code=0, ct="related")),
    Message("home agent address discovery", None, _icmp6(144)),
    Message("stray packet-too-big", None, _icmp6(2, saddr=OUTSIDER)),
)

HOST = (
    *_ERRORS,
    Message(
        "neighbour solicitation",
        Status.FAIL,
        _icmp6(135, saddr=NEIGHBOUR, daddr=SOLICITED_NODE),
        _NO_NEIGHBOURS,
    ),
    Message(
        "neighbour solicitation to our own address",
        Status.FAIL,
        _icmp6(135, saddr=NEIGHBOUR),
        _NO_NEIGHBOURS,
    ),
    Message(
        "neighbour solicitation from a global address",
        Status.FAIL,
        _icmp6(135, saddr=OUTSIDER, daddr=SOLICITED_NODE),
        _NO_NEIGHBOURS,
    ),
    Message(
        "neighbour advertisement",
        Status.FAIL,
        _icmp6(136, saddr=NEIGHBOUR),
        "this host finds no neighbour",
    ),
    Message(
        "router advertisement",
        Status.FAIL,
        _icmp6(134),
        "SLAAC gives no address and no route",
    ),
    Message(
        "solicitation of duplicate address detection",
        Status.WARN,
        _icmp6(135, saddr="::"),
        "two hosts may take one address",
    ),
    Message(
        "MLD query",
        Status.WARN,
        _icmp6(130),
        "snooping switches forget this host",
    ),
    Message(
        "router solicitation",
        Status.WARN,
        _icmp6(133),
        "hosts wait for a router",
    ),
    Message("MLD report", None, _icmp6(131)),
    Message("MLD done", None, _icmp6(132)),
    Message("MLDv2 report", None, _icmp6(143)),
    Message("time-exceeded in reassembly", None, _icmp6(3, code=1, ct="related")),
    Message("erroneous header field", None, _icmp6(4, code=0, ct="related")),
    Message("stray packet-too-big", None, _icmp6(2, saddr=OUTSIDER)),
    Message("redirect", None, _icmp6(137)),
    Message("inverse neighbour solicitation", None, _icmp6(141)),
    Message("inverse neighbour advertisement", None, _icmp6(142)),
    Message("certification path solicitation", None, _icmp6(148)),
    Message("certification path advertisement", None, _icmp6(149)),
    Message("multicast router advertisement", None, _icmp6(151)),
    Message("multicast router solicitation", None, _icmp6(152)),
    Message("multicast router termination", None, _icmp6(153)),
)

# What has to leave, or nothing else can.
LEAVING = (
    Message("our own neighbour solicitation", Status.FAIL, _icmp6(135, daddr=SOLICITED_NODE)),
    Message("our own neighbour advertisement", Status.FAIL, _icmp6(136, daddr=NEIGHBOUR)),
)

# What is in use of fe80::/10 (RFC 4291 section 2.5.6).
LINK_LOCAL = "fe80::/64"
CLIENT, SERVER = 546, 547
SERVERS = "ff02::1:2"


def _reply(name: str, severity: Status | None, source: str) -> Message:
    probe = {"family": 6, "proto": "udp", "sport": SERVER, "dport": CLIENT}
    return Message(name, severity, {**probe, "saddr": source, "daddr": LINK_LOCAL})


# Some relays answer from a global address.
DHCPV6 = (
    _reply("DHCPv6 reply", Status.WARN, LINK_LOCAL),
    _reply("DHCPv6 reply from a global address", None, OUTSIDER),
)
DHCPV6_QUESTION = Message(
    "our own DHCPv6 question",
    Status.WARN,
    {"family": 6, "proto": "udp", "sport": CLIENT, "dport": SERVER, "daddr": SERVERS}
    | {"saddr": LINK_LOCAL, "hook": "output"},
)
