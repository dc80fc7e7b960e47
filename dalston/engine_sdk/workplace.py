"""What all executions of a worker share."""

from dataclasses import dataclass

from dalston.artifacts.store import ArtifactStore
from dalston.bus import Bus
from dalston.engine_sdk.metrics import WorkerMetrics
from dalston.engine_sdk.scratch import Scratch
from dalston.engine_sdk.settings import WorkerSettings
from dalston.fetch import FetchSettings


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """A worker's settings and connections."""

    settings: WorkerSettings
    bus: Bus
    store: ArtifactStore
    scratch: Scratch
    metrics: WorkerMetrics
    fetching: FetchSettings
