"""fallback: what was observed in, and who loses what out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from types import MappingProxyType
from typing import Any

import pytest

from ipv6check import (
    Addresses,
    Answer,
    Attempt,
    Connections,
    Entrant,
    Failure,
    Finding,
    Kind,
    Outcome,
    Path,
    Pings,
    Settings,
    Survey,
)
from ipv6check.eyeballs.algorithm import Resolved
from ipv6check.eyeballs.clients import load
from ipv6check.eyeballs.https_records import Service
from ipv6check.eyeballs.policy import HAPPY_V3
from ipv6check.eyeballs.prediction import Seen, Tls, predict_all
from ipv6check.probes.path import PortControl
from ipv6check.testing import SETTINGS, answer, attempt, echo
from tests.checks.facts import (
    HERE,
    MAY_NOT_PING,
    NAME,
    NEAR,
    V4,
    V4B,
    V6,
    V6B,
    addresses,
    connections,
    judged,
    kept,
    pings,
    said,
    whole,
)

ANSWERS = pings(echo(V6), echo(V4))
MAPPED = f"::ffff:{V4}"


def entrant(address: str, started_ms: float = 0.0, outcome: str = "connected") -> Entrant:
    """One attempt of a race."""
    return Entrant(address, "timer" if started_ms else "first", started_ms, 270.0, outcome)


def ipv6_wins(port: int = 443) -> Outcome:
    """Nobody else starts."""
    return Outcome(port, V6, 12.0, (entrant(V6),))


def ipv4_wins(port: int = 443) -> Outcome:
    """After the delay."""
    return Outcome(port, V4, 270.0, (entrant(V6, 0, "cancelled"), entrant(V4, 250.0)))


def surveyed(
    seen: Connections,
    found: Addresses,
    aaaa_ms: float,
    a_ms: float,
    tls: Mapping[str, Tls] = MappingProxyType({}),
) -> dict[int, Survey]:
    """What the survey makes of these attempts, IPv6 first; on 443 TLS does as it is said to."""
    ipv6 = (*found.ipv6, *(unusable.address for unusable in found.unusable))
    dns = {"AAAA": Resolved(ipv6, aaaa_ms), "A": Resolved(found.ipv4, a_ms)}
    surveys = {}
    for port in seen.ports:
        told = {tried.address: verdict(tried) for tried in seen.attempts if tried.port == port}
        if port == 443:
            told |= {
                address: replace(told[address], tls=end, tls_ms=20.0)
                for address, end in tls.items()
            }
        surveys[port] = Survey(dns, (*ipv6, *found.ipv4), told)
    return surveys


def verdict(tried: Attempt) -> Seen:
    """What one address did."""
    if tried.failure is None:
        return Seen("connected", tried.elapsed_ms)
    silent = tried.failure.kind is Kind.TIMEOUT
    return Seen("silent" if silent else "failed", tried.elapsed_ms)


def fallback(
    *attempts: Attempt,
    race: Outcome | list[Outcome] | None = None,
    found: Addresses | None = None,
    heard: Pings | Failure = ANSWERS,
    path: Path = HERE,
    settings: Settings = SETTINGS,
    aaaa_ms: float = 1.0,
    a_ms: float = 1.0,
    tls: Mapping[str, Tls] = MappingProxyType({}),
    equal: tuple[tuple[str, ...], ...] = (),
) -> list[Finding]:
    """What fallback finds where this was tried and raced."""
    seen = connections(*attempts)
    tried = tuple(dict.fromkeys(tried.address for tried in attempts))
    ipv6 = tuple(address for address in tried if ":" in address)
    ipv4 = tuple(address for address in tried if ":" not in address)
    known = found or addresses(ipv6=ipv6, ipv4=ipv4)
    surveys = {
        port: replace(survey, equal=equal)
        for port, survey in surveyed(seen, known, aaaa_ms, a_ms, tls).items()
    }
    races = race if isinstance(race, list) else [race] if race else []
    findings = judged(
        "fallback",
        addresses=known,
        connections=seen,
        race={run.port: run for run in races},
        survey=surveys,
        predictions={port: predict_all(load(), survey) for port, survey in surveys.items()},
        pings=heard,
        path=path,
        settings=settings,
    )
    assert whole(findings)
    return findings


def client(finding: Finding, name: str) -> dict[str, Any]:
    """What one client feels."""
    (told,) = [row for row in finding.evidence["clients"] if row["name"] == name]
    assert isinstance(told, dict)
    return told


# --- well ------------------------------------------------------------------------------------


def test_ipv6_that_wins_passes() -> None:
    """It tells how long a client waits, and every client has its end all the same."""
    found = fallback(attempt(V6), attempt(V4), race=ipv6_wins())
    assert kept(found) == [("pass", None)]
    assert found[0].message == "IPv6 wins in 12 ms"
    assert client(found[0], "wget") == {
        "name": "wget",
        "client": "wget",
        "version": "1.21",
        "outcome": "connected",
        "family": "ipv6",
        "address": V6,
        "connect_ms": 11.0,
        "failed_ms": None,
        "earliest_ms": 11.0,
        "latest_ms": 11.0,
    }
    assert client(found[0], "java http")["family"] == "ipv4"


def test_the_whole_trace_is_evidence() -> None:
    """Each attempt, the constants, the orders, the answers, and what each address did by itself."""
    begun = Entrant(V6, "first", 1.0, 11.5, "connected", "2001:470::9", 10.1, 1)
    race = Outcome(443, V6, 11.5, (begun,), order=(V6, V4))
    (finding,) = fallback(attempt(V6), attempt(V4), race=race)
    told = finding.evidence
    assert (told["port"], told["winner"], told["elapsed_ms"]) == (443, V6, 11.5)
    assert told["algorithm"] == "rfc8305"
    assert told["constants"] == {
        "resolution_delay_ms": 50.0,
        "connection_attempt_delay_ms": 250.0,
        "first_address_family_count": 1,
    }
    assert told["order"] == {"rfc6724": (V6, V4), "glibc": (V6, V4)}
    assert told["dns"]["aaaa"] == {"addresses": (V6,), "after_ms": 1.0}
    assert told["attempts"] == [
        {
            "address": V6,
            "family": "ipv6",
            "source": "2001:470::9",
            "why": "first",
            "started_ms": 1.0,
            "tls_started_ms": None,
            "ended_ms": 11.5,
            "outcome": "connected",
            "rtt_ms": 10.1,
            "retransmissions": 1,
        }
    ]
    assert [(row["address"], row["tcp"]) for row in told["survey"]] == [
        (V6, "connected"),
        (V4, "connected"),
    ]
    assert "tls" not in told["survey"][0]


def test_a_long_list_is_not_told_at_length_what_is_well() -> None:
    """What is not well is, in every run."""
    brief = replace(SETTINGS, brief=True)
    (fine,) = fallback(attempt(V6), attempt(V4), race=ipv6_wins(), settings=brief)
    assert "clients" not in fine.evidence
    dead = (attempt(V6, failure=Kind.TIMEOUT), attempt(V4))
    (broken,) = fallback(*dead, race=ipv4_wins(), settings=brief)
    assert len(broken.evidence["clients"]) == len(load())


def test_a_dead_address_that_nobody_meets_passes() -> None:
    """Law 9: dead addresses are tcp's to fail; a word of them stands beside."""
    attempts = (attempt(V6), attempt(V6B, failure=Kind.TIMEOUT), attempt(V4))
    found = fallback(*attempts, race=ipv6_wins())
    assert kept(found) == [("pass", None)]
    assert found[0].message == "IPv6 wins in 12 ms, 1 of 2 IPv6 addresses is dead: see tcp"


