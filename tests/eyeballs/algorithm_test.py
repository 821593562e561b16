"""The core: its rules, for any client and any world, and RFC 8305's own words."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipv6check.eyeballs.algorithm import Cancel, Connect, Done, Query, Race, RaceActions, WaitUntil
from ipv6check.eyeballs.clients import load
from ipv6check.eyeballs.policy import ALGORITHMS, HAPPY_V3, RFC6555, RFC8305, Policy

SIX = tuple(f"2001:470::{n}" for n in range(1, 10))
FOUR = tuple(f"192.0.33.{n}" for n in range(1, 10))
RANK = {address: place for place, address in enumerate(SIX + FOUR)}

# What an address does: connects (True) or fails after so many ms; None is silence.
Host = tuple[bool, float] | None


@dataclass
class Play:
    """A race in a world: what became of every attempt, and when."""

    policy: Policy
    hosts: dict[str, Host]
    answers: dict[str, tuple[tuple[str, ...], float]]
    now_ms: float = 0.0
    wake_ms: float = inf
    asked: list[tuple[str, float]] = field(default_factory=list)
    attempts: dict[int, Connect] = field(default_factory=dict)
    started: dict[int, float] = field(default_factory=dict)
    closed: dict[int, tuple[float, str]] = field(default_factory=dict)
    done: Done | None = None

    def __post_init__(self) -> None:
        self.race = Race(self.policy, RANK)
        self.due: list[tuple[float, int, str, object]] = []
        self.obey(self.race.start(0.0))
        for _ in range(1000):
            if self.done or not self.step():
                break

    def obey(self, actions: RaceActions) -> None:
        """Do what the core says, and hold it to its promises."""
        for action in actions:
            assert self.done is None, "nothing follows Done"
            match action:
                case Query(rdtype):
                    self.asked.append((rdtype, self.now_ms))
                    after_ms = self.answers.get(rdtype, ((), 1.0))[1]
                    self.plan(after_ms, "answer", rdtype)
                case Connect(number, address):
                    assert number == len(self.attempts)
                    self.attempts[number] = action
                    self.started[number] = self.now_ms
                    host = self.hosts.get(address)
                    if host is not None:
                        self.plan(host[1], "connected" if host[0] else "failed", number)
                case Cancel(number, why):
                    self.close(number, why)
                case WaitUntil(at_ms):
                    assert at_ms > self.now_ms, "what is due is done"
                    self.wake_ms = at_ms
                case Done():
                    self.done = action

    def plan(self, after_ms: float, what: str, whose: object) -> None:
        """Let something happen later, unless it never does."""
        if after_ms < inf:
            self.due.append((self.now_ms + after_ms, len(self.due), what, whose))

    def close(self, number: int, why: str) -> None:
        """An attempt is over, once."""
        assert number in self.attempts
        assert number not in self.closed
        self.closed[number] = (self.now_ms, why)

    def step(self) -> bool:
        """The next thing that happens; False where nothing ever will."""
        coming = min(self.due, default=None)
        if coming is None and self.wake_ms == inf:
            return False
        if coming is None or self.wake_ms < coming[0]:
            self.now_ms, self.wake_ms = self.wake_ms, inf
            self.obey(self.race.tick(self.now_ms))
            return True
        self.due.remove(coming)
        self.now_ms, _, what, whose = coming
        if what == "answer":
            addresses = self.answers.get(str(whose), ((), 0.0))[0]
            self.obey(self.race.answered(str(whose), addresses, self.now_ms))
            return True
        number = int(str(whose))
        if number not in self.closed:
            self.close(number, what)
        tell = self.race.succeeded if what == "connected" else self.race.failed
        self.obey(tell(number, self.now_ms))
        return True

    def story(self) -> list[tuple[str, str, float]]:
        """Which address was tried, why and when."""
        return [(a.address, a.why, self.started[n]) for n, a in self.attempts.items()]


def play(
    policy: Policy,
    six: list[Host],
    four: list[Host],
    *,
    aaaa_ms: float = 0.0,
    a_ms: float = 0.0,
    hints: tuple[str, ...] = (),
    https_ms: float = 0.0,
) -> Play:
    """A race between so many hosts of each family; a hint that is none of them is silent."""
    hosts = dict(zip(SIX, six, strict=False)) | dict(zip(FOUR, four, strict=False))
    answers = {"AAAA": (SIX[: len(six)], aaaa_ms), "A": (FOUR[: len(four)], a_ms)}
    return Play(policy, hosts, answers | {"HTTPS": (hints, https_ms)})


OK: Host = (True, 10.0)
NO: Host = (False, 10.0)
SLOW: Host = (True, 5000.0)
HOSTS = st.lists(
    st.one_of(st.none(), st.tuples(st.booleans(), st.integers(0, 3000).map(float))), max_size=5
)
HINTS = st.lists(st.sampled_from(SIX[:3] + FOUR[:3]), max_size=4, unique=True).map(tuple)
TIMES = st.one_of(st.integers(0, 700).map(float), st.just(inf))
DELAYS = st.one_of(st.integers(10, 2000).map(float), st.just(inf))
POLICIES = st.one_of(
    st.sampled_from([client.policy for client in load()]),
    st.sampled_from(sorted(ALGORITHMS)).map(ALGORITHMS.__getitem__),
    st.builds(
        Policy,
        queries=st.sampled_from(["parallel", "sequential"]),
        resolution_delay_ms=TIMES,
        a_delay_ms=TIMES,
        https_delay_ms=st.none() | TIMES,
        dns_timeout_ms=DELAYS,
        needs_a=st.booleans(),
        prefer=st.sampled_from(["os", "ipv6", "ipv4"]),
        interleave=st.sampled_from(["none", "alternate", "second"]),
        first_address_family_count=st.integers(1, 3),
        addresses_max=st.integers(0, 3),
        connection_attempt_delay_ms=DELAYS,
        kick=st.sampled_from(["latest", "idle"]),
        fallback_delay_ms=st.none() | TIMES,
        lane_end_kicks=st.booleans(),
        poll_ms=st.sampled_from([0.0, 1000.0]),
        own_ms=st.sampled_from([0.0, 35.0]),
        alive_max=st.integers(0, 3),
        at_once_max=st.integers(0, 3),
        after_failure=st.sampled_from(["next", "same"]),
        attempt_timeout_ms=DELAYS,
        last_unlimited=st.booleans(),
        share=st.sampled_from(["none", "equal", "half"]),
        share_min_ms=st.sampled_from([0.0, 200.0]),
        connect_timeout_ms=DELAYS,
        timeout_covers_dns=st.booleans(),
        retry=st.sampled_from(["none", "same", "leftovers"]),
    ),
)


@pytest.mark.slow
@settings(deadline=None, max_examples=400)
@given(POLICIES, HOSTS, HOSTS, TIMES, TIMES, HINTS, TIMES)
def test_rules_of_every_client(
    policy: Policy,
    six: list[Host],
    four: list[Host],
    aaaa_ms: float,
    a_ms: float,
    hints: tuple[str, ...],
    https_ms: float,
) -> None:
    """Whatever the client and the world, the core keeps its promises."""
    world = {"aaaa_ms": aaaa_ms, "a_ms": a_ms, "https_ms": https_ms}
    played = play(policy, six, four, hints=hints, **world)
    over = played.done is not None
    assert all(one <= other for one, other in pairwise(played.started.values()))
    if over:
        assert played.closed.keys() == played.attempts.keys(), "every attempt is closed"
        assert played.race.tick(played.now_ms + 1.0) == ()
        assert played.race.answered("AAAA", SIX, played.now_ms + 1.0) == ()
    else:
        waits_for = [n for n in played.attempts if n not in played.closed]
        assert waits_for or inf in {aaaa_ms, a_ms, https_ms}, "it waits for something"
    connected = [(at, n) for n, (at, why) in played.closed.items() if why == "connected"]
    if connected:
        first_ms, winner = min(connected)
        assert played.done == Done(winner, "connected")
        assert first_ms == played.now_ms
        assert all(at <= first_ms for at in played.started.values()), "none after success"
    assert play(policy, six, four, hints=hints, **world).story() == played.story()


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from([RFC8305, HAPPY_V3, replace(RFC8305, connection_attempt_delay_ms=100.0)]),
    HOSTS,
    HOSTS,
    TIMES,
    TIMES,
    HINTS,
)
def test_spacing(
    policy: Policy,
    six: list[Host],
    four: list[Host],
    aaaa_ms: float,
    a_ms: float,
    hints: tuple[str, ...],
) -> None:
    """Attempts are a delay apart, or the latest has failed; no address is tried twice."""
    played = play(policy, six, four, aaaa_ms=aaaa_ms, a_ms=a_ms, hints=hints)
    tried = [attempt.address for attempt in played.attempts.values()]
    assert len(tried) == len(set(tried))
    for one, other in pairwise(played.attempts.values()):
        gap = played.started[other.attempt] - played.started[one.attempt]
        ended_ms, why = played.closed.get(one.attempt, (inf, ""))
        if why == "failed" and ended_ms <= played.started[other.attempt]:
            assert other.why in {"failure", "answer", "timer"}
        else:
            assert gap >= policy.connection_attempt_delay_ms
        if other.why == "timer":
            assert gap == policy.connection_attempt_delay_ms


@given(HOSTS, HOSTS)
def test_order_is_stable(six: list[Host], four: list[Host]) -> None:
    """With both answers there, addresses are tried in the order of the list, whatever they do."""
    six, four = six or [None], four or [None]
    played = play(RFC8305, six, four)
    every = play(RFC8305, [None] * len(six), [None] * len(four))
    order = [attempt.address for attempt in every.attempts.values()]
    tried = [attempt.address for attempt in played.attempts.values()]
    assert tried == order[: len(tried)]
    assert len(order) == len(six) + len(four)


# --- RFC 8305 --------------------------------------------------------------------------------


def test_queries_go_back_to_back() -> None:
    """AAAA first, A immediately after it, and nobody waits for the other (section 3)."""
    assert play(RFC8305, [OK], [OK]).asked == [("AAAA", 0.0), ("A", 0.0)]


@pytest.mark.parametrize(
    ("aaaa_ms", "a_ms", "expected"),
    [
        (20.0, 30.0, [(SIX[0], "first", 20.0)]),
        (30.0, 20.0, [(SIX[0], "first", 30.0)]),
        (70.0, 20.0, [(SIX[0], "first", 70.0)]),
        (71.0, 20.0, [(FOUR[0], "first", 70.0)]),
        (inf, 20.0, [(FOUR[0], "first", 70.0)]),
        (20.0, inf, [(SIX[0], "first", 20.0)]),
    ],
)
def test_resolution_delay(
    aaaa_ms: float, a_ms: float, expected: list[tuple[str, str, float]]
) -> None:
    """AAAA starts at once; after A, AAAA has the resolution delay of 50 ms (section 3)."""
    assert play(RFC8305, [OK], [OK], aaaa_ms=aaaa_ms, a_ms=a_ms).story() == expected


def test_a_negative_answer_ends_the_wait() -> None:
    """Where AAAA says that there is none, IPv4 starts at once (section 3)."""
    played = play(RFC8305, [], [OK], aaaa_ms=5.0, a_ms=1.0)
    assert played.story() == [(FOUR[0], "first", 5.0)]


def test_nothing_to_connect_to() -> None:
    """A name without addresses ends the race, without an attempt."""
    assert play(RFC8305, [], [], aaaa_ms=5.0).done == Done(None, "resolver")


def test_a_late_answer_joins() -> None:
    """Addresses that come later are sorted into those that were not tried yet (section 6)."""
    played = play(RFC8305, [None, None], [None, None, OK], aaaa_ms=400.0)
    assert [address for address, _, _ in played.story()] == [
        *(FOUR[0], FOUR[1]),
        *(SIX[0], SIX[1], FOUR[2]),
    ]
    assert [why for _, why, _ in played.story()] == ["first", *["timer"] * 4]


def test_a_late_answer_starts_where_all_have_failed() -> None:
    """Nothing is left to be waited for then."""
    played = play(RFC8305, [OK], [NO], aaaa_ms=400.0)
    assert played.story() == [(FOUR[0], "first", 50.0), (SIX[0], "answer", 400.0)]


@pytest.mark.parametrize(
    ("count", "order"),
    [(1, "6 4 6 4 6"), (2, "6 6 4 6 4"), (3, "6 6 6 4 4")],
)
def test_first_address_family_count(count: int, order: str) -> None:
    """One address of the leading family, or more, then alternately (section 4)."""
    policy = replace(RFC8305, first_address_family_count=count)
    played = play(policy, [None] * 3, [None] * 2)
    assert order == " ".join("6" if ":" in address else "4" for address, _, _ in played.story())


def test_attempts_are_250_ms_apart() -> None:
    """Silence costs the connection attempt delay, and the earlier attempt goes on (section 5)."""
    played = play(RFC8305, [(True, 300.0)], [(True, 100.0)])
    assert played.story() == [(SIX[0], "first", 0.0), (FOUR[0], "timer", 250.0)]
    assert played.done == Done(0, "connected")
    assert played.closed[1] == (300.0, "lost")


def test_the_next_starts_at_once_when_the_latest_fails() -> None:
    """A refusal costs its round trip; an earlier attempt's failure leaves the timer alone."""
    assert play(RFC8305, [NO], [OK]).story()[1] == (FOUR[0], "failure", 10.0)
    played = play(RFC8305, [(False, 300.0), OK], [None])
    assert played.story()[2] == (SIX[1], "timer", 500.0)


