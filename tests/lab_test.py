"""The test internet itself, seen by tools other than ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import dns
import pytest

from tests.lab import Lab, LabError, plan, scenarios
from tests.lab.requirements import FIREWALLS, PACKAGES, READERS
from tests.pace import Lag

Argument = TypeVar("Argument")
Value = TypeVar("Value")

pytestmark = pytest.mark.lab
ROOT = Path(__file__).parent.parent
NOBODY = 65534

CONNECT = """
import errno, socket, sys, time
address, port, patience = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
with socket.socket(family, socket.SOCK_STREAM) as tcp:
    tcp.settimeout(patience)
    start = time.monotonic()
    try:
        tcp.connect((address, port))
        outcome = "connected"
    except TimeoutError:
        outcome = "timeout"
    except OSError as error:
        outcome = errno.errorcode[error.errno]
    print(outcome, time.monotonic() - start)
"""
ASK_AND_WAIT = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1) as tcp:
    tcp.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    tcp.settimeout(0.5)
    try:
        print("bytes" if tcp.recv(1) else "closed")
    except TimeoutError:
        print("silence")
"""

# What connect() reports: IPv6, IPv4.
OUTCOMES = {
    "open": ("connected", "connected"),
    "drop": ("timeout", "timeout"),
    "silent": ("timeout", "timeout"),
    "reset": ("ECONNREFUSED", "ECONNREFUSED"),
    "no-route": ("ENETUNREACH", "ENETUNREACH"),
    "admin-prohibited": ("EACCES", "EHOSTUNREACH"),
    "addr-unreachable": ("EHOSTUNREACH", "EHOSTUNREACH"),
    "port-unreachable": ("ECONNREFUSED", "ECONNREFUSED"),
    "policy-fail": ("EACCES", "EHOSTUNREACH"),
    "reject-route": ("EACCES", "ENETUNREACH"),
    "no-ping": ("connected", "connected"),
    "ping-prohibited": ("connected", "connected"),
    "only-80": ("ECONNREFUSED", "ECONNREFUSED"),
    "only-443": ("connected", "connected"),
    "drop-443": ("timeout", "timeout"),
    "half-loss": ("connected", "connected"),
    "stall": ("connected", "connected"),
    "reset-data": ("connected", "connected"),
    "tls-alert": ("connected", "connected"),
    "tls-none": ("connected", "connected"),
    "pmtu-hole": ("connected", "connected"),
    "once": ("connected", "connected"),
    "lose-one": ("timeout", "timeout"),
    "no-route-once": ("ENETUNREACH", "ENETUNREACH"),
    "icmp-after-tcp": ("connected", "connected"),
    "icmp-for-data": ("connected", "connected"),
    "tls-named": ("connected", "connected"),
}
NO_IPV4 = ("ipv6-only", "dead-ipv4")
NO_PING = ("silent", "no-ping", "ping-prohibited")
SLOW = [behaviour.name for behaviour in plan.BEHAVIOURS.values() if behaviour.rtt_ms]
HOSTILE = plan.HOSTILE.ipv4


def connect(
    lab: Lab, client: str, address: object, port: int = 443, patience_s: float = 0.5
) -> tuple[str, float]:
    """The outcome of a TCP connect in a client, and after how many seconds."""
    arguments = (str(address), str(port), str(patience_s))
    run = lab.run(client, [sys.executable, "-c", CONNECT, *arguments])
    assert run.returncode == 0, run.stderr
    outcome, elapsed_s = run.stdout.split()
    return outcome, float(elapsed_s)


def ping(lab: Lab, client: str, address: object, count: int = 2) -> int:
    """How many echo replies come back."""
    options = ("-n", "-i", "0.02", "-W", "0.3", "-c", str(count))
    run = lab.run(client, ["ping", *options, str(address)])
    return run.stdout.count("bytes from")


