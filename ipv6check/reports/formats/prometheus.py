"""Metrics for the textfile collector of Prometheus' node_exporter.

Metrics have the names of blackbox_exporter where the meaning is the same, so that its dashboards
work; all others begin with ``ipv6check_``. Times are in seconds. A label is a target, a service, a
check or a word of a closed list: never a message, and never an address from the DNS.

https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ipv6check.model import GateOutcome, RunInfo, Status, Summary, TargetReport, Vantage, Verdict
from ipv6check.reports.formats import Style
from ipv6check.reports.timings import connects, lookups, races

# With more targets, a time series each is more than Prometheus should hold: then only the metrics
# of the run are written, and how many targets they are.
MOST_TARGETS = 10_000


class _Prometheus:
    """One run, written when its last target is known."""

    ORDERED = True

    def __init__(self) -> None:
        self._targets: list[_Target] = []
        self._omitted = 0

    def head(self, _run: RunInfo, _vantage: Vantage) -> str:
        """Nothing yet."""
        return ""

    def target(self, report: TargetReport, _run: RunInfo, _vantage: Vantage, style: Style) -> str:
        """Nothing yet: the samples of a metric have to stand together."""
        if self._omitted or len(self._targets) == MOST_TARGETS:
            self._omitted += len(self._targets) + 1
            self._targets.clear()
        else:
            self._targets.append(_target(report, style))
        return ""

    def tail(self, summary: Summary, run: RunInfo, vantage: Vantage, _style: Style) -> str:
        """All metrics of the run."""
        facts = _Facts(self._targets, self._omitted, summary, run, vantage)
        return generate_latest(_Collector(facts)).decode()


begin = _Prometheus


@dataclass(frozen=True, slots=True)
class _Target:
    """The facts about one target. ``labels``: its name, and that of its service."""

    labels: tuple[str, str]
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


class _Facts(NamedTuple):
    """The facts about a run that metrics are made of."""

    targets: list[_Target]
    omitted: int
    summary: Summary
    run: RunInfo
    vantage: Vantage


def _target(report: TargetReport, style: Style) -> _Target:
    expiries: dict[str, float] = {}
    for result in report.results:
        if result.waived is not None:
            end = _end_of(result.waived.waiver.expires)
            check = style.legible(result.check)
            expiries[check] = min(end, expiries.get(check, math.inf))
    return _Target(
        (style.legible(report.target), style.legible(report.service)),
        report.verdict,
        report.gating or report.verdict,
        report.duration_ms / 1000,
        Counter((style.legible(result.check), result.status) for result in report.results),
        sum(result.excused for result in report.results),
        None if report.purpose is None else _end_of(report.purpose.review),
        expiries,
        connects(report),
        races(report),
        lookups(report),
    )


def _end_of(day: dt.date) -> float:
    """When a day ends, in seconds since 1970."""
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC).timestamp()


# The values of labels, and the value of the metric.
_Sample = tuple[tuple[str, ...], float]


class _Metric(NamedTuple):
    """A gauge: its name, help text and labels, and its samples, made of the facts of a run.

    ``optional``: the metric is left out where it has no sample.
    """

    name: str
    about: str
    labels: tuple[str, ...]
    samples: Callable[[_Facts], Iterable[_Sample]]
    optional: bool = False


def _of_run(value: Callable[[_Facts], float]) -> Callable[[_Facts], Iterable[_Sample]]:
    """One sample without labels."""
    return lambda facts: [((), value(facts))]


def _per_target(
    value: Callable[[_Target], float | None],
) -> Callable[[_Facts], Iterable[_Sample]]:
    """A sample for each target that has a value."""

    def samples(facts: _Facts) -> Iterator[_Sample]:
        for target in facts.targets:
            if (number := value(target)) is not None:
                yield target.labels, number

    return samples


def _within_targets(
    samples: Callable[[_Target], Iterable[_Sample]],
) -> Callable[[_Facts], Iterable[_Sample]]:
    """The samples of each target, after the labels of the target."""
    return lambda facts: (
        ((*target.labels, *labels), number)
        for target in facts.targets
        for labels, number in samples(target)
    )


def _states(state: Verdict | GateOutcome) -> Iterator[_Sample]:
    """1 for the state, 0 for each other one of its kind."""
    for other in type(state):
        yield (other,), other == state


def _by_port(times: Mapping[tuple[int, str], float]) -> Iterator[_Sample]:
    for (port, family), seconds in sorted(times.items()):
        yield (str(port), family), seconds


def _success(target: _Target) -> float | None:
    return None if target.verdict is Verdict.UNKNOWN else target.verdict is not Verdict.NOT_READY


_TARGET = ("target", "service")

_METRICS = (
    _Metric(
        "probe_success",
        "1 if the target is ready or degraded, 0 if it is not ready; absent if it is unknown.",
        _TARGET,
        _per_target(_success),
    ),
    _Metric(
        "probe_duration_seconds",
        "How long the check of the target took.",
        _TARGET,
        _per_target(lambda target: target.duration_s),
    ),
    _Metric(
        "ipv6check_verdict",
        "1 for the verdict of the target, 0 for the others.",
        (*_TARGET, "verdict"),
        _within_targets(lambda target: _states(target.verdict)),
    ),
    _Metric(
        "ipv6check_gating_verdict",
        "The same without findings that are waived or in the baseline.",
        (*_TARGET, "verdict"),
        _within_targets(lambda target: _states(target.gating)),
    ),
    _Metric(
        "ipv6check_results",
        "Findings of the target by check and status; absent if there are none.",
        (*_TARGET, "check", "status"),
        _within_targets(lambda target: target.results.items()),
    ),
    _Metric(
        "ipv6check_excused_results",
        "Findings of the target that are waived or in the baseline.",
        _TARGET,
        _per_target(lambda target: target.excused),
    ),
    _Metric(
        "ipv6check_waiver_expiry_timestamp_seconds",
        "When the first waiver of a finding of the check expires.",
        (*_TARGET, "check"),
        _within_targets(lambda target: (((check,), end) for check, end in target.expiries.items())),
    ),
    _Metric(
        "ipv6check_no_ipv6_review_timestamp_seconds",
        "When the review is due of a target without IPv6 on purpose.",
        _TARGET,
        _per_target(lambda target: target.review),
        optional=True,
    ),
    _Metric(
        "probe_dns_lookup_time_seconds",
        "How long the lookup of the name took, until AAAA and A were both answered.",
        _TARGET,
        _per_target(lambda target: max(target.lookups.values(), default=None)),
    ),
    _Metric(
        "ipv6check_dns_lookup_seconds",
        "How long the answer to AAAA (ipv6) and to A (ipv4) took.",
        (*_TARGET, "family"),
        _within_targets(
            lambda target: (((family,), seconds) for family, seconds in target.lookups.items())
        ),
    ),
    _Metric(
        "ipv6check_connect_seconds",
        "The fastest TCP handshake on the port; absent if nothing connected.",
        (*_TARGET, "port", "family"),
        _within_targets(lambda target: _by_port(target.connects)),
    ),
    _Metric(
        "ipv6check_race_seconds",
        "How long a Happy Eyeballs client (RFC 8305) took to connect, by the family that won.",
        (*_TARGET, "port", "family"),
        _within_targets(lambda target: _by_port(target.races)),
    ),
    _Metric(
        "ipv6check_build_info",
        "The version of ipv6check.",
        ("version",),
        lambda facts: [((facts.run.version,), 1)],
    ),
    _Metric(
        "ipv6check_run_timestamp_seconds",
        "When the run began.",
        (),
        _of_run(lambda facts: dt.datetime.fromisoformat(facts.run.started_at).timestamp()),
    ),
    _Metric(
        "ipv6check_run_duration_seconds",
        "How long the run took.",
        (),
        _of_run(lambda facts: facts.summary.duration_ms / 1000),
    ),
    _Metric(
        "ipv6check_run_interrupted",
        "1 if the run was interrupted.",
        (),
        _of_run(lambda facts: facts.summary.interrupted),
    ),
    _Metric(
        "ipv6check_run_excused_results",
        "Findings that are waived or in the baseline.",
        (),
        _of_run(lambda facts: facts.summary.excused),
    ),
    _Metric(
        "ipv6check_run_untold_targets",
        "Targets without metrics of their own, because there are too many.",
        (),
        _of_run(lambda facts: facts.omitted),
    ),
    _Metric(
        "ipv6check_run_on_purpose_targets",
        "Targets without IPv6 on purpose.",
        (),
        _of_run(lambda facts: facts.summary.on_purpose),
    ),
    _Metric(
        "ipv6check_run_notes",
        "Notes on the run, such as waivers that are about to expire.",
        (),
        _of_run(lambda facts: len(facts.summary.notes)),
    ),
    _Metric(
        "ipv6check_run_targets",
        "Targets by verdict.",
        ("verdict",),
        lambda facts: (((verdict,), facts.summary.verdicts.get(verdict, 0)) for verdict in Verdict),
    ),
    _Metric(
        "ipv6check_run_results",
        "Findings by status.",
        ("status",),
        lambda facts: (((status,), facts.summary.counts.get(status, 0)) for status in Status),
    ),
    _Metric(
        "ipv6check_run_gate",
        "1 for the outcome of the gate, 0 for the others.",
        ("gate",),
        lambda facts: _states(facts.summary.gate),
    ),
    _Metric(
        "ipv6check_vantage_ipv6_up",
        "1 if the checking host has working IPv6.",
        (),
        _of_run(lambda facts: facts.vantage.ipv6 == "yes"),
    ),
    _Metric(
        "ipv6check_vantage_ipv4_up",
        "1 if the checking host has working IPv4.",
        (),
        _of_run(lambda facts: facts.vantage.ipv4 == "yes"),
    ),
)


class _Collector(Collector):
    """The metrics of a run, one after the other: the samples of one are held at a time."""

    def __init__(self, facts: _Facts) -> None:
        self._facts = facts

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Each metric with its samples; what was not measured has none."""
        for metric in _METRICS:
            family = GaugeMetricFamily(metric.name, metric.about, labels=metric.labels)
            for labels, number in metric.samples(self._facts):
                family.add_metric(labels, number)
            if family.samples or not metric.optional:
                yield family
