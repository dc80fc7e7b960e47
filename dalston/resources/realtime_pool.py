"""RealtimePool: streaming workers for one engine and model."""

from pydantic import ConfigDict, Field

from dalston.resources.conditions import Condition
from dalston.resources.engine import EngineResources
from dalston.resources.meta import NAME_IS_TOKEN, KubeModel, ObjectMeta
from dalston.resources.transcription_job import EngineName, ModelName


class RealtimePoolSpec(KubeModel):
    """Which engine serves live sessions, and how much capacity is kept."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "self.minReplicas <= self.maxReplicas",
                    "message": "minReplicas must not exceed maxReplicas",
                }
            ]
        }
    )

    engine: EngineName = Field(description="Engine that the workers run.")
    model: ModelName | None = Field(default=None, description="Model of that engine.")
    sessions_per_worker: int = Field(
        default=8, ge=1, le=1024, description="Sessions that one worker serves at once."
    )
    replicas: int | None = Field(
        default=None, ge=0, le=1000, description="Workers wanted when autoscaling is off."
    )
    min_replicas: int = Field(default=0, ge=0, le=1000, description="Fewest workers.")
    max_replicas: int = Field(default=4, ge=1, le=1000, description="Most workers.")
    buffer_sessions: str = Field(
        default="1",
        max_length=8,
        pattern=r"^[0-9]+%?$",
        description="Spare sessions kept ready: a count, or a share of the sessions such as 20%.",
    )
    scale_down_seconds: int = Field(
        default=60, ge=0, le=86400, description="Seconds of spare capacity before a worker goes."
    )
    zero_after_seconds: int | None = Field(
        default=None, ge=1, le=86400, description="Seconds without sessions before the last goes."
    )
    max_session_seconds: int = Field(
        default=3600, ge=1, le=86400, description="Longest session, in seconds."
    )
    resources: EngineResources | None = Field(
        default=None, description="What one worker takes of a node; the engine's when absent."
    )


class RealtimePoolStatus(KubeModel):
    """Workers and sessions of the pool."""

    observed_generation: int = Field(
        default=0, description="The metadata.generation that this status is of."
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        description="Ready, ScalingLimited, Draining.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    replicas: int = Field(default=0, ge=0, description="Workers that exist.")
    ready: int = Field(default=0, ge=0, description="Workers that are ready.")
    sessions: int = Field(default=0, ge=0, description="Sessions that are open.")
    capacity: int = Field(default=0, ge=0, description="Sessions that ready workers can serve.")
    draining: int = Field(default=0, ge=0, description="Workers that take no new sessions.")
    selector: str = Field(
        default="", max_length=512, description="Label selector of the workers' pods."
    )


class RealtimePool(KubeModel):
    """Streaming workers for one engine and model, scaled on the capacity left."""

    model_config = ConfigDict(json_schema_extra=NAME_IS_TOKEN)

    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: RealtimePoolSpec
    status: RealtimePoolStatus = Field(default_factory=RealtimePoolStatus)
