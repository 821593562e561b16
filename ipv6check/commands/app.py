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
from ipv6check.commands.parsing import CONTEXT, opt, usage_error

# By name: the module, and what the help says; each module has an `app` with one command.
COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "check": ("check_command", "Check targets: names, addresses or URLs."),
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


def format_asked_for(arguments: Sequence[str]) -> str | None:
    """The format that a command line names, which may itself be what is wrong."""
    lenient = typer.Typer(add_completion=False)

    @lenient.command()
    def read(
        format: Annotated[str | None, opt("format")] = None,  # noqa: A002 - the option's name
    ) -> None:
        """Read it."""

    context = typer.main.get_command(lenient).make_context(
        "ipv6check",
        [*arguments],
        resilient_parsing=True,
        ignore_unknown_options=True,
        allow_extra_args=True,
    )
    named: str | None = context.params["format"]
    return named
