"""The installed command: what it takes, what it says, and how it ends."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest

from ipv6check.commands import app, schema
from ipv6check.commands import main as cli
from ipv6check.commands import run as check
from ipv6check.config import options, sources, workflow
from ipv6check.config.target import TargetError
from ipv6check.config.target_stream import open_input
from ipv6check.reports.formats import Renderer, Style, format_names, load
from ipv6check.reports.sinks import OutputError, SavedFile
from tests import installed
from tests.lab import Lab, plan
from tests.net.dns_server import DnsServer, Query, Replies, address_of, reply
from tests.pace import Lag

COMMAND = str(Path(sys.executable).with_name("ipv6check"))
HOSTILE = ("--nameserver", plan.HOSTILE.ipv4)
# Quick, and of the DNS alone: that IPv6 works it cannot say.
AAAA = ("--only", "aaaa", "--on-unknown", "pass")
MUTE = "both-silent.hostile.test"
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")


@cache
def validator() -> jsonschema.Draft202012Validator:
    """The schema that every JSON output has to meet."""
    return jsonschema.Draft202012Validator(json.loads(schema.text()))


def document(text: str) -> dict[str, Any]:
    """A JSON report that meets the schema."""
    read: dict[str, Any] = json.loads(text)
    validator().validate(read)
    return read


def lines(text: str) -> list[dict[str, Any]]:
    """JSON lines that meet the schema."""
    return [document(line) for line in text.splitlines()]


def statuses(target: dict[str, Any]) -> dict[str, str]:
    """The status of each check of a target."""
    return {result["check"]: result["status"] for result in target["results"]}


# --- bad input ---------------------------------------------------------------------------------


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., str]:
    """Runs the command with bad input: exit 2, nothing sent or printed, one line on stderr."""

    def no_net(**_: object) -> None:
        raise AssertionError("a network was opened")

    def run(*arguments: str) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(check, "LocalNet", no_net)
        monkeypatch.setattr(sys, "argv", ["ipv6check", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert (ended.value.code, said.out) == (2, "")
        assert said.err.startswith("ipv6check: ")
        assert said.err.count("\n") == 1
        assert said.err.endswith("\n")
        assert FORBIDDEN.search(said.err) is None
        return said.err

    return run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([""], '"" is empty'),
        (["a b"], '"a b"'),
        (["exa mple.com", "x"], '"exa mple.com"'),
        (["192.0.2.1"], "192.0.2.1"),
        (["2001:db8::/32"], '"2001:db8::/32"'),
        (["fe80::1%eth0"], '"fe80::1%eth0"'),
        (["example.com:0"], '"0"'),
        (["example.com:65536"], '"65536"'),
        (["example.com:http"], '"http"'),
        (["[2001:db8::1"], '"[2001:db8::1"'),
        (["gopher://example.com"], '"gopher"'),
        (["example.com/x"], '"example.com/x"'),
        (["-" * 3 + "x"], "---x"),
        (["a" * 64 + ".example"], "63"),
        (["a..example"], '"a..example"'),
        (["evil\x1b[31m.example"], "evil\\x1b[31m.example"),
        (["user:secret@example.com"], "example.com"),
        (["good.example", "bad_:x"], '"x"'),
        (["check"], "no target"),
        (["--bogus", "x"], "--bogus"),
        (["-p", "99999", "x"], '"99999"'),
        (["-p", "x", "x"], '"x"'),
        (["--port"], "--port"),
        (["--timeout", "0", "x"], '"0"'),
        (["--timeout", "nan", "x"], '"nan"'),
        (["--timeout", "-1", "x"], '"-1"'),
        (["--parallel", "0", "x"], '"0"'),
        (["--profile", "wbe", "x"], '"wbe"'),
        (["--only", "tpc", "x"], '"tpc" is not a check; did you mean "tcp"?'),
        (["--skip", "../x", "x"], '"../x"'),
        (["--resolve", "x", "x"], '"x"'),
        (["--resolve", "x:y", "x"], '"y"'),
        (["--nameserver", "resolver.example", "x"], '"resolver.example"'),
        (["--control", "control.example", "x"], '"control.example"'),
        (["--control", "fe80::1%eth0", "x"], "fe80::1%eth0"),
        (["--control", "192.0.2.1:0", "x"], '"0"'),
        (["--control", "2001:db8::1", "--no-controls", "x"], "cannot be combined"),
        (["-f", "xml", "x"], '"xml"'),
        (["--save", "json", "x"], '"json"'),
        (["--save", "xml=y", "x"], '"xml=y"'),
        (["--save", "json=", "x"], '"json="'),
        (["--save", "json=/nonexistent/y", "x"], "/nonexistent/y"),
        (["--save", "json=.", "x"], "it is a directory"),
        (["--save", f"json={'x' * 300}", "x"], "File name too long"),
        (["--save", "json=a\x1b[31m\nb/y", "x"], "a\\x1b[31m\\nb/y cannot be written"),
        (["--save", "json=y", "--save", "junit=./y", "x"], "another --save writes it too"),
        (["--clients-dir", "x" * 300, "x"], "File name too long"),
        (["--fail-on", "error", "x"], '"error"'),
        (["--on-unknown", "maybe", "x"], '"maybe"'),
        (["--checks-dir", "nonexistent", "x"], "nonexistent"),
        (["--config", "nonexistent.toml", "x"], "nonexistent.toml"),
        (["-i", "nonexistent"], '"nonexistent"'),
        (["-i", "."], '"."'),
        (["-i", "nul\0"], "nul"),
        (["--quiet=1", "x"], "--quiet"),
        (["list", "x"], "x"),
        (["list", "--checks-dir", "nonexistent"], "nonexistent"),
        (["explain"], "check"),
        (["list", "-f", "xml"], "'xml'"),
        (["explain", "tpc"], '"tpc"'),
        (["explain", "tcp/refsed"], '"refsed" is not a finding of tcp; did you mean "refused"?'),
        (["schema", "x"], "x"),
        (["demo", "--bogus"], "--bogus"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_bad_input(refused: Callable[..., str], arguments: list[str], words: str) -> None:
    """Bad input gets one line that names the value, and no packet is sent."""
    said = refused(*arguments)
    assert words in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("IPV6CHECK_TIMEOUT", "soon", '"soon"'),
        ("IPV6CHECK_TIMEUOT", "3", "IPV6CHECK_TIMEUOT"),
        ("IPV6CHECK_PORT", "443,x", '"x"'),
        ("IPV6CHECK_FORMAT", "xml", '"xml"'),
        ("IPV6CHECK_SAVE", "json=/nonexistent/y", "/nonexistent/y"),
        ("IPV6CHECK_CHECKS_DIR", "nonexistent", "nonexistent"),
    ],
)
def test_bad_environment(
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    words: str,
) -> None:
    """A bad variable gets one line that names it."""
    monkeypatch.setenv(name, value)
    assert words in refused("example.com")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[check]\n\ntimeout = 0\n", 'ipv6check.toml:3: [check] timeout: "0"'),
        ("[check]\ntimeuot = 3\n", "ipv6check.toml:2: [check] timeuot is not a key; did you mean"),
        ("[check]\nport = [443, 0]\n", 'ipv6check.toml:2: [check] port: "0"'),
        ("[check\n", "ipv6check.toml:1: "),
        ("[check]\nport = 'x'\n", "ipv6check.toml:2: [check] port: expected integer"),
        ("timeout = 3\n", "ipv6check.toml:1: timeout"),
        ("[check]\nchecks-dir = 'x'\n", "ipv6check.toml:2: [check] checks-dir"),
    ],
)
def test_bad_configuration(
    refused: Callable[..., str], tmp_path: Path, text: str, words: str
) -> None:
    """A bad file gets one line with its name and the number of the line."""
    (tmp_path / "ipv6check.toml").write_text(text)
    assert words in refused("example.com")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def x(:\n", ":1: SyntaxError"),
        ("\nimport nonsense_that_is_not_there\n", ":2: ModuleNotFoundError"),
        ("x = 1\n\n1 / 0\n", ":3: ZeroDivisionError"),
        ("", ":1: defines 0 @check functions"),
        (
            'from ipv6check import *\n\n@check(cause="dns")\ndef x(adresses):\n    """X."""\n',
            '"adresses" is not an input; did you mean "addresses"?',
        ),
        (
            'from ipv6check import *\n@check(cause="dns")\ndef x(pings: Path):\n    """X."""\n',
            'input "pings" is',
        ),
    ],
)
def test_broken_check_file(
    refused: Callable[..., str], tmp_path: Path, text: str, words: str
) -> None:
    """A broken check file gets one line with its name and the number of the line."""
    directory = tmp_path / "checks"
    directory.mkdir()
    (directory / "mine.py").write_text(text)
    said = refused("example.com", "--checks-dir", "checks")
    assert f"{directory}/mine.py" in said
    assert words in said


@contextmanager
def unprivileged() -> Iterator[None]:
    """As nobody, where the tests are root, whom every file is open to."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_unreadable_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that may not be read is named, with the reason."""
    monkeypatch.chdir(tmp_path)
    Path("secret").write_text("x")
    Path("secret").chmod(0)
    said = pytest.raises(TargetError, match=r'^"secret" cannot be read: Permission denied$')
    with unprivileged(), said:
        open_input("secret")


