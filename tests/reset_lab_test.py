"""A server that accepts and resets at once: one outcome, however the race with it ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.lab import Lab, plan

COMMAND = str(Path(sys.executable).with_name("ipv6check"))
TARGETS = 40


def test_one_outcome(lab: Lab) -> None:
    """Of both families, forty times: the service is down, and nothing is said against IPv6.

    Regression: five outcomes in 30 runs, 18 of which blamed IPv6.
    """
    arguments = [COMMAND, "--format", "json", "--timeout", "1", "--skip", "ptr"]
    for number in range(TARGETS):
        name = f"reset{number}.test"
        for address in (plan.address6, plan.address4):
            arguments += ["--resolve", f"{name}:{address('accept-reset', 0x10 + number)}"]
        arguments.append(name)
    run = lab.run("dual", arguments, timeout=120)
    reports = json.loads(run.stdout)["targets"]
    told = {
        tuple(
            (result["check"], result["status"], result["finding"]) for result in report["results"]
        )
        for report in reports
    }
    assert len(reports) == TARGETS
    assert len(told) == 1
    (results,) = told
    assert ("tcp", "pass", "open") in results
    assert ("tls", "fail", "down") in results
    failed = {check for check, status, _ in results if status == "fail"}
    assert failed == {"tls"}
