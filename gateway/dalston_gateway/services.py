"""What every request handler needs, made once when the process starts."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from fastapi import Request

from dalston.artifacts import ArtifactSettings, ArtifactStore
from dalston.bus import Bus, BusSettings
from dalston.kube import KubeClient, KubeSettings
from dalston_gateway.engine_catalogue import EngineCatalogue
from dalston_gateway.job_watch import JobWatch
from dalston_gateway.jobs import Jobs
from dalston_gateway.keys import ApiKeys
from dalston_gateway.metrics import Metrics
from dalston_gateway.settings import GatewaySettings
from dalston_gateway.uploads import Receiver

logger = logging.getLogger(__name__)


@dataclass
class Services:
    """The parts that handlers use; `bus` is None until NATS was reached for the first time."""

    settings: GatewaySettings
    metrics: Metrics
    kube: KubeClient
    store: ArtifactStore
    engines: EngineCatalogue
    keys: ApiKeys
    watch: JobWatch
    jobs: Jobs
    receiver: Receiver
    bus: Bus | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process is about to end: whoever waits for a transcript is answered."""

    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def stop_waiting(self, *, after: float) -> None:
        """Answer whoever still waits for a transcript in some seconds; safe in a signal handler."""
        self.loop.call_soon_threadsafe(self.loop.call_later, after, self._stop)

    def _stop(self) -> None:
        self.stopping.set()
        self.watch.wake_all()


def services_of(request: Request) -> Services:
    """Give the services of the application that serves the request."""
    found = request.app.state.services
    assert isinstance(found, Services)
    return found


@asynccontextmanager
async def running(
    settings: GatewaySettings,
    *,
    kube_settings: KubeSettings | None = None,
    bus_settings: BusSettings | None = None,
    artifact_settings: ArtifactSettings | None = None,
    metrics: Metrics | None = None,
) -> AsyncIterator[Services]:
    """Start the watches and connections; neither the API server nor NATS need be there yet."""
    metrics = metrics or Metrics()
    async with AsyncExitStack() as stack:
        kube = await stack.enter_async_context(await KubeClient.connect(kube_settings))
        namespace = kube.settings.namespace
        store = ArtifactStore.open(artifact_settings or ArtifactSettings())
        watch = JobWatch(kube, namespace)
        services = Services(
            settings=settings,
            metrics=metrics,
            kube=kube,
            store=store,
            engines=EngineCatalogue(kube, namespace),
            keys=ApiKeys(kube, namespace),
            watch=watch,
            jobs=Jobs(kube=kube, store=store, watch=watch, settings=settings, metrics=metrics),
            receiver=Receiver(store, settings, metrics),
        )
        tasks = [
            asyncio.create_task(watch.run(), name="watch jobs"),
            asyncio.create_task(services.engines.run(), name="watch engines"),
            asyncio.create_task(_connect(services, bus_settings), name="connect to NATS"),
        ]
        if settings.auth_required:
            tasks.append(asyncio.create_task(services.keys.run(), name="watch keys"))
        for task in tasks:
            task.add_done_callback(_report)
        stack.push_async_callback(_end, tasks, services)
        yield services


async def _connect(services: Services, settings: BusSettings | None) -> None:
    services.bus = await Bus.connect(settings, name="dalston-gateway")


async def _end(tasks: list[asyncio.Task[None]], services: Services) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if services.bus is not None:
        await services.bus.close()


def _report(task: asyncio.Task[None]) -> None:
    """A watch ends only by a defect; the log says so, and the readiness probe turns false."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("%s ended: %r", task.get_name(), error, exc_info=error)
