"""POST /v1/speech-to-text beyond what the SDK can show."""

import asyncio

import httpx
import pytest

from dalston.resources.transcription_status import JobPhase
from tests.deadlines import until, within
from tests.gateway.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/speech-to-text"
FILE = {"file": ("a.wav", b"RIFF....", "audio/wav")}
MODEL = {"model_id": "scribe_v1"}


async def test_unsupported_hints_are_reported(gateway: Stack) -> None:
    data = {
        **MODEL,
        "tag_audio_events": "true",
        "num_speakers": "2",
        "numbers_format": "words",
        "secondary_language_codes": ["de"],
        "use_speaker_library": "true",
    }
    answer = await gateway.http.post(PATH, data=data, files=FILE)
    assert answer.status_code == 200
    said = " ".join(answer.json()["warnings"])
    for name in ("tag_audio_events", "num_speakers", "numbers_format", "secondary", "library"):
        assert name in said


async def test_default_request_has_no_warnings(gateway: Stack) -> None:
    answer = await gateway.http.post(PATH, data=MODEL, files=FILE)
    assert "warnings" not in answer.json()


async def test_fields_after_the_file_count(gateway: Stack) -> None:
    files: list[tuple[str, tuple[str | None, bytes]]] = [
        ("file", ("a.wav", b"RIFF")),
        ("model_id", (None, b"scribe_v1")),
        ("language_code", (None, b"de")),
    ]
    answer = await gateway.http.post(PATH, files=files)
    assert answer.json()["language_probability"] == 1.0
    job = await gateway.only_job()
    assert job.spec.language == "de"


async def test_the_upload_is_stored_whole(gateway: Stack) -> None:
    sent = bytes(range(256)) * 5000
    await gateway.http.post(PATH, data=MODEL, files={"file": ("../../evil.wav", sent)})
    job = await gateway.only_job()
    assert job.spec.source.file_name == "evil.wav"
    assert await gateway.store.get(job.spec.source.artifact or "") == sent


async def test_file_name_that_is_no_utf_8_is_shown_as_far_as_it_can_be(gateway: Stack) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="model_id"\r\n\r\nscribe_v1\r\n--x\r\n'
        b'Content-Disposition: form-data; name="file"; filename="caf\xe9.wav"\r\n\r\nRIFF\r\n--x--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await gateway.http.post(PATH, content=body, headers=headers)
    assert answer.status_code == 200
    job = await gateway.only_job()
    assert job.spec.source.file_name == "caf\ufffd.wav"


async def test_source_url_becomes_the_source(gateway: Stack) -> None:
    data = {**MODEL, "source_url": "https://example.org/talk.mp3"}
    answer = await gateway.http.post(PATH, data=data)
    assert answer.status_code == 200
    job = await gateway.only_job()
    assert job.spec.source.url == "https://example.org/talk.mp3"


async def test_granularity_none_has_words_without_times(gateway: Stack) -> None:
    data = {**MODEL, "timestamps_granularity": "none"}
    answer = (await gateway.http.post(PATH, data=data, files=FILE)).json()
    assert answer["words"][0] == {"text": "Hello,", "type": "word", "logprob": -0.1}
    job = await gateway.only_job()
    assert job.spec.timestamps == "none"


async def test_subtitles_need_times_even_when_words_show_none(gateway: Stack) -> None:
    formats = '[{"format": "srt"}]'
    data = {**MODEL, "timestamps_granularity": "none", "additional_formats": formats}
    answer = (await gateway.http.post(PATH, data=data, files=FILE)).json()
    assert "Hello, world." in answer["additional_formats"][0]["content"]
    job = await gateway.only_job()
    assert job.spec.timestamps == "segment"


async def test_without_logging_nothing_is_kept(gateway: Stack) -> None:
    answer = await gateway.http.post(
        PATH, params={"enable_logging": "false"}, data=MODEL, files=FILE
    )
    assert answer.json()["text"] == "Hello, world."
    assert answer.json()["transcription_id"] is None
    assert await gateway.jobs() == []


