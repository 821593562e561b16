"""Which IPv6 addresses nobody on the Internet can reach.

Our own table: ``ipaddress`` differs between Python versions. From the IANA IPv6 Special-Purpose
Address Registry and the IPv6 address space registry, as of 2026-11-20 (RFC 6890, RFC 8190).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

TABLE_DATE = "2026-11-20"


@dataclass(frozen=True, slots=True)
class SpecialPurpose:
    """One range. ``internal``: it works inside one's own network (``--internal`` admits it)."""

    prefix: str
    name: str
    reference: str
    internal: bool = False


SPECIAL_IPV6 = (
    SpecialPurpose("::/128", "the unspecified address", "RFC 4291"),
    SpecialPurpose("::1/128", "the loopback address", "RFC 4291", internal=True),
    SpecialPurpose("::ffff:0:0/96", "IPv4-mapped", "RFC 4291"),
    SpecialPurpose("::/96", "IPv4-compatible, deprecated", "RFC 4291"),
    SpecialPurpose("64:ff9b::/96", "the prefix of every NAT64", "RFC 6052"),
    SpecialPurpose("64:ff9b:1::/48", "local-use NAT64", "RFC 8215"),
    SpecialPurpose("100::/64", "discard-only", "RFC 6666"),
    SpecialPurpose("100:0:0:1::/64", "dummy prefix", "RFC 9780"),
    SpecialPurpose("2001::/23", "IETF protocol assignments", "RFC 2928"),
    SpecialPurpose("2001::/32", "Teredo", "RFC 4380"),
    SpecialPurpose("2001:2::/48", "benchmarking", "RFC 5180"),
    SpecialPurpose("2001:10::/28", "ORCHID, deprecated", "RFC 4843"),
    SpecialPurpose("2001:20::/28", "ORCHIDv2", "RFC 7343"),
    SpecialPurpose("2001:db8::/32", "documentation", "RFC 3849"),
    SpecialPurpose("2002::/16", "6to4, deprecated", "RFC 7526"),
    SpecialPurpose("3fff::/20", "documentation", "RFC 9637"),
    SpecialPurpose("5f00::/16", "segment routing SIDs", "RFC 9602"),
    SpecialPurpose("fc00::/7", "unique local (ULA)", "RFC 4193", internal=True),
    SpecialPurpose("fe80::/10", "link-local", "RFC 4291"),
    SpecialPurpose("fec0::/10", "site-local, deprecated", "RFC 3879"),
    SpecialPurpose("ff00::/8", "multicast", "RFC 4291"),
)
# What IANA marks globally reachable inside of 2001::/23: anycast, AMT, AS112 and drone ids.
GLOBALLY_REACHABLE = (
    "2001:1::1/128",
    "2001:1::2/128",
    "2001:1::3/128",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:30::/28",
)
# RFC 4291 section 2.4: what is neither above nor in here is not assigned.
GLOBAL_UNICAST = "2000::/3"
UNASSIGNED = SpecialPurpose("::/0", "outside global unicast 2000::/3", "RFC 4291")

# Where no packet of ours goes unless the user says that private addresses are fine.
INTERNAL_IPV4 = (
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
)
# What a resolver answers that blocks a name.
UNSPECIFIED = frozenset({"::", "0.0.0.0"})  # noqa: S104 - nothing is bound to it
UNUSABLE_IPV4 = ("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4")


def _bounds(prefix: str) -> tuple[int, int]:
    network = ipaddress.ip_network(prefix)
    return int(network.network_address), int(network.broadcast_address)


_ENTRIES: list[tuple[int, int, SpecialPurpose | None]] = [
    *((*_bounds(entry.prefix), entry) for entry in SPECIAL_IPV6),
    *((*_bounds(prefix), None) for prefix in GLOBALLY_REACHABLE),
]
# The narrowest range first, so that the first match is the answer.
_SPECIAL = sorted(_ENTRIES, key=lambda row: row[1] - row[0])
_GLOBAL = _bounds(GLOBAL_UNICAST)
_INTERNAL4 = [_bounds(prefix) for prefix in INTERNAL_IPV4]
_UNUSABLE4 = [_bounds(prefix) for prefix in UNUSABLE_IPV4]


@lru_cache(maxsize=256)
def special_purpose(address: str) -> SpecialPurpose | None:
    """The narrowest special range of an IPv6 address, None for ordinary global unicast.

    Raises ValueError for what is no IPv6 address.
    """
    number = int(ipaddress.IPv6Address(address))
    for low, high, entry in _SPECIAL:
        if low <= number <= high:
            return entry
    return None if _GLOBAL[0] <= number <= _GLOBAL[1] else UNASSIGNED


def unusable_ipv6(address: str, *, internal: bool) -> SpecialPurpose | None:
    """Why no packet of ours may go to this IPv6 address; None where it may.

    Raises ValueError for what is no IPv6 address.
    """
    special = special_purpose(address)
    return None if special is not None and special.internal and internal else special


@lru_cache(maxsize=256)
def usable_ipv4(address: str, *, internal: bool) -> bool:
    """Whether packets of ours may go to this IPv4 address.

    Raises ValueError for what is no IPv4 address.
    """
    number = int(ipaddress.IPv4Address(address))
    refused = _UNUSABLE4 if internal else _UNUSABLE4 + _INTERNAL4
    return not any(low <= number <= high for low, high in refused)
