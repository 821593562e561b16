"""The line of a monitoring plugin, read by the rules of those who run plugins."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipv6check.commands import main
from ipv6check.commands import run as check_run
from ipv6check.model import GateOutcome, Note, Result, Status, TargetReport, Vantage, WaiverState
from ipv6check.reports.formats import Renderer, Style, load
from ipv6check.reports.formats.nagios import LINE_BYTES, LINES, WORST, State, line
from tests.lab.requirements import READERS
from tests.reports.formats.reports import (
    COMMAND,
    DOWN,
    HOSTILE,
    RUN,
    report,
    run,
    served,
    target,
    text,
    waived,
)

HERE = Vantage()
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]")
FINE = Result("aaaa", Status.PASS, "1 address")
SLOW = Result("fallback", Status.WARN, "IPv6 loses the race")
BLIND = Result("tcp", Status.UNKNOWN, "this host has no IPv6 route")
TIMES = Result(
    "tcp",
    Status.PASS,
    "open",
    evidence={
        "attempts": [
            {"port": 443, "address": "2001:db8::1", "outcome": "connected", "elapsed_ms": 12.5},
            {"port": 443, "address": "2001:db8::2", "outcome": "connected", "elapsed_ms": 11.25},
            {"port": 443, "address": "192.0.2.1", "outcome": "connected", "elapsed_ms": 9},
            {"port": 80, "address": "192.0.2.1", "outcome": "refused", "elapsed_ms": 1},
        ]
    },
)
RACED = Result(
    "fallback",
    Status.PASS,
    "IPv6 wins",
    evidence={
        "port": 443,
        "survey": [{"address": "2001:db8::1", "tcp": "connected", "tcp_ms": 10.5}],
        "also": [
            {
                "port": 80,
                "survey": [{"address": "192.0.2.1", "tcp": "connected", "tcp_ms": 7}],
            }
        ],
    },
)


def told(
    *targets: TargetReport,
    gate: GateOutcome = GateOutcome.PASSED,
    verbose: bool = False,
    **changes: Any,
) -> tuple[int, str, str, list[str]]:
    """Exit code, text and performance data of the first line, and the lines after it."""
    stream = Renderer(load("nagios"), Style(many=len(targets) != 1, verbose=verbose))
    whole = report(targets, gate=gate, **changes)
    pieces = [stream.head(RUN, HERE), *(stream.target(target, RUN, HERE) for target in targets)]
    assert "".join(pieces) == ""
    document = stream.tail(whole.summary, RUN, HERE)
    assert document.endswith("\n")
    first, *lines = document.removesuffix("\n").split("\n")
    assert not any(FORBIDDEN.search(line) or "|" in line for line in lines)
    assert FORBIDDEN.search(first) is None
    assert len(first.encode()) <= LINE_BYTES
    said, perfdata = first.split(" | ")
    code = stream.exit_code(0)
    assert [stream.exit_code(exit_code) for exit_code in (1, 2, 3, 130)] == [
        code,
        code or 3,
        code,
        code or 3,
    ]
    assert said.startswith(f"IPV6CHECK {State(code).name} - ")
    return code, said.partition(" - ")[2], perfdata, lines


def parsed(perfdata: str) -> Iterator[tuple[str, float, str]]:
    """Label, value and unit, by the guidelines' grammar; nothing else is between them."""
    value = r"(-?\d+(?:\.\d+)?)(s|)"
    item = re.compile(rf"'([^'=]+)'={value}((?:;[\d.]*){{0,4}})(?: |$)")
    place = 0
    while place < len(perfdata):
        found = item.match(perfdata, place)
        assert found, perfdata[place:]
        place = found.end()
        yield found[1], float(found[2]), found[3]


@pytest.mark.parametrize(
    ("result", "gate", "code", "words"),
    [
        (FINE, GateOutcome.PASSED, 0, "1 ready"),
        (SLOW, GateOutcome.PASSED, 1, "example.com: IPv6 loses the race"),
        (SLOW, GateOutcome.FAILED, 1, "example.com: IPv6 loses the race"),
        (DOWN, GateOutcome.FAILED, 2, "example.com: silent, IPv4 connects in 11 ms"),
        (BLIND, GateOutcome.UNKNOWN, 3, "example.com: this host has no IPv6 route"),
        (BLIND, GateOutcome.PASSED, 0, "example.com: this host has no IPv6 route"),
    ],
)
def test_states(result: Result, gate: GateOutcome, code: int, words: str) -> None:
    """Not ready is critical, degraded a warning, unknown is unknown unless --on-unknown pass."""
    assert told(target(result), gate=gate)[:2] == (code, words)


