"""The name publishes IPv6 addresses that the Internet can reach.

Why, and what each finding means, is in aaaa.md.
"""

from __future__ import annotations

from ipv6check import (
    RESOLUTION_DELAY_MS,
    Addresses,
    Answer,
    Cause,
    Failure,
    Finding,
    Kind,
    Settings,
    Unusable,
    check,
    count,
    fail,
    ms,
    ok,
    unknown,
    warn,
)

NXDOMAIN = "NXDOMAIN"
DNS64 = "DNS64-synthesised"
TRANSLATED = "the prefix of every NAT64"
ELSEWHERE = "use another resolver (--nameserver ADDRESS), or run from another network"


@check(reference="RFC 6890", cause="dns", looks_at="DNS", measures=False)
def aaaa(addresses: Addresses | Failure, settings: Settings) -> Finding | list[Finding]:
    """The name publishes IPv6 addresses that the Internet can reach."""
    if isinstance(addresses, Failure):
        late = addresses.cause is not None
        hint = "give the target more time: --deadline" if late else ELSEWHERE
        if addresses.kind is Kind.INTERRUPTED:  # nobody's resolver is why
            hint = ""
        cause = addresses.cause or Cause.VANTAGE
        return unknown(addresses.detail, hint=hint, cause=cause, id="not-asked")
    if addresses.origin == "hosts":
        return _of_hosts_file(addresses, internal=settings.internal)
    if isinstance(addresses.aaaa, Failure):
        return _unanswered(addresses.name, addresses.aaaa, addresses.a)
    if addresses.aaaa is not None and not addresses.aaaa.records:
        return _missing(addresses, addresses.aaaa)
    if not addresses.ipv6 and not addresses.unusable:
        message = f"--resolve gives {addresses.name} no IPv6 address"
        return fail(message, id="resolve-without-ipv6")
    found = [_unusable(address) for address in addresses.unusable]
    found += [*_behind(addresses), *_late(addresses), *_perhaps_dns64(addresses)]
    return found or [_fine(addresses)]


def _of_hosts_file(addresses: Addresses, *, internal: bool) -> Finding:
    """Nobody else finds what only this host has; where that is meant, it is as good as any."""
    name, ipv6, ipv4 = addresses.name, addresses.ipv6, addresses.ipv4
    evidence = {"ipv6": {"records": ipv6}, "ipv4": {"records": ipv4}}
    if not ipv6:
        message = f"{name} is only in this host's /etc/hosts, which gives it no IPv6 address"
        hint = "publish it in the DNS, or add an IPv6 address to /etc/hosts"
        return fail(message, hint=hint, evidence=evidence, id="no-aaaa")
    number = count(len(ipv6), "address", "addresses")
    message = f"{number} from this host's /etc/hosts; the DNS has no {name}"
    if internal:
        return ok(message, evidence=evidence, id="published")
    hint = "publish it in the DNS, or use --internal if only this host needs it"
    return warn(message, hint=hint, evidence=evidence, id="hosts-file")


def _unusable(bad: Unusable) -> Finding:
    reason = bad.reason
    message = f"{bad.address} cannot be reached: {reason.name} ({reason.reference})"
    what, hint = _fix(reason.name)
    evidence = {"prefix": reason.prefix}
    return fail(message, hint=hint, subject=bad.address, evidence=evidence, id=what)


def _fix(reason: str) -> tuple[str, str]:
    """Which finding it is, and the hint."""
    if reason == DNS64:
        return "dns64", "this network's DNS64 synthesised it: publish a real AAAA record"
    if reason == TRANSLATED:
        hint = "remove it unless a DNS64 here synthesised it: it leads to each client's own NAT64"
        return "not-global", hint
    return "not-global", "publish a global unicast address (2000::/3), or remove the record"


