"""nftables text becomes the objects that ``nft -j`` prints."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from ipv6check.firewall.model import RuleError
from ipv6check.firewall.nft.from_text import parse, recognised
from tests.pace import loops

STATE = {"ct": {"key": "state"}}
FLAGS = {"payload": {"protocol": "tcp", "field": "flags"}}
DPORT = {"payload": {"protocol": "tcp", "field": "dport"}}
MARK = {"meta": {"key": "mark"}}
SADDR = {"payload": {"protocol": "ip6", "field": "saddr"}}


def match(left: Any, right: Any, op: str = "==") -> dict[str, Any]:
    """A comparison, as nft prints it."""
    return {"match": {"op": op, "left": left, "right": right}}


def bodies(kind: str, text: str) -> list[dict[str, Any]]:
    """What there is of one kind of object."""
    return [entry[kind] for entry in parse(text, "f.nft") if kind in entry]


def rule(text: str) -> Any:
    """The statements of one rule."""
    (found,) = bodies("rule", f"table inet x {{\n chain c {{\n  {text}\n }}\n}}\n")
    return found["expr"]


def texts(text: str) -> list[str]:
    """All rules as they are written."""
    return [body["text"] for body in bodies("rule", text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tcp dport 22 accept", [match(DPORT, 22), {"accept": None}]),
        ("tcp dport 22-25", [match(DPORT, {"range": [22, 25]})]),
        ("tcp dport ne ssh", [match(DPORT, "ssh", "!=")]),
        ("tcp dport { 22, 80-90 }", [match(DPORT, {"set": [22, {"range": [80, 90]}]})]),
        ("tcp dport @open", [match(DPORT, "@open")]),
        ("ip6 saddr fe80::/10", [match(SADDR, {"prefix": {"addr": "fe80::", "len": 10}})]),
        ("ip6 saddr & ::ffff == ::1", [match({"&": [SADDR, "::ffff"]}, "::1")]),
        ("ip6 saddr ::ffff:192.0.2.1", [match(SADDR, "::ffff:192.0.2.1")]),
        ("ct state new", [match(STATE, "new", "in")]),
        ("ct state established,related", [match(STATE, ["established", "related"], "in")]),
        ("ct state { established, new }", [match(STATE, {"set": ["established", "new"]})]),
        ("ct state != a,b,c", [match(STATE, {"|": ["a", "b", "c"]}, "!=")]),
        ("ct state ! new", [match(STATE, "new", "!")]),
        ("tcp flags { syn }", [match(FLAGS, "syn", "in")]),
        ("tcp flags == syn", [match(FLAGS, "syn")]),
        ("tcp flags syn / fin,syn", [match({"&": [FLAGS, ["fin", "syn"]]}, "syn")]),
        ("tcp flags & (fin | syn) == syn", [match({"&": [FLAGS, ["fin", "syn"]]}, "syn")]),
        ("tcp flags & (fin|syn) != 0", [match(FLAGS, ["fin", "syn"], "in")]),
        ("meta mark and 0xff 0x1", [match({"&": [MARK, 255]}, 1)]),
        ("mark set ct mark or 1", [{"mangle": {"key": MARK, "value": {"|": [
            {"ct": {"key": "mark"}}, 1]}}}]),
        ('iifname "eth*"', [match({"meta": {"key": "iifname"}}, "eth*")]),
        ("fib saddr . iif oif missing", [match(
            {"fib": {"result": "oif", "flags": ["saddr", "iif"]}}, right=False)]),
        ("exthdr frag exists", [match({"exthdr": {"name": "frag"}}, right=True)]),
        ("rt type 0", [match({"exthdr": {"name": "rt", "field": "type"}}, 0)]),
        ("@th,16,16 53", [match({"payload": {"base": "th", "offset": 16, "len": 16}}, 53)]),
        ("ct original ip6 saddr ::1", [match(
            {"ct": {"key": "ip6 saddr", "dir": "original"}}, "::1")]),
        ("tcp option maxseg size 1-500", [match(
            {"tcp option": {"name": "maxseg", "field": "size"}}, {"range": [1, 500]})]),
        ("ip6 saddr . tcp dport { ::1 . 22 }", [match(
            {"concat": [SADDR, DPORT]}, {"set": [{"concat": ["::1", 22]}]})]),
        ("tcp dport vmap { 22 : accept, * : jump y }", [{"vmap": {"key": DPORT, "data": {"set": [
            [22, {"accept": None}], ["*", {"jump": {"target": "y"}}]]}}}]),
        ("tcp dport vmap @v", [{"vmap": {"key": DPORT, "data": "@v"}}]),
        ('counter packets 5 bytes 7 log prefix "a " drop', [
            {"counter": {"packets": 5, "bytes": 7}}, {"log": {"prefix": "a "}}, {"drop": None}]),
        ("limit rate over 5/minute burst 3 packets", [{"limit": {
            "inv": True, "rate": 5, "per": "minute", "burst": 3}}]),
        ("limit rate 1 mbytes/second", [{"limit": {
            "rate": 1, "per": "second", "rate_unit": "mbytes"}}]),
        ("ct count over 5 drop", [{"ct count": {"inv": True, "val": 5}}, {"drop": None}]),
        ("reject", [{"reject": {"type": "icmpx", "expr": "port-unreachable"}}]),
        ("reject with tcp reset", [{"reject": {"type": "tcp reset"}}]),
        ("reject with icmpv6 type no-route", [{"reject": {"type": "icmpv6", "expr": "no-route"}}]),
        ("redirect to :8080", [{"redirect": {"port": 8080}}]),
        ("dnat ip6 to [2001:db8::1]:80 random", [{"dnat": {
            "family": "ip6", "addr": "2001:db8::1", "port": 80, "flags": "random"}}]),
        ("dnat ip to tcp dport map { 80 : 192.0.2.1 }", [{"dnat": {
            "family": "ip",
            "addr": {"map": {"key": DPORT, "data": {"set": [[80, "192.0.2.1"]]}}}}}]),
        ("snat 192.0.2.1", [{"snat": {"addr": "192.0.2.1"}}]),
        ("masquerade fully-random,persistent", [{"masquerade": {
            "flags": ["fully-random", "persistent"]}}]),
        ("add @s { ip6 saddr timeout 1m counter }", [{"set": {
            "op": "add", "elem": {"elem": {"val": SADDR, "timeout": "1m"}},
            "stmt": [{"counter": None}], "set": "@s"}}]),
        ('xt match "recent" xt target "LOG"', [
            {"xt": {"type": "match", "name": "recent"}},
            {"xt": {"type": "target", "name": "LOG"}}]),
        ("queue flags bypass to 3", [{"queue": {"rest": "flags bypass to 3"}}]),
        ('accept comment "x # y"', [{"accept": None}]),
    ],
)  # fmt: skip
def test_a_rule_is_what_nft_prints_of_it(text: str, expected: Any) -> None:
    """Each notation has one JSON form."""
    assert rule(text) == expected


@pytest.mark.parametrize(
    ("text", "unparsed"),
    [
        ("tcp dport 22 frobnicate the packet accept", "frobnicate the packet accept"),
        ("osf name Linux accept", "osf name Linux accept"),
        ("mark set mark | 1 & 2 accept", "mark set mark | 1 & 2 accept"),
        ("meta mark == ct mark accept", "meta mark == ct mark accept"),
        ("ct state established | related accept", "ct state established | related accept"),
        ("ip saddr 192.0.2.1,192.0.2.2 drop", "ip saddr 192.0.2.1,192.0.2.2 drop"),
        ("tcp dport { 22:accept } drop", "tcp dport { 22:accept } drop"),
        ("tcp dport 010 drop", "tcp dport 010 drop"),
        ("meta mark & 0xff >> 2 == 1 drop", "meta mark & 0xff >> 2 == 1 drop"),
        ("tcp dport accept", "tcp dport accept"),
        ("ipsec in ip6 saddr ::1 accept", "ipsec in ip6 saddr ::1 accept"),
        ("tcp dport 22 # xt_recent counter drop", "# xt_recent counter drop"),
        ("tcp dport vmap { 22 : frobnicate } drop", "tcp dport vmap { 22 : frobnicate } drop"),
        ("tcp dport { 22 : accept } drop", "tcp dport { 22 : accept } drop"),
    ],
)
def test_what_is_not_known_is_kept_to_the_end_of_the_rule(text: str, unparsed: str) -> None:
    """Nothing after an unknown word is believed."""
    assert rule(text)[-1].get("unparsed", "").endswith(unparsed)
    assert {"accept", "drop"}.isdisjoint(key for statement in rule(text) for key in statement)


def test_a_rule_has_its_line_text_handle_and_comment() -> None:
    """A listing with handles is quoted without them."""
    text = """table inet x { # handle 1
\tchain c { # handle 2
\t\taccept comment "a  b" # handle 7
\t}
}
"""
    (found,) = bodies("rule", text)
    assert found["text"] == 'accept comment "a b"'
    assert (found["line"], found["handle"], found["comment"]) == (3, 7, "a  b")
    assert bodies("chain", text)[0]["handle"] == 2


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("type filter hook input priority 0;", ("filter", "input", 0, "accept")),
        ("type nat hook prerouting priority dstnat", ("nat", "prerouting", -100, "accept")),
        ("type filter hook input priority filter + 9; policy drop", ("filter", "input", 9, "drop")),
        ("type filter hook forward priority -5", ("filter", "forward", -5, "accept")),
        ("type filter hook input priority $p; policy $d;", ("filter", "input", -9, "drop")),
    ],
)  # fmt: skip
def test_a_base_chain_has_its_numbers(declared: str, expected: tuple[str, str, int, str]) -> None:
    """Names of priorities, sums and variables are numbers."""
    text = 'define p = "filter - 9"\ndefine d = "drop"\n'
    (chain,) = bodies("chain", f"{text}table inet x {{\n chain c {{\n{declared}\n }}\n}}\n")
    assert tuple(chain[key] for key in ("type", "hook", "prio", "policy")) == expected


@pytest.mark.parametrize(
    ("then", "flags"), [("", ["dormant"]), ("add table x\n", None), ("table x {\n}\n", None)]
)
def test_a_dormant_table_sleeps_until_it_is_declared_again(
    then: str, flags: list[str] | None
) -> None:
    """As the kernel has it: a table without the flag is awake."""
    (table,) = bodies("table", f"table x {{\n flags dormant\n}}\n{then}")
    assert table.get("flags") == flags


def test_devices_are_named() -> None:
    """Of one chain or of many."""
    text = """table netdev x {
 chain a { type filter hook ingress device "eth0" priority 0; }
 chain b { type filter hook ingress devices = { eth0, eth1 } priority 0; }
}
"""
    assert [body["dev"] for body in bodies("chain", text)] == ["eth0", ["eth0", "eth1"]]


def test_variables_are_their_values() -> None:
    """They may hold sets, and stand in other sets and variables."""
    text = """define web = { 80, 443 }
