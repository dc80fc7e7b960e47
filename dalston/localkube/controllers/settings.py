"""Settings of the embedded controllers."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict


class ControllerSettings(BaseSettings):
    """How the controllers pace themselves; environment variables `DALSTON_LOCALKUBE_…`."""

    model_config = SettingsConfigDict(env_prefix="DALSTON_LOCALKUBE_")

    job_backoff_seconds: float = 10.0
    """Pause after a Job's first failed pod; doubles with each further one. Kubernetes' own value."""

    job_backoff_limit_seconds: float = 600.0
    """Longest such pause. Kubernetes' own value."""

    max_events: int = 5000
    """Events kept at most within their hour, so that a crash loop cannot fill the store."""

    pod_burst: int = 500
    """Pods that one pass over a Job or ReplicaSet creates at most, as Kubernetes does."""
