"""One word, one meaning: what a class is called says which one is meant, in every module."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]


def public_classes() -> dict[str, list[str]]:
    """The modules that define each public class, as paths from the project's directory."""
    modules: dict[str, list[str]] = defaultdict(list)
    for path in sorted([*ROOT.glob("ipv6check/**/*.py"), *ROOT.glob("checks.d/*.py")]):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                modules[node.name].append(str(path.relative_to(ROOT)))
    return modules


def test_no_class_name_has_two_meanings() -> None:
    """A public class name is defined in one module alone."""
    twice = {name: modules for name, modules in public_classes().items() if len(modules) > 1}
    assert not twice
