"""Which module imports which: the picture in CONTRIBUTING.md, held against the code."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import ipv6check

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "ipv6check"
CHECKS = sorted((ROOT / "checks.d").glob("*.py"))
FILES = sorted(PACKAGE.rglob("*.py"))
PICTURE = re.compile(r"<!-- arrows -->\n```text\n(.*?)```\n<!-- /arrows -->", re.DOTALL)

# What can reach another machine, or the kernel's sockets.
WIRES = {
    *("socket", "ssl", "select", "selectors", "socketserver", "subprocess", "multiprocessing"),
    *("http", "urllib", "ftplib", "smtplib", "imaplib", "poplib", "xmlrpc", "requests", "httpx"),
    *("dns", "icmplib", "pyroute2", "anyio", "aiohttp"),
}
# The same by way of an event loop or of os.
CALLS = {
    *("open_connection", "open_unix_connection", "start_server", "start_unix_server"),
    *("create_connection", "create_unix_connection", "create_datagram_endpoint", "create_server"),
    *("create_unix_server", "create_subprocess_exec", "create_subprocess_shell"),
    *("subprocess_exec", "subprocess_shell", "connect_accepted_socket", "sendfile", "start_tls"),
    *("sock_connect", "sock_recv", "sock_recvfrom", "sock_sendall", "sock_sendto", "sock_accept"),
    *("getaddrinfo", "getnameinfo", "system", "popen", "posix_spawn", "fork", "execv"),
}
# Outside of net/, each with its reason.
EXCEPTIONS = {
    # Waits for a standard input that does not block; a descriptor, never a socket of ours.
    "config.target_stream": {"select"},
    # Runs the checks that are programs of their own.
    "engine.checks.program": {"create_subprocess_exec"},
    # The other side of the demo: servers on loopback, which the real Net is pointed at.
    "commands.demo_servers": {"socket", "select", "dns", "create_server"},
}
# Finding a module by its name hides an arrow from this test.
FINDERS = {
    *("__init__", "commands.app", "engine.checks.inputs", "engine.checks.loader"),
    "reports.formats",
}
# The one part of the engine that asks the kernel itself: for the rules that it judges.
KERNEL_READERS = {"engine.rule_files"}
# A check judges what was observed: it neither looks at the world nor waits for it.
NOT_IN_A_CHECK = WIRES | {
    *("asyncio", "concurrent", "threading", "queue", "signal", "sched"),
    *("os", "sys", "pathlib", "io", "shutil", "tempfile", "glob", "fcntl", "mmap", "sqlite3"),
    *("time", "random", "secrets", "uuid", "ctypes", "importlib", "logging", "platform", "getpass"),
}
NOT_CALLED_IN_A_CHECK = {"open", "input", "print", "exec", "eval", "compile", "__import__"}


def name_of(path: Path) -> str:
    """``net.tcp`` for ipv6check/net/tcp.py, ``net`` for its ``__init__``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The room that a module is in; ``__init__``, ``__main__`` and ``testing`` are their own."""
    return module.partition(".")[0]


MODULES = {name_of(path): ast.parse(path.read_text("utf-8")) for path in FILES}


@cache
def imports(tree: ast.Module) -> list[tuple[str, str]]:
    """Every import of a module, at any depth: where from, and which name (none for a module)."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            found += [(source, alias.name) for alias in node.names]
    return found


def arrow(source: str, name: str) -> str | None:
    """The module of ours that is meant, None for the version and for what is not ours."""
    if source != "ipv6check" and not source.startswith("ipv6check."):
        return None
    inside = source.removeprefix("ipv6check").removeprefix(".")
    full = f"{inside}.{name}".strip(".")
    if full in MODULES:
        return full
    if (source, name) == ("ipv6check", "__version__"):
        return None
    return inside or "__init__"


def arrows(module: str) -> set[str]:
    """The modules of ours outside of its own room that this module imports."""
    targets = {arrow(source, name) for source, name in imports(MODULES[module])}
    return {target for target in targets if target and room_of(target) != room_of(module)}


