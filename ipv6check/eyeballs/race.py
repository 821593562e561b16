"""The live race: `algorithm.Race` decides, a Net connects, asyncio waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import inf

from ipv6check.eyeballs.algorithm import (
    Cancel,
    Connect,
    Done,
    Query,
    Race,
    RaceAction,
    RaceActions,
    Resolved,
    WaitUntil,
)
from ipv6check.eyeballs.https_records import Service
from ipv6check.eyeballs.policy import RFC8305, Policy
from ipv6check.model import Address, Attempt, Handshake, Port

Connector = Callable[[str, int], Awaitable[Attempt]]
# Reports, besides, the TCP attempt when it is connected and TLS begins.
Securer = Callable[[str, int, Callable[[Attempt], None]], Awaitable[Handshake]]
RUNNING, CANCELLED = "running", "cancelled"


@dataclass(frozen=True, slots=True)
class Entrant:
    """One connection attempt of a race.

    ``why`` it began: first, timer (a delay was over), failure (of another) or answer (its address
    came late). Times are milliseconds since the first DNS query; ``started_ms`` is when the SYN
    left. ``outcome`` is running, an Attempt's or a Handshake's, or cancelled. ``tls_started_ms`` is
    when TCP was up, where TLS decides; it ended with the attempt. ``rtt_ms`` and
    ``retransmissions`` are the kernel's (TCP_INFO), where the TCP handshake was completed.
    """

    address: Address
    why: str
    started_ms: float
    ended_ms: float
    outcome: str
    source: str | None = None
    rtt_ms: float | None = None
    retransmissions: int = 0
    tls_started_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a race: its attempts in the order of their start, and the winner if any.

    ``policy``: the constants. ``order``: the addresses by RFC 6724, before families alternate.
    ``services``: what the name's HTTPS records say, where they were asked for. ``equal``: the
    addresses that RFC 6724 does not tell apart, whose order is the resolver's.
    """

    port: Port
    winner: Address | None
    elapsed_ms: float
    entrants: tuple[Entrant, ...]
    policy: Policy = RFC8305
    order: tuple[Address, ...] = ()
    services: tuple[Service, ...] = ()
    equal: tuple[tuple[Address, ...], ...] = ()


async def race(
    policy: Policy,
    dns: Mapping[str, Resolved],
    rank: Mapping[str, int],
    port: int,
    connect: Connector,
    tell: Callable[[Entrant], None] = lambda _: None,
    secure: Securer | None = None,
) -> Outcome:
    """Connect as a client with this policy does, given the answers of the DNS.

    The answers count from when the resolver gave them, but they are not waited for again: while no
    attempt is running, the race's clock is put forward. ``rank`` is each address's place in the
    order of RFC 6724. With ``secure`` an attempt wins once TLS is established, not TCP alone.
    ``tell`` is called with each attempt when it starts, when its TLS starts, and when it ends.
    What ``connect`` or ``secure`` raises is raised, and no attempt is left running.
    """
    live = _LiveRace(policy, dns, rank, port, connect, tell, secure)
    try:
        await live.run()
    finally:
        await live.close()
    return live.outcome()


