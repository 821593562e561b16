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
from ipv6check.engine.checks.inputs import all_probes
from ipv6check.model import Failure, Settings
from tests.docs import code, table

# What a check may ask for besides the probes.
GIVEN: Mapping[str, type] = {"target": Target, "settings": Settings}
# A client's parameters are the keys of a client's file, which are explained where they are read.
LEFT_OUT = {"Policy"}
ATTRIBUTES = "Attributes:\n"
HEADS = ("field", "type", "meaning")
_WORD = re.compile(r"[A-Za-z_]\w*")


def inputs() -> str:
    """Every input with its type."""
    given = {name: (kind.__name__, _summary(kind)) for name, kind in GIVEN.items()}
    probes = {
        name: (inspect.get_annotations(probe.observe)["return"], _prose(probe.observe))
        for name, probe in sorted(all_probes().items())
    }
    known = {kind.__name__ for kind in _kinds()}
    return "\n\n".join(
        f"### Input `{name}`\n\nType: {_linked(written, known)}\n\n{about}"
        for name, (written, about) in {**given, **probes}.items()
    )


def _linked(written: str, known: set[str]) -> str:
    """A type as it is written, and where its parts are explained."""
    links = [f"[{word}](#{word.lower()})" for word in _WORD.findall(written) if word in known]
    return f"`{written}` ({', '.join(links)})" if written not in known else links[0]


def types() -> str:
    """Every type that they are made of."""
    return "\n\n".join(map(_type, _kinds()))


def _kinds() -> list[type]:
    """By name, those of the inputs and those of their fields."""
    kinds = [*GIVEN.values(), Failure]
    for probe in all_probes().values():
        kinds += [kind for kind in probe.returns if inspect.isclass(kind)]
        written = inspect.get_annotations(probe.observe)["return"]
        kinds += [kind for word in _WORD.findall(written) if inspect.isclass(kind := _public(word))]
    found: dict[str, type] = {}
    for kind in kinds:
        _collect(kind, found)
    return [kind for _, kind in sorted(found.items())]


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
    """A docstring as Markdown, without the section that has its attributes."""
    paragraphs = (inspect.getdoc(documented) or "").replace("``", "`").split("\n\n")
    return "\n\n".join(
        paragraph for paragraph in paragraphs if not paragraph.startswith(ATTRIBUTES)
    ).strip()


def _summary(documented: Any) -> str:
    return _prose(documented).partition("\n\n")[0]


def _attributes(kind: type) -> Mapping[str, str]:
    """What the docstring says of each field, where it has a section for them."""
    _, _, section = (inspect.getdoc(kind) or "").replace("``", "`").partition(ATTRIBUTES)
    entries = re.split(r"\n    (?=\w+: )", "\n" + section.partition("\n\n")[0])
    return {
        name: " ".join(said.split())
        for name, colon, said in (entry.partition(": ") for entry in entries)
        if colon
    }


def _type(kind: type) -> str:
    paragraphs = [f"### `{kind.__name__}`", _prose(kind)]
    if issubclass(kind, Enum):
        values = code(str(member.value) for member in kind)
        return "\n\n".join([*paragraphs, f"One of {values}."])
    if fields := [*_fields(kind)]:
        paragraphs.append(table(HEADS[: len(fields[0])], fields))
    if members := [*_members(kind)]:
        paragraphs.append("\n".join(members))
    return "\n\n".join(paragraphs)


def _fields(kind: type) -> Iterator[list[str]]:
    """Its fields, with what each means where the docstring says it field by field."""
    meanings = _attributes(kind)
    for field in dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ():
        if not field.name.startswith("_"):
            row = [f"`{field.name}`", f"`{field.type}`"]
            yield [*row, meanings.get(field.name, "")] if meanings else row


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
        yield f"- `{shown}`: {_summary(function)}"
