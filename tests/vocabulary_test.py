"""One word, one meaning: what a type is called says which one is meant, in every module."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]


CAMEL_CASE = re.compile(r"[A-Z]\w*[a-z]\w*")


def type_names() -> dict[str, list[str]]:
    """The modules that define each public class or alias, as paths from the project's directory.

    A type variable that several modules have is one entry: it means nothing outside of them.
    """
    modules: dict[str, list[str]] = defaultdict(list)
    variables: dict[str, set[str]] = defaultdict(set)
    for path in sorted([*ROOT.glob("ipv6check/**/*.py"), *ROOT.glob("checks.d/*.py")]):
        module = str(path.relative_to(ROOT))
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for name in filter(CAMEL_CASE.fullmatch, defined(node)):
                if is_type_variable(node):
                    variables[name].add(module)
                else:
                    modules[name].append(module)
    for name, of_variable in variables.items():
        modules[name].append(" and ".join(sorted(of_variable)))
    return modules


def defined(node: ast.stmt) -> list[str]:
    """The names that a statement at the top of a module defines."""
    match node:
        case ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
    return []


def is_type_variable(node: ast.stmt) -> bool:
    """Whether it is an assignment of a TypeVar."""
    match node:
        case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar"))):
            return True
    return False


def test_no_type_name_has_two_meanings() -> None:
    """The public name of a class or of an alias is defined in one module alone."""
    twice = {name: modules for name, modules in type_names().items() if len(modules) > 1}
    assert not twice
