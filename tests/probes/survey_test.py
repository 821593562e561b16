"""What the clients' predictions are computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf

import pytest

from ipv6check.eyeballs.algorithm import Resolved
from ipv6check.eyeballs.prediction import SYN_TIMEOUT_MS, Seen, Survey, syn_timeout_ms
from ipv6check.model import Answer, Attempt, Failure, Handshake, Kind, Vantage
from ipv6check.probes.connections import Connections
from ipv6check.probes.handshakes import Handshakes
from ipv6check.probes.survey import survey
from ipv6check.testing import FakeNet, answer, attempt, handshake
from tests.probes.observing import V4, V4B, V6, V6B, observed, published

NAME = "www.example"
NO_TLS = Handshakes((), ())


def surveyed(
    *attempts: Attempt,
    aaaa: Answer | Failure | None = None,
    a: Answer | Failure | None = None,
    net: FakeNet | None = None,
    tls: Sequence[Handshake] = (),
) -> Mapping[int, Survey]:
    """The survey of these attempts; the network is not asked for any of them again."""
    found = published(*dict.fromkeys(attempt.address for attempt in attempts))
    ports = tuple(dict.fromkeys(attempt.port for attempt in attempts))
    seen = Connections(ports, named=False, attempts=attempts)
    network = net or FakeNet()
    surveys = observed(
        survey(replace(found, aaaa=aaaa, a=a), seen, Handshakes(ports, tuple(tls)), network)
    )
    assert network.calls == []
    return surveys


def test_each_address_has_its_verdict() -> None:
    """It connects, says no or is silent, on each port."""
    attempts = (
        attempt(V6, 443, elapsed_ms=40.0),
        attempt(V6B, 443, Kind.TIMEOUT, elapsed_ms=3000.0),
        attempt(V4, 443, Kind.PROHIBITED, elapsed_ms=7.0),
        attempt(V6, 80, Kind.REFUSED, elapsed_ms=41.0),
    )
    surveys = surveyed(*attempts)
    assert {443, 80} == surveys.keys()
    assert surveys[443].seen == {
        V6: Seen("connected", 40.0),
        V6B: Seen("silent", 3000.0),
        V4: Seen("failed", 7.0),
    }
    assert surveys[80].seen == {V6: Seen("failed", 41.0)}


def test_tls_has_a_verdict_of_its_own() -> None:
    """Apart from TCP's, whose time is that of the first connection; on its own port alone."""
    lost = attempt(V4B, failure=Kind.TIMEOUT)
    made = (
        handshake(V6, elapsed_ms=25.0, tcp=attempt(V6, elapsed_ms=99.0)),
        handshake(V6B, failure=Kind.TIMEOUT, elapsed_ms=3000.0),
        handshake(V4, failure=Kind.TLS_ERROR, elapsed_ms=5.0),
        handshake(V4B, tcp=lost),
    )
    attempts = [attempt(address) for address in (V6, V6B, V4, V4B)]
    found = surveyed(*attempts, attempt(V6, 80), tls=made)
    assert found[443].seen == {
        V6: Seen("connected", 10.0, "ok", 25.0),
        V6B: Seen("connected", 10.0, "silent", 3000.0),
        V4: Seen("connected", 10.0, "failed", 5.0),
        V4B: Seen("connected", 10.0),
    }
    assert found[80].seen == {V6: Seen("connected", 10.0)}


def test_when_the_answers_came() -> None:
    """Each type has its time; an error is an answer, silence has no end."""
    aaaa = answer(NAME, "AAAA", V6, elapsed_ms=70.0)
    servfail = Failure(Kind.SERVFAIL, "it says so", 5.0)
    dns = surveyed(attempt(V6), aaaa=aaaa, a=servfail)[443].dns
    assert dns == {"AAAA": Resolved((V6,), 70.0), "A": Resolved((), 5.0)}
    silence = Failure(Kind.TIMEOUT, "no answer", 3000.0)
    assert surveyed(attempt(V6), a=silence)[443].dns["A"] == Resolved((), inf)
    assert surveyed(attempt(V6))[443].dns["AAAA"] == Resolved((V6,), 0.0)