def test_ports_that_are_alike_are_one_finding() -> None:
    """The other port's race is in the evidence."""
    attempts = (attempt(V6), attempt(V4), attempt(V6, 80), attempt(V4, 80))
    (finding,) = fallback(*attempts, race=[ipv6_wins(), ipv6_wins(80)])
    assert (finding.subject, finding.evidence["port"]) == ("", 443)
    assert [port["port"] for port in finding.evidence["also"]] == [80]


def test_ports_that_differ_are_told_apart() -> None:
    """One finding for each, which names its port."""
    attempts = (attempt(V6), attempt(V4), attempt(V6, 80, Kind.REFUSED), attempt(V4, 80))
    found = fallback(*attempts, race=[ipv6_wins(), ipv4_wins(80)])
    assert kept(found) == [("pass", None), ("warn", "host")]
    assert [finding.subject for finding in found] == ["port 443", "port 80"]


# --- nothing to race -------------------------------------------------------------------------


def test_one_address_alone_does_not_race() -> None:
    """Where there is nothing to fall back to, nothing falls back."""
    found = fallback(attempt(V6), found=addresses(origin="literal", ipv4=()))
    assert kept(found) == [("skip", None)]


def test_a_service_that_is_down_skips() -> None:
    """It is tcp's to fail."""
    dead = (attempt(V6, failure=Kind.TIMEOUT), attempt(V4, failure=Kind.TIMEOUT))
    assert kept(fallback(*dead)) == [("skip", None)]


