"""Net: the one interface through which a vantage is used. Nothing else opens sockets."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Protocol, TypeVar

from ipv6check.model import (
    Answer,
    Attempt,
    Echo,
    Failure,
    Handshake,
    HostState,
    Listener,
    NameServer,
    Preference,
    RuleTexts,
    Stub,
    Vantage,
)

Value = TypeVar("Value")


class Net(Protocol):
    """What a vantage can do. Every call is pinned to one family and bounded in time and size.

    What one target learned of an address serves the next for a while; ``turns.OwnTime.renew`` asks
    for new facts. Waiting for a turn behind other targets takes no time of a target's own.
    """

    async def resolve(self, name: str, rdtype: str) -> Answer | Failure:
        """Ask the vantage's resolver one question."""
        ...

    async def resolver_answers(self) -> bool:
        """Whether the resolver answers anything at all, by now."""
        ...

    async def root_denied(self) -> Failure | None:
        """How the resolver denies every name, the root too; None where it does not.

        Asked once a run, and again after a while where it was amiss.
        """
        ...

    async def aaaa_withheld(self) -> Failure | None:
        """What the resolver does to every AAAA: how that of a name known to have one fails.

        None where it is answered, or where A of that name fails, too. To be asked only where a
        name's own AAAA failed; the question is sent at most once a run, unless it fails.
        """
        ...

    async def aaaa_made_up(self) -> tuple[str, ...] | None:
        """The AAAA that the resolver has for a name known to have A alone: a DNS64 makes them up.

        None where it does not know that name. To be asked only where AAAA look made up.
        """
        ...

    def stub(self) -> Stub:
        """How programs of the vantage resolve names; nothing where the user named a server."""
        ...

    def hosts_entry(self, name: str) -> tuple[str, ...]:
        """The addresses that programs of the vantage have for this name without asking anybody."""
        ...

    async def pref64(self) -> tuple[str, ...]:
        """The NAT64 prefixes of this network (RFC 7050). Asked at most once a run."""
        ...

    async def aaaa_of_all(self) -> tuple[str, ...]:
        """The AAAA that the resolver gives even a name that has none, by the question of pref64."""
        ...

    async def connect(self, address: str, port: int, *, once: bool = False) -> Attempt:
        """Make one TCP handshake with this address, and close it.

        What a lost packet or a router's moment may have spoiled is tried again, but for ``once``:
        then a single SYN has to do, as where clients are raced. The first race with an address
        and port is one of packets; others go as it is known to go.
        """
        ...

    async def tls(
        self,
        address: str,
        port: int,
        server_name: str = "",
        alpn: Sequence[str] = (),
        connected: Callable[[Attempt], None] = lambda _: None,
        *,
        once: bool = False,
    ) -> Handshake:
        """Make one TCP and one TLS handshake with this address, and close it.

        ``server_name`` is asked for (RFC 6066 section 3), empty for an address that has none;
        ``alpn`` are protocols to choose from (RFC 7301). ``connected`` hears when TCP is up and
        TLS begins. The certificate is not verified. ``once`` is that of ``connect``.
        """
        ...

    async def ping(self, address: str) -> Echo | Failure:
        """Send ICMP echo requests; a Failure where this host permits none."""
        ...

    async def controls_answer(self) -> bool:
        """Whether IPv6 works from here, by who answered in this run, or addresses known to be up.

        To be asked only where nothing of a target answered (law 1); the controls are sent to only
        where nobody who answered before does, and seldom. Attempts that were silent while a family
        was away are told as ``near`` without asking here.
        """
        ...

    async def control_opens(self, port: int, version: int) -> bool | None:
        """Whether a control of this port and IP version answers on it; None where there is none.

        To be asked only where the port is silent. Asked at most once a run.
        """
        ...

    def is_own(self, address: str) -> bool:
        """Whether this address is the vantage's own, by its kernel. Sends nothing."""
        ...

    async def listeners(self) -> tuple[Listener, ...] | Failure:
        """Every TCP socket of the vantage that listens and every UDP socket bound to a fixed port.

        By protocol, port and address. A Failure, kind ``permission``, where its kernel does not
        tell. Sends nothing.
        """
        ...

    async def host(self) -> HostState | Failure:
        """What the vantage's kernel says of itself. Sends nothing.

        A Failure, kind ``permission``, where it does not tell.
        """
        ...

    async def name_servers(self) -> tuple[NameServer, ...]:
        """Every name server that the vantage is configured with, asked one question each."""
        ...

    async def preference(self) -> Preference:
        """In which order getaddrinfo gives the addresses of a name that has both families.

        Those of a name on the Internet (RFC 6724 sorts by source address, too) where the resolver
        answers, else those of loopback; empty where getaddrinfo has no word to say. Only the
        resolver is asked.
        """
        ...

    async def rules(self) -> RuleTexts | Failure:
        """The firewall rules in force on the vantage. Sends nothing.

        A Failure, kind ``permission``, where they may not be read.
        """
        ...

    async def undisturbed(
        self, work: Callable[[], Coroutine[None, None, Value]], *, lasts: bool = True
    ) -> Value:
        """What the work returns, which keeps time: done where other targets take none of it.

        ``lasts``: there is something to wait for, so that timers count. What it connects to may go
        as it is known to go, without a packet.
        """
        ...

    def vantage(self) -> Vantage:
        """What this vantage can do, as far as it is known by now. Sends nothing."""
        ...

    def close(self) -> None:
        """Release every socket."""
        ...