def test_what_is_excused_does_not_count() -> None:
    """A waived or known finding is no alarm, and neither is it hidden."""
    for excused in (waived(DOWN), replace(DOWN, known=True), waived(SLOW)):
        assert told(target(excused))[:2] == (0, "1 ready, 1 excused")
    expired = told(target(waived(DOWN, WaiverState.EXPIRED)), gate=GateOutcome.FAILED)
    assert expired[0] == 2
    assert "waiver expired on 2026-12-31 by net team" in expired[1]


def test_an_interrupted_run_knows_nothing() -> None:
    """What was found so far is told, and the state is unknown."""
    code, said, _, _ = told(target(DOWN), gate=GateOutcome.FAILED, interrupted=True)
    assert (code, said) == (
        3,
        (
            "interrupted: the remaining targets were not checked; "
            "example.com: silent, IPv4 connects in 11 ms"
        ),
    )


def test_bad_input_is_unknown() -> None:
    """Lines that name no target are a mistake to mend, whatever the others are."""
    code, said, _, _ = told(target(FINE), bad_lines=2)
    assert (code, said) == (3, "2 input lines are not valid targets; 1 ready")


def test_nothing_is_not_ok() -> None:
    """A run without a target, as the gate has it; the notes say why."""
    note = Note("service x must be checked from a host with IPv6")
    code, said, _, _ = told(gate=GateOutcome.UNKNOWN, notes=(note,))
    assert (code, said) == (3, f"no target was checked; {note.text}")


def test_the_worst_of_many_are_named_first() -> None:
    """Thousands of targets are one line of bounded length, that says how many there are."""
    results = [SLOW, BLIND, FINE, *[DOWN] * 3, FINE] * 1000
    targets = [target(result, TIMES, name=f"h{n}.example") for n, result in enumerate(results)]
    code, said, perfdata, lines = told(*targets, gate=GateOutcome.FAILED)
    assert (code, lines) == (2, [])
    assert said.startswith(
        "3000 not ready, 1000 unknown, 1000 degraded, 2000 ready; h3.example: silent, IPv4 connects"
    )
    assert said.count("silent") == WORST
    assert said.endswith(f"; and {5000 - WORST} more")
    counts = {label: value for label, value, _ in parsed(perfdata)}
    assert (counts["targets"], counts["not_ready"], counts["unknown"]) == (7000, 3000, 1000)
    assert counts["h0.example_ipv6_443"] == 0.01125


def test_verbose_has_a_line_a_finding() -> None:
    """Each finding with what was agreed on it and what to do, up to a bound that is told."""
    *_, lines = told(target(FINE, DOWN, waived(SLOW)), gate=GateOutcome.FAILED, verbose=True)
    assert lines == [
        "fail example.com tcp: silent, IPv4 connects in 11 ms - open TCP 443",
        (
            "warn example.com fallback: IPv6 loses the race - "
            "(waived until 2026-12-31 by net team: new load balancer)"
        ),
    ]
    *_, lines = told(*[target(DOWN, SLOW)] * 300, gate=GateOutcome.FAILED, verbose=True)
    assert len(lines) == LINES + 1
    assert lines[-1] == "and 500 more findings"


def test_times_are_seconds_by_family_and_port() -> None:
    """The fastest handshake of each, from what tcp and fallback saw; no label is used twice."""
    *_, perfdata, _ = told(target(TIMES, RACED))
    times = {label: (value, unit) for label, value, unit in parsed(perfdata) if "_" in label}
    assert times == {
        "not_ready": (0, ""),
        "ipv4_80": (0.007, "s"),
        "ipv4_443": (0.009, "s"),
        "ipv6_443": (0.0105, "s"),
    }


def test_a_target_of_two_services_has_one_time() -> None:
    """Whoever stores the times has one place for each label."""
    *_, perfdata, _ = told(*(target(TIMES, service=name) for name in ("shop", "api")))
    labels = [label for label, *_ in parsed(perfdata)]
    assert len(labels) == len({*labels})


