"""The command ``firewall``: files in, findings and packets out, exit codes that a gate can use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ipv6check.commands import schema
from ipv6check.commands.firewall import EXIT_CODES
from ipv6check.engine.rule_files import MAX_FILE, rules_of
from ipv6check.firewall.model import RuleError
from ipv6check.model import Verdict
from tests import installed
from tests.lab import Lab

STRICT6 = """*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p ipv6-icmp -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -s 2001:db8::/32 -p tcp -m tcp --dport 80 -j ACCEPT
COMMIT
"""
STRICT4 = """*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -p tcp -m multiport --dports 22,443 -j ACCEPT
-A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 80 -j ACCEPT
COMMIT
"""
OPEN6 = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command among files of these names and texts."""

    def run(
        *arguments: str, files: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        for name, text in (files or {}).items():
            (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
        return installed.run("firewall", *arguments, cwd=tmp_path)

    return run


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The document, which its own schema holds."""
    document: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(document, json.loads(schema.text()))
    return document


def test_a_forgotten_port_fails(command: Callable[..., Any]) -> None:
    """Allowed over IPv4 but blocked over IPv6 is exit code 1, with the rule that decides."""
    done = command("rules.v6", "rules.v4", files={"rules.v6": STRICT6, "rules.v4": STRICT4})
    assert done.returncode == 1
    assert "tcp/443 is allowed over IPv4 but blocked over IPv6" in done.stdout
    document = told(command("rules.v6", "rules.v4", "-f", "json"))
    (found,) = [finding for finding in document["findings"] if finding["status"] == "fail"]
    assert found["subject"] == "tcp/443"
    assert found["evidence"]["ipv6"]["rule"]["text"] == "policy drop"
    assert found["evidence"]["ipv4"]["rule"]["line"] == 7


def test_an_empty_table_beside_a_strict_one_is_one_finding(command: Callable[..., Any]) -> None:
    """Everything open over IPv6 and nothing over IPv4 is told once, by its name."""
    done = command(
        "rules.v6", "rules.v4", "-f", "json", files={"rules.v6": OPEN6, "rules.v4": STRICT4}
    )
    document = told(done)
    failed = [finding for finding in document["findings"] if finding["status"] == "fail"]
    assert done.returncode == 1
    assert [finding["evidence"]["trap"] for finding in failed] == ["empty IPv6 rules"]


def test_packets_are_answered_in_order(command: Callable[..., Any], tmp_path: Path) -> None:
    """Each with verdict, conditions and rule; what is not given is open."""
    asked = [
        {"family": 6, "proto": "tcp", "dport": 22, "saddr": "2001:db8::1", "iif": "eth0"},
        {"family": 6, "proto": "tcp", "dport": 80},
        {"family": 6, "proto": "tcp", "dport": 80, "saddr": "2001:db9::1", "hook": "input"},
        {"family": 6, "proto": "icmpv6", "type": 2, "code": 0, "ct": "related"},
        {"family": 6, "proto": "tcp", "dport": 22, "hook": "forward", "iif": "a", "oif": "b"},
        {"family": 4, "proto": "tcp", "dport": 22},
    ]
    (tmp_path / "packets.json").write_text(json.dumps(asked))
    done = command(
        "rules.v6", "--packets", "packets.json", "-f", "json", files={"rules.v6": STRICT6}
    )
    packets = told(done)["packets"]
    verdicts = [packet["verdict"] for packet in packets]
    assert verdicts == ["accept", "depends", "drop", "accept", "drop", "depends"]
    assert packets[0]["rule"]["text"] == "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT"
    assert (packets[0]["rule"]["line"], packets[0]["rule"]["chain"]) == (7, "INPUT")
    assert packets[1]["conditions"] == ["accept only from 2001:db8::/32", "drop otherwise"]
    assert packets[5]["conditions"][0] == "no IPv4 rules were given"
    assert [packet["saddr"] for packet in packets if "saddr" in packet] == [
        "2001:db8::1",
        "2001:db9::1",
    ]


@pytest.mark.slow
def test_a_named_packet_has_to_pass(command: Callable[..., Any]) -> None:
    """A port that is named is to be open; the same question of another source is not."""
    files = {"rules.v6": STRICT6}
    assert command("rules.v6", "--packet", "tcp/22", files=files).returncode == 0
    assert command("rules.v6", "--packet", "tcp/8443").returncode == 1
    assert command("rules.v6", "--packet", "tcp/80").returncode == 3
    assert command("rules.v6", "--packet", "tcp/80", "--from", "2001:db8::/48").returncode == 0
    done = command("rules.v6", "--packet", "icmpv6/packet-too-big", "-f", "json")
    assert [packet["id"] for packet in told(done)["packets"]] == [
        "icmpv6/packet-too-big of a known flow",
        "icmpv6/packet-too-big, stray",
    ]


@pytest.mark.slow
def test_the_headline_says_what_is_open(command: Callable[..., Any]) -> None:
    """First of all, also in JSON; long lists of names are for -v."""
    done = command("rules.v6", files={"rules.v6": STRICT6})
    headline = "IPv6: only tcp/22 and the ICMPv6 that IPv6 needs are allowed; tcp/80 on conditions"
    assert done.stdout.startswith(f"{headline}\n")
    assert told(command("rules.v6", "-f", "json"))["headline"] == headline
    assert not command("rules.v6", "-q").stdout.startswith("IPv6:")
    shut = STRICT6.replace("-A INPUT -p ipv6-icmp -j ACCEPT\n", "")
    brief = command("rules.v6", files={"rules.v6": shut}).stdout
    assert "more, see them with -v" in brief
    assert "multicast router termination" not in brief
    assert "termination" in command("rules.v6", "-v").stdout


def test_a_part_of_a_rule_set_is_unknown(command: Callable[..., Any]) -> None:
    """What no base chain leads to decides nothing alone, whatever is in it."""
    part = "*filter\n:user - [0:0]\n-A user -p tcp --dport 22 -j DROP\nCOMMIT\n"
    done = command("user.rules", "--packet", "tcp/22", files={"user.rules": part})
    assert done.returncode == 3
    assert "no base chain leads to the rules of ip6 filter" in " ".join(done.stdout.split())


def test_a_router_is_asked_what_it_forwards(command: Callable[..., Any]) -> None:
    """RFC 4890 section 4.3: neighbour discovery is nobody's transit, packet-too-big is."""
    done = command("rules.v6", "--forward", "-f", "json", files={"rules.v6": STRICT6})
    failed = [finding for finding in told(done)["findings"] if finding["status"] == "fail"]
    assert "packet-too-big" in failed[0]["message"]
    assert "neighbour" not in done.stdout


@pytest.mark.slow(after=1)
@pytest.mark.parametrize(
    ("trap", "rules", "text"),
    [
        ("-p icmp", "-A INPUT -p icmp -j ACCEPT", "never matches"),
        (
            "ct state new",
            "-A INPUT -p ipv6-icmp -m conntrack --ctstate NEW,RELATED -j ACCEPT",
            "conntrack does not track",
        ),
    ],
)
def test_traps_are_told_by_name(
    command: Callable[..., Any], trap: str, rules: str, text: str
) -> None:
    """A rule that was meant to let IPv6 live, and does not, is named with what mends it."""
    table = (
        f"*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n{rules}\nCOMMIT\n"
    )
    done = command("rules.v6", "-f", "json", files={"rules.v6": table})
    found = [
        finding for finding in told(done)["findings"] if finding["evidence"].get("trap") == trap
    ]
    assert found
    assert text in found[0]["hint"]


def test_nexthdr_misses_mld(command: Callable[..., Any]) -> None:
    """What has a hop-by-hop header is not behind the first header."""
    rules = """table inet filter { chain input { type filter hook input priority 0; policy drop
    ct state established,related accept
    ip6 nexthdr icmpv6 accept
    }
    }
    """
    document = told(command("nftables.conf", "-f", "json", files={"nftables.conf": rules}))
    (found,) = [finding for finding in document["findings"] if finding["evidence"].get("trap")]
    assert found["evidence"]["trap"] == "ip6 nexthdr"
    assert "MLD query" in found["message"]


def test_blocked_replies_fail(command: Callable[..., Any]) -> None:
    """A port whose replies are blocked is not open."""
    rules = STRICT6.replace(":OUTPUT ACCEPT", ":OUTPUT DROP").replace(
        "COMMIT", "-A OUTPUT -p ipv6-icmp -j ACCEPT\nCOMMIT"
    )
    document = told(command("rules.v6", "-f", "json", files={"rules.v6": rules}))
    traps = [finding["evidence"].get("trap") for finding in document["findings"]]
    assert "replies blocked" in traps


def test_a_file_that_would_not_load_fails(command: Callable[..., Any]) -> None:
    """Its rules are never judged as if they were in force."""
    rules = STRICT6.replace("-s 2001:db8::/32", "-s 192.0.2.0/24")
    done = command("rules.v6", "-f", "json", files={"rules.v6": rules})
    document = told(done)
    assert done.returncode == 1
    assert document["findings"][0]["evidence"]["trap"] == "would not load"
    assert {packet["verdict"] for packet in document["packets"]} == {"depends"}


@pytest.mark.slow(after=2)
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing"], "missing cannot be read: No such file or directory"),
        (
            [
                ".",
            ],
            ". cannot be read: Is a directory",
        ),
        (["empty"], "empty: is empty"),
        (["garbage"], "garbage: is not output of ip6tables-save"),
        (["torn.v6"], "torn.v6:3: "),
        (["torn.nft"], "torn.nft:"),
        (["torn.json"], "torn.json:1: "),
        (["rules.v6", "--packet", "tcp/x"], "'tcp/x'"),
        (["rules.v6", "--packets", "torn.json"], "torn.json:1: not JSON"),
        (["rules.v6", "--packets", "object.json"], "object.json: not a list of objects"),
        (["rules.v6", "--packets", "bad.json"], "bad.json: packet 2: saddr is not an address: 'x'"),
        (["rules.v6", "--from", "x"], "saddr is not an address: 'x'"),
        (["rules.v6", "--format", "xml"], "'xml'"),
        (["listing"], "ip6tables-save"),
    ],
)
def test_bad_input_is_one_clear_line(
    command: Callable[..., Any], arguments: list[str], said: str
) -> None:
    """File, line and token; exit code 2; nothing on standard output."""
    files = {
        "rules.v6": STRICT6,
        "empty": "\n\n",
        "garbage": "hello \x1b[31m world\n",
        "torn.v6": "*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp --dport\n",
        "torn.nft": "table inet filter {\n chain input {\n tcp dport 22 acc",
        "torn.json": '{"nftables": [{"table"',
        "object.json": "{}",
        "bad.json": '[{"proto": "tcp", "dport": 1}, {"proto": "tcp", "saddr": "x"}]',
        "listing": "Chain INPUT (policy DROP)\ntarget prot opt source destination\n",
    }
    done = command(*arguments, files=files)
    assert done.returncode == 2, done.stdout
    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.rstrip("\n").isprintable()


