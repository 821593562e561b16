"""The plan of each service, live or recorded: which checks, which settings, whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ipv6check.config.options import Options
from ipv6check.config.services import checks_named
from ipv6check.engine.checks import loader
from ipv6check.engine.checks.api import PluginError
from ipv6check.engine.checks.planning import AvailableChecks
from ipv6check.engine.plan import ServicePlan
from ipv6check.eyeballs import clients
from ipv6check.model import ServiceInfo, Settings


def plans_of(options: Options, *, brief: bool = False) -> Mapping[str, ServicePlan]:
    """The plan of each service, by its name; "" is for targets of none.

    Reads the files that the options name: of checks, of clients, of firewall rules. ``brief``:
    there are many targets, so each is asked no more than is needed (see `Settings`).

    Raises ClientsError, PluginError or RuleError.
    """
    settings = replace(with_rules(options), brief=brief)
    return of_services(options, settings, _available(options))


def plans_again(services: Mapping[str, ServiceInfo], options: Options) -> Mapping[str, ServicePlan]:
    """The same for what was recorded, as these services were."""
    return of_recording(services, options, _available(options))


def _available(options: Options) -> AvailableChecks:
    """The checks to choose from; the files of clients are read, and each name is known."""
    clients.load(options.clients_dir)
    available = loader.find(options.checks_dir)
    require_checks(options, available)
    return available


def of_services(
    options: Options, settings: Settings, available: AvailableChecks
) -> Mapping[str, ServicePlan]:
    """The plan of each service, with checks out of those that were available."""
    plans = {"": _plan(settings, available)}
    for service in options.services:
        own = replace(
            settings,
            profile=service.judged_by(options.profile),
            ports=service.ports or settings.ports,
        )
        plans[service.name] = replace(
            _plan(own, available),
            owner=service.owner,
            requires=service.vantage,
            no_ipv6=service.no_ipv6,
        )
    return plans


def _plan(settings: Settings, available: AvailableChecks) -> ServicePlan:
    return ServicePlan(available.plan(settings.only, settings.skip, settings.profile), settings)


def require_checks(options: Options, available: AvailableChecks) -> None:
    """Raises PluginError where an option, a service or a waiver names a check that is none."""
    named = [
        (check, f"{options.places[option]}: " if option in options.places else "")
        for option in ("only", "skip")
        for check in sorted(getattr(options, option))
    ]
    for check, key, place in checks_named(options.services, options.waivers):
        at = f"{place.file}:{place.line}: " if place is not None else ""
        named.append((check, f"{at}{key}: "))
    for check, where in named:
        try:
            available.require(check)
        except PluginError as error:
            raise PluginError(f"{where}{error}") from None


def with_rules(options: Options) -> Settings:
    """The settings with the rules of ``--firewall``. Raises RuleError."""
    if not options.firewall:
        return options.settings
    from ipv6check.engine import rule_files  # noqa: PLC0415 - few runs have rules

    _, rules = rule_files.read_rules(
        [str(path) for path in options.firewall], nft=not options.no_nft
    )
    return replace(options.settings, rules=rules)


def of_recording(
    services: Mapping[str, ServiceInfo], options: Options, available: AvailableChecks
) -> Mapping[str, ServicePlan]:
    """The plan of each recorded service. Raises PluginError, RuleError."""
    given = with_rules(options)
    return {
        name: replace(
            _replanned(info, _regraded(info, options, given), options, available),
            owner=info.owner,
            requires=info.requires,
            no_ipv6=info.no_ipv6,
        )
        for name, info in services.items()
    }


def _regraded(info: ServiceInfo, options: Options, given: Settings) -> Settings:
    """How it is judged now: as it was then, but for what somebody asks for today.

    What is read from here, and how long is waited, is never a recording's to say.
    """
    recorded = info.settings
    rules = given.rules
    if rules is None and info.rules is not None:
        from ipv6check.engine import rule_files  # noqa: PLC0415 - few runs have rules

        rules = rule_files.rules_again(info.rules)
    then = recorded.profile
    profile = replace(options.profile, ports=then.ports, graded=then.graded)
    return replace(
        given,
        profile=profile if "profile" in options.given else then,
        only=options.only if "only" in options.given else recorded.only,
        skip=options.skip if "skip" in options.given else recorded.skip - options.only,
        ports=recorded.ports,
        internal=recorded.internal,
        happy_eyeballs=recorded.happy_eyeballs,
        connection_attempt_delay_ms=recorded.connection_attempt_delay_ms,
        resolution_delay_ms=recorded.resolution_delay_ms,
        brief=recorded.brief,
        rules=rules,
    )


def _replanned(
    info: ServiceInfo, settings: Settings, options: Options, available: AvailableChecks
) -> ServicePlan:
    """The checks that judged then, unless others are asked for today."""
    if options.given & {"only", "profile"}:
        return _plan(settings, available)
    try:
        return ServicePlan(available.plan(info.checks, settings.skip, settings.profile), settings)
    except PluginError as error:
        raise PluginError(f"{error}; the recording was judged by it: --checks-dir") from None


def recordable(plans: Mapping[str, ServicePlan]) -> Mapping[str, ServiceInfo]:
    """What a recording holds of each service."""
    return {name: _recordable(plan) for name, plan in plans.items()}


def _recordable(plan: ServicePlan) -> ServiceInfo:
    """What a recording holds of it. Directories are this host's, and rules are texts there."""
    settings = plan.settings
    rules = None
    if settings.rules is not None:
        from ipv6check.firewall.model import RuleSet  # noqa: PLC0415 - few runs have rules

        assert isinstance(settings.rules, RuleSet)
        rules = settings.rules.source
    bare = replace(settings, rules=None, clients_dirs=())
    checks = frozenset(check.id for check in plan.plan.checks)
    return ServiceInfo(bare, plan.owner, plan.requires, rules, checks, plan.no_ipv6)
