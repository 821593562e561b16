"""The addresses that a target's name publishes, and which of them packets may go to."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ipv6check.config.target import Target
from ipv6check.model import Address, Answer, Failure, Kind, Settings, Stub, is_ipv6
from ipv6check.net import Net
from ipv6check.net.dns.nat64 import WELL_KNOWN_NAME, embedding
from ipv6check.net.special_addresses import UNSPECIFIED, SpecialPurpose, unusable_ipv6, usable_ipv4

LOCALHOST = {"AAAA": "::1", "A": "127.0.0.1"}
DNS64 = "DNS64-synthesised"
_NO_WORD = frozenset(
    {Kind.TIMEOUT, Kind.RESOLVER_UNREACHABLE, Kind.BAD_ANSWER, Kind.SERVFAIL, Kind.DNS_ERROR}
)
_SILENT = frozenset({Kind.TIMEOUT, Kind.RESOLVER_UNREACHABLE})
# RFC 8914: forged answer, blocked, censored, filtered.
_BLOCKED = frozenset({4, 15, 16, 17})
# RFC 8305 section 3: how long a client that has A waits for AAAA.
_LATE_MS = 50
_AGAIN = 3

Both = tuple[Answer | Failure, Answer | Failure]


@dataclass(frozen=True, slots=True)
class Unusable:
    """A published IPv6 address that the Internet cannot reach, and why."""

    address: Address
    reason: SpecialPurpose


@dataclass(frozen=True, slots=True)
class Addresses:
    """What the name resolves to.

    ``origin``: dns, literal, localhost, resolve (the ``--resolve`` option) or hosts (this host's
    /etc/hosts has it, and the DNS has not). ``a`` and ``aaaa`` are the resolver's answers, None
    where it was not asked. ``ipv4`` and ``ipv6`` are the addresses to try, in numeric order;
    ``unusable`` holds the rest of the AAAA.

    ``written`` is the target's own name where the search list of resolv.conf completed it to
    ``name``; ``completed`` another name that programs of this host find by it. ``embedding``: the
    prefix under which every AAAA is an A, where nobody can tell whether a DNS64 made them up.
    """

    name: str
    origin: str
    a: Answer | Failure | None
    aaaa: Answer | Failure | None
    ipv4: tuple[Address, ...]
    ipv6: tuple[Address, ...]
    unusable: tuple[Unusable, ...] = ()
    written: str = ""
    completed: str = ""
    embedding: str = ""


async def addresses(target: Target, settings: Settings, net: Net) -> Addresses | Failure:
    """Resolve A and AAAA, both by the vantage's resolver; a Failure where that is out of reach."""
    host = target.host
    if target.literal and host == LOCALHOST["AAAA"]:
        # Who writes it means this host; a name that leads to it is a mistake.
        return Addresses(host, "literal", None, None, (), (host,))
    if target.literal:
        return _sorted_out(host, "literal", (host,), (), internal=settings.internal)
    given = settings.resolve.get(host)
    if given is not None:
        return _sorted_out(host, "resolve", *_families(given), internal=settings.internal)
    if host == "localhost" or host.endswith(".localhost"):
        # RFC 6761 section 6.3: never asked of the DNS, and its user means this host.
        return Addresses(host, "localhost", None, None, (LOCALHOST["A"],), (LOCALHOST["AAAA"],))
    return await _resolve(target, settings, net)


# --- which name ------------------------------------------------------------------------------


async def _resolve(target: Target, settings: Settings, net: Net) -> Addresses | Failure:
    """What the DNS has, else what programs of this host would find by other ways.

    glibc completes a name of few dots before it asks for it as it is. Here only a lone label is
    completed first: what has a dot is what it says to everybody else, where it exists.
    """
    host = target.host
    stub = Stub() if net.kernel is None else net.kernel.stub()
    # With a final dot it is whole (RFC 1034 section 3.1).
    whole = f"{host}." in target.text.lower()
    names = [] if whole else [f"{host}.{suffix}" for suffix in stub.search]
    alone = "." not in host
    if alone and (completed := await _first(names, settings, net)) is not None:
        return completed if isinstance(completed, Failure) else replace(completed, written=host)
    asked = await _published(host, settings, net)
    if isinstance(asked, Failure) or not _is_nothing(asked):
        return asked
    if net.kernel is not None and (entry := net.kernel.hosts_entry(host)):
        # Loopback and private addresses are what stands there.
        known = _sorted_out(host, "hosts", *_families(entry), internal=True)
        return replace(known, a=asked.a, aaaa=asked.aaaa)
    completed = None if alone else await _first(names, settings, net)
    if completed is None or isinstance(completed, Failure):
        return asked
    if host.count(".") < stub.ndots:
        return replace(completed, written=host)
    return replace(asked, completed=completed.name)


