"""TLS handshakes (RFC 8446), each on a TCP connection of its own to one address.

Whether the certificate is good is another question: a wrong one completes a handshake, too.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial

from ipv6check.model import Attempt, Failure, Handshake, Kind
from ipv6check.model.network import endpoint
from ipv6check.net import clock, log, tcp
from ipv6check.net.wait import ready

# A long chain of certificates has some 10 KB.
MAX_BYTES = 1 << 18
_CHUNK = 1 << 14
# What OpenSSL says of a server that was never meant to speak TLS.
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
_ALERT = re.compile("(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?(.+)")
# What OpenSSL says, with an alert of its own, of a server whose versions are all too old.
_OLD = frozenset({"UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE"})
# RFC 5246 section 6.2.1 and 7.4: the content type of handshakes, and a message among them.
_HANDSHAKE, _CERTIFICATE_REQUEST = 22, 13
_ALERTS, _TLS12 = 21, "TLSv1.2"


@dataclass(frozen=True, slots=True)
class TlsPeer:
    """Whom a handshake is made with: ``server_name`` (SNI) and ``alpn`` are offered to it."""

    address: str
    port: int
    server_name: str = ""
    alpn: tuple[str, ...] = ()


async def handshake(
    peer: TlsPeer,
    timeout_s: float,
    connected: Callable[[Attempt], None],
    *,
    once: bool = False,
) -> Handshake:
    """Connect, shake hands, and close; TCP and TLS have ``timeout_s`` each.

    The time of TLS is that of the waits for the server, by the kernel's stamps: neither what our
    own side computes nor how long the event loop was busy with others is the network's. Raises
    OSError only where this host has run out of sockets or memory.
    """
    attempt, sock = await tcp.establish(peer.address, peer.port, timeout_s, once=once)
    if sock is None:
        return Handshake(attempt)
    connected(attempt)
    first = _shake(attempt, sock, _Session(peer), timeout_s)
    made = await (first if once else _beside(first, timeout_s / 2, partial(_second, peer)))
    if log.enabled():
        hello = f"ClientHello for {peer.server_name or 'no name'}"
        came = made.failure or f"Finished, {made.version} {made.alpn}".strip()
        log.exchange(hello, endpoint(peer.address, peer.port), came, made.elapsed_ms)
    return made


async def _beside(
    first: Coroutine[None, None, Handshake],
    share_s: float,
    again: Callable[[float], Coroutine[None, None, Handshake | None]],
) -> Handshake:
    """Outcome of the first; where it is silent for its share, of another beside it.

    One lost packet after the other is no verdict either.
    """
    loop = asyncio.get_running_loop()
    begun = loop.create_task(first)
    tries: list[asyncio.Task[Handshake | None]] = [begun]
    try:
        done, _ = await asyncio.wait((begun,), timeout=share_s)
        if done:
            return begun.result()
        tries.append(loop.create_task(again(share_s)))
        for attempt in asyncio.as_completed(tries):
            made = await attempt
            if made is not None and not made.silent:
                return made
        return begun.result()
    finally:
        unfinished = [attempt for attempt in tries if attempt.cancel()]
        if unfinished:
            await asyncio.gather(*unfinished, return_exceptions=True)


async def _second(peer: TlsPeer, timeout_s: float) -> Handshake | None:
    """A handshake on a connection of its own; None where there is none, which tells nothing new."""
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout_s
    try:
        attempt, sock = await tcp.establish(peer.address, peer.port, timeout_s, once=True)
    except OSError:
        return None
    if sock is None:
        return None
    return await _shake(attempt, sock, _Session(peer), until - loop.time())


async def _shake(
    attempt: Attempt, sock: socket.socket, session: _Session, timeout_s: float
) -> Handshake:
    """Shake hands on a connection, and close it."""
    with sock:
        started = time.perf_counter()
        failure = await _failure(sock, session, timeout_s)
        elapsed_ms = (time.perf_counter() - started) * 1000
        if failure is None or failure.kind is not Kind.TIMEOUT:
            elapsed_ms = min(elapsed_ms, session.waited_ms)
        if failure is not None and failure.kind is not Kind.TIMEOUT and session.asks_certificate:
            return Handshake(
                attempt, elapsed_ms, None, _TLS12, alert=session.alert, asks_certificate=True
            )
        if failure is not None:
            failed = replace(failure, elapsed_ms=elapsed_ms)
            return Handshake(attempt, elapsed_ms, failed, alert=session.alert)
        with suppress(OSError):
            sock.send(session.farewell())
        return Handshake(attempt, elapsed_ms, None, session.version, session.alpn)


class _Session:
    """A client's side of TLS without a socket: bytes in, bytes out."""

    def __init__(self, peer: TlsPeer) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        # OpenSSL sends no server name for an address (RFC 6066 section 3).
        self._tls = _context(peer.alpn).wrap_bio(
            self._incoming, self._outgoing, server_hostname=peer.server_name or None
        )
        self._heard = bytearray()
        self.alert = ""
        self.waited_ms = 0.0

    @property
    def received(self) -> int:
        """How many bytes have come."""
        return len(self._heard)

    @property
    def asks_certificate(self) -> bool:
        """Whether the server has asked for a client certificate, as far as it said so openly.

        Up to TLS 1.2 it does, and then ends the handshake. TLS 1.3 is completed all the same.
        """
        return _CERTIFICATE_REQUEST in _messages(bytes(self._heard))

    @property
    def version(self) -> str:
        return self._tls.version() or ""

    @property
    def alpn(self) -> str:
        return self._tls.selected_alpn_protocol() or ""

    def step(self, data: bytes) -> tuple[bytes, bool]:
        """What to send now that this has come, and whether all is done. Raises ssl.SSLError."""
        self._incoming.write(data)
        self._heard += data
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return self._outgoing.read(), False
        except ssl.SSLError as error:
            self.alert = _alert(_reason(error))
            raise
        return self._outgoing.read(), True

    def farewell(self) -> bytes:
        """The close_notify that ends a session (RFC 8446 section 6.1)."""
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        return self._outgoing.read()


