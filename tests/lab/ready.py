"""Waiting until every server of the lab answers, by asking and never by sleeping blindly."""

import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import dns.message
import dns.rcode

from tests.lab import netns, plan

_PAUSE_S = 0.01


def wait(check_alive: Callable[[], None], deadline: float) -> None:
    """Ask from this namespace until all have answered; TimeoutError names the one that did not."""
    for server, probe in _probes().items():
        while not probe():
            check_alive()
            if time.monotonic() > deadline:
                raise TimeoutError(f"the lab's {server} is not ready in time")
            time.sleep(_PAUSE_S)


def _probes() -> dict[str, Callable[[], bool]]:
    # The resolvers after those whom they ask: a resolver that meets silence waits for long.
    authoritative = {
        "root server": plan.ROOT_ADDRESSES[1],
        "authoritative server": plan.AUTHORITATIVE.ipv6,
        "faulty server": plan.HOSTILE.ipv6,
    }
    probes: dict[str, Callable[[], bool]] = {
        server: partial(_answers, address, 0.2) for server, address in authoritative.items()
    }
    for server in (plan.RESOLVER, plan.ROTATING, *plan.DNS64_PREFIXES):
        probes[server.about] = partial(_answers, server.ipv4, 2.0)
    # Before anything is sent over it: a lost neighbour solicitation is repeated after a second.
    probes["slow cable"] = _cable_is_open
    for behaviour in ("open", "slow-40"):
        probes[f"web server ({behaviour})"] = partial(_accepts, behaviour)
    return probes


def _answers(address: str, patience_s: float) -> bool:
    query = dns.message.make_query("test.", "SOA")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.settimeout(patience_s)
        try:
            udp.connect((address, 53))
            udp.send(query.to_wire())
            return dns.message.from_wire(udp.recv(4096)).rcode() == dns.rcode.NOERROR
        except OSError:
            return False


def _cable_is_open() -> bool:
    with netns.inside("wire"):
        _heading, *sockets = Path("/proc/thread-self/net/packet").read_text().splitlines()
    return len(sockets) == 2


def _accepts(behaviour: str) -> bool:
    try:
        with socket.create_connection((str(plan.address6(behaviour, 1)), 443), timeout=1):
            return True
    except OSError:
        return False
