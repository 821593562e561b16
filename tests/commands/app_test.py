"""The command line as typer has it: its commands, its options, its help and its errors."""

from __future__ import annotations

import inspect
import logging
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperOption

from ipv6check.commands import app, check, debug, race, run
from ipv6check.commands import main as cli
from ipv6check.config.options import OPTIONS, Options
from ipv6check.config.sources import load
from ipv6check.reports.formats import format_names
from tests import installed

COMMAND = str(Path(sys.executable).with_name("ipv6check"))


def command(name: str) -> Any:
    """A command as it is dispatched."""
    root = typer.main.get_command(app.app)
    assert isinstance(root, app.Commands)
    return root.get_command(None, name)


def printed(*arguments: str, **variables: str) -> str:
    """What the installed command prints, to whichever stream."""
    ended = installed.run(*arguments, env={**os.environ, "COLUMNS": "80", **variables})
    assert "Traceback" not in ended.stderr
    return ended.stdout + ended.stderr


@pytest.mark.parametrize("name", app.COMMANDS)
def test_a_command_does_what_the_help_says(name: str) -> None:
    """What the list of commands says of one is how its own help begins, or shorter."""
    said = app.COMMANDS[name][1].rstrip(".").split()
    own = command(name).help.split()
    assert said[:2] == own[:2]


@pytest.mark.parametrize("name", ["", *app.COMMANDS])
def test_the_help_fits_a_terminal(name: str) -> None:
    """In 80 columns no line is longer, nothing is cut, and no name of a type stands for a value."""
    text = printed(*filter(None, [name]), "--help")
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "..." not in text.replace("]...", "")
    assert re.search(r"<\w+>|list\[|\{\w+\}|\]\.\.\.\]|--no-internal", text) is None
    assert "Show this message and exit." in text


def test_the_help_shows_defaults_and_choices() -> None:
    """Of each option that has one; the formats; and examples that the program takes."""
    text = " ".join(printed("check", "--help").split())
    for default in ("3", "128", "web", "rfc8305", "fail", "table"):
        assert f"[default: {default}]" in text
    assert ", ".join(format_names()) in text
    assert text.partition("Examples:")[2].count("ipv6check ") == 5


def test_the_parameters_of_check_are_the_options() -> None:
    """Each declared option is a parameter of the function, and no other but what is no option."""
    names = [*inspect.signature(check.check).parameters]
    assert [name for name in names if name not in {"targets", "input", "debug"}] == [
        name.replace("-", "_") for name in OPTIONS
    ]


@pytest.mark.parametrize("module", [check, race])
def test_an_option_is_declared_once(module: Any) -> None:
    """Flag, metavar and help of each are those of its declaration."""
    for param in typer.main.get_command(module.app).params:
        if (declared := OPTIONS.get(str(param.name).replace("_", "-"))) is not None:
            assert f"--{str(param.name).replace('_', '-')}" in param.opts
            assert isinstance(param, TyperOption)
            assert str(param.help).startswith(declared.help.rstrip("."))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--nope"], "no such option: --nope; see ipv6check check --help"),
        (["x", "--tiemout", "3"], "no such option: --tiemout; did you mean --timeout?"),
        (["list", "--cheks-dir=x"], "no such option: --cheks-dir; did you mean --checks-dir?"),
        (["-x"], "no such option: -x; see ipv6check check --help"),
        (["x", "--port"], "option '--port' requires an argument; see ipv6check check --help"),
        (["diff", "a"], "missing argument 'NEW'; see ipv6check diff --help"),
        (["list", "x"], "got unexpected extra argument(s) (x); see ipv6check list --help"),
        (["race"], "missing argument 'TARGET'; see ipv6check race --help"),
    ],
)
def test_a_usage_error_says_what_was_meant(arguments: list[str], line: str) -> None:
    """One line, with the option that is nearest or where the help is."""
    assert printed(*arguments) == f"ipv6check: {line}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nope", "-f", "nagios"],
        ["--quiet=1", "-fnagios"],
        ["-qf", "nagios", "99:99:99"],
        ["x", "--format=nagios", "--port"],
        ["x", "--timeout", "soon", "--format", "nagios"],
        ["check", "-f", "nagios"],
    ],
)
def test_a_monitoring_system_hears_of_a_usage_error(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plugin's UNKNOWN, with its line on standard output, wherever the format stands."""
    monkeypatch.chdir(tmp_path)
    ended = installed.run(*arguments)
    assert ended.returncode == 3
    assert ended.stdout.startswith("IPV6CHECK UNKNOWN")
    assert ended.stderr.startswith("ipv6check: ")


def test_options_are_given_to_another_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What options become as arguments, the command line reads as the same options."""
    monkeypatch.chdir(tmp_path)
    seen: list[Options] = []
    monkeypatch.setattr(run, "check", lambda options, *_: seen.append(options))
    flags = {
        "port": ["443", "80"],
        "resolve": ["h:443:[::1],192.0.2.1"],
        "save": ["json=a"],
        "timeout": "0.5",
        "profile": "mail",
        "control": ["[2001:db8::1]:25"],
        "internal": True,
    }
    options = load(flags, {"IPV6CHECK_SKIP": "ping"}, tmp_path, format_names())
    app.run(["check", "a.example", *options.to_argv()])
    assert seen == [options]


def test_a_defect_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 4; the traceback is there for who wants it."""

    def broken(*_: object) -> int:
        raise ZeroDivisionError("evil\x1b[31m")

    monkeypatch.setattr(run, "check", broken)
    monkeypatch.setattr(sys, "argv", ["ipv6check", "::1"])
    for variable, last in (("", "for the traceback, and report it\n"), ("1", "evil\\x1b[31m\n")):
        monkeypatch.setenv("IPV6CHECK_DEBUG", variable)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert (ended.value.code, said.out) == (4, "")
        assert ("Traceback" in said.err) is bool(variable)
        assert said.err.endswith(last)
        assert "ipv6check: internal error: ZeroDivisionError" in said.err


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("ipv6check fi", {"firewall"}),
        ("ipv6check check --prof", {"--profile"}),
        ("ipv6check x.example --format nag", {"nagios"}),
        ("ipv6check explain tl", {"tls"}),
        ("ipv6check schema o", {"output", "observations"}),
    ],
)
def test_completion(words: str, offered: set[str]) -> None:
    """Commands, options, and the values of those that have few."""
    last = str(len(words.split()) - 1)
    variables = {"_IPV6CHECK_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": last}
    assert set(printed(**variables).split()) == offered


@pytest.mark.parametrize("command", ["check", "race"])
@pytest.mark.parametrize("variable", ["", "1"])
def test_each_exchange_is_logged(command: str, variable: str) -> None:
    """With the option or the variable: a line on standard error for each."""
    arguments = [command, "localhost:9", "--internal", *([] if variable else ["--debug"])]
    ended = installed.run(
        *arguments,
        env={**os.environ, "IPV6CHECK_DEBUG": variable, "IPV6CHECK_NO_CONTROLS": "1"},
    )
    assert re.search(r"^ *[0-9.]+ ms  .*127\.0\.0\.1", ended.stderr, re.MULTILINE), ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_is_logged_holds_no_control_character() -> None:
    """Whatever a library puts into its message."""
    record = logging.LogRecord("ipv6check.net", logging.DEBUG, "", 0, "evil\x1b[31m\nx", (), None)
    assert debug._Lines().format(record).endswith("evil\\x1b[31m\\x0ax")
