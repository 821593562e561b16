"""What listens on the target's ports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ipv6check.config.profiles import PROFILES
from ipv6check.config.target import parse
from ipv6check.model import Failure, Kind, Listener
from ipv6check.probes.here import Here
from ipv6check.probes.listeners import Listeners, covers, listeners
from ipv6check.testing import SETTINGS, FakeNet, attempt
from tests.probes.observing import V4, V6, observed

LOOPBACK = Here(("::1", "127.0.0.1"))
DNS = Listener("udp", "::", 443)
WEB, SSH = Listener("tcp", "::", 443, dual=True), Listener("tcp", "0.0.0.0", 22)


def test_elsewhere_nothing_is_read() -> None:
    """A target on another host costs nothing."""
    net = FakeNet(listeners=[WEB])
    seen = observed(listeners(Here(()), parse("www.example"), SETTINGS, net))
    assert seen == Listeners(Here(()), (443, 80), named=False, sockets=())
    assert net.calls == []


@pytest.mark.parametrize(
    ("text", "profile", "ports", "sockets"),
    [
        ("localhost", "web", (443, 80), (WEB,)),
        ("localhost:22", "web", (22,), (SSH,)),
        ("localhost", "host", (), (SSH, WEB, DNS)),
        ("localhost:22", "host", (22,), (SSH,)),
    ],
)
def test_ports(
    text: str, profile: str, ports: tuple[int, ...], sockets: tuple[Listener, ...]
) -> None:
    """TCP on the target's ports; everything where the profile has no ports of its own."""
    settings = replace(SETTINGS, profile=PROFILES[profile])
    refused = [
        attempt(address, port, failure=Kind.REFUSED)
        for address in LOOPBACK.addresses
        for port in (22, 80)
    ]
    net = FakeNet(*refused, listeners=[SSH, WEB, DNS])
    seen = observed(listeners(LOOPBACK, parse(text), settings, net))
    expected = Listeners(LOOPBACK, ports, named=":" in text, sockets=sockets)
    assert isinstance(seen, Listeners)
    assert replace(seen, attempts=()) == expected


def test_what_has_no_socket_is_tried() -> None:
    """Somebody else may serve it; a port with a socket for each address is not tried."""
    there = [attempt(address, 80) for address in LOOPBACK.addresses]
    net = FakeNet(*there, listeners=[WEB])
    seen = observed(listeners(LOOPBACK, parse("localhost"), SETTINGS, net))
    assert isinstance(seen, Listeners)
    assert seen.attempts == tuple(there)
    assert sorted(net.calls) == [
        ("connect", "127.0.0.1", 80),
        ("connect", "::1", 80),
        ("listeners",),
    ]


def test_failure() -> None:
    """What the kernel does not tell is a Failure."""
    failure = Failure(Kind.PERMISSION, "why")
    net = FakeNet(listeners=failure)
    assert observed(listeners(LOOPBACK, parse("localhost"), SETTINGS, net)) == failure


@pytest.mark.parametrize(
    ("listener", "address", "reached"),
    [
        (Listener("tcp", "::", 80), V6, True),
        (Listener("tcp", "::", 80), V4, False),
        (Listener("tcp", "::", 80, dual=True), V4, True),
        (Listener("tcp", "0.0.0.0", 80), V4, True),
        (Listener("tcp", "0.0.0.0", 80), V6, False),
        (Listener("tcp", V6, 80), V6, True),
        (Listener("tcp", "::1", 80), V6, False),
        (Listener("tcp", "::1", 80), "::1", True),
        (Listener("tcp", "::", 80, interface="lo"), V6, False),
        (Listener("tcp", "::", 80, interface="lo"), "::1", True),
        (Listener("tcp", "::", 80, interface="eth0"), "::1", False),
        (Listener("tcp", "::", 80, interface="eth0"), V6, True),
    ],
)
def test_covers(listener: Listener, address: str, reached: bool) -> None:  # noqa: FBT001
    """Which addresses of this host a socket serves, by its address, family and interface."""
    assert covers(listener, address) is reached


def test_the_narrowest_socket_serves() -> None:
    """A socket of the address wins over one of the family, and that over a dual-stack one."""
    exact, family = Listener("tcp", V4, 80), Listener("tcp", "0.0.0.0", 80)
    dual, other = Listener("tcp", "::", 80, dual=True), Listener("tcp", V4, 81)
    for left in ((exact, family, dual), (family, dual), (dual,)):
        seen = Listeners(LOOPBACK, (80,), named=True, sockets=(*reversed(left), other))
        assert seen.serving(80, V4) == (left[0],)
    assert Listeners(LOOPBACK, (80,), named=True, sockets=(other,)).serving(80, V4) == ()
