"""A target's own time stands still while it waits for its turn."""

from __future__ import annotations

import asyncio
from math import inf

import pytest

from ipv6check.net import own_time
from ipv6check.net.limits import KeyedLimit, SocketLimits


def test_a_queue_takes_no_time() -> None:
    """Whoever waits for a place, for an address or a socket, has as much left as before."""

    async def main() -> None:
        gate, places = KeyedLimit(1), SocketLimits(1, 6)
        await gate.enter("a")
        async with places.place("b"):
            clock = own_time.begin(1)
            waiting = [
                asyncio.ensure_future(gate.enter("a")),
                asyncio.ensure_future(places.place("c").__aenter__()),
            ]
            await asyncio.sleep(0)
            before = clock.left_s
            await asyncio.sleep(0.05)
            assert clock.left_s == before
        gate.leave("a")
        await asyncio.gather(*waiting)
        after = clock.left_s
        await asyncio.sleep(0.01)
        assert clock.left_s < after

    asyncio.run(main())


def test_an_alarm_goes_by_its_own_clock() -> None:
    """It does not ring while its clock stands, and rings once it goes again."""

    async def main() -> None:
        clock = own_time.begin(inf)
        rung: list[float] = []
        clock.alarm(0.02, lambda: rung.append(clock.spent_s))
        with clock.paused():
            await asyncio.sleep(0.1)
            assert rung == []
        await asyncio.sleep(0.2)
        (at_s,) = rung
        assert at_s >= 0.02

    asyncio.run(main())


def test_a_cancelled_alarm_is_silent() -> None:
    """Nor does it come back from a clock that stood."""

    async def main() -> None:
        clock = own_time.begin(inf)
        rung: list[int] = []
        alarm = clock.alarm(0.01, lambda: rung.append(1))
        with clock.paused():
            await asyncio.sleep(0.03)
        alarm.cancel()
        await asyncio.sleep(0.1)
        assert rung == []

    asyncio.run(main())


def test_within_counts_own_time() -> None:
    """What has to end in time may wait for its turn, and not for anything else."""

    async def main() -> None:
        clock = own_time.begin(inf)
        async with own_time.within(0.02):
            with clock.paused():
                await asyncio.sleep(0.1)
        with pytest.raises(TimeoutError):
            async with own_time.within(0.02):
                await asyncio.sleep(10)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("deadline_s", "timeout_s", "expected"),
    [
        (15.0, 3.0, 3.0),  # there is time enough
        (4.0, 3.0, 2.0),  # half of what is left
        (2.0, 3.0, own_time.SILENCE_S),  # less would tell nothing
        (2.0, 0.5, 0.5),  # who asks for less has it
        (inf, 3.0, 3.0),
    ],
)
def test_patience_fits_the_deadline(deadline_s: float, timeout_s: float, expected: float) -> None:
    """A wait is cut rather than lost."""

    async def main() -> float:
        own_time.begin(deadline_s)
        return own_time.patience_s(timeout_s)

    assert asyncio.run(main()) == pytest.approx(expected, abs=0.01)


def test_without_a_target_there_is_no_deadline() -> None:
    """Whoever uses the network by himself has all the time."""

    async def main() -> float:
        return own_time.own_time().left_s

    assert asyncio.run(main()) == inf
