"""What a client would feel, computed from what was observed once. No packet is sent.

The client's policy runs in the core with a virtual clock, in a world that is the survey: each
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
    Action,
    Actions,
    Connect,
    Done,
    Query,
    Race,
    Resolved,
    WaitUntil,
)
from ipv6check.eyeballs.clients import Client
from ipv6check.eyeballs.policy import Policy
from ipv6check.model import Address

# Less than this nobody feels.
FELT_MS = 100.0
# How many orders of equal addresses are looked at.
ORDERS_AT_MOST = 12
# Nearer to a boundary than this, a client may end up on either side of it.
BOUNDARY_MS = 10.0
# What a time that is moved by so much in either direction cannot account for.
_LEAP_MS = 4 * BOUNDARY_MS
# Whose times may as well have been others: a family's handshakes, a type's answer.
_MOVABLE = frozenset({"ipv6", "ipv4", "AAAA", "A"})
# How long Linux sends SYNs, by net.ipv4.tcp_syn_retries: measured with 6.18 (6.5 and later).
SYN_TIMEOUTS_MS = {1: 3100.0, 2: 7120.0, 3: 19_500.0, 4: 35_600.0, 5: 68_100.0, 6: 133_600.0}
SYN_TIMEOUT_MS = SYN_TIMEOUTS_MS[6]


def syn_timeout_ms(retries: int | None) -> float:
    """How long a host that repeats so many SYNs waits for an answer; None is the usual number."""
    if retries is None:
        return SYN_TIMEOUT_MS
    # Without a measurement: the last wait doubles with each.
    return SYN_TIMEOUTS_MS.get(retries) or SYN_TIMEOUT_MS * 2.0 ** (retries - 6)


Group = tuple[Address, ...]
Word = Literal["connected", "failed", "either"]
Tcp = Literal["connected", "failed", "silent"]
Tls = Literal["ok", "failed", "silent"]
# What an address that was not surveyed may do besides failing at once.
_UNSEEN: tuple[Tcp, ...] = ("connected", "silent")


@dataclass(frozen=True, slots=True)
class Seen:
    """What one address did: with a SYN after ``tcp_ms``, then with a ClientHello after ``tls_ms``.

    ``failed`` is a reset or an ICMP error. ``tls`` is None where TLS was not tried.
    """

    tcp: Tcp
    tcp_ms: float = 0.0
    tls: Tls | None = None
    tls_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Survey:
    """What was observed of one name and port.

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
        """What a race by this policy comes to, whose system sorts the addresses like this."""
        raced = Client("race", "race", "", "", "", "", policy)
        return predict(raced, replace(self, order=order, equal=equal))


@dataclass(frozen=True, slots=True)
class Ending:
    """How a client ends by ``number`` of the orders in which a resolver may give the addresses.

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
        """For programs, as it stands in evidence."""
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
    """How a client ends.

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
        """How many orders there are."""
        return sum(each.number for each in self.orders)

    def told(self) -> dict[str, object]:
        """For programs, as it stands in evidence."""
        orders = [each.told(self.of) for each in self.orders]
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
    """What this client would feel."""
    return predict_all([client], survey)[0]


def predict_all(clients: Iterable[Client], survey: Survey) -> tuple[Prediction, ...]:
    """What each of them would feel."""
    possible = [
        _Possible(number, each, _calm(each), _by_type(each.order))
        for number, each in _orders(survey)
    ]
    return tuple(_predicted(client, possible) for client in clients)


class _Possible(NamedTuple):
    """A survey in one order of its addresses, which stands for so many."""

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
        same = next((each for each in runs if each.covers(by_type)), None)
        if same is None:
            runs.append(_tried(number, by_type, _foresee(client.policy, survey, calm)))
        else:
            same.number += number
    endings = [_ending(each.number, client.policy, each.ends) for each in runs]
    first, told = endings[0], _distinct(endings)
    if len(told) == 1:
        return _certain(client, first)
    return Prediction(
        client.name,
        client.client,
        client.version,
        "either",
        _same([each.family for each in told]),
        _same([each.address for each in told]),
        first.connect_ms,
        first.failed_ms,
        min(each.earliest_ms for each in told),
        max(each.latest_ms for each in told),
        tuple(told),
    )


