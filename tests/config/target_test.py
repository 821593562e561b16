"""Text to Target."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ipv6check.config.target import (
    SCHEMES,
    Target,
    TargetError,
    address,
    address_and_port,
    hostname,
    ipv6_address,
    parse,
    port_number,
)
from ipv6check.model.network import endpoint
from ipv6check.model.text import harmless
from tests.pace import loops

LONGEST_NAME = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])


def refusal(text: str) -> str:
    """The one line that `parse` refuses a text with."""
    with pytest.raises(TargetError) as caught:
        parse(text)
    # Neither the message nor what led to it may hold what was left out of the message.
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return str(caught.value)


def outcome(text: str) -> str:
    """What `parse` makes of a text, in words."""
    try:
        target = parse(text)
    except TargetError as error:
        return str(error)
    assert target.host.isascii()
    assert target.path.isascii()
    return target.host


@pytest.mark.parametrize(
    ("text", "host", "ports", "scheme", "path"),
    [
        ("example.com", "example.com", (), "", ""),
        ("Example.COM.", "example.com", (), "", ""),
        ("example.com:8443", "example.com", (8443,), "", ""),
        ("localhost", "localhost", (), "", ""),
        ("localhost:8080", "localhost", (8080,), "", ""),
        ("h:1", "h", (1,), "", ""),
        ("h:00443", "h", (443,), "", ""),
        ("h:65535", "h", (65535,), "", ""),
        ("_dmarc.a_b.example", "_dmarc.a_b.example", (), "", ""),
        ("3com.com", "3com.com", (), "", ""),
        ("example.3com", "example.3com", (), "", ""),
        ("1.2.3.example", "1.2.3.example", (), "", ""),
        ("r3---sn-x.example", "r3---sn-x.example", (), "", ""),
        (LONGEST_NAME, LONGEST_NAME, (), "", ""),
        (LONGEST_NAME + ".", LONGEST_NAME, (), "", ""),
        ("https://example.com", "example.com", (443,), "https", ""),
        ("HTTPS://example.com/health", "example.com", (443,), "https", "/health"),
        ("https://example.com?a=b#c", "example.com", (443,), "https", "/?a=b"),
        ("https://example.com/ä@b", "example.com", (443,), "https", "/%C3%A4@b"),
        ("http://example.com:8080/x", "example.com", (8080,), "http", "/x"),
        ("smtp://mx.example.com", "mx.example.com", (25,), "smtp", ""),
        ("ssh://h", "h", (22,), "ssh", ""),
        ("dns://ns1.example.com", "ns1.example.com", (53,), "dns", ""),
    ],
)
def test_a_name_with_what_may_stand_around_it(
    text: str, host: str, ports: tuple[int, ...], scheme: str, path: str
) -> None:
    """A name is kept in lower case, with the port that was written or else the scheme's."""
    assert Target(text, host, literal=False, ports=ports, scheme=scheme, path=path) == parse(text)


