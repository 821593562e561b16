"""Evidence drawn with characters: attempts along a time line, clients as bars.

Evidence of any check is drawn if it has one of these shapes, each a list of mappings:

- ``attempts`` with ``address``, ``started_ms``, ``ended_ms`` and ``outcome``, in order of start;
- ``clients`` with ``name``, ``outcome``, ``family``, ``connect_ms`` and ``failed_ms``; and with
  ``orders``, a list of the same without names, where the order of the addresses decides;
- ``race_orders``, a list of such orders with ``number`` and ``of``.

Every mark has a shape of its own, so that no colour is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, log2
from typing import Any, NamedTuple

from ipv6check.model import Evidence
from ipv6check.model.text import count, ms

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


def pictures(evidence: Evidence, width: int, *, unicode: bool, most: int | None) -> list[str]:
    """The drawings of this evidence, as lines; with at most ``most`` clients, None for all."""
    attempts, clients = _listed(evidence, "attempts"), _listed(evidence, "clients")
    lines: list[str] = []
    if _are(attempts, _TIMELINE):
        lines += timeline(attempts, width, unicode=unicode)
        lines += by_orders(_listed(evidence, "race_orders"), width)
    if _are(clients, _CLIENT):
        lines += bars(clients, width, unicode=unicode, most=most)
    return lines


def timeline(attempts: Sequence[Evidence], width: int, *, unicode: bool = True) -> list[str]:
    """A line for each attempt: its part of the time line, how it ended, and when."""
    marks = _UNICODE if unicode else _ASCII
    shown = attempts[:LINES_AT_MOST]
    names = [str(attempt["address"]) for attempt in shown]
    ends = [f"{attempt['outcome']} {ms(attempt['ended_ms'])}" for attempt in shown]
    label = min(max(map(len, names), default=0), max(width // 3, 8))
    room = min(width - label - max(map(len, ends), default=0) - 2, 48)
    total_ms = max((attempt["ended_ms"] for attempt in shown), default=0.0)
    lines = []
    for name, attempt, end in zip(names, shown, ends, strict=True):
        drawn = f"{_drawn(attempt, total_ms, room, marks)} " if room >= BAR_AT_LEAST else ""
        lines.append(f"{_short(name, label, marks):<{label}} {drawn}{end}")
    more = len(attempts) - len(shown)
    return [*lines, f"and {count(more, 'more attempt', 'more attempts')}"] if more else lines


def by_orders(orders: Sequence[Evidence], width: float = inf) -> list[str]:
    """A line for each outcome that the order of the addresses leads to."""
    if not _are(orders, _ORDER):
        return []
    shares = [f"{order['number']} of {order['of']}" for order in orders]
    ends = [_outcome(order) for order in orders]
    for words in ("in {} orders of the answer: {}", "{} orders: {}", "{}: {}"):
        lines = [words.format(*pair) for pair in zip(shares, ends, strict=True)]
        if max(map(len, lines)) <= width:
            break
    return lines


def bars(
    clients: Sequence[Evidence], width: int, *, unicode: bool = True, most: int | None = None
) -> list[str]:
    """A bar for each client, worst first; one more character is twice the time."""
    marks = _UNICODE if unicode else _ASCII
    shown = sorted(clients, key=badness, reverse=True)[:most]
    ends = [_client_outcome(client) for client in shown]
    longest = max((len(str(client["name"])) for client in clients), default=0)
    names = min(longest, max(width // 2, 8))
    room = min(width - names - max(map(len, ends), default=0) - 2, BAR_AT_MOST)
    lines = []
    for client, end in zip(shown, ends, strict=True):
        latest_ms = _latest_ms(client)
        cells = max(1, round(log2(latest_ms + 1) * room / 18)) if latest_ms < inf else room
        bar = f"{marks.bar * min(cells, room):<{room}} " if room >= BAR_AT_LEAST else ""
        lines.append(f"{_short(str(client['name']), names, marks):<{names}} {bar}{end}")
    return lines


def badness(client: Evidence) -> tuple[bool, float]:
    """The sort key of clients: whether it fails, then how long it waits, both at worst."""
    return any(end["outcome"] == "failed" for end in _ends(client)), _latest_ms(client)


def _ends(client: Evidence) -> Sequence[Evidence]:
    """The possible outcomes of a client: one, or one for each order of the addresses."""
    orders = _listed(client, "orders")
    return orders if _are(orders, _END) else (client,)


def _listed(evidence: Evidence, key: str) -> Sequence[Any]:
    value = evidence.get(key)
    return value if isinstance(value, list | tuple) else ()


def _are(items: Sequence[Any], keys: frozenset[str]) -> bool:
    """Whether there are items, all of them mappings with these keys."""
    return bool(items) and all(isinstance(item, Mapping) and keys <= item.keys() for item in items)


def _latest_ms(client: Evidence) -> float:
    """When a client ends at the latest."""
    return max(map(_end_ms, _ends(client)))


def _end_ms(end: Evidence) -> float:
    known = (end["connect_ms"], end["failed_ms"])
    return next((float(at_ms) for at_ms in known if at_ms is not None), inf)


def _client_outcome(client: Evidence) -> str:
    """``IPv4 after 133 s``, ``fails after 100 s``, ``IPv6 or IPv4, 250 ms``.

    The best and the worst of several outcomes: ``1.5 ms or 133 s``, ``1.5 ms or fails``.
    """
    ends = sorted(_ends(client), key=badness)
    return _outcome(ends[0]) if len(ends) == 1 else f"{_briefly(ends[0])} or {_briefly(ends[-1])}"


def _briefly(end: Evidence) -> str:
    if end["outcome"] == "failed":
        return "fails"
    return ms(_end_ms(end)) if _end_ms(end) < inf else "hangs"


def _outcome(end: Evidence) -> str:
    at_ms = _end_ms(end)
    after = "" if at_ms == inf else ms(at_ms)
    name = _FAMILIES.get(end["family"])
    if end["outcome"] == "failed":
        return f"fails after {after}" if after else "hangs"
    if end["outcome"] == "either":
        return f"{name or 'either'}, about {after}" if after else "either"
    return f"{name or '-'} after {after}"


def _drawn(attempt: Evidence, total_ms: float, room: int, marks: _Marks) -> str:
    """The attempt's part of the time line, from its start to its end."""
    per_ms = (room - 1) / total_ms if total_ms > 0 else 0.0
    start, end = (round(attempt[key] * per_ms) for key in ("started_ms", "ended_ms"))
    last = {"connected": marks.connected, "cancelled": marks.lost}.get(
        attempt["outcome"], marks.failed
    )
    return f"{' ' * start}{marks.line * (end - start)}{last}".ljust(room)


def _short(name: str, width: int, marks: _Marks) -> str:
    """The name, shortened in the middle: both ends of an address are characteristic."""
    if len(name) <= width:
        return name
    kept = width - 1
    return f"{name[: kept - kept // 2]}{marks.cut}{name[len(name) - kept // 2 :]}"
