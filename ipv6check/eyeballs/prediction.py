"""Predictions of how clients connect, computed from one observation. No packet is sent.

The client's policy runs in the algorithm with a virtual clock, in a world that is the survey: each
address does again what it did, and the DNS takes as long as it took. Times are milliseconds from
the first DNS query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from heapq import heappop, heappush
from itertools import islice, pairwise, product
from math import inf, prod
from typing import Literal, NamedTuple, TypeGuard

from ipv6check.eyeballs.address_order import arrange, family, is_mapped
from ipv6check.eyeballs.algorithm import (
    Connect,
    Done,
    Query,
    Race,
    RaceAction,
    RaceActions,
    Resolved,
    WaitUntil,
)
from ipv6check.eyeballs.clients import Client
from ipv6check.eyeballs.policy import Policy
from ipv6check.model import Address, is_ipv6

# Users do not notice less than this, and much of it is how a network is on another day.
FELT_MS = 100.0
# How many orders of equal addresses are tried.
ORDERS_AT_MOST = 12
# Nearer to a boundary than this, a client may end up on either side of it.
BOUNDARY_MS = 10.0
# More than moving times by the boundary in either direction can account for.
_LEAP_MS = 4 * BOUNDARY_MS
# Times that may as well have been others: of a family's handshakes, of a type's answer.
_MOVABLE = frozenset({"ipv6", "ipv4", "AAAA", "A"})
# How long Linux sends SYNs, by net.ipv4.tcp_syn_retries: measured with 6.18 (6.5 and later).
SYN_TIMEOUTS_MS = {1: 3100.0, 2: 7120.0, 3: 19_500.0, 4: 35_600.0, 5: 68_100.0, 6: 133_600.0}
SYN_TIMEOUT_MS = SYN_TIMEOUTS_MS[6]


def syn_timeout_ms(retries: int | None) -> float:
    """The time after which a host that repeats a SYN so often gives up; None is Linux' default."""
    if retries is None:
        return SYN_TIMEOUT_MS
    # Not measured: each further SYN doubles the wait.
    return SYN_TIMEOUTS_MS.get(retries) or SYN_TIMEOUT_MS * 2.0 ** (retries - 6)


Group = tuple[Address, ...]
Word = Literal["connected", "failed", "either"]
Tcp = Literal["connected", "failed", "silent"]
Tls = Literal["ok", "failed", "silent"]
# What an address that was not surveyed may do besides failing at once.
_UNSEEN: tuple[Tcp, ...] = ("connected", "silent")


