"""The observations of a run, to be evaluated again by ``--replay``; see ``recording``."""

from __future__ import annotations

from ipv6check.model import RunInfo, Summary, TargetReport, Vantage
from ipv6check.reports import recording
from ipv6check.reports.formats import Style

ORDERED = True
# Every report has to hold what was observed.
KEEPS = True


def head(run: RunInfo, vantage: Vantage) -> str:
    """The header."""
    return recording.header(run, vantage)


def target(report: TargetReport, _run: RunInfo, _vantage: Vantage, _style: Style) -> str:
    """One target, with every attempt at it."""
    return recording.target(report)


def tail(summary: Summary, _run: RunInfo, vantage: Vantage, _style: Style) -> str:
    """The end, without which a recording is truncated."""
    return recording.end(summary, vantage)
