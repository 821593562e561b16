"""What the state of one port costs its clients: who fails, who waits, and how long. Pure.

It is computed from what was observed: the race of RFC 8305, what every address did by itself, and
how each known client ends with that. All times are milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from ipv6check.eyeballs.address_order import family
from ipv6check.eyeballs.prediction import FELT_MS, Ending, Prediction, Survey
from ipv6check.eyeballs.race import Entrant, Outcome
from ipv6check.model import VANTAGE_KINDS, Attempt
from ipv6check.model.text import ms

# Whom most readers know; a sentence names these first.
KNOWN = ("wget", "requests", "curl", "chrome", "firefox", "safari", "go", "node", "java-http")


@dataclass(frozen=True, slots=True)
class Stuck:
    """Clients that have connected by TCP to an address that never completes TLS.

    ``clients`` names them. ``orders`` says in how many orders of the resolver's answer, where
    another order spares some.
    """

    clients: str
    family: str
    hangs: bool
    orders: str


@dataclass(frozen=True, slots=True)
class LostRace:
    """A race that IPv4 won by ``lost_ms`` although IPv6 connects, and how long each one took."""

    lost_ms: float
    ipv6_ms: float
    ipv4_ms: float
    retransmissions: int


@dataclass(frozen=True, slots=True)
class Impact:
    """What is known of one port, and what follows from it for clients.

    ``race`` is None where none was run. ``attempts``: the connections to this port. ``predictions``
    by port: a mapping that computes them when it is asked, as few ports need them. ``blind``: the
    vantage has no IPv4, so that nothing is known of clients that have.
    """

    number: int
    race: Outcome | None
    survey: Survey
    attempts: tuple[Attempt, ...]
    predictions: Mapping[int, Sequence[Prediction]]
    blind: bool = False

    @property
    def clients(self) -> Sequence[Prediction]:
        """How each known client ends."""
        return self.predictions[self.number]

    @property
    def ipv6(self) -> list[Attempt]:
        """The attempts over IPv6."""
        return [attempt for attempt in self.attempts if ":" in attempt.address]

    @property
    def ipv4(self) -> list[Attempt]:
        """The attempts over IPv4."""
        return [attempt for attempt in self.attempts if ":" not in attempt.address]

    @property
    def dead(self) -> list[Attempt]:
        """The attempts that did not connect."""
        return [attempt for attempt in self.attempts if not attempt.connected]

    @property
    def ipv4_wins(self) -> bool:
        """Whether the race ended on IPv4."""
        winner = None if self.race is None else self.race.winner
        return winner is not None and ":" not in winner

    @property
    def race_endings(self) -> Sequence[Ending]:
        """Every end of the race, where the order of the resolver's answer decides."""
        if self.race is None or not self.race.equal:
            return ()
        return self.survey.of_race(self.race.policy, self.race.order, self.race.equal).orders

    def answered_ms(self, rdtype: str) -> float:
        """When the resolver answered; ``inf`` for never."""
        answer = self.survey.dns.get(rdtype)
        return 0.0 if answer is None else answer.after_ms

    def delay_ms(self, end: Prediction | Ending) -> float:
        """How much later a client connects than if nothing were wrong; ``inf`` where it fails.

        It counts from the first answer with an address, without the address's own handshake.
        """
        if end.connect_ms is None:
            return inf if end.outcome == "failed" else 0.0
        answered = [answer.after_ms for answer in self.survey.dns.values() if answer.addresses]
        seen = self.survey.seen.get(end.address or "")
        handshake_ms = 0.0 if seen is None else seen.tcp_ms
        return max(0.0, end.connect_ms - min(answered, default=0.0) - handshake_ms)

    def worst_ms(self, client: Prediction) -> float:
        """The client's longest delay, by any order of the answer."""
        return max(map(self.delay_ms, endings(client)))

    # --- what went wrong ---------------------------------------------------------------------

    def stuck(self) -> Stuck | None:
        """The clients that TCP leads to an address whose TLS is dead; None where there are none."""
        dead = {
            address: seen.tls
            for address, seen in self.survey.seen.items()
            if seen.tls in {"silent", "failed"}
        }
        stuck = [
            (client, end)
            for client in self.clients
            for end in endings(client)
            if end.outcome == "failed" and end.address in dead
        ]
        if not stuck:
            return None
        family = min((end.family or "" for _, end in stuck), key=lambda name: name != "ipv6")
        ways = {dead[end.address] for _, end in stuck if end.family == family and end.address}
        clients = tuple({client.name: client for client, _ in stuck}.values())
        shares = [
            share(client, [end for other, end in stuck if other.name == client.name])
            for client in clients
        ]
        spared = [(number, of) for number, of in shares if number < of]
        some = "" if len(spared) == len(shares) else f"{len(spared)} of them "
        orders = f"{some}{in_orders(spared)}" if spared else ""
        return Stuck(names(clients), family, "silent" in ways, orders)

    def second_attempts(self) -> Iterator[str]:
        """What IPv6 addresses that had connected did in the race, where that was something else.

        Each is a sentence without its full stop.
        """
        connected = {attempt.address: attempt for attempt in self.ipv6 if attempt.connected}
        for entrant in self.race.entrants if self.race is not None else ():
            if entrant.address in connected:
                second = self._second_attempt(entrant, connected[entrant.address].elapsed_ms)
                if second:
                    yield f"{entrant.address} connects the first time {second}"

    def _second_attempt(self, entrant: Entrant, first_ms: float) -> str:
        assert self.race is not None
        if entrant.tls_started_ms is not None or entrant.outcome == "connected":
            return ""
        if entrant.outcome in VANTAGE_KINDS:
            return ""
        if entrant.outcome == "refused":
            return "and is refused the second time: a rate limit?"
        if entrant.outcome not in {"cancelled", "running"}:
            return f"but not the second time ({entrant.outcome}): a rate limit, or loss?"
        waited_ms = self.race.elapsed_ms - entrant.started_ms
        if first_ms + FELT_MS > waited_ms:
            return ""
        return (
            f"in {ms(first_ms)}, but not within {ms(waited_ms)} the second time: "
            "a rate limit, or loss?"
        )

    @property
    def ipv4_first(self) -> bool:
        """Whether IPv4 won and no IPv6 address was even tried before it (RFC 6724)."""
        return self.race is not None and not any(
            ":" in entrant.address for entrant in self.race.entrants
        )

    def lost_race(self) -> LostRace | None:
        """By how much IPv6 lost, None where no user notices or no IPv6 address was slower."""
        if self.race is None or not self.ipv4_wins:
            return None
        started = {entrant.address: entrant.started_ms for entrant in self.race.entrants}
        raced = [
            (started[attempt.address] + attempt.elapsed_ms, attempt)
            for attempt in self.ipv6
            if attempt.connected and attempt.address in started
        ]
        if not raced:
            return None  # a dead one had its turn, and IPv4 was faster than the next
        ended_ms, ipv6 = min(raced, key=lambda end: end[0])
        lost_ms = ended_ms - self.race.elapsed_ms
        # A winner that only a hint names was tried in the race alone.
        last = self.race.entrants[-1]
        tried_ms = (
            attempt.elapsed_ms for attempt in self.ipv4 if attempt.address == self.race.winner
        )
        won_ms = min(tried_ms, default=last.ended_ms - last.started_ms)
        if lost_ms <= 0 or max(lost_ms, ipv6.elapsed_ms - won_ms) < FELT_MS:
            return None  # nobody notices, and the next time it may be the other way round
        return LostRace(lost_ms, ipv6.elapsed_ms, won_ms, ipv6.retransmissions)

    def losing_orders(self) -> str:
        """In how many orders of the answer another family than IPv6 wins; empty for none."""
        losing = sum(end.number for end in self.race_endings if end.family != "ipv6")
        of = sum(end.number for end in self.race_endings)
        return in_orders([(losing, of)]) if losing else ""

    # --- who pays for it ---------------------------------------------------------------------

    def costs(self, least_ms: float = FELT_MS) -> str:
        """Who fails and who waits longest, and what Chrome does; empty where nobody notices.

        First those that always do, then those that do by some orders of the answer alone.
        """
        always: dict[str, float] = {}
        at_times: dict[str, float] = {}
        shares = []
        for client in self.clients:
            hurt = [end for end in endings(client) if self.delay_ms(end) >= least_ms]
            if len(hurt) == len(endings(client)):
                always[client.name] = self.worst_ms(client)
            elif hurt:
                at_times[client.name] = self.worst_ms(client)
                shares.append(share(client, hurt))
        parts = [self._delays(always)] if always else []
        if at_times:
            parts.append(f"{in_orders(shares)} {self._delays(at_times)}")
        return "; ".join(parts)

    def _delays(self, delays: Mapping[str, float]) -> str:
        """What these clients lose, by name."""
        hurt = [client for client in self.clients if client.name in delays]
        failing = [client for client in hurt if delays[client.name] == inf]
        waiting = [client for client in hurt if delays[client.name] < inf]
        parts = []
        if failing:
            parts.append(f"{names(failing)} {'fails' if len(failing) == 1 else 'fail'}")
        if waiting:
            most_ms = max(delays[client.name] for client in waiting)
            slowest = [client for client in waiting if delays[client.name] >= 0.75 * most_ms]
            least_of_them_ms = min(delays[client.name] for client in slowest)
            span = "" if least_of_them_ms > 0.95 * most_ms else f"{_time(least_of_them_ms)} to "
            verb = "waits" if len(slowest) == 1 else "wait"
            parts.append(f"{names(slowest)} {verb} {span}{_time(most_ms)}")
            chrome = next((client for client in waiting if client.client == "chrome"), None)
            if chrome is not None and chrome not in slowest:
                parts.append(f"{chrome.name} {ms(delays[chrome.name])}")
        return ", ".join(parts)

    def dead_addresses(self) -> str:
        """``1 of 2 IPv6 addresses is dead``, or of both families."""
        parts, all_dead = [], 0
        for protocol, attempts in (("IPv6", self.ipv6), ("IPv4", () if self.blind else self.ipv4)):
            if dead := sum(not attempt.connected for attempt in attempts):
                parts.append(f"{dead} of {len(attempts)} {protocol}")
                all_dead += dead
        return f"{' and '.join(parts)} addresses {'is' if all_dead == 1 else 'are'} dead"

    def on_ipv4(self) -> str:
        """``8 of 32 clients``: those that end up on IPv4."""
        number = sum(client.family == "ipv4" for client in self.clients)
        return f"{number} of {len(self.clients)} clients"

    # --- evidence ----------------------------------------------------------------------------

    def evidence(self, algorithm: str, *, clients: bool = True) -> dict[str, object]:
        """The trace of the race, what each address did by itself, and how each client ends."""
        race, survey = self.race, self.survey
        of = sum(end.number for end in self.race_endings)
        evidence: dict[str, object] = {
            "port": self.number,
            "winner": race.winner if race else None,
            "elapsed_ms": race.elapsed_ms if race else None,
            "algorithm": algorithm,
            "order": {"rfc6724": race.order if race else (), "glibc": survey.order},
            "dns": {
                rdtype.lower(): {"addresses": answer.addresses, "after_ms": answer.after_ms}
                for rdtype, answer in survey.dns.items()
            },
            "sequential_ms": _sequential_ms(survey),
            "attempts": [_entrant(entrant) for entrant in race.entrants] if race else [],
            **({"race_orders": [end.told(of) for end in self.race_endings]} if of else {}),
            "survey": self._survey(),
        }
        if race is not None and race.services:
            evidence["services"] = [
                {
                    "priority": service.priority,
                    "target": service.target,
                    "alpn": service.alpn,
                    "port": service.port,
                    "hints": service.hints,
                }
                for service in race.services
            ]
        if race is not None:
            evidence["constants"] = {
                "resolution_delay_ms": race.policy.resolution_delay_ms,
                "connection_attempt_delay_ms": _attempt_delay_ms(race),
                "first_address_family_count": race.policy.first_address_family_count,
            }
        if clients and not self.blind:
            evidence["clients"] = [client.told() for client in self.clients]
        return evidence

    def _survey(self) -> list[dict[str, object]]:
        attempts = {attempt.address: attempt for attempt in self.attempts}
        return [
            {
                "address": address,
                "family": family(address),
                "tcp": seen.tcp,
                "tcp_ms": seen.tcp_ms,
                **({"tls": seen.tls, "tls_ms": seen.tls_ms} if seen.tls else {}),
                **_kernel(attempts.get(address)),
            }
            for address, seen in self.survey.seen.items()
        ]


