"""``ipv6check check``: its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from ipv6check.commands import debug as debugging
from ipv6check.commands.parsing import Command, Debug, Text, Texts, opt, options_of, typer_app
from ipv6check.config.options import WHAT, Options
from ipv6check.config.target import Target, TargetError, parse

HELP = """Check targets: names, addresses or URLs.

Exit codes: 0 nothing at or above the threshold, 1 findings at or above it, 2 usage or
configuration, 3 could not be measured from here, 4 internal error, 130 interrupted. With
-f nagios those of a monitoring plugin: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.

Each option can also be set in ipv6check.toml (table [check]) or in the environment
(IPV6CHECK_TIMEOUT=5). Flags win over the environment, the environment wins over the file."""

EXAMPLES = """Examples:

\b
  ipv6check example.com example.com:8443 https://example.com/health
  ipv6check smtp://mx.example.com --profile mail
  ipv6check '[2001:db8::1]:443' --only tcp --timeout 1 -v
  ipv6check new.example --resolve new.example:2001:db8::1
  ipv6check -i targets.txt -f jsonl --save junit=report.xml"""


app = typer_app()


@app.command("check", cls=Command, help=HELP, epilog=EXAMPLES)
def check(
    targets: Annotated[
        Texts, typer.Argument(metavar="[TARGET]...", help="What to check; see the examples.")
    ] = None,
    *,
    input: Annotated[  # noqa: A002 - the option's name
        Text,
        typer.Option(
            "--input",
            "-i",
            metavar="FILE",
            help="Read targets from FILE too, one a line (- for standard input).",
            rich_help_panel=WHAT,
        ),
    ] = None,
    port: Annotated[Texts, opt("port")] = None,
    profile: Annotated[Text, opt("profile")] = None,
    only: Annotated[Texts, opt("only")] = None,
    skip: Annotated[Texts, opt("skip")] = None,
    firewall: Annotated[Texts, opt("firewall")] = None,
    no_nft: Annotated[bool, opt("no-nft")] = False,
    checks_dir: Annotated[Texts, opt("checks-dir")] = None,
    config: Annotated[Text, opt("config")] = None,
    replay: Annotated[Text, opt("replay")] = None,
    resolve: Annotated[Texts, opt("resolve")] = None,
    nameserver: Annotated[Texts, opt("nameserver")] = None,
    timeout: Annotated[Text, opt("timeout")] = None,
    deadline: Annotated[Text, opt("deadline")] = None,
    retries: Annotated[Text, opt("retries")] = None,
    run_deadline: Annotated[Text, opt("run-deadline")] = None,
    parallel: Annotated[Text, opt("parallel")] = None,
    internal: Annotated[bool, opt("internal")] = False,
    control: Annotated[Texts, opt("control")] = None,
    no_controls: Annotated[bool, opt("no-controls")] = False,
    happy_eyeballs: Annotated[Text, opt("happy-eyeballs")] = None,
    connection_attempt_delay: Annotated[Text, opt("connection-attempt-delay")] = None,
    resolution_delay: Annotated[Text, opt("resolution-delay")] = None,
    clients_dir: Annotated[Texts, opt("clients-dir")] = None,
    format: Annotated[Text, opt("format")] = None,  # noqa: A002 - the option's name
    save: Annotated[Texts, opt("save")] = None,
    quiet: Annotated[bool, opt("quiet")] = False,
    verbose: Annotated[bool, opt("verbose")] = False,
    debug: Debug = False,
    fail_on: Annotated[Text, opt("fail-on")] = None,
    on_unknown: Annotated[Text, opt("on-unknown")] = None,
    baseline: Annotated[Text, opt("baseline")] = None,
) -> int:
    """Check targets, or judge a recording again; the exit code."""
    given = locals()
    # Late: the help needs no engine.
    from ipv6check.commands import run  # noqa: PLC0415

    named, path = given.pop("targets") or (), given.pop("input")
    if given.pop("debug"):
        debugging.start()
    options = options_of(given)
    if options.replay is None:
        return run.check(options, _targets(options, named, path), path)
    if named or path is not None:
        raise TargetError("--replay takes no targets: they come from the recording")
    return run.replay(options)


def _targets(options: Options, texts: Sequence[str], path: str | None) -> list[Target]:
    """The targets to begin with: those named, or the profile's own, or those of the services."""
    of_services = options.named
    named = [target for text in texts for target in of_services(parse(text))]
    if named or path is not None:
        return named
    own = options.profile.target
    targets = [parse(own)] if own else [*options.targets]
    if not targets:
        raise TargetError("no target: name one, use -i FILE, or list services in ipv6check.toml")
    return targets
