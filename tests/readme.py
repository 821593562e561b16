"""The parts of README.md that are made from the program: ``python -m tests.readme`` renews them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from ipv6check.engine.checks import loader
from ipv6check.engine.checks.texts import sentence

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
COMMAND = (sys.executable, "-m", "ipv6check")


def text() -> str:
    """The README as it is."""
    return README.read_text("utf-8")


def part(name: str) -> str:
    """What stands between two markers."""
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", text(), re.DOTALL)
    assert found is not None, f"README.md has lost its <!-- {name} --> markers"
    return found[1]


def demo() -> str:
    """The demo, as a pipe of 80 columns sees it."""
    environment = {**os.environ, "COLUMNS": "80", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [*COMMAND, "demo"], capture_output=True, text=True, env=environment, check=True, timeout=30
    )
    return f"```text\n$ ipv6check demo\n{done.stdout}```"


def table_of_checks() -> str:
    """Every check of ours, in its own words."""
    rows = [
        f"| `{check.id}` | {sentence(check)} | {check.reference} |"
        for check in loader.load().checks
    ]
    return "\n".join(["| check | what it makes sure of | reference |", "|---|---|---|", *rows])


def renew() -> None:
    """Write both parts anew."""
    made = {"demo": demo(), "checks": table_of_checks()}
    for name, new in made.items():
        before, _, after = text().partition(part(name))
        README.write_text(f"{before}{new}{after}", "utf-8")


if __name__ == "__main__":
    renew()
