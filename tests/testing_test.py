"""What authors of checks test with has to be right before their tests can be."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ipv6check import (
    Attempt,
    Connections,
    Failure,
    Handshake,
    HostState,
    Kind,
    Listener,
    NameServer,
    Settings,
)
from ipv6check.config.target import TargetError, parse
from ipv6check.engine.checks import loader
from ipv6check.engine.checks.api import PluginError
from ipv6check.model import Preference, Status, Vantage, Verdict, ok
from ipv6check.testing import (
    SETTINGS,
    FakeNet,
    answer,
    attempt,
    echo,
    examine,
    handshake,
    run_check,
)
from tests.pace import Lag

V6, V4 = "2001:470::1", "192.0.33.8"
PTR = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.4.0.1.0.0.2.ip6.arpa"
NOTHING = Connections(ports=(), named=False, attempts=())

ECHOING = '''"""What it was given."""
from ipv6check import Connections, Failure, Finding, Settings, Target, check, ok

@check(cause="host")
def echoing(target: Target, settings: Settings, connections: Connections | Failure) -> Finding:
    """What it was given."""
    return ok(f"{target.host} {settings.timeout_s:g} {type(connections).__name__}")
'''
STRICT = '''"""Wants connections."""
from ipv6check import Connections, Finding, check

@check(cause="host")
def strict(connections: Connections) -> Finding:
    """Wants connections."""
    raise ZeroDivisionError(len(connections.attempts))
'''


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with two private checks."""
    (tmp_path / "echoing.py").write_text(ECHOING)
    (tmp_path / "strict.py").write_text(STRICT)
    return tmp_path


def healthy(**more: object) -> FakeNet:
    """A network on which example.com is well."""
    seen = [
        answer("example.com", "AAAA", V6),
        answer("example.com", "A", V4),
        answer(PTR, "PTR", "example.com."),
        *(attempt(address, port) for address in (V6, V4) for port in (443, 80)),
        echo(V6),
        echo(V4),
    ]
    return FakeNet(*seen, **more)  # type: ignore[arg-type]


def ask(net: FakeNet, method: str, *arguments: object) -> object:
    """One call's answer, of whichever part of the net has that method."""
    part = next(part for part in (net.kernel, net.uplink, net) if hasattr(part, method))
    return asyncio.run(getattr(part, method)(*arguments))


def test_a_planned_call_gets_what_was_planned() -> None:
    """Observations are found by what they answer, and each call is written down in order."""
    net = healthy()
    assert ask(net, "resolve", "example.com", "AAAA") == answer("example.com", "AAAA", V6)
    assert ask(net, "connect", V6, 443) == attempt(V6, 443)
    assert ask(net, "ping", V6) == echo(V6)
    assert net.calls == [("resolve", "example.com", "AAAA"), ("connect", V6, 443), ("ping", V6)]
    assert net.unplanned == []


@pytest.mark.parametrize(
    ("method", "arguments"),
    [("resolve", ("b.example", "A")), ("connect", (V6, 25)), ("ping", ("2001:470::2",))],
)
def test_an_unplanned_call_is_loud(method: str, arguments: tuple[object, ...]) -> None:
    """What nobody planned raises with its name and arguments, and is remembered."""
    net = healthy()
    with pytest.raises(AssertionError, match=rf"nobody planned: {method}\({arguments[0]!r}"):
        ask(net, method, *arguments)
    assert net.unplanned == [(method, *arguments)]


def test_failures_are_planned_by_question() -> None:
    """A kind is enough for a failure; a handshake's becomes an attempt that failed."""
    failure = Failure(Kind.PERMISSION, "may not ping", 1.0)
    net = FakeNet(failures={("a.example", "A"): Kind.SERVFAIL, (V6, 25): Kind.RESET, V6: failure})
    assert ask(net, "resolve", "a.example", "A") == Failure(Kind.SERVFAIL, "servfail")
    refused = ask(net, "connect", V6, 25)
    assert refused == attempt(V6, 25, Kind.RESET, elapsed_ms=0.0)
    assert ask(net, "ping", V6) == failure


def test_what_is_not_asked_of_a_target_has_an_answer() -> None:
    """Resolver, controls, NAT64 and vantage are well unless planned otherwise."""
    net = FakeNet()
    assert asyncio.run(net.resolver.answers()) is True
    assert ask(net, "controls_answer") is True
    assert asyncio.run(net.resolver.pref64()) == ()
    assert net.uplink.vantage().ipv6 == "yes"
    other = FakeNet(
        resolver_answers=False,
        controls_answer=False,
        pref64=["64:ff9b::/96"],
        vantage=Vantage(ipv6="no"),
    )
    assert asyncio.run(other.resolver.answers()) is False
    assert ask(other, "controls_answer") is False
    assert asyncio.run(other.resolver.pref64()) == ("64:ff9b::/96",)
    assert other.uplink.vantage().ipv6 == "no"


