"""A baseline: a saved report whose targets are found by name, in a run that is gated by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ipv6check.commands import run as check
from ipv6check.commands.run import FINDINGS, OK
from ipv6check.config.options import Options
from ipv6check.config.target import parse
from ipv6check.reports.baseline import opened
from ipv6check.reports.json_stream import ReportError
from ipv6check.testing import FakeNet, answer
from tests.saved import result, save, target

GOOD, BAD, WORSE = "2d00::1", "fe80::1", "fe80::2"
NAME = "a.example"
Gate = Callable[..., tuple[int, list[dict[str, Any]]]]


def network(*addresses: str) -> FakeNet:
    """A network in which the target's AAAA are these."""
    return FakeNet(answer(NAME, "AAAA", *addresses), answer(NAME, "A", "192.0.2.1"))


@pytest.fixture
def gate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Gate:
    """Run ``aaaa`` on a target with these addresses, and save it: exit code and results."""

    def run(*addresses: str, baseline: Path | None = None) -> tuple[int, list[dict[str, Any]]]:
        options = Options(
            only=frozenset({"aaaa"}),
            no_controls=True,
            format="json",
            save=(("jsonl", tmp_path / f"{addresses[0]}.jsonl"),),
            baseline=baseline,
        )
        code = check.check(options, [parse(NAME)], None, lambda *_: network(*addresses))
        (told,) = json.loads(capsys.readouterr().out)["targets"]
        return code, told["results"]

    return run


def test_what_was_so_before_does_not_gate(gate: Gate, tmp_path: Path) -> None:
    """It stays a fail, is shown as known, and the exit code is 0."""
    assert gate(BAD)[0] == FINDINGS
    code, (found,) = gate(BAD, baseline=tmp_path / f"{BAD}.jsonl")
    assert (code, found["status"], found["known"]) == (OK, "fail", True)


def test_a_broken_host_may_be_renumbered(gate: Gate, tmp_path: Path) -> None:
    """Another address with the old fault is nothing new."""
    gate(BAD)
    assert gate(WORSE, baseline=tmp_path / f"{BAD}.jsonl")[0] == OK


def test_one_more_broken_address_gates(gate: Gate, tmp_path: Path) -> None:
    """The first one is known, the second is not."""
    gate(BAD)
    code, found = gate(BAD, WORSE, baseline=tmp_path / f"{BAD}.jsonl")
    assert code == FINDINGS
    assert {result["subject"]: result.get("known", False) for result in found} == {
        BAD: True,
        WORSE: False,
    }


def test_what_was_well_gates(gate: Gate, tmp_path: Path) -> None:
    """A fault that was not there before."""
    assert gate(GOOD)[0] == OK
    assert gate(BAD, baseline=tmp_path / f"{GOOD}.jsonl")[0] == FINDINGS


def test_what_nobody_has_seen_gates(gate: Gate, tmp_path: Path) -> None:
    """Another target, another service, another check, or one that could not tell."""
    before = [
        target(result("fail", BAD, "aaaa"), name="b.example"),
        target(result("fail", BAD, "aaaa"), name=NAME, service="shop"),
        target(result("fail", BAD, "tcp"), name=NAME),
        target(result("unknown", BAD, "aaaa"), name=NAME),
    ]
    for report in before:
        assert gate(BAD, baseline=save(tmp_path / "old.json", report))[0] == FINDINGS


@pytest.mark.parametrize("format_", ["json", "jsonl"])
def test_targets_are_found_by_name_and_service(format_: str, tmp_path: Path) -> None:
    """In the order of the file, each as it was saved, whatever its name holds."""
    hostile = "\x1b\x00\ud800'\"--"
    names = [("a", ""), ("a", "shop"), ("A", ""), (hostile, ""), ("", hostile)]
    told = [target(result("warn", hostile), name=name, service=of) for name, of in names]
    with opened(save(tmp_path / f"old.{format_}", *told)) as baseline:
        assert [(entry.target, entry.service) for entry in baseline] == names
        for report in told:
            found = baseline.find(report)
            assert found is not None
            assert (found.target, found.service) == (report.target, report.service)
            assert baseline.known(report).results[0].known
        assert baseline.find(target(name="b")) is None


def test_a_target_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    """Which of the two would be meant?"""
    path = save(tmp_path / "old.jsonl", target(name="a"), target(name="b"), target(name="a"))
    with pytest.raises(ReportError, match=r"old\.jsonl:3: lists the same target twice"):
        opened(path).__enter__()


def test_a_bad_baseline_is_known_before_any_packet(tmp_path: Path) -> None:
    """It is read to its end first, and no output is begun."""
    path = save(tmp_path / "old.jsonl", target(name="a"))
    path.write_text(path.read_text() + "{")
    saved = tmp_path / "new.json"

    def factory(*_: object) -> FakeNet:
        raise AssertionError("opened")

    options = Options(baseline=path, save=(("json", saved),))
    with pytest.raises(ReportError, match=r"old\.jsonl:2: is truncated"):
        check.check(options, [parse(NAME)], None, factory)
    assert [*tmp_path.iterdir()] == [path]


def test_an_interrupted_baseline_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It holds, and its reader knows that targets may be missing in it."""
    path = save(tmp_path / "old.json", target(name=NAME), interrupted=True)
    options = Options(only=frozenset({"aaaa"}), no_controls=True, baseline=path)
    assert check.check(options, [parse(NAME)], None, lambda *_: network(GOOD)) == OK
    told = f"ipv6check: {path}: the run was interrupted, so targets may be missing\n"
    assert capsys.readouterr().err == told
