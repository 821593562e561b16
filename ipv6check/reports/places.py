"""Places in files, relative to the repository: for readers who have another copy of it."""

from __future__ import annotations

from posixpath import join, normpath

from ipv6check.model import Place, RunInfo


def in_repository(place: Place | None, run: RunInfo) -> Place | None:
    """The place with its file relative to the repository's root; None if it is outside of it."""
    if place is None:
        return None
    top = run.root.rstrip("/") + "/"
    file = normpath(join(run.directory, place.file))
    return Place(file.removeprefix(top), place.line) if file.startswith(top) else None
