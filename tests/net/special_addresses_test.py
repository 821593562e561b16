"""Which addresses nobody on the Internet can reach, at the edges of every range."""

from __future__ import annotations

import ipaddress

import pytest

from ipv6check.net import special_addresses
from ipv6check.net.special_addresses import (
    SPECIAL_IPV6,
    SpecialPurpose,
    special_purpose,
    usable_ipv4,
)

PREFIXES = {entry.prefix: ipaddress.IPv6Network(entry.prefix) for entry in SPECIAL_IPV6}
REACHABLE = [ipaddress.IPv6Network(prefix) for prefix in special_addresses.GLOBALLY_REACHABLE]
GLOBAL = ipaddress.IPv6Network(special_addresses.GLOBAL_UNICAST)


def narrowest(address: ipaddress.IPv6Address) -> str | None:
    """The prefix that says what an address is, found the long way."""
    networks = [*PREFIXES.values(), *REACHABLE]
    inside = [network for network in networks if address in network]
    if not inside:
        return None if address in GLOBAL else special_addresses.UNASSIGNED.prefix
    best = max(inside, key=lambda network: network.prefixlen)
    # By the table's own text: str() of a mapped network differs between versions of Python.
    return next((prefix for prefix, network in PREFIXES.items() if network == best), None)


def found(address: ipaddress.IPv6Address) -> str | None:
    """The prefix that the registry says."""
    special = special_purpose(str(address))
    return special.prefix if special else None


@pytest.mark.parametrize("entry", SPECIAL_IPV6, ids=lambda entry: str(entry.prefix))
def test_edges(entry: SpecialPurpose) -> None:
    """The first and the last address are in the range, their neighbours are not."""
    network = PREFIXES[entry.prefix]
    first, last = network.network_address, network.broadcast_address
    inside = {first, last, first + (int(last) - int(first)) // 2}
    outside = [first - 1] if int(first) else []
    outside += [last + 1] if int(last) + 1 < 1 << 128 else []
    for address in inside:
        assert narrowest(address) == found(address)
    for address in outside:
        assert narrowest(address) == found(address)
        assert entry.prefix != found(address)


@pytest.mark.parametrize("prefix", special_addresses.GLOBALLY_REACHABLE)
def test_reachable_inside_of_protocol_assignments(prefix: str) -> None:
    """What IANA marks globally reachable is, from its first address to its last."""
    network = ipaddress.IPv6Network(prefix)
    assert found(network.network_address) is found(network.broadcast_address) is None


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("::", "the unspecified address"),
        ("::1", "the loopback address"),
        ("::2", "IPv4-compatible, deprecated"),
        ("::c000:201", "IPv4-compatible, deprecated"),
        ("::ffff:192.0.2.1", "IPv4-mapped"),
        ("::ffff:0:0", "IPv4-mapped"),
        ("::fffe:ffff:ffff", "outside global unicast 2000::/3"),
        ("fe80::1", "link-local"),
        ("febf:ffff::1", "link-local"),
        ("fec0::1", "site-local, deprecated"),
        ("fc00::1", "unique local (ULA)"),
        ("fdff:ffff::1", "unique local (ULA)"),
        ("ff02::1", "multicast"),
        ("ff0e::1", "multicast"),
        ("2001:db8::1", "documentation"),
        ("2001:db8:ffff::1", "documentation"),
        ("3fff::1", "documentation"),
        ("3fff:fff::1", "documentation"),
        ("2002:c000:201::1", "6to4, deprecated"),
        ("2001::1", "Teredo"),
        ("2001:0:ffff::1", "Teredo"),
        ("2001:2::1", "benchmarking"),
        ("2001:5::1", "IETF protocol assignments"),
        ("2001:1ff::1", "IETF protocol assignments"),
        ("2001:10::1", "ORCHID, deprecated"),
        ("2001:1f::1", "ORCHID, deprecated"),
        ("2001:20::1", "ORCHIDv2"),
        ("2001:2f::1", "ORCHIDv2"),
        ("100::1", "discard-only"),
        ("100:0:0:1::1", "dummy prefix"),
        ("64:ff9b::c000:201", "the prefix of every NAT64"),
        ("64:ff9b:1:ffff::1", "local-use NAT64"),
        ("5f00::1", "segment routing SIDs"),
        ("4000::1", "outside global unicast 2000::/3"),
        ("1fff:ffff::1", "outside global unicast 2000::/3"),
        ("e000::1", "outside global unicast 2000::/3"),
    ],
)
def test_named(address: str, name: str) -> None:
    """Each kind of address is called by its name."""
    special = special_purpose(address)
    assert special is not None
    assert name == special.name
    assert special.reference.startswith("RFC ")


