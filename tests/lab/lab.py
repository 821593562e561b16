"""The lab as its users see it: start it, run commands in its clients."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.lab import plan, requirements, scenarios

_ROOT = Path(__file__).parent.parent.parent
_START_DEADLINE_S = 30.0
_STOP_DEADLINE_S = 5.0


class LabError(RuntimeError):
    """The lab cannot do what was asked: one line that says why."""


class Lab:
    """A small internet in namespaces, from `with` to the end of its block."""

    unavailable = staticmethod(requirements.unavailable)

    def __init__(self, *, bulk: int = 0, truth: Path = scenarios.TRUTH) -> None:
        self._options = ["--bulk", str(bulk), "--truth", str(truth.absolute())]
        self._init: subprocess.Popen[str] | None = None
        self._anchors: dict[str, int] = {}
        self.pid = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Build it; it is ready when this returns."""
        if reason := self.unavailable():
            raise LabError(reason)
        program = (sys.executable, "-m", "tests.lab.init", *self._options)
        self._init = subprocess.Popen(
            [*requirements.unshare_command(), *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            env=_environment({}),
            # Ctrl-C in a terminal is for the command in the client and not for the lab.
            start_new_session=True,
        )
        try:
            self._read_report(self._init)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Take it down, with everything that still runs in it."""
        if self._init is None:
            return
        init, self._init = self._init, None
        assert init.stdin
        assert init.stdout
        init.stdin.close()
        try:
            init.wait(_STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            # --kill-child of unshare takes process 1 along, and that everything else.
            init.kill()
            init.wait()
        init.stdout.close()

    def command(self, client: str, argv: Sequence[str]) -> list[str]:
        """The command that runs `argv` in a client, here and now."""
        if client not in self._anchors:
            raise LabError(f"no client {client!r}; there are {', '.join(plan.CLIENTS)}")
        outer = self._enter()
        inner = ("nsenter", f"--target={self._anchors[client]}", "--mount", "--net")
        # Ctrl-C is the command's: an nsenter that died of it would lose the exit code.
        ignore, restore = ("env", "--ignore-signal=INT"), ("env", "--default-signal=INT")
        return [*ignore, *outer, *inner, f"--wdns={Path.cwd()}", *restore, *argv]

    def lose(self, percent: float, *, dns: bool = True) -> None:
        """Let the router lose so many packets of every hundred, by chance; ``dns``: of DNS too."""
        spared = "" if dns else "udp dport 53 accept\n  udp sport 53 accept\n  "
        hook = "type filter hook forward priority -10\n  "
        rule = f"numgen random mod 1000 < {round(percent * 10)} drop\n"
        chain = f"chain forward {{\n  {hook}{spared}{rule if percent else ''} }}\n"
        text = f"table inet loss\ndelete table inet loss\ntable inet loss {{\n {chain}}}\n"
        router = ("nsenter", "--net=/run/netns/router", "nft", "-f", "-")
        subprocess.run([*self._enter(), *router], input=text, text=True, check=True)

    def _enter(self) -> tuple[str, ...]:
        """The command that enters the namespaces of process 1."""
        user = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
        return ("nsenter", f"--target={self.pid}", *user, "--mount", "--pid")

    def popen(
        self,
        client: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        **options: Any,
    ) -> subprocess.Popen[Any]:
        """Start a command in a client; `env` is added to the environment.

        It leads its own process group unless told otherwise: signal it with `os.killpg`, because
        the process seen here is only the one that entered the namespaces for it.
        """
        options = {"start_new_session": True} | options
        return subprocess.Popen(self.command(client, argv), env=_environment(env or {}), **options)

    def run(
        self,
        client: str,
        argv: Sequence[str],
        *,
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
        input: str | None = None,  # noqa: A002 - the word of subprocess.run
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a client to its end; like `subprocess.run`, output captured as text."""
        process = self.popen(
            client,
            argv,
            env=env,
            stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                output, errors = process.communicate(input, timeout)
            except BaseException:
                _kill_group(process)
                raise
        return subprocess.CompletedProcess(list(argv), process.returncode, output, errors)

    def _read_report(self, init: subprocess.Popen[str]) -> None:
        assert init.stdout
        if not select.select([init.stdout], [], [], _START_DEADLINE_S)[0]:
            raise LabError(f"the lab did not start in {_START_DEADLINE_S:.0f} s")
        report = json.loads(init.stdout.readline() or '{"error": "it ended without a word"}')
        if "error" in report:
            raise LabError(f"the lab did not start: {report['error']}")
        self.pid, self._anchors = report["pid"], report["anchors"]


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "PATH": requirements.search_path(), **extra}


def _kill_group(process: subprocess.Popen[Any]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
