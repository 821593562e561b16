"""This host as a vantage."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ipv6check.model import Answer, Attempt, Failure, HostState, Kind, NameServer, Preference
from ipv6check.net import local, own_time, tcp
from ipv6check.net.dns import resolvconf
from ipv6check.net.dns.control_names import ControlNames
from ipv6check.net.dns.pairs import loses_second
from ipv6check.net.kernel import interfaces, sockets
from ipv6check.net.local import LocalNet
from tests.lab import Lab, plan
from tests.net.dns_server import DnsServer, Query, Replies, address_of, reply
from tests.pace import Lag

NOBODY = "2d00:6ab:3::99"

VANTAGE = """
import asyncio, dataclasses, json, sys
from ipv6check.net.local import LocalNet

async def main(nameserver, *controls):
    net = LocalNet(nameservers=[(nameserver, 53)], timeout_s=0.5, controls=controls)
    first = dataclasses.asdict(net.uplink.vantage())
    answers = await asyncio.gather(*(net.uplink.controls_answer() for _ in range(5)))
    known = {
        "first": first,
        "controls": sorted(set(answers)),
        "last": dataclasses.asdict(net.uplink.vantage()),
        "pref64": await net.resolver.pref64(),
        "resolver": await net.resolver.answers(),
    }
    net.close()
    print(json.dumps(known))

asyncio.run(main(*sys.argv[1:]))
"""


def vantage(lab: Lab, client: str, nameserver: str, *controls: str) -> dict[str, Any]:
    """What a client knows of itself."""
    run = lab.run(client, [sys.executable, "-c", VANTAGE, nameserver, *controls])
    assert run.stderr == ""
    known: dict[str, Any] = json.loads(run.stdout)
    return known


@pytest.mark.parametrize(
    ("client", "ipv4", "before", "after"),
    [
        ("dual", "yes", "yes", "yes"),
        ("ipv4-only", "yes", "no", "no"),
        ("ipv6-only", "no", "yes", "yes"),
        ("dead-uplink", "yes", "yes", "broken"),
        ("rejecting-uplink", "yes", "yes", "broken"),
        ("offline", "no", "no", "no"),
    ],
)
def test_vantage(lab: Lab, client: str, ipv4: str, before: str, after: str) -> None:
    """What a host can do is told by its routes, and by the controls where they were asked."""
    roots = [pair[1] for pair in list(plan.ROOT_SERVERS.values())[:2]]
    known = vantage(lab, client, plan.CLIENTS[client].nameserver, *roots)
    assert (ipv4, before) == (known["first"]["ipv4"], known["first"]["ipv6"])
    assert after == known["last"]["ipv6"]
    assert [after == "yes"] == known["controls"]
    source = str(plan.CLIENTS[client].network6[2]) if before == "yes" else None
    assert source == known["last"]["source_ipv6"]


def test_one_control_is_enough(lab: Lab) -> None:
    """Whichever control answers first proves the path; a reset does as well."""
    root = plan.ROOT_SERVERS["c"][1]
    reset = str(plan.address6("reset", 9))
    for controls in ((NOBODY, root), (reset,)):
        assert vantage(lab, "dual", plan.RESOLVER.ipv4, *controls)["controls"] == [True]
    assert vantage(lab, "dual", plan.RESOLVER.ipv4, NOBODY)["last"]["ipv6"] == "broken"


@pytest.mark.parametrize(
    ("server", "prefixes", "answers"),
    [
        (plan.RESOLVER, [], True),
        (plan.DNS64, ["64:ff9b::/96"], True),
        (plan.DNS64_OWN_PREFIX, ["2d00:6ab:64::/96"], True),
        (plan.BROKEN, [], False),
        (plan.REFUSING, [], True),
        (plan.SILENT, [], False),
        (plan.REJECTING, [], False),
    ],
    ids=lambda value: str(getattr(value, "number", "")),
)
def test_resolvers(lab: Lab, server: plan.DnsServer, prefixes: list[str], answers: bool) -> None:  # noqa: FBT001
    """NAT64 is known by the resolver's answer for ipv4only.arpa (RFC 7050)."""
    known = vantage(lab, "dual", server.ipv4)
    assert (prefixes, answers) == (known["pref64"], known["resolver"])


