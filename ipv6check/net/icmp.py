"""ICMP echo, unprivileged or raw, whichever this host permits: one socket a family.

icmplib opens the sockets and writes the packets. Its own waiting hides ICMP errors, so replies are
read here, and errors come from the kernel's queue.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field

from icmplib import ICMPRequest, ICMPv4Socket, ICMPv6Socket
from icmplib.exceptions import ICMPLibError, SocketPermissionError

from ipv6check.model import Echo, Failure, Kind
from ipv6check.net import clock, errors, log

# An address that answers is not asked again; a lost request is not yet a lost host.
TRIES = 4
# A router that refused is asked again so much later.
AGAIN_S = 0.2
INTERVAL_S = 0.02
PAYLOAD = b"ipv6check echo request, RFC 4443"

GRANT = 'sudo sysctl -w net.ipv4.ping_group_range="0 2147483647"'

_SENT_OR_LOST = frozenset({0, errno.EAGAIN, errno.ENOBUFS})
# Hundreds of replies and ICMP errors come back before the loop is free to read them.
_RECEIVE_BUFFER = 1 << 20
_HEADER = struct.Struct("!BBHHH")
_ECHO_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}
# linux/icmp.h, linux/icmpv6.h: a set bit is a type that the socket does not want.
_SOL_RAW = 255
_ICMP_FILTER = 1
_ICMP6_FILTER = 1
_IPV4_WORDS = 4


@dataclass(slots=True)
class _Series:
    """The echo requests of one ping, ``count`` at a time, and the address that may answer them."""

    address: str
    packed: bytes
    count: int
    done: asyncio.Future[None]
    sent_ns: dict[int, int] = field(default_factory=dict)
    rtts_ms: dict[int, float] = field(default_factory=dict)
    failure: Failure | None = None
    unsent: int = 0
    timers: list[asyncio.TimerHandle] = field(default_factory=list)

    @property
    def received(self) -> int:
        """How many came back of those that were sent together, at best."""
        sent = list(self.sent_ns)
        together = [sent[n : n + self.count] for n in range(0, len(sent), self.count)]
        return max((sum(n in self.rtts_ms for n in batch) for batch in together), default=0)

    @property
    def most_lost(self) -> bool:
        return 2 * self.received < self.count

    def settle(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


class EchoSocket:
    """Pings any number of addresses of one family at once."""

    def __init__(self, family: socket.AddressFamily) -> None:
        """Open it. Raises PermissionError where the host permits neither kind of socket."""
        self._family = family
        self._icmp = _open(family)
        self._sock: socket.socket = self._icmp.sock
        self._raw = self._sock.type == socket.SOCK_RAW
        self._id = os.getpid() & 0xFFFF
        self._sequence = 0
        self._pending: dict[int, _Series] = {}
        self._icmp.blocking = False
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        clock.want_timestamps(self._sock)
        errors.want_errors(self._sock)
        if self._raw:
            _want_replies_only(self._sock)
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self._readable)

    async def ping(self, address: str, count: int, timeout_s: float) -> Echo:
        """Send ``count`` echo requests, and wait ``timeout_s`` for the last.

        Where most of them are lost they are all sent again, TRIES times in all: the best counts.
        """
        loop = asyncio.get_running_loop()
        packed = socket.inet_pton(self._family, address)
        series = _Series(address, packed, count, loop.create_future(), unsent=count)
        turns = [turn * INTERVAL_S for turn in range(count)]
        again = [turns[-1] + timeout_s * turn / TRIES for turn in range(1, TRIES)]
        series.timers += [loop.call_later(turn, self._send, series) for turn in turns[1:]]
        series.timers += [loop.call_later(turn, self._send_again, series) for turn in again]
        series.timers.append(loop.call_later(turns[-1] + timeout_s, series.settle))
        self._send(series)
        try:
            await series.done
        finally:
            for timer in series.timers:
                timer.cancel()
            for sequence in series.sent_ns:
                self._pending.pop(sequence, None)
        rtt_ms = min(series.rtts_ms.values(), default=None)
        failure = None if series.rtts_ms else (series.failure or _silence(timeout_s))
        if log.enabled():
            came = failure or f"{series.received} replies"
            log.exchange(f"{len(series.sent_ns)} echo requests", address, came, rtt_ms)
        return Echo(address, count, series.received, rtt_ms, failure)

    def close(self) -> None:
        """Stop reading and close the socket."""
        asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._icmp.close()

    def _send(self, series: _Series) -> None:
        series.unsent -= 1
        self._sequence = sequence = (self._sequence + 1) & 0xFFFF
        self._pending[sequence] = series
        # The kernel tells an ICMP error to whoever sends next, whichever address it is about.
        code = self._try_to_send(series, sequence)
        while code not in _SENT_OR_LOST and self._hear_errors():
            code = self._try_to_send(series, sequence)
        if code not in _SENT_OR_LOST:
            # One that was heard before it could be told here.
            code = self._try_to_send(series, sequence)
        if code not in _SENT_OR_LOST:
            self._fail(sequence, errors.local_failure(code))

    def _try_to_send(self, series: _Series, sequence: int) -> int:
        """The errno of the send, 0 where it went well."""
        series.sent_ns[sequence] = clock.now_ns()
        try:
            self._icmp.send(ICMPRequest(series.address, self._id, sequence, payload=PAYLOAD))
        except ICMPLibError as error:
            return _errno(error)
        return 0

    def _send_again(self, series: _Series) -> None:
        if not series.unsent and series.most_lost:
            series.unsent = series.count
            for _ in range(series.count):
                self._send(series)

    def _readable(self) -> None:
        self._hear_errors()
        while True:
            try:
                data, ancillary, _flags, sender = self._sock.recvmsg(512, clock.ANCILLARY_SIZE)
            except BlockingIOError:
                return
            except OSError:
                # The queued error, told a second time.
                continue
            self._receive(data, sender[0], clock.arrival_ns(ancillary))

    def _hear_errors(self) -> bool:
        """Take what the kernel has queued; whether there was any."""
        heard = False
        while (queued := errors.next_error(self._sock)) is not None:
            self._receive_error(queued)
            heard = True
        return heard

    def _receive(self, data: bytes, sender: str, arrived_ns: int) -> None:
        if self._raw and self._family == socket.AF_INET and data:
            data = data[(data[0] & 0x0F) * _IPV4_WORDS :]
        if len(data) < _HEADER.size:
            return
        type_, _code, _checksum, id_, sequence = _HEADER.unpack_from(data)
        if type_ != _ECHO_REPLY[self._family] or (self._raw and id_ != self._id):
            return
        series = self._pending.get(sequence)
        # RFC 4443 section 4.2: a reply comes from the address that was asked.
        if series is not None and series.packed == _packed(self._family, sender):
            del self._pending[sequence]
            series.rtts_ms[sequence] = clock.elapsed_ms(series.sent_ns[sequence], arrived_ns)
            self._settle(series)

    def _receive_error(self, error: errors.IcmpError) -> None:
        if len(error.packet) < _HEADER.size:
            return
        _type, _code, _checksum, id_, sequence = _HEADER.unpack_from(error.packet)
        if not self._raw or id_ == self._id:
            self._fail(sequence, error.failure(0.0))

    def _fail(self, sequence: int, failure: Failure) -> None:
        series = self._pending.pop(sequence, None)
        if series is not None:
            series.failure = failure
            self._settle(series)

    def _settle(self, series: _Series) -> None:
        """The ping is over when all are back, or when every request was answered or refused.

        A router's refusal may be a moment's: it is believed the second time.
        """
        if series.unsent:
            return
        if series.received == series.count:
            series.settle()
        elif not any(self._pending.get(sequence) is series for sequence in series.sent_ns):
            if self._may_pass(series):
                again = asyncio.get_running_loop().call_later(AGAIN_S, self._send_again, series)
                series.timers.append(again)
            else:
                series.settle()

    def _may_pass(self, series: _Series) -> bool:
        """Whether all were refused for the first time, and not by this host."""
        once = len(series.sent_ns) == series.count
        return (
            once
            and series.most_lost
            and series.failure is not None
            and not series.failure.of_vantage
        )


def _packed(family: socket.AddressFamily, sender: str) -> bytes:
    return socket.inet_pton(family, sender.partition("%")[0])


def _silence(timeout_s: float) -> Failure:
    return Failure(Kind.TIMEOUT, f"no reply in {timeout_s:g} s", timeout_s * 1000)


def _open(family: socket.AddressFamily) -> ICMPv4Socket | ICMPv6Socket:
    kind = ICMPv6Socket if family == socket.AF_INET6 else ICMPv4Socket
    with suppress(ICMPLibError):
        return kind(privileged=False)
    try:
        return kind(privileged=True)
    except SocketPermissionError as error:
        raise PermissionError(str(error)) from error
    except ICMPLibError as error:
        # icmplib's errors are no OSErrors, and keep the errno only as the context.
        raise OSError(_errno(error), str(error)) from error


def _errno(error: ICMPLibError) -> int:
    return getattr(error.__context__, "errno", None) or errno.EHOSTUNREACH


def _want_replies_only(sock: socket.socket) -> None:
    """A raw socket hears all ICMP of the host: let the kernel drop what is not an echo reply."""
    if sock.family == socket.AF_INET6:
        wanted = bytearray(b"\xff" * 32)
        bit = _ECHO_REPLY[socket.AF_INET6]
        word, shift = divmod(bit, 32)
        mask = struct.pack("=I", 0xFFFFFFFF & ~(1 << shift))
        wanted[word * 4 : word * 4 + 4] = mask
        sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, bytes(wanted))
    else:
        sock.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", 0xFFFFFFFE))
