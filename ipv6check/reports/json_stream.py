"""The JSON of a saved report, read value by value: a file of any size, laid out in any way.

It takes the memory of the longest value, which is bounded. No streaming parser of others is used:
those that exist give no line numbers and no bound on depth or length, and take longer for whole
targets than the standard library's decoder.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import BinaryIO, NoReturn

from ipv6check.model import BadInputError
from ipv6check.model.text import quoted

CHUNK = 1 << 18  # bytes of one read
MAX_VALUE = 4 << 20  # characters of one target

_BLANKS = re.compile(r"[ \t\r\n]*")
_LAST_WORD = re.compile(r"[-+.\w]*\s*\Z")
_AFTER_A_VALUE = frozenset(" \t\r\n,:]}")
_TRUNCATED = "is truncated"


class ReportError(BadInputError):
    """A file that cannot be read as a report. The message is one printable line with its place."""


class JsonStream:
    """The values of a file, one after the other; of its text, that of one value is held.

    Every method that reads raises ReportError for text that is not the JSON of a report.

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
        """The next character that is not blank; empty at the end."""
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
        """The keys of an object; the caller reads the value of each before the next key."""
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
        """The next value, complete."""
        if not self.peek():
            self.refuse(_TRUNCATED)
        self.line = self.here()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                problem, end = error.msg, error.pos
            except RecursionError:
                self.refuse("is nested too deeply")
            except ValueError:
                self.refuse("has a number that JSON does not allow, or that is too long")
            else:
                if self._buffer[end : end + 1] in _AFTER_A_VALUE or self._at_end(end):
                    self._at = end
                    return value
                # The rest of a number may not have been read yet.
                problem = "Expecting ',' delimiter"
            if self._ended:
                truncated = problem.startswith("Unterminated") or _LAST_WORD.match(
                    self._buffer, end
                )
                self.refuse(_TRUNCATED if truncated else f"is not JSON: {problem}", end)
            if len(self._buffer) - self._at > MAX_VALUE:
                self.refuse(f"has a value longer than {MAX_VALUE} characters")
            self._read_on()

    def refuse(self, reason: str, at: int | None = None) -> NoReturn:
        """Raise a ReportError with the line of ``at``, else of the next character."""
        number = self.here() if at is None else self._line(at)
        raise ReportError(f"{self._name}:{number}: {reason}")

    def _take(self, wanted: str) -> str:
        character = self.peek()
        if not character:
            self.refuse(_TRUNCATED)
        if character not in wanted:
            problem = f"expected {' or '.join(wanted)}, found {quoted(character)}"
            self.refuse(f"is not a report of ipv6check: {problem}")
        self._at += 1
        return character

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
