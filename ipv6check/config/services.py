"""The services and waivers of ``ipv6check.toml``: what a team runs, and what it has agreed on.

Every error is one line with the file, the line and the value.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from ipv6check.config.profiles import PROFILES
from ipv6check.config.target import Target, TargetError, parse, port_number
from ipv6check.config.toml import ConfigError, TomlFile, expected, kind, meant, scalar
from ipv6check.config.toml_lines import Keys
from ipv6check.model import NoIPv6, Place, Profile, Status, Waiver
from ipv6check.model.text import harmless, quoted

SERVICE_KEYS = (
    *("targets", "ports", "profile", "owner", "severity", "vantage"),
    *("ipv6", "reason", "review"),
)
WAIVER_KEYS = ("check", "target", "subject", "reason", "owner", "expires")
SEVERITIES = ("fail", "warn", "off")
# Of which there is one word by now: that there is none, on purpose.
IPV6 = ("none",)
VANTAGES = ("any", "ipv6", "dual-stack")
MAX_TEXT = 500
NAME = "[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
# ISO 8601 has other ways to write one, and Python other digits.
DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"


@dataclass(frozen=True, slots=True)
class Service:
    """What a team runs and answers for: a table ``[service.NAME]`` of the file.

    ``profile`` and ``ports`` are None and empty where those of ``[check]`` hold. ``severity``: by
    check, what becomes of its findings: fail, warn or off. ``vantage``: what the host that checks
    must have for the verdict to count: any, ipv6 or dual-stack. ``no_ipv6``: that it has none on
    purpose.
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
        """Its own profile or the usual one, with its severities."""
        profile = self.profile or usual
        off = {check for check, word in self.severity.items() if word == "off"}
        graded = {check: Status(word) for check, word in self.severity.items() if word != "off"}
        return replace(profile, without=profile.without | off, graded={**profile.graded, **graded})


def services(file: TomlFile, tables: object) -> tuple[Service, ...]:
    """Those of ``[service.NAME]``, in the order of the file. Raises ConfigError."""
    if not isinstance(tables, dict):
        raise ConfigError(f"{file.at('service')}: service is not a table: write [service.NAME]")
    return tuple(_service(file, name, table) for name, table in tables.items())


def waivers(file: TomlFile, tables: object) -> tuple[Waiver, ...]:
    """Those of ``[[waiver]]``, in the order of the file. Raises ConfigError."""
    if not isinstance(tables, list):
        raise ConfigError(f"{file.at('waiver')}: waiver is not a list of tables: write [[waiver]]")
    return tuple(_waiver(file, number, table) for number, table in enumerate(tables))


def checks_named(
    services: Iterable[Service], waivers: Iterable[Waiver]
) -> Iterator[tuple[str, str, Place | None]]:
    """Every check that they name, and where: the key in words, and its place."""
    for service in services:
        for check in service.severity:
            yield check, f"[service.{service.name}] severity", service.severity_places.get(check)
    for waiver in waivers:
        yield waiver.check, "[[waiver]] check", waiver.place


def _service(file: TomlFile, name: str, given: object) -> Service:
    table = _Table(file, ("service", name), f"[service.{harmless(name)}]", given)
    if not re.fullmatch(NAME, name):
        raise ConfigError(
            f"{table.at()}: {quoted(name)} is not a name of a service (letters, digits, . _ and -)"
        )
    table.only(SERVICE_KEYS)
    profile = table.choice("profile", PROFILES)
    severity = dict(_severities(table))
    return Service(
        name,
        tuple(_targets(table, name)),
        tuple(dict.fromkeys(_ports(table))),
        PROFILES[profile] if profile else None,
        table.text("owner"),
        severity,
        table.choice("vantage", VANTAGES) or "any",
        Place(file.name, file.line(*table.keys)),
        {check: Place(file.name, file.line(*table.keys, "severity", check)) for check in severity},
        _no_ipv6(table),
    )


def _no_ipv6(table: _Table) -> NoIPv6 | None:
    """That there is no IPv6 on purpose: never without a reason, and a day to look again."""
    if not table.choice("ipv6", IPV6):
        for key in ("reason", "review"):
            if key in table.values:
                raise table.wrong(key, 'stands beside ipv6 = "none" alone')
        return None
    for key in ("reason", "review"):
        if key not in table.values:
            raise table.wrong("ipv6", f'"none" wants a {key} beside it')
    return NoIPv6(table.text("reason", needed=True), _day(table, "review"))


