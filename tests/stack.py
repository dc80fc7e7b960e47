"""The whole system in processes of its own, as `dalston up` runs it; one for all tests of a session."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dalston.cli.up import leftovers
from dalston.cli.up.state import LOOPBACK, Running, StateFolder, free_port

CHECKOUT = Path(__file__).parents[1]
_READY_SECONDS = 60.0
_WARM_SECONDS = 90.0
_STOP_SECONDS = 60.0


@dataclass
class Stack:
    """A supervisor and its parts. `state_dir` and the ports stay over `stop()` and `start()`."""

    state_dir: Path
    model: str = "tiny.en"
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    started_seconds: float = 0.0
    """Seconds from the start of the process until everything served."""

    warm_seconds: float = 0.0
    """Seconds until every engine had a ready worker."""

    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of the gateway."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def state(self) -> StateFolder:
        """The state folder."""
        return StateFolder(self.state_dir)

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig of the control plane."""
        return self.state.kubeconfig

    @property
    def running(self) -> Running:
        """What the supervisor says of itself."""
        found = self.state.read_running()
        assert found is not None, f"nothing runs in {self.state_dir}"
        return found

    @property
    def output(self) -> str:
        """What the supervisor has printed."""
        return (self.state_dir / "up.out").read_text()

    @property
    def supervisor(self) -> int:
        """Process id of the supervisor."""
        assert self._process is not None, "not running"
        return self._process.pid

    def start(self, *, warm: bool = True) -> None:
        """Returns when everything serves and, if wanted and any are kept, the workers are warm."""
        assert self._process is None, "already running"
        self.state_dir.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        with (self.state_dir / "up.out").open("wb") as output:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**os.environ, **self.environment}, cwd=CHECKOUT,
            )  # fmt: skip
        self._await("ready after", seconds=_READY_SECONDS)
        self.started_seconds = time.monotonic() - began
        if warm and "--no-warm" not in self.options:
            self._await("engines warm after", seconds=_WARM_SECONDS)
            self.warm_seconds = time.monotonic() - began

    def command(self) -> list[str]:
        """The command line of the supervisor."""
        command = [sys.executable, "-m", "dalston.cli", "up", "--state-dir", str(self.state_dir)]
        return [*command, "--port", str(self.port), "--model", self.model, *self.options]

    def stop(self) -> int:
        """Ends the system as Ctrl-C does; gives the supervisor's exit status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGINT)
        try:
            return process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            leftovers.end(leftovers.marked(self.state_dir), grace=0.0)
            raise

    def kill(self, part: str) -> int:
        """Ends a part (nats, localkube, operator, gateway) with SIGKILL; gives its process id."""
        pid = self.running.parts[part]
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_supervisor(self) -> None:
        """Ends the supervisor with SIGKILL; what becomes of the parts is theirs to know."""
        process, self._process = self._process, None
        assert process is not None, "not running"
        process.kill()
        process.wait()

    def cli(
        self, *arguments: str, timeout: float = 60.0, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        """Runs the `dalston` command against this system."""
        return subprocess.run(
            [sys.executable, "-m", "dalston.cli", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={
                **os.environ,
                "DALSTON_SERVER": self.url,
                "DALSTON_STATE_DIR": str(self.state_dir),
                **environment,
            },
        )

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs kubectl against the control plane; gives its output, fails when it fails."""
        command = ["kubectl", "--kubeconfig", str(self.kubeconfig), *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kubectl_json(self, *arguments: str) -> dict[str, Any]:
        """Runs kubectl and reads the JSON that it prints."""
        found: dict[str, Any] = json.loads(self.kubectl(*arguments, "-o", "json"))
        return found

    def _await(self, line: str, *, seconds: float) -> None:
        assert self._process is not None
        give_up = time.monotonic() + seconds
        while line not in self.output:
            status = self._process.poll()
            if status is not None or time.monotonic() > give_up:
                logs = "".join(
                    f"\n--- {path.name}\n" + "\n".join(path.read_text().splitlines()[-20:])
                    for path in sorted(self.state.logs.glob("*.log"))
                )
                pytest.fail(f"no {line!r} (status {status}):\n{self.output}{logs[-8000:]}")
            time.sleep(0.02)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running system with tiny.en for all tests of the session: leave it as it was."""
    running = Stack(tmp_path_factory.mktemp("stack"))
    running.start()
    yield running
    running.stop()
