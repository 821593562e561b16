"""What this host's kernel says of itself, in real namespaces."""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

import pytest

from ipv6check.model import Failure, Kind
from ipv6check.net.kernel import interfaces
from tests.lab import Lab, plan

STATE = """
import dataclasses, json, sys
from ipv6check.net.kernel import interfaces
found = dataclasses.asdict(interfaces.state("2001:503:ba3e::2:30", "198.41.0.4"))
found["own"] = [interfaces.is_own(address) for address in sys.argv[1:]]
print(json.dumps(found))
"""


def state(lab: Lab, client: str, *own: str, setup: str = "") -> dict[str, Any]:
    """The state of a client, or of a namespace of its own that ``setup`` makes."""
    argv = [sys.executable, "-c", STATE, *own]
    if setup:
        argv = ["unshare", "--net", "sh", "-ec", f'{setup}\nexec "$@"', "sh", *argv]
    run = lab.run(client, argv)
    assert run.stderr == ""
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def interface(found: dict[str, Any], name: str) -> dict[str, Any]:
    """One interface."""
    (only,) = (interface for interface in found["interfaces"] if interface["name"] == name)
    assert isinstance(only, dict)
    return only


@pytest.mark.parametrize("name", ["dual", "ipv4-only", "ipv6-only", "offline"])
def test_routes_and_addresses(lab: Lab, name: str) -> None:
    """Routes to the Internet and global addresses are those that the client was given."""
    client = plan.CLIENTS[name]
    found = state(lab, name)
    wanted6 = ("eth0", str(client.network6[1]), str(client.network6[2]))
    wanted4 = ("eth0", str(client.network4[1]), str(client.network4[2]))
    for family, wanted, has in (("6", wanted6, client.ipv6), ("4", wanted4, client.ipv4)):
        route = found[f"route_ipv{family}"]
        assert (route and (route["interface"], route["gateway"], route["source"])) == (
            wanted if has and client.connected else None
        )
    lo = interface(found, "lo")
    assert (lo["loopback"], lo["up"], lo["ipv6"]) == (True, True, True)
    assert {address["address"] for address in lo["addresses"]} == {"::1", "127.0.0.1"}
    if client.connected:
        held = {
            address["address"]: address["state"]
            for address in interface(found, "eth0")["addresses"]
        }
        assert (held.get(str(client.network6[2])) == "preferred") is client.ipv6
        assert (str(client.network4[2]) in held) is client.ipv4


def test_own_addresses(lab: Lab) -> None:
    """The client's addresses and loopback's are its own, those of its link and beyond are not."""
    client = plan.CLIENTS["dual"]
    own = [str(client.network6[2]), str(client.network4[2]), "::1", "127.0.0.1", "127.9.9.9"]
    others = [str(client.network6[1]), str(client.network4[1]), "2d00:6ab:1::1", "::", "0.0.0.0"]
    found = state(lab, "dual", *own, *others, "fe80::1", "ff02::1")["own"]
    assert found == [True] * len(own) + [False] * (len(others) + 2)
    assert state(lab, "offline", "::1", *others)["own"] == [True] + [False] * len(others)


CABLE = "ip link add v0 type veth peer name v1; ip link set v1 up; ip link set v0 up"
DETECT = "sysctl -qw net.ipv6.conf.v0.accept_dad=1"
ADD = "ip address add 2d00::1/64 dev v0"


@pytest.mark.parametrize(
    ("setup", "held"),
    [
        (f"{ADD} nodad", "preferred"),
        (f"{ADD} nodad preferred_lft 0 valid_lft 99", "deprecated"),
        # The other end never answers for it in the second that its detection takes.
        (f"{DETECT}; {ADD}", "tentative"),
        (
            f"{DETECT}; ip address add 2d00::1/64 dev v1 nodad; {ADD}; sleep 2.5",
            "duplicate",
        ),
    ],
    ids=["preferred", "deprecated", "tentative", "duplicate"],
)
def test_states_of_addresses(lab: Lab, setup: str, held: str) -> None:
    """RFC 4862: whether an address may be used is told as the kernel has it."""
    found = interface(state(lab, "offline", setup=f"{CABLE}; {setup}"), "v0")
    (address,) = (address for address in found["addresses"] if address["address"] == "2d00::1")
    assert address == {"address": "2d00::1", "prefix_length": 64, "state": held}


@pytest.mark.parametrize(
    ("address", "leased"),
    [
        ("2d00::1/128 dev v0 nodad valid_lft 900 preferred_lft 800", ["2d00::1"]),
        ("2d00::1/128 dev v0 nodad", []),
        ("2d00::1/64 dev v0 nodad valid_lft 900 preferred_lft 800", []),
        ("fe80::9/128 dev v0 nodad valid_lft 900 preferred_lft 800", []),
    ],
    ids=["leased", "static", "autoconfigured", "link-local"],
)
def test_leases(lab: Lab, address: str, leased: list[str]) -> None:
    """What DHCPv6 gave runs out, and has no prefix; nothing else is like that."""
    setup = f'{CABLE}; ip address add {address}; exec "$@"'
    program = (
        "import json; from ipv6check.net.kernel.interfaces import leased; "
        "print(json.dumps(leased()))"
    )
    inside = ["unshare", "--net", "sh", "-ec", setup, "sh", sys.executable, "-c", program]
    assert json.loads(lab.run("offline", inside).stdout) == leased


