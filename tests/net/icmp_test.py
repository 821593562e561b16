"""Ping, by either kind of socket, on loopback and in the lab."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

import pytest

from ipv6check.model import Echo, Failure, Kind
from ipv6check.net import icmp, local
from tests.lab import Lab, plan
from tests.pace import Lag

FAMILIES = {"::1": socket.AF_INET6, "127.0.0.1": socket.AF_INET}
DELAYED = {name: float(b.rtt_ms) for name, b in plan.BEHAVIOURS.items() if 0 < b.rtt_ms < 1000}
N = 0x78
GROUPS = "/proc/sys/net/ipv4/ping_group_range"
WITHOUT_RAW = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")

PING = """
import asyncio, dataclasses, json, os, socket, sys
from ipv6check.net.local import LocalNet

async def main(timeout_s, pings, *addresses):
    net = LocalNet(nameservers=[("198.18.53.1", 53)], timeout_s=float(timeout_s), pings=int(pings))
    try:
        echoes = await asyncio.gather(*(net.ping(address) for address in addresses))
        opened = net._echo_sockets.values()
        kinds = {echo._sock.type.name for echo in opened if hasattr(echo, "_sock")}
    finally:
        net.close()
    print(json.dumps({"kinds": sorted(kinds), "echoes": [dataclasses.asdict(e) for e in echoes]}))

asyncio.run(main(*sys.argv[1:]))
"""


def both(behaviour: str, n: int = N) -> tuple[str, str]:
    """An address of either family that behaves so."""
    return str(plan.address6(behaviour, n)), str(plan.address4(behaviour, n))


def ping(
    lab: Lab, client: str, addresses: list[str], *, dgram: bool = False, pings: int = 3
) -> dict[str, Any]:
    """Pings from a client, by address, over sockets of one kind."""
    script = [sys.executable, "-c", PING, "0.9", str(pings), *addresses]
    if dgram and os.geteuid() != 0:
        pytest.skip(
            "a user namespace maps one group alone: its ping_group_range cannot be put back"
        )
    if dgram:
        # The permission is the namespace's: give it, and take it back.
        shell = f'echo "0 2147483647" > {GROUPS}; "$@"; echo "1 0" > {GROUPS}'
        script = ["sh", "-c", shell, "sh", *script]
    run = lab.run(client, script)
    assert run.stderr == ""
    said = json.loads(run.stdout)
    assert said["kinds"] == (["SOCK_DGRAM"] if dgram else ["SOCK_RAW"])
    return dict(zip(addresses, said["echoes"], strict=True))


@pytest.fixture(scope="module", params=[False, True], ids=["raw", "dgram"])
def pinged(request: pytest.FixtureRequest, lab: Lab) -> tuple[dict[str, Any], Lag]:
    """Pings of each behaviour over either family, all at once, and how late the machine was."""
    names = ("open", "drop", "silent", "no-ping", "ping-prohibited", *DELAYED)
    addresses = [address for name in names for address in both(name)]
    with Lag() as lag:
        return ping(lab, "dual", addresses, dgram=request.param), lag


@pytest.fixture(scope="module")
def echoes(pinged: tuple[dict[str, Any], Lag]) -> dict[str, Any]:
    """Pings of each behaviour over either family, over either kind of socket."""
    return pinged[0]


@pytest.mark.timing
@pytest.mark.parametrize("behaviour", ["open", "drop", *DELAYED])
def test_replies(pinged: tuple[dict[str, Any], Lag], behaviour: str) -> None:
    """Every request is answered, after the path's delay within three milliseconds."""
    echoes, lag = pinged
    expected_ms = DELAYED.get(behaviour, 0.0)
    for address in both(behaviour):
        echo = echoes[address]
        assert (echo["sent"], echo["received"], echo["failure"]) == (3, 3, None)
        assert expected_ms <= echo["rtt_ms"] < expected_ms + 3 + lag.ms


@pytest.mark.parametrize("behaviour", ["silent", "no-ping"])
def test_silence(echoes: dict[str, Any], behaviour: str) -> None:
    """Silence is a timeout, of all requests."""
    for address in both(behaviour):
        echo = echoes[address]
        assert (echo["sent"], echo["received"], echo["rtt_ms"]) == (3, 0, None)
        assert echo["failure"]["kind"] == "timeout"


