"""How far a TranscriptionJob is."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from dalston.resources.conditions import Condition
from dalston.resources.meta import KubeModel, MicroTime
from dalston.resources.stages import Stage

MAX_PARTS = 1024


class JobPhase(StrEnum):
    """One word for printing; the conditions are the contract."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def finished(self) -> bool:
        """Whether the job has ended."""
        return self in FINISHED_PHASES


FINISHED_PHASES = frozenset({JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.CANCELLED})


class StageState(StrEnum):
    """How far a stage is."""

    PENDING = "Pending"
    QUEUED = "Queued"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    CANCELLED = "Cancelled"


class PartState(StrEnum):
    """How far one task of a stage is."""

    PENDING = "Pending"
    QUEUED = "Queued"
    RUNNING = "Running"
    BACKOFF = "Backoff"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class PartStatus(KubeModel):
    """One task of an unfinished stage."""

    index: int = Field(ge=0, description="Number of the part, from 0.")
    attempt: int = Field(default=0, ge=0, description="Attempt that counts, from 0.")
    state: PartState = Field(default=PartState.PENDING, description="How far the task is.")
    seconds: float | None = Field(default=None, ge=0, description="Seconds of audio in the part.")
    retry_at: MicroTime | None = Field(
        default=None, description="When a failed attempt is published again."
    )


class StageStatus(KubeModel):
    """How far one stage is."""

    name: Stage = Field(description="The stage.")
    engine: str | None = Field(default=None, max_length=63, description="Engine that performs it.")
    model: str | None = Field(default=None, max_length=253, description="Model of that engine.")
    state: StageState = Field(default=StageState.PENDING, description="How far it is.")
    attempt: int = Field(default=0, ge=0, description="Highest attempt of any part, from 0.")
    parts_done: int = Field(default=0, ge=0, description="Parts that have a result.")
    parts_total: int = Field(default=0, ge=0, description="Parts that it was split into.")
    started_at: MicroTime | None = Field(
        default=None, description="When its first task was taken up."
    )
    finished_at: MicroTime | None = Field(default=None, description="When its last part ended.")
    queued_at: MicroTime | None = Field(
        default=None, description="When its first task was published."
    )
    queue_seconds: float | None = Field(
        default=None, ge=0, description="Seconds that its tasks waited, in all."
    )
    run_seconds: float | None = Field(
        default=None, ge=0, description="Seconds that its tasks ran, in all."
    )
    message: str = Field(default="", max_length=4096, description="Why it was skipped or failed.")
    parts: list[PartStatus] = Field(
        default_factory=list,
        max_length=MAX_PARTS,
        description="Its tasks.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["index"],
        },
    )


class TranscriptStatus(KubeModel):
    """Where the transcript is, and what it holds in numbers."""

    artifact: str = Field(max_length=1024, description="Key of the transcript.")
    language: str | None = Field(default=None, max_length=16, description="Language spoken.")
    words: int = Field(default=0, ge=0, description="Number of words.")
    speakers: int = Field(default=0, ge=0, description="Number of speakers; 0 when not told apart.")


class FailureStatus(KubeModel):
    """Why the job failed."""

    stage: Stage | None = Field(default=None, description="Stage that failed.")
    code: str = Field(max_length=64, description="One word of a closed set, for programs.")
    message: str = Field(default="", max_length=4096, description="Why, for people.")
    input_fault: bool = Field(
        default=False, description="Whether the recording or the request is at fault."
    )


Warning_ = Annotated[str, Field(max_length=1024)]


class TranscriptionJobStatus(KubeModel):
    """How far the job is."""

    observed_generation: int = Field(
        default=0, description="The metadata.generation that this status is of."
    )
    phase: JobPhase | None = Field(default=None, description="One word for printing.")
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        description="Accepted, Running, Succeeded, Suspended.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    stages: list[StageStatus] = Field(
        default_factory=list,
        max_length=7,
        description="The stages of the plan, in order.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    progress: int = Field(
        default=0, ge=0, le=100, description="Share of the work done, in percent."
    )
    duration_seconds: float | None = Field(
        default=None, ge=0, description="Seconds of audio, once PREPARE knows."
    )
    accepted_at: MicroTime | None = Field(default=None, description="When the job was planned.")
    finished_at: MicroTime | None = Field(default=None, description="When the job ended.")
    transcript: TranscriptStatus | None = Field(
        default=None, description="Where the transcript is."
    )
    failure: FailureStatus | None = Field(default=None, description="Why the job failed.")
    warnings: list[Warning_] = Field(
        default_factory=list, max_length=64, description="What was asked for and could not be done."
    )
    retry: str | None = Field(
        default=None, max_length=256, description="Last value of the retry annotation acted upon."
    )
