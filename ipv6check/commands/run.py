"""One run from end to end: options and targets in, documents and an exit code out."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ipv6check import __version__, engine
from ipv6check.commands import debug
from ipv6check.config.options import Options
from ipv6check.config.target import Target, TargetError, address_and_port
from ipv6check.config.target_stream import RecentTargets, TargetStream, open_input
from ipv6check.config.workflow import located, repository_root
from ipv6check.engine import services
from ipv6check.engine.checks import texts
from ipv6check.engine.observe import RecordedTarget
from ipv6check.engine.plan import ServicePlan
from ipv6check.engine.unused import UnusedOptions
from ipv6check.model import (
    GateOutcome,
    RecordingError,
    RunInfo,
    Settings,
    Summary,
    Vantage,
)
from ipv6check.net import Net
from ipv6check.net.local import LocalNet
from ipv6check.reports import formats
from ipv6check.reports.gate import EarlierReport, Gate
from ipv6check.reports.progress import Progress, progress
from ipv6check.reports.sinks import (
    AppendedFile,
    Console,
    OutputError,
    Outputs,
    SavedFile,
    Sink,
    terminal,
)

if TYPE_CHECKING:
    from ipv6check.reports.replay import Recording

OK, FINDINGS, USAGE, BLIND, INTERRUPTED = 0, 1, 2, 3, 130
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# For one target the loss is worth three pings; a long list is asked politely.
FEW_TARGETS = 16

NetFactory = Callable[[Settings, int | None], Net]


@dataclass(slots=True)
class TargetSource:
    """What the user named: targets on the command line, then those of an input or a recording.

    ``total``: how many there are, None while nobody knows. ``seen``: is called with each.
    """

    targets: Sequence[Target]
    seen: Callable[[Target], None]
    total: int | None
    stream: TargetStream | None = None
    recording: Recording | None = None
    broke_off: bool = False

    async def __aiter__(self) -> AsyncIterator[Target | RecordedTarget]:
        """Every target, once. After a stop no more lines are read."""
        for target in self.targets:
            self.seen(target)
            yield target
        try:
            if self.stream is not None:
                async for target in self.stream:
                    self.seen(target)
                    yield target
            if self.recording is not None:
                async for recorded in self.recording:
                    self.seen(recorded.target)
                    yield recorded
        except (TargetError, RecordingError) as error:
            self.broke_off = True
            _complain(str(error))

    def stop(self) -> None:
        """Name no more."""
        for further in (self.stream, self.recording):
            if further is not None:
                further.stop()

    def conclude(self, summary: Summary) -> Summary:
        """The summary with the lines that named no target, and the end of a recording."""
        bad = self.broke_off + (self.stream.bad if self.stream is not None else 0)
        summary = replace(summary, bad_lines=bad)
        return summary if self.recording is None else self.recording.concluded(summary)


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
    """Run the checks and print the reports; the exit code (docs/exit-codes.md).

    Raises ClientsError, PluginError, ReportError, RuleError, TargetError or OutputError, before any
    packet is sent.
    """
    recent = RecentTargets()
    root = repository_root(Path.cwd(), os.environ)
    distinct = [target for target in located(targets, root, os.environ) if recent.add(target)]
    total = None if input_path is not None else len(distinct)
    jobs = engine.plans(options, brief=total is None or total > FEW_TARGETS)
    stream = None
    if input_path is not None:
        name, file = (input_path, input_path) if input_path != "-" else ("standard input", "")
        stream = TargetStream(open_input(input_path), name, _complain, recent, file, options.named)
    unused = UnusedOptions(options, jobs)
    unused.require_checks(jobs if stream else dict.fromkeys(target.service for target in distinct))
    if stream is None:
        unused.refuse(distinct)
    source = TargetSource(distinct, unused.see, total, stream)
    run = RunInfo(__version__, now(), total, services.recordable(jobs))
    whole = bool(options.services) and {*distinct} >= {*options.targets}
    return _print(
        options, source, jobs, run, unused, lambda: net(options.settings, total), whole=whole
    )


def replay(options: Options) -> int:
    """Judge a recording again and print the reports; the exit code (docs/exit-codes.md). No packet.

    Raises ClientsError, PluginError, RecordingError, RuleError or OutputError.
    """
    from ipv6check.reports.replay import Recording  # noqa: PLC0415 - few runs are replayed

    assert options.replay is not None
    with closing(Recording(options.replay)) as recording:
        jobs = services.plans_again(recording.run.services, options)
        unused = UnusedOptions(options, jobs)
        unused.require_checks(jobs)
        run = replace(recording.run, version=__version__)
        source = TargetSource((), unused.see, run.total, recording=recording)
        return _print(options, source, jobs, run, unused)


def _print(
    options: Options,
    source: TargetSource,
    jobs: Mapping[str, ServicePlan],
    run: RunInfo,
    unused: UnusedOptions,
    open_net: Callable[[], Net] | None = None,
    *,
    whole: bool = False,
) -> int:
    """Examine the targets and print the reports. ``open_net``: None where all were recorded."""
    silent = options.quiet or options.format == "json" or debug.enabled()
    live = progress(sys.stderr, source.total, quiet=silent)
    with _baseline(options) as baseline, live:
        gate = Gate(
            options.fail_on,
            options.on_unknown,
            options.waivers,
            baseline,
            whole=whole,
            configured=frozenset(
                name for target in options.targets for name in (target.text.lower(), target.host)
            ),
        )
        outputs = Outputs(_sinks(options, live, many=source.total != 1), _here(run, jobs))
        summary = asyncio.run(_run(source, jobs, gate, outputs, unused, live, open_net))
    for line in filter(None, outputs.broken):
        _complain(line)
    return outputs.exit_code(exit_code(summary, lost=len(outputs.broken)))


async def _run(
    source: TargetSource,
    jobs: Mapping[str, ServicePlan],
    gate: Gate,
    outputs: Outputs,
    unused: UnusedOptions,
    live: Progress,
    open_net: Callable[[], Net] | None,
) -> Summary:
    net = open_net() if open_net is not None else None

    def vantage() -> Vantage:
        if net is not None:
            return net.uplink.vantage()
        assert source.recording is not None
        return source.recording.vantage

    run = engine.run(jobs, source, net, keep=outputs.keeps, ahead=outputs.ahead, watch=live)

    def stop() -> None:
        run.stop()
        source.stop()

    try:
        with stopped_by_signals(stop):
            outputs.head(vantage())
            if outputs.gone:
                stop()
            async for number, report in run:
                outputs(number, gate.apply(report), vantage())
                if outputs.gone:
                    stop()
        summary = gate.conclude(source.conclude(run.summary), vantage())
        if not summary.interrupted:
            summary = replace(summary, notes=(*summary.notes, *unused.notes()))
        outputs.tail(summary, vantage())
    except BaseException:
        outputs.discard()
        raise
    finally:
        if net is not None:
            net.close()
    return summary


@contextmanager
def _baseline(options: Options) -> Iterator[EarlierReport | None]:
    """The baseline, read whole; None without one."""
    if options.baseline is None:
        yield None
        return
    from ipv6check.reports.baseline import opened  # noqa: PLC0415 - few runs have one

    with opened(options.baseline) as baseline:
        if baseline.caveat:
            _complain(baseline.caveat)
        yield baseline


def exit_code(summary: Summary, *, lost: int) -> int:
    """What the run means to a gate. ``lost``: documents that could not be written to their end."""
    gates = (
        (lost, USAGE),
        (summary.interrupted, INTERRUPTED),
        (summary.bad_lines, USAGE),
        (summary.gate is GateOutcome.FAILED, FINDINGS),
        (summary.gate is GateOutcome.UNKNOWN, BLIND),
    )
    return next((code for reached, code in gates if reached), OK)


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` for a signal. One that is ignored stays so: that is what nohup asks for."""
    loop = asyncio.get_running_loop()
    numbers = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _here(run: RunInfo, jobs: Mapping[str, ServicePlan]) -> RunInfo:
    """The run with what no recording holds: the rules of its checks, and where it works."""
    checks = {check.id: check for job in jobs.values() for check in job.plan.checks}
    rules = texts.RuleDocs(tuple(checks.values()))
    here = Path.cwd()
    root = repository_root(here, os.environ)
    return replace(run, rules=rules, directory=str(here), root=str(root))


