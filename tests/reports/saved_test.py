"""Saved reports: ours are read however they are laid out, and nothing else is."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipv6check.model import TargetReport
from ipv6check.reports.compare import compare
from ipv6check.reports.json_stream import CHUNK, ReportError
from ipv6check.reports.saved import SavedReport
from tests.saved import result, target, text

TOLD = (
    target(result("fail", "[2001:db8::1]:443", finding="refused"), result("pass", check="ping")),
    target(name="bücher.example\u202e"),
    target(result("unknown"), name="a.example", service="shop"),
)


def pretty(report: str) -> str:
    """As jq lays a report out."""
    return json.dumps(json.loads(report), indent=2, ensure_ascii=False) + "\n"


def compact(report: str) -> str:
    """As jq -c does."""
    return json.dumps(json.loads(report), separators=(",", ":"))


def late(report: str) -> str:
    """With the keys the other way round, the targets before what is said of the whole."""
    return json.dumps(dict(reversed(json.loads(report).items())))


def each(change: Callable[[str], str]) -> Callable[[str], str]:
    """The same for every line."""
    return lambda report: "\n".join(change(line) for line in report.splitlines())


SYNTAX = [b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\n", b"null", b"1e999", b"\\ud800"]
LAYOUTS: dict[str, tuple[str, Callable[[str], str]]] = {
    "json": ("json", str),
    "json, jq": ("json", pretty),
    "json, jq -c": ("json", compact),
    "json, keys reversed": ("json", late),
    "json, marked": ("json", lambda report: f"\ufeff{report}"),
    "jsonl": ("jsonl", str),
    "jsonl, jq": ("jsonl", each(pretty)),
    "jsonl, keys reversed": ("jsonl", each(late)),
    "jsonl, no last newline": ("jsonl", str.rstrip),
    "jsonl, blank lines": ("jsonl", lambda report: "\n" + report.replace("\n", "\r\n\n")),
}


def read(path: Path, content: str | bytes) -> list[TargetReport]:
    """The targets of a file with this content."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [*SavedReport(path)]


def refused(path: Path, content: str | bytes) -> str:
    """What is said of a file with this content, without its name."""
    with pytest.raises(ReportError) as caught:
        read(path, content)
    said = str(caught.value)
    assert said.startswith(f"{path}:")
    assert said.isprintable()
    return said.removeprefix(f"{path}:")


