"""The options of a rule of iptables, its match modules and its targets: entries of tables.

A key of such a table spells the options that one function builds a condition from, apart by blanks:
``dport|destination-port`` are two names of one option. An option takes one value; ``!`` at the end:
none, ``+``: two, ``#``: one that has to be a number (`options` reads the keys). A name of a letter
has one dash, any other two.

What has no entry is not modelled. What the tools would not load is a RefusedError, as iptables
1.8.9 and its kernel decide; what no version of them could read is an UnreadableError.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial, reduce
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from itertools import pairwise
from operator import or_
from typing import NamedTuple, TypeVar

from ipv6check.firewall.model import (
    ALWAYS,
    BITS,
    IPV4,
    IPV6,
    NEVER,
    Accept,
    Action,
    AddressType,
    AllOf,
    AnyOf,
    Assign,
    Branch,
    Condition,
    ConntrackState,
    ConntrackStatus,
    Drop,
    Field,
    FieldMatch,
    Hook,
    InterfaceMatch,
    Not,
    NoTrack,
    Ranges,
    Redirect,
    Reject,
    Return,
    SourceNat,
    Table,
    Unclear,
    Unmodelled,
    merged,
    per_second,
    without,
)
from ipv6check.firewall.names import (
    AH,
    DCCP,
    ESP,
    ICMP,
    ICMPV6,
    MH,
    PROTOCOLS,
    SCTP,
    SERVICES,
    TCP,
    UDP,
    WITH_PORTS,
)

Value = TypeVar("Value")
ALL = 0xFFFFFFFF
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}")
_IPV4 = re.compile(r"[0-9]+(\.[0-9]+){0,3}")
_AT_LOAD = "names are resolved when the rules load"


class RefusedError(Exception):
    """The kernel or its tool would not load this."""


class UnreadableError(Exception):
    """No version of iptables could read this: what is wrong, and the token."""


class OpenError(Exception):
    """What this is cannot be determined here; the argument is why."""


# --- words and numbers


def shown(token: str) -> str:
    """A token in a message."""
    return ascii(token if len(token) <= 60 else f"{token[:60]}...")


def said(words: Iterable[str]) -> str:
    """Option and values in words that differ where these do."""
    text = " ".join(words)
    return text if text.isprintable() else ascii(text)


def _number(text: str, highest: int) -> int | None:
    """A number as strtoul reads it, or None for a name."""
    if not _NUMBER.fullmatch(text):
        return None
    base = 16 if text[:2] in {"0x", "0X"} else 8 if text[0] == "0" else 10
    try:
        number = int(text, base)
    except ValueError:
        return None
    if number > highest:
        raise UnreadableError(f"is more than {highest}", text)
    return number


def whole(text: str, highest: int = ALL) -> int:
    """A number, and no name."""
    number = _number(text, highest)
    if number is None:
        raise UnreadableError("is not a number", text)
    return number


def _one(number: int) -> Ranges:
    return ((number, number),)


def _named(text: str, words: Mapping[str, Value], what: str) -> Value:
    """What a word, of whatever case, or the unambiguous beginning of one stands for."""
    key = text.lower()
    meant = {words[key]} if key in words else {v for k, v in words.items() if k.startswith(key)}
    if not text or len(meant) != 1:
        raise RefusedError(f"there is no {what} {shown(text)}")
    return meant.pop()


def _bits(text: str, words: Mapping[str, int], what: str) -> int:
    return reduce(or_, (_named(word, words, what) for word in text.split(",")))


def _masked(text: str) -> tuple[int, int]:
    value, slash, mask = text.partition("/")
    return whole(value), whole(mask) if slash else ALL


def _resolved(text: str, highest: int, names: Mapping[str, int], what: str) -> int:
    """A number, or what a name stands for on every host."""
    number = _number(text, highest)
    if number is None and not NAME.fullmatch(text):
        raise UnreadableError(f"is not a {what}", text)
    if number is None and text not in names:
        raise OpenError(f"if {text} is its {what}: {_AT_LOAD}")
    return names[text] if number is None else number


def _protocol(text: str) -> int:
    """A protocol's number; 0 is any."""
    if text.lower() == "icmp6":
        raise RefusedError("there is not a protocol 'icmp6': it is called ipv6-icmp")
    return _resolved(text.lower(), 255, {**PROTOCOLS, "all": 0, "hopopt": 0}, "protocol")


@lru_cache(4096)
def _ports(text: str, between: str = ":") -> Ranges:
    first, separator, last = text.partition(between)
    low = 0 if separator and not first else _resolved(first, 65535, SERVICES, "port")
    high = low if not separator else _resolved(last, 65535, SERVICES, "port") if last else 65535
    if low > high:
        raise RefusedError(f"the port range {shown(text)} ends before it begins")
    return ((low, high),)


def _port_list(text: str) -> Ranges:
    parts = text.split(",")
    if len(parts) + text.count(":") > 15:
        raise RefusedError("multiport takes no more than 15 ports")
    if not all(part and part[0] != ":" and part[-1] != ":" for part in parts):
        raise UnreadableError("is not a list of ports", text)
    return merged(ports for part in parts for ports in _ports(part))


