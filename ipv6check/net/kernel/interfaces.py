"""What this host's kernel says of itself: interfaces, routes, switches. Linux only.

pyroute2 speaks rtnetlink(7). What blocks runs in a thread. Nothing is sent but what makes the
kernel ask its own router for its link-layer address.
"""

from __future__ import annotations

import ipaddress
import itertools
import os
import socket
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ipv6check.model import Failure, HostState, Interface, InterfaceAddress, Kind, Route, is_ipv6
from ipv6check.net.kernel import netlink

SYSCTL = Path("/proc/sys/net/ipv6")
ADDRESSES = Path("/proc/net/if_inet6")

# linux/if.h, linux/if_addr.h.
_IFF_UP, _IFF_LOOPBACK, _IFF_LOWER_UP = 0x1, 0x8, 0x10000
_IFA_F_DADFAILED, _IFA_F_DEPRECATED, _IFA_F_TENTATIVE = 0x08, 0x20, 0x40
_IFA_F_PERMANENT = 0x80
# linux/neighbour.h: nobody has answered yet, or nobody has at all.
_NUD_NONE, _NUD_INCOMPLETE, _NUD_FAILED = 0x00, 0x01, 0x20
# Two solicitations, a second apart (RFC 4861 section 10): a router on the link answers at once.
NEIGHBOUR_S = 2.0
_LOOK_S = 0.05
_DISCARD = 9
_DEFAULT_ROUTERS = 16


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
    """Interfaces, switches, and the routes to these two destinations; see ``HostKernel.host``."""
    netlink.load()
    from pyroute2 import IPRoute  # noqa: PLC0415 - slow to import, seldom needed
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415

    try:
        with IPRoute() as kernel:
            addresses = _addresses(kernel.get_addr())
            interfaces = [_interface(link, addresses) for link in kernel.get_links()]
            _solicit_gateways(kernel)
            routes = [_route(kernel, destination) for destination in (ipv6, ipv4)]
            route6, route4 = _with_dead_gateways(kernel, routes)
    except (NetlinkError, OSError) as error:
        why = os.strerror(error.code) if isinstance(error, NetlinkError) else error.strerror
        return Failure(
            Kind.PERMISSION, f"cannot read the interfaces and routes of this host: {why}"
        )
    bindv6only = _sysctl("bindv6only")
    return HostState(tuple(interfaces), route6, route4, bindv6only == "1", ipv6=bool(bindv6only))


def leased() -> tuple[str, ...]:
    """The addresses that DHCPv6 has given this host.

    They run out, and each is alone in its prefix: what SLAAC makes is one of a /64, and RFC 8415
    section 18.2.10.1 knows no prefix length, for which clients take 128.
    """
    try:
        lines = ADDRESSES.read_text("ascii").splitlines()
    except OSError:
        return ()
    rows = [line.split() for line in lines]
    return tuple(
        str(ipaddress.IPv6Address(bytes.fromhex(address)))
        for address, _, length, scope, flags, _ in rows
        if int(length, 16) == 128 and scope == "00" and not int(flags, 16) & _IFA_F_PERMANENT
    )


def order(host: str | None) -> tuple[str, ...]:
    """The addresses of a name, None for loopback, as getaddrinfo sorts them.

    Empty where it knows none. Blocks for as long as the system's resolver takes.
    """
    try:
        rows = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)
    except OSError:
        return ()
    return tuple(dict.fromkeys(str(row[4][0]) for row in rows))


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
        carrier=bool(link["flags"] & _IFF_LOWER_UP),
        kind=_kind(link),
    )


def _kind(link: Any) -> str:
    """What the kernel calls a link of its own making, such as a bridge; empty for hardware."""
    about = link.get_attr("IFLA_LINKINFO")
    return str(about.get_attr("IFLA_INFO_KIND") or "") if about is not None else ""


def _addresses(messages: Any) -> Mapping[int, list[InterfaceAddress]]:
    """Addresses by the index of their interface."""
    by_interface: defaultdict[int, list[InterfaceAddress]] = defaultdict(list)
    for message in messages:
        # On a point-to-point link IFA_ADDRESS is the other end's (linux/if_addr.h).
        address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        flags = message.get_attr("IFA_FLAGS") or message["flags"]
        known = InterfaceAddress(str(address), int(message["prefixlen"]), _state(flags))
        by_interface[message["index"]].append(known)
    return by_interface