def test_files_are_one_host_and_bring_what_they_include(command: Callable[..., Any]) -> None:
    """An nftables.conf is read with its includes; one that is missing leaves the answer open."""
    main = 'include "rules/*.nft"\ninclude "more.nft"\n'
    more = (
        "table inet filter { chain input { type filter hook input priority 0; policy accept; }\n}\n"
    )
    done = command("main.nft", "-f", "json", files={"main.nft": main, "more.nft": more})
    document = told(done)
    assert {packet["verdict"] for packet in document["packets"]} == {"accept"}
    document = told(command("lone.nft", "-f", "json", files={"lone.nft": 'include "gone.nft"\n'}))
    assert "gone.nft" in document["packets"][0]["conditions"][0]
    assert document["findings"][0]["hint"].startswith("run it where that file is")
    assert document["verdict"] == "unknown"


def _chain(policy: str = "accept", rule: str = "") -> str:
    base = f"type filter hook input priority 0; policy {policy};"
    return f"table inet f {{\n chain i {{\n {base}\n {rule}\n }}\n}}\n"


def _ports(*numbers: int) -> str:
    elements = ", ".join(map(str, numbers))
    return (
        f"table inet f {{\n set p {{\n type inet_service\n elements = {{ {elements} }}\n }}\n}}\n"
    )


