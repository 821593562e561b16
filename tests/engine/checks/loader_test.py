"""Loading checks: every mistake is one line with file and line number, before a packet is sent."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipv6check.commands.list import document
from ipv6check.config.profiles import PROFILES
from ipv6check.config.target import parse
from ipv6check.engine.checks import inputs, planning
from ipv6check.engine.checks import program as external
from ipv6check.engine.checks.api import Check, Input, PluginError, Probe
from ipv6check.engine.checks.loader import load
from ipv6check.model import Answer, Cause, Failure, Finding, Kind, Status, fail, ok, warn
from ipv6check.probes.addresses import Addresses
from ipv6check.probes.connections import Connections
from ipv6check.testing import SETTINGS, FakeNet, attempt, examine, run_check
from tests.pace import Lag

SHIPPED = ["aaaa", "fallback", "host", "listeners", "ping", "ptr", "tcp"]
GOOD = '''"""It is so.

And this is why.
"""
from ipv6check import Addresses, Finding, check, ok

@check(reference="RFC 1", cause="dns")
def good(addresses: Addresses) -> Finding:
    """It is so."""
    return ok("as it should be")
'''
HEAD = "from ipv6check import Addresses, Answer, Failure, Finding, Settings, Target, check, ok\n"
CONNECTED = Connections(ports=(443,), named=False, attempts=(attempt("2001:470::1"),))
ADDRESSED = Addresses(
    "a.example",
    "dns",
    Answer("a.example", "A", "NOERROR", (), (), 0, 1.0, "192.0.2.53"),
    Failure(Kind.SERVFAIL, "why"),
    (),
    (),
)


def write(directory: Path, name: str, text: str) -> Path:
    """A file of a private directory."""
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(text)
    return path


def program(directory: Path, name: str, text: str) -> Path:
    """An executable of a private directory."""
    path = write(directory, name, f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def one(
    parameters: str, *, before: str = "@check(cause='dns')", body: str = "return ok('x')"
) -> str:
    """A check file whose function has these parameters; its ``def`` is line 3."""
    return f"{HEAD}{before}\ndef judging({parameters}) -> Finding:\n    'About it.'\n    {body}\n"


def refused(directory: Path) -> str:
    """The line that loading this directory ends with."""
    with pytest.raises(PluginError) as caught:
        load([directory])
    line = str(caught.value)
    assert "\n" not in line
    return line


def ids(directories: Iterable[Path] = (), **names: Any) -> list[str]:
    """The names of the checks of a plan."""
    return [check.id for check in load(directories, **names).checks]


# --- what is found ---------------------------------------------------------------------------


def test_shipped_checks_are_found() -> None:
    """Without a word from the user every shipped check is in the plan, sorted by name."""
    assert set(SHIPPED) <= set(ids())
    assert ids() == sorted(ids())


def test_a_profile_chooses_unless_the_user_does(tmp_path: Path) -> None:
    """A profile runs the checks it has a use for; what is asked for by name is run all the same."""
    write(tmp_path, "good.py", GOOD)
    web, host = PROFILES["web"], PROFILES["host"]
    assert "host" not in ids(profile=web)
    assert {"listeners", "good"} <= set(ids([tmp_path], profile=web))
    assert ids([tmp_path], profile=host) == ["firewall", "host", "listeners"]
    assert ids(profile=host, skip=["firewall", "listeners"]) == ["host"]
    assert ids(profile=host, only=["tcp"]) == ["tcp"]
    assert ids(profile=web, only=["host"]) == ["host"]


def test_each_shipped_check_says_what_it_is() -> None:
    """A shipped check has a sentence, a longer text that begins with a sentence, a reference."""
    for check in load().checks:
        assert check.about.endswith(".")
        assert "\n" not in check.about
        assert check.text
        assert check.reference.startswith("RFC ")
        assert check.path.name == f"{check.id}.py"


def test_the_file_s_name_is_the_check_s(tmp_path: Path) -> None:
    """Everything of a check comes from its one file."""
    path = write(tmp_path, "my-good_check2.py", GOOD)
    (check,) = load([tmp_path], only=["my-good_check2"]).checks
    assert (check.id, check.path, check.about) == ("my-good_check2", path, "It is so.")
    assert (check.reference, check.cause, check.executable) == ("RFC 1", Cause.DNS, False)
    assert check.text == "It is so.\n\nAnd this is why."
    assert check.inputs == (Input("addresses"),)


def test_private_directories_come_after_the_shipped_one(tmp_path: Path) -> None:
    """Private checks join the shipped ones."""
    write(tmp_path, "zz.py", GOOD)
    assert ids([tmp_path]) == sorted([*ids(), "zz"])


def test_a_same_named_file_replaces(tmp_path: Path) -> None:
    """The later directory wins, over ours and over an earlier one; order is that of the names."""
    write(tmp_path / "a", "ptr.py", GOOD)
    last = write(tmp_path / "b", "ptr.py", GOOD)
    plan = load([tmp_path / "a", tmp_path / "b"])
    assert [check.path for check in plan.checks if check.id == "ptr"] == [last]
    assert [check.id for check in plan.checks] == ids()


def test_an_executable_can_replace_a_shipped_check(tmp_path: Path) -> None:
    """What a check is written in is nobody's business."""
    path = program(tmp_path, "ptr", "exit 0")
    (check,) = load([tmp_path], only=["ptr"]).checks
    assert (check.path, check.executable) == (path, True)


