"""Reports: results, verdicts, and the two rules that add verdicts up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ipv6check.model.failures import BadInputError
from ipv6check.model.findings import Cause, Evidence, Status
from ipv6check.model.host import RuleFiles
from ipv6check.model.network import Vantage
from ipv6check.model.settings import Settings

SCHEMA_VERSION = "1"


class Verdict(StrEnum):
    """The sum of the results, for one target and for the run."""

    READY = "ready"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"
    NOT_READY = "not-ready"


# The name of results in a target's report that are no check's; so no check can have it.
OWN_NAME = "ipv6"
WORST_FIRST = (Verdict.NOT_READY, Verdict.UNKNOWN, Verdict.DEGRADED, Verdict.READY)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file; ``line`` counts from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Waiver:
    """A finding that is excused for a while: by whom, why, and until which day, inclusive.

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


class WaiverState(StrEnum):
    """The state of a waiver on the day of the run."""

    ACTIVE = "active"
    EXPIRING = "expiring"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Waived:
    """The waiver of a result. An expired one excuses it no longer."""

    waiver: Waiver
    term: WaiverState
    days_left: int


@dataclass(frozen=True, slots=True)
class NoIPv6:
    """A service without IPv6 on purpose: why, and when this is reviewed."""

    reason: str
    review: dt.date


@dataclass(frozen=True, slots=True)
class Note:
    """A line about the run itself, such as a waiver that is about to expire. It fails nothing."""

    text: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A Finding with its check. Made by the runner alone; the gate adds what is agreed on it.

    ``finding`` is the Finding's id; ``check_version`` rises when the check judges the same facts
    differently. ``status`` says what is, ``excused`` whether a gate ignores it: it is waived, or
    the baseline has it already (``known``).
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
    check_version: int = 1
    waived: Waived | None = None
    known: bool = False

    @property
    def excused(self) -> bool:
        """Whether a gate ignores it. A waiver counts before the baseline, which prolongs none."""
        return self.known if self.waived is None else self.waived.term is not WaiverState.EXPIRED


@dataclass(frozen=True, slots=True)
class Observed:
    """The observations of one attempt at a target.

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


class GateOutcome(StrEnum):
    """The gate's decision on a run, by its thresholds, waivers and baseline."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """How the targets of a service were observed and judged, as plain data.

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
    """A recording that cannot be used: one printable line, with file and line number."""


@dataclass(frozen=True, slots=True)
class RuleDoc:
    """The documentation of a check, or of one of its findings (``tcp/refused``), in reports.

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
    """What is known of a run before its targets are: when it began, and by which rules.

    ``total``: how many targets there are, None while nobody knows. ``services``: by their names,
    "" for targets of none. ``directory`` is where the run works, to which the file of a `Place` is
    relative, ``root`` the top of the repository around it; both are absolute.
    """

    version: str
    started_at: str
    total: int | None = None
    services: Mapping[str, ServiceInfo] = field(default_factory=dict)
    rules: Iterable[RuleDoc] = ()
    directory: str = "/"
    root: str = "/"


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of a run, after its last target.

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
    gate: GateOutcome = GateOutcome.PASSED
    excused: int = 0
    notes: tuple[Note, ...] = ()
    bad_lines: int = 0
    on_purpose: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """All results of a run, in the order in which the targets were named.

    ``vantage``: where its packets left from, as known at its end.
    """

    run: RunInfo
    targets: Sequence[TargetReport]
    summary: Summary
    vantage: Vantage = field(default_factory=Vantage)


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
