"""Metrics, read by Prometheus' own parsers."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from ipv6check.model import (
    GateOutcome,
    Note,
    Result,
    Status,
    TargetReport,
    Vantage,
    Verdict,
    WaiverState,
)
from ipv6check.reports.formats import Renderer, Style, load, prometheus
from tests.reports.formats.reports import (
    DOWN,
    HOSTILE,
    RUN,
    report,
    run,
    served,
    target,
    text,
    waived,
)

ADDRESSES = Result(
    "aaaa",
    Status.PASS,
    "1 address",
    evidence={
        "ipv6": {"outcome": "noerror", "records": ("2001:db8::1",), "elapsed_ms": 3.25},
        "ipv4": {"outcome": "timeout", "elapsed_ms": 5000},
    },
)
RACED = Result(
    "fallback",
    Status.PASS,
    "IPv6 wins",
    evidence={
        "port": 443,
        "winner": "2001:db8::1",
        "elapsed_ms": 10.6,
        "survey": [
            {"address": "2001:db8::1", "tcp": "connected", "tcp_ms": 10.5},
            {"address": "192.0.2.1", "tcp": "silent", "tcp_ms": 3000},
        ],
        "also": [{"port": 80, "winner": None, "elapsed_ms": None, "survey": []}],
    },
)
BLIND = Result("tcp", Status.UNKNOWN, "this host has no IPv6 route")
EVERY = [ADDRESSES, RACED, waived(DOWN), replace(DOWN, known=True)]

Metrics = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(document: str) -> Metrics:
    """Each sample once, of families that are whole, typed and explained, without a timestamp."""
    families = list(text_string_to_metric_families(document))
    names = [family.name for family in families]
    assert len(set(names)) == len(names)
    assert re.findall("^# TYPE (\\S+) gauge$", document, re.MULTILINE) == names
    assert all(family.type == "gauge" and family.documentation for family in families)
    samples = [sample for family in families for sample in family.samples]
    assert not any(sample.timestamp for sample in samples)
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def metrics(*targets: TargetReport, **changes: Any) -> Metrics:
    """The samples of a report."""
    return read(text("prometheus", *targets, **changes))


def told(found: Metrics, name: str, **labels: str) -> float | None:
    """The value of one sample; labels that are not named are empty."""
    asked = {key: value for key, value in labels.items() if value}
    for (metric, given_labels), value in found.items():
        if metric == name and {key: value for key, value in given_labels if value} == asked:
            return value
    return None


def test_a_target_in_the_words_of_blackbox_exporter() -> None:
    """Success, duration and lookup time have the names that dashboards know."""
    found = metrics(target(ADDRESSES, RACED, service="shop"))
    whose = {"target": "example.com", "service": "shop"}
    assert told(found, "probe_success", **whose) == 1
    assert told(found, "probe_duration_seconds", **whose) == pytest.approx(0.800149)
    assert told(found, "probe_dns_lookup_time_seconds", **whose) == 0.00325


@pytest.mark.parametrize(
    ("result", "verdict", "success"),
    [
        (ADDRESSES, Verdict.READY, 1),
        (replace(RACED, status=Status.WARN), Verdict.DEGRADED, 1),
        (DOWN, Verdict.NOT_READY, 0),
        (BLIND, Verdict.UNKNOWN, None),
    ],
)
def test_a_verdict_is_one_of_its_states(
    result: Result, verdict: Verdict, success: float | None
) -> None:
    """One state is 1 and the others 0; what is unknown is neither success nor failure."""
    found = metrics(target(result))
    states = {
        state: told(found, "ipv6check_verdict", target="example.com", verdict=state)
        for state in Verdict
    }
    assert states == {state: float(state is verdict) for state in Verdict}
    assert told(found, "probe_success", target="example.com") == success


def test_times_are_seconds_by_port_and_family() -> None:
    """Handshakes, lookups and the race; what was not measured has no sample."""
    found = metrics(target(ADDRESSES, RACED))
    times = {
        (name, dict(labels).get("port", ""), dict(labels)["family"]): value
        for (name, labels), value in found.items()
        if "family" in dict(labels)
    }
    assert times == {
        ("ipv6check_dns_lookup_seconds", "", "ipv6"): 0.00325,
        ("ipv6check_connect_seconds", "443", "ipv6"): 0.0105,
        ("ipv6check_race_seconds", "443", "ipv6"): 0.0106,
    }


def test_what_was_agreed_on() -> None:
    """What is excused does not gate and is counted; when a waiver ends can be alerted on."""
    found = metrics(target(waived(DOWN), ADDRESSES))
    whose = {"target": "example.com"}
    assert told(found, "ipv6check_verdict", **whose, verdict="not-ready") == 1
    assert told(found, "ipv6check_gating_verdict", **whose, verdict="ready") == 1
    assert told(found, "ipv6check_excused_results", **whose) == 1
    assert told(found, "ipv6check_results", **whose, check="tcp", status="fail") == 1
    # Its last day is 2026-12-31, to the end.
    ends = told(found, "ipv6check_waiver_expiry_timestamp_seconds", **whose, check="tcp")
    assert ends == 1798761600
    expired = metrics(target(waived(DOWN, WaiverState.EXPIRED)))
    assert told(expired, "ipv6check_gating_verdict", **whose, verdict="not-ready") == 1
    assert told(expired, "ipv6check_excused_results", **whose) == 0


def test_the_run() -> None:
    """When it was, from where, how it ended, and how many targets are of which verdict."""
    found = metrics(
        target(DOWN),
        target(BLIND, name="b.example"),
        gate=GateOutcome.FAILED,
        interrupted=True,
        notes=(Note("x"),),
    )
    assert told(found, "ipv6check_build_info", version="0.1.0") == 1
    assert told(found, "ipv6check_run_timestamp_seconds") == 1795176000
    assert told(found, "ipv6check_run_duration_seconds") == 0.81244
    assert told(found, "ipv6check_run_targets", verdict="not-ready") == 1
    assert told(found, "ipv6check_run_targets", verdict="ready") == 0
    assert told(found, "ipv6check_run_results", status="unknown") == 1
    assert told(found, "ipv6check_run_gate", gate="failed") == 1
    assert told(found, "ipv6check_run_gate", gate="passed") == 0
    assert told(found, "ipv6check_run_interrupted") == 1
    assert told(found, "ipv6check_run_notes") == 1
    assert told(found, "ipv6check_vantage_ipv6_up") == 1


def test_the_vantage_is_told_as_known_at_the_end() -> None:
    """A broken IPv6 is found out on the way, long after the head."""
    stream = Renderer(load("prometheus"), Style())
    stream.head(RUN, Vantage())
    later = Vantage(ipv6="broken")
    found = read(stream.tail(report([]).summary, RUN, later))
    assert told(found, "ipv6check_vantage_ipv6_up") == 0


def test_no_text_and_no_address_is_a_label() -> None:
    """Labels are of few values: whose, what, and words of closed lists."""
    document = text("prometheus", *[target(*EVERY)], notes=(Note("secret"),))
    assert not re.search("silent|open TCP|balancer|net team|secret|db8|192[.]0", document)
    labels = {key for _, pairs in read(document) for key, _ in pairs}
    assert labels == {
        "target", "service", "check", "status", "verdict", "family", "port", "gate", "version",
    }  # fmt: skip


def test_too_many_targets_are_told_as_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Prometheus should not hold it does not get, and it is told how many they are."""
    monkeypatch.setattr(prometheus, "MOST_TARGETS", 3)
    few = metrics(*[target(DOWN, name=f"h{n}") for n in range(3)])
    assert told(few, "probe_success", target="h2") == 0
    assert told(few, "ipv6check_run_untold_targets") == 0
    many = metrics(*[target(DOWN, name=f"h{n}") for n in range(7)])
    assert told(many, "probe_success", target="h2") is None
    assert told(many, "ipv6check_run_untold_targets") == 7
    assert told(many, "ipv6check_run_targets", verdict="not-ready") == 7


