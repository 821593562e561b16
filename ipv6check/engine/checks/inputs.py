"""What probes and checks may ask for: their parameters, typed against what there is."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ipv6check import probes as probe_package
from ipv6check.config.target import Target
from ipv6check.engine.checks.api import Input, PluginError, Probe
from ipv6check.eyeballs.clients import Client
from ipv6check.model import Failure, Settings
from ipv6check.model.text import closest
from ipv6check.net import Net

# What is no probe's; the network and the clients are given to probes alone.
GIVEN: Mapping[str, Any] = {
    "target": Target,
    "settings": Settings,
    "net": Net,
    "clients": tuple[Client, ...],
}


def all_probes() -> dict[str, Probe]:
    """Every probe of the package, by its module's name."""
    probes: dict[str, Probe] = {}
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
        inputs = read_inputs(function, stubs, allowed=set(GIVEN))
        probes[name] = Probe(name, function, inputs, returns[name])
    return probes


def read_inputs(
    function: Callable[..., Any], probes: Mapping[str, Probe], *, allowed: set[str]
) -> tuple[Input, ...]:
    """The parameters as inputs. Raises PluginError where a name or its annotation is wrong."""
    if inspect.iscoroutinefunction(function) and "net" not in allowed:
        raise PluginError("a check judges and does no I/O: make it a plain function")
    try:
        hints = typing.get_type_hints(function)
    except Exception as error:  # an annotation is evaluated, and may be anything
        raise PluginError(f"annotation: {one_line(error)}") from error
    return tuple(
        _read_input(parameter, hints.get(parameter.name), probes, allowed)
        for parameter in inspect.signature(function).parameters.values()
    )


def _read_input(
    parameter: inspect.Parameter, annotation: Any, probes: Mapping[str, Probe], allowed: set[str]
) -> Input:
    name = parameter.name
    if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
        raise PluginError(f'"{parameter}" is not an input: each input is a parameter of its own')
    if name not in allowed and name not in probes:
        raise PluginError(f'"{name}" is not an input{nearest(name, {*allowed, *probes})}')
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


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of an error's line: the valid name that was probably meant, or all of them."""
    names = sorted(names)
    near = closest(name, names)
    return f'; did you mean "{near}"?' if near else f"; there are: {', '.join(names)}"


def one_line(error: BaseException) -> str:
    """An exception as one line: its class and its message."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {' '.join(text.split())}"
