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
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

from ipv6check.config.options import Options
from ipv6check.config.target import Target, parse
from ipv6check.engine.checks import loader, program
from ipv6check.engine.checks.loader import Check
from ipv6check.engine.checks.worker import judge
from ipv6check.engine.run import Assignment, Run
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
    Settings,
    Stub,
    TargetReport,
    Vantage,
)
from ipv6check.net import Net
from ipv6check.reports.progress import Progress

Value = TypeVar("Value")

__all__ = ["SETTINGS", "FakeNet", "answer", "attempt", "echo", "examine", "handshake", "run_check"]

# What the command line starts with, and nobody is asked but the target.
SETTINGS = Options(no_controls=True).settings

Observed = Answer | Attempt | Handshake | Echo | Failure
# What is asked of a network: (name, rdtype), (address, port), ("tls", address, port), or an
# address to ping.
Question = tuple[str, str] | tuple[str, int] | tuple[str, str, int] | str


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


class FakeNet(Net):
    """A network of plain data, which knows nothing but what it was told.

    A question that nobody planned raises AssertionError, and stands in ``unplanned``: a probe that
    raises becomes an ``error`` result, which a test could overlook.

    Attributes:
        calls: what was asked, in order, as ``(method, *arguments)``.
        unplanned: those of the calls that nobody planned.
        closed: whether ``close()`` was called.
    """

    def __init__(
        self,
        *observed: Answer | Attempt | Handshake | Echo,
        failures: Mapping[Question, Failure | Kind] | None = None,
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
        """
        self.calls: list[tuple[str | int, ...]] = []
        self.unplanned: list[tuple[str | int, ...]] = []
        self.closed = False
        self._plan: dict[Question, Observed] = {
            (seen.address, seen.port): seen.tcp for seen in observed if isinstance(seen, Handshake)
        }
        self._plan |= {_question(seen): seen for seen in observed}
        for question, failure in (failures or {}).items():
            self._plan[question] = _failure(failure) if isinstance(failure, Kind) else failure
        self._resolver_answers = resolver_answers
        self._aaaa_withheld = aaaa_withheld
        self._root_denied = root_denied
        self._aaaa_made_up = None if aaaa_made_up is None else tuple(aaaa_made_up)
        self._pref64 = tuple(pref64)
        self._aaaa_of_all = tuple(aaaa_of_all)
        self._stub = stub
        self._hosts = hosts or {}
        self._controls_answer = controls_answer
        self._control_opens = dict(control_opens or {})
        self._own = frozenset(own)
        self._listeners = listeners if isinstance(listeners, Failure) else tuple(listeners)
        self._host = host or HostState((), None, None)
        self._name_servers = tuple(name_servers)
        self._preference = (
            preference if isinstance(preference, Preference) else Preference(tuple(preference))
        )
        self._rules = rules
        self._vantage = vantage or Vantage(source_ipv6="2001:db8:ffff::1")
        self._real_time = real_time

    async def resolve(self, name: str, rdtype: str) -> Answer | Failure:
        """The planned answer or failure of ``(name, rdtype)``."""
        said = await self._ask("resolve", (name, rdtype))
        assert isinstance(said, Answer | Failure)
        return said

    async def connect(
        self,
        address: str,
        port: int,
        *,
        once: bool = False,  # noqa: ARG002 - what is planned is what comes of all tries
    ) -> Attempt:
        """The planned attempt, or one with the planned failure, of ``(address, port)``."""
        said = await self._ask("connect", (address, port))
        if isinstance(said, Failure):
            return Attempt(address, port, said.elapsed_ms, None, said)
        assert isinstance(said, Attempt)
        return said

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
        said = await self._ask("tls", (address, port))
        if isinstance(said, Failure):
            return Handshake(Attempt(address, port, said.elapsed_ms, None, said))
        assert isinstance(said, Attempt)
        if not said.connected:
            return Handshake(said)
        connected(said)
        made = self._plan.get(("tls", address, port))
        if not isinstance(made, Handshake):
            made = handshake(address, port, elapsed_ms=said.elapsed_ms)
        await asyncio.sleep(made.elapsed_ms / 1000 if self._real_time else 0)
        return replace(made, tcp=said)

    async def ping(self, address: str) -> Echo | Failure:
        """The planned echo or failure of ``address``."""
        said = await self._ask("ping", address)
        assert isinstance(said, Echo | Failure)
        return said

    async def resolver_answers(self) -> bool:
        """As planned."""
        self.calls.append(("resolver_answers",))
        return self._resolver_answers

    async def root_denied(self) -> Failure | None:
        """As planned."""
        self.calls.append(("root_denied",))
        return self._root_denied

    async def aaaa_withheld(self) -> Failure | None:
        """As planned."""
        self.calls.append(("aaaa_withheld",))
        return self._aaaa_withheld

    async def aaaa_made_up(self) -> tuple[str, ...] | None:
        """As planned."""
        self.calls.append(("aaaa_made_up",))
        return self._aaaa_made_up

    def stub(self) -> Stub:
        """As planned. Not one of ``calls``: nobody else takes notice."""
        return self._stub

    def hosts_entry(self, name: str) -> tuple[str, ...]:
        """As planned. Not one of ``calls``."""
        return tuple(self._hosts.get(name, ()))

    async def pref64(self) -> tuple[str, ...]:
        """As planned."""
        self.calls.append(("pref64",))
        return self._pref64

    async def aaaa_of_all(self) -> tuple[str, ...]:
        """As planned. Not one of ``calls``: nothing more is sent for it."""
        return self._aaaa_of_all

    async def undisturbed(
        self,
        work: Callable[[], Coroutine[None, None, Value]],
        *,
        lasts: bool = True,  # noqa: ARG002 - nobody disturbs it
    ) -> Value:
        """Here and now; not one of ``calls``."""
        return await work()

    async def controls_answer(self) -> bool:
        """As planned."""
        self.calls.append(("controls_answer",))
        return self._controls_answer

    async def control_opens(self, port: int, version: int) -> bool | None:
        """As planned; None where nothing was, and then not one of ``calls``: nobody is asked."""
        said = self._control_opens.get((port, version))
        if said is not None:
            self.calls.append(("control_opens", port, version))
        return said

    def is_own(self, address: str) -> bool:
        """Loopback is, and what was planned. Not one of ``calls``: nobody else takes notice."""
        return ip_address(address).is_loopback or address in self._own

    async def listeners(self) -> tuple[Listener, ...] | Failure:
        """As planned."""
        self.calls.append(("listeners",))
        return self._listeners

    async def host(self) -> HostState | Failure:
        """As planned."""
        self.calls.append(("host",))
        return self._host

    async def rules(self) -> RuleTexts | Failure:
        """As planned."""
        self.calls.append(("rules",))
        return self._rules

    async def name_servers(self) -> tuple[NameServer, ...]:
        """As planned."""
        self.calls.append(("name_servers",))
        return self._name_servers

    async def preference(self) -> Preference:
        """As planned."""
        self.calls.append(("preference",))
        return self._preference

    def vantage(self) -> Vantage:
        """As planned."""
        return self._vantage

    def close(self) -> None:
        """Note it."""
        self.closed = True

    async def _ask(self, method: str, question: Question) -> Observed:
        words = (question,) if isinstance(question, str) else question
        call = (method, *words)
        self.calls.append(call)
        said = self._plan.get(question)
        if said is None:
            self.unplanned.append(call)
            raise AssertionError(_unplanned([call]))
        # Without a wait of any kind, what runs side by side on a real network would not here.
        await asyncio.sleep(_elapsed_ms(said) / 1000 if self._real_time else 0)
        return said


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
    parsed = parse(target) if isinstance(target, str) else target
    report = asyncio.run(_examine(plan, wanted, net, parsed))
    if isinstance(net, FakeNet) and net.unplanned:
        raise AssertionError(_unplanned(net.unplanned))
    return report


async def _examine(plan: loader.Plan, settings: Settings, net: Net, target: Target) -> TargetReport:
    reports: list[TargetReport] = []

    async def emit(number: int, report: TargetReport) -> None:  # noqa: ARG001 - there is one
        reports.append(report)

    async def targets() -> AsyncIterator[Target]:
        yield target

    await Run({"": Assignment(plan, settings)}, net, emit, Progress()).run(targets())
    return reports[0]


def _load(check: Path | str) -> Check:
    """By its path where it is one, else by its name."""
    path = Path(check)
    if path.parent == Path() and path.suffix == "" and not path.is_file():
        return loader.load(only=[str(check)]).checks[0]
    return loader.load([path.parent], only=[path.stem]).checks[0]


def _question(seen: Answer | Attempt | Handshake | Echo) -> Question:
    if isinstance(seen, Answer):
        return seen.name, seen.rdtype
    if isinstance(seen, Handshake):
        return "tls", seen.address, seen.port
    if isinstance(seen, Attempt):
        return seen.address, seen.port
    return seen.address


def _elapsed_ms(said: Observed) -> float:
    if isinstance(said, Echo):
        return said.rtt_ms or 0.0
    return said.elapsed_ms


def _failure(kind: Kind, elapsed_ms: float = 0.0) -> Failure:
    return Failure(kind, kind.value, elapsed_ms)


def _unplanned(calls: Sequence[tuple[str | int, ...]]) -> str:
    named = ", ".join(f"{method}({', '.join(map(repr, rest))})" for method, *rest in calls)
    return f"FakeNet was asked what nobody planned: {named}"
