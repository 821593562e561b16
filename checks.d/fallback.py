"""Clients with both families connect over IPv6 without waiting.

Why, and what each finding means, is in fallback.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isinf

from ipv6check import (
    VANTAGE_KINDS,
    Addresses,
    Answer,
    Attempt,
    Cause,
    Connections,
    Ending,
    Entrant,
    Failure,
    Finding,
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

FROM_ELSEWHERE = "run from a host with IPv6, or use --on-unknown pass in CI"
# Less than this nobody feels, and much of it is how a network is on another day.
FELT_MS = 100.0
# RFC 8305 section 3: how long a client that has A waits for AAAA.
RESOLUTION_DELAY_MS = 50.0
# Whom most readers know; a sentence names these first.
KNOWN = ("wget", "requests", "curl", "chrome", "firefox", "safari", "go", "node", "java-http")
ONE_FAMILY = "not applicable: only one address family"


@dataclass(frozen=True, slots=True)
class _Port:
    """What is known of one port; ``race`` is None where none was run."""

    number: int
    race: Outcome | None
    survey: Survey
    predictions: Mapping[int, Sequence[Prediction]]
    connections: Connections
    pings: Pings | Failure
    settings: Settings
    path: Path

    @property
    def clients(self) -> Sequence[Prediction]:
        """What each client would feel; computed when it is first asked for."""
        return self.predictions[self.number]

    @property
    def attempts(self) -> list[Attempt]:
        return [each for each in self.connections.attempts if each.port == self.number]

    @property
    def ipv6(self) -> list[Attempt]:
        return [each for each in self.attempts if ":" in each.address]

    @property
    def ipv4(self) -> list[Attempt]:
        return [each for each in self.attempts if ":" not in each.address]

    @property
    def dead(self) -> list[Attempt]:
        return [each for each in self.attempts if not each.connected]

    @property
    def ipv4_wins(self) -> bool:
        """Whether the race ended on IPv4."""
        winner = None if self.race is None else self.race.winner
        return winner is not None and ":" not in winner

    @property
    def blind(self) -> bool:
        """Whether this host has no IPv4 itself, or lets none out to the port.

        Nothing can be said of clients that have.
        """
        return bool(self.ipv4) and all(
            each.failure is not None
            and (blame(each) is Cause.VANTAGE or self.path.opens(self.number, 4) is False)
            for each in self.ipv4
        )

    def blame(self, attempt: Attempt) -> Cause:
        """Where the trouble of a failed attempt is."""
        around = self.connections.attempts
        others = tuple(each for each in around if each.address == attempt.address)
        heard = self.pings.to(attempt.address) if isinstance(self.pings, Pings) else None
        return blame(attempt, others, heard)

    def answered_ms(self, rdtype: str) -> float:
        """When the resolver answered; ``inf`` for never."""
        found = self.survey.dns.get(rdtype)
        return 0.0 if found is None else found.after_ms

    @property
    def raced(self) -> Sequence[Ending]:
        """Every end of the race, where the order of the resolver's answer decides."""
        if self.race is None or not self.race.equal:
            return ()
        return self.survey.of_race(self.race.policy, self.race.order, self.race.equal).orders

    def delay_ms(self, end: Prediction | Ending) -> float:
        """How much later it connects than were nothing wrong; ``inf`` where it fails.

        That is once the first answer with an address was heard, and its address has done what it
        does.
        """
        if end.connect_ms is None:
            return inf if end.outcome == "failed" else 0.0
        heard = [each.after_ms for each in self.survey.dns.values() if each.addresses]
        seen = self.survey.seen.get(end.address or "")
        handshake_ms = 0.0 if seen is None else seen.tcp_ms
        return max(0.0, end.connect_ms - min(heard, default=0.0) - handshake_ms)

    def worst_ms(self, client: Prediction) -> float:
        """Its longest delay, by any order of the answer."""
        return max(map(self.delay_ms, _ends(client)))