def test_close_is_noted() -> None:
    """Who opened a net has to close it."""
    net = FakeNet()
    net.close()
    assert net.closed


@pytest.mark.timing
def test_real_time_takes_as_long_as_it_says(lag: Lag) -> None:
    """With real_time a call lasts as long as its observation did."""

    async def go() -> float:
        net = FakeNet(attempt(V6, elapsed_ms=50), echo(V4, failure=Kind.TIMEOUT), real_time=True)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(net.connect(V6, 443), net.ping(V4))
        return loop.time() - began

    assert 0.045 < asyncio.run(go()) < 1 + lag.s


def test_constructors_say_what_they_look_like() -> None:
    """The shortest call gives what is well, a kind gives what failed."""
    assert answer("a.example", "MX").records == ()
    assert answer("a.example", "AAAA", V6, chain=["b.example"]).canonical == "b.example"
    assert attempt(V6).connected
    assert attempt(V6, failure=Kind.TIMEOUT, elapsed_ms=3000).outcome == "timeout"
    assert echo(V6).loss_percent == 0
    assert echo(V6, received=0).rtt_ms is None
    assert echo(V6, failure=Kind.TIMEOUT).loss_percent == 100
    assert echo(V6, failure=Failure(Kind.NO_ROUTE, "said so", source=V4)).received == 0


def test_examine_runs_the_whole_plan() -> None:
    """A healthy host is ready, with a result of every shipped check of the profile."""
    report = examine("example.com", healthy())
    assert report.verdict is Verdict.READY
    assert {result.check for result in report.results} == {
        check.id for check in loader.load(profile=SETTINGS.profile).checks
    }


def test_examine_takes_settings() -> None:
    """Fields of Settings are given by name; the plan asks no more than it needs."""
    net = FakeNet(answer("example.com", "AAAA", "fd00::1"), answer("example.com", "A"))
    report = examine(parse("example.com"), net, only={"aaaa"}, internal=True, ports=(25,))
    assert [result.check for result in report.results] == ["aaaa"]
    assert (report.verdict, report.ports) == (Verdict.READY, (25,))


def test_examine_complains_of_what_nobody_planned() -> None:
    """A probe that hits an unplanned call must not pass as an error result."""
    net = FakeNet(answer("example.com", "AAAA", V6), answer("example.com", "A"))
    with pytest.raises(AssertionError, match=r"nobody planned: .*connect"):
        examine("example.com", net, only={"tcp"})


def test_examine_finds_private_checks(directory: Path) -> None:
    """Private directories are searched like --checks-dir."""
    report = examine("example.com", healthy(), only={"echoing"}, directories=[str(directory)])
    assert report.results[0].message == "example.com 3 Connections"


def test_examine_refuses_what_is_no_target() -> None:
    """Bad text is refused as on the command line."""
    with pytest.raises(TargetError):
        examine("a b", FakeNet())


def test_run_check_judges_a_file(directory: Path) -> None:
    """A check file is loaded by its path; target may be text, settings may be left out."""
    facts = {"target": "a.example", "connections": NOTHING}
    for check in (directory / "echoing.py", str(directory / "echoing.py")):
        assert run_check(check, **facts) == [ok("a.example 3 Connections")]


def test_run_check_judges_a_shipped_check_and_a_loaded_one() -> None:
    """A bare name is a shipped check; a loaded one need not be loaded again."""
    failure = Failure(Kind.RESOLVER_UNREACHABLE, "out of reach")
    (loaded,) = loader.load(only=["ptr"]).checks
    for check in ("ptr", loaded):
        (finding,) = run_check(check, pointers=failure)
        assert (finding.status, finding.message) == (Status.UNKNOWN, "out of reach")