@pytest.mark.parametrize(
    "address",
    [
        "2000::",
        "2001:200::1",
        "2001:3::1",
        "2001:4:112::1",
        "2001:503:ba3e::2:30",
        "2001:db7:ffff::1",
        "2001:db9::1",
        "2003::1",
        "2606:4700::1111",
        "2a00:1450::1",
        "2d00:6ab:1::1",
        "3ffe::1",
        "3fff:1000::1",
    ],
)
def test_ordinary(address: str) -> None:
    """Global unicast is nothing special, right up to the edges of what is."""
    assert special_purpose(address) is None


# Where the versions of Python that we support differ from each other, or from the registry.
DISPUTED = [
    ipaddress.IPv6Network(prefix)
    for prefix in (
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100:0:0:1::/64",
        "2001::/23",
        "2002::/16",
        "3fff::/20",
    )
]


def test_ipaddress_agrees() -> None:
    """Inside of global unicast Python's own word is ours, where all its versions agree."""
    edges = {
        address
        for network in [*PREFIXES.values(), GLOBAL]
        for number in (int(network.network_address), int(network.broadcast_address))
        for address in (number - 1, number, number + 1)
        if 0 <= address < 1 << 128
    }
    compared = 0
    for address in map(ipaddress.IPv6Address, sorted(edges)):
        if address not in GLOBAL or any(address in network for network in DISPUTED):
            continue
        compared += 1
        assert address.is_global is (special_purpose(str(address)) is None), address
    assert compared > 10


def test_internal() -> None:
    """Loopback and ULA are all that works inside one's own network."""
    internal = {entry.prefix for entry in SPECIAL_IPV6 if entry.internal}
    assert {"::1/128", "fc00::/7"} == internal


@pytest.mark.parametrize("text", ["", "x", "192.0.2.1", "2001:db8::1/64", "fe80::1%eth0%"])
def test_what_is_no_address(text: str) -> None:
    """Anything else is an error and not an ordinary address."""
    with pytest.raises(ValueError, match=r"."):
        special_purpose(text)


@pytest.mark.parametrize(
    "prefix", [*special_addresses.INTERNAL_IPV4, *special_addresses.UNUSABLE_IPV4]
)
def test_ipv4_edges(prefix: str) -> None:
    """No packet goes to a private IPv4 address unless it may, and never to one of nobody's."""
    network = ipaddress.IPv4Network(prefix)
    admitted = prefix in special_addresses.INTERNAL_IPV4
    for number in (int(network.network_address), int(network.broadcast_address)):
        address = str(ipaddress.IPv4Address(number))
        assert not usable_ipv4(address, internal=False)
        assert admitted is usable_ipv4(address, internal=True)
    neighbours = (int(network.network_address) - 1, int(network.broadcast_address) + 1)
    blocks = [*special_addresses.INTERNAL_IPV4, *special_addresses.UNUSABLE_IPV4]
    for number in neighbours:
        if not 0 <= number < 1 << 32:
            continue
        neighbour = ipaddress.IPv4Address(number)
        if not any(neighbour in ipaddress.IPv4Network(block) for block in blocks):
            assert usable_ipv4(str(neighbour), internal=False)
