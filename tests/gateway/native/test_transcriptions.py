"""Transcriptions as resources."""

import asyncio
from typing import Any

import pytest

from tests.deadlines import until, within
from tests.gateway.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/audio/transcriptions"
FILE = {"file": ("a.wav", b"RIFF")}


async def made(gateway: Stack, **fields: Any) -> dict[str, Any]:
    answer = await gateway.http.post(PATH, data=fields, files=FILE)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def ended(gateway: Stack, id: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        found: dict[str, Any] = (await gateway.http.get(f"{PATH}/{id}")).json()
        return found if found["status"] in ("succeeded", "failed", "cancelled") else None

    found: dict[str, Any] | None = await until(look, what="the end")
    assert found is not None
    return found


async def test_post_answers_at_once_and_says_where(gateway: Stack) -> None:
    gateway.operator.answering.clear()
    answer = await gateway.http.post(PATH, data={"language": "de"}, files=FILE)
    assert answer.status_code == 202
    body = answer.json()
    assert answer.headers["location"] == f"{PATH}/{body['id']}"
    assert (body["status"], body["options"]["language"]) == ("pending", "de")
    assert body["source"] == {"url": None, "file_name": "a.wav"}


async def test_get_shows_progress_then_the_transcript(gateway: Stack) -> None:
    gateway.operator.answering.clear()
    id = (await made(gateway))["id"]
    stage = {
        "name": "transcribe",
        "state": "Running",
        "engine": "faster-whisper",
        "queueSeconds": 0.5,
        "runSeconds": 1.25,
        "partsDone": 1,
        "partsTotal": 4,
    }
    await gateway.operator.end(id, phase="Running", stages=[stage], progress=20)
    running = (await gateway.http.get(f"{PATH}/{id}")).json()
    assert (running["status"], running["progress"], running["transcript"]) == ("running", 20, None)
    (shown,) = running["stages"]
    assert (shown["state"], shown["queue_seconds"], shown["run_seconds"]) == ("running", 0.5, 1.25)
    gateway.operator.answering.set()
    await gateway.operator.succeed((await gateway.jobs())[0])
    done = await ended(gateway, id)
    assert (done["progress"], done["transcript"]["text"]) == (100, "Hello, world.")
    bare = (await gateway.http.get(f"{PATH}/{id}", params={"transcript": "false"})).json()
    assert bare["transcript"] is None


async def test_post_with_wait_answers_with_the_transcript(gateway: Stack) -> None:
    answer = await gateway.http.post(f"{PATH}?wait=true", files=FILE)
    assert answer.status_code == 200
    assert answer.json()["transcript"]["segments"][0]["words"][0]["text"] == "Hello,"


async def test_post_takes_json_with_a_url(gateway: Stack) -> None:
    answer = await gateway.http.post(PATH, json={"url": "https://example.org/a.mp3"})
    assert answer.status_code == 202
    job = await gateway.only_job()
    assert job.spec.source.url == "https://example.org/a.mp3"


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"files": {"file": ("a.wav", b"")}}, 422, "empty_file"),
        ({"files": {"language": (None, "de")}}, 422, "missing_field"),
        ({"files": FILE, "data": {"url": "https://a.example"}}, 422, "invalid_field"),
        ({"files": FILE, "data": {"engine": "nothing"}}, 422, "unknown_model"),
        ({"files": FILE, "data": {"language": "zh"}}, 422, "unknown_language"),
        ({"files": FILE, "data": {"speakers": "diarize"}}, 422, "unsupported"),
        ({"files": FILE, "data": {"timestamps": "never"}}, 422, "invalid_field"),
        ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415, "content_type"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "malformed_body"),
        ({"json": {"url": "https://a.example", "webhooks": [{"url": "x"}]}}, 422, "invalid_field"),
    ],
)
async def test_bad_requests_are_problems(
    gateway: Stack, request_: dict[str, Any], status: int, code: str
) -> None:
    answer = await gateway.http.post(PATH, **request_)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["status"], bool(problem["detail"])) == (status, True)
    assert await gateway.jobs() == []
    assert gateway.stored_files() == []


async def test_engine_may_be_named_in_three_ways(gateway: Stack) -> None:
    for name in ("faster-whisper", "tiny.en", "faster-whisper/tiny.en"):
        await made(gateway, engine=name)
    choices = [job.spec.engines[0] for job in await gateway.jobs()]
    assert {(each.engine, each.model) for each in choices} == {
        ("faster-whisper", None),
        (None, "tiny.en"),
        ("faster-whisper", "tiny.en"),
    }


async def test_list_pages_newest_first(gateway: Stack) -> None:
    ids = [(await made(gateway))["id"] for _ in range(5)]
    await until(lambda: all(gateway.services.watch.view(id) for id in ids), what="the watch")
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await gateway.http.get(PATH, params={"limit": 2, **cursor})).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert sorted(seen) == sorted(ids)
    times = {
        job.metadata.name: str(job.metadata.creation_timestamp) for job in await gateway.jobs()
    }
    assert [times[id] for id in seen] == sorted((times[id] for id in ids), reverse=True)


async def test_list_filters_by_status(gateway: Stack) -> None:
    done = (await made(gateway))["id"]
    await ended(gateway, done)
    gateway.operator.answering.clear()
    waiting = (await made(gateway))["id"]
    await until(lambda: gateway.services.watch.view(waiting), what="the watch")
    for status, expected in (("succeeded", [done]), ("pending", [waiting]), ("failed", [])):
        page = (await gateway.http.get(PATH, params={"status": status})).json()
        assert [item["id"] for item in page["items"]] == expected