def test_clients_also_try_what_we_do_not() -> None:
    """An address that no packet of ours goes to is in the answer all the same, unseen."""
    aaaa = answer(NAME, "AAAA", "fd00::1", V6)
    found = surveyed(attempt(V6), attempt(V4), aaaa=aaaa)[443]
    assert found.dns["AAAA"].addresses == ("fd00::1", V6)
    assert set(found.order) == {"fd00::1", V6, V4}
    assert found.seen.keys() == {V6, V4}


def test_a_mapped_address_does_what_its_ipv4_does() -> None:
    """Packets for ::ffff:192.0.2.1 go to 192.0.2.1."""
    mapped = f"::ffff:{V4}"
    found = surveyed(attempt(V4, elapsed_ms=4.0), aaaa=answer(NAME, "AAAA", mapped))[443]
    assert found.seen[mapped] == found.seen[V4] == Seen("connected", 4.0)


def test_ipv4_alone_is_surveyed_too() -> None:
    """Where no AAAA is usable nothing was tried, and clients end on IPv4 all the same."""
    net = FakeNet(attempt(V4, 443), attempt(V4, 80, Kind.REFUSED))
    found = replace(published(V4), aaaa=Failure(Kind.SERVFAIL, "it says so", 5.0))
    surveys = observed(survey(found, Connections((443, 80), named=False, attempts=()), NO_TLS, net))
    assert net.calls == [("connect", V4, 443), ("connect", V4, 80)]
    assert [survey.seen[V4].tcp for survey in surveys.values()] == ["connected", "failed"]


def test_a_name_without_aaaa_is_not_surveyed() -> None:
    """There is nothing that a client could stumble over; a bad NXDOMAIN is another matter."""
    net = FakeNet(attempt(V4, 443))
    seen = Connections((443,), named=False, attempts=())
    none = replace(published(V4), aaaa=answer(NAME, "AAAA"))
    assert observed(survey(none, seen, NO_TLS, net))[443].seen == {}
    denied = replace(published(V4), aaaa=answer(NAME, "AAAA", rcode="NXDOMAIN"))
    assert observed(survey(denied, seen, NO_TLS, net))[443].seen.keys() == {V4}


def test_the_order_is_the_system_s() -> None:
    """IPv6 first where this host has a source for it; in the resolver's order else."""
    aaaa = answer(NAME, "AAAA", V6B, V6)
    attempts = (attempt(V6), attempt(V6B), attempt(V4))
    here = FakeNet(vantage=Vantage(source_ipv6="2d00:6ab:c::2"))
    assert surveyed(*attempts, aaaa=aaaa, net=here)[443].order == (V6B, V6, V4)
    blind = FakeNet(vantage=Vantage(ipv6="no", source_ipv6=None))
    assert surveyed(*attempts, aaaa=aaaa, net=blind)[443].order == (V4, V6B, V6)


@pytest.mark.parametrize(
    ("retries", "expected"), [(None, 133_600), (6, 133_600), (2, 7120), (7, 267_200)]
)
def test_how_long_a_kernel_waits(retries: int | None, expected: float) -> None:
    """As measured; twice as long with each more SYN."""
    assert expected == syn_timeout_ms(retries)
    assert syn_timeout_ms(None) == SYN_TIMEOUT_MS


def test_the_resolver_s_order_is_told_apart_from_the_system_s() -> None:
    """What getaddrinfo leaves as the resolver has it."""
    both = (attempt(V6), attempt(V6B), attempt(V4))
    found = surveyed(*both, aaaa=answer(NAME, "AAAA", V6B, V6), a=answer(NAME, "A", V4))
    assert found[443].order == (V6B, V6, V4)
    assert found[443].equal == ((V6B, V6),)