def test_a_directory_where_nobody_may_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., str]
) -> None:
    """From another user's home directory it works as from one without a file."""
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0)
    try:
        with unprivileged():
            assert sources.load({}, {}, tmp_path, ["table"]) == options.Options()
            assert workflow.repository_root(tmp_path, {}) == tmp_path
            monkeypatch.setattr(sys, "argv", ["ipv6check"])
            with pytest.raises(SystemExit):
                cli.main()
            with pytest.raises(OutputError, match="Permission denied"):
                SavedFile(Renderer(load("json"), Style()), tmp_path / "x")
    finally:
        tmp_path.chmod(0o700)


def test_a_directory_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., str]
) -> None:
    """A shell can stay where nothing is any more."""
    gone = tmp_path / "gone"
    gone.mkdir()
    ended = subprocess.run(
        ["sh", "-c", f"rmdir '{gone}' && '{COMMAND}' x.example"],
        cwd=gone,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (
        2,
        "ipv6check: the current directory cannot be determined: No such file or directory\n",
    )


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The installed command, for what sends nothing."""
    return installed.run(*arguments, env={**os.environ, **variables})


def test_bad_input_of_the_installed_command() -> None:
    """The same as a process: exit code 2 and one line."""
    ended = run("example.com:99999")
    said = 'ipv6check: "99999" is not a port: a port is 1 to 65535\n'
    assert (2, "", said) == (ended.returncode, ended.stdout, ended.stderr)


def test_no_arguments() -> None:
    """Without arguments there is help, and exit code 2."""
    ended = run()
    assert ended.returncode == 2
    assert "ipv6check [OPTIONS] COMMAND" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow(after=3)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--version"], "ipv6check 0."),
        (["--help"], "explain"),
        (["check", "--help"], "--nameserver"),
        (["list"], "aaaa"),
        (["list", "-f", "json"], '"id": "refused"'),
        (["explain", "tcp"], "RFC 4890"),
        (["explain", "tcp/refused"], "listen [::]:443 ssl;"),
        (["clients"], "fallback_delay_ms 300"),
        (["schema"], "$schema"),
    ],
)
def test_commands_that_tell(arguments: list[str], words: str) -> None:
    """What only tells something does so on stdout, and exits 0."""
    ended = run(*arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert words in ended.stdout


@pytest.mark.slow(after=1)
@pytest.mark.parametrize("command", [["explain", "mine"], ["list"], ["list", "-f", "json"]])
def test_a_terminal_without_utf8_is_told_all_the_same(tmp_path: Path, command: list[str]) -> None:
    """What a private check's file says may be more than the terminal's encoding can."""
    sentence = '"""Größe \u2713."""'
    (tmp_path / "mine.py").write_text(
        f"{sentence}\nfrom ipv6check import Finding, check, ok\n\n"
        f"@check(cause='dns')\ndef mine() -> Finding:\n    {sentence}\n    return ok('x')\n",
        "utf-8",
    )
    ended = run(*command, "--checks-dir", str(tmp_path), PYTHONIOENCODING="ascii")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.isascii()
    assert "mine" in ended.stdout


@pytest.mark.slow(after=2)
@pytest.mark.parametrize("form", format_names())
def test_a_report_needs_no_utf8(tmp_path: Path, form: str) -> None:
    """Whatever the encoding of standard output has no letter for is written as an escape."""
    variables = {"PYTHONIOENCODING": "ascii"}
    ended = run("::1", *AAAA, "-f", form, f"--save=json={tmp_path}/saved", **variables)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.isascii()
    document((tmp_path / "saved").read_text("utf-8"))


def test_a_private_client(tmp_path: Path) -> None:
    """A client of one's own is listed with its parameters; a wrong one is one line, and exit 2."""
    about = 'client = "x"\nversion = "1"\nsource = "x.c"\ndate = "2026-11"\nsure = "a model"\n'
    mine = tmp_path / "mine.toml"
    mine.write_text(f"[mine]\n{about}last_unlimited = true\nattempt_timeout_ms = 70\n")
    ended = run("clients", "--clients-dir", str(tmp_path))
    assert ended.returncode == 0
    told = "mine: x 1\n  attempt_timeout_ms 70, last_unlimited yes\n  x.c (2026-11; a model)\n"
    assert ended.stdout.endswith(told)
    mine.write_text(f"[mine]\n{about}kik = 1\n")
    ended = run("clients", "--clients-dir", str(tmp_path))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        f"ipv6check: {mine}:1: client 'mine': unknown key 'kik', did you mean 'kick'?\n"
    )


