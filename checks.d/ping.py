"""ICMPv6 echo is answered, as it should be.

A lost ping alone never fails a target: the service may work all the same. But RFC 4890 section
4.3.1 lists echo among what must not be dropped, and a filter that drops it often drops
packet-too-big with it, which does break IPv6.

https://www.rfc-editor.org/rfc/rfc4890#section-4.3.1
"""

from __future__ import annotations

from ipv6check import (
    Connections,
    Echo,
    Failure,
    Finding,
    Path,
    Pings,
    check,
    count,
    ms,
    ok,
    skip,
    unknown,
    warn,
)

HALF_PERCENT = 50


@check(reference="RFC 4890 section 4.3.1", cause="firewall")
def ping(pings: Pings | Failure, connections: Connections, path: Path) -> Finding | list[Finding]:
    """ICMPv6 echo is answered, as it should be."""
    if isinstance(pings, Failure):
        return skip(pings.detail)
    if not pings.ipv6:
        return skip("no IPv6 address to ping: see aaaa")
    if path.ipv6 != "yes":
        return unknown(path.detail)
    return [_judge(echo, pings, connections) for echo in pings.ipv6 if not _well(echo)] or [
        _fine(pings)
    ]


def _well(echo: Echo) -> bool:
    return echo.loss_percent <= HALF_PERCENT


def _judge(echo: Echo, pings: Pings, connections: Connections) -> Finding:
    evidence = {"ipv6": _evidence(echo), "ipv4": [_evidence(each) for each in pings.ipv4]}
    if echo.received:
        lost = f"{echo.sent - echo.received} of {echo.sent} pings to {echo.address} are lost"
        hint = "look for a rate limit, a full link or a flapping route"
        return warn(
            lost + _beside(pings),
            hint=hint,
            subject=echo.address,
            cause="network",
            evidence=evidence,
        )
    alive = any(each.answered for each in connections.ipv6 if each.address == echo.address)
    if not alive:
        return skip(f"{echo.address} answers nothing at all: see tcp", subject=echo.address)
    said = echo.failure.detail if echo.failure and echo.failure.source else "is lost"
    message = f"ping to {echo.address} {said}, though TCP works"
    hint = "RFC 4890 section 4.3.1: ICMPv6 echo must not be dropped; permit types 128 and 129"
    return warn(message, hint=hint, subject=echo.address, evidence=evidence)


def _fine(pings: Pings) -> Finding:
    rtt = min(echo.rtt_ms for echo in pings.ipv6 if echo.rtt_ms is not None)
    sent = sum(echo.sent for echo in pings.ipv6)
    lost = sent - sum(echo.received for echo in pings.ipv6)
    loss = f"{100 * lost / sent:.0f} % loss"
    of = "" if len(pings.ipv6) == 1 else f" of {count(len(pings.ipv6), 'address', 'addresses')}"
    evidence = [_evidence(echo) for echo in pings.echoes]
    return ok(f"{loss}{of}, {ms(rtt)}{_beside(pings)}", evidence={"echoes": evidence})


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
