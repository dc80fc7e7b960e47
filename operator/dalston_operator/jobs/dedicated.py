"""Dedicated jobs: one batch/v1 Job for each stage, with a lane of its own."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime

from dalston.bus import Bus
from dalston.kube import AlreadyExists, KubeClient
from dalston.kube.kinds import JOBS
from dalston.pipeline.tasks import ErrorKind, EventType, TaskError, TaskEvent, TaskRequest
from dalston.resources.engine import Engine
from dalston.resources.stages import Stage
from dalston.resources.transcription_job import ExecutionMode, TranscriptionJob
from dalston.resources.transcription_status import PartState, StageStatus
from dalston_operator.engines.render import WorkerEnvironment, dedicated_job, dedicated_name
from dalston_operator.engines.workers import JobView
from dalston_operator.jobs import requests

EngineLookup = Callable[[str, str], Engine | None]
WorkerLookup = Callable[[str, str], JobView | None]
_UNSEEN_SECONDS = 10.0
"""Seconds that the watch may take to show a Job that was created."""


class DedicatedWorkers:
    """Creates the Jobs of a dedicated TranscriptionJob; they go with their owner, or by TTL."""

    def __init__(
        self,
        client: KubeClient,
        bus: Bus,
        *,
        environment: WorkerEnvironment,
        find_engine: EngineLookup,
        find_worker: WorkerLookup,
    ) -> None:
        self._client = client
        self._bus = bus
        self._environment = environment
        self._find_engine = find_engine
        self._find_worker = find_worker
        self._created: dict[str, dict[tuple[Stage, int], float]] = {}

    async def ensure(self, job: TranscriptionJob, request: TaskRequest, lane: str) -> None:
        """Create the consumer of the job's lane and the Job of the stage, if they are missing."""
        created = self._created.setdefault(job.metadata.uid, {})
        if (request.stage, request.attempt) in created:
            return
        engine = self._find_engine(job.metadata.namespace, request.engine)
        if engine is None:
            return
        await self._bus.ensure_consumer(request.engine, lane)
        body = dedicated_job(
            engine,
            self._environment,
            job,
            stage=request.stage,
            attempt=request.attempt,
            parts=request.parts_total,
            lane=lane,
        )
        with contextlib.suppress(AlreadyExists):
            await self._client.create(JOBS, body, namespace=job.metadata.namespace)
        created[request.stage, request.attempt] = asyncio.get_running_loop().time()

    def lost(self, job: TranscriptionJob) -> list[TaskEvent]:
        """Give the failures of tasks in flight that no worker is left for."""
        if job.spec.execution.mode != ExecutionMode.DEDICATED:
            return []
        return [
            _worker_lost(job, stage, part.index, attempt=part.attempt, problem=problem)
            for stage in job.status.stages
            for part in stage.parts
            if part.state in (PartState.QUEUED, PartState.RUNNING)
            and (problem := self._problem(job, stage)) is not None
        ]

    def _problem(self, job: TranscriptionJob, stage: StageStatus) -> str | None:
        """Give why nobody works on a stage; None while a Job of any of its attempts may."""
        now = asyncio.get_running_loop().time()
        problem = "there is no Job for it"
        for attempt in range(stage.attempt + 1):
            made_at = self._created.get(job.metadata.uid, {}).get((stage.name, attempt))
            name = dedicated_name(job, stage=stage.name, attempt=attempt)
            worker = self._find_worker(job.metadata.namespace, name)
            if worker is None:
                if made_at is not None and now - made_at < _UNSEEN_SECONDS:
                    return None
            elif not worker.finished:
                return None
            else:
                problem = worker.problem or "the worker ended without a result"
        return problem

    async def finish(self, job: TranscriptionJob) -> None:
        """Remove the consumers of the job's lane."""
        self._created.pop(job.metadata.uid, None)
        if job.spec.execution.mode != ExecutionMode.DEDICATED:
            return
        lane = requests.lane(job)
        for engine in {stage.engine for stage in job.status.stages if stage.engine}:
            await self._bus.delete_consumer(engine, lane)


def _worker_lost(
    job: TranscriptionJob, stage: StageStatus, part: int, *, attempt: int, problem: str
) -> TaskEvent:
    return TaskEvent(
        type=EventType.FAILED,
        job=job.metadata.uid,
        stage=stage.name,
        part=part,
        attempt=attempt,
        at=datetime.now(UTC),
        error=TaskError(kind=ErrorKind.INFRASTRUCTURE, code="WorkerLost", message=problem),
    )
