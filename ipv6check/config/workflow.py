"""Where the targets of a command line are named, for reports that have to point at a line.

A code scanner shows a finding at a line of the repository. On GitHub Actions the command line of a
run stands in a workflow file, which the environment names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ipv6check.config.target import Target
from ipv6check.model import Place

MAX_WORKFLOW = 1 << 20
# owner/repository/.github/workflows/ci.yml@refs/heads/main
_WORKFLOW = re.compile(r"[^/]+/[^/]+/(\.github/workflows/[^/@]+)@.*")


def repository(directory: Path, env: Mapping[str, str]) -> Path:
    """The top of the repository that a directory is in; without one the directory itself."""
    for above in (directory, *directory.parents):
        # exists() raises where a directory above may not be searched.
        if os.access(above / ".git", os.F_OK):
            return above
    workspace = Path(env.get("GITHUB_WORKSPACE") or directory)
    return workspace if directory.is_relative_to(workspace) else directory


def placed(targets: Iterable[Target], root: Path, env: Mapping[str, str]) -> list[Target]:
    """The targets, those without a place at the line of this run's workflow that names them.

    The first line stands for one that no line names, such as an expression's.
    """
    found = _WORKFLOW.fullmatch(env.get("GITHUB_WORKFLOW_REF", ""))
    if found is None:
        return list(targets)
    file = root / found[1]
    lines = _lines(file)
    return [
        target if target.place else replace(target, place=Place(str(file), _line(target, lines)))
        for target in targets
    ]


def _lines(file: Path) -> list[str]:
    """What the file says, nothing where it was not checked out."""
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            return opened.read(MAX_WORKFLOW).splitlines()
    except OSError:
        return []


def _line(target: Target, lines: Iterable[str]) -> int:
    whole = re.compile(rf"(?<![\w.:/-]){re.escape(target.text)}(?![\w:-]|\.\w)")
    naming = (
        number
        for number, line in enumerate(lines, 1)
        if whole.search(line) and not line.lstrip().startswith("#")
    )
    return next(naming, 1)
