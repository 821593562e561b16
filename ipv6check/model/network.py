"""Observations of the network: answers, attempts, handshakes, echoes, and from where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Any

from ipv6check.model.failures import ExtendedError, Failure, Kind


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint on a value besides its type; checked when recordings are read (pydantic).

    ``test`` raises ValueError. ``endless``: a number may be infinite.
    """

    test: Callable[[Any], object] = bool
    endless: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        """The schema by which pydantic reads such a value."""
        from pydantic_core import core_schema  # noqa: PLC0415 - only to read a recording

        schema = handler(source) | ({"allow_inf_nan": True} if self.endless else {})
        return core_schema.no_info_after_validator_function(self._tested, schema)

    def _tested(self, value: Any) -> Any:
        self.test(value)
        return value


def is_ipv6(address: str) -> bool:
    """Whether an address, or a prefix, is one of IPv6; IPv4-mapped ones are."""
    return ":" in address


def endpoint(host: str, port: int) -> str:
    """``[2001:db8::1]:443``, ``192.0.2.1:443`` or ``example.com:443`` (RFC 5952 section 6)."""
    return f"[{host}]:{port}" if is_ipv6(host) else f"{host}:{port}"


def family_of(address: str) -> int:
    """The IP version of an address, or of a prefix: 4 or 6."""
    return 6 if is_ipv6(address) else 4


def _address(text: str) -> None:
    if ip_address(text).version == 6 and "%" in text:
        raise ValueError("an address with a zone")


def _port(number: int) -> None:
    if not 0 <= number <= 65535:
        raise ValueError("not a port")


Address = Annotated[str, Constraint(_address)]
Port = Annotated[int, Constraint(_port)]
# Milliseconds, infinite where nothing ever happens.
Endless = Annotated[float, Constraint(endless=True)]
# A host refuses by a reset; one with a source comes from a router or a packet filter.
_OWN_ANSWERS = frozenset({Kind.REFUSED, Kind.RESET})


@dataclass(frozen=True, slots=True)
class Answer:
    """A resolver's answer to one question (RFC 1034 section 3.6.2 for the chain).

    ``rcode`` is NOERROR or NXDOMAIN, anything else is a Failure. ``chain`` holds the CNAME targets
    in order, ``records`` the rdata in presentation form, ``ttl`` the least TTL on the way, seconds.
    ``authoritative``: by a server of the zone, which asks no other; ``unfinished``: and its chain
    leaves what that server knows. ``behind``: an alias stands behind what it leads to, where glibc
    does not look. ``extended`` is what the server has to say of its answer.
    """

    name: str
    rdtype: str
    rcode: str
    records: tuple[str, ...]
    chain: tuple[str, ...]
    ttl: int
    elapsed_ms: float
    nameserver: str
    tcp: bool = False
    authoritative: bool = False
    unfinished: bool = False
    behind: bool = False
    extended: tuple[ExtendedError, ...] = ()

    @property
    def canonical(self) -> str:
        """The name at the end of the CNAME chain."""
        return self.chain[-1] if self.chain else self.name


@dataclass(frozen=True, slots=True)
class Attempt:
    """One TCP connection attempt to one address and port, pinned to its family.

    ``rtt_ms`` and ``retransmissions`` are the kernel's own (TCP_INFO) of a completed handshake,
    where it has them: a SYN that was lost is a retransmission, and its wait is in ``elapsed_ms``.
    """

    address: Address
    port: Port
    elapsed_ms: float
    source: str | None = None
    failure: Failure | None = None
    rtt_ms: float | None = None
    retransmissions: int = 0

    @property
    def connected(self) -> bool:
        """Whether the handshake was completed."""
        return self.failure is None

    @property
    def answered(self) -> bool:
        """Whether the address itself answered: a router's ICMP error carries its sender."""
        failure = self.failure
        if failure is None:
            return True
        return failure.kind in _OWN_ANSWERS and failure.source is None and not failure.near

    @property
    def outcome(self) -> str:
        """``connected``, or the Failure's kind."""
        return "connected" if self.failure is None else self.failure.kind


@dataclass(frozen=True, slots=True)
class Handshake:
    """One TLS handshake (RFC 8446), on a TCP connection of its own that is pinned to one address.

    ``tcp`` is that connection; where it failed, nothing else is known. ``elapsed_ms`` is TLS alone.
    ``failure``: timeout where the ClientHello is met with silence, reset, or tls-error (an alert,
    the connection's end, something that is no TLS). ``version`` and ``alpn`` are what was agreed
    on, empty where nothing was. The certificate is not looked at. ``alert`` is the one that ended
    it, by its name in RFC 8446 section 6 ("unrecognized_name"), empty for none.
    ``asks_certificate``: the server went no further for want of a client certificate; until then
    all was well, so that it counts as completed.
    """

    tcp: Attempt
    elapsed_ms: float = 0.0
    failure: Failure | None = None
    version: str = ""
    alpn: str = ""
    alert: str = ""
    asks_certificate: bool = False

    @property
    def address(self) -> str:
        """The address of the TCP connection."""
        return self.tcp.address

    @property
    def port(self) -> int:
        """The port of the TCP connection."""
        return self.tcp.port

    @property
    def connected(self) -> bool:
        """Whether both TCP and TLS were completed."""
        return self.tcp.connected and self.failure is None

    @property
    def silent(self) -> bool:
        """Whether TCP was accepted, and TLS was met with silence."""
        return self.failure is not None and self.failure.kind is Kind.TIMEOUT

    @property
    def outcome(self) -> str:
        """``connected``, or the kind of the Failure that ended it: TCP's, or TLS's."""
        failure = self.tcp.failure or self.failure
        return "connected" if failure is None else failure.kind


@dataclass(frozen=True, slots=True)
class Echo:
    """ICMP echo to one address: requests sent, replies received, the least round-trip time."""

    address: Address
    sent: int
    received: int
    rtt_ms: float | None = None
    failure: Failure | None = None

    @property
    def loss_percent(self) -> float:
        """Lost requests in percent of those sent."""
        return 100.0 * (self.sent - self.received) / self.sent if self.sent else 0.0


@dataclass(frozen=True, slots=True)
class Vantage:
    """The vantage: where packets leave from. ``ipv4``: yes or no; ``ipv6``: yes, no or broken."""

    name: str = "local"
    kind: str = "local"
    ipv4: str = "yes"
    ipv6: str = "yes"
    source_ipv6: str | None = None
    detail: str = ""
