"""Whether packets of a family get out of this host and back, and what that makes of a silence.

A target is blamed for silence only where the uplink is known to have worked at the time: by what
others answered meanwhile, by who answered before and does so again, or by the controls. Where it
did not, the attempt is made again once it does. A refusal is believed while others accept.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from math import inf
from typing import TypeVar

from ipv6check.model import Attempt, Echo, Failure, Handshake, Kind, Vantage, family_of
from ipv6check.net.own_time import own_time
from ipv6check.net.reset_witnesses import Again, ResetWitnesses
from ipv6check.net.special_addresses import special_purpose, usable_ipv4

Observation = TypeVar("Observation", Attempt, Handshake, Echo)
# Asks one address so many seconds: the port given, ECHO, or ANYTHING. Whether it answers.
AskControl = Callable[[str, int, float], Awaitable[bool]]
ECHO, ANYTHING = 0, -1

# Asked of the kernel's routing only, never sent to: the first root server's addresses.
ROUTE_PROBE = {socket.AF_INET6: "2001:503:ba3e::2:30", socket.AF_INET: "198.41.0.4"}
_DNS_PORT = 53

# An answer as young as this says that the uplink works now.
FRESH_S = 0.25
# What is told at once is asked again so much later; so often an uplink that is away is looked at.
PAUSE_S = 0.3
# Who is silent after so long is held against somebody who answered before: what is sent to that
# one with the first packet, nearly, and what is sent before the kernel repeats it.
LOOKS_S = (0.05, 0.4)
# The second attempt at what is silent while others answer; the first one had all of its time.
CONFIRM_S = 1.0
# A refusal is held against handshakes of others that were begun so shortly before it and after it:
# so long is waited for the latter before somebody is asked.
BESIDE_S, MEANWHILE_S = 0.15, 0.05
# So long an uplink that has worked in this run may be away before it is given up, for all alike.
PATIENCE_S = 10.0
# Between two questions to controls that were silent, where the uplink has worked, or never did.
AGAIN_S, SELDOM_S = 0.5, 30.0
ASKED_AT_MOST = 40
WITNESSES = 3
_TIMELINE = 2048
_APART_S = 0.01

# What says nothing of the target if the uplink is away: nobody, or somebody on the way, said it.
_OF_THE_WAY = frozenset({Kind.NO_ROUTE, Kind.ADDRESS_UNREACHABLE, Kind.NO_LOCAL_ROUTE})
# What a packet filter says in the target's place.
_RESETS = frozenset({Kind.REFUSED, Kind.RESET})
_UNANSWERED = "no reply to anything this host sends over {}"
_FILTERED = "all {} connections of this host are reset, probably by its own firewall"


@dataclass(slots=True)
class _Family:
    """Knowledge of one family by now. Times are of `time.monotonic`.

    ``silent_s``: since when those who were asked did not answer, and nobody answered; ``away_s``:
    when that was so at last.
    """

    name: str
    source: str | None
    tcp_peers: ResetWitnesses
    tls_peers: ResetWitnesses
    answered_s: deque[float] = field(default_factory=lambda: deque(maxlen=_TIMELINE))
    data_s: deque[float] = field(default_factory=lambda: deque(maxlen=_TIMELINE))
    witnesses: deque[tuple[str, int]] = field(default_factory=lambda: deque(maxlen=WITNESSES))
    asking: asyncio.Task[bool] | None = None
    looking: asyncio.Task[bool] | None = None
    silent_s: float | None = None
    away_s: float = -inf
    asked_s: float = -SELDOM_S
    asked: int = 0

    @property
    def silent(self) -> bool:
        return self.silent_s is not None

    @property
    def lost(self) -> bool:
        """Whether waiting is useless: it never worked, or is away for too long."""
        if not self.answered_s or self.silent_s is None:
            return not self.answered_s
        return time.monotonic() - self.silent_s > PATIENCE_S

    @property
    def ever_answered(self) -> bool:
        return bool(self.answered_s)

    @property
    def asked_again(self) -> list[tuple[str, int]]:
        """Who answered before, as then and by ping: a port may take no second connection."""
        pinged = [(address, ECHO) for address, _ in self.witnesses]
        return list(dict.fromkeys([*self.witnesses, *pinged]))

    def answered_between(self, start: float, end: float, *, data: bool = False) -> bool:
        """Whether anything that was sent in this time was answered; ``data``: on a connection."""
        timeline = self.data_s if data else self.answered_s
        return any(start <= sent <= end for sent in reversed(timeline))


class LocalUplink:
    """Learns from every answer of a run, and asks controls where nothing is answered."""

    def __init__(self, controls: Sequence[str], ask: AskControl, timeout_s: float) -> None:
        self._controls = [_control(text) for text in controls]
        self._ask = ask
        self._timeout_s = timeout_s
        limit_s = min(CONFIRM_S, timeout_s)
        self._families = {
            version: _Family(
                name, _source(family), ResetWitnesses(limit_s), ResetWitnesses(limit_s)
            )
            for version, name, family in (
                (6, "IPv6", socket.AF_INET6),
                (4, "IPv4", socket.AF_INET),
            )
        }
        self._ports: dict[tuple[int, int], asyncio.Task[bool]] = {}

    def vantage(self) -> Vantage:
        """What this host can do, by its own routes and what has answered so far."""
        ipv6, ipv4 = self._families[6], self._families[4]
        details = [
            f"none of {len(self._of(version))} control addresses answers over {family.name}"
            for version, family in self._families.items()
            if family.source is not None and family.silent
        ]
        return Vantage(
            ipv4="no" if ipv4.source is None or ipv4.silent else "yes",
            ipv6="no" if ipv6.source is None else "broken" if ipv6.silent else "yes",
            source_ipv6=ipv6.source,
            detail="; ".join(details),
        )

    def note_answer(self, address: str, port: int, sent_s: float) -> None:
        """Take notice that this address answered what was sent to it at that time."""
        if not self.is_afar(address):
            return
        family = self._family(address)
        family.silent_s, family.asked = None, 0
        if not family.answered_s or abs(family.answered_s[-1] - sent_s) > _APART_S:
            family.answered_s.append(sent_s)
        known = dict(family.witnesses)
        if address not in known:
            family.witnesses.append((address, port))
        elif port == ECHO != known[address]:
            # A port may have a limit of connections of its own, which says nothing of the uplink.
            family.witnesses.remove((address, known[address]))
            family.witnesses.append((address, ECHO))

    def note_connection(self, address: str, port: int, sent_s: float) -> None:
        """Take notice that this address completed a TCP handshake that was begun then."""
        if self.is_afar(address):
            again = partial(self._ask, address, port)
            self._family(address).tcp_peers.note(address, again, sent_s)

    def note_handshake(self, address: str, again: Again, sent_s: float) -> None:
        """Take notice that this address completed a TLS handshake that was begun then."""
        if self.is_afar(address):
            self._family(address).tls_peers.note(address, again, sent_s)

    def note_data(self, address: str, sent_s: float) -> None:
        """Take notice that data sent on a connection at that time was answered."""
        if self.is_afar(address):
            self._family(address).data_s.append(sent_s)

    def marked_near(self, failure: Failure | None, address: str) -> Failure | None:
        """The failure, marked ``near`` where this host itself or its own router reported it."""
        if failure is None or not self.is_afar(address):
            return failure
        if failure.source is None:
            near = failure.kind is Kind.ADDRESS_UNREACHABLE  # the own router does not answer
        else:
            near = not self.is_afar(failure.source)
        return replace(failure, near=True) if near else failure

    def is_afar(self, address: str) -> bool:
        """Whether packets to this address go through this host's router and beyond."""
        source = self._family(address).source
        return source is not None and _is_beyond(address, source)

    async def controls_answer(self) -> bool:
        """Whether IPv6 works from here now; True where nobody may be asked."""
        return await self.works(6)

    async def works(self, version: int) -> bool:
        """Whether packets of this family get out and back now; True where nobody may be asked."""
        family = self._families[version]
        now = time.monotonic()
        if family.answered_between(now - FRESH_S, now):
            return True
        if family.asking is None:
            pause_s = AGAIN_S if family.ever_answered else SELDOM_S
            if family.silent and (now - family.asked_s < pause_s or family.asked >= ASKED_AT_MOST):
                return False
            family.asking = asyncio.get_running_loop().create_task(self._prove(version))
        return await asyncio.shield(family.asking)

    async def control_opens(self, port: int, version: int) -> bool | None:
        """Whether any control of this port answers on it; None where there is none."""
        controls = self._of(version, port)
        if not controls:
            return None
        asking = self._ports.get((port, version))
        if asking is None:
            asks = self._any(controls, self._timeout_s)
            asking = self._ports[port, version] = asyncio.get_running_loop().create_task(asks)
        return await asyncio.shield(asking)

    async def surely(
        self, address: str, once: Callable[[float], Coroutine[None, None, Observation]]
    ) -> Observation:
        """What an attempt comes to while the uplink works.

        ``once`` makes it, with a limit of so many seconds. What fails as it would without an uplink
        is tried again, and believed where the uplink works before and after; so is what a packet
        filter of this host's own may have refused.
        """
        if not self.is_afar(address):
            return await once(self._timeout_s)
        family = self._family(address)
        attempt = partial(self._beyond_filter, address, once)
        made = await self._watched(family, attempt)
        anybody = family.witnesses or self._of(family_of(address))
        if not anybody or not self._doubtful(family, made):
            return made
        return await self._again(address, made, attempt)

    def close(self) -> None:
        """Ask nobody any more."""
        tasks = [family.asking for family in self._families.values()]
        tasks += [family.looking for family in self._families.values()]
        for task in (*tasks, *self._ports.values()):
            if task is not None:
                task.cancel()
        for family in self._families.values():
            family.tcp_peers.close()
            family.tls_peers.close()

    # --- what an attempt is worth --------------------------------------------------------

    async def _beyond_filter(
        self,
        address: str,
        once: Callable[[float], Coroutine[None, None, Observation]],
        limit_s: float,
    ) -> Observation:
        """The attempt; if it is refused while all others are, too, then what follows that time."""
        made = await once(limit_s)
        family = self._family(address)
        data = _is_data(made) and family.tls_peers.enough(address)
        others = family.tls_peers if data else family.tcp_peers
        if not _is_refused(made) or not others.enough(address):
            return made
        # What ends a connection may meet its last packet: only what is sent from now on is later.
        began_s, told_s = _began_s(made), time.monotonic()
        since_s = told_s
        with own_time().paused():  # a filter's time is none of the target's
            await asyncio.sleep(MEANWHILE_S)
            while await others.refuse(address, since_s):
                if others.refuse_for(PATIENCE_S):
                    return _from_here(made, _FILTERED.format(family.name))
                await asyncio.sleep(AGAIN_S)
                since_s = time.monotonic()
        around = (told_s - BESIDE_S, began_s), (told_s, told_s + BESIDE_S)
        if all(others.accepted(address, *when) for when in around):
            return made
        return await once(limit_s)

    async def _watched(
        self, family: _Family, once: Callable[[float], Coroutine[None, None, Observation]]
    ) -> Observation:
        """The attempt; where it takes long, somebody who answered before is asked meanwhile."""
        loop, began_s = asyncio.get_running_loop(), time.monotonic()
        timer: asyncio.TimerHandle

        def look(place: int) -> None:
            nonlocal timer
            self._look(family, _vouching(began_s)[place])
            if place + 1 < len(LOOKS_S):
                timer = loop.call_later(LOOKS_S[place + 1] - LOOKS_S[place], look, place + 1)

        timer = loop.call_later(LOOKS_S[0], look, 0)
        try:
            return await once(self._timeout_s)
        finally:
            timer.cancel()

    def _look(self, family: _Family, when: tuple[float, float]) -> None:
        if family.looking is None and family.witnesses and not family.answered_between(*when):
            asks = self._ask_witnesses(family)
            family.looking = asyncio.get_running_loop().create_task(asks)

    async def _ask_witnesses(self, family: _Family) -> bool:
        try:
            return await self._any(family.asked_again, min(CONFIRM_S, self._timeout_s))
        finally:
            family.looking = None

    def _doubtful(self, family: _Family, made: Observation) -> bool:
        """Whether it failed as everything does that is sent while the uplink is away."""
        failure = _failure(made)
        if failure is None or _is_refused(made):
            return False
        if failure.kind is not Kind.TIMEOUT:
            return failure.near or failure.kind in _OF_THE_WAY
        data, vouching = _is_data(made), _vouching(_began_s(made), time.monotonic())
        return not all(family.answered_between(*when, data=data) for when in vouching)

    async def _again(
        self,
        address: str,
        made: Observation,
        once: Callable[[float], Coroutine[None, None, Observation]],
    ) -> Observation:
        family = self._family(address)
        version = family_of(address)
        until_s = time.monotonic() + PATIENCE_S
        first, away = made, family.away_s > _began_s(made)
        while True:
            failure = _failure(made)
            asked_s = time.monotonic()
            with own_time().paused():  # the uplink's time is none of the target's
                if away or (failure is not None and failure.kind is not Kind.TIMEOUT):
                    await asyncio.sleep(PAUSE_S)
                    asked_s = time.monotonic()
                works = await self.works(version)
            away |= not works or time.monotonic() - asked_s > CONFIRM_S / 2
            if not works:
                if family.lost:
                    return _from_here(first, _UNANSWERED.format(family.name))
                continue
            # Who was asked meanwhile was sent no data.
            patient = away or _is_data(first)
            limit_s = self._timeout_s if patient else min(CONFIRM_S, self._timeout_s)
            if not away and own_time().left_s < limit_s:
                return first  # no time to make sure: silence for so long is silence
            made = await once(limit_s)
            failure = _failure(made)
            if failure is None or not self._doubtful(family, made):
                return made
            if await self.works(version):
                return first if failure.kind is Kind.TIMEOUT else made
            away = True
            if time.monotonic() > until_s:
                return _from_here(first, _UNANSWERED.format(family.name))

    # --- asking -------------------------------------------------------------------------

    async def _prove(self, version: int) -> bool:
        """Ask who answered before, and the controls where that is nobody or they are silent."""
        family = self._families[version]
        family.asked += 1
        began_s = time.monotonic()
        try:
            witnesses, controls = family.asked_again, self._of(version)
            if witnesses and not family.silent:
                if await self._any(witnesses, min(CONFIRM_S, self._timeout_s)):
                    return True
                witnesses = [] if controls else witnesses
            asked = [*witnesses, *controls]
            proven = not asked or await self._any(asked, self._timeout_s)
            if proven:
                family.silent_s = None
            else:
                family.away_s = time.monotonic()
                family.silent_s = began_s if family.silent_s is None else family.silent_s
            return proven
        finally:
            family.asked_s = time.monotonic()
            family.asking = None

    async def _any(self, peers: Sequence[tuple[str, int]], timeout_s: float) -> bool:
        """Whether any of them answers. Who does so later counts as well."""
        asks = [self._ask(address, port, timeout_s) for address, port in peers]
        for proof in asyncio.as_completed(asks):
            with suppress(OSError):
                if await proof:
                    return True
        return False

    def _of(self, version: int, port: int = ANYTHING) -> list[tuple[str, int]]:
        """The controls of a family, and of a port."""
        return [
            (address, known)
            for address, known in self._controls
            if (family_of(address), known) == (version, port)
        ]

    def _family(self, address: str) -> _Family:
        return self._families[family_of(address)]


