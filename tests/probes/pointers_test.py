"""Reverse DNS, there and back."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from ipv6check.model import Answer, Failure, Kind
from ipv6check.probes.pointers import MAX_NAMES, Pointer, pointers
from ipv6check.testing import FakeNet, answer
from tests.probes.observing import V4, V6, V6B, observed, published


def ptr(address: str, *names: str) -> Answer:
    """The PTR records of an address."""
    reverse = ipaddress.ip_address(address).reverse_pointer
    return answer(reverse, "PTR", *(f"{name}." for name in names))


def reverse_name(address: str) -> tuple[str, str]:
    """What is asked for an address."""
    return ipaddress.ip_address(address).reverse_pointer, "PTR"


def test_confirmed() -> None:
    """A name that leads back is confirmed, one that does not is not."""
    net = FakeNet(
        ptr(V6, "good.example", "bad.example", "none.example"),
        answer("good.example", "AAAA", V6B, V6),
        answer("bad.example", "AAAA", V6B),
        failures={("none.example", "AAAA"): Kind.TIMEOUT},
    )
    (seen,) = observed(pointers(published(V6, V4), net)).ipv6
    names = ("bad.example", "good.example", "none.example")
    assert Pointer(V6, names, ("good.example",)) == seen


def test_the_targets_own_name_is_not_asked_again() -> None:
    """What the target's own AAAA said is known."""
    found = replace(published(V6), aaaa=answer("www.example", "AAAA", V6))
    net = FakeNet(ptr(V6, "WWW.Example"))
    (seen,) = observed(pointers(found, net)).ipv6
    assert seen.confirmed == ("WWW.Example",)
    assert [("resolve", *reverse_name(V6))] == net.calls


def test_ipv4_is_asked_only_to_compare() -> None:
    """Where each IPv6 address has a name nobody asks for IPv4's."""
    net = FakeNet(ptr(V6, "a.example"), answer("a.example", "AAAA", V6))
    assert observed(pointers(published(V6, V4), net)).ipv4 == ()
    net = FakeNet(ptr(V6), ptr(V4, "a.example"), answer("a.example", "A", V4))
    seen = observed(pointers(published(V6, V4), net))
    assert (Pointer(V6),) == seen.ipv6
    assert (Pointer(V4, ("a.example",), ("a.example",)),) == seen.ipv4


def test_failure() -> None:
    """A reverse zone that does not answer is the pointer's failure."""
    net = FakeNet(ptr(V4), failures={reverse_name(V6): Kind.SERVFAIL})
    (seen,) = observed(pointers(published(V6, V4), net)).ipv6
    assert isinstance(seen.failure, Failure)
    assert (seen.names, seen.failure.kind) == ((), Kind.SERVFAIL)


def test_many_names_are_bounded() -> None:
    """An address with hundreds of names does not make us ask for hundreds."""
    names = [f"n{number}.example" for number in range(300)]
    net = FakeNet(ptr(V6, *names), *(answer(name, "AAAA", V6B) for name in names))
    (seen,) = observed(pointers(published(V6), net)).ipv6
    asked = [call for call in net.calls if call[0] == "resolve"]
    assert MAX_NAMES == len(seen.names) == len(asked) - 1
    assert (seen.confirmed, seen.unseen) == ((), 300 - MAX_NAMES)


def test_the_targets_own_name_comes_first() -> None:
    """Of many names in any order the one that matters is looked at, and the rest let be."""
    names = [f"a{number}.example" for number in range(200)]
    net = FakeNet(ptr(V6, *names, "www.example"), *(answer(name, "AAAA") for name in names))
    found = replace(published(V6), aaaa=answer("www.example", "AAAA", V6))
    (seen,) = observed(pointers(found, net)).ipv6
    assert (seen.confirmed, seen.unseen) == (("www.example",), 0)
    assert len(net.calls) < 12


def test_a_resolver_that_fails_says_nothing_of_the_address() -> None:
    """Refused, failing at everything, or without any AAAA: it is the vantage's (law 1)."""
    for kind, answers in ((Kind.DNS_REFUSED, True), (Kind.SERVFAIL, False), (Kind.TIMEOUT, False)):
        net = FakeNet(failures={reverse_name(V6): kind}, resolver_answers=answers)
        (seen,) = observed(pointers(published(V6), net)).ipv6
        assert seen.failure is not None
        assert seen.failure.kind is Kind.RESOLVER_UNREACHABLE
    withheld = Failure(Kind.RESOLVER_UNREACHABLE, "no AAAA of a.root-servers.net either")
    net = FakeNet(ptr(V6, "a.example"), answer("a.example", "AAAA"), aaaa_withheld=withheld)
    (seen,) = observed(pointers(published(V6), net)).ipv6
    assert seen.failure is not None
    assert seen.failure.detail.startswith("this network's resolver returns no AAAA")


def test_a_name_that_ends_in_an_escaped_dot() -> None:
    """Only the final dot is not part of a name. Regression: all dots at its end were cut off."""
    name = "odd\\."
    net = FakeNet(ptr(V6, name), answer(name, "AAAA", V6))
    (seen,) = observed(pointers(published(V6), net)).ipv6
    assert (name,) == seen.names == seen.confirmed


def test_loopback_is_not_asked() -> None:
    """Nobody publishes a name for ``::1``, and a host without a network need not wait for it."""
    net = FakeNet(ptr(V6, "a.example"), answer("a.example", "AAAA", V6))
    seen = observed(pointers(published("::1", V6, "127.0.0.1"), net))
    assert (seen.loopback, len(seen.ipv6)) == (("::1",), 1)
    net = FakeNet()
    seen = observed(pointers(published("::1", "127.0.0.1"), net))
    assert (seen.loopback, seen.ipv6, seen.ipv4, net.calls) == (("::1",), (), (), [])