def test_an_unresolved_name_skips() -> None:
    """A Failure of the inputs is told by aaaa."""
    failure = Failure(Kind.SERVFAIL, "why")
    names = ("addresses", "connections", "race", "survey", "predictions")
    facts: dict[str, Any] = dict.fromkeys(names, failure)
    found = judged("fallback", **facts, pings=ANSWERS, path=HERE)
    assert kept(found) == [("skip", None)]


def test_an_aaaa_that_is_never_answered_skips_and_says_who_waits() -> None:
    """That aaaa fails is the one failure; what it costs stands beside."""
    silence = Failure(Kind.TIMEOUT, "no answer", 3000.0)
    found = fallback(attempt(V4), found=addresses(silence, ipv6=()), aaaa_ms=inf)
    assert kept(found) == [("skip", None)]
    assert "see aaaa; " in found[0].message
    assert "wait 15 s to 18 s" in found[0].message
    assert client(found[0], "wget")["connect_ms"] == 15_010.0


def test_a_mapped_aaaa_is_told_for_what_it_is() -> None:
    """Linux connects over IPv4."""
    found = fallback(attempt(V4), found=addresses(ipv6=(), unusable=(MAPPED,)))
    assert kept(found) == [("warn", "dns")]
    assert found[0].message.startswith(f"{MAPPED} connects over IPv4")


def test_other_unusable_addresses_are_those_of_aaaa() -> None:
    """One cause, one failure."""
    found = fallback(attempt(V4), found=addresses(ipv6=(), unusable=("fd00::1",)))
    assert kept(found) == [("skip", None)]
    assert "see aaaa" in found[0].message


# --- the vantage -----------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["no", "broken"])
def test_a_vantage_without_ipv6_is_unknown(state: str) -> None:
    """Law 1: here IPv4 wins against our own IPv6."""
    dead = (attempt(V6, failure=Kind.TIMEOUT), attempt(V4))
    found = fallback(*dead, race=ipv4_wins(), path=Path(state, "no IPv6 here"))
    assert kept(found) == [("unknown", "vantage")]
    assert found[0].message == "no IPv6 here"


def test_a_vantage_without_ipv4_says_nothing_of_clients() -> None:
    """Law 1: that Java would fail from here is no news of the target."""
    attempts = (attempt(V6), attempt(V4, failure=Kind.NO_LOCAL_ROUTE))
    found = fallback(*attempts, race=ipv6_wins())
    assert kept(found) == [("pass", None)]
    assert "clients" not in found[0].evidence


def test_an_ipv6_that_our_own_router_ends_is_unknown() -> None:
    """Law 1: the target has nothing to mend, and need not withdraw its AAAA."""
    found = fallback(attempt(V6, failure=NEAR), attempt(V4), race=ipv4_wins())
    assert kept(found) == [("unknown", "network")]
    for v4 in (NEAR, Kind.TIMEOUT):
        (alone,) = fallback(attempt(V6, failure=NEAR), attempt(V4, failure=v4))
        assert (alone.status, alone.id) == ("unknown", "untried")


def test_a_port_that_is_shut_on_the_way_out_masks_nothing() -> None:
    """By a control of it; where the control answers, the silence is the target's."""
    attempts = (attempt(V6, 25, Kind.TIMEOUT), attempt(V4, 25))
    for answers, ends in ((False, "unknown"), (True, "warn")):
        path = Path("yes", ports=(PortControl(25, 6, answers=answers),))
        (found,) = fallback(*attempts, race=ipv4_wins(port=25), path=path)
        assert found.status == ends
    attempts = (attempt(V6, 25), attempt(V4, 25, Kind.TIMEOUT))
    for answers, ends in ((False, "pass"), (True, "warn")):
        path = Path("yes", ports=(PortControl(25, 4, answers=answers),))
        (found,) = fallback(*attempts, race=ipv6_wins(port=25), path=path)
        assert found.status == ends


