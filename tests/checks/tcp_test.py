"""tcp: connections, pings and the path in, findings out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ipv6check import Attempt, Echo, Failure, Finding, Kind, Path, Pings
from ipv6check.probes.path import PortControl
from ipv6check.testing import attempt, echo
from tests.checks.facts import (
    HERE,
    MAY_NOT_PING,
    NEAR,
    V4,
    V4B,
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
SILENT = pings(echo(V6, failure=Kind.TIMEOUT), echo(V4))
NO_ROUTE_HERE = Failure(Kind.NO_LOCAL_ROUTE, "Network is unreachable")


def tcp(
    *attempts: Attempt,
    named: bool = False,
    heard: Pings | Failure = ANSWERS,
    path: Path = HERE,
) -> list[Finding]:
    """What tcp finds in these attempts."""
    found = judged("tcp", connections=connections(*attempts, named=named), pings=heard, path=path)
    assert whole(found)
    return found


def pair(port: int = 443, v6: Any = None, v4: Any = None) -> tuple[Attempt, Attempt]:
    """An attempt of each family on one port, each with its failure."""
    return attempt(V6, port, v6), attempt(V4, port, v4, 20.0)


# --- what is well ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempts", "says"),
    [
        (pair(), "443 open on 1 address, 10 ms (IPv4 20 ms)"),
        ((*pair(443), *pair(80)), "443 and 80 open on 1 address, "),
        ((attempt(V6), attempt(V6B), attempt(V4)), "443 open on 2 addresses, "),
        ((attempt(V6),), "443 open on 1 address, 10 ms (no IPv4)"),
        ((*pair(443), *pair(80, Kind.REFUSED, Kind.REFUSED)), "443 open on 1 address, "),
        ((attempt(V6), attempt(V4, failure=NO_ROUTE_HERE)), "443 open on 1 address"),
    ],
)
def test_open_over_ipv6_passes(attempts: tuple[Attempt, ...], says: str) -> None:
    """Every offered port is open; what is closed over both families is not offered."""
    found = tcp(*attempts)
    assert kept(found) == [("pass", None)]
    assert found[0].message.startswith(says)
    assert len(found[0].evidence["attempts"]) == len(attempts)


def test_nothing_to_connect_to_skips() -> None:
    """Without an IPv6 address aaaa has said it all."""
    assert kept(tcp()) == [("skip", None)]


@pytest.mark.parametrize("state", ["no", "broken"])
def test_a_vantage_without_ipv6_is_unknown(state: str) -> None:
    """Law 1: whatever the attempts say, and with a hint what to do."""
    found = tcp(*pair(v6=Kind.TIMEOUT), path=Path(state, "no IPv6 here"))
    assert kept(found) == [("unknown", "vantage")]
    assert found[0].message == "no IPv6 here"
    assert "--on-unknown pass" in found[0].hint


# --- one family is down ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "heard", "cause", "says", "hint"),
    [
        (Kind.TIMEOUT, ANSWERS, "firewall", "is silent", "the host answers ping, so"),
        (Kind.TIMEOUT, SILENT, "network", "is silent", "no reply at all: check"),
        (Kind.TIMEOUT, MAY_NOT_PING, "network", "is silent", "no reply at all: check"),
        (Kind.REFUSED, ANSWERS, "host", "refuses", f"bind the service to [{V6}]:443"),
        (Kind.RESET, ANSWERS, "host", "resets the connection", f"bind the service to [{V6}]:443"),
        (said(Kind.REFUSED), ANSWERS, "firewall", "fails: ", "a firewall rejects it"),
        (said(Kind.RESET), ANSWERS, "firewall", "fails: ", "a firewall rejects it"),
        (said(Kind.PROHIBITED), ANSWERS, "firewall", "fails: ", "a firewall rejects it"),
        (said(Kind.PORT_UNREACHABLE), ANSWERS, "firewall", "fails: ", "a firewall rejects it"),
        (said(Kind.NO_ROUTE), ANSWERS, "network", "fails: ", "check the address"),
        (said(Kind.ADDRESS_UNREACHABLE), ANSWERS, "network", "fails: ", "check the address"),
        (said(Kind.HOP_LIMIT), ANSWERS, "network", "fails: ", "check the address"),
        (Kind.OTHER, ANSWERS, "network", "fails: other", "check the address"),
    ],
)
def test_a_dead_address_fails_with_its_twin(
    failure: Failure | Kind, heard: Pings | Failure, cause: str, says: str, hint: str
) -> None:
    """Where IPv4 connects, IPv6 fails with both sides, the cause and what to do."""
    found = tcp(*pair(v6=failure), heard=heard)
    assert kept(found) == [("fail", cause)]
    assert found[0].subject == f"[{V6}]:443"
    assert found[0].message.startswith(f"[{V6}]:443 {says}")
    assert found[0].message.endswith(", IPv4 connects in 20 ms")
    assert hint in found[0].hint
    assert found[0].evidence["ipv6"]["address"] == V6
    assert found[0].evidence["ipv4"]["outcome"] == "connected"


def test_another_open_port_makes_silence_a_filter_s() -> None:
    """A host that accepts 80 is there: silence on 443 is filtered, even where pings are lost."""
    found = tcp(*pair(443, Kind.TIMEOUT), *pair(80), heard=SILENT)
    assert kept(found) == [("fail", "firewall")]
    assert found[0].hint.startswith("the host answers on other ports, so a firewall drops TCP 443")


def test_a_refusal_on_another_port_makes_silence_a_filter_s() -> None:
    """A reset is the host's own answer too."""
    found = tcp(*pair(443, Kind.TIMEOUT), *pair(80, Kind.REFUSED, Kind.REFUSED), heard=SILENT)
    assert kept(found) == [("fail", "firewall")]


