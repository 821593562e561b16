"""The settings of a run, and the profiles they start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ipv6check.model.findings import Status
from ipv6check.model.network import Port

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
# A pause is longer by a random share of it, so that not all targets are tried again at once.
SPREAD = 0.5


def pauses_s(retries: int) -> tuple[float, ...]:
    """The shortest wait before each further attempt, in seconds; ``SPREAD`` longer at most."""
    return tuple(min(FIRST_PAUSE_S * 2**number, LONGEST_PAUSE_S) for number in range(retries))


def all_pauses_s(retries: int) -> float:
    """The longest that the pauses of one target take together, in seconds."""
    return sum(pauses_s(retries)) * (1 + SPREAD)


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
        """Whether this profile runs a check that the user has not named."""
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
    ``brief``: the run is a long list, in which what is well is reported briefly.
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
        """The checks whose ``unknown`` leaves the verdict alone: none that the user has named."""
        graded = self.profile.graded
        asked = {check for check in graded if graded[check] is Status.FAIL}
        return self.profile.optional - self.only - asked
