"""pyroute2, which speaks netlink(7): slow to import, seldom needed, and then by several threads."""

from __future__ import annotations

import threading

_LOADING = threading.Lock()


def load() -> None:
    """Import it before any part of it: threads that begin with different parts block each other."""
    with _LOADING:
        import pyroute2  # noqa: F401, PLC0415 - see above
