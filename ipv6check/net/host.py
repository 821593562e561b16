"""What this host's kernel says of itself: interfaces, routes, switches. Linux only, sends nothing.

pyroute2 speaks rtnetlink(7). What blocks runs in a thread.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ipv6check.model import Failure, HostState, Interface, InterfaceAddress, Kind, Route

SYSCTL = Path("/proc/sys/net/ipv6")
# A name that has both families, wherever on the Internet one asks.
BOTH_FAMILIES = "a.root-servers.net"

# linux/if.h, linux/if_addr.h.
_IFF_UP, _IFF_LOOPBACK = 0x1, 0x8
_IFA_F_DADFAILED, _IFA_F_DEPRECATED, _IFA_F_TENTATIVE = 0x08, 0x20, 0x40


def is_own(address: str) -> bool:
    """Whether an address is this host's own.

    The source that the kernel chooses towards an address of its own is that address (RFC 6724
    section 5, rule 1). Loopback is by its definition, even while its interface is down.
    """
    ip = ipaddress.ip_address(address)
    if ip.is_loopback:
        return True
    if ip.is_unspecified:
        return False
    try:
        with socket.socket(_family(address), socket.SOCK_DGRAM) as sock:
            sock.connect((address, 9))
            return ipaddress.ip_address(sock.getsockname()[0]) == ip
    except OSError:
        return False


def state(ipv6: str, ipv4: str) -> HostState | Failure:
    """Interfaces, switches, and the routes to these two destinations; see ``Net.host``."""
    from pyroute2 import IPRoute  # noqa: PLC0415 - slow to import, seldom needed
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415

    try:
        with IPRoute() as kernel:
            addresses = _addresses(kernel.get_addr())
            interfaces = [_interface(link, addresses) for link in kernel.get_links()]
            route6, route4 = _route(kernel, ipv6), _route(kernel, ipv4)
    except (NetlinkError, OSError) as error:
        why = os.strerror(error.code) if isinstance(error, NetlinkError) else error.strerror
        return Failure(Kind.PERMISSION, f"this host's kernel does not tell of its network: {why}")
    return HostState(tuple(interfaces), route6, route4, _sysctl("bindv6only") == "1")


def order(host: str | None) -> tuple[str, ...]:
    """The addresses of a name, None for loopback, as getaddrinfo sorts them.

    Empty where it knows none, or knows those of one family alone. Blocks for as long as the
    system's resolver takes.
    """
    try:
        found = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)
    except OSError:
        return ()
    addresses = tuple(dict.fromkeys(str(each[4][0]) for each in found))
    return addresses if len({":" in address for address in addresses}) > 1 else ()


def _interface(link: Any, addresses: Mapping[int, list[InterfaceAddress]]) -> Interface:
    name = str(link.get_attr("IFLA_IFNAME"))
    return Interface(
        name=name,
        mtu=int(link.get_attr("IFLA_MTU")),
        up=bool(link["flags"] & _IFF_UP),
        loopback=bool(link["flags"] & _IFF_LOOPBACK),
        # Neither file nor directory where the kernel was built or started without IPv6.
        ipv6=_sysctl(f"conf/{name}/disable_ipv6") == "0",
        addresses=tuple(addresses.get(link["index"], ())),
    )


def _addresses(messages: Any) -> Mapping[int, list[InterfaceAddress]]:
    """By the number of their interface."""
    found: defaultdict[int, list[InterfaceAddress]] = defaultdict(list)
    for message in messages:
        # On a point-to-point link IFA_ADDRESS is the other end's (linux/if_addr.h).
        address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        flags = message.get_attr("IFA_FLAGS") or message["flags"]
        one = InterfaceAddress(str(address), int(message["prefixlen"]), _state(flags))
        found[message["index"]].append(one)
    return found


def _state(flags: int) -> str:
    """RFC 4862 section 5.4 and 5.5.4. An address that is a duplicate stays tentative, too."""
    if flags & _IFA_F_DADFAILED:
        return "duplicate"
    if flags & _IFA_F_TENTATIVE:
        return "tentative"
    return "deprecated" if flags & _IFA_F_DEPRECATED else "preferred"


def _route(kernel: Any, destination: str) -> Route | None:
    """The kernel's own decision, whatever tables and rules it is made of."""
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415 - as above

    try:
        (route,) = kernel.route("get", dst=destination)
    except NetlinkError:
        return None
    return Route(
        interface=socket.if_indextoname(route.get_attr("RTA_OIF")),
        gateway=str(route.get_attr("RTA_GATEWAY") or ""),
        source=str(route.get_attr("RTA_PREFSRC") or ""),
    )


def _sysctl(name: str) -> str:
    """The value of a switch below net.ipv6, empty where the kernel has none of that name."""
    try:
        return (SYSCTL / name).read_text("ascii").strip()
    except OSError:
        return ""


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
