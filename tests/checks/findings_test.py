"""What shipped checks explain is what they find, no more and no less."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipv6check.engine.checks import loader
from ipv6check.engine.checks.loader import Check
from ipv6check.model import Status

CHECKS = loader.load().checks
# Where else a check's findings are made.
ELSEWHERE = {
    "firewall": ("firewall/readiness.py",),
    "ping": ("engine/checks/blame.py",),
    "tcp": ("engine/checks/blame.py",),
}
MAKERS = {"ok", "warn", "fail", "skip", "unknown"}
PACKAGE = Path(loader.__file__).parents[2]


def sources(check: Check) -> Iterator[ast.Module]:
    """The modules that make the check's findings, without the table that explains them."""
    for path in (check.path, *(PACKAGE / name for name in ELSEWHERE.get(check.id, ()))):
        tree = ast.parse(path.read_text("utf-8"))
        tree.body = [node for node in tree.body if not _is_table(node)]
        yield tree


def _is_table(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id == "FINDINGS" for target in targets)


def texts(check: Check) -> set[str]:
    """Every text that stands in these modules."""
    return {
        node.value
        for tree in sources(check)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def made(check: Check) -> Iterator[tuple[int, ast.expr | None]]:
    """The line of every call that makes a finding, and the id that it is given."""
    for tree in sources(check):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                if node.func.id in MAKERS or "id" in given:
                    yield node.lineno, given.get("id")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.id))
def test_every_finding_that_is_explained_can_be_made(check: Check) -> None:
    """Nothing is explained that the check cannot find any more."""
    explained = {each.id for each in check.findings}
    assert explained
    assert explained - texts(check) == set()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.id))
def test_every_finding_that_is_made_is_explained(check: Check) -> None:
    """Each call that makes a finding names it, and each name is explained."""
    explained = {each.id for each in check.findings}
    for line, given in made(check):
        assert given is not None, f"line {line}"
        if isinstance(given, ast.Constant):
            assert given.value in explained, f"line {line}"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.id))
def test_whatever_is_wrong_has_a_mend(check: Check) -> None:
    """Who is woken by a finding is told what it means and what to do, in sentences."""
    for each in check.findings:
        assert each.what.endswith("."), each.id
        assert not each.mend or each.mend.endswith("."), each.id
        if {Status.FAIL, Status.WARN, Status.UNKNOWN} & set(each.statuses):
            assert each.mend, each.id