@pytest.mark.parametrize("parameters", [{"cursor": "%%%"}, {"limit": 0}, {"status": "odd"}])
async def test_list_refuses_odd_parameters(gateway: Stack, parameters: dict[str, Any]) -> None:
    answer = await gateway.http.get(PATH, params=parameters)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field")


async def test_patch_changes_what_may_change(gateway: Stack) -> None:
    gateway.operator.answering.clear()
    id = (await made(gateway))["id"]
    change = {"priority": "high", "suspend": True, "ttl_seconds_after_finished": 60}
    answer = await gateway.http.patch(f"{PATH}/{id}", json=change)
    assert answer.status_code == 200
    job = await gateway.only_job()
    assert (job.spec.priority, job.spec.suspend) == ("high", True)
    assert job.spec.ttl_seconds_after_finished == 60
    await gateway.http.patch(f"{PATH}/{id}", json={"ttl_seconds_after_finished": None})
    assert (await gateway.jobs())[0].spec.ttl_seconds_after_finished is None


@pytest.mark.parametrize("change", [{"language": "de"}, {"priority": "odd"}, {"suspend": None}])
async def test_patch_refuses_the_rest(gateway: Stack, change: dict[str, Any]) -> None:
    gateway.operator.answering.clear()
    id = (await made(gateway))["id"]
    answer = await gateway.http.patch(f"{PATH}/{id}", json=change)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field")


async def test_cancel_then_retry(gateway: Stack) -> None:
    gateway.operator.answering.clear()
    id = (await made(gateway))["id"]
    gateway.operator.answering.set()
    await ended(gateway, id)
    refused = await gateway.http.post(f"{PATH}/{id}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    await gateway.operator.end(id, phase="Cancelled", transcript=None)
    assert (await gateway.http.post(f"{PATH}/{id}/cancel")).status_code == 202
    assert not (await gateway.jobs())[0].spec.cancel, "what has ended stays as it is"
    assert (await gateway.http.post(f"{PATH}/{id}/retry")).status_code == 202
    assert (await gateway.jobs())[0].metadata.annotations["dalston.io/retry"]


async def test_cancel_stops_a_job(gateway: Stack) -> None:
    gateway.operator.answering.clear()
    id = (await made(gateway))["id"]
    assert (await gateway.http.get(f"{PATH}/{id}/export/txt")).json()["code"] == "not_finished"
    assert (await gateway.http.post(f"{PATH}/{id}/cancel")).status_code == 202
    assert (await gateway.jobs())[0].spec.cancel
    await gateway.operator.end(id, phase="Cancelled")
    assert (await gateway.http.get(f"{PATH}/{id}/export/txt")).json()["code"] == "cancelled"


async def test_delete_removes_the_job(gateway: Stack) -> None:
    id = (await made(gateway))["id"]
    assert (await gateway.http.delete(f"{PATH}/{id}")).status_code == 204
    assert (await gateway.http.get(f"{PATH}/{id}")).status_code == 404
    assert (await gateway.http.delete(f"{PATH}/{id}")).status_code == 404


@pytest.mark.parametrize(
    ("format", "type", "part"),
    [
        ("srt", "application/x-subrip", "00:00:00,"),
        ("vtt", "text/vtt", "WEBVTT"),
        ("txt", "text/plain", "Hello, world."),
        ("json", "application/json", '"segments"'),
        ("segmented_json", "application/json", '"spacing"'),
    ],
)
async def test_export_writes_the_format(gateway: Stack, format: str, type: str, part: str) -> None:
    id = (await made(gateway))["id"]
    await ended(gateway, id)
    answer = await gateway.http.get(f"{PATH}/{id}/export/{format}")
    assert answer.headers["content-type"].startswith(type)
    assert part in answer.text


async def test_export_refuses_other_formats(gateway: Stack) -> None:
    id = (await made(gateway))["id"]
    assert (await gateway.http.get(f"{PATH}/{id}/export/docx")).status_code == 422


async def test_failed_transcription_says_why(gateway: Stack) -> None:
    gateway.operator.failure = {
        "stage": "prepare",
        "code": "UndecodableAudio",
        "message": "no audio",
        "inputFault": True,
    }
    id = (await made(gateway))["id"]
    found = await ended(gateway, id)
    assert found["error"] == {"code": "UndecodableAudio", "message": "no audio", "stage": "prepare"}
    export = await gateway.http.get(f"{PATH}/{id}/export/srt")
    assert (export.status_code, export.json()["code"]) == (422, "undecodable")


async def test_idempotency_key_gives_the_same_transcription(gateway: Stack) -> None:
    headers = {"Idempotency-Key": "k"}
    answers = [await gateway.http.post(PATH, files=FILE, headers=headers) for _ in range(2)]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    other = await gateway.http.post(PATH, data={"language": "de"}, files=FILE, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    assert len(gateway.stored_files()) == 1


async def test_client_that_leaves_does_not_stop_its_job(gateway: Stack) -> None:
    gateway.operator.answering.clear()
    post = asyncio.create_task(gateway.http.post(f"{PATH}?wait=true", files=FILE))
    job = await gateway.appeared()
    post.cancel()
    await asyncio.gather(post, return_exceptions=True)
    gateway.operator.answering.set()
    found = await within(10, ended(gateway, job.metadata.name), what="the end")
    assert found["status"] == "succeeded"
