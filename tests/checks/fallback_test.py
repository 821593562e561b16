"""fallback: the race, connections, pings and the path in, findings out."""

from __future__ import annotations

import pytest

from ipv6check import Attempt, Entrant, Failure, Finding, Kind, Outcome, Path, Pings
from ipv6check.testing import attempt, echo
from tests.checks.facts import (
    HERE,
    MAY_NOT_PING,
    NEAR,
    V4,
    V6,
    V6B,
    connections,
    judged,
    kept,
    pings,
    said,
    whole,
)

ANSWERS = pings(echo(V6), echo(V4))


def entrant(address: str, started_ms: float = 0.0, outcome: str = "connected") -> Entrant:
    """One attempt of a race."""
    return Entrant(address, "timer" if started_ms else "first", started_ms, 270.0, outcome)


IPV6_WINS = Outcome(443, V6, 12.0, (entrant(V6),))
IPV4_WINS = Outcome(443, V4, 270.0, (entrant(V6, 0, "cancelled"), entrant(V4, 250.0)))
NOBODY = Outcome(443, None, 3250.0, (entrant(V6, 0, "timeout"), entrant(V4, 250.0, "timeout")))


def fallback(
    race: Outcome | None,
    *attempts: Attempt,
    heard: Pings | Failure = ANSWERS,
    path: Path = HERE,
) -> list[Finding]:
    """What fallback finds in this race."""
    found = judged(
        "fallback", race=race, connections=connections(*attempts), pings=heard, path=path
    )
    assert whole(found)
    return found


def test_ipv6_that_wins_passes() -> None:
    """It tells how long a client waits."""
    found = fallback(IPV6_WINS, attempt(V6), attempt(V4))
    assert kept(found) == [("pass", None)]
    assert found[0].message == "IPv6 wins in 12 ms"
    assert found[0].evidence["winner"] == V6


def test_ipv6_that_wins_with_dead_addresses_passes() -> None:
    """Law 9: dead addresses are tcp's to fail; a word of them stands beside."""
    found = fallback(IPV6_WINS, attempt(V6), attempt(V6B, failure=Kind.TIMEOUT), attempt(V4))
    assert kept(found) == [("pass", None)]
    assert found[0].message == "IPv6 wins in 12 ms, 1 of 2 IPv6 addresses are dead: see tcp"


def test_one_family_alone_does_not_race() -> None:
    """Where there is nothing to fall back to, nothing falls back."""
    assert kept(fallback(None, attempt(V6))) == [("skip", None)]


def test_a_race_that_nobody_wins_skips() -> None:
    """A service that is down is tcp's to fail."""
    dead = (attempt(V6, failure=Kind.TIMEOUT), attempt(V4, failure=Kind.TIMEOUT))
    assert kept(fallback(NOBODY, *dead)) == [("skip", None)]


@pytest.mark.parametrize("state", ["no", "broken"])
def test_a_vantage_without_ipv6_is_unknown(state: str) -> None:
    """Law 1: here IPv4 wins against our own IPv6."""
    dead = (attempt(V6, failure=Kind.TIMEOUT), attempt(V4))
    found = fallback(IPV4_WINS, *dead, path=Path(state, "no IPv6 here"))
    assert kept(found) == [("unknown", "vantage")]
    assert found[0].message == "no IPv6 here"


@pytest.mark.parametrize(
    ("failure", "heard", "cause", "waits"),
    [
        (Kind.TIMEOUT, ANSWERS, "firewall", "133 s"),
        (Kind.TIMEOUT, pings(echo(V6, failure=Kind.TIMEOUT)), "network", "133 s"),
        (Kind.TIMEOUT, MAY_NOT_PING, "network", "133 s"),
        (Kind.REFUSED, ANSWERS, "host", "10 ms"),
        (said(Kind.PROHIBITED), ANSWERS, "firewall", "10 ms"),
    ],
)
def test_a_dead_ipv6_that_ipv4_hides_is_a_warning(
    failure: Failure | Kind, heard: Pings | Failure, cause: str, waits: str
) -> None:
    """Masked: it tells what browsers and what plain clients wait, and where the trouble is."""
    found = fallback(IPV4_WINS, attempt(V6, failure=failure), attempt(V4), heard=heard)
    assert kept(found) == [("warn", cause)]
    said_so = f"IPv4 hides it: +250 ms for browsers, {waits} for one by one clients"
    assert found[0].message == said_so
    assert "withdraw the AAAA" in found[0].hint
    assert [each["address"] for each in found[0].evidence["attempts"]] == [V6, V4]


