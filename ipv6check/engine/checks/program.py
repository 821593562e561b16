"""Checks that are programs of their own: JSON in, a Finding's JSON or a Nagios line out.

The program gets ``{"schema_version", "target", "observations"}`` on stdin. It answers with one JSON
object or a list of them (``status``, ``message``, and any of ``finding``, ``hint``, ``subject``,
``cause``, ``evidence``), or like a monitoring plugin: a line of text, and 0, 1, 2 or 3 as its exit
code. One that is killed, or fails with a traceback, or fails with words on stderr alone, has
crashed: that says nothing of the target.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import re
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

from ipv6check.config.target import Target
from ipv6check.engine.checks.api import Check
from ipv6check.engine.defects import broken
from ipv6check.model import SCHEMA_VERSION, Cause, Failure, Finding, Findings, Status
from ipv6check.model.text import printable

MAX_OUTPUT = 65536
# Of what a program says on stderr, so much is kept, and so much of its last line is told.
MAX_COMPLAINT, MAX_REASON = 4096, 200
MAX_READS = 16
_NAGIOS = {0: Status.PASS, 1: Status.WARN, 2: Status.FAIL, 3: Status.UNKNOWN}
# How an end that its author did not mean looks: Python, Go, Java, Node.js and others.
_UNMEANT = re.compile(
    r"^(?:Traceback \(most recent call last\)|panic: |fatal error: |Exception in thread |\s+at \S)",
    re.MULTILINE,
)


async def ask(check: Check, target: Target, facts: Mapping[str, Any], timeout_s: float) -> Findings:
    """Run the program and read its answer; whatever goes wrong with it is an error finding."""
    with _Complaint() as complaint:
        try:
            process = await asyncio.create_subprocess_exec(
                check.path,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=complaint.writer,
                start_new_session=True,
            )
        except OSError as error:
            return (broken(f"{check.path} cannot be run: {error.strerror}"),)
        complaint.begin()
        return await _answer(process, check, _question(check, target, facts), timeout_s, complaint)


async def _answer(
    process: asyncio.subprocess.Process,
    check: Check,
    question: bytes,
    timeout_s: float,
    complaint: _Complaint,
) -> Findings:
    """What the running program says, within its time."""
    try:
        async with asyncio.timeout(timeout_s):
            output = await _converse(process, question)
            if len(output) > MAX_OUTPUT:
                return (broken(f"{check.id} printed more than {MAX_OUTPUT} bytes"),)
            code = await process.wait()
    except TimeoutError:
        return (broken(f"{check.id} gave no answer in {timeout_s:g} s"),)
    finally:
        _end(process)
        await process.wait()
    return _read(check.id, output, code, complaint.text())


class _Complaint:
    """The end of what a program says on stderr.

    A pipe of our own: asyncio's would keep us waiting for whoever else holds it.
    """

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(self.writer, True)
        self._loop = asyncio.get_running_loop()
        self._tail = b""

    def __enter__(self) -> Self:
        return self

    def begin(self) -> None:
        """Listen; who writes from now on is the program alone."""
        os.close(self.writer)
        self.writer = -1
        self._loop.add_reader(self._reader, self._hear)

    def __exit__(self, *_: object) -> None:
        self._loop.remove_reader(self._reader)
        os.close(self._reader)
        if self.writer >= 0:
            os.close(self.writer)

    def _hear(self) -> bool:
        """Take what there is; False where there is no more for now."""
        try:
            heard = os.read(self._reader, MAX_OUTPUT)
        except BlockingIOError:
            return False
        if not heard:
            self._loop.remove_reader(self._reader)
        self._tail = (self._tail + heard)[-MAX_COMPLAINT:]
        return bool(heard)

    def text(self) -> str:
        """The end of what was said by now."""
        for _ in range(MAX_READS):
            if not self._hear():
                break
        return self._tail.decode("utf-8", "replace")


async def _converse(process: asyncio.subprocess.Process, question: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    writing = asyncio.ensure_future(_write(process.stdin, question))
    output = b""
    try:
        while len(output) <= MAX_OUTPUT and (chunk := await process.stdout.read(MAX_OUTPUT)):
            output += chunk
    finally:
        # Who has answered need not read the rest of the question.
        writing.cancel()
    return output


async def _write(stdin: asyncio.StreamWriter, question: bytes) -> None:
    try:
        stdin.write(question)
        await stdin.drain()
        stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        # A Nagios plugin need not read what it does not want.
        return


def _end(process: asyncio.subprocess.Process) -> None:
    """The program and whatever it started, which have a session of their own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    # Until its pipes are closed wait() does not return, and what is unread keeps one open.
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001


def _question(check: Check, target: Target, facts: Mapping[str, Any]) -> bytes:
    observations = {wanted.name: _plain(facts[wanted.name]) for wanted in check.inputs}
    question = {
        "schema_version": SCHEMA_VERSION,
        "target": dataclasses.asdict(target),
        "observations": observations,
    }
    return json.dumps(question).encode() + b"\n"


def _plain(fact: Any) -> Any:
    if isinstance(fact, Failure):
        return {"failure": dataclasses.asdict(fact)}
    return dataclasses.asdict(fact)


def _read(name: str, output: bytes, code: int, complaint: str) -> Findings:
    text = output.decode("utf-8", "replace").strip()
    if why := _crash(text, code, complaint):
        return (broken(f"{name} {why}{_reason(complaint)}"),)
    if not text.startswith(("{", "[")):
        return _read_nagios(name, text, code)
    try:
        said = json.loads(text)
        items = said if isinstance(said, list) else [said]
        return tuple(_finding(item) for item in items) or (
            broken(f"{name} returned an empty list"),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return (broken(f"{name} printed something that is not a Finding: {error}"),)


def _crash(text: str, code: int, complaint: str) -> str:
    """How the program failed, empty where it has answered."""
    if code < 0:
        return f"was killed by signal {-code}"
    if code and (_UNMEANT.search(complaint) or (complaint.strip() and not text)):
        return f"crashed with exit code {code}"
    if not text.startswith(("{", "[")) and code not in _NAGIOS:
        return f"ended with exit code {code}"
    return "" if text or code else "printed nothing, which is not an answer"


def _reason(complaint: str) -> str:
    """The last line of stderr, if there is one, as the end of a sentence."""
    *_, last = complaint.strip().splitlines() or [""]
    cut = last if len(last) <= MAX_REASON else f"{last[: MAX_REASON - 1]}…"
    return f": {printable(cut.strip())}" if cut.strip() else ""


def _read_nagios(name: str, text: str, code: int) -> Findings:
    status = _NAGIOS[code]
    line, _, performance = text.partition("\n")[0].partition("|")
    evidence = {"perfdata": performance.strip()} if performance.strip() else {}
    return (Finding(status, line.strip() or f"{name} printed nothing", evidence=evidence),)


def _finding(said: Mapping[str, Any]) -> Finding:
    status = Status(said["status"])
    cause = said.get("cause")
    return Finding(
        status,
        str(said["message"]),
        str(said.get("hint", "")),
        str(said.get("subject", "")),
        Cause(cause) if cause else None,
        dict(said.get("evidence", {})),
        str(said.get("finding", "")),
    )
