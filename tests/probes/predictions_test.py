"""The predictions as a probe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ipv6check.eyeballs.algorithm import Resolved
from ipv6check.eyeballs.clients import load
from ipv6check.eyeballs.prediction import Seen, Survey, predict_all
from ipv6check.probes.predictions import predictions
from ipv6check.testing import SETTINGS
from tests.probes.observing import V4, V6, observed


def test_every_client_on_every_port() -> None:
    """Each port has what its own survey says of each client."""
    dns = {"AAAA": Resolved((V6,), 1.0), "A": Resolved((V4,), 1.0)}
    alive = Survey(dns, (V6, V4), {V6: Seen("connected", 9.0), V4: Seen("connected", 9.0)})
    broken = Survey(dns, (V6, V4), {V6: Seen("silent"), V4: Seen("connected", 9.0)})
    found = observed(predictions({443: alive, 80: broken}, SETTINGS))
    assert found == {443: predict_all(load(), alive), 80: predict_all(load(), broken)}
    wget = next(each for each in found[80] if each.name == "wget")
    assert (wget.outcome, wget.family, wget.connect_ms) == ("connected", "ipv4", 133_610.0)


def test_a_directory_adds_clients(tmp_path: Path) -> None:
    """They are predicted behind ours."""
    ours = 'mine = {client = "mine", version = "1", source = "s", date = "2026", sure = "no"}'
    (tmp_path / "mine.toml").write_text(ours, "utf-8")
    dns = {"AAAA": Resolved((V6,), 1.0), "A": Resolved((V4,), 1.0)}
    seen = Survey(dns, (V6, V4), {V6: Seen("connected", 9.0), V4: Seen("connected", 9.0)})
    settings = replace(SETTINGS, clients_dirs=(tmp_path,))
    found = observed(predictions({443: seen}, settings))
    assert (list(found), len(found)) == ([443], 1)
    assert [each.name for each in found[443]] == [*(each.name for each in load()), "mine"]