@pytest.mark.parametrize(
    ("text", "host", "ports"),
    [
        ("2001:db8::1", "2001:db8::1", ()),
        ("2001:DB8:0:0::0001", "2001:db8::1", ()),
        ("::1", "::1", ()),
        ("[2001:db8::1]", "2001:db8::1", ()),
        ("[2001:db8::1]:443", "2001:db8::1", (443,)),
        ("https://[2001:db8::1]", "2001:db8::1", (443,)),
        ("https://[2001:db8::1]:8443/x", "2001:db8::1", (8443,)),
        ("64:ff9b::192.0.2.1", "64:ff9b::c000:201", ()),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", ()),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1", ()),
    ],
)
def test_an_ipv6_literal_is_canonical(text: str, host: str, ports: tuple[int, ...]) -> None:
    """However an address was written, it is kept as RFC 5952 writes it."""
    target = parse(text)
    assert (True, host, ports) == (target.literal, target.host, target.ports)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.Example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("bücher。example。", "xn--bcher-kva.example"),
        ("https://bücher.example:8443/", "xn--bcher-kva.example"),
        ("faß.de", "xn--fa-hia.de"),
        ("xn--i-7iq.test", "xn--i-7iq.test"),
        ("XN--A.example", "xn--a.example"),
        ("xn--zzzzzzzzzz99999.example", "xn--zzzzzzzzzz99999.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com", "xn--mgba3gch31f060k.com"),
        ("\uab70.example", "xn--58d.example"),
        ("\u212aelvin.example", "kelvin.example"),
        ("_x.bücher.example", "_x.xn--bcher-kva.example"),
    ],
)
def test_an_international_name_is_kept_in_a_labels(text: str, host: str) -> None:
    """UTS 46 maps what was written, IDNA 2008 encodes it, without the transitional losses."""
    assert host == parse(text).host


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", '"" is empty'),
        ("a b", "white space"),
        (" example.com", "white space"),
        ("example.com\n", "white space"),
        ("a\u00a0b", "white space"),
        ("a\x00b", r'"a\x00b" has a control'),
        ("a\x9bb", r'"a\x9bb" has a control'),
        ("a\u202eb", r'"a\u202eb" has a control or invisible'),
        ("a\u200bb", "invisible"),
        ("a\udc80b", r'"a\udc80b" has a control'),
        ("https://h/\x1b[2J", "control"),
        ("x" * 3000, "is too long: 3000 characters"),
        ("example.com:", '"example.com:" has no port'),
        ("https://h:/", "has no port"),
        ("[2001:db8::1]:", "has no port"),
        ("h:0", '"0" is not a port: a port is 1 to 65535'),
        ("h:65536", '"65536" is not a port'),
        ("h:abc", '"abc" is not a port'),
        ("h:-1", '"-1" is not a port'),
        ("h:+1", '"+1" is not a port'),
        ("h:٤٤٣", "is not a port"),
        ("gopher://h", '"gopher" is not a supported scheme: dns, '),
        ("://h", '"" is not a supported scheme'),
        ("https://", "has no host"),
        ("https:///x", "has no host"),
        ("https://:443", "empty label"),
        ("example.com/health", "has a path but no scheme: write https://"),
        ("https:/example.com", "has a path but no scheme"),
        ("2001:db8::/32", "is a network"),
        ("192.0.2.0/24", "is a network"),
        (".", "empty label"),
        ("a..b", "empty label"),
        (".a", "empty label"),
        ("a..", "empty label"),
        ("a" * 64, "more than 63"),
        ("ä" * 60, "not a valid IDNA 2008 name"),
        ("ä" * 255, "too long for a host name"),
        (LONGEST_NAME + "d", "too long for a host name"),
        ("-a.example", "begins or ends with a hyphen"),
        ("a-.example", "begins or ends with a hyphen"),
        ("a!b.example", '"a!b.example" is not a host name: "!" is not allowed'),
        ("*.example", '"*" is not allowed'),
        ("\u2488example", "not a valid IDNA 2008 name"),
        ("\u2100.example", '"/" is not allowed'),
        ("xn--.example", "begins or ends with a hyphen"),
        ("😀.example", "not a valid IDNA 2008 name"),
        ("[2001:db8::1", "unbalanced brackets"),
        ("2001:db8::1]", "unbalanced brackets"),
        ("[[2001:db8::1]]", "unbalanced brackets"),
        ("[2001:db8::1]443", "unbalanced brackets"),
        ("a]", "unbalanced brackets"),
        ("[]", "not an IP address"),
        ("[example.com]", "not an IP address"),
        ("2001:db8:::1", "not an IP address"),
        ("h:80:80", "not an IP address"),
        ("https://2001:db8::1/", "needs brackets here, https://[2001:db8::1]/"),
        ("fe80::1%eth0", '"fe80::1%eth0" has a zone identifier'),
        ("https://[fe80::1%25eth0]/", "zone identifier"),
        ("::ffff:192.0.2.1", "IPv4-mapped address"),
        ("[192.0.2.1]:80", "is an IPv4 address, not"),
    ],
)
def test_anything_else_is_refused_with_its_reason(text: str, reason: str) -> None:
    """One line says what is wrong, and with which value."""
    assert reason in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "192.0.2.1",
        "192.0.2.1.",
        "192.0.2.1:443",
        "https://192.0.2.1/",
        "\uff11\uff19\uff12\u30020.2.1",
    ],
)
def test_an_ipv4_address_is_refused(text: str) -> None:
    """An IPv4 address says nothing of IPv6, and the message says what would."""
    hint = "give a host name, an IPv4 address has nothing to check over IPv6"
    assert refusal(text) == f"192.0.2.1 is an IPv4 address: {hint}"


