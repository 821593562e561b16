"""ICMPv6 echo is answered, as it should be.

A lost ping alone never fails a target: the service may work all the same. But RFC 4890 section
4.3.1 lists echo among what must not be dropped, and a filter that drops it often drops
packet-too-big with it, which does break IPv6.

https://www.rfc-editor.org/rfc/rfc4890#section-4.3.1
"""

from __future__ import annotations

from ipv6check import (
    ACCEPT_ICMPV6,
    NO_ADDRESS,
    NO_IPV6_HERE,
    NO_ROUTE_FROM_HERE,
    NO_TIME,
    UNTRIED,
    Connections,
    Echo,
    Explained,
    Failure,
    Finding,
    Path,
    Pings,
    check,
    count,
    ended_here,
    ms,
    ok,
    out_of_reach,
    skip,
    unknown,
    warn,
)

FROM_ELSEWHERE = "run it from a host with IPv6; a pipeline may accept this with --on-unknown pass"
HALF_PERCENT = 50

FINDINGS = (
    Explained(
        "filtered",
        "warn",
        "TCP works and no ping is answered: a filter drops ICMPv6 echo. That hurts whoever looks "
        "for a fault; and such a filter often drops packet-too-big as well, and then large pages "
        "stall for clients behind a smaller MTU.",
        "Permit ICMPv6 as a whole, or at least types 1 to 4, 128 and 129. Neighbour discovery "
        "(types 133 to 136) is needed on the machine itself.",
        {**ACCEPT_ICMPV6, "Linux": "sysctl -w net.ipv6.icmp.echo_ignore_all=0"},
    ),
    Explained(
        "lossy",
        "warn",
        "More than half of the pings are lost: a rate limit of ICMPv6, a full link or a route that "
        "comes and goes.",
        "Compare with IPv4, and look where on the way the loss begins.",
        {"Linux": "mtr -6 -r -c 100 HOST      # where does the loss begin?"},
    ),
    Explained(
        "no-answer",
        "skip",
        "The address answers nothing at all, neither ping nor TCP. See tcp.",
        see="tcp",
    ),
    Explained(
        "not-pinged",
        "skip",
        "This host may not send ICMPv6 echo requests.",
        "Permit it for a user without privileges, or run it as root.",
        {"Linux": "sysctl -w net.ipv4.ping_group_range='0 2147483647'   # of IPv6 too"},
    ),
    UNTRIED,
    NO_ROUTE_FROM_HERE,
    NO_TIME,
    NO_IPV6_HERE,
    NO_ADDRESS,
    Explained("answered", "pass", "Every IPv6 address answers, as it should."),
)


@check(
    reference="RFC 4890 section 4.3.1",
    cause="firewall",
    findings=FINDINGS,
    looks_at="ping",
    measures=False,
)
def ping(pings: Pings | Failure, connections: Connections, path: Path) -> Finding | list[Finding]:
    """ICMPv6 echo is answered, as it should be."""
    if isinstance(pings, Pings) and not pings.ipv6 and not pings.untried:
        return skip("no IPv6 address to ping: see aaaa", id="no-address")
    if path.ipv6 != "yes":
        return unknown(path.detail, hint=FROM_ELSEWHERE, id="no-ipv6-here")
    if isinstance(pings, Failure):
        return skip(pings.detail, id="not-pinged")
    unheard = [address for address in pings.untried if ":" in address]
    found = [_judge(echo, pings, connections) for echo in pings.ipv6 if not _well(echo)]
    found += [_no_time(unheard)] if unheard else []
    return found or [_fine(pings)]


def _no_time(unheard: list[str]) -> Finding:
    """The target's time was over before the ping was."""
    first, *more = unheard
    others = f" and {count(len(more), 'other', 'others')}" if more else ""
    message = f"no ping of {first}{others} ended in the time of the target"
    hint = "give the target more time: --deadline"
    return unknown(message, hint=hint, cause="network", id="no-time")


def _well(echo: Echo) -> bool:
    return echo.loss_percent <= HALF_PERCENT


def _judge(echo: Echo, pings: Pings, connections: Connections) -> Finding:
    evidence = {"ipv6": _evidence(echo), "ipv4": [_evidence(each) for each in pings.ipv4]}
    if echo.failure is not None and ended_here(echo.failure, echo.address):
        message, cause, what = out_of_reach(echo.failure, echo.address, echo.address)
        hint = "ask from another network"
        return unknown(
            message, hint=hint, subject=echo.address, cause=cause, evidence=evidence, id=what
        )
    if echo.received:
        lost = f"{echo.sent - echo.received} of {echo.sent} pings to {echo.address} are lost"
        hint = "look for a rate limit, a full link or a flapping route"
        return warn(
            lost + _beside(pings),
            hint=hint,
            subject=echo.address,
            cause="network",
            evidence=evidence,
            id="lossy",
        )
    alive = any(each.answered for each in connections.ipv6 if each.address == echo.address)
    if not alive:
        message = f"{echo.address} answers nothing at all: see tcp"
        return skip(message, subject=echo.address, id="no-answer")
    said = echo.failure.detail if echo.failure and echo.failure.source else "is lost"
    message = f"ping to {echo.address} {said}, though TCP works"
    hint = "RFC 4890 section 4.3.1: ICMPv6 echo must not be dropped; permit types 128 and 129"
    return warn(message, hint=hint, subject=echo.address, evidence=evidence, id="filtered")


def _fine(pings: Pings) -> Finding:
    rtt = min(echo.rtt_ms for echo in pings.ipv6 if echo.rtt_ms is not None)
    sent = sum(echo.sent for echo in pings.ipv6)
    lost = sent - sum(echo.received for echo in pings.ipv6)
    loss = f"{100 * lost / sent:.0f} % loss"
    of = "" if len(pings.ipv6) == 1 else f" of {count(len(pings.ipv6), 'address', 'addresses')}"
    evidence = [_evidence(echo) for echo in pings.echoes]
    message = f"{loss}{of}, {ms(rtt)}{_beside(pings)}"
    return ok(message, evidence={"echoes": evidence}, id="answered")


def _beside(pings: Pings) -> str:
    times = [echo.rtt_ms for echo in pings.ipv4 if echo.rtt_ms is not None]
    if times:
        return f" (IPv4 {ms(min(times))})"
    return " (IPv4 gives no reply)" if pings.ipv4 else " (no IPv4)"


def _evidence(echo: Echo) -> dict[str, object]:
    return {
        "address": echo.address,
        "outcome": echo.failure.kind if echo.failure else "answered",
        "sent": echo.sent,
        "received": echo.received,
        "rtt_ms": echo.rtt_ms,
    }
