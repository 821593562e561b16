"""The race of RFC 8305 section 5, for real: staggered attempts, the first handshake wins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ipv6check.model import Attempt

CONNECTION_ATTEMPT_DELAY_S = 0.25

Connect = Callable[[str, int], Awaitable[Attempt]]


@dataclass(frozen=True, slots=True)
class Entrant:
    """One attempt of a race. ``why`` it began: first, timer (the delay was over) or failure.

    Times are milliseconds since the race began; ``outcome`` is an Attempt's, or cancelled.
    """

    address: str
    why: str
    started_ms: float
    ended_ms: float
    outcome: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The attempts in the order of their start; ``winner`` is None where all failed."""

    port: int
    winner: str | None
    elapsed_ms: float
    entrants: tuple[Entrant, ...]


class _Race:
    def __init__(self, port: int, connect: Connect) -> None:
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._port = port
        self._connect = connect
        self.running: dict[asyncio.Future[Attempt], tuple[str, str, float]] = {}
        self.entrants: list[Entrant] = []
        self.winner: str | None = None
        self.ended_ms = 0.0

    def now_ms(self) -> float:
        return (self._loop.time() - self._began) * 1000

    def start(self, address: str, why: str) -> None:
        attempt = asyncio.ensure_future(self._connect(address, self._port))
        self.running[attempt] = (address, why, self.now_ms())

    def finish(self, attempt: asyncio.Future[Attempt]) -> None:
        address, why, started = self.running.pop(attempt)
        result = attempt.result()
        self.entrants.append(Entrant(address, why, started, self.now_ms(), result.outcome))
        if result.connected and self.winner is None:
            self.winner = address

    async def end(self) -> None:
        self.ended_ms = self.now_ms()
        for attempt, (address, why, started) in self.running.items():
            attempt.cancel()
            self.entrants.append(Entrant(address, why, started, self.now_ms(), "cancelled"))
        await asyncio.gather(*self.running, return_exceptions=True)

    def outcome(self) -> Outcome:
        entrants = sorted(self.entrants, key=lambda entrant: entrant.started_ms)
        return Outcome(self._port, self.winner, self.ended_ms, tuple(entrants))


async def race(
    order: Sequence[str],
    port: int,
    connect: Connect,
    delay_s: float = CONNECTION_ATTEMPT_DELAY_S,
) -> Outcome:
    """Try the addresses in this order, ``delay_s`` apart, the next one at once after a failure."""
    contest = _Race(port, connect)
    waiting = list(order)
    why = "first"
    try:
        while waiting or contest.running:
            if waiting:
                contest.start(waiting.pop(0), why)
            done, _ = await asyncio.wait(
                contest.running,
                timeout=delay_s if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            why = "failure" if done else "timer"
            # In the order of their start, should two have ended at once.
            for attempt in [attempt for attempt in contest.running if attempt in done]:
                contest.finish(attempt)
            if contest.winner is not None:
                break
    finally:
        await contest.end()
    return contest.outcome()
