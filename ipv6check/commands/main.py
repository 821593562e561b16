"""The process: arguments in, one exit code out, and one line for whatever goes wrong."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from pathlib import Path

USAGE, DEFECT, INTERRUPTED = 2, 4, 130


def main() -> None:
    """Run the command line and exit."""
    _open_closed_streams()
    try:
        # Late: Ctrl-C while typer is being imported is no traceback either.
        from ipv6check.commands.app import run  # noqa: PLC0415

        code = run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        _give_up_stdout()
        sys.exit(_without_report("nobody reads standard output", USAGE))
    except Exception as error:  # noqa: BLE001 - of a defect, too, one line is told
        line, code = _refusal(error)
        sys.stderr.write(f"ipv6check: {line}\n")
        sys.exit(_without_report(line, code))
    # typer, too, makes a code of an interruption.
    sys.exit(_without_report("interrupted", code) if code == INTERRUPTED else code)


def _open_closed_streams() -> None:
    """Where the caller closed a stream, Python has None and the next socket takes its number."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nothing = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
            setattr(sys, name, nothing)


def _give_up_stdout() -> None:
    """Keep the interpreter from writing at its end what cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refusal(error: Exception) -> tuple[str, int]:
    """The line and the exit code of what ended the run; what is not bad input is a defect."""
    from ipv6check.commands import debug  # noqa: PLC0415
    from ipv6check.model import BadInputError  # noqa: PLC0415
    from ipv6check.model.text import harmless  # noqa: PLC0415

    if isinstance(error, BadInputError):
        return str(error), USAGE
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        _give_up_stdout()
        return f"standard output cannot be written: {error.strerror}", USAGE
    if isinstance(error, OSError) and error.filename is not None:
        return f"{harmless(str(error.filename), 200)} cannot be used: {error.strerror}", USAGE
    line = f"internal error: {type(error).__name__}: {harmless(str(error), 200)}"
    if debug.enabled():
        traceback.print_exception(error)
        return line, DEFECT
    return f"{line}; run it again with --debug for the traceback, and report it", DEFECT


def _without_report(reason: str, code: int) -> int:
    """The exit code of a run that could not be made; a monitoring system gets its line too."""
    from ipv6check.commands.parsing import format_asked_for  # noqa: PLC0415

    asked = format_asked_for(sys.argv[1:]) or os.environ.get("IPV6CHECK_FORMAT")
    if asked != "nagios":
        return code
    from ipv6check.reports.formats import nagios  # noqa: PLC0415

    sys.stdout.write(nagios.line(nagios.State.UNKNOWN, reason))
    sys.stdout.flush()
    return nagios.State.UNKNOWN