def _ends(client: Prediction) -> Sequence[Prediction | Ending]:
    """How it may end: the one way, or by each order of the answer."""
    return client.orders or (client,)


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
    ports = [
        _Port(
            number,
            race.get(number),
            seen,
            predictions,
            connections,
            pings,
            settings,
            path,
        )
        for number, seen in survey.items()
        if number in race or any(each.tcp == "connected" for each in seen.seen.values())
    ]
    if not addresses.ipv6:
        return _without_ipv6(addresses, ports)
    alone = len(addresses.ipv6 + addresses.ipv4) == 1
    if alone and not isinstance(addresses.a, Failure):
        return skip(ONE_FAMILY, id="one-family")
    if path.ipv6 != "yes":
        return unknown(path.detail, hint=FROM_ELSEWHERE, id="no-ipv6-here")
    ended = [each for each in connections.ipv6 if ended_here(each.failure, each.address)]
    if not ports and ended:
        return _untried(ended[0])
    if not ports:
        return _nothing_open(connections)
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
        _fine,
    )
    judged = [(port, next(filter(None, (look(port) for look in looks)))) for port in ports]
    return _merged(judged)


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
            failing = [each.name for each in port.clients if port.worst_ms(each) == inf]
        alike = (finding.id, finding.status, finding.cause, *failing)
        kinds.setdefault(alike, []).append((port, finding))
    found = []
    for members in kinds.values():
        first, finding = members[0]
        subject = f"port {first.number}" if len(kinds) > 1 else finding.subject
        evidence = dict(finding.evidence)
        if others := [dict(each.evidence) for _, each in members[1:]]:
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
    mapped = [each.address for each in addresses.unusable if _is_mapped(each.address)]
    if mapped:
        message = f"{mapped[0]} connects over IPv4: clients that treat it as IPv6 use none"
        hint = "publish a global unicast address (2000::/3), or remove the record"
        subject, evidence = mapped[0], _evidence(port)
        return warn(
            message, hint=hint, cause=Cause.DNS, subject=subject, evidence=evidence, id="mapped"
        )
    hurt = _hurt(port)
    costs = f"; {hurt}" if hurt else ""
    what = "no-race"
    if isinstance(addresses.aaaa, Failure):
        message = f"no race: AAAA cannot be resolved, see aaaa{costs}"
    elif addresses.aaaa is not None and addresses.aaaa.rcode == "NXDOMAIN":
        message = f"no race: AAAA is answered NXDOMAIN, see aaaa{costs}"
    elif addresses.unusable:
        message = f"no race: no AAAA record can be reached, see aaaa{costs}"
    else:
        message, what = ONE_FAMILY, "one-family"
    return skip(message, evidence=_evidence(port), id=what)


def _nowhere(addresses: Addresses) -> str:
    """Why there is nothing to connect to."""
    heard = (addresses.aaaa, addresses.a)
    if any(isinstance(each, Answer) and each.rcode == "NXDOMAIN" for each in heard):
        return "no race: the name does not exist, see aaaa"
    if any(isinstance(each, Failure) for each in heard):
        return "no race: the name cannot be resolved, see aaaa"
    return "no race: there is no address to connect to, see aaaa"


def _is_mapped(address: str) -> bool:
    return address.startswith("::ffff:") and "." in address


# --- what can be wrong on a port -------------------------------------------------------------


def _untried(attempt: Attempt) -> Finding:
    """This host, its router or its provider is why; tcp says more."""
    assert attempt.failure is not None
    _, cause, _ = out_of_reach(attempt.failure, "", attempt.address)
    message = "no race: IPv6 could not be tried from here, see tcp"
    return unknown(message, cause=cause, id="untried")


