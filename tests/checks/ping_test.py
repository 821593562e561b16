"""ping: echoes, connections and the path in, findings out."""

from __future__ import annotations

import pytest

from ipv6check import Attempt, Connections, Echo, Failure, Finding, Kind, Path, Pings
from ipv6check.testing import attempt, echo
from tests.checks.facts import (
    HERE,
    MAY_NOT_PING,
    NEAR,
    ROUTER,
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

OPEN = connections(attempt(V6), attempt(V4))


def ping(heard: Pings | Failure, accepted: Connections = OPEN, path: Path = HERE) -> list[Finding]:
    """What ping finds in these echoes."""
    found = judged("ping", pings=heard, connections=accepted, path=path)
    assert whole(found)
    return found


@pytest.mark.parametrize(
    ("heard", "says"),
    [
        (pings(echo(V6), echo(V4, 20.0)), "0 % loss, 10 ms (IPv4 20 ms)"),
        (pings(echo(V6)), "0 % loss, 10 ms (no IPv4)"),
        (pings(echo(V6), echo(V4, failure=Kind.TIMEOUT)), "0 % loss, 10 ms (IPv4 gives no reply)"),
        (pings(echo(V6), echo(V6B, 5.0)), "0 % loss of 2 addresses, 5.0 ms (no IPv4)"),
        (pings(echo(V6, received=2)), "33 % loss, 10 ms (no IPv4)"),
        (pings(echo(V6, sent=4, received=2)), "50 % loss, 10 ms (no IPv4)"),
    ],
)
def test_answered_passes(heard: Pings, says: str) -> None:
    """Half of the requests may be lost; the time of IPv4 stands beside."""
    found = ping(heard)
    assert kept(found) == [("pass", None)]
    assert found[0].message == says
    assert len(found[0].evidence["echoes"]) == len(heard.echoes)


def test_no_permission_skips() -> None:
    """A host that may not ping has not measured, and its user is told how it could."""
    found = ping(MAY_NOT_PING)
    assert kept(found) == [("skip", None)]
    assert found[0].message == "this user may not ping"


def test_no_time_is_unknown() -> None:
    """What was not heard in the target's time is not known; what was heard is judged."""
    found = ping(Pings((), (V6, V6B)))
    assert (kept(found), found[0].id) == ([("unknown", "network")], "no-time")
    assert found[0].message.startswith(f"no ping of {V6} and 1 other ended")
    found = ping(Pings((echo(V6, received=0, failure=Kind.TIMEOUT),), (V6B,)))
    assert [finding.id for finding in found] == ["filtered", "no-time"]
    assert kept(ping(Pings((echo(V6),), (V4,)))) == [("pass", None)]


def test_nothing_to_ping_skips() -> None:
    """Without an IPv6 address aaaa has said it all."""
    assert kept(ping(pings())) == [("skip", None)]


@pytest.mark.parametrize("state", ["no", "broken"])
def test_a_vantage_without_ipv6_is_unknown(state: str) -> None:
    """Law 1."""
    found = ping(pings(echo(V6, failure=Kind.TIMEOUT)), path=Path(state, "no IPv6 here"))
    assert kept(found) == [("unknown", "vantage")]
    assert found[0].message == "no IPv6 here"


@pytest.mark.parametrize(
    ("lost", "says"),
    [
        (echo(V6, failure=Kind.TIMEOUT), f"no echo reply from {V6}, although TCP works"),
        (
            echo(V6, failure=said(Kind.PROHIBITED, "says prohibited")),
            f"no echo reply from {V6} ({ROUTER} says prohibited), although TCP works",
        ),
        (Echo(V6, 3, 0), f"no echo reply from {V6}, although TCP works"),
    ],
)
def test_lost_where_tcp_works_is_a_warning(lost: Echo, says: str) -> None:
    """Law 5: never more than a warning; without a cause of its own it is the check's, firewall."""
    found = ping(pings(lost, echo(V4)))
    assert kept(found) == [("warn", None)]
    assert (found[0].message, found[0].subject) == (says, V6)
    assert "types 128 and 129" in found[0].hint
    assert found[0].evidence["ipv6"]["received"] == 0
    assert [twin["address"] for twin in found[0].evidence["ipv4"]] == [V4]


def test_a_refused_connection_is_an_answer_too() -> None:
    """A host that resets is alive, so the lost ping is worth a word."""
    accepted = connections(attempt(V6, failure=Kind.REFUSED))
    assert kept(ping(pings(echo(V6, failure=Kind.TIMEOUT)), accepted)) == [("warn", None)]


@pytest.mark.parametrize(
    ("failure", "what", "cause"),
    [
        (NEAR, "no-route-from-here", "network"),
        (Failure(Kind.TIMEOUT, "this host's IPv6 reaches nobody", near=True), "untried", "vantage"),
        (Failure(Kind.NO_LOCAL_ROUTE, "Operation not permitted"), "untried", "vantage"),
    ],
)
def test_lost_by_this_host_is_unknown(failure: Failure, what: str, cause: str) -> None:
    """Law 1, whether TCP works or was not tried either."""
    for accepted in (OPEN, connections(attempt(V6, failure=failure))):
        (found,) = ping(pings(echo(V6, failure=failure)), accepted)
        assert (found.status, found.id, found.cause) == ("unknown", what, cause)


@pytest.mark.parametrize(
    "attempts",
    [
        (attempt(V6, failure=Kind.TIMEOUT),),
        (attempt(V6, failure=said(Kind.REFUSED)),),
        (attempt(V6B),),
        (attempt(V4),),
    ],
)
def test_lost_where_nothing_answers_skips(attempts: tuple[Attempt, ...]) -> None:
    """One cause, one failure: tcp names an address that answers nothing at all."""
    found = ping(pings(echo(V6, failure=Kind.TIMEOUT)), connections(*attempts))
    assert kept(found) == [("skip", None)]
    assert found[0].subject == V6


def test_partial_loss_is_a_warning_of_the_network() -> None:
    """More than half of the requests are lost: the path is at fault, not a filter."""
    found = ping(pings(echo(V6, received=1), echo(V4, 20.0)))
    assert kept(found) == [("warn", "network")]
    assert found[0].message == f"2 of 3 pings to {V6} are lost (IPv4 20 ms)"
    assert found[0].subject == V6


def test_each_address_is_judged() -> None:
    """The good address passes in silence, each bad one is named."""
    accepted = connections(attempt(V6), attempt(V6B))
    heard = pings(echo("2001:470::3"), echo(V6, received=1), echo(V6B, failure=Kind.TIMEOUT))
    found = ping(heard, accepted)
    assert [finding.subject for finding in found] == [V6, V6B]
    assert kept(found) == [("warn", "network"), ("warn", None)]
