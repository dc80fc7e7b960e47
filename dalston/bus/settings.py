"""Settings of the bus."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class BusSettings(BaseSettings):
    """How NATS is reached and how its streams behave; environment variables `DALSTON_NATS_…`."""

    model_config = SettingsConfigDict(env_prefix="DALSTON_NATS_")

    url: str = "nats://127.0.0.1:4222"
    """One address, or several separated by commas."""

    credentials: Path | None = None
    """File with a NATS user's JWT and seed."""

    replicas: int = 1
    """Copies of each stream; 3 where the NATS cluster has three servers."""

    request_timeout: float = 5.0
    """Seconds for an answer of the JetStream API."""

    ack_wait: float = 15.0
    """Seconds after which a task whose worker is silent goes to another; workers report every third
    of it, so a killed worker delays its task by at most this."""

    max_deliver: int = 6
    """Deliveries of one task without a result before it becomes a dead letter."""

    max_tasks: int = 1_000_000
    """Tasks that may wait; one more is refused, never dropped."""

    duplicate_window: float = 120.0
    """Seconds in which a task published twice counts once."""

    event_age: float = 86400.0
    """Seconds that events are kept for an operator that is away."""

    dead_letter_age: float = 604800.0
    """Seconds that dead letters are kept."""

    claim_age: float = 604800.0
    """Seconds after which a claim that nobody removed goes by itself."""
