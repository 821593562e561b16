"""A recording as a stream of targets: each line is checked when it is read, the end is demanded.

Memory holds a few lines of it, however long it is. What stands before a line that is wrong has
been handed over by then.
"""

from __future__ import annotations

import asyncio
import io
import os
import stat
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from ipv6check.config.target import TargetError
from ipv6check.config.target_stream import HandOff, RawInput, chunk, open_input
from ipv6check.engine.observe import RecordedTarget
from ipv6check.model import RecordingError, RunInfo, Summary, Vantage
from ipv6check.model.text import harmless
from ipv6check.reports import recording

STDIN = Path("-")


class Recording:
    """The recorded targets, for one ``async for``.

    Attributes:
        run: what the header says of the run.
        vantage: where its packets left from: by the header, and in the end by the last line.
        bad: how many lines were passed over: none, as a bad line ends it.
    """

    bad = 0

    def __init__(self, path: Path) -> None:
        """Open it and read the header. Raises RecordingError."""
        self._name = "standard input" if path == STDIN else harmless(str(path), 200)
        self._number = 0
        self._hand_off: HandOff[RecordedTarget] | None = None
        self._stopped = False
        self._end: recording.End | None = None
        try:
            self._source = open_input("-") if path == STDIN else _open_file(path)
        except TargetError as error:
            raise RecordingError(str(error)) from None
        except OSError as error:
            raise self._unreadable(error) from None
        self._lines = _lines(self._source)
        self.run, self.vantage = self._header()

    async def __aiter__(self) -> AsyncGenerator[RecordedTarget, None]:
        """Every target, as it was recorded.

        Raises:
            RecordingError: a line is wrong; what stands before it has been handed over.
        """
        if self._stopped:
            return
        hand_off = self._hand_off = HandOff(asyncio.get_running_loop())
        # Not an executor's thread: those are joined at exit, and this one may sit in a read().
        threading.Thread(target=self._read, args=(hand_off,), daemon=True).start()
        try:
            while batch := await hand_off.take():
                for recorded in batch:
                    yield recorded
        finally:
            hand_off.stop()

    def concluded(self, summary: Summary) -> Summary:
        """The summary with what the last line says of the run; as it is where there is none."""
        if self._end is None:
            return summary
        return replace(
            summary,
            duration_ms=self._end["duration_ms"],
            interrupted=summary.interrupted or self._end.get("interrupted", False),
        )

    def stop(self) -> None:
        """End the iteration, also while it waits for a line that may never come."""
        self._stopped = True
        if self._hand_off is not None:
            self._hand_off.stop()

    def close(self) -> None:
        """Close it, if nobody has begun to read the targets: who reads them closes it."""
        if self._hand_off is None:
            self._source.close()

    def _read(self, hand_off: HandOff[RecordedTarget]) -> None:
        """The thread: it ends with the recording, or with the first line after the stop."""
        try:
            with closing(self._source):
                for recorded in self._targets():
                    hand_off.put([recorded])
                    if hand_off.stopped:
                        return
        except OSError as error:
            hand_off.end(self._unreadable(error))
        except RecordingError as error:
            hand_off.end(self._placed(error))
        except Exception as error:  # noqa: BLE001 - raised anew on the loop, where it is seen
            hand_off.end(error)
        else:
            hand_off.end()

    def _header(self) -> tuple[RunInfo, Vantage]:
        try:
            return recording.read_header(self._next())
        except OSError as error:
            self._source.close()
            raise self._unreadable(error) from None
        except RecordingError as error:
            self._source.close()
            raise self._placed(error) from None

    def _targets(self) -> Iterator[RecordedTarget]:
        number = 0
        while isinstance(entry := recording.read(self._next(), self.run.services), RecordedTarget):
            number += 1
            yield entry
        if entry["targets"] != number:
            raise RecordingError(f"counts {entry['targets']} targets, there are {number}")
        self.vantage = entry["vantage"]
        self._end = entry
        self._number += 1
        if next(self._lines, None) is not None:
            raise RecordingError("something follows the end")

    def _next(self) -> bytes:
        self._number += 1
        line = next(self._lines, None)
        if line is None:
            raise RecordingError("the recording is truncated: its end is missing")
        return line

    def _placed(self, error: RecordingError) -> RecordingError:
        return RecordingError(f"{self._name}:{self._number}: {error}")

    def _unreadable(self, error: OSError) -> RecordingError:
        return RecordingError(f"{self._name} cannot be read: {error.strerror or error}")


def _open_file(path: Path) -> RawInput:
    """A regular file: what else there is may keep its reader waiting for ever. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        what = "it is a directory" if stat.S_ISDIR(mode) else "it is no file; give a pipe as -"
        raise OSError(what)
    return io.FileIO(descriptor)


def _lines(source: RawInput) -> Iterator[bytes]:
    """Every line that ends, and then the rest as one that does not. Raises RecordingError."""
    parts: list[bytes] = []
    size = 0
    while read := chunk(source):
        *ends, rest = read.split(b"\n")
        for end in ends:
            yield b"".join([*parts, end])
            parts, size = [], 0
        parts.append(rest)
        size += len(rest)
        if size > recording.MAX_LINE:
            raise RecordingError(f"a line of more than {recording.MAX_LINE} bytes")
    if size:
        raise RecordingError("the recording is truncated: this line has no end")