def _masked(port: _Port) -> Finding | None:
    """Nothing of IPv6 works, and IPv4 hides it."""
    if any(each.connected for each in port.ipv6):
        return None
    cause = port.blame(port.ipv6[0])
    if cause is Cause.VANTAGE or port.path.opens(port.number, 6) is False:
        return _untried(port.ipv6[0])
    costs = _hurt(port) or "clients use IPv4 at once"
    message = f"IPv6 is broken and IPv4 fallback hides it: {costs}"
    hint = "fix IPv6 (see tcp), or remove the AAAA record until it works"
    # One cause, one failure: that of tcp, unless nobody asked for it.
    status = Status.WARN if _judges("tcp", port.settings) else Status.FAIL
    return Finding(status, message, hint, "", cause, _evidence(port), "masked")


def _judges(other: str, settings: Settings) -> bool:
    wanted = other in settings.only if settings.only else settings.profile.runs(other)
    return wanted and other not in settings.skip


def _no_tls(port: _Port) -> Finding | None:
    """Whoever wins has nothing of it."""
    tried = [seen.tls for seen in port.survey.seen.values() if seen.tls]
    if not tried or "ok" in tried:
        return None
    message = "no race: TLS never completes, see tls"
    return skip(message, evidence=_evidence(port), id="no-tls")


def _stuck(port: _Port) -> Finding | None:
    """TCP has chosen a family whose TLS is dead, and the race is over by then."""
    dead = {
        address: seen.tls
        for address, seen in port.survey.seen.items()
        if seen.tls in {"silent", "failed"}
    }
    stuck = [
        (client, end)
        for client in port.clients
        for end in _ends(client)
        if end.outcome == "failed" and end.address in dead
    ]
    if not stuck:
        return None
    failing = list({client.name: client for client, _ in stuck}.values())
    family = min((end.family or "" for _, end in stuck), key=lambda name: name != "ipv6")
    ends = {dead[end.address] for _, end in stuck if end.family == family and end.address}
    message = (
        f"TCP connects over {'IPv6' if family == 'ipv6' else 'IPv4'}, "
        f"TLS {'hangs' if 'silent' in ends else 'fails'}, and clients do not fall back: "
        f"{_names(failing)} of {len(port.clients)} clients are stuck, all but Happy Eyeballs v3"
        f"{_stuck_at_times(stuck)}"
    )
    hint = "fix TLS there (see tls), or remove the record until it works"
    # One cause, one failure: that of tls, unless nobody asked for it.
    mild = family == "ipv4" or _judges("tls", port.settings)
    status = Status.WARN if mild else Status.FAIL
    return Finding(status, message, hint, "", Cause.APPLICATION, _evidence(port), "stuck")


def _stuck_at_times(stuck: Sequence[tuple[Prediction, Prediction | Ending]]) -> str:
    """Whom the order of the answer may spare."""
    ends: dict[str, list[Prediction | Ending]] = {}
    clients = {client.name: client for client, _ in stuck}
    for client, end in stuck:
        ends.setdefault(client.name, []).append(end)
    shares = [_share(client, ends[name]) for name, client in clients.items()]
    spared = [(number, of) for number, of in shares if number < of]
    if not spared:
        return ""
    some = "" if len(spared) == len(shares) else f"{len(spared)} of them "
    return f", {some}{_in_orders(spared)}"


def _unsteady(port: _Port) -> Finding | None:
    """The same address answers at one time and not at another."""
    if port.race is None or (port.race.winner is not None and not port.ipv4_wins):
        return None
    if port.race.winner is None:
        message = "all connections failed just now although some worked before: run it again"
        return unknown(message, cause=Cause.NETWORK, evidence=_evidence(port), id="unsteady")
    for entrant in port.race.entrants:
        before = _survey_of(port, entrant)
        if ":" in entrant.address and before is not None and before.connected:
            second = _second_time(port.race, entrant, before)
            if second:
                message = f"{entrant.address} connects the first time {second}"
                return unknown(
                    message,
                    hint="run it again in a minute; if it stays so, look for a limit of new "
                    "connections over IPv6 (ufw limit, hashlimit, connlimit)",
                    cause=Cause.NETWORK,
                    evidence=_evidence(port),
                    id="unsteady",
                )
    return None


