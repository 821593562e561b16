"""The race, in virtual time: a loop whose clock moves only when nothing else is to be done."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipv6check.eyeballs.happy import CONNECTION_ATTEMPT_DELAY_S, Outcome, race
from ipv6check.model import Attempt, Failure, Kind

Value = TypeVar("Value")

DELAY_MS = CONNECTION_ATTEMPT_DELAY_S * 1000


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


def raced(hosts: dict[str, tuple[bool | None, float]]) -> tuple[Outcome, Network]:
    """The race between these hosts, in their order."""
    network = Network(hosts)
    outcome = run(race(list(hosts), 443, network.connect))
    assert not network.open
    return outcome, network


def story(outcome: Outcome) -> list[tuple[str, str, int, int, str]]:
    """The entrants with whole milliseconds."""
    return [
        (each.address, each.why, round(each.started_ms), round(each.ended_ms), each.outcome)
        for each in outcome.entrants
    ]


def test_the_first_wins() -> None:
    """Where the first address answers in time, no other is tried."""
    outcome, network = raced({"a": (True, 249), "b": (True, 1)})
    assert story(outcome) == [("a", "first", 0, 249, "connected")]
    assert (outcome.winner, outcome.port, round(outcome.elapsed_ms)) == ("a", 443, 249)
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


def test_an_earlier_failure_starts_the_next() -> None:
    """A failure of an earlier attempt starts the next one too, and the timer anew."""
    outcome, _ = raced({"a": (False, 300), "b": (None, 0), "c": (None, 0), "d": (True, 1)})
    starts = [(each.address, each.why, round(each.started_ms)) for each in outcome.entrants]
    assert starts == [
        ("a", "first", 0),
        ("b", "timer", 250),
        ("c", "failure", 300),
        ("d", "timer", 550),
    ]


def test_the_slow_first_can_still_win() -> None:
    """An attempt goes on after the next one has started."""
    outcome, _ = raced({"a": (True, 300), "b": (True, 100)})
    assert (outcome.winner, round(outcome.elapsed_ms)) == ("a", 300)
    assert [each.outcome for each in outcome.entrants] == ["connected", "cancelled"]


def test_at_the_same_moment_the_earlier_start_wins() -> None:
    """Two that end at once: the same facts, the same winner. Regression: it was either."""
    for _ in range(20):
        outcome, _ = raced({"a": (True, 350), "b": (True, 100)})
        assert outcome.winner == "a"


def test_all_fail() -> None:
    """Without a winner the race ends with the last failure."""
    outcome, _ = raced({"a": (False, 600), "b": (False, 10)})
    assert (outcome.winner, round(outcome.elapsed_ms)) == (None, 600)
    assert [each.outcome for each in outcome.entrants] == ["refused", "refused"]


def test_nobody_runs() -> None:
    """A race without addresses is over at once."""
    outcome, _ = raced({})
    assert (outcome.winner, outcome.entrants) == (None, ())


def test_the_race_is_cancelled() -> None:
    """Whoever gives the race up leaves no attempt behind."""

    async def main() -> None:
        network = Network({"a": (None, 0), "b": (None, 0)})
        task = asyncio.ensure_future(race(["a", "b"], 443, network.connect))
        await asyncio.sleep(0.3)
        assert network.open == {"a", "b"}
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not network.open

    run(main())


def test_an_attempt_that_raises() -> None:
    """What a vantage raises (it has no sockets left) comes out, and no attempt is left behind."""
    network = Network({"a": (None, 0), "b": (True, 1)})

    async def connect(address: str, port: int) -> Attempt:
        if address == "b":
            raise OSError(24, "Too many open files")
        return await network.connect(address, port)

    with pytest.raises(OSError, match="Too many"):
        run(race(["a", "b"], 443, connect))
    assert not network.open


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
    assert network.started == [each.address for each in entrants]
    assert network.started == [str(number) for number in range(len(entrants))]
    failures = [each.ended_ms for each in entrants if each.outcome == "refused"]
    for one, other in pairwise(entrants):
        gap = other.started_ms - one.started_ms
        failed_between = any(
            one.started_ms - 0.01 <= ended <= other.started_ms + 0.01 for ended in failures
        )
        assert gap <= DELAY_MS + 0.01
        assert failed_between or gap >= DELAY_MS - 0.01
        assert other.why == ("failure" if gap < DELAY_MS - 0.01 else other.why)
    for each in entrants:
        assert 0 <= each.started_ms <= each.ended_ms <= outcome.elapsed_ms + 0.01
        assert each.outcome in {"connected", "refused", "cancelled"}
    winners = [each for each in entrants if each.outcome == "connected"]
    if winners:
        best = min(winners, key=lambda each: (round(each.ended_ms, 3), each.started_ms))
        assert best.address == outcome.winner
        assert all(each.started_ms <= best.ended_ms + 0.01 for each in entrants)
    else:
        assert outcome.winner is None
        assert len(entrants) == len(hosts)
        assert "cancelled" not in {each.outcome for each in entrants}
