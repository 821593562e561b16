"""What a vantage offers: packets, its host's kernel, and what is known of its own network.

Nothing else of ipv6check opens sockets or asks a kernel. `net.local` is this host. A vantage
elsewhere needs the five methods of `Net`; its ``kernel`` is None where it has no host to look into.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

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
from ipv6check.net.timing_loop import TimingLoop


class HostKernel(Protocol):
    """The host that the vantage is, as its own programs see it. It sends nothing to a target."""

    def is_own(self, address: str) -> bool:
        """Whether the kernel has this address."""
        ...

    def source(self, destination: str) -> str:
        """The source address that the kernel takes towards a destination; empty without a way.

        Sends nothing.
        """
        ...

    async def listeners(self) -> tuple[Listener, ...] | Failure:
        """TCP sockets that listen and UDP sockets bound to a fixed port.

        Ordered by protocol, port and address. A Failure of kind ``permission`` where the kernel
        does not show them.
        """
        ...

    async def host(self) -> HostState | Failure:
        """Interfaces, routes to the Internet, and switches.

        A Failure of kind ``permission`` where the kernel does not show them.
        """
        ...

    async def rules(self) -> RuleTexts | Failure:
        """The firewall rules in force, as the commands print them that manage them.

        A Failure of kind ``permission`` where they may not be read.
        """
        ...

    def stub(self) -> Stub:
        """How programs resolve names (resolv.conf(5)); nothing where the user named a server."""
        ...

    def hosts_entry(self, name: str) -> tuple[str, ...]:
        """The addresses that hosts(5) has for a name; none where the user named a server."""
        ...

    async def name_servers(self) -> tuple[NameServer, ...]:
        """Every configured name server, asked one question each."""
        ...

    async def preference(self) -> Preference:
        """The order in which getaddrinfo returns the addresses of a name with both families.

        A name on the Internet where the resolver answers (RFC 6724 sorts by source address, too),
        else loopback; empty where getaddrinfo does not answer. Only the resolver is asked.
        """
        ...


class Uplink(Protocol):
    """Whether packets of the vantage reach the Internet and return, by IP version."""

    def vantage(self) -> Vantage:
        """What the vantage can do, as far as it is known by now. Sends nothing."""
        ...

    async def controls_answer(self) -> bool:
        """Whether IPv6 works from here, by who answered in this run, or addresses known to be up.

        To be asked only where nothing of a target answered (law 1); the controls are sent to only
        where nobody who answered before does, and seldom. Attempts that were silent while a family
        was away are marked ``near`` without asking here.
        """
        ...

    async def control_opens(self, port: int, version: int) -> bool | None:
        """Whether a control of this port and IP version answers on it; None where there is none.

        To be asked only where the port is silent. Asked at most once a run.
        """
        ...


class ResolverBehaviour(Protocol):
    """What the vantage's resolver does to every name alike, by names whose answers are known."""

    async def answers(self) -> bool:
        """Whether the resolver answers anything at all, by now."""
        ...

    async def root_denied(self) -> Failure | None:
        """How the resolver denies every name, the root too; None where it does not.

        Asked once a run, and again after a while where it failed.
        """
        ...

    async def aaaa_withheld(self) -> Failure | None:
        """How AAAA of a name known to have one fails.

        None where it is answered, or where A of that name fails, too. To be asked only where a
        name's own AAAA failed; the question is sent at most once a run, unless it fails.
        """
        ...

    async def aaaa_made_up(self) -> tuple[str, ...] | None:
        """The AAAA that the resolver has for a name known to have A alone: a DNS64 makes them up.

        None where it does not know that name. To be asked only where AAAA look made up.
        """
        ...

    async def pref64(self) -> tuple[str, ...]:
        """The NAT64 prefixes of this network (RFC 7050 section 3). Asked at most once a run."""
        ...

    async def aaaa_of_all(self) -> tuple[str, ...]:
        """The AAAA that the resolver gives even a name that has none, by the question of pref64."""
        ...


class Net(Protocol):
    """The packets that a vantage sends, each pinned to one family and bounded in time and size.

    What one target learned of an address serves the next for a while; ``OwnTime.renew`` asks for
    new facts. Waiting for a turn behind other targets takes no time of a target's own.

    ``timing_loop`` is where work is done that keeps time, None for the loop at hand.
    """

    @property
    def kernel(self) -> HostKernel | None:
        """The host itself, None for a vantage that cannot look into one."""
        ...

    @property
    def uplink(self) -> Uplink:
        """What is known of the way out."""
        ...

    @property
    def resolver(self) -> ResolverBehaviour:
        """What is known of the resolver that ``resolve`` asks."""
        ...

    @property
    def timing_loop(self) -> TimingLoop | None:
        """An event loop that other targets do not hold up."""
        ...

    async def resolve(self, name: str, rdtype: str) -> Answer | Failure:
        """Ask the vantage's resolver one question."""
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
        ``alpn`` are protocols to choose from (RFC 7301). ``connected`` is called when TCP is up
        and TLS begins. The certificate is not verified. ``once`` is that of ``connect``.
        """
        ...

    async def ping(self, address: str) -> Echo | Failure:
        """Send ICMP echo requests; a Failure where this host permits none."""
        ...

    def close(self) -> None:
        """Release every socket."""
        ...
