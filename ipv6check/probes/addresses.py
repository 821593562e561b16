"""The addresses that a target's name publishes, and which of them packets may go to."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ipv6check.model import Address, Answer, Failure, Kind, Settings
from ipv6check.net import Net
from ipv6check.registry import SpecialPurpose, unusable_ipv6, usable_ipv4
from ipv6check.target import Target

LOCALHOST = {"AAAA": "::1", "A": "127.0.0.1"}
_NO_WORD = frozenset(
    {Kind.TIMEOUT, Kind.RESOLVER_UNREACHABLE, Kind.BAD_ANSWER, Kind.SERVFAIL, Kind.DNS_ERROR}
)


@dataclass(frozen=True, slots=True)
class Unusable:
    """A published IPv6 address that the Internet cannot reach, and why."""

    address: Address
    reason: SpecialPurpose


@dataclass(frozen=True, slots=True)
class Addresses:
    """What the name resolves to.

    ``origin``: dns, literal, localhost or resolve (the ``--resolve`` option). ``a`` and ``aaaa``
    are the resolver's answers, None where it was not asked. ``ipv4`` and ``ipv6`` are the addresses
    to try, in numeric order; ``unusable`` holds the rest of the AAAA.
    """

    name: str
    origin: str
    a: Answer | Failure | None
    aaaa: Answer | Failure | None
    ipv4: tuple[Address, ...]
    ipv6: tuple[Address, ...]
    unusable: tuple[Unusable, ...] = ()


async def addresses(target: Target, settings: Settings, net: Net) -> Addresses | Failure:
    """Resolve A and AAAA, both by the vantage's resolver; a Failure where that is out of reach."""
    host = target.host
    if target.literal and host == LOCALHOST["AAAA"]:
        # Who writes it means this host; a name that leads to it is a mistake.
        return Addresses(host, "literal", None, None, (), (host,))
    if target.literal:
        return _addresses(host, "literal", (host,), (), settings)
    given = settings.resolve.get(host)
    if given is not None:
        ipv6 = [address for address in given if ":" in address]
        ipv4 = [address for address in given if ":" not in address]
        return _addresses(host, "resolve", ipv6, ipv4, settings)
    if host == "localhost" or host.endswith(".localhost"):
        # RFC 6761 section 6.3: never asked of the DNS, and its user means this host.
        return Addresses(host, "localhost", None, None, (LOCALHOST["A"],), (LOCALHOST["AAAA"],))
    return await _resolve(host, settings, net)


async def _resolve(host: str, settings: Settings, net: Net) -> Addresses | Failure:
    # Back to back, AAAA first (RFC 8305 section 3).
    asking_a = asyncio.ensure_future(net.resolve(host, "A"))
    try:
        aaaa = await net.resolve(host, "AAAA")
        a = await asking_a
    finally:
        asking_a.cancel()
    blind = await _blind(aaaa, a, net)
    if blind is not None:
        return blind
    ipv6 = aaaa.records if isinstance(aaaa, Answer) else ()
    ipv4 = a.records if isinstance(a, Answer) else ()
    synthesised = await net.pref64() if ipv6 else ()
    found = _addresses(host, "dns", ipv6, ipv4, settings, synthesised)
    return replace(found, a=a, aaaa=aaaa)


async def _blind(aaaa: Answer | Failure, a: Answer | Failure, net: Net) -> Failure | None:
    """Why this host cannot tell: no resolver serves it. Silence for one name is the name's."""
    if isinstance(aaaa, Answer) or isinstance(a, Answer):
        return None
    if aaaa.kind is a.kind is Kind.DNS_REFUSED:
        return Failure(Kind.RESOLVER_UNREACHABLE, f"the resolver refuses this host: {aaaa.detail}")
    if not {aaaa.kind, a.kind} <= _NO_WORD:
        return None
    if Kind.RESOLVER_UNREACHABLE in {aaaa.kind, a.kind} or not await net.resolver_answers():
        return Failure(Kind.RESOLVER_UNREACHABLE, f"the resolver is out of reach: {aaaa.detail}")
    return None


def _addresses(
    host: str,
    origin: str,
    ipv6: Iterable[str],
    ipv4: Iterable[str],
    settings: Settings,
    pref64: tuple[str, ...] = (),
) -> Addresses:
    """Sort out what packets may go to, in an order that does not change from answer to answer."""
    published = sorted(set(ipv6), key=_number)
    reasons = [(address, _why_unusable(address, settings, pref64)) for address in published]
    internal = settings.internal
    return Addresses(
        host,
        origin,
        None,
        None,
        ipv4=tuple(
            address
            for address in sorted(set(ipv4), key=_number)
            if usable_ipv4(address, internal=internal)
        ),
        ipv6=tuple(address for address, reason in reasons if reason is None),
        unusable=tuple(Unusable(address, reason) for address, reason in reasons if reason),
    )


def _number(address: str) -> int:
    return int(ipaddress.ip_address(address))


def _why_unusable(
    address: str, settings: Settings, pref64: tuple[str, ...]
) -> SpecialPurpose | None:
    for prefix in pref64:
        if ipaddress.IPv6Address(address) in ipaddress.IPv6Network(prefix):
            return SpecialPurpose(prefix, "DNS64-synthesised", "RFC 7050")
    return unusable_ipv6(address, internal=settings.internal)
