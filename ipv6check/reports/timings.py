"""Times in the evidence of results, in seconds, for formats with numbers.

A private check may have the name of one of ours, and evidence of any shape: what has another shape
is ignored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ipv6check.model import Evidence, Result, TargetReport

FAMILIES = ("ipv6", "ipv4")


def connects(report: TargetReport) -> dict[tuple[int, str], float]:
    """The fastest completed TCP handshake, by port and family (``ipv6`` or ``ipv4``)."""
    best: dict[tuple[int, str], float] = {}
    for result in report.results:
        for port, address, elapsed_ms in _handshakes(result):
            if _is_number(port) and isinstance(address, str) and _is_number(elapsed_ms):
                key = (int(port), _family(address))
                best[key] = min(best.get(key, math.inf), _seconds(elapsed_ms))
    return best


def races(report: TargetReport) -> dict[tuple[int, str], float]:
    """The time that the race of RFC 8305 took, by port and the family that won."""
    return {
        (int(port["port"]), _family(port["winner"])): _seconds(port["elapsed_ms"])
        for port in _ports_of_fallback(report.results)
        if isinstance(port.get("winner"), str)
        and _is_number(port.get("port"))
        and _is_number(port.get("elapsed_ms"))
    }


def lookups(report: TargetReport) -> dict[str, float]:
    """The time until the answers to AAAA and to A, by family."""
    answers = {
        family: result.evidence.get(family)
        for result in report.results
        if result.check == "aaaa"
        for family in FAMILIES
    }
    return {
        family: _seconds(answer["elapsed_ms"])
        for family, answer in answers.items()
        if isinstance(answer, Mapping)
        and "records" in answer
        and _is_number(answer.get("elapsed_ms"))
    }


def _handshakes(result: Result) -> Iterator[tuple[Any, Any, Any]]:
    """Port, address and milliseconds of each connection, of any type."""
    if result.check == "tcp":
        for attempt in _mappings(result.evidence, "attempts"):
            if attempt.get("outcome") == "connected":
                yield attempt.get("port"), attempt.get("address"), attempt.get("elapsed_ms")
    for port in _ports_of_fallback([result]):
        for entry in _mappings(port, "survey"):
            if entry.get("tcp") == "connected":
                yield port.get("port"), entry.get("address"), entry.get("tcp_ms")


def _ports_of_fallback(results: Iterable[Result]) -> Iterator[Evidence]:
    for result in results:
        if result.check == "fallback":
            yield result.evidence
            yield from _mappings(result.evidence, "also")


def _mappings(evidence: Evidence, key: str) -> Iterator[Evidence]:
    """The mappings in the list at a key; none where there is no list."""
    items = evidence.get(key)
    if isinstance(items, list | tuple):
        yield from (item for item in items if isinstance(item, Mapping))


def _family(address: str) -> str:
    return "ipv6" if ":" in address and "." not in address else "ipv4"


def _seconds(milliseconds: float) -> float:
    """Seconds, rounded to the nanosecond: more digits are an artefact of the division."""
    return round(milliseconds / 1000, 9)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
