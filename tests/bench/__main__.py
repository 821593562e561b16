"""Benchmarks: ratios from one run, on the machine at hand.

    python -m tests.bench startup
    python -m tests.bench single
    python -m tests.bench bulk [--names 2000] [--rounds 3]
    python -m tests.bench firewall [--rounds 3]
    python -m tests.bench fallback
    python -m tests.bench loss [--names 2000] [--command ipv6check]

`startup` compares CPU time with `import typer`. `single` compares the wall time of one healthy
target with what its longest chain of network waits takes. `bulk` compares a list of the lab's names
with the same work done by C tools one after another (dnsperf, fping, nmap: Debian packages), but
for TLS: a handshake with each IPv6 address that accepts, which is ours alone to do.
`firewall` answers all default packets about 10,000 rules, beside the same about one rule.
`fallback` predicts all clients on the two ports of a target: CPU; then races against dead IPv6,
alone and among 200 other targets at a time: what each takes over its 250 ms, by packets.
`loss` asks for names that are all well over a path that loses packets, of either direction.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ipv6check.eyeballs.algorithm import Resolved
from ipv6check.eyeballs.clients import load
from ipv6check.eyeballs.policy import CONNECTION_ATTEMPT_DELAY_MS
from ipv6check.eyeballs.prediction import Seen, Survey, predict_all
from tests.lab import Lab, plan

COMMAND = str(Path(sys.executable).with_name("ipv6check"))
RESOLVER = "198.18.53.1"
PORTS = 2
RACED_AMONG, RACES = 2000, 60
VERDICTS = {"healthy": "ready", "drop": "not-ready", "reset": "not-ready", "no-aaaa": "not-ready"}
# fping sends one request a millisecond, the least that it grants an ordinary user.
FPING_INTERVALS_MS = ("1", "0")


def main() -> None:
    """Run the benchmark that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument(
        "bench", choices=("startup", "single", "bulk", "firewall", "fallback", "loss")
    )
    parser.add_argument("--names", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--command", default=COMMAND)
    chosen = parser.parse_args()
    if chosen.bench == "startup":
        startup()
    elif chosen.bench == "single":
        single(chosen.rounds)
    elif chosen.bench == "firewall":
        firewall(chosen.rounds)
    elif chosen.bench == "fallback":
        fallback()
    elif chosen.bench == "loss":
        loss(chosen.names, chosen.command)
    else:
        bulk(chosen.names, chosen.rounds)


def startup(rounds: int = 15) -> None:
    """CPU of `ipv6check --version` beside that of `import typer`."""
    ours = _median(lambda: _cpu_s([COMMAND, "--version"]), rounds)
    typer = _median(lambda: _cpu_s([sys.executable, "-c", "import typer"]), rounds)
    print(f"--version {ours * 1000:.0f} ms, import typer {typer * 1000:.0f} ms CPU")
    print(f"ratio {ours / typer:.2f} (at most 1.3)")


def firewall(rounds: int, rules: int = 10_000) -> None:
    """Wall time of `ipv6check firewall` on many rules, beside the same on one rule."""
    drops = [(f"2001:db8:{number:x}::/48", number % 65_536) for number in range(rules)]
    save = "".join(
        f"-A INPUT -s {net} -p tcp -m tcp --dport {port} -j DROP\n" for net, port in drops
    )
    text = "".join(f"\t\tip6 saddr {net} tcp dport {port} drop\n" for net, port in drops)
    policies = ":INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
    chain = "\tchain input {{\n\t\ttype filter hook input priority 0; policy drop;\n"
    notations = {
        "ip6tables-save": f"*filter\n{policies}{{}}-A INPUT -p ipv6-icmp -j ACCEPT\nCOMMIT\n",
        "nft": f"table ip6 filter {{{{\n{chain}{{}}\t\ticmpv6 type 1-255 accept\n\t}}}}\n}}}}\n",
    }
    with tempfile.TemporaryDirectory() as directory:
        for name, frame in notations.items():
            many, few = Path(directory, f"{name}.many"), Path(directory, f"{name}.few")
            body = save if name == "ip6tables-save" else text
            many.write_text(frame.format(body))
            few.write_text(frame.format(body.splitlines(keepends=True)[0]))
            walls = [_median(partial(_asked_s, file), rounds) for file in (many, few)]
            print(
                f"{name}: {rules} rules {walls[0]:.2f} s (at most 2), one rule {walls[1]:.2f} s, "
                f"ratio {walls[0] / walls[1]:.1f}"
            )


def fallback(rounds: int = 50) -> None:
    """CPU of predictions, for targets that are well, broken and on the edge; then the race."""
    clients = load()
    print(f"{len(clients)} clients, {len({client.policy for client in clients})} policies")
    for name, world in _worlds().items():
        cpu_ms = []
        for _ in range(rounds):
            started = time.process_time()
            for _ in range(PORTS):
                predict_all(clients, world)
            cpu_ms.append((time.process_time() - started) * 1000)
        middle = statistics.median(cpu_ms)
        print(f"{name}: median {middle:.2f} ms, least {min(cpu_ms):.2f} ms CPU (at most 5)")
    with Lab(bulk=RACED_AMONG) as lab, tempfile.TemporaryDirectory() as scratch:
        for others in (False, True):
            over_ms = sorted(_raced_over_ms(lab, Path(scratch), others=others))
            where = "among 200 others" if others else "alone"
            middle, worst = statistics.median(over_ms), over_ms[-1]
            print(
                f"{len(over_ms)} races {where}: median {middle:.2f} ms (at most 2), "
                f"worst {worst:.2f} ms (at most 10) over"
            )


def loss(names: int, command: str) -> None:
    """What share of healthy names is not ready, where 0, 1, 3 and 5 % of the packets are lost."""
    healthy = [i for i in range(names * 20 // 17 + 20) if plan.bulk_kind(i) == "healthy"][:names]
    with Lab(bulk=healthy[-1] + 1) as lab, tempfile.TemporaryDirectory() as scratch:
        listed = Path(scratch, "names")
        listed.write_text("".join(f"{plan.bulk_host(i)}\n" for i in healthy))
        asked = [command, "-i", str(listed), "-p", "443", "--format", "jsonl"]
        for dns in (False, True):
            for percent in (0, 1, 3, 5):
                lab.lose(percent, dns=dns)
                run = lab.run("dual", asked, timeout=600)
                reports = [json.loads(line) for line in run.stdout.splitlines()]
                ill = [report for report in reports if report["verdict"] != "ready"]
                told = Counter(_told(result) for report in ill for result in report["results"])
                told.pop("", None)
                share = 100 * len(ill) / len(reports)
                print(
                    f"{percent} % loss, DNS {'too' if dns else 'spared'}: {len(ill)} of "
                    f"{len(reports)} names not ready ({share:.2f} %) {dict(told.most_common(8))}",
                    flush=True,
                )


def _told(result: dict[str, str]) -> str:
    """Which finding of which check, where it is not well."""
    ill = result["status"] in {"fail", "warn", "unknown", "error"}
    return f"{result['check']} {result['status']} {result['finding']}" if ill else ""


def _raced_over_ms(lab: Lab, work: Path, *, others: bool) -> list[float]:
    """What each race against dead IPv6 takes over its delay, from one SYN to the other.

    The last attempts at an address are its race's; those of the survey come before.
    """
    # Alone they are few: those that time out together are judged together.
    races = RACES if others else RACES // 10
    dead = [i for i in range(RACED_AMONG) if plan.bulk_kind(i) == "drop"][:races]
    chosen = range(RACED_AMONG) if others else dead
    (work / "names").write_text("".join(f"{plan.bulk_host(i)}\n" for i in chosen))
    packets = work / "packets"
    with packets.open("w") as output:
        listen = [sys.executable, "-m", "tests.clients.capture", "eth0"]
        capture = lab.popen("dual", listen, stdout=output)
        while not packets.stat().st_size:
            time.sleep(0.01)
        checked = [COMMAND, "-i", str(work / "names"), "-p", "443", "--timeout", "1"]
        lab.run("dual", [*checked, "--parallel", "200", "--format", "jsonl"], timeout=600)
        os.killpg(capture.pid, signal.SIGKILL)
        capture.wait()
    begun: dict[tuple[str, int], float] = {}
    for line in packets.read_text().splitlines()[1:]:
        at_ms, what, *rest = json.loads(line)
        if what == "syn":
            begun.setdefault(tuple(rest), at_ms)
    latest = {peer: at_ms for (peer, _), at_ms in begun.items()}
    pairs = [(str(plan.bulk_address6(i)), str(plan.bulk_address4(i))) for i in dead]
    return [latest[four] - latest[six] - CONNECTION_ATTEMPT_DELAY_MS for six, four in pairs]


def _worlds() -> dict[str, Survey]:
    silent, here = Seen("silent"), Seen("connected", 12.0)
    six = [f"2001:db8::{number}" for number in range(1, 9)]
    four = ["192.0.2.1", "192.0.2.2"]
    return {
        "both work": _world(dict.fromkeys([six[0], four[0]], here)),
        "IPv6 is silent": _world({six[0]: silent, four[0]: here}),
        "IPv6 is at the boundary of many": _world(
            {six[0]: Seen("connected", 245.0), four[0]: here}
        ),
        "one of two IPv6 is silent": _world({six[0]: silent, six[1]: here, four[0]: here}),
        "seven of eight IPv6 are silent": _world(
            {**dict.fromkeys(six[:7], silent), six[7]: here, **dict.fromkeys(four, here)}
        ),
        "one of two is silent, of both families": _world(
            {six[0]: silent, six[1]: here, four[0]: silent, four[1]: here}
        ),
    }


def _world(seen: dict[str, Seen]) -> Survey:
    dns = {
        "AAAA": Resolved(tuple(address for address in seen if ":" in address), 5.0),
        "A": Resolved(tuple(address for address in seen if ":" not in address), 5.0),
    }
    # Any order of the answer may come.
    return Survey(dns, tuple(seen), seen, equal=tuple(answer.addresses for answer in dns.values()))


def _asked_s(rules: Path) -> float:
    started = time.perf_counter()
    subprocess.run([COMMAND, "firewall", str(rules)], stdout=subprocess.DEVNULL, check=False)
    return time.perf_counter() - started


def single(rounds: int) -> None:
    """Wall time of one healthy target, near and 300 ms away, beside its waits."""
    with Lab() as lab:
        empty = _median(lambda: _wall_s(lab, [COMMAND, "list"]), rounds)
        for host in ("healthy.test", "slow-path.test"):
            arguments = [COMMAND, host, "--format", "json"]
            walls, chains = [], []
            for _ in range(rounds):
                started = time.perf_counter()
                report = json.loads(lab.run("dual", arguments).stdout)
                walls.append(time.perf_counter() - started)
                chains.append(_chain_s(report))
            wall, chain = statistics.median(walls), statistics.median(chains)
            over = (wall - chain - empty) * 1000
            print(
                f"{host}: wall {wall * 1000:.0f} ms, waits {chain * 1000:.0f} ms, start-up "
                f"{empty * 1000:.0f} ms (ipv6check list): {over:.0f} ms over (at most 100)"
            )


def _chain_s(report: dict[str, list[dict[str, object]]]) -> float:
    """The longest chain of waits: until the last probe of any check was back."""
    (target,) = report["targets"]
    results = target["results"]
    assert isinstance(results, list)
    return float(max(result["duration_ms"] for result in results)) / 1000


def bulk(names: int, rounds: int) -> None:
    """A list of names: every verdict must be right, then speed and memory."""
    with Lab(bulk=names) as lab, tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        _write_lists(work, names)
        _dnsperf(lab, work)  # both sides find the resolver's cache warm
        ours = []
        for _ in range(rounds):
            wall, cpu, megabytes = _ours(lab, work / "names", names)
            ours.append(wall)
            print(
                f"ipv6check: {wall:.2f} s ({names / wall:.0f}/s), CPU {cpu:.2f} s, {megabytes} MB"
            )
        for interval in FPING_INTERVALS_MS:
            c_tools = _median(partial(_c_tools, lab, work, interval), rounds)
            ratio = c_tools / statistics.median(ours)
            print(f"C tools, fping -i {interval}: {c_tools:.2f} s: ratio {ratio:.2f}")


def _ours(lab: Lab, names: Path, count: int) -> tuple[float, float, int]:
    arguments = ["-i", str(names), "-p", "443", "--timeout", "1", "--format", "jsonl"]
    timed = ["/usr/bin/time", "--format", "%e %U %S %M", COMMAND, *arguments]
    run = lab.run("dual", timed, timeout=600)
    wall, user, system, kilobytes = map(float, run.stderr.strip().splitlines()[-1].split())
    _assert_right(run.stdout, count)
    return wall, user + system, int(kilobytes / 1024)


def _assert_right(output: str, count: int) -> None:
    reports = [json.loads(line) for line in output.splitlines()]
    seen: Counter[tuple[str, str]] = Counter()
    for report in reports:
        kind = plan.bulk_kind(int(report["target"][1:6]))
        seen[kind, report["verdict"]] += 1
    wrong = {pair: number for pair, number in seen.items() if VERDICTS[pair[0]] != pair[1]}
    if wrong or len(reports) != count:
        sys.exit(f"wrong verdicts: {wrong}, {len(reports)} of {count} reports")


def _write_lists(work: Path, names: int) -> None:
    hosts = [plan.bulk_host(i) for i in range(names)]
    ipv6 = [address for i in range(names) if (address := plan.bulk_address6(i)) is not None]
    ipv4 = [plan.bulk_address4(i) for i in range(names)]
    questions = [f"{host} {rdtype}" for host in hosts for rdtype in ("AAAA", "A")]
    questions += [f"{address.reverse_pointer} PTR" for address in ipv6]
    for name, lines in (("names", hosts), ("ipv6", ipv6), ("ipv4", ipv4), ("dns", questions)):
        (work / name).write_text("".join(f"{line}\n" for line in lines))


def _c_tools(lab: Lab, work: Path, interval_ms: str) -> float:
    total = _dnsperf(lab, work)
    for family, addresses in (("-4", work / "ipv4"), ("-6", work / "ipv6")):
        fping = ["fping", family, "-q", "-r", "0", "-t", "1000", "-i", interval_ms]
        total += _wall_s(lab, [*fping, "-f", str(addresses)])
        nmap = ["nmap", *([] if family == "-4" else ["-6"]), "-sT", "-Pn", "-n", "-p", "443"]
        total += _wall_s(lab, [*nmap, "--max-rtt-timeout", "1s", "-iL", str(addresses)])
    return total


def _dnsperf(lab: Lab, work: Path) -> float:
    return _wall_s(lab, ["dnsperf", "-s", RESOLVER, "-d", str(work / "dns"), "-q", "100"])


def _wall_s(lab: Lab, command: Sequence[str]) -> float:
    started = time.perf_counter()
    run = lab.run("dual", command, timeout=600)
    if run.returncode > 1:
        sys.exit(f"{command[0]} failed: {run.stderr.strip() or run.stdout.strip()}")
    return time.perf_counter() - started


def _cpu_s(command: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=dict(os.environ))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _median(measure: Callable[[], float], rounds: int) -> float:
    return statistics.median(measure() for _ in range(rounds))


if __name__ == "__main__":
    main()
