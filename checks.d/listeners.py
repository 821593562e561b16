"""Services on this host listen over both IPv6 and IPv4.

Why, and what each finding means, is in listeners.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from ipv6check import (
    Attempt,
    Finding,
    Listener,
    Listeners,
    Target,
    check,
    endpoint,
    fail,
    ok,
    skip,
    warn,
)

ANY4 = "0.0.0.0"  # noqa: S104 - to compare with, not to bind
# How programs are told to listen on [::] as well, by the name of their process.
SPELLINGS = {
    "apache2": "Listen {port}",
    "httpd": "Listen {port}",
    "haproxy": "bind :::{port} v4v6",
    "mariadbd": "bind-address = *",
    "mysqld": "bind-address = *",
    "nginx": "listen [::]:{port};",
    "postgres": "listen_addresses = '*'",
    "sshd": "AddressFamily any",
}


@check(reference="RFC 3493 section 5.3", cause="host", looks_at="listening ports")
def listeners(listeners: Listeners, target: Target) -> Finding | list[Finding]:
    """Services on this host listen over both IPv6 and IPv4."""
    if not listeners.here.addresses:
        message = f"only applies to this host, and {target.host} is another one"
        return skip(message, id="not-here")
    if not listeners.ports:
        return _host(listeners)
    accepting = _accepting(listeners.attempts)
    forwarded = {port: ways for port, ways in accepting.items() if not listeners.on(port)}
    used = [port for port in listeners.ports if listeners.on(port)]
    closed = [port for port in listeners.ports if port not in used and port not in forwarded]
    if not used and not forwarded and not listeners.named:
        return _down(closed)
    found = [_down([port]) for port in closed if listeners.named]
    found += [_forwarded(listeners, port, ways) for port, ways in forwarded.items()]
    for port in used:
        found += _port(listeners, port, accepting.get(port, frozenset()))
    return found or _fine(listeners, used)


def _accepting(attempts: Iterable[Attempt]) -> dict[int, frozenset[int]]:
    """For each port the families, 6 and 4, in which every address accepts a connection."""
    ends: dict[tuple[int, int], list[bool]] = {}
    for attempt in attempts:
        family = 6 if ":" in attempt.address else 4
        ends.setdefault((attempt.port, family), []).append(attempt.connected)
    accepting = [key for key, connected in ends.items() if all(connected)]
    return {
        port: frozenset(family for number, family in accepting if number == port)
        for port, _ in accepting
    }


def _forwarded(listeners: Listeners, port: int, ways: frozenset[int]) -> Finding:
    """No socket is there, and somebody answers: DNAT or IPVS."""
    subject, evidence = f"port {port}", {"port": port, "families": _families(ways)}
    if 6 not in ways:
        message = f"port {port} is forwarded over IPv4 only: no socket listens, IPv4 connects"
        hint = "forward it for IPv6 as well (ip6 DNAT or IPVS rules)"
        what = "forwarded-ipv4-only"
        return fail(message, hint=hint, subject=subject, evidence=evidence, id=what)
    if 4 not in ways and listeners.here.ipv4:
        message = f"port {port} is forwarded over IPv6 only: no socket listens, IPv6 connects"
        hint = "if IPv4 should be served too, forward it as well"
        return warn(message, hint=hint, subject=subject, evidence=evidence, id="ipv6-only")
    message = (
        f"port {port} accepts connections though no socket listens: it is forwarded (DNAT, IPVS)"
    )
    return ok(message, subject=subject, evidence=evidence, id="forwarded")


def _families(ways: frozenset[int]) -> list[str]:
    return [f"ipv{family}" for family in (6, 4) if family in ways]


def _down(ports: list[int]) -> Finding:
    """Nothing is there over either family: not an IPv6 problem (law 4)."""
    where = " or ".join(map(str, ports))
    message = f"nothing listens on port {where}, over IPv6 or IPv4: the service is down"
    hint = "not an IPv6 problem: start the service, or give its actual port"
    return fail(message, hint=hint, subject=f"port {where}", id="down")


def _port(listeners: Listeners, port: int, accepting: frozenset[int]) -> list[Finding]:
    """What is wrong with one port that something listens on, as the target's clients meet it.

    ``accepting``: the families in which it accepts connections, whoever does.
    """
    here = listeners.here
    over6, over4 = _over6(listeners, port), _over4(listeners, port)
    if accepting >= {6, 4} and not (over6 and over4):
        return [_forwarded(listeners, port, accepting)]
    if not over6 and not over4:
        return [_elsewhere(listeners, port)]
    if not over6:
        bound = any(listener.address == ANY4 for listener in over4)
        wanted = here.ipv6[0] if here.ipv6 and not bound else "::"
        besides = [listener for listener in listeners.on(port) if _serves6(listener)]
        return [_ipv4_only(port, over4, besides, wanted)]
    missed = [address for address in here.ipv6 if not listeners.serving(port, address)]
    if missed:
        return [_missed(address, port, over6) for address in missed]
    if not over4 and here.ipv4:
        return [_ipv6_only(port, over6)]
    return _strangers(port, over6, over4)


def _over6(listeners: Listeners, port: int) -> list[Listener]:
    """What serves the target over IPv6; where it has no IPv6 address, what could."""
    if listeners.here.ipv6:
        return _serving(listeners, port, listeners.here.ipv6)
    return [
        listener for listener in _reachable(listeners.on(port), listeners) if _serves6(listener)
    ]


def _over4(listeners: Listeners, port: int) -> list[Listener]:
    """The same over IPv4."""
    if listeners.here.ipv4:
        return _serving(listeners, port, listeners.here.ipv4)
    return [
        listener for listener in _reachable(listeners.on(port), listeners) if _serves4(listener)
    ]


def _serving(listeners: Listeners, port: int, addresses: Iterable[str]) -> list[Listener]:
    found = (listener for address in addresses for listener in listeners.serving(port, address))
    return list(dict.fromkeys(found))


def _host(listeners: Listeners) -> list[Finding]:
    """Every port that others can reach; what they cannot is told."""
    tcp = [listener for listener in listeners.sockets if listener.protocol == "tcp"]
    reachable = [listener for listener in tcp if not _inside(listener)]
    found: list[Finding] = []
    well: list[Listener] = []
    for port in sorted({listener.port for listener in reachable}):
        sockets = [listener for listener in reachable if listener.port == port]
        wrong = _host_port(port, sockets, tcp)
        found += wrong
        well += sockets if not wrong else []
    exposed = {listener.port for listener in reachable}
    inside = [listener for listener in tcp if listener.port not in exposed]
    udp = [
        listener
        for listener in listeners.sockets
        if listener.protocol == "udp" and not _inside(listener)
    ]
    facts = [
        _ways(well),
        f"on loopback only: {_ports(inside)}" if inside else "",
        f"UDP: {_ports(udp)}" if udp else "",
    ]
    message = "; ".join(filter(None, facts)) or "no listening port is reachable from other hosts"
    return [*found, ok(message, evidence=_evidence(listeners.sockets), id="served")]


def _host_port(port: int, sockets: list[Listener], tcp: list[Listener]) -> list[Finding]:
    over6 = [listener for listener in sockets if _serves6(listener)]
    over4 = [listener for listener in sockets if _serves4(listener)]
    if not over6:
        besides = [listener for listener in tcp if listener.port == port and _serves6(listener)]
        meant = all(listener.address != ANY4 for listener in over4)
        return [_ipv4_only(port, over4, besides, "::", meant=meant)]
    return _strangers(port, over6, over4) if over4 else [_ipv6_only(port, over6)]


def _ipv4_only(
    port: int, over4: list[Listener], besides: list[Listener], wanted: str, *, meant: bool = False
) -> Finding:
    """Refused to every IPv6 client.

    ``besides``: what serves IPv6 where the target's clients do not get to. ``wanted``: the IPv6
    address to listen on. ``meant``: whoever chose one IPv4 address, a bridge's say, may mean it.
    """
    message = f"port {port} listens on IPv4 only: {_list(over4)}"
    message += f", over IPv6 only on {_list(besides)}" if besides else ""
    hint, subject = _fix(port, over4, wanted), f"port {port}"
    evidence = _evidence([*over4, *besides])
    severity = warn if meant else fail
    return severity(message, hint=hint, subject=subject, evidence=evidence, id="ipv4-only")


def _ipv6_only(port: int, over6: list[Listener]) -> Finding:
    message = f"port {port} listens on IPv6 only: {_list(over6)}"
    hint = f"if IPv4 should be served too, listen on {ANY4}:{port} as well, "
    hint += "or on [::] with IPV6_V6ONLY off"
    subject, evidence = f"port {port}", _evidence(over6)
    return warn(message, hint=hint, subject=subject, evidence=evidence, id="ipv6-only")


def _missed(address: str, port: int, over6: list[Listener]) -> Finding:
    subject = endpoint(address, port)
    message = f"nothing listens on {subject}, only on {_list(over6)}"
    hint = f"bind it to {subject} as well, or to [::]:{port} for all addresses"
    evidence = _evidence(over6)
    return fail(message, hint=hint, subject=subject, evidence=evidence, id="address-missed")


def _elsewhere(listeners: Listeners, port: int) -> Finding:
    """Something listens on the port, and on none of the target's addresses."""
    sockets = listeners.on(port)
    loopback = all(_inside(listener) for listener in sockets)
    if loopback:
        message, what = f"port {port} listens on loopback only: {_list(sockets)}", "loopback-only"
    else:
        named = ", ".join(listeners.here.addresses)
        message, what = f"port {port} listens on {_list(sockets)}, not on {named}", "elsewhere"
    hint, evidence = _fix(port, sockets, "::"), _evidence(sockets)
    return fail(message, hint=hint, subject=f"port {port}", evidence=evidence, id=what)