def test_what_is_no_check_is_left_alone(tmp_path: Path) -> None:
    """Hidden files, files that begin with _, texts and directories are no checks."""
    for name in (".hidden.py", "_shared.py", "README.md", "ptr.pyc", "noexec.sh"):
        write(tmp_path, name, "this is not Python at all(")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "directory.py").mkdir()
    assert ids([tmp_path]) == ids()


def test_an_empty_directory_is_fine(tmp_path: Path) -> None:
    """There may be nothing in it yet."""
    assert ids([tmp_path]) == ids()


def test_the_current_directory_is_never_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading a file is executing it, so it has to be asked for."""
    write(tmp_path / "checks.d", "evil.py", "raise SystemExit")
    monkeypatch.chdir(tmp_path)
    assert ids() == ids([])
    assert "evil" not in ids()


# --- only and skip ---------------------------------------------------------------------------


def test_only_and_skip_choose() -> None:
    """--only names all that run, --skip takes away from what would."""
    assert ids(only=["tcp", "aaaa"]) == ["aaaa", "tcp"]
    assert ids(skip=["tcp", "aaaa"]) == [name for name in ids() if name not in {"aaaa", "tcp"}]
    assert ids(only=["tcp", "aaaa"], skip=["tcp"]) == ["aaaa"]
    assert ids(only=["tcp"], skip=["tcp"]) == []


def test_probes_are_those_that_are_needed_inputs_first() -> None:
    """A plan has the probes of its checks, each after those that it needs, and no others."""
    assert [probe.name for probe in load(only=["aaaa"]).probes] == ["addresses"]
    assert load(only=["tcp"], skip=["tcp"]).probes == ()
    names = [probe.name for probe in load().probes]
    for probe in load().probes:
        needed = {item.name for item in probe.inputs} - set(inputs.GIVEN)
        assert needed <= set(names[: names.index(probe.name)])


@pytest.mark.parametrize("option", ["only", "skip"])
def test_an_unknown_name_is_refused_with_the_nearest(option: str) -> None:
    """A misspelt check must not silently check nothing, or everything."""
    with pytest.raises(PluginError, match=r'"aaa" is not a check; did you mean "aaaa"\?'):
        load(**{option: ["aaa"]})  # type: ignore[arg-type]
    with pytest.raises(PluginError, match=r'"quux" is not a check; there are: aaaa, .*tcp'):
        load(**{option: ["quux"]})  # type: ignore[arg-type]


def test_a_private_check_can_be_named(tmp_path: Path) -> None:
    """--only knows private checks too."""
    write(tmp_path, "mine.py", GOOD)
    assert ids([tmp_path], only=["mine"]) == ["mine"]


# --- files that are refused ------------------------------------------------------------------


def test_a_syntax_error_is_named_with_its_line(tmp_path: Path) -> None:
    """The line is that of the mistake."""
    path = write(tmp_path, "bad.py", "x = 1\n\ndef f(:\n    pass\n")
    assert refused(tmp_path).startswith(f"{path}:3: SyntaxError: ")


def test_an_error_on_import_is_named_with_its_line(tmp_path: Path) -> None:
    """The line is the file's own, however deep the error was raised."""
    path = write(tmp_path, "bad.py", "import json\n\n\njson.loads('{')\n")
    assert refused(tmp_path).startswith(f"{path}:4: JSONDecodeError: ")


