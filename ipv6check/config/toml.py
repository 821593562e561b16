"""A TOML file that was read, and where in it everything stands."""

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
        except ValueError as error:
            raise ConfigError(f"{self.name}:{_positioned(str(error), self.text)}") from None

    def line(self, *keys: str | int) -> int:
        """The line of a key or an element; of what it is in, where it has none of its own."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)

    def at(self, *keys: str | int) -> str:
        """``name:12`` of a key."""
        return f"{self.name}:{self.line(*keys)}"


def read(path: Path, name: str) -> TomlFile:
    """The file at ``path``, shown as ``name``. Raises ConfigError where it cannot be read."""
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
    found = re.fullmatch(r"(.*) \(at line ([0-9]+), (column [0-9]+)\)", message, re.DOTALL)
    if found:
        return f"{found[2]}: {harmless(found[1])} at {found[3]}"
    return f"{text.count(chr(10)) + 1}: {harmless(message)}"
