"""Torn and garbled rule files: one clear error or an answer, never a crash or a false certainty."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from ipv6check.firewall.evaluate import judge
from ipv6check.firewall.model import RuleError
from ipv6check.firewall.notation import read
from ipv6check.firewall.packets import packet
from tests.firewall import oracle, suite
from tests.pace import loop_s

# So long, in loops of tests/pace.py, that only a parser that has lost its way takes it.
MAX_LOOPS = 100
PROBES = (
    {"proto": "tcp", "dport": 22, "iif": "eth0", "saddr": "2001:db8:e0::2"},
    {"proto": "tcp", "dport": 443, "iif": "eth0", "saddr": "198.51.100.2", "family": 4},
    {"proto": "icmpv6", "type": 135, "iif": "eth0", "saddr": "fe80::2"},
    {"proto": "icmpv6", "type": 2, "ct": "related", "iif": "eth0", "saddr": "2001:db8:e0::2"},
)
SEEDS = [
    (name, text)
    for case in suite.every_case()
    if not case.refused
    for files in (case.files, *case.derived.values())
    for name, text in files
]
LOADED = [
    (notation, text)
    for case in suite.every_case()
    if not case.refused and len(case.rules) == 1 and not case.legacy
    for notation, text in case.rules
    # Of rules that the same file flushes again only the grammar is looked at.
    if "}\nflush" not in text
]
PIECES = (
    *("\x00", "\x1b[31m", "\n", "}", "{", '"', "\\", "!", "$x", "::/129", "99999", "é", "\ud800"),
    *(" -j ", " -m ", "COMMIT\n", "*filter\n", "table inet x {\n", " accept", " drop", " jump x"),
    *("[", "]", "null", '{"table": 1}', "-A INPUT -j ACCEPT\n", " != ", " { 1, 2 }", "@s", "# "),
)


@st.composite
def garbled(draw: st.DrawFn, texts: list[tuple[str, str]]) -> tuple[str, str]:
    """A text with some of it gone, doubled, swapped or made up."""
    name, text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 40))
        piece = draw(st.sampled_from(("", text[at : at + length], *PIECES)))
        cut = draw(st.booleans())
        text = text[:at] + piece + text[at + (length if cut else 0) :]
    return name, text


def verdicts(name: str, text: str) -> list[str]:
    """What is said of the probes."""
    rules = read([(name, text)])
    return [judge(rules, packet(probe)).verdict for probe in PROBES]


def error_of(name: str, text: str) -> str:
    """What is wrong with a text, empty if nothing is."""
    try:
        verdicts(name, text)
    except RuleError as error:
        return str(error)
    return ""


@pytest.mark.slow
@given(garbled(SEEDS))
@settings(
    max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
def test_garbled_text_is_an_error_or_an_answer(question: tuple[str, str]) -> None:
    """No other exception, no control character in the error's one line, and no hang."""
    name, text = question
    began = time.process_time()
    said = error_of(name, text)
    took_s = time.process_time() - began
    assert said.isprintable()
    assert said.startswith(name) or not said
    assert took_s < MAX_LOOPS * loop_s()


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda octets: octets.decode("latin-1")))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_noise_is_an_error(text: str) -> None:
    """What is no rule set at all is refused, and an empty file too."""
    assert error_of("noise", text).isprintable()


def torn(text: str) -> Iterator[str]:
    """Every proper beginning of a text that lacks more than blanks and remarks, at most 200."""
    lines = text.rstrip().splitlines(keepends=True)
    while lines and lines[-1].startswith("#"):
        lines.pop()
    whole = "".join(lines).rstrip()
    step = max(1, len(whole) // 200)
    yield from (whole[:at] for at in range(1, len(whole), step))


ONE_TABLE = [
    (name, text)
    for name, text in SEEDS
    if (text.count("*filter") == 1 and text.count("COMMIT") == 1)
    or (name.endswith(".nft") and text.count("\ntable ") == 0 and text.startswith("table "))
    or name.endswith(".json")
]


@pytest.mark.slow(after=5)
@pytest.mark.parametrize("number", range(0, len(ONE_TABLE), max(1, len(ONE_TABLE) // 40)))
def test_a_torn_table_is_never_certain(number: int) -> None:
    """Wherever the file ends early, its policy may have been the other one, so nobody knows."""
    name, text = ONE_TABLE[number]
    for part in torn(text):
        try:
            said = set(verdicts(name, part))
        except RuleError:
            continue
        assert said <= {"depends"}, part


@pytest.fixture(scope="module")
def kernel() -> Iterator[oracle.Oracle]:
    """The kernel itself."""
    yield from suite.running_oracle()


@pytest.mark.timeout(300)
def test_what_the_kernel_refuses_is_hardly_ever_certain(kernel: oracle.Oracle) -> None:
    """Garbled rules: what loads is judged as the kernel does it, what does not load depends.

    One in a hundred of those that do not load is let through at most: values of options of which
    nothing else is modelled either, such as the mask of ``-m recent``, are not looked at.
    """
    refused, mistaken, loaded = 0, [], 0

    @given(garbled(LOADED))
    @settings(
        max_examples=600, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    def compare(question: tuple[str, str]) -> None:
        nonlocal refused, loaded
        notation, text = question
        # Nothing that a command line or a file could not hold.
        assume("\x00" not in text and "\ud800" not in text and "include" not in text)
        try:
            said = verdicts(suite.NAMES[notation], text)
        except RuleError:
            return
        note(f"{notation}\n{text}")
        try:
            seen = kernel.ask([(notation, text)], PROBES)
        except oracle.RefusedError as error:
            refused += 1
            if not set(said) <= {"depends"}:
                mistaken.append(str(error))
            return
        loaded += 1
        wrong = [
            (ours, theirs.verdict)
            for ours, theirs in zip(said, seen, strict=True)
            if ours not in {"depends", theirs.verdict} and theirs.verdict != "ignored"
        ]
        assert not wrong

    compare()
    print(f"{refused} refused, {len(mistaken)} of them certain, {loaded} loaded")
    assert loaded
    assert len(mistaken) <= refused / 100, mistaken
