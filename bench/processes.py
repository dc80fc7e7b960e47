"""Runs the parts of the control plane as processes in a temporary folder, and reads their use."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

from dalston.bus import Bus, BusSettings
from dalston.kube import KubeClient, KubeSettings
from dalston.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS, ENGINES
from tests.nats_server import NatsServer

CHECKOUT = Path(__file__).parent.parent
_START_SECONDS = 20.0


@dataclass
class ControlPlane:
    """nats-server and localkube, with clients; the operator and workers are started by the bench."""

    folder: Path
    client: KubeClient
    bus: Bus
    environment: dict[str, str]
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *command: str, folder: Path = CHECKOUT, **more: str) -> psutil.Process:
        """Start a Python module of the system, such as `dalston_operator`."""
        log = (self.folder / f"{len(self.running)}-{command[0]}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env={**os.environ, **self.environment, **more},
            stdout=log,
            stderr=log,
        )
        log.close()
        self.running.append(process)
        return psutil.Process(process.pid)

    def stop(self, process: psutil.Process) -> None:
        """End a process that was started here."""
        known = next(child for child in self.running if child.pid == process.pid)
        known.terminate()
        try:
            known.wait(10)
        except subprocess.TimeoutExpired:
            known.kill()
            known.wait()
        self.running.remove(known)


@asynccontextmanager
async def control_plane() -> AsyncIterator[ControlPlane]:
    """Start nats-server and localkube with the CRDs; everything ends with the context."""
    folder = Path(tempfile.mkdtemp(prefix="dalston-bench-"))
    nats = NatsServer(folder / "nats")
    nats.start()
    kubeconfig = folder / "kubeconfig"
    environment = {
        "DALSTON_KUBE_CONFIG": str(kubeconfig),
        "DALSTON_NATS_URL": nats.url,
        "DALSTON_ARTIFACTS_URL": f"file://{folder}/artifacts",
        "DALSTON_OPERATOR_PROBE_PORT": "0",
        "DALSTON_OPERATOR_METRICS_PORT": "0",
        "DALSTON_LOG_LEVEL": "WARNING",
    }
    arguments = ["--data-dir", str(folder / "kube"), "--port", "0", "--server-only"]
    arguments += ["--kubeconfig", str(kubeconfig)]
    running: list[subprocess.Popen[bytes]] = []
    try:
        with (folder / "localkube.log").open("wb") as log:
            running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "dalston.localkube", *arguments],
                    stdout=log,
                    stderr=log,
                )
            )
        async with asyncio.timeout(_START_SECONDS):
            while not kubeconfig.exists():
                await asyncio.sleep(0.02)
        async with (
            await KubeClient.connect(KubeSettings(config=kubeconfig)) as client,
            await Bus.connect(BusSettings(url=nats.url), name="bench") as bus,
        ):
            await bus.ensure_streams()
            for path in sorted((CHECKOUT / "crds").glob("*.yaml")):
                body = yaml.safe_load(path.read_text())
                await client.create(CUSTOM_RESOURCE_DEFINITIONS, body, namespace=None)
            plane = ControlPlane(folder, client, bus, environment, running)
            await apply_engine(plane, CHECKOUT / "bench" / "noop")
            yield plane
    finally:
        for process in running:
            process.kill()
            process.wait()
        nats.kill()
        shutil.rmtree(folder, ignore_errors=True)


async def apply_engine(plane: ControlPlane, folder: Path) -> None:
    """Create the Engine of an engine folder."""
    body = yaml.safe_load((folder / "engine.yaml").read_text())
    await plane.client.create(ENGINES, body, namespace="default")


def cpu_seconds(process: psutil.Process) -> float:
    """Give the processor seconds that a process has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


def memory_mib(process: psutil.Process) -> float:
    """Give the resident memory of a process in MiB."""
    return float(process.memory_info().rss) / 2**20


def metric(port: int, name: str) -> float:
    """Read one sample of a process's Prometheus metrics; `name` with its labels as printed."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rsplit(" ", 1)[1])
    return 0.0
