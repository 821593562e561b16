"""Random rule sets, loaded and judged: where we are certain, the kernel has to agree.

The same rule sets each time; `FIREWALL_SEED=NUMBER pytest tests/firewall/differential_test.py`
makes others, `FIREWALL_EXAMPLES=NUMBER` as many.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, assume, given, note, seed, settings
from hypothesis import strategies as st

from ipv6check.firewall.evaluate import judge
from ipv6check.firewall.notation import read
from ipv6check.firewall.packets import packet
from tests.firewall import oracle, suite
from tests.firewall.rules_strategy import (
    Host,
    Packet,
    iptables_hosts,
    mixed_hosts,
    nft_hosts,
    questions,
)

pytestmark = [pytest.mark.lab, pytest.mark.slow]
SEED = int(os.environ.get("FIREWALL_SEED", "4890"))
EXAMPLES = int(os.environ.get("FIREWALL_EXAMPLES", "200"))
CERTAIN = 0.9
REFUSED = 0.1


@pytest.fixture(scope="module")
def kernel() -> Iterator[oracle.Oracle]:
    """The kernel itself."""
    yield from suite.running_oracle()


@pytest.mark.parametrize(
    ("hosts", "share"),
    [(nft_hosts, 1), (iptables_hosts, 0.6), (mixed_hosts, 0.3)],
    ids=["nft", "iptables", "mixed"],
)
@pytest.mark.timeout(600)
def test_what_is_certain_is_so(
    hosts: Callable[[], st.SearchStrategy[Host]], share: float, kernel: oracle.Oracle
) -> None:
    """Of every random rule set, and every packet; and nearly all of it is certain."""
    counts: Counter[str] = Counter()

    @seed(SEED)
    @settings(
        max_examples=int(EXAMPLES * share),
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(questions(hosts()))
    def compare(question: tuple[Host, list[Packet]]) -> None:
        host, packets = question
        note(f"seed {SEED}\n{host}")
        counts["rule sets"] += 1
        try:
            seen = kernel.ask(host.files, packets)
        except oracle.RefusedError as refused:
            note(str(refused))
            counts["refused"] += 1
            assume(False)  # noqa: FBT003
        rules = read([(suite.NAMES[notation], text) for notation, text in host.files])
        for asked, found in zip(packets, seen, strict=True):
            if found.verdict == "ignored":
                continue
            answer = judge(rules, packet(asked))
            sure = answer.verdict != "depends"
            if not host.spiced:
                counts.update(packets=1, certain=sure)
            said = answer.reply if answer.verdict == "reject" else None
            so = found.answer if found.verdict == "reject" else None
            assert not sure or (answer.verdict, said) == (found.verdict, so), asked

    compare()
    print(f"seed {SEED}: {dict(counts)}")
    assert counts["refused"] <= REFUSED * counts["rule sets"], counts
    assert counts["certain"] >= CERTAIN * counts["packets"], counts
