"""Whether this vantage's IPv6 can be held against a target."""

from __future__ import annotations

import pytest

from ipv6check.model import Attempt, Failure, Kind, Vantage
from ipv6check.probes.connections import Connections
from ipv6check.probes.path import Path, path
from ipv6check.probes.pings import Pings
from ipv6check.testing import FakeNet, attempt, echo
from tests.probes.observing import V4, V6, V6B, observed, published

BROKEN = Vantage(ipv6="broken", detail="none of 3 controls answers")
SILENT = attempt(V6, 443, Kind.TIMEOUT)
ROUTER = attempt(V6, 443, Failure(Kind.NO_ROUTE, "2d00::1 says no route", 1.0, "2d00::1"))
FILTER = attempt(V6, 443, Failure(Kind.REFUSED, "2d00::1 says port", 1.0, "2d00::1"))


def judged(
    *attempts: Attempt,
    pings: Pings | Failure | None = None,
    controls: bool = True,
    vantage: Vantage = BROKEN,
) -> tuple[Path, FakeNet]:
    """The path, and the network that was asked."""
    net = FakeNet(controls_answer=controls, vantage=vantage)
    seen = Connections((443,), named=True, attempts=attempts)
    echoes = Pings(()) if pings is None else pings
    return observed(path(published(V6, V6B, V4), seen, echoes, net)), net


@pytest.mark.parametrize(
    ("attempts", "pings"),
    [
        ([attempt(V6)], None),
        ([SILENT, attempt(V6B)], None),
        ([attempt(V6, 443, Kind.REFUSED)], None),
        ([attempt(V6, 443, Kind.RESET)], None),
        ([SILENT], Pings((echo(V6),))),
        ([SILENT], Pings((echo(V6, received=1),))),
    ],
)
def test_an_answer_proves_it(attempts: list[Attempt], pings: Pings | None) -> None:
    """Where the target answered in any way, nobody else is asked."""
    seen, net = judged(*attempts, pings=pings, controls=False)
    assert (Path("yes"), []) == (seen, net.calls)


@pytest.mark.parametrize("failed", [SILENT, ROUTER, FILTER], ids=["silence", "router", "filter"])
@pytest.mark.parametrize("pings", [None, Pings((echo(V6, failure=Kind.TIMEOUT), echo(V4)))])
def test_controls_decide(failed: Attempt, pings: Pings | None) -> None:
    """Silence, and what somebody on the way said, are held against whoever the controls say."""
    seen, net = judged(failed, attempt(V4), pings=pings, controls=True)
    assert (seen.ipv6, net.calls) == ("yes", [("controls_answer",)])
    seen, _ = judged(failed, attempt(V4), pings=pings, controls=False)
    assert seen.ipv6 == "broken"
    assert "control addresses" in seen.detail


def test_no_route_of_ours() -> None:
    """Where the kernel has no route nobody is asked, and IPv4 proves nothing."""
    none = Failure(Kind.NO_LOCAL_ROUTE, "Network is unreachable")
    seen, net = judged(attempt(V6, 443, none), attempt(V4), vantage=Vantage(ipv6="no"))
    assert (seen.ipv6, net.calls) == ("no", [])
    assert "Network is unreachable" in seen.detail


def test_no_route_to_this_one() -> None:
    """A host that has a route to others has IPv6; and where it went away, the controls tell."""
    none = Failure(Kind.NO_LOCAL_ROUTE, "Network is unreachable")
    for controls, ipv6 in ((True, "yes"), (False, "broken")):
        seen, _ = judged(attempt(V6, 443, none), controls=controls, vantage=Vantage())
        assert seen.ipv6 == ipv6


def test_controls_of_ports() -> None:
    """They are asked where a family is silent on their port, and not where this host is why."""
    near = Failure(Kind.TIMEOUT, "this host's IPv4 reaches nobody", 1.0, near=True)
    planned = {(443, 6): True, (443, 4): False, (80, 6): True}
    for ipv4, asked in ((Kind.TIMEOUT, [6, 4]), (near, [6]), (Kind.REFUSED, [6])):
        net = FakeNet(control_opens=planned)
        attempts = (SILENT, attempt(V4, 443, ipv4), attempt(V6, 80), attempt(V6B, 80, Kind.TIMEOUT))
        seen = Connections((443, 80), named=True, attempts=attempts)
        found = observed(path(published(V6, V6B, V4), seen, Pings(()), net))
        assert net.calls == [("control_opens", 443, version) for version in asked]
        assert found.opens(443, 6) is True
        assert found.opens(443, 4) is (False if 4 in asked else None)


def test_permission_to_ping_is_not_needed() -> None:
    """A host that may not ping still has its handshakes and controls."""
    forbidden = Failure(Kind.PERMISSION, "may not ping")
    assert judged(attempt(V6), pings=forbidden, controls=False)[0].ipv6 == "yes"
    assert judged(SILENT, pings=forbidden, controls=False)[0].ipv6 == "broken"


def test_inside_ones_own_network() -> None:
    """A control on the Internet says nothing of a private address."""
    net = FakeNet(controls_answer=False, vantage=BROKEN)
    seen = Connections((443,), named=True, attempts=(attempt("fd00::1", 443, Kind.TIMEOUT),))
    assert observed(path(published("fd00::1"), seen, Pings(()), net)) == Path("yes")
    assert net.calls == []


def test_this_host_is_the_target() -> None:
    """What this host cannot do on its own loopback is the target's fault: law 1 has no say."""
    none = Failure(Kind.NO_LOCAL_ROUTE, "Cannot assign requested address")
    net = FakeNet(controls_answer=False, vantage=BROKEN)
    seen = Connections((443,), named=True, attempts=(attempt("::1", 443, none),))
    assert observed(path(published("::1", "127.0.0.1"), seen, Pings(()), net)) == Path("yes")
    assert net.calls == []
