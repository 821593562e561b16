"""``ipv6check schema``: the JSON Schemas of what is printed, recorded and configured."""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from typing import Annotated

import typer

from ipv6check.commands.parsing import Command, UsageError, typer_app
from ipv6check.config.schema import config_schema
from ipv6check.model.text import harmless
from ipv6check.reports.formats import format_names

KINDS = ("output", "config", "observations")
app = typer_app()


@app.command("schema", cls=Command)
def schema(
    kind: Annotated[
        str,
        typer.Argument(
            metavar=f"[{'|'.join(KINDS)}]",
            help="Which one [default: output].",
            show_default=False,
            autocompletion=lambda: list(KINDS),
        ),
    ] = "output",
) -> None:
    """Print the JSON Schema of json and jsonl reports, of recordings, or of ipv6check.toml."""
    sys.stdout.write(text(kind))


def text(kind: str = "output") -> str:
    """One of them as JSON. Raises UsageError for another kind than those in ``KINDS``."""
    if kind == "config":
        return json.dumps(config_schema(format_names()), indent=2) + "\n"
    if kind not in KINDS:
        raise UsageError(f"unknown schema {harmless(kind, 200)!a}; valid: {', '.join(KINDS)}")
    return files("ipv6check.reports").joinpath("schemas", f"{kind}.json").read_text("utf-8")
