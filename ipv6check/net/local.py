"""LocalNet: this host as a vantage."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TypeVar

from ipv6check.model import VANTAGE_KINDS, Answer, Attempt, Echo, Failure, Handshake, Kind, is_ipv6
from ipv6check.net import clock, icmp, tcp, tls
from ipv6check.net.dns import resolvconf
from ipv6check.net.dns.control_names import ControlNames
from ipv6check.net.dns.resolvconf import Server
from ipv6check.net.dns.resolver import Resolver
from ipv6check.net.errors import local_failure
from ipv6check.net.kernel.this_host import ThisHost
from ipv6check.net.limits import SocketLimits
from ipv6check.net.loop_lag import LagMeter
from ipv6check.net.memory import Memory, Turns
from ipv6check.net.own_time import patience_s
from ipv6check.net.timing_loop import TimingLoop
from ipv6check.net.tls import TlsPeer
from ipv6check.net.uplink import ANYTHING, ECHO, LocalUplink

Observation = TypeVar("Observation", Attempt, Handshake, Echo)
Endpoint = tuple[str, int]
Begin = Callable[[], None]

SOCKETS = 512
PER_ADDRESS = 6
DNS_PORT = 53
# An answer of the DNS that takes longer is reported as late (RFC 8305 section 3: 50 ms).
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
        conf = resolvconf.read()
        use_vc = conf.stub.use_vc and not nameservers
        self._resolver = Resolver(nameservers or conf.servers, timeout_s, use_vc=use_vc)
        self._limits = SocketLimits(SOCKETS, PER_ADDRESS)
        self._raced = Turns[Endpoint]()
        self._attempts = Memory[Endpoint, Attempt](_tcp_certain)
        self._handshakes = Memory[TlsPeer, Handshake](_tls_certain)
        self._echoes = Memory[str, Echo](_echo_certain)
        self._echo_sockets: dict[socket.AddressFamily, icmp.EchoSocket | Failure] = {}
        self._lag: LagMeter | None = None
        self.resolver = ControlNames(self._resolver.ask)
        stub = None if nameservers else conf.stub
        self.kernel = ThisHost(stub, timeout_s, self.resolver.answers)
        self.uplink = LocalUplink(controls, self._answers, timeout_s)
        self.timing_loop = TimingLoop()

    async def resolve(self, name: str, rdtype: str) -> Answer | Failure:
        """Ask the configured name servers one question."""
        if rdtype == "AAAA":
            self.resolver.expect_aaaa()
        self._lag = self._lag or LagMeter()
        before_ms = self._lag.late_ms
        answer = await self._resolver.ask(name, rdtype)
        if not isinstance(answer, Answer) or answer.elapsed_ms < LATE_MS:
            return answer
        if answer.elapsed_ms - (self._lag.late_ms - before_ms) >= LATE_MS:
            return answer
        # This host was busy, and so may its resolver have been: measured again.
        again = await self._resolver.ask(name, rdtype)
        took_ms = again.elapsed_ms if isinstance(again, Answer) else answer.elapsed_ms
        return replace(answer, elapsed_ms=min(answer.elapsed_ms, took_ms))

    async def connect(self, address: str, port: int, *, once: bool = False) -> Attempt:
        """Make one TCP handshake with this address, and close it."""
        endpoint = (address, port)
        if once:
            return await self._race_tcp(address, port)
        attempt = partial(self._connect, address, port)
        return await self._attempts.recall(endpoint, partial(self._surely, address, attempt))

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
        peer = TlsPeer(address, port, server_name, tuple(alpn))
        if once:
            return await self._race_tls(peer, connected)
        attempt = partial(self._shake, peer)
        made = await self._handshakes.recall(peer, partial(self._surely, address, attempt))
        connected(made.tcp)
        return made

    async def ping(self, address: str) -> Echo | Failure:
        """Send ICMP echo requests; a Failure where this host permits none."""
        echo_socket = self._echo_socket(address)
        if isinstance(echo_socket, Failure):
            return echo_socket
        attempt = partial(self._ping, echo_socket, address)
        return await self._echoes.recall(address, partial(self._surely, address, attempt))

    def close(self) -> None:
        """Release every socket."""
        self.timing_loop.close()
        self.uplink.close()
        self.kernel.close()
        self.resolver.close()
        self._resolver.close()
        if self._lag is not None:
            self._lag.close()
        for echo_socket in self._echo_sockets.values():
            if isinstance(echo_socket, icmp.EchoSocket):
                echo_socket.close()
        self._echo_sockets.clear()

    # --- one exchange, within the limits -------------------------------------------------

    async def _surely(
        self,
        address: str,
        attempt: Callable[[Begin, float], Coroutine[None, None, Observation]],
        begin: Begin,
    ) -> Observation:
        """What an attempt comes to while the uplink works; ``begin`` is called at each turn."""
        return await self.uplink.surely(address, partial(attempt, begin))

    async def _connect(self, address: str, port: int, begin: Begin, timeout_s: float) -> Attempt:
        async with self._limits.place(address):
            begin()
            began_s = clock.now_s()
            attempt = await tcp.connect(address, port, patience_s(timeout_s))
        return self._noted(attempt, began_s)

    async def _shake(self, peer: TlsPeer, begin: Begin, timeout_s: float) -> Handshake:
        async with self._limits.place(peer.address):
            begin()
            return await self._handshake(peer, patience_s(timeout_s))

    async def _handshake(
        self,
        peer: TlsPeer,
        timeout_s: float,
        connected: Callable[[Attempt], None] = lambda _: None,
        *,
        once: bool = False,
    ) -> Handshake:
        began_s = clock.now_s()
        made = await tls.handshake(peer, timeout_s, connected, once=once)
        if not self.timing_loop.is_running_here:
            if made.tcp.connected and not made.silent:
                self.uplink.note_data(peer.address, clock.now_s() - made.elapsed_ms / 1000)
            if made.connected:
                again = partial(self._shakes, peer)
                self.uplink.note_handshake(peer.address, again, began_s)
        failure = self.uplink.marked_near(made.failure, peer.address)
        return replace(made, tcp=self._noted(made.tcp, began_s), failure=failure)

    async def _ping(
        self, echo_socket: icmp.EchoSocket, address: str, begin: Begin, timeout_s: float
    ) -> Echo:
        async with self._limits.per_address.place(address):
            begin()
            began_s = clock.now_s()
            echo = await echo_socket.ping(address, self._pings, patience_s(timeout_s))
        if echo.received:
            self.uplink.note_answer(address, ECHO, began_s)
        return replace(echo, failure=self.uplink.marked_near(echo.failure, address))

    def _noted(self, attempt: Attempt, began_s: float) -> Attempt:
        """Learn from an attempt what this host's uplink does, and what its own router says."""
        # Where it took longer than that, it is not known which of several packets was answered.
        took_s = (attempt.rtt_ms or attempt.elapsed_ms) / 1000 + _AT_ONCE_S
        known = attempt.answered and clock.now_s() - began_s < took_s
        if known and not self.timing_loop.is_running_here:
            self.uplink.note_answer(attempt.address, attempt.port, began_s)
            if attempt.connected:
                self.uplink.note_connection(attempt.address, attempt.port, began_s)
        failure = self.uplink.marked_near(attempt.failure, attempt.address)
        return attempt if failure is attempt.failure else replace(attempt, failure=failure)

    # --- races ---------------------------------------------------------------------------

    async def _race_tcp(self, address: str, port: int) -> Attempt:
        """The first race with this address and port is one; others go as it is known to go."""
        endpoint = (address, port)
        known = self._attempts.lately(endpoint)
        if known is None or self._raced.first(endpoint, clock.now_s()):
            began_s = clock.now_s()
            with self._racing(endpoint, lives=known is not None and known.connected):
                attempt = await tcp.connect(address, port, self._timeout_s, once=True)
            return self._noted(attempt, began_s)
        await asyncio.sleep(known.elapsed_ms / 1000)
        return known

    async def _race_tls(self, peer: TlsPeer, connected: Callable[[Attempt], None]) -> Handshake:
        """The same, where TLS decides."""
        endpoint = (peer.address, peer.port)
        known = self._handshakes.lately(peer)
        if known is None or self._raced.first(endpoint, clock.now_s()):
            with self._racing(endpoint, lives=known is not None and known.connected):
                return await self._handshake(peer, self._timeout_s, connected, once=True)
        await asyncio.sleep(known.tcp.elapsed_ms / 1000)
        if known.tcp.connected:
            connected(known.tcp)
            await asyncio.sleep(known.elapsed_ms / 1000)
        return known

    @contextmanager
    def _racing(self, endpoint: Endpoint, *, lives: bool) -> Iterator[None]:
        """One that is given up though it lives has perhaps lost a packet: it does not count."""
        try:
            yield
        except asyncio.CancelledError:
            if lives:
                self._raced.forget(endpoint)
            raise

    # --- what the uplink asks of controls and witnesses ----------------------------------

    async def _answers(self, address: str, port: int, timeout_s: float) -> bool:
        """Whether it answers: the port, an echo, or anything (a handshake, a reset, a message)."""
        if port == ECHO:
            return await self._pinged(address, timeout_s)
        if port != ANYTHING:
            return await self._accepts(address, port, timeout_s)
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

    async def _shakes(self, peer: TlsPeer, timeout_s: float) -> bool:
        """Whether a TLS handshake meets an answer, be it a reset."""
        made = await self._shake(peer, _at_once, timeout_s)
        return not made.silent if made.tcp.connected else made.tcp.answered

    async def _pinged(self, address: str, timeout_s: float) -> bool:
        echo_socket = self._echo_socket(address)
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
            self.uplink.note_answer(address, DNS_PORT, began_s)
        return served

    def _echo_socket(self, address: str) -> icmp.EchoSocket | Failure:
        """The socket that pings the addresses of this family, or why there is none."""
        family = socket.AF_INET6 if is_ipv6(address) else socket.AF_INET
        opened = self._echo_sockets.get(family)
        if opened is None:
            opened = self._echo_sockets[family] = _open_echo(family)
        return opened


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
        detail = f"not permitted to send ICMP echo requests; enable with: {icmp.GRANT}"
        return Failure(Kind.PERMISSION, detail)
    except OSError as error:
        return local_failure(error.errno or 0)
