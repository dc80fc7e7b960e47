"""Builds the task requests of a job from its spec and status. Pure functions."""

from datetime import datetime

from dalston.artifacts import keys
from dalston.bus import subjects
from dalston.pipeline.stages import FAN_OUT, ORDER
from dalston.pipeline.tasks import TaskId, TaskRequest
from dalston.resources.stages import Stage
from dalston.resources.transcription_job import ExecutionMode, Priority, TranscriptionJob
from dalston.resources.transcription_options import TranscriptionOptions
from dalston.resources.transcription_status import (
    PartState,
    PartStatus,
    StageState,
    StageStatus,
    TranscriptionJobStatus,
)

_OPTIONS = frozenset(TranscriptionOptions.model_fields)


def task_request(
    job: TranscriptionJob,
    status: TranscriptionJobStatus,
    stage: StageStatus,
    part: PartStatus,
    now: datetime,
) -> TaskRequest:
    """Give the request for one part of a stage at its current attempt."""
    return TaskRequest(
        job=job.metadata.uid,
        job_name=job.metadata.name,
        namespace=job.metadata.namespace,
        stage=stage.name,
        part=part.index,
        attempt=part.attempt,
        parts_total=len(stage.parts),
        engine=stage.engine or "",
        model=stage.model,
        source=job.spec.source,
        options=_options(job),
        inputs=inputs(job.metadata.uid, status, stage.name),
        audio_seconds=part.seconds if stage.name in FAN_OUT else status.duration_seconds,
        engines={other.name: other.engine for other in status.stages if other.engine},
        published_at=now,
    )


def _options(job: TranscriptionJob) -> TranscriptionOptions:
    given = {name: getattr(job.spec, name) for name in _OPTIONS}
    return TranscriptionOptions.model_construct(**given)


def inputs(uid: str, status: TranscriptionJobStatus, stage: Stage) -> dict[Stage, tuple[str, ...]]:
    """Give the manifests of all earlier stages that have results, in the order of the parts."""
    earlier = ORDER[: ORDER.index(stage)]
    return {
        other.name: tuple(
            keys.manifest(TaskId(uid, other.name, part.index, part.attempt))
            for part in other.parts
            if part.state == PartState.SUCCEEDED
        )
        for other in status.stages
        if other.name in earlier and other.state == StageState.SUCCEEDED
    }


def lane(job: TranscriptionJob) -> str:
    """Give the lane that the job's tasks wait in."""
    if job.spec.execution.mode == ExecutionMode.DEDICATED:
        return subjects.dedicated_lane(job.metadata.uid)
    return str(job.spec.priority)


def lanes(job: TranscriptionJob) -> list[str]:
    """Give the lanes that its tasks may be in: those published before its priority changed too."""
    if job.spec.execution.mode == ExecutionMode.DEDICATED:
        return [lane(job)]
    return sorted(Priority, key=lambda priority: priority != job.spec.priority)
