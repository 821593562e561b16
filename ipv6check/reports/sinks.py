"""Destinations of documents: standard output and the files of ``--save``, target by target."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from ipv6check.model import BadInputError, RunInfo, Summary, TargetReport, Vantage
from ipv6check.model.text import harmless
from ipv6check.reports.formats import Renderer, Style
from ipv6check.reports.progress import Progress

AHEAD = 1024  # reports that may wait for one slow target before them


def terminal(*, quiet: bool, verbose: bool, many: bool = False) -> Style:
    """The style of standard output; no colour with NO_COLOR (https://no-color.org) or TERM=dumb."""
    dumb = os.environ.get("TERM", "dumb") in {"", "dumb"}
    return Style(
        width=max(20, shutil.get_terminal_size((80, 24)).columns),
        colour=sys.stdout.isatty() and not dumb and not os.environ.get("NO_COLOR"),
        unicode=(sys.stdout.encoding or "").lower().replace("-", "").startswith("utf"),
        verbose=verbose,
        quiet=quiet,
        many=many,
    )


class OutputError(BadInputError, OSError):
    """An output that cannot be written. The message is one line with its name."""


class Sink:
    """A destination of one document. Its methods raise OSError."""

    def __init__(self, name: str, renderer: Renderer) -> None:
        self.name = name
        self.renderer = renderer

    def write(self, text: str) -> None:
        """Write one piece."""
        raise NotImplementedError

    def finish(self) -> None:
        """End the document, which is complete."""

    def discard(self) -> None:
        """Give up the document, which is not complete."""


class Console(Sink):
    """Standard output. The progress line is hidden while something is printed."""

    def __init__(self, renderer: Renderer, file: TextIO, progress: Progress) -> None:
        super().__init__("standard output", renderer)
        # Some formats have characters that the encoding lacks: escape them rather than fail.
        if isinstance(file, TextIOWrapper):
            file.reconfigure(errors="backslashreplace")
        self._file = file
        self._progress = progress

    def write(self, text: str) -> None:
        """Print one piece at once: the reader of a pipe may wait for it."""
        if text:
            with self._progress.hidden():
                self._file.write(text)
                self._file.flush()

    def discard(self) -> None:
        """Discard everything from now on, also what the interpreter flushes at exit."""
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._file.fileno())


class SavedFile(Sink):
    """A file that appears under its name once it is complete.

    A special file (a pipe, a device) is not replaced, but written to during the run.

    Attributes:
        path: the file that will be written.
    """

    def __init__(self, renderer: Renderer, path: Path) -> None:
        """Open a temporary file beside it. Raises OutputError, before any packet is sent."""
        super().__init__(harmless(str(path), 200), renderer)
        self._temporary: Path | None = None
        try:
            self.path = _destination(path)
            descriptor = self._open()
        except OSError as error:
            raise OutputError(f"{self.name} cannot be written: {error.strerror}") from error
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace")

    @property
    def whole(self) -> bool:
        """Whether the file is replaced as a whole."""
        return self._temporary is not None

    def write(self, text: str) -> None:
        """Write one piece."""
        self._file.write(text)

    def finish(self) -> None:
        """Rename the temporary file."""
        self._file.close()
        if self._temporary is not None:
            # mkstemp gave it mode 0600: give it that of the file it replaces, or of a new file.
            self._temporary.chmod(_mode(self.path))
            self._temporary.replace(self.path)

    def discard(self) -> None:
        """Delete the temporary file."""
        with suppress(OSError):
            self._file.close()
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)

    def _open(self) -> int:
        if _special(self.path):
            return os.open(self.path, os.O_WRONLY)
        prefix = f".{self.path.name}."
        descriptor, name = tempfile.mkstemp(prefix=prefix, dir=self.path.parent)
        self._temporary = Path(name)
        return descriptor


