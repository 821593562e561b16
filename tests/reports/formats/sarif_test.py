"""SARIF: valid, accepted by GitHub's rules, the same alert in every run, and honest about cuts."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from ipv6check.model import Note, Place, Result, RuleDoc, RunInfo, Status, WaiverState
from ipv6check.model.text import printable
from ipv6check.reports.formats import Style, load, render
from ipv6check.reports.formats.sarif import MOST_RESULTS
from tests.reports.formats.reports import DOWN, HOSTILE, report, run, served, target, waived
from tests.reports.formats.reports import RUN as BARE

SCHEMA = json.loads((Path(__file__).parents[2] / "data/sarif-2.1.0-rtm.5.json").read_text("utf-8"))
VALIDATOR = Draft4Validator(SCHEMA)
RULES = (
    RuleDoc(
        "aaaa", "Has AAAA.", "Why.\n\nMore.", "RFC 6890", "https://www.rfc-editor.org/rfc/rfc6890"
    ),
    RuleDoc("tcp", "Accepts.", "Because.", "RFC 4890", "https://www.rfc-editor.org/rfc/rfc4890"),
)
RUN = replace(BARE, rules=RULES, directory="/repo/sub", root="/repo")
SLOW = Result("aaaa", Status.WARN, "late", subject="example.com")


def sarif(*targets: Any, run: RunInfo = RUN, **changes: Any) -> dict[str, Any]:
    """The run of a document that is valid, and that GitHub takes."""
    whole = replace(report(targets, **changes), run=run)
    document = json.loads(render(whole, load("sarif"), Style()))
    VALIDATOR.validate(document)
    (told,) = document["runs"]
    accepted_by_github(told)
    assert isinstance(told, dict)
    return told


def accepted_by_github(told: dict[str, Any]) -> None:
    """Code scanning's own rules, by its page "SARIF support for code scanning"."""
    assert len(told["results"]) <= 25_000
    rules = told["tool"]["driver"]["rules"]
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["fullDescription"]["text"]
        assert rule["help"]["text"]
        assert (
            max(len(rule[key]["text"]) for key in ("shortDescription", "fullDescription")) <= 1024
        )
        assert len(rule["properties"]["tags"]) <= 20
    for result in told["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        assert result["partialFingerprints"]["primaryLocationLineHash"]
        (location,) = result["locations"]
        physical = location["physicalLocation"]
        uri = physical["artifactLocation"]["uri"]
        assert uri
        assert not uri.startswith(("/", "..", "file:"))
        assert physical["artifactLocation"]["uriBaseId"] in told["originalUriBaseIds"]
        assert physical["region"]["startLine"] >= 1


def where(result: dict[str, Any]) -> tuple[str, int]:
    """The file and the line of a result."""
    physical = result["locations"][0]["physicalLocation"]
    return physical["artifactLocation"]["uri"], physical["region"]["startLine"]


def prints(told: dict[str, Any]) -> list[str]:
    """The fingerprints of a run."""
    return [result["partialFingerprints"]["primaryLocationLineHash"] for result in told["results"]]


def test_a_finding_is_a_result() -> None:
    """A fail is an error, a warn a warning; the rule has its help, and the message the mend."""
    told = sarif(target(DOWN, SLOW))
    first, second = told["results"]
    assert (first["ruleId"], first["level"]) == ("tcp", "error")
    assert (second["ruleId"], second["level"]) == ("aaaa", "warning")
    assert first["message"]["text"] == (
        "example.com: silent, IPv4 connects in 11 ms\nTo fix: open TCP 443"
    )
    rule = told["tool"]["driver"]["rules"][second["ruleIndex"]]
    assert rule["helpUri"] == "https://www.rfc-editor.org/rfc/rfc6890"
    assert rule["help"]["text"] == "Has AAAA.\n\nWhy.\n\nMore.\n\nRFC 6890"
    assert rule["fullDescription"]["text"] == "Why."


def test_a_finding_with_a_name_is_a_rule() -> None:
    """GitHub groups and dismisses alerts by rule: a refusal is not a silence."""
    told = sarif(target(replace(DOWN, finding="refused")))
    (result,) = told["results"]
    assert result["ruleId"] == "tcp/refused"
    assert told["tool"]["driver"]["rules"][result["ruleIndex"]]["help"]["text"].startswith(
        "Accepts."
    )


def test_a_private_check_that_nobody_described() -> None:
    """A result without a rule gets one: a document from elsewhere is still whole."""
    told = sarif(target(replace(DOWN, check="ours")), run=replace(RUN, rules=()))
    assert [rule["id"] for rule in told["tool"]["driver"]["rules"]] == ["ours"]


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("hosts.txt", "sub/hosts.txt"),
        ("../ipv6check.toml", "ipv6check.toml"),
        ("/repo/our hosts%.txt", "our%20hosts%25.txt"),
        ("/etc/hosts", "ipv6check.toml"),
        ("../../elsewhere", "ipv6check.toml"),
        ("/repository/x", "ipv6check.toml"),
        ("bücher.txt", "sub/b%C3%BCcher.txt"),
    ],
)
def test_the_line_that_names_the_target(file: str, uri: str) -> None:
    """Relative to the top of the repository, quoted; what lies outside of it has no line there."""
    told = sarif(replace(target(DOWN), place=Place(file, 7)))
    line = 1 if uri == "ipv6check.toml" and file != "../ipv6check.toml" else 7
    assert where(told["results"][0]) == (uri, line)


def test_a_target_that_no_file_names() -> None:
    """It gets the line where it could be named, which stays the same."""
    assert where(sarif(target(DOWN))["results"][0]) == ("ipv6check.toml", 1)


