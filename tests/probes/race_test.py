"""When a race is run, and on which port."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ipv6check.eyeballs.core import Resolved
from ipv6check.eyeballs.happy import Outcome
from ipv6check.model import Attempt, Kind
from ipv6check.probes.connections import Connections
from ipv6check.probes.race import race, resolved, system_order
from ipv6check.testing import FakeNet, answer, attempt
from tests.probes.observing import V4, V6, V6B, observed, published

PORTS = (443, 80)


def raced(*attempts: Attempt, found: tuple[str, ...] = (V6, V4)) -> tuple[Outcome | None, FakeNet]:
    """The race, and the network that it ran on; the survey has seen the same."""
    net = FakeNet(*attempts)
    seen = Connections(PORTS, named=False, attempts=attempts)
    return observed(race(published(*found), seen, net)), net


@pytest.mark.parametrize("found", [(V6,), (V4,), ()])
def test_one_family_alone(found: tuple[str, ...]) -> None:
    """There is no race, and no packet, where only one family can run."""
    outcome, net = raced(found=found)
    assert outcome is None
    assert net.calls == []


def test_first_port() -> None:
    """IPv6 goes first, and where it wins nobody else starts."""
    outcome, net = raced(attempt(V6, 443), attempt(V4, 443), attempt(V6, 80))
    assert outcome is not None
    assert (outcome.winner, outcome.port) == (V6, 443)
    assert net.calls == [("connect", V6, 443)]


def test_next_port() -> None:
    """There is no race on a port that nothing accepts on."""
    closed = [attempt(address, 443, Kind.REFUSED) for address in (V6, V4)]
    outcome, net = raced(*closed, attempt(V6, 80, Kind.REFUSED), attempt(V4, 80))
    assert outcome is not None
    assert (outcome.winner, outcome.port) == (V4, 80)
    assert net.calls == [("connect", V6, 80), ("connect", V4, 80)]


def test_nobody_wins() -> None:
    """Where every port is closed nobody starts, and nobody wins."""
    closed = [attempt(a, port, Kind.REFUSED) for port in PORTS for a in (V6, V4)]
    outcome, net = raced(*closed)
    assert outcome == Outcome(443, None, 0.0, ())
    assert net.calls == []


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