def _ip(text: str, family: int) -> int:
    address: IPv4Address | IPv6Address | None = None
    try:
        if ":" in text and "%" not in text:
            address = IPv6Address(text)
        elif _IPV4.fullmatch(text) and not re.search(r"\b0\d", text):
            address = IPv4Address(text + ".0" * (3 - text.count(".")))
    except AddressValueError:
        raise UnreadableError("is not an address", text) from None
    if address and address.version != family:
        raise RefusedError(f"{text} is an IPv{address.version} address in IPv{family} rules")
    if address:
        return int(address)
    if not NAME.fullmatch(text):
        raise UnreadableError("is not an address", text)
    raise OpenError(f"if {text} is its address: {_AT_LOAD}")


@lru_cache(65536)
def _address(what: Field, text: str, family: int) -> FieldMatch:
    """An address, or those that are equal to it under a mask."""
    name, slash, length = text.partition("/")
    full = mask = (1 << BITS[family]) - 1
    if slash:
        long = _number(length.lstrip("0") or "0", BITS[family]) if length.isdigit() else None
        if long is None and (not length or (":" in length) is (family == IPV4) or length.isdigit()):
            raise UnreadableError("is not a mask", length)
        mask = _ip(length, family) if long is None else full ^ (full >> long)
    value = _ip(name, family) & mask if mask else 0
    rest = mask ^ full
    if rest & (rest + 1):
        return FieldMatch(what, _one(value), mask=mask)
    return FieldMatch(what, ((value, value | rest),))


# --- what an option is, and the rule it stands in


@dataclass(slots=True, eq=False)
class Draft:
    """A rule that is being read, and the option that is being read of it.

    ``doubt`` notes that its file may not load. ``opened``: the modules and the target whose
    options are understood, None where these may be any; ``extra`` keeps what is not modelled.
    ``flow``: what conntrack is asked about a flow. ``words``: the target's options.
    """

    family: int
    table: Table
    chain: str
    tokens: list[str]
    doubt: Callable[[str], None]
    name: str = ""
    values: Sequence[str] = ()
    negated: bool = False
    protocol: int | None = 0
    opened: list[tuple[str, Module | None]] = field(default_factory=list)
    extra: dict[str, list[str]] = field(default_factory=dict)
    choices: list[list[Condition]] = field(default_factory=list)
    flow: list[Condition] = field(default_factory=list)
    by_state: bool = False
    target: str = ""
    goto: bool = False
    words: dict[str, str] = field(default_factory=dict)
    skipped: bool = False

    @property
    def value(self) -> str:
        """The first of the option's values, usually the only one."""
        return self.values[0] if self.values else ""

    def plain(self) -> str:
        """The value of an option that takes no exclamation mark."""
        if self.negated:
            raise RefusedError(f"{self.name} cannot be negated")
        return self.value

    def among(self, what: Field, ranges: Ranges, mask: int | None = None) -> FieldMatch:
        """One field's values or, after an exclamation mark, all others."""
        return FieldMatch(what, ranges, self.negated, mask)

    def so(self, condition: Condition) -> Condition:
        """The condition or, after an exclamation mark, its opposite."""
        return Not(condition) if self.negated else condition

    def load(self, name: str) -> None:
        """Load a match, so that its options are known."""
        match = MATCHES.get(name)
        if match and match.family not in {0, self.family}:
            raise RefusedError(f"IPv{self.family} has no match {name}")
        if match is None or match.phrase:
            self.extra.setdefault(name, ["-m", name])
        self.opened.append((name, match))

    def needs_protocol(self, what: str, protocols: Container[int | None]) -> None:
        """Refuse what is only for one of these protocols."""
        if self.protocol not in protocols:
            raise RefusedError(f"{what} needs a protocol that has it")


Build = Callable[[Draft], Condition]
Act = Callable[[Draft], Action | None]


class ExtensionOption(NamedTuple):
    """How many values an option takes (-1: all up to the next option), and what is made of them.

    ``numeric``: its value has to be a number.
    """

    takes: int
    build: Build
    numeric: bool = False


def options(table: Mapping[str, Build]) -> dict[str, ExtensionOption]:
    """The options of a table by name, spelt as the head of this file explains."""
    by_name: dict[str, ExtensionOption] = {}
    for text, build in table.items():
        for word in text.split():
            option = ExtensionOption({"!": 0, "+": 2}.get(word[-1], 1), build, word[-1] == "#")
            for name in word.rstrip("!+#").split("|"):
                by_name[f"--{name}" if name[1:] else f"-{name}"] = option
    return by_name


@dataclass(frozen=True, slots=True)
class Module:
    """A match or a target: its options, what it demands, and where it may stand.

    A match: ``bare`` is what it matches whatever its options, None where it needs one; ``phrase``
    says of one that is not modelled on what it depends. A target: ``act``, None where nothing
    becomes of the packet.
    """

    table: Mapping[str, Build]
    protocols: frozenset[int] = frozenset()
    family: int = 0
    bare: Condition | None = None
    phrase: str = ""
    act: Act | None = None
    tables: str = ""
    hooks: str = ""
    options: dict[str, ExtensionOption] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", options(self.table))


