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
        message = f"{target.host} is another host: only this one can be looked into"
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
    """Both families lack the same: not an IPv6 fault (law 4)."""
    message = "this host has no network: no address beyond its own links, neither IPv6 nor IPv4"
    hint, what = "not an IPv6 fault: bring an interface up", "offline"
    evidence = asdict(state)
    return fail(
        message, hint=hint, subject="addresses", cause="network", evidence=evidence, id=what
    )


def _no_ipv6(state: HostState, ipv4: list[Held]) -> Finding:
    names = list(dict.fromkeys(interface.name for interface, _ in ipv4))
    where = ", ".join(names)
    evidence = asdict(state)
    if not state.ipv6:
        message = "this kernel runs without IPv6: no program of this host can use it"
        hint = "remove ipv6.disable=1 from the kernel's command line (/proc/cmdline) and reboot"
        return fail(message, hint=hint, subject="addresses", evidence=evidence, id="switched-off")
    if names and not any(each.ipv6 for each in state.interfaces if each.name in names):
        message = f"IPv6 is switched off on {where}, which has IPv4"
        hint = f"sysctl -w net.ipv6.conf.{names[0]}.disable_ipv6=0"
        return fail(message, hint=hint, subject="addresses", evidence=evidence, id="switched-off")
    beside = f", IPv4 has {_named(ipv4)}" if ipv4 else ""
    message = f"no IPv6 address but link-local{beside}"
    hint = "does the router advertise a prefix, and is it taken (accept_ra, or DHCPv6)?"
    where, what = "addresses", "no-address"
    return fail(message, hint=hint, subject=where, cause="network", evidence=evidence, id=what)


def _addresses(ipv6: list[Held], ipv4: list[Held], *, internal: bool) -> list[Finding]:
    usable = [each for each in ipv6 if each[1].state in {"preferred", "deprecated"}]
    amiss = [each for each in ipv6 if each not in usable]
    # A bridge without a port waits for one, and its IPv4 address is as idle.
    found = [_amiss(*each) for each in amiss if not (usable and _idle(*each))]
    outside = [each for each in usable if IPv6Address(each[1].address) not in ULA]
    evidence: dict[str, object] = {"ipv6": _evidence(ipv6), "ipv4": _evidence(ipv4)}
    if usable and all(held.state == "deprecated" for _, held in usable):
        message = f"every IPv6 address is deprecated: {_named(usable)}"
        hint = "the router renews no lifetime: new connections are to avoid these (RFC 4862)"
        found.append(_warn(message, hint, evidence, "deprecated"))
    elif usable and not outside and not internal:
        message = f"unique local addresses only, which the Internet cannot reach: {_named(usable)}"
        hint = "get a global prefix (2000::/3), or say --internal if none is wanted (RFC 4193)"
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
        message = f"{held.address} on {interface.name} is in use by another host of the link"
        hint = "give one of the two another address; the kernel uses this one for nothing"
        what = "duplicate"
        return fail(message, hint=hint, subject=where, cause="network", evidence=evidence, id=what)
    message = f"{held.address} on {interface.name} is tentative: nobody can reach it yet"
    hint = "run this again in a second; if it stays, look whether the link is up"
    if not interface.carrier:
        hint = f"{interface.name} has no carrier: connect its cable, or whatever it leads to"
    what = "tentative"
    return warn(message, hint=hint, subject=where, cause="network", evidence=evidence, id=what)


def _switched_off(state: HostState) -> list[Finding]:
    """Interfaces that have IPv4 and no IPv6 because somebody said so, beside others with both."""
    hint = "if nobody meant it: sysctl -w net.ipv6.conf.{}.disable_ipv6=0"
    return [
        warn(
            f"IPv6 is switched off on {each.name}, which has IPv4",
            hint=hint.format(each.name),
            subject=each.name,
            id="switched-off",
        )
        for each in _without_ipv6(state)
        if not _inner(each, state)
    ]


def _without_ipv6(state: HostState) -> list[Interface]:
    """Interfaces without IPv6; a small MTU is another matter."""
    links = [each for each in _links(state) if each.mtu >= MIN_MTU]
    return [each for each in links if each.addresses and not each.ipv6]


