"""What is tried again, and what several attempts at one target add up to. Pure.

Only what may change by itself is worth another attempt (`model.TRANSIENT_KINDS`), and only where
something is not well. Of each check the best attempt counts, and every result tells of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from ipv6check.engine.facts import everything
from ipv6check.model import TRANSIENT_KINDS, Echo, Failure, Result, Status

# What says most of a target comes first: what was measured goes before what could not be.
BEST_FIRST = (
    Status.PASS,
    Status.WARN,
    Status.FAIL,
    Status.UNKNOWN,
    Status.ERROR,
    Status.SKIP,
)
_NOT_WELL = frozenset({Status.FAIL, Status.WARN, Status.UNKNOWN})
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}

Results = Sequence[Result]


def worth_another(results: Results, facts: Mapping[str, Any]) -> bool:
    """Whether what is not well may be well a moment later."""
    return any(result.status in _NOT_WELL for result in results) and any(
        _may_pass(fact) for fact in everything(facts.values())
    )


def _may_pass(fact: Any) -> bool:
    """Whether this is a failure that passes, or a packet was lost."""
    if isinstance(fact, Failure):
        return fact.kind in TRANSIENT_KINDS
    if isinstance(fact, Echo):
        return fact.received < fact.sent
    return bool(getattr(fact, "retransmissions", 0))


def best(attempts: Sequence[Results]) -> Results:
    """What the attempts add up to; each has its results by check, the checks in the same order."""
    if len(attempts) == 1:
        return attempts[0]
    by_check = zip(*map(_by_check, attempts), strict=True)
    return [result for tries in by_check for result in _best(tries)]


def _by_check(results: Results) -> list[list[Result]]:
    return [list(group) for _, group in groupby(results, key=lambda result: result.check)]


def _best(tries: Sequence[Results]) -> Results:
    """The results of one check in its best attempt, the later one among equals."""
    ranks = [BEST_FIRST.index(_worst(results).status) for results in tries]
    chosen = max(range(len(tries)), key=lambda number: (-ranks[number], number))
    first, *rest = tries[chosen]
    told = [{"status": worst.status, "message": worst.message} for worst in map(_worst, tries)]
    message = first.message
    if len({_essence(results) for results in tries}) > 1:
        message += f" ({_others([attempt['status'] for attempt in told], chosen)})"
    return [replace(first, message=message, evidence={**first.evidence, "tries": told}), *rest]


def _worst(results: Results) -> Result:
    return max(results, key=lambda result: BEST_FIRST.index(result.status))


def _essence(results: Results) -> frozenset[tuple[Status, str]]:
    """What makes two attempts of a check alike: of what is well there is no more to say."""
    return frozenset(
        (result.status, "" if result.status is Status.PASS else result.subject)
        for result in results
    )


def _others(statuses: Sequence[str], chosen: int) -> str:
    before, after = ", ".join(statuses[:chosen]), ", ".join(statuses[chosen + 1 :])
    others = [f"{when}: {what}" for when, what in (("before", before), ("after", after)) if what]
    return f"at the {_ordinal(chosen + 1)} attempt of {len(statuses)}; {'; '.join(others)}"


def _ordinal(number: int) -> str:
    return f"{number}{_ENDINGS.get(number, 'th')}"
