"""The order of attempts: RFC 6724 section 6, then by family (RFC 8305 section 4).

Addresses are strings in canonical form (RFC 5952). Families are ``ipv6`` and ``ipv4``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest

from ipv6check.eyeballs.policy import Policy
from ipv6check.model import is_ipv6

_MAPPED = "::ffff:"


def family(address: str) -> str:
    """The family of the packets to this address: IPv4 for ::ffff:192.0.2.1."""
    return "ipv6" if is_ipv6(address) and not is_mapped(address) else "ipv4"


def is_mapped(address: str) -> bool:
    """Whether it is IPv4-mapped (RFC 4291 section 2.5.5.2): Linux connects over IPv4."""
    return address.lower().startswith(_MAPPED) and (
        ipaddress.IPv6Address(address).ipv4_mapped is not None
    )


# --- by a client's policy --------------------------------------------------------------------


def arrange(policy: Policy, addresses: Sequence[str], rank: Mapping[str, int]) -> list[str]:
    """The addresses in the order in which a client tries them, each once.

    ``rank`` is their place in the system's order; what has none goes last.
    """
    known = dict.fromkeys(addresses)
    if policy.v4_mapped == "skip":
        known = {address: None for address in known if not is_mapped(address)}
    ranked = sorted(known, key=lambda address: rank.get(address, len(rank)))
    if policy.prefer != "os":
        ranked.sort(key=lambda address: _seen_as(policy, address) != policy.prefer)
    ordered = _interleaved(policy, ranked)
    return ordered[: policy.addresses_max or None]


def split(policy: Policy, arranged: Sequence[str]) -> dict[str, list[str]]:
    """The lists that a client races: one of each family, or one of all."""
    lanes: dict[str, list[str]] = {}
    for address in arranged:
        name = "all" if policy.fallback_delay_ms is None else _seen_as(policy, address)
        lanes.setdefault(name, []).append(address)
    return lanes


def without_firsts(arranged: Sequence[str]) -> list[str]:
    """The addresses without the first one of each family."""
    firsts = {is_ipv6(address): address for address in reversed(arranged)}.values()
    return [address for address in arranged if address not in firsts]


def _interleaved(policy: Policy, ranked: list[str]) -> list[str]:
    if policy.interleave == "none" or not ranked:
        return ranked
    leading = _seen_as(policy, ranked[0])
    first = [address for address in ranked if _seen_as(policy, address) == leading]
    other = [address for address in ranked if _seen_as(policy, address) != leading]
    if policy.interleave == "second":
        rest = [address for address in ranked[1:] if address not in other[:1]]
        return [ranked[0], *other[:1], *rest]
    count = policy.first_address_family_count
    pairs = zip_longest(other, first[count:])
    return first[:count] + [address for pair in pairs for address in pair if address is not None]


def _seen_as(policy: Policy, address: str) -> str:
    """The family that a client takes an address for."""
    if not is_ipv6(address) or (policy.v4_mapped == "ipv4" and is_mapped(address)):
        return "ipv4"
    return "ipv6"


# --- RFC 6724 --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PolicyTable:
    """A policy table (RFC 6724 section 2.1): rows of prefix, precedence and label.

    ``prefix_limit``: how many bits rule 9 compares at the most.
    """

    rows: tuple[tuple[str, int, int], ...]
    prefix_limit: int


# IPv4 is looked up as ::ffff:0:0/96.
RFC6724_TABLE = PolicyTable(
    (
        ("::1/128", 50, 0),
        ("::ffff:0:0/96", 35, 4),
        ("::/96", 1, 3),
        ("2001::/32", 5, 5),
        ("2002::/16", 30, 2),
        ("3ffe::/16", 1, 12),
        ("fec0::/10", 1, 11),
        ("fc00::/7", 3, 13),
        ("::/0", 40, 1),
    ),
    64,
)
# glibc 2.36, posix/getaddrinfo.c: precedences of RFC 3484, which knew no ULA, labels of its own.
GLIBC_TABLE = PolicyTable(
    (
        ("::1/128", 50, 0),
        ("::ffff:0:0/96", 10, 4),
        ("::/96", 20, 3),
        ("2001::/32", 40, 7),
        ("2002::/16", 30, 2),
        ("fec0::/10", 40, 5),
        ("fc00::/7", 40, 6),
        ("::/0", 40, 1),
    ),
    128,
)
_LINK, _SITE, _GLOBAL = 0x2, 0x5, 0xE


def destination_order(
    destinations: Sequence[str],
    sources: Mapping[str, str | None],
    table: PolicyTable = RFC6724_TABLE,
) -> list[str]:
    """Sort as RFC 6724 section 6 does, by rules 1, 2, 5, 6, 8, 9 and 10.

    ``sources`` has the address that the kernel would send from, None where it has no route. Rules
    3, 4 and 7 are about this host's interfaces (deprecated, home and tunnel addresses).
    """
    return sorted(
        destinations, key=lambda address: _preference(address, sources.get(address), table)
    )


def equals(
    destinations: Sequence[str],
    sources: Mapping[str, str | None],
    table: PolicyTable = RFC6724_TABLE,
) -> tuple[tuple[str, ...], ...]:
    """The addresses of one record type that no rule before 10 tells apart, two or more at a time.

    Rule 10 leaves these as the resolver has them, and most resolvers rotate them.
    """
    groups: dict[object, list[str]] = {}
    for address in dict.fromkeys(destinations):
        alike = (is_ipv6(address), _preference(address, sources.get(address), table))
        groups.setdefault(alike, []).append(address)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def precedence(address: str, table: PolicyTable = RFC6724_TABLE) -> int:
    """The policy table's precedence of one address (RFC 6724 rule 6)."""
    return _row(_number(address), table)[0]


