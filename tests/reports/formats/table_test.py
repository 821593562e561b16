"""The table: what it says, and that it never says it in a harmful or oversized way."""

import re
from collections import Counter
from dataclasses import replace
from datetime import date
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from ipv6check.model import (
    Cause,
    GateOutcome,
    Kind,
    Note,
    Place,
    Report,
    Result,
    RunInfo,
    Status,
    Summary,
    TargetReport,
    Vantage,
    Verdict,
    Waived,
    Waiver,
    WaiverState,
    worst,
)
from ipv6check.reports import layout
from ipv6check.reports.formats import Renderer, Style, format_names, load, render

TABLE = load("table")
HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
HOSTILE = "a\x1b[31mred\x07\x9b2J\u202egpj\r\nb\x7f [bold]x[/bold] :smile: \ud800"
HINT = "the host answers ping: open TCP 443 for IPv6 where it is filtered"


def result(check: str, status: str, message: str = "it is so", **more: object) -> Result:
    """One result, with a cause where there has to be one."""
    if status not in {"pass", "skip"}:
        more.setdefault("cause", Cause.FIREWALL)
    return Result(check, Status(status), message, **more)  # type: ignore[arg-type]


def of(target: str, verdict: Verdict, *results: Result) -> TargetReport:
    """One target with these results."""
    return TargetReport(target, target, (443,), verdict, 812.4, results)


def report(*targets: TargetReport, vantage: Vantage | None = None, **more: Any) -> Report:
    """A report of these targets."""
    verdicts = Counter(target.verdict for target in targets)
    counts = Counter(result.status for target in targets for result in target.results)
    run = RunInfo("0.1.0", "2025-11-20T12:00:00Z")
    summary = Summary(worst(verdicts), counts, verdicts, 3123.4, **more)
    return Report(run, targets, summary, vantage or Vantage(source_ipv6="2001:db8:f::2"))


def shown(told: Report, **style: object) -> str:
    """The table of a report."""
    return render(told, TABLE, Style(many=len(told.targets) > 1, **style))  # type: ignore[arg-type]


SHOP = of(
    "shop.example",
    Verdict.NOT_READY,
    result("aaaa", "pass", "2 addresses"),
    result("fallback", "warn", "IPv4 hides it: +250 ms"),
    result("http", "skip", "no connection"),
    result(
        "tcp",
        "fail",
        "[2001:db8::5]:443 is silent",
        subject="[2001:db8::5]:443",
        hint=HINT,
        evidence={"ipv6": {"outcome": Kind.TIMEOUT, "elapsed_ms": 3000.23}},
        reference="RFC 4890",
    ),
    result("tcp", "fail", "[2001:db8::6]:443 is silent", hint=HINT),
    result("tls", "skip", "no connection"),
)
FINE = of("fine.example", Verdict.READY, result("aaaa", "pass", "1 address"))
BLIND = of(
    "blind.example", Verdict.UNKNOWN, result("tcp", "unknown", "no route", cause=Cause.VANTAGE)
)
EVIL = TargetReport(
    HOSTILE,
    HOSTILE * 9,
    (443,),
    Verdict.NOT_READY,
    1.0,
    (
        result("tcp", "fail", HOSTILE, hint=HOSTILE, subject=HOSTILE, evidence={HOSTILE: HOSTILE}),
        result("例えば" * 20, "warn", "例" * 300),
        result("x" * 90, "error", "y" * 300, reference=HOSTILE),
    ),
)
STYLES = [
    Style(width, colour=False, unicode=unicode, verbose=verbose, quiet=quiet, many=many)
    for width, unicode, verbose, quiet, many in product(
        (40, 80, 200), (True, False), (True, False), (True, False), (True, False)
    )
]


def line_with(text: str, words: str) -> str:
    """The one line that holds these words."""
    (line,) = [line for line in text.splitlines() if words in line]
    return line


def test_says_the_verdict_beside_the_target() -> None:
    """The first line is the target, its verdict at the right edge."""
    first = shown(report(SHOP)).splitlines()[0]
    assert first.startswith("✗ shop.example ")
    assert first.endswith(" NOT READY")
    assert cell_len(first) == 80


def test_names_what_is_wrong_where_and_what_to_do() -> None:
    """A finding shows its mark, check, message and cause on one line, the hint below."""
    lines = shown(report(SHOP), width=100).splitlines()
    assert re.fullmatch(r" ✗ tcp +\[2001:db8::5\]:443 is silent +firewall", lines[1])
    assert lines[3].strip() == f"→ {HINT}"


def test_the_worst_comes_first() -> None:
    """Rows are ordered by gravity, then by check, whatever the order of the results."""
    worst_first = ["fail", "error", "unknown", "warn", "pass", "skip"]
    names = [f"{name}-{status}" for status in worst_first for name in "ab"]
    results = [result(name, name[2:], f"says {name}") for name in reversed(names)]
    text = shown(report(of("t", Verdict.NOT_READY, *results)), width=100)
    assert re.findall(r"says (\S+)", text) == names


