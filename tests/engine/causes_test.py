"""A check whose root cause is not part of the run tells it itself, with its status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from ipv6check.config.profiles import PROFILES
from ipv6check.engine.checks.loader import shipped_directory
from ipv6check.model import Cause, Kind, Status, TargetReport, Verdict
from ipv6check.testing import FakeNet, answer, attempt, echo, examine

NAME, IPV6, OTHER, IPV4 = "www.example.com", "2d00::1", "2d00::2", "198.51.0.1"
ALL = frozenset(path.stem for path in shipped_directory().glob("*.py"))


def network(
    ipv6: Iterable[str] = (IPV6,), dead: Mapping[str, Kind] | None = None, rcode: str = "NOERROR"
) -> FakeNet:
    """A name with these addresses, of which some are dead."""
    ipv4 = (IPV4,) if rcode == "NOERROR" else ()
    addresses = [*ipv6, *ipv4]
    how = dead or {}
    return FakeNet(
        answer(NAME, "AAAA", *ipv6, rcode=rcode),
        answer(NAME, "A", *ipv4, rcode=rcode),
        *(attempt(address, port, how.get(address)) for address in addresses for port in (443, 80)),
        *(echo(address, failure=how.get(address)) for address in addresses),
        failures={
            (ip_address(address).reverse_pointer, "PTR"): Kind.SERVFAIL for address in addresses
        },
    )


def told(report: TargetReport) -> dict[str, list[tuple[Any, ...]]]:
    """What each check says: status, cause and message."""
    said: dict[str, list[tuple[Any, ...]]] = {}
    for result in report.results:
        said.setdefault(result.check, []).append((result.status, result.cause, result.message))
    return said


@pytest.mark.parametrize("check", ["tcp", "tls", "ping", "ptr"])
def test_a_name_that_does_not_exist(check: str) -> None:
    """Whoever is asked alone says that there is no such name."""
    report = examine(NAME, network((), rcode="NXDOMAIN"), only=frozenset({check}))
    message = f"{NAME} does not exist (NXDOMAIN)"
    assert told(report) == {check: [(Status.FAIL, Cause.DNS, message)]}
    assert report.verdict is Verdict.NOT_READY


@pytest.mark.parametrize("check", ["tcp", "tls", "ping", "ptr", "fallback"])
def test_a_name_without_aaaa(check: str) -> None:
    """Whoever is asked alone says that there is no address."""
    report = examine(NAME, network(()), only=frozenset({check}))
    assert told(report) == {check: [(Status.FAIL, Cause.DNS, f"{NAME} has no AAAA record")]}


def test_one_cause_one_failure() -> None:
    """Of all that want an address one says why there is none, and the others point to that one."""
    report = examine(NAME, network(()), skip=frozenset({"aaaa"}))
    said = told(report)
    assert said["tcp"] == [(Status.FAIL, Cause.DNS, f"{NAME} has no AAAA record")]
    assert [result.check for result in report.results if result.status is Status.FAIL] == ["tcp"]
    assert said["tls"] == [(Status.SKIP, None, "no IPv6 address to connect to: see tcp")]
    assert not any("see aaaa" in f"{result.message} {result.hint}" for result in report.results)


def test_a_service_that_wants_no_word_of_aaaa() -> None:
    """A severity of off is no way to be ready without an address."""
    profile = replace(PROFILES["web"], without=frozenset({"aaaa", "host"}))
    report = examine(NAME, network(()), profile=profile)
    assert report.verdict is Verdict.NOT_READY
    assert told(report)["tcp"][0][0] is Status.FAIL


def test_tls_of_a_host_that_refuses() -> None:
    """TLS alone tells what TCP met with."""
    report = examine(NAME, network(dead={IPV6: Kind.REFUSED}), only=frozenset({"tls"}))
    said = {check: {result[:2] for result in found} for check, found in told(report).items()}
    assert said == {"tls": {(Status.FAIL, Cause.HOST)}}


@pytest.mark.parametrize("check", ["tls", "fallback"])
def test_one_address_of_two_is_dead(check: str) -> None:
    """What works on one address does not hide that the other one is dead."""
    net = network((IPV6, OTHER), {OTHER: Kind.TIMEOUT})
    report = examine(NAME, net, only=frozenset({check}))
    assert report.verdict is Verdict.NOT_READY
    named = {"tls": OTHER, "fallback": "1 of 2 IPv6 addresses is dead"}[check]
    assert any(result[0] is Status.FAIL and named in result[2] for result in told(report)[check])
    assert not any("see tcp" in f"{result.message} {result.hint}" for result in report.results)


@pytest.mark.parametrize("check", ["tcp", "tls", "ping", "fallback"])
def test_the_innocent_twin(check: str) -> None:
    """A healthy host is ready by each check that has sent a packet."""
    report = examine(NAME, network(), only=frozenset({check}))
    assert (report.verdict, {*told(report)}) == (Verdict.READY, {check})


@pytest.mark.parametrize("check", ["firewall", "listeners"])
def test_nothing_was_sent(check: str) -> None:
    """What sends nothing to the target says nothing of it: unknown, and a line says why."""
    report = examine(NAME, network(), only=frozenset({check}))
    assert report.verdict is Verdict.UNKNOWN
    assert told(report)["ipv6"][0][0] is Status.UNKNOWN


def test_who_asks_for_dns_alone() -> None:
    """The record is right, and that was the question; leaving the rest out is another one."""
    report = examine(NAME, network(), only=frozenset({"aaaa"}))
    assert (report.verdict, report.looked_at) == (Verdict.READY, ("DNS",))
    rest = frozenset({"tcp", "tls", "ping", "fallback", "firewall", "listeners"})
    assert examine(NAME, network(), skip=rest).verdict is Verdict.UNKNOWN
    assert examine(IPV6, network(), only=frozenset({"aaaa"})).verdict is Verdict.UNKNOWN


def test_what_is_asked_for_is_never_optional() -> None:
    """Ping alone, from a host that has no IPv6: not known, and so the verdict."""
    net = network(dead={IPV6: Kind.NO_LOCAL_ROUTE})
    report = examine(NAME, net, only=frozenset({"ping"}))
    assert report.verdict is Verdict.UNKNOWN
    assert [result[:2] for result in told(report)["ping"]] == [(Status.UNKNOWN, Cause.VANTAGE)]


def test_nobody_points_to_what_does_not_run() -> None:
    """Whatever is left out, "see X" names a check of the run."""
    for left_out in ("aaaa", "tcp", "tls"):
        for net in (network(()), network(dead={IPV6: Kind.REFUSED})):
            report = examine(NAME, net, skip=frozenset({left_out}))
            said = " ".join(f"{result.message} {result.hint}" for result in report.results)
            assert f"see {left_out}" not in said
