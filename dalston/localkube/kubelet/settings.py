"""Settings of the embedded kubelet."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class KubeletSettings(BaseSettings):
    """How pods run as processes; environment variables `DALSTON_LOCALKUBE_…`."""

    model_config = SettingsConfigDict(env_prefix="DALSTON_LOCALKUBE_")

    images: Path | None = None
    """JSON list of the images and the commands that stand for them; `images.json` in the data
    folder when absent. Read again when it changes."""

    node_name: str = "localkube"
    """Name of the one node."""

    keep_pods: bool = False
    """Leave pods running when localkube stops in order; the next start adopts them."""

    stop_seconds: float = 5.0
    """Grace of the pods when localkube stops in order: people wait for Ctrl-C."""

    niceness: int = 10
    """What is added to the niceness of pods, so that the control plane answers under full load."""

    restart_backoff_seconds: float = 10.0
    """Pause before a container's second restart; doubles with each further one. Kubernetes' own."""

    restart_backoff_limit_seconds: float = 300.0
    """Longest such pause. Kubernetes' own value."""

    steady_seconds: float = 600.0
    """A container that ran for so long starts again without a pause. Kubernetes' own value."""

    config_retry_seconds: float = 2.0
    """Pause before looking again for a missing image, Secret or ConfigMap."""

    sample_seconds: float = 1.0
    """How often memory and log sizes are looked at."""

    max_log_bytes: int = 10 * 1024 * 1024
    """Size at which a container's log is rotated; one older file is kept. Kubernetes' own size."""

    max_pods: int = 500
    """Pods that the node says it can take; not enforced."""
