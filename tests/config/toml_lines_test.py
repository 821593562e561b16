"""Where everything in a TOML text stands."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from random import Random

import pytest

from ipv6check.config.toml import MAX_FILE
from ipv6check.config.toml_lines import Keys, TooMuchError, lines_of
from tests.pace import loops

# What looks like a key, a table or a list, and is none.
NOISE = (
    '# [a] b = "@"\n',
    's{} = """\n[x]\ny = [1,\n"""\n',
    "s{} = '''\n[[x]]\n'\n'''\n",
    's{} = "\\"] # = ["\n',
    "s{} = 'a\\' # '\n",
    's{} = """a""""" # five\n',
    "s{} = 1979-05-27 07:32:00\n",
    "s{} = []\r\n",
    "\t\n",
)


class Writer:
    """Documents whose every value is ``@``, the line that it stands on."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.fresh = count()

    def document(self) -> str:
        """One document, of tables, arrays of tables, dotted keys and all that nests."""
        text = "".join(self.line() for _ in range(4))
        for _ in range(6):
            head = self.random.choice(("[{}]", "[[ {} ]]", "  [{}.b] # [c]", '["{} x"]', "[[w]]"))
            text += head.format(f"t{next(self.fresh)}") + "\n"
            text += "".join(self.line() for _ in range(4))
        rows = text.split("\n")
        return "\n".join(row.replace("@", str(number)) for number, row in enumerate(rows, 1))

    def line(self) -> str:
        """A key and its value, or noise."""
        if self.random.random() < 0.4:
            return self.random.choice(NOISE).format(next(self.fresh))
        return f"{self.key()} = {self.value(2)} # [\n"

    def key(self) -> str:
        """A key that is nowhere else."""
        way = self.random.choice(("k{}", '"k.{}"', "'k {}'", "k{} . b", "  k{}"))
        return way.format(next(self.fresh))

    def value(self, depth: int) -> str:
        """A line number, or a list or an inline table with some."""
        shape = self.random.choice(("@", "@", "list", "table")) if depth else "@"
        if shape == "list":
            gap = self.random.choice((", ", ",\n  ", ' ,# "x", [\n', "\r\n,\n"))
            inner = gap.join(self.value(depth - 1) for _ in range(self.random.randint(1, 4)))
            return self.random.choice(("[{}]", "[\n{}\n]", "[ # ]\n{},\n]")).format(inner)
        if shape == "table":
            pairs = (f"{self.key()} = {self.value(depth - 1)}" for _ in range(3))
            return f"{{ {', '.join(pairs)} }}"
        return "@"


def leaves(value: object, keys: Keys = ()) -> Iterator[tuple[Keys, int]]:
    """Every line number in a document, with where it stands."""
    if isinstance(value, int):
        yield keys, value
    inner = value.items() if isinstance(value, dict) else ()
    for key, item in enumerate(value) if isinstance(value, list) else inner:
        yield from leaves(item, (*keys, key))


@pytest.mark.slow(after=20)
@pytest.mark.parametrize("seed", range(200))
def test_everything_has_its_line(seed: int) -> None:
    """As deep as lines are told, each value stands where tomllib finds its line number."""
    text = Writer(seed).document()
    lines = lines_of(text)
    known = [(keys, number) for keys, number in leaves(tomllib.loads(text)) if len(keys) <= 4]
    assert len(known) > 4
    assert {keys: lines.get(keys) for keys, _ in known} == dict(known)


def test_tables_have_the_line_of_their_header() -> None:
    """And what is in a table of an array has that table's number."""
    text = '[a]\n[a.b]\n[[w]]\nx = 1\n[[w]]\n[w.y]\nz = 1\n["c.d"]\n'
    assert lines_of(text) == {
        ("a",): 1,
        ("a", "b"): 2,
        ("w",): 3,
        ("w", 0): 3,
        ("w", 0, "x"): 4,
        ("w", 1): 5,
        ("w", 1, "y"): 6,
        ("w", 1, "y", "z"): 7,
        ("c.d",): 8,
    }


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("\na" + ".a" * 20_000 + " = 1", "2: a key has more than 16 parts"),
        ("[a" + ".a" * 20_000 + "]", "1: a key has more than 16 parts"),
        ("x = { a" + ".a" * 16 + " = 1 }", "1: a key has more than 16 parts"),
        ("x = 1\ny = " + "9" * 5000, "2: a key or a number is longer than 256 characters"),
        ("x = 0x" + "f" * 5000, "1: a key or a number is longer than 256 characters"),
        ("x = " + "[" * 5000, "1: lists and tables are nested more than 16 deep"),
        ("x = [\n" + "{ a = " * 5000, "2: lists and tables are nested more than 16 deep"),
    ],
)
def test_what_tomllib_chokes_on_is_refused(text: str, error: str) -> None:
    """Its time and memory grow by the square of a dotted key: 20000 parts take gigabytes."""
    with pytest.raises(TooMuchError, match=f"^{error}$"):
        lines_of(text)


def test_as_much_is_no_mistake_in_a_string_or_a_comment() -> None:
    """Nor just as much as is let pass."""
    dots, deep = "a." * 100 + "a", "[" * 16 + "]" * 16
    text = f'x = "{dots}" # {dots} {deep}[\n{"a." * 15}a = {deep}\ny = {"9" * 256}\n'
    assert lines_of(text)[("y",)] == 3


@pytest.mark.slow(after=1)
@pytest.mark.parametrize(
    "piece",
    [
        *("[]", "{}", "[[", "a . ", '"" . ', "[a . ", '\\"', '"""\\', "''a", "a b ", '"a" '),
        *("\r\n", "\\", ",", " ", "=", "a=", '""""', "[[w]]\n", "a={b={},", "a=[[],", " [", "#"),
    ],
)
def test_no_text_takes_more_than_its_length(piece: str) -> None:
    """A hostile file, whether it is TOML or not: by the square each would take minutes."""

    def read() -> None:
        for before in ("", "x = [", '"""', "'''"):
            with suppress(TooMuchError):
                lines_of((before + piece * MAX_FILE)[: MAX_FILE // 8])

    assert loops(read) < 100
