"""Conditions in words, as the end of "accept only ..."."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, summarize_address_range

from ipv6check.firewall.model import (
    AllOf,
    AnyOf,
    Condition,
    ConntrackState,
    Field,
    FieldMatch,
    InterfaceMatch,
    Not,
    Ranges,
    Unmodelled,
)

MAX_SAID = 3
MAX_SENTENCES = 12
_ADDRESSES = {
    Field.SADDR: "from",
    Field.DADDR: "to",
    Field.ORIGINAL_DADDR: "if it was sent to",
}
_INTERFACES = {Field.IIF: "on", Field.OIF: "out of"}
_PORTS = {Field.SPORT: "from port", Field.DPORT: "to port"}

Told = tuple[str, Sequence[Condition], str]


def sentences(told: Iterable[Told], otherwise: str, bits: int) -> tuple[str, ...]:
    """One sentence for each end that is not the one that is come to otherwise.

    ``told``: verdict, conditions, and the reason of an end that is unclear.
    """
    found: dict[str, None] = {}
    for verdict, conditions, reason in told:
        said = " and ".join(dict.fromkeys(phrase(condition, bits) for condition in conditions))
        if verdict == "unclear":
            found[f"accept only {reason}{f', {said}' if said else ''}"] = None
        elif said and verdict != otherwise:
            found[f"{verdict} {'' if otherwise == 'accept' else 'only '}{said}"] = None
    said_all = list(found)
    if len(said_all) > MAX_SENTENCES:
        said_all[MAX_SENTENCES:] = [f"and {len(said_all) - MAX_SENTENCES} conditions more"]
    return (*said_all, f"{otherwise} otherwise") if otherwise else tuple(said_all)


def phrase(condition: Condition, bits: int) -> str:
    """A condition in words: "from 2001:db8::/32", "not on wg0", "under a rate limit"."""
    match condition:
        case Not(part):
            said = f"not {phrase(part, bits)}"
        case Unmodelled(reason):
            said = reason
        case InterfaceMatch(field, names):
            said = f"{_INTERFACES[field]} {_or(names)}"
        case FieldMatch():
            said = _among(condition, bits)
        case AllOf(parts):
            said = " and ".join(phrase(part, bits) for part in parts) or "always"
        case AnyOf(parts):
            said = _or([phrase(part, bits) for part in parts]) or "never"
    negated = isinstance(condition, FieldMatch | InterfaceMatch) and condition.negated
    return f"not {said}" if negated else said


def _among(condition: FieldMatch, bits: int) -> str:
    field, ranges, mask = condition.field, condition.ranges, condition.mask
    if field in _ADDRESSES:
        if mask is not None:
            low = _address(ranges[0][0], bits)
            return f"{_ADDRESSES[field]} {low}/{_address(mask, bits)}"
        return f"{_ADDRESSES[field]} {_or(_prefixes(ranges, bits))}"
    if field in _PORTS and mask is None:
        return f"{_PORTS[field]} {_or(_numbers(ranges))}"
    if field is Field.STATE:
        bit = mask if mask is not None else ranges[0][0]
        names = [str(state.name).lower() for state in ConntrackState if state & bit]
        return f"if its conntrack state is {_or(names)}"
    masked = f" & {mask:#x}" if mask is not None else ""
    return f"if its {field}{masked} is {_or(_numbers(ranges))}"


def _prefixes(ranges: Ranges, bits: int) -> list[str]:
    found: list[str] = []
    kind = IPv6Address if bits == 128 else IPv4Address
    for low, high in ranges[: MAX_SAID + 1]:
        networks = list(summarize_address_range(kind(low), kind(high)))
        whole = str(networks[0]).removesuffix(f"/{bits}")
        found.append(whole if len(networks) == 1 else f"{kind(low)}-{kind(high)}")
    return found + [""] * (len(ranges) - len(found))


def _address(number: int, bits: int) -> str:
    return str(IPv6Address(number) if bits == 128 else IPv4Address(number))


def _numbers(ranges: Ranges) -> list[str]:
    return [str(low) if low == high else f"{low}-{high}" for low, high in ranges]


def _or(names: Sequence[str]) -> str:
    if len(names) > MAX_SAID:
        return f"{', '.join(names[:MAX_SAID])} or {len(names) - MAX_SAID} others"
    return " or ".join(names)