def _second_time(race: Outcome, entrant: Entrant, before: Attempt) -> str | None:
    """What an address that had connected did in the race, None if that was the same again."""
    if entrant.tls_started_ms is not None or entrant.outcome == "connected":
        return None
    if entrant.outcome in VANTAGE_KINDS:
        return None
    if entrant.outcome == "refused":
        return "and is refused the second time: a rate limit?"
    if entrant.outcome not in {"cancelled", "running"}:
        return f"but not the second time ({entrant.outcome}): a rate limit, or loss?"
    waited_ms = race.elapsed_ms - entrant.started_ms
    if before.elapsed_ms + FELT_MS > waited_ms:
        return None
    return (
        f"in {ms(before.elapsed_ms)}, but not within {ms(waited_ms)} the second time: "
        "a rate limit, or loss?"
    )


def _survey_of(port: _Port, entrant: Entrant) -> Attempt | None:
    return next((each for each in port.attempts if each.address == entrant.address), None)


def _late(port: _Port) -> Finding | None:
    """An answer of the DNS costs more than the path."""
    aaaa_ms, a_ms = port.answered_ms("AAAA"), port.answered_ms("A")
    if aaaa_ms - a_ms > RESOLUTION_DELAY_MS and port.survey.dns["A"].addresses:
        late = f"AAAA is answered {ms(aaaa_ms - a_ms)} after A"
        moved = f", {_on_ipv4(port)} end up on IPv4"
        costs = _hurt(port, RESOLUTION_DELAY_MS)
    elif a_ms - aaaa_ms > FELT_MS:
        late = (
            "A is not answered" if isinf(a_ms) else f"A is answered {ms(a_ms - aaaa_ms)} after AAAA"
        )
        spared = [each for each in port.clients if port.worst_ms(each) < FELT_MS]
        moved = f", {len(spared)} of {len(port.clients)} clients go on" if spared else ""
        costs = _hurt(port)
    else:
        return None
    hint = "check the name servers: A and AAAA should be equally fast"
    message = f"{late}: {costs or 'no client waits'}{moved}"
    return warn(message, hint=hint, cause=Cause.DNS, evidence=_evidence(port), id="late")


def _slow(port: _Port) -> Finding | None:
    """IPv6 works, and most use IPv4."""
    if port.race is None:
        return None
    if not port.ipv4_wins:
        return _slow_at_times(port)
    started = {each.address: each.started_ms for each in port.race.entrants}
    raced = [each for each in port.ipv6 if each.connected and each.address in started]
    if not raced and any(":" in address for address in started):
        return None  # a dead one had its turn, and IPv4 was faster than the next
    if not raced:
        message = "no race: IPv4 goes first here (RFC 6724)"
        return skip(message, evidence=_evidence(port), id="ipv4-first")
    ends = [(started[each.address] + each.elapsed_ms, each) for each in raced]
    ended_ms, best6 = min(ends, key=lambda end: end[0])
    lost_ms = ended_ms - port.race.elapsed_ms
    # A winner that only a hint names was tried in the race alone.
    tried_ms = [each.elapsed_ms for each in port.ipv4 if each.address == port.race.winner]
    won_ms = min(
        tried_ms, default=port.race.entrants[-1].ended_ms - port.race.entrants[-1].started_ms
    )
    if lost_ms <= 0 or max(lost_ms, best6.elapsed_ms - won_ms) < FELT_MS:
        return None  # nobody feels that, and the next time it may be another way round
    message = (
        f"IPv6 works but loses to IPv4 by {ms(lost_ms)}: "
        f"{ms(best6.elapsed_ms)}, IPv4 {ms(won_ms)}; {_on_ipv4(port)} use IPv4"
    )
    hint = "shorten the IPv6 path: better peering, no tunnel, a nearer replica"
    if best6.retransmissions:
        hint = "its first SYN was lost: check for loss on the IPv6 path"
    return warn(message, hint=hint, evidence=_evidence(port), id="slow")


