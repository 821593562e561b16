"""Name servers of a resolver, and what a run has learned of each: UDP, TCP, EDNS (RFC 6891)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import inf

from ipv6check.net import clock
from ipv6check.net.dns import messages
from ipv6check.net.dns.datagrams import Channel, Question
from ipv6check.net.dns.resolvconf import Server

# How often EDNS is met with silence, and its absence with an answer, before it is left out.
_ENOUGH = 3
# How long a resolver that has gone is waited for, by timeouts.
_HOLD = 2


class Servers:
    """Sockets to the name servers, by which they answer, and when anything was last heard."""

    def __init__(self, addresses: Sequence[Server], timeout_s: float, *, use_vc: bool) -> None:
        self.addresses = tuple(addresses)
        self.streams = set(addresses) if use_vc else set()
        self.without_tcp: set[Server] = set()
        self.channels: dict[Server, Channel] = {}
        self._hold_s = _HOLD * timeout_s
        self._heard_at = -inf
        self._over_udp: set[Server] = set()
        self._with_edns: set[Server] = set()
        self._without: Counter[Server] = Counter()

    def heard(self, server: Server, *, tcp: bool = False) -> None:
        """Note that something came back from this server."""
        self._heard_at = clock.now_s()
        if not tcp:
            self._over_udp.add(server)

    def heard_since(self, when: float) -> bool:
        """Whether any server has said anything since, to whatever question."""
        return self._heard_at >= when

    @property
    def held_until(self) -> float:
        """Until when to wait for a resolver that was here, and says nothing any more."""
        return self._heard_at + self._hold_s

    def has_answered(self, server: Server) -> bool:
        """Whether it has ever answered over UDP."""
        return server in self._over_udp

    def prefer_tcp(self, server: Server) -> None:
        """Ask this server over TCP from now on, unless it has ever answered over UDP."""
        if server not in self._over_udp:
            self.streams.add(server)

    def learn_edns(self, server: Server, *, edns: bool) -> None:
        """Note an answer to a query with EDNS, or without."""
        if edns:
            self._with_edns.add(server)
        else:
            self._without[server] += 1

    def forbid_edns(self, server: Server) -> None:
        """Note that it refuses queries with EDNS."""
        self._without[server] = _ENOUGH

    def takes_edns(self, server: Server) -> bool | None:
        """Whether EDNS is answered, None while nobody knows."""
        if server in self._with_edns:
            return True
        return False if self._without[server] >= _ENOUGH else None

    def send(self, server: Server, question: Question, *, edns: bool) -> None:
        """Send a question over UDP.

        Raises OSError where this host's kernel does not send. The next one gets another socket: it
        may be that the address has gone which was the source of this.
        """
        wire = question.wire if edns else messages.without_edns(question.wire)
        try:
            channel = self.channels.get(server)
            if channel is None:
                channel = self.channels[server] = Channel(server, self.heard)
            channel.send(question, wire, edns=edns)
        except OSError:
            broken = self.channels.pop(server, None)
            if broken is not None:
                broken.close()
            raise

    def close(self) -> None:
        """Close every socket."""
        for channel in self.channels.values():
            channel.close()
        self.channels.clear()
