"""A transcription as the native API shows it."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, Field

from dalston.pipeline import Progress
from dalston.pipeline.stages import WEIGHTS
from dalston.resources.stages import Stage
from dalston.resources.transcription_job import Priority, TranscriptionJob
from dalston.resources.transcription_options import TranscriptionOptions
from dalston.resources.transcription_status import JobPhase, PartState, StageState, StageStatus
from dalston.transcripts import Transcript


class TranscriptionState(StrEnum):
    """How far a transcription is."""

    PENDING = "pending"
    RUNNING = "running"
    SUSPENDED = "suspended"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StageView(BaseModel):
    """One stage: who performs it, how far it is, and how long it waited and ran."""

    name: Stage
    state: str
    engine: str | None
    model: str | None
    attempt: int
    parts_done: int
    parts_total: int
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    queue_seconds: float | None = Field(description="Seconds that its tasks waited, in all.")
    run_seconds: float | None = Field(description="Seconds that its tasks ran, in all.")
    done_seconds: float | None = Field(
        default=None, description="Seconds of audio done by running tasks; in events only."
    )
    message: str

    @classmethod
    def of(cls, stage: StageStatus, done_seconds: float | None = None) -> Self:
        """Show one stage of a job."""
        return cls(
            name=stage.name,
            state=stage.state.lower(),
            engine=stage.engine,
            model=stage.model,
            attempt=stage.attempt,
            parts_done=stage.parts_done,
            parts_total=stage.parts_total,
            queued_at=stage.queued_at,
            started_at=stage.started_at,
            finished_at=stage.finished_at,
            queue_seconds=stage.queue_seconds,
            run_seconds=stage.run_seconds,
            done_seconds=done_seconds,
            message=stage.message,
        )


class ErrorView(BaseModel):
    """Why a transcription failed."""

    code: str
    message: str
    stage: Stage | None


class SourceView(BaseModel):
    """Where the recording came from."""

    url: str | None
    file_name: str | None


class Transcription(BaseModel):
    """A recording that is, or will be, transcribed."""

    id: str
    status: TranscriptionState
    progress: int = Field(ge=0, le=100, description="Share of the work done, in percent.")
    created_at: datetime | None
    accepted_at: datetime | None
    finished_at: datetime | None
    source: SourceView
    options: TranscriptionOptions
    priority: Priority
    language: str | None = Field(description="Language spoken, ISO 639-1 where it has such a code.")
    duration_seconds: float | None
    words: int | None
    speakers: int | None
    stages: list[StageView]
    warnings: list[str]
    error: ErrorView | None
    ttl_seconds_after_finished: int | None
    transcript: Transcript | None = Field(
        default=None, description="Present when it succeeded and one transcription is read."
    )


class TranscriptionPage(BaseModel):
    """Transcriptions, newest first."""

    items: list[Transcription]
    next_cursor: str | None = Field(
        description="Pass as `cursor` for the next page; null: the end."
    )


def show(
    job: TranscriptionJob, progress: dict[tuple[Stage, int], Progress] | None = None
) -> Transcription:
    """Show a job; `progress` holds what running tasks have told."""
    status = job.status
    told = progress or {}
    transcript = status.transcript
    failure = status.failure
    phase = status.phase or JobPhase.PENDING
    return Transcription(
        id=job.metadata.name,
        status=TranscriptionState(phase.lower()),
        progress=_percent(job, told),
        created_at=job.metadata.creation_timestamp,
        accepted_at=status.accepted_at,
        finished_at=status.finished_at,
        source=SourceView(url=job.spec.source.url, file_name=job.spec.source.file_name),
        options=TranscriptionOptions.model_validate(
            job.spec.model_dump(include=set(TranscriptionOptions.model_fields))
        ),
        priority=job.spec.priority,
        language=transcript.language if transcript else None,
        duration_seconds=status.duration_seconds,
        words=transcript.words if transcript else None,
        speakers=transcript.speakers if transcript else None,
        stages=[StageView.of(stage, _done(stage, told)) for stage in status.stages],
        warnings=list(status.warnings),
        error=ErrorView(code=failure.code, message=failure.message, stage=failure.stage)
        if failure
        else None,
        ttl_seconds_after_finished=job.spec.ttl_seconds_after_finished,
    )


def _done(stage: StageStatus, told: dict[tuple[Stage, int], Progress]) -> float | None:
    if stage.state != StageState.RUNNING:
        return None
    seconds = [each.done_seconds for (name, _), each in told.items() if name == stage.name]
    return round(sum(seconds), 2) if seconds else None


def _percent(job: TranscriptionJob, told: dict[tuple[Stage, int], Progress]) -> int:
    """The job's own progress, which counts finished parts, and the share of the running ones."""
    if job.status.phase is None or job.status.phase.finished:
        return job.status.progress
    planned = [stage for stage in job.status.stages if stage.state != StageState.SKIPPED]
    total = sum(WEIGHTS[stage.name] for stage in planned) or 1
    extra = 0.0
    for stage in planned:
        if stage.state != StageState.RUNNING:
            continue
        open_parts = {part.index for part in stage.parts if part.state != PartState.SUCCEEDED}
        for (name, part), each in told.items():
            if name == stage.name and part in open_parts and each.total_seconds > 0:
                share = min(1.0, each.done_seconds / each.total_seconds)
                extra += WEIGHTS[stage.name] * share / max(1, stage.parts_total)
    return min(99, job.status.progress + int(100 * extra / total))
