"""Where options come from: defaults, under a file, under the environment, under the flags.

The three sources bring texts, and the name of the place where each stands. A list from a higher
source replaces the list of a lower one. An empty variable counts as unset.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ipv6check.config import services, toml
from ipv6check.config.options import OPTIONS, Option, Options
from ipv6check.config.readers import FILE, Origin
from ipv6check.config.target import TargetError
from ipv6check.config.toml import ConfigError, TomlFile
from ipv6check.model.text import closest, harmless, quoted

TABLE = "check"
TABLES = (TABLE, "service", "waiver")
PREFIX = "IPV6CHECK_"
# Variables of the command line alone, which no option of a run stands behind.
OTHER_VARIABLES = frozenset({"IPV6CHECK_DEBUG"})
_FILE_KEYS = tuple(name for name, option in OPTIONS.items() if option.in_file)
# By what follows the prefix.
_VARIABLES = MappingProxyType({name.replace("-", "_").upper(): name for name in OPTIONS})


@dataclass(frozen=True, slots=True)
class Layer:
    """What one source sets, by the names of the fields of `Options`, and where each is set."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def set(self, name: str, texts: Sequence[str], origin: Origin) -> None:
        """Read the texts of an option. Raises ConfigError."""
        option = OPTIONS[name]
        read = [_read(option, text, origin) for text in texts]
        key = name.replace("-", "_")
        self.values[key] = option.join(read) if option.join else read[-1]
        self.places[key] = origin.name

    def over(self, lower: Layer) -> Layer:
        """This layer on top of another one."""
        return Layer({**lower.values, **self.values}, {**lower.places, **self.places})


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
    here = Origin("", cwd, formats)
    from_flags = _from_flags(flags, here)
    from_env = _from_environment(env, here)
    config = from_flags.values.get("config", from_env.values.get("config"))
    from_file = _from_file(config, here)
    whole = Layer()
    layers = {"configuration file": from_file, "environment": from_env, "command line": from_flags}
    for name, layer in layers.items():
        if "control" in layer.values:
            if layer.values.get("no_controls"):
                raise ConfigError(f"{name}: control and no-controls cannot be combined")
            whole.values["no_controls"] = False  # a control takes back what a lower layer says
        whole = layer.over(whole)
    values = whole.values
    if "replay" in values:
        observing = {name.replace("-", "_") for name in OPTIONS if OPTIONS[name].observes}
        for key in sorted(observing & from_flags.values.keys()):
            flag = key.replace("_", "-")
            raise ConfigError(f"--{flag} cannot be used with --replay, which observes nothing")
        values = {key: value for key, value in values.items() if key not in observing}
    return Options(**values, given=frozenset(values), places=whole.places)


def _from_flags(flags: Mapping[str, object | None], here: Origin) -> Layer:
    layer = Layer()
    for key, given in flags.items():
        name = key.replace("_", "-")
        texts = [str(item) for item in given] if isinstance(given, list | tuple) else [str(given)]
        if given is not None and texts:
            layer.set(name, texts, replace(here, name=f"--{name}"))
    return layer


def _from_environment(env: Mapping[str, str], here: Origin) -> Layer:
    layer = Layer()
    ours = {name for name in env if name.startswith(PREFIX)}
    for variable in sorted(ours - OTHER_VARIABLES):
        suffix = variable.removeprefix(PREFIX)
        name = _VARIABLES.get(suffix)
        if name is None:
            near = _nearest(suffix, _VARIABLES, PREFIX)
            raise ConfigError(f"{harmless(variable)} is not a variable of ipv6check{near}")
        text = env[variable]
        parts = [text] if OPTIONS[name].join is None else text.split(",")
        texts = [part.strip() for part in parts if part.strip()]
        if texts:
            layer.set(name, texts, replace(here, name=variable))
    return layer


def _read(option: Option, text: str, origin: Origin) -> object:
    try:
        return option.read(text, origin)
    except TargetError as error:  # a whole sentence already
        raise ConfigError(f"{origin.name}: {error}") from None
    except ValueError as error:
        raise ConfigError(f"{origin.name}: {quoted(text)} {error}") from None


def _from_file(named: Path | None, here: Origin) -> Layer:
    """What the file says, its first error first; nothing where none was named and none is found."""
    path = here.base / FILE if named is None else named
    # One that was only found must be a regular file: opening a FIFO waits for its writer.
    # Where nobody may look, as in another user's home directory, none is found.
    if named is None and not os.path.isfile(path):  # noqa: PTH113 - Path's raises there
        return Layer()
    near = path.relative_to(here.base) if path.is_relative_to(here.base) else path
    file = toml.read(path, harmless(str(near), 200))
    origin = replace(here, base=path.parent, trusted=named is not None)
    layer = Layer()
    for name, table in file.document().items():
        if name == TABLE:
            _read_options(layer, file, table, origin)
        elif name == "service":
            layer.values["services"] = services.services(file, table)
        elif name == "waiver":
            layer.values["waivers"] = services.waivers(file, table)
        else:
            raise ConfigError(f"{file.at(name)}: {_unknown(name, table)}")
    return layer


def _read_options(layer: Layer, file: TomlFile, table: object, origin: Origin) -> None:
    """Set what the table [check] says."""
    if not isinstance(table, dict):
        raise ConfigError(f"{file.at(TABLE)}: {TABLE} is not a table: write [{TABLE}]")
    for key, value in table.items():
        place = f"{file.at(TABLE, key)}: [{TABLE}] {harmless(key)}"
        if key not in _FILE_KEYS:
            near = _nearest(key.replace("_", "-"), _FILE_KEYS)
            raise ConfigError(f"{place} is not a key{near}")
        at = replace(origin, name=place)
        if texts := _texts(OPTIONS[key], value, at):
            layer.set(key, texts, at)


def _unknown(name: str, value: object) -> str:
    """What is wrong with a name at the top of the file."""
    if name in _FILE_KEYS and not isinstance(value, dict):
        return f"{name} belongs in [{TABLE}]"
    if isinstance(value, dict | list):
        near = closest(name, TABLES) or TABLE
        return f"[{harmless(name)}] is not a table of ipv6check; did you mean [{near}]?"
    return f"{harmless(name)} is not a key{_nearest(name.replace('_', '-'), _FILE_KEYS)}"


def _texts(option: Option, value: object, origin: Origin) -> list[str]:
    """The texts of a value of the file, which has to be of the option's kind."""
    items = value if isinstance(value, list) and option.join else [value]
    for item in items:
        kind = toml.kind(item)
        if kind != option.kind and (kind, option.kind) != ("integer", "number"):
            raise ConfigError(f"{origin.name}: {toml.expected(option.kind, item)}")
    return [toml.scalar(item) for item in items]


def _nearest(name: str, names: Iterable[str], prefix: str = "") -> str:
    """``; did you mean "timeout"?``, or where help is."""
    near = closest(name, names)
    return f'; did you mean "{prefix}{near}"?' if near else '; see "ipv6check check --help"'
