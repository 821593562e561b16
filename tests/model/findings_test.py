"""What a check says of a finding: a word, its statuses, and examples under known names."""

from __future__ import annotations

import pytest

from ipv6check.model import Status
from ipv6check.model.findings import SOFTWARE, Explained


@pytest.mark.parametrize("name", ["refused", "no-aaaa", "ipv4-only", "a", "dns64"])
def test_an_id_is_words_joined_by_hyphens(name: str) -> None:
    """Such a word can be typed, and stands in a path and in another tool's report."""
    assert Explained(name, "fail", "x").id == name


@pytest.mark.parametrize(
    "name", ["", "-", "a-", "-a", "a--b", "A", "4th", "a_b", "a b", "a/b", "\u00e4"]
)
def test_anything_else_is_no_id(name: str) -> None:
    """What looks like two words, or like a path, is refused."""
    with pytest.raises(ValueError, match="cannot be a finding's id"):
        Explained(name, "fail", "x")


def test_a_finding_may_have_more_than_one_status() -> None:
    """The same fault may fail at one time, and warn at another."""
    assert Explained("x", "fail warn", "x").statuses == (Status.FAIL, Status.WARN)


def test_software_has_one_spelling() -> None:
    """No name stands there twice, whatever its case."""
    assert len({name.lower() for name in SOFTWARE}) == len(SOFTWARE)
