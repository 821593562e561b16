"""What a silence is worth: who else was heard, who is asked, and what is tried again."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import pytest

from ipv6check.model import Attempt, Echo, Failure, Handshake, Kind
from ipv6check.net import uplink
from ipv6check.net.uplink import ANYTHING, ECHO, LocalUplink

Value = TypeVar("Value")

V6, V6B, V4 = "2001:470::1", "2001:470:5::2", "192.0.33.8"
CONTROLS = ("2001:503:ba3e::2:30", "198.41.0.4")
SOURCES = {socket.AF_INET6: "2001:470:ffff::2", socket.AF_INET: "10.0.0.5"}
SILENT = Failure(Kind.TIMEOUT, "no answer in 1 s", 1000.0)
NO_ROUTE = Failure(Kind.NO_ROUTE, "2001:470:ffff::1 says no route", 5.0, "2001:470:ffff::1")
UNREACHABLE = Failure(Kind.NO_LOCAL_ROUTE, "Network is unreachable")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """This host has both families, and nobody waits long."""
    monkeypatch.setattr(uplink, "_source", SOURCES.get)
    for name in ("PAUSE_S", "AGAIN_S", "FRESH_S"):
        monkeypatch.setattr(uplink, name, 0.01)


class World:
    """Who answers when asked, and what each attempt at a target comes to."""

    def __init__(
        self, answers: Sequence[bool] = (), *failures: Failure | None, controls: Any = CONTROLS
    ) -> None:
        self.answers = list(answers)
        self.failures = list(failures)
        self.asked: list[tuple[str, int]] = []
        self.limits: list[float] = []
        self.uplink = LocalUplink(controls, self.ask, 1.0)

    async def ask(self, address: str, port: int, timeout_s: float) -> bool:  # noqa: ARG002
        """The next answer that was planned, the last one for ever."""
        self.asked.append((address, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def attempt(self, address: str) -> Callable[[float], Coroutine[None, None, Attempt]]:
        """Makes the next attempt."""

        async def once(limit_s: float) -> Attempt:
            self.limits.append(limit_s)
            failure = self.uplink.marked_near(self.failures.pop(0), address)
            return Attempt(address, 443, 1.0, None, failure)

        return once

    async def surely(self, address: str) -> Attempt:
        """What an attempt comes to."""
        return await self.uplink.surely(address, self.attempt(address))

    def run(self, work: Coroutine[None, None, Value]) -> Value:
        """Do it in a loop."""

        async def main() -> Value:
            try:
                return await work
            finally:
                self.uplink.close()

        return asyncio.run(main())


@pytest.mark.parametrize("address", [V6, V4])
def test_a_silence_is_believed_while_controls_answer(address: str) -> None:
    """After a second try, in either family; only its own family's controls are asked."""
    world = World([True], SILENT, SILENT)
    made = world.run(world.surely(address))
    assert (made.failure, len(world.limits)) == (SILENT, 2)
    assert {asked for asked, _ in world.asked} == {CONTROLS[0 if address == V6 else 1]}


@pytest.mark.parametrize(("address", "vantage"), [(V6, ("broken", "yes")), (V4, ("yes", "no"))])
def test_a_family_that_never_worked_is_this_hosts(address: str, vantage: tuple[str, str]) -> None:
    """Law 1, in either family; the controls are asked once for all targets, and nothing waits."""
    world = World([False], *[SILENT] * 20)

    async def targets() -> list[Attempt]:
        first = await world.surely(address)
        return [first, *(await asyncio.gather(*(world.surely(address) for _ in range(19))))]

    made = world.run(targets())
    assert len(world.asked) == 1
    assert all(attempt.failure is not None and attempt.failure.near for attempt in made)
    assert made[0].failure is not None
    assert "no reply to anything" in made[0].failure.detail
    known = world.uplink.vantage()
    assert (known.ipv6, known.ipv4) == vantage
    assert "none of 1 control addresses answers" in known.detail


@pytest.mark.parametrize("failure", [SILENT, UNREACHABLE, NO_ROUTE])
def test_what_fails_while_the_uplink_is_away_is_tried_again(failure: Failure) -> None:
    """Once it is back, with all of its time."""
    world = World([*[False] * 6, True], failure, None)
    world.uplink.note_answer(V6B, 443, time.monotonic() - 9)
    made = world.run(world.surely(V6))
    assert (made.failure, world.limits) == (None, [1.0, 1.0])
    # A port that limits the rate of connections may take no second one: ping as well.
    assert {*world.asked[:2]} == {(V6B, 443), (V6B, ECHO)}
    assert (CONTROLS[0], ANYTHING) in world.asked
    assert world.uplink.vantage().ipv6 == "yes"


