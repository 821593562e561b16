"""What a person in a lab shell needs to know, as text."""

from collections.abc import Iterable

from tests.lab import plan, scenarios


def guide(client: str) -> str:
    """Names, addresses and behaviours; `client` is where the reader is."""
    sections = (
        ("Clients (you are in " + client + ")", _clients()),
        ("DNS servers: 198.18.53.N and 2d00:6ab:53::N", _dns_servers()),
        ("Behaviours: address X of number N is 2d00:6ab:N::X and 198.18.N.X", _behaviours()),
        ("Hosts (tests/truth.toml)", _hosts()),
        ("DNS faults: FAULT.hostile.test, or NONCE.FAULT.hostile.test", plan.DNS_FAULTS.items()),
    )
    return "\n\n".join(f"{title}\n{_table(rows)}" for title, rows in sections) + "\n"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    rows = tuple(rows)
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"  {name:{width}}  {about}" for name, about in rows)


def _clients() -> list[tuple[str, str]]:
    return [(client.name, client.about) for client in plan.CLIENTS.values()]


def _dns_servers() -> list[tuple[str, str]]:
    return [(str(server.number), server.about) for server in plan.DNS_SERVERS]


def _behaviours() -> list[tuple[str, str]]:
    return [(f"{b.number:2} {b.name}", b.about) for b in plan.BEHAVIOURS.values()]


def _hosts() -> list[tuple[str, str]]:
    return [(s.host, " ".join(map(str, (*s.aaaa, *s.a)))) for s in scenarios.load()]
