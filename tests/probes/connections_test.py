"""Which handshakes are tried."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ipv6check.model import Kind
from ipv6check.probes.connections import Connections, connections
from ipv6check.target import parse
from ipv6check.testing import SETTINGS, FakeNet, attempt
from tests.probes.observing import V4, V6, V6B, observed, published


@pytest.mark.parametrize(
    ("text", "ports", "expected"),
    [
        ("www.example", (), (443, 80)),
        ("www.example:8443", (), (8443,)),
        ("http://www.example", (), (80,)),
        ("smtp://www.example", (), (25,)),
        ("www.example", (22, 23), (22, 23)),
        ("www.example:8443", (22,), (8443,)),
    ],
)
def test_ports(text: str, ports: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """The target's own port counts before the option's, that before the profile's."""
    assert expected == replace(SETTINGS, ports=ports).ports_for(parse(text).ports)


def test_every_address_on_every_port() -> None:
    """Each address is tried on each port once, IPv6 first, and a failure is an attempt too."""
    tried = [
        attempt(address, port, Kind.REFUSED if port == 80 else None)
        for address in (V6, V6B, V4)
        for port in (443, 80)
    ]
    net = FakeNet(*tried)
    seen = observed(connections(published(V6, V6B, V4), parse("www.example"), SETTINGS, net))
    assert Connections((443, 80), named=False, attempts=tuple(tried)) == seen
    assert (len(seen.ipv6), len(seen.ipv4)) == (4, 2)
    assert [("connect", each.address, each.port) for each in tried] == net.calls


def test_named_ports() -> None:
    """A port that the user wrote has to be open; a scheme's is written too."""
    for text, named in (("www.example:443", True), ("https://www.example", True)):
        net = FakeNet(attempt(V6, 443))
        seen = observed(connections(published(V6), parse(text), SETTINGS, net))
        assert named is seen.named


def test_without_ipv6_nothing_is_sent() -> None:
    """Where there is no IPv6 address there is nothing to compare."""
    net = FakeNet()
    assert observed(connections(published(V4), parse("x.example"), SETTINGS, net)).attempts == ()
    assert net.calls == []
