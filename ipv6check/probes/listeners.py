"""What listens on the target's ports, where the target is this host."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_address

from ipv6check.config.target import Target
from ipv6check.model import Attempt, Failure, Listener, Port, Settings, is_ipv6
from ipv6check.net import Net
from ipv6check.net.pacing import politely
from ipv6check.probes.here import Here


@dataclass(frozen=True, slots=True)
class Listeners:
    """What listens, by protocol, port and address; nothing where the target is elsewhere.

    ``ports``: those of the target, empty for every one that listens; only then UDP is in it too.
    ``named``: the user named them. ``attempts``: at ports of the target where no socket serves some
    address of it, which may be forwarded all the same (DNAT, IPVS).
    """

    here: Here
    ports: tuple[Port, ...]
    named: bool
    sockets: tuple[Listener, ...]
    attempts: tuple[Attempt, ...] = ()

    def on(self, port: int) -> tuple[Listener, ...]:
        """What listens for TCP on one port."""
        return tuple(
            listener
            for listener in self.sockets
            if (listener.protocol, listener.port) == ("tcp", port)
        )

    def serving(self, port: int, address: str) -> tuple[Listener, ...]:
        """What the kernel hands a connection to this address and port to.

        The narrowest match wins, then a socket of the address's own family: ``inet_lookup`` of
        net/ipv4/inet_hashtables.c. Several are left where they are alike but for an interface.
        """
        alike = [
            (_rank(listener, address), listener)
            for listener in self.on(port)
            if covers(listener, address)
        ]
        best = min((rank for rank, _ in alike), default=0)
        return tuple(listener for rank, listener in alike if rank == best)


async def listeners(
    here: Here, target: Target, settings: Settings, net: Net
) -> Listeners | Failure:
    """Read this host's tables of sockets, if the target is this host at all."""
    ports = settings.ports_for(target.ports)
    named = bool(target.ports or settings.ports)
    if not here.addresses or net.kernel is None:
        return Listeners(here, ports, named, ())
    sockets = await net.kernel.listeners()
    if isinstance(sockets, Failure):
        return sockets
    wanted = tuple(
        listener
        for listener in sockets
        if not ports or (listener.protocol == "tcp" and listener.port in ports)
    )
    seen = Listeners(here, ports, named, wanted)
    return replace(seen, attempts=await _attempts(seen, net))


async def _attempts(seen: Listeners, net: Net) -> tuple[Attempt, ...]:
    """Try every address on each port that lacks a socket for one of them."""
    addresses = seen.here.addresses
    unserved = [
        port for port in seen.ports if not all(seen.serving(port, address) for address in addresses)
    ]
    calls = [partial(net.connect, address, port) for port in unserved for address in addresses]
    return tuple(await politely(calls))


def covers(listener: Listener, address: str) -> bool:
    """Whether packets to this address of this host reach the listener."""
    ip = ip_address(address)
    if listener.interface and ip.is_loopback != (listener.interface == "lo"):
        return False
    bound = ip_address(listener.address)
    if bound == ip:
        return True
    return bound.is_unspecified and (bound.version == ip.version or listener.dual)


def _rank(listener: Listener, address: str) -> int:
    if listener.address == address:
        return 0
    return 1 if is_ipv6(listener.address) == is_ipv6(address) else 2
