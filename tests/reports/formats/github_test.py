"""Annotations: the worst first, no more than GitHub shows, and never a command of the network's."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ipv6check.model import Cause, GateOutcome, Note, Place, Result, Status, Vantage, WaiverState
from ipv6check.model.text import printable
from ipv6check.reports.formats import Style, load, render
from tests.reports.formats.reports import (
    DOWN,
    HOSTILE,
    report,
    run,
    served,
    target,
    text,
    waived,
)

SLOW = Result("aaaa", Status.WARN, "AAAA comes late", "look at the servers", "example.com")
BLIND = Result("tcp", Status.UNKNOWN, "no IPv6 route", cause=Cause.VANTAGE)
NO_IPV6 = Vantage(ipv6="no")


class Annotation(NamedTuple):
    """What the runner makes of a line."""

    level: str
    properties: dict[str, str]
    message: str


def read(line: str) -> Annotation | None:
    """A line as the runner reads it (ActionCommand.cs): ``::``, or ``##[`` of the old notation."""
    assert "##[" not in line
    found = re.fullmatch(r"::([^ :]+)(?: (.*?))?::(.*)", line.lstrip())
    if found is None:
        assert not line.lstrip().startswith("::")
        return None
    pairs = (pair.split("=", 1) for pair in (found[2] or "").split(","))
    named = {key: unescaped(value) for key, value in pairs}
    return Annotation(found[1], named, unescaped(found[3]))


def unescaped(value: str) -> str:
    """The runner's own table, in its order."""
    for code, character in (("0D", "\r"), ("0A", "\n"), ("3A", ":"), ("2C", ","), ("25", "%")):
        value = value.replace(f"%{code}", character)
    return value


def commands(document: str) -> list[Annotation]:
    """Every command of a document."""
    return [told for line in re.split(r"\r\n|\r|\n", document) if (told := read(line))]


def test_a_finding() -> None:
    """A fail is an error at the line that names the target, with what to do."""
    placed = replace(target(DOWN, SLOW), place=Place("our hosts,a:b.txt", 7))
    first, second = commands(text("github", placed))
    assert first == (
        "error",
        {"file": "our hosts,a:b.txt", "line": "7", "title": "example.com: tcp"},
        "silent, IPv4 connects in 11 ms\nopen TCP 443",
    )
    assert second.level == "warning"


def test_no_place() -> None:
    """A target of the command line has an annotation without a line."""
    (told,) = commands(text("github", target(DOWN)))
    assert set(told.properties) == {"title"}


def test_the_last_line_is_for_the_log() -> None:
    """What the run came to, in words."""
    document = text("github", target(DOWN), target(name="b.example"), gate=GateOutcome.FAILED)
    assert document.splitlines()[-1] == ("ipv6check: 2 targets: 1 not ready, 1 ready; gate failed")
    assert text("github") == "ipv6check: no targets; gate passed\n"


def test_what_is_well_or_excused() -> None:
    """It gets no annotation; an expired waiver excuses nothing."""
    fine = Result("ping", Status.PASS, "answers"), Result("ptr", Status.SKIP, "no name")
    excused = waived(DOWN), replace(SLOW, known=True)
    assert commands(text("github", target(*fine, *excused))) == []
    assert len(commands(text("github", target(waived(DOWN, WaiverState.EXPIRED))))) == 1


def test_the_worst_ten_of_as_many_targets_as_can_be() -> None:
    """Ten errors and ten warnings are shown; each target's first comes before another's second."""
    several = [replace(DOWN, subject=f"[2001:db8::{n}]:443") for n in range(9)]
    targets = [target(*several, SLOW, name=f"h{n}.example") for n in range(2000)]
    *shown, left = commands(text("github", *targets))
    assert [command.level for command in shown] == ["error"] * 10 + ["warning"] * 10
    assert [command.properties["title"] for command in shown[:10]] == [
        f"h{n}.example: tcp" for n in range(10)
    ]
    assert left.level == "notice"
    assert left.message == f"{2000 * 10 - 20} more findings: see the step summary"


def test_a_runner_without_ipv6() -> None:
    """One warning says so and what to do, however many targets; nobody is blamed."""
    blind = [target(BLIND, name=f"h{n}.example") for n in range(3)]
    document = render(replace(report(blind, blind=True), vantage=NO_IPV6), load("github"), Style())
    (told,) = commands(document)
    assert told.level == "warning"
    assert told.message == (
        "3 findings could not be measured from here; the targets may be fine\n"
        "this host has no IPv6 route, so only DNS could be checked: run it from a host with "
        "IPv6, or use --on-unknown pass in CI"
    )


