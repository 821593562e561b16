"""``ipv6check firewall``: rules in, answers out. Nothing is sent, and nothing is asked of anybody.

Answers are the evaluator's, findings readiness's; here files become texts, and both become a
document or a table.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, Any

import typer

from ipv6check import __version__
from ipv6check.commands.parsing import Command, TableOrJson, Text, Texts, typer_app
from ipv6check.engine.results import result_of
from ipv6check.engine.rule_files import read_rules, text_of
from ipv6check.firewall.evaluate import Budget, PacketVerdict, judge
from ipv6check.firewall.model import IPV4, IPV6, RuleError
from ipv6check.firewall.names import ICMP, ICMPV6
from ipv6check.firewall.packets import described, packet
from ipv6check.firewall.readiness import (
    Comparison,
    Review,
    ReviewScope,
    review,
    rule_and_place,
    verdict_data,
)
from ipv6check.model import (
    SCHEMA_VERSION,
    Cause,
    Result,
    RunInfo,
    Status,
    TargetReport,
    Vantage,
    Verdict,
    verdict_of,
)
from ipv6check.model.text import count
from ipv6check.reports.formats import Style
from ipv6check.reports.sinks import terminal

EXIT_CODES = {
    Verdict.READY: 0,
    Verdict.DEGRADED: 0,
    Verdict.NOT_READY: 1,
    Verdict.UNKNOWN: 3,
}
MAX_PACKETS = 100_000
MAX_LABELS = 6
ERRORS = frozenset({1, 2, 3, 4})
CHECK = "firewall"
REFERENCE = "RFC 4890"

HELP = """Show what firewall rules allow over IPv6. Sends nothing; needs no root and no network.

RULES are the files of one host: ip6tables-save, iptables-save, ip6tables -S, nft list ruleset,
nft -j list ruleset, nftables.conf; their content says which. - is standard input. Without any,
the rules that are loaded on this host.

Answers are accept, drop, reject, or depends with its conditions: whatever is not certain depends.
Packets are assumed to come in on the interface that their source is routed over. Bridges, XDP and
a cloud's filters are not seen.

Exit codes: 0 nothing that breaks IPv6, 1 findings that do, 2 unreadable rules or usage,
3 undetermined, 4 internal error."""

EXAMPLES = """Examples:

