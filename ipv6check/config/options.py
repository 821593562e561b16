"""The options of ``check``: defaults, under a file, under the environment, under the flags.

Each option is written down once, as a field of `Options`: how its text is read, what it is by
default, what its help says. The three sources bring texts and the name of the place they stand at.
A list from a higher source replaces the list of a lower one. An empty variable counts as unset.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ipv6check.config import services as manifest
from ipv6check.config import toml
from ipv6check.config.profiles import PROFILES
from ipv6check.config.services import ServiceConfig
from ipv6check.config.target import (
    Target,
    TargetError,
    address,
    address_and_port,
    endpoint,
    hostname,
    ipv6_address,
    port_number,
)
from ipv6check.config.toml import ConfigError, TomlFile
from ipv6check.model import Profile, Settings, Waiver
from ipv6check.model.settings import all_pauses_s
from ipv6check.model.text import closest, harmless, quoted

FILE = "ipv6check.toml"
TABLE = "check"
TABLES = (TABLE, "service", "waiver")
PREFIX = "IPV6CHECK_"
# The longest row of waits is four: resolve, connect, race the second port, ask the controls.
DEADLINE_TIMEOUTS = 5
MAX_RETRIES = 10
# What is recorded already where there is a recording to judge.
OBSERVING = frozenset(
    {
        *("port", "resolve", "nameserver", "timeout", "deadline", "retries", "internal"),
        *("control", "no_controls"),
        *("happy_eyeballs", "connection_attempt_delay", "resolution_delay"),
    }
)

# a, f and k.root-servers.net: three operators, and addresses that will not change.
ROOT_SERVERS = (
    *("2001:503:ba3e::2:30", "2001:500:2f::f", "2001:7fd::1"),
    *("198.41.0.4", "192.5.5.241", "193.0.14.129"),
)

ALGORITHMS = ("rfc8305", "rfc6555", "v3")

_DECIMAL = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?", re.IGNORECASE)
_WHOLE = re.compile("[0-9]{1,9}")
_CHECK_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_PORT_THEN_ADDRESS = re.compile("([0-9]{1,5}):(.+)", re.DOTALL)
_SWITCH = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a text stands, and what its reader has to know of that.

    ``name`` begins the error's line: ``--timeout``, ``IPV6CHECK_TIMEOUT``,
    ``ipv6check.toml:12: [check] timeout``. Relative paths start at ``base``. ``named``: the user
    gave the text or named its file, which was not merely found in the current directory.
    """

    name: str
    base: Path
    formats: Sequence[str]
    named: bool = True


# Raises ValueError with what is wrong, as the end of a sentence that begins with the text.
Reader = Callable[[str, Source], object]
# By the names of the fields of Options.
Values = dict[str, object]
PLACES = "places"


@dataclass(frozen=True, slots=True)
class Option:
    """How one option is read, and what its help says.

    ``kind`` is the TOML type: boolean, integer, number or string. ``join`` makes the values of a
    repeatable option one; an option without it is given once. ``choices`` are all that it can be,
    where they are few.
    """

    read: Reader
    metavar: str
    help: str
    kind: str = "string"
    join: Callable[[list[Any]], object] | None = None
    in_file: bool = True
    choices: Sequence[str] = ()