@pytest.mark.slow(after=1)
@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (_chain(), _chain("drop"), "differ in hook, priority or policy of inet f i"),
        (_chain(), "table inet f {}\ndelete table inet f\n", "empties the table inet f"),
        (_ports(22) + _chain(), _ports(80), "differ in the set p"),
        # What looks the same and is none of it.
        (_chain(), _chain(rule="tcp dport 80 accept"), None),
        (_chain(), "table ip f {}\ndelete table ip f\n", None),
        ("table inet f {}\ndelete table inet f\n" + _chain(), _ports(22), None),
        (_ports(22) + _chain(), _ports(22), None),
    ],
)
def test_files_that_depend_on_their_order_are_open(
    command: Callable[..., Any], first: str, second: str, said: str | None
) -> None:
    """Of a table that both have a part of the kernel has what the later one leaves."""
    files = {"first.nft": first, "second.nft": second}
    for option in ((), ("--no-nft",)):
        document = told(command(*files, *option, "--packet", "tcp/443", "-f", "json", files=files))
        answer = document["packets"][0]
        assert answer["verdict"] == ("depends" if said else "accept")
        assert (said or "") in " ".join(answer.get("conditions", []))


def test_no_pipe_is_included(command: Callable[..., Any], tmp_path: Path) -> None:
    """Nobody may ever write to it; what the user names may be one."""
    os.mkfifo(tmp_path / "pipe.nft")
    done = command("main.nft", files={"main.nft": 'include "*pe.nft"\n'})
    assert done.returncode == 2
    assert done.stderr.endswith("pipe.nft is included, and is no regular file\n")


