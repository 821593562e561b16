"""nftables text, listed or written by hand, to the objects that ``nft -j list ruleset`` prints.

They are those of libnftables-json(5), so that one builder reads both notations. Chains and rules
have a ``line`` too, and a ``file`` if they were included; rules have their ``text``. Names stay as
they are written: ``ssh`` is not 22 here. What is not in nft's JSON:

- ``{"unparsed": text}`` in ``expr``: the rest of a rule, from where this grammar does not know it;
- ``{"unparsed_object": {…}}``: a block of a table that it does not know;
- ``{"gap": {"reason", "line"}}``: what the text does depends on what is not in it;
- ``{"refused": {"reason", "line"}}``: nft would not load it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple, NoReturn

from ipv6check.firewall.model import RuleError

Include = Callable[[str], list[tuple[str, str]] | None]
Json = dict[str, Any]

MAX_SIZE = 32 << 20  # characters, with all that is included
MAX_INCLUDES = 16  # deep, as in nft
MAX_NESTING = 32

_H = "[0-9a-fA-F]{1,4}"
_ADDRESS = "|".join(
    (
        r"(?:[0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}(?![0-9a-fA-F]|::?[0-9a-fA-F])",
        r"::(?:[fF]{4}:)?\d+\.\d+\.\d+\.\d+",
        rf"(?:{_H}:){{7}}{_H}",
        *(rf"(?:{_H}:){{{n}}}(?::{_H}){{1,{7 - n}}}" for n in range(1, 7)),
        rf":(?::{_H}){{1,7}}",
        rf"(?:{_H}:){{1,7}}:",
        "::",
    )
)
# As nft's scanner has it: to that, too, 22:accept is the class 22:acce and two letters.
_TOKEN = re.compile(
    rf"""(?:[ \t\r]|\\\r?\n)*(?:
      (?P<newline>\n)
    | \#\ handle\ (?P<handle>\d+)[ \t\r]*$
    | (?P<hidden>\#\ xt_\w.*)
    | (?P<comment>\#.*)
    | (?P<string>"[^"]*")
    | (?=[0-9a-fA-F]{{0,4}}:)(?P<address>{_ADDRESS})
    | (?P<class>{_H}:{_H})
    | (?P<ipv4>\d{{1,3}}(?:\.\d{{1,3}}){{3}})
    | (?P<number>0[xX][0-9a-fA-F]+|\d+(?![dhms\d]))
    | (?P<time>(?:\d+(?:ms|[dhms]))+)
    | (?P<word>(?:[A-Za-z_]|\.(?=[\w/.-]))[\w/.-]*(?:\\?\*)?)
    | (?P<variable>\$[A-Za-z_.][\w/.-]*)
    | (?P<sign>[=!<>]=|<<|>>|[][{{}}(),.:;<>^&|!/*@=+-])
    )""",
    re.VERBOSE | re.ASCII | re.MULTILINE,
)
_BLANK = re.compile(r"(?:[ \t\r]|\\\r?\n)*")
_KINDS = (
    *("table", "chain", "rule", "set", "map", "element", "counter", "quota", "limit", "ct"),
    *("flowtable", "synproxy", "secmark", "tunnel"),
)
_OBJECTS = frozenset(_KINDS[6:])  # what they hold decides nothing by itself
_RECOGNISED = re.compile(
    r"#!/\S*(?:nft|env[^\n]*nft)\b|(?:\s|\\\n|#.*(?:\n|$)|;)*"
    r"(?:(?:re|un)?define\s+[\w./-]|include\s+\"|table\s+[\w.]|flush\s+(?:ruleset|table|chain|set)\b"
    rf"|(?:add|create|insert|replace|delete|destroy|list|reset)\s+(?:{'|'.join(_KINDS)}|ip6?|inet)\b"
    r"|(?:chain|rule|element)\s+(?:ip6?|inet|netdev|bridge|arp)\s)"
)

_FAMILIES = ("ip", "ip6", "inet", "arp", "bridge", "netdev")
_HOOKS = ("ingress", "prerouting", "input", "forward", "output", "postrouting", "egress")
_NAMED = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
_NAMED_BRIDGE = {"dstnat": -300, "filter": -200, "out": 100, "srcnat": 300}
# Nothing that could follow on the line would change what it means.
_FINAL = frozenset({"}", ";", "accept", "drop", "return", "masquerade"})
_VERDICTS = ("accept", "drop", "continue", "return", "jump", "goto")
_STATEFUL = ("counter", "limit", "quota", "last", "ct")
_NAT = ("dnat", "snat", "tproxy", "masquerade", "redirect")
_BYTES = ("bytes", "kbytes", "mbytes")

_PAYLOADS = frozenset(
    "ether vlan arp ip ip6 icmp igmp icmpv6 tcp udp udplite sctp dccp th ah esp"  # noqa: SIM905
    " comp".split()
)
_HEADERS = frozenset({"hbh", "dst", "rt", "frag", "mh"})
_OPTIONS = {("ip", "option"), ("tcp", "option"), ("sctp", "chunk"), ("dccp", "option")}
_META = frozenset(
    "mark iif iifname iiftype oif oifname oiftype skuid skgid nftrace rtclassid ibriport ibrname"  # noqa: SIM905
    " obriport obrname pkttype cpu iifgroup oifgroup cgroup time day hour".split()
)
_BITMASKS: tuple[Json, ...] = (
    *({"ct": {"key": key}} for key in ("state", "status", "label")),
    {"payload": {"protocol": "tcp", "field": "flags"}},
)
_COMPARISONS = {sign: sign for sign in ("==", "!=", "<", ">", "<=", ">=", "!")}
_COMPARISONS |= {"eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">=", "not": "!"}
_BINARY = {sign: sign for sign in ("<<", ">>", "&", "^", "|")}  # from the tightest
_BINARY |= {"lshift": "<<", "rshift": ">>", "and": "&", "xor": "^", "or": "|"}
# Words that are no value: a statement or an expression begins there, or goes on.
_NO_VALUE = (_META | _BINARY.keys() | _COMPARISONS.keys() | {*_VERDICTS, *_STATEFUL}) | frozenset(
    "log reject masquerade notrack queue fwd dup synproxy tproxy meter add update delete set vmap"  # noqa: SIM905
    " map comment meta fib socket osf numgen jhash symhash ipsec xt flow exthdr to with flags in"
    " out".split()
)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int
    spaced: bool
    file: str


class _UnknownError(Exception):
    """The grammar does not know this; nft may."""


@dataclass(slots=True)
class _Chain:
    about: Json
    rules: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class _Table:
    about: Json
    chains: dict[str, _Chain] = field(default_factory=dict)
    sets: dict[str, Json] = field(default_factory=dict)
    objects: list[Json] = field(default_factory=list)

    def owner(self) -> Json:
        return {"family": self.about["family"], "table": self.about["name"]}

    def listed(self) -> Iterator[Json]:
        yield {"table": self.about}
        yield from ({"map" if "map" in each else "set": each} for each in self.sets.values())
        yield from self.objects
        yield from ({"chain": chain.about} for chain in self.chains.values())
        yield from ({"rule": rule} for chain in self.chains.values() for rule in chain.rules)


def recognised(text: str) -> bool:
    """Whether this is nftables text: it begins with a command of nft's."""
    return _RECOGNISED.match(text) is not None


def parse(text: str, file: str, include: Include | None = None) -> list[Json]:
    """The objects that are there when nft has run this text on a kernel without any.

    ``include`` reads a pattern as written to (name, text) of each file it matches, or None.

    Raises RuleError with file, line and token where no nft could read it.
    """
    tokens: list[_Token] = []
    _scan(text, file, include, tokens, [MAX_SIZE], 0)
    _check_nesting(tokens)
    end = tokens[-1] if tokens else _Token("newline", "", 1, spaced=False, file=file)
    parser = _Parser([*tokens, _Token("end", "", end.line, spaced=False, file=end.file)], file)
    parser.run()
    if end.kind != "newline" and end.text not in _FINAL:
        parser.note("gap", "the file ends within a line", end)
    return parser.listed()


# --- tokens


def _scan(
    text: str,
    file: str,
    include: Include | None,
    tokens: list[_Token],
    left: list[int],
    depth: int,
) -> None:
    """Append the text's tokens, and in the place of an include those of its files."""
    left[0] -= len(text)
    if left[0] < 0 or depth > MAX_INCLUDES:
        raise RuleError(f"{file}:1: too much, or too deeply included: {file!a}")
    line, at, match = 1, 0, _TOKEN.match
    while found := match(text, at):
        kind = found.lastgroup or ""
        start, end = found.span(kind)
        if start - at > 1:
            line += text.count("\n", at, start)
        if kind != "comment":
            tokens.append(_Token(kind, text[start:end], line, start > at, file))
        if kind in {"newline", "string"}:
            line += text.count("\n", start, end)
            if kind == "string" and _is_include(tokens):
                _include(tokens, include, left, depth)
        at = end
    blank = _BLANK.match(text, at)
    rest = text[blank.end() if blank else at :]
    if rest:
        wrong = "a quote that is never closed" if rest[0] == '"' else "nothing that nft knows"
        raise RuleError(f"{file}:{line}: {wrong}: {rest[:40].split()[0]!a}")


def _is_include(tokens: list[_Token]) -> bool:
    if len(tokens) < 2 or tokens[-2].text != "include":
        return False
    return len(tokens) == 2 or tokens[-3].kind == "newline" or tokens[-3].text in {";", "{", "}"}


def _include(tokens: list[_Token], include: Include | None, left: list[int], depth: int) -> None:
    pattern = tokens.pop()
    tokens.pop()
    found = include(pattern.text[1:-1]) if include else None
    if found is None:
        tokens.append(pattern._replace(kind="gap"))
    for name, text in found or ():
        _scan(text, name, include, tokens, left, depth + 1)
        tokens.append(pattern._replace(kind="newline", text="\n"))


def _check_nesting(tokens: list[_Token]) -> None:
    opened: list[_Token] = []
    for token in tokens:
        if token.kind != "sign":
            continue
        if token.text in "{([":
            opened.append(token)
            if len(opened) > MAX_NESTING:
                _fail(token, "nested too deeply")
        elif token.text in "})]" and (
            not opened or opened.pop().text + token.text not in {"{}", "()", "[]"}
        ):
            _fail(token, "closes what is not open")
    if opened:
        _fail(opened[-1], "never closed")


def _fail(token: _Token, wrong: str) -> NoReturn:
    shown = {"end": "end of file", "newline": "end of line"}.get(token.kind, token.text)
    raise RuleError(f"{token.file}:{token.line}: {wrong}: {shown[:60]!a}")


def _joined(tokens: list[_Token]) -> str:
    kept = [each for each in tokens if each.kind not in {"newline", "handle"}]
    text = "".join(" " + each.text if each.spaced else each.text for each in kept)
    return " ".join(text.split())


def _flags(value: Any) -> Any:
    """``a,b`` and ``a | b`` as one list, a lone flag as itself."""
    if isinstance(value, dict) and set(value) == {"|"}:
        parts = [_flags(each) for each in value["|"]]
        value = [each for part in parts for each in (part if isinstance(part, list) else [part])]
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _members(value: Any) -> list[Any]:
    return list(value["set"]) if isinstance(value, dict) and "set" in value else [value]


def _kind_of(element: Any) -> str:
    if not isinstance(element, list):
        return "set"
    data = element[1]
    return "vmap" if isinstance(data, dict) and not data.keys().isdisjoint(_VERDICTS) else "map"


# --- the grammar


class _Cursor:
    """A place among the tokens."""

    def __init__(self, tokens: list[_Token], file: str) -> None:
        self.tokens = tokens
        self.file = file
        self.at = 0
        self.token = tokens[0]

    def next(self) -> _Token:
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

    def expect(self, *texts: str) -> str:
        return self.accept(*texts) or _fail(self.token, f"not {' or '.join(map(repr, texts))}")

    def want(self, *texts: str) -> str:
        """Like expect, within a rule: what is not there is not known, and no error."""
        found = self.accept(*texts)
        if not found:
            raise _UnknownError
        return found

    def word(self) -> str:
        if self.token.kind != "word":
            raise _UnknownError
        return self.next().text

    def name(self) -> str:
        """An identifier, or a text in quotes."""
        if self.token.kind not in {"word", "string", "number", "class"}:
            _fail(self.token, "not a name")
        return self.next().text.strip('"')

    def several(self, part: Callable[[], Any], sign: str) -> list[Any]:
        found = [part()]
        while self.accept(sign):
            found.append(part())
        return found

    def lines(self) -> None:
        while self.token.kind in {"newline", "handle"}:
            self.next()

    def ended(self) -> bool:
        return self.token.kind in {"newline", "end", "handle"} or self.token.text in {";", "}"}

    def separator(self) -> int | None:
        """The end of a statement, and the handle if the listing shows one."""
        handle = int(self.next().text) if self.token.kind == "handle" else None
        if self.token.kind not in {"newline", "end"} and self.token.text != ";":
            _fail(self.token, "neither a new line nor ';'")
        self.next()
        return handle

    def skip(self) -> str:
        """To the end of this statement, over all blocks in it; the text of it."""
        start, depth = self.at, 0
        while self.token.kind != "end" and (depth or not self.ended()):
            depth += (self.token.text == "{") - (self.token.text == "}")
            self.next()
        return _joined(self.tokens[start : self.at])


class _Expressions(_Cursor):
    """What a rule looks at and compares with. Whatever is not known raises _UnknownError."""

    def __init__(self, tokens: list[_Token], file: str) -> None:
        super().__init__(tokens, file)
        self.scopes: list[dict[str, Any]] = [{}]

    # Constants.

    def number(self) -> int:
        token = self.next()
        # nft's versions do not agree on 010.
        if token.kind != "number" or (token.text[0] == "0" and token.text[1:].isdigit()):
            raise _UnknownError
        return int(token.text, 0)

    def seconds(self) -> int:
        if self.token.kind != "time":
            return 0 if self.accept("never") else self.number()
        units = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0}
        parts = re.findall(r"(\d+)(ms|[dhms])", self.next().text)
        return sum(int(number) * units[unit] for number, unit in parts)

    def variable(self) -> Any:
        token = self.next()
        for scope in reversed(self.scopes):
            if (value := scope.get(token.text[1:])) is _UnknownError:
                raise _UnknownError
            if value is not None:
                return value
        _fail(token, "a variable that is not defined")

    def atom(self) -> Any:
        kind, text = self.token.kind, self.token.text
        if kind == "word" and text not in _NO_VALUE:
            self.next()
            return {"exists": True, "missing": False}.get(text, text)
        if kind in {"string", "address", "ipv4", "class"}:
            return self.next().text.strip('"')
        if text == "(":
            return self.bracketed(self.list)
        special = {"number": self.number, "time": self.seconds, "variable": self.variable}
        return special[kind]() if kind in special else self.want("*")

    def bracketed(self, inner: Callable[[], Any]) -> Any:
        self.want("(")
        found = inner()
        self.want(")")
        return found

    def operand(self) -> Any:
        """A constant, or a property of the packet: where nft lets both stand."""
        at = self.at
        if self.token.text == "(":
            return self.bracketed(self.computed)
        if self.token.kind == "word" or self.token.text == "@":
            try:
                return self.selector()
            except _UnknownError:
                self.back(at)
        return self.atom()

    def binary(self, left: Any, operand: Callable[[], Any]) -> Any:
        """What goes on from left: ``a & b | c``."""
        if self.token.text not in _BINARY:
            return left
        parts, signs = [left], []
        while sign := _BINARY.get(self.token.text):
            self.next()
            signs.append(sign)
            parts.append(operand())
        # Beside a shift nft's listings leave the brackets out.
        if len(signs) > MAX_NESTING or (len(set(signs)) > 1 and {"<<", ">>"} & set(signs)):
            raise _UnknownError
        for sign in ("<<", ">>", "&", "^", "|"):
            while sign in signs:
                at = signs.index(sign)
                parts[at : at + 2] = [{sign: parts[at : at + 2]}]
                del signs[at]
        return parts[0]

    def computed(self) -> Any:
        return self.binary(self.operand(), self.operand)

    def plain(self, operand: Callable[[], Any]) -> Any:
        """A constant, a range or a prefix."""
        value = self.binary(operand(), operand)
        if self.token.text == "/" and self.tokens[self.at + 1].kind == "number":
            self.next()
            return {"prefix": {"addr": value, "len": self.number()}}
        if self.accept("-"):
            return {"range": [value, self.binary(operand(), operand)]}
        return value

    def concat(self, part: Callable[[], Any]) -> Any:
        value = part()
        return {"concat": [value, *self.several(part, ".")]} if self.accept(".") else value

    def list(self, operand: Callable[[], Any] | None = None) -> Any:
        operand = operand or self.atom
        value = self.concat(lambda: self.plain(operand))
        if not self.accept(","):
            return value
        return [value, *self.several(lambda: self.plain(operand), ",")]

    def right(self, kind: str | None = "set") -> Any:
        """What a comparison is with, or a lookup in a map or vmap; None: any of them."""
        if self.accept("@"):
            return "@" + self.name()
        found = self.elements() if self.token.text == "{" else self.list()
        members = _members(found) if isinstance(found, dict) and kind else []
        if any(_kind_of(each) != kind for each in members):
            raise _UnknownError
        return found

    def value(self) -> Any:
        """What is assigned: an expression, perhaps looked up in a map."""
        value = self.list(self.operand)
        if not self.accept("map"):
            return value
        return {"map": {"key": value, "data": self.right("map")}}

    def elements(self) -> Json:
        """``{ a, b timeout 1h, c : d }``; the elements of a set within it are its own."""
        self.want("{")
        found: list[Any] = []
        self.lines()
        while not self.accept("}"):
            found += _members(self.elements() if self.token.text == "{" else self.element())
            self.lines()
            if self.token.text != "}":
                self.want(",")
                self.lines()
        return {"set": found}

    def element(self) -> Any:
        key = self.concat(self.constant)
        more: Json = {}
        while self.token.kind == "word":
            more |= self.element_option()
        if more:
            key = {"elem": {"val": key, **more}}
        self.lines()
        if not self.accept(":"):
            return key
        self.lines()
        return [key, self.verdict() if self.token.text in _VERDICTS else self.concat(self.constant)]

    def constant(self) -> Any:
        return self.plain(self.atom)

    def element_option(self) -> Json:
        if option := self.accept("timeout", "expires"):
            return {option: self.seconds()}
        return {"comment": self.name()} if self.accept("comment") else self.stateful()

    def verdict(self) -> Json:
        word = self.want(*_VERDICTS)
        return {word: {"target": self.target()} if word in {"jump", "goto"} else None}

    def target(self) -> str:
        return str(self.variable()) if self.token.kind == "variable" else self.name()

    def stateful(self) -> Json:
        raise _UnknownError

    # Properties of a packet.

    def selector(self) -> Json:
        word, then = self.next().text, self.token.text
        if (word, then) in _OPTIONS:
            return self.option(f"{word} {self.next().text}")
        if word == "meta" or word in _META:
            return {"meta": {"key": self.word() if word == "meta" else word}}
        if word == "rt" and then in {"classid", "nexthop", "mtu"}:
            return {"rt": {"key": self.next().text}}
        if word in _PAYLOADS:
            return {"payload": {"protocol": word, "field": self.word()}}
        return self.special(word)

    def special(self, word: str) -> Json:
        if word in _HEADERS:
            return {"exthdr": {"name": word, "field": self.word()}}
        if word == "exthdr":
            return {word: {"name": self.word()}}
        if word == "socket":
            return {word: {"key": self.want("transparent", "mark", "wildcard")}}
        special = {"@": self.raw, "ct": self.conntrack, "fib": self.fib, "numgen": self.numgen}
        if word not in special:
            raise _UnknownError
        return special[word]()

    def option(self, kind: str) -> Json:
        about = {"name": self.word()}
        if self.token.text in {"kind", "length", "size", "count", "left", "right", "tsval"}:
            about["field"] = self.next().text
        return {kind: about}

    def raw(self) -> Json:
        base = self.want("ll", "nh", "th", "ih")
        self.want(",")
        offset = self.number()
        self.want(",")
        return {"payload": {"base": base, "offset": offset, "len": self.number()}}

    def conntrack(self) -> Json:
        direction = self.accept("original", "reply")
        family = self.accept("ip", "ip6")
        key = f"{family} {self.want('saddr', 'daddr')}" if family else self.word()
        return {"ct": {"key": key} | ({"dir": direction} if direction else {})}

    def fib(self) -> Json:
        flags = self.several(lambda: self.want("saddr", "daddr", "mark", "iif", "oif"), ".")
        return {"fib": {"result": self.want("oif", "oifname", "type", "check"), "flags": flags}}

    def numgen(self) -> Json:
        about: Json = {"mode": self.want("inc", "random")}
        self.want("mod")
        about["mod"] = self.number()
        return {"numgen": about | {"offset": self.number() if self.accept("offset") else 0}}


class _Statements(_Expressions):
    """What a rule does."""

    family = "ip"

    def statement(self) -> Json:
        """One statement that is no verdict and no comment."""
        word = self.token.text
        if word == "ct":
            return self.conntrack_statement()
        if word in _STATEFUL:
            return self.stateful()
        if word in {"add", "update", "delete", "set"}:
            return self.dynamic()
        handler = getattr(self, f"on_{word}", None) if self.token.kind == "word" else None
        if handler or word in _NAT:
            self.next()
            return {word: handler() if handler else self.translated(word)}
        return self.comparison()

    def comparison(self) -> Json:
        """A match, a verdict map, or an assignment: they begin alike."""
        left = self.concat(self.left)
        if self.accept("vmap"):
            return {"vmap": {"key": left, "data": self.right("vmap")}}
        if self.accept("set"):
            return {"mangle": {"key": left, "value": self.value()}}
        operator = _COMPARISONS.get(self.token.text, "")
        if operator:
            self.next()
        right = self.right()
        if left in _BITMASKS or ("&" in left and left["&"][0] in _BITMASKS):
            return {"match": self.bits(left, operator, right)}
        if isinstance(right, list) or operator == "!":
            raise _UnknownError
        if "fib" in left and type(right) is int:
            right = str(right)
        return {"match": {"op": operator or "==", "left": left, "right": right}}

    def left(self) -> Any:
        first = self.operand() if self.token.text == "(" else self.selector()
        return self.binary(first, self.operand)

    def bits(self, left: Json, operator: str, right: Any) -> Json:
        """A match on flags: without an operator any of them is enough, a set is of exact values."""
        if isinstance(right, dict) and len(right.get("set", ())) == 1:
            (only,) = right["set"]
            right = only if isinstance(only, str | int) else right
        elif isinstance(right, dict) and "|" in right and not operator:
            raise _UnknownError  # read, it is any of them; listed, it is what was == them
        if "&" not in left and self.accept("/"):
            left, operator = {"&": [left, self.list()]}, operator or "=="
        flags = _flags(right)
        if "&" not in left:
            if isinstance(flags, list) and operator in {"==", "!="}:
                flags = self.any_of(flags)
            listed = isinstance(flags, dict) or str(flags)[:1] == "@"
            operator = operator or ("==" if listed or flags == 0 else "in")
            return {"op": operator, "left": left, "right": flags}
        bits, mask = left["&"][0], _flags(left["&"][1])
        if not operator:
            raise _UnknownError
        if flags == 0 and operator in {"==", "!="}:
            return {"op": "!" if operator == "==" else "in", "left": bits, "right": mask}
        return {"op": operator, "left": {"&": [bits, mask]}, "right": flags}

    def any_of(self, flags: list[Any]) -> Any:
        if len(flags) > MAX_NESTING:
            raise _UnknownError
        return reduce(lambda left, right: {"|": [left, right]}, flags)

    def stateful(self) -> Json:
        kind = self.want(*_STATEFUL)
        if kind == "ct":
            self.want("count")
            about: Json = {"inv": True} if self.accept("over") else {}
            return {"ct count": about | {"val": self.number()}}
        if kind == "last":
            return {kind: self.seconds() if self.accept("used") else None}
        if self.accept("name"):
            return {kind: self.value()}
        if kind == "counter":
            return {kind: {"packets": 0, "bytes": 0} | self.options("packets", "bytes")}
        return {kind: self.rate() if kind == "limit" else self.quota()}

    def options(self, *names: str) -> Json:
        found: Json = {}
        while option := self.accept(*names):
            found[option] = self.atom()
        return found

    def rate(self) -> Json:
        self.want("rate")
        about: Json = {"inv": True} if self.accept("over", "until") == "over" else {}
        about |= {"rate": self.number(), "burst": 5}
        if self.accept("/"):
            about["per"] = self.word()
        else:
            about["rate_unit"], _, about["per"] = self.word().partition("/")
        if self.accept("burst"):
            about["burst"] = self.number()
            if not self.accept("packets"):
                about["burst_unit"] = self.want(*_BYTES)
        return about

    def quota(self) -> Json:
        about: Json = {"inv": True} if self.accept("over", "until") == "over" else {}
        about |= {"val": self.number(), "val_unit": self.want(*_BYTES)}
        if self.accept("used"):
            about |= {"used": self.number(), "used_unit": self.want(*_BYTES)}
        return about

    def conntrack_statement(self) -> Json:
        at = self.at
        self.next()
        kind = self.accept("helper", "timeout", "expectation")
        if kind and self.accept("set"):
            return {f"ct {kind}": self.value()}
        counts = self.token.text == "count"
        self.back(at)
        return self.stateful() if counts else self.comparison()

    def on_log(self) -> Json | None:
        about: Json = {}
        names = ("prefix", "group", "snaplen", "queue-threshold", "level")
        while (more := self.options(*names)) or self.token.text == "flags":
            about |= more
            if self.accept("flags"):
                flag = self.name()
                parts = self.several(self.name, ",") if flag in {"tcp", "ip"} else [""]
                about.setdefault("flags", []).extend(f"{flag} {each}".strip() for each in parts)
        return about or None

    def on_reject(self) -> Json:
        if not self.accept("with"):
            kind = {"ip": "icmp", "ip6": "icmpv6"}.get(self.family, "icmpx")
            return {"type": kind, "expr": "port-unreachable"}
        if self.accept("tcp"):
            return {"type": f"tcp {self.want('reset')}"}
        kind = self.want("icmp", "icmpv6", "icmpx")
        self.accept("type")
        return {"type": kind, "expr": self.atom()}

    def on_notrack(self) -> None:
        """It has no arguments."""

    def on_queue(self) -> Json | None:
        flags = self.several(self.word, ",") if self.accept("flags") else []
        about: Json = {"num": self.value()} if self.accept("num", "to") else {}
        while flag := self.accept("bypass", "fanout"):
            flags.append(flag)
            self.accept(",")
        return about | ({"flags": _flags(flags)} if flags else {}) or None

    def on_synproxy(self) -> Any:
        about: Json = {}
        while option := self.accept("name", "mss", "wscale", "timestamp", "sack-perm"):
            about[option] = option in {"timestamp", "sack-perm"} or self.atom()
        return about or None

    def on_dup(self) -> Json:
        family = self.accept("ip", "ip6")
        self.want("to")
        about = {"addr": self.value()} | ({"family": family} if family else {})
        return about | ({"dev": self.value()} if self.accept("device") else {})

    on_fwd = on_dup

    def on_flow(self) -> Json:
        self.want("add", "offload")
        self.want("@")
        return {"op": "add", "flowtable": "@" + self.name()}

    def on_xt(self) -> Json:
        return {"type": self.want("match", "target", "watcher"), "name": self.name()}

    def on_reset(self) -> Json:
        return self.selector()

    def on_meter(self) -> Json:
        about: Json = {"name": self.name()}
        if self.accept("size"):
            about["size"] = self.number()
        self.want("{")
        about |= {"key": self.key(), "stmt": self.stateful()}
        self.want("}")
        return about

    def key(self) -> Any:
        key = self.concat(self.computed)
        more: Json = {}
        while self.token.text in {"timeout", "expires", "comment"}:
            more |= self.element_option()
        return {"elem": {"val": key, **more}} if more else key

    def dynamic(self) -> Json:
        """``add @s { … }``, or as it once was written, ``set add … @s``."""
        old = self.accept("set")
        about: Json = {"op": self.want("add", "update", "delete")}
        name = "" if old else self.want("@") + self.name()
        about["elem"] = self.key() if old or self.want("{") else None
        while self.token.text in _STATEFUL:
            about.setdefault("stmt", []).append(self.stateful())
        kind = "map" if self.accept(":") else "set"
        if kind == "map":
            about["data"] = self.value()
        name = name if self.want("@" if old else "}") == "}" else "@" + self.name()
        return {kind: about | {kind: name}}

    def translated(self, word: str) -> Json | None:
        """Where to, for address translation and proxying."""
        only_port = word in {"redirect", "masquerade"}
        family = self.accept("ip", "ip6")
        about: Json = {"family": family} if family else {}
        flags: list[str] = []
        if self.accept("prefix"):
            about["type_flags"], flags = "prefix", ["netmap"]
        elif self.accept("addr"):
            self.want(".")
            self.want("port")
        elif self.accept("interval"):
            about["type_flags"] = "interval"
        if self.accept("to") or word in {"dnat", "snat"}:
            if self.token.text != ":" and not only_port:
                about["addr"] = self.address()
            if self.accept(":") or only_port:
                about["port"] = self.value()
        while flag := self.accept("random", "fully-random", "persistent"):
            flags.append(flag)
            self.accept(",")
        return about | ({"flags": _flags(flags)} if flags else {}) or None

    def address(self) -> Any:
        """As value, with an IPv6 address in brackets too."""
        if self.token.text != "[":
            return self.value()
        ends = self.several(self.in_brackets, "-")
        return ends[0] if len(ends) == 1 else {"range": ends}

    def in_brackets(self) -> Any:
        self.want("[")
        value = self.atom()
        self.want("]")
        return value


class _Parser(_Statements):
    """What is there after each command."""

    def __init__(self, tokens: list[_Token], file: str) -> None:
        super().__init__(tokens, file)
        self.tables: dict[tuple[str, str], _Table] = {}
        self.notes: list[Json] = []
        self.flushed = False
        self.anonymous = 0

    def listed(self) -> list[Json]:
        return [each for table in self.tables.values() for each in table.listed()] + self.notes

    def note(self, kind: str, reason: str, token: _Token) -> None:
        self.notes.append({kind: {"reason": reason, "line": token.line}})

    def absent(self, what: str, token: _Token) -> None:
        """The text speaks of something that it has not made."""
        if self.flushed:
            self.note("refused", f"there is no {what}", token)
        else:
            self.note("gap", f"the {what} is not in this file", token)

    def run(self) -> None:
        while self.token.kind != "end":
            if not self.common():
                self.command()
                self.separator()

    def common(self) -> bool:
        """What may stand in any block: nothing, a definition, a file that is not here."""
        token = self.token
        if token.kind in {"newline", "handle"} or token.text == ";":
            self.next()
        elif token.kind == "gap":
            self.note("gap", f"the file included as {token.text} was not given", self.next())
        elif self.accept("define", "redefine", "undefine"):
            self.define(token.text)
            self.separator()
        else:
            return False
        return True

    def define(self, how: str) -> None:
        token, name = self.token, self.name()
        holder = next((scope for scope in reversed(self.scopes) if name in scope), None)
        if how == "undefine":
            if not holder:
                _fail(token, "a variable that is not defined")
            del holder[name]
            return
        if how == "define" and holder:
            self.note("refused", f"{name} is defined twice", token)
        self.expect("=")
        at, value = self.at, None
        try:
            value = {"set": []} if self.ended() else self.right(None)
        except _UnknownError:
            self.back(at)
        if value is None or not self.ended():
            self.skip()
            value = _UnknownError
        (holder if holder and how == "redefine" else self.scopes[-1])[name] = value

    def block(self, item: Callable[[], object]) -> Json:
        """``{ … }`` with a scope of its own; the handle that a listing shows at its head."""
        self.expect("{")
        handle = {"handle": int(self.token.text)} if self.token.kind == "handle" else {}
        self.scopes.append({})
        while not self.accept("}"):
            if not self.common():
                item()
        self.scopes.pop()
        return handle

    # Commands.

    def command(self) -> None:
        token = self.token
        if self.accept("list", "get", "describe", "monitor", "reset", "export"):
            self.skip()
        elif self.accept("replace", "rename"):
            self.note("gap", f"{token.text} speaks of what is not in this file", token)
            self.skip()
        elif self.accept("flush"):
            self.flush()
        elif self.accept("delete", "destroy"):
            self.delete(forgive=token.text == "destroy")
        else:
            self.add(self.accept("add", "create", "insert"))

    def add(self, verb: str) -> None:
        kind = self.token.text
        if kind == "table":
            self.add_table()
        elif kind in _OBJECTS:
            self.next()
            self.object(kind, None)
        elif self.accept("chain"):
            table, token = self.table(), self.token
            chain = self.chain(table, self.target(), token)
            if self.token.text == "{":
                self.in_chain(table, chain)
        elif self.accept("set", "map"):
            self.in_set(self.table(), kind)
        elif self.accept("element"):
            self.in_elements(self.set(self.table()))
        elif self.accept("rule") or verb == "add":
            self.add_rule(front=verb == "insert")
        else:
            _fail(self.token, "no command of nft")

    def table_key(self) -> tuple[str, str]:
        named = self.follows() not in {"{", ";", "\n", ""}
        return (self.accept(*_FAMILIES) if named else "") or "ip", self.name()

    def table(self, key: tuple[str, str] | None = None) -> _Table:
        """The table that is spoken of, or that is made."""
        token = self.token
        if not key:
            key = self.table_key()
            if key not in self.tables:
                self.absent(f"table {' '.join(key)}", token)
        self.family = key[0]
        return self.tables.setdefault(key, _Table({"family": key[0], "name": key[1]}))

    def chain(self, table: _Table, name: str, token: _Token) -> _Chain:
        about = {**table.owner(), "name": name, **self.place(token)}
        return table.chains.setdefault(name, _Chain(about))

    def known_chain(self, table: _Table) -> _Chain:
        token, name = self.token, self.target()
        if name not in table.chains:
            self.absent(f"chain {name}", token)
        return self.chain(table, name, token)

    def set(self, table: _Table) -> Json:
        token, name = self.token, self.name()
        if name not in table.sets:
            self.absent(f"set {name}", token)
        return table.sets.setdefault(name, {**table.owner(), "name": name})

    def place(self, token: _Token) -> Json:
        return {"line": token.line} | ({"file": token.file} if token.file != self.file else {})

    def add_table(self) -> None:
        self.expect("table")
        table = self.table(self.table_key())
        table.about.pop("flags", None)  # declared again without, a dormant table wakes
        if self.token.text == "{":
            table.about |= self.block(lambda: self.in_table(table))

    def in_table(self, table: _Table) -> None:
        token = self.token
        if self.accept("flags"):
            table.about["flags"] = self.several(self.name, ",")
        elif self.accept("comment"):
            table.about["comment"] = self.name()
        elif self.accept("chain"):
            self.in_chain(table, self.chain(table, self.name(), token))
        elif self.accept("set", "map"):
            self.in_set(table, token.text)
        elif token.text in _OBJECTS:
            self.object(self.next().text, table)
        else:
            text = self.skip() if token.kind == "word" else ""
            if not text.endswith("}"):
                _fail(token, "nothing that a table has")
            self.notes.append(
                {"unparsed_object": {**table.owner(), "text": text, "line": token.line}}
            )
        self.separator()

    def object(self, kind: str, table: _Table | None) -> None:
        if kind == "ct":
            kind += " " + self.expect("helper", "timeout", "expectation")
        table = table or self.table()
        table.objects.append({kind: {**table.owner(), "name": self.name()}})
        self.skip()

    def in_chain(self, table: _Table, chain: _Chain) -> None:
        chain.about |= self.block(lambda: self.chain_item(table, chain))

    def chain_item(self, table: _Table, chain: _Chain) -> None:
        token = self.token
        if self.accept("type"):
            base = self.base(table)
            known = {key: chain.about.get(key) for key in base}
            if any(known.values()) or chain.rules:
                if known != base:
                    self.note("refused", f"chain {chain.about['name']} is of two kinds", token)
            else:
                base["policy"] = "accept"
            chain.about |= base
        elif self.accept("policy"):
            chain.about["policy"] = self.target()
            if chain.about["policy"] not in {"accept", "drop"}:
                _fail(token, "neither accept nor drop")
        elif self.accept("devices"):
            chain.about["dev"] = self.devices()
        elif self.accept("flags", "comment"):
            chain.about[token.text] = self.name()
        else:
            chain.rules.append(self.rule(table, chain))
            return
        self.separator()

    def base(self, table: _Table) -> Json:
        about: Json = {"type": self.expect("filter", "nat", "route")}
        self.expect("hook")
        about["hook"] = self.expect(*_HOOKS)
        if self.accept("device"):
            about["dev"] = self.target()
        elif self.accept("devices"):
            about["dev"] = self.devices()
        self.expect("priority")
        names = _NAMED_BRIDGE if table.about["family"] == "bridge" else _NAMED
        return about | {"prio": self.priority(names)}

    def devices(self) -> list[str]:
        self.expect("=")
        token = self.token
        try:
            return [str(each) for each in _members(self.right())]
        except _UnknownError:
            _fail(token, "no list of devices")

    def priority(self, names: dict[str, int]) -> int:
        token = self.token
        try:
            sign = -1 if self.accept("-") else 1
            value = self.word() if self.token.kind == "word" else self.atom()
            if isinstance(value, int):
                return sign * value
            # Of a variable it may be all in one text.
            name, _, more = value.partition(" ")
            more = more or "".join(self.next().text for _ in "+1" if not self.ended()) or "0"
            return names[name] + int(more.replace(" ", ""))
        except (_UnknownError, KeyError, ValueError, AttributeError):
            _fail(token, "no priority")

    def in_set(self, table: _Table, kind: str) -> None:
        name = self.name()
        about = table.sets.setdefault(name, {**table.owner(), "name": name})
        if kind == "map":
            about.setdefault("map", "")
        self.block(lambda: self.set_item(about))

    def set_item(self, about: Json) -> None:
        token = self.token
        try:
            if self.accept("elements"):
                self.expect("=")
                about.setdefault("elem", []).extend(self.members(about))
            elif self.accept("type", "typeof"):
                about["type"] = self.types(token.text)
                if self.accept(":"):
                    about["map"] = self.types(token.text)
            elif self.accept("auto-merge"):
                return
            elif self.accept("policy", "comment"):
                about[token.text] = self.name()
            elif self.accept("flags"):
                self.flag(about, *self.several(self.name, ","))
            elif self.accept("timeout", "gc-interval", "size"):
                about[token.text] = self.seconds()
                self.flag(about, *("timeout",) * (token.text == "timeout"))
            else:
                about.setdefault("stmt", []).append(self.stateful())
        except _UnknownError:
            _fail(self.token, "nothing that a set or a map has")
        self.separator()

    def members(self, about: Json) -> list[Any]:
        data = about.get("map", "set")
        kind = {"set": "set", "verdict": "vmap", "": None}.get(str(data), "map")
        return _members(self.right(kind))

    def flag(self, about: Json, *flags: str) -> None:
        if flags:
            about["flags"] = [*dict.fromkeys([*about.get("flags", []), *flags])]

    def types(self, how: str) -> Any:
        if how == "type" or self.token.text == "verdict":
            return _flags(self.several(self.name, "."))
        start = self.at
        while not self.ended() and self.token.text != ":":
            self.next()
        return {"typeof": _joined(self.tokens[start : self.at])}

    def in_elements(self, about: Json, *, remove: bool = False) -> None:
        token, known = self.token, about.setdefault("elem", [])
        try:
            members = self.members(about)
        except _UnknownError:
            _fail(self.token, "no element of a set")
        for each in members:
            if not remove:
                known.append(each)
            elif each in known:
                known.remove(each)
            else:
                self.note("gap", f"an element that {about['name']} does not show is deleted", token)

    def add_rule(self, *, front: bool) -> None:
        table = self.table()
        chain = self.known_chain(table)
        at = 0 if front else len(chain.rules)
        if self.accept("index"):
            at = int(self.name()) + (not front)
        elif self.accept("position", "handle"):
            self.note("gap", "a rule stands beside one known by its handle", self.token)
            self.name()
        chain.rules.insert(at, self.rule(table, chain, alone=True))

    def flush(self) -> None:
        kind = self.expect("ruleset", "table", "chain", "set", "map", "meter")
        if kind == "ruleset":
            family = self.accept(*_FAMILIES)
            self.flushed = self.flushed or not family
            kept = {key: each for key, each in self.tables.items() if family not in {"", key[0]}}
            self.tables = kept
        elif kind == "meter":
            self.skip()
        elif kind in {"set", "map"}:
            self.set(self.table()).pop("elem", None)
        else:
            table = self.table()
            chains = table.chains.values() if kind == "table" else [self.known_chain(table)]
            for chain in chains:
                chain.rules.clear()

    def delete(self, *, forgive: bool) -> None:
        token = self.token
        kind = self.expect(*_KINDS)
        if kind == "element":
            self.in_elements(self.set(self.table()), remove=True)
            return
        if kind in {"chain", "set", "map"} and "handle" not in [
            each.text for each in self.tokens[self.at : self.at + 4]
        ]:
            table, name = self.table(), self.name()
            held: dict[str, Any] = table.chains if kind == "chain" else table.sets
            found = held.pop(name, None)
        elif kind == "table" and self.follows() != "handle":
            key = self.table_key()
            found, name = self.tables.pop(key, None), " ".join(key)
        else:
            name = self.skip()
            found = kind in _OBJECTS
        if not found and not forgive:
            self.absent(f"{kind} {name}", token)

    # Rules.

    def rule(self, table: _Table, chain: _Chain, *, alone: bool = False) -> Json:
        start, token = self.at, self.token
        about = {**table.owner(), "chain": chain.about["name"], **self.place(token)}
        expr: list[Json] = []
        while not self.ended():
            at = self.at
            try:
                if self.accept("comment"):
                    about["comment"] = self.name()
                elif self.token.text in _VERDICTS:
                    expr.append(self.jump(table))
                else:
                    expr.append(self.statement())
            except _UnknownError:
                self.back(at)
                expr.append({"unparsed": self.skip()})
        if start == self.at:
            _fail(token, "no statement")
        about |= {"text": _joined(self.tokens[start : self.at]), "expr": expr}
        if not alone and (handle := self.separator()) is not None:
            about["handle"] = handle
        return about

    def jump(self, table: _Table) -> Json:
        """A verdict; the chain of ``jump { … }`` gets a name."""
        if self.token.text not in {"jump", "goto"} or self.follows() != "{":
            return self.verdict()
        word = self.next().text
        self.anonymous += 1
        chain = self.chain(table, f"__anon{self.anonymous}", self.token)
        self.in_chain(table, chain)
        return {word: {"target": chain.about["name"]}}
