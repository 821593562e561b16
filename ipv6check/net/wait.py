"""Waiting for sockets, with a deadline."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Literal, TypeVar

Value = TypeVar("Value")
Direction = Literal["read", "write"]


async def ready(sock: socket.socket, to: Direction, timeout_s: float) -> bool:
    """Whether the socket is ready, or has failed, before the time is over."""
    return await first_ready((sock,), to, timeout_s) is not None


async def first_ready(
    socks: Sequence[socket.socket], to: Direction, timeout_s: float
) -> socket.socket | None:
    """Whichever is ready or has failed first, None where the time is over before.

    On a busy loop that notices the deadline late, what happened until then counts.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[socket.socket | None] = loop.create_future()
    add, remove = (
        (loop.add_reader, loop.remove_reader)
        if to == "read"
        else (loop.add_writer, loop.remove_writer)
    )

    def settle(sock: socket.socket | None) -> None:
        if not done.done():
            done.set_result(sock)

    for sock in socks:
        add(sock.fileno(), settle, sock)
    timer = loop.call_later(timeout_s, settle, None)
    try:
        return await done
    finally:
        timer.cancel()
        for sock in socks:
            remove(sock.fileno())


def settle(future: asyncio.Future[Value], value: Value) -> None:
    """Set the result of a future, unless it is done or cancelled."""
    if not future.done():
        future.set_result(value)
