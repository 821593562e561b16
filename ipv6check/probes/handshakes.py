"""TLS handshakes with every address that accepts, on every port where clients begin with TLS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from ipv6check.config.target import Target
from ipv6check.model import Attempt, Handshake, Port, Settings, is_ipv6
from ipv6check.net import Net
from ipv6check.net.own_time import spare_s
from ipv6check.net.pacing import in_time
from ipv6check.probes.connections import Connections

# So many that are silent tell enough of their family and port: each more costs the whole timeout.
ENOUGH = 3
# What browsers offer (RFC 9113 section 3.2); other protocols of these ports know no ALPN.
ALPN = dict.fromkeys((443, 8443), ("h2", "http/1.1"))


@dataclass(frozen=True, slots=True)
class Handshakes:
    """Every handshake, IPv6 before IPv4, by port and address.

    ``ports``: those of the target's where clients begin with TLS; others are not tried. Nor is an
    address that accepts no connection, and of many that are silent those after the first few.
    ``untried``: for how many more there was no time.
    """

    ports: tuple[Port, ...]
    attempts: tuple[Handshake, ...]
    untried: int = 0

    def on(self, port: int) -> tuple[Handshake, ...]:
        """The handshakes with one port."""
        return tuple(attempt for attempt in self.attempts if attempt.port == port)


async def handshakes(
    connections: Connections, target: Target, settings: Settings, net: Net
) -> Handshakes:
    """Try each address that accepts, politely.

    For a long list of targets, IPv4 is tried only where IPv6 fails, to compare.
    """
    ports = tuple(port for port in connections.ports if target.begins_with_tls(port))
    silent: Counter[tuple[bool, int]] = Counter()
    needless = untried = 0

    async def shake(attempt: Attempt) -> Handshake | None:
        nonlocal needless
        alike = (is_ipv6(attempt.address), attempt.port)
        if silent[alike] >= ENOUGH:
            needless += 1
            return None
        made = await net.tls(
            attempt.address, attempt.port, target.server_name, alpn(target, attempt.port)
        )
        silent[alike] += made.silent
        return made

    async def shake_all(attempts: Iterable[Attempt]) -> list[Handshake]:
        nonlocal untried
        accepting = [attempt for attempt in attempts if attempt.connected and attempt.port in ports]
        ended = await in_time([partial(shake, attempt) for attempt in accepting], spare_s())
        made = [attempt for attempt in ended if attempt is not None]
        untried += len(ended) - len(made)
        return made

    if not settings.brief:
        made = await shake_all(connections.attempts)
    else:
        made = await shake_all(connections.ipv6)
        if not all(attempt.connected for attempt in made):
            made += await shake_all(connections.ipv4)
    return Handshakes(ports, tuple(made), untried - needless)


def alpn(target: Target, port: int) -> tuple[str, ...]:
    """Protocols to offer on this port (RFC 7301)."""
    return ALPN[443] if target.scheme == "https" else ALPN.get(port, ())