def _preference(destination: str, source: str | None, table: PolicyTable) -> tuple[int, ...]:
    """The key to sort by, best first. Rule 9 holds within a family, so it comes last."""
    number = _number(destination)
    high, label = _row(number, table)
    scope = _scope(number)
    if source is None:
        return (1, 0, 0, -high, scope, 0)
    origin = _number(source)
    other_scope, other_label = scope != _scope(origin), label != _row(origin, table)[1]
    common = min(128 - (number ^ origin).bit_length(), table.prefix_limit)
    return (0, other_scope, other_label, -high, scope, 0 if _is_ipv4(number) else -common)


@lru_cache(maxsize=1024)
def _number(address: str) -> int:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return int(parsed) if parsed.version == 6 else 0xFFFF_0000_0000 | int(parsed)


@lru_cache(maxsize=8)
def _rows(table: PolicyTable) -> list[tuple[int, int, int, int]]:
    """Rows of first and last number, precedence and label, the longest prefix first."""
    networks = [(ipaddress.IPv6Network(prefix), high, label) for prefix, high, label in table.rows]
    networks.sort(key=lambda row: -row[0].prefixlen)
    return [
        (int(net.network_address), int(net.broadcast_address), high, label)
        for net, high, label in networks
    ]


def _row(number: int, table: PolicyTable) -> tuple[int, int]:
    return next((high, label) for low, last, high, label in _rows(table) if low <= number <= last)


def _is_ipv4(number: int) -> bool:
    return number >> 32 == 0xFFFF


def _scope(number: int) -> int:
    """The scope of an address (RFC 6724 section 3.1); 169.254/16 and 127/8 are link-local."""
    if _is_ipv4(number):
        first, second = number >> 24 & 0xFF, number >> 16 & 0xFF
        return _LINK if first == 127 or (first, second) == (169, 254) else _GLOBAL
    if number >> 120 == 0xFF:
        return number >> 112 & 0xF
    if number >> 118 == 0xFE80 >> 6 or number == 1:
        return _LINK
    return _SITE if number >> 118 == 0xFEC0 >> 6 else _GLOBAL