# --- draft-ietf-happy-happyeyeballs-v3 ---------------------------------------------------------


def test_https_is_asked_for_first() -> None:
    """HTTPS, AAAA and A, back to back."""
    assert play(HAPPY_V3, [OK], [OK]).asked == [("HTTPS", 0.0), ("AAAA", 0.0), ("A", 0.0)]


@pytest.mark.parametrize(
    ("aaaa_ms", "a_ms", "https_ms", "expected"),
    [
        (10.0, 10.0, 30.0, (SIX[0], 30.0)),
        (10.0, 10.0, inf, (SIX[0], 60.0)),
        (10.0, inf, 10.0, (SIX[0], 10.0)),
        (inf, 10.0, 10.0, (FOUR[0], 60.0)),
    ],
)
def test_what_v3_waits_for(
    aaaa_ms: float, a_ms: float, https_ms: float, expected: tuple[str, float]
) -> None:
    """For service information and the preferred family, or for the resolution delay; not for A."""
    played = play(HAPPY_V3, [OK], [OK], aaaa_ms=aaaa_ms, a_ms=a_ms, https_ms=https_ms)
    assert [(address, at_ms) for address, _, at_ms in played.story()] == [expected]


def test_a_hint_stands_in_for_an_address() -> None:
    """Until A and AAAA are there, the race begins with what the HTTPS record says."""
    hints = (SIX[0], FOUR[0])
    played = play(HAPPY_V3, [OK], [OK], hints=hints, https_ms=30.0, aaaa_ms=500.0, a_ms=500.0)
    assert played.story() == [(SIX[0], "first", 30.0)]
    late = play(HAPPY_V3, [OK], [OK], hints=hints[1:], https_ms=30.0, aaaa_ms=500.0, a_ms=500.0)
    assert late.story() == [(FOUR[0], "first", 80.0)]


