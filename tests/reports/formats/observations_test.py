"""What was observed comes back as it was: the same classes, the same values, from lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from math import inf
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipv6check.commands import schema
from ipv6check.config.profiles import PROFILES
from ipv6check.config.target import parse
from ipv6check.engine.checks.inputs import all_probes
from ipv6check.engine.observe import RecordedTarget
from ipv6check.model import (
    Address,
    Endless,
    Failure,
    Kind,
    Observed,
    Place,
    Port,
    RecordingError,
    RuleFiles,
    RunInfo,
    ServiceInfo,
    Settings,
    Summary,
    TargetReport,
    Vantage,
    Verdict,
)
from ipv6check.reports import recording
from ipv6check.reports.formats import Style, load
from tests.schema_stability_test import breaks

LATE = Failure(Kind.TIMEOUT, "no answer")
OBSERVATIONS = load("observations")
VALIDATOR = jsonschema.Draft202012Validator(json.loads(schema.text("observations")))
HOSTILE = "\x1b[2J\x00\r\n\x7f\x9b\u2028\u202e 例"
RUN = RunInfo(
    "0.1.0",
    "2026-11-20T12:00:00.000Z",
    2,
    {"": ServiceInfo(Settings(PROFILES["web"])), "shop": ServiceInfo(Settings(PROFILES["mail"]))},
)
VANTAGE = Vantage(source_ipv6="2001:db8::5")
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    Address: st.ip_addresses().map(str),
    Port: st.integers(0, 65535),
    Endless: st.floats(10, 1e6) | st.just(inf),
    str: st.text(max_size=5),
    int: st.integers(1, 10**9),
    float: st.floats(0, 1e9),
    bool: st.booleans(),
    Path: st.just(Path("clients")),
    NoneType: st.none(),
    object: st.none(),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that a probe returns."""
    if kind in PLAIN:
        return PLAIN[kind]
    if get_origin(kind) is not None:
        return _of(get_origin(kind), get_args(kind))
    if is_dataclass(kind):
        hints = get_type_hints(kind, include_extras=True)
        assert isinstance(kind, type)
        return st.builds(kind, **{part.name: values(hints[part.name]) for part in fields(kind)})
    return st.sampled_from(kind)


