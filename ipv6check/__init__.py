"""Tells whether what you run is ready for IPv6. What a check's author imports, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipv6check.config.target import Target, endpoint
    from ipv6check.engine.checks.blame import blame, describe, ended_here, out_of_reach
    from ipv6check.engine.checks.loader import check
    from ipv6check.engine.checks.remedies import (
        ACCEPT_ICMPV6,
        ACCEPT_TCP,
        GET_IPV6,
        LISTEN,
        NO_ADDRESS,
        NO_IPV6_HERE,
        NO_ROUTE_FROM_HERE,
        NO_TIME,
        UNTRIED,
    )
    from ipv6check.eyeballs.prediction import Ending, Prediction, Survey
    from ipv6check.eyeballs.race import Entrant, Outcome
    from ipv6check.model import (
        VANTAGE_KINDS,
        Answer,
        Attempt,
        Cause,
        Echo,
        Failure,
        Finding,
        Handshake,
        HostState,
        Interface,
        InterfaceAddress,
        Kind,
        Listener,
        NameServer,
        Route,
        Settings,
        Status,
        fail,
        ok,
        skip,
        unknown,
        warn,
    )
    from ipv6check.model.findings import Explained
    from ipv6check.model.text import count, ms
    from ipv6check.probes.addresses import Addresses, Unusable
    from ipv6check.probes.connections import Connections
    from ipv6check.probes.handshakes import Handshakes
    from ipv6check.probes.here import Here
    from ipv6check.probes.host import Host
    from ipv6check.probes.listeners import Listeners
    from ipv6check.probes.path import Path
    from ipv6check.probes.pings import Pings
    from ipv6check.probes.pointers import Pointer, Pointers
    from ipv6check.probes.rules import Rules

__version__ = "0.1.0"

# Imported when first asked for: `ipv6check --version` must not pay for asyncio.
_HOMES = {
    "engine.checks.blame": ("blame", "describe", "ended_here", "out_of_reach"),
    "eyeballs.race": ("Entrant", "Outcome"),
    "eyeballs.prediction": ("Ending", "Prediction", "Survey"),
    "model.findings": ("Explained",),
    "engine.checks.remedies": (
        "ACCEPT_ICMPV6",
        "ACCEPT_TCP",
        "GET_IPV6",
        "LISTEN",
        "NO_ADDRESS",
        "NO_IPV6_HERE",
        "NO_ROUTE_FROM_HERE",
        "NO_TIME",
        "UNTRIED",
    ),
    "model": (
        "Answer",
        "Attempt",
        "Cause",
        "Echo",
        "Failure",
        "Finding",
        "Handshake",
        "HostState",
        "Interface",
        "InterfaceAddress",
        "Kind",
        "Listener",
        "NameServer",
        "Route",
        "Settings",
        "Status",
        "VANTAGE_KINDS",
        "fail",
        "ok",
        "skip",
        "unknown",
        "warn",
    ),
    "engine.checks.loader": ("check",),
    "probes.addresses": ("Addresses", "Unusable"),
    "probes.connections": ("Connections",),
    "probes.handshakes": ("Handshakes",),
    "probes.here": ("Here",),
    "probes.host": ("Host",),
    "probes.listeners": ("Listeners",),
    "probes.path": ("Path",),
    "probes.pings": ("Pings",),
    "probes.pointers": ("Pointer", "Pointers"),
    "probes.rules": ("Rules",),
    "config.target": ("Target", "endpoint"),
    "model.text": ("count", "ms"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ACCEPT_ICMPV6",
    "ACCEPT_TCP",
    "GET_IPV6",
    "LISTEN",
    "NO_ADDRESS",
    "NO_IPV6_HERE",
    "NO_ROUTE_FROM_HERE",
    "NO_TIME",
    "UNTRIED",
    "VANTAGE_KINDS",
    "Addresses",
    "Answer",
    "Attempt",
    "Cause",
    "Connections",
    "Echo",
    "Ending",
    "Entrant",
    "Explained",
    "Failure",
    "Finding",
    "Handshake",
    "Handshakes",
    "Here",
    "Host",
    "HostState",
    "Interface",
    "InterfaceAddress",
    "Kind",
    "Listener",
    "Listeners",
    "NameServer",
    "Outcome",
    "Path",
    "Pings",
    "Pointer",
    "Pointers",
    "Prediction",
    "Route",
    "Rules",
    "Settings",
    "Status",
    "Survey",
    "Target",
    "Unusable",
    "blame",
    "check",
    "count",
    "describe",
    "ended_here",
    "endpoint",
    "fail",
    "ms",
    "ok",
    "out_of_reach",
    "skip",
    "unknown",
    "warn",
]


def __getattr__(name: str) -> Any:
    import importlib

    if name not in _HOME:
        raise AttributeError(f"module 'ipv6check' has no attribute {name!r}")
    return getattr(importlib.import_module(f"ipv6check.{_HOME[name]}"), name)
