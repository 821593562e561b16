"""The one place where a Finding becomes a Result: graded, and made harmless (law 8)."""

from __future__ import annotations

from ipv6check.model import Cause, Finding, Result, Status
from ipv6check.model.text import printable

_WITHOUT_CAUSE = frozenset({Status.PASS, Status.SKIP})


def result_of(
    finding: Finding,
    check: str,
    *,
    cause: Cause,
    version: int = 1,
    reference: str = "",
    status: Status | None = None,
    duration_ms: float = 0.0,
) -> Result:
    """What a check of this name has found, as reports have it.

    ``cause``, ``version`` and ``reference`` are the check's own; the cause is for a finding that
    names none. ``status`` is what the profile makes of the finding's, None for the same.
    ``duration_ms``: how long it took to observe.
    """
    graded = finding.status if status is None else status
    return Result(
        check=check,
        status=graded,
        message=printable(finding.message),
        hint=printable(finding.hint),
        subject=printable(finding.subject),
        cause=None if graded in _WITHOUT_CAUSE else finding.cause or cause,
        evidence=finding.evidence,
        reference=reference,
        duration_ms=duration_ms,
        finding=printable(finding.id),
        check_version=version,
    )
