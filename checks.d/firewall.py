"""The firewall allows over IPv6 what it allows over IPv4, and the ICMPv6 that IPv6 needs.

Why, and what each finding means, is in firewall.md.
"""

from __future__ import annotations

from ipv6check import (
    Addresses,
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

READ_THEM = "run as root, or pass the rules with --firewall"


@check(reference="RFC 4890", cause="firewall", looks_at="firewall rules")
def firewall(
    target: Target, settings: Settings, addresses: Addresses | Failure, rules: Rules | Failure
) -> Finding | list[Finding]:
    """The firewall allows over IPv6 what it allows over IPv4, and the ICMPv6 that IPv6 needs."""
    if isinstance(rules, Failure):
        if rules.kind is Kind.INTERRUPTED:
            return unknown(rules.detail, cause="vantage", id="unreadable")
        late = rules.kind is Kind.DEADLINE
        hint = "give the target more time: --deadline" if late else READ_THEM
        message = f"the rules of this host {'were not' if late else 'cannot be'} read"
        return unknown(f"{message}: {rules.detail}", hint=hint, id="unreadable")
    if rules.ruleset is None:
        message = f"only applies to this host, and {target.host} is another one"
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
