"""Bounds on what is in flight: waiting for a place never counts as waiting for the network."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from ipv6check.net.own_time import own_time


class KeyedLimit:
    """At most ``places`` at once for each key. Keys that nobody uses take no memory."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._inside: dict[str, int] = {}
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def place(self, key: str) -> AsyncIterator[None]:
        """Hold one place of this key."""
        await self.enter(key)
        try:
            yield
        finally:
            self.leave(key)

    async def enter(self, key: str) -> None:
        """Take a place, in order of arrival."""
        inside = self._inside.get(key, 0)
        if inside < self._places:
            self._inside[key] = inside + 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue = self._queues.setdefault(key, deque())
        queue.append(turn)
        try:
            with own_time().paused():
                await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(key)
            raise

    def leave(self, key: str) -> None:
        """Give the place to the next in the queue, or back."""
        queue = self._queues.get(key)
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._queues.pop(key, None)
        self._inside[key] -= 1
        if not self._inside[key]:
            del self._inside[key]


class Limit(asyncio.Semaphore):
    """At most so many at once; waiting for one takes none of a target's own time."""

    async def acquire(self) -> Literal[True]:
        """Take a place, in order of arrival."""
        if not self.locked():
            return await super().acquire()
        with own_time().paused():
            return await super().acquire()


class SocketLimits:
    """How many sockets may be open at once, in all and for each address, in one event loop."""

    def __init__(self, sockets: int, per_address: int) -> None:
        self._sockets = Limit(sockets)
        self.per_address = KeyedLimit(per_address)

    @asynccontextmanager
    async def place(self, address: str) -> AsyncIterator[None]:
        """Hold a place, to open a socket to this address."""
        await self.per_address.enter(address)
        try:
            async with self._sockets:
                yield
        finally:
            self.per_address.leave(address)