def test_prohibited(echoes: dict[str, Any]) -> None:
    """A router's or filter's no is not silence, and its sender is named."""
    address6, address4 = both("ping-prohibited")
    for address, speaker in ((address6, "2d00:6ab:a:100::2"), (address4, address4)):
        failure = echoes[address]["failure"]
        assert ("administratively-prohibited", speaker) == (failure["kind"], failure["source"])
        assert failure["detail"].startswith(f"{speaker} says administratively prohibited (ICMP")


def test_half_of_them_lost(lab: Lab) -> None:
    """Of three requests two come back where every second is dropped."""
    for echo in ping(lab, "dual", list(both("half-loss"))).values():
        assert (echo["sent"], echo["received"], echo["failure"]) == (3, 2, None)


class Deaf(icmp.EchoSocket):
    """A socket that loses so many of its first requests, on the way there."""

    lost = 0

    def _try_to_send(self, series: icmp._Series, sequence: int) -> int:
        if self.lost:
            self.lost -= 1
            series.sent_ns[sequence] = 0
            return 0
        return super()._try_to_send(series, sequence)


@pytest.mark.slow(after=6)
@pytest.mark.parametrize(
    ("count", "lost", "received"),
    [
        *((1, 0, 1), (1, 1, 1), (1, 3, 1), (1, 4, 0)),
        *((3, 1, 2), (3, 2, 3), (3, 3, 3), (3, 5, 3), (3, 12, 0)),
    ],
)
@pytest.mark.parametrize("host", FAMILIES)
def test_what_is_lost_is_sent_again(host: str, count: int, lost: int, received: int) -> None:
    """Most of them lost by chance is not yet loss; one in three is told as it is."""

    async def test(echo_socket: icmp.EchoSocket) -> None:
        assert isinstance(echo_socket, Deaf)
        echo_socket.lost = lost
        echo = await echo_socket.ping(host, count, 0.4)
        assert (echo.sent, echo.received) == (count, received)
        assert (echo.failure is None) is bool(received)

    with_socket(host, test, Deaf)


@pytest.mark.parametrize("dgram", [False, True], ids=["raw", "dgram"])
def test_one_address_errors_are_not_anothers(lab: Lab, dgram: bool) -> None:  # noqa: FBT001
    """Among many that say no, those that answer are heard in full.

    Regression: the kernel hands an ICMP error to whoever sends next on the same socket, and that
    address was called unroutable. Replies were lost too, for want of a receive buffer.
    """
    addresses = [
        address
        for n in range(0x100, 0x128)
        for name in ("ping-prohibited", "open")
        for address in (str(plan.address6(name, n)), str(plan.address4(name, n - 0x90)))
    ]
    found = ping(lab, "dual", addresses, dgram=dgram)
    for address, echo in found.items():
        prohibited = address.startswith(("2d00:6ab:12:", "198.18.12."))
        kind = echo["failure"] and echo["failure"]["kind"]
        assert (("administratively-prohibited", 0) if prohibited else (None, 3)) == (
            kind,
            echo["received"],
        )


def test_without_permission(lab: Lab) -> None:
    """A user who may not ping is told the command that permits it."""
    script = [*WITHOUT_RAW, sys.executable, "-c", PING, "0.9", "3", *both("open")]
    run = lab.run("dual", script)
    assert run.stderr == ""
    said = json.loads(run.stdout)
    assert said["kinds"] == []
    for failure in said["echoes"]:
        assert failure["kind"] == "permission"
        assert failure["detail"].endswith(icmp.GRANT)


def test_no_route(lab: Lab) -> None:
    """Where this host has no route, that is its own affair."""
    ipv6, ipv4 = both("open")
    found = ping(lab, "ipv4-only", [ipv6, ipv4])
    assert found[ipv6]["failure"]["kind"] == "no-local-route"
    assert found[ipv4]["received"] == 3


def with_socket(
    host: str,
    test: Callable[[icmp.EchoSocket], Any],
    kind: type[icmp.EchoSocket] = icmp.EchoSocket,
) -> None:
    """Run a test with a socket, where this host permits one."""

    async def main() -> None:
        try:
            echo_socket = kind(FAMILIES[host])
        except PermissionError:
            pytest.skip(f"may not ping: {icmp.GRANT}")
        try:
            await test(echo_socket)
            assert not echo_socket._pending
        finally:
            echo_socket.close()

    asyncio.run(main())


