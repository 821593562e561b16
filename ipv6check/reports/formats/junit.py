"""JUnit XML, as Jenkins and GitLab read it: a suite for each target, a test for each result.

Both identify a test by its class and name alone, whatever suite it is in: the class is the target,
after its service if it has one. Jenkins' own schema is
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

# Characters that XML 1.0 does not allow (section 2.2), and `printable` does.
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
    """One test case. ``outcome`` is the name of its child element, empty for a pass."""

    name: str
    outcome: str = ""
    kind: str = ""
    message: str = ""
    details: Sequence[str] = ()
    duration_ms: float = 0.0


def head(_run: RunInfo, _vantage: Vantage) -> str:
    """The opening; the number of tests is an attribute of each suite."""
    return '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="ipv6check">\n'


def target(report: TargetReport, run: RunInfo, _vantage: Vantage, _style: Style) -> str:
    """One suite."""
    name = " ".join(filter(None, (report.service, report.target)))
    facts = {"target": report.target, "verdict": report.verdict, "gating": report.gating}
    facts |= {"service": report.service, "owner": report.owner}
    facts |= {
        "looked_at": ", ".join(report.looked_at),
        "not_looked_at": "; ".join(report.not_looked_at),
    }
    properties = {key: value for key, value in facts.items() if value}
    tests = _distinct(map(_test, report.results))
    return _suite(name, run, report.duration_ms, properties, tests)


def tail(summary: Summary, run: RunInfo, _vantage: Vantage, _style: Style) -> str:
    """The close, after a suite for the notes on the whole run, if there are any."""
    reasons = incomplete(summary)
    notes = [*reasons, *map(_note, summary.notes)]
    suite = ""
    if notes:
        outcome = "error" if reasons else "system-out"
        test = _Test("run", outcome, message=notes[0], details=notes[1:])
        suite = _suite("ipv6check", run, summary.duration_ms, {}, [test])
    return f"{suite}</testsuites>\n"


def _note(note: Note) -> str:
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
    return replace(test, details=[*filter(None, details)])


def _distinct(tests: Iterable[_Test]) -> Iterator[_Test]:
    """The tests with distinct names: a second test of a name gets `` (2)``."""
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
    outcomes = Counter(child.tag for case in cases for child in case)
    suite = Element("testsuite", name=_text(name), tests=str(len(cases)))
    suite.set("failures", str(outcomes["failure"]))
    suite.set("errors", str(outcomes["error"]))
    suite.set("skipped", str(outcomes["skipped"]))
    suite.set("time", _seconds(duration_ms))
    suite.set("timestamp", run.started_at)
    if properties:
        parent = SubElement(suite, "properties")
        for key, value in properties.items():
            SubElement(parent, "property", name=key, value=_text(value))
    suite.extend(cases)
    return tostring(suite).decode() + "\n"


def _case(test: _Test, suite: str) -> Element:
    case = Element("testcase", name=test.name, classname=_text(suite))
    case.set("time", _seconds(test.duration_ms))
    if not test.outcome:
        return case
    outcome = SubElement(case, test.outcome)
    details = [_text(line) for line in test.details]
    if test.outcome == "system-out":
        outcome.text = "\n".join([_text(test.message), *details])
        return case
    if test.kind:
        outcome.set("type", test.kind)
    outcome.set("message", _text(test.message))
    outcome.text = "\n".join(details)
    return case


def _text(text: str) -> str:
    """Text without characters that XML does not allow."""
    return _NO_CHARACTER.sub(lambda match: f"\\u{ord(match[0]):04x}", printable(text))


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000 if math.isfinite(milliseconds) else 0:.3f}"
