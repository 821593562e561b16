"""The page beside a check, NAME.md: what it looks at, what it can find, and how to fix that.

Its form is that of the pages in checks.d, which people read as they are::

    # NAME

    The first sentence of the check's docstring.

    Why it matters.

    https://www.rfc-editor.org/rfc/rfc4890

    ## refused

    Status: fail or warn

    Root cause: [another-check](another-check.md)

    What it means.

    Fix: What to do about it.

    **nginx**

    ```nginx
    listen [::]:443 ssl;
    ```

A run needs ids, statuses and root causes alone, which a regular expression finds. The Markdown of a
section is parsed when somebody asks for its texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ipv6check.model.findings import FINDING_ID, Explained, Status

if TYPE_CHECKING:
    from markdown_it.token import Token

SUFFIX = ".md"

_TITLE = re.compile(r"# .*\n+")
# A heading with a status below it is a finding; any other is text.
_FINDING = re.compile(
    r"^## (?P<id>.+)\n\nStatus: (?P<statuses>.+)\n(?:\nRoot cause: (?P<see>.+)\n)?", re.MULTILINE
)
_LINK = re.compile(r"\[([^]]+)\]")
_SOFTWARE = re.compile(r"\*\*(.+)\*\*")


@dataclass(frozen=True)
class Section:
    """One finding of a page, with the attributes of `Explained`; its texts are parsed when read.

    ``source`` is the whole section as Markdown, ``body`` what follows its status and root cause.
    Reading a text raises ValueError where an example is for software that `SOFTWARE` has not.
    """

    id: str
    statuses: tuple[Status, ...]
    see: str
    source: str
    body: str

    @property
    def what(self) -> str:
        """What it means."""
        return self.explained.what

    @property
    def mend(self) -> str:
        """What to do about it; empty where nothing is to be done."""
        return self.explained.mend

    @property
    def examples(self) -> Mapping[str, str]:
        """The lines that do it, by the software they are for."""
        return self.explained.examples

    @cached_property
    def explained(self) -> Explained:
        """The same, parsed."""
        from markdown_it import MarkdownIt  # noqa: PLC0415 - a run reads no text

        what, fix, software, examples = list[str](), "", "", dict[str, str]()
        for token in MarkdownIt().parse(self.body):
            if token.type == "fence":
                examples[software] = token.content.rstrip("\n")
            elif token.type != "inline":
                continue
            elif label := _SOFTWARE.fullmatch(token.content):
                software = label[1]
            elif (text := _plain(token)).startswith("Fix: "):
                fix = text.removeprefix("Fix: ")
            else:
                what.append(text)
        return Explained(
            self.id, " ".join(self.statuses), "\n\n".join(what), fix, examples, self.see
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A page: all of it, its text before the first finding without the title, and its findings."""

    source: str
    intro: str
    findings: tuple[Section, ...]


def read(path: Path) -> Page:
    """The page in this file.

    Raises OSError, and ValueError for a word that is no id or no status, or an id that stands
    twice.
    """
    source = path.read_text("utf-8")
    headings = list(_FINDING.finditer(source))
    findings = tuple(_sections(source, headings))
    known = set[str]()
    for finding in findings:
        if not FINDING_ID.fullmatch(finding.id):
            raise ValueError(f'"{finding.id}" cannot be a finding\'s id (a-z, 0-9, joined by -)')
        if finding.id in known:
            raise ValueError(f'finding "{finding.id}" is explained twice')
        known.add(finding.id)
    intro = source[: headings[0].start()] if headings else source
    return Page(source, _TITLE.sub("", intro, count=1).strip(), findings)


def _plain(paragraph: Token) -> str:
    """The words of a paragraph, without what makes them links or code."""
    parts = paragraph.children or ()
    return "".join(" " if part.type == "softbreak" else part.content for part in parts)


def _sections(source: str, headings: list[re.Match[str]]) -> Iterator[Section]:
    ends = [*(heading.start() for heading in headings[1:]), len(source)]
    for heading, end in zip(headings, ends, strict=False):
        yield Section(
            heading["id"],
            tuple(map(Status, heading["statuses"].split(" or "))),
            " ".join(_LINK.findall(heading["see"] or "")),
            source[heading.start() : end].strip() + "\n",
            source[heading.end() : end],
        )
