"""How a probe is run in a test: its inputs in, its observation out, on a FakeNet."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from ipv6check.config.target import parse
from ipv6check.model import Failure, Settings
from ipv6check.probes.addresses import Addresses, addresses
from ipv6check.testing import SETTINGS, FakeNet

Value = TypeVar("Value")

V6, V6B, V4, V4B = "2d00:6ab:1::1", "2d00:6ab:1::2", "198.18.1.1", "198.18.1.2"


def observed(probe: Coroutine[Any, Any, Value]) -> Value:
    """What the probe observes."""
    return asyncio.run(probe)


def published(*found: str, name: str = "www.example") -> Addresses:
    """Addresses that packets may go to."""
    ipv6 = tuple(address for address in found if ":" in address)
    ipv4 = tuple(address for address in found if ":" not in address)
    return Addresses(name, "dns", None, None, ipv4, ipv6)


def resolved(text: str, net: FakeNet, **settings: Any) -> Addresses | Failure:
    """The addresses of a target."""
    wanted: Settings = replace(SETTINGS, **settings)
    return observed(addresses(parse(text), wanted, net))
