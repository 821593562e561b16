"""Waiting for a socket, with a deadline."""

from __future__ import annotations

import asyncio
import socket
from typing import Literal


async def ready(sock: socket.socket, to: Literal["read", "write"], timeout_s: float) -> bool:
    """Whether the socket is ready, or has failed, before the time is over.

    On a busy loop that notices the deadline late, what happened until then counts.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bool] = loop.create_future()
    add, remove = (
        (loop.add_reader, loop.remove_reader)
        if to == "read"
        else (loop.add_writer, loop.remove_writer)
    )

    def settle(value: bool) -> None:  # noqa: FBT001 - a callback's argument
        if not done.done():
            done.set_result(value)

    add(sock.fileno(), settle, True)  # noqa: FBT003
    timer = loop.call_later(timeout_s, settle, False)  # noqa: FBT003
    try:
        return await done
    finally:
        timer.cancel()
        remove(sock.fileno())
