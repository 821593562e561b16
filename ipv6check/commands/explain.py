"""``ipv6check explain``: one check, or one finding of it, at length."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console
from rich.markdown import Markdown

from ipv6check.commands.parsing import ChecksDir, Command, options_of, typer_app, write
from ipv6check.engine.checks import loader
from ipv6check.engine.checks.api import Check, PluginError
from ipv6check.engine.checks.inputs import nearest
from ipv6check.engine.checks.pages import Section
from ipv6check.engine.checks.texts import is_laid_out, page_source, paragraphs, sentence, url
from ipv6check.model.findings import Explained

WIDTH = 80
# Longer lines of text are hard to read, however wide the terminal is.
MOST_COLUMNS = 100
# In a terminal a link leads nowhere: its text is what to explain next.
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")
EXAMPLES = """Examples:

\b
  ipv6check explain tcp
  ipv6check explain tcp/refused"""
app = typer_app()


def _check_names() -> list[str]:
    return sorted(path.stem for path in loader.shipped_directory().glob("*.py"))


@app.command("explain", cls=Command, epilog=EXAMPLES)
def explain(
    check: Annotated[
        str,
        typer.Argument(
            metavar="CHECK",
            help="A check, or CHECK/FINDING.",
            autocompletion=_check_names,
        ),
    ],
    *,
    checks_dir: ChecksDir = None,
) -> None:
    """Explain a check or one of its findings: what it means, and how to fix it."""
    show(check, options_of({"checks-dir": checks_dir}).checks_dir, sys.stdout)


def show(name: str, directories: Iterable[Path], stream: TextIO) -> None:
    """Write a check or a finding: in a terminal as its page looks, else as plain text.

    Raises PluginError where there is none of that name.
    """
    check, finding = _named(name, directories)
    source = page_source(check) if finding is None else getattr(finding, "source", "")
    console = Console(file=stream, highlight=False)
    if source and console.is_terminal and not console.is_dumb_terminal:
        console.width = min(console.width, MOST_COLUMNS)
        console.print(Markdown(_LINK.sub(r"\1", source), code_theme="ansi_dark", hyperlinks=False))
        return
    write(explanation(name, directories), stream)


def explanation(name: str, directories: Iterable[Path] = ()) -> str:
    """One check at length, or one finding of it: ``tcp``, ``tcp/refused``; in 80 columns.

    Raises PluginError where there is none of that name.
    """
    check, finding = _named(name, directories)
    if finding is not None:
        return "\n".join(_explained(finding)) + "\n"
    blocks = [_wrapped(f"{check.id}: {sentence(check)}"), *map(_wrapped, paragraphs(check))]
    if check.findings:
        blocks += [["Findings:"], *(_explained(explained, "  ") for explained in check.findings)]
    facts = {
        "Judges": ", ".join(wanted.name for wanted in check.inputs),
        "File": str(check.path),
        "Reference": check.reference,
        "Online": url(check),
    }
    blocks.append([f"{key}: {value}" for key, value in facts.items() if value])
    return "\n\n".join("\n".join(lines) for lines in blocks) + "\n"


def _named(name: str, directories: Iterable[Path]) -> tuple[Check, Explained | Section | None]:
    """The check, and the finding where one is named. Raises PluginError where there is none."""
    wanted, _, finding = name.partition("/")
    (check,) = loader.load(directories, only=[wanted]).checks
    known = {explained.id: explained for explained in check.findings}
    if finding and finding not in known:
        # Where the check of a root cause is left out, another one reports it.
        roots = {name for names in check.roots.values() for name in names}
        for root in loader.load(directories, only=roots).checks if roots else ():
            known = {**{explained.id: explained for explained in root.findings}, **known}
    if finding and finding not in known:
        meant = nearest(finding, known) if known else ", which explains none"
        raise PluginError(f'"{finding}" is not a finding of {check.id}{meant}')
    return check, known[finding] if finding else None


def _explained(finding: Explained | Section, indent: str = "") -> list[str]:
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
    if is_laid_out(text):
        return [indent + line for line in text.splitlines()]
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
