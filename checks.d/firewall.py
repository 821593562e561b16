"""The firewall lets IPv6 in where it lets IPv4 in, and does not break IPv6 itself.

A port that is open in the IPv4 rules and forgotten in the IPv6 ones is dark for half of the users;
the other way round, everybody may come in by the back door. And IPv6 needs ICMPv6 as IPv4 needs
ARP: without neighbour solicitations nothing arrives, without packet-too-big connections stall.
DHCPv6, by which many hosts of clouds and offices have their address, needs a rule of its own: its
replies come from another address than was asked, so that no rule on established flows lets them in.

Rules are judged without a packet being sent: those in force, where the target is this host, or, for
any target, those of --firewall RULES: the files that are about to be deployed. `ipv6check firewall
RULES` tells more about them. What is not certain is unknown: every match that is not modelled, a
limit, an interface or an address that the question leaves open. A limit of at least 10 a second of
ICMP, or 1000 of anything else, is there against floods, and passes.

Taken for granted: packets come in on the interface over which their source is routed. Bridges, XDP
and what a cloud filters before this host are out of sight.

https://www.rfc-editor.org/rfc/rfc4890#section-4.4
"""

from __future__ import annotations

from ipv6check import (
    ACCEPT_ICMPV6,
    ACCEPT_TCP,
    Addresses,
    Explained,
    Failure,
    Finding,
    Kind,
    Rules,
    Settings,
    Target,
    check,
    skip,
    unknown,
)

READ_THEM = "run it as root, or give them with --firewall"
# A cloud's rules are out of sight here.
OURS = ("nftables", "ip6tables", "ufw", "firewalld")

