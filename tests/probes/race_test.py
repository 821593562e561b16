"""When a race is run, and on which port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from ipv6check.eyeballs.core import Resolved
from ipv6check.eyeballs.happy import Outcome
from ipv6check.model import Attempt, Kind, Settings
from ipv6check.probes.connections import Connections
from ipv6check.probes.race import policy_of, race, resolved, system_order
from ipv6check.testing import SETTINGS, FakeNet, answer, attempt
from tests.probes.observing import V4, V4B, V6, V6B, observed, published

PORTS = (443, 80)


def raced(
    *attempts: Attempt, found: tuple[str, ...] = (V6, V4), settings: Settings = SETTINGS
) -> tuple[Mapping[int, Outcome], FakeNet]:
    """The races by port, and the network that they ran on; the survey has seen the same."""
    net = FakeNet(*attempts)
    seen = Connections(PORTS, named=False, attempts=attempts)
    return observed(race(published(*found), seen, settings, net)), net


@pytest.mark.parametrize("found", [(V6,), (V4,), (V4, V4B), ()])
def test_nothing_to_race(found: tuple[str, ...]) -> None:
    """There is no race, and no packet, where one address is all, or none is IPv6."""
    outcomes, net = raced(*(attempt(each) for each in found), found=found)
    assert outcomes == {}
    assert net.calls == []


def test_every_port_that_is_offered() -> None:
    """IPv6 goes first, and where it wins nobody else starts."""
    outcomes, net = raced(attempt(V6, 443), attempt(V4, 443), attempt(V6, 80))
    assert [(port, each.port, each.winner) for port, each in outcomes.items()] == [
        (443, 443, V6),
        (80, 80, V6),
    ]
    assert net.calls == [("connect", V6, 443), ("connect", V6, 80)]


def test_a_closed_port_is_left_alone() -> None:
    """There is no race on a port that nothing accepts on."""
    closed = [attempt(address, 443, Kind.REFUSED) for address in (V6, V4)]
    outcomes, net = raced(*closed, attempt(V6, 80, Kind.REFUSED), attempt(V4, 80))
    assert {port: each.winner for port, each in outcomes.items()} == {80: V4}
    assert net.calls == [("connect", V6, 80), ("connect", V4, 80)]


def test_nobody_wins() -> None:
    """Where every port is closed nobody starts."""
    closed = [attempt(a, port, Kind.REFUSED) for port in PORTS for a in (V6, V4)]
    outcomes, net = raced(*closed)
    assert outcomes == {}
    assert net.calls == []


def test_two_addresses_of_ipv6_race_each_other() -> None:
    """One of them may be dead, whether there is IPv4 or not."""
    outcomes, _ = raced(attempt(V6, failure=Kind.REFUSED), attempt(V6B), found=(V6, V6B))
    assert outcomes[443].winner == V6B
    assert outcomes[443].order == (V6, V6B)


def test_the_constants_that_were_asked_for() -> None:
    """They are in the outcome; another algorithm has its own."""
    settings = replace(SETTINGS, connection_attempt_delay_ms=100.0, resolution_delay_ms=20.0)
    outcomes, _ = raced(attempt(V6), attempt(V4), settings=settings)
    policy = outcomes[443].policy
    assert (policy.connection_attempt_delay_ms, policy.resolution_delay_ms) == (100.0, 20.0)
    older = policy_of(replace(settings, happy_eyeballs="rfc6555"))
    assert older.fallback_delay_ms == 100.0


def test_what_the_race_hears() -> None:
    """The race is told of usable addresses alone, and when they came."""
    found = replace(published(V6, V4), aaaa=answer("x", "AAAA", "fd00::1", V6, elapsed_ms=9.0))
    assert resolved(found) == {"AAAA": Resolved((V6,), 9.0), "A": Resolved((V4,), 0.0)}


def test_the_kernel_s_source_counts() -> None:
    """The order is by the source address that was seen, and the vantage's own where none was."""
    found = published(V6, V6B, V4)
    nothing = Connections(PORTS, named=False, attempts=())
    assert system_order(found, nothing, "2d00:6ab:c::2") == [V6, V6B, V4]
    assert system_order(found, nothing, None) == [V4, V6, V6B]
    near = replace(attempt(V6B), source="2d00:6ab:1::9")
    seen = replace(nothing, attempts=(near,))
    assert system_order(found, seen, "2d00:6ab:c::2") == [V6B, V6, V4]
    odd = replace(attempt(V6), source="fd00::9")
    assert system_order(found, replace(seen, attempts=(odd,)), None) == [V4, V6, V6B]
