"""`python -m dalston_gateway` as a process."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.deadlines import until, within
from tests.gateway.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def process(**environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    gateway = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "dalston_gateway",
        env={**os.environ, **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield gateway
    finally:
        if gateway.returncode is None:
            gateway.kill()
        await gateway.communicate()


async def address(gateway: asyncio.subprocess.Process) -> str:
    assert gateway.stderr is not None
    async for line in gateway.stderr:
        message = str(json.loads(line)["message"])
        if "running on" in message:
            return message.split()[3]
    raise AssertionError("the gateway ended")


async def test_sigterm_answers_those_that_wait_and_ends_with_status_0(
    gateway: Stack, nats_url: str
) -> None:
    gateway.operator.answering.clear()
    async with process(
        DALSTON_KUBE_CONFIG=str(gateway.folder / "kubeconfig"),
        DALSTON_NATS_URL=nats_url,
        DALSTON_ARTIFACTS_URL=(gateway.folder / "artifacts").as_uri(),
        DALSTON_GATEWAY_PORT="0",
        DALSTON_GATEWAY_SHUTDOWN_SECONDS="0.2",
    ) as running:
        url = await within(20, address(running), what="the address")
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:

            async def ready() -> bool:
                return (await http.get("/readyz")).status_code == 200

            await until(ready, what="ready")
            post = asyncio.create_task(
                http.post(
                    "/v1/speech-to-text",
                    data={"model_id": "scribe_v1"},
                    files={"file": b"RIFF"},
                )
            )
            job = await gateway.appeared()
            running.send_signal(signal.SIGTERM)
            answer = await within(10, post, what="the answer")
            assert answer.status_code == 202
            assert answer.json()["transcription_id"] == job.metadata.name
        assert await within(10, running.wait(), what="the end") == 0


async def test_settings_that_are_not_valid_end_it_with_status_2() -> None:
    async with process(
        DALSTON_GATEWAY_HOST="0.0.0.0", DALSTON_GATEWAY_AUTH="false", DALSTON_ARTIFACTS_URL="x"
    ) as running:
        _, errors = await within(20, running.communicate(), what="the end")
        assert running.returncode == 2
        assert b"auth cannot be off" in errors
