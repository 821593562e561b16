"""Every IPv6 address accepts a connection on every port that the service offers.

Why, and what each finding means, is in tcp.md.
"""

from __future__ import annotations

from ipv6check import (
    FROM_ELSEWHERE,
    Attempt,
    Cause,
    Connections,
    Echo,
    Failure,
    Finding,
    Kind,
    Path,
    Pings,
    blame,
    check,
    count,
    describe,
    endpoint,
    fail,
    ms,
    ok,
    out_of_reach,
    skip,
    unknown,
    warn,
)

MORE_TIME = "give the target more time: --deadline"
FROM_ANOTHER_NETWORK = "run it from another network"
# What providers of mail senders, offices and homes keep from leaving: mail, DNS, Windows shares.
OFTEN_BLOCKED = frozenset({25, 53, 135, 137, 138, 139, 445, 465, 587})


@check(reference="RFC 4890", cause="network", looks_at="TCP", measures=False)
def tcp(connections: Connections, pings: Pings | Failure, path: Path) -> Finding | list[Finding]:
    """Every IPv6 address accepts a connection on every port that the service offers."""
    if connections.untried and not connections.ipv6:
        return _no_time(connections)
    if not connections.ipv6:
        return skip("no IPv6 address to connect to: see aaaa", id="no-address")
    if path.ipv6 != "yes":
        return unknown(path.detail, hint=FROM_ELSEWHERE, id="no-ipv6-here")
    offered = [port for port in connections.ports if any(_open(connections.attempts, port))]
    closed = [port for port in connections.ports if port not in offered]
    found = [_down(connections, [port], pings, path) for port in closed if connections.named]
    if not offered and not connections.named:
        found.append(_down(connections, closed, pings, path))
    for port in offered:
        found += _port(connections, port, pings, path)
    if connections.untried:
        found.append(_no_time(connections))
    return found or _fine(connections, offered)


def _no_time(connections: Connections) -> Finding:
    """The target's time was over, and the rest had no turn."""
    number, tried = connections.untried, len(connections.attempts)
    pairs = count(number + tried, "pair", "pairs")
    message = f"{number} of {pairs} of address and port not tried before the target's deadline"
    return unknown(message, hint=MORE_TIME, cause=Cause.NETWORK, id="no-time")


def _open(attempts: tuple[Attempt, ...], port: int) -> list[Attempt]:
    return [attempt for attempt in attempts if attempt.port == port and attempt.connected]


def _ended_here(attempt: Attempt) -> bool:
    """Whether this host or its own router refused, so that nothing is said of the target."""
    return attempt.failure is not None and blame(attempt) is Cause.VANTAGE


def _silent(attempts: list[Attempt]) -> bool:
    """Whether nobody says anything, and this host is not known to be why."""
    return all(attempt.outcome == Kind.TIMEOUT and not _ended_here(attempt) for attempt in attempts)


def _port(connections: Connections, port: int, pings: Pings | Failure, path: Path) -> list[Finding]:
    """What is wrong with one port that something accepts."""
    twins = [
        attempt for attempt in connections.ipv4 if attempt.port == port and not _ended_here(attempt)
    ]
    ipv6 = [attempt for attempt in connections.ipv6 if attempt.port == port]
    if path.opens(port, 4) is False and _silent(twins):
        twins = []
    if path.opens(port, 6) is False and _silent(ipv6):
        return [_blocked(port, "over IPv6, where no control answers on it", _pair(ipv6, twins))]
    found = [_dead(attempt, twins, connections, pings) for attempt in ipv6 if attempt.failure]
    if twins and not any(twin.connected for twin in twins):
        found.append(_ipv6_only(port, twins[0], connections, pings))
    return found


def _dead(
    attempt: Attempt, twins: list[Attempt], connections: Connections, pings: Pings | Failure
) -> Finding:
    failure = attempt.failure
    assert failure is not None
    subject = endpoint(attempt.address, attempt.port)
    twin = min(twins, key=lambda twin: (not twin.connected, twin.elapsed_ms), default=None)
    evidence: dict[str, object] = {"ipv6": _evidence(attempt), "ipv4": _evidence(twin)}
    cause = _blame(attempt, connections, pings)
    if cause is Cause.VANTAGE:
        return _untried(attempt, subject, evidence)
    message = f"{subject} {describe(failure)}"
    if twin is not None and twin.connected:
        message += f", IPv4 connects in {ms(twin.elapsed_ms)}"
    what, hint = _fix(attempt, cause, str(attempt.port), pings)
    return fail(message, hint=hint, subject=subject, cause=cause, evidence=evidence, id=what)


