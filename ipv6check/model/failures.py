"""Why something could not be observed: one closed list of kinds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ipv6check.model.findings import Cause


class BadInputError(ValueError):
    """What the user gave cannot be used. The message is the one printable line that says why."""


class Kind(StrEnum):
    """How the network can say no: the closed list of Failure kinds."""

    TIMEOUT = "timeout"
    REFUSED = "refused"
    RESET = "reset"
    NO_ROUTE = "no-route"
    ADDRESS_UNREACHABLE = "address-unreachable"
    PORT_UNREACHABLE = "port-unreachable"
    PROHIBITED = "administratively-prohibited"
    HOP_LIMIT = "hop-limit-exceeded"
    PACKET_TOO_BIG = "packet-too-big"
    NO_LOCAL_ROUTE = "no-local-route"
    PERMISSION = "permission"
    SERVFAIL = "servfail"
    DNS_REFUSED = "dns-refused"
    DNS_ERROR = "dns-error"
    BAD_ANSWER = "bad-answer"
    CNAME_LOOP = "cname-loop"
    TLS_ERROR = "tls-error"
    RESOLVER_UNREACHABLE = "resolver-unreachable"
    DEADLINE = "deadline"
    INTERRUPTED = "interrupted"
    NOT_RECORDED = "not-recorded"
    CRASH = "crash"
    OTHER = "other"


# What the vantage could not do says nothing of the target (law 1).
VANTAGE_KINDS = frozenset(
    {
        Kind.NO_LOCAL_ROUTE,
        Kind.PERMISSION,
        Kind.RESOLVER_UNREACHABLE,
        Kind.DEADLINE,
        Kind.INTERRUPTED,
        Kind.NOT_RECORDED,
    }
)
# What may be otherwise a moment later: a packet was lost, a server began anew, its resolver was
# busy. A refusal or a filter was somebody's decision, NXDOMAIN is an answer, a missing route takes
# longer to come back than we wait, and after a deadline there is no time left.
TRANSIENT_KINDS = frozenset({Kind.TIMEOUT, Kind.RESET, Kind.SERVFAIL, Kind.RESOLVER_UNREACHABLE})


@dataclass(frozen=True, slots=True)
class ExtendedError:
    """Why a name server says so, in its own words (RFC 8914)."""

    code: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """The network said no: data, not an exception.

    ``source`` is the address that said so, where one did (the router that sent an ICMP error);
    ``near`` tells that it is the vantage's own or its first router's, who is no part of a target.
    ``cause`` tells what was missing where time was over (kind deadline).
    ``extended`` is what a name server gave as its reasons; ``dnssec``: validation is what fails, by
    those, or because the question is answered where validation is switched off.
    """

    kind: Kind
    detail: str
    elapsed_ms: float = 0.0
    source: str | None = None
    near: bool = False
    cause: Cause | None = None
    extended: tuple[ExtendedError, ...] = ()
    dnssec: bool = False

    @property
    def of_vantage(self) -> bool:
        """Whether it says nothing of the target (law 1)."""
        return self.near or self.kind in VANTAGE_KINDS
