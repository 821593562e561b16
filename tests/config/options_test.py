"""Options from defaults, file, environment and flags."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipv6check.config.options import OPTIONS, ROOT_SERVERS, Options
from ipv6check.config.profiles import PROFILES
from ipv6check.config.readers import Override
from ipv6check.config.sources import load
from ipv6check.config.toml import ConfigError
from ipv6check.model import Settings, Status

FORMATS = ("table", "json", "jsonl")
Flags = Mapping[str, object]
Load = Callable[..., Options]


@pytest.fixture(name="options")
def options_of(tmp_path: Path) -> Load:
    """Load from flags, environment, and the text of a file that is found or named."""

    def options(
        flags: Flags | None = None,
        env: Mapping[str, str] | None = None,
        *,
        found: str | bytes = "",
        named: str = "",
    ) -> Options:
        if found:
            text = found if isinstance(found, bytes) else found.encode()
            (tmp_path / "ipv6check.toml").write_bytes(text)
        if named:
            (tmp_path / "conf").mkdir()
            (tmp_path / "conf" / "my.toml").write_text(named, encoding="utf-8")
            flags = {"config": "conf/my.toml", **(flags or {})}
        return load(flags or {}, env or {}, tmp_path, FORMATS)

    return options


@pytest.fixture(name="refusal")
def refusal_of(options: Load) -> Callable[..., str]:
    """The one line that the options are refused with."""

    def refusal(*args: object, **kwargs: object) -> str:
        with pytest.raises(ConfigError) as caught:
            options(*args, **kwargs)
        assert str(caught.value).isprintable()
        return str(caught.value)

    return refusal


def test_defaults_are_those_of_the_model(options: Load) -> None:
    """With nothing said, a run is what Settings say by themselves, with three controls."""
    assert options() == Options()
    assert options().settings == Settings(PROFILES["web"], controls=ROOT_SERVERS)


def test_every_option_is_known_by_its_name() -> None:
    """The table of options and the data they end in are one."""
    named = [field.name for field in fields(Options) if "option" in field.metadata]
    assert [name.replace("-", "_") for name in OPTIONS] == named
    assert all(option.help.endswith(".") for option in OPTIONS.values())


WHOLE_FILE = """
[check]
port = [443, 8443]
profile = "mail"
only = ["aaaa"]
skip = "ping"
resolve = ["example.com:2001:db8::1", "Example.com.:192.0.2.1", "bücher.example:[::1]"]
nameserver = "[2001:db8::53]:5353"
timeout = 1
deadline = 2.5
run-deadline = 60
parallel = 7
internal = true
control = ["2001:DB8::1"]
no-controls = false
checks-dir = "checks"
format = "json"
save = ["json=out/run.json", "table=/tmp/t"]
fail-on = "warn"
on-unknown = "pass"
quiet = true
verbose = false
"""


def test_a_file_can_say_everything(options: Load, tmp_path: Path) -> None:
    """Every option has its key; relative paths start where the file is."""
    conf = tmp_path / "conf"
    assert options(named=WHOLE_FILE) == Options(
        port=(443, 8443),
        profile=PROFILES["mail"],
        only=frozenset({"aaaa"}),
        skip=frozenset({"ping"}),
        resolve={
            "example.com": Override(("2001:db8::1", "192.0.2.1")),
            "xn--bcher-kva.example": Override(("::1",)),
        },
        nameserver=("[2001:db8::53]:5353",),
        timeout=1.0,
        deadline=2.5,
        run_deadline=60.0,
        parallel=7,
        internal=True,
        control=("2001:db8::1",),
        no_controls=False,
        checks_dir=(conf / "checks",),
        config=conf / "my.toml",
        format="json",
        save=(("json", conf / "out/run.json"), ("table", Path("/tmp/t"))),
        fail_on="warn",
        on_unknown="pass",
        quiet=True,
        verbose=False,
    )


def test_the_environment_can_say_everything(options: Load, tmp_path: Path) -> None:
    """Commas part the values of a repeatable option, an empty variable is none."""
    env = {
        "IPV6CHECK_PORT": "443, 80,443",
        "IPV6CHECK_PROFILE": "dns",
        "IPV6CHECK_ONLY": "aaaa,tcp",
        "IPV6CHECK_RESOLVE": "h:::1,h:192.0.2.1",
        "IPV6CHECK_TIMEOUT": ".5",
        "IPV6CHECK_RUN_DEADLINE": "1e2",
        "IPV6CHECK_PARALLEL": "",
        "IPV6CHECK_INTERNAL": "Yes",
        "IPV6CHECK_QUIET": "off",
        "IPV6CHECK_CHECKS_DIR": "a,/b",
        "IPV6CHECK_SAVE": "json=x",
        "PATH": "/bin",
    }
    assert options({}, env) == Options(
        port=(443, 80),
        profile=PROFILES["dns"],
        only=frozenset({"aaaa", "tcp"}),
        resolve={"h": Override(("::1", "192.0.2.1"))},
        timeout=0.5,
        run_deadline=100.0,
        internal=True,
        checks_dir=(tmp_path / "a", Path("/b")),
        save=(("json", tmp_path / "x"),),
    )


def test_flags_are_read_as_the_command_line_gives_them(options: Load, tmp_path: Path) -> None:
    """Texts or values, one or many, None and nothing at all; both spellings of a name."""
    flags = {
        "port": ["443", 80],
        "skip": (),
        "only": None,
        "timeout": 2.0,
        "run-deadline": "9",
        "no_controls": True,
        "checks_dir": [Path("x")],
    }
    read = options(flags)
    assert read == Options(
        port=(443, 80),
        timeout=2.0,
        run_deadline=9.0,
        no_controls=True,
        checks_dir=(tmp_path / "x",),
    )
    assert (read.controls, read.settings.controls) == ((), ())


def test_flags_win_over_environment_over_file_over_defaults(options: Load) -> None:
    """Each option comes from the highest place that names it; lists are not joined."""
    read = options(
        {"port": ["1"]},
        {"IPV6CHECK_PORT": "2", "IPV6CHECK_TIMEOUT": "2", "IPV6CHECK_INTERNAL": "0"},
        found="[check]\nport = 3\ntimeout = 3\ndeadline = 3\ninternal = true",
    )
    found = (read.port, read.timeout, read.deadline, read.internal, read.parallel)
    assert found == ((1,), 2.0, 3.0, False, 128)


def test_naming_a_control_takes_back_no_controls_from_below(options: Load) -> None:
    """Flags win over the file also where two options speak of one thing."""
    found = "[check]\nno-controls = true"
    assert options(found=found).controls == ()
    assert options({"control": ["::1"]}, found=found).controls == ("::1",)
    assert options({"no-controls": True}, {"IPV6CHECK_CONTROL": "::1"}).controls == ()


def test_a_named_file_stands_for_the_found_one(options: Load) -> None:
    """With --config, ipv6check.toml of the current directory is not looked at."""
    assert options(found="nonsense", named="[check]\ntimeout = 1").timeout == 1.0


def test_the_environment_can_name_the_file(options: Load, tmp_path: Path) -> None:
    """A file that was named may load code, however it was named."""
    (tmp_path / "a.toml").write_text("[check]\nchecks-dir = 'c'")
    assert options({}, {"IPV6CHECK_CONFIG": "a.toml"}).checks_dir == (tmp_path / "c",)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[check]\n# a\n\ntimeot = 3", '4: [check] timeot is not a key; did you mean "timeout"?'),
        ("[check]\nports = 3", '2: [check] ports is not a key; did you mean "port"?'),
        (
            "[check]\nchecks_dir = 3",
            '2: [check] checks_dir is not a key; did you mean "checks-dir"?',
        ),
        ("[check]\nconfig = 'x'", '2: [check] config is not a key; see "ipv6check check --help"'),
        # Of a key written with escapes, the line is that of its table.
        ('[check]\n"time\\u001bot" = 3', r"1: [check] time\x1bot is not a key; did you"),
        ("check.timeot = 3", "1: [check] timeot is not a key"),
        ("\ncheck = { timeot = 3 }", "2: [check] timeot is not a key"),
        ("[check]\ntimeout = 1\nchecks-dirs = []", "3: [check] checks-dirs is not a key"),
        ("[check]\n[check.timeot]", "2: [check] timeot is not a key"),
        ("\n[chek]\ntimeout = 3", "2: [chek] is not a table of ipv6check; did you mean [check]?"),
        ("[services]", "1: [services] is not a table of ipv6check; did you mean [service]?"),
        ("timeout = 3", "1: timeout belongs in [check]"),
        ("timeot = 3", '1: timeot is not a key; did you mean "timeout"?'),
        ("check = 3", "1: check is not a table: write [check]"),
        ("[[check]]", "1: check is not a table: write [check]"),
        ("[check]\ntimeout = '3'", '2: [check] timeout: expected number, found string "3"'),
        ("[check]\ntimeout = true", '2: [check] timeout: expected number, found boolean "true"'),
        ("[check]\ntimeout = [3]", "2: [check] timeout: expected number, found list"),
        ("[check.timeout]\na = 3", "1: [check] timeout: expected number, found table"),
        ("[check]\nparallel = 1.0", '2: [check] parallel: expected integer, found number "1.0"'),
        ("[check]\nonly = 1979-05-27", "2: [check] only: expected string, found date or time"),
        ("[check]\nport = [1,\n'2']", '2: [check] port: expected integer, found string "2"'),
        ("[check]\ninternal = 1", '2: [check] internal: expected boolean, found integer "1"'),
        ("[check]\ntimeout = nan", '2: [check] timeout: "nan" is not a number of seconds above'),
        ("[check]\ntimeout = -3", '2: [check] timeout: "-3" is not a number of seconds above'),
        ("[check]\nport = 0x" + "f" * 200, '2: [check] port: "0xfff'),
        ("[check]\nprofile = 'wbe'", '2: [check] profile: "wbe" is not a profile: web, mail, dns'),
        ("[check]\ntimeout", "2: Expected '=' after a key in a key/value pair"),
        ("[check]\n!", "2: Invalid statement at column 1"),
        ("[check]\ntimeout = 1\ntimeout = 2", "3: Cannot overwrite a value"),
        ("[check]\na = " + "9" * 5000, "2: a key or a number is longer than 256 characters"),
        ("[check]\na" + ".a" * 5000 + " = 1", "2: a key has more than 16 parts"),
        ("a = " + "[" * 50_000, "1: lists and tables are nested more than 16 deep"),
        ("[check]\n\na = '\x00'", "3: Found invalid character"),
    ],
)
def test_a_mistake_in_the_file_is_named_by_its_line(
    refusal: Callable[..., str], text: str, line: str
) -> None:
    """File, line, key, value, and what was probably meant."""
    assert refusal(found=text).startswith(f"ipv6check.toml:{line}")


def test_a_byte_order_mark_is_no_mistake(options: Load) -> None:
    """Some editors write one."""
    assert options(found=b"\xef\xbb\xbf[check]\r\ntimeout = 1\r\n").timeout == 1.0


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (b"[check]\n\xff", "ipv6check.toml: cannot be read: line 2 is not UTF-8"),
        (b" " * 1_100_000, "ipv6check.toml: cannot be read: more than 1048576 bytes"),
    ],
)
def test_a_file_that_is_no_text_is_refused(
    refusal: Callable[..., str], found: bytes, line: str
) -> None:
    """What cannot be read as TOML text is refused before it is read as TOML."""
    assert refusal(found=found) == line


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ("none.toml", "none.toml: cannot be read: No such file or directory"),
        (".", ".: cannot be read: Is a directory"),
        ("/dev/zero", "/dev/zero: cannot be read: more than 1048576 bytes"),
        ("", '--config: "" is not a path'),
        ("a\0", r'--config: "a\x00" is not a path'),
    ],
)
def test_a_named_file_must_be_readable(refusal: Callable[..., str], config: str, line: str) -> None:
    """A typing error in its name does not mean the defaults."""
    assert refusal({"config": config}) == line


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_found(
    options: Load, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """A FIFO of that name would keep the run waiting for ever."""
    make(tmp_path / "ipv6check.toml")
    assert options() == Options()


def test_a_found_file_loads_no_code(refusal: Callable[..., str]) -> None:
    """Whoever runs the command in a directory does not thereby trust it."""
    assert refusal(found="[check]\nchecks-dir = ['x']") == (
        'ipv6check.toml:2: [check] checks-dir: "x" is code to run, but '
        "ipv6check.toml was only found in this directory: confirm it with --config ipv6check.toml"
    )


@pytest.mark.parametrize("path", ["/etc/x", "../x", "link/x"])
def test_a_found_file_writes_nothing_outside(
    refusal: Callable[..., str], tmp_path: Path, path: str
) -> None:
    """Nor may it choose which of the user's files is overwritten."""
    (tmp_path / "link").symlink_to("/etc")
    assert refusal(found=f"[check]\nsave = 'json={path}'").startswith(
        f'ipv6check.toml:2: [check] save: "json={path}" is outside'
    )


