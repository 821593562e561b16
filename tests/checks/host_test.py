"""host: the kernel's state in, findings out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ipv6check import (
    Failure,
    Finding,
    Host,
    HostState,
    Interface,
    InterfaceAddress,
    Kind,
    NameServer,
    Route,
)
from ipv6check.model import Stub
from ipv6check.testing import SETTINGS
from tests.checks.facts import judged, whole

GLOBAL, SECOND, ULA, LINK, V4 = "2001:470::5", "2001:470::6", "fd00::5", "fe80::5", "192.0.33.5"
LO = Interface(
    "lo",
    65536,
    loopback=True,
    addresses=(InterfaceAddress("::1", 128), InterfaceAddress("127.0.0.1", 8)),
)
ROUTE6, ROUTE4 = Route("eth0", "fe80::1", GLOBAL), Route("eth0", "192.0.33.1", V4)
SERVER6, SERVER4 = NameServer("2001:470::53"), NameServer("192.0.33.53")
SILENT = Failure(Kind.TIMEOUT, "no answer from 2001:470::53 in 3 s")
BOTH = (GLOBAL, V4)


def eth0(
    *addresses: str | InterfaceAddress, mtu: int = 1500, ipv6: bool = True, name: str = "eth0"
) -> Interface:
    """An interface that is up."""
    held = (
        address if isinstance(address, InterfaceAddress) else InterfaceAddress(address, 64)
        for address in addresses
    )
    return Interface(name, mtu, ipv6=ipv6, addresses=tuple(held))


def state(
    *interfaces: Interface,
    route_ipv6: Route | None = ROUTE6,
    route_ipv4: Route | None = ROUTE4,
    bindv6only: bool = False,
) -> HostState:
    """A host with both families on one interface, unless others are given."""
    links = interfaces or (eth0(V4, GLOBAL, LINK),)
    return HostState((LO, *links), route_ipv6, route_ipv4, bindv6only)


def host(
    kernel: HostState | None = None,
    name_servers: tuple[NameServer, ...] = (SERVER6, SERVER4),
    preference: tuple[str, ...] = BOTH,
    *,
    internal: bool = False,
    missing: str = "",
    stub: Stub = Stub(),  # noqa: B008 - frozen
) -> dict[str, Finding]:
    """What the check says, by subject; what has none is the rest."""
    facts = Host(kernel or state(), name_servers, preference, missing, stub)
    settings = replace(SETTINGS, internal=internal)
    found = judged("host", host=facts, target="localhost", settings=settings)
    assert whole(found)
    by_subject = {finding.subject or "rest": finding for finding in found}
    assert len(by_subject) == len(found)
    return by_subject


def statuses(found: dict[str, Finding]) -> dict[str, str]:
    """The status of each subject that is not well."""
    return {
        name: finding.status.value for name, finding in found.items() if finding.status != "pass"
    }


def test_no_aaaa_is_a_failure() -> None:
    """Glibc's option keeps IPv6 from every program, whatever the network has."""
    found = host(stub=Stub(no_aaaa=True))
    assert (statuses(found), found["order"].id) == ({"order": "fail"}, "no-aaaa")


def test_one_family_of_a_name_that_has_both_is_a_warning() -> None:
    """What getaddrinfo says of loopback does not stand in for it unsaid."""
    found = host(missing="getaddrinfo has 198.41.0.4 for a.root-servers.net, and nothing more")
    assert (statuses(found), found["order"].id) == ({"order": "warn"}, "one-family")


def test_a_path_that_loses_the_second_question_is_a_warning() -> None:
    """Every lookup of this host waits for it."""
    found = host(name_servers=(replace(SERVER6, loses_second=True), SERVER4))
    assert list(statuses(found).values()) == ["warn"]
    assert any("single-request-reopen" in finding.hint for finding in found.values())


def test_a_name_server_that_nobody_asks_is_told() -> None:
    """Three at most: the fourth is no fault, whether it answers or not."""
    found = host(stub=Stub(unasked=("192.0.2.9",)))
    assert statuses(found) == {}
    assert "never asked: 192.0.2.9" in found["resolvers"].message


