"""Entering a named network namespace, which Python can do by itself only since 3.12."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread, and what it starts, is in that network namespace meanwhile."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _enter(f"/run/netns/{namespace}")
        yield
    finally:
        _enter_fd(before)
        os.close(before)


def _enter(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        _enter_fd(fd)
    finally:
        os.close(fd)


def _enter_fd(fd: int) -> None:
    if _libc.setns(fd, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot enter the network namespace")
