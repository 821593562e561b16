"""Every IPv6 address that accepts a connection on a TLS port completes a TLS handshake.

Why, and what each finding means, is in tls.md.
"""

from __future__ import annotations

from ipv6check import (
    FROM_ELSEWHERE,
    Attempt,
    Cause,
    Connections,
    Finding,
    Handshake,
    Handshakes,
    Kind,
    Path,
    Status,
    Target,
    check,
    count,
    endpoint,
    fail,
    ms,
    ok,
    skip,
    unknown,
)

SILENT = "TCP connects but TLS hangs: check the load balancer's backend and the path MTU"
ANSWERS = "give this address the TLS configuration that IPv4 has: certificate, names, protocols"
ALONE = "check the TLS configuration of this address: certificate, names, protocols"
NAME_IT = "name the site it serves: ipv6check NAME --resolve NAME:{}"
# What an alert says of the server (RFC 8446 section 6.2), and what to do.
ALERTS = {
    "unrecognized_name": (
        "does not serve this name",
        "configure the name and its certificate there, or correct the DNS records",
    ),
    "protocol_version": ("does not support TLS 1.2 or later", "enable TLS 1.2 and 1.3"),
    "no_application_protocol": (
        "speaks TLS for a protocol other than HTTP (ALPN)",
        "give the scheme of what it serves, or another port",
    ),
}
# What an alert says whether a name was asked for or not.
NOT_OF_NAMES = frozenset({"protocol_version", "no_application_protocol"})

MOST_NAMED = 3


@check(
    reference="RFC 8446",
    cause="application",
    looks_at="TLS handshake",
    measures=False,
)
def tls(
    handshakes: Handshakes, connections: Connections, path: Path, target: Target
) -> Finding | list[Finding]:
    """Every IPv6 address that accepts a connection on a TLS port completes a TLS handshake."""
    if not connections.ipv6:
        return _unconnected(connections)
    if not handshakes.ports:
        return skip("no port here starts with TLS", id="no-tls-port")
    if path.ipv6 != "yes":
        return unknown(path.detail, hint=FROM_ELSEWHERE, id="no-ipv6-here")
    found = []
    for port in handshakes.ports:
        found += _port(handshakes.on(port), target)
    if untried := handshakes.untried + connections.untried:
        found.append(_no_time(untried))
    if found:
        return found
    shaken = [handshake for handshake in handshakes.attempts if ":" in handshake.address]
    if not shaken:
        ports = " or ".join(map(str, handshakes.ports))
        message = f"no IPv6 address accepts a connection on port {ports}: see tcp"
        return skip(message, id="nothing-open")
    unreached = [
        attempt
        for attempt in connections.ipv6
        if not attempt.connected and attempt.port in handshakes.ports
    ]
    return [_fine(handshakes, shaken), *([_unreached(unreached)] if unreached else [])]


def _unreached(dead: list[Attempt]) -> Finding:
    """Some addresses accept, and others had no chance to speak TLS."""
    where = " and ".join(endpoint(attempt.address, attempt.port) for attempt in dead[:MOST_NAMED])
    more = f" and {len(dead) - MOST_NAMED} more" if len(dead) > MOST_NAMED else ""
    verb = "accepts" if len(dead) == 1 else "accept"
    return skip(f"{where}{more} {verb} no connection: see tcp", id="nothing-open")


def _unconnected(connections: Connections) -> Finding:
    """No IPv6 address was connected to, for want of time or of addresses."""
    if connections.untried:
        return _no_time(connections.untried)
    return skip("no IPv6 address to connect to: see aaaa", id="no-address")


def _no_time(untried: int) -> Finding:
    """The target's time was over, and the rest had no turn."""
    pairs = count(untried, "pair", "pairs")
    message = f"{pairs} of address and port not tried with TLS before the target's deadline"
    hint = "give the target more time: --deadline"
    return unknown(message, hint=hint, cause=Cause.NETWORK, id="no-time")


