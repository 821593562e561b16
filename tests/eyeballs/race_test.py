"""The race, in virtual time: a loop whose clock moves only when nothing else is to be done."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipv6check.eyeballs.algorithm import Resolved
from ipv6check.eyeballs.policy import CONNECTION_ATTEMPT_DELAY_MS, HAPPY_V3, RFC8305, Policy
from ipv6check.eyeballs.race import Entrant, Outcome, race
from ipv6check.model import Attempt, Failure, Handshake, Kind

Value = TypeVar("Value")

DELAY_MS = CONNECTION_ATTEMPT_DELAY_MS
DNS_MS = 2.0


class _Hurry(selectors.SelectSelector):
    """A selector that never waits, and notes how long it was to."""

    waited_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.waited_s += timeout or 0.0
        return super().select(0)


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._hurry = _Hurry()
        super().__init__(self._hurry)

    def time(self) -> float:
        return self._hurry.waited_s

    def busy(self, for_s: float) -> None:
        """Let time pass in which nothing else is done."""
        self._hurry.waited_s += for_s


def run(main: Coroutine[Any, Any, Value]) -> Value:
    """Run it in no time."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(main)


@dataclass
class Network:
    """Hosts that answer after so many milliseconds: True connects, False refuses, None never."""

    hosts: dict[str, tuple[bool | None, float]]
    started: list[str] = field(default_factory=list)
    open: set[str] = field(default_factory=set)

    async def connect(self, address: str, port: int) -> Attempt:
        """One attempt, which has to be ended before the race is over."""
        answer, after_ms = self.hosts[address]
        self.started.append(address)
        self.open.add(address)
        try:
            if answer is None:
                await asyncio.get_running_loop().create_future()
            await asyncio.sleep(after_ms / 1000)
        finally:
            self.open.remove(address)
        failure = None if answer else Failure(Kind.REFUSED, "refused", after_ms)
        return Attempt(address, port, after_ms, None, failure)


async def contest(network: Network, policy: Policy = RFC8305) -> Outcome:
    """The race between the hosts of a network, in their order; both answers came at once."""
    order = list(network.hosts)
    dns = {"AAAA": Resolved((), DNS_MS), "A": Resolved(tuple(order), DNS_MS)}
    return await race(
        policy, dns, {address: n for n, address in enumerate(order)}, 443, network.connect
    )


def raced(hosts: dict[str, tuple[bool | None, float]]) -> tuple[Outcome, Network]:
    """The same, in virtual time; no attempt is left behind."""
    network = Network(hosts)
    outcome = run(contest(network))
    assert not network.open
    return outcome, network


def since_dns(at_ms: float) -> int:
    """Whole milliseconds since the answers."""
    return round(at_ms - DNS_MS)


def story(outcome: Outcome) -> list[tuple[str, str, int, int, str]]:
    """The entrants with whole milliseconds."""
    return [
        (
            entrant.address,
            entrant.why,
            since_dns(entrant.started_ms),
            since_dns(entrant.ended_ms),
            entrant.outcome,
        )
        for entrant in outcome.entrants
    ]


def test_the_first_wins() -> None:
    """Where the first address answers in time, no other is tried."""
    outcome, network = raced({"a": (True, 249), "b": (True, 1)})
    assert story(outcome) == [("a", "first", 0, 249, "connected")]
    assert (outcome.winner, outcome.port, since_dns(outcome.elapsed_ms)) == ("a", 443, 249)
    assert network.started == ["a"]


def test_silence_costs_the_delay() -> None:
    """After 250 ms of silence the next one starts, and the silent one is cancelled at the end."""
    outcome, _ = raced({"a": (None, 0), "b": (True, 10)})
    assert story(outcome) == [
        ("a", "first", 0, 260, "cancelled"),
        ("b", "timer", 250, 260, "connected"),
    ]


