"""The predictions as a probe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ipv6check.engine.checks.api import Plan
from ipv6check.engine.plan import ServicePlan
from ipv6check.eyeballs.algorithm import Resolved
from ipv6check.eyeballs.clients import load
from ipv6check.eyeballs.prediction import Seen, Survey, predict_all
from ipv6check.probes.predictions import predictions
from ipv6check.testing import SETTINGS
from tests.probes.observing import V4, V6, observed

MINE = 'mine = {client = "mine", version = "1", source = "s", date = "2026", sure = "no"}'


def test_every_client_on_every_port() -> None:
    """Each port has what its own survey says of each client."""
    dns = {"AAAA": Resolved((V6,), 1.0), "A": Resolved((V4,), 1.0)}
    alive = Survey(dns, (V6, V4), {V6: Seen("connected", 9.0), V4: Seen("connected", 9.0)})
    broken = Survey(dns, (V6, V4), {V6: Seen("silent"), V4: Seen("connected", 9.0)})
    found = observed(predictions({443: alive, 80: broken}, load()))
    assert found == {443: predict_all(load(), alive), 80: predict_all(load(), broken)}
    wget = next(client for client in found[80] if client.name == "wget")
    assert (wget.outcome, wget.family, wget.connect_ms) == ("connected", "ipv4", 133_610.0)


def test_a_directory_adds_clients(tmp_path: Path) -> None:
    """They are predicted behind ours."""
    (tmp_path / "mine.toml").write_text(MINE, "utf-8")
    dns = {"AAAA": Resolved((V6,), 1.0), "A": Resolved((V4,), 1.0)}
    seen = Survey(dns, (V6, V4), {V6: Seen("connected", 9.0), V4: Seen("connected", 9.0)})
    found = observed(predictions({443: seen}, load([tmp_path])))
    assert (list(found), len(found)) == ([443], 1)
    assert [client.name for client in found[443]] == [*(client.name for client in load()), "mine"]


def test_the_plan_gives_the_clients_of_the_settings(tmp_path: Path) -> None:
    """The engine reads the files: a probe is handed what is in them."""
    (tmp_path / "mine.toml").write_text(MINE, "utf-8")
    plan = ServicePlan(Plan((), ()), replace(SETTINGS, clients_dirs=(tmp_path,)))
    assert plan.given["clients"] == load([tmp_path])