def test_a_healthy_host() -> None:
    """Addresses, route, resolvers, order and the rest are told where all is well."""
    found = host()
    assert {name: finding.message for name, finding in found.items()} == {
        "addresses": f"{GLOBAL} on eth0",
        "route": "via fe80::1 on eth0 (IPv4 via 192.0.33.1 on eth0)",
        "resolvers": "2001:470::53, 192.0.33.53",
        "order": "getaddrinfo puts IPv6 first, for a name with both families",
        "rest": "bindv6only = 0: a socket on [::] serves both families; MTU 1500 on eth0",
    }
    assert statuses(found) == {}


def test_another_host_is_unknown() -> None:
    """Nobody looks into another host from here, and it is not called ready for that."""
    (finding,) = judged("host", host=None, target="www.example", settings=SETTINGS)
    assert (finding.status.value, finding.cause) == ("unknown", "vantage")
    assert finding.message.startswith("www.example is another host")


def test_a_kernel_that_does_not_tell() -> None:
    """What cannot be read is unknown."""
    failure = Failure(Kind.PERMISSION, "does not tell")
    (finding,) = judged("host", host=failure, target="localhost", settings=SETTINGS)
    assert finding.status == "unknown"


# --- addresses -------------------------------------------------------------------------------


def test_no_network_is_no_ipv6_fault() -> None:
    """Law 4: neither family has an address, and nothing that depends on one is judged."""
    for links in ((eth0(),), (eth0(LINK),), (replace(eth0(V4, GLOBAL), up=False),)):
        found = host(state(*links, route_ipv6=None, route_ipv4=None))
        assert statuses(found) == {"addresses": "fail"}
        assert found["addresses"].cause == "network"
        assert "no network" in found["addresses"].message
        assert found.keys() == {"addresses", "rest"}


def test_no_ipv6_beside_ipv4() -> None:
    """Law 1: here the host is the target, so that what it lacks is its own."""
    found = host(state(eth0(V4, LINK), route_ipv6=None))
    assert statuses(found) == {"addresses": "fail"}
    assert found["addresses"].cause == "network"
    assert "link-local, IPv4 has 192.0.33.5 on eth0" in found["addresses"].message


def test_ipv6_that_is_switched_off() -> None:
    """Who switched it off can switch it on."""
    found = host(state(eth0(V4, ipv6=False), route_ipv6=None))
    assert statuses(found) == {"addresses": "fail"}
    assert found["addresses"].message == "IPv6 is disabled on eth0, which has IPv4"
    assert "net.ipv6.conf.eth0.disable_ipv6=0" in found["addresses"].hint


def test_a_kernel_without_ipv6() -> None:
    """There is no switch of an interface to turn then."""
    found = host(replace(state(eth0(V4, ipv6=False), route_ipv6=None), ipv6=False))
    assert statuses(found) == {"addresses": "fail"}
    assert found["addresses"].id == "switched-off"
    assert "ipv6.disable=1" in found["addresses"].hint
    assert "sysctl" not in found["addresses"].hint


def test_addresses_on_the_loopback_interface() -> None:
    """A router with link-local links keeps its own addresses there; ::1 and 127/8 are none."""
    held = tuple(InterfaceAddress(address, 128) for address in ("::1", "127.0.0.1", GLOBAL, V4))
    kernel = HostState((replace(LO, addresses=held), eth0(LINK)), ROUTE6, ROUTE4)
    found = host(kernel)
    assert statuses(found) == {}
    assert found["addresses"].message == f"{GLOBAL} on lo"


def test_a_route_without_an_address_is_not_offline() -> None:
    """Who has a route has a network."""
    found = host(state(eth0(LINK)))
    assert (found["addresses"].id, found["addresses"].status) == ("no-address", "fail")


def test_an_idle_bridge() -> None:
    """Without a port a bridge has no carrier; its address waits, as the IPv4 router does."""
    held = InterfaceAddress("fd00:2::1", 64, "tentative")
    idle = replace(eth0("172.17.0.1", held, name="docker0"), carrier=False, kind="bridge")
    assert statuses(host(state(eth0(V4, GLOBAL), idle))) == {}
    up = replace(idle, carrier=True)
    assert statuses(host(state(eth0(V4, GLOBAL), up))) == {"fd00:2::1": "warn"}