def test_a_failure_costs_nothing() -> None:
    """After a failure the next one starts at once."""
    outcome, _ = raced({"a": (False, 3), "b": (False, 4), "c": (True, 5)})
    assert story(outcome) == [
        ("a", "first", 0, 3, "refused"),
        ("b", "failure", 3, 7, "refused"),
        ("c", "failure", 7, 12, "connected"),
    ]


def test_an_earlier_failure_starts_nothing() -> None:
    """The failure of an attempt that is not the latest leaves the timer alone."""
    outcome, _ = raced({"a": (False, 300), "b": (None, 0), "c": (None, 0), "d": (True, 1)})
    starts = [
        (entrant.address, entrant.why, since_dns(entrant.started_ms))
        for entrant in outcome.entrants
    ]
    assert starts == [
        ("a", "first", 0),
        ("b", "timer", 250),
        ("c", "timer", 500),
        ("d", "timer", 750),
    ]


def test_the_slow_first_can_still_win() -> None:
    """An attempt goes on after the next one has started."""
    outcome, _ = raced({"a": (True, 300), "b": (True, 100)})
    assert (outcome.winner, since_dns(outcome.elapsed_ms)) == ("a", 300)
    assert [entrant.outcome for entrant in outcome.entrants] == ["connected", "cancelled"]


def test_at_the_same_moment_the_earlier_start_wins() -> None:
    """Two that end at once: the same facts, the same winner. Regression: it was either."""
    for _ in range(20):
        outcome, _ = raced({"a": (True, 350), "b": (True, 100)})
        assert outcome.winner == "a"


def test_all_fail() -> None:
    """Without a winner the race ends with the last failure."""
    outcome, _ = raced({"a": (False, 600), "b": (False, 10)})
    assert (outcome.winner, since_dns(outcome.elapsed_ms)) == (None, 600)
    assert [entrant.outcome for entrant in outcome.entrants] == ["refused", "refused"]


def test_nobody_runs() -> None:
    """A race without addresses is over at once."""
    outcome, _ = raced({})
    assert (outcome.winner, outcome.entrants) == (None, ())


def test_the_race_is_cancelled() -> None:
    """Whoever gives the race up leaves no attempt behind."""

    async def main() -> None:
        network = Network({"a": (None, 0), "b": (None, 0)})
        task = asyncio.ensure_future(contest(network))
        await asyncio.sleep(0.3)
        assert network.open == {"a", "b"}
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not network.open

    run(main())


def test_an_attempt_that_raises() -> None:
    """What a vantage raises (it has no sockets left) comes out, and no attempt is left behind."""

    class Short(Network):
        async def connect(self, address: str, port: int) -> Attempt:
            if address == "b":
                raise OSError(24, "Too many open files")
            return await super().connect(address, port)

    network = Short({"a": (None, 0), "b": (True, 1)})
    with pytest.raises(OSError, match="Too many"):
        run(contest(network))
    assert not network.open


def both(aaaa_ms: float, a_ms: float, network: Network) -> Outcome:
    """The race where each family has one host, and its answer came after so many ms."""
    dns = {"AAAA": Resolved(("::6",), aaaa_ms), "A": Resolved(("192.0.2.4",), a_ms)}
    rank = {"::6": 0, "192.0.2.4": 1}
    return run(race(RFC8305, dns, rank, 443, network.connect))


@pytest.mark.parametrize(
    ("aaaa_ms", "a_ms", "started"),
    [
        (3, 1, [("::6", "first", 3)]),
        (40, 1, [("::6", "first", 40)]),
        (1, 2000, [("::6", "first", 1)]),
        (200, 1, [("192.0.2.4", "first", 51), ("::6", "timer", 301)]),
        (400, 1, [("192.0.2.4", "first", 51), ("::6", "answer", 400)]),
    ],
)
def test_resolution_delay(aaaa_ms: float, a_ms: float, started: list[tuple[str, str, int]]) -> None:
    """AAAA is waited for until 50 ms after A, A is not; what comes later joins (RFC 8305, 3)."""
    network = Network({"::6": (True, 240.0), "192.0.2.4": (None, 0.0)})
    outcome = both(aaaa_ms, a_ms, network)
    assert started == [
        (entrant.address, entrant.why, round(entrant.started_ms)) for entrant in outcome.entrants
    ]
    assert outcome.winner == "::6"


