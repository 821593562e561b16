"""Namespaces, links, addresses and routes, as input for `ip -batch` and sysctl values."""

from tests.lab import plan

NAMESPACES = ("router", "server", "wire", *plan.CLIENTS)

_FAST4, _FAST6 = "198.19.100", "2d00:6ab:a:100::"
_SLOW4, _SLOW6 = "198.19.101", "2d00:6ab:a:101::"

# Duplicate address detection would keep every address unusable for a second.
_QUIET = {
    "net/ipv6/conf/all/accept_dad": 0,
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    "net/ipv6/conf/default/router_solicitations": 0,
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
    "net/ipv6/icmp/ratelimit": 0,
    "net/ipv4/icmp_ratelimit": 0,
    "net/ipv4/icmp_msgs_per_sec": 1_000_000,
    "net/ipv4/icmp_msgs_burst": 100_000,
}
_ROLES = {
    "router": {"net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1},
    # Servers bind to addresses that only a route makes local.
    "server": {
        "net/ipv4/ip_nonlocal_bind": 1,
        "net/ipv6/ip_nonlocal_bind": 1,
        "net/core/somaxconn": 8192,
        "net/ipv4/tcp_max_syn_backlog": 8192,
    },
    "wire": {
        "net/ipv6/conf/all/disable_ipv6": 1,
        "net/ipv6/conf/default/disable_ipv6": 1,
    },
}


def sysctls(namespace: str) -> dict[str, int]:
    """Kernel settings of a namespace, to be made before it has an interface."""
    return _QUIET | _ROLES.get(namespace, {})


def cables() -> list[str]:
    """The virtual cables between the namespaces."""
    clients = [client for client in plan.CLIENTS.values() if client.connected]
    return [
        _cable("router", "fast", "server", "fast"),
        _cable("router", "slow", "wire", "near"),
        _cable("wire", "far", "server", "slow"),
        *(_cable(client.name, "eth0", "router", client.router_interface) for client in clients),
    ]


def configuration(namespace: str) -> list[str]:
    """Addresses and routes of one namespace."""
    if namespace == "router":
        return [*_up("lo", "fast", "slow"), *_router()]
    if namespace == "server":
        return [*_up("lo", "fast", "slow"), *_server()]
    if namespace == "wire":
        return _up("near", "far")
    return _client(plan.CLIENTS[namespace])


def _cable(namespace: str, interface: str, peer_namespace: str, peer: str) -> str:
    return (
        f"link add name {interface} netns {namespace}"
        f" type veth peer name {peer} netns {peer_namespace}"
    )


def _up(*interfaces: str) -> list[str]:
    return [f"link set {interface} up" for interface in interfaces]


def _client(client: plan.Client) -> list[str]:
    if not client.connected:
        return _up("lo")
    lines = _up("lo", "eth0")
    if client.ipv4:
        lines += [
            f"addr add {client.network4[2]}/24 dev eth0",
            f"route add default via {client.network4[1]}",
        ]
    if client.ipv6:
        lines += [
            f"addr add {client.network6[2]}/64 dev eth0 nodad",
            f"route add default via {client.network6[1]}",
        ]
    return lines


def _router() -> list[str]:
    lines = _cable_end("fast", _FAST4, _FAST6, 1) + _cable_end("slow", _SLOW4, _SLOW6, 1)
    for client in plan.CLIENTS.values():
        interface = client.router_interface
        if client.connected:
            lines += _up(interface)
        if client.ipv4:
            lines.append(f"addr add {client.network4[1]}/24 dev {interface}")
        if client.ipv6:
            lines.append(f"addr add {client.network6[1]}/64 dev {interface} nodad")
    lines += [f"route add {p} via {_next_hop(p, _FAST4, _FAST6)}" for p in _fast_prefixes()]
    lines += [f"route add {p} via {_next_hop(p, _SLOW4, _SLOW6)}" for p in _slow_prefixes()]
    return lines


def _server() -> list[str]:
    return [
        *_cable_end("fast", _FAST4, _FAST6, 2),
        *_cable_end("slow", _SLOW4, _SLOW6, 2),
        f"route add default via {_FAST4}.1",
        f"route add default via {_FAST6}1",
        # A local route to a prefix makes each of its addresses ours, without configuring any.
        *(f"route add local {prefix} dev lo" for prefix in (*_fast_prefixes(), *_slow_prefixes())),
    ]


def _cable_end(interface: str, ipv4: str, ipv6: str, number: int) -> list[str]:
    return [
        f"addr add {ipv4}.{number}/24 dev {interface}",
        f"addr add {ipv6}{number}/64 dev {interface} nodad",
    ]


def _next_hop(prefix: str, ipv4: str, ipv6: str) -> str:
    return f"{ipv6}2" if ":" in prefix else f"{ipv4}.2"


def _fast_prefixes() -> list[str]:
    behaviours = [b for b in plan.BEHAVIOURS.values() if not b.rtt_ms]
    others = (plan.DNS_NETWORK6, plan.DNS_NETWORK4, plan.BULK_NETWORK4, *plan.ROOT_ADDRESSES)
    return [*_networks(behaviours), *map(str, others)]


def _slow_prefixes() -> list[str]:
    return _networks([b for b in plan.BEHAVIOURS.values() if b.rtt_ms])


def _networks(behaviours: list[plan.Behaviour]) -> list[str]:
    return [str(network) for b in behaviours for network in (b.network6, b.network4)]
