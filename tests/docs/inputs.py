"""docs/inputs.md: what a check may ask for, from the probes and the types that they return."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import ipv6check
from ipv6check.config.target import Target
from ipv6check.engine.checks import loader
from ipv6check.model import Failure, Settings

# What a check may ask for besides the probes.
GIVEN: Mapping[str, type] = {"target": Target, "settings": Settings}
# A client's parameters are the keys of a client's file, which are explained where they are read.
LEFT_OUT = {"Policy"}
_WORD = re.compile(r"[A-Za-z_]\w*")


def inputs() -> str:
    """Every input with its type."""
    given = {name: (kind.__name__, kind) for name, kind in GIVEN.items()}
    probes = {
        name: (inspect.get_annotations(probe.observe)["return"], probe.observe)
        for name, probe in sorted(loader.all_probes().items())
    }
    return "\n\n".join(
        f"### Input `{name}`\n\n`{name}: {kind}`\n\n{_prose(documented)}"
        for name, (kind, documented) in {**given, **probes}.items()
    )


def types() -> str:
    """Every type that they are made of."""
    kinds = [*GIVEN.values(), Failure]
    for probe in loader.all_probes().values():
        kinds += [kind for kind in probe.returns if inspect.isclass(kind)]
        written = inspect.get_annotations(probe.observe)["return"]
        kinds += [kind for word in _WORD.findall(written) if inspect.isclass(kind := _public(word))]
    found: dict[str, type] = {}
    for kind in kinds:
        _collect(kind, found)
    return "\n\n".join(_type(kind) for _, kind in sorted(found.items()))


def _collect(kind: type, found: dict[str, type]) -> None:
    """The type and those of its fields.

    By the names in their annotations: some of these are imported for a type checker alone.
    """
    name = kind.__name__
    if name in found or name in LEFT_OUT or not kind.__module__.startswith("ipv6check"):
        return
    found[name] = kind
    for field in dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ():
        for word in _WORD.findall(str(field.type)):
            inner = _public(word) or vars(sys.modules[kind.__module__]).get(word)
            if inspect.isclass(inner):
                _collect(inner, found)


def _public(name: str) -> Any:
    return getattr(ipv6check, name) if name in ipv6check.__all__ else None


def _prose(documented: Any) -> str:
    return (inspect.getdoc(documented) or "").replace("``", "`")


def _type(kind: type) -> str:
    paragraphs = [f"### `{kind.__name__}`", _prose(kind)]
    if issubclass(kind, Enum):
        values = ", ".join(f"`{member.value}`" for member in kind)
        return "\n\n".join([*paragraphs, f"One of {values}."])
    if fields := [*_fields(kind)]:
        paragraphs.append("\n".join(["```python", *fields, "```"]))
    if members := [*_members(kind)]:
        paragraphs.append("\n".join(members))
    return "\n\n".join(paragraphs)


def _fields(kind: type) -> Iterator[str]:
    for field in dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ():
        if not field.name.startswith("_"):
            yield f"{field.name}: {field.type}"


def _members(kind: type) -> Iterator[str]:
    """Its properties and methods, a line each."""
    for name, member in vars(kind).items():
        function = member.fget if isinstance(member, property) else member
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        signature = str(inspect.signature(function)).replace("'", "")
        arguments, _, returned = signature.rpartition(" -> ")
        call = arguments.replace("(self, ", "(").replace("(self)", "()")
        shown = f"{name}: {returned}" if isinstance(member, property) else f"{name}{call}"
        yield f"- `{shown}`: {_prose(function).partition(chr(10) * 2)[0]}"
