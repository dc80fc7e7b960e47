"""Folds task events into the status of a job. Pure functions.

An event counts for the attempt that is in force, or for a later one: that it exists proves that the
attempt was published, which the status may have lost in a crash. Whatever an engine reports is cut
to what the status may hold, so that a status can always be written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dalston.pipeline.stages import FAN_OUT
from dalston.pipeline.tasks import ErrorKind, EventType, StageSummary, TaskEvent
from dalston.resources.stages import Stage
from dalston.resources.transcription_status import (
    MAX_PARTS,
    FailureStatus,
    PartState,
    PartStatus,
    StageState,
    StageStatus,
    TranscriptionJobStatus,
    TranscriptStatus,
)

ENDED = (StageState.SUCCEEDED, StageState.SKIPPED, StageState.FAILED, StageState.CANCELLED)
MESSAGE_LENGTH = 4000
_CODE_LENGTH = 64
_WARNINGS = 64
_WARNING_LENGTH = 1024
_LANGUAGE_LENGTH = 16


@dataclass(frozen=True)
class RetryPolicy:
    """How often the infrastructure may fail at one task, and how long to wait in between.

    Attempts are numbered through; those that a person asked for with a retry begin a new round.
    """

    max_attempts: int = 3
    backoff_seconds: float = 2.0

    def allows(self, attempt: int) -> bool:
        """Tell whether another attempt may follow that one, counted from 0."""
        return (attempt + 1) % self.max_attempts != 0

    def delay(self, attempt: int) -> timedelta:
        """Give the pause after that attempt."""
        return timedelta(seconds=self.backoff_seconds * 2 ** (attempt % self.max_attempts))

    def end_of_round(self, attempt: int) -> int:
        """Give the last attempt of the round that this one is in."""
        return (attempt // self.max_attempts + 1) * self.max_attempts - 1


def fold(
    status: TranscriptionJobStatus,
    events: Sequence[TaskEvent],
    *,
    retry: RetryPolicy,
    now: datetime,
) -> list[TaskEvent]:
    """Change the status by the events; gives those whose task the status does not know yet."""
    early = []
    for event in events:
        stage = find_stage(status, event.stage)
        if stage is None or stage.state in ENDED:
            continue
        part = next((part for part in stage.parts if part.index == event.part), None)
        if not stage.parts or (part is not None and part.state == PartState.PENDING):
            early.append(event)
        elif part is None or part.state in (PartState.SUCCEEDED, PartState.FAILED):
            continue
        elif event.attempt > part.attempt:
            _adopt(stage, part, event.attempt)
            _apply(status, stage, part, event, retry=retry, now=now)
        elif event.attempt == part.attempt and part.state != PartState.BACKOFF:
            _apply(status, stage, part, event, retry=retry, now=now)
    return early


def find_stage(status: TranscriptionJobStatus, name: Stage) -> StageStatus | None:
    """Give the status of a stage, or None before the job is planned."""
    return next((stage for stage in status.stages if stage.name == name), None)


def _adopt(stage: StageStatus, part: PartStatus, attempt: int) -> None:
    part.attempt = attempt
    part.state = PartState.QUEUED
    part.retry_at = None
    stage.attempt = max(stage.attempt, attempt)


def _apply(
    status: TranscriptionJobStatus,
    stage: StageStatus,
    part: PartStatus,
    event: TaskEvent,
    *,
    retry: RetryPolicy,
    now: datetime,
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
    elif _retryable(event, retry):
        part.state = PartState.BACKOFF
        part.retry_at = now + retry.delay(part.attempt)
        text = f"attempt {part.attempt} of part {part.index} failed: {_error_text(event)}"
        stage.message = text[:MESSAGE_LENGTH]
    else:
        _give_up(status, stage, part, event)


def _succeed(
    status: TranscriptionJobStatus, stage: StageStatus, part: PartStatus, event: TaskEvent
) -> None:
    summary = event.summary or StageSummary()
    stage.started_at = stage.started_at or event.at - timedelta(seconds=event.run_seconds or 0)
    flaw = _flaw(stage.name, summary)
    if flaw is not None:
        part.state = PartState.FAILED
        _fail_stage(status, stage, event, code="InvalidResult", text=flaw)
        return
    part.state = PartState.SUCCEEDED
    stage.parts_done = sum(part.state == PartState.SUCCEEDED for part in stage.parts)
    for warning in summary.warnings:
        text = warning[:_WARNING_LENGTH]
        if text not in status.warnings and len(status.warnings) < _WARNINGS:
            status.warnings.append(text)
    if stage.name == Stage.PREPARE:
        _fan_out(status, summary)
    if stage.name == Stage.MERGE:
        status.transcript = TranscriptStatus(
            artifact=summary.transcript or "",
            language=summary.language[:_LANGUAGE_LENGTH] if summary.language else None,
            words=max(summary.words, 0),
            speakers=max(summary.speakers, 0),
        )
    if stage.parts_done == len(stage.parts):
        stage.state = StageState.SUCCEEDED
        stage.message = ""
        stage.finished_at = event.at


def _flaw(stage: Stage, summary: StageSummary) -> str | None:
    """Give what makes a result unusable, which running the engine again would not mend."""
    if stage == Stage.PREPARE and len(summary.parts) > MAX_PARTS:
        return f"{len(summary.parts)} parts are more than the {MAX_PARTS} that a job may have"
    if stage == Stage.MERGE and not summary.transcript:
        return "the result names no transcript"
    return None


def _fan_out(status: TranscriptionJobStatus, summary: StageSummary) -> None:
    """Lay out the tasks of the stages that work part by part."""
    if summary.duration_seconds is not None:
        status.duration_seconds = max(summary.duration_seconds, 0.0)
    for stage in status.stages:
        if stage.name in FAN_OUT and stage.state == StageState.PENDING:
            stage.parts = [
                PartStatus(index=index, seconds=round(max(seconds, 0.0), 3))
                for index, seconds in enumerate(summary.parts)
            ]
            stage.parts_total = len(stage.parts)


def _retryable(event: TaskEvent, retry: RetryPolicy) -> bool:
    return (
        event.type == EventType.FAILED
        and event.error is not None
        and event.error.kind == ErrorKind.INFRASTRUCTURE
        and retry.allows(event.attempt)
    )


def _give_up(
    status: TranscriptionJobStatus, stage: StageStatus, part: PartStatus, event: TaskEvent
) -> None:
    part.state = PartState.FAILED
    error = event.error
    if error is not None:
        fault = error.kind == ErrorKind.INPUT
        _fail_stage(status, stage, event, code=error.code, text=error.message, input_fault=fault)
        return
    text = (
        f"part {part.index} was delivered as often as allowed without a result; "
        "its workers were killed or hung"
    )
    _fail_stage(status, stage, event, code="DeadLettered", text=text)


def _fail_stage(
    status: TranscriptionJobStatus,
    stage: StageStatus,
    event: TaskEvent,
    *,
    code: str,
    text: str,
    input_fault: bool = False,
) -> None:
    stage.state = StageState.FAILED
    stage.finished_at = event.at
    stage.message = f"{code}: {text}"[:MESSAGE_LENGTH]
    status.failure = FailureStatus(
        stage=stage.name,
        code=code[:_CODE_LENGTH],
        message=text[:MESSAGE_LENGTH],
        input_fault=input_fault,
    )


def _error_text(event: TaskEvent) -> str:
    return f"{event.error.code}: {event.error.message}" if event.error else ""


def _sum(left: float | None, right: float | None) -> float | None:
    if right is None:
        return left
    return round((left or 0.0) + max(right, 0.0), 3)
