"""How the text of an option becomes its value, and some values a text again.

A reader raises ValueError with the end of a sentence that begins with the text, or TargetError
with a whole sentence.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipv6check.config.profiles import PROFILES
from ipv6check.config.target import address, address_and_port, hostname, ipv6_address, port_number
from ipv6check.config.toml import ConfigError
from ipv6check.model import Profile
from ipv6check.model.network import endpoint

FILE = "ipv6check.toml"

_DECIMAL = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?", re.IGNORECASE)
_WHOLE = re.compile("[0-9]{1,9}")
_CHECK_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_PORT_THEN_ADDRESS = re.compile("([0-9]{1,5}):(.+)", re.DOTALL)
_SWITCH = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a text comes from, and what its reader has to know about that.

    ``name`` begins the error's line: ``--timeout``, ``IPV6CHECK_TIMEOUT``,
    ``ipv6check.toml:12: [check] timeout``. Relative paths start at ``base``. ``trusted``: the user
    gave the text or named its file, which was not merely found in the current directory.
    """

    name: str
    base: Path
    formats: Sequence[str]
    trusted: bool = True


Reader = Callable[[str, Origin], Any]


def switch(text: str, _origin: Origin) -> bool:
    """True or false, in one of the usual spellings."""
    if text.lower() not in _SWITCH:
        raise ValueError("is neither true nor false")
    return _SWITCH[text.lower()]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Reads a number from ``low`` to ``high``; ``above``: ``low`` itself is too small.

    ``unit`` is empty for a whole number.
    """

    low: int
    high: int
    unit: str = ""
    above: bool = False

    def __call__(self, text: str, _origin: Origin) -> float:
        """The number. Raises ValueError."""
        # inf, nan and 1_000 are floats to Python, and durations to nobody.
        pattern, number = (_DECIMAL, float) if self.unit else (_WHOLE, int)
        if not pattern.fullmatch(text) or not self._holds(number(text)):
            raise ValueError(f"is not {self._described}")
        return number(text)

    def _holds(self, number: float) -> bool:
        return self.low <= number <= self.high and not (self.above and number == self.low)

    @property
    def _described(self) -> str:
        what = f"a number of {self.unit}" if self.unit else "a whole number"
        if self.above:
            return f"{what} above {self.low} and up to {self.high}"
        return f"{what} from {self.low} to {self.high}"


def seconds(limit: int) -> Bounds:
    """Reads a duration above zero."""
    return Bounds(0, limit, "seconds", above=True)


def milliseconds(low: int, high: int) -> Bounds:
    """Reads a delay."""
    return Bounds(low, high, "milliseconds")


@dataclass(frozen=True, slots=True)
class Choice:
    """Reads one of a few names."""

    names: Sequence[str]

    def __call__(self, text: str, _origin: Origin) -> str:
        """The name. Raises ValueError."""
        if text not in self.names:
            raise ValueError(f"is not one of {', '.join(self.names)}")
        return text


def profile(text: str, _origin: Origin) -> Profile:
    """The profile of that name."""
    if text not in PROFILES:
        raise ValueError(f"is not a profile: {', '.join(PROFILES)}")
    return PROFILES[text]


def check_name(text: str, _origin: Origin) -> str:
    """What can be the name of a check; whether there is one, only loading the checks can say."""
    if not _CHECK_NAME.fullmatch(text):
        raise ValueError("is not the name of a check")
    return text


def port(text: str, _origin: Origin) -> int:
    """A port, 1 to 65535."""
    return port_number(text)


@dataclass(frozen=True, slots=True)
class Override:
    """What ``--resolve`` gives a host. ``ports``: the only ones it is for, empty for every port."""

    addresses: tuple[str, ...]
    ports: frozenset[int] = frozenset()


def override(text: str, _origin: Origin) -> tuple[str, Override]:
    """HOST:ADDR, or as curl has it: HOST:PORT:ADDR, several addresses, in brackets or not."""
    host, _, rest = text.removeprefix("+").partition(":")
    if host == "*":
        raise ValueError("is for every host: name each of them, as HOST:ADDR")
    if host.startswith("-"):
        raise ValueError("removes an entry, but there is none to remove")
    if not host or not rest:
        raise ValueError("is not HOST:ADDR")
    port, texts = _port_and_addresses(rest)
    addresses = dict.fromkeys(address(_unbracketed(item.strip())) for item in texts)
    ports = frozenset({port_number(port)}) if port else frozenset[int]()
    return hostname(host), Override(tuple(addresses), ports)


def overrides_by_host(values: list[tuple[str, Override]]) -> Mapping[str, Override]:
    """The overrides of each host as one. Raises ConfigError where they contradict each other."""
    hosts: dict[str, Override] = {}
    for host, given in values:
        known = hosts.setdefault(host, given)
        addresses = tuple(dict.fromkeys((*known.addresses, *given.addresses)))
        every = not known.ports or not given.ports
        if known.ports != given.ports and {*known.addresses} != {*given.addresses}:
            raise ConfigError(
                f"--resolve: {host} has different addresses on different ports, "
                "which is not supported: use one address for all ports"
            )
        hosts[host] = Override(addresses, frozenset() if every else known.ports | given.ports)
    return hosts


def override_texts(hosts: Mapping[str, Override]) -> list[str]:
    """The texts that read as these overrides."""
    return [
        ":".join(filter(None, (host, str(port or ""), ",".join(map(_bracketed, given.addresses)))))
        for host, given in hosts.items()
        for port in sorted(given.ports) or [0]
    ]


def _port_and_addresses(text: str) -> tuple[str, list[str]]:
    """What stands behind HOST: a port or none, and addresses."""
    match = _PORT_THEN_ADDRESS.fullmatch(text)
    if match is None or not _begins_with_port(text.partition(",")[0]):
        return "", text.split(",")
    return match[1], match[2].split(",")


def _unbracketed(text: str) -> str:
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text


def _bracketed(text: str) -> str:
    return f"[{text}]" if ":" in text else text


def _begins_with_port(text: str) -> bool:
    """Whether it is PORT:ADDR: 443:2001:db8::1 is an address by itself, but one of nobody's."""
    try:
        whole = ipaddress.IPv6Address(text)
        rest = ipaddress.IPv6Address(text.partition(":")[2])
    except ValueError:
        return not _is_ipv6(text)
    # 64:ff9b::/96 (RFC 6052) is the one in use that looks alike, and what follows 64: is multicast.
    return whole.is_reserved and not rest.is_reserved and not rest.is_multicast


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def nameserver(text: str, _origin: Origin) -> str:
    """An address, with its port unless that is the DNS's own."""
    server, port = address_and_port(text, default=53)
    return server if port == 53 else endpoint(server, port)


