"""resolv.conf(5) and hosts(5) as glibc reads them: what it skips is skipped, without an error."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from pathlib import Path

from ipv6check.model import Stub

# An address and a port.
Server = tuple[str, int]

RESOLV_CONF = "/etc/resolv.conf"
# systemd-resolved.service(8): its listeners, and the servers that it got from elsewhere.
RESOLVED_CONF = "/run/systemd/resolve/resolv.conf"
HOSTS = "/etc/hosts"
_STUBS = frozenset({"127.0.0.53", "127.0.0.54"})

# <resolv.h>: no program of this host asks a fourth, nor waits for one.
MAXNS = 3
_MAX_NDOTS = 15
_MAX_FILE = 1 << 20
_MAX_SEARCH = 64
_DNS_PORT = 53


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """Contents of resolv.conf: the ``servers`` that are asked, and all else as ``stub``."""

    servers: tuple[Server, ...]
    stub: Stub


def read(path: str = "", environ: Mapping[str, str] = os.environ) -> ResolvConf:
    """The configuration of this host's stub resolver; without a file it asks 127.0.0.1."""
    lines = list(_lines(path or RESOLV_CONF))
    named = [server for line in lines if (server := _server(_value(line, b"nameserver")))]
    servers = tuple((server, _DNS_PORT) for server in named[:MAXNS])
    stub = _options(Stub(search=_search(lines, environ), unasked=tuple(named[MAXNS:])), lines)
    stub = _with_options(stub, environ.get("RES_OPTIONS", ""))
    return ResolvConf(servers or (("127.0.0.1", _DNS_PORT),), stub)


def upstream_servers() -> tuple[Server, ...]:
    """The same servers, but what systemd-resolved asks where its stub is all there is."""
    configured = read().servers
    behind = all(server in _STUBS for server, _ in configured) and Path(RESOLVED_CONF).exists()
    return read(RESOLVED_CONF).servers if behind else configured


def hosts_entry(name: str) -> tuple[str, ...]:
    """The addresses that /etc/hosts gives this name, in its order; other names cost nothing."""
    wanted = name.lower().encode("ascii", "replace")
    addresses = []
    for line in _lines(HOSTS):
        address, *names = line.split(b"#", 1)[0].split() or [b""]
        if wanted in (word.lower() for word in names) and (read_as := _address(_text(address))):
            addresses.append(read_as)
    return tuple(dict.fromkeys(addresses))


def _lines(path: str) -> Iterator[bytes]:
    """The lines of a file of bytes, whatever they are, up to a bound; none of what is not there.

    To C a line ends where a NUL is. A pipe that nobody writes to is empty, and not waited for.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            text = file.read(_MAX_FILE) or b""
    except OSError:
        return
    yield from (line.split(b"\0", 1)[0] for line in text.split(b"\n"))


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _value(line: bytes, keyword: bytes) -> bytes | None:
    """What follows the keyword, which stands at the beginning, None where another one does."""
    rest = line.removeprefix(keyword)
    return rest if rest != line and rest[:1] in (b" ", b"\t") else None


def _text(octets: bytes) -> str:
    return octets.decode("ascii", "replace")


def _server(value: bytes | None) -> str:
    """The address of a ``nameserver`` line, empty where there is none."""
    if value is None:
        return ""
    return _address(_text((value.split() or [b""])[0]))


def _address(text: str) -> str:
    """The address that inet_aton(3) or inet_pton(3) reads, with a zone that this host has."""
    try:
        # It would ignore what follows white space.
        return "" if text.split() != [text] else socket.inet_ntoa(socket.inet_aton(text))
    except OSError:
        pass
    address, _, zone = text.partition("%")
    try:
        ip = IPv6Address(socket.inet_pton(socket.AF_INET6, address))
    except (OSError, ValueError):
        return ""
    return f"{ip}%{zone}" if ip.is_link_local and _is_zone(zone) else str(ip)


def _is_zone(zone: str) -> bool:
    if zone.isascii() and zone.isdigit():
        return True
    try:
        return socket.if_nametoindex(zone) > 0
    except (OSError, ValueError):
        return False


def _search(lines: list[bytes], environ: Mapping[str, str]) -> tuple[str, ...]:
    """The search list: of the environment, else the last that is named, else this host's domain."""
    if "LOCALDOMAIN" in environ:
        return _names(environ["LOCALDOMAIN"].split())
    named = None
    for line in lines:
        domain, search = _value(line, b"domain"), _value(line, b"search")
        words = _text(domain or search or b"").split()
        if words:
            named = words[:1] if domain is not None else words
    if named is not None:
        return _names(named)
    return _names([socket.gethostname().partition(".")[2]])


def _names(words: list[str]) -> tuple[str, ...]:
    """The words that are valid names, without the root, which completes nothing."""
    names = (word.strip(".").lower() for word in words[:_MAX_SEARCH])
    return tuple(dict.fromkeys(name for name in names if name.isascii() and _is_name(name)))


def _is_name(name: str) -> bool:
    return 0 < len(name) <= 253 and all(0 < len(label) <= 63 for label in name.split("."))


def _options(stub: Stub, lines: list[bytes]) -> Stub:
    for line in lines:
        stub = _with_options(stub, _text(_value(line, b"options") or b""))
    return stub


def _with_options(stub: Stub, text: str) -> Stub:
    """What a line of options adds; glibc compares beginnings, so ``use-vc:1`` is ``use-vc``.

    ``timeout``, ``attempts`` and ``rotate`` are not heeded: --timeout is ours, and servers are
    asked in their order. ``edns0`` and ``trust-ad`` change nothing that we ask.
    """
    for word in text.split():
        if word.startswith("ndots:"):
            stub = replace(stub, ndots=_number(word.removeprefix("ndots:")))
        elif word.startswith("use-vc"):
            stub = replace(stub, use_vc=True)
        elif word.startswith("no-aaaa"):
            stub = replace(stub, no_aaaa=True)
        elif word.startswith("single-request"):
            stub = replace(stub, single_request=True)
    return stub


def _number(text: str) -> int:
    """Value of ``ndots`` as atoi(3) reads it, within glibc's bounds."""
    digits = text[: len(text) - len(text.lstrip("0123456789"))][:4]
    return min(int(digits or "0"), _MAX_NDOTS)
