"""Server-sent events of a transcription."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dalston.bus import Bus, BusSettings
from dalston.pipeline import Progress
from dalston.resources import Stage
from tests.deadlines import until, within
from tests.gateway.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/audio/transcriptions"


async def listen(gateway: Stack, id: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    async with gateway.http.stream("GET", f"{PATH}/{id}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


async def collected(gateway: Stack, id: str) -> list[tuple[str, dict[str, Any]]]:
    return [event async for event in listen(gateway, id)]


async def waiting_job(gateway: Stack) -> str:
    gateway.operator.answering.clear()
    answer = await gateway.http.post(PATH, files={"file": b"RIFF"})
    return str(answer.json()["id"])


async def test_events_tell_every_change_and_end_with_the_job(gateway: Stack) -> None:
    id = await waiting_job(gateway)
    stream = listen(gateway, id)
    _, first = await within(5, anext(stream), what="the first event")
    assert first["status"] == "pending"
    await gateway.operator.end(id, phase="Running", progress=10)
    _, second = await within(5, anext(stream), what="the change")
    assert (second["status"], second["progress"]) == ("running", 10)
    gateway.operator.answering.set()
    rest = await within(5, _rest(stream), what="the end")
    assert rest[-1][1]["status"] == "succeeded"


async def _rest(
    stream: AsyncIterator[tuple[str, dict[str, Any]]],
) -> list[tuple[str, dict[str, Any]]]:
    return [event async for event in stream]


async def test_events_of_an_ended_job_are_one(gateway: Stack) -> None:
    answer = await gateway.http.post(f"{PATH}?wait=true", files={"file": b"RIFF"})
    events = await within(5, collected(gateway, answer.json()["id"]), what="the event")
    assert [(name, data["status"]) for name, data in events] == [("transcription", "succeeded")]


async def test_events_show_the_progress_of_running_tasks(gateway: Stack, nats_url: str) -> None:
    id = await waiting_job(gateway)
    stage = {
        "name": "transcribe",
        "state": "Running",
        "partsTotal": 1,
        "parts": [{"index": 0, "state": "Running"}],
    }
    await gateway.operator.end(id, phase="Running", progress=0, stages=[stage])
    job = await gateway.only_job()
    await until(lambda: gateway.services.bus, what="NATS")
    async with await Bus.connect(BusSettings(url=nats_url), name="test") as bus:
        stream = listen(gateway, id)
        await within(5, anext(stream), what="the first event")
        told = Progress(
            job=job.metadata.uid, stage=Stage.TRANSCRIBE, part=0, done_seconds=30, total_seconds=60
        )
        await bus.tell_progress(told)
        await bus.client.flush()
        _, event = await within(5, anext(stream), what="the progress")
        assert event["progress"] == 50
        assert event["stages"][0]["done_seconds"] == 30
        gateway.operator.answering.set()
        await within(5, _rest(stream), what="the end")


async def test_events_end_when_the_job_is_deleted(gateway: Stack) -> None:
    id = await waiting_job(gateway)
    stream = listen(gateway, id)
    await within(5, anext(stream), what="the first event")
    await until(lambda: gateway.services.watch.view(id), what="the watch")
    await gateway.http.delete(f"{PATH}/{id}")
    events = await within(5, _rest(stream), what="the end")
    assert events[-1][0] == "deleted"


async def test_events_of_nothing_are_not_found(gateway: Stack) -> None:
    answer = await gateway.http.get(f"{PATH}/nothing/events")
    assert answer.status_code == 404
