"""A real race of Happy Eyeballs against the target, on each port that it offers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ipv6check.eyeballs.core import Resolved
from ipv6check.eyeballs.happy import Outcome
from ipv6check.eyeballs.happy import race as run_race
from ipv6check.eyeballs.order import RFC6724_TABLE, Table, destination_order
from ipv6check.eyeballs.pace import politely
from ipv6check.eyeballs.policy import ALGORITHMS, Policy, tuned
from ipv6check.model import Answer, Failure, Settings
from ipv6check.net import Net
from ipv6check.probes.addresses import Addresses
from ipv6check.probes.connections import Connections

# Stands for the source of IPv4 packets, of which RFC 6724 asks no more than that there is one.
_ANY_IPV4 = "192.0.2.1"


async def race(
    addresses: Addresses, connections: Connections, settings: Settings, net: Net
) -> Mapping[int, Outcome]:
    """Race on each port that anything accepts on; nowhere if there is but one address to try."""
    if not addresses.ipv6 or len(addresses.ipv6 + addresses.ipv4) < 2:
        return {}
    offered = {attempt.port for attempt in connections.attempts if attempt.connected}
    ports = [port for port in connections.ports if port in offered]
    order = system_order(addresses, connections, net.vantage().source_ipv6)
    rank = {address: place for place, address in enumerate(order)}
    dns, policy = resolved(addresses), policy_of(settings)
    races = [partial(run_race, policy, dns, rank, port, net.connect) for port in ports]
    return dict(zip(ports, await politely(races), strict=True))


def policy_of(settings: Settings) -> Policy:
    """The algorithm and its constants that were asked for."""
    return tuned(
        ALGORITHMS[settings.happy_eyeballs],
        connection_attempt_delay_ms=settings.connection_attempt_delay_ms,
        resolution_delay_ms=settings.resolution_delay_ms,
    )


def resolved(addresses: Addresses) -> Mapping[str, Resolved]:
    """What the resolver said by type, and when; the addresses that packets may go to."""
    return {
        "AAAA": Resolved(addresses.ipv6, _elapsed_ms(addresses.aaaa)),
        "A": Resolved(addresses.ipv4, _elapsed_ms(addresses.a)),
    }


def _elapsed_ms(answer: Answer | Failure | None) -> float:
    return 0.0 if answer is None else answer.elapsed_ms


def system_order(
    addresses: Addresses,
    connections: Connections,
    source_ipv6: str | None,
    table: Table = RFC6724_TABLE,
) -> list[str]:
    """All published addresses by RFC 6724; what it does not tell apart, as the resolver has it.

    The kernel's choice of a source is known where it was seen; ``source_ipv6`` stands for it else.
    """
    # glibc has those of A first where RFC 6724 does not tell.
    published = [*_records(addresses.a, addresses.ipv4), *_records(addresses.aaaa, addresses.ipv6)]
    sources = {each: source_ipv6 if ":" in each else _ANY_IPV4 for each in published}
    sources |= {each.address: each.source for each in connections.attempts if each.source}
    return destination_order(published, sources, table)


def _records(answer: Answer | Failure | None, usable: tuple[str, ...]) -> tuple[str, ...]:
    return answer.records if isinstance(answer, Answer) else usable
