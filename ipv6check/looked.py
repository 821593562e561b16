"""What a target's report says that it looked at, and what that the user named it did not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ipv6check.model import Result, Status
from ipv6check.plugin import Check, Input, Plan
from ipv6check.target import Target

DNS = "DNS"
_LOOKED = frozenset({Status.PASS, Status.WARN, Status.FAIL})
_OF_PAGES = frozenset({"", "http", "https"})


def looked_at(plan: Plan, results: Iterable[Result], *, asked: bool) -> tuple[str, ...]:
    """The names of what was looked at, what comes first on the way to the target first.

    ``asked``: the target's name was looked up, as neither an address nor localhost is.
    """
    needs: dict[str, frozenset[str]] = {}
    for probe in plan.probes:  # inputs come first
        needs[probe.name] = _needs(probe.inputs, needs) | {probe.name}

    def way(check: Check) -> tuple[int, str]:
        return len(_needs(check.inputs, needs)), check.id

    found = [each for each in results if each.status in _LOOKED]
    checks = [
        *(check for check in plan.checks if any(_is_of(check, each) for each in found)),
        *_told_by_others(plan, found),
    ]
    names = [check.looks_at or check.id for check in sorted(checks, key=way)]
    return tuple(dict.fromkeys(name for name in names if name != DNS or asked))


def _needs(inputs: Iterable[Input], needs: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Every observation that these inputs rest on."""
    return frozenset[str]().union(*(needs.get(each.name, frozenset()) for each in inputs))


def _is_of(check: Check, result: Result) -> bool:
    """Whether it is a finding of this check, and not of one that is left out."""
    own = {each.id for each in check.findings}
    return result.check == check.id and (not own or result.finding in own)


def _told_by_others(plan: Plan, found: Sequence[Result]) -> Iterable[Check]:
    """The checks that are left out, whose findings others tell."""
    checks = {check.id: check for check in plan.checks}
    foreign = {
        each.finding
        for each in found
        if each.check in checks and not _is_of(checks[each.check], each)
    }
    return (root for root in plan.roots if foreign & {each.id for each in root.findings})


def not_looked_at(target: Target) -> tuple[str, ...]:
    """What the user named and no check looks at, a clause each."""
    told = []
    if target.path not in {"", "/"}:
        told.append(f"the path {target.path} was not asked for")
    if target.scheme not in _OF_PAGES:
        told.append(f"no {target.scheme.upper()} was spoken")
    return tuple(told)