def _port(made: tuple[Handshake, ...], target: Target) -> list[Finding]:
    """What is wrong with one port."""
    ipv6 = [handshake for handshake in made if ":" in handshake.address]
    # One that accepts no more says nothing of TLS over IPv4, nor does one that was not to be tried.
    ipv4 = [
        handshake for handshake in made if ":" not in handshake.address and _was_tried(handshake)
    ]
    twin = min(
        ipv4, key=lambda handshake: (not handshake.connected, handshake.elapsed_ms), default=None
    )
    dead = [handshake for handshake in ipv6 if not handshake.connected]
    ended = [handshake for handshake in dead if _was_tried(handshake)]
    if ended and twin and not any(handshake.connected for handshake in (*ipv6, twin)):
        return [_down(ended[0], twin, target)]
    found = [_dead(handshake, twin, target) for handshake in dead]
    if twin is not None and twin.connected and not twin.asks_certificate:
        found += [_asks(handshake, twin) for handshake in ipv6 if handshake.asks_certificate]
    return found


def _was_tried(made: Handshake) -> bool:
    """Whether TLS began, and what came of it is the server's doing."""
    return made.tcp.connected and not _ended_here(made)


def _ended_here(made: Handshake) -> bool:
    """Whether this host or its own router is why nothing more is known."""
    failure = made.tcp.failure or made.failure
    return failure is not None and failure.of_vantage


def _dead(made: Handshake, twin: Handshake | None, target: Target) -> Finding:
    subject = endpoint(made.address, made.port)
    evidence: dict[str, object] = {"ipv6": _evidence(made), "ipv4": _evidence(twin)}
    if not _was_tried(made):
        return _not_tried(made, subject, evidence)
    works = twin is not None and twin.connected
    if not works and made.alert == "no_application_protocol":
        return _other_protocol(subject, evidence)
    message = f"{subject} {_how(made)}"
    if not target.server_name and _may_want_a_name(made):
        message += ": cannot be determined without a name"
        hint = NAME_IT.format(made.address)
        return unknown(
            message,
            hint=hint,
            subject=subject,
            cause=Cause.VANTAGE,
            evidence=evidence,
            id="no-name",
        )
    if twin is not None and twin.connected:
        message += f", IPv4 completes TLS in {ms(twin.elapsed_ms)}"
    hint = SILENT if made.silent else ANSWERS if works else ALONE
    return fail(message, hint=hint, subject=subject, evidence=evidence, id=_id(made))


def _not_tried(made: Handshake, subject: str, evidence: dict[str, object]) -> Finding:
    """TCP was accepted before, and now TLS could not begin, or not go on."""
    failure = made.tcp.failure or made.failure
    assert failure is not None
    if _ended_here(made):
        message = f"{subject} cannot be tried from here: {failure.detail}"
        hint = "run it again: this host lost its IPv6 meanwhile"
        cause, what = Cause.VANTAGE, "untried"
    else:
        message = f"{subject} accepted a connection a moment ago and now does not: {failure.detail}"
        hint = "run it again: a rate limit, or a server that restarts?"
        cause, what = Cause.NETWORK, "unsteady"
    return unknown(message, hint=hint, subject=subject, cause=cause, evidence=evidence, id=what)


def _may_want_a_name(made: Handshake) -> bool:
    """Whether that is how servers end a handshake in which no site was named."""
    return made.outcome == Kind.RESET or (bool(made.alert) and made.alert not in NOT_OF_NAMES)


def _other_protocol(subject: str, evidence: dict[str, object]) -> Finding:
    says, todo = ALERTS["no_application_protocol"]
    message = f"{subject} {says}, and TLS was not completed"
    return unknown(
        message,
        hint=todo,
        subject=subject,
        cause=Cause.VANTAGE,
        evidence=evidence,
        id="other-protocol",
    )


