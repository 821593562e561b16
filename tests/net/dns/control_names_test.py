"""What a run asks of its resolver to tell that one's faults from a name's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from ipv6check.model import Failure, Kind
from ipv6check.net.dns import control_names
from ipv6check.net.dns.control_names import IPV4_ONLY, ControlNames
from ipv6check.net.dns.resolver import Resolver
from tests.net.dns_server import DnsServer, Handler, Query, Replies, address_of, reply

Value = TypeVar("Value")
Asked = list[tuple[str, str]]
ADDRESSES = {"AAAA": "2001:503:ba3e::2:30", "A": "198.41.0.4"}


def asked(
    handler: Handler, ask: Callable[[ControlNames], Awaitable[Value]], times: int = 1
) -> tuple[Value, Asked]:
    """What is found by asking so often at once, and then once more; and what that sent."""

    async def main() -> tuple[Value, Asked]:
        async with DnsServer(handler) as server:
            resolver = Resolver([server.address], 0.3)
            known = ControlNames(resolver.ask)
            found = await asyncio.gather(*(ask(known) for _ in range(times)))
            assert await ask(known) == found[-1]
            known.close()
            resolver.close()
            return found[-1], [(name, rdtype) for name, rdtype, _ in server.asked if name != "."]

    return asyncio.run(main())


def good(query: Query) -> Replies:
    """Every name has both."""
    return address_of(query, ADDRESSES[query.rdtype]) if query.rdtype in ADDRESSES else reply(query)


def at_aaaa(fault: Handler) -> Handler:
    """This is what becomes of AAAA, of every name."""
    return lambda query: fault(query) if query.rdtype == "AAAA" else good(query)


def test_a_resolver_that_is_well_is_asked_once() -> None:
    """However many names lack AAAA."""
    found, sent = asked(good, ControlNames.aaaa_withheld, times=5)
    assert (found, sent) == (None, [("a.root-servers.net", "AAAA")])


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (reply, "NOERROR from 127.0.0.1"),
        (lambda query: reply(query, rcode="NXDOMAIN"), "NXDOMAIN from 127.0.0.1"),
        (lambda query: reply(query, rcode="SERVFAIL"), "SERVFAIL from 127.0.0.1"),
        (lambda query: reply(query, rcode="REFUSED"), "REFUSED from 127.0.0.1"),
        (lambda query: reply(query, rcode="NOTIMP"), "NOTIMP from 127.0.0.1"),
        (lambda query: address_of(query, "::"), "NOERROR :: from 127.0.0.1"),
        (lambda _: None, "no answer from 127.0.0.1"),
    ],
    ids=["nodata", "nxdomain", "servfail", "refused", "notimp", "unspecified", "silent"],
)
def test_a_resolver_without_aaaa(fault: Handler, says: str) -> None:
    """Whatever it makes of AAAA of a name that has one, where A is answered."""
    found, _ = asked(at_aaaa(fault), ControlNames.aaaa_withheld)
    assert isinstance(found, Failure)
    assert found.kind is Kind.RESOLVER_UNREACHABLE
    assert says in found.detail


def test_a_server_of_its_own_zones_tells_nothing_by_that() -> None:
    """Who knows neither AAAA nor A of that name withholds nothing (--nameserver)."""
    found, _ = asked(lambda query: reply(query, rcode="REFUSED"), ControlNames.aaaa_withheld)
    assert found is None


def test_a_resolver_that_denies_everything() -> None:
    """The root exists: who says that it does not, says so of every name (a paused uplink)."""
    found, _ = asked(lambda query: reply(query, rcode="NXDOMAIN"), ControlNames.root_denied)
    assert isinstance(found, Failure)
    assert "NXDOMAIN from 127.0.0.1" in found.detail
    assert found.detail.endswith(" for the root, too")


def test_a_resolver_that_knows_its_own_names_alone() -> None:
    """In a network of its own a name of the Internet does not exist, and the root does."""

    def own(query: Query) -> Replies:
        return reply(query, rcode="NXDOMAIN" if len(query.name) > 1 else "NOERROR")

    for question in (ControlNames.root_denied, ControlNames.aaaa_withheld):
        found, _ = asked(own, question)
        assert found is None


def test_what_was_amiss_is_asked_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that restarts fails at everything, for a moment."""
    monkeypatch.setattr(control_names, "_A_WHILE_S", 0.0)
    down = [True]

    async def main() -> None:
        fails: Handler = lambda query: reply(query, rcode="SERVFAIL") if down[0] else good(query)  # noqa: E731
        async with DnsServer(at_aaaa(fails)) as server:
            resolver = Resolver([server.address], 0.3)
            known = ControlNames(resolver.ask)
            assert await known.aaaa_withheld() is not None
            down[0] = False
            assert await known.aaaa_withheld() is None
            known.close()
            resolver.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("handler", "made_up"),
    [
        (at_aaaa(reply), ()),
        (at_aaaa(lambda query: address_of(query, "64:ff9b::c629:4")), ("64:ff9b::c629:4",)),
        (lambda query: reply(query, rcode="NXDOMAIN"), None),
        (at_aaaa(lambda query: reply(query, rcode="SERVFAIL")), None),
    ],
    ids=["none", "dns64", "unknown-name", "fails"],
)
def test_aaaa_of_a_name_that_has_a_alone(handler: Handler, made_up: tuple[str, ...] | None) -> None:
    """What there is of them somebody has made up; a name that is not known tells nothing."""
    found, sent = asked(handler, ControlNames.aaaa_made_up)
    assert found == made_up
    assert {name for name, _ in sent} == {IPV4_ONLY}