@pytest.mark.parametrize("six", [[None, OK], []])
def test_records_replace_hints(six: list[Host]) -> None:
    """A hint that the name's own answer does not have is tried no more (RFC 9460 section 7.3)."""
    hints = (SIX[5], SIX[6], SIX[7])
    played = play(HAPPY_V3, six, [OK], hints=hints, aaaa_ms=100.0, a_ms=400.0)
    tried = [address for address, _, _ in played.story()]
    assert tried[0] == SIX[5]
    assert not {SIX[6], SIX[7]} & set(tried)
    assert played.done is not None
    assert played.done.why == "connected"


def test_an_answer_before_the_hint() -> None:
    """A family that is answered for needs no hint; what comes late changes nothing for it."""
    played = play(HAPPY_V3, [None], [None], hints=(SIX[5], FOUR[5]), https_ms=20.0, a_ms=40.0)
    assert [address for address, _, _ in played.story()] == [SIX[0], FOUR[0]]


def test_tls_has_a_delay_of_its_own() -> None:
    """TCP's end puts off the next attempt; that of an earlier attempt does not."""
    race = Race(HAPPY_V3, RANK)
    race.start(0.0)
    for rdtype, addresses in (("HTTPS", ()), ("AAAA", SIX[:2]), ("A", FOUR[:1])):
        race.answered(rdtype, addresses, 0.0)
    assert race.connected(0, 200.0) == (WaitUntil(450.0),)
    assert race.tick(250.0) == (WaitUntil(450.0),)
    assert race.tick(450.0) == (Connect(1, FOUR[0], "timer"), WaitUntil(700.0))
    assert race.connected(0, 460.0) == ()
    assert race.succeeded(0, 480.0) == (Cancel(1, "lost"), Done(0, "connected"))
    assert race.connected(1, 490.0) == ()


