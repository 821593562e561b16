"""A stub resolver that hides nothing: one question, one server, one answer with its own time.

Many questions share one UDP socket for each name server. dnspython builds and reads the messages.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from ipv6check.model import Answer, Failure, Kind
from ipv6check.net import clock

Server = tuple[str, int]

RESOLV_CONF = "/etc/resolv.conf"
# systemd-resolved.service(8): its listeners, and the servers that it got from elsewhere.
RESOLVED_CONF = "/run/systemd/resolve/resolv.conf"
_STUBS = frozenset({"127.0.0.53", "127.0.0.54"})

SENDS = 3
IN_FLIGHT = 100
# DNS flag day 2020: a size that no path fragments.
PAYLOAD = 1232
_MAX_DATAGRAM = 4096
_HEADER_SIZE = 12
_TRUNCATED = 0x02
_RECEIVE_BUFFER = 1 << 20

_IN = dns.rdataclass.IN
_ANSWERS = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
_FAILURES = {dns.rcode.SERVFAIL: Kind.SERVFAIL, dns.rcode.REFUSED: Kind.DNS_REFUSED}


@dataclass(slots=True)
class _Question:
    text: str
    name: dns.name.Name
    rdtype: dns.rdatatype.RdataType
    wire: bytes
    replies: deque[_Reply] = field(default_factory=deque)
    sends: list[tuple[_Channel, int]] = field(default_factory=list)
    malformed: bool = False
    wake: asyncio.Future[None] | None = None

    def hear(self, reply: _Reply) -> None:
        """Note a reply, and wake whoever waits for one."""
        self.replies.append(reply)
        self.settle()

    def settle(self) -> None:
        """End the wait, with a reply or without."""
        if self.wake is not None and not self.wake.done():
            self.wake.set_result(None)

    async def next_reply(self, until: float) -> _Reply | None:
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


@dataclass(frozen=True, slots=True)
class _Reply:
    """What came back from one server: a message, a Failure, or neither where it was truncated."""

    server: Server
    elapsed_ms: float
    message: dns.message.Message | None = None
    failure: Failure | None = None


class _Channel:
    """One connected UDP socket to one name server: the kernel drops what others send."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._pending: dict[int, tuple[_Question, int]] = {}
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self._sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            clock.want_timestamps(self._sock)
            self._sock.connect(_sockaddr(server))
        except OSError:
            self._sock.close()
            raise
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self._readable)

    def send(self, question: _Question) -> None:
        """Send the question under an id of its own, so that the answer tells which send it met."""
        number = random.getrandbits(16)
        while number in self._pending:
            number = random.getrandbits(16)
        self._pending[number] = (question, clock.now_ns())
        question.sends.append((self, number))
        self._sock.send(number.to_bytes(2, "big") + question.wire[2:])

    def forget(self, number: int, question: _Question) -> None:
        """Drop the answer to this send, should it still come; the id may be another's by now."""
        if number in self._pending and self._pending[number][0] is question:
            del self._pending[number]

    def close(self) -> None:
        """Stop reading and close the socket."""
        asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._sock.close()

    def _readable(self) -> None:
        while True:
            try:
                data, ancillary, _flags, _address = self._sock.recvmsg(
                    _MAX_DATAGRAM, clock.ANCILLARY_SIZE
                )
            except BlockingIOError:
                return
            except OSError as error:
                self._unreachable(error)
                return
            self._receive(data, clock.arrival_ns(ancillary))

    def _receive(self, data: bytes, arrived_ns: int) -> None:
        number = int.from_bytes(data[:2], "big")
        pending = self._pending.get(number)
        if pending is None or len(data) < _HEADER_SIZE:
            return
        question, sent_ns = pending
        truncated = data[2] & _TRUNCATED
        message = None if truncated else _read(data, question)
        if message is None and not truncated:
            question.malformed = True
            return
        del self._pending[number]
        elapsed = clock.elapsed_ms(sent_ns, arrived_ns)
        question.hear(_Reply(self.server, elapsed, message))

    def _unreachable(self, error: OSError) -> None:
        """The name server's host, or a router, refused a datagram: it says not which."""
        failure = Failure(Kind.RESOLVER_UNREACHABLE, f"{_text(self.server)}: {error.strerror}")
        for question, _sent in self._pending.values():
            question.hear(_Reply(self.server, 0.0, failure=failure))
        self._pending.clear()


