"""A failed attempt: where the trouble is, and the words for it. Pure."""

from __future__ import annotations

from ipaddress import ip_address

from ipv6check.model import Attempt, Cause, Echo, Failure, Kind

_CAUSES = {
    Kind.PROHIBITED: Cause.FIREWALL,
    Kind.PORT_UNREACHABLE: Cause.FIREWALL,
    Kind.RESET: Cause.HOST,
    Kind.REFUSED: Cause.HOST,
    Kind.NO_LOCAL_ROUTE: Cause.VANTAGE,
}
_WORDS = {
    Kind.TIMEOUT: "is silent",
    Kind.REFUSED: "refuses",
    Kind.RESET: "resets the connection",
}


def blame(attempt: Attempt, others: tuple[Attempt, ...] = (), echo: Echo | None = None) -> Cause:
    """Where the trouble of a failed attempt is.

    ``others`` are attempts to the same address on other ports, ``echo`` its ping: silence of a host
    that answers otherwise is a firewall's.
    """
    assert attempt.failure is not None
    kind = attempt.failure.kind
    if kind is Kind.NO_LOCAL_ROUTE and ip_address(attempt.address).is_loopback:
        return Cause.HOST  # the vantage is the target
    if attempt.failure.of_vantage:
        return Cause.VANTAGE
    if kind is Kind.TIMEOUT:
        alive = (echo is not None and echo.received) or any(other.answered for other in others)
        return Cause.FIREWALL if alive else Cause.NETWORK
    if kind in {Kind.REFUSED, Kind.RESET} and attempt.failure.source is not None:
        # A host refuses TCP with a reset; a firewall may do so with an ICMP message.
        return Cause.FIREWALL
    return _CAUSES.get(kind, Cause.NETWORK)


def ended_here(failure: Failure | None, address: str) -> bool:
    """Whether the attempt failed at this host or its own router, which are not the target."""
    return failure is not None and failure.of_vantage and not ip_address(address).is_loopback


def out_of_reach(failure: Failure, subject: str, address: str) -> tuple[str, Cause, str]:
    """Message, cause and finding id of an attempt that ended here although IPv6 works.

    The id is that of `NO_ROUTE_FROM_HERE` or of `UNTRIED`.
    """
    if failure.kind is Kind.NO_ROUTE and failure.source is not None:
        message = f"this host's IPv6 works, but its router has no route to {address}"
        return message, Cause.NETWORK, "no-route-from-here"
    return f"{subject} cannot be tried from here: {failure.detail}", Cause.VANTAGE, "untried"


def describe(failure: Failure) -> str:
    """Predicate of a sentence whose subject is the address: ``is silent``, ``refuses``."""
    if failure.source is None and failure.kind in _WORDS:
        return _WORDS[failure.kind]
    return f"fails: {failure.detail}"