@pytest.mark.parametrize("host", FAMILIES)
def test_loopback(host: str) -> None:
    """Many pings share one socket, and none leaves anything behind."""

    async def test(echo_socket: icmp.EchoSocket) -> None:
        echoes = await asyncio.gather(*(echo_socket.ping(host, 3, 1) for _ in range(20)))
        for echo in echoes:
            assert (host, 3, 3, None) == (echo.address, echo.sent, echo.received, echo.failure)
            assert echo.rtt_ms is not None
            assert echo.rtt_ms >= 0

    with_socket(host, test)


@pytest.mark.parametrize("host", FAMILIES)
def test_strange_messages(host: str) -> None:
    """Short, foreign and forged messages are not replies."""

    async def test(echo_socket: icmp.EchoSocket) -> None:
        packed = socket.inet_pton(FAMILIES[host], host)
        series = icmp._Series(host, packed, 1, asyncio.get_running_loop().create_future())
        echo_socket._pending[7] = series
        series.sent_ns[7] = 0
        v6 = host == "::1"
        reply = 129 if v6 else 0
        header = b"" if v6 or not echo_socket._raw else bytes([0x45]) + bytes(19)

        def message(type_: int, id_: int, sequence: int) -> bytes:
            return header + struct.pack("!BBHHH", type_, 0, 0, id_, sequence)

        mine = echo_socket._id
        other = "::2" if v6 else "127.0.0.2"
        for data, sender in (
            (b"", host),
            (b"\x4f", host),
            (header, host),
            (message(reply, mine, 7)[:-1], host),
            (message(128 if v6 else 8, mine, 7), host),
            (message(reply, mine, 8), host),
            (message(reply, mine, 7), other),
        ):
            echo_socket._receive(data, sender, 1)
        if echo_socket._raw:
            echo_socket._receive(message(reply, mine ^ 1, 7), host, 1)
        assert series.rtts_ms == {}
        echo_socket._receive(message(reply, mine, 7), host, 2_000_000)
        echo_socket._receive(message(reply, mine, 7), host, 3_000_000)
        assert series.rtts_ms == {7: 2.0}

    with_socket(host, test)


@pytest.mark.parametrize("host", FAMILIES)
def test_cancelled(host: str) -> None:
    """A ping that is given up leaves neither a timer nor a sequence number behind."""

    async def test(echo_socket: icmp.EchoSocket) -> None:
        task = asyncio.ensure_future(echo_socket.ping(host, 50, 5))
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        sequence = echo_socket._sequence
        await asyncio.sleep(0.12)
        assert sequence == echo_socket._sequence

    with_socket(host, test)


def test_no_permission_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """LocalNet says so for either family, and asks the kernel once."""
    asked: list[int] = []

    def forbidden(family: socket.AddressFamily) -> icmp.EchoSocket:
        asked.append(family)
        raise PermissionError

    async def main() -> list[Echo | Failure]:
        net = local.LocalNet(nameservers=[("127.0.0.1", 9)])
        found = [await net.ping(host) for host in ("::1", "127.0.0.1", "::1", "127.0.0.1")]
        net.close()
        return found

    monkeypatch.setattr(icmp, "_open", forbidden)
    for failure in asyncio.run(main()):
        assert isinstance(failure, Failure)
        assert failure.kind is Kind.PERMISSION
    assert asked == [socket.AF_INET6, socket.AF_INET]


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EINVAL])
def test_a_kernel_that_opens_no_such_socket(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A kernel without IPv6 (ipv6.disable=1) is the vantage's own affair, and no crash.

    Regression: icmplib's ICMPSocketError is no OSError.
    """

    def no_socket(*_: object, **__: object) -> socket.socket:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "socket", no_socket)
    failure = local._open_echo(socket.AF_INET6)
    assert failure == Failure(Kind.NO_LOCAL_ROUTE, os.strerror(number))


def test_the_identifier_is_ours() -> None:
    """Sixteen bits of the process id tell our pings from others' on a raw socket."""

    async def test(echo_socket: icmp.EchoSocket) -> None:
        assert os.getpid() & 0xFFFF == echo_socket._id

    with_socket("::1", test)
