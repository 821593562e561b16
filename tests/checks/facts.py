"""Facts for the tables of checks: a healthy name, and short words for what ails another."""

from __future__ import annotations

from functools import cache
from typing import Any

from ipv6check import (
    Addresses,
    Answer,
    Attempt,
    Cause,
    Connections,
    Echo,
    Failure,
    Finding,
    Kind,
    Path,
    Pings,
    Status,
    Unusable,
)
from ipv6check.engine.checks import loader
from ipv6check.engine.checks.api import Check
from ipv6check.net.special_addresses import special_purpose
from ipv6check.testing import answer, run_check

NAME = "shop.example"
V6, V6B, V4, V4B = "2001:470::1", "2001:470::2", "192.0.33.8", "192.0.33.9"
ROUTER = "2001:470:ffff::1"
HERE = Path("yes")
NEAR = Failure(Kind.NO_ROUTE, "fe80::1 says no route (ICMPv6 1/0)", 5.0, "fe80::1", near=True)
MAY_NOT_PING = Failure(Kind.PERMISSION, "this user may not ping")


@cache
def shipped(name: str) -> Check:
    """A shipped check, loaded once."""
    return loader.load(only=[name]).checks[0]


def judged(name: str, **facts: Any) -> list[Finding]:
    """What a shipped check finds."""
    return run_check(shipped(name), **facts)


def kept(found: list[Finding]) -> list[tuple[str, str | None]]:
    """Status and cause of each finding."""
    return [(finding.status.value, finding.cause) for finding in found]


def whole(found: list[Finding]) -> bool:
    """Whether each finding is what a reader needs: one line, and a hint where it is not well."""
    return bool(found) and all(
        finding.message
        and "\n" not in finding.message + finding.hint
        and (finding.hint or finding.status not in {Status.WARN, Status.FAIL})
        and (finding.cause in {None, *Cause})
        for finding in found
    )


def addresses(
    aaaa: Answer | Failure | None = None,
    a: Answer | Failure | None = None,
    *,
    origin: str = "dns",
    ipv6: tuple[str, ...] = (V6,),
    ipv4: tuple[str, ...] = (V4,),
    unusable: tuple[str, ...] = (),
) -> Addresses:
    """Addresses of a name; the answers of the DNS are those that lead to them."""
    if origin == "dns":
        aaaa = aaaa or answer(NAME, "AAAA", *ipv6, *unusable)
        a = a or answer(NAME, "A", *ipv4)
    reasons = []
    for address in unusable:
        reason = special_purpose(address)
        assert reason is not None
        reasons.append(Unusable(address, reason))
    return Addresses(NAME, origin, a, aaaa, ipv4, ipv6, tuple(reasons))


def connections(*attempts: Attempt, named: bool = False) -> Connections:
    """Attempts, on the ports that they name."""
    ports = tuple(dict.fromkeys(attempt.port for attempt in attempts)) or (443, 80)
    return Connections(ports, named, attempts)


def pings(*echoes: Echo) -> Pings:
    """Echoes."""
    return Pings(echoes)


def said(kind: Kind, words: str = "says so") -> Failure:
    """A router's word on an attempt."""
    return Failure(kind, f"{ROUTER} {words}", 5.0, ROUTER)
