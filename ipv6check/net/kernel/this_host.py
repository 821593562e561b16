"""This host, as its kernel and its configuration have it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from ipv6check.model import (
    Failure,
    HostState,
    Listener,
    NameServer,
    Preference,
    RuleTexts,
    Stub,
    is_ipv6,
)
from ipv6check.net.dns import resolvconf
from ipv6check.net.dns.control_names import A_MOMENT_S, BOTH_FAMILIES, serves
from ipv6check.net.dns.pairs import loses_second
from ipv6check.net.dns.resolvconf import Server
from ipv6check.net.dns.resolver import Resolver
from ipv6check.net.kernel import interfaces, rules, sockets
from ipv6check.net.shared import SharedQuestion
from ipv6check.net.uplink import ROUTE_PROBE
from ipv6check.net.wait import settle


class ThisHost:
    """What the kernel and the files of this host say; sockets and rules are read once.

    ``stub``: how its programs resolve names, None where the user named a server to ask instead.
    ``resolver_answers``: whether the name server that is asked answers anything by now.
    """

    def __init__(
        self,
        stub: Stub | None,
        timeout_s: float,
        resolver_answers: Callable[[], Awaitable[bool]],
    ) -> None:
        self._stub = stub
        self._timeout_s = timeout_s
        self._resolver_answers = resolver_answers
        self._listeners = SharedQuestion(self._read_listeners)
        self._rules = SharedQuestion(self._read_rules)

    def is_own(self, address: str) -> bool:
        """Whether this address is this host's own, by its kernel's choice of a source."""
        return interfaces.is_own(address)

    def source(self, destination: str) -> str:
        """The source of a socket that is connected to it (RFC 6724 section 5)."""
        return interfaces.source_towards(destination)

    async def listeners(self) -> tuple[Listener, ...] | Failure:
        """TCP sockets that listen and UDP sockets bound to a fixed port (sock_diag(7))."""
        return await self._listeners.answer()

    async def host(self) -> HostState | Failure:
        """Interfaces, routes to the Internet, and switches (rtnetlink(7))."""
        return await asyncio.to_thread(interfaces.state, *ROUTE_PROBE.values())

    async def rules(self) -> RuleTexts | Failure:
        """What nft and ip6tables-save print here."""
        return await self._rules.answer()

    def stub(self) -> Stub:
        """What resolv.conf has besides name servers."""
        return self._stub or Stub()

    def hosts_entry(self, name: str) -> tuple[str, ...]:
        """What /etc/hosts has."""
        return () if self._stub is None else resolvconf.hosts_entry(name)

    async def name_servers(self) -> tuple[NameServer, ...]:
        """Every name server of resolv.conf that any program asks, asked for the root."""
        servers = resolvconf.upstream_servers()
        return tuple(await asyncio.gather(*(self._ask_server(server) for server in servers)))

    async def preference(self) -> Preference:
        """The addresses of a name that has both families, as getaddrinfo sorts them."""
        missing = ""
        if await self._resolver_answers():
            addresses = await self._sorted(BOTH_FAMILIES)
            if addresses is not None and _are_both(addresses):
                return Preference(addresses)
            missing = self._why_not(addresses)
        loopback = await self._sorted(None) or ()
        return Preference(loopback if _are_both(loopback) else (), missing)

    def close(self) -> None:
        """Wait for no answer any more."""
        self._listeners.close()
        self._rules.close()

    async def _read_listeners(self) -> tuple[Listener, ...] | Failure:
        return await asyncio.to_thread(sockets.listening)

    async def _read_rules(self) -> RuleTexts | Failure:
        return await asyncio.to_thread(rules.live_rules)

    def _why_not(self, addresses: Sequence[str] | None) -> str:
        """Why getaddrinfo returns not both; empty for a name that the resolver does not have."""
        if addresses is None:
            return f"getaddrinfo did not answer for {BOTH_FAMILIES} in {self._timeout_s:g} s"
        if not addresses:
            return ""
        only = f"getaddrinfo returned only {', '.join(addresses)} for {BOTH_FAMILIES}"
        return f"{only}, no address of the other family"

    async def _ask_server(self, server: Server) -> NameServer:
        """One question about the root. Who refuses it has answered; who fails at it serves none."""
        use_vc = self.stub().use_vc
        resolver = Resolver([server], self._timeout_s, use_vc=use_vc)
        try:
            answer = await resolver.ask("", "NS")
        finally:
            resolver.close()
        if isinstance(answer, Failure) and not serves(answer):
            return NameServer(server[0], answer)
        alone = self.stub().single_request or use_vc
        wait_s = min(self._timeout_s, A_MOMENT_S)
        lost = not alone and await loses_second(server, BOTH_FAMILIES, wait_s)
        return NameServer(server[0], loses_second=lost)

    async def _sorted(self, name: str | None) -> tuple[str, ...] | None:
        """The order of getaddrinfo, called in a thread that nobody has to wait for.

        None where it takes too long.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[tuple[str, ...]] = loop.create_future()

        def ask() -> None:
            addresses = interfaces.order(name)
            # Nobody waits any more, and the loop may be closed.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, done, addresses)

        threading.Thread(target=ask, name="getaddrinfo", daemon=True).start()
        try:
            return await asyncio.wait_for(done, self._timeout_s)
        except TimeoutError:
            return None


def _are_both(addresses: Sequence[str]) -> bool:
    return len({is_ipv6(address) for address in addresses}) > 1