def _slow_at_times(port: _Port) -> Finding | None:
    """IPv6 won, and would not have by another order of the answer."""
    losing = [each.number for each in port.raced if each.family != "ipv6"]
    of = sum(each.number for each in port.raced)
    if not losing or not all(each.connected for each in port.ipv6):
        return None
    times = sorted(each.elapsed_ms for each in port.ipv6)
    message = (
        f"IPv6 works but loses to IPv4 {_in_orders([(sum(losing), of)])}: "
        f"its addresses take {ms(times[0])} to {ms(times[-1])}"
    )
    hint = "shorten the path to the slower IPv6 addresses: peering, tunnels, distant replicas"
    return warn(message, hint=hint, evidence=_evidence(port), id="slow")


def _ipv4_dead(port: _Port) -> Finding | None:
    """Clients that know IPv4 alone, or first, have nowhere to go."""
    ipv6_works = all(each.connected for each in port.ipv6)
    if not ipv6_works or not port.ipv4 or any(each.connected for each in port.ipv4) or port.blind:
        return None
    hurt = _hurt(port)
    if hurt is None:
        return None
    hint = "accept the port over IPv4 too, or remove the A record"
    cause = port.blame(port.ipv4[0])
    message = f"IPv4 is dead: {hurt}"
    return warn(message, hint=hint, cause=cause, evidence=_evidence(port), id="ipv4-dead")


def _untold(port: _Port) -> Finding | None:
    """A dead IPv6 address is a failure of tcp (law 3), and of this check where tcp is left out."""
    dead = [each for each in port.ipv6 if not each.connected]
    if not dead or _judges("tcp", port.settings):
        return None
    theirs = [each for each in dead if port.blame(each) is not Cause.VANTAGE]
    if not theirs or port.path.opens(port.number, 6) is False:
        message = f"{dead[0].address} cannot be tried from here"
        return unknown(message, evidence=_evidence(port), id="untried")
    cause = port.blame(theirs[0])
    hurt = None if port.blind else _hurt(port)
    message = f"{_dead(port)}: {hurt}" if hurt else _dead(port)
    named = ", ".join(each.address for each in theirs[:3])
    hint = f"fix each dead address, or remove its record: {named}"
    return Finding(Status.FAIL, message, hint, "", cause, _evidence(port), "stalled")


def _stalled(port: _Port) -> Finding | None:
    """A dead address beside those that work."""
    if not port.dead or port.blind:
        return None
    loses = port.ipv4_wins or any(each.family != "ipv6" for each in port.raced)
    hurt = _hurt(port) or ("IPv4 wins the race" if loses else None)
    if hurt is None:
        return None
    hint = "fix each dead address, or remove its record: see tcp"
    cause = port.blame(port.dead[0])
    message = f"{_dead(port)}: {hurt}"
    return warn(message, hint=hint, cause=cause, evidence=_evidence(port), id="stalled")


def _impatient(port: _Port) -> Finding | None:
    """Every address works, and some client gives all of them up."""
    at_once = port.race is not None and port.race.elapsed_ms < FELT_MS and not port.raced
    if at_once or port.blind or all(port.worst_ms(each) < inf for each in port.clients):
        return None
    hint = "these clients time out before this path connects: shorten it, or raise their timeout"
    message = f"IPv6 works: {_hurt(port)}"
    return warn(message, hint=hint, evidence=_evidence(port), id="impatient")


def _alone(port: _Port) -> Finding | None:
    if port.ipv6 and port.ipv4:
        return None
    return skip(ONE_FAMILY, evidence=_evidence(port), id="one-family")


