"""aaaa: addresses in, findings out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ipv6check import Failure, Finding, Kind, Unusable
from ipv6check.model import ExtendedError
from ipv6check.net.special_addresses import SpecialPurpose
from ipv6check.probes.addresses import DNS64
from ipv6check.testing import SETTINGS, answer
from tests.checks.facts import NAME, V4, V6, V6B, addresses, judged, kept, whole


def found_in(facts: object, **settings: object) -> list[Finding]:
    """What aaaa finds in these addresses."""
    return judged("aaaa", addresses=facts, settings=replace(SETTINGS, **settings))  # type: ignore[arg-type]


SERVFAIL = Failure(Kind.SERVFAIL, "SERVFAIL from 192.0.2.53", 12.0)
EDGE = "edge.cdn.example"


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        (addresses(), "1 address, TTL 300, answered in 10 ms"),
        (addresses(ipv6=(V6, V6B)), "2 addresses, TTL 300, "),
        (addresses(ipv4=()), "1 address, "),
        (addresses(origin="literal"), "1 address, given as an address"),
        (addresses(origin="resolve"), "1 address, given by --resolve"),
        (addresses(origin="localhost"), "1 address, this host itself (RFC 6761)"),
    ],
)
def test_usable_addresses_pass(facts: object, says: str) -> None:
    """Where there are addresses and all of them are usable, it says how many and how quickly."""
    found = found_in(facts)
    assert kept(found) == [("pass", None)]
    assert found[0].message.startswith(says)
    assert "ipv6" in found[0].evidence


@pytest.mark.parametrize(
    ("aaaa", "a", "says", "hint"),
    [
        (
            answer(NAME, "AAAA"),
            answer(NAME, "A", V4),
            f"{NAME} has no AAAA record",
            "publish an AAAA record for",
        ),
        (
            answer(NAME, "AAAA"),
            answer(NAME, "A"),
            f"{NAME} has no address record, neither AAAA nor A",
            "publish an AAAA record for",
        ),
        (
            answer(NAME, "AAAA"),
            SERVFAIL,
            f"{NAME} has no address record",
            "publish an AAAA record for",
        ),
        (
            answer(NAME, "AAAA", chain=[EDGE]),
            answer(NAME, "A", V4, chain=[EDGE]),
            f"{EDGE}, where the CNAME chain of {NAME} ends, has no AAAA record",
            f"ask the operator of {EDGE}",
        ),
        (
            answer(NAME, "AAAA", chain=[EDGE]),
            answer(NAME, "A", chain=[EDGE]),
            "has no address record, neither AAAA nor A",
            f"ask the operator of {EDGE}",
        ),
        (
            answer(NAME, "AAAA", rcode="NXDOMAIN"),
            answer(NAME, "A", rcode="NXDOMAIN"),
            f"{NAME} does not exist (NXDOMAIN)",
            "check the spelling",
        ),
        (
            answer(NAME, "AAAA", rcode="NXDOMAIN", chain=[EDGE]),
            answer(NAME, "A", rcode="NXDOMAIN", chain=[EDGE]),
            f"{EDGE} does not exist (NXDOMAIN)",
            "check the spelling",
        ),
        (
            answer(NAME, "AAAA", rcode="NXDOMAIN"),
            answer(NAME, "A", V4),
            f"AAAA of {NAME}: the name does not exist (NXDOMAIN), but A is answered",
            "RFC 8020",
        ),
        (
            answer(NAME, "AAAA", rcode="NXDOMAIN", chain=[EDGE]),
            answer(NAME, "A", V4, chain=[EDGE]),
            f"AAAA of {NAME}: {EDGE}, where its CNAME chain ends, does not exist",
            "RFC 8020",
        ),
        (
            SERVFAIL,
            answer(NAME, "A", V4),
            f"AAAA of {NAME} cannot be resolved, although A can: SERVFAIL from 192.0.2.53",
            "RFC 4074",
        ),
        (
            SERVFAIL,
            SERVFAIL,
            f"{NAME} cannot be resolved (neither AAAA nor A): SERVFAIL",
            "fix the name servers or the delegation",
        ),
        (
            SERVFAIL,
            answer(NAME, "A"),
            f"{NAME} cannot be resolved (neither AAAA nor A)",
            "fix the name servers",
        ),
    ],
)
def test_no_address_fails(aaaa: object, a: object, says: str, hint: str) -> None:
    """Each way of having no AAAA is told apart, with both answers as evidence."""
    found = found_in(addresses(aaaa, a, ipv6=(), ipv4=()))  # type: ignore[arg-type]
    assert kept(found) == [("fail", None)]
    assert whole(found)
    assert says in found[0].message
    assert hint in found[0].hint
    assert set(found[0].evidence) == {"ipv6", "ipv4"}


def test_the_end_of_a_chain_is_the_subject() -> None:
    """Where somebody else's name lacks the record, that name is the subject."""
    facts = addresses(
        answer(NAME, "AAAA", chain=[EDGE]), answer(NAME, "A", V4, chain=[EDGE]), ipv6=()
    )
    assert found_in(facts)[0].subject == EDGE