def _targets(table: _Table, service: str) -> Iterator[Target]:
    seen = set()
    texts = table.listed("targets", "string")
    if not texts:
        raise table.wrong("targets", "names nothing: a service has targets")
    for number, text in enumerate(map(str, texts)):
        try:
            target = parse(text)
        except TargetError as error:
            raise table.wrong("targets", str(error), number) from None
        if target.key in seen:
            raise table.wrong("targets", f"{quoted(text)} stands there twice", number)
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
            told = f"{harmless(check)}: {expected('string', word)}"
            raise table.wrong("severity", told, check)
        if word not in SEVERITIES:
            told = f"{harmless(check)} is {quoted(word)}, not one of {', '.join(SEVERITIES)}"
            raise table.wrong("severity", told, check)
        yield check, word


def _waiver(file: TomlFile, number: int, given: object) -> Waiver:
    table = _Table(file, ("waiver", number), "[[waiver]]", given)
    table.only(WAIVER_KEYS)
    for key in WAIVER_KEYS:
        if key != "subject" and key not in table.values:
            raise ConfigError(f"{table.at()}: {table.title} has no {key}")
    return Waiver(
        table.text("check", needed=True),
        table.text("target", needed=True),
        table.text("reason", needed=True),
        table.text("owner", needed=True),
        _day(table, "expires"),
        table.text("subject"),
        Place(file.name, file.line("waiver", number)),
    )


def _day(table: _Table, key: str) -> dt.date:
    value = table.values[key]
    if type(value) is dt.date:
        return value
    if isinstance(value, str) and re.fullmatch(DAY, value):
        with suppress(ValueError):
            return dt.date.fromisoformat(value)
    shown = quoted(value) if isinstance(value, str) else f"a {kind(value)}"
    raise table.wrong(key, f"{shown} is not a day, such as 2027-01-31")


class _Table:
    """One table of the file, whose errors say where they are."""

    def __init__(self, file: TomlFile, keys: Keys, title: str, given: object) -> None:
        self.file = file
        self.keys = keys
        self.title = title
        if not isinstance(given, dict):
            raise ConfigError(f"{self.at()}: {title}: {expected('table', given)}")
        self.values: Mapping[str, object] = given

    def at(self, *keys: str | int) -> str:
        """``name:12`` of the table, or of what is in it."""
        return self.file.at(*self.keys, *keys)

    def wrong(self, key: str, what: str, *inner: str | int) -> ConfigError:
        """The error of one key, on the line of what is in it."""
        return ConfigError(f"{self.at(key, *inner)}: {self.title} {key}: {what}")

    def only(self, names: Sequence[str]) -> None:
        """Raises ConfigError for any other key."""
        for key in self.values:
            if key not in names:
                near = meant(key, names)
                told = f"{self.title} {harmless(key)} is not a key{near}"
                raise ConfigError(f"{self.at(key)}: {told}")

    def value(self, key: str, wanted: str, default: Any) -> Any:
        """The value of a key, of the kind that is wanted."""
        if key not in self.values:
            return default
        if kind(self.values[key]) != wanted:
            raise self.wrong(key, expected(wanted, self.values[key]))
        return self.values[key]

    def text(self, key: str, *, needed: bool = False) -> str:
        """A line of text; empty only where it is not needed."""
        text = str(self.value(key, "string", ""))
        if needed and not text.strip():
            raise self.wrong(key, "is empty")
        if not text.isprintable() or len(text) > MAX_TEXT:
            raise self.wrong(key, f"{quoted(text)} is not one line of at most {MAX_TEXT} letters")
        return text

    def choice(self, key: str, names: Iterable[str]) -> str:
        """One of these names, or empty."""
        text = str(self.value(key, "string", ""))
        if key in self.values and text not in names:
            raise self.wrong(key, f"{quoted(text)} is not a {key}{meant(text, names)}")
        return text

    def listed(self, key: str, wanted: str) -> Sequence[object]:
        """A list whose elements are of one kind."""
        values: Sequence[object] = self.value(key, "list", [])
        for number, each in enumerate(values):
            if kind(each) != wanted:
                raise self.wrong(key, f"{expected(wanted, each)} in the list", number)
        return values
