"""What a name publishes, and which of it packets may go to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ipv6check.model import Answer, ExtendedError, Failure, Kind, Stub
from ipv6check.probes.addresses import Addresses
from ipv6check.testing import FakeNet, NetQuestion, answer
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
    failures: dict[NetQuestion, Failure | Kind] = {(NAME, "AAAA"): kind, (NAME, "A"): kind}
    assert isinstance(resolved(NAME, FakeNet(failures=failures)), Addresses)
    seen = resolved(NAME, FakeNet(failures=failures, resolver_answers=False))
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.RESOLVER_UNREACHABLE


@pytest.mark.parametrize("denied", [False, True])
def test_a_name_that_does_not_exist(denied: bool) -> None:  # noqa: FBT001 - a parameter
    """It is the name's word, unless this network's resolver says so of every name."""
    answers = [answer(NAME, rdtype, rcode="NXDOMAIN") for rdtype in ("AAAA", "A")]
    root = Failure(Kind.RESOLVER_UNREACHABLE, "NXDOMAIN for the root, too") if denied else None
    seen = resolved(NAME, FakeNet(*answers, root_denied=root))
    assert isinstance(seen, Failure) is denied


def test_a_server_that_knows_its_zone_alone() -> None:
    """It denies the root as well, and is right of its own names: this one has A, and no AAAA."""
    root = Failure(Kind.RESOLVER_UNREACHABLE, "NXDOMAIN for the root, too")
    own = FakeNet(answer(NAME, "AAAA"), answer(NAME, "A", "192.0.33.8"), root_denied=root)
    assert isinstance(resolved(NAME, own), Addresses)


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


NODATA_AAAA, NODATA_A = answer(NAME, "AAAA"), answer(NAME, "A")
NX_AAAA, NX_A = answer(NAME, "AAAA", rcode="NXDOMAIN"), answer(NAME, "A", rcode="NXDOMAIN")
WITHHELD = Failure(Kind.RESOLVER_UNREACHABLE, "no AAAA of a.root-servers.net either: SERVFAIL")


def blind(net: FakeNet, text: str = NAME) -> str:
    """Why the vantage cannot tell, where that is so."""
    seen = resolved(text, net)
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.RESOLVER_UNREACHABLE
    assert not net.unplanned
    return seen.detail


@pytest.mark.parametrize(
    "aaaa",
    [NODATA_AAAA, NX_AAAA, answer(NAME, "AAAA", "::"), Kind.SERVFAIL, Kind.DNS_REFUSED],
    ids=["nodata", "nxdomain", "unspecified", "servfail", "refused"],
)
def test_a_resolver_without_any_aaaa(aaaa: Answer | Kind) -> None:
    """Where AAAA of a name that has one fails alike, it is not this name's (law 1); else it is."""
    failures: dict[NetQuestion, Failure | Kind] = {}
    answers = [A]
    if isinstance(aaaa, Kind):
        failures[NAME, "AAAA"] = aaaa
    else:
        answers.append(aaaa)
    said = blind(FakeNet(*answers, failures=failures, aaaa_withheld=WITHHELD))
    assert said.startswith("this network's resolver returns no AAAA for any name")
    assert found(FakeNet(*answers, failures=failures)).ipv6 == ()


def test_nobody_asks_of_a_name_that_has_aaaa() -> None:
    """The control is for a name that lacks AAAA and has A, or that is not there at all."""
    for answers in ((AAAA, A), (NODATA_AAAA, NODATA_A)):
        net = FakeNet(*answers)
        found(net)
        assert ("aaaa_withheld",) not in net.calls


@pytest.mark.parametrize(("of_all", "made_up"), [(["2d00::9"], False), ([V6, "2d00::9"], True)])
def test_a_resolver_that_invents_aaaa(of_all: list[str], made_up: bool) -> None:  # noqa: FBT001 - a parameter
    """What it gives a name without AAAA, too, is not this name's; what it gives no other is."""
    seen = resolved(NAME, FakeNet(AAAA, A, aaaa_of_all=of_all))
    assert isinstance(seen, Failure) is made_up
    if isinstance(seen, Failure):
        assert seen.kind is Kind.RESOLVER_UNREACHABLE
        assert f"resolver invents AAAA records: {V6} even for" in seen.detail


def blocked(answer_: Answer, code: int) -> Answer:
    """The answer, with this reason given for it."""
    return replace(answer_, extended=(ExtendedError(code, "by policy"),))


@pytest.mark.parametrize(
    ("aaaa", "a", "says"),
    [
        (answer(NAME, "AAAA", "::"), answer(NAME, "A", "0.0.0.0"), "answers :: and 0.0.0.0"),
        (NODATA_AAAA, answer(NAME, "A", "0.0.0.0"), "it answers 0.0.0.0"),
        (answer(NAME, "AAAA", "::"), NODATA_A, "it answers ::"),
        (blocked(NODATA_AAAA, 17), A, f'blocks AAAA of {NAME} ("by policy")'),
        (blocked(NX_AAAA, 15), blocked(NX_A, 15), f'blocks {NAME} ("by policy")'),
    ],
)
def test_a_resolver_that_blocks(aaaa: Answer, a: Answer, says: str) -> None:
    """What blocking resolvers make up is nobody's record."""
    assert says in blind(FakeNet(aaaa, a))


