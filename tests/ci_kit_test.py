"""The action and the examples of docs/ci.md: valid by their schemas, and their scripts run.

There is no GitHub, GitLab or Jenkins here. What they would run in a shell runs here, as it stands,
against a server on ::1; what they would do besides (checkout, upload, labels) does not.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.reports.formats.reports import COMMAND, served

ROOT = Path(__file__).parents[1]
DOCS = (ROOT / "docs/ci.md").read_text("utf-8")
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
BLOCK = re.compile(r"```(\w+)\n(?:(?:#|//) (\S+)\n)?(.*?)```", re.DOTALL)
EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")
IN_GROOVY = re.compile(r"sh '''\n(.*?)'''", re.DOTALL)
# How the runner calls bash for `shell: bash`.
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")


@dataclass(frozen=True)
class Shell:
    """A scratch directory in which the scripts find what the examples take for granted."""

    directory: Path
    environment: Mapping[str, str]

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script as a CI would."""
        return subprocess.run(
            [*BASH, "-c", script],
            cwd=self.directory,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """www.example.com is on ::1, its port 443 is the server's; installing is left out."""
    tools = tmp_path / "tools"
    for directory in (tools, tmp_path / ".venv/bin", tmp_path / "runner/ipv6check/bin"):
        directory.mkdir(parents=True)
    for venv in (tmp_path / ".venv/bin", tmp_path / "runner/ipv6check/bin"):
        (venv / "ipv6check").symlink_to(COMMAND)
        program(venv / "pip", 'test "$1 $2" = "install --quiet" && test -n "$3"')
    program(tools / "python3", 'test "$1 $2" = "-m venv"')
    program(tools / "gh", 'echo "$@" >>comments; test "$4" != --edit-last')
    with served() as port:
        yield Shell(
            tmp_path,
            {
                "PATH": f"{tools}:{os.environ['PATH']}",
                "HOME": str(tmp_path),
                "RUNNER_TEMP": str(tmp_path / "runner"),
                "GITHUB_ACTION_PATH": str(ROOT),
                "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
                "IPV6CHECK_RESOLVE": "www.example.com:::1",
                "IPV6CHECK_PORT": str(port),
                "IPV6CHECK_ONLY": "tcp",
                "IPV6CHECK_INTERNAL": "true",
                "NEW_IPV6": "::1",
                "NEW_IPV4": "127.0.0.1",
            },
        )


def program(path: Path, script: str) -> None:
    """A program that stands for another one."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def blocks(language: str) -> list[tuple[str, str]]:
    """The file and the text of each block of a language."""
    return [(file, text) for tagged, file, text in BLOCK.findall(DOCS) if tagged == language]


def configuration() -> str:
    """The ipv6check.toml of the page, for hosts of any kind: this one may have no IPv6 route."""
    ((_, text),) = blocks("toml")
    assert 'vantage = "ipv6"' in text
    return text.replace('vantage = "ipv6"', 'vantage = "any"')


def steps(workflow: str) -> list[dict[str, Any]]:
    """The steps of a workflow's only job."""
    ((_, job),) = yaml.safe_load(workflow)["jobs"].items()
    told = job["steps"]
    assert isinstance(told, list)
    return told


def act(shell: Shell, *only: str, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run the action's steps, or the named ones, as GitHub would; stop at the first that fails."""
    defaults = {name: given["default"] for name, given in ACTION["inputs"].items()}
    assert not set(inputs) - {name.replace("-", "_") for name in defaults}
    values = defaults | {name.replace("_", "-"): value for name, value in inputs.items()}
    for step in ACTION["runs"]["steps"]:
        if only and step["name"] not in only:
            continue
        variables = {
            name: EXPRESSION.sub(lambda found: values[found[1].removeprefix("inputs.")], text)
            for name, text in step["env"].items()
        }
        done = shell.run(step["run"], **variables)
        if done.returncode:
            break
    return done


def valid(schema: str, path: Path) -> None:
    """Hold a file against a schema that check-jsonschema brings."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_action_is_one() -> None:
    """GitHub's schema of actions takes it."""
    valid("vendor.github-actions", ROOT / "action.yml")


@pytest.mark.slow(after=1)
@pytest.mark.parametrize(("file", "text"), blocks("yaml"))
def test_the_examples_are_valid(file: str, text: str, tmp_path: Path) -> None:
    """So do the schemas of workflows and of GitLab's pipelines."""
    path = tmp_path / Path(file).name
    path.write_text(text)
    github = file.startswith(".github/")
    valid("vendor.github-workflows" if github else "vendor.gitlab-ci", path)


def test_no_input_becomes_a_script() -> None:
    """An expression in a script would let the text of a pull request run."""
    scripts = [step["run"] for step in ACTION["runs"]["steps"]]
    for file, text in blocks("yaml"):
        if file.startswith(".github/"):
            scripts += [step["run"] for step in steps(text) if "run" in step]
    assert len(scripts) == 3
    assert not any("${{" in script for script in scripts)


def test_what_the_examples_give_the_action() -> None:
    """Inputs that it has."""
    for file, text in blocks("yaml"):
        if file.startswith(".github/"):
            ours = [step for step in steps(text) if step.get("uses") == "./ipv6check"]
            assert ours
            assert all({*step["with"]} <= {*ACTION["inputs"]} for step in ours)


def test_the_action_annotates(shell: Shell) -> None:
    """A good target passes, a bad one fails the step; the summary tells of both runs."""
    assert act(shell, targets="www.example.com").returncode == 0
    done = act(shell, targets="www.example.com\n  [::1]:1 ", sarif_file="o.sarif")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("::error title=[%3A%3A1]%3A1%3A tcp::")
    assert (shell.directory / "o.sarif").is_file()
    assert (shell.directory / "summary.md").read_text("utf-8").count("###") == 2


@pytest.mark.slow
def test_the_action_on_services(shell: Shell) -> None:
    """Without targets it checks the services of the file, whose lines it names."""
    (shell.directory / ".git").mkdir()
    (shell.directory / "ours.toml").write_text('[service.shop]\ntargets = ["[::1]:1"]\n')
    done = act(shell, config="ours.toml")
    assert done.returncode == 1
    assert "file=ours.toml,line=2" in done.stdout


@pytest.mark.slow
def test_the_inputs_of_the_action(shell: Shell) -> None:
    """Each reaches the command: a wrong one is refused by its name."""
    assert "--fail-on" in act(shell, targets="a.example", fail_on="never").stderr
    assert "--on-unknown" in act(shell, targets="a.example", on_unknown="never").stderr
    assert "nowhere" in act(shell, targets="a.example", config="nowhere").stderr
    assert "nowhere" in act(shell, targets="a.example", baseline="nowhere").stderr
    assert "nowhere" in act(shell, targets="a.example", markdown_file="nowhere/x").stderr
    assert "--timeout" in act(shell, targets="a.example", args="--timeout never -q").stderr


@pytest.mark.slow(after=1)
@pytest.mark.parametrize(
    "text", ["$(touch owned)", "`touch owned`", "; touch owned", "' && touch owned", "--help"]
)
def test_an_input_is_no_command(shell: Shell, text: str) -> None:
    """Whatever a pull request writes into an input, it is a target, and a bad one."""
    done = act(shell, "Check", targets=text)
    assert done.returncode == 2
    assert not (shell.directory / "owned").exists()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_action_installs_itself(tmp_path: Path) -> None:
    """From its own checkout, which has nothing of this machine's."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("this is no checkout")
    for name in filter(lambda name: not name.startswith("tests/"), listed.stdout.splitlines()):
        (tmp_path / "action" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "action" / name)
    environment = {
        **os.environ,
        "RUNNER_TEMP": str(tmp_path / "runner"),
        "GITHUB_ACTION_PATH": str(tmp_path / "action"),
    }
    shell = Shell(tmp_path, environment)
    done = act(shell, "Install ipv6check", python=sys.executable)
    if "No matching distribution" in done.stderr or "connection" in done.stderr:
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
    assert "Checks:" in shell.run("runner/ipv6check/bin/ipv6check list").stdout


def scripts() -> Iterator[tuple[str, str]]:
    """What the examples run in a shell, beside the action."""
    for file, text in blocks("yaml"):
        if file.startswith(".github/"):
            yield from ((file, step["run"]) for step in steps(text) if "run" in step)
        else:
            ((_, job),) = yaml.safe_load(text).items()
            yield file, "\n".join(job["script"])
    yield from ((file, code) for file, text in blocks("groovy") for code in IN_GROOVY.findall(text))
    yield from (("docs/ci.md", text) for _, text in blocks("sh"))


@pytest.mark.slow(after=1)
@pytest.mark.parametrize(("file", "script"), [*scripts()])
def test_the_examples_run(shell: Shell, file: str, script: str) -> None:
    """As they stand, with exit code 0, in a repository with the file of the example."""
    (shell.directory / "ipv6check.toml").write_text(configuration())
    done = shell.run(script, URL="https://github.example/o/r/pull/1")
    assert done.returncode == 0, done.stdout + done.stderr
    for path in re.findall(r"--save \w+=(\S+)", script):
        assert (shell.directory / path).stat().st_size > 0


@pytest.mark.slow
def test_the_comment_is_edited_or_made(shell: Shell) -> None:
    """The second call makes the comment where there is none to edit."""
    (script,) = [code for _, code in scripts() if "gh pr" in code]
    assert shell.run(script, URL="u").returncode == 0
    assert (shell.directory / "comments").read_text().splitlines() == [
        "pr comment u --edit-last --body-file ipv6check.md",
        "pr comment u --body-file ipv6check.md",
    ]


@pytest.mark.slow
def test_the_waiver_of_the_example(shell: Shell) -> None:
    """It excuses the finding that it names."""
    (shell.directory / "ipv6check.toml").write_text(configuration())
    done = shell.run(f"{shlex.quote(COMMAND)} -f markdown", IPV6CHECK_PORT="1")
    assert done.returncode == 0, done.stderr
    assert "#### Excused (1)" in done.stdout