@dataclass(frozen=True, slots=True)
class Seen:
    """The behaviour of one address: to a SYN after ``tcp_ms``, to a ClientHello after ``tls_ms``.

    ``failed`` is a reset or an ICMP error. ``tls`` is None where TLS was not tried.
    """

    tcp: Tcp
    tcp_ms: float = 0.0
    tls: Tls | None = None
    tls_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Survey:
    """The observation of one name and port.

    ``dns``: by type, AAAA and A; a type that is missing was not asked for and has no records.
    ``order``: the addresses as getaddrinfo gives them. ``seen``: what each one did.
    ``syn_timeout_ms``: when the vantage's kernel gives up on a silent address. ``equal``: those
    addresses that getaddrinfo leaves as the resolver has them, which may be another way the next
    time.
    """

    dns: Mapping[str, Resolved]
    order: tuple[Address, ...]
    seen: Mapping[Address, Seen]
    syn_timeout_ms: float = SYN_TIMEOUT_MS
    equal: tuple[Group, ...] = ()

    def of_race(self, policy: Policy, order: Group, equal: tuple[Group, ...]) -> Prediction:
        """The prediction for this policy on a system that sorts the addresses like this."""
        raced = Client("race", "race", "", "", "", "", policy)
        return predict(raced, replace(self, order=order, equal=equal))


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a client in ``number`` of the orders in which a resolver may give the addresses.

    The rest is as in Prediction, of these orders alone.
    """

    number: int
    outcome: Word
    family: str | None
    address: str | None
    connect_ms: float | None
    failed_ms: float | None
    earliest_ms: float
    latest_ms: float

    def told(self, of: int) -> dict[str, object]:
        """Plain data for evidence."""
        return {
            "number": self.number,
            "of": of,
            "outcome": self.outcome,
            "family": self.family,
            "address": self.address,
            "connect_ms": self.connect_ms,
            "failed_ms": self.failed_ms,
        }


@dataclass(frozen=True, slots=True)
class Prediction:
    """The end of a client: what it connects to, and when.

    ``outcome``: connected; failed; or either, where it lies too near to a boundary, or its delay
    is not known well enough, to tell which, or at which of two quite different times, and where
    the order of equal addresses decides, which is the resolver's luck. ``family`` and ``address``
    are those that it ends on (of a TLS handshake that fails, those that it is stuck with), None
    where there are none or they may be different ones. ``connect_ms`` is None where it fails,
    ``failed_ms`` where it does not, and where no timeout ever strikes; by the order that was
    observed. ``earliest_ms`` and ``latest_ms`` enclose the end. ``orders``: where the resolver's
    order decides, every end that it may lead to, that of the observed order first.
    """

    name: str
    client: str
    version: str
    outcome: Word
    family: str | None
    address: str | None
    connect_ms: float | None
    failed_ms: float | None
    earliest_ms: float
    latest_ms: float
    orders: tuple[Ending, ...] = ()

    @property
    def of(self) -> int:
        """The number of orders."""
        return sum(ending.number for ending in self.orders)

    def told(self) -> dict[str, object]:
        """Plain data for evidence."""
        orders = [ending.told(self.of) for ending in self.orders]
        return {
            "name": self.name,
            "client": self.client,
            "version": self.version,
            "outcome": self.outcome,
            "family": self.family,
            "address": self.address,
            "connect_ms": self.connect_ms,
            "failed_ms": self.failed_ms,
            "earliest_ms": self.earliest_ms,
            "latest_ms": self.latest_ms,
            **({"orders": orders} if orders else {}),
        }


def predict(client: Client, survey: Survey) -> Prediction:
    """The prediction for one client."""
    return predict_all([client], survey)[0]


def predict_all(clients: Iterable[Client], survey: Survey) -> tuple[Prediction, ...]:
    """The prediction for each client."""
    possible = [
        _Possible(number, ordered, _calm(ordered), _by_type(ordered.order))
        for number, ordered in _orders(survey)
    ]
    return tuple(_predicted(client, possible) for client in clients)


class _Possible(NamedTuple):
    """A survey in one order of its addresses, which stands for ``number`` orders."""

    number: int
    survey: Survey
    calm: _Calm | None
    by_type: Mapping[bool, Group]


def _predicted(client: Client, possible: list[_Possible]) -> Prediction:
    if len(possible) == 1:
        number, survey, calm, _ = possible[0]
        return _certain(
            client, _ending(number, client.policy, _foresee(client.policy, survey, calm))
        )
    runs: list[_Tried] = []
    for number, survey, calm, by_type in possible:
        same = next((run for run in runs if run.covers(by_type)), None)
        if same is None:
            runs.append(_tried(number, by_type, _foresee(client.policy, survey, calm)))
        else:
            same.number += number
    endings = [_ending(run.number, client.policy, run.ends) for run in runs]
    first, distinct = endings[0], _distinct(endings)
    if len(distinct) == 1:
        return _certain(client, first)
    return Prediction(
        client.name,
        client.client,
        client.version,
        "either",
        _same([ending.family for ending in distinct]),
        _same([ending.address for ending in distinct]),
        first.connect_ms,
        first.failed_ms,
        min(ending.earliest_ms for ending in distinct),
        max(ending.latest_ms for ending in distinct),
        tuple(distinct),
    )


def _certain(client: Client, ending: Ending) -> Prediction:
    """The prediction where every order ends like this."""
    return Prediction(
        client.name,
        client.client,
        client.version,
        ending.outcome,
        ending.family,
        ending.address,
        ending.connect_ms,
        ending.failed_ms,
        ending.earliest_ms,
        ending.latest_ms,
    )


@dataclass(slots=True)
class _Tried:
    """The ends of a client in ``number`` orders, in which it tries the same addresses first.

    A rotation moves addresses among those of their type, and those not tried make no difference.
    """

    number: int
    ends: list[_End]
    first: dict[bool, Group]

    def covers(self, by_type: Mapping[bool, Group]) -> bool:
        """Whether the client would try the same addresses in this order."""
        return all(by_type[aaaa][: len(tried)] == tried for aaaa, tried in self.first.items())


def _tried(number: int, by_type: Mapping[bool, Group], ends: list[_End]) -> _Tried:
    tried = {address for end in ends for address in end.tried}
    first = {}
    for aaaa, order in by_type.items():
        last = max((place for place, address in enumerate(order, 1) if address in tried), default=0)
        first[aaaa] = order[:last]
    return _Tried(number, ends, first)


def _by_type(order: Group) -> dict[bool, Group]:
    """The addresses of AAAA, by True, and those of A, each in their order."""
    return {
        aaaa: tuple(address for address in order if is_ipv6(address) is aaaa)
        for aaaa in (True, False)
    }


def _distinct(endings: list[Ending]) -> list[Ending]:
    """The endings without those that users cannot tell from an earlier one."""
    distinct: list[Ending] = []
    for ending in endings:
        place = next((n for n, known in enumerate(distinct) if _alike(known, ending)), None)
        if place is None:
            distinct.append(ending)
        else:
            known = distinct[place]
            distinct[place] = replace(known, number=known.number + ending.number)
    return distinct


def _alike(one: Ending, other: Ending) -> bool:
    if (one.outcome, one.family) != (other.outcome, other.family):
        return False
    pairs = ((one.earliest_ms, other.earliest_ms), (one.latest_ms, other.latest_ms))
    return all(mine == theirs or abs(mine - theirs) < FELT_MS for mine, theirs in pairs)


# --- the resolver's order ---------------------------------------------------------------------


def _orders(survey: Survey) -> list[tuple[int, Survey]]:
    """The surveys that differ in the order of equal addresses, and how many orders each stands for.

    A resolver that rotates gives as many orders as there are addresses. Only those are kept apart
    that begin with an address of another kind; each stands for the worst of its kind, so that a
    few are enough. The first is the observed one.
    """
    groups = [
        tuple(address for address in survey.order if address in group) for group in survey.equal
    ]
    choices = [_rotations(group, survey) for group in groups]
    choices = [rotations for rotations in choices if len(rotations) > 1]
    surveys: list[tuple[int, Survey]] = []
    for chosen in islice(product(*choices), ORDERS_AT_MOST):
        rotated = [group for _, group in chosen]
        order = _rearranged(survey.order, rotated) if surveys else survey.order
        surveys.append((prod(number for number, _ in chosen), replace(survey, order=order)))
    return surveys


def _rotations(group: Group, survey: Survey) -> list[tuple[int, Group]]:
    """The rotations of a group by how they begin: how many, and the worst; the observed one first.

    There is one where all of them look alike.
    """
    badness = {address: _badness(survey, address) for address in group}
    best_ms: dict[int, float] = {}
    for rank, at_ms in badness.values():
        best_ms[rank] = min(at_ms, best_ms.get(rank, inf))
    kinds = {
        address: (rank, at_ms - best_ms[rank] > BOUNDARY_MS)
        for address, (rank, at_ms) in badness.items()
    }

    def seen_as(rotated: Group) -> list[tuple[int, bool]]:
        return [kinds[address] for address in rotated]

    rotations = [group[n:] + group[:n] for n in range(len(group))]
    same = [rotation for rotation in rotations if seen_as(rotation) == seen_as(group)]
    others: dict[tuple[int, bool], list[Group]] = {}
    for rotation in rotations:
        if rotation not in same:
            others.setdefault(kinds[rotation[0]], []).append(rotation)
    worst = [
        (len(these), max(these, key=lambda rotated: [badness[address] for address in rotated]))
        for these in others.values()
    ]
    return [(len(same), group), *worst]


def _badness(survey: Survey, address: Address) -> tuple[int, float]:
    """A rank of what an address does (works, fails, no TLS, silent), and after how long."""
    seen = survey.seen.get(address, Seen("failed"))
    if seen.tcp == "silent":
        return 4, 0.0
    rank = {None: 0, "ok": 0, "failed": 2, "silent": 3}[seen.tls]
    return (rank if seen.tcp == "connected" else 1), seen.tcp_ms


def _rearranged(order: Group, groups: list[Group]) -> Group:
    """The order in which each group stands in its own places the given way."""
    arranged = list(order)
    for group in groups:
        places = sorted(order.index(address) for address in group)
        for place, address in zip(places, group, strict=True):
            arranged[place] = address
    return tuple(arranged)


# --- worlds ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _World:
    """The survey, with its times moved a little: of a family's handshakes or a type's answer."""

    survey: Survey
    moved_ms: Mapping[str, float] = field(default_factory=dict)
    unseen: Seen = Seen("failed")

    def answer(self, rdtype: str) -> Resolved:
        resolved = self.survey.dns.get(rdtype, Resolved())
        moved_ms = self.moved_ms.get(rdtype, 0.0)
        if not moved_ms:
            return resolved
        return Resolved(resolved.addresses, max(0.0, resolved.after_ms + moved_ms))

    def handshake(self, policy: Policy, address: str) -> tuple[Tcp, float]:
        """The end of an attempt, and after how long."""
        seen = self.survey.seen.get(address, self.unseen)
        if seen.tcp == "silent":
            return "failed", _or(policy.syn_timeout_ms, self.survey.syn_timeout_ms)
        begins_ms = self.tls_begins_ms(policy, address)
        if begins_ms == inf:
            return seen.tcp, self._answer_ms(seen, address)
        if seen.tls == "silent":
            return "failed", begins_ms + policy.tls_timeout_ms
        return ("connected" if seen.tls == "ok" else "failed"), begins_ms + seen.tls_ms

    def tls_begins_ms(self, policy: Policy, address: str) -> float:
        """The time when TCP is connected, where TLS decides the race; ``inf`` where it does not."""
        seen = self.survey.seen.get(address, self.unseen)
        if policy.success == "tcp" or seen.tcp != "connected" or seen.tls is None:
            return inf
        return self._answer_ms(seen, address)

    def _answer_ms(self, seen: Seen, address: str) -> float:
        return max(0.0, seen.tcp_ms + self.moved_ms.get(family(address), 0.0))


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _neighbours(survey: Survey, names: Iterable[str]) -> Iterator[_World]:
    """The worlds in which one of these times is as much off as measuring may be."""
    for name in sorted(names):
        for moved_ms in (-BOUNDARY_MS, BOUNDARY_MS):
            yield _World(survey, {name: moved_ms})


# --- one run of a client in one world --------------------------------------------------------


class _Event(NamedTuple):
    """A coming event, sorted by time: of a query of this type, or an attempt of this family.

    ``since_ms`` is when it was set off.
    """

    at_ms: float
    number: int
    name: str
    since_ms: float
    happen: Callable[[float], RaceActions]
    connects: bool


class _End(NamedTuple):
    """The end of one run, on ``address`` if any.

    ``near``: types and families whose times, a little other, could have led to another end.
    ``tried``: the addresses that it tried. ``unseen``: one of them was not surveyed.
    """

    connected: bool
    address: str | None
    at_ms: float
    tried: tuple[str, ...] = ()
    near: frozenset[str] = frozenset()
    unseen: bool = False


def _foresee(policy: Policy, survey: Survey, calm: _Calm | None) -> list[_End]:
    """The end in the world as surveyed, then those in worlds that cannot be told from it."""
    end = None if calm is None else _at_once(policy, calm)
    world = _World(survey)
    if end is None:
        end = _one_by_one(policy, world)
    if end is not None:
        return [end]
    ends = [_Run(extreme, world).end() for extreme in policy.extremes()]
    ends += [_Run(policy, moved).end() for moved in _neighbours(survey, ends[0].near)]
    if any(end.unseen for end in ends):
        unseen = (_World(survey, unseen=Seen(tcp)) for tcp in _UNSEEN)
        ends += [_Run(policy, other).end() for other in unseen]
    return ends


class _Calm(NamedTuple):
    """A survey in which most clients end with their first attempt: IPv6's, or IPv4's.

    ``four`` is empty where the first address of IPv4 does not work.
    """

    aaaa_ms: float
    a_ms: float
    addresses: int
    six: str
    six_ms: float
    four: str
    four_ms: float


def _calm(survey: Survey) -> _Calm | None:
    """The calm survey; None where a family is missing, or the first IPv6 address does not work."""
    aaaa, a = survey.dns.get("AAAA", Resolved()), survey.dns.get("A", Resolved())
    if not aaaa.addresses or not a.addresses or not survey.order:
        return None
    six, four = (
        survey.order[0],
        next((address for address in survey.order if not is_ipv6(address)), ""),
    )
    if not is_ipv6(six) or is_mapped(six):
        return None
    seen6, seen4 = survey.seen.get(six), survey.seen.get(four)
    if not _works(seen6):
        return None
    if not _works(seen4):
        four, seen4 = "", None
    four_ms = seen4.tcp_ms if seen4 else inf
    return _Calm(aaaa.after_ms, a.after_ms, len(survey.order), six, seen6.tcp_ms, four, four_ms)


def _works(seen: Seen | None) -> TypeGuard[Seen]:
    return seen is not None and seen.tcp == "connected" and seen.tls in {None, "ok"}


def _at_once(policy: Policy, calm: _Calm) -> _End | None:
    """The end where the first attempt connects well before the client would do anything else.

    So it is for a healthy target, without a run. None where a run is needed.
    """
    usual = policy.queries == "parallel" and policy.https_delay_ms is None
    if not usual or policy.success == "tls":
        return None
    first, tcp_ms = calm.six, calm.six_ms
    if policy.prefer == "ipv4":
        if policy.a_delay_ms < inf or not calm.four:
            return None
        first, tcp_ms = calm.four, calm.four_ms
    wait_ms = policy.resolution_delay_ms
    if calm.aaaa_ms < calm.a_ms:
        wait_ms = policy.a_delay_ms or inf
    start_ms = max(calm.aaaa_ms, calm.a_ms) if policy.a_delay_ms else calm.aaaa_ms
    next_ms = min(
        policy.connection_attempt_delay_ms,
        inf if policy.fallback_delay_ms is None else policy.fallback_delay_ms,
        policy.attempt_timeout_ms,
    )
    end_ms = start_ms + policy.own_ms + tcp_ms
    limit_ms = policy.connect_timeout_ms / (calm.addresses + 2)
    in_time = (
        abs(calm.aaaa_ms - calm.a_ms) + BOUNDARY_MS < wait_ms
        and tcp_ms + BOUNDARY_MS < next_ms
        and end_ms + BOUNDARY_MS < min(policy.dns_timeout_ms, limit_ms)
    )
    return _End(connected=True, address=first, at_ms=end_ms, tried=(first,)) if in_time else None


def _one_by_one(policy: Policy, world: _World) -> _End | None:
    """The end of a client that waits for both answers, then tries one address after the other.

    This needs no run either, as long as nothing comes close to a timeout.
    """
    answers = [world.survey.dns.get(rdtype) for rdtype in ("AAAA", "A")]
    heard = [answer for answer in answers if answer is not None and answer.addresses]
    if not _is_plain(policy) or len(heard) < 2:
        return None
    now_ms = max(answer.after_ms for answer in heard)
    if now_ms + BOUNDARY_MS >= policy.dns_timeout_ms:
        return None
    rank = {address: place for place, address in enumerate(world.survey.order)}
    order = arrange(policy, [address for answer in heard for address in answer.addresses], rank)
    for number, address in enumerate(order, 1):
        seen = world.survey.seen.get(address)
        unlimited = policy.last_unlimited and number == len(order)
        limit_ms = inf if unlimited else policy.attempt_timeout_ms
        outcome, after_ms = world.handshake(policy, address)
        if seen is None or abs(after_ms - limit_ms) <= BOUNDARY_MS:
            return None
        now_ms += min(after_ms, limit_ms)
        if outcome == "connected" and after_ms < limit_ms:
            connected, at_ms = _secured(policy, seen, now_ms)
            return _End(connected, address, at_ms, tuple(order[:number]))
    if not order or now_ms == inf:
        return None
    return _End(connected=False, address=None, at_ms=now_ms, tried=tuple(order))


def _is_plain(policy: Policy) -> bool:
    """Whether a client by this policy has one attempt at a time, and no limit but an attempt's."""
    return (
        policy.connection_attempt_delay_ms == inf
        and policy.fallback_delay_ms is None
        and policy.connect_timeout_ms == inf
        and policy.resolution_delay_ms == inf
        and policy.a_delay_ms == inf
        and policy.https_delay_ms is None
        and policy.queries == "parallel"
        and (policy.share, policy.retry, policy.after_failure) == ("none", "none", "next")
        and policy.success == "tcp"
        and not policy.own_ms
        and not policy.poll_ms
    )


