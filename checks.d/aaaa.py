"""The name publishes IPv6 addresses that the Internet can reach.

A name without AAAA is served over IPv4 alone: a user who has only IPv6 cannot reach it. An AAAA
that nobody can reach is worse, because clients try it first and wait. An AAAA query that fails
where A works makes some clients give up and others wait for seconds.

https://www.rfc-editor.org/rfc/rfc6890
"""

from __future__ import annotations

from ipv6check import Addresses, Answer, Failure, Finding, check, count, fail, ms, ok, warn

# RFC 8305 section 3: how long a client that has A waits for AAAA.
RESOLUTION_DELAY_MS = 50
NXDOMAIN = "NXDOMAIN"


@check(reference="RFC 6890", cause="dns")
def aaaa(addresses: Addresses) -> Finding | list[Finding]:
    """The name publishes IPv6 addresses that the Internet can reach."""
    if isinstance(addresses.aaaa, Failure):
        return _unanswered(addresses.name, addresses.aaaa, addresses.a)
    if addresses.aaaa is not None and not addresses.aaaa.records:
        return _missing(addresses.name, addresses.aaaa, addresses.a)
    if not addresses.ipv6 and not addresses.unusable:
        return fail(f"--resolve gives {addresses.name} no IPv6 address")
    found = [
        fail(
            f"{bad.address} cannot be reached: {bad.reason.name} ({bad.reason.reference})",
            hint=_mend(bad.reason.name),
            subject=bad.address,
            evidence={"prefix": bad.reason.prefix},
        )
        for bad in addresses.unusable
    ]
    return found + _late(addresses) or [_fine(addresses)]


def _mend(reason: str) -> str:
    if reason == "DNS64-synthesised":
        return "this network's DNS64 made it up: publish an AAAA record of the name's own"
    return "publish a global unicast address (2000::/3), or withdraw the record"


def _unanswered(name: str, aaaa: Failure, a: Answer | Failure | None) -> Finding:
    both = {"ipv6": _evidence(aaaa), "ipv4": _evidence(a)}
    if isinstance(a, Answer) and a.records:
        message = f"AAAA of {name} cannot be resolved, A can: {aaaa.detail}"
        hint = "the name's servers must answer AAAA as they answer A (RFC 4074)"
        return fail(message, hint=hint, evidence=both)
    message = f"{name} cannot be resolved, neither AAAA nor A: {aaaa.detail}"
    return fail(message, hint="mend the name's servers or its delegation", evidence=both)


def _missing(name: str, aaaa: Answer, a: Answer | Failure | None) -> Finding:
    both = {"ipv6": _evidence(aaaa), "ipv4": _evidence(a)}
    has_ipv4 = isinstance(a, Answer) and bool(a.records)
    if aaaa.rcode == NXDOMAIN and has_ipv4:
        whose = f"{aaaa.canonical}, where its CNAME chain ends," if aaaa.chain else "the name"
        message = f"AAAA of {name}: {whose} does not exist (NXDOMAIN), yet A answers"
        hint = "NXDOMAIN denies every type and caches believe it (RFC 8020): answer without data"
        return fail(message, hint=hint, evidence=both)
    if aaaa.rcode == NXDOMAIN:
        return fail(
            f"{aaaa.canonical} does not exist (NXDOMAIN)", hint="check the spelling", evidence=both
        )
    records = "AAAA record" if has_ipv4 else "address record, neither AAAA nor A"
    if aaaa.chain:
        message = f"{aaaa.canonical}, where the CNAME chain of {name} ends, has no {records}"
        hint = f"ask whoever runs {aaaa.canonical} for IPv6, or point {name} elsewhere"
        return fail(message, hint=hint, subject=aaaa.canonical, evidence=both)
    return fail(
        f"{name} has no {records}", hint=f"publish an AAAA record for {name}", evidence=both
    )


def _late(addresses: Addresses) -> list[Finding]:
    aaaa, a = addresses.aaaa, addresses.a
    if isinstance(a, Failure):
        message = f"A cannot be resolved ({a.detail}); clients that wait for both fail or stall"
        return [
            warn(
                message,
                hint="the name's servers must answer A too",
                evidence={"ipv4": _evidence(a)},
            )
        ]
    if aaaa is None or a is None or isinstance(aaaa, Failure):
        return []
    margin = aaaa.elapsed_ms - a.elapsed_ms
    if margin <= RESOLUTION_DELAY_MS or not a.records:
        return []
    message = (
        f"AAAA comes {ms(margin)} after A: Happy Eyeballs clients begin with IPv4, others wait"
    )
    hint = f"RFC 8305 waits {RESOLUTION_DELAY_MS} ms: look at the name's servers"
    both = {"ipv6": _evidence(aaaa), "ipv4": _evidence(a)}
    return [warn(message, hint=hint, evidence=both)]


def _fine(addresses: Addresses) -> Finding:
    number = count(len(addresses.ipv6), "address", "addresses")
    aaaa = addresses.aaaa
    if isinstance(aaaa, Answer):
        message = f"{number}, TTL {aaaa.ttl}, answered in {ms(aaaa.elapsed_ms)}"
        return ok(message, evidence={"ipv6": _evidence(aaaa), "ipv4": _evidence(addresses.a)})
    where = {"literal": "given as such", "resolve": "given by --resolve"}
    message = f"{number}, {where.get(addresses.origin, 'this host itself (RFC 6761)')}"
    records = {"ipv6": {"records": addresses.ipv6}, "ipv4": {"records": addresses.ipv4}}
    return ok(message, evidence=records)


def _evidence(answer: Answer | Failure | None) -> dict[str, object] | None:
    if answer is None:
        return None
    if isinstance(answer, Failure):
        return {"outcome": answer.kind, "detail": answer.detail, "elapsed_ms": answer.elapsed_ms}
    return {
        "outcome": answer.rcode.lower(),
        "records": answer.records,
        "chain": answer.chain,
        "ttl_s": answer.ttl,
        "elapsed_ms": answer.elapsed_ms,
    }
