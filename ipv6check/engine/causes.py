"""Root causes of checks that are not part of the run: who of those that are tells them. Pure.

A check that cannot look for want of something says which check tells why: ``no IPv6 address to
connect to: see aaaa``. Where that one is left out, its findings are told by the first check that
points to it, and the others point there (laws 7 and 12).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from ipv6check.engine.checks.api import Check
from ipv6check.model import Finding, Findings, Status

# What is wrong or not known, the worst first.
_BAD = (Status.FAIL, Status.ERROR, Status.UNKNOWN, Status.WARN)
_POINTS_ONLY = frozenset({Status.SKIP, Status.UNKNOWN})


def with_roots(
    checks: Sequence[Check],
    findings: Sequence[Findings],
    roots: Iterable[tuple[Check, Findings]],
    optional: AbstractSet[str],
) -> list[Findings]:
    """The findings of these checks, with the root causes that are told by none of them.

    ``roots``: what the checks find that are not part of the run. ``optional``: checks that tell
    only what no other can.
    """
    causes = _Causes(
        {check.id: check for check in checks},
        {check.id: (check, of_root) for check, of_root in roots},
    )
    order = sorted(range(len(checks)), key=lambda number: checks[number].id in optional)
    new = {number: [*causes.expanded(checks[number], findings[number])] for number in order}
    return [
        tuple(causes.pointed(check, finding) for finding in new[number])
        for number, check in enumerate(checks)
    ]


@dataclass(slots=True)
class _Causes:
    """What is told so far, by the check that would have told it."""

    running: Mapping[str, Check]
    roots: Mapping[str, tuple[Check, Findings]]
    reported_by: dict[str, str] = field(default_factory=dict)

    def expanded(self, check: Check, findings: Findings) -> Iterator[Finding]:
        """The findings of one check: in place of those that only point to a cause, the cause."""
        for finding in findings:
            root = self._root(check, finding)
            if root is None or root in self.reported_by:
                yield finding
                continue
            self.reported_by[root] = check.id
            if finding.status not in _POINTS_ONLY:
                yield finding
            yield from self._worst(root)

    def pointed(self, check: Check, finding: Finding) -> Finding:
        """The finding, pointing to no check but those that run."""
        message, hint = finding.message, finding.hint
        for root in self.roots:
            reporter = self.reported_by.get(root)
            another = None if reporter == check.id else reporter
            message, hint = _see(root, another, message), _see(root, another, hint)
        return replace(finding, message=message, hint=hint)

    def _root(self, check: Check, finding: Finding) -> str | None:
        """The check whose findings are the root cause, None where one that runs tells it."""
        for name in check.roots.get(finding.id, ()):
            if name not in self.running and self._worst(name):
                return name
        return None

    def _worst(self, root: str) -> Findings:
        """What a check that does not run finds wrong: all that is of its worst status."""
        if root not in self.roots:
            return ()  # a program, which is not run to be asked for causes
        check, findings = self.roots[root]
        statuses = {finding.status for finding in findings}
        worst = next((status for status in _BAD if status in statuses), None)
        return tuple(
            replace(finding, cause=finding.cause or check.cause)
            for finding in findings
            if finding.status is worst
        )


def _see(root: str, reporter: str | None, text: str) -> str:
    """The text with the pointer to a check that does not run led to another one, or left out."""
    if reporter is not None:
        return re.sub(rf"\bsee {root}\b", f"see {reporter}", text)
    return re.sub(rf"[:,;] see {root}\b| \(see {root}\)", "", text)
