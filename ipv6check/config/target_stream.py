"""Targets from a file or a pipe, as a stream: a million lines take the memory of a thousand.

A daemon thread reads and parses; the event loop takes batches of parsed targets. A line is handed
over as soon as it was written, and a silent pipe blocks neither the loop nor the process's exit.
"""

from __future__ import annotations

import asyncio
import io
import re
import select
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from ipv6check.config.target import Target, TargetError, parse
from ipv6check.model import Place
from ipv6check.model.text import harmless, quoted, without_user

CHUNK = 65_536  # bytes asked of one read
MAX_LINE = 8_192  # bytes
BATCH = 64  # lines: under half a millisecond of parsing, during which the loop waits
AHEAD = 2  # batches parsed before the first of them is taken
REMEMBERED = 32_000  # targets; a set of 16,000 takes a megabyte, one of 20,000 three

# Reads that yield no target release the GIL, but take it back before the loop has woken: so the
# thread sleeps from time to time.
_PAUSE_S = 0.000_05
_PAUSE_EVERY_S = 0.001
_BOM = b"\xef\xbb\xbf"
_COMMENT = re.compile(rb"(?:^|\s)#")


Item = TypeVar("Item")


class RawInput(Protocol):
    """A file whose ``read`` returns what is available, as `io.RawIOBase` does.

    ``read`` returns ``b""`` at the end, and ``None`` where a non-blocking descriptor has no data.
    """

    def read(self, size: int, /) -> bytes | None:
        """At most ``size`` bytes."""

    def close(self) -> None:
        """Release the descriptor."""

    def fileno(self) -> int:
        """The descriptor, to wait for data after a ``None``."""