# --- IPv6 is broken and IPv4 fallback hides it ------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "heard", "cause", "costs"),
    [
        (Kind.TIMEOUT, ANSWERS, "firewall", "wget, requests and 2 more wait 133 s, chrome 300 ms"),
        (Kind.TIMEOUT, pings(echo(V6, failure=Kind.TIMEOUT)), "network", "wait 133 s"),
        (Kind.TIMEOUT, MAY_NOT_PING, "network", "wait 133 s"),
        (Kind.REFUSED, ANSWERS, "host", "node 18 fails"),
        (said(Kind.PROHIBITED), ANSWERS, "firewall", "node 18 fails"),
    ],
)
def test_a_masked_ipv6_names_who_loses_most(
    failure: Failure | Kind, heard: Pings | Failure, cause: str, costs: str
) -> None:
    """A warning beside the failure of tcp: one cause, one failure."""
    found = fallback(attempt(V6, failure=failure), attempt(V4), race=ipv4_wins(), heard=heard)
    assert kept(found) == [("warn", cause)]
    assert found[0].message.startswith("IPv6 is broken and IPv4 fallback hides it: node 18 ")
    assert costs in found[0].message
    assert "remove the AAAA" in found[0].hint
    assert [row["address"] for row in found[0].evidence["attempts"]] == [V6, V4]
    ends = client(found[0], "node 18")
    assert (ends["outcome"], ends["connect_ms"]) == ("failed", None)


@pytest.mark.parametrize(
    "settings",
    [
        replace(SETTINGS, only=frozenset({"fallback"})),
        replace(SETTINGS, skip=frozenset({"tcp"})),
    ],
)
def test_a_masked_ipv6_fails_where_tcp_is_left_out(settings: Settings) -> None:
    """Nobody else would."""
    dead = (attempt(V6, failure=Kind.TIMEOUT), attempt(V4))
    found = fallback(*dead, race=ipv4_wins(), settings=settings)
    assert kept(found) == [("fail", "firewall")]
    both = replace(settings, only=frozenset({"fallback", "tcp"}), skip=frozenset())
    assert kept(fallback(*dead, race=ipv4_wins(), settings=both)) == [("warn", "firewall")]


def test_each_dead_address_is_waited_for() -> None:
    """A client that tries one address after another waits for all of them."""
    dead = (attempt(V6, failure=Kind.TIMEOUT), attempt(V6B, failure=Kind.TIMEOUT))
    (finding,) = fallback(*dead, attempt(V4), race=ipv4_wins(), heard=MAY_NOT_PING)
    assert "wait 267 s" in finding.message
    assert finding.evidence["sequential_ms"] == pytest.approx(267_200)


def test_what_goes_on_on_other_ports_proves_the_host_alive() -> None:
    """Silence of a host that answers otherwise is a packet filter's."""
    attempts = (attempt(V6, failure=Kind.TIMEOUT), attempt(V4), attempt(V6, 80), attempt(V4, 80))
    found = fallback(*attempts, race=[ipv4_wins(), ipv6_wins(80)], heard=MAY_NOT_PING)
    assert kept(found) == [("warn", "firewall"), ("pass", None)]


# --- IPv6 works, and yet ---------------------------------------------------------------------


def test_ipv6_that_works_but_loses_is_a_warning() -> None:
    """A long way round: by how much, both times, and how many clients use IPv4."""
    slow = (attempt(V6, elapsed_ms=400), attempt(V4, elapsed_ms=20))
    found = fallback(*slow, race=ipv4_wins())
    assert kept(found) == [("warn", None)]
    assert found[0].message == (
        "IPv6 works but loses to IPv4 by 130 ms: 400 ms, IPv4 20 ms; 22 of 32 clients use IPv4"
    )
    assert "shorten the IPv6 path" in found[0].hint


@pytest.mark.parametrize("six_ms", [400.0, 100.0])
def test_a_winner_that_only_a_hint_names(six_ms: float) -> None:
    """HTTPS records may name an address of IPv4 that A does not: it was tried in the race alone."""
    race = Outcome(443, V4B, 270.0, (entrant(V6, 0, "cancelled"), entrant(V4B, 250.0)))
    attempts = (attempt(V6, elapsed_ms=six_ms), attempt(V4, failure=Kind.REFUSED))
    (found,) = fallback(*attempts, race=race)
    assert found.status in {"warn", "unknown"}


def test_a_lost_syn_is_not_a_long_way() -> None:
    """The kernel repeated it after a second: look for loss."""
    lossy = replace(attempt(V6, elapsed_ms=1030), retransmissions=1)
    (finding,) = fallback(lossy, attempt(V4), race=ipv4_wins())
    assert "SYN was lost" in finding.hint


