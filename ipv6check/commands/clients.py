"""``ipv6check clients``: the clients whose fallback is predicted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from ipv6check.commands.parsing import ClientsDir, Command, typer_app, write
from ipv6check.eyeballs.clients import Client, load
from ipv6check.eyeballs.policy import Policy
from ipv6check.model.text import printable

app = typer_app()


@app.command("clients", cls=Command)
def clients(*, clients_dir: ClientsDir = None) -> None:
    """List the clients whose fallback is predicted: how each connects, and how that is known."""
    write(listing(map(Path, clients_dir or ())))


def listing(directories: Iterable[Path] = ()) -> str:
    """Every client: how it connects, and how that is known.

    Raises ClientsError for a private file that cannot be used.
    """
    return "\n".join(line for client in load(directories) for line in _client(client)) + "\n"


def _client(client: Client) -> Iterator[str]:
    plain = asdict(Policy())
    own = {key: value for key, value in asdict(client.policy).items() if value != plain[key]}
    parameters = ", ".join(f"{key} {_value(value)}" for key, value in own.items())
    yield printable(f"{client.name}: {client.client} {client.version}")
    yield f"  {parameters or 'one address after the other, as getaddrinfo has them'}"
    yield printable(f"  {client.source} ({client.date}; {client.sure})")


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.15g}" if isinstance(value, float) else str(value)