def _strangers(port: int, over6: list[Listener], over4: list[Listener]) -> list[Finding]:
    """Each family may be served by a program of its own, which need not say the same."""
    names6, names4 = _names(over6), _names(over4)
    if not names6 or not names4 or set(names6) & set(names4):
        return []
    message = (
        f"different programs serve IPv6 and IPv4 on port {port}: {_list(over6)}, {_list(over4)}"
    )
    hint = "one may be a leftover: the client's address family decides which one it reaches"
    subject, evidence = f"port {port}", _evidence([*over6, *over4])
    return [warn(message, hint=hint, subject=subject, evidence=evidence, id="two-programs")]


def _fine(listeners: Listeners, ports: list[int]) -> Finding:
    over6 = [listener for port in ports for listener in _over6(listeners, port)]
    over4 = [listener for port in ports for listener in _over4(listeners, port)]
    sockets = list(dict.fromkeys([*over6, *over4]))
    return ok(_ways(sockets), evidence=_evidence(sockets), id="served")


def _ways(sockets: list[Listener]) -> str:
    """In which way each port is served, ports of the same way together."""
    ways: dict[str, list[Listener]] = {}
    for port in dict.fromkeys(listener.port for listener in sockets):
        alike = [listener for listener in sockets if listener.port == port]
        ways.setdefault(_way(alike), []).extend(alike)
    return "; ".join(f"{_ports(alike)} {way}" for way, alike in ways.items())


