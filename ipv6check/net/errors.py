"""Classification of errno values and ICMP errors as Failure kinds, in one place."""

from __future__ import annotations

import errno
import os
import socket
import struct
from dataclasses import dataclass

from ipv6check.model import Failure, Kind

# Linux's numbers (linux/in.h, linux/in6.h); Python's socket module does not name them all.
IP_RECVERR = 11
IPV6_RECVERR = 25
MSG_ERRQUEUE = 0x2000
ORIGIN_ICMP = 2
ORIGIN_ICMP6 = 3
# struct sock_extended_err: errno, origin, type, code, pad, info, data.
_EXTENDED_ERROR = struct.Struct("=IBBBBII")

# RFC 4443 section 3.1: codes 5 and 6 are narrower forms of code 1.
ICMP6_KINDS = {
    (1, 0): Kind.NO_ROUTE,
    (1, 1): Kind.PROHIBITED,
    (1, 2): Kind.NO_ROUTE,
    (1, 3): Kind.ADDRESS_UNREACHABLE,
    (1, 4): Kind.PORT_UNREACHABLE,
    (1, 5): Kind.PROHIBITED,
    (1, 6): Kind.PROHIBITED,
    (2, 0): Kind.PACKET_TOO_BIG,
    (3, 0): Kind.HOP_LIMIT,
    (3, 1): Kind.HOP_LIMIT,
}
# RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1.
ICMP4_KINDS = {
    (3, 0): Kind.NO_ROUTE,
    (3, 1): Kind.ADDRESS_UNREACHABLE,
    (3, 2): Kind.PORT_UNREACHABLE,
    (3, 3): Kind.PORT_UNREACHABLE,
    (3, 4): Kind.PACKET_TOO_BIG,
    (3, 6): Kind.NO_ROUTE,
    (3, 7): Kind.ADDRESS_UNREACHABLE,
    (3, 9): Kind.PROHIBITED,
    (3, 10): Kind.PROHIBITED,
    (3, 11): Kind.NO_ROUTE,
    (3, 12): Kind.ADDRESS_UNREACHABLE,
    (3, 13): Kind.PROHIBITED,
    (11, 0): Kind.HOP_LIMIT,
    (11, 1): Kind.HOP_LIMIT,
}
# What connect() reports where no ICMP message came.
ERRNO_KINDS = {
    errno.ECONNREFUSED: Kind.REFUSED,
    errno.ECONNRESET: Kind.RESET,
    errno.ETIMEDOUT: Kind.TIMEOUT,
    # A neighbour that does not answer: a host of the own link, or the own router.
    errno.EHOSTUNREACH: Kind.ADDRESS_UNREACHABLE,
}
# Nobody else has said so: this host's own kernel has lost the route, the address or the link, or
# its packet filter forbids it.
_OWN_ERRORS = frozenset(
    {
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.ENODEV,
        errno.EADDRNOTAVAIL,
        errno.EACCES,
        errno.EPERM,
    }
)

_KIND_WORDS = {
    Kind.PORT_UNREACHABLE: "port unreachable",
    Kind.NO_ROUTE: "no route",
    Kind.ADDRESS_UNREACHABLE: "address unreachable",
    Kind.PROHIBITED: "administratively prohibited",
    Kind.HOP_LIMIT: "hop limit exceeded",
    Kind.PACKET_TOO_BIG: "packet too big",
}


@dataclass(frozen=True, slots=True)
class IcmpError:
    """An ICMP error as the kernel queued it, with the start of the packet that met it."""

    family: int
    type: int
    code: int
    source: str
    packet: bytes

    def failure(self, elapsed_ms: float) -> Failure:
        """This error as a Failure that names who sent it."""
        v6 = self.family == socket.AF_INET6
        kind = (ICMP6_KINDS if v6 else ICMP4_KINDS).get((self.type, self.code), Kind.OTHER)
        words = _KIND_WORDS.get(kind, f"type {self.type}")
        name = "ICMPv6" if v6 else "ICMP"
        detail = f"{self.source} says {words} ({name} {self.type}/{self.code})"
        return Failure(kind, detail, elapsed_ms, self.source)


def want_errors(sock: socket.socket) -> None:
    """Ask the kernel to queue ICMP errors with their sender, type and code (ip(7), ipv6(7))."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)


def ignore_errors(sock: socket.socket) -> None:
    """Leave ICMP errors to TCP, which goes on until its own timeout (RFC 5461), and forget them."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 0)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 0)
    sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def next_error(sock: socket.socket) -> IcmpError | None:
    """The next queued ICMP error, None when there is none."""
    try:
        packet, ancillary, _flags, _address = sock.recvmsg(512, 512, MSG_ERRQUEUE)
    except OSError:
        return None
    for level, kind, data in ancillary:
        if (level, kind) in {
            (socket.IPPROTO_IPV6, IPV6_RECVERR),
            (socket.IPPROTO_IP, IP_RECVERR),
        }:
            return _icmp_error(data, packet)
    return None


def _icmp_error(data: bytes, packet: bytes) -> IcmpError | None:
    _errno, origin, type_, code, _pad, _info, _data = _EXTENDED_ERROR.unpack_from(data)
    if origin not in (ORIGIN_ICMP, ORIGIN_ICMP6):
        return None
    family, offender = _offender(data[_EXTENDED_ERROR.size :])
    return IcmpError(family, type_, code, offender, packet)


def _offender(sockaddr: bytes) -> tuple[int, str]:
    (family,) = struct.unpack_from("=H", sockaddr)
    if family == socket.AF_INET6:
        return family, socket.inet_ntop(family, sockaddr[8:24])
    return socket.AF_INET, socket.inet_ntop(socket.AF_INET, sockaddr[4:8])


def connect_failure(sock: socket.socket, error: int, elapsed_ms: float) -> Failure:
    """Why a handshake failed: by the ICMP error if one came, else by errno."""
    icmp = next_error(sock)
    if icmp is None and is_own(error):
        return local_failure(error)
    if icmp is None:
        return Failure(ERRNO_KINDS.get(error, Kind.OTHER), os.strerror(error), elapsed_ms)
    failure = icmp.failure(elapsed_ms)
    if failure.kind is not Kind.PORT_UNREACHABLE:
        return failure
    # A TCP refuses with a reset; port unreachable is a packet filter's way of refusing.
    return Failure(Kind.REFUSED, failure.detail, elapsed_ms, failure.source)


def is_own(error: int | None) -> bool:
    """Whether an errno without an ICMP message is this host's own kernel's."""
    return error in _OWN_ERRORS


def local_failure(error: int | None) -> Failure:
    """Why this host's own kernel would not send at all (no route, no source, no family)."""
    return Failure(Kind.NO_LOCAL_ROUTE, os.strerror(error or 0))
