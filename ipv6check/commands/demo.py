"""``ipv6check demo``: the real checks against five made-up hosts, without leaving this machine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import closing

from ipv6check import __version__, engine
from ipv6check.commands.demo_servers import DemoHost, Ipv6, Served, has_ipv6, serve
from ipv6check.commands.parsing import Command, typer_app
from ipv6check.commands.run import BLIND, FINDINGS, INTERRUPTED, OK, now, stopped_by_signals
from ipv6check.config.options import Options
from ipv6check.config.target import Target, address_and_port, parse
from ipv6check.model import RunInfo, Vantage, Verdict
from ipv6check.net.kernel.this_host import ThisHost
from ipv6check.net.local import LocalNet
from ipv6check.net.uplink import LocalUplink
from ipv6check.reports import formats
from ipv6check.reports.gate import Gate
from ipv6check.reports.progress import progress
from ipv6check.reports.sinks import Console, Outputs, terminal

# What is served, and what has to be found.
HOSTS = {
    DemoHost("healthy.demo.example"): Verdict.READY,
    DemoHost("incident.demo.example", Ipv6.SILENT): Verdict.NOT_READY,
    DemoHost("refused.demo.example", Ipv6.REFUSED): Verdict.NOT_READY,
    DemoHost("no-aaaa.demo.example", Ipv6.ABSENT): Verdict.NOT_READY,
    DemoHost("late-aaaa.demo.example", late_s=0.2): Verdict.DEGRADED,
}
TIMEOUT_S = 1.0

INTRO = """\
Five made-up hosts, served on ::1 and 127.0.0.1 by this very process: one is
healthy, four are broken in ways that a browser hides. No packet leaves.

"""
OUTRO = "\nNow yours: ipv6check example.com\n"
NO_IPV6 = "ipv6check: the demo runs on the IPv6 loopback address ::1, and this machine has none\n"

app = typer_app()


@app.command("demo", cls=Command)
def demo() -> int:
    """Check one healthy host and four broken ones, all on this machine: no network needed."""
    return run()


def run() -> int:
    """Show what the checks say; 0 if that is what they should, 1 if not, 3 without ``::1``."""
    if not has_ipv6():
        sys.stderr.write(NO_IPV6)
        return BLIND
    with serve(tuple(HOSTS)) as served:
        verdicts = asyncio.run(_examine(served))
    if verdicts is None:
        return INTERRUPTED
    _say(OUTRO)
    wrong = [
        f"{host.name} is {verdicts.get(host.name)}, should be {verdict}"
        for host, verdict in HOSTS.items()
        if verdicts.get(host.name) != verdict
    ]
    for line in wrong:
        sys.stderr.write(f"ipv6check: the demo went wrong: {line}\n")
    return FINDINGS if wrong else OK


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()  # what is checked may write past this buffer


async def _examine(served: Served) -> Mapping[str, Verdict] | None:
    """Print the table of ``ipv6check check``; the verdicts by host, None if interrupted."""
    options = Options(
        nameserver=(served.nameserver,), timeout=TIMEOUT_S, internal=True, no_controls=True
    )
    targets = [parse(text) for text in served.targets]
    net, gate, verdicts = _LoopbackNet(served.nameserver), Gate(), dict[str, Verdict]()
    style = terminal(quiet=False, verbose=False, many=True)
    table = formats.Renderer(formats.load("table"), style)
    with closing(net), progress(sys.stderr, len(targets)) as live:
        outputs = Outputs(
            [Console(table, sys.stdout, live)], RunInfo(__version__, now(), len(targets))
        )
        examined = engine.run(engine.plans(options), _stream(targets), net, watch=live)
        with stopped_by_signals(examined.stop):
            with live.hidden():
                _say(INTRO)
            async for number, report in examined:
                verdicts[report.host] = report.verdict
                outputs(number, gate.apply(report), net.uplink.vantage())
        summary = gate.conclude(examined.summary, net.uplink.vantage())
        outputs.tail(summary, net.uplink.vantage())
    return None if summary.interrupted else verdicts


async def _stream(targets: list[Target]) -> AsyncIterator[Target]:
    for target in targets:
        yield target


class _LoopbackNet(LocalNet):
    """This host, of which loopback alone matters: it may have no route to the Internet."""

    def __init__(self, nameserver: str) -> None:
        super().__init__(nameservers=[address_and_port(nameserver, 53)], timeout_s=TIMEOUT_S)
        self.kernel = _Elsewhere(None, TIMEOUT_S, self.resolver.answers)
        self.uplink = _Loopback((), self._answers, TIMEOUT_S)


class _Elsewhere(ThisHost):
    """The kernel of a host that serves none of the made-up hosts."""

    def is_own(self, address: str) -> bool:  # noqa: ARG002 - whichever it is
        """False: made-up hosts are elsewhere, wherever they are served."""
        return False


class _Loopback(LocalUplink):
    """An uplink that leads to loopback."""

    def vantage(self) -> Vantage:
        """Both families work."""
        return Vantage(source_ipv6="::1")
