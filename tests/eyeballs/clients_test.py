"""The clients as data: ours are whole, and a private file is read or refused in one line."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from math import inf
from pathlib import Path

import pytest

from ipv6check.config.toml import MAX_FILE
from ipv6check.eyeballs.clients import ClientsError, load
from ipv6check.eyeballs.policy import KEYS, RFC6555, RFC8305, Policy, PolicyError, tuned

MINE = """
["our proxy"]
client = "proxy"
version = "1"
source = "proxy.conf"
date = "2026-11-21"
sure = "measured"
prefer = "ipv6"
connection_attempt_delay_ms = 120
connect_timeout_ms = inf
last_unlimited = true
addresses_max = 2
"""
NAMED = {
    *("curl", "wget", "chrome", "chrome-hev3", "firefox", "safari", "go", "node", "undici"),
    *("requests", "httpx", "httpx-async", "aiohttp", "asyncio", "java-urlconnection", "java-http"),
    *("okhttp", "netty", "apache-httpclient", "dotnet", "reqwest", "trio", "openssh"),
    "sequential-30s",
}


def write(directory: Path, text: str) -> Path:
    """A directory with one file of clients."""
    (directory / "mine.toml").write_text(text)
    return directory


def test_ours_are_whole() -> None:
    """Every client that we promise is there, with version, source, date and how sure it is."""
    ours = load()
    assert {client.client for client in ours} >= NAMED
    assert len({client.name for client in ours}) == len(ours)
    assert len({(client.client, client.version) for client in ours}) == len(ours)
    for client in ours:
        assert all((client.version, client.source, client.sure))
        assert client.date[:3] == "202"


def test_versions_of_curl_and_node() -> None:
    """Where versions differ, each has an entry."""
    names = {client.name for client in load()}
    assert names >= {"curl 7.88", "curl 8.16", "curl 8.20", "curl 8.22"}
    assert names >= {"node 18", "node 20", "node 26", "okhttp 4", "okhttp 5"}


def test_a_private_client(tmp_path: Path) -> None:
    """A file of a private directory adds a client; what it leaves out is as in a plain one."""
    found = {client.name: client for client in load([write(tmp_path, MINE)])}
    assert found["our proxy"].client == "proxy"
    assert found["our proxy"].policy == Policy(
        prefer="ipv6", connection_attempt_delay_ms=120.0, last_unlimited=True, addresses_max=2
    )
    assert len(found) == len(load()) + 1


def test_a_private_client_replaces_ours(tmp_path: Path) -> None:
    """A client of the same name takes the place of ours."""
    replaced = load([write(tmp_path, MINE.replace("our proxy", "wget"))])
    assert len(replaced) == len(load())
    assert next(client for client in replaced if client.name == "wget").client == "proxy"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('prefre = "ipv6"', "client 'our proxy': unknown key 'prefre', did you mean 'prefer'?"),
        ("xyzzy = 1", "client 'our proxy': unknown key 'xyzzy'"),
        ('prefer = "ipv5"', "client 'our proxy': prefer is 'ipv5': not one of os, ipv6, ipv4"),
        ("prefer = 6", "client 'our proxy': prefer is 6: not one of os, ipv6, ipv4"),
        ("needs_a = 1", "client 'our proxy': needs_a is 1: not true or false"),
        ("addresses_max = 1.5", "client 'our proxy': addresses_max is 1.5: not a whole number"),
        ("addresses_max = -1", "client 'our proxy': addresses_max is -1: not a whole number"),
        ("a_delay_ms = -1", "client 'our proxy': a_delay_ms is -1: not a number of milliseconds"),
        ("a_delay_ms = nan", "client 'our proxy': a_delay_ms is nan: not a number of milliseconds"),
        ('a_delay_ms = "1"', "client 'our proxy': a_delay_ms is '1': not a number of milliseconds"),
        (
            "connection_attempt_delay_ms = 9",
            "client 'our proxy': connection_attempt_delay_ms is 9: the minimum is 10 ms",
        ),
        (
            "first_address_family_count = 0",
            "client 'our proxy': first_address_family_count is less than 1",
        ),
        ("version = 2", "client 'our proxy': version is missing, or not a string"),
    ],
)
def test_a_wrong_file(tmp_path: Path, wrong: str, said: str) -> None:
    """What cannot be used is one line with file, client, key, and the nearest key there is."""
    key = wrong.partition(" ")[0]
    kept = [line for line in MINE.splitlines() if not line.startswith(f"{key} ")]
    directory = write(tmp_path, "\n".join([*kept, wrong]))
    with pytest.raises(ClientsError) as error:
        load([directory])
    assert str(error.value) == f"{directory / 'mine.toml'}:2: {said}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("client = 1", "'client' is not a table; a file of clients has one for each client"),
        ("[a", "Expected ']' at the end of a table declaration"),
        ("a = " + "[" * 50_000, "lists and tables are nested more than 16 deep"),
        ("[a" + ".a" * 20_000 + "]", "a key has more than 16 parts"),
    ],
)
def test_no_file_of_clients(tmp_path: Path, text: str, said: str) -> None:
    """A file of another kind is one line, too."""
    with pytest.raises(ClientsError, match=r"mine\.toml:1: ") as error:
        load([write(tmp_path, text)])
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_never_ends(tmp_path: Path) -> None:
    """A pipe is not waited for, and a device not read to its end."""
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(ClientsError, match=r"pipe\.toml: is not a regular file"):
        load([tmp_path])
    (tmp_path / "pipe.toml").unlink()
    (tmp_path / "zero.toml").write_bytes(b"#" * (MAX_FILE + 1))
    with pytest.raises(ClientsError, match=r"zero\.toml: cannot be read: more than 1048576 bytes"):
        load([tmp_path])


def test_no_directory(tmp_path: Path) -> None:
    """A directory that does not exist is said."""
    with pytest.raises(ClientsError, match="no such directory of clients"):
        load([tmp_path / "none"])


def test_every_parameter_is_explained() -> None:
    """The docstring of Policy is what an author of clients reads."""
    assert Policy.__doc__ is not None
    explained = re.findall(r"^        (\w+): ", Policy.__doc__, re.MULTILINE)
    assert tuple(explained) == KEYS
    assert tuple(field.name for field in fields(Policy)) == KEYS


def test_a_policy_in_code() -> None:
    """No policy can be made that starts attempts closer than 10 ms."""
    with pytest.raises(PolicyError, match="the minimum is 10 ms"):
        Policy(connection_attempt_delay_ms=5.0)
    assert Policy().connection_attempt_delay_ms == inf


def test_other_constants() -> None:
    """The constants of an RFC are options, within its bounds."""
    slow = tuned(RFC8305, connection_attempt_delay_ms=2000.0, resolution_delay_ms=0.0)
    assert (slow.connection_attempt_delay_ms, slow.resolution_delay_ms) == (2000.0, 0.0)
    assert tuned(RFC8305, first_address_family_count=2).first_address_family_count == 2
    assert tuned(RFC6555, connection_attempt_delay_ms=150.0).fallback_delay_ms == 150.0
    assert tuned(RFC8305) == RFC8305


@pytest.mark.parametrize("delay_ms", [9.9, 2001.0, inf, float("nan")])
def test_constants_out_of_bounds(delay_ms: float) -> None:
    """Attempts are never closer than 10 ms, nor further apart than 2 s."""
    with pytest.raises(PolicyError, match="is not between 10 and 2000 ms"):
        tuned(RFC8305, connection_attempt_delay_ms=delay_ms)
