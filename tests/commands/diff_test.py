"""The command ``diff``: two reports in, what differs out, an exit code that a gate can use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ipv6check.commands import schema
from tests import installed
from tests.saved import result, save, target, text

A, B = "[2001:db8::a]:443", "[2001:db8::b]:443"
OLD = (
    target(result("pass", A), result("warn", check="ptr"), name="a.example"),
    target(result("fail", A, cause="host"), name="b.example"),
    target(result("unknown", cause="vantage"), name="c.example", service="shop"),
    target(name="old.example"),
)
NEW = (
    target(result("fail", B), name="new.example"),
    target(result("pass", cause="vantage"), name="c.example", service="shop"),
    target(result("fail", B, cause="host"), name="b.example"),
    target(result("fail", A, cause="firewall"), result("pass", check="ptr"), name="a.example"),
)
TABLE = """\
 ✗ lost       a.example tcp: pass → fail                                firewall
              [2001:db8::a]:443 is fail
 ! changed    c.example (shop) tcp: unknown → pass
              tcp is pass
 ! changed    b.example tcp: fail [2001:db8::a]:443 → fail                  host
              [2001:db8::b]:443
              [2001:db8::b]:443 is fail
 ? new        new.example: not ready
 ✓ gained     a.example ptr: warn → pass
              ptr is pass
 - gone       old.example: ready
1 lost, 2 changed, 1 new, 1 gained, 1 gone
"""
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run ``ipv6check diff`` in a directory with the two reports in both formats."""
    for format_ in ("json", "jsonl"):
        save(tmp_path / f"old.{format_}", *OLD)
        save(tmp_path / f"new.{format_}", *NEW)

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return installed.run(
            "diff",
            *arguments,
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "80", **environment},
            input=text("jsonl", *NEW),
        )

    return run


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The document, which its own schema holds."""
    document: dict[str, Any] = json.loads(done.stdout)
    jsonschema.Draft202012Validator(json.loads(schema.text())).validate(document)
    return document


@pytest.mark.slow(after=2)
@pytest.mark.parametrize("old", ["old.json", "old.jsonl"])
@pytest.mark.parametrize("new", ["new.json", "new.jsonl", "-"])
def test_the_table(command: Command, old: str, new: str) -> None:
    """The worst first, a row each, in 80 columns and without colour; then how many of each."""
    done = command(old, new)
    assert (done.returncode, done.stderr, done.stdout) == (1, "", TABLE)


def test_the_document(command: Command) -> None:
    """In the order of the new report, then what is gone; both sides of each."""
    done = command("old.json", "new.jsonl", "-f", "json")
    document = told(done)
    assert done.returncode == 1
    assert document["counts"] == {"lost": 1, "changed": 2, "new": 1, "gained": 1, "gone": 1}
    assert [
        (difference["drift"], difference["target"]) for difference in document["differences"]
    ] == [
        ("new", "new.example"),
        ("changed", "c.example"),
        ("changed", "b.example"),
        ("lost", "a.example"),
        ("gained", "a.example"),
        ("gone", "old.example"),
    ]
    new, unknown, _, lost, _, gone = document["differences"]
    assert (new["verdict"], gone["verdict"], unknown["service"]) == ("not-ready", "ready", "shop")
    assert lost == {
        "drift": "lost",
        "target": "a.example",
        "check": "tcp",
        "subject": A,
        "old": {
            "finding": "",
            "status": "pass",
            "subject": A,
            "cause": None,
            "message": f"{A} is pass",
        },
        "new": {
            "finding": "",
            "status": "fail",
            "subject": A,
            "cause": "firewall",
            "message": f"{A} is fail",
        },
    }


def test_nothing_differs(command: Command) -> None:
    """Two reports of one run, whatever their formats: exit code 0, one line or an empty list."""
    done = command("old.json", "old.jsonl")
    assert done.returncode == 0
    assert done.stdout == "0 lost, 0 changed, 0 new, 0 gained, 0 gone: nothing is worse\n"
    assert told(command("old.json", "old.jsonl", "-f", "json"))["differences"] == []


def test_what_is_gained_is_no_failure(command: Command, tmp_path: Path) -> None:
    """Neither is what is new, however bad: nothing was lost."""
    save(tmp_path / "one.json", target(result("fail")))
    save(tmp_path / "two.json", target(result("pass")), target(result("fail"), name="b.example"))
    assert command("one.json", "two.json").returncode == 0


def test_a_terminal_without_unicode(command: Command) -> None:
    """The arrow and the marks are ASCII then."""
    done = command("old.json", "new.json", PYTHONIOENCODING="ascii")
    assert done.stdout.isascii()
    assert "a.example tcp: pass -> fail" in done.stdout


def test_no_text_of_theirs_controls_the_terminal(command: Command, tmp_path: Path) -> None:
    """Names, subjects and messages are somebody else's (law 8)."""
    hostile = "\x1b[2J\x07\x9b\u202e\ud800\n"
    save(tmp_path / "one.jsonl", target(result("fail", hostile, hostile), name=hostile))
    save(tmp_path / "two.jsonl", target(result("pass", hostile, hostile), name=hostile))
    for order in (
        ("one.jsonl", "two.jsonl"),
        ("two.jsonl", "one.jsonl"),
        ("one.jsonl", "new.json"),
    ):
        done = command(*order)
        assert done.returncode in {0, 1}
        assert done.stdout.replace("\n", "").isprintable()


