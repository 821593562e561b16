"""What was observed, as lines of JSON: the format of ``--save observations=PATH``.

A header, a line for each target, and a line that says how many there were, without which a
recording is truncated. Facts are written and read by their own types: pydantic knows them from the
probes' annotations, and so does the JSON Schema of the format. An infinite time is ``Infinity``.
What reads a recording takes it for hostile.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from math import inf
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Union

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from ipv6check.config.target import TargetError, parse
from ipv6check.engine.checks.inputs import all_probes
from ipv6check.engine.observe import RecordedTarget
from ipv6check.model import (
    Failure,
    Observed,
    Place,
    RecordingError,
    RunInfo,
    ServiceInfo,
    Settings,
    Summary,
    TargetReport,
    Vantage,
)
from ipv6check.model.text import harmless, printable, quoted

VERSION = "1"
MAX_LINE = 64 << 20  # bytes; a rule set alone may have half of that
# No count, and no time in milliseconds, comes near.
LARGEST = 10**15
MAX_DIGITS = 40
# As many as `--retries` can ask for, and the first one.
MAX_ATTEMPTS = 11

_CONFIG = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
_Time = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}Z$")]
_Count = Annotated[int, Field(ge=0)]
_Milliseconds = Annotated[float, Field(ge=0)]
_OTHER_KEYS = frozenset({"missing", "unexpected_keyword_argument"})
# Called with types that are known when it runs, which mypy has no words for.
_DICT: Any = TypedDict


class Tool(TypedDict):
    """What wrote it."""

    name: str
    version: str


class Header(TypedDict):
    """The first line."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]

    observations_version: Literal["1"]
    tool: Tool
    started_at: _Time
    vantage: Vantage
    total: _Count | None
    services: dict[str, ServiceInfo]


class End(TypedDict):
    """The last line. The vantage is what was known of it at the end.

    ``interrupted``: the run was stopped early, so targets may be missing.
    """

    __pydantic_config__ = _CONFIG  # type: ignore[misc]

    targets: _Count
    duration_ms: _Milliseconds
    interrupted: NotRequired[bool]
    vantage: Vantage


def header(run: RunInfo, vantage: Vantage) -> str:
    """The first line of a run."""
    values = {
        "observations_version": VERSION,
        "tool": {"name": "ipv6check", "version": run.version},
        "started_at": run.started_at,
        "vantage": vantage,
        "total": run.total,
        "services": run.services,
    }
    return _line(_types().header, values)


def target(report: TargetReport) -> str:
    """The line of a target."""
    values = {
        "target": report.text,
        "service": report.service,
        "place": report.place,
        "duration_ms": report.duration_ms,
        "attempts": [
            {"facts": attempt.facts, "known_ms": attempt.known_ms} for attempt in report.observed
        ],
    }
    return _line(_types().line, values)


def end(summary: Summary, vantage: Vantage) -> str:
    """The last line."""
    number = sum(summary.verdicts.values())
    values = {
        "targets": number,
        "duration_ms": summary.duration_ms,
        "interrupted": summary.interrupted,
        "vantage": vantage,
    }
    return _line(_types().end, values)


def read_header(line: bytes) -> tuple[RunInfo, Vantage]:
    """The run, and its vantage as known when it began. Raises RecordingError."""
    plain = _plain(line)
    version = plain.get("observations_version")
    if version is None:
        raise RecordingError("not a recording of ipv6check: no observations_version")
    if version != VERSION:
        raise RecordingError(f"of version {quoted(str(version))}: this ipv6check reads {VERSION}")
    values = _typed(_types().header, line, plain)
    services = {
        printable(name): replace(
            _safe(info),
            settings=_safe_settings(info.settings),
            checks=frozenset(map(printable, info.checks)),
        )
        for name, info in values["services"].items()
    }
    if "" not in services:
        raise RecordingError('services: nothing for targets of none, whose name is ""')
    version = printable(values["tool"]["version"])
    return RunInfo(version, values["started_at"], values["total"], services), _safe(
        values["vantage"]
    )


def read(line: bytes, services: Mapping[str, ServiceInfo]) -> RecordedTarget | End:
    """A target, or the end. Raises RecordingError."""
    plain = _plain(line)
    if "targets" in plain:
        end: End = _typed(_types().end, line, plain)
        return {**end, "vantage": _safe(end["vantage"])}
    values = _typed(_types().line, line, plain)
    service, place = values["service"], values["place"]
    if service not in services:
        raise RecordingError(f"service: {quoted(service)} is not in the header")
    try:
        target = parse(values["target"])
    except TargetError as error:
        raise RecordingError(f"target: {error}") from None
    attempts = tuple(
        Observed(attempt["facts"], attempt["known_ms"]) for attempt in values["attempts"]
    )
    named = replace(target, place=place and _safe(place), service=service)
    return RecordedTarget(named, attempts, values["duration_ms"])


