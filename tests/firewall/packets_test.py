"""Packets as they are asked about: what is written is kept, what is not is left open."""

from __future__ import annotations

from typing import Any

import pytest

from ipv6check.firewall.model import AddressType, ConntrackState, Field, RuleError
from ipv6check.firewall.packets import described, packet


@pytest.mark.parametrize(
    ("probe", "state"),
    [
        ({"proto": "tcp", "dport": 22}, ConntrackState.NEW),
        ({"proto": "tcp", "dport": 22, "flags": "ack"}, ConntrackState.NEW),
        ({"proto": "tcp", "dport": 22, "flags": "syn,ack"}, ConntrackState.INVALID),
        ({"proto": "tcp", "dport": 22, "flags": "fin,psh,urg"}, ConntrackState.INVALID),
        ({"proto": "tcp", "dport": 22, "flags": "rst"}, ConntrackState.INVALID),
        ({"proto": "udp", "dport": 53}, ConntrackState.NEW),
        ({"proto": "icmpv6", "type": 2}, ConntrackState.INVALID),
        ({"proto": "icmpv6", "type": 2, "ct": "related"}, ConntrackState.RELATED),
        ({"proto": "icmpv6", "type": 128}, ConntrackState.NEW),
        ({"proto": "icmpv6", "type": 129}, ConntrackState.INVALID),
        ({"proto": "icmpv6", "type": 135}, ConntrackState.UNTRACKED),
        ({"proto": "icmpv6", "type": 137}, ConntrackState.INVALID),
        ({"proto": "icmpv6", "type": 139}, ConntrackState.NEW),
        ({"proto": "icmpv6", "type": 143}, ConntrackState.UNTRACKED),
        ({"proto": "icmp", "type": 8}, ConntrackState.NEW),
        ({"proto": "icmp", "type": 0}, ConntrackState.INVALID),
        ({"proto": "icmp", "type": 13}, ConntrackState.NEW),
        ({"proto": "sctp", "dport": 22}, ConntrackState.NEW | ConntrackState.INVALID),
    ],
)
def test_conntrack_sees_a_packet_by_its_kind(
    probe: dict[str, object], state: ConntrackState
) -> None:
    """Without a flow that is known, type and flags decide (kernel 6.18)."""
    assert packet(probe).state == state


def test_neighbour_discovery_has_its_own_addresses_and_hop_limit() -> None:
    """RFC 4861: link-local senders, hop limit 255; RFC 2710: hop limit 1 and a router alert."""
    advertisement = packet({"proto": "icmpv6", "type": 134}).values
    assert advertisement[Field.HOP_LIMIT] == ((255, 255),)
    assert advertisement[Field.DADDR] == ((0xFF02 << 112 | 1,) * 2,)
    assert advertisement[Field.PACKET_TYPE] == ((2, 2),)
    query = packet({"proto": "icmpv6", "type": 130}).values
    assert query[Field.HOP_LIMIT] == ((1, 1),)
    assert query[Field.NEXT_HEADER] == ((0, 0),)
    assert query[Field.PROTOCOL] == ((58, 58),)
    detection = packet({"proto": "icmpv6", "type": 135, "saddr": "::"}).values
    assert detection[Field.DADDR][0][0] >> 24 == (0xFF02 << 112 | 0x1FF << 24) >> 24


def test_what_is_not_given_is_open() -> None:
    """Any unicast sender, any interface but loopback, any hop limit."""
    values = packet({"proto": "tcp", "dport": 443})
    assert Field.IIF not in values.interfaces
    assert len(values.values[Field.SADDR]) == 2
    assert values.values[Field.HOP_LIMIT] == ((1, 255),)
    four = packet({"proto": "tcp", "dport": 443, "saddr": "192.0.2.0/24"})
    assert four.family == 4
    assert four.values[Field.SADDR] == ((0xC0000200, 0xC00002FF),)


