"""Every IPv6 address answers ICMPv6 echo requests.

Why, and what each finding means, is in ping.md.
"""

from __future__ import annotations

from ipv6check import (
    FROM_ELSEWHERE,
    Connections,
    Echo,
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

HALF_PERCENT = 50


@check(
    reference="RFC 4890 section 4.3.1",
    cause="firewall",
    looks_at="ping",
    measures=False,
)
def ping(pings: Pings | Failure, connections: Connections, path: Path) -> Finding | list[Finding]:
    """Every IPv6 address answers ICMPv6 echo requests."""
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
    message = f"no ping of {first}{others} ended before the target's deadline"
    hint = "give the target more time: --deadline"
    return unknown(message, hint=hint, cause="network", id="no-time")


def _well(echo: Echo) -> bool:
    return echo.loss_percent <= HALF_PERCENT


def _judge(echo: Echo, pings: Pings, connections: Connections) -> Finding:
    evidence = {"ipv6": _evidence(echo), "ipv4": [_evidence(twin) for twin in pings.ipv4]}
    if echo.failure is not None and ended_here(echo.failure, echo.address):
        message, cause, what = out_of_reach(echo.failure, echo.address, echo.address)
        hint = "run it from another network"
        return unknown(
            message, hint=hint, subject=echo.address, cause=cause, evidence=evidence, id=what
        )
    if echo.received:
        lost = f"{echo.sent - echo.received} of {echo.sent} pings to {echo.address} are lost"
        hint = "check for a rate limit, a full link or a flapping route"
        return warn(
            lost + _beside(pings),
            hint=hint,
            subject=echo.address,
            cause="network",
            evidence=evidence,
            id="lossy",
        )
    alive = any(attempt.answered for attempt in connections.ipv6 if attempt.address == echo.address)
    if not alive:
        message = f"{echo.address} does not answer at all: see tcp"
        return skip(message, subject=echo.address, id="no-answer")
    refused = f" ({echo.failure.detail})" if echo.failure and echo.failure.source else ""
    message = f"no echo reply from {echo.address}{refused}, although TCP works"
    hint = "allow ICMPv6 types 128 and 129: echo must not be dropped (RFC 4890 section 4.3.1)"
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
