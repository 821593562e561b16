"""The demo: the real command, and what a newcomer sees of it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import pytest

from ipv6check.commands import demo, demo_servers
from ipv6check.commands.demo_servers import DemoHost, Ipv6, answer, serve
from tests.pace import Lag

CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")
OPEN_FILES = Path("/proc/self/fd")
ZONE = {("a.example", "AAAA"): "::1", ("a.example", "A"): "127.0.0.1"}


def demonstrate(command: str = "demo", **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a pipe would."""
    clean = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "COLUMNS"}}
    return subprocess.run(
        [sys.executable, "-m", "ipv6check", command],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**clean, "PYTHONUTF8": "1", **env},
        timeout=30,
        check=False,
    )


@pytest.fixture(scope="module")
def shown() -> tuple[subprocess.CompletedProcess[str], float]:
    """The demo, run once, and how much longer that took than a command that only starts, in s."""
    began = time.monotonic()
    demonstrate("list")
    started = time.monotonic()
    done = demonstrate()
    return done, (time.monotonic() - started) - (started - began)


def block(text: str, host: str) -> str:
    """The lines of one target, its header first."""
    found = re.search(rf"^\S+ +{re.escape(host)}:.*\n((?: .*\n)*)", text, re.MULTILINE)
    assert found is not None, text
    return found[0]


def test_finds_what_it_should(shown: tuple[subprocess.CompletedProcess[str], float]) -> None:
    """Every host gets the verdict it should, and nothing is complained of."""
    done, _ = shown
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.timing
def test_is_over_before_anybody_doubts_it(
    shown: tuple[subprocess.CompletedProcess[str], float], lag: Lag
) -> None:
    """One silent address is waited for, everything else happens meanwhile."""
    done, took_s = shown
    checked = re.search(r" · (\d\.\d) s · ", done.stdout)
    assert checked is not None
    assert float(checked[1]) < 2 * demo.TIMEOUT_S + lag.s
    assert took_s < 3 * demo.TIMEOUT_S + lag.s


@pytest.mark.parametrize(
    ("host", "verdict", "says"),
    [
        ("healthy.demo.example", "ready", []),
        (
            "incident.demo.example",
            "NOT READY",
            [r"✗ tcp .*is silent, IPv4 connects", r"! fallback"],
        ),
        ("refused.demo.example", "NOT READY", [r"✗ tcp .*refuses, IPv4 connects.* host$"]),
        ("no-aaaa.demo.example", "NOT READY", [r"✗ aaaa .*has no AAAA record .* dns$"]),
        ("late-aaaa.demo.example", "DEGRADED", [r"! aaaa +AAAA is answered \d+ ms after A.* dns$"]),
    ],
)
def test_tells_each_host_apart(
    shown: tuple[subprocess.CompletedProcess[str], float],
    host: str,
    verdict: str,
    says: list[str],
) -> None:
    """Each host has its verdict at the edge, and below it what is wrong and where."""
    done, _ = shown
    told = block(done.stdout, host)
    header, *rows = told.splitlines()
    assert header.endswith(f" {verdict}")
    assert bool(rows) == bool(says)
    for pattern in says:
        assert re.search(pattern, told, re.MULTILINE), told


def test_fits_a_terminal_and_harms_none(
    shown: tuple[subprocess.CompletedProcess[str], float],
) -> None:
    """No line is wider than 80 columns, and no control character gets out."""
    done, _ = shown
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert CONTROL.search(done.stdout) is None
    assert len(done.stdout.splitlines()) <= 40


def test_begins_and_ends_with_what_it_is(
    shown: tuple[subprocess.CompletedProcess[str], float],
) -> None:
    """The first line says what is shown, the last one what to do next."""
    done, _ = shown
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Five made-up hosts")
    assert lines[-1] == "Now yours: ipv6check example.com"


@pytest.mark.slow
def test_is_the_same_for_everybody() -> None:
    """NO_COLOR and what was set for ``check`` change neither the output nor the exit code."""
    done = demonstrate(NO_COLOR="1", IPV6CHECK_SKIP="aaaa", IPV6CHECK_FORMAT="json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Five made-up hosts")
    assert "has no AAAA record" in done.stdout
    assert CONTROL.search(done.stdout) is None


def test_says_so_where_there_is_no_ipv6(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine without ::1 gets one line and exit code 3."""

    def absent(*_: object) -> None:
        raise OSError(99, "Cannot assign requested address")

    monkeypatch.setattr(demo_servers, "_bound", absent)
    assert demo.run() == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"ipv6check: .*::1.*\n", err)


@pytest.mark.timing
def test_an_interrupt_ends_it() -> None:
    """Ctrl-C says what is known by then, complains of nothing, and leaves with 130."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ipv6check", "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    # The first report: the silent address of the next host keeps the run going.
    while "healthy.demo.example" not in process.stdout.readline().decode():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (130, b"")
    assert b"interrupted" in out


def test_sites_serve_a_page() -> None:
    """Who asks for a page over either family gets one, and then the end."""
    with serve((DemoHost("a.example"),)) as served:
        port = int(served.targets[0].rpartition(":")[2])
        for address in ("::1", "127.0.0.1"):
            with socket.create_connection((address, port), timeout=5) as client:
                client.sendall(b"GET / HTTP/1.1\r\n\r\n")
                reply = b"".join(iter(partial(client.recv, 4096), b""))
            assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
            assert reply.endswith(b"\r\n\r\nok\n")


def test_says_what_was_not_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A demo that goes wrong says where, and its exit code says so too."""
    monkeypatch.setattr(demo, "HOSTS", {DemoHost("good.demo.example", Ipv6.ABSENT): "ready"})
    assert demo.run() == 1
    assert capsys.readouterr().err == (
        "ipv6check: the demo went wrong: good.demo.example is not-ready, should be ready\n"
    )


def test_leaves_nothing_behind() -> None:
    """When the block is left, its thread and its sockets are gone."""
    before = [*OPEN_FILES.iterdir()]
    with serve((DemoHost("a.example"), DemoHost("b.example", Ipv6.SILENT))):
        assert "demo" in {thread.name for thread in threading.enumerate()}
    assert "demo" not in {thread.name for thread in threading.enumerate()}
    assert len([*OPEN_FILES.iterdir()]) == len(before)


def test_name_server_answers_what_it_has() -> None:
    """A name of the zone, in any case, gets its record, and no data for another type."""
    reply = answer(ZONE, dns.message.make_query("A.Example.", "AAAA").to_wire())
    assert reply is not None
    assert [rrset.to_text() for rrset in reply.answer] == ["A.Example. 300 IN AAAA ::1"]
    empty = answer(ZONE, dns.message.make_query("a.example.", "MX").to_wire())
    assert empty is not None
    assert (empty.rcode(), empty.answer) == (dns.rcode.NOERROR, [])


def test_name_server_denies_what_it_has_not() -> None:
    """Another name does not exist."""
    reply = answer(ZONE, dns.message.make_query("b.example.", "AAAA").to_wire())
    assert reply is not None
    assert reply.rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(
    "wire",
    [b"", b"x", b"\0" * 11, b"\0" * 12, b"\xff" * 512, b"\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1"],
)
def test_name_server_ignores_what_is_no_question(wire: bytes) -> None:
    """Garbage, a lone header and a name that points at itself get no reply."""
    assert answer(ZONE, wire) is None


def test_name_server_does_not_answer_answers() -> None:
    """A response gets no response: two servers would talk for ever."""
    query = dns.message.make_query("a.example.", "AAAA")
    query.flags |= dns.flags.QR
    assert answer(ZONE, query.to_wire()) is None
