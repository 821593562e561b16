"""The examples of CONTRIBUTING.md, run as their readers would run them."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import installed
from tests.docs import COMMAND, ROOT

FILE = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```\n", re.DOTALL)
FILES = dict(FILE.findall((ROOT / "CONTRIBUTING.md").read_text("utf-8")))
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
LINK = re.compile(r"\]\(([^)#:]+)\)")
STATION = re.compile(r"^\| \d+ \| \[[^]]+\]\(([^)]+)\) `(\w+)` \|", re.MULTILINE)
# Given by --resolve and judged by these checks alone, a target gets no packet.
TARGET, OURS, STRANGER = "www.example.com", "2001:db8:100::1", "2001:db8:200::1"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files as they are shown."""
    made = tmp_path_factory.mktemp("contributing")
    for name, text in FILES.items():
        path = made / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o755 if text.startswith("#!") else 0o644)
    return made


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A program, run in that directory. Options of the pytest at hand are not for another one."""
    if arguments[: len(COMMAND)] == COMMAND:
        return installed.run(*arguments[len(COMMAND) :], cwd=directory)
    environment = {key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"}
    return subprocess.run(
        arguments,
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def checked(directory: Path, address: str, check: str) -> tuple[int, list[dict[str, str]]]:
    """The exit code and the results of one private check of a target with this address."""
    options = ("--checks-dir", "checks", "--only", check, "--no-controls", "--format", "json")
    done = run(directory, *COMMAND, TARGET, "--resolve", f"{TARGET}:{address}", *options)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)["targets"][0]["results"]


def test_every_example_is_found() -> None:
    """The examples are where these tests look for them."""
    assert FILES.keys() == {
        "checks/our_prefix.py",
        "our_prefix_test.py",
        "checks/few_addresses",
    }


@pytest.mark.parametrize(
    ("address", "code", "status", "subject"),
    [(OURS, 0, "pass", ""), (STRANGER, 1, "fail", STRANGER)],
)
def test_the_private_check_runs(
    directory: Path, address: str, code: int, status: str, subject: str
) -> None:
    """The command loads the check from its directory, and its finding decides."""
    returned, (result,) = checked(directory, address, "our_prefix")
    assert (code, status, subject) == (returned, result["status"], result["subject"])
    assert result["finding"] == ("stranger" if code else "ours")


def test_the_private_check_is_listed_and_explained(directory: Path) -> None:
    """Its docstrings are what list and explain print."""
    options = ("--checks-dir", "checks")
    listed = run(directory, *COMMAND, "list", *options)
    assert re.search("our_prefix +Every published IPv6 address is one of ours.", listed.stdout)
    explained = run(directory, *COMMAND, "explain", "our_prefix", *options)
    assert "After a renumbering" in explained.stdout
    finding = run(directory, *COMMAND, "explain", "our_prefix/stranger", *options)
    assert "BIND  www  AAAA  2001:db8:100::1" in finding.stdout


@pytest.mark.slow
def test_its_shown_test_passes(directory: Path) -> None:
    """The test beside the check passes as it stands."""
    pytest_ = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    done = run(directory, *pytest_, "our_prefix_test.py")
    assert "2 passed" in done.stdout, done.stdout


def test_the_executable_runs(directory: Path) -> None:
    """A program with a Nagios plugin's line and exit code is a check."""
    returned, (result,) = checked(directory, OURS, "few_addresses")
    # None that a packet may go to: the examples' prefix is for documentation.
    assert (returned, result["status"]) == (0, "pass")
    assert result["message"] == "0 IPv6 addresses"


def test_what_is_linked_exists() -> None:
    """A link leads to a file of the project."""
    assert [path for path in LINK.findall(TEXT) if not (ROOT / path).exists()] == []


def test_the_tour_stops_where_things_are() -> None:
    """It has at most ten stations, and each file defines what the tour says that it does."""
    stations = STATION.findall(TEXT)
    assert 1 < len(stations) <= 10
    for path, name in stations:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        assert name in {getattr(node, "name", "") for node in tree.body}


def test_every_file_of_the_picture_exists() -> None:
    """What the page names by its path can be opened, from the root or from the package."""
    named = {*re.findall(r"`([a-z_./]+/[a-z0-9_]+\.(?:py|pyi|toml|md|json))`", TEXT)}
    places = (ROOT, ROOT / "ipv6check", ROOT / "tests")
    lost = {path for path in named if not any((place / path).exists() for place in places)}
    assert lost - {"our_prefix_test.py", "checks/our_prefix.py"} == set()