def _certain(client: Client, ending: Ending) -> Prediction:
    """How it ends in any order."""
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
    """The ends of a client in so many orders of the addresses, which are alike as far as it tried.

    A rotation moves addresses among those of their type, and what was not tried made no difference.
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
        last = max((n for n, each in enumerate(order, 1) if each in tried), default=0)
        first[aaaa] = order[:last]
    return _Tried(number, ends, first)


def _by_type(order: Group) -> dict[bool, Group]:
    """The addresses of AAAA, by True, and those of A, each in their order."""
    return {aaaa: tuple(each for each in order if (":" in each) is aaaa) for aaaa in (True, False)}


def _distinct(endings: list[Ending]) -> list[Ending]:
    """One ending for all that nobody could tell from each other."""
    told: list[Ending] = []
    for ending in endings:
        place = next((n for n, each in enumerate(told) if _alike(each, ending)), None)
        if place is None:
            told.append(ending)
        else:
            told[place] = replace(told[place], number=told[place].number + ending.number)
    return told


def _alike(one: Ending, other: Ending) -> bool:
    if (one.outcome, one.family) != (other.outcome, other.family):
        return False
    pairs = ((one.earliest_ms, other.earliest_ms), (one.latest_ms, other.latest_ms))
    return all(mine == theirs or abs(mine - theirs) < FELT_MS for mine, theirs in pairs)


# --- the resolver's luck ---------------------------------------------------------------------


def _orders(survey: Survey) -> list[tuple[int, Survey]]:
    """The surveys that differ in the order of equal addresses, and how many orders each stands for.

    What a resolver rotates it gives in as many orders as there are addresses. Told apart are those
    that begin with an address of another kind; each stands for the worst of its kind, so that a
    few are enough. The first is the observed one.
    """
    groups = [tuple(each for each in survey.order if each in group) for group in survey.equal]
    lots = [_rotations(group, survey) for group in groups]
    found: list[tuple[int, Survey]] = []
    for chosen in islice(product(*(each for each in lots if len(each) > 1)), ORDERS_AT_MOST):
        turned = [group for _, group in chosen]
        order = _rearranged(survey.order, turned) if found else survey.order
        found.append((prod(number for number, _ in chosen), replace(survey, order=order)))
    return found


def _rotations(group: Group, survey: Survey) -> list[tuple[int, Group]]:
    """In how many rotations a group begins alike, and the worst of these; the observed one first.

    Where nobody could tell any two apart, that is one.
    """
    bad = {each: _badness(survey, each) for each in group}
    best_ms: dict[int, float] = {}
    for rank, at_ms in bad.values():
        best_ms[rank] = min(at_ms, best_ms.get(rank, inf))
    kinds = {each: (rank, ms - best_ms[rank] > BOUNDARY_MS) for each, (rank, ms) in bad.items()}

    def seen_as(rotated: Group) -> list[tuple[int, bool]]:
        return [kinds[each] for each in rotated]

    rotations = [group[n:] + group[:n] for n in range(len(group))]
    same = [each for each in rotations if seen_as(each) == seen_as(group)]
    others: dict[tuple[int, bool], list[Group]] = {}
    for each in rotations:
        if each not in same:
            others.setdefault(kinds[each[0]], []).append(each)
    worst = [
        (len(these), max(these, key=lambda rotated: [bad[each] for each in rotated]))
        for these in others.values()
    ]
    return [(len(same), group), *worst]


def _badness(survey: Survey, address: Address) -> tuple[int, float]:
    """What an address does: works, fails, never completes TLS, is silent; and after how long."""
    seen = survey.seen.get(address, Seen("failed"))
    if seen.tcp == "silent":
        return 4, 0.0
    rank = {None: 0, "ok": 0, "failed": 2, "silent": 3}[seen.tls]
    return (rank if seen.tcp == "connected" else 1), seen.tcp_ms


def _rearranged(order: Group, groups: list[Group]) -> Group:
    """The order in which each group stands in its own places the given way."""
    arranged = list(order)
    for group in groups:
        places = sorted(order.index(each) for each in group)
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
        found = self.survey.dns.get(rdtype, Resolved())
        moved_ms = self.moved_ms.get(rdtype, 0.0)
        return Resolved(found.addresses, max(0.0, found.after_ms + moved_ms)) if moved_ms else found

    def handshake(self, policy: Policy, address: str) -> tuple[Tcp, float]:
        """How an attempt ends, and after how long."""
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
        """When TCP is up, where TLS decides the race; ``inf`` where it has no part in it."""
        seen = self.survey.seen.get(address, self.unseen)
        if policy.success == "tcp" or seen.tcp != "connected" or seen.tls is None:
            return inf
        return self._answer_ms(seen, address)

    def _answer_ms(self, seen: Seen, address: str) -> float:
        return max(0.0, seen.tcp_ms + self.moved_ms.get(family(address), 0.0))


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _neighbours(survey: Survey, names: Iterable[str]) -> Iterator[_World]:
    """The worlds at the ends of what may as well have been measured of these."""
    for name in sorted(names):
        for moved_ms in (-BOUNDARY_MS, BOUNDARY_MS):
            yield _World(survey, {name: moved_ms})


# --- one run of a client in one world --------------------------------------------------------


class _Event(NamedTuple):
    """What will happen, in order of time: to a question of this type, or an attempt of this family.

    ``since_ms`` is when it was set off.
    """

    at_ms: float
    number: int
    name: str
    since_ms: float
    happen: Callable[[float], Actions]
    connects: bool


class _End(NamedTuple):
    """How one run ended, on ``address`` if any.

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
    ends = [_Run(each, world).end() for each in policy.extremes()]
    ends += [_Run(policy, each).end() for each in _neighbours(survey, ends[0].near)]
    if any(end.unseen for end in ends):
        unseen = (_World(survey, unseen=Seen(tcp)) for tcp in _UNSEEN)
        ends += [_Run(policy, each).end() for each in unseen]
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
    """None where both families are not there, or the first address of IPv6 does not work."""
    aaaa, a = survey.dns.get("AAAA", Resolved()), survey.dns.get("A", Resolved())
    if not aaaa.addresses or not a.addresses or not survey.order:
        return None
    six, four = survey.order[0], next((each for each in survey.order if ":" not in each), "")
    if ":" not in six or is_mapped(six):
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

    That is what a healthy target comes to, and it needs no run. None where a run has to tell.
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

    That needs no run, either, as long as nothing comes close to a timeout.
    """
    answers = [world.survey.dns.get(each) for each in ("AAAA", "A")]
    heard = [each for each in answers if each is not None and each.addresses]
    if not _is_plain(policy) or len(heard) < 2:
        return None
    now_ms = max(each.after_ms for each in heard)
    if now_ms + BOUNDARY_MS >= policy.dns_timeout_ms:
        return None
    rank = {each: n for n, each in enumerate(world.survey.order)}
    order = arrange(policy, [address for each in heard for address in each.addresses], rank)
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
    """What TLS makes of a connection that TCP has won: nobody goes back to the others."""
    if seen is None or policy.success == "tls" or seen.tls in {None, "ok"}:
        return True, now_ms
    return False, now_ms + (seen.tls_ms if seen.tls == "failed" else policy.tls_timeout_ms)


class _Run:
    """One client in one world, to the end."""

    def __init__(self, policy: Policy, world: _World) -> None:
        self._policy = policy
        self._world = world
        self._race = Race(policy, {each: n for n, each in enumerate(world.survey.order)})
        self._addresses: list[str] = []
        self._due: list[_Event] = []
        self._past: list[_Event] = []
        self._timers: list[float] = []

    def end(self) -> _End:
        """Let everything happen in its time."""
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

    def _do(self, action: Action, now_ms: float) -> None:
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
        happen: Callable[[float], Actions],
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
        """What happened close to a time at which the client would do something.

        What was set off by that time or later cannot come before it.
        """
        soon_ms = ended_ms + BOUNDARY_MS
        timers = [at_ms for at_ms in self._timers if at_ms <= soon_ms]
        crosses = {
            event.name
            for event in (*self._past, *self._due)
            for timer in timers
            if abs(event.at_ms - timer) <= BOUNDARY_MS and timer > event.since_ms
        }
        # Another one that came in at the same time could have won, whatever had set off either.
        rival = any(event.connects and event.at_ms <= soon_ms for event in self._due)
        return _MOVABLE if rival else frozenset(crosses | self._swappable())

    def _swappable(self) -> set[str]:
        """What could have come in another order, where the order decides when a client looks."""
        if not self._policy.poll_ms:
            return set()
        return {
            each.name
            for one, other in pairwise(self._past)
            for each in (one, other)
            if other.at_ms - one.at_ms <= BOUNDARY_MS and other.since_ms < one.at_ms
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
    """What is on no boundary."""
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