@pytest.mark.parametrize(
    "evidence",
    [
        {"attempts": 1},
        {"attempts": [1, {"port": "x", "address": 1, "outcome": "connected"}]},
        {"attempts": [{"port": 1, "address": "::1", "outcome": "connected", "elapsed_ms": None}]},
        {"port": [], "survey": [{"address": "::1", "tcp": "connected", "tcp_ms": 1}], "also": [7]},
    ],
)
def test_evidence_of_another_shape_is_left_out(evidence: dict[str, Any]) -> None:
    """A private check may have the name of ours."""
    found = [Result(check, Status.PASS, "", evidence=evidence) for check in ("tcp", "fallback")]
    assert "ipv6_" not in told(target(*found))[2]


@settings(deadline=None)  # a busy machine is no defect
@given(st.text() | st.just(HOSTILE), st.booleans())
def test_any_text_is_one_line(words: str, many: bool) -> None:  # noqa: FBT001
    """Nothing of the network's ends the line, begins performance data or breaks a label."""
    bad = replace(DOWN, message=words, hint=words, subject=words)
    targets = [target(bad, TIMES, name=f"x{words}{n}") for n in range(1 + many)]
    _, said, perfdata, _ = told(
        *targets, gate=GateOutcome.FAILED, verbose=True, notes=(Note(words),)
    )
    assert "|" not in said
    assert len(list(parsed(perfdata))) == (10 if many else 8)


def test_a_terminal_without_unicode() -> None:
    """Where standard output knows ASCII alone, what it does not know is an escape."""
    bad = replace(DOWN, message="bücher →")
    assert text("nagios", target(bad), style=Style(unicode=False)).isascii()


def test_a_line_without_a_run() -> None:
    """What went wrong before there was one is unknown, whatever it says."""
    assert line(State.UNKNOWN, "no | such\nfile") == (
        "IPV6CHECK UNKNOWN - no \\x7c such\\x0afile\n"
    )


def icinga(expression: str) -> Any:
    """What Icinga's own console makes of an expression."""
    command = ["icinga2", "console", "--eval", expression]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return json.loads(ended.stdout.splitlines()[-1])


def test_icinga_reads_the_performance_data(needs: Callable[..., None]) -> None:
    """Each item by Icinga's own parser: labels, seconds, thresholds, and addresses unharmed."""
    needs("icinga2")
    names = ["2001:db8::1", "https://example.com/a=b'c d", "example.com"]
    targets = [target(TIMES, name=name) for name in names]
    *_, perfdata, _ = told(*targets, target(DOWN, name="down.example"), gate=GateOutcome.FAILED)
    items = perfdata.split(" ")
    expression = ", ".join(f"parse_performance_data({json.dumps(item)})" for item in items)
    read = {label["label"]: label for label in icinga(f"[ {expression} ]")}
    assert read.keys() == {
        "time", "targets", "not_ready", "degraded", "unknown", "excused",
        "2001:db8:0:1_ipv6_443", "2001:db8:0:1_ipv4_443",
        "https://example.com/a_b_c_d_ipv6_443", "https://example.com/a_b_c_d_ipv4_443",
        "example.com_ipv6_443", "example.com_ipv4_443",
    }  # fmt: skip
    time = read["example.com_ipv6_443"]
    assert (time["value"], time["unit"], time["min"]) == (0.01125, "seconds", 0)
    assert [read["not_ready"][key] for key in ("value", "crit", "min", "max")] == [1, 0, 0, 4]
    assert "::" not in perfdata


# --- the installed command ---------------------------------------------------------------------


def test_the_command_is_a_plugin(needs: Callable[..., None]) -> None:
    """A target on this host: the state as exit code, times that Icinga reads, lines with -v."""
    needs("icinga2")
    with served() as port:
        ended = run("-f", "nagios", f"localhost:{port}", "--only", "tcp")
    said, perfdata = ended.stdout.removesuffix("\n").split(" | ")
    assert (ended.returncode, ended.stderr, said) == (0, "", "IPV6CHECK OK - 1 ready")
    items = ", ".join(f"parse_performance_data({json.dumps(item)})" for item in perfdata.split())
    times = {item["label"]: item for item in icinga(f"[ {items} ]") if item["unit"] == "seconds"}
    assert times.keys() == {"time", f"ipv6_{port}", f"ipv4_{port}"}
    assert all(0 < item["value"] < 20 for item in times.values())
    ended = run("-f", "nagios", f"localhost:{port}", "--only", "tcp", "-v")
    first, *more = ended.stdout.splitlines()
    assert (ended.returncode, len(more)) == (2, 1)
    assert first.startswith(
        f"IPV6CHECK CRITICAL - localhost:{port}: nothing accepts connections on port {port}"
    )


