"""What our own probes make of a name, as JSON: `python -m tests.clients.observe NAME [SERVER]`."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import socket
import sys
from collections.abc import Iterator
from itertools import product
from typing import Any

from ipv6check.config.target import parse
from ipv6check.eyeballs.clients import load
from ipv6check.eyeballs.prediction import Survey, predict_all
from ipv6check.model import Failure
from ipv6check.net.dns.resolvconf import Server
from ipv6check.net.local import LocalNet
from ipv6check.probes.addresses import addresses
from ipv6check.probes.connections import connections
from ipv6check.probes.handshakes import handshakes
from ipv6check.probes.survey import survey
from ipv6check.testing import SETTINGS

PORT = 80


async def main(name: str, servers: list[Server]) -> None:
    """Observe, predict, and say what the system's own order is."""
    net = LocalNet(nameservers=servers)
    target = parse(f"{name}:{PORT}")
    try:
        found = await addresses(target, SETTINGS, net)
        assert not isinstance(found, Failure), found
        attempts = await connections(found, target, SETTINGS, net)
        secured = await handshakes(attempts, target, SETTINGS, net)
        surveyed = (await survey(found, attempts, secured, net))[PORT]
    finally:
        net.close()
    said = {
        "order": surveyed.order,
        "getaddrinfo": _getaddrinfo(name),
        "predictions": _predicted(surveyed),
        "by_order": list(_by_order(surveyed)),
    }
    print(json.dumps(said))


def _predicted(surveyed: Survey) -> list[dict[str, Any]]:
    return [dataclasses.asdict(prediction) for prediction in predict_all(load(), surveyed)]


def _by_order(
    surveyed: Survey,
) -> Iterator[tuple[tuple[tuple[str, ...], ...], list[dict[str, Any]]]]:
    """For each way in which equal addresses may come, what is predicted were it the only one."""
    turned = [[group[n:] + group[:n] for n in range(len(group))] for group in surveyed.equal]
    for groups in product(*turned):
        order = list(surveyed.order)
        for group in groups:
            places = sorted(map(order.index, group))
            for place, address in zip(places, group, strict=True):
                order[place] = address
        yield groups, _predicted(dataclasses.replace(surveyed, order=tuple(order), equal=()))


def _getaddrinfo(name: str) -> list[str] | None:
    """The system's order, None where it fails."""
    try:
        found = socket.getaddrinfo(name, PORT, type=socket.SOCK_STREAM)
    except OSError:
        return None
    return [str(address[0]) for *_, address in found]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], [(server, 53) for server in sys.argv[2:]]))
