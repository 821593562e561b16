"""The typed surface for authors of checks is whole."""

from __future__ import annotations

import ast
from pathlib import Path

import ipv6check

API = ast.parse((Path(__file__).parent / "api.py").read_text("utf-8"))


def test_every_name_is_used_with_its_type() -> None:
    """What `ipv6check` offers stands in a file that mypy reads."""
    imported = {
        alias.name
        for node in API.body
        if isinstance(node, ast.ImportFrom) and node.module == "ipv6check"
        for alias in node.names
    }
    used = {node.id for node in ast.walk(API) if isinstance(node, ast.Name)}
    assert imported == {*ipv6check.__all__}
    assert imported <= used
