"""`python -m tests.lab`: the lab from a terminal."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence

from tests.lab import Lab, LabError, plan
from tests.lab.guide import guide
from tests.lab.requirements import FIREWALLS, PACKAGES, READERS


def main() -> int:
    """Do what the command line says; its exit code."""
    options = _options()
    try:
        return _COMMANDS[options.command](options)
    except (LabError, OSError) as error:
        print(f"tests.lab: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    parser.add_argument("--bulk", type=int, default=0, help="serve that many names in bulk.test")
    commands = parser.add_subparsers(dest="command", required=True)
    shell = commands.add_parser("shell", help="an interactive shell in a client")
    shell.add_argument("client", nargs="?", default="dual", choices=plan.CLIENTS)
    run = commands.add_parser("run", help="one command in a client: run CLIENT -- CMD...")
    run.add_argument("client", choices=plan.CLIENTS)
    run.add_argument("argv", nargs="+", metavar="CMD")
    commands.add_parser("up", help="stay until stdin closes; one JSON line says how to enter")
    commands.add_parser("guide", help="names, addresses and behaviours")
    commands.add_parser("packages", help="the Debian packages that the lab needs")
    return parser.parse_args()


def _shell(options: argparse.Namespace) -> int:
    with Lab(bulk=options.bulk) as lab:
        print(guide(options.client))
        prompt = {"PS1": f"lab {options.client} \\w\\$ "}
        return _foreground(lab, options.client, ["bash", "--norc", "-i"], prompt)


def _run(options: argparse.Namespace) -> int:
    with Lab(bulk=options.bulk) as lab:
        return _foreground(lab, options.client, options.argv, {})


def _foreground(lab: Lab, client: str, argv: Sequence[str], env: dict[str, str]) -> int:
    # Ctrl-C is the command's to handle; we wait for what it does.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    process = lab.popen(client, argv, env=env, start_new_session=False)
    try:
        code = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    return code if code >= 0 else 128 - code


def _up(options: argparse.Namespace) -> int:
    with Lab(bulk=options.bulk) as lab:
        enter = {client: lab.command(client, []) for client in plan.CLIENTS}
        print(json.dumps({"pid": lab.pid, "enter": enter}), flush=True)
        while os.read(sys.stdin.fileno(), 4096):
            pass
    return 0


def _guide(options: argparse.Namespace) -> int:
    print(guide("dual"))
    return 0


def _packages(options: argparse.Namespace) -> int:
    print(*sorted(PACKAGES | FIREWALLS | READERS))
    return 0


_COMMANDS = {"shell": _shell, "run": _run, "up": _up, "guide": _guide, "packages": _packages}


if __name__ == "__main__":
    sys.exit(main())
