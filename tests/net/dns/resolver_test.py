"""The stub resolver against name servers on loopback, most of them bad ones."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipv6check.model import Answer, ExtendedError, Failure, Kind
from ipv6check.net.dns import messages, resolver
from ipv6check.net.dns.datagrams import Channel, Question, Sent
from ipv6check.net.dns.resolvconf import Server
from ipv6check.net.dns.resolver import SENDS, Resolver
from ipv6check.net.errors import IcmpError
from tests.net.dns_server import (
    RESET,
    DnsServer,
    Handler,
    Query,
    Replies,
    address_of,
    reply,
    truncated,
)
from tests.pace import Lag

TIMEOUT_S = 0.3


def ask(
    *handlers: Handler,
    name: str = "www.example",
    rdtype: str = "AAAA",
    timeout_s: float = TIMEOUT_S,
    host: str = "127.0.0.1",
    tcp: bool = True,
) -> tuple[Answer | Failure, list[DnsServer]]:
    """What one question gets from servers that behave so."""

    async def main() -> tuple[Answer | Failure, list[DnsServer]]:
        async with contextlib.AsyncExitStack() as stack:
            servers = [
                await stack.enter_async_context(DnsServer(handler, host=host, tcp=tcp))
                for handler in handlers
            ]
            asking = Resolver([server.address for server in servers], timeout_s)
            try:
                said = await asking.ask(name, rdtype)
            finally:
                channels = list(asking.servers.channels.values())
                asking.close()
                await asyncio.sleep(0)
                assert not any(channel._pending for channel in channels)
            return said, servers

    return asyncio.run(main())


def answered(*handlers: Handler, name: str = "www.example", rdtype: str = "AAAA") -> Answer:
    """The answer, where there has to be one."""
    said, _ = ask(*handlers, name=name, rdtype=rdtype)
    assert isinstance(said, Answer), said
    return said


def failed(*handlers: Handler, name: str = "www.example", rdtype: str = "AAAA") -> Failure:
    """The failure, where there has to be one."""
    said, _ = ask(*handlers, name=name, rdtype=rdtype)
    assert isinstance(said, Failure), said
    return said


def silent(_query: Query) -> Replies:
    """Say nothing."""
    return None


def good(query: Query) -> Replies:
    """Say what is right."""
    return address_of(query, "2001:db8::1")


def late(delay_s: float) -> Handler:
    """Say what is right, after a while."""
    return lambda query: [(delay_s, address_of(query, "2001:db8::1"))]


def code(rcode: str) -> Handler:
    """Say this response code."""
    return lambda query: reply(query, rcode=rcode)


def over_tcp(handler: Handler) -> Handler:
    """Truncate over UDP, and do this over TCP."""
    return lambda query: handler(query) if query.tcp else truncated(query)


def spoilt(spoil: Callable[[bytes], bytes]) -> Handler:
    """Send a right answer after something was done to it."""
    return lambda query: spoil(address_of(query, "2001:db8::1"))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize(
    ("rdtype", "value"), [("AAAA", "2001:db8::1"), ("A", "192.0.2.1"), ("PTR", "host.example.")]
)
def test_answers(host: str, rdtype: str, value: str) -> None:
    """Each type is asked for over either family, and comes back in presentation form."""
    said, (server,) = ask(lambda query: address_of(query, value), rdtype=rdtype, host=host)
    assert isinstance(said, Answer)
    assert (("www.example", rdtype, "NOERROR"), (value,)) == (
        (said.name, said.rdtype, said.rcode),
        said.records,
    )
    assert (said.ttl, said.chain, said.tcp) == (300, (), False)
    assert [("www.example", rdtype, False)] == server.asked
    assert f"{host} port {server.address[1]}" == said.nameserver


def test_the_query_is_as_any_stub_writes_it() -> None:
    """One question in class IN, recursion desired, EDNS with the size that no path fragments."""
    _, (server,) = ask(good, name="_Dmarc.WWW.example.")
    query = dns.message.from_wire(server.queries[0])
    (question,) = query.question
    assert (question.rdclass, query.edns, query.payload) == (dns.rdataclass.IN, 0, 1232)
    assert query.flags == dns.flags.RD
    assert dns.name.from_text("_dmarc.www.example") == question.name


def test_chain_in_order() -> None:
    """The targets of a CNAME chain come in their order, whatever order the records have."""
    wanted = answered(
        lambda query: reply(
            query,
            "c.example. 20 IN AAAA 2001:db8::3|2001:db8::1",
            "b.example. 5 IN CNAME c.example.",
            "www.example. 60 IN CNAME b.example.",
        )
    )
    assert wanted.chain == ("b.example", "c.example")
    assert wanted.records == ("2001:db8::3", "2001:db8::1")
    assert (wanted.ttl, wanted.canonical) == (5, "c.example")


def test_chain_without_end_record() -> None:
    """A chain that leads to a name without the type keeps the chain and has no records."""
    wanted = answered(lambda query: reply(query, "www.example. 60 IN CNAME b.example."))
    assert (wanted.chain, wanted.records) == (("b.example",), ())


@pytest.mark.parametrize("rcode", ["NOERROR", "NXDOMAIN"])
def test_nothing_there(rcode: str) -> None:
    """No data and no such name are told apart, and live as long as the SOA says (RFC 2308)."""
    soa = "example. 900 IN SOA ns.example. host.example. 1 3600 600 86400 60"
    wanted = answered(lambda query: reply(query, rcode=rcode, authority=soa), name="no.example")
    assert (rcode, (), (), 60) == (wanted.rcode, wanted.records, wanted.chain, wanted.ttl)


@pytest.mark.parametrize(
    ("rcode", "kind"),
    [
        ("SERVFAIL", Kind.SERVFAIL),
        ("REFUSED", Kind.DNS_REFUSED),
        ("NOTIMP", Kind.DNS_ERROR),
        ("FORMERR", Kind.DNS_ERROR),
        ("YXDOMAIN", Kind.DNS_ERROR),
        ("BADVERS", Kind.DNS_ERROR),
    ],
)
@pytest.mark.parametrize("questions", [1, 0])
def test_response_codes(rcode: str, kind: Kind, questions: int) -> None:
    """Each response code is a failure of its kind that names it, at once and with its sender."""

    def handler(query: Query) -> Replies:
        response = dns.message.from_wire(reply(query, rcode=rcode))
        response.question = response.question[:questions]
        return response.to_wire()

    failure = failed(handler)
    assert (kind, "127.0.0.1") == (failure.kind, failure.source)
    assert failure.detail.startswith(f"{rcode} from 127.0.0.1 port ")


@pytest.mark.parametrize("rcode", ["NOERROR", "NXDOMAIN"])
def test_an_answer_to_no_question_is_none(rcode: str) -> None:
    """What denies or answers must repeat the question; without it there is no telling what it is.

    Regression: NXDOMAIN without a question was called a CNAME loop.
    """

    def handler(query: Query) -> Replies:
        response = dns.message.from_wire(reply(query, rcode=rcode))
        response.question = []
        return response.to_wire()

    assert failed(handler).kind is Kind.BAD_ANSWER


def test_an_answer_that_contradicts_itself() -> None:
    """NXDOMAIN with an answer in it is a bad answer. Regression: it was called a CNAME loop."""
    record = "www.example. 300 IN AAAA 2001:db8::1"
    failure = failed(lambda query: reply(query, record, rcode="NXDOMAIN"))
    assert failure.kind is Kind.BAD_ANSWER


def test_silence() -> None:
    """Silence ends when the time is up, after as many sends as there are turns.

    Who is silent to every question is not there, which is no fault of the name.
    """
    said, (server,) = ask(silent, tcp=False)
    assert isinstance(said, Failure)
    assert said.kind is Kind.RESOLVER_UNREACHABLE
    assert said.elapsed_ms + 5 >= TIMEOUT_S * 1000
    assert [question for question in server.asked if question[1] != "NS"] == [
        ("www.example", "AAAA", False)
    ] * SENDS
    assert "to any question" in said.detail


def test_silence_for_one_name() -> None:
    """A server that answers others is there: the silence is the name's."""
    said, (server,) = ask(lambda query: None if query.rdtype == "AAAA" else reply(query))
    assert isinstance(said, Failure)
    assert (said.kind, server.asked.count((".", "NS", False))) == (Kind.TIMEOUT, 1)