@pytest.mark.parametrize(
    "text", ["1.2.3", "0x7f.1", "2130706433", "0X7F000001", "256.1.1.1", "010.0.0.1", "a.0x", "a.1"]
)
def test_what_some_libraries_take_for_ipv4_is_refused(text: str) -> None:
    """inet_aton reads numbers as addresses: such a name would not be looked up as a name."""
    assert "ends in a number, so clients read it as an IPv4 address" in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://user:SECRET@example.com/",
        "https://user:SECRET/SECRET@example.com/",
        "https://user:SEC RET@example.com/",
        "https://user:SECRET\x00@example.com/",
        "https://user:SECRET@host@example.com/",
        "user:SECRET@example.com",
        "SECRET:443/x?@example.com",
        "gopher://SECRET@example.com",
        "https://u:SECRET@[::1",
        "https://u:SECRET@" + "a" * 5000,
    ],
)
def test_a_password_is_not_shown(text: str) -> None:
    """A URL with user information is refused, whatever else is wrong with it, without a trace."""
    said = refusal(text)
    assert "has a user name or password in it" in said
    assert "SEC" not in said


def test_a_refusal_is_bounded() -> None:
    """A line of a terminal is not flooded by what was pasted."""
    assert len(refusal("\x01" * 100_000)) < 500


@given(st.text())
@example("[]:")
@example("::%")
@example("a\u200c.xn--")
@example("\u0130.example")
def test_any_text_is_a_target_or_refused_in_one_line(text: str) -> None:
    """There is no third way, and no message can move a terminal's cursor."""
    shown = outcome(text)
    assert shown.isprintable()
    assert shown.encode()


HOSTILE = "aZ0.:-_/@[]%?# äßİ\u200c\u3002\uff0e\x00\x9f\u2028\ud800xn--1\u017f\u212a"


@given(st.text(st.sampled_from(HOSTILE), max_size=60), st.sampled_from(["", "https://", "xn--"]))
def test_texts_near_to_targets_are_no_exception(text: str, before: str) -> None:
    """The same, for texts made of what targets are made of."""
    assert outcome(before + text).isprintable()


@given(st.from_regex(r"[a-z0-9_.äß-]{1,20}", fullmatch=True))
def test_what_was_parsed_parses_to_itself(text: str) -> None:
    """A host in its ASCII form is in its ASCII form already."""
    try:
        host = parse(text).host
    except TargetError:
        return
    assert host == parse(host).host == parse(host.upper()).host


@given(st.ip_addresses(v=6))
def test_every_ipv6_address_reads_back(ip: object) -> None:
    """A canonical address is its own canonical form; `address` takes mapped ones as well."""
    assert address(address(str(ip))) == address(str(ip))
    assert ":" in endpoint(address(str(ip)), 443)


