"""The part of the truth table that the lab must build: names and their addresses."""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from itertools import count
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from tests.lab.plan import BEHAVIOURS, HEALTHY_N, address4, address6

TRUTH = Path(__file__).parent.parent / "truth.toml"

AnyAddress = TypeVar("AnyAddress", IPv4Address, IPv6Address)
Ptr = Literal["good", "missing", "other", "dangling", "servfail"]

_EXAMPLE: tuple[dict[str, Any], ...] = (
    {"name": "healthy", "aaaa": ["open"], "a": ["open"]},
    {"name": "no-aaaa", "a": ["open"]},
    {"name": "one-of-two-dead", "aaaa": ["open", "drop"], "a": ["open"]},
    {"name": "behind-cdn", "aaaa": ["open"], "a": ["open"], "cname": ["cdn.example-cdn"]},
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A host name and what the DNS says of it."""

    name: str
    aaaa: tuple[IPv6Address, ...]
    a: tuple[IPv4Address, ...]
    cname: tuple[str, ...]
    ptr: Ptr

    @property
    def host(self) -> str:
        """The name that a user asks about."""
        return f"{self.name}.test"

    @property
    def owner(self) -> str:
        """The name, relative to test., that owns the addresses."""
        return self.cname[-1] if self.cname else self.name


class _Allocator:
    """Gives each scenario the next addresses of the behaviours that it names."""

    def __init__(self) -> None:
        self._next6: defaultdict[str, Iterator[int]] = defaultdict(lambda: count(1))
        self._next4: defaultdict[str, Iterator[int]] = defaultdict(lambda: count(1))

    def ipv6(self, word: str) -> IPv6Address:
        if word not in BEHAVIOURS:
            return _literal(IPv6Address, word)
        n = next(self._next6[word])
        # Both families share the reserved numbers, and those end where IPv4's begin.
        return address6(word, n if n < HEALTHY_N else n + 0x100)

    def ipv4(self, word: str) -> IPv4Address:
        if word not in BEHAVIOURS:
            return _literal(IPv4Address, word)
        n = next(self._next4[word])
        if n >= HEALTHY_N:
            raise ValueError(f"more than {HEALTHY_N - 1} IPv4 addresses of {word}")
        return address4(word, n)


def _literal(family: type[AnyAddress], word: str) -> AnyAddress:
    try:
        return family(word)
    except ValueError as error:
        raise ValueError(f"{word!r} is no behaviour and no {family.__name__}") from error


def load(path: Path = TRUTH) -> tuple[Scenario, ...]:
    """The scenarios whose names live in test.; those with a DNS fault live in hostile.test."""
    tables = tomllib.loads(path.read_text())["scenario"] if path.exists() else _EXAMPLE
    allocator = _Allocator()
    scenarios = tuple(_scenario(table, allocator) for table in tables if "dns" not in table)
    _refuse_shared_names(scenarios)
    return scenarios


def _scenario(table: dict[str, Any], allocator: _Allocator) -> Scenario:
    name = table["name"]
    ptr = table.get("ptr", "good")
    if ptr not in get_args(Ptr):
        raise ValueError(f"scenario {name}: ptr {ptr!r} is none of {', '.join(get_args(Ptr))}")
    try:
        return Scenario(
            name=name,
            aaaa=tuple(allocator.ipv6(word) for word in table.get("aaaa", ())),
            a=tuple(allocator.ipv4(word) for word in table.get("a", ())),
            cname=tuple(table.get("cname", ())),
            ptr=ptr,
        )
    except ValueError as error:
        raise ValueError(f"scenario {name}: {error}") from error


def _refuse_shared_names(scenarios: Iterable[Scenario]) -> None:
    owners: dict[str, str] = {}
    for scenario in scenarios:
        for name in (scenario.name, *scenario.cname):
            if name in owners:
                raise ValueError(
                    f"scenario {scenario.name}: {name}.test belongs to scenario {owners[name]}"
                )
            owners[name] = scenario.name