def test_a_link_local_name_server(lab: Lab) -> None:
    """A server that a router announced by its link-local address is asked through its link.

    Regression: the interface was dropped, and connect() said EINVAL.
    """
    script = """
import asyncio, json, subprocess
from ipv6check.net.dns.resolver import Resolver
from tests.net.dns_server import DnsServer, address_of

async def main():
    links = json.loads(subprocess.check_output(["ip", "-6", "-json", "address", "show", "eth0"]))
    (own,) = [a["local"] for a in links[0]["addr_info"] if a["scope"] == "link"]
    async with DnsServer(lambda query: address_of(query, "2001:db8::1"), host=f"{own}%eth0") as s:
        resolver = Resolver([s.address], 1)
        print(await resolver.ask("www.example", "AAAA"))
        resolver.close()

asyncio.run(main())
"""
    run = lab.run("dual", [sys.executable, "-c", script])
    assert "records=('2001:db8::1',)" in run.stdout, run.stderr


def test_asked_once() -> None:
    """However many names are resolved, ipv4only.arpa and the root are asked for once."""

    def handler(query: Query) -> Replies:
        return reply(query) if query.rdtype == "NS" else address_of(query, "2001:db8::1")

    async def main() -> list[tuple[str, str, bool]]:
        async with DnsServer(handler) as server:
            net = LocalNet(nameservers=[server.address], timeout_s=1)
            answers = await asyncio.gather(
                *(net.resolve(f"n{number}.example", "AAAA") for number in range(20))
            )
            assert all(isinstance(answer, Answer) for answer in answers)
            assert await asyncio.gather(*(net.resolver.pref64() for _ in range(5))) == [()] * 5
            assert all(await asyncio.gather(*(net.resolver.answers() for _ in range(5))))
            net.close()
            return server.asked

    asked = [(name, rdtype) for name, rdtype, _ in asyncio.run(main())]
    assert [asked.count(question) for question in (("ipv4only.arpa", "AAAA"), (".", "NS"))] == [
        1,
        1,
    ]
    assert len({*asked}) == 22  # on a busy machine a late answer is measured again


def test_giving_up_is_not_everybodys() -> None:
    """A caller that is cancelled does not take the shared question along."""

    async def main() -> None:
        async with DnsServer(lambda query: [(0.1, reply(query))]) as server:
            net = LocalNet(nameservers=[server.address], timeout_s=1)
            first, second = (asyncio.ensure_future(net.resolver.pref64()) for _ in range(2))
            await asyncio.sleep(0.02)
            first.cancel()
            assert await second == ()
            assert first.cancelled()
            net.close()

    asyncio.run(main())


@pytest.mark.timing
def test_a_late_answer_is_measured_again_where_we_were_busy(lag: Lag) -> None:
    """A time that our own load stretched is not told as the name's; one that it did not is."""

    async def main(*, busy: bool) -> tuple[float, int]:
        delays = [0.1 if busy else 0.4]

        def handler(query: Query) -> Replies:
            return [(delays.pop(0) if delays else 0.0, address_of(query, "198.51.100.1"))]

        async with DnsServer(handler) as server:
            net = LocalNet(nameservers=[server.address], timeout_s=3)
            asking = asyncio.ensure_future(net.resolve("www.example", "A"))
            await asyncio.sleep(0.01)
            if busy:
                time.sleep(0.5)  # noqa: ASYNC251 - what other targets do
            said = await asking
            net.close()
            assert isinstance(said, Answer)
            assert said.records == ("198.51.100.1",)
            return said.elapsed_ms, len(server.asked)

    took_ms, asked = asyncio.run(main(busy=True))
    assert (took_ms < local.LATE_MS + lag.ms, asked > 1) == (True, True)
    took_ms, asked = asyncio.run(main(busy=False))
    assert (took_ms > local.LATE_MS, asked) == (True, 1)