def _vouching(began_s: float, ended_s: float = inf) -> tuple[tuple[float, float], ...]:
    """When something has to be sent, and answered, for a silence since ``began_s`` to be believed.

    With the first packet, and later, so that the uplink was there for that one or for a repetition.
    """
    return (began_s - 0.15, began_s + 0.15), (began_s + PAUSE_S, min(began_s + 0.95, ended_s))


# Each is asked several times while its target is under way.
@lru_cache(maxsize=1024)
def _is_beyond(address: str, source: str) -> bool:
    """Whether an address is on the Internet, and not on the link of this source."""
    ip = ipaddress.ip_address(address)
    if ip.version == 6:
        special, own = special_purpose(address) is not None, 64
    else:
        special, own = not usable_ipv4(address, internal=False), 24
    return not special and ip not in ipaddress.ip_network((source, own), strict=False)


def _control(text: str) -> tuple[str, int]:
    """``address``, ``[address]:port`` or ``ipv4:port``."""
    address, colon, port = text.rpartition(":")
    if colon and (text.startswith("[") or ":" not in address):
        return address.strip("[]"), int(port)
    return text, ANYTHING


def _failure(made: Attempt | Handshake | Echo) -> Failure | None:
    """Why the attempt failed, None where it did not."""
    if isinstance(made, Handshake):
        return made.tcp.failure or made.failure
    return made.failure