def dig(lab: Lab, client: str, *query: str) -> str:
    """The status and the answers, or nothing where nobody answers."""
    options = ("+time=1", "+tries=1", "+noall", "+comments", "+answer")
    run = lab.run(client, ["dig", *options, *query])
    if run.returncode != 0:
        return ""
    status = run.stdout.partition("status: ")[2].partition(",")[0]
    records = [line.split()[3:] for line in run.stdout.splitlines() if line[:1] not in ("", ";")]
    return " ".join([status, *(" ".join(record) for record in records)])


def both(behaviour: str, n: int = 77) -> tuple[str, str]:
    """An IPv6 and an IPv4 address of a behaviour."""
    return str(plan.address6(behaviour, n)), str(plan.address4(behaviour, n))


def together(function: Callable[[Argument], Value], arguments: Iterable[Argument]) -> list[Value]:
    """The values of a function that waits for the network, in order, for the price of one wait."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(function, arguments))


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it comes true in that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.timing
@pytest.mark.parametrize("behaviour", OUTCOMES)
def test_connect(lab: Lab, behaviour: str, lag: Lag) -> None:
    """Each behaviour gives connect() its own outcome, and every rejection comes at once."""
    tries = together(lambda address: connect(lab, "dual", address), both(behaviour))
    assert OUTCOMES[behaviour] == tuple(outcome for outcome, _ in tries)
    assert all(elapsed_s < 0.3 + lag.s for outcome, elapsed_s in tries if outcome != "timeout")


def test_every_behaviour_is_tested() -> None:
    """No behaviour of the plan is without a test of its connect()."""
    assert set(plan.BEHAVIOURS) == {*OUTCOMES, *SLOW, "lossy", "accept-reset"}


@pytest.mark.parametrize("behaviour", [name for name in OUTCOMES if name != "half-loss"])
def test_ping(lab: Lab, behaviour: str) -> None:
    """Ping answers unless the behaviour says otherwise, whatever TCP does."""
    expected = 0 if behaviour in NO_PING else 2
    replies = together(lambda address: ping(lab, "dual", address), both(behaviour))
    assert [expected, expected] == replies


def test_accept_reset(lab: Lab) -> None:
    """The reset follows the handshake so closely that connect() may tell of it, or not."""
    tries = together(lambda address: connect(lab, "dual", address), both("accept-reset"))
    assert {outcome for outcome, _ in tries} <= {"connected", "ECONNRESET"}


def test_half_loss(lab: Lab) -> None:
    """Every second echo is lost, also when an odd number went before."""
    for count, replies in ((3, 2), (4, 2), (1, 1)):
        for address in both("half-loss"):
            assert replies == ping(lab, "dual", address, count)


@pytest.mark.timing
def test_lossy(lab: Lab, lag: Lag) -> None:
    """The first SYN of a flow is lost, so connect() takes the second that its timer waits."""
    tries = together(lambda address: connect(lab, "dual", address, patience_s=3), both("lossy"))
    assert {"connected"} == {outcome for outcome, _ in tries}
    assert all(0.95 < elapsed_s < 1.3 + lag.s for _, elapsed_s in tries)


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [("only-80", "connected"), ("only-443", "ECONNREFUSED"), ("drop-443", "connected")],
)
def test_port_80(lab: Lab, behaviour: str, outcome: str) -> None:
    """Port 80 differs from port 443 where the behaviour says so."""
    assert {outcome} == {connect(lab, "dual", address, 80)[0] for address in both(behaviour)}


@pytest.mark.timing
@pytest.mark.parametrize("behaviour", SLOW)
def test_delay(lab: Lab, behaviour: str, lag: Lag) -> None:
    """A slow path has its round-trip time to within two milliseconds."""
    rtt_s = plan.BEHAVIOURS[behaviour].rtt_ms / 1000
    outcome = "ECONNREFUSED" if behaviour.endswith("-reset") else "connected"

    def accurate(address: str) -> bool:
        # A try that is too slow is repeated: what a busy test machine adds is not the cable's.
        tries = (connect(lab, "dual", address, patience_s=3) for _ in range(5))
        return any(o == outcome and rtt_s <= s < rtt_s + 0.002 + lag.s for o, s in tries)

    assert together(accurate, both(behaviour)) == [True, True]


def test_stall(lab: Lab) -> None:
    """A stalled service accepts, and then not a byte comes."""
    places = [(address, port) for address in both("stall") for port in ("80", "443")]
    command = (sys.executable, "-c", ASK_AND_WAIT)
    heard = together(lambda place: lab.run("dual", [*command, *place]).stdout, places)
    assert heard == ["silence\n"] * 4


@pytest.mark.parametrize(
    ("port", "outcomes"),
    [
        (22, ("ECONNREFUSED", "ECONNREFUSED")),
        (8081, ("ECONNREFUSED", "connected")),
        (8082, ("connected", "ECONNREFUSED")),
        (8083, ("connected", "connected")),
    ],
)
def test_listeners(lab: Lab, port: int, outcomes: tuple[str, str]) -> None:
    """Some ports listen over one family only, and where nobody listens the kernel resets."""
    assert outcomes == tuple(connect(lab, "dual", address, port)[0] for address in both("open"))


def test_tls(lab: Lab) -> None:
    """Port 443 speaks TLS with a certificate for the lab's names."""
    server = f"[{plan.address6('open', 77)}]:443"
    run = lab.run("dual", ["openssl", "s_client", "-connect", server], input="", timeout=5)
    assert "CN = lab.test" in run.stdout


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("open", "CN = lab.test"),
        ("tls-alert", "unrecognized name"),
        ("tls-none", "wrong version number"),
        ("reset-data", "write:errno=104"),
        ("pmtu-hole", ""),
        ("stall", ""),
    ],
)
def test_tls_faults(lab: Lab, behaviour: str, said: str) -> None:
    """OpenSSL's own client meets what the plan says, over both families; two wait for ever."""
    for address in (f"[{plan.address6(behaviour, 1)}]:443", f"{plan.address4(behaviour, 1)}:443"):
        command = ["timeout", "1", "openssl", "s_client", "-connect", address]
        run = lab.run("dual", command, input="", timeout=5)
        assert said in run.stdout + run.stderr
        assert (run.returncode == 124) == (not said)


