"""A line at level DEBUG for each exchange: what was sent to whom, what came back, and how long.

No payloads and nothing secret; what comes from the network or from a user is escaped.
"""

from __future__ import annotations

import logging

from ipv6check.model import Failure
from ipv6check.model.text import ms, printable

LOGGER = logging.getLogger("ipv6check.net")


def enabled() -> bool:
    """Whether anybody listens: callers put their words together only then."""
    return LOGGER.isEnabledFor(logging.DEBUG)


def exchange(sent: str, to: str, came: str | Failure, elapsed_ms: float | None = None) -> None:
    """Log one exchange; ``came`` is what came back, or why nothing did."""
    answer = came.detail or came.kind.value if isinstance(came, Failure) else came
    took = "" if elapsed_ms is None else f" ({ms(elapsed_ms)})"
    LOGGER.debug("%s to %s: %s%s", printable(sent), printable(to), printable(answer), took)
