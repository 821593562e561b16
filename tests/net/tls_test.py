"""TLS handshakes with real servers on loopback: OpenSSL's, and some that are none."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest

from ipv6check.model import Attempt, Handshake, Kind
from ipv6check.net import clock, tls
from ipv6check.net.local import LocalNet
from ipv6check.net.tls import TlsPeer
from tests.pace import Lag

LOOPBACK = ["::1", "127.0.0.1"]
ALPN = ("h2", "http/1.1")

Serve = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def server_context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's side, with a certificate that nobody vouches for."""
    directory = tmp_path_factory.mktemp("certificate")
    key, certificate = directory / "key.pem", directory / "cert.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x"
    )
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *files], check=True, capture_output=True, timeout=10)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@contextmanager
def serving(serve: Serve, host: str = "::1") -> Iterator[int]:
    """A port whose first connection is served in a thread, and is over with the block."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:

        def accept() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(5)
                serve(sock)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(6)
        assert not thread.is_alive()


def speaking(context: ssl.SSLContext) -> Serve:
    """A server that speaks TLS, to the client's last word."""

    def serve(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as secured:
            assert secured.recv(1) == b""

    return serve


def answering(data: bytes) -> Serve:
    """A server that answers whatever comes with this, and waits for the end."""

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(data)
        sock.recv(4096)

    return serve


def reset(sock: socket.socket) -> None:
    """Answer data with a reset."""
    sock.recv(4096)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(sock: socket.socket) -> None:
    """Answer data with the end of the connection."""
    sock.recv(4096)


def shake(
    port: int,
    host: str = "::1",
    *,
    server_name: str = "shop.example",
    alpn: tuple[str, ...] = ALPN,
    timeout_s: float = 3.0,
    connected: Callable[[Attempt], None] = lambda _: None,
) -> Handshake:
    """One handshake."""
    return asyncio.run(tls.handshake(TlsPeer(host, port, server_name, alpn), timeout_s, connected))


@pytest.mark.parametrize("host", LOOPBACK)
def test_completed(server_context: ssl.SSLContext, host: str) -> None:
    """TCP and TLS are told apart, and nobody has to vouch for the certificate."""
    heard: list[Attempt] = []
    with serving(speaking(server_context), host) as port:
        made = shake(port, host, connected=heard.append)
    assert made.connected
    assert (made.address, made.port, made.outcome) == (host, port, "connected")
    assert (made.version, made.alpn, made.failure) == ("TLSv1.3", "", None)
    assert made.tcp.elapsed_ms < made.elapsed_ms
    assert heard == [made.tcp]


def test_protocols(server_context: ssl.SSLContext) -> None:
    """What both sides know of ALPN is agreed on, and an older version of TLS is told."""
    context = server_context
    context.set_alpn_protocols(["http/1.1"])
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        with serving(speaking(context)) as port:
            made = shake(port)
    finally:
        context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
        context.set_alpn_protocols([])
    assert (made.version, made.alpn) == ("TLSv1.2", "http/1.1")


@pytest.mark.parametrize(
    ("server_name", "asked"),
    [("shop.example", "shop.example"), ("xn--bcher-kva.example", "xn--bcher-kva.example")]
    + [(none, None) for none in ("", "2001:db8::1", "192.0.2.1")],
)
def test_server_name(server_context: ssl.SSLContext, server_name: str, asked: str | None) -> None:
    """The server hears which name is meant, and never an address (RFC 6066 section 3)."""
    heard: list[str | None] = []
    server_context.sni_callback = lambda _sock, name, _context: heard.append(name)
    try:
        with serving(speaking(server_context)) as port:
            assert shake(port, server_name=server_name).connected
    finally:
        server_context.sni_callback = None
    assert heard == [asked]


@pytest.mark.parametrize(
    ("serve", "kind", "detail"),
    [
        (
            answering(bytes.fromhex("15030300020228")),
            Kind.TLS_ERROR,
            "TLS alert: handshake failure",
        ),
        (
            answering(bytes.fromhex("15030300020270")),
            Kind.TLS_ERROR,
            "TLS alert: unrecognized name",
        ),
        (answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Kind.TLS_ERROR, "does not speak TLS"),
        (answering(b"220 mx.example ESMTP\r\n"), Kind.TLS_ERROR, "does not speak TLS"),
        (answering(bytes.fromhex("1503030002015a") * 50), Kind.TLS_ERROR, "too many warn alerts"),
        (answering(bytes.fromhex("16030340000bffffff") + bytes(16380)), Kind.TLS_ERROR, ""),
        (hang_up, Kind.RESET, "closed without an answer"),
        (reset, Kind.RESET, "closed without an answer"),
        (socket.socket.close, Kind.RESET, "closed without an answer"),
    ],
)
@pytest.mark.parametrize("host", LOOPBACK)
def test_failures(serve: Serve, kind: Kind, detail: str, host: str) -> None:
    """Each way to say no has its kind and its words; TCP is well, and it takes no time."""
    with serving(serve, host) as port:
        made = shake(port, host)
    assert made.tcp.connected
    assert made.failure is not None
    assert made.failure.kind is kind
    assert detail in made.failure.detail
    assert made.failure.elapsed_ms == made.elapsed_ms
    assert (made.connected, made.silent, made.version) == (False, False, "")


def beginning(context: ssl.SSLContext, most: int) -> Serve:
    """A server that begins to speak TLS, ends after so many bytes, and waits for the client."""

    def serve(sock: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(sock.recv(4096))
        with suppress(ssl.SSLWantReadError):
            session.do_handshake()
        sock.sendall(outgoing.read()[:most])
        sock.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            sock.recv(4096)

    return serve


def test_the_end_in_the_middle(server_context: ssl.SSLContext) -> None:
    """A server that goes away after its first words is not one that said nothing."""
    with serving(beginning(server_context, 100)) as port:
        made = shake(port)
    assert made.failure is not None
    assert "during the handshake" in made.failure.detail


@pytest.mark.parametrize(
    ("data", "alert"),
    [
        ("15030300020228", "handshake_failure"),
        ("15030300020270", "unrecognized_name"),
        ("15030300020250", "internal_error"),
        ("15030300020246", "protocol_version"),
        ("15030300020278", "no_application_protocol"),
        ("15030300020231", "access_denied"),
    ],
)
def test_alerts(data: str, alert: str) -> None:
    """Each has its name in RFC 8446, for whoever judges."""
    with serving(answering(bytes.fromhex(data))) as port:
        made = shake(port)
    assert (made.outcome, made.alert, made.asks_certificate) == (Kind.TLS_ERROR, alert, False)


def test_an_old_server() -> None:
    """One that answers with TLS 1.0 sends no alert: the client does, of the same name."""
    hello = bytes.fromhex("0301") + bytes(32) + b"\0" + bytes.fromhex("c01300")
    message = b"\x02" + len(hello).to_bytes(3, "big") + hello
    with serving(answering(b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message)) as port:
        made = shake(port)
    assert made.alert == "protocol_version"
    assert made.failure is not None
    assert made.failure.detail == "the server has no TLS 1.2 or later"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate(server_context: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    """Whoever wants one has shaken hands as far as we can: so it is completed, in either version.

    TLS 1.3 says so under encryption, and ends the session after the handshake.
    """
    context = server_context

    def serve(sock: socket.socket) -> None:
        with suppress(ssl.SSLError, ConnectionError), context.wrap_socket(sock, server_side=True):
            pass

    context.maximum_version, context.verify_mode = version, ssl.CERT_REQUIRED
    try:
        with serving(serve) as port:
            made = shake(port)
    finally:
        context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
        context.verify_mode = ssl.CERT_NONE
    openly = version is ssl.TLSVersion.TLSv1_2
    assert (made.connected, made.asks_certificate) == (True, openly)
    assert made.version == ("TLSv1.2" if openly else "TLSv1.3")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x16",
        b"\x16\x03\x03\xff\xff",
        b"\x16\x03\x03\0\4\x0d\xff\xff",
        bytes(100),
        b"\x16" * 99,
    ],
)
def test_messages_of_anything(data: bytes) -> None:
    """What is torn or no TLS at all holds no request for a certificate."""
    assert tls._CERTIFICATE_REQUEST not in tls._messages(data)


@pytest.mark.parametrize("drip", [b"", b"\x16\x03\x03"])
def test_silence(drip: bytes) -> None:
    """Nothing, or not enough, until the time is over: silence of TLS, and not of TCP."""
    with serving(answering(drip)) as port:
        made = shake(port, timeout_s=0.2)
    assert made.tcp.connected
    assert made.silent
    assert made.failure is not None
    assert made.failure.kind is Kind.TIMEOUT
    assert made.elapsed_ms >= 200


def test_a_bound(server_context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much a server has to say, no more than so many bytes are read."""
    monkeypatch.setattr(tls, "MAX_BYTES", 300)
    monkeypatch.setattr(tls, "_CHUNK", 200)
    with serving(beginning(server_context, 500)) as port:
        made = shake(port)
    assert made.failure is not None
    assert made.failure.detail == "the handshake is not complete after 300 bytes"


def test_nobody_listens() -> None:
    """Without TCP there is no TLS to tell of."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
    heard: list[Attempt] = []
    made = shake(port, connected=heard.append)
    assert (made.outcome, made.tcp.outcome, made.failure) == (Kind.REFUSED, Kind.REFUSED, None)
    assert heard == []
    assert not made.connected
    assert not made.silent


@pytest.mark.timing
def test_a_busy_loop_is_no_silence(server_context: ssl.SSLContext) -> None:
    """What the server said in time counts, though nobody looked until it was over."""

    async def main(port: int) -> Handshake:
        def work(_: Attempt) -> None:
            asyncio.get_running_loop().call_soon(time.sleep, 0.5)

        return await tls.handshake(TlsPeer("::1", port), 0.3, work)

    with serving(speaking(server_context)) as port:
        assert asyncio.run(main(port)).connected


def test_cancelled() -> None:
    """A handshake that is cancelled leaves no socket behind."""

    def files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def main(port: int) -> None:
        before = files()
        up = asyncio.Event()
        shaking = asyncio.create_task(tls.handshake(TlsPeer("::1", port), 5, lambda _: up.set()))
        await up.wait()
        shaking.cancel()
        await asyncio.gather(shaking, return_exceptions=True)
        assert before == files()

    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        asyncio.run(main(listener.getsockname()[1]))


@pytest.mark.parametrize("host", LOOPBACK)
def test_the_net_of_this_host(server_context: ssl.SSLContext, host: str) -> None:
    """LocalNet does the same, with its own timeout."""

    async def main(port: int) -> Handshake:
        net = LocalNet(timeout_s=2)
        try:
            return await net.tls(host, port, "shop.example", ALPN)
        finally:
            net.close()

    with serving(speaking(server_context), host) as port:
        assert asyncio.run(main(port)).connected


@contextmanager
def stamping() -> Iterator[None]:
    """The kernel begins to stamp what arrives a moment after the first socket asks for it."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        clock.want_timestamps(sock)
        time.sleep(0.1)
        yield


@pytest.mark.timing
def test_a_busy_loop_makes_no_server_slow(server_context: ssl.SSLContext, lag: Lag) -> None:
    """The time of TLS is the server's, however long the loop is busy with others meanwhile."""
    busy_s = 0.3

    async def main(port: int) -> Handshake:
        shaking = asyncio.ensure_future(
            tls.handshake(TlsPeer("::1", port, "www.example"), 5, lambda _: None)
        )
        while not shaking.done():
            await asyncio.sleep(0)
            time.sleep(busy_s)  # noqa: ASYNC251 - what other targets do
        return shaking.result()

    with serving(speaking(server_context)) as port, stamping():
        made = asyncio.run(main(port))
    assert made.connected
    assert made.elapsed_ms < busy_s * 1000 / 2 + lag.ms


def test_a_slow_server_is_slow(server_context: ssl.SSLContext) -> None:
    """What the server takes is told."""

    def serve(sock: socket.socket) -> None:
        sock.recv(1, socket.MSG_PEEK)  # the client's time runs by then
        time.sleep(0.1)
        speaking(server_context)(sock)

    async def main(port: int) -> Handshake:
        return await tls.handshake(TlsPeer("::1", port, "www.example"), 5, lambda _: None)

    with serving(serve) as port:
        made = asyncio.run(main(port))
    assert made.elapsed_ms >= 95


def test_a_flood_of_empty_messages() -> None:
    """Sixty thousand of them are read as quickly as they came (law 8)."""
    flood = b"\x16\x03\x03\x40\x00" + bytes(1 << 14)
    assert tls._messages(flood * 16) == {0}


@pytest.mark.parametrize("silent", [0, 1, 2])
def test_silence_is_tried_again(server_context: ssl.SSLContext, silent: int) -> None:
    """Beside the first, on another connection, within the same time: chance is silent once."""

    def serve(listener: socket.socket) -> None:
        with ExitStack() as kept, suppress(OSError):
            for number in count():
                sock = kept.enter_context(listener.accept()[0])
                if number >= silent:
                    sock.settimeout(5)
                    secured = server_context.wrap_socket(sock, server_side=True)
                    kept.enter_context(secured).recv(1)

    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        made = shake(listener.getsockname()[1], timeout_s=1.0)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(6)
    assert made.silent is (silent == 2)
    assert made.connected is (silent < 2)
