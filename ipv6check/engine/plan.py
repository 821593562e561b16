"""What is done with the targets of one service: its checks, its settings, and whose they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ipv6check.engine.checks.api import Check, Plan
from ipv6check.engine.checks.inputs import GIVEN
from ipv6check.engine.coverage import Coverage
from ipv6check.engine.observe import ProbeGraph, graph_of
from ipv6check.eyeballs import clients
from ipv6check.model import NoIPv6, Settings


@dataclass(frozen=True)
class ServicePlan:
    """The checks and settings for the targets of one service, and whose these are.

    ``requires``: what the vantage must have for the verdict to count, any, ipv6 or dual-stack.
    ``no_ipv6``: that its targets have no IPv6 on purpose, None where they are to have it.
    """

    plan: Plan
    settings: Settings
    owner: str = ""
    requires: str = "any"
    no_ipv6: NoIPv6 | None = None

    @cached_property
    def given(self) -> Mapping[str, Any]:
        """The inputs that no probe observes and that every target has in common.

        Raises ClientsError where the files of clients were not read before.
        """
        return {"settings": self.settings, "clients": clients.load(self.settings.clients_dirs)}

    @cached_property
    def graph(self) -> ProbeGraph:
        """Every probe that the checks need."""
        return graph_of(self.plan.probes)

    @cached_property
    def recorded_graph(self) -> ProbeGraph:
        """The probes that are computed again from recorded facts."""
        return graph_of([probe for probe in self.plan.probes if probe.pure])

    @cached_property
    def coverage(self) -> Coverage:
        """What its checks look at."""
        return Coverage(self.plan)

    @cached_property
    def measuring(self) -> frozenset[str]:
        """The checks a pass of which shows by itself that IPv6 works."""
        return frozenset(check.id for check in self.plan.checks if check.measures)

    @cached_property
    def asking_names(self) -> frozenset[str]:
        """The checks that the user names and that need nothing but answers of the DNS."""
        named = (check for check in self.plan.checks if check.id in self.settings.only)
        return frozenset(
            check.id for check in named if {*_inputs(check)} <= {"addresses", "pointers"}
        )

    @cached_property
    def functions(self) -> list[Check]:
        """The checks that are Python functions."""
        return [check for check in self.plan.checks if not check.executable]

    @cached_property
    def programs(self) -> list[Check]:
        """The checks that are programs of their own."""
        return [check for check in self.plan.checks if check.executable]


def _inputs(check: Check) -> Iterator[str]:
    """The probes that a check needs."""
    return (wanted.name for wanted in check.inputs if wanted.name not in GIVEN)