def test_an_order_that_puts_ipv4_first_is_no_fault() -> None:
    """IPv6 had no turn."""
    race = Outcome(443, V4, 12.0, (entrant(V4),))
    assert kept(fallback(attempt(V6), attempt(V4), race=race)) == [("skip", None)]


@pytest.mark.parametrize(
    ("aaaa_ms", "a_ms", "words"),
    [
        (260.0, 10.0, "AAAA is answered 250 ms after A: "),
        (10.0, 2010.0, "A is answered 2.0 s after AAAA: wget, requests and 26 more wait 2.0 s"),
        (10.0, inf, "A is not answered: wget, requests and 24 more fail"),
    ],
)
def test_a_late_answer_that_delays_a_perfect_path(aaaa_ms: float, a_ms: float, words: str) -> None:
    """By whom it is waited for, and how long."""
    found = fallback(attempt(V6), attempt(V4), race=ipv6_wins(), aaaa_ms=aaaa_ms, a_ms=a_ms)
    assert kept(found) == [("warn", "dns")]
    assert found[0].message.startswith(words)


@pytest.mark.parametrize(("aaaa_ms", "a_ms"), [(50.0, 10.0), (10.0, 60.0)])
def test_a_little_late_is_well(aaaa_ms: float, a_ms: float) -> None:
    """Within the resolution delay, or too little to feel."""
    found = fallback(attempt(V6), attempt(V4), race=ipv6_wins(), aaaa_ms=aaaa_ms, a_ms=a_ms)
    assert kept(found) == [("pass", None)]


def test_a_dead_ipv4_is_java_s_loss() -> None:
    """Who tries one address alone takes that of IPv4."""
    found = fallback(attempt(V6), attempt(V4, failure=Kind.TIMEOUT), race=ipv6_wins())
    assert kept(found) == [("warn", "firewall")]
    assert found[0].message.startswith(
        "IPv4 is dead: java http, java urlconnection and netty fail, apache httpclient waits 133 s"
    )


def test_node_gives_a_long_way_up() -> None:
    """Node 20 to 24 leave IPv6 after 250 ms, and there is nothing else."""
    attempts = (attempt(V6, elapsed_ms=400), attempt(V4, failure=Kind.REFUSED))
    found = fallback(*attempts, race=Outcome(443, V6, 401.0, (entrant(V6),)))
    assert kept(found) == [("warn", "host")]
    assert found[0].message.startswith("IPv4 is dead: node 20, java http and 3 more fail")


def test_a_dead_address_before_a_good_one_stalls_clients() -> None:
    """Go, Chrome and Firefox stay with a family, others with an address."""
    dead = (attempt(V6, failure=Kind.TIMEOUT), attempt(V6B), attempt(V4, failure=Kind.REFUSED))
    race = Outcome(443, V6B, 262.0, (entrant(V6, 0, "cancelled"), entrant(V6B, 250.0)))
    found = fallback(*dead, race=race)
    assert kept(found) == [("warn", "firewall")]
    assert found[0].message.startswith("1 of 2 IPv6 and 1 of 1 IPv4 addresses are dead: ")
    assert client(found[0], "go")["connect_ms"] > 10_000


@pytest.mark.parametrize("failure", [Kind.TIMEOUT, Kind.REFUSED])
def test_a_dead_first_address_lets_ipv4_win(failure: Kind) -> None:
    """The one that works had no turn."""
    attempts = (attempt(V6, failure=failure), attempt(V6B), attempt(V4))
    found = fallback(*attempts, race=ipv4_wins())
    assert [finding.status for finding in found] == ["warn"]
    assert found[0].message.startswith("1 of 2 IPv6 addresses is dead: node 18")


def test_a_dead_second_ipv4_is_told_too() -> None:
    """Java's only address may be the dead one."""
    attempts = (attempt(V6), attempt(V4, failure=Kind.TIMEOUT), attempt(V4B))
    found = fallback(*attempts, race=ipv6_wins())
    assert found[0].message.startswith("1 of 2 IPv4 addresses is dead: java http")