def _fine(port: _Port) -> Finding:
    assert port.race is not None
    behind = f", {_dead(port)}: see tcp" if any(not e.connected for e in port.ipv6) else ""
    message = f"IPv6 wins in {ms(port.race.elapsed_ms)}{behind}"
    if port.ipv4_wins:
        best6, best4 = (
            min((e.elapsed_ms for e in family if e.connected), default=port.race.elapsed_ms)
            for family in (port.ipv6, port.ipv4)
        )
        message = f"IPv6 connects in {ms(best6)}, IPv4 in {ms(best4)}, which won this race{behind}"
    # Of a long list nobody reads 32 times that all is well.
    calm = port.settings.brief and not port.dead and port.race.elapsed_ms < FELT_MS
    return ok(message, evidence=_evidence(port, clients=not calm), id="ipv6-wins")


def _dead(port: _Port) -> str:
    """``1 of 2 IPv6 addresses is dead``, or of both families."""
    told, all_dead = [], 0
    for family, addresses in (("IPv6", port.ipv6), ("IPv4", () if port.blind else port.ipv4)):
        if number := sum(not each.connected for each in addresses):
            told.append(f"{number} of {len(addresses)} {family}")
            all_dead += number
    return f"{' and '.join(told)} addresses {'is' if all_dead == 1 else 'are'} dead"


def _on_ipv4(port: _Port) -> str:
    number = sum(each.family == "ipv4" for each in port.clients)
    return f"{number} of {len(port.clients)} clients"


# --- who loses what --------------------------------------------------------------------------


def _hurt(port: _Port, least_ms: float = FELT_MS) -> str | None:
    """Who loses most: those that fail, those that wait longest, and what Chrome feels.

    First those that always do, then those that do by some orders of the resolver's answer alone.
    """
    always: dict[str, float] = {}
    at_times: dict[str, float] = {}
    shares = []
    for client in port.clients:
        hurt = [each for each in _ends(client) if port.delay_ms(each) >= least_ms]
        if len(hurt) == len(_ends(client)):
            always[client.name] = port.worst_ms(client)
        elif hurt:
            at_times[client.name] = port.worst_ms(client)
            shares.append(_share(client, hurt))
    said = [_costs(port, always)] if always else []
    if at_times:
        said.append(f"{_in_orders(shares)} {_costs(port, at_times)}")
    return "; ".join(said) or None


def _costs(port: _Port, delays: Mapping[str, float]) -> str:
    """What these clients lose, by name."""
    hurt = [each for each in port.clients if each.name in delays]
    failing = [each for each in hurt if delays[each.name] == inf]
    waiting = [each for each in hurt if delays[each.name] < inf]
    said = []
    if failing:
        said.append(f"{_names(failing)} {'fails' if len(failing) == 1 else 'fail'}")
    if waiting:
        most_ms = max(delays[each.name] for each in waiting)
        slowest = [each for each in waiting if delays[each.name] >= 0.75 * most_ms]
        least_of_them_ms = min(delays[each.name] for each in slowest)
        span = "" if least_of_them_ms > 0.95 * most_ms else f"{_time(least_of_them_ms)} to "
        verb = "waits" if len(slowest) == 1 else "wait"
        said.append(f"{_names(slowest)} {verb} {span}{_time(most_ms)}")
        chrome = next((each for each in waiting if each.client == "chrome"), None)
        if chrome is not None and chrome not in slowest:
            said.append(f"{chrome.name} {ms(delays[chrome.name])}")
    return ", ".join(said)


def _share(client: Prediction, ends: Iterable[Prediction | Ending]) -> tuple[int, int]:
    """In how many orders of the answer the client ends like this, and of how many."""
    if not client.orders:
        return 1, 1
    return sum(each.number for each in ends if isinstance(each, Ending)), client.of


def _in_orders(shares: Sequence[tuple[int, int]]) -> str:
    """``in 1 of 2 orders of the answer``; the most, where clients differ in that."""
    number, of = max(shares)
    up_to = "up to " if len(set(shares)) > 1 else ""
    return f"in {up_to}{number} of {of} orders of the answer"


def _time(delay_ms: float) -> str:
    """A wait; a long one without the milliseconds that the path took from it."""
    return ms(round(delay_ms, -2) if delay_ms >= 1000 else delay_ms)


