"""Services and waivers of ipv6check.toml, and what is wrong with them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from ipv6check.config.options import Options
from ipv6check.config.profiles import PROFILES
from ipv6check.config.sources import load
from ipv6check.config.toml import ConfigError
from ipv6check.model import Place, Status, Waiver

WHOLE = """\
[check]
timeout = 2

[service.shop]
targets = [
  "shop.example",  # the front
  "https://api.shop.example/health",
]
ports = [443]
profile = "strict"
owner = "team-shop"
severity = { ptr = "off", fallback = "fail", ping = "warn" }
vantage = "ipv6"

[service."mail.in"]
targets = ['mx.example']

[[waiver]]
check = "tcp"
target = "*.legacy.example"
reason = "moves in January"
owner = "ops"
expires = 2027-01-31

[[waiver]]
check = "ptr"
target = "mx.example"
subject = "2001:db8::1"
reason = "the provider's zone"
owner = "ops"
expires = "2027-02-28"
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Options]:
    """What a configuration says that is found in the current directory."""

    def options(text: str) -> Options:
        (tmp_path / "ipv6check.toml").write_text(text, "utf-8")
        return load({}, {}, tmp_path, ("table", "json"))

    return options


def test_a_service_is_what_stands_in_its_table(read: Callable[[str], Options]) -> None:
    """Targets know their line and their service; what is not said is the run's."""
    shop, mail = read(WHOLE).services
    assert (shop.name, shop.owner, shop.vantage) == ("shop", "team-shop", "ipv6")
    assert [(target.host, target.ports, target.service) for target in shop.targets] == [
        ("shop.example", (), "shop"),
        ("api.shop.example", (443,), "shop"),
    ]
    assert [target.place for target in shop.targets] == [
        Place("ipv6check.toml", 6),
        Place("ipv6check.toml", 7),
    ]
    assert (shop.ports, shop.profile, shop.place) == (
        (443,),
        PROFILES["strict"],
        Place("ipv6check.toml", 4),
    )
    assert (mail.name, mail.ports, mail.profile, mail.vantage) == ("mail.in", (), None, "any")
    assert mail.targets[0].place == Place("ipv6check.toml", 16)


def test_waivers_keep_their_place(read: Callable[[str], Options]) -> None:
    """A day is TOML's own or a string; both hold through it."""
    first, second = read(WHOLE).waivers
    assert first == Waiver(
        "tcp",
        "*.legacy.example",
        "moves in January",
        "ops",
        dt.date(2027, 1, 31),
        place=Place("ipv6check.toml", 18),
    )
    assert (second.subject, second.expires) == ("2001:db8::1", dt.date(2027, 2, 28))
    assert second.place == Place("ipv6check.toml", 25)


def test_severities_make_a_profile(read: Callable[[str], Options]) -> None:
    """fail: what warns fails; warn: what fails warns; off: it does not run."""
    (shop, _) = read(WHOLE).services
    profile = shop.judged_by(PROFILES["web"])
    assert not profile.runs("ptr")
    assert profile.runs("tcp")
    assert profile.grade("fallback", Status.WARN) is Status.FAIL
    assert profile.grade("ping", Status.FAIL) is Status.WARN
    assert profile.grade("ping", Status.UNKNOWN) is Status.UNKNOWN
    assert profile.grade("aaaa", Status.WARN) is Status.FAIL  # strict
    assert PROFILES["strict"].runs("ptr")


def test_a_named_target_is_that_of_its_service(read: Callable[[str], Options]) -> None:
    """However it is written; what no service names is itself."""
    options = read(WHOLE)
    from ipv6check.config.target import parse  # noqa: PLC0415

    (known,) = options.named(parse("SHOP.example"))
    assert (known.service, known.place) == ("shop", Place("ipv6check.toml", 6))
    (stranger,) = options.named(parse("shop.example:8443"))
    assert (stranger.service, stranger.place) == ("", None)


def test_places_are_those_of_the_elements(read: Callable[[str], Options]) -> None:
    """However lists and tables are written, and whatever comments and strings look like."""
    waiver = 'check = "tcp", target = "*", reason = "r", owner = "o", expires = 2027-01-31'
    options = read(
        'service.a = { targets = ["a.example"], owner = """[service.b] \\\n x""" }\n'
        'service.b.targets = [ # "b.example",\n  "a.example", \'[::1]\',\n\n  "b.example" ]\n'
        f"waiver = [\n  {{ {waiver} }},\n  {{ {waiver} }},\n]\n"
    )
    assert [target.place.line for target in options.targets if target.place] == [1, 4, 4, 6]
    assert [waiver.place.line for waiver in options.waivers if waiver.place] == [8, 9]


SERVICE = '[service.shop]\ntargets = ["shop.example"]\n'
AGREED = (
    '[[waiver]]\ncheck = "tcp"\ntarget = "*"\nreason = "r"\nowner = "o"\nexpires = 2027-01-31\n'
)


