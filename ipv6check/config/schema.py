"""The JSON Schema of ``ipv6check.toml``, for editors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ipv6check.config.options import OPTIONS, Bounds, Option
from ipv6check.config.profiles import PROFILES
from ipv6check.config.services import DAY, IPV6, MAX_TEXT, NAME, SEVERITIES, VANTAGES


def config_schema(formats: Sequence[str]) -> dict[str, Any]:
    """JSON Schema, draft 7 as editors know it, of the configuration: from the options themselves.

    A value may still be refused that it lets pass: that a name is a host, a path can be written.
    """
    port = {"type": "integer", "minimum": 1, "maximum": 65535}

    def option(name: str, described: Option) -> dict[str, Any]:
        one: dict[str, Any] = {"type": described.kind}
        if described.choices:
            one["enum"] = [*described.choices]
        if name == "format":
            one["enum"] = [*formats]
        if name == "port":
            one = port
        if isinstance(described.read, Bounds):
            least = "exclusiveMinimum" if described.read.above else "minimum"
            one |= {least: described.read.low, "maximum": described.read.high}
        value = one if described.join is None else _one_or_many(one)
        return {"description": described.help, **value}

    line = {"type": "string", "maxLength": MAX_TEXT, "pattern": r"^[^\x00-\x1f\x7f]*$"}
    needed = {**line, "pattern": r"^[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f\s][^\x00-\x1f\x7f]*$"}
    day = {"type": "string", "format": "date", "pattern": f"^{DAY}$"}
    named = {"type": "string", "pattern": r"^\S+$"}
    service = _table(
        "What a team runs and answers for.",
        {
            "targets": _list("Names, addresses or URLs.", named, minItems=1, uniqueItems=True),
            "ports": _list("Ports to check, instead of those of [check].", port),
            "profile": {"description": "What is expected.", "enum": [*PROFILES]},
            "owner": {"description": "Whose it is.", **line},
            "severity": {
                "description": "By check, what becomes of its findings.",
                "type": "object",
                "additionalProperties": {"enum": [*SEVERITIES]},
            },
            "vantage": {
                "description": "What the host that checks must have for the verdict to count.",
                "enum": [*VANTAGES],
            },
            "ipv6": {
                "description": "none: it has no IPv6, on purpose; with reason and review.",
                "enum": [*IPV6],
            },
            "reason": {"description": "Why it has no IPv6.", **needed},
            "review": {"description": "The day to look again.", **day},
        },
        ["targets"],
    )
    waiver = _table(
        "A finding that may stay until a day.",
        {
            "check": {"description": "The name of the check.", **needed},
            "target": {"description": "A target or a host, * and ? stand for any.", **needed},
            "subject": {"description": "The subject of the finding alone.", **line},
            "reason": {"description": "Why it may stay.", **needed},
            "owner": {"description": "Who decided.", **needed},
            "expires": {"description": "Its last day, in UTC.", **day},
        },
        ["check", "target", "reason", "owner", "expires"],
    )
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
                "additionalProperties": service,
            },
            "waiver": {"type": "array", "items": waiver},
        },
        "additionalProperties": False,
    }


def _table(about: str, keys: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    return {
        "description": about,
        "type": "object",
        "properties": {**keys},
        "required": [*required],
        "additionalProperties": False,
    }


def _list(about: str, items: Mapping[str, Any], **more: int) -> dict[str, Any]:
    return {"description": about, "type": "array", "items": {**items}, **more}


def _one_or_many(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{**one}, {"type": "array", "items": {**one}}]}
