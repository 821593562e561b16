"""The firewall lets IPv6 in where it lets IPv4 in, and does not break IPv6 itself.

A port that is open in the IPv4 rules and forgotten in the IPv6 ones is dark for half of the users;
the other way round, everybody may come in by the back door. And IPv6 needs ICMPv6 as IPv4 needs
ARP: without neighbour solicitations nothing arrives, without packet-too-big connections stall.

Rules are judged without a packet being sent: those in force, where the target is this host, or, for
any target, those of --firewall RULES: the files that are about to be deployed. `ipv6check firewall
RULES` tells more about them. What is not certain is unknown: every match that is not modelled, a
limit, an interface or an address that the question leaves open.

Taken for granted: packets come in on the interface over which their source is routed. Bridges, XDP
and what a cloud filters before this host are out of sight.

https://www.rfc-editor.org/rfc/rfc4890#section-4.4
"""

from __future__ import annotations

from ipv6check import (
    Addresses,
    Failure,
    Finding,
    Rules,
    Settings,
    Target,
    check,
    skip,
    unknown,
)


@check(reference="RFC 4890", cause="firewall")
def firewall(
    target: Target, settings: Settings, addresses: Addresses | Failure, rules: Rules | Failure
) -> Finding | list[Finding]:
    """The firewall lets in over IPv6 what it lets in over IPv4, and the ICMPv6 that IPv6 needs."""
    if isinstance(rules, Failure):
        return unknown(
            f"the rules of this host cannot be read: {rules.detail}",
            hint="run it as root, or give them with --firewall",
        )
    if rules.ruleset is None:
        return skip(f"{target.host} is not this host, which alone can be seen from inside")
    return rules.review(target.ports or settings.ports, _destinations(addresses))


def _destinations(addresses: Addresses | Failure) -> tuple[str, ...]:
    """The target's address, where it has one of a family alone; of several any may be meant."""
    if isinstance(addresses, Failure):
        return ()
    families = (addresses.ipv6, addresses.ipv4)
    return tuple(own[0] for own in families if len(own) == 1 and not _is_loopback(own[0]))


def _is_loopback(address: str) -> bool:
    return address == "::1" or address.startswith("127.")