def _nothing(line: Draft) -> Condition:
    line.plain()
    return ALWAYS


def unknown(line: Draft) -> Condition:
    """What an option matches that is not modelled."""
    words = said((*"!" * line.negated, line.name, *line.values))
    return Unmodelled(f'if "{words}" matches, which is not modelled', steady=False)


# --- the options of every rule

# Upper layers that ip6tables steps over: it warns that it never finds them.
_STEPPED_OVER = frozenset({43, 44, 51, 60})


def _of_protocol(line: Draft) -> Condition:
    number = _protocol(line.value)
    if number == 0:
        return _nothing(line)
    line.protocol = None if line.negated else number
    if line.family == IPV6 and number in _STEPPED_OVER:
        return line.so(AllOf((FieldMatch(Field.PROTOCOL, _one(number)), unknown(line))))
    return line.among(Field.PROTOCOL, _one(number))


def _from(what: Field, line: Draft) -> Condition:
    addresses = line.value.split(",")
    if line.negated and len(addresses) > 1:
        raise RefusedError("an exclamation mark precedes several addresses")
    choices: list[Condition] = []
    for text in addresses:
        try:
            found = _address(what, text, line.family)
            choices.append(line.among(what, found.ranges, found.mask) if line.negated else found)
        except OpenError as error:
            line.doubt(str(error))
            choices.append(line.so(Unmodelled(str(error), steady=False)))
    line.choices.append(choices)
    return ALWAYS


def _interface(what: Field, nowhere: str, line: Draft) -> Condition:
    name = line.value
    if line.chain in nowhere.split():
        raise RefusedError(f"{line.name} cannot be used in {line.chain}")
    if not 0 < len(name) <= 15:
        raise RefusedError(f"{shown(name)} is not the name of an interface")
    if name == "+":
        return line.so(ALWAYS)
    if name[-1] == "*":
        return unknown(line)
    return InterfaceMatch(what, (f"{name[:-1]}*" if name[-1] == "+" else name,), line.negated)


def _jump(line: Draft) -> Condition:
    if line.target:
        raise RefusedError("a rule can have only one target")
    line.target, line.goto = line.plain(), line.name in {"-g", "--goto"}
    target = TARGETS.get(line.target)
    # What follows is the target's.
    line.opened = [(name, module) for name, module in line.opened if module]
    if target or line.target not in line.table.chains:
        line.opened.append((f"-j {line.target}", target))
    return ALWAYS


def load(line: Draft) -> Condition:
    """What -m does."""
    line.load({"icmpv6": "icmp6", "ipv6-icmp": "icmp6"}.get(line.plain(), line.value))
    return ALWAYS


def _counted(line: Draft) -> Condition:
    for value in line.values:
        whole(value, 1 << 64)
    return _nothing(line)


def _fragment(line: Draft) -> Condition:
    """Of what is asked about, nothing is a fragment but the first."""
    if line.family == IPV6:
        raise RefusedError("-f is not for IPv6")
    return line.so(NEVER)


def _family_only(line: Draft) -> Condition:
    line.skipped |= line.name not in {f"-{line.family}", f"--ipv{line.family}"}
    return _nothing(line)


def _of_command(line: Draft) -> Condition:
    raise OpenError(f"if {line.name} may stand in a rule")


CORE = options(
    {
        "p|protocol": _of_protocol,
        "s|source|src": partial(_from, Field.SADDR),
        "d|destination|dst": partial(_from, Field.DADDR),
        "i|in-interface": partial(_interface, Field.IIF, "OUTPUT POSTROUTING"),
        "o|out-interface": partial(_interface, Field.OIF, "INPUT PREROUTING"),
        "j|jump g|goto": _jump,
        "m|match": load,
        "f|fragment!": _fragment,
        "c|set-counters+": _counted,
        "4|ipv4! 6|ipv6!": _family_only,
        # These make a beginning ambiguous.
        "append! delete! delete-chain! check! insert! replace! list! list-rules! flush! zero!"
        " new-chain! rename-chain! policy! wait! modprobe! table! numeric! verbose! exact!"
        " version! help! line-numbers!": _of_command,
    }
)

# --- matches


def _field(what: Field, read: Callable[[str], Ranges]) -> Build:
    return lambda line: line.among(what, read(line.value))


def _some_ports(line: Draft) -> Condition:
    ranges = _port_list(line.value)
    fields = {"s": (Field.SPORT,), "d": (Field.DPORT,)}.get(
        line.name[2], (Field.SPORT, Field.DPORT)
    )
    return line.so(AnyOf(tuple(FieldMatch(what, ranges) for what in fields)))


def _flags(line: Draft) -> Condition:
    mask, wanted = (
        reduce(or_, (FLAGS.get(flag, 256) for flag in value.lower().split(",")))
        for value in line.values
    )
    if (mask | wanted) > 63:
        raise RefusedError(f"{line.name} has an unknown flag")
    return line.among(Field.FLAGS, _one(wanted), mask)


