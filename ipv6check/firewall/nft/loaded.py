"""What nft itself makes of a text: what it is to be given, and what it lists then.

nft's JSON says what the rules mean, its text what version 1.0.6 leaves out of the JSON: whether a
table is dormant, on which interface a chain of the hook ingress is, and chains without a name. Both
tell the same handles. The lines are those of the text that was loaded, which our own parser knows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ipv6check.firewall.model import RuleError
from ipv6check.firewall.nft import from_text
from ipv6check.firewall.nft.lexer import MAX_INCLUDES, MAX_SIZE, Include
from ipv6check.firewall.nft.words import Json
from ipv6check.model import Failure, Loading

Load = Callable[[str, str, Sequence[str]], Loading | Failure | None]

MAX_GIVEN = 1 << 20  # characters
_INCLUDE = re.compile(r'[ \t]*include[ \t]+"([^"\n]*)"[ \t]*;?[ \t]*(?:#.*)?')
# Where nft might yet read a file of its own accord: no remark, as those have no quotes.
_REMARK = re.compile(r'#[^"\n]*$|^\s*#.*$', re.MULTILINE)
_INCLUDES = re.compile(r"\binclude\b")
# iptables' matches, of which such a listing has only the names: to nft they are remarks.
_HIDDEN = re.compile(r"#\s*xt_\w")
# Names stand behind these words, or are defined somewhere; one too many does no harm.
_NAMING = re.compile(
    r"\b(?:iif|oif|devices?|define|redefine)\b[^\n;{]*(?:\{[^}]*\})?"
    r"|\biface_index\b[^}]*elements\s*=\s*\{[^}]*\}"
)
_INTERFACE = re.compile(r"[A-Za-z][\w.-]{0,14}(?![\w.-])")


class Given(NamedTuple):
    """A text without includes, and where each of its lines stood: (file, line)."""

    text: str
    origin: Sequence[tuple[str, int]]


def given(text: str, file: str, include: Include | None) -> Given | None:
    """What nft may be given; None where it would not see all that there is."""
    lines = list(_expanded(text, file, include, [MAX_SIZE], 0))
    if any(line is None for line, _ in lines):
        return None
    whole = "\n".join(str(line) for line, _ in lines)
    if len(whole) > MAX_GIVEN:
        return None  # which is a matter of minutes to nft, and of nothing but numbers
    if _INCLUDES.search(_REMARK.sub("", whole)) or _HIDDEN.search(whole):
        return None
    return Given(whole, [origin for _, origin in lines])


def _expanded(
    text: str, file: str, include: Include | None, left: list[int], depth: int
) -> Iterator[tuple[str | None, tuple[str, int]]]:
    """The lines, with those of included files in their place; None for what is not to be had."""
    left[0] -= len(text)
    for number, line in enumerate(text.split("\n"), 1):
        found = _INCLUDE.fullmatch(line)
        if found is None:
            yield line, (file, number)
            continue
        files = include(found[1]) if include and depth < MAX_INCLUDES and left[0] > 0 else None
        if files is None:
            yield None, (file, number)
        for name, content in files or ():
            yield from _expanded(content, name, include, left, depth + 1)


def interfaces(text: str) -> list[str]:
    """The names in a text that may be those of interfaces, which nft looks for."""
    words = (word for naming in _NAMING.findall(text) for word in _INTERFACE.findall(naming))
    return [word for word in dict.fromkeys(words) if word not in _NO_NAMES]


_NO_NAMES = frozenset(
    ("lo", "iif", "oif", "device", "devices", "define", "redefine", "iface_index")
)


def listed(loading: Loading, file: str) -> list[Json]:
    """The objects that nft has listed. Raises RuleError."""
    return combined(loading.document, loading.listing, file)


def combined(document: str, listing: str, file: str) -> list[Json]:
    """Those of nft's JSON, with what only its text says of the same handles. Raises RuleError."""
    read = from_text.parse(listing, file) if listing else []
    try:
        objects = list(json.loads(document)["nftables"]) if document else read
    except (LookupError, RecursionError, TypeError, ValueError):
        raise RuleError(f"{file}:1: not what nft -j prints") from None
    known = {_key(listed): body for listed in read for body in listed.values() if "handle" in body}
    kept = [_completed(item, known) for item in objects]
    return [*kept, *_nameless(read)] if document else kept


def _key(thing: Json) -> tuple[Any, ...]:
    ((kind, body),) = thing.items()
    return kind, body.get("family"), body.get("table"), body.get("handle")


def _completed(thing: Json, known: dict[tuple[Any, ...], Json]) -> Json:
    ((kind, body),) = thing.items()
    if (more := known.get(_key(thing))) is None:
        return thing
    if kind == "table":
        body = {key: value for key, value in body.items() if key != "flags"}
        return {kind: body | {key: more[key] for key in ("flags",) if key in more}}
    if kind == "chain":
        return {kind: body | {key: more[key] for key in ("dev",) if key in more}}
    if kind == "rule":
        nameless = any(isinstance(statement, str) for statement in body["expr"])
        return {kind: body | {key: more[key] for key in ("text", "expr")[: 1 + nameless]}}
    return thing


def _nameless(objects: Iterable[Json]) -> Iterator[Json]:
    """The chains without a name, and their rules."""
    for item in objects:
        ((kind, body),) = item.items()
        name = {"chain": "name", "rule": "chain"}.get(kind)
        if name and str(body[name]).startswith(from_text.NAMELESS):
            yield item


def placed(objects: Sequence[Json], read: Sequence[Json]) -> list[Json]:
    """With the place and the text of each chain and rule where it was written.

    ``read`` is what our own parser makes of the same text: the rules of a chain are in the same
    order. Where it has others, nothing is said of places.
    """
    mine, theirs = _rules(read), _rules(objects)
    lines = {
        id(rule): (own if len(own) == len(rules) else [{}] * len(rules))[at]
        for chain, rules in theirs.items()
        for own in [mine.get(chain, [])]
        for at, rule in enumerate(rules)
    }
    chains = {
        _chain(body): body for thing in read for kind, body in thing.items() if kind == "chain"
    }
    found = []
    for thing in objects:
        ((kind, body),) = thing.items()
        own = lines.get(id(body)) if kind == "rule" else chains.get(_chain(body), {})
        body = {key: value for key, value in body.items() if key not in {"handle", "line", "file"}}
        if kind in {"rule", "chain"} and own:
            body |= {key: own[key] for key in ("line", "file", "text") if key in own}
        found.append({kind: body})
    return found


def _chain(body: Json) -> tuple[Any, ...]:
    return body.get("family"), body.get("table"), body.get("name")


def _rules(objects: Iterable[Json]) -> dict[tuple[Any, ...], list[Json]]:
    found: dict[tuple[Any, ...], list[Json]] = {}
    for thing in objects:
        if body := thing.get("rule"):
            found.setdefault((body["family"], body["table"], body["chain"]), []).append(body)
    return found