def test_an_error_of_several_lines_becomes_one(tmp_path: Path) -> None:
    """An error's text may be anything, the message is one line."""
    write(tmp_path, "bad.py", "raise RuntimeError('a\\n  b')\n")
    assert refused(tmp_path).endswith("RuntimeError: a b")


@pytest.mark.parametrize("code", ["import nowhere_to_be_found", "from ipv6check import Nonsense"])
def test_a_failing_import_is_refused(tmp_path: Path, code: str) -> None:
    """A name that does not exist is found when the file is loaded."""
    path = write(tmp_path, "bad.py", f"\n{code}\n")
    assert re.match(rf"{re.escape(str(path))}:2: (ModuleNotFound|Import)Error: ", refused(tmp_path))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are a broken check file too."""
    path = tmp_path / "bad.py"
    path.write_bytes(b"x = '\xff\xfe'\n")
    assert refused(tmp_path).startswith(f"{path}:1: SyntaxError: ")


def test_a_file_that_exits_is_refused(tmp_path: Path) -> None:
    """A script that was not meant to be imported does not end the program without a word."""
    path = write(tmp_path, "bad.py", "\nraise SystemExit(0)\n")
    assert refused(tmp_path).startswith(f"{path}:2: SystemExit: ")
    write(tmp_path, "bad.py", "\nraise BaseException('odd')\n")
    assert refused(tmp_path) == f"{path}:2: BaseException: odd"


@pytest.mark.parametrize(
    ("text", "number"),
    [("x = 1\n", 0), (GOOD + GOOD.replace("def good", "def better"), 2)],
)
def test_a_file_holds_one_check(tmp_path: Path, text: str, number: int) -> None:
    """A file without a check is a mistake, and so is one with two."""
    path = write(tmp_path, "bad.py", text)
    said = f"{path}:1: defines {number} @check functions, expected 1"
    assert refused(tmp_path) == said


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (one("adresses: Addresses"), '"adresses" is not an input; did you mean "addresses"?'),
        (one("xyzzy: int"), '"xyzzy" is not an input; there are: addresses, connections, '),
        (one("net: int"), '"net" is not an input; '),
        (one("addresses"), 'input "addresses" has no annotation'),
        (one("addresses: Answer"), 'input "addresses" is Addresses | Failure, not Answer'),
        (one("addresses: Addresses | Answer"), 'input "addresses" is Addresses | Failure, not '),
        (one("target: str"), 'input "target" is Target, not str'),
        (one("settings: Target"), 'input "settings" is Settings, not Target'),
        (one("addresses: 'Adresses'"), "annotation: NameError: name 'Adresses' is not defined"),
        (one("addresses: 'Addresses +'"), "annotation: SyntaxError: "),
        (one("*addresses: Addresses"), '"*addresses: '),
        (one("**addresses: Addresses"), '"**addresses: '),
        (one("addresses: Addresses, /"), '"addresses: '),
        (one("addresses: Addresses").replace("\ndef", "\nasync def"), "does no I/O"),
        (one("").replace("    'About it.'\n", ""), "has no docstring"),
    ],
)
def test_a_wrong_signature_is_refused(tmp_path: Path, code: str, says: str) -> None:
    """Names and annotations of inputs are compared when the file is loaded."""
    path = write(tmp_path, "bad.py", code)
    line = refused(tmp_path)
    assert re.match(rf"{re.escape(str(path))}:[23]: ", line)
    assert says in line


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ("@check(cause='weather')", "ValueError: 'weather' is not a valid Cause"),
        ("@check()", "TypeError: "),
        ("@check(cause='dns', id='x')", "TypeError: "),
        ("@check", "TypeError: "),
    ],
)
def test_a_wrong_decorator_is_refused(tmp_path: Path, before: str, says: str) -> None:
    """The decorator's arguments are checked when the file is loaded."""
    path = write(tmp_path, "bad.py", one("", before=before))
    line = refused(tmp_path)
    assert line.startswith(f"{path}:2: ")
    assert says in line


