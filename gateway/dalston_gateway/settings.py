"""Settings of the gateway."""

import ipaddress
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_MEBIBYTE = 1024 * 1024


class GatewaySettings(BaseSettings):
    """How the gateway serves; environment variables `DALSTON_GATEWAY_…`.

    Raises ValidationError when API keys are switched off on an address that others can reach.
    """

    model_config = SettingsConfigDict(env_prefix="DALSTON_GATEWAY_")

    host: str = "127.0.0.1"
    """Address that is listened on."""

    port: int = Field(default=8000, ge=0, le=65535)
    """Port that is listened on; 0 takes a free one."""

    auth: bool | None = None
    """Whether an API key is asked for. Absent: not on loopback, else yes; off elsewhere is refused."""

    upload_max_bytes: int = 5 * 1024 * _MEBIBYTE
    """Bytes of the longest recording that is accepted; the ElevenLabs API takes just under 5 GB."""

    upload_silence_seconds: float = 120.0
    """Seconds without a byte after which an upload is given up, so that stalled clients hold no files and
    connections for ever."""

    form_max_bytes: int = 4 * _MEBIBYTE
    """Bytes of all form fields but the recording: the largest valid form (1,000 key terms, 16 KiB of
    metadata) is far below, and they are held in memory."""

    form_max_fields: int = 4096
    """Parts of one form; 1,000 key terms arrive as a part each."""

    drain_bytes: int = 64 * _MEBIBYTE
    """Bytes that are still read of a request that is refused early, so that the client sees the answer
    instead of a broken connection."""

    drain_seconds: float = 5.0
    """Seconds for the same."""

    api_patience_seconds: float = 15.0
    """Seconds that an API server which is away is waited for before a request fails: longer than its
    restart takes, since a failed request makes the Python SDK of ElevenLabs repeat it without its
    options."""

    sync_wait_seconds: float = 3600.0
    """Seconds that a request waits for its transcript; then it is answered with the job's id."""

    recheck_seconds: float = 60.0
    """Seconds after which a waiting request reads its job anew: insurance against a change that no watch
    has told, such as a deletion while the watch was broken."""

    shutdown_seconds: float = 10.0
    """Seconds that running requests get when the process is asked to end; those that still wait for a
    transcript are then answered with the job's id. Below the 30 s that Kubernetes grants a pod."""

    retention_seconds: int | None = Field(default=None, ge=0)
    """Seconds that finished jobs are kept when the request does not say; for ever when absent."""

    unlogged_seconds: int = 300
    """Seconds after which a job without retention is removed if the gateway that should remove it died."""

    probe_seconds: float = 2.0
    """Seconds that each dependency has to answer a readiness probe."""

    event_keepalive_seconds: float = 15.0
    """Seconds of silence after which an event stream sends a comment: proxies close silent streams."""

    event_interval_seconds: float = 0.25
    """Shortest pause between two events of one stream; faster progress is of no use to people."""

    cors_origins: list[str] = []
    """Origins of web pages that may call the API with a key; `["*"]` for any."""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def auth_required(self) -> bool:
        """Whether an API key is asked for."""
        return not self.loopback if self.auth is None else self.auth

    @model_validator(mode="after")
    def _closed_to_strangers(self) -> Self:
        if self.auth is False and not self.loopback:
            raise ValueError(
                f"auth cannot be off while the gateway listens on {self.host}, which others can reach: "
                "set DALSTON_GATEWAY_AUTH=true and make keys with `dalston keys create`"
            )
        return self
