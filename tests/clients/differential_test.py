"""Predictions beside what real clients do, in every cell: `python -m tests.clients install DIR`.

Takes some ten minutes, and only where IPV6CHECK_CLIENTS says where the clients are.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.measure import Row, bench, scenarios
from tests.clients.programs import DIRECTORY, programs
from tests.lab import Lab

if not DIRECTORY:
    reason = "IPV6CHECK_CLIENTS is not set: python -m tests.clients install DIRECTORY"
    pytest.skip(reason, allow_module_level=True)

pytestmark = pytest.mark.timeout(1800)
NAMES = [scenario.name for scenario in scenarios()]


@pytest.fixture(scope="module")
def rows() -> Iterator[dict[str, Row]]:
    """Every installed client before every scenario."""
    if reason := Lab.unavailable():
        pytest.skip(f"the lab cannot run here: {reason}")
    with bench() as running:
        installed = [program for program in programs() if program.installed]
        yield {row.scenario.name: row for row in running.matrix(installed, scenarios())}


@pytest.mark.parametrize("name", NAMES)
def test_every_client_does_as_predicted(rows: dict[str, Row], name: str) -> None:
    """The same winner or failure, and the time within 25 ms or 5 %."""
    wrong = {
        cell.program.label: (cell.wrong, cell.predicted, cell.measured)
        for cell in rows[name].cells
        if cell.wrong
    }
    assert wrong == {}


@pytest.mark.parametrize("name", NAMES)
def test_the_order_is_that_of_getaddrinfo(rows: dict[str, Row], name: str) -> None:
    """We sort as the system does; it finds nothing where A or AAAA is not answered."""
    row = rows[name]
    if row.getaddrinfo is None:
        assert name == "a-silent"
    elif name != "aaaa-silent":
        assert row.getaddrinfo == list(row.order)


def test_nearly_every_cell_is_decided(rows: dict[str, Row]) -> None:
    """A prediction is either in a few cells only, or it says nothing."""
    cells = [cell for row in rows.values() for cell in row.cells]
    either = [cell for cell in cells if cell.predicted["outcome"] == "either"]
    assert len(either) <= len(cells) / 20
