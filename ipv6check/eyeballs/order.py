"""The order of attempts: RFC 6724 section 6, then interleaved (RFC 8305 section 4)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from itertools import chain, zip_longest

# RFC 6724 section 2.1; IPv4 stands for ::ffff:0:0/96.
_PRECEDENCE = [
    (ipaddress.IPv6Network("::1/128"), 50),
    (ipaddress.IPv6Network("2002::/16"), 30),
    (ipaddress.IPv6Network("2001::/32"), 5),
    (ipaddress.IPv6Network("fc00::/7"), 3),
    (ipaddress.IPv6Network("fec0::/10"), 1),
]
_PRECEDENCE_IPV6 = 40
_PRECEDENCE_IPV4 = 35


def precedence(address: str) -> int:
    """The policy table's precedence of one address (RFC 6724 rule 6)."""
    if ":" not in address:
        return _PRECEDENCE_IPV4
    parsed = ipaddress.IPv6Address(address)
    return next((value for net, value in _PRECEDENCE if parsed in net), _PRECEDENCE_IPV6)


def attempt_order(ipv6: Sequence[str], ipv4: Sequence[str]) -> list[str]:
    """All addresses, the preferred family first, then one of each in turn."""
    first, second = sorted(ipv6, key=precedence, reverse=True), list(ipv4)
    if ipv4 and (not ipv6 or precedence(first[0]) < _PRECEDENCE_IPV4):
        first, second = second, first
    pairs = zip_longest(first, second)
    return [address for address in chain.from_iterable(pairs) if address is not None]
