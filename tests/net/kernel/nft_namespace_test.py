"""nft is asked in a namespace that nothing leaves and nothing is left of."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
from collections.abc import Callable

import pytest

from ipv6check.model import Failure, Loading
from ipv6check.net.kernel import nft_namespace

TABLE = (
    "table inet x {\n chain c {\n  type filter hook input priority 0; policy drop;\n  %s\n }\n}\n"
)
Needs = Callable[..., None]


@pytest.fixture(autouse=True)
def tools(needs: Needs) -> None:
    """All of these load something."""
    needs("nft", "unshare", "ip", root=True)


def loaded(rule: str, *interfaces: str) -> Loading | Failure:
    """What nft makes of a rule."""
    return nft_namespace.loading(TABLE % rule, interfaces)


def test_what_nft_takes_is_listed_twice() -> None:
    """As JSON and as text, with the same handles."""
    found = loaded("tcp dport 22 accept")
    assert isinstance(found, Loading)
    objects = json.loads(found.document)["nftables"]
    (handle,) = [entry["rule"]["handle"] for entry in objects if "rule" in entry]
    assert f"tcp dport 22 accept # handle {handle}" in found.listing
    assert found.nft.startswith("nft v")


def test_what_nft_refuses_is_told_with_its_line() -> None:
    """The error is nft's own."""
    found = loaded("ip protocol icmp icmpv6 type echo-request accept")
    assert isinstance(found, Loading)
    assert (found.line, found.refusal) == (4, "conflicting protocols specified: icmp vs. icmpv6")


def test_interfaces_are_made_up() -> None:
    """A rule by index wants one of that name; that this host has none says nothing of the file."""
    assert isinstance(loaded('iif "wan0" accept', "wan0"), Loading)
    assert isinstance(loaded('iif "wan0" accept'), Failure)


def test_what_this_kernel_lacks_is_no_refusal() -> None:
    """Another machine may have it."""
    found = nft_namespace._refusal(
        "nft v1", "/dev/stdin:1:2-3: Error: Could not process rule: Operation not supported\n"
    )
    assert isinstance(found, Failure)


def test_an_address_of_the_other_family_is_refused() -> None:
    """Although nft calls it a name that cannot be resolved."""
    found = loaded("ip saddr ::1 accept")
    assert isinstance(found, Loading)
    assert "Address family" in found.refusal


def test_this_host_keeps_its_rules() -> None:
    """Whatever the file flushes, adds or lists."""
    listing = ["nft", "list", "ruleset"]
    before = subprocess.run(listing, capture_output=True, check=True).stdout
    found = nft_namespace.loading(f"flush ruleset\n{TABLE % 'drop'}list ruleset\n")
    assert isinstance(found, Loading)
    assert subprocess.run(listing, capture_output=True, check=True).stdout == before


def test_no_name_is_asked_of_anybody() -> None:
    """There is no way out: neither a network nor the sockets of this host's own services."""
    found = loaded("ip6 saddr www.example.com accept")
    assert isinstance(found, Failure)
    assert "resolve" in found.detail


def test_an_endless_file_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """``monitor`` waits for ever, nft does not."""
    monkeypatch.setattr(nft_namespace, "WAIT_S", 0.5)
    found = nft_namespace.loading("monitor\n")
    assert isinstance(found, Failure)
    assert "took more than" in found.detail


def test_what_cannot_be_run_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """No place for a temporary file, or no more processes: no traceback."""

    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(nft_namespace, "TemporaryFile", full)
    found = loaded("accept")
    assert isinstance(found, Failure)
    assert found.detail == "nft cannot be run here: No space left on device"


def test_nothing_runs_on_after_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was started has a session of its own, so no signal of the terminal reaches it."""
    started: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen[bytes]):
        def wait(self, timeout: float | None = None) -> int:
            started.append(self)
            if len(started) == 1:
                raise KeyboardInterrupt
            return super().wait(timeout)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        nft_namespace.loading("monitor\n")
    assert started[0].returncode == -signal.SIGKILL


def test_a_file_that_grows_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable is the last one many times: memory and time have a limit."""
    monkeypatch.setattr(nft_namespace, "WAIT_S", 2.0)
    names = [f"define v{at} = {{ {', '.join([f'$v{at - 1}'] * 60)} }}" for at in range(1, 7)]
    text = "\n".join(["define v0 = { 1, 2, 3 }", *names, TABLE % "tcp dport $v6 accept"])
    assert isinstance(nft_namespace.loading(text), Failure)


def test_without_a_namespace_nft_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user in a container, for one."""
    monkeypatch.setattr(nft_namespace, "UNSHARE", (("--no-such-option",),))
    found = loaded("accept")
    assert found == Failure(found.kind, "no network namespace can be made here")  # type: ignore[union-attr]
