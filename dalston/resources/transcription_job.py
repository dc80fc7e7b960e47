"""TranscriptionJob: one recording to transcribe."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue

from dalston.resources.conditions import Condition
from dalston.resources.meta import KubeModel, MicroTime, ObjectMeta
from dalston.resources.stages import Stage

MAX_PARTS = 1024

EngineName = Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
ModelName = Annotated[str, Field(min_length=1, max_length=253)]


class SourceFormat(StrEnum):
    """How the bytes of a source are to be read."""

    AUTO = "auto"
    PCM_S16LE_16 = "pcm_s16le_16"


class Source(KubeModel):
    """Where the recording is: exactly one of a URL and a key in the artifact store."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.url) != has(self.artifact)",
                    "message": "exactly one of url and artifact must be set",
                }
            ]
        }
    )

    url: str | None = Field(
        default=None,
        max_length=4096,
        pattern=r"^https?://",
        description="HTTP or HTTPS address that the recording is fetched from.",
    )
    artifact: str | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description="Key of the recording in the artifact store.",
    )
    file_name: str | None = Field(
        default=None, max_length=255, description="Name of the recording, for people."
    )
    format: SourceFormat = Field(
        default=SourceFormat.AUTO,
        description="auto: any container and codec; pcm_s16le_16: raw 16-bit little-endian mono at 16 kHz.",
    )


class TaskKind(StrEnum):
    """What TRANSCRIBE writes: the spoken language, or English."""

    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"


class Timestamps(StrEnum):
    """The finest times that the transcript carries."""

    NONE = "none"
    SEGMENT = "segment"
    WORD = "word"
    CHARACTER = "character"


class SpeakerMode(StrEnum):
    """How speakers are told apart: not at all, by voice, or by channel."""

    NONE = "none"
    DIARIZE = "diarize"
    CHANNELS = "channels"


class Speakers(KubeModel):
    """How speakers are told apart."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "!has(self.min) || !has(self.max) || self.min <= self.max",
                    "message": "min must not exceed max",
                }
            ]
        }
    )

    mode: SpeakerMode = Field(
        default=SpeakerMode.NONE,
        description="none, diarize (by voice), or channels (each channel is transcribed alone).",
    )
    min: int | None = Field(default=None, ge=1, le=32, description="Fewest speakers to expect.")
    max: int | None = Field(default=None, ge=1, le=32, description="Most speakers to expect.")
    threshold: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="Distance above which two voices are two speakers.",
    )


class RedactionMode(StrEnum):
    """What stands in the text in place of a redacted entity."""

    REDACTED = "redacted"
    ENTITY_TYPE = "entity_type"
    ENUMERATED_ENTITY_TYPE = "enumerated_entity_type"


EntityName = Annotated[str, Field(min_length=1, max_length=64)]


class Redaction(KubeModel):
    """What is removed from the transcript and the audio."""

    entities: list[EntityName] = Field(
        default_factory=list, max_length=100, description="Entity types or groups to redact."
    )
    mode: RedactionMode = Field(
        default=RedactionMode.ENUMERATED_ENTITY_TYPE,
        description="redacted: {REDACTED}; entity_type: {NAME}; enumerated_entity_type: {NAME_1}.",
    )
    audio: bool = Field(default=False, description="Silence the redacted spans in the audio too.")


class Detect(KubeModel):
    """What DETECT looks for."""

    audio_events: bool = Field(default=False, description="Mark laughter, applause, music, ...")
    entities: list[EntityName] = Field(
        default_factory=list, max_length=100, description="Entity types or groups to mark."
    )
    redaction: Redaction | None = Field(default=None, description="What to redact.")


class Refine(KubeModel):
    """What REFINE changes in the text."""

    no_verbatim: bool = Field(default=False, description="Drop fillers and false starts.")
    instruction: str | None = Field(
        default=None,
        min_length=1,
        max_length=2000,
        description="Instruction to the language model.",
    )


VocabularyTerm = Annotated[str, Field(min_length=1, max_length=100)]


class TranscriptionOptions(KubeModel):
    """What the transcript is to hold; the part of the spec that engines see."""

    language: str | None = Field(
        default=None,
        min_length=2,
        max_length=16,
        pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        description="Language spoken, ISO 639-1 or 639-3; detected when absent.",
    )
    task: TaskKind = Field(
        default=TaskKind.TRANSCRIBE, description="transcribe, or translate to English."
    )
    timestamps: Timestamps = Field(
        default=Timestamps.WORD, description="The finest times that the transcript carries."
    )
    speakers: Speakers = Field(default_factory=Speakers, description="How speakers are told apart.")
    vocabulary: list[VocabularyTerm] = Field(
        default_factory=list, max_length=1000, description="Words and phrases to expect."
    )
    prompt: str | None = Field(
        default=None, min_length=1, max_length=2000, description="Text that precedes the recording."
    )
    temperature: float | None = Field(
        default=None,
        ge=0.0,
        le=2.0,
        description="Sampling temperature; the engine's own when absent.",
    )
    seed: int | None = Field(
        default=None, ge=0, le=2147483647, description="Seed of sampling, for repeatable output."
    )
    detect: Detect | None = Field(default=None, description="What DETECT looks for.")
    refine: Refine | None = Field(default=None, description="What REFINE changes in the text.")


class EngineChoice(KubeModel):
    """The engine, and the model of it, that performs one stage."""

    stage: Stage = Field(description="The stage.")
    engine: EngineName | None = Field(default=None, description="Name of an Engine.")
    model: ModelName | None = Field(default=None, description="Name of one of its models.")


class Priority(StrEnum):
    """Which lane the job's tasks wait in."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class ExecutionMode(StrEnum):
    """Whether warm workers shared by all jobs do the work, or a Job for each stage of this one."""

    SHARED = "Shared"
    DEDICATED = "Dedicated"


