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

MAX_LISTED = 3
MAX_SENTENCES = 12
_ADDRESSES = {
    Field.SADDR: "from",
    Field.DADDR: "to",
    Field.ORIGINAL_DADDR: "if it was sent to",
}
_INTERFACES = {Field.IIF: "on", Field.OIF: "out of"}
_PORTS = {Field.SPORT: "from port", Field.DPORT: "to port"}

# A verdict, the conditions under which it is reached, and the reason of one that is unclear.
Conclusion = tuple[str, Sequence[Condition], str]


def sentences(ends: Iterable[Conclusion], otherwise: str, bits: int) -> tuple[str, ...]:
    """A sentence for each end but the verdict ``otherwise``, and one for that.

    ``bits``: the length of an address of the packet's family.
    """
    unique: dict[str, None] = {}
    for verdict, conditions, reason in ends:
        condition = " and ".join(dict.fromkeys(phrase(part, bits) for part in conditions))
        if verdict == "unclear":
            unique[f"accept only {reason}{f', {condition}' if condition else ''}"] = None
        elif condition and verdict != otherwise:
            unique[f"{verdict} {'' if otherwise == 'accept' else 'only '}{condition}"] = None
    listed = list(unique)
    if len(listed) > MAX_SENTENCES:
        listed[MAX_SENTENCES:] = [f"and {len(listed) - MAX_SENTENCES} more conditions"]
    return (*listed, f"{otherwise} otherwise") if otherwise else tuple(listed)


def phrase(condition: Condition, bits: int) -> str:
    """A condition in words: "from 2001:db8::/32", "not on wg0", "under a rate limit"."""
    match condition:
        case Not(part):
            text = f"not {phrase(part, bits)}"
        case Unmodelled(reason):
            text = reason
        case InterfaceMatch(field, names):
            text = f"{_INTERFACES[field]} {_or(names)}"
        case FieldMatch():
            text = _among(condition, bits)
        case AllOf(parts):
            text = " and ".join(phrase(part, bits) for part in parts) or "always"
        case AnyOf(parts):
            text = _or([phrase(part, bits) for part in parts]) or "never"
    negated = isinstance(condition, FieldMatch | InterfaceMatch) and condition.negated
    return f"not {text}" if negated else text


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
    texts: list[str] = []
    kind = IPv6Address if bits == 128 else IPv4Address
    for low, high in ranges[: MAX_LISTED + 1]:
        networks = list(summarize_address_range(kind(low), kind(high)))
        whole = str(networks[0]).removesuffix(f"/{bits}")
        texts.append(whole if len(networks) == 1 else f"{kind(low)}-{kind(high)}")
    return texts + [""] * (len(ranges) - len(texts))


def _address(number: int, bits: int) -> str:
    return str(IPv6Address(number) if bits == 128 else IPv4Address(number))


def _numbers(ranges: Ranges) -> list[str]:
    return [str(low) if low == high else f"{low}-{high}" for low, high in ranges]


def _or(names: Sequence[str]) -> str:
    if len(names) > MAX_LISTED:
        return f"{', '.join(names[:MAX_LISTED])} or {len(names) - MAX_LISTED} others"
    return " or ".join(names)
