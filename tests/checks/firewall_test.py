"""The check ``firewall`` over rules that are plain text."""

from __future__ import annotations

import pytest

from ipv6check.config.target import parse
from ipv6check.engine.checks import loader
from ipv6check.firewall.notation import read
from ipv6check.model import Failure, Finding, Kind
from ipv6check.probes.addresses import Addresses
from ipv6check.probes.rules import Rules
from ipv6check.testing import run_check
from tests.firewall.suite import every_case

STRICT = """*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p {icmp} -j ACCEPT
-A INPUT -p udp -m udp --dport 546 -j ACCEPT
{rules}
COMMIT
"""
HTTPS = "-A INPUT -p tcp -m tcp --dport 443 -j ACCEPT"
OWN = Addresses("www.example", "dns", None, None, ("192.0.2.1",), ("2001:db8::1",))


def judged(
    six: str, four: str | None = None, target: str = "www.example:443", addresses: object = OWN
) -> list[Finding]:
    """What the check says of these INPUT rules."""
    files = [("rules.v6", STRICT.format(icmp="ipv6-icmp", rules=six))]
    if four is not None:
        files.append(("rules.v4", STRICT.format(icmp="icmp", rules=four)))
    rules = Rules(read(files))
    return run_check("firewall", target=parse(target), addresses=addresses, rules=rules)


def test_a_port_that_was_forgotten_fails() -> None:
    """Open in the IPv4 rules alone: half of the users wait for a timeout."""
    found = judged("", HTTPS)
    (failed,) = [finding for finding in found if finding.status == "fail"]
    assert "tcp/443 is allowed over IPv4 but blocked over IPv6" in failed.message
    assert failed.cause == "firewall"
    assert failed.subject == "tcp/443"


def test_a_back_door_fails() -> None:
    """Open in the IPv6 rules alone is a hole that nobody sees over IPv4."""
    found = judged(HTTPS, "")
    assert any("allowed over IPv6 but blocked over IPv4" in finding.message for finding in found)


def test_both_open_passes() -> None:
    """Alike, and with the ICMPv6 that IPv6 needs."""
    assert [finding.status for finding in judged(HTTPS, HTTPS)] == ["pass"]


def test_a_port_that_the_target_names_has_to_be_open() -> None:
    """Rules for IPv6 alone are judged by the target's own port; a bare name asserts none."""
    assert "fail" in {finding.status for finding in judged("")}
    assert "fail" not in {finding.status for finding in judged("", target="www.example")}


def test_the_targets_address_is_the_one_that_counts() -> None:
    """A rule for one destination is certain where the target has one address, open without."""
    rule = "-A INPUT -d 2001:db8::1/128 -p tcp -m tcp --dport 443 -j ACCEPT"
    assert [finding.status for finding in judged(rule)] == ["pass"]
    nowhere = Failure(Kind.SERVFAIL, "no such zone")
    assert "unknown" in {finding.status for finding in judged(rule, addresses=nowhere)}


DHCPV6 = "-A INPUT -p udp -m udp --dport 546 -j ACCEPT"
LINK_LOCAL = "-A INPUT -s fe80::/10 -d fe80::/10 -p udp -m udp --sport 547 --dport 546 -j ACCEPT"


@pytest.mark.parametrize(
    ("rule", "leased", "status", "says"),
    [
        ("", (), "warn", "a host with a DHCPv6 address loses it"),
        ("", ("2001:db8::9",), "fail", "this host loses 2001:db8::9 when the lease runs out"),
        (DHCPV6, (), None, ""),
        (DHCPV6, ("2001:db8::9",), None, ""),
        (LINK_LOCAL, (), None, ""),
        (LINK_LOCAL, ("2001:db8::9",), "warn", "from a global address"),
        ("-A INPUT -i eth0 -p udp --dport 546 -j ACCEPT", (), None, ""),
        (f"{DHCPV6}\n-P OUTPUT DROP\n-A OUTPUT -p icmpv6 -j ACCEPT", (), "warn", "udp/547"),
    ],
    ids=["none", "leased", "any", "any-leased", "as-ufw", "ufw-leased", "one-interface", "asks"],
)
def test_a_lease_has_to_be_renewed(
    rule: str, leased: tuple[str, ...], status: str | None, says: str
) -> None:
    """A reply is no answer to conntrack: a rule of its own, or the address runs out."""
    text = STRICT.format(icmp="ipv6-icmp", rules=HTTPS).replace(f"{DHCPV6}\n", "")
    if "-P OUTPUT DROP" in rule:
        text = text.replace(":OUTPUT ACCEPT", ":OUTPUT DROP")
        rule = rule.replace("-P OUTPUT DROP\n", "")
    ruleset = read([("rules.v6", text.replace("COMMIT", f"{rule}\nCOMMIT" if rule else "COMMIT"))])
    ruleset.leased = leased
    found = run_check("firewall", target=parse("www.example"), addresses=OWN, rules=Rules(ruleset))
    told = [finding for finding in found if finding.id == "dhcpv6-lost"]
    assert [finding.status for finding in told] == ([status] if status else [])
    assert all(says in finding.message for finding in told)


