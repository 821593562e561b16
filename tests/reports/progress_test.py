"""The live line: only for a human's eyes, never mixed with the report, gone in the end."""

import io
import os
import re
import time
from collections.abc import Iterator
from typing import TextIO

import pytest
from rich.cells import cell_len

from ipv6check.model import TargetReport, Verdict
from ipv6check.reports import progress as module
from ipv6check.reports.progress import Progress, ProgressLine, progress

CLEAR = "\r\x1b[2K"


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal, and remembers what was written."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self.bytes = io.BytesIO()
        super().__init__(self.bytes, encoding=encoding, errors="strict", write_through=True)

    def isatty(self) -> bool:
        """It is one."""
        return True

    def seen(self) -> str:
        """All that was written."""
        return self.bytes.getvalue().decode(self.encoding)


@pytest.fixture(autouse=True)
def interactive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A usual terminal, and a line that is drawn without delay."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(module, "INTERVAL_S", 0.005)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal of the test's own."""
    with Terminal() as stream:
        yield stream


def done(target: str, verdict: Verdict = Verdict.READY) -> TargetReport:
    """The report of a target."""
    return TargetReport(target, target, (), verdict, 1.0, ())


def drawn(terminal: Terminal, words: str) -> bool:
    """Whether the words were drawn, soon."""
    limit = time.monotonic() + 5
    while words not in terminal.seen():
        if time.monotonic() > limit:
            return False
        time.sleep(0.002)
    return True


def test_counts_what_is_done_and_names_what_is_waited_for() -> None:
    """One line answers how far, how well, how long, and what holds it up."""
    line = ProgressLine(Terminal(), 200)
    for number in range(37):
        line.started(f"{number}.example")
        line.done(done(f"{number}.example", Verdict.NOT_READY if number < 2 else Verdict.READY))
    line.started("shop.example")
    line.started("late.example")
    line.waiting("shop.example", ["tcp", "ping"])
    assert line.text(3.0) == (
        "37 of 200 targets (12/s) · 2 not ready · 3.0 s · waiting for: tcp, ping of shop.example"
    )


@pytest.mark.parametrize(
    ("total", "text"),
    [(None, "1 targets (0.5/s) · 2.0 s"), (1, "2.0 s"), (3, "1 of 3 targets (0.5/s) · 2.0 s")],
)
def test_a_total_may_be_unknown_or_not_worth_a_word(total: int | None, text: str) -> None:
    """A stream has no total, and of one target there is nothing to count."""
    line = ProgressLine(Terminal(), total)
    line.done(done("a"))
    assert line.text(2.0) == text


def test_leaves_nothing_behind(terminal: Terminal) -> None:
    """The last thing written clears the line; cursor and modes are never touched."""
    with progress(terminal, 2) as line:
        line.started("shop.example")
        assert drawn(terminal, "waiting for: shop.example")
    assert terminal.seen().endswith(CLEAR)
    assert set(re.findall(r"\x1b\[[^A-Za-z]*[A-Za-z]", terminal.seen())) == {"\x1b[2K"}


def test_is_cleared_when_the_run_fails(terminal: Terminal) -> None:
    """An interrupt leaves a clean terminal too."""

    def fails() -> None:
        with progress(terminal, 2) as line:
            line.started("shop.example")
            assert drawn(terminal, "shop.example")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert terminal.seen().endswith(CLEAR)


def test_does_not_mix_with_the_report(terminal: Terminal) -> None:
    """What is printed meanwhile stands on a line of its own, whole."""
    with progress(terminal, 2) as line:
        assert drawn(terminal, "0 of 2")
        with line.hidden():
            terminal.write("half ")
            time.sleep(0.03)
            terminal.write("whole\n")
    assert f"{CLEAR}half whole\n" in terminal.seen()


def test_a_run_that_is_over_at_once_draws_nothing(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No flicker before the first interval has passed."""
    monkeypatch.setattr(module, "INTERVAL_S", 60)
    with progress(terminal, 1) as line:
        line.started("a")
        with line.hidden():
            pass
    assert terminal.seen() == ""


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_hostile_targets_stay_on_the_line(encoding: str) -> None:
    """No control character of a target's name is drawn, and no line is wider than the terminal."""
    with Terminal(encoding) as terminal:
        with progress(terminal, None) as line:
            line.started("\x1b[2J\n\r\x9b\ud800\u0301" + "例" * 200)
            assert drawn(terminal, "waiting for: ")
        drawings = [part for part in terminal.seen().split(CLEAR) if part]
    assert drawings
    assert all(drawing.isprintable() and cell_len(drawing) <= 79 for drawing in drawings)


def test_a_terminal_that_goes_away_does_not_stop_the_run(terminal: Terminal) -> None:
    """The line is for comfort only."""
    with progress(terminal, 2) as line:
        assert drawn(terminal, "0 of 2")
        terminal.close()
        line.started("a")
        with line.hidden():
            pass
        line.done(done("a"))


@pytest.mark.parametrize(
    ("name", "value"), [("TERM", "dumb"), ("TERM", ""), ("NO_COLOR", "1"), ("TERM", None)]
)
def test_an_environment_without_cursor_movement_is_respected(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, value: str | None
) -> None:
    """Neither a dumb terminal nor NO_COLOR gets a live line."""
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    assert type(progress(terminal, 1)) is Progress


def test_is_silent_where_nobody_watches(terminal: Terminal) -> None:
    """A file, a pipe, or a user who asked for quiet: the same calls, and not one byte."""
    file = io.StringIO()
    for stream, quiet in ((file, False), (terminal, True)):
        with progress(stream, 1, quiet=quiet) as silent:
            silent.started("a")
            silent.waiting("a", ["tcp"])
            with silent.hidden():
                pass
            silent.done(done("a"))
    assert file.getvalue() == terminal.seen() == ""


def test_the_width_is_the_terminals_own() -> None:
    """A real terminal of another size is asked for it at each drawing."""
    leader, follower = os.openpty()
    with open(follower, "w", encoding="utf-8") as stream:  # noqa: PTH123 -- a descriptor
        _resize(stream, 30)
        with progress(stream, 2) as line:
            line.started("x" * 100)
            drawing = os.read(leader, 1000).decode()
    os.close(leader)
    assert cell_len(drawing.removeprefix(CLEAR).partition("\r")[0]) == 29


def _resize(stream: TextIO, columns: int) -> None:
    import termios  # noqa: PLC0415

    termios.tcsetwinsize(stream.fileno(), (24, columns))
