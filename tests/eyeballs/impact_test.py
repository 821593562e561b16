"""What a port costs its clients, from made-up observations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf

import pytest

from ipv6check.eyeballs.address_order import is_mapped
from ipv6check.eyeballs.algorithm import Resolved
from ipv6check.eyeballs.impact import Impact, in_orders, names, share
from ipv6check.eyeballs.prediction import Ending, Prediction, Seen, Survey, Word
from ipv6check.eyeballs.race import Entrant, Outcome
from ipv6check.model import Attempt, Failure, Kind

V6, V6B, V4 = "2001:470::1", "2001:470::2", "192.0.33.8"
LATER = "the second time: a rate limit, or loss?"
DNS = {"AAAA": Resolved((V6,), 10.0), "A": Resolved((V4,), 10.0)}
SEEN = {V6: Seen("connected", 20.0), V4: Seen("connected", 20.0)}


def client(
    name: str, connect_ms: float | None, address: str | None = V6, outcome: Word = "connected"
) -> Prediction:
    """How a client ends."""
    family = None if address is None else "ipv6" if ":" in address else "ipv4"
    failed_ms = 1.0 if outcome == "failed" else None
    return Prediction(name, name, "1", outcome, family, address, connect_ms, failed_ms, 0.0, 0.0)


def ending(number: int, connect_ms: float, address: str = V6) -> Ending:
    """How a client ends in so many orders of the answer."""
    family = "ipv6" if ":" in address else "ipv4"
    return Ending(number, "connected", family, address, connect_ms, None, 0.0, 0.0)


def attempt(address: str, elapsed_ms: float = 20.0, *, dead: bool = False) -> Attempt:
    """A connection, or a silence."""
    failure = Failure(Kind.TIMEOUT, "no answer", elapsed_ms) if dead else None
    return Attempt(address, 443, elapsed_ms, failure=failure)


def impact(
    *clients: Prediction,
    attempts: Sequence[Attempt] = (attempt(V6), attempt(V4)),
    race: Outcome | None = None,
    survey: Survey | None = None,
) -> Impact:
    """The impact of a port on these clients; everything works unless something else is given."""
    known = survey or Survey(DNS, (V6, V4), SEEN)
    return Impact(443, race, known, tuple(attempts), {443: clients})


def entrant(address: str, outcome: str = "connected", started_ms: float = 0.0) -> Entrant:
    """An attempt of a race that ends after 300 ms."""
    return Entrant(address, "first", started_ms, 300.0, outcome)


@pytest.mark.parametrize(
    ("end", "delay_ms"),
    [
        (client("curl", 30.0), 0.0),  # 10 ms of DNS, 20 ms of handshake
        (client("curl", 280.0), 250.0),
        (client("curl", None, None, "failed"), inf),
        (client("curl", None, None, "either"), 0.0),
    ],
)
def test_a_delay_is_what_a_client_waits_beyond_dns_and_handshake(
    end: Prediction, delay_ms: float
) -> None:
    """A client that fails waits for ever; of one whose end is not known nothing is said."""
    assert impact().delay_ms(end) == delay_ms


@pytest.mark.parametrize(
    ("clients", "says"),
    [
        ([client("curl", 30.0)], ""),
        ([client("curl", 129.0)], ""),
        ([client("node", None, None, "failed")], "node fails"),
        ([client("wget", 133_033.0), client("go", 330.0)], "wget waits 133 s"),
        ([client("wget", 1030.0), client("go", 1030.0)], "wget and go wait 1.0 s"),
        ([client("wget", 1030.0), client("go", 830.0)], "wget and go wait 800 ms to 1.0 s"),
        ([client("wget", 5030.0), client("chrome", 330.0)], "wget waits 5.0 s, chrome 300 ms"),
        (
            [client("node", None, None, "failed"), client("wget", 330.0)],
            "node fails, wget waits 300 ms",
        ),
    ],
)
def test_costs_name_who_fails_and_who_waits_longest(clients: list[Prediction], says: str) -> None:
    """Less than 100 ms nobody notices; Chrome is named beside those that wait longer."""
    assert impact(*clients).costs() == says


def test_costs_of_some_orders_come_after_those_of_all() -> None:
    """A client that waits by one order of two says so."""
    orders = (ending(1, 30.0), ending(1, 330.0))
    luck = replace(client("curl", 30.0), orders=orders)
    assert impact(luck).costs() == "in 1 of 2 orders of the answer curl waits 300 ms"
    both = impact(client("wget", 330.0), luck)
    assert both.costs() == "wget waits 300 ms; in 1 of 2 orders of the answer curl waits 300 ms"


def test_the_best_known_clients_are_named_first() -> None:
    """Two and a number; three where the third would be the only one more."""
    clients = [client(name, 0.0) for name in ("zig", "curl", "ada", "wget")]
    assert names(clients) == "wget, curl and 2 more"
    assert names(clients[:3]) == "curl, zig and ada"
    assert names(clients[:2]) == "curl and zig"
    assert names(clients[:1]) == "zig"


def test_shares_of_the_orders() -> None:
    """The most, where clients differ."""
    luck = replace(client("curl", 0.0), orders=(ending(1, 0.0), ending(5, 0.0)))
    assert share(luck, luck.orders[1:]) == (5, 6)
    assert share(client("go", 0.0), ()) == (1, 1)
    assert in_orders([(5, 6)]) == "in 5 of 6 orders of the answer"
    assert in_orders([(1, 6), (5, 6)]) == "in up to 5 of 6 orders of the answer"


def test_dead_addresses_are_counted_by_family() -> None:
    """A vantage without IPv4 counts none of IPv4."""
    attempts = [attempt(V6), attempt(V6B, dead=True), attempt(V4, dead=True)]
    port = impact(attempts=attempts)
    assert port.dead_addresses() == "1 of 2 IPv6 and 1 of 1 IPv4 addresses are dead"
    assert replace(port, blind=True).dead_addresses() == "1 of 2 IPv6 addresses is dead"


def test_clients_are_stuck_where_tcp_leads_to_dead_tls() -> None:
    """A client that ends on another address is not."""
    seen = {V6: Seen("connected", 20.0, "silent", 3000.0), V4: Seen("connected", 20.0, "ok", 9.0)}
    survey = Survey(DNS, (V6, V4), seen)
    failing = client("curl", None, V6, "failed")
    stuck = impact(failing, client("v3", 300.0, V4), survey=survey).stuck()
    assert stuck is not None
    assert (stuck.clients, stuck.family, stuck.hangs, stuck.orders) == ("curl", "ipv6", True, "")
    assert impact(client("v3", 300.0, V4), survey=survey).stuck() is None
    assert impact(failing).stuck() is None


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        ("connected", []),
        ("permission", []),
        (
            "refused",
            [f"{V6} connects the first time and is refused the second time: a rate limit?"],
        ),
        (
            "cancelled",
            [f"{V6} connects the first time in 20 ms, but not within 300 ms {LATER}"],
        ),
    ],
)
def test_an_address_that_connects_only_once(outcome: str, says: list[str]) -> None:
    """What a race saw of an address that had connected before."""
    race = Outcome(443, V4, 300.0, (entrant(V6, outcome), entrant(V4, started_ms=250.0)))
    assert list(impact(race=race).second_attempts()) == says


def test_a_lost_race_is_measured_against_the_winner() -> None:
    """By how much, and how long each handshake took; less than 100 ms is nobody's loss."""
    race = Outcome(443, V4, 270.0, (entrant(V6, "cancelled"), entrant(V4, started_ms=250.0)))
    lost = impact(attempts=[attempt(V6, 400.0), attempt(V4)], race=race).lost_race()
    assert lost is not None
    assert (lost.lost_ms, lost.ipv6_ms, lost.ipv4_ms) == (130.0, 400.0, 20.0)
    near = impact(attempts=[attempt(V6, 280.0), attempt(V4, 190.0)], race=race)
    assert near.lost_race() is None
    assert impact(race=replace(race, winner=V6)).lost_race() is None
    alone = impact(race=Outcome(443, V4, 20.0, (entrant(V4),)))
    assert (alone.ipv4_first, alone.lost_race()) == (True, None)


def test_evidence_is_plain_data() -> None:
    """A client's end is left out where it is not asked for or cannot be known."""
    port = impact(client("curl", 30.0), race=Outcome(443, V6, 20.0, (entrant(V6),)))
    told = port.evidence("rfc8305")
    assert (told["winner"], told["algorithm"], told["port"]) == (V6, "rfc8305", 443)
    assert [row["name"] for row in told["clients"]] == ["curl"]  # type: ignore[attr-defined]
    assert "clients" not in port.evidence("rfc8305", clients=False)
    assert "clients" not in replace(port, blind=True).evidence("rfc8305")


def test_mapped_addresses() -> None:
    """They are written with dots."""
    assert is_mapped("::ffff:192.0.2.1")
    assert not is_mapped("::ffff:1")
    assert not is_mapped(V4)
