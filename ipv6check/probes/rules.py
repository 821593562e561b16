"""The firewall rules that a target is, or will be, behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipv6check.model import Failure, Finding, Kind, RuleTexts, Settings

if TYPE_CHECKING:
    from ipv6check.firewall.model import RuleSet


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of the target; ``ruleset`` is None where it is another host and none were given."""

    ruleset: RuleSet | None

    def review(self, ports: Sequence[int], destinations: tuple[str, ...]) -> list[Finding]:
        """Findings about IPv6. TCP ``ports`` must be allowed, besides what is asked anyway.

        ``destinations``: the target's address of each family, none where it may be any.
        """
        # Most runs have no rules to look at, and need not wait for what reads them.
        from ipv6check.firewall.readiness import ReviewScope, review  # noqa: PLC0415

        assert self.ruleset is not None
        named = tuple(("tcp", str(port)) for port in ports)
        return list(review(self.ruleset, ReviewScope(named, destinations=destinations)).findings)


async def rules(in_force: RuleTexts | Failure | None, settings: Settings) -> Rules | Failure:
    """Rules of ``--firewall``, for any target; else those in force here, if the target is here."""
    if settings.rules is not None:
        from ipv6check.firewall.model import RuleSet  # noqa: PLC0415

        assert isinstance(settings.rules, RuleSet)
        return Rules(settings.rules)
    if in_force is None:
        return Rules(None)
    if isinstance(in_force, Failure):
        return in_force
    return await asyncio.to_thread(_read, in_force)


def _read(texts: RuleTexts) -> Rules | Failure:
    from ipv6check.firewall.model import RuleError  # noqa: PLC0415
    from ipv6check.firewall.notation import live  # noqa: PLC0415

    try:
        ruleset = live(texts.texts, texts.missing)
    except RuleError as error:
        return Failure(Kind.OTHER, str(error))
    ruleset.leased = texts.leased
    return Rules(ruleset)
