"""Happy Eyeballs without I/O: what a client does next, given what has happened.

The same object drives the live race (`race`) and, with a virtual clock, the prediction of every
client (`prediction`). It reads no clock: each input says when it happened, in milliseconds that
never go back. Each input returns the actions to take, in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from math import inf
from typing import NamedTuple

from ipv6check.eyeballs.address_order import arrange, family, split, without_firsts
from ipv6check.eyeballs.policy import HTTPS, Policy
from ipv6check.model import Address, Endless, is_ipv6


@dataclass(frozen=True, slots=True)
class Resolved:
    """The resolver's answer to one query; ``after_ms`` is ``inf`` where it gave none.

    The addresses of HTTPS are its hints, of either family (RFC 9460 section 7.3).
    """

    addresses: tuple[Address, ...] = ()
    after_ms: Endless = 0.0


class Query(NamedTuple):
    """Ask for this type: AAAA, A or HTTPS."""

    rdtype: str


class Connect(NamedTuple):
    """Start attempt number ``attempt``.

    ``why``: first; timer (a delay was over); failure (of another); answer (its address came late).
    """

    attempt: int
    address: str
    why: str


class Cancel(NamedTuple):
    """Close an attempt. ``why``: lost (another won), timeout, or crowded (too many are alive)."""

    attempt: int
    why: str


class WaitUntil(NamedTuple):
    """Call ``tick`` at this time, unless anything else happens before. The latest one counts."""

    at_ms: float


class Done(NamedTuple):
    """The race is over; ``winner`` is an attempt, None where there is none.

    ``why``: connected, failed (every address), timeout, or resolver (no address to try).
    """

    winner: int | None
    why: str


RaceAction = Query | Connect | Cancel | WaitUntil | Done
RaceActions = tuple[RaceAction, ...]


@dataclass(slots=True)
class _Lane:
    """A list of addresses that are tried one after the other: all, or those of one family."""

    queue: list[str] = field(default_factory=list)
    started_ms: float | None = None
    ended_ms: float = -inf
    latest: int = -1
    kicked: bool = False
    family: str = ""


@dataclass(slots=True)
class _Running:
    """An attempt that is running."""

    lane: _Lane
    deadline_ms: float


def _type_of(address: str) -> str:
    return "AAAA" if is_ipv6(address) else "A"


class Race:
    """The decisions of one client that connects to one name.

    Every attempt that was started ends by an input (``succeeded``, ``failed``) or by a Cancel, and
    none is started after Done.
    """

    def __init__(self, policy: Policy, rank: Mapping[str, int] | None = None) -> None:
        """A race by this policy; ``rank`` gives each address its place in the system's order."""
        self._policy = policy
        self._rank = rank or {}
        self._delays_ms = dict(policy.delays_ms)
        self._unasked = list(self._delays_ms)
        self._asked_ms: dict[str, float] = {}
        self._found: dict[str, Sequence[str]] = {}
        self._hints: Sequence[str] = ()
        self._known_ms = self._joined_ms = inf
        self._told_ms = 0.0
        self._round: list[str] = []
        self._rounds = 0
        self._tried: set[str] = set()
        self._lanes: dict[str, _Lane] = {}
        self._running: dict[int, _Running] = {}
        self._attempts = 0
        self._began_ms = self._deadline_ms = inf
        self.done = False

    # --- inputs ------------------------------------------------------------------------------

    def start(self, now_ms: float) -> RaceActions:
        """Begin with the first query."""
        if self._policy.timeout_covers_dns:
            self._deadline_ms = now_ms + self._policy.connect_timeout_ms
        return (*self._ask(now_ms), *self._advance(now_ms))

    def answered(self, rdtype: str, addresses: Sequence[str], now_ms: float) -> RaceActions:
        """A query is answered; without addresses where the answer has none or is an error."""
        if self.done or self._asked_ms.pop(rdtype, None) is None:
            return ()
        self._told_ms = now_ms
        if rdtype == HTTPS:
            self._hints = [address for address in addresses if _type_of(address) not in self._found]
        else:
            # Even if there are none: a name's own records replace the hints.
            self._found[rdtype] = addresses
        if addresses:
            self._known_ms = min(self._known_ms, now_ms)
        if (addresses or self._hints) and not self._resolving:
            self._joined_ms = now_ms if addresses else self._joined_ms
            self._fill(self._addresses())
        return (*self._ask(now_ms), *self._advance(now_ms))

    def started(self, attempt: int, now_ms: float) -> RaceActions:
        """The SYN has left, perhaps late: the delay to the next attempt counts from now."""
        running = self._running.get(attempt)
        if running is None or running.lane.latest != attempt:
            return ()
        running.lane.started_ms = now_ms
        at_ms = self._next_ms()
        return (WaitUntil(at_ms),) if at_ms < inf else ()

    def connected(self, attempt: int, now_ms: float) -> RaceActions:
        """TCP is connected and TLS begins: the next attempt waits a whole delay from now.

        draft-ietf-happy-happyeyeballs-v3, "Determining successful connection establishment".
        """
        return self.started(attempt, now_ms)

    def succeeded(self, attempt: int, now_ms: float) -> RaceActions:  # noqa: ARG002 - as every input
        """The handshake is complete; of an attempt that was cancelled this is ignored."""
        if self.done or self._running.pop(attempt, None) is None:
            return ()
        return self._end("connected", attempt)

    def failed(self, attempt: int, now_ms: float) -> RaceActions:
        """The attempt is over, without a connection."""
        if self.done or attempt not in self._running:
            return ()
        self._remove(attempt, now_ms)
        return self._advance(now_ms)

    def tick(self, now_ms: float) -> RaceActions:
        """Time has passed."""
        return () if self.done else self._advance(now_ms)

    # --- one step ----------------------------------------------------------------------------

    def _advance(self, now_ms: float) -> RaceActions:
        """Do everything that is due by now."""
        actions: list[RaceAction] = [*self._forget_questions(now_ms), *self._time_out(now_ms)]
        while not self.done:
            if self._resolving and now_ms >= self._enough_ms():
                self._open(self._addresses(), now_ms)
            actions += self._start_attempts(now_ms)
            if self._hopeful():
                at_ms = self._next_ms()
                return (*actions, WaitUntil(at_ms)) if at_ms < inf else tuple(actions)
            if not self._again(now_ms):
                actions += self._end("failed" if self._attempts else "resolver")
        return tuple(actions)

    def _hopeful(self) -> bool:
        """Whether there is anything to wait for."""
        if self._resolving and self._known_ms < inf:
            return True
        waiting = any(lane.queue for lane in self._lanes.values())
        return bool(self._running or self._asked_ms or waiting)

    def _end(self, why: str, winner: int | None = None) -> RaceActions:
        self.done = True
        return (*self._cancel_all("timeout" if why == "timeout" else "lost"), Done(winner, why))

    def _cancel_all(self, why: str) -> list[Cancel]:
        cancelled = [Cancel(attempt, why) for attempt in self._running]
        self._running.clear()
        return cancelled

    def _next_ms(self) -> float:
        """The time at which something is due if nothing happens before."""
        times = [running.deadline_ms for running in self._running.values()]
        times.append(self._deadline_ms)
        if self._asked_ms:
            times.append(min(self._asked_ms.values()) + self._policy.dns_timeout_ms)
        if self._resolving:
            times.append(self._enough_ms())
        times += [self._due_ms(lane) for lane in self._lanes.values() if lane.queue]
        return min(times)

    # --- resolution (RFC 8305 section 3) -----------------------------------------------------

    def _ask(self, now_ms: float) -> list[Query]:
        """The queries to send now."""
        if not self._unasked:
            return []
        number = len(self._unasked)
        if self._policy.queries == "sequential":
            number = 0 if self._asked_ms else 1
        asked, self._unasked = self._unasked[:number], self._unasked[number:]
        self._asked_ms.update(dict.fromkeys(asked, now_ms))
        return [Query(rdtype) for rdtype in asked]

    def _forget_questions(self, now_ms: float) -> Sequence[RaceAction]:
        """Give up on queries that have timed out."""
        if not (self._asked_ms or self._unasked):
            return ()
        limit_ms = self._policy.dns_timeout_ms
        overdue = [
            rdtype for rdtype, asked_ms in self._asked_ms.items() if now_ms >= asked_ms + limit_ms
        ]
        if "A" in overdue and self._policy.needs_a:
            return self._end("resolver")
        for rdtype in overdue:
            del self._asked_ms[rdtype]
            self._told_ms = now_ms
        return self._ask(now_ms)

    def _enough_ms(self) -> float:
        """The time at which the addresses known so far are enough to begin."""
        hinted = {_type_of(address) for address in self._hints}
        missing = {*self._asked_ms, *self._unasked} - hinted
        if self._known_ms == inf or not missing:
            enough_ms = max(self._known_ms, self._told_ms)
        else:
            enough_ms = self._known_ms + max(self._delays_ms[rdtype] for rdtype in missing)
        return enough_ms + self._policy.own_ms

    @property
    def _resolving(self) -> bool:
        """Whether no attempt may begin yet."""
        return self._began_ms == inf

    def _addresses(self) -> list[str]:
        """The addresses that may be tried: a hint counts until its type is answered."""
        hints = [address for address in self._hints if _type_of(address) not in self._found]
        known = [address for rdtype in self._delays_ms for address in self._found.get(rdtype, ())]
        return [*known, *hints]

    # --- order (RFC 8305 section 4) ----------------------------------------------------------

    def _open(self, addresses: list[str], now_ms: float) -> None:
        """Begin a round with these addresses."""
        if not self._policy.timeout_covers_dns:
            self._deadline_ms = now_ms + self._policy.connect_timeout_ms
        self._began_ms = now_ms
        self._lanes = {}
        self._tried.clear()
        self._fill(addresses)

    def _fill(self, addresses: list[str]) -> None:
        """Give each lane, in order, the addresses that were not tried yet."""
        self._round = arrange(self._policy, addresses, self._rank)
        for lane in self._lanes.values():
            lane.queue = []
        for name, queue in split(self._policy, self._round).items():
            lane = self._lanes.setdefault(name, _Lane())
            lane.queue = [address for address in queue if address not in self._tried]

    def _again(self, now_ms: float) -> bool:
        """Begin another round, if the client has one, once all attempts of the last have failed."""
        left: list[str] = []
        if self._policy.retry == "leftovers":
            left = without_firsts(self._round)
        elif self._policy.retry == "same" and not self._rounds:
            left = self._round
        self._rounds += 1
        if left:
            self._open(left, now_ms)
        return bool(left)

    # --- attempts (RFC 8305 section 5) -------------------------------------------------------

    def _time_out(self, now_ms: float) -> Sequence[RaceAction]:
        """Cancel the attempts that have timed out."""
        if self.done:
            return ()
        if now_ms >= self._deadline_ms:
            cancelled = self._cancel_all("timeout")
            if not self._policy.timeout_covers_dns and self._again(now_ms):
                return cancelled
            return (*cancelled, *self._end("timeout"))
        overdue = [
            attempt for attempt, running in self._running.items() if now_ms >= running.deadline_ms
        ]
        for attempt in overdue:
            self._remove(attempt, now_ms)
        return [Cancel(attempt, "timeout") for attempt in overdue]

    def _start_attempts(self, now_ms: float) -> Iterator[RaceAction]:
        for lane in self._lanes.values():
            why = self._why(lane, now_ms) if lane.queue else None
            if why is not None:
                yield from self._start(lane, why, now_ms)

    def _start(self, lane: _Lane, why: str, now_ms: float) -> Iterator[RaceAction]:
        if 0 < self._policy.alive_max <= len(self._running):
            oldest = next(iter(self._running))
            self._running.pop(oldest).lane.ended_ms = now_ms
            yield Cancel(oldest, "crowded")
        address, attempt = lane.queue.pop(self._turn(lane, why)), self._attempts
        self._attempts += 1
        self._tried.add(address)
        lane.started_ms, lane.latest, lane.kicked = now_ms, attempt, False
        lane.family = family(address)
        self._running[attempt] = _Running(lane, now_ms + self._limit_ms(lane, now_ms))
        yield Connect(attempt, address, why)

    def _turn(self, lane: _Lane, why: str) -> int:
        """The index in the lane's queue of the next address."""
        if why != "failure" or self._policy.after_failure == "next":
            return 0
        indices = (
            index for index, address in enumerate(lane.queue) if family(address) == lane.family
        )
        return next(indices, 0)

    def _why(self, lane: _Lane, now_ms: float) -> str | None:
        """The reason to start the lane's next attempt now, None where there is none."""
        if not self._attempts:
            return "first"
        stuck = self._stuck(lane) and not self._asleep(lane, now_ms)
        if not stuck and now_ms < self._due_ms(lane):
            return None
        if self._joined_ms == now_ms:
            return "answer"
        return "failure" if stuck else "timer"

    def _stuck(self, lane: _Lane) -> bool:
        """Whether the lane has nothing to wait for but the clock."""
        if lane.started_ms is None:
            before = takewhile(lambda other: other is not lane, self._lanes.values())
            return not any(other.queue or self._alive(other) for other in before)
        if self._policy.kick == "latest":
            return lane.kicked or lane.latest not in self._running
        return lane.kicked or not self._alive(lane)

    def _asleep(self, lane: _Lane, now_ms: float) -> bool:
        """Whether the client notices only later that this lane's next attempt may start."""
        return self._policy.poll_ms > 0 and lane.started_ms is not None and lane.ended_ms == now_ms

    def _alive(self, lane: _Lane) -> bool:
        return any(running.lane is lane for running in self._running.values())

    def _due_ms(self, lane: _Lane) -> float:
        """The latest time at which the lane's next attempt starts."""
        if 0 < self._policy.at_once_max <= len(self._running):
            return inf
        if lane.started_ms is None:
            return self._began_ms + (self._policy.fallback_delay_ms or 0.0)
        due_ms = lane.started_ms + self._policy.connection_attempt_delay_ms
        if self._policy.poll_ms and self._stuck(lane):
            return min(due_ms, lane.ended_ms + self._policy.poll_ms)
        return due_ms

    def _limit_ms(self, lane: _Lane, now_ms: float) -> float:
        """The timeout of an attempt that starts now; its address has left the queue."""
        policy, left_ms = self._policy, self._deadline_ms - now_ms
        limit_ms = policy.attempt_timeout_ms
        if policy.last_unlimited and not lane.queue:
            limit_ms = inf
        if policy.share == "equal":
            share_ms = max(left_ms / (len(lane.queue) + 1), policy.share_min_ms)
            return min(limit_ms, share_ms, left_ms)
        return min(limit_ms, left_ms / 2) if policy.share == "half" and lane.queue else limit_ms

    def _remove(self, attempt: int, now_ms: float) -> None:
        """An attempt has failed; with the last one of a lane the others may go on."""
        lane = self._running.pop(attempt).lane
        lane.ended_ms = now_ms
        if self._policy.lane_end_kicks and not lane.queue and not self._alive(lane):
            for other in self._lanes.values():
                other.kicked = other is not lane
