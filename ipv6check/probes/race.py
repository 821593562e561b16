"""A real race of Happy Eyeballs against the target, on each port that it offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from types import MappingProxyType
from typing import NamedTuple

from ipv6check.config.target import Target
from ipv6check.eyeballs.address_order import RFC6724_TABLE, PolicyTable, destination_order, equals
from ipv6check.eyeballs.algorithm import Resolved
from ipv6check.eyeballs.https_records import Service, hints, services
from ipv6check.eyeballs.policy import ALGORITHMS, HTTPS, Policy, tuned
from ipv6check.eyeballs.prediction import FELT_MS
from ipv6check.eyeballs.race import CANCELLED, Entrant, Outcome
from ipv6check.eyeballs.race import race as run_race
from ipv6check.model import Answer, Attempt, Failure, Handshake, Kind, Settings, is_ipv6
from ipv6check.net import Net
from ipv6check.net.pacing import politely
from ipv6check.net.special_addresses import unusable_ipv6, usable_ipv4
from ipv6check.net.timing_loop import undisturbed
from ipv6check.probes.addresses import Addresses
from ipv6check.probes.connections import Connections
from ipv6check.probes.handshakes import alpn

HTTPS_PORT = 443
# The least that is recommended between two attempts (RFC 8305 section 5).
CONNECTION_ATTEMPT_DELAY_LEAST_MS = 100.0
# A packet is lost now and then: so often a race is run until none was.
RACES = 4
# Stands for the source of IPv4 packets, of which RFC 6724 asks no more than that there is one.
_ANY_IPV4 = "192.0.2.1"


class SystemOrder(NamedTuple):
    """The order of a name's addresses, and those whose order among each other is the resolver's."""

    order: tuple[str, ...]
    equal: tuple[tuple[str, ...], ...]


async def race(
    addresses: Addresses, connections: Connections, target: Target, settings: Settings, net: Net
) -> Mapping[int, Outcome]:
    """Race on each port that anything accepts on; nowhere if there is but one address to try."""
    if not addresses.ipv6 or len(addresses.ipv6 + addresses.ipv4) < 2:
        return {}
    offered = {attempt.port for attempt in connections.attempts if attempt.connected}
    ports = [port for port in connections.ports if port in offered]
    setup = RaceSetup(policy_of(settings), addresses, connections, target, settings, net)
    races = [partial(setup.race, port) for port in ports]
    return dict(zip(ports, await politely(races), strict=True))


@dataclass(frozen=True, slots=True)
class RaceSetup:
    """A race to be run: the algorithm, what is known of a target, and the net to race on."""

    policy: Policy
    addresses: Addresses
    connections: Connections
    target: Target
    settings: Settings
    net: Net

    async def race(self, port: int, tell: Callable[[Entrant], None] = lambda _: None) -> Outcome:
        """Race on one port."""
        dns = dict(resolved(self.addresses))
        known: tuple[Service, ...] = ()
        if self.policy.https_delay_ms is not None and (name := self._service_name(port)):
            known, dns[HTTPS] = _offered(await self.net.resolve(name, HTTPS), port, self.settings)
        hinted = dns.get(HTTPS, Resolved()).addresses
        source = self.net.uplink.vantage().source_ipv6
        towards = self._sources((*self.addresses.ipv6, *hinted))
        order, equal = system_order(
            self.addresses, self.connections, source, more=hinted, towards=towards
        )
        rank = {address: place for place, address in enumerate(order)}
        secure = self._secure if self._tls_decides(port) else None
        connect = partial(self.net.connect, once=True)
        run = partial(run_race, self.policy, dns, rank, port, connect, tell, secure)
        outcome = await undisturbed(self.net.timing_loop, run, lasts=self._lasts(port))
        for _ in range(1, RACES):
            if self._lost_a_packet(outcome):
                outcome = await undisturbed(self.net.timing_loop, run)
        return replace(outcome, services=known, equal=equal)

    def _sources(self, addresses: Sequence[str]) -> Mapping[str, str]:
        """The source of packets to each IPv6 address, where the vantage has a kernel to ask."""
        kernel = self.net.kernel
        if kernel is None:
            return {}
        chosen = {address: kernel.source(address) for address in addresses if is_ipv6(address)}
        return {address: source for address, source in chosen.items() if source}

    def _lasts(self, port: int) -> bool:
        """Whether there is an address that a race may have to wait for, so that timers count."""
        return any(
            attempt.elapsed_ms >= CONNECTION_ATTEMPT_DELAY_LEAST_MS
            for attempt in self.connections.attempts
            if attempt.port == port
        )

    def _lost_a_packet(self, outcome: Outcome) -> bool:
        """Whether IPv4 won while an address was waited for that had answered long before that.

        One lost packet is no news: the race is run again.
        """
        if outcome.winner is None or is_ipv6(outcome.winner):
            return False
        took_ms = {
            attempt.address: attempt.elapsed_ms
            for attempt in self.connections.attempts
            if attempt.port == outcome.port and attempt.connected
        }
        return any(
            is_ipv6(entrant.address)
            and entrant.outcome == CANCELLED
            and entrant.tls_started_ms is None
            and took_ms.get(entrant.address, inf) + FELT_MS
            < outcome.elapsed_ms - entrant.started_ms
            for entrant in outcome.entrants
        )

    def _tls_decides(self, port: int) -> bool:
        return self.policy.success == "tls" and self.target.begins_with_tls(port)

    def _service_name(self, port: int) -> str:
        """Which name has the HTTPS records of this port (RFC 9460 section 9.1); empty for none."""
        if self.addresses.origin != "dns" or not alpn(self.target, port):
            return ""
        host = self.target.host
        return host if port == HTTPS_PORT else f"_{port}._https.{host}"

    async def _secure(
        self, address: str, port: int, connected: Callable[[Attempt], None]
    ) -> Handshake:
        name = self.target.server_name
        protocols = alpn(self.target, port)
        return await self.net.tls(address, port, name, protocols, connected, once=True)


def _offered(
    answer: Answer | Failure, port: int, settings: Settings
) -> tuple[tuple[Service, ...], Resolved]:
    """Services of HTTPS records (RFC 9460), and their address hints for the race."""
    if isinstance(answer, Failure):
        return (), Resolved((), inf if answer.kind is Kind.TIMEOUT else answer.elapsed_ms)
    known = services(answer.records)
    usable = [address for address in hints(known, port) if _is_usable(address, settings)]
    return known, Resolved(tuple(usable), answer.elapsed_ms)


def _is_usable(address: str, settings: Settings) -> bool:
    if not is_ipv6(address):
        return usable_ipv4(address, internal=settings.internal)
    return unusable_ipv6(address, internal=settings.internal) is None


def policy_of(settings: Settings) -> Policy:
    """The algorithm and its constants that were asked for."""
    return tuned(
        ALGORITHMS[settings.happy_eyeballs],
        connection_attempt_delay_ms=settings.connection_attempt_delay_ms,
        resolution_delay_ms=settings.resolution_delay_ms,
    )


def resolved(addresses: Addresses) -> Mapping[str, Resolved]:
    """Usable addresses by type, and when the resolver answered."""
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
    table: PolicyTable = RFC6724_TABLE,
    more: Sequence[str] = (),
    towards: Mapping[str, str] = MappingProxyType({}),
) -> SystemOrder:
    """All published addresses by RFC 6724 section 6; equals in the order of the resolver.

    ``more`` are those that only a hint names. The kernel's choice of a source is known where it was
    seen, or asked for (``towards``, by address); ``source_ipv6`` stands for it elsewhere.
    """
    # glibc has those of A first where RFC 6724 does not tell.
    answered = [*_records(addresses.a, addresses.ipv4), *_records(addresses.aaaa, addresses.ipv6)]
    published = [*answered, *(address for address in more if address not in answered)]
    sources = {address: source_ipv6 if is_ipv6(address) else _ANY_IPV4 for address in published}
    sources |= towards
    sources |= {
        attempt.address: attempt.source for attempt in connections.attempts if attempt.source
    }
    # A file has an order of its own, and so has --resolve.
    rotated = answered if addresses.origin == "dns" else ()
    return SystemOrder(
        tuple(destination_order(published, sources, table)), equals(rotated, sources, table)
    )


def _records(answer: Answer | Failure | None, usable: tuple[str, ...]) -> tuple[str, ...]:
    return answer.records if isinstance(answer, Answer) else usable
