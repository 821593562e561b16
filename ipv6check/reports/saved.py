"""Saved reports, read target by target: what the formats ``json`` and ``jsonl`` have printed.

The content decides which of the two a file is. Nothing in it is trusted.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, NoReturn, TypeVar

from ipv6check.model import SCHEMA_VERSION, Cause, Result, Status, TargetReport, Verdict
from ipv6check.model.text import harmless, quoted
from ipv6check.reports.json_stream import JsonStream, ReportError

# The keys that are kept of a line of jsonl, and of a document beside its targets.
_KEPT = frozenset(
    {"schema_version", "interrupted", "target", "host", "service", "verdict", "results"}
)

_KINDS: Mapping[type, str] = MappingProxyType({str: "string", list: "list"})

_Kind = TypeVar("_Kind")
_Word = TypeVar("_Word", bound=StrEnum)


class _TargetError(ValueError):
    """A target that is not as this program writes it. The message has no place."""


class SavedReport:
    """One file, or standard input for ``-``, for one iteration over its targets.

    Targets hold what can be compared: neither evidence nor times are read.

    Attributes:
        name: the file's name in messages.
        line: where the latest target begins, from 1.
        interrupted: whether the run was interrupted, known after the last target.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)
        self.name = "standard input" if self._path == "-" else harmless(self._path, 200)
        self.line = 1
        self.interrupted = False

    def __iter__(self) -> Iterator[TargetReport]:
        """Every target, in the order of the file.

        Raises:
            ReportError: the file cannot be read, or is not a complete report of ipv6check.
        """
        try:
            standard = self._path == "-"
            with (
                nullcontext(_standard_input()) if standard else Path(self._path).open("rb") as file
            ):
                yield from self._targets(JsonStream(file, self.name))
        except OSError as error:
            raise ReportError(f"{self.name} cannot be read: {error.strerror or error}") from None

    def refuse(self, reason: str) -> NoReturn:
        """Raise a ReportError with the place of the latest target."""
        raise ReportError(f"{self.name}:{self.line}: {reason}")

    def _targets(self, stream: JsonStream) -> Iterator[TargetReport]:
        if not stream.peek():
            stream.refuse("is empty")
        began = stream.here()
        fields: dict[str, object] = {}
        is_document = False
        for key in stream.members():
            if key == "targets":
                is_document = True
                for value in stream.elements():
                    yield self._target(value, stream.line)
                continue
            value = stream.value()
            if key in _KEPT:
                fields[key] = value
            if key == "schema_version":
                self._expect_version(fields)
        self._expect_version(fields)
        if not is_document:
            yield self._target(fields, began)
            yield from self._lines(stream)
        elif stream.peek():
            stream.refuse("has more data after the end of the report")
        interrupted = fields.get("interrupted", False)
        if not isinstance(interrupted, bool):
            stream.refuse('"interrupted" is neither true nor false')
        self.interrupted = interrupted

    def _lines(self, stream: JsonStream) -> Iterator[TargetReport]:
        """The targets of all lines but the first."""
        while stream.peek():
            value = stream.value()
            self.line = stream.line
            self._expect_version(value)
            yield self._target(value, stream.line)

    def _expect_version(self, fields: object) -> None:
        version = fields.get("schema_version") if isinstance(fields, dict) else None
        if version is None:
            self.refuse('is not a report of ipv6check: no "schema_version"')
        if version != SCHEMA_VERSION:
            shown = quoted(str(version)) if isinstance(version, str | int) else "of another type"
            self.refuse(f'"schema_version" is {shown}: this ipv6check reads "{SCHEMA_VERSION}"')

    def _target(self, value: object, line: int) -> TargetReport:
        self.line = line
        try:
            return _target(value)
        except _TargetError as error:
            self.refuse(str(error))


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise OSError("it is closed")
    return sys.stdin.buffer


def _target(fields: Any) -> TargetReport:
    return TargetReport(
        target=_of(fields, "target", str),
        host=_of(fields, "host", str),
        ports=(),
        verdict=_word(fields, "verdict", Verdict),
        duration_ms=0.0,
        results=tuple(map(_result, _of(fields, "results", list))),
        service=_of(fields, "service", str, ""),
    )


def _result(fields: Any) -> Result:
    return Result(
        check=_of(fields, "check", str),
        status=_word(fields, "status", Status),
        message=_of(fields, "message", str),
        subject=_of(fields, "subject", str, ""),
        finding=_of(fields, "finding", str, ""),
        cause=_word(fields, "cause", Cause) if fields.get("cause") is not None else None,
    )


def _of(fields: Any, key: str, kind: type[_Kind], default: _Kind | None = None) -> _Kind:
    """A key's value. Raises _TargetError if it is missing without default, or of another type."""
    if not isinstance(fields, dict):
        raise _TargetError("is not a report of ipv6check: expected an object")
    value = fields.get(key, default)
    if value is None:
        raise _TargetError(f'is not a report of ipv6check: no "{key}"')
    if not isinstance(value, kind):
        raise _TargetError(f'"{key}" is not a {_KINDS[kind]}')
    return value


def _word(fields: Any, key: str, words: type[_Word]) -> _Word:
    text = _of(fields, key, str)
    try:
        return words(text)
    except ValueError:
        raise _TargetError(f'"{key}" is {quoted(text)}: not one of {", ".join(words)}') from None
