"""Files of firewall rules, and what they include, to a rule set."""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ipv6check.firewall.model import RuleError, RuleSet
from ipv6check.firewall.nft.loaded import Load
from ipv6check.firewall.notation import live, read
from ipv6check.firewall.openness import unreached
from ipv6check.model import Failure, Loading, RuleFiles
from ipv6check.net.kernel.nft_namespace import loading
from ipv6check.net.kernel.rules import live_rules

MAX_FILE = 32 << 20  # bytes
MAX_INCLUDED = 256
STDIN = "/dev/stdin"

IncludedTexts = tuple[tuple[str, str], ...]


def read_rules(paths: Sequence[str], *, nft: bool = True) -> tuple[tuple[str, ...], RuleSet]:
    """The names of what was read, and the rules: of these files, else those in force here.

    The path ``-`` is standard input. ``nft``: it may be asked what it makes of them.

    Raises RuleError with one line.
    """
    if paths:
        names = tuple(STDIN if path == "-" else path for path in paths)
        return names, rules_of([(name, text_of(Path(name))) for name in names], nft=nft)
    in_force = live_rules()
    if isinstance(in_force, Failure):
        raise RuleError(
            f"the rules of this host cannot be read: {in_force.detail}; name a file of them"
        )
    rules = live(in_force.texts, in_force.missing)
    rules.leased = in_force.leased
    return tuple(name for name, _ in in_force.texts), rules


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


def rules_of(files: Sequence[tuple[str, str]], *, nft: bool = True) -> RuleSet:
    """The rule set that these texts are; what nftables files include is read beside them."""
    beside = [Path(name).parent for name, _ in files if Path(name).is_file()]
    return _rules(files, partial(_included, beside), _load if nft else None)


def _load(_name: str, text: str, interfaces: Sequence[str]) -> Loading | Failure:
    return loading(text, interfaces)


def rules_again(source: RuleFiles) -> RuleSet:
    """The rule set that these texts were, with no file read now. Raises RuleError."""
    return _rules(source.files, source.included.get, lambda name, *_: source.loaded.get(name))


def _rules(
    files: Sequence[tuple[str, str]],
    look: Callable[[str], IncludedTexts | None],
    ask: Load | None,
) -> RuleSet:
    included: dict[str, IncludedTexts | None] = {}
    loaded: dict[str, Loading | Failure] = {}

    def include(pattern: str) -> list[tuple[str, str]] | None:
        texts = included[pattern] = look(pattern)
        return None if texts is None else list(texts)

    def load(name: str, text: str, interfaces: Sequence[str]) -> Loading | Failure | None:
        outcome = ask(name, text, interfaces) if ask else None
        if outcome is not None:
            loaded[name] = outcome
        return outcome

    rules = read(files, include, load)
    rules.gaps += unreached(rules)
    rules.source = RuleFiles(tuple(files), included, loaded)
    rules.empty_includes += [pattern for pattern, texts in included.items() if texts == ()]
    return rules


def _texts(pattern: str, paths: Sequence[str]) -> IncludedTexts:
    """Of all that one pattern names, which together are as much as one file may be."""
    texts: list[tuple[str, str]] = []
    for path in paths:
        texts.append((path, _included_text(Path(path))))
        if sum(len(text) for _, text in texts) > MAX_FILE:
            raise RuleError(f"{pattern}: includes more than {MAX_FILE} bytes")
    return tuple(texts)


def _included_text(path: Path) -> str:
    """A pipe or a device, which a file may name as well, might never end."""
    if path.exists() and not path.is_file():
        raise RuleError(f"{path} is included, and is no regular file")
    return text_of(path)


def _included(beside: Sequence[Path], pattern: str) -> IncludedTexts | None:
    places = [Path(pattern)] if Path(pattern).is_absolute() else [at / pattern for at in beside]
    for place in places:
        paths = sorted(glob.glob(str(place)))[: MAX_INCLUDED + 1]  # noqa: PTH207 - any path
        if len(paths) > MAX_INCLUDED:
            raise RuleError(f"{pattern}: includes more than {MAX_INCLUDED} files")
        if paths:
            return _texts(pattern, paths)
    return () if any(character in pattern for character in "*?[") else None
