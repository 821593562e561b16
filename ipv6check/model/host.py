"""The state of this host: sockets, interfaces, routes, name servers, firewall rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ipv6check.model.failures import Failure
from ipv6check.model.network import Address, Port


@dataclass(frozen=True, slots=True)
class Listener:
    """Listening sockets of this host at one address and port, by the kernel's tables.

    ``protocol``: tcp or udp. ``address``: ``::`` or ``0.0.0.0`` for every one of the family; an
    IPv4-mapped one is given as the IPv4 address that it is on the wire. ``dual``: bound to ``::``
    with IPV6_V6ONLY off, so it serves IPv4 too (RFC 3493 section 5.3). ``interface``: the only one
    it serves, empty for all. ``programs``: the names of the processes that hold it, sorted, empty
    where this user may not know.
    """

    protocol: str
    address: Address
    port: Port
    dual: bool = False
    interface: str = ""
    programs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """One address of an interface. ``state``: preferred, deprecated, tentative or duplicate."""

    address: Address
    prefix_length: int
    state: str = "preferred"


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface. ``ipv6``: whether the kernel runs IPv6 on it; ``mtu`` in bytes.

    ``carrier``: whether anything is at the other end of the link (IFF_LOWER_UP, netdevice(7)).
    ``kind``: what the kernel calls a link of its own making (bridge, tun), empty for hardware.
    """

    name: str
    mtu: int
    up: bool = True
    loopback: bool = False
    ipv6: bool = True
    addresses: tuple[InterfaceAddress, ...] = ()
    carrier: bool = True
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """The route to the Internet. ``gateway`` and ``source`` are empty where there is none.

    ``dead``: the gateway does not answer neighbour discovery (RFC 4861) or ARP. Whether a host can
    be reached over a route is another question.
    """

    interface: str
    gateway: str = ""
    source: str = ""
    dead: bool = False


@dataclass(frozen=True, slots=True)
class HostState:
    """The network configuration of this host's kernel. A route is None where the kernel has none.

    ``ipv6``: whether the kernel has IPv6 at all (``ipv6.disable=1`` takes it away).
    """

    interfaces: tuple[Interface, ...]
    route_ipv6: Route | None
    route_ipv4: Route | None
    bindv6only: bool = False
    ipv6: bool = True


@dataclass(frozen=True, slots=True)
class NameServer:
    """One name server that this host is configured with, and why it gave no answer, if so.

    ``loses_second``: of two queries sent at once from one port it answers only the first.
    """

    address: str
    failure: Failure | None = None
    loses_second: bool = False


@dataclass(frozen=True, slots=True)
class Preference:
    """The order in which getaddrinfo returns addresses of both families.

    ``missing``: why it is that of loopback, where no name on the Internet has both.
    """

    addresses: tuple[str, ...] = ()
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Stub:
    """The stub resolver's configuration at the vantage (resolv.conf(5)).

    ``search`` completes names of fewer than ``ndots`` dots. ``unasked`` are the name servers after
    the third, which are never used. ``use_vc``: over TCP alone; ``no_aaaa``: getaddrinfo never asks
    for AAAA; ``single_request``: it asks for A and AAAA one after the other.
    """

    search: tuple[str, ...] = ()
    ndots: int = 1
    unasked: tuple[str, ...] = ()
    use_vc: bool = False
    no_aaaa: bool = False
    single_request: bool = False


@dataclass(frozen=True, slots=True)
class RuleTexts:
    """Firewall rules in force: (command, its output) each, and why others could not be listed.

    ``leased``: the addresses of this host that DHCPv6 has given it.
    """

    texts: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    leased: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Loading:
    """nft's listing after loading a file, as JSON and as text; or its ``refusal``.

    ``line`` is the line that it refuses, 0 if it does not say. ``nft`` is its version.
    """

    nft: str
    document: str = ""
    listing: str = ""
    refusal: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class RuleFiles:
    """Files of firewall rules, (name, text) each.

    ``included``: the files that each pattern in them includes, None where they are not known.
    ``loaded``: what became of each text that nft was asked about.
    """

    files: tuple[tuple[str, str], ...]
    included: Mapping[str, tuple[tuple[str, str], ...] | None] = field(default_factory=dict)
    loaded: Mapping[str, Loading | Failure] = field(default_factory=dict)