def _sockaddr(server: Server) -> tuple[object, ...]:
    """With the interface of a link-local server (``fe80::1%eth0``), as routers announce them."""
    numeric = socket.AI_NUMERICHOST
    found = socket.getaddrinfo(*server, type=socket.SOCK_DGRAM, flags=numeric)
    return found[0][4]


@lru_cache
def _root_query(rdtype: str) -> bytes:
    query = dns.message.make_query(".", rdtype, use_edns=0, payload=PAYLOAD)
    return query.to_wire()


def _query(name: dns.name.Name, rdtype: str) -> bytes:
    """The query for a name: the one for the root, with the name in the root's place.

    dnspython compresses even a lone name, which takes a millisecond for the 34 labels of ip6.arpa.
    """
    root = _root_query(rdtype)
    return root[:_HEADER_SIZE] + name.to_digestable() + root[_HEADER_SIZE + 1 :]


def _read(data: bytes, question: _Question) -> dns.message.Message | None:
    """The message, None unless it is a well-formed response to this very question."""
    try:
        message = dns.message.from_wire(data)
    except (dns.exception.DNSException, ValueError):
        return None
    return message if _responds(message, question) else None


def _responds(message: dns.message.Message, question: _Question) -> bool:
    if not message.flags & dns.flags.QR or not isinstance(message, dns.message.QueryMessage):
        return False
    if len(message.question) != 1:
        # A server that cannot read the question may leave it out (RFC 1035 section 4.1.1).
        return not message.question and message.rcode() not in _ANSWERS
    asked = message.question[0]
    return (asked.name, asked.rdtype, asked.rdclass) == (question.name, question.rdtype, _IN)


def _text(server: Server) -> str:
    return server[0] if server[1] == 53 else f"{server[0]} port {server[1]}"


class Resolver:
    """Asks the name servers in turn, over UDP, and over TCP what was truncated."""

    def __init__(self, servers: Sequence[Server], timeout_s: float) -> None:
        self._servers = tuple(servers)
        self._timeout_s = timeout_s
        self._channels: dict[Server, _Channel] = {}
        self._places = asyncio.Semaphore(IN_FLIGHT)

    async def ask(self, name: str, rdtype: str) -> Answer | Failure:
        """Ask one question; SERVFAIL, REFUSED and silence move on to the next name server."""
        try:
            asked = dns.name.from_text(name)
            wire = _query(asked, rdtype)
        except (dns.exception.DNSException, UnicodeError) as error:
            return Failure(Kind.DNS_ERROR, f"{name} cannot be asked for: {error}")
        question = _Question(name, asked, dns.rdatatype.RdataType[rdtype], wire)
        async with self._places:
            return await self._ask(question)

    def close(self) -> None:
        """Close every socket."""
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()

    async def _ask(self, question: _Question) -> Answer | Failure:
        loop = asyncio.get_running_loop()
        failures: dict[Server, Failure] = {}
        began = loop.time()
        deadline = began + self._timeout_s
        waiting = deque(self._servers)
        turns = max(SENDS, len(self._servers))
        try:
            while waiting and turns:
                server = waiting.popleft()
                if server in failures:
                    continue
                now = loop.time()
                until = now + (deadline - now) / turns
                answer = await self._turn(question, server, failures, until, deadline)
                if answer is not None:
                    return answer
                waiting.append(server)
                turns -= 1
        finally:
            for channel, number in question.sends:
                channel.forget(number, question)
        return self._verdict(question, failures, (loop.time() - began) * 1000)

    def _verdict(
        self, question: _Question, failures: dict[Server, Failure], elapsed_ms: float
    ) -> Failure:
        if failures:
            first = next(iter(failures.values()))
            return Failure(first.kind, first.detail, elapsed_ms, first.source)
        servers = ", ".join(map(_text, self._servers))
        if not servers:
            return Failure(Kind.RESOLVER_UNREACHABLE, "no name server is configured")
        if question.malformed:
            return Failure(Kind.BAD_ANSWER, f"{servers} sent no readable answer", elapsed_ms)
        detail = f"no answer from {servers} in {self._timeout_s:g} s"
        return Failure(Kind.TIMEOUT, detail, elapsed_ms)

    async def _turn(
        self,
        question: _Question,
        server: Server,
        failures: dict[Server, Failure],
        until: float,
        deadline: float,
    ) -> Answer | None:
        """Send to one server and wait for it; a late answer to an earlier send counts too.

        Whoever says no is noted in ``failures``, and only a no of this server ends the wait.
        """
        loop = asyncio.get_running_loop()
        try:
            self._channel(server).send(question)
        except OSError as error:
            unreachable = f"{_text(server)}: {error.strerror}"
            failures[server] = Failure(Kind.RESOLVER_UNREACHABLE, unreachable)
        while server not in failures:
            reply = await question.next_reply(until)
            if reply is None:
                return None
            if reply.failure is not None:
                outcome: Answer | Failure = reply.failure
            elif reply.message is not None:
                elapsed_ms = reply.elapsed_ms
                outcome = _answer(question, reply.message, reply.server, elapsed_ms, tcp=False)
            elif reply.server in failures:
                continue
            else:
                others = len(self._servers) - len(failures)
                share_s = (deadline - loop.time()) / others
                outcome = await self._ask_tcp(question, reply.server, share_s)
            if isinstance(outcome, Answer):
                return outcome
            failures.setdefault(reply.server, outcome)
        return None

    def _channel(self, server: Server) -> _Channel:
        channel = self._channels.get(server)
        if channel is None:
            channel = self._channels[server] = _Channel(server)
        return channel

    async def _ask_tcp(
        self, question: _Question, server: Server, timeout_s: float
    ) -> Answer | Failure:
        """Ask again over TCP what UDP truncated (RFC 7766 section 5)."""
        import dns.asyncquery  # noqa: PLC0415 - slow to import, seldom needed

        query = dns.message.make_query(question.name, question.rdtype, use_edns=0)
        started = time.perf_counter()
        try:
            message = await dns.asyncquery.tcp(
                query, server[0], timeout=max(timeout_s, 0.0), port=server[1]
            )
        except (OSError, EOFError, ValueError, dns.exception.DNSException) as error:
            elapsed = (time.perf_counter() - started) * 1000
            silent = isinstance(error, dns.exception.Timeout)
            detail = f"truncated over UDP, and {_text(server)} gave no answer over TCP"
            detail += " in time" if silent else f": {error}"
            return Failure(Kind.TIMEOUT if silent else Kind.BAD_ANSWER, detail, elapsed)
        elapsed = (time.perf_counter() - started) * 1000
        return _answer(question, message, server, elapsed, tcp=True)


