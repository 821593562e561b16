"""The vantage's own resolver: what it answers, and what it does to every name alike (law 1)."""

from __future__ import annotations

import asyncio
import threading
from asyncio import Task
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from math import inf
from typing import Any, TypeVar

from ipv6check.model import Answer, Failure, Kind, NameServer, Preference, Stub
from ipv6check.net.dns import nat64, resolvconf
from ipv6check.net.dns.datagrams import Server
from ipv6check.net.dns.pairs import loses_second
from ipv6check.net.dns.resolver import Resolver
from ipv6check.net.kernel import interfaces
from ipv6check.net.special_addresses import UNSPECIFIED
from ipv6check.net.wait import settle

Value = TypeVar("Value")
Ask = Callable[[], Coroutine[None, None, Value]]

# Known to have A alone, by its purpose: who has AAAA for it makes them up.
IPV4_ONLY = "ipv4.google.com"
# What blocking resolvers answer.
# How long that a resolver answers, or does not, is taken for so.
_A_MOMENT_S = 1.0
_A_WHILE_S = 5.0


class Names:
    """Asks the resolver, and asks it what tells its own faults from those of a name.

    ``nameservers``: those that the user named, none for what this host is configured with.
    """

    def __init__(self, nameservers: Sequence[Server], timeout_s: float) -> None:
        conf = resolvconf.read()
        self.stub = Stub() if nameservers else conf.stub
        self.resolver = Resolver(nameservers or conf.servers, timeout_s, use_vc=self.stub.use_vc)
        self._given = bool(nameservers)
        self._timeout_s = timeout_s
        self._known: dict[str, tuple[float, Task[Any]]] = {}

    async def ask(self, name: str, rdtype: str) -> Answer | Failure:
        """Ask one question."""
        if rdtype == "AAAA":
            # Whoever asks for AAAA will want to know which of them are the network's own.
            self._task(self._ask_ipv4only_arpa, inf)
        return await self.resolver.ask(name, rdtype)

    async def answers(self) -> bool:
        """Whether a name server answers for the root, which every resolver knows, by now.

        A resolver without an uplink says SERVFAIL to that, too; one that refuses it is well.
        """
        return await asyncio.shield(self._task(self._ask_root, _A_MOMENT_S))

    async def withheld(self) -> Failure | None:
        """How AAAA of a name that has one fails where A is answered; None where that is well."""
        return await self._once(self._ask_both_families, lambda found: found is None)

    async def denied(self) -> Failure | None:
        """How the resolver denies that the very root exists; None where it does not."""
        return await self._once(self._ask_whether_denied, lambda found: found is None)

    async def made_up(self) -> tuple[str, ...] | None:
        """The AAAA of a name that has A alone; None where the resolver does not know that name."""
        return await self._once(self._ask_ipv4_only, lambda found: found is not None)

    async def pref64(self) -> tuple[str, ...]:
        """The NAT64 prefixes that this network's DNS64 adds (RFC 7050 section 3)."""
        return nat64.prefixes(await self._ipv4only_arpa())

    async def aaaa_of_all(self) -> tuple[str, ...]:
        """The AAAA that the resolver gives even a name that has none, and no DNS64 makes."""
        return nat64.unexplained(await self._ipv4only_arpa())

    def hosts_entry(self, name: str) -> tuple[str, ...]:
        """What /etc/hosts has; nothing where the user named a server to ask."""
        return () if self._given else resolvconf.hosts_entry(name)

    async def name_servers(self) -> tuple[NameServer, ...]:
        """Every name server of resolv.conf that anybody asks, asked for the root."""
        asked = (self._ask_server(server) for server in resolvconf.upstream_servers())
        return tuple(await asyncio.gather(*asked))

    async def preference(self) -> Preference:
        """The addresses of a name that has both families, as getaddrinfo sorts them."""
        missing = ""
        if await self.answers():
            found = await self._sorted(interfaces.BOTH_FAMILIES)
            if found is not None and _are_both(found):
                return Preference(found)
            missing = self._why_not(found)
        inside = await self._sorted(None) or ()
        return Preference(inside if _are_both(inside) else (), missing)

    def _why_not(self, found: tuple[str, ...] | None) -> str:
        """Why getaddrinfo gives not both; nothing of a name that the resolver does not have."""
        name = interfaces.BOTH_FAMILIES
        if found is None:
            return f"getaddrinfo has no answer for {name} in {self._timeout_s:g} s"
        if not found:
            return ""
        return f"getaddrinfo has {', '.join(found)} for {name}, and nothing of the other family"

    def close(self) -> None:
        """Release every socket."""
        for _, task in self._known.values():
            task.cancel()
        self.resolver.close()

    def _task(self, ask: Ask[Value], keep_s: float) -> Task[Value]:
        """The task that asks this: under way, ended so short a while ago, or a new one."""
        loop = asyncio.get_running_loop()
        name = getattr(ask, "__name__", "")
        began, task = self._known.get(name, (-inf, None))
        if task is None or (task.done() and loop.time() - began > keep_s):
            task = loop.create_task(ask())
            self._known[name] = loop.time(), task
        return task

    async def _once(self, ask: Ask[Value], is_well: Callable[[Value], bool]) -> Value:
        """What is asked once a run, and again after a while where something was amiss."""
        found = await asyncio.shield(self._task(ask, inf))
        return found if is_well(found) else await asyncio.shield(self._task(ask, _A_WHILE_S))

    async def _ask_root(self) -> bool:
        return _is_there(await self.resolver.ask("", "NS"))

    async def _ask_both_families(self) -> Failure | None:
        name = interfaces.BOTH_FAMILIES
        aaaa = await self.resolver.ask(name, "AAAA")
        if _has_address(aaaa):
            return None
        if not _has_address(await self.resolver.ask(name, "A")):
            return None  # a server that knows nothing of it, such as a zone's own
        said = aaaa.detail if isinstance(aaaa, Failure) else _said(aaaa)
        return Failure(Kind.RESOLVER_UNREACHABLE, f"no AAAA of {name} either: {said}")

    async def _ask_whether_denied(self) -> Failure | None:
        root = await self.resolver.ask("", "NS")
        if not isinstance(root, Answer) or root.rcode != "NXDOMAIN":
            return None
        return Failure(Kind.RESOLVER_UNREACHABLE, f"{_said(root)} for the root, too")

    async def _ask_ipv4_only(self) -> tuple[str, ...] | None:
        a = await self.resolver.ask(IPV4_ONLY, "A")
        aaaa = await self.resolver.ask(IPV4_ONLY, "AAAA")
        known = _has_address(a) and isinstance(aaaa, Answer)
        return aaaa.records if known and isinstance(aaaa, Answer) else None

    async def _ipv4only_arpa(self) -> tuple[str, ...]:
        return await self._once(self._ask_ipv4only_arpa, lambda found: found is not None) or ()

    async def _ask_ipv4only_arpa(self) -> tuple[str, ...] | None:
        answer = await self.resolver.ask(nat64.WELL_KNOWN_NAME, "AAAA")
        return answer.records if isinstance(answer, Answer) else None

    async def _ask_server(self, server: Server) -> NameServer:
        """One question about the root. Who refuses it has answered; who fails at it serves none."""
        resolver = Resolver([server], self._timeout_s, use_vc=self.stub.use_vc)
        try:
            answer = await resolver.ask("", "NS")
        finally:
            resolver.close()
        if isinstance(answer, Failure) and not _is_there(answer):
            return NameServer(server[0], answer)
        alone = self.stub.single_request or self.stub.use_vc
        wait_s = min(self._timeout_s, _A_MOMENT_S)
        lost = not alone and await loses_second(server, interfaces.BOTH_FAMILIES, wait_s)
        return NameServer(server[0], loses_second=lost)

    async def _sorted(self, name: str | None) -> tuple[str, ...] | None:
        """Ask getaddrinfo, in a thread that nobody has to wait for: it takes its time.

        None where it takes too much.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[tuple[str, ...]] = loop.create_future()

        def ask() -> None:
            found = interfaces.order(name)
            # Nobody waits any more, and the loop may be closed.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, done, found)

        threading.Thread(target=ask, name="getaddrinfo", daemon=True).start()
        try:
            return await asyncio.wait_for(done, self._timeout_s)
        except TimeoutError:
            return None


def _is_there(answer: Answer | Failure) -> bool:
    return isinstance(answer, Answer) or answer.kind is Kind.DNS_REFUSED


def _are_both(addresses: Sequence[str]) -> bool:
    return len({":" in address for address in addresses}) > 1


def _has_address(answer: Answer | Failure) -> bool:
    return isinstance(answer, Answer) and bool({*answer.records} - UNSPECIFIED)


def _said(answer: Answer) -> str:
    return " ".join((answer.rcode, *answer.records[:1], "from", answer.nameserver))
