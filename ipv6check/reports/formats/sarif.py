"""SARIF 2.1.0 (OASIS), in the part of it that GitHub's code scanning reads.

A finding is a result at the line that names its target. What could not be measured is nothing that
is wrong with the code: it is told as a notification of the run, once for all targets.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from ipv6check.model import (
    Note,
    Place,
    Result,
    RuleDoc,
    RunInfo,
    Status,
    Summary,
    TargetReport,
    Vantage,
)
from ipv6check.model.text import count, printable
from ipv6check.reports.formats import Style
from ipv6check.reports.formats.json import encode
from ipv6check.reports.places import in_repository
from ipv6check.reports.sentences import excuse, incomplete

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
# GitHub refuses a file with more; of those it shows the 5,000 most severe.
MOST_RESULTS = 25_000
MOST_NOTIFICATIONS = 100
LONGEST_TEXT = 1000  # GitHub's limit is 1024 where it has one
# Where nothing names the target, the line where it could be named, so that alerts keep their place.
ELSEWHERE = Place("ipv6check.toml", 1)

_LEVELS = {Status.FAIL: "error", Status.WARN: "warning"}
_NOT_MEASURED = {Status.ERROR: "error", Status.UNKNOWN: "warning"}


class _Sarif:
    """One document: its results as they come, then the rules that they name."""

    ORDERED = True

    def __init__(self) -> None:
        self._known: dict[str, RuleDoc] = {}
        self._used: dict[str, RuleDoc] = {}
        self._told = 0
        self._cut = 0
        self._unmeasured: Counter[tuple[Status, str, str]] = Counter()

    def head(self, run: RunInfo, _vantage: Vantage) -> str:
        """The opening of the results."""
        self._known = {rule.id: rule for rule in run.rules}
        opening = {"$schema": SCHEMA, "version": "2.1.0"}
        return encode(opening)[:-1] + ',"runs":[{"results":['

    def target(self, report: TargetReport, run: RunInfo, _vantage: Vantage, _style: Style) -> str:
        """What is wrong with one target, a line each."""
        for result in report.results:
            if result.status in _NOT_MEASURED:
                self._count(result)
        found = [result for result in report.results if result.status in _LEVELS]
        kept = found[: MOST_RESULTS - self._told]
        self._cut += len(found) - len(kept)
        lines = [*map(encode, self._objects(kept, report, run))]
        commas = ",\n" if self._told and lines else "\n" if lines else ""
        self._told += len(lines)
        return commas + ",\n".join(lines)

    def tail(self, summary: Summary, run: RunInfo, _vantage: Vantage, _style: Style) -> str:
        """The rules, and how the run went."""
        driver = {
            "name": "ipv6check",
            "semanticVersion": run.version,
            "rules": [*map(_rule_object, self._used.values())],
        }
        invocation = {
            "executionSuccessful": not incomplete(summary) and not summary.counts.get(Status.ERROR),
            "startTimeUtc": run.started_at,
            "toolExecutionNotifications": [*self._notifications(summary)],
            "toolConfigurationNotifications": [_note(note, run) for note in summary.notes],
        }
        root = {"description": {"text": "The top of the repository."}}
        closing = {
            "tool": {"driver": driver},
            "invocations": [invocation],
            "originalUriBaseIds": {"%SRCROOT%": root},
            "columnKind": "unicodeCodePoints",
        }
        return "\n]," + encode(closing)[1:] + "]}\n"

    def _objects(
        self, results: Sequence[Result], report: TargetReport, run: RunInfo
    ) -> Iterator[dict[str, object]]:
        place = in_repository(report.place, run) or ELSEWHERE
        alike: Counter[str] = Counter()
        for result in results:
            name = _rule_id(result)
            told = _fingerprint(report.target, result.check, result.subject)
            alike[told] += 1
            yield {
                "ruleId": name,
                "ruleIndex": self._rule_index(name, result),
                "level": _LEVELS[result.status],
                "message": {"text": _plain(_sentence(result, report))},
                "locations": [_location(place, report.target)],
                "partialFingerprints": {"primaryLocationLineHash": f"{told}:{alike[told]}"},
                "suppressions": _suppressions(result),
            }

    def _rule_index(self, name: str, result: Result) -> int:
        """Where its rule stands. A finding of which nothing is told has the rule of its check."""
        if name not in self._used:
            known = self._known.get(name) or self._known.get(result.check)
            rule = known or RuleDoc(name, name, reference=result.reference)
            self._used[name] = replace(rule, id=name)
        return [*self._used].index(name)

    def _count(self, result: Result) -> None:
        key = (result.status, _rule_id(result), result.message)
        if key in self._unmeasured or len(self._unmeasured) < MOST_NOTIFICATIONS:
            self._unmeasured[key] += 1

    def _notifications(self, summary: Summary) -> Iterator[dict[str, object]]:
        for short in incomplete(summary):
            yield _notification("error", short)
        if self._cut:
            yield _notification("error", f"{count(self._cut, 'result', 'results')} left out")
        for (status, rule, message), number in self._unmeasured.items():
            times = count(number, "target", "targets")
            yield _notification(_NOT_MEASURED[status], printable(f"{rule}, {times}: {message}"))


begin = _Sarif


def _rule_id(result: Result) -> str:
    return f"{result.check}/{result.finding}" if result.finding else result.check


def _sentence(result: Result, report: TargetReport) -> str:
    what = printable(f"{report.target}: {result.message}")
    return what + (f"\nTo fix: {printable(result.hint)}" if result.hint else "")


def _plain(text: str) -> str:
    """Text without a link or a placeholder in it (SARIF sections 3.11.5 and 3.11.6)."""
    cut = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
    return cut.replace("](", "] (").replace("{", "{{").replace("}", "}}")


def _fingerprint(*parts: str) -> str:
    """What makes a finding the same one in the next run. GitHub reads no other key, nor more."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _location(place: Place, target: str = "") -> dict[str, object]:
    # PurePosixPath quotes what a URI cannot hold (RFC 3986).
    uri = PurePosixPath(f"/{place.file}").as_uri().removeprefix("file:///")
    told: dict[str, object] = {
        "physicalLocation": {
            "artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": place.line},
        }
    }
    named = {"logicalLocations": [{"fullyQualifiedName": target, "kind": "resource"}]}
    return told | (named if target else {})