def test_a_link_without_a_carrier() -> None:
    """Where no other address is there, an idle link is what is wrong."""
    held = InterfaceAddress(GLOBAL, 64, "tentative")
    found = host(state(replace(eth0(V4, held), carrier=False)))
    assert found[GLOBAL].status == "warn"
    assert "no carrier" in found[GLOBAL].hint


def test_a_bridge_of_a_container_engine() -> None:
    """Docker switches IPv6 off on a bridge that nobody wanted it on; a link out is no such one."""
    bridge = replace(eth0("172.17.0.1", ipv6=False, name="docker0"), kind="bridge")
    found = host(state(eth0(V4, GLOBAL), bridge))
    assert statuses(found) == {}
    assert "no IPv6 on docker0" in found["rest"].message
    out = Route("docker0", "172.17.0.2", "172.17.0.1")
    assert statuses(host(state(eth0(V4, GLOBAL), bridge, route_ipv4=out))) == {"docker0": "warn"}
    public = replace(eth0(V4, ipv6=False, name="br0"), kind="bridge")
    assert statuses(host(state(eth0(GLOBAL), public, route_ipv4=None))) == {"br0": "warn"}


def test_a_small_mtu_beside_a_way_out() -> None:
    """A tunnel for IPv4 alone harms nobody while IPv6 goes another way."""
    tunnel = eth0("10.8.0.2", mtu=1200, ipv6=False, name="tun0")
    assert statuses(host(state(eth0(V4, GLOBAL), tunnel))) == {}
    found = host(state(eth0(V4), tunnel, route_ipv6=None))
    assert found["tun0"].id == "small-mtu"


def test_a_gateway_that_does_not_answer() -> None:
    """The kernel knows a way, and nobody is there; name servers behind it are not blamed."""
    dead6, dead4 = replace(ROUTE6, dead=True), replace(ROUTE4, dead=True)
    silent = (NameServer("2001:470::53", SILENT), SERVER4)
    found = host(state(route_ipv6=dead6), silent)
    assert statuses(found) == {"route": "fail", "resolvers": "skip"}
    assert found["route"].id == "dead-gateway"
    assert "the IPv4 router does" in found["route"].message
    both = host(state(route_ipv6=dead6, route_ipv4=dead4), silent)
    assert "not an IPv6 problem" in both["route"].hint
    assert statuses(host(state(route_ipv4=dead4))) == {}


def test_ipv6_that_is_switched_off_on_one_of_two() -> None:
    """An interface with IPv4 alone beside one with both may be an oversight."""
    found = host(state(eth0(V4, GLOBAL), eth0("10.0.0.1", ipv6=False, name="eth1")))
    assert statuses(found) == {"eth1": "warn"}


@pytest.mark.parametrize(
    ("held", "subject", "status", "says"),
    [
        (InterfaceAddress(SECOND, 64, "duplicate"), SECOND, "fail", "in use by another host"),
        (InterfaceAddress(SECOND, 64, "tentative"), SECOND, "warn", "tentative"),
        (InterfaceAddress(SECOND, 64, "deprecated"), None, "pass", ""),
    ],
)
def test_addresses_that_cannot_be_used(
    held: InterfaceAddress, subject: str | None, status: str, says: str
) -> None:
    """A duplicate is named; one that expires beside a good one is how prefixes change."""
    found = host(state(eth0(V4, GLOBAL, held)))
    assert statuses(found) == ({subject: status} if subject else {})
    assert subject is None or says in found[subject].message


def test_every_address_is_deprecated() -> None:
    """Then new connections go over IPv4 where they can."""
    found = host(state(eth0(V4, InterfaceAddress(GLOBAL, 64, "deprecated"))))
    assert statuses(found) == {"addresses": "warn"}
    assert found["addresses"].cause == "network"


def test_unique_local_addresses_only() -> None:
    """The Internet does not reach them, which is fine where the user says so."""
    kernel = state(eth0(V4, ULA))
    assert statuses(host(kernel)) == {"addresses": "warn"}
    assert statuses(host(kernel, internal=True)) == {}
    assert host(state(eth0(V4, ULA, GLOBAL)))["addresses"].message == f"{GLOBAL} on eth0"


# --- route -----------------------------------------------------------------------------------


