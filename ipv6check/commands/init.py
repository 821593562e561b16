"""``ipv6check init``: a configuration to begin with, its comments the manual."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ipv6check.commands.parsing import Command, Texts, typer_app
from ipv6check.config.readers import FILE
from ipv6check.config.target import parse
from ipv6check.config.toml import ConfigError
from ipv6check.model.text import harmless

# A line that begins with # and no blank is an example: without the # it means what it says.
TEMPLATE = """\
# What ipv6check checks when it is called without a target: `ipv6check`.
# Editors complete and check it where its first line is "#:schema ./ipv6check.schema.json", a file
# that `ipv6check schema config >ipv6check.schema.json` writes.

[check]
# Options of `ipv6check check --help`. Flags and IPV6CHECK_... win over them.
#timeout = 3.0                  # seconds for one answer
#fail-on = "fail"               # or "warn": what makes the exit code 1
#on-unknown = "fail"            # or "pass": whether a host without IPv6 makes it 3
#retries = 2                    # times that a timeout, a reset or a SERVFAIL is asked again
#save = ["junit=ipv6check.xml"]

# A service: what somebody runs and answers for. There may be many.
{service}
#ports = [443]                  # instead of the profile's
#profile = "web"                # web, mail, dns, strict, host: see `ipv6check list`
#owner = "team-shop"
#severity = {{ ptr = "off", fallback = "fail" }}   # by check: fail, warn or off
#vantage = "ipv6"               # pass only where the host that checks has IPv6 itself
#ipv6 = "none"                  # it has none on purpose, and stands apart in reports
#reason = "an appliance that is replaced next year"
#review = 2027-06-30            # the day to look again; after it the gate warns

# A waiver: a finding that may stay until a day, and then fails again. It warns for two weeks.
#[[waiver]]
#check = "tcp"
#target = "*.legacy.example"    # as the target is written, or its host; * and ? stand for any
#subject = "[2001:db8::1]:443"  # one address alone; left out, any of the check's findings
#reason = "moves to the new data centre in January"
#owner = "ops@example.com"
#expires = 2027-01-31           # its last day, in UTC
"""
SERVICE = """\
[service.{name}]
targets = {targets}"""
EXAMPLE = """\
#[service.shop]
#targets = ["shop.example.com", "https://api.shop.example.com/health", "[2001:db8::1]:8443"]"""

app = typer_app()


@app.command("init", cls=Command)
def init(
    targets: Annotated[
        Texts, typer.Argument(metavar="[TARGET]...", help="The targets of its first service.")
    ] = None,
    *,
    config: Annotated[
        str, typer.Option("--config", metavar="PATH", help="The file to write.")
    ] = FILE,
) -> None:
    """Write a commented ipv6check.toml to start from; an existing file is not overwritten."""
    sys.stdout.write(f"{write(Path(config), targets or [])}\n")


def text(targets: Sequence[str]) -> str:
    """The file, with these targets as its first service. Raises TargetError."""
    distinct: dict[object, str] = {}
    for target in targets:
        distinct.setdefault(parse(target).key, target)
    written = (json.dumps(target, ensure_ascii=False) for target in distinct.values())
    listed = f"[{', '.join(written)}]"
    service = SERVICE.format(name="main", targets=listed) if targets else EXAMPLE
    return TEMPLATE.format(service=service)


def write(path: Path, targets: Sequence[str]) -> str:
    """Write the file, and return what to do next.

    Raises ConfigError where it cannot be written or is there already, TargetError for a target.
    """
    content = text(targets)
    shown = harmless(str(path), 200)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        raise ConfigError(f"{shown} already exists; not overwritten") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{shown} cannot be written: {reason}") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise ConfigError(f"{shown} cannot be written: {error.strerror}") from None
    run = "ipv6check" if path == Path(FILE) else f"ipv6check --config {shlex.quote(shown)}"
    if targets:
        return f"{shown} is written. Check what is in it: {run}"
    return f"{shown} is written. Name a service and its targets in it, then: {run}"
