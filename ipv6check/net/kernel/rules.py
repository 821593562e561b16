"""The firewall rules in force on this host, as the commands show them that manage them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from ipv6check.model import Failure, Kind, RuleTexts
from ipv6check.net import log
from ipv6check.net.kernel.interfaces import leased

WAIT_S = 10.0
MAX_OUTPUT = 32 << 20  # bytes

# What the kernel has of the older tables, whether or not their own tools are installed.
LEGACY_TABLES = {
    "ip6tables-legacy-save": Path("/proc/net/ip6_tables_names"),
    "iptables-legacy-save": Path("/proc/net/ip_tables_names"),
}
# Each says what the other leaves out.
LISTING, DOCUMENT = "nft -a list ruleset", "nft -j -a list ruleset"
SAVES = ("ip6tables-save", "iptables-save")
# Where sbin is not on an ordinary user's path.
SEARCHED = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"


def live_rules() -> RuleTexts | Failure:
    """What each command prints that is there and permitted. A Failure where none of them is.

    nft is asked for JSON and for text, neither of which is complete in all its versions. The legacy
    commands are run only where the kernel has such tables: running them would make it load them.
    What has printed nothing has no rules.
    """
    texts: list[tuple[str, str]] = []
    failures: list[Failure] = []
    answered = False
    legacy = [command for command, names in LEGACY_TABLES.items() if _has_tables(names)]
    for command in (LISTING, *SAVES, *legacy):
        text = _output(command)
        if isinstance(text, Failure):
            # iptables adds nothing to what nft tells, where it is not there to have made tables.
            if command not in SAVES or text.kind is not Kind.OTHER:
                failures.append(text)
            continue
        answered = True
        if text.strip():
            texts.append((command, text))
            document = _output(DOCUMENT) if command == LISTING else ""
            if isinstance(document, str) and document:
                texts.append((DOCUMENT, document))
    if not answered:
        return failures[0]
    return RuleTexts(tuple(texts), tuple(failure.detail for failure in failures), leased())


def _has_tables(names: Path) -> bool:
    try:
        return bool(names.read_text("ascii").split())
    except OSError:
        return False


def _output(command: str) -> str | Failure:
    output = _run(command)
    if log.enabled():
        came = output if isinstance(output, Failure) else f"{len(output)} characters"
        log.exchange(command, "this host", came)
    return output


def _run(command: str) -> str | Failure:
    program, *arguments = command.split()
    path = shutil.which(program) or shutil.which(program, path=SEARCHED)
    if path is None:
        return Failure(Kind.OTHER, f"{program} is not installed here")
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command, found on the system's path
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=WAIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Failure(Kind.TIMEOUT, f"{command} took more than {WAIT_S:.0f} s")
    except OSError as error:
        return Failure(Kind.OTHER, f"{command}: {error.strerror}")
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        denied = "permitted" in reason or "denied" in reason or "must be root" in reason
        kind = Kind.PERMISSION if denied else Kind.OTHER
        return Failure(kind, f"{command}: {reason or f'exit code {done.returncode}'}")
    if len(done.stdout) > MAX_OUTPUT:
        return Failure(Kind.OTHER, f"{command} printed more than {MAX_OUTPUT} bytes")
    return done.stdout.decode("utf-8", "replace")