@cache
def _context(alpn: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


async def _failure(sock: socket.socket, session: _Session, timeout_s: float) -> Failure | None:
    """Why the handshake was not completed, None where it was."""
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout_s
    data, done = b"", False
    clock.want_timestamps(sock)
    since_ns = clock.now_ns()
    while session.received <= MAX_BYTES:
        try:
            reply, done = session.step(data)
        except ssl.SSLError as error:
            return Failure(Kind.TLS_ERROR, _words(_reason(error)))
        # The buffer of a new connection holds it. Where the connection has ended, there may be
        # something left to read; if not, that tells.
        if reply:
            since_ns = clock.now_ns()
        with suppress(OSError):
            sock.sendall(reply)
        if done:
            return None
        if not await ready(sock, "read", until - loop.time()):
            return tcp.own_failure(sock) or Failure(Kind.TIMEOUT, f"no TLS in {timeout_s:g} s")
        data, arrived_ns = _read(sock)
        session.waited_ms += clock.elapsed_ms(since_ns, arrived_ns)
        since_ns = arrived_ns
        if not data:
            return _ended(session)
    return Failure(Kind.TLS_ERROR, f"the handshake is not complete after {MAX_BYTES} bytes")


def _read(sock: socket.socket) -> tuple[bytes, int]:
    """Octets received, none where the connection has ended, and their arrival (ns)."""
    try:
        data, ancillary, _flags, _sender = sock.recvmsg(_CHUNK, clock.ANCILLARY_SIZE)
    except OSError:
        return b"", clock.now_ns()
    return data, clock.arrival_ns(ancillary)


def _ended(session: _Session) -> Failure:
    """A reset and a regular end are the same: which of them comes is up to who was quicker."""
    if session.received:
        return Failure(Kind.TLS_ERROR, "the connection closed during the handshake")
    return Failure(Kind.RESET, "the connection closed without an answer")


def _messages(data: bytes) -> set[int]:
    """The types of the handshake messages in these records, as far as they are not encrypted."""
    stream, place = bytearray(), 0
    while place + 5 <= len(data) and data[place] in {_HANDSHAKE, _ALERTS}:
        end = place + 5 + int.from_bytes(data[place + 3 : place + 5], "big")
        if data[place] == _HANDSHAKE:
            stream += data[place + 5 : end]
        place = end
    types, place = set(), 0
    while place + 4 <= len(stream):
        types.add(stream[place])
        place += 4 + int.from_bytes(stream[place + 1 : place + 4], "big")
    return types


def _reason(error: ssl.SSLError) -> str:
    """OpenSSL's reason; Python knows not all of them by name, and has the words alone."""
    words = re.search(r"\[SSL\] (.+) \(", str(error))
    return error.reason or (words[1].replace(" ", "_").upper() if words else "")


def _alert(reason: str) -> str:
    """The alert of OpenSSL's reason, such as ``SSLV3_ALERT_HANDSHAKE_FAILURE``."""
    if reason in _OLD:
        return "protocol_version"
    alert = _ALERT.fullmatch(reason)
    return alert[1].lower() if alert else ""


def _words(reason: str) -> str:
    """Message for OpenSSL's reason."""
    if reason in _NO_TLS:
        return "the server does not speak TLS"
    if reason in _OLD:
        return "the server has no TLS 1.2 or later"
    words = (_alert(reason) or reason.lower()).replace("_", " ")
    if _ALERT.fullmatch(reason):
        return f"the server sent a TLS alert: {words}"
    return words or "no reason given"
