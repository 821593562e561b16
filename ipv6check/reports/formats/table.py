"""A table for the terminal: whether each target is ready, what is wrong, and how to fix it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rich.text import Text

from ipv6check.model import (
    Evidence,
    Result,
    RunInfo,
    Status,
    Summary,
    TargetReport,
    Vantage,
    Verdict,
)
from ipv6check.model.text import count
from ipv6check.reports.charts import DRAWN, pictures
from ipv6check.reports.formats import Style
from ipv6check.reports.formats.json import plain
from ipv6check.reports.layout import (
    AT_REST,
    LOOKS,
    WIDEST,
    Row,
    beside,
    block,
    indent,
    mark,
    packed,
    painted,
)
from ipv6check.reports.sentences import excuse, tally, vantage_problem

ORDERED = True

_RANK = {status: rank for rank, status in enumerate(LOOKS)}
_EXPLAINED = frozenset({Status.FAIL, Status.WARN})
_VERDICT_LOOKS = {
    Verdict.NOT_READY: LOOKS[Status.FAIL],
    Verdict.UNKNOWN: LOOKS[Status.UNKNOWN],
    Verdict.DEGRADED: LOOKS[Status.WARN],
    Verdict.READY: LOOKS[Status.PASS],
}
_PASSING = frozenset({Verdict.READY, Verdict.DEGRADED})

# Checks with the same message, such as a reason why they could not run, share one row.
_SHARED = {Status.SKIP: "skipped", Status.UNKNOWN: "unknown"}


def head(_run: RunInfo, _vantage: Vantage) -> str:
    """Nothing: the first target comes first."""
    return ""


def target(report: TargetReport, _run: RunInfo, _vantage: Vantage, style: Style) -> str:
    """One target: a header, then its findings, worst first. A ready one of many is one line."""
    if style.quiet and report.verdict is Verdict.READY:
        return ""
    lines = _header(report, style)
    brief = style.many and report.verdict is Verdict.READY and not style.verbose
    if not brief:
        lines += block(_rows(report, style), style)
    lines += _coverage(report, style)
    if not brief and not style.many:
        lines += _advice(report, style)
    return painted(lines, style)


def tail(summary: Summary, _run: RunInfo, vantage: Vantage, style: Style) -> str:
    """Notes on the run and its vantage, if there are any, then one line for the whole run."""
    notes = _notes(summary, style)
    if style.quiet and summary.verdict is Verdict.READY and not summary.interrupted:
        return painted(notes, style) if notes else ""
    lines = [Text()] if style.many else []
    lines += notes
    lines += _vantage_note(vantage, style) if summary.blind else []
    lines += packed(_closing(summary, vantage, style), style)
    return painted(lines, style)


def packets(verdicts: Sequence[tuple[str, str, str, str]], style: Style) -> str:
    """What rules do to packets, a row each: verdict, its name, the packets and the reason."""
    looks = {"accept": Status.PASS, "depends": Status.UNKNOWN}
    rows = [
        Row(
            looks.get(verdict, Status.SKIP),
            style.legible(name),
            style.legible(names),
            style.legible(reason),
        )
        for verdict, name, names, reason in verdicts
    ]
    return painted(block(rows, style), style)


def difference(status: Status, name: str, text: str, cause: str, message: str, style: Style) -> str:
    """A difference between two reports as a row, marked as if it had this status."""
    row = Row(status, name, style.legible(text), cause=cause, facts=style.legible(message))
    return painted(block([row], style), style)


# --- a target --------------------------------------------------------------------------------


def _header(report: TargetReport, style: Style) -> list[Text]:
    """The name of the target, and its verdict at the edge."""
    look, verdict = _VERDICT_LOOKS[report.verdict], report.verdict.replace("-", " ")
    quiet = report.purpose is not None or (style.many and report.verdict is Verdict.READY)
    if report.purpose is not None:
        look, verdict = LOOKS[Status.SKIP], "no IPv6, on purpose"
    if report.gating in _PASSING and report.verdict is Verdict.NOT_READY and not report.purpose:
        verdict = f"{verdict.upper()}, excused"
    elif not quiet:
        verdict = verdict.upper()
    name, host = style.legible(report.target), style.legible(report.host)
    ascii_form = "" if host in name.lower() else f" ({host})"
    service = f" [{style.legible(report.service)}]" if report.service else ""
    bold = "" if quiet else "bold"
    right = Text(verdict, f"{bold} {look.colour}")
    return beside(mark(look, style), f"{name}{ascii_form}{service}", right, style, bold)


def _rows(report: TargetReport, style: Style) -> list[Row]:
    """The rows to show, worst first, then by check."""
    results: Sequence[Result] = report.results
    if (style.many or style.quiet) and not style.verbose:
        results = [result for result in results if result.status not in AT_REST]
    rows = [_row(result, report, style) for result in sorted(results, key=_order)]
    return rows if style.verbose else [*_shared(rows)]


def _order(result: Result) -> tuple[int, str]:
    return _RANK[result.status], result.check


def _row(result: Result, report: TargetReport, style: Style) -> Row:
    text = result.message
    if result.subject not in {"", report.host, report.target} and result.subject not in text:
        text = f"{result.subject}: {text}"
    at_rest = result.status in AT_REST
    return Row(
        result.status,
        style.legible(result.check),
        style.legible(text),
        style.legible(result.hint),
        "" if at_rest or result.cause is None else result.cause,
        style.legible(excuse(result)),
        style.legible(_facts(result)) if style.verbose else "",
        _drawn(result.evidence, style) if _has_pictures(result, style) else {},
    )


def _has_pictures(result: Result, style: Style) -> bool:
    """Whether the evidence is drawn: for all results with -v, else for the faults of one target."""
    return style.verbose or (result.status in _EXPLAINED and not style.many and not style.quiet)


def _drawn(evidence: Evidence, style: Style) -> Evidence:
    """The evidence that is drawn, every text in it clean."""
    lists = {key: evidence[key] for key in DRAWN if isinstance(evidence.get(key), list | tuple)}
    return {key: [_legible(item, style) for item in items] for key, items in lists.items()}


def _legible(item: object, style: Style) -> object:
    if not isinstance(item, Mapping):
        return item
    return {
        key: style.legible(value) if isinstance(value, str) else value
        for key, value in item.items()
    }


def _shared(rows: Sequence[Row]) -> Iterator[Row]:
    """The rows; checks that could not run, or have nothing to check, share one a reason."""
    groups: dict[Row, list[Row]] = {}
    for number, row in enumerate(rows):
        name = _SHARED.get(row.status, f"{number}")  # a number: in no group with others
        groups.setdefault(replace(row, name=name, hint=""), []).append(row)
    for shared, members in groups.items():
        names = dict.fromkeys(row.name for row in members)
        if len(names) == 1:
            yield from members
            continue
        hints = dict.fromkeys(row.hint for row in members if row.hint)
        text = f"{', '.join(names)}: {shared.text}"
        yield replace(shared, text=text, hint="; ".join(hints))


def _facts(result: Result) -> str:
    """The evidence that is not drawn as ``key=value``, nested keys joined by dots."""
    drawn = pictures(result.evidence, WIDEST, unicode=True, most=1)
    rest = {key: value for key, value in result.evidence.items() if not drawn or key not in DRAWN}
    pairs = [f"{key}={value}" for key, value in _flat("", plain(rest))]
    if result.reference:
        pairs.append(f"({result.reference})")
    return " ".join(pairs)


def _flat(key: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for inner, item in value.items():
            yield from _flat(f"{key}.{inner}" if key else str(inner), item)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        yield key, f"{len(value)} (see --format json)"
    elif key:
        bare = isinstance(value, str) and value and " " not in value
        yield key, str(value) if bare else json.dumps(value, ensure_ascii=False)


def _coverage(report: TargetReport, style: Style) -> list[Text]:
    """What was checked, for readers of one target; what was not, for all."""
    lines = []
    if report.looked_at and (style.verbose or not (style.many or style.quiet)):
        lines.append(f"checked: {', '.join(report.looked_at)}")
    lines += [f"not checked: {reason}" for reason in report.not_looked_at]
    return [
        part
        for line in lines
        for part in beside(indent(style), style.legible(line), Text(), style, "dim")
    ]


def _advice(report: TargetReport, style: Style) -> list[Text]:
    """The command that explains the worst finding."""
    results = [result for result in report.results if result.status in _EXPLAINED]
    if not results:
        return []
    check = style.legible(min(results, key=_order).check)
    return beside(indent(style), f"details: ipv6check explain {check}", Text(), style, "dim")


# --- the run ---------------------------------------------------------------------------------


def _vantage_note(vantage: Vantage, style: Style) -> list[Text]:
    text = vantage_problem(vantage)
    look = LOOKS[Status.UNKNOWN]
    return (
        beside(mark(look, style), style.legible(text), Text(), style, look.colour) if text else []
    )


def _notes(summary: Summary, style: Style) -> list[Text]:
    """The notes on the run, a paragraph each."""
    lines: list[Text] = []
    for note in summary.notes:
        at = f"{note.place.file}:{note.place.line}: " if note.place else ""
        text = style.legible(f"{at}{note.text}")
        lines += beside(mark(LOOKS[Status.WARN], style), text, Text(), style)
    return lines


def _closing(summary: Summary, vantage: Vantage, style: Style) -> list[Text]:
    """The parts of the last line."""
    parts = [Text("interrupted", "bold yellow")] if summary.interrupted else []
    colours = {verdict: look.colour for verdict, look in _VERDICT_LOOKS.items()}
    pieces = [(text, colours[verdict] if verdict else "") for text, verdict in tally(summary)]
    parts.append(Text.assemble(*pieces))
    if summary.excused:
        excused = count(summary.excused, "finding", "findings")
        parts.append(Text(f"gate {summary.gate}, {excused} excused"))
    parts.append(Text(_duration(summary.duration_ms)))
    places = [] if vantage.kind == "local" else [vantage.name]
    places += [vantage.source_ipv6] if vantage.source_ipv6 else []
    if places:
        parts.append(Text(f"from {style.legible(' '.join(places))}"))
    if style.many and summary.verdict is not Verdict.READY:
        parts.append(Text("details: ipv6check explain CHECK", "dim"))
    return parts


def _duration(milliseconds: float) -> str:
    seconds = milliseconds / 1000
    if round(milliseconds) < 1000:
        return f"{milliseconds:.0f} ms"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    return f"{round(seconds) // 60} min {round(seconds) % 60} s"
