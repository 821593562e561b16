"""What evidence looks like in plain characters: attempts along a line of time, clients as bars.

Evidence of any check is drawn that has one of these shapes, each a list of mappings:

- ``attempts`` with ``address``, ``started_ms``, ``ended_ms`` and ``outcome``, in order of start;
- ``clients`` with ``name``, ``outcome``, ``family``, ``connect_ms`` and ``failed_ms``; and with
  ``orders``, a list of the same without names, where the order of an answer decides;
- ``race_orders``, a list of such orders with ``number`` and ``of``.

Every mark differs in shape, so that nothing is lost without colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, log2
from typing import Any, NamedTuple

from ipv6check.model.text import count, ms

Told = Mapping[str, Any]

# The keys of evidence that are drawn.
DRAWN = frozenset({"attempts", "clients", "race_orders"})
LINES_AT_MOST = 6
BAR_AT_MOST = 24
BAR_AT_LEAST = 4
_TIMELINE = frozenset({"address", "started_ms", "ended_ms", "outcome"})
_CLIENT = frozenset({"name", "outcome", "family", "connect_ms", "failed_ms"})
_END = _CLIENT - {"name"}
_ORDER = _END | {"number", "of"}
_FAMILIES = {"ipv6": "IPv6", "ipv4": "IPv4"}


class _Marks(NamedTuple):
    line: str
    connected: str
    lost: str
    failed: str
    bar: str
    cut: str


_UNICODE = _Marks("─", "●", "○", "✗", "█", "…")
_ASCII = _Marks("-", "*", "o", "x", "=", "~")


def pictures(evidence: Told, width: int, *, unicode: bool, most: int | None) -> list[str]:
    """Everything that can be drawn of this evidence; ``most`` clients, all of them if None."""
    attempts, clients = _told(evidence, "attempts"), _told(evidence, "clients")
    lines: list[str] = []
    if _are(attempts, _TIMELINE):
        lines += timeline(attempts, width, unicode=unicode)
        lines += by_orders(_told(evidence, "race_orders"), width)
    if _are(clients, _CLIENT):
        lines += bars(clients, width, unicode=unicode, most=most)
    return lines


def timeline(attempts: Sequence[Told], width: int, *, unicode: bool = True) -> list[str]:
    """A line for each attempt: where in time it was under way, how it ended, and when."""
    marks = _UNICODE if unicode else _ASCII
    shown = attempts[:LINES_AT_MOST]
    names = [str(each["address"]) for each in shown]
    ends = [f"{_ended(each)} {ms(each['ended_ms'])}" for each in shown]
    label = min(max(map(len, names), default=0), max(width // 3, 8))
    room = min(width - label - max(map(len, ends), default=0) - 2, 48)
    total = max((each["ended_ms"] for each in shown), default=0.0)
    lines = []
    for name, each, end in zip(names, shown, ends, strict=True):
        drawn = f"{_drawn(each, total, room, marks)} " if room >= BAR_AT_LEAST else ""
        lines.append(f"{_short(name, label, marks):<{label}} {drawn}{end}")
    more = len(attempts) - len(shown)
    return [*lines, f"and {count(more, 'more attempt', 'more attempts')}"] if more else lines


def by_orders(orders: Sequence[Told], width: float = inf) -> list[str]:
    """A line for each end that the order of an answer leads to."""
    if not _are(orders, _ORDER):
        return []
    shares = [f"{each['number']} of {each['of']}" for each in orders]
    ends = [_told_end(each) for each in orders]
    for words in ("in {} orders of the answer: {}", "{} orders: {}", "{}: {}"):
        lines = [words.format(*each) for each in zip(shares, ends, strict=True)]
        if max(map(len, lines)) <= width:
            break
    return lines


def bars(
    clients: Sequence[Told], width: int, *, unicode: bool = True, most: int | None = None
) -> list[str]:
    """A bar for each client, the worst first: one more character for twice as long."""
    marks = _UNICODE if unicode else _ASCII
    shown = sorted(clients, key=badness, reverse=True)[:most]
    ends = [_client_end(each) for each in shown]
    names = min(max((len(str(each["name"])) for each in clients), default=0), max(width // 2, 8))
    room = min(width - names - max(map(len, ends), default=0) - 2, BAR_AT_MOST)
    lines = []
    for each, end in zip(shown, ends, strict=True):
        long = max(1, round(log2(_at_ms(each) + 1) * room / 18)) if _at_ms(each) < inf else room
        bar = f"{marks.bar * min(long, room):<{room}} " if room >= BAR_AT_LEAST else ""
        lines.append(f"{_short(str(each['name']), names, marks):<{names}} {bar}{end}")
    return lines


def badness(client: Told) -> tuple[bool, float]:
    """What sorts clients: those that fail, then those that wait; by luck, by the worst of it."""
    ends = _ends(client)
    return any(each["outcome"] == "failed" for each in ends), _at_ms(client)


def _ends(client: Told) -> Sequence[Told]:
    """How a client may end: the one way, or by each order of the answer."""
    orders = _told(client, "orders")
    return orders if _are(orders, _END) else (client,)


def _told(evidence: Told, key: str) -> Sequence[Any]:
    value = evidence.get(key)
    return value if isinstance(value, list | tuple) else ()


def _are(told: Sequence[Any], keys: frozenset[str]) -> bool:
    return bool(told) and all(isinstance(each, Mapping) and keys <= each.keys() for each in told)


def _at_ms(client: Told) -> float:
    """When it ends, at the latest."""
    return max(map(_end_ms, _ends(client)))


def _end_ms(end: Told) -> float:
    known = (end["connect_ms"], end["failed_ms"])
    return next((float(at_ms) for at_ms in known if at_ms is not None), inf)


def _client_end(client: Told) -> str:
    """``IPv4 after 133 s``, ``fails after 100 s``, ``IPv6 or IPv4, 250 ms``.

    By luck the best and the worst of it: ``1.5 ms or 133 s``, ``1.5 ms or fails``.
    """
    ends = sorted(_ends(client), key=badness)
    return _told_end(ends[0]) if len(ends) == 1 else f"{_briefly(ends[0])} or {_briefly(ends[-1])}"


def _briefly(end: Told) -> str:
    if end["outcome"] == "failed":
        return "fails"
    return ms(_end_ms(end)) if _end_ms(end) < inf else "hangs"


def _told_end(end: Told) -> str:
    at_ms = _end_ms(end)
    after = "" if at_ms == inf else ms(at_ms)
    name = _FAMILIES.get(end["family"])
    if end["outcome"] == "failed":
        return f"fails after {after}" if after else "hangs"
    if end["outcome"] == "either":
        return f"{name or 'either'}, about {after}" if after else "either"
    return f"{name or '-'} after {after}"


def _ended(attempt: Told) -> str:
    return str(attempt["outcome"])


def _drawn(attempt: Told, total_ms: float, room: int, marks: _Marks) -> str:
    """The attempt's part of the line of time, from its start to its end."""
    per_ms = (room - 1) / total_ms if total_ms > 0 else 0.0
    start, end = (round(attempt[key] * per_ms) for key in ("started_ms", "ended_ms"))
    last = {"connected": marks.connected, "cancelled": marks.lost}.get(
        attempt["outcome"], marks.failed
    )
    return f"{' ' * start}{marks.line * (end - start)}{last}".ljust(room)


def _short(name: str, width: int, marks: _Marks) -> str:
    """The name, without its middle where it has no room: both ends of an address tell."""
    if len(name) <= width:
        return name
    kept = width - 1
    return f"{name[: kept - kept // 2]}{marks.cut}{name[len(name) - kept // 2 :]}"
