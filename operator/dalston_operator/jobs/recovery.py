"""Finds out what became of tasks without news: an event, or the task itself, may be lost.

What the store holds decides: with a result manifest the task has succeeded, whatever was heard of
it. Without one, and without a message in the queue, it is published again.
"""

import logging
from datetime import UTC, datetime

from pydantic import ValidationError

from dalston.artifacts import ArtifactNotFound, ArtifactStore, keys
from dalston.bus import Bus
from dalston.pipeline.tasks import (
    ErrorKind,
    EventType,
    Manifest,
    TaskError,
    TaskEvent,
    TaskId,
)
from dalston.resources.transcription_job import TranscriptionJob
from dalston.resources.transcription_status import PartState, PartStatus, StageStatus
from dalston_operator import metrics
from dalston_operator.jobs import requests

logger = logging.getLogger(__name__)

_IN_FLIGHT = (PartState.QUEUED, PartState.RUNNING)


class Recovery:
    """Looks after the tasks of a job that are in flight."""

    def __init__(self, bus: Bus, store: ArtifactStore) -> None:
        self._bus = bus
        self._store = store

    async def look(self, job: TranscriptionJob) -> list[TaskEvent]:
        """Give the events that must have been lost; publish the tasks that are."""
        found = []
        for stage in job.status.stages:
            for part in stage.parts:
                if part.state in _IN_FLIGHT:
                    event = await self._look_after(job, stage, part)
                    if event is not None:
                        found.append(event)
        return found

    async def _look_after(
        self, job: TranscriptionJob, stage: StageStatus, part: PartStatus
    ) -> TaskEvent | None:
        task = TaskId(job.metadata.uid, stage.name, part.index, part.attempt)
        try:
            manifest = await self._manifest(task)
        except ValidationError as error:
            return _failed(task, code="UnreadableResult", message=str(error))
        if manifest is not None:
            return _succeeded(task, manifest)
        for lane in requests.lanes(job):
            if await self._bus.is_queued(task, engine=stage.engine or "", lane=lane):
                return None
        await self._publish_again(job, stage, part, requests.lane(job))
        return None

    async def _publish_again(
        self, job: TranscriptionJob, stage: StageStatus, part: PartStatus, lane: str
    ) -> None:
        now = datetime.now(UTC)
        request = requests.task_request(job, job.status, stage, part, now)
        # The result may have come between the two looks.
        if await self._manifest(request.id) is None:
            logger.warning("task %s is in no queue: publishing it again", request.id)
            metrics.REPUBLISHED.inc()
            await self._bus.publish_task(request, lane=lane, again=f"@{now.timestamp()}")

    async def _manifest(self, task: TaskId) -> Manifest | None:
        try:
            return Manifest.model_validate_json(await self._store.get(keys.manifest(task)))
        except ArtifactNotFound:
            return None


def _succeeded(task: TaskId, manifest: Manifest) -> TaskEvent:
    return TaskEvent(
        type=EventType.SUCCEEDED,
        job=task.job,
        stage=task.stage,
        part=task.part,
        attempt=task.attempt,
        worker=manifest.worker,
        at=manifest.finished_at,
        queue_seconds=manifest.queue_seconds,
        run_seconds=manifest.run_seconds,
        summary=manifest.summary,
    )


def _failed(task: TaskId, *, code: str, message: str) -> TaskEvent:
    return TaskEvent(
        type=EventType.FAILED,
        job=task.job,
        stage=task.stage,
        part=task.part,
        attempt=task.attempt,
        at=datetime.now(UTC),
        error=TaskError(kind=ErrorKind.INFRASTRUCTURE, code=code, message=message),
    )
