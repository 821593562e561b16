"""What the pages of shipped checks explain is what their code finds, no more and no less."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipv6check.engine.checks import loader, pages, remedies
from ipv6check.engine.checks.api import Check
from ipv6check.engine.checks.pages import Section
from ipv6check.engine.checks.texts import sentence
from ipv6check.model import Status

CHECKS = loader.load().checks
# Where else a check's findings are made.
ELSEWHERE = {
    "firewall": ("firewall/readiness.py",),
    "ping": ("engine/checks/blame.py",),
    "tcp": ("engine/checks/blame.py",),
}
MAKERS = {"ok": "pass", "warn": "warn", "fail": "fail", "skip": "skip", "unknown": "unknown"}
LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
PACKAGE = Path(loader.__file__).parents[2]


def sources(check: Check) -> Iterator[ast.Module]:
    """The modules that make the check's findings."""
    for path in (check.path, *(PACKAGE / name for name in ELSEWHERE.get(check.id, ()))):
        yield ast.parse(path.read_text("utf-8"))


def texts(check: Check) -> set[str]:
    """Every text that stands in these modules."""
    return {
        node.value
        for tree in sources(check)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def made(check: Check) -> Iterator[tuple[int, str, ast.expr | None]]:
    """The line of every call that makes a finding, its function, and the id that it is given."""
    for tree in sources(check):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                if node.func.id in MAKERS or "id" in given:
                    yield node.lineno, node.func.id, given.get("id")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.id))
def test_every_finding_of_the_page_can_be_made(check: Check) -> None:
    """Nothing is explained that the check cannot find any more."""
    explained = {finding.id for finding in check.findings}
    assert explained
    assert explained - texts(check) == set()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.id))
def test_every_finding_that_is_made_is_on_the_page(check: Check) -> None:
    """Each call that makes a finding names it; the page has that name, with that status."""
    statuses = {finding.id: finding.statuses for finding in check.findings}
    for line, maker, given in made(check):
        assert given is not None, f"line {line}"
        if isinstance(given, ast.Constant):
            assert given.value in statuses, f"line {line}"
            assert MAKERS.get(maker, statuses[given.value][0]) in statuses[given.value], line


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.id))
def test_whatever_is_wrong_has_a_fix(check: Check) -> None:
    """Who is woken by a finding reads what it means and what to do, in sentences."""
    for finding in check.findings:
        assert finding.what.endswith("."), finding.id
        assert not finding.mend or finding.mend.endswith("."), finding.id
        if {Status.FAIL, Status.WARN, Status.UNKNOWN} & set(finding.statuses):
            assert finding.mend, finding.id


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.id))
def test_a_page_has_the_form_that_is_read(check: Check) -> None:
    """Title, sentence, reasons, reference; each heading below is a finding, each line is read."""
    page = pages.read(check.path.with_suffix(".md"))
    assert page.source.startswith(f"# {check.id}\n\n{sentence(check)}\n\n")
    assert page.intro.rpartition("\n")[2].startswith("https://")
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.source), re.MULTILINE)
    assert headings == [check.id, *(finding.id for finding in page.findings)]
    for finding in page.findings:
        assert plain(finding.source) == "\n\n".join(written(finding)) + "\n"


def plain(source: str) -> str:
    """Markdown whose paragraphs have neither links nor code; root causes are links."""
    blocks = source.split("\n\n")
    return "\n\n".join(
        block
        if FENCED.match(block) or block.startswith("Root cause: ")
        else LINK.sub(r"\1", block).replace("`", "")
        for block in blocks
    )


def written(finding: Section) -> Iterator[str]:
    """The blocks of a finding's section, made from what was read of it."""
    yield f"## {finding.id}"
    yield f"Status: {' or '.join(finding.statuses)}"
    if finding.see:
        yield f"Root cause: {', '.join(f'[{name}]({name}.md)' for name in finding.see.split())}"
    yield finding.what
    if finding.mend:
        yield f"Fix: {finding.mend}"
    languages = iter(re.findall(r"^```(.+)$", finding.source, re.MULTILINE))
    for software, lines in finding.examples.items():
        yield f"**{software}**"
        yield f"```{next(languages)}\n{lines}\n```"


def test_links_lead_to_findings() -> None:
    """A link of a page leads to a page, or to a finding of one."""
    known = {check.id: {finding.id for finding in check.findings} for check in CHECKS}
    for check in CHECKS:
        source = pages.read(check.path.with_suffix(".md")).source
        for name, anchor in re.findall(r"\]\((?:(\w+)\.md)?(?:#([\w-]+))?\)", source):
            assert not anchor or anchor in known[name or check.id], anchor


@pytest.mark.parametrize("name", remedies.FINDINGS)
def test_a_finding_of_several_checks_reads_the_same_everywhere(name: str) -> None:
    """Pages say the same of what is the same, and so does the public name."""
    shared = getattr(remedies, name)
    if name == "NO_ADDRESS":
        return  # each check says what it would have done with one
    alike = [finding for check in CHECKS for finding in check.findings if finding.id == shared.id]
    assert len(alike) > 1
    for finding in alike:
        assert (finding.statuses, finding.what, finding.mend) == (
            (shared.statuses, shared.what, shared.mend)
        )


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("LISTEN", "listeners/ipv4-only"),
        ("ACCEPT_TCP", "tcp/silent"),
        ("ACCEPT_TCP", "firewall/shut-over-ipv6"),
        ("ACCEPT_ICMPV6", "firewall/icmpv6-lost"),
        ("GET_IPV6", "host/no-address"),
    ],
)
def test_the_lines_of_several_findings_are_the_same(name: str, place: str) -> None:
    """What is fixed in the same way has the same lines; of the host's own, some are another."""
    shared = getattr(remedies, name)
    check, _, finding = place.partition("/")
    (examples,) = (
        explained.examples
        for own in CHECKS
        if own.id == check
        for explained in own.findings
        if explained.id == finding
    )
    common = set(shared) & set(examples) - ({"Linux"} if check == "host" else set())
    assert common
    assert {key: examples[key] for key in common} == {key: shared[key] for key in common}