def _names(clients: Iterable[Prediction], most: int = 2) -> str:
    """``wget and requests``, ``wget, requests and 9 more``: the best known ones first."""
    places = {client: place for place, client in enumerate(KNOWN)}
    ranked = sorted(clients, key=lambda each: places.get(each.client, len(KNOWN)))
    names = [each.name for each in ranked]
    if len(names) == most + 1:
        most += 1
    shown, more = names[:most], len(names) - most
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


# --- evidence --------------------------------------------------------------------------------


def _evidence(port: _Port, *, clients: bool = True) -> dict[str, object]:
    """The whole trace of the race, what each address did by itself, and what each client feels."""
    race, survey = port.race, port.survey
    tried = {each.address: each for each in port.attempts}
    told: dict[str, object] = {
        "port": port.number,
        "winner": race.winner if race else None,
        "elapsed_ms": race.elapsed_ms if race else None,
        "algorithm": port.settings.happy_eyeballs,
        "order": {"rfc6724": race.order if race else (), "glibc": survey.order},
        "dns": {
            rdtype.lower(): {"addresses": heard.addresses, "after_ms": heard.after_ms}
            for rdtype, heard in survey.dns.items()
        },
        "sequential_ms": _sequential_ms(survey),
        "attempts": _attempts(race) if race else [],
        **_race_orders(port),
        "survey": [
            {
                "address": address,
                "family": _family(address),
                "tcp": seen.tcp,
                "tcp_ms": seen.tcp_ms,
                **({"tls": seen.tls, "tls_ms": seen.tls_ms} if seen.tls else {}),
                **_kernel(tried.get(address)),
            }
            for address, seen in survey.seen.items()
        ],
    }
    if race is not None and race.services:
        told["services"] = [
            {
                "priority": each.priority,
                "target": each.target,
                "alpn": each.alpn,
                "port": each.port,
                "hints": each.hints,
            }
            for each in race.services
        ]
    if race is not None:
        told["constants"] = {
            "resolution_delay_ms": race.policy.resolution_delay_ms,
            "connection_attempt_delay_ms": _delay_ms(race),
            "first_address_family_count": race.policy.first_address_family_count,
        }
    if clients and not port.blind:
        told["clients"] = [client.told() for client in port.clients]
    return told


def _race_orders(port: _Port) -> dict[str, object]:
    """Every end that the race may have, where the order of the answer decides."""
    of = sum(each.number for each in port.raced)
    return {"race_orders": [each.told(of) for each in port.raced]} if of else {}


def _delay_ms(race: Outcome) -> float:
    """Between two attempts; RFC 6555 knows it between the families alone."""
    own_ms = race.policy.fallback_delay_ms
    return race.policy.connection_attempt_delay_ms if own_ms is None else own_ms


def _attempts(race: Outcome) -> list[dict[str, object]]:
    return [
        {
            "address": each.address,
            "family": _family(each.address),
            "source": each.source,
            "why": each.why,
            "started_ms": each.started_ms,
            "tls_started_ms": each.tls_started_ms,
            "ended_ms": each.ended_ms,
            "outcome": each.outcome,
            "rtt_ms": each.rtt_ms,
            "retransmissions": each.retransmissions,
        }
        for each in race.entrants
    ]


def _kernel(attempt: Attempt | None) -> dict[str, object]:
    if attempt is None:
        return {}
    return {
        "outcome": attempt.outcome,
        "source": attempt.source,
        "rtt_ms": attempt.rtt_ms,
        "retransmissions": attempt.retransmissions,
    }


def _family(address: str) -> str:
    return "ipv6" if ":" in address and not _is_mapped(address) else "ipv4"


def _sequential_ms(survey: Survey) -> float:
    """What a client waits that tries each IPv6 address to its end before IPv4."""
    return sum(
        survey.syn_timeout_ms if seen.tcp == "silent" else seen.tcp_ms
        for address, seen in survey.seen.items()
        if _family(address) == "ipv6"
    )
