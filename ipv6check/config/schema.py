"""The JSON Schema of ``ipv6check.toml``, for editors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ipv6check.config.options import OPTIONS, Bounds, Option
from ipv6check.config.services import NAME, PORT, SERVICE_KEYS, WAIVER_KEYS, Key


def config_schema(formats: Sequence[str]) -> dict[str, Any]:
    """JSON Schema, draft 7 as editors know it, of the configuration: from the options themselves.

    A value may still be refused that it lets pass: that a name is a host, a path can be written.
    """

    def option(name: str, described: Option) -> dict[str, Any]:
        one: dict[str, Any] = {"type": described.kind}
        if described.choices:
            one["enum"] = [*described.choices]
        if name == "format":
            one["enum"] = [*formats]
        if name == "port":
            one = PORT
        if isinstance(described.read, Bounds):
            least = "exclusiveMinimum" if described.read.above else "minimum"
            one |= {least: described.read.low, "maximum": described.read.high}
        value = one if described.join is None else _one_or_many(one)
        return {"description": described.help, **value}

    options = {name: option(name, each) for name, each in OPTIONS.items() if each.in_file}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "ipv6check.toml",
        "type": "object",
        "properties": {
            "check": _table("The options of ipv6check check.", options, []),
            "service": {
                "description": "What is checked where no target is named.",
                "type": "object",
                "propertyNames": {"pattern": f"^{NAME}$"},
                "additionalProperties": _table_of("What a team runs.", SERVICE_KEYS),
            },
            "waiver": {
                "type": "array",
                "items": _table_of("A finding that is accepted until a day.", WAIVER_KEYS),
            },
        },
        "additionalProperties": False,
    }


def _table_of(about: str, keys: Mapping[str, Key]) -> dict[str, Any]:
    properties = {name: {"description": key.about, **key.schema} for name, key in keys.items()}
    return _table(about, properties, [name for name, key in keys.items() if key.required])


def _table(about: str, keys: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    return {
        "description": about,
        "type": "object",
        "properties": {**keys},
        "required": [*required],
        "additionalProperties": False,
    }


def _one_or_many(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{**one}, {"type": "array", "items": {**one}}]}
