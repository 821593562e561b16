"""The command line: options in, one exit code out. Start-up time is a feature: imports are late."""

from __future__ import annotations

import errno
import inspect
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from ipv6check import __version__

COMMANDS = (
    "check",
    "race",
    "firewall",
    "diff",
    "list",
    "explain",
    "clients",
    "init",
    "demo",
    "schema",
)
USAGE, INTERRUPTED = 2, 130

ABOUT = """Tell whether what you run is ready for IPv6: what is wrong, where, and how to fix it.

`ipv6check example.com` is short for `ipv6check check example.com`; without any argument the
services of ./ipv6check.toml are checked (ipv6check init writes one)."""

CHECK_HELP = """Check targets: example.com, example.com:8443, https://example.com/health,
smtp://mx.example.com, 2001:db8::1, [2001:db8::1]:443.

Exit codes: 0 nothing at or above the threshold, 1 findings at or above it, 2 usage or
configuration, 3 it could not be measured from here, 130 interrupted. With -f nagios those of a
monitoring plugin: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.

Each option can also stand in ipv6check.toml (table [check]) or in the environment
(IPV6CHECK_TIMEOUT=5); flags win over the environment, that over the file."""


FIREWALL_HELP = """Tell what firewall rules let IPv6 do. Nothing is sent; no root, no network.

RULES are files of one host together: ip6tables-save, iptables-save, ip6tables -S,
nft list ruleset, nft -j list ruleset, nftables.conf; recognised by their content. - is
standard input. Without any, the rules in force on this host.

\b
  ipv6check firewall rules.v4 rules.v6
  ipv6check firewall /etc/nftables.conf --packet tcp/8443 --packet icmpv6/packet-too-big

Answers are accept, drop, reject, or depends with the conditions: whatever is not certain depends.
Taken for granted: a packet comes in on the interface that its source is routed over. Bridges, XDP,
and what a cloud filters are out of sight.

Exit codes: 0 nothing that breaks IPv6, 1 findings that do, 2 unreadable rules or usage,
3 it cannot be told."""


DIFF_HELP = """Tell what became better or worse between two saved reports. Nothing is sent.

OLD and NEW are what -f json or -f jsonl printed, one each as you like, of any size, also after jq;
- is standard input for one of them.

\b
  ipv6check check -i targets.txt --save json=old.json
  ipv6check check -i targets.txt -f jsonl | ipv6check diff old.json -

\b
lost     what passed warns or fails, what warned fails, or one more address fails
gained   the other way round
changed  as bad as before, but for another cause or on another address; or what
         could not be measured, before or now, which is neither better nor worse
new      a target that only NEW has
gone     a target that only OLD has

In a gate: ipv6check check --baseline OLD. It stops for what is lost, and for faults that OLD
cannot know: of a new target, or of one that could not be measured then.

Exit codes: 0 nothing is lost, 1 something is, 2 a file cannot be read, or usage."""


