"""What a check is: the decorator that makes one, and what a run plans with."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipv6check.engine.checks.pages import Section
from ipv6check.model import BadInputError, Cause, Finding
from ipv6check.model.findings import Explained

Judge = Callable[..., "Finding | Sequence[Finding]"]


class PluginError(BadInputError):
    """A check that cannot be run, or does not exist. One line, with file and line number."""


@dataclass(frozen=True, slots=True)
class Input:
    """One parameter of a probe or check."""

    name: str
    admits_failure: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """One shared observation."""

    name: str
    observe: Callable[..., Awaitable[Any]]
    inputs: tuple[Input, ...]
    returns: frozenset[Any]

    @property
    def pure(self) -> bool:
        """Whether it asks nobody, so that it can be computed again from what was recorded."""
        return all(wanted.name != "net" for wanted in self.inputs)


@dataclass(frozen=True, slots=True)
class Check:
    """One judgement. ``id`` and ``path`` are filled in from the file.

    ``findings``: all that it can give, from its decorator or from the page beside it; empty where
    neither has any. ``text``: what it looks at and why, from the page or from the file's docstring.
    ``looks_at``: what it looks at, in a word or two. ``measures``: a pass of it shows by itself
    that IPv6 works; where packets are its facts, those show it. ``version`` rises when it becomes
    stricter or looser.
    """

    judge: Judge
    about: str
    reference: str
    cause: Cause
    inputs: tuple[Input, ...] = ()
    id: str = ""
    path: Path = Path()
    text: str = ""
    findings: tuple[Explained | Section, ...] = ()
    looks_at: str = ""
    measures: bool = True
    version: int = 1

    @property
    def roots(self) -> Mapping[str, tuple[str, ...]]:
        """By finding: the checks that tell its root cause, the first cause first."""
        return {finding.id: tuple(finding.see.split()) for finding in self.findings if finding.see}

    @property
    def executable(self) -> bool:
        """Whether it is a program of its own."""
        return self.path.suffix != ".py"


@dataclass(frozen=True, slots=True)
class Plan:
    """The checks to run, by name, and the probes they need, inputs first.

    ``roots``: checks that are not to run, and judge the root causes of those that are.
    """

    checks: tuple[Check, ...]
    probes: tuple[Probe, ...]
    roots: tuple[Check, ...] = ()


def check(
    *,
    reference: str = "",
    cause: str | Cause,
    findings: Sequence[Explained] = (),
    looks_at: str = "",
    measures: bool = True,
    version: int = 1,
) -> Callable[[Judge], Check]:
    """Make a function a check. ``cause`` is what its findings carry unless they say otherwise.

    ``findings`` tells all that it can find; where it is given, a Finding that it does not name is a
    defect of the check. ``looks_at`` names what it looks at, as a report tells it. ``measures``:
    whether a pass of it shows by itself that the target's IPv6 works. ``version`` is in every
    result of it: raise it when the same facts are judged otherwise, so that a stricter check is not
    taken for a worse target.
    """
    if version < 1:
        raise ValueError(f"version is {version}, and begins at 1")

    def decorate(judge: Judge) -> Check:
        if not inspect.isfunction(judge):
            raise TypeError(f"@check marks a plain function, not {judge!r}")
        about = inspect.getdoc(judge) or ""
        return Check(
            judge,
            about,
            reference,
            Cause(cause),
            findings=_explained(findings),
            looks_at=looks_at,
            measures=measures,
            version=version,
        )

    return decorate


def _explained(findings: Sequence[Explained]) -> tuple[Explained, ...]:
    known = set()
    for finding in findings:
        if not isinstance(finding, Explained):
            raise TypeError(f"findings holds {finding!r}, which is no Explained")
        if finding.id in known:
            raise ValueError(f'finding "{finding.id}" is explained twice')
        known.add(finding.id)
    return tuple(findings)
