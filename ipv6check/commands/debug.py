"""``--debug``: each exchange of packets as a line on standard error, as it happens."""

from __future__ import annotations

import logging
import os
import sys

from ipv6check.model.text import printable

VARIABLE = "IPV6CHECK_DEBUG"
_ROOT = logging.getLogger("ipv6check")


class _Lines(logging.Formatter):
    """Milliseconds since the start, and the message without control characters."""

    def format(self, record: logging.LogRecord) -> str:
        """One printable line."""
        return printable(f"{record.relativeCreated:9.1f} ms  {record.getMessage()}")


def start() -> None:
    """Log to standard error from now on."""
    if _ROOT.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    _ROOT.addHandler(handler)
    _ROOT.setLevel(logging.DEBUG)
    _ROOT.propagate = False


def enabled() -> bool:
    """Whether the user wants to see more: by the option, or by the variable alone so far."""
    return _ROOT.isEnabledFor(logging.DEBUG) or os.environ.get(VARIABLE) in {"1", "true"}