@pytest.mark.timing
def test_silence_ends_in_time(lag: Lag) -> None:
    """However many servers are silent, the question has one deadline."""
    began = time.monotonic()
    assert failed(silent, silent).kind is Kind.RESOLVER_UNREACHABLE
    assert time.monotonic() - began < 2 * TIMEOUT_S + lag.s


@pytest.mark.timing
def test_a_lost_datagram_costs_the_target_nothing(lag: Lag) -> None:
    """The answer to a later send is timed from that send."""

    def handler(query: Query) -> Replies:
        return None if query.number == 0 else [(0.02, address_of(query, "2001:db8::1"))]

    wanted = answered(handler)
    assert 20 <= wanted.elapsed_ms < 60 + lag.ms


@pytest.mark.timing
def test_a_late_answer_to_the_first_send(lag: Lag) -> None:
    """An answer that comes after the question was sent again counts, from its own send on."""

    def handler(query: Query) -> Replies:
        return [(0.15, address_of(query, "2001:db8::1"))] if query.number == 0 else None

    wanted = answered(handler)
    assert 150 <= wanted.elapsed_ms < 190 + lag.ms


def noisy(query: Query) -> list[bytes]:
    """Everything that is no answer to the question, though it looks like one."""
    right = address_of(query, "2001:db8::bad")
    other = dns.message.from_wire(right)
    other.question[0].name = dns.name.from_text("another.example")
    type_ = dns.message.from_wire(right)
    type_.question[0].rdtype = dns.rdatatype.A
    class_ = dns.message.from_wire(right)
    class_.question[0].rdclass = dns.rdataclass.CH
    request = bytearray(right)
    request[2] &= 0x7F
    update = bytearray(right)
    update[2] |= 5 << 3
    wrong_id = struct.pack("!H", query.message.id ^ 0x5555) + right[2:]
    packed = b"\x00\x10" + socket.inet_pton(socket.AF_INET6, "2001:db8::bad")
    overlong = right.replace(packed, b"\xff\xff" + packed[2:])
    return [
        b"",
        b"\0",
        right[:2],
        right[:11],
        right[:12],
        right[:-1],
        right[:2] + bytes(2) + b"\xff" * 60,
        right[:2] + b"\x80\x00" + random.Random(6).randbytes(90),
        wrong_id,
        other.to_wire(),
        type_.to_wire(),
        class_.to_wire(),
        bytes(request),
        bytes(update),
        overlong,
    ]