def test_resolve_without_ipv6_fails() -> None:
    """An origin given by hand needs an IPv6 address as well."""
    found = found_in(addresses(origin="resolve", ipv6=()))
    assert kept(found) == [("fail", None)]
    assert "--resolve gives shop.example no IPv6 address" in found[0].message


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("2001:db8::1", "documentation (RFC 3849)"),
        ("fd00::1", "unique local (ULA) (RFC 4193)"),
        ("fe80::1", "link-local (RFC 4291)"),
        ("::ffff:192.0.2.1", "IPv4-mapped"),
        ("4000::1", "outside global unicast"),
    ],
)
def test_an_unusable_address_fails(address: str, says: str) -> None:
    """An address that the Internet cannot reach is named, with its range; good ones do not help."""
    for good in ((), (V6,)):
        found = found_in(addresses(ipv6=good, unusable=(address,)))
        assert kept(found) == [("fail", None)]
        assert whole(found)
        assert found[0].subject == address
        assert f"{address} cannot be reached: {says}" in found[0].message
        assert "publish a global unicast address" in found[0].hint
        assert "prefix" in found[0].evidence


def test_each_unusable_address_is_a_finding() -> None:
    """Two bad addresses are two findings."""
    found = found_in(addresses(unusable=("2001:db8::1", "fe80::1")))
    assert [finding.subject for finding in found] == ["2001:db8::1", "fe80::1"]


def test_an_address_of_the_network_s_dns64_is_no_address() -> None:
    """What the resolver made up is not published: the hint says so."""
    facts = addresses(ipv6=(), unusable=("2001:db8::c000:201",))
    made_up = Unusable("2001:db8::c000:201", SpecialPurpose("2001:db8::/96", DNS64, "RFC 7050"))
    found = found_in(replace(facts, unusable=(made_up,)))
    assert kept(found) == [("fail", None)]
    assert (found[0].id, "DNS64 synthesised it" in found[0].hint) == ("dns64", True)


def test_a_zone_may_publish_the_prefix_of_nat64_itself() -> None:
    """Without a DNS64 here nobody made it up: who published it must remove it."""
    found = found_in(addresses(ipv6=(), unusable=("64:ff9b::c000:201",)))
    assert (kept(found), found[0].id) == ([("fail", None)], "not-global")
    assert found[0].hint.startswith("remove it")


def test_a_literal_can_be_unusable() -> None:
    """An address given as the target is judged alike."""
    facts = addresses(origin="literal", ipv6=(), ipv4=(), unusable=("fe80::1",))
    assert kept(found_in(facts)) == [("fail", None)]


@pytest.mark.parametrize(
    ("aaaa_ms", "a_ms", "status"),
    [(10, 10, "pass"), (60, 10, "pass"), (61, 10, "warn"), (10, 900, "pass"), (900, 860, "pass")],
)
def test_an_aaaa_later_than_clients_wait_is_a_warning(
    aaaa_ms: float, a_ms: float, status: str
) -> None:
    """RFC 8305 section 3: more than 50 ms after A."""
    aaaa = answer(NAME, "AAAA", V6, elapsed_ms=aaaa_ms)
    a = answer(NAME, "A", V4, elapsed_ms=a_ms)
    found = found_in(addresses(aaaa, a))
    assert kept(found) == [(status, None)]
    assert whole(found)
    if status == "warn":
        assert "AAAA is answered 51 ms after A" in found[0].message


def test_a_late_aaaa_without_ipv4_is_no_matter() -> None:
    """Where there is no A, nobody begins with IPv4."""
    aaaa = answer(NAME, "AAAA", V6, elapsed_ms=900)
    facts = addresses(aaaa, answer(NAME, "A"), ipv4=())
    assert kept(found_in(facts)) == [("pass", None)]


