"""tls: handshakes and connections in, findings out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ipv6check import Attempt, Finding, Handshake, Handshakes, Kind, Path
from ipv6check.config.target import parse
from ipv6check.model import Failure, Verdict
from ipv6check.testing import FakeNet, answer, attempt, examine, handshake
from tests.checks.facts import HERE, NAME, V4, V4B, V6, V6B, connections, judged, kept, whole

ALERT = Failure(Kind.TLS_ERROR, "the server sent a TLS alert: handshake failure", 5.0)


def tls(
    *made: Handshake | Attempt, ports: tuple[int, ...] = (443,), path: Path = HERE, text: str = NAME
) -> list[Finding]:
    """What tls finds in these handshakes; an attempt is one that was not tried for TLS."""
    shaken = tuple(shake for shake in made if isinstance(shake, Handshake))
    attempts = [shake.tcp if isinstance(shake, Handshake) else shake for shake in made]
    found = judged(
        "tls",
        handshakes=Handshakes(ports, shaken),
        connections=connections(*attempts),
        path=path,
        target=text,
    )
    assert whole(found)
    return found


def test_no_time_is_unknown() -> None:
    """What was not asked in the target's time is not known, whoever completes TLS beside it."""
    one = handshake(V6)
    for made, seen in (
        (Handshakes((443,), (one,), untried=1), connections(one.tcp)),
        (Handshakes((443,), (one,)), replace(connections(one.tcp), untried=1)),
        (Handshakes((443,), ()), replace(connections(), untried=1)),
    ):
        found = judged("tls", handshakes=made, connections=seen, path=HERE, target=NAME)
        assert (kept(found), found[0].id) == ([("unknown", "network")], "no-time")


def silent(address: str, port: int = 443) -> Handshake:
    """One that accepts, and says nothing more."""
    return handshake(address, port, Kind.TIMEOUT, 3000.0)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ((handshake(V6), handshake(V4, elapsed_ms=20.0)), "1 address, 10 ms (IPv4 20 ms)"),
        ((handshake(V6), handshake(V6B), handshake(V4)), "2 addresses, 10 ms (IPv4 10 ms)"),
        ((handshake(V6),), "1 address, 10 ms (no IPv4)"),
        ((handshake(V6), silent(V4)), "1 address, 10 ms (IPv4 has none)"),
    ],
)
def test_completed_over_ipv6_passes(made: tuple[Handshake, ...], says: str) -> None:
    """Version, ports and times are told, beside those of IPv4."""
    found = tls(*made)
    assert kept(found) == [("pass", None)]
    assert found[0].message == f"TLSv1.3 on port 443 of {says}"
    assert [shake["address"] for shake in found[0].evidence["attempts"]] == [
        m.address for m in made
    ]


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (Kind.TIMEOUT, "accepts the connection, then is silent"),
        (Kind.RESET, "accepts the connection, then resets or closes it"),
        (
            ALERT,
            "accepts the connection, but TLS fails: the server sent a TLS alert: handshake failure",
        ),
    ],
)
def test_what_ipv4_completes_and_ipv6_does_not(failure: Kind | Failure, says: str) -> None:
    """A fault of the application, told beside the twin."""
    found = tls(handshake(V6, failure=failure), handshake(V4, elapsed_ms=4.0))
    assert [(finding.status, finding.subject) for finding in found] == [("fail", f"[{V6}]:443")]
    assert found[0].message == f"[{V6}]:443 {says}, IPv4 completes TLS in 4.0 ms"
    assert found[0].evidence["ipv6"]["detail"]
    assert found[0].evidence["ipv4"]["outcome"] == "connected"


def test_one_of_two() -> None:
    """Each dead address is named, where another one of IPv6 is well, and IPv4 is not."""
    (found,) = tls(handshake(V6), silent(V6B), silent(V4))
    assert (found.status, found.subject) == ("fail", f"[{V6B}]:443")
    assert "IPv4" not in found.message


def test_nothing_to_compare_with() -> None:
    """Without IPv4 a silent IPv6 is a fault all the same, also where IPv4 accepts no more."""
    assert kept(tls(silent(V6))) == [("fail", None)]
    gone = handshake(V4, tcp=attempt(V4, failure=Kind.REFUSED))
    assert kept(tls(silent(V6), gone)) == [("fail", None)]


