"""docs/checks.md: the checks, findings and profiles, as ``ipv6check list`` has them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from tests import installed
from tests.docs import code, table

HEADS = ("finding", "status", "meaning")


@cache
def catalogue() -> Any:
    """What ``list --format json`` prints."""
    done = installed.run("list", "--format", "json")
    done.check_returncode()
    return json.loads(done.stdout)


def checks() -> str:
    """Every check in a line."""
    rows = [
        [
            f"[`{check['id']}`](#{check['id']})",
            check["about"],
            f"[{check['reference']}]({check['url']})",
        ]
        for check in catalogue()["checks"]
    ]
    return table(["check", "passes when", "reference"], rows)


def profiles() -> str:
    """Every profile in a line."""
    rows = []
    for profile in catalogue()["profiles"]:
        optional = [name for name in profile["checks"] if name not in profile["required"]]
        severity = ["every warning" if name == "*" else f"`{name}`" for name in profile["severity"]]
        rows.append(
            [
                f"`{profile['name']}`",
                profile["about"],
                ", ".join(map(str, profile["ports"])) or "every port that listens",
                code(profile["required"]),
                code(optional),
                ", ".join(severity),
            ]
        )
    heads = ["profile", "for", "ports", "required checks", "optional checks", "warnings that fail"]
    return table(heads, rows)


def findings() -> str:
    """Every finding of every check."""
    return "\n\n".join(_section(check) for check in catalogue()["checks"])


def _section(check: Mapping[str, Any]) -> str:
    name = check["id"]
    page = f"../checks.d/{name}.md"
    rows = [
        [
            f"[`{finding['id']}`]({page}#{finding['id']})",
            code(finding["statuses"]),
            _sentence(finding["what"]),
        ]
        for finding in check["findings"]
    ]
    inputs = ", ".join(f"[`{needed}`](inputs.md#input-{needed})" for needed in check["inputs"])
    about = f"{check['about']} Explanations and fixes: [checks.d/{name}.md]({page})."
    return f"### {name}\n\n{about} Inputs: {inputs}.\n\n{table(HEADS, rows)}"


def _sentence(paragraph: str) -> str:
    """Its first sentence, or the part of it that stands by itself."""
    first = re.split(r"(?<=[.:;])\s", " ".join(paragraph.split()), maxsplit=1)[0]
    return first.rstrip(".:;") + "."
