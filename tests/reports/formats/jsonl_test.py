"""JSON lines: each target a whole of its own."""

import json

from ipv6check.model import Report, RunInfo, Summary, TargetReport, Vantage, Verdict
from ipv6check.reports.formats import Style, load, render

JSONL = load("jsonl")
RUN = RunInfo("0.1.0", "2025-11-20T12:00:00Z")
HOSTILE = "a\x1b]0;owned\x07\n\x7f\x9b\u2028\u202e"


def target(name: str) -> TargetReport:
    """A target of this name."""
    return TargetReport(name, "example.com", (443,), Verdict.READY, 8.0, ())


def test_a_line_is_a_target_and_what_it_shares() -> None:
    """A reader of one line needs no other."""
    line = json.loads(JSONL.target(target("example.com"), RUN, Vantage(), Style()))
    assert line == {
        "schema_version": "1",
        "started_at": "2025-11-20T12:00:00Z",
        "vantage": {
            "name": "local",
            "kind": "local",
            "ipv4": "yes",
            "ipv6": "yes",
            "source_ipv6": None,
        },
        "target": "example.com",
        "host": "example.com",
        "ports": [443],
        "verdict": "ready",
        "duration_ms": 8.0,
        "results": [],
        "looked_at": [],
        "not_looked_at": [],
    }


def test_there_is_nothing_but_lines() -> None:
    """One line a target even if its name holds line ends, and nothing for no target."""
    summary = Summary(Verdict.READY, {}, {}, 1.0)
    text = render(Report(RUN, [target(HOSTILE), target("b")], summary), JSONL, Style())
    assert [json.loads(line)["target"] for line in text.splitlines()] == [HOSTILE, "b"]
    assert text.replace("\n", "").isascii()
    assert text.replace("\n", "").isprintable()
    assert render(Report(RUN, [], summary), JSONL, Style()) == ""


def test_lines_need_no_order() -> None:
    """A line is written as soon as its target is done; a document keeps the order."""
    assert not JSONL.ORDERED
    assert load("json").ORDERED
    assert load("table").ORDERED
