"""``in_force`` and ``rules``: whose rules are judged, and that nobody is asked in vain."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ipv6check.firewall.model import RuleSet
from ipv6check.model import Failure, Kind, RuleTexts
from ipv6check.probes.here import Here
from ipv6check.probes.in_force import in_force
from ipv6check.probes.rules import Rules, rules
from ipv6check.testing import SETTINGS, FakeNet

SAVED = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
HERE = Here(("2001:db8::1",))


def observed(net: FakeNet, here: Here | Failure = HERE, given: RuleSet | None = None) -> object:
    """What the probes yield, one after the other."""

    async def both() -> object:
        settings = replace(SETTINGS, rules=given)
        return await rules(await in_force(here, settings, net), settings)

    return asyncio.run(both())


def test_rules_that_are_given_are_for_any_target() -> None:
    """The files of a deployment are judged for a name that is not published yet."""
    given = RuleSet()
    net = FakeNet()
    assert observed(net, Failure(Kind.SERVFAIL, "no such zone"), given) == Rules(given)
    assert net.calls == []


def test_another_host_has_none() -> None:
    """What is in force here says nothing about a host elsewhere."""
    net = FakeNet()
    assert observed(net, Here(())) == Rules(None)
    assert net.calls == []


def test_those_in_force_are_read() -> None:
    """A target on this host is behind this host's rules."""
    found = observed(FakeNet(rules=RuleTexts((("ip6tables-save", SAVED),))))
    assert isinstance(found, Rules)
    assert found.ruleset is not None
    assert [table.name for table in found.ruleset.tables] == ["filter"]


def test_what_may_not_be_read_is_a_failure() -> None:
    """Without the right to look there is nothing to judge, and a text that is broken is no rule."""
    denied = Failure(Kind.PERMISSION, "nft list ruleset: Operation not permitted")
    assert observed(FakeNet(rules=denied)) == denied
    torn = observed(FakeNet(rules=RuleTexts((("nft list ruleset", "table inet filter {"),))))
    assert isinstance(torn, Failure)
    assert "nft list ruleset:1" in torn.detail


def test_what_could_not_be_asked_is_a_gap() -> None:
    """Without nft there may be tables that nobody here can see, so nothing is certain."""
    texts = RuleTexts((("ip6tables-save", SAVED),), ("nft is not installed here",))
    found = observed(FakeNet(rules=texts))
    assert isinstance(found, Rules)
    (finding,) = found.review((443,), ())
    assert finding.status == "unknown"
    assert "nft is not installed here" in finding.message
