"""Condition types and the closed sets of their reasons."""

from enum import StrEnum


class JobCondition(StrEnum):
    """Condition types of a TranscriptionJob."""

    ACCEPTED = "Accepted"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    SUSPENDED = "Suspended"


class JobReason(StrEnum):
    """Reasons in the conditions of a TranscriptionJob."""

    ACCEPTED = "Accepted"
    NO_ENGINE = "NoEngine"
    UNKNOWN_ENGINE = "UnknownEngine"
    UNKNOWN_MODEL = "UnknownModel"
    UNSUPPORTED_LANGUAGE = "UnsupportedLanguage"
    UNSUPPORTED_OPTION = "UnsupportedOption"
    WAITING_FOR_WORKER = "WaitingForWorker"
    STAGE_RUNNING = "StageRunning"
    NOT_STARTED = "NotStarted"
    FINISHED = "Finished"
    COMPLETED = "Completed"
    IN_PROGRESS = "InProgress"
    INPUT_REJECTED = "InputRejected"
    STAGE_FAILED = "StageFailed"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    CANCELLED = "Cancelled"
    SUSPENDED = "Suspended"
    RESUMED = "Resumed"


class EngineCondition(StrEnum):
    """Condition types of an Engine."""

    READY = "Ready"
    PROGRESSING = "Progressing"


class EngineReason(StrEnum):
    """Reasons in the conditions of an Engine."""

    WORKERS_READY = "WorkersReady"
    IDLE = "Idle"
    STARTING = "Starting"
    WORKERS_FAILING = "WorkersFailing"
    QUOTA_EXCEEDED = "QuotaExceeded"
    SCALING = "Scaling"
    STEADY = "Steady"