def now() -> str:
    """The time as reports have it, to the millisecond in UTC (RFC 3339)."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    return now.replace("+00:00", "Z")


def _sinks(options: Options, live: Progress, *, many: bool) -> list[Sink]:
    """Every document of the run, opened: what cannot be written is known before it begins."""
    plain = formats.Style(verbose=options.verbose, quiet=options.quiet, many=many)
    style = terminal(quiet=options.quiet, verbose=options.verbose, many=many)
    sinks: list[Sink] = []
    paths: set[Path] = set()
    try:
        for format_, path in options.save:
            saved = SavedFile(formats.Renderer(formats.load(format_), plain), path)
            sinks.append(saved)
            _claim(saved, paths)
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if options.format == "github" and summary:
            stream = formats.Renderer(formats.load("markdown"), plain)
            sinks.append(AppendedFile(stream, Path(summary)))
    except OutputError:
        for sink in sinks:
            sink.discard()
        raise
    console = formats.Renderer(formats.load(options.format), style)
    return [Console(console, sys.stdout, live), *sinks]


def _claim(saved: SavedFile, paths: set[Path]) -> None:
    """Raises OutputError where one report would take the place of another."""
    if saved.whole and saved.path in paths:
        raise OutputError(f"{saved.name} cannot be written: another --save writes it too")
    paths.add(saved.path)


def _complain(line: str) -> None:
    sys.stderr.write(f"ipv6check: {line}\n")
