"""Load checks.d: find the files, read their inputs, and refuse what cannot run before it does."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pkgutil
import re
import sys
import traceback
import types
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from ipv6check import probes as probe_package
from ipv6check.config.target import Target
from ipv6check.engine.checks import pages
from ipv6check.engine.checks.pages import Section
from ipv6check.model import OWN_NAME, BadInputError, Cause, Failure, Finding, Profile, Settings
from ipv6check.model.findings import Explained
from ipv6check.model.text import closest
from ipv6check.net import Net

GIVEN: Mapping[str, type] = {"target": Target, "settings": Settings, "net": Net}
CHECK_ID = re.compile(r"[a-z][a-z0-9_-]*")
# An executable sees what the shipped checks see of a target.
EXECUTABLE_INPUTS = ("addresses", "connections")

Judge = Callable[..., "Finding | Sequence[Finding]"]


class PluginError(BadInputError):
    """A check that cannot be run, or does not exist. One line, with file and line number."""


@dataclass(frozen=True, slots=True)
class Input:
    """One parameter of a probe or check."""

    name: str
    admits_failure: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """One shared observation."""

    name: str
    observe: Callable[..., Awaitable[Any]]
    inputs: tuple[Input, ...]
    returns: frozenset[Any]

    @property
    def pure(self) -> bool:
        """Whether it asks nobody, so that it can be computed again from what was recorded."""
        return all(wanted.name != "net" for wanted in self.inputs)


@dataclass(frozen=True, slots=True)
class Check:
    """One judgement. ``id`` and ``path`` are filled in from the file.

    ``findings``: all that it can give, from its decorator or from the page beside it; empty where
    neither has any. ``text``: what it looks at and why, from the page or from the file's docstring.
    ``looks_at``: what it looks at, in a word or two. ``measures``: a pass of it shows by itself
    that IPv6 works; where packets are its facts, those show it.
    """

    judge: Judge
    about: str
    reference: str
    cause: Cause
    inputs: tuple[Input, ...] = ()
    id: str = ""
    path: Path = Path()
    text: str = ""
    findings: tuple[Explained | Section, ...] = ()
    looks_at: str = ""
    measures: bool = True

    @property
    def roots(self) -> Mapping[str, tuple[str, ...]]:
        """By finding: the checks that tell its root cause, the first cause first."""
        return {finding.id: tuple(finding.see.split()) for finding in self.findings if finding.see}

    @property
    def executable(self) -> bool:
        """Whether it is a program of its own."""
        return self.path.suffix != ".py"


@dataclass(frozen=True, slots=True)
class Plan:
    """The checks to run, by name, and the probes they need, inputs first.

    ``roots``: checks that are not to run, and judge the root causes of those that are.
    """

    checks: tuple[Check, ...]
    probes: tuple[Probe, ...]
    roots: tuple[Check, ...] = ()


def check(
    *,
    reference: str = "",
    cause: str | Cause,
    findings: Sequence[Explained] = (),
    looks_at: str = "",
    measures: bool = True,
) -> Callable[[Judge], Check]:
    """Make a function a check. ``cause`` is what its findings carry unless they say otherwise.

    ``findings`` tells all that it can find; where it is given, a Finding that it does not name is a
    defect of the check. ``looks_at`` names what it looks at, as a report tells it. ``measures``:
    whether a pass of it shows by itself that the target's IPv6 works.
    """

    def decorate(judge: Judge) -> Check:
        if not inspect.isfunction(judge):
            raise TypeError(f"@check marks a plain function, not {judge!r}")
        about = inspect.getdoc(judge) or ""
        return Check(
            judge,
            about,
            reference,
            Cause(cause),
            findings=_explained(findings),
            looks_at=looks_at,
            measures=measures,
        )

    return decorate


def _explained(findings: Sequence[Explained]) -> tuple[Explained, ...]:
    seen = set()
    for each in findings:
        if not isinstance(each, Explained):
            raise TypeError(f"findings holds {each!r}, which is no Explained")
        if each.id in seen:
            raise ValueError(f'finding "{each.id}" is explained twice')
        seen.add(each.id)
    return tuple(findings)


@dataclass(frozen=True, slots=True)
class Found:
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
        return Plan(tuple(chosen), _needed((*chosen, *roots), self.probes), roots)

    def _roots(self, chosen: Iterable[Check]) -> tuple[Check, ...]:
        """The checks that tell root causes of these, and are none of them."""
        known = {each.id: each for each in chosen}
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


def find(directories: Iterable[Path] = ()) -> Found:
    """Shipped checks, then those of private directories; a same-named file replaces.

    Raises PluginError for a broken file or an unknown input.
    """
    probes = all_probes()
    found: dict[str, Check] = {}
    for directory in (shipped_directory(), *directories):
        found.update({item.id: item for item in _load_directory(directory, probes)})
    for each in found.values():
        for name in {name for names in each.roots.values() for name in names} - found.keys():
            raise PluginError(f'{each.path}: "{name}" is not a check to see{nearest(name, found)}')
    return Found(found, probes)


def load(
    directories: Iterable[Path] = (),
    only: Iterable[str] = (),
    skip: Iterable[str] = (),
    profile: Profile | None = None,
) -> Plan:
    """The plan of a run with these directories. Raises PluginError."""
    return find(directories).plan(only, skip, profile)


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of an error's line: the valid name that was probably meant, or all of them."""
    names = sorted(names)
    near = closest(name, names)
    return f'; did you mean "{near}"?' if near else f"; there are: {', '.join(names)}"


