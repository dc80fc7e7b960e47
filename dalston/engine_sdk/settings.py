"""Settings of a worker."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from dalston.engine_sdk.engine import Device
from dalston.resources.engine import EngineModel


class WorkerSettings(BaseSettings):
    """What a worker serves and for how long; environment variables `DALSTON_WORKER_…`."""

    model_config = SettingsConfigDict(env_prefix="DALSTON_WORKER_")

    engine: str
    """Name of the Engine object whose tasks are pulled."""

    name: str = Field(default_factory=lambda: os.uname().nodename)
    """Name of the worker in claims and events: that of its pod."""

    lanes: Annotated[list[str], NoDecode] = Field(default=["high", "normal", "low"], min_length=1)
    """Lanes to pull from, separated by commas, first served first."""

    idle_seconds: float = 300.0
    """Seconds without work after which the worker ends with exit status 0."""

    keep: bool = False
    """Whether the worker stays however long it is idle: one of `workers.min`."""

    concurrency: int = Field(default=1, ge=1, le=256)
    """Tasks performed at once."""

    max_tasks: int | None = Field(default=None, ge=1)
    """Tasks after which the worker ends; no bound when absent."""

    models: list[EngineModel] = []
    """The engine's models, `spec.models` as JSON."""

    parameters: dict[str, Any] = {}
    """The engine's settings, `spec.parameters.values` as JSON."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where models run; `auto` takes the accelerator that the container sees."""

    threads: int | None = Field(default=None, ge=1)
    """Processor threads for all tasks at once; those that the process may use when absent."""

    watchdog_factor: float = 5.0
    """Seconds without progress allowed for each second of audio. The slowest models take two on one
    processor."""

    watchdog_seconds: float = 300.0
    """Seconds without progress allowed whatever the audio's length: for downloads and model loads."""

    cancel_seconds: float = 3.0
    """Seconds that an engine has to stop when its task is cancelled; then the process ends. With the
    notice's own way this stays under five."""

    term_seconds: float = 20.0
    """Seconds after SIGTERM in which finished work may still be stored; Kubernetes kills after 30."""

    scratch: Path | None = None
    """Folder for temporary files; one in the system's temporary folder when absent."""

    @field_validator("lanes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return [lane.strip() for lane in value.split(",") if lane.strip()]
        return value


class HealthSettings(BaseSettings):
    """Where probes and metrics are served; environment variables `DALSTON_HEALTH_…`."""

    model_config = SettingsConfigDict(env_prefix="DALSTON_HEALTH_")

    port: int = 0
    """Port of /livez, /readyz and /metrics; 0 serves none."""

    host: str = "0.0.0.0"
    """Address to listen on: all, since probes come from the node."""


def choose_device(wanted: Literal["auto", "cpu", "cuda"]) -> Device:
    """Resolve `auto`: an accelerator if the container was given one."""
    if wanted != "auto":
        return wanted
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1", "NoDevFiles"):
        return "cpu"
    return "cuda" if Path("/dev/nvidiactl").exists() else "cpu"


def choose_threads(wanted: int | None) -> int:
    """Give the processor threads to use: by default as many as the process may run on."""
    return wanted or len(os.sched_getaffinity(0))
