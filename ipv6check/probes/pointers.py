"""Reverse DNS of every IPv6 address, and what its names resolve to."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass

from ipv6check.model import VANTAGE_KINDS, Address, Answer, Failure, Kind, is_ipv6
from ipv6check.net import Net
from ipv6check.probes.addresses import Addresses

# A server of many sites may have a name for each.
MAX_NAMES = 100
# So many of them are asked at a time, until one leads back.
_AT_A_TIME = 10
_NO_WORD = frozenset({Kind.TIMEOUT, Kind.BAD_ANSWER, Kind.SERVFAIL, Kind.DNS_ERROR})


@dataclass(frozen=True, slots=True)
class Pointer:
    """The PTR names of one address; ``confirmed`` are those that resolve back to it (FCrDNS).

    The target's own name is looked at first, and the rest only until one is confirmed. ``unseen``:
    how many names there are beyond those. ``failure``: why the names, or where they lead to, are
    not known; of a kind of the vantage's where that is to blame.
    """

    address: Address
    names: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    failure: Failure | None = None
    unseen: int = 0


@dataclass(frozen=True, slots=True)
class Pointers:
    """One Pointer for each address; ``ipv4`` is asked only where IPv6 lacks one, to compare.

    ``loopback``: addresses that every host has, whose names nobody publishes (RFC 6303).
    """

    ipv6: tuple[Pointer, ...]
    ipv4: tuple[Pointer, ...] = ()
    loopback: tuple[Address, ...] = ()


async def pointers(addresses: Addresses, net: Net) -> Pointers:
    """Ask for each address's PTR records, and forward again for each name."""
    loopback = tuple(filter(_is_loopback, addresses.ipv6))
    public = tuple(address for address in addresses.ipv6 if address not in loopback)
    ipv6 = await _all(public, addresses, net)
    if all(pointer.names for pointer in ipv6):
        return Pointers(ipv6, loopback=loopback)
    return Pointers(ipv6, await _all(addresses.ipv4, addresses, net), loopback)


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


async def _all(which: tuple[str, ...], addresses: Addresses, net: Net) -> tuple[Pointer, ...]:
    if len(which) == 1:
        return (await _pointer(which[0], addresses, net),)
    return tuple(await asyncio.gather(*(_pointer(address, addresses, net) for address in which)))


async def _pointer(address: str, addresses: Addresses, net: Net) -> Pointer:
    answer = await net.resolve(ipaddress.ip_address(address).reverse_pointer, "PTR")
    if isinstance(answer, Failure):
        return Pointer(address, failure=await _blamed(answer, net))
    published = [record.removesuffix(".") for record in answer.records]
    # Resolvers rotate what is equal: without an order every run would look at other names.
    published.sort(key=lambda name: (name.lower() != addresses.name, name))
    names = tuple(published[:MAX_NAMES])
    confirmed, failures = await _confirmed(names, address, addresses, net)
    unseen = 0 if confirmed else len(published) - len(names)
    failure = None if confirmed or not names else await _why_unknown(address, failures, net)
    return Pointer(address, names, confirmed, failure, unseen)


async def _confirmed(
    names: tuple[str, ...], address: str, addresses: Addresses, net: Net
) -> tuple[tuple[str, ...], list[Failure]]:
    """Those of the first names with one among them that lead back, and what failed before that."""
    failures: list[Failure] = []
    for start in range(0, len(names), _AT_A_TIME):
        batch = names[start : start + _AT_A_TIME]
        answers = await asyncio.gather(*(_forward(name, address, addresses, net) for name in batch))
        pairs = zip(batch, answers, strict=True)
        back = tuple(
            name
            for name, answer in pairs
            if isinstance(answer, Answer) and address in answer.records
        )
        if back:
            return back, []
        failures += [answer for answer in answers if isinstance(answer, Failure)]
    return (), failures


async def _forward(name: str, address: str, addresses: Addresses, net: Net) -> Answer | Failure:
    rdtype = "AAAA" if is_ipv6(address) else "A"
    known = addresses.aaaa if rdtype == "AAAA" else addresses.a
    if isinstance(known, Answer) and name.lower() == addresses.name:
        return known
    return await net.resolve(name, rdtype)


async def _blamed(failure: Failure, net: Net) -> Failure:
    """The failure, of the vantage's kind where the resolver fails at everything.

    REFUSED is its own word: that of a name's server does not come through a resolver.
    """
    alone = failure.kind in _NO_WORD and not await net.resolver.answers()
    if not alone and failure.kind is not Kind.DNS_REFUSED:
        return failure
    detail = f"this network's resolver does not serve this host: {failure.detail}"
    return Failure(Kind.RESOLVER_UNREACHABLE, detail, failure.elapsed_ms, failure.source)


async def _why_unknown(address: str, failures: list[Failure], net: Net) -> Failure | None:
    """Why it is unknown whether a name leads back: the resolver fails, or returns no AAAA."""
    blamed = [await _blamed(failure, net) for failure in failures[:1]]
    ours = [failure for failure in (*blamed, *failures) if failure.kind in VANTAGE_KINDS]
    if ours:
        return ours[0]
    withheld = await net.resolver.aaaa_withheld() if is_ipv6(address) else None
    if withheld is None:
        return None
    detail = f"this network's resolver returns no AAAA for any name: {withheld.detail}"
    return Failure(Kind.RESOLVER_UNREACHABLE, detail)
