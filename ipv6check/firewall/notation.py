"""Texts to one rule set: the notation is recognised by content, several files are one host.

The kernel runs the rules of all files together. One file may show what another only hints at:
ip6tables-save shows in full the tables of which nft lists a part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from ipv6check.firewall.iptables import save
from ipv6check.firewall.model import (
    IPV4,
    IPV6,
    Chain,
    Gap,
    Refusal,
    RuleError,
    RulePlace,
    RuleSet,
    Table,
)
from ipv6check.firewall.nft import from_json, from_text, loaded, refused
from ipv6check.firewall.nft.lexer import Include
from ipv6check.firewall.nft.loaded import Load
from ipv6check.model import Failure, Kind, Loading

# The commands that list all that nft has.
LISTING, DOCUMENT = "nft -a list ruleset", "nft -j -a list ruleset"
MAX_SIZE = 32 << 20  # characters of one file
# As people name what they keep: rules.v4, ip6tables.rules, iptables-save.txt.
_NAMED = (
    (IPV6, re.compile(r"ip6tables|[._-]v6$", re.IGNORECASE)),
    (IPV4, re.compile(r"[._-]v4$", re.IGNORECASE)),
)
IPTABLES = frozenset({"raw", "mangle", "nat", "filter", "security"})
BUILT_IN = frozenset({"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"})
_COUNTED = re.compile(r"\bcounter packets [0-9]+ bytes [0-9]+\b")
_UNSURE = re.compile(r"^\t* |  |\bct status\b")
_FLUSHES = re.compile(r"^\s*flush\s+ruleset\b", re.MULTILINE)
_DELETES = re.compile(
    r"(?:^|;)[ \t]*(?:delete|destroy|flush)[ \t]+table"
    r"(?:[ \t]+(ip6?|inet|netdev))?[ \t]+([\w./-]+)",
    re.MULTILINE,
)

# What versions of nft differ in: words that 1.0.6 does not have, and priorities by name.
_NEWER = re.compile(
    r"^\s*destroy\b|\b(?:vxlan|geneve|gre|gretap|last)\b(?!-)|invalid priority expression",
    re.MULTILINE,
)
_WHOLE = "Give one file that has all of it, or the output of nft -a list ruleset."


def read(
    files: Sequence[tuple[str, str]], include: Include | None = None, load: Load | None = None
) -> RuleSet:
    """The rule set of a host whose rules are in these files, (name, text) each, and nowhere else.

    ``include`` reads what an nftables file includes: the pattern as written to (name, text) of
    each file, or None where they are not known. ``load`` has nft itself load a text.

    Raises RuleError, with file, line and token, where a text is in no known notation.
    """
    whole = RuleSet()
    texts_of_nft = 0
    for name, text in files:
        if len(text) > MAX_SIZE:
            raise RuleError(f"{name}: is longer than {MAX_SIZE} characters")
        rules, notation = _one(name, text, include, load)
        texts_of_nft += notation == "nft"
        if texts_of_nft > 1 and _FLUSHES.search(text):
            whole.gaps.append(Gap(f"{name} flushes what another file has set"))
        if notation == "nft":
            whole.gaps += _disputed(whole, rules, name, text)
        _add(whole, rules)
    _drop_what_is_shown_twice(whole)
    return whole


def _disputed(before: RuleSet, rules: RuleSet, name: str, text: str) -> Iterator[Gap]:
    """Tables of nft that two files change, so that the order of loading decides."""
    known = {(table.kind, table.name): table for table in before.tables if table.notation == "nft"}
    for kind, deleted in dict.fromkeys(_DELETES.findall(text)):
        if (kind or "ip", deleted) in known:
            whole = f"{kind or 'ip'} {deleted}"
            reason = f"{name} empties the table {whole}, of which another file has a part"
            yield Gap(reason, hint=_WHOLE)
    for table in rules.tables:
        other = known.get((table.kind, table.name))
        if other is None:
            continue
        whole = f"{table.kind} {table.name}"
        for shared in table.sets.keys() & other.sets.keys():
            if table.sets[shared] != other.sets[shared]:
                yield Gap(f"two files differ in the set {shared} of the table {whole}", hint=_WHOLE)
        for chain in table.chains.values():
            same = other.chains.get(chain.name)
            if same and same.base and chain.base and same.base != chain.base:
                reason = f"two files differ in hook, priority or policy of {whole} {chain.name}"
                yield Gap(reason, hint=_WHOLE)


def live(texts: Sequence[tuple[str, str]], missing: Sequence[str]) -> RuleSet:
    """The rules in force, by the texts that the host's own commands print.

    ``missing``: what could not be listed, a clause each. Raises RuleError.
    """
    rules = _live(dict(texts))
    rules.covers = frozenset({IPV4, IPV6})
    rules.gaps += [Gap(reason) for reason in missing]
    return rules


def _live(texts: dict[str, str]) -> RuleSet:
    """The rule set of these texts; nft's two listings are combined into one."""
    listing = texts.pop(LISTING, "") if DOCUMENT in texts else ""
    document = texts.pop(DOCUMENT, "") if listing else ""
    rules = read([*texts.items()])
    if document:
        objects = loaded.combined(document, listing, DOCUMENT)
        _add(rules, from_json.build(objects, DOCUMENT, loaded=True))
        _drop_what_is_shown_twice(rules)
    return rules