class Execution(KubeModel):
    """Who does the work."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "!has(self.queueName) || self.mode == 'Dedicated'",
                    "message": "queueName needs mode Dedicated",
                }
            ]
        }
    )

    mode: ExecutionMode = Field(
        default=ExecutionMode.SHARED,
        description="Shared: warm workers; Dedicated: one batch/v1 Job for each stage.",
    )
    queue_name: str | None = Field(
        default=None, max_length=63, description="Kueue LocalQueue of the Dedicated Jobs."
    )


class WebhookTarget(KubeModel):
    """Where the finished job is announced."""

    url: str = Field(max_length=2048, pattern=r"^https?://", description="Address that is called.")
    metadata: str | None = Field(
        default=None, max_length=16384, description="JSON text that is sent along."
    )


_IMMUTABLE = (
    "source",
    "language",
    "task",
    "timestamps",
    "speakers",
    "vocabulary",
    "prompt",
    "temperature",
    "seed",
    "detect",
    "refine",
    "engines",
    "execution",
    "activeDeadlineSeconds",
    "webhooks",
)


def _immutable(field: str) -> JsonValue:
    return {
        "rule": f"has(self.{field}) == has(oldSelf.{field}) && "
        f"(!has(self.{field}) || self.{field} == oldSelf.{field})",
        "message": f"{field} is immutable",
    }


class TranscriptionJobSpec(TranscriptionOptions):
    """What is to be transcribed, and how; immutable except suspend, cancel, priority and TTL."""

    model_config = ConfigDict(
        json_schema_extra={"x-kubernetes-validations": [_immutable(field) for field in _IMMUTABLE]}
    )

    source: Source = Field(description="Where the recording is.")
    engines: list[EngineChoice] = Field(
        default_factory=list,
        max_length=7,
        description="Engine and model for a stage; chosen by capability and cost when absent.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["stage"],
        },
    )
    priority: Priority = Field(
        default=Priority.NORMAL, description="Lane that the tasks wait in: high, normal, low."
    )
    execution: Execution = Field(default_factory=Execution, description="Who does the work.")
    suspend: bool = Field(
        default=False, description="Publish no further tasks; running ones finish."
    )
    cancel: bool = Field(default=False, description="Stop for good; running tasks are stopped too.")
    active_deadline_seconds: int | None = Field(
        default=None, ge=1, le=604800, description="Seconds from acceptance until the job fails."
    )
    ttl_seconds_after_finished: int | None = Field(
        default=None,
        ge=0,
        le=31536000,
        description="Seconds that the finished job and its artifacts are kept; for ever when absent.",
    )
    webhooks: list[WebhookTarget] = Field(
        default_factory=list, max_length=8, description="Where the finished job is announced."
    )


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


class TranscriptionJob(KubeModel):
    """One recording to transcribe: its source, its options, and how far it is."""

    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: TranscriptionJobSpec
    status: TranscriptionJobStatus = Field(default_factory=TranscriptionJobStatus)


__all__ = [
    "FINISHED_PHASES",
    "MAX_PARTS",
    "Detect",
    "EngineChoice",
    "Execution",
    "ExecutionMode",
    "FailureStatus",
    "JobPhase",
    "PartState",
    "PartStatus",
    "Priority",
    "Redaction",
    "RedactionMode",
    "Refine",
    "Source",
    "SourceFormat",
    "SpeakerMode",
    "Speakers",
    "StageState",
    "StageStatus",
    "TaskKind",
    "Timestamps",
    "TranscriptStatus",
    "TranscriptionJob",
    "TranscriptionJobSpec",
    "TranscriptionJobStatus",
    "TranscriptionOptions",
    "WebhookTarget",
]