define all = { 22, $web }
redefine web = { 8080 }
table inet x {
 define here = ::1
 chain c {
  tcp dport $all ip6 saddr $here
  tcp dport { $web, 1 }
 }
}
"""
    first, second = (body["expr"] for body in bodies("rule", text))
    assert first == [match(DPORT, {"set": [22, 80, 443]}), match(SADDR, "::1")]
    assert second == [match(DPORT, {"set": [8080, 1]})]


def test_sets_and_maps_have_their_elements() -> None:
    """With their own timeouts and comments, in one block or in several commands."""
    text = """table inet x {
 set s { type ipv6_addr; flags interval; auto-merge; elements = { ::1 timeout 1h expires 3m,
   2001:db8::/32 comment "doc" } # a comment
 }
 map v { type inet_service : verdict
  elements = { 22 : accept, 23 : jump y }
 }
 set t { typeof ip saddr . tcp dport; timeout 5m; }
 map w { type inet_service : ipv4_addr . inet_service; elements = { 22 : 192.0.2.1 . 2222 }; }
}
add element inet x s { ::2 }
"""
    found = [(body["type"], body.get("flags"), body.get("elem")) for body in bodies("set", text)]
    assert found == [
        ("ipv6_addr", ["interval"], [
            {"elem": {"val": "::1", "timeout": "1h", "expires": "3m"}},
            {"elem": {"val": {"prefix": {"addr": "2001:db8::", "len": 32}}, "comment": "doc"}},
            "::2",
        ]),
        ({"typeof": "ip saddr . tcp dport"}, None, None),
    ]  # fmt: skip
    verdicts, where = bodies("map", text)
    assert where["elem"] == [[22, {"concat": ["192.0.2.1", 2222]}]]
    assert verdicts["map"] == "verdict"
    assert verdicts["elem"] == [[22, {"accept": None}], [23, {"jump": {"target": "y"}}]]


def test_an_anonymous_chain_has_a_name() -> None:
    """It stands before the chain that jumps to it."""
    text = "table inet x {\n chain c {\n  tcp dport 22 jump {\n   accept\n  }\n  drop\n }\n}\n"
    inner, outer, last = sorted(bodies("rule", text), key=lambda body: body["line"] != 4)
    assert inner["chain"] == "__anon1"
    assert outer["expr"] == [match(DPORT, 22), {"jump": {"target": "__anon1"}}]
    assert last["expr"] == [{"drop": None}]


BASE = "add table inet x\nadd chain inet x c\nadd rule inet x c tcp dport 1\n"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("add rule inet x c tcp dport 2", ["tcp dport 1", "tcp dport 2"]),
        ("insert rule inet x c tcp dport 2", ["tcp dport 2", "tcp dport 1"]),
        ("table inet x {\n chain c {\n  tcp dport 2;\n }\n}", ["tcp dport 1", "tcp dport 2"]),
        ("flush chain inet x c", []),
        ("flush table inet x", []),
        ("flush ruleset", []),
        ("flush ruleset ip", ["tcp dport 1"]),
        ("delete table inet x", []),
        ("destroy table ip y", ["tcp dport 1"]),
        ("list ruleset", ["tcp dport 1"]),
    ],
)
def test_commands_work_in_order(command: str, expected: list[str]) -> None:
    """What is there is what they leave."""
    objects = parse(f"{BASE}{command}\n", "f")
    assert [entry["rule"]["text"] for entry in objects if "rule" in entry] == expected
    assert not [entry for entry in objects if {"gap", "refused"} & set(entry)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("delete table inet y\n", "gap"),
        ("flush ruleset\ndelete table inet y\n", "refused"),
        ("flush ruleset\nadd rule inet y c accept\n", "refused"),
        (f"{BASE}delete rule inet x c handle 3\n", "gap"),
        (f"{BASE}replace rule inet x c handle 3 drop\n", "gap"),
        (f"{BASE}add rule inet x c index 0 drop\n", "gap"),
        (f"{BASE}delete chain inet x c\n", "gap"),
        (f"{BASE}flush set inet x s\n", "gap"),
        ("add element inet x s { 1 }\ndelete element inet x s { 1 }\n", "gap"),
        ('include "/etc/other.nft"\n', "gap"),
        ("define a = 1\ndefine a = 2\n", "refused"),
        ("undefine a\n", "refused"),
        ("table x {\nchain c {\naccept\ntype filter hook input priority 0\n}\n}\n", "refused"),
        ("add table inet x", "gap"),
        ("table inet x {\n frob y {\n  z { }\n }\n}\n", "unparsed_object"),
    ],
)  # fmt: skip
def test_what_is_not_in_the_text_is_told(text: str, kind: str) -> None:
    """Where nft would refuse, or what it does depends on what is loaded."""
    found, *_ = [entry for entry in parse(text, "f") if kind in entry]
    assert found[kind]["line"] >= 1


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("table x {\nchain c {\naccept\n", "f:2: never closed: '{'"),
        ("table x {\n}\n}\n", "f:3: closes no bracket: '}'"),
        ('table x {\nlog "a\n}\n', "f:2: a quote that is never closed: '\"a'"),
        ("table x {\nchain c {\nmark $a\n}\n}\n", "f:3: a variable that is not defined: '$a'"),
        ("table x {\nchain c { accept }\n}\n", "f:2: expected a new line or ';': '}'"),
        ("table x {\nchain c { type filter hook no\n}\n}\n", "f:2: nft does not expect this here"),
        ("table x {\nchain c { type nat hook input priority odd\n}\n}\n", "f:2: not a priority"),
        ("table x {\nchain c { policy maybe; }\n}\n", "f:2: expected accept or drop: 'policy'"),
        (
            "table x {\nset s { elements = { 1 : 2 }; }\n}\n",
            "f:2: nft does not expect this here: ';'",
        ),
        ("frobnicate\n", "f:1: not an nft command: 'frobnicate'"),
        ("table x {\nchain c {\naccept \x1b\n}\n}\n", r"f:3: nothing that nft knows: '\x1b'"),
        ("table x {\n frob\n}\n", "f:2: not part of a table: 'frob'"),
        ("add rule x c " + "(" * 99 + ")" * 99 + "\n", "f:1: nested too deeply: '('"),
    ],
)  # fmt: skip
def test_what_no_nft_could_read_is_an_error(text: str, error: str) -> None:
    """With file, line and token."""
    with pytest.raises(RuleError) as caught:
        parse(text, "f")
    assert str(caught.value).startswith(error)
    assert str(caught.value).isprintable()


def test_included_files_stand_in_place() -> None:
    """Their objects know where they are from; one that matches nothing is fine."""
    files = {"a.nft": [("/etc/a.nft", "tcp dport 1\n")], "none/*": []}
    text = 'table inet x {\n chain c {\n  include "a.nft"\n  include "none/*"\n  drop\n }\n}\n'
    objects = parse(text, "f", files.get)
    rules = [entry["rule"] for entry in objects if "rule" in entry]
    assert [(rule["text"], rule["line"], rule.get("file")) for rule in rules] == [
        ("tcp dport 1", 1, "/etc/a.nft"),
        ("drop", 5, None),
    ]


def test_a_file_that_includes_itself_ends() -> None:
    """At nft's depth."""
    with pytest.raises(RuleError, match="too much is included, or too deeply"):
        parse('include "f"\n', "f", lambda _: [("f", 'include "f"\n')])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#!/usr/sbin/nft -f\n", True),
        ("# a comment\n\nflush ruleset\n", True),
        ("table ip6 filter {\n}\n", True),
        ("define a = 1\n", True),
        ("add rule ip6 filter input accept\n", True),
        ("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", False),
        ("-A INPUT -j DROP\n", False),
        ("create blocked hash:ip\nadd blocked 192.0.2.1\n", False),
        ('{"nftables": []}', False),
        ("", False),
    ],
)
def test_it_is_recognised(text: str, *, expected: bool) -> None:
    """By its first command."""
    assert recognised(text) is expected


