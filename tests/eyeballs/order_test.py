"""The order of attempts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipv6check.eyeballs.order import attempt_order, precedence


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
    ],
)
def test_precedence(address: str, expected: int) -> None:
    """RFC 6724 section 2.1, the policy table."""
    assert expected == precedence(address)


@pytest.mark.parametrize(
    ("ipv6", "ipv4", "order"),
    [
        ([], [], ""),
        (["2d00::1"], [], "2d00::1"),
        ([], ["192.0.2.1"], "192.0.2.1"),
        (["2d00::1"], ["192.0.2.1"], "2d00::1 192.0.2.1"),
        (["fd00::1"], ["192.0.2.1"], "192.0.2.1 fd00::1"),
        (["2002::1"], ["192.0.2.1"], "192.0.2.1 2002::1"),
        (["::1"], ["127.0.0.1"], "::1 127.0.0.1"),
        (["fd00::1", "2d00::1"], ["192.0.2.1"], "2d00::1 192.0.2.1 fd00::1"),
        (
            ["2d00::1", "2d00::2", "2d00::3"],
            ["192.0.2.1"],
            "2d00::1 192.0.2.1 2d00::2 2d00::3",
        ),
        (
            ["2d00::1"],
            ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
            "2d00::1 192.0.2.1 192.0.2.2 192.0.2.3",
        ),
    ],
)
def test_order(ipv6: list[str], ipv4: list[str], order: str) -> None:
    """The family that RFC 6724 prefers goes first, then one of each in turn (RFC 8305)."""
    assert order.split() == attempt_order(ipv6, ipv4)


ADDRESSES6 = st.lists(
    st.sampled_from(["2d00::1", "2d00::2", "fd00::1", "2002::1", "2001::1", "::1", "fec0::1"]),
    unique=True,
)
ADDRESSES4 = st.lists(st.sampled_from([f"192.0.2.{n}" for n in range(6)]), unique=True)


@given(ADDRESSES6, ADDRESSES4)
def test_every_address_once(ipv6: list[str], ipv4: list[str]) -> None:
    """No address is lost or tried twice, and the families alternate while both have some left."""
    order = attempt_order(ipv6, ipv4)
    assert sorted([*ipv6, *ipv4]) == sorted(order)
    both = 2 * min(len(ipv6), len(ipv4))
    families = [":" in address for address in order]
    assert all(one != other for one, other in pairwise(families[:both]))
    if ipv6 and ipv4:
        assert families[0] is (max(map(precedence, ipv6)) > precedence("192.0.2.1"))
    values = [precedence(address) for address in order if ":" in address]
    assert values == sorted(values, reverse=True)
    assert [address for address in order if ":" not in address] == ipv4
