"""Whether this vantage's IPv6 can be held against a target at all (law 1)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from ipv6check.model import Failure, Kind
from ipv6check.net import Net
from ipv6check.probes.addresses import Addresses
from ipv6check.probes.connections import Connections
from ipv6check.probes.pings import Pings
from ipv6check.registry import special_purpose


@dataclass(frozen=True, slots=True)
class Path:
    """``ipv6``: yes, no (no route or source of ours) or broken (controls are silent too)."""

    ipv6: str
    detail: str = ""


async def path(
    addresses: Addresses, connections: Connections, pings: Pings | Failure, net: Net
) -> Path:
    """Judge the vantage by the target's own answers, and by the controls where it gave none."""
    echoes = pings.ipv6 if isinstance(pings, Pings) else ()
    attempts = connections.ipv6
    if any(attempt.answered for attempt in attempts) or any(echo.received for echo in echoes):
        return Path("yes")
    if addresses.ipv6 and all(ip_address(address).is_loopback for address in addresses.ipv6):
        return Path("yes")  # the vantage is the target: what it cannot do is the target's fault
    kinds = {attempt.failure.kind for attempt in attempts if attempt.failure}
    if kinds == {Kind.NO_LOCAL_ROUTE}:
        return Path("no", _local_detail(connections))
    # A control on the Internet says nothing of a path inside one's own network.
    everyone_internal = all(special_purpose(address) for address in addresses.ipv6)
    if everyone_internal or await net.controls_answer():
        return Path("yes")
    return Path("broken", "the IPv6 of this host is broken: neither target nor controls answer")


def _local_detail(connections: Connections) -> str:
    failure = connections.ipv6[0].failure
    return f"this host has no IPv6 route ({failure.detail})" if failure else ""
