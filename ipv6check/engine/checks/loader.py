"""Find the files of checks, import them, and refuse what cannot run before anything does."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import sys
import traceback
import types
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ipv6check.engine.checks import pages
from ipv6check.engine.checks.api import Check, Input, Plan, PluginError, Probe
from ipv6check.engine.checks.inputs import all_probes, nearest, one_line, read_inputs
from ipv6check.engine.checks.planning import AvailableChecks
from ipv6check.model import OWN_NAME, Cause, Finding, Profile

CHECK_ID = re.compile(r"[a-z][a-z0-9_-]*")
# An executable sees what the shipped checks see of a target.
EXECUTABLE_INPUTS = ("addresses", "connections")


def find(directories: Iterable[Path] = ()) -> AvailableChecks:
    """Shipped checks, then those of private directories; a same-named file replaces.

    Raises PluginError for a broken file or an unknown input.
    """
    probes = all_probes()
    checks: dict[str, Check] = {}
    for directory in (shipped_directory(), *directories):
        checks.update({check.id: check for check in _load_directory(directory, probes)})
    for check in checks.values():
        for name in {name for names in check.roots.values() for name in names} - checks.keys():
            raise PluginError(
                f'{check.path}: "{name}" is not a check to see{nearest(name, checks)}'
            )
    return AvailableChecks(checks, probes)


def load(
    directories: Iterable[Path] = (),
    only: Iterable[str] = (),
    skip: Iterable[str] = (),
    profile: Profile | None = None,
) -> Plan:
    """The plan of a run with these directories. Raises PluginError."""
    return find(directories).plan(only, skip, profile)


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
            check = _load_python(path, probes)
        elif os.access(path, os.X_OK):
            check = _load_executable(path)
        else:
            continue
        if check.id in checks:
            raise PluginError(f"{path}: {checks[check.id].path.name} is check {check.id} already")
        checks[check.id] = check
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
    marked = [item for item in vars(module).values() if isinstance(item, Check)]
    if len(marked) != 1:
        raise PluginError(f"{path}:1: defines {len(marked)} @check functions, expected 1")
    line = marked[0].judge.__code__.co_firstlineno
    try:
        inputs = read_inputs(marked[0].judge, probes, allowed={"target", "settings"})
    except PluginError as error:
        raise PluginError(f"{path}:{line}: {error}") from error
    if not marked[0].about:
        raise PluginError(f"{path}:{line}: the check has no docstring to say what it checks")
    text = inspect.getdoc(module) or ""
    loaded = replace(marked[0], inputs=inputs, id=identifier, path=path, text=text)
    return loaded if loaded.findings else _with_page(loaded)


def _with_page(check: Check) -> Check:
    """The check with the findings of the page beside it, if there is a page that has any."""
    path = check.path.with_suffix(pages.SUFFIX)
    try:
        page = pages.read(path)
    except FileNotFoundError:
        return check
    except (OSError, ValueError) as error:
        raise PluginError(f"{path}: {one_line(error)}") from error
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
        raise PluginError(f"{path}:{_line(error, path)}: {one_line(error)}") from error
    return module


def _line(error: BaseException, path: Path) -> int:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 1
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return (lines[-1] if lines else None) or 1
