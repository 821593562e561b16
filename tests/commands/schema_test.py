"""The schema that ships describes what is printed, and refuses what is not."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ipv6check.commands import schema
from ipv6check.model import (
    Cause,
    Report,
    Result,
    RunInfo,
    Status,
    Summary,
    TargetReport,
    Vantage,
    Verdict,
)
from ipv6check.reports.formats import Style, load, render

SCHEMA = json.loads(schema.text())
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
HOSTILE = "\x1b[2J\x00\x07\x7f\x9b\u202e\ud800 例"


def report(*statuses: Status, text: str = "x", vantage: Vantage | None = None) -> Report:
    """A report whose one target has a result of each status; no target without a status."""
    results = [
        Result("tcp", status, text, text, text, Cause.HOST, {text: [text, None, 1.5]}, text, 1.0)
        for status in statuses
    ]
    target = TargetReport(text, text, (0, 443), Verdict.NOT_READY, 1.0, tuple(results))
    run = RunInfo(text, "2025-11-20T12:00:00Z")
    counts = dict.fromkeys(statuses, 1)
    summary = Summary(Verdict.UNKNOWN, counts, {}, 0.0, interrupted=True)
    return Report(run, [target] if statuses else [], summary, vantage or Vantage())


def document(*statuses: Status) -> dict[str, object]:
    """A document as a program reads it."""
    read = json.loads(render(report(*statuses), load("json"), Style()))
    assert isinstance(read, dict)
    return read


def test_the_schema_is_a_schema() -> None:
    """It follows JSON Schema 2020-12."""
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("statuses", [(), (Status.PASS,), tuple(Status)])
@pytest.mark.parametrize(
    "vantage",
    [
        Vantage(source_ipv6="2001:db8::5"),
        Vantage(ipv4="no", ipv6="broken", detail=HOSTILE),
        Vantage("a host", "ssh", ipv6="no"),
    ],
)
def test_every_output_validates(statuses: tuple[Status, ...], vantage: Vantage) -> None:
    """The document and each line, for every status and vantage."""
    told = report(*statuses, text=HOSTILE, vantage=vantage)
    VALIDATOR.validate(json.loads(render(told, load("json"), Style())))
    for line in render(told, load("jsonl"), Style()).splitlines():
        VALIDATOR.validate(json.loads(line))


@pytest.mark.slow
@given(st.text())
def test_any_text_validates(text: str) -> None:
    """What the network sends cannot make a document invalid."""
    told = report(Status.FAIL, text=text)
    VALIDATOR.validate(json.loads(render(told, load("json"), Style())))


@pytest.mark.parametrize(
    ("name", "words"),
    [("status", Status), ("verdict", Verdict), ("cause", Cause)],
)
def test_the_enums_are_the_models(name: str, words: type[Status | Verdict | Cause]) -> None:
    """A word that is added to the model has to be added here."""
    assert set(words) == set(SCHEMA["$defs"][name]["enum"])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda read: read.update(more=1),
        lambda read: read.pop("counts"),
        lambda read: read.update(schema_version="2"),
        lambda read: read.update(started_at="2025-11-20T12:00:00+00:00"),
        lambda read: read["vantage"].update(ipv6="maybe"),
        lambda read: read["counts"].pop("skip"),
        lambda read: read["targets"][0].update(more=1),
        lambda read: read["targets"][0].update(verdict="fine"),
        lambda read: read["targets"][0]["results"][0].update(cause=None),
        lambda read: read["targets"][0]["results"][0].update(more=1),
        lambda read: read["targets"][0]["results"][0].update(evidence=[]),
        lambda read: read["targets"][0]["results"][0].update(status="pass"),
    ],
)
def test_it_refuses_what_is_not_promised(spoil: Callable[[dict[str, object]], object]) -> None:
    """The schema is strict: a word too many or too few is an error."""
    read = document(Status.FAIL)
    assert VALIDATOR.is_valid(read)
    spoil(read)
    assert not VALIDATOR.is_valid(read)
