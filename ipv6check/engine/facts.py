"""What observed facts hold, at any depth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def everything(facts: Iterable[Any], *, whole: tuple[type, ...] = ()) -> Iterator[Any]:
    """These facts, and what they hold at any depth; nothing of what is an instance of ``whole``."""
    for fact in facts:
        yield fact
        if isinstance(fact, whole):
            continue
        if isinstance(fact, Mapping):
            yield from everything(fact.values(), whole=whole)
        elif isinstance(fact, tuple):
            yield from everything(fact, whole=whole)
        elif is_dataclass(fact):
            yield from everything((getattr(fact, part.name) for part in fields(fact)), whole=whole)
