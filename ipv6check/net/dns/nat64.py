"""NAT64 prefixes: what a DNS64 adds is not the target's own (RFC 6052, RFC 7050). Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable

WELL_KNOWN_NAME = "ipv4only.arpa"
_WELL_KNOWN_ADDRESSES = frozenset({bytes((192, 0, 0, 170)), bytes((192, 0, 0, 171))})
# RFC 6052 section 2.2: where the four octets stand, octet 8 left out; the longest prefix first.
_EMBEDDED = {
    96: (12, 13, 14, 15),
    64: (9, 10, 11, 12),
    56: (7, 9, 10, 11),
    48: (6, 7, 9, 10),
    40: (5, 6, 7, 9),
    32: (4, 5, 6, 7),
}


def prefixes(addresses: Iterable[str]) -> tuple[str, ...]:
    """The prefixes under which these AAAA of ipv4only.arpa were made (RFC 7050 section 3)."""
    known = {prefix for address in addresses if (prefix := _prefix(address))}
    return tuple(sorted(known))


def unexplained(addresses: Iterable[str]) -> tuple[str, ...]:
    """Those AAAA of ipv4only.arpa that no DNS64 makes: the name has none (RFC 7050 section 8.2)."""
    return tuple(address for address in addresses if _prefix(address) is None)


def embedding(aaaa: Collection[str], a: Collection[str]) -> str | None:
    """The one prefix under which every AAAA is one of the A, and every A one of them."""
    ipv4 = frozenset(ipaddress.IPv4Address(address).packed for address in a)
    embedded = {_prefix(address, ipv4) for address in aaaa}
    return embedded.pop() if len(embedded) == 1 and len(set(aaaa)) == len(ipv4) else None


def _prefix(address: str, embedded: Collection[bytes] = _WELL_KNOWN_ADDRESSES) -> str | None:
    packed = ipaddress.IPv6Address(address).packed
    for length, octets in _EMBEDDED.items():
        four = bytes(map(packed.__getitem__, octets))
        if four in embedded and not any(packed[max(octets) + 1 :]):
            return str(ipaddress.IPv6Network((packed, length), strict=False))
    return None
