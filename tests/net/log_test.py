"""What --debug shows of the network: a line an exchange, and nothing where nobody listens."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from unittest.mock import patch

import pytest

from ipv6check.net import log, tcp, tls
from ipv6check.net.dns.resolver import Resolver
from ipv6check.net.tls import TlsPeer
from tests.net.dns_server import DnsServer, address_of, reply


async def exchanges() -> None:
    """A question, one that fails, a connection, a refusal, and TLS with who does not speak it."""
    async with DnsServer(lambda query: address_of(query, "2001:db8::1")) as server:
        resolver = Resolver([server.address], 1)
        await resolver.ask("www.example", "AAAA")
        resolver.close()
    async with DnsServer(lambda query: reply(query, rcode="SERVFAIL")) as server:
        resolver = Resolver([server.address], 1)
        await resolver.ask("www\\007.example", "A")
        resolver.close()
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
        await tcp.connect("::1", port, 1)
        await tls.handshake(TlsPeer("::1", port, "www.example"), 0.2, lambda _: None, once=True)
    await tcp.connect("127.0.0.1", port, 1)


def test_each_exchange_is_a_line(caplog: pytest.LogCaptureFixture) -> None:
    """What went to whom, what came back, and after how long."""
    with caplog.at_level(logging.DEBUG, "ipv6check.net"):
        asyncio.run(exchanges())
    ports = re.compile(r"(127.0.0.1 port|\]|127.0.0.1):? ?\d+")
    lines = [ports.sub(r"\1", line).rpartition(" (")[0] for line in caplog.messages]
    assert lines == [
        "AAAA of www.example to 127.0.0.1 port: NOERROR, 1 record from 127.0.0.1 port",
        "A of www\\007.example to 127.0.0.1 port: SERVFAIL from 127.0.0.1 port",
        "SYN to [::1]: SYN, ACK",
        "SYN to [::1]: SYN, ACK",
        "ClientHello for www.example to [::1]: no TLS in 0.2 s",
        "SYN to 127.0.0.1: Connection refused",
    ]


def test_what_came_from_elsewhere_is_escaped(caplog: pytest.LogCaptureFixture) -> None:
    """No control character reaches a terminal."""
    with caplog.at_level(logging.DEBUG, "ipv6check.net"):
        log.exchange("AAAA of a\x1b[2J", "b\n", "c\u202e", 1.0)
    assert caplog.messages == [r"AAAA of a\x1b[2J to b\x0a: c\u202e (1.0 ms)"]


def test_nothing_is_put_together_where_nobody_listens() -> None:
    """Off, an exchange costs one question to the logger."""
    with patch.object(log, "exchange") as exchange:
        asyncio.run(exchanges())
    assert not log.enabled()
    exchange.assert_not_called()
