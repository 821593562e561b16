"""JUnit XML: what Jenkins' own schema allows, and a parser of it reads."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import junitparser
import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st

from ipv6check.model import Note, Place, Result, Status, TargetReport, WaiverState
from ipv6check.model.text import printable
from ipv6check.reports.formats import load
from tests.reports.formats.reports import DOWN, HOSTILE, run, served, target, text, waived

# XML 1.0 section 2.2, and no control character, even where XML has it, other than a line's end.
FORBIDDEN = re.compile("[^\n\x20-\x7e]")


@cache
def schema() -> xmlschema.XMLSchema:
    """Jenkins' schema: MIT licence, https://github.com/jenkinsci/xunit-plugin, by way of pytest."""
    return xmlschema.XMLSchema(Path(__file__).parents[2] / "data" / "junit-10.xsd")


def read(document: str) -> list[Any]:
    """The suites that a parser reads of a valid document."""
    assert FORBIDDEN.search(document) is None
    schema().validate(document)
    for node in ET.fromstring(document).iter():
        for value in (node.text or "", *node.attrib.values()):
            assert printable(value.replace("\n", "")) == value.replace("\n", "")
    return list(junitparser.JUnitXml.fromstring(document.encode()))


def suites(*targets: TargetReport, **changes: Any) -> list[Any]:
    """The suites of a report."""
    return read(text("junit", *targets, **changes))


def case(result: Result) -> Any:
    """The test case of one result."""
    ((only,),) = suites(target(result))
    return only


def test_a_suite_a_target_and_a_test_a_result() -> None:
    """Counts and times stand on each suite; a test is its check and subject."""
    results = [
        Result("aaaa", Status.PASS, "fine", duration_ms=12.4),
        DOWN,
        Result("ping", Status.UNKNOWN, "no route here"),
        Result("ptr", Status.SKIP, "no address"),
        Result("tls", Status.ERROR, "crashed"),
        Result("race", Status.WARN, "slow"),
    ]
    (suite,) = suites(target(*results, service="shop"))
    assert (suite.name, suite.time, suite.timestamp) == (
        "shop example.com",
        0.8,
        "2026-11-20T12:00:00.000Z",
    )
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (6, 1, 2, 1)
    assert {item.name: item.value for item in suite.properties()} == {
        "target": "example.com",
        "verdict": "not-ready",
        "gating": "not-ready",
        "service": "shop",
    }
    cases = list(suite)
    assert {case.classname for case in cases} == {"shop example.com"}
    assert [case.name for case in cases] == [
        "aaaa",
        "tcp [2001:db8::1]:443",
        "ping",
        "ptr",
        "tls",
        "race",
    ]
    assert [case.time for case in cases] == [0.012, 3.001, 0, 0, 0, 0]


def test_a_fail_is_a_failure() -> None:
    """Its message says what is, its text what to do, its type whose fault it is."""
    (failure,) = case(DOWN).result
    assert isinstance(failure, junitparser.Failure)
    assert (failure.type, failure.message) == ("firewall", "silent, IPv4 connects in 11 ms")
    assert failure.text == "open TCP 443\nRFC 4890"


@pytest.mark.parametrize(
    ("status", "element"),
    [
        (Status.UNKNOWN, junitparser.Error),
        (Status.ERROR, junitparser.Error),
        (Status.SKIP, junitparser.Skipped),
    ],
)
def test_what_was_not_judged(status: Status, element: Any) -> None:
    """What could not be measured is an error, what does not apply is skipped, both with why."""
    (told,) = case(Result("tcp", status, "no route")).result
    assert isinstance(told, element)
    assert told.message == "no route"


def test_a_warning_is_output() -> None:
    """A warning fails no test, and is told."""
    warned = case(Result("race", Status.WARN, "slow", "shorten the path"))
    assert warned.is_passed
    assert warned.system_out == "slow\nshorten the path"


@pytest.mark.parametrize("term", [WaiverState.ACTIVE, WaiverState.EXPIRING])
@pytest.mark.parametrize("status", [Status.FAIL, Status.WARN])
def test_what_is_waived_is_skipped(status: Status, term: WaiverState) -> None:
    """With the reason, whose decision it is and until when, and what is so all the same."""
    (told,) = case(waived(replace(DOWN, status=status), term)).result
    assert isinstance(told, junitparser.Skipped)
    assert told.message == "waived until 2026-12-31 by net team: new load balancer"
    assert told.text.startswith(f"{status}: silent, IPv4 connects in 11 ms\nopen TCP 443")


