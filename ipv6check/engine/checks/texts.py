"""What a check says about itself, in its page or its file: sentence, reasons, findings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from textwrap import indent

from ipv6check.engine.checks import pages
from ipv6check.engine.checks.api import Check
from ipv6check.engine.checks.pages import Section
from ipv6check.model import RuleDoc


def sentence(check: Check) -> str:
    """The first line of the check's docstring."""
    return check.about.partition("\n")[0]


def page_source(check: Check) -> str:
    """The whole page beside the check as Markdown; empty where its findings are from its file."""
    if not any(isinstance(finding, Section) for finding in check.findings):
        return ""
    return pages.read(check.path.with_suffix(pages.SUFFIX)).source


def paragraphs(check: Check) -> list[str]:
    """Its page's introduction, or its file's docstring, without sentence and address."""
    blocks = check.text.removeprefix(sentence(check)).strip("\n").split("\n\n")
    return [
        block if is_laid_out(block) else " ".join(block.split())
        for block in blocks
        if block and not block.startswith("https://")
    ]


def is_laid_out(paragraph: str) -> bool:
    """Whether the author indented a line of it, so that its lines must stay as they are."""
    return "\n " in f"\n{paragraph}"


def url(check: Check) -> str:
    """The address of the reference, where the introduction ends with one."""
    last = check.text.rpartition("\n")[2]
    return last if last.startswith("https://") else ""


@dataclass(frozen=True, slots=True)
class RuleDocs:
    """The checks as reports describe them, each followed by its findings.

    Made when it is iterated: most formats have no place for them, and pages take time to read.
    """

    checks: tuple[Check, ...]

    def __iter__(self) -> Iterator[RuleDoc]:
        return (rule for check in self.checks for rule in _rules(check))


def _rules(check: Check) -> Iterator[RuleDoc]:
    text = "\n\n".join(paragraphs(check))
    whole = RuleDoc(check.id, sentence(check), text, check.reference, url(check))
    yield whole
    for finding in check.findings:
        first, dot, _ = finding.what.partition(". ")
        examples = (
            f"{name}:\n\n{indent(lines, '    ')}" for name, lines in finding.examples.items()
        )
        text = "\n\n".join(filter(None, [finding.what, finding.mend, *examples]))
        yield replace(whole, id=f"{check.id}/{finding.id}", about=first + dot.strip(), text=text)
