"""Checks whether your services are ready for IPv6.

What authors of checks import is listed in ``__init__.pyi``, and imported when it is first asked
for: ``ipv6check --version`` must not pay for asyncio.
"""

from __future__ import annotations

from functools import cache
from typing import Any

__version__ = "0.1.0"


@cache
def _homes() -> dict[str, str]:
    """The module of each name."""
    import pathlib
    import re

    stub = pathlib.Path(__file__).with_suffix(".pyi").read_text("utf-8")
    return {name: module for module, name in re.findall(r"(?m)^from (\S+) import (\w+)", stub)}


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return sorted(_homes())
    if name not in _homes():
        raise AttributeError(f"module 'ipv6check' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_homes()[name]), name)
