"""`ipv6check race HOST`: the race while it runs, then what each named client would feel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import product
from typing import Annotated

import typer

from ipv6check.commands import debug as debugging
from ipv6check.commands.parsing import (
    Command,
    Debug,
    Text,
    Texts,
    opt,
    options_of,
    typer_app,
)
from ipv6check.commands.run import local_net
from ipv6check.config.target import Target, parse
from ipv6check.eyeballs.clients import Client, load
from ipv6check.eyeballs.policy import Policy
from ipv6check.eyeballs.prediction import Survey, predict_all
from ipv6check.eyeballs.race import RUNNING, Entrant, Outcome
from ipv6check.model import Failure, Settings, is_ipv6
from ipv6check.model.text import count, ms, printable
from ipv6check.net import Net
from ipv6check.net.pacing import politely
from ipv6check.probes.addresses import Addresses, addresses
from ipv6check.probes.connections import Connections
from ipv6check.probes.handshakes import handshakes
from ipv6check.probes.race import RaceSetup, policy_of, resolved
from ipv6check.probes.survey import survey
from ipv6check.reports.charts import bars, by_orders
from ipv6check.reports.sinks import terminal

CONNECTED, NOBODY, BLIND = 0, 1, 3

EXAMPLES = """Examples:

\b
  ipv6check race example.com
  ipv6check race example.com:8443 --happy-eyeballs v3
  ipv6check race localhost:9 --internal"""
app = typer_app()

Say = Callable[[str], None]
Drawn = Callable[[list[dict[str, object]]], list[str]]


@app.command("race", cls=Command, epilog=EXAMPLES)
def race(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="A name, an address or a URL, as for check.")
    ],
    *,
    nameserver: Annotated[Texts, opt("nameserver")] = None,
    internal: Annotated[bool, opt("internal")] = False,
    happy_eyeballs: Annotated[Text, opt("happy-eyeballs")] = None,
    connection_attempt_delay: Annotated[Text, opt("connection-attempt-delay")] = None,
    resolution_delay: Annotated[Text, opt("resolution-delay")] = None,
    clients_dir: Annotated[Texts, opt("clients-dir")] = None,
    debug: Debug = False,
) -> int:
    """Show a Happy Eyeballs race live, then how long each known client would take.

    Exit codes: 0 connected, 1 no attempt connects, 2 usage, 3 no name server answers.
    """
    given = locals()
    parsed = parse(given.pop("target"))
    if given.pop("debug"):
        debugging.start()
    settings = options_of(given).settings
    known = load(settings.clients_dirs)
    style = terminal(quiet=False, verbose=True)
    return run(
        settings,
        parsed,
        policy_of(settings),
        known,
        local_net(settings, 1),
        lambda line: print(line, flush=True),  # noqa: T201 - as it happens
        style.width,
        unicode=style.unicode,
    )


def run(
    settings: Settings,
    target: Target,
    policy: Policy,
    clients: Iterable[Client],
    net: Net,
    say: Say,
    width: int = 80,
    *,
    unicode: bool = False,
) -> int:
    """Race, line by line; 0 where an attempt connects, 1 where none does, 3 without a resolver.

    The clients' bars are so wide at most, and of ASCII characters unless ``unicode``.
    """

    def drawn(predictions: list[dict[str, object]]) -> list[str]:
        return [printable(line) for line in bars(predictions, width, unicode=unicode)]

    return asyncio.run(_run(settings, target, policy, tuple(clients), net, say, drawn))


async def _run(
    settings: Settings,
    target: Target,
    policy: Policy,
    clients: tuple[Client, ...],
    net: Net,
    say: Say,
    drawn: Drawn,
) -> int:
    try:
        published = await addresses(target, settings, net)
        if isinstance(published, Failure):
            say(printable(published.detail))
            return BLIND
        port = settings.ports_for(target.ports)[0]
        for line in _answers(published):
            say(line)
        nothing = Connections((port,), named=True, attempts=())
        setup = RaceSetup(policy, published, nothing, target, settings, net)
        outcome = await setup.race(port, lambda entrant: say(_line(entrant)))
        say(_end(outcome))
        seen = await _survey(target, settings, published, port, net)
        raced = seen.of_race(outcome.policy, outcome.order, outcome.equal)
        for line in by_orders([row.told(raced.of) for row in raced.orders]):
            say(line)
        say("")
        for line in drawn([row.told() for row in predict_all(clients, seen)]):
            say(line)
        return NOBODY if outcome.winner is None else CONNECTED
    finally:
        net.close()


def _answers(published: Addresses) -> Iterator[str]:
    for rdtype, heard in resolved(published).items():
        number = count(len(heard.addresses), "address", "addresses")
        yield f"{rdtype:<4} {number} after {ms(heard.after_ms)}"


def _line(entrant: Entrant) -> str:
    if entrant.outcome == RUNNING and entrant.tls_started_ms is not None:
        return f"{entrant.tls_started_ms:8.1f} ms  = {entrant.address:<39} TLS begins"
    if entrant.outcome == RUNNING:
        return f"{entrant.started_ms:8.1f} ms  > {entrant.address:<39} {entrant.why}"
    mark = "+" if entrant.outcome == "connected" else "x"
    return f"{entrant.ended_ms:8.1f} ms  {mark} {entrant.address:<39} {entrant.outcome}"


def _end(outcome: Outcome) -> str:
    if outcome.winner is None:
        return f"no connection to port {outcome.port}"
    name = "IPv6" if is_ipv6(outcome.winner) else "IPv4"
    return f"{name} connects to port {outcome.port} after {ms(outcome.elapsed_ms)}"


async def _survey(
    target: Target, settings: Settings, published: Addresses, port: int, net: Net
) -> Survey:
    """What each client's end is computed from."""
    pairs = product((*published.ipv6, *published.ipv4), (port,))
    attempts = await politely([partial(net.connect, *pair) for pair in pairs])
    seen = Connections((port,), named=True, attempts=tuple(attempts))
    secured = await handshakes(seen, target, settings, net)
    return (await survey(published, seen, secured, net))[port]
