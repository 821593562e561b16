"""The words of the project: what is observed, what is judged, what is reported.

Everything here is frozen data. Addresses are strings in canonical form (RFC 5952), names are ASCII
without the final dot, times are milliseconds unless a name ends in ``_s``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

SCHEMA_VERSION = "1"


class BadInputError(ValueError):
    """What the user gave cannot be used. The message is the one printable line that says why."""


@dataclass(frozen=True, slots=True)
class Only:
    """What a value has to be besides its type. Whoever reads recordings asks (pydantic).

    ``test`` raises ValueError. ``endless``: a number may be infinite.
    """

    test: Callable[[Any], object] = bool
    endless: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        """What pydantic is to do with such a value."""
        from pydantic_core import core_schema  # noqa: PLC0415 - only to read a recording

        schema = handler(source) | ({"allow_inf_nan": True} if self.endless else {})
        return core_schema.no_info_after_validator_function(self._tested, schema)

    def _tested(self, value: Any) -> Any:
        self.test(value)
        return value


def _address(text: str) -> None:
    if ip_address(text).version == 6 and "%" in text:
        raise ValueError("an address with a zone")


def _port(number: int) -> None:
    if not 0 <= number <= 65535:
        raise ValueError("not a port")


Address = Annotated[str, Only(_address)]
Port = Annotated[int, Only(_port)]
# Milliseconds, infinite where nothing ever happens.
Endless = Annotated[float, Only(endless=True)]


class Status(StrEnum):
    """What one check says of one target."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"
    UNKNOWN = "unknown"
    ERROR = "error"


class Verdict(StrEnum):
    """What the results add up to, for one target and for the run."""

    READY = "ready"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"
    NOT_READY = "not-ready"


# Under this name a target's report tells what no check does; so no check can have it.
OWN_NAME = "ipv6"
WORST_FIRST = (Verdict.NOT_READY, Verdict.UNKNOWN, Verdict.DEGRADED, Verdict.READY)


class Cause(StrEnum):
    """Where the trouble is. On every finding that is not ``pass`` or ``skip``."""

    VANTAGE = "vantage"
    DNS = "dns"
    NETWORK = "network"
    FIREWALL = "firewall"
    HOST = "host"
    APPLICATION = "application"
    TOOL = "tool"


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


# A TCP says no by a reset; with a source it is a router's or a packet filter's word.
_OWN_ANSWERS = frozenset({Kind.REFUSED, Kind.RESET})


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


# --- observations of Net ---------------------------------------------------------------------


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
    where it tells them: a SYN that was lost is a retransmission, and its wait is in ``elapsed_ms``.
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
        """The address that it was made with."""
        return self.tcp.address

    @property
    def port(self) -> int:
        """The port that it was made with."""
        return self.tcp.port

    @property
    def connected(self) -> bool:
        """Whether both TCP and TLS were completed."""
        return self.tcp.connected and self.failure is None

    @property
    def silent(self) -> bool:
        """Whether it accepted the connection, and then nothing came of TLS."""
        return self.failure is not None and self.failure.kind is Kind.TIMEOUT

    @property
    def outcome(self) -> str:
        """``connected``, or the kind of the Failure that ended it: TCP's, or TLS's."""
        failure = self.tcp.failure or self.failure
        return "connected" if failure is None else failure.kind


