"""Targets from a file or a pipe."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Awaitable, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipv6check.config.target import Target, TargetError, parse
from ipv6check.config.target_stream import (
    MAX_LINE,
    REMEMBERED,
    RawInput,
    RecentTargets,
    TargetStream,
    open_input,
)
from ipv6check.model import Place

SOON = 2.0


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Every test ends with the threads it began with."""
    before = threading.active_count()
    yield
    until = time.monotonic() + SOON
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.001)
    assert threading.active_count() == before


class Trickle(io.BytesIO):
    """A source whose reads return so much and no more."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self._size = size

    def read(self, size: int | None = -1, /) -> bytes:
        """At most ``size`` bytes, as from a slow pipe."""
        return super().read(min(self._size, size or 0))


async def collect(stream: TargetStream) -> list[Target]:
    """All targets of a stream."""
    return [target async for target in stream]


def read(source: bytes | RawInput) -> tuple[list[str], list[str], TargetStream]:
    """Texts, refusals, and the stream after its end."""
    bad: list[str] = []
    source = io.BytesIO(source) if isinstance(source, bytes) else source
    stream = TargetStream(source, "t", bad.append)
    targets = asyncio.run(collect(stream))
    return [target.text for target in targets], bad, stream


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (b"", []),
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"\n \n\t\r\na\n\n", ["a"]),
        (b"  a \t\n", ["a"]),
        (b"# a\n  # b\na\n#", ["a"]),
        (b"a # a comment\nb\t#c\nc #\n", ["a", "b", "c"]),
        (b"https://a/#x\n", ["https://a/#x"]),
        (b"\xef\xbb\xbfa\nb\n", ["a", "b"]),
        (b"\xef\xbb\xbf# a\nb\n", ["b"]),
        (b"# \xff\na # \xff\n", ["a"]),
        ("bücher.example\n".encode(), ["bücher.example"]),
        (b"a\n[2001:db8::1]:443\n", ["a", "[2001:db8::1]:443"]),
        (b"#" * 100_000 + b"\na #" + b"x" * 100_000 + b"\nb", ["a", "b"]),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1_000_000])
def test_lines_are_targets(content: bytes, texts: list[str], size: int) -> None:
    """Blanks, comments, ends of lines and a byte order mark are no part of a target."""
    assert (texts, []) == read(Trickle(content, size))[:2]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"foo bar", 't:2: "foo bar" has white space in it: give one target at a time'),
        (b"b\xfccher", r't:2: "b\xfccher" is not UTF-8'),
        (b"a\x00\x1b[2J", r't:2: "a\x00\x1b[2J" has a control or invisible character in it'),
        (b"a#b", 't:2: "a#b" has a path but no scheme: write https:// before it'),
        (b"u:SECRET@\xff", r't:2: "...@\xff" is not UTF-8'),
        (b"a" * 100_000, f't:2: "{"a" * 80}..." is too long: a line has at most 8192 bytes'),
        (b" " * 8190 + b"example.com", 't:2: "exa" is too long: a line'),
        (b"a" * 5000, f't:2: "{"a" * 80}..." is too long: 5000 characters, at most 2048'),
    ],
)
@pytest.mark.parametrize("size", [100, 1_000_000])
def test_a_bad_line_is_named_and_the_rest_goes_on(line: bytes, message: str, size: int) -> None:
    """One line with file, number and reason, and nothing that a terminal would obey."""
    texts, bad, stream = read(Trickle(b"first\n" + line + b"\nlast\n", size))
    assert texts == ["first", "last"]
    assert len(bad) == stream.bad == 1
    assert bad[0].startswith(message[:60])
    assert bad[0].isprintable()


def test_refusals_come_in_their_turn() -> None:
    """A refusal is told after the target before it, not while reading ahead."""
    told: list[str] = []
    stream = TargetStream(io.BytesIO(b"a\nb b\nc\n"), "t", told.append)

    async def tell() -> None:
        async for target in stream:
            told.append(target.text)  # noqa: PERF401 - `on_bad` writes to it in between

    asyncio.run(tell())
    assert [line[:4] for line in told] == ["a", "t:2:", "c"]


def test_duplicates_are_dropped_and_counted() -> None:
    """One target is one target, however it is written; another port makes another."""
    texts, bad, stream = read(b"a\nA.\na:443\nhttps://a\na\n")
    assert (texts, bad, stream.duplicates) == (["a", "a:443", "https://a"], [], 2)


def test_a_target_knows_where_it_stands() -> None:
    """Its file and line, for whoever has to find it; none where the input is no file."""
    lines = b"# ours\na\n\nb\n"
    placed = TargetStream(io.BytesIO(lines), "t", print, file="hosts.txt")
    assert [target.place for target in asyncio.run(collect(placed))] == [
        Place("hosts.txt", 2),
        Place("hosts.txt", 4),
    ]
    alone = TargetStream(io.BytesIO(lines), "t", print)
    assert [target.place for target in asyncio.run(collect(alone))] == [None, None]


def test_streams_can_share_what_was_seen() -> None:
    """A target of the command line is not checked again for standing in a file."""
    seen = RecentTargets()
    assert seen.add(parse("a"))
    stream = TargetStream(io.BytesIO(b"a\nb\n"), "t", pytest.fail, seen)
    assert [target.text for target in asyncio.run(collect(stream))] == ["b"]


def test_a_line_can_mean_the_targets_of_services() -> None:
    """A name in a list is judged by the terms of its services, once by those of each."""
    services = [replace(parse("a"), service=name, place=Place("s.toml", 1)) for name in "xy"]

    def meant(target: Target) -> tuple[Target, ...]:
        return tuple(services) if target.text.lower() == "a" else (target,)

    stream = TargetStream(io.BytesIO(b"A\nb\na\n"), "t", pytest.fail, file="f", meant=meant)
    assert asyncio.run(collect(stream)) == [*services, replace(parse("b"), place=Place("f", 2))]
    assert stream.duplicates == 1


def test_only_the_last_targets_are_remembered() -> None:
    """Memory stays flat: the oldest of too many may come again."""
    seen = RecentTargets(limit=2)
    assert [seen.add(parse(name)) for name in "abacab"] == [True, True, False, True, True, True]
    assert REMEMBERED == 32_000


@pytest.mark.slow
def test_many_lines_and_a_long_one_need_little_memory() -> None:
    """A hundred megabytes of input take less than five."""

    class Big(io.BytesIO):
        """One line of a hundred megabytes, then many."""

        left = 1600

        def read(self, _size: int | None = -1, /) -> bytes:
            self.left -= 1
            if self.left > 20:
                return b"a" * 65536
            return b"\n" + b"b.example\n# c\n" * 2000 if self.left > 0 else b""

    tracemalloc.start()
    texts, bad, stream = read(Big())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (texts, len(bad), stream.duplicates) == (["b.example"], 1, 20 * 2000 - 1)
    assert peak < 5_000_000


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_read_to_their_end(content: bytes, size: int) -> None:
    """Whatever is in a line, and wherever reads break it, it is a target or one refusal."""
    lines = [line for line in content.split(b"\n") if line]
    texts, bad, stream = read(Trickle(content, size))
    assert len(texts) + len(bad) + stream.duplicates <= len(lines)
    assert all(line.isprintable() for line in bad)
    assert (texts, bad) == read(Trickle(content, MAX_LINE))[:2]


def test_a_line_is_handed_over_as_soon_as_it_was_written() -> None:
    """`tail -f` keeps its end of the pipe open: nobody waits for a buffer to fill."""

    async def talk() -> None:
        out, into = os.pipe()
        stream = TargetStream(io.FileIO(out), "t", pytest.fail)
        async with aclosing(aiter(stream)) as targets:
            for name in ("a", "b", "c"):
                os.write(into, name.encode() + b"\n")
                target = await asyncio.wait_for(anext(targets), SOON)
                assert target.text == name
        os.close(into)

    asyncio.run(talk())


def test_a_pipe_that_does_not_block_is_waited_for() -> None:
    """Another process may have made our standard input non-blocking."""

    async def talk() -> None:
        out, into = os.pipe()
        os.set_blocking(out, False)
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, os.write, into, b"a")
        loop.call_later(0.1, os.close, into)
        stream = TargetStream(io.FileIO(out), "t", pytest.fail)
        assert [target.text for target in await collect(stream)] == ["a"]

    asyncio.run(talk())


def test_the_loop_is_not_kept_waiting() -> None:
    """While a silent pipe is read, the loop turns."""

    async def talk() -> int:
        out, into = os.pipe()
        reading = asyncio.create_task(
            collect(TargetStream(io.FileIO(out), "t", pytest.fail)),
        )
        turns = 0
        for turns in range(1, 11):  # noqa: B007
            await asyncio.sleep(0.001)
        os.close(into)
        await asyncio.wait_for(reading, SOON)
        return turns

    assert asyncio.run(talk()) == 10


@pytest.mark.timing
def test_the_loop_turns_while_nothing_but_comments_is_read() -> None:
    """A thread that reads without end leaves the interpreter to the loop again and again."""

    async def turn_s(busy: Awaitable[object]) -> float:
        task = asyncio.ensure_future(busy)
        turns = []
        while not task.done():
            began = time.monotonic()
            await asyncio.sleep(0.001)
            turns.append(time.monotonic() - began)
        return sorted(turns)[len(turns) // 2]

    async def beside_a_loop_that_counts() -> float:
        return await turn_s(asyncio.to_thread(lambda: sum(1 for _ in range(3_000_000))))

    async def beside_the_reader() -> float:
        source = io.BytesIO(b"# comment\n" * 500_000)
        return await turn_s(collect(TargetStream(source, "t", pytest.fail)))

    assert asyncio.run(beside_the_reader()) < 3 * asyncio.run(beside_a_loop_that_counts())


def test_reading_runs_no_further_ahead_than_some_batches() -> None:
    """A consumer that takes its time does not find the whole input in memory."""
    content = b"".join(b"h%d.example\n" % number for number in range(100_000))
    source = Trickle(content, 4096)

    async def sip() -> int:
        async with aclosing(aiter(TargetStream(source, "t", pytest.fail))) as targets:
            await anext(targets)
            await asyncio.sleep(0.1)
            return source.tell()

    assert asyncio.run(sip()) < 100_000


def test_a_consumer_may_stop_early() -> None:
    """The thread ends, and the source is closed, although there was more to read."""
    source = io.BytesIO(b"".join(b"h%d\n" % number for number in range(200_000)))

    async def sip() -> None:
        async for _target in TargetStream(source, "t", pytest.fail):
            break

    asyncio.run(sip())
    until = time.monotonic() + SOON
    while not source.closed and time.monotonic() < until:
        time.sleep(0.001)
    assert source.closed


@pytest.mark.parametrize(
    ("error", "raised"), [(OSError(5, "I/O error"), TargetError), (KeyError("x"), KeyError)]
)
def test_a_broken_read_is_an_error_after_what_was_read(
    error: Exception, raised: type[Exception]
) -> None:
    """The end of a stream that broke is not taken for the end of the list."""

    class Broken(io.BytesIO):
        """One line, then the error."""

        def read(self, _size: int | None = -1, /) -> bytes:
            if self.tell():
                raise error
            return super().read(2)

    texts: list[str] = []

    async def consume() -> None:
        async for target in TargetStream(Broken(b"a\nb\n"), "t", pytest.fail):
            texts.append(target.text)  # noqa: PERF401 - it is to be there after the error

    with pytest.raises(raised):
        asyncio.run(consume())
    assert texts == ["a"]


SILENT = """
import asyncio, sys
from ipv6check.config.target_stream import TargetStream, open_input

