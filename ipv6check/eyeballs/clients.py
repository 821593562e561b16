"""The known clients: their policies as data, ours and those of private directories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ipv6check.config import toml
from ipv6check.config.toml import ConfigError, TomlFile
from ipv6check.eyeballs import policy
from ipv6check.eyeballs.policy import Policy, PolicyError
from ipv6check.model import BadInputError
from ipv6check.model.text import closest, harmless

OURS = Path(__file__).with_name("clients.toml")
_ABOUT = ("client", "version", "source", "date", "sure")


class ClientsError(BadInputError):
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
    clients = {client.name: client for client in read(OURS)}
    for directory in directories:
        if not directory.is_dir():
            raise ClientsError(f"{directory}: no such directory of clients")
        for path in sorted(directory.glob("*.toml")):
            clients |= {client.name: client for client in read(path)}
    return tuple(clients.values())


def read(path: Path) -> tuple[Client, ...]:
    """The clients of one file: a table for each. Raises ClientsError."""
    shown = harmless(str(path), 200)
    if path.exists() and not path.is_file():  # opening a FIFO waits for its writer
        raise ClientsError(f"{shown}: is not a regular file")
    try:
        file = toml.read(path, shown)
        tables = file.document()
    except ConfigError as error:
        raise ClientsError(str(error)) from error
    return tuple(_client(file, name, table) for name, table in tables.items())


def _client(file: TomlFile, name: str, table: object) -> Client:
    where = f"{file.at(name)}: client {name!r}"
    if not isinstance(table, Mapping):
        reason = f"{name!r} is not a table; a file of clients has one for each client"
        raise ClientsError(f"{file.at(name)}: {reason}")
    for key in _ABOUT:
        if not isinstance(table.get(key), str):
            raise ClientsError(f"{where}: {key} is missing, or not a string")
    parameters = {key: value for key, value in table.items() if key not in _ABOUT}
    for key in parameters:
        if key not in policy.KEYS:
            near = closest(key, (*_ABOUT, *policy.KEYS))
            hint = f", did you mean {near!r}?" if near else ""
            raise ClientsError(f"{where}: unknown key {key!r}{hint}")
    try:
        own = policy.from_mapping(parameters)
    except PolicyError as error:
        raise ClientsError(f"{where}: {error}") from error
    about: dict[str, str] = {key: table[key] for key in _ABOUT}
    return Client(name, policy=own, **about)