@pytest.mark.parametrize(
    ("client", "outcomes"),
    [
        ("dual", ("connected", "connected")),
        ("ipv4-only", ("ENETUNREACH", "connected")),
        ("dead-uplink", ("timeout", "connected")),
        ("rejecting-uplink", ("ENETUNREACH", "connected")),
        ("ipv6-only", ("connected", "ENETUNREACH")),
        ("offline", ("ENETUNREACH", "ENETUNREACH")),
    ],
)
def test_clients(lab: Lab, client: str, outcomes: tuple[str, str]) -> None:
    """Each client has the connectivity that its name promises."""
    assert outcomes == tuple(connect(lab, client, address)[0] for address in both("open"))


def test_ipv4_only_has_link_local(lab: Lab) -> None:
    """The IPv4 client's kernel speaks IPv6, and has link-local and loopback addresses alone."""
    run = lab.run("ipv4-only", ["ip", "-6", "-json", "address"])
    addresses = [address for link in json.loads(run.stdout) for address in link["addr_info"]]
    assert [address["scope"] for address in addresses] == ["host", "link"]


@pytest.mark.parametrize("client", plan.CLIENTS)
def test_resolv_conf(lab: Lab, client: str) -> None:
    """A client sees one resolver, over IPv6 only where its IPv4 leads nowhere."""
    address = plan.RESOLVER.ipv6 if client in NO_IPV4 else plan.RESOLVER.ipv4
    assert f"nameserver {address}\n" == lab.run(client, ["cat", "/etc/resolv.conf"]).stdout


