"""Many names at once, by the installed command in the lab: none is told otherwise than alone."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.lab import Lab, plan

COMMAND = str(Path(sys.executable).with_name("ipv6check"))
IPV4 = str(plan.address4("open", plan.HEALTHY_N))


def crowd(lab: Lab, addresses: list[str], *arguments: str) -> Counter[tuple[str, str]]:
    """The verdict and tcp's finding of each name; each is at one IPv6 address, all at one IPv4."""
    names = [f"n{number}.example" for number in range(len(addresses))]
    given = [
        word
        for name, address in zip(names, addresses, strict=True)
        for word in ("--resolve", f"{name}:{address}", "--resolve", f"{name}:{IPV4}")
    ]
    command = [COMMAND, *names, *given, "--skip", "ptr", "-p", "443", "-f", "jsonl", *arguments]
    run = lab.run("dual", command, timeout=120)
    assert run.stderr == ""
    told: Counter[tuple[str, str]] = Counter()
    for line in run.stdout.splitlines():
        report = json.loads(line)
        (tcp,) = {result["finding"] for result in report["results"] if result["check"] == "tcp"}
        told[report["verdict"], tcp] += 1
    return told


@pytest.mark.parametrize(
    ("behaviour", "verdict", "finding"),
    [
        ("silent", "not-ready", "unreachable"),
        ("drop", "not-ready", "filtered"),
        ("reset", "not-ready", "refused"),
        ("open", "ready", "open"),
    ],
)
def test_names_that_share_an_address(lab: Lab, behaviour: str, verdict: str, finding: str) -> None:
    """Two hundred virtual hosts of one address are as it is, every one of them.

    Regression: those that had no turn had "no IPv6 address", and were ready.
    """
    address = str(plan.address6(behaviour, plan.HEALTHY_N))
    assert crowd(lab, [address] * 200) == {(verdict, finding): 200}


@pytest.mark.parametrize(
    ("behaviour", "verdict", "finding"),
    [("silent", "not-ready", "unreachable"), ("open", "ready", "open")],
)
def test_more_at_once_than_sockets(lab: Lab, behaviour: str, verdict: str, finding: str) -> None:
    """Hundreds of hosts of their own wait for a socket, and lose nothing by it."""
    network = plan.BEHAVIOURS[behaviour].network6
    addresses = [str(network[0x2000 + number]) for number in range(700)]
    limits = ("--parallel", "4096", "--timeout", "1", "--deadline", "4")
    assert crowd(lab, addresses, *limits) == {(verdict, finding): 700}