\b
  ipv6check firewall rules.v4 rules.v6
  ipv6check firewall /etc/nftables.conf --packet tcp/8443 --packet icmpv6/2"""
PACKETS = "Packets to ask about"
app = typer_app()


@app.command("firewall", cls=Command, help=HELP, epilog=EXAMPLES)
def firewall(
    rules: Annotated[Texts, typer.Argument(metavar="[RULES]...", help="Files.")] = None,
    *,
    packet: Annotated[
        Texts,
        typer.Option(
            "--packet",
            metavar="PACKET",
            help="tcp/443, udp/53, icmpv6/packet-too-big or icmpv6/1/4. Repeatable.",
            rich_help_panel=PACKETS,
        ),
    ] = None,
    packets: Annotated[
        Text,
        typer.Option(
            "--packets",
            metavar="FILE",
            help="A JSON list of packets, answered in order under packets.",
            rich_help_panel=PACKETS,
        ),
    ] = None,
    iif: Annotated[
        str,
        typer.Option(
            "--iif",
            metavar="NAME",
            help="The interface that packets come in on [default: any but loopback].",
            show_default=False,
            rich_help_panel=PACKETS,
        ),
    ] = "",
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="ADDR",
            help="Their source: an address or prefix.",
            show_default=False,
            rich_help_panel=PACKETS,
        ),
    ] = "",
    destination: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="ADDR",
            help="Their destination: an address or prefix.",
            show_default=False,
            rich_help_panel=PACKETS,
        ),
    ] = "",
    forward: Annotated[
        bool,
        typer.Option("--forward", help="Packets that this host forwards.", rich_help_panel=PACKETS),
    ] = False,
    no_nft: Annotated[
        bool,
        typer.Option(
            "--no-nft",
            envvar="IPV6CHECK_NO_NFT",
            help="Do not run nft, in a namespace of its own, to read files.",
        ),
    ] = False,
    format: TableOrJson = "table",  # noqa: A002 - the option's name
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show findings only.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show every packet, and evidence.")
    ] = False,
) -> int:
    """Print what rules mean; the exit code. Raises RuleError."""
    return run(
        rules or [],
        packet=packet,
        packets=packets,
        iif=iif,
        source=source,
        destination=destination,
        forward=forward,
        no_nft=no_nft,
        format=format,
        quiet=quiet,
        verbose=verbose,
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """All that one call of the command has found. ``asked``: the user named the packets."""

    files: tuple[str, ...]
    asked: bool
    answers: tuple[PacketVerdict, ...]
    review: Review
    verdict: Verdict
    counts: Mapping[Status, int]
    results: tuple[Result, ...]
    notes: tuple[str, ...]
    started_at: str
    duration_ms: float


def run(
    paths: Sequence[str],
    *,
    packet: Sequence[str] | None,
    packets: str | None,
    iif: str,
    source: str,
    destination: str,
    forward: bool,
    no_nft: bool,
    format: str,  # noqa: A002 - the option's name
    quiet: bool,
    verbose: bool,
) -> int:
    """Print what rules mean, and return the exit code (docs/exit-codes.md). Raises RuleError."""
    named = tuple(packet or ())
    ports = tuple(dict.fromkeys(port for text in named if (port := _port(text))))
    question = ReviewScope(ports, iif, source, (destination,) if destination else (), forward)
    reading = examine(paths, named, packets, question, nft=not no_nft)
    if format == "json":
        sys.stdout.write(document(reading))
    else:
        sys.stdout.write(table(reading, terminal(quiet=quiet, verbose=verbose)))
    return EXIT_CODES[reading.verdict]


def _port(text: str) -> tuple[str, str] | None:
    probe = described(text)
    return (str(probe["proto"]), str(probe["dport"])) if "dport" in probe else None


def probes(path: str) -> list[Mapping[str, Any]]:
    """The packets of a file, a JSON list of objects. Raises RuleError."""
    text = text_of(Path(path))
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise RuleError(f"{path}:{line}: not JSON: {getattr(error, 'msg', 'too deep')}") from None
    if not isinstance(found, list) or not all(isinstance(packet, dict) for packet in found):
        raise RuleError(f"{path}: not a list of objects")
    if len(found) > MAX_PACKETS:
        raise RuleError(f"{path}: more than {MAX_PACKETS} packets")
    return found


def examine(
    paths: Sequence[str],
    named: Sequence[str],
    probes_path: str | None,
    question: ReviewScope,
    *,
    nft: bool,
) -> Reading:
    """Read the rules, ask about the packets, judge the answers. Raises RuleError."""
    began, started_at = time.perf_counter(), dt.datetime.now(dt.UTC)
    names, rules = read_rules(paths, nft=nft)
    asked: list[Mapping[str, Any]] = [probe for text in named for probe in _named(text, question)]
    if probes_path is not None:
        asked += [_numbered(probe, at) for at, probe in enumerate(probes(probes_path), 1)]
    answers, budget = [], Budget.of(rules)
    for at, probe in enumerate(asked, 1):
        try:
            answers.append(judge(rules, packet(probe), budget))
        except RuleError as error:
            place = f"{probes_path}: packet {at}: " if probes_path and at > len(named) else ""
            raise RuleError(f"{place}{error}") from None
    seen = review(rules, question)
    if not asked:
        answers = [
            answer for comparison in (*seen.ports, *seen.messages) for answer in _both(comparison)
        ]
    results = tuple(
        result_of(finding, CHECK, cause=Cause.FIREWALL, reference=REFERENCE)
        for finding in seen.findings
    )
    counts = {status: sum(result.status is status for result in results) for status in Status}
    verdict = verdict_of(results, frozenset())
    started = started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    took = (time.perf_counter() - began) * 1000
    return Reading(
        names,
        bool(asked),
        tuple(answers),
        seen,
        verdict,
        counts,
        results,
        tuple(rules.notes),
        started,
        took,
    )


def _named(text: str, question: ReviewScope) -> list[dict[str, Any]]:
    """The packets that one ``--packet`` means: both families; an ICMPv6 error known and stray."""
    probe = described(text)
    if "dport" in probe:
        port = str(probe["proto"]), str(probe["dport"])
        return [question.to_port(port, family) for family in (IPV6, IPV4)]
    asked = question.placed(probe)
    if probe["proto"] == "icmpv6" and probe["type"] in ERRORS:
        label = text.strip().lower()
        return [
            {**asked, "ct": "related", "id": f"{label} of a known flow"},
            {**asked, "id": f"{label}, stray"},
        ]
    return [asked]


def _numbered(probe: Mapping[str, Any], at: int) -> Mapping[str, Any]:
    return probe if "id" in probe else {**probe, "id": f"packet {at}"}


def _both(comparison: Comparison) -> list[PacketVerdict]:
    return [comparison.six] if comparison.four is None else [comparison.six, comparison.four]


def document(reading: Reading) -> str:
    """The answers as one JSON document; its shape is ``firewall`` in schema.json."""
    from ipv6check.reports.formats.json import encode, result_object  # noqa: PLC0415

    whole = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "ipv6check", "version": __version__},
        "started_at": reading.started_at,
        "duration_ms": round(reading.duration_ms, 1),
        "files": reading.files,
        "verdict": reading.verdict,
        "counts": reading.counts,
        "packets": [_packet_object(answer) for answer in reading.answers],
        "findings": [result_object(result) for result in reading.results],
        "notes": reading.notes,
        "headline": reading.review.headline,
    }
    return encode(whole) + "\n"


def _packet_object(answer: PacketVerdict) -> dict[str, object]:
    asked = answer.packet
    given = {key: value for key, value in asked.given.items() if key != "id"}
    return {"id": asked.label, "family": asked.family, **given, **verdict_data(answer)}


def report(reading: Reading) -> TargetReport:
    """The findings as one target's, for the reporters."""
    name = ", ".join(PurePath(file).name for file in reading.files) or "no rules on this host"
    return TargetReport(name, "", (), reading.verdict, reading.duration_ms, reading.results)


