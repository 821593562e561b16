"""The uplink of this host goes away in mid-run: no healthy target is blamed for that (law 1)."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, plan

COMMAND = str(Path(sys.executable).with_name("ipv6check"))
NAMES = 40
AWAY_S = 4
LINK = plan.CLIENTS["dual"]
ADDRESS = f"{LINK.network6[2]}/64 dev eth0"
ROUTE = f"default via {LINK.network6[1]} dev eth0"
FILTER = (
    "nft add table inet away",
    "nft add chain inet away out '{{ type filter hook output priority 0; }}'",
    "nft add rule inet away out {}",
)


def filtered(rule: str) -> tuple[str, str]:
    """A packet filter of this host's own, and none."""
    return "; ".join(FILTER).format(rule), "nft delete table inet away"


# What ends the uplink, and what brings it back.
OUTAGES = {
    "route": (f"ip -6 route del {ROUTE}", f"ip -6 route replace {ROUTE}"),
    "address": (
        f"ip -6 addr del {ADDRESS}",
        f"ip -6 addr add {ADDRESS} nodad; ip -6 route replace {ROUTE}",
    ),
    "drop": filtered("oifname eth0 meta l4proto != udp drop"),
    "drop-ipv6": filtered("oifname eth0 meta nfproto ipv6 drop"),
    "reject": filtered("oifname eth0 meta nfproto ipv6 reject"),
    "reset": filtered("oifname eth0 meta l4proto tcp reject with tcp reset"),
    "reset-data": filtered("oifname eth0 tcp flags \\& psh == psh reject with tcp reset"),
    "drop-data": filtered("oifname eth0 tcp flags \\& psh == psh drop"),
}


@pytest.fixture(name="own_lab", scope="module")
def own_lab_fixture(lab: Lab) -> Iterator[Lab]:
    """A test internet of our own, whose links we may cut; where the common one can run."""
    assert lab
    with Lab(bulk=2 * NAMES) as running:
        yield running


def healthy() -> list[int]:
    """Numbers of names that are served well."""
    numbers = [number for number in range(2 * NAMES) if plan.bulk_kind(number) == "healthy"]
    return numbers[:NAMES]


def command() -> list[str]:
    """Checks them, a few at a time; their addresses are given, so that the DNS plays no part."""
    addresses = [
        option
        for number in healthy()
        for address in (plan.bulk_address6(number), plan.bulk_address4(number))
        for option in ("--resolve", f"{plan.bulk_host(number)}:{address}")
    ]
    names = [plan.bulk_host(number) for number in healthy()]
    return [COMMAND, *names, "-f", "jsonl", "--parallel", "4", "--skip", "ptr", *addresses]


@pytest.mark.parametrize("outage", OUTAGES)
def test_no_healthy_target_is_blamed(own_lab: Lab, outage: str, tmp_path: Path) -> None:
    """Most are found ready once the uplink is back; of none it is said that its IPv6 is broken."""
    end, begin_again = OUTAGES[outage]
    told = tmp_path / "reports"
    with told.open("wb") as output, own_lab.popen("dual", command(), stdout=output) as run:
        while len(told.read_bytes().splitlines()) < NAMES // 4 and run.poll() is None:
            time.sleep(0.02)
        cut = own_lab.run("dual", ["sh", "-c", end])
        assert run.poll() is None
        time.sleep(AWAY_S)
        mended = own_lab.run("dual", ["sh", "-c", begin_again])
    assert (cut.stderr, mended.stderr) == ("", "")
    lines = told.read_bytes().splitlines()
    reports: list[dict[str, Any]] = [json.loads(line) for line in lines]
    verdicts = {report["host"]: report["verdict"] for report in reports if "results" in report}
    assert len(verdicts) == NAMES
    assert set(verdicts.values()) <= {"ready", "degraded", "unknown"}, verdicts
    assert sum(verdict == "ready" for verdict in verdicts.values()) >= NAMES // 2
