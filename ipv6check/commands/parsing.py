"""What the command line adds to typer: options from their declarations, and help by panels.

typer's own panels need rich, whose import takes three times as long as typer's: help is plain text.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperArgument, TyperCommand

from ipv6check.config.options import OPTIONS, Options
from ipv6check.config.sources import load
from ipv6check.config.toml import ConfigError
from ipv6check.model import BadInputError
from ipv6check.model.text import closest, harmless
from ipv6check.reports.formats import format_names

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class UsageError(BadInputError):
    """A command line that does not fit the command. The message is one printable line."""


class Command(TyperCommand):
    """A command whose help shows its options by panel, and whose usage errors are one line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer does. Raises UsageError."""
        given = tuple(args)
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            known = [name for param in self.get_params(ctx) for name in param.opts]
            raise usage_error(error, given, known, ctx.command_path) from None

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """The options, then each argument as it is called in the help."""
        arguments = (param for param in self.params if isinstance(param, TyperArgument))
        return ["[OPTIONS]", *(param.metavar or str(param.name) for param in arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options of each panel."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if isinstance(param, TyperArgument):
                row = (param.metavar or param.name, param.help or "")
                panels.setdefault("Arguments", []).append(row)
            elif (record := param.get_help_record(ctx)) is not None:
                panel = getattr(param, "rich_help_panel", None) or "Options"
                panels.setdefault(panel, []).append(record)
        for title, rows in panels.items():
            with formatter.section(title):
                formatter.write_dl(rows)


def usage_error(
    error: typer.TyperException, given: tuple[str, ...], known: list[str], command: str
) -> UsageError:
    """The error that typer found, in one line; of an unknown option, with the nearest known."""
    longs = [text.partition("=")[0] for text in given if text.startswith("--") and text != "--"]
    unknown = next((name for name in longs if name not in known), None)
    if unknown is None:
        line = harmless(" ".join(error.format_message().split()).rstrip("."), 200)
        line = line[:1].lower() + line[1:]
    else:
        line = f"no such option: {harmless(unknown, 200)}"
        if near := closest(unknown.lstrip("-"), [name.lstrip("-") for name in known]):
            return UsageError(f"{line}; did you mean --{near}?")
    return UsageError(f"{line}; see {command} --help")


def typer_app() -> typer.Typer:
    """The app of one command's file: its help is plain, and its errors are ours to print."""
    return typer.Typer(
        add_completion=False,
        context_settings=CONTEXT,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def opt(name: str) -> Any:
    """The typer option of a declared one.

    Its default is shown, not given: a flag that nobody gave leaves the value to the environment
    and the file.
    """
    declared = OPTIONS[name]
    choices = format_names() if name == "format" else declared.choices
    about = declared.help
    if name == "format":
        about = f"{about.rstrip('.')}: {', '.join(choices)}."
    if declared.join is not None:
        about += " Repeatable."
    if declared.default_text:
        about += f" [default: {declared.default_text}]"
    return typer.Option(
        *filter(None, (f"--{name}", declared.short)),
        metavar=declared.metavar or None,
        help=about,
        show_default=False,
        rich_help_panel=declared.panel,
        autocompletion=(lambda: list(choices)) if choices else None,
    )


def options_of(given: Mapping[str, object]) -> Options:
    """The options of a run, from flags over environment over file. Raises ConfigError."""
    try:
        here = Path.cwd()
    except OSError as error:
        reason = error.strerror
        raise ConfigError(f"the current directory cannot be determined: {reason}") from None
    flags = {name: value for name, value in given.items() if value is not False}
    return load(flags, os.environ, here, format_names())


def write(text: str, stream: TextIO | None = None) -> None:
    """Print what a file holds, which may be more than the terminal's encoding does."""
    stream = stream or sys.stdout
    encoding = stream.encoding or "ascii"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def table_or_json(text: str) -> str:
    """The format of a command that has these two. Raises UsageError."""
    if text not in {"table", "json"}:
        raise UsageError(f"--format: {harmless(text, 200)!a} is not one of table, json")
    return text


Text = str | None
Texts = list[str] | None
ChecksDir = Annotated[
    Texts,
    typer.Option("--checks-dir", metavar="DIR", help="Include the checks in DIR. Repeatable."),
]
ClientsDir = Annotated[
    Texts,
    typer.Option("--clients-dir", metavar="DIR", help="Include the clients in DIR. Repeatable."),
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        envvar="IPV6CHECK_DEBUG",
        help="Log each exchange of packets to standard error.",
        rich_help_panel="Report",
    ),
]
TableOrJson = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        metavar="table|json",
        help="For people, or for programs.",
        callback=table_or_json,
        autocompletion=lambda: ["table", "json"],
    ),
]


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
