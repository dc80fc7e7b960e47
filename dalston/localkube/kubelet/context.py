"""What all containers of one pod share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from dalston.localkube.kubelet.environment import Lookup
from dalston.localkube.kubelet.images import Images
from dalston.localkube.kubelet.settings import KubeletSettings

JSON = dict[str, Any]


class Recorder(Protocol):
    """Records events about an object; see `controllers.events`."""

    def normal(self, obj: JSON, reason: str, message: str, *, field: str = "") -> None:
        """Something expected."""

    def warning(self, obj: JSON, reason: str, message: str, *, field: str = "") -> None:
        """Something that a person may have to look at."""


@dataclass(slots=True)
class PodContext:
    """The pod and its surroundings. `folder` is the pod's own; `changed` asks for a new status."""

    pod: JSON
    folder: Path
    settings: KubeletSettings
    images: Images
    lookup: Lookup
    recorder: Recorder
    http: aiohttp.ClientSession
    changed: Callable[[], None]
    base: Mapping[str, str]
    volumes: dict[str, Path] = field(default_factory=dict)

    @property
    def restart_policy(self) -> str:
        """Always, OnFailure or Never."""
        return str(self.pod["spec"].get("restartPolicy") or "Always")

    @property
    def grace(self) -> float:
        """Seconds between SIGTERM and SIGKILL."""
        return float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))
