"""What time can change is tried again, what it cannot is not, and several attempts say so."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipv6check.commands import run as check_run
from ipv6check.commands.run import FINDINGS, INTERRUPTED, OK
from ipv6check.config.options import Options
from ipv6check.config.target import parse
from ipv6check.engine import retries
from ipv6check.model import (
    TRANSIENT_KINDS,
    VANTAGE_KINDS,
    Attempt,
    Failure,
    Kind,
    Result,
    Status,
    settings,
)
from ipv6check.model.settings import pauses_s
from ipv6check.probes.connections import Connections
from ipv6check.testing import FakeNet, answer, attempt, echo
from tests.net.dns_server import DnsServer, Query, reply
from tests.pace import Lag

COMMAND = str(Path(sys.executable).with_name("ipv6check"))
FAIL, WARN, PASS, SKIP = Status.FAIL, Status.WARN, Status.PASS, Status.SKIP
UNKNOWN, ERROR = Status.UNKNOWN, Status.ERROR


def results(check: str, *statuses: Status, subject: str = "") -> list[Result]:
    """What one check found in one attempt."""
    return [Result(check, status, f"{check} says {status}", subject=subject) for status in statuses]


def told(found: Any) -> list[tuple[str, str]]:
    """Status and message of each result."""
    return [(result.status.value, result.message) for result in found]


# --- what several attempts add up to ---------------------------------------------------------


def test_one_attempt_is_what_it_is() -> None:
    """Nothing is added where nothing was tried again."""
    only = results("tcp", FAIL)
    assert retries.best([only]) is only


@pytest.mark.parametrize(
    ("tries", "says"),
    [
        ([FAIL, PASS], "pass: tcp says pass (at the 2nd attempt of 2; before: fail)"),
        ([PASS, FAIL], "pass: tcp says pass (at the 1st attempt of 2; after: fail)"),
        ([FAIL, FAIL], "fail: tcp says fail"),
        ([PASS, PASS], "pass: tcp says pass"),
        (
            [FAIL, WARN, FAIL],
            "warn: tcp says warn (at the 2nd attempt of 3; before: fail; after: fail)",
        ),
        (
            [FAIL, UNKNOWN, WARN],
            "warn: tcp says warn (at the 3rd attempt of 3; before: fail, unknown)",
        ),
        # What could not be measured takes nothing back of what was.
        ([FAIL, UNKNOWN], "fail: tcp says fail (at the 1st attempt of 2; after: unknown)"),
        ([FAIL, SKIP], "fail: tcp says fail (at the 1st attempt of 2; after: skip)"),
        ([SKIP, FAIL], "fail: tcp says fail (at the 2nd attempt of 2; before: skip)"),
        ([SKIP, SKIP], "skip: tcp says skip"),
        ([ERROR, UNKNOWN], "unknown: tcp says unknown (at the 2nd attempt of 2; before: error)"),
    ],
)
def test_the_best_attempt_counts(tries: list[Status], says: str) -> None:
    """By what it measured, the later among equals; a difference is told in words."""
    (found,) = retries.best([results("tcp", status) for status in tries])
    assert f"{found.status}: {found.message}" == says
    assert found.evidence["tries"] == [
        {"status": status, "message": f"tcp says {status}"} for status in tries
    ]


def test_of_several_findings_the_worst_stands_for_its_attempt() -> None:
    """An attempt with one dead port is not better than one with two warnings."""
    both = retries.best([results("tcp", PASS, FAIL), results("tcp", WARN, WARN)])
    assert [result.status for result in both] == [WARN, WARN]
    assert both[0].evidence["tries"][0]["message"] == "tcp says fail"
    assert "tries" not in both[1].evidence


def test_the_evidence_of_the_best_attempt_stays() -> None:
    """The attempts of a race, which are drawn, and those to connect, whose times are measured."""
    seen = {"attempts": [{"port": 443, "address": "192.0.2.1", "outcome": "connected"}]}
    tries = [[replace(result, evidence=seen) for result in results("tcp", PASS)] for _ in range(2)]
    (found,) = retries.best(tries)
    assert found.evidence["attempts"] == seen["attempts"]


def test_another_subject_is_a_difference() -> None:
    """Each address failed once and never the same one twice: flaky, not dead."""
    (found,) = retries.best([results("tcp", FAIL, subject="a"), results("tcp", FAIL, subject="b")])
    assert found.subject == "b"
    assert found.message.endswith("(at the 2nd attempt of 2; before: fail)")


def test_each_check_has_its_own_best_attempt() -> None:
    """The order of the checks stays, with as many findings as the best attempt has."""
    first = [*results("aaaa", PASS), *results("tcp", FAIL)]
    second = [*results("aaaa", WARN, WARN), *results("tcp", PASS)]
    assert [(result.check, result.status) for result in retries.best([first, second])] == [
        ("aaaa", PASS),
        ("tcp", PASS),
    ]


def test_an_error_of_ours_is_not_retried() -> None:
    """A crash comes again; so do a skip and a pass."""
    facts = {"connections": Failure(Kind.TIMEOUT, "")}
    assert not retries.worth_another(results("tcp", PASS, SKIP, ERROR), facts)
    assert all(
        retries.worth_another(results("tcp", finding), facts) for finding in (FAIL, WARN, UNKNOWN)
    )


@pytest.mark.parametrize(
    ("fact", "worth"),
    [
        (replace(attempt("2001:470::1"), retransmissions=1), True),
        (attempt("2001:470::1"), False),
        (echo("2001:470::1", sent=3, received=1), True),
        (echo("2001:470::1", sent=3, received=0), True),
        (echo("2001:470::1", sent=3, received=3), False),
    ],
)
def test_a_lost_packet_is_transient(fact: Any, worth: bool) -> None:  # noqa: FBT001
    """A SYN that was sent again or an echo that did not come back may be luck."""
    assert retries.worth_another(results("ping", WARN), {"pings": (fact,)}) is worth


@pytest.mark.parametrize("kind", Kind)
def test_what_time_can_change(kind: Kind) -> None:
    """A closed set: what somebody decided, and what this host lacks, stays."""
    deep = {
        "race": {
            443: Connections((443,), named=True, attempts=(attempt("2001:db8::1", 443, kind),))
        }
    }
    worth = kind in {Kind.TIMEOUT, Kind.RESET, Kind.SERVFAIL, Kind.RESOLVER_UNREACHABLE}
    assert retries.worth_another(results("tcp", FAIL), deep) == worth


def test_no_ipv6_here_is_not_retried() -> None:
    """Of what the vantage lacks only its resolver may be back in a moment."""
    assert {Kind.RESOLVER_UNREACHABLE} == TRANSIENT_KINDS & VANTAGE_KINDS


def test_the_pauses_double() -> None:
    """From half a second, to no more than half a minute; a deadline has room for all of them."""
    assert pauses_s(3) == (0.5, 1.0, 2.0)
    assert max(pauses_s(10)) == 30.0
    assert Options(retries=2).settings.deadline_s == 3 * 15 + 1.5 * 1.5
    assert Options().settings.deadline_s == 15
    assert Options(retries=5, deadline=7.0).settings.deadline_s == 7


# --- runs ------------------------------------------------------------------------------------


class Flaky(FakeNet):
    """A network of which a connection fails the first times."""

    def __init__(self, kind: Kind, times: int) -> None:
        super().__init__(
            answer("a.example", "AAAA", "2001:470::1"),
            answer("a.example", "A", "192.0.33.8"),
            attempt("2001:470::1"),
            attempt("192.0.33.8"),
            echo("2001:470::1"),
            echo("192.0.33.8"),
        )
        self.kind = kind
        self.times = times
        self.tried: list[float] = []

    async def connect(self, address: str, port: int, *, once: bool = False) -> Attempt:
        """Over IPv6 not yet."""
        if ":" not in address:
            return await super().connect(address, port, once=once)
        self.tried.append(time.monotonic())
        if len(self.tried) <= self.times:
            return attempt(address, port, self.kind)
        return await super().connect(address, port, once=once)


OPTIONS = Options(only=frozenset({"tcp"}), no_controls=True, port=(443,), format="json", retries=2)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Runs a session on a network; the exit code and the only target."""

    def run_one(net: FakeNet, options: Options = OPTIONS) -> tuple[int, dict[str, Any]]:
        code = check_run.check(options, [parse("a.example")], None, lambda *_: net)
        (target,) = json.loads(capsys.readouterr().out)["targets"]
        return code, target

    return run_one


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that a test can wait for."""
    monkeypatch.setattr(settings, "FIRST_PAUSE_S", 0.02)


@pytest.mark.usefixtures("hurried")
def test_a_reset_is_tried_again(run: Callable[..., Any]) -> None:
    """It comes back: the target is ready, and the result tells that it was not at first."""
    net = Flaky(Kind.RESET, times=1)
    code, target = run(net)
    assert (code, target["verdict"], len(net.tried)) == (OK, "ready", 2)
    (result,) = target["results"]
    assert result["message"].endswith("(at the 2nd attempt of 2; before: fail)")
    assert [attempt["status"] for attempt in result["evidence"]["tries"]] == ["fail", "pass"]


@pytest.mark.usefixtures("hurried")
def test_what_stays_down_is_down(run: Callable[..., Any]) -> None:
    """After N more attempts; the evidence tells how often it was tried."""
    net = Flaky(Kind.TIMEOUT, times=99)
    code, target = run(net)
    assert (code, len(net.tried)) == (FINDINGS, 3)
    (result,) = target["results"]
    assert "attempt" not in result["message"]
    assert [attempt["status"] for attempt in result["evidence"]["tries"]] == ["fail"] * 3


@pytest.mark.parametrize(
    ("kind", "again"), [(Kind.REFUSED, 2), (Kind.RESET, 0), (Kind.NO_LOCAL_ROUTE, 2)]
)
def test_what_is_final_is_tried_once(run: Callable[..., Any], kind: Kind, again: int) -> None:
    """A refusal and a host without IPv6 are not retried, and without the option nothing is."""
    net = Flaky(kind, times=99)
    _, target = run(net, replace(OPTIONS, retries=again))
    assert len(net.tried) == 1
    assert "tries" not in target["results"][0]["evidence"]


@pytest.mark.timing
def test_the_pauses_are_kept(run: Callable[..., Any], lag: Lag) -> None:
    """Half a second and up to half of that more, then twice as much."""
    net = Flaky(Kind.RESET, times=2)
    code, _ = run(net)
    first, second, third = net.tried
    assert code == OK
    assert 0.5 <= second - first < 0.75 + lag.s
    assert 1.0 <= third - second < 1.5 + lag.s


@pytest.mark.timing
def test_the_deadline_of_a_target_is_one_for_all_attempts(
    run: Callable[..., Any], lag: Lag
) -> None:
    """No attempt begins that would end too late."""
    net = Flaky(Kind.RESET, times=99)
    began = time.monotonic()
    code, _ = run(net, replace(OPTIONS, retries=10, deadline=1.0))
    assert (code, len(net.tried)) == (FINDINGS, 2)
    assert time.monotonic() - began < 2 + lag.s


@pytest.mark.timing
def test_a_stop_ends_the_pause(run: Callable[..., Any], lag: Lag) -> None:
    """Ctrl-C while it waits: what is known by then is reported at once."""

    class Stopped(Flaky):
        async def connect(self, address: str, port: int, *, once: bool = False) -> Attempt:
            asyncio.get_running_loop().call_later(0.2, _interrupt)
            return await super().connect(address, port, once=once)

    net = Stopped(Kind.RESET, times=99)
    began = time.monotonic()
    code, target = run(net, replace(OPTIONS, retries=10))
    assert code == INTERRUPTED
    assert time.monotonic() - began < 2 + lag.s
    assert target["results"][0]["status"] == "fail"


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("hurried")
def test_a_recording_holds_every_attempt(
    run: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that its replay comes to the same end, for the same reason."""
    path = tmp_path / "run"
    code, target = run(Flaky(Kind.RESET, 1), replace(OPTIONS, save=(("observations", path),)))
    again = check_run.replay(Options(replay=path, format="json"))
    assert (again, json.loads(capsys.readouterr().out)["targets"]) == (code, [target])
    assert len(json.loads(path.read_text().splitlines()[1])["attempts"]) == 2