def main() -> None:
    """Run the command line and exit."""
    _open_closed_streams()
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        sys.stdout.write(f"ipv6check {__version__}\n")
        return
    if not arguments and _is_configured():
        arguments = ["check"]
    if arguments and arguments[0] not in {*COMMANDS, "--help", "-h", "--version"}:
        arguments = ["check", *arguments]
    try:
        app = _app(wanted=arguments[0] if arguments else "")
        # Without arguments typer shows its help; else its errors are ours to print, in one line.
        code = app(arguments, prog_name="ipv6check", standalone_mode=not arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(_unmade("interrupted", INTERRUPTED))
    except BrokenPipeError:
        # Whoever read has heard enough; the interpreter must not try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_unmade("nobody reads standard output", USAGE))
    except Exception as error:  # noqa: BLE001 - what is not of the user's making is raised again
        _refuse(error)
    else:
        # typer, too, makes a code of an interruption.
        sys.exit(_unmade("interrupted", code) if code == INTERRUPTED else code)


def _is_configured() -> bool:
    """Whether a call without any argument means the services of a file."""
    # Unlike Path's, False also where nobody may look, such as in another user's home directory.
    found = os.path.isfile("ipv6check.toml")  # noqa: PTH113
    return bool(os.environ.get("IPV6CHECK_CONFIG")) or found


def _here() -> Path:
    """The current directory. Raises ConfigError where it is gone."""
    from ipv6check.config.toml import ConfigError  # noqa: PLC0415

    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigError(f"the current directory cannot be told: {error.strerror}") from None


def _open_closed_streams() -> None:
    """Where the caller closed a stream, Python has None and the next socket takes its number."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nothing = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
            setattr(sys, name, nothing)


def _refuse(error: Exception) -> None:
    """The one line that bad input gets. Anything else than our own errors is a defect: raise it."""
    from ipv6check.model import BadInputError  # noqa: PLC0415
    from ipv6check.model.text import harmless  # noqa: PLC0415

    line = str(error)
    # An error of click's, which typer has under a name of its own.
    if (said := getattr(error, "format_message", None)) is not None:
        line = f"{harmless(' '.join(said().split()).rstrip('.'), 200)}; see ipv6check --help"
    elif isinstance(error, OSError) and error.errno == errno.ENOSPC:
        line = f"standard output cannot be written: {error.strerror}"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    elif isinstance(error, OSError) and error.filename is not None:
        line = f"{harmless(str(error.filename), 200)} cannot be used: {error.strerror}"
    elif not isinstance(error, BadInputError):
        code = _unmade(f"a defect of ipv6check: {type(error).__name__}: {line}", 1)
        if code == 1:
            raise error
        sys.excepthook(type(error), error, error.__traceback__)
        sys.exit(code)
    sys.stderr.write(f"ipv6check: {line}\n")
    sys.exit(_unmade(line, USAGE))


def _unmade(reason: str, code: int) -> int:
    """The exit code of a run that could not be made; a monitoring system gets its line too.

    Whether it is one that waits is read from a command line that may itself be what is wrong.
    """
    arguments = "\0".join(sys.argv[1:])
    named = re.search(r"(?:^|\0)(?:-[a-z]*f\0?|--format[=\0])(\w+)", arguments)
    if (named[1] if named else os.environ.get("IPV6CHECK_FORMAT")) != "nagios":
        return code
    from ipv6check.reports.formats import nagios  # noqa: PLC0415

    sys.stdout.write(nagios.line(nagios.State.UNKNOWN, reason))
    sys.stdout.flush()
    return nagios.State.UNKNOWN


def _app(wanted: str) -> Any:
    """The commands. Only ``check`` has so many options that they are read when it is wanted."""
    import typer  # noqa: PLC0415

    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode=None,
    )
    shown = typer.Option("--version", help="Print the version and exit.", is_eager=True)
    _version.__annotations__["version"] = Annotated[bool, shown]
    app.callback(invoke_without_command=True, help=ABOUT)(_version)
    app.command("check", help=CHECK_HELP)(_with_options(_check) if wanted == "check" else _check)
    app.command("diff", help=DIFF_HELP)(_diff)
    app.command("firewall", help=FIREWALL_HELP)(_with_rules(_firewall))
    _diff.__annotations__ |= {
        "old": Annotated[str, typer.Argument(metavar="OLD", help="The earlier report.")],
        "new": Annotated[str, typer.Argument(metavar="NEW", help="The later report.")],
        "format": Annotated[
            str,
            typer.Option("--format", "-f", metavar="table|json", help="Format of the differences."),
        ],
    }
    directories = typer.Option("--checks-dir", metavar="DIR", help="Look in DIR too. Repeatable.")
    private = Annotated[list[Path] | None, directories]
    shape = typer.Option("--format", "-f", metavar="table|json", help="For people, or programs.")
    _list.__annotations__ |= {"format": Annotated[str, shape], "checks_dir": private}
    _explain.__annotations__["checks_dir"] = private
    own = typer.Option("--clients-dir", metavar="DIR", help="Read DIR's clients too. Repeatable.")
    _clients.__annotations__["clients_dir"] = Annotated[list[Path] | None, own]
    _race.__annotations__ |= {
        "clients_dir": Annotated[list[Path] | None, own],
        "nameserver": Annotated[list[str] | None, typer.Option(help="Ask this one. Repeatable.")],
        "happy_eyeballs": Annotated[
            str | None, typer.Option(metavar="rfc8305|rfc6555|v3", help="How the race is run.")
        ],
        "connection_attempt_delay": Annotated[
            str | None, typer.Option(metavar="MS", help="Between attempts, 10 to 2000; RFC: 250.")
        ],
        "resolution_delay": Annotated[
            str | None, typer.Option(metavar="MS", help="For AAAA after A; RFC 8305: 50.")
        ],
    }
    written = typer.Option(metavar="PATH", help="The file to write.")
    _init.__annotations__ |= {
        "targets": Annotated[list[str] | None, typer.Argument(metavar="[TARGET]...")],
        "config": Annotated[str, written],
    }
    kinds = typer.Argument(
        metavar="[output|config|observations]", help="Which one; output if not given."
    )
    _schema.__annotations__["kind"] = Annotated[str, kinds]
    for command in (_race, _list, _explain, _clients, _init, _demo, _schema):
        app.command(command.__name__[1:])(command)
    return app


def _version(*, version: bool = False) -> None:
    """Print the version."""
    if version:
        sys.stdout.write(f"ipv6check {__version__}\n")
        raise SystemExit(0)


def _check(**given: Any) -> None:
    from ipv6check.commands import check as session  # noqa: PLC0415
    from ipv6check.config import sources  # noqa: PLC0415
    from ipv6check.config.target import TargetError, parse  # noqa: PLC0415
    from ipv6check.reports.formats import format_names  # noqa: PLC0415

    targets = given.pop("targets") or []
    input_path = given.pop("input")
    options = sources.load(given, os.environ, _here(), format_names())
    if options.replay is not None:
        if targets or input_path is not None:
            raise TargetError("--replay has its own targets: name none beside it")
        sys.exit(session.replay(options))
    meant = options.named
    named = [target for text in targets for target in meant(parse(text))]
    if not named and input_path is None:
        own = options.profile.target
        named = [parse(own)] if own else [*options.targets]
        if not named:
            raise TargetError("no target: name one, a file of them with -i, or services in a file")
    sys.exit(session.check(options, named, input_path))


def _with_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with a parameter for each option of config.py, where their help stands."""
    import typer  # noqa: PLC0415

    from ipv6check.config.options import OPTIONS  # noqa: PLC0415

    lines = typer.Option(
        "--input", "-i", metavar="FILE", help="Read targets too, one a line; - is standard input."
    )
    annotations: dict[str, Any] = {
        "targets": Annotated[
            list[str] | None, typer.Argument(metavar="[TARGET]...", help="What to check.")
        ],
        "input": Annotated[str | None, lines],
    }
    for name, option in OPTIONS.items():
        flags = [*filter(None, (f"--{name}", option.short))]
        kind: Any = bool if option.kind == "boolean" else str
        if option.join is not None:
            kind = list[str]
        described = typer.Option(*flags, metavar=option.metavar or None, help=option.help)
        annotations[name.replace("-", "_")] = Annotated[kind | None, described]
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
            )
            for name, annotation in annotations.items()
        ]
    )
    command.__annotations__ = annotations
    return command