def _one(name: str, text: str, include: Include | None, load: Load | None) -> tuple[RuleSet, str]:
    if not text.strip():
        raise RuleError(f"{name}: is empty")
    if from_json.recognised(text):
        return from_json.parse(text, name), "json"
    if save.recognised(text):
        named = _named(name)
        family = named or save.family(text) or IPV6
        rules = save.parse(text, name, family, headers=named is None)
        if not rules.tables:
            raise RuleError(f"{name}: has no table, so it is incomplete")
        for table in rules.tables:
            table.notation = "iptables"
        return rules, "iptables"
    if not from_text.recognised(text):
        first = next(line for line in text.splitlines() if line.strip()).strip()
        raise RuleError(
            f"{name}: is not output of ip6tables-save, ip6tables -S, nft or nft -j: {first[:60]!a}"
        )
    return _nft(name, text, include, load), "nft"


def _nft(name: str, text: str, include: Include | None, load: Load | None) -> RuleSet:
    """The rules as nft has loaded them, where it can load all of the file; else as we read them."""
    wrong, objects = None, []
    try:
        objects = from_text.parse(text, name, include)
        objects += refused.refusals(objects)
        rules = from_json.build(objects, name)
    except RuleError as error:
        wrong, rules = error, RuleSet()
    lines = text.splitlines()
    for table in rules.tables:
        table.opaque = table.opaque or _hides_matches(table, name, lines)
    whole = not any("gap" in item for item in objects) and not any(
        table.opaque for table in rules.tables
    )
    given = loaded.given(text, name, include) if load and whole else None
    loading = load(name, given.text, loaded.interfaces(given.text)) if load and given else None
    if given and isinstance(loading, Loading) and loading.refusal and not wrong:
        line = given.text.split("\n")[max(loading.line, 1) - 1]
        if newer := _NEWER.search(f"{line}\n{loading.refusal}"):
            loading = Failure(Kind.OTHER, f"{loading.nft} may be too old for {newer[0]!a}")
    if given and isinstance(loading, Loading) and loading.refusal:
        place = _refused_at(given, loading)
        reason = f"{loading.nft} refuses it: {loading.refusal}"
        if wrong:
            raise RuleError(f"{place.file}:{place.line or 1}: {reason}")
        return RuleSet(covers=from_json.BOTH, refusals=[Refusal(reason, place)])
    if isinstance(loading, Loading):
        listed = loaded.placed(loaded.listed(loading, name), objects)
        rules = from_json.build(listed, name, loaded=True)
        rules.notes.append(f"{name}: as {loading.nft} has loaded it")
        return rules
    if wrong:
        raise wrong
    if isinstance(loading, Failure):
        rules.notes.append(f"{name}: read without nft ({loading.detail})")
    return rules


