"""The state folder of `dalston up`: where everything lies, and who is running it.

The lock is an advisory lock on a file, so it ends with the process that holds it, however it ends; the
file's content (pid, start time, addresses) is for readers only.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"


class AlreadyRunning(Exception):
    """Another supervisor holds the state folder."""


@dataclass(frozen=True)
class Ports:
    """Ports of the parts that nobody types; kept, so that kubeconfig and clients stay valid."""

    nats: int
    kubernetes: int
    operator_probe: int
    operator_metrics: int


@dataclass(frozen=True)
class Running:
    """What a supervisor says of itself: process, addresses, and the processes of its parts."""

    pid: int
    started: str
    gateway: str
    kubernetes: str
    nats: str
    kubeconfig: str
    ready: bool = False
    parts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class StateFolder:
    """Paths in the state folder."""

    root: Path

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig of the embedded control plane."""
        return self.root / "kubeconfig"

    @property
    def token(self) -> Path:
        """Bearer token of the embedded control plane."""
        return self.root / "token"

    @property
    def images(self) -> Path:
        """What the kubelet runs for each image."""
        return self.root / "images.json"

    @property
    def nats(self) -> Path:
        """Streams of nats-server."""
        return self.root / "nats"

    @property
    def kube(self) -> Path:
        """Objects and pods of the embedded control plane."""
        return self.root / "kube"

    @property
    def artifacts(self) -> Path:
        """Audio, stage results and transcripts."""
        return self.root / "artifacts"

    @property
    def logs(self) -> Path:
        """One log file for each part."""
        return self.root / "logs"

    def create(self) -> None:
        """Make the folders; nobody else may look into them."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.nats, self.kube, self.artifacts, self.logs):
            folder.mkdir(exist_ok=True)
        if not self.token.exists():
            write_atomically(self.token, secrets.token_urlsafe(24), mode=0o600)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder; raises AlreadyRunning when another process does."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(str(self.root)) from None
            yield
        finally:
            os.close(descriptor)

    def is_locked(self) -> bool:
        """Tell whether a supervisor runs."""
        if not self._lock.exists():
            return False
        try:
            with self.locked():
                return False
        except AlreadyRunning:
            return True

    def write_running(self, running: Running) -> None:
        """Say who runs this folder."""
        write_atomically(self._running, json.dumps(asdict(running), indent=1))

    def read_running(self) -> Running | None:
        """Give what the supervisor of this folder last said, whether or not it still runs."""
        try:
            said: dict[str, Any] = json.loads(self._running.read_text())
            return Running(**said)
        except (FileNotFoundError, json.JSONDecodeError, TypeError):
            return None

    def forget_running(self) -> None:
        """Say that nobody runs this folder."""
        self._running.unlink(missing_ok=True)

    def ports(self) -> Ports:
        """Give the folder's ports: those of last time, or free ones where another program took one."""
        try:
            kept: dict[str, int] = json.loads(self._ports.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            kept = {}
        chosen = {name: _usable(kept.get(name)) for name in Ports.__dataclass_fields__}
        if chosen != kept:
            write_atomically(self._ports, json.dumps(chosen))
        return Ports(**chosen)

    @property
    def _lock(self) -> Path:
        return self.root / "lock"

    @property
    def _running(self) -> Path:
        return self.root / "up.json"

    @property
    def _ports(self) -> Path:
        return self.root / "ports.json"


def _usable(port: int | None) -> int:
    if port is not None and port_is_free(LOOPBACK, port):
        return port
    return free_port()


def free_port() -> int:
    """Give a port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        found: int = probe.getsockname()[1]
        return found


def port_is_free(host: str, port: int) -> bool:
    """Tell whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def shown(path: Path | str) -> str:
    """Give the path as people would type it: relative when it lies in the working directory."""
    absolute = Path(path)
    here = Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace the file in one step, so that readers see the old text or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
