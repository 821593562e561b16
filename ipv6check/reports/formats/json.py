"""One JSON document with the schema ``output.json``. Targets are written while the run goes on.

The text is pure ASCII: a control character from the network is an escape.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from enum import Enum
from types import NoneType

from ipv6check.model import (
    SCHEMA_VERSION,
    Note,
    Result,
    RunInfo,
    Status,
    Summary,
    TargetReport,
    Vantage,
)
from ipv6check.reports.formats import Style

ORDERED = True
BETWEEN = ",\n"

# One encoder for all: no evidence contains itself, and `plain` leaves neither NaN nor infinity.
encode = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, check_circular=False, separators=(",", ":")
).encode

_AS_IT_IS = frozenset({str, int, bool, NoneType})
_WITHOUT_CAUSE = frozenset({Status.PASS, Status.SKIP})


def head(run: RunInfo, _vantage: Vantage) -> str:
    """The facts known before the first target, and the opening of the list of targets."""
    opening = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "ipv6check", "version": run.version},
        "started_at": run.started_at,
    }
    return encode(opening)[:-1] + ',"targets":[\n'


def target(report: TargetReport, _run: RunInfo, _vantage: Vantage, _style: Style) -> str:
    """One target on one line."""
    return encode(target_object(report))


def tail(summary: Summary, _run: RunInfo, vantage: Vantage, _style: Style) -> str:
    """The close of the list of targets, and the facts about the whole run."""
    closing = {
        "vantage": vantage_object(vantage),
        "verdict": summary.verdict,
        "counts": {status: summary.counts.get(status, 0) for status in Status},
        **({"on_purpose": summary.on_purpose} if summary.on_purpose else {}),
        "gate": summary.gate,
        "notes": [note_object(note) for note in summary.notes],
        "interrupted": summary.interrupted,
        "duration_ms": _rounded(summary.duration_ms, 1),
    }
    return "\n]," + encode(closing)[1:] + "\n"


def target_object(report: TargetReport) -> dict[str, object]:
    """A target as JSON."""
    return {
        "target": report.target,
        "host": report.host,
        "ports": report.ports,
        "verdict": report.verdict,
        **_gating_of_target(report),
        "duration_ms": _rounded(report.duration_ms, 1),
        "looked_at": report.looked_at,
        "not_looked_at": report.not_looked_at,
        "results": [result_object(result) for result in report.results],
    }


def _gating_of_target(report: TargetReport) -> dict[str, object]:
    """The service and its owner, and the verdict for the gate if something is excused."""
    names = {"service": report.service, "owner": report.owner}
    fields: dict[str, object] = {key: name for key, name in names.items() if name}
    if (purpose := report.purpose) is not None:
        statement = {"reason": purpose.reason, "review": purpose.review.isoformat()}
        fields["ipv6"] = {"expected": "none", **statement}
    excused = report.purpose is not None or any(result.excused for result in report.results)
    return fields | {"gating": report.gating} if excused else fields


def note_object(note: Note) -> dict[str, object]:
    """A note as JSON; with file and line if it has a place."""
    at = note.place
    return {"text": note.text} | ({} if at is None else {"file": at.file, "line": at.line})


def vantage_object(vantage: Vantage) -> dict[str, object]:
    """A vantage as JSON."""
    fields: dict[str, object] = {
        "name": vantage.name,
        "kind": vantage.kind,
        "ipv4": vantage.ipv4,
        "ipv6": vantage.ipv6,
        "source_ipv6": vantage.source_ipv6,
    }
    return fields | {"detail": vantage.detail} if vantage.detail else fields


def result_object(result: Result) -> dict[str, object]:
    """A result as JSON."""
    return {
        "check": result.check,
        "check_version": result.check_version,
        "finding": result.finding,
        "status": result.status,
        "subject": result.subject,
        "message": result.message,
        "hint": result.hint,
        "cause": None if result.status in _WITHOUT_CAUSE else result.cause,
        "evidence": plain(result.evidence) if result.evidence else {},
        "reference": result.reference,
        "duration_ms": _rounded(result.duration_ms, 1),
        **_excuse(result),
    }


def _excuse(result: Result) -> dict[str, object]:
    """The waiver of the result, and whether it is in the baseline."""
    fields: dict[str, object] = {"known": True} if result.known else {}
    if result.waived is None:
        return fields
    waiver = result.waived.waiver
    return fields | {
        "waiver": {
            "state": result.waived.term,
            "reason": waiver.reason,
            "owner": waiver.owner,
            "expires": waiver.expires.isoformat(),
        }
    }


def plain(value: object, digits: int = 3) -> object:
    """Evidence of any shape as values that JSON has; floats rounded to ``digits``."""
    if type(value) in _AS_IT_IS:
        return value
    if isinstance(value, float):
        return _rounded(value, digits)
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item, _digits(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, digits) for item in value]
    return _plain_object(value)


def _plain_object(value: object) -> object:
    if isinstance(value, Enum):
        return plain(value.value)
    if is_dataclass(value) and not isinstance(value, type):
        return plain({field.name: getattr(value, field.name) for field in fields(value)})
    if isinstance(value, AbstractSet):
        return [plain(item) for item in sorted(value, key=str)]  # a set has no order to keep
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def _digits(key: object) -> int:
    return 1 if isinstance(key, str) and key.endswith(("elapsed_ms", "duration_ms")) else 3


def _rounded(number: float, digits: int) -> float | None:
    return round(number, digits) if math.isfinite(number) else None
