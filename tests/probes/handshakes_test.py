"""With whom TLS is tried, and on which ports."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from ipv6check.config.target import parse
from ipv6check.model import Attempt, Handshake, Kind, Settings
from ipv6check.net import own_time
from ipv6check.probes.connections import Connections
from ipv6check.probes.handshakes import Handshakes, alpn, handshakes
from ipv6check.testing import SETTINGS, FakeNet, attempt, handshake
from tests.probes.observing import V4, V6, V6B, observed

BRIEF = replace(SETTINGS, brief=True)


def shaken(
    *seen: Attempt | Handshake, text: str = "www.example", settings: Settings = SETTINGS
) -> tuple[Handshakes, list[tuple[str, int]]]:
    """What comes of TLS where connections were made before, and with whom it was tried."""
    net = FakeNet(*seen)
    tried = tuple(
        observation.tcp if isinstance(observation, Handshake) else observation
        for observation in seen
    )
    ports = tuple(dict.fromkeys(observation.port for observation in seen))
    before = Connections(ports, named=False, attempts=tried)
    made = observed(handshakes(before, parse(text), settings, net))
    assert {call[0] for call in net.calls} <= {"tls"}
    return made, [(str(address), int(port)) for _, address, port in net.calls]


def test_who_accepts() -> None:
    """Every address that accepts on a TLS port, IPv6 first; nobody else, and no other port."""
    seen = (attempt(V6), attempt(V6B, failure=Kind.REFUSED), attempt(V4), attempt(V6, 80))
    made, tried = shaken(*seen)
    assert made.ports == (443,)
    assert [attempt.address for attempt in made.attempts] == [V6, V4]
    assert tried == [(V6, 443), (V4, 443)]
    assert [handshake.address for handshake in made.on(443)] == [V6, V4]
    assert made.on(80) == ()


def test_a_scheme_without_tls() -> None:
    """Whose scheme is not TLS is not tried, whatever the port."""
    assert shaken(attempt(V6), attempt(V4), text="http://www.example:443") == (
        Handshakes((), ()),
        [],
    )


@pytest.mark.parametrize("settings", [SETTINGS, BRIEF])
def test_ipv4_beside_an_ipv6_that_is_not_well(settings: Settings) -> None:
    """What fails is held against its twin, also in a long list."""
    made, _ = shaken(handshake(V6, failure=Kind.RESET), handshake(V4), settings=settings)
    assert [(attempt.address, attempt.outcome) for attempt in made.attempts] == [
        (V6, "reset"),
        (V4, "connected"),
    ]


def test_a_long_list_leaves_ipv4_alone() -> None:
    """Of many targets that are well, IPv4 is not asked for TLS."""
    _, tried = shaken(attempt(V6), attempt(V4), settings=BRIEF)
    assert tried == [(V6, 443)]


def test_many_that_are_silent() -> None:
    """After a few that are silent the rest is left alone: each would cost the whole timeout."""
    dead = [handshake(f"2d00:6ab:1::{n}", failure=Kind.TIMEOUT) for n in range(1, 30)]
    made, tried = shaken(*dead, handshake(V4))
    assert 3 <= sum(attempt.silent for attempt in made.attempts) < 12
    assert made.attempts[-1].address == V4
    assert len(tried) == len(made.attempts)


def test_politely() -> None:
    """Never closer than 10 ms, and at most six at once."""

    class Watched(FakeNet):
        at_once = most = 0

        async def tls(self, *arguments: object, **more: object) -> Handshake:
            started.append(asyncio.get_running_loop().time())
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            try:
                await asyncio.sleep(0.1)
                return await super().tls(*arguments, **more)  # type: ignore[arg-type]
            finally:
                self.at_once -= 1

    started: list[float] = []
    seen = tuple(attempt(f"2d00:6ab:1::{n}") for n in range(1, 13))
    net = Watched(*seen)
    before = Connections((443,), named=False, attempts=seen)
    observed(handshakes(before, parse("www.example"), SETTINGS, net))
    assert net.most == 6
    gaps = [after - one for one, after in pairwise(started)]
    assert min(gaps) >= 0.0099


@pytest.mark.parametrize(
    ("text", "port", "offered"),
    [
        ("www.example", 443, ("h2", "http/1.1")),
        ("www.example:8443", 8443, ("h2", "http/1.1")),
        ("https://www.example:444", 444, ("h2", "http/1.1")),
        ("imaps://www.example", 993, ()),
        ("www.example:853", 853, ()),
    ],
)
def test_protocols(text: str, port: int, offered: tuple[str, ...]) -> None:
    """What browsers offer is offered where browsers come to."""
    assert alpn(parse(text), port) == offered


@pytest.mark.parametrize(("text", "name"), [("www.example", "www.example"), (f"[{V6}]:443", "")])
def test_server_name(text: str, name: str) -> None:
    """The name that was asked for is told, and an address is none."""

    class Listening(FakeNet):
        async def tls(self, *arguments: object, **more: object) -> Handshake:
            told.append(arguments[2])
            return await super().tls(*arguments, **more)  # type: ignore[arg-type]

    told: list[object] = []
    before = Connections((443,), named=False, attempts=(attempt(V6),))
    observed(handshakes(before, parse(text), SETTINGS, Listening(attempt(V6))))
    assert told == [name]


def test_what_does_not_come_back_in_time() -> None:
    """Who completed TLS in the target's time has done so; the others are counted."""

    class Half(FakeNet):
        async def tls(self, address: str, port: int, *_: object, **__: object) -> Handshake:
            """All but one are done at once."""
            await asyncio.sleep(60 if address == V6B else 0)
            return handshake(address, port)

    tried = tuple(attempt(address) for address in (V6, V6B, V4))

    async def within_half_a_second() -> Handshakes:
        own_time.begin(0.2)
        before = Connections((443,), named=False, attempts=tried)
        return await handshakes(before, parse("www.example"), SETTINGS, Half())

    made = observed(within_half_a_second())
    assert ([attempt.address for attempt in made.attempts], made.untried) == ([V6, V4], 1)
