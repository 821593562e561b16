"""The examples of docs/library.md run as they stand, against a server on loopback."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "library.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=["one", "many"])
def test_an_example_runs(example: str) -> None:
    """Whoever copies it gets a verdict; only the name of the target is another one."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        target = f"[::1]:{server.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-c", example.replace("example.com", target)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.stderr == ""
    assert f"{target} ready" in done.stdout