def _inner(interface: Interface, state: HostState) -> bool:
    """Whether it is a bridge for what runs on this host, as container engines make them."""
    route = state.route_ipv4
    private = all(ip_address(each.address).is_private for each in interface.addresses)
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
        hint = "not an IPv6 fault: fine on an isolated network, else give it a default route"
        what = "no-route-at-all"
        return warn(
            message, hint=hint, subject="route", cause="network", evidence=evidence, id=what
        )
    message = f"no route to the Internet over IPv6, IPv4 goes {_via(route4)}"
    hint = "does the router advertise itself (ip -6 route), and is it heard (accept_ra)?"
    what = "no-route"
    return fail(message, hint=hint, subject="route", cause="network", evidence=evidence, id=what)


def _dead_gateway(route6: Route, route4: Route | None, evidence: Mapping[str, object]) -> Finding:
    """The kernel knows a way, and the first router on it is not there."""
    message = f"the IPv6 router does not answer: {_via(route6)}"
    hint = f"look at the router and the link: ip neigh show dev {route6.interface}"
    if route4 is not None and route4.dead:
        message += f"; nor does that of IPv4: {_via(route4)}"
        hint = f"not an IPv6 problem: look at the link of {route6.interface} and at the router"
    elif route4 is not None:
        message += f"; that of IPv4 does: {_via(route4)}"
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
        message, hint = "no name server is configured", "name one in /etc/resolv.conf"
        return [warn(message, hint=hint, subject="resolvers", id="no-resolver")]
    well = [each.address for each in servers if each.failure is None]
    if not well:
        return [_all_dead(servers, host.state)]
    dead = [each for each in servers if ":" in each.address and each.failure is not None]
    if dead and not _leads_out(host.state.route_ipv6):
        message = f"{dead[0].address} is out of reach over IPv6, see route"
        evidence, what = _answers(servers), "resolvers-unrouted"
        return [skip(message, subject="resolvers", evidence=evidence, id=what)]
    if dead:
        return [_dead(each, well[0], servers) for each in dead]
    names = ", ".join(well)
    # Over which family a resolver on this host asks others, it does not tell.
    inside = all(ip_address(address).is_loopback for address in well)
    if inside or any(":" in address for address in well):
        message = f"{names} on this host" if inside else names
        unasked = ", ".join(host.stub.unasked)
        message += f"; nobody asks {unasked}: three at most are asked" if unasked else ""
        return [ok(message, subject="resolvers", evidence=_answers(servers), id="resolvers")]
    message = f"every name server is asked over IPv4: {names}"
    hint = "add one by its IPv6 address: without IPv4 this host could resolve no name"
    evidence, what = _answers(servers), "resolvers-ipv4-only"
    return [
        warn(message, hint=hint, subject="resolvers", cause="network", evidence=evidence, id=what)
    ]


def _all_dead(servers: Sequence[NameServer], state: HostState) -> Finding:
    if not _leads_out(state.route_ipv6) and not _leads_out(state.route_ipv4):
        message = "no name server is in reach, see route"
        evidence, what = _answers(servers), "resolvers-unrouted"
        return skip(message, subject="resolvers", evidence=evidence, id=what)
    first = servers[0].failure
    assert first is not None
    message = f"no name server answers: {first.detail}"
    families = {":" in each.address for each in servers}
    hint = "over IPv6 and IPv4 alike: not an IPv6 fault" if len(families) > 1 else ""
    hint = hint or f"is {servers[0].address} the right one, up, and routed?"
    evidence, what = _answers(servers), "resolvers-dead"
    return fail(
        message, hint=hint, subject="resolvers", cause="network", evidence=evidence, id=what
    )


def _dead(server: NameServer, other: str, servers: Sequence[NameServer]) -> Finding:
    assert server.failure is not None
    message = f"name server {server.address} does not serve: {server.failure.detail}; {other} does"
    hint = "lookups wait for it: fix it, or take it out of resolv.conf"
    where, evidence, what = server.address, _answers(servers), "resolver-dead"
    return fail(message, hint=hint, subject=where, cause="network", evidence=evidence, id=what)


