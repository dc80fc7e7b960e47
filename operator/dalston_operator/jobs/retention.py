"""What happens to jobs that are finished or gone: TTL, retry requests, and clean-up.

A slim view of every job is kept, finished ones too. A deleted job takes its artifacts, tasks,
claims and dead letters along; what was deleted while no operator ran is found by the sweep.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from dalston.artifacts import ArtifactStore, StoreUnavailable, keys
from dalston.bus import Bus, BusUnavailable, subjects
from dalston.kube import (
    ApiError,
    ApiUnavailable,
    Conflict,
    Informer,
    KubeClient,
    NotFound,
    WatchEvent,
    WatchEventType,
)
from dalston.kube.kinds import TRANSCRIPTION_JOBS
from dalston.resources.transcription_job import ExecutionMode, Priority
from dalston.resources.transcription_status import FINISHED_PHASES, JobPhase
from dalston_operator import metrics
from dalston_operator.jobs.reconcile import retry_token
from dalston_operator.settings import OperatorSettings
from dalston_operator.workqueue import WorkQueue

logger = logging.getLogger(__name__)

_EXPECTED = (ApiError, ApiUnavailable, BusUnavailable, StoreUnavailable)
_UPLOADS = "uploads/"


@dataclass(frozen=True, slots=True)
class JobView:
    """What is kept of a job.

    `upload` is the folder of its upload, if its source is one; `lanes` are the engines that have a
    consumer for this job alone.
    """

    uid: str
    finished: bool
    expires_at: datetime | None
    retry_asked: bool
    upload: str | None
    lanes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Expired:
    """A finished job whose time to live is over."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Deleted:
    """A job that is gone, with what it leaves behind."""

    uid: str
    upload: str | None
    lanes: frozenset[str]


Errand = Expired | Deleted
T = TypeVar("T")


