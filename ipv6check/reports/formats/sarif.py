"""SARIF 2.1.0 (OASIS), in the part of it that GitHub's code scanning reads.

A finding is a result at the line that names its target. What could not be measured is no fault of
the code: it becomes a notification of the run, one for all targets.
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
# GitHub refuses a file with more, and shows the 5,000 most severe of them.
MOST_RESULTS = 25_000
MOST_NOTIFICATIONS = 100
LONGEST_TEXT = 1000  # GitHub's limit is 1024 where it has one
# The place of targets that no file names: where one could, so that alerts stay in one place.
ELSEWHERE = Place("ipv6check.toml", 1)

_LEVELS = {Status.FAIL: "error", Status.WARN: "warning"}
_NOT_MEASURED = {Status.ERROR: "error", Status.UNKNOWN: "warning"}


class _Sarif:
    """One document: the results as they come, then the rules that they refer to."""

    ORDERED = True

    def __init__(self) -> None:
        self._known: dict[str, RuleDoc] = {}
        self._used: dict[str, RuleDoc] = {}
        self._written = 0
        self._omitted = 0
        self._unmeasured: Counter[tuple[Status, str, str]] = Counter()

    def head(self, run: RunInfo, _vantage: Vantage) -> str:
        """The opening of the results."""
        self._known = {rule.id: rule for rule in run.rules}
        opening = {"$schema": SCHEMA, "version": "2.1.0"}
        return encode(opening)[:-1] + ',"runs":[{"results":['

    def target(self, report: TargetReport, run: RunInfo, _vantage: Vantage, _style: Style) -> str:
        """The findings of one target, a line each."""
        for result in report.results:
            if result.status in _NOT_MEASURED:
                self._count(result)
        findings = [result for result in report.results if result.status in _LEVELS]
        kept = findings[: MOST_RESULTS - self._written]
        self._omitted += len(findings) - len(kept)
        lines = [*map(encode, self._objects(kept, report, run))]
        commas = ",\n" if self._written and lines else "\n" if lines else ""
        self._written += len(lines)
        return commas + ",\n".join(lines)

    def tail(self, summary: Summary, run: RunInfo, _vantage: Vantage, _style: Style) -> str:
        """The rules, and the notifications of the run."""
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
        root = {"description": {"text": "The root of the repository."}}
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
            fingerprint = _fingerprint(report.target, result.check, result.subject)
            alike[fingerprint] += 1
            ordinal = alike[fingerprint]
            yield {
                "ruleId": name,
                "ruleIndex": self._rule_index(name, result),
                "level": _LEVELS[result.status],
                "message": {"text": _plain(_sentence(result, report))},
                "locations": [_location(place, report.target)],
                "partialFingerprints": {"primaryLocationLineHash": f"{fingerprint}:{ordinal}"},
                "suppressions": _suppressions(result),
            }

    def _rule_index(self, name: str, result: Result) -> int:
        """The index of its rule. A finding without a description has the rule of its check."""
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
        for reason in incomplete(summary):
            yield _notification("error", reason)
        if self._omitted:
            yield _notification("error", f"{count(self._omitted, 'result', 'results')} left out")
        for (status, rule, message), number in self._unmeasured.items():
            times = count(number, "target", "targets")
            yield _notification(_NOT_MEASURED[status], printable(f"{rule}, {times}: {message}"))


begin = _Sarif


def _rule_id(result: Result) -> str:
    return f"{result.check}/{result.finding}" if result.finding else result.check


def _sentence(result: Result, report: TargetReport) -> str:
    text = printable(f"{report.target}: {result.message}")
    return text + (f"\nTo fix: {printable(result.hint)}" if result.hint else "")


def _plain(text: str) -> str:
    """Text without links and placeholders (SARIF sections 3.11.5 and 3.11.6)."""
    cut = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
    return cut.replace("](", "] (").replace("{", "{{").replace("}", "}}")


def _fingerprint(*parts: str) -> str:
    """The identity of a finding across runs. GitHub reads no other key, and 16 characters."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _location(place: Place, target: str = "") -> dict[str, object]:
    # PurePosixPath quotes what a URI cannot hold (RFC 3986).
    uri = PurePosixPath(f"/{place.file}").as_uri().removeprefix("file:///")
    location: dict[str, object] = {
        "physicalLocation": {
            "artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": place.line},
        }
    }
    named = {"logicalLocations": [{"fullyQualifiedName": target, "kind": "resource"}]}
    return location | (named if target else {})


def _suppressions(result: Result) -> list[dict[str, str]]:
    """Who accepted the finding, and why; empty for one that counts, such as after expiry."""
    if not result.excused:
        return []
    reason = printable(excuse(result))
    return [{"kind": "external", "status": "accepted", "justification": reason}]


def _rule_object(rule: RuleDoc) -> dict[str, object]:
    first = rule.text.partition("\n\n")[0] or rule.about
    # The text of a finding begins with its sentence.
    text = rule.text if rule.text.startswith(rule.about) else f"{rule.about}\n\n{rule.text}"
    source = f"[{rule.reference}]({rule.url})" if rule.url and rule.reference else rule.reference
    described: dict[str, object] = {
        "id": rule.id,
        "shortDescription": {"text": rule.about[:LONGEST_TEXT]},
        "fullDescription": {"text": first[:LONGEST_TEXT]},
        "help": {
            "text": "\n\n".join(filter(None, (text.strip(), rule.reference))),
            "markdown": "\n\n".join(filter(None, (text.strip(), source))),
        },
        "properties": {"tags": ["ipv6"]},
    }
    return described | ({"helpUri": rule.url} if rule.url else {})


def _notification(level: str, text: str) -> dict[str, object]:
    return {"level": level, "message": {"text": _plain(text)}}


def _note(note: Note, run: RunInfo) -> dict[str, object]:
    place = in_repository(note.place, run)
    located = {"locations": [_location(place)]} if place else {}
    return _notification("warning", printable(note.text)) | located
