"""The installed command against every scenario of the truth table."""

from __future__ import annotations

import json
import sys
import tomllib
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ipv6check.commands import schema
from ipv6check.engine.checks import loader
from ipv6check.model import OWN_NAME
from tests.lab import Lab, scenarios

TRUTH = Path(__file__).parent / "truth.toml"
SCENARIOS: list[dict[str, Any]] = tomllib.loads(TRUTH.read_text("utf-8"))["scenario"]
WORST_FIRST = ("fail", "error", "unknown", "warn", "pass", "skip")
JUDGING = ("--fail-on", "--on-unknown")
COMMAND = str(Path(sys.executable).with_name("ipv6check"))


@cache
def validator() -> jsonschema.Draft202012Validator:
    """The schema that every JSON output has to meet."""
    return jsonschema.Draft202012Validator(json.loads(schema.text()))


@cache
def addresses() -> dict[str, scenarios.Scenario]:
    """What the lab builds, by the scenario's name."""
    return {scenario.name: scenario for scenario in scenarios.load(TRUTH)}


def placed(text: str, scenario: dict[str, Any]) -> str:
    """The text with {aaaa0} and the like replaced by the scenario's addresses."""
    built = addresses()[scenario["name"]]
    return text.format(**{f"aaaa{number}": address for number, address in enumerate(built.aaaa)})


def worst(results: list[dict[str, Any]], check: str) -> str:
    """The worst status of one check, and its cause where it has one."""
    of = [result for result in results if result["check"] == check]
    first = min(of, key=lambda result: WORST_FIRST.index(result["status"]))
    return " ".join(filter(None, (first["status"], first["cause"])))


@cache
def explained() -> dict[str, dict[str, set[str]]]:
    """The statuses of each finding that a shipped check explains, itself or as a root cause."""
    own = {
        check.id: {
            finding.id: {str(status) for status in finding.statuses} for finding in check.findings
        }
        for check in loader.load().checks
    }
    told = {OWN_NAME: {"not-measured": {"unknown"}}}
    for check in loader.load().checks:
        roots = {root for names in check.roots.values() for root in names}
        told[check.id] = {
            key: statuses for name in (*roots, check.id) for key, statuses in own[name].items()
        }
    return told


def unexplained(result: dict[str, Any]) -> bool:
    """Whether a result is neither a finding that its check explains nor one of a missing input."""
    statuses = explained()[result["check"]].get(result["finding"])
    if statuses is None:
        return result["finding"] != "" or result["status"] not in {"skip", "unknown"}
    return result["status"] not in statuses | {"fail"}  # what a profile makes of a warn


def named(scenario: dict[str, Any]) -> Any:
    """A scenario by its name; one with a deadline of its own has no time to lose to others."""
    marks = [pytest.mark.timing] if "--deadline" in scenario.get("args", []) else []
    return pytest.param(scenario, id=str(scenario["name"]), marks=marks)


@pytest.mark.parametrize("scenario", [named(scenario) for scenario in SCENARIOS])
def test_truth(lab: Lab, scenario: dict[str, Any], tmp_path: Path) -> None:
    """The verdict, the exit code, every check's status and cause are what the table says.

    And a recording of the run says the same again, where there is no network.
    """
    recording = tmp_path / "observations"
    target = placed(scenario.get("target", f"{scenario['name']}.test"), scenario)
    arguments = ["--timeout", "1", *scenario.get("args", [])]
    run = lab.run(
        scenario.get("client", "dual"),
        [COMMAND, target, "--format", "json", "--save", f"observations={recording}", *arguments],
        timeout=30,
    )
    judging = [
        word for flag, value in pairwise(arguments) if flag in JUDGING for word in (flag, value)
    ]
    replay = [COMMAND, "--replay", str(recording), "--format", "json", *judging]
    again = lab.run("offline", replay, timeout=30)
    assert (again.returncode, again.stdout) == (run.returncode, run.stdout)
    assert "\x1b" not in run.stdout
    assert run.stderr == ""
    report = json.loads(run.stdout)
    validator().validate(report)
    (checked,) = report["targets"]
    seen = {check: worst(checked["results"], check) for check in scenario["results"]}
    expected = {
        check: seen[check] if wanted == "any" else wanted
        for check, wanted in scenario["results"].items()
    }
    story = json.dumps(checked["results"], indent=1)
    assert expected == seen, story
    assert [result for result in checked["results"] if unexplained(result)] == []
    if scenario["verdict"] != "any":
        assert scenario["verdict"] == report["verdict"] == checked["verdict"], story
        assert scenario["exit"] == run.returncode
    assert scenario.get("vantage", "yes") == report["vantage"]["ipv6"]
    said = " ".join(f"{result['message']} {result['hint']}" for result in checked["results"])
    for words in scenario.get("says", []):
        assert placed(words, scenario) in said
