"""When a race is run, and on which port."""

from __future__ import annotations

import pytest

from ipv6check.eyeballs.happy import Outcome
from ipv6check.model import Attempt, Kind
from ipv6check.probes.race import race
from ipv6check.target import parse
from ipv6check.testing import SETTINGS, FakeNet, attempt
from tests.probes.observing import V4, V6, observed, published


def raced(*attempts: Attempt, found: tuple[str, ...] = (V6, V4)) -> tuple[Outcome | None, FakeNet]:
    """The race, and the network that it ran on."""
    net = FakeNet(*attempts)
    outcome = observed(race(published(*found), parse("www.example"), SETTINGS, net))
    return outcome, net


@pytest.mark.parametrize("found", [(V6,), (V4,), ()])
def test_one_family_alone(found: tuple[str, ...]) -> None:
    """There is no race, and no packet, where only one family can run."""
    outcome, net = raced(found=found)
    assert outcome is None
    assert net.calls == []


def test_first_port() -> None:
    """IPv6 goes first, and where it wins nobody else starts."""
    outcome, net = raced(attempt(V6, 443))
    assert outcome is not None
    assert (outcome.winner, outcome.port) == (V6, 443)
    assert net.calls == [("connect", V6, 443)]


def test_next_port() -> None:
    """A port that nothing answers on gives way to the next."""
    closed = [attempt(address, 443, Kind.REFUSED) for address in (V6, V4)]
    outcome, _ = raced(*closed, attempt(V6, 80))
    assert outcome is not None
    assert (outcome.winner, outcome.port) == (V6, 80)


def test_nobody_wins() -> None:
    """Where every port is closed the last race is told."""
    closed = [attempt(a, port, Kind.REFUSED) for port in (443, 80) for a in (V6, V4)]
    outcome, _ = raced(*closed)
    assert outcome is not None
    assert (outcome.winner, outcome.port, len(outcome.entrants)) == (None, 80, 2)
