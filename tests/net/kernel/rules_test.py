"""The rules in force, read in a network namespace of the test's own, with the real commands."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ipv6check.model import Failure
from ipv6check.net.kernel import rules

NFT = """table inet filter {
    chain input {
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        meta l4proto { icmp, ipv6-icmp } accept
        tcp dport 22 accept
    }
}
"""
SCRIPT = """
set -eu
nft -f "$1"
ip6tables-nft -A INPUT -p tcp --dport 22 -m frag -j ACCEPT
shift
exec "$@"
"""


def in_namespace(*command: str, user: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a command where nobody else has rules."""
    unshare = ["unshare", "--net"]
    if user:
        unshare = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    return subprocess.run(
        [*unshare, *command], capture_output=True, text=True, timeout=60, check=False
    )


def test_live_rules_are_all_that_the_kernel_has(needs: Callable[..., None], tmp_path: Path) -> None:
    """Nft's own and those of ip6tables, which nft alone would show in part."""
    needs("unshare", "nft", "ip6tables-nft", "ip6tables-save", root=True)
    (tmp_path / "rules.nft").write_text(NFT)
    command = [sys.executable, "-m", "ipv6check", "firewall", "-f", "json"]
    done = in_namespace("sh", "-c", SCRIPT, "sh", str(tmp_path / "rules.nft"), *command)
    document = json.loads(done.stdout)
    assert document["files"] == [rules.LISTING, rules.DOCUMENT, "ip6tables-save"], done.stderr
    verdicts = {
        packet["id"]: packet["verdict"] for packet in document["packets"] if packet["family"] == 6
    }
    assert verdicts["tcp/22"] == "accept"
    assert verdicts["tcp/443"] == "drop"


def test_a_kernel_without_rules_lets_everything_in(needs: Callable[..., None]) -> None:
    """No table at all is an answer too."""
    needs("unshare", "nft", "ip6tables-save", root=True)
    done = in_namespace(sys.executable, "-m", "ipv6check", "firewall", "-f", "json")
    document = json.loads(done.stdout)
    assert {packet["verdict"] for packet in document["packets"]} == {"accept"}


def test_who_may_not_look_is_told_so(needs: Callable[..., None]) -> None:
    """As an ordinary user: one line, exit code 2, and what to do."""
    needs("setpriv", "nft", root=True)
    done = in_namespace(sys.executable, "-c", LIVE, user=True)
    assert done.stdout.strip() == "permission", done.stderr


LIVE = "from ipv6check.net.kernel.rules import live_rules; print(live_rules().kind)"


def test_a_missing_tool_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nft is not there, nobody can say what tables there are."""
    monkeypatch.setattr(shutil, "which", lambda *_args, **_more: None)
    found = rules.live_rules()
    assert isinstance(found, Failure)
    assert "nft is not installed" in found.detail
