"""Clients that have both families end up on IPv6, without waiting.

Happy Eyeballs hides a broken IPv6 from browsers, at a price, and from nobody else. The race of RFC
8305 is run for real; it never decides by itself whether IPv6 works, it tells what users feel.

https://www.rfc-editor.org/rfc/rfc8305
"""

from __future__ import annotations

from ipv6check import (
    Attempt,
    Cause,
    Connections,
    Failure,
    Finding,
    Kind,
    Outcome,
    Path,
    Pings,
    blame,
    check,
    ms,
    ok,
    skip,
    unknown,
    warn,
)

# How long Linux sends SYNs to an address that is silent (tcp_syn_retries 6, Linux 6.5 and later).
SYN_TIMEOUT_MS = 133_600.0


@check(reference="RFC 8305", cause="network")
def fallback(
    race: Outcome | None, connections: Connections, pings: Pings | Failure, path: Path
) -> Finding:
    """Clients that have both families end up on IPv6, without waiting."""
    if race is None:
        return skip("no race: the target has addresses of one family only")
    if path.ipv6 != "yes":
        return unknown(path.detail)
    if race.winner is None:
        return skip("no race: nothing accepts a connection, see tcp")
    ipv6 = [attempt for attempt in connections.ipv6 if attempt.port == race.port]
    dead = [attempt for attempt in ipv6 if not attempt.connected]
    evidence = _evidence(race, _sequential_ms(ipv6))
    if ":" in race.winner:
        behind = f", {len(dead)} of {len(ipv6)} IPv6 addresses are dead: see tcp" if dead else ""
        return ok(f"IPv6 wins in {ms(race.elapsed_ms)}{behind}", evidence=evidence)
    if len(dead) < len(ipv6):
        return _slow(race, ipv6, connections, evidence)
    return _masked(race, ipv6, connections, pings, evidence)


def _masked(
    race: Outcome,
    dead: list[Attempt],
    connections: Connections,
    pings: Pings | Failure,
    evidence: dict[str, object],
) -> Finding:
    echo = pings.to(dead[0].address) if isinstance(pings, Pings) else None
    others = tuple(each for each in connections.ipv6 if each.address == dead[0].address)
    cause = blame(dead[0], others, echo)
    if cause is Cause.VANTAGE:
        return unknown("no race: IPv6 cannot be tried from here, see tcp", evidence=evidence)
    message = (
        f"IPv4 hides it: +{ms(_head_start_ms(race))} for browsers, "
        f"{ms(_sequential_ms(dead))} for one by one clients"
    )
    hint = "mend IPv6 (see tcp), or withdraw the AAAA until it works"
    return warn(message, hint=hint, cause=cause, evidence=evidence)


def _slow(
    race: Outcome, ipv6: list[Attempt], connections: Connections, evidence: dict[str, object]
) -> Finding:
    if not any(":" in each.address for each in race.entrants):
        return skip("no race: IPv4 is connected before AAAA comes, see aaaa", evidence=evidence)
    best6 = min(attempt.elapsed_ms for attempt in ipv6 if attempt.connected)
    best4 = next(
        each.elapsed_ms
        for each in connections.ipv4
        if (each.address, each.port) == (race.winner, race.port)
    )
    message = f"IPv6 works but loses the race: {ms(best6)}, IPv4 {ms(best4)}"
    hint = "Happy Eyeballs clients use IPv4: shorten the IPv6 path (peering, tunnel, far replica)"
    return warn(message, hint=hint, evidence=evidence)


def _head_start_ms(race: Outcome) -> float:
    """How long the winner had to wait for its turn."""
    started_ms = next(each.started_ms for each in race.entrants if each.address == race.winner)
    return started_ms - race.entrants[0].started_ms


def _sequential_ms(ipv6: list[Attempt]) -> float:
    """What a client waits that tries each IPv6 address to its end before IPv4."""
    waits = (
        SYN_TIMEOUT_MS
        if each.failure is not None and each.failure.kind is Kind.TIMEOUT
        else each.elapsed_ms
        for each in ipv6
    )
    return sum(waits)


def _evidence(race: Outcome, sequential_ms: float) -> dict[str, object]:
    return {
        "winner": race.winner,
        "elapsed_ms": race.elapsed_ms,
        "port": race.port,
        "sequential_ms": sequential_ms,
        "attempts": [
            {
                "address": each.address,
                "why": each.why,
                "started_ms": each.started_ms,
                "ended_ms": each.ended_ms,
                "outcome": each.outcome,
            }
            for each in race.entrants
        ],
    }
