"""Carries out what `reconcile` decides: publishes, stops, writes the status, acknowledges events.

The status of an unfinished job lives in memory and is written when there is news, not more often
than every `status_interval`; an event is acknowledged after the write that holds its effect. A
crash in between costs nothing: events come again, and tasks have the same names as before.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dalston.artifacts import StoreUnavailable
from dalston.bus import Bus, BusUnavailable, EventDelivery, QueueFull
from dalston.kube import JSON, ApiError, ApiUnavailable, Conflict, KubeClient, NotFound
from dalston.kube.kinds import TRANSCRIPTION_JOBS
from dalston.pipeline.tasks import EventType, TaskEvent, TaskRequest
from dalston.resources.engine import Engine
from dalston.resources.transcription_job import ExecutionMode, TranscriptionJob
from dalston_operator import metrics
from dalston_operator.jobs import requests
from dalston_operator.jobs.dedicated import DedicatedWorkers
from dalston_operator.jobs.folding import RetryPolicy
from dalston_operator.jobs.reconcile import Decision, Observed, reconcile
from dalston_operator.jobs.recovery import Recovery
from dalston_operator.patches import merge_patch
from dalston_operator.settings import OperatorSettings
from dalston_operator.workqueue import WorkQueue

logger = logging.getLogger(__name__)

Key = tuple[str, str]
_FIRST_SHARE = 0.15
_EXPECTED = (ApiError, ApiUnavailable, BusUnavailable, QueueFull, StoreUnavailable)
_CHECKED_AT_ONCE, _CHECK_PAUSE = 50, 0.25
"""Jobs looked after in one go, and the seconds in between: news is not to wait behind them."""

_QUIET_DOUBLINGS = 3
"""How often the pause doubles for a job without news, which most likely waits for a worker."""

_REMEMBERED = 10_000
"""Jobs that ended last: many more than a watch can be late with news of."""


class Pace:
    """When the next status write of an unfinished job is due, in loop time.

    The first waits a moment, since quick jobs end before it is worth a write. While news keeps
    coming, each further one waits five times as long; after a quiet while the next is due at once.
    """

    def __init__(self, now: float, interval: float) -> None:
        self.due = now + interval * _FIRST_SHARE
        self._interval = interval
        self._pause = interval

    def wrote(self, now: float) -> None:
        """Take note of a write."""
        if now - self.due > self._pause:
            self._pause = self._interval
        self.due = now + self._pause
        self._pause = min(self._pause * 5, self._interval * 25)


@dataclass
class Tracked:
    """An unfinished job: as it is decided, as it is written, and the events in between.

    An `inherited` job may be further than its status says: its last operator crashed.
    """

    job: TranscriptionJob
    written: JSON
    pace: Pace
    inherited: bool
    arrived: list[TaskEvent] = field(default_factory=list)
    unacked: list[EventDelivery] = field(default_factory=list)
    last_check: float = float("-inf")
    suspect_at: float = float("inf")
    quiet_checks: int = -1  # the first one is of a job that has just been met
    stopped: bool = False


class JobController:
    """Reconciles the unfinished jobs."""

    def __init__(
        self,
        client: KubeClient,
        bus: Bus,
        *,
        settings: OperatorSettings,
        engines: Callable[[str], Sequence[Engine]],
        recovery: Recovery,
        dedicated: DedicatedWorkers,
        on_published: Callable[[str, str], None],
    ) -> None:
        self.queue: WorkQueue[Key] = WorkQueue()
        self.tracked: dict[Key, Tracked] = {}
        self._by_uid: dict[str, Key] = {}
        self._ended: dict[str, None] = {}
        self._started_at = datetime.now(UTC)
        self._client = client
        self._bus = bus
        self._settings = settings
        self._engines = engines
        self._recovery = recovery
        self._dedicated = dedicated
        self._on_published = on_published
        self._retry = RetryPolicy(settings.max_attempts, settings.retry_backoff)

    def observe(self, item: JSON, *, fresh: bool = False) -> None:
        """Take in a job as the API server has it.

        A watch may show a job as it was before it ended here, so only a `fresh` read brings one
        that has ended back.
        """
        if self._knows(item["metadata"]):
            return
        job = TranscriptionJob.model_validate(item)
        uid = job.metadata.uid
        if uid in self._ended:
            if not fresh:
                return
            del self._ended[uid]
        key = (job.metadata.namespace, job.metadata.name)
        known = self.tracked.get(key)
        if known is not None and known.job.metadata.uid == uid:
            known.job = job.model_copy(update={"status": known.job.status})
        else:
            if known is not None:
                self.forget(*key, known.job.metadata.uid)
            now = asyncio.get_running_loop().time()
            pace = Pace(now, self._settings.status_interval)
            created = job.metadata.creation_timestamp
            inherited = created is not None and created < self._started_at
            self.tracked[key] = Tracked(job, item.get("status") or {}, pace, inherited)
            self._by_uid[uid] = key
            metrics.JOBS_TRACKED.set(len(self.tracked))
        self.queue.add(key)

    def _knows(self, metadata: JSON) -> bool:
        """Tell whether the job is in memory with that spec: its status is this controller's own."""
        key = self._by_uid.get(metadata["uid"])
        return key is not None and self.tracked[key].job.metadata.generation == metadata.get(
            "generation"
        )

    def forget(self, namespace: str, name: str, uid: str) -> None:
        """Drop a job that is finished or gone; another one of that name stays."""
        self._ended[uid] = None
        if len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]
        key = self._by_uid.pop(uid, None)
        if key is not None:
            del self.tracked[key]
            self.queue.forget(key)
            metrics.JOBS_TRACKED.set(len(self.tracked))

    def tracks(self, uid: str) -> bool:
        """Tell whether a job is unfinished and in memory."""
        return uid in self._by_uid

    def find(self, uid: str) -> Tracked:
        """Give an unfinished job by its uid; raises KeyError."""
        return self.tracked[self._by_uid[uid]]

    def deliver(self, event: TaskEvent, delivery: EventDelivery | None = None) -> None:
        """Take in an event of a tracked job; its delivery is acknowledged once it has effect."""
        key = self._by_uid[event.job]
        known = self.tracked[key]
        if event not in known.arrived:
            known.arrived.append(event)
        known.last_check = asyncio.get_running_loop().time()
        known.quiet_checks = 0
        if delivery is not None:
            known.unacked.append(delivery)
        metrics.EVENTS_FOLDED.labels(event.type).inc()
        self.queue.add(key)

    async def run(self) -> None:
        """Reconcile until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._settings.concurrency):
                group.create_task(self.queue.work(self._handle))
            group.create_task(self._recheck_stale())

    async def _handle(self, key: Key) -> None:
        metrics.QUEUE_DEPTH.labels("TranscriptionJob").set(len(self.queue))
        known = self.tracked.get(key)
        if known is None:
            return
        try:
            with metrics.RECONCILE_SECONDS.labels("TranscriptionJob").time():
                await self._reconcile(key, known)
        except _EXPECTED as error:
            metrics.RECONCILES.labels("TranscriptionJob", "retried").inc()
            logger.warning("job %s/%s: %s; trying again", *key, error)
            raise
        except Exception:
            metrics.RECONCILES.labels("TranscriptionJob", "failed").inc()
            logger.exception("job %s/%s", *key)
            raise
        metrics.RECONCILES.labels("TranscriptionJob", "done").inc()

    async def _reconcile(self, key: Key, known: Tracked) -> None:
        if self._is_stale(known):
            await self._check(known)
        events = list(known.arrived)
        unacked = len(known.unacked)
        decision = reconcile(
            Observed(known.job, self._engines(key[0]), events, datetime.now(UTC), self._retry)
        )
        await self._act(known, decision)
        known.job = known.job.model_copy(update={"status": decision.status})
        known.arrived[: len(events)] = decision.early
        if known.inherited and decision.publish:
            known.inherited = await self._check(known)
        await self._write(key, known, decision, unacked)
        if key in self.tracked:
            self._wake_later(key, known, decision.wake_at)

    def _wake_later(self, key: Key, known: Tracked, wake_at: datetime | None) -> None:
        """Ask for the next look anew: the queue keeps only the earliest that was asked for."""
        if wake_at is not None:
            pause = (wake_at - datetime.now(UTC)).total_seconds()
            self.queue.add_after(key, max(pause, 0.01))
        if known.suspect_at < float("inf"):
            pause = known.suspect_at - asyncio.get_running_loop().time()
            self.queue.add_after(key, max(pause, 0.01))

    async def _act(self, known: Tracked, decision: Decision) -> None:
        for request in decision.publish:
            await self._publish(known.job, request)
        finished = decision.status.phase is not None and decision.status.phase.finished
        if decision.stop and finished and not known.stopped:
            uid = known.job.metadata.uid
            if decision.status.failure is not None:
                await self._bus.cancel(uid)
            await self._bus.forget_job(uid)
            await self._dedicated.finish(known.job)
            known.stopped = True

    async def _publish(self, job: TranscriptionJob, request: TaskRequest) -> None:
        lane = requests.lane(job)
        if job.spec.execution.mode == ExecutionMode.DEDICATED:
            await self._dedicated.ensure(job, request, lane)
        await self._bus.publish_task(request, lane=lane)
        metrics.TASKS_PUBLISHED.labels(request.stage).inc()
        self._on_published(job.metadata.namespace, request.engine)

    async def _write(self, key: Key, known: Tracked, decision: Decision, unacked: int) -> None:
        """Write the status if it is due; finished jobs at once, others not too often."""
        finished = decision.status.phase is not None and decision.status.phase.finished
        now = asyncio.get_running_loop().time()
        if not finished and now < known.pace.due:
            self.queue.add_after(key, known.pace.due - now)
            return
        wire = decision.status.to_wire()
        patch = merge_patch(known.written, wire)
        if patch:
            try:
                body = {"metadata": {"uid": known.job.metadata.uid}, "status": patch}
                await self._client.patch(
                    TRANSCRIPTION_JOBS, key[1], body, namespace=key[0], sub="status"
                )
            except (NotFound, Conflict):
                if await self._exists(known.job):
                    raise
                # What was published meanwhile came after the clean-up of the deleted job.
                await self._bus.forget_job(known.job.metadata.uid)
                self.forget(*key, known.job.metadata.uid)
                return
            metrics.STATUS_WRITES.labels("TranscriptionJob").inc()
            known.written = wire
            known.pace.wrote(now)
        if not decision.early:
            done, known.unacked = known.unacked[:unacked], known.unacked[unacked:]
            for delivery in done:
                await delivery.ack()
        if finished:
            self._finished(key, known)

    async def _exists(self, job: TranscriptionJob) -> bool:
        """Tell whether the job is there: not deleted, nor replaced by another of its name."""
        meta = job.metadata
        try:
            found = await self._client.get(TRANSCRIPTION_JOBS, meta.name, namespace=meta.namespace)
        except NotFound:
            return False
        return bool(found["metadata"]["uid"] == meta.uid)

    def _finished(self, key: Key, known: Tracked) -> None:
        status = known.job.status
        if status.phase is not None:
            metrics.JOBS_FINISHED.labels(status.phase).inc()
        for stage in status.stages:
            for name, seconds in (("queue", stage.queue_seconds), ("run", stage.run_seconds)):
                if seconds is not None:
                    metrics.STAGE_SECONDS.labels(stage.name, name).observe(seconds)
        logger.info(
            "job finished",
            extra={
                "job": key[1],
                "namespace": key[0],
                "phase": status.phase,
                "failure": status.failure.code if status.failure else None,
            },
        )
        self.forget(*key, known.job.metadata.uid)

    async def _recheck_stale(self) -> None:
        """Look after tasks without news: their event, or they themselves, may be lost."""
        while True:
            await asyncio.sleep(self._settings.recheck_interval / 4)
            stale = [key for key, known in self.tracked.items() if self._is_stale(known)]
            for start in range(0, len(stale), _CHECKED_AT_ONCE):
                for key in stale[start : start + _CHECKED_AT_ONCE]:
                    self.queue.add(key)
                await asyncio.sleep(_CHECK_PAUSE)

    def suspect(self, uid: str, *, after: float) -> None:
        """Look after a job's tasks in that many seconds, whatever news comes before."""
        key = self._by_uid.get(uid)
        if key is not None:
            self.tracked[key].suspect_at = asyncio.get_running_loop().time() + after
            self.queue.add_after(key, after)

    def _is_stale(self, known: Tracked) -> bool:
        now = asyncio.get_running_loop().time()
        pause = self._settings.recheck_interval * 2.0 ** min(known.quiet_checks, _QUIET_DOUBLINGS)
        return now >= min(known.last_check + pause, known.suspect_at)

    async def _check(self, known: Tracked) -> bool:
        """Find out what became of the tasks in flight; tells whether there was news."""
        found = await self._recovery.look(known.job)
        settled = {event.task for event in found}
        for event in self._dedicated.lost(known.job):
            if event.task not in settled:
                found.append(event)
        known.last_check = asyncio.get_running_loop().time()
        known.suspect_at = float("inf")
        known.quiet_checks += 1
        for event in found:
            if self.tracks(event.job):
                self.deliver(event)
        return bool(found)

    def undeliverable(self, request: TaskRequest) -> None:
        """Take in a task that was delivered as often as allowed."""
        if self.tracks(request.job):
            self.deliver(
                TaskEvent(
                    type=EventType.DEAD,
                    job=request.job,
                    stage=request.stage,
                    part=request.part,
                    attempt=request.attempt,
                    at=datetime.now(UTC),
                )
            )