class _LiveRace:
    """One race under way: carries out what the algorithm decides, and reports what happens to it.

    Times are milliseconds since the race began, by the loop's clock and what it was put forward.
    """

    def __init__(
        self,
        policy: Policy,
        dns: Mapping[str, Resolved],
        rank: Mapping[str, int],
        port: int,
        connect: Connector,
        tell: Callable[[Entrant], None],
        secure: Securer | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._origin_ms = self._loop.time() * 1000
        self._algorithm = Race(policy, rank)
        self._policy = policy
        self._order = tuple(sorted(rank, key=lambda address: rank[address]))
        self._dns = dns
        self._port = port
        self._connect = connect
        self._secure = secure
        self._tell = tell
        self._answers: list[tuple[float, str]] = []
        self._wake_ms: float | None = None
        self._running: dict[asyncio.Task[Attempt | Handshake], int] = {}
        self._closing: list[asyncio.Task[Attempt | Handshake]] = []
        self._entrants: dict[int, Entrant] = {}
        self._winner: str | None = None
        self._ended_ms = 0.0

    async def run(self) -> None:
        """Race from the first DNS query to the end."""
        self._obey(self._algorithm.start(0.0), 0.0)
        while not self._algorithm.done:
            due_ms = self._due_ms()
            if self._running:
                await self._wait(due_ms)
            elif due_ms is not None:
                self._put_forward(due_ms)
            else:
                return  # a query that is never answered
            if not self._hear():
                self._move(due_ms)

    async def close(self) -> None:
        """Cancel the attempts that are still running."""
        for attempt in self._running:
            attempt.cancel()
        await asyncio.gather(*self._running, *self._closing, return_exceptions=True)

    def outcome(self) -> Outcome:
        """The result, with the attempts in the order of their start."""
        entrants = sorted(self._entrants.items())
        attempts = tuple(entrant for _, entrant in entrants)
        return Outcome(
            self._port, self._winner, self._ended_ms, attempts, self._policy, self._order
        )

    # --- time --------------------------------------------------------------------------------

    def _now_ms(self) -> float:
        return self._loop.time() * 1000 - self._origin_ms

    def _put_forward(self, to_ms: float) -> None:
        self._origin_ms -= max(0.0, to_ms - self._now_ms())

    def _due_ms(self) -> float | None:
        """When an answer or a timer is due, whichever is first."""
        times = [at_ms for at_ms, _ in self._answers]
        if self._wake_ms is not None:
            times.append(self._wake_ms)
        return min(times, default=None)

    async def _wait(self, due_ms: float | None) -> None:
        """Wait until an attempt ends or something is due."""
        left_s = None if due_ms is None else max(0.0, due_ms - self._now_ms()) / 1000
        done, _ = await asyncio.wait(
            self._running, timeout=left_s, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            # On a busy loop a handshake may be done and not yet noticed: it came first.
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    # --- inputs of the algorithm --------------------------------------------------------------

    def _hear(self) -> bool:
        """Report the attempts that have ended, in the order of their end."""
        ended = [
            (self._end(attempt.result(), number), number, attempt.result())
            for attempt, number in self._running.items()
            if attempt.done()
        ]
        self._running = {
            attempt: number for attempt, number in self._running.items() if not attempt.done()
        }
        for _, number, result in sorted(ended, key=lambda end: end[:2]):
            report = self._algorithm.succeeded if result.connected else self._algorithm.failed
            now_ms = self._now_ms()
            self._obey(report(number, now_ms), now_ms)
        return bool(ended)

    def _end(self, result: Attempt | Handshake, number: int) -> float:
        """Note an attempt's end, and return its time by the kernel's clock, to the microsecond."""
        begun = self._entrants[number]
        tcp = result.tcp if isinstance(result, Handshake) else result
        tls_ms = result.elapsed_ms if isinstance(result, Handshake) else 0.0
        ended_ms = min(begun.started_ms + tcp.elapsed_ms + tls_ms, self._now_ms())
        ended = replace(
            begun,
            ended_ms=ended_ms,
            outcome=result.outcome,
            source=tcp.source,
            rtt_ms=tcp.rtt_ms,
            retransmissions=tcp.retransmissions,
        )
        self._note(number, ended)
        return round(ended_ms, 3)

    def _move(self, due_ms: float | None) -> None:
        """Report what is due: an answer, or that time has passed."""
        now_ms = max(self._now_ms(), due_ms or 0.0)
        arrived = [(at_ms, rdtype) for at_ms, rdtype in sorted(self._answers) if at_ms <= now_ms]
        for at_ms, rdtype in arrived:
            self._answers.remove((at_ms, rdtype))
            addresses = self._dns.get(rdtype, Resolved()).addresses
            self._obey(self._algorithm.answered(rdtype, addresses, now_ms), now_ms)
        if not arrived:
            self._wake_ms = None
            self._obey(self._algorithm.tick(now_ms), now_ms)

    # --- outputs of the algorithm -------------------------------------------------------------

    def _obey(self, actions: RaceActions, now_ms: float) -> None:
        for action in actions:
            self._do(action, now_ms)

    def _do(self, action: RaceAction, now_ms: float) -> None:
        match action:
            case Query(rdtype):
                after_ms = self._dns.get(rdtype, Resolved()).after_ms
                if after_ms < inf:
                    self._answers.append((now_ms + after_ms, rdtype))
            case Connect(number, address, why):
                attempt = self._loop.create_task(self._attempt(number, address, why))
                self._running[attempt] = number
            case Cancel(number, why):
                self._cancel(number, "timeout" if why == "timeout" else CANCELLED)
            case WaitUntil(at_ms):
                self._wake_ms = at_ms
            case Done(winner):
                self._ended_ms = now_ms
                if winner is not None:
                    self._winner = self._entrants[winner].address
                    self._ended_ms = self._entrants[winner].ended_ms

    async def _attempt(self, number: int, address: str, why: str) -> Attempt | Handshake:
        # The SYN leaves in the same step of the loop, so that nothing comes between it and this.
        now_ms = self._now_ms()
        self._note(number, Entrant(address, why, now_ms, now_ms, RUNNING))
        self._obey(self._algorithm.started(number, now_ms), now_ms)
        if self._secure is None:
            return await self._connect(address, self._port)
        return await self._secure(address, self._port, partial(self._connected, number))

    def _connected(self, number: int, attempt: Attempt) -> None:
        """Note that TCP is connected and TLS begins."""
        now_ms, begun = self._now_ms(), self._entrants[number]
        up_ms = min(begun.started_ms + attempt.elapsed_ms, now_ms)
        self._note(number, replace(begun, tls_started_ms=up_ms))
        self._obey(self._algorithm.connected(number, now_ms), now_ms)

    def _cancel(self, number: int, outcome: str) -> None:
        attempt = next((task for task, running in self._running.items() if running == number), None)
        if attempt is None:
            return  # it ended at the same moment as the winner
        attempt.cancel()
        del self._running[attempt]
        self._closing.append(attempt)
        if number in self._entrants:
            begun = self._entrants[number]
            self._note(number, replace(begun, ended_ms=self._now_ms(), outcome=outcome))

    def _note(self, number: int, entrant: Entrant) -> None:
        self._entrants[number] = entrant
        self._tell(entrant)
