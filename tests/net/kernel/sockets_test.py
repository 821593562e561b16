"""What listens on this host, as the kernel tells it of real sockets."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from ipv6check.model import Failure, Kind, Listener
from ipv6check.net.kernel import sockets
from tests.lab import Lab

V6, V4 = socket.AF_INET6, socket.AF_INET
NAME = Path("/proc/self/comm").read_text("ascii").strip()


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Sockets to be closed at the end."""
    with ExitStack() as stack:
        yield stack


def listen(
    opened: ExitStack, family: int, address: str, port: int = 0, *, v6only: bool | None = None
) -> int:
    """The port of a socket that listens, shared with others that want it."""
    sock = opened.enter_context(closing(socket.socket(family)))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if v6only is not None:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    sock.bind((address, port))
    sock.listen()
    return int(sock.getsockname()[1])


def on(port: int) -> list[Listener]:
    """What listens on a port."""
    found = sockets.listening()
    assert isinstance(found, tuple)
    return [listener for listener in found if (listener.protocol, listener.port) == ("tcp", port)]


@pytest.mark.parametrize(
    ("family", "address", "v6only", "told", "dual"),
    [
        (V4, "0.0.0.0", None, "0.0.0.0", False),
        (V4, "127.0.0.1", None, "127.0.0.1", False),
        (V6, "::", True, "::", False),
        (V6, "::", False, "::", True),
        (V6, "::1", None, "::1", False),
        (V6, "::1", False, "::1", False),
        (V6, "::ffff:0.0.0.0", False, "0.0.0.0", False),
        (V6, "::ffff:127.0.0.1", False, "127.0.0.1", False),
    ],
)
def test_one_socket(
    opened: ExitStack,
    family: int,
    address: str,
    v6only: bool | None,  # noqa: FBT001
    told: str,
    dual: bool,  # noqa: FBT001
) -> None:
    """Family, IPV6_V6ONLY and mapped addresses are told as packets meet them, with our name."""
    port = listen(opened, family, address, v6only=v6only)
    assert on(port) == [Listener("tcp", told, port, dual, "", (NAME,))]


def test_two_sockets(opened: ExitStack) -> None:
    """A socket of each family comes as two, IPv6 first."""
    port = listen(opened, V6, "::", v6only=True)
    listen(opened, V4, "0.0.0.0", port)
    assert [listener.address for listener in on(port)] == ["::", "0.0.0.0"]


def test_many_sockets_of_one_kind_are_one(opened: ExitStack) -> None:
    """Workers that share a port (SO_REUSEPORT) are one listener."""
    port = listen(opened, V6, "::", v6only=False)
    listen(opened, V6, "::", port, v6only=False)
    assert len(on(port)) == 1


def test_what_is_connected_does_not_listen(opened: ExitStack) -> None:
    """Only sockets that wait for others are told."""
    port = listen(opened, V4, "127.0.0.1")
    client = opened.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
    assert on(client.getsockname()[1]) == []


def test_udp(opened: ExitStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A UDP socket on a port that programs choose is told; one on a port of clients is not."""
    ranges = tmp_path / "range"
    monkeypatch.setattr(sockets, "PORT_RANGE", ranges)
    sock = opened.enter_context(closing(socket.socket(V6, socket.SOCK_DGRAM)))
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", 0))
    port = sock.getsockname()[1]
    wanted = Listener("udp", "::", port, dual=True, programs=(NAME,))
    for text, listed in (("1 2\n", True), (f"{port} {port}\n", False), ("", True)):
        ranges.write_text(text)
        found = sockets.listening()
        assert isinstance(found, tuple)
        assert (wanted in found) is listed
    sock.connect(("::1", 9))
    assert not [listener for listener in sockets.listening() if listener.port == port]  # type: ignore[union-attr]


def test_a_table_that_is_not_there() -> None:
    """An error is an error, and not a host on which nothing listens: 255 is no protocol.

    Regression: pyroute2 takes the kernel's error for the end of an empty table.
    """
    sockets._STATES[255] = 1
    sockets._NAMES[255] = "none"
    try:
        found = sockets.listening()
    finally:
        del sockets._STATES[255], sockets._NAMES[255]
    assert isinstance(found, Failure)
    assert found.kind is Kind.PERMISSION
    assert (
        found.detail == "cannot read which sockets listen on this host: No such file or directory"
    )


def test_a_kernel_without_the_attribute(opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word on IPV6_V6ONLY nobody knows what ``[::]`` serves: that is no guess of ours."""
    listen(opened, V6, "::")
    monkeypatch.setattr(sockets, "_V6ONLY", "INET_DIAG_OF_ANOTHER_TIME")
    found = sockets.listening()
    assert isinstance(found, Failure)
    assert "IPV6_V6ONLY" in found.detail


def test_no_netlink_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox or another system without such sockets is a Failure."""

    def refuse(*_: object) -> Any:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(sockets, "_sockets", refuse)
    found = sockets.listening()
    assert isinstance(found, Failure)
    assert found.detail.endswith("Operation not permitted")


def test_programs_that_are_nobodys_business(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where /proc shows nothing, sockets are told without names."""
    port = listen(opened, V6, "::1")
    (tmp_path / "1").mkdir()  # a process whose descriptors are not to be seen
    for proc in (tmp_path, tmp_path / "none"):
        monkeypatch.setattr(sockets, "PROC", proc)
        assert [listener.programs for listener in on(port)] == [()]


def test_a_process_that_ends_meanwhile(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What has gone before its name was read is left out."""
    port = listen(opened, V6, "::1")
    (sock,) = (path for path in Path("/proc/self/fd").iterdir() if _inode(path, port))
    (tmp_path / "7" / "fd").mkdir(parents=True)
    (tmp_path / "7" / "fd" / "3").symlink_to(os.readlink(sock))  # noqa: PTH115 - no path
    (tmp_path / "7" / "fd" / "4").write_text("closed meanwhile")
    monkeypatch.setattr(sockets, "PROC", tmp_path)
    assert [listener.programs for listener in on(port)] == [()]


def _inode(descriptor: Path, port: int) -> bool:
    """Whether a descriptor is the socket on this port."""
    try:
        with socket.socket(fileno=os.dup(int(descriptor.name))) as sock:
            return bool(sock.getsockname()[1] == port)
    except (OSError, IndexError):
        return False


SCRIPT = """
import dataclasses, json, socket
from ipv6check.net.kernel.sockets import listening
link_local = next(
    line.split()[0] for line in open("/proc/net/if_inet6") if line.split()[3] == "20"
)
address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(link_local))
local = socket.socket(socket.AF_INET6)
local.bind((address, 81, 0, socket.if_nametoindex("eth0")))
local.listen()
bound = socket.socket(socket.AF_INET)
bound.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
bound.bind(("0.0.0.0", 82))
bound.listen()
print(json.dumps([dataclasses.asdict(listener) for listener in listening()] + [address]))
"""


def test_sockets_of_one_interface(lab: Lab) -> None:
    """The namespace's own sockets alone are told, with the interface that they are bound to."""
    run = lab.run("dual", [sys.executable, "-c", SCRIPT])
    assert run.stderr == ""
    *found, address = json.loads(run.stdout)
    seen = [(listener["address"], listener["port"], listener["interface"]) for listener in found]
    assert seen == [(address, 81, "eth0"), ("0.0.0.0", 82, "lo")]