def test_an_a_that_fails_is_a_warning() -> None:
    """Clients that wait for both answers are held up by the one that does not come."""
    found = found_in(addresses(a=SERVFAIL, ipv4=()))
    assert kept(found) == [("warn", None)]
    assert whole(found)
    assert "A cannot be resolved (SERVFAIL from 192.0.2.53)" in found[0].message
    assert found[0].evidence["ipv4"]["outcome"] == "servfail"


def test_unusable_and_late_are_both_told() -> None:
    """A warning beside a failure is not lost."""
    aaaa = answer(NAME, "AAAA", V6, "fe80::1", elapsed_ms=500)
    facts = addresses(aaaa, answer(NAME, "A", V4), unusable=("fe80::1",))
    assert kept(found_in(facts)) == [("fail", None), ("warn", None)]


def test_a_resolver_out_of_reach_is_unknown() -> None:
    """Law 1: our own resolver says nothing of the target."""
    found = found_in(Failure(Kind.RESOLVER_UNREACHABLE, "out of reach"))
    assert kept(found) == [("unknown", "vantage")]


def test_an_interrupted_run_is_no_resolver_s_fault() -> None:
    """Who presses Ctrl-C is not sent to another resolver."""
    (found,) = found_in(Failure(Kind.INTERRUPTED, "interrupted before it was measured"))
    assert (found.status, found.hint) == ("unknown", "")


def missing(name: str, **more: Any) -> object:
    """A name that the DNS does not have."""
    facts = addresses(
        answer(name, "AAAA", rcode="NXDOMAIN"),
        answer(name, "A", rcode="NXDOMAIN"),
        ipv6=(),
        ipv4=(),
    )
    return replace(facts, name=name, **more)


@pytest.mark.parametrize(
    ("facts", "status", "what", "hint"),
    [
        (missing("printer.local"), "unknown", "multicast-dns", "--resolve printer.local:"),
        (missing("x.y.local"), "fail", "no-such-name", "check the spelling"),
        (missing("shop"), "fail", "no-such-name", "give the full name"),
        (missing(NAME, completed=f"{NAME}.test"), "fail", "no-such-name", f"give {NAME}.test"),
        (addresses(origin="hosts"), "warn", "hosts-file", "publish it in the DNS"),
        (addresses(origin="hosts", ipv6=()), "fail", "no-aaaa", "publish it in the DNS"),
    ],
)
def test_what_programs_of_this_host_find(facts: object, status: str, what: str, hint: str) -> None:
    """The spelling is doubted only where nobody could have meant anything else."""
    (found,) = found_in(facts)
    assert (found.status, found.id) == (status, what)
    assert hint in found.hint


def test_a_name_of_the_hosts_file_is_fine_inside() -> None:
    """Where private names are wanted nobody needs a warning."""
    (found,) = found_in(addresses(origin="hosts"), internal=True)
    assert (found.status, "/etc/hosts" in found.message) == ("pass", True)


def test_an_alias_behind_what_it_leads_to() -> None:
    """The zone's own server is at fault for its order, another one only for what it makes of it."""
    aaaa = replace(answer(NAME, "AAAA", V6, chain=[EDGE]), behind=True)
    (found,) = found_in(addresses(aaaa))
    assert (found.status, found.id) == ("warn", "alias-behind")
    (found,) = found_in(addresses(replace(aaaa, authoritative=True)))
    assert (found.status, found.id) == ("fail", "alias-behind")


def test_an_alias_into_another_zone_is_not_known() -> None:
    """An authoritative server does not say what others have."""
    aaaa = replace(answer(NAME, "AAAA", chain=[EDGE]), authoritative=True, unfinished=True)
    (found,) = found_in(addresses(aaaa, ipv6=(), ipv4=()))
    assert (found.status, found.id) == ("unknown", "alias-elsewhere")


def test_what_a_dns64_may_have_made_up_is_not_known() -> None:
    """Neither published nor made up for certain."""
    (found,) = found_in(replace(addresses(), embedding="2d00:6ab:64::/96"))
    assert (found.status, found.id) == ("unknown", "perhaps-dns64")


def test_a_failed_validation_has_its_own_hint() -> None:
    """Whoever reads SERVFAIL would look at the servers, and not at the signatures."""
    bogus = replace(SERVFAIL, dnssec=True, extended=(ExtendedError(7, "since Monday"),))
    for a in (bogus, answer(NAME, "A", V4)):
        (found,) = found_in(addresses(bogus, a, ipv6=(), ipv4=()))
        assert found.hint.startswith("DNSSEC validation fails")
        assert found.evidence["ipv6"]["extended_errors"] == [{"code": 7, "text": "since Monday"}]