def _began_s(made: Attempt | Handshake | Echo) -> float:
    """When the attempt that has just ended was begun."""
    failure = _failure(made)
    return time.monotonic() - (failure.elapsed_ms / 1000 if failure else 0.0)


def _is_data(made: Attempt | Handshake | Echo) -> bool:
    """Whether it was data on a connection that stayed without an answer."""
    return isinstance(made, Handshake) and made.tcp.connected


def _is_refused(made: Attempt | Handshake | Echo) -> bool:
    """Whether a reset came, by the target's own address as it seems."""
    failure = _failure(made)
    return failure is not None and failure.source is None and failure.kind in _RESETS


def _from_here(made: Observation, why: str) -> Observation:
    """The attempt, with its failure marked as this host's own (``near``)."""
    if isinstance(made, Handshake) and made.tcp.failure is not None:
        return replace(made, tcp=_from_here(made.tcp, why))
    failure = made.failure
    if failure is None or failure.kind is Kind.NO_LOCAL_ROUTE:
        return made
    detail = f"{why} ({failure.detail})"
    return replace(made, failure=replace(failure, detail=detail, near=True))


def _source(family: socket.AddressFamily) -> str | None:
    """The kernel's source address towards the Internet, None without a route. Sends nothing."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((ROUTE_PROBE[family], _DNS_PORT))
            source = str(sock.getsockname()[0])
    except OSError:
        return None
    return None if ipaddress.ip_address(source).is_link_local else source
