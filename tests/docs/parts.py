"""What is generated: the parts of documents by the names of their markers, and whole files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tests.docs import checks, inputs, json_keys, options, picture, readme

PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "docs/checks.md": {
        "checks": checks.checks,
        "profiles": checks.profiles,
        "findings": checks.findings,
    },
    "docs/inputs.md": {"inputs": inputs.inputs, "types": inputs.types},
    "docs/json.md": {"keys": json_keys.keys, "words": json_keys.words},
    "docs/options.md": {
        "check": options.of_check,
        "service": options.of_service,
        "waiver": options.of_waiver,
        "commands": options.of_commands,
    },
}
# Made of a run, whose times and ports are others each time.
FILES: Mapping[str, Callable[[], str]] = {
    "docs/demo.svg": picture.demo,
    "docs/package.md": readme.package,
}
_TIME = re.compile(r"<?[0-9.]+ m?s\b")
_PORT = re.compile(r"\b[0-9]{4,5}\b")


def alike(name: str, before: str, after: str) -> bool:
    """Whether two versions of a document say the same.

    For what is made of a run: times, ports and where lines break aside.
    """
    if name not in FILES:
        return before == after
    if name.endswith(".svg"):
        return _blocks(picture.words(before)) == _blocks(picture.words(after))
    return _blocks(before) == _blocks(after)


def _blocks(shown: str) -> list[list[str]]:
    """The words of each target's lines, sorted: other numbers may break lines elsewhere."""
    plain = _PORT.sub("PORT", _TIME.sub("TIME", shown))
    return [sorted(block.split()) for block in re.split(r"\n(?! )", plain)]
