"""The generated parts of the documents, and what holds them to the program.

``python -m tests.docs`` renews every one of them. A part stands between two comments of its name,
``<!-- options -->`` and ``<!-- /options -->``; what is around it is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "ipv6check")


def text(name: str) -> str:
    """A document as it is, by its path in the project."""
    return (ROOT / name).read_text("utf-8")


def part(document: str, name: str) -> str:
    """What stands between the two comments of a name."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", document, re.DOTALL)
    assert found is not None, f"the markers <!-- {name} --> are gone"
    return found[1]


def renewed(document: str, parts: Mapping[str, Callable[[], str]]) -> str:
    """The document with these parts made anew."""
    for name, make in parts.items():
        opening = f"<!-- {name} -->\n"
        before, _, after = document.partition(opening + part(document, name))
        document = f"{before}{opening}{make()}\n{after}"
    return document


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table. What a cell holds is Markdown itself, on one line."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(content: str) -> str:
    return " ".join(content.split()).replace("|", "\\|")


def code(words: Iterable[str]) -> str:
    """Words in code, with commas."""
    return ", ".join(f"`{word}`" for word in words)
