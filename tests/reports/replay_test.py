"""A recording is judged as the run was, without a packet, and believed in nothing but its facts."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipv6check.commands import run as check
from ipv6check.commands.run import BLIND, FINDINGS, INTERRUPTED, OK, USAGE
from ipv6check.config.options import Options
from ipv6check.config.profiles import PROFILES
from ipv6check.config.services import ServiceConfig
from ipv6check.config.sources import load
from ipv6check.config.target import Target, parse
from ipv6check.config.toml import ConfigError
from ipv6check.engine.checks.api import PluginError
from ipv6check.engine.checks.inputs import all_probes
from ipv6check.model import Failure, Kind, Place, RecordingError, Vantage
from ipv6check.model.text import printable
from ipv6check.net.local import LocalNet
from ipv6check.reports.formats import format_names
from ipv6check.reports.replay import Recording
from ipv6check.testing import FakeNet, NetQuestion, answer, attempt, echo
from tests import installed
from tests.reports.formats.observations_test import line, values

COMMAND = str(Path(sys.executable).with_name("ipv6check"))
V6, V6B, V4 = "2001:470::1", "2001:470::2", "192.0.33.8"
POINTER = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.4.0.1.0.0.2.ip6.arpa"
POINTER_B = f"2{POINTER[1:]}"
OPTIONS = Options(no_controls=True, format="json", port=(443,))


def network() -> FakeNet:
    """A name that is served well, one with a dead address, and one that the DNS fails on."""
    facts: list[Any] = [
        answer("well.example", "AAAA", V6),
        answer("well.example", "A", V4),
        answer("sick.example", "AAAA", V6, V6B),
        answer("sick.example", "A", V4),
        answer(POINTER, "PTR", "well.example."),
        answer(POINTER_B, "PTR", rcode="NXDOMAIN"),
        answer("8.33.0.192.in-addr.arpa", "PTR", "\x1b[31mwell.example."),
        attempt(V6),
        attempt(V6B, 443, Kind.TIMEOUT, 3000.0),
        attempt(V4),
        echo(V6),
        echo(V6B, failure=Kind.TIMEOUT),
        echo(V4),
    ]
    broken: dict[NetQuestion, Failure | Kind] = {
        ("lost.example", rdtype): Kind.SERVFAIL for rdtype in ("AAAA", "A")
    }
    broken[("\x1b[31mwell.example", "A")] = Kind.SERVFAIL
    return FakeNet(*facts, failures=broken, vantage=Vantage(source_ipv6="2001:db8::9"))


NAMES = ("well.example", "sick.example", "lost.example")
Said = tuple[int, str, str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs a session, live on the network above or on a recording: code, output and errors."""

    def run_one(options: Options, names: Sequence[str | Target] = NAMES) -> Said:
        if options.replay is not None:
            code = check.replay(options)
        else:
            targets = [parse(name) if isinstance(name, str) else name for name in names]
            code = check.check(options, targets, None, lambda *_: network())
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_one


@pytest.fixture
def recorded(run: Callable[..., Said], tmp_path: Path) -> Path:
    """The recording of a run over all three names."""
    path = tmp_path / "run.observations"
    code, _, err = run(replace(OPTIONS, save=(("observations", path),)))
    assert (code, err) == (FINDINGS, "")
    return path


def replayed(path: Path, **options: Any) -> Options:
    """The options of a replay; those that somebody named are ``given``."""
    return Options(replay=path, given=frozenset(options), **{"format": "json", **options})


def statuses(out: str) -> dict[str, dict[str, str]]:
    """The worst status of each check, by target."""
    return {
        target["target"]: {result["check"]: result["status"] for result in target["results"]}
        for target in json.loads(out)["targets"]
    }


