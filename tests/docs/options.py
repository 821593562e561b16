"""docs/options.md: the options of ``check`` from their declarations, the rest from the commands."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Mapping
from typing import Any

from ipv6check.commands import main
from ipv6check.config import options
from ipv6check.config.options import OPTIONS, Options
from ipv6check.config.schema import config_schema
from ipv6check.model import Profile
from ipv6check.reports.formats import formats
from tests.docs import COMMAND, code, table

# How options.md words a default that depends on something else.
COMPUTED = {
    "deadline": "five times `--timeout` for each attempt",
    "run-deadline": "none",
    "port": "the profile's ports",
    "only": "the profile's checks",
    "nameserver": "those of the system",
    "control": "three root name servers",
    "connection-attempt-delay": "250",
    "resolution-delay": "50",
    "config": "`ipv6check.toml`, if there is one",
}


def of_check() -> str:
    """The options of ``check``: every flag, with its variable and its key."""
    rows = []
    for name, option in OPTIONS.items():
        flag = f"`--{name} {option.metavar}`" if option.metavar else f"`--{name}`"
        short = f"`{main.SHORT[name]}`, " if name in main.SHORT else ""
        rows.append(
            [
                short + flag,
                option.help,
                _default(name),
                f"`{options.PREFIX}{name.replace('-', '_').upper()}`",
                f"`{name}`" if option.in_file else "",
            ]
        )
    return table(["option", "what it does", "default", "variable", "key"], rows)


def _default(name: str) -> str:
    """How a reader would write it."""
    if name in COMPUTED:
        return COMPUTED[name]
    defaults = {field.name: field for field in dataclasses.fields(Options)}
    field = defaults[name.replace("-", "_")]
    value: Any = field.default
    if callable(field.default_factory):
        value = field.default_factory()
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or (isinstance(value, tuple | frozenset | Mapping) and not value):
        return "none"
    if isinstance(value, Profile):
        return f"`{value.name}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def of_commands() -> str:
    """The help of every other command."""
    return "\n\n".join(_help(name) for name in main.COMMANDS if name != "check")


def _help(name: str) -> str:
    command = [*COMMAND, name, "--help"]
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONUTF8": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=30, env=environment
    )
    lines = [line.rstrip() for line in done.stdout.strip("\n").splitlines()]
    return "\n".join([f"### ipv6check {name}", "", "```text", *lines, "```"])


def of_service() -> str:
    """The keys of ``[service.NAME]``."""
    return _keys(_schema()["service"]["additionalProperties"])


def of_waiver() -> str:
    """The keys of ``[[waiver]]``."""
    return _keys(_schema()["waiver"]["items"])


def _schema() -> Any:
    return config_schema(formats())["properties"]


def _keys(described: Mapping[str, Any]) -> str:
    needed = described.get("required", ())
    rows = [
        [f"`{key}`", "yes" if key in needed else "", value["description"], code(_choices(value))]
        for key, value in described["properties"].items()
    ]
    return table(["key", "required", "what it says", "one of"], rows)


def _choices(value: Mapping[str, Any]) -> list[str]:
    return [*value.get("enum", value.get("additionalProperties", {}).get("enum", ()))]
