"""The batch pipeline: which stages a job needs, what they are asked and what they answer."""

from dalston.pipeline.results import (
    AlignResult,
    DetectResult,
    DiarizeResult,
    MergeResult,
    Part,
    PrepareResult,
    RefineResult,
    StageResult,
    Track,
    TranscribeResult,
)
from dalston.pipeline.tasks import (
    ErrorKind,
    EventType,
    Manifest,
    Progress,
    StageSummary,
    TaskError,
    TaskEvent,
    TaskId,
    TaskRequest,
)

__all__ = [
    "AlignResult",
    "DetectResult",
    "DiarizeResult",
    "ErrorKind",
    "EventType",
    "Manifest",
    "MergeResult",
    "Part",
    "PrepareResult",
    "Progress",
    "RefineResult",
    "StageResult",
    "StageSummary",
    "TaskError",
    "TaskEvent",
    "TaskId",
    "TaskRequest",
    "Track",
    "TranscribeResult",
]
