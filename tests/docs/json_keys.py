"""docs/json.md: the keys of every document, from the JSON Schema of ``ipv6check schema``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ipv6check.commands import schema
from tests.docs import code, table

# The documents first, then what they are made of; the words at the end are lists of their own.
TITLES = {
    "document": "`-f json`",
    "line": "`-f jsonl`, one line",
    "target": "A target",
    "result": "A result",
    "diff": "`ipv6check diff -f json`",
    "firewall": "`ipv6check firewall -f json`",
    "catalogue": "`ipv6check list -f json`",
}
# What others consist of, and is shown there.
SHARED = {"judged"}
_HEADS = ["key", "type", "always", "meaning"]


def definitions() -> Mapping[str, Any]:
    """The parts of the schema, by name."""
    parts: Mapping[str, Any] = json.loads(schema.text("output"))["$defs"]
    return parts


def keys() -> str:
    """Every object with its keys."""
    known = definitions()
    objects = [name for name in known if _properties(name)]
    order = [*TITLES, *(name for name in objects if name not in {*TITLES, *SHARED})]
    return "\n\n".join(_section(name, known[name]) for name in order)


def words() -> str:
    """Every list of words."""
    rows = [
        [f"`{name}`", code(part["enum"])] for name, part in definitions().items() if "enum" in part
    ]
    return table(["name", "one of"], rows)


def _properties(name: str) -> Mapping[str, Any]:
    """The keys of an object, those that it shares with others among them."""
    part = definitions()[name]
    shared = part.get("$ref")
    own: Mapping[str, Any] = part.get("properties", {})
    return {**own, **_properties(_name(shared))} if shared else own


def _required(name: str) -> set[str]:
    part = definitions()[name]
    shared = part.get("$ref")
    return {*part.get("required", ())} | (_required(_name(shared)) if shared else set())


def _name(reference: str) -> str:
    return reference.removeprefix("#/$defs/")


def _section(name: str, part: Mapping[str, Any]) -> str:
    title = TITLES.get(name, f"`{name}`")
    # A line has all keys of a target: once is enough.
    properties = part["properties"] if name == "line" else _properties(name)
    rows = [*_rows("", properties, _required(name))]
    about = [part["description"]] if "description" in part else []
    if name == "line":
        about.append("It has these keys beside all those of [a target](#target):")
    return "\n\n".join([f'### <a id="{name}"></a>{title}', *about, table(_HEADS, rows)])


def _rows(
    prefix: str, properties: Mapping[str, Any], required: set[str]
) -> Iterator[tuple[str, str, str, str]]:
    for key, value in properties.items():
        always = "yes" if key in required else ""
        meaning = value.get("description", "") or _about(value)
        yield f"`{prefix}{key}`", _type(value), always, meaning
        inner = value.get("properties", {})
        yield from _rows(f"{prefix}{key}.", inner, {*value.get("required", ())})


def _about(value: Mapping[str, Any]) -> str:
    """What the part that it refers to says of itself."""
    reference = value.get("$ref") or value.get("items", {}).get("$ref")
    part = definitions()[_name(reference)] if reference else {}
    return str(part.get("description", ""))


def _type(value: Mapping[str, Any]) -> str:
    if "$ref" in value:
        return _referred(_name(value["$ref"]))
    if "anyOf" in value:
        return " or ".join(_type(choice) for choice in value["anyOf"])
    if "enum" in value or "const" in value:
        return code(json.dumps(word) for word in value.get("enum", [value.get("const")]))
    named = value.get("type", "anything")
    if named == "array":
        return f"list of {_type(value['items'])}"
    if named == "object" and isinstance(value.get("additionalProperties"), dict):
        return f"object of {_type(value['additionalProperties'])}"
    return " or ".join(named) if isinstance(named, list) else str(named)


def _referred(name: str) -> str:
    part = definitions()[name]
    if _properties(name):
        return f"[{name}](#{name})"
    return f"[{name}](#words)" if "enum" in part else _type(part)