def _suppressions(result: Result) -> list[dict[str, str]]:
    """Who let it pass, and why; what was agreed once and holds no longer lets nothing pass."""
    if not result.excused:
        return []
    told = printable(excuse(result))
    return [{"kind": "external", "status": "accepted", "justification": told}]


def _rule_object(rule: RuleDoc) -> dict[str, object]:
    first = rule.text.partition("\n\n")[0] or rule.about
    # The text of a finding begins with its sentence.
    text = rule.text if rule.text.startswith(rule.about) else f"{rule.about}\n\n{rule.text}"
    source = f"[{rule.reference}]({rule.url})" if rule.url and rule.reference else rule.reference
    told: dict[str, object] = {
        "id": rule.id,
        "shortDescription": {"text": rule.about[:LONGEST_TEXT]},
        "fullDescription": {"text": first[:LONGEST_TEXT]},
        "help": {
            "text": "\n\n".join(filter(None, (text.strip(), rule.reference))),
            "markdown": "\n\n".join(filter(None, (text.strip(), source))),
        },
        "properties": {"tags": ["ipv6"]},
    }
    return told | ({"helpUri": rule.url} if rule.url else {})


def _notification(level: str, text: str) -> dict[str, object]:
    return {"level": level, "message": {"text": _plain(text)}}


def _note(note: Note, run: RunInfo) -> dict[str, object]:
    place = in_repository(note.place, run)
    located = {"locations": [_location(place)]} if place else {}
    return _notification("warning", printable(note.text)) | located
