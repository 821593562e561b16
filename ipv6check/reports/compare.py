"""What became better or worse between two reports of one target. Pure.

``pass`` and ``skip`` are fine, ``warn`` is worse, ``fail`` is worst. ``unknown`` and ``error`` have
no rank: what could not be seen has neither come nor gone.
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
# One that is missing cannot be ranked.
RANKS: Mapping[Status, int] = MappingProxyType(
    {Status.PASS: FINE, Status.SKIP: FINE, Status.WARN: 1, Status.FAIL: 2}
)
# Trouble that was seen counts before what was not seen, and that before what is well.
_RANKS_WORST_FIRST = (2, 1, None, FINE)


class Drift(StrEnum):
    """How something differs; the order is that of a reader's interest."""

    LOST = "lost"
    CHANGED = "changed"
    NEW = "new"
    GAINED = "gained"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. ``old`` and ``new`` are None where the check said nothing there."""

    drift: Drift
    check: str
    old: Result | None
    new: Result | None

    @property
    def subject(self) -> str:
        """What is meant now, or was."""
        result = self.new or self.old
        return result.subject if result else ""


class _Pair(NamedTuple):
    """Two results that are compared. ``certain``: it is known that nothing else is their like."""

    old: Result | None
    new: Result | None
    certain: bool


def compare(old: TargetReport, new: TargetReport) -> tuple[Change, ...]:
    """What differs, the worst first, then by check and subject; nothing if nothing does.

    Results are compared by check and subject. Of several that have both alike the worst counts.

    What is left of a check is compared as a whole, for an address that is renumbered brings a new
    subject and no new fault: results of one rank are paired, then the worst with the worst, then
    those that are one too many with nothing, which is fine. So a host that is broken on its new
    address as it was on its old one is ``changed``, and a second broken address is ``lost``. Where
    any result of the check is unknown, or one report has not run it, no such pair is gained or
    lost: the like of a result may be what was not seen.

    ``compare(new, old)`` has ``gained`` where ``compare(old, new)`` has ``lost``.
    """
    changes = [
        Change(drift, check, pair.old, pair.new)
        for check, pair in _pairs(old.results, new.results)
        if (drift := _drift(pair)) is not None
    ]
    order = [*Drift]
    return tuple(
        sorted(changes, key=lambda each: (order.index(each.drift), each.check, each.subject))
    )


def known(old: TargetReport, new: TargetReport) -> TargetReport:
    """``new``, each trouble marked ``known`` whose like was in ``old`` and no better there.

    Stricter than "not lost": what was unknown before, or of a check that was not run, is not known.
    """
    likes = {
        (check, pair.new.subject): _rank(pair.old)
        for check, pair in _pairs(old.results, new.results)
        if pair.old is not None and pair.new is not None
    }

    def is_known(result: Result) -> bool:
        before = likes.get((result.check, result.subject))
        return before is not None and FINE < RANKS.get(result.status, FINE) <= before

    results = tuple(replace(each, known=is_known(each)) for each in new.results)
    return replace(new, results=results)


def _drift(pair: _Pair) -> Drift | None:
    before, after = _rank(pair.old), _rank(pair.new)
    if before == after == FINE:
        return None
    if before == after and pair.old and pair.new and _alike(pair.old, pair.new):
        return None
    if before == after or before is None or after is None or not pair.certain:
        return Drift.CHANGED
    return Drift.LOST if after > before else Drift.GAINED


def _rank(result: Result | None) -> int | None:
    return FINE if result is None else RANKS.get(result.status)


def _alike(old: Result, new: Result) -> bool:
    """Whether two results of one rank say the same; not every one names its finding."""
    same_finding = old.finding == new.finding or not (old.finding and new.finding)
    before, after = ((each.status, each.cause, each.subject) for each in (old, new))
    return same_finding and before == after


def _pairs(old: Sequence[Result], new: Sequence[Result]) -> Iterator[tuple[str, _Pair]]:
    before, after = _by_check(old), _by_check(new)
    for check in sorted(before.keys() | after.keys()):
        for pair in _pairs_of_check(before.get(check, {}), after.get(check, {})):
            yield check, pair


def _pairs_of_check(old: Mapping[str, Result], new: Mapping[str, Result]) -> Iterator[_Pair]:
    """The pairs of one check's results, which are by subject."""
    yield from (
        _Pair(old[subject], new[subject], certain=True) for subject in old if subject in new
    )
    if old.keys() == new.keys():
        return
    seen = all(_rank(each) is not None for each in (*old.values(), *new.values()))
    certain = bool(old and new) and seen
    olds = [each for subject, each in old.items() if subject not in new]
    news = [each for subject, each in new.items() if subject not in old]
    left: tuple[list[Result], list[Result]] = ([], [])
    for rank in _RANKS_WORST_FIRST:
        ours = [each for each in olds if _rank(each) == rank]
        theirs = [each for each in news if _rank(each) == rank]
        yield from (_Pair(*pair, certain) for pair in zip(ours, theirs, strict=False))
        left[0].extend(ours[len(theirs) :])
        left[1].extend(theirs[len(ours) :])
    yield from (_Pair(*pair, certain) for pair in zip_longest(*left))


def _by_check(results: Iterable[Result]) -> dict[str, dict[str, Result]]:
    """The worst result of each check and subject."""
    found: dict[str, dict[str, Result]] = {}
    for each in sorted(results, key=_order):
        found.setdefault(each.check, {}).setdefault(each.subject, each)
    return found


def _order(result: Result) -> tuple[int, str, str, str]:
    worst = _RANKS_WORST_FIRST.index(_rank(result))
    return worst, result.subject, result.cause or "", f"{result.finding} {result.message}"