def shipped_directory() -> Path:
    """Our own checks.d: inside the wheel, or beside the package in an editable install."""
    package = Path(__file__).parents[2]
    inside = package / "checks.d"
    return inside if inside.is_dir() else package.parent / "checks.d"


def _load_directory(directory: Path, probes: Mapping[str, Probe]) -> list[Check]:
    try:
        files = sorted(path for path in directory.iterdir() if path.is_file())
    except OSError as error:
        raise PluginError(f"{directory}: {error.strerror}") from error
    checks: dict[str, Check] = {}
    for path in files:
        if path.name.startswith((".", "_")) or path.suffix == pages.SUFFIX:
            continue  # a page is no program, even where a file system calls every file executable
        if path.suffix == ".py":
            found = _load_python(path, probes)
        elif os.access(path, os.X_OK):
            found = _load_executable(path)
        else:
            continue
        if found.id in checks:
            raise PluginError(f"{path}: {checks[found.id].path.name} is check {found.id} already")
        checks[found.id] = found
    return list(checks.values())


def _load_executable(path: Path) -> Check:
    def judge() -> Finding:
        raise NotImplementedError

    inputs = tuple(Input(name, admits_failure=True) for name in EXECUTABLE_INPUTS)
    about = f"What the program {path.name} says."
    return Check(judge, about, "", Cause.APPLICATION, inputs, _id(path), path)


def _load_python(path: Path, probes: Mapping[str, Probe]) -> Check:
    identifier = _id(path)
    module = _import(path, f"ipv6check_checks_d.{identifier.replace('-', '_')}")
    found = [item for item in vars(module).values() if isinstance(item, Check)]
    if len(found) != 1:
        raise PluginError(f"{path}:1: holds {len(found)} functions marked @check, wants one")
    line = found[0].judge.__code__.co_firstlineno
    try:
        inputs = _read_inputs(found[0].judge, probes, allowed={"target", "settings"})
    except PluginError as error:
        raise PluginError(f"{path}:{line}: {error}") from error
    if not found[0].about:
        raise PluginError(f"{path}:{line}: the check has no docstring to say what it checks")
    text = inspect.getdoc(module) or ""
    loaded = replace(found[0], inputs=inputs, id=identifier, path=path, text=text)
    return loaded if loaded.findings else _with_page(loaded)


