"""nftables text, listed or written by hand, to the objects that ``nft -j list ruleset`` prints.

They are those of libnftables-json(5), so that one builder reads both notations. Chains and rules
have a ``line`` too, and a ``file`` if they were included; rules have their ``text``. Names stay as
they are written: ``ssh`` is not 22 here. What is not in nft's JSON:

- ``{"unparsed": text}`` in ``expr``: the rest of a rule, from where this grammar does not know it;
- ``{"unparsed_object": {…}}``: a block of a table that it does not know;
- ``{"gap": {"reason", "line"}}``: what the text does depends on what is not in it;
- ``{"strange": {"reason", "line"}}``: nft would hardly load it;
- ``{"refused": {"reason", "line"}}``: nft would not load it.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ipv6check.firewall.nft.lexer import MAX_NESTING, Include, Token, fail, scan
from ipv6check.firewall.nft.words import KNOWN, NAMING, Json

INCLUDED = "run it where that file is, or give the output of `nft list ruleset` from that host"
_KINDS = "table|chain|rule|set|map|element|counter|quota|limit|ct|flowtable|synproxy|secmark|tunnel"
_OBJECTS = _KINDS.split("|")[6:]  # what they hold decides nothing by itself
_OF_CT = ("helper", "timeout", "expectation")
_RECOGNISED = re.compile(
    r"#!/\S*(?:nft|env[^\n]*nft)\b|(?:\s|\\\n|#.*(?:\n|$)|;)*"
    r"(?:(?:re|un)?define\s+[\w./-]|include\s+\"|table\s+[\w.]|flush\s+(?:ruleset|table|chain|set)\b"
    rf"|(?:add|create|insert|replace|delete|destroy|list|reset)\s+(?:{_KINDS}|ip6?|inet)\b"
    r"|(?:chain|rule|element)\s+(?:ip6?|inet|netdev|bridge|arp)\s)"
)
_FAMILIES = ("ip", "ip6", "inet", "arp", "bridge", "netdev")
_NAMED = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
_NAMED_BRIDGE = {"dstnat": -300, "filter": -200, "out": 100, "srcnat": 300}
_N = "(?:0[xX][0-9a-fA-F]{1,8}|[0-9]{1,9})"
_PRIORITY = re.compile(rf"([a-z]+)(?:(?: |(?=\+))([+-] ?{_N}))?|(-? ?{_N})")
MAX_ELEMENTS = 2_000_000  # of a set, with those of the variables in it
MAX_PARTS = 200  # of a value
NAMELESS = "__anon"  # how the chains begin that have no name
# Nothing that could follow on the line would change what it means.
_FINAL = frozenset({"}", ";", "accept", "drop", "return", "masquerade"})
_VERDICTS = ("accept", "drop", "continue", "return", "jump", "goto")
_STATEFUL = ("counter", "limit", "quota", "last", "ct")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_META = _words(
    "mark iif iifname iiftype oif oifname oiftype skuid skgid nftrace rtclassid ibriport ibrname"
    " obriport obrname pkttype cpu iifgroup oifgroup cgroup time day hour"
)
_PAYLOADS = _words(
    "ether vlan arp ip ip6 icmp igmp icmpv6 tcp udp udplite sctp dccp th ah esp comp"
)
_COMPARISONS = {sign: sign for sign in ("==", "!=", "<", ">", "<=", ">=", "!")}
_COMPARISONS |= {"eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">=", "not": "!"}
_BINARY = {sign: sign for sign in ("<<", ">>", "&", "^", "|")}
_BINARY |= {"lshift": "<<", "rshift": ">>", "and": "&", "xor": "^", "or": "|"}
# Words that are no value: a statement or an expression begins there, or goes on.
_NO_VALUE = (_META | _BINARY.keys() | _COMPARISONS.keys() | {*_VERDICTS, *_STATEFUL}) | _words(
    "log reject masquerade notrack queue fwd dup synproxy tproxy meter add update delete set vmap"
    " map comment meta fib socket osf numgen jhash symhash ipsec xt flow exthdr to with flags in"
    " out mod"
)
_BITMASKS: tuple[Json, ...] = (
    *({"ct": {"key": key}} for key in ("state", "status", "label")),
    {"payload": {"protocol": "tcp", "field": "flags"}},
)

# Forms: the words that follow, in their order, apart by blanks; `_Rules.form` reads them.
#
#   rate            this word, which is left out of the JSON
#   ip|ip6          one of these words
#   NUMBER          what the method ``number`` reads; in capitals, any method of `_Rules`
#   key=…           the part is kept in the JSON as ``key``; a dictionary without a key is merged
#   …?              the part may be missing
#   [burst … ]      these parts together may be missing, by whether the first word is there
#
# A property of a packet: its kind in JSON, what of that the first word says, and the form that
# follows.
_SELECTORS: dict[str, tuple[str, Json, str]] = {
    "meta": ("meta", {}, "key=WORD"),
    "socket": ("socket", {}, "key=WORD"),
    "exthdr": ("exthdr", {}, "name=WORD"),
    "ct": ("ct", {}, "dir=original|reply? key=CT_KEY"),
    "fib": ("fib", {}, "flags=FIB_FLAGS result=oif|oifname|type|check"),
    "@": ("payload", {}, "base=ll|nh|th|ih , offset=NUMBER , len=NUMBER"),
    "numgen": ("numgen", {}, "mode=inc|random mod mod=NUMBER [offset offset=NUMBER ]"),
    "symhash": ("symhash", {}, "mod mod=NUMBER [offset offset=NUMBER ]"),
    "jhash": (
        "jhash",
        {},
        "expr=HASHED mod mod=NUMBER [seed seed=NUMBER ] [offset offset=NUMBER ]",
    ),
    **{word: ("meta", {"key": word}, "") for word in _META},
    **{word: ("exthdr", {"name": word}, "field=WORD") for word in _words("hbh dst rt frag mh")},
    **{word: ("payload", {"protocol": word}, "field=WORD") for word in _PAYLOADS},
}
_BYTES = "bytes|kbytes|mbytes"
_NAT_AS = "family=ip|ip6? type_flags=prefix|interval? [addr . port ]"
_NAT = f"{_NAT_AS} to? TO_ADDRESS [: port=VALUE ] NAT_FLAGS"
_REDIRECT = "[to :? port=VALUE ] NAT_FLAGS"
_STATEMENTS = {
    "counter": "[packets packets=NUMBER ] [bytes bytes=NUMBER ] [packets packets=NUMBER ]",
    "limit": "rate inv=over? until? rate=NUMBER PER"
    f" [burst burst=NUMBER burst_unit=packets|{_BYTES} ]",
    "quota": f"inv=over? until? val=NUMBER val_unit={_BYTES} [used NUMBER {_BYTES} ]",
    "last": "[used ATOM ]",
    "ct": "count inv=over? val=NUMBER",
    "log": "LOG",
    "reject": "REASON",
    "notrack": "",
    **dict.fromkeys(("dnat", "snat", "tproxy"), _NAT),
    **dict.fromkeys(("redirect", "masquerade"), _REDIRECT),
    "dup": "family=ip|ip6? to addr=VALUE [device dev=VALUE ]",
    "reset": "SELECTOR",
    "flow": "op=add|offload flowtable=REFERENCE",
    "meter": "name=NAME [size size=NUMBER ] { key=DYNAMIC_KEY stmt=STATEFUL }",
    "xt": "type=match|target|watcher name=NAME",
    # What follows them in a rule is never reached.
    **dict.fromkeys(("queue", "fwd", "synproxy"), "rest=SKIP"),
}
_DYNAMIC = "op=add|update|delete set=REFERENCE { elem=DYNAMIC_KEY OF_ELEMENT [: data=VALUE ] }"
_DYNAMIC_ONCE = "set op=add|update|delete elem=DYNAMIC_KEY OF_ELEMENT [: data=VALUE ] set=REFERENCE"
_HOOKS = "ingress|prerouting|input|forward|output|postrouting|egress"
_BASE = f"type=filter|nat|route hook hook={_HOOKS} DEVICES priority prio=PRIORITY"


class _UnknownError(Exception):
    """The grammar does not know this; nft may."""


@dataclass(slots=True)
class _Table:
    about: Json
    chains: dict[str, Json] = field(default_factory=dict)
    rules: dict[str, list[Json]] = field(default_factory=dict)  # by chain
    sets: dict[str, Json] = field(default_factory=dict)

    def owner(self) -> Json:
        return {"family": self.about["family"], "table": self.about["name"]}

    def listed(self) -> Iterator[Json]:
        yield {"table": self.about}
        yield from ({"map" if "map" in held else "set": held} for held in self.sets.values())
        yield from ({"chain": chain} for chain in self.chains.values())
        yield from ({"rule": rule} for rules in self.rules.values() for rule in rules)


def recognised(text: str) -> bool:
    """Whether this is nftables text: it begins with a command of nft's."""
    return _RECOGNISED.match(text) is not None


