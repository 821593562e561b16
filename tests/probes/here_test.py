"""Which of a target's addresses are this host's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ipv6check.probes.addresses import Addresses
from ipv6check.probes.here import Here, here
from ipv6check.testing import FakeNet, answer
from tests.probes.observing import V4, V6, V6B, observed, published, resolved

NAME = "www.example"


@pytest.mark.parametrize(
    ("own", "found"),
    [((), ()), ((V4,), (V4,)), ((V4, V6B), (V6B, V4)), (("2d00::9",), ())],
)
def test_own_addresses(own: tuple[str, ...], found: tuple[str, ...]) -> None:
    """Those of the target that the kernel knows as its own, IPv6 first; nothing is sent."""
    net = FakeNet(own=own)
    seen = observed(here(published(V6, V6B, V4), net))
    assert seen == Here(found)
    assert net.calls == []
    assert not seen.loopback
    assert (seen.ipv6, seen.ipv4) == (
        tuple(address for address in found if ":" in address),
        tuple(address for address in found if ":" not in address),
    )


@pytest.mark.parametrize("text", ["localhost", "a.localhost:80", "::1", "[::1]:8080"])
def test_loopback(text: str) -> None:
    """Whoever writes localhost or ::1 means this host, as only itself can reach it."""
    net = FakeNet()
    addresses = resolved(text, net)
    assert isinstance(addresses, Addresses)
    assert observed(here(addresses, net)).loopback


def test_addresses_that_packets_may_not_go_to() -> None:
    """A private address of this host is this host; a name with loopback addresses is a mistake."""
    net = FakeNet(
        answer(NAME, "AAAA", "fd00::1", "::1"),
        answer(NAME, "A", "10.0.0.1", "127.0.0.1"),
        own=["fd00::1", "10.0.0.1"],
    )
    addresses = resolved(NAME, net)
    assert isinstance(addresses, Addresses)
    assert observed(here(addresses, net)) == Here(("fd00::1", "10.0.0.1"))
    addresses = replace(addresses, unusable=(), a=None)
    assert observed(here(addresses, net)) == Here(())