def test_noise_is_not_an_answer() -> None:
    """Wrong ids, other questions, queries and garbage are passed over until the answer comes."""

    def handler(query: Query) -> Replies:
        return [*((0.0, wire) for wire in noisy(query)), (0.0, address_of(query, "2001:db8::1"))]

    assert answered(handler).records == ("2001:db8::1",)


def test_octets_behind_the_message_are_no_part_of_it() -> None:
    """Some NATs append some; glibc and dig do not mind."""
    assert answered(spoilt(lambda wire: wire + bytes(4))).records == ("2001:db8::1",)
    assert answered(over_tcp(spoilt(lambda wire: wire + bytes(4)))).tcp


def with_option(option: dns.edns.GenericOption) -> Handler:
    """An answer whose OPT record has this option."""

    def handler(query: Query) -> Replies:
        wire = good(query)
        assert isinstance(wire, bytes)
        response = dns.message.from_wire(wire)
        response.use_edns(0, options=[option])
        return response.to_wire()

    return handler


@pytest.mark.parametrize(("code", "octets"), [(15, b"\xff"), (8, b"\0\1\x20\0\xc0")])
def test_an_option_amiss_does_not_spoil_the_answer(code: int, octets: bytes) -> None:
    """An extended error or a client subnet that is cut short: glibc looks at neither."""
    assert answered(with_option(dns.edns.GenericOption(dns.edns.OptionType(code), octets))).records


def test_a_record_amiss_does() -> None:
    """An address of 15 octets is none, and nothing else is made of it."""
    said = failed(spoilt(lambda wire: wire.replace(b"\0\x10\x20\x01", b"\0\x0f\x20\x01")))
    assert said.kind is Kind.BAD_ANSWER


