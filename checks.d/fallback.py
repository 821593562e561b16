"""Clients with both families connect over IPv6 without waiting.

Why, and what each finding means, is in fallback.md. What a port costs its clients is computed by
Impact; here it becomes findings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from math import inf, isinf

from ipv6check import (
    FELT_MS,
    FROM_ELSEWHERE,
    RESOLUTION_DELAY_MS,
    Addresses,
    Answer,
    Attempt,
    Cause,
    Connections,
    Failure,
    Finding,
    Impact,
    Outcome,
    Path,
    Pings,
    Prediction,
    Settings,
    Status,
    Survey,
    blame,
    check,
    ended_here,
    ms,
    ok,
    out_of_reach,
    skip,
    unknown,
    warn,
)

ONE_FAMILY = "not applicable: only one address family"


@dataclass(frozen=True, slots=True)
class _Port:
    """What one port costs its clients, and what tells whose fault it is."""

    impact: Impact
    connections: Connections
    pings: Pings | Failure
    path: Path
    settings: Settings

    def blame(self, attempt: Attempt) -> Cause:
        """Where the trouble of a failed attempt is."""
        around = self.connections.attempts
        others = tuple(other for other in around if other.address == attempt.address)
        echo = self.pings.to(attempt.address) if isinstance(self.pings, Pings) else None
        return blame(attempt, others, echo)

    def blocked(self, version: int) -> bool:
        """Whether nothing of one family gets out of here to this port."""
        return self.path.opens(self.impact.number, version) is False

    def judged_by(self, other: str) -> bool:
        """Whether another check is part of the run: one cause is one failure, and that one's."""
        settings = self.settings
        wanted = other in settings.only if settings.only else settings.profile.runs(other)
        return wanted and other not in settings.skip

    def evidence(self, *, clients: bool = True) -> dict[str, object]:
        """What programs read."""
        return self.impact.evidence(self.settings.happy_eyeballs, clients=clients)


@check(
    reference="RFC 8305",
    cause="network",
    looks_at="Happy Eyeballs",
    measures=False,
)
def fallback(
    addresses: Addresses,
    connections: Connections,
    race: Mapping[int, Outcome],
    survey: Mapping[int, Survey],
    predictions: Mapping[int, tuple[Prediction, ...]],
    pings: Pings | Failure,
    path: Path,
    settings: Settings,
) -> Finding | list[Finding]:
    """Clients with both families connect over IPv6 without waiting."""
    ports = []
    for number, seen in survey.items():
        if number in race or any(address.tcp == "connected" for address in seen.seen.values()):
            attempts = tuple(tried for tried in connections.attempts if tried.port == number)
            blind = _blind(attempts, number, path)
            impact = Impact(number, race.get(number), seen, attempts, predictions, blind)
            ports.append(_Port(impact, connections, pings, path, settings))
    if not addresses.ipv6:
        return _without_ipv6(addresses, ports)
    alone = len(addresses.ipv6 + addresses.ipv4) == 1
    if alone and not isinstance(addresses.a, Failure):
        return skip(ONE_FAMILY, id="one-family")
    if path.ipv6 != "yes":
        return unknown(path.detail, hint=FROM_ELSEWHERE, id="no-ipv6-here")
    ended = [tried for tried in connections.ipv6 if ended_here(tried.failure, tried.address)]
    if not ports and ended:
        return _untried(ended[0])
    if not ports:
        return _nothing_open(connections)
    return _merged([(port, _judge(port)) for port in ports])


def _blind(attempts: tuple[Attempt, ...], number: int, path: Path) -> bool:
    """Whether this host has no IPv4 itself, or lets none out to the port."""
    ipv4 = [attempt for attempt in attempts if ":" not in attempt.address]
    return bool(ipv4) and all(
        attempt.failure is not None
        and (blame(attempt) is Cause.VANTAGE or path.opens(number, 4) is False)
        for attempt in ipv4
    )


def _judge(port: _Port) -> Finding:
    """The first of these that applies."""
    looks = (
        _masked,
        _untold,
        _no_tls,
        _stuck,
        _unsteady,
        _late,
        _slow,
        _ipv4_dead,
        _stalled,
        _impatient,
        _alone,
    )
    return next(filter(None, (look(port) for look in looks)), None) or _fine(port)


