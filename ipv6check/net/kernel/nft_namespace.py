"""What nft makes of a rule file, loaded where there is nothing else.

That is a network namespace, which ends with the call. Nothing of this host is touched, and no name
is asked of anybody.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from tempfile import TemporaryFile
from typing import IO

from ipv6check.model import Failure, Kind, Loading
from ipv6check.model.text import printable
from ipv6check.net.kernel.rules import SEARCHED

WAIT_S = 20.0
MAX_OUTPUT = 64 << 20  # bytes of each listing
MAX_INTERFACES = 64
MAX_ERROR = 160  # characters
INSIDE = "inside"

# Rules that name an interface by its index want one of that name. It is a bridge: the module of
# dummies, where it was not loaded yet, would make an interface of the host itself. The services
# that look up names for a process have their sockets in /run: without them none leaves the
# namespace.
SCRIPT = f"""
mount -t tmpfs none /run || exit 1
ulimit -c 0
ulimit -t {WAIT_S:.0f}
ulimit -v {1 << 20}
ulimit -f {MAX_OUTPUT >> 9}
echo {INSIDE}
nft --version
for name; do
  ip link add name "$name" type bridge || ip link add name "$name" type dummy
done >/dev/null 2>&1
nft -f - >/dev/null || exit 1
nft -j -a list ruleset || echo
nft -a list ruleset
"""
# An ordinary user becomes root of a namespace of users; so does a root who may do no more.
UNSHARE = (("--net", "--mount"), ("--map-root-user", "--net", "--mount"))
_ERROR = re.compile(
    r"^(?:/dev/stdin:(?P<line>\d+):\d+(?:-\d+)?: |[\w/]+:\d+:\d+(?:-\d+)?: )?"
    r"(?P<error>Error: .*|BUG: .*|nft: .*Assertion.*)$",
    re.MULTILINE,
)
# What this machine lacks, which the one that the rules are for may have.
_ELSEWHERE = re.compile(
    r"No such file or directory|(?<!hostname )(?<!strings are )not supported|not permitted|memory"
    r"|buffer space|too long|(?:Interface|User|Group|group|user) does not exist|cgroup"
    r"|not compiled|denied"
    r"|resolve(?! hostname: Address family)"
)


def loading(text: str, interfaces: Sequence[str] = ()) -> Loading | Failure:
    """What nft lists after it has loaded this text, which includes no file, or why it will not.

    A Failure where nft cannot be asked, or where this machine's kernel lacks what the rules want.
    """
    programs = [shutil.which(name, path=_path()) for name in ("nft", "unshare")]
    if None in programs:
        return Failure(Kind.OTHER, "nft is not installed here")
    failure = Failure(Kind.OTHER, "no network namespace can be made here")
    for options in UNSHARE[os.geteuid() != 0 :]:
        try:
            outcome = _run([str(programs[1]), *options], text, interfaces[:MAX_INTERFACES])
        except OSError as error:  # no more processes, no place for a temporary file
            return Failure(Kind.OTHER, f"nft cannot be run here: {error.strerror}")
        if outcome is not None:
            return outcome
    return failure


def _path() -> str:
    return os.pathsep.join((SEARCHED, os.environ.get("PATH", "")))


def _run(unshare: list[str], text: str, interfaces: Sequence[str]) -> Loading | Failure | None:
    """One try; None where there is no such namespace."""
    with TemporaryFile() as given, TemporaryFile() as listed, TemporaryFile() as errors:
        given.write(text.encode("utf-8", "surrogateescape"))
        given.seek(0)
        process = subprocess.Popen(  # noqa: S603 - a fixed command, found on the system's path
            [*unshare, "sh", "-c", SCRIPT, "sh", *interfaces],
            stdin=given,
            stdout=listed,
            stderr=errors,
            env={"PATH": _path(), "LC_ALL": "C"},
            start_new_session=True,
        )
        try:
            process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            return Failure(Kind.TIMEOUT, f"nft took more than {WAIT_S:.0f} s")
        finally:
            if process.returncode is None:  # also where somebody interrupts
                os.killpg(process.pid, signal.SIGKILL)  # all that it has started too
                process.wait()
        inside, _, rest = _content(listed).partition("\n")
        if inside != INSIDE:
            return None
        version, _, rest = rest.partition("\n")
        name = " ".join(version.replace("nftables", "nft").split()[:2])
        if process.returncode:
            return _refusal(name, _content(errors))
        document, _, listing = rest.partition("\n")
        return Loading(name, document.strip(), listing.strip())


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(2 * MAX_OUTPUT).decode("utf-8", "replace")


def _refusal(version: str, output: str) -> Loading | Failure:
    match = _ERROR.search(output)
    if match is None or _ELSEWHERE.search(match["error"]):
        reason = match["error"] if match else output.strip().partition("\n")[0] or "it was killed"
        return Failure(Kind.OTHER, printable(f"{version}: {reason}"[:MAX_ERROR]))
    error = match["error"].removeprefix("Error: ")[:MAX_ERROR].strip()
    return Loading(version, refusal=printable(error), line=int(match["line"] or 0))