def test_nobody_waits_for_the_resolver_again() -> None:
    """The clock is put forward to answers that have long come."""

    async def main() -> float:
        network = Network({"::6": (True, 5.0), "192.0.2.4": (True, 5.0)})
        dns = {"AAAA": Resolved(("::6",), 4000.0), "A": Resolved((), 1.0)}
        outcome = await race(RFC8305, dns, {}, 443, network.connect)
        assert (outcome.winner, round(outcome.elapsed_ms)) == ("::6", 4005)
        return asyncio.get_running_loop().time()

    assert run(main()) < 0.1


def test_a_question_without_an_end() -> None:
    """The race of one that nobody ever answers is over, without a winner."""
    dns = {"AAAA": Resolved((), float("inf")), "A": Resolved((), 1.0)}
    outcome = run(race(RFC8305, dns, {}, 443, Network({}).connect))
    assert (outcome.winner, outcome.entrants) == (None, ())


def test_an_attempt_that_its_client_ends() -> None:
    """A client's own timeout stands in the trace."""
    network = Network({"a": (None, 0.0), "b": (True, 1.0)})
    outcome = run(contest(network, Policy(attempt_timeout_ms=250.0, last_unlimited=True)))
    assert story(outcome) == [
        ("a", "first", 0, 250, "timeout"),
        ("b", "failure", 250, 251, "connected"),
    ]


def test_a_busy_loop_hides_no_handshake() -> None:
    """A handshake that was done before the delay is over wins, though nobody had time to look."""

    async def main() -> Outcome:
        loop = asyncio.get_running_loop()
        network = Network({"a": (True, 240.0), "b": (True, 1.0)})
        loop.call_later(0.235, _be_busy, loop)
        return await contest(network)

    outcome = run(main())
    assert [entrant.address for entrant in outcome.entrants] == ["a"]


def _be_busy(loop: asyncio.AbstractEventLoop) -> None:
    assert isinstance(loop, _VirtualLoop)
    loop.busy(0.05)


HOST = st.one_of(
    st.tuples(st.sampled_from([True, False]), st.integers(0, 1200).map(float)),
    st.just((None, 0.0)),
)


@settings(deadline=None)
@given(st.lists(HOST, max_size=8))
def test_rules_of_the_race(hosts: list[tuple[bool | None, float]]) -> None:
    """Whatever the hosts do, RFC 8305 section 5 holds."""
    if any(answer is None for answer, _ in hosts) and not any(answer for answer, _ in hosts):
        return  # it would wait for ever: a real attempt has a timeout
    outcome, network = raced({str(number): host for number, host in enumerate(hosts)})
    entrants = outcome.entrants
    assert network.started == [entrant.address for entrant in entrants]
    assert network.started == [str(number) for number in range(len(entrants))]
    for one, other in pairwise(entrants):
        gap = other.started_ms - one.started_ms
        assert gap <= DELAY_MS + 0.01
        failed = one.outcome == "refused" and one.ended_ms <= other.started_ms + 0.01
        assert failed or gap >= DELAY_MS - 0.01
        assert other.why == ("failure" if gap < DELAY_MS - 0.01 else other.why)
    for entrant in entrants:
        assert 0 <= entrant.started_ms <= entrant.ended_ms <= outcome.elapsed_ms + 0.01
        assert entrant.outcome in {"connected", "refused", "cancelled"}
    winners = [entrant for entrant in entrants if entrant.outcome == "connected"]
    if winners:
        best = min(winners, key=lambda entrant: (round(entrant.ended_ms, 3), entrant.started_ms))
        assert best.address == outcome.winner
        assert all(entrant.started_ms <= best.ended_ms + 0.01 for entrant in entrants)
    else:
        assert outcome.winner is None
        assert len(entrants) == len(hosts)
        assert "cancelled" not in {entrant.outcome for entrant in entrants}


