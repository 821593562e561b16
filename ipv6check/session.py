"""One run from end to end: options and targets in, documents and an exit code out."""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ipv6check import __version__, plugin, reporters
from ipv6check.config import Options
from ipv6check.eyeballs import clients
from ipv6check.gate import Baseline, Gatekeeper
from ipv6check.model import Gate, RunInfo, Settings, Summary, TargetReport
from ipv6check.net import Net
from ipv6check.net.local import LocalNet
from ipv6check.output import Console, OutputError, Outputs, SavedFile, Sink, terminal
from ipv6check.progress import Progress, progress
from ipv6check.runner import Assignment, Run
from ipv6check.target import Target, TargetError, address_and_port
from ipv6check.targets import Seen, TargetStream, open_input

OK, FINDINGS, USAGE, BLIND, INTERRUPTED = 0, 1, 2, 3, 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)

# For one target the loss is worth three pings; a long list is asked politely.
FEW_TARGETS = 16

NetFactory = Callable[[Settings, int | None], Net]


@dataclass(slots=True)
class Named:
    """What the user named: targets on the command line, then the lines of an input."""

    targets: Sequence[Target]
    stream: TargetStream | None = None
    broke_off: bool = False

    @property
    def bad(self) -> int:
        """How many lines named no target, and one more where the input could not be read on."""
        return self.broke_off + (self.stream.bad if self.stream is not None else 0)

    @property
    def total(self) -> int | None:
        """How many targets there are, None while nobody knows."""
        return None if self.stream is not None else len(self.targets)

    async def __aiter__(self) -> AsyncIterator[Target]:
        """Every target, once. After a stop no more lines are read."""
        for target in self.targets:
            yield target
        if self.stream is None:
            return
        try:
            async for target in self.stream:
                yield target
        except TargetError as error:
            self.broke_off = True
            _complain(str(error))


def local_net(settings: Settings, total: int | None) -> Net:
    """This host as the vantage of a run of so many targets, None for nobody knows how many."""
    return LocalNet(
        nameservers=[address_and_port(server, 53) for server in settings.nameservers],
        timeout_s=settings.timeout_s,
        controls=settings.controls,
        pings=3 if total is not None and total <= FEW_TARGETS else 1,
    )


def check(
    options: Options,
    targets: Sequence[Target],
    input_path: str | None = None,
    net: NetFactory = local_net,
) -> int:
    """Run the checks and print the reports; the exit code of design.md.

    Raises ClientsError, PluginError, ReportError, RuleError, TargetError or OutputError, before any
    packet is sent.
    """
    settings = _with_rules(options)
    clients.load(settings.clients_dirs)
    found = plugin.find(options.checks_dir)
    _know_checks(options, found)
    seen = Seen()
    distinct = [target for target in targets if seen.add(target)]
    stream = None
    if input_path is not None:
        name, file = (input_path, input_path) if input_path != "-" else ("standard input", "")
        stream = TargetStream(open_input(input_path), name, _complain, seen, file)
    named = Named(distinct, stream)
    settings = replace(settings, brief=named.total is None or named.total > FEW_TARGETS)
    assignments = _assignments(options, settings, found)
    whole = bool(options.services) and {*distinct} >= {*options.targets}
    live = progress(sys.stderr, named.total, quiet=options.quiet or options.format == "json")
    with _baseline(options) as baseline, live:
        keeper = Gatekeeper(
            options.fail_on, options.on_unknown, options.waivers, baseline, whole=whole
        )
        sinks = _sinks(options, live, many=named.total != 1)
        summary, broken = asyncio.run(_run(assignments, keeper, named, net, sinks, live))
    for line in filter(None, broken):
        _complain(line)
    code = exit_code(summary, bad_lines=named.bad, lost=len(broken))
    return sinks[0].stream.exit_code(code)