def _nothing_open(connections: Connections) -> Finding:
    if connections.untried:
        message = "no race: nothing accepted a connection before the target's deadline, see tcp"
        return unknown(message, cause=Cause.NETWORK, id="no-time")
    return skip("no race: nothing accepts a connection, see tcp", id="nothing-open")


def _merged(judged: list[tuple[_Port, Finding]]) -> list[Finding]:
    """One finding for all ports; one for each that differs, if any does."""
    kinds: dict[object, list[tuple[_Port, Finding]]] = {}
    for port, finding in judged:
        # Those on the edge may end either way on each port: that is no difference.
        failing = []
        if finding.id != "ipv6-wins":
            impact = port.impact
            failing = [user.name for user in impact.clients if impact.worst_ms(user) == inf]
        alike = (finding.id, finding.status, finding.cause, *failing)
        kinds.setdefault(alike, []).append((port, finding))
    found = []
    for members in kinds.values():
        first, finding = members[0]
        subject = f"port {first.impact.number}" if len(kinds) > 1 else finding.subject
        evidence = dict(finding.evidence)
        if others := [dict(other.evidence) for _, other in members[1:]]:
            evidence["also"] = others
        found.append(replace(finding, subject=subject, evidence=evidence))
    return found


# --- without a usable AAAA -------------------------------------------------------------------


def _without_ipv6(addresses: Addresses, ports: list[_Port]) -> Finding:
    if not addresses.ipv4:
        return skip(_nowhere(addresses), id="no-race")
    if not ports:
        return skip(ONE_FAMILY, id="one-family")
    port = ports[0]
    mapped = [bad.address for bad in addresses.unusable if IPv6Address(bad.address).ipv4_mapped]
    if mapped:
        message = f"{mapped[0]} connects over IPv4: clients that treat it as IPv6 use none"
        hint = "publish a global unicast address (2000::/3), or remove the record"
        subject, evidence = mapped[0], port.evidence()
        return warn(
            message, hint=hint, cause=Cause.DNS, subject=subject, evidence=evidence, id="mapped"
        )
    costs = port.impact.costs()
    costs = f"; {costs}" if costs else ""
    what = "no-race"
    if isinstance(addresses.aaaa, Failure):
        message = f"no race: AAAA cannot be resolved, see aaaa{costs}"
    elif addresses.aaaa is not None and addresses.aaaa.rcode == "NXDOMAIN":
        message = f"no race: AAAA is answered NXDOMAIN, see aaaa{costs}"
    elif addresses.unusable:
        message = f"no race: no AAAA record can be ranswered, see aaaa{costs}"
    else:
        message, what = ONE_FAMILY, "one-family"
    return skip(message, evidence=port.evidence(), id=what)


def _nowhere(addresses: Addresses) -> str:
    """Why there is nothing to connect to."""
    heard = (addresses.aaaa, addresses.a)
    if any(isinstance(answer, Answer) and answer.rcode == "NXDOMAIN" for answer in heard):
        return "no race: the name does not exist, see aaaa"
    if any(isinstance(answer, Failure) for answer in heard):
        return "no race: the name cannot be resolved, see aaaa"
    return "no race: there is no address to connect to, see aaaa"


# --- what can be wrong on a port -------------------------------------------------------------


def _untried(attempt: Attempt) -> Finding:
    """This host, its router or its provider is why; tcp says more."""
    assert attempt.failure is not None
    _, cause, _ = out_of_reach(attempt.failure, "", attempt.address)
    message = "no race: IPv6 could not be tried from here, see tcp"
    return unknown(message, cause=cause, id="untried")


def _masked(port: _Port) -> Finding | None:
    """Nothing of IPv6 works, and IPv4 hides it."""
    ipv6 = port.impact.ipv6
    if any(attempt.connected for attempt in ipv6):
        return None
    cause = port.blame(ipv6[0])
    if cause is Cause.VANTAGE or port.blocked(6):
        return _untried(ipv6[0])
    costs = port.impact.costs() or "clients use IPv4 at once"
    message = f"IPv6 is broken and IPv4 fallback hides it: {costs}"
    hint = "fix IPv6 (see tcp), or remove the AAAA record until it works"
    status = Status.WARN if port.judged_by("tcp") else Status.FAIL
    return Finding(status, message, hint, "", cause, port.evidence(), "masked")


