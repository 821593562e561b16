"""A service without IPv6 on purpose: what becomes of the results of its targets. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from ipv6check.model import OWN_NAME, Cause, NoIPv6, Result, Status, Verdict, verdict_of

# What says that a name has no AAAA record of its own, and no more than that.
ABSENT = frozenset({"no-aaaa", "no-aaaa-at-cname", "dns64"})


def applies(results: Sequence[Result], purpose: NoIPv6 | None, optional: AbstractSet[str]) -> bool:
    """Whether nothing is wrong with a target but what was agreed: it has no IPv6."""
    if purpose is None or not any(map(_is_absent, results)):
        return False
    others = [result for result in results if not _is_absent(result)]
    return verdict_of(others, optional) in {Verdict.READY, Verdict.DEGRADED}


def marked(
    results: Sequence[Result], purpose: NoIPv6, *, on_purpose: bool, published: bool
) -> list[Result]:
    """The results with what was agreed in place of the fault, or with a warning that it is not so.

    ``published``: the name has an AAAA record.
    """
    if published:
        return [*results, _not_so(purpose)]
    return [
        _on_purpose(result, purpose) if on_purpose and _is_absent(result) else result
        for result in results
    ]


def _is_absent(result: Result) -> bool:
    return result.finding in ABSENT and result.status in {Status.FAIL, Status.WARN}


def _on_purpose(result: Result, purpose: NoIPv6) -> Result:
    message = f"{result.message}, on purpose: {purpose.reason}"
    hint = f"look again on {purpose.review}"
    return replace(result, status=Status.SKIP, message=message, hint=hint, cause=None)


def _not_so(purpose: NoIPv6) -> Result:
    message = f'an IPv6 address is published, yet the service says ipv6 = "none": {purpose.reason}'
    hint = 'remove ipv6 = "none" from the configuration, or remove the address'
    return Result(OWN_NAME, Status.WARN, message, hint, cause=Cause.DNS, finding="not-none")
