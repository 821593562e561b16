"""What list prints, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from ipv6check.commands import list as list_
from ipv6check.commands import schema
from ipv6check.config.profiles import PROFILES
from ipv6check.engine.checks import loader
from ipv6check.reports.formats import format_names

NAMES = [check.id for check in loader.load().checks]


def document(*directories: Path) -> dict[str, Any]:
    """The catalogue as a program reads it, which meets the schema."""
    read: dict[str, Any] = json.loads(list_.document(directories))
    whole = json.loads(schema.text())
    Draft202012Validator({"$ref": "#/$defs/catalogue", "$defs": whole["$defs"]}).validate(read)
    Draft202012Validator(whole).validate(read)
    return read


def test_the_catalogue_holds_what_the_files_tell(directory: Path) -> None:
    """A program reads of a check what a person reads."""
    checks = {check["id"]: check for check in document(directory)["checks"]}
    assert list(checks) == sorted([*NAMES, "mine", "silent", "program"])
    assert checks["mine"] == {
        "id": "mine",
        "version": 1,
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
    assert tuple(told["formats"]) == format_names()
    profiles = {profile["name"]: profile for profile in told["profiles"]}
    assert list(profiles) == list(PROFILES)
    assert profiles["mail"]["ports"] == [25]
    assert profiles["mail"]["severity"] == {"ptr": "fail"}
    assert "ptr" in profiles["mail"]["required"]
    assert {"fallback", "ping"} <= set(profiles["mail"]["checks"])
    assert not {"fallback", "ping"} & set(profiles["mail"]["required"])
    assert profiles["host"]["checks"] == ["firewall", "host", "listeners"]