@pytest.mark.slow
def test_politeness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few attempts at a time go to one address, and so many in all."""
    now: dict[str, int] = {}
    most: dict[str, int] = {}

    async def connect(address: str, port: int, timeout_s: float) -> Attempt:
        for key in (address, "all"):
            now[key] = now.get(key, 0) + 1
            most[key] = max(most.get(key, 0), now[key])
        await asyncio.sleep(0.005)
        for key in (address, "all"):
            now[key] -= 1
        return Attempt(address, port, timeout_s)

    async def main() -> None:
        net = LocalNet(nameservers=[("127.0.0.1", 9)])
        addresses = [f"2d00::{number:x}" for number in range(200)]
        await asyncio.gather(*(net.connect(a, port) for a in addresses for port in range(1, 11)))
        net.close()

    monkeypatch.setattr(tcp, "connect", connect)
    asyncio.run(main())
    assert most.pop("all") == local.SOCKETS
    assert max(most.values()) == local.PER_ADDRESS


class Counted:
    """Stands for ``tcp.connect``: says how often each address and port was connected to."""

    def __init__(self, failure: Failure | None = None, lasts_s: float = 0.01) -> None:
        self.failure = failure
        self.lasts_s = lasts_s
        self.asked: list[tuple[str, int]] = []

    async def connect(
        self,
        address: str,
        port: int,
        timeout_s: float,  # noqa: ARG002
        *,
        once: bool = False,  # noqa: ARG002
    ) -> Attempt:
        """Takes its time, and comes to what was planned."""
        self.asked.append((address, port))
        await asyncio.sleep(self.lasts_s)
        return Attempt(address, port, self.lasts_s * 1000, None, self.failure)


def test_names_that_share_an_address_ask_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four hundred targets on one address are one attempt at each port, dead or alive."""
    for failure in (None, Failure(Kind.TIMEOUT, "silent")):
        counted = Counted(failure)
        monkeypatch.setattr(tcp, "connect", counted.connect)

        async def main() -> list[Attempt]:
            net = LocalNet(nameservers=[("127.0.0.1", 9)])
            made = await asyncio.gather(
                *(net.connect(NOBODY, port) for port in (443, 80) for _ in range(400))
            )
            later = await net.connect(NOBODY, 443)
            net.close()
            return [*made, later]

        made = asyncio.run(main())
        assert sorted(counted.asked) == [(NOBODY, 80), (NOBODY, 443)]
        assert {attempt.failure for attempt in made} == {failure}
        assert len(made) == 801


def test_another_attempt_at_a_target_asks_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was known before ``--retries`` tries again does not serve it."""
    counted = Counted(Failure(Kind.TIMEOUT, "silent"))
    monkeypatch.setattr(tcp, "connect", counted.connect)

    async def main() -> None:
        net = LocalNet(nameservers=[("127.0.0.1", 9)])
        clock = own_time.begin(60)
        await net.connect(NOBODY, 443)
        await net.connect(NOBODY, 443)
        clock.renew()
        await net.connect(NOBODY, 443)
        net.close()

    asyncio.run(main())
    assert len(counted.asked) == 2


def test_the_first_race_sends_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Races of names that share an address go as it is known to go, and wait for no place."""
    counted = Counted()
    monkeypatch.setattr(tcp, "connect", counted.connect)

    async def main() -> list[Attempt]:
        net = LocalNet(nameservers=[("127.0.0.1", 9)])
        surveyed = await net.connect(NOBODY, 443)
        raced = await asyncio.gather(*(net.connect(NOBODY, 443, once=True) for _ in range(50)))
        net.close()
        return [surveyed, *raced]

    made = asyncio.run(main())
    assert len(counted.asked) == 2
    assert len(made) == 51
    assert len({*made}) == 1


def test_no_controls_ask_nobody() -> None:
    """Without controls nobody is asked, and the vantage is not called broken."""

    async def main() -> None:
        net = LocalNet(nameservers=[("127.0.0.1", 9)])
        assert await net.uplink.controls_answer()
        assert net.uplink.vantage().ipv6 != "broken"
        net.close()

    asyncio.run(main())