def test_noise_alone() -> None:
    """A server that sends only noise is told from one that sends nothing."""

    def handler(query: Query) -> Replies:
        return [(0.0, wire) for wire in noisy(query)]

    assert failed(handler).kind is Kind.BAD_ANSWER
    wrong_id: Handler = spoilt(lambda wire: bytes([wire[0] ^ 0x55]) + wire[1:])
    said, _ = ask(wrong_id, tcp=False)
    assert isinstance(said, Failure)
    assert said.kind is Kind.RESOLVER_UNREACHABLE


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_bytes(data: st.DataObject) -> None:
    """No datagram makes the reader raise, however an answer is damaged."""
    name = dns.name.from_text("www.example")
    query = Query(dns.message.make_query(name, "AAAA", use_edns=0))
    wire = bytearray(
        reply(
            query,
            "www.example. 60 IN CNAME b.example.",
            "b.example. 60 IN AAAA 2001:db8::1",
            authority="example. 900 IN SOA ns.example. host.example. 1 3600 600 86400 60",
        )
    )
    for _ in range(data.draw(st.integers(1, 6))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    length = data.draw(st.integers(0, len(wire)))
    message = messages.read(bytes(wire[:length]), name, dns.rdatatype.AAAA)
    if message is not None:
        kind = dns.rdatatype.AAAA
        said = messages.meaning(message, "www.example", kind, "127.0.0.1", 1.0, tcp=False)
        assert isinstance(said, Answer | Failure)
        texts = (*said.records, *said.chain) if isinstance(said, Answer) else (said.detail,)
        assert all(text.isprintable() and text.isascii() for text in texts)


def test_a_reply_from_another_socket() -> None:
    """Only the server that was asked can answer: the kernel drops what others send."""

    async def main() -> Answer | Failure:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.1", 0))

            def handler(query: Query) -> Replies:
                (channel,) = asking.servers.channels.values()
                wire = address_of(query, "2001:db8::bad")
                stranger.sendto(wire, channel._sock.getsockname())
                return [(0.02, address_of(query, "2001:db8::1"))]

            async with DnsServer(handler) as server:
                asking = Resolver([server.address], TIMEOUT_S)
                said = await asking.ask("www.example", "AAAA")
                asking.close()
                return said

    said = asyncio.run(main())
    assert isinstance(said, Answer)
    assert said.records == ("2001:db8::1",)


def test_truncated() -> None:
    """What does not fit is asked again over TCP, once, and in full."""
    addresses = "|".join(f"2001:db8::{number:x}" for number in range(1, 101))
    said, (server,) = ask(
        over_tcp(lambda query: reply(query, f"www.example. 300 IN AAAA {addresses}"))
    )
    assert isinstance(said, Answer)
    assert (tuple(addresses.split("|")), True) == (said.records, said.tcp)
    assert [tcp for _, _, tcp in server.asked] == [False, True]


@pytest.mark.slow(after=3)
@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (silent, Kind.TIMEOUT),
        (lambda _query: RESET, Kind.BAD_ANSWER),
        (lambda _query: b"\xff" * 40, Kind.BAD_ANSWER),
        (lambda query: reply(query)[:-1], Kind.BAD_ANSWER),
        (lambda _query: [(0.0, b"\0\1")], Kind.BAD_ANSWER),
        (code("SERVFAIL"), Kind.SERVFAIL),
        (late(0.5), Kind.TIMEOUT),
    ],
    ids=["silent", "reset", "garbage", "cut", "short", "servfail", "late"],
)
def test_truncated_and_bad_over_tcp(handler: Handler, kind: Kind) -> None:
    """What goes wrong over TCP is a failure, within the same deadline.

    Regression: TCP had a whole timeout of its own, after that of UDP.
    """
    assert kind is failed(over_tcp(handler)).kind
    half_time: Handler = lambda query: (  # noqa: E731
        handler(query) if query.tcp else [(TIMEOUT_S / 2, truncated(query))]
    )
    assert kind is failed(half_time).kind


def test_truncated_and_tcp_refused() -> None:
    """A server without TCP is a bad server, and its failure says what happened."""
    said, _ = ask(over_tcp(good), tcp=False)
    assert isinstance(said, Failure)
    assert said.kind is Kind.BAD_ANSWER
    assert said.detail.startswith("truncated over UDP, and 127.0.0.1 port ")


def test_truncated_and_silent_then_the_next() -> None:
    """A server that hangs over TCP leaves time for the next server."""
    assert answered(over_tcp(silent), good).records == ("2001:db8::1",)


def test_many_records_are_all_kept() -> None:
    """Every published address is tried (law 3): the message's own size is the only bound."""
    addresses = "|".join(f"2001:db8::{number:x}" for number in range(1, 1001))
    handler: Handler = over_tcp(lambda query: reply(query, f"www.example. 300 IN AAAA {addresses}"))
    assert len(answered(handler).records) == 1000


@pytest.mark.parametrize(
    "records",
    [
        ["www.example. 60 IN CNAME www.example."],
        ["www.example. 60 IN CNAME b.example.", "b.example. 60 IN CNAME www.example."],
        [
            f"{a}.example. 60 IN CNAME {b}.example."
            for a, b in [("www", 0), *((i, i + 1) for i in range(120))]
        ],
    ],
    ids=["itself", "two", "long"],
)
def test_chains_without_end(records: Sequence[str]) -> None:
    """Aliases that lead to each other, or too far, are a loop."""
    failure = failed(lambda query: reply(query, *records))
    assert (failure.kind, failure.source) == (Kind.CNAME_LOOP, "127.0.0.1")


