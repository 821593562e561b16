"""The JSON Schema of what ``--format json`` and ``jsonl`` print, as it ships in the package."""

from __future__ import annotations

from importlib.resources import files


def text() -> str:
    """The schema's text."""
    return files(__package__).joinpath("schema.json").read_text(encoding="utf-8")
