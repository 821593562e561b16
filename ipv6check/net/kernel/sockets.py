"""What listens on this host, by the kernel's tables and /proc: Linux only, sends nothing.

The kernel's sock_diag interface (sock_diag(7)) tells what /proc/net/tcp6 does not: whether a socket
on ``::`` serves IPv4 too. pyroute2 speaks it. Everything here blocks for a moment, in a thread.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ipv6check.model import Failure, Kind, Listener, is_ipv6
from ipv6check.net.kernel import netlink

PROC = Path("/proc")
PORT_RANGE = PROC / "sys/net/ipv4/ip_local_port_range"

# enum in net/tcp_states.h. A UDP socket that is not connected is in state CLOSE.
_LISTEN, _CLOSE = 10, 7
_STATES = {socket.IPPROTO_TCP: 1 << _LISTEN, socket.IPPROTO_UDP: 1 << _CLOSE}
_V6ONLY = "INET_DIAG_SKV6ONLY"
_NAMES = {socket.IPPROTO_TCP: "tcp", socket.IPPROTO_UDP: "udp"}
# linux/netlink.h: both end a dump, and begin with an error's negative number, 0 for none. The type
# in struct nlmsghdr is all that is looked at of other messages.
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_KIND_AND_CODE = struct.Struct("=4xH10xi")


def listening() -> tuple[Listener, ...] | Failure:
    """Every TCP listener and every UDP socket bound to a fixed port; see `HostKernel`."""
    try:
        sockets = [
            message
            for protocol in _STATES
            for family in (socket.AF_INET6, socket.AF_INET)
            for message in _sockets(family, protocol)
        ]
    except OSError as error:
        why = error.strerror or str(error)
        return Failure(Kind.PERMISSION, f"cannot read which sockets listen on this host: {why}")
    holders = _programs({int(message["idiag_inode"]) for _, message in sockets})
    merged: defaultdict[tuple[str, int, str, bool, str], set[str]] = defaultdict(set)
    ephemeral = _ephemeral_ports()
    for protocol, message in sockets:
        port = int(message["idiag_sport"])
        if protocol == "udp" and (port in ephemeral or message["idiag_dport"]):
            continue  # a client's
        address, dual = _bound(message)
        key = (protocol, port, address, dual, _interface(int(message["idiag_if"])))
        merged[key] |= holders.get(int(message["idiag_inode"]), set())
    return tuple(
        Listener(protocol, address, port, dual, interface, tuple(sorted(merged[key])))
        for key in sorted(merged, key=_order)
        for protocol, port, address, dual, interface in (key,)
    )


def _sockets(family: int, protocol: int) -> list[tuple[str, Mapping[str, Any]]]:
    """The sockets of one table. Raises OSError where the kernel has none to show."""
    netlink.load()
    # Only a target on this host needs it.
    from pyroute2.netlink.diag import DiagSocket, MarshalDiag  # noqa: PLC0415
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415

    class Marshal(MarshalDiag):  # type: ignore[misc] # pyroute2 has no types
        """Reads errors too: pyroute2's own takes one for the end of an empty table."""

        refusal = 0

        def parse_one_message(
            self, key: int, flags: int, number: int, data: bytes, offset: int, length: int
        ) -> Any:
            kind, code = _KIND_AND_CODE.unpack_from(data, offset)
            if kind in {_NLMSG_ERROR, _NLMSG_DONE}:
                self.refusal = -code
            key = self.error_type if kind == _NLMSG_ERROR else key
            return super().parse_one_message(key, flags, number, data, offset, length)

    marshal = Marshal()
    try:
        with DiagSocket() as diag:
            diag.set_marshal(marshal)
            diag.bind()
            states = _STATES[protocol]
            messages = diag.get_sock_stats(family=family, protocol=protocol, states=states)
    except NetlinkError as error:
        raise OSError(error.code, os.strerror(error.code)) from error
    if marshal.refusal:
        raise OSError(marshal.refusal, os.strerror(marshal.refusal))
    silent = not all(_V6ONLY in dict(message["attrs"]) for message in messages)
    if family == socket.AF_INET6 and silent:
        raise OSError(errno.EOPNOTSUPP, "its kernel is too old to show IPV6_V6ONLY")
    return [(_NAMES[protocol], message) for message in messages]


def _bound(message: Mapping[str, Any]) -> tuple[str, bool]:
    """The address that a socket is bound to, and whether it serves both families."""
    if message["idiag_family"] == socket.AF_INET:
        return str(message["idiag_src"]), False
    address = ipaddress.IPv6Address(message["idiag_src"])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped), False
    return str(address), address.is_unspecified and not dict(message["attrs"])[_V6ONLY]


def _interface(index: int) -> str:
    try:
        return socket.if_indextoname(index) if index else ""
    except OSError:
        return f"interface {index}"


def _order(key: tuple[str, int, str, bool, str]) -> tuple[object, ...]:
    protocol, port, address, *rest = key
    return protocol, port, not is_ipv6(address), int(ipaddress.ip_address(address)), *rest


def _ephemeral_ports() -> Collection[int]:
    """The ports that the kernel gives to who asks for none (ip(7), ip_local_port_range)."""
    try:
        low, high = PORT_RANGE.read_text("ascii").split()
    except (OSError, ValueError):
        return ()
    return range(int(low), int(high) + 1)


def _programs(inodes: Collection[int]) -> Mapping[int, set[str]]:
    """The names of the processes that hold these sockets, as far as this user may know."""
    holders: defaultdict[int, set[str]] = defaultdict(set)
    links = {f"socket:[{inode}]": inode for inode in inodes}
    for process in _processes() if links else ():
        held = {links[link] for link in _links(process) if link in links}
        try:
            name = (process / "comm").read_text("utf-8", "replace").strip() if held else ""
        except OSError:  # it ended meanwhile
            continue
        for inode in held:
            holders[inode].add(name)
    return holders


def _processes() -> Iterator[Path]:
    try:
        yield from (path for path in PROC.iterdir() if path.name.isdecimal())
    except OSError:
        return


def _links(process: Path) -> Iterator[str]:
    """What the descriptors of a process lead to; nothing where that is not permitted."""
    try:
        descriptors = list((process / "fd").iterdir())
    except OSError:
        return
    for descriptor in descriptors:
        try:
            yield str(descriptor.readlink())
        except OSError:  # closed meanwhile
            continue