@pytest.mark.parametrize("root", plan.ROOT_SERVERS)
def test_root_servers(lab: Lab, root: str) -> None:
    """Every root server answers over both families at its real address."""
    for address in plan.ROOT_SERVERS[root]:
        assert dig(lab, "dual", f"@{address}", ".", "SOA").startswith("NOERROR SOA")


def test_dead_uplink_reaches_no_root_server(lab: Lab) -> None:
    """Behind a dead uplink a root server answers over IPv4 and not over IPv6."""
    ipv4, ipv6 = plan.ROOT_SERVERS["c"]
    assert dig(lab, "dead-uplink", f"@{ipv4}", ".", "SOA")
    assert not dig(lab, "dead-uplink", f"@{ipv6}", ".", "SOA")


def test_unknown_network(lab: Lab) -> None:
    """Where no prefix of the lab is, the router says that there is no route."""
    assert connect(lab, "dual", "2001:db8::1")[0] == "ENETUNREACH"
    assert connect(lab, "dual", "192.0.2.1")[0] == "ENETUNREACH"


@pytest.mark.parametrize(
    ("server", "aaaa"),
    [
        (plan.RESOLVER, "NOERROR"),
        (plan.AUTHORITATIVE, "NOERROR"),
        (plan.DNS64, "NOERROR AAAA 64:ff9b::c000:aa AAAA 64:ff9b::c000:ab"),
        (plan.DNS64_OWN_PREFIX, "NOERROR AAAA 2d00:6ab:64::c000:aa AAAA 2d00:6ab:64::c000:ab"),
        (plan.HOSTILE, "NOERROR"),
        (plan.REFUSING, "REFUSED"),
        (plan.BROKEN, "SERVFAIL"),
        (plan.SILENT, ""),
        (plan.REJECTING, ""),
    ],
    ids=lambda value: str(getattr(value, "number", "")),
)
def test_dns_servers(lab: Lab, server: plan.DnsServer, aaaa: str) -> None:
    """Each server answers for ipv4only.arpa what its role says, over both families."""
    addresses = (server.ipv4, server.ipv6)
    ask = ("ipv4only.arpa", "AAAA")
    assert [aaaa, aaaa] == together(lambda ip: dig(lab, "dual", f"@{ip}", *ask), addresses)


def test_rejecting_is_not_silent(lab: Lab) -> None:
    """The rejecting resolver says so at once, over UDP and TCP."""
    for transport in ("+notcp", "+tcp"):
        query = ["dig", "+time=1", "+tries=1", transport, f"@{plan.REJECTING.ipv4}", "test"]
        assert "connection refused" in lab.run("dual", query).stdout


AAAA_OK, A_OK = "NOERROR AAAA 2d00:6ab:1::fa", "NOERROR A 198.18.1.250"


@pytest.mark.parametrize(
    ("fault", "aaaa", "a"),
    [
        ("none", AAAA_OK, A_OK),
        ("aaaa-servfail", "SERVFAIL", A_OK),
        ("aaaa-refused", "REFUSED", A_OK),
        ("aaaa-nxdomain", "NXDOMAIN", A_OK),
        ("aaaa-notimp", "NOTIMP", A_OK),
        ("aaaa-silent", "", A_OK),
        ("a-silent", AAAA_OK, ""),
        ("both-silent", "", ""),
        ("both-servfail", "SERVFAIL", "SERVFAIL"),
        ("both-refused", "REFUSED", "REFUSED"),
        ("nxdomain", "NXDOMAIN", "NXDOMAIN"),
        ("aaaa-cname-broken", "NXDOMAIN CNAME nxdomain.hostile.test.", A_OK),
        ("truncated", AAAA_OK, A_OK),
        ("truncated-tcp-silent", "", ""),
        ("truncated-tcp-refused", "", ""),
        ("wrong-id", "", ""),
        ("wrong-question", "", ""),
        ("oversize-rdata", "NOERROR", A_OK),
        ("mapped", "NOERROR AAAA ::ffff:198.18.1.250", A_OK),
    ],
)
def test_dns_faults(lab: Lab, fault: str, aaaa: str, a: str) -> None:
    """The label names the fault, with and without a nonce in front of it."""
    queries = ((f"{fault}.hostile.test", "AAAA"), (f"nonce.{fault}.hostile.test", "A"))
    answers = together(lambda query: dig(lab, "dual", f"@{HOSTILE}", *query), queries)
    assert [aaaa, a] == answers


