"""A released schema goes on being kept: `tests/released` holds each as it was released.

What we write may only gain keys; what we read may only gain what it accepts. Anything else is
another schema_version, and another file here (CONTRIBUTING.md, "Habits").
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ipv6check.commands import schema

RELEASED = Path(__file__).parent / "released"
SAID = frozenset({"title", "description", "$schema", "$id", "examples", "default", "markdown"})
# Closing an object says what its writer leaves out, which new keys come into.
CLOSED = frozenset({"additionalProperties", "unevaluatedProperties"})
NARROWS = frozenset({"enum", "required", "pattern", "minimum", "maximum"})
NAMED = frozenset({"properties", "$defs", "patternProperties"})


@dataclass(frozen=True)
class Kept:
    """Today's text of a released schema. ``read``: it is of what we read, not of what we write."""

    text: Callable[[], str]
    read: bool = False


KEPT = {
    "output-1.json": Kept(schema.text),
    "config-1.json": Kept(partial(schema.text, "config"), read=True),
    "observations-1.json": Kept(partial(schema.text, "observations")),
}


def breaks(old: Any, new: Any, at: str = "", *, read: bool) -> Iterator[str]:
    """Where a program that was right about the old schema is wrong about the new one.

    ``read``: it is a schema of what we read, so that the program is one that writes.
    """
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        if old != new:
            yield at
        return
    for key in old.keys() - SAID - CLOSED:
        if key in new:
            yield from _key(key, old[key], new[key], f"{at}/{key}", read=read)
        elif key in NAMED or not read:  # without its enum or its bounds it accepts more
            yield f"{at}/{key}"
    if read:
        yield from (f"{at}/{key}" for key in NARROWS & (new.keys() - old.keys()))


def _key(key: str, old: Any, new: Any, at: str, *, read: bool) -> Iterator[str]:
    if key in NAMED:
        for name, was in old.items():
            yield from breaks(was, new.get(name), f"{at}/{name}", read=read)
    elif key in {"required", "enum", "type"}:
        yield from _lists(at, old, new, grows=(key == "required") != read)
    elif key in {"anyOf", "oneOf", "allOf"}:
        left = [item for item in old if not any(_same(item, now) for now in new)]
        yield from (f"{at}: {json.dumps(item)}" for item in left)
    else:
        yield from breaks(old, new, at, read=read)


def _same(old: Any, new: Any) -> bool:
    return not [*breaks(old, new, read=False)]


def _lists(at: str, old: Any, new: Any, *, grows: bool) -> Iterator[str]:
    was, now = (set(value) if isinstance(value, list) else {value} for value in (old, new))
    if was - now if grows else now - was:
        yield f"{at}: {sorted(was)} → {sorted(now)}"


@pytest.mark.parametrize("name", KEPT)
def test_a_released_schema_is_kept(name: str) -> None:
    """Who reads what we write, or writes what we read, by a released version is right today."""
    old, kept = json.loads((RELEASED / name).read_text("utf-8")), KEPT[name]
    assert [*breaks(old, json.loads(kept.text()), read=kept.read)] == []


def test_every_released_schema_is_held() -> None:
    """No file lies here that nothing is held against."""
    assert {path.name for path in RELEASED.glob("*.json")} == {*KEPT}


OLD = {
    "type": "object",
    "properties": {"status": {"enum": ["pass", "fail"]}, "port": {"type": "integer"}},
    "required": ["status"],
    "additionalProperties": False,
}


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The old schema with one thing changed."""
    new = deepcopy(OLD)
    change(new)
    return new


@pytest.mark.parametrize(
    ("change", "written", "read"),
    [
        (lambda new: new["properties"].update(host={"type": "string"}), True, True),
        (lambda new: new["properties"].pop("port"), False, False),
        (lambda new: new["properties"]["port"].update(type="string"), False, False),
        (lambda new: new["properties"]["status"].update(enum=["pass"]), True, False),
        (lambda new: new["properties"]["status"].update(enum=["pass", "fail", "x"]), False, True),
        (lambda new: new.update(required=[]), False, True),
        (lambda new: new.update(required=["status", "port"]), True, False),
        (lambda new: new["properties"]["port"].update(minimum=1), True, False),
        (lambda new: new.update(description="another word"), True, True),
    ],
)
def test_the_rule_itself(
    change: Callable[[dict[str, Any]], object],
    written: bool,  # noqa: FBT001
    read: bool,  # noqa: FBT001
) -> None:
    """What may change in a schema of what is written, and of what is read."""
    new = changed(change)
    assert (not [*breaks(OLD, new, read=False)]) == written
    assert (not [*breaks(OLD, new, read=True)]) == read
