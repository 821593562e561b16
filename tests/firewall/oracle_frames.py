"""Packets as bytes: what a dictionary of the probe form looks like on the wire, and its answers.

Pure. Every packet has a number, which its answers repeat: see `numbered` and `answered`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_address
from typing import Any

Packet = dict[str, Any]

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
PROTOCOLS = {"tcp": TCP, "udp": UDP, "icmp": ICMP, "icmpv6": ICMPV6, "ipv6-icmp": ICMPV6}
PROTOCOLS |= {"sctp": 132, "dccp": 33, "udplite": 136, "gre": 47, "esp": 50, "ah": 51}
FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ece": 64, "cwr": 128}
_LIMIT_1 = {130, 131, 132, 143, 151, 152, 153}
_LIMIT_255 = {133, 134, 135, 136, 137}
_ERRORS = {ICMPV6: (1, 2, 3, 4), ICMP: (3, 4, 5, 11, 12)}
_WITH_ID = {ICMPV6: (128, 129), ICMP: (0, 8, 13, 14, 15, 16, 17, 18)}
_TO_ALL_NODES = {130, 131, 132, 134, 151}
_MLD = {130, 131, 132, 143}
# The header's own number, and its eight bytes behind the number of what follows it.
_EXTENSIONS = {
    "hbh": (0, b"\0\1\4\0\0\0\0"),
    "dst": (60, b"\0\1\4\0\0\0\0"),
    "rh0": (43, b"\0\0\0\0\0\0\0"),
    "frag": (44, b"\0\0\0\0\0\0\1"),
}
_MAGIC, _TOP = b"ask!", 0x5A
_LABEL = 0x50000


# --- who is where


def interface_number(name: str) -> int:
    """The number that the addresses of an interface contain."""
    return {"eth0": 0, "eth1": 1}.get(name, 2 + zlib.crc32(name.encode()) % 28)


def homes(name: str) -> tuple[IPv6Interface, IPv4Interface, IPv6Interface]:
    """The host's addresses on an interface, the last one link-local."""
    number = interface_number(name)
    net = {0: "198.51.100", 1: "203.0.113"}.get(number, f"192.168.{number}")
    return (
        IPv6Interface(f"2001:db8:{0xE0 + number:x}::1/64"),
        IPv4Interface(f"{net}.1/24"),
        IPv6Interface(f"fe80::ff:fe00:{number:x}/64"),
    )


def near_mac(name: str) -> str:
    """The link-layer address of the host's end."""
    return f"02:00:00:00:00:{interface_number(name):02x}"


def far_mac(name: str) -> str:
    """The link-layer address of the peer's end."""
    return f"02:00:00:00:01:{interface_number(name):02x}"


def protocol(packet: Mapping[str, Any]) -> int:
    """The number of its upper layer."""
    name = str(packet["proto"]).lower()
    return PROTOCOLS[name] if name in PROTOCOLS else int(name)


def complete(packet: Mapping[str, Any]) -> Packet:
    """The same with family, addresses and interfaces told, as the real ones are."""
    number = protocol(packet)
    full: Packet = {"proto": packet["proto"]}
    for key in ("dport", "sport", "type", "code"):
        if key in packet:
            full[key] = packet[key]
    v4 = number == ICMP or any("." in str(packet.get(key)) for key in ("saddr", "daddr"))
    full["family"] = packet.get("family", 4 if v4 else 6)
    full["hook"] = packet.get("hook", "input")
    full["iif"] = packet.get("iif", "eth0")
    if full["hook"] == "forward":
        full["oif"] = packet.get("oif", "eth1")
    kind = packet.get("type") if number == ICMPV6 else None
    full["saddr"] = packet.get("saddr") or _source(full, kind)
    full["daddr"] = packet.get("daddr") or _destination(full, kind)
    if kind in _LIMIT_1 | _LIMIT_255:
        full["hoplimit"] = packet.get("hoplimit", 1 if kind in _LIMIT_1 else 255)
    return full | {key: value for key, value in packet.items() if key not in full}


def _source(packet: Packet, kind: int | None) -> str:
    six, four, local = homes(packet["iif"])
    if packet["iif"] == "lo":
        return "127.0.0.1" if packet["family"] == 4 else "::1"
    if kind in _LIMIT_1 | _LIMIT_255:
        return str(local.ip + 0x100)
    return str(four.ip + 1 if packet["family"] == 4 else six.ip + 1)


def _destination(packet: Packet, kind: int | None) -> str:
    if packet["hook"] == "forward":
        six, four, _ = homes(packet["oif"])
        return str(four.ip + 98 if packet["family"] == 4 else six.ip + 0x98)
    if packet["iif"] == "lo":
        return "127.0.0.1" if packet["family"] == 4 else "::1"
    if kind in _TO_ALL_NODES:
        return "ff02::1"
    if kind == 143:
        return "ff02::16"
    six, four, _ = homes(packet["iif"])
    if kind == 135 and packet["saddr"] == "::":
        return str(solicited(str(six.ip)))
    return str(four.ip if packet["family"] == 4 else six.ip)


