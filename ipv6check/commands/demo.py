"""``ipv6check demo``: the real checks against five made-up hosts, without leaving this machine."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ipv6check.commands import check
from ipv6check.commands.demo_servers import Host, Ipv6, Served, has_ipv6, serve
from ipv6check.config.options import Options
from ipv6check.config.target import address_and_port, parse
from ipv6check.model import Settings, Vantage, Verdict
from ipv6check.net import Net
from ipv6check.net.local import LocalNet
from ipv6check.reports.sinks import OutputError

# What is served, and what has to be found.
HOSTS = {
    Host("healthy.demo.example"): Verdict.READY,
    Host("incident.demo.example", Ipv6.SILENT): Verdict.NOT_READY,
    Host("refused.demo.example", Ipv6.REFUSED): Verdict.NOT_READY,
    Host("no-aaaa.demo.example", Ipv6.ABSENT): Verdict.NOT_READY,
    Host("late-aaaa.demo.example", late_s=0.2): Verdict.DEGRADED,
}
TIMEOUT_S = 1.0

INTRO = """\
Five made-up hosts, served on ::1 and 127.0.0.1 by this very process: one is
healthy, four are broken in ways that a browser hides. No packet leaves.

"""
OUTRO = "\nNow yours: ipv6check example.com\n"
NO_IPV6 = "ipv6check: the demo runs on the IPv6 loopback address ::1, and this machine has none\n"


def run() -> int:
    """Show what the checks say; 0 if that is what they should, 1 if not, 3 without ``::1``."""
    if not has_ipv6():
        sys.stderr.write(NO_IPV6)
        return check.BLIND
    _say(INTRO)
    with serve(tuple(HOSTS)) as served:
        code, found = _check(served)
    if code == check.INTERRUPTED:
        return code
    _say(OUTRO)
    wrong = [
        f"{host.name} is {found[host.name]}, should be {verdict}"
        for host, verdict in HOSTS.items()
        if found[host.name] != verdict
    ]
    for line in wrong:
        sys.stderr.write(f"ipv6check: the demo went wrong: {line}\n")
    return check.FINDINGS if wrong else check.OK


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()  # what is checked may write past this buffer


def _check(served: Served) -> tuple[int, Mapping[str, str]]:
    """Print the table of ``ipv6check check``; its exit code, and the verdicts by host."""
    try:
        directory = tempfile.TemporaryDirectory(prefix="ipv6check-demo-")
    except OSError as error:
        raise OutputError(f"the demo has no place for its report: {error.strerror}") from error
    with directory as name:
        report = Path(name, "report.json")
        options = Options(
            nameserver=(served.nameserver,),
            timeout=TIMEOUT_S,
            internal=True,
            no_controls=True,
            save=(("json", report),),
        )
        code = check.check(options, [parse(text) for text in served.targets], net=_net)
        targets = json.loads(report.read_text("utf-8"))["targets"]
    return code, {target["host"]: target["verdict"] for target in targets}


class _Loopback(LocalNet):
    """This host, of which loopback alone matters: it may have no route to the Internet."""

    def vantage(self) -> Vantage:
        return Vantage(source_ipv6="::1")

    def is_own(self, address: str) -> bool:  # noqa: ARG002 - whichever it is
        return False  # made-up hosts are elsewhere, wherever they are served


def _net(settings: Settings, _total: int | None) -> Net:
    nameservers = [address_and_port(server, 53) for server in settings.nameservers]
    return _Loopback(nameservers=nameservers, timeout_s=settings.timeout_s)