def _answer(
    question: _Question,
    message: dns.message.Message,
    server: Server,
    elapsed_ms: float,
    *,
    tcp: bool,
) -> Answer | Failure:
    name = question.text
    rcode = message.rcode()
    if rcode not in _ANSWERS:
        kind = _FAILURES.get(rcode, Kind.DNS_ERROR)
        detail = f"{dns.rcode.to_text(rcode)} from {_text(server)}"
        return Failure(kind, detail, elapsed_ms, server[0])
    assert isinstance(message, dns.message.QueryMessage)
    try:
        chaining = message.resolve_chaining()
    except dns.message.ChainTooLong as error:
        detail = f"the CNAME chain of {name} does not end: {error}"
        return Failure(Kind.CNAME_LOOP, detail, elapsed_ms, server[0])
    except dns.exception.DNSException as error:
        detail = f"{_text(server)} contradicts itself: {error}"
        return Failure(Kind.BAD_ANSWER, detail, elapsed_ms, server[0])
    chain = tuple(link[0].target.to_text(omit_final_dot=True) for link in chaining.cnames)
    rrset = chaining.answer
    records = () if rrset is None else tuple(rdata.to_text() for rdata in rrset)
    return Answer(
        name=name,
        rdtype=question.rdtype.name,
        rcode=dns.rcode.to_text(rcode),
        records=records,
        chain=chain,
        ttl=min(chaining.minimum_ttl, 0x7FFFFFFF),
        elapsed_ms=elapsed_ms,
        nameserver=_text(server),
        tcp=tcp,
    )


def system_servers(path: str = "") -> list[Server]:
    """The name servers that this host is configured with, in order (resolv.conf(5))."""
    import dns.resolver  # noqa: PLC0415 - slow to import, needed once

    try:
        configured = dns.resolver.Resolver(path or RESOLV_CONF)
    except dns.resolver.NoResolverConfiguration:
        return []
    return [(str(server), configured.port) for server in configured.nameservers]


def upstream_servers() -> list[Server]:
    """The same, but what systemd-resolved asks where its stub is all that is configured."""
    configured = system_servers()
    if any(server not in _STUBS for server, _ in configured):
        return configured
    return system_servers(RESOLVED_CONF) or configured