def test_both_alike_is_no_ipv6_fault() -> None:
    """Law 4: the service is down, one finding for the port."""
    (found,) = tls(silent(V6), silent(V6B), silent(V4), silent(V4B))
    assert (found.status, found.subject) == ("fail", "port 443")
    assert "over both IPv6 and IPv4: the service is down" in found.message
    assert found.hint.startswith("not an IPv6 problem")


@pytest.mark.parametrize(
    ("text", "status"), [(f"{NAME}:8443", "warn"), (f"https://{NAME}:8443", "fail")]
)
def test_who_answers_without_tls(text: str, status: str) -> None:
    """By its number alone a port may be taken for what it is not; a scheme is a promise."""
    made = [handshake(address, 8443, Kind.TLS_ERROR) for address in (V6, V4)]
    (found,) = tls(*made, ports=(8443,), text=text)
    assert found.status == status
    assert found.message.startswith("TLS fails on port 8443 over both IPv6 and IPv4")


def test_each_port_for_itself() -> None:
    """Twins are of the same port."""
    made = (handshake(V6), handshake(V4), silent(V6, 8443), handshake(V4, 8443))
    (found,) = tls(*made, ports=(443, 8443))
    assert found.subject == f"[{V6}]:8443"
    (found,) = tls(*made[:2], handshake(V6, 8443), ports=(443, 8443))
    assert found.message.startswith("TLSv1.3 on port 443 and 8443 of 1 address")


def test_who_does_not_accept_any_more() -> None:
    """What changed between two connections is neither well nor broken."""
    (found,) = tls(handshake(V6, tcp=attempt(V6, failure=Kind.TIMEOUT)), handshake(V4))
    assert (found.status, found.cause) == ("unknown", "network")
    assert "accepted a connection a moment ago" in found.message


def alerted(address: str, alert: str, port: int = 443) -> Handshake:
    """One whose server ends the handshake by this alert."""
    words = f"the server sent a TLS alert: {alert.replace('_', ' ')}"
    return replace(handshake(address, port, Failure(Kind.TLS_ERROR, words, 5.0)), alert=alert)


@pytest.mark.parametrize(
    "made",
    [
        *(
            alerted(V6, alert)
            for alert in (
                "internal_error",
                "unrecognized_name",
                "handshake_failure",
                "access_denied",
            )
        ),
        handshake(V6, failure=Kind.RESET),
    ],
    ids=lambda made: made.alert or "ended",
)
def test_an_address_without_a_name(made: Handshake) -> None:
    """No site was named, and many servers serve nobody who names none: that proves nothing."""
    (found,) = tls(made, text=f"https://[{V6}]")
    assert (found.status, found.cause, found.id) == ("unknown", "vantage", "no-name")
    assert found.hint == f"name the site it serves: ipv6check NAME --resolve NAME:{V6}"
    (named,) = tls(made, text=f"https://{NAME}")
    assert (named.status, "IPv4" in named.hint) == ("fail", False)


@pytest.mark.parametrize(
    ("made", "id"),
    [
        (silent(V6), "silent"),
        (alerted(V6, "protocol_version"), "error"),
        (
            handshake(V6, failure=Failure(Kind.TLS_ERROR, "the server does not speak TLS")),
            "error",
        ),
    ],
    ids=["silent", "old", "http"],
)
def test_what_no_name_would_change(made: Handshake, id: str) -> None:
    """The innocent twin turned round: these are faults of an address, too."""
    (found,) = tls(made, text=f"https://[{V6}]")
    assert (found.status, found.id) == ("fail", id)
    assert "IPv4" not in found.hint


@pytest.mark.parametrize(
    ("alert", "says"),
    [
        ("unrecognized_name", "the server does not serve this name"),
        ("protocol_version", "the server does not support TLS 1.2 or later"),
    ],
)
def test_an_answer_is_not_down(alert: str, says: str) -> None:
    """Law 4: alike over both families, and in the words of what it is."""
    made = alerted(V6, alert), alerted(V4, alert)
    (found,) = tls(*made, text=f"https://{NAME}")
    assert (found.status, found.id, found.cause) == ("fail", "down", None)
    assert found.message == f"TLS fails on port 443 over both IPv6 and IPv4: {says}"
    assert found.hint.startswith("not an IPv6 problem: ")
    (guessed,) = tls(*made)
    assert (guessed.status, guessed.id) == ("warn", "no-service")
    assert "down" not in guessed.message