class AppendedFile(Sink):
    """A file that is appended to, such as the step summary of GitHub Actions."""

    def __init__(self, renderer: Renderer, path: Path) -> None:
        """Open it. Raises OutputError, before any packet is sent."""
        super().__init__(harmless(str(path), 200), renderer)
        try:
            self._file = path.open("a", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise OutputError(f"{self.name} cannot be written: {error.strerror}") from error

    def write(self, text: str) -> None:
        """Write one piece."""
        self._file.write(text)

    def finish(self) -> None:
        """Close it."""
        self._file.close()

    def discard(self) -> None:
        """Close it; what was appended stays."""
        with suppress(OSError):
            self._file.close()


def _destination(path: Path) -> Path:
    """The file itself, for a symbolic link its target. Raises OSError."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a directory")
    return path if _special(path) else Path(os.path.realpath(path))


def _special(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _mode(path: Path) -> int:
    """The mode of the file, or that of a new one (umask)."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


class Outputs:
    """Every document of a run. Called with each target as it is done.

    A document that can no longer be written is given up, and the others go on.

    Attributes:
        broken: a line for each document that was given up, empty where its reader went away.
    """

    def __init__(self, sinks: Sequence[Sink], run: RunInfo) -> None:
        self.broken: list[str] = []
        self._sinks = list(sinks)
        self._run = run
        self._early: dict[int, TargetReport] = {}
        self._next = 0
        self._console = sinks[0]

    @property
    def keeps(self) -> bool:
        """Whether reports have to hold what was observed."""
        return any(sink.renderer.keeps for sink in self._sinks)

    @property
    def ahead(self) -> int | None:
        """How many reports may wait for one slow target before them, None for no limit."""
        return AHEAD if any(sink.renderer.ordered for sink in self._sinks) else None

    @property
    def gone(self) -> bool:
        """Whether no document is left."""
        return not self._sinks

    def exit_code(self, code: int) -> int:
        """The exit code of the first document's format for the run's exit code."""
        return self._console.renderer.exit_code(code)

    def head(self, vantage: Vantage) -> None:
        """Begin every document."""
        self._write(self._sinks, lambda sink: sink.renderer.head(self._run, vantage))

    def __call__(self, number: int, report: TargetReport, vantage: Vantage) -> None:
        """Write a target: at once, or in order where the format wants that (law 11)."""
        prompt = [sink for sink in self._sinks if not sink.renderer.ordered]
        ordered = [sink for sink in self._sinks if sink.renderer.ordered]
        self._target(prompt, report, vantage)
        if not ordered:
            return
        self._early[number] = report
        while (due := self._early.pop(self._next, None)) is not None:
            self._next += 1
            self._target(ordered, due, vantage)

    def tail(self, summary: Summary, vantage: Vantage) -> None:
        """End every document, and give files their names."""
        self._write(self._sinks, lambda sink: sink.renderer.tail(summary, self._run, vantage))
        self._each(self._sinks, lambda sink: sink.finish())

    def discard(self) -> None:
        """Give up every document."""
        for sink in self._sinks:
            sink.discard()

    def _target(self, sinks: Sequence[Sink], report: TargetReport, vantage: Vantage) -> None:
        self._write(sinks, lambda sink: sink.renderer.target(report, self._run, vantage))

    def _write(self, sinks: Sequence[Sink], piece: Callable[[Sink], str]) -> None:
        self._each(sinks, lambda sink: sink.write(piece(sink)))

    def _each(self, sinks: Sequence[Sink], act: Callable[[Sink], None]) -> None:
        for sink in list(sinks):
            try:
                act(sink)
            except OSError as error:
                self._give_up(sink, error)

    def _give_up(self, sink: Sink, error: OSError) -> None:
        self._sinks.remove(sink)
        sink.discard()
        quiet = isinstance(error, BrokenPipeError)
        self.broken.append("" if quiet else f"{sink.name} cannot be written: {error.strerror}")
