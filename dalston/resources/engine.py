"""Engine: something this cluster can run to perform one or several stages."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, JsonValue

from dalston.resources.conditions import Condition
from dalston.resources.meta import NAME_IS_TOKEN, KubeModel, ObjectMeta
from dalston.resources.stages import Stage
from dalston.resources.transcription_job import ModelName
from dalston.resources.transcription_options import TaskKind

PRESERVE: dict[str, JsonValue] = {"x-kubernetes-preserve-unknown-fields": True}

LanguageTag = Annotated[str, Field(min_length=1, max_length=16)]


class EngineModel(KubeModel):
    """A model that the engine can load."""

    name: ModelName = Field(description="Name by which jobs ask for it.")
    source: str | None = Field(
        default=None,
        max_length=1024,
        description="Directory, packaged weights or hub name; the name itself when absent.",
    )
    languages: list[LanguageTag] = Field(
        default_factory=list,
        max_length=256,
        description="Languages that it knows, ISO 639-1; those of the engine when empty.",
    )
    default: bool = Field(default=False, description="Used by jobs that name no model.")


class EngineCapabilities(KubeModel):
    """What the engine can do; the planner compares it with what a job needs."""

    languages: list[LanguageTag] = Field(
        default_factory=list,
        max_length=256,
        description="Languages that it knows, ISO 639-1; empty means any.",
    )
    language_detection: bool = Field(default=False, description="Finds the language by itself.")
    tasks: list[TaskKind] = Field(
        default_factory=lambda: [TaskKind.TRANSCRIBE],
        max_length=2,
        description="transcribe, translate.",
    )
    word_timestamps: bool = Field(default=False, description="Gives each word a time.")
    character_timestamps: bool = Field(default=False, description="Gives each character a time.")
    diarization: bool = Field(default=False, description="Tells speakers apart by voice.")
    vocabulary: bool = Field(default=False, description="Takes words to expect.")
    audio_events: bool = Field(default=False, description="Marks audio events.")
    entities: list[Annotated[str, Field(max_length=64)]] = Field(
        default_factory=list, max_length=256, description="Entity types that it finds."
    )
    maximum_duration_seconds: int | None = Field(
        default=None, ge=1, description="Longest audio of one task; any when absent."
    )


class EngineParameters(KubeModel):
    """Settings of the engine, with the schema that they follow."""

    schema_: dict[str, Any] = Field(
        default_factory=dict,
        alias="schema",
        description="JSON schema of the values.",
        json_schema_extra=PRESERVE,
    )
    values: dict[str, Any] = Field(
        default_factory=dict, description="The values.", json_schema_extra=PRESERVE
    )


class Toleration(KubeModel):
    """core/v1 Toleration."""

    key: str | None = Field(default=None, max_length=317)
    operator: str | None = Field(default=None, max_length=16)
    value: str | None = Field(default=None, max_length=63)
    effect: str | None = Field(default=None, max_length=32)
    toleration_seconds: int | None = Field(default=None)


Quantity = Annotated[
    str, Field(max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")
]


class EngineResources(KubeModel):
    """What one worker takes of a node."""

    resource_name: str | None = Field(
        default=None,
        max_length=253,
        description="Extended resource of the accelerator, such as nvidia.com/gpu or a MIG slice.",
    )
    count: int = Field(default=1, ge=1, le=64, description="How many of that resource.")
    cpu: Quantity = Field(default="1", description="CPU request; there is no CPU limit.")
    memory: Quantity = Field(default="2Gi", description="Memory request and limit.")
    node_selector: dict[str, Annotated[str, Field(max_length=63)]] = Field(
        default_factory=dict, max_length=16, description="Labels that the node must have."
    )
    tolerations: list[Toleration] = Field(
        default_factory=list, max_length=16, description="Taints that the worker tolerates."
    )
    runtime_class_name: str | None = Field(
        default=None, max_length=253, description="RuntimeClass of the worker's pod."
    )


class EngineWorkers(KubeModel):
    """How many workers there are, and how long they stay."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {"rule": "self.min <= self.max", "message": "min must not exceed max"}
            ]
        }
    )

    min: int = Field(default=0, ge=0, le=1000, description="Workers kept warm without work.")
    max: int = Field(default=1, ge=1, le=1000, description="Most workers at once.")
    idle_seconds: int = Field(
        default=300, ge=0, le=86400, description="Seconds without work after which a worker ends."
    )
    concurrency: int = Field(
        default=1, ge=1, le=256, description="Tasks that one worker performs at once."
    )


class EngineCost(KubeModel):
    """Seconds of work for one second of audio, as measured; the planner prefers the lower."""

    gpu: float | None = Field(default=None, ge=0, description="On an accelerator.")
    cpu: float | None = Field(default=None, ge=0, description="On processors alone.")


class EngineSpec(KubeModel):
    """What the engine is, what it can do, and what its workers take."""

    stages: list[Stage] = Field(min_length=1, max_length=7, description="Stages that it performs.")
    image: str = Field(min_length=1, max_length=512, description="Image of its workers.")
    args: list[Annotated[str, Field(max_length=1024)]] = Field(
        default_factory=list, max_length=64, description="Arguments to the image's entry point."
    )
    capabilities: EngineCapabilities = Field(
        default_factory=EngineCapabilities, description="What it can do."
    )
    models: list[EngineModel] = Field(
        default_factory=list,
        max_length=64,
        description="Models that it can load; the first is used when none is marked as default.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    parameters: EngineParameters = Field(
        default_factory=EngineParameters, description="Settings of the engine."
    )
    resources: EngineResources = Field(
        default_factory=EngineResources, description="What one worker takes of a node."
    )
    pod_template_overlay: dict[str, Any] = Field(
        default_factory=dict,
        description="Merged into the pod template of the workers (strategic merge).",
        json_schema_extra=PRESERVE,
    )
    workers: EngineWorkers = Field(
        default_factory=EngineWorkers, description="How many workers, and how long they stay."
    )
    cost: EngineCost = Field(
        default_factory=EngineCost, description="Seconds of work for one second of audio."
    )

    def default_model(self) -> EngineModel | None:
        """Give the model for jobs that name none; None when the engine has no models."""
        marked = next((model for model in self.models if model.default), None)
        return marked or (self.models[0] if self.models else None)

    def find_model(self, name: str) -> EngineModel | None:
        """Give the model of that name, or None."""
        return next((model for model in self.models if model.name == name), None)


class EngineStatus(KubeModel):
    """What waits for the engine, and who works on it."""

    observed_generation: int = Field(
        default=0, description="The metadata.generation that this status is of."
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        description="Ready, Progressing.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    queued: int = Field(default=0, ge=0, description="Tasks that wait.")
    running: int = Field(default=0, ge=0, description="Tasks that workers hold.")
    workers: int = Field(default=0, ge=0, description="Workers that exist.")
    ready: int = Field(default=0, ge=0, description="Workers whose pod is ready.")
    selector: str = Field(
        default="", max_length=512, description="Label selector of the workers' pods."
    )
    failing: str = Field(
        default="", max_length=1024, description="Why workers fail; empty when they do not."
    )


class Engine(KubeModel):
    """Something this cluster can run to perform stages of the pipeline."""

    model_config = ConfigDict(json_schema_extra=NAME_IS_TOKEN)

    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: EngineSpec
    status: EngineStatus = Field(default_factory=EngineStatus)
