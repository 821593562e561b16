"""The README says what the program does: its generated parts, its commands, its numbers."""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Iterator, Sequence

import pytest

from ipv6check.commands import demo_servers, main
from ipv6check.config import options
from ipv6check.config.profiles import PROFILES
from ipv6check.config.target import parse
from ipv6check.engine.checks import loader
from ipv6check.model import Cause, Status, Verdict
from ipv6check.net import icmp
from ipv6check.reports import formats
from tests import readme

RENEW = "renew it: python -m tests.readme"
TIME = re.compile(r"<?[0-9.]+ m?s\b")
PORT = re.compile(r"\b[0-9]{4,5}\b")
SHELL = re.compile(r"```(?:sh|yaml)\n(.*?)```", re.DOTALL)
CALL = re.compile(r"\bipv6check (?!\|)([^#|\n]*)")
COMMON = {"--help", "--version", "--input", "-i", "-h"}
OF_FIREWALL = {"--packet", "--packets", "--iif", "--from", "--to", "--forward"}


def blocks(text: str) -> list[list[str]]:
    """The words of each target's lines, sorted: other numbers may break lines elsewhere."""
    plain = PORT.sub("PORT", TIME.sub("TIME", text))
    return [sorted(block.split()) for block in re.split(r"\n(?! )", plain)]


def calls() -> Iterator[list[str]]:
    """The arguments of each call of ipv6check in the README's code."""
    for code in SHELL.findall(readme.text()):
        for found in CALL.findall(code):
            arguments = shlex.split(found.partition(" && ")[0])
            if arguments and not found.startswith("path:"):
                yield arguments


def test_the_table_of_checks_is_up_to_date() -> None:
    """The README lists the checks that there are, in their own words."""
    assert readme.table_of_checks() == readme.part("checks"), RENEW


def test_the_demo_is_up_to_date() -> None:
    """The README shows what the demo prints, times, ports and line breaks aside."""
    if not demo_servers.has_ipv6():
        pytest.skip("this machine has no IPv6 loopback address")
    try:
        icmp._open(socket.AF_INET6).close()
    except PermissionError:
        pytest.skip(f"without ping the demo says less: {icmp.GRANT}")
    assert blocks(readme.demo()) == blocks(readme.part("demo")), RENEW


def test_it_is_short() -> None:
    """A newcomer reads it to the end."""
    assert readme.text().count("\n") < 150


@pytest.mark.parametrize("words", [Status, Verdict, Cause, formats.formats()])
def test_every_word_is_named(words: Sequence[str]) -> None:
    """No status, verdict, cause or format is left out."""
    assert [word for word in words if f"`{word}`" not in readme.text()] == []


def test_there_are_calls_to_look_at() -> None:
    """The tests below find the README's commands."""
    assert len(list(calls())) >= 10


@pytest.mark.parametrize("arguments", list(calls()), ids=shlex.join)
def test_every_call_is_one_that_the_program_takes(arguments: list[str]) -> None:
    """Options, commands, profiles and targets in the README's commands exist."""
    flags = (
        {f"--{name}" for name in options.OPTIONS}
        | {option.short for option in options.OPTIONS.values()}
        | COMMON
    )
    flags |= OF_FIREWALL if arguments[0] == "firewall" else set()
    assert {each for each in arguments if each.startswith("-")} <= flags
    if arguments[0] == "explain":
        assert loader.load(only=arguments[1:]).checks
    elif arguments[0] not in main.COMMANDS and not arguments[0].startswith("-"):
        parse(arguments[0])
    if "--profile" in arguments:
        assert arguments[arguments.index("--profile") + 1] in PROFILES
