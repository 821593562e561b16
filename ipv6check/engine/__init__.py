"""Loads checks, plans, observes, judges and tries again: targets in, reports out.

What calls it needs no more than the functions here (docs/library.md shows how). The engine knows
no terminal, no signal, no environment and no file but those that the options name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Mapping

    from ipv6check.config.options import Options
    from ipv6check.config.target import Target
    from ipv6check.engine.observe import RecordedTarget
    from ipv6check.engine.plan import ServicePlan
    from ipv6check.engine.watch import Watch
    from ipv6check.engine.workers import Run
    from ipv6check.model import TargetReport
    from ipv6check.net import Net

# Imports are late: whoever needs a part of the engine alone does not wait for the whole of it.


def plans(options: Options, *, brief: bool = False) -> Mapping[str, ServicePlan]:
    """What is done with targets: by the name of their service, "" for those of none.

    Args:
        options: as on the command line. The files of checks, clients and firewall rules that they
            name are read now.
        brief: there are many targets, so each is asked no more than its verdict needs.

    Raises:
        ClientsError, PluginError, RuleError: one line on what is wrong with one of the files.
    """
    from ipv6check.engine import services  # noqa: PLC0415

    return services.plans_of(options, brief=brief)


def run(
    jobs: Mapping[str, ServicePlan],
    targets: AsyncIterable[Target | RecordedTarget],
    net: Net | None,
    *,
    keep: bool = False,
    ahead: int | None = None,
    watch: Watch | None = None,
) -> Run:
    """Examine targets: a run to iterate over, once, with ``async for number, report in run``.

    Reports come as their targets are done. The run's ``stop()`` ends it early: what is known by
    then is still reported. After the iteration, its ``summary`` is what the reports add up to.

    Args:
        jobs: what is done with the targets, by the name of their service. The settings of "" say
            how the run as a whole goes: ``parallel``, ``timeout_s``, ``run_deadline_s``.
        targets: taken one by one, as there is room for them.
        net: the vantage, which the caller closes; None where every target was recorded.
        keep: let each report hold what was observed.
        ahead: let no target be done so many places before an unfinished one; None for no limit.
        watch: who is told of what is under way.
    """
    from ipv6check.engine.workers import Run  # noqa: PLC0415

    return Run(jobs, targets, net, keep=keep, ahead=ahead, watch=watch)


async def examine(
    target: Target | str, net: Net, jobs: Mapping[str, ServicePlan] | None = None
) -> TargetReport:
    """The report of one target.

    Args:
        target: what a user would write, or a parsed one.
        net: the vantage, which the caller closes.
        jobs: what is done with it; that of the command line without any option where there is none.

    Raises:
        TargetError: ``target`` names none.
    """
    from ipv6check.config.options import Options  # noqa: PLC0415
    from ipv6check.config.target import parse  # noqa: PLC0415

    parsed = parse(target) if isinstance(target, str) else target
    wanted = plans(Options()) if jobs is None else jobs
    (report,) = [report async for _, report in run(wanted, _stream([parsed]), net)]
    return report


async def _stream(targets: list[Target]) -> AsyncIterable[Target]:
    for target in targets:
        yield target
