"""Whose word a refusal is: the target's own, or a packet filter's of this host that resets all."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TypeVar

import pytest

from ipv6check.model import Attempt, Failure, Handshake, Kind
from ipv6check.net import uplink
from ipv6check.net.uplink import LocalUplink

Value = TypeVar("Value")

TARGET, OTHERS = "2001:470::1", ("2001:470:5::2", "2001:470:6::2", "2001:470:7::2")
SOURCES = {socket.AF_INET6: "2001:470:ffff::2", socket.AF_INET: "10.0.0.5"}
REFUSED = Failure(Kind.REFUSED, "Connection refused", 1.0)
RESET = Failure(Kind.RESET, "the connection closed without an answer", 1.0)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """This host has both families, and nobody waits long."""
    monkeypatch.setattr(uplink, "_source", SOURCES.get)
    for name in ("PAUSE_S", "AGAIN_S", "MEANWHILE_S"):
        monkeypatch.setattr(uplink, name, 0.001)


class World:
    """Who refuses, who is silent, and until how many questions a filter resets all."""

    def __init__(
        self, *, refusing: Sequence[str] = (), silent: Sequence[str] = (), resets: float = 0
    ) -> None:
        self.refusing, self.silent, self.resets = refusing, silent, resets
        self.asked: list[str] = []
        self.tries = 0
        self.uplink = LocalUplink((), self.ask, 1.0)

    async def ask(self, address: str, port: int, timeout_s: float) -> bool:  # noqa: ARG002
        """A refusal is an answer."""
        self.asked.append(address)
        await asyncio.sleep(0)
        if self.accepts(address):
            self.uplink.note_connection(address, port, time.monotonic())
            again = partial(self.ask, address, port)
            self.uplink.note_handshake(address, again, time.monotonic())
        return address not in self.silent

    def accepts(self, address: str) -> bool:
        """Whether it does now."""
        return len(self.asked) > self.resets and address not in (*self.refusing, *self.silent)

    def known(self, *addresses: str, ago_s: float = 9.0) -> World:
        """After these have accepted."""
        for address in addresses:
            self.uplink.note_connection(address, 443, time.monotonic() - ago_s)
        return self

    async def connect(self, address: str = TARGET) -> Attempt:
        """What a connection comes to."""

        async def once(_: float) -> Attempt:
            self.tries += 1
            failure = None if self.accepts(address) else REFUSED
            return Attempt(address, 443, 1.0, None, failure)

        return await self.uplink.surely(address, once)

    def run(self, work: Callable[[], Coroutine[None, None, Value]]) -> Value:
        """Do it in a loop."""

        async def main() -> Value:
            try:
                return await work()
            finally:
                self.uplink.close()

        return asyncio.run(main())


def test_a_filter_that_resets_all_for_a_time_is_waited_for() -> None:
    """Then the target is tried again."""
    world = World(resets=7).known(*OTHERS)
    assert world.run(world.connect).connected
    assert world.tries == 2
    assert set(world.asked) == set(OTHERS)


@pytest.mark.parametrize(
    ("resets", "others", "connected"),
    [(7, "tcp", True), (7, "tls", True), (0, "tcp", False), (0, "tls", False)],
)
def test_tls_that_is_reset(resets: int, others: str, connected: bool) -> None:  # noqa: FBT001
    """By a filter, it is tried again; by the target while others complete it, it is believed.

    A filter may let connections be made, and reset what is sent on them: TLS is held against TLS.
    """
    world = World(refusing=[] if resets else [TARGET], resets=resets)
    asked: list[str] = []

    async def shake(address: str, limit_s: float) -> bool:
        asked.append(address)
        return await world.ask(address, 443, limit_s)

    for address in OTHERS:
        if others == "tls":
            again = partial(shake, address)
            world.uplink.note_handshake(address, again, time.monotonic() - 9)
    if others == "tcp":
        world.known(*OTHERS)

    async def once(_: float) -> Handshake:
        failure = None if world.accepts(TARGET) else RESET
        return Handshake(Attempt(TARGET, 443, 1.0), 1.0, failure)

    assert world.run(lambda: world.uplink.surely(TARGET, once)).connected == connected
    assert world.asked
    assert bool(asked) == (others == "tls")


def test_a_filter_that_stays_is_this_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is one for all targets; no target is blamed, nor counted as having answered."""
    monkeypatch.setattr(uplink, "PATIENCE_S", 0.02)
    world = World(resets=1e9).known(*OTHERS)

    async def targets() -> list[Attempt]:
        await world.connect()
        world.asked.clear()
        return [await world.connect() for _ in range(3)]

    for made in world.run(targets):
        assert made.failure is not None
        assert made.failure.near
        assert "its own firewall" in made.failure.detail
        assert not made.answered
    assert len(world.asked) == 3 * len(OTHERS)


@pytest.mark.parametrize(
    ("refusing", "silent", "known", "tries", "asked"),
    [
        # Nobody else is known: a single target, many names on one address, one that has stopped.
        ([TARGET], [], [], 1, 0),
        ([TARGET], [], [TARGET], 1, 0),
        ([TARGET, OTHERS[0]], [], [OTHERS[0], TARGET], 1, 0),
        # Others accept, all or one of them.
        ([TARGET], [], OTHERS, 2, 1),
        ([TARGET, *OTHERS[:2]], [], OTHERS, 2, 3),
        # They are silent, as behind a filter that resets nobody is.
        ([TARGET], OTHERS, OTHERS, 2, 1),
    ],
)
def test_a_target_that_refuses_itself_is_believed(
    refusing: Sequence[str], silent: Sequence[str], known: Sequence[str], tries: int, asked: int
) -> None:
    """Whatever others do but refuse all alike."""
    world = World(refusing=refusing, silent=silent).known(*known)
    assert world.run(world.connect).failure == REFUSED
    assert (world.tries, len(world.asked)) == (tries, asked)


def test_others_that_accept_before_and_after_vouch() -> None:
    """Nobody is asked, and nothing is tried again. What the target itself does is no proof.

    Nor is what others do long before or after: meanwhile, the filter may have come and gone.
    """
    for others, before_s, after_s, tries in (
        (OTHERS, 0.05, 0.1, 1),
        ([TARGET], 0.05, 0.1, 2),
        (OTHERS, 1, 0.1, 2),
        (OTHERS, 0.05, 4, 2),
    ):
        world = World(refusing=[TARGET]).known(*OTHERS)
        world.known(*others, ago_s=before_s).known(*others, ago_s=-after_s)
        assert world.run(world.connect).failure == REFUSED
        assert world.tries == tries, (others, before_s, after_s)
        assert len(world.asked) == (others == [TARGET])


def test_a_filter_told_by_its_icmp_error_is_nothing_to_doubt() -> None:
    """It names who said it."""
    world = World().known(*OTHERS)
    failure = Failure(Kind.REFUSED, "says port unreachable", 1.0, "2001:470:1::1")

    async def once(_: float) -> Attempt:
        return Attempt(TARGET, 443, 1.0, None, failure)

    assert world.run(lambda: world.uplink.surely(TARGET, once)).failure == failure
    assert not world.asked


def test_one_question_serves_all_who_doubt() -> None:
    """A list of hosts that refuse must not become a flood of questions to those that do not."""
    refusing = [f"2001:470:9::{number:x}" for number in range(1, 50)]
    world = World(refusing=refusing).known(*OTHERS)

    async def targets() -> list[Attempt]:
        return await asyncio.gather(*(world.connect(address) for address in refusing))

    assert all(made.failure == REFUSED for made in world.run(targets))
    assert len(world.asked) <= 3
