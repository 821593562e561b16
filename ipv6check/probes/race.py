"""A real RFC 8305 race against the target."""

from __future__ import annotations

from ipv6check.eyeballs.happy import Outcome
from ipv6check.eyeballs.happy import race as run_race
from ipv6check.eyeballs.order import attempt_order
from ipv6check.model import Settings
from ipv6check.net import Net
from ipv6check.probes.addresses import Addresses
from ipv6check.target import Target


async def race(
    addresses: Addresses, target: Target, settings: Settings, net: Net
) -> Outcome | None:
    """Race on the first port that anything answers on; None where only one family can run."""
    if not addresses.ipv6 or not addresses.ipv4:
        return None
    order = attempt_order(addresses.ipv6, addresses.ipv4)
    outcome = None
    for port in settings.ports_for(target.ports):
        outcome = await run_race(order, port, net.connect)
        if outcome.winner is not None:
            break
    return outcome