async def _first(names: Iterable[str], settings: Settings, net: Net) -> Addresses | Failure | None:
    """The first of these names that has an address, None where none has."""
    for name in names:
        published = await _published(name, settings, net)
        if isinstance(published, Failure) or _has_records(published.aaaa, published.a):
            return published
    return None


def _is_nothing(asked: Addresses) -> bool:
    """Whether the DNS says that there is no such name, or nothing of it."""
    answered = isinstance(asked.aaaa, Answer) and isinstance(asked.a, Answer)
    return answered and not _has_records(asked.aaaa, asked.a)


def _has_records(*answers: Answer | Failure | None) -> bool:
    return any(isinstance(answer, Answer) and answer.records for answer in answers)


def _records(answer: Answer | Failure) -> tuple[str, ...]:
    return answer.records if isinstance(answer, Answer) else ()


def _families(given: Iterable[str]) -> tuple[list[str], list[str]]:
    known = list(given)
    ipv6 = [address for address in known if is_ipv6(address)]
    return ipv6, [address for address in known if not is_ipv6(address)]


# --- what is published, and what the resolver made of it -------------------------------------


async def _published(host: str, settings: Settings, net: Net) -> Addresses | Failure:
    aaaa, a = await _ask_both(host, net)
    for _ in range(_AGAIN if settings.brief else 0):
        # Of a long list the questions wait for each other, here and at the resolver: that is no
        # lateness of the name's. What its own servers do slowly is slow again, or in the cache.
        if not _is_late(aaaa, a):
            break
        again = await _ask_both(host, net)
        aaaa, a = again if _answered(*again) else (aaaa, a)
    if fault := await _unusable_resolver(host, aaaa, a, net) or await _invented(aaaa, net):
        asked = "the name server" if settings.nameservers else "this network's resolver"
        return Failure(Kind.RESOLVER_UNREACHABLE, f"{asked} {fault}")
    ipv6, ipv4 = _records(aaaa), _records(a)
    prefixes = await net.resolver.pref64() if ipv6 else ()
    suspect = _suspect(ipv6, ipv4, prefixes)
    made_up = await net.resolver.aaaa_made_up() if suspect else ()
    if suspect and made_up and all(_is_under(address, suspect) for address in made_up):
        prefixes, suspect = (*prefixes, suspect), ""
    sorted_out = _sorted_out(host, "dns", ipv6, ipv4, prefixes, internal=settings.internal)
    return replace(sorted_out, a=a, aaaa=aaaa, embedding=suspect if made_up is None else "")


async def _ask_both(host: str, net: Net) -> Both:
    """Ask for AAAA and A back to back (RFC 8305 section 3), again for the one that is silent."""
    asking_a = asyncio.ensure_future(net.resolve(host, "A"))
    try:
        aaaa = await net.resolve(host, "AAAA")
        a = await asking_a
    finally:
        asking_a.cancel()
    if isinstance(a, Answer) and _is_silent(aaaa):
        aaaa = await net.resolve(host, "AAAA")
    elif isinstance(aaaa, Answer) and _is_silent(a):
        a = await net.resolve(host, "A")
    return aaaa, a


def _answered(aaaa: Answer | Failure, a: Answer | Failure) -> bool:
    return isinstance(aaaa, Answer) and isinstance(a, Answer)


def _is_late(aaaa: Answer | Failure, a: Answer | Failure) -> bool:
    """Whether AAAA came so long after A that somebody may judge it."""
    return _answered(aaaa, a) and aaaa.elapsed_ms - a.elapsed_ms > _LATE_MS


def _is_silent(answer: Answer | Failure) -> bool:
    """Whether it may be that a packet was lost, or the resolver away for a moment."""
    return isinstance(answer, Failure) and answer.kind in _SILENT


async def _unusable_resolver(
    host: str, aaaa: Answer | Failure, a: Answer | Failure, net: Net
) -> str:
    """Why the answers say nothing about the name; empty where they do.

    Silence or an error for one name is that name's.
    """
    for answer in (aaaa, a):
        if isinstance(answer, Failure) and answer.kind is Kind.RESOLVER_UNREACHABLE:
            return f"is out of reach: {answer.detail}"
    if blocked := _blocked(host, aaaa, a):
        return blocked
    if isinstance(aaaa, Failure) and isinstance(a, Failure):
        unserved = await _is_unserved(aaaa, a, net)
        return f"does not serve this host: {aaaa.detail}" if unserved else ""
    return await _withholding(a, net) if isinstance(a, Answer) and _lacks(aaaa) else ""


