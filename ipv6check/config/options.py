"""The options of ``check``, each declared once: default, reader, and what its help says.

The command line, the environment, ``ipv6check.toml`` and its JSON Schema are made from these
declarations. Which source wins is in sources.py.
"""

# ruff: noqa: RUF009 - `option` and `flag` make fields

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ipv6check.config import readers as read
from ipv6check.config.profiles import PROFILES
from ipv6check.config.readers import FILE, Bounds, Choice, Override, Reader
from ipv6check.config.services import ServiceConfig
from ipv6check.config.target import Target
from ipv6check.model import Profile, Settings, Waiver
from ipv6check.model.settings import all_pauses_s

# The longest row of waits is four: resolve, connect, race the second port, ask the controls.
DEADLINE_TIMEOUTS = 5
MAX_RETRIES = 10

# a, f and k.root-servers.net: three operators, and addresses that will not change.
ROOT_SERVERS = (
    *("2001:503:ba3e::2:30", "2001:500:2f::f", "2001:7fd::1"),
    *("198.41.0.4", "192.5.5.241", "193.0.14.129"),
)

ALGORITHMS = ("rfc8305", "rfc6555", "v3")

# The panels of the help, in the order in which it shows them.
WHAT, HOW, RACE, REPORT, GATE = (
    *("What is checked", "How it is measured", "Happy Eyeballs", "Report", "Exit code"),
)


@dataclass(frozen=True, slots=True)
class Option:
    """How one option is read, and what its help says.

    ``kind`` is the TOML type: boolean, integer, number or string. ``join`` makes the values of a
    repeatable option one; an option without it is given once.
    ``usual`` is the default in words, where the value does not say it. ``observes``: it changes
    what is sent, hence has no meaning for a recording. ``texts`` gives what reads as the value
    again, where ``str`` of it, or of each item, does not.
    """

    default: Any
    read: Reader
    metavar: str
    help: str
    panel: str
    kind: str = "string"
    join: Callable[[list[Any]], object] | None = None
    in_file: bool = True
    usual: str = ""
    observes: bool = False
    texts: Callable[[Any], Sequence[str]] | None = None
    short: str = ""

    @property
    def choices(self) -> Sequence[str]:
        """All that it can be, where they are few."""
        if self.read is read.profile:
            return tuple(PROFILES)
        return self.read.names if isinstance(self.read, Choice) else ()

    @property
    def default_text(self) -> str:
        """The default as the help shows it; empty for what is off or empty."""
        if self.usual or not self.default:
            return self.usual
        return f"{self.default:g}" if isinstance(self.default, float) else str(self.default)

    def texts_of(self, value: Any) -> Sequence[str]:
        """The texts that are read as this value."""
        if self.texts is not None:
            return self.texts(value)
        if self.join is None:
            return [str(value)]
        return [str(item) for item in (sorted(value) if self.join is frozenset else value)]


def option(
    default: Any,
    reader: Reader,
    metavar: str,
    about: str,
    panel: str,
    **more: Any,
) -> Any:
    """A field of `Options` with its declaration; the kind of its values follows from the reader."""
    if isinstance(reader, Bounds):
        more["kind"] = "number" if reader.unit else "integer"
    elif reader is read.port:
        more["kind"] = "integer"
    declared = Option(default, reader, metavar, about, panel, **more)
    return field(default_factory=lambda: default, metadata={"option": declared})


def flag(about: str, panel: str, **more: Any) -> Any:
    """The field of an option that is on or off."""
    return option(False, read.switch, "", about, panel, kind="boolean", **more)  # noqa: FBT003