def solicited(address: str) -> str:
    """The solicited-node group of an address (RFC 4291 section 2.7.1)."""
    return str(ip_address(int(ip_address("ff02::1:ff00:0")) | int(ip_address(address)) & 0xFFFFFF))


# --- flows

_REQUESTS = {128: 129, 8: 0, 13: 14, 15: 16, 17: 18}
_REPLIES = _REQUESTS | {reply: request for request, reply in _REQUESTS.items()}


@dataclass(frozen=True, slots=True)
class Flow:
    """One direction of a connection: addresses, protocol, and what that knows flows by.

    ``ids`` are two ports, or identifier, type and code of ICMP, or nothing.
    """

    saddr: str
    daddr: str
    protocol: int
    ids: tuple[int, ...]

    def reply(self) -> Flow:
        """The other direction."""
        ids = self.ids[::-1]
        if len(self.ids) == 3:
            number, kind, _ = self.ids
            ids = (number, _REPLIES.get(kind, kind), 0)
        return Flow(self.daddr, self.saddr, self.protocol, ids)


def flow_of(packet: Packet, number: int) -> Flow | None:
    """The flow that has to be there before this packet, seen from whoever began it."""
    proto, source, target = protocol(packet), packet["saddr"], packet["daddr"]
    if packet.get("ct") == "related":
        return _quoted_flow(packet, number)
    if packet.get("ct") != "established":
        return None
    if proto in {ICMP, ICMPV6}:
        flow = Flow(source, target, proto, (number, packet["type"], 0))
        return flow if packet["type"] in _REQUESTS else flow.reply()
    if proto in {TCP, UDP, 132, 33, 136}:
        return Flow(source, target, proto, (_sport(packet, number), packet["dport"]))
    return Flow(source, target, proto, ())


def _quoted_flow(packet: Packet, number: int) -> Flow:
    """What an ICMP error complains about: a datagram from where it goes, or a stray one."""
    peer = "2001:db8:feed::53" if packet["family"] == 6 else "192.0.2.53"
    sport = 1024 + number % 60000
    return Flow(packet["daddr"], peer, UDP, (sport, 33434))


def _sport(packet: Packet, number: int) -> int:
    return int(packet.get("sport", 32768 + number % 28000))


# --- bytes


def request(packet: Packet, number: int) -> bytes:
    """The packet, from its IP header on."""
    proto, body = protocol(packet), _upper(packet, number)
    limit = packet.get("hoplimit", 64)
    source, target = (ip_address(packet[key]).packed for key in ("saddr", "daddr"))
    if packet["family"] == 4:
        return _ipv4(source, target, proto, body, number, limit)
    extension = packet.get("ext")
    if extension is None and proto == ICMPV6 and packet["type"] in _MLD:
        # With a router alert, as RFC 2710 and 3810 have it.
        proto, body = 0, bytes((proto, 0, 5, 2, 0, 0, 1, 0)) + body
    elif extension is not None:
        header, rest = _EXTENSIONS[extension]
        proto, body = header, bytes((proto,)) + rest + body
    label = 0x60000000 | _LABEL | number
    return struct.pack("!IHBB", label, len(body), proto, limit) + source + target + body


def _ipv4(source: bytes, target: bytes, proto: int, body: bytes, number: int, limit: int) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), number, 0, limit, proto, 0)
    return _summed(head + source + target, 10) + body


def _upper(packet: Packet, number: int) -> bytes:
    proto = protocol(packet)
    sport, dport = _sport(packet, number), packet.get("dport", 0)
    marked = _MAGIC + struct.pack("!H", number)
    if proto in {ICMP, ICMPV6}:
        return _icmp(packet, number)
    if proto == TCP:
        sequence = _TOP << 24 | number << 8 | 16
        flags = tcp_flags(packet)
        words = (sport, dport, sequence, sequence, 5 << 12 | flags, 65535, 0, 0)
        return _checked(packet, TCP, struct.pack("!HHIIHHHH", *words), 16)
    if proto in {UDP, 136}:
        body = struct.pack("!HHHH", sport, dport, 8 + len(marked), 0) + marked
        return _checked(packet, proto, body, 6)
    if proto == 132:
        chunk = struct.pack("!BBHIIHHI", 1, 0, 20, number, 65535, 1, 1, number)
        body = struct.pack("!HHII", sport, dport, 0, 0) + chunk
        return body[:8] + struct.pack("<I", _crc32c(body)) + body[12:]
    if proto == 33:
        # A request: header with long sequence numbers, then the service code.
        body = struct.pack("!HHBBHBBHII", sport, dport, 5, 0, 0, 1, 0, 0, number, 0)
        return _checked(packet, 33, body, 6)
    return marked + bytes(26)


