"""The three things the oracle needs of nfnetlink: make a flow, forget all flows, read the log."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from ipaddress import ip_address

from tests.firewall.oracle_frames import ICMP, ICMPV6, TCP, Flow

_NETFILTER = 12
_REQUEST, _ACK, _CREATE = 1, 4, 0x400
_CONNTRACK, _LOG = 1 << 8, 4 << 8
_CT_NEW, _CT_DELETE = _CONNTRACK | 0, _CONNTRACK | 2
_LOG_PACKET, _LOG_CONFIG = _LOG | 0, _LOG | 1
_NESTED = 0x8000
_SEEN_REPLY_ASSURED_CONFIRMED = 2 | 4 | 8
_ESTABLISHED = 3
# Windows are not looked at: those of a flow that never was are not known.
_LIBERAL = b"\x08\x08"


class Netlink:
    """A netlink socket to netfilter, in the network namespace that it was made in."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind((0, 0))

    def listen(self, group: int) -> None:
        """Take what rules log to a group from now on, each packet at once."""
        self._ask(_LOG_CONFIG, _attribute(1, b"\1"), group)
        wanted = _attribute(2, struct.pack("!IBx", 256, 2)) + _attribute(5, struct.pack("!I", 1))
        self._ask(_LOG_CONFIG, wanted, group)

    def logged(self) -> Iterator[tuple[str, bytes]]:
        """What has been logged since: prefix, and the packet from its IP header on."""
        while True:
            try:
                data = self._socket.recv(1 << 16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            for kind, body in _messages(data):
                if kind == _LOG_PACKET:
                    found = dict(_attributes(body[4:]))
                    yield found[10].rstrip(b"\0").decode(), found.get(9, b"")

    def forget(self) -> None:
        """No flow is known any more."""
        self._ask(_CT_DELETE, b"")

    def begin(self, flow: Flow) -> None:
        """A flow is known, and both its ends have been heard."""
        body = _tuple(1, flow) + _tuple(2, flow.reply())
        body += _attribute(3, struct.pack("!I", _SEEN_REPLY_ASSURED_CONFIRMED))
        body += _attribute(7, struct.pack("!I", 600))
        if flow.protocol == TCP:
            state = _attribute(1, bytes((_ESTABLISHED,)))
            state += _attribute(4, _LIBERAL) + _attribute(5, _LIBERAL)
            body += _attribute(4 | _NESTED, _attribute(1 | _NESTED, state))
        family = socket.AF_INET6 if ":" in flow.saddr else socket.AF_INET
        self._ask(_CT_NEW, body, family=family, flags=_CREATE)

    def _ask(
        self, kind: int, body: bytes, group: int = 0, *, family: int = 0, flags: int = 0
    ) -> None:
        body = struct.pack("!BBH", family, 0, group) + body
        flags |= _REQUEST | _ACK
        self._socket.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body)
        while True:
            for answer, payload in _messages(self._socket.recv(1 << 16)):
                if answer == 2:
                    (error,) = struct.unpack_from("=i", payload)
                    if error:
                        raise OSError(-error, f"netfilter: {os.strerror(-error)}")
                    return


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        yield kind & 0x3FFF, data[at + 4 : at + length]
        at += max(4, length + 3 & ~3)


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        yield kind, data[at + 16 : at + length]
        at += max(16, length + 3 & ~3)


def _tuple(kind: int, flow: Flow) -> bytes:
    first = 1 if "." in flow.saddr else 3
    ends = _attribute(first, ip_address(flow.saddr).packed)
    ends += _attribute(first + 1, ip_address(flow.daddr).packed)
    layer = _attribute(1, bytes((flow.protocol,)))
    if flow.protocol in {ICMP, ICMPV6}:
        first = 4 if flow.protocol == ICMP else 7
        number, message, code = flow.ids
        layer += _attribute(first, struct.pack("!H", number))
        layer += _attribute(first + 1, bytes((message,))) + _attribute(first + 2, bytes((code,)))
    else:
        for at, port in enumerate(flow.ids):
            layer += _attribute(2 + at, struct.pack("!H", port))
    return _attribute(
        kind | _NESTED, _attribute(1 | _NESTED, ends) + _attribute(2 | _NESTED, layer)
    )
