"""The real clients from a terminal: `python -m tests.clients install DIRECTORY`.

It needs the Debian packages that `packages` prints, which are those that are missing. With
IPV6CHECK_CLIENTS set to that directory, `matrix` prints what was predicted beside what was
measured, of all or of the clients and scenarios that are named; `document` prints docs/clients.md,
`browsers` its last section (Debian packages chromium and firefox-esr).
"""

from __future__ import annotations

import sys
from math import inf
from pathlib import Path

from tests.clients.browsers import SCENARIOS, browsers
from tests.clients.document import browsers_page, page
from tests.clients.measure import Cell, Row, bench, scenarios
from tests.clients.programs import install, missing_packages, programs


def main() -> int:
    """Do what the command line says; its exit code."""
    match sys.argv[1:]:
        case ["install", directory]:
            install(Path(directory))
        case ["packages"]:
            print(*missing_packages())
        case ["matrix", *names]:
            _matrix(names)
        case ["browsers", *names]:
            print(browsers_page(_browsed(names)))
        case ["document"]:
            with bench() as running:
                installed = [program for program in programs() if program.installed]
                print(page(running.matrix(installed, scenarios())), end="")
            if browsers():
                print()
                print(browsers_page(_browsed([])))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


def _browsed(names: list[str]) -> list[Row]:
    """Each browser by itself: a second one would have no processor to start on."""
    chosen = [scenario for scenario in scenarios() if scenario.name in (names or SCENARIOS)]
    with bench() as running:
        return running.matrix(browsers(), chosen, at_once=1)


def _matrix(names: list[str]) -> None:
    """Print predicted beside measured: of all, or of what these words are in the names of."""
    chosen = [
        program for program in programs() if program.installed and _named(program.label, names)
    ]
    rows = [scenario for scenario in scenarios() if _named(scenario.name, names)] or list(
        scenarios()
    )
    chosen = chosen or [program for program in programs() if program.installed]
    with bench() as running:
        for row in running.matrix(chosen, rows):
            for cell in row.cells:
                print(_line(row, cell), flush=True)


def _line(row: Row, cell: Cell) -> str:
    predicted, measured = cell.predicted, cell.measured
    at_ms = predicted["connect_ms"] or predicted["failed_ms"] or inf
    return (
        f"{row.scenario.name:28} {cell.program.label:18} "
        f"{predicted['outcome']:9} {predicted['family'] or '-':4} {at_ms:8.0f}  "
        f"{measured.outcome:9} {measured.family or '-':4} {measured.ms:8.0f}  {cell.wrong}"
    )


def _named(name: str, words: list[str]) -> bool:
    return not words or any(word == name for word in words)


if __name__ == "__main__":
    sys.exit(main())