def _answers(servers: Sequence[NameServer]) -> dict[str, object]:
    return {
        "resolvers": [
            {"address": each.address, "outcome": each.failure.kind if each.failure else "answered"}
            for each in servers
        ]
    }


def _losses(host: Host) -> list[Finding]:
    return [
        warn(
            f"{each.address} loses the second of two questions at once: every lookup waits 5 s",
            hint="options single-request-reopen in resolv.conf; a NAT on the way is to blame",
            subject=each.address,
            cause="network",
            evidence=_answers(host.name_servers),
            id="loses-second",
        )
        for each in host.name_servers
        if each.loses_second
    ]


def _orders(host: Host) -> list[Finding]:
    """What getaddrinfo does with a name that has both families."""
    evidence = {"addresses": host.preference}
    if host.stub.no_aaaa:
        message = "options no-aaaa in resolv.conf: programs get no IPv6 address of any name"
        hint = "take it out of resolv.conf, or of RES_OPTIONS"
        return [fail(message, hint=hint, subject="order", evidence=evidence, id="no-aaaa")]
    if host.missing:
        hint = "does the resolver answer AAAA as it answers A? dig AAAA a.root-servers.net"
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
        return skip("getaddrinfo gave no name both families", subject="order", id="order-untold")
    inside = all(ip_address(address).is_loopback for address in addresses)
    of = "localhost" if inside else "a name with both families"
    evidence = {"addresses": addresses, "source_ipv6": route.source if route else None}
    if ":" in addresses[0]:
        message = f"getaddrinfo puts IPv6 first, for {of}"
        return ok(message, subject="order", evidence=evidence, id="ipv6-first")
    if not inside and route is None:
        message = "getaddrinfo puts IPv4 first, as there is no IPv6 route"
        return skip(message, subject="order", evidence=evidence, id="order-unrouted")
    message = f"getaddrinfo puts IPv4 first, for {of}"
    if not inside and route is not None and route.source and IPv6Address(route.source) in ULA:
        message += f": the source would be {route.source}, unique local"
        hint = "give it a global address: RFC 6724 takes no unique local one for the Internet"
        what = "ipv4-first-unique-local"
        return warn(
            message, hint=hint, subject="order", cause="network", evidence=evidence, id=what
        )
    hint = "look for `precedence ::ffff:0:0/96 100` in /etc/gai.conf, and at deprecated addresses"
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
            f"MTU {each.mtu} on {each.name}: IPv6 needs {MIN_MTU}, so the kernel runs none there",
            hint=f"ip link set {each.name} mtu 1500, or as much as the link can carry",
            subject=each.name,
            evidence={"interface": each.name, "mtu_bytes": each.mtu},
            id="small-mtu",
        )
        for each in _links(state)
        if each.mtu < MIN_MTU
    ]


def _links(state: HostState) -> list[Interface]:
    """What leads out of this host and has an address; where nothing has, whatever leads out."""
    links = [each for each in state.interfaces if each.up and not each.loopback]
    return [each for each in links if each.addresses] or links


def _settings(state: HostState) -> Finding:
    """Whether a socket on [::] serves both families unless its program says otherwise."""
    evidence = {
        "bindv6only": state.bindv6only,
        "mtu_bytes": {each.name: each.mtu for each in _links(state)},
    }
    if state.bindv6only:
        message = "net.ipv6.bindv6only = 1: what listens on [::] serves IPv6 alone"
        hint = "programs that count on the default lose IPv4: set it to 0, or see listeners"
        return warn(message, hint=hint, subject="bindv6only", evidence=evidence, id="bindv6only")
    message = "bindv6only = 0: a socket on [::] serves both families"
    mtus = ", ".join(f"{each.mtu} on {each.name}" for each in _links(state))
    message += f"; MTU {mtus}" if mtus else ""
    calm = [each.name for each in _without_ipv6(state) if _inner(each, state)]
    message += f"; no IPv6 on {', '.join(calm)}, for containers" if calm else ""
    return ok(message, evidence=evidence, id="settings")
