"""What was so before: a saved report of any size, its targets found by name.

They are kept in a temporary database of SQLite, which is on disk where it is long, and without a
name there: nothing is left of it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ipv6check.model import Cause, Result, Status, TargetReport, Verdict
from ipv6check.reports import compare
from ipv6check.reports.saved import ReportError, SavedReport

_TABLE = """
    PRAGMA journal_mode = OFF;
    CREATE TABLE target (place INTEGER PRIMARY KEY, name TEXT UNIQUE, told TEXT);
"""
_ON_DISK_WITHOUT_A_NAME = ""
_INTERRUPTED = "its run was interrupted, so targets may be missing"


@contextmanager
def opened(path: str | Path) -> Iterator[Baseline]:
    """The saved report at ``path``, read whole; ``-`` is standard input.

    Raises:
        ReportError: it cannot be read, is no whole report, or names a target twice.
    """
    with closing(sqlite3.connect(_ON_DISK_WITHOUT_A_NAME)) as database:
        yield Baseline(SavedReport(path), database)


class Baseline:
    """The targets of a saved report.

    Attributes:
        name: how the file is called in a message.
        caveat: a line on what may be missing in it, empty if nothing.
    """

    def __init__(self, saved: SavedReport, database: sqlite3.Connection) -> None:
        """Read it whole into an empty database. Raises ReportError."""
        database.executescript(_TABLE)
        try:
            database.executemany(
                "INSERT INTO target (name, told) VALUES (?, ?)",
                ((_name(each), _told(each)) for each in saved),
            )
        except sqlite3.IntegrityError:
            saved.refuse("names a target that was named before: leave one of the two out")
        except sqlite3.Error as error:
            raise ReportError(f"{saved.name} cannot be sorted on disk: {error}") from None
        self.name = saved.name
        self.caveat = f"{saved.name}: {_INTERRUPTED}" if saved.interrupted else ""
        self._database = database

    def __iter__(self) -> Iterator[TargetReport]:
        """Every target, in the order of the file."""
        for name, told in self._database.execute("SELECT name, told FROM target ORDER BY place"):
            yield _report(name, told)

    def __contains__(self, report: TargetReport) -> bool:
        """Whether anything is saved of that target of that service."""
        return self._told(report) is not None

    def find(self, report: TargetReport) -> TargetReport | None:
        """What is saved of that target of that service; None if nothing is."""
        told = self._told(report)
        return None if told is None else _report(_name(report), told)

    def known(self, report: TargetReport) -> TargetReport:
        """The report, its results marked ``known`` that are no worse than they were."""
        old = self.find(report)
        return report if old is None else compare.known(old, report)

    def _told(self, report: TargetReport) -> str | None:
        query = "SELECT told FROM target WHERE name = ?"
        row = self._database.execute(query, (_name(report),)).fetchone()
        return None if row is None else row[0]


def _name(report: TargetReport) -> str:
    # ASCII: SQLite has no text for the lone surrogates that JSON can hold.
    return json.dumps([report.target, report.service])


def _told(report: TargetReport) -> str:
    results = [
        (each.check, each.status, each.message, each.subject, each.finding, each.cause)
        for each in report.results
    ]
    return json.dumps([report.host, report.verdict, results])


def _report(name: str, told: str) -> TargetReport:
    target, service = json.loads(name)
    host, verdict, results = json.loads(told)
    return TargetReport(
        target,
        host,
        (),
        Verdict(verdict),
        0.0,
        tuple(
            Result(
                check,
                Status(status),
                message,
                subject=subject,
                finding=finding,
                cause=Cause(cause) if cause else None,
            )
            for check, status, message, subject, finding, cause in results
        ),
        service=service,
    )