@pytest.mark.parametrize(
    "handler", [code("SERVFAIL"), code("REFUSED"), silent], ids=["servfail", "refused", "silent"]
)
def test_second_server(handler: Handler) -> None:
    """Where the first server does not serve, the second is asked and named."""
    said, servers = ask(handler, good)
    assert isinstance(said, Answer)
    assert said.nameserver.endswith(str(servers[1].address[1]))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_port_unreachable(host: str) -> None:
    """After a closed port the next server is asked at once; alone it is asked to the end."""

    async def main() -> tuple[Answer | Failure, Answer | Failure]:
        async with DnsServer(good, host=host) as server, DnsServer(silent, host=host) as gone:
            closed = gone.address
            await gone.__aexit__()
            asking, alone = Resolver([closed, server.address], 1), Resolver([closed], 0.3)
            both = await asking.ask("www.example", "AAAA"), await alone.ask("www.example", "AAAA")
            asking.close()
            alone.close()
            return both

    answer, failure = asyncio.run(main())
    assert isinstance(answer, Answer)
    assert isinstance(failure, Failure)
    assert failure.kind is Kind.RESOLVER_UNREACHABLE
    assert "port unreachable" in failure.detail
    assert failure.elapsed_ms >= 300 - 5


def test_unroutable_server() -> None:
    """A server that this host's kernel does not send to is out of reach."""

    async def main() -> Answer | Failure:
        asking = Resolver([("ff02::1%nowhere0", 53), ("fe80::1", 53)], 1)
        try:
            return await asking.ask("www.example", "AAAA")
        finally:
            asking.close()

    said = asyncio.run(main())
    assert isinstance(said, Failure)
    assert said.kind is Kind.RESOLVER_UNREACHABLE


def test_no_server() -> None:
    """Without a name server there is a failure. Regression: it was a ZeroDivisionError."""

    async def main() -> Answer | Failure:
        return await Resolver([], 1).ask("www.example", "AAAA")

    said = asyncio.run(main())
    assert isinstance(said, Failure)
    assert (said.kind, said.detail) == (Kind.RESOLVER_UNREACHABLE, "no name server is configured")


def test_a_refusal_is_its_senders() -> None:
    """The first server's late no does not end the wait for the second.

    Regression: it was held against whichever server was being asked, whose answer was then lost.
    """
    no: Handler = lambda query: [(0.13, reply(query, rcode="SERVFAIL"))]  # noqa: E731
    said, _ = ask(no, late(0.1), timeout_s=0.72)
    assert isinstance(said, Answer), said


def test_the_only_server_left_gets_all_the_time() -> None:
    """After one server's no the other is waited for to the end, and asked again if need be.

    Regression: the turns of the first were skipped, and with them the time.
    """

    def loses_one(query: Query) -> Replies:
        return None if query.number == 0 else address_of(query, "2001:db8::1")

    assert answered(code("SERVFAIL"), loses_one).records == ("2001:db8::1",)
    assert answered(code("SERVFAIL"), late(0.2)).records == ("2001:db8::1",)


def test_all_servers_fail() -> None:
    """The first server's reason is told, as soon as the last has failed.

    Who may not know EDNS is asked again without, and all once more without a check of DNSSEC.
    """
    said, servers = ask(code("SERVFAIL"), code("REFUSED"), code("NOTIMP"), code("FORMERR"))
    assert isinstance(said, Failure)
    assert (said.kind, [len(server.asked) for server in servers]) == (Kind.SERVFAIL, [2, 2, 4, 4])


@pytest.mark.slow
def test_a_thousand_at_once() -> None:
    """Questions share one socket, and each gets its own answer, though they come in any order."""

    def handler(query: Query) -> Replies:
        index = int(query.name.labels[0][1:])
        return [(query.number % 7 / 1000, address_of(query, f"2001:db8::{index:x}"))]

    async def main() -> None:
        async with DnsServer(handler) as server:
            asking = Resolver([server.address], 5)
            names = [f"n{index}.example" for index in range(1000)]
            answers = await asyncio.gather(*(asking.ask(name, "AAAA") for name in names))
            (channel,) = asking.servers.channels.values()
            assert not channel._pending
            asking.close()
        for index, answer in enumerate(answers):
            assert isinstance(answer, Answer), answer
            assert (names[index], (resolver_text(index),)) == (answer.name, answer.records)

    asyncio.run(main())


