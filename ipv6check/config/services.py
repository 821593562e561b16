"""The services and waivers of ``ipv6check.toml``: what a team runs, and which findings it accepts.

The keys of both tables are declared once: from them a table is read, and its JSON Schema is made.
Every error is one line with the file, the line and the value.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from ipv6check.config.profiles import PROFILES
from ipv6check.config.target import Target, TargetError, parse, port_number
from ipv6check.config.toml import ConfigError, TomlFile, expected, kind, meant, scalar
from ipv6check.config.toml_lines import Keys
from ipv6check.model import NoIPv6, Place, Profile, Status, Waiver
from ipv6check.model.text import harmless, quoted

SEVERITIES = ("fail", "warn", "off")
MAX_TEXT = 500
NAME = "[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
# ISO 8601 has other ways to write a day, and Python other digits.
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"


class Key(NamedTuple):
    """A key of a table: its description, and the JSON Schema of its value."""

    about: str
    schema: Mapping[str, Any]
    required: bool = False


def _choice(*words: str) -> Mapping[str, Any]:
    return {"enum": words}


_CHARACTER = r"[^\x00-\x1f\x7f]"
LINE = {"type": "string", "maxLength": MAX_TEXT, "pattern": f"^{_CHARACTER}*$"}
NOT_BLANK = {**LINE, "pattern": rf"^{_CHARACTER}*[^\x00-\x1f\x7f\s]{_CHARACTER}*$"}
DAY = {"type": "string", "format": "date", "pattern": f"^{_DAY}$"}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
_TARGETS = {
    "type": "array",
    "items": {"type": "string", "pattern": r"^\S+$"},
    "minItems": 1,
    "uniqueItems": True,
}
_SEVERITY = {"type": "object", "additionalProperties": _choice(*SEVERITIES)}

SERVICE_KEYS: Mapping[str, Key] = MappingProxyType(
    {
        "targets": Key("Names, addresses or URLs.", _TARGETS, required=True),
        "ports": Key(
            "Ports to check, instead of those of [check].", {"type": "array", "items": PORT}
        ),
        "profile": Key("What is expected of the targets.", _choice(*PROFILES)),
        "owner": Key("Who is responsible for it.", LINE),
        "severity": Key("By check: what its findings count as.", _SEVERITY),
        "vantage": Key(
            "What the checking host must have for the verdict to count.",
            _choice("any", "ipv6", "dual-stack"),
        ),
        "ipv6": Key("none: without IPv6 on purpose; needs reason and review.", _choice("none")),
        "reason": Key("Why it has no IPv6.", NOT_BLANK),
        "review": Key("The day to review that decision, in UTC.", DAY),
    }
)
WAIVER_KEYS: Mapping[str, Key] = MappingProxyType(
    {
        "check": Key("The name of the check.", NOT_BLANK, required=True),
        "target": Key("A target or a host; * and ? match anything.", NOT_BLANK, required=True),
        "subject": Key("Only the finding about this subject.", LINE),
        "reason": Key("Why the finding is accepted.", NOT_BLANK, required=True),
        "owner": Key("Who accepted it.", NOT_BLANK, required=True),
        "expires": Key("Its last day, in UTC.", DAY, required=True),
    }
)


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """A table ``[service.NAME]`` of the file: what a team runs and is responsible for.

    Attributes:
        ports: empty where those of ``[check]`` hold.
        profile: None where that of ``[check]`` holds.
        severity: by check, what its findings count as: fail, warn or off.
        vantage: what the checking host must have for the verdict to count: any, ipv6, dual-stack.
        severity_places: by check, where its severity is written.
        no_ipv6: that it has no IPv6 on purpose; None otherwise.
    """

    name: str
    targets: tuple[Target, ...]
    ports: tuple[int, ...] = ()
    profile: Profile | None = None
    owner: str = ""
    severity: Mapping[str, str] = field(default_factory=dict)
    vantage: str = "any"
    place: Place | None = None
    severity_places: Mapping[str, Place] = field(default_factory=dict)
    no_ipv6: NoIPv6 | None = None

    def judged_by(self, usual: Profile) -> Profile:
        """Its own profile, else the usual one, with its severities applied."""
        profile = self.profile or usual
        off = {check for check, word in self.severity.items() if word == "off"}
        graded = {check: Status(word) for check, word in self.severity.items() if word != "off"}
        return replace(profile, without=profile.without | off, graded={**profile.graded, **graded})


def services(file: TomlFile, tables: object) -> tuple[ServiceConfig, ...]:
    """The services of ``[service.NAME]`` tables, in the order of the file. Raises ConfigError."""
    if not isinstance(tables, dict):
        raise ConfigError(f"{file.at('service')}: service is not a table: write [service.NAME]")
    return tuple(_service(file, name, table) for name, table in tables.items())


def waivers(file: TomlFile, tables: object) -> tuple[Waiver, ...]:
    """The waivers of ``[[waiver]]`` tables, in the order of the file. Raises ConfigError."""
    if not isinstance(tables, list):
        raise ConfigError(f"{file.at('waiver')}: waiver is not a list of tables: write [[waiver]]")
    return tuple(_waiver(file, number, table) for number, table in enumerate(tables))


def checks_named(
    services: Iterable[ServiceConfig], waivers: Iterable[Waiver]
) -> Iterator[tuple[str, str, Place | None]]:
    """Every check that they name, with the key that names it and the key's place."""
    for service in services:
        for check in service.severity:
            yield check, f"[service.{service.name}] severity", service.severity_places.get(check)
    for waiver in waivers:
        yield waiver.check, "[[waiver]] check", waiver.place


