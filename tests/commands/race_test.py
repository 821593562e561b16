"""The race on a terminal: what it says, and how it ends."""

from __future__ import annotations

import pytest

from ipv6check.commands.race import BLIND, CONNECTED, NOBODY, run
from ipv6check.config.target import parse
from ipv6check.eyeballs.clients import load
from ipv6check.eyeballs.policy import HAPPY_V3, RFC8305
from ipv6check.model import Attempt, Kind
from ipv6check.testing import SETTINGS, FakeNet, answer, attempt, handshake

NAME, V4 = "www.example.com", "192.0.33.8"
V6, V6B = "2001:470::1", "2001:470::2"


def shown(*attempts: Attempt, net: FakeNet | None = None) -> tuple[int, list[str]]:
    """The exit code and the lines of a race on a name with both families."""
    lines: list[str] = []
    network = net or FakeNet(answer(NAME, "AAAA", V6), answer(NAME, "A", V4), *attempts)
    code = run(SETTINGS, parse(f"{NAME}:443"), RFC8305, load(), network, lines.append)
    assert network.closed
    return code, lines


def test_ipv6_wins() -> None:
    """Each attempt has a line when it starts and one when it ends; then each client has a bar."""
    code, lines = shown(attempt(V6), attempt(V4))
    assert code == CONNECTED
    assert lines[:2] == ["AAAA 1 address after 10 ms", "A    1 address after 10 ms"]
    assert lines[2].split()[1:] == ["ms", ">", V6, "first"]
    assert lines[3].split()[1:] == ["ms", "+", V6, "connected"]
    assert lines[4].startswith("IPv6 connects to port 443 after 1")
    assert lines[5] == ""
    assert len(lines) == 6 + len(load())


def test_the_worst_first() -> None:
    """Who waits longest stands at the top, behind those that fail."""
    code, lines = shown(attempt(V6, failure=Kind.TIMEOUT), attempt(V4))
    assert code == CONNECTED
    bars = lines[lines.index("") + 1 :]
    assert bars[0].startswith("node 18 ")
    assert bars[0].endswith("fails after 133 s")
    assert any(bar.startswith("wget ") and bar.endswith("IPv4 after 133 s") for bar in bars[1:8])
    assert "==" in bars[0]


def test_the_other_end_of_the_race_is_told() -> None:
    """One of two equal addresses is dead: which one comes first is the resolver's luck."""
    net = FakeNet(
        *(answer(NAME, "AAAA", V6, V6B), answer(NAME, "A", V4)),
        *(attempt(V6), attempt(V6B, failure=Kind.TIMEOUT), attempt(V4)),
    )
    code, lines = shown(net=net)
    assert code == CONNECTED
    place = lines.index("")
    assert lines[place - 2].startswith("in 1 of 2 orders of the answer: IPv6 after ")
    assert lines[place - 1].startswith("in 1 of 2 orders of the answer: IPv4 after 2")
    assert any(line.startswith("node 18 ") and " or fails" in line for line in lines)
    _, fixed = shown(attempt(V6), attempt(V4))
    assert not any("orders of the answer" in line for line in fixed)


def test_nobody_connects() -> None:
    """A port that is closed everywhere is said, and is exit code 1."""
    code, lines = shown(attempt(V6, failure=Kind.REFUSED), attempt(V4, failure=Kind.REFUSED))
    assert code == NOBODY
    assert "no connection to port 443" in lines
    assert [line.split()[2] for line in lines[2:6]] == [">", "x", ">", "x"]


@pytest.mark.parametrize("kind", [Kind.RESOLVER_UNREACHABLE, Kind.DNS_REFUSED])
def test_no_resolver(kind: Kind) -> None:
    """Where nothing can be resolved from here, nothing is known: exit code 3."""
    net = FakeNet(failures={(NAME, "AAAA"): kind, (NAME, "A"): kind}, resolver_answers=False)
    code, lines = shown(net=net)
    assert (code, len(lines)) == (BLIND, 1)


def test_tls_decides_with_v3() -> None:
    """It is told when TLS begins, and IPv4 wins where that of IPv6 fails."""
    silent = handshake(V6, failure=Kind.TLS_ERROR)
    net = FakeNet(
        *(answer(NAME, "AAAA", V6), answer(NAME, "A", V4), answer(NAME, "HTTPS")),
        *(silent, handshake(V4)),
    )
    lines: list[str] = []
    assert run(SETTINGS, parse(NAME), HAPPY_V3, load(), net, lines.append) == CONNECTED
    told = [line.split(maxsplit=2)[2] for line in lines[2 : lines.index("") - 1]]
    assert [" ".join(line.split()) for line in told] == [
        f"> {V6} first",
        f"= {V6} TLS begins",
        f"x {V6} tls-error",
        f"> {V4} failure",
        f"= {V4} TLS begins",
        f"+ {V4} connected",
    ]
    assert lines[lines.index("") + 1].endswith("fails after 30 ms")