def test_what_the_baseline_has_is_skipped() -> None:
    """It is no news."""
    (told,) = case(replace(DOWN, known=True)).result
    assert isinstance(told, junitparser.Skipped)
    assert told.message == "known: already in the baseline"


def test_an_expired_waiver_excuses_nothing() -> None:
    """The failure stays one, and says that there was a waiver."""
    (told,) = case(waived(DOWN, WaiverState.EXPIRED)).result
    assert isinstance(told, junitparser.Failure)
    assert told.message == (
        "silent, IPv4 connects in 11 ms "
        "(waiver expired on 2026-12-31 by net team: new load balancer)"
    )


def test_names_are_unique_in_a_file() -> None:
    """Jenkins and GitLab know a test by class and name, and take two of the same for one."""
    found = [DOWN, DOWN, replace(DOWN, subject=f"{DOWN.subject} (2)"), DOWN]
    targets = [
        target(*found),
        target(*found, service="shop"),
        target(*found, name="example.com:8443"),
    ]
    names = [(case.classname, case.name) for suite in suites(*targets) for case in suite]
    assert len(set(names)) == len(names) == 12
    assert [name for _, name in names[:4]] == [
        "tcp [2001:db8::1]:443",
        "tcp [2001:db8::1]:443 (2)",
        "tcp [2001:db8::1]:443 (2) (2)",
        "tcp [2001:db8::1]:443 (3)",
    ]


@pytest.mark.slow(after=2)
@pytest.mark.parametrize("number", [0, 1, 3000])
def test_any_number_of_targets_is_valid(number: int) -> None:
    """A suite each, one with no result too."""
    found = suites(*(target(name=f"h{n}.example") for n in range(number)))
    assert [suite.name for suite in found] == [f"h{n}.example" for n in range(number)]
    assert not any(suite.tests for suite in found)


def test_the_run_has_a_suite_where_there_is_something_to_say() -> None:
    """A note is told with its place; an interrupted run is not taken for a whole one."""
    note = Note("a waiver expires today", Place("ipv6check.toml", 7))
    *_, own = suites(target(DOWN), notes=(note, Note("again")))
    ((said,),) = [list(own)]
    assert (own.name, said.name, said.is_passed) == ("ipv6check", "run", True)
    assert said.system_out == "ipv6check.toml:7: a waiver expires today\nagain"
    *_, own = suites(target(DOWN), notes=(note,), interrupted=True)
    ((said,),) = [list(own)]
    assert said.is_error
    assert own.errors == 1
    *_, own = suites(target(DOWN), bad_lines=1)
    ((said,),) = [list(own)]
    assert said.result[0].message == "1 input line is not a valid target"


def test_it_is_written_as_targets_are_done() -> None:
    """Each piece depends on nothing but itself: the counts that come last are left out."""
    junit = load("junit")
    assert junit is load("junit")
    assert junit.ORDERED


@settings(deadline=None)  # a busy machine is no defect
@given(st.text() | st.just(HOSTILE), st.floats())
def test_any_text_is_harmless(words: str, duration_ms: float) -> None:
    """No character that XML does not have, none that a terminal obeys; the rest reads back."""
    hostile = waived(replace(DOWN, message=words, hint=words, subject=words), WaiverState.EXPIRED)
    known = replace(hostile, known=True, duration_ms=duration_ms)
    reported = target(hostile, known, name=f"x{words}", service=words, duration_ms=math.inf)
    (suite, own) = suites(reported, notes=(Note(words, Place(words, 1)),))
    assert (suite.tests, own.tests) == (2, 1)
    first, _ = suite
    if words.isprintable():
        assert first.result[0].message.startswith(words)
        assert suite.name.endswith(f"x{words}")


def test_the_command_writes_what_jenkins_reads() -> None:
    """A target on this host, through the installed command."""
    with served() as port:
        ended = run(f"[::1]:{port}", "-f", "junit", "--only", "tcp")
    assert (ended.returncode, ended.stderr) == (0, "")
    ((only,),) = [list(suite) for suite in read(ended.stdout)]
    assert (only.classname, only.name, only.is_passed) == (f"[::1]:{port}", "tcp", True)
    ended = run(f"[::1]:{port}", "-f", "junit", "--only", "tcp")
    (suite,) = read(ended.stdout)
    assert (ended.returncode, suite.failures) == (1, 1)