def test_an_ipv6_that_our_own_router_ends_is_unknown() -> None:
    """Law 1: the target has nothing to mend, and need not withdraw its AAAA."""
    found = fallback(IPV4_WINS, attempt(V6, failure=NEAR), attempt(V4))
    assert kept(found) == [("unknown", "vantage")]


def test_each_dead_address_is_waited_for() -> None:
    """A client that tries one address after another waits for all of them."""
    dead = (attempt(V6, failure=Kind.TIMEOUT), attempt(V6B, failure=Kind.TIMEOUT))
    found = fallback(IPV4_WINS, *dead, attempt(V4), heard=MAY_NOT_PING)
    assert "267 s for one by one clients" in found[0].message
    assert found[0].evidence["sequential_ms"] == pytest.approx(267_200)


def test_only_the_port_of_the_race_counts() -> None:
    """What goes on on other ports is not what the race was about, but proves the host alive."""
    attempts = (attempt(V6, failure=Kind.TIMEOUT), attempt(V4), attempt(V6, 80), attempt(V4, 80))
    found = fallback(IPV4_WINS, *attempts, heard=MAY_NOT_PING)
    assert kept(found) == [("warn", "firewall")]


def test_ipv6_that_works_but_loses_is_a_warning() -> None:
    """A long way round: both times are told, and it is the network's."""
    slow = (attempt(V6, elapsed_ms=400), attempt(V4, elapsed_ms=20))
    found = fallback(IPV4_WINS, *slow)
    assert kept(found) == [("warn", None)]
    assert found[0].message == "IPv6 works but loses the race: 400 ms, IPv4 20 ms"
    assert "shorten the IPv6 path" in found[0].hint


def test_the_times_are_those_of_the_race_s_port() -> None:
    """A refusal on another port is quick, and is no connection."""
    attempts = (
        attempt(V6, elapsed_ms=400),
        attempt(V4, elapsed_ms=20),
        attempt(V4, 80, Kind.REFUSED, elapsed_ms=1),
    )
    assert "400 ms, IPv4 20 ms" in fallback(IPV4_WINS, *attempts)[0].message


def test_slow_beside_dead_is_called_slow() -> None:
    """One address works: the loss of the race is told, the dead one is tcp's."""
    attempts = (
        attempt(V6, elapsed_ms=400),
        attempt(V6B, failure=Kind.REFUSED),
        attempt(V4, elapsed_ms=20),
    )
    found = fallback(IPV4_WINS, *attempts)
    assert found[0].message.startswith("IPv6 works but loses the race: 400 ms")


def test_an_aaaa_that_comes_too_late_is_told_by_aaaa() -> None:
    """IPv4 was connected before an IPv6 attempt could begin: nothing is wrong with the path."""
    race = Outcome(443, V4, 62.0, (Entrant(V4, "first", 52.0, 62.0, "connected"),))
    found = fallback(race, attempt(V6), attempt(V4))
    assert kept(found) == [("skip", None)]
    assert found[0].message == "no race: IPv4 is connected before AAAA comes, see aaaa"


def test_what_comes_before_the_race_is_not_its_price() -> None:
    """The DNS is not part of what browsers wait for IPv6."""
    entrants = (entrant(V6, 40.0, "cancelled"), entrant(V4, 290.0))
    race = Outcome(443, V4, 300.0, entrants)
    found = fallback(race, attempt(V6, failure=Kind.TIMEOUT), attempt(V4))
    assert "+250 ms for browsers" in found[0].message


def test_an_unresolved_name_skips() -> None:
    """A Failure of the race's inputs is told by aaaa."""
    failure = Failure(Kind.SERVFAIL, "why")
    found = judged("fallback", race=failure, connections=connections(), pings=ANSWERS, path=HERE)
    assert kept(found) == [("skip", None)]
