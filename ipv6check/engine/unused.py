"""Options that change nothing in a run: refused at once, or noted at its end. Pure.

An option that changes nothing is a mistake: ``--resolve example.com:NEW`` beside the target
www.example.com leaves the new origin untried.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ipv6check.config.options import Options
from ipv6check.config.target import Target
from ipv6check.config.toml import ConfigError
from ipv6check.engine.plan import ServicePlan
from ipv6check.model import Note
from ipv6check.model.text import closest

# By option: the probes that it changes. Of a check that is left out nobody needs them.
PROBES: Mapping[str, frozenset[str]] = {
    "port": frozenset({"connections", "listeners", "rules"}),
    "firewall": frozenset({"rules"}),
    "clients_dir": frozenset({"predictions"}),
    "happy_eyeballs": frozenset({"race"}),
    "connection_attempt_delay": frozenset({"race"}),
    "resolution_delay": frozenset({"race"}),
}


@dataclass(slots=True)
class UnusedOptions:
    """Which options change nothing for the targets so far. ``jobs``: what is done with these."""

    options: Options
    jobs: Mapping[str, ServicePlan]
    _hosts: dict[str, None] = field(default_factory=dict)
    _services: set[str] = field(default_factory=set)
    _on_own_ports: bool = True
    _beside: dict[str, str] = field(default_factory=dict)

    def see(self, target: Target) -> None:
        """One more target of the run."""
        settings = self.jobs[target.service].settings
        self._services.add(target.service)
        self._on_own_ports &= bool(target.ports) or settings.ports != self.options.port
        if (override := self.options.resolve.get(target.host)) is not None:
            self._hosts[target.host] = None
            ports = settings.ports_for(target.ports)
            if override.ports and not {*ports} <= override.ports:
                self._beside[target.host] = _beside(target.host, ports, override.ports)
        elif len(self._hosts) < len(self.options.resolve) + 1 and self.options.resolve:
            self._hosts.setdefault(target.host)

    def refuse(self, targets: Iterable[Target]) -> None:
        """Raises ConfigError for what on the command line touches none of these, which are all."""
        for target in targets:
            self.see(target)
        for option, fault in self._faults():
            if self.options.places.get(option, "").startswith("--"):
                raise ConfigError(fault)

    def notes(self) -> tuple[Note, ...]:
        """A line for each thing that touched nothing."""
        return tuple(Note(fault) for _, fault in self._faults())

    def require_checks(self, services: Iterable[str]) -> None:
        """Raises ConfigError where nothing is to be done with the targets of one of these."""
        for service in services:
            if self.jobs[service].plan.checks:
                continue
            where = f"service {service}: " if service else ""
            given = [f"--{option}" for option in ("only", "skip") if getattr(self.options, option)]
            reason = " and ".join(given) or "severity, which is off for all"
            raise ConfigError(f"{where}no check is left to run, see {reason}")

    def _faults(self) -> Iterator[tuple[str, str]]:
        """The option, and what is wrong with it."""
        if not self._services:
            return  # without targets nothing can be said of options
        yield from (("resolve", fault) for fault in self._of_resolve())
        if self.options.port and self._on_own_ports:
            ports = ", ".join(map(str, self.options.port))
            fault = f"port {ports}: every target, or its service, names its own port"
            yield "port", self._at("port", fault)
        run = {probe.name for service in self._services for probe in self.jobs[service].plan.probes}
        for option, probes in PROBES.items():
            if option in self.options.given and not probes & run:
                fault = "no check of this run uses it: see --only, --skip and the profile"
                yield option, self._at(option, fault)

    def _of_resolve(self) -> Iterator[str]:
        for host in self.options.resolve:
            if host in self._beside:
                yield self._at("resolve", self._beside[host])
            elif host not in self._hosts:
                near = closest(host, self._hosts)
                meant = f"; did you mean {near}?" if near else ""
                yield self._at("resolve", f"{host} is not a target of this run{meant}")

    def _at(self, option: str, fault: str) -> str:
        return f"{self.options.places.get(option, f'--{option}')}: {fault}"


def _beside(host: str, ports: Iterable[int], given: Iterable[int]) -> str:
    here, there = map(_ports, (given, ports))
    return (
        f"the address for {host} is for {here} only, but it is checked on {there}: "
        f"give the target with its port, or {host}:ADDR for every port"
    )


def _ports(numbers: Iterable[int]) -> str:
    names = [*map(str, sorted(numbers))]
    return f"port{'s' if len(names) > 1 else ''} {' and '.join(names)}"