def _state(flags: int) -> str:
    """State of an address (RFC 4862 sections 5.4 and 5.5.4); a duplicate stays tentative, too."""
    if flags & _IFA_F_DADFAILED:
        return "duplicate"
    if flags & _IFA_F_TENTATIVE:
        return "tentative"
    return "deprecated" if flags & _IFA_F_DEPRECATED else "preferred"


def _route(kernel: Any, destination: str) -> Route | None:
    """The kernel's own decision, whatever tables and rules it is made of."""
    source = source_towards(destination)
    # A route may be for one source alone (RFC 8028): without a source there is none.
    route = _lookup(kernel, dst=destination) or _lookup(kernel, dst=destination, src=source)
    if route is None:
        return None
    return Route(
        interface=socket.if_indextoname(route.get_attr("RTA_OIF")),
        gateway=_gateway(route),
        source=str(route.get_attr("RTA_PREFSRC") or source),
    )


def _lookup(kernel: Any, **known: str) -> Any:
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415 - as above

    try:
        (route,) = kernel.route("get", **{name: value for name, value in known.items() if value})
    except NetlinkError:
        return None
    return route


def _gateway(route: Any) -> str:
    """The next hop; that of an IPv4 route may be an IPv6 address (RFC 8950)."""
    via = route.get_attr("RTA_VIA")
    return str(route.get_attr("RTA_GATEWAY") or (via["addr"] if via else ""))


def source_towards(destination: str) -> str:
    """The source address that the kernel takes towards a destination, empty without a way there."""
    try:
        with socket.socket(_family(destination), socket.SOCK_DGRAM) as sock:
            sock.connect((destination, _DISCARD))
            return str(sock.getsockname()[0])
    except OSError:
        return ""


def _solicit_gateways(kernel: Any) -> None:
    """Let the kernel look for every default router.

    It passes over one that failed a moment ago, for as long as it remembers that, and takes its
    route again later: what is asked of it here must not depend on the moment.
    """
    routes = kernel.get_default_routes(family=socket.AF_INET6)
    for message in itertools.islice(routes, _DEFAULT_ROUTERS):
        gateway, index = message.get_attr("RTA_GATEWAY"), message.get_attr("RTA_OIF")
        with suppress(OSError):
            if gateway and index:
                _solicit(Route(socket.if_indextoname(index), str(gateway)))


def _with_dead_gateways(kernel: Any, routes: list[Route | None]) -> list[Route | None]:
    """The routes, with what the link says of their gateways."""
    waiting = {route for route in routes if route is not None and route.gateway}
    for route in waiting:
        _solicit(route)
    until = time.monotonic() + NEIGHBOUR_S
    while waiting:
        states = {route: _neighbour(kernel, route) for route in waiting}
        waiting = {route for route, state in states.items() if state == _NUD_INCOMPLETE}
        if not waiting or time.monotonic() >= until:
            break
        time.sleep(_LOOK_S)
    return [
        replace(route, dead=_neighbour(kernel, route) in {_NUD_INCOMPLETE, _NUD_FAILED})
        if route is not None and route.gateway
        else route
        for route in routes
    ]


def _solicit(route: Route) -> None:
    """Let the kernel look for the gateway, by an empty datagram to it."""
    with suppress(OSError), socket.socket(_family(route.gateway), socket.SOCK_DGRAM) as sock:
        place = (socket.if_nametoindex(route.interface),) if is_ipv6(route.gateway) else ()
        sock.connect((route.gateway, _DISCARD, *((0, *place) if place else ())))
        sock.send(b"")


def _neighbour(kernel: Any, route: Route) -> int:
    """The state of the gateway in the kernel's table of neighbours (RFC 4861 section 7.3.2)."""
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415 - as above

    try:
        index = socket.if_nametoindex(route.interface)
        neighbours = list(kernel.get_neighbours(_family(route.gateway), ifindex=index))
    except (NetlinkError, OSError):
        return _NUD_NONE
    states = [row["state"] for row in neighbours if row.get_attr("NDA_DST") == route.gateway]
    return int(states[0]) if states else _NUD_NONE


def _sysctl(name: str) -> str:
    """The value of a switch below net.ipv6, empty where the kernel has none of that name."""
    try:
        return (SYSCTL / name).read_text("ascii").strip()
    except OSError:
        return ""


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if is_ipv6(address) else socket.AF_INET