def _refused_at(given: loaded.Given, loading: Loading) -> RulePlace:
    file, line = given.origin[min(loading.line, len(given.origin)) - 1]
    return RulePlace(file, line if loading.line else None)


def _hides_matches(table: Table, name: str, lines: Sequence[str]) -> bool:
    """Whether this is nft's listing of a table that ip6tables made, and parts are missing.

    It prints the matches of iptables in its own words; where it has none a second blank is left
    (-m frag), and the negation of a status is lost. iptables counts packets in every rule, which
    rules written by hand do not.
    """
    bases = {chain.name for chain in table.chains.values() if chain.base is not None}
    rules = [rule for chain in table.chains.values() for rule in chain.rules]
    if table.kind not in {"ip", "ip6"} or table.name not in IPTABLES or not bases <= BUILT_IN:
        return False
    if not all(_COUNTED.search(rule.text) for rule in rules):
        return False
    return any(
        _UNSURE.search(lines[rule.place.line - 1])
        for rule in rules
        if rule.place.file == name and rule.place.line
    )


def _named(name: str) -> int | None:
    """The family of the tool that loads a file of this name, None where the name does not say.

    A rules.v6 that iptables-save wrote is loaded by ip6tables-restore all the same.
    """
    base = PurePath(name).name
    return next((family for family, pattern in _NAMED if pattern.search(base)), None)


def _add(whole: RuleSet, rules: RuleSet) -> None:
    """Add the rules of one more file; a table that two files have is one, as to the kernel."""
    for table in rules.tables:
        same = next((other for other in whole.tables if _identity(other) == _identity(table)), None)
        if same is None:
            whole.tables.append(table)
        else:
            same.dormant = same.dormant and table.dormant
            same.opaque = same.opaque or table.opaque
            for name, chain in table.chains.items():
                known = same.chains.setdefault(
                    name, Chain(name, chain.base, [], chain.place, chain.declared)
                )
                if chain.declared and not known.declared:
                    known.base, known.place, known.declared = chain.base, chain.place, True
                known.base = known.base or chain.base
                known.rules += chain.rules
    whole.covers |= rules.covers
    whole.gaps += rules.gaps
    whole.refusals += rules.refusals
    whole.notes += rules.notes


def _identity(table: Table) -> tuple[str, str, str, str]:
    return table.kind, table.name, table.backend, table.notation


def _drop_what_is_shown_twice(rules: RuleSet) -> None:
    """Of a table that two notations show, keep the listing that shows all of it."""
    rules.tables = _without_copies(rules.tables)
    rules.gaps += _incomplete_listings(rules.tables)
    rules.gaps = _still_open(rules.gaps, rules.tables)


def _without_copies(tables: Sequence[Table]) -> list[Table]:
    """The tables without nft's listings of what ip6tables-save shows in full."""
    saved = {
        (table.kind, table.name): table
        for table in tables
        if table.notation == "iptables" and table.backend != "legacy"
    }
    return [
        table
        for table in tables
        if table.notation == "iptables"
        or (table.kind, table.name) not in saved
        or not (table.opaque or saved[table.kind, table.name].backend == "nft")
    ]


def _incomplete_listings(tables: Sequence[Table]) -> list[Gap]:
    """What nft lists of iptables' rules without all of their matches, and nothing else shows."""
    return [
        Gap(f"nft shows only part of the rules that {tool} made: give {tool}-save", families)
        for kind, tool, families in (
            ("ip6", "ip6tables", frozenset({IPV6})),
            ("ip", "iptables", frozenset({IPV4})),
        )
        if any(table.opaque and table.kind == kind for table in tables)
    ]


def _still_open(gaps: Sequence[Gap], tables: Sequence[Table]) -> list[Gap]:
    """The gaps that no other file fills: legacy tables that one file misses may be in another."""
    legacy = {table.kind for table in tables if table.backend == "legacy"}
    families = frozenset().union(*(table.families for table in tables if table.kind in legacy))
    return [
        gap for gap in gaps if gap.reason != save.LEGACY_MISSING or not gap.families <= families
    ]