@cache
def picture() -> dict[str, set[str]]:
    """The rooms that each room may import, as CONTRIBUTING.md has it."""
    table = PICTURE.search((ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    assert table is not None, "CONTRIBUTING.md has lost its <!-- arrows --> markers"
    rows = (line.split() for line in table[1].splitlines() if line.strip())
    return {room: set() if allowed == ["nothing"] else set(allowed) for room, *allowed in rows}


@cache
def wires(tree: ast.Module) -> set[str]:
    """What of this module could reach the network or another program."""
    modules = {source.partition(".")[0] for source, _ in imports(tree)} & WIRES
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return modules | called & CALLS


def test_the_picture_has_every_room() -> None:
    """Each room has a row, no row is left of one that is gone, and the whole fits on a screen."""
    assert {room_of(module) for module in MODULES} == picture().keys()
    assert len(picture()) <= 12


def test_nothing_lies_about_in_the_hall() -> None:
    """At the package's top stand rooms, the public names, the start and what tests import."""
    assert {name for name in MODULES if "." not in name and (PACKAGE / f"{name}.py").exists()} == {
        *("__init__", "__main__", "testing")
    }


def test_no_import_is_relative() -> None:
    """An import is written out, so that it can be read where it stands."""
    relative = {m for m, tree in MODULES.items() for s, _ in imports(tree) if s.startswith(".")}
    assert relative == set()


def test_every_arrow_is_in_the_picture() -> None:
    """A module imports nothing of ours that its room may not."""
    strangers = {
        f"{module} imports {target}"
        for module in MODULES
        for target in arrows(module)
        if room_of(target) not in picture()[room_of(module)]
    }
    assert strangers == set(), "see CONTRIBUTING.md"


@pytest.mark.parametrize("room", sorted({room_of(module) for module in MODULES}))
def test_the_picture_shows_no_more_than_there_is(room: str) -> None:
    """An arrow that no module needs any more is taken out of the picture."""
    modules = (module for module in MODULES if room_of(module) == room)
    used = {room_of(target) for module in modules for target in arrows(module)}
    assert picture()[room] <= used, f"{room} does not import that any more: see CONTRIBUTING.md"


def test_arrows_point_one_way() -> None:
    """The rooms can be put in an order in which each imports only those before it."""
    order = [*TopologicalSorter(picture()).static_order()]
    assert order[0] == "model"


def test_no_module_imports_itself_around_a_corner() -> None:
    """Within a room, too, modules can be put in an order."""
    inside = {
        module: {
            target
            for source, name in imports(tree)
            if (target := arrow(source, name)) and target != module
        }
        for module, tree in MODULES.items()
        if module != "__init__"
    }
    assert len([*TopologicalSorter(inside).static_order()]) >= len(inside)


def test_packets_leave_from_net_alone() -> None:
    """Nothing outside of net/ opens a socket or starts a program, known exceptions aside."""
    outside = {name: wires(tree) for name, tree in MODULES.items() if room_of(name) != "net"}
    assert {name: wired for name, wired in outside.items() if wired} == EXCEPTIONS


def test_who_observes_knows_the_interface_alone() -> None:
    """Only a command chooses who sends the packets: the others know `Net`, and what sends none."""
    senders = {name for name, tree in MODULES.items() if room_of(name) == "net" and wires(tree)}
    observers = {
        module
        for module in MODULES
        if room_of(module) not in {"net", "commands"} and arrows(module) & senders
    }
    assert observers <= KERNEL_READERS


def test_modules_are_found_by_name_in_few_places() -> None:
    """Only what loads checks, probes, formats and lazy names may import by a computed name."""
    dynamic = {
        module
        for module, tree in MODULES.items()
        if any(source.partition(".")[0] in {"importlib", "runpy"} for source, _ in imports(tree))
    }
    # The command reads a file of the package.
    assert dynamic - {"commands.schema"} == FINDERS


@pytest.mark.parametrize("path", CHECKS, ids=lambda path: str(path.stem))
def test_a_check_imports_ipv6check_and_nothing_deeper(path: Path) -> None:
    """A check needs the words of ipv6check and pure modules of the standard library."""
    tree = ast.parse(path.read_text("utf-8"))
    for source, name in imports(tree):
        if source == "ipv6check":
            assert name in ipv6check.__all__
        else:
            top = source.partition(".")[0]
            assert top == "__future__" or top in sys.stdlib_module_names
            assert top not in NOT_IN_A_CHECK
    called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert called & NOT_CALLED_IN_A_CHECK == set()


def test_what_a_check_imports_exists() -> None:
    """Every name that ipv6check promises to authors of checks can be had, and no other."""
    assert all(getattr(ipv6check, name) is not None for name in ipv6check.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'checks'"):
        _ = ipv6check.checks  # type: ignore[attr-defined]