def _untried(attempt: Attempt, subject: str, evidence: dict[str, object]) -> Finding:
    """This host, or its own router, is why: IPv6 works from here, and this was not tried."""
    failure = attempt.failure
    assert failure is not None
    message, cause, what = out_of_reach(failure, subject, attempt.address)
    if what == "no-route-from-here":
        evidence = {**evidence, "router": failure.source}
    hint = FROM_ANOTHER_NETWORK
    return unknown(message, hint=hint, subject=subject, cause=cause, evidence=evidence, id=what)


def _blocked(port: int, how: str, evidence: dict[str, object]) -> Finding:
    """The port may be shut on this host's way out, whoever listens at its end."""
    message = f"port {port} is silent {how}"
    hint = f"run from a host that may send to port {port}, "
    hint += f"or name a server that accepts it: --control '[ADDR]:{port}'"
    return unknown(
        message,
        hint=hint,
        subject=f"port {port}",
        cause=Cause.VANTAGE,
        evidence=evidence,
        id="port-blocked",
    )


def _may_be_blocked(connections: Connections, port: int, path: Path) -> Finding | None:
    """Where a port is silent over each family there is, and the way out is not known to be open."""
    ipv6 = [attempt for attempt in connections.ipv6 if attempt.port == port]
    ipv4 = [
        attempt for attempt in connections.ipv4 if attempt.port == port and not _ended_here(attempt)
    ]
    controls = {path.opens(port, 6), path.opens(port, 4) if ipv4 else None}
    if not _silent([*ipv6, *ipv4]) or True in controls:
        return None
    alike = "over IPv6 and IPv4 alike" if ipv4 else "over IPv6"
    if False in controls:
        how = f"{alike}, and so are its controls: outbound traffic to it is blocked"
    elif port in OFTEN_BLOCKED:
        how = f"{alike}: outbound traffic to it is often blocked"
    else:
        return None
    return _blocked(port, how, _pair(ipv6, ipv4))


def _pair(ipv6: list[Attempt], ipv4: list[Attempt]) -> dict[str, object]:
    return {"ipv6": _evidence(ipv6[0]), "ipv4": _evidence(ipv4[0] if ipv4 else None)}


def _ipv6_only(
    port: int, twin: Attempt, connections: Connections, pings: Pings | Failure
) -> Finding:
    assert twin.failure is not None
    where = endpoint(twin.address, port)
    message = f"port {port} is open over IPv6 only: {where} {describe(twin.failure)}"
    hint = (
        "if it must not be exposed, filter it over IPv6 as over IPv4; otherwise open it over IPv4"
    )
    cause = _blame(twin, connections, pings)
    evidence = {"ipv4": _evidence(twin)}
    return warn(
        message, hint=hint, subject=f"port {port}", cause=cause, evidence=evidence, id="ipv6-only"
    )


