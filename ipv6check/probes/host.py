"""What this host is to IPv6, where the target is this host."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ipv6check.model import Failure, HostState, NameServer, Stub
from ipv6check.net import Net
from ipv6check.probes.here import Here


@dataclass(frozen=True, slots=True)
class Host:
    """The kernel's state, the answers of the resolvers, and getaddrinfo's order of addresses.

    ``missing``: why that order is loopback's. ``stub``: how names are resolved besides.
    """

    state: HostState
    name_servers: tuple[NameServer, ...]
    preference: tuple[str, ...]
    missing: str = ""
    stub: Stub = Stub()  # noqa: RUF009 - frozen


async def host(here: Here, net: Net) -> Host | Failure | None:
    """Look at this host; None where the target is another one."""
    kernel = net.kernel
    if not here.addresses or kernel is None:
        return None
    # First, since it lets the kernel look for its routers, of which the order depends.
    state = await kernel.host()
    if isinstance(state, Failure):
        return state
    name_servers, preference = await asyncio.gather(kernel.name_servers(), kernel.preference())
    return Host(state, name_servers, preference.addresses, preference.missing, kernel.stub())
