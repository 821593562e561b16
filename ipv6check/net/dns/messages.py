"""DNS messages (RFC 1035 section 4): queries as octets, and the meaning of responses."""

from __future__ import annotations

from functools import lru_cache

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.SOA
import dns.rdtypes.nsbase
import dns.rrset

from ipv6check.model import Answer, ExtendedError, Failure, Kind
from ipv6check.model.text import count

# DNS flag day 2020: a size that no path fragments.
PAYLOAD = 1232
HEADER_SIZE = 12
TRUNCATED = 0x02
_CHECKING_DISABLED = 0x10
_NO_RECORDS = bytes(2)
# The name and the type of an OPT record (RFC 6891 section 6.1.2).
_OPT = b"\0\0\x29"

# No resolver follows so many aliases in a row; glibc follows what the message holds.
MAX_CHAIN = 100
_MAX_TTL = 0x7FFFFFFF
_MAX_REASONS = 4
_MAX_REASON = 160

_IN = dns.rdataclass.IN
_NOERROR, _NXDOMAIN = dns.rcode.NOERROR, dns.rcode.NXDOMAIN
ANSWERS = (_NOERROR, _NXDOMAIN)
# RFC 6891 section 7: who does not know EDNS, or not this version.
NO_EDNS = (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS)
_FAILURES = {dns.rcode.SERVFAIL: Kind.SERVFAIL, dns.rcode.REFUSED: Kind.DNS_REFUSED}

# The registry of RFC 8914 section 5.2, as of 2026-11-20.
_REASONS = {
    1: "unsupported DNSKEY algorithm",
    2: "unsupported DS digest type",
    3: "stale answer",
    4: "forged answer",
    5: "DNSSEC indeterminate",
    6: "DNSSEC bogus",
    7: "signature expired",
    8: "signature not yet valid",
    9: "DNSKEY missing",
    10: "RRSIGs missing",
    11: "no zone key bit set",
    12: "NSEC missing",
    13: "cached error",
    14: "not ready",
    15: "blocked",
    16: "censored",
    17: "filtered",
    18: "prohibited",
    19: "stale NXDOMAIN answer",
    20: "not authoritative",
    21: "not supported",
    22: "no reachable authority",
    23: "network error",
    24: "invalid data",
    25: "signature expired before valid",
    26: "too early",
    27: "unsupported NSEC3 iterations value",
    28: "unable to conform to policy",
    29: "synthesized",
}
_DNSSEC = frozenset({1, 2, *range(5, 13), 25, 27})


@lru_cache
def _root_query(rdtype: str) -> bytes:
    query = dns.message.make_query(".", rdtype, use_edns=0, payload=PAYLOAD)
    return query.to_wire()


def query(name: dns.name.Name, rdtype: str) -> bytes:
    """Octets of the query for a name: those for the root, with the name in the root's place.

    dnspython compresses even a lone name, which takes a millisecond for the 34 labels of ip6.arpa.
    """
    root = _root_query(rdtype)
    return root[:HEADER_SIZE] + name.to_digestable() + root[HEADER_SIZE + 1 :]


def without_edns(wire: bytes) -> bytes:
    """The query without its OPT record (RFC 6891), which is the last one: 11 octets."""
    return wire[: HEADER_SIZE - 2] + _NO_RECORDS + wire[HEADER_SIZE:-11]


def without_checking(wire: bytes) -> bytes:
    """The query with CD set, so that a validator answers unvalidated (RFC 4035 section 3.2.2)."""
    return wire[:3] + bytes((wire[3] | _CHECKING_DISABLED,)) + wire[4:]


def read(
    data: bytes, name: dns.name.Name, rdtype: dns.rdatatype.RdataType
) -> dns.message.QueryMessage | None:
    """Parsed response, None unless it is well-formed and answers this very question.

    What follows a message is not part of it: some NATs append octets, and glibc does not mind. Nor
    does it mind what is amiss with an option of EDNS, which is additional.
    """
    message = _parsed(data) or _parsed(_without_options(data))
    if not isinstance(message, dns.message.QueryMessage) or not message.flags & dns.flags.QR:
        return None
    if len(message.question) != 1:
        # A server that cannot read the question may leave it out (RFC 1035 section 4.1.1).
        return None if message.question or message.rcode() in ANSWERS else message
    asked = message.question[0]
    same = (asked.name, asked.rdtype, asked.rdclass) == (name, rdtype, _IN)
    return message if same else None