def _down(
    connections: Connections, ports: list[int], pings: Pings | Failure, path: Path
) -> Finding:
    """Nothing accepts these ports over either family: not an IPv6 problem (law 4)."""
    first6 = next(attempt for attempt in connections.ipv6 if attempt.port == ports[0])
    first4 = next((attempt for attempt in connections.ipv4 if attempt.port == ports[0]), None)
    assert first6.failure is not None
    evidence: dict[str, object] = {"ipv6": _evidence(first6), "ipv4": _evidence(first4)}
    where = " or ".join(map(str, ports))
    subject = f"port {where}"
    cause = _blame(first6, connections, pings)
    if cause is Cause.VANTAGE:
        return _untried(first6, subject, evidence)
    blocked = _may_be_blocked(connections, ports[0], path) if len(ports) == 1 else None
    if blocked is not None:
        return blocked
    if first4 is None or first4.failure is None or _ended_here(first4):
        message = f"nothing accepts connections on port {where}: "
        message += f"{first6.address} {describe(first6.failure)}"
        what, hint = _fix(first6, cause, where, pings)
    elif first6.failure.kind is first4.failure.kind is Kind.NO_LOCAL_ROUTE:
        message = f"port {where} is unreachable: the loopback interface is down"
        hint, cause, what = "not an IPv6 problem: ip link set lo up", Cause.HOST, "no-loopback"
    elif cause is _blame(first4, connections, pings) is Cause.FIREWALL and _silent(
        [attempt for attempt in connections.attempts if attempt.port in ports]
    ):
        silent = f"ports {' and '.join(map(str, ports))} are" if len(ports) > 1 else f"{subject} is"
        message = f"{silent} silent over IPv6 and IPv4 alike, but the host answers otherwise"
        hint = (
            f"not an IPv6 problem: allow TCP {' and '.join(map(str, ports))} where it is filtered, "
        )
        hint += "or give the service's actual port"
        what = "silent"
    else:
        message = f"nothing accepts connections on port {where}, over IPv6 and IPv4 alike: "
        message += "the service is down"
        hint = "not an IPv6 problem: start the service, or give its actual port "
        hint += f"({first6.address} {describe(first6.failure)}, "
        hint += f"{first4.address} {describe(first4.failure)})"
        cause, what = Cause.HOST, "down"
    return fail(message, hint=hint, subject=subject, cause=cause, evidence=evidence, id=what)


def _blame(attempt: Attempt, connections: Connections, pings: Pings | Failure) -> Cause:
    others = tuple(other for other in connections.attempts if other.address == attempt.address)
    return blame(attempt, others, _echo(attempt.address, pings))


def _echo(address: str, pings: Pings | Failure) -> Echo | None:
    return pings.to(address) if isinstance(pings, Pings) else None


def _fix(attempt: Attempt, cause: Cause, port: str, pings: Pings | Failure) -> tuple[str, str]:
    """Which finding it is, and the hint."""
    assert attempt.failure is not None
    if cause is Cause.FIREWALL and attempt.failure.kind is Kind.TIMEOUT:
        echo = _echo(attempt.address, pings)
        alive = "answers ping" if echo is not None and echo.received else "answers on other ports"
        return "filtered", f"the host {alive}, so a firewall drops TCP {port}: allow it for IPv6"
    if cause is Cause.FIREWALL:
        return "prohibited", f"a firewall rejects it: allow TCP {port} for IPv6 there"
    if attempt.failure.kind is Kind.NO_LOCAL_ROUTE:
        hint = f"restore {attempt.address} on this host: ip link set lo up, disable_ipv6 = 0 for lo"
        return "no-own-route", hint
    if cause is Cause.HOST:
        where = f"[{attempt.address}]:{attempt.port}"
        return "refused", f"the host is up: bind the service to {where} as well"
    silence = "no reply at all: " if attempt.failure.kind is Kind.TIMEOUT else ""
    return "unreachable", f"{silence}check the address, the host and its IPv6 route"


def _fine(connections: Connections, offered: list[int]) -> Finding:
    best6 = min(attempt.elapsed_ms for attempt in connections.ipv6 if attempt.connected)
    best4 = min(
        (attempt.elapsed_ms for attempt in connections.ipv4 if attempt.connected), default=None
    )
    number = len({attempt.address for attempt in connections.ipv6})
    twin = "no IPv4 here" if connections.ipv4 else "no IPv4"
    if best4 is not None:
        twin = f"IPv4 {ms(best4)}"
    ports = " and ".join(map(str, offered))
    addresses = count(number, "address", "addresses")
    message = f"{ports} open on {addresses}, {ms(best6)} ({twin})"
    attempts = [
        {"port": attempt.port, **(_evidence(attempt) or {})} for attempt in connections.attempts
    ]
    return ok(message, evidence={"attempts": attempts}, id="open")


def _evidence(attempt: Attempt | None) -> dict[str, object] | None:
    if attempt is None:
        return None
    evidence: dict[str, object] = {
        "address": attempt.address,
        "outcome": attempt.outcome,
        "elapsed_ms": attempt.elapsed_ms,
    }
    if attempt.failure is not None:
        evidence["detail"] = attempt.failure.detail
    return evidence
