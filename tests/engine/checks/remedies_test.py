"""The lines that are told to mend something: real programs take them as they stand."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from ipv6check.engine.checks.remedies import ACCEPT_ICMPV6, ACCEPT_TCP, GET_IPV6, LISTEN
from ipv6check.model.findings import Explained
from tests.lab import requirements

COMMENT = re.compile(r" *(#|//) .*")


def lines(example: str) -> str:
    """An example without its comments."""
    return "\n".join(filter(None, (COMMENT.sub("", line) for line in example.splitlines())))


def takes(program: str, *arguments: str | Path, text: str = "") -> str:
    """What a program says of what it takes without complaint; skips where it is not installed."""
    found = shutil.which(program, path=requirements.search_path())
    if found is None:
        pytest.skip(f"{program} is not installed")
    done = subprocess.run(
        [found, *arguments], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("examples", [LISTEN, ACCEPT_TCP, ACCEPT_ICMPV6, GET_IPV6])
def test_each_is_for_software_that_is_known(examples: Mapping[str, str]) -> None:
    """A check may take any of them for its examples."""
    assert Explained("x", "fail", "x", examples=examples).examples == examples


@pytest.mark.lab
def test_nginx_listens(tmp_path: Path) -> None:
    """Nginx takes both lines in one server."""
    listening = lines(LISTEN["nginx"]).replace(" ssl", "").replace("443", "44300")
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}} "
        f"http {{ access_log off; server {{ {listening} }} }}\n"
    )
    takes("nginx", "-t", "-c", config, "-p", tmp_path)


@pytest.mark.lab
def test_unbound_listens(tmp_path: Path) -> None:
    """Unbound takes the line beside that of IPv4."""
    config = tmp_path / "unbound.conf"
    config.write_text(f"server:\n  interface: 0.0.0.0\n  {lines(LISTEN['Unbound'])}\n")
    takes("unbound-checkconf", config)


@pytest.mark.lab
def test_nsd_listens(tmp_path: Path) -> None:
    """NSD takes the line beside that of IPv4."""
    config = tmp_path / "nsd.conf"
    config.write_text(f"server:\n  ip-address: 0.0.0.0\n  {lines(LISTEN['NSD'])}\n")
    takes("nsd-checkconf", config)


def test_python_listens() -> None:
    """Python's socket is open over both families."""
    call = lines(LISTEN["Python"]).replace("443", "0")
    with eval(call) as server:
        port = server.getsockname()[1]
        for address in ("::1", "127.0.0.1"):
            socket.create_connection((address, port), timeout=5).close()


@pytest.mark.clients
def test_node_listens() -> None:
    """Node's server is on [::], which serves both families."""
    listen = lines(LISTEN["Node.js"]).replace("443", "0, done")
    script = (
        "const server = require('net').createServer();"
        "const done = () => { console.log(JSON.stringify(server.address())); server.close() };"
    )
    assert json.loads(takes("node", "-e", script + listen))["address"] == "::"


TABLES = """
add table inet filter
add chain inet filter input { type filter hook input priority 0; policy drop; }
"""


@pytest.mark.lab
@pytest.mark.parametrize("examples", [ACCEPT_TCP, ACCEPT_ICMPV6])
def test_nft_accepts(examples: Mapping[str, str]) -> None:
    """The kernel takes the rule into the table that Debian's nftables.conf has."""
    rule = lines(examples["nftables"]).replace("nft ", "").replace("\\\n", "")
    in_a_namespace("nft", "-c", "-f", "-", text=f"{TABLES}{rule}\n")


@pytest.mark.lab
@pytest.mark.parametrize("examples", [ACCEPT_TCP, ACCEPT_ICMPV6])
def test_ip6tables_accepts(examples: Mapping[str, str]) -> None:
    """The kernel takes the rule."""
    (rule, *_saving) = lines(examples["ip6tables"]).splitlines()
    in_a_namespace(*rule.split())


def in_a_namespace(program: str, *arguments: str, text: str = "") -> None:
    """The program takes this in a network namespace of its own."""
    if requirements.unavailable() or shutil.which(program, path=requirements.search_path()) is None:
        pytest.skip(f"{program} cannot run in a namespace here")
    takes(*requirements.unshare_command(), program, *arguments, text=text)