@pytest.mark.slow(after=2)
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["old.json", "missing.json"], "missing.json cannot be read: No such file or directory"),
        (["old.json", "cut.jsonl"], "cut.jsonl:4: is truncated"),
        (["cut.jsonl", "old.json"], "cut.jsonl:4: is truncated"),
        (["old.json", "twice.jsonl"], "twice.jsonl:5: lists the same target twice: "),
        (["-", "-"], "only one of the two reports can be standard input"),
        (["old.json", "new.json", "-f", "xml"], "--format: 'xml' is not one of table, json"),
        (["old.json"], "missing argument 'NEW'; see ipv6check diff --help"),
    ],
)
def test_what_cannot_be_read(
    command: Command, tmp_path: Path, arguments: list[str], said: str
) -> None:
    """One line, exit code 2, and nothing that looks like half an answer."""
    (tmp_path / "cut.jsonl").write_text(text("jsonl", *NEW)[:-5])
    save(tmp_path / "twice.jsonl", *NEW, NEW[0])
    done = command(*arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"ipv6check: {said}")


def test_an_interrupted_run_is_told(command: Command, tmp_path: Path) -> None:
    """Targets that are gone may only not have had their turn."""
    save(tmp_path / "half.json", *NEW[:1], interrupted=True)
    done = command("old.json", "half.json")
    assert (
        done.stderr == "ipv6check: half.json: the run was interrupted, so targets may be missing\n"
    )
    assert "4 gone" in done.stdout


@pytest.mark.slow
def test_reports_of_any_size(tmp_path: Path) -> None:
    """50,000 targets on each side need hardly more memory than none."""
    code = (
        "import resource, sys; from ipv6check.commands.diff import run; "
        "code = run(*sys.argv[1:], 'json');"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(code)"
    )

    def peak(number: int) -> int:
        """Kilobytes at most, for reports of so many targets."""
        for name, status in (("old.json", "pass"), ("new.jsonl", "fail")):
            results = [result(status, A, check) for check in ("aaaa", "tcp")]
            told = (target(*results, name=f"{n}.example") for n in range(number))
            save(tmp_path / name, *told)
        done = subprocess.run(
            [sys.executable, "-c", code, "old.json", "new.jsonl"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.stdout.count('"lost"') == 2 * number + 1
        return int(done.stderr)

    assert peak(50_000) - peak(1) < 20_000