def resolver_text(index: int) -> str:
    """The address of a name, as dnspython writes it."""
    return f"2001:db8::{index:x}" if index else "2001:db8::"


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        (r"a\.b.example", b"\x03a.b\x07example\x00"),
        (r"evil\027[31m\000.example", b"\x0aevil\x1b[31m\x00\x07example\x00"),
        ("x y.example", b"\x03x y\x07example\x00"),
        ("UPPER.Example", b"\x05upper\x07example\x00"),
        ("", b"\x00"),
        (".", b"\x00"),
        (".".join(["a" * 63] * 3 + ["b" * 61]), None),
    ],
)
def test_odd_names(name: str, wire: bytes | None) -> None:
    """Names with escapes are asked for byte by byte."""
    said, (server,) = ask(good, name=name)
    assert isinstance(said, Answer)
    sent = server.queries[0][12:]
    assert wire is None or sent.startswith(wire)
    assert all(text.isprintable() for text in (said.name, *said.records))


@pytest.mark.parametrize(
    "name",
    [
        "a..example",
        ".example",
        "a" * 64 + ".example",
        ".".join(["a" * 63] * 4),
        "\\",
        r"\25",
        r"\999.example",
        "xn--\udcff.example",
        "b\u00fccher" * 20 + ".example",
        "\u2488.example",
    ],
)
def test_names_that_cannot_be_asked(name: str) -> None:
    """What is no name is a failure, and no packet is sent for it."""
    said, (server,) = ask(good, name=name)
    assert isinstance(said, Failure)
    assert (said.kind, server.asked) == (Kind.DNS_ERROR, [])


@pytest.mark.parametrize("rdtype", ["AAAA", "PTR"])
def test_hostile_labels(rdtype: str) -> None:
    """No byte of a name's reaches our texts raw."""
    evil = r"evil\027[31m\007\155\133\127\010\013"
    records = [f"www.example. 60 IN CNAME {evil}.example."]
    if rdtype == "PTR":
        records.append(f"{evil}.example. 60 IN PTR {evil}{evil}.example.")
    wanted = answered(lambda query: reply(query, *records), rdtype=rdtype)
    assert (f"{evil}.example",) == wanted.chain
    for text in (*wanted.chain, *wanted.records):
        assert text.isprintable()
        assert text.isascii()


def test_cancelled() -> None:
    """A question that is given up leaves no id behind, in UDP's turn or in TCP's."""

    async def main() -> None:
        async with DnsServer(silent) as mute, DnsServer(over_tcp(silent)) as cut:
            for server in (mute, cut):
                asking = Resolver([server.address], 5)
                task = asyncio.ensure_future(asking.ask("www.example", "AAAA"))
                await asyncio.sleep(0.05)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                (channel,) = asking.servers.channels.values()
                assert not channel._pending
                asking.close()

    asyncio.run(main())


def open_files() -> int:
    """How many this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_close() -> None:
    """Closing leaves neither a reader nor a socket, and the loop does not turn for nothing."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with DnsServer(good) as server:
            before = open_files()
            asking = Resolver([server.address], 1)
            await asking.ask("www.example", "AAAA")
            (channel,) = asking.servers.channels.values()
            number = channel._sock.fileno()
            asking.close()
            assert not loop.remove_reader(number)
            assert before == open_files()

    asyncio.run(main())


def test_a_flood_is_bounded() -> None:
    """A server that repeats itself is heard once a send."""

    async def main() -> None:
        def handler(query: Query) -> Replies:
            return [(0.0, reply(query, rcode="SERVFAIL"))] * 200

        async with DnsServer(handler) as server, DnsServer(late(0.1)) as slow:
            asking = Resolver([server.address, slow.address], 1)
            assert isinstance(await asking.ask("www.example", "AAAA"), Answer)
            asking.close()

    asyncio.run(main())


def test_ids_are_not_mixed_up() -> None:
    """A question that ends does not take the id of another that got the same number since."""

    async def main() -> None:
        async with DnsServer(silent) as server:
            channel = Channel(server.address, lambda _: None)
            name = dns.name.from_text("www.example")
            old = Question("x", name, dns.rdatatype.AAAA, messages.query(name, "AAAA"))
            new = old.again(old.wire)
            channel._pending[7] = Sent(new, new.wire, 0, edns=True)
            channel.forget(7, old)
            assert 7 in channel._pending
            channel.forget(7, new)
            assert 7 not in channel._pending
            channel.close()

    asyncio.run(main())