def test_race() -> None:
    """The race on loopback shows attempts and clients; what it does not know is one line."""
    ended = run("race", "localhost:9", "--internal")
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "no connection to port 9" in ended.stdout
    ended = run("race", "localhost", "--connection-attempt-delay", "5")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.endswith("is not a number of milliseconds from 10 to 2000\n")
    ended = run("race", "localhost", "--happy-eyeballs", "v9")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == 'ipv6check: --happy-eyeballs: "v9" is not one of rfc8305, rfc6555, v3\n'


@pytest.mark.slow(after=2)
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_closed_streams(closed: str) -> None:
    """A stream that the caller closed is no reason to crash, and keeps the exit code.

    Regression: Python has None there, and that has no write().
    """
    for arguments, code in (("schema", 0), ("127.0.0.1", 2)):
        ended = shell(f"{COMMAND} {arguments} {closed}")
        assert code == ended.returncode
        assert "Traceback" not in ended.stdout + ended.stderr


def shell(script: str) -> subprocess.CompletedProcess[str]:
    """A line of shell."""
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=20, check=False
    )


# --- in the lab --------------------------------------------------------------------------------


def checked(lab: Lab, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The installed command in a client with IPv4 and IPv6."""
    return lab.run("dual", [COMMAND, *arguments], **options)


def test_bare_command(lab: Lab) -> None:
    """A target alone is checked; `check` before it changes nothing."""
    for arguments in (["healthy.test"], ["check", "healthy.test"]):
        ended = checked(lab, *arguments)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "healthy.test" in ended.stdout
        assert FORBIDDEN.search(ended.stdout) is None


STREAM = (
    b"\xef\xbb\xbfone.hostile.test\r\n"
    b"\r\n"
    b"# a comment\n"
    b"   two.hostile.test   # another\n"
    b"ONE.hostile.test.\n"
    b"bad name\n"
    b"\xff\xfe.test\n"
    b"b\xc3\xbccher.hostile.test\n"
    b"xn--bcher-kva.hostile.test\n"
    b"192.0.2.1\n"
    b"https://two.hostile.test/x\n"
    b"evil\x1b]0;x\x07.test\n"
    b"three.hostile.test"
)


@pytest.mark.parametrize("source", ["file", "pipe"])
def test_stream(lab: Lab, tmp_path: Path, source: str) -> None:
    """Good lines are checked in order, once each; bad lines are told with their number."""
    path = tmp_path / "targets.txt"
    path.write_bytes(STREAM)
    name = "standard input" if source == "pipe" else str(path)
    arguments = [COMMAND, *HOSTILE, *AAAA, "-f", "json", "-i"]
    script = f"exec {' '.join(arguments)} {'- <' if source == 'pipe' else ''} {path}"
    ended = lab.run("dual", ["sh", "-c", script])
    assert ended.returncode == 2
    report = document(ended.stdout)
    assert [(target["target"], target["host"]) for target in report["targets"]] == [
        ("one.hostile.test", "one.hostile.test"),
        ("two.hostile.test", "two.hostile.test"),
        ("bücher.hostile.test", "xn--bcher-kva.hostile.test"),
        ("https://two.hostile.test/x", "two.hostile.test"),
        ("three.hostile.test", "three.hostile.test"),
    ]
    said = ended.stderr.splitlines()
    numbers = [6, 7, 10, 12]
    assert [f"ipv6check: {name}:{number}" for number in numbers] == [
        line[: line.index(":", len(f"ipv6check: {name}:"))] for line in said
    ]
    assert FORBIDDEN.search(ended.stderr) is None


def test_an_input_that_breaks_off(lab: Lab) -> None:
    """What was named before is reported, the break is one line, and the exit code 2.

    Regression: it was a traceback, and the report was lost.
    """
    ended = checked(lab, "ok.hostile.test", *HOSTILE, *AAAA, "-f", "json", "-i", "/proc/self/mem")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "reading failed: Input/output error" in ended.stderr
    (target,) = document(ended.stdout)["targets"]
    assert target["verdict"] == "ready"


def test_a_million_lines(tmp_path: Path, lab: Lab) -> None:
    """Memory does not grow with garbage and duplicates, and the run ends."""
    peaks = []
    for count in (1_000, 1_000_000):
        path = tmp_path / f"{count}.txt"
        line = b"ok.hostile.test\n# comment\n\n \t \nOK.hostile.test\n"
        path.write_bytes(line * (count // 5) + b"no name\n" * (count // 1000))
        script = (
            "import resource, subprocess, sys\n"
            "ended = subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL)\n"
            "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
            "print(peak, ended.returncode, file=sys.stderr)\n"
        )
        arguments = [COMMAND, *HOSTILE, *AAAA, "-f", "jsonl", "-i", str(path)]
        ended = lab.run("dual", [sys.executable, "-c", script, *arguments], timeout=100)
        peak, code = map(int, ended.stderr.split())
        assert code == 2
        assert [target["host"] for target in lines(ended.stdout)] == ["ok.hostile.test"]
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 8 * 1024  # KiB


def test_results_leave_as_they_are_done(lab: Lab) -> None:
    """The first line is there long before the input ends."""
    process = lab.popen(
        "dual",
        [COMMAND, *HOSTILE, *AAAA, "-f", "jsonl", "-i", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin
        assert process.stdout
        for number in range(3):
            process.stdin.write(f"n{number}.hostile.test\n")
            process.stdin.flush()
            line = process.stdout.readline()
            assert document(line)["host"] == f"n{number}.hostile.test"
        process.stdin.close()
        assert process.stdout.read() == ""
        assert process.wait(5) == 0


def test_order(lab: Lab) -> None:
    """Tables and documents keep the order named, lines come as they are done."""
    names = ["both-late-300.hostile.test", "both-late-150.hostile.test", "n.hostile.test"]
    arguments = (*names, *HOSTILE, *AAAA)
    ended = checked(lab, *arguments, "-f", "json")
    assert names == [target["host"] for target in document(ended.stdout)["targets"]]
    table = checked(lab, *arguments).stdout
    places = [table.index(name) for name in names]
    assert places == sorted(places)
    prompt = checked(lab, *arguments, "-f", "jsonl").stdout
    assert names[::-1] == [target["host"] for target in lines(prompt)]


# --- ended early -------------------------------------------------------------------------------


@pytest.mark.parametrize(("module", "name"), [(app, "run"), (check, "check")])
def test_interrupted_before_it_began(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str
) -> None:
    """Ctrl-C while the command is still being loaded is exit 130 too, and never 0."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, name, interrupted)
    monkeypatch.setattr(sys, "argv", ["ipv6check", "check", "::1"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130


@pytest.mark.timing
def test_interrupted(lab: Lab, tmp_path: Path, lag: Lag) -> None:
    """Ctrl-C: what is known is reported, the rest is marked, within a second, with exit 130."""
    saved = tmp_path / "report.json"
    names = ["n.hostile.test", MUTE, f"x.{MUTE}", f"y.{MUTE}"]
    arguments = [*names, *HOSTILE, "--timeout", "30", "--parallel", "2", "-f", "jsonl"]
    process = lab.popen(
        "dual",
        [COMMAND, *arguments, "--save", f"json={saved}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        assert process.stderr
        assert document(process.stdout.readline())["verdict"] == "ready"
        began = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(5) == 130
        assert time.monotonic() - began < 1 + lag.s
        assert process.stderr.read() == ""
    assert len(lines(rest)) == 3
    report = document(saved.read_text())
    assert (report["interrupted"], report["verdict"]) == (True, "unknown")
    assert names == [target["host"] for target in report["targets"]]
    for target in report["targets"][1:]:
        assert {"unknown"} == set(statuses(target).values())
        assert "interrupted" in target["results"][0]["message"]


@pytest.mark.timing
@pytest.mark.parametrize("number", ["TERM", "HUP"])
def test_terminated(lab: Lab, number: str, lag: Lag) -> None:
    """SIGTERM, and SIGHUP of a terminal that is closed, are as good as Ctrl-C."""
    script = f'"$@" & pid=$!; sleep 2; kill -{number} $pid; wait $pid; echo "code $?" >&2'
    arguments = ["n.hostile.test", MUTE, *HOSTILE, "--timeout", "30", "-f", "json"]
    began = time.monotonic()
    ended = lab.run("dual", ["sh", "-c", script, "sh", COMMAND, *arguments])
    assert time.monotonic() - began < 5 + lag.s
    assert ended.stderr == "code 130\n"
    report = document(ended.stdout)
    assert report["interrupted"] is True
    assert [target["verdict"] for target in report["targets"]] == ["ready", "unknown"]


def test_nohup(lab: Lab) -> None:
    """A signal that is ignored from the beginning stays ignored."""
    script = '"$@" 2>&- & pid=$!; sleep 0.8; kill -HUP $pid; wait $pid; echo "code $?" >&2'
    arguments = [MUTE, *HOSTILE, "--timeout", "2", "-f", "json", *AAAA]
    ended = lab.run("dual", ["sh", "-c", script, "sh", "nohup", COMMAND, *arguments])
    assert ended.stderr.endswith("code 1\n")
    assert document(ended.stdout)["interrupted"] is False


@pytest.mark.timing
def test_interrupted_while_the_input_is_silent(lab: Lab, lag: Lag) -> None:
    """Ctrl-C while nobody writes to the pipe that targets come from."""
    process = lab.popen(
        "dual",
        [COMMAND, *HOSTILE, *AAAA, "-f", "json", "-i", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write("n.hostile.test\n")
        process.stdin.flush()
        time.sleep(2)  # it has begun by then, also on a busy machine
        began = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        text = process.stdout.read()
        assert process.wait(5) == 130
        assert time.monotonic() - began < 1 + lag.s
        assert process.stderr.read() == ""
    report = document(text)
    assert (
        report["interrupted"],
        [target["verdict"] for target in report["targets"]],
    ) == (True, ["ready"])


def test_closed_pipe(lab: Lab, tmp_path: Path) -> None:
    """A reader that goes away ends it quietly, and saved files are whole."""
    saved = tmp_path / "report.json"
    names = " ".join(f"n{number}.hostile.test" for number in range(200))
    script = (
        f"{COMMAND} {names} {' '.join((*HOSTILE, *AAAA))} -f jsonl --parallel 1"
        f" --save json={saved} | head -1; echo ${{PIPESTATUS[0]}}"
    )
    ended = lab.run("dual", ["bash", "-c", script])
    first, code = ended.stdout.splitlines()
    assert document(first)["verdict"] == "ready"
    assert code not in {"0", "130"}
    assert ended.stderr == ""
    assert len(document(saved.read_text())["targets"]) == 200


@pytest.mark.timing
def test_closed_pipe_and_nothing_else(lab: Lab, lag: Lag) -> None:
    """Where nobody listens any more the run ends before its targets do."""
    names = " ".join(f"n{number}.{MUTE}" for number in range(20))
    # The late answer comes when head has long gone, however busy the machine is.
    names = f"n.hostile.test both-late-1000.hostile.test {names}"
    script = (
        f"{COMMAND} {names} {' '.join(HOSTILE)} --timeout 30"
        " --only aaaa -f jsonl --parallel 1 | head -1 >&2; echo ${PIPESTATUS[0]}"
    )
    began = time.monotonic()
    ended = lab.run("dual", ["bash", "-c", script])
    assert time.monotonic() - began < 5 + lag.s
    assert ended.stdout.strip() not in {"0", "130"}
    assert ended.stderr.count("\n") == 1


def test_full_disk(lab: Lab, tmp_path: Path) -> None:
    """A report that cannot be written is one line and exit 2, and the saved file is whole."""
    saved = tmp_path / "report.json"
    script = f"{COMMAND} n.hostile.test {' '.join(HOSTILE)} --only aaaa"
    ended = lab.run("dual", ["sh", "-c", f"{script} --save json={saved} > /dev/full"])
    assert ended.returncode == 2
    assert ended.stderr == (
        "ipv6check: standard output cannot be written: No space left on device\n"
    )
    assert len(document(saved.read_text())["targets"]) == 1


def test_saving(lab: Lab, tmp_path: Path) -> None:
    """Files appear whole under their names, replace what was there, and nothing is left over."""
    old, link, there = tmp_path / "old.json", tmp_path / "link.json", tmp_path / "there.jsonl"
    old.write_text("old")
    there.write_text("old")
    there.chmod(0o640)
    link.symlink_to(there)
    saves = ["--save", f"json={old}", "--save", f"jsonl={link}", "--save", f"table={tmp_path}/t"]
    ended = checked(lab, "n.hostile.test", *HOSTILE, *AAAA, "-f", "jsonl", *saves)
    assert ended.returncode == 0
    assert len(document(old.read_text())["targets"]) == 1
    assert link.is_symlink()
    assert there.read_text() == ended.stdout
    assert "n.hostile.test" in (tmp_path / "t").read_text()
    assert {"old.json", "link.json", "there.jsonl", "t"} == {p.name for p in tmp_path.iterdir()}
    assert (tmp_path / "t").stat().st_mode & 0o777 == 0o666 & ~umask()
    assert there.stat().st_mode & 0o777 == 0o640


def umask() -> int:
    """What new files lack."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_saving_to_a_pipe(lab: Lab, tmp_path: Path) -> None:
    """What is no regular file is written to, and stays what it is.

    Regression: it was replaced by a file; with /dev/null, as root, for the whole machine.
    """
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append(fifo.read_text()), daemon=True)
    reader.start()
    arguments = ["n.hostile.test", *HOSTILE, *AAAA, "--save", f"json={fifo}"]
    ended = checked(lab, *arguments)
    reader.join(5)
    assert ended.returncode == 0
    assert len(document(heard[0])["targets"]) == 1
    assert fifo.is_fifo()
    assert [fifo] == list(tmp_path.iterdir())


# --- terminals ---------------------------------------------------------------------------------


@contextmanager
def terminal() -> Iterator[tuple[int, Callable[[], str]]]:
    """A pseudo-terminal: the end to write to, and what was written."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    seen = bytearray()

    def read() -> None:
        while True:
            try:
                chunk = os.read(master, 4096)
            except OSError:
                return
            if not chunk:
                return
            seen.extend(chunk)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()

    def text() -> str:
        os.close(slave)
        reader.join(5)
        return seen.decode()

    try:
        yield slave, text
    finally:
        os.close(master)


def in_terminal(lab: Lab, env: dict[str, str], *arguments: str) -> tuple[str, str]:
    """Stdout and stderr of a run that has a terminal for each."""
    given = ["late.both-late-400.hostile.test", *HOSTILE, *AAAA, *arguments]
    with terminal() as (out, out_text), terminal() as (err, err_text):
        process = lab.popen(
            "dual",
            [COMMAND, *given],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env={"TERM": "xterm-256color", "NO_COLOR": "", **env},
        )
        assert process.wait(20) == 0
        return out_text(), err_text()


def test_terminal(lab: Lab) -> None:
    """In a terminal the report has colours, and progress is on stderr and leaves nothing."""
    out, err = in_terminal(lab, {})
    assert "\x1b[" in out
    assert "\x1b[2K" not in out
    assert "\r" not in out.replace("\r\n", "")
    assert "waiting for" in err
    assert err.endswith("\r\x1b[2K")
    assert "\n" not in err
    assert set(re.findall(r"\x1b\[[0-9;?]*[A-Za-z]", err)) == {"\x1b[2K"}


@pytest.mark.parametrize(
    ("env", "arguments"),
    [
        ({"NO_COLOR": "1"}, []),
        ({"TERM": "dumb"}, []),
        ({}, ["-f", "json"]),
    ],
)
def test_plain_terminal(lab: Lab, env: dict[str, str], arguments: list[str]) -> None:
    """Whoever wants no colour gets none, and no progress either."""
    out, err = in_terminal(lab, env, *arguments)
    assert "\x1b" not in out + err
    assert err == ""


# --- exit codes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "client", "arguments", "code"),
    [
        ("n.hostile.test", "dual", "", 0),
        ("nxdomain.hostile.test", "dual", "--only aaaa", 1),
        ("aaaa-late-200.hostile.test", "dual", "--only aaaa", 0),
        ("aaaa-late-200.hostile.test", "dual", "--only aaaa --on-unknown pass", 0),
        ("aaaa-late-200.hostile.test", "dual", "--only aaaa --fail-on warn", 1),
        ("aaaa-late-200.hostile.test", "dual", "--only aaaa --profile strict", 1),
        ("n.hostile.test", "ipv4-only", "", 3),
        ("n.hostile.test", "ipv4-only", "--on-unknown pass", 0),
        ("n.hostile.test", "ipv4-only", "--fail-on warn", 3),
        ("nxdomain.hostile.test", "ipv4-only", "--on-unknown pass", 1),
        ("n.hostile.test", "offline", "", 3),
        ("-i /dev/null", "dual", "", 3),
    ],
)
def test_exit_codes(lab: Lab, target: str, client: str, arguments: str, code: int) -> None:
    """A gate reads the exit code."""
    given = [*target.split(), *HOSTILE, "--timeout", "1", *arguments.split()]
    ended = lab.run(client, [COMMAND, *given])
    assert code == ended.returncode, ended.stdout
    assert ended.stderr == ""


# --- what is sent ------------------------------------------------------------------------------


def asked_of_loopback(
    handler: Callable[[Query], Replies], *arguments: str
) -> tuple[list[tuple[str, str]], str]:
    """The questions that a run asks a name server on loopback, and what it prints."""

    async def main() -> tuple[list[tuple[str, str]], str]:
        async with DnsServer(handler) as server:
            process = await asyncio.create_subprocess_exec(
                COMMAND,
                *arguments,
                "--nameserver",
                f"127.0.0.1:{server.address[1]}",
                "--no-controls",
                stdout=subprocess.PIPE,
            )
            text, _ = await process.communicate()
            return sorted((name, rdtype) for name, rdtype, _ in server.asked), text.decode()

    return asyncio.run(main())


def test_only_the_questions_it_needs() -> None:
    """One check alone asks what it judges, once, and NAT64's question once a run."""

    def handler(query: Query) -> Replies:
        if query.name.to_text() == "ipv4only.arpa.":
            return reply(query)
        return address_of(query, "2001:db8::1" if query.rdtype == "AAAA" else "192.0.2.1")

    asked, _ = asked_of_loopback(handler, "a.example", "b.example", "--only", "aaaa")
    assert asked == [
        ("a.example", "A"),
        ("a.example", "AAAA"),
        ("b.example", "A"),
        ("b.example", "AAAA"),
        ("ipv4only.arpa", "AAAA"),
    ]


COUNTERS = """
table inet counting {
  counter syn6 {}
  counter syn4 {}
  counter echo6 {}
  counter echo4 {}
  counter dns {}
  chain out {
    type filter hook output priority 0; policy accept;
    meta nfproto ipv6 tcp flags & (syn | ack) == syn counter name syn6
    meta nfproto ipv4 tcp flags & (syn | ack) == syn counter name syn4
    icmpv6 type echo-request counter name echo6
    icmp type echo-request counter name echo4
    udp dport 53 counter name dns
  }
}
"""


def packets(lab: Lab, *arguments: str) -> dict[str, int]:
    """How many packets of each kind a run sends, by the kernel's own count."""
    listing, end = "nft -j list counters table inet counting", "nft delete table inet counting"
    script = f'nft -f - && "$@" >&2; {listing}; {end}'
    ended = lab.run("dual", ["sh", "-c", script, "sh", COMMAND, *arguments], input=COUNTERS)
    counters = json.loads(ended.stdout)["nftables"]
    return {c["counter"]["name"]: c["counter"]["packets"] for c in counters if "counter" in c}


def test_every_probe_once(lab: Lab) -> None:
    """Each address is tried once and raced once on each port, and once for TLS; names once."""
    sent = packets(lab, "healthy.test")
    # AAAA and A of the name, NAT64's question, PTR of the IPv6 address.
    assert sent == {"syn6": 5, "syn4": 3, "echo6": 3, "echo4": 3, "dns": 4}


@pytest.mark.parametrize("address", ["fe80::1", "fd00::1", "2001:db8::1", "ff02::1", "::", "::1"])
def test_nothing_is_sent_to_special_addresses(lab: Lab, address: str) -> None:
    """An address that nobody can reach gets no packet."""
    sent = packets(lab, "n.hostile.test", "--resolve", f"n.hostile.test:{address}")
    assert sent == {"syn6": 0, "syn4": 0, "echo6": 0, "echo4": 0, "dns": 0}


# --- private checks ----------------------------------------------------------------------------

STUCK = '''"""Blocks."""
import time
from ipv6check import Addresses, Finding, check, ok

@check(cause="dns")
def stuck(addresses: Addresses) -> Finding:
    """Blocks."""
    time.sleep(60)
    return ok("never")
'''
MINE = '''"""Mine."""
from ipv6check import Addresses, Finding, check, fail

@check(cause="dns")
def aaaa(addresses: Addresses) -> Finding:
    """Mine."""
    return fail("mine, not theirs")
'''


@pytest.mark.timing
def test_blocking_check(lab: Lab, tmp_path: Path, lag: Lag) -> None:
    """A private check that blocks is an error of its own, once; the others go on."""
    (tmp_path / "stuck.py").write_text(STUCK)
    arguments = ["n1.hostile.test", "n2.hostile.test", *HOSTILE, "--timeout", "1", "-f", "json"]
    began = time.monotonic()
    ended = checked(lab, *arguments, "--checks-dir", str(tmp_path))
    assert time.monotonic() - began < 4 + lag.s
    assert ended.returncode == 3
    for target in document(ended.stdout)["targets"]:
        found = statuses(target)
        assert found.pop("stuck") == "error"
        assert (found.pop("firewall"), found.pop("listeners")) == ("skip", "skip")
        assert set(found.values()) == {"pass"}


def test_replaced_check(lab: Lab, tmp_path: Path) -> None:
    """A private check of a shipped one's name takes its place."""
    (tmp_path / "aaaa.py").write_text(MINE)
    arguments = ["n.hostile.test", *HOSTILE, *AAAA, "-f", "json"]
    ended = checked(lab, *arguments, "--checks-dir", str(tmp_path))
    assert ended.returncode == 1
    (target,) = document(ended.stdout)["targets"]
    assert [result["message"] for result in target["results"]] == ["mine, not theirs"]


# --- hostile names -----------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["-v"], ["-f", "json"], ["-f", "jsonl"]])
def test_hostile_names(lab: Lab, arguments: Sequence[str]) -> None:
    """No control character out of the DNS reaches a terminal or a log."""
    ended = checked(lab, "control.hostile.test", *arguments)
    assert FORBIDDEN.search(ended.stdout) is None
    assert ended.stderr == ""
    assert "evil" in ended.stdout or arguments == []
    if arguments[:1] == ["-f"]:
        read = json.loads(ended.stdout)
        validator().validate(read)


def plain(report: Any) -> Any:
    """A report without what time alone decides."""
    if isinstance(report, dict):
        timed = ("_ms", "started_at", "ttl")
        return {
            key: plain(value)
            for key, value in report.items()
            if not key.endswith(timed) and key not in {"message", "hint"}
        }
    if isinstance(report, list):
        return [plain(item) for item in report]
    return report


@pytest.mark.timing  # what is judged of a time, such as who wins a race, is a fact too
def test_same_facts_same_report(lab: Lab) -> None:
    """Two runs differ in times alone, whatever is done first."""
    names = [
        "both-late-200.hostile.test",
        "many-5.hostile.test",
        "nxdomain.hostile.test",
        "aaaa-servfail.hostile.test",
        "mapped.hostile.test",
        "control.hostile.test",
    ]
    first, second = (
        plain(document(checked(lab, *names, *HOSTILE, "--timeout", "1", "-f", "json").stdout))
        for _ in range(2)
    )
    assert first == second
