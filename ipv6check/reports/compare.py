"""Comparison of two reports of one target: what became better or worse. Pure.

``pass`` and ``skip`` rank best, then ``warn``, then ``fail``. ``unknown`` and ``error`` have no
rank: a finding that could not be measured has neither appeared nor disappeared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import zip_longest
from types import MappingProxyType
from typing import NamedTuple

from ipv6check.model import Result, Status, TargetReport

FINE = 0
RANKS: Mapping[Status, int] = MappingProxyType(
    {Status.PASS: FINE, Status.SKIP: FINE, Status.WARN: 1, Status.FAIL: 2}
)
# A seen fault comes before what could not be measured, and that before what is fine.
_RANKS_WORST_FIRST = (2, 1, None, FINE)


class ChangeKind(StrEnum):
    """How a result differs, the most interesting first."""

    LOST = "lost"
    CHANGED = "changed"
    NEW = "new"
    GAINED = "gained"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two reports; ``old`` or ``new`` is None where there is no result."""

    kind: ChangeKind
    check: str
    old: Result | None
    new: Result | None

    @property
    def subject(self) -> str:
        """The subject of the new result, else of the old one."""
        result = self.new or self.old
        return result.subject if result else ""


class _Pair(NamedTuple):
    """Two results to compare. ``certain``: no other result could be the counterpart of either."""

    old: Result | None
    new: Result | None
    certain: bool


def compare(old: TargetReport, new: TargetReport) -> tuple[Change, ...]:
    """The differences, worst first, then by check and subject; empty if there are none.

    Results are paired by check and subject. Of several with the same check and subject the worst
    counts.

    The other results of a check are compared as a whole, because a renumbered address is a new
    subject but no new fault: results of equal rank are paired, then the worst with the worst, and
    the rest with nothing, which ranks as fine. So a host that is as broken on its new address as on
    its old one is ``changed``, and a second broken address is ``lost``. Where a result of the check
    is unknown, or one report did not run the check, no such pair is gained or lost: the counterpart
    of a result may be one that was not measured.

    ``compare(new, old)`` has ``gained`` where ``compare(old, new)`` has ``lost``.
    """
    changes = [
        Change(kind, check, pair.old, pair.new)
        for check, pair in _pairs(old.results, new.results)
        if (kind := _kind(pair)) is not None
    ]
    order = [*ChangeKind]
    return tuple(
        sorted(changes, key=lambda change: (order.index(change.kind), change.check, change.subject))
    )


def known(old: TargetReport, new: TargetReport) -> TargetReport:
    """``new``; each fault whose counterpart in ``old`` was as bad or worse is marked ``known``.

    Stricter than "not lost": no fault is known that was unknown before, or whose check did not run.
    """
    counterparts = {
        (check, pair.new.subject): _rank(pair.old)
        for check, pair in _pairs(old.results, new.results)
        if pair.old is not None and pair.new is not None
    }

    def is_known(result: Result) -> bool:
        before = counterparts.get((result.check, result.subject))
        return before is not None and FINE < RANKS.get(result.status, FINE) <= before

    results = tuple(replace(result, known=is_known(result)) for result in new.results)
    return replace(new, results=results)


def _kind(pair: _Pair) -> ChangeKind | None:
    before, after = _rank(pair.old), _rank(pair.new)
    if before == after == FINE:
        return None
    if before == after and pair.old and pair.new and _alike(pair.old, pair.new):
        return None
    if before == after or before is None or after is None or not pair.certain:
        return ChangeKind.CHANGED
    return ChangeKind.LOST if after > before else ChangeKind.GAINED


def _rank(result: Result | None) -> int | None:
    return FINE if result is None else RANKS.get(result.status)


def _alike(old: Result, new: Result) -> bool:
    """Whether two results of equal rank say the same. Not every result names its finding."""
    same_finding = old.finding == new.finding or not (old.finding and new.finding)
    before, after = ((result.status, result.cause, result.subject) for result in (old, new))
    return same_finding and before == after


def _pairs(old: Sequence[Result], new: Sequence[Result]) -> Iterator[tuple[str, _Pair]]:
    before, after = _by_check(old), _by_check(new)
    for check in sorted(before.keys() | after.keys()):
        for pair in _pairs_of_check(before.get(check, {}), after.get(check, {})):
            yield check, pair


def _pairs_of_check(old: Mapping[str, Result], new: Mapping[str, Result]) -> Iterator[_Pair]:
    """The pairs of one check's results, given by subject."""
    yield from (
        _Pair(old[subject], new[subject], certain=True) for subject in old if subject in new
    )
    if old.keys() == new.keys():
        return
    measured = all(_rank(result) is not None for result in (*old.values(), *new.values()))
    certain = bool(old and new) and measured
    olds = [result for subject, result in old.items() if subject not in new]
    news = [result for subject, result in new.items() if subject not in old]
    left: tuple[list[Result], list[Result]] = ([], [])
    for rank in _RANKS_WORST_FIRST:
        before = [result for result in olds if _rank(result) == rank]
        after = [result for result in news if _rank(result) == rank]
        yield from (_Pair(*pair, certain) for pair in zip(before, after, strict=False))
        left[0].extend(before[len(after) :])
        left[1].extend(after[len(before) :])
    yield from (_Pair(*pair, certain) for pair in zip_longest(*left))


def _by_check(results: Iterable[Result]) -> dict[str, dict[str, Result]]:
    """The worst result of each check and subject."""
    worst: dict[str, dict[str, Result]] = {}
    for result in sorted(results, key=_order):
        worst.setdefault(result.check, {}).setdefault(result.subject, result)
    return worst


def _order(result: Result) -> tuple[int, str, str, str]:
    worst = _RANKS_WORST_FIRST.index(_rank(result))
    return worst, result.subject, result.cause or "", f"{result.finding} {result.message}"
