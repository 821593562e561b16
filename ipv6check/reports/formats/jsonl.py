"""JSON lines: one target a line, written as soon as it is done, each line whole in itself."""

from __future__ import annotations

from ipv6check.model import SCHEMA_VERSION, RunInfo, Summary, TargetReport, Vantage
from ipv6check.reports.formats import Style
from ipv6check.reports.formats.json import encode, target_object, vantage_object

ORDERED = False


def head(_run: RunInfo, _vantage: Vantage) -> str:
    """Nothing: every line stands alone."""
    return ""


def target(report: TargetReport, run: RunInfo, vantage: Vantage, _style: Style) -> str:
    """One line: the target, and what it shares with the others of its run."""
    shared = {
        "schema_version": SCHEMA_VERSION,
        "started_at": run.started_at,
        "vantage": vantage_object(vantage),
    }
    return encode(shared | target_object(report)) + "\n"


def tail(_summary: Summary, _run: RunInfo, _vantage: Vantage, _style: Style) -> str:
    """Nothing: a reader of lines adds up by itself."""
    return ""