def _with_page(check: Check) -> Check:
    """The check with the findings of the page beside it, if there is a page that has any."""
    path = check.path.with_suffix(pages.SUFFIX)
    try:
        page = pages.read(path)
    except FileNotFoundError:
        return check
    except (OSError, ValueError) as error:
        raise PluginError(f"{path}: {_one_line(error)}") from error
    return replace(check, text=page.intro, findings=page.findings) if page.findings else check


def _id(path: Path) -> str:
    if not CHECK_ID.fullmatch(path.stem):
        raise PluginError(f'{path}: "{path.stem}" cannot be a check\'s name (a-z, 0-9, _ and -)')
    if path.stem == OWN_NAME:
        raise PluginError(f'{path}: "{OWN_NAME}" is what reports call a target as a whole')
    return path.stem


def _import(path: Path, name: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise  # the user's
    except BaseException as error:
        del sys.modules[name]
        raise PluginError(f"{path}:{_line(error, path)}: {_one_line(error)}") from error
    return module


def _line(error: BaseException, path: Path) -> int:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 1
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return (lines[-1] if lines else None) or 1


def _one_line(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {' '.join(text.split())}"


def all_probes() -> dict[str, Probe]:
    """Every probe of the package, by its module's name."""
    found: dict[str, Probe] = {}
    functions = {}
    for module in pkgutil.iter_modules(probe_package.__path__):
        loaded = importlib.import_module(f"{probe_package.__name__}.{module.name}")
        functions[module.name] = getattr(loaded, module.name)
    returns = {
        name: _alternatives(typing.get_type_hints(function)["return"])
        for name, function in functions.items()
    }
    for name, function in functions.items():
        stubs = {key: Probe(key, function, (), value) for key, value in returns.items()}
        inputs = _read_inputs(function, stubs, allowed=set(GIVEN))
        found[name] = Probe(name, function, inputs, returns[name])
    return found


def _read_inputs(
    function: Callable[..., Any], probes: Mapping[str, Probe], *, allowed: set[str]
) -> tuple[Input, ...]:
    """The parameters as inputs. Raises PluginError where a name or its annotation is wrong."""
    if inspect.iscoroutinefunction(function) and "net" not in allowed:
        raise PluginError("a check judges and does no I/O: make it a plain function")
    try:
        hints = typing.get_type_hints(function)
    except Exception as error:  # an annotation is evaluated, and may be anything
        raise PluginError(f"annotation: {_one_line(error)}") from error
    return tuple(
        _read_input(parameter, hints.get(parameter.name), probes, allowed)
        for parameter in inspect.signature(function).parameters.values()
    )


def _read_input(
    parameter: inspect.Parameter, annotation: Any, probes: Mapping[str, Probe], allowed: set[str]
) -> Input:
    name = parameter.name
    if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
        raise PluginError(f'"{parameter}" is no input: inputs are given by name, one by one')
    if name not in allowed and name not in probes:
        raise PluginError(f'"{name}" is no input{nearest(name, {*allowed, *probes})}')
    if annotation is None:
        raise PluginError(f'input "{name}" has no annotation')
    wanted = _alternatives(annotation)
    offered = frozenset({GIVEN[name]}) if name in allowed else probes[name].returns
    if wanted - {Failure} != offered - {Failure}:
        names = " | ".join(sorted(getattr(item, "__name__", str(item)) for item in offered))
        raise PluginError(f'input "{name}" is {names}, not {_name(annotation)}')
    return Input(name, admits_failure=Failure in wanted)


def _alternatives(annotation: Any) -> frozenset[Any]:
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return frozenset(typing.get_args(annotation))
    return frozenset({annotation})


def _name(annotation: Any) -> str:
    return getattr(annotation, "__name__", str(annotation))


def _needed(checks: Iterable[Check], probes: Mapping[str, Probe]) -> tuple[Probe, ...]:
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
