"""The JSON Schema of ``ipv6check.toml``, for editors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ipv6check.config.options import OPTIONS, Option
from ipv6check.config.readers import Bounds
from ipv6check.config.services import NAME, PORT, SERVICE_KEYS, WAIVER_KEYS, Key


def config_schema(formats: Sequence[str]) -> dict[str, Any]:
    """JSON Schema, draft 7 as editors know it, of the configuration: from the options themselves.

    A value that it accepts may still be refused: that a name is a host, that a path can be written.
    """
    options = {
        name: Key(option.help, _shape(option, formats if name == "format" else option.choices))
        for name, option in OPTIONS.items()
        if option.in_file
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "ipv6check.toml",
        "type": "object",
        "properties": {
            "check": _table("The options of ipv6check check.", options),
            "service": {
                "description": "What is checked where no target is named.",
                "type": "object",
                "propertyNames": {"pattern": f"^{NAME}$"},
                "additionalProperties": _table("What a team runs.", SERVICE_KEYS),
            },
            "waiver": {
                "type": "array",
                "items": _table("A finding that is accepted until a day.", WAIVER_KEYS),
            },
        },
        "additionalProperties": False,
    }


def _shape(option: Option, choices: Sequence[str]) -> dict[str, Any]:
    """The schema of an option's value."""
    shape: dict[str, Any] = {"type": option.kind}
    if choices:
        shape["enum"] = [*choices]
    if isinstance(option.read, Bounds):
        least = "exclusiveMinimum" if option.read.above else "minimum"
        shape |= {least: option.read.low, "maximum": option.read.high}
    if option is OPTIONS["port"]:
        shape = PORT
    return shape if option.join is None else {"anyOf": [shape, {"type": "array", "items": shape}]}


def _table(about: str, keys: Mapping[str, Key]) -> dict[str, Any]:
    return {
        "description": about,
        "type": "object",
        "properties": {
            name: {"description": key.about, **key.schema} for name, key in keys.items()
        },
        "required": [name for name, key in keys.items() if key.required],
        "additionalProperties": False,
    }
