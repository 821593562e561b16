"""A DNS server with the faults that real ones have: `python -m tests.lab.hostile`.

A label of the query name selects the fault (see `plan.DNS_FAULTS`), so one test needs no set-up
and two tests cannot disturb each other; a label that is none, a nonce say, is ignored. Names with
no such label are healthy.
"""

import asyncio
import hashlib
import os
import re
import socket
import struct
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from typing import Any, cast

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

from tests.lab import plan

ZONE = dns.name.from_text("hostile.test.")
CONTROL_LABEL = b"evil\x1b[31m\x07\x9b\x85\x7f\n\r"

_TTL = 300
_LARGEST_UDP = 1232
_CHAIN = 40
_RCODES = {
    "servfail": dns.rcode.SERVFAIL,
    "refused": dns.rcode.REFUSED,
    "nxdomain": dns.rcode.NXDOMAIN,
    "notimp": dns.rcode.NOTIMP,
    "formerr": dns.rcode.FORMERR,
}
_TYPED = re.compile(r"(aaaa|a|both)-(servfail|refused|nxdomain|notimp|formerr|silent|late-(\d+))")
_STEP = re.compile(r"step-(\d+)")
_MANY = re.compile(r"many-(\d+)")
_PTRS = {
    dns.reversename.from_address(str(address)): host
    for n, host in (
        (plan.HEALTHY_N, dns.name.Name((b"healthy", *ZONE.labels))),
        (plan.CONTROL_N, dns.name.Name((CONTROL_LABEL, *ZONE.labels))),
    )
    for address in (plan.address6("open", n), plan.address4("open", n))
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back: bytes or nothing, when, and whether TCP is reset instead."""

    wire: bytes | None
    after_s: float = 0.0
    reset: bool = False


SILENCE = Reply(None)


@dataclass(frozen=True, slots=True)
class Query:
    """A question and how it came."""

    message: dns.message.Message
    tcp: bool

    @property
    def name(self) -> dns.name.Name:
        """The name asked for."""
        return self.message.question[0].name

    @property
    def type(self) -> dns.rdatatype.RdataType:
        """The record type asked for."""
        return self.message.question[0].rdtype

    @property
    def limit(self) -> int:
        """How many bytes the answer may have."""
        return 65535 if self.tcp else min(max(self.message.payload, 512), _LARGEST_UDP)


Personality = Callable[[Query], Reply]


def hostile(query: Query) -> Reply:
    """The fault that a label of the name selects, or a healthy answer."""
    for label in query.name.labels:
        fault = _fault(label)
        if fault:
            return fault(query)
    return _healthy(query)


def refusing(query: Query) -> Reply:
    """REFUSED, whatever it is."""
    return _rcode(query, dns.rcode.REFUSED)


def broken(query: Query) -> Reply:
    """SERVFAIL, whatever it is."""
    return _rcode(query, dns.rcode.SERVFAIL)


def _for_aaaa(fault: Personality) -> Personality:
    """Do this to AAAA of every name, and answer the rest."""
    return lambda query: fault(query) if query.type == dns.rdatatype.AAAA else hostile(query)


def _filtered(query: Query) -> Reply:
    return _with_error(_response(query), dns.edns.EDECode.FILTERED)


def _blocking(query: Query) -> Reply:
    if query.type not in {dns.rdatatype.AAAA, dns.rdatatype.A}:
        return hostile(query)
    return _answer(query, _addresses(query, query.name, ["::"], ["0.0.0.0"]))


def _inventing(query: Query) -> Reply:
    """It has an address for every name but those of its zone: a portal's, or a search page's."""
    if query.type not in {dns.rdatatype.AAAA, dns.rdatatype.A} or query.name.is_subdomain(ZONE):
        return hostile(query)
    return _answer(query, _open(query, query.name, plan.HEALTHY_N + 1))


def _without_edns(query: Query) -> Reply:
    if query.message.edns < 0:
        return hostile(query)
    return Reply(_rcode_of(query, dns.rcode.FORMERR, edns=False).to_wire())


def _over_tcp(query: Query) -> Reply:
    return hostile(query) if query.tcp else SILENCE


def _trailing(query: Query) -> Reply:
    reply = hostile(query)
    return Reply(None if reply.wire is None else reply.wire + bytes(4), reply.after_s)


def _fault(label: bytes) -> Personality | None:
    text = label.decode("latin-1").lower()
    if match := _TYPED.fullmatch(text):
        return partial(_typed, match)
    if match := _MANY.fullmatch(text):
        return partial(_many, int(match[1]))
    if match := _STEP.fullmatch(text):
        return partial(_cname_chain, int(match[1]))
    return _NAMED.get(text)


def _typed(match: re.Match[str], query: Query) -> Reply:
    family, fault, late_ms = match.groups()
    if family != "both" and query.type != dns.rdatatype.from_text(family):
        return _healthy(query)
    if fault == "silent":
        return SILENCE
    if late_ms:
        return Reply(_healthy(query).wire, after_s=int(late_ms) / 1000)
    return _rcode(query, _RCODES[fault])


def _healthy(query: Query) -> Reply:
    records = _records(query)
    nobody = query.type == dns.rdatatype.PTR and not records
    return _answer(query, records, dns.rcode.NXDOMAIN if nobody else dns.rcode.NOERROR)


def _records(query: Query) -> list[dns.rrset.RRset]:
    """What an ordinary server would say of this name."""
    if query.type == dns.rdatatype.PTR:
        host = _PTRS.get(query.name)
        return [_rrset(query.name, "PTR", [host.to_text()])] if host else []
    if query.name == dns.name.from_text("ipv4only.arpa."):
        only = ["192.0.0.170", "192.0.0.171"] if query.type == dns.rdatatype.A else []
        return [_rrset(query.name, "A", only)] if only else []
    if query.name == ZONE and query.type == dns.rdatatype.NS:
        return [_rrset(query.name, "NS", ["ns.hostile.test."])]
    if query.name == ZONE and query.type == dns.rdatatype.SOA:
        return [_soa()]
    if query.name == dns.name.from_text("ns", ZONE):
        return _addresses(query, query.name, [plan.HOSTILE.ipv6], [plan.HOSTILE.ipv4])
    return _open(query, query.name)


def _open(query: Query, owner: dns.name.Name, n: int = plan.HEALTHY_N) -> list[dns.rrset.RRset]:
    return _addresses(query, owner, [plan.address6("open", n)], [plan.address4("open", n)])


def _addresses(
    query: Query,
    owner: dns.name.Name,
    ipv6: Iterable[IPv6Address | str],
    ipv4: Iterable[IPv4Address | str],
) -> list[dns.rrset.RRset]:
    if query.type == dns.rdatatype.AAAA:
        return [_rrset(owner, "AAAA", map(str, ipv6))]
    if query.type == dns.rdatatype.A:
        return [_rrset(owner, "A", map(str, ipv4))]
    return []


def _nxdomain(query: Query) -> Reply:
    return _rcode(query, dns.rcode.NXDOMAIN)


def _cname_loop(query: Query) -> Reply:
    labels = query.name.labels
    other = dns.name.Name(labels[1:] if labels[0] == b"back" else (b"back", *labels))
    return _answer(query, [_alias(query.name, other), _alias(other, query.name)])


def _cname_chain(taken: int, query: Query) -> Reply:
    steps = [dns.name.Name((b"step-%d" % i, *ZONE.labels)) for i in range(taken + 1, _CHAIN + 1)]
    chain = [query.name, *steps]
    aliases = [_alias(owner, target) for owner, target in pairwise(chain)]
    return _answer(query, aliases + _open(query, chain[-1]))


def _aaaa_cname_broken(query: Query) -> Reply:
    if query.type != dns.rdatatype.AAAA:
        return _healthy(query)
    nowhere = dns.name.from_text("nxdomain", ZONE)
    return _answer(query, [_alias(query.name, nowhere)], dns.rcode.NXDOMAIN)


def _truncated(query: Query) -> Reply:
    if query.tcp:
        return _healthy(query)
    response = _response(query)
    response.flags |= dns.flags.TC
    return Reply(response.to_wire())


def _truncated_tcp_silent(query: Query) -> Reply:
    return SILENCE if query.tcp else _truncated(query)


def _truncated_tcp_refused(query: Query) -> Reply:
    return Reply(None, reset=True) if query.tcp else _truncated(query)


def _many(count: int, query: Query) -> Reply:
    numbers = range(plan.MANY_BASE_N, plan.MANY_BASE_N + min(count, plan.MANY_MAX))
    ipv6 = [plan.address6("open", n) for n in numbers]
    ipv4 = [plan.address4("open", plan.HEALTHY_N)]
    return _answer(query, _addresses(query, query.name, ipv6, ipv4))


def _control(query: Query) -> Reply:
    evil = dns.name.Name((CONTROL_LABEL, *ZONE.labels))
    return _answer(query, [_alias(query.name, evil), *_open(query, evil, plan.CONTROL_N)])


def _control_target(query: Query) -> Reply:
    return _answer(query, _open(query, query.name, plan.CONTROL_N))


def _garbage(query: Query) -> Reply:
    header = struct.pack("!HH", query.message.id, 0x8400)
    return Reply(header + hashlib.sha512(query.name.to_wire() or b"").digest())


def _wrong_id(query: Query) -> Reply:
    wire = _healthy(query).wire or b""
    return Reply(struct.pack("!H", query.message.id ^ 0x5555) + wire[2:])


def _wrong_question(query: Query) -> Reply:
    response = _response(query)
    other = dns.name.from_text("another", ZONE)
    response.question = [_rrset(other, dns.rdatatype.to_text(query.type), [])]
    response.answer = _open(query, other)
    return Reply(response.to_wire())


def _oversize_rdata(query: Query) -> Reply:
    wire = _healthy(query).wire or b""
    if query.type != dns.rdatatype.AAAA:
        return Reply(wire)
    right, wrong = b"\x00\x10" + plan.address6("open", plan.HEALTHY_N).packed, b"\xff\xff"
    return Reply(wire.replace(right, wrong + right[2:]))


def _mapped(query: Query) -> Reply:
    ipv4 = plan.address4("open", plan.HEALTHY_N)
    return _answer(query, _addresses(query, query.name, [f"::ffff:{ipv4}"], [ipv4]))


def _unspecified(query: Query) -> Reply:
    ipv4 = plan.address4("open", plan.HEALTHY_N)
    return _answer(query, _addresses(query, query.name, ["::"], [ipv4]))


def _embedded(query: Query) -> Reply:
    ipv4 = plan.address4("open", plan.HEALTHY_N)
    ipv6 = plan.BEHAVIOURS["open"].network6[(0x64 << 64) + int(ipv4)]
    return _answer(query, _addresses(query, query.name, [ipv6], [ipv4]))


def _dns64(query: Query) -> Reply:
    own = query.name == dns.name.from_text("ipv4only.arpa.")
    return _healthy(query) if own or query.type == dns.rdatatype.PTR else _embedded(query)


def _bogus(query: Query) -> Reply:
    return _with_error(
        _rcode_of(query, dns.rcode.SERVFAIL), dns.edns.EDECode.DNSSEC_BOGUS, "signature expired"
    )


def _with_error(
    response: dns.message.Message, code: dns.edns.EDECode, text: str | None = None
) -> Reply:
    response.use_edns(0, options=[dns.edns.EDEOption(code, text)])
    return Reply(response.to_wire())


def _behind(query: Query) -> Reply:
    end = dns.name.Name((b"end", *ZONE.labels))
    records = _open(query, end)
    return _answer(query, [*records, _alias(query.name, end)])


def _truncated_again(query: Query) -> Reply:
    response = _response(query)
    response.flags |= dns.flags.TC
    return Reply(response.to_wire())


def _elsewhere(query: Query) -> Reply:
    response = _response(query)
    response.flags &= ~dns.flags.RA
    response.answer = [_alias(query.name, dns.name.from_text("cdn.example."))]
    return Reply(response.to_wire())


def _referral(query: Query) -> Reply:
    response = _response(query)
    response.flags &= ~(dns.flags.RA | dns.flags.AA)
    response.authority = [_rrset(query.name, "NS", ["ns.hostile.test."])]
    return Reply(response.to_wire())


_NAMED: dict[str, Personality] = {
    "unspecified": _unspecified,
    "embedded": _embedded,
    "bogus": _bogus,
    "behind": _behind,
    "chain-20": partial(_cname_chain, _CHAIN - 20),
    "truncated-again": _truncated_again,
    "elsewhere": _elsewhere,
    "referral": _referral,
    "nxdomain": _nxdomain,
    "cname-loop": _cname_loop,
    "cname-long": partial(_cname_chain, 0),
    "aaaa-cname-broken": _aaaa_cname_broken,
    "truncated": _truncated,
    "truncated-tcp-silent": _truncated_tcp_silent,
    "truncated-tcp-refused": _truncated_tcp_refused,
    "control": _control,
    CONTROL_LABEL.decode("latin-1"): _control_target,
    "garbage": _garbage,
    "wrong-id": _wrong_id,
    "wrong-question": _wrong_question,
    "oversize-rdata": _oversize_rdata,
    "mapped": _mapped,
}


def _rrset(owner: dns.name.Name, rdtype: str, values: Iterable[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(owner, _TTL, dns.rdataclass.IN, rdtype, list(values))


def _alias(owner: dns.name.Name, target: dns.name.Name) -> dns.rrset.RRset:
    return _rrset(owner, "CNAME", [target.to_text()])


def _soa() -> dns.rrset.RRset:
    return _rrset(ZONE, "SOA", [f"ns.{ZONE} hostmaster.test. 1 3600 600 86400 {_TTL}"])


def _response(query: Query) -> dns.message.Message:
    response = dns.message.make_response(query.message)
    response.flags |= dns.flags.AA
    # A resolver to who asks for recursion, an authoritative server to who does not.
    if query.message.flags & dns.flags.RD:
        response.flags |= dns.flags.RA
    return response


def _answer(
    query: Query,
    records: list[dns.rrset.RRset],
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
) -> Reply:
    response = _response(query)
    response.set_rcode(rcode)
    response.answer = records
    if not records or rcode != dns.rcode.NOERROR:
        response.authority = [_soa()]
    try:
        return Reply(response.to_wire(max_size=query.limit, want_shuffle=False))
    except dns.exception.TooBig:
        return _truncated(query)


def _rcode(query: Query, rcode: dns.rcode.Rcode) -> Reply:
    if rcode == dns.rcode.NXDOMAIN:
        return _answer(query, [], rcode)
    return Reply(_rcode_of(query, rcode).to_wire())


def _rcode_of(query: Query, rcode: dns.rcode.Rcode, *, edns: bool = True) -> dns.message.Message:
    response = _response(query)
    response.flags &= ~dns.flags.AA
    response.set_rcode(rcode)
    if not edns:
        response.use_edns(-1)
    return response


def _parse(wire: bytes, *, tcp: bool) -> Query | None:
    try:
        message = dns.message.from_wire(wire)
    except dns.exception.DNSException:
        return None
    is_query = message.question and not message.flags & dns.flags.QR
    return Query(message, tcp) if is_query else None


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, personality: Personality) -> None:
        self._personality = personality

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own transport does not derive from the class that it documents.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        query = _parse(data, tcp=False)
        reply = self._personality(query) if query else SILENCE
        if reply.wire is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(reply.after_s, self._transport.sendto, reply.wire, addr)


async def _serve_tcp(
    personality: Personality, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        while True:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            query = _parse(await reader.readexactly(length), tcp=True)
            reply = personality(query) if query else SILENCE
            if reply.reset:
                _reset(writer)
                return
            await asyncio.sleep(reply.after_s)
            if reply.wire is not None:
                writer.write(struct.pack("!H", len(reply.wire)) + reply.wire)
                await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        return
    finally:
        writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    linger_zero = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_zero)
    writer.transport.abort()


async def _listen(address: str, personality: Personality) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: _Udp(personality), (address, 53))
    await asyncio.start_server(
        lambda reader, writer: _serve_tcp(personality, reader, writer), address, 53, backlog=1000
    )


def _die_of_bugs(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A fault that nobody asked for must end the lab and not look like one of the table."""
    error = context.get("exception")
    if not isinstance(error, OSError):
        traceback.print_exception(error)
        os._exit(1)


async def _main() -> None:
    asyncio.get_running_loop().set_exception_handler(_die_of_bugs)
    personalities = {
        plan.HOSTILE: hostile,
        plan.REFUSING: refusing,
        plan.BROKEN: broken,
        plan.AAAA_SERVFAIL: _for_aaaa(broken),
        plan.AAAA_NXDOMAIN: _for_aaaa(_nxdomain),
        plan.AAAA_SILENT: _for_aaaa(lambda _: SILENCE),
        plan.AAAA_FILTERED: _for_aaaa(_filtered),
        plan.BLOCKING: _blocking,
        plan.WITHOUT_EDNS: _without_edns,
        plan.OVER_TCP: _over_tcp,
        plan.TRAILING: _trailing,
        plan.DNS64_SILENT: _dns64,
        plan.DENYING: _nxdomain,
        plan.INVENTING: _inventing,
    }
    for server, personality in personalities.items():
        for address in (server.ipv4, server.ipv6):
            await _listen(address, personality)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
