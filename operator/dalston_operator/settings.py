"""Settings of the operator."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class OperatorSettings(BaseSettings):
    """How the operator behaves; environment variables `DALSTON_OPERATOR_…`."""

    model_config = SettingsConfigDict(env_prefix="DALSTON_OPERATOR_")

    namespace: str | None = None
    """Namespace that is watched; all of them when absent, which needs cluster-wide rights."""

    lease_namespace: str = "default"
    """Namespace of the Lease that makes one operator active."""

    lease_name: str = "dalston-operator"
    """Name of that Lease."""

    lease_duration: float = Field(default=15.0, ge=1)
    """Seconds after which another operator takes over from one that was killed; as in Kubernetes'
    own controllers."""

    identity: str = ""
    """Who holds the Lease; host name and process id when empty."""

    probe_host: str = "127.0.0.1"
    """Address of the liveness endpoint and the metrics."""

    probe_port: int = 8081
    """Port of kopf's liveness endpoint, path /healthz; 0 turns it off."""

    metrics_port: int = 8082
    """Port of the Prometheus metrics; 0 turns them off."""

    concurrency: int = 16
    """Objects reconciled at once: enough to hide the latency of NATS and the API server."""

    status_interval: float = Field(default=1.0, ge=0)
    """Seconds between the first two status writes of an unfinished job, so that quick stages share
    one; the pauses grow to 25 times that while news keeps coming."""

    recheck_interval: float = Field(default=30.0, gt=0)
    """Seconds after which a task without news is looked for in the store and the queue."""

    max_attempts: int = Field(default=3, ge=1)
    """Attempts at one task that the infrastructure's fault may use up."""

    retry_backoff: float = Field(default=2.0, ge=0)
    """Seconds before the second attempt; doubled for each further one."""

    engine_interval: float = Field(default=2.0, gt=0)
    """Seconds between two looks at an engine's backlog; a published task is a reason to look at
    once."""

    worker_backoff_limit: float = 60.0
    """Longest pause, in seconds, before a worker is created in place of one that failed."""

    worker_ttl_seconds: int = 120
    """Seconds that the Job of a finished worker is kept for people to look at."""

    sweep_interval: float = Field(default=600.0, gt=0)
    """Seconds between two searches for artifacts that no job owns."""

    upload_grace_seconds: float = 3600.0
    """Seconds that an upload may wait for its job before it counts as abandoned."""

    worker_environment: dict[str, str] = Field(default_factory=dict)
    """Environment variables that every worker gets, as a JSON object."""

    worker_secret: str | None = None
    """Secret whose keys become environment variables of every worker."""

    worker_service_account: str | None = None
    """Service account of the workers' pods; the namespace's default one when absent."""
