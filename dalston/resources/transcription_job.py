"""TranscriptionJob: one recording to transcribe."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue

from dalston.resources.meta import KubeModel, ObjectMeta
from dalston.resources.stages import Stage
from dalston.resources.transcription_options import Source, TranscriptionOptions
from dalston.resources.transcription_status import TranscriptionJobStatus

EngineName = Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]


ModelName = Annotated[str, Field(min_length=1, max_length=253)]


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


class TranscriptionJob(KubeModel):
    """One recording to transcribe: its source, its options, and how far it is."""

    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: TranscriptionJobSpec
    status: TranscriptionJobStatus = Field(default_factory=TranscriptionJobStatus)
