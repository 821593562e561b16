"""TCP connections, each pinned to one address.

One lost packet is no verdict. Unless it is asked for ``once``, what stays without an answer is
tried again beside the first try, what an ICMP error ends is tried again a moment later, and what a
lost SYN has delayed is tried again at once. A second ICMP error is believed.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import time
from dataclasses import dataclass
from typing import ClassVar

from ipv6check.model import Attempt, Failure, Kind, is_ipv6
from ipv6check.model.network import endpoint
from ipv6check.net import errors, log
from ipv6check.net.wait import first_ready

TRIES = 4
# A route that is about to come back, a forged error: the next try is so much later.
AGAIN_S = 0.2
# Sockets that tries have beside the first of each, in all: a process has 1024 by default.
SPARE = 256

# struct tcp_info (linux/tcp.h): tcpi_state, tcpi_rtt in microseconds, tcpi_total_retrans.
_TCP_INFO_SIZE = 104
_RTT_OFFSET = 68
_RETRANSMISSIONS_OFFSET = 100
# TCP_ESTABLISHED and TCP_CLOSE_WAIT (linux/tcp_states.h).
_OPEN = frozenset({1, 8})

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# A SYN that meets a reset is ECONNREFUSED. Any other reset ends a connection that was complete,
# whether we look before it comes or after.
_CONNECTED = frozenset({0, errno.ECONNRESET, errno.EPIPE})
# The word of the address itself, or of this host's own kernel.
_FINAL = frozenset({Kind.REFUSED, Kind.NO_LOCAL_ROUTE})


async def connect(address: str, port: int, timeout_s: float, *, once: bool = False) -> Attempt:
    """Make one handshake and close it at once.

    The time is the kernel's own round-trip time, where it gives one: the event loop may be busy.
    Raises OSError only where this host has run out of sockets or memory.
    """
    attempt, sock = await establish(address, port, timeout_s, once=once)
    if sock is not None:
        sock.close()
    return attempt


async def establish(
    address: str, port: int, timeout_s: float, *, once: bool = False
) -> tuple[Attempt, socket.socket | None]:
    """Make one handshake; the socket of a connection that was made is its caller's to close.

    An ICMP error does not end it any more (RFC 5461).
    """
    tries = _Tries(address, port, timeout_s, 1 if once else TRIES)
    try:
        attempt = await tries.run()
        if log.enabled():
            to, came = endpoint(address, port), attempt.failure or "SYN, ACK"
            log.exchange("SYN", to, came, attempt.elapsed_ms)
        return attempt, tries.take()
    finally:
        tries.close()


@dataclass(frozen=True, slots=True)
class _Try:
    """One SYN under way."""

    sock: socket.socket
    started: float
    source: str | None

    @property
    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self.started) * 1000


class _Tries:
    """The tries of one connection, and the best that has come of them."""

    spare: ClassVar[int] = SPARE

    def __init__(self, address: str, port: int, timeout_s: float, number: int) -> None:
        self._address, self._port = address, port
        self._timeout_s, self._share_s = timeout_s, timeout_s / number
        self._left = number
        self._loop = asyncio.get_running_loop()
        self._began = self._due = self._loop.time()
        self._until = self._began + timeout_s
        self._running: dict[socket.socket, _Try] = {}
        self._source: str | None = None
        self._best: Attempt | None = None
        self._connection: socket.socket | None = None
        self._errors = 0
        self._borrowed = 0

    async def run(self) -> Attempt:
        """What the connection comes to."""
        while (self._left or self._running) and self._loop.time() < self._until:
            if self._left and self._loop.time() >= self._due:
                self._begin()
                continue
            until = min(self._until, self._due) if self._left else self._until
            left_s = until - self._loop.time()
            sock = await first_ready(tuple(self._running), "write", left_s)
            if sock is not None:
                self._end(self._running.pop(sock))
        return self._best or self._silence()

    def take(self) -> socket.socket | None:
        """The socket of the connection, the caller's from now on; None where there is none."""
        sock, self._connection = self._connection, None
        return sock

    def close(self) -> None:
        """Leave no socket behind but the one that was taken."""
        _Tries.spare += self._borrowed
        for sock in (*self._running, self._connection):
            if sock is not None:
                sock.close()

    def _begin(self) -> None:
        """Send a SYN, and say when the next is due."""
        self._left -= 1
        self._due = self._loop.time() + self._share_s
        sock = self._socket()
        if sock is None:
            return
        errors.want_errors(sock)
        started = time.perf_counter()
        code = sock.connect_ex((self._address, self._port))
        # Asked now: of a socket whose attempt has failed the kernel forgets it.
        self._source = _source(sock) or self._source
        begun = _Try(sock, started, None if code == errno.ECONNREFUSED else self._source)
        if code == errno.EINPROGRESS:
            self._running[sock] = begun
        elif code in {0, errno.ECONNREFUSED}:  # loopback answers before connect() returns
            self._judge(begun, code)
        else:
            self._fail(errors.local_failure(code), 0.0, None)
            sock.close()

    def _socket(self) -> socket.socket | None:
        """A new socket; None where there is none to spare, and others are under way."""
        if self._running:
            if not _Tries.spare:
                return None
            _Tries.spare -= 1
            self._borrowed += 1
        family = socket.AF_INET6 if is_ipv6(self._address) else socket.AF_INET
        try:
            return socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                self._fail(errors.local_failure(error.errno or 0), 0.0, None)
            elif not self._running and self._best is None:
                raise
            self._left = 0
            return None

    def _end(self, ended: _Try) -> None:
        self._judge(ended, ended.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _judge(self, ended: _Try, code: int) -> None:
        """Take what has come of one try."""
        state, rtt_ms, lost = _tcp_info(ended.sock)
        if code in _CONNECTED or state in _OPEN:
            errors.ignore_errors(ended.sock)
            took_ms = _handshake_ms(ended.elapsed_ms, rtt_ms, lost)
            self._succeed(
                Attempt(self._address, self._port, took_ms, ended.source, None, rtt_ms, lost),
                ended.sock,
            )
        else:
            elapsed_ms = ended.elapsed_ms
            failure = errors.connect_failure(ended.sock, code, elapsed_ms)
            self._fail(failure, elapsed_ms, ended.source)
            ended.sock.close()

    def _succeed(self, attempt: Attempt, sock: socket.socket) -> None:
        """Take a connection; one whose SYN was lost says little of the path, so try again."""
        if self._connection is not None:
            self._connection.close()
        self._best, self._connection = attempt, sock
        if _delayed(attempt):
            self._hurry(0.0)
        else:
            self._stop()

    def _fail(self, failure: Failure, elapsed_ms: float, source: str | None) -> None:
        """Take a failure; the first ICMP error may be a moment's."""
        if self._connection is None:
            self._best = Attempt(self._address, self._port, elapsed_ms, source, failure)
        self._errors += 1
        if failure.kind in _FINAL or self._errors > 1:
            self._stop()
        else:
            self._hurry(AGAIN_S)

    def _hurry(self, after_s: float) -> None:
        """Something is known: one more try, which has no more time than its share."""
        self._due = self._loop.time() + after_s
        self._until = min(self._until, self._due + self._share_s)

    def _stop(self) -> None:
        self._left, self._until = 0, self._loop.time()

    def _silence(self) -> Attempt:
        elapsed_ms = (self._loop.time() - self._began) * 1000
        failure = Failure(Kind.TIMEOUT, f"no answer in {self._timeout_s:g} s", elapsed_ms)
        return Attempt(self._address, self._port, elapsed_ms, self._source, failure)


def own_failure(sock: socket.socket) -> Failure | None:
    """Why this host can send nothing more on a connection, by its routes and addresses of now."""
    try:
        source, _port, *scope = sock.getsockname()
        with socket.socket(sock.family, socket.SOCK_DGRAM) as asked:
            asked.bind((source, 0, *scope))
            asked.connect(sock.getpeername())
    except OSError as error:
        return errors.local_failure(error.errno) if errors.is_own(error.errno) else None
    return None


def _delayed(attempt: Attempt) -> bool:
    """Whether the SYN had to be sent again, and not only because the path is so long."""
    if not attempt.retransmissions:
        return False
    return attempt.rtt_ms is None or attempt.rtt_ms < attempt.elapsed_ms / 2


def _source(sock: socket.socket) -> str | None:
    try:
        return str(sock.getsockname()[0])
    except OSError:
        return None


def _tcp_info(sock: socket.socket) -> tuple[int, float | None, int]:
    """TCP state, round-trip time of the handshake in ms (None if unknown), retransmissions."""
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
        (rtt_us,) = struct.unpack_from("=I", info, _RTT_OFFSET)
        (retransmissions,) = struct.unpack_from("=I", info, _RETRANSMISSIONS_OFFSET)
    except (AttributeError, OSError, struct.error):
        return 0, None, 0
    return info[0], rtt_us / 1000 if rtt_us else None, retransmissions


def _handshake_ms(elapsed_ms: float, rtt_ms: float | None, retransmissions: int) -> float:
    """The kernel's handshake time; ours where a SYN was lost or the kernel does not tell."""
    return elapsed_ms if retransmissions or rtt_ms is None else min(elapsed_ms, rtt_ms)
