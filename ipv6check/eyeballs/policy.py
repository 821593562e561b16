"""The parameters by which a client gets from a name to a connection.

The default Policy is the plain client on Linux: glibc's ``getaddrinfo``, then one address after the
other, each for as long as the kernel sends SYNs. Times are milliseconds; ``inf`` is no limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from math import inf
from typing import Any, Literal, get_args, get_type_hints

from ipv6check.model import BadInputError, Endless

# RFC 8305 section 8; the least that is permitted is the hard bound of section 5.
RESOLUTION_DELAY_MS = 50.0
CONNECTION_ATTEMPT_DELAY_MS = 250.0
CONNECTION_ATTEMPT_DELAY_MIN_MS = 10.0
CONNECTION_ATTEMPT_DELAY_MAX_MS = 2000.0
# The type of a service's record (RFC 9460), whose hints are addresses before A and AAAA are known.
HTTPS = "HTTPS"
# glibc 2.36, one name server that answers A or AAAA and never the other: measured.
GLIBC_DNS_TIMEOUT_MS = 15_000.0


class PolicyError(BadInputError):
    """A parameter has a wrong value. The message is one line that names the key."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The parameters of one client.

    Resolution (RFC 8305 section 3):
        queries: A and AAAA at once, or the second when the first is answered.
        resolution_delay_ms: how long it waits for AAAA once it has an address.
        a_delay_ms: how long it waits for A once it has an address.
        https_delay_ms: the same for HTTPS records; None asks for none.
        dns_timeout_ms: when it takes a question for unanswered.
        needs_a: a question for A that nobody answers is fatal, whatever AAAA says.
        own_ms: what the program itself takes between the answers and its first attempt.

    Order (RFC 8305 section 4):
        prefer: the family that goes first; ``os`` leaves it to getaddrinfo's order (RFC 6724).
        interleave: ``alternate`` families, pull one of the other family to the ``second`` place,
            or ``none``.
        first_address_family_count: how many of the leading family go first where they alternate.
        addresses_max: how many of the addresses it tries; 0 is all.
        v4_mapped: takes ::ffff:192.0.2.1 for the ``ipv6`` that it is written as, for the ``ipv4``
            that it is on the wire, or will ``skip`` it.

    Attempts (RFC 8305 section 5):
        connection_attempt_delay_ms: between the starts of two attempts; ``inf`` is one by one.
        connection_attempt_delay_max_ms: where the delay is not fixed, the most that it can be.
        kick: the next attempt starts early when the ``latest`` has failed, or when all are
            (``idle``).
        fallback_delay_ms: races two families, each one with attempts of its own: when the second
            family begins at the latest (RFC 6555 section 4.2). None has one list.
        poll_ms: after a failure the next address of a family waits until the client looks again:
            when anything else happens, or after this time; 0 is at once.
        lane_end_kicks: of two families, one that has no address left starts the other's next.
        alive_max: how many attempts go on at once, the oldest is dropped; 0 is any number.
        at_once_max: the same, but the next one waits until one of them has ended.
        after_failure: whose turn it is when the latest has failed: the ``next`` address's, or that
            of the ``same`` family.

    Limits:
        attempt_timeout_ms: of one attempt, besides the kernel's.
        last_unlimited: which the last address does not have.
        share: of the time that ``connect_timeout_ms`` leaves, an attempt gets an ``equal`` share
            with those to come, or ``half`` where there are more to come.
        share_min_ms: the least that an equal share is.
        connect_timeout_ms: of resolution and all attempts.
        timeout_covers_dns: else it counts from the first attempt.
        syn_timeout_ms: when the client's own kernel gives up; None is that of the vantage.
        retry: what a client does once all have failed: nothing, the ``same`` again, or again with
            the ``leftovers``: without the first address of each family.
        success: which handshake ends the race.
        tls_timeout_ms: when it gives up on TLS, after the TCP handshake.
    """

    queries: Literal["parallel", "sequential"] = "parallel"
    resolution_delay_ms: Endless = inf
    a_delay_ms: Endless = inf
    https_delay_ms: Endless | None = None
    dns_timeout_ms: Endless = GLIBC_DNS_TIMEOUT_MS
    needs_a: bool = True
    own_ms: float = 0.0

    prefer: Literal["os", "ipv6", "ipv4"] = "os"
    interleave: Literal["none", "alternate", "second"] = "none"
    first_address_family_count: int = 1
    addresses_max: int = 0
    v4_mapped: Literal["ipv6", "ipv4", "skip"] = "ipv6"

    connection_attempt_delay_ms: Endless = inf
    connection_attempt_delay_max_ms: Endless | None = None
    kick: Literal["latest", "idle"] = "latest"
    fallback_delay_ms: Endless | None = None
    poll_ms: float = 0.0
    lane_end_kicks: bool = False
    alive_max: int = 0
    at_once_max: int = 0
    after_failure: Literal["next", "same"] = "next"

    attempt_timeout_ms: Endless = inf
    last_unlimited: bool = False
    share: Literal["none", "equal", "half"] = "none"
    share_min_ms: float = 0.0
    connect_timeout_ms: Endless = inf
    timeout_covers_dns: bool = True
    syn_timeout_ms: Endless | None = None
    retry: Literal["none", "same", "leftovers"] = "none"
    success: Literal["tcp", "tls"] = "tcp"
    tls_timeout_ms: Endless = inf

    def __post_init__(self) -> None:
        """Raise PolicyError for attempts closer than 10 ms (RFC 8305 section 5)."""
        if self.connection_attempt_delay_ms < CONNECTION_ATTEMPT_DELAY_MIN_MS:
            raise PolicyError(
                f"connection_attempt_delay_ms is {self.connection_attempt_delay_ms:g}: "
                f"the minimum is {CONNECTION_ATTEMPT_DELAY_MIN_MS:g} ms"
            )
        if self.first_address_family_count < 1:
            raise PolicyError("first_address_family_count is less than 1")

    @property
    def delays_ms(self) -> tuple[tuple[str, float], ...]:
        """The record types that are queried, in order, and how long each is waited for."""
        https = () if self.https_delay_ms is None else ((HTTPS, self.https_delay_ms),)
        return (*https, ("AAAA", self.resolution_delay_ms), ("A", self.a_delay_ms))

    def extremes(self) -> Iterator[Policy]:
        """The policy, twice where its connection attempt delay is a range."""
        if self.connection_attempt_delay_max_ms is None:
            yield self
            return
        yield replace(self, connection_attempt_delay_max_ms=None)
        yield replace(
            self,
            connection_attempt_delay_ms=self.connection_attempt_delay_max_ms,
            connection_attempt_delay_max_ms=None,
        )


KEYS = tuple(field.name for field in fields(Policy))
_HINTS = get_type_hints(Policy)


def from_mapping(values: Mapping[str, object]) -> Policy:
    """The policy that a table of a file describes.

    Every key is one of ``KEYS``. Raises PolicyError for a value that the key cannot have.
    """
    return Policy(**{key: _value(key, value) for key, value in values.items()})


def _value(key: str, value: object) -> Any:
    hint = _HINTS[key]
    if hint is bool or hint is int:
        if type(value) is hint and (hint is bool or value >= 0):
            return value
        raise PolicyError(
            f"{key} is {value!r}: not {'true or false' if hint is bool else 'a whole number'}"
        )
    if key.endswith("_ms"):
        if type(value) in {int, float} and value >= 0:  # type: ignore[operator]
            return float(value)  # type: ignore[arg-type]
        raise PolicyError(f"{key} is {value!r}: not a number of milliseconds")
    words = get_args(hint)
    if value not in words:
        raise PolicyError(f"{key} is {value!r}: not one of {', '.join(words)}")
    return value


# --- the algorithms by their RFCs ------------------------------------------------------------

RFC8305 = Policy(
    resolution_delay_ms=RESOLUTION_DELAY_MS,
    a_delay_ms=0.0,
    dns_timeout_ms=inf,
    needs_a=False,
    interleave="alternate",
    connection_attempt_delay_ms=CONNECTION_ATTEMPT_DELAY_MS,
    v4_mapped="skip",
)
# RFC 6555 section 4.2 and 5: IPv6, then IPv4 after 150 to 250 ms; no resolution delay, no list.
RFC6555 = Policy(
    dns_timeout_ms=inf,
    needs_a=False,
    prefer="ipv6",
    fallback_delay_ms=CONNECTION_ATTEMPT_DELAY_MS,
    v4_mapped="skip",
)
# draft-ietf-happy-happyeyeballs-v3-04: the first TLS handshake wins, HTTPS records are waited for.
HAPPY_V3 = replace(RFC8305, https_delay_ms=RESOLUTION_DELAY_MS, success="tls")
ALGORITHMS = {"rfc8305": RFC8305, "rfc6555": RFC6555, "v3": HAPPY_V3}


def tuned(
    policy: Policy,
    *,
    resolution_delay_ms: float | None = None,
    connection_attempt_delay_ms: float | None = None,
    first_address_family_count: int | None = None,
) -> Policy:
    """The algorithm with these constants instead of its RFC's, where they are given.

    Raises PolicyError for a connection attempt delay outside of RFC 8305 section 5: 10 ms to 2 s.
    """
    delay_ms = connection_attempt_delay_ms
    least_ms, most_ms = CONNECTION_ATTEMPT_DELAY_MIN_MS, CONNECTION_ATTEMPT_DELAY_MAX_MS
    if delay_ms is not None and not least_ms <= delay_ms <= most_ms:
        raise PolicyError(
            f"a connection attempt delay of {delay_ms:g} ms is not between "
            f"{least_ms:g} and {most_ms:g} ms"
        )
    delay = "fallback" if policy.fallback_delay_ms is not None else "connection_attempt"
    given: dict[str, Any] = {
        "resolution_delay_ms": resolution_delay_ms,
        f"{delay}_delay_ms": delay_ms,
        "first_address_family_count": first_address_family_count,
    }
    return replace(policy, **{key: value for key, value in given.items() if value is not None})
