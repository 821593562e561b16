"""The order of attempts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipv6check.eyeballs.address_order import (
    GLIBC_TABLE,
    arrange,
    destination_order,
    family,
    is_mapped,
    precedence,
    split,
    without_firsts,
)
from ipv6check.eyeballs.policy import RFC8305, Policy


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("::1", 50),
        ("2001:db8::1", 40),
        ("64:ff9b::1", 40),
        ("2d00::1", 40),
        ("192.0.2.1", 35),
        ("2002:c000:201::1", 30),
        ("2001::1", 5),
        ("2001:1::1", 40),
        ("fc00::1", 3),
        ("fdff::1", 3),
        ("fec0::1", 1),
        ("fe80::1", 40),
        ("::192.0.2.1", 1),
        ("3ffe::1", 1),
    ],
)
def test_precedence(address: str, expected: int) -> None:
    """RFC 6724 section 2.1, the policy table."""
    assert expected == precedence(address)


GUA, ULA, V4 = "2001:470::5", "fd00:1::5", "10.0.0.5"
SIX = ["2001:470:1::1", "2001:470:2::1", "2001:470:3::1"]
FOUR = ["192.0.33.1", "192.0.33.2"]


def sources(destinations: list[str], ula: str = GUA) -> dict[str, str | None]:
    """What a host with a global address and a private IPv4 one sends from."""
    return {
        address: V4
        if ":" not in address or is_mapped(address)
        else ula
        if address[:2] == "fd"
        else GUA
        for address in destinations
    }


@pytest.mark.parametrize(
    ("destination", "six_first"),
    [
        ("2a00::1", True),
        ("2001:db8::1", True),
        ("64:ff9b::1", True),
        ("100::1", True),
        ("2001:20::1", True),
        ("3ffe::1", True),
        ("fd00::1", False),
        ("2002:c000:201::1", False),
        ("2001::1", False),
        ("::ffff:192.0.33.1", False),
        ("::192.0.33.1", False),
        ("fec0::1", False),
        ("fe80::1", False),
    ],
)
def test_glibc_sorts_so(destination: str, six_first: bool) -> None:  # noqa: FBT001
    """What glibc 2.36 was seen to do with an address beside a public IPv4 one."""
    both = [FOUR[0], destination]
    order = destination_order(both, sources(both), GLIBC_TABLE)
    assert six_first is (order[0] == destination)


def test_glibc_puts_a_local_address_first() -> None:
    """With a ULA of its own glibc tries a ULA before IPv4, where RFC 6724 does not."""
    both = [FOUR[0], "fd00:1::1"]
    assert destination_order(both, sources(both, ULA), GLIBC_TABLE) == both[::-1]
    assert destination_order(both, sources(both, ULA)) == both


def test_what_cannot_be_reached_goes_last() -> None:
    """An address that the kernel has no source for comes after all the others (rule 1)."""
    assert destination_order([SIX[0], FOUR[0]], {SIX[0]: None, FOUR[0]: V4}) == [FOUR[0], SIX[0]]


def test_the_longest_common_prefix() -> None:
    """Of two addresses alike, the one that is nearer to the source goes first (rule 9)."""
    near, far = "2001:470::9", "2a00::9"
    assert destination_order([far, near], sources([far, near])) == [near, far]
    assert destination_order([*FOUR[::-1]], sources(FOUR)) == FOUR[::-1]


@pytest.mark.parametrize(
    ("address", "expected"),
    [("2001:db8::1", "ipv6"), ("192.0.2.1", "ipv4"), ("::ffff:192.0.2.1", "ipv4")],
)
def test_family(address: str, expected: str) -> None:
    """The family on the wire: Linux connects to an IPv4-mapped address over IPv4."""
    assert expected == family(address)


def arranged(policy: Policy, *order: str) -> str:
    """How a client tries these addresses: 6a, 6b for the first and second IPv6 address."""
    known = dict(zip(["6a", "6b", "6c", "4a", "4b"], SIX + FOUR, strict=True))
    names = {address: name for name, address in known.items()}
    found = [known[name] for name in order]
    return " ".join(
        names[address] for address in arrange(policy, found, {a: n for n, a in enumerate(found)})
    )


@pytest.mark.parametrize(
    ("policy", "order", "expected"),
    [
        (Policy(), "4a 6a 4b", "4a 6a 4b"),
        (Policy(prefer="ipv6"), "4a 6a 4b 6b", "6a 6b 4a 4b"),
        (Policy(prefer="ipv4"), "6a 6b 4a 4b", "4a 4b 6a 6b"),
        (Policy(addresses_max=1), "6a 4a", "6a"),
        (Policy(interleave="alternate"), "6a 6b 6c 4a 4b", "6a 4a 6b 4b 6c"),
        (Policy(interleave="alternate"), "4a 4b 6a", "4a 6a 4b"),
        (Policy(interleave="alternate"), "6a", "6a"),
        (
            Policy(interleave="alternate", first_address_family_count=2),
            "6a 6b 6c 4a",
            "6a 6b 4a 6c",
        ),
        (Policy(interleave="second"), "6a 6b 6c 4a 4b", "6a 4a 6b 6c 4b"),
        (Policy(interleave="second", prefer="ipv6"), "4a 6a 4b", "6a 4a 4b"),
        (RFC8305, "6a 6b 4a 4b", "6a 4a 6b 4b"),
    ],
)
def test_arranged(policy: Policy, order: str, expected: str) -> None:
    """Each way to mix the families."""
    assert expected == arranged(policy, *order.split())


def test_mapped_addresses() -> None:
    """An IPv4-mapped AAAA is left out, or taken for IPv6, or for IPv4."""
    mapped = "::ffff:192.0.2.1"
    addresses = [SIX[0], mapped, FOUR[0]]
    rank = {address: place for place, address in enumerate(addresses)}
    assert arrange(RFC8305, addresses, rank) == [SIX[0], FOUR[0]]
    lanes = split(Policy(fallback_delay_ms=300.0), arrange(Policy(), addresses, rank))
    assert lanes == {"ipv6": [SIX[0], mapped], "ipv4": [FOUR[0]]}
    mapped_is_4 = Policy(fallback_delay_ms=300.0, v4_mapped="ipv4")
    assert split(mapped_is_4, arrange(mapped_is_4, addresses, rank)) == {
        "ipv6": [SIX[0]],
        "ipv4": [mapped, FOUR[0]],
    }


def test_leftovers() -> None:
    """Without the first of each family."""
    assert without_firsts([SIX[0], FOUR[0], SIX[1], SIX[2]]) == SIX[1:]
    assert without_firsts([]) == []


@given(st.permutations(SIX + FOUR), st.integers(1, 3))
def test_every_address_once(order: list[str], count: int) -> None:
    """No address is lost or tried twice; while both families last, they alternate."""
    rank = {address: place for place, address in enumerate(order)}
    policy = Policy(interleave="alternate", first_address_family_count=count)
    found = arrange(policy, sorted(order), rank)
    assert sorted(order) == sorted(found)
    leading = family(found[0])
    ahead = min(count, sum(family(address) == leading for address in found))
    assert {family(address) for address in found[:ahead]} == {leading}
    for name in ("ipv6", "ipv4"):
        alone = [address for address in found if family(address) == name]
        assert alone == [address for address in order if family(address) == name]
    mixed = [family(address) for address in found[ahead - 1 :]]
    both = 2 * min(mixed.count("ipv6"), mixed.count("ipv4"))
    assert all(one != other for one, other in pairwise(mixed[:both]))