def _way(sockets: list[Listener]) -> str:
    if any(listener.dual for listener in sockets):
        return "by one dual-stack socket"
    if not any(_serves4(listener) for listener in sockets):
        return "on IPv6 (no IPv4 is asked for)"
    way = "by two sockets" if len(sockets) == 2 else f"by {len(sockets)} sockets"
    return f"{way}, on loopback only" if all(_inside(listener) for listener in sockets) else way


def _fix(port: int, sockets: Iterable[Listener], wanted: str) -> str:
    hint = f"bind it to {endpoint(wanted, port)} as well"
    if wanted != "::":
        return hint
    spelt = [SPELLINGS[name] for name in _names(sockets) if name in SPELLINGS]
    return f"{hint}: {spelt[0].format(port=port)}" if spelt else hint


def _reachable(sockets: Iterable[Listener], listeners: Listeners) -> list[Listener]:
    """What clients of the target may get to: all from this host, else what is not loopback's."""
    return [listener for listener in sockets if listeners.here.loopback or not _inside(listener)]


def _inside(listener: Listener) -> bool:
    """Whether only this host gets to it."""
    return listener.interface == "lo" or ip_address(listener.address).is_loopback


def _serves6(listener: Listener) -> bool:
    return ":" in listener.address


def _serves4(listener: Listener) -> bool:
    return listener.dual or ":" not in listener.address


def _list(sockets: Iterable[Listener]) -> str:
    """``[::]:80 (nginx)``, several joined by "and"; what is bound to an interface says so."""
    named = []
    for listener in sockets:
        where = f"%{listener.interface}" if listener.interface else ""
        programs = f" ({', '.join(listener.programs)})" if listener.programs else ""
        named.append(endpoint(listener.address + where, listener.port) + programs)
    return " and ".join(named)


def _ports(sockets: Iterable[Listener]) -> str:
    """``22 (sshd), 443 (nginx)``."""
    programs: dict[int, set[str]] = {}
    for listener in sockets:
        programs.setdefault(listener.port, set()).update(listener.programs)
    return ", ".join(
        f"{port} ({', '.join(sorted(names))})" if names else f"{port}"
        for port, names in programs.items()
    )


def _names(sockets: Iterable[Listener]) -> list[str]:
    return list(dict.fromkeys(name for listener in sockets for name in listener.programs))


def _evidence(sockets: Iterable[Listener]) -> dict[str, object]:
    return {
        "listeners": [
            {
                "protocol": listener.protocol,
                "address": listener.address,
                "port": listener.port,
                "families": [
                    *(["ipv6"] if _serves6(listener) else []),
                    *(["ipv4"] if _serves4(listener) else []),
                ],
                "interface": listener.interface,
                "programs": listener.programs,
            }
            for listener in sockets
        ]
    }