async def _withholding(a: Answer, net: Net) -> str:
    """How the resolver withholds AAAA of every name, or denies every name; empty where not.

    A zone's own server knows no other name, and of its own it is right.
    """
    if {*a.records} - UNSPECIFIED:
        withheld = await net.resolver.aaaa_withheld()
        return f"returns no AAAA for any name: {withheld.detail}" if withheld else ""
    if a.rcode == "NXDOMAIN" and not a.authoritative:
        denied = await net.resolver.root_denied()
        return f"returns NXDOMAIN for every name: {denied.detail}" if denied else ""
    return ""


async def _invented(aaaa: Answer | Failure, net: Net) -> str:
    """How the resolver invents AAAA: a name that has none gets them, too; empty where not."""
    if not _has_records(aaaa) or not isinstance(aaaa, Answer):
        return ""
    if not {*aaaa.records} <= {*await net.resolver.aaaa_of_all()}:
        return ""
    return f"invents AAAA records: {aaaa.records[0]} even for {WELL_KNOWN_NAME}, which has none"


def _lacks(aaaa: Answer | Failure) -> bool:
    """Whether AAAA is what a resolver that wants none could have made of it."""
    if isinstance(aaaa, Failure):
        return True
    return not ({*aaaa.records} - UNSPECIFIED or aaaa.unfinished)


async def _is_unserved(aaaa: Failure, a: Failure, net: Net) -> bool:
    if aaaa.kind is a.kind is Kind.DNS_REFUSED:
        return True
    return {aaaa.kind, a.kind} <= _NO_WORD and not await net.resolver.answers()


def _blocked(host: str, aaaa: Answer | Failure, a: Answer | Failure) -> str:
    """How the resolver blocks the name: by RFC 8914, or by answering ``::``; empty where not."""
    for answer in (aaaa, a):
        words = [error.text for error in answer.extended if error.code in _BLOCKED]
        if any(error.code in _BLOCKED for error in answer.extended) and not _is_own(answer):
            why = f' ("{words[0]}")' if words[0] else ""
            return f"blocks {'AAAA of ' if answer is aaaa and _has_records(a) else ''}{host}{why}"
    answered = [answer for answer in (aaaa, a) if _has_records(answer)]
    records = {record for answer in answered for record in _records(answer)}
    if records and records <= UNSPECIFIED and not any(map(_is_own, answered)):
        return f"blocks {host}: it answers {' and '.join(sorted(records, reverse=True))}"
    return ""


def _is_own(answer: Answer | Failure) -> bool:
    return isinstance(answer, Answer) and answer.authoritative


# --- which of them packets may go to ---------------------------------------------------------


def _suspect(ipv6: Iterable[str], ipv4: Iterable[str], prefixes: tuple[str, ...]) -> str:
    """The prefix under which every AAAA embeds an A, though this network announces it not."""
    published = [address for address in ipv6 if not _is_under_any(address, prefixes)]
    prefix = embedding(published, list(ipv4)) if published else None
    return prefix or ""


def _is_under(address: str, prefix: str) -> bool:
    return ipaddress.IPv6Address(address) in ipaddress.IPv6Network(prefix)


def _is_under_any(address: str, prefixes: tuple[str, ...]) -> bool:
    return any(_is_under(address, prefix) for prefix in prefixes)


def _sorted_out(
    host: str,
    origin: str,
    ipv6: Iterable[str],
    ipv4: Iterable[str],
    prefixes: tuple[str, ...] = (),
    *,
    internal: bool,
) -> Addresses:
    """Sort out what packets may go to, in an order that does not change from answer to answer."""
    published = sorted(set(ipv6), key=_number)
    reasons = [
        (address, _why_unusable(address, prefixes, internal=internal)) for address in published
    ]
    return Addresses(
        host,
        origin,
        None,
        None,
        ipv4=tuple(
            address
            for address in sorted(set(ipv4), key=_number)
            if usable_ipv4(address, internal=internal)
        ),
        ipv6=tuple(address for address, reason in reasons if reason is None),
        unusable=tuple(Unusable(address, reason) for address, reason in reasons if reason),
    )


def _number(address: str) -> int:
    return int(ipaddress.ip_address(address))


def _why_unusable(
    address: str, prefixes: tuple[str, ...], *, internal: bool
) -> SpecialPurpose | None:
    for prefix in prefixes:
        if _is_under(address, prefix):
            return SpecialPurpose(prefix, DNS64, "RFC 7050")
    return unusable_ipv6(address, internal=internal)
