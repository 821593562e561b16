"""Limits of rate, in each notation: which are generous, and what is said of them."""

from __future__ import annotations

import pytest

from ipv6check.firewall.evaluate import PacketVerdict, judge
from ipv6check.firewall.notation import read
from ipv6check.firewall.packets import packet

NFT = """table inet filter {{
  chain input {{
    type filter hook input priority filter; policy drop;
    meta l4proto ipv6-icmp {} accept
  }}
}}
"""
SAVE = """*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p ipv6-icmp {} -j ACCEPT
COMMIT
"""
ECHO = {"proto": "icmpv6", "type": 128}
EACH = "--hashlimit-mode srcip --hashlimit-name a"


def told(answer: PacketVerdict) -> str | None:
    """What is said of a packet that is let in, None where that depends."""
    assert answer.verdict in {"accept", "depends"}
    return "; ".join(answer.conditions) if answer.verdict == "accept" else None


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("limit rate 1000/second", "up to 1000/s"),
        ("limit rate 1000/second burst 5 packets", "up to 1000/s"),
        ("limit rate 6000/minute", "up to 100/s"),
        ("limit rate 10 mbytes/second", "up to 6990.51/s"),
        ("limit rate 25/minute", None),
        ("limit rate 1 kbytes/second", None),
        ("limit rate 5/second", None),
        ("ct count 500", None),
        ("quota 500 mbytes", None),
    ],
)
def test_limits_of_nftables(limit: str, said: str | None) -> None:
    """Of packets or bytes, by any unit of time."""
    answer = judge(read([("nftables.conf", NFT.format(limit))]), packet(ECHO))
    assert told(answer) == said


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("-m limit --limit 1000/sec", "up to 1000/s"),
        ("-m limit --limit 1000/second --limit-burst 7", "up to 1000/s"),
        ("-m limit --limit 6000/min", "up to 100/s"),
        (f"-m hashlimit --hashlimit-upto 50/sec {EACH}", "up to 50/s"),
        (f"-m hashlimit --hashlimit-upto 512kb/s {EACH}", None),
        ("-m limit --limit 25/min", None),
        ("-m limit", None),
        ("-m connlimit --connlimit-upto 500", None),
    ],
)
def test_limits_of_iptables(limit: str, said: str | None) -> None:
    """For all senders or for each, and the default of three an hour."""
    answer = judge(read([("rules.v6", SAVE.format(limit))]), packet(ECHO))
    assert told(answer) == said
