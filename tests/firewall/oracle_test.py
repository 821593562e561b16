"""The oracle: the kernel, asked by real packets, with answers known beforehand."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firewall import suite
from tests.firewall.oracle import Oracle, RefusedError, unavailable

ACCEPT_22 = """\
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		tcp dport 22 accept
		tcp dport 80 reject
		tcp dport 81 reject with tcp reset
		ct state established,related accept
	}
}
"""
pytestmark = pytest.mark.lab
SILENT = """\
table inet out {
	chain output {
		type filter hook output priority filter; policy drop;
	}
}
"""
SAVED = """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT
"""
SSH = {"proto": "tcp", "dport": 22}
OTHER = {"proto": "tcp", "dport": 23}


@pytest.fixture(scope="module")
def kernel() -> Iterator[Oracle]:
    """The kernel itself."""
    yield from suite.running_oracle()


def verdicts(kernel: Oracle, notation: str, text: str, *packets: suite.Packet) -> list[str]:
    """What becomes of these packets, in a word each."""
    return [seen.verdict for seen in kernel.ask([(notation, text)], packets)]


@pytest.mark.parametrize(
    ("packet", "verdict", "answer"),
    [
        (SSH, "accept", "syn-ack"),
        (OTHER, "drop", None),
        ({"proto": "tcp", "dport": 80}, "reject", "icmpv6 1/4"),
        ({"proto": "tcp", "dport": 81}, "reject", "rst"),
        ({"proto": "tcp", "dport": 80, "family": 4}, "reject", "icmp 3/3"),
        ({"proto": "udp", "dport": 53, "ct": "established"}, "accept", "udp"),
        ({"proto": "icmpv6", "type": 2}, "drop", None),
        ({"proto": "icmpv6", "type": 2, "ct": "related"}, "accept", None),
        ({"proto": "icmp", "type": 3, "code": 4, "ct": "related"}, "accept", None),
        ({"proto": "icmpv6", "type": 129, "ct": "established"}, "accept", None),
        ({"proto": "tcp", "dport": 23, "hook": "forward"}, "accept", None),
        ({"proto": "tcp", "dport": 22, "iif": "lo", "family": 4}, "accept", "syn-ack"),
        ({"proto": "tcp", "dport": 22, "iif": "wg0"}, "accept", "syn-ack"),
        ({"proto": "tcp", "dport": 22, "ext": "rh0"}, "accept", "syn-ack"),
    ],
    ids=str,
)
def test_a_packet_gets_its_verdict(
    packet: suite.Packet, verdict: str, answer: str | None, kernel: Oracle
) -> None:
    """Accepted, dropped or rejected, and answered as the rules and the host have it."""
    [seen] = kernel.ask([("nft", ACCEPT_22)], [packet])
    assert (seen.verdict, seen.answer, seen.blocked) == (verdict, answer, False)


def test_an_answer_may_be_blocked(kernel: Oracle) -> None:
    """An output chain that drops the answer does not change the verdict."""
    packets = [SSH, {"proto": "tcp", "dport": 80}, {"proto": "tcp", "dport": 81}]
    seen = kernel.ask([("nft", ACCEPT_22 + SILENT)], packets)
    assert [(answer.verdict, answer.answer) for answer in seen] == [
        ("accept", "syn-ack"),
        ("reject", "icmpv6 1/4"),
        ("reject", "rst"),
    ]
    assert all(answer.blocked for answer in seen)


def test_the_state_is_told_on_request(kernel: Oracle) -> None:
    """What conntrack makes of a packet, where it is asked."""
    packets = [SSH, {"proto": "icmpv6", "type": 135}, SSH | {"flags": "rst"}]
    seen = kernel.ask([("nft", ACCEPT_22)], packets, states=True)
    assert [answer.state for answer in seen] == ["new", "untracked", "invalid"]
    assert {answer.state for answer in kernel.ask([("nft", ACCEPT_22)], packets)} == {None}


def test_rules_do_not_outlive_their_question(kernel: Oracle) -> None:
    """Every rule set finds an empty firewall, whatever was asked before."""
    assert verdicts(kernel, "ip6tables", SAVED, SSH, OTHER) == ["accept", "drop"]
    assert verdicts(kernel, "nft", ACCEPT_22, SSH, OTHER) == ["accept", "drop"]
    assert verdicts(kernel, "nft", "", SSH, OTHER) == ["accept", "accept"]


def test_a_refused_file_changes_nothing(kernel: Oracle) -> None:
    """It is reported, and the next one is judged as if it had not been."""
    with pytest.raises(RefusedError, match=r"nft: .*syntax error"):
        verdicts(kernel, "nft", "table inet t { chain", SSH)
    assert verdicts(kernel, "nft", "", SSH) == ["accept"]


def test_legacy_tables_do_not_outlive_their_question(kernel: Oracle) -> None:
    """The older half of the kernel is empty again for the next question."""
    if reason := unavailable("ip6tables-legacy"):
        pytest.skip(reason)
    assert verdicts(kernel, "ip6tables-legacy", SAVED, SSH, OTHER) == ["accept", "drop"]
    assert verdicts(kernel, "nft", "", SSH, OTHER) == ["accept", "accept"]


def test_listings_are_of_the_rules_alone(kernel: Oracle) -> None:
    """What a tool prints has nothing of the oracle's own."""
    [listed] = kernel.listings([("nft", ACCEPT_22)], [["nft", "list", "ruleset"]])
    assert listed == ACCEPT_22


def test_nothing_is_left_when_the_oracle_is_killed(kernel: Oracle) -> None:
    """With SIGKILL of any one process all of them end, and with them their namespaces."""
    with Oracle() as other:
        other.ask([("nft", "")], [SSH])
        assert other._worker
        [inside] = _children(other._worker.pid)
        os.kill(other._worker.pid, signal.SIGKILL)
        other._worker.wait()
        deadline = time.monotonic() + 5
        while Path(f"/proc/{inside}/ns/net").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not Path(f"/proc/{inside}/ns/net").exists()


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    if path.exists():
        return [int(child) for child in path.read_text(encoding="ascii").split()]
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=True
    )
    return [int(child) for child in listed.stdout.split()]
