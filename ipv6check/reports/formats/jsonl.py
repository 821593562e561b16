"""JSON lines: a target on each line, complete in itself, written as soon as it is done."""

from __future__ import annotations

from ipv6check.model import SCHEMA_VERSION, RunInfo, Summary, TargetReport, Vantage
from ipv6check.reports.formats import Style
from ipv6check.reports.formats.json import encode, target_object, vantage_object

ORDERED = False


def head(_run: RunInfo, _vantage: Vantage) -> str:
    """Nothing: every line is complete."""
    return ""


def target(report: TargetReport, run: RunInfo, vantage: Vantage, _style: Style) -> str:
    """One line: the target, and the facts about the run."""
    shared = {
        "schema_version": SCHEMA_VERSION,
        "started_at": run.started_at,
        "vantage": vantage_object(vantage),
    }
    return encode(shared | target_object(report)) + "\n"


def tail(_summary: Summary, _run: RunInfo, _vantage: Vantage, _style: Style) -> str:
    """Nothing: readers of lines count themselves."""
    return ""
