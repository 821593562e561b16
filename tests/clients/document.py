"""The matrix as a page: `python -m tests.clients document > docs/clients.md`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from tests.clients.browsers import WITHIN_MS
from tests.clients.measure import ANOTHER_END, REPEATS, SURE, SYN_RETRIES, Cell, Row

_COLUMNS = 6
_HEAD = f"""# What real clients do, and what is predicted of them

`ipv6check` predicts how long a client takes to reach a target, and over which family, from one
observation and without more packets. This page compares the predictions with real clients in the
lab, where each asked once for a small page by plain HTTP. `python -m tests.clients document` makes
it.

A cell shows the prediction, then the measurement from the client's packets: the family (4 or 6; F:
it fails; ?: it may be either) and the milliseconds from the first DNS query to the request, or to
the end of a client that fails. **!** marks a difference: another family or outcome, or more than
25 ms and 5 %.

To save time the kernel gave up on a SYN after 7 s (`tcp_syn_retries` {SYN_RETRIES}); by default it
takes 133 s. The scenarios are in `tests/clients/scenarios.toml`. In those that begin with
`rotated`, the resolver rotates equal records: the prediction is for the order that this client was
given, and is one of the outcomes that `ipv6check` reports, which cannot know the order.
"""

_BROWSERS = f"""## Browsers

The same for Chromium (as it is, and with its feature HappyEyeballsV3) and Firefox ESR: without
their background services and DNS over HTTPS, each with a fresh profile, one at a time. Measured is
when the connection that carried the request was accepted. **!** marks another family or outcome, or
more than {WITHIN_MS:.0f} ms and 5 %. `python -m tests.clients browsers` prints this section; CI
does not run it.
"""


def page(rows: Sequence[Row]) -> str:
    """All of it, as Markdown."""
    return "\n".join([_HEAD, *_summary(rows), "", *_tables(rows)])


def browsers_page(rows: Sequence[Row]) -> str:
    """The browsers' part of it."""
    return "\n".join([_BROWSERS, *_summary(rows), "", *_tables(rows)]).rstrip("\n")


def _summary(rows: Sequence[Row]) -> Iterator[str]:
    cells = [cell for row in rows for cell in row.cells]
    ends = sum(cell.wrong == ANOTHER_END for cell in cells)
    late = sum(bool(cell.wrong) for cell in cells) - ends
    either = sum(cell.predicted["outcome"] == "either" for cell in cells)
    again = sum(bool(cell.missed) for cell in cells)
    other = sum(cell.missed == ANOTHER_END for cell in cells)
    yield (
        f"{len(cells)} cells: {ends} with another outcome, {late} too far apart in time, "
        f"{either} predicted as either. {again} missed while others ran and were measured again, "
        f"alone, up to {REPEATS} times; {other} of these had another outcome, and had to come out "
        f"right {SURE} times in a row."
    )


def _tables(rows: Sequence[Row]) -> Iterator[str]:
    """A few clients at a time, for the width of a page."""
    labels = [cell.program.label for cell in rows[0].cells]
    for start in range(0, len(labels), _COLUMNS):
        chosen = slice(start, start + _COLUMNS)
        yield f"| scenario | {' | '.join(labels[chosen])} |"
        yield f"|---|{'---|' * len(labels[chosen])}"
        for row in rows:
            yield f"| {row.scenario.name} | {' | '.join(map(_cell, row.cells[chosen]))} |"
        yield ""


def _cell(cell: Cell) -> str:
    predicted, measured = cell.predicted, cell.measured
    known = (predicted["connect_ms"], predicted["failed_ms"], inf)
    at_ms = next(time_ms for time_ms in known if time_ms is not None)
    told = _end(predicted["outcome"], predicted["family"], at_ms)
    seen = _end(measured.outcome, measured.family, measured.ms)
    return f"{told} · {seen}{' **!**' if cell.wrong else ''}"


def _end(outcome: str, family: str | None, at_ms: float) -> str:
    end = {"failed": "F", "either": "?"}.get(outcome) or str(family).removeprefix("ipv")
    return f"{end} {at_ms:.0f}"