@dataclass(frozen=True, slots=True)
class Echo:
    """ICMP echo to one address: what was sent, what came back, the least round-trip time."""

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
    """Where the packets leave from. ``ipv4``: yes or no; ``ipv6``: yes, no or broken."""

    name: str = "local"
    kind: str = "local"
    ipv4: str = "yes"
    ipv6: str = "yes"
    source_ipv6: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Listener:
    """Sockets of this host that wait for others at one address and port, by the kernel's tables.

    ``protocol``: tcp or udp. ``address``: ``::`` or ``0.0.0.0`` for every one of the family; an
    IPv4-mapped one is told as the IPv4 address that it is on the wire. ``dual``: bound to ``::``
    with IPV6_V6ONLY off, so it serves IPv4 too (RFC 3493 section 5.3). ``interface``: the only one
    it serves, empty for all. ``programs``: the names of the processes that hold it, sorted, empty
    where this user may not know.
    """

    protocol: str
    address: Address
    port: Port
    dual: bool = False
    interface: str = ""
    programs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """One address of an interface. ``state``: preferred, deprecated, tentative or duplicate."""

    address: Address
    prefix_length: int
    state: str = "preferred"


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface. ``ipv6``: whether the kernel runs IPv6 on it; ``mtu`` in bytes.

    ``carrier``: whether anything is at the other end of the link (IFF_LOWER_UP, netdevice(7)).
    ``kind``: what the kernel calls a link of its own making (bridge, tun), empty for hardware.
    """

    name: str
    mtu: int
    up: bool = True
    loopback: bool = False
    ipv6: bool = True
    addresses: tuple[InterfaceAddress, ...] = ()
    carrier: bool = True
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """Where packets to the Internet go. ``gateway`` and ``source`` are empty where there is none.

    ``dead``: the gateway does not answer neighbour discovery (RFC 4861) or ARP. Whether a host can
    be reached over a route is another question.
    """

    interface: str
    gateway: str = ""
    source: str = ""
    dead: bool = False


@dataclass(frozen=True, slots=True)
class HostState:
    """What this host's kernel says of itself. A route is None where the kernel has none.

    ``ipv6``: whether the kernel has IPv6 at all (``ipv6.disable=1`` takes it away).
    """

    interfaces: tuple[Interface, ...]
    route_ipv6: Route | None
    route_ipv4: Route | None
    bindv6only: bool = False
    ipv6: bool = True


@dataclass(frozen=True, slots=True)
class NameServer:
    """One name server that this host is configured with, and why it gave no answer, if so.

    ``loses_second``: of two questions at once from one port it answers the first alone.
    """

    address: str
    failure: Failure | None = None
    loses_second: bool = False


@dataclass(frozen=True, slots=True)
class Preference:
    """In which order getaddrinfo gives addresses of both families.

    ``missing``: why it is that of loopback, where a name on the Internet has not both.
    """

    addresses: tuple[str, ...] = ()
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Stub:
    """How programs of the vantage are told to resolve names (resolv.conf(5)).

    ``search`` completes names of fewer than ``ndots`` dots. ``unasked`` are the name servers after
    the third, which nobody asks. ``use_vc``: over TCP alone; ``no_aaaa``: getaddrinfo never asks
    for AAAA; ``single_request``: it asks for A and AAAA one after the other.
    """

    search: tuple[str, ...] = ()
    ndots: int = 1
    unasked: tuple[str, ...] = ()
    use_vc: bool = False
    no_aaaa: bool = False
    single_request: bool = False


@dataclass(frozen=True, slots=True)
class RuleTexts:
    """Firewall rules in force: (command, what it prints) each, and what could not be asked, why.

    ``leased``: the addresses of this host that DHCPv6 has given it.
    """

    texts: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    leased: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Loading:
    """What nft listed after it had loaded a file, as JSON and as text; or its ``refusal``.

    ``line`` is where it found what it refuses, 0 if it does not say. ``nft`` is its version.
    """

    nft: str
    document: str = ""
    listing: str = ""
    refusal: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class RuleFiles:
    """Files of firewall rules, (name, text) each.

    ``included``: those that each pattern of theirs includes, None where that could not be told.
    ``loaded``: what became of each text that nft was asked about.
    """

    files: tuple[tuple[str, str], ...]
    included: Mapping[str, tuple[tuple[str, str], ...] | None] = field(default_factory=dict)
    loaded: Mapping[str, Loading | Failure] = field(default_factory=dict)


# --- judgement -------------------------------------------------------------------------------


# What was seen, for programs: plain data that JSON can hold, units in the names.
Evidence = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check returns. ``message`` is one line of what is, ``hint`` one of what to do.

    ``id`` names which of the findings that its check can give this is: a short word such as
    ``refused``, by which programs know it whatever the message says. Empty where it has none.
    """

    status: Status
    message: str
    hint: str = ""
    subject: str = ""
    cause: Cause | None = None
    evidence: Evidence = field(default_factory=dict)
    id: str = ""


