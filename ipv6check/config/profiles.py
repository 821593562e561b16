"""Profiles: named sets of ports, checks and severities that say what a target needs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ipv6check.model import Profile, Status

# Checks of a host as a whole, which are of no use for one service.
_HOST_CHECKS = frozenset({"host"})

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile(
                "web",
                "a web site: HTTPS and HTTP",
                ports=(443, 80),
                optional=frozenset({"ping", "ptr", "fallback", "firewall", "listeners"}),
                without=_HOST_CHECKS,
            ),
            Profile(
                "mail",
                "a mail exchanger: other servers reject mail from an address without a PTR record",
                ports=(25,),
                optional=frozenset({"ping", "fallback", "firewall", "listeners"}),
                severity={"ptr": Status.FAIL},
                without=_HOST_CHECKS,
            ),
            Profile(
                "dns",
                "a name server",
                ports=(53,),
                optional=frozenset({"ping", "ptr", "fallback", "firewall", "listeners"}),
                without=_HOST_CHECKS,
            ),
            Profile(
                "strict",
                "a web site; every warning counts as a failure",
                ports=(443, 80),
                severity={"*": Status.FAIL},
                without=_HOST_CHECKS,
            ),
            Profile(
                "host",
                "this host itself: addresses, routes, resolvers and every listening port",
                ports=(),
                optional=frozenset({"firewall"}),
                checks=frozenset({"firewall", "host", "listeners"}),
                target="localhost",
            ),
        )
    }
)
