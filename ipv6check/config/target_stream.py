"""Targets from a file or a pipe, as a stream: a million lines need the memory of a thousand.

One daemon thread reads and parses, the event loop gets ready batches. A line is handed over as soon
as it was written, and a silent pipe keeps neither the loop nor the end of the process waiting.
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
BATCH = 64  # lines: under half a millisecond of parsing, which holds up the loop
AHEAD = 2  # batches parsed before the first of them is taken
REMEMBERED = 32_000  # targets: a set of half as many takes a megabyte, of 20,000 three

# Reads that yield no target give the GIL up only to take it back before the loop has woken.
_BREATH_S = 0.000_05
_BREATH_EVERY_S = 0.001
_BOM = b"\xef\xbb\xbf"
_COMMENT = re.compile(rb"(?:^|\s)#")


Item = TypeVar("Item")


class Source(Protocol):
    """A file whose ``read`` returns what is there, as `io.RawIOBase` does, rather than filling up.

    ``read`` returns ``b""`` at the end, ``None`` where the descriptor does not block and has none.
    """

    def read(self, size: int, /) -> bytes | None:
        """At most ``size`` bytes."""

    def close(self) -> None:
        """Nothing more is read."""

    def fileno(self) -> int:
        """The descriptor, asked for only after a ``None``."""


def open_input(path: str) -> Source:
    """The file at ``path``, or standard input for ``-``.

    Raises:
        TargetError: it cannot be read: missing, forbidden, a directory.
    """
    try:
        return _standard_input() if path == "-" else io.FileIO(path)
    except OSError as error:
        raise TargetError(f"{quoted(path)} cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a NUL, or a surrogate that no file name has
        raise TargetError(f"{quoted(path)} is not a file name: {harmless(str(error))}") from None


class Seen:
    """The last targets that were named, each of them once; at least half of ``limit`` of them."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        # 64-bit hashes and not the keys: hostile lines would make 100 MB of these. Two targets out
        # of 32,000 have one hash with odds of 1 in 10**10. Two sets, the older one forgotten whole:
        # the memory of a single one in order of age would be three times theirs.
        self._older: set[int] = set()
        self._newer: set[int] = set()
        self._half = max(1, limit // 2)

    def add(self, target: Target) -> bool:
        """Remember ``target``: whether it is new."""
        hashed = hash(target.key)
        if hashed in self._newer or hashed in self._older:
            return False
        if len(self._newer) == self._half:
            self._older, self._newer = self._newer, set()
        self._newer.add(hashed)
        return True


class TargetStream:
    """The targets of one input, one a line, for one ``async for``.

    Blank lines are passed over, so are comments (``#`` where it begins a line or a word, and what
    follows it) and targets in ``seen``. Every other line that names no target goes to ``on_bad``,
    on the event loop and in its turn, as one printable line ``name:number: reason``. ``source`` is
    closed at the end. ``file`` is what targets have as the place where they stand, if any.
    ``meant`` says which targets one stands for: those of services have their place already.

    Attributes:
        duplicates: lines that named a target once more.
        bad: lines that went to ``on_bad``.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        on_bad: Callable[[str], None],
        seen: Seen | None = None,
        file: str = "",
        meant: Callable[[Target], tuple[Target, ...]] = lambda target: (target,),
    ) -> None:
        self._source = source
        self._file = file
        self._meant = meant
        self._name = harmless(name, 200)
        self._on_bad = on_bad
        self._seen = Seen() if seen is None else seen
        self._number = 0
        self._hand_off: HandOff[Target | str] | None = None
        self._stopped = False
        self.duplicates = 0
        self.bad = 0

    async def __aiter__(self) -> AsyncGenerator[Target, None]:
        """Read until the input ends, or until the iterator is closed.

        Raises:
            TargetError: the input broke off; what was read before it has been handed over.
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
        """End the iteration, also while it waits for a line that may never come."""
        self._stopped = True
        if self._hand_off is not None:
            self._hand_off.stop()

    def _read(self, hand_off: HandOff[Target | str]) -> None:
        """The thread: it ends with the input, or with the first read after the consumer's end."""
        try:
            with closing(self._source):
                for lines in _lines(self._source):
                    for start in range(0, len(lines) or 1, BATCH):
                        hand_off.put(self._batch(lines[start : start + BATCH]))
                    if hand_off.stopped:
                        return
        except OSError as error:
            hand_off.end(TargetError(f"{self._name}: reading failed: {error.strerror or error}"))
        except Exception as error:  # noqa: BLE001 - raised anew on the loop, where it is seen
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
            if self._seen.add(target)
        ]
        self.duplicates += not new
        return new


