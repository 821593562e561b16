"""How often we are right, wrong or unsure of rule sets whose verdicts somebody has recorded.

    python -m tests.firewall.corpus DIRECTORY [--no-nft]

The directory has ``verdicts.jsonl``: an object a line, ``file`` (a path in the directory) and
``probes``, each a packet of the probe form with the ``verdict`` (and ``reject_with``) of the
kernel. Exit code 1 where a certain answer is wrong.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ipv6check.engine.rule_files import read_rules
from ipv6check.firewall.evaluate import PacketVerdict, judge
from ipv6check.firewall.model import RuleError
from ipv6check.firewall.packets import packet

RECORDED = frozenset(
    {"verdict", "reject_with", "ct_state", "socket", "reply", "decided_by", "dropped_in"}
)


def measure(directory: Path, *, nft: bool = True) -> tuple[Counter[str], list[str]]:
    """How many answers are right, depend or are wrong; and the wrong ones, a line each."""
    counts: Counter[str] = Counter()
    told: list[str] = []
    for line in (directory / "verdicts.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        try:
            _, rules = read_rules([str(directory / entry["file"])], nft=nft)
        except RuleError as error:
            counts["depends"] += len(entry["probes"])
            told.append(f"depends: {entry['file']}: {error}")
            continue
        for probe in entry["probes"]:
            answer = judge(rules, packet(question(probe)))
            found = compared(answer, probe)
            counts[found] += 1
            if found != "right":
                said = f"{answer.verdict} {answer.reply}: {'; '.join(answer.conditions)}"
                told.append(f"{found}: {entry['file']}: {probe['id']}: {said[:200]}")
    return counts, told


def question(probe: Mapping[str, Any]) -> dict[str, Any]:
    """The packet as it was sent: of the flow that conntrack counted it to."""
    asked = {key: value for key, value in probe.items() if key not in RECORDED}
    known = {state: state for state in ("related", "established")}
    return asked | ({"ct": state} if (state := known.get(probe.get("ct_state", ""))) else {})


def compared(answer: PacketVerdict, probe: Mapping[str, Any]) -> str:
    """``right``, ``wrong``, or ``depends``."""
    if answer.verdict == "depends":
        return "depends"
    alike = answer.verdict == probe["verdict"]
    if alike and answer.verdict == "reject":
        alike = answer.reply == probe.get("reject_with")
    return "right" if alike else "wrong"


def main() -> int:
    """Print the figures, and what is not right."""
    counts, told = measure(Path(sys.argv[1]), nft="--no-nft" not in sys.argv)
    for line in told:
        print(line)
    number = counts.total()
    share = counts["right"] / number if number else 0
    print(f"{number} verdicts, {counts['wrong']} wrong, {counts['right']} right = {share:.2%}")
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
