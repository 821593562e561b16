"""This host has addresses, routes and resolvers for IPv6, and prefers it.

Why, and what each finding means, is in host.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from ipaddress import IPv6Address, IPv6Network, ip_address

from ipv6check import (
    Finding,
    Host,
    HostState,
    Interface,
    InterfaceAddress,
    NameServer,
    Route,
    Settings,
    Target,
    check,
    fail,
    ok,
    skip,
    unknown,
    warn,
)

MIN_MTU = 1280  # bytes, RFC 8200 section 5
ULA = IPv6Network("fc00::/7")  # RFC 4193

# What one interface has.
Held = tuple[Interface, InterfaceAddress]


@check(reference="RFC 8504", cause="host", looks_at="this host")
def host(host: Host | None, target: Target, settings: Settings) -> Finding | list[Finding]:
    """This host has addresses, routes and resolvers for IPv6, and prefers it."""
    if host is None:
        message = f"{target.host} is another host: this check inspects the local machine only"
        hint = f"run it there, or check {target.host} from here without --profile host"
        return unknown(message, hint=hint, id="not-here")
    state = host.state
    ipv6, ipv4 = _held(state, 6), _held(state, 4)
    # Below the least MTU the kernel takes IPv6 off an interface: what is missing then is told.
    small = _mtu(state, ipv6)
    if not ipv6:
        offline = not ipv4 and state.route_ipv6 is None and state.route_ipv4 is None
        missing = _offline(state) if offline else _no_ipv6(state, ipv4)
        return [*(small or [missing]), _settings(state)]
    return [
        *_addresses(ipv6, ipv4, internal=settings.internal),
        *_switched_off(state),
        _route(state),
        *_resolvers(host),
        *_losses(host),
        *_orders(host),
        *small,
        _settings(state),
    ]


# --- addresses -------------------------------------------------------------------------------


def _held(state: HostState, version: int) -> list[Held]:
    """The addresses of one family that are meant for more than this host and its links.

    A router has its own on the loopback interface, where no link takes them down with it.
    """
    return [
        (interface, held)
        for interface in state.interfaces
        if interface.up
        for held in interface.addresses
        if (ip := ip_address(held.address)).version == version
        and not (ip.is_link_local or ip.is_loopback)
    ]


def _offline(state: HostState) -> Finding:
    """Both families lack the same: not an IPv6 problem (law 4)."""
    message = "this host has no network: no address beyond its own links, neither IPv6 nor IPv4"
    hint, what = "not an IPv6 problem: bring an interface up", "offline"
    evidence = asdict(state)
    return fail(
        message, hint=hint, subject="addresses", cause="network", evidence=evidence, id=what
    )


def _no_ipv6(state: HostState, ipv4: list[Held]) -> Finding:
    names = list(dict.fromkeys(interface.name for interface, _ in ipv4))
    where = ", ".join(names)
    evidence = asdict(state)
    if not state.ipv6:
        message = "IPv6 is disabled in this kernel: no program on this host can use it"
        hint = "remove ipv6.disable=1 from the kernel's command line (/proc/cmdline) and reboot"
        return fail(message, hint=hint, subject="addresses", evidence=evidence, id="switched-off")
    if names and not any(
        interface.ipv6 for interface in state.interfaces if interface.name in names
    ):
        message = f"IPv6 is disabled on {where}, which has IPv4"
        hint = f"sysctl -w net.ipv6.conf.{names[0]}.disable_ipv6=0"
        return fail(message, hint=hint, subject="addresses", evidence=evidence, id="switched-off")
    beside = f", IPv4 has {_named(ipv4)}" if ipv4 else ""
    message = f"no IPv6 address but link-local{beside}"
    hint = "check that the router advertises a prefix and this host accepts it (accept_ra, DHCPv6)"
    where, what = "addresses", "no-address"
    return fail(message, hint=hint, subject=where, cause="network", evidence=evidence, id=what)


def _addresses(ipv6: list[Held], ipv4: list[Held], *, internal: bool) -> list[Finding]:
    usable = [pair for pair in ipv6 if pair[1].state in {"preferred", "deprecated"}]
    amiss = [pair for pair in ipv6 if pair not in usable]
    # A bridge without a port waits for one, and its IPv4 address is as idle.
    found = [_amiss(*pair) for pair in amiss if not (usable and _idle(*pair))]
    outside = [pair for pair in usable if IPv6Address(pair[1].address) not in ULA]
    evidence: dict[str, object] = {"ipv6": _evidence(ipv6), "ipv4": _evidence(ipv4)}
    if usable and all(held.state == "deprecated" for _, held in usable):
        message = f"every IPv6 address is deprecated: {_named(usable)}"
        hint = "the router does not renew the lifetime: new connections avoid these (RFC 4862)"
        found.append(_warn(message, hint, evidence, "deprecated"))
    elif usable and not outside and not internal:
        message = f"unique local addresses only, which the Internet cannot reach: {_named(usable)}"
        hint = "get a global prefix (2000::/3), or use --internal if none is wanted (RFC 4193)"
        found.append(_warn(message, hint, evidence, "unique-local"))
    if found:
        return found
    message = _named(outside or usable)
    return [ok(message, subject="addresses", evidence=evidence, id="addresses")]


def _idle(interface: Interface, held: InterfaceAddress) -> bool:
    """Whether an address waits for a link that nothing is at the other end of."""
    return held.state == "tentative" and not interface.carrier


def _warn(message: str, hint: str, evidence: dict[str, object], what: str) -> Finding:
    return warn(
        message, hint=hint, subject="addresses", cause="network", evidence=evidence, id=what
    )


def _amiss(interface: Interface, held: InterfaceAddress) -> Finding:
    """Duplicate address detection said no, or has not said yes (RFC 4862 section 5.4)."""
    evidence, where = _evidence([(interface, held)])[0], held.address
    if held.state == "duplicate":
        message = f"{held.address} on {interface.name} is in use by another host on the link"
        hint = "change the address of one of the two: the kernel does not use a duplicate"
        what = "duplicate"
        return fail(message, hint=hint, subject=where, cause="network", evidence=evidence, id=what)
    message = f"{held.address} on {interface.name} is tentative: it cannot be reached yet"
    hint = "run this again in a second; if it stays tentative, check that the link is up"
    if not interface.carrier:
        hint = f"{interface.name} has no carrier: connect its cable or its peer"
    what = "tentative"
    return warn(message, hint=hint, subject=where, cause="network", evidence=evidence, id=what)


def _switched_off(state: HostState) -> list[Finding]:
    """Interfaces that have IPv4 and no IPv6 because somebody said so, beside others with both."""
    hint = "if that is not intended: sysctl -w net.ipv6.conf.{}.disable_ipv6=0"
    return [
        warn(
            f"IPv6 is disabled on {interface.name}, which has IPv4",
            hint=hint.format(interface.name),
            subject=interface.name,
            id="switched-off",
        )
        for interface in _without_ipv6(state)
        if not _inner(interface, state)
    ]


def _without_ipv6(state: HostState) -> list[Interface]:
    """Interfaces without IPv6; a small MTU is another matter."""
    links = [interface for interface in _links(state) if interface.mtu >= MIN_MTU]
    return [interface for interface in links if interface.addresses and not interface.ipv6]


def _inner(interface: Interface, state: HostState) -> bool:
    """Whether it is a bridge for what runs on this host, as container engines make them."""
    route = state.route_ipv4
    private = all(ip_address(held.address).is_private for held in interface.addresses)
    out = route is not None and route.interface == interface.name
    return interface.kind == "bridge" and private and not out


def _named(held: list[Held]) -> str:
    interface, first = held[0]
    more = f" and {len(held) - 1} more" if len(held) > 1 else ""
    return f"{first.address} on {interface.name}{more}"


def _evidence(held: list[Held]) -> list[dict[str, object]]:
    return [{"interface": interface.name, **asdict(address)} for interface, address in held]


# --- the way out -----------------------------------------------------------------------------


def _route(state: HostState) -> Finding:
    route6, route4 = state.route_ipv6, state.route_ipv4
    evidence = {family: asdict(route) if route else None for family, route in _routes(state)}
    if route6 is not None and route6.dead:
        return _dead_gateway(route6, route4, evidence)
    if route6 is not None:
        beside = f"IPv4 {_via(route4)}" if route4 is not None else "no IPv4"
        beside += ", which does not answer" if route4 is not None and route4.dead else ""
        return ok(f"{_via(route6)} ({beside})", subject="route", evidence=evidence, id="route")
    if route4 is None:
        message = "no route to the Internet, neither over IPv6 nor over IPv4"
        hint = "not an IPv6 problem: fine on an isolated network, otherwise add a default route"
        what = "no-route-at-all"
        return warn(
            message, hint=hint, subject="route", cause="network", evidence=evidence, id=what
        )
    message = f"no route to the Internet over IPv6, while IPv4 goes {_via(route4)}"
    hint = (
        "check that the router advertises itself and this host accepts it (ip -6 route, accept_ra)"
    )
    what = "no-route"
    return fail(message, hint=hint, subject="route", cause="network", evidence=evidence, id=what)


def _dead_gateway(route6: Route, route4: Route | None, evidence: Mapping[str, object]) -> Finding:
    """The kernel knows a way, and the first router on it is not there."""
    message = f"the IPv6 router does not answer: {_via(route6)}"
    hint = f"check the router and the link: ip neigh show dev {route6.interface}"
    if route4 is not None and route4.dead:
        message += f"; nor does the IPv4 router: {_via(route4)}"
        hint = f"not an IPv6 problem: check the link of {route6.interface} and the router"
    elif route4 is not None:
        message += f"; the IPv4 router does: {_via(route4)}"
    what = "dead-gateway"
    return fail(message, hint=hint, subject="route", cause="network", evidence=evidence, id=what)


def _leads_out(route: Route | None) -> bool:
    return route is not None and not route.dead


def _routes(state: HostState) -> tuple[tuple[str, Route | None], ...]:
    return ("ipv6", state.route_ipv6), ("ipv4", state.route_ipv4)


def _via(route: Route) -> str:
    return f"via {route.gateway} on {route.interface}" if route.gateway else f"on {route.interface}"


# --- names -----------------------------------------------------------------------------------


def _resolvers(host: Host) -> list[Finding]:
    """Whether names can be had over IPv6; every name server that has an IPv6 address is asked."""
    servers = host.name_servers
    if not servers:
        message, hint = "no name server is configured", "add one to /etc/resolv.conf"
        return [warn(message, hint=hint, subject="resolvers", id="no-resolver")]
    well = [server.address for server in servers if server.failure is None]
    if not well:
        return [_all_dead(servers, host.state)]
    dead = [server for server in servers if ":" in server.address and server.failure is not None]
    if dead and not _leads_out(host.state.route_ipv6):
        message = f"{dead[0].address} cannot be reached over IPv6, see route"
        evidence, what = _answers(servers), "resolvers-unrouted"
        return [skip(message, subject="resolvers", evidence=evidence, id=what)]
    if dead:
        return [_dead(server, well[0], servers) for server in dead]
    names = ", ".join(well)
    # Over which family a resolver on this host asks others, it does not tell.
    inside = all(ip_address(address).is_loopback for address in well)
    if inside or any(":" in address for address in well):
        message = f"{names} on this host" if inside else names
        unasked = ", ".join(host.stub.unasked)
        message += f"; never asked: {unasked} (three is the most)" if unasked else ""
        return [ok(message, subject="resolvers", evidence=_answers(servers), id="resolvers")]
    message = f"name servers are asked over IPv4 only: {names}"
    hint = "add one by its IPv6 address: without IPv4 this host cannot resolve names"
    evidence, what = _answers(servers), "resolvers-ipv4-only"
    return [
        warn(message, hint=hint, subject="resolvers", cause="network", evidence=evidence, id=what)
    ]


def _all_dead(servers: Sequence[NameServer], state: HostState) -> Finding:
    if not _leads_out(state.route_ipv6) and not _leads_out(state.route_ipv4):
        message = "no name server can be reached, see route"
        evidence, what = _answers(servers), "resolvers-unrouted"
        return skip(message, subject="resolvers", evidence=evidence, id=what)
    first = servers[0].failure
    assert first is not None
    message = f"no name server answers: {first.detail}"
    families = {":" in server.address for server in servers}
    hint = "over IPv6 and IPv4 alike: not an IPv6 problem" if len(families) > 1 else ""
    hint = hint or f"check that {servers[0].address} is the right address, up, and routed"
    evidence, what = _answers(servers), "resolvers-dead"
    return fail(
        message, hint=hint, subject="resolvers", cause="network", evidence=evidence, id=what
    )


def _dead(server: NameServer, other: str, servers: Sequence[NameServer]) -> Finding:
    assert server.failure is not None
    message = f"name server {server.address} fails: {server.failure.detail}; {other} works"
    hint = "lookups wait for it: fix it, or remove it from resolv.conf"
    where, evidence, what = server.address, _answers(servers), "resolver-dead"
    return fail(message, hint=hint, subject=where, cause="network", evidence=evidence, id=what)


def _answers(servers: Sequence[NameServer]) -> dict[str, object]:
    return {
        "resolvers": [
            {
                "address": server.address,
                "outcome": server.failure.kind if server.failure else "answered",
            }
            for server in servers
        ]
    }


def _losses(host: Host) -> list[Finding]:
    return [
        warn(
            f"{server.address} drops the second of two queries at once: every lookup waits 5 s",
            hint="set options single-request-reopen in resolv.conf; usually a NAT drops the second",
            subject=server.address,
            cause="network",
            evidence=_answers(host.name_servers),
            id="loses-second",
        )
        for server in host.name_servers
        if server.loses_second
    ]


def _orders(host: Host) -> list[Finding]:
    """What getaddrinfo does with a name that has both families."""
    evidence = {"addresses": host.preference}
    if host.stub.no_aaaa:
        message = "options no-aaaa in resolv.conf: programs get no IPv6 address for any name"
        hint = "remove it from resolv.conf, or from RES_OPTIONS"
        return [fail(message, hint=hint, subject="order", evidence=evidence, id="no-aaaa")]
    if host.missing:
        hint = "check that the resolver answers AAAA as it answers A: dig AAAA a.root-servers.net"
        what = "one-family"
        return [
            warn(
                host.missing,
                hint=hint,
                subject="order",
                cause="network",
                evidence=evidence,
                id=what,
            )
        ]
    return [_order(host)]


def _order(host: Host) -> Finding:
    """What getaddrinfo puts first is what most programs try first (RFC 6724)."""
    addresses, route = host.preference, host.state.route_ipv6
    if not addresses:
        return skip(
            "getaddrinfo returned no name with both families", subject="order", id="order-untold"
        )
    inside = all(ip_address(address).is_loopback for address in addresses)
    of = "localhost" if inside else "a name with both families"
    evidence = {"addresses": addresses, "source_ipv6": route.source if route else None}
    if ":" in addresses[0]:
        message = f"getaddrinfo puts IPv6 first, for {of}"
        return ok(message, subject="order", evidence=evidence, id="ipv6-first")
    if not inside and route is None:
        message = "getaddrinfo puts IPv4 first, because there is no IPv6 route"
        return skip(message, subject="order", evidence=evidence, id="order-unrouted")
    message = f"getaddrinfo puts IPv4 first, for {of}"
    if not inside and route is not None and route.source and IPv6Address(route.source) in ULA:
        message += f": the source would be {route.source}, unique local"
        hint = "give this host a global address: RFC 6724 prefers IPv4 to a unique local source"
        what = "ipv4-first-unique-local"
        return warn(
            message, hint=hint, subject="order", cause="network", evidence=evidence, id=what
        )
    hint = "check for `precedence ::ffff:0:0/96 100` in /etc/gai.conf, and for deprecated addresses"
    return warn(message, hint=hint, subject="order", evidence=evidence, id="ipv4-first")


# --- switches --------------------------------------------------------------------------------


def _mtu(state: HostState, ipv6: list[Held]) -> list[Finding]:
    """RFC 8200 section 5. Below it the kernel takes IPv6 off the interface, addresses and all.

    A tunnel that is meant for IPv4 alone harms nobody while IPv6 goes another way.
    """
    if ipv6 and state.route_ipv6 is not None:
        return []
    return [
        fail(
            f"MTU {interface.mtu} on {interface.name}: IPv6 needs {MIN_MTU} and is off there",
            hint=f"ip link set {interface.name} mtu 1500, or as much as the link can carry",
            subject=interface.name,
            evidence={"interface": interface.name, "mtu_bytes": interface.mtu},
            id="small-mtu",
        )
        for interface in _links(state)
        if interface.mtu < MIN_MTU
    ]


def _links(state: HostState) -> list[Interface]:
    """What leads out of this host and has an address; where nothing has, whatever leads out."""
    links = [interface for interface in state.interfaces if interface.up and not interface.loopback]
    return [interface for interface in links if interface.addresses] or links


def _settings(state: HostState) -> Finding:
    """Whether a socket on [::] serves both families unless its program says otherwise."""
    evidence = {
        "bindv6only": state.bindv6only,
        "mtu_bytes": {interface.name: interface.mtu for interface in _links(state)},
    }
    if state.bindv6only:
        message = "net.ipv6.bindv6only = 1: a socket on [::] serves IPv6 only"
        hint = "programs that rely on the default do not serve IPv4: set it to 0, or see listeners"
        return warn(message, hint=hint, subject="bindv6only", evidence=evidence, id="bindv6only")
    message = "bindv6only = 0: a socket on [::] serves both families"
    mtus = ", ".join(f"{interface.mtu} on {interface.name}" for interface in _links(state))
    message += f"; MTU {mtus}" if mtus else ""
    calm = [interface.name for interface in _without_ipv6(state) if _inner(interface, state)]
    message += f"; no IPv6 on {', '.join(calm)}, for containers" if calm else ""
    return ok(message, evidence=evidence, id="settings")
