"""A cable with a delay for each destination prefix: `python -m tests.lab.delay NEAR FAR`.

It copies frames between two interfaces through packet sockets, because the kernel may have no
netem and an ordinary user may not open /dev/net/tun. Packets towards the slow prefixes wait for
the whole round-trip time; what comes back takes the fast cable. A client cannot tell the
difference.
"""

import select
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field

from tests.lab.plan import BEHAVIOURS

_ETH_P_ALL = 0x0003
_SOL_PACKET = 263
# With this header in front, segments that wait for checksum or segmentation offload stay valid.
_PACKET_VNET_HDR = 15
_PACKET_IGNORE_OUTGOING = 23
_VNET = 10
_ETHERTYPE = slice(_VNET + 12, _VNET + 14)
# The bytes that tell one behaviour from another: the /24 of IPv4, the /48 of IPv6.
_PREFIX = {
    b"\x08\x00": slice(_VNET + 14 + 16, _VNET + 14 + 19),
    b"\x86\xdd": slice(_VNET + 14 + 24, _VNET + 14 + 30),
}
_LARGEST_FRAME = 1 << 17


def _delays() -> dict[bytes, float]:
    slow = [b for b in BEHAVIOURS.values() if b.rtt_ms]
    ipv6 = {b.network6.network_address.packed[:6]: b.rtt_ms / 1000 for b in slow}
    ipv4 = {b.network4.network_address.packed[:3]: b.rtt_ms / 1000 for b in slow}
    return ipv6 | ipv4


@dataclass(slots=True)
class _Cable:
    near: socket.socket
    far: socket.socket
    # One queue a delay: within it, the first in is the first due.
    waiting: dict[float, deque[tuple[float, socket.socket, bytes]]] = field(default_factory=dict)

    def read(self, source: socket.socket, delays: dict[bytes, float]) -> None:
        frame = source.recv(_LARGEST_FRAME)
        other = self.far if source is self.near else self.near
        prefix = _PREFIX.get(frame[_ETHERTYPE])
        delay = delays.get(frame[prefix], 0.0) if prefix else 0.0
        queue = self.waiting.setdefault(delay, deque())
        queue.append((time.monotonic() + delay, other, frame))

    def release(self) -> float | None:
        """Send what is due; how long until the next."""
        now = time.monotonic()
        for queue in self.waiting.values():
            while queue and queue[0][0] <= now:
                _, destination, frame = queue.popleft()
                _send(destination, frame)
        pending = [queue[0][0] for queue in self.waiting.values() if queue]
        return max(0.0, min(pending) - time.monotonic()) if pending else None


def _send(destination: socket.socket, frame: bytes) -> None:
    try:
        destination.send(frame)
    except OSError:
        # A full queue or a cable that is going away: a cable loses frames, it does not stop.
        return


def _open(interface: str) -> socket.socket:
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    packets.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    packets.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    packets.bind((interface, _ETH_P_ALL))
    return packets


def main() -> None:
    """Carry frames until killed."""
    near, far = (_open(interface) for interface in sys.argv[1:])
    cable, delays = _Cable(near, far), _delays()
    while True:
        # select, because poll and epoll round the wait up to whole milliseconds.
        readable, _, _ = select.select((near, far), (), (), cable.release())
        for source in readable:
            cable.read(source, delays)


if __name__ == "__main__":
    main()