EXPLAINED = """from ipv6check import Explained, check, ok

FINDINGS = (
    Explained("fine", "pass", "It is well."),
    {}
)

@check(cause="dns", findings=FINDINGS)
def judging():
    'About it.'
    return ok("x", id="fine")
"""


@pytest.mark.parametrize(
    ("explained", "line", "says"),
    [
        ("Explained('Not Fine', 'fail', 'x'),", 5, '"Not Fine" cannot be a finding\'s id'),
        ("Explained('not_fine', 'fail', 'x'),", 5, '"not_fine" cannot be a finding\'s id'),
        ("Explained('shut', 'failed', 'x'),", 5, "'failed' is not a valid Status"),
        ("Explained('shut', '', 'x'),", 5, 'finding "shut" has no status'),
        ("Explained('shut', 'fail'),", 5, "TypeError: "),
        (
            "Explained('shut', 'fail', 'x', examples={'ngnix': 'listen 443;'}),",
            5,
            'an example of "shut" is for "ngnix"; did you mean "nginx"?',
        ),
        ("Explained('shut', 'fail', 'x', '', {'qqq': ''}),", 5, 'for "qqq"; there are: nginx, Apa'),
        ("Explained('fine', 'fail', 'x'),", 8, 'ValueError: finding "fine" is explained twice'),
        ("'shut',", 8, "TypeError: findings holds 'shut', which is no Explained"),
    ],
)
def test_a_wrong_explanation_is_refused(
    tmp_path: Path, explained: str, line: int, says: str
) -> None:
    """What a check says of its findings is read when its file is loaded, and has its line."""
    path = write(tmp_path, "bad.py", EXPLAINED.format(explained))
    said = refused(tmp_path)
    assert said.startswith(f"{path}:{line}: ")
    assert says in said


def test_a_check_carries_what_it_explains(tmp_path: Path) -> None:
    """A check's findings are told by its own file; one that tells none is as good."""
    write(tmp_path, "telling.py", EXPLAINED.format(""))
    write(tmp_path, "silent.py", GOOD)
    silent, telling = load([tmp_path], only=["silent", "telling"]).checks
    assert [finding.id for finding in telling.findings] == ["fine"]
    assert silent.findings == ()


def test_a_class_is_no_check(tmp_path: Path) -> None:
    """A check is a function; what else is marked is refused with its line."""
    path = write(tmp_path, "bad.py", f"{HEAD}@check(cause='dns')\nclass Mine:\n    'About it.'\n")
    assert refused(tmp_path).startswith(f"{path}:2: TypeError: @check marks a plain function")


@pytest.mark.parametrize("name", ["2nd.py", "Upper.py", "a.b.py", "a b.py", "ünïcode.py"])
def test_a_file_s_name_has_to_be_a_check_s(tmp_path: Path, name: str) -> None:
    """A check's name is typed on a command line."""
    path = write(tmp_path, name, GOOD)
    assert refused(tmp_path).startswith(f'{path}: "{path.stem}" cannot be a check\'s name')


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    """Within a directory nobody could tell which of the two was meant."""
    program(tmp_path, "mine", "exit 0")
    write(tmp_path, "mine.py", GOOD)
    assert refused(tmp_path) == f"{tmp_path / 'mine.py'}: mine is check mine already"


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_directory_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    """A directory that cannot be read is one line, with the system's reason."""
    path = tmp_path / kind
    if kind == "file":
        path.write_text("")
    assert re.fullmatch(rf"{re.escape(str(path))}: (No such|Not a) .*directory", refused(path))


