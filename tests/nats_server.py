"""A real nats-server with JetStream on a free port of 127.0.0.1, which tests may kill and restart."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from scripts.fetch_data import cache_folder

_START_SECONDS = 20.0
"""How long a start may take; on two busy cores it has taken a second."""


def binary() -> str:
    """The nats-server to run: of PATH, of Debian (which keeps it where only root looks), or built."""
    folders = [os.environ.get("PATH", ""), "/usr/sbin", str(cache_folder() / "bin")]
    found = shutil.which("nats-server", path=os.pathsep.join(folders))
    if found is None:
        raise FileNotFoundError("nats-server is not on PATH: `make setup` installs it")
    return found


class NatsServer:
    """One server. It keeps its port and its streams over `kill()` or `stop()` and `start()`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = -1
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect; known after the first start."""
        assert self._port > 0, "not started yet"
        return f"nats://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None, "not running"
        return self._process.pid

    def start(self) -> None:
        """Returns when the server answers with its INFO line."""
        assert self._process is None, "already running"
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "listen": f"127.0.0.1:{self._port}",
            "ports_file_dir": str(self._folder),
            "jetstream": {"store_dir": str(self._folder / "jetstream")},
            "write_deadline": "10s",
        }
        configuration = self._folder / "nats.conf"
        configuration.write_text(json.dumps(settings, indent=1))
        command = [binary(), "--config", str(configuration)]
        if guard := shutil.which("setpriv"):  # a killed test run leaves no server behind
            command = [guard, "--pdeathsig", "KILL", *command]
        with (self._folder / "nats.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._await_ready(self._process)

    def stop(self) -> None:
        """Ends the server as an operator would, with SIGTERM; does nothing when it is down."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the server as a crash would, with SIGKILL; does nothing when it is down."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stale in self._folder.glob("*.ports"):
            stale.unlink()

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        give_up = time.monotonic() + _START_SECONDS
        while not self._answers(process.pid):
            if process.poll() is not None or time.monotonic() > give_up:
                process.kill()
                process.wait()
                self._process = None
                log = (self._folder / "nats.log").read_text()
                raise RuntimeError(f"nats-server did not start:\n{log}")
            time.sleep(0.01)

    def _answers(self, pid: int) -> bool:
        ports = self._folder / f"nats-server_{pid}.ports"
        if not ports.exists():
            return False
        try:
            self._port = int(json.loads(ports.read_text())["nats"][0].rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", self._port), timeout=2) as connection:
                return connection.recv(5) == b"INFO "
        except (OSError, json.JSONDecodeError):  # half-written file, or not listening yet
            return False