def test_http_on_a_tls_port_is_not_down() -> None:
    """It answers over both families, though no TLS; the scheme says that it should."""
    plain = Failure(Kind.TLS_ERROR, "the server does not speak TLS")
    made = [handshake(address, failure=plain) for address in (V6, V4)]
    (found,) = tls(*made, text=f"https://{NAME}")
    assert (found.status, found.id) == ("fail", "down")
    assert "is down" not in found.message
    assert "does not speak TLS" in found.hint


def test_another_protocol() -> None:
    """TLS is spoken, for a protocol that was not offered: not known, alike or alone."""
    for others in ((), (alerted(V4, "no_application_protocol"),)):
        (found,) = tls(alerted(V6, "no_application_protocol"), *others)
        assert (found.status, found.cause, found.id) == ("unknown", "vantage", "other-protocol")
    (found,) = tls(alerted(V6, "no_application_protocol"), handshake(V4))
    assert (found.status, found.id) == ("fail", "error")


def test_a_client_certificate() -> None:
    """Whoever asks for one has answered well; but not where IPv4 asks for none."""
    asking = [
        replace(handshake(address), version="TLSv1.2", asks_certificate=True)
        for address in (V6, V4)
    ]
    for made in (asking, asking[:1]):
        (found,) = tls(*made)
        assert (found.status, found.id) == ("pass", "completed")
        assert "asks for a client certificate" in found.message
    (found,) = tls(asking[0], handshake(V4))
    assert (found.status, found.id, found.subject) == ("fail", "error", f"[{V6}]:443")
    assert "client certificate" in found.message
    assert kept(tls(handshake(V6), asking[1])) == [("pass", None)]


def test_refused_the_second_time() -> None:
    """A rate limit of both families, or of one beside a server that ends: never down."""
    refused = [
        handshake(address, tcp=attempt(address, failure=Kind.REFUSED)) for address in (V6, V4)
    ]
    for made in (refused, [refused[0], handshake(V4, failure=Kind.RESET)]):
        (found,) = tls(*made)
        assert (found.status, found.cause, found.id) == ("unknown", "network", "unsteady")
        assert "rate limit" in found.hint


def test_this_host_goes_away() -> None:
    """Its own kernel or router in mid-run, in TCP or in TLS, is the vantage's (law 1)."""
    gone = Failure(Kind.NO_LOCAL_ROUTE, "Network is unreachable")
    near = Failure(Kind.NO_ROUTE, "2001:db8::1 says no route", source="2001:db8::1", near=True)
    for made in (
        handshake(V6, failure=gone),
        handshake(V6, tcp=attempt(V6, failure=gone)),
        handshake(V6, tcp=attempt(V6, failure=near)),
    ):
        for twin in (handshake(V4), handshake(V4, failure=Kind.TIMEOUT)):
            (found,) = tls(made, twin)
            assert (found.status, found.cause, found.id) == ("unknown", "vantage", "untried")


def test_what_another_check_tells() -> None:
    """Law 7: without AAAA, TCP or a TLS port there is nothing to say; and law 1, without a path."""
    assert kept(tls(attempt(V4))) == [("skip", None)]
    (dead,) = tls(attempt(V6, failure=Kind.TIMEOUT), handshake(V4))
    assert (dead.status, dead.message.endswith("see tcp")) == ("skip", True)
    assert kept(tls(attempt(V6, 80), ports=())) == [("skip", None)]
    assert kept(tls(attempt(V6), path=Path("no", "why"))) == [("unknown", "vantage")]


def test_a_whole_run() -> None:
    """From the network to the verdict: what accepts and is then silent is not ready."""
    net = FakeNet(
        answer(NAME, "AAAA", V6),
        answer(NAME, "A", V4),
        silent(V6),
        handshake(V4),
        *(attempt(address, 80) for address in (V6, V4)),
        failures={V6: Kind.TIMEOUT, V4: Kind.TIMEOUT},
    )
    report = examine(NAME, net, only=frozenset({"tcp", "tls"}))
    assert {result.check: result.status.value for result in report.results} == {
        "tcp": "pass",
        "tls": "fail",
    }
    assert report.verdict is Verdict.NOT_READY
    assert parse(NAME).begins_with_tls(443)