def test_a_check_with_many_findings_is_named_once() -> None:
    """The second finding of a check leaves the name's place empty, and their hint is said once."""
    text = shown(report(SHOP), width=100)
    assert re.search(r"^ ✗ +\[2001:db8::6\]:443 is silent", text, re.MULTILINE)
    assert text.count(HINT) == 1


def test_different_hints_of_a_check_are_both_said() -> None:
    """Only a hint that would be repeated is left out."""
    results = [result("tcp", "fail", "a", hint="one"), result("tcp", "fail", "b", hint="two")]
    text = shown(report(of("t", Verdict.NOT_READY, *results)))
    assert "→ one" in text
    assert "→ two" in text


def test_checks_that_skip_for_one_reason_share_a_row() -> None:
    """One cause is one row, unless every detail is asked for."""
    assert line_with(shown(report(SHOP)), "http").split(maxsplit=2)[2] == "http, tls: no connection"
    assert shown(report(SHOP), verbose=True).count("no connection") == 2


def test_a_subject_that_the_message_leaves_out_is_said() -> None:
    """Without its subject a message may not say which address it means."""
    text = shown(report(of("t", Verdict.NOT_READY, result("tcp", "fail", "silent", subject="S"))))
    assert "S: silent" in text


def test_the_ascii_form_of_a_host_is_shown() -> None:
    """Two names may look alike: the form that was asked for settles it."""
    target = TargetReport("bücher.example", "xn--bcher-kva.example", (), Verdict.READY, 1, ())
    assert "bücher.example (xn--bcher-kva.example)" in shown(report(target))


def test_a_ready_target_of_many_is_one_line() -> None:
    """Of many targets only those in trouble take room, and only with their trouble."""
    text = shown(report(FINE, SHOP))
    assert re.fullmatch("✓ fine.example +ready", text.splitlines()[0])
    assert "1 address" not in text
    assert "2 addresses" not in text
    assert "no connection" not in text
    assert "is silent" in text


def test_verbose_shows_everything() -> None:
    """All rows of all targets, with evidence and reference."""
    text = shown(report(FINE, SHOP), verbose=True, width=100)
    assert "1 address" in text
    assert "ipv6.outcome=timeout ipv6.elapsed_ms=3000.2 (RFC 4890)" in text
    assert "elapsed_ms" not in shown(report(SHOP))


def test_quiet_shows_only_what_is_not_ready() -> None:
    """Quiet leaves out the ready targets, and says nothing at all if that leaves none."""
    assert shown(report(FINE), quiet=True) == ""
    assert shown(report(FINE, FINE), quiet=True) == ""
    text = shown(report(FINE, SHOP), quiet=True)
    assert "fine.example" not in text
    assert "2 targets: 1 not ready, 1 ready" in text


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ([], "no targets"),
        ([SHOP], "1 target not ready"),
        ([FINE, FINE], "2 targets ready"),
        ([FINE, SHOP, BLIND], "3 targets: 1 not ready, 1 unknown, 1 ready"),
    ],
)
def test_the_last_line_counts_in_words(targets: list[TargetReport], words: str) -> None:
    """The last line is a sentence on the run."""
    expected = f"{words} · 3.1 s · from 2001:db8:f::2"
    assert shown(report(*targets), width=120).splitlines()[-1].startswith(expected)


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0.4, "0 ms"),
        (812.4, "812 ms"),
        (999.7, "1.0 s"),
        (59_970, "1 min 0 s"),
        (133e3, "2 min 13 s"),
    ],
)
def test_durations_are_readable(milliseconds: float, words: str) -> None:
    """Milliseconds, seconds or minutes, never 60.0 s or 1000 ms."""
    summary = Summary(Verdict.READY, {}, {Verdict.READY: 1}, milliseconds)
    assert words in TABLE.tail(summary, report().run, report().vantage, Style())


def test_tells_where_to_read_more() -> None:
    """One target names its worst check; a ready one has nothing to explain."""
    assert "ipv6check explain tcp" in shown(report(SHOP))
    assert "explain" not in shown(report(FINE))
    assert "ipv6check explain CHECK" in shown(report(FINE, SHOP))


def test_an_interrupted_run_says_so() -> None:
    """What is known is shown, and that it is not all, even when it is quiet."""
    assert "interrupted" in shown(report(FINE, interrupted=True))
    assert "interrupted" in shown(report(FINE, interrupted=True), quiet=True)
    assert "interrupted" not in shown(report(FINE))


