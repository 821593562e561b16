"""Line numbers of the keys, tables and elements of a TOML text, which tomllib does not give.

https://toml.io/en/v1.0.0. Validity is up to tomllib: for an invalid text the lines are arbitrary,
but found in linear time all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

# The path to a value: names of keys, and numbers of elements, from 0.
Keys = tuple[str | int, ...]

MAX_NESTED = 16
# The longest path with a line of its own: service, its name, severity or targets, an element.
_DEPTH = 4

# Possessive and bounded, so that matching takes linear time.
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

# Texts for which tomllib takes quadratic time or memory, or with more digits than Python reads.
_TOO_MUCH = MappingProxyType(
    {
        "deep": "a key has more than 16 parts",
        "long": "a key or a number is longer than 256 characters",
        "nested": f"lists and tables are nested more than {MAX_NESTED} deep",
    }
)


class TooMuchError(ValueError):
    """A text that must not be given to tomllib. The message is ``12: what it has``."""


def lines_of(text: str) -> Mapping[Keys, int]:
    """The line of each key, table and element, from 1. Raises TooMuchError."""
    lines: dict[Keys, int] = {}
    for number, keys in _places(text):
        for length in range(1, min(len(keys), _DEPTH) + 1):
            lines.setdefault(keys[:length], number)
    return lines


def _places(text: str) -> Iterator[tuple[int, Keys]]:
    """Line and path of each beginning of a table or a value. Raises TooMuchError."""
    scan = _Scan()
    position, number = 0, 1
    while match := (_INSIDE if scan.containers else _OUTSIDE).match(text, position):
        token = match.lastgroup or ""
        if token == "torn":
            return  # an unterminated string, which tomllib reports
        if token == "opens" and len(scan.containers) == MAX_NESTED:
            token = "nested"
        if token in _TOO_MUCH:
            raise TooMuchError(f"{number}: {_TOO_MUCH[token]}")
        if token == "table":
            scan.header(_names(match["table"]), array=match["array"] is not None)
        elif token == "keys":
            scan.key(_names(match["keys"]))
        if token in {"table", "keys", "value", "opens"}:
            yield number, scan.here
        if token in {"opens", "ends", "comma"}:
            scan.mark(match[token])
        number += text.count("\n", position, match.end())
        position = match.end()


class _Scan:
    """The state of reading.

    Attributes:
        here: the path of what comes next, or was read last.
        containers: the open lists and inline tables: bracket, path, and number of commas so far.
    """

    def __init__(self) -> None:
        self.here: Keys = ()
        self.containers: list[tuple[str, Keys, int]] = []
        self._table: Keys = ()
        # The number of the latest table, by the path of its array.
        self._latest: dict[Keys, int] = {}

    def header(self, names: Sequence[str], *, array: bool) -> None:
        """Enter the table ``[a.b]``, or the next table of the array ``[[a.b]]``."""
        keys: Keys = ()
        for name in names[:-1]:
            keys = self._numbered((*keys, name))
        keys = (*keys, names[-1])
        if array:
            self._latest[keys] = self._latest.get(keys, -1) + 1
        self.here = self._table = self._numbered(keys)

    def key(self, names: Sequence[str]) -> None:
        """Begin the value of ``a.b =``, in the table or in an inline one."""
        self.here = (*(self.containers[-1][1] if self.containers else self._table), *names)

    def mark(self, mark: str) -> None:
        """Begin, continue or end a list or an inline table."""
        if mark in "[{":
            self.containers.append((mark, self.here, 0))
        elif self.containers:
            opened, self.here, commas = self.containers.pop()
            if mark == ",":
                self.containers.append((opened, self.here, commas + 1))
        if self.containers and self.containers[-1][0] == "[":
            _, keys, commas = self.containers[-1]
            self.here = (*keys, commas)

    def _numbered(self, keys: Keys) -> Keys:
        return (*keys, self._latest[keys]) if keys in self._latest else keys


def _names(dotted: str) -> tuple[str, ...]:
    """The parts of a dotted key. Escapes stay as they are: such a key gets its table's line."""
    return tuple(part[1:-1] if part[0] in "\"'" else part for part in _ONE_KEY.findall(dotted))
