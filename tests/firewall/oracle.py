"""What the kernel itself makes of packets: rules in one network namespace, frames from another.

    with Oracle() as oracle:
        [seen] = oracle.ask([("nft", text)], [{"proto": "tcp", "dport": 22}])

One process holds both namespaces and serves hundreds of rule sets; nothing is left when it ends.
Every packet carries a number: in its flow label or IPv4 identification, which nothing changes, and
in what an answer repeats. Base chains of our own, before and behind all others, log who comes by,
and answers are read off the wire. Nothing sleeps: sender and receiver run on one CPU in the order
of sending, so that when the frame that was sent last has come, the others are done.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.firewall.oracle_frames import (
    TCP,
    UDP,
    Packet,
    answered,
    complete,
    far_mac,
    flow_of,
    homes,
    interface_number,
    near_mac,
    numbered,
    protocol,
    request,
)
from tests.firewall.oracle_netlink import Netlink
from tests.lab.requirements import search_path, unshare_command

# What loads a file of each notation; "-legacy" is the older half of the kernel.
LOADERS = {
    "nft": ("nft", "-f", "-"),
    "json": ("nft", "-j", "-f", "-"),
    "ip6tables": ("ip6tables-nft-restore",),
    "iptables": ("iptables-nft-restore",),
    "ip6tables-legacy": ("ip6tables-legacy-restore",),
    "iptables-legacy": ("iptables-legacy-restore",),
}
PROGRAMS = {"ip": "iproute2", "mount": "mount", "nft": "nftables", "unshare": "util-linux"} | {
    command[0]: "iptables" for command in LOADERS.values() if command[0] != "nft"
}
Files = Sequence[tuple[str, str]]

_ROOT = Path(__file__).parent.parent.parent
_PATIENCE_S = 10.0
_NEW_NETWORK = 0x40000000
_SENTINEL = struct.pack("!H", 0x88B5)  # an EtherType for local experiments; no rule sees it
_SYSCTLS = {
    "net/ipv6/conf/all/accept_dad": 0,
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    "net/ipv6/conf/default/accept_redirects": 0,
    "net/ipv6/conf/default/router_solicitations": 0,
    "net/ipv6/conf/all/forwarding": 1,
    "net/ipv6/auto_flowlabels": 0,
    "net/ipv6/icmp/ratelimit": 0,
    "net/ipv4/ip_forward": 1,
    "net/ipv4/icmp_ratemask": 0,
    "net/ipv4/conf/all/send_redirects": 0,
    "net/ipv4/conf/default/send_redirects": 0,
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
    "net/ipv4/conf/lo/route_localnet": 1,
    "net/ipv4/conf/lo/accept_local": 1,
}
_GROUP = 4711
_BEFORE, _CONNTRACK, _BEHIND = -2_000_000_000, -200, 2_000_000_000
_PLACES = (
    ("routing", "prerouting", _BEHIND),
    ("into input", "input", _BEFORE),
    ("input", "input", _BEHIND),
    ("into forward", "forward", _BEFORE),
    ("forward", "forward", _BEHIND),
    ("out", "postrouting", _BEHIND),
    ("answer", "output", _BEFORE),
)
_STATES = ("new", "established", "related", "invalid", "untracked")


class RefusedError(Exception):
    """The kernel, or the tool that loads it, does not take the rules."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of one packet.

    ``verdict``: accept, drop, reject, or ignored, where the rules let it go and the host has no
    use for it. ``answer``: rst, "icmpv6 1/4", syn-ack, udp, echo-reply; ``blocked`` if it did not
    get out. ``hook``: the last that it came to. ``state``: conntrack's, where that was asked for.
    """

    verdict: str
    answer: str | None
    blocked: bool
    hook: str
    state: str | None


class Oracle:
    """The two namespaces, from `with` to the end of its block."""

    def __init__(self) -> None:
        self._worker: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def ask(
        self,
        files: Files,
        packets: Sequence[Mapping[str, Any]],
        *,
        interfaces: Sequence[str] = (),
        states: bool = False,
    ) -> list[Seen]:
        """What becomes of each packet behind these files, (notation, text) each.

        To ask for ``states`` switches conntrack on, which also puts fragments together.

        Raises RefusedError.
        """
        wanted = {"packets": list(packets), "states": states}
        return [Seen(**answer) for answer in self._call("ask", files, interfaces, wanted)]

    def listings(
        self, files: Files, commands: Sequence[Sequence[str]], interfaces: Sequence[str] = ()
    ) -> list[str]:
        """What these commands print where the files are loaded. Raises RefusedError."""
        printed: list[str] = self._call("listings", files, interfaces, {"commands": commands})
        return printed

    def _call(
        self, what: str, files: Files, interfaces: Sequence[str], arguments: dict[str, Any]
    ) -> Any:
        worker = self._worker = self._worker or _start()
        assert worker.stdin
        assert worker.stdout
        worker.stdin.write(json.dumps([what, files, interfaces, arguments]) + "\n")
        worker.stdin.flush()
        reply = json.loads(worker.stdout.readline() or '{"error": "it ended without a word"}')
        if "error" in reply or any(notation.endswith("-legacy") for notation, _ in files):
            # What was once in the older half of the kernel never quite leaves its namespace.
            self._stop()
        if "refused" in reply:
            raise RefusedError(reply["refused"])
        if "error" in reply:
            raise RuntimeError(f"the oracle failed: {reply['error']}")
        return reply["found"]

    def _stop(self) -> None:
        if self._worker:
            self._worker.communicate()
        self._worker = None


def _start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*unshare_command(), sys.executable, "-m", "tests.firewall.oracle"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
        env=os.environ | {"PATH": search_path()},
        start_new_session=True,
    )


@functools.cache
def unavailable(notation: str = "nft") -> str | None:
    """Why the kernel cannot be asked here, or None if it can."""
    for program, package in PROGRAMS.items():
        if shutil.which(program, path=search_path()) is None:
            return f"the oracle needs {program} (Debian package {package})"
    text = "*filter\nCOMMIT\n" if "tables" in notation else "table inet t {\n}\n"
    try:
        with Oracle() as oracle:
            oracle.ask([(notation, text)], [{"proto": "tcp", "dport": 1}])
    except (RuntimeError, RefusedError) as error:
        return f"the oracle cannot use {notation} here: {error}"
    return None


# --- the process inside


class _Network:
    """Two network namespaces, joined by cables: ours, with the rules, and that of the peer."""

    def __init__(self) -> None:
        # All in one place: see the module's docstring.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        # iptables keeps its lock there, and /run belongs to the machine.
        _run(["mount", "-t", "tmpfs", "tmpfs", "/run"])
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._near_space = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        _set_kernel(_SYSCTLS)
        self._checked(self._libc.unshare(_NEW_NETWORK))
        self._far_space = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        _set_kernel({"net/ipv6/conf/default/disable_ipv6": 1})
        self._far = _packet_socket()
        self._enter(self._near_space)
        self._near = _packet_socket()
        self.interfaces: list[str] = []
        _ip(["link set lo up"])
        self.connect(["eth0", "eth1"])
        _ip(["route add ::/0 dev eth0", "route add 0.0.0.0/0 dev eth0"])

    def connect(self, names: Sequence[str]) -> None:
        """Add these interfaces, each with a cable to the peer."""
        near, far = [], []
        for name in names:
            peer = f"far{interface_number(name)}"
            cable = f"name {peer} address {far_mac(name)} netns /proc/self/fd/{self._far_space}"
            near += [
                f"link add {name} address {near_mac(name)} type veth peer {cable}",
                # Without ARP nobody has to be asked who has an address.
                f"link set {name} addrgenmode none arp off up",
                *(
                    f"addr add {home} dev {name}" + " nodad" * (home.version == 6)
                    for home in homes(name)
                ),
            ]
            far.append(f"link set {peer} up")
        _ip(near, self._far_space)
        self._enter(self._far_space)
        _ip(far)
        self._enter(self._near_space)
        self.interfaces += names
        for name in names:
            self.settle(name)

    def remove(self, names: Sequence[str]) -> None:
        """Take these interfaces away again."""
        _ip([f"link del {name}" for name in names])
        self.interfaces = [name for name in self.interfaces if name not in names]

    def send(self, packet: Packet, data: bytes) -> None:
        """A packet comes in on its interface."""
        name, kind = packet["iif"], b"\x86\xdd" if data[0] >> 4 == 6 else b"\x08\x00"
        if name == "lo":
            self._near.sendto(bytes(12) + kind + data, ("lo", 0))
            return
        ends = _link_address(packet) + bytes.fromhex(far_mac(name).replace(":", ""))
        self._far.sendto(ends + kind + data, (f"far{interface_number(name)}", 0))

    def settle(self, name: str = "eth0") -> list[bytes]:
        """When all that went in has had its effect: what has come out since."""
        found: list[bytes] = []
        token = bytes(12) + _SENTINEL + os.urandom(46)
        deadline = time.monotonic() + _PATIENCE_S
        peer = f"far{interface_number(name)}"
        ways = ((self._far, peer, self._near), (self._near, name, self._far))
        for sender, interface, receiver in ways:
            # A new cable may lose what comes first.
            while not _arrived(token, sender, interface, receiver, found):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"nothing gets through {name}")
        return found

    def _enter(self, space: int) -> None:
        self._checked(self._libc.setns(space, _NEW_NETWORK))

    def _checked(self, result: int) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), "cannot make or enter a network namespace")


def _packet_socket() -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    made.settimeout(0.02)
    return made


def _arrived(
    token: bytes, sender: socket.socket, name: str, receiver: socket.socket, found: list[bytes]
) -> bool:
    with contextlib.suppress(OSError):
        sender.sendto(token, (name, 0))
    while True:
        try:
            frame, (came_by, _, direction, *_) = receiver.recvfrom(2048)
        except TimeoutError:
            return False
        if frame == token:
            return True
        answers = came_by.startswith("far") or came_by == "lo"
        if answers and direction != socket.PACKET_OUTGOING and frame[12:14] != _SENTINEL:
            found.append(frame[14:])


def _link_address(packet: Packet) -> bytes:
    address = ip_address(packet["daddr"])
    if address.is_multicast and address.version == 6:
        return b"\x33\x33" + address.packed[12:]
    if address.is_multicast:
        return b"\x01\x00\x5e" + bytes((address.packed[1] & 0x7F,)) + address.packed[2:]
    if packet["daddr"] == "255.255.255.255":
        return b"\xff" * 6
    return bytes.fromhex(near_mac(packet["iif"]).replace(":", ""))


class _Worker:
    """Answers what `Oracle` asks, one thing at a time."""

    def __init__(self) -> None:
        self._network = _Network()
        self._netlink = Netlink()
        self._netlink.listen(_GROUP)
        self._count = 0

    def ask(
        self,
        files: Files,
        interfaces: Sequence[str],
        packets: Sequence[Packet],
        states: bool,  # noqa: FBT001
    ) -> list[dict[str, Any]]:
        """See Oracle.ask."""
        sent = {self._number(): complete(packet) for packet in packets}
        used = [packet[key] for packet in sent.values() for key in ("iif", "oif") if key in packet]
        with self._interfaces([*interfaces, *used]), _placed(sent.values(), self._network):
            _load(files, _table(states=states))
            self._netlink.forget()
            for number, packet in sent.items():
                if flow := flow_of(packet, number):
                    self._netlink.begin(flow)
            with _listening(sent.values()) as datagrams:
                return [asdict(answer) for answer in self._send(sent, datagrams)]

    def listings(
        self, files: Files, interfaces: Sequence[str], commands: Sequence[Sequence[str]]
    ) -> list[str]:
        """See Oracle.listings."""
        with self._interfaces(interfaces):
            _load(files, "")
            return [_run(command) for command in commands]

    def _number(self) -> int:
        self._count = self._count % 0xFFFF + 1
        return self._count

    @contextlib.contextmanager
    def _interfaces(self, names: Sequence[str]) -> Iterator[None]:
        new = [n for n in dict.fromkeys(names) if n not in {"lo", *self._network.interfaces}]
        self._network.connect(new)
        try:
            yield
        finally:
            # A device with rules of its own cannot always go before them.
            _run(["nft", "flush", "ruleset"]) if new else None
            self._network.remove(new)

    def _send(self, sent: Mapping[int, Packet], datagrams: Sequence[socket.socket]) -> list[Seen]:
        log: list[tuple[str, bytes]] = []
        for number, packet in sent.items():
            self._network.send(packet, request(packet, number))
            log += self._netlink.logged()
        frames = self._network.settle()
        if sum(map(_reply, datagrams)):
            frames += self._network.settle()
        log += self._netlink.logged()
        places: defaultdict[int, set[str]] = defaultdict(set)
        tried, heard = dict[int, str](), dict[int, str]()
        for place, data in log:
            if place != "answer":
                places[numbered(data)].add(place)
            elif told := answered(data):
                tried.setdefault(*told)
        for data in frames:
            # What was let through to another interface comes out too.
            if (told := answered(data)) and told[0] != numbered(data):
                heard.setdefault(*told)
        return [_seen(places[number], tried.get(number), heard.get(number)) for number in sent]


def _seen(places: set[str], tried: str | None, heard: str | None) -> Seen:
    answer = heard or tried
    kinds = {"into forward": "forward", "into input": "input"}
    hook = next((kinds[place] for place in kinds if place in places), "prerouting")
    if "input" in places or {"forward", "out"} <= places:
        verdict = "accept"
    elif hook == "prerouting" and "routing" in places:
        verdict = "ignored"
    else:
        denied = answer is not None and answer.startswith(("rst", "icmpv6 1/", "icmp 3/"))
        verdict = "reject" if denied else "drop"
    state = next((state for state in _STATES if state in places), None)
    return Seen(verdict, answer, heard is None and tried is not None, hook, state)


def _table(*, states: bool) -> str:
    def chain(name: str, hook: str, priority: int, rules: str) -> str:
        kind = f"type filter hook {hook} priority {priority}; policy accept"
        return f"chain {name.replace(' ', '_')} {{\n{kind}\n{rules}\n}}\n"

    def log(name: str) -> str:
        return f'log prefix "{name}" group {_GROUP}'

    chains = [chain(name, hook, priority, log(name)) for name, hook, priority in _PLACES]
    if states:
        rules = "\n".join(f"ct state {state} {log(state)}" for state in _STATES)
        chains.append(chain("states", "prerouting", _CONNTRACK + 1, rules))
    return f"table inet zz_oracle {{\n{''.join(chains)}}}\n"


def _load(files: Files, table: str) -> None:
    texts = [f"{text}\n" for notation, text in files if notation == "nft"]
    others = [(notation, text) for notation, text in files if notation != "nft"]
    # Theirs may flush all there is, and the table must come behind it.
    json_there = any(notation == "json" for notation, _ in others)
    _run(LOADERS["nft"], "".join(("flush ruleset\n", *texts, "" if json_there else table)))
    for notation, text in others:
        _run(LOADERS[notation], f"{text}\n")
    if json_there:
        _run(LOADERS["nft"], table)


@contextlib.contextmanager
def _placed(packets: Iterator[Packet] | Any, network: _Network) -> Iterator[None]:
    """Give each packet a source behind its interface, and a destination where it shall get to."""
    known = [(name, home) for name in network.interfaces for home in homes(name)]
    lines: dict[str, str] = {}
    groups: dict[tuple[str, str], None] = {}
    for packet in packets:
        source, target = ip_address(packet["saddr"]), ip_address(packet["daddr"])
        if packet["iif"] == "lo":
            continue
        behind = [name for name, home in known if source in home.network] or ["eth0"]
        if packet["iif"] not in behind and int(source) and not source.is_link_local:
            lines[f"route add {source} dev {packet['iif']}"] = f"route del {source}"
        if packet["hook"] == "forward":
            if not any(n == packet["oif"] and target in home.network for n, home in known):
                lines[f"route add {target} dev {packet['oif']}"] = f"route del {target}"
        elif target.is_multicast:
            groups[packet["daddr"], packet["iif"]] = None
        elif packet["daddr"] != "255.255.255.255" and all(target != h.ip for _, h in known):
            place = f"{target}/{target.max_prefixlen} dev {packet['iif']}"
            lines[f"addr add {place}{' nodad' * (target.version == 6)}"] = f"addr del {place}"
    with contextlib.ExitStack() as joined:
        for group, name in groups:
            joined.enter_context(_joined(group, name))
        if lines:
            joined.callback(_ip, list(lines.values()))
            _ip(list(lines))
        yield


def _joined(group: str, name: str) -> socket.socket:
    address, index = ip_address(group).packed, socket.if_nametoindex(name)
    if len(address) == 16:
        member = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        level, option = socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP
        value = address + struct.pack("=I", index)
    else:
        member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        level, option = socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP
        value = address + bytes(4) + struct.pack("=I", index)
    with contextlib.suppress(OSError):  # some groups one is in anyway
        member.setsockopt(level, option, value)
    return member


@contextlib.contextmanager
def _listening(packets: Any) -> Iterator[list[socket.socket]]:
    """Somebody is there on every port that is asked for; those of UDP are given back."""
    kinds = {TCP: socket.SOCK_STREAM, UDP: socket.SOCK_DGRAM}
    wanted = {
        (kinds[protocol(packet)], packet["dport"])
        for packet in packets
        if protocol(packet) in kinds and packet["hook"] == "input"
    }
    with contextlib.ExitStack() as stack:
        datagrams = []
        for kind, port in wanted:
            made = stack.enter_context(socket.socket(socket.AF_INET6, kind))
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(("::", port))
            if kind == socket.SOCK_STREAM:
                made.listen(64)
            else:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
                made.settimeout(0)
                datagrams.append(made)
        yield datagrams


def _reply(datagrams: socket.socket) -> bool:
    """Send back what has come, from the address that it was sent to."""
    came = False
    with contextlib.suppress(BlockingIOError):
        while True:
            data, about, _, sender = datagrams.recvmsg(2048, 256)
            came = True
            with contextlib.suppress(OSError):  # rules may forbid it, and a group has no voice
                datagrams.sendmsg([data], about, 0, sender)
    return came


def _set_kernel(values: Mapping[str, int]) -> None:
    for name, value in values.items():
        Path("/proc/sys", name).write_text(str(value))


def _ip(lines: Sequence[str], *fds: int) -> None:
    if lines:
        _run(["ip", "-batch", "-"], "\n".join(lines), *fds)


def _run(command: Sequence[str], text: str = "", *fds: int) -> str:
    done = subprocess.run(
        command,
        input=text,
        check=False,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        pass_fds=fds,
    )
    if done.returncode != 0:
        raise RefusedError(f"{command[0]}: {' '.join(done.stderr.split())}")
    return done.stdout


def main() -> None:
    """Serve requests, a line of JSON each, until there are no more."""
    worker: _Worker | None = None
    for line in sys.stdin:
        what, files, interfaces, arguments = json.loads(line)
        try:
            worker = worker or _Worker()
            reply = {"found": getattr(worker, what)(files, interfaces, **arguments)}
        except RefusedError as refused:
            reply = {"refused" if worker else "error": str(refused)}
        except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