def _race(
    target: str,
    *,
    nameserver: Any = None,
    happy_eyeballs: Any = None,
    connection_attempt_delay: Any = None,
    resolution_delay: Any = None,
    internal: bool = False,
    clients_dir: Any = None,
) -> None:
    """Show the race of Happy Eyeballs while it runs, and what each named client would feel."""
    from ipv6check.commands import check as session  # noqa: PLC0415
    from ipv6check.commands import race  # noqa: PLC0415
    from ipv6check.config import sources  # noqa: PLC0415
    from ipv6check.config.target import parse  # noqa: PLC0415
    from ipv6check.eyeballs import clients  # noqa: PLC0415
    from ipv6check.probes.race import policy_of  # noqa: PLC0415
    from ipv6check.reports import sinks  # noqa: PLC0415
    from ipv6check.reports.formats import format_names  # noqa: PLC0415

    given = {
        "nameserver": nameserver,
        "internal": internal or None,
        "happy-eyeballs": happy_eyeballs,
        "connection-attempt-delay": connection_attempt_delay,
        "resolution-delay": resolution_delay,
        "clients-dir": clients_dir,
    }
    settings = sources.load(given, os.environ, _here(), format_names()).settings
    parsed, known = parse(target), clients.load(settings.clients_dirs)
    style = sinks.terminal(quiet=False, verbose=True)

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    net = session.local_net(settings, 1)
    policy, width, unicode = policy_of(settings), style.width, style.unicode
    sys.exit(race.run(settings, parsed, policy, known, net, say, width, unicode=unicode))


def _firewall(rules: Any = None, **given: Any) -> None:
    from ipv6check.commands import firewall  # noqa: PLC0415

    sys.exit(firewall.run(rules or [], **given))