def test_negate_finds_the_state_in_the_line(needs: Callable[..., None]) -> None:
    """monitoring-plugins' own wrapper turns exit code and word of a plugin into others."""
    (negate,) = READERS["monitoring-plugins-basic"]
    needs(negate)
    with served() as port:
        pass
    plugin = [COMMAND, "-f", "nagios", f"localhost:{port}", "--only", "tcp"]
    ended = subprocess.run(
        [negate, "-s", "-c", "OK", *plugin],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(
        f"IPV6CHECK OK - localhost:{port}: nothing accepts connections on port {port}"
    )


@pytest.mark.parametrize(("served_well", "code"), [(True, 3), (False, 2)])
def test_a_report_that_is_lost(served_well: bool, code: int) -> None:  # noqa: FBT001
    """A full disk hides no finding, and where there is none it is not OK."""
    with served() as port:
        where = f"localhost:{port if served_well else 1}"
        ended = run("-f", "nagios", where, "--only", "tcp", "--save", "prometheus=/dev/full")
    assert ended.returncode == code
    assert "No space left on device" in ended.stderr


@pytest.mark.slow(after=2)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("-f nagios example.com:99999", '"99999" is not a port'),
        ("-qfnagios --bogus ::1", "--bogus"),
        ("--format=nagios --config nonexistent.toml ::1", "nonexistent.toml"),
        ("--format nagios --save json=/nonexistent/x ::1", "/nonexistent/x cannot be written"),
        ("example.com:99999", '"99999" is not a port'),
    ],
)
def test_a_run_that_cannot_be_made_is_unknown(arguments: str, words: str) -> None:
    """Exit code 2 would be CRITICAL: a mistake is no finding, and a plugin says so in its line."""
    environment = {} if "nagios" in arguments else {"IPV6CHECK_FORMAT": "nagios"}
    ended = run(*arguments.split(), **environment)
    assert ended.returncode == 3
    assert ended.stdout.startswith("IPV6CHECK UNKNOWN - ")
    assert ended.stdout.count("\n") == 1
    assert words in ended.stdout
    assert ended.stderr == f"ipv6check: {ended.stdout.partition(' - ')[2]}"


def test_other_formats_keep_their_exit_code() -> None:
    """The flag wins over the environment, here too."""
    ended = run("-f", "json", "example.com:99999", IPV6CHECK_FORMAT="nagios")
    assert (ended.returncode, ended.stdout) == (2, "")


MORE = "run it again with --debug for the traceback, and report it"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("a | b")])
def test_whatever_ends_it_is_unknown(
    error: BaseException | type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A signal before the run, or a defect of ours: 1 would be a warning, and no line an enigma."""

    def broken(*_: object) -> int:
        raise error

    monkeypatch.setattr(check_run, "check", broken)
    monkeypatch.setattr(sys, "argv", ["ipv6check", "::1", "-f", "nagios"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    said = capsys.readouterr()
    assert ended.value.code == 3
    assert said.out in {
        "IPV6CHECK UNKNOWN - interrupted\n",
        f"IPV6CHECK UNKNOWN - internal error: RuntimeError: a \\x7c b; {MORE}\n",
    }
    assert "Traceback" not in said.err


def test_a_bad_line_of_an_input_is_unknown(tmp_path: Path) -> None:
    """The line says what the exit code does, for stderr is not what a monitoring system reads."""
    path = tmp_path / "hosts"
    with served() as port:
        path.write_text(f"localhost:{port}\n1.2.3.4\n")
        ended = run("-f", "nagios", "-i", str(path), "--only", "tcp")
    assert ended.returncode == 3
    assert ended.stdout.startswith(
        "IPV6CHECK UNKNOWN - 1 input line is not a valid target; 1 ready"
    )


def test_an_interrupted_command_is_unknown() -> None:
    """Ctrl-C while a name server is silent: the line is still printed, and the state is unknown."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        mute.settimeout(30)
        server = f"127.0.0.1:{mute.getsockname()[1]}"
        command = [COMMAND, "-f", "nagios", "a.example", "--nameserver", server, "--timeout", "60"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            mute.recv(1)
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=30)
    assert process.returncode == 3
    assert said.startswith("IPV6CHECK UNKNOWN - interrupted")
    assert said.count("\n") == 1
