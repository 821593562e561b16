"""Predictions beside what real clients do, in every cell: `python -m tests.clients install DIR`.

Takes some ten minutes, and only where IPV6CHECK_CLIENTS says where the clients are. .ci/run
installs them, and runs this by itself: they keep time, which others disturb.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.measure import Row, bench, scenarios
from tests.clients.programs import DIRECTORY, programs
from tests.lab import Lab

pytestmark = [pytest.mark.clients, pytest.mark.timeout(2700)]
NAMES = [scenario.name for scenario in scenarios()]


@pytest.fixture(scope="module")
def rows() -> Iterator[dict[str, Row]]:
    """Every client before every scenario."""
    if not DIRECTORY:
        pytest.skip("IPV6CHECK_CLIENTS is not set: python -m tests.clients install DIRECTORY")
    without = ", ".join(program.label for program in programs() if not program.installed)
    reason = Lab.unavailable() or (f"not installed: {without}" if without else None)
    if reason is not None:
        pytest.skip(reason)
    with bench() as running:
        yield {row.scenario.name: row for row in running.matrix(programs(), scenarios())}


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
def test_what_is_told_holds_the_end_of_every_order(rows: dict[str, Row], name: str) -> None:
    """Nobody knows in which order a resolver will answer: the end that came is one of those."""
    assert [cell.program.label for cell in rows[name].cells if not cell.foreseen] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_order_is_that_of_getaddrinfo(rows: dict[str, Row], name: str) -> None:
    """We sort as the system does; it finds nothing where A or AAAA is not answered."""
    row = rows[name]
    if row.getaddrinfo is None:
        assert name == "a-silent"
    elif name.startswith("rotated"):
        assert sorted(row.getaddrinfo) == sorted(row.order)
    elif name != "aaaa-silent":
        assert row.getaddrinfo == list(row.order)


def test_nearly_every_cell_is_decided(rows: dict[str, Row]) -> None:
    """A prediction is either in a few cells only, or it says nothing."""
    cells = [cell for row in rows.values() for cell in row.cells]
    either = [cell for cell in cells if cell.predicted["outcome"] == "either"]
    assert len(either) <= len(cells) / 20