async def test_without_logging_a_failed_job_is_not_kept_either(gateway: Stack) -> None:
    gateway.operator.failure = {"code": "UndecodableAudio", "stage": "prepare", "inputFault": True}
    answer = await gateway.http.post(
        PATH, params={"enable_logging": "false"}, data=MODEL, files=FILE
    )
    assert answer.status_code == 400
    assert await gateway.jobs() == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("UndecodableAudio", "invalid_audio"),
        ("NoAudioStream", "invalid_audio"),
        ("AudioTooShort", "audio_too_short"),
        ("AudioTooLong", "audio_too_long"),
        ("TooManyChannels", "invalid_audio"),
        ("UrlRefused", "invalid_parameters"),
        ("UrlUnreachable", "invalid_parameters"),
        ("SomethingNew", "invalid_parameters"),
    ],
)
async def test_input_faults_are_the_clients(gateway: Stack, code: str, expected: str) -> None:
    gateway.operator.failure = {
        "code": code,
        "stage": "prepare",
        "message": "because",
        "inputFault": True,
    }
    answer = await gateway.http.post(PATH, data=MODEL, files=FILE)
    detail = answer.json()["detail"]
    assert (answer.status_code, detail["code"], detail["message"]) == (400, expected, "because")
    again = await gateway.http.get(f"{PATH}/transcripts/{detail['transcription_id']}")
    assert again.status_code == 400


async def test_infrastructure_faults_are_the_servers(gateway: Stack) -> None:
    gateway.operator.failure = {"code": "WorkerKilled", "stage": "transcribe", "message": "gone"}
    answer = await gateway.http.post(PATH, data=MODEL, files=FILE)
    detail = answer.json()["detail"]
    assert (answer.status_code, detail["type"]) == (500, "internal_error")
    assert detail["message"] == "transcribe: WorkerKilled: gone"
    assert detail["transcription_id"] == (await gateway.jobs())[0].metadata.name


async def test_idempotency_key_makes_one_job(gateway: Stack) -> None:
    headers = {"Idempotency-Key": "order-17"}
    answers = await asyncio.gather(
        *(gateway.http.post(PATH, data=MODEL, files=FILE, headers=headers) for _ in range(5))
    )
    assert {answer.json()["text"] for answer in answers} == {"Hello, world."}
    assert len(await gateway.jobs()) == 1
    assert len(gateway.stored_files()) == 1


async def test_idempotency_key_is_for_one_request_only(gateway: Stack) -> None:
    headers = {"Idempotency-Key": "order-17"}
    await gateway.http.post(PATH, data=MODEL, files=FILE, headers=headers)
    other = await gateway.http.post(
        PATH, data={**MODEL, "language_code": "de"}, files=FILE, headers=headers
    )
    assert other.status_code == 400
    assert other.json()["detail"]["code"] == "idempotency_key_reused"


async def test_unfinished_transcript_is_a_conflict_that_passes(gateway: Stack) -> None:
    gateway.operator.answering.clear()
    made = await gateway.http.post(PATH, data={**MODEL, "webhook": "true"}, files=FILE)
    assert made.status_code == 202
    path = f"{PATH}/transcripts/{made.json()['transcription_id']}"
    answer = await gateway.http.get(path)
    assert (answer.status_code, answer.json()["detail"]["status"]) == (409, "processing")
    gateway.operator.answering.set()

    async def finished() -> bool:
        return (await gateway.http.get(path)).status_code == 200

    await until(finished, what="the transcript")


async def test_client_that_leaves_cancels_its_job(gateway: Stack) -> None:
    gateway.operator.answering.clear()
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        post = asyncio.create_task(client.post(PATH, data=MODEL, files=FILE))
        await until(gateway.jobs, what="the job")
        post.cancel()
        await asyncio.gather(post, return_exceptions=True)

    async def cancelled() -> bool:
        return (await gateway.jobs())[0].spec.cancel

    await until(cancelled, what="the cancel")


async def test_client_that_waits_when_the_job_is_deleted_is_told(gateway: Stack) -> None:
    gateway.operator.answering.clear()
    post = asyncio.create_task(gateway.http.post(PATH, data=MODEL, files=FILE))
    job = await gateway.appeared()
    await gateway.http.delete(f"{PATH}/transcripts/{job.metadata.name}")
    answer = await within(5, post, what="the answer")
    assert answer.status_code == 404


async def test_client_that_waits_when_the_job_is_cancelled_is_told(gateway: Stack) -> None:
    gateway.operator.answering.clear()
    post = asyncio.create_task(gateway.http.post(PATH, data=MODEL, files=FILE))
    job = await gateway.appeared()
    await gateway.operator.end(job.metadata.name, phase=JobPhase.CANCELLED)
    answer = await within(5, post, what="the answer")
    assert answer.json()["detail"]["code"] == "transcription_cancelled"


async def test_client_that_waits_when_the_gateway_ends_gets_the_id(gateway: Stack) -> None:
    gateway.operator.answering.clear()
    post = asyncio.create_task(gateway.http.post(PATH, data=MODEL, files=FILE))
    job = await gateway.appeared()
    gateway.services.stop_waiting(after=0.01)
    answer = await within(5, post, what="the answer")
    assert (answer.status_code, answer.json()["transcription_id"]) == (202, job.metadata.name)
    assert not (await gateway.jobs())[0].spec.cancel
