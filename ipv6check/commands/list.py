"""``ipv6check list``: the checks, the profiles and the formats."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from pathlib import Path

from ipv6check import __version__
from ipv6check.commands.parsing import (
    ChecksDir,
    Command,
    TableOrJson,
    options_of,
    typer_app,
    write,
)
from ipv6check.config.profiles import PROFILES
from ipv6check.engine.checks import loader
from ipv6check.engine.checks.api import Check
from ipv6check.engine.checks.texts import paragraphs, sentence, url
from ipv6check.model import SCHEMA_VERSION, Profile
from ipv6check.reports.formats import format_names

WIDTH = 80
app = typer_app()


@app.command("list", cls=Command)
def list_(*, format: TableOrJson = "table", checks_dir: ChecksDir = None) -> None:  # noqa: A002
    """List the checks, the profiles and the formats."""
    directories = options_of({"checks-dir": checks_dir}).checks_dir
    write(document(directories) if format == "json" else listing(directories))


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
        *textwrap.wrap(f"Formats: {', '.join(format_names())}", WIDTH, subsequent_indent=" " * 9),
        "",
        "More: ipv6check explain CHECK or CHECK/FINDING",
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, about: str) -> list[str]:
    first = f"  {name:<12}"
    return textwrap.wrap(about, WIDTH, initial_indent=first, subsequent_indent=" " * len(first))


def document(directories: Iterable[Path] = ()) -> str:
    """The same for programs, as JSON; its shape is ``catalogue`` in the output schema."""
    checks = loader.load(directories).checks
    whole = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "ipv6check", "version": __version__},
        "checks": [_check_object(check) for check in checks],
        "profiles": [_profile_object(profile, checks) for profile in PROFILES.values()],
        "formats": format_names(),
    }
    return json.dumps(whole, indent=1) + "\n"


def _check_object(check: Check) -> dict[str, object]:
    return {
        "id": check.id,
        "version": check.version,
        "about": sentence(check),
        "why": "\n\n".join(paragraphs(check)),
        "reference": check.reference,
        "url": url(check),
        "cause": check.cause,
        "inputs": [wanted.name for wanted in check.inputs],
        "file": str(check.path),
        "findings": [
            {
                "id": finding.id,
                "statuses": finding.statuses,
                "what": finding.what,
                "mend": finding.mend,
                "examples": dict(finding.examples),
            }
            for finding in check.findings
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
