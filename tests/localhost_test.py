"""``ipv6check localhost:8080`` and ``--profile host``, with real sockets and no network at all."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab
from tests.pace import Lag

COMMAND = str(Path(sys.executable).with_name("ipv6check"))
SCRIPT = """
import json, socket, subprocess, sys
sockets = []
for address, v6only in json.loads(sys.argv[1]):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family)
    if v6only is not None:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    sock.bind((address, 8080))
    sock.listen()
    sockets.append(sock)
sys.exit(subprocess.call(sys.argv[2:]))
"""
DOWN = ("unshare", "--net")
WITHOUT_IPV6 = 'ip link set lo up; ip address del ::1 dev lo; exec "$@"'
NO_IPV6 = (*DOWN, "sh", "-ec", WITHOUT_IPV6, "sh")


def report(
    lab: Lab, sockets: list[tuple[str, bool | None]], *arguments: str, inside: tuple[str, ...] = ()
) -> tuple[int, dict[str, Any]]:
    """The exit code and the report of the one target, on a host where these sockets listen."""
    program = [sys.executable, "-c", SCRIPT, json.dumps(sockets)]
    run = lab.run(
        "offline", [*inside, *program, COMMAND, *arguments, "--timeout", "1", "-f", "json"]
    )
    assert run.stderr == ""
    (target,) = json.loads(run.stdout)["targets"]
    assert isinstance(target, dict)
    return run.returncode, target


def said(target: dict[str, Any], check: str) -> list[tuple[str, str | None, str]]:
    """Status, cause and message of each finding of one check."""
    found = (result for result in target["results"] if result["check"] == check)
    return [(result["status"], result["cause"], result["message"]) for result in found]


@pytest.mark.parametrize(
    ("sockets", "verdict", "status", "says"),
    [
        ([("::", False)], "ready", "pass", "by one dual-stack socket"),
        ([("::", True), ("0.0.0.0", None)], "ready", "pass", "by two sockets"),
        ([("::1", None), ("127.0.0.1", None)], "ready", "pass", "two sockets, on loopback only"),
        ([("0.0.0.0", None)], "not-ready", "fail", "port 8080 listens on IPv4 only: 0.0.0.0:8080"),
        ([("127.0.0.1", None)], "not-ready", "fail", "IPv4 only: 127.0.0.1:8080"),
        ([("::ffff:0.0.0.0", False)], "not-ready", "fail", "IPv4 only: 0.0.0.0:8080"),
        ([("::", True)], "degraded", "warn", "port 8080 listens on IPv6 only: [::]:8080"),
        ([("::1", None)], "degraded", "warn", "IPv6 only: [::1]:8080"),
        ([], "not-ready", "fail", "nothing listens on port 8080"),
    ],
)
def test_each_kind_of_listener(
    lab: Lab, sockets: list[tuple[str, bool | None]], verdict: str, status: str, says: str
) -> None:
    """The verdict is right, who listens is told by name, and tcp agrees."""
    code, target = report(lab, sockets, "localhost:8080")
    assert target["verdict"] == verdict, target["results"]
    assert code == (verdict == "not-ready")
    ((found, cause, message),) = said(target, "listeners")
    assert (found, cause) == (status, None if status == "pass" else "host")
    assert says in message
    assert not sockets or "python" in message
    assert said(target, "tcp")[0][0] == status
    assert said(target, "ptr")[0][0] == "skip"


def test_an_address_of_loopback(lab: Lab) -> None:
    """``::1`` means this host as well, and asks for no IPv4."""
    code, target = report(lab, [("::", False)], "[::1]:8080")
    assert (code, target["verdict"]) == (0, "ready")
    assert said(target, "tcp")[0][0] == "pass"


def test_loopback_is_down(lab: Lab) -> None:
    """Neither family gets through: the host's fault, and no IPv6 fault."""
    code, target = report(lab, [("::", False)], "localhost:8080", inside=DOWN)
    assert (code, target["verdict"]) == (1, "not-ready")
    ((status, cause, message),) = said(target, "tcp")
    assert (status, cause) == ("fail", "host")
    assert "is unreachable: the loopback interface is down" in message
    assert said(target, "listeners")[0][0] == "pass"


def test_loopback_without_ipv6(lab: Lab) -> None:
    """The host that lacks ``::1`` is the target: its fault, and no unknown of the vantage."""
    code, target = report(lab, [("::", False)], "localhost:8080", inside=NO_IPV6)
    assert (code, target["verdict"]) == (1, "not-ready")
    ((status, cause, message),) = said(target, "tcp")
    assert (status, cause) == ("fail", "host")
    assert "[::1]:8080 fails" in message
    assert "IPv4 connects" in message


RULES = """table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    iif lo accept
    ct state established,related accept
    meta l4proto { icmp, ipv6-icmp } accept
    tcp dport 22 accept
  }
}"""
LEASE = "2001:db8::9/128 dev v0 nodad valid_lft 900 preferred_lft 800"


@pytest.mark.parametrize(
    ("address", "rule", "status"),
    [
        (LEASE, "", "fail"),
        (LEASE, "udp dport 546 accept", "pass"),
        ("2001:db8::9/128 dev v0 nodad", "", "warn"),
    ],
    ids=["leased", "let-in", "static"],
)
def test_a_lease_and_the_rules_in_force(lab: Lab, address: str, rule: str, status: str) -> None:
    """A firewall that drops DHCPv6 is a failure of the host that has its address by it."""
    rules = RULES.replace("tcp dport 22", f"{rule}\n tcp dport 22")
    setup = (
        f"ip link set lo up; ip link add v0 type veth peer name v1; ip link set v0 up\n"
        f"ip address add {address}; nft -f - <<'END'\n{rules}\nEND\nexec \"$@\""
    )
    inside = (*DOWN, "sh", "-ec", setup, "sh")
    _, target = report(lab, [], "localhost", "--only", "firewall", inside=inside)
    found = {result["finding"]: result["status"] for result in target["results"]}
    assert found.get("dhcpv6-lost", "pass") == status, found


@pytest.mark.timing
@pytest.mark.parametrize("inside", [(), DOWN])
def test_a_host_without_a_network(lab: Lab, inside: tuple[str, ...], lag: Lag) -> None:
    """All of it is told at once: what listens, and that there is no network to be ready for."""
    code, target = report(lab, [("0.0.0.0", None)], "localhost", "--profile", "host", inside=inside)
    assert (code, target["verdict"]) == (1, "not-ready")
    assert {result["check"] for result in target["results"]} == {"firewall", "host", "listeners"}
    status, cause, message = said(target, "host")[0]
    assert (status, cause) == ("fail", "network")
    assert message.endswith("neither IPv6 nor IPv4")
    assert [status for status, _, _ in said(target, "listeners")] == ["fail", "pass"]
    assert target["ports"] == []
    assert target["duration_ms"] < 3000 + lag.ms