def test_no_name_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose name server is not there is a vantage that cannot tell."""
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver ::1%nowhere\n")
    monkeypatch.setattr(resolvconf, "RESOLV_CONF", str(conf))

    async def main() -> Answer | Failure:
        net = LocalNet(timeout_s=0.3)
        said = await net.resolve("www.example", "AAAA")
        assert not await net.resolver.answers()
        net.close()
        return said

    said = asyncio.run(main())
    assert isinstance(said, Failure)
    assert said.kind is Kind.RESOLVER_UNREACHABLE


def test_the_files_of_this_host_are_not_for_a_named_server() -> None:
    """Who names a server to ask wants to know what that one says."""
    kernel = LocalNet(nameservers=[("192.0.2.53", 53)]).kernel
    assert (kernel.stub().search, kernel.hosts_entry("localhost")) == ((), ())


def test_the_host_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's tables are read, those of sockets once however many targets ask."""
    read: list[object] = []

    def listen() -> tuple[()]:
        read.append(1)
        return ()

    monkeypatch.setattr(sockets, "listening", listen)

    async def main() -> None:
        net = LocalNet(nameservers=[("127.0.0.1", 9)])
        assert await asyncio.gather(*(net.kernel.listeners() for _ in range(5))) == [()] * 5
        assert (net.kernel.is_own("::1"), net.kernel.is_own(NOBODY)) == (True, False)
        state = await net.kernel.host()
        assert isinstance(state, HostState)
        assert "lo" in {interface.name for interface in state.interfaces}
        net.close()

    asyncio.run(main())
    assert len(read) == 1


@pytest.mark.parametrize(
    ("rcode", "kind"), [("NOERROR", None), ("REFUSED", None), ("SERVFAIL", Kind.SERVFAIL)]
)
def test_name_servers(monkeypatch: pytest.MonkeyPatch, rcode: str, kind: Kind | None) -> None:
    """Each is asked once; who refuses the root is there, who fails at it resolves nothing."""

    async def main() -> tuple[NameServer, ...]:
        async with DnsServer(lambda query: reply(query, rcode=rcode)) as server:
            monkeypatch.setattr(resolvconf, "upstream_servers", lambda: [server.address] * 2)
            net = LocalNet(nameservers=[("127.0.0.1", 9)], timeout_s=1)
            found = await net.kernel.name_servers()
            net.close()
            assert (".", "NS", False) in server.asked
            return found

    found = asyncio.run(main())
    assert {attempt.address for attempt in found} == {"127.0.0.1"}
    assert [attempt.failure and attempt.failure.kind for attempt in found] == [kind] * 2


@pytest.mark.parametrize("loses", [True, False])
def test_two_questions_at_once(loses: bool) -> None:  # noqa: FBT001
    """A path that loses the second of a port is found out; a lost AAAA is not that."""

    async def main() -> bool:
        seen: set[int] = set()

        def handler(query: Query) -> Replies:
            if loses and query.port in seen:
                return None
            seen.add(query.port)
            return None if query.rdtype == "AAAA" and not loses else reply(query)

        async with DnsServer(handler) as server:
            return await loses_second(server.address, "a.root-servers.net", 0.1)

    assert asyncio.run(main()) == loses


LOOPBACK = ("::1", "127.0.0.1")
INTERNET = ("2001:db8::1", "192.0.2.1")


@pytest.mark.parametrize(
    ("answers", "known", "found", "missing"),
    [
        (True, INTERNET, INTERNET, ""),
        (True, (), LOOPBACK, ""),
        (
            True,
            INTERNET[1:],
            LOOPBACK,
            "returned only 192.0.2.1 for a.root-servers.net, no",
        ),
        (True, None, LOOPBACK, "did not answer for a.root-servers.net in 0.2 s"),
        (False, INTERNET, LOOPBACK, ""),
    ],
    ids=["well", "unknown-name", "one-family", "getaddrinfo-hangs", "no-resolver"],
)
def test_preference(
    monkeypatch: pytest.MonkeyPatch,
    answers: bool,  # noqa: FBT001
    known: tuple[str, ...] | None,
    found: tuple[str, ...],
    missing: str,
) -> None:
    """Loopback's order stands in for the Internet's, and says why; nobody waits for getaddrinfo."""
    let_go = threading.Event()

    def order(name: str | None) -> tuple[str, ...]:
        if name is None:
            return LOOPBACK
        return known if known is not None else (("late",) if let_go.wait(10) else ())

    async def root(_: ControlNames) -> bool:
        return answers

    monkeypatch.setattr(interfaces, "order", order)
    monkeypatch.setattr(ControlNames, "answers", root)

    async def main() -> Preference:
        net = LocalNet(nameservers=[("127.0.0.1", 9)], timeout_s=0.2)
        said = await net.kernel.preference()
        let_go.set()
        await asyncio.sleep(0.05)  # what comes too late is dropped
        net.close()
        return said

    said = asyncio.run(main())
    assert said.addresses == found
    assert bool(missing) == bool(said.missing)
    assert missing in said.missing
