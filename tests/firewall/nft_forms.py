"""What we make of each form in nft's own test-suite, beside what the nft of this machine says.

``python -m tests.firewall.nft_forms DIRECTORY``, which is ``tests/py`` of nftables' sources (they
are not part of this project). It needs nft and a network namespace. ``--with-nft``: nft reads what
we judge; without, our own parser does.

Every form is a file of its own: the chains, sets and objects of its test that nft takes, and it. Of
what nft takes we have to be certain, or unclear in that one rule; of what it refuses never certain.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ipv6check.engine.rule_files import rules_of
from ipv6check.firewall.model import RuleError, RuleSet, Unclear

INSIDE = "--inside"
LINKS = ("eth0", "eth1", "eth2", "dummy0", "dummy1", "veth0", "bond0")
FAMILIES = frozenset({"ip", "ip6", "inet", "netdev"})  # others decide nothing here


@dataclass(slots=True)
class _Test:
    """One file of the suite, read up to some line of it."""

    chains: dict[str, str] = field(default_factory=dict)
    tables: list[tuple[str, str, list[str]]] = field(default_factory=list)
    held: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def text(self, table: tuple[str, str, list[str]], chain: str, rule: str) -> str:
        """The file that this rule makes, or a lone object where there is none."""
        family, name, _ = table
        lines = [f"table {family} {name} {{", *self.held.get((family, name), [])]
        lines += [f"chain {chain} {{", f"{self.chains[chain]};" if self.chains[chain] else ""]
        return "\n".join([*filter(None, [*lines, rule]), "}", "}", ""])


def forms(path: Path) -> Iterator[tuple[str, str]]:
    """The forms of one file of the suite, each with the text of the file that it makes."""
    test = _Test()
    for line in path.read_text(encoding="utf-8").splitlines():
        form = line.split(";ok")[0].split(";fail")[0].strip()
        mark, rest = line[:1], form[1:].strip()
        if not form or mark in {"#", "-"}:
            continue
        if mark == ":":
            name, _, base = rest.partition(";")
            test.chains[name] = base
        elif mark == "*":
            family, name, chains = rest.split(";")
            test.tables.append((family, name, chains.split(",")))
        else:
            for table in test.tables:
                if table[0] in FAMILIES:
                    yield from _forms(test, table, mark, form)


def _forms(
    test: _Test, table: tuple[str, str, list[str]], mark: str, form: str
) -> Iterator[tuple[str, str]]:
    held = test.held.setdefault((table[0], table[1]), [])
    rest = form[1:].strip()
    name, _, what = rest.partition(" ")
    if mark == "?":
        at = next((at for at, line in enumerate(held) if f" {name} {{" in line), None)
        if at is None:
            return
        before = held[at]
        held[at] = f"{before.removesuffix('}')} elements = {{ {what} }}\n}}"
        yield f"{table[0]} {form}", test.text(table, table[2][0], "")
        if not accepted(test.text(table, table[2][0], "")):
            held[at] = before
    elif mark in {"!", "%"}:
        held.append(_set(name, what) if mark == "!" else _object(name, what))
        yield f"{table[0]} {form}", test.text(table, table[2][0], "")
        if not accepted(test.text(table, table[2][0], "")):
            held.pop()
    else:
        for chain in table[2]:
            yield f"{table[0]} {chain}: {form}", test.text(table, chain, form)


def _set(name: str, what: str) -> str:
    kind = "map" if re.match(r"type(of)? [^;]* : ", what) else "set"
    flags = re.search(r" (?:flags|timeout|size) ", what)
    if flags is None:
        return f"{kind} {name} {{\n{what}\n}}"
    return f"{kind} {name} {{\n{what[: flags.start()]}\n{what[flags.start() :]}\n}}"


def _object(name: str, what: str) -> str:
    what = what.removeprefix("type ")
    kind = re.match(r"ct \w+|\w+", what)
    assert kind is not None
    body = what[kind.end() :].strip()
    braced = body if body.startswith("{") else f"{{ {body} }}"
    return f"{kind[0]} {name} {braced}"


def accepted(text: str) -> bool:
    """Whether the nft of this machine takes the file."""
    if text not in _KNOWN:
        done = subprocess.run(
            ["/usr/sbin/nft", "-c", "-f", "-"],
            input=text.encode(),
            capture_output=True,
            check=False,
        )
        _KNOWN[text] = not done.returncode
    return _KNOWN[text]


_KNOWN: dict[str, bool] = {}


def said(text: str, *, with_nft: bool) -> str:
    """``certain``, ``unclear`` in a rule, or ``open``: nothing of the file is certain."""
    try:
        rules = _rules(text, with_nft=with_nft)
    except RuleError as error:
        return f"open: {error}"
    reasons = [refusal.reason for refusal in rules.refusals] + [gap.reason for gap in rules.gaps]
    if reasons:
        return f"open: {reasons[0]}"
    chains = [chain for table in rules.tables for chain in table.chains.values()]
    steps = [step for chain in chains for rule in chain.rules for step in rule.steps]
    return "unclear" if any(isinstance(step, Unclear) for step in steps) else "certain"


def _rules(text: str, *, with_nft: bool) -> RuleSet:
    return rules_of([("nftables.conf", text)], nft=with_nft)


def main() -> None:
    """Print the forms that we get wrong, and how many there are of each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--with-nft", action="store_true")
    parser.add_argument(INSIDE, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        again = [sys.executable, "-m", "tests.firewall.nft_forms", *sys.argv[1:], INSIDE]
        os.execvp("unshare", ["unshare", "-n", *again])
    links = [["ip", "link", "add", name, "type", "bridge"] for name in LINKS]
    for command in (*links, ["ip", "link", "set", "lo", "up"]):
        subprocess.run(command, check=True)
    counts: Counter[str] = Counter()
    for path in sorted(options.directory.rglob("*.t")):
        for form, text in forms(path):
            takes, told = accepted(text), said(text, with_nft=options.with_nft)
            kind, _, why = told.partition(": ")
            counts[f"{'taken' if takes else 'refused'}, {kind}"] += 1
            if takes == (kind == "open"):
                print(f"{'taken' if takes else 'refused'}\t{kind}\t{path.name}\t{form}\t{why}")
    for name, number in sorted(counts.items()):
        print(f"{number:6} {name}")
    taken = sum(number for name, number in counts.items() if name.startswith("taken"))
    print(f"{100 * (1 - counts['taken, open'] / taken):.2f} % of what nft takes is read")


if __name__ == "__main__":
    main()
