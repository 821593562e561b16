"""The baseline: a saved report of any size, whose targets are found by name.

They are in a temporary SQLite database, in memory while it is small, else in an unnamed file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ipv6check.model import Cause, Result, Status, TargetReport, Verdict
from ipv6check.reports import compare
from ipv6check.reports.json_stream import ReportError
from ipv6check.reports.saved import SavedReport

_TABLE = """
    PRAGMA journal_mode = OFF;
    CREATE TABLE target (place INTEGER PRIMARY KEY, name TEXT UNIQUE, report TEXT);
"""
_TEMPORARY = ""  # SQLite's name of an unnamed database


@contextmanager
def opened(path: str | Path) -> Iterator[Baseline]:
    """The saved report at ``path``, read to its end; ``-`` is standard input.

    Raises:
        ReportError: it cannot be read, is not complete, or lists a target twice.
    """
    with closing(sqlite3.connect(_TEMPORARY)) as database:
        yield Baseline(SavedReport(path), database)


class Baseline:
    """The targets of a saved report.

    Attributes:
        name: the file's name in messages.
        caveat: a line on what may be missing in it, empty if nothing is.
    """

    def __init__(self, saved: SavedReport, database: sqlite3.Connection) -> None:
        """Read the report into an empty database. Raises ReportError."""
        database.executescript(_TABLE)
        try:
            database.executemany(
                "INSERT INTO target (name, report) VALUES (?, ?)",
                ((_name(report), _stored(report)) for report in saved),
            )
        except sqlite3.IntegrityError:
            saved.refuse("lists the same target twice: remove one of the two")
        except sqlite3.Error as error:
            raise ReportError(f"{saved.name} cannot be kept in a temporary file: {error}") from None
        self.name = saved.name
        caveat = f"{saved.name}: the run was interrupted, so targets may be missing"
        self.caveat = caveat if saved.interrupted else ""
        self._database = database

    def __iter__(self) -> Iterator[TargetReport]:
        """Every target, in the order of the file."""
        rows = self._database.execute("SELECT name, report FROM target ORDER BY place")
        for name, stored in rows:
            yield _report(name, stored)

    def __contains__(self, report: TargetReport) -> bool:
        """Whether the baseline has that target of that service."""
        return self._find(report) is not None

    def find(self, report: TargetReport) -> TargetReport | None:
        """The saved report of that target of that service, None if there is none."""
        stored = self._find(report)
        return None if stored is None else _report(_name(report), stored)

    def known(self, report: TargetReport) -> TargetReport:
        """The report; each result that was as bad before is marked ``known``."""
        old = self.find(report)
        return report if old is None else compare.known(old, report)

    def _find(self, report: TargetReport) -> str | None:
        query = "SELECT report FROM target WHERE name = ?"
        row = self._database.execute(query, (_name(report),)).fetchone()
        return None if row is None else row[0]


def _name(report: TargetReport) -> str:
    # ASCII: SQLite cannot store the lone surrogates that JSON can hold.
    return json.dumps([report.target, report.service])


def _stored(report: TargetReport) -> str:
    results = [
        (result.check, result.status, result.message, result.subject, result.finding, result.cause)
        for result in report.results
    ]
    return json.dumps([report.host, report.verdict, results])


def _report(name: str, stored: str) -> TargetReport:
    target, service = json.loads(name)
    host, verdict, results = json.loads(stored)
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