def _secured(policy: Policy, seen: Seen | None, now_ms: float) -> tuple[bool, float]:
    """The end once TCP has won and TLS follows: clients do not go back to other addresses."""
    if seen is None or policy.success == "tls" or seen.tls in {None, "ok"}:
        return True, now_ms
    return False, now_ms + (seen.tls_ms if seen.tls == "failed" else policy.tls_timeout_ms)


class _Run:
    """One client in one world, to the end."""

    def __init__(self, policy: Policy, world: _World) -> None:
        self._policy = policy
        self._world = world
        self._race = Race(
            policy, {address: place for place, address in enumerate(world.survey.order)}
        )
        self._addresses: list[str] = []
        self._due: list[_Event] = []
        self._past: list[_Event] = []
        self._timers: list[float] = []

    def end(self) -> _End:
        """Run to the end, event by event."""
        now_ms, wake_ms = 0.0, inf
        actions = self._race.start(now_ms)
        while True:
            for action in actions:
                if type(action) is WaitUntil:
                    wake_ms = action.at_ms
                    self._timers.append(wake_ms)
                elif type(action) is Done:
                    return self._ended(action.winner, now_ms)
                else:
                    self._do(action, now_ms)
            if self._due and self._due[0].at_ms <= wake_ms:
                event = heappop(self._due)
                self._past.append(event)
                now_ms = event.at_ms
                actions = event.happen(now_ms)
            elif wake_ms < inf:
                now_ms, wake_ms = wake_ms, inf
                actions = self._race.tick(now_ms)
            else:
                return self._ended(None, inf)

    def _do(self, action: RaceAction, now_ms: float) -> None:
        if type(action) is Query:
            answer = self._world.answer(action.rdtype)
            happen = partial(self._race.answered, action.rdtype, answer.addresses)
            self._plan(action.rdtype, answer.after_ms, now_ms, happen)
        elif type(action) is Connect:
            self._addresses.append(action.address)
            outcome, after_ms = self._world.handshake(self._policy, action.address)
            connects = outcome == "connected"
            handshake = self._race.succeeded if connects else self._race.failed
            name = family(action.address)
            tcp_ms = self._world.tls_begins_ms(self._policy, action.address)
            self._plan(name, tcp_ms, now_ms, partial(self._race.connected, action.attempt))
            happen = partial(handshake, action.attempt)
            self._plan(name, after_ms, now_ms, happen, connects=connects)

    def _plan(
        self,
        name: str,
        after_ms: float,
        now_ms: float,
        happen: Callable[[float], RaceActions],
        *,
        connects: bool = False,
    ) -> None:
        if after_ms < inf:
            number = len(self._due) + len(self._past)
            event = _Event(now_ms + after_ms, number, name, now_ms, happen, connects)
            heappush(self._due, event)

    def _ended(self, winner: int | None, now_ms: float) -> _End:
        seen = self._world.survey.seen
        unseen = any(address not in seen for address in self._addresses)
        address, connected, at_ms = None, False, now_ms
        if winner is not None:
            address = self._addresses[winner]
            connected, at_ms = _secured(self._policy, seen.get(address), now_ms)
        return _End(connected, address, at_ms, tuple(self._addresses), self._near(now_ms), unseen)

    def _near(self, ended_ms: float) -> frozenset[str]:
        """What happened close to a time at which the client would have acted.

        What was set off at that time or later cannot come before it.
        """
        soon_ms = ended_ms + BOUNDARY_MS
        timers = [at_ms for at_ms in self._timers if at_ms <= soon_ms]
        crosses = {
            event.name
            for event in (*self._past, *self._due)
            for timer in timers
            if abs(event.at_ms - timer) <= BOUNDARY_MS and timer > event.since_ms
        }
        # Another attempt that connects at the same time could have won, whatever set off either.
        rival = any(event.connects and event.at_ms <= soon_ms for event in self._due)
        return _MOVABLE if rival else frozenset(crosses | self._swappable())

    def _swappable(self) -> set[str]:
        """Events that could have come in another order, where the client acts by their order."""
        if not self._policy.poll_ms:
            return set()
        return {
            event.name
            for earlier, later in pairwise(self._past)
            for event in (earlier, later)
            if later.at_ms - earlier.at_ms <= BOUNDARY_MS and later.since_ms < earlier.at_ms
        }


