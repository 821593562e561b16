"""Fixtures that several test modules share."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.lab import Lab

# What a shell starts in the background ignores these, and so would all that it starts in turn:
# commands that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    """A lab test that cannot run skips and says why; in CI a skip is a failure."""
    parser.addoption("--require-lab", action="store_true", help="fail where the lab cannot run")


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The test internet, started once for the whole session."""
    reason = Lab.unavailable()
    if reason is not None and request.config.getoption("--require-lab"):
        pytest.fail(f"the lab is required and cannot run: {reason}")
    if reason is not None:
        pytest.skip(f"the lab cannot run here: {reason}")
    with Lab() as running:
        yield running


@pytest.fixture(scope="session")
def needs(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Say what a test cannot do without: programs, and the rights of root."""

    def need(*programs: str, root: bool = False) -> None:
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        missing = [name for name in programs if shutil.which(name, path=path) is None]
        reasons = [f"{name} is not installed" for name in missing]
        if root and os.geteuid() != 0:
            reasons.append("this takes root")
        if reasons and request.config.getoption("--require-lab"):
            pytest.fail(f"the lab is required, and {' and '.join(reasons)}")
        if reasons:
            pytest.skip(" and ".join(reasons))

    return need
