"""TCP handshakes with every address on every port."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ipv6check.model import Attempt, Port, Settings
from ipv6check.net import Net
from ipv6check.probes.addresses import Addresses
from ipv6check.target import Target


@dataclass(frozen=True, slots=True)
class Connections:
    """Every attempt, IPv6 before IPv4, by port and address.

    ``named``: the user named the ports, so each of them must be open; else a port that is closed on
    every address is not offered.
    """

    ports: tuple[Port, ...]
    named: bool
    attempts: tuple[Attempt, ...]

    @property
    def ipv6(self) -> tuple[Attempt, ...]:
        """The attempts over IPv6."""
        return tuple(attempt for attempt in self.attempts if ":" in attempt.address)

    @property
    def ipv4(self) -> tuple[Attempt, ...]:
        """The attempts over IPv4."""
        return tuple(attempt for attempt in self.attempts if ":" not in attempt.address)


async def connections(
    addresses: Addresses, target: Target, settings: Settings, net: Net
) -> Connections:
    """Try each address on each port at once; without an IPv6 address there is nothing to try."""
    ports = settings.ports_for(target.ports)
    named = bool(target.ports or settings.ports)
    if not addresses.ipv6:
        return Connections(ports, named, ())
    attempts = await asyncio.gather(
        *(
            net.connect(address, port)
            for address in (*addresses.ipv6, *addresses.ipv4)
            for port in ports
        )
    )
    return Connections(ports, named, tuple(attempts))
