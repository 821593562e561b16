"""JUnit XML, as Jenkins and GitLab read it: a suite a target, a test a result.

A test is told by its class and name alone in both, whatever suite it is in: the class is the
target, after its service if it has one. Jenkins' own schema is
https://github.com/jenkinsci/xunit-plugin (junit-10.xsd). The text is pure ASCII.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element, SubElement, tostring

from ipv6check.model import Note, Result, RunInfo, Status, Summary, TargetReport, Vantage
from ipv6check.model.text import printable
from ipv6check.reports.formats import Style
from ipv6check.reports.sentences import excuse, incomplete

ORDERED = True

# What XML 1.0 has no character for, and `printable` lets pass (section 2.2).
_NO_CHARACTER = re.compile("[\ufffe\uffff]")

_OUTCOMES = {
    Status.WARN: "system-out",
    Status.FAIL: "failure",
    Status.SKIP: "skipped",
    Status.UNKNOWN: "error",
    Status.ERROR: "error",
}


@dataclass(frozen=True, slots=True)
class _Test:
    """One test case. ``outcome`` is an element of it, empty where all is well."""

    name: str
    outcome: str = ""
    kind: str = ""
    message: str = ""
    details: Sequence[str] = ()
    duration_ms: float = 0.0


def head(_run: RunInfo, _vantage: Vantage) -> str:
    """The opening; how many tests there are stands on each suite."""
    return '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="ipv6check">\n'


def target(report: TargetReport, run: RunInfo, _vantage: Vantage, _style: Style) -> str:
    """One suite."""
    name = " ".join(filter(None, (report.service, report.target)))
    told = {"target": report.target, "verdict": report.verdict, "gating": report.gating}
    told |= {"service": report.service, "owner": report.owner}
    told |= {
        "looked_at": ", ".join(report.looked_at),
        "not_looked_at": "; ".join(report.not_looked_at),
    }
    properties = {key: value for key, value in told.items() if value}
    tests = _distinct(map(_test, report.results))
    return _suite(name, run, report.duration_ms, properties, tests)


def tail(summary: Summary, run: RunInfo, _vantage: Vantage, _style: Style) -> str:
    """The close, after a suite for what is to be said of the whole run, if anything is."""
    short = incomplete(summary)
    said = [*short, *map(_noted, summary.notes)]
    own = ""
    if said:
        outcome = "error" if short else "system-out"
        test = _Test("run", outcome, message=said[0], details=said[1:])
        own = _suite("ipv6check", run, summary.duration_ms, {}, [test])
    return f"{own}</testsuites>\n"


def _noted(note: Note) -> str:
    return note.text if note.place is None else f"{note.place.file}:{note.place.line}: {note.text}"


def _test(result: Result) -> _Test:
    name = _text(f"{result.check} {result.subject}".strip())
    outcome = _OUTCOMES.get(result.status, "")
    test = _Test(name, outcome, result.cause or "", result.message, (), result.duration_ms)
    agreement = excuse(result)
    details = [result.hint, agreement, result.reference]
    if result.excused and outcome not in {"", "skipped"}:
        test = replace(test, outcome="skipped", kind="", message=agreement)
        details = [f"{result.status}: {result.message}", result.hint, result.reference]
    elif agreement:
        test = replace(test, message=f"{result.message} ({agreement})")
        details.remove(agreement)
    return replace(test, details=[each for each in details if each])


def _distinct(tests: Iterable[_Test]) -> Iterator[_Test]:
    """The tests, none named as another is: a second one of a name is its `` (2)``."""
    times: Counter[str] = Counter()
    taken = set()
    for test in tests:
        name = test.name
        while name in taken:
            times[test.name] += 1
            name = f"{test.name} ({times[test.name] + 1})"
        taken.add(name)
        yield replace(test, name=name)


def _suite(
    name: str, run: RunInfo, duration_ms: float, properties: dict[str, str], tests: Iterable[_Test]
) -> str:
    cases = [_case(test, name) for test in tests]
    outcomes = Counter(each.tag for case in cases for each in case)
    suite = Element("testsuite", name=_text(name), tests=str(len(cases)))
    suite.set("failures", str(outcomes["failure"]))
    suite.set("errors", str(outcomes["error"]))
    suite.set("skipped", str(outcomes["skipped"]))
    suite.set("time", _seconds(duration_ms))
    suite.set("timestamp", run.started_at)
    if properties:
        listed = SubElement(suite, "properties")
        for key, value in properties.items():
            SubElement(listed, "property", name=key, value=_text(value))
    suite.extend(cases)
    return tostring(suite).decode() + "\n"


def _case(test: _Test, suite: str) -> Element:
    case = Element("testcase", name=test.name, classname=_text(suite))
    case.set("time", _seconds(test.duration_ms))
    if not test.outcome:
        return case
    told = SubElement(case, test.outcome)
    details = [_text(line) for line in test.details]
    if test.outcome == "system-out":
        told.text = "\n".join([_text(test.message), *details])
        return case
    if test.kind:
        told.set("type", test.kind)
    told.set("message", _text(test.message))
    told.text = "\n".join(details)
    return case


def _text(text: str) -> str:
    """Text without a character that XML does not have."""
    return _NO_CHARACTER.sub(lambda found: f"\\u{ord(found[0]):04x}", printable(text))


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000 if math.isfinite(milliseconds) else 0:.3f}"
