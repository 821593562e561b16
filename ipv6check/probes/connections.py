"""TCP handshakes with every address on every port."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ipv6check.config.target import Target
from ipv6check.model import Attempt, Port, Settings, is_ipv6
from ipv6check.net import Net
from ipv6check.net.own_time import own_time
from ipv6check.net.pacing import in_time
from ipv6check.probes.addresses import Addresses

# So much of a short time is worth a connection: without one nothing comes after.
_MOST = 0.85


@dataclass(frozen=True, slots=True)
class Connections:
    """Every attempt, IPv6 before IPv4, by port and address.

    ``named``: the user named the ports, so each of them must be open; else a port that is closed on
    every address is not offered. ``untried``: for how many more there was no time, because so many
    were silent or the target's time was over.
    """

    ports: tuple[Port, ...]
    named: bool
    attempts: tuple[Attempt, ...]
    untried: int = 0

    @property
    def ipv6(self) -> tuple[Attempt, ...]:
        """The attempts over IPv6."""
        return tuple(attempt for attempt in self.attempts if is_ipv6(attempt.address))

    @property
    def ipv4(self) -> tuple[Attempt, ...]:
        """The attempts over IPv4."""
        return tuple(attempt for attempt in self.attempts if not is_ipv6(attempt.address))


async def connections(
    addresses: Addresses, target: Target, settings: Settings, net: Net
) -> Connections:
    """Every TCP connection attempt: each address on each port; none without an IPv6 address."""
    ports = settings.ports_for(target.ports)
    named = bool(target.ports or settings.ports)
    if not addresses.ipv6:
        return Connections(ports, named, ())
    wanted = [(address, port) for address in (*addresses.ipv6, *addresses.ipv4) for port in ports]
    # Both families on every port before the second address of either: that is what tells most.
    families = (addresses.ipv6, addresses.ipv4)
    rank = {address: place for family in families for place, address in enumerate(family)}
    wanted.sort(key=lambda endpoint: rank[endpoint[0]])
    calls = [partial(net.connect, *endpoint) for endpoint in wanted]
    attempts = [attempt for attempt in await in_time(calls, _time_s(settings)) if attempt]
    attempts.sort(key=lambda attempt: not is_ipv6(attempt.address))
    over_ipv6 = {attempt.port for attempt in attempts if is_ipv6(attempt.address)}
    tried = tuple(port for port in ports if port in over_ipv6)
    return Connections(tried, named, tuple(attempts), len(wanted) - len(attempts))


def _time_s(settings: Settings) -> float:
    """Seconds for connections: what is left of the target's time, less what comes after."""
    left_s = own_time().left_s
    return max(left_s - 0.75 * settings.timeout_s, _MOST * left_s)