def endings(client: Prediction) -> Sequence[Prediction | Ending]:
    """How a client may end: in one way, or in one for each order of the answer."""
    return client.orders or (client,)


def share(client: Prediction, ends: Iterable[Prediction | Ending]) -> tuple[int, int]:
    """In how many orders of the answer the client ends like this, and of how many."""
    if not client.orders:
        return 1, 1
    return sum(end.number for end in ends if isinstance(end, Ending)), client.of


def in_orders(shares: Sequence[tuple[int, int]]) -> str:
    """``in 1 of 2 orders of the answer``; the most, where clients differ in that."""
    number, of = max(shares)
    up_to = "up to " if len(set(shares)) > 1 else ""
    return f"in {up_to}{number} of {of} orders of the answer"


def names(clients: Iterable[Prediction], most: int = 2) -> str:
    """``wget and requests``, ``wget, requests and 9 more``: the best known ones first."""
    places = {client: place for place, client in enumerate(KNOWN)}
    ranked = sorted(clients, key=lambda client: places.get(client.client, len(KNOWN)))
    shown = [client.name for client in ranked]
    if len(shown) == most + 1:
        most += 1
    shown, more = shown[:most], len(shown) - most
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _time(delay_ms: float) -> str:
    """A wait; a long one without the milliseconds that the path took from it."""
    return ms(round(delay_ms, -2) if delay_ms >= 1000 else delay_ms)


