"""So many at once for each key."""

from __future__ import annotations

import asyncio
import random

import pytest

from ipv6check.net.limits import KeyedLimit


def test_never_more_than_places() -> None:
    """Of many who want one key no more than its places are in, and all get their turn in order."""

    async def main() -> None:
        gate = KeyedLimit(3)
        inside: list[int] = []
        entered: list[int] = []
        most = 0

        async def visit(number: int) -> None:
            nonlocal most
            async with gate.place("a"):
                inside.append(number)
                entered.append(number)
                most = max(most, len(inside))
                await asyncio.sleep(0.001 * (number % 4))
                inside.remove(number)

        await asyncio.gather(*(visit(number) for number in range(50)))
        assert most == 3
        assert entered == list(range(50))
        assert not gate._inside
        assert not gate._queues

    asyncio.run(main())


def test_keys_do_not_wait_for_each_other() -> None:
    """A full key holds up nobody at another."""

    async def main() -> None:
        gate = KeyedLimit(1)
        await gate.enter("a")
        async with asyncio.timeout(1), gate.place("b"):
            pass
        gate.leave("a")
        assert not gate._inside

    asyncio.run(main())


def test_an_exception_gives_the_place_back() -> None:
    """Whoever fails inside leaves."""

    async def main() -> None:
        gate = KeyedLimit(1)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                async with gate.place("a"):
                    raise ZeroDivisionError
        assert not gate._inside

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(20))
def test_cancelled_at_any_time(seed: int) -> None:
    """Whoever is cancelled, in the queue, at the moment of its turn or inside, loses no place."""
    chance = random.Random(seed)

    async def main() -> None:
        gate = KeyedLimit(2)
        inside = 0

        async def visit() -> None:
            nonlocal inside
            async with gate.place("a"):
                inside += 1
                assert inside <= 2
                try:
                    await asyncio.sleep(0)
                finally:
                    inside -= 1

        tasks = [asyncio.ensure_future(visit()) for _ in range(40)]
        while not all(task.done() for task in tasks):
            chance.choice(tasks).cancel()
            await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not gate._inside
        assert not gate._queues

    asyncio.run(main())


def test_cancelled_at_the_moment_of_its_turn() -> None:
    """A place that was given to somebody who is gone goes on to the next."""

    async def main() -> None:
        gate = KeyedLimit(1)
        await gate.enter("a")
        second = asyncio.ensure_future(gate.enter("a"))
        third = asyncio.ensure_future(gate.enter("a"))
        await asyncio.sleep(0)
        gate.leave("a")
        second.cancel()
        await asyncio.wait_for(third, 1)
        assert second.cancelled()
        gate.leave("a")
        assert not gate._inside
        assert not gate._queues

    asyncio.run(main())