def _type(names: Mapping[str, tuple[int, int | None]], anything: int | None) -> Build:
    def build(line: Draft) -> Condition:
        text, slash, after = line.value.partition("/")
        kind = _number(text, 255)
        code = whole(after, 255) if slash and kind is not None else None
        if kind is None:
            try:
                kind, code = _named(line.value, names, "ICMP type")
            except RefusedError:
                reason = f"if its type is {shown(line.value)}, an unknown name"
                raise OpenError(reason) from None
        if kind == anything:
            return line.so(ALWAYS)
        if code is None:
            return line.among(Field.TYPE, _one(kind))
        return line.so(
            AllOf((FieldMatch(Field.TYPE, _one(kind)), FieldMatch(Field.CODE, _one(code))))
        )

    return build


def _state(line: Draft) -> Condition:
    line.by_state = True
    mask = _bits(line.value, CT_STATES, "ct state")
    state, status = mask & 0xFF, mask >> 8
    if not status:
        return line.among(Field.STATE, ((1, state),), state)
    parts = (
        FieldMatch(Field.STATE, ((1, 255),), mask=state),
        FieldMatch(Field.STATUS, ((1, 255),), mask=status),
    )
    return line.so(AnyOf(parts))


def _status(line: Draft) -> Condition:
    return line.among(Field.STATUS, ((1, 255),), _bits(line.value, CT_STATUSES, "ct status"))


def _flow(build: Build) -> Build:
    """An option of conntrack that looks at the flow."""

    def built(line: Draft) -> Condition:
        line.flow.append(build(line))
        return ALWAYS

    return built


def _of_first(build: Build, lacks: Field | None = None) -> Build:
    """What the first packet of a flow shows of it, and a later one may not."""
    first = FieldMatch(Field.STATE, _one(ConntrackState.NEW))

    def built(line: Draft) -> Condition:
        other: Condition = Not(first)
        if lacks is not None:
            other = AnyOf((other, Not(FieldMatch(lacks, ((0, 65535),)))))
        return AnyOf((AllOf((Not(other), build(line))), AllOf((other, unknown(line)))))

    return _flow(built)


def _mark(what: Field, line: Draft) -> Condition:
    value, mask = _masked(line.value)
    return line.among(what, _one(value), None if mask == ALL else mask)


def _address_type(address: Field, kind: Field, line: Draft) -> Condition:
    """IPv4: one of these types. IPv6: all of them at once, of which most are looked at by bits."""
    types = {_named(word, ADDRESS_TYPES, "address type") for word in line.value.split(",")}
    if any(name.startswith("--limit-iface") for name in line.tokens):
        return unknown(line)
    if line.family == IPV4:
        return line.among(kind, merged((number, number) for number in types))
    if types - {0, 1, 2, 4, 5, 7}:
        raise RefusedError(f"IPv6 does not know all the types of address {shown(line.value)}")
    looked_up = merged((number, number) for number in types & {2, 4, 7})
    parts = [FieldMatch(address, IPV6_TYPES[number]) for number in sorted(types & set(IPV6_TYPES))]
    return line.so(AllOf((*parts, *([FieldMatch(kind, looked_up)] if looked_up else ()))))


def _range(what: Field, line: Draft) -> Condition:
    first, dash, last = line.value.partition("-")
    low, high = (_ip(end, line.family) for end in (first, last if dash else first))
    return line.among(what, ((low, high),) if low <= high else ())


def _hops(low: int, high: int) -> Build:
    """The hop limit, from the given number + low to it + high; 999 stands for no end."""

    def build(line: Draft) -> Condition:
        number = whole(line.value if low == high else line.plain(), 255)
        first, last = max(number + low, 0), min(number + high, 255)
        return line.among(Field.HOP_LIMIT, ((first, last),) if first <= last else ())

    return build


def _header(what: Field, table: Mapping[str, Build]) -> Module:
    return Module(table, family=IPV6, bare=FieldMatch(what, _one(1)))


def _types(text: str) -> dict[str, tuple[int, int | None]]:
    """``name=type`` or ``name=type/code``, some of them."""
    found: dict[str, tuple[int, int | None]] = {}
    for name, _, numbers in (option.partition("=") for option in text.split()):
        kind, slash, code = numbers.partition("/")
        found[name] = int(kind), int(code) if slash else None
    return found


