"""``ipv6check diff``: two saved reports in, what became better or worse out.

Both are read whole before anything is printed. Nothing is sent.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Annotated

import typer

from ipv6check import __version__
from ipv6check.commands.parsing import Command, TableOrJson, UsageError, typer_app
from ipv6check.model import SCHEMA_VERSION, Result, Status, TargetReport
from ipv6check.reports.baseline import Baseline, opened
from ipv6check.reports.compare import Change, ChangeKind, compare
from ipv6check.reports.formats import Style
from ipv6check.reports.sinks import terminal

SAME, WORSE = 0, 1
_MARKS = {
    ChangeKind.LOST: Status.FAIL,
    ChangeKind.CHANGED: Status.WARN,
    ChangeKind.NEW: Status.UNKNOWN,
    ChangeKind.GAINED: Status.PASS,
    ChangeKind.GONE: Status.SKIP,
}
IN_MEMORY = 1 << 20  # characters of a kind of change, the rest is on disk

HELP = """Show what got better or worse between two saved reports. Sends nothing.

OLD and NEW are reports of -f json or -f jsonl, in any combination and of any size, also after jq;
one of them can be - for standard input.

\b
lost     passed and now warns or fails, warned and now fails, or fails on one
         more address
gained   the other way round
changed  as bad as before, but with another cause or on another address; or
         not measured before or now, which is neither better nor worse
new      a target that only NEW has
gone     a target that only OLD has

In CI use ipv6check check --baseline OLD: it fails for what is lost, and for faults that OLD cannot
know, of a new target or of one that could not be measured then.

Exit codes: 0 nothing is lost, 1 something is, 2 usage or a file that cannot be read."""

EXAMPLES = """Examples:

\b
  ipv6check check -i targets.txt --save json=old.json
  ipv6check check -i targets.txt -f jsonl | ipv6check diff old.json -"""
app = typer_app()


@app.command("diff", cls=Command, help=HELP, epilog=EXAMPLES)
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The earlier report.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The later report.")],
    *,
    format: TableOrJson = "table",  # noqa: A002 - the option's name
) -> int:
    """Print what differs: 0 where nothing is lost, 1 where something is. Raises ReportError."""
    return run(old, new, format)


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference of two runs: a Change of a target, or a target that only one of them has."""

    kind: ChangeKind
    target: TargetReport
    change: Change | None = None


def run(old: str, new: str, format: str) -> int:  # noqa: A002 - the option's name
    """Print what differs: 0 where nothing is lost, 1 where something is. Raises ReportError."""
    if old == new == "-":
        raise UsageError("only one of the two reports can be standard input")
    with opened(old) as before, opened(new) as after:
        for caveat in filter(None, (before.caveat, after.caveat)):
            sys.stderr.write(f"ipv6check: {caveat}\n")
        counts = _table(before, after) if format == "table" else _document(before, after)
    return WORSE if counts[ChangeKind.LOST] else SAME


def differences(before: Baseline, after: Baseline) -> Iterator[Difference]:
    """What differs, by target in the order of the new report, then those that are gone."""
    for report in after:
        old = before.find(report)
        if old is None:
            yield Difference(ChangeKind.NEW, report)
        else:
            for change in compare(old, report):
                yield Difference(change.kind, report, change)
    for report in before:
        if report not in after:
            yield Difference(ChangeKind.GONE, report)


def _document(before: Baseline, after: Baseline) -> Counter[ChangeKind]:
    """One JSON document, a difference a line; its shape is ``diff`` in schema.json."""
    from ipv6check.reports.formats.json import encode  # noqa: PLC0415

    opening = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "ipv6check", "version": __version__},
        "old": before.name,
        "new": after.name,
    }
    counts: Counter[ChangeKind] = Counter()
    sys.stdout.write(encode(opening)[:-1] + ',"differences":[')
    for entry in differences(before, after):
        sys.stdout.write(",\n" if counts else "\n")
        sys.stdout.write(encode(_object(entry)))
        counts[entry.kind] += 1
    closing = {"counts": {kind: counts[kind] for kind in ChangeKind}}
    sys.stdout.write("\n]," + encode(closing)[1:] + "\n")
    return counts


def _object(entry: Difference) -> dict[str, object]:
    document: dict[str, object] = {"drift": entry.kind, "target": entry.target.target}
    if entry.target.service:
        document["service"] = entry.target.service
    if entry.change is None:
        return document | {"verdict": entry.target.verdict}
    change = entry.change
    return document | {
        "check": change.check,
        "subject": change.subject,
        "old": _result_object(change.old),
        "new": _result_object(change.new),
    }


def _result_object(result: Result | None) -> dict[str, object] | None:
    if result is None:
        return None
    return {
        "finding": result.finding,
        "status": result.status,
        "subject": result.subject,
        "cause": result.cause,
        "message": result.message,
    }


def _table(before: Baseline, after: Baseline) -> Counter[ChangeKind]:
    """A row a difference, the worst first; then how many there are of each kind."""
    style = terminal(quiet=False, verbose=False, many=True)
    counts: Counter[ChangeKind] = Counter()
    with ExitStack() as stack:
        rows = {
            kind: stack.enter_context(
                SpooledTemporaryFile(IN_MEMORY, "w+", encoding="utf-8", errors="backslashreplace")
            )
            for kind in ChangeKind
        }
        for entry in differences(before, after):
            rows[entry.kind].write(_row(entry, style))
            counts[entry.kind] += 1
        for spool in rows.values():
            spool.seek(0)
            shutil.copyfileobj(spool, sys.stdout)
    sys.stdout.write(f"{_summary(counts)}\n")
    return counts


def _row(entry: Difference, style: Style) -> str:
    from ipv6check.reports.formats.table import difference  # noqa: PLC0415

    of_service = f" ({entry.target.service})" if entry.target.service else ""
    name = f"{entry.target.target}{of_service}"
    mark = _MARKS[entry.kind]
    if entry.change is None:
        verdict = entry.target.verdict.replace("-", " ")
        return difference(mark, entry.kind, f"{name}: {verdict}", "", "", style)
    old, new = entry.change.old, entry.change.new
    arrow = "→" if style.unicode else "->"
    text = f"{name} {entry.change.check}: {_said(old, new)} {arrow} {_said(new, old)}"
    message = new.message if new else f"was: {old.message}" if old else ""
    cause = new.cause if new and new.cause else ""
    return difference(mark, entry.kind, text, cause, message, style)


def _said(result: Result | None, other: Result | None) -> str:
    """What a side of the arrow says: as much as tells it from the other side."""
    if result is None:
        return "nothing"
    if other is None or result.status is not other.status:
        return result.status
    differing = (
        (result.cause, other.cause),
        (result.subject, other.subject),
        (result.finding, other.finding),
    )
    summary = next((own for own, others in differing if own != others), "")
    return f"{result.status} {summary or ''}".rstrip()


def _summary(counts: Counter[ChangeKind]) -> str:
    summary = ", ".join(f"{counts[kind]} {kind}" for kind in ChangeKind)
    return f"{summary}: nothing is worse" if not counts[ChangeKind.LOST] else summary