def schema() -> str:
    """The JSON Schema of a line, computed; a copy of it ships in the package."""
    any_line: Any = Union[*(kind.type for kind in _types())]
    found = TypeAdapter(any_line).json_schema()
    about = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a recording of ipv6check",
        "description": "A header, a line for each target, an end. A time may be Infinity.",
    }
    return json.dumps(about | found, indent=2, sort_keys=True) + "\n"


class _Adapter:
    """A type, and what pydantic makes of it."""

    def __init__(self, type_: Any) -> None:
        self.type = type_
        self.pydantic: TypeAdapter[Any] = TypeAdapter(type_)


class _Types(NamedTuple):
    """The three kinds of lines."""

    header: _Adapter
    line: _Adapter
    end: _Adapter


@cache
def _types() -> _Types:
    """The facts are those of every probe that asks somebody: the others are computed from them."""
    kinds = {
        name: Union[*sorted(probe.returns | {Failure}, key=str)]
        for name, probe in sorted(all_probes().items())
        if not probe.pure
    }
    facts = _DICT("Facts", kinds, total=False)
    attempt: Any = _DICT("Observed", {"facts": facts, "known_ms": dict[str, _Milliseconds]})
    line = _DICT(
        "Line",
        {
            "target": str,
            "service": str,
            "place": Place | None,
            "duration_ms": _Milliseconds,
            "attempts": Annotated[list[attempt], Field(min_length=1, max_length=MAX_ATTEMPTS)],
        },
    )
    line.__pydantic_config__ = _CONFIG
    return _Types(_Adapter(Header), _Adapter(line), _Adapter(End))


def _line(adapter: _Adapter, values: Mapping[str, Any]) -> str:
    """One line of ASCII: whatever the network sent is in escapes."""
    plain = adapter.pydantic.dump_python(values, warnings="error")
    # A set has no order to keep.
    text = json.dumps(plain, default=sorted, separators=(",", ":"), check_circular=False)
    if len(text) > MAX_LINE:
        raise OSError(errno.EFBIG, f"a line of more than {MAX_LINE} bytes")
    return text + "\n"


def _plain(line: bytes) -> dict[str, Any]:
    """The line as plain data, without what JSON leaves open and readers differ in."""
    if len(line) > MAX_LINE:
        raise RecordingError(f"a line of more than {MAX_LINE} bytes")
    try:
        plain = json.loads(
            line.decode(),
            object_pairs_hook=_object,
            parse_int=_number(int),
            parse_float=_number(float),
            parse_constant=_constant,
        )
    except UnicodeDecodeError:
        raise RecordingError("not UTF-8") from None
    except RecursionError:
        raise RecordingError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise RecordingError(f"not JSON: {error.msg} at column {error.colno}") from None
    if not isinstance(plain, dict):
        raise RecordingError("not a JSON object")
    return plain


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise RecordingError(f"{quoted(twice)} twice in one object")
    return found


def _number(kind: type[int | float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        if len(text) > MAX_DIGITS or not abs(number := kind(text)) <= LARGEST:
            raise RecordingError(f"{quoted(text)} is too large a number")
        return number

    return read


def _constant(name: str) -> float:
    if name != "Infinity":
        raise RecordingError(f"{name} is not a number that a recording may hold")
    return inf


def _typed(adapter: _Adapter, line: bytes, plain: dict[str, Any]) -> Any:
    try:
        return adapter.pydantic.validate_json(line)
    except ValidationError as error:
        # Of the alternatives that a value could have been, the one that it comes nearest to: of the
        # others whole keys are missing.
        nearest = max(
            error.errors(include_url=False),
            key=lambda detail: (detail["type"] not in _OTHER_KEYS, len(detail["loc"])),
        )
        where = ".".join(_path(nearest["loc"], plain)) or "line"
        raise RecordingError(
            f"{where}: {harmless(nearest['msg'].removeprefix('Value error, '), 200)}"
        ) from None


def _path(loc: Sequence[int | str], plain: Any) -> Iterator[str]:
    """The steps of pydantic's path that are in the data; the others name alternatives of a type."""
    for step in loc:
        inside = isinstance(plain, dict) and str(step) in plain
        if inside or (isinstance(plain, list) and isinstance(step, int) and step < len(plain)):
            plain = plain[str(step) if inside else step]
            yield harmless(str(step))
        elif step == loc[-1] and isinstance(step, str):
            yield harmless(step)


def _safe_settings(settings: Settings) -> Settings:
    """The names of checks are told where they do not exist."""
    return replace(
        settings,
        profile=_safe(settings.profile),
        only=frozenset(map(printable, settings.only)),
        skip=frozenset(map(printable, settings.skip)),
    )


def _safe(found: Any) -> Any:
    """What reaches a terminal without a check: its texts made harmless (law 8)."""
    texts = {part.name: getattr(found, part.name) for part in fields(found)}
    return replace(
        found, **{name: printable(text) for name, text in texts.items() if isinstance(text, str)}
    )