FLAGS = {name: 1 << bit for bit, name in enumerate(("fin", "syn", "rst", "psh", "ack", "urg"))}
FLAGS |= {"all": 63, "none": 0}
CT_STATES = {state.name.lower(): int(state) for state in ConntrackState if state.name}
CT_STATES |= {"snat": ConntrackStatus.SNAT << 8, "dnat": ConntrackStatus.DNAT << 8}
CT_STATUSES = {"none": 0, "expected": 1, "seen_reply": 2, "assured": 4, "confirmed": 8}
PACKET_TYPES = {"unicast": 0, "host": 0, "broadcast": 1, "multicast": 2, "otherhost": 3}
ADDRESS_TYPES = {kind.name.lower(): int(kind) for kind in AddressType}
DIRECTIONS = {"original": 0, "reply": 1}
ADDRESS_TYPES |= {"throw": 9, "nat": 10, "xresolve": 11}
_MULTICAST = (0xFF << 120, (1 << 128) - 1)
IPV6_TYPES: dict[int, Ranges] = {
    AddressType.UNSPEC: _one(0),
    AddressType.UNICAST: without(((1, _MULTICAST[0] - 1),), ((0xFFFF << 32, 0x1FFFF << 32),)),
    AddressType.MULTICAST: (_MULTICAST,),
}
ICMPV6_TYPES = _types(
    "destination-unreachable=1 no-route=1/0 communication-prohibited=1/1 beyond-scope=1/2"
    " address-unreachable=1/3 port-unreachable=1/4 failed-policy=1/5 reject-route=1/6"
    " packet-too-big=2 time-exceeded=3 ttl-exceeded=3 ttl-zero-during-transit=3/0"
    " ttl-zero-during-reassembly=3/1 parameter-problem=4 bad-header=4/0 unknown-header-type=4/1"
    " unknown-option=4/2 echo-request=128 ping=128 echo-reply=129 pong=129"
    " router-solicitation=133 router-advertisement=134 neighbour-solicitation=135"
    " neighbor-solicitation=135 neighbour-advertisement=136 neighbor-advertisement=136 redirect=137"
)
ICMP_TYPES = _types(
    "any=255 echo-reply=0 pong=0 destination-unreachable=3 network-unreachable=3/0"
    " host-unreachable=3/1 protocol-unreachable=3/2 port-unreachable=3/3"
    " fragmentation-needed=3/4 source-route-failed=3/5 network-unknown=3/6 host-unknown=3/7"
    " network-prohibited=3/9 host-prohibited=3/10 tos-network-unreachable=3/11"
    " tos-host-unreachable=3/12 communication-prohibited=3/13 host-precedence-violation=3/14"
    " precedence-cutoff=3/15 source-quench=4 redirect=5 network-redirect=5/0 host-redirect=5/1"
    " tos-network-redirect=5/2 tos-host-redirect=5/3 echo-request=8 ping=8"
    " router-advertisement=9 router-solicitation=10 time-exceeded=11 ttl-exceeded=11"
    " ttl-zero-during-transit=11/0 ttl-zero-during-reassembly=11/1 parameter-problem=12"
    " ip-header-bad=12/0 required-option-missing=12/1 timestamp-request=13 timestamp-reply=14"
    " address-mask-request=17 address-mask-reply=18"
)
# A TCP reset stands as type 0.
REJECTS = {
    IPV6: _types(
        "icmp6-no-route=1/0 no-route=1/0 icmp6-adm-prohibited=1/1 adm-prohibited=1/1"
        " icmp6-addr-unreachable=1/3 addr-unreach=1/3 icmp6-port-unreachable=1/4 port-unreach=1/4"
        " icmp6-policy-fail=1/5 policy-fail=1/5 icmp6-reject-route=1/6 reject-route=1/6"
        " tcp-reset=0"
    ),
    IPV4: _types(
        "icmp-net-unreachable=3/0 net-unreach=3/0 icmp-host-unreachable=3/1 host-unreach=3/1"
        " icmp-proto-unreachable=3/2 proto-unreach=3/2 icmp-port-unreachable=3/3"
        " port-unreach=3/3 icmp-net-prohibited=3/9 net-prohib=3/9 icmp-host-prohibited=3/10"
        " host-prohib=3/10 icmp-admin-prohibited=3/13 admin-prohib=3/13 tcp-reset=0 tcp-rst=0"
    ),
}
_SYN = FLAGS["fin"] | FLAGS["syn"] | FLAGS["rst"] | FLAGS["ack"]
_PORTS: dict[str, Build] = {
    "sport|source-port": _field(Field.SPORT, _ports),
    "dport|destination-port": _field(Field.DPORT, _ports),
}

