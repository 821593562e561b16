"""What has to be said in more than one place of the project is the same in all of them."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PYTHON = "Programming Language :: Python :: "
VERSIONS = [line.removeprefix(PYTHON) for line in PROJECT["classifiers"] if PYTHON in line]


def text(name: str) -> str:
    """A file of the project."""
    return (ROOT / name).read_text("utf-8")


def test_ci_runs_the_versions_that_the_package_names() -> None:
    """The matrix is that of the classifiers, and its first is the oldest that is allowed."""
    found = re.search(r"python: \[(.*)\]", text(".github/workflows/ci.yml"))
    assert found is not None
    assert re.findall(r'"([^"]+)"', found[1]) == VERSIONS
    assert PROJECT["requires-python"] == f">={VERSIONS[0]}"


def test_the_image_has_a_version_that_is_tested() -> None:
    """Both stages of the image have the same Python, one of those in the classifiers."""
    (version,) = set(re.findall(r"^FROM python:([0-9.]+)-slim", text("Dockerfile"), re.MULTILINE))
    assert version in VERSIONS


def test_the_image_is_built_from_all_that_the_wheel_needs() -> None:
    """What the build reads is not ignored: the page of the package, the licence, the sources."""
    context = {
        line.removeprefix("!") for line in text(".dockerignore").splitlines() if line[:1] == "!"
    }
    assert {PROJECT["readme"], *PROJECT["license-files"], "ipv6check", "checks.d"} <= context


def test_ci_runs_the_readme_s_test_command() -> None:
    """What .ci/run takes out of the README is the one line that a newcomer types."""
    script = text(".ci/run")
    function = script[
        script.index("readme_tests() {") : script.index("\n}\n", script.index("sed -n"))
    ]
    done = subprocess.run(
        ["bash", "-c", f"{function}\n}}\nreadme_tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    (command,) = done.stdout.splitlines()
    assert command.startswith("python3 -m venv .venv && ")
    assert command.endswith(".venv/bin/pytest -n 2")
    assert f"`{command}`" in text("README.md") or f"\n{command}\n" in text("README.md")