def _boolean(text: str, _source: Source) -> bool:
    if text.lower() not in _SWITCH:
        raise ValueError("is neither true nor false")
    return _SWITCH[text.lower()]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Reads a number from ``low`` to ``high``; ``above``: ``low`` is itself too little.

    ``unit`` is empty for a whole number.
    """

    low: int
    high: int
    unit: str = ""
    above: bool = False

    def __call__(self, text: str, _source: Source) -> float:
        """The number. Raises ValueError."""
        # inf, nan and 1_000 are floats to Python, and durations to nobody.
        pattern, number = (_DECIMAL, float) if self.unit else (_WHOLE, int)
        if not pattern.fullmatch(text) or not self._holds(number(text)):
            raise ValueError(f"is not {self._told}")
        return number(text)

    def _holds(self, number: float) -> bool:
        return self.low <= number <= self.high and not (self.above and number == self.low)

    @property
    def _told(self) -> str:
        what = f"a number of {self.unit}" if self.unit else "a whole number"
        if self.above:
            return f"{what} above {self.low} and up to {self.high}"
        return f"{what} from {self.low} to {self.high}"


def _seconds(limit: int) -> Bounds:
    return Bounds(0, limit, "seconds", above=True)


def _choice(*names: str) -> Reader:
    def read(text: str, _source: Source) -> str:
        if text not in names:
            raise ValueError(f"is not one of {', '.join(names)}")
        return text

    return read


def _profile(text: str, _source: Source) -> Profile:
    if text not in PROFILES:
        raise ValueError(f"is not a profile: {', '.join(PROFILES)}")
    return PROFILES[text]


def _check_name(text: str, _source: Source) -> str:
    if not _CHECK_NAME.fullmatch(text):
        raise ValueError("is not the name of a check")
    return text


def _port(text: str, _source: Source) -> int:
    return port_number(text)


@dataclass(frozen=True, slots=True)
class Override:
    """What ``--resolve`` gives a host. ``ports``: the only ones it is for, empty for every port."""

    addresses: tuple[str, ...]
    ports: frozenset[int] = frozenset()


def _resolve(text: str, _source: Source) -> tuple[str, Override]:
    """HOST:ADDR, or as curl has it: HOST:PORT:ADDR, several addresses, in brackets or not."""
    host, _, rest = text.removeprefix("+").partition(":")
    if host == "*":
        raise ValueError("is for every host: name each of them, as HOST:ADDR")
    if host.startswith("-"):
        raise ValueError("takes an entry back, of which there is none here")
    if not host or not rest:
        raise ValueError("is not HOST:ADDR")
    port, texts = _port_and_addresses(rest)
    addresses = dict.fromkeys(address(_unbracketed(each.strip())) for each in texts)
    ports = frozenset({port_number(port)}) if port else frozenset[int]()
    return hostname(host), Override(tuple(addresses), ports)


def _port_and_addresses(text: str) -> tuple[str, list[str]]:
    """What stands behind HOST: a port or none, and addresses."""
    found = _PORT_THEN_ADDRESS.fullmatch(text)
    if found is None or not _begins_with_port(text.partition(",")[0]):
        return "", text.split(",")
    return found[1], found[2].split(",")


def _unbracketed(text: str) -> str:
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text


def _begins_with_port(text: str) -> bool:
    """Whether it is PORT:ADDR: 443:2001:db8::1 is an address by itself, but one of nobody's."""
    try:
        whole = ipaddress.IPv6Address(text)
        rest = ipaddress.IPv6Address(text.partition(":")[2])
    except ValueError:
        return not _is_ipv6(text)
    # 64:ff9b::/96 (RFC 6052) is the one in use that looks alike, and what follows 64: is multicast.
    return whole.is_reserved and not rest.is_reserved and not rest.is_multicast


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def _nameserver(text: str, _source: Source) -> str:
    server, port = address_and_port(text, default=53)
    return server if port == 53 else endpoint(server, port)


def _control(text: str, _source: Source) -> str:
    control, port = address_and_port(text, default=0)
    if ":" in control:
        control = ipv6_address(control)
    return endpoint(control, port) if port else control


def _path(text: str, source: Source) -> Path:
    if not text or "\0" in text:
        raise ValueError("is not a path")
    return source.base / text


def _code_directory(text: str, source: Source) -> Path:
    if not source.named:
        raise ValueError(f"is code to run, and {FILE} was only found here: name it with --config")
    return _path(text, source)


def _format(text: str, source: Source) -> str:
    if text not in source.formats:
        raise ValueError(f"is not one of {', '.join(source.formats)}")
    return text


def _save(text: str, source: Source) -> tuple[str, Path]:
    name, equals, where = text.partition("=")
    if not equals or where in {"", "-"}:
        raise ValueError("is not FORMAT=PATH")
    if name not in source.formats:
        raise ValueError(f"names a format that is not one of {', '.join(source.formats)}")
    path = _path(where, source)
    # Whoever wrote a file that was only found here must not choose which of the user's is lost.
    if not source.named and not _inside(path, source.base):
        raise ValueError(f"is outside, and {FILE} was only found here: name it with --config")
    return name, path


