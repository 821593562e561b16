"""The JSON document: valid, bounded in precision, and free of control characters."""

import json
import math
import re
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum, IntEnum

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipv6check.commands import schema
from ipv6check.model import (
    Cause,
    Failure,
    GateOutcome,
    Kind,
    Note,
    Place,
    Report,
    Result,
    RunInfo,
    Status,
    Summary,
    TargetReport,
    Vantage,
    Verdict,
    Waived,
    Waiver,
    WaiverState,
)
from ipv6check.reports.formats import Renderer, Style, load, render
from ipv6check.reports.formats.json import plain

JSON = load("json")
RUN = RunInfo("0.1.0", "2025-11-20T12:00:00Z")
VANTAGE = Vantage(source_ipv6="2001:db8::5")
HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\U0010ffff]")


def target(name: str = "example.com", **evidence: object) -> TargetReport:
    """A target with one result and this evidence."""
    found = Result(
        "tcp", Status.FAIL, "silent", "open it", "S", Cause.FIREWALL, evidence, "RFC", 1.26, "quiet"
    )
    return TargetReport(name, "example.com", (443,), Verdict.NOT_READY, 800.149, (found,))


def report(*targets: TargetReport, interrupted: bool = False) -> Report:
    """A report of these targets."""
    summary = Summary(
        Verdict.NOT_READY, {Status.FAIL: len(targets)}, {Verdict.NOT_READY: 1}, 812.44, interrupted
    )
    return Report(RUN, targets, summary, VANTAGE)


def document(*targets: TargetReport, interrupted: bool = False) -> dict[str, object]:
    """What a program reads of a report."""
    read = json.loads(render(report(*targets, interrupted=interrupted), JSON, Style()))
    assert isinstance(read, dict)
    return read


def test_the_document_says_what_the_report_holds() -> None:
    """Every field of the design, under its name."""
    assert document(target(ipv6={"outcome": Kind.TIMEOUT, "elapsed_ms": 3000.21})) == {
        "schema_version": "1",
        "tool": {"name": "ipv6check", "version": "0.1.0"},
        "started_at": "2025-11-20T12:00:00Z",
        "duration_ms": 812.4,
        "vantage": {
            "name": "local",
            "kind": "local",
            "ipv4": "yes",
            "ipv6": "yes",
            "source_ipv6": "2001:db8::5",
        },
        "verdict": "not-ready",
        "counts": {"pass": 0, "warn": 0, "fail": 1, "skip": 0, "unknown": 0, "error": 0},
        "gate": "passed",
        "notes": [],
        "interrupted": False,
        "targets": [
            {
                "target": "example.com",
                "host": "example.com",
                "ports": [443],
                "verdict": "not-ready",
                "duration_ms": 800.1,
                "looked_at": [],
                "not_looked_at": [],
                "results": [
                    {
                        "check": "tcp",
                        "check_version": 1,
                        "finding": "quiet",
                        "status": "fail",
                        "subject": "S",
                        "message": "silent",
                        "hint": "open it",
                        "cause": "firewall",
                        "evidence": {"ipv6": {"outcome": "timeout", "elapsed_ms": 3000.2}},
                        "reference": "RFC",
                        "duration_ms": 1.3,
                    }
                ],
            }
        ],
    }


@pytest.mark.parametrize("number", [0, 1, 3])
def test_any_number_of_targets_is_valid(number: int) -> None:
    """No comma is missing or left over; each target is one line."""
    text = render(report(*[target()] * number), JSON, Style())
    assert len(json.loads(text)["targets"]) == number
    assert sum(line.startswith('{"target"') for line in text.splitlines()) == number
    assert text.endswith("\n")


def test_an_interrupted_run_is_marked() -> None:
    """A reader can tell a whole document from an early end."""
    assert document(interrupted=True)["interrupted"] is True


def test_the_vantage_is_told_as_known_at_the_end() -> None:
    """A broken IPv6 is found out only when everything timed out, long after the head."""
    stream = Renderer(JSON, Style())
    later = Vantage(ipv6="broken", detail="controls silent")
    text = stream.head(RUN, VANTAGE) + stream.tail(report().summary, RUN, later)
    vantage = json.loads(text)["vantage"]
    assert (vantage["ipv6"], vantage["detail"]) == ("broken", "controls silent")