def _service(file: TomlFile, name: str, given: object) -> ServiceConfig:
    table = _Table(file, ("service", name), f"[service.{harmless(name)}]", given, SERVICE_KEYS)
    if not re.fullmatch(NAME, name):
        raise ConfigError(
            f"{table.at()}: {quoted(name)} is not a valid service name (letters, digits, . _ and -)"
        )
    table.expect_keys()
    profile = table.choice("profile")
    severity = dict(_severities(table))
    return ServiceConfig(
        name,
        tuple(_targets(table, name)),
        tuple(dict.fromkeys(_ports(table))),
        PROFILES[profile] if profile else None,
        table.text("owner"),
        severity,
        table.choice("vantage") or "any",
        Place(file.name, file.line(*table.keys)),
        {check: Place(file.name, file.line(*table.keys, "severity", check)) for check in severity},
        _no_ipv6(table),
    )


def _no_ipv6(table: _Table) -> NoIPv6 | None:
    """The statement that there is no IPv6 on purpose, with its reason and the day of review."""
    if not table.choice("ipv6"):
        for key in ("reason", "review"):
            if key in table.values:
                raise table.wrong(key, 'only goes with ipv6 = "none"')
        return None
    for key in ("reason", "review"):
        if key not in table.values:
            raise table.wrong("ipv6", f'"none" needs a {key} beside it')
    return NoIPv6(table.text("reason"), _day(table, "review"))


def _targets(table: _Table, service: str) -> Iterator[Target]:
    seen = set()
    texts = table.listed("targets", "string")
    if not texts:
        raise table.wrong("targets", "is empty: a service needs at least one target")
    for number, text in enumerate(map(str, texts)):
        try:
            target = parse(text)
        except TargetError as error:
            raise table.wrong("targets", str(error), number) from None
        if target.key in seen:
            raise table.wrong("targets", f"{quoted(text)} is listed twice", number)
        seen.add(target.key)
        line = table.file.line(*table.keys, "targets", number)
        yield replace(target, service=service, place=Place(table.file.name, line))


def _ports(table: _Table) -> Iterator[int]:
    for number, port in enumerate(table.listed("ports", "integer")):
        try:
            yield port_number(scalar(port))
        except TargetError as error:
            raise table.wrong("ports", str(error), number) from None


