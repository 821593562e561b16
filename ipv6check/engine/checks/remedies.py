"""What more than one check can find, and the lines that fix it, for a private check to use too.

They are what the pages of our checks say, read when one of these names is first asked for. A test
holds the pages together that say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ipv6check.engine.checks import pages
from ipv6check.engine.checks.loader import shipped_directory
from ipv6check.model.findings import Explained

# The lines that do it, by software; for port 443.
LISTEN: Mapping[str, str]
ACCEPT_TCP: Mapping[str, str]
ACCEPT_ICMPV6: Mapping[str, str]
GET_IPV6: Mapping[str, str]

# The hint where this host has no IPv6.
FROM_ELSEWHERE = "run from a host with IPv6, or use --on-unknown pass in CI"

NO_IPV6_HERE: Explained
UNTRIED: Explained
NO_ROUTE_FROM_HERE: Explained
NO_TIME: Explained
NO_ADDRESS: Explained

# Where each of them is written: the examples of a finding, or the finding itself.
EXAMPLES = {
    "LISTEN": ("tcp", "refused"),
    "ACCEPT_TCP": ("tcp", "filtered"),
    "ACCEPT_ICMPV6": ("ping", "filtered"),
    "GET_IPV6": ("tcp", "unreachable"),
}
FINDINGS = {
    "NO_IPV6_HERE": ("tcp", "no-ipv6-here"),
    "UNTRIED": ("tcp", "untried"),
    "NO_ROUTE_FROM_HERE": ("tcp", "no-route-from-here"),
    "NO_TIME": ("tcp", "no-time"),
    "NO_ADDRESS": ("tcp", "no-address"),
}


def __getattr__(name: str) -> Any:
    if name in EXAMPLES:
        value: Any = MappingProxyType(_explained(*EXAMPLES[name]).examples)
    elif name in FINDINGS:
        value = _explained(*FINDINGS[name])
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _explained(check: str, finding: str) -> Explained:
    page = pages.read(shipped_directory() / f"{check}{pages.SUFFIX}")
    return next(section for section in page.findings if section.id == finding).explained