async def main():
    async for target in TargetStream(open_input("-"), "<stdin>", print):
        print(target.text, flush=True)
try:
    asyncio.run(main())
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_an_interrupt_ends_the_process_while_a_pipe_is_silent() -> None:
    """Ctrl-C does not wait for the next line of standard input."""
    with subprocess.Popen(
        [sys.executable, "-c", SILENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"a\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"a\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(SOON) == 130
        assert process.stderr
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", '"missing" cannot be read: No such file or directory'),
        ("directory", '"directory" cannot be read: Is a directory'),
        ("a\0b", r'"a\x00b" is not a file name: embedded null byte'),
        ("a\x1bb", r'"a\x1bb" cannot be read: No such file or directory'),
    ],
)
def test_what_cannot_be_opened_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    """Before anything is sent, and with the name of the file."""
    monkeypatch.chdir(tmp_path)
    Path("directory").mkdir()
    with pytest.raises(TargetError) as caught:
        open_input(name)
    assert str(caught.value) == message


def test_a_file_is_opened_by_its_path(tmp_path: Path) -> None:
    """A path names a file."""
    (tmp_path / "list").write_bytes(b"a\nb")
    assert read(open_input(str(tmp_path / "list")))[0] == ["a", "b"]


def test_standard_input_may_stand_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who calls the command from Python gives it such an input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\n")))
    assert read(open_input("-"))[0] == ["a"]


def test_standard_input_may_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ipv6check -i - <&-` is told so."""
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(TargetError, match='"-" cannot be read: standard input is closed'):
        open_input("-")


def test_a_stream_that_was_stopped_reads_nothing() -> None:
    """Who is interrupted before the first line does not wait for it."""
    stream = TargetStream(io.BytesIO(b"a\n"), "t", pytest.fail)
    stream.stop()
    assert asyncio.run(collect(stream)) == []
