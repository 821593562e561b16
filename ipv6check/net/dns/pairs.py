"""A and AAAA queries at once from one port, as getaddrinfo sends them; some NATs lose one."""

from __future__ import annotations

import asyncio

import dns.name
import dns.rdatatype

from ipv6check.net.dns import messages
from ipv6check.net.dns.datagrams import Channel, Question
from ipv6check.net.dns.resolvconf import Server

_ROUNDS = 3
_FAMILIES = ("A", "AAAA")


async def loses_second(server: Server, name: str, wait_s: float) -> bool:
    """Whether, of A and AAAA asked at once, one is answered each time, and the other alone is."""
    missing: set[str] = set()
    for _ in range(_ROUNDS):
        missing = set(_FAMILIES) - await _answered(server, name, _FAMILIES, wait_s)
        if len(missing) != 1:
            return False
    return bool(await _answered(server, name, tuple(missing), wait_s))


async def _answered(server: Server, name: str, rdtypes: tuple[str, ...], wait_s: float) -> set[str]:
    """Which of these types are answered, sent once and back to back from one new port."""
    asked = dns.name.from_text(name)
    questions = {
        rdtype: Question(
            name, asked, dns.rdatatype.RdataType[rdtype], messages.query(asked, rdtype)
        )
        for rdtype in rdtypes
    }
    try:
        channel = Channel(server, lambda _: None)
    except OSError:
        return set()
    try:
        for question in questions.values():
            channel.send(question, question.wire, edns=True)
        until = asyncio.get_running_loop().time() + wait_s
        waits = (question.next_reply(until) for question in questions.values())
        replies = await asyncio.gather(*waits)
    except OSError:
        return set()
    finally:
        channel.close()
    return {
        rdtype
        for rdtype, reply in zip(questions, replies, strict=True)
        if reply is not None and reply.failure is None
    }