@pytest.mark.timing
@pytest.mark.parametrize("late", ["aaaa-late-200", "a-late-200"])
def test_late_answers(lab: Lab, late: str, lag: Lag) -> None:
    """A late answer is right, and as late as its label says; the other type is not late."""
    elapsed = {}
    for query_type in ("AAAA", "A"):
        run = lab.run("dual", ["dig", f"@{HOSTILE}", f"{late}.hostile.test", query_type])
        elapsed[query_type] = int(run.stdout.partition("Query time: ")[2].split()[0])
    late_type, other = ("AAAA", "A") if late.startswith("aaaa") else ("A", "AAAA")
    # dig's clock is coarse.
    assert 198 <= elapsed[late_type] < 220 + lag.ms
    assert elapsed[other] < 20 + lag.ms


def test_alias_faults(lab: Lab) -> None:
    """Alias chains loop, or are 40 long and then end well."""
    loop = dig(lab, "dual", f"@{HOSTILE}", "cname-loop.hostile.test", "AAAA")
    long = dig(lab, "dual", f"@{HOSTILE}", "cname-long.hostile.test", "AAAA")
    assert (loop.count("CNAME"), loop.count("AAAA")) == (2, 0)
    assert (long.count("CNAME"), long.count("AAAA")) == (40, 1)


def test_many_addresses(lab: Lab) -> None:
    """As many addresses as the label says, in a fixed order."""
    answers = [dig(lab, "dual", f"@{HOSTILE}", "many-200.hostile.test", "AAAA") for _ in range(2)]
    assert [answer.count("AAAA") for answer in answers] == [200, 200]
    assert answers[0] == answers[1]


def test_control_characters(lab: Lab) -> None:
    """Alias and PTR hold bytes that a terminal would obey, also through the resolver."""
    for server in (HOSTILE, plan.RESOLVER.ipv4):
        alias = dig(lab, "dual", f"@{server}", "control.hostile.test", "AAAA")
        ptr = dig(lab, "dual", f"@{server}", "-x", str(plan.address6("open", plan.CONTROL_N)))
        assert r"evil\027[31m\007\155\133\127\010\013.hostile.test." in alias
        assert r"PTR evil\027[31m\007\155\133\127\010\013.hostile.test." in ptr


def test_garbage(lab: Lab) -> None:
    """Noise comes back, and it is no DNS message."""
    run = lab.run("dual", ["dig", "+time=1", "+tries=1", f"@{HOSTILE}", "garbage.hostile.test"])
    assert "Got bad packet" in run.stdout


def test_faults_do_not_spread(lab: Lab) -> None:
    """After silence for some names the resolver still answers at once for others."""
    query = "dig +time=1 +tries=1 n$i.both-silent.hostile.test AAAA &"
    lab.run("dual", ["bash", "-c", f"for i in {{1..20}}; do {query} done; wait"])
    for i in range(5):
        assert dig(lab, "dual", f"n{i}.after.hostile.test", "AAAA") == AAAA_OK


