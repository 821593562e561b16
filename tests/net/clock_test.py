"""When a datagram arrived, whatever happens to the wall clock."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

import pytest

from ipv6check.net import clock

MS = 1_000_000
EPOCH_NS = 1_800_000_000_000_000_000


@dataclass
class Clocks:
    """Both clocks of a machine, put forward by hand."""

    monotonic_ns: int = 5_000 * MS
    wall_ns: int = EPOCH_NS

    def pass_ms(self, ms: int) -> None:
        """Time passes for both."""
        self.monotonic_ns += ms * MS
        self.wall_ns += ms * MS

    def stamp(self) -> clock.Ancillary:
        """What the kernel writes on a datagram that arrives now."""
        data = clock._TIMESPEC.pack(*divmod(self.wall_ns, 1_000_000_000))
        return [(socket.SOL_SOCKET, clock.SO_TIMESTAMPNS, data)]


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    """Clocks that stand still unless the test moves them."""
    made = Clocks()
    monkeypatch.setattr(time, "monotonic_ns", lambda: made.monotonic_ns)
    monkeypatch.setattr(time, "time_ns", lambda: made.wall_ns)
    return made


def test_a_busy_loop_is_not_the_network(clocks: Clocks) -> None:
    """A reply that waits 100 ms to be read took the 7 ms that it was on the way."""
    sent_ns = clock.now_ns()
    clocks.pass_ms(7)
    stamp = clocks.stamp()
    clocks.pass_ms(100)
    assert clock.elapsed_ms(sent_ns, clock.arrival_ns(stamp)) == 7.0


@pytest.mark.parametrize("step_s", [3600, 0.5, -0.5, -3600])
def test_a_step_on_the_way_changes_nothing(clocks: Clocks, step_s: float) -> None:
    """The wall clock is set while the question is in flight."""
    sent_ns = clock.now_ns()
    clocks.pass_ms(4)
    clocks.wall_ns += int(step_s * 1e9)
    clocks.pass_ms(3)
    stamp = clocks.stamp()
    clocks.pass_ms(100)
    assert clock.elapsed_ms(sent_ns, clock.arrival_ns(stamp)) == 7.0


@pytest.mark.parametrize("step_s", [3600, -3600])
def test_a_step_before_it_is_read(clocks: Clocks, step_s: float) -> None:
    """Then the stamp tells nothing, and it has come when it is read: never less, never more."""
    sent_ns = clock.now_ns()
    clocks.pass_ms(7)
    stamp = clocks.stamp()
    clocks.wall_ns += int(step_s * 1e9)
    clocks.pass_ms(1)
    assert clock.elapsed_ms(sent_ns, clock.arrival_ns(stamp)) == 8.0


def test_no_stamp(clocks: Clocks) -> None:
    """Without one it has come now."""
    sent_ns = clock.now_ns()
    clocks.pass_ms(7)
    assert clock.elapsed_ms(sent_ns, clock.arrival_ns([])) == 7.0
