"""What rules allow, in one sentence; and parts of rule sets, which no base chain reaches."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipv6check.engine.rule_files import read_rules, rules_of
from ipv6check.firewall.readiness import ReviewScope, review

HOST = """table inet filter {{
  chain input {{
    type filter hook input priority filter; policy {policy};
    ct state established,related accept
    {icmp}
    {rules}
  }}
}}
"""
ICMP = "meta l4proto { icmp, ipv6-icmp } accept"


def said(rules: str, policy: str = "drop", icmp: str = ICMP, **asked: object) -> str:
    """The headline of a host with these rules."""
    text = HOST.format(policy=policy, icmp=icmp, rules=rules)
    ruleset = rules_of([("nftables.conf", text)], nft=False)
    return review(ruleset, ReviewScope(**asked)).headline  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rules", "headline"),
    [
        (
            "tcp dport { 22, 443 } accept",
            "only tcp/22, tcp/443 and the ICMPv6 that IPv6 needs are allowed",
        ),
        ("", "only the ICMPv6 that IPv6 needs is allowed"),
        (
            "tcp dport { 6000-6009, 6010 } accept; udp dport 53 accept",
            "only tcp/6000-6010, udp/53 and the ICMPv6 that IPv6 needs are allowed",
        ),
        (
            "tcp dport 22 accept\nip6 saddr 2001:db8::/32 tcp dport 80 accept",
            "only tcp/22 and the ICMPv6 that IPv6 needs are allowed; tcp/80 on conditions",
        ),
        ("meta l4proto esp accept", "only esp and the ICMPv6 that IPv6 needs are allowed"),
        ("tcp dport 0-65535 accept", "only all of TCP and the ICMPv6 that IPv6 needs are allowed"),
        ("tcp dport 22 drop\ntcp dport 22 accept", "only the ICMPv6 that IPv6 needs is allowed"),
        ("accept", "everything is allowed"),
        ("ip saddr 192.0.2.0/24 tcp dport 23 accept", "only the ICMPv6 that IPv6 needs is allowed"),
    ],
)
def test_a_headline(rules: str, headline: str) -> None:
    """Ports and protocols that are allowed to all, and those that depend on something."""
    assert said(rules.replace("; ", "\n")) == f"IPv6: {headline}"


def test_a_headline_promises_no_more_than_is_so() -> None:
    """ICMPv6 that is blocked is not allowed; findings name the exceptions from a policy."""
    assert said("tcp dport 22 accept", icmp="") == "IPv6: only tcp/22 is allowed"
    assert said("", icmp="") == "IPv6: nothing is allowed"
    assert said("tcp dport 25 drop", policy="accept") == ""
    many = ", ".join(str(port) for port in range(1000, 1200, 2))
    assert said(f"tcp dport {{ {many} }} accept") == ""
    few = ", ".join(str(port) for port in range(1000, 1040, 2))
    assert said(f"tcp dport {{ {few} }} accept").endswith(
        "tcp/1014, 12 more and the ICMPv6 that IPv6 needs are allowed"
    )
    assert said("iifname eth0 tcp dport 22 accept", iif="eth0").startswith("IPv6: only tcp/22 and")


PART = """*filter
:app6-user-input - [0:0]
-A app6-user-input -p tcp --dport 22 -j DROP
COMMIT
"""
WHOLE = """*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:unused - [0:0]
-A INPUT -p tcp --dport 80 -j ACCEPT
-A unused -j DROP
COMMIT
"""
CHAIN = "table inet filter {\n chain mine {\n tcp dport 22 drop\n }\n}\n"


@pytest.mark.parametrize(
    ("files", "certain"),
    [
        ({"user.v6": PART}, False),
        ({"part.nft": CHAIN}, False),
        ({"rules.v6": WHOLE}, True),
        ({"rules.v6": WHOLE.replace(":INPUT DROP [0:0]\n", "")}, True),
        ({"user.v6": PART, "rules.v6": WHOLE}, True),
        ({"rules.v6": WHOLE, "user.v6": PART}, True),
        ({"nftables.conf": HOST.format(policy="drop", icmp=ICMP, rules="") + CHAIN}, True),
        (
            {"main.v6": WHOLE.replace("*filter", "*raw", 1).replace(":INPUT DROP [0:0]\n", "")},
            False,
        ),
    ],
    ids=["ufw", "chain", "whole", "undeclared", "before", "behind", "left-over", "refused"],
)
def test_a_part_is_not_judged_as_a_whole(
    tmp_path: Path,
    files: dict[str, str],
    certain: bool,  # noqa: FBT001
) -> None:
    """Rules that no base chain leads to decide nothing alone: the whole is asked for."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    _, rules = read_rules([str(tmp_path / name) for name in files], nft=False)
    found = review(rules, ReviewScope(ports=(("tcp", "80"),)))
    parts = [gap for gap in rules.gaps if "no base chain leads to" in gap.reason]
    assert bool(parts) is not certain or rules.refusals
    assert (found.ports[0].six.verdict != "depends") is certain


def test_what_a_second_file_tells_of_a_table_holds() -> None:
    """The policy of a chain that the first file says nothing of."""
    rules = rules_of([("user.v6", PART), ("rules.v6", WHOLE)], nft=False)
    (told, *_) = review(rules, ReviewScope(ports=(("tcp", "443"),))).ports
    assert told.six.verdict == "drop"


def test_ports_that_were_asked_for_come_first() -> None:
    """Then those that everybody is asked about."""
    rules = rules_of([("rules.v6", WHOLE)], nft=False)
    found = review(rules, ReviewScope(ports=(("udp", "53"), ("tcp", "8443"))))
    assert [port.name for port in found.ports][:3] == ["udp/53", "tcp/8443", "tcp/22"]
