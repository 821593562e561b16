"""No verdict is green of nothing: what counts as seen, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from ipv6check.engine.measured import unmeasured
from ipv6check.eyeballs.race import Outcome
from ipv6check.model import OWN_NAME, Cause, Kind, Result, Status, Verdict, verdict_of
from ipv6check.probes.connections import Connections
from ipv6check.probes.handshakes import Handshakes
from ipv6check.probes.pings import Pings
from ipv6check.testing import attempt, echo, handshake

IPV6, IPV4, MAPPED = "2001:db8::1", "192.0.2.1", "::ffff:192.0.2.1"
FINE = Result("tcp", Status.PASS, "fine")


def connections(*attempts: Any) -> Connections:
    """The fact of the probe."""
    return Connections((443,), named=False, attempts=attempts)


SEEN = {
    "TCP": connections(attempt(IPV4), attempt(IPV6)),
    "TLS": Handshakes((443,), (handshake(IPV6),)),
    "an echo": Pings((echo(IPV6, received=1),)),
    "the race": {443: Outcome(443, IPV6, 10.0, ())},
    "TCP before TLS fails": Handshakes((443,), (handshake(IPV6, failure=Kind.TLS_ERROR),)),
}
UNSEEN = {
    "no packet": connections(),
    "a refusal": connections(attempt(IPV6, failure=Kind.REFUSED)),
    "IPv4 alone": connections(attempt(IPV4)),
    "an IPv4-mapped address": connections(attempt(MAPPED)),
    "a lost echo": Pings((echo(IPV6, failure=Kind.TIMEOUT),)),
    "a race that IPv4 won": {443: Outcome(443, IPV4, 10.0, ())},
    "a race that nobody won": {443: Outcome(443, None, 10.0, ())},
    "a race to a mapped address": {443: Outcome(443, MAPPED, 10.0, ())},
}


@pytest.mark.parametrize("name", SEEN)
def test_what_shows_that_ipv6_works(name: str) -> None:
    """One packet that came back over IPv6, whichever probe sent it, at any attempt."""
    facts: list[dict[str, Any]] = [{}, {"fact": SEEN[name]}]
    if name == "TCP before TLS fails":
        facts[1]["connections"] = SEEN["TCP"]
    assert unmeasured([FINE], facts, set(), set()) == ()


@pytest.mark.parametrize("name", UNSEEN)
def test_what_shows_nothing(name: str) -> None:
    """Without one, the verdict is unknown at best, and a line says why."""
    (told,) = unmeasured([FINE], [{"fact": UNSEEN[name]}], set(), set())
    assert (told.check, told.status, told.cause) == (OWN_NAME, Status.UNKNOWN, Cause.VANTAGE)
    assert told.message.startswith("nothing was measured: ")
    assert verdict_of([FINE, told], set()) is Verdict.UNKNOWN


def test_whether_anything_was_sent_is_told() -> None:
    """Who sent nothing is told so; who heard nothing is told that."""
    (silent,) = unmeasured([FINE], [{"fact": UNSEEN["a lost echo"]}], set(), set())
    (idle,) = unmeasured([FINE], [{"fact": UNSEEN["IPv4 alone"]}], set(), set())
    assert "was seen" in silent.message
    assert "sent no IPv6 packet" in idle.message


@pytest.mark.parametrize("status", [Status.FAIL, Status.UNKNOWN, Status.ERROR])
def test_what_is_wrong_says_enough(status: Status) -> None:
    """Where the verdict has its reason already, there is no second one."""
    assert unmeasured([Result("aaaa", status, "x")], [], set(), set()) == ()


def test_an_optional_unknown_is_no_reason() -> None:
    """What leaves the verdict alone does not say that IPv6 works."""
    asked = [Result("ping", Status.UNKNOWN, "x")]
    assert [result.check for result in unmeasured(asked, [], {"ping"}, set())] == [OWN_NAME]


@pytest.mark.parametrize(
    ("status", "enough"),
    [(Status.PASS, True), (Status.WARN, True), (Status.SKIP, False)],
)
def test_a_check_that_looks_for_itself(status: Status, enough: bool) -> None:  # noqa: FBT001
    """A private check, or one of this host, counts where it has looked."""
    told = unmeasured([Result("ours", status, "x")], [], set(), {"ours"})
    assert (told == ()) == enough


def test_no_results_at_all() -> None:
    """Nothing that was asked is nothing that is well."""
    assert [result.check for result in unmeasured([], [], set(), set())] == [OWN_NAME]


def test_every_check_is_skipped() -> None:
    """What was asked for does not apply: however well a packet fared that helped to say so."""
    asked = [Result("tls", Status.SKIP, "no port here starts with TLS")]
    (told,) = unmeasured(asked, [{"fact": SEEN["TCP"]}], set(), set())
    assert told.message == "nothing was measured: no check of this run applies to the target"
    assert unmeasured([*asked, FINE], [{"fact": SEEN["TCP"]}], set(), set()) == ()
