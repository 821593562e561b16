"""A TOML file and the lines of its keys, which tomllib does not tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ipv6check.target import harmless, quoted
from ipv6check.wording import closest

MAX_FILE = 1 << 20  # bytes

# Where a value stands: names of tables and keys, and the number of a table in an array, from 0.
Keys = tuple[str | int, ...]

_KEY = r"""(?: [\w-]++ | "[^"]*+" | '[^']*+' )"""
# Possessive, so that a long line of blanks takes no longer than its length.
_HEADER_OR_KEY = re.compile(
    rf"""
    \s*+ (?P<header> \[{{0,2}}+ ) \s*+
    (?P<keys> {_KEY} (?: \s*+ \. \s*+ {_KEY} )*+ ) \s*+ [\]=]
    """,
    re.VERBOSE,
)
_ONE_KEY = re.compile(_KEY, re.VERBOSE)
_KINDS: Mapping[type, str] = MappingProxyType(
    {
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "string",
        list: "list",
        dict: "table",
    }
)


class ConfigError(ValueError):
    """An option cannot be what it was set to. The message is one printable line with the place."""


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A file that was read. ``name`` is how it is shown; ``lines`` count from 1."""

    name: str
    text: str
    lines: Mapping[Keys, int]

    def document(self) -> Mapping[str, object]:
        """What it says. Raises ConfigError where that is no TOML."""
        import tomllib  # noqa: PLC0415 - most runs have no file

        try:
            return tomllib.loads(self.text)
        except RecursionError:
            raise ConfigError(f"{self.name}:1: is nested too deeply") from None
        except ValueError as error:
            raise ConfigError(f"{self.name}:{_positioned(str(error), self.text)}") from None

    def line(self, *keys: str | int) -> int:
        """The line of a key; of what it is in, where it has none of its own."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)

    def at(self, *keys: str | int) -> str:
        """``name:12`` of a key."""
        return f"{self.name}:{self.line(*keys)}"

    def element_lines(self, keys: Keys, elements: Iterable[object]) -> Iterator[int]:
        """The line of each string of a list, as far as it stands there in so many letters."""
        here = self.line(*keys)
        rows = self.text.split("\n")
        for element in elements:
            ways = (f'"{element}"', f"'{element}'")
            # Never back, so that a long list takes no longer than its length.
            found = (n for n in range(here, len(rows) + 1) if _holds(rows[n - 1], ways))
            nearest = next(found, None)
            here = here if nearest is None else nearest
            yield here


def read(path: Path, name: str) -> TomlFile:
    """The file at ``path``, shown as ``name``. Raises ConfigError where it cannot be read."""
    try:
        with path.open("rb") as file:
            text = _decoded(file.read(MAX_FILE + 1))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{name}: cannot be read: {reason}") from None
    return TomlFile(name, text, _key_lines(text))


def kind(value: object) -> str:
    """What TOML calls it: string, integer, number, boolean, list, table; else date or time."""
    return _KINDS.get(type(value), "date or time")


def expected(wanted: str, value: object) -> str:
    """What is wrong with a value of another kind."""
    text = scalar(value)
    return f"expected {wanted}, found {kind(value)}{f' {quoted(text)}' if text else ''}"


def scalar(value: object) -> str:
    """The text of a value that is no list and no table; empty for those."""
    if isinstance(value, list | dict):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    # str() refuses an integer of thousands of digits, which hexadecimal notation can bring in.
    return hex(value) if isinstance(value, int) and value.bit_length() > 64 else str(value)


def meant(name: str, names: Iterable[str]) -> str:
    """``; did you mean "timeout"?``, or all that there is."""
    names = [*names]
    near = closest(name, names)
    return f'; did you mean "{near}"?' if near else f"; there are: {', '.join(names)}"


def _holds(row: str, ways: Iterable[str]) -> bool:
    return any(way in row for way in ways)


def _decoded(octets: bytes) -> str:
    if len(octets) > MAX_FILE:
        raise ValueError(f"more than {MAX_FILE} bytes")
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is not UTF-8") from None


def _key_lines(text: str) -> Mapping[Keys, int]:
    lines: dict[Keys, int] = {}
    numbers: dict[str, int] = {}
    table: Keys = ()
    for number, line in enumerate(text.split("\n"), 1):
        found = _HEADER_OR_KEY.match(line)
        if found is None:
            continue
        keys: Keys = tuple(key.strip("\"'") for key in _ONE_KEY.findall(found["keys"]))
        if found["header"] == "[[" and len(keys) == 1:
            name = str(keys[0])
            numbers[name] = numbers.get(name, -1) + 1
            keys = table = (name, numbers[name])
        elif found["header"]:
            table = keys
        else:
            keys = table + keys
        for length in range(1, len(keys) + 1):
            lines.setdefault(keys[:length], number)
    return lines


def _positioned(message: str, text: str) -> str:
    """``12: what is wrong`` from tomllib's ``What is wrong (at line 12, column 3)``."""
    found = re.fullmatch(r"(.*) \(at line ([0-9]+), (column [0-9]+)\)", message, re.DOTALL)
    if found:
        return f"{found[2]}: {harmless(found[1])} at {found[3]}"
    return f"{text.count(chr(10)) + 1}: {harmless(message)}"