def test_what_could_not_be_measured_otherwise() -> None:
    """The first one stands for all; so does the first defect of ours."""
    broken = Result("ours", Status.ERROR, "ZeroDivisionError", cause=Cause.TOOL)
    late = replace(BLIND, message="not measured within the target's 15 s")
    first, second = commands(text("github", target(late, late, broken)))
    assert first.message == "1 check failed to run, first example.com: ours: ZeroDivisionError"
    assert second.message.endswith("first example.com: tcp: " + late.message)


def test_a_run_that_is_not_whole() -> None:
    """A warning says why: what is missing was not checked."""
    told = commands(text("github", interrupted=True, bad_lines=1))
    assert [(annotation.level, annotation.message) for annotation in told] == [
        ("warning", "interrupted: the remaining targets were not checked"),
        ("warning", "1 input line is not a valid target"),
    ]


def test_waivers_that_end() -> None:
    """A note is a warning at the waiver's line; many of them leave room for nothing, honestly."""
    notes = [Note(f"expires in {n} days", Place("ipv6check.toml", n)) for n in range(1, 13)]
    document = text("github", target(DOWN, SLOW), notes=tuple(notes))
    error, *warnings, left = commands(document)
    assert error.level == "error"
    assert [command.properties["line"] for command in warnings] == [str(n) for n in range(1, 11)]
    assert left.message == "3 more findings: see the step summary"


def hostile(say: str) -> Any:
    """A report all of whose texts are the network's."""
    found = replace(DOWN, check=say, message=say, hint=say, subject=say)
    unknown = replace(BLIND, message=say)
    return replace(target(found, unknown, name=say), place=Place(say, 1))


@pytest.mark.parametrize(
    "say",
    [
        HOSTILE,
        "\n::set-output name=a::b",
        "\r::stop-commands::x",
        "##[error]mine",
        "a##[add-mask]b",
        ",file=/etc/passwd::error::x",
        "%0A::error::x",
        "%250A",
        "\u2028::error::x",
        "::error::x",
    ],
)
def test_no_command_of_the_networks(say: str) -> None:
    """Whatever a name server says, there are our three commands and the log's line."""
    document = text("github", hostile(say), notes=(Note(say),))
    assert [command.level for command in commands(document)] == ["error", "warning", "warning"]
    assert len(document.splitlines()) == 4


@given(st.text())
@example("%0A %25")
@example("a::b")
@example("##[")
@example("a,b=c")
def test_any_text_is_read_back(say: str) -> None:
    """The runner unescapes to what is printable of it; nothing else is on a line of its own."""
    document = text("github", hostile(say))
    error, warning = commands(document)
    shown = printable(say)
    title = f"{shown}: {shown}".replace("##[", "# #[")
    message = "\n".join(filter(None, (shown, shown))).replace("##[", "# #[")
    assert (error.level, error.properties["title"], error.message) == ("error", title, message)
    assert warning.level == "warning"
    assert all(printable(line) == line for line in document.split("\n"))


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a runner: the workflow's line is annotated, and the step summary gets its report."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    workflows = tmp_path / ".github/workflows"
    workflows.mkdir(parents=True)
    summary = tmp_path / "summary.md"
    summary.write_text("another step's\n")
    with served() as port:
        up, down = f"[::1]:{port}", "[::1]:1"
        (workflows / "ci.yml").write_text(f"on: push\n# {down}\nrun: ipv6check {up} {down}\n")
        done = run(
            *(up, down, "-f", "github", "--only", "tcp"),
            GITHUB_WORKFLOW_REF="o/r/.github/workflows/ci.yml@refs/heads/main",
            GITHUB_STEP_SUMMARY=str(summary),
        )
    assert (done.returncode, done.stderr) == (1, "")
    (told,) = commands(done.stdout)
    assert (told.properties["file"], told.properties["line"]) == (".github/workflows/ci.yml", "3")
    first, second, *_ = summary.read_text("utf-8").splitlines()
    assert first == "another step's"
    assert second == "### ❌ IPv6 gate failed · 2 targets: 1 not ready, 1 ready"


def test_a_step_summary_that_cannot_be_written(tmp_path: Path) -> None:
    """It is known before the first packet."""
    done = run("[::1]:1", "-f", "github", GITHUB_STEP_SUMMARY=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"ipv6check: {tmp_path} cannot be written: Is a directory\n"


def test_a_full_disk() -> None:
    """The annotations are printed all the same, and the loss is an error."""
    done = run("[::1]:1", "-f", "github", "--only", "tcp", GITHUB_STEP_SUMMARY="/dev/full")
    assert done.returncode == 2
    assert done.stdout.startswith("::error ")
    assert done.stderr == "ipv6check: /dev/full cannot be written: No space left on device\n"
