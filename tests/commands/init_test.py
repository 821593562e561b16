"""`ipv6check init`, and the schema by which editors check what it wrote."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from ipv6check.commands import init, schema
from ipv6check.config.options import OPTIONS, Options
from ipv6check.config.sources import load
from ipv6check.config.toml import ConfigError
from tests import installed
from tests.config.services_test import AGREED, MISTAKES, SERVICE, WHOLE

BIN = Path(sys.executable).parent
FORMATS = ("json", "jsonl", "junit", "table")


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The installed command in a directory."""
    return installed.run(*arguments, cwd=cwd)


def loaded(directory: Path) -> Options:
    """What the configuration in a directory says."""
    return load({}, {}, directory, FORMATS)


def editor(path: Path, tmp_path: Path) -> int:
    """What an editor's validator says of a file: 0 for nothing."""
    kept = tmp_path / "schema.json"
    kept.write_text(schema.text("config"), "utf-8")
    arguments = ["lint", "--no-auto-config", "--schema", kept.as_uri(), str(path)]
    told = subprocess.run([BIN / "taplo", *arguments], capture_output=True, timeout=60, check=False)
    return told.returncode


@pytest.mark.parametrize("targets", [[], ["shop.example", 'https://bücher.example/x?y="z']])
def test_what_is_written_can_be_read(targets: list[str], tmp_path: Path) -> None:
    """By us and by an editor; its targets are those that were named."""
    ended = command("init", *targets, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "ipv6check.toml is written" in ended.stdout
    assert [target.text for target in loaded(tmp_path).targets] == targets
    assert editor(tmp_path / "ipv6check.toml", tmp_path) == 0


def test_a_target_named_twice_is_written_once(tmp_path: Path) -> None:
    """However it is spelled: the file has to load. The next step names a file of another name."""
    ended = command("init", "a.example", "A.EXAMPLE.", "--config", "my file.toml", cwd=tmp_path)
    assert ended.stdout.endswith("ipv6check --config 'my file.toml'\n")
    options = load({"config": "my file.toml"}, {}, tmp_path, FORMATS)
    assert [target.text for target in options.targets] == ["a.example"]


def test_every_example_means_what_it_says(tmp_path: Path) -> None:
    """With the comment signs taken away before them all examples hold together."""
    path = tmp_path / "ipv6check.toml"
    path.write_text(re.sub("^#(?=[^ ])", "", init.text([]), flags=re.MULTILINE), "utf-8")
    options = loaded(tmp_path)
    (shop,) = options.services
    (waiver,) = options.waivers
    assert (len(shop.targets), shop.vantage, waiver.check) == (3, "ipv6", "tcp")
    assert editor(path, tmp_path) == 0


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A file that is there stays; what cannot be written is one line."""
    kept = tmp_path / "ipv6check.toml"
    kept.write_text("mine")
    ended = command("init", cwd=tmp_path)
    assert (ended.returncode, kept.read_text()) == (2, "mine")
    assert ended.stderr == "ipv6check: ipv6check.toml already exists; not overwritten\n"
    ended = command("init", "--config", "no/such/dir.toml", cwd=tmp_path)
    assert ended.returncode == 2
    assert (
        ended.stderr == "ipv6check: no/such/dir.toml cannot be written: No such file or directory\n"
    )
    ended = command("init", "a b", "--config", "new.toml", cwd=tmp_path)
    assert ended.returncode == 2
    assert '"a b" has white space' in ended.stderr
    assert not (tmp_path / "new.toml").exists()


@pytest.mark.slow
def test_no_argument_means_the_services(tmp_path: Path) -> None:
    """Without a file it is the help; with one that has no service the error says so."""
    assert "Commands:" in command(cwd=tmp_path).stderr
    command("init", cwd=tmp_path)
    ended = command(cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "no target: name one, use -i FILE, or list services in ipv6check.toml" in ended.stderr
    (tmp_path / "ipv6check.toml").unlink()
    command("init", "192.0.2.1.example", cwd=tmp_path)
    path = tmp_path / "ipv6check.toml"
    resolved = 'resolve = ["192.0.2.1.example:2001:db8::1"]\nno-controls = true\n'
    path.write_text(path.read_text().replace("[check]\n", f"[check]\n{resolved}"))
    ended = command(cwd=tmp_path)
    assert ended.returncode == 1
    assert "2001:db8::1 cannot be reached: documentation" in " ".join(ended.stdout.split())


@pytest.mark.slow(after=1)
@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            f'{SERVICE}severity = {{ ping = "off", prt = "off" }}',
            '3: [service.shop] severity: "prt" is not a check; did you mean "ptr"?',
        ),
        (
            f'{SERVICE}[service.shop.severity]\nping = "off"\nprt = "off"',
            '5: [service.shop] severity: "prt" is not a check; did you mean "ptr"?',
        ),
        (
            f'[check]\nskip = ["tpc"]\n{SERVICE}',
            '2: [check] skip: "tpc" is not a check; did you mean "tcp"?',
        ),
        (
            f"{SERVICE}{AGREED}".replace('"tcp"', '"tpc"'),
            '3: [[waiver]] check: "tpc" is not a check; did you mean "tcp"?',
        ),
    ],
)
def test_a_check_that_is_none_is_named_before_the_run(text: str, line: str, tmp_path: Path) -> None:
    """Private checks count too, so that it is told once they are loaded: still before a packet."""
    (tmp_path / "ipv6check.toml").write_text(text, "utf-8")
    ended = command(cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"ipv6check: ipv6check.toml:{line}\n"


def test_the_schema_for_editors_is_a_schema() -> None:
    """Draft 7, and it has every option that a file may set."""
    whole = json.loads(schema.text("config"))
    Draft7Validator.check_schema(whole)
    options = whole["properties"]["check"]["properties"]
    assert {*options} == {name for name, option in OPTIONS.items() if option.in_file}


# That two spellings name one host is for us to tell.
UNSEEN = "is listed twice"


@pytest.mark.parametrize(
    ("text", "good"),
    [
        *((text, False) for text, error in MISTAKES if UNSEEN not in error),
        (WHOLE, True),
        ("", True),
        ('[check]\nport = 443\nprofile = "mail"\nsave = "junit=x"\ntimeout = 2', True),
        ("[check]\ntimeout = '2'", False),
        ("[check]\ntimout = 2", False),
        ("[check]\nprofile = 'wbe'", False),
        ("[check]\nfail-on = 'unknown'", False),
        ("[check]\ntimeout = 0", False),
        ("[check]\ntimeout = 300.5", False),
        ("[check]\ntimeout = 300.0\ndeadline = 1e-3\nretries = 0\nparallel = 4096", True),
        ("[check]\nretries = 11", False),
        ("[check]\nparallel = 0", False),
        ("[check]\nconnection-attempt-delay = 9.5", False),
        ("[check]\nresolution-delay = 0", True),
        ("[check]\nport = [443, 0]", False),
        ("[check]\nport = 65536", False),
        ("[services]", False),
        (SERVICE + 'owner = ""', True),
        (AGREED, True),
        (AGREED.replace("2027-01-31", '"2027-01-31"'), True),
    ],
)
def test_an_editor_says_what_we_say(text: str, good: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """What one of them refuses the other does not take."""
    path = tmp_path / "ipv6check.toml"
    path.write_text(text, "utf-8")
    try:
        loaded(tmp_path)
    except ConfigError:
        ours = False
    else:
        ours = True
    assert ours == good
    assert (editor(path, tmp_path) == 0) == good


def test_a_file_can_name_its_schema(tmp_path: Path) -> None:
    """As the first comment of what init writes says, for editors that nobody has set up."""
    command("init", "shop.example", cwd=tmp_path)
    path = tmp_path / "ipv6check.toml"
    assert "#:schema ./ipv6check.schema.json" in path.read_text()
    (tmp_path / "ipv6check.schema.json").write_text(
        command("schema", "config", cwd=tmp_path).stdout
    )
    for more, refused in (("", False), ("timout = 2", True)):
        text = f"#:schema ./ipv6check.schema.json\n[check]\n{more}\n"
        path.write_text(text)
        told = subprocess.run(
            [BIN / "taplo", "lint", path.name],
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert (told.returncode != 0) == refused, told.stderr


def test_an_unknown_schema_is_one_line(tmp_path: Path) -> None:
    """It names those that there are."""
    ended = command("schema", "outputs", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("ipv6check: unknown schema 'outputs'; valid: output, config")
