"""What there is to check, and for whom: checks, profiles and clients, from their own files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from ipv6check import plugin
from ipv6check.eyeballs.clients import Client, load
from ipv6check.eyeballs.policy import Policy
from ipv6check.model import printable
from ipv6check.plugin import Check
from ipv6check.profiles import PROFILES
from ipv6check.reporters import formats


def listing(directories: Iterable[Path] = ()) -> str:
    """Every check with its sentence, every profile with its ports, every format."""
    checks = plugin.load(directories).checks
    lines = ["Checks:", *(f"  {check.id:<12}{sentence(check)}" for check in checks)]
    lines += ["", "Profiles:"]
    for profile in PROFILES.values():
        ports = f" (ports {', '.join(map(str, profile.ports))})" if profile.ports else ""
        lines.append(f"  {profile.name:<12}{profile.about}{ports}")
    lines += ["", f"Formats: {', '.join(formats())}", "", "More: ipv6check explain CHECK"]
    return "\n".join(lines) + "\n"


def explanation(name: str, directories: Iterable[Path] = ()) -> str:
    """One check at length. Raises PluginError where there is none of that name."""
    (check,) = plugin.load(directories, only=[name]).checks
    text = check.text or check.about
    inputs = ", ".join(wanted.name for wanted in check.inputs)
    about = [f"{check.id}: {sentence(check)}"]
    body = text.removeprefix(sentence(check)).strip()
    if body:
        about += ["", body]
    about += ["", f"Judges: {inputs}", f"File: {check.path}"]
    if check.reference:
        about.append(f"Reference: {check.reference}")
    return "\n".join(about) + "\n"


def clients(directories: Iterable[Path] = ()) -> str:
    """Every client whose end is predicted: how it connects, and how that is known.

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


def sentence(check: Check) -> str:
    """The first line of the check's docstring."""
    return check.about.partition("\n")[0]


def readme_table() -> str:
    """The table of checks in the README; a test keeps the two alike."""
    rows = [
        f"| `{check.id}` | {sentence(check)} | {check.reference} |"
        for check in plugin.load().checks
    ]
    return "\n".join(["| check | what it makes sure of | reference |", "|---|---|---|", *rows])