def _unanswered(name: str, aaaa: Failure, a: Answer | Failure | None) -> Finding:
    both = {"ipv6": _evidence(aaaa), "ipv4": _evidence(a)}
    if isinstance(a, Answer) and a.records:
        message = f"AAAA of {name} cannot be resolved, although A can: {aaaa.detail}"
        hint = "the name servers must answer AAAA as they answer A (RFC 4074)"
        hint = _DNSSEC if aaaa.dnssec else hint
        return fail(message, hint=hint, evidence=both, id="aaaa-unanswered")
    message = f"{name} cannot be resolved (neither AAAA nor A): {aaaa.detail}"
    hint = _DNSSEC if aaaa.dnssec else "fix the name servers or the delegation"
    return fail(message, hint=hint, evidence=both, id="unresolvable")


_DNSSEC = "DNSSEC validation fails: re-sign the zone, and compare its DS record with its keys"


def _missing(addresses: Addresses, aaaa: Answer) -> Finding:
    name, a = addresses.name, addresses.a
    both = {"ipv6": _evidence(aaaa), "ipv4": _evidence(a)}
    has_ipv4 = isinstance(a, Answer) and bool(a.records)
    if aaaa.unfinished:
        message = f"{name} is an alias of {aaaa.canonical}, which is in no zone of "
        message += f"{aaaa.nameserver}"
        hint = "use a recursive resolver: omit --nameserver, or name another"
        return unknown(message, hint=hint, evidence=both, id="alias-elsewhere")
    if not has_ipv4 and name.endswith(".local") and name.count(".") == 1:
        message = f"{name} is a multicast DNS name (RFC 6762), which this tool does not resolve"
        hint = f"give its address: --resolve {name}:ADDRESS"
        return unknown(message, hint=hint, evidence=both, id="multicast-dns")
    if aaaa.rcode == NXDOMAIN and has_ipv4:
        whose = f"{aaaa.canonical}, where its CNAME chain ends," if aaaa.chain else "the name"
        message = f"AAAA of {name}: {whose} does not exist (NXDOMAIN), but A is answered"
        hint = 'return NOERROR with no data: NXDOMAIN means "no records of any type" (RFC 8020)'
        return fail(message, hint=hint, evidence=both, id="nxdomain")
    if aaaa.rcode == NXDOMAIN:
        message = f"{aaaa.canonical} does not exist (NXDOMAIN){_found_here(addresses)}"
        return fail(message, hint=_spelling(addresses), evidence=both, id="no-such-name")
    records = "AAAA record" if has_ipv4 else "address record, neither AAAA nor A"
    if aaaa.chain:
        message = f"{aaaa.canonical}, where the CNAME chain of {name} ends, has no {records}"
        hint = f"ask the operator of {aaaa.canonical} for IPv6, or repoint {name}"
        subject, what = aaaa.canonical, "no-aaaa-at-cname"
        return fail(message, hint=hint, subject=subject, evidence=both, id=what)
    message = f"{_full(addresses)} has no {records}{_found_here(addresses)}"
    hint = f"publish an AAAA record for {name}"
    return fail(message, hint=hint, evidence=both, id="no-aaaa")


def _full(addresses: Addresses) -> str:
    """The name, and how the target became it."""
    by = f" ({addresses.written} completed by this host's search list)" if addresses.written else ""
    return f"{addresses.name}{by}"


def _found_here(addresses: Addresses) -> str:
    """What programs of this host make of the name all the same."""
    found = addresses.completed
    return f"; programs on this host find {found} through the search list" if found else ""


def _spelling(addresses: Addresses) -> str:
    if addresses.completed:
        return f"if you mean that one, give {addresses.completed}"
    if "." not in addresses.name:
        return "give the full name: this host's search list does not complete it"
    return "check the spelling"


