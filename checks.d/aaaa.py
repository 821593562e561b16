"""The name publishes IPv6 addresses that the Internet can reach.

A name without AAAA is served over IPv4 alone: a user who has only IPv6 cannot reach it. An AAAA
that nobody can reach is worse, because clients try it first and wait. An AAAA query that fails
where A works makes some clients give up and others wait for seconds.

https://www.rfc-editor.org/rfc/rfc6890
"""

from __future__ import annotations

from ipv6check import (
    Addresses,
    Answer,
    Cause,
    Explained,
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

# RFC 8305 section 3: how long a client that has A waits for AAAA.
RESOLUTION_DELAY_MS = 50
NXDOMAIN = "NXDOMAIN"
DNS64 = "DNS64-synthesised"
TRANSLATED = "the prefix of every NAT64"
ELSEWHERE = "ask another resolver (--nameserver ADDRESS), or from another network"

FINDINGS = (
    Explained(
        "no-aaaa",
        "fail",
        "The name exists and has no AAAA record: nobody reaches it over IPv6.",
        "Give the service an IPv6 address, see with --resolve HOST:ADDRESS that it is served well "
        "there, then publish the AAAA record. Behind a CDN or a load balancer, switch IPv6 on "
        "there.",
        {
            "BIND": "www  AAAA  2001:db8::1     ; in the zone, with a new serial\n"
            "rndc reload example.com",
            "Cloudflare": "# a proxied name has AAAA records, unless this is off:\n"
            "API=https://api.cloudflare.com/client/v4\n"
            'curl -X PATCH "$API/zones/ZONE/settings/ipv6" \\\n'
            '  -H "Authorization: Bearer $TOKEN" \\\n'
            "  -H 'Content-Type: application/json' \\\n"
            '  -d \'{"value":"on"}\'',
            "CloudFront": '"IsIPV6Enabled": true      # in the DistributionConfig\n'
            "# and in Route 53 an alias record of type AAAA to it",
            "Fastly": "www  CNAME  dualstack.j.sni.global.fastly.net.\n"
            "# dualstack. before the name that Fastly gave you",
            "AWS": "aws elbv2 set-ip-address-type --load-balancer-arn ARN \\\n"
            "  --ip-address-type dualstack\n"
            "# and in Route 53 an alias record of type AAAA to it",
            "Google Cloud": "gcloud compute addresses create web6 \\\n"
            "  --ip-version=IPV6 --global\n"
            "# and a forwarding rule of the load balancer for it\n"
            "gcloud dns record-sets create www.example.com. \\\n"
            "  --zone=ZONE --type=AAAA --ttl=300 --rrdatas=2001:db8::1",
            "Azure": "az network dns record-set aaaa add-record -g GROUP \\\n"
            "  -z example.com -n www -a 2001:db8::1",
        },
    ),
    Explained(
        "no-aaaa-at-cname",
        "fail",
        "The name is an alias, and the name at the end of its CNAME chain has no AAAA record. "
        "Whoever runs that one decides.",
        "Ask them for IPv6; many have a second name or a switch for it. Else point the alias "
        "elsewhere.",
        {
            "CloudFront": '"IsIPV6Enabled": true      # in the DistributionConfig',
            "Fastly": "www  CNAME  dualstack.j.sni.global.fastly.net.\n"
            "# dualstack. before the name that Fastly gave you",
            "AWS": "aws elbv2 set-ip-address-type --load-balancer-arn ARN \\\n"
            "  --ip-address-type dualstack",
        },
    ),
    Explained(
        "not-global",
        "fail",
        "A published address is of a range that the Internet does not route: a unique local, a "
        "link-local, a documentation, an IPv4-mapped address, or the like. Clients try it first, "
        "and wait.",
        "Publish a global unicast address (2000::/3), or withdraw the record. Inside one's own "
        "network such an address may be right: --internal permits it.",
    ),
    Explained(
        "dns64",
        "fail",
        "The name has no AAAA record of its own. The address comes from the DNS64 of the network "
        "from which this was measured (RFC 6147), and leads to the IPv4 address.",
        "Publish an AAAA record: see no-aaaa.",
    ),
    Explained(
        "aaaa-unanswered",
        "fail",
        "A is answered, and AAAA is not: it times out, or ends in an error such as SERVFAIL. Some "
        "clients then give up, others wait for seconds, though IPv4 would work (RFC 4074).",
        "Ask each of the name's servers. A load balancer that answers A itself has to say NOERROR "
        "without records where it has no AAAA; a broken DNSSEC signature shows up with one type "
        "too.",
        {
            "dig": "dig NS example.com +short\n"
            "dig AAAA www.example.com @ns1.example.com +norecurse\n"
            "delv AAAA www.example.com  # is it the signature?"
        },
    ),
    Explained(
        "unresolvable",
        "fail",
        "Neither AAAA nor A can be resolved; that is no fault of IPv6.",
        "Fix the name's servers, or their delegation.",
        {"dig": "dig www.example.com +trace     # who fails to answer?"},
    ),
    Explained(
        "nxdomain",
        "fail",
        "The answer for AAAA is that the name does not exist (NXDOMAIN), though A has an answer. "
        "NXDOMAIN is for every type (RFC 8020): resolvers that believe it deny the A record too.",
        "The server has to answer NOERROR without records. It is usually a load balancer or a "
        "server of one's own that knows A alone: update it, or put another server before it.",
        {"dig": "dig AAAA www.example.com @ns1.example.com +norecurse\n# wanted: NOERROR"},
    ),
    Explained(
        "no-such-name",
        "fail",
        "The name, or the one at the end of its CNAME chain, does not exist.",
        "Check the spelling, and whether the record or the domain was deleted.",
    ),
    Explained(
        "resolve-without-ipv6",
        "fail",
        "--resolve gives the name no IPv6 address, and so none is tried.",
        "Give one: --resolve HOST:ADDRESS is repeatable.",
    ),
    Explained(
        "a-unanswered",
        "warn",
        "AAAA is answered, and A is not. Clients that wait for both answers stall or fail.",
        "Ask each of the name's servers for A; see aaaa-unanswered.",
    ),
    Explained(
        "late",
        "warn",
        "AAAA is answered more than 50 ms after A. Clients that follow RFC 8305 wait no longer, "
        "and begin with IPv4.",
        "Look at the name's servers: a server that asks another one for AAAA, or rate limits. "
        "A longer TTL lets fewer clients wait.",
        {
            "dig": "dig A www.example.com @ns1.example.com | grep time\n"
            "dig AAAA www.example.com @ns1.example.com | grep time"
        },
    ),
    Explained(
        "alias-behind",
        "fail warn",
        "An alias stands behind the record that it leads to. glibc reads an answer once and in its "
        "order, and finds no address; so do others (RFC 1034 section 4.3.1 has the alias first). A "
        "failure where the zone's own server answers so, else a warning: it is the resolver's "
        "order, which other resolvers do not have.",
        "Update the server that answers so, or put another one before it.",
        {"dig": "dig AAAA www.example.com +noall +answer   # CNAME first?"},
    ),
    Explained(
        "hosts-file",
        "warn",
        "The DNS has no such name, and /etc/hosts of this host has it. Programs on this host find "
        "it, and nobody else does.",
        "Publish the name in the DNS. Where it is meant for this host alone, say --internal.",
    ),
    Explained(
        "alias-elsewhere",
        "unknown",
        "The server that was asked answers for its own zones alone, and the name is an alias of "
        "one in another zone. What that one has, it does not know.",
        "Ask a resolver: leave --nameserver out, or name one.",
    ),
    Explained(
        "multicast-dns",
        "unknown",
        "A name under .local is one of multicast DNS (RFC 6762), which is asked on the link, and "
        "not here.",
        "Give its address: --resolve printer.local:ADDRESS.",
    ),
    Explained(
        "perhaps-dns64",
        "unknown",
        "Every AAAA is an A record of the name, embedded under one prefix (RFC 6052). A DNS64 "
        "makes such addresses up; but this network's resolver does not say that it does, and some "
        "zones publish addresses of that kind.",
        "Ask the zone's own server (--nameserver), or from another network.",
        {"dig": "dig AAAA www.example.com @ns1.example.com +norecurse"},
    ),
    Explained(
        "not-asked",
        "unknown",
        "This network's resolver cannot tell what the name has: it is out of reach, does not serve "
        "this host, blocks the name, or gives no AAAA of any name. That says nothing of the name.",
        "Ask another resolver, by --nameserver ADDRESS, or from another network.",
        {"dig": "dig AAAA a.root-servers.net   # has one: does the resolver tell?"},
    ),
    Explained("published", "pass", "The name has IPv6 addresses, and all can be reached."),
)


@check(reference="RFC 6890", cause="dns", findings=FINDINGS, looks_at="DNS", measures=False)
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
    found = [_unusable(each) for each in addresses.unusable]
    found += [*_behind(addresses), *_late(addresses), *_perhaps_dns64(addresses)]
    return found or [_fine(addresses)]


def _of_hosts_file(addresses: Addresses, *, internal: bool) -> Finding:
    """Nobody else finds what only this host has; where that is meant, it is as good as any."""
    name, ipv6, ipv4 = addresses.name, addresses.ipv6, addresses.ipv4
    evidence = {"ipv6": {"records": ipv6}, "ipv4": {"records": ipv4}}
    if not ipv6:
        message = f"{name} is in /etc/hosts of this host alone, and has no IPv6 address there"
        hint = "publish it in the DNS, or give it an IPv6 address there"
        return fail(message, hint=hint, evidence=evidence, id="no-aaaa")
    number = count(len(ipv6), "address", "addresses")
    message = f"{number} by /etc/hosts of this host; the DNS has no {name}"
    if internal:
        return ok(message, evidence=evidence, id="published")
    hint = "publish it in the DNS; if it is meant for this host alone, say --internal"
    return warn(message, hint=hint, evidence=evidence, id="hosts-file")


def _unusable(bad: Unusable) -> Finding:
    reason = bad.reason
    message = f"{bad.address} cannot be reached: {reason.name} ({reason.reference})"
    what, hint = _mend(reason.name)
    evidence = {"prefix": reason.prefix}
    return fail(message, hint=hint, subject=bad.address, evidence=evidence, id=what)


def _mend(reason: str) -> tuple[str, str]:
    """Which finding it is, and the hint."""
    if reason == DNS64:
        return "dns64", "this network's DNS64 made it up: publish an AAAA record of the name's own"
    if reason == TRANSLATED:
        hint = "withdraw it, unless a DNS64 here made it up: it leads to each client's own NAT64"
        return "not-global", hint
    return "not-global", "publish a global unicast address (2000::/3), or withdraw the record"


def _unanswered(name: str, aaaa: Failure, a: Answer | Failure | None) -> Finding:
    both = {"ipv6": _evidence(aaaa), "ipv4": _evidence(a)}
    if isinstance(a, Answer) and a.records:
        message = f"AAAA of {name} cannot be resolved, A can: {aaaa.detail}"
        hint = "the name's servers must answer AAAA as they answer A (RFC 4074)"
        hint = _DNSSEC if aaaa.dnssec else hint
        return fail(message, hint=hint, evidence=both, id="aaaa-unanswered")
    message = f"{name} cannot be resolved, neither AAAA nor A: {aaaa.detail}"
    hint = _DNSSEC if aaaa.dnssec else "fix the name's servers or its delegation"
    return fail(message, hint=hint, evidence=both, id="unresolvable")


_DNSSEC = "DNSSEC validation fails: sign the zone anew, and compare its DS record with its keys"


def _missing(addresses: Addresses, aaaa: Answer) -> Finding:
    name, a = addresses.name, addresses.a
    both = {"ipv6": _evidence(aaaa), "ipv4": _evidence(a)}
    has_ipv4 = isinstance(a, Answer) and bool(a.records)
    if aaaa.unfinished:
        message = f"{name} is an alias of {aaaa.canonical}, which is not of the zones that "
        message += f"{aaaa.nameserver} knows"
        hint = "ask a resolver: leave --nameserver out, or name one"
        return unknown(message, hint=hint, evidence=both, id="alias-elsewhere")
    if not has_ipv4 and name.endswith(".local") and name.count(".") == 1:
        message = f"{name} is a name of multicast DNS (RFC 6762), which is not asked"
        hint = f"give its address: --resolve {name}:ADDRESS"
        return unknown(message, hint=hint, evidence=both, id="multicast-dns")
    if aaaa.rcode == NXDOMAIN and has_ipv4:
        whose = f"{aaaa.canonical}, where its CNAME chain ends," if aaaa.chain else "the name"
        message = f"AAAA of {name}: {whose} does not exist (NXDOMAIN), yet A answers"
        hint = "NXDOMAIN denies every type and caches believe it (RFC 8020): answer without data"
        return fail(message, hint=hint, evidence=both, id="nxdomain")
    if aaaa.rcode == NXDOMAIN:
        message = f"{aaaa.canonical} does not exist (NXDOMAIN){_found_here(addresses)}"
        return fail(message, hint=_spelling(addresses), evidence=both, id="no-such-name")
    records = "AAAA record" if has_ipv4 else "address record, neither AAAA nor A"
    if aaaa.chain:
        message = f"{aaaa.canonical}, where the CNAME chain of {name} ends, has no {records}"
        hint = f"ask whoever runs {aaaa.canonical} for IPv6, or point {name} elsewhere"
        subject, what = aaaa.canonical, "no-aaaa-at-cname"
        return fail(message, hint=hint, subject=subject, evidence=both, id=what)
    message = f"{_full(addresses)} has no {records}{_found_here(addresses)}"
    hint = f"publish an AAAA record for {name}"
    return fail(message, hint=hint, evidence=both, id="no-aaaa")


def _full(addresses: Addresses) -> str:
    """The name, and how the target became it."""
    by = f" ({addresses.written} by the search list of this host)" if addresses.written else ""
    return f"{addresses.name}{by}"


def _found_here(addresses: Addresses) -> str:
    """What programs of this host make of the name all the same."""
    found = addresses.completed
    return f"; programs on this host find {found}, by the search list" if found else ""


def _spelling(addresses: Addresses) -> str:
    if addresses.completed:
        return f"if that is meant, write {addresses.completed}"
    if "." not in addresses.name:
        return "write the whole name: no search list of this host completes it"
    return "check the spelling"


def _behind(addresses: Addresses) -> list[Finding]:
    """An answer that glibc reads past."""
    aaaa, a = addresses.aaaa, addresses.a
    amiss = [each for each in (aaaa, a) if isinstance(each, Answer) and each.behind]
    if not amiss:
        return []
    server = amiss[0].nameserver
    message = f"{server} puts the alias of {addresses.name} behind its {amiss[0].rdtype}: programs "
    message += "that use glibc find no address there"
    both = {"ipv6": _evidence(aaaa), "ipv4": _evidence(a)}
    if amiss[0].authoritative:
        hint = "update the name server: the alias comes first (RFC 1034 section 4.3.1)"
        return [fail(message, hint=hint, evidence=both, id="alias-behind")]
    hint = "update that resolver, or see by --nameserver ADDRESS whether others answer so"
    return [warn(message, hint=hint, evidence=both, id="alias-behind")]


def _perhaps_dns64(addresses: Addresses) -> list[Finding]:
    if not addresses.embedding or not addresses.ipv6:
        return []
    message = f"every AAAA is an A record under {addresses.embedding}, as a DNS64 makes them up"
    hint = "ask the zone's own server (--nameserver ADDRESS), or from another network"
    both = {"ipv6": _evidence(addresses.aaaa), "ipv4": _evidence(addresses.a)}
    return [unknown(message, hint=hint, evidence=both, id="perhaps-dns64")]


def _late(addresses: Addresses) -> list[Finding]:
    aaaa, a = addresses.aaaa, addresses.a
    if isinstance(a, Failure):
        message = f"A cannot be resolved ({a.detail}); clients that wait for both fail or stall"
        hint, evidence = "the name's servers must answer A too", {"ipv4": _evidence(a)}
        return [warn(message, hint=hint, evidence=evidence, id="a-unanswered")]
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
    return [warn(message, hint=hint, evidence=both, id="late")]


def _fine(addresses: Addresses) -> Finding:
    number = count(len(addresses.ipv6), "address", "addresses")
    aaaa = addresses.aaaa
    if isinstance(aaaa, Answer):
        message = f"{number}, TTL {aaaa.ttl}, answered in {ms(aaaa.elapsed_ms)}"
        message += f", as {addresses.name} by the search list" if addresses.written else ""
        evidence = {"ipv6": _evidence(aaaa), "ipv4": _evidence(addresses.a)}
        return ok(message, evidence=evidence, id="published")
    where = {"literal": "given as such", "resolve": "given by --resolve"}
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
    errors = [{"code": each.code, "text": each.text} for each in answer.extended]
    return {"extended_errors": errors} if errors else {}
