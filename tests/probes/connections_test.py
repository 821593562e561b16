"""Which handshakes are tried."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from ipv6check.config.target import parse
from ipv6check.model import Attempt, Kind
from ipv6check.net import own_time
from ipv6check.probes.connections import Connections, connections
from ipv6check.testing import SETTINGS, FakeNet, attempt
from tests.probes.observing import V4, V4B, V6, V6B, observed, published


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
    """Each address is tried on each port once, told IPv6 first, and a failure is an attempt too."""
    tried = [
        attempt(address, port, Kind.REFUSED if port == 80 else None)
        for address in (V6, V6B, V4)
        for port in (443, 80)
    ]
    net = FakeNet(*tried)
    seen = observed(connections(published(V6, V6B, V4), parse("www.example"), SETTINGS, net))
    assert Connections((443, 80), named=False, attempts=tuple(tried)) == seen
    assert (len(seen.ipv6), len(seen.ipv4)) == (4, 2)
    assert [call[1:] for call in net.calls] == [
        *((V6, 443), (V6, 80), (V4, 443), (V4, 80)),
        *((V6B, 443), (V6B, 80)),
    ]


class Slow(FakeNet):
    """A network on which every handshake takes its time, and says how many are under way."""

    def __init__(self, lasts_s: float) -> None:
        super().__init__()
        self.lasts_s = lasts_s
        self.starts: list[float] = []
        self.under_way = self.most = 0

    async def connect(self, address: str, port: int, *, once: bool = False) -> Attempt:  # noqa: ARG002
        """Silence."""
        self.starts.append(asyncio.get_running_loop().time())
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(self.lasts_s)
        self.under_way -= 1
        return attempt(address, port, Kind.TIMEOUT)


def test_the_survey_is_polite() -> None:
    """At most six attempts at once, and no two closer than 10 ms."""
    net = Slow(0.1)
    many = published(*(f"2d00:6ab:1::{number}" for number in range(1, 6)), V4, V4B)
    seen = observed(connections(many, parse("www.example"), SETTINGS, net))
    assert (len(seen.attempts), seen.untried) == (14, 0)
    assert net.most == 6
    assert all(other - one >= 0.0099 for one, other in pairwise(net.starts))


@pytest.mark.slow
def test_what_there_is_no_time_for_is_counted() -> None:
    """What ended in time counts, the first addresses of both families before the others."""
    net = Slow(0.7)
    hasty = replace(SETTINGS, timeout_s=0.2, deadline_s=2.0)
    many = published(*(f"2d00:6ab:1::{number}" for number in range(1, 41)), V4)

    async def within_two_seconds() -> Connections:
        own_time.begin(2.0)
        return await connections(many, parse("www.example"), hasty, net)

    seen = observed(within_two_seconds())
    assert (len(seen.attempts), seen.untried) == (12, 70)
    assert {attempt.address for attempt in seen.ipv4} == {V4}
    assert [attempt.address for attempt in seen.ipv6[::2]] == list(many.ipv6[:5])


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
