"""What a busy loop does to those who begin, and how much of it is known."""

from __future__ import annotations

import asyncio
import sys
import time

from ipv6check.net.loop_lag import LATE_S, AdmissionByLag, LagMeter
from ipv6check.net.switch_interval import SHORT_S


def test_who_begins_waits_until_the_loop_is_in_time() -> None:
    """While others take the loop for long, nobody enters; then one after another, in order."""

    async def main() -> list[str]:
        admission, told = AdmissionByLag(), []
        busy = 5

        async def others() -> None:
            nonlocal busy
            while busy:
                time.sleep(5 * LATE_S)  # noqa: ASYNC251 - what other targets do
                busy -= 1
                await asyncio.sleep(0)
            told.append("calm")

        async def enter(number: int) -> None:
            await admission.enter()
            told.append(str(number))

        await asyncio.gather(others(), *(enter(number) for number in range(3)))
        admission.close()
        return told

    assert asyncio.run(main()) == ["calm", "0", "1", "2"]


def test_a_calm_loop_holds_nobody_up() -> None:
    """A thousand enter in a few turns each."""

    async def main() -> int:
        admission, turns = AdmissionByLag(), 0
        entering = asyncio.gather(*(admission.enter() for _ in range(1000)))
        while not entering.done():
            turns += 1
            await asyncio.sleep(0)
        admission.close()
        return turns

    assert asyncio.run(main()) < 10_000


def test_admission_leaves_the_interpreter_as_it_was() -> None:
    """Threads are switched more often only while it is there."""
    usual_s = sys.getswitchinterval()

    async def main() -> float:
        admission = AdmissionByLag()
        meanwhile = sys.getswitchinterval()
        admission.close()
        return meanwhile

    assert asyncio.run(main()) <= SHORT_S
    assert sys.getswitchinterval() == usual_s


def test_lateness_is_added_up() -> None:
    """What a busy loop took is known, also before its timer has seen it."""

    async def main() -> None:
        meter = LagMeter()
        await asyncio.sleep(0.05)
        before = meter.late_ms
        time.sleep(0.2)  # noqa: ASYNC251 - the loop is busy
        at_once = meter.late_ms - before
        await asyncio.sleep(0.05)
        later = meter.late_ms - before
        assert 150 < at_once < later + 1
        meter.close()

    asyncio.run(main())