# --- what other clients do otherwise -----------------------------------------------------------


def test_idle_waits_for_the_timer() -> None:
    """With anything in flight a failure starts nothing."""
    policy = replace(RFC8305, kick="idle")
    assert play(policy, [None, OK], [NO]).story()[2] == (SIX[1], "timer", 500.0)
    assert play(policy, [NO], [OK]).story()[1] == (FOUR[0], "failure", 10.0)


def test_two_families_race() -> None:
    """Each family has a list of its own; the second begins by the timer (RFC 6555)."""
    played = play(RFC6555, [None, OK], [None, OK])
    assert played.story() == [(SIX[0], "first", 0.0), (FOUR[0], "timer", 250.0)]
    played = play(RFC6555, [NO, None], [(False, 20.0), OK])
    assert played.story() == [
        (SIX[0], "first", 0.0),
        (SIX[1], "failure", 10.0),
        (FOUR[0], "timer", 250.0),
        (FOUR[1], "failure", 270.0),
    ]
    played = play(RFC6555, [NO, NO], [OK])
    assert played.story()[2] == (FOUR[0], "failure", 20.0)


def test_the_end_of_a_lane() -> None:
    """Where it kicks, the other family's next address is tried at once."""
    policy = replace(RFC6555, lane_end_kicks=True)
    assert play(policy, [None, OK], [NO]).story()[2] == (SIX[1], "failure", 260.0)
    assert len(play(RFC6555, [None, OK], [NO]).story()) == 2


