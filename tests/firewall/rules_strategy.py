"""Random rule sets and packets: small, loadable, and full of what decides verdicts.

Every part is one that we model, so that an answer ought to be certain, unless `spiced` says
otherwise: those have parts of which nobody can tell what they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.firewall.oracle_frames import complete

Packet = dict[str, Any]

PORTS = (22, 53, 80, 443, 8080)
PREFIXES6 = ("2001:db8:e0::/64", "2001:db8:e0::2", "2001:db8:9::/48", "fe80::/10", "::/0")
PREFIXES4 = ("198.51.100.0/24", "198.51.100.2", "10.0.0.0/8", "0.0.0.0/0")


@dataclass(frozen=True, slots=True)
class Host:
    """Rule files as the oracle takes them, of these families.

    ``spiced``: with parts that are not modelled.
    """

    files: tuple[tuple[str, str], ...]
    spiced: bool
    families: tuple[int, ...] = (6, 6, 4)

    def __str__(self) -> str:
        return "\n".join(f"# {notation}\n{text}" for notation, text in self.files)


# --- nftables

_SLOTS = [
    *(("prerouting", priority) for priority in (-300, -150, -50)),
    *(("input", priority) for priority in (-150, -10, 0, 10)),
    *(("forward", priority) for priority in (0, 10)),
    ("nat", -100),
]
_ANYWHERE = (
    *('iifname "eth0"', 'iifname != "eth1"', 'iifname { "eth1", "lo" }', 'iifname "eth*"'),
    *('oifname "eth1"', 'oifname != "eth1"', 'iif "eth0"', 'iif != "eth0"'),
    *("ct state new", "ct state established,related", "ct state != new", "ct state ! new"),
    *("ct state { new, untracked }", "ct state invalid", "ct state untracked"),
    *("ct state & (new|established) != 0", "ct direction original", "ct mark != 0x0"),
    *("meta mark 0x1", "meta mark != 0x0", "meta mark & 0x3 == 0x2", "ct mark 0x1"),
    *("meta mark > 0x1", "meta pkttype host", "meta pkttype != multicast"),
    *("fib daddr type local", "fib daddr type != local", "ct status dnat"),
    *('ct state . iifname { new . "eth0", untracked . "eth1" }', "ct state != @states"),
)
_NO_UPPER = (
    *("meta l4proto tcp", "meta l4proto != tcp", "meta l4proto { tcp, udp }"),
    *("meta l4proto . th dport { tcp . 22, udp . 53 }", "meta l4proto { tcp, udp } th dport 53"),
)
_UPPER = {
    "tcp": (
        *(f"tcp dport {port}" for port in PORTS),
        *("tcp dport { 22, 80 }", "tcp dport != { 22, 80 }", "tcp dport 1-1023", "tcp dport != 22"),
        *("tcp sport 1024-65535", "tcp sport < 1024", "tcp dport >= 443", "tcp dport != 50-500"),
        *("tcp flags syn", "tcp flags & (syn|ack) == syn", "tcp flags != syn", "tcp flags ! syn"),
        *("tcp flags { syn, ack }", "tcp flags & (fin|syn|rst|ack) == syn", "tcp flags & ack != 0"),
        *("tcp dport @ports", "tcp dport != @ports", 'iifname . tcp dport { "eth0" . 22-53 }'),
    ),
    "udp": ("udp dport 53", "udp dport != 53", "udp dport { 53, 443 }", "udp sport != 53-60"),
    "icmpv6": (
        *("icmpv6 type echo-request", "icmpv6 type != echo-request", "icmpv6 type 1-4"),
        *("icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert }",),
        *("icmpv6 type packet-too-big icmpv6 code no-route", "icmpv6 type mld-listener-query"),
        "icmpv6 type . icmpv6 code { 1 . 4, 2 . 0, 135 . 0 }",
    ),
    "icmp": ("icmp type echo-request", "icmp type != echo-request", "icmp type { 3, 11 }"),
}
_LOWER = {
    6: (
        *(f"ip6 saddr {prefix}" for prefix in PREFIXES6),
        *(f"ip6 saddr != {prefix}" for prefix in PREFIXES6[:4]),
        *("ip6 saddr @six", "ip6 saddr != @six", "ip6 daddr ff00::/8", "ip6 hoplimit 255"),
        *("ip6 hoplimit != 64", "ip6 hoplimit 1-63", "ip6 nexthdr tcp", "ip6 nexthdr != { 6, 17 }"),
        *("exthdr hbh exists", "exthdr dst missing", "rt type 0"),
        *("ip6 daddr & ::ffff:ffff:ffff:ffff == ::1", "ip6 saddr . ip6 hoplimit @pairs"),
    ),
    4: (
        *(f"ip saddr {prefix}" for prefix in PREFIXES4),
        *(f"ip saddr != {prefix}" for prefix in PREFIXES4[:3]),
        *("ip protocol tcp", "ip ttl 64", "ip daddr 198.51.100.1"),
    ),
}
_FAMILIES = {"inet": (4, 6), "ip6": (6,), "ip": (4,)}
_SETS = {
    "ports": "type inet_service\nelements = { 22, 443 }",
    "states": "type ct_state\nelements = { new, untracked }",
    "six": "type ipv6_addr\nflags interval\n"
    "elements = { 2001:db8:e0::/64, 2001:db8:9::1-2001:db8:9::9 }",
    "pairs": "typeof ip6 saddr . ip6 hoplimit\nflags interval\n"
    "elements = { 2001:db8:e0::/64 . 64, fe80::/10 . 200-255 }",
}
_SPICES = ("limit rate 5/second", "meta length > 50", "meta random > 1000", 'meta hour > "03:00"')
_DOING = (
    *("counter", 'log prefix "x"', "meta mark set 0x1", "meta mark set meta mark | 0x2"),
    *("ct mark set 0x1", "meta mark set ct mark", "meta mark set meta mark & 0x1"),
)
_STATES = ("new", "established", "related", "invalid", "untracked")


@st.composite
def mixed_hosts(draw: st.DrawFn) -> Host:
    """A host with both: at equal priorities nobody knows what runs first."""
    first, second = draw(nft_hosts()), draw(iptables_hosts())
    return Host((*first.files, *second.files), spiced=True)


@st.composite
def nft_hosts(draw: st.DrawFn) -> Host:
    """A host with one to three tables of nftables."""
    spiced = draw(st.integers(0, 4)) == 4
    slots = draw(st.lists(st.sampled_from(_SLOTS), min_size=1, max_size=4, unique=True))
    number = draw(st.integers(1, min(3, len(slots))))
    tables = [slots[at::number] for at in range(number)]
    text = "".join(
        _table(draw, f"t{at}", mine, spiced=spiced) for at, mine in enumerate(tables) if mine
    )
    return Host((("nft", text),), spiced)


def _table(draw: st.DrawFn, name: str, slots: list[tuple[str, int]], *, spiced: bool) -> str:
    family = draw(st.sampled_from(["inet", "inet", "ip6", "ip"]))
    called = [f"c{at}" for at in range(draw(st.integers(0, 2)))]
    lines = []
    for at, chain in enumerate(called):
        rules = _rules(family, "any", called[at + 1 :], spiced=spiced)
        lines += [f"chain {chain} {{", *draw(rules), "}"]
    for at, (hook, priority) in enumerate(slots):
        kind, place = ("nat", "prerouting") if hook == "nat" else ("filter", hook)
        policy = "accept" if hook == "nat" else draw(st.sampled_from(["accept", "drop"]))
        head = f"type {kind} hook {place} priority {priority}; policy {policy};"
        what = "raw" if (hook, priority) == ("prerouting", -300) else hook
        rules = _rules(family, what, called, spiced=spiced)
        lines += [f"chain b{at} {{", head, *draw(rules), "}"]
    text = "\n".join(lines)
    sets = [f"set {name} {{\n{body}\n}}\n" for name, body in _SETS.items() if f"@{name}" in text]
    return f"table {family} {name} {{\n{''.join(sets)}{text}\n}}\n"


def _rules(
    family: str, hook: str, called: list[str], *, spiced: bool
) -> st.SearchStrategy[list[str]]:
    return st.lists(_rule(family, hook, called, spiced=spiced), max_size=5)


@st.composite
def _rule(draw: st.DrawFn, family: str, hook: str, called: list[str], *, spiced: bool) -> str:
    lower = draw(st.sampled_from([None, None, *_FAMILIES[family]]))
    seen = {lower} if lower else {*_FAMILIES[family]}
    own = [name for number, name in ((6, "icmpv6"), (4, "icmp")) if number in seen]
    upper = draw(st.sampled_from([None, "tcp", "tcp", "udp", *own]))
    steps = [draw(st.sampled_from(_LOWER[lower]))] if lower else []
    if any(word in step for step in steps for word in ("nexthdr", "protocol")):
        upper = None
    elif upper:
        steps.append(draw(st.sampled_from(_UPPER[upper])))
    elif draw(st.integers(0, 3)) == 3:
        steps.append(draw(st.sampled_from(_NO_UPPER)))
    if draw(st.booleans()):
        steps.append(draw(st.sampled_from(_ANYWHERE)))
    if spiced and draw(st.booleans()):
        steps.append(draw(st.sampled_from(_SPICES)))
    if draw(st.integers(0, 3)) == 3:
        steps.append(draw(st.sampled_from(_DOING)))
    if hook == "raw" and draw(st.integers(0, 3)) == 3:
        steps.append("notrack")
    steps.append(_end(draw, family, hook, upper, called))
    return " ".join(filter(None, steps)) or "counter"


def _end(draw: st.DrawFn, family: str, hook: str, upper: str | None, called: list[str]) -> str:
    verdicts = ["accept", "drop", "return", "continue", ""]
    verdicts += [f"{way} {chain}" for chain in called for way in ("jump", "goto")]
    maps = [verdicts[0], verdicts[1], *verdicts[5:]]
    choices = [*verdicts, *verdicts]
    if hook == "nat":
        if upper in {"tcp", "udp"}:
            choices += 3 * ["redirect to :8080", "redirect to :53", "redirect"]
        return draw(st.sampled_from(choices))
    choices += ["reject", "reject"]
    if family == "inet":
        choices.append("reject with icmpx admin-prohibited")
    if upper == "tcp":
        choices.append("reject with tcp reset")
    one, two = (draw(st.sampled_from(maps)) for _ in range(2))
    if upper == "tcp":
        choices.append(f"tcp dport vmap {{ 22 : {one}, 80-443 : {two} }}")
    elif upper is None:
        choices.append(f"meta l4proto vmap {{ tcp : {one}, icmpv6 : {two} }}")
    states = draw(st.permutations(_STATES))
    choices.append(f"ct state vmap {{ {states[0]} : {one}, {states[1]} : {two} }}")
    choices.append(f'iifname vmap {{ "eth0" : {one}, "eth1" : {two} }}')
    return draw(st.sampled_from(choices))


# --- iptables

_HOOKS = {
    "raw": ("PREROUTING",),
    "mangle": ("PREROUTING", "INPUT", "FORWARD"),
    "nat": ("PREROUTING",),
    "filter": ("INPUT", "FORWARD"),
}
_ENDS = {
    6: (*PREFIXES6[:3], "fe80::/10", "2001:db8:e0::/ffff:ffff:ffff::"),
    4: (*PREFIXES4[:3], "198.51.0.100/255.255.0.255"),
}
_MATCHES = (
    *("-i eth0", "! -i eth1", "-i eth+", "-i lo", '-m comment --comment "-j DROP"'),
    *("-m conntrack --ctstate NEW", "-m conntrack --ctstate RELATED,ESTABLISHED"),
    *("-m conntrack ! --ctstate INVALID", "-m state --state NEW,UNTRACKED"),
    *("-m conntrack --ctstate DNAT", "-m state --state INVALID", "-m connmark --mark 0x1"),
    *("-m mark --mark 0x1", "-m mark ! --mark 0x1/0x1", "-m addrtype --dst-type LOCAL"),
    *("-m pkttype --pkt-type multicast", "-m pkttype ! --pkt-type unicast"),
)
_PROTOCOLS = {
    "": ("", "", "! -p tcp"),
    "tcp": (
        *(f"-p tcp -m tcp --dport {port}" for port in PORTS),
        *("-p tcp -m tcp ! --dport 22", "-p tcp -m tcp --dport 1:1023", "-p tcp"),
        *("-p tcp -m multiport --dports 22,80:443", "-p tcp -m multiport ! --dports 22,53"),
        *("-p tcp -m tcp --tcp-flags SYN,ACK SYN", "-p tcp ! --syn", "-p tcp -m tcp --sport 1024:"),
        "-p tcp -m multiport --ports 53,80",
    ),
    "udp": ("-p udp -m udp --dport 53", "-p udp -m udp ! --dport 53", "-p udp"),
    "icmp": (),
}
_ICMP = {
    6: (
        *("-p ipv6-icmp", "-p ipv6-icmp -m icmp6 --icmpv6-type 128", "-p icmp"),
        *("-p ipv6-icmp -m icmp6 ! --icmpv6-type 135", "-p ipv6-icmp -m hl --hl-eq 255"),
        *("-p ipv6-icmp -m icmp6 --icmpv6-type 1/4", "-m hl --hl-lt 64"),
    ),
    4: ("-p icmp", "-p icmp -m icmp --icmp-type 8", "-p icmp -m icmp ! --icmp-type 3/4"),
}


@st.composite
def iptables_hosts(draw: st.DrawFn) -> Host:
    """A host with the tables of iptables, for one family or for both."""
    spiced = draw(st.integers(0, 4)) == 4
    families = draw(st.sampled_from([(6,), (6,), (6, 4), (4,)]))
    files = tuple(
        ("ip6tables" if family == 6 else "iptables", _save(draw, family, spiced=spiced))
        for family in families
    )
    return Host(files, spiced, families)


def _save(draw: st.DrawFn, family: int, *, spiced: bool) -> str:
    tables = [
        *(name for name in ("raw", "mangle", "nat") if draw(st.integers(0, 2)) == 2),
        "filter",
    ]
    return "".join(_block(draw, family, table, spiced=spiced) for table in tables)


def _block(draw: st.DrawFn, family: int, table: str, *, spiced: bool) -> str:
    called = [f"C{at}" for at in range(draw(st.integers(0, 2)))]
    heads, rules = [], []
    for hook in _HOOKS[table]:
        policy = draw(st.sampled_from(["ACCEPT", "DROP"])) if table == "filter" else "ACCEPT"
        heads.append(f":{hook} {policy} [0:0]")
        rules += draw(_appended(family, table, hook, called, spiced=spiced))
    for at, chain in enumerate(called):
        heads.append(f":{chain} - [0:0]")
        rules += draw(_appended(family, table, chain, called[at + 1 :], spiced=spiced))
    return "\n".join([f"*{table}", *heads, *rules, "COMMIT", ""])


def _appended(
    family: int, table: str, chain: str, called: list[str], *, spiced: bool
) -> st.SearchStrategy[list[str]]:
    return st.lists(_entry(family, table, chain, called, spiced=spiced), max_size=5)


@st.composite
def _entry(
    draw: st.DrawFn, family: int, table: str, chain: str, called: list[str], *, spiced: bool
) -> str:
    proto = draw(st.sampled_from(["", "tcp", "tcp", "udp", "icmp"]))
    choices = _ICMP[family] if proto == "icmp" else _PROTOCOLS[proto]
    steps = [f"-A {chain}", draw(st.sampled_from(choices))]
    if draw(st.booleans()):
        end = draw(st.sampled_from(["-s", "! -s", "-d", "! -d"]))
        steps.append(f"{end} {draw(st.sampled_from(_ENDS[family]))}")
    steps += draw(st.lists(st.sampled_from(_MATCHES), max_size=1))
    if spiced and draw(st.booleans()):
        steps.append(draw(st.sampled_from(["-m limit --limit 5/sec", "-m length --length 60:"])))
    steps.append(draw(st.sampled_from(_targets(table, proto, called))))
    return " ".join(filter(None, steps))


def _targets(table: str, proto: str, called: list[str]) -> list[str]:
    targets = ["-j ACCEPT", "-j ACCEPT", "-j RETURN", ""]
    targets += [f"{way} {chain}" for chain in called for way in ("-j", "-g")]
    if table != "nat":
        targets += ["-j DROP", "-j DROP"]
    if table == "filter":
        targets += ["-j REJECT", "-j REJECT", "-j LOG"]
        targets += ["-j REJECT --reject-with tcp-reset"] if proto == "tcp" else []
    if table == "mangle":
        targets += ["-j MARK --set-xmark 0x1/0xffffffff", "-j MARK --set-xmark 0x2/0x3"]
        targets += ["-j CONNMARK --set-xmark 0x1/0xffffffff"]
    if table == "raw":
        targets += ["-j CT --notrack"]
    if table == "nat" and proto in {"tcp", "udp"}:
        targets += ["-j REDIRECT --to-ports 8080", "-j REDIRECT --to-ports 53"]
    return targets


# --- packets

PACKETS = 12

_ROUTED = {6: (1, 2, 3, 4, 128, 129), 4: (0, 3, 8, 11, 13)}
_ON_LINK = (130, 133, 134, 135, 136, 137, 143)
_SOURCES = {6: ("2001:db8:e0::3", "2001:db8:9::5"), 4: ("198.51.100.3", "10.1.2.3")}


@st.composite
def packets(draw: st.DrawFn, families: tuple[int, ...], at: int) -> Packet:
    """A packet of the probe form, with everything told that matters.

    ``at`` tells its flow from that of every other packet.
    """
    family = draw(st.sampled_from(families))
    kind = draw(st.sampled_from(["tcp", "tcp", "tcp", "udp", "icmp", "icmp"]))
    found: Packet = {"proto": kind, "family": family}
    if kind == "icmp":
        found = _message(draw, family)
    else:
        found["dport"] = draw(st.sampled_from(PORTS))
        found["sport"] = at + draw(st.sampled_from([40000, 40000, 1000, 53]))
        if draw(st.integers(0, 5)) == 5:
            found["ct"] = "established"
        elif kind == "tcp" and draw(st.integers(0, 3)) == 3:
            found["flags"] = draw(
                st.sampled_from(["ack", "syn,ack", "rst", "fin", "syn,ece", "none"])
            )
    found["hoplimit"] = found.get("hoplimit") or draw(st.sampled_from([64, 64, 255, 63]))
    on_link = found.get("type") in _ON_LINK and family == 6
    if not on_link and draw(st.integers(0, 5)) == 5:
        found["hook"] = "forward"
    elif draw(st.integers(0, 5)) == 5:
        found["iif"] = "eth1"
    elif not on_link and draw(st.integers(0, 2)) == 2:
        found["saddr"] = draw(st.sampled_from(_SOURCES[family]))
    if family == 6 and kind == "tcp" and draw(st.integers(0, 5)) == 5:
        found["ext"] = draw(st.sampled_from(["hbh", "dst", "rh0"]))
    return complete(found)


def _message(draw: st.DrawFn, family: int) -> Packet:
    kinds = _ROUTED[family] + (_ON_LINK if family == 6 else ())
    kind = draw(st.sampled_from(kinds))
    found: Packet = {"proto": "icmpv6" if family == 6 else "icmp", "family": family, "type": kind}
    if kind in {1, 3}:
        found["code"] = draw(st.sampled_from([0, 4] if kind == 1 or family == 4 else [0, 1]))
    errors = (1, 2, 3, 4) if family == 6 else (3, 11)
    if kind in errors and draw(st.booleans()):
        found["ct"] = "related"
    if kind in {129, 0} and draw(st.booleans()):
        found["ct"] = "established"
    if family == 6 and kind in _ON_LINK:
        found["hoplimit"] = draw(st.sampled_from([255, 255, 1, 64]))
    if kind == 135 and draw(st.booleans()):
        found["saddr"] = "::"
    return found


@st.composite
def questions(draw: st.DrawFn, hosts: st.SearchStrategy[Host]) -> tuple[Host, list[Packet]]:
    """A host, and what is sent to it."""
    host = draw(hosts)
    return host, [draw(packets(host.families, at)) for at in range(PACKETS)]
