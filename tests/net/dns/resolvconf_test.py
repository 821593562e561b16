"""resolv.conf and /etc/hosts, as glibc reads them."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipv6check.model import Stub
from ipv6check.net.dns import resolvconf
from ipv6check.net.dns.resolvconf import ResolvConf

LOOPBACK = ["127.0.0.1"]


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where resolv.conf is; it is not there yet. The host's own name has no domain."""
    path = tmp_path / "resolv.conf"
    monkeypatch.setattr(resolvconf, "RESOLV_CONF", str(path))
    monkeypatch.setattr(socket, "gethostname", lambda: "host")
    return path


def read(conf: Path, text: str | bytes, environ: Mapping[str, str] = {}) -> ResolvConf:
    """What is read of this text."""
    conf.write_bytes(text if isinstance(text, bytes) else text.encode())
    return resolvconf.read(environ=environ)


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("nameserver 192.0.2.1\nnameserver 2001:db8::1\n", ["192.0.2.1", "2001:db8::1"]),
        ("nameserver\t192.0.2.1   # mine", ["192.0.2.1"]),
        ("nameserver 10.1", ["10.0.0.1"]),
        ("nameserver fe80::1%lo", ["fe80::1%lo"]),
        ("nameserver fe80::1%7", ["fe80::1%7"]),
        ("nameserver fe80::1%nowhere", ["fe80::1"]),
        ("nameserver 2001:db8::1%lo", ["2001:db8::1"]),
        ("", LOOPBACK),
        ("search example\n", LOOPBACK),
        *(
            (f"{line}\nnameserver 192.0.2.1\n", ["192.0.2.1"])
            for line in (
                "nameserver [2001:db8::1]",
                "nameserver localhost",
                "nameserver 192.0.2.9#53",
                "nameserver 192.0.2.9;",
                "nameserver 192.018.53.1",
                "nameserver 192.0.2.1%eth0",
                "nameserver",
                "nameserver ",
                " nameserver 192.0.2.9",
                "nameserver192.0.2.9",
                "Nameserver 192.0.2.9",
                "# nameserver 192.0.2.9",
                "search a..b",
                f"search {'x' * 70}.test",
                "options ndots:x use-vc:\x00 \x7f",
                "\ufeffnameserver 192.0.2.9",
                "sortlist 130.155.160.0/255.255.240.0",
                "\x00",
            )
        ),
    ],
)
def test_name_servers(conf: Path, text: str, servers: list[str]) -> None:
    """What is no address is skipped; without any the one on this host is asked."""
    assert [(server, 53) for server in servers] == list(read(conf, text).servers)


def test_without_a_file(conf: Path) -> None:
    """resolv.conf(5): if this file does not exist, the name server on the local machine."""
    assert not conf.exists()
    assert resolvconf.read(environ={}).servers == (("127.0.0.1", 53),)


def test_a_pipe_is_not_waited_for(conf: Path) -> None:
    """Nor anything else that is no file: it says nothing."""
    os.mkfifo(conf)
    assert resolvconf.read(environ={}).servers == (("127.0.0.1", 53),)


def test_three_at_most(conf: Path) -> None:
    """MAXNS: nobody asks a fourth."""
    found = read(conf, "".join(f"nameserver 192.0.2.{n}\n" for n in range(1, 6)))
    assert [server for server, _ in found.servers] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert found.stub.unasked == ("192.0.2.4", "192.0.2.5")


@pytest.mark.parametrize(
    ("text", "stub"),
    [
        ("search a.test b.test\n", Stub(("a.test", "b.test"))),
        ("search a.test\nsearch b.test c.test\n", Stub(("b.test", "c.test"))),
        ("search a.test\ndomain b.test c.test\n", Stub(("b.test",))),
        ("search A.test. .  a..b \xff\n", Stub(("a.test",))),
        ("options ndots:5 use-vc\n", Stub(ndots=5, use_vc=True)),
        ("options ndots:99\noptions no-aaaa\n", Stub(ndots=15, no_aaaa=True)),
        ("options single-request-reopen edns0 rotate timeout:1\n", Stub(single_request=True)),
        (" options use-vc\n", Stub()),
    ],
)
def test_the_rest(conf: Path, text: str, stub: Stub) -> None:
    """The search list that is named last, and the options of every line."""
    assert stub == read(conf, text.encode("latin-1")).stub


def test_the_environment(conf: Path) -> None:
    """LOCALDOMAIN goes before the file, RES_OPTIONS after it; else the host's own domain."""
    text = "search a.test\noptions ndots:2\n"
    environ = {"LOCALDOMAIN": "b.test c.test", "RES_OPTIONS": "ndots:3 use-vc"}
    assert read(conf, text, environ).stub == Stub(("b.test", "c.test"), 3, use_vc=True)


def test_the_domain_of_the_host(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the host is called by completes names where the file says nothing."""
    monkeypatch.setattr(socket, "gethostname", lambda: "host.example.test")
    assert read(conf, "").stub.search == ("example.test",)


@pytest.mark.parametrize(
    ("configured", "upstream", "asked"),
    [
        (["127.0.0.53"], ["192.0.2.1", "2001:db8::1"], ["192.0.2.1", "2001:db8::1"]),
        (["127.0.0.53"], None, ["127.0.0.53"]),
        (["127.0.0.1"], ["192.0.2.1"], ["127.0.0.1"]),
        (["127.0.0.53", "192.0.2.9"], ["192.0.2.1"], ["127.0.0.53", "192.0.2.9"]),
        ([], None, ["127.0.0.1"]),
    ],
)
def test_upstream_servers(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    configured: list[str],
    upstream: list[str] | None,
    asked: list[str],
) -> None:
    """Behind systemd-resolved's stub the servers that it asks; nothing is behind another one."""
    for name, servers in (("RESOLV_CONF", configured), ("RESOLVED_CONF", upstream)):
        file = tmp_path / name
        monkeypatch.setattr(resolvconf, name, str(file))
        if servers is not None:
            file.write_text("".join(f"nameserver {server}\n" for server in servers))
    assert resolvconf.upstream_servers() == tuple((server, 53) for server in asked)


def test_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name or an alias, in any case, of any line; comments and what is no address are none."""
    file = tmp_path / "hosts"
    file.write_bytes(
        b"127.0.0.1 localhost\n192.0.2.1\tdb.example DB # old\n2001:db8::1 db\n"
        b"192.0.2.1 db\nnonsense db\n#192.0.2.9 db\n\xff\xfe db\n192.0.2.7 # db\n"
    )
    monkeypatch.setattr(resolvconf, "HOSTS", str(file))
    assert resolvconf.hosts_entry("db") == ("192.0.2.1", "2001:db8::1")
    assert resolvconf.hosts_entry("old") == ()
    file.unlink()
    assert resolvconf.hosts_entry("db") == ()


@given(st.binary(max_size=400))
def test_any_bytes(octets: bytes) -> None:
    """No file makes the reader raise."""
    path = Path("/dev/shm") / "ipv6check-resolv.conf"
    path.write_bytes(b"nameserver " + octets + b"\nsearch " + octets + b"\noptions ndots:" + octets)
    try:
        assert resolvconf.read(str(path), {}).servers
    finally:
        path.unlink()
