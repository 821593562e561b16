"""From what the kernel or a router said to a Failure kind."""

from __future__ import annotations

import errno
import os
import socket
import struct

import pytest

from ipv6check.model import Failure, Kind
from ipv6check.net import errors
from ipv6check.net.errors import IcmpError, connect_failure, local_failure, next_error, want_errors

ROUTER = {socket.AF_INET6: "2001:db8::1", socket.AF_INET: "192.0.2.1"}


def icmp(family: int, type_: int, code: int) -> Failure:
    """What an ICMP error becomes."""
    return IcmpError(family, type_, code, ROUTER[socket.AddressFamily(family)], b"").failure(1.5)


@pytest.mark.parametrize(
    ("type_", "code", "kind", "words"),
    [
        (1, 0, Kind.NO_ROUTE, "no route"),
        (1, 1, Kind.PROHIBITED, "administratively prohibited"),
        (1, 2, Kind.NO_ROUTE, "no route"),
        (1, 3, Kind.ADDRESS_UNREACHABLE, "address unreachable"),
        (1, 4, Kind.PORT_UNREACHABLE, "port unreachable"),
        (1, 5, Kind.PROHIBITED, "administratively prohibited"),
        (1, 6, Kind.PROHIBITED, "administratively prohibited"),
        (1, 7, Kind.OTHER, "type 1"),
        (2, 0, Kind.PACKET_TOO_BIG, "packet too big"),
        (3, 0, Kind.HOP_LIMIT, "hop limit exceeded"),
        (3, 1, Kind.HOP_LIMIT, "hop limit exceeded"),
        (4, 1, Kind.OTHER, "type 4"),
        (255, 255, Kind.OTHER, "type 255"),
    ],
)
def test_icmpv6(type_: int, code: int, kind: Kind, words: str) -> None:
    """RFC 4443: each type and code has its kind, and the detail says who said what."""
    detail = f"2001:db8::1 says {words} (ICMPv6 {type_}/{code})"
    assert Failure(kind, detail, 1.5, "2001:db8::1") == icmp(socket.AF_INET6, type_, code)


@pytest.mark.parametrize(
    ("type_", "code", "kind"),
    [
        (3, 0, Kind.NO_ROUTE),
        (3, 1, Kind.ADDRESS_UNREACHABLE),
        (3, 2, Kind.PORT_UNREACHABLE),
        (3, 3, Kind.PORT_UNREACHABLE),
        (3, 4, Kind.PACKET_TOO_BIG),
        (3, 6, Kind.NO_ROUTE),
        (3, 7, Kind.ADDRESS_UNREACHABLE),
        (3, 9, Kind.PROHIBITED),
        (3, 10, Kind.PROHIBITED),
        (3, 11, Kind.NO_ROUTE),
        (3, 12, Kind.ADDRESS_UNREACHABLE),
        (3, 13, Kind.PROHIBITED),
        (3, 15, Kind.OTHER),
        (11, 0, Kind.HOP_LIMIT),
        (12, 0, Kind.OTHER),
    ],
)
def test_icmpv4(type_: int, code: int, kind: Kind) -> None:
    """RFC 792 and its successors: each type and code has its kind."""
    failure = icmp(socket.AF_INET, type_, code)
    assert (kind, "192.0.2.1") == (failure.kind, failure.source)
    assert failure.detail.endswith(f"(ICMP {type_}/{code})")


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ECONNREFUSED, Kind.REFUSED),
        (errno.ECONNRESET, Kind.RESET),
        (errno.ETIMEDOUT, Kind.TIMEOUT),
        (errno.EHOSTUNREACH, Kind.ADDRESS_UNREACHABLE),
        (errno.EPROTO, Kind.OTHER),
        (errno.ENOPROTOOPT, Kind.OTHER),
        (12345, Kind.OTHER),
    ],
)
def test_errno(number: int, kind: Kind) -> None:
    """Where no ICMP error was queued the errno tells, and nobody is named."""
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
        failure = connect_failure(sock, number, 2.0)
    assert Failure(kind, os.strerror(number), 2.0) == failure


@pytest.mark.parametrize(
    "number", [errno.ENETUNREACH, errno.ENODEV, errno.ENETDOWN, errno.EADDRNOTAVAIL]
)
def test_own_kernel(number: int) -> None:
    """An error without an ICMP message is this host's own, in mid-connection too (law 1)."""
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
        failure = connect_failure(sock, number, 2.0)
    assert failure == local_failure(number)


def test_local() -> None:
    """What this host's kernel refuses to send is never the target's fault."""
    assert Failure(Kind.NO_LOCAL_ROUTE, "Network is unreachable") == local_failure(
        errno.ENETUNREACH
    )


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")]
)
def test_the_error_queue(family: socket.AddressFamily, host: str) -> None:
    """The kernel's own queue: who said it, type and code, and the packet that met it; once."""
    with socket.socket(family, socket.SOCK_DGRAM) as closed:
        closed.bind((host, 0))
        port = closed.getsockname()[1]
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        want_errors(sock)
        assert next_error(sock) is None
        sock.sendto(b"who is there?", (host, port))
        error = next_error(sock)
        assert error is not None
        expected = (1, 4) if family == socket.AF_INET6 else (3, 3)
        assert (family, *expected, host) == (error.family, error.type, error.code, error.source)
        assert error.packet == b"who is there?"
        assert error.failure(0.0).kind is Kind.PORT_UNREACHABLE
        assert connect_failure(sock, errno.ECONNREFUSED, 0.0).source is None
        assert next_error(sock) is None


def test_a_packet_filters_refusal() -> None:
    """Port unreachable in answer to a SYN is a refusal, and whoever said so is named."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as closed:
        closed.bind(("::1", 0))
        port = closed.getsockname()[1]
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        want_errors(sock)
        sock.sendto(b"", ("::1", port))
        failure = connect_failure(sock, errno.ECONNREFUSED, 0.0)
    assert (failure.kind, failure.source) == (Kind.REFUSED, "::1")


def test_what_is_no_icmp_error() -> None:
    """An error of the kernel's own (a local one, a timestamp) is nobody's answer."""
    local = struct.pack("=IBBBBII", errno.EMSGSIZE, 1, 0, 0, 0, 0, 0) + bytes(28)
    assert errors._icmp_error(local, b"") is None
