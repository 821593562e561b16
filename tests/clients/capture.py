"""What leaves and enters a namespace, by the kernel's clock: `python -m tests.clients.capture`.

One JSON line a packet: [ms, "query", name], [ms, "answer", name, type, addresses],
[ms, "syn" | "syn-ack", address, our port], or [ms, "request", address, our port, host] for the
start of an HTTP request, whose host may be empty.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import sys

import dns.exception
import dns.message
import dns.rdatatype

_ETH_P_ALL = 0x0003
_SO_TIMESTAMPNS = 35
_OUTGOING = 4
_IPV4, _IPV6 = 0x0800, 0x86DD
_TCP, _UDP = 6, 17
_SYN, _ACK = 0x02, 0x10


def main(interface: str) -> None:
    """Report until killed; the first line says that it listens."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL)) as packets:
        packets.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        packets.bind((interface, _ETH_P_ALL))
        print("[]", flush=True)
        while True:
            data, ancillary, _, (_, protocol, kind, *_) = packets.recvmsg(65536, 64)
            seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2])
            event = _event(data, protocol, outgoing=kind == _OUTGOING)
            if event:
                at_ms = seconds * 1000 + nanoseconds / 1e6
                print(json.dumps([at_ms, *event]), flush=True)


def _event(packet: bytes, protocol: int, *, outgoing: bool) -> list[object] | None:
    if protocol == _IPV4:
        start, transport = (packet[0] & 0xF) * 4, packet[9]
        source, destination = (
            socket.inet_ntop(socket.AF_INET, packet[a : a + 4]) for a in (12, 16)
        )
        end = int.from_bytes(packet[2:4], "big")
    elif protocol == _IPV6:
        start, transport = 40, packet[6]
        source, destination = (
            socket.inet_ntop(socket.AF_INET6, packet[a : a + 16]) for a in (8, 24)
        )
        end = 40 + int.from_bytes(packet[4:6], "big")
    else:
        return None
    payload = packet[start:end]
    if transport == _UDP and outgoing and payload[2:4] == b"\x00\x35":
        return _query(payload[8:])
    if transport == _UDP and not outgoing and payload[0:2] == b"\x00\x35":
        return _answer(payload[8:])
    if transport != _TCP:
        return None
    ours, peer = (payload[0:2], destination) if outgoing else (payload[2:4], source)
    what = _segment(payload, outgoing=outgoing)
    return [*what[:1], peer, int.from_bytes(ours, "big"), *what[1:]] if what else None


def _query(message: bytes) -> list[object] | None:
    try:
        return ["query", dns.message.from_wire(message).question[0].name.to_text()]
    except (dns.exception.DNSException, IndexError):
        return None


def _answer(message: bytes) -> list[object] | None:
    """The addresses of a name, in the order in which they came."""
    try:
        said = dns.message.from_wire(message)
        name, rdtype = said.question[0].name, said.question[0].rdtype
        answers = [rrset for rrset in said.answer if rrset.rdtype == rdtype]
        found = [address.to_text() for rrset in answers for address in rrset]
    except (dns.exception.DNSException, IndexError):
        return None
    return ["answer", name.to_text(), dns.rdatatype.to_text(rdtype), found]


def _segment(segment: bytes, *, outgoing: bool) -> list[str]:
    """What it is, and of a request the host; nothing where nobody wants to know of it."""
    flags, data = segment[13], segment[(segment[12] >> 4) * 4 :]
    if flags & _SYN:
        return ["syn-ack" if flags & _ACK else "syn"]
    if not outgoing or not data.startswith(b"GET "):
        return []
    found = re.search(rb"\r\nhost: *([^\r:]*)", data, re.IGNORECASE)
    return ["request", found[1].decode("latin-1") if found else ""]


if __name__ == "__main__":
    main(sys.argv[1])
