"""The kinds as the API server names them: plural, short names, columns, subresources."""

from dataclasses import dataclass, field

from dalston.resources.engine import Engine
from dalston.resources.meta import KubeModel
from dalston.resources.realtime_pool import RealtimePool
from dalston.resources.transcription_job import TranscriptionJob


@dataclass(frozen=True)
class Column:
    """One printer column; priority 1 shows with `-o wide` only."""

    name: str
    type: str
    json_path: str
    description: str = ""
    priority: int = 0


@dataclass(frozen=True)
class Scale:
    """JSON paths of the scale subresource."""

    spec_replicas: str
    status_replicas: str
    selector: str


@dataclass(frozen=True)
class CustomKind:
    """Everything of a CustomResourceDefinition that its model does not say."""

    model: type[KubeModel]
    kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...]
    columns: tuple[Column, ...]
    scale: Scale | None = None
    selectable_fields: tuple[str, ...] = field(default_factory=tuple)


_AGE = Column("Age", "date", ".metadata.creationTimestamp")


TRANSCRIPTION_JOB = CustomKind(
    model=TranscriptionJob,
    kind="TranscriptionJob",
    plural="transcriptionjobs",
    singular="transcriptionjob",
    short_names=("tj",),
    columns=(
        Column("Phase", "string", ".status.phase"),
        Column("Progress", "integer", ".status.progress", "Share of the work done, in percent."),
        Column("Language", "string", ".status.transcript.language"),
        Column("Duration", "number", ".status.durationSeconds", "Seconds of audio."),
        Column("Words", "integer", ".status.transcript.words"),
        _AGE,
        Column("Priority", "string", ".spec.priority", priority=1),
        Column("Execution", "string", ".spec.execution.mode", priority=1),
        Column(
            "Message",
            "string",
            '.status.conditions[?(@.type=="Succeeded")].message',
            priority=1,
        ),
    ),
    selectable_fields=(".status.phase", ".spec.priority"),
)

ENGINE = CustomKind(
    model=Engine,
    kind="Engine",
    plural="engines",
    singular="engine",
    short_names=("eng",),
    columns=(
        Column("Stages", "string", ".spec.stages"),
        Column("Queued", "integer", ".status.queued", "Tasks that wait."),
        Column("Running", "integer", ".status.running", "Tasks that workers hold."),
        Column("Workers", "integer", ".status.workers"),
        Column("Ready", "integer", ".status.ready"),
        _AGE,
        Column("Image", "string", ".spec.image", priority=1),
        Column("Failing", "string", ".status.failing", priority=1),
    ),
    scale=Scale(".spec.workers.min", ".status.workers", ".status.selector"),
)

REALTIME_POOL = CustomKind(
    model=RealtimePool,
    kind="RealtimePool",
    plural="realtimepools",
    singular="realtimepool",
    short_names=("rtp",),
    columns=(
        Column("Engine", "string", ".spec.engine"),
        Column("Replicas", "integer", ".status.replicas"),
        Column("Ready", "integer", ".status.ready"),
        Column("Sessions", "integer", ".status.sessions"),
        Column("Capacity", "integer", ".status.capacity"),
        _AGE,
        Column("Model", "string", ".spec.model", priority=1),
        Column("Draining", "integer", ".status.draining", priority=1),
    ),
    scale=Scale(".spec.replicas", ".status.replicas", ".status.selector"),
)

CUSTOM_KINDS = (TRANSCRIPTION_JOB, ENGINE, REALTIME_POOL)