def _with_rules(command: Callable[..., None]) -> Callable[..., None]:
    """The command with its parameters, which would need typer at the top of this file."""
    import typer  # noqa: PLC0415

    def option(kind: Any, *flags: str, metavar: str | None = None, about: str) -> Any:
        return Annotated[kind, typer.Option(*flags, metavar=metavar, help=about)]

    named = "Ask about tcp/443, udp/53, icmpv6/packet-too-big, icmpv6/1/4. Repeatable."
    described = "Ask about the packets of a JSON list, answered in order under packets."
    annotations: dict[str, tuple[Any, Any]] = {
        "rules": (
            Annotated[list[str] | None, typer.Argument(metavar="[RULES]...", help="Files.")],
            None,
        ),
        "packet": (option(list[str] | None, "--packet", metavar="PACKET", about=named), None),
        "packets": (option(str | None, "--packets", metavar="FILE", about=described), None),
        "iif": (
            option(
                str,
                "--iif",
                metavar="NAME",
                about="The interface that packets come in on; any but loopback.",
            ),
            "",
        ),
        "source": (
            option(
                str, "--from", metavar="ADDR", about="Where they come from: an address or prefix."
            ),
            "",
        ),
        "destination": (
            option(str, "--to", metavar="ADDR", about="Where they go to: an address or prefix."),
            "",
        ),
        "forward": (option(bool, "--forward", about="Ask what this host forwards."), False),
        "no_nft": (
            Annotated[
                bool,
                typer.Option(
                    "--no-nft",
                    envvar="IPV6CHECK_NO_NFT",
                    help="Do not ask nft, in a namespace of its own, what it makes of files.",
                ),
            ],
            False,
        ),
        "format": (
            option(str, "--format", "-f", metavar="table|json", about="Format of the answers."),
            "table",
        ),
        "quiet": (option(bool, "--quiet", "-q", about="Findings alone."), False),
        "verbose": (option(bool, "--verbose", "-v", about="Every packet, and evidence."), False),
    }
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
            )
            for name, (annotation, default) in annotations.items()
        ]
    )
    command.__annotations__ = {name: annotation for name, (annotation, _) in annotations.items()}
    return command


def _diff(old: str, new: str, *, format: str = "table") -> None:  # noqa: A002 - the option's name
    from ipv6check.commands import diff  # noqa: PLC0415

    sys.exit(diff.run(old, new, format))


def _list(*, format: Any = "table", checks_dir: Any = None) -> None:  # noqa: A002 - the option
    """List the checks, the profiles and the formats."""
    from ipv6check.commands import list as list_  # noqa: PLC0415
    from ipv6check.config.toml import ConfigError  # noqa: PLC0415

    written = {"table": list_.listing, "json": list_.document}
    if format not in written:
        raise ConfigError(f"--format {format!a} is neither table nor json")
    _say(written[format](_private(checks_dir)))


def _explain(check: str, *, checks_dir: Any = None) -> None:
    """Explain a check, or one finding of it (tcp/refused): what it means, and how to fix it."""
    from ipv6check.commands import explain  # noqa: PLC0415

    explain.show(check, _private(checks_dir), sys.stdout)


def _say(text: str) -> None:
    """Print what a file holds, which may be more than the terminal's encoding does."""
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _clients(*, clients_dir: Any = None) -> None:
    """List the clients whose fallback is predicted: how each connects, and how that is known."""
    from ipv6check.commands import clients  # noqa: PLC0415

    sys.stdout.write(clients.listing(clients_dir or ()))


def _private(checks_dir: Any) -> tuple[Path, ...]:
    """The directories of private checks, from wherever ``check`` would take them."""
    from ipv6check.config import sources  # noqa: PLC0415
    from ipv6check.reports.formats import format_names  # noqa: PLC0415

    given = {"checks-dir": checks_dir}
    return sources.load(given, os.environ, _here(), format_names()).checks_dir


def _demo() -> None:
    """Check one healthy host and four broken ones, all on this machine: no network needed."""
    from ipv6check.commands import demo  # noqa: PLC0415

    sys.exit(demo.run())


def _init(targets: Any = None, *, config: Any = "ipv6check.toml") -> None:
    """Write a commented ipv6check.toml to begin with, these targets as its first service."""
    from ipv6check.commands import init  # noqa: PLC0415

    sys.stdout.write(f"{init.write(Path(config), targets or [])}\n")


def _schema(kind: Any = "output") -> None:
    """Print a JSON Schema: of json and jsonl, of ipv6check.toml for editors, or of recordings."""
    from ipv6check.commands import schema  # noqa: PLC0415
    from ipv6check.config.toml import ConfigError  # noqa: PLC0415

    try:
        sys.stdout.write(schema.text(kind))
    except ValueError as error:
        raise ConfigError(str(error)) from None
