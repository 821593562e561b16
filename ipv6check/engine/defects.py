"""A fault of our own, or of a check, as a finding: the run goes on."""

from __future__ import annotations

import traceback

from ipv6check.model import Cause, Evidence, Finding, Status
from ipv6check.model.text import printable


def broken(message: str, evidence: Evidence | None = None) -> Finding:
    """Our own fault, or a check's."""
    hint = "this is a defect of the tool or of the check, not of the target: please report it"
    return Finding(Status.ERROR, message, hint, cause=Cause.TOOL, evidence=evidence or {})


def crash(error: BaseException, where: str) -> Finding:
    """An exception nobody expected."""
    lines = traceback.format_exception(error)
    message = f"{where} crashed: {type(error).__name__}: {printable(str(error))}"
    return broken(message, {"traceback": "".join(lines)[-4000:]})
