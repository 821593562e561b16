"""Sentences that several formats have."""

from __future__ import annotations

from collections.abc import Mapping

from ipv6check.model import (
    WORST_FIRST,
    Result,
    Summary,
    Vantage,
    Verdict,
    WaiverState,
)
from ipv6check.model.text import count


def vantage_problem(vantage: Vantage) -> str:
    """What is wrong with IPv6 on the checking host, and what to do; empty if nothing is known."""
    host = "this host" if vantage.kind == "local" else vantage.name
    detail = f" ({vantage.detail})" if vantage.detail else ""
    if vantage.ipv6 == "no":
        return (
            f"{host} has no IPv6 route, so only DNS could be checked: run it from a host with "
            "IPv6, or use --on-unknown pass in CI"
        )
    if vantage.ipv6 == "broken":
        return (
            f"{host} has an IPv6 route, but nothing answers over it{detail}: fix IPv6 on {host}, "
            "run it from another host, or use --on-unknown pass in CI"
        )
    return f"{host}: {vantage.detail}" if vantage.detail else ""


def excuse(result: Result) -> str:
    """The waiver or baseline that a result is in; empty if it is in neither."""
    waived = result.waived
    if waived is None:
        return "known: already in the baseline" if result.known else ""
    word = "waiver expired on" if waived.term is WaiverState.EXPIRED else "waived until"
    return f"{word} {waived.waiver.expires} by {waived.waiver.owner}: {waived.waiver.reason}"


def incomplete(summary: Summary) -> list[str]:
    """Why a report lacks some of the targets that were asked for, a sentence each; often empty."""
    reasons = ["interrupted: the remaining targets were not checked"] if summary.interrupted else []
    if summary.bad_lines:
        one, many = "input line is not a valid target", "input lines are not valid targets"
        reasons.append(count(summary.bad_lines, one, many))
    return reasons


def tally(summary: Summary) -> list[tuple[str, Verdict | None]]:
    """The number of targets by verdict: pieces of text, and the verdict of each coloured piece."""
    verdicts = _tally(summary.verdicts) if summary.verdicts or not summary.on_purpose else []
    if not summary.on_purpose:
        return verdicts
    return [*verdicts, (f"{'; ' if verdicts else ''}{on_purpose(summary)}", None)]


def on_purpose(summary: Summary) -> str:
    """How many targets have no IPv6 on purpose, as a clause."""
    return f"{count(summary.on_purpose, 'target', 'targets')} without IPv6 on purpose"


def _tally(verdicts: Mapping[Verdict, int]) -> list[tuple[str, Verdict | None]]:
    total = sum(verdicts.values())
    present = [verdict for verdict in WORST_FIRST if verdicts.get(verdict)]
    targets = count(total, "target", "targets") if total else "no targets"
    if len(present) == 1:
        return [(f"{targets} ", None), (_word(present[0]), present[0])]
    pieces: list[tuple[str, Verdict | None]] = [(targets, None)]
    for verdict in present:
        pieces.append((", " if len(pieces) > 1 else ": ", None))
        pieces.append((f"{verdicts[verdict]} {_word(verdict)}", verdict))
    return pieces


def _word(verdict: Verdict) -> str:
    return verdict.replace("-", " ")
