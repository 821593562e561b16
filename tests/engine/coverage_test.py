"""A report says what was looked at, and what that the user named was not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ipv6check.config.target import parse
from ipv6check.engine.coverage import not_looked_at
from ipv6check.model import Kind, RunInfo, Summary, TargetReport, Vantage
from ipv6check.reports import formats
from ipv6check.reports.formats import Style
from ipv6check.reports.formats.json import target_object
from ipv6check.testing import FakeNet, answer, attempt, echo, examine

NAME, IPV6 = "www.example.com", "2d00::1"
RUN = RunInfo("0.1.0", "2026-11-30T00:00:00Z")


def report(target: str = NAME, kind: Kind | None = None, **settings: Any) -> TargetReport:
    """Of a host with IPv6 alone, or of a name without AAAA."""
    records = [] if kind is Kind.OTHER else [IPV6]
    net = FakeNet(
        answer(NAME, "AAAA", *records),
        answer(NAME, "A"),
        *(attempt(IPV6, port, kind) for port in (443, 80)),
        echo(IPV6),
        failures={("1." + "0." * 27 + "0.0.d.2.ip6.arpa", "PTR"): Kind.SERVFAIL},
    )
    skipped = settings.pop("skip", frozenset({"ptr"}))
    return examine(target, net, skip=skipped, **settings)


def only(*checks: str) -> dict[str, Any]:
    """The settings of --only."""
    return {"only": frozenset(checks), "skip": frozenset()}


def test_the_way_to_the_target() -> None:
    """What comes first on it comes first; what could not look is left out."""
    assert report().looked_at == ("DNS", "ping", "TCP", "TLS handshake")
    assert report(**only("tcp")).looked_at == ("TCP",)
    assert report(kind=Kind.REFUSED).looked_at == ("DNS", "ping", "TCP")
    assert report(**only("firewall")).looked_at == ()


def test_a_cause_that_another_check_tells() -> None:
    """Where tcp says that there is no AAAA, it is the DNS that was looked at."""
    assert report(kind=Kind.OTHER, **only("tcp")).looked_at == ("DNS",)


def test_an_address_is_looked_up_nowhere() -> None:
    """A literal has no DNS."""
    assert report(f"[{IPV6}]:443", **only("aaaa", "tcp")).looked_at == ("TCP",)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("https://h.example/health?a=1", ("the path /health?a=1 (no HTTP request is sent)",)),
        ("https://h.example/", ()),
        ("https://h.example", ()),
        ("h.example:25", ()),
        ("smtp://h.example", ("the protocol SMTP",)),
        ("dns://h.example/x", ("the path /x (no HTTP request is sent)", "the protocol DNS")),
    ],
)
def test_what_the_user_named(target: str, told: tuple[str, ...]) -> None:
    """A path, and a protocol that no check speaks."""
    assert not_looked_at(parse(target)) == told


@pytest.mark.parametrize("style", [Style(), Style(many=True), Style(quiet=True, many=True)])
def test_the_table_says_so(style: Style) -> None:
    """What was not looked at in each case, also of a target that is one line of many."""
    told = report(f"https://{NAME}/health")
    text = formats.load("table").target(told, RUN, Vantage(), style)
    quiet = style.quiet
    assert ("not checked: the path /health (no HTTP request is sent)" in text) != quiet
    assert ("checked: DNS, ping, TCP, TLS handshake" in text) == (not style.many)


@pytest.mark.parametrize("format_", ["json", "junit", "markdown"])
def test_documents_say_so(format_: str) -> None:
    """Each in its own place."""
    told = report(f"https://{NAME}/health")
    reporter = formats.load(format_)
    assert json.loads(json.dumps(target_object(told)))["looked_at"][0] == "DNS"
    text = reporter.target(told, RUN, Vantage(), Style())
    if format_ == "markdown":
        summary = Summary(told.verdict, {}, {told.verdict: 1}, 1.0)
        text += reporter.tail(summary, RUN, Vantage(), Style())
    assert "the path /health (no HTTP request is sent)" in text
    assert "TLS handshake" in text
