"""Makes a virtual cable deliver packets later than the call that sends them, as real ones do.

By itself a veth cable delivers inside the sender's system call: an ICMPv6 error comes back while
connect() still holds the socket's lock, is noted as a soft error only, and connect() fails a
second later, at the next SYN. A cable whose far end has a receive thread is as fast, and right.
"""

import ctypes
import fcntl
import socket
import struct
from pathlib import Path

_SIOCETHTOOL = 0x8946
_ETHTOOL_SET_TSO = 0x1F
_ETHTOOL_SET_GRO = 0x2C


def prepare_sender(interface: str) -> None:
    """Let the far end use its thread; it is passed by while this end offloads segmentation."""
    _ethtool(interface, _ETHTOOL_SET_TSO, 0)


def receive_in_thread(interface: str, sysfs: Path) -> None:
    """Give an interface that is up a receive thread, where the kernel (5.12 or later) can."""
    _ethtool(interface, _ETHTOOL_SET_GRO, 1)
    switch = sysfs / "class" / "net" / interface / "threaded"
    if switch.exists():
        switch.write_text("1")


def _ethtool(interface: str, command: int, value: int) -> None:
    argument = ctypes.create_string_buffer(struct.pack("II", command, value))
    request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(argument))
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