def test_run_check_in_the_directory_of_the_check(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bare file name is a path where it ends like one."""
    monkeypatch.chdir(directory)
    (finding,) = run_check("strict.py", connections=NOTHING)
    assert finding.status is Status.ERROR


def test_run_check_judges_as_a_run_does(directory: Path) -> None:
    """A crash is an error, and a Failure that is not admitted a skip."""
    strict = directory / "strict.py"
    (crashed,) = run_check(strict, connections=NOTHING)
    assert "ZeroDivisionError" in crashed.message
    (skipped,) = run_check(strict, connections=Failure(Kind.SERVFAIL, "why"))
    assert (skipped.status, skipped.message) == (Status.SKIP, "why")


def test_run_check_gives_settings_their_defaults(directory: Path) -> None:
    """Settings are the command line's unless the test has others."""
    facts = {"target": parse("a.example"), "connections": Failure(Kind.OTHER, "x")}
    other = Settings(profile=SETTINGS.profile, timeout_s=9)
    assert run_check(directory / "echoing.py", **facts) == [ok("a.example 3 Failure")]
    assert run_check(directory / "echoing.py", settings=other, **facts) == [
        ok("a.example 9 Failure")
    ]


@pytest.mark.parametrize("facts", [{}, {"pointer": None}, {"pointers": None, "path": None}])
def test_run_check_wants_the_inputs_of_the_check(facts: dict[str, None]) -> None:
    """A missing or misspelt fact is a mistake of the test, not a finding."""
    with pytest.raises(TypeError, match="check ptr judges pointers; the test gives"):
        run_check("ptr", **facts)


@pytest.mark.parametrize("check", ["prt", "nowhere/prt.py", Path("nowhere/ptr.py")])
def test_run_check_refuses_what_is_no_check(check: str | Path) -> None:
    """A check that does not exist is one line."""
    with pytest.raises(PluginError):
        run_check(check)


def test_run_check_asks_an_executable(tmp_path: Path) -> None:
    """A program is asked as in a run, and takes the target in any case."""
    program = tmp_path / "says"
    program.write_text('#!/bin/sh\ncat >/dev/null\necho \'{"status":"pass","message":"hi"}\'\n')
    program.chmod(0o755)
    facts = {"addresses": Failure(Kind.OTHER, "x"), "connections": Failure(Kind.OTHER, "x")}
    assert run_check(program, target="a.example", **facts) == [ok("hi")]
    with pytest.raises(TypeError, match="check says judges addresses, connections, target"):
        run_check(program, **facts)


def test_what_a_host_says_of_itself_is_planned() -> None:
    """Own addresses, sockets, kernel, name servers and order are what the test says."""
    listener, server = Listener("tcp", "::", 80), NameServer("2001:db8::53")
    state = HostState((), None, None, bindv6only=True)
    order = ("192.0.2.1", "2001:db8::1")
    plain = FakeNet()
    assert plain.kernel
    own = [plain.kernel.is_own(address) for address in ("::1", "127.0.0.1", V6)]
    assert own == [True, True, False]
    assert (ask(plain, "listeners"), ask(plain, "name_servers")) == ((), ())
    assert ask(plain, "host") == HostState((), None, None)
    assert ask(plain, "preference") == Preference(("::1", "127.0.0.1"))
    net = FakeNet(
        own=[V6], listeners=[listener], host=state, name_servers=[server], preference=order
    )
    assert net.kernel
    assert net.kernel.is_own(V6)
    methods = ("listeners", "host", "name_servers", "preference")
    assert [ask(net, method) for method in methods] == [
        (listener,),
        state,
        (server,),
        Preference(order),
    ]
    assert net.calls == [(method,) for method in methods]
    failure = Failure(Kind.PERMISSION, "why")
    assert ask(FakeNet(listeners=failure), "listeners") == failure
    assert ask(FakeNet(host=failure), "host") == failure


def test_tls_is_completed_unless_planned_otherwise() -> None:
    """Who accepts completes TLS; a handshake is planned with its connection, which may fail."""
    silent = handshake(V4, failure=Kind.TIMEOUT, elapsed_ms=3000.0)
    net = FakeNet(attempt(V6, elapsed_ms=7.0), silent, failures={(V6, 8443): Kind.REFUSED})
    made = ask(net, "tls", V6, 443)
    assert made == handshake(V6, elapsed_ms=7.0, tcp=attempt(V6, elapsed_ms=7.0))
    assert ask(net, "tls", V4, 443, "www.example", ("h2",)) == silent
    assert ask(net, "connect", V4, 443) == silent.tcp
    refused = ask(net, "tls", V6, 8443)
    assert isinstance(refused, Handshake)
    assert (refused.outcome, refused.failure) == (Kind.REFUSED, None)
    assert [call[0] for call in net.calls] == ["tls", "tls", "connect", "tls"]


def test_tls_tells_when_it_begins() -> None:
    """Once TCP is up, and never where it is not."""
    heard: list[Attempt] = []
    net = FakeNet(attempt(V6), attempt(V4, failure=Kind.REFUSED))
    for address in (V6, V4):
        asyncio.run(net.tls(address, 443, connected=heard.append))
    assert heard == [attempt(V6)]


def test_a_vantage_without_a_host_skips_what_looks_into_one() -> None:
    """Where no kernel can be asked, its checks skip by themselves, and files complete no name."""
    net = FakeNet(answer("example.com", "AAAA", V6), answer("example.com", "A"), own=[V6])
    net.kernel = None
    report = examine("example.com", net, only={"listeners", "firewall"})
    statuses = {result.check: result.status for result in report.results}
    assert (statuses["listeners"], statuses["firewall"]) == (Status.SKIP, Status.SKIP)


def test_any_method_of_net_is_answered_by_the_plan() -> None:
    """A packet that FakeNet has no method for needs none: its answer is planned by its call."""
    net = FakeNet(answers={("ping", V6): echo(V6, 7.0)})
    assert ask(net, "ping", V6) == echo(V6, 7.0)
    with pytest.raises(AttributeError):
        _ = net.teleport