@pytest.mark.parametrize(
    "text",
    [
        "a-" * 120 + "!",
        "a." * 120 + "!",
        "ä" * 250,
        "xn--" + "a" * 245,
        "xn--" + "9" * 245,
        ":" * 2048,
        "[" * 2048,
        "\u0340" * 250,
        "://" * 680,
        "x" * 10_000_000,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    """The time is bounded for texts that are hard on expressions and on Punycode."""
    assert loops(lambda: refusal(text)) < 15


def test_schemes_have_ports() -> None:
    """Every scheme that is known brings a port."""
    for scheme, ports in SCHEMES.items():
        assert ports == parse(f"{scheme}://example.com").ports


def test_the_same_target_has_the_same_key() -> None:
    """Two spellings of one target count once; another port, scheme or path is another target."""
    assert parse("Example.com").key == parse("example.com.").key
    assert (
        len(
            {
                parse(t).key
                for t in ["h", "h:443", "https://h:443", "https://h:443/x", "https://h/x"]
            }
        )
        == 4
    )


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("2001:db8::1", "[2001:db8::1]:443"),
        ("192.0.2.1", "192.0.2.1:443"),
        ("example.com", "example.com:443"),
    ],
)
def test_an_endpoint_brackets_ipv6(host: str, shown: str) -> None:
    """RFC 5952 section 6: the port of an IPv6 address stands outside of brackets."""
    assert shown == endpoint(host, 443)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2001:DB8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]", ("2001:db8::53", 53)),
        ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("192.0.2.53:5353", ("192.0.2.53", 5353)),
        ("FE80::1%eth0", ("fe80::1%eth0", 53)),
        ("[fe80::1%2]:5353", ("fe80::1%2", 5353)),
    ],
)
def test_an_address_may_have_a_port(text: str, read: tuple[str, int]) -> None:
    """What has no port gets the one that is asked for."""
    assert read == address_and_port(text, 53)


@pytest.mark.parametrize("text", ["fe80::1%", "fe80::1%a b", "192.0.2.1%lo", "2001:db8::1%eth0"])
def test_a_zone_is_an_interfaces_and_of_a_link_local_address(text: str) -> None:
    """Nothing else has one (RFC 4007 section 11)."""
    with pytest.raises(TargetError):
        address_and_port(text, 53)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h",
        "h:53",
        "[192.0.2.1]:53",
        "192.0.2.1:",
        "[::1]:0",
        "::1%lo",
        "fe80::1%",
        "fe80::1%a b",
        "192.0.2.1%lo",
        "[::1",
        "1.2.3",
    ],
)
def test_anything_else_is_no_address_with_a_port(text: str) -> None:
    """Names in particular: who asks a name server by name has asked another one before."""
    with pytest.raises(TargetError):
        address_and_port(text, 53)


def test_the_parts_of_a_target_can_be_read_alone() -> None:
    """Options name hosts, addresses and ports too."""
    assert hostname("Bücher.") == "xn--bcher-kva"
    assert address("::FFFF:c000:201") == "::ffff:192.0.2.1"
    assert address("192.0.2.1") == "192.0.2.1"
    assert ipv6_address("0:0::1") == "::1"
    assert port_number("443") == 443


def test_harmless_text_is_cut_and_escaped() -> None:
    """What cannot be printed is spelled out, what is long is cut."""
    assert harmless("a\x1bb\n\u2028") == r"a\x1bb\n\u2028"
    assert harmless("aaaa", 3) == "aaa..."


@pytest.mark.parametrize(
    ("text", "port", "begins"),
    [
        ("example.com", 443, True),
        ("example.com", 80, False),
        ("example.com:8443", 8443, True),
        ("example.com:25", 25, False),
        ("https://example.com:9443", 9443, True),
        ("http://example.com:443", 443, False),
        ("ssh://example.com:443", 443, False),
        ("smtps://mx.example.com", 465, True),
        ("submission://mx.example.com", 587, False),
    ],
)
def test_who_begins_with_tls(text: str, port: int, begins: bool) -> None:  # noqa: FBT001
    """A scheme says it, whatever the port; without one the port does."""
    assert parse(text).begins_with_tls(port) is begins
