"""The whole system as a user starts it, `dalston up`, in a temporary folder."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

_START_SECONDS = 60.0


@dataclass(frozen=True)
class Stack:
    """A running system: its address, its folder, and the process that supervises it."""

    url: str
    folder: Path
    pid: int


@contextmanager
def stack(model: str = "tiny.en") -> Iterator[Stack]:
    """Start the system with that default model and wait until its workers are warm."""
    folder = Path(tempfile.mkdtemp(prefix="dalston-bench-"))
    port = _free_port()
    command = [sys.executable, "-m", "dalston.cli", "up", "--state-dir", str(folder)]
    command += ["--port", str(port), "--model", model]
    url = f"http://127.0.0.1:{port}"
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ))
    try:
        _wait_until_warm(url, process)
        yield Stack(url, folder, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_warm(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"`dalston up` ended with status {process.returncode}")
        try:
            status = httpx.get(f"{url}/v1/system/status", timeout=2).json()
            engines = status["engines"]
            if engines and all(engine["ready"] for engine in engines):
                return
        except (httpx.HTTPError, KeyError, ValueError):
            pass
        time.sleep(0.1)
    raise TimeoutError(f"the system was not warm within {_START_SECONDS:.0f} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
