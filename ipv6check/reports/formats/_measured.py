"""The times that checks of ours leave as evidence, for formats with numbers. All in seconds.

A private check may have the name of one of ours, and any evidence: what has another shape is not
taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ipv6check.model import Evidence, Result, TargetReport

FAMILIES = ("ipv6", "ipv4")


def connects(report: TargetReport) -> dict[tuple[int, str], float]:
    """The fastest handshake of each port and family that was completed."""
    best: dict[tuple[int, str], float] = {}
    for result in report.results:
        for port, address, elapsed_ms in _handshakes(result):
            if _is_number(port) and isinstance(address, str) and _is_number(elapsed_ms):
                key = (int(port), _family(address))
                best[key] = min(best.get(key, math.inf), _seconds(elapsed_ms))
    return best


def races(report: TargetReport) -> dict[tuple[int, str], float]:
    """How long the race of RFC 8305 took on each port, with the family that won."""
    return {
        (int(told["port"]), _family(told["winner"])): _seconds(told["elapsed_ms"])
        for told in _ports_of_fallback(report.results)
        if isinstance(told.get("winner"), str)
        and _is_number(told.get("port"))
        and _is_number(told.get("elapsed_ms"))
    }


def lookups(report: TargetReport) -> dict[str, float]:
    """How long the answer to AAAA and to A took, by family."""
    told = {
        family: result.evidence.get(family)
        for result in report.results
        if result.check == "aaaa"
        for family in FAMILIES
    }
    return {
        family: _seconds(answer["elapsed_ms"])
        for family, answer in told.items()
        if isinstance(answer, Mapping)
        and "records" in answer
        and _is_number(answer.get("elapsed_ms"))
    }


def _handshakes(result: Result) -> Iterator[tuple[Any, Any, Any]]:
    """Port, address and milliseconds of what connected."""
    if result.check == "tcp":
        for each in _listed(result.evidence, "attempts"):
            if each.get("outcome") == "connected":
                yield each.get("port"), each.get("address"), each.get("elapsed_ms")
    for told in _ports_of_fallback([result]):
        for each in _listed(told, "survey"):
            if each.get("tcp") == "connected":
                yield told.get("port"), each.get("address"), each.get("tcp_ms")


def _ports_of_fallback(results: Iterable[Result]) -> Iterator[Evidence]:
    for result in results:
        if result.check == "fallback":
            yield result.evidence
            yield from _listed(result.evidence, "also")


def _listed(evidence: Evidence, key: str) -> Iterator[Evidence]:
    told = evidence.get(key)
    if isinstance(told, list | tuple):
        yield from (each for each in told if isinstance(each, Mapping))


def _family(address: str) -> str:
    return "ipv6" if ":" in address and "." not in address else "ipv4"


def _seconds(milliseconds: float) -> float:
    """To the nanosecond: what is beyond is an artefact of the division."""
    return round(milliseconds / 1000, 9)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