MATCHES: dict[str, Module] = {
    "comment": Module({"comment": _nothing}),
    "tcp": Module(
        {
            **_PORTS,
            "tcp-flags+": _flags,
            "syn!": lambda line: line.among(Field.FLAGS, _one(2), _SYN),
            "tcp-option": unknown,
        },
        frozenset({TCP}),
        bare=ALWAYS,
    ),
    "udp": Module(_PORTS, frozenset({UDP}), bare=ALWAYS),
    "sctp": Module(_PORTS, frozenset({132}), bare=ALWAYS),
    "dccp": Module(_PORTS, frozenset({33}), bare=ALWAYS),
    # One option, for it takes one of them.
    "multiport": Module(
        {"sports|source-ports|dports|destination-ports|ports": _some_ports}, WITH_PORTS
    ),
    "icmp6": Module({"icmpv6-type": _type(ICMPV6_TYPES, None)}, frozenset({ICMPV6}), IPV6),
    "icmp": Module({"icmp-type": _type(ICMP_TYPES, 255)}, frozenset({ICMP}), IPV4),
    "state": Module({"state": _state}),
    "conntrack": Module(
        {
            "ctstate": _state,
            "ctstatus": _flow(_status),
            "ctdir": _flow(
                _field(Field.DIRECTION, lambda text: _one(_named(text, DIRECTIONS, "direction")))
            ),
            "ctproto": _of_first(_field(Field.PROTOCOL, lambda text: _one(_protocol(text)))),
            "ctorigdst": _of_first(
                lambda line: line.so(_address(Field.ORIGINAL_DADDR, line.value, line.family))
            ),
            "ctorigdstport": _of_first(_field(Field.ORIGINAL_DPORT, _ports), Field.ORIGINAL_DPORT),
            "ctorigsrc ctreplsrc ctrepldst ctorigsrcport ctreplsrcport ctrepldstport ctexpire": (
                _flow(unknown)
            ),
        }
    ),
    "mark": Module({"mark": partial(_mark, Field.MARK)}),
    "connmark": Module({"mark": partial(_mark, Field.CT_MARK)}),
    "addrtype": Module(
        {
            "src-type": partial(_address_type, Field.SADDR, Field.SADDR_TYPE),
            "dst-type": partial(_address_type, Field.DADDR, Field.DADDR_TYPE),
            "limit-iface-in! limit-iface-out!": _nothing,
        }
    ),
    "iprange": Module(
        {"src-range": partial(_range, Field.SADDR), "dst-range": partial(_range, Field.DADDR)}
    ),
    "hl": Module(
        {"hl-eq|hl": _hops(0, 0), "hl-lt": _hops(-999, -1), "hl-gt": _hops(1, 999)}, family=IPV6
    ),
    "ttl": Module(
        {"ttl-eq|ttl": _hops(0, 0), "ttl-lt": _hops(-999, -1), "ttl-gt": _hops(1, 999)},
        family=IPV4,
    ),
    "pkttype": Module(
        {
            "pkt-type": _field(
                Field.PACKET_TYPE, lambda text: _one(_named(text, PACKET_TYPES, "packet type"))
            )
        }
    ),
    "rt": _header(
        Field.ROUTING,
        {
            "rt-segsleft rt-len# rt-0-res! rt-0-addrs rt-0-not-strict!": unknown,
            "rt-type": _field(Field.ROUTING_TYPE, lambda text: _one(whole(text, 255))),
        },
    ),
    "frag": _header(
        Field.FRAGMENT, {"fragid fraglen# fragres! fragfirst! fragmore! fraglast!": unknown}
    ),
    "hbh": _header(Field.HOP_BY_HOP, {"hbh-len# hbh-opts": unknown}),
    "dst": _header(Field.DESTINATION_OPTIONS, {"dst-len# dst-opts": unknown}),
    # That a packet's source is routed over the interface it came in on is assumed everywhere.
    "rpfilter": Module(
        {"invert!": lambda _: NEVER, "loose! validmark! accept-local!": _nothing},
        bare=ALWAYS,
        tables="raw mangle",
        hooks="prerouting",
    ),
}
# Module, what it hangs on, options, demands; an asterisk: it may stand without an option.
_UNMODELLED = """
limit*: under a rate limit: limit limit-burst#
hashlimit: under a rate limit: -upto -above -burst -mode -name -srcmask# -dstmask# -htable-size#\
 -htable-max# -htable-gcinterval# -htable-expire# -rate-match! -rate-interval# hashlimit
connlimit: under a limit of connections: -upto# -above# -mask -saddr! -daddr!
recent: by what its sender did before: set! rcheck! update! remove! seconds# reap! hitcount# rttl!\
 name mask rsource! rdest!
quota: within a quota: quota#
statistic: by chance: mode probability every# packet#
time*: at certain times: datestart datestop timestart timestop monthdays weekdays contiguous!\
 kerneltz! utc! localtz!
string: by its content: algo from# to# string hex-string icase!
u32: by its content: u32
set: if it is in the set: match-set+ return-nomatch! update-counters! update-subcounters!\
 packets-eq# packets-lt# packets-gt# bytes-eq# bytes-lt# bytes-gt#
policy: by IPsec policy: dir pol strict! reqid# spi# proto mode tunnel-src tunnel-dst next!
ah*: with an authentication header: ahspi ahlen ahres!
esp*: for certain IPsec associations: espspi: proto 50
mh*: for certain mobility messages: mh-type: ipv6 proto 135
ipv6header: with certain extension headers: header soft!: ipv6
tcpmss: for certain segment sizes: mss: proto 6
physdev: over certain bridge ports: -in -out -is-in! -is-out! -is-bridged!
length: by its length: length
dscp: by its type of service: dscp dscp-class
tos: by its type of service: tos
helper: for certain helpers of conntrack: helper
connbytes: by how much its flow has sent: connbytes -dir -mode
owner: for certain processes of this host: uid-owner gid-owner socket-exists! suppl-groups!:\
 output postrouting
mac: from certain MAC addresses: mac-source: prerouting input forward
eui64*: if its address is made of its MAC address: : ipv6 prerouting input forward
socket*: if a socket is open for it: transparent! nowildcard! restore-skmark!: prerouting input
"""


