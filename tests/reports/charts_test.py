"""Attempts and clients in plain characters: legible on any terminal, and without colour."""

from __future__ import annotations

from typing import Any

import pytest

from ipv6check.reports.charts import bars, pictures, timeline

RACE: list[dict[str, Any]] = [
    {"address": "2001:db8::1", "started_ms": 0.0, "ended_ms": 250.6, "outcome": "cancelled"},
    {"address": "2001:db8::2", "started_ms": 125.0, "ended_ms": 130.0, "outcome": "refused"},
    {"address": "192.0.2.1", "started_ms": 130.0, "ended_ms": 250.0, "outcome": "connected"},
]


def client(
    name: str,
    at_ms: float | None,
    outcome: str = "connected",
    family: str | None = "ipv4",
) -> dict[str, Any]:
    """What one client feels."""
    failed = outcome == "failed"
    return {
        "name": name,
        "outcome": outcome,
        "family": None if failed else family,
        "connect_ms": None if failed else at_ms,
        "failed_ms": at_ms if failed else None,
    }


CLIENTS = [
    client("curl", 202.0),
    client("wget", 133_600.0),
    client("node 18", 133_600.0, "failed"),
    client("go", 12.0, family="ipv6"),
    client("safari", 60.0, "either", None),
    client("hopeless", None, "failed"),
]


def order(at_ms: float | None, outcome: str = "connected", family: str = "ipv6") -> dict[str, Any]:
    """One of the ends that the order of an answer leads to."""
    return client("", at_ms, outcome, family) | {"number": 1, "of": 2}


LUCKY = [
    client("wget", 1.5, "either", "ipv6") | {"orders": [order(1.5), order(133_600.0)]},
    client("node 18", 1.5, "either") | {"orders": [order(1.5), order(133_600.0, "failed")]},
    client("go", 1.5, "either") | {"orders": [order(300.0, family="ipv4"), order(1.5)]},
]


def test_luck_has_a_best_and_a_worst() -> None:
    """Where the order of an answer decides, a bar is of the worst that may be."""
    assert bars(LUCKY, 50, unicode=False) == [
        "node 18 =======================  1.5 ms or fails",
        "wget    =======================  1.5 ms or 133 s",
        "go      ===========              1.5 ms or 300 ms",
    ]


def test_the_other_ends_of_a_race_stand_below_it() -> None:
    """In as many words as there is room for."""
    evidence = {"attempts": RACE, "race_orders": [order(1.5), order(250.0, family="ipv4")]}
    drawn = [pictures(evidence, width, unicode=True, most=3)[3:] for width in (80, 34, 28)]
    assert drawn == [
        [
            "in 1 of 2 orders of the answer: IPv6 after 1.5 ms",
            "in 1 of 2 orders of the answer: IPv4 after 250 ms",
        ],
        ["1 of 2 orders: IPv6 after 1.5 ms", "1 of 2 orders: IPv4 after 250 ms"],
        ["1 of 2: IPv6 after 1.5 ms", "1 of 2: IPv4 after 250 ms"],
    ]


def test_a_timeline() -> None:
    """Where in time each attempt was, and how it ended."""
    assert timeline(RACE, 60) == [
        "2001:db8::1 ──────────────────────────────○ cancelled 251 ms",
        "2001:db8::2                ─✗               refused 130 ms",
        "192.0.2.1                   ──────────────● connected 250 ms",
    ]
    assert timeline(RACE, 60, unicode=False)[1] == (
        "2001:db8::2                -x               refused 130 ms"
    )


def test_bars_the_worst_first() -> None:
    """Those that fail, then those that wait; one more character for twice as long."""
    assert bars(CLIENTS, 50, unicode=False) == [
        "hopeless ===================== hangs",
        "node 18  ====================  fails after 133 s",
        "wget     ====================  IPv4 after 133 s",
        "curl     =========             IPv4 after 202 ms",
        "safari   =======               either, about 60 ms",
        "go       ====                  IPv6 after 12 ms",
    ]
    assert [line.split()[0] for line in bars(CLIENTS, 50, most=2)] == ["hopeless", "node"]


@pytest.mark.parametrize("width", [20, 28, 46, 66, 110])
@pytest.mark.parametrize("unicode", [True, False])
def test_no_line_is_wider_than_it_may_be(width: int, unicode: bool) -> None:  # noqa: FBT001
    """Where there is no room for bars there are none; from 28 columns on nothing is cut."""
    lines = pictures(
        {"attempts": RACE, "clients": CLIENTS + LUCKY}, width, unicode=unicode, most=None
    )
    assert len(lines) == len(RACE) + len(CLIENTS) + len(LUCKY)
    assert width < 28 or max(map(len, lines)) <= width
    assert unicode or all(line.isascii() for line in lines)


def test_many_attempts_are_counted() -> None:
    """Six are drawn."""
    lines = timeline(RACE * 3, 80)
    assert (len(lines), lines[-1]) == (7, "and 3 more attempts")


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        {"attempts": [], "clients": []},
        {"attempts": 3, "clients": "none"},
        {"attempts": [{"address": "192.0.2.1", "outcome": "connected"}]},
        {"race_orders": [order(1.0)]},
        {"race_orders": [{"number": 1}]},
    ],
)
def test_evidence_of_another_shape_is_not_drawn(evidence: dict[str, Any]) -> None:
    """Whatever a private check calls its own."""
    assert pictures(evidence, 60, unicode=True, most=3) == []
