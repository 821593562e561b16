"""docs/package.md: README.md for a package index, where its links and its picture lead nowhere.

The project has no public address, so a link cannot be absolute, and an index resolves none to a
file of the source. There a link becomes the file's name, and the picture the text that it shows.
"""

from __future__ import annotations

import os
import re
import subprocess

from tests.docs import COMMAND, text

_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)([^)]+)\)")
_PICTURE = re.compile(r"<img [^>]*>")
_MARKER = re.compile(r"<!-- [^>]* -->\n")


def demo() -> str:
    """The demo, as a pipe of 80 columns sees it."""
    environment = {**os.environ, "COLUMNS": "80", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [*COMMAND, "demo"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        check=True,
        timeout=30,
    )
    return f"```text\n$ ipv6check demo\n{done.stdout}```"


def for_an_index(readme: str, shown: str) -> str:
    """The README without anything that needs the files beside it; ``shown``: what the demo says."""
    plain = _LINK.sub(lambda link: f"`{link[1]}`", _MARKER.sub("", readme))
    return _PICTURE.sub(lambda _: shown, plain)


def package() -> str:
    """The page of the package."""
    return for_an_index(text("README.md"), demo())