def test_a_router_s_word_on_another_port_proves_no_host() -> None:
    """An ICMP error carries its sender: the address itself has not answered."""
    unreachable = said(Kind.REFUSED)
    found = tcp(*pair(443, Kind.TIMEOUT), *pair(80, unreachable, Kind.REFUSED), heard=SILENT)
    assert kept(found) == [("fail", "network")]


def test_one_dead_address_of_three_is_named() -> None:
    """Law 3: good addresses do not make up for a bad one."""
    found = tcp(attempt(V6), attempt(V6B, failure=Kind.TIMEOUT), attempt(V4), heard=MAY_NOT_PING)
    assert kept(found) == [("fail", "network")]
    assert found[0].subject == f"[{V6B}]:443"


def test_each_dead_port_is_a_finding() -> None:
    """Both ports are open over IPv4 and silent over IPv6: two findings."""
    found = tcp(*pair(443, Kind.TIMEOUT), *pair(80, Kind.REFUSED))
    assert [finding.subject for finding in found] == [f"[{V6}]:443", f"[{V6}]:80"]
    assert kept(found) == [("fail", "firewall"), ("fail", "host")]


def test_the_quickest_twin_is_told() -> None:
    """Of several IPv4 addresses the one that connects, and the quickest of those."""
    found = tcp(
        attempt(V6, failure=Kind.REFUSED),
        attempt("192.0.33.7", failure=Kind.REFUSED, elapsed_ms=1.0),
        attempt(V4, elapsed_ms=30.0),
        attempt(V4B, elapsed_ms=20.0),
    )
    assert "IPv4 connects in 20 ms" in found[0].message
    assert found[0].evidence["ipv4"]["address"] == V4B


def test_a_dead_address_beside_a_good_one_needs_no_twin() -> None:
    """Without IPv4 there is nothing to compare with, and the address is dead all the same."""
    found = tcp(attempt(V6), attempt(V6B, failure=Kind.REFUSED))
    assert kept(found) == [("fail", "host")]
    assert found[0].message == f"[{V6B}]:443 refuses"
    assert found[0].evidence["ipv4"] is None


@pytest.mark.parametrize("failure", [NO_ROUTE_HERE, NEAR])
def test_an_address_that_is_out_of_our_reach_is_unknown(failure: Failure) -> None:
    """Law 1 for one address of two: our own routes and router are no part of the target."""
    found = tcp(attempt(V6), attempt(V6B, failure=failure), attempt(V4))
    assert [finding.status for finding in found] == ["unknown"]
    assert found[0].subject == f"[{V6B}]:443"
    assert found[0].hint == "run it from another network"


SILENT_HERE = Failure(Kind.TIMEOUT, "this host's IPv6 reaches nobody", 1000.0, near=True)


@pytest.mark.parametrize(
    ("failure", "what", "cause", "says"),
    [
        (NEAR, "no-route-from-here", "network", "works, but its router has no route to"),
        (NO_ROUTE_HERE, "untried", "vantage", "cannot be tried from here: Network is unreachable"),
        (SILENT_HERE, "untried", "vantage", "cannot be tried from here: this host's IPv6 reaches"),
    ],
)
def test_why_it_is_out_of_our_reach(failure: Failure, what: str, cause: str, says: str) -> None:
    """The own router knows no way there; or this host itself sends nothing."""
    for attempts in (pair(v6=failure), pair(v6=failure, v4=Kind.TIMEOUT)):
        (found,) = tcp(*attempts)
        assert (found.status, found.id, found.cause) == ("unknown", what, cause)
        assert says in found.message


