"""The messages that rules must let pass, and how bad it is if not: ICMPv6 by RFC 4890, DHCPv6.

Section 4.4 for a host, 4.3 for what a router forwards. What breaks without them: RFC 8201 (path
MTU), RFC 4861 (neighbour discovery), RFC 4862 (SLAAC, duplicate address detection), RFC 4541 (MLD
snooping). Each stands beside its IPv4 twin where there is one.

A DHCPv6 client asks a multicast group, and a server replies from its own address, so that conntrack
takes the reply for a new flow (RFC 8415 sections 7.1 and 7.2 have the group and the ports). IPv4
has no such twin: its DHCP clients read packets before any rule sees them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ipv6check.firewall.names import IcmpType, Icmpv6Type
from ipv6check.model import Status

OUTSIDER = "2000::/3"
NEIGHBOUR = "fe80::/10"
SOLICITED_NODE = "ff02::1:ff00:0/104"

# A packet as `firewall.packets.packet` takes it.
PacketSpec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """A message that rules should let pass.

    ``severity``: the status of a finding where it is blocked, None where it is only listed.
    ``loss`` says what breaks without it. ``twin`` is the IPv4 packet that does the same.
    """

    name: str
    severity: Status | None
    packet: PacketSpec
    loss: str = ""
    twin: PacketSpec | None = None


def _icmp6(kind: Icmpv6Type, **more: Any) -> PacketSpec:
    return {"family": 6, "proto": "icmpv6", "type": kind.value, **more}


def _icmp4(kind: IcmpType, **more: Any) -> PacketSpec:
    return {"family": 4, "proto": "icmp", "type": kind.value, **more}


_STALLS = "connections stall on paths with a smaller MTU"
_NO_NEIGHBOURS = "neighbours cannot resolve this host's address"
_SLOW_ERRORS = "errors turn into timeouts"

_ERRORS = (
    Message(
        "packet-too-big of a known flow",
        Status.FAIL,
        _icmp6(Icmpv6Type.PACKET_TOO_BIG, ct="related"),
        _STALLS,
        _icmp4(IcmpType.DESTINATION_UNREACHABLE, code=4, ct="related"),
    ),
    Message(
        "destination-unreachable of a known flow",
        Status.WARN,
        _icmp6(Icmpv6Type.DESTINATION_UNREACHABLE, code="0-6", ct="related"),
        _SLOW_ERRORS,
        _icmp4(IcmpType.DESTINATION_UNREACHABLE, code=1, ct="related"),
    ),
    Message(
        "time-exceeded of a known flow",
        Status.WARN,
        _icmp6(Icmpv6Type.TIME_EXCEEDED, ct="related"),
        _SLOW_ERRORS,
        _icmp4(IcmpType.TIME_EXCEEDED, ct="related"),
    ),
    Message(
        "parameter-problem of a known flow",
        Status.WARN,
        _icmp6(Icmpv6Type.PARAMETER_PROBLEM, code="1-2", ct="related"),
        _SLOW_ERRORS,
        _icmp4(IcmpType.PARAMETER_PROBLEM, ct="related"),
    ),
    Message(
        "echo-request",
        Status.WARN,
        _icmp6(Icmpv6Type.ECHO_REQUEST, saddr=OUTSIDER),
        "ping cannot tell a dead path from a closed port",
        _icmp4(IcmpType.ECHO_REQUEST),
    ),
    Message(
        "echo-reply to our own request",
        Status.WARN,
        _icmp6(Icmpv6Type.ECHO_REPLY, ct="established", saddr=OUTSIDER),
        "ping cannot tell a dead path from a closed port",
        _icmp4(IcmpType.ECHO_REPLY, ct="established"),
    ),
)

TRANSIT = (
    *_ERRORS,
    Message(
        "time-exceeded in reassembly", None, _icmp6(Icmpv6Type.TIME_EXCEEDED, code=1, ct="related")
    ),
    Message(
        "erroneous header field", None, _icmp6(Icmpv6Type.PARAMETER_PROBLEM, code=0, ct="related")
    ),
    Message(
        "home agent address discovery",
        None,
        _icmp6(Icmpv6Type.HOME_AGENT_ADDRESS_DISCOVERY_REQUEST),
    ),
    Message("stray packet-too-big", None, _icmp6(Icmpv6Type.PACKET_TOO_BIG, saddr=OUTSIDER)),
)

HOST = (
    *_ERRORS,
    Message(
        "neighbour solicitation",
        Status.FAIL,
        _icmp6(Icmpv6Type.NEIGHBOUR_SOLICITATION, saddr=NEIGHBOUR, daddr=SOLICITED_NODE),
        _NO_NEIGHBOURS,
    ),
    Message(
        "neighbour solicitation to our own address",
        Status.FAIL,
        _icmp6(Icmpv6Type.NEIGHBOUR_SOLICITATION, saddr=NEIGHBOUR),
        _NO_NEIGHBOURS,
    ),
    Message(
        "neighbour solicitation from a global address",
        Status.FAIL,
        _icmp6(Icmpv6Type.NEIGHBOUR_SOLICITATION, saddr=OUTSIDER, daddr=SOLICITED_NODE),
        _NO_NEIGHBOURS,
    ),
    Message(
        "neighbour advertisement",
        Status.FAIL,
        _icmp6(Icmpv6Type.NEIGHBOUR_ADVERTISEMENT, saddr=NEIGHBOUR),
        "this host cannot resolve its neighbours' addresses",
    ),
    Message(
        "router advertisement",
        Status.FAIL,
        _icmp6(Icmpv6Type.ROUTER_ADVERTISEMENT),
        "SLAAC configures no address and no route",
    ),
    Message(
        "solicitation of duplicate address detection",
        Status.WARN,
        _icmp6(Icmpv6Type.NEIGHBOUR_SOLICITATION, saddr="::"),
        "two hosts may use the same address",
    ),
    Message(
        "MLD query",
        Status.WARN,
        _icmp6(Icmpv6Type.MLD_QUERY),
        "MLD-snooping switches stop sending multicast to this host",
    ),
    Message(
        "router solicitation",
        Status.WARN,
        _icmp6(Icmpv6Type.ROUTER_SOLICITATION),
        "hosts wait for the next periodic router advertisement",
    ),
    Message("MLD report", None, _icmp6(Icmpv6Type.MLD_REPORT)),
    Message("MLD done", None, _icmp6(Icmpv6Type.MLD_DONE)),
    Message("MLDv2 report", None, _icmp6(Icmpv6Type.MLDV2_REPORT)),
    Message(
        "time-exceeded in reassembly", None, _icmp6(Icmpv6Type.TIME_EXCEEDED, code=1, ct="related")
    ),
    Message(
        "erroneous header field", None, _icmp6(Icmpv6Type.PARAMETER_PROBLEM, code=0, ct="related")
    ),
    Message("stray packet-too-big", None, _icmp6(Icmpv6Type.PACKET_TOO_BIG, saddr=OUTSIDER)),
    Message("redirect", None, _icmp6(Icmpv6Type.REDIRECT)),
    Message(
        "inverse neighbour solicitation", None, _icmp6(Icmpv6Type.INVERSE_NEIGHBOUR_SOLICITATION)
    ),
    Message(
        "inverse neighbour advertisement", None, _icmp6(Icmpv6Type.INVERSE_NEIGHBOUR_ADVERTISEMENT)
    ),
    Message(
        "certification path solicitation", None, _icmp6(Icmpv6Type.CERTIFICATION_PATH_SOLICITATION)
    ),
    Message(
        "certification path advertisement",
        None,
        _icmp6(Icmpv6Type.CERTIFICATION_PATH_ADVERTISEMENT),
    ),
    Message(
        "multicast router advertisement", None, _icmp6(Icmpv6Type.MULTICAST_ROUTER_ADVERTISEMENT)
    ),
    Message(
        "multicast router solicitation", None, _icmp6(Icmpv6Type.MULTICAST_ROUTER_SOLICITATION)
    ),
    Message("multicast router termination", None, _icmp6(Icmpv6Type.MULTICAST_ROUTER_TERMINATION)),
)

# What this host has to send, or nothing else can be sent.
OUTBOUND = (
    Message(
        "our own neighbour solicitation",
        Status.FAIL,
        _icmp6(Icmpv6Type.NEIGHBOUR_SOLICITATION, daddr=SOLICITED_NODE),
    ),
    Message(
        "our own neighbour advertisement",
        Status.FAIL,
        _icmp6(Icmpv6Type.NEIGHBOUR_ADVERTISEMENT, daddr=NEIGHBOUR),
    ),
)

# The part of fe80::/10 that is in use (RFC 4291 section 2.5.6).
LINK_LOCAL = "fe80::/64"
CLIENT, SERVER = 546, 547
SERVERS = "ff02::1:2"


def _reply(name: str, severity: Status | None, source: str) -> Message:
    spec = {"family": 6, "proto": "udp", "sport": SERVER, "dport": CLIENT}
    return Message(name, severity, {**spec, "saddr": source, "daddr": LINK_LOCAL})


# Some relays reply from a global address.
DHCPV6_REPLIES = (
    _reply("DHCPv6 reply", Status.WARN, LINK_LOCAL),
    _reply("DHCPv6 reply from a global address", None, OUTSIDER),
)
DHCPV6_REQUEST = Message(
    "our own DHCPv6 request",
    Status.WARN,
    {"family": 6, "proto": "udp", "sport": CLIENT, "dport": SERVER, "daddr": SERVERS}
    | {"saddr": LINK_LOCAL, "hook": "output"},
)