def test_a_found_file_writes_inside(options: Load, tmp_path: Path) -> None:
    """A report among the project's own files is what such a file is for."""
    found = "[check]\nsave = 'json=out/x.json'"
    assert options(found=found).save == (("json", tmp_path / "out/x.json"),)


@pytest.mark.parametrize(
    ("variable", "text", "line"),
    [
        ("TIMEOUT", "-3", 'IPV6CHECK_TIMEOUT: "-3" is not a number of seconds above 0 and up to'),
        ("TIMEOT", "3", "IPV6CHECK_TIMEOT is not a variable of ipv6check; did you mean "),
        ("XYZZY", "3", 'IPV6CHECK_XYZZY is not a variable of ipv6check; see "ipv6check check'),
        ("PORT", "443,x", 'IPV6CHECK_PORT: "x" is not a port: a port is 1 to 65535'),
        ("INTERNAL", "maybe", 'IPV6CHECK_INTERNAL: "maybe" is neither true nor false'),
        ("FORMAT", "\udcff\x1b", r'IPV6CHECK_FORMAT: "\udcff\x1b" is not one of table, json'),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    refusal: Callable[..., str], variable: str, text: str, line: str
) -> None:
    """A variable that nobody reads is a typing error."""
    assert refusal({}, {f"IPV6CHECK_{variable}": text}).startswith(line)


@pytest.mark.parametrize(
    ("flag", "value", "line"),
    [
        ("timeout", "-3", '--timeout: "-3" is not a number of seconds above 0 and up to 300'),
        ("timeout", "0", '--timeout: "0" is not'),
        ("timeout", "300.1", '--timeout: "300.1" is not'),
        ("timeout", "inf", '--timeout: "inf" is not'),
        ("timeout", "1_0", '--timeout: "1_0" is not'),
        ("timeout", "1e999", '--timeout: "1e999" is not'),
        ("timeout", "1e-999", '--timeout: "1e-999" is not'),
        ("timeout", "٣", '--timeout: "٣" is not'),
        ("run_deadline", "x", '--run-deadline: "x" is not a number of seconds'),
        ("parallel", 0, '--parallel: "0" is not a whole number from 1 to 4096'),
        ("parallel", 4097, '--parallel: "4097" is not'),
        ("port", ["443", "0"], '--port: "0" is not a port'),
        ("profile", "x", '--profile: "x" is not a profile: web, mail, dns, strict'),
        ("only", ["a b"], '--only: "a b" is not the name of a check'),
        ("skip", ["../x"], '--skip: "../x" is not the name of a check'),
        ("resolve", ["h"], '--resolve: "h" is not HOST:ADDR'),
        ("resolve", ["h:"], '--resolve: "h:" is not HOST:ADDR'),
        ("resolve", ["::1"], '--resolve: "::1" is not HOST:ADDR'),
        ("resolve", ["h:x"], '--resolve: "x" is not an IP address'),
        ("resolve", ["h:443:abc"], '--resolve: "abc" is not an IP address'),
        ("resolve", ["h:0:::1"], '--resolve: "0" is not a port'),
        ("resolve", ["h:::1,x"], '--resolve: "x" is not an IP address'),
        ("resolve", ["h:::1,"], '--resolve: "" is not an IP address'),
        ("resolve", ["*:443:::1"], '--resolve: "*:443:::1" is for every host: name each'),
        ("resolve", ["-h:443"], '--resolve: "-h:443" removes an entry'),
        (
            "resolve",
            ["h:443:::1", "h:80:::2"],
            "--resolve: h has different addresses on different ports",
        ),
        ("resolve", ["a!:::1"], '--resolve: "a!" is not a host name'),
        ("nameserver", ["dns.example"], '--nameserver: "dns.example" is not an IP address'),
        ("nameserver", ["[::1]:0"], '--nameserver: "0" is not a port'),
        ("control", ["dns.example"], '--control: "dns.example" is not an IP address'),
        ("control", ["[2001:db8::1]:0"], '--control: "0" is not a port'),
        ("control", ["::ffff:1.2.3.4"], '--control: "::ffff:1.2.3.4" is an IPv4-mapped address'),
        ("checks_dir", [""], '--checks-dir: "" is not a path'),
        ("format", "xml", '--format: "xml" is not one of table, json, jsonl'),
        ("save", ["json"], '--save: "json" is not FORMAT=PATH'),
        ("save", ["json="], '--save: "json=" is not FORMAT=PATH'),
        ("save", ["json=-"], '--save: "json=-" is not FORMAT=PATH'),
        ("save", ["xml=x"], '--save: "xml=x" names a format that is not one of table, json'),
        ("fail_on", "unknown", '--fail-on: "unknown" is not one of fail, warn'),
        ("on_unknown", "warn", '--on-unknown: "warn" is not one of fail, pass'),
        ("internal", "x", '--internal: "x" is neither true nor false'),
    ],
)
def test_a_mistake_in_a_flag_names_the_flag(
    refusal: Callable[..., str], flag: str, value: object, line: str
) -> None:
    """The line begins with what has to be changed."""
    assert refusal({flag: value}).startswith(line)


def test_controls_and_none_of_them_exclude_each_other(refusal: Callable[..., str]) -> None:
    """In one place, where neither wins."""
    assert refusal({"control": ["::1"], "no_controls": True}) == (
        "command line: control and no-controls cannot be combined"
    )


@pytest.mark.parametrize(
    ("texts", "read"),
    [
        (["2001:DB8::1", "192.0.2.1"], ("2001:db8::1", "192.0.2.1")),
        (["[2001:db8::1]"], ("2001:db8::1",)),
        (["[2001:db8::1]:25"], ("[2001:db8::1]:25", *ROOT_SERVERS)),
        (["192.0.2.1:25", "192.0.2.1:25"], ("192.0.2.1:25", *ROOT_SERVERS)),
        (["192.0.2.1:25", "192.0.2.1"], ("192.0.2.1:25", "192.0.2.1")),
    ],
)
def test_controls(options: Load, texts: list[str], read: tuple[str, ...]) -> None:
    """They are of either family; one of a port tells of that port, so the usual ones remain."""
    assert options({"control": texts}, {}).settings.controls == read


@pytest.mark.parametrize(
    ("texts", "read"),
    [
        (["h:2001:DB8::1"], {"h": ("2001:db8::1",)}),
        (["h:[::1]", "H.:::1", "h:192.0.2.1"], {"h": ("::1", "192.0.2.1")}),
        (["h:64:ff9b::1"], {"h": ("64:ff9b::1",)}),
        (["h:::ffff:192.0.2.1"], {"h": ("::ffff:192.0.2.1",)}),
        (["h:::1,192.0.2.1", "h:[::2],[::3]"], {"h": ("::1", "192.0.2.1", "::2", "::3")}),
        (["h:443:2001:db8::1"], {"h": ("2001:db8::1",)}),
        (["+h:443:[2001:db8::1],192.0.2.1"], {"h": ("2001:db8::1", "192.0.2.1")}),
        (["h:443:::1", "h:80:::1"], {"h": ("::1",)}),
        (["h:443:192.0.2.1"], {"h": ("192.0.2.1",)}),
    ],
)
def test_resolve_takes_bare_and_bracketed_addresses(
    options: Load, texts: list[str], read: Mapping[str, tuple[str, ...]]
) -> None:
    """The same host may be named again for another address."""
    assert options({"resolve": texts}).settings.resolve == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2001:DB8::53", "2001:db8::53"),
        ("[2001:db8::53]", "2001:db8::53"),
        ("[2001:db8::53]:53", "2001:db8::53"),
        ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
        ("192.0.2.53:5353", "192.0.2.53:5353"),
    ],
)
def test_name_servers_are_canonical(options: Load, text: str, read: str) -> None:
    """The port is kept where it is not that of the DNS."""
    assert options({"nameserver": [text]}).settings.nameservers == (read,)


