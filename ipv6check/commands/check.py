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

from ipv6check import __version__
from ipv6check.config.options import Options
from ipv6check.config.target import Target, TargetError, address_and_port
from ipv6check.config.target_stream import RecentTargets, TargetStream, open_input
from ipv6check.config.workflow import located, repository_root
from ipv6check.engine import services as assignments
from ipv6check.engine.checks import loader, texts
from ipv6check.engine.observe import Recorded
from ipv6check.engine.run import Assignment, Run
from ipv6check.engine.untouched import Untouched
from ipv6check.eyeballs import clients
from ipv6check.model import (
    GateOutcome,
    RecordingError,
    RunInfo,
    Settings,
    Summary,
    TargetReport,
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
class Named:
    """What the user named: targets on the command line, then those of an input or a recording.

    ``total``: how many there are, None while nobody knows.
    """

    targets: Sequence[Target]
    stream: TargetStream | Recording | None = None
    total: int | None = None
    broke_off: bool = False
    seen: Callable[[Target], None] = lambda _: None

    @property
    def bad(self) -> int:
        """How many lines named no target, and one more where the input could not be read on."""
        return self.broke_off + (self.stream.bad if self.stream is not None else 0)

    async def __aiter__(self) -> AsyncIterator[Target | Recorded]:
        """Every target, once. After a stop no more lines are read."""
        for target in self.targets:
            self.seen(target)
            yield target
        if self.stream is None:
            return
        try:
            async for named in self.stream:
                self.seen(named.target if isinstance(named, Recorded) else named)
                yield named
        except (TargetError, RecordingError) as error:
            self.broke_off = True
            _complain(str(error))

    def stop(self) -> None:
        """Name no more."""
        if self.stream is not None:
            self.stream.stop()


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
    settings = assignments.with_rules(options)
    clients.load(settings.clients_dirs)
    found = loader.find(options.checks_dir)
    assignments.require_checks(options, found)
    seen = RecentTargets()
    root = repository_root(Path.cwd(), os.environ)
    distinct = [target for target in located(targets, root, os.environ) if seen.add(target)]
    stream = None
    if input_path is not None:
        name, file = (input_path, input_path) if input_path != "-" else ("standard input", "")
        stream = TargetStream(open_input(input_path), name, _complain, seen, file, options.named)
    named = Named(distinct, stream, None if stream is not None else len(distinct))
    settings = replace(settings, brief=named.total is None or named.total > FEW_TARGETS)
    terms = assignments.of_services(options, settings, found)
    untouched = Untouched(options, terms)
    untouched.require_checks(terms if stream else dict.fromkeys(each.service for each in distinct))
    if stream is None:
        untouched.refuse(distinct)
    whole = bool(options.services) and {*distinct} >= {*options.targets}

    services = {name: assignments.recordable(each) for name, each in terms.items()}
    started_at = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    info = RunInfo(__version__, started_at, named.total, services)
    return _report(options, untouched, named, info, lambda: net(settings, named.total), whole=whole)


def replay(options: Options) -> int:
    """Judge a recording again and print the reports; the exit code of design.md. No packet.

    Raises ClientsError, PluginError, RecordingError, RuleError or OutputError.
    """
    from ipv6check.reports.replay import Recording  # noqa: PLC0415 - few runs are replayed

    assert options.replay is not None
    with closing(Recording(options.replay)) as recording:
        return _replay(options, recording)


def _replay(options: Options, recording: Recording) -> int:
    clients.load(options.clients_dir)
    found = loader.find(options.checks_dir)
    assignments.require_checks(options, found)
    terms = assignments.of_recording(recording.run.services, options, found)
    info = replace(recording.run, version=__version__)
    named = Named((), recording, recording.run.total)
    untouched = Untouched(options, terms)
    untouched.require_checks(terms)
    return _report(options, untouched, named, info, recording, whole=False)


def _report(
    options: Options,
    untouched: Untouched,
    named: Named,
    info: RunInfo,
    source: Callable[[], Net] | Recording,
    *,
    whole: bool,
) -> int:
    live = progress(sys.stderr, named.total, quiet=options.quiet or options.format == "json")
    with _baseline(options) as baseline, live:
        gate = Gate(
            options.fail_on,
            options.on_unknown,
            options.waivers,
            baseline,
            whole=whole,
            configured=frozenset(
                name for each in options.targets for name in (each.text.lower(), each.host)
            ),
        )
        sinks = _sinks(options, live, many=named.total != 1)
        summary, broken = asyncio.run(
            _run(untouched, gate, named, _placed(info, untouched.terms), source, sinks, live)
        )
    for line in filter(None, broken):
        _complain(line)
    code = exit_code(summary, lost=len(broken))
    return sinks[0].renderer.exit_code(code)


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


async def _run(
    untouched: Untouched,
    gate: Gate,
    named: Named,
    info: RunInfo,
    source: Callable[[], Net] | Recording,
    sinks: Sequence[Sink],
    live: Progress,
) -> tuple[Summary, list[str]]:
    """The summary, and a line for each document that could not be written to its end."""
    net, recording = (source(), None) if callable(source) else (None, source)
    named.seen = untouched.see

    def vantage() -> Vantage:
        if net is not None:
            return net.uplink.vantage()
        assert recording is not None
        return recording.vantage

    def stop() -> None:
        run.stop()
        named.stop()

    outputs = Outputs(sinks, info, stop)

    async def emit(number: int, report: TargetReport) -> None:
        await outputs(number, gate.apply(report), vantage())

    run = Run(untouched.terms, net, emit, live, keep=outputs.keeps)
    try:
        with _stopped_by_signals(stop):
            outputs.head(vantage())
            summary = replace(await run.run(named), bad_lines=named.bad)
        if recording is not None:
            summary = recording.concluded(summary)
        summary = gate.conclude(summary, vantage())
        if not summary.interrupted:
            summary = replace(summary, notes=(*summary.notes, *untouched.notes()))
        outputs.tail(summary, vantage())
    except BaseException:
        outputs.discard()
        raise
    finally:
        if net is not None:
            net.close()
    return summary, outputs.broken


@contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
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


def _placed(info: RunInfo, terms: Mapping[str, Assignment]) -> RunInfo:
    """The run with what no recording holds: the rules of its checks, and where it works."""
    checks = {check.id: check for each in terms.values() for check in each.plan.checks}
    rules = texts.RuleTexts(tuple(checks.values()))
    here = Path.cwd()
    root = repository_root(here, os.environ)
    return replace(info, rules=rules, directory=str(here), root=str(root))


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
