"""HTTPS records as dnspython writes them, read."""

from __future__ import annotations

import dns.rdata
import pytest

from ipv6check.eyeballs.https_records import Service, hints, services

V6, V4 = "2001:470::1", "192.0.33.8"


def read(*texts: str) -> tuple[Service, ...]:
    """The services of these records, after dnspython has had them."""
    return services(dns.rdata.from_text("IN", "HTTPS", text).to_text() for text in texts)


def test_every_parameter() -> None:
    """Priority, target, protocols, port, hints; http/1.1 is meant where nobody says otherwise."""
    text = f'1 . alpn="h3,h2" port=8443 ipv4hint={V4} ipv6hint={V6},2001:470::2'
    assert read(text) == (Service(1, ".", ("h3", "h2", "http/1.1"), 8443, (V6, "2001:470::2", V4)),)
    assert read("1 .") == (Service(1, ".", ("http/1.1",), None, ()),)
    assert read("1 . alpn=h3 no-default-alpn")[0].alpn == ("h3",)


def test_the_preferred_first() -> None:
    """The lowest priority goes first (RFC 9460 section 2.4.1)."""
    found = read("16 b.example. alpn=h2", "2 . alpn=h2")
    assert [(record.priority, record.target) for record in found] == [(2, "."), (16, "b.example.")]


@pytest.mark.parametrize("text", ["0 alias.example.", '1 . mandatory="key65000" key65000="x"'])
def test_what_is_left_out(text: str) -> None:
    """An alias, and a record with a mandatory key that nobody here knows (section 8)."""
    assert read(text) == ()
    known = "1 . mandatory=alpn alpn=h2"
    assert len(read(known)) == 1


def test_a_value_that_looks_like_a_key() -> None:
    """What stands in quotes is a value, whatever it says."""
    found = read(f'1 . alpn=h2 key65000="ipv6hint={V6} \\"port=1"')
    assert found == (Service(1, ".", ("h2", "http/1.1"), None, ()),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"1 . alpn=h2 ipv6hint={V6} ipv4hint={V4}", (V6, V4)),
        (f"1 . alpn=h3 ipv6hint={V6}", (V6,)),
        (f"1 . alpn=h3 no-default-alpn ipv6hint={V6}", ()),
        (f"1 . port=8443 ipv6hint={V6}", ()),
        (f"1 . port=443 ipv6hint={V6}", (V6,)),
        (f"1 cdn.example. ipv6hint={V6}", ()),
    ],
)
def test_hints_that_are_used(text: str, expected: tuple[str, ...]) -> None:
    """Those of this name and port, by a protocol over TCP; others lead elsewhere."""
    assert hints(read(text), 443) == expected


def test_a_hint_counts_once() -> None:
    """Several records may have the same."""
    assert hints(read(f"1 . ipv6hint={V6}", f"2 . ipv6hint={V6}"), 443) == (V6,)