def test_a_race_that_nobody_wins_though_something_accepts() -> None:
    """What answers one time and not the next cannot be judged by one race."""
    race = Outcome(443, None, 3250.0, (entrant(V6, 0, "timeout"), entrant(V4, 250.0, "timeout")))
    assert kept(fallback(attempt(V6), attempt(V4), race=race)) == [("unknown", "network")]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("refused", "and is refused the second time: a rate limit?"),
        ("timeout", "but not the second time (timeout): a rate limit, or loss?"),
        ("cancelled", "in 10 ms, but not within 270 ms the second time: a rate limit, or loss?"),
    ],
)
def test_an_ipv6_that_connects_only_once_is_unsteady(outcome: str, words: str) -> None:
    """It did not lose by a time, least of all by its first one."""
    race = Outcome(443, V4, 270.0, (entrant(V6, 0, outcome), entrant(V4, 250.0)))
    (found,) = fallback(attempt(V6), attempt(V4), race=race)
    assert (found.status, found.cause, found.id) == ("unknown", "network", "unsteady")
    assert found.message == f"{V6} connects the first time {words}"
    assert "limit" in found.hint


def test_a_race_that_this_host_ended_is_no_rate_limit() -> None:
    """Law 1: its route was away for a moment."""
    race = Outcome(443, V4, 12.0, (entrant(V6, 0, "no-local-route"), entrant(V4, 1.0)))
    (found,) = fallback(attempt(V6), attempt(V4), race=race)
    assert found.status == "pass"
    assert "rate limit" not in found.message


def test_an_ipv6_that_is_refused_and_wins_by_another_address_is_well() -> None:
    """Nobody ends on IPv4."""
    attempts = (attempt(V6), attempt(V6B), attempt(V4))
    race = Outcome(443, V6B, 2.0, (entrant(V6, 0, "refused"), entrant(V6B, 1.0)))
    assert kept(fallback(*attempts, race=race)) == [("pass", None)]


@pytest.mark.parametrize(
    ("six_ms", "four_ms", "started_ms", "status"),
    [
        (265.0, 240.0, 10.0, "pass"),
        (265.0, 1.0, 259.0, "warn"),
        (100.0, 20.0, 50.0, "pass"),  # IPv6 would have won: our own queue made it wait
        (400.0, 20.0, 250.0, "warn"),
    ],
)
def test_a_margin_that_nobody_feels_is_no_finding(
    six_ms: float, four_ms: float, started_ms: float, status: str
) -> None:
    """Lost by less than anybody feels, to an IPv4 that is not much faster itself."""
    ended_ms = started_ms + four_ms
    race = Outcome(443, V4, ended_ms, (entrant(V6, 0, "cancelled"), entrant(V4, started_ms)))
    attempts = (attempt(V6, elapsed_ms=six_ms), attempt(V4, elapsed_ms=four_ms))
    (found,) = fallback(*attempts, race=race)
    assert found.status == status
    if status == "pass":
        assert found.message == (
            f"IPv6 connects in {six_ms:.0f} ms, IPv4 in {four_ms:.0f} ms, which won this race"
        )


# --- the resolver's luck ---------------------------------------------------------------------

ALONE = replace(SETTINGS, only=frozenset({"fallback"}))
HALF = (attempt(V6, failure=Kind.TIMEOUT), attempt(V6B), attempt(V4))
EQUAL = ((V6, V6B),)


def half_dead(winner: str) -> Outcome:
    """The race by either order of the answer."""
    if winner == V6B:
        order = (V6B, V6, V4)
        return Outcome(443, V6B, 12.0, (entrant(V6B),), order=order, equal=EQUAL)
    entrants = (entrant(V6, 0, "cancelled"), entrant(V4, 250.0))
    return Outcome(443, V4, 270.0, entrants, order=(V6, V6B, V4), equal=EQUAL)


@pytest.mark.parametrize("winner", [V6B, V4])
def test_a_dead_address_says_how_often_it_is_met(winner: str) -> None:
    """Whichever order the resolver gave this time, the finding is the same."""
    (found,) = fallback(*HALF, race=half_dead(winner), equal=EQUAL)
    assert (found.status, found.cause) == ("warn", "firewall")
    assert found.message == (
        "1 of 2 IPv6 addresses is dead: in 1 of 2 orders of the answer "
        "node 18 and dotnet fail, wget, requests and 2 more wait 133 s, chrome 300 ms"
    )
    assert [row["connect_ms"] for row in client(found, "wget")["orders"]] == [133_611.0, 11.0]
    assert {row["family"] for row in found.evidence["race_orders"]} == {"ipv6", "ipv4"}


def test_an_order_that_is_fixed_is_no_luck() -> None:
    """The same addresses, told apart by RFC 6724."""
    (found,) = fallback(*HALF, race=ipv4_wins())
    assert "orders" not in found.message
    assert "race_orders" not in found.evidence
    assert "orders" not in client(found, "wget")


