"""One service through a gate, from a healthy day to the incident and out of it, in the lab."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.lab import Lab
from tests.lab.plan import address4, address6

COMMAND = str(Path(sys.executable).with_name("ipv6check"))
OPEN4, OPEN6, DROP6 = address4("open", 1), address6("open", 1), address6("drop", 1)
TODAY = dt.datetime.now(dt.UTC).date()

SERVICE = """
[check]
resolve = ["shop.test:{aaaa}", "shop.test:{a}"]
timeout = 1.0

[service.shop]
targets = ["shop.test"]
ports = [443]
owner = "team-shop"
"""
WAIVER = """
[[waiver]]
check = "tcp"
target = "shop.test"
reason = "the firewall is opened on Monday"
owner = "ops"
expires = {expires}
"""

Gate = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def gate(lab: Lab, tmp_path: Path) -> Gate:
    """Run the configuration of a service whose name leads to these addresses."""

    def run(
        *arguments: str, aaaa: object = OPEN6, more: str = "", client: str = "dual"
    ) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "ipv6check.toml"
        path.write_text(SERVICE.format(aaaa=aaaa, a=OPEN4) + more, "utf-8")
        return lab.run(client, [COMMAND, "--config", str(path), *arguments])

    return run


def waiver(days: int) -> str:
    """A waiver that ends so many days from now."""
    return WAIVER.format(expires=TODAY + dt.timedelta(days))


def test_a_healthy_service_passes(gate: Gate) -> None:
    """Nothing is wrong, and nothing is asked of anybody."""
    ended = gate("-f", "json")
    assert (ended.returncode, ended.stderr) == (0, "")
    document = json.loads(ended.stdout)
    (target,) = document["targets"]
    assert (document["gate"], target["service"], target["owner"]) == ("passed", "shop", "team-shop")


def test_the_incident_does_not_pass(gate: Gate) -> None:
    """An AAAA before the firewall was opened: a browser would not have noticed."""
    ended = gate(aaaa=DROP6)
    assert ended.returncode == 1
    assert "is silent, IPv4 connects in" in ended.stdout


def test_a_waiver_lets_it_pass_and_says_so(gate: Gate) -> None:
    """The exit code is 0, the verdict is what it is, the reason stands beside the finding."""
    ended = gate(aaaa=DROP6, more=waiver(60))
    assert ended.returncode == 0, ended.stdout
    assert "NOT READY, excused" in ended.stdout
    assert "by ops: the firewall is opened on" in ended.stdout
    assert "expires" not in ended.stdout


def test_a_waiver_warns_before_it_ends(gate: Gate) -> None:
    """Two weeks before its last day it is said at its line, and it still excuses."""
    ended = gate(aaaa=DROP6, more=waiver(14))
    assert ended.returncode == 0
    assert "ipv6check.toml:11:thewaiveroftcpforshop.test" in "".join(ended.stdout.split())
    assert "expires in 14 days" in " ".join(ended.stdout.split())


def test_an_expired_waiver_gates_again(gate: Gate) -> None:
    """No exception lives for ever."""
    ended = gate(aaaa=DROP6, more=waiver(-1))
    assert ended.returncode == 1
    said = " ".join(ended.stdout.split())
    assert f"waiver expired on {TODAY - dt.timedelta(1)} by ops" in said
    assert "excuses nothing: fix" in said


def test_a_waiver_of_what_is_mended_can_go(gate: Gate) -> None:
    """It matches nothing, and that is said without failing anybody."""
    ended = gate(more=waiver(60))
    assert ended.returncode == 0
    assert "matches no finding: remove it" in " ".join(ended.stdout.split())


@pytest.mark.parametrize("format_", ["json", "jsonl"])
def test_a_baseline_lets_pass_what_was_so_before(gate: Gate, tmp_path: Path, format_: str) -> None:
    """The regression stops; from the day it is in the baseline it does not, until it gets worse."""
    old = tmp_path / "old"
    save = partial(gate, "--save", f"{format_}={old}")
    assert save().returncode == 0
    against = partial(gate, "--baseline", str(old))
    assert against().returncode == 0
    assert against(aaaa=DROP6).returncode == 1
    assert save(aaaa=DROP6).returncode == 1
    known = against(aaaa=DROP6)
    assert known.returncode == 0, known.stdout
    assert "known: already in the baseline" in known.stdout
    both = [f"--resolve=shop.test:{address}" for address in (DROP6, address6("drop", 2), OPEN4)]
    assert against(*both).returncode == 1


def test_a_runner_without_ipv6_says_so(gate: Gate) -> None:
    """Neither the service nor its waiver is to blame: exit code 3, one clear sentence."""
    ended = gate(aaaa=DROP6, more=waiver(60), client="ipv4-only")
    assert ended.returncode == 3
    said = " ".join(ended.stdout.split())
    assert "this host has no IPv6 route" in said
    assert "remove it" not in said
    assert gate("--on-unknown", "pass", aaaa=DROP6, client="ipv4-only").returncode == 0


def test_a_service_may_insist_on_ipv6(gate: Gate) -> None:
    """Then a runner without it cannot let the service pass, whatever is said of unknowns."""
    ended = gate("--on-unknown", "pass", more='vantage = "ipv6"\n', client="ipv4-only")
    assert ended.returncode == 3
    assert "service shop must be checked from a host with IPv6" in " ".join(ended.stdout.split())
    assert gate("--on-unknown", "pass", more='vantage = "ipv6"\n').returncode == 0