def _attempt_delay_ms(race: Outcome) -> float:
    """Between two attempts; RFC 6555 knows it between the families alone."""
    own_ms = race.policy.fallback_delay_ms
    return race.policy.connection_attempt_delay_ms if own_ms is None else own_ms


def _entrant(entrant: Entrant) -> dict[str, object]:
    return {
        "address": entrant.address,
        "family": family(entrant.address),
        "source": entrant.source,
        "why": entrant.why,
        "started_ms": entrant.started_ms,
        "tls_started_ms": entrant.tls_started_ms,
        "ended_ms": entrant.ended_ms,
        "outcome": entrant.outcome,
        "rtt_ms": entrant.rtt_ms,
        "retransmissions": entrant.retransmissions,
    }


def _kernel(attempt: Attempt | None) -> dict[str, object]:
    if attempt is None:
        return {}
    return {
        "outcome": attempt.outcome,
        "source": attempt.source,
        "rtt_ms": attempt.rtt_ms,
        "retransmissions": attempt.retransmissions,
    }


def _sequential_ms(survey: Survey) -> float:
    """What a client waits that tries each IPv6 address to its end before IPv4."""
    return sum(
        survey.syn_timeout_ms if seen.tcp == "silent" else seen.tcp_ms
        for address, seen in survey.seen.items()
        if family(address) == "ipv6"
    )