def test_profiles_grade_as_they_say() -> None:
    """Strict lets no warning stand; a mail exchanger needs its reverse name."""
    grades = {name: profile.grade("ptr", Status.WARN) for name, profile in PROFILES.items()}
    assert grades == {
        "web": Status.WARN,
        "mail": Status.FAIL,
        "dns": Status.WARN,
        "strict": Status.FAIL,
        "host": Status.WARN,
    }
    assert PROFILES["strict"].grade("aaaa", Status.WARN) is Status.FAIL
    assert PROFILES["mail"].grade("aaaa", Status.WARN) is Status.WARN
    ports = {name: profile.ports for name, profile in PROFILES.items()}
    web = (443, 80)
    assert ports == {"web": web, "mail": (25,), "dns": (53,), "strict": web, "host": ()}
    assert not PROFILES["strict"].optional


def test_profiles_choose_their_checks() -> None:
    """A host as a whole is looked at where it was asked for, and by nothing else; others grow."""
    wanted = {
        name: [check for check in ("host", "listeners", "tcp", "private") if profile.runs(check)]
        for name, profile in PROFILES.items()
    }
    services = ["listeners", "tcp", "private"]
    assert wanted == {**dict.fromkeys(PROFILES, services), "host": ["host", "listeners"]}


@pytest.mark.slow
@given(st.sampled_from(sorted(OPTIONS)), st.text())
def test_any_text_is_read_or_refused_in_one_line(name: str, text: str) -> None:
    """No text for any option does anything else."""
    try:
        load({name: text}, {}, Path("/nowhere"), FORMATS)
    except ConfigError as error:
        message = str(error)
    else:
        message = ""
    assert message.isprintable()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("[check]timeou = \"'\n.#{},1\x00é"), max_size=60))
