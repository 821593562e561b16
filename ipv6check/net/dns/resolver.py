"""Stub resolver that hides nothing: servers in turn, one answer with its time (RFC 1034, 5.3.1).

A question is asked again until its time is over. A server that says no is not asked again; silence,
an ICMP error or a kernel that does not send may pass in a moment, and end nothing by themselves.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace

import dns.exception
import dns.name
import dns.rdatatype

from ipv6check.model import Answer, Failure, Kind
from ipv6check.net import clock, log
from ipv6check.net.dns import messages, streams
from ipv6check.net.dns.datagrams import Question, Reply, place
from ipv6check.net.dns.resolvconf import Server
from ipv6check.net.dns.servers import Servers
from ipv6check.net.limits import Limit
from ipv6check.net.own_time import patience_s

# Where one packet of five is lost, one question of 15,000 is left without an answer.
SENDS = 6
IN_FLIGHT = 100
# Resolvers take few connections at a time (Unbound 10, dnsmasq 20).
STREAMS = 8
# By timeouts: after so long without a word from any server a question is given little time.
_PATIENCE = 3


class Resolver:
    """Queries name servers in turn, over UDP, and over TCP what was truncated (RFC 7766).

    ``use_vc``: over TCP alone, as resolv.conf(5) may say.
    """

    def __init__(
        self, servers: Sequence[Server], timeout_s: float, *, use_vc: bool = False
    ) -> None:
        self.servers = Servers(servers, timeout_s, use_vc=use_vc)
        self._timeout_s = timeout_s
        self._places = Limit(IN_FLIGHT)
        self._streams = Limit(STREAMS)
        self._silent_since: float | None = None
        self._liveness: asyncio.Task[Answer | Failure] | None = None

    async def ask(self, name: str, rdtype: str) -> Answer | Failure:
        """Ask one question; SERVFAIL, REFUSED and silence move on to the next name server."""
        try:
            asked = dns.name.from_text(name)
            wire = messages.query(asked, rdtype)
        except (dns.exception.DNSException, UnicodeError) as error:
            return Failure(Kind.DNS_ERROR, f"{name} is not a valid DNS name: {error}")
        question = Question(name, asked, dns.rdatatype.RdataType[rdtype], wire)
        over_tcp = self.servers.streams.issuperset(self.servers.addresses)
        async with self._streams if over_tcp else self._places:
            asking = _Asking(self, question, patience_s(self._limit_s()))
            answer = await asking.answer()
            if isinstance(answer, Failure) and answer.kind is Kind.SERVFAIL and not answer.dnssec:
                answer = await self._unchecked(question, answer, asking.left_s)
        self._note(answer)
        if log.enabled():
            servers = ", ".join(map(place, self.servers.addresses))
            came = answer if isinstance(answer, Failure) else messages.summary(answer)
            log.exchange(f"{rdtype} of {name or '.'}", servers, came, answer.elapsed_ms)
        return answer

    def close(self) -> None:
        """Close every socket."""
        if self._liveness is not None:
            self._liveness.cancel()
        self.servers.close()

    def check_liveness(self) -> None:
        """Ask for the root, which every resolver knows, to see whether it answers anything."""
        if self._liveness is None or self._liveness.done():
            wire = messages.query(dns.name.root, "NS")
            question = Question(".", dns.name.root, dns.rdatatype.NS, wire)
            asking = _Asking(self, question, self._timeout_s / 2, liveness=True)
            self._liveness = asyncio.get_running_loop().create_task(asking.answer())

    def _limit_s(self) -> float:
        """The time of one question: little where no server has said anything for long."""
        since = self._silent_since
        patient = since is None or clock.now_s() - since < _PATIENCE * self._timeout_s
        return self._timeout_s if patient else self._timeout_s / SENDS

    def _note(self, answer: Answer | Failure) -> None:
        if isinstance(answer, Answer) or answer.kind is not Kind.RESOLVER_UNREACHABLE:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = clock.now_s()

    async def _unchecked(
        self, question: Question, failure: Failure, left_s: float
    ) -> Answer | Failure:
        """SERVFAIL that CD turns into an answer is a failed validation (RFC 4035 section 4.9.3).

        Unless it was a moment's trouble: then the question itself is answered by now.
        """
        if left_s <= 0:
            return failure
        unchecked = question.again(messages.without_checking(question.wire))
        if isinstance(await _Asking(self, unchecked, left_s / 2).answer(), Failure):
            return failure
        again = await _Asking(self, question.again(question.wire), left_s / 2).answer()
        if isinstance(again, Answer):
            return again
        if again.kind is not Kind.SERVFAIL:
            return failure
        detail = f"{failure.detail}, and an answer where DNSSEC is not checked: validation fails"
        return replace(failure, detail=detail, dnssec=True)


class _Asking:
    """Question under way, from its first transmission to the end of its time."""

    def __init__(
        self, resolver: Resolver, question: Question, limit_s: float, *, liveness: bool = False
    ) -> None:
        self._resolver = resolver
        self._servers = resolver.servers
        self._addresses = resolver.servers.addresses
        self._question = question
        self._is_liveness = liveness
        self._limit_s = limit_s
        self._began = clock.now_s()
        self._deadline = self._began + limit_s
        # Whose no is final, and who may be away for a moment only.
        self._failures: dict[Server, Failure] = {}
        self._away: dict[Server, Failure] = {}
        self._sends: Counter[Server] = Counter()
        self._plain: set[Server] = set()
        self._streams: dict[Server, asyncio.Task[None]] = {}

    @property
    def left_s(self) -> float:
        """What is left of its time."""
        return max(self._deadline - clock.now_s(), 0.0)

    async def answer(self) -> Answer | Failure:
        """The first answer of any server, else why there is none."""
        slot_s = self._limit_s / max(SENDS, len(self._addresses))
        waiting = deque(self._addresses)
        try:
            while waiting and (clock.now_s() < self._deadline or self._is_held()):
                server = waiting.popleft()
                if server in self._failures:
                    continue
                self._look_further()
                answer = await self._turn(server, min(clock.now_s() + slot_s, self._deadline))
                if answer is not None:
                    return answer
                waiting.append(server)
        finally:
            self._question.forget()
            for stream in self._streams.values():
                stream.cancel()
        return self._verdict()

    # --- time --------------------------------------------------------------------------------

    def _is_held(self) -> bool:
        """Whether to wait longer: the resolver answered before, and now answers nobody."""
        if self._is_liveness or self._others_heard():
            return False
        self._deadline = max(self._deadline, self._servers.held_until)
        return clock.now_s() < self._deadline

    def _others_heard(self) -> bool:
        """Whether the resolver answered any question towards the end of this one's time."""
        return self._servers.heard_since(self._deadline - self._limit_s / 2)

    def _look_further(self) -> None:
        """After half of the time without a reply: check liveness, and try TCP."""
        half = self._began + self._limit_s / 2
        if self._is_liveness or clock.now_s() < half:
            return
        if not self._servers.heard_since(half):
            self._resolver.check_liveness()
        for server in self._addresses:
            self._try_tcp(server)

    def _try_tcp(self, server: Server) -> None:
        """Try TCP with a server that has never answered: UDP may be blocked."""
        servers = self._servers
        known = servers.has_answered(server) or server in servers.streams | servers.without_tcp
        if not known and server not in self._streams and server not in self._failures:
            self._streams[server] = asyncio.get_running_loop().create_task(self._stream(server))

    async def _stream(self, server: Server) -> None:
        reply = await self._ask_tcp(server, self.left_s, "silent over UDP, and ")
        if reply.message is None:
            # Once is enough: a long list would ask for as many connections as it has names.
            self._servers.without_tcp.add(server)
            return
        self._servers.prefer_tcp(server)
        self._question.hear(reply)

    # --- one turn of one server --------------------------------------------------------------

    async def _turn(self, server: Server, until: float) -> Answer | None:
        """Ask one server and wait for it; a late answer to an earlier send counts too.

        Whoever says no is noted in ``failures``, and only a no of this server ends the wait.
        """
        if server in self._servers.streams:
            answer = await self._take(await self._ask_stream(server))
            if answer is not None or server not in self._away:
                return answer
        elif self._send(server):
            answer = await self._listen(server, until, patient=False)
            if answer is not None or server not in self._away:
                return answer
        well = set(self._addresses) - self._failures.keys() - self._away.keys()
        if well or server in self._failures:
            return None
        return await self._listen(server, until, patient=True)

    async def _listen(self, server: Server, until: float, *, patient: bool) -> Answer | None:
        """Wait for an answer, until this server says no, or (unless patient) is found away."""
        while server not in self._failures:
            reply = await self._question.next_reply(until)
            if reply is None:
                return None
            answer = await self._take(reply)
            if answer is not None:
                return answer
            if not patient and reply.soft and reply.server == server:
                return None
        return None

    def _send(self, server: Server) -> bool:
        """Send; False where the kernel refuses, which is final if the server never answered."""
        self._sends[server] += 1
        edns = self._servers.takes_edns(server)
        if server in self._plain:
            edns = False
        if edns is None:
            # Some drop what has EDNS. While nobody knows, every second send does without.
            edns = self._sends[server] % 2 == 1
        try:
            self._servers.send(server, self._question, edns=edns)
        except OSError as error:
            detail = f"{place(server)}: {error.strerror}"
            failure = Failure(Kind.RESOLVER_UNREACHABLE, detail)
            (self._away if self._servers.has_answered(server) else self._failures)[server] = failure
            return False
        return True

    async def _take(self, reply: Reply) -> Answer | None:
        """The answer in a reply; a refusal is noted, and gives None."""
        server = reply.server
        if reply.soft and reply.failure is not None:
            self._away[server] = reply.failure
            self._try_tcp(server)
            return None
        self._away.pop(server, None)
        if server in self._failures:
            return None
        if reply.truncated:
            others = len(self._addresses) - len(self._failures)
            reply = await self._ask_tcp(server, self.left_s / others, "truncated over UDP, and ")
        meaning = self._meaning(reply)
        if isinstance(meaning, Answer):
            return meaning
        if meaning is not None:
            self._failures[server] = meaning
        return None

    def _meaning(self, reply: Reply) -> Answer | Failure | None:
        """Meaning of a reply, None where the question goes out again without EDNS."""
        server = reply.server
        if reply.message is None:
            assert reply.failure is not None
            return reply.failure
        refused = reply.message.rcode() in messages.NO_EDNS
        if refused and reply.edns and server not in self._plain:
            # RFC 6891 section 6.2.2: who does not know it says so, or says what is near to that.
            self._plain.add(server)
            return None if self._resend(server) else self._said(reply)
        if not refused:
            self._servers.learn_edns(server, edns=reply.edns)
            if server in self._plain:
                self._servers.forbid_edns(server)
        return self._said(reply)

    def _resend(self, server: Server) -> bool:
        """Ask again at once without EDNS; over TCP the next turn does."""
        return server in self._servers.streams or self._send(server)

    def _said(self, reply: Reply) -> Answer | Failure:
        assert reply.message is not None
        question = self._question
        return messages.meaning(
            reply.message,
            question.text,
            question.rdtype,
            place(reply.server),
            reply.elapsed_ms,
            tcp=reply.tcp,
        )

    # --- over TCP ----------------------------------------------------------------------------

    async def _ask_stream(self, server: Server) -> Reply:
        """Ask a server that is asked over TCP alone; one that takes no connection may be away."""
        others = len(self._addresses) - len(self._failures)
        reply = await self._ask_tcp(server, self.left_s / others, "")
        failure = reply.failure
        if failure is None or self._servers.heard_since(self._began):
            return reply
        gone = replace(failure, kind=Kind.RESOLVER_UNREACHABLE)
        return replace(reply, failure=gone, soft=failure.kind is not Kind.TIMEOUT)

    async def _ask_tcp(self, server: Server, timeout_s: float, why: str) -> Reply:
        """Ask over TCP (RFC 7766). ``why``: what led to that, for the words of a failure."""
        edns = self._servers.takes_edns(server) is not False and server not in self._plain
        question = self._question
        wire = question.wire if edns else messages.without_edns(question.wire)
        started = time.perf_counter()
        try:
            data = await streams.exchange(server, wire, timeout_s)
        except (OSError, EOFError) as error:
            elapsed = (time.perf_counter() - started) * 1000
            silent = isinstance(error, TimeoutError)
            detail = f"{why}{place(server)} did not answer over TCP"
            detail += " in time" if silent else f": {error}"
            kind = Kind.TIMEOUT if silent else Kind.BAD_ANSWER
            return Reply(server, elapsed, failure=Failure(kind, detail, elapsed), tcp=True)
        elapsed = (time.perf_counter() - started) * 1000
        self._servers.heard(server, tcp=True)
        message = messages.read(data, question.name, question.rdtype)
        if message is None:
            detail = f"{why}{place(server)} sent a malformed answer over TCP"
            failure = Failure(Kind.BAD_ANSWER, detail, elapsed)
            return Reply(server, elapsed, failure=failure, tcp=True)
        return Reply(server, elapsed, message, edns=edns, tcp=True)

    # --- in the end --------------------------------------------------------------------------

    def _verdict(self) -> Failure:
        """Why there is no answer: a server's refusal counts before silence."""
        elapsed_ms = (clock.now_s() - self._began) * 1000
        refusals = [failure for failure in self._failures.values() if not _is_unreachable(failure)]
        gone = {**self._failures, **self._away}
        if refusals or len(gone) == len(self._addresses) > 0:
            return replace((refusals or [*gone.values()])[0], elapsed_ms=elapsed_ms)
        servers = ", ".join(map(place, self._addresses))
        if not servers:
            return Failure(Kind.RESOLVER_UNREACHABLE, "no name server is configured")
        if self._question.malformed:
            return Failure(Kind.BAD_ANSWER, f"{servers} sent a malformed answer", elapsed_ms)
        detail = f"no answer from {servers} in {elapsed_ms / 1000:.3g} s"
        if self._others_heard():
            return Failure(Kind.TIMEOUT, detail, elapsed_ms)
        return Failure(Kind.RESOLVER_UNREACHABLE, f"{detail}, to any question", elapsed_ms)


def _is_unreachable(failure: Failure) -> bool:
    return failure.kind is Kind.RESOLVER_UNREACHABLE