def test_switches(lab: Lab) -> None:
    """MTU, disable_ipv6 and bindv6only are read; an MTU below 1280 takes the addresses along."""
    off = "sysctl -qw net.ipv6.conf.v1.disable_ipv6=1 net.ipv6.bindv6only=1"
    small = "ip address add 2d00::1/64 dev v0 nodad; ip link set v0 mtu 1200"
    found = state(lab, "offline", setup=f"{CABLE}; {off}; {small}")
    assert found["bindv6only"]
    v0, v1 = interface(found, "v0"), interface(found, "v1")
    assert (v0["mtu"], v0["addresses"]) == (1200, [])
    assert (v1["ipv6"], v1["addresses"]) == (False, [])
    assert not interface(found, "lo")["up"]


@pytest.mark.parametrize(
    ("route", "gateway"),
    [("-6 route add default dev v0", ""), ("-6 route add unreachable default", None)],
)
def test_routes_without_a_gateway(lab: Lab, route: str, gateway: str | None) -> None:
    """A route may need no gateway; one that refuses is none."""
    setup = f"{CABLE}; ip address add 2d00::1/64 dev v0 nodad; ip {route}"
    found = state(lab, "offline", setup=setup)["route_ipv6"]
    assert (found and found["gateway"]) == gateway


def test_a_route_for_one_source(lab: Lab) -> None:
    """A default route may be for one source prefix alone (RFC 8028)."""
    setup = f"{CABLE}; {ADD} nodad; ip -6 route add default from 2d00::/64 dev v0"
    found = state(lab, "offline", setup=setup)["route_ipv6"]
    assert (found["interface"], found["source"]) == ("v0", "2d00::1")
    other = f"{CABLE}; {ADD} nodad; ip -6 route add default from 2d01::/64 dev v0"
    assert state(lab, "offline", setup=other)["route_ipv6"] is None


@pytest.mark.parametrize(("gateway", "dead"), [("2d00::2", False), ("2d00::3", True)])
def test_a_gateway_that_is_not_there(lab: Lab, gateway: str, dead: bool) -> None:  # noqa: FBT001
    """The kernel's table of neighbours tells whether the gateway answers (RFC 4861)."""
    peer = (
        "unshare --net sleep 9 >/dev/null 2>&1 & sleep 0.3; "
        f"{CABLE}; ip link set v1 netns $!; other='nsenter -t '$!' -n ip'; "
        "$other link set v1 up; $other address add 2d00::2/64 dev v1 nodad"
    )
    setup = f"{peer}; {ADD} nodad; ip -6 route add default via {gateway}"
    found = state(lab, "offline", setup=setup)["route_ipv6"]
    assert (found["gateway"], found["dead"]) == (gateway, dead)


def test_a_link_without_a_carrier(lab: Lab) -> None:
    """An interface is told for what it is, and that nothing is at its other end."""
    setup = "ip link add br0 type bridge; ip link add v0 type veth peer name v1; ip link set v0 up"
    found = state(lab, "offline", setup=setup)
    assert interface(found, "br0")["kind"] == "bridge"
    v0 = interface(found, "v0")
    assert (v0["up"], v0["carrier"]) == (True, False)


THREADS = """
import threading
from ipv6check.net.kernel import interfaces, sockets
asked = [lambda: interfaces.state("2001:503:ba3e::2:30", "198.41.0.4"), sockets.listening]
threads = [threading.Thread(target=ask) for ask in asked]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_that_ask_at_once(lab: Lab) -> None:
    """The first two that need pyroute2 do not block each other's import of it."""
    run = lab.run("offline", [sys.executable, "-c", THREADS])
    assert (run.returncode, run.stderr) == (0, "")


def test_a_router_that_failed_a_moment_ago(lab: Lab) -> None:
    """The kernel passes over it for a while; the route that it prefers is told all the same."""
    second = "ip link add w0 type veth peer name w1; ip link set w1 up; ip link set w0 up"
    routes = (
        "ip -6 route add default via fd00::9 dev w0 metric 9; "
        "ip -6 route add default via 2d00::9 dev v0 metric 1024"
    )
    failed = "ip -6 neigh add fd00::9 dev w0 nud failed"
    address = "ip address add fd00::1/64 dev w0 nodad"
    setup = f"{CABLE}; {second}; {ADD} nodad; {address}; {routes}; {failed}"
    found = state(lab, "offline", setup=setup)["route_ipv6"]
    assert (found["interface"], found["gateway"], found["dead"]) == ("w0", "fd00::9", True)


def test_a_kernel_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox without rtnetlink is a Failure of the vantage."""
    import pyroute2  # noqa: PLC0415

    def refuse() -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(pyroute2, "IPRoute", refuse)
    found = interfaces.state("::1", "127.0.0.1")
    assert isinstance(found, Failure)
    assert found.kind is Kind.PERMISSION
    assert found.detail.endswith("Operation not permitted")


def test_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of getaddrinfo is kept, each address once; a name with none has no order."""
    found: list[Any] = [(0, 0, 0, "", ("192.0.2.1", 9)), (0, 0, 0, "", ("2001:db8::1", 9, 0, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found * 2)
    assert interfaces.order("x.example") == ("192.0.2.1", "2001:db8::1")
    found.pop()
    assert interfaces.order("x.example") == ("192.0.2.1",)

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert interfaces.order("x.example") == ()