def test_any_file_is_read_or_refused_in_one_line(tmp_path: Path, text: str) -> None:
    """No text of a file does anything else."""
    (tmp_path / "ipv6check.toml").write_text(text, encoding="utf-8")
    try:
        load({}, {}, tmp_path, FORMATS)
    except ConfigError as error:
        message = str(error)
    else:
        message = ""
    assert message.isprintable()


@pytest.mark.timing
def test_importing_the_options_is_cheap() -> None:
    """`--help` and completion need neither the network's libraries nor the terminal's."""
    code = (
        "import sys, ipv6check.config.sources\n"
        "print({'rich', 'dns', 'asyncio', 'typer', 'idna', 'tomllib', 'difflib', 'socket'}"
        " & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_how_the_race_is_run(tmp_path: Path) -> None:
    """From every source; a directory of clients is data, and may stand in a file that was found."""
    (tmp_path / "ipv6check.toml").write_text(
        '[check]\nclients-dir = "mine"\nconnection-attempt-delay = 100\n', "utf-8"
    )
    told = load(
        {"happy-eyeballs": "rfc6555"},
        {"IPV6CHECK_RESOLUTION_DELAY": "20"},
        tmp_path,
        ("table",),
    ).settings
    assert told.happy_eyeballs == "rfc6555"
    assert (told.connection_attempt_delay_ms, told.resolution_delay_ms) == (100.0, 20.0)
    assert told.clients_dirs == (tmp_path / "mine",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("happy-eyeballs", "v9"),
        ("connection-attempt-delay", "9.9"),
        ("connection-attempt-delay", "2001"),
        ("resolution-delay", "nan"),
    ],
)
def test_a_race_that_is_not_to_be_run(tmp_path: Path, name: str, text: str) -> None:
    """RFC 8305 section 5 has bounds, and what nobody knows is not offered."""
    with pytest.raises(ConfigError, match=f"--{name}"):
        load({name: text}, {}, tmp_path, ("table",))


