"""What a name publishes, and which of it packets may go to."""

from __future__ import annotations

import pytest

from ipv6check.model import Answer, Failure, Kind
from ipv6check.probes.addresses import Addresses
from ipv6check.testing import FakeNet, Question, answer
from tests.probes.observing import V4, V4B, V6, V6B, resolved

NAME = "www.example"
AAAA, A = answer(NAME, "AAAA", V6), answer(NAME, "A", V4)


def found(net: FakeNet, text: str = NAME, **settings: object) -> Addresses:
    """The addresses, where there have to be some."""
    seen = resolved(text, net, **settings)
    assert isinstance(seen, Addresses)
    assert not net.unplanned
    return seen


def test_both_families() -> None:
    """AAAA is asked first, then A, each once, and the answers are kept."""
    net = FakeNet(AAAA, A)
    seen = found(net)
    assert (seen.ipv6, seen.ipv4, seen.unusable, seen.origin) == ((V6,), (V4,), (), "dns")
    assert (seen.aaaa, seen.a) == (AAAA, A)
    assert net.calls == [("resolve", NAME, "AAAA"), ("resolve", NAME, "A"), ("pref64",)]


def test_order_and_duplicates() -> None:
    """Addresses come in numeric order and once, however the answer has them."""
    net = FakeNet(answer(NAME, "AAAA", V6B, V6, V6B, "2d00::f"), answer(NAME, "A", V4B, V4, V4B))
    seen = found(net)
    assert (seen.ipv6, seen.ipv4) == (("2d00::f", V6, V6B), (V4, V4B))


def test_without_aaaa_nobody_asks_for_nat64() -> None:
    """Where there is no AAAA there is nothing that a DNS64 could have made up."""
    net = FakeNet(answer(NAME, "AAAA"), A)
    assert found(net).ipv6 == ()
    assert ("pref64",) not in net.calls


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("::", "the unspecified address"),
        ("::1", "the loopback address"),
        ("fe80::1", "link-local"),
        ("fd00::1", "unique local (ULA)"),
        ("ff02::1", "multicast"),
        ("2001:db8::1", "documentation"),
        ("3fff::1", "documentation"),
        ("::ffff:198.18.1.1", "IPv4-mapped"),
        ("2002:c612:101::1", "6to4, deprecated"),
        ("2001::1", "Teredo"),
        ("2001:20::1", "ORCHIDv2"),
        ("100::1", "discard-only"),
        ("fec0::1", "site-local, deprecated"),
        ("64:ff9b::c612:101", "the prefix of every NAT64"),
        ("4000::1", "outside global unicast 2000::/3"),
    ],
)
def test_unusable(address: str, reason: str) -> None:
    """An address that nobody can reach is kept apart with its reason, the rest is tried."""
    seen = found(FakeNet(answer(NAME, "AAAA", address, V6), A))
    assert seen.ipv6 == (V6,)
    assert [(address, reason)] == [(bad.address, bad.reason.name) for bad in seen.unusable]


@pytest.mark.parametrize("address", ["::1", "fd00::1"])
def test_internal(address: str) -> None:
    """Private and loopback addresses are fine where the user says so."""
    net = FakeNet(answer(NAME, "AAAA", address), answer(NAME, "A", "10.0.0.1", "127.0.0.1"))
    seen = found(net, internal=True)
    assert ((address,), ("10.0.0.1", "127.0.0.1"), ()) == (seen.ipv6, seen.ipv4, seen.unusable)
    net = FakeNet(answer(NAME, "AAAA", address), answer(NAME, "A", "10.0.0.1", "127.0.0.1"))
    seen = found(net)
    assert (seen.ipv6, seen.ipv4) == ((), ())


@pytest.mark.parametrize("address", ["fe80::1", "ff02::1", "2001:db8::1", "::", "::ffff:10.0.0.1"])
def test_internal_does_not_mean_anything(address: str) -> None:
    """What works in no network is not tried in one's own either."""
    seen = found(FakeNet(answer(NAME, "AAAA", address), A), internal=True)
    assert seen.ipv6 == ()


