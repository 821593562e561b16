"""The firewall rules in force on this host, as the commands show them that manage them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from ipv6check.model import Failure, Kind

WAIT_S = 10.0
MAX_OUTPUT = 32 << 20  # bytes

# What the kernel has of the older tables, whether or not their own tools are installed.
LEGACY_TABLES = {
    "ip6tables-legacy-save": Path("/proc/net/ip6_tables_names"),
    "iptables-legacy-save": Path("/proc/net/ip_tables_names"),
}
LISTING = "nft list ruleset"
SAVES = ("ip6tables-save", "iptables-save")
# Where sbin is not on an ordinary user's path.
SEARCHED = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"


def live_rules() -> tuple[tuple[str, str], ...] | Failure:
    """What each command prints, (command, text). A Failure where one may not, or is missing.

    ``nft list ruleset`` is asked as text, which shows more of iptables-nft's tables than JSON does.
    The legacy commands are run only where the kernel has such tables: running them would make it
    load them.
    """
    found: list[tuple[str, str]] = []
    wanted = [LISTING, *SAVES]
    wanted += [command for command, names in LEGACY_TABLES.items() if _has_tables(names)]
    for command in wanted:
        program, *arguments = command.split()
        path = shutil.which(program) or shutil.which(program, path=SEARCHED)
        if path is not None:
            text = _output([path, *arguments], command)
            if isinstance(text, Failure):
                return text
            if text.strip():
                found.append((command, text))
        elif command == LISTING or command in LEGACY_TABLES:
            # Without it there may be tables that nobody here can see.
            return Failure(Kind.OTHER, f"{program} is not installed here")
    return tuple(found)


def _has_tables(names: Path) -> bool:
    try:
        return bool(names.read_text("ascii").split())
    except OSError:
        return False


def _output(arguments: list[str], command: str) -> str | Failure:
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command, found on the system's path
            arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=WAIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Failure(Kind.TIMEOUT, f"{command} took more than {WAIT_S:.0f} s")
    except OSError as error:
        return Failure(Kind.OTHER, f"{command}: {error.strerror}")
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        denied = "permitted" in said or "denied" in said or "must be root" in said
        kind = Kind.PERMISSION if denied else Kind.OTHER
        return Failure(kind, f"{command}: {said or f'exit code {done.returncode}'}")
    if len(done.stdout) > MAX_OUTPUT:
        return Failure(Kind.OTHER, f"{command} printed more than {MAX_OUTPUT} bytes")
    return done.stdout.decode("utf-8", "replace")
