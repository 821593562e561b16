"""Metrics for the textfile collector of Prometheus' node_exporter.

The names of blackbox_exporter are taken where the meaning is the same, so that its dashboards work;
``ipv6check_`` is before the others. Times are seconds. A label is a target, a service, a check or a
word of a closed list: never a message, and never an address that the DNS gave.

https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ipv6check.model import GateOutcome, RunInfo, Status, Summary, TargetReport, Vantage, Verdict
from ipv6check.reports.formats import Style
from ipv6check.reports.timings import connects, lookups, races

# Beyond that many targets a time series each is more than Prometheus should hold: only the run is
# told, and how many they are.
MOST_TARGETS = 10_000

_DAY = dt.timedelta(days=1)
_WHOSE = ("target", "service")
_PORT = ("port", "family")


@dataclass(frozen=True, slots=True)
class _Target:
    """What is kept of a target until all are known: metrics of one name have to stand together."""

    whose: tuple[str, str]
    verdict: Verdict
    gating: Verdict
    duration_s: float
    results: Mapping[tuple[str, Status], int]
    excused: int
    review: float | None
    expiries: Mapping[str, float]
    connects: Mapping[tuple[int, str], float]
    races: Mapping[tuple[int, str], float]
    lookups: Mapping[str, float]


def begin() -> Document:
    """The reporter of one run."""
    return Document()


class Document:
    """One run, written when its last target is known."""

    ORDERED = True

    def __init__(self) -> None:
        self._targets: list[_Target] = []
        self._untold = 0

    def head(self, _run: RunInfo, _vantage: Vantage) -> str:
        """Nothing yet."""
        return ""

    def target(self, report: TargetReport, _run: RunInfo, _vantage: Vantage, style: Style) -> str:
        """Nothing yet."""
        if self._untold or len(self._targets) == MOST_TARGETS:
            self._untold += len(self._targets) + 1
            self._targets.clear()
        else:
            self._targets.append(_kept(report, style))
        return ""

    def tail(self, summary: Summary, run: RunInfo, vantage: Vantage, _style: Style) -> str:
        """All metrics of the run."""
        return generate_latest(
            _Metrics(self._targets, self._untold, summary, run, vantage)
        ).decode()


def _kept(report: TargetReport, style: Style) -> _Target:
    expiries: dict[str, float] = {}
    for result in report.results:
        if result.waived is not None:
            ends = _end_of(result.waived.waiver.expires)
            check = style.legible(result.check)
            expiries[check] = min(ends, expiries.get(check, math.inf))
    return _Target(
        (style.legible(report.target), style.legible(report.service)),
        report.verdict,
        report.gating or report.verdict,
        report.duration_ms / 1000,
        Counter((style.legible(each.check), each.status) for each in report.results),
        sum(each.excused for each in report.results),
        None if report.purpose is None else _end_of(report.purpose.review),
        expiries,
        connects(report),
        races(report),
        lookups(report),
    )


def _end_of(day: dt.date) -> float:
    """When a day ends that counts to its end, in seconds since 1970."""
    return dt.datetime.combine(day + _DAY, dt.time(), dt.UTC).timestamp()


@dataclass(frozen=True, slots=True)
class _Metrics(Collector):
    """The metrics of a run, one family after the other: only one is held at a time."""

    targets: list[_Target]
    untold: int
    summary: Summary
    run: RunInfo
    vantage: Vantage

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Each family with its samples; what was not measured has none."""
        yield from self._of_targets()
        yield from self._of_purpose()
        yield from self._of_times()
        yield from self._of_run()

    def _of_targets(self) -> Iterator[GaugeMetricFamily]:
        yield _gauge(
            "probe_success",
            "1 where the target is ready or degraded, 0 where it is not; none where it is unknown.",
            _WHOSE,
            (
                (each.whose, each.verdict is not Verdict.NOT_READY)
                for each in self.targets
                if each.verdict is not Verdict.UNKNOWN
            ),
        )
        yield _gauge(
            "probe_duration_seconds",
            "How long the target took to check.",
            _WHOSE,
            ((each.whose, each.duration_s) for each in self.targets),
        )
        yield _gauge(
            "ipv6check_verdict",
            "1 for the verdict of the target, 0 for the others.",
            (*_WHOSE, "verdict"),
            _states((each.whose, each.verdict, Verdict) for each in self.targets),
        )
        yield _gauge(
            "ipv6check_gating_verdict",
            "The same without findings that are waived or known.",
            (*_WHOSE, "verdict"),
            _states((each.whose, each.gating, Verdict) for each in self.targets),
        )
        yield _gauge(
            "ipv6check_results",
            "Findings of the target by check and status; none where there is no such finding.",
            (*_WHOSE, "check", "status"),
            (
                ((*each.whose, check, status), number)
                for each in self.targets
                for (check, status), number in each.results.items()
            ),
        )
        yield _gauge(
            "ipv6check_excused_results",
            "Findings of the target that are waived or known.",
            _WHOSE,
            ((each.whose, each.excused) for each in self.targets),
        )
        yield _gauge(
            "ipv6check_waiver_expiry_timestamp_seconds",
            "When the first waiver ends that speaks of a finding of the check.",
            (*_WHOSE, "check"),
            (
                ((*each.whose, check), ends)
                for each in self.targets
                for check, ends in each.expiries.items()
            ),
        )

    def _of_purpose(self) -> Iterator[GaugeMetricFamily]:
        reviews = [(each.whose, each.review) for each in self.targets if each.review is not None]
        if reviews:
            yield _gauge(
                "ipv6check_no_ipv6_review_timestamp_seconds",
                "When the day ends on which to look again at a target without IPv6 on purpose.",
                _WHOSE,
                reviews,
            )

    def _of_times(self) -> Iterator[GaugeMetricFamily]:
        yield _gauge(
            "probe_dns_lookup_time_seconds",
            "How long the name took to resolve: until AAAA and A were both answered.",
            _WHOSE,
            ((each.whose, max(each.lookups.values())) for each in self.targets if each.lookups),
        )
        yield _gauge(
            "ipv6check_dns_lookup_seconds",
            "How long the answer took to AAAA (ipv6) and to A (ipv4).",
            (*_WHOSE, "family"),
            (
                ((*each.whose, family), seconds)
                for each in self.targets
                for family, seconds in each.lookups.items()
            ),
        )
        yield _gauge(
            "ipv6check_connect_seconds",
            "The fastest TCP handshake on the port; none where nothing connected.",
            (*_WHOSE, *_PORT),
            _by_port((each.whose, each.connects) for each in self.targets),
        )
        yield _gauge(
            "ipv6check_race_seconds",
            "How long a client with both families took to connect (RFC 8305), by what it ended on.",
            (*_WHOSE, *_PORT),
            _by_port((each.whose, each.races) for each in self.targets),
        )

    def _of_run(self) -> Iterator[GaugeMetricFamily]:
        summary, vantage = self.summary, self.vantage
        yield _gauge("ipv6check_build_info", "Version.", ("version",), [((self.run.version,), 1)])
        started = dt.datetime.fromisoformat(self.run.started_at).timestamp()
        for name, about, value in (
            ("timestamp_seconds", "When the run began.", started),
            ("duration_seconds", "How long the run took.", summary.duration_ms / 1000),
            ("interrupted", "1 where the run did not come to its end.", summary.interrupted),
            ("excused_results", "Findings that are waived or known.", summary.excused),
            ("untold_targets", "Targets without metrics of their own: too many.", self.untold),
            ("on_purpose_targets", "Targets without IPv6 on purpose.", summary.on_purpose),
            ("notes", "Lines on the run, such as of waivers that expire.", len(summary.notes)),
        ):
            yield _gauge(f"ipv6check_run_{name}", about, (), [((), value)])
        yield _gauge(
            "ipv6check_run_targets",
            "Targets by verdict.",
            ("verdict",),
            (((verdict,), summary.verdicts.get(verdict, 0)) for verdict in Verdict),
        )
        yield _gauge(
            "ipv6check_run_results",
            "Findings by status.",
            ("status",),
            (((status,), summary.counts.get(status, 0)) for status in Status),
        )
        yield _gauge(
            "ipv6check_run_gate",
            "1 for what the gate says of the run, 0 for the others.",
            ("gate",),
            _states([((), summary.gate, GateOutcome)]),
        )
        for family, state in (("ipv6", vantage.ipv6), ("ipv4", vantage.ipv4)):
            yield _gauge(
                f"ipv6check_vantage_{family}_up",
                "1 where the host that the run was made from can use it.",
                (),
                [((), state == "yes")],
            )


_Samples = Iterable[tuple[tuple[str, ...], float]]


def _gauge(name: str, about: str, labels: tuple[str, ...], samples: _Samples) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _states(
    states: Iterable[tuple[tuple[str, ...], str, type[Verdict | GateOutcome]]],
) -> Iterator[tuple[tuple[str, ...], float]]:
    for labels, state, every in states:
        for each in every:
            yield (*labels, each), each == state


def _by_port(
    targets: Iterable[tuple[tuple[str, str], Mapping[tuple[int, str], float]]],
) -> Iterator[tuple[tuple[str, ...], float]]:
    for whose, times in targets:
        for (port, family), seconds in sorted(times.items()):
            yield (*whose, str(port), family), seconds
