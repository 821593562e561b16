"""The installed command, run as a process of its own.

Most of the time that such a run takes is the interpreter's start and its imports. The part of the
suite that runs without ``--all`` pays them once: ``python -m tests.installed`` has everything
imported, and forks for each run. With ``--all`` each run starts the installed command itself.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

ROOT = Path(__file__).parent.parent
COMMAND = str(Path(sys.executable).with_name("ipv6check"))
PATIENCE_S = 60
_REQUEST = 1 << 20
starts_afresh = False  # whether each run is a new interpreter; tests/conftest.py sets it


def run(
    *arguments: str,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    input: str = "",  # noqa: A002 - as subprocess.run has it
    stdin: IO[Any] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, like subprocess.run with text."""
    command = [COMMAND, *arguments]
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(input.encode("utf-8", "surrogateescape"))
        given.seek(0)
        streams = (stdin or given, out, err)
        if starts_afresh:
            done = subprocess.run(
                command,
                cwd=cwd,
                env=env,
                stdin=streams[0],
                stdout=out,
                stderr=err,
                timeout=PATIENCE_S,
                check=False,
            )
            code = done.returncode
        else:
            request = {"argv": command, "cwd": str(cwd or Path.cwd()), "env": env or {**os.environ}}
            code = _forked(request, [stream.fileno() for stream in streams])
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(
            command, code, out.read().decode("utf-8"), err.read().decode("utf-8")
        )


def _forked(request: dict[str, Any], streams: list[int]) -> int:
    """The exit code of a run that the server forks."""
    process, line = _server()
    try:
        socket.send_fds(line, [json.dumps(request).encode()], streams)
        return int(line.recv(_REQUEST))
    except BaseException:
        # Whatever it was, a run may still be at work, and the next answer would be that one's.
        os.killpg(process.pid, signal.SIGKILL)
        _server.cache_clear()
        raise


@cache
def _server() -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(PATIENCE_S)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.installed"],
            cwd=ROOT,
            stdin=theirs.fileno(),
            start_new_session=True,
        )
    atexit.register(_end, process, ours)
    return process, ours


def _end(process: subprocess.Popen[bytes], line: socket.socket) -> None:
    line.close()
    process.wait()


def _serve() -> bool:
    """Fork for each request; true in the process that has to run the command."""
    for module in pkgutil.walk_packages([str(ROOT / "ipv6check")], "ipv6check."):
        if module.name != "ipv6check.__main__":
            importlib.import_module(module.name)
    gc.freeze()
    with socket.socket(fileno=os.dup(0)) as line:
        while True:
            request, streams, *_ = socket.recv_fds(line, _REQUEST, 3)
            if not request:
                return False
            child = os.fork()
            if not child:
                _become(json.loads(request), streams)
                return True
            for stream in streams:
                os.close(stream)
            line.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Be the process that was asked for: its streams, variables, directory and arguments."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stderr = open(  # noqa: SIM115
        2, "w", encoding=encoding, errors="backslashreplace", buffering=1, closefd=False
    )
    sys.argv = request["argv"]


if __name__ == "__main__" and _serve():
    from ipv6check.commands.main import main

    main()
