"""The named clients: their policies as data, ours and those of a private directory."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ipv6check.eyeballs import policy
from ipv6check.eyeballs.policy import Policy, PolicyError
from ipv6check.wording import closest

OURS = Path(__file__).with_name("clients.toml")
_ABOUT = ("client", "version", "source", "date", "sure")


class ClientsError(ValueError):
    """A file of clients cannot be used: one line that names the file, and the client if it can."""


@dataclass(frozen=True, slots=True)
class Client:
    """A program and how it connects.

    ``name`` is unique, ``client`` is the program's, in words for programs; ``source`` says where
    the policy was found, ``date`` when, ``sure`` how: source, measured, documented or inferred.
    """

    name: str
    client: str
    version: str
    source: str
    date: str
    sure: str
    policy: Policy


def load(directories: Iterable[Path] = ()) -> tuple[Client, ...]:
    """Our clients and those of every ``*.toml`` in these directories, in the order of the files.

    One of the same name replaces what was there. Raises ClientsError.
    """
    return _load(tuple(directories))


@cache
def _load(directories: tuple[Path, ...]) -> tuple[Client, ...]:
    found = {client.name: client for client in read(OURS)}
    for directory in directories:
        if not directory.is_dir():
            raise ClientsError(f"{directory}: no such directory of clients")
        for path in sorted(directory.glob("*.toml")):
            found |= {client.name: client for client in read(path)}
    return tuple(found.values())


def read(path: Path) -> tuple[Client, ...]:
    """The clients of one file: a table for each. Raises ClientsError."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ClientsError(f"{path}: {error}") from error
    return tuple(_client(path, name, table) for name, table in tables.items())


def _client(path: Path, name: str, table: object) -> Client:
    where = f"{path}: client {name!r}"
    if not isinstance(table, Mapping):
        raise ClientsError(f"{path}: {name!r} is no table: a file of clients has one for each")
    for key in _ABOUT:
        if not isinstance(table.get(key), str):
            raise ClientsError(f"{where}: {key} has to be there, and text")
    parameters = {key: value for key, value in table.items() if key not in _ABOUT}
    for key in parameters:
        if key not in policy.KEYS:
            near = closest(key, (*_ABOUT, *policy.KEYS))
            hint = f", did you mean {near!r}?" if near else ""
            raise ClientsError(f"{where}: unknown key {key!r}{hint}")
    try:
        found = policy.from_mapping(parameters)
    except PolicyError as error:
        raise ClientsError(f"{where}: {error}") from error
    about: dict[str, str] = {key: table[key] for key in _ABOUT}
    return Client(name, policy=found, **about)
