"""Settings of the connection to the API server."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class KubeSettings(BaseSettings):
    """How the API server is reached; environment variables `DALSTON_KUBE_…`."""

    model_config = SettingsConfigDict(env_prefix="DALSTON_KUBE_")

    config: Path | None = None
    """Kubeconfig file. In a pod the service account is used when it is absent; else `KUBECONFIG`
    or `~/.kube/config`."""

    namespace: str = "default"
    """Namespace that resources are created in and, for a namespaced operator, watched in."""

    request_timeout: float = 15.0
    """Seconds for one request, as long as the API server's own p99 objective leaves a wide margin."""

    watch_timeout: float = 300.0
    """Seconds after which the server ends a watch, so that a dead one is noticed in bounded time."""

    watch_inactivity: float = 70.0
    """Seconds without any event or bookmark after which a watch counts as dead; servers send
    bookmarks every 60 s."""

    max_retries: int = 4
    """Times that a request is tried again after 429 or 5xx, or a lost connection if it is safe."""