@pytest.mark.parametrize("v4", [None, Kind.TIMEOUT, NEAR])
def test_a_port_that_is_out_of_our_reach_is_unknown(v4: Failure | Kind | None) -> None:
    """Where our own router ends every IPv6 attempt, nothing is said of the service."""
    found = tcp(*pair(443, NEAR, v4))
    assert kept(found) == [("unknown", "network")]


@pytest.mark.parametrize(("failure", "cause"), [(Kind.REFUSED, "host"), (Kind.TIMEOUT, "firewall")])
def test_open_over_ipv6_only_is_a_warning(failure: Kind, cause: str) -> None:
    """A port that IPv4 does not offer may be exposed by mistake."""
    found = tcp(*pair(v4=failure))
    assert kept(found) == [("warn", cause)]
    assert found[0].subject == "port 443"
    assert f"open over IPv6 only: {V4}:443" in found[0].message


def test_ipv6_only_and_a_dead_address_are_both_told() -> None:
    """One IPv6 address is open, the other refuses, IPv4 refuses."""
    found = tcp(attempt(V6), attempt(V6B, failure=Kind.REFUSED), attempt(V4, failure=Kind.REFUSED))
    assert kept(found) == [("fail", "host"), ("warn", "host")]
    assert "IPv4" not in found[0].message


@pytest.mark.parametrize("failure", [NO_ROUTE_HERE, NEAR])
def test_no_ipv4_here_is_no_difference(failure: Failure) -> None:
    """An IPv4 attempt that this host or its own router ended is no twin, and no warning."""
    found = tcp(attempt(V6), attempt(V6B, failure=Kind.REFUSED), attempt(V4, failure=failure))
    assert kept(found) == [("fail", "host")]
    assert found[0].evidence["ipv4"] is None
    assert kept(tcp(*pair(v4=failure))) == [("pass", None)]


# --- both are down ---------------------------------------------------------------------------


def test_down_over_both_families_is_no_ipv6_fault() -> None:
    """Law 4: one finding for all ports, and it says that the service is down."""
    found = tcp(*pair(443, Kind.TIMEOUT, Kind.TIMEOUT), *pair(80, Kind.REFUSED, Kind.REFUSED))
    assert kept(found) == [("fail", "host")]
    assert found[0].subject == "port 443 or 80"
    assert found[0].message.endswith("over IPv6 and IPv4 alike: the service is down")
    assert found[0].hint.startswith(
        "not an IPv6 problem: start the service, or give its actual port"
    )
    assert found[0].hint.endswith(f"({V6} is silent, {V4} is silent)")


def test_silence_of_a_host_that_answers_is_no_word_of_its_service() -> None:
    """Law 4, and nobody knows whether the service is down: a filter is, for both families."""
    (found,) = tcp(*pair(8443, Kind.TIMEOUT, Kind.TIMEOUT))
    assert (found.status, found.cause, found.id) == ("fail", "firewall", "silent")
    assert "service is down" not in found.message
    assert "not an IPv6 problem" in found.hint
    (found,) = tcp(*pair(8443, Kind.TIMEOUT, Kind.TIMEOUT), heard=SILENT)
    assert (found.cause, found.id) == ("host", "down")


BLOCKED = Path("yes", ports=(PortControl(25, 6, answers=False), PortControl(25, 4, answers=False)))
OPEN = Path("yes", ports=(PortControl(25, 6, answers=True), PortControl(25, 4, answers=True)))


@pytest.mark.parametrize(
    ("attempts", "path", "ends"),
    [
        # Nobody can tell whether it is the provider.
        (pair(25, Kind.TIMEOUT, Kind.TIMEOUT), HERE, "port-blocked"),
        ((attempt(V6, 25, Kind.TIMEOUT),), HERE, "port-blocked"),
        (pair(445, Kind.TIMEOUT, Kind.TIMEOUT), HERE, "port-blocked"),
        (pair(25, Kind.TIMEOUT, NO_ROUTE_HERE), HERE, "port-blocked"),
        # A control of the port can, on any port.
        (pair(25, Kind.TIMEOUT, Kind.TIMEOUT), BLOCKED, "port-blocked"),
        (pair(25, Kind.TIMEOUT, Kind.TIMEOUT), OPEN, "silent"),
        (pair(25, Kind.TIMEOUT), BLOCKED, "port-blocked"),
        (pair(25, None, Kind.TIMEOUT), BLOCKED, "open"),
        # What looks like it: a filter at the target, a refusal, a port that gets out.
        (pair(25, Kind.TIMEOUT), HERE, "filtered"),
        (pair(25, Kind.TIMEOUT), OPEN, "filtered"),
        (pair(25, Kind.REFUSED, Kind.REFUSED), HERE, "down"),
        (pair(25, Kind.TIMEOUT, Kind.REFUSED), HERE, "down"),
        (pair(25, Kind.REFUSED, Kind.TIMEOUT), BLOCKED, "down"),
        (pair(25, None, Kind.TIMEOUT), OPEN, "ipv6-only"),
        (pair(443, Kind.TIMEOUT, Kind.TIMEOUT), HERE, "silent"),
    ],
)
def test_a_port_may_be_shut_on_the_way_out(
    attempts: tuple[Attempt, ...], path: Path, ends: str
) -> None:
    """Law 1: silence on a port that providers block is nobody's fault until a control shows it."""
    (found,) = tcp(*attempts, path=path)
    assert found.id == ends
    if ends == "port-blocked":
        assert (found.status, found.cause) == ("unknown", "vantage")
        assert "--control '[ADDR]:" in found.hint


