"""LocalNet: this host as a vantage."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

from ipv6check.model import (
    Answer,
    Attempt,
    Echo,
    Failure,
    Handshake,
    HostState,
    Kind,
    Listener,
    NameServer,
    RuleTexts,
    Vantage,
)
from ipv6check.net import host, icmp, listening, nat64, rules, tcp, tls
from ipv6check.net.errors import local_failure
from ipv6check.net.limits import Gate, Places
from ipv6check.net.memory import Memory, Turns
from ipv6check.net.quiet import QuietLoop
from ipv6check.net.resolver import Resolver, Server, system_servers, upstream_servers
from ipv6check.registry import special_purpose
from ipv6check.turns import patience_s

Value = TypeVar("Value")
Endpoint = tuple[str, int]

SOCKETS = 512
PER_ADDRESS = 6
# Races under way at once: each has some sockets, and waits for no place once it has begun.
RACES = 96
DNS_PORT = 53
# Asked of the kernel's routing only, never sent to: the first root server's addresses.
_ROUTE_PROBE = {socket.AF_INET6: "2001:503:ba3e::2:30", socket.AF_INET: "198.41.0.4"}
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
        self._controls = tuple(controls)
        self._resolver = Resolver(nameservers or system_servers(), timeout_s)
        self._places = Places(SOCKETS, PER_ADDRESS)
        self._races = Gate(RACES)
        self._raced = Turns[Endpoint]()
        self._attempts = Memory[Endpoint, Attempt](_tcp_certain)
        self._handshakes = Memory[tuple[str, int, str, tuple[str, ...]], Handshake](_tls_certain)
        self._echoes = Memory[str, Echo](_echo_certain)
        self._quiet: QuietLoop | None = None
        self._echo: dict[socket.AddressFamily, icmp.EchoSocket | Failure] = {}
        self._once: dict[str, asyncio.Task[object]] = {}
        self._sources = {family: _source(family) for family in _ROUTE_PROBE}
        self._heard_ipv6 = False
        self._controls_silent = False

    async def resolve(self, name: str, rdtype: str) -> Answer | Failure:
        """Ask the configured name servers one question."""
        if rdtype == "AAAA":
            # Whoever asks for AAAA will want to know which of them are the network's own.
            self._ask_once(self._discover_pref64)
        return await self._resolver.ask(name, rdtype)

    async def resolver_answers(self) -> bool:
        """Whether a name server answers for the root, which every resolver knows.

        A resolver without an uplink says SERVFAIL to that, too; one that refuses it is well.
        """
        return bool(await asyncio.shield(self._ask_once(self._ask_root)))

    async def pref64(self) -> tuple[str, ...]:
        """The NAT64 prefixes that this network's DNS64 adds (RFC 7050 section 3)."""
        found = await asyncio.shield(self._ask_once(self._discover_pref64))
        assert isinstance(found, tuple)
        return found

    async def connect(self, address: str, port: int, *, once: bool = False) -> Attempt:
        """Make one TCP handshake with this address, and close it."""
        if once:
            return await self._race_tcp(address, port)
        ask = partial(self._connect, address, port)
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
        made = await self._handshakes.recall(key, partial(self._shake, *key))
        connected(made.tcp)
        return made

    async def ping(self, address: str) -> Echo | Failure:
        """Send ICMP echo requests; a Failure where this host permits none."""
        echo_socket = self._echo_socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        if isinstance(echo_socket, Failure):
            return echo_socket
        return await self._echoes.recall(address, partial(self._ping, echo_socket, address))

    async def controls_answer(self) -> bool:
        """Whether any control answers over IPv6, or anything of this run has; True with none."""
        if self._heard_ipv6 or not self._controls:
            return True
        self._controls_silent = not await asyncio.shield(self._ask_once(self._ask_controls))
        return self._heard_ipv6

    def is_own(self, address: str) -> bool:
        """Whether this address is this host's own, by its kernel's choice of a source."""
        return host.is_own(address)

    async def listeners(self) -> tuple[Listener, ...] | Failure:
        """Every TCP socket that listens and every UDP socket bound to a fixed port, read once."""
        found = await asyncio.shield(self._ask_once(self._read_listeners))
        assert isinstance(found, tuple | Failure)
        return found

    async def host(self) -> HostState | Failure:
        """What the kernel says of interfaces, routes to the Internet, and switches."""
        return await asyncio.to_thread(host.state, *_ROUTE_PROBE.values())

    async def rules(self) -> RuleTexts | Failure:
        """What nft and ip6tables-save print here, asked once."""
        found = await asyncio.shield(self._ask_once(self._read_rules))
        assert isinstance(found, RuleTexts | Failure)
        return found

    async def name_servers(self) -> tuple[NameServer, ...]:
        """Every name server of resolv.conf, asked for the root."""
        asked = (self._ask_server(server) for server in upstream_servers())
        return tuple(await asyncio.gather(*asked))

    async def preference(self) -> tuple[str, ...]:
        """The addresses of a name that has both families, as getaddrinfo sorts them."""
        if await self.resolver_answers():
            found = await self._sorted(host.BOTH_FAMILIES)
            if found:
                return found
        return await self._sorted(None)

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
        ipv4 = "no" if self._sources[socket.AF_INET] is None else "yes"
        source6 = self._sources[socket.AF_INET6]
        if source6 is None:
            return Vantage(ipv4=ipv4, ipv6="no")
        if self._controls_silent and not self._heard_ipv6:
            detail = f"none of {len(self._controls)} controls answers"
            return Vantage(ipv4=ipv4, ipv6="broken", source_ipv6=source6, detail=detail)
        return Vantage(ipv4=ipv4, source_ipv6=source6)

    def close(self) -> None:
        """Release every socket."""
        if self._quiet is not None:
            self._quiet.close()
            self._quiet = None
        for task in self._once.values():
            task.cancel()
        self._resolver.close()
        for echo_socket in self._echo.values():
            if isinstance(echo_socket, icmp.EchoSocket):
                echo_socket.close()
        self._echo.clear()

    async def _connect(
        self, address: str, port: int, begin: Callable[[], None] = lambda: None
    ) -> Attempt:
        async with self._places.place(address):
            begin()
            attempt = await tcp.connect(address, port, patience_s(self._timeout_s))
        return self._hear(attempt) if ":" in address else attempt

    async def _shake(
        self,
        address: str,
        port: int,
        server_name: str,
        alpn: tuple[str, ...],
        begin: Callable[[], None],
    ) -> Handshake:
        async with self._places.place(address):
            begin()
            return await self._handshake(address, port, server_name, alpn)

    async def _handshake(
        self,
        address: str,
        port: int,
        server_name: str,
        alpn: tuple[str, ...],
        connected: Callable[[Attempt], None] = lambda _: None,
        *,
        once: bool = False,
    ) -> Handshake:
        timeout_s = patience_s(self._timeout_s)
        made = await tls.handshake(
            address, port, server_name, alpn, timeout_s, connected, once=once
        )
        return replace(made, tcp=self._hear(made.tcp)) if ":" in address else made

    async def _ping(
        self,
        echo_socket: icmp.EchoSocket,
        address: str,
        begin: Callable[[], None] = lambda: None,
    ) -> Echo:
        async with self._places.per_address.place(address):
            begin()
            echo = await echo_socket.ping(address, self._pings, patience_s(self._timeout_s))
        if echo.received:
            self._heard_ipv6 = self._heard_ipv6 or self._is_afar(address)
        return echo

    async def _race_tcp(self, address: str, port: int) -> Attempt:
        """The first race with this address and port is one; others go as it is known to go."""
        known = self._attempts.lately((address, port))
        if known is None or self._raced.first((address, port), _now()):
            attempt = await tcp.connect(address, port, self._timeout_s, once=True)
            return self._hear(attempt) if ":" in address else attempt
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
        known = self._handshakes.lately((address, port, server_name, alpn))
        if known is None or self._raced.first((address, port), _now()):
            return await self._handshake(address, port, server_name, alpn, connected, once=True)
        await asyncio.sleep(known.tcp.elapsed_ms / 1000)
        if known.tcp.connected:
            connected(known.tcp)
            await asyncio.sleep(known.elapsed_ms / 1000)
        return known

    def _hear(self, attempt: Attempt) -> Attempt:
        """Learn from an IPv6 attempt what this host's uplink does, and what its own router says."""
        failure = attempt.failure
        told = failure is not None and failure.source is not None
        if (self._heard_ipv6 and not told) or not self._is_afar(attempt.address):
            return attempt
        self._heard_ipv6 |= attempt.answered
        if failure is None or failure.source is None or self._is_afar(failure.source):
            return attempt
        return replace(attempt, failure=replace(failure, near=True))

    def _is_afar(self, address: str) -> bool:
        """Whether packets to this IPv6 address go through this host's router and beyond."""
        source = self._sources[socket.AF_INET6]
        if ":" not in address or source is None or special_purpose(address) is not None:
            return False
        return ipaddress.IPv6Address(address) not in ipaddress.IPv6Network(
            (source, 64), strict=False
        )

    def _ask_once(self, ask: Callable[[], Coroutine[None, None, object]]) -> asyncio.Task[object]:
        """Ask once a run: every later caller awaits the same task."""
        task = self._once.get(ask.__name__)
        if task is None:
            task = self._once[ask.__name__] = asyncio.get_running_loop().create_task(ask())
        return task

    async def _read_listeners(self) -> tuple[Listener, ...] | Failure:
        return await asyncio.to_thread(listening.listening)

    async def _read_rules(self) -> RuleTexts | Failure:
        return await asyncio.to_thread(rules.live_rules)

    async def _ask_server(self, server: Server) -> NameServer:
        """One question about the root. Who refuses it has answered; who fails at it serves none."""
        resolver = Resolver([server], self._timeout_s)
        try:
            answer = await resolver.ask("", "NS")
        finally:
            resolver.close()
        if isinstance(answer, Answer) or answer.kind is Kind.DNS_REFUSED:
            return NameServer(server[0])
        return NameServer(server[0], answer)

    async def _sorted(self, name: str | None) -> tuple[str, ...]:
        """Ask getaddrinfo, in a thread that nobody has to wait for: it takes its time."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[tuple[str, ...]] = loop.create_future()

        def ask() -> None:
            found = host.order(name)
            # Nobody waits any more, and the loop may be closed.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, done, found)

        threading.Thread(target=ask, name="getaddrinfo", daemon=True).start()
        try:
            return await asyncio.wait_for(done, self._timeout_s)
        except TimeoutError:
            return ()

    async def _ask_root(self) -> bool:
        answer = await self._resolver.ask("", "NS")
        return isinstance(answer, Answer) or answer.kind is Kind.DNS_REFUSED

    async def _discover_pref64(self) -> tuple[str, ...]:
        answer = await self._resolver.ask(nat64.WELL_KNOWN_NAME, "AAAA")
        return nat64.prefixes(answer.records) if isinstance(answer, Answer) else ()

    async def _ask_controls(self) -> bool:
        """Any answer proves the path: a handshake or a reset, an echo, a DNS message."""
        asks = [self._control_accepts(address) for address in self._controls]
        asks += [self._control_echoes(address) for address in self._controls]
        asks += [self._control_serves(address) for address in self._controls]
        for proof in asyncio.as_completed(asks):
            if await proof:
                self._heard_ipv6 = True
                return True
        return False

    async def _control_accepts(self, address: str) -> bool:
        return (await self._connect(address, DNS_PORT)).answered

    async def _control_echoes(self, address: str) -> bool:
        echo_socket = self._echo_socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        if isinstance(echo_socket, Failure):
            return False
        return (await self._ping(echo_socket, address)).received > 0

    async def _control_serves(self, address: str) -> bool:
        resolver = Resolver([(address, DNS_PORT)], self._timeout_s)
        try:
            answer = await resolver.ask("", "NS")
        finally:
            resolver.close()
        return isinstance(answer, Answer) or answer.kind in _DNS_ANSWERS

    def _echo_socket(self, family: socket.AddressFamily) -> icmp.EchoSocket | Failure:
        known = self._echo.get(family)
        if known is None:
            known = self._echo[family] = _open_echo(family)
        return known


def _now() -> float:
    return asyncio.get_running_loop().time()


def _tcp_certain(attempt: Attempt) -> bool | None:
    """A handshake that took a second packet may be luck."""
    return None if attempt.retransmissions else attempt.connected


def _tls_certain(made: Handshake) -> bool | None:
    return made.connected if made.tcp.connected else None


def _echo_certain(echo: Echo) -> bool | None:
    return None if 0 < echo.received < echo.sent else echo.received > 0


def _settle(done: asyncio.Future[tuple[str, ...]], found: tuple[str, ...]) -> None:
    if not done.done():
        done.set_result(found)


def _open_echo(family: socket.AddressFamily) -> icmp.EchoSocket | Failure:
    try:
        return icmp.EchoSocket(family)
    except PermissionError:
        return Failure(Kind.PERMISSION, f"this user may not ping; permit it: {icmp.GRANT}")
    except OSError as error:
        return local_failure(error.errno or 0)


def _source(family: socket.AddressFamily) -> str | None:
    """The kernel's source address towards the Internet, None without a route. Sends nothing."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((_ROUTE_PROBE[family], DNS_PORT))
            source = str(sock.getsockname()[0])
    except OSError:
        return None
    return None if ipaddress.ip_address(source).is_link_local else source
