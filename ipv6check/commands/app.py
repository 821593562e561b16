"""The command line: which command is meant, and its module, imported when it is dispatched."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ipv6check import __version__

# By name: the module, and what the help says; each module has an `app` with one command.
COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "check": ("check", "Check targets: names, addresses or URLs."),
        "race": ("race", "Show a Happy Eyeballs race live, and what each client would do."),
        "firewall": ("firewall", "Show what firewall rules allow over IPv6."),
        "diff": ("diff", "Show what got better or worse between two saved reports."),
        "list": ("list", "List the checks, the profiles and the formats."),
        "explain": ("explain", "Explain a check or one of its findings, and how to fix it."),
        "clients": ("clients", "List the clients whose fallback is predicted."),
        "init": ("init", "Write a commented ipv6check.toml to start from."),
        "demo": ("demo", "Check one healthy and four broken hosts, all on this machine."),
        "schema": ("schema", "Print the JSON Schema of reports, recordings or ipv6check.toml."),
    }
)


# The declarations of options are imported late: neither the help nor the version needs them.
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Commands(TyperGroup):
    """The commands, of which only the one that is meant is imported."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """Their names, in the order of the help."""
        return [*COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"ipv6check.commands.{COMMANDS[cmd_name][0]}")
        return typer.main.get_command(module.app)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's signature
        """Write what each does; nothing is imported for that."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer does, but what begins with no command is for ``check``. Raises UsageError."""
        known = [name for param in self.get_params(ctx) for name in param.opts]
        if not args and not ctx.resilient_parsing:
            if not _is_configured():
                typer.echo(ctx.get_help(), err=True)
                ctx.exit(2)
            args = ["check"]
        elif args and args[0].partition("=")[0] not in {*COMMANDS, *known}:
            args = ["check", *args]
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            from ipv6check.commands.parsing import usage_error  # noqa: PLC0415

            raise usage_error(error, tuple(args), known, ctx.command_path) from None


def _is_configured() -> bool:
    """Whether a call without any argument means the services of a file."""
    # Unlike Path's, False also where nobody may look, such as in another user's home directory.
    found = os.path.isfile("ipv6check.toml")  # noqa: PTH113
    return bool(os.environ.get("IPV6CHECK_CONFIG")) or found


app = typer.Typer(
    cls=Commands,
    context_settings=CONTEXT,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        sys.stdout.write(f"ipv6check {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Check whether your services are ready for IPv6: what is broken, where, and how to fix it.

    `ipv6check example.com` is short for `ipv6check check example.com`. Without any argument it
    checks the services of ./ipv6check.toml, which `ipv6check init` writes.
    """


def run(arguments: Sequence[str]) -> int | None:
    """Run a command; its exit code."""
    code: int | None = typer.main.get_command(app).main(
        [*arguments], prog_name="ipv6check", standalone_mode=False
    )
    return code