def _severities(table: _Table) -> Iterator[tuple[str, str]]:
    for check, word in table.value("severity", "table", {}).items():
        if not isinstance(word, str):
            problem = f"{harmless(check)}: {expected('string', word)}"
            raise table.wrong("severity", problem, check)
        if word not in SEVERITIES:
            problem = f"{harmless(check)} is {quoted(word)}, not one of {', '.join(SEVERITIES)}"
            raise table.wrong("severity", problem, check)
        yield check, word


def _waiver(file: TomlFile, number: int, given: object) -> Waiver:
    table = _Table(file, ("waiver", number), "[[waiver]]", given, WAIVER_KEYS)
    table.expect_keys()
    for key, described in WAIVER_KEYS.items():
        if described.required and key not in table.values:
            raise ConfigError(f"{table.at()}: {table.title} has no {key}")
    return Waiver(
        table.text("check"),
        table.text("target"),
        table.text("reason"),
        table.text("owner"),
        _day(table, "expires"),
        table.text("subject"),
        Place(file.name, file.line("waiver", number)),
    )


def _day(table: _Table, key: str) -> dt.date:
    value = table.values[key]
    if type(value) is dt.date:
        return value
    if isinstance(value, str) and re.fullmatch(_DAY, value):
        with suppress(ValueError):
            return dt.date.fromisoformat(value)
    shown = quoted(value) if isinstance(value, str) else f"a {kind(value)}"
    raise table.wrong(key, f"{shown} is not a date, such as 2027-01-31")


class _Table:
    """One table of the file; its errors name the line.

    Attributes:
        keys: where the table stands in the file.
        title: how the table is written in messages.
        values: what it holds.
    """

    def __init__(
        self, file: TomlFile, keys: Keys, title: str, given: object, known: Mapping[str, Key]
    ) -> None:
        self.file = file
        self.keys = keys
        self.title = title
        self._known = known
        if not isinstance(given, dict):
            raise ConfigError(f"{self.at()}: {title}: {expected('table', given)}")
        self.values: Mapping[str, object] = given

    def at(self, *keys: str | int) -> str:
        """``name:12`` of the table, or of a key in it."""
        return self.file.at(*self.keys, *keys)

    def wrong(self, key: str, what: str, *inner: str | int) -> ConfigError:
        """An error about a key, at its line or that of what is inside of it."""
        return ConfigError(f"{self.at(key, *inner)}: {self.title} {key}: {what}")

    def expect_keys(self) -> None:
        """Raise ConfigError for a key that is not known."""
        for key in self.values:
            if key not in self._known:
                near = meant(key, self._known)
                raise ConfigError(
                    f"{self.at(key)}: {self.title} {harmless(key)} is not a key{near}"
                )

    def value(self, key: str, wanted: str, default: Any) -> Any:
        """The value of a key, ``default`` if it is absent. Raises ConfigError for another kind."""
        if key not in self.values:
            return default
        if kind(self.values[key]) != wanted:
            raise self.wrong(key, expected(wanted, self.values[key]))
        return self.values[key]

    def text(self, key: str) -> str:
        """One line of text. Raises ConfigError."""
        text = str(self.value(key, "string", ""))
        if self._known[key].schema is NOT_BLANK and not text.strip():
            raise self.wrong(key, "is empty")
        if not text.isprintable() or len(text) > MAX_TEXT:
            raise self.wrong(
                key, f"{quoted(text)} is not one line of at most {MAX_TEXT} characters"
            )
        return text

    def choice(self, key: str) -> str:
        """One of the key's words, empty if it is absent. Raises ConfigError for another word."""
        text, words = str(self.value(key, "string", "")), self._known[key].schema["enum"]
        if key in self.values and text not in words:
            raise self.wrong(key, f"{quoted(text)} is not a value of {key}{meant(text, words)}")
        return text

    def listed(self, key: str, wanted: str) -> Sequence[object]:
        """A list whose elements are of one kind. Raises ConfigError."""
        values: Sequence[object] = self.value(key, "list", [])
        for number, element in enumerate(values):
            if kind(element) != wanted:
                raise self.wrong(key, f"{expected(wanted, element)} in the list", number)
        return values
