"""The real clients: how each is installed, and how it asks for a URL, its last argument, once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Where `install` puts what does not come from Debian.
DIRECTORY = os.environ.get("IPV6CHECK_CLIENTS", "")
# Debian package: the programs that are taken from it.
DEBIAN = {
    "curl": ("curl",),
    "default-jdk-headless": ("java", "javac"),
    "golang-go": ("go",),
    "npm": ("npm",),
    "wget": ("wget",),
}
PYPI = ("aiohttp", "httpx", "requests", "trio")
NODES = (18, 20, 24, 26)

PYTHON = {
    "requests": "import requests, sys; requests.get(sys.argv[1])",
    "httpx": "import httpx, sys; httpx.get(sys.argv[1])",
    "httpx async": """
import asyncio, httpx, sys
async def main():
    async with httpx.AsyncClient() as client:
        await client.get(sys.argv[1])
asyncio.run(main())
""",
    "aiohttp": """
import aiohttp, asyncio, sys
async def main():
    async with aiohttp.ClientSession() as session, session.get(sys.argv[1]) as response:
        await response.read()
asyncio.run(main())
""",
    "asyncio": """
import asyncio, sys
from urllib.parse import urlsplit
async def main():
    host = urlsplit(sys.argv[1]).hostname
    reader, writer = await asyncio.open_connection(host, 80, happy_eyeballs_delay=0.25)
    writer.write(b"GET / HTTP/1.0\\r\\n\\r\\n")
    await reader.read()
asyncio.run(main())
""",
    "trio": """
import sys, trio
from urllib.parse import urlsplit
async def main():
    stream = await trio.open_tcp_stream(urlsplit(sys.argv[1]).hostname, 80)
    await stream.send_all(b"GET / HTTP/1.0\\r\\n\\r\\n")
    await stream.receive_some()
trio.run(main)
""",
}
PYTHON["asyncio plain"] = PYTHON["asyncio"].replace(", happy_eyeballs_delay=0.25", "")
_NODE = """
const fail = (error) => { console.error(error); process.exit(1) };
require("http").get(process.argv[1], (r) => r.resume()).on("error", fail);
"""
_UNDICI = """
fetch(process.argv[1]).then((r) => r.text(), (e) => { console.error(e); process.exit(1) });
"""
GO = {
    "go": """
package main
import ("io"; "log"; "net/http"; "os")
func main() {
    response, err := http.Get(os.Args[1])
    if err != nil { log.Fatal(err) }
    io.ReadAll(response.Body)
}
""",
    "go dialer": """
package main
import ("io"; "log"; "net"; "net/url"; "os")
func main() {
    parsed, _ := url.Parse(os.Args[1])
    connection, err := net.Dial("tcp", net.JoinHostPort(parsed.Hostname(), "80"))
    if err != nil { log.Fatal(err) }
    io.WriteString(connection, "GET / HTTP/1.0\\r\\n\\r\\n")
    io.ReadAll(connection)
}
""",
}
JAVA = {
    "java urlconnection": """
import java.net.*;
public class Client {
    public static void main(String[] a) throws Exception {
        ((HttpURLConnection) new URL(a[0]).openConnection()).getInputStream().readAllBytes();
    }
}
""",
    "java http": """
import java.net.*;
import java.net.http.*;
public class Client {
    public static void main(String[] a) throws Exception {
        HttpClient.newHttpClient().send(
            HttpRequest.newBuilder(URI.create(a[0])).build(),
            HttpResponse.BodyHandlers.ofString());
        System.exit(0);
    }
}
""",
}


@dataclass(frozen=True, slots=True)
class Program:
    """One client. ``label`` is its own name, ``name`` that of its prediction.

    ``warms_up``: it starts so slowly that its own time is measured, on the machine at hand.
    ``early``: it opens connections before it needs them.
    """

    label: str
    name: str
    command: tuple[str, ...]
    warms_up: bool = False
    within_ms: float = 25.0
    early: bool = False

    def margin_ms(self, measured_ms: float) -> float:
        """How far apart prediction and measurement may be."""
        return max(self.within_ms, 0.05 * measured_ms)

    @property
    def installed(self) -> bool:
        """Whether it can be run here."""
        return shutil.which(self.command[0]) is not None


def programs() -> tuple[Program, ...]:
    """Every client that there is a way to run."""
    home = Path(DIRECTORY).absolute()
    python = str(home / "python/bin/python")
    found = [
        Program("curl", "curl 7.88", ("curl", "-sS", "-o", "/dev/null")),
        Program("wget", "wget", ("wget", "-q", "-O", "/dev/null", "--tries=1")),
        *(Program(name, name, (python, "-c", code)) for name, code in PYTHON.items()),
    ]
    for version in NODES:
        node = str(home / f"node-{version}/node_modules/node/bin/node")
        name = "node 20" if version == 24 else f"node {version}"
        found.append(Program(f"node {version}", name, (node, "-e", _NODE)))
    node = str(home / "node-24/node_modules/node/bin/node")
    found.append(Program("undici", "undici", (node, "-e", _UNDICI)))
    found += [Program(name, name, (str(place(home, name)),)) for name in GO]
    found += [
        Program(name, name, ("java", "-cp", str(place(home, name)), "Client"), warms_up=True)
        for name in JAVA
    ]
    return tuple(found)


def place(home: Path, name: str) -> Path:
    """Where a client that has to be compiled is put."""
    return home / name.replace(" ", "-")


def missing_packages() -> list[str]:
    """The Debian packages that are still to be installed."""
    return [name for name, wanted in DEBIAN.items() if not all(map(shutil.which, wanted))]


def install(home: Path) -> None:
    """Get what does not come from Debian: PyPI, npm's ``node`` packages, and what is compiled."""
    home.mkdir(parents=True, exist_ok=True)
    _run(home, sys.executable, "-m", "venv", "python")
    _run(home, "python/bin/pip", "install", "--quiet", *PYPI)
    for version in NODES:
        directory = home / f"node-{version}"
        directory.mkdir(exist_ok=True)
        _run(
            directory,
            "npm",
            "install",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
            f"node@{version}",
        )
    for name, code in GO.items():
        source = home / f"{place(home, name).name}.go"
        source.write_text(code)
        _run(home, "go", "build", "-o", str(place(home, name)), str(source))
    for name, code in JAVA.items():
        place(home, name).mkdir(exist_ok=True)
        (place(home, name) / "Client.java").write_text(code)
        _run(place(home, name), "javac", "Client.java")


def _run(directory: Path, *command: str) -> None:
    environment = {**os.environ, "GOCACHE": str(directory / "go-cache"), "GOFLAGS": "-mod=mod"}
    subprocess.run(command, cwd=directory, check=True, env=environment)