def view(item: Mapping[str, Any]) -> JobView:
    """Read a job."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    metadata = item["metadata"]
    finished = status.get("phase") in FINISHED_PHASES
    ttl = spec.get("ttlSecondsAfterFinished")
    expires_at = None
    if finished and ttl is not None and status.get("finishedAt"):
        expires_at = datetime.fromisoformat(status["finishedAt"]) + timedelta(seconds=ttl)
    artifact = (spec.get("source") or {}).get("artifact") or ""
    return JobView(
        uid=metadata["uid"],
        finished=finished,
        expires_at=expires_at,
        retry_asked=_retry_asked(item),
        upload=artifact.rsplit("/", 1)[0] if artifact.startswith(_UPLOADS) else None,
        lanes=_lanes(item),
    )


def _retry_asked(item: Mapping[str, Any]) -> bool:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    wanted = retry_token(item["metadata"].get("annotations") or {})
    failed = status.get("phase") in (JobPhase.FAILED, JobPhase.CANCELLED)
    return failed and wanted not in (None, status.get("retry")) and not spec.get("cancel")


def _lanes(item: Mapping[str, Any]) -> frozenset[str]:
    execution = (item.get("spec") or {}).get("execution") or {}
    if execution.get("mode") != ExecutionMode.DEDICATED:
        return frozenset()
    stages = (item.get("status") or {}).get("stages") or []
    return frozenset(stage["engine"] for stage in stages if stage.get("engine"))


class Retention:
    """Keeps, expires and cleans up after jobs."""

    def __init__(
        self,
        client: KubeClient,
        bus: Bus,
        store: ArtifactStore,
        *,
        settings: OperatorSettings,
        engines: Callable[[], set[str]],
        on_retry: Callable[[str, str], Awaitable[None]],
        on_deleted: Callable[[str, str, str], None],
    ) -> None:
        self.jobs: Informer[JobView] = Informer(
            client,
            TRANSCRIPTION_JOBS,
            project=view,
            on_event=self._changed,
            namespace=settings.namespace,
        )
        self.queue: WorkQueue[Errand | tuple[str, str]] = WorkQueue()
        self._client = client
        self._bus = bus
        self._store = store
        self._settings = settings
        self._engines = engines
        self._on_retry = on_retry
        self._on_deleted = on_deleted
        self._unowned_since: dict[str, float] = {}
        self._unowned_before: set[tuple[str, object]] = set()

    async def run(self) -> None:
        """Watch, expire and clean up until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.jobs.run())
            await self.jobs.synced.wait()
            for _ in range(4):
                group.create_task(self.queue.work(self._handle))
            group.create_task(self._sweep_now_and_then())

    def unfinished(self, uid: str) -> tuple[str, str] | None:
        """Give namespace and name of the unfinished job with that uid, or None."""
        for key, job in self.jobs.cache.items():
            if job.uid == uid and not job.finished:
                return key
        return None

    def _changed(self, event: WatchEvent[JobView]) -> None:
        job = event.object
        if event.type == WatchEventType.DELETED:
            self._on_deleted(event.namespace, event.name, job.uid)
            self.queue.add(Deleted(job.uid, job.upload, job.lanes))
        elif job.retry_asked:
            self.queue.add((event.namespace, event.name))
        elif job.expires_at is not None:
            pause = (job.expires_at - datetime.now(UTC)).total_seconds()
            self.queue.add_after(Expired(event.namespace, event.name), pause)

    async def _handle(self, errand: Errand | tuple[str, str]) -> None:
        try:
            if isinstance(errand, Deleted):
                await self._clean_up(errand)
            elif isinstance(errand, Expired):
                await self._expire(errand)
            else:
                await self._on_retry(*errand)
        except _EXPECTED as error:
            logger.warning("%s: %s; trying again", errand, error)
            raise
        except Exception:
            logger.exception("%s", errand)
            raise

    async def _expire(self, expired: Expired) -> None:
        job = self.jobs.get(expired.namespace, expired.name)
        if job is None or job.expires_at is None:
            return
        pause = (job.expires_at - datetime.now(UTC)).total_seconds()
        if pause > 0:
            self.queue.add_after(expired, pause)
            return
        try:
            await self._client.delete(
                TRANSCRIPTION_JOBS, expired.name, namespace=expired.namespace, uid=job.uid
            )
        except (NotFound, Conflict):
            return

    async def _clean_up(self, deleted: Deleted) -> None:
        await self._bus.cancel(deleted.uid)
        await self._bus.forget_job(deleted.uid)
        await self._bus.forget_dead_letters(deleted.uid)
        for engine in deleted.lanes:
            await self._bus.delete_consumer(engine, subjects.dedicated_lane(deleted.uid))
        await self._store.delete_folder(keys.job_folder(deleted.uid))
        if deleted.upload is not None and not self._wanted(deleted.upload):
            await self._store.delete_folder(deleted.upload)

    def _wanted(self, upload: str) -> bool:
        return any(job.upload == upload for job in self.jobs.cache.values())

    async def _sweep_now_and_then(self) -> None:
        while True:
            try:
                await self.sweep()
            except _EXPECTED as error:
                logger.warning("the sweep failed: %s; trying again later", error)
            await asyncio.sleep(self._settings.sweep_interval)

    async def sweep(self) -> None:
        """Remove what belongs to no job or engine and was seen so twice; uploads after a while.

        Twice, because the watch may lag behind what workers do for a job that is new.
        """
        consumers = await self._bus.consumers()
        claimed = await self._bus.claimed_jobs()
        folders = await self._store.folders("jobs")
        uploads = await self._store.folders("uploads")
        # Read after the listings: whatever is in these belongs to jobs that existed by now.
        uids = {job.uid for job in self.jobs.cache.values()}
        active = {job.uid for job in self.jobs.cache.values() if not job.finished}
        for uid in self._second_time("results", set(folders) - uids):
            metrics.SWEPT.labels("results").inc()
            await self._store.delete_folder(keys.job_folder(uid))
        for uid in self._second_time("claims", claimed - active):
            metrics.SWEPT.labels("claims").inc()
            await self._bus.forget_job(uid)
        lanes = {*Priority, *map(subjects.dedicated_lane, active)}
        unserved = {pair for pair in consumers if not self._serves(*pair, lanes=lanes)}
        for engine, lane in self._second_time("consumers", unserved):
            metrics.SWEPT.labels("consumers").inc()
            await self._bus.delete_consumer(engine, lane)
        await self._sweep_uploads({f"{_UPLOADS}{upload}" for upload in uploads})

    def _serves(self, engine: str, lane: str, *, lanes: set[str]) -> bool:
        return lane in lanes and engine in self._engines()

    def _second_time(self, kind: str, unowned: set[T]) -> set[T]:
        again = {item for item in unowned if (kind, item) in self._unowned_before}
        self._unowned_before = {pair for pair in self._unowned_before if pair[0] != kind}
        self._unowned_before |= {(kind, item) for item in unowned}
        return again

    async def _sweep_uploads(self, uploads: set[str]) -> None:
        now = asyncio.get_running_loop().time()
        unowned = uploads - {job.upload for job in self.jobs.cache.values() if job.upload}
        self._unowned_since = {upload: self._unowned_since.get(upload, now) for upload in unowned}
        for upload, since in list(self._unowned_since.items()):
            if now - since >= self._settings.upload_grace_seconds:
                metrics.SWEPT.labels("uploads").inc()
                await self._store.delete_folder(upload)
                del self._unowned_since[upload]
