"""A worker as a process: what `python -m dalston.engine_sdk worker` does."""

import asyncio
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import uvloop

from dalston.artifacts import ArtifactSettings, ArtifactStore
from dalston.bus import Bus, BusSettings
from dalston.engine_sdk.engine import Engine, EngineContext
from dalston.engine_sdk.health import serve_health
from dalston.engine_sdk.loading import load_engine_class, parameter_defaults
from dalston.engine_sdk.metrics import WorkerMetrics
from dalston.engine_sdk.models import ModelResolver
from dalston.engine_sdk.scratch import Scratch
from dalston.engine_sdk.settings import (
    HealthSettings,
    WorkerSettings,
    choose_device,
    choose_threads,
)
from dalston.engine_sdk.worker import Worker
from dalston.engine_sdk.workplace import Workplace
from dalston.fetch import FetchSettings
from dalston.observability import log_context, setup_logging

logger = logging.getLogger(__name__)


def run_worker(folder: Path) -> None:
    """Serve the engine in a folder as the environment says; ends the process."""
    setup_logging("worker")
    settings = WorkerSettings()
    with log_context(worker=settings.name), Scratch(settings.scratch) as scratch:
        # Whatever libraries leave behind in temporary files goes with the worker too.
        tempfile.tempdir = str(scratch.folder)
        try:
            status = uvloop.run(serve(settings, folder=folder, scratch=scratch))
        except BaseException:
            logger.exception("the worker crashed")
            status = 1
    end_process(status)


def end_process(status: int) -> None:
    """End at once: an engine that hangs in its thread cannot hold the process."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


async def serve(settings: WorkerSettings, *, folder: Path, scratch: Scratch) -> int:
    """Connect, load, work; gives the exit status."""
    bus_settings = BusSettings()
    metrics = WorkerMetrics(settings.engine, slots=settings.concurrency)
    async with await Bus.connect(bus_settings, name=f"worker {settings.name}") as bus:
        place = Workplace(
            settings=settings,
            bus=bus,
            store=ArtifactStore.open(ArtifactSettings()),
            scratch=scratch,
            metrics=metrics,
            fetching=FetchSettings(),
        )
        worker = Worker(place)
        loop = asyncio.get_running_loop()
        for received in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(received, worker.terminate)
        async with serve_health(worker, metrics, HealthSettings()):
            return await worker.run(engine_maker(settings, folder))


def engine_maker(settings: WorkerSettings, folder: Path) -> Callable[[], Engine]:
    """Give what imports and makes the engine; called in the engine's thread."""

    def make() -> Engine:
        context = EngineContext(
            name=settings.engine,
            parameters={**parameter_defaults(folder), **settings.parameters},
            models=ModelResolver.from_settings(settings.models),
            device=choose_device(settings.device),
            threads=choose_threads(settings.threads),
        )
        return load_engine_class(folder)(context)

    return make
