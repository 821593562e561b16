"""TCP connection attempts, each pinned to one address."""

from __future__ import annotations

import errno
import socket
import struct
import time

from ipv6check.model import Attempt, Failure, Kind
from ipv6check.net import errors
from ipv6check.net.wait import ready

# struct tcp_info (linux/tcp.h): tcpi_rtt in microseconds, tcpi_total_retrans.
_TCP_INFO_SIZE = 104
_RTT_OFFSET = 68
_RETRANSMISSIONS_OFFSET = 100

# What connect() says once the SYN is out; loopback refuses before it returns.
_SENT = frozenset({0, errno.EINPROGRESS, errno.ECONNREFUSED})
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


async def connect(address: str, port: int, timeout_s: float) -> Attempt:
    """Make one handshake and close it at once.

    The time is the kernel's own round-trip time, where it gives one: the event loop may be busy.
    Raises OSError only where this host has run out of sockets or memory.
    """
    attempt, sock = await establish(address, port, timeout_s)
    if sock is not None:
        sock.close()
    return attempt


async def establish(
    address: str, port: int, timeout_s: float
) -> tuple[Attempt, socket.socket | None]:
    """The same, with the socket of a connection that was made: its caller closes it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        if error.errno in _EXHAUSTED:
            raise
        return Attempt(address, port, 0.0, None, errors.local_failure(error.errno or 0)), None
    try:
        attempt = await _attempt(sock, address, port, timeout_s)
    except BaseException:
        sock.close()
        raise
    if attempt.connected:
        return attempt, sock
    sock.close()
    return attempt, None


async def _attempt(sock: socket.socket, address: str, port: int, timeout_s: float) -> Attempt:
    errors.want_errors(sock)
    started = time.perf_counter()
    code = sock.connect_ex((address, port))
    if code not in _SENT:
        return Attempt(address, port, 0.0, None, errors.local_failure(code))
    # Asked now: of a socket whose attempt has failed the kernel forgets it.
    source = None if code == errno.ECONNREFUSED else _source(sock)
    answered = True
    if code == errno.EINPROGRESS:
        answered = await ready(sock, "write", timeout_s)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    elapsed_ms = (time.perf_counter() - started) * 1000
    if code:
        failure = errors.connect_failure(sock, code, elapsed_ms)
        return Attempt(address, port, elapsed_ms, source, failure)
    if not answered:
        failure = Failure(Kind.TIMEOUT, f"no answer in {timeout_s:g} s", elapsed_ms)
        return Attempt(address, port, elapsed_ms, source, failure)
    rtt_ms, lost = _kernel_says(sock)
    took_ms = _handshake_ms(elapsed_ms, rtt_ms, lost)
    return Attempt(address, port, took_ms, source, None, rtt_ms, lost)


def _source(sock: socket.socket) -> str | None:
    try:
        return str(sock.getsockname()[0])
    except OSError:
        return None


def _kernel_says(sock: socket.socket) -> tuple[float | None, int]:
    """The round-trip time of the handshake in ms, None where it is not told; retransmissions."""
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
        (rtt_us,) = struct.unpack_from("=I", info, _RTT_OFFSET)
        (retransmissions,) = struct.unpack_from("=I", info, _RETRANSMISSIONS_OFFSET)
    except (AttributeError, OSError, struct.error):
        return None, 0
    return rtt_us / 1000 if rtt_us else None, retransmissions


def _handshake_ms(elapsed_ms: float, rtt_ms: float | None, retransmissions: int) -> float:
    """The kernel's handshake time; ours where a SYN was lost or the kernel does not tell."""
    return elapsed_ms if retransmissions or rtt_ms is None else min(elapsed_ms, rtt_ms)