def test_includes_have_a_limit_together(tmp_path: Path) -> None:
    """Many files below the limit are one above it: no gigabytes are held."""
    for at in range(5):
        (tmp_path / f"{at}.part").write_bytes(b"# \n" * (MAX_FILE // 12))
    with pytest.raises(RuleError, match="includes more than"):
        rules_of([("main.nft", f'include "{tmp_path}/*.part"\n')])


@pytest.mark.slow
def test_ten_thousand_rules_are_answered(command: Callable[..., Any]) -> None:
    """A file of a whole network's blocklist and all default packets; how fast: tests/bench."""
    drops = "".join(
        f"-A INPUT -s 2001:db8:{number:x}::/48 -p tcp -m tcp --dport {number} -j DROP\n"
        for number in range(10_000)
    )
    rules = STRICT6.replace("-A INPUT -p tcp", f"{drops}-A INPUT -p tcp", 1)
    done = command("rules.v6", "-f", "json", files={"rules.v6": rules})
    assert len(told(done)["packets"]) > 30


def test_rules_come_through_a_pipe() -> None:
    """``ip6tables-save | ipv6check firewall -``, and what is no rule set there is said of it."""
    command = [sys.executable, "-m", "ipv6check", "firewall", "-", "-f", "json"]
    ended = [
        subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
        for text in (STRICT6, "hello\n")
    ]
    assert [done.returncode for done in ended] == [0, 2]
    assert told(ended[0])["files"] == ["/dev/stdin"]
    assert "/dev/stdin: is not output of" in ended[1].stderr


def test_every_verdict_has_its_exit_code() -> None:
    """The contract of the whole tool."""
    assert EXIT_CODES == {
        Verdict.READY: 0,
        Verdict.DEGRADED: 0,
        Verdict.NOT_READY: 1,
        Verdict.UNKNOWN: 3,
    }


@pytest.mark.parametrize(
    ("rules", "code", "status"), [(STRICT6, 1, "fail"), (STRICT6.replace("22", "443"), 0, "pass")]
)
def test_a_deployment_is_judged_before_it_is_made(
    lab: Lab, tmp_path: Path, rules: str, code: int, status: str
) -> None:
    """A service that is well today, by the rules of tomorrow; and a name that is not there yet."""
    (tmp_path / "rules.v6").write_text(rules)
    option = ["--firewall", str(tmp_path / "rules.v6"), "--timeout", "1", "-f", "json"]
    command = [str(Path(sys.executable).with_name("ipv6check"))]
    done = lab.run("dual", [*command, "healthy.test:443", *option])
    (target,) = json.loads(done.stdout)["targets"]
    said = [(result["check"], result["status"]) for result in target["results"]]
    assert done.returncode == code
    assert {("firewall", status), ("tcp", "pass")} <= set(said)
    done = lab.run("dual", [*command, "not-there-yet.test:443", *option, "--only", "firewall"])
    (target,) = json.loads(done.stdout)["targets"]
    assert status in {result["status"] for result in target["results"]}
    (tmp_path / "rules.v6").write_text("*filter\n-A INPUT -p tcp --dport\n")
    done = lab.run("dual", [*command, "healthy.test:443", *option])
    assert (done.returncode, done.stdout) == (2, "")
    assert "rules.v6:2" in done.stderr