def test_an_uplink_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was silent meanwhile is nobody's fault; a local error is told as it is."""
    monkeypatch.setattr(uplink, "PATIENCE_S", 0.05)
    for failure, near in ((SILENT, True), (UNREACHABLE, False)):
        world = World([False], failure)
        world.uplink.note_answer(V6B, 443, time.monotonic() - 9)
        made = world.run(world.surely(V6))
        assert made.failure is not None
        assert (made.failure.kind, made.failure.near) == (failure.kind, near)
        assert made.failure.of_vantage


def test_others_that_answer_meanwhile_vouch() -> None:
    """Nobody is asked, and nothing is tried again; one side alone proves nothing."""
    for ago_s, tries in (((1.0, 0.5), 1), ((1.0,), 2), ((0.5,), 2), ((3.0, 2.5), 2), ((), 2)):
        world = World([True], SILENT, SILENT)
        for seconds in ago_s:
            world.uplink.note_answer(V6B, 443, time.monotonic() - seconds)
        world.run(world.surely(V6))
        assert len(world.limits) == tries, ago_s
        assert bool(world.asked) == (tries == 2), ago_s


def test_of_data_only_data_vouches() -> None:
    """Connections may be made where a filter swallows what is sent on them."""

    def silent(_: float) -> Coroutine[None, None, Handshake]:
        async def shake() -> Handshake:
            tries.append(1)
            return Handshake(Attempt(V6, 443, 1.0), 1000.0, SILENT)

        return shake()

    for data, wanted in ((False, 2), (True, 1)):
        tries: list[int] = []
        world = World([True])
        for ago_s in (1.0, 0.5):
            if data:
                world.uplink.note_data(V6B, time.monotonic() - ago_s)
            else:
                world.uplink.note_answer(V6B, 443, time.monotonic() - ago_s)
        world.uplink.note_answer(V6B, 443, time.monotonic() - 9)
        made = world.run(world.uplink.surely(V6, silent))
        assert made.silent
        assert len(tries) == wanted


@pytest.mark.parametrize(
    ("address", "failure"),
    [
        (V6, Failure(Kind.REFUSED, "Connection refused", 1.0)),
        ("2001:470:ffff::9", SILENT),
        ("fd00::1", SILENT),
        ("::1", UNREACHABLE),
        ("10.0.0.9", SILENT),
        ("192.168.1.1", SILENT),
    ],
)
def test_what_needs_no_uplink_is_believed(address: str, failure: Failure) -> None:
    """The target's own word, and whoever is on this host's link or inside of its network."""
    world = World([False], failure)
    made = world.run(world.surely(address))
    assert (made.failure, world.asked) == (failure, [])


def test_without_anybody_to_ask_a_silence_is_believed() -> None:
    """As with --no-controls, before anybody has answered."""
    world = World([False], SILENT, controls=())
    assert world.run(world.surely(V6)).failure == SILENT
    assert world.run(world.uplink.works(6))


def test_a_ping_is_tried_again_too() -> None:
    """An echo that was lost with the uplink says nothing of the host."""
    echoes = [Echo(V6, 3, 0, None, SILENT), Echo(V6, 3, 3, 1.0)]

    async def once(_: float) -> Echo:
        return echoes.pop(0)

    world = World([True])
    world.uplink.note_answer(V6B, ECHO, time.monotonic() - 9)
    assert world.run(world.uplink.surely(V6, once)).received == 3


@pytest.mark.parametrize(
    ("address", "source", "near"),
    [
        (V6, "fe80::1", True),
        (V6, "2001:470:ffff::1", True),
        (V6, "2001:470:1::1", False),
        (V4, "10.0.0.1", True),
        (V4, "192.0.34.1", False),
        (V6, None, True),
        ("2001:470:ffff::9", None, False),
    ],
)
def test_whose_word_it_is(address: str, source: str | None, near: bool) -> None:  # noqa: FBT001
    """The own router's, in both families; of the own link, the neighbour is the target."""
    failure = Failure(Kind.ADDRESS_UNREACHABLE, "says so", 1.0, source)
    told = World().uplink.marked_near(failure, address)
    assert told is not None
    assert told.near == near


def test_controls_of_a_port() -> None:
    """They are asked for that port alone, once; others know nothing of it."""
    world = World([False], controls=("[2001:470::25]:25", "192.0.33.25:25", *CONTROLS))

    async def ask() -> list[bool | None]:
        asks = [(25, 6), (25, 6), (25, 4), (443, 6)]
        return [await world.uplink.control_opens(*question) for question in asks]

    assert world.run(ask()) == [False, False, False, None]
    assert world.asked == [("2001:470::25", 25), ("192.0.33.25", 25)]
