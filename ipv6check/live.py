"""`ipv6check race HOST`: the race while it runs, then what each named client would feel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import product
from math import inf, log2

from ipv6check.eyeballs.clients import Client
from ipv6check.eyeballs.happy import RUNNING, Entrant, Outcome, race
from ipv6check.eyeballs.pace import politely
from ipv6check.eyeballs.policy import Policy
from ipv6check.eyeballs.predict import Prediction, predict_all
from ipv6check.model import Failure, Settings, printable
from ipv6check.net import Net
from ipv6check.probes.addresses import Addresses, addresses
from ipv6check.probes.connections import Connections
from ipv6check.probes.race import resolved, system_order
from ipv6check.probes.survey import survey
from ipv6check.target import Target
from ipv6check.wording import count, ms

CONNECTED, NOBODY, BLIND = 0, 1, 3
_FAMILIES = {"ipv6": "IPv6", "ipv4": "IPv4", None: "-"}
_WIDTH = 24

Say = Callable[[str], None]


def run(
    settings: Settings,
    target: Target,
    policy: Policy,
    clients: Iterable[Client],
    net: Net,
    say: Say,
) -> int:
    """Race, line by line; 0 where an attempt connects, 1 where none does, 3 without a resolver."""
    return asyncio.run(_run(settings, target, policy, tuple(clients), net, say))


async def _run(
    settings: Settings,
    target: Target,
    policy: Policy,
    clients: tuple[Client, ...],
    net: Net,
    say: Say,
) -> int:
    try:
        found = await addresses(target, settings, net)
        if isinstance(found, Failure):
            say(printable(found.detail))
            return BLIND
        port = settings.ports_for(target.ports)[0]
        for line in _answers(found):
            say(line)
        outcome = await _race(policy, found, port, net, say)
        say(_end(outcome))
        say("")
        for line in await _clients(clients, found, port, net):
            say(line)
        return NOBODY if outcome.winner is None else CONNECTED
    finally:
        net.close()


def _answers(found: Addresses) -> Iterator[str]:
    for rdtype, heard in resolved(found).items():
        number = count(len(heard.addresses), "address", "addresses")
        yield f"{rdtype:<4} {number} after {ms(heard.after_ms)}"


async def _race(policy: Policy, found: Addresses, port: int, net: Net, say: Say) -> Outcome:
    nothing = Connections((port,), named=True, attempts=())
    order = system_order(found, nothing, net.vantage().source_ipv6)
    rank = {address: place for place, address in enumerate(order)}
    tell = lambda entrant: say(_line(entrant))  # noqa: E731 - a sentence
    return await race(policy, resolved(found), rank, port, net.connect, tell)


def _line(entrant: Entrant) -> str:
    if entrant.outcome == RUNNING:
        return f"{entrant.started_ms:8.1f} ms  > {entrant.address:<39} {entrant.why}"
    mark = "+" if entrant.outcome == "connected" else "x"
    return f"{entrant.ended_ms:8.1f} ms  {mark} {entrant.address:<39} {entrant.outcome}"


def _end(outcome: Outcome) -> str:
    if outcome.winner is None:
        return f"nobody connects to port {outcome.port}"
    name = "IPv6" if ":" in outcome.winner else "IPv4"
    return f"{name} connects to port {outcome.port} after {ms(outcome.elapsed_ms)}"


async def _clients(
    clients: tuple[Client, ...], found: Addresses, port: int, net: Net
) -> Iterator[str]:
    """A bar for each client, the worst first."""
    pairs = product((*found.ipv6, *found.ipv4), (port,))
    attempts = await politely([partial(net.connect, *pair) for pair in pairs])
    seen = Connections((port,), named=True, attempts=tuple(attempts))
    surveyed = (await survey(found, seen, net))[port]
    return map(_bar, sorted(predict_all(clients, surveyed), key=_badness, reverse=True))


def _badness(prediction: Prediction) -> tuple[bool, float]:
    return prediction.outcome == "failed", _at_ms(prediction)


def _at_ms(prediction: Prediction) -> float:
    known = (prediction.connect_ms, prediction.failed_ms)
    return next((at_ms for at_ms in known if at_ms is not None), inf)


def _bar(prediction: Prediction) -> str:
    """The longer the worse: one more character for twice as long."""
    at_ms = _at_ms(prediction)
    bar = "=" * min(_WIDTH, max(1, round(log2(at_ms + 1)) + 1) if at_ms < inf else _WIDTH)
    end = f"{prediction.outcome} {_FAMILIES[prediction.family]} {ms(at_ms) if at_ms < inf else ''}"
    return printable(f"{prediction.name:<20} {bar:<{_WIDTH}} {end}".rstrip())