def _unmodelled(line: str) -> tuple[str, Module]:
    head, phrase, text, demands, *_ = (*line.split(": "), "")
    name, words = head.rstrip("*"), demands.split()
    return name, Module(
        {
            option if option[0] != "-" else name + option: lambda _: ALWAYS
            for option in text.split()
        },
        frozenset(int(word) for word in words if word.isdigit()),
        IPV6 if "ipv6" in words else 0,
        ALWAYS if head[-1] == "*" else None,
        phrase,
        hooks=" ".join(word for word in words if word in {*Hook}),
    )


MATCHES |= dict(map(_unmodelled, _UNMODELLED.strip().split("\n")))
LIMITS = frozenset({"limit", "hashlimit"})
_RATE = re.compile("([0-9]+)(?:/([smhd])[a-z]*)?")


def rate(words: Sequence[str]) -> tuple[float, bool]:
    """How many packets a second a limit is for, 0 where it counts bytes; whether those beyond."""
    for option, value in pairwise(words):
        bound, found = option.removeprefix("--hashlimit"), _RATE.fullmatch(value)
        if bound in {"--limit", "", "-upto", "-above"} and option[:1] == "-":
            number = per_second(int(found[1]), found[2] or "s") if found else 0.0
            return number, bound == "-above"
    # What the module takes where nothing is said (xt_limit.c).
    return (0.0, False) if "hashlimit" in words else (per_second(3, "hour"), False)


STEADY = frozenset({"owner", "mac", "time", "length", "eui64"})
IMPLIED = {TCP: "tcp", UDP: "udp", SCTP: "sctp", DCCP: "dccp", ESP: "esp", AH: "ah", MH: "mh"}
IMPLIED |= {ICMP: "icmp", ICMPV6: "icmp6"}
KNOWN = frozenset(name for match in MATCHES.values() for name in match.options)
# Their value may be anything, even what looks like an option.
TEXTS = frozenset(
    {
        *("--comment", "--log-prefix", "--nflog-prefix", "--string", "--hex-string", "--name"),
        *("--hashlimit-name", "--helper", "--mac-source"),
    }
)
# What garbled text makes of these would not load.
FORMS = {
    "--limit": "[0-9]+(/(s|sec|second|m|min|minute|h|hour|d|day)s?)?",
    "--log-level": "[0-7]|emerg|panic|alert|crit|err(or)?|warn(ing)?|notice|info|debug",
    "--dir": "in|out",
    "--pol": "none|ipsec",
}

# --- targets


def _noted(line: Draft) -> Condition:
    line.words[line.name] = line.plain()
    return ALWAYS


def _target(act: Act | None = None, text: str = "", tables: str = "", hooks: str = "") -> Module:
    return Module({text: _noted}, act=act, tables=tables, hooks=hooks)


def _reject(line: Draft) -> Action:
    default = "icmp6-port-unreachable" if line.family == IPV6 else "icmp-port-unreachable"
    text = line.words.get("--reject-with", default)
    kind, code = _named(text, REJECTS[line.family], "reject type")
    if code is not None:
        return Reject(*((None, (kind, code)) if line.family == IPV6 else ((kind, code), None)))
    line.needs_protocol("--reject-with tcp-reset", {TCP})
    return Reject(None, None)


_MARKS: dict[str, Callable[[int, int], tuple[int, int]]] = {
    "--set-xmark": lambda value, mask: (value, mask),
    "--set-mark": lambda value, mask: (value, mask | value),
    "--and-mark": lambda value, _: (0, ALL & ~value),
    "--or-mark": lambda value, _: (value, value),
    "--xor-mark": lambda value, _: (value, 0),
}


def _set_mark(what: Field, line: Draft) -> Action:
    for name, form in _MARKS.items():
        if name in line.words:
            flip, cleared = form(*_masked(line.words[name]))
            keep = ALL & ~cleared
            return Assign(what, flip, keep, what if keep else None)
    if what is Field.CT_MARK and {"--save-mark", "--restore-mark"} & {*line.words}:
        return _copied(line)
    raise RefusedError(f"{line.target} does nothing")


def _copied(line: Draft) -> Action:
    """Bits of one mark replace bits of the other."""
    both = line.words.get("--mask", "0xffffffff")
    packet, flow = (whole(line.words.get(name, both)) for name in ("--nfmask", "--ctmask"))
    source, taken, target, cleared = Field.MARK, packet, Field.CT_MARK, flow
    if "--restore-mark" in line.words:
        source, taken, target, cleared = Field.CT_MARK, flow, Field.MARK, packet
    if cleared == ALL:
        return Assign(target, keep=taken, source=source)
    unset = Assign(target, keep=ALL & ~cleared, source=target)
    known = (FieldMatch(source, _one(0), mask=taken), unset)
    return Branch((known, (FieldMatch(source, ((0, ALL),)), Assign(target, known=False))))


def _hop_limit(line: Draft) -> Action:
    text = line.words.get("--hl-set") or line.words.get("--ttl-set")
    known = text is not None
    return Assign(Field.HOP_LIMIT, whole(text, 255) if text else 0, known=known)


