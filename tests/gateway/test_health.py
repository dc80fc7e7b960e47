"""Probes, metrics and the state of the system."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.deadlines import until
from tests.gateway.stack import Stack, stack
from tests.nats_server import NatsServer

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def gateway_and_nats(
    tmp_path: Path, nats_server: NatsServer
) -> AsyncIterator[tuple[Stack, NatsServer]]:
    async with stack(tmp_path, nats_server.url, settings={"probe_seconds": 0.5}) as running:
        yield running, nats_server


async def test_readyz_follows_nats(gateway_and_nats: tuple[Stack, NatsServer]) -> None:
    gateway, nats = gateway_and_nats

    async def status() -> int:
        return (await gateway.http.get("/readyz")).status_code

    async def ready() -> bool:
        return await status() == 200

    async def unready() -> bool:
        return await status() == 503

    await until(ready, what="ready")
    nats.kill()
    await until(unready, what="unready")
    assert (await gateway.http.get("/livez")).text == "ok"
    health = (await gateway.http.get("/health")).json()
    assert (health["status"], health["checks"]["kubernetes"]) == ("degraded", "ok")
    assert health["checks"]["nats"] != "ok"
    nats.start()
    await until(ready, seconds=20, what="ready again")


async def test_transcribing_does_not_need_nats(
    gateway_and_nats: tuple[Stack, NatsServer],
) -> None:
    gateway, nats = gateway_and_nats
    nats.kill()
    answer = await gateway.http.post(
        "/v1/speech-to-text", data={"model_id": "scribe_v1"}, files={"file": b"RIFF"}
    )
    assert answer.status_code == 200


async def test_metrics_count_requests_by_route(gateway: Stack) -> None:
    await gateway.http.get("/v1/audio/transcriptions/abc")
    text = (await gateway.http.get("/metrics")).text
    assert (
        'dalston_gateway_requests_total{method="GET",route="/v1/audio/transcriptions/{id}",'
        'status="404"} 1.0'
    ) in text
    assert "process_resident_memory_bytes" in text


async def test_metrics_count_who_waits(gateway: Stack) -> None:
    gateway.operator.answering.clear()
    post = asyncio.create_task(
        gateway.http.post(
            "/v1/speech-to-text", data={"model_id": "scribe_v1"}, files={"file": b"RIFF"}
        )
    )

    async def waiting() -> bool:
        return "dalston_gateway_waiting_requests 1.0" in (await gateway.http.get("/metrics")).text

    await until(waiting, what="a waiting request")
    gateway.operator.answering.set()
    assert (await post).status_code == 200
    assert "dalston_gateway_waiting_requests 0.0" in (await gateway.http.get("/metrics")).text


async def test_status_shows_engines_and_jobs(gateway: Stack) -> None:
    await gateway.http.post("/v1/audio/transcriptions?wait=true", files={"file": b"RIFF"})
    status = (await gateway.http.get("/v1/system/status")).json()
    assert status["status"] == "ok"
    assert status["jobs"]["succeeded"] == 1
    names = [engine["name"] for engine in status["engines"]]
    assert names == ["audio-prepare", "faster-whisper", "final-merger"]
    whisper = status["engines"][1]
    assert [model["name"] for model in whisper["models"] if model["default"]] == ["base"]
    assert whisper["version"] == "1.0"
    listed = (await gateway.http.get("/v1/engines")).json()["items"]
    assert listed == status["engines"]
