"""A page beside a check: what is read of it, when, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ipv6check.engine.checks import loader, pages
from ipv6check.engine.checks.api import PluginError
from ipv6check.engine.checks.texts import url
from ipv6check.model import Status

CHECK = """from ipv6check import check, ok

@check(cause="dns")
def mine():
    'It is so.'
    return ok("x", id="fine")
"""
PAGE = """# mine

It is so.

Why it is.

https://www.rfc-editor.org/rfc/rfc1

## shut

Status: fail or warn

Root cause: [tcp](tcp.md), [aaaa](aaaa.md)

It is `shut`.

Nobody gets in.

Fix: Open it.

**nginx**

```nginx
one;
  two;
```

## fine

Status: pass

It is well.
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a check and its page."""
    (tmp_path / "mine.py").write_text(CHECK)
    (tmp_path / "mine.md").write_text(PAGE)
    return tmp_path


def test_a_check_has_what_its_page_says(directory: Path) -> None:
    """Ids, statuses, root causes, texts and lines, in the page's order."""
    (mine,) = loader.load([directory], only=["mine"]).checks
    shut, fine = mine.findings
    assert (shut.id, shut.statuses) == ("shut", (Status.FAIL, Status.WARN))
    assert mine.roots == {"shut": ("tcp", "aaaa")}
    assert (shut.what, shut.mend) == ("It is shut.\n\nNobody gets in.", "Open it.")
    assert shut.examples == {"nginx": "one;\n  two;"}
    assert (fine.id, fine.what, fine.mend, fine.examples) == ("fine", "It is well.", "", {})
    assert mine.text.startswith("It is so.\n\nWhy it is.")
    assert url(mine) == "https://www.rfc-editor.org/rfc/rfc1"


def test_a_page_without_findings_is_not_read(directory: Path) -> None:
    """Notes beside a private check mean nothing to the program."""
    (directory / "mine.md").write_text("# Mine\n\n## How to use it\n\nRun it.\n")
    (mine,) = loader.load([directory], only=["mine"]).checks
    assert (mine.findings, mine.text) == ((), "")


def test_findings_in_the_file_come_first(directory: Path) -> None:
    """A check that explains in its decorator needs no page."""
    explained = 'findings=[Explained("ours", "pass", "It is.")], cause'
    text = CHECK.replace("cause", explained).replace("import check", "import Explained, check")
    (directory / "mine.py").write_text(text)
    (mine,) = loader.load([directory], only=["mine"]).checks
    assert [finding.id for finding in mine.findings] == ["ours"]


def test_a_page_is_no_program(directory: Path) -> None:
    """On some file systems every file is executable."""
    (directory / "mine.md").chmod(0o755)
    assert [check.id for check in loader.load([directory], only=["mine"]).checks] == ["mine"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("fail or warn", "failed", "'failed' is not a valid Status"),
        ("## shut", "## Not Fine", '"Not Fine" cannot be a finding\'s id'),
        ("## shut", "## fine", 'finding "fine" is explained twice'),
    ],
)
def test_a_wrong_page_is_refused(directory: Path, old: str, new: str, says: str) -> None:
    """One line, with the page's path, when checks are loaded."""
    (directory / "mine.md").write_text(PAGE.replace(old, new))
    with pytest.raises(PluginError) as caught:
        loader.load([directory])
    assert str(caught.value).startswith(f"{directory}/mine.md: ")
    assert says in str(caught.value)


def test_a_root_cause_is_a_check(directory: Path) -> None:
    """What a page leads to exists."""
    (directory / "mine.md").write_text(PAGE.replace("[tcp]", "[tpc]"))
    with pytest.raises(PluginError, match='"tpc" is not a check to see; did you mean "tcp"'):
        loader.load([directory])


def test_an_example_is_for_software_that_is_known(directory: Path) -> None:
    """That is found when the text is read."""
    (directory / "mine.md").write_text(PAGE.replace("**nginx**", "**ngnix**"))
    shut, _ = pages.read(directory / "mine.md").findings
    with pytest.raises(ValueError, match='did you mean "nginx"'):
        _ = shut.examples


def test_loading_parses_no_markdown() -> None:
    """A run needs no text, and does not wait for the parser."""
    code = "import sys; from ipv6check.engine.checks import loader; loader.load(); "
    code += "assert 'markdown_it' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ, timeout=60)