def test_probes_that_need_each_other_are_refused() -> None:
    """A circle of probes would wait for ever."""

    async def observe() -> int:
        return 1

    probes = {
        "a": Probe("a", observe, (Input("b"),), frozenset({int})),
        "b": Probe("b", observe, (Input("a"),), frozenset({int})),
    }
    check = Check(lambda a: ok(f"{a}"), "x", "", Cause.DNS, (Input("a"),), "c")
    with pytest.raises(PluginError, match=r"probes need each other: .*→"):
        planning.needed_probes([check], probes)


# --- files that are fine ---------------------------------------------------------------------


def test_a_check_may_admit_a_failure(tmp_path: Path) -> None:
    """An annotation that admits Failure gets it; in either spelling, also as text."""
    for number, annotation in enumerate(
        ["Addresses | Failure", "Failure | Addresses", "'Addresses | Failure'"]
    ):
        write(tmp_path, f"good{number}.py", one(f"addresses: {annotation}"))
        (check,) = load([tmp_path], only=[f"good{number}"]).checks
        assert check.inputs == (Input("addresses", admits_failure=True),)


def test_a_check_needs_no_input(tmp_path: Path) -> None:
    """A check of the target's text alone costs no packet."""
    write(tmp_path, "good.py", one("target: Target, settings: Settings"))
    plan = load([tmp_path], only=["good"])
    assert plan.probes == ()
    write(tmp_path, "empty.py", one(""))
    assert load([tmp_path], only=["empty"]).checks[0].inputs == ()


def test_a_check_can_be_changed_and_loaded_again(tmp_path: Path) -> None:
    """Nothing of an earlier load is left behind."""
    path = write(tmp_path, "mine.py", one("", body="return ok('old')"))
    assert run_check(path) == [ok("old")]
    write(tmp_path, "mine.py", one("", body="return ok('newer')"))
    assert run_check(path) == [ok("newer")]


# --- executables -----------------------------------------------------------------------------


def asked(path: Path) -> list[Finding]:
    """What the program finds."""
    return run_check(path, target="a.example:443", addresses=ADDRESSED, connections=CONNECTED)


def test_an_executable_sees_what_checks_see(tmp_path: Path) -> None:
    """Target and observations come as one line of JSON, a Failure as such."""
    seen = tmp_path / "seen.json"
    program(tmp_path / "d", "look", f"cat > {seen}")
    asked(tmp_path / "d" / "look")
    text = seen.read_text()
    assert text.count("\n") == 1
    for part in (
        '"schema_version": "1"',
        '"host": "a.example"',
        '"failure": null',
        '"aaaa": {"kind": "servfail"',
        '"address": "2001:470::1"',
    ):
        assert part in text
    run_check(
        tmp_path / "d" / "look",
        target="a.example",
        addresses=Failure(Kind.SERVFAIL, "why"),
        connections=CONNECTED,
    )
    assert '"addresses": {"failure": {"kind": "servfail"' in seen.read_text()


def test_an_executable_may_answer_in_json(tmp_path: Path) -> None:
    """One object, or a list of them, with the fields of a Finding."""
    one_object = '{"status": "fail", "message": "m", "hint": "h", "subject": "s", "cause": "host", '
    one_object += '"finding": "shut"}'
    path = program(tmp_path, "says", f"echo '{one_object}'; exit 2")
    assert asked(path) == [fail("m", hint="h", subject="s", cause="host", id="shut")]
    several = '[{"status":"pass","message":"m","evidence":{"a":1}},{"status":"warn","message":"n"}]'
    path = program(tmp_path, "says", f"echo '{several}'")
    assert asked(path) == [ok("m", evidence={"a": 1}), warn("n")]