def _asks(made: Handshake, twin: Handshake) -> Finding:
    """IPv6 is closed to whom IPv4 serves."""
    subject = endpoint(made.address, made.port)
    message = f"{subject} requires a client certificate, while "
    message += f"IPv4 completes TLS without one in {ms(twin.elapsed_ms)}"
    evidence: dict[str, object] = {"ipv6": _evidence(made), "ipv4": _evidence(twin)}
    return fail(message, hint=ANSWERS, subject=subject, evidence=evidence, id="error")


def _down(first6: Handshake, first4: Handshake, target: Target) -> Finding:
    """TLS is completed over neither family: not an IPv6 problem (law 4)."""
    subject = f"port {first6.port}"
    evidence: dict[str, object] = {"ipv6": _evidence(first6), "ipv4": _evidence(first4)}
    alike = {first6.alert} & {first4.alert} & ALERTS.keys()
    if alike == {"no_application_protocol"}:
        return _other_protocol(subject, evidence)
    what = f"TLS fails on port {first6.port} over both IPv6 and IPv4"
    answers = {first6.outcome, first4.outcome} == {Kind.TLS_ERROR}
    if alike:
        says, todo = ALERTS[first6.alert]
        what = f"{what}: the server {says}"
    elif not answers:
        what, todo = (
            f"{what}: the service is down",
            "start the service, or give its actual port",
        )
    elif target.scheme:
        what += ": the server answers but completes no handshake"
        todo = "enable TLS on the server, or give a scheme without it"
    else:
        todo = "enable TLS on the server, or give its scheme, such as http://"
    # Who answers, and was only taken for TLS by the number, may be something else altogether.
    guessed = answers and not target.scheme
    hint = f"not an IPv6 problem: {todo}"
    if not alike:
        hint += f" ({first6.address} {_how(first6)}, {first4.address} {_how(first4)})"
    status = Status.WARN if guessed else Status.FAIL
    return Finding(status, what, hint, subject, None, evidence, "no-service" if guessed else "down")


def _id(made: Handshake) -> str:
    if made.silent:
        return "silent"
    return "reset" if made.outcome == Kind.RESET else "error"


def _how(made: Handshake) -> str:
    """The end of a sentence whose subject is the address."""
    if made.silent:
        return "accepts the connection, then is silent"
    if made.outcome == Kind.RESET:
        return "accepts the connection, then resets or closes it"
    failure = made.tcp.failure or made.failure
    assert failure is not None
    return f"accepts the connection, but TLS fails: {failure.detail}"


def _fine(handshakes: Handshakes, shaken: list[Handshake]) -> Finding:
    best6 = min(handshake.elapsed_ms for handshake in shaken)
    ipv4 = [handshake for handshake in handshakes.attempts if ":" not in handshake.address]
    best4 = min((handshake.elapsed_ms for handshake in ipv4 if handshake.connected), default=None)
    twin = f"IPv4 {ms(best4)}" if best4 is not None else "IPv4 has none" if ipv4 else "no IPv4"
    versions = " and ".join(sorted({handshake.version for handshake in shaken}))
    ports = " and ".join(str(port) for port in handshakes.ports if handshakes.on(port))
    addresses = count(len({handshake.address for handshake in shaken}), "address", "addresses")
    message = f"{versions} on port {ports} of {addresses}, {ms(best6)} ({twin})"
    if any(handshake.asks_certificate for handshake in shaken):
        message += "; asks for a client certificate, which this tool does not have"
    return ok(
        message,
        evidence={"attempts": [_evidence(handshake) for handshake in handshakes.attempts]},
        id="completed",
    )


def _evidence(made: Handshake | None) -> dict[str, object] | None:
    if made is None:
        return None
    failure = made.tcp.failure or made.failure
    return {
        "address": made.address,
        "port": made.port,
        "outcome": made.outcome,
        "connect_ms": made.tcp.elapsed_ms,
        "elapsed_ms": made.elapsed_ms,
        "version": made.version,
        "alpn": made.alpn,
        "alert": made.alert,
        "asks_client_certificate": made.asks_certificate,
        "detail": failure.detail if failure is not None else "",
    }
