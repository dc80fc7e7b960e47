"""A bus of its own for each test, on a server that is empty."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from dalston.bus import Bus, BusSettings
from dalston.pipeline import TaskRequest
from dalston.resources import Stage, TranscriptionOptions
from dalston.resources.transcription_options import Source
from tests.nats_server import NatsServer

MakeRequest = Callable[..., TaskRequest]


@pytest.fixture
def settings(nats_server: NatsServer) -> BusSettings:
    """Short times, so that a redelivery takes a second."""
    return BusSettings(url=nats_server.url, ack_wait=1.0, request_timeout=1.0)


@pytest.fixture
async def bus(settings: BusSettings) -> AsyncIterator[Bus]:
    """A connection with the streams in place."""
    async with await Bus.connect(settings, name="test") as bus:
        await bus.ensure_streams()
        yield bus


@pytest.fixture
def make_request() -> MakeRequest:
    """Makes task requests of the engine `echo`."""

    def make(job: str = "job-1", **fields: Any) -> TaskRequest:
        values: dict[str, Any] = {
            "job": job,
            "job_name": "recording",
            "namespace": "default",
            "stage": Stage.TRANSCRIBE,
            "engine": "echo",
            "source": Source(artifact="uploads/one/source"),
            "options": TranscriptionOptions(),
            "published_at": datetime.now(UTC),
        }
        return TaskRequest(**{**values, **fields})

    return make
