"""What /proc says of the processes of a session."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")
_FIELD = re.compile(rb"^(\w+):\s+(\d+) kB", re.MULTILINE)


def table() -> dict[int, tuple[int, int]]:
    """pid → (parent, session) of every process."""
    found: dict[int, tuple[int, int]] = {}
    for name in os.listdir(_PROC):
        if name.isdigit():
            entry = _parents(int(name))
            if entry is not None:
                found[int(name)] = entry
    return found


def _parents(pid: int) -> tuple[int, int] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may itself hold parentheses and blanks.
    fields = text[text.rindex(b")") + 2 :].split()
    if fields[0] == b"Z":
        return None
    return int(fields[1]), int(fields[3])


def session_members(leader: int, known: dict[int, tuple[int, int]] | None = None) -> list[int]:
    """The living processes of a session, and their descendants in other sessions."""
    processes = table() if known is None else known
    members = {pid for pid, (_, session) in processes.items() if session == leader}
    while True:
        more = {pid for pid, (parent, _) in processes.items() if parent in members} - members
        if not more:
            return sorted(members)
        members |= more


def memory_of(pids: Iterable[int], *, limit: int) -> int:
    """Bytes that the processes hold and nobody can reclaim: anonymous and shared memory.

    Pages that several of them share are counted for each, unless that exceeds `limit`; then exactly.
    """
    pids = list(pids)
    quick = sum(_sum(pid, "status", (b"RssAnon", b"RssShmem")) for pid in pids)
    if quick <= limit:
        return quick
    return sum(_sum(pid, "smaps_rollup", (b"Pss_Anon", b"Pss_Shmem")) for pid in pids)


def _sum(pid: int, file: str, names: tuple[bytes, ...]) -> int:
    try:
        text = (_PROC / str(pid) / file).read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return sum(int(size) * 1024 for name, size in _FIELD.findall(text) if name in names)


def variable_of(pid: int, name: str) -> str | None:
    """An environment variable that a process was started with."""
    try:
        text = (_PROC / str(pid) / "environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    prefix = f"{name}=".encode()
    for entry in text.split(b"\0"):
        if entry.startswith(prefix):
            return os.fsdecode(entry[len(prefix) :])
    return None
