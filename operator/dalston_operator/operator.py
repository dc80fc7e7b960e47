"""Puts the operator together: controllers, informers and the event feed, and what feeds them."""

import asyncio
import logging
import time

from pydantic import ValidationError

from dalston.artifacts import ArtifactStore
from dalston.bus import Bus
from dalston.kube import JSON, KubeClient, NotFound
from dalston.kube.kinds import ENGINES, TRANSCRIPTION_JOBS
from dalston.resources.engine import Engine
from dalston_operator import metrics
from dalston_operator.engines.controller import EngineController
from dalston_operator.engines.render import WorkerEnvironment
from dalston_operator.engines.workers import JobView
from dalston_operator.events import feed
from dalston_operator.jobs.controller import JobController
from dalston_operator.jobs.dedicated import DedicatedWorkers
from dalston_operator.jobs.recovery import Recovery
from dalston_operator.jobs.retention import Retention, view
from dalston_operator.settings import OperatorSettings

logger = logging.getLogger(__name__)

_LAG_INTERVAL = 0.5
_EVENT_GRACE = 2.0
"""Seconds in which the event of a dedicated worker that has ended may still arrive."""


class Operator:
    """Everything that reconciles; kopf's handlers call `job_seen` and `engine_seen`."""

    def __init__(
        self,
        client: KubeClient,
        bus: Bus,
        store: ArtifactStore,
        *,
        settings: OperatorSettings,
        environment: WorkerEnvironment,
    ) -> None:
        self.settings = settings
        self._client = client
        self._bus = bus
        self.engines = EngineController(client, bus, settings=settings, environment=environment)
        self.engines.on_worker_failed = self._dedicated_ended
        self.jobs = JobController(
            client,
            bus,
            settings=settings,
            engines=self.engines.in_namespace,
            recovery=Recovery(bus, store),
            dedicated=DedicatedWorkers(
                client,
                bus,
                environment=environment,
                find_engine=self._find_engine,
                find_worker=self.engines.jobs.get,
            ),
            on_published=self.engines.task_published,
        )
        self.retention = Retention(
            client,
            bus,
            store,
            settings=settings,
            engines=lambda: {name for _, name in self.engines.engines},
            on_retry=self._retry,
            on_deleted=self.jobs.forget,
        )
        self.last_loop_check = time.monotonic()

    async def run(self) -> None:
        """Reconcile until cancelled; the engines are known before the first job is planned."""
        await self._bus.ensure_streams()
        items, _ = await self._client.list(ENGINES, namespace=self.settings.namespace)
        for item in items:
            self._observe_engine(item)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_loop())
            group.create_task(self.engines.run())
            group.create_task(self.retention.run())
            await self.retention.jobs.synced.wait()
            await self.engines.jobs.synced.wait()
            group.create_task(self.jobs.run())
            group.create_task(feed(self._bus, self.jobs, bring_back=self._bring_back))

    def job_seen(self, type: str | None, item: JSON) -> None:
        """Take in a watch event of an unfinished job.

        A job that finishes leaves the selector of the watch, which shows as DELETED too; so real
        deletions are the retention's to see, which watches all jobs.
        """
        if type != "DELETED":
            self.jobs.observe(item)

    async def engine_seen(self, type: str | None, item: JSON) -> None:
        """Take in a watch event of an engine."""
        if type == "DELETED":
            await self.engines.forget(item["metadata"]["namespace"], item["metadata"]["name"])
        else:
            self._observe_engine(item)

    def _observe_engine(self, item: JSON) -> None:
        try:
            self.engines.observe(item)
        except ValidationError as error:
            # One that was stored before its schema became stricter must not stop the others.
            logger.error("engine %s cannot be read: %s", item["metadata"]["name"], error)

    def _find_engine(self, namespace: str, name: str) -> Engine | None:
        return self.engines.engines.get((namespace, name))

    async def _retry(self, namespace: str, name: str) -> None:
        """Take a finished job back into memory, so that it is planned or published anew."""
        item = await self._client.get(TRANSCRIPTION_JOBS, name, namespace=namespace)
        await self._bus.forget_dead_letters(item["metadata"]["uid"])
        self.jobs.observe(item, fresh=True)

    async def _bring_back(self, uid: str) -> bool:
        key = self.retention.unfinished(uid)
        if key is None:
            return False
        try:
            item = await self._client.get(TRANSCRIPTION_JOBS, key[1], namespace=key[0])
        except NotFound:
            return False
        if item["metadata"]["uid"] != uid or view(item).finished:
            return False
        self.jobs.observe(item, fresh=True)
        return True

    def _dedicated_ended(self, worker: JobView) -> None:
        """Look after what a dedicated worker has left, once its last event had time to come."""
        if worker.owner_job is not None:
            self.jobs.suspect(worker.owner_job, after=_EVENT_GRACE)

    async def _watch_loop(self) -> None:
        """Measure how late timers run; the liveness probe reads the time of the last one."""
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(_LAG_INTERVAL)
            metrics.LOOP_LAG.set(loop.time() - before - _LAG_INTERVAL)
            self.last_loop_check = time.monotonic()
