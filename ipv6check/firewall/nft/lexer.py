"""nftables text to tokens, with those of the files that it includes in their place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from ipv6check.firewall.model import RuleError

Include = Callable[[str], list[tuple[str, str]] | None]

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
# As nft's scanner has it: 22:80 is a class, 22:accept none, for the sake of what follows.
_TOKEN = re.compile(
    rf"""(?:[ \t]|\\\n)*(?:
      (?P<newline>\n)
    | \#\ handle\ (?P<handle>\d{{1,19}})[ \t]*$
    | (?P<hidden>\#\ xt_\w.*)
    | (?P<comment>\#.*)
    | (?P<string>"[^"]*")
    | (?=[0-9a-fA-F]{{0,4}}:)(?P<address>{_ADDRESS})
    | (?P<class>{_H}:{_H})(?=[ \t\n:}},-])
    | (?P<ipv4>\d{{1,3}}(?:\.\d{{1,3}}){{3}})
    | (?P<named>8021(?:q|ad)\b)
    | (?P<number>0[xX][0-9a-fA-F]+|\d+(?![dhms\d]))
    | (?P<time>(?:\d+(?:ms|[dhms]))+)
    | (?P<word>(?:[A-Za-z_]|\.(?=[\w/.-]))[\w/.-]*(?:\\?\*)?)
    | (?P<variable>\$[A-Za-z_.][\w/.-]*)
    | (?P<sign>[=!<>]=|<<|>>|[][{{}}(),.:;<>^&|!/*@=+-])
    )""",
    re.VERBOSE | re.ASCII | re.MULTILINE,
)
_BLANK = re.compile(r"(?:[ \t]|\\\n)*")

_WRONG = {
    '"': "a quote that is never closed",
    "\r": "nft takes no line that ends in CR LF",
}


class Token(NamedTuple):
    """A piece of text, and where it stands."""

    kind: str
    text: str
    line: int
    spaced: bool
    file: str


def fail(token: Token, wrong: str) -> NoReturn:
    """Tell what no nft could read."""
    shown = {"end": "end of file", "newline": "end of line"}.get(token.kind, token.text)
    raise RuleError(f"{token.file}:{token.line}: {wrong}: {shown[:60]!a}")


def scan(text: str, file: str, include: Include | None) -> list[Token]:
    """All tokens, brackets in pairs, and one of the kind end. Raises RuleError."""
    scanner = _Scanner(include)
    scanner.scan(text, file, 0)
    tokens = scanner.tokens
    _check_nesting(tokens)
    last = tokens[-1] if tokens else Token("newline", "", 1, spaced=False, file=file)
    return [*tokens, last._replace(kind="end", text="")]


@dataclass(slots=True)
class _Scanner:
    include: Include | None
    tokens: list[Token] = field(default_factory=list)
    left: int = MAX_SIZE  # characters

    def scan(self, text: str, file: str, depth: int) -> None:
        self.left -= len(text)
        if self.left < 0 or depth > MAX_INCLUDES:
            raise RuleError(f"{file}:1: too much is included, or too deeply: {file!a}")
        line, at, match = 1, 0, _TOKEN.match
        while found := match(text, at):
            kind = found.lastgroup or ""
            start, end = found.span(kind)
            kind = "word" if kind == "named" else kind
            if start - at > 1:
                line += text.count("\n", at, start)
            if kind == "comment" and not text[text.rfind("\n", 0, start) + 1 : start].strip():
                # A line that is nothing but a remark is not even an empty line.
                end += text[end : end + 1] == "\n"
                line += text[end - 1] == "\n"
            elif kind != "comment":
                self.tokens.append(Token(kind, text[start:end], line, start > at, file))
            if kind in {"newline", "string"}:
                line += text.count("\n", start, end)
                if kind == "string" and self.included():
                    self.put(depth + 1)
            at = end
        blank = _BLANK.match(text, at)
        rest = text[blank.end() if blank else at :]
        if rest:
            wrong = _WRONG.get(rest[0], "nothing that nft knows")
            raise RuleError(f"{file}:{line}: {wrong}: {(rest[:40].split() or [rest[0]])[0]!a}")

    def included(self) -> bool:
        """Whether the last token names files to include."""
        before = [token.text for token in self.tokens[-3:-1]]
        return before[-1:] == ["include"] and before[0] in {"include", "\n", ";", "{", "}"}

    def put(self, depth: int) -> None:
        pattern = self.tokens.pop()
        self.tokens.pop()
        found = self.include(pattern.text[1:-1]) if self.include else None
        if found is None:
            self.tokens.append(pattern._replace(kind="gap"))
        for name, text in found or ():
            self.scan(text, name, depth)
            self.tokens.append(pattern._replace(kind="newline", text="\n"))


def _check_nesting(tokens: list[Token]) -> None:
    opened: list[Token] = []
    for token in tokens:
        if token.kind != "sign":
            continue
        if token.text in "{([":
            opened.append(token)
            if len(opened) > MAX_NESTING:
                fail(token, "nested too deeply")
        elif token.text in "})]" and (
            not opened or opened.pop().text + token.text not in {"{}", "()", "[]"}
        ):
            fail(token, "closes no bracket")
    if opened:
        fail(opened[-1], "never closed")
