"""LocalNet: this host as a vantage."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TypeVar

from ipv6check.model import (
    VANTAGE_KINDS,
    Answer,
    Attempt,
    Echo,
    Failure,
    Handshake,
    HostState,
    Kind,
    Listener,
    NameServer,
    Preference,
    RuleTexts,
    Stub,
    Vantage,
)
from ipv6check.net import clock, icmp, tcp, tls
from ipv6check.net.dns.datagrams import Server
from ipv6check.net.dns.names import Names
from ipv6check.net.dns.resolver import Resolver
from ipv6check.net.errors import local_failure
from ipv6check.net.kernel import interfaces, rules, sockets
from ipv6check.net.limits import Gate, Places
from ipv6check.net.loop_lag import Pulse
from ipv6check.net.memory import Memory, Turns
from ipv6check.net.own_time import patience_s
from ipv6check.net.timing_loop import QuietLoop
from ipv6check.net.uplink import ANYTHING, ECHO, ROUTE_PROBE, Uplink

Value = TypeVar("Value")
Endpoint = tuple[str, int]

SOCKETS = 512
PER_ADDRESS = 6
# Races under way at once: each has some sockets, and waits for no place once it has begun.
RACES = 96
DNS_PORT = 53
# An answer of the DNS that takes longer is told as late (RFC 8305 section 3: 50 ms).
LATE_MS = 50.0
# A loop that is busy notices an answer so late.
_AT_ONCE_S = 0.2
# A name server that says no has answered all the same.
_DNS_ANSWERS = frozenset({Kind.SERVFAIL, Kind.DNS_REFUSED, Kind.DNS_ERROR})


class LocalNet:
    """Sends packets from this host, politely: so many at once, so many to one address."""

    def __init__(
        self,
        *,
        nameservers: Sequence[Server] = (),
        timeout_s: float = 3.0,
        controls: Sequence[str] = (),
        pings: int = 3,
    ) -> None:
        self._timeout_s = timeout_s
        self._pings = pings
        self._names = Names(nameservers, timeout_s)
        self._places = Places(SOCKETS, PER_ADDRESS)
        self._races = Gate(RACES)
        self._raced = Turns[Endpoint]()
        self._attempts = Memory[Endpoint, Attempt](_tcp_certain)
        self._handshakes = Memory[tuple[str, int, str, tuple[str, ...]], Handshake](_tls_certain)
        self._echoes = Memory[str, Echo](_echo_certain)
        self._quiet: QuietLoop | None = None
        self._echo: dict[socket.AddressFamily, icmp.EchoSocket | Failure] = {}
        self._once: dict[str, asyncio.Task[object]] = {}
        self._pulse: Pulse | None = None
        self._uplink = Uplink(controls, self._answers, timeout_s)

    async def resolve(self, name: str, rdtype: str) -> Answer | Failure:
        """Ask the configured name servers one question."""
        if self._pulse is None:
            self._pulse = Pulse()
        before_ms = self._pulse.late_ms
        answer = await self._names.ask(name, rdtype)
        if not isinstance(answer, Answer) or answer.elapsed_ms < LATE_MS:
            return answer
        if answer.elapsed_ms - (self._pulse.late_ms - before_ms) >= LATE_MS:
            return answer
        # This host was busy, and so may its resolver have been: measured again.
        again = await self._names.ask(name, rdtype)
        took_ms = again.elapsed_ms if isinstance(again, Answer) else answer.elapsed_ms
        return replace(answer, elapsed_ms=min(answer.elapsed_ms, took_ms))

    async def resolver_answers(self) -> bool:
        """Whether a name server answers for the root by now."""
        return await self._names.answers()

    async def root_denied(self) -> Failure | None:
        """How the resolver denies every name, the root too; None where it does not."""
        return await self._names.denied()

    async def aaaa_withheld(self) -> Failure | None:
        """How AAAA of a name that has one fails, None where it is answered."""
        return await self._names.withheld()

    async def aaaa_made_up(self) -> tuple[str, ...] | None:
        """The AAAA of a name that has A alone, None where the resolver does not know it."""
        return await self._names.made_up()

    async def pref64(self) -> tuple[str, ...]:
        """The NAT64 prefixes that this network's DNS64 adds."""
        return await self._names.pref64()

    async def aaaa_of_all(self) -> tuple[str, ...]:
        """The AAAA that this network's resolver gives even a name that has none."""
        return await self._names.aaaa_of_all()

    def stub(self) -> Stub:
        """What resolv.conf has besides name servers."""
        return self._names.stub

    def hosts_entry(self, name: str) -> tuple[str, ...]:
        """What /etc/hosts has."""
        return self._names.hosts_entry(name)

    async def connect(self, address: str, port: int, *, once: bool = False) -> Attempt:
        """Make one TCP handshake with this address, and close it."""
        if once:
            return await self._race_tcp(address, port)
        ask = partial(self._surely_connect, address, port)
        return await self._attempts.recall((address, port), ask)

    async def tls(
        self,
        address: str,
        port: int,
        server_name: str = "",
        alpn: Sequence[str] = (),
        connected: Callable[[Attempt], None] = lambda _: None,
        *,
        once: bool = False,
    ) -> Handshake:
        """Make one TCP and one TLS handshake with this address, and close it."""
        key = (address, port, server_name, tuple(alpn))
        if once:
            return await self._race_tls(*key, connected)
        made = await self._handshakes.recall(key, partial(self._surely_shake, *key))
        connected(made.tcp)
        return made

    async def ping(self, address: str) -> Echo | Failure:
        """Send ICMP echo requests; a Failure where this host permits none."""
        echo_socket = self._echo_socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        if isinstance(echo_socket, Failure):
            return echo_socket
        ask = partial(self._surely_ping, echo_socket, address)
        return await self._echoes.recall(address, ask)

    async def controls_answer(self) -> bool:
        """Whether IPv6 works from here now; True where nobody may be asked."""
        return await self._uplink.works(6)

    async def control_opens(self, port: int, version: int) -> bool | None:
        """Whether a control of this port answers on it, asked once; None where there is none."""
        return await self._uplink.opens(port, version)

    def is_own(self, address: str) -> bool:
        """Whether this address is this host's own, by its kernel's choice of a source."""
        return interfaces.is_own(address)

    async def listeners(self) -> tuple[Listener, ...] | Failure:
        """Every TCP socket that listens and every UDP socket bound to a fixed port, read once."""
        found = await asyncio.shield(self._ask_once(self._read_listeners))
        assert isinstance(found, tuple | Failure)
        return found

    async def host(self) -> HostState | Failure:
        """What the kernel says of interfaces, routes to the Internet, and switches."""
        return await asyncio.to_thread(interfaces.state, *ROUTE_PROBE.values())

    async def rules(self) -> RuleTexts | Failure:
        """What nft and ip6tables-save print here, asked once."""
        found = await asyncio.shield(self._ask_once(self._read_rules))
        assert isinstance(found, RuleTexts | Failure)
        return found

    async def name_servers(self) -> tuple[NameServer, ...]:
        """Every name server of resolv.conf, asked for the root."""
        return await self._names.name_servers()

    async def preference(self) -> Preference:
        """The addresses of a name that has both families, as getaddrinfo sorts them."""
        return await self._names.preference()

    async def undisturbed(
        self, work: Callable[[], Coroutine[None, None, Value]], *, lasts: bool = True
    ) -> Value:
        """What the work returns, done in a loop of its own where it lasts.

        This one may be busy with others. Its turn has come before it begins: it waits for nobody.
        """
        async with self._races.place(""):
            if not lasts:
                return await work()
            if self._quiet is None:
                self._quiet = QuietLoop()
            return await self._quiet.run(work)

    def vantage(self) -> Vantage:
        """What this host can do, by its own routes and what it has heard so far."""
        return self._uplink.vantage()

    def close(self) -> None:
        """Release every socket."""
        if self._quiet is not None:
            self._quiet.close()
            self._quiet = None
        self._uplink.close()
        for task in self._once.values():
            task.cancel()
        self._names.close()
        if self._pulse is not None:
            self._pulse.close()
        for echo_socket in self._echo.values():
            if isinstance(echo_socket, icmp.EchoSocket):
                echo_socket.close()
        self._echo.clear()

    async def _surely_connect(self, address: str, port: int, begin: Callable[[], None]) -> Attempt:
        attempt = partial(self._connect, address, port, begin)
        return await self._uplink.surely(address, attempt)

    async def _surely_shake(
        self,
        address: str,
        port: int,
        server_name: str,
        alpn: tuple[str, ...],
        begin: Callable[[], None],
    ) -> Handshake:
        attempt = partial(self._shake, address, port, server_name, alpn, begin)
        return await self._uplink.surely(address, attempt)

    async def _surely_ping(
        self, echo_socket: icmp.EchoSocket, address: str, begin: Callable[[], None]
    ) -> Echo:
        return await self._uplink.surely(address, partial(self._ping, echo_socket, address, begin))

    async def _connect(
        self, address: str, port: int, begin: Callable[[], None], timeout_s: float
    ) -> Attempt:
        async with self._places.place(address):
            begin()
            began_s = clock.now_s()
            attempt = await tcp.connect(address, port, patience_s(timeout_s))
        return self._heard(attempt, began_s)

    async def _shake(
        self,
        address: str,
        port: int,
        server_name: str,
        alpn: tuple[str, ...],
        begin: Callable[[], None],
        timeout_s: float,
    ) -> Handshake:
        async with self._places.place(address):
            begin()
            limit_s = patience_s(timeout_s)
            return await self._handshake(address, port, server_name, alpn, limit_s)

    async def _handshake(
        self,
        address: str,
        port: int,
        server_name: str,
        alpn: tuple[str, ...],
        timeout_s: float,
        connected: Callable[[Attempt], None] = lambda _: None,
        *,
        once: bool = False,
    ) -> Handshake:
        began_s = clock.now_s()
        made = await tls.handshake(
            address, port, server_name, alpn, timeout_s, connected, once=once
        )
        if made.tcp.connected and not made.silent and not self._is_quiet():
            self._uplink.hear_data(address, clock.now_s() - made.elapsed_ms / 1000)
        if made.connected and not self._is_quiet():
            again = partial(self._shakes, address, port, server_name, alpn)
            self._uplink.hear_completed(address, again, began_s)
        failure = self._uplink.told(made.failure, address)
        return replace(made, tcp=self._heard(made.tcp, began_s), failure=failure)

    async def _shakes(
        self, address: str, port: int, server_name: str, alpn: tuple[str, ...], timeout_s: float
    ) -> bool:
        """Whether a TLS handshake meets an answer, be it a reset."""
        made = await self._shake(address, port, server_name, alpn, _at_once, timeout_s)
        return not made.silent if made.tcp.connected else made.tcp.answered

    async def _ping(
        self,
        echo_socket: icmp.EchoSocket,
        address: str,
        begin: Callable[[], None],
        timeout_s: float,
    ) -> Echo:
        async with self._places.per_address.place(address):
            begin()
            began_s = clock.now_s()
            echo = await echo_socket.ping(address, self._pings, patience_s(timeout_s))
        if echo.received:
            self._uplink.hear(address, ECHO, began_s)
        return replace(echo, failure=self._uplink.told(echo.failure, address))

    async def _race_tcp(self, address: str, port: int) -> Attempt:
        """The first race with this address and port is one; others go as it is known to go."""
        known = self._attempts.lately((address, port))
        if known is None or self._raced.first((address, port), clock.now_s()):
            began_s = clock.now_s()
            with self._racing(address, port, lives=known is not None and known.connected):
                attempt = await tcp.connect(address, port, self._timeout_s, once=True)
            return self._heard(attempt, began_s)
        await asyncio.sleep(known.elapsed_ms / 1000)
        return known

    async def _race_tls(
        self,
        address: str,
        port: int,
        server_name: str,
        alpn: tuple[str, ...],
        connected: Callable[[Attempt], None],
    ) -> Handshake:
        """The same, where TLS decides."""
        key = (address, port, server_name, alpn)
        known = self._handshakes.lately(key)
        if known is None or self._raced.first((address, port), clock.now_s()):
            with self._racing(address, port, lives=known is not None and known.connected):
                return await self._handshake(*key, self._timeout_s, connected, once=True)
        await asyncio.sleep(known.tcp.elapsed_ms / 1000)
        if known.tcp.connected:
            connected(known.tcp)
            await asyncio.sleep(known.elapsed_ms / 1000)
        return known

    @contextmanager
    def _racing(self, address: str, port: int, *, lives: bool) -> Iterator[None]:
        """One that is given up though it lives has perhaps lost a packet: so does not count."""
        try:
            yield
        except asyncio.CancelledError:
            if lives:
                self._raced.forget((address, port))
            raise

    def _is_quiet(self) -> bool:
        """Whether this is the loop of what keeps time."""
        return self._quiet is not None and asyncio.get_running_loop() is self._quiet.loop

    def _heard(self, attempt: Attempt, began_s: float) -> Attempt:
        """Learn from an attempt what this host's uplink does, and what its own router says."""
        # Where it took longer than that, it is not known which of several packets was answered.
        took_s = (attempt.rtt_ms or attempt.elapsed_ms) / 1000 + _AT_ONCE_S
        if attempt.answered and not self._is_quiet() and clock.now_s() - began_s < took_s:
            self._uplink.hear(attempt.address, attempt.port, began_s)
            if attempt.connected:
                self._uplink.hear_accepted(attempt.address, attempt.port, began_s)
        failure = self._uplink.told(attempt.failure, attempt.address)
        return attempt if failure is attempt.failure else replace(attempt, failure=failure)

    def _ask_once(self, ask: Callable[[], Coroutine[None, None, object]]) -> asyncio.Task[object]:
        """Ask once a run: every later caller awaits the same task."""
        task = self._once.get(ask.__name__)
        if task is None:
            task = self._once[ask.__name__] = asyncio.get_running_loop().create_task(ask())
        return task

    async def _read_listeners(self) -> tuple[Listener, ...] | Failure:
        return await asyncio.to_thread(sockets.listening)

    async def _read_rules(self) -> RuleTexts | Failure:
        return await asyncio.to_thread(rules.live_rules)

    async def _answers(self, address: str, port: int, timeout_s: float) -> bool:
        """Whether it answers: the port, an echo, or anything (a handshake, a reset, a message)."""
        if port != ANYTHING:
            return await (
                self._pinged(address, timeout_s)
                if port == ECHO
                else self._accepts(address, port, timeout_s)
            )
        asks = (
            self._accepts(address, DNS_PORT, timeout_s),
            self._pinged(address, timeout_s),
            self._serves(address, timeout_s),
        )
        for proof in asyncio.as_completed(asks):
            if await proof:
                return True
        return False

    async def _accepts(self, address: str, port: int, timeout_s: float) -> bool:
        return (await self._connect(address, port, _at_once, timeout_s)).answered

    async def _pinged(self, address: str, timeout_s: float) -> bool:
        echo_socket = self._echo_socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        if isinstance(echo_socket, Failure):
            return False
        return (await self._ping(echo_socket, address, _at_once, timeout_s)).received > 0

    async def _serves(self, address: str, timeout_s: float) -> bool:
        began_s = clock.now_s()
        resolver = Resolver([(address, DNS_PORT)], timeout_s)
        try:
            answer = await resolver.ask("", "NS")
        finally:
            resolver.close()
        served = isinstance(answer, Answer) or answer.kind in _DNS_ANSWERS
        if served:
            self._uplink.hear(address, DNS_PORT, began_s)
        return served

    def _echo_socket(self, family: socket.AddressFamily) -> icmp.EchoSocket | Failure:
        known = self._echo.get(family)
        if known is None:
            known = self._echo[family] = _open_echo(family)
        return known


def _at_once() -> None:
    """Nobody waits for a turn."""


def _tcp_certain(attempt: Attempt) -> bool | None:
    """A handshake that took a second packet may be luck, and what this host does may pass."""
    if attempt.retransmissions or _from_here(attempt.failure):
        return None
    return attempt.connected


def _tls_certain(made: Handshake) -> bool | None:
    return made.connected if made.tcp.connected and not _from_here(made.failure) else None


def _from_here(failure: Failure | None) -> bool:
    return failure is not None and (failure.near or failure.kind in VANTAGE_KINDS)


def _echo_certain(echo: Echo) -> bool | None:
    if _from_here(echo.failure):
        return None
    return None if 0 < echo.received < echo.sent else echo.received > 0


def _open_echo(family: socket.AddressFamily) -> icmp.EchoSocket | Failure:
    try:
        return icmp.EchoSocket(family)
    except PermissionError:
        return Failure(Kind.PERMISSION, f"this user may not ping; permit it: {icmp.GRANT}")
    except OSError as error:
        return local_failure(error.errno or 0)
