"""The custom resources: the single source of the CRDs, of their reference and of their Python types."""

from dalston.resources.conditions import Condition, ConditionStatus
from dalston.resources.engine import (
    Engine,
    EngineCapabilities,
    EngineModel,
    EngineSpec,
    EngineStatus,
)
from dalston.resources.meta import API_VERSION, GROUP, VERSION, ObjectMeta, OwnerReference
from dalston.resources.realtime_pool import RealtimePool, RealtimePoolSpec, RealtimePoolStatus
from dalston.resources.stages import Stage
from dalston.resources.transcription_job import TranscriptionJob, TranscriptionJobSpec
from dalston.resources.transcription_options import TranscriptionOptions
from dalston.resources.transcription_status import (
    JobPhase,
    PartState,
    PartStatus,
    StageState,
    StageStatus,
    TranscriptionJobStatus,
)

__all__ = [
    "API_VERSION",
    "GROUP",
    "VERSION",
    "Condition",
    "ConditionStatus",
    "Engine",
    "EngineCapabilities",
    "EngineModel",
    "EngineSpec",
    "EngineStatus",
    "JobPhase",
    "ObjectMeta",
    "OwnerReference",
    "PartState",
    "PartStatus",
    "RealtimePool",
    "RealtimePoolSpec",
    "RealtimePoolStatus",
    "Stage",
    "StageState",
    "StageStatus",
    "TranscriptionJob",
    "TranscriptionJobSpec",
    "TranscriptionJobStatus",
    "TranscriptionOptions",
]
