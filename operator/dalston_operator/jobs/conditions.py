"""Derives conditions, phase and progress from the stages of a job. Pure functions."""

from datetime import datetime

from dalston.pipeline.stages import WEIGHTS
from dalston.resources.conditions import ConditionStatus, set_condition
from dalston.resources.reasons import JobCondition, JobReason
from dalston.resources.transcription_job import TranscriptionJob
from dalston.resources.transcription_status import (
    JobPhase,
    StageState,
    StageStatus,
    TranscriptionJobStatus,
)

_TRUE, _FALSE, _UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
_REJECTIONS = frozenset(
    {
        JobReason.NO_ENGINE,
        JobReason.UNKNOWN_ENGINE,
        JobReason.UNKNOWN_MODEL,
        JobReason.UNSUPPORTED_LANGUAGE,
        JobReason.UNSUPPORTED_OPTION,
    }
)


def describe(
    job: TranscriptionJob, status: TranscriptionJobStatus, now: datetime
) -> TranscriptionJobStatus:
    """Fill in phase, progress and conditions; changes and gives the status."""
    if status.phase is None or not status.phase.finished:
        status.phase = _phase(job, status)
    status.progress = _progress(status)
    for type, value, reason, message in (
        _accepted(status),
        _running(status),
        _succeeded(status),
        _suspended(job, status),
    ):
        status.conditions = set_condition(
            status.conditions,
            type=type,
            status=value,
            reason=reason,
            message=message,
            now=now,
            generation=job.metadata.generation,
        )
    return status


def _phase(job: TranscriptionJob, status: TranscriptionJobStatus) -> JobPhase:
    running = _in_state(status, StageState.RUNNING)
    if job.spec.suspend and not running:
        return JobPhase.SUSPENDED
    started = running or any(
        stage.state == StageState.SUCCEEDED or stage.parts_done for stage in status.stages
    )
    return JobPhase.RUNNING if started else JobPhase.PENDING


def _progress(status: TranscriptionJobStatus) -> int:
    if status.phase == JobPhase.SUCCEEDED:
        return 100
    total = done = 0.0
    for stage in status.stages:
        if stage.state == StageState.SKIPPED:
            continue
        weight = WEIGHTS[stage.name]
        total += weight
        if stage.state == StageState.SUCCEEDED:
            done += weight
        elif stage.parts_total:
            done += weight * stage.parts_done / stage.parts_total
    return min(int(100 * done / total), 99) if total else 0


_Row = tuple[JobCondition, ConditionStatus, JobReason, str]


def _accepted(status: TranscriptionJobStatus) -> _Row:
    failure = status.failure
    if failure is not None and failure.stage is None and failure.code in _REJECTIONS:
        return JobCondition.ACCEPTED, _FALSE, JobReason(failure.code), failure.message
    return JobCondition.ACCEPTED, _TRUE, JobReason.ACCEPTED, "every stage has an engine"


def _running(status: TranscriptionJobStatus) -> _Row:
    if status.phase is not None and status.phase.finished:
        return JobCondition.RUNNING, _FALSE, JobReason.FINISHED, ""
    running = _in_state(status, StageState.RUNNING)
    if running:
        text = ", ".join(_part_text(stage) for stage in running)
        return JobCondition.RUNNING, _TRUE, JobReason.STAGE_RUNNING, text
    waiting = _in_state(status, StageState.QUEUED)
    if waiting:
        text = ", ".join(f"{stage.name} waits for a worker of {stage.engine}" for stage in waiting)
        return JobCondition.RUNNING, _FALSE, JobReason.WAITING_FOR_WORKER, text
    return JobCondition.RUNNING, _FALSE, JobReason.NOT_STARTED, ""


def _part_text(stage: StageStatus) -> str:
    if stage.parts_total <= 1:
        return str(stage.name)
    return f"{stage.name} {stage.parts_done}/{stage.parts_total}"


def _succeeded(status: TranscriptionJobStatus) -> _Row:
    failure = status.failure
    if status.phase == JobPhase.SUCCEEDED:
        return JobCondition.SUCCEEDED, _TRUE, JobReason.COMPLETED, "the transcript is stored"
    if failure is None or status.phase is None or not status.phase.finished:
        return JobCondition.SUCCEEDED, _UNKNOWN, JobReason.IN_PROGRESS, ""
    message = f"{failure.stage}: {failure.message}" if failure.stage else failure.message
    if failure.stage is not None:
        reason = JobReason.INPUT_REJECTED if failure.input_fault else JobReason.STAGE_FAILED
        return JobCondition.SUCCEEDED, _FALSE, reason, message
    return JobCondition.SUCCEEDED, _FALSE, JobReason(failure.code), message


def _suspended(job: TranscriptionJob, status: TranscriptionJobStatus) -> _Row:
    finished = status.phase is not None and status.phase.finished
    if job.spec.suspend and not finished:
        return JobCondition.SUSPENDED, _TRUE, JobReason.SUSPENDED, "no further tasks are published"
    return JobCondition.SUSPENDED, _FALSE, JobReason.RESUMED, ""


def _in_state(status: TranscriptionJobStatus, state: StageState) -> list[StageStatus]:
    return [stage for stage in status.stages if stage.state == state]
