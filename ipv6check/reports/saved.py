"""Saved reports, read target by target: what the formats ``json`` and ``jsonl`` have printed.

Which of the two a file is, its content tells, and it may be laid out in any way, such as jq's. A
file of any size takes the memory of its longest value, which is bounded. Nothing in it is trusted.

No streaming parser of others is used: those that are at hand give no line numbers and no bound on
depth or length, and take longer for whole targets than the standard library's decoder.
"""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, NoReturn, TypeVar

from ipv6check.model import (
    SCHEMA_VERSION,
    BadInputError,
    Cause,
    Result,
    Status,
    TargetReport,
    Verdict,
)
from ipv6check.model.text import harmless, quoted

CHUNK = 1 << 18  # bytes of one read
MAX_VALUE = 4 << 20  # characters of one target

_BLANKS = re.compile(r"[ \t\r\n]*")
_LAST_WORD = re.compile(r"[-+.\w]*\s*\Z")
_AFTER_A_VALUE = frozenset(" \t\r\n,:]}")
_CUT = "ends too early: it is not whole"
# The keys that are read of a line of jsonl, and of a document beside its targets.
_KEPT = frozenset(
    {"schema_version", "interrupted", "target", "host", "service", "verdict", "results"}
)

_KINDS: Mapping[type, str] = MappingProxyType({str: "string", list: "list"})

_Kind = TypeVar("_Kind")
_Word = TypeVar("_Word", bound=StrEnum)


class ReportError(BadInputError):
    """A file is no report that can be read. The message is one printable line with the place."""


class _AmissError(ValueError):
    """What is wrong with a target, without its place."""


class SavedReport:
    """One file, or standard input for ``-``, for one iteration over its targets.

    A target has what can be compared: neither evidence nor times are read.

    Attributes:
        name: how the file is called in a message.
        line: where the latest target begins, from 1.
        interrupted: whether the run was stopped early, known after the last target.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)
        self.name = "standard input" if self._path == "-" else harmless(self._path, 200)
        self.line = 1
        self.interrupted = False

    def __iter__(self) -> Iterator[TargetReport]:
        """Every target, in the order of the file.

        Raises:
            ReportError: the file cannot be read, or it is not a whole report of ours.
        """
        try:
            standard = self._path == "-"
            with (
                nullcontext(_standard_input()) if standard else Path(self._path).open("rb") as file
            ):
                yield from self._targets(_Text(file, self.name))
        except OSError as error:
            raise ReportError(f"{self.name} cannot be read: {error.strerror or error}") from None

    def refuse(self, reason: str) -> NoReturn:
        """Raise a ReportError that names the latest target's place."""
        raise ReportError(f"{self.name}:{self.line}: {reason}")

    def _targets(self, text: _Text) -> Iterator[TargetReport]:
        if not text.peek():
            text.refuse("is empty")
        began = text.here()
        first: dict[str, object] = {}
        is_document = False
        for key in text.members():
            if key == "targets":
                is_document = True
                for value in text.elements():
                    yield self._target(value, text.line)
                continue
            value = text.value()
            if key in _KEPT:
                first[key] = value
            if key == "schema_version":
                self._expect_version(first)
        self._expect_version(first)
        if not is_document:
            yield self._target(first, began)
            yield from self._lines(text)
        elif text.peek():
            text.refuse("has more behind the report's end")
        interrupted = first.get("interrupted", False)
        if not isinstance(interrupted, bool):
            text.refuse('"interrupted" is neither true nor false')
        self.interrupted = interrupted

    def _lines(self, text: _Text) -> Iterator[TargetReport]:
        """What follows the first line."""
        while text.peek():
            value = text.value()
            self.line = text.line
            self._expect_version(value)
            yield self._target(value, text.line)

    def _expect_version(self, told: object) -> None:
        version = told.get("schema_version") if isinstance(told, dict) else None
        if version is None:
            self.refuse('is not a report of ipv6check: no "schema_version"')
        if version != SCHEMA_VERSION:
            shown = quoted(str(version)) if isinstance(version, str | int) else "of another type"
            self.refuse(f'"schema_version" is {shown}: this ipv6check reads "{SCHEMA_VERSION}"')

    def _target(self, value: object, line: int) -> TargetReport:
        self.line = line
        try:
            return _target(value)
        except _AmissError as error:
            self.refuse(str(error))


