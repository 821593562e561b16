"""Formats: one module each, found by its name, with pure functions.

A document is made of pieces, so that a run of any length streams: ``head``, then ``target`` for
each target, then ``tail``. No piece depends on another. A format whose pieces do has ``begin()``
instead, which returns an object with the same functions for one document. What it holds is bounded,
however many targets there are.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Protocol, cast

from ipv6check.model import Report, RunInfo, Summary, TargetReport, Vantage
from ipv6check.model.text import printable


@dataclass(frozen=True, slots=True)
class Style:
    """What the reader can display and wants to see.

    Attributes:
        width: cells of a line.
        colour: whether escape sequences for colours may be used.
        unicode: whether the output can encode all characters, else ASCII alone.
        verbose: all findings, with their evidence.
        quiet: only what is not ready.
        many: the run has more than one target.
    """

    width: int = 80
    colour: bool = False
    unicode: bool = True
    verbose: bool = False
    quiet: bool = False
    many: bool = False

    def legible(self, text: str) -> str:
        """Text from the network, each character visible and within the output's encoding."""
        encoding = "utf-8" if self.unicode else "ascii"
        return printable(text).encode(encoding, "backslashreplace").decode(encoding).strip()


class Format(Protocol):
    """The interface of a module of this package.

    ``ORDERED``: targets come in the order in which they were named, else as each one is done. A
    format whose targets need a separator also has ``BETWEEN: str``, one that records observations
    ``KEEPS = True``, one with exit codes of its own ``exit_code(code: int) -> int``, called after
    its tail. ``vantage`` is as known by then: that IPv6 is broken there may be found out on
    the way, so the tail's may say more than the head's.
    """

    ORDERED: bool

    def head(self, run: RunInfo, vantage: Vantage, /) -> str:
        """The text before the first target."""
        ...

    def target(self, report: TargetReport, run: RunInfo, vantage: Vantage, style: Style, /) -> str:
        """The text of one target."""
        ...

    def tail(self, summary: Summary, run: RunInfo, vantage: Vantage, style: Style, /) -> str:
        """The text after the last target."""
        ...


class Renderer:
    """The pieces of one document, one after the other; concatenated they are the document.

    Attributes:
        ordered: whether targets have to come in the order in which they were named.
        keeps: whether reports have to hold what was observed.
    """

    def __init__(self, format_: Format, style: Style) -> None:
        self.ordered = format_.ORDERED
        self.keeps = getattr(format_, "KEEPS", False)
        self._format = format_
        self._style = style
        self._separator = ""

    def head(self, run: RunInfo, vantage: Vantage) -> str:
        """The first piece."""
        return self._format.head(run, vantage)

    def target(self, report: TargetReport, run: RunInfo, vantage: Vantage) -> str:
        """The piece of one target, after a separator where the format needs one."""
        piece = self._separator + self._format.target(report, run, vantage, self._style)
        self._separator = getattr(self._format, "BETWEEN", "")
        return piece

    def tail(self, summary: Summary, run: RunInfo, vantage: Vantage) -> str:
        """The last piece."""
        return self._format.tail(summary, run, vantage, self._style)

    def exit_code(self, code: int) -> int:
        """The exit code of the format for the run's exit code; most formats keep it."""
        convert = getattr(self._format, "exit_code", None)
        return code if convert is None else convert(code)


def format_names() -> tuple[str, ...]:
    """The names of all formats, sorted. Imports none of them."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def load(name: str) -> Format:
    """The format for one document; imported only now. Raises ValueError for an unknown name."""
    if name not in format_names():
        raise ValueError(f"no format {name!r}: one of {', '.join(format_names())}")
    module = importlib.import_module(f"{__name__}.{name}")
    return cast("Format", getattr(module, "begin", lambda: module)())


def render(report: Report, format_: Format, style: Style) -> str:
    """A whole report as text."""
    renderer = Renderer(format_, style)
    run, vantage = report.run, report.vantage
    pieces = [renderer.head(run, vantage)]
    pieces += [renderer.target(target, run, vantage) for target in report.targets]
    return "".join([*pieces, renderer.tail(report.summary, run, vantage)])
