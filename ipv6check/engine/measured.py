"""Whether IPv6 was seen to work for a target: nothing is green of nothing (law 12). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from typing import Any

from ipv6check.eyeballs.race import Outcome
from ipv6check.model import (
    OWN_NAME,
    Attempt,
    Cause,
    Echo,
    Handshake,
    Result,
    Status,
    Verdict,
    verdict_of,
)

_SENT_NONE = "nothing was measured: this run sent no IPv6 packet to the target"
_HEARD_NONE = "nothing was measured: no connection and no echo reply over IPv6 was seen"
_LOOKED_NONE = "nothing was measured: no check of this run applies to the target"
_HINT = "let tcp run too, which tells whether IPv6 works: see --only, --skip and severity"
_LOOKED = frozenset({Status.PASS, Status.WARN})


def unmeasured(
    results: Sequence[Result],
    attempts: Sequence[Mapping[str, Any]],
    optional: AbstractSet[str],
    measuring: AbstractSet[str],
) -> tuple[Result, ...]:
    """The result that keeps a verdict from being green of nothing; none where it is not.

    ``attempts``: what was observed at each. ``measuring``: the checks that have looked for
    themselves whether IPv6 works, where they pass or warn.
    """
    if verdict_of(results, optional) not in {Verdict.READY, Verdict.DEGRADED}:
        return ()
    if any(each.check in measuring and each.status in _LOOKED for each in results):
        return ()
    looked = any(each.status in _LOOKED for each in results)
    likely = [each.get("connections") for each in attempts]
    if looked and any(_over_ipv6([*likely, *attempts])):  # the first that worked will do
        return ()
    sent = [*_over_ipv6(attempts)]
    message = _HEARD_NONE if sent else _SENT_NONE
    what, cause = "not-measured", Cause.VANTAGE
    if sent and not looked:
        message = _LOOKED_NONE
    return (Result(OWN_NAME, Status.UNKNOWN, message, _HINT, cause=cause, finding=what),)


def _over_ipv6(facts: Iterable[Any]) -> Iterator[bool]:
    """Of everything that was sent over IPv6 by these facts, at any depth: whether it worked."""
    for fact in facts:
        if isinstance(fact, Attempt | Handshake | Echo):
            if _is_ipv6(fact.address):
                yield fact.received > 0 if isinstance(fact, Echo) else fact.connected
        elif isinstance(fact, Outcome):
            yield fact.winner is not None and _is_ipv6(fact.winner)
        elif isinstance(fact, Mapping):
            yield from _over_ipv6(fact.values())
        elif isinstance(fact, tuple):
            yield from _over_ipv6(fact)
        elif is_dataclass(fact):
            yield from _over_ipv6(getattr(fact, each.name) for each in fields(fact))


def _is_ipv6(address: str) -> bool:
    """Whether packets to it are IPv6: those to ::ffff:192.0.2.1 are not."""
    return ":" in address and "." not in address