def control(text: str, _origin: Origin) -> str:
    """An address of either family, with a port or without."""
    host, port = address_and_port(text, default=0)
    if ":" in host:
        host = ipv6_address(host)
    return endpoint(host, port) if port else host


def path(text: str, origin: Origin) -> Path:
    """A path from where its text stands."""
    if not text or "\0" in text:
        raise ValueError("is not a path")
    return origin.base / text


def code_directory(text: str, origin: Origin) -> Path:
    """A directory whose files are run. A file that was merely found may not name one."""
    if not origin.trusted:
        raise ValueError(
            f"is code to run, but {FILE} was only found in this directory: "
            f"confirm it with --config {FILE}"
        )
    return path(text, origin)


def format_name(text: str, origin: Origin) -> str:
    """The name of a report's format."""
    if text not in origin.formats:
        raise ValueError(f"is not one of {', '.join(origin.formats)}")
    return text


def saved_report(text: str, origin: Origin) -> tuple[str, Path]:
    """FORMAT=PATH. A file that was merely found may only name paths beside itself."""
    name, equals, where = text.partition("=")
    if not equals or where in {"", "-"}:
        raise ValueError("is not FORMAT=PATH")
    if name not in origin.formats:
        raise ValueError(f"names a format that is not one of {', '.join(origin.formats)}")
    target = path(where, origin)
    # Whoever wrote a file that was only found here must not choose which of the user's is lost.
    if not origin.trusted and not _inside(target, origin.base):
        raise ValueError(
            f"is outside of this directory, and {FILE} was only found here: "
            f"confirm it with --config {FILE}"
        )
    return name, target


def saved_report_texts(reports: Sequence[tuple[str, Path]]) -> list[str]:
    """The texts that read as these reports."""
    return [f"{name}={target}" for name, target in reports]


def recording(text: str, origin: Origin) -> Path:
    """The path of a recording; ``-`` is standard input."""
    return Path(text) if text == "-" else path(text, origin)


def _inside(target: Path, directory: Path) -> bool:
    return Path(os.path.realpath(target)).is_relative_to(os.path.realpath(directory))


def distinct(values: list[Any]) -> tuple[Any, ...]:
    """The values without repetitions, in their order."""
    return tuple(dict.fromkeys(values))
