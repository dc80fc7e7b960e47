"""Dedicated jobs: one batch/v1 Job for each stage, with a lane of its own."""

import contextlib
from collections.abc import Callable

from dalston.bus import Bus
from dalston.kube import AlreadyExists, KubeClient
from dalston.kube.kinds import JOBS
from dalston.pipeline.tasks import TaskRequest
from dalston.resources.engine import Engine
from dalston.resources.stages import Stage
from dalston.resources.transcription_job import ExecutionMode, TranscriptionJob
from dalston_operator.engines.render import WorkerEnvironment, dedicated_job
from dalston_operator.jobs import requests

EngineLookup = Callable[[str, str], Engine | None]


class DedicatedWorkers:
    """Creates the Jobs of a dedicated TranscriptionJob; they go with their owner, or by TTL."""

    def __init__(
        self,
        client: KubeClient,
        bus: Bus,
        *,
        environment: WorkerEnvironment,
        find_engine: EngineLookup,
    ) -> None:
        self._client = client
        self._bus = bus
        self._environment = environment
        self._find_engine = find_engine
        self._created: dict[str, set[tuple[Stage, int]]] = {}

    async def ensure(self, job: TranscriptionJob, request: TaskRequest, lane: str) -> None:
        """Create the consumer of the job's lane and the Job of the stage, if they are missing."""
        created = self._created.setdefault(job.metadata.uid, set())
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
        created.add((request.stage, request.attempt))

    async def finish(self, job: TranscriptionJob) -> None:
        """Remove the consumers of the job's lane."""
        self._created.pop(job.metadata.uid, None)
        if job.spec.execution.mode != ExecutionMode.DEDICATED:
            return
        lane = requests.lane(job)
        for engine in {stage.engine for stage in job.status.stages if stage.engine}:
            await self._bus.delete_consumer(engine, lane)