# --- one prediction out of them --------------------------------------------------------------


def _ending(number: int, policy: Policy, ends: list[_End]) -> Ending:
    first = ends[0]
    outcome: Word = "connected" if first.connected else "failed"
    if len(ends) == 1:
        return _alone(number, outcome, first)
    times = sorted(end.at_ms for end in ends)
    ranged = policy.connection_attempt_delay_max_ms is not None
    leaps = first.connected and not ranged and times[-1] - times[0] > _LEAP_MS
    if leaps or len({(end.connected, end.address) for end in ends}) > 1:
        outcome = "either"
    return Ending(
        number,
        outcome,
        _same([family(end.address) if end.address else None for end in ends]),
        _same([end.address for end in ends]),
        first.at_ms if first.connected else None,
        first.at_ms if not first.connected and first.at_ms < inf else None,
        times[0],
        times[-1],
    )


def _alone(number: int, outcome: Word, end: _End) -> Ending:
    """The ending of a run that is near no boundary."""
    return Ending(
        number,
        outcome,
        family(end.address) if end.address else None,
        end.address,
        end.at_ms if end.connected else None,
        end.at_ms if not end.connected and end.at_ms < inf else None,
        end.at_ms,
        end.at_ms,
    )


def _same(values: list[str | None]) -> str | None:
    return values[0] if len(set(values)) == 1 else None
