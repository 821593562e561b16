"""Which addresses are pinged."""

from __future__ import annotations

import asyncio

from ipv6check.model import Echo, Failure, Kind
from ipv6check.net import own_time
from ipv6check.probes.pings import Pings, pings
from ipv6check.testing import FakeNet, echo
from tests.probes.observing import V4, V6, V6B, observed, published


def test_every_address_once() -> None:
    """Each address is pinged, IPv6 first; loss and silence are echoes too."""
    echoes = (echo(V6), echo(V6B, failure=Kind.TIMEOUT), echo(V4, 5.0, received=1))
    net = FakeNet(*echoes)
    seen = observed(pings(published(V6, V6B, V4), net))
    assert isinstance(seen, Pings)
    assert (echoes, echoes[:2], echoes[2:]) == (seen.echoes, seen.ipv6, seen.ipv4)
    assert echoes[1] == seen.to(V6B)
    assert seen.to("2d00::1") is None
    assert net.calls == [("ping", V6), ("ping", V6B), ("ping", V4)]


def test_no_permission() -> None:
    """Where this host permits no ping over IPv6 that is all there is to say."""
    seen = observed(pings(published(V6, V4), FakeNet(echo(V4), failures={V6: Kind.PERMISSION})))
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.PERMISSION


def test_no_permission_over_ipv4() -> None:
    """Where it permits none over IPv4 the twin is missing."""
    seen = observed(pings(published(V6, V4), FakeNet(echo(V6), failures={V4: Kind.PERMISSION})))
    assert isinstance(seen, Pings)
    assert ((echo(V6),), ()) == (seen.ipv6, seen.ipv4)


def test_without_ipv6_nothing_is_sent() -> None:
    """Where there is no IPv6 address nobody is pinged."""
    net = FakeNet()
    assert observed(pings(published(V4), net)) == Pings(())
    assert net.calls == []


def test_what_does_not_come_back_in_time() -> None:
    """Who answered in the target's time has answered; the others are told."""

    class Half(FakeNet):
        async def ping(self, address: str) -> Echo | Failure:
            """All but one answer at once."""
            await asyncio.sleep(60 if address == V6B else 0)
            return echo(address)

    async def within_half_a_second() -> Pings | Failure:
        own_time.begin(0.2)
        return await pings(published(V6, V6B, V4), Half())

    assert observed(within_half_a_second()) == Pings((echo(V6), echo(V4)), (V6B,))