_TO = re.compile(r"\[([^\[\]]+)\](?::(.+))?|([^:\[\]]*):([^:]+)|([^\[\]]+)")


def _dnat(option: str, line: Draft) -> Redirect:
    text = line.words.get(option, "")
    found = _TO.fullmatch(text)
    if found is None:
        raise RefusedError(f"{line.target} to {shown(text)}")
    ends = (found[1] or found[3] or found[5] or "").split("-", 1)
    try:
        numbers = [_ip(end, line.family) for end in ends if end]
    except OpenError:
        raise RefusedError(f"{line.target} takes no name: {shown(text)}") from None
    redirect = _redirect(line, found[2] or found[4])
    return Redirect(redirect.port, (numbers[0], numbers[-1]) if numbers else None)


def _redirect(line: Draft, text: str | None = None) -> Redirect:
    text = text or line.words.get("--to-ports")
    if text is None:
        return Redirect(local=True)
    line.needs_protocol(f"-j {line.target} to a port", WITH_PORTS)
    return Redirect(_ports(text.partition("/")[0], "-")[0], local=True)


def _source_nat(line: Draft) -> Action:
    if line.target == "SNAT":
        _dnat("--to-source", line)
    _redirect(line)
    return SourceNat(local=line.target == "MASQUERADE")


def _track(line: Draft) -> Action | None:
    if "--notrack" in line.words:
        return NoTrack()
    if any(name[:6] == "--zone" for name in line.words):
        return Unclear("if conntrack's zone of it holds its flow")
    return None


def _queue(line: Draft) -> Action:
    number = line.words.get("--queue-num") or line.words.get("--queue-balance") or "0"
    return Unclear(f"if a program that reads queue {said([number])} lets it through")


def _unclear(line: Draft) -> Action:
    if line.target == "NETMAP" and line.chain in {"POSTROUTING", "INPUT"}:
        return SourceNat()
    return Unclear(f"if the target {line.target} lets it through, which is not modelled")


_NEW_MARKS = "set-xmark set-mark and-mark or-mark xor-mark"
_NAT_IN = "prerouting output"
TARGETS: dict[str, Module] = {
    "ACCEPT": _target(lambda _: Accept()),
    "DROP": _target(lambda _: Drop(), tables="filter security raw mangle"),
    "RETURN": _target(lambda _: Return()),
    "REJECT": _target(_reject, "reject-with", "filter"),
    "MARK": _target(partial(_set_mark, Field.MARK), _NEW_MARKS),
    "CONNMARK": _target(
        partial(_set_mark, Field.CT_MARK),
        f"{_NEW_MARKS} save-mark! restore-mark! nfmask# ctmask# mask#",
    ),
    "HL": _target(_hop_limit, "hl-set# hl-inc# hl-dec#", "mangle"),
    "TTL": _target(_hop_limit, "ttl-set# ttl-inc# ttl-dec#", "mangle"),
    "NOTRACK": _target(lambda _: NoTrack(), "", "raw"),
    "CT": _target(
        _track, "notrack! zone zone-orig zone-reply helper ctevents expevents timeout", "raw"
    ),
    "DNAT": _target(
        partial(_dnat, "--to-destination"), "to-destination random! persistent!", "nat", _NAT_IN
    ),
    "REDIRECT": _target(_redirect, "to-ports random!", "nat", _NAT_IN),
    "SNAT": _target(
        _source_nat, "to-source random! random-fully! persistent!", "nat", "postrouting input"
    ),
    "MASQUERADE": _target(_source_nat, "to-ports random! random-fully!", "nat", "postrouting"),
    "NETMAP": _target(_unclear, "to", "nat"),
    "QUEUE": _target(_queue),
    "NFQUEUE": _target(_queue, "queue-num# queue-balance queue-bypass! queue-cpu-fanout!"),
    "TPROXY": _target(_unclear, "on-port on-ip tproxy-mark", "mangle", "prerouting"),
    "CLASSIFY": _target(None, "set-class", "mangle", "postrouting forward output"),
    "TCPMSS": _target(None, "set-mss# clamp-mss-to-pmtu!"),
    "SET": _target(None, "add-set+ del-set+ map-set+ exist! timeout# map-mark! map-prio!"),
    "TEE": _target(None, "gateway oif"),
    "TRACE": _target(),
    "LOG": _target(
        None,
        "log-level log-prefix log-tcp-sequence! log-tcp-options! log-ip-options! log-uid!"
        " log-macdecode!",
    ),
    "NFLOG": _target(None, "nflog-group# nflog-prefix nflog-range# nflog-size# nflog-threshold#"),
    "ULOG": _target(None, "ulog-nlgroup# ulog-prefix ulog-cprange# ulog-qthreshold#"),
    "DSCP": _target(None, "set-dscp set-dscp-class", "mangle"),
    "TOS": _target(None, "set-tos and-tos or-tos xor-tos", "mangle"),
    "CHECKSUM": _target(None, "checksum-fill!", "mangle"),
}