def _parsed(data: bytes) -> dns.message.Message | None:
    try:
        return dns.message.from_wire(data, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return None


def _without_options(data: bytes) -> bytes:
    """The message without its additional records, if an OPT record ends it; nothing if none does.

    So a message that was cut off is not taken for one whose options are amiss.
    """
    start = data.rfind(_OPT)
    length = int.from_bytes(data[start + 9 : start + 11])
    if start < 0 or start + 11 + length != len(data):
        return b""
    return data[: HEADER_SIZE - 2] + _NO_RECORDS + data[HEADER_SIZE:]


def meaning(
    message: dns.message.QueryMessage,
    text: str,
    rdtype: dns.rdatatype.RdataType,
    server: str,
    elapsed_ms: float,
    *,
    tcp: bool,
) -> Answer | Failure:
    """Answer or failure that a response amounts to for the name ``text``; ``server`` sent it."""
    rcode, reasons = message.rcode(), _reasons(message)
    source = server.partition(" ")[0]
    if rcode not in ANSWERS:
        detail = f"{dns.rcode.to_text(rcode)} from {server}{_told(reasons)}"
        kind = _FAILURES.get(rcode, Kind.DNS_ERROR)
        dnssec = any(reason.code in _DNSSEC for reason in reasons)
        return Failure(kind, detail, elapsed_ms, source, extended=reasons, dnssec=dnssec)
    if message.flags & dns.flags.TC:
        detail = f"{server} truncates its answer for {text} over TCP, too"
        return Failure(Kind.BAD_ANSWER, detail, elapsed_ms, source)
    aliases, loops = _chain(message, rdtype)
    if loops:
        detail = f"the CNAME chain of {text} loops or is too long"
        return Failure(Kind.CNAME_LOOP, detail, elapsed_ms, source)
    end = _target(aliases[-1]) if aliases else message.question[0].name
    records = _find(message.answer, end, rdtype)
    if records is not None and rcode == _NXDOMAIN:
        detail = f"{server} answered NXDOMAIN together with records for {text}"
        return Failure(Kind.BAD_ANSWER, detail, elapsed_ms, source)
    own = bool(message.flags & dns.flags.AA) and not message.flags & dns.flags.RA
    if records is None and not aliases and _refers(message):
        detail = f"{server} does not recurse: it refers to other servers for {text}"
        return Failure(Kind.DNS_REFUSED, detail, elapsed_ms, source)
    way = [*aliases, *([records] if records is not None else [])]
    return Answer(
        name=text,
        rdtype=rdtype.name,
        rcode=dns.rcode.to_text(rcode),
        records=() if records is None else tuple(record.to_text() for record in records),
        chain=tuple(_target(alias).to_text(omit_final_dot=True) for alias in aliases),
        ttl=_ttl(message, way, end),
        elapsed_ms=elapsed_ms,
        nameserver=server,
        tcp=tcp,
        authoritative=own,
        unfinished=own and bool(aliases) and records is None and not _has_soa(message),
        behind=_stands_behind(message, way),
        extended=reasons,
    )


def summary(answer: Answer) -> str:
    """The answer in a few words: its code, how many records, and who gave it."""
    records = count(len(answer.records), "record", "records")
    return f"{answer.rcode}, {records} from {answer.nameserver}"


def _reasons(message: dns.message.Message) -> tuple[ExtendedError, ...]:
    options = [option for option in message.options if isinstance(option, dns.edns.EDEOption)]
    return tuple(
        ExtendedError(int(option.code), (option.text or "")[:_MAX_REASON])
        for option in options[:_MAX_REASONS]
    )


def _told(reasons: tuple[ExtendedError, ...]) -> str:
    words = [
        ": ".join(filter(None, (_REASONS.get(reason.code, f"error {reason.code}"), reason.text)))
        for reason in reasons
        if reason.code or reason.text
    ]
    return f" ({'; '.join(words)})" if words else ""


def _chain(
    message: dns.message.QueryMessage, rdtype: dns.rdatatype.RdataType
) -> tuple[list[dns.rrset.RRset], bool]:
    """CNAME records from the question on, in the order of the chain, and whether it loops."""
    name = message.question[0].name
    aliases: list[dns.rrset.RRset] = []
    seen = {name}
    while _find(message.answer, name, rdtype) is None:
        alias = _find(message.answer, name, dns.rdatatype.CNAME)
        if alias is None:
            break
        aliases.append(alias)
        name = _target(alias)
        if name in seen or len(aliases) > MAX_CHAIN:
            return aliases, True
        seen.add(name)
    return aliases, False


def _target(alias: dns.rrset.RRset) -> dns.name.Name:
    record = alias[0]
    assert isinstance(record, dns.rdtypes.nsbase.NSBase)
    return record.target


def _find(
    section: list[dns.rrset.RRset], name: dns.name.Name, rdtype: dns.rdatatype.RdataType
) -> dns.rrset.RRset | None:
    for rrset in section:
        if rrset.rdtype == rdtype and rrset.rdclass == _IN and rrset.name == name:
            return rrset
    return None


def _stands_behind(message: dns.message.QueryMessage, way: list[dns.rrset.RRset]) -> bool:
    """Whether glibc, which reads the records once and in their order, misses the end of the way."""
    places = [message.answer.index(rrset) for rrset in way]
    return places != sorted(places)


def _has_soa(message: dns.message.QueryMessage) -> bool:
    """Whether the server says that there is nothing, from a zone of its own (RFC 2308)."""
    return any(rrset.rdtype == dns.rdatatype.SOA for rrset in message.authority)


def _refers(message: dns.message.QueryMessage) -> bool:
    """Whether it is a referral by who does not recurse (RFC 1034 section 4.3.1)."""
    if message.rcode() != _NOERROR or message.flags & (dns.flags.AA | dns.flags.RA):
        return False
    kinds = {rrset.rdtype for rrset in message.authority}
    return dns.rdatatype.NS in kinds and dns.rdatatype.SOA not in kinds


def _ttl(message: dns.message.QueryMessage, way: list[dns.rrset.RRset], end: dns.name.Name) -> int:
    """Least TTL on the way; that of a negative answer is the SOA's (RFC 2308 section 5)."""
    ttls = [rrset.ttl for rrset in way]
    if not way or way[-1].rdtype == dns.rdatatype.CNAME:
        for rrset in message.authority:
            if rrset.rdtype == dns.rdatatype.SOA and end.is_subdomain(rrset.name):
                record = rrset[0]
                assert isinstance(record, dns.rdtypes.ANY.SOA.SOA)
                ttls += (rrset.ttl, record.minimum)
                break
    return min([*ttls, _MAX_TTL])