# --- real servers ----------------------------------------------------------------------------


def command(*arguments: str) -> tuple[str, ...]:
    """The installed command, for the answers of JSON."""
    return (COMMAND, *arguments, "-f", "json", "--no-controls", "--timeout", "1", "--retries", "3")


def wait_for_a_syn(port: int) -> None:
    """Until a connection to this port is under way, by the kernel's table (proc(5))."""
    syn_sent = re.compile(rf": \S+ \w+:{port:04X} 02 ")
    until = time.monotonic() + 20
    while not syn_sent.search(Path("/proc/net/tcp6").read_text("ascii")):
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.slow
def test_a_server_that_is_busy_at_first() -> None:
    """Its queue is full, so that the kernel drops every SYN; then it takes what waits."""
    with contextlib.ExitStack() as open_:
        server = open_.enter_context(socket.socket(socket.AF_INET6))
        server.bind(("::1", 0))
        server.listen(0)
        waiting = open_.enter_context(socket.create_connection(server.getsockname()[:2]))
        assert waiting.getpeername() == server.getsockname()
        port = server.getsockname()[1]
        asked = command(f"[::1]:{port}", "--only", "tcp")
        run = open_.enter_context(subprocess.Popen(asked, stdout=subprocess.PIPE, text=True))
        wait_for_a_syn(port)
        time.sleep(1.5)  # the first attempt has a second
        server.settimeout(10)
        taken = [open_.enter_context(server.accept()[0]) for _ in range(2)]
        out, _ = run.communicate(timeout=30)
    assert len(taken) == 2
    (result,) = json.loads(out)["targets"][0]["results"]
    assert (run.returncode, result["status"]) == (OK, "pass")
    statuses = [attempt["status"] for attempt in result["evidence"]["tries"]]
    assert statuses == ["fail"] * (len(statuses) - 1) + ["pass"]
    assert len(statuses) > 1
    assert " attempt of " in result["message"]


