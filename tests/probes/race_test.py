"""When a race is run, and on which port."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import dns.rdata
import pytest

from ipv6check.config.target import parse
from ipv6check.eyeballs.algorithm import Resolved
from ipv6check.eyeballs.https_records import Service
from ipv6check.eyeballs.race import Outcome
from ipv6check.model import Attempt, Handshake, Kind, Settings
from ipv6check.probes.connections import Connections
from ipv6check.probes.race import policy_of, race, resolved, system_order
from ipv6check.testing import SETTINGS, FakeNet, answer, attempt, handshake
from tests.pace import Lag
from tests.probes.observing import V4, V4B, V6, V6B, observed, published

PORTS = (443, 80)
TARGET = parse("www.example")


def raced(
    *attempts: Attempt, found: tuple[str, ...] = (V6, V4), settings: Settings = SETTINGS
) -> tuple[Mapping[int, Outcome], FakeNet]:
    """The races by port, and the network that they ran on; the survey has seen the same."""
    net = FakeNet(*attempts)
    seen = Connections(PORTS, named=False, attempts=attempts)
    return observed(race(published(*found), seen, TARGET, settings, net)), net


@pytest.mark.parametrize("found", [(V6,), (V4,), (V4, V4B), ()])
def test_nothing_to_race(found: tuple[str, ...]) -> None:
    """There is no race, and no packet, where one address is all, or none is IPv6."""
    outcomes, net = raced(*(attempt(address) for address in found), found=found)
    assert outcomes == {}
    assert net.calls == []


def test_every_port_that_is_offered() -> None:
    """IPv6 goes first, and where it wins nobody else starts."""
    outcomes, net = raced(attempt(V6, 443), attempt(V4, 443), attempt(V6, 80))
    assert [(port, outcome.port, outcome.winner) for port, outcome in outcomes.items()] == [
        (443, 443, V6),
        (80, 80, V6),
    ]
    assert net.calls == [("connect", V6, 443), ("connect", V6, 80)]


def test_a_closed_port_is_left_alone() -> None:
    """There is no race on a port that nothing accepts on."""
    closed = [attempt(address, 443, Kind.REFUSED) for address in (V6, V4)]
    outcomes, net = raced(*closed, attempt(V6, 80, Kind.REFUSED), attempt(V4, 80))
    assert {port: outcome.winner for port, outcome in outcomes.items()} == {80: V4}
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
    assert system_order(found, nothing, "2d00:6ab:c::2").order == (V6, V6B, V4)
    assert system_order(found, nothing, None).order == (V4, V6, V6B)
    near = replace(attempt(V6B), source="2d00:6ab:1::9")
    seen = replace(nothing, attempts=(near,))
    assert system_order(found, seen, "2d00:6ab:c::2").order == (V6B, V6, V4)
    odd = replace(attempt(V6), source="fd00::9")
    assert system_order(found, replace(seen, attempts=(odd,)), None).order == (V4, V6, V6B)


def test_what_the_resolver_may_rotate() -> None:
    """Addresses of one type that RFC 6724 does not tell apart; a file has an order of its own."""
    found = published(V6, V6B, V4, V4B)
    nothing = Connections(PORTS, named=False, attempts=())
    assert system_order(found, nothing, "2d00:6ab:c::2").equal == ((V4, V4B), (V6, V6B))
    near = replace(nothing, attempts=(replace(attempt(V6B), source="2d00:6ab:1::9"),))
    assert system_order(found, near, "2d00:6ab:c::2").equal == ((V4, V4B),)
    for origin in ("hosts", "resolve", "localhost"):
        assert system_order(replace(found, origin=origin), nothing, None).equal == ()
    outcomes, _ = raced(attempt(V6), attempt(V6B), found=(V6, V6B))
    assert outcomes[443].equal == ((V6, V6B),)


class Forgetful(FakeNet):
    """IPv6 says nothing to the first connections so many, and IPv4 always answers."""

    def __init__(self, silent: int) -> None:
        """An address of IPv6 says nothing so often."""
        super().__init__()
        self.silent = silent

    async def connect(self, address: str, port: int, *, once: bool = False) -> Attempt:  # noqa: ARG002 - as planned
        """Silence, then an answer."""
        self.calls.append(("connect", address, port))
        if ":" in address and sum(":" in str(call[1]) for call in self.calls) <= self.silent:
            await asyncio.sleep(30)
        return attempt(address, port)


@pytest.mark.slow(after=1)
@pytest.mark.parametrize(
    ("silent", "took_ms", "winner", "races"),
    [
        (0, 1.0, V6, 1),
        (1, 1.0, V6, 2),  # one packet was lost
        (2, 1.0, V6, 3),
        (3, 1.0, V6, 4),
        (9, 1.0, V4, 4),  # it is silent now: four races are enough
        (1, 149.0, V4, 1),  # a slow address is slow, and nothing was lost
    ],
)
def test_a_lost_packet_is_no_lost_race(
    silent: int, took_ms: float, winner: str, races: int
) -> None:
    """Where IPv6 is silent that has just answered, the race is run again, three times at most."""
    net = Forgetful(silent)
    seen = Connections((443,), named=True, attempts=(attempt(V6, elapsed_ms=took_ms), attempt(V4)))
    settings = replace(SETTINGS, connection_attempt_delay_ms=150.0)
    outcomes = observed(race(published(V6, V4), seen, TARGET, settings, net))
    assert outcomes[443].winner == winner
    assert sum(":" in str(call[1]) for call in net.calls) == races


# --- v3 --------------------------------------------------------------------------------------

V3 = replace(SETTINGS, happy_eyeballs="v3")
NAME = "www.example"


def raced_v3(
    *seen: Attempt | Handshake,
    https: Sequence[str] | Kind = (),
    text: str = NAME,
    aaaa_ms: float = 1.0,
    more: Sequence[Attempt] = (),
) -> tuple[Mapping[int, Outcome], FakeNet]:
    """The same by v3, where the name has these HTTPS records; ``more`` is what hints lead to."""
    port = (parse(text).ports or (443,))[0]
    asked = NAME if port == 443 else f"_{port}._https.{NAME}"
    records = () if isinstance(https, Kind) else (answer(asked, "HTTPS", *https, elapsed_ms=2.0),)
    failed = https if isinstance(https, Kind) else Kind.OTHER
    net = FakeNet(*seen, *more, *records, failures={} if records else {(asked, "HTTPS"): failed})
    tried = tuple(
        observation.tcp if isinstance(observation, Handshake) else observation
        for observation in seen
    )
    before = Connections(
        tuple({observation.port: 0 for observation in seen}), named=False, attempts=tried
    )
    found = replace(
        published(V6, V4),
        aaaa=answer(NAME, "AAAA", V6, elapsed_ms=aaaa_ms),
        a=answer(NAME, "A", V4, elapsed_ms=1.0),
    )
    return observed(race(found, before, parse(text), V3, net)), net


def test_v3_shakes_hands() -> None:
    """HTTPS records are asked for, TLS decides on 443, and TCP alone on 80."""
    text = '1 . alpn="h3,h2"'
    outcomes, net = raced_v3(attempt(V6), attempt(V4), attempt(V6, 80), https=[text])
    assert {port: outcome.winner for port, outcome in outcomes.items()} == {443: V6, 80: V6}
    assert outcomes[443].entrants[0].tls_started_ms is not None
    assert outcomes[80].entrants[0].tls_started_ms is None
    assert outcomes[443].services == (Service(1, ".", ("h3", "h2", "http/1.1"), None, ()),)
    assert outcomes[80].services == ()
    assert sorted(net.calls) == [
        ("connect", V6, 80),
        ("resolve", NAME, "HTTPS"),
        ("tls", V6, 443),
    ]


def test_v3_leaves_a_tls_that_hangs() -> None:
    """IPv4 wins by a handshake that is completed, where RFC 8305 would have stayed with IPv6."""
    silent = handshake(V6, failure=Kind.TLS_ERROR)
    outcomes, _ = raced_v3(silent, handshake(V4))
    assert outcomes[443].winner == V4
    assert [entrant.outcome for entrant in outcomes[443].entrants] == ["tls-error", "connected"]


def test_a_hint_begins_the_race() -> None:
    """Where AAAA is late, the hint is where the race begins; it may be another address."""
    other = attempt(V6B)
    text = f"1 . alpn=h2 ipv6hint={V6B}"
    outcomes, _ = raced_v3(attempt(V6), attempt(V4), https=[text], aaaa_ms=400.0, more=[other])
    assert outcomes[443].winner == V6B
    assert V6B in outcomes[443].order
    outcomes, _ = raced_v3(attempt(V6), attempt(V4), https=[text])
    assert outcomes[443].winner == V6, "its own record is there"


@pytest.mark.parametrize(
    "text",
    [
        f"1 . alpn=h3 no-default-alpn ipv6hint={V6B}",
        f"1 . alpn=h2 port=8443 ipv6hint={V6B}",
        f"1 cdn.example. alpn=h2 ipv6hint={V6B}",
        "1 . alpn=h2 ipv6hint=fd00::1,fe80::1,::1 ipv4hint=127.0.0.1",
        f"0 {V6B}.example.",
    ],
)
def test_a_hint_for_somebody_else(text: str) -> None:
    """Another service, HTTP/3 alone, or an address that nobody can reach: no packet goes there."""
    said = dns.rdata.from_text("IN", "HTTPS", text).to_text()
    outcomes, net = raced_v3(attempt(V6), attempt(V4), https=[said], aaaa_ms=400.0)
    assert outcomes[443].winner == V4
    assert {call[1] for call in net.calls} == {NAME, V4}


@pytest.mark.timing
@pytest.mark.parametrize("https", [Kind.SERVFAIL, Kind.TIMEOUT])
def test_v3_without_an_answer(https: Kind, lag: Lag) -> None:
    """An error is an answer; silence costs the resolution delay."""
    outcomes, _ = raced_v3(attempt(V6), attempt(V4), https=https)
    (entrant,) = outcomes[443].entrants
    due_ms = 51.0 if https is Kind.TIMEOUT else 1.0
    assert due_ms <= entrant.started_ms < due_ms + 39 + lag.ms


def test_the_name_of_another_port() -> None:
    """HTTPS on 8443 has records of its own (RFC 9460 section 9.1)."""
    seen = (attempt(V6, 8443), attempt(V4, 8443))
    _, net = raced_v3(*seen, text=f"https://{NAME}:8443")
    assert net.calls[0] == ("resolve", f"_8443._https.{NAME}", "HTTPS")


def test_nobody_asks_for_a_literal() -> None:
    """What does not come from the DNS has no records there, nor has a service that is no HTTPS."""
    found = replace(published(V6, V4), origin="resolve")
    seen = Connections((443,), named=False, attempts=(attempt(V6), attempt(V4)))
    net = FakeNet(*seen.attempts)
    observed(race(found, seen, TARGET, V3, net))
    assert net.calls == [("tls", V6, 443)]
    mail = Connections((993,), named=False, attempts=(attempt(V6, 993), attempt(V4, 993)))
    net = FakeNet(*mail.attempts)
    observed(race(published(V6, V4), mail, parse(f"imaps://{NAME}"), V3, net))
    assert net.calls == [("tls", V6, 993)]


def test_a_refusal_is_no_lost_packet() -> None:
    """Its innocent twin: an address that refuses now has answered, and is not raced again."""
    net = FakeNet(attempt(V6, failure=Kind.REFUSED), attempt(V4))
    seen = Connections((443,), named=False, attempts=(attempt(V6), attempt(V4)))
    outcomes = observed(race(published(V6, V4), seen, TARGET, SETTINGS, net))
    assert outcomes[443].winner == V4
    assert net.calls.count(("connect", V6, 443)) == 1