def tcp_flags(packet: Packet) -> int:
    """The flags of a segment: as told, else those of what begins or goes on with a flow."""
    told = packet.get("flags", "psh,ack" if packet.get("ct") == "established" else "syn")
    return sum(FLAGS[name] for name in told.split(",") if name not in {"", "none", "null"})


def _icmp(packet: Packet, number: int) -> bytes:
    proto, kind = protocol(packet), packet["type"]
    head = struct.pack("!BBH", kind, packet.get("code", 0), 0)
    if kind in _ERRORS[proto]:
        path_mtu = 1280 if kind in {2, 3} else 0
        body = head + struct.pack("!I", path_mtu) + _quoted(packet, number)
    elif kind in _WITH_ID[proto]:
        body = head + struct.pack("!HH", number, 1) + _MAGIC + bytes(12)
    else:
        body = head + (_on_link(packet) if proto == ICMPV6 else bytes(4) + _MAGIC)
    return _checked(packet, ICMPV6, body, 2) if proto == ICMPV6 else _summed(body, 2)


def _on_link(packet: Packet) -> bytes:
    """What messages of neighbour and listener discovery say, behind their checksum."""
    source, target = (ip_address(packet[key]).packed for key in ("saddr", "daddr"))
    mac = bytes.fromhex(far_mac(packet["iif"]).replace(":", ""))
    asked = homes(packet["iif"])[0].ip.packed if target[0] == 0xFF else target
    bodies = {
        131: bytes(4) + target,
        132: bytes(4) + target,
        133: bytes(4),
        134: b"\x40\0\0\0" + bytes(8),
        135: bytes(4) + asked + (b"\1\1" + mac if any(source) else b""),
        136: b"\x60\0\0\0" + source + b"\2\1" + mac,
        137: bytes(4) + source + ip_address("2001:db8:dead::1").packed,
        143: b"\0\0\0\1\4\0\0\0" + ip_address("ff02::fb").packed,
    }
    return bodies.get(packet["type"], bytes(20))


def _quoted(packet: Packet, number: int) -> bytes:
    flow = _quoted_flow(packet, number)
    source, target = ip_address(flow.saddr).packed, ip_address(flow.daddr).packed
    ends = {"family": packet["family"], "saddr": flow.saddr, "daddr": flow.daddr}
    datagram = _checked(ends, UDP, struct.pack("!HHHH", *flow.ids, 12, 0) + b"lost", 6)
    if packet["family"] == 4:
        return _ipv4(source, target, UDP, datagram, 0, 60)
    return struct.pack("!IHBB", 0x60000000, 12, UDP, 60) + source + target + datagram


def _checked(packet: Packet, proto: int, body: bytes, at: int) -> bytes:
    ends = b"".join(ip_address(packet[key]).packed for key in ("saddr", "daddr"))
    return _summed(body, at, ends + struct.pack("!II", len(body), proto))


def _summed(data: bytes, at: int, before: bytes = b"") -> bytes:
    whole = before + data + bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(whole) // 2}H", whole))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return data[:at] + struct.pack("!H", ~total & 0xFFFF) + data[at + 2 :]


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
    return crc ^ 0xFFFFFFFF


def numbered(data: bytes) -> int:
    """The number of a packet of ours, from its IP header on."""
    return int.from_bytes(data[2:4] if data[0] >> 4 == 6 else data[4:6], "big")


def answered(data: bytes) -> tuple[int, str] | None:
    """Which packet this one answers, and how; None where it is no answer to one of ours."""
    six = data[0] >> 4 == 6
    proto, rest = (data[6], data[40:]) if six else (data[9], data[(data[0] & 15) * 4 :])
    if len(rest) < 14:
        return None
    if proto == TCP:
        sequence, repeated, flags = struct.unpack("!4xIIxB", rest[:14])
        told = repeated if flags & FLAGS["ack"] else sequence
        kind = "rst" if flags & FLAGS["rst"] else "syn-ack" if flags & FLAGS["syn"] else "ack"
        return (told >> 8 & 0xFFFF, kind) if told >> 24 == _TOP else None
    if proto == UDP and rest[8:12] == _MAGIC:
        return int.from_bytes(rest[12:14], "big"), "udp"
    if proto in {ICMP, ICMPV6} and rest[0] == (129 if six else 0):
        return int.from_bytes(rest[4:6], "big"), "echo-reply"
    if proto in {ICMP, ICMPV6} and rest[0] in _ERRORS[proto]:
        name = "icmpv6" if six else "icmp"
        return numbered(rest[8:]), f"{name} {rest[0]}/{rest[1]}"
    return None
