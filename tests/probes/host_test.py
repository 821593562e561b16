"""What a host is to IPv6."""

from __future__ import annotations

from ipv6check.model import Failure, HostState, Kind, NameServer
from ipv6check.probes.here import Here
from ipv6check.probes.host import Host, host
from ipv6check.testing import FakeNet
from tests.probes.observing import observed

STATE = HostState((), None, None, bindv6only=True)
SERVERS = (NameServer("2001:db8::53"),)


def test_this_host() -> None:
    """Kernel, resolvers and getaddrinfo are asked once each."""
    net = FakeNet(host=STATE, name_servers=SERVERS, preference=["192.0.2.1", "2001:db8::1"])
    seen = observed(host(Here(("::1",)), net))
    assert seen == Host(STATE, SERVERS, ("192.0.2.1", "2001:db8::1"))
    assert sorted(net.calls) == [("host",), ("name_servers",), ("preference",)]


def test_another_host() -> None:
    """Nothing is asked for a target elsewhere."""
    net = FakeNet()
    assert observed(host(Here(()), net)) is None
    assert net.calls == []


def test_failure() -> None:
    """A kernel that does not tell is a Failure."""
    failure = Failure(Kind.PERMISSION, "why")
    assert observed(host(Here(("::1",)), FakeNet(host=failure))) == failure
