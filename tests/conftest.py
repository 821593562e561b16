"""The switches of the suite, and the fixtures that several test modules share.

Without ``--all`` pytest runs the part that takes a minute anywhere. The rest bears a marker, given
by hand or, where it is certain, here:

- ``lab``: needs the test internet, root, or a Debian package of ``python -m tests.lab packages``;
- ``timing``: holds a duration against a clock, or looks at what a process imports: nothing else
  may run beside it, and coverage does not measure it;
- ``slow``: takes a while, and only varies what the fast part tests too; of the cases of a
  parametrized test, ``slow(after=3)`` keeps the first three in the fast part;
- ``clients``: runs the real clients of tests/clients.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from tests import installed
from tests.lab import Lab
from tests.pace import Lag

# What a shell starts in the background ignores these, and so would all that it starts in turn:
# commands that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

LEFT_OUT = ("lab", "timing", "slow", "clients")
_LAB_FIXTURES = {"lab", "own_lab", "kernel", "needs"}
_left_out = pytest.StashKey[dict[str, int]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Two switches: what to run, and whether it may skip."""
    group = parser.getgroup("ipv6check")
    group.addoption("--all", action="store_true", help=f"also run {', '.join(LEFT_OUT)}")
    group.addoption("--require-lab", action="store_true", help="a test that skips fails")


def pytest_configure(config: pytest.Config) -> None:
    """Nothing is left out yet; all of it runs the command as users start it."""
    installed.starts_afresh = config.option.all
    config.stash[_left_out] = {}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays: the garbage collector need not look at it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses the lab; leave out what is marked, unless --all, -m or a name asks for it."""
    for item in items:
        if _LAB_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("lab")
    if config.option.all or config.option.markexpr or any("::" in arg for arg in config.args):
        return
    reasons = list(_reasons(items))
    left_out = [item for item, reason in zip(items, reasons, strict=True) if reason]
    items[:] = [item for item, reason in zip(items, reasons, strict=True) if not reason]
    config.stash[_left_out] = {name: reasons.count(name) for name in LEFT_OUT if name in reasons}
    config.hook.pytest_deselected(items=left_out)


def _reasons(items: list[pytest.Item]) -> Iterator[str]:
    """Why each test is left out, as a marker; empty where it is not."""
    cases: Counter[str] = Counter()
    for item in items:
        function = item.nodeid.partition("[")[0]
        cases[function] += 1
        slow = item.get_closest_marker("slow")
        is_one_of_the_first = slow is not None and cases[function] <= slow.kwargs.get("after", 0)
        names = [name for name in LEFT_OUT if item.get_closest_marker(name)]
        yield next((name for name in names if name != "slow" or not is_one_of_the_first), "")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist tells how many it left out: each of them collects all tests."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left out"] = session.config.stash[_left_out]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the counts of a worker."""
    node.config.stash[_left_out] = getattr(node, "workeroutput", {}).get("left out", {})


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """One line says what did not run: it is not a pass."""
    counts = config.stash[_left_out]
    if counts:
        parts = ", ".join(f"{count} {name}" for name, count in counts.items())
        left_out = f"{sum(counts.values())} tests ({parts})"
        terminalreporter.line(f"Not run: {left_out}. To run them too: pytest --all")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With --require-lab a test that skips has failed: it has shown nothing."""
    report = yield
    if report.skipped and item.config.option.require_lab and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, with --require-lab: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The test internet, started once for the whole session, or once for each of its workers."""
    if reason := Lab.unavailable():
        pytest.skip(f"the lab cannot run here: {reason}")
    with Lab() as running:
        yield running


@pytest.fixture
def lag() -> Iterator[Lag]:
    """How late this machine is, from the start of the test on."""
    with Lag() as running:
        yield running


@pytest.fixture(scope="session")
def needs() -> Callable[..., None]:
    """Say what a test cannot do without: programs, and the rights of root."""

    def need(*programs: str, root: bool = False) -> None:
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        missing = [name for name in programs if shutil.which(name, path=path) is None]
        reasons = [f"{name} is not installed" for name in missing]
        if root and os.geteuid() != 0:
            reasons.append("this takes root")
        if reasons:
            pytest.skip(" and ".join(reasons))

    return need
