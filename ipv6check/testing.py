"""What a check's author tests with: facts in, findings out, and a network that is plain data.

A check is pure, so its test is a call::

    from ipv6check.testing import answer, attempt, examine, FakeNet, run_check

    def test_no_mail_over_ipv6():
        connections = Connections((25,), True, (attempt("2001:db8::1", 25, Kind.REFUSED),))
        (finding,) = run_check("checks.d/mail.py", connections=connections)
        assert finding.status == "fail"

Where the way from the network to the fact matters too, `examine` runs the whole plan::

    net = FakeNet(answer("example.com", "AAAA", "2001:db8::1"), attempt("2001:db8::1", 25))
    report = examine("example.com:25", net, only={"mail"}, directories=["checks.d"])
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from ipv6check import engine
from ipv6check.config.options import Options
from ipv6check.config.target import Target, parse
from ipv6check.engine.checks import loader, program
from ipv6check.engine.checks.api import Check
from ipv6check.engine.checks.worker import judge
from ipv6check.engine.plan import ServicePlan
from ipv6check.model import (
    Answer,
    Attempt,
    Echo,
    Failure,
    Finding,
    Handshake,
    HostState,
    Kind,
    Listener,
    NameServer,
    Preference,
    RuleTexts,
    Stub,
    TargetReport,
    Vantage,
)
from ipv6check.net import HostKernel, Net, ResolverBehaviour, Uplink
from ipv6check.net.timing_loop import TimingLoop

# FakeNet is any Net: what it has no method for is answered by its plan.
_AnyNet: Any = object

__all__ = ["SETTINGS", "FakeNet", "answer", "attempt", "echo", "examine", "handshake", "run_check"]

# What the command line starts with, and nobody is asked but the target.
SETTINGS = Options(no_controls=True).settings

# How FakeNet notes a call: the method and its arguments.
Call = tuple[str | int, ...]
# What is asked of a network: (name, rdtype), (address, port), ("tls", address, port), or an
# address to ping.
NetQuestion = tuple[str, str] | tuple[str, int] | tuple[str, str, int] | str


def answer(
    name: str,
    rdtype: str,
    *records: str,
    rcode: str = "NOERROR",
    chain: Sequence[str] = (),
    ttl: int = 300,
    elapsed_ms: float = 10.0,
) -> Answer:
    """What a resolver says. Without records: the name exists and has none of the type.

    Args:
        name: in A-labels, without the final dot.
        rdtype: such as ``AAAA``.
        records: rdata in presentation form.
        rcode: ``NOERROR`` or ``NXDOMAIN``; anything else is a Failure, not an Answer.
        chain: the targets of the CNAME records on the way, in order.
        ttl: seconds.
        elapsed_ms: how long the answer took.
    """
    return Answer(
        name, rdtype, rcode, records, tuple(chain), ttl, elapsed_ms, nameserver="192.0.2.53"
    )


def attempt(
    address: str, port: int = 443, failure: Failure | Kind | None = None, elapsed_ms: float = 10.0
) -> Attempt:
    """A TCP handshake that was completed, or that failed."""
    if isinstance(failure, Kind):
        failure = _failure(failure, elapsed_ms)
    return Attempt(address, port, elapsed_ms, None, failure)


def handshake(
    address: str,
    port: int = 443,
    failure: Failure | Kind | None = None,
    elapsed_ms: float = 10.0,
    *,
    tcp: Attempt | None = None,
) -> Handshake:
    """A TLS handshake that was completed, or that failed after TCP; ``tcp`` is its connection."""
    if isinstance(failure, Kind):
        failure = _failure(failure, elapsed_ms)
    agreed = ("TLSv1.3", "h2") if failure is None else ("", "")
    return Handshake(tcp or attempt(address, port), elapsed_ms, failure, *agreed)


def echo(
    address: str,
    rtt_ms: float | None = 10.0,
    *,
    sent: int = 3,
    received: int = 3,
    failure: Failure | Kind | None = None,
) -> Echo:
    """A ping. With a ``failure``, nothing of it came back."""
    if isinstance(failure, Kind):
        failure = _failure(failure)
    if failure is not None:
        return Echo(address, sent, 0, None, failure)
    return Echo(address, sent, received, rtt_ms if received else None)


@dataclass
class FakeKernel(HostKernel):
    """A host of plain data. What is read of a file or an address of its own is no call."""

    calls: list[Call]
    own: frozenset[str]
    resolv_conf: Stub
    hosts: Mapping[str, Sequence[str]]
    sockets: tuple[Listener, ...] | Failure
    state: HostState | Failure
    servers: tuple[NameServer, ...]
    order: Preference
    ruleset: RuleTexts | Failure

    def is_own(self, address: str) -> bool:
        """Loopback is, and what was planned."""
        return ip_address(address).is_loopback or address in self.own

    def source(self, destination: str) -> str:  # noqa: ARG002 - the vantage's stands for all
        """Nothing of its own: the planned vantage has one source."""
        return ""

    def stub(self) -> Stub:
        """As planned."""
        return self.resolv_conf

    def hosts_entry(self, name: str) -> tuple[str, ...]:
        """As planned, none for other names."""
        return tuple(self.hosts.get(name, ()))

    async def listeners(self) -> tuple[Listener, ...] | Failure:
        """As planned."""
        self.calls.append(("listeners",))
        return self.sockets

    async def host(self) -> HostState | Failure:
        """As planned."""
        self.calls.append(("host",))
        return self.state

    async def rules(self) -> RuleTexts | Failure:
        """As planned."""
        self.calls.append(("rules",))
        return self.ruleset

    async def name_servers(self) -> tuple[NameServer, ...]:
        """As planned."""
        self.calls.append(("name_servers",))
        return self.servers

    async def preference(self) -> Preference:
        """As planned."""
        self.calls.append(("preference",))
        return self.order


@dataclass
class FakeUplink(Uplink):
    """A way out of plain data."""

    calls: list[Call]
    seen: Vantage
    answers: bool
    ports: Mapping[tuple[int, int], bool]

    def vantage(self) -> Vantage:
        """As planned. Not one of ``calls``."""
        return self.seen

    async def controls_answer(self) -> bool:
        """As planned."""
        self.calls.append(("controls_answer",))
        return self.answers

    async def control_opens(self, port: int, version: int) -> bool | None:
        """As planned; None where nothing was, and then not one of ``calls``: nobody is asked."""
        opens = self.ports.get((port, version))
        if opens is not None:
            self.calls.append(("control_opens", port, version))
        return opens


@dataclass
class FakeResolver(ResolverBehaviour):
    """A resolver of plain data, as far as it does the same to every name."""

    calls: list[Call]
    answering: bool
    denial: Failure | None
    withheld: Failure | None
    made_up: tuple[str, ...] | None
    prefixes: tuple[str, ...]
    of_all: tuple[str, ...]

    async def answers(self) -> bool:
        """As planned; ``resolver_answers`` in ``calls``."""
        self.calls.append(("resolver_answers",))
        return self.answering

    async def root_denied(self) -> Failure | None:
        """As planned."""
        self.calls.append(("root_denied",))
        return self.denial

    async def aaaa_withheld(self) -> Failure | None:
        """As planned."""
        self.calls.append(("aaaa_withheld",))
        return self.withheld

    async def aaaa_made_up(self) -> tuple[str, ...] | None:
        """As planned."""
        self.calls.append(("aaaa_made_up",))
        return self.made_up

    async def pref64(self) -> tuple[str, ...]:
        """As planned."""
        self.calls.append(("pref64",))
        return self.prefixes

    async def aaaa_of_all(self) -> tuple[str, ...]:
        """As planned. Not one of ``calls``: nothing more is sent for it."""
        return self.of_all


class FakeNet(_AnyNet):  # type: ignore[misc] # the methods of Net that are not here are answered, too
    """A network of plain data, which knows nothing but what it was told.

    A question that nobody planned raises AssertionError, and stands in ``unplanned``: a probe that
    raises becomes an ``error`` result, which a test could overlook.

    Attributes:
        calls: what was asked, in order, as ``(method, *arguments)``.
        unplanned: those of the calls that nobody planned.
        closed: whether ``close()`` was called.
        kernel: the host that it is; None makes it a vantage that cannot look into one.
        uplink: what is known of its way out.
        resolver: what is known of its resolver.
        timing_loop: None: what keeps time is done in the loop at hand.
    """

    def __init__(
        self,
        *observed: Answer | Attempt | Handshake | Echo,
        failures: Mapping[NetQuestion, Failure | Kind] | None = None,
        resolver_answers: bool = True,
        aaaa_withheld: Failure | None = None,
        root_denied: Failure | None = None,
        aaaa_made_up: Sequence[str] | None = (),
        pref64: Sequence[str] = (),
        aaaa_of_all: Sequence[str] = (),
        stub: Stub = Stub(),  # noqa: B008 - frozen
        hosts: Mapping[str, Sequence[str]] | None = None,
        controls_answer: bool = True,
        control_opens: Mapping[tuple[int, int], bool] | None = None,
        own: Sequence[str] = (),
        listeners: Sequence[Listener] | Failure = (),
        host: HostState | Failure | None = None,
        name_servers: Sequence[NameServer] = (),
        preference: Sequence[str] | Preference = ("::1", "127.0.0.1"),
        rules: RuleTexts | Failure = RuleTexts(),  # noqa: B008 - frozen
        vantage: Vantage | None = None,
        real_time: bool = False,
        answers: Mapping[Call, object] | None = None,
    ) -> None:
        """Plan what the network says.

        Args:
            observed: answers, attempts, handshakes and echoes; each knows what it answers. Without
                a handshake, an address that accepts a connection completes TLS, too.
            failures: ``(name, rdtype)``, ``(address, port)`` or an address to ping, and how that
                fails. A Failure of a ping says that this host may not ping; an address that does
                not answer is an ``echo`` with a failure.
            resolver_answers: whether the resolver answers anything at all.
            aaaa_withheld: how AAAA of every name fails there.
            root_denied: how its resolver denies every name.
            aaaa_made_up: the AAAA of a name that has A alone, None where nobody knows that name.
            pref64: the NAT64 prefixes of the network.
            aaaa_of_all: the AAAA that its resolver gives every name.
            stub: how its programs resolve names.
            hosts: what /etc/hosts has there.
            controls_answer: whether addresses known to be up answer.
            control_opens: ``(port, version)``, and whether a control of that port answers on it.
            own: the addresses of the vantage itself, besides loopback's.
            listeners: what listens there, or why that cannot be told.
            host: what its kernel says of itself; nothing but loopback if None.
            name_servers: those that it is configured with, and how they answer.
            preference: the addresses of a name with both families, as getaddrinfo sorts them.
            rules: what the commands that show firewall rules print.
            vantage: where the packets leave from.
            real_time: take as long for each call as its observation says, instead of no time.
            answers: ``(method, *arguments)``, and what that returns, for packets that have no
                constructor here.
        """
        self.calls: list[Call] = []
        self.unplanned: list[Call] = []
        self.closed = False
        self.timing_loop: TimingLoop | None = None
        self.kernel: FakeKernel | None = FakeKernel(
            self.calls,
            own=frozenset(own),
            resolv_conf=stub,
            hosts=hosts or {},
            sockets=listeners if isinstance(listeners, Failure) else tuple(listeners),
            state=host or HostState((), None, None),
            servers=tuple(name_servers),
            order=preference
            if isinstance(preference, Preference)
            else Preference(tuple(preference)),
            ruleset=rules,
        )
        self.uplink = FakeUplink(
            self.calls,
            vantage or Vantage(source_ipv6="2001:db8:ffff::1"),
            controls_answer,
            control_opens or {},
        )
        self.resolver = FakeResolver(
            self.calls,
            answering=resolver_answers,
            denial=root_denied,
            withheld=aaaa_withheld,
            made_up=None if aaaa_made_up is None else tuple(aaaa_made_up),
            prefixes=tuple(pref64),
            of_all=tuple(aaaa_of_all),
        )
        self._real_time = real_time
        self._plan: dict[Call, object] = {}
        for seen in observed:
            if isinstance(seen, Handshake):
                self._plan.setdefault(("connect", seen.address, seen.port), seen.tcp)
            self._plan[_call(seen)] = seen
        for question, failure in (failures or {}).items():
            planned = _failure(failure) if isinstance(failure, Kind) else failure
            self._plan[_call_of(question)] = planned
        self._plan |= answers or {}

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        """Any other method of Net: answered by the plan."""
        if method.startswith("_") or not hasattr(Net, method):
            raise AttributeError(method)
        return partial(self._answer, method)

    async def resolve(self, name: str, rdtype: str) -> Answer | Failure:
        """The planned answer or failure of ``(name, rdtype)``."""
        planned = await self._answer("resolve", name, rdtype)
        assert isinstance(planned, Answer | Failure)
        return planned

    async def connect(
        self,
        address: str,
        port: int,
        *,
        once: bool = False,  # noqa: ARG002 - what is planned is what comes of all tries
    ) -> Attempt:
        """The planned attempt, or one with the planned failure, of ``(address, port)``."""
        return await self._attempt("connect", address, port)

    async def tls(
        self,
        address: str,
        port: int,
        server_name: str = "",  # noqa: ARG002 - it is the address that answers
        alpn: Sequence[str] = (),  # noqa: ARG002
        connected: Callable[[Attempt], None] = lambda _: None,
        *,
        once: bool = False,  # noqa: ARG002
    ) -> Handshake:
        """The planned handshake; without one, TLS is completed where TCP is."""
        tcp = await self._attempt("tls", address, port)
        if not tcp.connected:
            return Handshake(tcp)
        connected(tcp)
        made = self._plan.get(("tls", address, port))
        if not isinstance(made, Handshake):
            made = handshake(address, port, elapsed_ms=tcp.elapsed_ms)
        await self._take(made.elapsed_ms)
        return replace(made, tcp=tcp)

    async def ping(self, address: str) -> Echo | Failure:
        """The planned echo or failure of ``address``."""
        planned = await self._answer("ping", address)
        assert isinstance(planned, Echo | Failure)
        return planned

    def close(self) -> None:
        """Note it."""
        self.closed = True

    async def _attempt(self, method: str, address: str, port: int) -> Attempt:
        planned = await self._answer(method, address, port, key=("connect", address, port))
        if isinstance(planned, Failure):
            return Attempt(address, port, planned.elapsed_ms, None, planned)
        assert isinstance(planned, Attempt)
        return planned

    async def _answer(self, method: str, *arguments: str | int, key: Call | None = None) -> object:
        """What the plan has for a call, or for the call that it depends on."""
        call = (method, *arguments)
        self.calls.append(call)
        planned = self._plan.get(key or call)
        if planned is None:
            self.unplanned.append(call)
            raise AssertionError(_unplanned([call]))
        lasts_ms = planned.rtt_ms if isinstance(planned, Echo) else planned.elapsed_ms  # type: ignore[attr-defined]
        await self._take(lasts_ms or 0.0)
        return planned

    async def _take(self, elapsed_ms: float) -> None:
        # Without a wait of any kind, what runs side by side on a real network would not here.
        await asyncio.sleep(elapsed_ms / 1000 if self._real_time else 0)


def run_check(check: Check | Path | str, **facts: Any) -> list[Finding]:
    """What one check finds in these facts, exactly as a run would have it.

    That includes what a run makes of a crash (``error``) and of a Failure that the check does not
    admit (``skip``, or ``unknown`` where the vantage is to blame).

    Args:
        check: the path of a check file, the name of a shipped check, or a loaded one.
        facts: the check's inputs by name. ``target`` may be text; ``settings`` may be left out. An
            executable takes ``target`` in any case.

    Raises:
        PluginError: the check cannot be loaded.
        TypeError: the facts are not the check's inputs.
    """
    loaded = check if isinstance(check, Check) else _load(check)
    wanted = {item.name for item in loaded.inputs} | ({"target"} if loaded.executable else set())
    given = {"settings": SETTINGS, **facts} if "settings" in wanted else facts
    if wanted != given.keys():
        takes, got = (", ".join(sorted(names)) or "nothing" for names in (wanted, given.keys()))
        raise TypeError(f"check {loaded.id} judges {takes}; the test gives {got}")
    if isinstance(given.get("target"), str):
        given = {**given, "target": parse(given["target"])}
    if loaded.executable:
        timeout_s = SETTINGS.timeout_s
        return list(asyncio.run(program.ask(loaded, given["target"], given, timeout_s)))
    return list(judge(loaded, given))


def examine(
    target: Target | str, net: Net, *, directories: Iterable[Path | str] = (), **settings: Any
) -> TargetReport:
    """Run every probe and check on one target, as ``ipv6check check`` does.

    Args:
        target: what a user would write, or a parsed one.
        net: a FakeNet, mostly.
        directories: of private checks.
        settings: fields of Settings that are not to be as on the command line; with ``only`` a
            plan needs no more than that check's observations.

    Raises:
        AssertionError: something was asked of the FakeNet that nobody planned.
        PluginError: a check cannot be loaded, or does not exist.
        TargetError: ``target`` names none.
    """
    wanted = replace(SETTINGS, **settings)
    plan = loader.load(map(Path, directories), wanted.only, wanted.skip, wanted.profile)
    report = asyncio.run(engine.examine(target, net, {"": ServicePlan(plan, wanted)}))
    if isinstance(net, FakeNet) and net.unplanned:
        raise AssertionError(_unplanned(net.unplanned))
    return report


def _load(check: Path | str) -> Check:
    """By its path where it is one, else by its name."""
    path = Path(check)
    if path.parent == Path() and path.suffix == "" and not path.is_file():
        return loader.load(only=[str(check)]).checks[0]
    return loader.load([path.parent], only=[path.stem]).checks[0]


def _call(seen: Answer | Attempt | Handshake | Echo) -> Call:
    """The call that this answers."""
    if isinstance(seen, Answer):
        return "resolve", seen.name, seen.rdtype
    if isinstance(seen, Echo):
        return "ping", seen.address
    return "tls" if isinstance(seen, Handshake) else "connect", seen.address, seen.port


def _call_of(question: NetQuestion) -> Call:
    """The call that a question means."""
    if isinstance(question, str):
        return "ping", question
    if question[0] == "tls":
        return question
    return "connect" if isinstance(question[1], int) else "resolve", *question


def _failure(kind: Kind, elapsed_ms: float = 0.0) -> Failure:
    return Failure(kind, kind.value, elapsed_ms)


def _unplanned(calls: Sequence[Call]) -> str:
    named = ", ".join(f"{method}({', '.join(map(repr, rest))})" for method, *rest in calls)
    return f"FakeNet was asked what nobody planned: {named}"