@dataclass(frozen=True, slots=True)
class Options:
    """Every option of ``check``; a field's name with hyphens is the option's. Times in seconds."""

    # fmt: off
    port: tuple[int, ...] = option(
        (), read.port, "PORT",
        "Port to check where the target names none, instead of the profile's.",
        WHAT, join=read.distinct, observes=True, short="-p",
    )
    profile: Profile = option(
        PROFILES["web"], read.profile, "NAME", f"What to expect: {', '.join(PROFILES)}.",
        WHAT, usual="web", texts=lambda value: [value.name],
    )
    only: frozenset[str] = option(
        frozenset(), read.check_name, "CHECK", "Run this check alone.", WHAT, join=frozenset
    )
    skip: frozenset[str] = option(
        frozenset(), read.check_name, "CHECK", "Leave this check out.", WHAT, join=frozenset
    )
    firewall: tuple[Path, ...] = option(
        (), read.path, "RULES", "Judge the target by these firewall rules, before they are loaded.",
        WHAT, join=read.distinct,
    )
    no_nft: bool = flag("Do not run nft, in a namespace of its own, to read those rules.", WHAT)
    checks_dir: tuple[Path, ...] = option(
        (), read.code_directory, "DIR", "Load private checks from DIR too.",
        WHAT, join=read.distinct,
    )
    config: Path | None = option(
        None, read.path, "PATH", "Configuration file.", WHAT, usual=f"./{FILE}", in_file=False
    )
    replay: Path | None = option(
        None, read.recording, "PATH",
        "Re-evaluate a recording made with --save observations=PATH (- for standard input); "
        "sends nothing.",
        WHAT, in_file=False,
    )
    resolve: Mapping[str, Override] = option(
        MappingProxyType({}), read.override, "HOST:ADDR",
        "Use ADDR for HOST instead of asking the DNS, or HOST:PORT:ADDR.",
        HOW, join=read.overrides_by_host, observes=True, texts=read.override_texts,
    )
    nameserver: tuple[str, ...] = option(
        (), read.nameserver, "ADDR",
        "Name server to query instead of the system's; [ADDR]:PORT too.",
        HOW, join=read.distinct, observes=True,
    )
    timeout: float = option(
        3.0, read.seconds(300), "SECONDS", "Longest wait for one answer.", HOW, observes=True
    )
    deadline: float | None = option(
        None, read.seconds(3600), "SECONDS", "Longest time for one target.",
        HOW, usual=f"{DEADLINE_TIMEOUTS} timeouts an attempt", observes=True,
    )
    retries: int = option(
        0, Bounds(0, MAX_RETRIES), "N",
        "Try a target again, up to N times, after a timeout, a reset or a SERVFAIL.",
        HOW, usual="0", observes=True,
    )
    run_deadline: float | None = option(
        None, read.seconds(604_800), "SECONDS", "Longest time for the run.", HOW, usual="none"
    )
    parallel: int = option(128, Bounds(1, 4096), "N", "Targets checked concurrently.", HOW)
    internal: bool = flag("Accept private and loopback addresses.", HOW, observes=True)
    control: tuple[str, ...] = option(
        ROOT_SERVERS, read.control, "ADDR",
        "Address known to be up, asked when everything timed out; [ADDR]:PORT shows whether that "
        "port is blocked on the way out.",
        HOW, join=read.distinct, usual="three root name servers", observes=True,
    )
    no_controls: bool = flag(
        "Contact nothing but the target and the name servers.", HOW, observes=True
    )
    happy_eyeballs: str = option(
        "rfc8305", Choice(ALGORITHMS), "|".join(ALGORITHMS), "Algorithm of the race in fallback.",
        RACE, observes=True,
    )
    connection_attempt_delay: float | None = option(
        None, read.milliseconds(10, 2000), "MS",
        "Wait between two attempts of the race, 10 to 2000.",
        RACE, usual="250", observes=True,
    )
    resolution_delay: float | None = option(
        None, read.milliseconds(0, 2000), "MS", "Wait of the race for AAAA after A.",
        RACE, usual="50", observes=True,
    )
    clients_dir: tuple[Path, ...] = option(
        (), read.path, "DIR", "Predict the fallback of the clients described in DIR too.",
        RACE, join=read.distinct,
    )
    format: str = option(
        "table", read.format_name, "FORMAT", "Format of the report on standard output.", REPORT,
        short="-f",
    )
    save: tuple[tuple[str, Path], ...] = option(
        (), read.saved_report, "FORMAT=PATH", "Write a report to a file too.",
        REPORT, join=read.distinct, texts=read.saved_report_texts,
    )
    quiet: bool = flag("Show problems only.", REPORT, short="-q")
    verbose: bool = flag("Show the evidence too.", REPORT, short="-v")
    fail_on: str = option(
        "fail", Choice(("fail", "warn")), "fail|warn", "Least status that makes the exit code 1.",
        GATE,
    )
    on_unknown: str = option(
        "fail", Choice(("fail", "pass")), "fail|pass",
        "What an `unknown` verdict does to the exit code: fail makes it 3, pass 0.", GATE,
    )
    baseline: Path | None = option(
        None, read.path, "PATH",
        "Earlier json or jsonl report; findings already in it do not fail the run.", GATE,
    )
    # fmt: on
    # Of the file alone.
    services: tuple[ServiceConfig, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    # The names of the fields that somebody set.
    given: frozenset[str] = field(default=frozenset(), compare=False)
    # By field: where it was set, as errors show it.
    places: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets of all services."""
        return tuple(target for service in self.services for target in service.targets)

    @property
    def named(self) -> Callable[[Target], tuple[Target, ...]]:
        """What a target that somebody names means: as it stands in the services, or else as it is.

        Ask once for it: the services are put in order for each.
        """
        known: dict[object, tuple[Target, ...]] = {}
        for target in self.targets:
            key = replace(target, service="").key
            known[key] = (*known.get(key, ()), target)
        return lambda target: known.get(target.key, (target,))

    @property
    def controls(self) -> tuple[str, ...]:
        """The controls that may be asked: none with ``--no-controls``.

        One with a port says nothing about other ports, so the usual ones stay beside it.
        """
        if self.no_controls:
            return ()
        only_ports = all(
            address.startswith("[") or address.count(":") == 1 for address in self.control
        )
        return (*self.control, *ROOT_SERVERS) if only_ports else self.control

    @property
    def settings(self) -> Settings:
        """What the run has to know of them."""
        waits_s = (1 + self.retries) * DEADLINE_TIMEOUTS * self.timeout
        return Settings(
            profile=self.profile,
            ports=self.port,
            only=self.only,
            skip=self.skip,
            resolve={host: given.addresses for host, given in self.resolve.items()},
            nameservers=self.nameserver,
            timeout_s=self.timeout,
            deadline_s=self.deadline or waits_s + all_pauses_s(self.retries),
            run_deadline_s=self.run_deadline,
            parallel=self.parallel,
            internal=self.internal,
            controls=self.controls,
            happy_eyeballs=self.happy_eyeballs,
            connection_attempt_delay_ms=self.connection_attempt_delay,
            resolution_delay_ms=self.resolution_delay,
            clients_dirs=self.clients_dir,
            retries=self.retries,
        )

    def to_argv(self) -> list[str]:
        """The arguments of ``check`` that give these options again, from the same directory.

        Services and waivers come from the configuration file, which is named if it was given.
        """
        return [
            f"--{name}" if declared.kind == "boolean" else f"--{name}={text}"
            for name, declared in OPTIONS.items()
            if (key := name.replace("-", "_")) in self.given
            and (value := getattr(self, key)) is not False
            for text in declared.texts_of(value)
        ]


OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        item.name.replace("_", "-"): item.metadata["option"]
        for item in fields(Options)
        if "option" in item.metadata
    }
)
