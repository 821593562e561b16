"""Private checks, for the commands that describe checks."""

from __future__ import annotations

from pathlib import Path

import pytest

PRIVATE = '''"""It is so.

One paragraph
of two lines.

    a picture

https://www.rfc-editor.org/rfc/rfc1

"""
from ipv6check import Explained, Finding, check, ok

FINDINGS = (
    Explained(
        "shut", "fail warn", "It is shut.", "Open it.", {"nginx": "one;\\ntwo;", "Go": "x"}
    ),
    Explained("fine", "pass", "It is well."),
)

@check(reference="RFC 1", cause="dns", findings=FINDINGS)
def mine() -> Finding:
    """It is so."""
    return ok("x", id="fine")
'''


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a check that explains its findings, one that does not, and a program."""
    (tmp_path / "mine.py").write_text(PRIVATE)
    silent = PRIVATE.replace(", findings=FINDINGS", "").replace(', id="fine"', "")
    (tmp_path / "silent.py").write_text(silent)
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho fine\n")
    program.chmod(0o755)
    return tmp_path
