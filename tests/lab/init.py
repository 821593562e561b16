"""Process 1 of the lab: builds it, says so in one JSON line, and takes it along when it ends.

Everything lives in this process's namespaces: when it goes, the kernel kills every process,
unmounts the private /run with all files in it, and removes the networks.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.lab import asynchrony, netns, plan, ready, ruleset, scenarios, topology
from tests.lab.daemons import Daemons

_FILES = Path("/run/lab")
_START_DEADLINE_S = 20.0


def main() -> None:
    """Build, report, wait for the end of stdin."""
    options = _options()
    # /proc is still the parent's here, so this is our pid in the parent's eyes.
    pid = int(Path("/proc/self").readlink().name)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        daemons, anchors = _build(options)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        _say({"error": _one_line(error)})
        sys.exit(1)
    _say({"pid": pid, "anchors": anchors})
    _reap(daemons)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bulk", type=int, default=0)
    parser.add_argument("--truth", type=Path, default=scenarios.TRUTH)
    return parser.parse_args()


def _say(message: dict[str, object]) -> None:
    print(json.dumps(message), flush=True)


def _one_line(error: Exception) -> str:
    output = getattr(error, "stderr", None)
    if isinstance(output, bytes):
        output = output.decode(errors="replace")
    return " ".join(f"{error} {output or ''}".split())


def _die_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)


def _build(options: argparse.Namespace) -> tuple[Daemons, dict[str, int]]:
    deadline = time.monotonic() + _START_DEADLINE_S
    if options.bulk > plan.BULK_MAX:
        raise ValueError(f"at most {plan.BULK_MAX} bulk names")
    table = scenarios.load(options.truth)
    _allow_many_files()
    _mount()
    _network()
    daemons = Daemons(_FILES)
    daemons.start_dns(table, options.bulk)
    daemons.start_resolvers()
    daemons.start_delay()
    daemons.start_web()
    anchors = {name: _anchor(client) for name, client in plan.CLIENTS.items()}
    with netns.inside("dual"):
        ready.wait(daemons.check_alive, deadline)
    return daemons, anchors


def _allow_many_files() -> None:
    # The web server runs as one process, whose limit is then the one it inherits.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _mount() -> None:
    target = Path("/etc/resolv.conf").resolve()
    _run("mount", "-t", "proc", "proc", "/proc")
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    _FILES.mkdir()
    # It is often a link into /run, which is now empty and ours.
    if target.is_relative_to("/run"):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()


def _network() -> None:
    _ip_batch([f"netns add {namespace}" for namespace in topology.NAMESPACES])
    for namespace in topology.NAMESPACES:
        with netns.inside(namespace):
            _set_kernel(topology.sysctls(namespace))
    _ip_batch(topology.cables())
    for namespace in topology.NAMESPACES:
        with netns.inside(namespace):
            _ip_batch(topology.configuration(namespace))
    _make_asynchronous([client for client in plan.CLIENTS.values() if client.connected])
    rule_sets = {"server": ruleset.server_rules(), "router": ruleset.router_rules()}
    for namespace, rules in rule_sets.items():
        with netns.inside(namespace):
            _run("nft", "-f", "-", text=rules)


def _make_asynchronous(clients: list[plan.Client]) -> None:
    for client in clients:
        with netns.inside(client.name):
            asynchrony.prepare_sender("eth0")
    sysfs = _FILES / "sys"
    sysfs.mkdir()
    with netns.inside("router"):
        # It shows the interfaces of the namespace that mounts it.
        _run("mount", "-t", "sysfs", "sysfs", str(sysfs))
        for client in clients:
            asynchrony.receive_in_thread(client.router_interface, sysfs)
    _run("umount", str(sysfs))


def _set_kernel(values: dict[str, int]) -> None:
    for name, value in values.items():
        setting = Path("/proc/sys") / name
        # Older kernels show some of these to the first network namespace only.
        if setting.exists():
            setting.write_text(str(value))


def _ip_batch(lines: list[str]) -> None:
    _run("ip", "-batch", "-", text="\n".join(lines))


def _run(*command: str, text: str = "") -> None:
    subprocess.run(command, input=text.encode(), check=True, capture_output=True, timeout=10)


def _anchor(client: plan.Client) -> int:
    """A process to enter by: the client's network, and its own view of /etc/resolv.conf."""
    resolv_conf = _FILES / f"resolv-{client.name}.conf"
    resolv_conf.write_text(f"nameserver {client.nameserver}\n")
    target = Path("/etc/resolv.conf").resolve()
    script = f"mount --bind {resolv_conf} {target} && echo ready && exec sleep infinity"
    with netns.inside(client.name):
        process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script], stdout=subprocess.PIPE
        )
    assert process.stdout
    if process.stdout.readline() != b"ready\n":
        raise OSError(f"cannot give {client.name} its own /etc/resolv.conf")
    return process.pid


def _reap(daemons: Daemons) -> None:
    """As process 1 we inherit every orphan; a daemon that dies takes the lab along."""
    while True:
        pid, _ = os.wait()
        if pid in daemons.logs:
            print(f"the lab ends, a server died: {daemons.log_of(pid)}", file=sys.stderr)
            sys.exit(1)


if __name__ == "__main__":
    main()
