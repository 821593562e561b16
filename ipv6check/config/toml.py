"""A TOML file, with the line of every key in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ipv6check.config.toml_lines import Keys, TooMuchError, lines_of
from ipv6check.model import BadInputError
from ipv6check.model.text import closest, harmless, quoted

MAX_FILE = 1 << 20  # bytes

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


class ConfigError(BadInputError):
    """A setting that cannot be used. The message is one printable line with its place."""


@dataclass(frozen=True, slots=True)
class TomlFile:
    """The text of a file.

    Attributes:
        name: the file's name in messages.
        lines: the line of each key, table and element, from 1.
    """

    name: str
    text: str
    lines: Mapping[Keys, int]

    def document(self) -> Mapping[str, object]:
        """The parsed document. Raises ConfigError if it is not TOML."""
        import tomllib  # noqa: PLC0415 - most runs have no file

        try:
            return tomllib.loads(self.text)
        except ValueError as error:
            raise ConfigError(f"{self.name}:{_positioned(str(error), self.text)}") from None

    def line(self, *keys: str | int) -> int:
        """The line of a key or an element; if it has none, that of what contains it."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)

    def at(self, *keys: str | int) -> str:
        """``name:12`` of a key."""
        return f"{self.name}:{self.line(*keys)}"


def read(path: Path, name: str) -> TomlFile:
    """The file at ``path``, called ``name`` in messages. Raises ConfigError if it is unreadable."""
    try:
        with path.open("rb") as file:
            text = _decoded(file.read(MAX_FILE + 1))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{name}: cannot be read: {reason}") from None
    try:
        return TomlFile(name, text, lines_of(text))
    except TooMuchError as error:
        raise ConfigError(f"{name}:{error}") from None


def kind(value: object) -> str:
    """TOML's word for the type: string, integer, number, boolean, list, table, date or time."""
    return _KINDS.get(type(value), "date or time")


def expected(wanted: str, value: object) -> str:
    """A message about a value of the wrong type."""
    text = scalar(value)
    return f"expected {wanted}, found {kind(value)}{f' {quoted(text)}' if text else ''}"


def scalar(value: object) -> str:
    """The text of a value; empty for lists and tables."""
    if isinstance(value, list | dict):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    # str() refuses an integer of thousands of digits, which hexadecimal notation can bring in.
    return hex(value) if isinstance(value, int) and value.bit_length() > 64 else str(value)


def meant(name: str, names: Iterable[str]) -> str:
    """``; did you mean "timeout"?``, or all valid names."""
    names = [*names]
    near = closest(name, names)
    return f'; did you mean "{near}"?' if near else f"; valid: {', '.join(names)}"


def _decoded(octets: bytes) -> str:
    if len(octets) > MAX_FILE:
        raise ValueError(f"more than {MAX_FILE} bytes")
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is not UTF-8") from None


def _positioned(message: str, text: str) -> str:
    """``12: what is wrong`` from tomllib's ``What is wrong (at line 12, column 3)``."""
    match = re.fullmatch(r"(.*) \(at line ([0-9]+), (column [0-9]+)\)", message, re.DOTALL)
    if match:
        return f"{match[2]}: {harmless(match[1])} at {match[3]}"
    return f"{text.count(chr(10)) + 1}: {harmless(message)}"