def test_a_zone_that_publishes_the_unspecified_address() -> None:
    """By the zone's own server, or beside a good A, it is published."""
    zone = [
        replace(response, authoritative=True)
        for response in (answer(NAME, "AAAA", "::"), answer(NAME, "A", "0.0.0.0"))
    ]
    assert [bad.address for bad in found(FakeNet(*zone)).unusable] == ["::"]
    assert [bad.address for bad in found(FakeNet(answer(NAME, "AAAA", "::"), A)).unusable] == ["::"]


EMBEDDED = answer(NAME, "AAAA", "2d00:6ab:64::c612:101")


def test_a_dns64_that_is_not_announced() -> None:
    """AAAA of a name that has A alone tells; without that, it is open."""
    made_up = found(FakeNet(EMBEDDED, A, aaaa_made_up=["2d00:6ab:64::8efa:bb8e"]))
    assert (made_up.ipv6, made_up.unusable[0].reason.name) == ((), "DNS64-synthesised")
    published = found(FakeNet(EMBEDDED, A, aaaa_made_up=()))
    assert (published.ipv6, published.embedding) == (EMBEDDED.records, "")
    untold = found(FakeNet(EMBEDDED, A, aaaa_made_up=None))
    assert (untold.ipv6, untold.embedding) == (EMBEDDED.records, "2d00:6ab:64::/96")


def test_silence_for_one_family_is_asked_about_again() -> None:
    """A packet may be lost; an error is an answer."""
    for kind, times in ((Kind.TIMEOUT, 2), (Kind.SERVFAIL, 1)):
        net = FakeNet(A, failures={(NAME, "AAAA"): kind})
        found(net)
        assert net.calls.count(("resolve", NAME, "AAAA")) == times


def test_the_resolver_goes_between_two_questions() -> None:
    """AAAA refused by nobody's name server says nothing of the name."""
    net = FakeNet(A, failures={(NAME, "AAAA"): Kind.RESOLVER_UNREACHABLE})
    assert blind(net).startswith("this network's resolver is out of reach")


SEARCH = Stub(search=("a.test", "b.test"), ndots=2)


def lone(rcode: str = "NXDOMAIN", *names: str) -> list[Answer]:
    """These names do not exist."""
    return [answer(name, rdtype, rcode=rcode) for name in names for rdtype in ("AAAA", "A")]


def test_the_search_list_completes_a_lone_label() -> None:
    """As for every program of this host; a final dot says that nothing is to be added."""
    there = [answer("x.b.test", "AAAA", V6), answer("x.b.test", "A", V4)]
    net = FakeNet(*lone("NXDOMAIN", "x.a.test"), *there, stub=SEARCH)
    seen = found(net, "x:80")
    assert (seen.name, seen.written, seen.ipv6) == ("x.b.test", "x", (V6,))
    seen = found(FakeNet(*lone("NXDOMAIN", "x"), stub=SEARCH), "x.:80")
    assert (seen.name, seen.written) == ("x", "")


def test_what_has_dots_is_itself_first() -> None:
    """Completed only where it does not exist; named, where it has as many dots as ndots says."""
    missing = lone("NXDOMAIN", "x.y", "x.y.a.test", "x.y.z", "x.y.z.a.test")
    there = [answer("x.y.b.test", "AAAA", V6), answer("x.y.b.test", "A", V4)]
    there += [answer("x.y.z.b.test", "AAAA", V6), answer("x.y.z.b.test", "A", V4)]
    net = FakeNet(*missing, *there, stub=SEARCH)
    assert (found(net, "x.y").name, found(net, "x.y").written) == ("x.y.b.test", "x.y")
    seen = found(net, "x.y.z")
    assert (seen.name, seen.completed, seen.ipv6) == ("x.y.z", "x.y.z.b.test", ())
    assert found(FakeNet(AAAA, A, stub=SEARCH)).name == NAME


def test_a_name_of_the_hosts_file() -> None:
    """What the DNS has goes first; what it has not is found as programs of this host find it."""
    hosts = {NAME: ["192.168.0.9", "fd00::9"]}
    seen = found(FakeNet(NX_AAAA, NX_A, hosts=hosts))
    assert (seen.origin, seen.ipv6, seen.ipv4) == ("hosts", ("fd00::9",), ("192.168.0.9",))
    assert found(FakeNet(AAAA, A, hosts=hosts)).origin == "dns"


def test_a_late_answer_of_a_long_list_is_asked_for_again() -> None:
    """It may have waited for our own other questions."""
    late = answer(NAME, "AAAA", V6, elapsed_ms=500)
    for brief, times in ((True, 4), (False, 1)):
        net = FakeNet(late, A)
        found(net, brief=brief)
        assert net.calls.count(("resolve", NAME, "AAAA")) == times
