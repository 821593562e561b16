"""The demo's Internet: a name server and web sites on loopback, in a thread of their own."""

from __future__ import annotations

import asyncio
import errno
import select
import socket
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from ipv6check.model.network import endpoint

IPV6, IPV4 = "::1", "127.0.0.1"
TTL = 300
MAX_DATAGRAM = 4096
FILLERS = 8
_PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
_ATTEMPTS = 20

# Rdata by name and type: one record of a kind is all that the demo needs.
Zone = Mapping[tuple[str, str], str]


class Ipv6(Enum):
    """How a host does over IPv6. All of them are well over IPv4."""

    OPEN = "open"
    SILENT = "silent"
    REFUSED = "refused"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class DemoHost:
    """One host; its AAAA answer comes ``late_s`` seconds after A."""

    name: str
    ipv6: Ipv6 = Ipv6.OPEN
    late_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Served:
    """Where the demo's Internet is: its name server, and each host with its own port."""

    nameserver: str
    targets: tuple[str, ...]


def has_ipv6() -> bool:
    """Whether this machine has the IPv6 loopback address."""
    try:
        with _bound(socket.AF_INET6, IPV6, 0):
            return True
    except OSError:
        return False


@contextmanager
def serve(hosts: Sequence[DemoHost]) -> Iterator[Served]:
    """Serve these hosts until the block is left; the first one is whom ``::1`` is named after.

    Raises OSError where loopback has no place for them.
    """
    with ExitStack() as stack:
        targets, sites = [], []
        for host in hosts:
            ipv6, ipv4 = _pair()
            stack.enter_context(ipv6)
            sites.append(stack.enter_context(ipv4))
            if host.ipv6 is Ipv6.SILENT:
                stack.enter_context(_silenced(ipv6))
            elif host.ipv6 is Ipv6.OPEN:
                sites.append(ipv6)
            # Else the socket stays as it is: bound, so that nobody else takes the port, and closed.
            targets.append(endpoint(host.name, ipv4.getsockname()[1]))
        for site in sites:
            site.listen()  # now, so that who comes before the loop runs is not refused
        asked = stack.enter_context(_bound(socket.AF_INET, IPV4, 0, socket.SOCK_DGRAM))
        late = {host.name: host.late_s for host in hosts}
        stack.enter_context(_running(_serve(sites, asked, _zone(hosts), late)))
        yield Served(endpoint(*asked.getsockname()), tuple(targets))


def answer(zone: Zone, wire: bytes) -> dns.message.Message | None:
    """The reply to one datagram, None for what is no question."""
    try:
        query = dns.message.from_wire(wire)
        reply = dns.message.make_response(query)
    except (dns.exception.DNSException, ValueError):
        return None
    if len(query.question) != 1:
        return None
    asked = query.question[0]
    name = _name(asked)
    rdtype = dns.rdatatype.to_text(asked.rdtype)
    if (name, rdtype) in zone:
        reply.answer.append(dns.rrset.from_text(asked.name, TTL, "IN", rdtype, zone[name, rdtype]))
    elif not any(name == owner for owner, _ in zone):
        reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply


def _zone(hosts: Sequence[DemoHost]) -> Zone:
    zone = {(host.name, "A"): IPV4 for host in hosts}
    return zone | {(host.name, "AAAA"): IPV6 for host in hosts if host.ipv6 is not Ipv6.ABSENT}


class _NameServer:
    """Answers what arrives at a socket; some names' AAAA later than the rest."""

    def __init__(self, sock: socket.socket, zone: Zone, late_s: Mapping[str, float]) -> None:
        self._sock = sock
        self._zone = zone
        self._late_s = late_s
        self._loop = asyncio.get_running_loop()
        sock.setblocking(False)  # noqa: FBT003 - the socket module's own way
        self._loop.add_reader(sock.fileno(), self._readable)

    def close(self) -> None:
        self._loop.remove_reader(self._sock.fileno())

    def _readable(self) -> None:
        with suppress(OSError):
            wire, client = self._sock.recvfrom(MAX_DATAGRAM)
            reply = answer(self._zone, wire)
            if reply is not None:
                self._loop.call_later(self._delay_s(reply), self._send, reply.to_wire(), client)

    def _delay_s(self, reply: dns.message.Message) -> float:
        asked = reply.question[0]
        return self._late_s.get(_name(asked), 0.0) if asked.rdtype == dns.rdatatype.AAAA else 0.0

    def _send(self, wire: bytes, client: tuple[str, int]) -> None:
        with suppress(OSError):  # who asked may be gone
            self._sock.sendto(wire, client)


def _name(asked: dns.rrset.RRset) -> str:
    return asked.name.to_text(omit_final_dot=True).lower()


class _Site(asyncio.Protocol):
    """A web site of one page."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - whatever was asked
        self._transport.write(_PAGE)
        self._transport.close()


async def _serve(
    sites: Sequence[socket.socket], asked: socket.socket, zone: Zone, late_s: Mapping[str, float]
) -> None:
    """Serve until cancelled."""
    loop = asyncio.get_running_loop()
    name_server = _NameServer(asked, zone, late_s)
    servers = [await loop.create_server(_Site, sock=sock) for sock in sites]
    try:
        await loop.create_future()
    finally:
        name_server.close()
        for server in servers:
            server.close()
        await asyncio.sleep(0)  # transports are closed in the loop's next turn


@contextmanager
def _running(main: Coroutine[Any, Any, None]) -> Iterator[None]:
    """Run it in a thread with an event loop of its own; cancel it when the block is left."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(main)

    def work() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=work, name="demo", daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()


def _pair() -> tuple[socket.socket, socket.socket]:
    """Two sockets bound to one port, of ``::1`` and of ``127.0.0.1``."""
    for _ in range(_ATTEMPTS):
        ipv6 = _bound(socket.AF_INET6, IPV6, 0)
        try:
            return ipv6, _bound(socket.AF_INET, IPV4, ipv6.getsockname()[1])
        except OSError as error:
            ipv6.close()
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, "no port is free on both loopback addresses")


def _bound(
    family: socket.AddressFamily,
    address: str,
    port: int,
    kind: socket.SocketKind = socket.SOCK_STREAM,
) -> socket.socket:
    sock = socket.socket(family, kind)
    try:
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


@contextmanager
def _silenced(sock: socket.socket) -> Iterator[None]:
    """Let the socket listen, with nobody to accept: Linux drops the SYN that finds a full queue."""
    sock.listen(0)
    with ExitStack() as stack:
        for _ in range(FILLERS):
            filler = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
            filler.setblocking(False)  # noqa: FBT003
            filler.connect_ex(sock.getsockname())
            _, accepted, _ = select.select([], [filler], [], 0.02)
            if not accepted:
                break
        yield