def _replay(text: str, source: Source) -> Path:
    return Path(text) if text == "-" else _path(text, source)


def _inside(path: Path, directory: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory))


def _distinct(values: list[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


def _by_host(values: list[tuple[str, Override]]) -> Mapping[str, Override]:
    hosts: dict[str, Override] = {}
    for host, given in values:
        known = hosts.setdefault(host, given)
        addresses = tuple(dict.fromkeys((*known.addresses, *given.addresses)))
        every = not known.ports or not given.ports
        if known.ports != given.ports and {*known.addresses} != {*given.addresses}:
            raise ConfigError(f"--resolve: {host} has other addresses on one port than on another")
        hosts[host] = Override(addresses, frozenset() if every else known.ports | given.ports)
    return hosts


@dataclass(frozen=True, slots=True)
class Options:
    """Every option of ``check``; a field's name with hyphens is the option's. Times in seconds."""

    port: tuple[int, ...] = field(
        default=(),
        metadata={
            "option": Option(
                _port,
                "PORT",
                "Port to check where the target names none, instead of the profile's. Repeatable.",
                "integer",
                _distinct,
            )
        },
    )
    profile: Profile = field(
        default=PROFILES["web"],
        metadata={
            "option": Option(
                _profile,
                "NAME",
                f"What is expected: {', '.join(PROFILES)}.",
                choices=tuple(PROFILES),
            )
        },
    )
    only: frozenset[str] = field(
        default=frozenset(),
        metadata={
            "option": Option(
                _check_name, "CHECK", "Run this check alone. Repeatable.", join=frozenset
            )
        },
    )
    skip: frozenset[str] = field(
        default=frozenset(),
        metadata={
            "option": Option(
                _check_name, "CHECK", "Leave this check out. Repeatable.", join=frozenset
            )
        },
    )
    resolve: Mapping[str, Override] = field(
        default_factory=dict,
        metadata={
            "option": Option(
                _resolve,
                "HOST:ADDR",
                "Take ADDR for HOST instead of asking the DNS, or HOST:PORT:ADDR. Repeatable.",
                join=_by_host,
            )
        },
    )
    nameserver: tuple[str, ...] = field(
        default=(),
        metadata={
            "option": Option(
                _nameserver,
                "ADDR",
                "Ask this name server instead of the system's; [ADDR]:PORT too. Repeatable.",
                join=_distinct,
            )
        },
    )
    timeout: float = field(
        default=3.0,
        metadata={
            "option": Option(_seconds(300), "SECONDS", "Longest wait for one answer.", "number")
        },
    )
    deadline: float | None = field(
        default=None,
        metadata={
            "option": Option(
                _seconds(3600),
                "SECONDS",
                "Longest time for one target; five timeouts for each attempt if not given.",
                "number",
            )
        },
    )
    retries: int = field(
        default=0,
        metadata={
            "option": Option(
                Bounds(0, MAX_RETRIES),
                "N",
                "Try a target again, up to N times, after a timeout, a reset or a SERVFAIL.",
                "integer",
            )
        },
    )
    run_deadline: float | None = field(
        default=None,
        metadata={
            "option": Option(_seconds(604_800), "SECONDS", "Longest time for the run.", "number")
        },
    )
    parallel: int = field(
        default=128,
        metadata={"option": Option(Bounds(1, 4096), "N", "Probes under way at once.", "integer")},
    )
    internal: bool = field(
        default=False,
        metadata={
            "option": Option(
                _boolean, "", "Private and loopback addresses are fine here.", "boolean"
            )
        },
    )
    control: tuple[str, ...] = field(
        default=ROOT_SERVERS,
        metadata={
            "option": Option(
                _control,
                "ADDR",
                "Address known to be up, asked when everything timed out; [ADDR]:PORT shows "
                "whether that port is blocked on the way out. Repeatable.",
                join=_distinct,
            )
        },
    )
    no_controls: bool = field(
        default=False,
        metadata={"option": Option(_boolean, "", "Contact nothing but the target.", "boolean")},
    )
    firewall: tuple[Path, ...] = field(
        default=(),
        metadata={
            "option": Option(
                _path,
                "RULES",
                "Judge the target by these firewall rules, before they are in force. Repeatable.",
                join=_distinct,
            )
        },
    )
    no_nft: bool = field(
        default=False,
        metadata={
            "option": Option(
                _boolean,
                "",
                "Do not ask nft, in a namespace of its own, what it makes of such files.",
                "boolean",
            )
        },
    )
    happy_eyeballs: str = field(
        default="rfc8305",
        metadata={
            "option": Option(
                _choice(*ALGORITHMS),
                "|".join(ALGORITHMS),
                "How the race of fallback is run.",
                choices=ALGORITHMS,
            )
        },
    )
    connection_attempt_delay: float | None = field(
        default=None,
        metadata={
            "option": Option(
                Bounds(10, 2000, "milliseconds"),
                "MS",
                "Between two attempts of the race, 10 to 2000; 250 if not given.",
                "number",
            )
        },
    )
    resolution_delay: float | None = field(
        default=None,
        metadata={
            "option": Option(
                Bounds(0, 2000, "milliseconds"),
                "MS",
                "How long the race waits for AAAA once it has A; 50 if not given.",
                "number",
            )
        },
    )
    clients_dir: tuple[Path, ...] = field(
        default=(),
        metadata={
            "option": Option(
                _path,
                "DIR",
                "Predict the fallback of the clients in DIR too. Repeatable.",
                join=_distinct,
            )
        },
    )
    checks_dir: tuple[Path, ...] = field(
        default=(),
        metadata={
            "option": Option(
                _code_directory,
                "DIR",
                "Load private checks from DIR too. Repeatable.",
                join=_distinct,
            )
        },
    )
    config: Path | None = field(
        default=None,
        metadata={
            "option": Option(
                _path, "PATH", f"Configuration file, instead of ./{FILE}.", in_file=False
            )
        },
    )
    format: str = field(
        default="table",
        metadata={"option": Option(_format, "FORMAT", "Format of the report on standard output.")},
    )
    save: tuple[tuple[str, Path], ...] = field(
        default=(),
        metadata={
            "option": Option(
                _save, "FORMAT=PATH", "Write a report to a file too. Repeatable.", join=_distinct
            )
        },
    )
    baseline: Path | None = field(
        default=None,
        metadata={
            "option": Option(
                _path,
                "PATH",
                "Earlier report, json or jsonl: what it has already does not make the exit code 1.",
            )
        },
    )
    replay: Path | None = field(
        default=None,
        metadata={
            "option": Option(
                _replay,
                "PATH",
                "Judge what --save observations=PATH has recorded; - is standard input. No packet.",
                in_file=False,
            )
        },
    )
    fail_on: str = field(
        default="fail",
        metadata={
            "option": Option(
                _choice("fail", "warn"),
                "fail|warn",
                "What makes the exit code 1.",
                choices=("fail", "warn"),
            )
        },
    )
    on_unknown: str = field(
        default="fail",
        metadata={
            "option": Option(
                _choice("fail", "pass"),
                "fail|pass",
                "Whether verdict unknown makes the exit code 3.",
                choices=("fail", "pass"),
            )
        },
    )
    quiet: bool = field(
        default=False,
        metadata={"option": Option(_boolean, "", "Show only what is not well.", "boolean")},
    )
    verbose: bool = field(
        default=False,
        metadata={"option": Option(_boolean, "", "Show the evidence too.", "boolean")},
    )
    # Of the file alone.
    services: tuple[ServiceConfig, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    # The names of the options that somebody set.
    given: frozenset[str] = field(default=frozenset(), compare=False)
    # Where each of them was set, as errors tell it.
    places: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets of all services."""
        return tuple(target for service in self.services for target in service.targets)

    @property
    def named(self) -> Callable[[Target], tuple[Target, ...]]:
        """What a target that somebody names means: as it stands in the services, or else as it is.

        Ask once for it: the services are put in order for each.
        """
        known: dict[object, tuple[Target, ...]] = {}
        for each in self.targets:
            key = replace(each, service="").key
            known[key] = (*known.get(key, ()), each)
        return lambda target: known.get(target.key, (target,))

    @property
    def controls(self) -> tuple[str, ...]:
        """The controls that may be asked: none with ``--no-controls``.

        One of a port tells of nothing else; the usual ones stay beside it.
        """
        if self.no_controls:
            return ()
        of_ports = all(each.startswith("[") or each.count(":") == 1 for each in self.control)
        return (*self.control, *ROOT_SERVERS) if of_ports else self.control

    @property
    def settings(self) -> Settings:
        """What the run has to know of them."""
        return Settings(
            self.profile,
            self.port,
            self.only,
            self.skip,
            {host: each.addresses for host, each in self.resolve.items()},
            self.nameserver,
            self.timeout,
            self.deadline
            or (1 + self.retries) * DEADLINE_TIMEOUTS * self.timeout + all_pauses_s(self.retries),
            self.run_deadline,
            self.parallel,
            self.internal,
            self.controls,
            happy_eyeballs=self.happy_eyeballs,
            connection_attempt_delay_ms=self.connection_attempt_delay,
            resolution_delay_ms=self.resolution_delay,
            clients_dirs=self.clients_dir,
            retries=self.retries,
        )


OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        item.name.replace("_", "-"): item.metadata["option"]
        for item in fields(Options)
        if "option" in item.metadata
    }
)
_FILE_KEYS = tuple(name for name, option in OPTIONS.items() if option.in_file)
# By what follows the prefix.
_VARIABLES = MappingProxyType({name.replace("-", "_").upper(): name for name in OPTIONS})


def load(
    flags: Mapping[str, object | None],
    env: Mapping[str, str],
    cwd: Path,
    formats: Sequence[str],
) -> Options:
    """The options of a run.

    Args:
        flags: what the command line gave, by the option's name with hyphens or underscores; None
            and an empty list are not given.
        env: the environment; only ``IPV6CHECK_…`` is looked at.
        cwd: where relative paths start, and where ``ipv6check.toml`` is looked for.
        formats: the formats that ``--format`` and ``--save`` can name.

    Raises:
        ConfigError: one of them is unknown or not acceptable, or the file cannot be read.
    """
    here = Source("", cwd, formats)
    from_flags = _from_flags(flags, here)
    from_env = _from_environment(env, here)
    config = from_flags.get("config", from_env.get("config"))
    from_file = _from_file(config if isinstance(config, Path) else None, here)
    values: dict[str, Any] = {}
    layers = {"configuration file": from_file, "environment": from_env, "command line": from_flags}
    for name, layer in layers.items():
        if "control" in layer:
            if layer.get("no_controls"):
                raise ConfigError(f"{name}: control and no-controls exclude each other")
            values["no_controls"] = False  # what was said below is taken back
        values |= {**layer, PLACES: {**_places(values), **_places(layer)}}
    if "replay" in values:
        for name in sorted(OBSERVING & from_flags.keys()):
            flag = name.replace("_", "-")
            raise ConfigError(f"--{flag} changes what is observed, and --replay observes nothing")
        values = {name: value for name, value in values.items() if name not in OBSERVING}
    return Options(**values, given=frozenset(values))


def _from_flags(flags: Mapping[str, object | None], here: Source) -> Values:
    values: Values = {}
    for key, given in flags.items():
        name = key.replace("_", "-")
        texts = [str(item) for item in given] if isinstance(given, list | tuple) else [str(given)]
        if given is not None and texts:
            _set(values, name, texts, replace(here, name=f"--{name}"))
    return values


def _from_environment(env: Mapping[str, str], here: Source) -> Values:
    values: Values = {}
    for variable in sorted(name for name in env if name.startswith(PREFIX)):
        suffix = variable.removeprefix(PREFIX)
        name = _VARIABLES.get(suffix)
        if name is None:
            near = _nearest(suffix, _VARIABLES, PREFIX)
            raise ConfigError(f"{harmless(variable)} is not a variable of ipv6check{near}")
        text = env[variable]
        parts = [text] if OPTIONS[name].join is None else text.split(",")
        texts = [part.strip() for part in parts if part.strip()]
        if texts:
            _set(values, name, texts, replace(here, name=variable))
    return values


def _set(values: Values, name: str, texts: list[str], source: Source) -> None:
    option = OPTIONS[name]
    read = [_read(option, text, source) for text in texts]
    field_ = name.replace("-", "_")
    values[field_] = option.join(read) if option.join else read[-1]
    values[PLACES] = {**_places(values), field_: source.name}


def _places(values: Values) -> Mapping[str, str]:
    known = values.get(PLACES, {})
    assert isinstance(known, Mapping)
    return known


def _read(option: Option, text: str, source: Source) -> object:
    try:
        return option.read(text, source)
    except TargetError as error:  # a whole sentence already
        raise ConfigError(f"{source.name}: {error}") from None
    except ValueError as error:
        raise ConfigError(f"{source.name}: {quoted(text)} {error}") from None


def _from_file(named: Path | None, here: Source) -> Values:
    """What the file says; nothing where none was named and none is found."""
    path = here.base / FILE if named is None else named
    # One that was only found must be a regular file: opening a FIFO waits for its writer.
    # Where nobody may look, as in another user's home directory, none is found.
    if named is None and not os.path.isfile(path):  # noqa: PTH113 - Path's raises there
        return {}
    near = path.relative_to(here.base) if path.is_relative_to(here.base) else path
    file = toml.read(path, harmless(str(near), 200))
    document = file.document()
    for name, value in document.items():
        if name not in TABLES:
            raise ConfigError(f"{file.at(name)}: {_stranger(name, value)}")
    source = replace(here, base=path.parent, named=named is not None)
    values: Values = {
        "services": manifest.services(file, document.get("service", {})),
        "waivers": manifest.waivers(file, document.get("waiver", [])),
    }
    for key, given in _options(file, document.get(TABLE, {})).items():
        at = replace(source, name=f"{file.at(TABLE, key)}: [{TABLE}] {key}")
        if texts := _toml_texts(OPTIONS[key], given, at):
            _set(values, key, texts, at)
    return values


def _options(file: TomlFile, table: object) -> Mapping[str, object]:
    """The keys of the table, every one of them an option's name."""
    if not isinstance(table, dict):
        raise ConfigError(f"{file.at(TABLE)}: {TABLE} is not a table: write [{TABLE}]")
    for key in table:
        if key not in _FILE_KEYS:
            near = _nearest(key.replace("_", "-"), _FILE_KEYS)
            at = file.at(TABLE, key)
            raise ConfigError(f"{at}: [{TABLE}] {harmless(key)} is not a key{near}")
    return table


def _stranger(name: str, value: object) -> str:
    """What is wrong with a name outside of the table."""
    if name in _FILE_KEYS and not isinstance(value, dict):
        return f"{name} stands outside of its table: write [{TABLE}] before it"
    if isinstance(value, dict | list):
        near = closest(name, TABLES) or TABLE
        return f"[{harmless(name)}] is not a table of ipv6check; did you mean [{near}]?"
    return f"{harmless(name)} is not a key{_nearest(name.replace('_', '-'), _FILE_KEYS)}"


def _toml_texts(option: Option, value: object, source: Source) -> list[str]:
    items = value if isinstance(value, list) and option.join else [value]
    return [_toml_text(option.kind, item, source) for item in items]


def _toml_text(kind: str, value: object, source: Source) -> str:
    found = toml.kind(value)
    if found != kind and (found, kind) != ("integer", "number"):
        raise ConfigError(f"{source.name}: {toml.expected(kind, value)}")
    return toml.scalar(value)


def _nearest(name: str, names: Iterable[str], prefix: str = "") -> str:
    """``; did you mean "timeout"?``, or where help is."""
    near = closest(name, names)
    return f'; did you mean "{prefix}{near}"?' if near else '; see "ipv6check check --help"'
