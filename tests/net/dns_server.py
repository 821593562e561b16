"""A DNS server on loopback that says what a test wants, over UDP and TCP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self, cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

# What goes back, each after so many seconds.
Replies = Iterable[tuple[float, bytes]] | bytes | None
RESET = b""


@dataclass(frozen=True, slots=True)
class Query:
    """A question, how it came, how many came before it, and the port that it came from."""

    message: dns.message.Message
    tcp: bool = False
    number: int = 0
    port: int = 0

    @property
    def name(self) -> dns.name.Name:
        """The name asked for."""
        return self.message.question[0].name

    @property
    def rdtype(self) -> str:
        """The type asked for."""
        return dns.rdatatype.to_text(self.message.question[0].rdtype)


Handler = Callable[[Query], Replies]


def reply(query: Query, *records: str, rcode: str = "NOERROR", authority: str = "") -> bytes:
    """A response with these records, each a line of a zone file."""
    response = dns.message.make_response(query.message)
    response.set_rcode(dns.rcode.from_text(rcode))
    response.answer = [_rrset(record) for record in records]
    response.authority = [_rrset(authority)] if authority else []
    return response.to_wire(max_size=65535, want_shuffle=False)


def truncated(query: Query) -> bytes:
    """A response without records that says there is more over TCP."""
    response = dns.message.make_response(query.message)
    response.flags |= dns.flags.TC
    return response.to_wire()


def address_of(query: Query, address: str) -> bytes:
    """A response that gives the name this address, whatever it is."""
    return reply(query, f"{query.name} 300 IN {query.rdtype} {address}")


def _rrset(record: str) -> dns.rrset.RRset:
    owner, ttl, class_, rdtype, *values = record.split(" ", 4)
    return dns.rrset.from_text_list(owner, int(ttl), class_, rdtype, values[0].split("|"))


class DnsServer:
    """Bound from ``async with`` to the end of its block. ``asked`` lists what came, in order."""

    def __init__(
        self, handler: Handler, *, host: str = "127.0.0.1", tcp: bool = True, port: int = 0
    ) -> None:
        self._handler = handler
        self._host = host
        self._tcp = tcp
        self._port = port
        self._open = contextlib.AsyncExitStack()
        self.asked: list[tuple[str, str, bool]] = []
        self.queries: list[bytes] = []

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._host, self._port

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        while True:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Udp(self), (self._host, self._port)
            )
            self.udp = transport
            self._port = transport.get_extra_info("sockname")[1]
            if not self._tcp:
                break
            try:
                listening = await asyncio.start_server(self._serve, self._host, self._port)
            except OSError:
                transport.close()
                self._port = 0
                continue
            self._open.callback(listening.close)
            break
        self._open.callback(transport.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()
        await asyncio.sleep(0)

    def answer(self, wire: bytes, *, tcp: bool, port: int = 0) -> list[tuple[float, bytes]]:
        """What the handler says to this query."""
        query = Query(dns.message.from_wire(wire), tcp, len(self.asked), port)
        self.asked.append((query.name.to_text(omit_final_dot=True), query.rdtype, tcp))
        self.queries.append(wire)
        said = self._handler(query)
        if said is None:
            return []
        return [(0.0, said)] if isinstance(said, bytes) else list(said)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.callback(writer.transport.abort)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            replies = self.answer(await reader.readexactly(length), tcp=True)
            for delay_s, wire in replies:
                if wire == RESET:
                    linger_zero = struct.pack("ii", 1, 0)
                    sock = writer.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_zero)
                    break
                await asyncio.sleep(delay_s)
                writer.write(struct.pack("!H", len(wire)) + wire)
                await writer.drain()
            if not replies:
                await reader.read()
        writer.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own transport does not derive from the class that it documents.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        loop = asyncio.get_running_loop()
        for delay_s, wire in self._server.answer(data, tcp=False, port=addr[1]):
            if delay_s:
                loop.call_later(delay_s, self._send, wire, addr)
            else:
                self._send(wire, addr)

    def _send(self, wire: bytes, addr: tuple[Any, ...]) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(wire, addr)