def _untold(port: _Port) -> Finding | None:
    """A dead IPv6 address is a failure of tcp (law 3), and of this check where tcp is left out."""
    dead = [attempt for attempt in port.impact.ipv6 if not attempt.connected]
    if not dead or port.judged_by("tcp"):
        return None
    theirs = [attempt for attempt in dead if port.blame(attempt) is not Cause.VANTAGE]
    if not theirs or port.blocked(6):
        message = f"{dead[0].address} cannot be tried from here"
        return unknown(message, evidence=port.evidence(), id="untried")
    cause = port.blame(theirs[0])
    costs = "" if port.impact.blind else port.impact.costs()
    message = port.impact.dead_addresses()
    message += f": {costs}" if costs else ""
    named = ", ".join(attempt.address for attempt in theirs[:3])
    hint = f"fix each dead address, or remove its record: {named}"
    return Finding(Status.FAIL, message, hint, "", cause, port.evidence(), "stalled")


def _no_tls(port: _Port) -> Finding | None:
    """Whoever wins has nothing of it."""
    tried = [seen.tls for seen in port.impact.survey.seen.values() if seen.tls]
    if not tried or "ok" in tried:
        return None
    message = "no race: TLS never completes, see tls"
    return skip(message, evidence=port.evidence(), id="no-tls")


def _stuck(port: _Port) -> Finding | None:
    """TCP has chosen a family whose TLS is dead, and the race is over by then."""
    stuck = port.impact.stuck()
    if stuck is None:
        return None
    message = (
        f"TCP connects over {'IPv6' if stuck.family == 'ipv6' else 'IPv4'}, "
        f"TLS {'hangs' if stuck.hangs else 'fails'}, and clients do not fall back: "
        f"{stuck.clients} of {len(port.impact.clients)} clients are stuck, "
        "all but Happy Eyeballs v3"
    )
    message += f", {stuck.orders}" if stuck.orders else ""
    hint = "fix TLS there (see tls), or remove the record until it works"
    mild = stuck.family == "ipv4" or port.judged_by("tls")
    status = Status.WARN if mild else Status.FAIL
    return Finding(status, message, hint, "", Cause.APPLICATION, port.evidence(), "stuck")


def _unsteady(port: _Port) -> Finding | None:
    """The same address answers at one time and not at another."""
    race = port.impact.race
    if race is None or (race.winner is not None and not port.impact.ipv4_wins):
        return None
    if race.winner is None:
        message = "all connections failed just now although some worked before: run it again"
        return unknown(message, cause=Cause.NETWORK, evidence=port.evidence(), id="unsteady")
    message = next(port.impact.second_attempts(), "")
    if not message:
        return None
    hint = "run it again in a minute; if it persists, look for a limit on new IPv6 connections "
    hint += "(ufw limit, hashlimit, connlimit)"
    cause, evidence = Cause.NETWORK, port.evidence()
    return unknown(message, hint=hint, cause=cause, evidence=evidence, id="unsteady")


def _late(port: _Port) -> Finding | None:
    """An answer of the DNS costs more than the path."""
    impact = port.impact
    aaaa_ms, a_ms = impact.answered_ms("AAAA"), impact.answered_ms("A")
    if aaaa_ms - a_ms > RESOLUTION_DELAY_MS and impact.survey.dns["A"].addresses:
        late = f"AAAA is answered {ms(aaaa_ms - a_ms)} after A"
        moved = f", {impact.on_ipv4()} end up on IPv4"
        costs = impact.costs(RESOLUTION_DELAY_MS)
    elif a_ms - aaaa_ms > FELT_MS:
        after = "not answered" if isinf(a_ms) else f"answered {ms(a_ms - aaaa_ms)} after AAAA"
        late = f"A is {after}"
        spared = [client for client in impact.clients if impact.worst_ms(client) < FELT_MS]
        costs = impact.costs()
        moved = f", {len(spared)} of {len(impact.clients)} do not" if costs and spared else ""
    else:
        return None
    hint = "check the name servers: A and AAAA should be equally fast"
    message = f"{late}: {costs or 'no client waits'}{moved}"
    return warn(message, hint=hint, cause=Cause.DNS, evidence=port.evidence(), id="late")


