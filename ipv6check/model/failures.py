"""Why something could not be observed: one closed list of kinds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ipv6check.model.findings import Cause


class BadInputError(ValueError):
    """Unusable input of the user's. The message is one printable line that says why."""


class Kind(StrEnum):
    """Kinds of Failure: a closed list."""

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


# Failures of the vantage, which say nothing about the target (law 1).
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
# Failures that may be gone a moment later: a packet was lost, a server restarted, its resolver was
# busy. A refusal or a filter is a decision, NXDOMAIN is an answer, a missing route takes longer to
# come back than we wait, and after a deadline there is no time left.
TRANSIENT_KINDS = frozenset({Kind.TIMEOUT, Kind.RESET, Kind.SERVFAIL, Kind.RESOLVER_UNREACHABLE})


@dataclass(frozen=True, slots=True)
class ExtendedError:
    """An extended DNS error: a name server's reason for its answer (RFC 8914)."""

    code: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something could not be observed: data, not an exception.

    ``source`` is the address that reported it, if any (the router that sent an ICMP error);
    ``near``: that address is the vantage's own or its first router's, no part of a target.
    ``cause`` says what was missing when time was over (kind deadline).
    ``extended`` are the reasons that a name server gave; ``dnssec``: validation fails, by those
    reasons, or because the query is answered where validation is switched off.
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
        """Whether it says nothing about the target (law 1)."""
        return self.near or self.kind in VANTAGE_KINDS
