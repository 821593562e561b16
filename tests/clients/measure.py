"""Runs real clients in the lab, and tells by its packets what each of them did."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from ipv6check.eyeballs.address_order import family, is_mapped
from ipv6check.eyeballs.prediction import FELT_MS
from tests.clients.programs import Program
from tests.lab import Lab, plan

SCENARIOS = Path(__file__).with_name("scenarios.toml")
CLIENT = "dual"
HEALTHY = "healthy"
# tcp_syn_retries: the kernel gives up after 7 s, so that a whole matrix takes minutes.
SYN_RETRIES = 2
PATIENCE_S = 45.0
# They wait most of the time; few enough for most to have a processor when they start.
AT_ONCE = 5
# A cell that missed is measured again alone, so often at most, with a pause before each time.
REPEATS = 5
PAUSE_S = 1.0
# How often in a row another end has to come out as predicted, after all.
SURE = 2
# How long all of that may take: where nearly everything misses, it is no accident.
CALM_S = 900.0
ANOTHER_END = "another end"
_SETTLE_S = 0.05
# /etc/resolv.conf may be a link; it is another one for this process alone.
_WITH_NAMESERVER = 'mount --bind "$1" "$(readlink -f /etc/resolv.conf)" && shift && exec "$@"'


@dataclass(frozen=True, slots=True)
class Scenario:
    """A name that clients are put before; ``server``: who answers, if not the usual resolver."""

    name: str
    host: str
    server: str = ""

    @property
    def faulty(self) -> bool:
        """Whether the faulty DNS server answers, all of whose names share their addresses."""
        return self.server == plan.HOSTILE.ipv4


@dataclass(frozen=True, slots=True)
class Measured:
    """What a client did: ms from the first DNS query to the request, or to its end in a failure.

    Of a client that opens connections before it needs them: to the acceptance of the one that
    carried the request. ``given``: the addresses in the order in which it heard of them, by type.
    """

    outcome: str
    family: str | None
    address: str | None
    ms: float
    syns: tuple[tuple[str, float], ...]
    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cell:
    """A client before a scenario: what was predicted for the order that it was given; what it did.

    ``own_ms``: how much longer than its policy says the program itself takes on this machine.
    ``missed``: how it missed when it was first measured. ``told``: what is told of it where the
    order is not known.
    """

    program: Program
    predicted: dict[str, Any]
    measured: Measured
    own_ms: float = 0.0
    missed: str = ""
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def foreseen(self) -> bool:
        """Whether what is told where nobody knows the order has an end like the one predicted."""
        ends = self.told.get("orders") or [self.told]
        return any(_alike(ending, self.predicted) for ending in ends)

    @property
    def wrong(self) -> str:
        """How the prediction misses, nothing where it holds."""
        predicted, measured = self.predicted, self.measured
        if predicted["outcome"] == "either":
            return ""
        if (predicted["outcome"], predicted["family"]) != (measured.outcome, measured.family):
            return ANOTHER_END
        if measured.outcome == "failed":
            return ""
        later_ms = measured.ms - predicted["connect_ms"]
        # Some of its own time, or all of it: how fast a machine is changes from one run to another.
        apart_ms = abs(later_ms - sorted((0.0, later_ms, self.own_ms))[1])
        return "" if apart_ms <= self.program.margin_ms(measured.ms) else f"{apart_ms:.0f} ms apart"


@dataclass(frozen=True, slots=True)
class Row:
    """A scenario: its addresses in the order of ours and of getaddrinfo, None where that fails."""

    scenario: Scenario
    order: tuple[str, ...]
    getaddrinfo: list[str] | None
    cells: tuple[Cell, ...]


def scenarios() -> tuple[Scenario, ...]:
    """All of them, in the order of the file."""
    return tuple(
        Scenario(table["name"], table.get("dns", f"{table['name']}.test"), _server(table))
        for table in tomllib.loads(SCENARIOS.read_text())["scenario"]
    )


def _server(table: Mapping[str, Any]) -> str:
    if "dns" in table:
        return plan.HOSTILE.ipv4
    return plan.ROTATING.ipv4 if table.get("rotates") else ""


def truth(directory: Path) -> Path:
    """The names of ``test.`` as a truth table for the lab."""
    tables = SCENARIOS.read_text().split("[[scenario]]")
    kept = [table for table in tables if "\ndns =" not in table]
    path = directory / "truth.toml"
    path.write_text("[[scenario]]".join(kept))
    return path


@contextmanager
def bench() -> Iterator[Bench]:
    """A lab with these names, in which clients can be run."""
    with tempfile.TemporaryDirectory() as directory, Lab(truth=truth(Path(directory))) as lab:
        running = Bench(lab, Path(directory))
        try:
            yield running
        finally:
            running.close()


class Bench:
    """Runs commands in one client of the lab, and listens."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self._lab = lab
        self._directory = directory
        self._events: list[list[Any]] = []
        self._own_ms: dict[str, float] = {}
        self._patient_until = 0.0
        retries = f"echo {SYN_RETRIES} >/proc/sys/net/ipv4/tcp_syn_retries"
        assert lab.run(CLIENT, ["sh", "-c", retries]).returncode == 0
        command = [sys.executable, "-m", "tests.clients.capture", "eth0"]
        self._capture = lab.popen(CLIENT, command, stdout=subprocess.PIPE, text=True)
        assert self._capture.stdout is not None
        self._capture.stdout.readline()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def close(self) -> None:
        """End the capture; the rest goes with the lab."""
        os.killpg(self._capture.pid, signal.SIGKILL)
        self._capture.wait()
        self._listener.join()
        assert self._capture.stdout is not None
        self._capture.stdout.close()

    def predict(self, scenario: Scenario) -> dict[str, Any]:
        """What our own probes see, and what they predict of every client, by name."""
        server = [scenario.server] if scenario.server else []
        command = [sys.executable, "-m", "tests.clients.observe", scenario.host, *server]
        run = self._lab.run(CLIENT, self._inside(scenario, command), timeout=PATIENCE_S)
        if run.returncode:
            raise RuntimeError(run.stderr)
        said: dict[str, Any] = json.loads(run.stdout)
        return said

    def measure(self, program: Program, scenario: Scenario, addresses: Iterable[str]) -> Measured:
        """Run one client once; packets to other addresses than the scenario's are others'."""
        command = self._inside(scenario, [*program.command, f"http://{scenario.host}/"])
        began_ms = time.time() * 1000
        try:
            failed = self._lab.run(CLIENT, command, timeout=PATIENCE_S).returncode != 0
        except subprocess.TimeoutExpired:
            failed = True
        ended_ms = time.time() * 1000
        time.sleep(_SETTLE_S)
        peers = {
            address.rpartition(":")[2] if is_mapped(address) else address for address in addresses
        }
        events = [
            event
            for event in list(self._events)
            if began_ms <= event[0] <= ended_ms and event[2] in {f"{scenario.host}.", *peers}
        ]
        requests = [event for event in events if event[1] == "request"]
        carried = [event for event in requests if event[4] in {"", scenario.host}]
        if program.early:
            ports = {event[3] for event in carried}
            carried = [event for event in events if event[1] == "syn-ack" and event[3] in ports]
        return _told(events, carried, ended_ms, failed=failed)

    def matrix(
        self, programs: Iterable[Program], of: Iterable[Scenario], at_once: int = AT_ONCE
    ) -> list[Row]:
        """Every program before every scenario, in their order; several scenarios at once."""
        programs, of = tuple(programs), tuple(of)
        self._own_ms = {
            program.label: self.own_ms(program) for program in programs if program.warms_up
        }
        # Those of the faulty server share their addresses: one after the other.
        groups: defaultdict[str, list[Scenario]] = defaultdict(list)
        for scenario in of:
            groups["faulty" if scenario.faulty else scenario.name].append(scenario)

        def play(group: list[Scenario]) -> list[Row]:
            return [self.row(programs, scenario) for scenario in group]

        with ThreadPoolExecutor(at_once) as pool:
            played = pool.map(play, sorted(groups.values(), key=len, reverse=True))
        rows = {row.scenario.name: row for group in played for row in group}
        self._patient_until = time.monotonic() + CALM_S
        return [self.calm(rows[scenario.name]) for scenario in of]

    def own_ms(self, program: Program) -> float:
        """How much longer the program takes here than its policy says."""
        healthy = next(scenario for scenario in scenarios() if scenario.name == HEALTHY)
        cells = [self.row([program], healthy).cells[0] for _ in range(REPEATS)]
        return median(cell.measured.ms - float(cell.predicted["connect_ms"]) for cell in cells)

    def row(self, programs: Iterable[Program], scenario: Scenario) -> Row:
        """Every program before one scenario."""
        said = self.predict(scenario)
        order: list[str] = said["order"]
        cells = tuple(self._cell(program, scenario, said) for program in programs)
        return Row(scenario, tuple(order), said["getaddrinfo"], cells)

    def _cell(self, program: Program, scenario: Scenario, said: dict[str, Any]) -> Cell:
        measured = self.measure(program, scenario, said["order"])
        predicted = {
            prediction["name"]: prediction for prediction in by_order(said, measured.given)
        }
        own_ms = self._own_ms.get(program.label, 0.0)
        told = next(
            prediction for prediction in said["predictions"] if prediction["name"] == program.name
        )
        return Cell(program, predicted[program.name], measured, own_ms, told=told)

    def calm(self, row: Row) -> Row:
        """What missed while others ran is predicted and measured again, alone."""
        return replace(row, cells=tuple(self._again(row, cell) for cell in row.cells))

    def _again(self, row: Row, first: Cell) -> Cell:
        """The first cell that is right, after another end the second in a row; else the last."""
        cell, right = first, 0
        wanted = SURE if first.wrong == ANOTHER_END else 1
        for _ in range(REPEATS if first.wrong else 0):
            if time.monotonic() > self._patient_until:
                break
            time.sleep(PAUSE_S)
            (cell,) = self.row([first.program], row.scenario).cells
            right = 0 if cell.wrong else right + 1
            if right == wanted:
                break
        return replace(cell, missed=first.wrong)

    def _inside(self, scenario: Scenario, command: list[str]) -> list[str]:
        if not scenario.server:
            return command
        file = self._directory / f"resolv.conf-{scenario.server}"
        file.write_text(f"nameserver {scenario.server}\n")
        shell = ["unshare", "--mount", "sh", "-c", _WITH_NAMESERVER, "sh"]
        return [*shell, str(file), *command]

    def _listen(self) -> None:
        assert self._capture.stdout is not None
        for line in self._capture.stdout:
            self._events.append(json.loads(line))