def _of(origin: Any, inside: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if origin in {Union, UnionType}:
        return st.one_of(*map(values, inside))
    if origin is Literal:
        return st.sampled_from(inside)
    if origin is tuple and inside[-1] is not Ellipsis:
        return st.tuples(*map(values, inside))
    items = values(inside[0])
    if origin is Mapping:
        return st.dictionaries(items, values(inside[1]), max_size=2)
    if origin is tuple:
        return st.lists(items, max_size=2).map(tuple)
    assert origin is frozenset
    return st.frozensets(items, max_size=2)


def report(
    *attempts: Mapping[str, Any], text: str = "www.example", service: str = ""
) -> TargetReport:
    """A target at which these facts were observed, attempt by attempt."""
    observed = tuple(Observed(facts, dict.fromkeys(facts, 1.5)) for facts in attempts)
    return TargetReport(
        text, text, (443,), Verdict.READY, 8.0, (), service=service, text=text, observed=observed
    )


def line(*attempts: Mapping[str, Any], **more: Any) -> bytes:
    """The line of a target, without its end."""
    written = OBSERVATIONS.target(report(*attempts, **more), RUN, VANTAGE, Style())
    assert written.endswith("\n")
    assert written.count("\n") == 1
    return written[:-1].encode("ascii")


def again(*attempts: Mapping[str, Any], **more: Any) -> RecordedTarget:
    """What comes back of a target."""
    found = recording.read(line(*attempts, **more), RUN.services)
    assert isinstance(found, RecordedTarget)
    return found


RECORDED = sorted(name for name, probe in all_probes().items() if not probe.pure)


@pytest.mark.parametrize("name", RECORDED)
def test_every_fact_comes_back_as_it_was(name: str) -> None:
    """Of the same class and the same value, whatever the probe returned, infinity included."""
    kinds = all_probes()[name].returns | {Failure}

    @settings(max_examples=60, deadline=None)
    @given(st.one_of(*map(values, sorted(kinds, key=str))))
    def comes_back(fact: Any) -> None:
        (attempt,) = again({name: fact}).attempts
        assert attempt.facts == {name: fact}
        assert type(attempt.facts[name]) is type(fact) or isinstance(fact, Mapping)

    comes_back()


def test_what_is_computed_is_not_recorded() -> None:
    """A prediction and a reading of rules ask nobody: they are made again."""
    assert {"predictions", "rules"} == set(all_probes()) - set(RECORDED)


@settings(max_examples=30, deadline=None)
@given(values(Settings), values(RuleFiles))
def test_the_settings_come_back(wanted: Settings, rules: RuleFiles) -> None:
    """A service is judged on the terms that it was observed on."""
    named = replace(wanted, profile=PROFILES["mail"], only=frozenset({"tcp"}), skip=frozenset())
    named = replace(named, clients_dirs=())
    info = ServiceInfo(named, "owner", "dual-stack", rules)
    head = OBSERVATIONS.head(RunInfo("0.1.0", RUN.started_at, None, {"": info}), VANTAGE)
    run, vantage = recording.read_header(head.rstrip("\n").encode("ascii"))
    assert (run.services, vantage) == ({"": info}, VANTAGE)


def test_a_target_keeps_its_place_and_service() -> None:
    """A report of the recording can point at the line that names the target, as the run's did."""
    place = Place("ipv6check.toml", 7)
    written = OBSERVATIONS.target(
        TargetReport(
            "a.example:25",
            "a.example",
            (25,),
            Verdict.READY,
            8.0,
            (),
            service="shop",
            place=place,
            text="a.example:25",
            observed=(Observed({}, {}),),
        ),
        RUN,
        VANTAGE,
        Style(),
    )
    read = recording.read(written.strip().encode(), RUN.services)
    assert isinstance(read, RecordedTarget)
    assert (read.target.service, read.target.place, read.target.ports) == ("shop", place, (25,))


def test_the_target_is_what_the_user_wrote() -> None:
    """A letter that a report shows as an escape is a letter again."""
    name = "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example"
    assert again({}, text=name).target == parse(name)


def test_every_attempt_is_recorded() -> None:
    """A target that was tried again is judged again by all that was seen of it."""
    found = again({"path": LATE}, {})
    assert [list(attempt.facts) for attempt in found.attempts] == [["path"], []]


def test_a_recording_is_lines_that_the_schema_knows() -> None:
    """The header, a line a target, the end; pure ASCII, and no control character but line ends."""
    summary = Summary(Verdict.READY, {}, {Verdict.READY: 1}, 9.0)
    pieces = [
        OBSERVATIONS.head(RUN, VANTAGE),
        OBSERVATIONS.target(
            report({"addresses": Failure(Kind.OTHER, HOSTILE)}), RUN, VANTAGE, Style()
        ),
        OBSERVATIONS.tail(summary, RUN, VANTAGE, Style()),
    ]
    text = "".join(pieces)
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    for line in text.splitlines():
        VALIDATOR.validate(json.loads(line))
    assert json.loads(pieces[2])["targets"] == 1


def test_the_shipped_schema_is_that_of_the_probes() -> None:
    """Whoever changes what a probe returns sees what that does to recordings.

    What belongs into ipv6check/reports/schemas/observations.json is what this prints:
    python -c 'from ipv6check.reports import recording; print(recording.schema(), end="")'
    """
    probes, shipped = json.loads(recording.schema()), json.loads(schema.text("observations"))
    # Another version of pydantic may say the same in other words.
    assert [*breaks(shipped, probes, read=True), *breaks(probes, shipped, read=True)] == []


def test_the_schema_refuses_what_the_reader_refuses() -> None:
    """A key too many, a kind that is none, a target without an attempt."""
    good = json.loads(line({"path": LATE}))
    VALIDATOR.validate(good)
    for bad in (
        good | {"more": 1},
        good | {"attempts": []},
        good | {"attempts": [{"facts": {"path": {"kind": "bored", "detail": ""}}, "known_ms": {}}]},
        good | {"attempts": [{"facts": {"nonsense": {}}, "known_ms": {}}]},
    ):
        assert not VALIDATOR.is_valid(bad)
        with pytest.raises(RecordingError):
            recording.read(json.dumps(bad).encode(), RUN.services)


def test_a_set_has_one_order() -> None:
    """Law 11: the same run is recorded in the same words."""
    names = frozenset({"ping", "tcp", "aaaa", "ptr"})
    info = ServiceInfo(Settings(PROFILES["web"], only=names))
    head = json.loads(OBSERVATIONS.head(RunInfo("", RUN.started_at, 1, {"": info}), VANTAGE))
    assert head["services"][""]["settings"]["only"] == ["aaaa", "ping", "ptr", "tcp"]


def test_lines_are_in_the_order_named() -> None:
    """So is the report of a replay, then."""
    assert OBSERVATIONS.ORDERED