@contextmanager
def _baseline(options: Options) -> Iterator[Baseline | None]:
    """The baseline, read whole; None without one."""
    if options.baseline is None:
        yield None
        return
    from ipv6check.baseline import opened  # noqa: PLC0415 - few runs have one

    with opened(options.baseline) as baseline:
        if baseline.caveat:
            _complain(baseline.caveat)
        yield baseline


def _assignments(
    options: Options, settings: Settings, found: plugin.Found
) -> Mapping[str, Assignment]:
    """What is done with the targets of each service, and with those of none."""
    assigned = {"": _assignment(settings, found)}
    for service in options.services:
        own = replace(
            settings,
            profile=service.judged_by(options.profile),
            ports=service.ports or settings.ports,
        )
        assigned[service.name] = replace(
            _assignment(own, found), owner=service.owner, requires=service.vantage
        )
    return assigned


def _assignment(settings: Settings, found: plugin.Found) -> Assignment:
    return Assignment(found.plan(settings.only, settings.skip, settings.profile), settings)


def _know_checks(options: Options, found: plugin.Found) -> None:
    """Raises PluginError where a service or a waiver names a check that does not exist."""
    named = [(waiver.check, waiver.place) for waiver in options.waivers]
    named += [(check, each.place) for each in options.services for check in each.severity]
    for check, place in named:
        try:
            found.require(check)
        except plugin.PluginError as error:
            at = f"{place.file}:{place.line}: " if place is not None else ""
            raise plugin.PluginError(f"{at}{error}") from None


def _with_rules(options: Options) -> Settings:
    if not options.firewall:
        return options.settings
    from ipv6check import rulefiles  # noqa: PLC0415 - few runs have rules

    _, rules = rulefiles.read_rules([str(path) for path in options.firewall])
    return replace(options.settings, rules=rules)


def exit_code(summary: Summary, *, bad_lines: int, lost: int) -> int:
    """What the run means to a gate. ``lost``: documents that could not be written to their end."""
    gates = (
        (lost, USAGE),
        (summary.interrupted, INTERRUPTED),
        (bad_lines, USAGE),
        (summary.gate is Gate.FAILED, FINDINGS),
        (summary.gate is Gate.UNKNOWN, BLIND),
    )
    return next((code for reached, code in gates if reached), OK)


async def _run(
    assignments: Mapping[str, Assignment],
    keeper: Gatekeeper,
    named: Named,
    net_factory: NetFactory,
    sinks: Sequence[Sink],
    live: Progress,
) -> tuple[Summary, list[str]]:
    """The summary, and a line for each document that could not be written to its end."""
    started_at = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    net = net_factory(assignments[""].settings, named.total)

    def info() -> RunInfo:
        return RunInfo(__version__, started_at.replace("+00:00", "Z"), net.vantage())

    outputs = Outputs(sinks, info)

    async def emit(number: int, report: TargetReport) -> None:
        await outputs(number, keeper.applied(report))

    run = Run(assignments, net, emit, live)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        run.stop()
        if named.stream is not None:
            named.stream.stop()

    outputs.gone = stop
    for number in SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        outputs.head()
        summary = keeper.concluded(await run.run(named), net.vantage())
        outputs.tail(summary)
    except BaseException:
        outputs.discard()
        raise
    finally:
        net.close()
        for number in SIGNALS:
            loop.remove_signal_handler(number)
    return summary, outputs.broken


def _sinks(options: Options, live: Progress, *, many: bool) -> list[Sink]:
    """Every document of the run, opened: what cannot be written is known before it begins."""
    plain = reporters.Style(verbose=options.verbose, quiet=options.quiet, many=many)
    style = terminal(quiet=options.quiet, verbose=options.verbose, many=many)
    sinks: list[Sink] = []
    try:
        for format_, path in options.save:
            sinks.append(SavedFile(reporters.Stream(reporters.load(format_), plain), path))
    except OutputError:
        for sink in sinks:
            sink.discard()
        raise
    console = reporters.Stream(reporters.load(options.format), style)
    return [Console(console, sys.stdout, live), *sinks]


def _complain(line: str) -> None:
    sys.stderr.write(f"ipv6check: {line}\n")
