"""ICMP echo to every address of both families."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ipv6check.model import Echo, Failure
from ipv6check.net import Net
from ipv6check.probes.addresses import Addresses


@dataclass(frozen=True, slots=True)
class Pings:
    """One Echo for each address, IPv6 before IPv4; only those of a family that may be pinged."""

    echoes: tuple[Echo, ...]

    def to(self, address: str) -> Echo | None:
        """The echo of this address."""
        return next((echo for echo in self.echoes if echo.address == address), None)

    @property
    def ipv6(self) -> tuple[Echo, ...]:
        """The echoes over IPv6."""
        return tuple(echo for echo in self.echoes if ":" in echo.address)

    @property
    def ipv4(self) -> tuple[Echo, ...]:
        """The echoes over IPv4."""
        return tuple(echo for echo in self.echoes if ":" not in echo.address)


async def pings(addresses: Addresses, net: Net) -> Pings | Failure:
    """Ping each address at once; a Failure where this host permits no ping over IPv6."""
    if not addresses.ipv6:
        return Pings(())
    outcomes = await asyncio.gather(
        *(net.ping(address) for address in (*addresses.ipv6, *addresses.ipv4))
    )
    if isinstance(outcomes[0], Failure):
        return outcomes[0]
    return Pings(tuple(outcome for outcome in outcomes if isinstance(outcome, Echo)))