FINDINGS = (
    Explained(
        "shut-over-ipv6",
        "fail",
        "The port is let in over IPv4, and shut over IPv6: the rule was written once and "
        "forgotten for IPv6. IPv6 clients wait for their timeout.",
        "Accept the port in the IPv6 rules too.",
        {name: ACCEPT_TCP[name] for name in OURS},
    ),
    Explained(
        "open-over-ipv6",
        "fail",
        "The port is shut over IPv4, and let in over IPv6: whoever knows the IPv6 address may "
        "come in by the back door.",
        "Shut it in the IPv6 rules too, if it is meant to be shut.",
        {
            "nftables": "nft insert rule inet filter input tcp dport 8080 drop",
            "ip6tables": "ip6tables -I INPUT -p tcp --dport 8080 -j DROP",
            "ufw": "ufw prepend deny 8080/tcp",
        },
    ),
    Explained(
        "unfiltered",
        "fail",
        "Every port that no rule names is open over IPv6 and shut over IPv4: there are no rules "
        "for IPv6, or their policy is to accept.",
        "Give IPv6 the rules and the policy that IPv4 has. First accept what is established, "
        "loopback, ICMPv6 and the port by which you are logged in; then set the policy.",
        {
            "nftables": "table inet filter {        # inet is both families\n"
            "  chain input {\n"
            "    type filter hook input priority filter; policy drop;\n"
            "    ct state established,related accept\n"
            "    iif lo accept\n"
            "    meta l4proto { icmp, ipv6-icmp } accept\n"
            "    ip6 saddr fe80::/10 udp dport 546 accept   # DHCPv6\n"
            "    tcp dport { 22, 443 } accept\n"
            "  }\n"
            "}",
            "ip6tables": "ip6tables -A INPUT -i lo -j ACCEPT\n"
            "ip6tables -A INPUT -m conntrack \\\n"
            "  --ctstate ESTABLISHED,RELATED -j ACCEPT\n"
            "ip6tables -A INPUT -p ipv6-icmp -j ACCEPT\n"
            "ip6tables -A INPUT -s fe80::/10 -p udp --dport 546 -j ACCEPT\n"
            "ip6tables -A INPUT -p tcp --dport 22 -j ACCEPT\n"
            "ip6tables -A INPUT -p tcp --dport 443 -j ACCEPT\n"
            "ip6tables -P INPUT DROP",
            "ufw": "ufw default deny incoming\nufw enable",
        },
    ),
    Explained(
        "shut",
        "fail warn",
        "A port that was named, and so is meant to be open, is shut over IPv6. A warning where it "
        "is shut over IPv4 alike.",
        "Accept the port; see shut-over-ipv6 for how.",
    ),
    Explained(
        "icmpv6-lost",
        "fail warn",
        "ICMPv6 that IPv6 needs does not come in, or does not leave. Without neighbour discovery "
        "(types 135 and 136) nothing arrives at all; without packet-too-big (type 2) large pages "
        "stall; without router advertisements (type 134) the address and the route run out. A "
        "warning for what IPv6 can do without for a while, such as echo.",
        "Accept ICMPv6 before whatever drops. Three common mistakes: -p icmp in "
        "ip6tables is the ICMP of IPv4; ip6 nexthdr icmpv6 misses MLD, which comes behind a "
        "hop-by-hop header; and ct state new is never true of neighbour discovery, which is not "
        "tracked.",
        {name: ACCEPT_ICMPV6[name] for name in OURS[:2]},
    ),
    Explained(
        "dhcpv6-lost",
        "fail warn",
        "The replies of DHCPv6 do not come in (UDP port 546 of RFC 8415), or its questions do not "
        "leave: a host that has its address by DHCPv6 works until the lease runs out, days after "
        "the rules were changed. Rules on established flows do not help: the question goes to "
        "ff02::1:2, the reply comes from the server's own address. A warning where nobody knows "
        "whether DHCPv6 is used; a failure where this host has such an address.",
        "Accept UDP port 546 from link-local addresses; or, where no network of this host has "
        "DHCPv6, leave it as it is.",
        {
            "nftables": "nft insert rule inet filter input \\\n"
            "  ip6 saddr fe80::/10 udp dport 546 accept",
            "ip6tables": "ip6tables -I INPUT -s fe80::/10 -p udp --dport 546 -j ACCEPT",
            "firewalld": "firewall-cmd --permanent --add-service=dhcpv6-client\n"
            "firewall-cmd --reload",
        },
    ),
    Explained(
        "replies-lost",
        "fail",
        "Connections are let in, and their answers may not leave.",
        "Accept established connections on the way out.",
        {
            "nftables": "nft insert rule inet filter output \\\n"
            "  ct state established,related accept",
            "ip6tables": "ip6tables -I OUTPUT -m conntrack \\\n"
            "  --ctstate ESTABLISHED,RELATED -j ACCEPT",
        },
    ),
    Explained(
        "would-not-load",
        "fail",
        "A line of a file is not accepted by the command that loads it, so that none of the file "
        "comes into force: the rules that were there stay, or there are none after a reboot.",
        "Correct the line, and try the file without loading it.",
        {
            "nftables": "nft -c -f /etc/nftables.conf",
            "ip6tables": "ip6tables-restore --test < /etc/iptables/rules.v6",
        },
    ),
    Explained(
        "differs",
        "warn",
        "What becomes of the port depends on something, and over IPv6 on something else than over "
        "IPv4: another source, interface or limit.",
        "Let both families depend on the same, if the difference is not meant.",
        {"nftables": "# in a table inet, a rule without ip or ip6 is for both"},
    ),
    Explained(
        "icmp-of-ipv4",
        "warn",
        "A rule of ip6tables says -p icmp, which is the ICMP of IPv4 and never matches.",
        "Write -p ipv6-icmp.",
        {"ip6tables": "ip6tables -A INPUT -p ipv6-icmp -j ACCEPT"},
    ),
    Explained(
        "empty-include",
        "warn",
        "A file includes others of which there is nothing here; what they say is not known.",
        "Give those files too, if there are any where the rules are loaded.",
    ),
    Explained(
        "depends",
        "unknown",
        "What becomes of a port or of ICMPv6 depends on what the question leaves open, or on a "
        "match that is not modelled.",
        "Ask more narrowly: ipv6check firewall has --iif, --from and --to.",
    ),
    Explained(
        "incomplete",
        "unknown",
        "Rules for IPv6 are missing from what was given, or other tables may decide as well.",
        "Give everything together: ipv6check firewall takes several files.",
        {
            "nftables": "nft list ruleset > rules.nft",
            "ip6tables": "ip6tables-save > rules.v6\nip6tables-legacy-save > legacy.v6",
        },
    ),
    Explained(
        "unreadable",
        "unknown",
        "The rules of this host may not be read by this user, or there was no time for it.",
        "Run it as root, or give the rules with --firewall; or give it more time with --deadline.",
    ),
    Explained(
        "not-here",
        "skip",
        "The target is another host, and no rules of it were given.",
        "Give them with --firewall RULES.",
    ),
    Explained("icmpv6-accepted", "pass", "The ICMPv6 that IPv6 needs is let in."),
)


@check(reference="RFC 4890", cause="firewall", findings=FINDINGS, looks_at="firewall rules")
def firewall(
    target: Target, settings: Settings, addresses: Addresses | Failure, rules: Rules | Failure
) -> Finding | list[Finding]:
    """The firewall lets in over IPv6 what it lets in over IPv4, and the ICMPv6 that IPv6 needs."""
    if isinstance(rules, Failure):
        if rules.kind is Kind.INTERRUPTED:
            return unknown(rules.detail, cause="vantage", id="unreadable")
        late = rules.kind is Kind.DEADLINE
        hint = "give the target more time: --deadline" if late else READ_THEM
        message = f"the rules of this host {'were not' if late else 'cannot be'} read"
        return unknown(f"{message}: {rules.detail}", hint=hint, id="unreadable")
    if rules.ruleset is None:
        message = f"{target.host} is not this host, which alone can be seen from inside"
        return skip(message, id="not-here")
    return rules.review(target.ports or settings.ports, _destinations(addresses))


def _destinations(addresses: Addresses | Failure) -> tuple[str, ...]:
    """The target's address, where it has one of a family alone; of several any may be meant."""
    if isinstance(addresses, Failure):
        return ()
    families = (addresses.ipv6, addresses.ipv4)
    return tuple(own[0] for own in families if len(own) == 1 and not _is_loopback(own[0]))


def _is_loopback(address: str) -> bool:
    return address == "::1" or address.startswith("127.")
