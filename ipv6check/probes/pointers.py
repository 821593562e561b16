"""Reverse DNS of every IPv6 address, and what its names resolve to."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass

from ipv6check.model import Address, Answer, Failure
from ipv6check.net import Net
from ipv6check.probes.addresses import Addresses

MAX_NAMES = 10


@dataclass(frozen=True, slots=True)
class Pointer:
    """The PTR names of one address; ``confirmed`` are those that resolve back to it (FCrDNS)."""

    address: Address
    names: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    failure: Failure | None = None


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
    loopback = tuple(each for each in addresses.ipv6 if ipaddress.ip_address(each).is_loopback)
    public = tuple(each for each in addresses.ipv6 if each not in loopback)
    ipv6 = await _all(public, addresses, net)
    if all(pointer.names for pointer in ipv6):
        return Pointers(ipv6, loopback=loopback)
    return Pointers(ipv6, await _all(addresses.ipv4, addresses, net), loopback)


async def _all(which: tuple[str, ...], addresses: Addresses, net: Net) -> tuple[Pointer, ...]:
    if len(which) == 1:
        return (await _pointer(which[0], addresses, net),)
    return tuple(await asyncio.gather(*(_pointer(address, addresses, net) for address in which)))


async def _pointer(address: str, addresses: Addresses, net: Net) -> Pointer:
    answer = await net.resolve(ipaddress.ip_address(address).reverse_pointer, "PTR")
    if isinstance(answer, Failure):
        return Pointer(address, failure=answer)
    names = tuple(record.removesuffix(".") for record in answer.records[:MAX_NAMES])
    confirmed = [name for name in names if await _resolves_to(name, address, addresses, net)]
    return Pointer(address, names, tuple(confirmed))


async def _resolves_to(name: str, address: str, addresses: Addresses, net: Net) -> bool:
    rdtype = "AAAA" if ":" in address else "A"
    known = addresses.aaaa if rdtype == "AAAA" else addresses.a
    if isinstance(known, Answer) and name.lower() == addresses.name:
        return address in known.records
    answer = await net.resolve(name, rdtype)
    return isinstance(answer, Answer) and address in answer.records
