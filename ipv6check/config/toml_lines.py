"""The lines that keys, tables and elements of a TOML text stand on, which tomllib does not tell.

https://toml.io/en/v1.0.0. Whether it is TOML is tomllib's to say: of another text this says
anything, but says it in time that grows as the text does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

# Where a value stands: names of keys, and numbers of elements, from 0.
Keys = tuple[str | int, ...]

MAX_NESTED = 16
# The deepest that has a line: service, its name, severity or targets, and one of those.
_DEPTH = 4

# Possessive and bounded, so that no text takes longer than its length.
_KEY = r"""(?: [\w-]++ | "(?: [^"\\\n]++ | \\. )*+" | '[^'\n]*+' )"""
_DOT = r"(?: [ \t]*+ \. [ \t]*+ )"
_KEYS = rf"(?: {_KEY} (?: {_DOT} {_KEY} ){{0,15}}+ )"
_TOKEN = rf"""
    (?P<deep> {_KEY} (?: {_DOT} {_KEY} ){{16}} )
    | (?P<long> [^\s,\[\]{{}}\#"'=]{{257}} )
    | (?P<keys> {_KEYS} ) [ \t]*+ =
    | (?P<value> "{{3}} (?: [^"\\]++ | \\. | "(?!"") )*+ "{{3,5}}
               | '{{3}} (?: [^']++ | '(?!'') )*+ '{{3,5}}
               | (?! "{{3}} | '{{3}} ) (?: "(?: [^"\\\n]++ | \\. )*+" | '[^'\n]*+' )
               | [^\s,\[\]{{}}\#"'=]++ )
    | (?P<opens> [\[{{] ) | (?P<ends> [\]}}] ) | (?P<comma> , )
    | (?P<torn> ["'] )
    | (?: [^\S\n]*+ \n )++ | \s++ | \#[^\n]*+ | .
"""
_HEADER = rf"^[ \t]*+ \[ (?P<array> \[ )?+ [ \t]*+ (?P<table> {_KEYS} ) [ \t]*+ \]"
_INSIDE = re.compile(_TOKEN, re.VERBOSE | re.DOTALL)
_OUTSIDE = re.compile(f"{_HEADER} | {_TOKEN}", re.VERBOSE | re.DOTALL | re.MULTILINE)
_ONE_KEY = re.compile(_KEY, re.VERBOSE | re.DOTALL)

# What takes tomllib's time or memory by its square, or has more digits than Python reads.
_TOO_MUCH = MappingProxyType(
    {
        "deep": "a key has more than 16 parts",
        "long": "a key or a number is longer than 256 letters",
        "nested": f"lists and tables are nested more than {MAX_NESTED} deep",
    }
)


class TooMuchError(ValueError):
    """A text that nobody writes, and tomllib must not be given: ``12: what it has``."""


def lines_of(text: str) -> Mapping[Keys, int]:
    """The line of each key, table and element, from 1. Raises TooMuchError."""
    lines: dict[Keys, int] = {}
    for number, keys in _places(text):
        for length in range(1, min(len(keys), _DEPTH) + 1):
            lines.setdefault(keys[:length], number)
    return lines


def _places(text: str) -> Iterator[tuple[int, Keys]]:
    """Line and keys of whatever begins a table or a value."""
    scan = _Scan()
    position, number = 0, 1
    while found := (_INSIDE if scan.around else _OUTSIDE).match(text, position):
        token = found.lastgroup or ""
        if token == "torn":
            return  # a string without an end, which tomllib tells
        if token == "opens" and len(scan.around) == MAX_NESTED:
            token = "nested"
        if token in _TOO_MUCH:
            raise TooMuchError(f"{number}: {_TOO_MUCH[token]}")
        if token == "table":
            scan.header(_names(found["table"]), array=found["array"] is not None)
        elif token == "keys":
            scan.key(_names(found["keys"]))
        if token in {"table", "keys", "value", "opens"}:
            yield number, scan.here
        if token in {"opens", "ends", "comma"}:
            scan.mark(found[token])
        number += text.count("\n", position, found.end())
        position = found.end()


class _Scan:
    """What has been read so far. ``here``: the keys of what comes next, or was read last."""

    def __init__(self) -> None:
        self.here: Keys = ()
        # The lists and inline tables that are open, each with its keys and how many commas it had.
        self.around: list[tuple[str, Keys, int]] = []
        self._table: Keys = ()
        # The number of the latest table, by the keys of its array.
        self._latest: dict[Keys, int] = {}

    def header(self, names: Sequence[str], *, array: bool) -> None:
        """``[a.b]``, or ``[[a.b]]`` for one table more."""
        keys: Keys = ()
        for name in names[:-1]:
            keys = self._numbered((*keys, name))
        keys = (*keys, names[-1])
        if array:
            self._latest[keys] = self._latest.get(keys, -1) + 1
        self.here = self._table = self._numbered(keys)

    def key(self, names: Sequence[str]) -> None:
        """``a.b =``, in the table or in an inline one."""
        self.here = (*(self.around[-1][1] if self.around else self._table), *names)

    def mark(self, mark: str) -> None:
        """A list or an inline table begins, goes on or ends."""
        if mark in "[{":
            self.around.append((mark, self.here, 0))
        elif self.around:
            opened, self.here, commas = self.around.pop()
            if mark == ",":
                self.around.append((opened, self.here, commas + 1))
        if self.around and self.around[-1][0] == "[":
            _, keys, commas = self.around[-1]
            self.here = (*keys, commas)

    def _numbered(self, keys: Keys) -> Keys:
        return (*keys, self._latest[keys]) if keys in self._latest else keys


def _names(dotted: str) -> tuple[str, ...]:
    """Its parts; an escape in one stays as it is, and who looks for that finds the table."""
    return tuple(part[1:-1] if part[0] in "\"'" else part for part in _ONE_KEY.findall(dotted))