@settings(deadline=None)  # a busy machine is no defect
@given(st.text() | st.just(HOSTILE), st.floats())
def test_any_text_is_harmless(words: str, duration_ms: float) -> None:
    """Whatever a target is called, lines stay lines, and values are numbers."""
    bad = replace(DOWN, check=f"x{words}", message=words)
    document = text("prometheus", target(bad, name=f"x{words}", duration_ms=duration_ms))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", document)
    names = {dict(labels).get("target", "") for _, labels in read(document)}
    assert len(names) == 2
    if words.isprintable():
        assert f"x{words}".strip() in names


def linted(document: str) -> None:
    """What Prometheus' own tool finds nothing wrong with."""
    command = ["promtool", "check", "metrics"]
    ended = subprocess.run(
        command, input=document, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")


def test_promtool_finds_nothing_wrong(needs: Callable[..., None]) -> None:
    """Names, units, types and help are as Prometheus wants them."""
    needs("promtool")
    names = [HOSTILE, "2001:db8::1", "bücher.example"]
    linted(text("prometheus", *[target(*EVERY, name=name) for name in names]))
    linted(text("prometheus"))
    thousands = [target(*EVERY, name=f"h{n}.example") for n in range(3000)]
    linted(text("prometheus", *thousands))


def test_the_command_writes_a_textfile(needs: Callable[..., None], tmp_path: Path) -> None:
    """A target on this host, through the installed command, into a file that appears whole."""
    needs("promtool")
    path = tmp_path / "ipv6check.prom"
    with served() as port:
        ended = run(f"localhost:{port}", "-q", "--save", f"prometheus={path}")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [path] == list(tmp_path.iterdir())
    document = path.read_text("utf-8")
    linted(document)
    found, whose = read(document), {"target": f"localhost:{port}"}
    assert told(found, "probe_success", **whose) == 1
    for family in ("ipv6", "ipv4"):
        seconds = told(found, "ipv6check_connect_seconds", **whose, port=str(port), family=family)
        assert seconds is not None
        assert seconds > 0