@pytest.fixture(scope="module")
def own_lab(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with a table of its own and bulk names, beside the shared one."""
    del lab  # It decides whether any lab can run here.
    table = tmp_path_factory.mktemp("lab") / "truth.toml"
    table.write_text(
        "".join(
            f'[[scenario]]\nname = "{ptr}"\naaaa = ["open", "drop"]\na = ["open"]\nptr = "{ptr}"\n'
            for ptr in ("good", "missing", "other", "dangling", "servfail")
        )
        + '[[scenario]]\nname = "alias"\naaaa = ["open"]\ncname = ["cdn.example", "edge.example"]\n'
    )
    with Lab(bulk=2000, truth=table) as running:
        yield running


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("good", "NOERROR PTR good.test."),
        ("missing", "NXDOMAIN"),
        ("other", "NOERROR PTR elsewhere.test."),
        ("dangling", "NOERROR PTR gone.test."),
        ("servfail", "SERVFAIL"),
    ],
)
def test_reverse(own_lab: Lab, kind: str, answer: str) -> None:
    """Reverse DNS of every address of a scenario is of the kind that the table asks for."""
    forward = [dig(own_lab, "dual", f"{kind}.test", family) for family in ("AAAA", "A")]
    addresses = [word for text in forward for word in text.split() if ":" in word or "." in word]
    assert len(addresses) == 3
    assert {answer} == {dig(own_lab, "dual", "-x", address) for address in addresses}


def test_other_names_lead_elsewhere(own_lab: Lab) -> None:
    """The name of a wrong PTR exists, and a dangling one does not."""
    assert dig(own_lab, "dual", "elsewhere.test", "AAAA") == "NOERROR AAAA 2d00:6ab:1::fc"
    assert dig(own_lab, "dual", "gone.test", "AAAA") == "NXDOMAIN"


def test_alias_chain(own_lab: Lab) -> None:
    """A scenario's alias chain leads to its address."""
    answer = dig(own_lab, "dual", "alias.test", "AAAA")
    assert answer.startswith("NOERROR CNAME cdn.example.test. CNAME edge.example.test. AAAA ")


@pytest.mark.parametrize(
    ("i", "outcomes"),
    [
        (0, ("connected", "connected")),
        (1037, ("timeout", "connected")),
        (1038, ("ECONNREFUSED", "connected")),
        (1999, (None, "connected")),
    ],
)
def test_bulk(own_lab: Lab, i: int, outcomes: tuple[str | None, str]) -> None:
    """Bulk names are what bulk_kind says, with a PTR for each address."""
    seen = []
    for query_type in ("AAAA", "A"):
        _, *answer = dig(own_lab, "dual", plan.bulk_host(i), query_type).split()
        seen.append(connect(own_lab, "dual", answer[1])[0] if answer else None)
        if answer:
            ptr = f"NOERROR PTR {plan.bulk_host(i)}."
            assert ptr == dig(own_lab, "dual", "-x", answer[1])
    assert outcomes == tuple(seen)


def test_bulk_shares() -> None:
    """Of 20 bulk names 17 are healthy and each fault has one."""
    kinds = [plan.bulk_kind(i) for i in range(20)]
    assert {k: kinds.count(k) for k in kinds} == {
        "healthy": 17,
        "drop": 1,
        "reset": 1,
        "no-aaaa": 1,
    }


def test_run_ends_what_takes_too_long(lab: Lab) -> None:
    """A command that exceeds its time is killed, and not only its parent."""
    with pytest.raises(subprocess.TimeoutExpired):
        lab.run("dual", ["sleep", "1234567"], timeout=0.3)
    processes = ["sh", "-c", "cat /proc/[0-9]*/cmdline"]
    assert until(lambda: "1234567" not in lab.run("dual", processes).stdout, 2)


def test_interactive_command_gets_signals(lab: Lab) -> None:
    """An interrupt of popen's process group reaches the command; its exit code comes back."""
    script = "trap 'echo interrupted; exit 130' INT; echo ready; while :; do sleep 0.05; done"
    process = lab.popen("dual", ["sh", "-c", script], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate(timeout=5)[0] == "interrupted\n"
        assert process.returncode == 130


def test_environment_and_input(lab: Lab) -> None:
    """Variables are added to the environment, and input is the command's."""
    run = lab.run("dual", ["sh", "-c", 'echo "$NAME"; cat'], env={"NAME": "value"}, input="text")
    assert run.stdout == "value\ntext"


def test_unknown_client(lab: Lab) -> None:
    """A client that is not there is an error that names those that are."""
    with pytest.raises(LabError, match="no client 'tripple'; there are dual, "):
        lab.command("tripple", ["true"])


def test_broken_table(lab: Lab, tmp_path: Path) -> None:
    """A word in the table that means nothing is one line that names the scenario."""
    table = tmp_path / "truth.toml"
    table.write_text('[[scenario]]\nname = "typo"\naaaa = ["opn"]\n')
    with pytest.raises(LabError, match="scenario typo: 'opn' is no behaviour"), Lab(truth=table):
        pass


def test_shared_alias_is_refused(tmp_path: Path) -> None:
    """Two scenarios cannot own one name."""
    table = tmp_path / "truth.toml"
    table.write_text("".join(f'[[scenario]]\nname = "{n}"\ncname = ["cdn"]\n' for n in "ab"))
    with pytest.raises(ValueError, match=r"scenario b: cdn\.test belongs to scenario a"):
        scenarios.load(table)


def test_command_line(lab: Lab) -> None:
    """`run` passes the exit code on, and `packages` names what to install."""
    command = [sys.executable, "-m", "tests.lab"]
    run = [*command, "run", "dual", "--", "sh", "-c", "echo hello; exit 7"]
    result = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (7, "hello\n")
    listed = subprocess.run([*command, "packages"], cwd=ROOT, capture_output=True, check=True)
    assert sorted(PACKAGES | FIREWALLS | READERS) == listed.stdout.decode().split()


def inhabitants(pid_namespace: str) -> list[str]:
    """The processes of a process namespace, as seen from outside."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str((process / "ns" / "pid").readlink()) == pid_namespace:
                found.append(process.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("end", ["kill -9", "stdin closes"])
def test_nothing_is_left(lab: Lab, end: str) -> None:
    """When the process that holds a lab ends, however it ends, the whole lab is gone."""
    mounts = Path("/proc/self/mounts").read_text()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.lab", "up"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as up:
        assert up.stdin
        assert up.stdout
        report = json.loads(up.stdout.readline())
        assert set(plan.CLIENTS) == set(report["enter"])
        pid_namespace = str(Path(f"/proc/{report['pid']}/ns/pid").readlink())
        assert len(inhabitants(pid_namespace)) > 10
        with subprocess.Popen([*report["enter"]["dual"], "sleep", "7654321"]) as guest:
            if end == "kill -9":
                up.kill()
            else:
                up.stdin.close()
            assert until(lambda: inhabitants(pid_namespace) == [], 5)
            guest.wait(5)
    assert mounts == Path("/proc/self/mounts").read_text()
    assert not Path("/run/lab").exists()


def python_of_nobody(environment: dict[str, str]) -> str:
    """A Python that an ordinary user may run; that of a root's home directory is not."""
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            subprocess.run(
                [python, "-c", "import dns.message, tests.lab"],
                cwd=ROOT,
                env=environment,
                user=NOBODY,
                group=NOBODY,
                extra_groups=[],
                check=True,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    pytest.skip("no Python with dnspython that the user nobody may run")


@pytest.mark.skipif(os.geteuid() != 0, reason="the whole session is unprivileged already")
def test_unprivileged(lab: Lab) -> None:
    """An ordinary user can run the lab, in a user namespace."""
    environment = os.environ | {"PYTHONPATH": str(Path(dns.__file__).parent.parent)}
    python = python_of_nobody(environment)
    run = subprocess.run(
        [python, "-m", "tests.lab", "run", "dual", "--", "dig", "+short", "ns1.test", "AAAA"],
        cwd=ROOT,
        env=environment,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (run.returncode, run.stdout) == (0, "2d00:6ab:53::2\n"), run.stderr