def table(reading: Reading, style: Style) -> str:
    """The findings, then the packets, those of one fate together."""
    from ipv6check.reports.formats import table as layout  # noqa: PLC0415

    run, vantage = RunInfo(__version__, reading.started_at), Vantage()
    passing = [] if style.verbose or reading.asked else [*filter(_passes, reading.answers)]
    groups: dict[tuple[str, str, str], list[str]] = {}
    for answer in reading.answers:
        if answer not in passing:
            reply = f" with {answer.reply}" if answer.reply else ""
            fate = (
                answer.verdict,
                f"IPv{answer.packet.family} {answer.verdict}{reply}",
                _why(answer),
            )
            groups.setdefault(fate, []).append(answer.packet.label)
    whole = style.verbose or reading.asked
    told = [
        (verdict, name, ", ".join(labels if whole else _first(labels)), why)
        for (verdict, name, why), labels in groups.items()
    ]
    if passing:
        number = count(len(passing), "ICMP message", "ICMP messages")
        told.append(("accept", "accept", f"{number} more, see them with -v", ""))
    packets = "" if style.quiet else layout.packets(told, style)
    notes = "".join(f"{note}\n" for note in reading.notes if style.verbose)
    said = f"{reading.review.headline}\n" if reading.review.headline and not style.quiet else ""
    return said + layout.target(report(reading), run, vantage, style) + packets + notes


def _first(labels: Sequence[str]) -> Sequence[str]:
    more = len(labels) - MAX_LABELS
    return labels if more <= 1 else [*labels[:MAX_LABELS], f"{more} more, see them with -v"]


def _passes(answer: PacketVerdict) -> bool:
    return answer.verdict == "accept" and answer.packet.protocol in {ICMP, ICMPV6}


def _why(answer: PacketVerdict) -> str:
    if answer.conditions:
        return "; ".join(answer.conditions)
    return "no rule" if answer.rule is None else rule_and_place(answer.rule)
