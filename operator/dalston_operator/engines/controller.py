"""Keeps as many workers of each engine as its backlog needs, and its status true."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from dalston.bus import Bus, BusUnavailable
from dalston.kube import (
    JSON,
    AlreadyExists,
    ApiError,
    ApiUnavailable,
    Informer,
    KubeClient,
    NotFound,
    WatchEvent,
)
from dalston.kube.kinds import ENGINES, JOBS, PODS
from dalston.resources.engine import Engine
from dalston.resources.meta import ENGINE_LABEL, MANAGED_BY_LABEL, MANAGER
from dalston.resources.reasons import EngineReason
from dalston.resources.transcription_job import Priority
from dalston_operator import metrics
from dalston_operator.engines.render import WorkerEnvironment, revision, worker_job
from dalston_operator.engines.scale import Load, Refusal, WorkerPlan, describe, plan_workers
from dalston_operator.engines.workers import JobView, PodView, view_job, view_pod, workers_of
from dalston_operator.patches import merge_patch
from dalston_operator.settings import OperatorSettings
from dalston_operator.workqueue import WorkQueue

logger = logging.getLogger(__name__)

Key = tuple[str, str]
_EXPECTED = (ApiError, ApiUnavailable, BusUnavailable)
_REFUSALS = {
    400: EngineReason.WORKERS_FAILING,
    403: EngineReason.QUOTA_EXCEEDED,
    422: EngineReason.WORKERS_FAILING,
}
"""Answers to a create that only people can change: by another quota, or another overlay."""

_SETTLE = 0.05
"""Seconds in which a burst of published tasks counts as one reason to look."""


class EngineController:
    """Reconciles the engines."""

    def __init__(
        self,
        client: KubeClient,
        bus: Bus,
        *,
        settings: OperatorSettings,
        environment: WorkerEnvironment,
    ) -> None:
        self.queue: WorkQueue[Key] = WorkQueue()
        self.engines: dict[Key, Engine] = {}
        self.on_worker_failed: Callable[[JobView], None] | None = None
        self._written: dict[Key, JSON] = {}
        self._refused: dict[Key, Refusal] = {}
        self._with_consumers: set[str] = set()
        self._client = client
        self._bus = bus
        self._settings = settings
        self._environment = environment
        labels = f"{MANAGED_BY_LABEL}={MANAGER},{ENGINE_LABEL}"
        self.jobs: Informer[JobView] = Informer(
            client,
            JOBS,
            project=view_job,
            on_event=self._job_changed,
            namespace=settings.namespace,
            labels=labels,
        )
        self.pods: Informer[PodView] = Informer(
            client,
            PODS,
            project=view_pod,
            on_event=lambda event: self._touch(event.namespace, event.object.engine),
            namespace=settings.namespace,
            labels=labels,
        )

    def observe(self, item: JSON) -> None:
        """Take in an engine as the API server has it."""
        engine = Engine.model_validate(item)
        key = (engine.metadata.namespace, engine.metadata.name)
        known = self.engines.get(key)
        if known is not None and known.metadata.uid != engine.metadata.uid:
            known = None
        changed = known is None or known.metadata.generation != engine.metadata.generation
        if known is not None:
            engine = engine.model_copy(update={"status": known.status})
        else:
            self._written[key] = item.get("status") or {}
        self.engines[key] = engine
        if changed:
            self.queue.add(key)

    async def forget(self, namespace: str, name: str) -> None:
        """Drop a deleted engine with its consumers; its tasks wait for one of that name."""
        key = (namespace, name)
        self.engines.pop(key, None)
        self._written.pop(key, None)
        self.queue.forget(key)
        if not any(other[1] == name for other in self.engines):
            self._with_consumers.discard(name)
            for lane in Priority:
                await self._bus.delete_consumer(name, lane)

    def in_namespace(self, namespace: str) -> list[Engine]:
        """Give the engines that jobs of a namespace may use."""
        return [engine for key, engine in self.engines.items() if key[0] == namespace]

    def task_published(self, namespace: str, engine: str) -> None:
        """Look at the engine soon: it has work."""
        self.queue.add_after((namespace, engine), _SETTLE)

    async def run(self) -> None:
        """Reconcile until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.jobs.run())
            group.create_task(self.pods.run())
            await self.jobs.synced.wait()
            await self.pods.synced.wait()
            for _ in range(4):
                group.create_task(self.queue.work(self._handle))

    async def _handle(self, key: Key) -> None:
        metrics.QUEUE_DEPTH.labels("Engine").set(len(self.queue))
        engine = self.engines.get(key)
        if engine is None:
            return
        try:
            with metrics.RECONCILE_SECONDS.labels("Engine").time():
                await self._reconcile(key, engine)
        except _EXPECTED as error:
            metrics.RECONCILES.labels("Engine", "retried").inc()
            logger.warning("engine %s/%s: %s; trying again", *key, error)
            raise
        except Exception:
            metrics.RECONCILES.labels("Engine", "failed").inc()
            logger.exception("engine %s/%s", *key)
            raise
        metrics.RECONCILES.labels("Engine", "done").inc()
        self.queue.add_after(key, self._settings.engine_interval)

    async def _reconcile(self, key: Key, engine: Engine) -> None:
        load = await self._load(engine.metadata.name)
        workers = workers_of(engine.metadata.name, self._jobs_in(key[0]), self._pods_in(key[0]))
        now = datetime.now(UTC)
        planned = plan_workers(
            engine,
            load,
            workers,
            revision=revision(engine, self._environment),
            now=now,
            backoff_limit=self._settings.worker_backoff_limit,
        )
        await self._act(key, engine, planned)
        status = describe(engine, load, workers, refused=self._refused.get(key), now=now)
        await self._write(key, engine.model_copy(update={"status": status}))

    async def _load(self, engine: str) -> Load:
        if engine not in self._with_consumers:
            # Without them nothing counts what waits, and no worker would ever be started.
            for lane in Priority:
                await self._bus.ensure_consumer(engine, lane)
            self._with_consumers.add(engine)
        lanes = [await self._bus.backlog(engine, lane) for lane in Priority]
        load = Load(sum(lane.queued for lane in lanes), sum(lane.running for lane in lanes))
        metrics.ENGINE_BACKLOG.labels(engine, "queued").set(load.queued)
        metrics.ENGINE_BACKLOG.labels(engine, "running").set(load.running)
        return load

    async def _act(self, key: Key, engine: Engine, planned: WorkerPlan) -> None:
        for name in planned.delete:
            try:
                await self._client.delete(JOBS, name, namespace=key[0])
            except NotFound:
                continue
        self._refused.pop(key, None)
        for index, kept in planned.create:
            body = worker_job(engine, self._environment, index=index, kept=kept)
            try:
                await self._client.create(JOBS, body, namespace=key[0])
            except AlreadyExists:
                continue
            except ApiError as error:
                if error.status not in _REFUSALS:
                    raise
                self._refused[key] = Refusal(_REFUSALS[error.status], error.message)
                break
            metrics.WORKERS_CREATED.labels(engine.metadata.name).inc()
        if planned.wake_at is not None:
            pause = (planned.wake_at - datetime.now(UTC)).total_seconds()
            self.queue.add_after(key, max(pause, 0.01))

    async def _write(self, key: Key, engine: Engine) -> None:
        wire = engine.status.to_wire()
        patch = merge_patch(self._written.get(key, {}), wire)
        metrics.ENGINE_WORKERS.labels(key[1], "existing").set(engine.status.workers)
        metrics.ENGINE_WORKERS.labels(key[1], "ready").set(engine.status.ready)
        if key in self.engines:
            self.engines[key] = self.engines[key].model_copy(update={"status": engine.status})
        if not patch:
            return
        try:
            await self._client.patch(
                ENGINES, key[1], {"status": patch}, namespace=key[0], sub="status"
            )
        except NotFound:
            return
        metrics.STATUS_WRITES.labels("Engine").inc()
        self._written[key] = wire

    def _jobs_in(self, namespace: str) -> Sequence[JobView]:
        return [job for key, job in self.jobs.cache.items() if key[0] == namespace]

    def _pods_in(self, namespace: str) -> dict[str, PodView]:
        return {pod.job: pod for key, pod in self.pods.cache.items() if key[0] == namespace}

    def _job_changed(self, event: WatchEvent[JobView]) -> None:
        job = event.object
        if job.owner_job is not None and job.finished and self.on_worker_failed is not None:
            self.on_worker_failed(job)
        self._touch(event.namespace, job.engine)

    def _touch(self, namespace: str, engine: str) -> None:
        if (namespace, engine) in self.engines:
            self.queue.add_after((namespace, engine), _SETTLE)
