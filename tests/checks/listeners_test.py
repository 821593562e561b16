"""listeners: the kernel's sockets in, findings out."""

from __future__ import annotations

import pytest

from ipv6check import Attempt, Failure, Finding, Here, Kind, Listener, Listeners
from tests.checks.facts import judged, kept, whole

LOOPBACK = Here(("::1", "127.0.0.1"))
OURS6, OURS6B, OURS4 = "2001:470::1", "2001:470::2", "192.0.33.8"
OURS = Here((OURS6, OURS4))
ANY4 = "0.0.0.0"


def on(
    address: str, *programs: str, port: int = 8080, dual: bool = False, interface: str = ""
) -> Listener:
    """A TCP listener."""
    return Listener("tcp", address, port, dual, interface, programs)


def found(
    *sockets: Listener,
    here: Here = LOOPBACK,
    ports: tuple[int, ...] = (8080,),
    named: bool = True,
    target: str = "localhost:8080",
    connects: tuple[str, ...] = (),
) -> list[Finding]:
    """What the check says of these sockets, where port 8080 of these addresses connects."""
    tried = Failure(Kind.REFUSED, "refused")
    attempts = tuple(
        Attempt(address, 8080, 0.1, failure=None if address in connects else tried)
        for address in here.addresses
    )
    facts = Listeners(here, ports, named, sockets, attempts)
    findings = judged("listeners", listeners=facts, target=target)
    assert whole(findings)
    return findings


@pytest.mark.parametrize(
    ("sockets", "says"),
    [
        ([on("::", "nginx", dual=True)], "8080 (nginx) by one dual-stack socket"),
        ([on("::", dual=True)], "8080 by one dual-stack socket"),
        ([on("::", "nginx"), on(ANY4, "nginx")], "8080 (nginx) by two sockets"),
        ([on("::1"), on("127.0.0.1")], "8080 by two sockets, on loopback only"),
        ([on("::", "systemd", "x"), on(ANY4, "x")], "8080 (systemd, x) by two sockets"),
        # SO_REUSEPORT, or one address of its own: the narrower socket gets the connection.
        ([on("::", dual=True), on("::1", "b"), on(ANY4, "b")], "8080 (b) by two sockets"),
    ],
)
def test_both_families_pass(sockets: list[Listener], says: str) -> None:
    """One socket for both families and one for each are told apart, with their programs."""
    (finding,) = found(*sockets)
    assert (finding.status.value, finding.message) == ("pass", says)
    assert finding.evidence["listeners"][0]["port"] == 8080


@pytest.mark.parametrize(
    ("sockets", "here", "says", "hint"),
    [
        (
            [on(ANY4, "nginx")],
            LOOPBACK,
            "port 8080 listens on IPv4 only: 0.0.0.0:8080 (nginx)",
            "bind it to [::]:8080 as well: listen [::]:8080;",
        ),
        (
            [on("127.0.0.1", "python3")],
            LOOPBACK,
            "IPv4 only: 127.0.0.1:8080 (python3)",
            "bind it to [::1]:8080 as well",
        ),
        ([on(ANY4)], OURS, "IPv4 only: 0.0.0.0:8080", "bind it to [::]:8080 as well"),
        ([on(OURS4)], OURS, f"IPv4 only: {OURS4}:8080", f"bind it to [{OURS6}]:8080 as well"),
        (
            [on(ANY4), on("::1")],
            OURS,
            "IPv4 only: 0.0.0.0:8080, over IPv6 only on [::1]:8080",
            "bind it to [::]:8080 as well",
        ),
        (
            [on(ANY4), on("fe80::1", interface="eth0")],
            OURS,
            "IPv4 only: 0.0.0.0:8080, over IPv6 only on [fe80::1%eth0]:8080",
            "bind it to [::]:8080 as well",
        ),
        # An IPv6 literal has no twin of its own: what listens tells it.
        ([on(ANY4)], Here((OURS6,)), "IPv4 only: 0.0.0.0:8080", "[::]:8080 as well"),
        # A name without AAAA: IPv6 is not served, whoever publishes it later.
        ([on(ANY4), on("::1")], Here((OURS4,)), "IPv4 only", "[::]:8080 as well"),
    ],
)
def test_ipv4_only_fails(sockets: list[Listener], here: Here, says: str, hint: str) -> None:
    """A service that only IPv4 gets to is the host's fault, with what mends it."""
    found_ = found(*sockets, here=here)
    assert kept(found_) == [("fail", None)]
    assert says in found_[0].message
    assert hint in found_[0].hint
    assert found_[0].subject == "port 8080"


@pytest.mark.parametrize(
    ("sockets", "says"),
    [
        ([on("127.0.0.1", "x")], "port 8080 listens on loopback only: 127.0.0.1:8080 (x)"),
        ([on("::1"), on("127.0.0.1")], "loopback only: [::1]:8080 and 127.0.0.1:8080"),
        ([on("::", dual=True, interface="lo")], "loopback only: [::%lo]:8080"),
        ([on(OURS6B)], f"port 8080 listens on [{OURS6B}]:8080, not on {OURS6}, {OURS4}"),
    ],
)
def test_elsewhere_on_this_host_fails(sockets: list[Listener], says: str) -> None:
    """What listens where none of the target's clients get to is no service of it."""
    found_ = found(*sockets, here=OURS, target="www.example")
    assert kept(found_) == [("fail", None)]
    assert says in found_[0].message
    assert "bind it to [::]:8080 as well" in found_[0].hint


