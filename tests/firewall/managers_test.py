"""Real ufw and firewalld, as Debian ships them: what they load in a namespace is judged right."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ipv6check.firewall.evaluate import judge
from ipv6check.firewall.notation import read
from ipv6check.firewall.packets import packet
from ipv6check.firewall.readiness import ReviewScope, review
from ipv6check.model import Finding

# Everything that either would write to is a copy of this test's own, in a mount namespace.
PRIVATE = """
set -eu
work=$(mktemp -d)
mount -t tmpfs none /run
mount -t tmpfs none "$work"
for path in "$@"; do
    [ -e "$path" ] || continue
    copy=$work/$(echo "$path" | tr / _)
    cp -a "$path" "$copy"
    mount --bind "$copy" "$path"
done
ip link set lo up
"""
UFW = (
    PRIVATE
    + """
save() { ip6tables-save >"$1.v6"; iptables-save >"$1.v4"; }
ufw --force enable
save default
ufw allow 443
save allow-443
ufw deny 443
save deny-443
printf 'IPV6=no\\n' >>/etc/default/ufw
ufw reload
save no-ipv6
"""
)
FIREWALLD = (
    PRIVATE
    + """
cat >"$work/bus.conf" <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=$work/bus</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
END
export DBUS_SYSTEM_BUS_ADDRESS="unix:path=$work/bus"
sed -i "s/^FirewallBackend=.*/FirewallBackend=$BACKEND/" /etc/firewalld/firewalld.conf
dbus-daemon --config-file="$work/bus.conf" --nofork --nopidfile 2>/dev/null &
bus=$!
until [ -S "$work/bus" ]; do sleep 0.05; done
firewalld --nofork --nopid &
daemon=$!
trap 'kill $daemon $bus; wait || true' EXIT
tries=0
until timeout 5 firewall-cmd --state >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 200 ]
    sleep 0.1
done
save() { nft list ruleset >"$1.nft"; ip6tables-save >"$1.v6"; iptables-save >"$1.v4"; }
save default
firewall-cmd --add-service=https
save allow-443
firewall-cmd --add-icmp-block=packet-too-big --add-icmp-block=echo-request
save blocks
"""
)
UNSHARE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child")
PATHS = ("/etc/ufw", "/etc/default/ufw", "/etc/firewalld", "/var/log")


def run(script: str, directory: Path, **environment: str) -> None:
    """Run a script in its own network and mount namespace; it leaves its dumps in the directory."""
    done = subprocess.run(
        [*UNSHARE, "sh", "-c", script, "sh", *PATHS],
        cwd=directory,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def ufw(needs: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dumps of what ufw loads."""
    needs("unshare", "ufw", "ip6tables-save", root=True)
    directory = tmp_path_factory.mktemp("ufw")
    run(UFW, directory)
    return directory


@pytest.fixture(scope="module", params=["nftables", "iptables"])
def firewalld(
    request: pytest.FixtureRequest,
    needs: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Dumps of what firewalld loads, with each of its backends."""
    needs("unshare", "firewalld", "dbus-daemon", "nft", "ip6tables-save", root=True)
    directory = tmp_path_factory.mktemp("firewalld")
    run(FIREWALLD, directory, BACKEND=request.param)
    return directory


def verdicts(directory: Path, name: str) -> Mapping[str, str]:
    """What becomes of the packets that tell most, by a name each."""
    rules = read(files(directory, name))
    asked = {
        "tcp/22": {"proto": "tcp", "dport": 22},
        "tcp/443": {"proto": "tcp", "dport": 443},
        "tcp/443 over IPv4": {"proto": "tcp", "dport": 443, "family": 4},
        "echo": {"proto": "icmpv6", "type": 128, "saddr": "2000::/3"},
        "too big": {"proto": "icmpv6", "type": 2, "ct": "related"},
        "solicitation": {"proto": "icmpv6", "type": 135},
        "advertisement": {"proto": "icmpv6", "type": 134},
    }
    return {key: judge(rules, packet(probe)).verdict for key, probe in asked.items()}


def files(directory: Path, name: str) -> list[tuple[str, str]]:
    """The dumps of one moment that have anything in them."""
    texts = [(path.name, path.read_text()) for path in sorted(directory.glob(f"{name}.*"))]
    return [(path, text) for path, text in texts if text.strip()]


def findings(directory: Path, name: str, *ports: str) -> list[Finding]:
    """What the review says, with these TCP ports to be open."""
    question = ReviewScope(tuple(("tcp", port) for port in ports))
    return list(review(read(files(directory, name)), question).findings)


NEEDED = {
    "echo": "accept",
    "too big": "accept",
    "solicitation": "accept",
    "advertisement": "accept",
}
SHUT = {"tcp/22": "drop", "tcp/443": "drop", "tcp/443 over IPv4": "drop"}


def test_ufw_as_it_comes(ufw: Path) -> None:
    """Everything in is dropped, and IPv6 itself works: nothing to find."""
    assert verdicts(ufw, "default") == SHUT | NEEDED
    assert [finding.status for finding in findings(ufw, "default")] == ["pass"]


def test_ufw_allow_443(ufw: Path) -> None:
    """One command opens the port over both families."""
    assert verdicts(ufw, "allow-443") == {
        **SHUT,
        **NEEDED,
        "tcp/443": "accept",
        "tcp/443 over IPv4": "accept",
    }
    assert [finding.status for finding in findings(ufw, "allow-443", "443")] == ["pass"]


def test_ufw_deny_443(ufw: Path) -> None:
    """A port that is asked for and shut over both families alike is a warning, no IPv6 fault."""
    assert verdicts(ufw, "deny-443") == SHUT | NEEDED
    found = findings(ufw, "deny-443", "443")
    assert sorted(finding.status for finding in found) == ["pass", "warn"]


def test_ufw_without_ipv6_drops_all_of_it(ufw: Path) -> None:
    """IPV6=no does not leave IPv6 alone: every policy is drop, neighbour discovery is gone."""
    found = verdicts(ufw, "no-ipv6")
    assert {value for key, value in found.items() if "IPv4" not in key} == {"drop"}
    failed = [finding for finding in findings(ufw, "no-ipv6") if finding.status == "fail"]
    assert any("neighbour solicitation" in finding.message for finding in failed)
    assert any("packet-too-big" in finding.message for finding in failed)


def test_firewalld_as_it_comes(firewalld: Path) -> None:
    """The zone public lets SSH in, rejects the rest, and leaves IPv6 working."""
    shut = {"tcp/443": "reject", "tcp/443 over IPv4": "reject"}
    assert verdicts(firewalld, "default") == {**NEEDED, **shut, "tcp/22": "accept"}
    assert [finding.status for finding in findings(firewalld, "default")] == ["pass"]


def test_firewalld_add_service(firewalld: Path) -> None:
    """The service https opens its port over both families."""
    found = verdicts(firewalld, "allow-443")
    assert (found["tcp/443"], found["tcp/443 over IPv4"]) == ("accept", "accept")


def test_firewalld_cannot_block_packet_too_big_of_a_flow(firewalld: Path) -> None:
    """Its icmp-block comes after established and related: echo is shut, the known error is not."""
    found = verdicts(firewalld, "blocks")
    assert (found["too big"], found["echo"]) == ("accept", "reject")