def test_every_part_of_a_text_is_read_or_an_error() -> None:
    """Cut anywhere, it is never read as whole."""
    text = "table inet x {\n chain c {\n  tcp dport { 22, 80 } accept\n  drop\n }\n}\n"
    for end in range(15, len(text) - 1):
        try:
            objects = parse(text[:end], "f")
        except RuleError:
            continue
        assert text[:end].endswith("}"), objects


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "define a = " + "1-" * 20_000 + "1\n",
        "define a = " + "1|" * 20_000 + "1\n",
        "table x {\nchain c {\n tcp flags != " + "syn," * 20_000 + "ack\n}\n}\n",
        "table x {\nchain c {\n mark set mark" + " map @m" * 20_000 + "\n}\n}\n",
        "table x {\nchain c {\n" + "a:" * 50_000 + "\n}\n}\n",
    ],
)
def test_long_texts_end(text: str) -> None:
    """No recursion as deep as the text is long."""
    parse(text, "f")


@pytest.mark.slow
def test_ten_thousand_rules_are_quick() -> None:
    """A blocklist of a host that has been attacked."""
    rules = "".join(f"ip6 saddr 2001:db8:{number:x}::/48 drop\n" for number in range(10_000))
    text = f"table inet x {{\nchain c {{\n{rules}}}\n}}\n"
    assert len(texts(text)) == 10_000
    assert loops(lambda: texts(text)) < 50  # 16 is usual