def flags_of(argv: list[str]) -> dict[str, object]:
    """What the command line hands over for these arguments."""
    flags: dict[str, list[str]] = {}
    for argument in argv:
        name, equals, text = argument.removeprefix("--").partition("=")
        flags.setdefault(name, []).append(text if equals else "true")
    return {name: texts if OPTIONS[name].join else texts[-1] for name, texts in flags.items()}


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"port": ["443", "80"], "timeout": "1e-3", "retries": "2", "quiet": True},
        {"only": ["tcp", "aaaa"], "profile": "mail", "control": ["[2001:db8::1]:25"]},
        {"resolve": ["h:443:[::1],192.0.2.1", "h:80:::1,192.0.2.1", "i:::2"], "internal": True},
        {"save": ["json=a=b,c", "table=/tmp/t"], "clients_dir": ["x", "/y"], "format": "jsonl"},
        {"config": "conf/my.toml", "no_controls": True, "fail_on": "warn", "deadline": "2.5"},
        {"replay": "-", "on_unknown": "pass", "baseline": "old.json"},
        {"happy_eyeballs": "v3", "connection_attempt_delay": "100", "resolution_delay": "0"},
    ],
)
def test_options_can_be_given_to_another_process(
    options: Load, tmp_path: Path, flags: Flags
) -> None:
    """The arguments that are made of them are read as the same options."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "my.toml").write_text("[service.a]\ntargets = ['a.example']\n")
    read = options(flags, {"IPV6CHECK_SKIP": "ping,ptr"}, found="[check]\nparallel = 7")
    again = options(flags_of(read.to_argv()))
    assert again == read
    assert again.to_argv() == read.to_argv()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[check]\ntimeout = 0\n[service.a]\n", "2: [check] timeout"),
        ("[service.a]\n[check]\ntimeout = 0\n", "1: [service.a]"),
        ("[check]\ntimeout = 0\nnonsense = 1\n", "2: [check] timeout"),
        ("[chek]\n[check]\ntimeout = 0\n", "1: [chek]"),
    ],
)
def test_the_first_mistake_of_a_file_is_the_one_reported(
    refusal: Callable[..., str], text: str, line: str
) -> None:
    """Whoever goes through a file from its top meets its mistakes in that order."""
    assert refusal(found=text).startswith(f"ipv6check.toml:{line}")


def test_options_know_where_each_was_set(options: Load) -> None:
    """As errors show it: the flag, the variable, or the line of the file."""
    read = options({"port": ["1"]}, {"IPV6CHECK_TIMEOUT": "2"}, found="[check]\nretries = 3")
    assert read.places == {
        "port": "--port",
        "timeout": "IPV6CHECK_TIMEOUT",
        "retries": "ipv6check.toml:2: [check] retries",
    }
    assert read.given == {"port", "timeout", "retries"}