def spoiled(format_: str = "json", **changes: Any) -> str:
    """A report whose second target, or the line that it is, has these keys; None takes one away."""
    lines = text(format_, *TOLD).splitlines()
    at = 2 if format_ == "json" else 1
    bare = lines[at].rstrip(",")
    told = json.loads(bare) | changes
    kept = {key: value for key, value in told.items() if value is not None}
    lines[at] = json.dumps(kept) + lines[at][len(bare) :]
    return "\n".join(lines)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_ours_is_read_however_it_is_laid_out(layout: str, tmp_path: Path) -> None:
    """All that is compared comes back, in the order of the file."""
    format_, change = LAYOUTS[layout]
    found = read(tmp_path / "report", change(text(format_, *TOLD)))
    assert [(report.target, report.host, report.service, report.verdict) for report in found] == [
        (report.target, report.host, report.service, report.verdict) for report in TOLD
    ]
    facts = [
        [(r.check, r.subject, r.status, r.cause, r.message, r.finding) for r in report.results]
        for report in (*found, *TOLD)
    ]
    assert facts[:3] == facts[3:]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_where_a_value_is_cut_by_the_chunks_does_not_matter(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every number and string survives, whatever was read at once: here a few bytes."""
    format_, change = LAYOUTS[layout]
    report = change(text(format_, *TOLD))
    whole = read(tmp_path / "report", report)
    for size in (1, 2, 3, 7):
        monkeypatch.setattr("ipv6check.reports.json_stream.CHUNK", size)
        assert read(tmp_path / "report", report) == whole


def test_a_document_without_targets_is_a_report(tmp_path: Path) -> None:
    """A run that was stopped before its first target."""
    assert read(tmp_path / "report", text("json")) == []


@pytest.mark.parametrize("interrupted", [True, False])
def test_an_interrupted_run_is_told(interrupted: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """It may be read, but whoever reads it knows."""
    path = tmp_path / "report"
    path.write_text(text("json", *TOLD, interrupted=interrupted))
    saved = SavedReport(path)
    assert len([*saved]) == len(TOLD)
    assert saved.interrupted == interrupted


@pytest.mark.slow(after=1)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_cut_file_is_never_taken_as_whole(layout: str, tmp_path: Path) -> None:
    """Cut anywhere, it is refused in one line; lines that are whole cannot tell of those behind."""
    format_, change = LAYOUTS[layout]
    octets = change(text(format_, *TOLD)).encode()
    path = tmp_path / "report"
    whole = read(path, octets)
    accepted, reasons = {}, []
    for length in range(len(octets.rstrip())):
        try:
            accepted[length] = read(path, octets[:length])
        except ReportError as error:
            reasons.append(str(error))
    assert {reason.removeprefix(f"{path}:").lstrip("0123456789") for reason in reasons} <= {
        ": is empty",
        ": is truncated",
        ": is not UTF-8",
    }
    if format_ == "json":
        assert accepted == {}
    for length, prefix in accepted.items():
        assert prefix == whole[: len(prefix)]
        assert octets[:length].rstrip().endswith(b"}")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "1: is empty"),
        ("\n\n \n", "4: is empty"),
        ("[]", '1: is not a report of ipv6check: expected {, found "["'),
        ("hello", '1: is not a report of ipv6check: expected {, found "h"'),
        ("{}", '1: is not a report of ipv6check: no "schema_version"'),
        ('{"targets": []}', '1: is not a report of ipv6check: no "schema_version"'),
        ('{"schema_version": "2"}', '1: "schema_version" is "2": this ipv6check reads "1"'),
        ('{"schema_version": 1, "targets": []}', '1: "schema_version" is "1": '),
        ('{"schema_version": [], "targets": []}', '1: "schema_version" is of another type'),
        ('{"schema_version": "1", "findings": []}', '1: is not a report of ipv6check: no "target"'),
        ('{"schema_version": "1", "targets": {}}', "1: is not a report of ipv6check: expected ["),
        ('{"schema_version": "1", "targets": [1]}', "1: is not a report of ipv6check: expected an"),
        ("{1: 2}", "1: is not JSON: a key is not a string"),
        ('{"a" 1}', '1: is not a report of ipv6check: expected :, found "1"'),
        ("\x00", '1: is not a report of ipv6check: expected {, found "\\x00"'),
        (b"\x1f\x8b\x08\x00", "1: is not UTF-8"),
        (text("json") + "\n{}", "5: has more data after the end of the report"),
        (text("jsonl", *TOLD) + "x y", "4: is not JSON: Expecting value"),
        (text("jsonl", *TOLD) + "1", "4: is not a report of ipv6check"),
        (text("jsonl", *TOLD)[:-9], "3: is truncated"),
        (text("jsonl", *TOLD).replace("\n{", "\n\n{").encode() + b"\xff", "6: is not UTF-8"),
        (text("json").replace(":false", ":1"), '4: "interrupted" is neither true nor false'),
        (spoiled(verdict="fine"), '3: "verdict" is "fine": not one of ready, '),
        (spoiled(verdict=1), '3: "verdict" is not a string'),
        (spoiled(target=None), '3: is not a report of ipv6check: no "target"'),
        (spoiled(results={}), '3: "results" is not a list'),
        (spoiled(results=[7]), "3: is not a report of ipv6check: expected an object"),
        (spoiled("jsonl", schema_version="7"), '2: "schema_version" is "7"'),
        (spoiled("jsonl", schema_version=None), "2: is not a report of ipv6check"),
        (spoiled("jsonl", host=["\x1b[2J"]), '2: "host" is not a string'),
        (spoiled("jsonl", verdict="\x1b[2J\ud800"), '2: "verdict" is "\\x1b[2J\\ud800"'),
        (text("json", *TOLD).replace("1500.0", "NaN"), "2: has a number that JSON does not allow"),
        (text("json", *TOLD).replace("1500.0", "-Infinity"), "2: has a number that JSON"),
        (text("json", *TOLD).replace("1500.0", "9" * 5000), "2: has a number that JSON"),
        (text("json", *TOLD).replace("1500.0", "1.5.0"), "2: is not JSON: Expecting ',' delimiter"),
        (text("json", *TOLD).replace('"pass"', '"pa\ns"'), "2: is not JSON: Invalid control"),
        ('{"schema_version": "1", "targets": [' + "[" * 100_000, "1: is nested too deeply"),
        ('{"schema_version": "1", "x": ' + '{"x": ' * 100_000, "1: is nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_not_ours_is_refused_with_its_line(
    content: str | bytes, said: str, tmp_path: Path
) -> None:
    """One printable line: which, where, and what is wrong."""
    assert refused(tmp_path / "report", content).startswith(said)


def test_the_line_is_right_however_far_it_is(tmp_path: Path) -> None:
    """Lines are counted over everything that was read and forgotten."""
    lines = text("jsonl", *(target(result("pass"), name=f"{n}.example") for n in range(3000)))
    assert len(lines) > 3 * CHUNK
    assert refused(tmp_path / "report", lines + "\n" * CHUNK + "{]").startswith(f"{3001 + CHUNK}: ")


@pytest.mark.parametrize("path", ["missing.json", ".", "/dev/null/report.json"])
def test_a_file_that_cannot_be_read_is_named(path: str) -> None:
    """With the system's reason."""
    with pytest.raises(ReportError, match=rf"^{path} cannot be read: "):
        [*SavedReport(path)]


@pytest.mark.slow(after=1)
@pytest.mark.parametrize("piece", ["a", "[], ", '{"a": {}}, ', '\\"', " "])
def test_a_value_without_end_takes_bounded_memory(
    piece: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a string or a list is, it is refused in time; blanks are read past."""
    limit = 1 << 18
    monkeypatch.setattr("ipv6check.reports.json_stream.MAX_VALUE", limit)
    monkeypatch.setattr("ipv6check.reports.json_stream.CHUNK", limit // 8)
    path = tmp_path / "report"
    opening = {"[": "[", "{": "[", " ": ""}.get(piece[0], '"')
    opened = f'{{"schema_version": "1", "targets": [{opening}'
    path.write_text(opened + piece * (64 * limit // len(piece)))
    tracemalloc.start()
    with pytest.raises(ReportError, match=r"longer than|is truncated"):
        [*SavedReport(path)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 * limit


@given(st.sampled_from(["json", "jsonl"]), st.data())
def test_a_garbled_file_is_read_or_refused(format_: str, data: st.DataObject) -> None:
    """Whatever is overwritten, lost or put in: no crash, and a line of text."""
    octets = bytearray(text(format_, *TOLD).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(octets)))
        length = data.draw(st.integers(0, 9))
        octets[at : at + length] = data.draw(st.binary(max_size=9) | st.sampled_from(SYNTAX))
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(octets)
        said = f"{file.name}: read"
        try:
            for report in SavedReport(file.name):
                compare(report, report)
        except ReportError as error:
            said = str(error)
    assert said.startswith(f"{file.name}:")
    assert said.isprintable()


def test_standard_input_is_read(tmp_path: Path) -> None:
    """A pipe cannot be read twice, and need not be."""
    code = "from ipv6check.reports.saved import SavedReport; print(len([*SavedReport('-')]))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=text("jsonl", *TOLD),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "3\n"