@pytest.mark.parametrize("winner", [V6B, V4])
@pytest.mark.parametrize("equal", [EQUAL, ()])
def test_a_dead_address_fails_where_tcp_is_left_out(
    winner: str, equal: tuple[tuple[str, ...], ...]
) -> None:
    """Law 3, and nobody else would say so: whoever meets it, and whoever does not."""
    race = replace(half_dead(winner), equal=equal)
    (found,) = fallback(*HALF, race=race, equal=equal, settings=ALONE)
    assert (found.status, found.cause, found.id) == ("fail", "firewall", "stalled")
    assert found.message.startswith("1 of 2 IPv6 addresses is dead")
    assert V6 in found.hint
    assert "see tcp" not in found.message + found.hint


def test_a_late_answer_does_not_hide_a_dead_address() -> None:
    """What fails goes before what is only late."""
    race = half_dead(V6B)
    (found,) = fallback(*HALF, race=race, equal=EQUAL, settings=ALONE, aaaa_ms=400.0)
    assert (found.status, found.id) == ("fail", "stalled")


def test_a_dead_address_fails_where_this_host_has_no_ipv4() -> None:
    """Of clients that have IPv4 nothing is known; of the address it is."""
    attempts = (
        attempt(V6, failure=Kind.TIMEOUT),
        attempt(V6B),
        attempt(V4, failure=Kind.NO_LOCAL_ROUTE),
    )
    (found,) = fallback(*attempts, race=half_dead(V6B), equal=EQUAL, settings=ALONE)
    assert (found.status, found.message) == ("fail", "1 of 2 IPv6 addresses is dead")


def test_an_address_behind_our_own_router_s_no_is_not_known() -> None:
    """Law 1."""
    attempts = (attempt(V6, failure=NEAR), attempt(V6B), attempt(V4))
    (found,) = fallback(*attempts, race=half_dead(V6B), equal=EQUAL, settings=ALONE)
    assert (found.status, found.cause, found.id) == ("unknown", "vantage", "untried")
    third = attempt("2001:470::3", failure=Kind.REFUSED)
    (found,) = fallback(*attempts, third, race=half_dead(V6B), settings=ALONE)
    assert (found.status, found.cause) == ("fail", "host")
    assert found.hint.endswith(third.address)


def test_a_dead_ipv4_address_alone_does_not_fail() -> None:
    """It is no fault of IPv6."""
    attempts = (attempt(V6), attempt(V4, failure=Kind.TIMEOUT), attempt(V4B))
    (found,) = fallback(*attempts, race=ipv6_wins(), settings=ALONE)
    assert found.status == "warn"


def test_a_slow_address_loses_at_times() -> None:
    """Both work, and the race is lost where the slow one comes first."""
    attempts = (attempt(V6, elapsed_ms=600), attempt(V6B), attempt(V4))
    (found,) = fallback(*attempts, race=half_dead(V6B), equal=EQUAL)
    assert (found.status, found.id) == ("warn", "slow")
    assert found.message == (
        "IPv6 works but loses to IPv4 in 1 of 2 orders of the answer: "
        "its addresses take 10 ms to 600 ms"
    )


def test_a_tls_that_hangs_at_one_address_is_met_by_luck() -> None:
    """Clients are stuck where it comes first."""
    tls: dict[str, Tls] = {V6: "silent", V6B: "ok", V4: "ok"}
    attempts = (attempt(V6), attempt(V6B), attempt(V4))
    (found,) = fallback(*attempts, race=ipv6_wins(), tls=tls, equal=EQUAL)
    assert found.id == "stuck"
    assert found.message.endswith("v3, in 1 of 2 orders of the answer")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (answer(NAME, "A", rcode="NXDOMAIN"), "no race: the name does not exist, see aaaa"),
        (answer(NAME, "A"), "no race: there is no address to connect to, see aaaa"),
        (Failure(Kind.SERVFAIL, "why"), "no race: the name cannot be resolved, see aaaa"),
    ],
)
def test_a_name_without_any_address_is_not_of_one_family(
    said: Answer | Failure, words: str
) -> None:
    """It is said why there is nothing to race to."""
    found = fallback(found=replace(addresses(ipv6=(), ipv4=()), a=said, aaaa=said))
    assert [(finding.status, finding.id, finding.message) for finding in found] == [
        ("skip", "no-race", words)
    ]