def test_nat64() -> None:
    """What this network's DNS64 made up is nobody's own address."""
    net = FakeNet(answer(NAME, "AAAA", "2d00:6ab:64::c612:101"), A, pref64=["2d00:6ab:64::/96"])
    (bad,) = found(net).unusable
    assert (bad.reason.prefix, bad.reason.name) == ("2d00:6ab:64::/96", "DNS64-synthesised")


def test_literal() -> None:
    """An address is not looked up."""
    net = FakeNet()
    seen = found(net, f"[{V6}]:443")
    assert (
        seen.name,
        seen.origin,
        seen.ipv6,
        seen.ipv4,
        seen.aaaa,
    ) == (V6, "literal", (V6,), (), None)
    assert net.calls == []


def test_literal_of_nobody() -> None:
    """An address that nobody can reach is not tried because somebody wrote it."""
    assert found(FakeNet(), "fe80::1").ipv6 == ()


def test_resolve_option() -> None:
    """What --resolve gives is taken instead of asking."""
    net = FakeNet()
    seen = found(net, "WWW.example.", resolve={NAME: (V4, V6, "fe80::1")})
    assert (seen.origin, seen.ipv6, seen.ipv4) == (("resolve"), (V6,), (V4,))
    assert [bad.address for bad in seen.unusable] == ["fe80::1"]
    assert net.calls == []


@pytest.mark.parametrize("text", ["localhost", "a.localhost", "LOCALHOST."])
def test_localhost(text: str) -> None:
    """RFC 6761: localhost is this host, and never asked of the DNS."""
    net = FakeNet()
    seen = found(net, text)
    assert (seen.ipv6, seen.ipv4) == (("::1",), ("127.0.0.1",))
    assert net.calls == []


@pytest.mark.parametrize("kind", [Kind.TIMEOUT, Kind.SERVFAIL, Kind.DNS_ERROR, Kind.CNAME_LOOP])
def test_one_answer_is_enough(kind: Kind) -> None:
    """Where A answers and AAAA does not, it is the name's, and the vantage sees."""
    seen = found(FakeNet(A, failures={(NAME, "AAAA"): kind}))
    assert isinstance(seen.aaaa, Failure)
    assert isinstance(seen.a, Answer)
    assert (seen.ipv6, seen.ipv4) == ((), (V4,))
    seen = found(FakeNet(AAAA, failures={(NAME, "A"): kind}))
    assert (seen.ipv6, seen.ipv4) == ((V6,), ())


def test_an_error_for_both_is_the_names() -> None:
    """What only the name can be at fault for needs no second opinion."""
    kind = Kind.CNAME_LOOP
    net = FakeNet(failures={(NAME, "AAAA"): kind, (NAME, "A"): kind})
    assert isinstance(found(net), Addresses)
    assert ("resolver_answers",) not in net.calls


@pytest.mark.parametrize(
    "kind", [Kind.TIMEOUT, Kind.SERVFAIL, Kind.DNS_ERROR, Kind.BAD_ANSWER], ids=str
)
def test_no_word_for_both(kind: Kind) -> None:
    """It is the name's where the resolver answers otherwise, else the vantage's."""
    failures: dict[Question, Failure | Kind] = {(NAME, "AAAA"): kind, (NAME, "A"): kind}
    assert isinstance(resolved(NAME, FakeNet(failures=failures)), Addresses)
    seen = resolved(NAME, FakeNet(failures=failures, resolver_answers=False))
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.RESOLVER_UNREACHABLE


def test_refused_for_both() -> None:
    """A resolver that refuses this host makes the vantage blind."""
    kind = Kind.DNS_REFUSED
    seen = resolved(NAME, FakeNet(failures={(NAME, "AAAA"): kind, (NAME, "A"): kind}))
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.RESOLVER_UNREACHABLE


def test_the_resolver_is_out_of_reach() -> None:
    """A resolver that cannot be reached makes the vantage blind."""
    kind = Kind.RESOLVER_UNREACHABLE
    seen = resolved(NAME, FakeNet(failures={(NAME, "AAAA"): kind, (NAME, "A"): Kind.TIMEOUT}))
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.RESOLVER_UNREACHABLE
