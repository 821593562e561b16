"""One run from end to end, on a network of plain data."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipv6check.commands import run as session
from ipv6check.commands.run import BLIND, FINDINGS, INTERRUPTED, OK, USAGE, exit_code
from ipv6check.config.options import Options
from ipv6check.config.target import Target, parse
from ipv6check.engine.checks.api import PluginError
from ipv6check.model import GateOutcome, Settings, Summary, Verdict
from ipv6check.reports.sinks import OutputError
from ipv6check.testing import FakeNet, answer, attempt, echo

OPTIONS = Options(only=frozenset({"tcp"}), no_controls=True, format="json")


def network(*names: str, address: str = "2d00::1") -> FakeNet:
    """A network in which these names are served well."""
    both = {"AAAA": address, "A": "192.0.2.1"}
    return FakeNet(
        *(answer(name, rdtype, address) for name in names for rdtype, address in both.items()),
        *(attempt(address, port) for address in both.values() for port in (443, 80)),
        *map(echo, both.values()),
    )


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a session: exit code, standard output and error."""

    def run(
        net: FakeNet, names: Sequence[str], options: Options = OPTIONS, path: str | None = None
    ) -> tuple[int, str, str]:
        code = session.check(options, [parse(name) for name in names], path, lambda *_: net)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_ready(check: Callable[..., tuple[int, str, str]]) -> None:
    """A good target is reported, the network is closed, and the code is 0."""
    net = network("a.example")
    code, out, err = check(net, ["a.example"])
    assert (code, err, json.loads(out)["verdict"]) == (OK, "", "ready")
    assert net.closed


def test_each_target_once(check: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    """A target that is named twice, also by the input, is checked once."""
    net = network("a.example", "b.example")
    path = tmp_path / "targets"
    path.write_text("B.example.\na.example\nb.example\n")
    code, out, _ = check(net, ["a.example", "A.example."], path=str(path))
    assert code == OK
    assert [t["target"] for t in json.loads(out)["targets"]] == ["a.example", "B.example."]
    asked = [call for call in net.calls if call[0] == "resolve"]
    assert len(asked) == len(set(asked)) == 4


def test_how_many_targets_the_network_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """The vantage knows how many there are, unless an input may bring more."""
    told: list[int | None] = []

    def factory(_settings: Settings, total: int | None) -> FakeNet:
        told.append(total)
        return network("a.example", "b.example")

    targets: list[Target] = [parse("a.example"), parse("b.example"), parse("a.example")]
    session.check(OPTIONS, targets, None, factory)
    session.check(OPTIONS, targets, os.devnull, factory)
    capsys.readouterr()
    assert told == [2, None]


def test_a_bad_line(check: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    """A line that names no target is told, the rest goes on, and the code is 2."""
    path = tmp_path / "targets"
    path.write_text("a.example\n1.2.3.4\nb.example\n")
    code, out, err = check(network("a.example", "b.example"), [], path=str(path))
    assert (code, len(json.loads(out)["targets"])) == (USAGE, 2)
    assert err.startswith(f"ipv6check: {path}:2: 1.2.3.4 is an IPv4 address")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"only": frozenset({"nonsense"})}, PluginError),
        ({"save": (("json", Path("/nonexistent/x")),)}, OutputError),
    ],
)
def test_refused_before_anything_is_sent(changes: dict[str, Any], error: type[Exception]) -> None:
    """What cannot work is known before the network is opened."""

    def factory(*_: object) -> FakeNet:
        raise AssertionError("opened")

    with pytest.raises(error):
        session.check(replace(OPTIONS, **changes), [parse("a.example")], None, factory)


def test_a_refused_output_takes_the_others_along(tmp_path: Path) -> None:
    """Where one file cannot be opened no other is left half open."""
    save = (("json", tmp_path / "a"), ("json", tmp_path / "nonexistent" / "b"))
    with pytest.raises(OutputError, match="nonexistent/b cannot be written"):
        session.check(replace(OPTIONS, save=save), [parse("a.example")], None, lambda *_: FakeNet())
    assert list(tmp_path.iterdir()) == []


def test_a_crash_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is our own fault is raised, and half a report is thrown away."""
    saved = tmp_path / "report.json"
    saved.write_text("old")

    def crash() -> Any:
        raise RuntimeError("a defect")

    broken = FakeNet()
    monkeypatch.setattr(broken.uplink, "vantage", crash)
    options = replace(OPTIONS, save=(("json", saved),))
    with pytest.raises(RuntimeError, match="a defect"):
        session.check(options, [parse("a.example")], None, lambda *_: broken)
    assert saved.read_text() == "old"
    assert [saved] == list(tmp_path.iterdir())


def summary(gate: GateOutcome, *, interrupted: bool = False, bad_lines: int = 0) -> Summary:
    """The end of a run."""
    return Summary(Verdict.READY, {}, {}, 1.0, interrupted, gate=gate, bad_lines=bad_lines)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (summary(GateOutcome.PASSED), OK),
        (summary(GateOutcome.FAILED), FINDINGS),
        (summary(GateOutcome.UNKNOWN), BLIND),
        (summary(GateOutcome.PASSED, interrupted=True), INTERRUPTED),
        (summary(GateOutcome.FAILED, interrupted=True), INTERRUPTED),
        (summary(GateOutcome.PASSED, bad_lines=1), USAGE),
        (summary(GateOutcome.FAILED, bad_lines=1), USAGE),
        (summary(GateOutcome.FAILED, interrupted=True, bad_lines=1), INTERRUPTED),
    ],
)
def test_exit_code(end: Summary, code: int) -> None:
    """What each end of a run means to whoever called."""
    assert code == exit_code(end, lost=0)
    assert exit_code(end, lost=1) == USAGE


def test_no_packet_to_special_addresses(
    check: Callable[..., tuple[int, str, str]],
) -> None:
    """The whole plan sends nothing to addresses that nobody can reach: every call is known."""
    published = ["::", "::1", "fe80::1", "fd00::1", "ff02::1", "2001:db8::1", "::ffff:192.0.2.1"]
    net = FakeNet(answer("a.example", "AAAA", *published), answer("a.example", "A", "10.0.0.1"))
    options = replace(OPTIONS, only=frozenset())
    code, _, _ = check(net, ["a.example"], options)
    assert code == FINDINGS
    assert not net.unplanned
    assert {"resolve", "pref64"} == {str(call[0]) for call in net.calls}