MISTAKES = [
    ("service = 3", "1: service is not a table: write [service.NAME]"),
    ("[service]\nshop = 3", "2: [service.shop]: expected table, found integer"),
    ('[service."a b"]\ntargets = ["x"]', '1: "a b" is not a valid service name'),
    ("[service.shop]", "1: [service.shop] targets: is empty: a service needs"),
    ("[service.shop]\ntargets = []", "2: [service.shop] targets: is empty: a service needs"),
    ('[service.shop]\ntargets = "x"', "2: [service.shop] targets: expected list, found string"),
    ("[service.shop]\ntargets = [1]", "2: [service.shop] targets: expected string, found"),
    (
        '[service.shop]\ntargets = [\n  "a.example",\n  "b c",\n]',
        '4: [service.shop] targets: "b c" has white space',
    ),
    (
        '[service.shop]\ntargets = [\n  # "b c" was here\n  "\\u0061.example",\n  "b c",\n]',
        '5: [service.shop] targets: "b c" has white space',
    ),
    (
        '[service.shop]\ntargets = [\n  "a.example",\n  "A.example."\n]',
        '4: [service.shop] targets: "A.example." is listed twice',
    ),
    (SERVICE + "port = [443]", '3: [service.shop] port is not a key; did you mean "ports"?'),
    (SERVICE + "ports = [70000]", '3: [service.shop] ports: "70000" is not a port'),
    (SERVICE + "ports = [\n443,\n70000]", '5: [service.shop] ports: "70000" is not a port'),
    (SERVICE + "ports = [0x" + "f" * 200 + "]", '3: [service.shop] ports: "0xfff'),
    (SERVICE + "ports = [true]", "3: [service.shop] ports: expected integer, found boolean"),
    (
        SERVICE + 'profile = "wbe"',
        '3: [service.shop] profile: "wbe" is not a value of profile; did you mean "web"?',
    ),
    (
        SERVICE + 'vantage = "v6"',
        '3: [service.shop] vantage: "v6" is not a value of vantage; did you mean "ipv6"?',
    ),
    (SERVICE + "owner = 3", '3: [service.shop] owner: expected string, found integer "3"'),
    (SERVICE + 'owner = "a\\u001b"', "3: [service.shop] owner: "),
    (SERVICE + 'severity = { tcp = "no" }', '3: [service.shop] severity: tcp is "no", not one'),
    (
        SERVICE + "severity = { tcp = 3 }",
        "3: [service.shop] severity: tcp: expected string",
    ),
    (SERVICE + "[service.shop.severity]\ntcp = 3", "4: [service.shop] severity: tcp: expected"),
    ("waiver = 3", "1: waiver is not a list of tables: write [[waiver]]"),
    ('[waiver]\ncheck = "tcp"', "1: waiver is not a list of tables: write [[waiver]]"),
    (AGREED.replace('check = "tcp"\n', ""), "1: [[waiver]] has no check"),
    (AGREED.replace("expires = 2027-01-31\n", ""), "1: [[waiver]] has no expires"),
    (AGREED.replace('"r"', '" "'), "4: [[waiver]] reason: is empty"),
    (AGREED.replace('"*"', '""'), "3: [[waiver]] target: is empty"),
    (AGREED.replace("2027-01-31", '"soon"'), '6: [[waiver]] expires: "soon" is not a date'),
    (AGREED.replace("2027-01-31", '"2027-1-31"'), '6: [[waiver]] expires: "2027-1-31" is not'),
    (AGREED.replace("2027-01-31", '"2027-W04-7"'), '6: [[waiver]] expires: "2027-W04-7" is'),
    (AGREED.replace("2027-01-31", '"2027-02-30"'), '6: [[waiver]] expires: "2027-02-30" is'),
    (AGREED.replace("2027-01-31", "2027-01-31T10:00:00Z"), "6: [[waiver]] expires: a date or"),
    (AGREED.replace("2027-01-31", "2027-02-30"), "6: "),
    (AGREED + 'until = "x"', "7: [[waiver]] until is not a key; valid: check, target"),
    (AGREED + AGREED.replace("reason", "reasn"), "10: [[waiver]] reasn is not a key; did you"),
    ("[waivers]\n", "1: [waivers] is not a table of ipv6check; did you mean [waiver]?"),
]


@pytest.mark.parametrize(("text", "error"), MISTAKES)
def test_a_mistake_is_named_by_its_line(
    read: Callable[[str], Options], text: str, error: str
) -> None:
    """One line: file, line, table, key, value, and what was probably meant."""
    with pytest.raises(ConfigError) as caught:
        read(text)
    said = str(caught.value)
    assert len(said) < 250
    assert said.startswith(f"ipv6check.toml:{error}"), said
    assert said.isprintable()
