"""Whether IPv6 was seen to work for a target: nothing is green of nothing (law 12). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from ipv6check.engine.facts import everything
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
_HINT = "run the check tcp too, which shows whether IPv6 works: see --only, --skip and severity"
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
    if any(result.check in measuring and result.status in _LOOKED for result in results):
        return ()
    looked = any(result.status in _LOOKED for result in results)
    likely = [facts.get("connections") for facts in attempts]
    if looked and any(_over_ipv6([*likely, *attempts])):  # the first that worked will do
        return ()
    sent = [*_over_ipv6(attempts)]
    message = _HEARD_NONE if sent else _SENT_NONE
    what, cause = "not-measured", Cause.VANTAGE
    if sent and not looked:
        message = _LOOKED_NONE
    return (Result(OWN_NAME, Status.UNKNOWN, message, _HINT, cause=cause, finding=what),)


def _over_ipv6(facts: Iterable[Any]) -> Iterator[bool]:
    """Everything that was sent over IPv6 by these facts: whether it was answered."""
    for fact in everything(facts, whole=(Attempt, Handshake, Echo, Outcome)):
        if isinstance(fact, Echo) and _is_native(fact.address):
            yield fact.received > 0
        elif isinstance(fact, Attempt | Handshake) and _is_native(fact.address):
            yield fact.connected
        elif isinstance(fact, Outcome):
            yield fact.winner is not None and _is_native(fact.winner)


def _is_native(address: str) -> bool:
    """Whether packets to it are IPv6: those to ::ffff:192.0.2.1 are not."""
    return ":" in address and "." not in address
