"""HTTPS records (RFC 9460): how a service is to be reached, and hints at its addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from ipv6check.model import Address, Port

# What an HTTP client over TCP can speak; http/1.1 is meant unless no-default-alpn says otherwise.
SPOKEN = frozenset({"h2", "http/1.1"})
_KNOWN = frozenset({"alpn", "no-default-alpn", "port", "ipv4hint", "ipv6hint"})
# A SvcParam in presentation form (RFC 9460 section 2.1): a key, and a value that may be quoted.
_PARAMETER = re.compile(r'([a-z0-9-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|(\S+)))?', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Service:
    """One record in ServiceMode; ``target`` is ``.`` for the name itself, ``port`` None if absent.

    ``alpn`` is the SVCB ALPN set (RFC 9460 section 7.1.2): the protocols that it speaks.
    """

    priority: int
    target: str
    alpn: tuple[str, ...]
    port: Port | None
    hints: tuple[Address, ...]

    def serves(self, port: int) -> bool:
        """Whether it is for clients that connect to this name and port by TCP."""
        same = self.target == "." and self.port in {None, port}
        return same and not SPOKEN.isdisjoint(self.alpn)


def services(records: Iterable[str]) -> tuple[Service, ...]:
    """The services that these records (presentation form) describe, the preferred one first.

    Left out are aliases (priority 0), and what a client has to ignore (RFC 9460 section 8): records
    with a mandatory key that is not known here.
    """
    read = (_service(record) for record in records)
    return tuple(
        sorted((service for service in read if service), key=lambda service: service.priority)
    )


def hints(services: Iterable[Service], port: int) -> tuple[str, ...]:
    """The hinted addresses of the services that serve this port, each once."""
    hinted = chain.from_iterable(service.hints for service in services if service.serves(port))
    return tuple(dict.fromkeys(hinted))


def _service(record: str) -> Service | None:
    priority, _, rest = record.partition(" ")
    target, _, rest = rest.partition(" ")
    given = {match[1]: match[2] or match[3] or "" for match in _PARAMETER.finditer(rest)}
    if int(priority) == 0 or not {*_list(given, "mandatory")} <= _KNOWN:
        return None
    alpn = _list(given, "alpn")
    if "no-default-alpn" not in given:
        alpn = (*alpn, "http/1.1")
    return Service(
        int(priority),
        target,
        tuple(dict.fromkeys(alpn)),
        int(given["port"]) if "port" in given else None,
        (*_list(given, "ipv6hint"), *_list(given, "ipv4hint")),
    )


def _list(given: dict[str, str], key: str) -> tuple[str, ...]:
    return tuple(filter(None, given.get(key, "").split(",")))