def _slow(port: _Port) -> Finding | None:
    """IPv6 works, and most use IPv4."""
    impact = port.impact
    if not impact.ipv4_wins:
        return _slow_at_times(port)
    if impact.ipv4_first:
        message = "no race: IPv4 goes first here (RFC 6724)"
        return skip(message, evidence=port.evidence(), id="ipv4-first")
    lost = impact.lost_race()
    if lost is None:
        return None
    message = (
        f"IPv6 works but loses to IPv4 by {ms(lost.lost_ms)}: "
        f"{ms(lost.ipv6_ms)}, IPv4 {ms(lost.ipv4_ms)}; {impact.on_ipv4()} use IPv4"
    )
    hint = "shorten the IPv6 path: better peering, no tunnel, a nearer replica"
    if lost.retransmissions:
        hint = "its first SYN was lost: check for loss on the IPv6 path"
    return warn(message, hint=hint, evidence=port.evidence(), id="slow")


def _slow_at_times(port: _Port) -> Finding | None:
    """IPv6 won, and would not have by another order of the answer."""
    orders, ipv6 = port.impact.losing_orders(), port.impact.ipv6
    if not orders or not all(attempt.connected for attempt in ipv6):
        return None
    times = sorted(attempt.elapsed_ms for attempt in ipv6)
    message = f"IPv6 works but loses to IPv4 {orders}: "
    message += f"its addresses take {ms(times[0])} to {ms(times[-1])}"
    hint = "shorten the path to the slower IPv6 addresses: peering, tunnels, distant replicas"
    return warn(message, hint=hint, evidence=port.evidence(), id="slow")


def _ipv4_dead(port: _Port) -> Finding | None:
    """Clients that use IPv4 only, or try it first, have nowhere to go."""
    impact = port.impact
    ipv6_works = all(attempt.connected for attempt in impact.ipv6)
    ipv4_works = any(attempt.connected for attempt in impact.ipv4)
    if not ipv6_works or not impact.ipv4 or ipv4_works or impact.blind:
        return None
    costs = impact.costs()
    if not costs:
        return None
    hint = "accept the port over IPv4 too, or remove the A record"
    cause, message = port.blame(impact.ipv4[0]), f"IPv4 is dead: {costs}"
    return warn(message, hint=hint, cause=cause, evidence=port.evidence(), id="ipv4-dead")


def _stalled(port: _Port) -> Finding | None:
    """A dead address beside those that work."""
    impact = port.impact
    if not impact.dead or impact.blind:
        return None
    loses = impact.ipv4_wins or impact.losing_orders()
    costs = impact.costs() or ("IPv4 wins the race" if loses else "")
    if not costs:
        return None
    hint = "fix each dead address, or remove its record: see tcp"
    cause, message = port.blame(impact.dead[0]), f"{impact.dead_addresses()}: {costs}"
    return warn(message, hint=hint, cause=cause, evidence=port.evidence(), id="stalled")


def _impatient(port: _Port) -> Finding | None:
    """Every address works, and some client gives all of them up."""
    impact = port.impact
    race = impact.race
    at_once = race is not None and race.elapsed_ms < FELT_MS and not impact.race_endings
    if at_once or impact.blind or all(impact.worst_ms(user) < inf for user in impact.clients):
        return None
    hint = "these clients time out before this path connects: shorten it, or raise their timeout"
    message = f"IPv6 works: {impact.costs()}"
    return warn(message, hint=hint, evidence=port.evidence(), id="impatient")


def _alone(port: _Port) -> Finding | None:
    if port.impact.ipv6 and port.impact.ipv4:
        return None
    return skip(ONE_FAMILY, evidence=port.evidence(), id="one-family")


def _fine(port: _Port) -> Finding:
    impact = port.impact
    assert impact.race is not None
    dead6 = any(not attempt.connected for attempt in impact.ipv6)
    behind = f", {impact.dead_addresses()}: see tcp" if dead6 else ""
    won_ms = impact.race.elapsed_ms
    message = f"IPv6 wins in {ms(won_ms)}{behind}"
    if impact.ipv4_wins:
        best6, best4 = (
            min((attempt.elapsed_ms for attempt in family if attempt.connected), default=won_ms)
            for family in (impact.ipv6, impact.ipv4)
        )
        message = f"IPv6 connects in {ms(best6)}, IPv4 in {ms(best4)}, which won this race{behind}"
    # Of a long list nobody reads 32 times that all is well.
    calm = port.settings.brief and not impact.dead and won_ms < FELT_MS
    return ok(message, evidence=port.evidence(clients=not calm), id="ipv6-wins")