@pytest.mark.parametrize("form", ["json", "jsonl", "table"])
def test_a_replay_says_what_the_run_said(
    run: Callable[..., Said], tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same report byte for byte, times and vantage included, and the same exit code."""
    path = tmp_path / "run"
    live = run(replace(OPTIONS, format=form, verbose=True, save=(("observations", path),)))
    monkeypatch.setattr(LocalNet, "__init__", _never)
    again = run(replayed(path, format=form, verbose=True))
    # Lines come as each target is done.
    assert [sorted(str(report).splitlines()) for report in again] == [
        sorted(str(report).splitlines()) for report in live
    ]


def _never(*_: object, **__: object) -> None:
    raise AssertionError("a replay opens no network")


def test_an_interrupted_run_is_interrupted_again(
    run: Callable[..., Said], recorded: Path, tmp_path: Path
) -> None:
    """Targets may be missing, so what is left of them is no gate's green."""
    path = tmp_path / "cut"
    path.write_text(recorded.read_text().replace('"interrupted":false', '"interrupted":true'))
    code, out, _ = run(replayed(path))
    assert (code, json.loads(out)["interrupted"]) == (INTERRUPTED, True)


def test_a_replay_is_recorded_as_the_run_was(
    run: Callable[..., Said], recorded: Path, tmp_path: Path
) -> None:
    """What is saved of a replay is the recording itself, under whichever profile it was judged."""
    path = tmp_path / "again"
    run(replayed(recorded, save=(("observations", path),), profile=PROFILES["strict"]))
    assert path.read_text() == recorded.read_text()


def test_no_packet_leaves(recorded: Path, tmp_path: Path, needs: Callable[..., None]) -> None:
    """The command replays where there is no network at all, and asks the kernel for no socket."""
    needs("unshare", "strace", root=True)
    trace = tmp_path / "trace"
    traced = ["strace", "-f", "-e", "trace=%network", "-o", str(trace)]
    done = subprocess.run(
        ["unshare", "-n", *traced, COMMAND, "--replay", str(recorded), "-f", "json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (FINDINGS, "")
    assert json.loads(done.stdout)["verdict"] == "not-ready"
    calls = [line for line in trace.read_text().splitlines() if "(" in line]
    # The event loop wakes itself by a pair of connected sockets, which lead nowhere.
    assert [call for call in calls if "AF_INET" in call or "NETLINK" in call] == []


def test_it_is_judged_by_what_is_asked_today(run: Callable[..., Said], recorded: Path) -> None:
    """A profile, a choice of checks and a threshold are the judge's; the default is the run's."""
    _, out, _ = run(replayed(recorded))
    assert statuses(out)["sick.example"]["ptr"] == "warn"
    _, out, _ = run(replayed(recorded, profile=PROFILES["mail"]))
    assert statuses(out)["sick.example"]["ptr"] == "fail"
    assert json.loads(out)["targets"][0]["ports"] == [443]
    _, out, _ = run(replayed(recorded, only=frozenset({"aaaa"})))
    assert statuses(out)["sick.example"] == {"aaaa": "pass"}
    code, out, _ = run(replayed(recorded, skip=frozenset({"tcp", "fallback", "aaaa", "ping"})))
    assert (code, '"check":"tcp"' in out) == (FINDINGS, False)
    assert statuses(out)["sick.example"]["tls"] == "fail"  # in the place of tcp
    code, _, _ = run(replayed(recorded, only=frozenset({"ptr"}), fail_on="warn", on_unknown="pass"))
    assert code == FINDINGS


def test_what_is_asked_today_was_not_left_out_then(
    run: Callable[..., Said], tmp_path: Path
) -> None:
    """``--only`` of a check that the run skipped judges it, by what was seen for the others."""
    path = tmp_path / "run"
    run(replace(OPTIONS, skip=frozenset({"tcp"}), save=(("observations", path),)))
    _, out, _ = run(replayed(path, only=frozenset({"tcp"})))
    assert statuses(out)["sick.example"] == {"tcp": "fail"}


def test_what_was_not_recorded_is_unknown(run: Callable[..., Said], tmp_path: Path) -> None:
    """A check whose facts nobody observed says so, also where it could judge a Failure."""
    path = tmp_path / "run"
    run(replace(OPTIONS, only=frozenset({"aaaa"}), save=(("observations", path),)))
    _, out, _ = run(replayed(path, only=frozenset({"aaaa", "tcp", "ping", "fallback", "firewall"})))
    seen = statuses(out)["well.example"]
    assert seen.pop("aaaa") == "pass"
    assert set(seen.values()) == {"unknown"}
    messages = [
        r["message"] for r in json.loads(out)["targets"][0]["results"] if r["check"] != "aaaa"
    ]
    assert all(message.endswith(": not in the recording") for message in messages)


@pytest.mark.parametrize(
    "flag",
    [
        {"port": ["25"]},
        {"resolve": ["a.example:::1"]},
        {"nameserver": ["::1"]},
        {"timeout": "5"},
        {"deadline": "5"},
        {"internal": "true"},
        {"control": ["2001:db8::1"]},
        {"no_controls": "true"},
        {"retries": "2"},
        {"happy_eyeballs": "rfc6555"},
    ],
)
def test_what_would_observe_otherwise_is_refused(flag: dict[str, Any], tmp_path: Path) -> None:
    """It is too late for a port, a resolver or a timeout; in a file they are for the next run."""
    (name,) = flag
    with pytest.raises(
        ConfigError, match=f"^--{name.replace('_', '-')} cannot be used with --replay"
    ):
        load({"replay": "x", **flag}, {}, tmp_path, format_names())
    (tmp_path / "ipv6check.toml").write_text("[check]\ntimeout = 9\nprofile = 'mail'\n")
    options = load({"replay": "x"}, {"IPV6CHECK_PORT": "25"}, tmp_path, format_names())
    assert (options.timeout, options.port, options.profile.name) == (3.0, (), "mail")
    assert "profile" in options.given


def test_targets_beside_a_recording_are_refused(recorded: Path) -> None:
    """The recording has its own."""
    done = command("--replay", str(recorded), "a.example")
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert done.stderr == "ipv6check: --replay takes no targets: they come from the recording\n"


def command(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """The installed command."""
    return installed.run(*arguments, **more)


def test_standard_input(recorded: Path) -> None:
    """A compressed recording comes through a pipe."""
    with recorded.open() as file:
        done = command("--replay", "-", "-f", "jsonl", stdin=file)
    assert (done.returncode, done.stderr) == (FINDINGS, "")
    assert [json.loads(line)["target"] for line in done.stdout.splitlines()] == [*NAMES]
    torn = recorded.read_text()[:-1]
    done = command("--replay", "-", "-f", "jsonl", input=torn)
    assert (done.returncode, len(done.stdout.splitlines())) == (USAGE, 3)
    assert done.stderr.startswith("ipv6check: standard input:5: the recording is truncated")


def test_a_silent_pipe_can_be_left(recorded: Path) -> None:
    """Ctrl-C ends a replay that waits for a line: what is known is reported."""
    lines = recorded.read_text().splitlines(keepends=True)
    with subprocess.Popen(
        [COMMAND, "--replay", "-", "-f", "jsonl"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        run.stdin.writelines(lines[:2])
        run.stdin.flush()
        assert json.loads(run.stdout.readline())["target"] == NAMES[0]
        run.send_signal(signal.SIGINT)
        assert run.wait(5) == INTERRUPTED
        assert (run.stdout.read(), run.stderr and run.stderr.read()) == ("", "")


RELEASED = Path(__file__).parents[1] / "released" / "recording-1.jsonl"


def test_a_released_recording_is_read(run: Callable[..., Said]) -> None:
    """History can be judged again for as long as its version is known."""
    code, out, err = run(replayed(RELEASED))
    assert (code, err) == (FINDINGS, "")
    assert {name: found["tcp"] for name, found in statuses(out).items()} == {
        "well.example": "pass",
        "sick.example": "fail",
        "lost.example": "skip",
    }


def test_the_checks_of_a_replay_are_those_of_its_run(
    run: Callable[..., Said], recorded: Path, tmp_path: Path
) -> None:
    """A check that a later version adds was not observed for: it judges only who asks for it."""
    (tmp_path / "added.py").write_text(
        '"""New."""\nfrom ipv6check import Addresses, Finding, check, ok\n\n'
        '@check(cause="dns")\ndef added(addresses: Addresses) -> Finding:\n    """New."""\n'
        '    return ok("fine")\n'
    )
    then, today = replayed(recorded), replayed(recorded, checks_dir=(tmp_path,))
    assert run(today) == run(then)
    _, out, _ = run(replace(today, only=frozenset({"added"}), given=frozenset({"only"})))
    assert statuses(out)["well.example"] == {"added": "pass"}
    path = tmp_path / "again"
    own = replace(OPTIONS, checks_dir=(tmp_path,), save=(("observations", path),))
    assert "added" in run(own)[1]
    with pytest.raises(PluginError, match=r'^"added" is not a check.*judged by it: --checks-dir$'):
        run(replayed(path))
    assert run(replayed(path, profile=PROFILES["web"]))[0] == FINDINGS


def test_a_program_judges_it_too(run: Callable[..., Said], tmp_path: Path) -> None:
    """A check in another language gets the facts of a recording as it gets those of a run."""
    program = tmp_path / "few"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\nsaid = json.load(sys.stdin)['observations']\n"
        "print(len(said['connections']['attempts']), 'attempts')\n"
    )
    program.chmod(0o755)
    path = tmp_path / "run.observations"
    both: dict[str, Any] = {"checks_dir": (tmp_path,), "only": frozenset({"few"})}
    live = run(replace(OPTIONS, save=(("observations", path),), **both), ["well.example"])
    assert "2 attempts" in live[1]
    assert run(replayed(path, checks_dir=(tmp_path,))) == live
    _, out, _ = run(replayed(path, checks_dir=(tmp_path,), only=frozenset({"few", "tcp"})))
    assert set(statuses(out)["well.example"].values()) == {"pass", "unknown"}


def test_rules_are_in_the_recording(run: Callable[..., Said], tmp_path: Path) -> None:
    """The rules of --firewall are judged again when their files are gone, includes as well."""
    main, part = tmp_path / "nftables.conf", tmp_path / "part.nft"
    main.write_text('include "part*.nft"\ninclude "none*.nft"\n')
    part.write_text(
        "table inet t { chain c { type filter hook input priority 0; policy drop; }; }\n"
    )
    path = tmp_path / "run"
    only = frozenset({"firewall"})
    live = run(
        replace(OPTIONS, only=only, firewall=(main,), save=(("observations", path),)),
        ["well.example"],
    )
    assert statuses(live[1]) == {"well.example": {"firewall": "warn"}}
    main.unlink()
    part.unlink()
    assert run(replayed(path)) == live
    other = tmp_path / "other.nft"
    other.write_text("table inet t { chain c { type filter hook input priority 0; }; }\n")
    _, out, _ = run(replayed(path, firewall=(other,)))
    assert statuses(out) == {"well.example": {"firewall": "pass"}}


def test_a_service_keeps_its_terms(run: Callable[..., Said], tmp_path: Path) -> None:
    """Profile, severities, owner, required vantage and the line that names the target."""
    place = Place("ipv6check.toml", 3)
    target = replace(parse("sick.example"), service="shop", place=place)
    shop = ServiceConfig(
        "shop",
        (target,),
        owner="ops",
        severity={"ptr": "fail", "tcp": "warn"},
        vantage="ipv6",
        profile=PROFILES["mail"],
        ports=(443,),
    )
    path = tmp_path / "run"
    services = replace(OPTIONS, services=(shop,), save=(("observations", path),))
    live = run(services, [target, "well.example"])
    assert json.loads(live[1])["targets"][0]["owner"] == "ops"
    assert run(replayed(path)) == live
    assert statuses(live[1])["sick.example"]["tcp"] == "warn"


# --- what is not a recording -----------------------------------------------------------------


@pytest.fixture
def small(run: Callable[..., Said], tmp_path: Path) -> Path:
    """A recording of one target, by one check."""
    path = tmp_path / "small"
    only = frozenset({"aaaa"})
    run(replace(OPTIONS, only=only, save=(("observations", path),)), ["well.example"])
    return path


def read_all(path: Path) -> list[str]:
    """The targets of a recording, read as a run reads them. Raises RecordingError."""

    async def go() -> list[str]:
        return [recorded.target.text async for recorded in Recording(path)]

    return asyncio.run(go())


@pytest.mark.slow
def test_a_cut_anywhere_is_an_error(small: Path, tmp_path: Path) -> None:
    """No beginning of a recording is a recording, down to the very last byte."""
    whole = small.read_bytes()
    assert read_all(small) == ["well.example"]
    cut = tmp_path / "cut"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        with pytest.raises(RecordingError) as caught:
            read_all(cut)
        said = str(caught.value)
        assert said.startswith(f"{cut}:{whole[:length].count(10) + 1}: ")
        assert "truncated" in said


def swap(old: str, new: str, line: int = 1) -> Callable[[list[str]], None]:
    """Replaces a text that stands in a line."""

    def spoil(lines: list[str]) -> None:
        assert old in lines[line]
        lines[line] = lines[line].replace(old, new, 1)

    return spoil


@pytest.mark.slow(after=3)
@pytest.mark.parametrize(
    ("spoil", "line", "says"),
    [
        (swap('_version":"1"', '_version":"2"', 0), 1, 'of version "2": this ipv6check reads 1'),
        (swap('_version":"1"', '_version":1', 0), 1, "of version"),
        (swap("observations_version", "schema_version", 0), 1, "not a recording of ipv6check"),
        (lambda lines: lines.insert(0, "[]"), 1, "not a JSON object"),
        (lambda lines: lines.insert(0, ""), 1, "not JSON"),
        (swap("2026", "long ago", 0), 1, "started_at: String should match"),
        (swap('"services":{"":', '"services":{"x":', 0), 1, "nothing for targets of none"),
        (swap('"total":1', '"total":-1', 0), 1, "total: "),
        (lambda lines: lines.append(lines[1]), 4, "something follows the end"),
        (lambda lines: lines.append(""), 4, "something follows the end"),
        (lambda lines: lines.insert(1, lines[1]), 4, "counts 1 targets, there are 2"),
        (lambda lines: lines.pop(1), 2, "counts 1 targets, there are 0"),
        (lambda lines: lines.insert(1, lines[0]), 2, "observations_version: Extra inputs"),
        (swap("well.example", "1.2.3.4"), 2, "target: 1.2.3.4 is an IPv4 address"),
        (swap("well.example", "a\\u001b[2J"), 2, "target: "),
        (swap('"service":""', '"service":"\\u001b[2J"'), 2, 'service: "\\x1b[2J" is not in'),
        (
            swap(f'"ipv6":["{V6}"]', '"ipv6":["zz"]'),
            2,
            "ipv6.0: 'zz' does not appear to be",
        ),
        (swap(f'"ipv6":["{V6}"]', '"ipv6":["::1%\\u001b"]'), 2, "an address with a zone"),
        (swap('"ttl":300', '"ttl":"300"'), 2, "attempts.0.facts.addresses.a"),
        (swap('"ttl":300', '"ttl":true'), 2, "ttl: Input should be a valid integer"),
        (swap('"ttl":300', '"ttl":1' + "0" * 20), 2, "too large a number"),
        (swap('"ttl":300', '"ttl":1' + "0" * 9000), 2, "too large a number"),
        (swap('"ttl":300', '"ttl":1e999'), 2, "too large a number"),
        (swap('"elapsed_ms":10.0', '"elapsed_ms":NaN'), 2, "NaN is not a number"),
        (swap('"elapsed_ms":10.0', '"elapsed_ms":-Infinity'), 2, "-Infinity is not a number"),
        (swap('"elapsed_ms":10.0', '"elapsed_ms":Infinity'), 2, "elapsed_ms: Input should be a"),
        (swap('"ttl":300', '"ttl":300,"ttl":300'), 2, '"ttl" twice in one object'),
        (swap('"ttl":300', '"ttl":300,"\\u001b":1'), 2, "Unexpected keyword"),
        (swap('"facts":{', '"facts":{"predictions":{},'), 2, "predictions: Extra inputs"),
        (swap('"attempts":[', '"attempts":' + "[" * 100_000), 2, "nested too deeply"),
        (swap('"attempts":[{', '"attempts":[],"x":[{'), 2, "attempts: "),
        (swap('"origin":"dns"', '"origin":null'), 2, "origin: Input should be a valid string"),
        (swap('"rcode":"NOERROR"', '"rcode":"\\ud800"'), 2, "line: Invalid JSON"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    small: Path, run: Callable[..., Said], spoil: Callable[[list[str]], None], line: int, says: str
) -> None:
    """One line on standard error, harmless to a terminal, and exit code 2."""
    lines = small.read_text().splitlines()
    spoil(lines)
    small.write_text("".join(f"{line}\n" for line in lines))
    done = command("--replay", str(small), "-f", "jsonl")
    assert done.returncode == USAGE
    assert done.stderr.startswith(f"ipv6check: {small}:{line}: ")
    assert done.stderr.count("\n") == 1
    assert done.stderr[:-1].isprintable()
    assert says in done.stderr


def test_the_bytes_are_utf_8(small: Path) -> None:
    """Anything else is said to be not."""
    small.write_bytes(small.read_bytes().replace(b"dns", b"d\xff", 1))
    with pytest.raises(RecordingError, match="small:2: not UTF-8"):
        read_all(small)


def test_a_port_is_a_port(run: Callable[..., Said], recorded: Path) -> None:
    """Not 70000."""
    text = recorded.read_text().replace('"port":443', '"port":70000', 1)
    recorded.write_text(text)
    code, out, err = run(replayed(recorded, format="jsonl"))
    assert (code, out) == (USAGE, "")
    assert "attempts.0.port: not a port" in err


def test_what_stands_before_an_error_is_reported(run: Callable[..., Said], recorded: Path) -> None:
    """A recording streams, so what was read is judged and printed before the error is known."""
    lines = recorded.read_text().splitlines()
    recorded.write_text("\n".join([*lines[:3], "{", *lines[4:], ""]))
    code, out, err = run(replayed(recorded))
    assert code == USAGE
    assert [*statuses(out)] == [*NAMES[:2]]
    assert err.startswith(f"ipv6check: {recorded}:4: not JSON")


def test_a_line_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without line ends is not read to its end."""
    monkeypatch.setattr("ipv6check.reports.recording.MAX_LINE", 1 << 20)
    path = tmp_path / "zeros"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(RecordingError, match="zeros:1: a line of more than 1048576 bytes"):
        read_all(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A FIFO that nobody writes to would keep us waiting; a directory has nothing to read."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(
        RecordingError, match="fifo cannot be read: it is no file; give a pipe as -"
    ):
        Recording(fifo)
    with pytest.raises(RecordingError, match="cannot be read: it is a directory"):
        Recording(tmp_path)
    with pytest.raises(RecordingError, match="none cannot be read: No such file or directory"):
        Recording(tmp_path / "none")
    with pytest.raises(RecordingError, match="null cannot be read: it is no file"):
        Recording(Path("/dev/null"))


def test_control_characters_do_not_reach_a_report(run: Callable[..., Said], recorded: Path) -> None:
    """Whatever texts a recording holds (law 8)."""
    lines = recorded.read_text().splitlines()
    hostile = "\\u001b[2J\\u009b\\u202e"
    head = json.loads(lines[0])
    head["tool"]["version"] = head["vantage"]["name"] = head["vantage"]["detail"] = "\x1b[2J\x9b"
    head["services"][""]["owner"] = head["services"][""]["requires"] = "\x1b[2J\x9b"
    end = json.loads(lines[-1]) | {"vantage": head["vantage"]}
    body = [
        line.replace("\\u001b[31m", hostile)
        .replace('"NXDOMAIN"', f'"{hostile}"')
        .replace('"detail":"timeout"', f'"detail":"{hostile}"')
        for line in lines[1:-1]
    ]
    recorded.write_text("\n".join([json.dumps(head), *body, json.dumps(end), ""]))
    for form in ("table", "json", "jsonl"):
        _, out, err = run(replayed(recorded, format=form, verbose=True))
        assert err == ""
        assert out.replace("\n", "").isprintable()
    names = json.loads(lines[0])
    names["services"][""]["checks"] = ["\x1b[2J"]
    recorded.write_text("\n".join([json.dumps(names), *lines[1:], ""]))
    done = command("--replay", str(recorded))
    assert done.returncode == USAGE
    assert done.stderr.startswith('ipv6check: "\\x1b[2J" is not a check')


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, bytes]]:
    """A file to write to, and the bytes of a good recording."""
    path = tmp_path_factory.mktemp("fuzz") / "run"
    options = replace(OPTIONS, format="jsonl", save=(("observations", path),))
    devnull = os.open(os.devnull, os.O_WRONLY)
    kept = os.dup(1)
    os.dup2(devnull, 1)
    try:
        check.check(options, [parse(name) for name in NAMES], None, lambda *_: network())
    finally:
        os.dup2(kept, 1)
    yield path, path.read_bytes()
    shutil.rmtree(path.parent)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_mutations(seed: tuple[Path, bytes], capfd: pytest.CaptureFixture[str], data: Any) -> None:
    """Whatever is done to its bytes: a report, or one line and exit code 2; never a traceback."""
    path, whole = seed
    octets = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(octets) - 1))
        piece = data.draw(
            st.binary(max_size=3)
            | st.sampled_from([b"null", b"-1", b"1e15", b"[]", b"{}", b'""', b"Infinity", b"99999"])
        )
        octets[at : at + data.draw(st.integers(0, 8))] = piece
    path.write_bytes(octets)
    form = data.draw(st.sampled_from(["table", "json"]))
    try:
        code = check.replay(replayed(path, format=form, verbose=True))
    except RecordingError as error:
        if not str(error).startswith(f"{path}:1: "):
            raise
        return
    except PluginError as error:
        if "the recording was judged by it" not in str(error):
            raise
        return
    said = capfd.readouterr()
    assert said.err.count("\n") == (code == USAGE)
    assert said.err.replace("\n", "").isprintable()
    assert code in {OK, FINDINGS, BLIND, USAGE}
    if code != USAGE:
        assert said.out.count("example") >= 3


FACTS = st.fixed_dictionaries(
    {
        name: st.one_of(*map(values, sorted(probe.returns | {Failure}, key=str)))
        for name, probe in all_probes().items()
        if not probe.pure
    }
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(facts=FACTS, form=st.sampled_from(["table", "json"]), profile=st.sampled_from([*PROFILES]))
def test_any_facts_make_a_report(
    seed: tuple[Path, bytes], capfd: pytest.CaptureFixture[str], facts: Any, form: str, profile: str
) -> None:
    """What is of the right types and never was: checks may call it an error, nothing breaks."""
    path, whole = seed
    head, _, _, _, end = whole.decode().splitlines()
    end = json.dumps(json.loads(end) | {"targets": 1})
    path.write_text("\n".join([head, line(facts, facts).decode(), end, ""]))
    code = check.replay(replayed(path, format=form, verbose=True, profile=PROFILES[profile]))
    said = capfd.readouterr()
    assert (code in {OK, FINDINGS, BLIND}, said.err) == (True, "")
    assert "www.example" in said.out
    shown = said.out.replace("\n", "")
    assert printable(shown) == shown
