"""Decides what a TranscriptionJob needs next: a pure function of its spec, status and events.

The status only moves forward: a finished job changes only through the retry annotation, a finished
stage not at all, and an event counts only for the attempt that is in force. So events may come
twice, late or in any order, and a reconcile that is repeated after a crash decides the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dalston.pipeline.plan import PlanRejected, plan
from dalston.pipeline.stages import FAN_OUT, NEEDS
from dalston.pipeline.tasks import ErrorKind, EventType, StageSummary, TaskEvent, TaskRequest
from dalston.resources.engine import Engine
from dalston.resources.meta import RETRY_ANNOTATION
from dalston.resources.reasons import JobReason
from dalston.resources.stages import Stage
from dalston.resources.transcription_job import (
    MAX_PARTS,
    FailureStatus,
    JobPhase,
    PartState,
    PartStatus,
    StageState,
    StageStatus,
    TranscriptionJob,
    TranscriptionJobStatus,
    TranscriptStatus,
)
from dalston_operator.jobs import requests
from dalston_operator.jobs.conditions import describe

_DONE = (StageState.SUCCEEDED, StageState.SKIPPED)
_ENDED = (StageState.SUCCEEDED, StageState.SKIPPED, StageState.FAILED, StageState.CANCELLED)
_MESSAGE_LENGTH = 4000


@dataclass(frozen=True)
class RetryPolicy:
    """How often the infrastructure may fail at one task, and how long to wait in between."""

    max_attempts: int = 3
    backoff_seconds: float = 2.0

    def delay(self, attempt: int) -> timedelta:
        """Give the pause after that attempt, counted from 0."""
        return timedelta(seconds=self.backoff_seconds * 2**attempt)


@dataclass(frozen=True)
class Observed:
    """What is known of a job: itself, the engines there are, and events not yet in its status."""

    job: TranscriptionJob
    engines: Sequence[Engine]
    events: Sequence[TaskEvent]
    now: datetime
    retry: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(frozen=True)
class Decision:
    """What to do: publish tasks, stop what runs, and write the status; look again at `wake_at`."""

    status: TranscriptionJobStatus
    publish: tuple[TaskRequest, ...] = ()
    stop: bool = False
    wake_at: datetime | None = None


def reconcile(observed: Observed) -> Decision:
    """Decide; the given job is not changed."""
    job, now = observed.job, observed.now
    status = job.status.model_copy(deep=True)
    status.observed_generation = job.metadata.generation
    if status.phase is not None and status.phase.finished:
        if not _retry_asked(job):
            return Decision(status)
        _reset(status, job.metadata.annotations[RETRY_ANNOTATION], now)
    if status.accepted_at is None and not _accept(status, observed):
        return Decision(describe(job, status, now), stop=True)
    _fold(status, observed)
    ended = _end(status, job, now)
    if ended:
        return Decision(describe(job, status, now), stop=True)
    publish = _advance(status, observed)
    wake_at = _next_time(status, job)
    return Decision(describe(job, status, now), publish=publish, wake_at=wake_at)


def _retry_asked(job: TranscriptionJob) -> bool:
    wanted = job.metadata.annotations.get(RETRY_ANNOTATION)
    failed = job.status.phase in (JobPhase.FAILED, JobPhase.CANCELLED)
    return failed and wanted is not None and wanted != job.status.retry and not job.spec.cancel


def _reset(status: TranscriptionJobStatus, token: str, now: datetime) -> None:
    """Put what failed back to its start; results that are there stay in use."""
    status.retry = token
    status.failure = None
    status.finished_at = None
    status.phase = JobPhase.PENDING
    status.accepted_at = now if status.stages else None
    for stage in status.stages:
        if stage.state in _DONE:
            continue
        stage.message = ""
        stage.finished_at = None
        for part in stage.parts:
            if part.state != PartState.SUCCEEDED:
                part.retry_at = None
                if part.state != PartState.PENDING:
                    part.state = PartState.BACKOFF
        published = any(part.state != PartState.PENDING for part in stage.parts)
        stage.state = StageState.QUEUED if published else StageState.PENDING


def _accept(status: TranscriptionJobStatus, observed: Observed) -> bool:
    """Plan the stages once; tells whether the job can run."""
    try:
        planned = plan(observed.job.spec, observed.engines)
    except PlanRejected as rejected:
        status.phase = JobPhase.FAILED
        status.finished_at = observed.now
        status.failure = FailureStatus(
            code=rejected.reason, message=rejected.message[:_MESSAGE_LENGTH], input_fault=True
        )
        return False
    status.accepted_at = observed.now
    status.warnings = list(planned.warnings)
    status.stages = [
        StageStatus(
            name=stage.stage,
            engine=stage.engine,
            model=stage.model,
            state=StageState.SKIPPED if stage.skipped else StageState.PENDING,
            message=stage.skipped or "",
        )
        for stage in planned.stages
    ]
    return True


def _fold(status: TranscriptionJobStatus, observed: Observed) -> None:
    for event in observed.events:
        stage = find_stage(status, event.stage)
        if stage is None or stage.state in _ENDED:
            continue
        part = next((part for part in stage.parts if part.index == event.part), None)
        if part is None or part.attempt != event.attempt:
            continue
        if part.state not in (PartState.QUEUED, PartState.RUNNING):
            continue
        _apply(status, stage, part, event, observed)


def _apply(
    status: TranscriptionJobStatus,
    stage: StageStatus,
    part: PartStatus,
    event: TaskEvent,
    observed: Observed,
) -> None:
    if event.type == EventType.STARTED:
        part.state = PartState.RUNNING
        stage.state = StageState.RUNNING
        stage.started_at = stage.started_at or event.at
        return
    stage.queue_seconds = _sum(stage.queue_seconds, event.queue_seconds)
    stage.run_seconds = _sum(stage.run_seconds, event.run_seconds)
    if event.type == EventType.SUCCEEDED:
        _succeed(status, stage, part, event)
    else:
        _fail(status, stage, part, event, observed)


def _succeed(
    status: TranscriptionJobStatus, stage: StageStatus, part: PartStatus, event: TaskEvent
) -> None:
    part.state = PartState.SUCCEEDED
    stage.started_at = stage.started_at or event.at - timedelta(seconds=event.run_seconds or 0)
    stage.parts_done = sum(part.state == PartState.SUCCEEDED for part in stage.parts)
    summary = event.summary or StageSummary()
    for warning in summary.warnings:
        if warning not in status.warnings and len(status.warnings) < 64:
            status.warnings.append(warning[:1024])
    if stage.name == Stage.PREPARE:
        _fan_out(status, summary)
    if stage.name == Stage.MERGE and summary.transcript:
        status.transcript = TranscriptStatus(
            artifact=summary.transcript,
            language=summary.language,
            words=summary.words,
            speakers=summary.speakers,
        )
    if stage.parts_done == len(stage.parts):
        stage.state = StageState.SUCCEEDED
        stage.finished_at = event.at


def _fan_out(status: TranscriptionJobStatus, summary: StageSummary) -> None:
    """Lay out the tasks of the stages that work part by part."""
    status.duration_seconds = summary.duration_seconds
    for stage in status.stages:
        if stage.name in FAN_OUT and stage.state == StageState.PENDING:
            stage.parts = [
                PartStatus(index=index, seconds=round(seconds, 3))
                for index, seconds in enumerate(summary.parts[:MAX_PARTS])
            ]
            stage.parts_total = len(stage.parts)


def _fail(
    status: TranscriptionJobStatus,
    stage: StageStatus,
    part: PartStatus,
    event: TaskEvent,
    observed: Observed,
) -> None:
    error = event.error
    text = error.message[:_MESSAGE_LENGTH] if error else ""
    code = error.code if error else "DeadLettered"
    retryable = (
        event.type == EventType.FAILED
        and error is not None
        and error.kind == ErrorKind.INFRASTRUCTURE
        and part.attempt + 1 < observed.retry.max_attempts
    )
    if retryable:
        part.state = PartState.BACKOFF
        part.retry_at = observed.now + observed.retry.delay(part.attempt)
        stage.message = f"attempt {part.attempt} of part {part.index} failed: {code}: {text}"
        return
    part.state = PartState.FAILED
    stage.state = StageState.FAILED
    stage.finished_at = event.at
    if event.type == EventType.DEAD:
        text = text or (
            f"part {part.index} was delivered as often as allowed without a result; "
            "its workers were killed or hung"
        )
    stage.message = f"{code}: {text}"[:_MESSAGE_LENGTH]
    status.failure = FailureStatus(
        stage=stage.name,
        code=code[:64],
        message=text,
        input_fault=error is not None and error.kind == ErrorKind.INPUT,
    )


def _end(status: TranscriptionJobStatus, job: TranscriptionJob, now: datetime) -> bool:
    """Finish the job if it is over: done, failed, cancelled, or out of time."""
    if all(stage.state in _DONE for stage in status.stages) and status.transcript is not None:
        status.phase = JobPhase.SUCCEEDED
        for stage in status.stages:
            stage.parts = []
    elif job.spec.cancel:
        status.phase = JobPhase.CANCELLED
        status.failure = FailureStatus(code=JobReason.CANCELLED, message="the job was cancelled")
    elif status.failure is not None:
        status.phase = JobPhase.FAILED
    elif _past_deadline(status, job, now):
        status.phase = JobPhase.FAILED
        limit = job.spec.active_deadline_seconds
        status.failure = FailureStatus(
            code=JobReason.DEADLINE_EXCEEDED, message=f"not finished within {limit} s"
        )
    else:
        return False
    status.finished_at = now
    for stage in status.stages:
        if stage.state not in _ENDED:
            stage.state = StageState.CANCELLED
    return True


def _advance(status: TranscriptionJobStatus, observed: Observed) -> tuple[TaskRequest, ...]:
    """Publish what is due: first tasks of stages whose needs are met, and retries."""
    if observed.job.spec.suspend:
        return ()
    publish: list[TaskRequest] = []
    for stage in status.stages:
        if stage.state == StageState.PENDING and _needs_met(status, stage.name):
            _start(stage, observed.now)
        if stage.state in (StageState.QUEUED, StageState.RUNNING):
            due = [part for part in stage.parts if _due(part, observed.now)]
            for part in due:
                if part.state == PartState.BACKOFF:
                    part.attempt += 1
                    part.retry_at = None
                    stage.attempt = max(stage.attempt, part.attempt)
                part.state = PartState.QUEUED
                publish.append(
                    requests.task_request(observed.job, status, stage, part, observed.now)
                )
    return tuple(publish)


def _start(stage: StageStatus, now: datetime) -> None:
    if not stage.parts:
        stage.parts = [PartStatus(index=0)]
        stage.parts_total = 1
    stage.state = StageState.QUEUED
    stage.queued_at = now


def _due(part: PartStatus, now: datetime) -> bool:
    if part.state == PartState.PENDING:
        return True
    return part.state == PartState.BACKOFF and (part.retry_at is None or part.retry_at <= now)


def _needs_met(status: TranscriptionJobStatus, name: Stage) -> bool:
    return all(
        (stage := find_stage(status, need)) is not None and stage.state in _DONE
        for need in NEEDS[name]
    )


def _past_deadline(status: TranscriptionJobStatus, job: TranscriptionJob, now: datetime) -> bool:
    deadline = _deadline(status, job)
    return deadline is not None and now >= deadline


def _deadline(status: TranscriptionJobStatus, job: TranscriptionJob) -> datetime | None:
    limit = job.spec.active_deadline_seconds
    if limit is None or status.accepted_at is None:
        return None
    return status.accepted_at + timedelta(seconds=limit)


def _next_time(status: TranscriptionJobStatus, job: TranscriptionJob) -> datetime | None:
    times = [
        part.retry_at
        for stage in status.stages
        for part in stage.parts
        if part.retry_at is not None
    ]
    deadline = _deadline(status, job)
    if deadline is not None:
        times.append(deadline)
    return min(times, default=None)


def find_stage(status: TranscriptionJobStatus, name: Stage) -> StageStatus | None:
    """Give the status of a stage, or None before the job is planned."""
    return next((stage for stage in status.stages if stage.name == name), None)


def _sum(left: float | None, right: float | None) -> float | None:
    if right is None:
        return left
    return round((left or 0.0) + max(right, 0.0), 3)
