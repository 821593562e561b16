"""Round-trip times by the kernel's stamps: neither a busy loop nor a clock that is set counts.

The kernel stamps what arrives by the wall clock, which somebody may set meanwhile. So a stamp only
tells how long a datagram has waited to be read; all else is the monotonic clock's.
"""

from __future__ import annotations

import socket
import struct
import time

SO_TIMESTAMPNS = 35
ANCILLARY_SIZE = socket.CMSG_SPACE(16)
_TIMESPEC = struct.Struct("=qq")

Ancillary = list[tuple[int, int, bytes]]


def want_timestamps(sock: socket.socket) -> None:
    """Ask the kernel to stamp what arrives (socket(7))."""
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def now_s() -> float:
    """Seconds of the monotonic clock, that of the loop's timers."""
    return time.monotonic()


def now_ns() -> int:
    """Nanoseconds of the monotonic clock, for when something is sent."""
    return time.monotonic_ns()


def arrival_ns(ancillary: Ancillary) -> int:
    """Arrival of what was just read, in nanoseconds of the monotonic clock."""
    waited = time.time_ns() - _stamp_ns(ancillary)
    return now_ns() - max(0, waited)


def elapsed_ms(sent_ns: int, arrived_ns: int) -> float:
    """Milliseconds from sending to arrival, never negative.

    No answer comes before its question: a stamp that says so shows that the wall clock was set
    between arrival and reading, and then it is taken to have come just now.
    """
    arrived = arrived_ns if arrived_ns >= sent_ns else now_ns()
    return max(0.0, (arrived - sent_ns) / 1e6)


def _stamp_ns(ancillary: Ancillary) -> int:
    """The kernel's stamp in nanoseconds since the epoch; now where there is none."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) == _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return time.time_ns()