def test_another_host_is_skipped() -> None:
    """Without rules there is nothing to say."""
    found = run_check("firewall", target=parse("www.example"), addresses=OWN, rules=Rules(None))
    assert [finding.status for finding in found] == ["skip"]
    assert found[0].message.startswith("only applies to this host, and www.example")


@pytest.mark.parametrize("kind", [Kind.PERMISSION, Kind.OTHER])
def test_rules_that_cannot_be_read_are_unknown(kind: Kind) -> None:
    """This host does not tell: that is no fault of the target's."""
    failure = Failure(kind, "nft list ruleset: Operation not permitted")
    found = run_check("firewall", target=parse("localhost"), addresses=OWN, rules=failure)
    assert [(finding.status, finding.cause) for finding in found] == [("unknown", "vantage")]
    assert found[0].hint.startswith("run as root")


def test_rules_that_there_was_no_time_for() -> None:
    """Who is root already is not told to become it."""
    failure = Failure(Kind.DEADLINE, "not measured within the run's 0.01 s")
    found = run_check("firewall", target=parse("localhost"), addresses=OWN, rules=failure)
    assert [(finding.status, finding.hint) for finding in found] == [
        ("unknown", "give the target more time: --deadline")
    ]


def test_an_interrupted_run_asks_nobody_to_become_root() -> None:
    """Rules that were not read by then are not unreadable."""
    failure = Failure(Kind.INTERRUPTED, "interrupted before it was measured")
    (found,) = run_check("firewall", target=parse("localhost"), addresses=OWN, rules=failure)
    assert (found.status, found.message, found.hint) == ("unknown", failure.detail, "")


UNUSED_ICMP4 = f"{HTTPS}\n-A INPUT -p icmp -j ACCEPT"


@pytest.mark.slow
def test_whatever_rules_lead_to_is_explained() -> None:
    """Every rule set of the suite, and all that the check explains of rules is found."""
    (firewall,) = loader.load(only=["firewall"]).checks
    unused = read([("rules.v6", STRICT.format(icmp="ipv6-icmp", rules=UNUSED_ICMP4))])
    unused.empty_includes.append("/etc/nftables.d/*.nft")
    found = [
        finding
        for ruleset in (*(read(case.files) for case in every_case()), unused)
        for finding in run_check(
            firewall, target=parse("www.example:8443"), addresses=OWN, rules=Rules(ruleset)
        )
    ]
    assert [finding.message for finding in found if finding.status == "error"] == []
    explained = {finding.id for finding in firewall.findings} - {"not-here", "unreadable"}
    assert {finding.id for finding in found} == explained


CHAINS = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"


@pytest.mark.parametrize(
    ("software", "name", "before", "after"),
    [("nftables", "nftables.conf", "", ""), ("ip6tables", "rules.v6", CHAINS, "COMMIT\n")],
)
def test_the_rules_that_are_told_are_well_themselves(
    software: str, name: str, before: str, after: str
) -> None:
    """Whoever has no rules for IPv6 and copies ours has what IPv6 needs, and the port."""
    (firewall,) = loader.load(only=["firewall"]).checks
    (told,) = [finding.examples for finding in firewall.findings if finding.id == "unfiltered"]
    text = told[software].replace("\\\n", "").replace("ip6tables ", "")
    text = before + text.replace("-P INPUT DROP", after)
    rules = Rules(read([(name, text)]))
    found = run_check(firewall, target=parse("www.example:443"), addresses=OWN, rules=rules)
    assert [(finding.status, finding.id) for finding in found] == [("pass", "icmpv6-accepted")]
