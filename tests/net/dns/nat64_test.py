"""NAT64 prefixes out of what DNS64 makes of ipv4only.arpa."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipv6check.net.dns.nat64 import prefixes, unexplained

LENGTHS = (32, 40, 48, 56, 64, 96)
# RFC 6052 section 2.4, table 1: 192.0.2.33 under a prefix of each length.
EXAMPLES = {
    "2001:db8::/32": "2001:db8:c000:221::",
    "2001:db8:100::/40": "2001:db8:1c0:2:21::",
    "2001:db8:122::/48": "2001:db8:122:c000:2:2100::",
    "2001:db8:122:300::/56": "2001:db8:122:3c0:0:221::",
    "2001:db8:122:344::/64": "2001:db8:122:344:c0:2:2100::",
    "2001:db8:122:344::/96": "2001:db8:122:344::192.0.2.33",
    "64:ff9b::/96": "64:ff9b::192.0.2.33",
}


def embedded(prefix: str, ipv4: str) -> str:
    """RFC 6052 section 2.2, written anew: the prefix, the address around octet 8, zeros."""
    network = ipaddress.IPv6Network(prefix)
    octets = bytearray(network.network_address.packed[: network.prefixlen // 8])
    for octet in ipaddress.IPv4Address(ipv4).packed:
        if len(octets) == 8:
            octets.append(0)
        octets.append(octet)
    return str(ipaddress.IPv6Address(bytes(octets.ljust(16, b"\0"))))


@pytest.mark.parametrize(("prefix", "address"), EXAMPLES.items())
def test_rfc_6052_examples(prefix: str, address: str) -> None:
    """The RFC's own examples, with its address and with the well-known ones in its place."""
    assert ipaddress.IPv6Address(address) == ipaddress.IPv6Address(embedded(prefix, "192.0.2.33"))
    assert prefixes([address]) == ()
    for known in ("192.0.0.170", "192.0.0.171"):
        assert (prefix,) == prefixes([embedded(prefix, known)])


def test_both_addresses_are_one_prefix() -> None:
    """The two well-known addresses of one DNS64 tell the same prefix, once."""
    both = [embedded("64:ff9b::/96", f"192.0.0.{last}") for last in (170, 171)]
    assert prefixes(both) == ("64:ff9b::/96",)


def test_what_no_dns64_makes() -> None:
    """An address that embeds none of the two is of whoever answers every name alike."""
    made = ["64:ff9b::c000:aa", "2001:db8::1"]
    assert unexplained(made) == ("2001:db8::1",)


def test_several_prefixes() -> None:
    """A network with several prefixes gets all of them, in an order that does not change."""
    addresses = [embedded(prefix, "192.0.0.170") for prefix in EXAMPLES]
    assert tuple(sorted(EXAMPLES)) == prefixes(addresses) == prefixes(addresses[::-1])


@pytest.mark.parametrize(
    "addresses", [[], ["2001:db8::1"], ["::ffff:192.0.2.33"], ["2001:db8::192.0.0.172"], ["::"]]
)
def test_no_nat64(addresses: list[str]) -> None:
    """Where the well-known address is not in it, an answer is somebody's wildcard."""
    assert prefixes(addresses) == ()


@given(st.sampled_from(LENGTHS), st.binary(min_size=16, max_size=16))
def test_any_prefix(length: int, octets: bytes) -> None:
    """Whatever a prefix looks like, it is found, or a longer one that fits as well."""
    if length == 96:
        octets = octets[:8] + b"\0" + octets[9:]
    network = ipaddress.IPv6Network((octets, length), strict=False)
    (found,) = prefixes([embedded(str(network), "192.0.0.170")])
    longer = ipaddress.IPv6Network(found)
    assert longer.subnet_of(network) or longer == network