def parse(text: str, file: str, include: Include | None = None) -> list[Json]:
    """The objects that are there when nft has run this text on a kernel without any.

    ``include`` reads a pattern as written to (name, text) of each file it matches, or None.

    Raises RuleError with file, line and token where no nft could read it.
    """
    parser = _Parser(scan(text, file, include), file)
    parser.run()
    return [item for table in parser.tables.values() for item in table.listed()] + parser.notes


@cache
def _parts(form: str) -> list[tuple[str, str, str]]:
    """The parts of a form, each with the key that it is kept as, and what it is."""
    split = [(part, part.strip("[?").rpartition("=")) for part in form.split()]
    return [(part, name, what) for part, (name, _, what) in split]


def _flags(value: Any) -> Any:
    """``a,b`` and ``a | b`` as one list, a lone flag as itself."""
    if isinstance(value, dict) and set(value) == {"|"}:
        parts = [_flags(part) for part in value["|"]]
        value = [flag for part in parts for flag in (part if isinstance(part, list) else [part])]
    return _alone(value) if isinstance(value, list) else value


def _masked(flags: Any) -> tuple[Any, Any]:
    """Flags and their mask: in numbers, ``2 / 1,2`` looks like a prefix and another number."""
    first, *rest = flags if isinstance(flags, list) else [flags]
    if not isinstance(first, dict) or "prefix" not in first:
        return flags, None
    return first["prefix"]["addr"], _alone([first["prefix"]["len"], *rest])


