"""nftables rule sets as text, generated from the plan."""

from tests.lab import plan

# What the server remembers of each flow: name of the set, type of its elements.
_MEMORY = {
    "flows6": "type ipv6_addr . inet_service . ipv6_addr . inet_service",
    "flows4": "type ipv4_addr . inet_service . ipv4_addr . inet_service",
    "known6": "type ipv6_addr . ipv6_addr . inet_service",
    "known4": "type ipv4_addr . ipv4_addr . inet_service",
    "echoes6": "typeof ip6 saddr . ip6 daddr . icmpv6 id",
    "echoes4": "typeof ip saddr . ip daddr . icmp id",
}

_REJECT_DNS = ("udp dport 53", "tcp dport 53")


def server_rules() -> str:
    """Every behaviour, in the input hook of the server."""
    faulty = [b for b in plan.BEHAVIOURS.values() if b.rules]
    chains = [_chain(b.name, b.rules) for b in faulty]
    jumps = [
        _verdicts("ip6", {str(b.network6): f"jump b-{b.name}" for b in faulty}),
        _verdicts("ip", {str(b.network4): f"jump b-{b.name}" for b in faulty}),
    ]
    hook = "type filter hook input priority filter; policy accept;"
    sets = [_set(name, elements) for name, elements in _MEMORY.items()]
    return _table(*sets, *chains, _chain("input", (hook, *_dns_rules(), *jumps)))


def router_rules() -> str:
    """What the uplink of each client does to packets, and what becomes of a behaviour's replies."""
    uplinks = [
        f"iifname {client.router_interface} {rule}"
        for client in plan.CLIENTS.values()
        if client.connected
        for rule in (
            *client.refused,
            f"meta nfproto ipv4 {client.ipv4_uplink}",
            f"meta nfproto ipv6 {client.ipv6_uplink}",
        )
    ]
    replies = [
        f"{family} saddr {network} {rule}"
        for behaviour in plan.BEHAVIOURS.values()
        for family, network in (("ip6", behaviour.network6), ("ip", behaviour.network4))
        for rule in behaviour.replies
    ]
    hook = "type filter hook forward priority filter; policy accept;"
    return _table(_chain("forward", (hook, *uplinks, *replies)))


def _dns_rules() -> list[str]:
    silent, rejecting = plan.SILENT, plan.REJECTING
    return [
        f"ip6 daddr {silent.ipv6} drop",
        f"ip daddr {silent.ipv4} drop",
        *(f"ip6 daddr {rejecting.ipv6} {port} reject" for port in _REJECT_DNS),
        *(f"ip daddr {rejecting.ipv4} {port} reject" for port in _REJECT_DNS),
    ]


def _verdicts(family: str, verdicts: dict[str, str]) -> str:
    entries = ", ".join(f"{network} : {verdict}" for network, verdict in verdicts.items())
    return f"{family} daddr vmap {{ {entries} }}"


def _set(name: str, elements: str) -> str:
    return f"  set {name} {{ {elements}; flags dynamic,timeout; timeout 30s; size 65535; }}"


def _chain(name: str, lines: tuple[str, ...]) -> str:
    # Prefixed, because nftables reserves words such as "drop" and "reset".
    label = name if name in ("input", "forward") else f"b-{name}"
    return "\n".join((f"  chain {label} {{", *(f"    {line}" for line in lines), "  }"))


def _table(*parts: str) -> str:
    return "\n".join(("table inet lab {", *parts, "}", ""))