def test_a_host_without_its_own_loopback() -> None:
    """The vantage is the target there: the host's fault, and IPv6's only where IPv4 works."""
    none = Failure(Kind.NO_LOCAL_ROUTE, "Cannot assign requested address")
    found = tcp(attempt("::1", failure=none), attempt("127.0.0.1"))
    assert kept(found) == [("fail", "host")]
    assert "restore ::1 on this host" in found[0].hint
    found = tcp(attempt("::1", failure=none), attempt("127.0.0.1", failure=none))
    assert kept(found) == [("fail", "host")]
    assert "is unreachable: the loopback interface is down" in found[0].message
    assert "not an IPv6 problem" in found[0].hint
    found = tcp(attempt("::1", failure=none), attempt("127.0.0.1", failure=Kind.REFUSED))
    assert (found[0].id, "no loopback" in found[0].message) == ("down", False)


def test_what_was_not_tried_is_unknown() -> None:
    """What was tried is judged, and of the rest it is said that nobody knows."""
    for attempts, first in ((pair(v6=Kind.TIMEOUT), [("fail", "firewall")]), (pair(), [])):
        seen = replace(connections(*attempts), untried=70)
        found = judged("tcp", connections=seen, pings=ANSWERS, path=HERE)
        assert kept(found) == [*first, ("unknown", "network")]
        assert (found[-1].id, "70 of 72 pairs" in found[-1].message) == ("no-time", True)


def test_nothing_tried_is_unknown_before_anything_else() -> None:
    """Where no IPv6 address had its turn, nobody says that there is none."""
    seen = replace(connections(), untried=2)
    found = judged("tcp", connections=seen, pings=ANSWERS, path=HERE)
    assert (kept(found), found[0].id) == ([("unknown", "network")], "no-time")
    none = judged("tcp", connections=connections(), pings=ANSWERS, path=HERE)
    assert none[0].id == "no-address"


def test_a_port_that_the_user_named_has_to_be_open() -> None:
    """A closed port is not offered, unless the user named it."""
    attempts = (*pair(443), *pair(80, Kind.REFUSED, Kind.REFUSED))
    found = tcp(*attempts, named=True)
    assert kept(found) == [("fail", "host")]
    assert found[0].subject == "port 80"


def test_each_closed_port_that_was_named_is_a_finding() -> None:
    """Named ports are judged one by one."""
    attempts = (*pair(25, Kind.REFUSED, Kind.REFUSED), *pair(587, Kind.TIMEOUT, Kind.TIMEOUT))
    found = tcp(*attempts, named=True)
    assert [finding.subject for finding in found] == ["port 25", "port 587"]


@pytest.mark.parametrize(
    ("v4", "failure", "heard", "cause"),
    [
        ((), Kind.TIMEOUT, pings(echo(V6)), "firewall"),
        ((), Kind.TIMEOUT, pings(Echo(V6, 3, 0)), "network"),
        ((), Kind.REFUSED, ANSWERS, "host"),
        ((), said(Kind.PROHIBITED), ANSWERS, "firewall"),
        ((attempt(V4, failure=NO_ROUTE_HERE),), Kind.REFUSED, ANSWERS, "host"),
        ((attempt(V4, failure=NEAR),), Kind.REFUSED, ANSWERS, "host"),
    ],
)
def test_down_without_a_twin_has_a_cause_of_its_own(
    v4: tuple[Attempt, ...], failure: Failure | Kind, heard: Pings, cause: str
) -> None:
    """Where there is no IPv4 to compare with, IPv6 is what there is to mend."""
    found = tcp(attempt(V6, failure=failure), *v4, heard=heard)
    assert kept(found) == [("fail", cause)]
    assert found[0].message.startswith(f"nothing accepts connections on port 443: {V6} ")
    assert found[0].hint


def test_an_unresolved_name_skips() -> None:
    """A Failure of connections is told by aaaa."""
    failure = Failure(Kind.SERVFAIL, "why")
    assert kept(judged("tcp", connections=failure, pings=ANSWERS, path=HERE)) == [("skip", None)]
