"""docs/demo.svg: what ``ipv6check demo`` prints on a terminal, drawn from its colours."""

from __future__ import annotations

import fcntl
import html
import io
import os
import pty
import re
import struct
import subprocess
import termios

from rich.console import Console
from rich.text import Text

from tests.docs import COMMAND

WIDTH = 80
# The window brings its own background, so that the picture looks the same on a light page and on a
# dark one. Its font is one that the reader has: rich's own would be loaded from somebody's server.
WINDOW = """\
<svg class="{unique_id}" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" \
role="img" aria-label="ipv6check demo">
<style>
.{unique_id}-matrix {{
    font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
    font-size: {char_height}px;
    line-height: {line_height}px;
}}
.{unique_id}-title {{ font-size: 18px; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def on_a_terminal(*arguments: str) -> str:
    """What ``ipv6check`` prints on a terminal of 80 columns, with its colours. Raises OSError."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, WIDTH, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment |= {"TERM": "xterm-256color", "PYTHONUTF8": "1", "COLUMNS": str(WIDTH)}
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=theirs, stderr=subprocess.DEVNULL, env=environment
    ):
        os.close(theirs)
        written = b""
        try:
            while piece := os.read(ours, 65536):
                written += piece
        except OSError:  # how Linux says that the last writer has gone
            pass
    os.close(ours)
    return written.decode("utf-8").replace("\r\n", "\n")


def demo() -> str:
    """The picture."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text("$ ipv6check demo", style="bold"))
    console.print(Text.from_ansi(on_a_terminal("demo")))
    svg = console.export_svg(title="ipv6check", code_format=WINDOW, unique_id="demo")
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


def words(svg: str) -> str:
    """What is drawn, piece by piece."""
    drawn = re.findall(r'<text class="demo-r[^>]*>([^<]*)</text>', svg)
    return html.unescape(" ".join(" ".join(drawn).split())).replace("\xa0", " ")
