"""One DNS question over TCP, on a connection of its own (RFC 7766)."""

from __future__ import annotations

import asyncio
import random
import socket
import struct

from ipv6check.model import is_ipv6
from ipv6check.net.dns.datagrams import sockaddr
from ipv6check.net.dns.resolvconf import Server

_LENGTH = struct.Struct("!H")


async def exchange(server: Server, wire: bytes, timeout_s: float) -> bytes:
    """What comes back for this query; other messages on the connection are passed over.

    Raises TimeoutError, OSError, or EOFError where the connection ends before that.
    """
    family = socket.AF_INET6 if is_ipv6(server[0]) else socket.AF_INET
    number = random.getrandbits(16).to_bytes(2, "big")
    message = number + wire[2:]
    loop = asyncio.get_running_loop()
    with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
        async with asyncio.timeout(timeout_s):
            await loop.sock_connect(sock, sockaddr(server))
            await loop.sock_sendall(sock, _LENGTH.pack(len(message)) + message)
            while True:
                (length,) = _LENGTH.unpack(await _octets(sock, _LENGTH.size))
                answer = await _octets(sock, length)
                if answer[:2] == number or length < len(number):
                    return answer


async def _octets(sock: socket.socket, number: int) -> bytes:
    loop = asyncio.get_running_loop()
    read = b""
    while len(read) < number:
        more = await loop.sock_recv(sock, number - len(read))
        if not more:
            raise EOFError("the connection ended")
        read += more
    return read
