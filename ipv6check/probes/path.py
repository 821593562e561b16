"""Whether this vantage's IPv6 can be held against a target at all (law 1)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from ipv6check.model import Attempt, Failure, Kind, Port
from ipv6check.net import Net
from ipv6check.net.special_addresses import special_purpose
from ipv6check.probes.addresses import Addresses
from ipv6check.probes.connections import Connections
from ipv6check.probes.pings import Pings

_BROKEN = "IPv6 on this host appears broken: neither the target nor the control addresses answer"


@dataclass(frozen=True, slots=True)
class PortControl:
    """Whether a control of this port answers on it, over one IP version."""

    port: Port
    version: int
    answers: bool


@dataclass(frozen=True, slots=True)
class Path:
    """``ipv6``: yes, no (no route or source of ours) or broken (controls are silent too).

    ``ports``: what the controls of ports say on which the target is silent.
    """

    ipv6: str
    detail: str = ""
    ports: tuple[PortControl, ...] = ()

    def opens(self, port: int, version: int) -> bool | None:
        """Whether packets for this port get out and back; None where nobody could be asked."""
        answers = [
            control.answers
            for control in self.ports
            if (control.port, control.version) == (port, version)
        ]
        return answers[0] if answers else None


async def path(
    addresses: Addresses, connections: Connections, pings: Pings | Failure, net: Net
) -> Path:
    """Judge the vantage by the target's own answers, and by the controls where it gave none."""
    echoes = pings.ipv6 if isinstance(pings, Pings) else ()
    attempts = connections.ipv6
    if any(attempt.answered for attempt in attempts) or any(echo.received for echo in echoes):
        return Path("yes", ports=await _controls(connections, net))
    if addresses.ipv6 and all(ip_address(address).is_loopback for address in addresses.ipv6):
        return Path("yes")  # the vantage is the target: what it cannot do is the target's fault
    kinds = {attempt.failure.kind for attempt in attempts if attempt.failure}
    # A host that has a route to others is not one without IPv6.
    if kinds == {Kind.NO_LOCAL_ROUTE} and net.uplink.vantage().ipv6 == "no":
        return Path("no", _local_detail(connections))
    # A control on the Internet says nothing of a path inside one's own network.
    everyone_internal = all(special_purpose(address) for address in addresses.ipv6)
    if everyone_internal or await net.uplink.controls_answer():
        return Path("yes", ports=await _controls(connections, net))
    return Path("broken", _BROKEN)


async def _controls(connections: Connections, net: Net) -> tuple[PortControl, ...]:
    """What the controls of each port say on which a family is silent altogether."""
    controls = []
    for port in connections.ports:
        for version, attempts in ((6, connections.ipv6), (4, connections.ipv4)):
            outcomes = {_failure_kind(attempt) for attempt in attempts if attempt.port == port}
            if outcomes == {Kind.TIMEOUT}:
                answers = await net.uplink.control_opens(port, version)
                if answers is not None:
                    controls.append(PortControl(port, version, answers))
    return tuple(controls)


def _failure_kind(attempt: Attempt) -> Kind | None:
    """How the attempt failed; None where it did not, or failed by this host's own fault."""
    failure = attempt.failure
    return None if failure is None or failure.near else failure.kind


def _local_detail(connections: Connections) -> str:
    failure = connections.ipv6[0].failure
    return f"this host has no IPv6 route ({failure.detail})" if failure else ""