def open_input(path: str) -> RawInput:
    """The file at ``path``, or standard input for ``-``.

    Raises:
        TargetError: it cannot be read: missing, not permitted, a directory.
    """
    try:
        return _standard_input() if path == "-" else io.FileIO(path)
    except OSError as error:
        raise TargetError(f"{quoted(path)} cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a NUL, or a surrogate that no file name has
        raise TargetError(f"{quoted(path)} is not a file name: {harmless(str(error))}") from None


class RecentTargets:
    """The latest distinct targets: ``limit`` at most, at least half as many."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        # 64-bit hashes and not the keys, of which hostile lines would make 100 MB. That two targets
        # of 32,000 have one hash has odds of 1 in 10**10. Of two sets the older one is dropped as a
        # whole: one set in order of age would take three times the memory.
        self._older: set[int] = set()
        self._newer: set[int] = set()
        self._half = max(1, limit // 2)

    def add(self, target: Target) -> bool:
        """Remember ``target``. Returns whether it was new."""
        hashed = hash(target.key)
        if hashed in self._newer or hashed in self._older:
            return False
        if len(self._newer) == self._half:
            self._older, self._newer = self._newer, set()
        self._newer.add(hashed)
        return True


class TargetStream:
    """The targets of one input, one a line, for one ``async for``.

    Blank lines, comments (from a ``#`` at the beginning of a line or a word) and targets in
    ``recent`` are skipped. Any other line that is not a target goes to ``on_bad``, on the event
    loop and in order, as one printable line ``name:number: reason``. ``source`` is closed at the
    end. ``file`` is the file of the targets' place, empty for none. ``meant`` maps a target to
    those that it stands for: targets of services keep their own place.

    Attributes:
        duplicates: lines that repeated a target.
        bad: lines that went to ``on_bad``.
    """

    def __init__(
        self,
        source: RawInput,
        name: str,
        on_bad: Callable[[str], None],
        recent: RecentTargets | None = None,
        file: str = "",
        meant: Callable[[Target], tuple[Target, ...]] = lambda target: (target,),
    ) -> None:
        self._source = source
        self._file = file
        self._meant = meant
        self._name = harmless(name, 200)
        self._on_bad = on_bad
        self._recent = RecentTargets() if recent is None else recent
        self._number = 0
        self._hand_off: HandOff[Target | str] | None = None
        self._stopped = False
        self.duplicates = 0
        self.bad = 0

    async def __aiter__(self) -> AsyncGenerator[Target, None]:
        """Read until the input ends, or until the iterator is closed.

        Raises:
            TargetError: reading failed; all that was read before has been handed over.
        """
        if self._stopped:
            return
        hand_off = self._hand_off = HandOff(asyncio.get_running_loop())
        # Not an executor's thread: those are joined at exit, and this one may sit in a read().
        threading.Thread(
            target=self._read, args=(hand_off,), name=f"read {self._name}", daemon=True
        ).start()
        try:
            while batch := await hand_off.take():
                for item in batch:
                    if hand_off.stopped:
                        return
                    if isinstance(item, Target):
                        yield item
                    else:
                        self.bad += 1
                        self._on_bad(item)
        finally:
            hand_off.stop()

    def stop(self) -> None:
        """End the iteration, even while it waits for a line."""
        self._stopped = True
        if self._hand_off is not None:
            self._hand_off.stop()

    def _read(self, hand_off: HandOff[Target | str]) -> None:
        """Run in the thread, until the input ends or the first read after the consumer's end."""
        try:
            with closing(self._source):
                for lines in _lines(self._source):
                    for start in range(0, len(lines) or 1, BATCH):
                        hand_off.put(self._batch(lines[start : start + BATCH]))
                    if hand_off.stopped:
                        return
        except OSError as error:
            hand_off.end(TargetError(f"{self._name}: reading failed: {error.strerror or error}"))
        except Exception as error:  # noqa: BLE001 - raised again on the loop
            hand_off.end(error)
        else:
            hand_off.end()

    def _batch(self, lines: list[bytes]) -> list[Target | str]:
        batch: list[Target | str] = []
        for line in lines:
            self._number += 1
            try:
                batch += self._targets(line)
            except TargetError as error:
                batch.append(f"{self._name}:{self._number}: {error}")
        return batch

    def _targets(self, line: bytes) -> list[Target]:
        text = _text(line.removeprefix(_BOM) if self._number == 1 else line)
        if not text:
            return []
        place = Place(self._file, self._number) if self._file else None
        new = [
            replace(target, place=target.place or place)
            for target in self._meant(parse(text))
            if self._recent.add(target)
        ]
        self.duplicates += not new
        return new


class HandOff(Generic[Item]):
    """Batches from a thread to the event loop, at most ``AHEAD`` of them waiting."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: asyncio.Queue[list[Item] | Exception | None] = asyncio.Queue()
        self._room = threading.Semaphore(AHEAD)
        self._pause_due = 0.0
        self.stopped = False

    def put(self, batch: list[Item]) -> None:
        """Hand over a batch, from the thread, once there is room. Does nothing after `stop`."""
        if batch:
            self._put(batch)
        elif time.monotonic() > self._pause_due:
            time.sleep(_PAUSE_S)
            self._pause_due = time.monotonic() + _PAUSE_EVERY_S

    def end(self, error: Exception | None = None) -> None:
        """Mark the end, from the thread; `take` raises ``error`` if there is one."""
        self._put(error)

    async def take(self) -> list[Item] | None:
        """The next batch, on the loop; None at the end."""
        batch = await self._queue.get()
        self._room.release()
        if isinstance(batch, Exception):
            raise batch
        return batch

    def stop(self) -> None:
        """End the iteration, on the loop; a waiting `take` returns None."""
        self.stopped = True
        self._queue.put_nowait(None)
        self._room.release()

    def _put(self, item: list[Item] | Exception | None) -> None:
        self._room.acquire()
        if self.stopped:
            self._room.release()  # so that the next put does not wait either
            return
        try:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)
        except RuntimeError:  # the loop was closed in the meantime
            self.stopped = True
            self._room.release()


def _standard_input() -> RawInput:
    """Standard input without a buffer.

    A thread in a buffered read holds the buffer's lock, and the interpreter aborts when it cannot
    get that lock at exit.
    """
    if sys.stdin is None:
        raise OSError("standard input is closed")
    try:
        descriptor = sys.stdin.fileno()
    except OSError:  # replaced by something in memory
        return sys.stdin.buffer
    return io.FileIO(descriptor, closefd=False)


def _lines(source: RawInput) -> Iterator[list[bytes]]:
    """The lines that each read completed; only the beginning of one that is too long."""
    head = b""
    while octets := chunk(source):
        *lines, tail = (head + octets).split(b"\n")
        head = tail[: MAX_LINE + 1]
        yield lines
    if head:
        yield [head]


def chunk(source: RawInput) -> bytes:
    """The bytes that are available, after waiting for some; ``b""`` at the end."""
    while (octets := source.read(CHUNK)) is None:
        select.select([source], [], [])
    return octets


def _text(line: bytes) -> str:
    """The text of a line without comment and blanks, perhaps empty.

    Raises:
        TargetError: it is too long, or not UTF-8.
    """
    line = line[: MAX_LINE + 1]
    comment = _COMMENT.search(line) if b"#" in line else None
    if comment is None and len(line) > MAX_LINE:
        shown = without_user(line.decode(errors="backslashreplace").strip())
        raise TargetError(f"{quoted(shown)} is too long: a line has at most {MAX_LINE} bytes")
    line = line[: comment.start()] if comment else line
    try:
        return line.decode().strip()
    except UnicodeDecodeError:
        shown = without_user(line.decode(errors="backslashreplace").strip())
        raise TargetError(f"{quoted(shown)} is not UTF-8") from None