# What one check has to say of one target.
Findings = tuple[Finding, ...]


def ok(
    message: str, *, subject: str = "", evidence: Evidence | None = None, id: str = ""
) -> Finding:
    """A finding that passes."""
    return Finding(Status.PASS, message, subject=subject, evidence=evidence or {}, id=id)


def warn(
    message: str,
    *,
    hint: str = "",
    subject: str = "",
    cause: Cause | str | None = None,
    evidence: Evidence | None = None,
    id: str = "",
) -> Finding:
    """A finding that degrades. Without ``cause`` the check's own is taken."""
    return Finding(
        Status.WARN, message, hint, subject, Cause(cause) if cause else None, evidence or {}, id
    )


def fail(
    message: str,
    *,
    hint: str = "",
    subject: str = "",
    cause: Cause | str | None = None,
    evidence: Evidence | None = None,
    id: str = "",
) -> Finding:
    """A finding that fails. Without ``cause`` the check's own is taken."""
    return Finding(
        Status.FAIL, message, hint, subject, Cause(cause) if cause else None, evidence or {}, id
    )


def skip(
    message: str, *, subject: str = "", evidence: Evidence | None = None, id: str = ""
) -> Finding:
    """A finding that does not apply, or whose input is missing: says which."""
    return Finding(Status.SKIP, message, subject=subject, evidence=evidence or {}, id=id)


def unknown(
    message: str,
    *,
    hint: str = "",
    subject: str = "",
    cause: Cause | str = Cause.VANTAGE,
    evidence: Evidence | None = None,
    id: str = "",
) -> Finding:
    """A finding that could not be measured: says why."""
    return Finding(Status.UNKNOWN, message, hint, subject, Cause(cause), evidence or {}, id)


# --- what a team agreed on -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written down; ``line`` counts from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Waiver:
    """A finding that may stay for a while: whose decision, why, and until which day, inclusive.

    ``target`` is a glob of what the user writes as a target, or of its host. ``subject`` narrows
    the waiver to one subject of the check; empty for any.
    """

    check: str
    target: str
    reason: str
    owner: str
    expires: dt.date
    subject: str = ""
    place: Place | None = None


class Term(StrEnum):
    """How a waiver stands on the day of the run."""

    ACTIVE = "active"
    EXPIRING = "expiring"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Waived:
    """The waiver that speaks of a result. An expired one excuses it no longer."""

    waiver: Waiver
    term: Term
    days_left: int


@dataclass(frozen=True, slots=True)
class NoIPv6:
    """That a service has no IPv6 on purpose: why, and on which day somebody looks again."""

    reason: str
    review: dt.date


