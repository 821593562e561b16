"""ptr: pointers in, findings out."""

from __future__ import annotations

from ipv6check import Failure, Finding, Kind, Pointer, Pointers
from tests.checks.facts import V4, V6, V6B, judged, kept, whole

GOOD = Pointer(V6, ("a.example",), ("a.example",))


def ptr(*ipv6: Pointer, ipv4: tuple[Pointer, ...] = ()) -> list[Finding]:
    """What ptr finds in these pointers."""
    found = judged("ptr", pointers=Pointers(ipv6, ipv4))
    assert whole(found)
    return found


def test_confirmed_names_pass() -> None:
    """Every address has a name that leads back; the names are told."""
    found = ptr(GOOD)
    assert kept(found) == [("pass", None)]
    assert found[0].message == "1 address, confirmed as a.example"
    assert found[0].evidence["ipv6"][0]["names"] == ("a.example",)
    more = Pointer(V6B, ("c.example", "b.example"), ("c.example", "b.example"))
    assert ptr(GOOD, more)[0].message == "2 addresses, confirmed as a.example and 2 more"


def test_one_confirmed_name_of_several_is_enough() -> None:
    """An address may have names that lead elsewhere beside one that leads back."""
    found = ptr(Pointer(V6, ("b.example", "a.example"), ("a.example",)))
    assert kept(found) == [("pass", None)]
    assert found[0].message == "1 address, confirmed as a.example"


def test_nothing_to_look_up_skips() -> None:
    """Without an IPv6 address aaaa has said it all."""
    assert kept(ptr()) == [("skip", None)]


def test_loopback_skips() -> None:
    """A loopback address has no name to publish."""
    (finding,) = judged("ptr", pointers=Pointers((), loopback=("::1",)))
    assert finding.status == "skip"
    assert "loopback" in finding.message


def test_no_name_is_a_warning() -> None:
    """A missing PTR record, without anything over IPv4 to compare with."""
    for twins in ((), (Pointer(V4),), (Pointer(V4, failure=Failure(Kind.SERVFAIL, "why")),)):
        found = ptr(Pointer(V6), ipv4=twins)
        assert kept(found) == [("warn", None)]
        assert (found[0].message, found[0].subject) == (f"{V6} has no PTR record", V6)
        assert "ip6.arpa" in found[0].hint


def test_no_name_where_ipv4_has_one_is_told() -> None:
    """Law 4: the difference is stated with both sides."""
    found = ptr(Pointer(V6), ipv4=(Pointer("192.0.33.7"), Pointer(V4, ("a.example",))))
    assert found[0].message == f"{V6} has no PTR record, IPv4 {V4} has a.example"
    assert [twin["address"] for twin in found[0].evidence["ipv4"]] == ["192.0.33.7", V4]


def test_a_name_that_does_not_lead_back_is_a_warning() -> None:
    """Both records are named, since either may be the wrong one."""
    found = ptr(Pointer(V6, ("b.example",)))
    assert kept(found) == [("warn", None)]
    assert found[0].message == f"PTR of {V6} is b.example, which does not lead back to it"
    assert f"publish AAAA {V6} for b.example" in found[0].hint
    (several,) = ptr(Pointer(V6, ("b.example", "c.example")))
    assert several.message == f"none of the 2 PTR names of {V6} leads back to it"


def test_what_was_not_looked_at_is_not_known() -> None:
    """Of more names than anybody asks for the rest may lead back."""
    (found,) = ptr(Pointer(V6, ("b.example", "c.example"), unseen=200))
    assert (found.status, found.id, found.cause) == ("unknown", "too-many", "dns")
    assert "has 202 PTR names; none of the 2 checked" in found.message


def test_a_resolver_that_fails_is_unknown() -> None:
    """Law 1: a literal target is not-ready in mail and strict for no fault of our resolver."""
    gone = Failure(Kind.RESOLVER_UNREACHABLE, "this network's resolver is out of reach")
    (found,) = ptr(Pointer(V6, failure=gone))
    assert (found.status, found.id, found.cause) == ("unknown", "not-asked", "vantage")


def test_a_reverse_zone_that_fails_is_a_warning() -> None:
    """No answer is not the same as no record."""
    found = ptr(Pointer(V6, failure=Failure(Kind.SERVFAIL, "SERVFAIL from 192.0.2.53")))
    assert kept(found) == [("warn", None)]
    assert found[0].message == f"PTR of {V6} cannot be resolved: SERVFAIL from 192.0.2.53"
    assert "name servers of the reverse zone" in found[0].hint


def test_each_address_is_judged() -> None:
    """The good address passes in silence, each bad one is named."""
    found = ptr(GOOD, Pointer(V6B), Pointer("2001:470::3", ("x.example",)))
    assert [finding.subject for finding in found] == [V6B, "2001:470::3"]


def test_an_unresolved_name_skips() -> None:
    """A Failure of the addresses is told by aaaa."""
    assert kept(judged("ptr", pointers=Failure(Kind.SERVFAIL, "why"))) == [("skip", None)]