@pytest.mark.parametrize("status", [Status.PASS, Status.SKIP])
def test_what_is_well_has_no_cause(status: Status) -> None:
    """A cause is where trouble is."""
    found = Result("tcp", status, "fine", cause=Cause.DNS)
    told = TargetReport("t", "t", (), Verdict.READY, 1, (found,))
    assert json.loads(JSON.target(told, RUN, VANTAGE, Style()))["results"][0]["cause"] is None


class _Colour(Enum):
    RED = "red"


class _Number(IntEnum):
    ONE = 1


@dataclass(frozen=True, slots=True)
class _Point:
    elapsed_ms: float
    failure: Failure


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Kind.TIMEOUT, "timeout"),
        (_Colour.RED, "red"),
        (_Number.ONE, 1),
        ((1, None, True, "x"), [1, None, True, "x"]),
        ({"b", "a"}, ["a", "b"]),
        (b"a\xff", "a\\xff"),
        (math.nan, None),
        (math.inf, None),
        (1.23456, 1.235),
        ({"elapsed_ms": 1.23456, "rtt_ms": 0.04321}, {"elapsed_ms": 1.2, "rtt_ms": 0.043}),
        ({Kind.RESET: {1: ({},)}}, {"reset": {"1": [{}]}}),
        (
            _Point(1.26, Failure(Kind.RESET, "gone")),
            {
                "elapsed_ms": 1.3,
                "failure": {
                    "kind": "reset",
                    "detail": "gone",
                    "elapsed_ms": 0.0,
                    "source": None,
                    "near": False,
                    "cause": None,
                    "extended": [],
                    "dnssec": False,
                },
            },
        ),
        (1 + 2j, "(1+2j)"),
    ],
)
def test_evidence_of_any_shape_becomes_json(value: object, expected: object) -> None:
    """Checks put into evidence what they have at hand."""
    assert plain(value) == expected
    (read,) = json.loads(JSON.target(target(it=value), RUN, VANTAGE, Style()))["results"]
    assert read["evidence"] == {"it": expected}


@given(st.text(), st.dictionaries(st.text(), st.text() | st.floats() | st.none()))
def test_any_text_survives_and_is_harmless(name: str, evidence: dict[str, object]) -> None:
    """The document is ASCII without control characters, and reads back as what was said."""
    text = render(report(target(name, it=evidence)), JSON, Style())
    assert HARMFUL.search(text) is None
    read = json.loads(text)["targets"][0]
    assert read["target"] == name
    assert set(read["results"][0]["evidence"]["it"]) == set(evidence)


def test_what_is_agreed_stands_beside_what_is() -> None:
    """A waived fail is a fail, with the waiver; the gate and its notes are the document's."""
    waiver = Waiver("tcp", "*", "moves in January", "ops", date(2027, 1, 31))
    told = target()
    waived = replace(told.results[0], waived=Waived(waiver, WaiverState.ACTIVE, 71), known=True)
    excused = replace(
        told, results=(waived,), gating=Verdict.READY, service="shop", owner="team-shop"
    )
    notes = (Note("ends soon", Place("ipv6check.toml", 7)), Note("by itself"))
    end = replace(report(excused).summary, gate=GateOutcome.PASSED, excused=1, notes=notes)
    read = json.loads(render(Report(RUN, [excused], end, VANTAGE), JSON, Style()))
    (first,) = read["targets"]
    assert (first["verdict"], first["gating"]) == ("not-ready", "ready")
    assert (first["service"], first["owner"]) == ("shop", "team-shop")
    (result,) = first["results"]
    assert (result["status"], result["known"]) == ("fail", True)
    assert result["waiver"] == {
        "state": "active",
        "reason": "moves in January",
        "owner": "ops",
        "expires": "2027-01-31",
    }
    assert read["gate"] == "passed"
    assert read["notes"] == [
        {"text": "ends soon", "file": "ipv6check.toml", "line": 7},
        {"text": "by itself"},
    ]
    jsonschema.validate(read, json.loads(schema.text()))
