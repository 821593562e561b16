"""What the documents tell a reader to run, run: against servers on loopback, under ``sh -e``."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.docs import text
from tests.net.dns_server import DnsServer, Query, reply

PAGES = (
    "README.md",
    *(f"docs/{name}.md" for name in ("recipes", "options", "checks", "json", "exit-codes")),
)
FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
FILE = re.compile(r"(?:#!.*\n)?# (\S+[./]\S+)\n")
# Needs the source, a network and a minute: .ci/run does this.
SET_UP = "python3 -m venv"
CRON = re.compile(r"^(?:\S+ ){5}\w+ (.*)$", re.MULTILINE)
NAGIOS = re.compile(r"command_line +(.*)")


def published(query: Query) -> bytes:
    """Names below example.com are on loopback; one that begins with "old" by IPv4 alone."""
    name = query.name.to_text(omit_final_dot=True)
    if not name.endswith(".example.com"):
        return reply(query, rcode="NXDOMAIN")
    addresses = {"A": "127.0.0.1", "AAAA": "" if name.startswith("old") else "::1"}
    address = addresses.get(query.rdtype, "")
    return reply(query, *([f"{query.name} 300 IN {query.rdtype} {address}"] if address else []))


@contextmanager
def name_server() -> Iterator[str]:
    """The name server's address, while a thread serves it."""
    ready, over = threading.Event(), asyncio.Event()
    address: list[str] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with DnsServer(published) as server:
            address.append("{}:{}".format(*server.address))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def world() -> Iterator[Mapping[str, str]]:
    """The environment in which every name is served on loopback, at one port of both families."""
    with (
        socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server,
        name_server() as dns,
    ):
        port = str(server.getsockname()[1])
        ours = Path(sys.executable).parent
        yield {
            "PATH": f"{ours}:{os.environ['PATH']}",
            "IPV6CHECK_NAMESERVER": dns,
            "IPV6CHECK_PORT": port,
            "IPV6CHECK_INTERNAL": "true",
            "IPV6CHECK_NO_CONTROLS": "true",
            "NEW_IPV6": "::1",
            "NEW_IPV4": "127.0.0.1",
            "INTERNAL_DNS": dns,
            "PUBLIC_DNS": dns,
            "PORT": port,
        }


def sections() -> dict[str, str]:
    """Each page by its headings: what follows a heading is read, and run, in one go."""
    found = {}
    for page in PAGES:
        for section in re.split(r"^(?=## )", text(page), flags=re.MULTILINE):
            title = section.partition("\n")[0].lstrip("# ")
            if FENCE.search(section):
                found[f"{page}: {title}"] = section
    return found


def run(script: str, directory: Path, world: Mapping[str, str]) -> None:
    """Run it as a reader would, and expect that nothing goes wrong."""
    if "jq " in script and shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    done = subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=directory,
        env={"HOME": str(directory), **world},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr


def written(language: str, content: str, directory: Path) -> str:
    """Write the file that a block names in its first line; its name, empty for none."""
    named = FILE.match(content)
    if language == "sh" or named is None:
        return ""
    path = directory / named[1].lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")
    if content.startswith("#!"):
        path.chmod(0o755)
    return path.name


@pytest.mark.parametrize("name", [name for name in sections() if name.startswith("README")])
def test_the_readme_s_commands_work(name: str, tmp_path: Path, world: Mapping[str, str]) -> None:
    """The first that a newcomer types."""
    read(name, tmp_path, world)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in sections() if not name.startswith("README")])
def test_every_command_works(name: str, tmp_path: Path, world: Mapping[str, str]) -> None:
    """As it stands, with the exit code that it promises."""
    read(name, tmp_path, world)


def read(name: str, tmp_path: Path, world: Mapping[str, str]) -> None:
    """Do what a section says, with the files that stand in it."""
    blocks = FENCE.findall(sections()[name])
    files = [written(language, content, tmp_path) for language, content in blocks]
    (tmp_path / "hosts.txt").touch()
    for (language, content), file in zip(blocks, files, strict=True):
        if language == "sh" and SET_UP not in content:
            run(content, tmp_path, world)
        elif file == "ipv6check":  # cron's
            (command,) = CRON.findall(content)
            for directory in ("/etc/ipv6check", "/var/lib/node_exporter"):
                command = command.replace(directory, str(tmp_path))
            command = command.replace("/opt/ipv6check/bin/", "")  # where README keeps it
            run(command, tmp_path, world)
            assert (tmp_path / "ipv6check.prom").stat().st_size > 0
        elif file == "commands.cfg":
            (command,) = NAGIOS.findall(content)
            run(command.replace("$HOSTNAME$", "www.example.com"), tmp_path, world)
        elif language == "yaml":
            for task in yaml.safe_load(content)[0]["tasks"]:
                command = task["ansible.builtin.command"]
                run(command.replace("{{ inventory_hostname }}", "www.example.com"), tmp_path, world)


def test_there_is_something_to_run() -> None:
    """The test above finds what it looks for."""
    assert len(sections()) > 20