def test_variables_do_not_grow_without_end() -> None:
    """Each is the one before it many times."""
    growing = [f"define v{at} = {{ {', '.join([f'$v{at - 1}'] * 60)} }}" for at in range(1, 7)]
    with pytest.raises(RuleError, match="more than 2000000 elements"):
        parse("\n".join(["define v0 = { 1, 2, 3 }", *growing]), "f.nft")
    doubled = [f"define v{at} = ($v{at - 1} | $v{at - 1})" for at in range(1, 41)]
    table = "table inet x {\n chain c {\n  meta mark $v40 accept\n }\n}\n"
    (found,) = (
        entry["rule"]
        for entry in parse("\n".join(["define v0 = 1", *doubled, table]), "f")
        if "rule" in entry
    )
    assert "unparsed" in found["expr"][0]


LISTED = """
table inet x {
  set s { type ipv6_addr; flags interval; elements = { 2001:db8::/32, ::1 } }
  map v { type inet_service : verdict; elements = { 22 : accept } }
  chain sub {
    tcp dport 22 accept
    goto other
  }
  chain other {
    reject with icmpv6 addr-unreachable
  }
  chain input {
    type filter hook input priority filter - 5; policy drop;
    ct state established,related accept
    ct state vmap { invalid : drop, new : jump sub }
    ct state != { established, related } tcp flags & (fin | syn) == syn counter
    tcp flags syn,ack tcp flags ! fin tcp flags { syn, ack } drop
    iif lo accept
    iifname "wg*" ip6 saddr @s tcp dport vmap @v
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept
    icmpv6 type . icmpv6 code { packet-too-big . no-route } accept
    ip6 daddr & ::ffff:ffff:ffff:ffff == ::1 meta l4proto { tcp, udp } th dport 53 accept
    ip6 saddr . tcp dport { 2001:db8::/32 . 80-90 } limit rate 5/minute burst 3 packets accept
    meta mark & 0xff == 0x1 meta mark set meta mark | 0x10 log prefix "x " level info flags all
    fib daddr type { local, broadcast } exthdr frag missing meta pkttype host reject
    udp sport >= 1024 udp dport != 1000-2000 log group 2 notrack
  }
  chain nat {
    type nat hook prerouting priority dstnat; policy accept;
    tcp dport 80 redirect to :8080
    tcp dport 81 dnat ip6 to [2001:db8::1]:80
    tcp dport 82 dnat ip to tcp dport map { 82 : 192.0.2.1 }
  }
}
"""