@pytest.mark.parametrize(
    ("text", "probe"),
    [
        ("tcp/443", {"proto": "tcp", "dport": "443", "family": 6}),
        ("TCP/6000-6010", {"proto": "tcp", "dport": "6000-6010", "family": 6}),
        ("icmpv6/packet-too-big", {"proto": "icmpv6", "type": 2, "family": 6}),
        ("icmpv6/1/4", {"proto": "icmpv6", "type": 1, "code": 4, "family": 6}),
        ("icmpv6/neighbor-solicitation", {"proto": "icmpv6", "type": 135, "family": 6}),
        ("icmpv6/router-advert", {"proto": "icmpv6", "type": 134, "family": 6}),
        ("icmp/echo-request", {"proto": "icmp", "type": 8, "family": 4}),
    ],
)
def test_a_packet_of_the_command_line(text: str, probe: dict[str, object]) -> None:
    """Names and numbers, as RFCs and both tools spell them."""
    assert described(text) == probe
    packet(described(text))


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        ({}, "proto"),
        ({"proto": "tpc"}, "'tpc'"),
        ({"proto": True}, "True"),
        ({"proto": 300}, "300"),
        ({"proto": "tcp", "dport": 70000}, "70000"),
        ({"proto": "tcp", "dport": "9-1"}, "'9-1'"),
        ({"proto": "tcp", "dport": 1.5}, "1.5"),
        ({"proto": "tcp", "dports": 22}, "did you mean dport"),
        ({"proto": "tcp", "dport": 22, "saddr": "here"}, "'here'"),
        ({"proto": "tcp", "dport": 22, "saddr": "::1", "family": 4}, "family 4"),
        ({"proto": "tcp", "dport": 22, "saddr": "::/129"}, "'::/129'"),
        ({"proto": "tcp", "dport": 22, "family": 5}, "5"),
        ({"proto": "tcp", "dport": 22, "hook": "ingress"}, "'ingress'"),
        ({"proto": "tcp", "dport": 22, "ct": ["new"]}, "['new']"),
        ({"proto": "tcp", "dport": 22, "flags": "sin"}, "'sin'"),
        ({"proto": "tcp", "dport": 22, "ext": "hop"}, "'hop'"),
        ({"proto": "tcp", "dport": 22, "iif": "a" * 16}, "interface"),
        ({"proto": "icmpv6"}, "type"),
        ({"proto": "icmpv6", "type": 128, "family": 4}, "family 4"),
        ({"proto": "icmp", "type": "x\x1b"}, r"'x\x1b'"),
    ],
)
def test_a_packet_that_cannot_be_is_one_clear_line(probe: dict[str, object], said: str) -> None:
    """The error ends in the offending value, and no control character of it gets out."""
    with pytest.raises(RuleError) as caught:
        packet(probe)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["", "tcp", "tcp/", "tcp/x", "443", "icmpv6/ping", "icmpv6/2000"])
def test_a_text_that_is_no_packet_is_refused(text: str) -> None:
    """What ``--packet`` does not take it names."""
    with pytest.raises(RuleError, match="is not a packet"):
        described(text)


def test_keys_of_the_askers_own_are_kept() -> None:
    """A program may carry along what it needs to know its packets again."""
    asked = packet({"proto": "tcp", "dport": 22, "id": "ssh", "comment": "x"})
    assert (asked.label, asked.given["comment"]) == ("ssh", "x")


def test_messages_of_one_type_are_told_apart() -> None:
    """A code is part of the name, as --packet takes it."""
    said = {"family": 4, "proto": "icmp", "type": 3}
    assert [packet({**said, "code": code}).label for code in (1, 4)] == ["icmp/3/1", "icmp/3/4"]


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ({"iif": "lo", "saddr": "::1", "daddr": "::1"}, (AddressType.LOCAL, AddressType.LOCAL)),
        ({"iif": "lo", "saddr": "2001:db8::1"}, (0, 255)),
        ({"iif": "eth0", "saddr": "2001:db8::1"}, (AddressType.UNICAST, AddressType.UNICAST)),
    ],
)
def test_what_comes_by_the_loopback_is_from_this_host(
    given: dict[str, Any], kinds: tuple[int, int]
) -> None:
    """Of its other addresses the kernel says so only where a rule asks without an interface."""
    asked = packet({"proto": "tcp", "dport": 22, **given})
    assert asked.values[Field.SADDR_TYPE] == (kinds,)
