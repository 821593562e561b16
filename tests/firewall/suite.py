"""The rule-set suite: rule files, packets, and what the kernel made of them.

`rulesets/TOPIC.toml` is written by people, its packets' addresses and verdicts by the kernel (see
`suite_record`). Keys of a ``[[case]]``:

- ``name``: a sentence that a naive reader gets wrong.
- ``rules``: text by notation (`oracle.LOADERS`); several are files of one host.
- ``packets``: the probe form. ``kernel``: accept, drop, or reject with what is answered.
  ``blocked``: the answer does not get out. ``state``: conntrack's, where the case wants
  ``states``. ``expect = "depends"``: we do not answer for sure, by design.
- ``refused``: the kernel takes no such file, so nothing of it is certain.

`rulesets/derived/TOPIC.json` has what the real tools print where the rules are loaded.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.firewall import oracle

RULESETS = Path(__file__).parent / "rulesets"
TOPICS = sorted(path.stem for path in RULESETS.glob("*.toml"))
NAMES = {
    "nft": "nftables.conf",
    "json": "ruleset.json",
    "ip6tables": "rules.v6",
    "iptables": "rules.v4",
    "ip6tables-legacy": "legacy.v6",
    "iptables-legacy": "legacy.v4",
}
_RECORDED = ("kernel", "blocked", "state")

Packet = dict[str, Any]
Files = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Case:
    """One rule set. ``rules``: (notation, text); ``derived``: notation to (file name, text)."""

    topic: str
    name: str
    rules: Files
    packets: list[Packet]
    refused: bool
    states: bool
    derived: Mapping[str, Files]

    @property
    def files(self) -> Files:
        """As `notation.read` takes them."""
        return [(NAMES[notation], text) for notation, text in self.rules]

    @property
    def legacy(self) -> bool:
        """Whether it needs the older half of the kernel."""
        return any(notation.endswith("-legacy") for notation, _ in self.rules)


def cases(topic: str) -> list[Case]:
    """The cases of one file."""
    table = tomllib.loads((RULESETS / f"{topic}.toml").read_text(encoding="utf-8"))
    path = RULESETS / "derived" / f"{topic}.json"
    derived = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return [_case(topic, entry, derived.get(entry["name"], {})) for entry in table["case"]]


def _case(topic: str, entry: dict[str, Any], derived: dict[str, list[list[Any]]]) -> Case:
    return Case(
        topic,
        entry["name"],
        list(entry["rules"].items()),
        entry["packets"],
        entry.get("refused", False),
        entry.get("states", False),
        {notation: [_file(*file) for file in files] for notation, files in derived.items()},
    )


def _file(name: str, content: Any) -> tuple[str, str]:
    return name, content if isinstance(content, str) else json.dumps(content)


@cache
def every_case() -> list[Case]:
    """All of them."""
    return [case for topic in TOPICS for case in cases(topic)]


def question(packet: Packet) -> Packet:
    """The packet, without what is recorded of it."""
    return {key: packet[key] for key in packet if key not in {*_RECORDED, "expect"}}


def record(packet: Packet) -> Packet:
    """What is recorded of a packet."""
    return {key: packet[key] for key in _RECORDED if key in packet}


def told(seen: oracle.Seen, *, states: bool) -> Packet:
    """What is to be recorded of a packet."""
    rejected = seen.verdict == "reject"
    found: Packet = {"kernel": f"reject {seen.answer}" if rejected else seen.verdict}
    if seen.blocked:
        found["blocked"] = True
    if states:
        found["state"] = seen.state or "none"
    return found


def running_oracle() -> Iterator[oracle.Oracle]:
    """What a fixture needs that gives the oracle, or skips and says why."""
    reason = oracle.unavailable()
    if reason is not None:
        pytest.skip(f"the kernel cannot be asked here: {reason}")
    with oracle.Oracle() as running:
        yield running
