"""A progress line on stderr during a run, which is erased at its end.

The cursor is never hidden and no mode of the terminal is changed: there is nothing to restore, even
after SIGKILL. A thread draws the line, because the event loop has to serve the probes in time.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Self, TextIO

from rich.cells import cell_len

from ipv6check.engine.watch import Watch
from ipv6check.model import TargetReport, Verdict
from ipv6check.model.text import printable

INTERVAL_S = 0.1

_CLEAR = "\r\x1b[2K"
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ASCII_SPINNER = "|/-\\"


class Progress(Watch):
    """What a run shows of its progress while nobody watches: nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide the line while something else is printed: whole lines, flushed."""
        yield

    def close(self) -> None:
        """Erase the line for good."""


class ProgressLine(Progress):
    """The progress line of a terminal."""

    def __init__(self, stream: TextIO, total: int | None) -> None:
        self._stream = stream
        self._total = total
        self._encoding = "utf-8" if (stream.encoding or "").lower().startswith("utf") else "ascii"
        self._began = time.monotonic()
        self._finished = 0
        self._not_ready = 0
        self._unfinished: dict[str, tuple[str, ...]] = {}  # the one that waits longest first
        self._shown = False
        # Two locks, so that a stopped terminal (Ctrl-S) does not stop the run.
        self._facts = threading.Lock()
        self._terminal = threading.Lock()
        self._over = threading.Event()
        self._painter = threading.Thread(target=self._paint, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._painter.start()
        return self

    def started(self, target: str) -> None:
        """Show that a target has begun."""
        self.waiting(target, ())

    def waiting(self, target: str, probes: Sequence[str]) -> None:
        """Show the probes that a target waits for."""
        with self._facts:
            self._unfinished[target] = tuple(probes)

    def done(self, report: TargetReport) -> None:
        """Count a target that is done."""
        with self._facts:
            self._unfinished.pop(report.target, None)
            self._finished += 1
            self._not_ready += report.verdict is Verdict.NOT_READY

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide the line while something else is printed: whole lines, flushed."""
        with self._terminal:
            self._erase()
            yield

    def close(self) -> None:
        """Erase the line for good."""
        self._over.set()
        if self._painter.is_alive():
            self._painter.join()
        self._erase()

    def text(self, elapsed_s: float) -> str:
        """The text of the line; the end may be cut off at the right edge."""
        parts = [] if self._total == 1 else self._count(elapsed_s)
        parts.append(f"{elapsed_s:.1f} s")
        with self._facts:
            target, probes = next(iter(self._unfinished.items()), ("", ()))
        if target:
            parts.append(f"waiting for: {', '.join(probes)}{' of ' if probes else ''}{target}")
        separator = " · " if self._encoding == "utf-8" else " - "
        text = printable(separator.join(parts))
        return text.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def _count(self, elapsed_s: float) -> list[str]:
        of_all = "" if self._total is None else f" of {self._total}"
        rate = self._finished / elapsed_s if elapsed_s else 0
        parts = [f"{self._finished}{of_all} targets ({rate:.{0 if rate >= 10 else 1}f}/s)"]
        return [*parts, f"{self._not_ready} not ready"] if self._not_ready else parts

    def _paint(self) -> None:
        frames = _SPINNER if self._encoding == "utf-8" else _ASCII_SPINNER
        frame = 0
        while not self._over.wait(INTERVAL_S):
            line = f"{frames[frame % len(frames)]} {self.text(time.monotonic() - self._began)}"
            fitted = _fitted(line, self._width() - 1)  # the last cell of a terminal wraps the line
            with self._terminal:
                self._shown = True
                self._write(_CLEAR + fitted)
            frame += 1

    def _width(self) -> int:
        with suppress(OSError, ValueError):
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        return 80

    def _erase(self) -> None:
        if self._shown:
            self._shown = False
            self._write(_CLEAR)

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._over.set()  # the terminal is gone, and the run goes on


def _fitted(line: str, room: int) -> str:
    """The line, cropped. rich's own cropping fails on some zero-width characters."""
    line = line[:room]
    while cell_len(line) > room:
        line = line[:-1]
    return line


def progress(stream: TextIO, total: int | None, *, quiet: bool = False) -> Progress:
    """A progress line if the stream is a terminal, else nothing.

    ``total`` is the number of targets, None if it is not known. NO_COLOR also means no cursor
    movement.
    """
    dumb = os.environ.get("TERM", "dumb") in {"", "dumb"} or os.environ.get("NO_COLOR", "")
    if quiet or dumb or not stream.isatty():
        return Progress()
    return ProgressLine(stream, total)
