"""An option that touches nothing of the run is refused on a command line, and noted elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ipv6check.config import sources as config
from ipv6check.config.options import Options
from ipv6check.config.target import parse
from ipv6check.config.toml import ConfigError
from ipv6check.engine import services
from ipv6check.engine.checks import loader
from ipv6check.engine.unused import UnusedOptions
from ipv6check.reports.formats import format_names

Make = Callable[..., UnusedOptions]


@pytest.fixture(name="unused")
def make(tmp_path: Path) -> Make:
    """What flags, the environment and a file ask for."""

    def unused(
        flags: Mapping[str, Any], env: Mapping[str, str] | None = None, file: str = ""
    ) -> UnusedOptions:
        if file:
            (tmp_path / "ipv6check.toml").write_text(file)
        options = config.load(flags, env or {}, tmp_path, format_names())
        found = loader.find()
        return UnusedOptions(options, services.of_services(options, options.settings, found))

    return unused


def seen(unused: UnusedOptions, *targets: str) -> list[str]:
    """The notes of a run over these targets."""
    for text in targets:
        unused.see(parse(text))
    return [note.text for note in unused.notes()]


REFUSED = [
    (
        {"resolve": ["example.com:::1"]},
        ["www.example.com"],
        "--resolve: example.com is not a target",
    ),
    ({"resolve": ["wwv.example.com:::1"]}, ["www.example.com"], "did you mean www.example.com?"),
    ({"resolve": ["a.example:::1", "b.example:::1"]}, ["a.example"], "b.example is not a target"),
    ({"resolve": ["h.example:443:::1"]}, ["h.example"], "for port 443 only, but it is checked on"),
    ({"resolve": ["h.example:80:::1"]}, ["https://h.example"], "port 80 only"),
    ({"port": ["8443"]}, ["h.example:443", "https://h.example"], "--port: port 8443: every target"),
    ({"port": ["8443"], "only": ["aaaa"]}, ["h.example"], "--port: no check of this run uses it"),
    ({"happy_eyeballs": "v3", "skip": ["fallback"]}, ["h.example"], "--happy-eyeballs: no check"),
    ({"connection_attempt_delay": "100", "only": ["tcp"]}, ["h.example"], "no check of this run"),
    ({"clients_dir": ["."], "only": ["tcp"]}, ["h.example"], "--clients-dir: no check of this run"),
]
TOUCHED = [
    ({"resolve": ["www.example.com:::1"]}, ["https://WWW.example.com./x"]),
    ({"resolve": ["h.example:443:::1"]}, ["https://h.example"]),
    ({"resolve": ["h.example:443:::1", "h.example:80:::1"]}, ["h.example"]),
    ({"resolve": ["h.example:443:::1", "h.example:::1"]}, ["h.example:25"]),
    ({"resolve": ["h.example:443:::1"], "port": ["443"]}, ["h.example"]),
    ({"port": ["8443"]}, ["h.example:443", "b.example"]),
    ({"happy_eyeballs": "v3"}, ["h.example"]),
    ({"only": ["tcp"], "port": ["25"]}, ["h.example"]),
]


@pytest.mark.parametrize(("flags", "targets", "says"), REFUSED)
def test_refused(unused: Make, flags: Mapping[str, Any], targets: Sequence[str], says: str) -> None:
    """On the command line, before a packet is sent; of a stream it is known in the end."""
    with pytest.raises(ConfigError) as caught:
        unused(flags).refuse(map(parse, targets))
    assert says in str(caught.value)
    (note,) = seen(unused(flags), *targets)
    assert says in note


@pytest.mark.parametrize(("flags", "targets"), TOUCHED)
def test_touched(unused: Make, flags: Mapping[str, Any], targets: Sequence[str]) -> None:
    """What some target has a use for is fine."""
    unused(flags).refuse(map(parse, targets))
    assert seen(unused(flags), *targets) == []


def test_what_a_file_or_a_variable_says_is_noted(unused: Make) -> None:
    """It is there for other runs too, and so refuses none."""
    env = {"IPV6CHECK_RESOLVE": "a.example:::1"}
    for given in (unused({}, env), unused({}, file='[check]\nresolve = ["a.example:::1"]\n')):
        given.refuse([parse("b.example")])
        (note,) = [note.text for note in given.notes()]
        assert "a.example is not a target of this run" in note


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (Options(only=frozenset({"tcp"}), skip=frozenset({"tcp"})), "see --only and --skip"),
        (Options(skip=frozenset(loader.find().checks)), "see --skip"),
    ],
)
def test_nothing_is_left_to_run(options: Options, says: str) -> None:
    """What selects nothing is refused."""
    jobs = services.of_services(options, options.settings, loader.find())
    with pytest.raises(ConfigError) as caught:
        UnusedOptions(options, jobs).require_checks([""])
    assert str(caught.value) == f"no check is left to run, {says}"


def test_every_severity_is_off(unused: Make) -> None:
    """The service is named; targets of others are none of its business."""
    off = "".join(f'{name} = "off"\n' for name in loader.find().checks)
    file = f'[service.shop]\ntargets = ["a.example"]\n[service.shop.severity]\n{off}'
    given = unused({}, file=file)
    given.require_checks([""])
    with pytest.raises(ConfigError) as caught:
        given.require_checks(["shop"])
    assert str(caught.value).startswith("service shop: no check is left to run, see severity")


def test_a_run_without_targets_has_other_troubles(unused: Make) -> None:
    """An empty input says nothing of options."""
    assert seen(unused({"resolve": ["a.example:::1"]})) == []