class HandOff(Generic[Item]):
    """Batches from a thread to the event loop, at most ``AHEAD`` of them under way."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: asyncio.Queue[list[Item] | Exception | None] = asyncio.Queue()
        self._room = threading.Semaphore(AHEAD)
        self._breath_due = 0.0
        self.stopped = False

    def put(self, batch: list[Item]) -> None:
        """From the thread: wait for room, then hand over. Nothing happens after `stop`."""
        if batch:
            self._put(batch)
        elif time.monotonic() > self._breath_due:
            time.sleep(_BREATH_S)
            self._breath_due = time.monotonic() + _BREATH_EVERY_S

    def end(self, error: Exception | None = None) -> None:
        """From the thread: nothing more comes, because of ``error`` if there was one."""
        self._put(error)

    async def take(self) -> list[Item] | None:
        """On the loop: the next batch, or None at the end."""
        batch = await self._queue.get()
        self._room.release()
        if isinstance(batch, Exception):
            raise batch
        return batch

    def stop(self) -> None:
        """On the loop: no batch will be taken any more; who waits for one waits no longer."""
        self.stopped = True
        self._queue.put_nowait(None)
        self._room.release()

    def _put(self, item: list[Item] | Exception | None) -> None:
        self._room.acquire()
        if self.stopped:
            self._room.release()  # for the next put, which must not wait either
            return
        try:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)
        except RuntimeError:  # the loop was closed in the meantime
            self.stopped = True
            self._room.release()


def _standard_input() -> Source:
    """Standard input without a buffer.

    A thread that sits in a buffered read holds the buffer's lock, and the interpreter aborts when
    it cannot get that at exit.
    """
    if sys.stdin is None:
        raise OSError("standard input is closed")
    try:
        descriptor = sys.stdin.fileno()
    except OSError:  # replaced by something in memory
        return sys.stdin.buffer
    return io.FileIO(descriptor, closefd=False)


def _lines(source: Source) -> Iterator[list[bytes]]:
    """The lines that each read completed; of one that is too long only the beginning."""
    head = b""
    while octets := chunk(source):
        *lines, tail = (head + octets).split(b"\n")
        head = tail[: MAX_LINE + 1]
        yield lines
    if head:
        yield [head]


def chunk(source: Source) -> bytes:
    """What is there, ``b""`` at the end."""
    while (octets := source.read(CHUNK)) is None:
        select.select([source], [], [])
    return octets


def _text(line: bytes) -> str:
    """What a line says without comment and blanks, perhaps nothing.

    Raises:
        TargetError: it is too long, or not UTF-8.
    """
    line = line[: MAX_LINE + 1]
    comment = _COMMENT.search(line) if b"#" in line else None
    if comment is None and len(line) > MAX_LINE:
        shown = without_user(line.decode(errors="backslashreplace").strip())
        raise TargetError(f"{quoted(shown)} is too long a line: at most {MAX_LINE} bytes")
    said = line[: comment.start()] if comment else line
    try:
        return said.decode().strip()
    except UnicodeDecodeError:
        shown = without_user(said.decode(errors="backslashreplace").strip())
        raise TargetError(f"{quoted(shown)} is not UTF-8") from None
