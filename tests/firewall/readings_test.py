"""nft's own reading of a file and ours: where both are certain they are equal."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings

from ipv6check.engine import rule_files
from ipv6check.engine.rule_files import rules_of, text_of
from ipv6check.firewall.evaluate import judge
from ipv6check.firewall.model import RuleError, RulePlace, RuleSet
from ipv6check.firewall.nft import loaded
from ipv6check.firewall.packets import packet
from tests.firewall import suite
from tests.firewall.rules_strategy import Host, Packet, nft_hosts, questions

CORPUS = Path(__file__).parents[3] / "shared" / "firewall" / "corpus" / "nft"
SEED = int(os.environ.get("FIREWALL_SEED", "4890"))
EXAMPLES = int(os.environ.get("FIREWALL_EXAMPLES", "100"))
Needs = Callable[..., None]
PROBES: list[Packet] = [
    {"proto": proto, "dport": port, "family": family, "iif": interface}
    for proto, port in (("tcp", 22), ("tcp", 80), ("tcp", 4), ("udp", 53))
    for family in (4, 6)
    for interface in ("eth0", "wg0")
] + [{"proto": "icmpv6", "type": number} for number in (1, 2, 128, 133, 134, 135, 136)]
WRITTEN = [
    (case.name, text)
    for case in suite.every_case()
    for notation, text in case.rules
    if notation == "nft" and len(case.rules) == 1
]
HEAD = "table {} t {{\n chain x {{ }}\n chain c {{\n  type {} priority 0; policy drop;\n"


@pytest.fixture(autouse=True)
def tools(needs: Needs) -> None:
    """All of these ask nft."""
    needs("nft", "unshare", "ip", root=True)


def both(name: str, text: str) -> tuple[RuleSet | None, RuleSet | None]:
    """The rules as nft reads them, and as we do; None where the file is refused."""
    found: list[RuleSet | None] = []
    for nft in (True, False):
        try:
            rules = rules_of([(name, text)], nft=nft)
        except RuleError:
            found.append(None)
        else:
            found.append(None if rules.refusals else rules)
    return found[0], found[1]


def verdicts(rules: RuleSet, packets: list[Packet]) -> list[str]:
    """What is said of packets."""
    answers = [judge(rules, packet(question)) for question in packets]
    return [f"{answer.verdict} {answer.reply}" for answer in answers]


def compared(name: str, text: str, packets: list[Packet]) -> Counter[str]:
    """How many answers are alike. Raises AssertionError where two certain ones differ."""
    theirs, ours = both(name, text)
    counts: Counter[str] = Counter()
    if theirs is None or ours is None:
        counts["refused by one"] += (theirs is None) != (ours is None)
        counts["refused"] += 1
        # What nft refuses we may not know, what it takes we have to.
        assert theirs is None or not any("has loaded" in note for note in theirs.notes), name
        return counts
    for asked, one, other in zip(
        packets, verdicts(theirs, packets), verdicts(ours, packets), strict=True
    ):
        sure = (not one.startswith("depends"), not other.startswith("depends"))
        counts["asked"] += 1
        counts["both certain"] += all(sure)
        counts["ours less certain"] += sure == (True, False)
        counts["nft less certain"] += sure == (False, True)
        assert not all(sure) or one == other, (name, asked, one, other)
    return counts


@pytest.mark.parametrize(("name", "text"), WRITTEN, ids=[name for name, _ in WRITTEN])
def test_the_suite_is_read_alike(name: str, text: str) -> None:
    """Every rule set of it that is written for nft."""
    compared(name, text, PROBES)


if CORPUS.is_dir():  # it is no part of the project

    def test_the_corpus_is_read_alike() -> None:
        """Rule sets that somebody uses; the text of nearly all is as certain to us as to nft."""
        counts: Counter[str] = Counter()
        for path in sorted(CORPUS.iterdir()):
            counts += compared(path.name, text_of(path), PROBES)
        print(counts)
        assert counts["ours less certain"] <= counts["asked"] / 100


@pytest.mark.timeout(600)
def test_random_rules_are_read_alike() -> None:
    """The same ones each time; FIREWALL_SEED and FIREWALL_EXAMPLES make others."""
    counts: Counter[str] = Counter()

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(questions(nft_hosts()))
    def compare(question: tuple[Host, list[Packet]]) -> None:
        host, packets = question
        note(f"seed {SEED}\n{host}")
        for _, text in host.files:
            counts.update(compared("nftables.conf", text, packets))

    compare()
    print(f"seed {SEED}: {dict(counts)}")
    assert counts["both certain"] >= counts["asked"] * 0.8
    assert counts["ours less certain"] <= counts["asked"] / 100


REFUSED = {
    "an address without a field": "ip6 ::1 accept",
    "two protocols": "tcp dport 22 udp dport 53 accept",
    "a protocol of several": "meta l4proto { tcp, udp } tcp dport 53 accept",
    "the other ICMP": "ip protocol icmp icmpv6 type echo-request accept",
    "two families": "ip saddr 192.0.2.1 ip6 daddr ::1 accept",
    "a family by nfproto": "meta nfproto ipv4 ip6 daddr ::1 accept",
    "a header of IPv6 alone": "ip saddr 192.0.2.1 exthdr frag exists",
    "a reject of the other family": "ip6 saddr ::1 reject with icmp port-unreachable",
    "a reset for UDP": "udp dport 53 reject with tcp reset",
    "after a verdict": "tcp dport 22 accept counter",
    "after a jump": "jump x accept",
    "a remark in mid-rule": 'tcp dport 22 comment "ssh" accept',
    "no such counter": 'tcp dport 22 counter name "ssh" accept',
    "no such set": "tcp dport @ports accept",
    "no such chain": "tcp dport 22 jump nowhere",
    "two values of a key": "tcp dport vmap { 22 : accept, 22 : drop }",
    "keys that overlap": "tcp dport vmap { 1-30 : accept, 22 : drop }",
    "no such port": "tcp dport 70000 accept",
    "no such type": "icmpv6 type 300 accept",
    "no such prefix": "ip6 saddr 2001:db8::/129 accept",
    "a range backwards": "tcp dport 53-22 accept",
    "no such state": "ct state established,relatd accept",
    "a limit of nothing": "limit rate 0/second accept",
    "no such field": "tcp port 22 accept",
    "no such word": "tcp dprot 22 accept",
    "an empty line in braces": "tcp dport {\n22,\n\n80 } accept",
    "a carriage return": "tcp dport 22 accept\r",
    "the other end of a fib": "fib saddr . daddr oif exists accept",
    "several values to set": "meta mark set { 1, 2 }",
    "a greater than several": "tcp dport > 22-80 accept",
    "nothing in braces": "tcp dport { } accept",
    "an address of IPv4": "ip6 saddr 192.0.2.1 accept",
    "addresses of both": "ip6 saddr { ::1, 192.0.2.1 } accept",
    "one of two values": "ip6 saddr . tcp dport { ::1 } accept",
    "three for two values": "ip6 saddr . tcp dport { ::1 . 22 . 3 } accept",
    "two values without braces": "ip6 saddr . tcp dport ::1 . 22 accept",
    "another tool's name": "icmpv6 type router-advertisement accept",
    "a code of the other family": "reject with icmpv6 host-unreachable",
    "a short word for second": "limit rate 10/s accept",
    "no such level": "log level nosuch accept",
    "a trace of two": "meta nftrace set 2 accept",
    "a copy of both families": "dup to ::1",
    "no such set to add to": "update @seen { ip6 saddr }",
    "no such map": "meta mark set tcp dport map @marks",
    "NAT in a filter": "masquerade",
    "a proxy behind routing": "meta l4proto tcp tproxy to :80",
    "an interface of any name": 'iifname "*" accept',
}
TAKEN = {
    "two values in braces": "ip6 saddr . tcp dport { ::1 . 22, ::2 . 80-90 } accept\n tcp dport 22 accept",  # noqa: E501
    "codes by name and number": "tcp dport 23 reject with icmpv6 addr-unreachable\n tcp dport 22 accept",  # noqa: E501
    "a level in quotes": 'log level "warn" tcp dport 22 accept',
    "types by name": "icmpv6 type { nd-router-advert, 135 } icmpv6 code 0 accept\n tcp dport 22 accept",  # noqa: E501
    "a map without blanks": "tcp dport vmap { 22:accept, 80:drop }",
    "states with a stroke": "ct state established|related accept\n tcp dport 22 accept",
    "flags in numbers": "tcp flags 0x2 / 0x1,0x2,0x4,0x10 tcp dport 22 accept",
    "flags without a sign": "tcp flags & (fin | syn | rst | ack) syn tcp dport 22 accept",
    "families in numbers": "meta nfproto 10 accept\n meta protocol 0x0800 accept",
    "a map by lot": "tcp dport 22 numgen random mod 2 vmap { 0 : accept, 1 : accept }",
    "a map by hash": "tcp dport 22 jhash ip6 saddr mod 2 vmap { 0 : accept, 1 : accept }",
    "remarks between braces": "tcp dport {\n # ssh\n 22, # more\n 80 } accept",
    "marks that shift": "meta mark set ct mark >> 8\n tcp dport 22 accept",
    "counters by the other way round": "counter bytes 1 packets 1 tcp dport 22 accept",
    "the first packet's ends": "ct original ip6 saddr ::1 accept\n tcp dport 22 accept",
    "a rate with blanks": "limit rate 5 mbytes / second\n tcp dport 22 accept",
    "a destination set by lot": "meta mark set numgen inc mod 2\n tcp dport 22 accept",
}
SETS = {
    "overlap": ("set s { type inet_service; flags interval; elements = { 1-30, 22 } }", False),
    "auto-merge": (
        "set s { type inet_service; flags interval; auto-merge elements = { 1-30, 22 } }",
        True,
    ),
    "no interval": ("set s { type inet_service; elements = { 1-30 } }", False),
    "one line": ("set s { type inet_service; elements = { 22, 443 } }", True),
    "other addresses": ("set s { type ipv4_addr; elements = { ::1 } }", False),
    "interval data": (
        """map m { type ipv4_addr : interval ipv4_addr; flags interval
        elements = { 192.0.2.0/24 : 198.51.100.1-198.51.100.9 } }
        set s { type inet_service; elements = { 22 } }""",
        True,
    ),
    "values of a key": (
        "map s { type inet_service : verdict; elements = { 2 : drop, 2 : accept } }",
        False,
    ),
}


def rule(text: str, family: str = "inet") -> str:
    """A file of one chain with it."""
    return f"{HEAD.format(family, 'filter hook input')}{text}\n }}\n}}\n"


@pytest.mark.parametrize("nft", [True, False], ids=["nft", "ours"])
@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_nft_refuses_is_never_certain(text: str, *, nft: bool) -> None:
    """Neither with nft nor without."""
    try:
        rules = rules_of([("f.nft", rule(text))], nft=nft)
    except RuleError:
        return
    assert {answer.split()[0] for answer in verdicts(rules, PROBES)} == {"depends"}


@pytest.mark.parametrize("nft", [True, False], ids=["nft", "ours"])
@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_what_nft_takes_is_read(text: str, *, nft: bool) -> None:
    """SSH is let in over IPv6, and not what nothing names."""
    rules = rules_of([("f.nft", rule(text))], nft=nft)
    assert not rules.gaps
    assert not rules.refusals
    ssh = {"proto": "tcp", "dport": 22, "iif": "eth0", "family": 6}
    assert verdicts(rules, [ssh]) == ["accept None"]


@pytest.mark.parametrize("text", ["destroy table inet gone\n", 'include "no/such/*.nft"\n', ""])
def test_it_is_told_who_has_read_a_file(text: str) -> None:
    """nft, or we, and why."""
    rules = rules_of([("f.nft", text + rule("tcp dport 22 accept"))])
    (note,) = rules.notes
    assert "has loaded it" in note or "may be too old" in note
    assert verdicts(rules, PROBES[:1]) == ["accept None"]
    assert rules.tables[0].chains["c"].rules[0].place.line == 5 + text.count("\n")


@pytest.mark.parametrize("nft", [True, False], ids=["nft", "ours"])
@pytest.mark.parametrize(("text", "taken"), SETS.values(), ids=SETS)
def test_sets_are_read_as_nft_does(text: str, *, taken: bool, nft: bool) -> None:
    """Those that it refuses void the file."""
    match = "vmap @s" if text.startswith("map s") else "@s accept"
    field = "ip saddr" if "type ipv4_addr;" in text else "tcp dport"
    whole = rule(f"{field} {match}").replace("{\n", f"{{\n{text}\n", 1)
    try:
        rules = rules_of([("f.nft", whole)], nft=nft)
    except RuleError:
        assert not taken
        return
    ssh = {"proto": "tcp", "dport": 22, "iif": "eth0", "family": 6}
    assert verdicts(rules, [ssh])[0].split()[0] == ("accept" if taken else "depends")


def test_a_recording_tells_what_nft_made_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it is judged again where there is no nft, or another one."""
    rules = rules_of([("f.nft", rule("tcp dport 22 accept"))])
    assert rules.source is not None
    monkeypatch.setattr(rule_files, "loading", None)
    again = rule_files.rules_again(rules.source)
    assert (again.tables, again.notes) == (rules.tables, rules.notes)


def test_included_rules_stand_in_their_own_file(tmp_path: Path) -> None:
    """What nft is given has no includes left, and errors are told where they are."""
    main, part = tmp_path / "main.nft", tmp_path / "part.nft"
    main.write_text('include "part.nft"\n' + rule("tcp dport $SSH accept"))
    part.write_text("# ports\ndefine SSH = 22\n")
    rules = rules_of([(str(main), main.read_text())])
    assert "has loaded it" in rules.notes[0]
    assert rules.tables[0].chains["c"].rules[0].place == RulePlace(str(main), 6)
    part.write_text("# ports\ndefine SSH = 70000\n")
    (refusal,) = rules_of([(str(main), main.read_text())]).refusals
    assert "Service out of range" in refusal.reason


@pytest.mark.parametrize("text", ['include  "/etc/hostname"', 'include\\\n"/etc/hostname"'])
def test_nft_never_reads_a_file_by_itself(text: str) -> None:
    """A file could name any, and the error shows a line of it."""
    whole = f"{rule('accept')}{text} {{\n"
    assert loaded.given(whole, "f.nft", lambda _: None) is None
