"""Processes that a killed supervisor left behind.

Every part gets `MARK` in its environment and hands it on to what it starts, pods included, so that what
belongs to a state folder is known without any file that could be out of date.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable
from pathlib import Path

MARK = "DALSTON_UP_STATE"
"""Environment variable of the parts: the state folder that they belong to. Read by nobody else."""


def mark_of(root: Path) -> str:
    """Give the value of the mark for a state folder."""
    return str(root.resolve())


def marked(root: Path) -> list[int]:
    """Give the processes of a state folder, but not this one; none where there is no /proc."""
    needle = f"{MARK}={mark_of(root)}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        if pid == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:  # ended meanwhile, or another user's
            continue
        if needle in environment.split(b"\0"):
            found.append(pid)
    return sorted(found)


def end(pids: Iterable[int], *, grace: float) -> None:
    """SIGTERM, and SIGKILL for those that are there after `grace` seconds; returns when all are gone."""
    watched = {descriptor: pid for pid in pids if (descriptor := _open(pid)) is not None}
    try:
        for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 10.0)):
            for descriptor in watched:
                _send(descriptor, number)
            watched = _await_end(watched, seconds=seconds)
            if not watched:
                return
    finally:
        for descriptor in watched:
            os.close(descriptor)


def _await_end(watched: dict[int, int], *, seconds: float) -> dict[int, int]:
    poll = select.poll()
    for descriptor in watched:
        poll.register(descriptor, select.POLLIN)
    alive = dict(watched)
    give_up = time.monotonic() + seconds
    while alive and (left := give_up - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left * 1000):
            poll.unregister(descriptor)
            del alive[descriptor]
            os.close(descriptor)
    return alive


def _open(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _send(descriptor: int, number: signal.Signals) -> None:
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return
