"""What came of a task, and what that means: pure decisions, no I/O."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from dalston.artifacts.store import StoreFull, StoreUnavailable
from dalston.bus.claims import Claim
from dalston.bus.errors import BusUnavailable
from dalston.engine_sdk.errors import EngineDefect, InputError, ModelMissing, as_input_error
from dalston.fetch.errors import FetchError
from dalston.pipeline.results import (
    RESULT_TYPES,
    DetectResult,
    MergeResult,
    PrepareResult,
    StageResult,
    TranscribeResult,
)
from dalston.pipeline.tasks import (
    ErrorKind,
    EventType,
    Manifest,
    StageSummary,
    TaskError,
    TaskEvent,
    TaskRequest,
)
from dalston.resources.stages import Stage

TRANSCRIPT = "transcript.json"
"""Name of MERGE's output file, the stored transcript."""

_MESSAGE_CHARACTERS = 2000


class Outcome(StrEnum):
    """How the execution of a task ended; the label of a metric."""

    SUCCEEDED = "succeeded"
    INPUT_ERROR = "input_error"
    FAILED = "failed"
    REPEATED = "repeated"
    """Its result was there already."""

    SUPERSEDED = "superseded"
    """A later attempt counts."""

    CANCELLED = "cancelled"
    LOST = "lost"
    """Another executor took it over."""

    HANDED_BACK = "handed_back"


class Stop(StrEnum):
    """Why running work is to stop."""

    CANCELLED = "cancelled"
    """A notice said so; the claim tells whether it is true."""

    GONE = "gone"
    """The claim was removed with its job, or a later attempt counts."""

    TAKEN_OVER = "taken over"
    """Another executor of the same attempt has the claim."""

    TERMINATED = "terminated"
    """The worker is to end."""

    HUNG = "hung"
    """The engine made no progress for longer than the watchdog allows."""


def judge_claim(held: Claim, found: Claim | None) -> Stop | None:
    """Tell from the claim in force whether work under `held` has to stop."""
    if found is None or found.attempt > held.attempt:
        return Stop.GONE
    return None if found.revision == held.revision else Stop.TAKEN_OVER


@dataclass(frozen=True, kw_only=True)
class Produced:
    """The result of `process()` as JSON, ready to be stored."""

    json: str
    summary: StageSummary
    files: tuple[Path, ...]


def write_manifest(manifest: Manifest, produced: Produced) -> bytes:
    """Give the stored form of a manifest whose own `result` is left out: what was produced.

    Results of long recordings are tens of megabytes; they are serialized once, in the engine's thread.
    """
    head = manifest.model_dump_json(exclude={"result"})
    return f'{head[:-1]},"result":{produced.json}}}'.encode()


def check_result(result: object, *, stage: Stage, files: list[Path]) -> StageResult:
    """Give the result if it fits the stage and its files are there; raises EngineDefect."""
    kind = RESULT_TYPES[stage]
    if not isinstance(result, kind):
        raise EngineDefect(f"process() gave {type(result).__name__}; {stage} wants {kind.__name__}")
    missing = _named_files(result) - {path.name for path in files}
    if missing:
        raise EngineDefect(f"the result names files that were not written: {sorted(missing)}")
    return result


def _named_files(result: StageResult) -> set[str]:
    if isinstance(result, PrepareResult):
        return {track.audio for track in result.tracks}
    if isinstance(result, DetectResult):
        return set(result.redacted_audio)
    return set()


def summarize(result: StageResult, *, folder: str) -> StageSummary:
    """Give the facts of a result that the operator needs."""
    if isinstance(result, PrepareResult):
        return StageSummary(
            duration_seconds=result.duration,
            parts=tuple(round(part.end - part.start, 3) for part in result.parts),
            warnings=result.warnings,
        )
    if isinstance(result, TranscribeResult):
        return StageSummary(
            language=result.language,
            words=sum(len(segment.words) for segment in result.segments),
            warnings=result.warnings,
        )
    if isinstance(result, MergeResult):
        transcript = result.transcript
        return StageSummary(
            duration_seconds=transcript.duration,
            transcript=f"{folder}/{TRANSCRIPT}",
            language=transcript.language,
            words=len(transcript.words()) or len(transcript.text.split()),
            speakers=len(transcript.speakers),
            warnings=result.warnings,
        )
    return StageSummary(warnings=result.warnings)


def describe_error(error: BaseException) -> TaskError:
    """Tell whose fault an error is, in a word and a sentence."""
    fault = as_input_error(error)
    if fault is not None:
        return TaskError(
            kind=ErrorKind.INPUT, code=fault.code, message=fault.message[:_MESSAGE_CHARACTERS]
        )
    return TaskError(
        kind=ErrorKind.INFRASTRUCTURE,
        code=_infrastructure_code(error),
        message=str(error)[:_MESSAGE_CHARACTERS],
    )


def _infrastructure_code(error: BaseException) -> str:
    codes: dict[type[BaseException], str] = {
        StoreFull: "StoreFull",
        StoreUnavailable: "StoreUnavailable",
        BusUnavailable: "BusUnavailable",
        ModelMissing: "ModelMissing",
        EngineDefect: "EngineDefect",
        MemoryError: "OutOfMemory",
    }
    if isinstance(error, FetchError):
        return error.code
    return next((code for kind, code in codes.items() if isinstance(error, kind)), "EngineFailed")


def exit_code_of(error: BaseException) -> int:
    """Give the exit status of a worker of a Dedicated job whose task failed by that error."""
    if isinstance(error, InputError):
        return error.exit_code
    return InputError.exit_code if as_input_error(error) is not None else 1


def started_event(request: TaskRequest, *, worker: str, queue_seconds: float) -> TaskEvent:
    """Tell that a task is being worked on."""
    return _event(EventType.STARTED, request, worker=worker, queue_seconds=queue_seconds)


def failed_event(
    request: TaskRequest,
    error: TaskError,
    *,
    worker: str,
    queue_seconds: float,
    run_seconds: float,
) -> TaskEvent:
    """Tell that an attempt failed."""
    return _event(
        EventType.FAILED,
        request,
        worker=worker,
        queue_seconds=queue_seconds,
        run_seconds=run_seconds,
        error=error,
    )


def succeeded_event(request: TaskRequest, manifest: Manifest) -> TaskEvent:
    """Tell of the result that a manifest names, whoever wrote it."""
    return _event(
        EventType.SUCCEEDED,
        request,
        worker=manifest.worker,
        queue_seconds=manifest.queue_seconds,
        run_seconds=manifest.run_seconds,
        summary=manifest.summary,
    )


def _event(type_: EventType, request: TaskRequest, **fields: Any) -> TaskEvent:
    return TaskEvent(
        type=type_,
        job=request.job,
        stage=request.stage,
        part=request.part,
        attempt=request.attempt,
        at=datetime.now(UTC),
        **fields,
    )