@pytest.mark.parametrize(
    ("code", "status"),
    [(0, Status.PASS), (1, Status.WARN), (2, Status.FAIL), (3, Status.UNKNOWN)],
)
def test_an_executable_may_answer_like_a_nagios_plugin(
    tmp_path: Path, code: int, status: Status
) -> None:
    """The first line is the message up to the bar, the exit code is the status."""
    path = program(tmp_path, "says", f"echo 'ALL WELL - x | time=3ms;5'; echo more; exit {code}")
    (finding,) = asked(path)
    assert (finding.status, finding.message) == (status, "ALL WELL - x")
    assert finding.evidence == {"perfdata": "time=3ms;5"}


def test_a_silent_nagios_plugin_says_so(tmp_path: Path) -> None:
    """A plugin without a word has its exit code."""
    (finding,) = asked(program(tmp_path, "says", "exit 1"))
    assert finding == warn("says printed nothing")


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("echo '{'", "says printed something that is not a Finding"),
        ("echo '[]'", "says returned an empty list"),
        ("echo '[1]'", "says printed something that is not a Finding"),
        ("echo '[null]'", "says printed something that is not a Finding"),
        ("echo '{}'", "says printed something that is not a Finding"),
        ('echo \'{"status":"good","message":"m"}\'', "is not a valid Status"),
        ('echo \'{"status":"pass"}\'', "says printed something that is not a Finding"),
        ('echo \'{"status":"fail","message":"m","cause":"x"}\'', "is not a valid Cause"),
        ('echo \'{"status":"fail","message":"m","evidence":3}\'', "is not a Finding"),
        ("head -c 60000 /dev/zero | tr '\\0' '['", "says printed something that is not a Finding"),
        ("exit 4", "says ended with exit code 4"),
        ("kill -9 $$", "says was killed by signal 9"),
        ('echo \'{"status":"pass","message":"m"}\'; kill -15 $$', "says was killed by signal 15"),
        ("exit 0", "says printed nothing, which is not an answer"),
        ("echo 'sh: nosuch: not found' >&2; exit 127", "exit code 127: sh: nosuch: not found"),
        ("echo why >&2; echo >&2; exit 1", "says crashed with exit code 1: why"),
        ("echo why >&2; exit 2", "says crashed with exit code 2: why"),
        ("echo why >&2; exit 3", "says crashed with exit code 3: why"),
        ("printf 'a\\033[31mb\\n' >&2; exit 1", "says crashed with exit code 1: a\\x1b[31mb"),
        (
            "head -c 9999999 /dev/zero | tr '\\0' x >&2; exit 1",
            "says crashed with exit code 1: xxx",
        ),
        ("python3 -c 'print(1); 1 / 0'", "exit code 1: ZeroDivisionError: division by zero"),
        ("echo 'panic: oh' >&2; echo CRITICAL; exit 2", "says crashed with exit code 2: panic: oh"),
    ],
)
def test_an_executable_that_talks_nonsense_is_an_error(
    tmp_path: Path, does: str, says: str
) -> None:
    """Whatever a program does becomes a finding that blames the program."""
    (finding,) = asked(program(tmp_path, "says", does))
    assert (finding.status, finding.cause) == (Status.ERROR, Cause.TOOL)
    assert says in finding.message
    assert len(finding.message) < 300


@pytest.mark.parametrize(("code", "status"), [(0, Status.PASS), (1, Status.WARN), (2, Status.FAIL)])
def test_what_a_plugin_says_beside_its_answer(tmp_path: Path, code: int, status: Status) -> None:
    """Words on stderr are no crash where there is an answer; nor does one without an end matter."""
    text = f"echo 'deprecated: x' >&2; sleep 60 >/dev/null & echo ANSWER; exit {code}"
    (finding,) = asked(program(tmp_path, "says", text))
    assert (finding.status, finding.message) == (status, "ANSWER")


def test_an_executable_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    """A missing interpreter is told with the path."""
    path = write(tmp_path, "says", "#!/nowhere/interpreter\n")
    path.chmod(0o755)
    (finding,) = asked(path)
    assert finding.status is Status.ERROR
    assert f"{path} cannot be run: No such file or directory" in finding.message