def test_no_route() -> None:
    """IPv4 has one: fail. IPv4 has none either: not an IPv6 problem. IPv6 alone: well."""
    found = host(state(route_ipv6=None), (SERVER4,))
    assert (found["route"].status.value, found["route"].cause) == ("fail", "network")
    found = host(state(route_ipv6=None, route_ipv4=None), (SERVER4,))
    assert found["route"].status == "warn"
    assert "not an IPv6 problem" in found["route"].hint
    found = host(state(eth0(GLOBAL), route_ipv4=None))
    assert found["route"].message == "via fe80::1 on eth0 (no IPv4)"
    assert host(state(route_ipv6=Route("wg0")))["route"].message.startswith("on wg0 (IPv4")


# --- resolvers -------------------------------------------------------------------------------

DEAD6 = NameServer("2001:470::53", SILENT)
DEAD4 = NameServer("192.0.33.53", Failure(Kind.TIMEOUT, "no answer from 192.0.33.53 in 3 s"))


@pytest.mark.parametrize(
    ("servers", "subject", "status", "says"),
    [
        ((), "resolvers", "warn", "no name server is configured"),
        ((SERVER4,), "resolvers", "warn", "name servers are asked over IPv4 only: 192.0.33.53"),
        ((SERVER6, DEAD4), None, "pass", ""),
        ((NameServer("127.0.0.53"),), None, "pass", ""),
        ((DEAD6, SERVER4), "2001:470::53", "fail", "2001:470::53 fails: no answer"),
        ((DEAD4, DEAD6), "resolvers", "fail", "no name server answers: no answer from 192.0.33.53"),
        ((DEAD4,), "resolvers", "fail", "no name server answers"),
    ],
)
def test_resolvers(
    servers: tuple[NameServer, ...], subject: str | None, status: str, says: str
) -> None:
    """A resolver with an IPv6 address has to answer; where none answers, IPv6 is not to blame."""
    found = host(name_servers=servers)
    assert statuses(found) == ({subject: status} if subject else {})
    assert subject is None or says in found[subject].message


def test_a_resolver_out_of_reach_is_told_once() -> None:
    """Law 7: without a route there is no way to it."""
    found = host(state(route_ipv6=None), (DEAD6, SERVER4))
    assert statuses(found) == {"route": "fail", "resolvers": "skip"}
    found = host(state(route_ipv6=None, route_ipv4=None), (DEAD6, DEAD4))
    assert statuses(found) == {"route": "warn", "resolvers": "skip"}


# --- order -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kernel", "preference", "status", "says"),
    [
        (state(), (V4, GLOBAL), "warn", "IPv4 first, for a name with both families"),
        (state(), ("127.0.0.1", "::1"), "warn", "IPv4 first, for localhost"),
        (state(), ("::1", "127.0.0.1"), "pass", "IPv6 first, for localhost"),
        (state(), (), "skip", "no name with both families"),
        (state(route_ipv6=None), (V4, GLOBAL), "skip", "because there is no IPv6 route"),
        (state(route_ipv6=Route("eth0", "", ULA)), (V4, GLOBAL), "warn", f"would be {ULA}"),
    ],
)
def test_order(kernel: HostState, preference: tuple[str, ...], status: str, says: str) -> None:
    """What comes first is told, and why where it is known."""
    finding = host(kernel, preference=preference)["order"]
    assert finding.status.value == status
    assert says in finding.message


# --- switches --------------------------------------------------------------------------------


def test_a_small_mtu_fails() -> None:
    """RFC 8200 section 5; that the kernel takes IPv6 away with it is the same cause."""
    found = host(state(eth0(V4, mtu=1279), route_ipv6=None))
    assert statuses(found) == {"eth0": "fail"}
    assert "IPv6 needs 1280" in found["eth0"].message
    found = host(state(eth0(mtu=1200), route_ipv6=None, route_ipv4=None))
    assert statuses(found) == {"eth0": "fail"}
    found = host(state(eth0(V4, GLOBAL, mtu=1280), eth0(mtu=576, name="spare")))
    assert statuses(found) == {}


def test_bindv6only() -> None:
    """Programs that count on the default serve IPv6 alone."""
    found = host(state(bindv6only=True))
    assert statuses(found) == {"bindv6only": "warn"}
