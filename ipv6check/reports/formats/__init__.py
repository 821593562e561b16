"""Reporters: one file a format, found by its name. Each is a module of pure functions.

A report is told in pieces, so that a run of any length streams: ``head``, then ``target`` for each
target, then ``tail``. No piece knows of another; what little there is to remember is in `Stream`.
A format whose pieces have to know of each other has ``begin()``, which gives an object with the
same functions for one document. What it holds is bounded, however many targets there are.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Protocol, cast

from ipv6check.model import Report, Result, RunInfo, Summary, TargetReport, Vantage, WaiverState
from ipv6check.model.text import count, printable


@dataclass(frozen=True, slots=True)
class Style:
    """How the reader reads: the terminal's abilities, and how much of the report is wanted.

    ``many``: the run has more than one target.
    """

    width: int = 80
    colour: bool = False
    unicode: bool = True
    verbose: bool = False
    quiet: bool = False
    many: bool = False

    def legible(self, text: str) -> str:
        """Text of the network's, each character of it visible, and known to the encoding."""
        encoding = "utf-8" if self.unicode else "ascii"
        return printable(text).encode(encoding, "backslashreplace").decode(encoding).strip()


class Reporter(Protocol):
    """What a module of this package offers.

    ``ORDERED``: targets are wanted in the order in which they were named, not as each is done. A
    format whose targets need a separator has also ``BETWEEN: str``, one that wants to have what was
    observed ``KEEPS = True``, one with exit codes of its own ``exit_code(code: int) -> int``, asked
    after its tail. ``vantage`` is as known by then: that IPv6 is broken there may be found out on
    the way, so the tail's may say more than the head's.
    """

    ORDERED: bool

    def head(self, run: RunInfo, vantage: Vantage, /) -> str:
        """What stands before the first target."""
        ...

    def target(self, report: TargetReport, run: RunInfo, vantage: Vantage, style: Style, /) -> str:
        """One target."""
        ...

    def tail(self, summary: Summary, run: RunInfo, vantage: Vantage, style: Style, /) -> str:
        """What stands after the last target."""
        ...


class Stream:
    """The pieces of one output, one after the other. Concatenated they are the document."""

    def __init__(self, reporter: Reporter, style: Style) -> None:
        self.ordered = reporter.ORDERED
        self.keeps = getattr(reporter, "KEEPS", False)
        self._reporter = reporter
        self._style = style
        self._separator = ""

    def head(self, run: RunInfo, vantage: Vantage) -> str:
        """The first piece."""
        return self._reporter.head(run, vantage)

    def target(self, report: TargetReport, run: RunInfo, vantage: Vantage) -> str:
        """The piece of one target, after a separator where the format needs one."""
        piece = self._separator + self._reporter.target(report, run, vantage, self._style)
        self._separator = getattr(self._reporter, "BETWEEN", "")
        return piece

    def tail(self, summary: Summary, run: RunInfo, vantage: Vantage) -> str:
        """The last piece."""
        return self._reporter.tail(summary, run, vantage, self._style)

    def exit_code(self, code: int) -> int:
        """What the run's exit code is in the words of the format, the same for most."""
        words = getattr(self._reporter, "exit_code", None)
        return code if words is None else words(code)


def formats() -> tuple[str, ...]:
    """The names of all formats. Imports none of them."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in names if not name.startswith("_")))


def load(name: str) -> Reporter:
    """The reporter of a format for one document; only now is it imported, with all it needs."""
    if name not in formats():
        raise ValueError(f"no format {name!r}: one of {', '.join(formats())}")
    module = importlib.import_module(f"{__name__}.{name}")
    return cast("Reporter", getattr(module, "begin", lambda: module)())


def render(report: Report, reporter: Reporter, style: Style) -> str:
    """A whole report as text."""
    stream = Stream(reporter, style)
    run, vantage = report.run, report.vantage
    pieces = [stream.head(run, vantage)]
    pieces += [stream.target(target, run, vantage) for target in report.targets]
    return "".join([*pieces, stream.tail(report.summary, run, vantage)])


def agreed(result: Result) -> str:
    """What a waiver or the baseline says of a result, for a reader; empty where neither does."""
    waived = result.waived
    if waived is None:
        return "known: the baseline has it already" if result.known else ""
    word = "waiver expired on" if waived.term is WaiverState.EXPIRED else "waived until"
    return f"{word} {waived.waiver.expires} by {waived.waiver.owner}: {waived.waiver.reason}"


def lacking(summary: Summary) -> list[str]:
    """Why a report is not of all that was asked for, a sentence each; mostly nothing."""
    told = ["interrupted: the rest was not checked"] if summary.interrupted else []
    if summary.bad_lines:
        told.append(f"{count(summary.bad_lines, 'line', 'lines')} of the input named no target")
    return told
