"""Which checks run, and which probes these need. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from ipv6check.engine.checks.api import Check, Plan, PluginError, Probe
from ipv6check.engine.checks.inputs import nearest
from ipv6check.model import Profile


@dataclass(frozen=True, slots=True)
class AvailableChecks:
    """Every check that there is, by name, and every probe."""

    checks: Mapping[str, Check]
    probes: Mapping[str, Probe]

    def plan(
        self,
        only: Iterable[str] = (),
        skip: Iterable[str] = (),
        profile: Profile | None = None,
    ) -> Plan:
        """The plan of a run. ``only`` names its checks, else the profile chooses, else it is all.

        Raises PluginError for a name in ``only`` or ``skip`` that is no check.
        """
        wanted, unwanted = set(only), set(skip)
        for name in sorted(wanted | unwanted):
            self.require(name)
        chosen = [
            self.checks[name]
            for name in sorted(self.checks)
            if (name in wanted if wanted else profile is None or profile.runs(name))
            and name not in unwanted
        ]
        roots = self._roots(chosen)
        return Plan(tuple(chosen), needed_probes((*chosen, *roots), self.probes), roots)

    def _roots(self, chosen: Iterable[Check]) -> tuple[Check, ...]:
        """The checks that tell root causes of these, and are none of them."""
        known = {check.id: check for check in chosen}
        waiting, roots = [*known.values()], dict[str, Check]()
        while waiting:
            for name in (name for names in waiting.pop().roots.values() for name in names):
                root = self.checks[name]
                if name not in known and name not in roots and not root.executable:
                    roots[name] = root
                    waiting.append(root)
        return tuple(roots[name] for name in sorted(roots))

    def require(self, name: str) -> None:
        """Raises PluginError where there is no check of this name."""
        if name not in self.checks:
            raise PluginError(f'"{name}" is not a check{nearest(name, self.checks)}')


def needed_probes(checks: Iterable[Check], probes: Mapping[str, Probe]) -> tuple[Probe, ...]:
    """The probes that these checks need, inputs before those that use them."""
    graph: dict[str, set[str]] = {}
    wanted = [item.name for check_ in checks for item in check_.inputs]
    while wanted:
        name = wanted.pop()
        if name in probes and name not in graph:
            graph[name] = {item.name for item in probes[name].inputs if item.name in probes}
            wanted += graph[name]
    try:
        return tuple(probes[name] for name in TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise PluginError(f"probes need each other: {' → '.join(error.args[1])}") from error
