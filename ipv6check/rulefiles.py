"""Files of firewall rules, and what they include, to a rule set."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from ipv6check.firewall.model import IPV4, IPV6, RuleError, RuleSet
from ipv6check.firewall.notation import read
from ipv6check.model import Failure
from ipv6check.net.rules import live_rules

MAX_FILE = 32 << 20  # bytes
MAX_INCLUDED = 256


def texts(paths: Sequence[str]) -> list[tuple[str, str]]:
    """The files' names and texts; without any, the live rules of this host.

    Raises RuleError with one line.
    """
    if paths:
        return [(path, text_of(Path(path))) for path in paths]
    live = live_rules()
    if isinstance(live, Failure):
        raise RuleError(
            f"the rules of this host cannot be read: {live.detail}; name a file of them"
        )
    return list(live)


def text_of(path: Path) -> str:
    """A file's text, bytes that are no UTF-8 as escapes. Raises RuleError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise RuleError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > MAX_FILE:
        raise RuleError(f"{path}: longer than {MAX_FILE} bytes")
    return content.decode("utf-8", "backslashreplace")


def rules_of(files: Sequence[tuple[str, str]]) -> RuleSet:
    """The rule set that these texts are; what nftables files include is read beside them."""
    if not files:
        # A kernel without a single table.
        return RuleSet(covers=frozenset({IPV4, IPV6}))
    empty: list[str] = []
    beside = [Path(name).parent for name, _ in files if Path(name).is_file()]

    def include(pattern: str) -> list[tuple[str, str]] | None:
        places = [Path(pattern)] if Path(pattern).is_absolute() else [at / pattern for at in beside]
        for place in places:
            found = sorted(glob.glob(str(place)))[: MAX_INCLUDED + 1]  # noqa: PTH207 - any path
            if len(found) > MAX_INCLUDED:
                raise RuleError(f"{pattern}: includes more than {MAX_INCLUDED} files")
            if found:
                return [(path, text_of(Path(path))) for path in found]
        if any(character in pattern for character in "*?["):
            empty.append(pattern)
            return []
        return None

    rules = read(files, include)
    rules.empty_includes += empty
    return rules