def _alone(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _members(value: Any) -> list[Any]:
    return list(value["set"]) if isinstance(value, dict) and "set" in value else [value]


def _is_small(value: Any) -> bool:
    """Whether it has few parts, so that what is made of it again and again stays small."""
    left, todo = MAX_PARTS, [value]
    while todo and left:
        left -= 1
        part = todo.pop()
        todo += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return not todo


def _kind_of(element: Any) -> str:
    if not isinstance(element, list):
        return "set"
    data = element[1]
    return "vmap" if isinstance(data, dict) and not data.keys().isdisjoint(_VERDICTS) else "map"


# --- the grammar


class _Cursor:
    """A position among the tokens. Methods raise _UnknownError for anything but what they read."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.token = tokens[0]

    def next(self) -> Token:
        token = self.token
        if token.kind != "end":
            self.at += 1
            self.token = self.tokens[self.at]
        return token

    def back(self, at: int) -> None:
        self.at, self.token = at, self.tokens[at]

    def follows(self) -> str:
        return self.tokens[self.at + 1].text if self.token.kind != "end" else ""

    def accept(self, *texts: str) -> str:
        """The token's text if it is one of these, and the next token's turn; else nothing."""
        return self.next().text if self.token.text in texts else ""

    def want(self, *texts: str) -> str:
        if self.token.text not in texts:
            raise _UnknownError
        return self.next().text

    def of(self, *kinds: str) -> str:
        if self.token.kind not in kinds:
            raise _UnknownError
        return self.next().text.strip('"')

    def word(self) -> str:
        return self.of("word")

    def name(self) -> str:
        """An identifier, or a text in quotes."""
        return self.of("word", "string", "number", "class")

    def names(self) -> list[str]:
        return self.several(self.name, ",")

    def several(self, part: Callable[[], Any], sign: str) -> list[Any]:
        parts = [part()]
        while self.accept(sign):
            parts.append(part())
        return parts

    def lines(self) -> None:
        while self.token.kind in {"newline", "handle"}:
            self.next()

    def line(self) -> None:
        """The one end of a line that may stand between braces; a second is an error to nft."""
        if self.token.kind == "newline":
            self.next()
        if self.token.kind == "newline":
            fail(self.token, "nft takes no empty line between these braces")

    def ended(self) -> bool:
        return self.token.kind in {"newline", "end", "handle"} or self.token.text in {";", "}"}

    def separator(self) -> Json:
        """The end of a statement, and the handle if the listing shows one."""
        handle = {"handle": int(self.next().text)} if self.token.kind == "handle" else {}
        if self.token.kind not in {"newline", "end"} and self.token.text != ";":
            fail(self.token, "expected a new line or ';'")
        self.next()
        return handle

    def skip(self, stop: str = ";") -> str:
        """To the end of this statement, over all blocks in it; the text of it."""
        start, depth = self.at, 0
        while self.token.kind != "end" and (depth or not (self.ended() or self.token.text == stop)):
            depth += (self.token.text == "{") - (self.token.text == "}")
            self.next()
        return self.since(start)

    def since(self, start: int) -> str:
        tokens = self.tokens[start : self.at]
        kept = [token for token in tokens if token.kind not in {"newline", "handle"}]
        text = "".join(" " + token.text if token.spaced else token.text for token in kept)
        return " ".join(text.split())


class _Rules(_Cursor):
    """The grammar of one rule: what it matches, compares with and does."""

    family = "ip"

    def __init__(self, tokens: list[Token]) -> None:
        super().__init__(tokens)
        self.variables: ChainMap[str, Any] = ChainMap()
        self.lacking = False  # whether an include was not given

    def form(self, form: str) -> Json:
        """The JSON that a form's words make; the comment on forms above explains their signs."""
        about: Json = {}
        missing = False
        for part, name, what in _parts(form):
            value: Any = ""
            if part == "]" or missing:
                missing = part != "]"
            elif what.isupper():
                value = getattr(self, what.lower())()
            elif not (value := self.accept(*what.split("|"))):
                missing = part[0] == "["
                if not missing and part[-1] != "?":
                    raise _UnknownError
            if name and value != "":
                about[name] = value == "over" if name == "inv" else value
            elif isinstance(value, dict):
                about |= value
        return about

    # Constants.

    def number(self) -> int:
        text = self.of("number")
        # nft's versions do not agree on 010.
        if len(text) > 40 or (text[0] == "0" and text[1:].isdigit()):
            raise _UnknownError
        return int(text, 0)

    def variable(self) -> Any:
        token = self.next()
        if token.text[1:] not in self.variables:
            if self.lacking:
                raise _UnknownError  # what is not here may define it
            fail(token, "a variable that is not defined")
        if (value := self.variables[token.text[1:]]) is None:
            raise _UnknownError
        return value

    def target(self) -> str:
        return str(self.variable()) if self.token.kind == "variable" else self.name()

    def reference(self) -> str:
        return self.want("@") + self.name()

    def atom(self) -> Any:
        kind, text = self.token.kind, self.token.text
        if kind in {"number", "variable"}:
            return self.number() if kind == "number" else self.variable()
        if text == "(":
            return self.bracketed(self.items)
        if text in {"*", "exists", "missing"}:
            return {"exists": True, "missing": False}.get(self.next().text, "*")
        if text in _NO_VALUE:
            raise _UnknownError
        return self.of("word", "string", "address", "ipv4", "class", "time")

    def bracketed(self, inner: Callable[[], Any], signs: str = "()") -> Any:
        self.want(signs[0])
        inside = inner()
        self.want(signs[1])
        return inside

    def operand(self) -> Any:
        """A constant, or a property of the packet: where nft lets both stand."""
        if self.token.text == "(":
            return self.bracketed(lambda: self.items(self.operand))
        if self.token.text in _SELECTORS:
            at = self.at
            try:
                return self.selector()
            except _UnknownError:
                self.back(at)
        return self.atom()

    def binary(self, value: Any, operand: Callable[[], Any]) -> Any:
        """What goes on from a value, ``a & b | c``, where it is meant from left to right."""
        last = 0
        if _BINARY.get(self.token.text) in {"<<", ">>"}:
            value = {_BINARY[self.next().text]: [value, operand()]}
            last = MAX_NESTING
        for _ in range(MAX_NESTING):
            if (sign := _BINARY.get(self.token.text)) is None:
                return value
            # Beside a shift, which is -1 here, nft's listings leave the brackets out.
            if (rank := "&^|".find(sign)) < last:
                break
            self.next()
            value, last = {sign: [value, operand()]}, rank
        raise _UnknownError

    def plain(self, operand: Callable[[], Any]) -> Any:
        """A constant, a range or a prefix."""
        value = self.binary(operand(), operand)
        if self.token.text == "/" and self.tokens[self.at + 1].kind == "number":
            self.next()
            return {"prefix": {"addr": value, "len": self.number()}}
        if self.accept("-"):
            return {"range": [value, self.binary(operand(), operand)]}
        return value

    def concat(self, operand: Callable[[], Any] | None = None) -> Any:
        parts = self.several(lambda: self.plain(operand or self.atom), ".")
        return {"concat": parts} if len(parts) > 1 else parts[0]

    def items(self, operand: Callable[[], Any] | None = None) -> Any:
        return _alone(self.several(lambda: self.concat(operand), ","))

    def right(self, kind: str | None = "set") -> Any:
        """What a comparison is with, or a lookup in a map or vmap; None: any of them."""
        if self.token.text == "@":
            return self.reference()
        value = self.elements() if self.token.text == "{" else self.items()
        members = _members(value) if isinstance(value, dict) and kind else []
        if any(_kind_of(member) != kind for member in members):
            raise _UnknownError
        return value

    def value(self) -> Any:
        """What is assigned: an expression, perhaps looked up in a map."""
        value = self.items(self.operand)
        if not self.accept("map"):
            return value
        return {"map": {"key": value, "data": self.right("map")}}

    def elements(self) -> Json:
        """``{ a, b timeout 1h, c : d }``; the elements of a set within it are its own."""
        self.want("{")
        members: list[Any] = []
        self.line()
        while not self.accept("}"):
            members += _members(self.elements() if self.token.text == "{" else self.element())
            if len(members) > MAX_ELEMENTS:
                fail(self.token, f"more than {MAX_ELEMENTS} elements")
            self.line()
            if self.token.text != "}":
                self.want(",")
            self.line()
        return {"set": members}

    def element(self) -> Any:
        key = self.key(self.atom, self.stateful)
        self.line()
        if not self.accept(":"):
            return key
        self.line()
        return [key, self.verdict() if self.token.text in _VERDICTS else self.concat()]

    def key(self, operand: Callable[[], Any], other: Callable[[], Json] = dict) -> Any:
        key = self.concat(operand)
        more: Json = {}
        while self.token.kind == "word" and (
            added := self.options("timeout", "expires", "comment") or other()
        ):
            more |= added
        return {"elem": {"val": key, **more}} if more else key

    def dynamic_key(self) -> Any:
        return self.key(self.operand)

    def options(self, *names: str) -> Json:
        """Names with a value each, in any order."""
        values: Json = {}
        while option := self.accept(*names):
            values[option] = self.names() if option == "flags" else self.atom()
            if values[option] in (["tcp"], ["ip"]):
                values[option] = self.names()
        return values

    def verdict(self) -> Json:
        word = self.want(*_VERDICTS)
        return {word: {"target": self.target()} if word in {"jump", "goto"} else None}

    def stateful(self) -> Json:
        """Counters and limits, of a rule or of an element."""
        kind = self.want(*_STATEFUL)
        if self.accept("name"):
            return {kind: self.value()}
        about = self.form(_STATEMENTS[kind])
        if "rate_unit" not in about and about.get("burst_unit") == "packets":
            del about["burst_unit"]
        return {"ct count" if kind == "ct" else kind: about or None}

    def per(self) -> Json:
        if self.accept("/"):
            return {"per": self.word()}
        unit, _, per = self.word().partition("/")
        if not per:
            self.want("/")
        return {"rate_unit": unit, "per": per or self.word()}

    # Properties of a packet.

    def selector(self) -> Json:
        word, then = self.next().text, self.token.text
        if word == "rt" and then in {"classid", "nexthop", "mtu", "ipsec"}:
            return {"rt": {"key": self.next().text}}
        if word not in _SELECTORS:
            raise _UnknownError
        if then in {"option", "chunk"}:
            return {f"{word} {then}": self.form(f"{then} name=WORD field=kind|length|size|count?")}
        kind, about, form = _SELECTORS[word]
        return {kind: about | self.form(form) if form else about}

    def hashed(self) -> Any:
        return self.concat(self.operand)

    def ct_key(self) -> str:
        family = self.accept("ip", "ip6")
        return f"{family} {self.want('saddr', 'daddr')}" if family else self.word()

    def fib_flags(self) -> list[str]:
        return self.several(lambda: self.want("saddr", "daddr", "mark", "iif", "oif"), ".")

    # What it does.

    def statement(self) -> Json:
        """One statement that is no verdict and no comment."""
        word = self.token.text
        if word in _STATEFUL and (word != "ct" or self.follows() == "count"):
            return self.stateful()
        if word in _STATEMENTS and word != "ct":
            return {self.next().text: self.form(_STATEMENTS[word]) or None}
        if word in {"add", "update", "delete", "set"}:
            about = self.form(_DYNAMIC_ONCE if word == "set" else _DYNAMIC)
            kind = "map" if "data" in about else "set"
            return {kind: about | {kind: about.pop("set")}}
        return self.comparison()

    def comparison(self) -> Json:
        """A match, a verdict map, or an assignment: they begin alike."""
        known = self.token.text == "(" or self.token.text in _SELECTORS
        left = self.concat(self.operand) if known else None
        if not isinstance(left, dict) or not left.keys().isdisjoint({"range", "prefix"}):
            raise _UnknownError
        if self.accept("vmap"):
            return {"vmap": {"key": left, "data": self.right("vmap")}}
        if self.accept("set"):
            if self.token.text == "{":
                fail(self.token, "a set where nft expects one value")
            value = self.value()
            if (key := left.get("ct", {}).get("key")) in _OF_CT:
                return {f"ct {key}": value}
            return {"mangle": {"key": left, "value": value}}
        operator = _COMPARISONS.get(self.token.text, "")
        if operator:
            self.next()
        start = self.at
        right = self.right()
        if left in _BITMASKS or ("&" in left and left["&"][0] in _BITMASKS):
            spaced = any(
                token.spaced and token.text == "|" for token in self.tokens[start : self.at]
            )
            return {"match": self.bits(left, operator, right, spaced=spaced)}
        if isinstance(right, list) or operator == "!":
            raise _UnknownError
        if "fib" in left and type(right) is int:
            right = str(right)
        return {"match": {"op": operator or "==", "left": left, "right": right}}

    def bits(self, left: Json, operator: str, right: Any, *, spaced: bool) -> Json:
        """A match on flags: without an operator any of them is enough, a set is of exact values."""
        if isinstance(right, dict) and len(right.get("set", ())) == 1:
            (only,) = right["set"]
            right = only if isinstance(only, str | int) else right
        elif isinstance(right, dict) and "|" in right and not operator and spaced:
            raise _UnknownError  # read, it is any of them; listed, it is what was == them
        flags, mask = _masked(_flags(right))
        operator = operator if mask is None else operator or "=="
        if "&" in left and mask is None:
            left, mask = left["&"]
            operator = operator or "=="
            if operator == "!":
                raise _UnknownError
        elif self.accept("/"):
            mask, operator = self.items(), operator or "=="
        if mask is None:
            if isinstance(flags, list) and operator in {"==", "!="}:
                flags = {"|": flags}
            listed = isinstance(flags, dict) or str(flags)[:1] == "@"
            operator = operator or ("==" if listed or flags == 0 else "in")
        elif flags == 0 and operator in {"==", "!="}:
            operator, flags = {"==": "!", "!=": "in"}[operator], _flags(mask)
        else:
            left = {"&": [left, _flags(mask)]}
        return {"op": operator, "left": left, "right": flags}

    # Parts of forms.

    def of_element(self) -> Json:
        statements = []
        while self.token.text in _STATEFUL:
            statements.append(self.stateful())
        return {"stmt": statements} if statements else {}

    def log(self) -> Json:
        return self.options("prefix", "group", "snaplen", "queue-threshold", "level", "flags")

    def reason(self) -> Json:
        if not self.accept("with"):
            kind = {"ip": "icmp", "ip6": "icmpv6"}.get(self.family, "icmpx")
            return {"type": kind, "expr": "port-unreachable"}
        if self.accept("tcp"):
            return {"type": f"tcp {self.want('reset')}"}
        return self.form("type=icmp|icmpv6|icmpx type? expr=ATOM")

    def to_address(self) -> Json:
        """As value, with an IPv6 address in brackets too; before a port there may be none."""
        if self.token.text == ":":
            return {}
        if self.token.text != "[":
            return {"addr": self.value()}
        ends = self.several(lambda: self.bracketed(self.atom, "[]"), "-")
        if self.accept("/"):
            return {"addr": {"prefix": {"addr": ends[0], "len": self.number()}}}
        return {"addr": ends[0] if len(ends) == 1 else {"range": ends}}

    def nat_flags(self) -> Json:
        flags: list[str] = []
        while flag := self.accept("random", "fully-random", "persistent"):
            flags.append(flag)
            self.accept(",")
        return {"flags": _flags(flags)} if flags else {}


class _Parser(_Rules):
    """The grammar of commands and tables; keeps what is there after each command."""

    def __init__(self, tokens: list[Token], file: str) -> None:
        super().__init__(tokens)
        self.file = file
        self.tables: dict[tuple[str, str], _Table] = {}
        self.notes: list[Json] = []
        self.flushed = False

    def run(self) -> None:
        while self.token.kind != "end":
            self.one(self.command)
        for last in self.tokens[-2:-1]:
            if last.kind != "newline" and last.text not in _FINAL:
                self.note("gap", "the file ends within a line", last)

    def note(self, kind: str, reason: str, token: Token, **more: str) -> None:
        self.notes.append({kind: {"reason": reason, **more, **self.place(token)}})

    def absent(self, what: str, token: Token) -> None:
        kind = "refused" if self.flushed else "gap"
        self.note(kind, f"the {what} is not in this file", token)

    def one(self, item: Callable[[], object]) -> None:
        """An item of a block, or what may stand in any: nothing, a definition, an include."""
        token = self.token
        try:
            if token.kind in {"newline", "handle"} or token.text == ";":
                self.next()
            elif token.kind == "gap":
                reason = f"the file included as {token.text} was not given"
                self.note("gap", reason, self.next(), hint=INCLUDED)
                self.lacking = True
            elif self.accept("define", "redefine", "undefine"):
                self.define(token)
                self.separator()
            else:
                item()
        except _UnknownError:
            fail(self.token, "nft does not expect this here")

    def define(self, how: Token) -> None:
        name, scopes = self.name(), self.variables.maps
        holder = next((scope for scope in scopes if name in scope), scopes[0])
        if (how.text, name in holder) in {("define", True), ("undefine", False)}:
            self.note("refused", f"{name} cannot be {how.text}d here", how)
        if how.text == "undefine":
            holder.pop(name, None)
            return
        self.want("=")
        at, value = self.at, None
        try:
            value = {"set": []} if self.ended() else self.right(None)
        except _UnknownError:
            self.back(at)
        known = self.ended() and all(map(_is_small, _members(value)))
        holder[name] = value if known else None
        self.skip()

    def block(self, about: Json, item: Callable[[], object]) -> None:
        """``{ … }`` with a scope of its own, what it says of itself, and its handle."""

        def inner() -> None:
            if self.token.text in {"flags", "comment"}:
                about.update(self.form("[flags flags=NAMES ] [comment comment=NAME ]"))
                self.separator()
            else:
                item()

        self.want("{")
        if self.token.kind == "handle":
            about["handle"] = int(self.token.text)
        self.variables = self.variables.new_child()
        while not self.accept("}"):
            self.one(inner)
        self.variables = self.variables.parents

    # Commands.

    def command(self) -> None:
        token = self.token
        if self.accept("list", "get", "describe", "monitor", "reset", "export"):
            self.skip()
        elif self.accept("flush"):
            self.flush(token)
        elif self.accept("delete", "destroy"):
            self.delete(token)
        elif self.accept("replace", "rename"):
            self.unclear(token)
        else:
            self.add(self.accept("add", "create", "insert"))
        self.separator()

    def unclear(self, token: Token) -> None:
        self.note("gap", f"{token.text} changes what this file does not show", token)
        self.skip()

    def flush(self, token: Token) -> None:
        if self.accept("ruleset"):
            family = self.accept(*_FAMILIES)
            self.flushed = self.flushed or not family
            kept = {key: table for key, table in self.tables.items() if family not in {"", key[0]}}
            self.tables = kept
        elif self.accept("table"):
            self.table().rules.clear()
        elif self.accept("chain"):
            table = self.table()
            table.rules.pop(self.held(table, "chain")["name"], None)
        else:
            self.unclear(token)

    def delete(self, token: Token) -> None:
        """Delete a table; what deleting anything else leaves cannot be determined."""
        if self.follows() == "handle" or not self.accept("table"):
            self.unclear(token)
            return
        key = self.table_key()
        if self.tables.pop(key, None) is None and token.text == "delete":
            self.absent(f"table {' '.join(key)}", token)

    def add(self, verb: str) -> None:
        token = self.token
        if self.accept("table"):
            table = self.table(known=False)
            table.about.pop("flags", None)  # declared again without, a dormant table wakes
            if self.token.text == "{":
                self.block(table.about, lambda: self.in_table(table))
        elif kind := self.kind():
            self.declare(self.table(), kind)
        elif self.accept("element"):
            self.in_elements(self.held(self.table(), "set"))
        elif self.accept("rule") or verb == "add":
            self.add_rule(front=verb == "insert")
        else:
            fail(token, "not an nft command")

    def table_key(self) -> tuple[str, str]:
        named = self.follows() not in {"{", ";", "\n", ""}
        return (self.accept(*_FAMILIES) if named else "") or "ip", self.name()

    def table(self, *, known: bool = True) -> _Table:
        """The table of this name, made where it is new."""
        token, key = self.token, self.table_key()
        if known and key not in self.tables:
            self.absent(f"table {' '.join(key)}", token)
        self.family = key[0]
        return self.tables.setdefault(key, _Table({"family": key[0], "name": key[1]}))

    def held(self, table: _Table, kind: str, name: str = "", *, known: bool = True) -> Json:
        """The chain or set of this name, made where it is new."""
        token, name = self.token, name or self.target()
        held = table.chains if kind == "chain" else table.sets
        if known and name not in held:
            self.absent(f"{kind} {name}", token)
        return held.setdefault(name, {**table.owner(), "name": name, **self.place(token)})

    def place(self, token: Token) -> Json:
        return {"line": token.line} | ({"file": token.file} if token.file != self.file else {})

    def in_table(self, table: _Table) -> None:
        token = self.token
        if kind := self.kind():
            self.declare(table, kind)
        elif token.kind != "word" or not (text := self.skip()).endswith("}"):
            fail(token, "not part of a table")
        else:
            about = {**table.owner(), "text": text, "line": token.line}
            self.notes.append({"unparsed_object": about})
        self.separator()

    def kind(self) -> str:
        kind = self.accept("chain", "set", "map", *_OBJECTS)
        return f"ct {self.want(*_OF_CT)}" if kind == "ct" else kind

    def declare(self, table: _Table, kind: str) -> None:
        if kind.partition(" ")[0] in _OBJECTS:
            self.notes.append({kind: {**table.owner(), "name": self.name()}})
            if self.token.text != "{" and not self.ended():
                raise _UnknownError
            start = self.at
            self.skip()
            self.look_at_words(kind, start)
            return
        about = self.held(table, kind, known=False)
        if kind == "map":
            about.setdefault("map", "")
        if kind != "chain":
            before = [*about.get("elem", [])]
            self.block(about, lambda: self.in_set(about, before))
        elif self.token.text == "{":
            self.block(about, lambda: self.in_chain(table, about))

    def in_chain(self, table: _Table, chain: Json) -> None:
        token = self.token
        if self.accept("type"):
            base = self.form(_BASE)
            known = {key: chain.get(key) for key in base}
            if known != base and (any(known.values()) or table.rules.get(chain["name"])):
                self.note("refused", f"chain {chain['name']} is declared with two types", token)
            chain.update({"policy": "accept"} | chain | base)
        elif self.accept("policy"):
            chain["policy"] = self.target()
            if chain["policy"] not in {"accept", "drop"}:
                fail(token, "expected accept or drop")
        elif devices := self.devices():
            chain.update(devices)
        else:
            rule = self.rule(table, chain)
            table.rules.setdefault(chain["name"], []).append(rule | self.separator())
            return
        self.separator()

    def devices(self) -> Json:
        if self.accept("device"):
            return {"dev": self.target()}
        if not self.accept("devices"):
            return {}
        self.want("=")
        return {"dev": [str(device) for device in _members(self.right())]}

    def priority(self) -> int:
        token, names = self.token, _NAMED_BRIDGE if self.family == "bridge" else _NAMED
        # Of a variable it may be all in one text.
        text = str(self.variable()) if token.kind == "variable" else self.skip()
        match = _PRIORITY.fullmatch(text)
        if match is None or (match[1] and match[1] not in names):
            fail(token, "not a priority")
        number = (match[2] or match[3] or "0").replace(" ", "")
        # As strtol has it.
        base = 8 if re.match("[+-]?0[0-9]", number) else 0
        try:
            return names.get(match[1], 0) + int(number, base)
        except ValueError:
            fail(token, "not a priority")

    def in_set(self, about: Json, before: list[Json]) -> None:
        """One line of a set's block; the ``elements`` that come last in it are those it adds."""
        token = self.token
        if self.accept("elements"):
            self.want("=")
            about["elem"] = [*before]
            self.in_elements(about)
            return
        if self.accept("type", "typeof"):
            about["type"] = self.types(token.text)
            if self.accept(":"):
                self.accept("interval")
                about["map"] = self.types(token.text)
        elif self.accept("auto-merge"):
            about["auto-merge"] = True
            return
        elif options := self.options("timeout", "gc-interval", "size", "policy"):
            about.update(options)
        else:
            while not self.ended():
                about.setdefault("stmt", []).append(self.stateful())
        self.separator()

    def types(self, how: str) -> Any:
        if how == "type" or self.token.text == "verdict":
            return _alone(self.several(self.name, "."))
        return {"typeof": self.skip(":")}

    def in_elements(self, about: Json) -> None:
        kind = {"set": "set", "verdict": "vmap", "": None}.get(str(about.get("map", "set")), "map")
        about.setdefault("elem", []).extend(_members(self.right(kind)))

    # Rules.

    def add_rule(self, *, front: bool) -> None:
        table = self.table()
        chain = self.held(table, "chain")
        rules = table.rules.setdefault(chain["name"], [])
        if self.accept("index", "position", "handle"):
            self.note(
                "gap",
                "a rule is placed by the index or handle of another, which this file does not show",
                self.token,
            )
            self.number()
        rules.insert(0 if front else len(rules), self.rule(table, chain))

    def rule(self, table: _Table, chain: Json) -> Json:
        start, token = self.at, self.token
        about = {**table.owner(), "chain": chain["name"], **self.place(token)}
        expr: list[Json] = []
        while not self.ended():
            at = self.at
            try:
                if self.accept("comment"):
                    about["comment"] = self.name()
                    if not self.ended():
                        fail(self.token, "a comment ends the rule")
                elif self.token.text in {"jump", "goto"} and self.follows() == "{":
                    expr.append(self.jump_in(table))
                elif self.token.text in _VERDICTS:
                    expr.append(self.verdict())
                else:
                    expr.append(self.statement())
            except _UnknownError:
                self.back(at)
                expr.append({"unparsed": self.skip()})
                if self.token.kind != "handle":
                    if at == start and token.kind != "word" and token.text not in {"@", "("}:
                        self.note("strange", f"no rule begins with {token.text[:60]!a}", token)
                    # Also where a flush takes the rule away again: nft reads the whole file first.
                    self.look_at_words("rule", at)
        if start == self.at:
            fail(token, "not a statement")
        return about | {"text": self.since(start), "expr": expr}

    def look_at_words(self, what: str, start: int) -> None:
        """Whether nft could know all the words from here on, in what our grammar does not know."""
        lone = self.tokens[start]
        if what == "rule" and self.at - start == 1 and lone.text in _SELECTORS:
            self.note("strange", f"nft expects more than {lone.text!a}", lone)
            return
        field = self.tokens[start + 1].text
        if lone.text in _PAYLOADS and (not field[:1].isalpha() or ":" in field):
            self.note("strange", f"no field of {lone.text!a} is called {field[:60]!a}", lone)
            return
        naming = braced = False
        for token in self.tokens[start : self.at]:
            word = token.text.partition("/")[0].lower()
            unknown = token.kind == "word" and not (naming or word in KNOWN)
            if unknown or (token.text == "=" and what == "rule"):
                reason = f"nft does not know the word {token.text[:60]!a} in a {what}"
                self.note("strange", reason, token)
                return
            if token.text in NAMING:
                naming, braced = True, False
            elif naming and token.text in {"=", "{", ","}:
                braced = braced or token.text == "{"
            else:
                naming = naming and braced and token.text != "}"

    def jump_in(self, table: _Table) -> Json:
        """The chain of ``jump { … }`` gets a name."""
        word = self.next().text
        chain = self.held(table, "chain", f"{NAMELESS}{len(table.chains)}", known=False)
        self.block(chain, lambda: self.in_chain(table, chain))
        return {word: {"target": chain["name"]}}
