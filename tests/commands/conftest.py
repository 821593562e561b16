"""What tests of commands share: private checks to describe, and a log that ends with its test."""

from __future__ import annotations

import logging
from collections.abc import Iterator
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


@pytest.fixture(autouse=True)
def _quiet_log() -> Iterator[None]:
    """A command that was called with ``--debug`` inside of a test logs no longer than that test."""
    logger = logging.getLogger("ipv6check")
    handlers, level, propagate = [*logger.handlers], logger.level, logger.propagate
    yield
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)
