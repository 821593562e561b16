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
    *attempts: Attempt, pings: Pings | Failure | None = None, controls: bool = True
) -> tuple[Path, FakeNet]:
    """The path, and the network that was asked."""
    net = FakeNet(controls_answer=controls, vantage=BROKEN)
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
    assert "controls" in seen.detail


def test_no_route_of_ours() -> None:
    """Where the kernel has no route nobody is asked, and IPv4 proves nothing."""
    none = Failure(Kind.NO_LOCAL_ROUTE, "Network is unreachable")
    seen, net = judged(attempt(V6, 443, none), attempt(V4), controls=False)
    assert (seen.ipv6, net.calls) == ("no", [])
    assert "Network is unreachable" in seen.detail


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