def by_order(said: Mapping[str, Any], given: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """What was predicted for the order that a client was given; for ours where it heard of none."""
    predictions: list[dict[str, Any]]
    for groups, predictions in said["by_order"]:
        if all(_came(group, given) for group in groups):
            return predictions
    raise ValueError(f"{given}: not one of the orders that were foreseen")


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if (one["outcome"], one["family"]) != (other["outcome"], other["family"]):
        return False
    times = [one["connect_ms"] or one["failed_ms"], other["connect_ms"] or other["failed_ms"]]
    return None in times or abs(times[0] - times[1]) < FELT_MS


def _came(group: Sequence[str], given: Mapping[str, Sequence[str]]) -> bool:
    """Whether these addresses were heard of in this order, if at all."""
    heard = given.get("AAAA" if ":" in group[0] else "A", ())
    return [address for address in heard if address in group] in ([], list(group))


def _told(
    events: list[list[Any]], carried: list[list[Any]], ended_ms: float, *, failed: bool
) -> Measured:
    """What the packets of one run say; ``carried`` are those that say how it was served."""
    asked_ms = min(event[0] for event in events if event[1] == "query")
    syns = tuple((event[2], event[0] - asked_ms) for event in events if event[1] == "syn")
    given = {event[3]: tuple(event[4]) for event in events if event[1] == "answer"}
    if failed or not carried:
        return Measured("failed", None, None, ended_ms - asked_ms, syns, given)
    at, _, peer, *_ = min(carried)
    return Measured("connected", family(peer), peer, at - asked_ms, syns, given)
