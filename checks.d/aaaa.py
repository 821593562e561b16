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
    Explained,
    Failure,
    Finding,
    Unusable,
    check,
    count,
    fail,
    ms,
    ok,
    warn,
)

# RFC 8305 section 3: how long a client that has A waits for AAAA.
RESOLUTION_DELAY_MS = 50
NXDOMAIN = "NXDOMAIN"

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
        "Repair the name's servers, or their delegation.",
        {"dig": "dig www.example.com +trace     # who fails to answer?"},
    ),
    Explained(
        "nxdomain",
        "fail",
        "The answer for AAAA is that the name does not exist (NXDOMAIN), though A has an answer. "
        "NXDOMAIN is for every type (RFC 8020): resolvers that believe it deny the A record too.",
        "The server has to answer NOERROR without records. It is mostly a load balancer or a "
        "server of one's own that knows A alone: update it, or put another server before it.",
        {"dig": "dig AAAA www.example.com @ns1.example.com +norecurse\n# wanted: NOERROR"},
    ),
    Explained(
        "no-such-name",
        "fail",
        "The name, or the one at the end of its CNAME chain, does not exist.",
        "Look at the spelling, and whether the record or the domain was deleted.",
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
    Explained("published", "pass", "The name has IPv6 addresses, and all can be reached."),
)


@check(reference="RFC 6890", cause="dns", findings=FINDINGS, looks_at="DNS", measures=False)
def aaaa(addresses: Addresses) -> Finding | list[Finding]:
    """The name publishes IPv6 addresses that the Internet can reach."""
    if isinstance(addresses.aaaa, Failure):
        return _unanswered(addresses.name, addresses.aaaa, addresses.a)
    if addresses.aaaa is not None and not addresses.aaaa.records:
        return _missing(addresses.name, addresses.aaaa, addresses.a)
    if not addresses.ipv6 and not addresses.unusable:
        message = f"--resolve gives {addresses.name} no IPv6 address"
        return fail(message, id="resolve-without-ipv6")
    found = [_unusable(each) for each in addresses.unusable]
    return found + _late(addresses) or [_fine(addresses)]


def _unusable(bad: Unusable) -> Finding:
    reason = bad.reason
    message = f"{bad.address} cannot be reached: {reason.name} ({reason.reference})"
    what, hint = _mend(reason.name)
    evidence = {"prefix": reason.prefix}
    return fail(message, hint=hint, subject=bad.address, evidence=evidence, id=what)


def _mend(reason: str) -> tuple[str, str]:
    """Which finding it is, and the hint."""
    if reason == "DNS64-synthesised":
        return "dns64", "this network's DNS64 made it up: publish an AAAA record of the name's own"
    return "not-global", "publish a global unicast address (2000::/3), or withdraw the record"


def _unanswered(name: str, aaaa: Failure, a: Answer | Failure | None) -> Finding:
    both = {"ipv6": _evidence(aaaa), "ipv4": _evidence(a)}
    if isinstance(a, Answer) and a.records:
        message = f"AAAA of {name} cannot be resolved, A can: {aaaa.detail}"
        hint = "the name's servers must answer AAAA as they answer A (RFC 4074)"
        return fail(message, hint=hint, evidence=both, id="aaaa-unanswered")
    message = f"{name} cannot be resolved, neither AAAA nor A: {aaaa.detail}"
    hint = "mend the name's servers or its delegation"
    return fail(message, hint=hint, evidence=both, id="unresolvable")


def _missing(name: str, aaaa: Answer, a: Answer | Failure | None) -> Finding:
    both = {"ipv6": _evidence(aaaa), "ipv4": _evidence(a)}
    has_ipv4 = isinstance(a, Answer) and bool(a.records)
    if aaaa.rcode == NXDOMAIN and has_ipv4:
        whose = f"{aaaa.canonical}, where its CNAME chain ends," if aaaa.chain else "the name"
        message = f"AAAA of {name}: {whose} does not exist (NXDOMAIN), yet A answers"
        hint = "NXDOMAIN denies every type and caches believe it (RFC 8020): answer without data"
        return fail(message, hint=hint, evidence=both, id="nxdomain")
    if aaaa.rcode == NXDOMAIN:
        message = f"{aaaa.canonical} does not exist (NXDOMAIN)"
        return fail(message, hint="check the spelling", evidence=both, id="no-such-name")
    records = "AAAA record" if has_ipv4 else "address record, neither AAAA nor A"
    if aaaa.chain:
        message = f"{aaaa.canonical}, where the CNAME chain of {name} ends, has no {records}"
        hint = f"ask whoever runs {aaaa.canonical} for IPv6, or point {name} elsewhere"
        subject, what = aaaa.canonical, "no-aaaa-at-cname"
        return fail(message, hint=hint, subject=subject, evidence=both, id=what)
    message, hint = f"{name} has no {records}", f"publish an AAAA record for {name}"
    return fail(message, hint=hint, evidence=both, id="no-aaaa")


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
        return {"outcome": answer.kind, "detail": answer.detail, "elapsed_ms": answer.elapsed_ms}
    return {
        "outcome": answer.rcode.lower(),
        "records": answer.records,
        "chain": answer.chain,
        "ttl_s": answer.ttl,
        "elapsed_ms": answer.elapsed_ms,
    }
