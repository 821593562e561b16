"""The documents are complete and up to date: generated parts, options, findings, keys, links."""

from __future__ import annotations

import re
import socket

import pytest

from ipv6check.commands import app, demo_servers, main, race, run
from ipv6check.config.options import OPTIONS
from ipv6check.engine.checks.inputs import all_probes
from ipv6check.model import Cause, Status, Verdict
from ipv6check.net import icmp
from ipv6check.reports.formats import format_names
from tests.docs import ROOT, checks, inputs, json_keys, options, part, renewed, text
from tests.docs.parts import FILES, PARTS, alike

TRIES = 3
RENEW = "renew it: python -m tests.docs"
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md"))
LINK = re.compile(r"\]\(([^)]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
ANCHOR = re.compile(r'<a id="([^"]+)">')
ELSEWHERE = ("http://", "https://")


@pytest.mark.parametrize("name", PARTS)
def test_generated_parts_are_up_to_date(name: str) -> None:
    """A page says what the program says of itself."""
    assert renewed(text(name), PARTS[name]) == text(name), RENEW


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_what_is_made_of_a_run_is_up_to_date(name: str) -> None:
    """So do the picture and the package's page, times, ports and line breaks aside."""
    if not demo_servers.has_ipv6():
        pytest.skip("this machine has no IPv6 loopback address")
    try:
        icmp._open(socket.AF_INET6).close()
    except PermissionError:
        pytest.skip(f"without ping the demo says less: {icmp.GRANT}")
    # On a machine with other work, what is predicted of clients may be another one once.
    assert any(alike(name, text(name), FILES[name]()) for _ in range(TRIES)), RENEW


def test_every_option_is_described() -> None:
    """As a flag, a variable and, where it may stand in the file, a key."""
    shown = part(text("docs/options.md"), "check")
    for name, option in OPTIONS.items():
        assert f"`--{name}" in shown
        assert f"`{options.variable(name)}`" in shown
        assert (f"| `{name}` |" in shown) is option.in_file


def test_every_command_is_described() -> None:
    """With its options, as its help has them; what its exit codes mean stands elsewhere."""
    shown, codes = text("docs/options.md"), text("docs/exit-codes.md")
    for name in app.COMMANDS:
        assert re.search(rf"^#+ ipv6check {name}$", shown, re.MULTILINE)
        assert f"`{name}`" in codes or f"`ipv6check {name}`" in codes


def test_every_exit_code_is_described() -> None:
    """In the list of those of check, whose codes the other commands take as well."""
    codes = {run.OK, run.FINDINGS, run.USAGE, run.BLIND, run.INTERRUPTED}
    codes |= {race.CONNECTED, race.NOBODY, race.BLIND, main.USAGE, main.DEFECT, main.INTERRUPTED}
    assert {
        int(code) for code in re.findall(r"^\| (\d+) \|", text("docs/exit-codes.md"), re.MULTILINE)
    } == codes


@pytest.mark.parametrize("words", [Status, Verdict, Cause])
def test_every_word_is_described(words: type[Status | Verdict | Cause]) -> None:
    """No status, verdict or cause is left out."""
    shown = text("docs/exit-codes.md")
    assert [word for word in words if f"| `{word}` |" not in shown] == []


def test_every_format_is_named() -> None:
    """Somewhere a reader meets each of them."""
    shown = "".join(text(name) for name in PAGES)
    assert [name for name in format_names() if not re.search(rf"[ =`]{name}[=`.\n ]", shown)] == []


def test_every_finding_is_described() -> None:
    """Of every check."""
    shown = part(text("docs/checks.md"), "findings")
    for described in checks.catalogue()["checks"]:
        section = shown.partition(f"### {described['id']}\n")[2].partition("\n### ")[0]
        for finding in described["findings"]:
            assert f"| [`{finding['id']}`](" in section, described["id"]


def test_every_input_is_described() -> None:
    """Of a check: the probes and what is given."""
    shown = part(text("docs/inputs.md"), "inputs")
    for name in (*all_probes(), *inputs.GIVEN):
        assert f"### Input `{name}`" in shown


def test_every_json_key_is_described() -> None:
    """Of every object in the schema; a key has something to say of itself."""
    shown = part(text("docs/json.md"), "keys")
    for name, definition in json_keys.definitions().items():
        for key in definition.get("properties", {}):
            rows = re.findall(rf"^\| `(?:\w+\.)?{key}` \|.*\|(.*)\|$", shown, re.MULTILINE)
            assert rows, f"{name}: {key}"
            assert all(row.strip() for row in rows), f"{name}: {key} says nothing of itself"


def anchors(name: str) -> set[str]:
    """Where a page can be linked to, as a repository's site names its headings."""
    page = text(name)
    headings = [
        re.sub(r"<[^>]*>|[^\w\- ]", "", line).strip().lower() for line in HEADING.findall(page)
    ]
    return {heading.replace(" ", "-") for heading in headings} | {*ANCHOR.findall(page)}


@pytest.mark.parametrize("name", ["README.md", *PAGES])
def test_links_lead_somewhere(name: str) -> None:
    """To a file of the source, and to a heading that it has."""
    for link in LINK.findall(text(name)):
        if link.startswith(ELSEWHERE):
            continue
        path, _, anchor = link.partition("#")
        wanted = (ROOT / name).parent / path if path else ROOT / name
        assert wanted.exists(), link
        if anchor:
            assert anchor in anchors(wanted.resolve().relative_to(ROOT).as_posix()), link


def test_the_readme_leads_to_every_page() -> None:
    """A page that nobody finds is none."""
    linked = set(LINK.findall(text("README.md")))
    assert {*PAGES} - {"docs/package.md"} <= linked


def test_the_package_s_page_needs_no_file() -> None:
    """On a package index a link to a file of the source leads nowhere, nor does a picture."""
    page = text("docs/package.md")
    assert all(link.startswith(ELSEWHERE) for link in LINK.findall(page))
    assert "<img" not in page


def test_the_readme_is_short() -> None:
    """A newcomer reads it to the end."""
    assert text("README.md").count("\n") < 100
