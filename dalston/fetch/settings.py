"""Settings of the client that fetches what users point at."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class FetchSettings(BaseSettings):
    """What may be fetched; environment variables `DALSTON_FETCH_…`."""

    model_config = SettingsConfigDict(env_prefix="DALSTON_FETCH_")

    allow_private: bool = False
    """Whether private, loopback and link-local addresses may be visited: off, for users would reach
    what only the cluster should."""

    max_bytes: int = 5_000_000_000
    """Bytes of the largest file."""

    connect_seconds: float = 10.0
    """Seconds for finding and connecting to a server."""

    read_seconds: float = 30.0
    """Seconds without a byte after which a transfer is given up."""

    total_seconds: float = 3600.0
    """Seconds for a whole transfer."""

    max_redirects: int = 5
    """Redirects that are followed; each is checked like the first address."""