def test_places_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time in the queue is not time of the question: all of many slow questions are answered.

    The last of them wait longer than a question may take, and each takes a small part of that.
    """
    monkeypatch.setattr(resolver, "IN_FLIGHT", 2)

    async def main() -> None:
        async with DnsServer(late(0.1)) as server:
            asking = Resolver([server.address], 2)
            answers = await asyncio.gather(
                *(asking.ask(f"n{i}.example", "AAAA") for i in range(24 * resolver.IN_FLIGHT))
            )
            assert all(isinstance(answer, Answer) for answer in answers)
            asking.close()

    asyncio.run(main())


def test_https_records() -> None:
    """What they say is told in the presentation form of RFC 9460, as dnspython writes it."""
    record = 'www.example. 60 IN HTTPS 1 . alpn="h3,h2" ipv4hint=192.0.2.1 ipv6hint=2001:db8::1'
    said = answered(lambda query: reply(query, record), rdtype="HTTPS")
    assert said.records == ('1 . alpn="h3,h2" ipv4hint="192.0.2.1" ipv6hint="2001:db8::1"',)


@pytest.mark.parametrize("rcode", ["FORMERR", "NOTIMP", "BADVERS"])
def test_edns_refused(rcode: str) -> None:
    """Who does not know EDNS is asked without (RFC 6891 section 6.2.2), and so from then on."""

    def handler(query: Query) -> Replies:
        return good(query) if query.message.edns < 0 else reply(query, rcode=rcode)

    async def main() -> None:
        async with DnsServer(handler) as server:
            asking = Resolver([server.address], 1)
            for name in ("a.example", "b.example"):
                assert isinstance(await asking.ask(name, "AAAA"), Answer)
            asking.close()
            assert [name for name, _, _ in server.asked] == ["a.example"] * 2 + ["b.example"]

    asyncio.run(main())


def test_edns_swallowed() -> None:
    """Where what has EDNS is lost on the way, the next send does without; in time every one."""

    def handler(query: Query) -> Replies:
        return good(query) if query.message.edns < 0 else None

    async def main() -> None:
        async with DnsServer(handler) as server:
            asking = Resolver([server.address], 0.6)
            for number in range(4):
                assert isinstance(await asking.ask(f"n{number}.example", "AAAA"), Answer)
            asking.close()
            assert [name for name, _, _ in server.asked].count("n3.example") == 1

    asyncio.run(main())


def test_over_tcp_alone() -> None:
    """``use-vc``: nothing is sent over UDP."""

    async def main() -> None:
        async with DnsServer(good) as server:
            asking = Resolver([server.address], 1, use_vc=True)
            assert isinstance(await asking.ask("www.example", "AAAA"), Answer)
            asking.close()
            assert [tcp for _, _, tcp in server.asked] == [True]

    asyncio.run(main())


def test_tcp_is_the_last_try() -> None:
    """A server that is silent over UDP is asked over TCP, and the next time at once."""

    async def main() -> None:
        async with DnsServer(lambda query: good(query) if query.tcp else None) as server:
            asking = Resolver([server.address], 0.6)
            for name in ("a.example", "b.example"):
                assert isinstance(await asking.ask(name, "AAAA"), Answer)
            asking.close()
            assert server.asked[-1] == ("b.example", "AAAA", True)
            assert server.asked.count(("b.example", "AAAA", False)) == 0

    asyncio.run(main())


def test_truncated_over_tcp() -> None:
    """TC has no meaning there: what is left of the answer is no answer."""
    failure = failed(truncated)
    assert (failure.kind, "truncates" in failure.detail) == (Kind.BAD_ANSWER, True)


def test_a_long_chain_that_ends() -> None:
    """Sixteen aliases are not the end: glibc follows what the message holds."""
    names = ["www", *(f"c{n}" for n in range(40))]
    aliases = [f"{a}.example. 60 IN CNAME {b}.example." for a, b in pairwise(names)]
    wanted = answered(lambda query: reply(query, *aliases, "c39.example. 9 IN AAAA 2001:db8::1"))
    assert (len(wanted.chain), wanted.records, wanted.ttl) == (40, ("2001:db8::1",), 9)
    assert not wanted.behind


def test_an_alias_behind_what_it_leads_to() -> None:
    """Glibc reads the records once and in their order; the answer is told to have that fault."""
    address, alias = "b.example. 60 IN AAAA 2001:db8::1", "www.example. 60 IN CNAME b.example."
    assert answered(lambda query: reply(query, address, alias)).behind
    assert not answered(lambda query: reply(query, alias, address)).behind


def own(query: Query, *records: str, authority: str = "") -> bytes:
    """What a zone's own server says, who asks no other."""
    response = dns.message.from_wire(reply(query, *records, authority=authority))
    response.flags |= dns.flags.AA
    response.flags &= ~dns.flags.RA
    return response.to_wire()


