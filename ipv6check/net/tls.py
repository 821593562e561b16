"""TLS handshakes (RFC 8446), each on a TCP connection of its own to one address.

Whether the certificate is good is another question: a wrong one completes a handshake, too.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache

from ipv6check.model import Attempt, Failure, Handshake, Kind
from ipv6check.net import errors, tcp
from ipv6check.net.wait import ready

# A long chain of certificates has some 10 KB.
MAX_BYTES = 1 << 18
_CHUNK = 1 << 14
# What OpenSSL says of a server that was never meant to speak TLS.
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
_ALERT = re.compile("(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?(.+)")


async def handshake(
    address: str,
    port: int,
    server_name: str,
    alpn: tuple[str, ...],
    timeout_s: float,
    connected: Callable[[Attempt], None],
    *,
    once: bool = False,
) -> Handshake:
    """Connect, shake hands, and close; TCP and TLS have ``timeout_s`` each.

    Raises OSError only where this host has run out of sockets or memory.
    """
    attempt, sock = await tcp.establish(address, port, timeout_s, once=once)
    if sock is None:
        return Handshake(attempt)
    with sock:
        connected(attempt)
        session = _Session(server_name, alpn)
        started = time.perf_counter()
        failure = await _failure(sock, session, timeout_s)
        elapsed_ms = (time.perf_counter() - started) * 1000
        if failure is not None:
            return Handshake(attempt, elapsed_ms, replace(failure, elapsed_ms=elapsed_ms))
        with suppress(OSError):
            sock.send(session.farewell())
        return Handshake(attempt, elapsed_ms, None, session.version, session.alpn)


class _Session:
    """A client's side of TLS without a socket: bytes in, bytes out."""

    def __init__(self, server_name: str, alpn: tuple[str, ...]) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        # OpenSSL sends no server name for an address (RFC 6066 section 3).
        self._tls = _context(alpn).wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_name or None
        )
        self.received = 0

    @property
    def version(self) -> str:
        return self._tls.version() or ""

    @property
    def alpn(self) -> str:
        return self._tls.selected_alpn_protocol() or ""

    def step(self, data: bytes) -> tuple[bytes, bool]:
        """What to send now that this has come, and whether all is done. Raises ssl.SSLError."""
        self._incoming.write(data)
        self.received += len(data)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return self._outgoing.read(), False
        return self._outgoing.read(), True

    def farewell(self) -> bytes:
        """The close_notify that whoever ends a session owes (RFC 8446 section 6.1)."""
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
    try:
        while session.received <= MAX_BYTES:
            reply, done = session.step(data)
            if reply:
                sock.sendall(reply)  # the buffer of a new connection holds it
            if done:
                return None
            if not await ready(sock, "read", until - loop.time()):
                return Failure(Kind.TIMEOUT, f"no TLS in {timeout_s:g} s")
            data = sock.recv(_CHUNK)
            if not data:
                return Failure(Kind.TLS_ERROR, f"the connection is closed {_when(session)}")
    except ssl.SSLError as error:
        return Failure(Kind.TLS_ERROR, _words(error.reason or ""))
    except OSError as error:
        return errors.connect_failure(sock, error.errno or 0, 0.0)
    return Failure(Kind.TLS_ERROR, f"more than {MAX_BYTES} bytes without an end")


def _when(session: _Session) -> str:
    return "in the middle of the handshake" if session.received else "without an answer"


def _words(reason: str) -> str:
    """OpenSSL's reason, such as ``SSLV3_ALERT_HANDSHAKE_FAILURE``, for a reader."""
    if reason in _NO_TLS:
        return "what answers does not speak TLS"
    alert = _ALERT.fullmatch(reason)
    words = (alert[1] if alert else reason).replace("_", " ").lower()
    return f"the server says {words} (TLS alert)" if alert else words or "not told why"
