"""Where targets of a command line are named: in the workflow of the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ipv6check.config.target import parse
from ipv6check.config.workflow import MAX_WORKFLOW, located, repository_root
from ipv6check.model import Place

FILE = ".github/workflows/ci.yml"
ENV = {"GITHUB_WORKFLOW_REF": f"owner/repo/{FILE}@refs/pull/1/merge"}
WORKFLOW = """on: push
# example.com is ours
jobs:
  - run: ipv6check www.example.com example.com:8443 not-example.com
  - run: ipv6check example.com --resolve example.com:2001:db8::1
  - with: { targets: "[2001:db8::1]:443" }
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a workflow."""
    (tmp_path / ".git").mkdir()
    (tmp_path / FILE).parent.mkdir(parents=True)
    (tmp_path / FILE).write_text(WORKFLOW)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("www.example.com", 4),
        ("example.com:8443", 4),
        ("example.com", 5),
        ("[2001:db8::1]:443", 6),
        ("elsewhere.example", 1),
    ],
)
def test_the_line_that_names_a_target(root: Path, text: str, line: int) -> None:
    """As a word of its own, and not in a comment; else the first line stands for it."""
    (target,) = located([parse(text)], root, ENV)
    assert target.place == Place(str(root / FILE), line)


def test_a_target_of_a_file_keeps_its_place(root: Path) -> None:
    """The configuration is nearer to it than the workflow."""
    named = replace(parse("example.com"), place=Place("ipv6check.toml", 3))
    assert located([named], root, ENV) == [named]


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "x",
        "owner/repo/.github/workflows/../../../etc/passwd@main",
        "owner/repo/etc/passwd@main",
    ],
)
def test_no_workflow(root: Path, ref: str) -> None:
    """Elsewhere than on GitHub Actions, or where the variable is strange, there is no place."""
    (target,) = located([parse("example.com")], root, {"GITHUB_WORKFLOW_REF": ref})
    assert target.place is None


def test_a_workflow_that_is_not_checked_out(tmp_path: Path) -> None:
    """The file is still the one in the repository."""
    (target,) = located([parse("example.com")], tmp_path, ENV)
    assert target.place == Place(str(tmp_path / FILE), 1)


def test_a_workflow_is_read_to_a_bound(root: Path) -> None:
    """And of any content."""
    (root / FILE).write_bytes(b"\xff\n" + b"x" * MAX_WORKFLOW + b"\nexample.com\n")
    (target,) = located([parse("example.com")], root, ENV)
    assert target.place == Place(str(root / FILE), 1)


def test_the_top_of_the_repository(root: Path) -> None:
    """The nearest directory with a .git, else the workspace, else where we are."""
    below = root / "a/b"
    below.mkdir(parents=True)
    assert repository_root(below, {}) == root
    (root / ".git").rmdir()
    assert repository_root(below, {"GITHUB_WORKSPACE": str(root)}) == root
    assert repository_root(below, {"GITHUB_WORKSPACE": "/elsewhere"}) == below
    assert repository_root(below, {}) == below
