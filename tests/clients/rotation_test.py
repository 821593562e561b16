"""A real client before a resolver that rotates: it connects at once, or waits, by luck."""

from __future__ import annotations

import sys

import pytest

from tests.clients.measure import bench, scenarios
from tests.clients.programs import PYTHON, Program
from tests.lab import Lab

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]
# Python itself, which tries one address after the other; each run is a toss of a coin.
NAME = "asyncio plain"
CLIENT = Program(NAME, NAME, (sys.executable, "-c", PYTHON[NAME]))
TOSSES = 16
WAITS_MS = 5000.0


def test_a_client_has_either_end_by_the_order_that_it_is_given() -> None:
    """Both were told of beforehand, and each run ends as was predicted for its order."""
    if reason := Lab.unavailable():
        pytest.skip(reason)
    (scenario,) = (scenario for scenario in scenarios() if scenario.name == "rotated-one-dead")
    seen: dict[bool, int] = {}
    with bench() as running:
        for _ in range(TOSSES):
            (cell,) = running.calm(running.row([CLIENT], scenario)).cells
            assert cell.wrong == ""
            assert cell.foreseen
            assert (cell.told["outcome"], len(cell.told["orders"])) == ("either", 2)
            waited = cell.measured.ms > WAITS_MS
            seen[waited] = seen.get(waited, 0) + 1
            if len(seen) == 2:
                break
    assert seen.keys() == {True, False}
