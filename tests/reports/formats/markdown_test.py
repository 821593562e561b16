"""A comment: readable, within GitHub's limit, and of the network's text nothing but text."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ipv6check.model import (
    Cause,
    GateOutcome,
    Note,
    Result,
    Status,
    TargetReport,
    Vantage,
    WaiverState,
)
from ipv6check.reports.formats import Style, load, render
from tests.reports.formats.reports import DOWN, HOSTILE, report, target, text, waived

SLOW = Result(
    "aaaa", Status.WARN, "AAAA comes late", "look at the servers", "example.com", Cause.DNS
)
BLIND = Result("tcp", Status.UNKNOWN, "no IPv6 route", cause=Cause.VANTAGE)
BROKEN = Result("ours", Status.ERROR, "ZeroDivisionError", cause=Cause.TOOL)
LIMIT = 65_536
# GitHub's tables, strikethrough and links of bare addresses.
GFM = MarkdownIt("gfm-like")
OURS = {
    *("h3", "h4", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "blockquote"),
    *("details", "summary", "sub"),
}


class Page(HTMLParser):
    """What a browser sees: tags, and the text of each cell, with what stands outside of code."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.rows: list[list[str]] = []
        self.plain = ""
        self._open: list[str] = []
        self.feed(GFM.render(markdown))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One more tag."""
        self.tags.append(tag)
        self.attributes += attrs
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """One less."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text, in a cell or not."""
        if {"td", "th"} & {*self._open}:
            self.rows[-1][-1] += data
        if "code" not in self._open:
            self.plain += data


def test_a_comment() -> None:
    """Headline, then a table, the worst first, then what to do."""
    targets = target(SLOW, name="late.example"), target(DOWN), target(name="fine.example")
    document = text("markdown", *targets, gate=GateOutcome.FAILED)
    assert document.startswith(
        "### ❌ IPv6 gate failed · 3 targets: 1 not ready, 1 degraded, 1 ready\n\n"
    )
    assert Page(document).rows == [
        ["", "target", "check", "finding", "cause"],
        ["❌ fail", "example.com", "tcp", "silent, IPv4 connects in 11 ms", "firewall"],
        ["⚠️ warn", "late.example", "aaaa", "AAAA comes late", "dns"],
        ["target", "check", "fix"],
        ["example.com", "tcp", "open TCP 443"],
        ["late.example", "aaaa", "look at the servers"],
    ]


@pytest.mark.parametrize(("gate", "mark"), [*zip(GateOutcome, "✅❌❓", strict=True)])
def test_the_headline(gate: GateOutcome, mark: str) -> None:
    """What the gate says is the first character to be seen; without targets there is no table."""
    first, *_ = text("markdown", gate=gate).splitlines()
    assert first == f"### {mark} IPv6 gate {gate} · no targets"
    assert "|" not in text("markdown")


def test_what_may_stay() -> None:
    """It is told apart, with reason, owner and day; an expired waiver is told in its row."""
    results = waived(DOWN), replace(SLOW, known=True), waived(DOWN, WaiverState.EXPIRED)
    document = text("markdown", target(*results))
    assert "#### Excused (2)" in document
    rows = Page(document).rows
    assert rows[1][3] == (
        "silent, IPv4 connects in 11 ms waiver expired on 2026-12-31 by net team: new load balancer"
    )
    assert [row[2:] for row in rows[3:5]] == [
        [
            "silent, IPv4 connects in 11 ms",
            "waived until 2026-12-31 by net team: new load balancer",
        ],
        ["AAAA comes late", "known: already in the baseline"],
    ]


def test_what_could_not_be_measured() -> None:
    """A host without IPv6 is told once, the rest of it folded away; a defect of ours is not."""
    told = replace(
        report([target(BLIND, BROKEN)], blind=True, interrupted=True),
        vantage=Vantage(ipv6="no"),
    )
    document = render(told, load("markdown"), Style())
    assert "> interrupted: the remaining targets were not checked\n" in document
    assert "> `this host has no IPv6 route, " in document
    assert "<details><summary>Could not be measured (1)</summary>" in document
    assert Page(document).rows[1][0] == "💥 error"


def many(say: str, number: int) -> list[TargetReport]:
    """Targets of which everything there can be is wrong."""
    results = [
        replace(result, message=say, hint=say) for result in (DOWN, waived(DOWN), SLOW, BLIND)
    ]
    return [target(*results, name=f"host{n}.example") for n in range(number)]


@pytest.mark.slow(after=1)
@pytest.mark.parametrize("say", ["x", "x" * 5000, "é" * 5000, "`|" * 5000])
def test_thousands_of_targets(say: str) -> None:
    """It stays a comment that GitHub takes, and says how much it leaves out."""
    document = text("markdown", *many(say, 3000), notes=(Note(say),) * 50)
    assert len(document.encode()) < LIMIT
    shown = document.split("####")[0].count("❌ fail")
    assert f"and {6000 - shown} more that do not fit here" in document
    assert "and 40 more notes" in document
    assert document.count("<details>") == document.count("</details>") == 2


def rendered(say: str) -> Page:
    """The page of a report all of whose texts are the network's."""
    found = replace(DOWN, check=say, message=say, hint=say, subject=say)
    waiver = replace(waived(found).waived.waiver, reason=say, owner=say)  # type: ignore[union-attr]
    excused = replace(waived(found), waived=replace(waived(found).waived, waiver=waiver))  # type: ignore[type-var]
    told = target(found, excused, replace(BLIND, message=say), name=say)
    vantage = Vantage(ipv6="broken", detail=say)
    whole = replace(report([told], blind=True, notes=(Note(say),)), vantage=vantage)
    return Page(render(whole, load("markdown"), Style()))


SHAPE = [5, 5, 4, 4, 3, 3, 3, 3]


@pytest.mark.parametrize(
    "say",
    [
        HOSTILE,
        "[link](https://evil.example)",
        "![image](https://evil.example/x.png)",
        "https://evil.example www.evil.example me@evil.example",
        "<https://evil.example>",
        "@somebody @some/team #1 GH-1 :tada:",
        "<img src=x onerror=alert(1)><script>",
        "</details></td>",
        "a | b \\| c \\",
        "``` ` `` \\` `",
        "| `",
        "\n\n# heading\n\n| a |",
        "<!-- ",
        "&lt;b&gt; &#96;",
        "[a]: https://evil.example",
        "~~a~~ **b** $c$",
    ],
)
def test_nothing_of_the_networks_is_markup(say: str) -> None:
    """No tag, attribute or cell comes of it, and no word of it stands outside of code."""
    page, plain = rendered(say), rendered("x")
    assert page.tags == plain.tags
    assert {*page.tags} <= OURS
    assert page.attributes == []
    assert [len(row) for row in page.rows] == SHAPE
    assert page.plain == plain.plain


@given(st.text(min_size=1))
def test_no_text_is_markup(say: str) -> None:
    """The same of any text."""
    page = rendered(say)
    assert {*page.tags} <= OURS
    assert page.attributes == []
    assert [len(row) for row in page.rows] == SHAPE
