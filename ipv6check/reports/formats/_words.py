"""Sentences that more than one format says."""

from __future__ import annotations

from collections.abc import Mapping

from ipv6check.model import WORST_FIRST, Summary, Vantage, Verdict
from ipv6check.model.text import count


def of_vantage(vantage: Vantage) -> str:
    """What ails this host, and what to do; empty where nothing is known to."""
    here = "this host" if vantage.kind == "local" else vantage.name
    detail = f" ({vantage.detail})" if vantage.detail else ""
    if vantage.ipv6 == "no":
        return (
            f"{here} has no IPv6 route, and without one only DNS can be judged: run it from a host "
            "with IPv6, or in CI accept it with --on-unknown pass"
        )
    if vantage.ipv6 == "broken":
        return (
            f"{here} has an IPv6 route, but nothing answers over it{detail}: fix IPv6 here or "
            "run it from another host; in CI accept it with --on-unknown pass"
        )
    return f"{here}: {vantage.detail}" if vantage.detail else ""


def tally(summary: Summary) -> list[tuple[str, Verdict | None]]:
    """How many targets are of which verdict: words, and the verdict that each tells of."""
    own = _tally(summary.verdicts) if summary.verdicts or not summary.on_purpose else []
    apart = f"{'; ' if own else ''}{on_purpose(summary)}"
    return [*own, (apart, None)] if summary.on_purpose else own


def on_purpose(summary: Summary) -> str:
    """How many targets stand apart, as a clause."""
    return f"{count(summary.on_purpose, 'target', 'targets')} without IPv6 on purpose"


def _tally(verdicts: Mapping[Verdict, int]) -> list[tuple[str, Verdict | None]]:
    total = sum(verdicts.values())
    told = [verdict for verdict in WORST_FIRST if verdicts.get(verdict)]
    targets = count(total, "target", "targets") if total else "no targets"
    if len(told) == 1:
        return [(f"{targets} ", None), (_word(told[0]), told[0])]
    parts: list[tuple[str, Verdict | None]] = [(targets, None)]
    for verdict in told:
        parts.append((", " if len(parts) > 1 else ": ", None))
        parts.append((f"{verdicts[verdict]} {_word(verdict)}", verdict))
    return parts


def _word(verdict: Verdict) -> str:
    return verdict.replace("-", " ")
