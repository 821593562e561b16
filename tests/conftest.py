"""Fixtures that several test modules share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import Lab


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
