"""A service without IPv6 on purpose stands apart, until the day of the next look."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipv6check import engine
from ipv6check.commands.run import OK, exit_code
from ipv6check.config import sources as config
from ipv6check.config.target import Target
from ipv6check.config.toml import ConfigError
from ipv6check.engine import services
from ipv6check.engine.checks import loader
from ipv6check.engine.purpose import applies
from ipv6check.model import (
    GateOutcome,
    Kind,
    NoIPv6,
    Report,
    RunInfo,
    Status,
    Summary,
    TargetReport,
    Vantage,
    Verdict,
)
from ipv6check.reports.formats import Style, format_names, load, render
from ipv6check.reports.gate import Gate
from ipv6check.testing import FakeNet, answer, attempt, echo

TODAY = dt.date(2026, 11, 30)
REVIEW = dt.date(2027, 6, 1)
FILE = """
[check]
skip = ["ptr"]
no-controls = true

[service.old]
targets = ["old.example.com"]
ipv6 = "none"
reason = "the appliance has no IPv6"
review = 2027-06-01

[service.web]
targets = ["www.example.com"]
"""
OLD, WEB, IPV6, IPV4 = "old.example.com", "www.example.com", "2d00::1", "198.51.0.1"
RUN = RunInfo("0.1.0", "2026-11-30T00:00:00Z")


class Judged:
    """A run over the services of the file."""

    def __init__(self, tmp_path: Path, old: Any, *, today: dt.date = TODAY, **more: Any) -> None:
        (tmp_path / "ipv6check.toml").write_text(FILE)
        options = config.load({}, {}, tmp_path, format_names())
        found = loader.find()
        jobs = services.of_services(options, options.settings, found)
        net = FakeNet(
            *old,
            answer(WEB, "AAAA", IPV6),
            answer(WEB, "A", IPV4),
            *(attempt(address, port) for address in (IPV6, IPV4) for port in (443, 80)),
            *map(echo, (IPV6, IPV4)),
            failures={(OLD, "AAAA"): Kind.SERVFAIL} if len(old) == 1 else None,
        )
        gate = Gate(today=today, **more)
        reports: list[TargetReport] = []

        async def targets() -> AsyncIterator[Target]:
            for target in options.targets:
                yield target

        async def run() -> Summary:
            run = engine.run(jobs, targets(), net)
            async for _, report in run:
                reports.append(gate.apply(report))
            return run.summary

        self.summary = gate.conclude(asyncio.run(run()), Vantage())
        self.reports = {report.host: report for report in reports}
        self.old = self.reports[OLD]

    def told(self, format_: str, style: Style = Style(many=True)) -> str:  # noqa: B008 - frozen
        """The whole document."""
        report = Report(RUN, [*self.reports.values()], self.summary)
        return render(report, load(format_), style)


def without() -> list[Any]:
    """A name with A alone."""
    return [answer(OLD, "AAAA"), answer(OLD, "A", IPV4)]


def test_it_stands_apart(tmp_path: Path) -> None:
    """Neither ready nor not ready; the run is that of the others, and the gate passes."""
    run = Judged(tmp_path, without())
    assert run.old.purpose == NoIPv6("the appliance has no IPv6", REVIEW)
    assert (run.old.verdict, run.old.gating) == (Verdict.UNKNOWN, Verdict.READY)
    assert not [result for result in run.old.results if result.status is Status.FAIL]
    said = [result for result in run.old.results if result.finding == "no-aaaa"]
    assert said[0].message.endswith("has no AAAA record, on purpose: the appliance has no IPv6")
    assert said[0].hint == "look again on 2027-06-01"
    summary = run.summary
    assert (summary.verdict, summary.verdicts) == (Verdict.READY, {Verdict.READY: 1})
    assert (summary.on_purpose, summary.gate, summary.notes) == (1, GateOutcome.PASSED, ())
    assert exit_code(summary, lost=0) == OK


def test_every_format_says_so(tmp_path: Path) -> None:
    """With its own words."""
    run = Judged(tmp_path, without())
    table = run.told("table")
    assert "NO IPV6, ON PURPOSE" in table.upper()
    assert "1 target ready; 1 target without IPv6 on purpose" in table
    old = json.loads(run.told("json"))["targets"][0]
    assert (old["verdict"], old["gating"]) == ("unknown", "ready")
    why = {"reason": "the appliance has no IPv6", "review": "2027-06-01"}
    assert old["ipv6"] == {"expected": "none", **why}
    assert "1 ready, 1 target without IPv6 on purpose" in run.told("nagios")
    assert run.told("nagios").startswith("IPV6CHECK OK")
    assert "1 target without IPv6 on purpose" in run.told("markdown")
    assert "gate passed" in run.told("github")
    metrics = run.told("prometheus").splitlines()
    assert not [line for line in metrics if line.startswith("probe_success") and OLD in line]
    assert [line for line in metrics if "no_ipv6_review" in line and OLD in line]


def test_nothing_but_such_targets() -> None:
    """Nothing to be ready for, and nothing that fails."""
    summary = Summary(Verdict.UNKNOWN, {}, {}, 1.0, on_purpose=2)
    assert Gate().conclude(summary, Vantage()).gate is GateOutcome.PASSED


@pytest.mark.parametrize(
    ("fail_on", "gate"), [("fail", GateOutcome.PASSED), ("warn", GateOutcome.FAILED)]
)
def test_the_day_is_over(tmp_path: Path, fail_on: str, gate: GateOutcome) -> None:
    """It is noted, and warns; on the day itself it is not."""
    run = Judged(tmp_path, without(), today=REVIEW + dt.timedelta(1), fail_on=fail_on)
    assert (run.old.gating, run.summary.gate) == (Verdict.DEGRADED, gate)
    assert "its review was due on 2027-06-01" in run.summary.notes[0].text
    assert run.told("nagios").startswith("IPV6CHECK WARNING")
    in_time = Judged(tmp_path, without(), today=REVIEW, fail_on=fail_on)
    assert in_time.summary.notes == ()
    assert in_time.told("nagios").startswith("IPV6CHECK OK")


def test_somebody_published_an_address(tmp_path: Path) -> None:
    """Then it has IPv6, is judged as all others, and the word is wrong."""
    run = Judged(tmp_path, [answer(OLD, "AAAA", IPV6), answer(OLD, "A", IPV4)])
    assert (run.old.purpose, run.old.verdict) == (None, Verdict.DEGRADED)
    said = [result for result in run.old.results if result.finding == "not-none"]
    assert said[0].message.startswith("an IPv6 address is published, yet the service says ipv6")


@pytest.mark.parametrize(
    "old",
    [
        [answer(OLD, "A", IPV4)],  # and SERVFAIL for AAAA
        [answer(OLD, "AAAA", rcode="NXDOMAIN"), answer(OLD, "A", rcode="NXDOMAIN")],
        [answer(OLD, "AAAA", rcode="NXDOMAIN"), answer(OLD, "A", IPV4)],
        [answer(OLD, "AAAA", "fd00::1"), answer(OLD, "A", IPV4)],
    ],
)
def test_another_fault_is_not_agreed(tmp_path: Path, old: list[Any]) -> None:
    """A name that does not exist, or is not answered, is what it is."""
    run = Judged(tmp_path, old)
    assert (run.old.purpose, run.old.verdict) == (None, Verdict.NOT_READY)


def test_only_where_it_is_said(tmp_path: Path) -> None:
    """The other service is as before."""
    assert Judged(tmp_path, without()).reports[WEB].purpose is None
    assert not applies([], None, set())


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ('ipv6 = "none"', 'ipv6: "none" needs a reason beside it'),
        ('ipv6 = "none"\nreason = "x"', 'ipv6: "none" needs a review beside it'),
        ('ipv6 = "none"\nreason = " "\nreview = 2027-01-31', "reason: is empty"),
        ('ipv6 = "none"\nreason = "x"\nreview = "soon"', 'review: "soon" is not a date'),
        ('ipv6 = "off"\nreason = "x"\nreview = 2027-01-31', 'ipv6: "off" is not a value of ipv6'),
        ('reason = "x"', 'reason: only goes with ipv6 = "none"'),
        ("review = 2027-01-31", 'review: only goes with ipv6 = "none"'),
    ],
)
def test_what_the_file_may_say(tmp_path: Path, keys: str, says: str) -> None:
    """Never without a reason, and a day to look again."""
    file = f'[service.old]\ntargets = ["old.example.com"]\n{keys}\n'
    (tmp_path / "ipv6check.toml").write_text(file)
    with pytest.raises(ConfigError) as caught:
        config.load({}, {}, tmp_path, format_names())
    assert says in str(caught.value)


def test_a_recording_keeps_it(tmp_path: Path) -> None:
    """Who replays it hears the same."""
    (tmp_path / "ipv6check.toml").write_text(FILE)
    options = config.load({}, {}, tmp_path, format_names())
    found = loader.find()
    jobs = services.of_services(options, options.settings, found)
    infos = services.recordable(jobs)
    again = services.of_recording(infos, replace(options, services=()), found)
    assert again["old"].no_ipv6 == NoIPv6("the appliance has no IPv6", REVIEW)