def test_each_address_that_is_missed_fails() -> None:
    """Law 3: one IPv6 address of two without a listener is named."""
    (finding,) = found(on(OURS6, "x"), on(ANY4), here=Here((OURS6, OURS6B, OURS4)))
    assert (finding.status.value, finding.subject) == ("fail", f"[{OURS6B}]:8080")
    assert finding.message == f"nothing listens on [{OURS6B}]:8080, only on [{OURS6}]:8080 (x)"


@pytest.mark.parametrize("socket", [on("::"), on("::1")])
def test_ipv6_only_is_a_warning_where_ipv4_leads_here(socket: Listener) -> None:
    """Law 4: IPv4 refuses what IPv6 serves."""
    (finding,) = found(socket)
    assert finding.status == "warn"
    assert "port 8080 listens on IPv6 only" in finding.message


def test_ipv6_only_passes_where_nobody_asks_for_ipv4() -> None:
    """A target that is one IPv6 address needs no IPv4."""
    (finding,) = found(on(OURS6), here=Here((OURS6,)))
    assert (finding.status.value, finding.message) == (
        "pass",
        "8080 on IPv6 (no IPv4 is asked for)",
    )


def test_nothing_listens() -> None:
    """Law 4: the service is down, which is no IPv6 fault."""
    (finding,) = found()
    assert finding.status == "fail"
    assert finding.message.endswith("over IPv6 or IPv4: the service is down")
    assert "not an IPv6 problem" in finding.hint
    (finding,) = found(ports=(443, 80), named=False)
    assert finding.subject == "port 443 or 80"


def test_ports_that_nobody_named_are_not_offered() -> None:
    """Of the profile's ports those that listen are judged; a port that was named has to."""
    sockets = (on("::", port=80, dual=True),)
    assert kept(found(*sockets, ports=(443, 80), named=False)) == [("pass", None)]
    (finding,) = found(*sockets, ports=(443, 80), named=True)
    assert (finding.status.value, finding.subject) == ("fail", "port 443")


def test_different_programs_are_a_warning() -> None:
    """Two programs, one for each family, need not serve the same; who serves which is told."""
    (finding,) = found(on("::", "caddy"), on(ANY4, "nginx"))
    assert finding.status == "warn"
    assert "[::]:8080 (caddy), 0.0.0.0:8080 (nginx)" in finding.message
    assert kept(found(on("::", "caddy"), on(ANY4))) == [("pass", None)]


def test_another_host_is_skipped() -> None:
    """Nobody sees the sockets of another host."""
    (finding,) = found(here=Here(()), target="www.example:8080")
    assert finding.status == "skip"
    assert finding.message.startswith("only applies to this host, and www.example")


def test_a_kernel_that_does_not_tell() -> None:
    """What cannot be read is unknown, never a guess."""
    failure = Failure(Kind.PERMISSION, "this host's kernel does not tell")
    findings = judged("listeners", listeners=failure, target="localhost")
    assert kept(findings) == [("unknown", "vantage")]


# --- forwarded by a packet filter ------------------------------------------------------------


def test_a_port_that_is_forwarded_passes() -> None:
    """NodePort, or Docker without a proxy: no socket listens, and both families are served."""
    (finding,) = found(here=OURS, connects=OURS.addresses)
    assert (finding.status.value, finding.id) == ("pass", "forwarded")


def test_forwarded_beside_a_socket_passes() -> None:
    """One family has a socket, the other one is forwarded: both are served."""
    (finding,) = found(on(ANY4), here=OURS, connects=OURS.addresses)
    assert (finding.status.value, finding.id) == ("pass", "forwarded")


@pytest.mark.parametrize(
    ("connects", "status", "what"),
    [
        ((OURS4,), "fail", "forwarded-ipv4-only"),
        ((OURS6,), "warn", "ipv6-only"),
        ((), "fail", "down"),
    ],
)
def test_forwarded_for_one_family(connects: tuple[str, ...], status: str, what: str) -> None:
    """DNAT rules of one family serve that one alone; without any the service is down."""
    (finding,) = found(here=OURS, connects=connects)
    assert (finding.status.value, finding.id) == (status, what)


# --- the profile host ------------------------------------------------------------------------


def test_a_host_is_judged_by_what_others_can_reach() -> None:
    """Each port that others can reach is judged; loopback and UDP are told."""
    findings = found(
        on("::", "sshd", port=22, dual=True),
        on("::", "master", port=25),
        on(ANY4, "master", port=25),
        on(ANY4, "nginx", port=80),
        on("::", "b", port=81),
        on("192.168.122.1", "dnsmasq", port=53),
        on("127.0.0.1", "postgres", port=5432),
        Listener("udp", "::", 123, programs=("ntpd",)),
        Listener("udp", "127.0.0.1", 323),
        ports=(),
    )
    assert [(finding.status.value, finding.subject) for finding in findings] == [
        ("warn", "port 53"),
        ("fail", "port 80"),
        ("warn", "port 81"),
        ("pass", ""),
    ]
    assert findings[-1].message == (
        "22 (sshd) by one dual-stack socket; 25 (master) by two sockets; "
        "on loopback only: 5432 (postgres); UDP: 123 (ntpd)"
    )
    assert len(findings[-1].evidence["listeners"]) == 9


def test_a_host_that_nobody_can_reach() -> None:
    """A host without services is well."""
    (finding,) = found(ports=())
    assert (finding.status.value, finding.message) == (
        "pass",
        "no listening port is reachable from other hosts",
    )


def test_different_programs_on_a_host() -> None:
    """Who serves which is told there, too."""
    findings = found(on("::", "caddy"), on(ANY4, "nginx"), ports=())
    assert [finding.status.value for finding in findings] == ["warn", "pass"]
