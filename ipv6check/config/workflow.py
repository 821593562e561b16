"""The file and line of targets from the command line, for formats that annotate source lines.

A code scanner shows a finding at a line of the repository. On GitHub Actions the command line is
part of a workflow file, whose name is in the environment.
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


def repository_root(directory: Path, env: Mapping[str, str]) -> Path:
    """The top of the repository that contains a directory; without one the directory itself."""
    for ancestor in (directory, *directory.parents):
        # exists() raises where an ancestor may not be searched.
        if os.access(ancestor / ".git", os.F_OK):
            return ancestor
    workspace = Path(env.get("GITHUB_WORKSPACE") or directory)
    return workspace if directory.is_relative_to(workspace) else directory


def located(targets: Iterable[Target], root: Path, env: Mapping[str, str]) -> list[Target]:
    """The targets; one without a place gets the line of this run's workflow that names it.

    A target that no line names, such as the value of an expression, gets line 1.
    """
    workflow = _WORKFLOW.fullmatch(env.get("GITHUB_WORKFLOW_REF", ""))
    if workflow is None:
        return list(targets)
    file = root / workflow[1]
    lines = _lines(file)
    return [
        target if target.place else replace(target, place=Place(str(file), _line(target, lines)))
        for target in targets
    ]


def _lines(file: Path) -> list[str]:
    """The lines of the file; none where it was not checked out."""
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            return opened.read(MAX_WORKFLOW).splitlines()
    except OSError:
        return []


def _line(target: Target, lines: Iterable[str]) -> int:
    word = re.compile(rf"(?<![\w.:/-]){re.escape(target.text)}(?![\w:-]|\.\w)")
    numbers = (
        number
        for number, line in enumerate(lines, 1)
        if word.search(line) and not line.lstrip().startswith("#")
    )
    return next(numbers, 1)