@pytest.mark.timing
def test_an_executable_has_the_time_of_a_probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lag: Lag
) -> None:
    """A program that hangs is ended, with whatever it started."""
    alive = tmp_path / "alive"
    text = f"sh -c 'sleep 0.8; touch {alive}' &\nsleep 60"
    path = program(tmp_path / "d", "slow", text)
    monkeypatch.setattr("ipv6check.testing.SETTINGS", replace(SETTINGS, timeout_s=0.3))
    began = time.monotonic()
    (finding,) = asked(path)
    assert (finding.status, finding.cause) == (Status.ERROR, Cause.TOOL)
    assert finding.message == "slow gave no answer in 0.3 s"
    assert time.monotonic() - began < 2 + lag.s
    time.sleep(0.8)
    assert not alive.exists()


@pytest.mark.timing
@pytest.mark.parametrize("line", ["{", "ALL WELL"])
def test_an_executable_that_never_stops_talking_is_cut_off(
    tmp_path: Path, line: str, lag: Lag
) -> None:
    """No more is read of a program than a finding can need."""
    began = time.monotonic()
    (finding,) = asked(program(tmp_path, "says", f"yes '{line}'"))
    assert finding.status is Status.ERROR
    assert finding.message == "says printed more than 65536 bytes"
    assert time.monotonic() - began < SETTINGS.timeout_s - 1 + lag.s


def test_an_executable_need_not_read(tmp_path: Path) -> None:
    """A program that closes its input at once, on a question of any size, is fine."""
    many = Connections((443,), named=False, attempts=(attempt("2001:470::1"),) * 20_000)
    path = program(tmp_path, "says", "exec <&-\necho fine")
    found = run_check(path, target="a.example", addresses=ADDRESSED, connections=many)
    assert found == [ok("fine")]


def test_the_target_reaches_an_executable_as_data(tmp_path: Path) -> None:
    """What a user names is never part of a command line."""
    seen = tmp_path / "seen"
    path = program(tmp_path / "d", "look", f"echo $# > {seen}; cat >/dev/null")
    run_check(
        path,
        target=parse("https://a.example/$(touch%20x)"),
        addresses=ADDRESSED,
        connections=CONNECTED,
    )
    assert seen.read_text() == "0\n"
    assert external.MAX_OUTPUT <= 1 << 20


def test_what_reports_call_a_target_is_no_name_of_a_check(tmp_path: Path) -> None:
    """Its results would not be told from what is said of the whole."""
    path = program(tmp_path, "ipv6", "echo fine")
    with pytest.raises(PluginError, match="is what reports call a target as a whole"):
        load([path.parent])


# --- versions --------------------------------------------------------------------------------


def test_a_check_declares_its_version(tmp_path: Path) -> None:
    """It is 1 where nobody raised it, and in every result and in the catalogue where one did."""
    (tmp_path / "stricter.py").write_text(
        '"""Why."""\nfrom ipv6check import check, ok\n\n\n@check(cause="dns", version=2)\n'
        'def stricter():\n    """It is."""\n    return ok("fine")\n'
    )
    versions = {check.id: check.version for check in load([tmp_path]).checks}
    assert (versions["stricter"], versions["tcp"]) == (2, 1)
    report = examine("a.example", FakeNet(), only={"stricter"}, directories=[tmp_path])
    assert [result.check_version for result in report.results] == [2]
    catalogue = json.loads(document([tmp_path]))["checks"]
    assert {entry["id"]: entry["version"] for entry in catalogue} == versions


@pytest.mark.parametrize("version", [0, -1])
def test_versions_begin_at_one(tmp_path: Path, version: int) -> None:
    """What is no version is refused before anything runs."""
    (tmp_path / "a.py").write_text(
        f'"""Why."""\nfrom ipv6check import check\n\n\n@check(cause="dns", version={version})\n'
        'def a():\n    """It is."""\n'
    )
    with pytest.raises(PluginError, match=rf"a.py:5: ValueError: version is {version}, and"):
        load([tmp_path])