@dataclass(frozen=True, slots=True)
class Note:
    """A line on the run itself, such as a waiver that is about to expire. It fails nothing."""

    text: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A Finding with its check. Made by the runner alone; the gate adds what is agreed on it.

    ``finding`` is the Finding's id. ``status`` says what is, ``excused`` whether a gate lets it
    pass all the same: it is waived, or the baseline has it already (``known``).
    """

    check: str
    status: Status
    message: str
    hint: str = ""
    subject: str = ""
    cause: Cause | None = None
    evidence: Evidence = field(default_factory=dict)
    reference: str = ""
    duration_ms: float = 0.0
    finding: str = ""
    waived: Waived | None = None
    known: bool = False

    @property
    def excused(self) -> bool:
        """Whether a gate lets it pass. A waiver counts before the baseline, which prolongs none."""
        return self.known if self.waived is None else self.waived.term is not Term.EXPIRED


# --- reports ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Observed:
    """One attempt at a target.

    ``facts``: what each probe has observed, by its name, but for what can be computed from the
    rest. ``known_ms``: when each fact was known, since the attempt began.
    """

    facts: Mapping[str, Any]
    known_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TargetReport:
    """All results of one target, ordered by check.

    ``verdict`` says what is, ``gating`` is the verdict without what is excused, None where no gate
    looked at it. ``service`` and ``owner`` are empty where the target belongs to none. ``place``:
    where the target was named, None on a command line. ``requires`` is what the service requires
    of the vantage: any, ipv6 or dual-stack; ``optional`` are the checks whose unknown leaves the
    verdict alone. ``observed`` is every attempt at it, the first one first, where the run keeps
    them, and ``text`` what the user wrote, which ``target`` shows harmlessly. ``looked_at``: by
    name, what was judged; ``not_looked_at``: what the user named and nobody judged, a clause each.
    ``purpose``: that it has no IPv6 on purpose, None where it is to have it, or where anything else
    is to be said of it. Such a target stands apart from all others, whatever its verdict.
    """

    target: str
    host: str
    ports: tuple[int, ...]
    verdict: Verdict
    duration_ms: float
    results: tuple[Result, ...]
    gating: Verdict | None = None
    service: str = ""
    owner: str = ""
    place: Place | None = None
    requires: str = "any"
    optional: frozenset[str] = frozenset()
    text: str = ""
    observed: tuple[Observed, ...] = field(default=(), compare=False)
    looked_at: tuple[str, ...] = ()
    not_looked_at: tuple[str, ...] = ()
    purpose: NoIPv6 | None = None


class Gate(StrEnum):
    """What the gate says of a run, by its thresholds, waivers and baseline."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """How the targets of a service were observed and judged, as far as data can tell.

    ``settings`` are without rules, which ``rules`` holds as texts, and without ``clients_dirs``.
    ``checks``: those that judged, whatever a later version adds to its profiles.
    """

    settings: Settings
    owner: str = ""
    requires: str = "any"
    rules: RuleFiles | None = None
    checks: frozenset[str] = frozenset()
    no_ipv6: NoIPv6 | None = None


class RecordingError(BadInputError):
    """What is wrong with a recording: one printable line, with file and line number."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A check, or one finding that it can give (``tcp/refused``), as reports tell of it.

    ``about`` is its sentence, ``text`` paragraphs on why it matters and what to do, ``reference``
    and ``url`` where to read on.
    """

    id: str
    about: str
    text: str = ""
    reference: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What is known of a run before its targets are: when it began, where from, by which rules.

    ``total``: how many targets there are, None while nobody knows. ``services``: by their names,
    "" for targets of none. ``directory`` is where the run works, to which the file of a `Place` is
    relative, ``root`` the top of the repository around it; both are absolute.
    """

    version: str
    started_at: str
    vantage: Vantage
    total: int | None = None
    services: Mapping[str, ServiceInfo] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    directory: str = "/"
    root: str = "/"


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known of a run after its last target.

    ``gate`` is what the exit code says; ``excused`` counts the findings that it leaves out.
    ``bad_lines`` counts the lines of an input that name no target. ``on_purpose`` counts the
    targets that have no IPv6 on purpose, which neither ``verdict`` nor ``verdicts`` hold.
    """

    verdict: Verdict
    counts: Mapping[Status, int]
    verdicts: Mapping[Verdict, int]
    duration_ms: float
    interrupted: bool = False
    # Some result is unknown because of the vantage.
    blind: bool = False
    gate: Gate = Gate.PASSED
    excused: int = 0
    notes: tuple[Note, ...] = ()
    bad_lines: int = 0
    on_purpose: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """All results of a run, in the order in which the targets were named."""

    run: RunInfo
    targets: Sequence[TargetReport]
    summary: Summary


# --- what the user asks for ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Profile:
    """A named set of checks, ports and severities.

    ``ports``: empty for every port that listens. ``optional``: checks whose ``unknown`` leaves the
    verdict alone. ``severity``: what a check's ``warn`` becomes, ``*`` for every check; ``graded``:
    what both its ``warn`` and its ``fail`` become. ``checks``: the only ones it runs, empty for
    all; ``without``: those that it does not. ``target``: what is checked where the user names
    nothing, empty where there has to be a name.
    """

    name: str
    about: str
    ports: tuple[int, ...]
    optional: frozenset[str] = frozenset()
    severity: Mapping[str, Status] = field(default_factory=dict)
    graded: Mapping[str, Status] = field(default_factory=dict)
    checks: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    target: str = ""

    def runs(self, check: str) -> bool:
        """Whether this profile has a use for a check that nobody asked for by name."""
        return (not self.checks or check in self.checks) and check not in self.without

    def grade(self, check: str, status: Status) -> Status:
        """The status that this profile gives to a check's finding."""
        if check in self.graded and status in {Status.WARN, Status.FAIL}:
            return self.graded[check]
        if status is not Status.WARN:
            return status
        return self.severity.get(check, self.severity.get("*", status))