def test_fingerprints_are_stable() -> None:
    """They outlive another message, another time and another line; two findings have two."""
    again = replace(DOWN, message="silent, IPv4 connects in 99 ms", duration_ms=1, hint="")
    moved = replace(target(again), place=Place("hosts.txt", 9))
    assert prints(sarif(target(DOWN))) == prints(sarif(moved))
    different = [
        target(DOWN),
        target(DOWN, DOWN),
        target(DOWN, name="www.example.com"),
        target(replace(DOWN, subject="[2001:db8::2]:443")),
        target(replace(DOWN, check="other")),
    ]
    assert len({hashed for one in different for hashed in prints(sarif(one))}) == 5


def test_what_is_excused_is_suppressed() -> None:
    """With reason, owner and last day; an expired waiver suppresses nothing."""
    results = waived(DOWN), replace(SLOW, known=True), waived(DOWN, WaiverState.EXPIRED)
    first, second, third = sarif(target(*results))["results"]
    (why,) = first["suppressions"]
    assert (why["kind"], why["status"]) == ("external", "accepted")
    assert why["justification"] == "waived until 2026-12-31 by net team: new load balancer"
    assert "baseline" in second["suppressions"][0]["justification"]
    assert third["suppressions"] == []


def test_what_could_not_be_measured_is_no_alert() -> None:
    """Unknown and error are the run's: a notification each, however many targets; pass is none."""
    blind = Result("tcp", Status.UNKNOWN, "no IPv6 route here")
    broken = Result("ours", Status.ERROR, "ZeroDivisionError")
    fine = Result("ping", Status.PASS, "answers")
    told = sarif(*[target(blind, fine, name=f"h{n}.example") for n in range(300)], target(broken))
    assert told["results"] == []
    (invocation,) = told["invocations"]
    assert [
        notification["message"]["text"] for notification in invocation["toolExecutionNotifications"]
    ] == [
        "tcp, 300 targets: no IPv6 route here",
        "ours, 1 target: ZeroDivisionError",
    ]
    assert invocation["executionSuccessful"] is False
    assert sarif(target(blind))["invocations"][0]["executionSuccessful"] is True


def test_a_run_that_is_not_whole() -> None:
    """It is told, and did not succeed."""
    (invocation,) = sarif(interrupted=True, bad_lines=2)["invocations"]
    assert invocation["executionSuccessful"] is False
    assert [
        notification["message"]["text"] for notification in invocation["toolExecutionNotifications"]
    ] == [
        "interrupted: the remaining targets were not checked",
        "2 input lines are not valid targets",
    ]


def test_notes_of_the_run() -> None:
    """An expiring waiver is told at its line."""
    notes = (Note("expires in 3 days", Place("../ipv6check.toml", 12)), Note("elsewhere"))
    first, second = sarif(notes=notes)["invocations"][0]["toolConfigurationNotifications"]
    assert where(first) == ("ipv6check.toml", 12)
    assert "locations" not in second


def test_nothing_found() -> None:
    """No target, and targets of which nothing is wrong, are a document without results."""
    assert sarif()["results"] == []
    fine = target(Result("tcp", Status.PASS, "connects"))
    assert sarif(fine, target(DOWN), fine)["results"][0]["ruleId"] == "tcp"


def test_too_many_for_github() -> None:
    """A file with more than 25,000 results is refused: the rest is counted, the size is fine."""
    down = target(*[replace(DOWN, subject=f"[2001:db8::{n:x}]:443") for n in range(100)])
    many = [replace(down, target=f"host{n}.example") for n in range(251)]
    text = render(replace(report(many), run=RUN), load("sarif"), Style())
    (told,) = json.loads(text)["runs"]
    assert len(told["results"]) == MOST_RESULTS
    cut, *_ = told["invocations"][0]["toolExecutionNotifications"]
    assert cut["message"]["text"] == "100 results left out"
    assert len(gzip.compress(text.encode())) < 10 << 20


@given(st.text())
def test_text_of_the_networks(text: str) -> None:
    """It is ASCII in the file, and no link or placeholder in the message."""
    told = sarif(target(replace(DOWN, message=text, subject=text, hint=text), name=text or "x"))
    assert "](" not in told["results"][0]["message"]["text"]


def test_hostile_text() -> None:
    """No control character, and a link of the network's is none."""
    hostile = replace(
        DOWN, message=f"[here](https://evil.example) {{0}} {HOSTILE}", subject=HOSTILE
    )
    whole = replace(report([target(hostile, name=HOSTILE)]), run=RUN)
    text = render(whole, load("sarif"), Style())
    assert text.isascii()
    assert all(line.isprintable() for line in text.splitlines())
    said = json.loads(text)["runs"][0]["results"][0]["message"]["text"]
    assert "[here] (https://evil.example) {{0}}" in said
    assert all(printable(line) == line for line in said.split("\n"))


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real run: GitHub's rules hold, the check has its help, and the line is the list's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    with served() as port:
        (tmp_path / "hosts.txt").write_text(f"# ours\n[::1]:{port}\n[::1]:1\n")
        done = run("-i", "hosts.txt", "-f", "sarif", "--only", "tcp")
    assert (done.returncode, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    VALIDATOR.validate(document)
    (told,) = document["runs"]
    accepted_by_github(told)
    assert [where(result) for result in told["results"]] == [("hosts.txt", 3)]
    (rule,) = told["tool"]["driver"]["rules"]
    assert rule["id"] == "tcp/refused"
    assert rule["helpUri"].startswith("https://www.rfc-editor.org/")
    assert "nginx" in rule["help"]["markdown"]
