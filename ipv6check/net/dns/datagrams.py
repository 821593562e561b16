"""DNS over UDP (RFC 1035 section 4.2.1): one socket to a name server, shared by many questions."""

from __future__ import annotations

import asyncio
import random
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import dns.message
import dns.name
import dns.rdatatype

from ipv6check.model import Failure, Kind, is_ipv6
from ipv6check.net import clock, errors
from ipv6check.net.dns import messages
from ipv6check.net.dns.resolvconf import Server

_MAX_DATAGRAM = 4096
_RECEIVE_BUFFER = 1 << 20
_AT_A_TIME = 256
_ERRORS_TOLD = 3
# An ICMP error that quotes less than this tells of no question.
_QUOTED = messages.HEADER_SIZE
_REFUSALS = frozenset(
    {
        Kind.PORT_UNREACHABLE,
        Kind.NO_ROUTE,
        Kind.ADDRESS_UNREACHABLE,
        Kind.PROHIBITED,
        Kind.HOP_LIMIT,
    }
)


@dataclass(frozen=True, slots=True)
class Reply:
    """Response of one server; ``edns``: the query had EDNS (RFC 6891).

    A message, a Failure, or neither where it was truncated. ``soft``: the Failure may pass, as an
    ICMP error does while a server restarts.
    """

    server: Server
    elapsed_ms: float
    message: dns.message.QueryMessage | None = None
    failure: Failure | None = None
    soft: bool = False
    edns: bool = False
    tcp: bool = False

    @property
    def truncated(self) -> bool:
        """Whether the TC bit sends the question to TCP (RFC 7766 section 5)."""
        return self.message is None and self.failure is None


@dataclass(slots=True)
class Question:
    """Question under way: its octets, the ids it was sent under, and the replies so far."""

    text: str
    name: dns.name.Name
    rdtype: dns.rdatatype.RdataType
    wire: bytes
    replies: deque[Reply] = field(default_factory=deque)
    sends: list[tuple[Channel, int]] = field(default_factory=list)
    malformed: bool = False
    wake: asyncio.Future[None] | None = None

    def again(self, wire: bytes) -> Question:
        """A copy in other octets, with no replies."""
        return Question(self.text, self.name, self.rdtype, wire)

    def hear(self, reply: Reply) -> None:
        """Note a reply, and wake whoever waits for one."""
        self.replies.append(reply)
        self.settle()

    def settle(self) -> None:
        """End the wait, with a reply or without."""
        if self.wake is not None and not self.wake.done():
            self.wake.set_result(None)

    async def next_reply(self, until: float) -> Reply | None:
        """The next reply to any send, None when the loop's clock is past ``until``."""
        if not self.replies:
            loop = asyncio.get_running_loop()
            self.wake = loop.create_future()
            timer = loop.call_at(until, self.settle)
            try:
                await self.wake
            finally:
                timer.cancel()
        return self.replies.popleft() if self.replies else None

    def forget(self) -> None:
        """Withdraw the ids of all transmissions."""
        for channel, number in self.sends:
            channel.forget(number, self)


@dataclass(frozen=True, slots=True)
class Sent:
    """One transmission of a question."""

    question: Question
    wire: bytes
    at_ns: int
    edns: bool


class Channel:
    """Connected UDP socket to one name server: the kernel drops what others send."""

    def __init__(self, server: Server, heard: Callable[[Server], None]) -> None:
        self.server = server
        self._heard = heard
        self._pending: dict[int, Sent] = {}
        family = socket.AF_INET6 if is_ipv6(server[0]) else socket.AF_INET
        self._sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            clock.want_timestamps(self._sock)
            errors.want_errors(self._sock)
            self._sock.connect(sockaddr(server))
        except OSError:
            self._sock.close()
            raise
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self._readable)

    def send(self, question: Question, wire: bytes, *, edns: bool) -> None:
        """Send the question under an id of its own, so that the answer tells which send it met.

        Raises OSError where this host's kernel does not send.
        """
        number = random.getrandbits(16)
        while number in self._pending:
            number = random.getrandbits(16)
        whole = number.to_bytes(2, "big") + wire[2:]
        self._pending[number] = Sent(question, whole, clock.now_ns(), edns)
        question.sends.append((self, number))
        for _ in range(_ERRORS_TOLD):
            # The error may be that of an earlier datagram, which somebody refused: it is told once.
            with suppress(OSError):
                self._sock.send(whole)
                return
        self._sock.send(whole)

    def forget(self, number: int, question: Question) -> None:
        """Drop the answer to this send, should it still come; the id may be another's by now."""
        if number in self._pending and self._pending[number].question is question:
            del self._pending[number]

    def close(self) -> None:
        """Stop reading and close the socket."""
        asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._sock.close()

    def _readable(self) -> None:
        self._hear_errors()
        for _ in range(_AT_A_TIME):
            try:
                data, ancillary, _flags, _address = self._sock.recvmsg(
                    _MAX_DATAGRAM, clock.ANCILLARY_SIZE
                )
            except BlockingIOError:
                return
            except OSError:
                # What it is the error of stands in the queue.
                self._hear_errors()
                continue
            self._receive(data, clock.arrival_ns(ancillary))

    def _receive(self, data: bytes, arrived_ns: int) -> None:
        number = int.from_bytes(data[:2], "big")
        sent = self._pending.get(number)
        if sent is None or len(data) < messages.HEADER_SIZE:
            return
        question = sent.question
        truncated = data[2] & messages.TRUNCATED
        message = None if truncated else messages.read(data, question.name, question.rdtype)
        self._heard(self.server)
        if message is None and not truncated:
            question.malformed = True
            return
        del self._pending[number]
        elapsed = clock.elapsed_ms(sent.at_ns, arrived_ns)
        question.hear(Reply(self.server, elapsed, message, edns=sent.edns))

    def _hear_errors(self) -> None:
        for _ in range(_AT_A_TIME):
            error = errors.next_error(self._sock)
            if error is None:
                return
            self.hear_error(error)

    def hear_error(self, error: errors.IcmpError) -> None:
        """Note the refusal if the ICMP error quotes a datagram of ours: a forger knows no id."""
        quoted = error.packet
        sent = self._pending.get(int.from_bytes(quoted[:2], "big"))
        if sent is None or len(quoted) < _QUOTED or not sent.wire.startswith(quoted):
            return
        elapsed = clock.elapsed_ms(sent.at_ns, clock.now_ns())
        refusal = error.failure(elapsed)
        if refusal.kind in _REFUSALS:
            detail = f"{place(self.server)}: {refusal.detail}"
            failure = Failure(Kind.RESOLVER_UNREACHABLE, detail, elapsed)
            sent.question.hear(Reply(self.server, elapsed, failure=failure, soft=True))


def place(server: Server) -> str:
    """Printed form of a server, with its port unless that is 53."""
    return server[0] if server[1] == 53 else f"{server[0]} port {server[1]}"


def sockaddr(server: Server) -> tuple[object, ...]:
    """Socket address of a server; a link-local one (``fe80::1%eth0``) keeps its interface.

    Routers announce such servers (RFC 8106).
    """
    numeric = socket.AI_NUMERICHOST
    resolved = socket.getaddrinfo(*server, type=socket.SOCK_DGRAM, flags=numeric)
    return resolved[0][4]
