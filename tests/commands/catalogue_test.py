"""What list and explain print: of our own checks, and of anybody's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ipv6check.commands import catalogue, schema
from ipv6check.config.profiles import PROFILES
from ipv6check.engine.checks import loader
from ipv6check.engine.checks.loader import PluginError
from ipv6check.reports.formats import formats

CHECKS = loader.load().checks
NAMES = [check.id for check in CHECKS]
PRIVATE = '''"""It is so.

One paragraph
of two lines.

    a picture

https://www.rfc-editor.org/rfc/rfc1

"""
from ipv6check import Explained, Finding, check, ok

FINDINGS = (
    Explained(
        "shut", "fail warn", "It is shut.", "Open it.", {"nginx": "one;\\ntwo;", "Go": "x"}
    ),
    Explained("fine", "pass", "It is well."),
)

@check(reference="RFC 1", cause="dns", findings=FINDINGS)
def mine() -> Finding:
    """It is so."""
    return ok("x", id="fine")
'''


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a check that explains its findings, one that does not, and a program."""
    (tmp_path / "mine.py").write_text(PRIVATE)
    silent = PRIVATE.replace(", findings=FINDINGS", "").replace(', id="fine"', "")
    (tmp_path / "silent.py").write_text(silent)
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho fine\n")
    program.chmod(0o755)
    return tmp_path


def document(*directories: Path) -> dict[str, Any]:
    """The catalogue as a program reads it, which meets the schema."""
    read: dict[str, Any] = json.loads(catalogue.document(directories))
    whole = json.loads(schema.text())
    Draft202012Validator({"$ref": "#/$defs/catalogue", "$defs": whole["$defs"]}).validate(read)
    Draft202012Validator(whole).validate(read)
    return read


def test_a_check_is_explained_in_order(directory: Path) -> None:
    """What it checks, why, each finding with its mend and its lines, inputs, file, reference."""
    assert (
        catalogue.explanation("mine", [directory])
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
    assert catalogue.explanation("mine/shut", [directory]) == (
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
        catalogue.explanation(name, [directory])
    assert str(caught.value) == says


def test_a_check_without_explanations_is_explained_all_the_same(directory: Path) -> None:
    """Private checks need no table, and programs cannot have one."""
    assert "Findings" not in catalogue.explanation("silent", [directory])
    told = catalogue.explanation("program", [directory])
    assert told.startswith("program: What the program program says.\n\nJudges: addresses")


@pytest.mark.parametrize("name", NAMES)
def test_our_checks_fit_a_terminal(name: str) -> None:
    """No line is longer than 80 columns, and no character needs more than ASCII."""
    text = catalogue.explanation(name).replace(str(loader.shipped_directory()), "checks.d")
    assert [line for line in text.splitlines() if len(line) > 80 or line != line.rstrip()] == []
    assert text.isascii()


@pytest.mark.parametrize("check", CHECKS, ids=NAMES)
def test_each_finding_of_ours_can_be_asked_for(check: loader.Check) -> None:
    """What the table of one check shows is what is shown of the finding alone, indented."""
    whole = catalogue.explanation(check.id)
    for each in check.findings:
        alone = catalogue.explanation(f"{check.id}/{each.id}")
        assert alone.startswith(f"{each.id} (")
        assert f"\n  {each.id} (" in whole


def test_the_catalogue_holds_what_the_files_tell(directory: Path) -> None:
    """A program reads of a check what a person reads."""
    checks = {check["id"]: check for check in document(directory)["checks"]}
    assert list(checks) == sorted([*NAMES, "mine", "silent", "program"])
    assert checks["mine"] == {
        "id": "mine",
        "about": "It is so.",
        "why": "One paragraph of two lines.\n\n    a picture",
        "reference": "RFC 1",
        "url": "https://www.rfc-editor.org/rfc/rfc1",
        "cause": "dns",
        "inputs": [],
        "file": f"{directory}/mine.py",
        "findings": [
            {
                "id": "shut",
                "statuses": ["fail", "warn"],
                "what": "It is shut.",
                "mend": "Open it.",
                "examples": {"nginx": "one;\ntwo;", "Go": "x"},
            },
            {
                "id": "fine",
                "statuses": ["pass"],
                "what": "It is well.",
                "mend": "",
                "examples": {},
            },
        ],
    }
    assert checks["silent"]["findings"] == checks["program"]["findings"] == []


def test_the_catalogue_holds_profiles_and_formats() -> None:
    """Of a profile: ports, the checks that it runs, whose unknown counts, what a warn becomes."""
    told = document()
    assert tuple(told["formats"]) == formats()
    profiles = {profile["name"]: profile for profile in told["profiles"]}
    assert list(profiles) == list(PROFILES)
    assert profiles["mail"]["ports"] == [25]
    assert profiles["mail"]["severity"] == {"ptr": "fail"}
    assert "ptr" in profiles["mail"]["required"]
    assert {"fallback", "ping"} <= set(profiles["mail"]["checks"])
    assert not {"fallback", "ping"} & set(profiles["mail"]["required"])
    assert profiles["host"]["checks"] == ["firewall", "host", "listeners"]


def test_a_root_cause_is_explained_by_whoever_tells_it() -> None:
    """Where aaaa is left out, a report says tcp/no-aaaa."""
    assert catalogue.explanation("tcp/no-aaaa") == catalogue.explanation("aaaa/no-aaaa")