def test_it_is_told_live() -> None:
    """Each attempt is told of when it starts and when it ends, in the order of time."""
    told: list[tuple[str, str]] = []

    async def main() -> None:
        network = Network({"a": (None, 0.0), "b": (True, 10.0)})
        dns = {"AAAA": Resolved(), "A": Resolved(("a", "b"))}
        await race(
            *(RFC8305, dns, {"a": 0, "b": 1}, 443, network.connect),
            tell=lambda entrant: told.append((entrant.address, entrant.outcome)),
        )

    run(main())
    assert told == [
        *(("a", "running"), ("b", "running")),
        *(("b", "connected"), ("a", "cancelled")),
    ]


# --- v3: TLS decides -------------------------------------------------------------------------


@dataclass
class SecureNetwork(Network):
    """The same hosts, whose TLS takes as long again or, of those in ``mute``, is silent."""

    mute: frozenset[str] = frozenset()

    async def tls(self, address: str, port: int, connected: Callable[[Attempt], None]) -> Handshake:
        """One attempt, and TLS behind it."""
        tcp = await self.connect(address, port)
        if not tcp.connected:
            return Handshake(tcp)
        connected(tcp)
        self.open.add(address)
        try:
            await asyncio.sleep(1000.0 if address in self.mute else tcp.elapsed_ms / 1000)
        finally:
            self.open.remove(address)
        return Handshake(tcp, tcp.elapsed_ms)


def secured(network: SecureNetwork) -> tuple[Outcome, list[Entrant]]:
    """A race of v3 in virtual time, and what was told of it; no attempt is left behind."""
    told: list[Entrant] = []
    order = list(network.hosts)
    dns = {"A": Resolved(tuple(order))}
    rank = {address: n for n, address in enumerate(order)}
    contest = race(HAPPY_V3, dns, rank, 443, network.connect, told.append, network.tls)
    outcome = run(contest)
    assert not network.open
    return outcome, told


def traced(outcome: Outcome) -> list[tuple[str, int, int | None, int, str]]:
    """Start, begin of TLS and end of each, in whole milliseconds."""
    return [
        (
            entrant.address,
            round(entrant.started_ms),
            None if entrant.tls_started_ms is None else round(entrant.tls_started_ms),
            round(entrant.ended_ms),
            entrant.outcome,
        )
        for entrant in outcome.entrants
    ]


def test_tls_wins() -> None:
    """TCP alone ends nothing, and the trace says when TLS began."""
    outcome, told = secured(SecureNetwork({"a": (True, 40.0), "b": (True, 1.0)}))
    assert (outcome.winner, round(outcome.elapsed_ms)) == ("a", 80)
    assert traced(outcome) == [("a", 0, 40, 80, "connected")]
    assert [(entrant.outcome, entrant.tls_started_ms) for entrant in told] == [
        ("running", None),
        ("running", pytest.approx(40.0)),
        ("connected", pytest.approx(40.0)),
    ]


def test_a_tls_that_hangs_costs_a_delay() -> None:
    """It counts from the end of TCP; the other one wins, and the first is closed."""
    hosts: dict[str, tuple[bool | None, float]] = {"a": (True, 40.0), "b": (True, 10.0)}
    outcome, _ = secured(SecureNetwork(hosts, mute=frozenset("a")))
    assert outcome.winner == "b"
    assert traced(outcome) == [
        ("a", 0, 40, 310, "cancelled"),
        ("b", 290, 300, 310, "connected"),
    ]


def test_where_tcp_fails_there_is_no_tls() -> None:
    """A refusal starts the next one at once, as ever."""
    outcome, _ = secured(SecureNetwork({"a": (False, 5.0), "b": (True, 10.0)}))
    assert traced(outcome) == [("a", 0, None, 5, "refused"), ("b", 5, 15, 25, "connected")]
