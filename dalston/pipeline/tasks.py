"""Tasks, as they travel: requests through the task stream, events back, manifests in the store."""

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field

from dalston.resources.stages import Stage
from dalston.resources.transcription_options import Source, TranscriptionOptions


class TaskId(NamedTuple):
    """`<job uid>/<stage>/<part>/<attempt>`: names one attempt at one part of one stage."""

    job: str
    stage: Stage
    part: int
    attempt: int

    def __str__(self) -> str:
        return f"{self.job}/{self.stage}/{self.part}/{self.attempt}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the written form; raises ValueError for anything else."""
        job, stage, part, attempt = text.split("/")
        return cls(job, Stage(stage), int(part), int(attempt))


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class TaskRequest(_Message):
    """What a worker is asked to do.

    `inputs` maps each earlier stage that has a result to the keys of its result manifests, in the
    order of the parts. `parts_total` counts the tasks of this stage. `audio_seconds` is the length
    of the audio that the task is about, when known: the watchdog's time grows with it.
    """

    job: str
    job_name: str
    namespace: str
    stage: Stage
    part: int = 0
    attempt: int = 0
    parts_total: int = 1
    engine: str
    model: str | None = None
    source: Source
    options: TranscriptionOptions
    inputs: dict[Stage, tuple[str, ...]] = Field(default_factory=dict)
    audio_seconds: float | None = None
    engines: dict[Stage, str] = Field(default_factory=dict)
    published_at: datetime

    @property
    def id(self) -> TaskId:
        """The task's identity."""
        return TaskId(self.job, self.stage, self.part, self.attempt)


class StageSummary(_Message):
    """The few facts of a result that the operator needs; travels in the event and the manifest."""

    duration_seconds: float | None = None
    parts: tuple[float, ...] = ()
    """PREPARE: the seconds of each part, in order."""

    transcript: str | None = None
    """MERGE: key of the transcript."""

    language: str | None = None
    words: int = 0
    speakers: int = 0
    warnings: tuple[str, ...] = ()


class ErrorKind(StrEnum):
    """Whose fault an error is."""

    INPUT = "input"
    """The recording's or the request's: failing again is certain, so it is not retried."""

    INFRASTRUCTURE = "infrastructure"
    """The worker's or what it stands on: retried elsewhere, with backoff."""


class TaskError(_Message):
    """Why an attempt failed; `code` is one word of a closed set."""

    kind: ErrorKind
    code: str
    message: str = ""


class EventType(StrEnum):
    """What happened to a task."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DEAD = "dead"
    """Delivered as often as allowed without a result; the message is kept as a dead letter."""


class TaskEvent(_Message):
    """What a worker, or the dead-letter watch, tells the operator."""

    type: EventType
    job: str
    stage: Stage
    part: int = 0
    attempt: int = 0
    worker: str | None = None
    at: datetime
    queue_seconds: float | None = None
    run_seconds: float | None = None
    summary: StageSummary | None = None
    error: TaskError | None = None

    @property
    def task(self) -> TaskId:
        """The task that it is about."""
        return TaskId(self.job, self.stage, self.part, self.attempt)


class Manifest(_Message):
    """Written last, create-if-absent: the one result of an attempt.

    `folder` is the key prefix of the result's files; `result` the stage's result as JSON.
    """

    task: str
    engine: str
    worker: str
    folder: str
    result: dict[str, Any]
    summary: StageSummary
    finished_at: datetime
    queue_seconds: float | None = None
    run_seconds: float | None = None


class Progress(_Message):
    """How far a running task is, in seconds of audio; sent on core NATS, never stored."""

    job: str
    stage: Stage
    part: int
    done_seconds: float
    total_seconds: float