class _Text:
    """The characters of a file, as few of them at once as one value takes.

    Attributes:
        line: where the latest value begins, from 1.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.line = 1
        self._name = name
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._buffer = ""
        self._at = 0
        self._ended = False
        # Lines are counted up to here.
        self._counted = 0
        self._number = 1

    def peek(self) -> str:
        """The next character that is not blank, empty at the end."""
        while True:
            blanks = _BLANKS.match(self._buffer, self._at)
            self._at = blanks.end() if blanks else self._at
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if self._ended:
                return ""
            self._read_on()

    def here(self) -> int:
        """The line of the next character."""
        return self._line(self._at)

    def members(self) -> Iterator[str]:
        """The keys of an object; whoever takes one reads its value."""
        self._take("{")
        empty = self.peek() == "}"
        while not empty:
            key = self.value()
            if not isinstance(key, str):
                self.refuse("is not JSON: a key is not a string")
            self._take(":")
            yield key
            if self._take(",}") == "}":
                return
        self._take("}")

    def elements(self) -> Iterator[object]:
        """The values of a list."""
        self._take("[")
        empty = self.peek() == "]"
        while not empty:
            yield self.value()
            if self._take(",]") == "]":
                return
        self._take("]")

    def value(self) -> object:
        """The next value, whole."""
        if not self.peek():
            self.refuse(_CUT)
        self.line = self.here()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                problem, end = error.msg, error.pos
            except RecursionError:
                self.refuse("is nested too deeply")
            except ValueError:
                self.refuse("has a number that is none in JSON, or is too long")
            else:
                if self._buffer[end : end + 1] in _AFTER_A_VALUE or self._at_end(end):
                    self._at = end
                    return value
                # A number may go on in what is not read yet.
                problem = "Expecting ',' delimiter"
            if self._ended:
                cut = problem.startswith("Unterminated") or _LAST_WORD.match(self._buffer, end)
                self.refuse(_CUT if cut else f"is not JSON: {problem}", end)
            if len(self._buffer) - self._at > MAX_VALUE:
                self.refuse(f"has a value longer than {MAX_VALUE} characters")
            self._read_on()

    def refuse(self, reason: str, at: int | None = None) -> NoReturn:
        """Raise a ReportError that names the line, that of the next character if not another."""
        number = self.here() if at is None else self._line(at)
        raise ReportError(f"{self._name}:{number}: {reason}")

    def _take(self, wanted: str) -> str:
        found = self.peek()
        if not found:
            self.refuse(_CUT)
        if found not in wanted:
            names = " or ".join(wanted)
            self.refuse(f"is not a report of ipv6check: expected {names}, found {quoted(found)}")
        self._at += 1
        return found

    def _at_end(self, place: int) -> bool:
        return self._ended and place == len(self._buffer)

    def _line(self, place: int) -> int:
        self._number += self._buffer.count("\n", self._counted, place)
        self._counted = place
        return self._number

    def _read_on(self) -> None:
        octets = self._file.read(CHUNK)
        self._ended = not octets
        try:
            more = self._decode(octets, self._ended)
        except UnicodeDecodeError as error:
            number = self._line(len(self._buffer)) + error.object.count(b"\n", 0, error.start)
            raise ReportError(f"{self._name}:{number}: is not UTF-8") from None
        self._line(self._at)
        self._buffer = self._buffer[self._at :] + more
        self._at = self._counted = 0


def _refused(_constant: str) -> NoReturn:
    raise ValueError


_DECODER = json.JSONDecoder(parse_constant=_refused)


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise OSError("it is closed")
    return sys.stdin.buffer


def _target(told: Any) -> TargetReport:
    return TargetReport(
        target=_of(told, "target", str),
        host=_of(told, "host", str),
        ports=(),
        verdict=_word(told, "verdict", Verdict),
        duration_ms=0.0,
        results=tuple(_result(each) for each in _of(told, "results", list)),
        service=_of(told, "service", str, ""),
    )


def _result(told: Any) -> Result:
    return Result(
        check=_of(told, "check", str),
        status=_word(told, "status", Status),
        message=_of(told, "message", str),
        subject=_of(told, "subject", str, ""),
        finding=_of(told, "finding", str, ""),
        cause=_word(told, "cause", Cause) if told.get("cause") is not None else None,
    )


def _of(told: Any, key: str, kind: type[_Kind], default: _Kind | None = None) -> _Kind:
    """A key's value. Raises _AmissError if it is missing without a default, or of another kind."""
    if not isinstance(told, dict):
        raise _AmissError("is not a report of ipv6check: expected an object")
    value = told.get(key, default)
    if value is None:
        raise _AmissError(f'is not a report of ipv6check: no "{key}"')
    if not isinstance(value, kind):
        raise _AmissError(f'"{key}" is not a {_KINDS[kind]}')
    return value


def _word(told: Any, key: str, words: type[_Word]) -> _Word:
    text = _of(told, key, str)
    try:
        return words(text)
    except ValueError:
        raise _AmissError(f'"{key}" is {quoted(text)}: not one of {", ".join(words)}') from None
