"""The operator's process: `python -m dalston_operator`."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

import kopf
import uvloop
from prometheus_client import start_http_server

from dalston.artifacts import ArtifactSettings, ArtifactStore
from dalston.bus import Bus, BusSettings
from dalston.kube import KubeClient, KubeSettings
from dalston.kube.lease import Lease, LeaseLost, LeaseTimes
from dalston.observability import setup_logging
from dalston_operator import handlers, metrics
from dalston_operator.engines.render import WorkerEnvironment
from dalston_operator.health import Health
from dalston_operator.operator import Operator
from dalston_operator.settings import OperatorSettings

logger = logging.getLogger(__name__)


_STOP_SECONDS = 2.0
"""Seconds that the controllers get to end; what they leave undone, the next operator does."""


@dataclass(frozen=True)
class Settings:
    """All settings of the process."""

    operator: OperatorSettings
    kube: KubeSettings
    bus: BusSettings
    artifacts: ArtifactSettings

    @classmethod
    def load(cls) -> "Settings":
        """Read the environment; raises pydantic's ValidationError with what is missing."""
        return cls(OperatorSettings(), KubeSettings(), BusSettings(), ArtifactSettings())

    def worker_environment(self) -> WorkerEnvironment:
        """Give what workers need to reach the same bus and store, and what is set for them."""
        variables = {
            "DALSTON_NATS_URL": self.bus.url,
            "DALSTON_NATS_ACK_WAIT": str(self.bus.ack_wait),
            "DALSTON_NATS_MAX_DELIVER": str(self.bus.max_deliver),
            "DALSTON_ARTIFACTS_URL": self.artifacts.url,
            **self.operator.worker_environment,
        }
        return WorkerEnvironment(
            variables=variables,
            secret=self.operator.worker_secret,
            service_account=self.operator.worker_service_account,
            finished_ttl_seconds=self.operator.worker_ttl_seconds,
        )


async def run(settings: Settings, stop: asyncio.Event) -> int:
    """Wait for the Lease, reconcile until `stop` is set; gives the exit status."""
    identity = settings.operator.identity or f"{socket.gethostname()}-{os.getpid()}"
    store = ArtifactStore.open(settings.artifacts)
    async with (
        await KubeClient.connect(settings.kube) as client,
        await Bus.connect(settings.bus, name=f"operator-{identity}") as bus,
    ):
        lease = Lease(
            client,
            namespace=settings.operator.lease_namespace,
            name=settings.operator.lease_name,
            identity=identity,
            times=LeaseTimes.of(settings.operator.lease_duration),
        )
        health = Health(settings.operator, bus, lease)
        async with health.served():
            acquiring = asyncio.create_task(lease.acquire(on_wait=_waiting()))
            if not await _first(acquiring, stop):
                return 0
            metrics.LEADER.set(1)
            logger.info("lease acquired", extra={"identity": identity})
            operator = Operator(
                client,
                bus,
                store,
                settings=settings.operator,
                environment=settings.worker_environment(),
            )
            health.operator = operator
            try:
                return await _serve(operator, client, lease, stop)
            finally:
                metrics.LEADER.set(0)
                await lease.release()


async def _serve(operator: Operator, client: KubeClient, lease: Lease, stop: asyncio.Event) -> int:
    """Run the controllers, kopf and the Lease side by side; the first to end ends all."""
    namespace = operator.settings.namespace
    stopped = asyncio.create_task(stop.wait())
    ready = asyncio.Event()
    tasks = [
        asyncio.create_task(operator.run(), name="controllers"),
        asyncio.create_task(lease.hold(), name="lease"),
        asyncio.create_task(
            kopf.operator(
                registry=handlers.registry(operator, client.configuration),
                settings=handlers.settings(),
                standalone=True,
                clusterwide=namespace is None,
                namespaces=[namespace] if namespace else [],
                ready_flag=ready,
            ),
            name="kopf",
        ),
        asyncio.create_task(_own_signals(ready, stop), name="signals"),
    ]
    try:
        done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopped}:
            error = task.exception()
            level = logging.WARNING if isinstance(error, LeaseLost) else logging.ERROR
            logger.log(level, "%s ended: %r", task.get_name(), error, exc_info=error)
        return 0 if done == {stopped} else 1
    finally:
        for task in [stopped, *tasks]:
            task.cancel()
        await asyncio.wait([stopped, *tasks], timeout=_STOP_SECONDS)


async def _own_signals(ready: asyncio.Event, stop: asyncio.Event) -> None:
    """Take the signals back from kopf, whose own way of stopping takes seconds; then idle."""
    await ready.wait()
    stop_on_signals(stop)
    await asyncio.Event().wait()


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set `stop` on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


async def _first(task: "asyncio.Task[None]", stop: asyncio.Event) -> bool:
    """Wait for the task or for `stop`; tells whether the task is done."""
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if task.done():
        task.result()
        return True
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return False


def _waiting() -> Callable[[str], None]:
    told: set[str] = set()

    def tell(holder: str) -> None:
        name = holder.rsplit("@", 1)[0]
        if name not in told:
            told.add(name)
            logger.info("waiting for the lease", extra={"holder": name})

    return tell


async def main() -> int:
    """Load settings, serve metrics, run until a signal."""
    setup_logging("operator")
    settings = Settings.load()
    if settings.operator.metrics_port:
        start_http_server(settings.operator.metrics_port, addr=settings.operator.probe_host)
    stop = asyncio.Event()
    stop_on_signals(stop)
    return await run(settings, stop)


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