@dataclass(frozen=True, slots=True)
class Settings:
    """How targets are observed and judged; the same for a whole run. Times in seconds.

    ``rules``: the RuleSet of ``--firewall``, for every target; None without. ``happy_eyeballs``
    names the algorithm of the race; its delays are None where they are those of the RFC.
    ``brief``: the run is a long list, of which nobody wants to know at length what is well.
    ``clients_dirs``: where more clients are read from, whose fallback is predicted. ``retries``:
    how often a target is observed again for what may change by itself.
    """

    profile: Profile
    ports: tuple[Port, ...] = ()
    only: frozenset[str] = frozenset()
    skip: frozenset[str] = frozenset()
    resolve: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    nameservers: tuple[str, ...] = ()
    timeout_s: float = 3.0
    deadline_s: float = 15.0
    run_deadline_s: float | None = None
    parallel: int = 128
    internal: bool = False
    controls: tuple[str, ...] = ()
    rules: object | None = None
    happy_eyeballs: str = "rfc8305"
    connection_attempt_delay_ms: float | None = None
    resolution_delay_ms: float | None = None
    clients_dirs: tuple[Path, ...] = ()
    brief: bool = False
    retries: int = 0

    def ports_for(self, named: tuple[int, ...]) -> tuple[int, ...]:
        """The ports to try: those named with the target, else ``--port``, else the profile's."""
        return named or self.ports or self.profile.ports

    @property
    def optional(self) -> frozenset[str]:
        """The checks whose ``unknown`` leaves the verdict alone: none that the user asks for."""
        graded = self.profile.graded
        asked = {check for check in graded if graded[check] is Status.FAIL}
        return self.profile.optional - self.only - asked


def verdict_of(results: Sequence[Result], optional: AbstractSet[str]) -> Verdict:
    """The verdict of one target: any fail, else any required unknown, else any warn."""
    statuses = {result.status for result in results}
    if Status.FAIL in statuses:
        return Verdict.NOT_READY
    blind = (Status.UNKNOWN, Status.ERROR)
    if any(result.status in blind and result.check not in optional for result in results):
        return Verdict.UNKNOWN
    return Verdict.DEGRADED if Status.WARN in statuses else Verdict.READY


def worst(verdicts: Mapping[Verdict, int]) -> Verdict:
    """The verdict of a run. Nothing judged at all is ``unknown``."""
    return next((verdict for verdict in WORST_FIRST if verdicts.get(verdict)), Verdict.UNKNOWN)


# C0, DEL, C1, line separators, what reorders or hides a terminal's text, and lone surrogates, which
# no terminal's encoding holds.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def printable(text: str) -> str:
    r"""Text of the network's, made harmless: a control character becomes ``\xNN`` (law 8)."""
    return text if text.isprintable() else _UNPRINTABLE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
