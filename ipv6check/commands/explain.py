"""``ipv6check explain``: one check, or one finding of it, at length."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path

from ipv6check.engine.checks import loader
from ipv6check.engine.checks.api import PluginError
from ipv6check.engine.checks.inputs import nearest
from ipv6check.engine.checks.pages import Section
from ipv6check.engine.checks.texts import is_laid_out, paragraphs, sentence, url
from ipv6check.model.findings import Explained

WIDTH = 80


def explanation(name: str, directories: Iterable[Path] = ()) -> str:
    """One check at length, or one finding of it: ``tcp``, ``tcp/refused``; in 80 columns.

    Raises PluginError where there is none of that name.
    """
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
    if finding:
        return "\n".join(_explained(known[finding])) + "\n"
    blocks = [_wrapped(f"{check.id}: {sentence(check)}"), *map(_wrapped, paragraphs(check))]
    if known:
        blocks += [["Findings:"], *(_explained(explained, "  ") for explained in check.findings)]
    facts = {
        "Judges": ", ".join(wanted.name for wanted in check.inputs),
        "File": str(check.path),
        "Reference": check.reference,
        "Online": url(check),
    }
    blocks.append([f"{key}: {value}" for key, value in facts.items() if value])
    return "\n\n".join("\n".join(lines) for lines in blocks) + "\n"


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
