"""Progress of one task: what the engine says, passed on now and then, and when it last moved."""

import asyncio
import logging
import time

from dalston.bus import Bus, BusUnavailable
from dalston.engine_sdk.settings import WorkerSettings
from dalston.pipeline.tasks import Progress, TaskRequest

logger = logging.getLogger(__name__)

_TELL_SECONDS = 0.5
"""Seconds between two reports."""


class ProgressReport:
    """Called by the engine's thread; read and told by the event loop."""

    def __init__(self, bus: Bus, request: TaskRequest, settings: WorkerSettings) -> None:
        self._bus = bus
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._told_at = 0.0
        self._moved_at: float | None = None
        self._telling: set[asyncio.Task[None]] = set()
        audio = request.audio_seconds or 0.0
        self.patience = settings.watchdog_factor * audio + settings.watchdog_seconds
        """Seconds without progress after which the engine counts as hung."""

    @property
    def active(self) -> bool:
        """Whether the engine is at work."""
        return self._moved_at is not None

    @property
    def hangs(self) -> bool:
        """Whether the engine is at work and made no progress for too long."""
        return self._moved_at is not None and time.monotonic() - self._moved_at > self.patience

    def touch(self) -> None:
        """Note that the task moves."""
        self._moved_at = time.monotonic()

    def end(self) -> None:
        """Note that the engine is done."""
        self._moved_at = None

    def __call__(self, done: float, total: float) -> None:
        """Take what the engine says, in seconds of audio."""
        self.touch()
        now = time.monotonic()
        if now - self._told_at >= _TELL_SECONDS or done >= total:
            self._told_at = now
            self._loop.call_soon_threadsafe(self._tell, done, total)

    async def close(self) -> None:
        """Wait for reports on their way."""
        if self._telling:
            await asyncio.gather(*self._telling)

    def _tell(self, done: float, total: float) -> None:
        progress = Progress(
            job=self._request.job,
            stage=self._request.stage,
            part=self._request.part,
            done_seconds=done,
            total_seconds=total,
        )
        telling = self._loop.create_task(self._send(progress))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _send(self, progress: Progress) -> None:
        try:
            await self._bus.tell_progress(progress)
        except BusUnavailable as error:
            logger.debug("progress not told: %s", error)