@pytest.mark.parametrize(
    ("vantage", "words"),
    [
        (Vantage(ipv6="no"), "this host has no IPv6 route, so only DNS could be checked"),
        (Vantage(ipv6="broken"), "this host has an IPv6 route, but nothing answers over it"),
        (Vantage("probe-7", "ssh", ipv6="no"), "probe-7 has no IPv6 route"),
        (Vantage(detail="controls were not asked"), "this host: controls were not asked"),
    ],
)
def test_a_vantage_that_cannot_tell_is_named_once(vantage: Vantage, words: str) -> None:
    """What the vantage cannot do is one note for the whole run, with what to do."""
    text = shown(report(BLIND, BLIND, vantage=vantage, blind=True), width=200)
    assert text.count(words) == 1
    assert (vantage.ipv6 == "yes") != ("--on-unknown pass" in " ".join(text.split()))


def test_a_vantage_that_mattered_to_nothing_is_not_mentioned() -> None:
    """A host without IPv6 that could judge every target by DNS alone has nothing to excuse."""
    assert "no IPv6 route" not in shown(report(FINE, vantage=Vantage(ipv6="no")))


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_never_wider_than_asked(style: Style) -> None:
    """No line exceeds the width, whatever the network sends, wide characters counted as two."""
    told = report(
        SHOP, EVIL, FINE, BLIND, vantage=Vantage(HOSTILE, HOSTILE, detail=HOSTILE), blind=True
    )
    assert max(cell_len(line) for line in render(told, TABLE, style).splitlines()) <= style.width


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_no_control_character_reaches_the_terminal(style: Style) -> None:
    """Without colour there is nothing below 0x20 but line ends, nor any reordering control."""
    told = report(SHOP, EVIL, vantage=Vantage(HOSTILE, HOSTILE, source_ipv6=HOSTILE))
    text = render(told, TABLE, style)
    assert HARMFUL.search(text) is None
    text.encode("utf-8" if style.unicode else "ascii")
    assert all(line == line.rstrip() for line in text.splitlines())


# Letters, wide and combining characters, joiners, emoji: what breaks the wrapping of terminals.
NASTY = st.text(st.sampled_from("ab \u4f8b\u0301\u200d\ufe0f\u200b\u00ad\xa0\u3000👩🏽\u26a0"))


@given(st.text() | NASTY, st.text() | NASTY, st.integers(20, 130))
def test_any_text_fits_and_is_harmless(message: str, name: str, width: int) -> None:
    """The two laws hold for every text that there is."""
    text = shown(report(of(name, Verdict.NOT_READY, result("tcp", "fail", message))), width=width)
    assert HARMFUL.search(text) is None
    assert all(cell_len(line) <= width for line in text.split("\n"))


@given(st.text(st.characters(codec="ascii")) | NASTY, st.integers(20, 130))
def test_wrapping_loses_no_word(message: str, width: int) -> None:
    """Whatever has to be wrapped is shown to its end."""
    text = shown(report(of("t", Verdict.NOT_READY, result("tcp", "fail", message))), width=width)
    block = "".join(text.replace("firewall", "", 1).split())
    assert "".join(Style().legible(message).split()) in block


def test_invisible_characters_are_shown() -> None:
    """A name that only looks like another one is told apart, and a joiner cannot hang the table."""
    text = shown(report(of("\u0301\u200dpay\u00adpal" + "\u200d" * 99, Verdict.READY)))
    assert "\\u200dpay\\xadpal\\u200d" in text


def test_text_of_the_network_is_no_markup() -> None:
    """Neither markup nor emoji codes are interpreted."""
    text = shown(report(EVIL), width=200, colour=True)
    assert "[bold]x[/bold] :smile:" in text


