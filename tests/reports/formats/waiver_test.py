"""One run with a service and a waiver, as every format for pipelines and dashboards tells it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import junitparser
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.reports.formats.reports import run, served

CONFIG = """
[check]
only = ["tcp"]
timeout = 1.0
save = ["junit=report.xml", "prometheus=report.prom"]

[service.shop]
targets = ["localhost:{port}"]
owner = "ops"

[[waiver]]
check = "tcp"
target = "localhost*"
reason = "moves in January"
owner = "ops"
expires = {expires}
"""


@pytest.mark.slow(after=1)
@pytest.mark.parametrize(
    ("days", "code", "state", "element"),
    [(30, 0, "OK", junitparser.Skipped), (-1, 2, "CRITICAL", junitparser.Failure)],
)
def test_a_waiver_counts_until_it_ends(
    tmp_path: Path, days: int, code: int, state: str, element: type[junitparser.Failure]
) -> None:
    """The same dead port is no alarm while it is waived, and one from the day after."""
    with served() as port:
        pass
    expires = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=days)
    config = tmp_path / "ipv6check.toml"
    config.write_text(CONFIG.format(port=port, expires=expires))
    ended = run("-f", "nagios", "--config", str(config))
    assert (ended.returncode, ended.stderr) == (code, "")
    assert ended.stdout.startswith(f"IPV6CHECK {state} - ")

    suites = junitparser.JUnitXml.fromstring((tmp_path / "report.xml").read_bytes())
    ((case, *_), *_) = map(list, suites)
    assert case.classname == f"shop localhost:{port}"
    (told,) = case.result
    assert isinstance(told, element)
    assert f"{expires} by ops: moves in January" in told.message

    text = (tmp_path / "report.prom").read_text()
    samples = [
        sample for family in text_string_to_metric_families(text) for sample in family.samples
    ]
    gate = [sample.labels["gate"] for sample in samples if "gate" in sample.labels and sample.value]
    assert gate == ["passed" if code == 0 else "failed"]
    (gating,) = [
        sample.labels["verdict"]
        for sample in samples
        if sample.name == "ipv6check_gating_verdict" and sample.value
    ]
    assert gating == ("ready" if code == 0 else "not-ready")
    assert {sample.labels["service"] for sample in samples if "service" in sample.labels} == {
        "shop"
    }
