"""What each client's prediction is computed from: every address's own verdict, and the DNS times.

It tries no address that was tried already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, partial
from itertools import product
from math import inf
from pathlib import Path

from ipv6check.eyeballs.address_order import GLIBC_TABLE, is_mapped
from ipv6check.eyeballs.algorithm import Resolved
from ipv6check.eyeballs.prediction import Seen, Survey, Tls, syn_timeout_ms
from ipv6check.model import Answer, Attempt, Failure, Handshake, Kind
from ipv6check.net import Net
from ipv6check.net.pacing import politely
from ipv6check.probes.addresses import Addresses
from ipv6check.probes.connections import Connections
from ipv6check.probes.handshakes import Handshakes
from ipv6check.probes.race import system_order

# How many SYNs this host repeats before it gives up (tcp(7)).
_SYN_RETRIES = Path("/proc/sys/net/ipv4/tcp_syn_retries")
_SILENT = frozenset({Kind.TIMEOUT, Kind.RESOLVER_UNREACHABLE})


async def survey(
    addresses: Addresses, connections: Connections, handshakes: Handshakes, net: Net
) -> Mapping[int, Survey]:
    """By port: what a client finds there."""
    dns = {
        "AAAA": _resolved(addresses.aaaa, addresses.ipv6),
        "A": _resolved(addresses.a, addresses.ipv4),
    }
    source = net.uplink.vantage().source_ipv6
    order, equal = system_order(addresses, connections, source, GLIBC_TABLE)
    patience_ms = syn_timeout_ms(_syn_retries())
    # Without a usable AAAA nothing was tried, and clients end on IPv4. Where the name has none at
    # all there is nothing that they could stumble over.
    tried = connections.attempts or _has_none(addresses.aaaa)
    missing = () if tried else product(addresses.ipv4, connections.ports)
    more = await politely([partial(net.connect, *pair) for pair in missing])
    attempts = (*connections.attempts, *more)
    return {
        port: Survey(dns, order, _seen(attempts, handshakes, port, order), patience_ms, equal)
        for port in connections.ports
    }


def _has_none(aaaa: Answer | Failure | None) -> bool:
    return isinstance(aaaa, Answer) and aaaa.rcode == "NOERROR" and not aaaa.records


def _resolved(answer: Answer | Failure | None, usable: tuple[str, ...]) -> Resolved:
    """What a client hears, addresses included that no packet of ours goes to."""
    if answer is None:
        return Resolved(usable)
    if isinstance(answer, Answer):
        return Resolved(answer.records, answer.elapsed_ms)
    return Resolved((), inf if answer.kind in _SILENT else answer.elapsed_ms)


def _seen(
    attempts: Iterable[Attempt], handshakes: Handshakes, port: int, order: Iterable[str]
) -> dict[str, Seen]:
    tls = {attempt.address: attempt for attempt in handshakes.on(port)}
    seen = {
        attempt.address: _verdict(attempt, tls.get(attempt.address))
        for attempt in attempts
        if attempt.port == port
    }
    # Packets for ::ffff:192.0.2.1 go to 192.0.2.1.
    mapped = {
        address: seen.get(address.rpartition(":")[2]) for address in order if is_mapped(address)
    }
    return seen | {address: verdict for address, verdict in mapped.items() if verdict}


def _verdict(attempt: Attempt, tls: Handshake | None) -> Seen:
    """TCP by the survey's own attempt, TLS by the connection that was made for it."""
    if not attempt.connected:
        return Seen("silent" if attempt.outcome == Kind.TIMEOUT else "failed", attempt.elapsed_ms)
    if tls is None or not tls.tcp.connected:
        return Seen("connected", attempt.elapsed_ms)
    ended: Tls = "ok" if tls.connected else "silent" if tls.silent else "failed"
    return Seen("connected", attempt.elapsed_ms, ended, tls.elapsed_ms)


@cache
def _syn_retries() -> int | None:
    try:
        return int(_SYN_RETRIES.read_text("ascii"))
    except (OSError, ValueError):
        return None
