"""Decides what a TranscriptionJob needs next: a pure function of its spec, status and events.

The status only moves forward: a finished job changes only through the retry annotation, a finished
stage not at all, and an event counts only for the attempt that is in force. So events may come
twice, late or in any order, and a reconcile that is repeated after a crash decides the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dalston.pipeline.plan import PlanRejected, plan
from dalston.pipeline.stages import NEEDS
from dalston.pipeline.tasks import TaskEvent, TaskRequest
from dalston.resources.engine import Engine
from dalston.resources.meta import RETRY_ANNOTATION
from dalston.resources.reasons import JobReason
from dalston.resources.stages import Stage
from dalston.resources.transcription_job import TranscriptionJob
from dalston.resources.transcription_status import (
    FailureStatus,
    JobPhase,
    PartState,
    PartStatus,
    StageState,
    StageStatus,
    TranscriptionJobStatus,
)
from dalston_operator.jobs import requests
from dalston_operator.jobs.conditions import describe
from dalston_operator.jobs.folding import ENDED, MESSAGE_LENGTH, RetryPolicy, find_stage, fold

_TOKEN_LENGTH = 256
_DONE = (StageState.SUCCEEDED, StageState.SKIPPED)


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
    """What to do: publish tasks, stop what runs, and write the status; look again at `wake_at`.

    `early` are events of tasks that the status does not know yet: to be given again with the next
    ones, which after a crash are the ones that came before them.
    """

    status: TranscriptionJobStatus
    publish: tuple[TaskRequest, ...] = ()
    stop: bool = False
    wake_at: datetime | None = None
    early: tuple[TaskEvent, ...] = ()


def reconcile(observed: Observed) -> Decision:
    """Decide; the given job is not changed."""
    job, now = observed.job, observed.now
    status = job.status.model_copy(deep=True)
    status.observed_generation = job.metadata.generation
    if status.phase is not None and status.phase.finished:
        if not _retry_asked(job):
            return Decision(status)
        _reset(status, observed)
    if status.accepted_at is None and not _accept(status, observed):
        return Decision(describe(job, status, now), stop=True)
    publish: list[TaskRequest] = []
    events = observed.events
    while True:
        early = fold(status, events, retry=observed.retry, now=now)
        if _end(status, job, now):
            return Decision(describe(job, status, now), stop=True)
        published = _advance(status, observed)
        publish.extend(published)
        if not early or not published:
            break
        events = early
    return Decision(
        describe(job, status, now),
        publish=tuple(publish),
        wake_at=_next_time(status, job),
        early=tuple(early),
    )


def retry_token(annotations: Mapping[str, str]) -> str | None:
    """Give the retry that is asked for, cut to what the status can hold."""
    wanted = annotations.get(RETRY_ANNOTATION)
    return wanted[:_TOKEN_LENGTH] if wanted is not None else None


def _retry_asked(job: TranscriptionJob) -> bool:
    wanted = retry_token(job.metadata.annotations)
    failed = job.status.phase in (JobPhase.FAILED, JobPhase.CANCELLED)
    return failed and wanted is not None and wanted != job.status.retry and not job.spec.cancel


def _reset(status: TranscriptionJobStatus, observed: Observed) -> None:
    """Put what failed back to its start; results that are there stay in use."""
    now = observed.now
    status.retry = retry_token(observed.job.metadata.annotations)
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
                    part.attempt = observed.retry.end_of_round(part.attempt)
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
            code=rejected.reason, message=rejected.message[:MESSAGE_LENGTH], input_fault=True
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
        if stage.state not in ENDED:
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
        if part.retry_at is not None and not job.spec.suspend
    ]
    deadline = _deadline(status, job)
    if deadline is not None:
        times.append(deadline)
    return min(times, default=None)