def _behind(addresses: Addresses) -> list[Finding]:
    """An answer that glibc reads past."""
    aaaa, a = addresses.aaaa, addresses.a
    amiss = [answer for answer in (aaaa, a) if isinstance(answer, Answer) and answer.behind]
    if not amiss:
        return []
    server = amiss[0].nameserver
    message = f"{server} puts the CNAME of {addresses.name} after its {amiss[0].rdtype}: programs "
    message += "that use glibc find no address"
    both = {"ipv6": _evidence(aaaa), "ipv4": _evidence(a)}
    if amiss[0].authoritative:
        hint = "update the name server: the CNAME must come first (RFC 1034 section 4.3.1)"
        return [fail(message, hint=hint, evidence=both, id="alias-behind")]
    hint = "update that resolver, or compare with another one (--nameserver ADDRESS)"
    return [warn(message, hint=hint, evidence=both, id="alias-behind")]


def _perhaps_dns64(addresses: Addresses) -> list[Finding]:
    if not addresses.embedding or not addresses.ipv6:
        return []
    message = f"every AAAA is an A record under {addresses.embedding}, as a DNS64 synthesises them"
    hint = "ask the zone's own server (--nameserver ADDRESS), or run from another network"
    both = {"ipv6": _evidence(addresses.aaaa), "ipv4": _evidence(addresses.a)}
    return [unknown(message, hint=hint, evidence=both, id="perhaps-dns64")]


def _late(addresses: Addresses) -> list[Finding]:
    aaaa, a = addresses.aaaa, addresses.a
    if isinstance(a, Failure):
        message = f"A cannot be resolved ({a.detail}); clients that wait for both fail or stall"
        hint, evidence = "the name servers must answer A too", {"ipv4": _evidence(a)}
        return [warn(message, hint=hint, evidence=evidence, id="a-unanswered")]
    if aaaa is None or a is None or isinstance(aaaa, Failure):
        return []
    margin = aaaa.elapsed_ms - a.elapsed_ms
    if margin <= RESOLUTION_DELAY_MS or not a.records:
        return []
    message = f"AAAA is answered {ms(margin)} after A: "
    message += "Happy Eyeballs clients start with IPv4, others wait"
    hint = f"RFC 8305 clients wait {RESOLUTION_DELAY_MS:g} ms: check the authoritative servers"
    both = {"ipv6": _evidence(aaaa), "ipv4": _evidence(a)}
    return [warn(message, hint=hint, evidence=both, id="late")]


def _fine(addresses: Addresses) -> Finding:
    number = count(len(addresses.ipv6), "address", "addresses")
    aaaa = addresses.aaaa
    if isinstance(aaaa, Answer):
        message = f"{number}, TTL {aaaa.ttl}, answered in {ms(aaaa.elapsed_ms)}"
        message += f", as {addresses.name} through the search list" if addresses.written else ""
        evidence = {"ipv6": _evidence(aaaa), "ipv4": _evidence(addresses.a)}
        return ok(message, evidence=evidence, id="published")
    where = {"literal": "given as an address", "resolve": "given by --resolve"}
    message = f"{number}, {where.get(addresses.origin, 'this host itself (RFC 6761)')}"
    records = {"ipv6": {"records": addresses.ipv6}, "ipv4": {"records": addresses.ipv4}}
    return ok(message, evidence=records, id="published")


def _evidence(answer: Answer | Failure | None) -> dict[str, object] | None:
    if answer is None:
        return None
    if isinstance(answer, Failure):
        failed = {"outcome": answer.kind, "detail": answer.detail, "elapsed_ms": answer.elapsed_ms}
        return failed | _reasons(answer)
    return {
        "outcome": answer.rcode.lower(),
        "records": answer.records,
        "chain": answer.chain,
        "ttl_s": answer.ttl,
        "elapsed_ms": answer.elapsed_ms,
    } | _reasons(answer)


def _reasons(answer: Answer | Failure) -> dict[str, object]:
    """What the server gave as its reasons (RFC 8914), where it gave any."""
    errors = [{"code": error.code, "text": error.text} for error in answer.extended]
    return {"extended_errors": errors} if errors else {}