def test_colour_is_only_the_terminals_own() -> None:
    """Colour adds nothing but colour: without its codes the text is the same."""
    coloured = shown(report(SHOP, EVIL, FINE), colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == shown(report(SHOP, EVIL, FINE))


def test_the_environment_does_not_change_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reporters are pure: the style alone decides."""
    expected = shown(report(SHOP), colour=True, width=90)
    for name, value in {"NO_COLOR": "1", "COLUMNS": "20", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    layout._console.cache_clear()
    assert shown(report(SHOP), colour=True, width=90) == expected


def test_pieces_make_the_whole() -> None:
    """What is streamed is what is rendered."""
    told = report(SHOP, FINE, BLIND)
    stream = Renderer(TABLE, Style(many=True))
    seen = told.run, told.vantage
    pieces = [stream.head(*seen), *(stream.target(target, *seen) for target in told.targets)]
    assert "".join([*pieces, stream.tail(told.summary, *seen)]) == shown(told)


def test_formats_are_the_files_of_the_package() -> None:
    """A format needs no registration, and an unknown one is answered with those that there are."""
    assert {"table", "json", "jsonl"} <= set(format_names())
    with pytest.raises(ValueError, match=r"no format 'xml': one of .*table"):
        load("xml")


ATTEMPTS = [
    {"address": "2001:db8::5", "started_ms": 0.0, "ended_ms": 251.0, "outcome": "cancelled"},
    {"address": "192.0.2.5", "started_ms": 250.0, "ended_ms": 251.0, "outcome": "connected"},
]
CLIENTS = [
    {
        "name": name,
        "outcome": "connected",
        "family": "ipv4",
        "connect_ms": at_ms,
        "failed_ms": None,
    }
    for name, at_ms in (("curl", 201.0), ("wget", 133_600.0), ("go", 301.0), (HOSTILE[:9], 12.0))
]
MASKED = of(
    "masked.example",
    Verdict.DEGRADED,
    result("anyone", "warn", "IPv4 masks it", evidence={"attempts": ATTEMPTS, "clients": CLIENTS}),
    result("well", "pass", "all is well", evidence={"attempts": ATTEMPTS, "clients": CLIENTS}),
)


def test_draws_attempts_and_the_worst_clients() -> None:
    """Below the finding that is not well, whichever check it is of."""
    text = shown(report(MASKED))
    assert " 2001:db8::5 ─" in text
    assert line_with(text, "connected").endswith("● connected 251 ms")
    assert [name for name in ("wget", "go", "curl") if f" {name} " in text] == [
        "wget",
        "go",
        "curl",
    ]
    assert "after 12 ms" not in text
    ascii_text = shown(report(MASKED), unicode=False)
    assert ascii_text.isascii()
    assert "=====" in ascii_text


def test_draws_all_clients_with_verbose() -> None:
    """And those of what is well; the evidence is not written out once more."""
    text = shown(report(MASKED), verbose=True)
    assert text.count("wget ") == 2
    assert text.count("after 12 ms") == 2
    assert "connect_ms" not in text


def test_draws_nothing_in_a_long_run() -> None:
    """Nor where only what is not well was asked for."""
    assert "connected" not in shown(report(MASKED, FINE))
    assert "connected" not in shown(report(MASKED), quiet=True)


@pytest.mark.parametrize("style", STYLES)
def test_no_drawing_is_wider_than_the_terminal(style: Style) -> None:
    """At any width, and whatever a client is called."""
    text = render(report(MASKED), TABLE, style)
    assert all(cell_len(line) <= style.width for line in text.splitlines())
    assert "\x1b" not in text


def agreed(expires: date, term: WaiverState) -> Report:
    """One target whose only fault somebody has agreed on."""
    waiver = Waiver("tcp", "*", "moves in \x1b[31mJanuary", "ops", expires)
    found = replace(result("tcp", "fail", "is silent"), waived=Waived(waiver, term, 5))
    gating = Verdict.NOT_READY if term is WaiverState.EXPIRED else Verdict.READY
    told = replace(of("shop.example", Verdict.NOT_READY, found), gating=gating)
    note = Note("the waiver ends soon", Place("ipv6check.toml", 7))
    excused = 0 if term is WaiverState.EXPIRED else 1
    gate = GateOutcome.FAILED if term is WaiverState.EXPIRED else GateOutcome.PASSED
    return report(told, gate=gate, excused=excused, notes=(note,))


def test_a_waived_finding_says_so() -> None:
    """It is still a fault, at the verdict stands that it is excused, and in the end who passes."""
    text = shown(agreed(date(2027, 1, 31), WaiverState.EXPIRING), width=100)
    assert line_with(text, "shop.example").endswith("NOT READY, excused")
    said = line_with(text, "waived until").strip()
    assert said == r"waived until 2027-01-31 by ops: moves in \x1b[31mJanuary"
    assert "gate passed, 1 finding excused" in text
    assert line_with(text, "ends soon") == "! ipv6check.toml:7: the waiver ends soon"
    assert "the waiver ends soon" in shown(
        agreed(date(2027, 1, 31), WaiverState.ACTIVE), quiet=True
    )


def test_an_expired_waiver_says_so() -> None:
    """Then nothing is excused."""
    text = shown(agreed(date(2026, 1, 31), WaiverState.EXPIRED), width=100)
    assert line_with(text, "shop.example").endswith(" NOT READY")
    assert "waiver expired on 2026-01-31 by ops" in text
    assert "excused" not in text


def test_what_the_baseline_knows_says_so() -> None:
    """It was so before."""
    found = replace(result("tcp", "fail", "is silent"), known=True)
    text = shown(report(of("shop.example", Verdict.NOT_READY, found), excused=1))
    assert "known: already in the baseline" in text


def test_a_target_of_a_service_says_which() -> None:
    """As it is called in the configuration."""
    told = replace(of("shop.example", Verdict.READY), service="shop")
    assert shown(report(told)).startswith("✓ shop.example [shop] ")
