"""SARIF, read by sarif-tools, which is installed in CI alone: by its path, as `.ci/run` does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sarif.loader import load_sarif_file

from ipv6check.reports.formats import Style, load, render
from tests.reports.formats.reports import DOWN, report, target
from tests.reports.formats.sarif_test import RUN, SLOW


def test_a_consumer_reads_it(tmp_path: Path) -> None:
    """sarif-tools counts what there is."""
    path = tmp_path / "ipv6check.sarif"
    whole = replace(report([target(DOWN, SLOW), target(DOWN, name="b.example")]), run=RUN)
    path.write_text(render(whole, load("sarif"), Style()))
    read = load_sarif_file(str(path))
    assert {
        key: read.get_report().get_issue_count_for_severity(key) for key in ("error", "warning")
    } == {
        "error": 2,
        "warning": 1,
    }