def test_two_at_once() -> None:
    """A third address waits until one of two attempts has ended (Chromium)."""
    policy = replace(RFC8305, connection_attempt_delay_ms=300.0, at_once_max=2)
    played = play(policy, [(False, 7000.0), OK], [None])
    assert played.story()[1:] == [(FOUR[0], "timer", 300.0), (SIX[1], "timer", 7000.0)]
    played = play(policy, [None, OK], [NO])
    assert played.story()[1:] == [(FOUR[0], "timer", 300.0), (SIX[1], "failure", 310.0)]


def test_the_same_family_after_a_failure() -> None:
    """Where IPv6 fails the next is IPv6, too; where it is slow, it is IPv4 (HappyEyeballsV3)."""
    policy = replace(RFC8305, after_failure="same")
    assert play(policy, [NO, OK], [OK]).story()[1] == (SIX[1], "failure", 10.0)
    assert play(policy, [None, OK], [OK]).story()[1] == (FOUR[0], "timer", 250.0)
    assert play(policy, [NO], [OK]).story()[1] == (FOUR[0], "failure", 10.0)


def test_one_by_one_with_an_end_of_each() -> None:
    """Each attempt is cancelled after 250 ms, the last one is not (Node)."""
    policy = Policy(attempt_timeout_ms=250.0, last_unlimited=True, interleave="alternate")
    played = play(policy, [SLOW], [SLOW])
    assert played.closed == {0: (250.0, "timeout"), 1: (5250.0, "connected")}


def test_equal_shares() -> None:
    """An attempt gets what is left, divided by the addresses to come (Go)."""
    policy = Policy(share="equal", share_min_ms=2000.0, connect_timeout_ms=30_000.0)
    played = play(policy, [None] * 3, [])
    assert [at for at, _ in played.closed.values()] == [10_000.0, 20_000.0, 30_000.0]
    short = replace(policy, connect_timeout_ms=5000.0)
    played = play(short, [None] * 3, [])
    assert [at for at, _ in played.closed.values()] == [2000.0, 4000.0, 5000.0]
    assert played.done == Done(None, "timeout")


def test_half_of_what_is_left() -> None:
    """An attempt gets half of it while more are to come (curl)."""
    policy = Policy(share="half", connect_timeout_ms=300_000.0)
    played = play(policy, [None] * 3, [])
    assert [at for at, _ in played.closed.values()] == [150_000.0, 225_000.0, 300_000.0]


def test_no_more_than_so_many_alive() -> None:
    """The oldest attempt makes way for the next."""
    played = play(replace(RFC8305, alive_max=2), [None, None], [None, OK])
    assert played.closed[0] == (500.0, "crowded")
    assert [number for number, (_, why) in played.closed.items() if why == "crowded"] == [0, 1]


