"""Names that every resource shares, and the pydantic base that speaks Kubernetes' camelCase."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
)
from pydantic.alias_generators import to_camel

GROUP = "dalston.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
ENGINE_LABEL = f"{GROUP}/engine"
JOB_LABEL = f"{GROUP}/job"
STAGE_LABEL = f"{GROUP}/stage"
ATTEMPT_LABEL = f"{GROUP}/attempt"
WORKER_LABEL = f"{GROUP}/worker"
QUEUE_NAME_LABEL = "kueue.x-k8s.io/queue-name"
OWNER_KEY_LABEL = f"{GROUP}/key-id"
"""On a TranscriptionJob: the API key that created it; absent for objects applied by hand."""

RETRY_ANNOTATION = f"{GROUP}/retry"
"""A new value asks the operator to run the failed stages of a finished job again."""

MANAGER = "dalston"
"""Value of the managed-by label and the field manager of every write."""


NAME_IS_TOKEN: dict[str, JsonValue] = {
    "x-kubernetes-validations": [
        {
            "rule": "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && "
            "self.metadata.name.size() <= 63",
            "message": "the name must be a DNS label: it becomes part of subjects and label values",
        }
    ]
}
"""Rule of the kinds whose names are used where dots and long names are not allowed."""


class KubeModel(BaseModel):
    """A part of a resource: snake_case in Python, camelCase on the wire, unknown fields ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")

    def to_wire(self) -> dict[str, Any]:
        """Give the JSON object for the API server; absent fields are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _to_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _format_micro(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _format_seconds(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _drop_subseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


MicroTime = Annotated[
    datetime,
    AfterValidator(_to_utc),
    PlainSerializer(_format_micro, return_type=str),
    Field(json_schema_extra={"format": "date-time"}),
]
"""metav1.MicroTime: UTC, microseconds."""

Time = Annotated[
    datetime,
    AfterValidator(_to_utc),
    AfterValidator(_drop_subseconds),
    PlainSerializer(_format_seconds, return_type=str),
    Field(json_schema_extra={"format": "date-time"}),
]
"""metav1.Time: UTC, whole seconds."""


def _null_is_empty(value: Any) -> Any:
    return {} if value is None else value


class OwnerReference(KubeModel):
    """metav1.OwnerReference."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(KubeModel):
    """The part of metav1.ObjectMeta that Dalston reads."""

    name: str = ""
    namespace: str = "default"
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: Annotated[dict[str, str], BeforeValidator(_null_is_empty)] = Field(default_factory=dict)
    annotations: Annotated[dict[str, str], BeforeValidator(_null_is_empty)] = Field(
        default_factory=dict
    )
    owner_references: list[OwnerReference] = Field(default_factory=list)
