"""Puts the operator together: controllers, informers and the event feed, and what feeds them."""

import asyncio
import logging
import time
from datetime import UTC, datetime

from dalston.artifacts import ArtifactStore
from dalston.bus import Bus
from dalston.kube import JSON, KubeClient, NotFound
from dalston.kube.kinds import ENGINES, TRANSCRIPTION_JOBS
from dalston.pipeline.tasks import ErrorKind, EventType, TaskError, TaskEvent
from dalston.resources.engine import Engine
from dalston.resources.transcription_job import PartState
from dalston_operator import metrics
from dalston_operator.engines.controller import EngineController
from dalston_operator.engines.render import WorkerEnvironment
from dalston_operator.engines.workers import JobView
from dalston_operator.events import feed
from dalston_operator.jobs.controller import JobController
from dalston_operator.jobs.dedicated import DedicatedWorkers
from dalston_operator.jobs.recovery import Recovery
from dalston_operator.jobs.retention import Retention
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
                client, bus, environment=environment, find_engine=self._find_engine
            ),
            on_published=self.engines.task_published,
        )
        self.retention = Retention(
            client,
            bus,
            store,
            settings=settings,
            on_retry=self._retry,
            on_deleted=self.jobs.forget,
        )
        self.last_loop_check = time.monotonic()
        self._errands: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Reconcile until cancelled; the engines are known before the first job is planned."""
        await self._bus.ensure_streams()
        items, _ = await self._client.list(ENGINES, namespace=self.settings.namespace)
        for item in items:
            self.engines.observe(item)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_loop())
            group.create_task(self.engines.run())
            group.create_task(self.retention.run())
            await self.retention.jobs.synced.wait()
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
            self.engines.observe(item)

    def _find_engine(self, namespace: str, name: str) -> Engine | None:
        return self.engines.engines.get((namespace, name))

    async def _retry(self, namespace: str, name: str) -> None:
        """Take a finished job back into memory, so that it is planned or published anew."""
        item = await self._client.get(TRANSCRIPTION_JOBS, name, namespace=namespace)
        await self._bus.forget_dead_letters(item["metadata"]["uid"])
        self.jobs.observe(item)

    async def _bring_back(self, uid: str) -> bool:
        key = self.retention.unfinished(uid)
        if key is None:
            return False
        try:
            item = await self._client.get(TRANSCRIPTION_JOBS, key[1], namespace=key[0])
        except NotFound:
            return False
        self.jobs.observe(item)
        return self.jobs.tracks(uid)

    def _dedicated_ended(self, job: JobView) -> None:
        errand = asyncio.create_task(self._report_lost(job))
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)

    async def _report_lost(self, ended: JobView) -> None:
        """Fail the tasks that a dedicated worker has ended without a result of."""
        await asyncio.sleep(_EVENT_GRACE)
        if ended.owner_job is None or not self.jobs.tracks(ended.owner_job):
            return
        known = self.jobs.find(ended.owner_job)
        await self.jobs.check(known)
        for stage in known.job.status.stages:
            if stage.name != ended.stage:
                continue
            for part in stage.parts:
                in_flight = part.state in (PartState.QUEUED, PartState.RUNNING)
                if in_flight and part.attempt == ended.attempt:
                    self.jobs.deliver(
                        TaskEvent(
                            type=EventType.FAILED,
                            job=ended.owner_job,
                            stage=stage.name,
                            part=part.index,
                            attempt=part.attempt,
                            at=datetime.now(UTC),
                            error=TaskError(
                                kind=ErrorKind.INFRASTRUCTURE,
                                code="WorkerLost",
                                message=ended.problem or "the worker ended without a result",
                            ),
                        )
                    )

    async def _watch_loop(self) -> None:
        """Measure how late timers run; the liveness probe reads the time of the last one."""
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(_LAG_INTERVAL)
            metrics.LOOP_LAG.set(loop.time() - before - _LAG_INTERVAL)
            self.last_loop_check = time.monotonic()
