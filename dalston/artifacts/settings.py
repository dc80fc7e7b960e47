"""Settings of the artifact store."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class ArtifactSettings(BaseSettings):
    """Where artifacts are; environment variables `DALSTON_ARTIFACTS_…`."""

    model_config = SettingsConfigDict(env_prefix="DALSTON_ARTIFACTS_")

    url: str
    """`file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.
    Credentials are the provider's own environment variables or workload identity."""

    chunk_bytes: int = 4 * 1024 * 1024
    """Bytes held for one part of a multi-part upload: what an upload costs in memory, twice over.
    S3 takes no parts under 5 MiB but the last, so it is raised to that there."""
