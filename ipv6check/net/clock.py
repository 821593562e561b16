"""When a datagram arrived, by the kernel's clock: a busy event loop must not slow the network."""

from __future__ import annotations

import socket
import struct
import time

SO_TIMESTAMPNS = 35
ANCILLARY_SIZE = socket.CMSG_SPACE(16)
_TIMESPEC = struct.Struct("=qq")


def want_timestamps(sock: socket.socket) -> None:
    """Ask the kernel to stamp what arrives (socket(7))."""
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def arrival_ns(ancillary: list[tuple[int, int, bytes]]) -> int:
    """The kernel's time of arrival in nanoseconds since the epoch, else now."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) == _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return time.time_ns()


def elapsed_ms(sent_ns: int, arrived_ns: int) -> float:
    """Milliseconds between the two, never less than none (the wall clock may be set back)."""
    return max(0.0, (arrived_ns - sent_ns) / 1e6)
