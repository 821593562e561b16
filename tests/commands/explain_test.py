"""What explain prints of our own checks, and of anybody's."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from ipv6check.commands import explain
from ipv6check.engine.checks import loader
from ipv6check.engine.checks.api import Check, PluginError

CHECKS = loader.load().checks
NAMES = [check.id for check in CHECKS]


def test_a_check_is_explained_in_order(directory: Path) -> None:
    """What it checks, why, each finding with its mend and its lines, inputs, file, reference."""
    assert (
        explain.explanation("mine", [directory])
        == f"""mine: It is so.

One paragraph of two lines.

    a picture

Findings:

  shut (fail or warn)
    It is shut.
    Fix: Open it.
      nginx  one;
             two;
      Go     x

  fine (pass)
    It is well.

File: {directory}/mine.py
Reference: RFC 1
Online: https://www.rfc-editor.org/rfc/rfc1
"""
    )


def test_one_finding_is_explained_alone(directory: Path) -> None:
    """Its name is the check's, a slash and its own."""
    assert explain.explanation("mine/shut", [directory]) == (
        "shut (fail or warn)\n"
        "  It is shut.\n"
        "  Fix: Open it.\n"
        "    nginx  one;\n"
        "           two;\n"
        "    Go     x\n"
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mine/shot", '"shot" is not a finding of mine; did you mean "shut"?'),
        ("mine/xyzzy", '"xyzzy" is not a finding of mine; there are: fine, shut'),
        ("silent/shut", '"shut" is not a finding of silent, which explains none'),
        ("mine/shut/x", '"shut/x" is not a finding of mine; did you mean "shut"?'),
        ("mien/shut", '"mien" is not a check; did you mean "mine"?'),
    ],
)
def test_what_does_not_exist_is_refused(directory: Path, name: str, says: str) -> None:
    """One line says what was meant, or what there is."""
    with pytest.raises(PluginError) as caught:
        explain.explanation(name, [directory])
    assert str(caught.value) == says


def test_a_check_without_explanations_is_explained_all_the_same(directory: Path) -> None:
    """Private checks need no table, and programs cannot have one."""
    assert "Findings" not in explain.explanation("silent", [directory])
    told = explain.explanation("program", [directory])
    assert told.startswith("program: What the program program says.\n\nJudges: addresses")


@pytest.mark.parametrize("name", NAMES)
def test_our_checks_fit_a_terminal(name: str) -> None:
    """No line is longer than 80 columns, and no character needs more than ASCII."""
    text = explain.explanation(name).replace(str(loader.shipped_directory()), "checks.d")
    assert [line for line in text.splitlines() if len(line) > 80 or line != line.rstrip()] == []
    assert text.isascii()


@pytest.mark.slow(after=2)
@pytest.mark.parametrize("check", CHECKS, ids=NAMES)
def test_each_finding_of_ours_can_be_asked_for(check: Check) -> None:
    """What the table of one check shows is what is shown of the finding alone, indented."""
    whole = explain.explanation(check.id)
    for finding in check.findings:
        alone = explain.explanation(f"{check.id}/{finding.id}")
        assert alone.startswith(f"{finding.id} (")
        assert f"\n  {finding.id} (" in whole


def test_a_root_cause_is_explained_by_whoever_tells_it() -> None:
    """Where aaaa is left out, a report says tcp/no-aaaa."""
    assert explain.explanation("tcp/no-aaaa") == explain.explanation("aaaa/no-aaaa")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """It is."""
        return True


def shown(name: str, *directories: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a terminal of 80 columns gets, without its colours."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal()
    explain.show(name, directories, stream)
    return re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())


def test_a_terminal_gets_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headings, code and all; a link is the name of what to explain next."""
    text = shown("tcp/prohibited", monkeypatch=monkeypatch)
    assert "Status: fail" in text
    assert "see filtered for how" in text.replace("\n", " ")
    assert "#" not in text
    whole = shown("tcp", monkeypatch=monkeypatch)
    assert "prohibited" in whole
    assert "listen [::]:443 ssl;" in whole


def test_what_has_no_page_is_plain_everywhere(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private check that explains in its file looks the same in a terminal."""
    for name in ("mine", "mine/shut"):
        assert shown(name, directory, monkeypatch=monkeypatch) == explain.explanation(
            name, [directory]
        )


def test_a_pipe_gets_plain_text() -> None:
    """No Markdown and no colours."""
    stream = io.StringIO()
    explain.show("tcp/prohibited", (), stream)
    assert stream.getvalue() == explain.explanation("tcp/prohibited")
