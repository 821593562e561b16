"""Saved reports for tests, printed by our own reporters."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ipv6check.model import (
    Cause,
    Report,
    Result,
    RunInfo,
    Status,
    Summary,
    TargetReport,
    verdict_of,
    worst,
)
from ipv6check.reports.formats import Style, load, render

RUN = RunInfo("0.1.0", "2025-11-20T12:00:00Z")
FINE = frozenset({Status.PASS, Status.SKIP})


def result(
    status: str, subject: str = "", check: str = "tcp", cause: str = "host", finding: str = ""
) -> Result:
    """One result, with evidence that a reader has to pass over."""
    known = Status(status)
    return Result(
        check,
        known,
        f"{subject or check} is {status}",
        "mend it",
        subject,
        None if known in FINE else Cause(cause),
        {"ipv6": {"outcome": ["timeout", None, 1.5e3], "text": 'a "quote" \\ {[,'}},
        finding=finding,
    )


def target(*results: Result, name: str = "a.example", service: str = "") -> TargetReport:
    """One target with these results."""
    verdict = verdict_of(results, frozenset())
    return TargetReport(name, name, (443,), verdict, 1.0, results, service=service)


def text(format_: str, *targets: TargetReport, interrupted: bool = False) -> str:
    """A report of these targets, as the command prints it."""
    verdicts = Counter(target.verdict for target in targets)
    counts = Counter(result.status for target in targets for result in target.results)
    summary = Summary(worst(verdicts), counts, verdicts, 1.0, interrupted)
    return render(Report(RUN, targets, summary), load(format_), Style())


def save(path: Path, *targets: TargetReport, interrupted: bool = False) -> Path:
    """The same in a file, whose suffix is the format."""
    path.write_text(text(path.suffix[1:], *targets, interrupted=interrupted), "utf-8")
    return path
