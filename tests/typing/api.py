"""What authors of checks may write, with types: mypy reads it with the rest, nothing runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_type

from ipv6check import (
    ACCEPT_ICMPV6,
    ACCEPT_TCP,
    FELT_MS,
    FROM_ELSEWHERE,
    GET_IPV6,
    LISTEN,
    NO_ADDRESS,
    NO_IPV6_HERE,
    NO_ROUTE_FROM_HERE,
    NO_TIME,
    RESOLUTION_DELAY_MS,
    UNTRIED,
    VANTAGE_KINDS,
    Addresses,
    Answer,
    Attempt,
    Cause,
    Connections,
    Echo,
    Ending,
    Entrant,
    Explained,
    Failure,
    Finding,
    Handshake,
    Handshakes,
    Here,
    Host,
    HostState,
    Impact,
    Interface,
    InterfaceAddress,
    Kind,
    Listener,
    Listeners,
    NameServer,
    Outcome,
    Path,
    Pings,
    Pointer,
    Pointers,
    Prediction,
    Route,
    Rules,
    Settings,
    Status,
    Survey,
    Target,
    Unusable,
    blame,
    check,
    count,
    describe,
    ended_here,
    endpoint,
    fail,
    ms,
    ok,
    out_of_reach,
    skip,
    unknown,
    warn,
)

FINDINGS = (
    Explained("closed", "fail", "Nothing listens there.", "Bind the service.", LISTEN),
    Explained("filtered", "warn", "A filter drops it.", "Allow it.", {**ACCEPT_TCP, **GET_IPV6}),
    *(NO_ADDRESS, NO_IPV6_HERE, NO_ROUTE_FROM_HERE, NO_TIME, UNTRIED),
)
_ = assert_type(ACCEPT_ICMPV6, Mapping[str, str])
CONSTANTS = (assert_type(FROM_ELSEWHERE, str), assert_type(FELT_MS + RESOLUTION_DELAY_MS, float))


@check(cause="host", findings=FINDINGS)
def everything(
    target: Target,
    settings: Settings,
    addresses: Addresses,
    connections: Connections | Failure,
    handshakes: Handshakes,
    pings: Pings | Failure,
    here: Here,
    host: Host | Failure | None,
    listeners: Listeners | Failure,
    path: Path,
    pointers: Pointers,
    rules: Rules | Failure,
    race: Mapping[int, Outcome],
    survey: Mapping[int, Survey],
    predictions: Mapping[int, tuple[Prediction, ...]],
) -> Finding | list[Finding]:
    """Every input that a check may name."""
    assert_type(target.ports, tuple[int, ...])
    assert_type(settings.timeout_s, float)
    assert_type(handshakes.on(443), tuple[Handshake, ...])
    assert_type(path.opens(443, 6), bool | None)
    assert_type(here.ipv6, tuple[str, ...])
    if isinstance(connections, Failure):
        return skip(describe(connections))
    if isinstance(pings, Pings):
        assert_type(pings.to("2001:db8::1"), Echo | None)
    if isinstance(host, Host):
        return of_host(host.state, host.name_servers)
    if isinstance(listeners, Listeners):
        assert_type(listeners.on(443), tuple[Listener, ...])
    if isinstance(rules, Rules):
        assert_type(rules.review([443], ()), list[Finding])
    return [
        *of_dns(addresses, pointers),
        *of_race(race[443], survey[443], predictions[443]),
        *(of_attempt(attempt) for attempt in connections.attempts),
    ]


def of_dns(addresses: Addresses, pointers: Pointers) -> Sequence[Finding]:
    """What the resolver answered."""
    answer = addresses.aaaa
    if isinstance(answer, Answer) and not answer.records:
        return [warn("no AAAA", hint="publish one", id="closed")]
    assert_type(addresses.unusable, tuple[Unusable, ...])
    assert_type(pointers.ipv6, tuple[Pointer, ...])
    return []


def of_attempt(attempt: Attempt) -> Finding:
    """What became of a connection."""
    where, failure = endpoint(attempt.address, attempt.port), attempt.failure
    if failure is None:
        return ok(f"{where} connects after {ms(attempt.elapsed_ms)}", subject=where)
    if ended_here(failure, attempt.address):
        message, cause, hint = out_of_reach(failure, where, attempt.address)
        return unknown(message, cause=cause, hint=hint)
    assert_type(failure.kind, Kind)
    assert_type(failure.kind in VANTAGE_KINDS, bool)
    return fail(describe(failure), cause=assert_type(blame(attempt), Cause), subject=where)


def of_race(outcome: Outcome, survey: Survey, ends: tuple[Prediction, ...]) -> Sequence[Finding]:
    """What clients would feel."""
    assert_type(outcome.entrants, tuple[Entrant, ...])
    assert_type(survey.order, tuple[str, ...])
    assert_type(ends[0].orders, tuple[Ending, ...])
    impact = Impact(443, outcome, survey, (), {443: ends})
    assert_type(impact.delay_ms(ends[0]), float)
    return [ok(count(len(impact.clients), "client", "clients"))]


def of_host(state: HostState, servers: Sequence[NameServer]) -> Finding:
    """What this host is."""
    assert_type(state.interfaces, tuple[Interface, ...])
    assert_type(state.interfaces[0].addresses, tuple[InterfaceAddress, ...])
    assert_type(state.route_ipv6, Route | None)
    assert_type(ok("well").status, Status)
    return ok(count(len(servers), "name server", "name servers"))