# --- TLS -------------------------------------------------------------------------------------

PAIR = (attempt(V6), attempt(V4))


@pytest.mark.parametrize(("ended", "word"), [("silent", "hangs"), ("failed", "fails")])
def test_nobody_goes_back_from_tls(ended: Tls, word: str) -> None:
    """Where TCP has chosen IPv6 and TLS is dead there, clients are stuck, and they are named."""
    (found,) = fallback(*PAIR, race=ipv6_wins(), tls={V6: ended, V4: "ok"})
    assert (found.status, found.cause) == ("warn", "application")
    assert found.message.startswith(
        f"TCP connects over IPv6, TLS {word}, and clients do not fall back: wget, requests and "
    )
    assert found.message.endswith("clients are stuck, all but Happy Eyeballs v3")
    assert client(found, "wget")["outcome"] == "failed"
    assert client(found, "java http")["family"] == "ipv4"
    told = {row["address"]: (row["tls"], row["tls_ms"]) for row in found.evidence["survey"]}
    assert told == {V6: (ended, 20.0), V4: ("ok", 20.0)}


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        (SETTINGS, "warn"),
        (replace(SETTINGS, only=frozenset({"fallback"})), "fail"),
        (replace(SETTINGS, skip=frozenset({"tls"})), "fail"),
    ],
)
def test_a_dead_tls_fails_once(settings: Settings, status: str) -> None:
    """That is for tls to say, and for fallback where tls is left out."""
    tls: dict[str, Tls] = {V6: "silent", V4: "ok"}
    found = fallback(*PAIR, race=ipv6_wins(), tls=tls, settings=settings)
    assert [finding.status for finding in found] == [status]


def test_a_dead_tls_over_ipv4() -> None:
    """Clients that know IPv4 first are stuck; that is no fault of IPv6."""
    settings = replace(SETTINGS, only=frozenset({"fallback"}))
    tls: dict[str, Tls] = {V6: "ok", V4: "silent"}
    (found,) = fallback(*PAIR, race=ipv6_wins(), tls=tls, settings=settings)
    assert (found.status, found.cause) == ("warn", "application")
    assert found.message.startswith(
        "TCP connects over IPv4, TLS hangs, and clients do not fall back: java"
    )


def test_a_second_address_without_tls_hurts_nobody() -> None:
    """Clients end on the first one, and tls names the other."""
    attempts = (attempt(V6), attempt(V6B), attempt(V4))
    tls: dict[str, Tls] = {V6: "ok", V6B: "silent", V4: "ok"}
    found = fallback(*attempts, race=ipv6_wins(), tls=tls)
    assert kept(found) == [("pass", None)]


def test_no_tls_at_all() -> None:
    """Who wins a race for nothing is not told: tls says that the service is down."""
    for race in (ipv6_wins(), Outcome(443, None, 3000.0, ())):
        found = fallback(*PAIR, race=race, tls={V6: "silent", V4: "failed"})
        assert kept(found) == [("skip", None)]
        assert found[0].message.endswith("see tls")


def test_a_port_without_tls_is_another_matter() -> None:
    """On 80 all is well, and both are told."""
    attempts = (*PAIR, attempt(V6, 80), attempt(V4, 80))
    races = [ipv6_wins(), ipv6_wins(80)]
    found = fallback(*attempts, race=races, tls={V6: "silent", V4: "ok"})
    assert [(finding.status, finding.subject) for finding in found] == [
        ("warn", "port 443"),
        ("pass", "port 80"),
    ]


def test_the_trace_of_v3() -> None:
    """When TLS began, and what the HTTPS records said, is in the evidence."""
    stuck = replace(entrant(V6, 0, "cancelled"), tls_started_ms=11.0)
    won = replace(entrant(V4, 250.0), tls_started_ms=262.0)
    service = Service(1, ".", ("h2", "http/1.1"), None, (V6,))
    race = Outcome(443, V4, 270.0, (stuck, won), HAPPY_V3, services=(service,))
    (found,) = fallback(*PAIR, race=race, tls={V6: "silent", V4: "ok"})
    assert found.status == "warn"
    assert [row["tls_started_ms"] for row in found.evidence["attempts"]] == [11.0, 262.0]
    assert found.evidence["services"] == [
        {
            "priority": 1,
            "target": ".",
            "alpn": ("h2", "http/1.1"),
            "port": None,
            "hints": (V6,),
        }
    ]
