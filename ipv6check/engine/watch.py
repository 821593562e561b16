"""Who looks on while a run goes on."""

from __future__ import annotations

from collections.abc import Sequence

from ipv6check.model import TargetReport


class Watch:
    """Is told of what is under way; this one does nothing about it."""

    def started(self, target: str) -> None:
        """A target's first packet is about to leave."""

    def waiting(self, target: str, probes: Sequence[str]) -> None:
        """These probes of the target have not come back yet."""

    def done(self, report: TargetReport) -> None:
        """A target is done."""