def test_a_chain_that_leaves_the_zone() -> None:
    """A zone's own server knows its own end of a chain, and says so by an SOA record."""
    alias = "www.example. 60 IN CNAME b.other."
    soa = "example. 900 IN SOA ns.example. host.example. 1 3600 600 86400 60"
    assert answered(lambda query: own(query, alias)).unfinished
    assert not answered(lambda query: own(query, alias, authority=soa)).unfinished
    assert not answered(lambda query: reply(query, alias)).unfinished


def test_a_referral_is_no_answer() -> None:
    """Who points at others and asks none has not said that there is no record."""
    delegation = "example. 900 IN NS ns.example."
    failure = failed(lambda query: reply(query, authority=delegation))
    assert (failure.kind, "refers to other servers" in failure.detail) == (Kind.DNS_REFUSED, True)


def test_extended_errors() -> None:
    """What the server gives as its reason is told, and kept (RFC 8914)."""

    def handler(query: Query) -> Replies:
        response = dns.message.from_wire(reply(query, rcode="SERVFAIL"))
        response.use_edns(
            0, options=[dns.edns.EDEOption(dns.edns.EDECode.DNSSEC_BOGUS, "expired\x1b[31m")]
        )
        return response.to_wire()

    failure = failed(handler)
    assert (failure.dnssec, failure.extended) == (True, (ExtendedError(6, "expired\x1b[31m"),))
    assert "SERVFAIL from" in failure.detail
    assert "DNSSEC bogus: expired" in failure.detail


def test_a_failed_validation_is_found_out() -> None:
    """SERVFAIL that turns into an answer where nothing is checked is DNSSEC's; not a short one."""

    def bogus(query: Query) -> Replies:
        checked = not query.message.flags & dns.flags.CD
        return reply(query, rcode="SERVFAIL") if checked else good(query)

    assert failed(bogus).dnssec
    assert "DNSSEC" in failed(bogus).detail
    assert not failed(code("SERVFAIL")).dnssec
    short = lambda query: reply(query, rcode="SERVFAIL") if not query.number else good(query)  # noqa: E731
    assert answered(short).records == ("2001:db8::1",)


def test_a_server_that_restarts() -> None:
    """Port unreachable for a moment ends no question: it is asked again within its time."""

    async def main() -> None:
        async with DnsServer(good, tcp=False) as first:
            address, port = first.address
            asking = Resolver([first.address], 1.2)
            assert isinstance(await asking.ask("before.example", "AAAA"), Answer)
        under_way = [asyncio.ensure_future(asking.ask(f"n{n}.example", "AAAA")) for n in range(50)]
        await asyncio.sleep(0.3)
        async with DnsServer(good, host=address, port=port, tcp=False):
            answers = await asyncio.gather(*under_way)
        asking.close()
        assert all(isinstance(answer, Answer) for answer in answers)

    asyncio.run(main())


def test_an_icmp_error_is_its_own_questions() -> None:
    """One that quotes another id, or too little, ends nothing and is nobody's."""

    async def main() -> None:
        async with DnsServer(good) as server:
            heard: list[Server] = []
            channel = Channel(server.address, heard.append)
            name = dns.name.from_text("x")
            question = Question("x", name, dns.rdatatype.AAAA, messages.query(name, "AAAA"))
            sent = b"\0\7" + question.wire[2:]
            channel._pending[7] = Sent(question, sent, 0, edns=True)
            quotes = [b"", sent[:8], b"\0\x08" + sent[2:], sent[:20] + b"?", sent]
            for quote in quotes:
                error = IcmpError(socket.AF_INET, 3, 3, "127.0.0.1", quote)
                channel.hear_error(error)
                assert bool(question.replies) == (quote is quotes[-1])
            channel.close()

    asyncio.run(main())


@pytest.mark.slow
def test_the_list_is_held_back_while_the_resolver_is_away() -> None:
    """Who was there and says nothing to anybody is waited for beyond the time of one question."""

    async def main() -> tuple[Answer | Failure, Answer | Failure]:
        async with DnsServer(good, tcp=False) as first:
            address, port = first.address
            asking = Resolver([first.address], 0.6)
            await asking.ask("before.example", "AAAA")
        under_way = asyncio.ensure_future(asking.ask("during.example", "AAAA"))
        await asyncio.sleep(0.8)
        async with DnsServer(good, host=address, port=port, tcp=False):
            during = await under_way
        after = await asking.ask("after.example", "AAAA")
        asking.close()
        return during, after

    during, after = asyncio.run(main())
    assert isinstance(during, Answer)
    assert isinstance(after, Failure)
    assert after.kind is Kind.RESOLVER_UNREACHABLE
