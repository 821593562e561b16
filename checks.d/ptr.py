"""Every IPv6 address has a PTR record whose name leads back to it (FCrDNS).

Why, and what each finding means, is in ptr.md.
"""

from __future__ import annotations

from ipv6check import (
    VANTAGE_KINDS,
    Finding,
    Pointer,
    Pointers,
    check,
    count,
    ok,
    skip,
    unknown,
    warn,
)


@check(
    reference="RFC 1912 section 2.1",
    cause="dns",
    looks_at="reverse DNS",
    measures=False,
)
def ptr(pointers: Pointers) -> Finding | list[Finding]:
    """Every IPv6 address has a PTR record whose name leads back to it (FCrDNS)."""
    if pointers.loopback and not pointers.ipv6:
        return skip("loopback addresses have no public PTR record (RFC 6303)", id="loopback")
    if not pointers.ipv6:
        return skip("no IPv6 address to look up: see aaaa", id="no-address")
    found = [_judge(pointer, pointers.ipv4) for pointer in pointers.ipv6 if not pointer.confirmed]
    return found or [_fine(pointers.ipv6)]


def _judge(pointer: Pointer, twins: tuple[Pointer, ...]) -> Finding:
    evidence = {"ipv6": _evidence(pointer), "ipv4": [_evidence(twin) for twin in twins]}
    subject = pointer.address
    if pointer.failure is not None and pointer.failure.kind in VANTAGE_KINDS:
        message = f"PTR of {subject}: {pointer.failure.detail}"
        hint = "use another resolver (--nameserver ADDRESS), or run from another network"
        return unknown(message, hint=hint, subject=subject, evidence=evidence, id="not-asked")
    if pointer.failure is not None:
        message = f"PTR of {subject} cannot be resolved: {pointer.failure.detail}"
        hint = "fix the name servers of the reverse zone under ip6.arpa"
        return warn(message, hint=hint, subject=subject, evidence=evidence, id="unresolvable")
    if pointer.unseen:
        looked = len(pointer.names)
        message = (
            f"{subject} has {looked + pointer.unseen} PTR names; none of the {looked} checked "
        )
        message += "leads back to it"
        hint = "keep one PTR record, for the host's own name"
        return unknown(
            message, hint=hint, subject=subject, cause="dns", evidence=evidence, id="too-many"
        )
    if len(pointer.names) > 1:
        message = f"none of the {len(pointer.names)} PTR names of {subject} leads back to it"
        hint = f"publish AAAA {subject} for {pointer.names[0]}, or correct the PTR record"
        return warn(message, hint=hint, subject=subject, evidence=evidence, id="unconfirmed")
    if pointer.names:
        message = f"PTR of {subject} is {pointer.names[0]}, which does not lead back to it"
        hint = f"publish AAAA {subject} for {pointer.names[0]}, or correct the PTR record"
        return warn(message, hint=hint, subject=subject, evidence=evidence, id="unconfirmed")
    named = next((twin for twin in twins if twin.names), None)
    beside = f", IPv4 {named.address} has {named.names[0]}" if named else ""
    message = f"{subject} has no PTR record{beside}"
    hint = "publish one in the reverse zone under ip6.arpa, which your provider holds"
    return warn(message, hint=hint, subject=subject, evidence=evidence, id="no-ptr")


def _fine(pointers: tuple[Pointer, ...]) -> Finding:
    names = sorted({name for pointer in pointers for name in pointer.confirmed})
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    number = count(len(pointers), "address", "addresses")
    return ok(
        f"{number}, confirmed as {names[0]}{more}",
        evidence={"ipv6": [_evidence(pointer) for pointer in pointers]},
        id="confirmed",
    )


def _evidence(pointer: Pointer) -> dict[str, object]:
    return {"address": pointer.address, "names": pointer.names, "confirmed": pointer.confirmed}
