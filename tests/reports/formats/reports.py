"""Reports made by hand, and those of the installed command, for the tests of formats."""

from __future__ import annotations

import datetime as dt
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ipv6check.model import (
    Cause,
    Report,
    Result,
    RunInfo,
    Status,
    Summary,
    TargetReport,
    Verdict,
    Waived,
    Waiver,
    WaiverState,
    verdict_of,
    worst,
)
from ipv6check.reports.formats import Style, load, render
from tests import installed

COMMAND = str(Path(sys.executable).with_name("ipv6check"))
RUN = RunInfo("0.1.0", "2026-11-20T12:00:00.000Z")
# Control characters, the ends of strings and sections, separators, bidi, what no encoding holds.
HOSTILE = (
    "\x1b]0;owned\x07\x00\r\n]]>&lt;<a b='c' d=\"e\"> | $x `y` \\n\x9b\u2028\u202e\ud800\ufffe é"
)
WAIVER = Waiver("tcp", "*", "new load balancer", "net team", dt.date(2026, 12, 31))
DOWN = Result(
    "tcp",
    Status.FAIL,
    "silent, IPv4 connects in 11 ms",
    "open TCP 443",
    "[2001:db8::1]:443",
    Cause.FIREWALL,
    reference="RFC 4890",
    duration_ms=3001.26,
)


def waived(result: Result, term: WaiverState = WaiverState.ACTIVE) -> Result:
    """The result with a waiver that speaks of it."""
    return replace(result, waived=Waived(WAIVER, term, 40))


def target(
    *results: Result, name: str = "example.com", service: str = "", duration_ms: float = 800.149
) -> TargetReport:
    """A target with these results, and the verdicts that follow."""
    counting = [result for result in results if not result.excused]
    verdicts = verdict_of(results, frozenset()), verdict_of(counting, frozenset())
    host = name.rpartition(":")[0] or name
    return TargetReport(
        name, host, (443,), verdicts[0], duration_ms, results, verdicts[1], service=service
    )


def report(targets: Sequence[TargetReport], **changes: Any) -> Report:
    """A report of these targets; changes are to its summary."""
    results = [result for target in targets for result in target.results]
    counts = {status: sum(result.status is status for result in results) for status in Status}
    verdicts = {
        verdict: sum(target.verdict is verdict for target in targets) for verdict in Verdict
    }
    excused = sum(result.excused for result in results)
    summary = Summary(worst(verdicts), counts, verdicts, 812.44, excused=excused)
    return Report(RUN, targets, replace(summary, **changes))


def text(name: str, *targets: TargetReport, style: Style | None = None, **changes: Any) -> str:
    """The document of a format."""
    return render(report(targets, **changes), load(name), style or Style(many=len(targets) > 1))


@contextmanager
def served() -> Iterator[int]:
    """A port of ::1 and 127.0.0.1 that accepts connections."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        yield server.getsockname()[1]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The installed command."""
    return installed.run(*arguments, env=os.environ | environment)