def test_the_whole_has_an_end() -> None:
    """It counts from the first question, or from the first attempt."""
    policy = replace(RFC8305, connect_timeout_ms=1000.0)
    played = play(policy, [None], [], aaaa_ms=300.0)
    assert (played.now_ms, played.done) == (1000.0, Done(None, "timeout"))
    played = play(replace(policy, timeout_covers_dns=False), [None], [], aaaa_ms=300.0)
    assert (played.now_ms, played.done) == (1300.0, Done(None, "timeout"))
    assert play(policy, [OK], [], aaaa_ms=1200.0).done == Done(None, "timeout")


def test_again_with_the_leftovers() -> None:
    """A race that is lost is run again without the first address of each family (aiohttp)."""
    played = play(replace(RFC8305, retry="leftovers"), [NO, NO], [NO, NO])
    assert [address for address, _, _ in played.story()] == [
        *(SIX[0], FOUR[0], SIX[1], FOUR[1]),
        *(SIX[1], FOUR[1]),
    ]
    assert played.done == Done(None, "failed")


def test_the_same_again() -> None:
    """One address is tried twice (java.net.http)."""
    played = play(Policy(addresses_max=1, retry="same"), [NO], [OK])
    assert played.story() == [(SIX[0], "first", 0.0), (SIX[0], "failure", 10.0)]
    assert played.now_ms == 20.0


def test_a_question_in_vain() -> None:
    """A glibc client fails where A is not answered, and goes on where AAAA is not."""
    assert play(Policy(), [OK], [], a_ms=inf).done == Done(None, "resolver")
    assert play(Policy(), [], [OK], aaaa_ms=inf).story() == [(FOUR[0], "first", 15_000.0)]


def test_one_question_after_the_other() -> None:
    """The second question is asked when the first is answered."""
    played = play(Policy(queries="sequential"), [OK], [OK], aaaa_ms=30.0, a_ms=5.0)
    assert played.asked == [("AAAA", 0.0), ("A", 30.0)]
    assert played.story() == [(SIX[0], "first", 35.0)]


def test_a_late_start_keeps_its_distance() -> None:
    """Where a SYN left later than it was to, the next one waits for the whole delay."""
    race = Race(RFC8305, RANK)
    race.start(0.0)
    race.answered("AAAA", SIX[:2], 0.0)
    assert race.started(0, 4.0) == (WaitUntil(254.0),)
    assert race.tick(250.0) == (WaitUntil(254.0),)
    assert race.tick(254.0)[0] == Connect(1, SIX[1], "timer")
    assert race.started(0, 260.0) == ()


def test_a_client_that_looks_again_later() -> None:
    """After a failure the next of a family waits for a timer, for news, or a second (curl 7.88)."""
    policy = replace(RFC6555, fallback_delay_ms=200.0, poll_ms=1000.0)
    assert play(policy, [NO, OK], [OK]).story()[1:] == [
        (SIX[1], "failure", 200.0),
        (FOUR[0], "timer", 200.0),
    ]
    played = play(policy, [(False, 7000.0), OK], [(False, 50.0)])
    assert played.story()[2] == (SIX[1], "failure", 8000.0)
    played = play(policy, [(False, 7000.0), None], [(False, 7000.0), OK])
    assert played.story()[2:] == [(SIX[1], "failure", 7200.0), (FOUR[1], "failure", 8200.0)]
    assert play(policy, [NO], [OK]).story()[1] == (FOUR[0], "failure", 10.0), "another family"


def test_a_client_with_a_time_of_its_own() -> None:
    """A JVM takes a while between the answers and its first attempt."""
    played = play(Policy(own_ms=35.0), [OK], [OK], aaaa_ms=20.0, a_ms=3.0)
    assert played.story() == [(SIX[0], "first", 55.0)]
    played = play(replace(RFC8305, own_ms=5.0), [OK], [OK], aaaa_ms=200.0, a_ms=3.0)
    assert played.story()[0] == (FOUR[0], "first", 58.0)


def test_nothing_but_mapped_addresses() -> None:
    """Where every address is left out there is nothing to try."""
    answers = {"AAAA": (("::ffff:192.0.2.1",), 0.0), "A": ((), 5.0)}
    assert Play(RFC8305, {}, answers).done == Done(None, "resolver")
