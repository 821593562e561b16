"""docs/options.md: the options of ``check`` and the keys of the file, from their declarations."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ipv6check.commands import app
from ipv6check.config.options import OPTIONS, Option
from ipv6check.config.schema import config_schema
from ipv6check.config.sources import PREFIX
from ipv6check.reports.formats import format_names
from tests import installed
from tests.docs import code, table

# What belongs to one call, and so can stand in no file.
COMMAND_LINE_ALONE = """### On the command line alone

| option | what it does | default | variable |
| --- | --- | --- | --- |
| `-i`, `--input FILE` | Read targets from FILE too, one a line (- for standard input). | none |  |
| `--debug` | Log each exchange of packets to standard error. | off | `IPV6CHECK_DEBUG` |
| `-h`, `--help` | Show the help. |  |  |"""


def of_check() -> str:
    """The options of ``check`` in the groups of its help: flag, variable and key."""
    panels = dict.fromkeys(option.panel for option in OPTIONS.values())
    of_panels = [f"### {panel}\n\n{_panel(panel)}" for panel in panels]
    return "\n\n".join([*of_panels, COMMAND_LINE_ALONE])


def _panel(panel: str) -> str:
    rows = [_row(name, option) for name, option in OPTIONS.items() if option.panel == panel]
    return table(["option", "what it does", "default", "variable", "key"], rows)


def _row(name: str, option: Option) -> list[str]:
    flag = f"--{name} {option.metavar}".rstrip()
    repeatable = " Repeatable." if option.join is not None else ""
    return [
        code(filter(None, (option.short, flag))),
        option.help + repeatable,
        option.default_text or ("off" if option.kind == "boolean" else "none"),
        f"`{variable(name)}`",
        f"`{name}`" if option.in_file else "",
    ]


def variable(name: str) -> str:
    """The variable of an option."""
    return PREFIX + name.replace("-", "_").upper()


def of_commands() -> str:
    """The help of every other command."""
    return "\n\n".join(_help(name) for name in app.COMMANDS if name != "check")


def _help(name: str) -> str:
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONUTF8": "1"}
    done = installed.run(name, "--help", env=environment)
    done.check_returncode()
    lines = [line.rstrip() for line in done.stdout.strip("\n").splitlines()]
    return "\n".join([f"### ipv6check {name}", "", "```text", *lines, "```"])


def of_service() -> str:
    """The keys of ``[service.NAME]``."""
    return _keys(_schema()["service"]["additionalProperties"])


def of_waiver() -> str:
    """The keys of ``[[waiver]]``."""
    return _keys(_schema()["waiver"]["items"])


def _schema() -> Any:
    return config_schema(format_names())["properties"]


def _keys(described: Mapping[str, Any]) -> str:
    needed = described.get("required", ())
    rows = [
        [f"`{key}`", "yes" if key in needed else "", value["description"], code(_choices(value))]
        for key, value in described["properties"].items()
    ]
    return table(["key", "required", "what it says", "one of"], rows)


def _choices(value: Mapping[str, Any]) -> list[str]:
    return [*value.get("enum", value.get("additionalProperties", {}).get("enum", ()))]