def test_servfail_at_first() -> None:
    """A zone that fails for a moment: the name is well, and its result says how it was."""
    asked_at: list[float] = []

    def handler(query: Query) -> bytes:
        asked_at.append(time.monotonic())
        if asked_at[-1] - asked_at[0] < 0.45 and query.name.to_text() == "a.example.":
            return reply(query, rcode="SERVFAIL")
        # A server that has an address for every name makes them up.
        ours = {"AAAA": "2001:470::1", "A": "192.0.33.8"}
        address = ours.get(query.rdtype) if query.name.to_text() == "a.example." else None
        return reply(query, *([f"{query.name} 300 IN {query.rdtype} {address}"] if address else []))

    async def go() -> tuple[int | None, bytes]:
        async with DnsServer(handler) as server:
            host, port = server.address
            asked = command("a.example", "--only", "aaaa", "--nameserver", f"{host}:{port}")
            run = await asyncio.create_subprocess_exec(*asked, stdout=subprocess.PIPE)
            out, _ = await run.communicate()
            return run.returncode, out

    code, out = asyncio.run(go())
    result = json.loads(out)["targets"][0]["results"][0]
    assert (code, result["status"]) == (0, "pass")
    assert [attempt["status"] for attempt in result["evidence"]["tries"]] == ["fail", "pass"]
    assert result["message"].endswith("(at the 2nd attempt of 2; before: fail)")
