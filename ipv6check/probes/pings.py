"""ICMP echo to every address of both families."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ipv6check.model import Address, Echo, Failure, is_ipv6
from ipv6check.net import Net
from ipv6check.net.own_time import spare_s
from ipv6check.net.pacing import at_once
from ipv6check.probes.addresses import Addresses


@dataclass(frozen=True, slots=True)
class Pings:
    """One Echo for each address, IPv6 before IPv4; only those of a family that may be pinged.

    ``untried``: the addresses for which the target's time was over.
    """

    echoes: tuple[Echo, ...]
    untried: tuple[Address, ...] = ()

    def to(self, address: str) -> Echo | None:
        """The echo of this address."""
        return next((echo for echo in self.echoes if echo.address == address), None)

    @property
    def ipv6(self) -> tuple[Echo, ...]:
        """The echoes over IPv6."""
        return tuple(echo for echo in self.echoes if is_ipv6(echo.address))

    @property
    def ipv4(self) -> tuple[Echo, ...]:
        """The echoes over IPv4."""
        return tuple(echo for echo in self.echoes if not is_ipv6(echo.address))


async def pings(addresses: Addresses, net: Net) -> Pings | Failure:
    """Ping each address at once; a Failure where this host permits no ping over IPv6."""
    if not addresses.ipv6:
        return Pings(())
    wanted = (*addresses.ipv6, *addresses.ipv4)
    outcomes = await at_once([partial(net.ping, address) for address in wanted], spare_s())
    if isinstance(outcomes[0], Failure):
        return outcomes[0]
    pairs = zip(wanted, outcomes, strict=True)
    untried = [address for address, outcome in pairs if outcome is None]
    echoes = tuple(outcome for outcome in outcomes if isinstance(outcome, Echo))
    return Pings(echoes, tuple(untried))
