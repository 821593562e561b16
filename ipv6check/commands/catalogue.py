"""What there is to check, and for whom: checks, profiles and clients, from their own files."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from itertools import zip_longest
from pathlib import Path
from textwrap import indent

from ipv6check import __version__
from ipv6check.config.profiles import PROFILES
from ipv6check.engine.checks import loader
from ipv6check.engine.checks.loader import Check, PluginError, nearest
from ipv6check.eyeballs.clients import Client, load
from ipv6check.eyeballs.policy import Policy
from ipv6check.model import SCHEMA_VERSION, Profile, Rule
from ipv6check.model.findings import Explained
from ipv6check.model.text import printable
from ipv6check.reports.formats import formats

WIDTH = 80


def listing(directories: Iterable[Path] = ()) -> str:
    """Every check with its sentence, every profile with its ports, every format."""
    checks = loader.load(directories).checks
    lines = ["Checks:"]
    for check in checks:
        lines += _row(check.id, sentence(check))
    lines += ["", "Profiles:"]
    for profile in PROFILES.values():
        word = "port" if len(profile.ports) == 1 else "ports"
        ports = f" ({word} {', '.join(map(str, profile.ports))})" if profile.ports else ""
        lines += _row(profile.name, profile.about + ports)
    lines += [
        "",
        *textwrap.wrap(f"Formats: {', '.join(formats())}", WIDTH, subsequent_indent=" " * 9),
        "",
        "More: ipv6check explain CHECK or CHECK/FINDING",
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, about: str) -> list[str]:
    first = f"  {name:<12}"
    return textwrap.wrap(about, WIDTH, initial_indent=first, subsequent_indent=" " * len(first))


def document(directories: Iterable[Path] = ()) -> str:
    """The same for programs, as JSON; its shape is ``catalogue`` in schema.json."""
    checks = loader.load(directories).checks
    whole = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "ipv6check", "version": __version__},
        "checks": [_check_object(check) for check in checks],
        "profiles": [_profile_object(profile, checks) for profile in PROFILES.values()],
        "formats": formats(),
    }
    return json.dumps(whole, indent=1) + "\n"


def _check_object(check: Check) -> dict[str, object]:
    return {
        "id": check.id,
        "about": sentence(check),
        "why": "\n\n".join(_why(check)),
        "reference": check.reference,
        "url": _url(check),
        "cause": check.cause,
        "inputs": [wanted.name for wanted in check.inputs],
        "file": str(check.path),
        "findings": [
            {
                "id": each.id,
                "statuses": each.statuses,
                "what": each.what,
                "mend": each.mend,
                "examples": dict(each.examples),
            }
            for each in check.findings
        ],
    }


def _profile_object(profile: Profile, checks: Iterable[Check]) -> dict[str, object]:
    runs = [check.id for check in checks if profile.runs(check.id)]
    return {
        "name": profile.name,
        "about": profile.about,
        "ports": profile.ports,
        "checks": runs,
        "required": [name for name in runs if name not in profile.optional],
        "severity": dict(profile.severity),
    }


def explanation(name: str, directories: Iterable[Path] = ()) -> str:
    """One check at length, or one finding of it: ``tcp``, ``tcp/refused``; in 80 columns.

    Raises PluginError where there is none of that name.
    """
    wanted, _, finding = name.partition("/")
    (check,) = loader.load(directories, only=[wanted]).checks
    known = {each.id: each for each in check.findings}
    if finding and finding not in known:
        # Where the check of a root cause is left out, another one tells it.
        roots = {name for names in check.roots.values() for name in names}
        for root in loader.load(directories, only=roots).checks if roots else ():
            known = {**{each.id: each for each in root.findings}, **known}
    if finding and finding not in known:
        meant = nearest(finding, known) if known else ", which explains none"
        raise PluginError(f'"{finding}" is not a finding of {check.id}{meant}')
    if finding:
        return "\n".join(_explained(known[finding])) + "\n"
    blocks = [_wrapped(f"{check.id}: {sentence(check)}"), *map(_wrapped, _why(check))]
    if known:
        blocks += [["Findings:"], *(_explained(each, "  ") for each in check.findings)]
    facts = {
        "Judges": ", ".join(wanted.name for wanted in check.inputs),
        "File": str(check.path),
        "Reference": check.reference,
        "Online": _url(check),
    }
    blocks.append([f"{key}: {value}" for key, value in facts.items() if value])
    return "\n\n".join("\n".join(lines) for lines in blocks) + "\n"


def _why(check: Check) -> list[str]:
    """The paragraphs of the file's docstring, a line each, without its sentence and its address."""
    paragraphs = check.text.removeprefix(sentence(check)).strip("\n").split("\n\n")
    return [
        each if _is_laid_out(each) else " ".join(each.split())
        for each in paragraphs
        if each and not each.startswith("https://")
    ]


def _is_laid_out(paragraph: str) -> bool:
    """Whether its author indented a line of it: then its lines are to stay as they are."""
    return "\n " in f"\n{paragraph}"


def _url(check: Check) -> str:
    """Where the reference can be read, if the file's docstring ends with its address."""
    last = check.text.rpartition("\n")[2]
    return last if last.startswith("https://") else ""


def _explained(finding: Explained, indent: str = "") -> list[str]:
    """A finding: what it means, what to do, and the lines that do it."""
    inside = indent + "  "
    lines = [f"{indent}{finding.id} ({' or '.join(finding.statuses)})"]
    lines += _wrapped(finding.what, inside)
    if finding.mend:
        lines += _wrapped(f"Fix: {finding.mend}", inside)
    room = max(map(len, finding.examples), default=0) + 2
    for software, example in finding.examples.items():
        for label, line in zip_longest([software], example.splitlines(), fillvalue=""):
            lines.append(f"{inside}  {label:<{room}}{line}")
    return lines


def _wrapped(text: str, indent: str = "") -> list[str]:
    if _is_laid_out(text):
        return [indent + line for line in text.splitlines()]
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


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


def rules(checks: Iterable[Check]) -> tuple[Rule, ...]:
    """The checks as reports tell of them, each with its findings after it."""
    return tuple(rule for check in checks for rule in _rules(check))


def _rules(check: Check) -> Iterator[Rule]:
    whole = Rule(check.id, sentence(check), "\n\n".join(_why(check)), check.reference, _url(check))
    yield whole
    for each in check.findings:
        first, dot, _ = each.what.partition(". ")
        mends = [f"{name}:\n\n{indent(lines, '    ')}" for name, lines in each.examples.items()]
        text = "\n\n".join(filter(None, [each.what, each.mend, *mends]))
        yield replace(whole, id=f"{check.id}/{each.id}", about=first + dot.strip(), text=text)


def readme_table() -> str:
    """The table of checks in the README; a test keeps the two alike."""
    rows = [
        f"| `{check.id}` | {sentence(check)} | {check.reference} |"
        for check in loader.load().checks
    ]
    return "\n".join(["| check | what it makes sure of | reference |", "|---|---|---|", *rows])
