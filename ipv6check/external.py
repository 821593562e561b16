"""Checks that are programs of their own: JSON in, a Finding's JSON or a Nagios line out.

The program gets ``{"schema_version", "target", "observations"}`` on stdin. It answers with one JSON
object or a list of them (``status``, ``message``, and any of ``finding``, ``hint``, ``subject``,
``cause``, ``evidence``), or like a monitoring plugin: a line of text, and 0, 1, 2 or 3 as its exit
code.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ipv6check.defects import broken
from ipv6check.model import SCHEMA_VERSION, Cause, Failure, Finding, Findings, Status
from ipv6check.plugin import Check
from ipv6check.target import Target

MAX_OUTPUT = 65536
_NAGIOS = {0: Status.PASS, 1: Status.WARN, 2: Status.FAIL, 3: Status.UNKNOWN}


async def ask(check: Check, target: Target, facts: Mapping[str, Any], timeout_s: float) -> Findings:
    """Run the program and read its answer; whatever goes wrong with it is an error finding."""
    try:
        process = await asyncio.create_subprocess_exec(
            check.path,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        return (broken(f"{check.path} cannot be run: {error.strerror}"),)
    try:
        async with asyncio.timeout(timeout_s):
            output = await _converse(process, _question(check, target, facts))
            if len(output) > MAX_OUTPUT:
                return (broken(f"{check.id} said more than {MAX_OUTPUT} bytes"),)
            code = await process.wait()
    except TimeoutError:
        return (broken(f"{check.id} gave no answer in {timeout_s:g} s"),)
    finally:
        _end(process)
        await process.wait()
    return _read(check.id, output, code)


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


def _read(name: str, output: bytes, code: int) -> Findings:
    text = output.decode("utf-8", "replace").strip()
    if not text.startswith(("{", "[")):
        return _read_nagios(name, text, code)
    try:
        said = json.loads(text)
        items = said if isinstance(said, list) else [said]
        return tuple(_finding(item) for item in items) or (broken(f"{name} found nothing"),)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return (broken(f"{name} answered with what is no Finding: {error}"),)


def _read_nagios(name: str, text: str, code: int) -> Findings:
    status = _NAGIOS.get(code)
    if status is None:
        return (broken(f"{name} ended with exit code {code}"),)
    line, _, performance = text.partition("\n")[0].partition("|")
    evidence = {"perfdata": performance.strip()} if performance.strip() else {}
    return (Finding(status, line.strip() or f"{name} said nothing", evidence=evidence),)


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
