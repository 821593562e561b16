"""What a run remembers, for how long, and whom it serves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from ipv6check.net import memory, own_time
from ipv6check.net.memory import Memory, Turns


@dataclass
class World:
    """Says the next of what was planned, the last one for ever, and counts."""

    says: list[int]
    waits: asyncio.Event | None = None
    queue: asyncio.Event | None = None
    asked: int = 0
    began: list[int] = field(default_factory=list)

    async def ask(self, begin: Callable[[], None]) -> int:
        """A question."""
        number = self.asked
        self.asked += 1
        if self.queue is not None:
            await self.queue.wait()
        begin()
        self.began.append(number)
        await asyncio.sleep(0)
        if self.waits is not None:
            await self.waits.wait()
        return self.says[min(number, len(self.says) - 1)]


def certain(fact: int) -> bool | None:
    """1 is success, -1 failure, 0 luck."""
    return None if fact == 0 else fact > 0


def test_who_asks_at_once_is_told_at_once() -> None:
    """One question, whatever comes of it, for all who wait."""

    async def main() -> None:
        for fact in (1, 0, -1):
            world = World([fact])
            known = Memory[str, int](certain)
            said = await asyncio.gather(*(known.recall("a", world.ask) for _ in range(50)))
            assert (said, world.asked) == ([fact] * 50, 1)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("fact", "later_s", "asked"),
    [
        (1, memory.SUCCESS_S - 1, 1),
        (1, memory.SUCCESS_S + 1, 2),
        (-1, memory.FAILURE_S - 1, 1),
        (-1, memory.FAILURE_S + 1, 2),
        (0, 0.0, 2),
    ],
)
def test_how_long_is_remembered(
    monkeypatch: pytest.MonkeyPatch, fact: int, later_s: float, asked: int
) -> None:
    """Success for longer than failure; luck not at all."""

    async def main() -> None:
        world = World([fact])
        known = Memory[str, int](certain)
        await known.recall("a", world.ask)
        loop = asyncio.get_running_loop()
        now = loop.time()
        monkeypatch.setattr(loop, "time", lambda: now + later_s)
        await known.recall("a", world.ask)
        assert world.asked == asked
        monkeypatch.undo()

    asyncio.run(main())


def test_the_next_takes_over() -> None:
    """Who asked is cancelled, and one of those who wait asks in his place."""

    async def main() -> None:
        world = World([1], waits=asyncio.Event())
        known = Memory[str, int](certain)
        first, *others = (asyncio.ensure_future(known.recall("a", world.ask)) for _ in range(5))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0.01)
        assert world.waits is not None
        world.waits.set()
        assert await asyncio.gather(*others) == [1] * 4
        assert world.asked == 2

    asyncio.run(main())


def test_an_error_is_its_callers() -> None:
    """Others ask for themselves."""

    async def main() -> None:
        asked: list[int] = []

        async def ask(begin: Callable[[], None]) -> int:
            begin()
            asked.append(1)
            await asyncio.sleep(0)
            if len(asked) == 1:
                raise OSError(24, "Too many open files")
            return 1

        known = Memory[str, int](certain)
        said = await asyncio.gather(
            *(known.recall("a", ask) for _ in range(3)), return_exceptions=True
        )
        assert [type(outcome) for outcome in said] == [OSError, int, int]
        assert not known._asking

    asyncio.run(main())


def test_who_waits_for_anothers_turn_loses_no_time() -> None:
    """Until the first packet leaves, the clocks of all who wait for the answer stand."""

    async def main() -> None:
        world = World([1], waits=asyncio.Event(), queue=asyncio.Event())
        known = Memory[str, int](certain)
        clocks: list[own_time.OwnTime] = []

        async def target() -> int:
            clocks.append(own_time.begin(60))
            return await known.recall("a", world.ask)

        tasks = [asyncio.ensure_future(target()) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert [clock.is_paused for clock in clocks] == [False, True, True]  # the first's gate
        assert world.queue is not None
        assert world.waits is not None
        world.queue.set()
        await asyncio.sleep(0.01)
        assert not any(clock.is_paused for clock in clocks)
        world.waits.set()
        assert await asyncio.gather(*tasks) == [1] * 3

    asyncio.run(main())


def test_memory_is_bounded() -> None:
    """However many addresses there are, the latest ones are known."""

    async def main() -> None:
        world = World([1])
        known = Memory[int, int](certain, size=10)
        done = Turns[int](size=10)
        for key in range(100):
            await known.recall(key, world.ask)
            assert done.first(key, 0.0)
        assert sorted(known._known) == list(range(90, 100))
        assert len(done._done) == 10
        assert not known._asking
        assert known.lately(99) == 1
        assert known.lately(0) is None

    asyncio.run(main())


def test_who_is_first_of_late() -> None:
    """A thing is done by one, and after a while by another."""
    done = Turns[str]()
    assert done.first("a", 100.0)
    assert not done.first("a", 100.0 + memory.SUCCESS_S - 1)
    assert done.first("b", 100.0)
    assert done.first("a", 100.0 + memory.SUCCESS_S + 1)