def _nft(script: str) -> subprocess.CompletedProcess[str]:
    command = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _comparable(objects: list[dict[str, Any]]) -> list[Any]:
    """The rules and chains, without places, counts, and what nft writes out as its default."""
    found: list[Any] = []
    for entry in objects:
        ((kind, body),) = entry.items()
        if kind == "rule":
            found.append((body["chain"], [_settled(statement) for statement in body["expr"]]))
        elif kind == "chain":
            found.append([body.get(key) for key in ("name", "type", "hook", "prio", "policy")])
        elif kind in {"set", "map"}:
            found.append((body["name"], body["type"], body["elem"]))
    return found


def _settled(statement: dict[str, Any]) -> dict[str, Any]:
    ((kind, body),) = statement.items()
    if kind == "counter":
        body = None
    elif kind == "limit":
        body = {"burst": 5} | body
    elif kind == "log":
        body = {key: value for key, value in body.items() if key != "flags"}
    return {kind: body}


@pytest.mark.lab
def test_a_listing_is_what_nft_says_it_is(tmp_path: Any) -> None:
    """The real nft's text, read here, equals the real nft's JSON."""
    file = tmp_path / "rules.nft"
    file.write_text(LISTED)
    tools = all(shutil.which(tool) for tool in ("nft", "unshare"))
    asked = _nft(f"nft -f {file} && nft list ruleset && nft -j list ruleset") if tools else None
    if asked is None or "permitted" in asked.stderr or "unshare" in asked.stderr:
        pytest.skip("nft cannot run in a namespace here")
    assert asked.returncode == 0, asked.stderr
    text, _, listed = asked.stdout.rpartition("\n{")
    theirs = json.loads("{" + listed)["nftables"][1:]
    mine = parse(text + "\n", "listing")
    assert not [entry for entry in mine if set(entry) & {"gap", "refused", "unparsed_object"}]
    assert "unparsed" not in str(mine)
    ours, told = (
        sorted(json.dumps(entry, sort_keys=True) for entry in _comparable(objects))
        for objects in (mine, theirs)
    )
    assert ours == told
