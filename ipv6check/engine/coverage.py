"""What a target's report says that it looked at, and what that the user named it did not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ipv6check.config.target import Target
from ipv6check.engine.checks.api import Check, Input, Plan
from ipv6check.model import Result, Status

DNS = "DNS"
_LOOKED = frozenset({Status.PASS, Status.WARN, Status.FAIL})
_OF_PAGES = frozenset({"", "http", "https"})


class Coverage:
    """What the checks of a plan look at, what comes first on the way to a target first."""

    def __init__(self, plan: Plan) -> None:
        needs: dict[str, frozenset[str]] = {}
        for probe in plan.probes:  # inputs come first
            needs[probe.name] = _needs(probe.inputs, needs) | {probe.name}

        def depth(check: Check) -> tuple[int, str]:
            return len(_needs(check.inputs, needs)), check.id

        checks = sorted((*plan.checks, *plan.roots), key=depth)
        self._names = {check.id: check.looks_at or check.id for check in checks}
        self._own = {check.id: _findings(check) for check in plan.checks}
        self._roots = {root.id: _findings(root) for root in plan.roots}

    def looked_at(self, results: Iterable[Result], *, asked: bool) -> tuple[str, ...]:
        """The names of what was looked at.

        ``asked``: the target's name was looked up, as neither an address nor localhost is.
        """
        looked: set[str] = set()
        foreign: set[str] = set()
        for result in results:
            if result.status not in _LOOKED or result.check not in self._own:
                continue
            own = self._own[result.check]
            if not own or result.finding in own:
                looked.add(result.check)
            else:  # of a check that is left out
                foreign.add(result.finding)
        looked |= {root for root, findings in self._roots.items() if foreign & findings}
        names = [name for check, name in self._names.items() if check in looked]
        return tuple(dict.fromkeys(name for name in names if name != DNS or asked))


def _needs(inputs: Iterable[Input], needs: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Every observation that these inputs rest on."""
    return frozenset[str]().union(*(needs.get(wanted.name, frozenset()) for wanted in inputs))


def _findings(check: Check) -> frozenset[str]:
    return frozenset(finding.id for finding in check.findings)


def not_looked_at(target: Target) -> tuple[str, ...]:
    """What the user named and no check looks at, a noun each."""
    clauses = []
    if target.path not in {"", "/"}:
        clauses.append(f"the path {target.path} (no HTTP request is sent)")
    if target.scheme not in _OF_PAGES:
        clauses.append(f"the protocol {target.scheme.upper()}")
    return tuple(clauses)
