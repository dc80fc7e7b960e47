"""The official Python SDK against a real server."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from elevenlabs import (
    AsyncElevenLabs,
    ElevenLabs,
    SpeechToTextChunkResponseModel,
    UnprocessableEntityError,
)
from elevenlabs.core import ApiError
from elevenlabs.types import ExportOptions_Srt, ExportOptions_Txt

from tests.gateway.stack import SAID, Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

AUDIO = b"any bytes: nobody decodes them here"


@pytest_asyncio.fixture(loop_scope="module")
async def client(gateway: Stack) -> AsyncIterator[AsyncElevenLabs]:
    async with httpx.AsyncClient(timeout=30) as http:
        yield AsyncElevenLabs(base_url=gateway.url, api_key="any", httpx_client=http)


async def test_async_client_gets_its_transcript(client: AsyncElevenLabs) -> None:
    answer = await client.speech_to_text.convert(model_id="scribe_v1", file=AUDIO)
    assert isinstance(answer, SpeechToTextChunkResponseModel)
    assert answer.text == "Hello, world."
    assert (answer.language_code, answer.language_probability) == ("eng", 0.98)
    assert [word.type for word in answer.words] == ["word", "spacing", "word"]
    assert (answer.words[0].start, answer.words[0].logprob) == (0.1, -0.1)
    assert answer.audio_duration_secs == 2.0


async def test_sync_client_gets_its_transcript(gateway: Stack) -> None:
    def convert() -> str:
        with httpx.Client(timeout=30) as http:
            client = ElevenLabs(base_url=gateway.url + "/", api_key="any", httpx_client=http)
            answer = client.speech_to_text.convert(
                model_id="scribe_v2", file=("talk.mp3", AUDIO), language_code="eng", num_speakers=2
            )
            assert isinstance(answer, SpeechToTextChunkResponseModel)
            assert answer.language_probability == 1.0
            return answer.text

    assert await asyncio.to_thread(convert) == "Hello, world."
    job = await gateway.only_job()
    assert (job.spec.language, job.spec.source.file_name) == ("en", "talk.mp3")


async def test_client_fetches_and_deletes_the_transcript(
    gateway: Stack, client: AsyncElevenLabs
) -> None:
    made = await client.speech_to_text.convert(model_id="scribe_v1", file=AUDIO)
    assert isinstance(made, SpeechToTextChunkResponseModel)
    assert made.transcription_id is not None
    fetched = await client.speech_to_text.transcripts.get(made.transcription_id)
    assert fetched == made
    await client.speech_to_text.transcripts.delete(made.transcription_id)
    assert await gateway.jobs() == []
    with pytest.raises(ApiError) as caught:
        await client.speech_to_text.transcripts.get(made.transcription_id)
    assert caught.value.status_code == 404
    assert caught.value.body["detail"]["code"] == "transcript_not_found"


async def test_client_gets_every_option_through(gateway: Stack, client: AsyncElevenLabs) -> None:
    answer = await client.speech_to_text.convert(
        model_id="tiny.en",
        file=AUDIO,
        tag_audio_events=False,
        timestamps_granularity="character",
        keyterms=["Dalston", "Kingsland Road"],
        temperature=0.0,
        seed=7,
        file_format="pcm_s16le_16",
        additional_formats=[
            ExportOptions_Srt(max_characters_per_line=20),
            ExportOptions_Txt(),
        ],
    )
    assert isinstance(answer, SpeechToTextChunkResponseModel)
    assert answer.words[0].characters is not None
    assert answer.additional_formats is not None
    assert [each.requested_format for each in answer.additional_formats if each] == ["srt", "txt"]
    job = await gateway.only_job()
    assert job.spec.engines[0].model == "tiny.en"
    assert job.spec.vocabulary == ["Dalston", "Kingsland Road"]
    assert (job.spec.temperature, job.spec.seed) == (0.0, 7)
    assert job.spec.source.format == "pcm_s16le_16"
    assert job.spec.timestamps == "character"


async def test_client_gets_channels(gateway: Stack, client: AsyncElevenLabs) -> None:
    segments = tuple(SAID.segments[0].model_copy(update={"channel": each}) for each in (0, 1))
    gateway.operator.transcript = SAID.model_copy(update={"channels": 2, "segments": segments})
    answer = await client.speech_to_text.convert(
        model_id="scribe_v1", file=AUDIO, use_multi_channel=True
    )
    assert [each.channel_index for each in answer.transcripts] == [0, 1]  # type: ignore[union-attr]
    job = await gateway.only_job()
    assert job.spec.speakers.mode == "channels"


async def test_client_with_a_webhook_is_answered_at_once(
    gateway: Stack, client: AsyncElevenLabs
) -> None:
    gateway.operator.answering.clear()
    answer = await client.speech_to_text.convert(
        model_id="scribe_v1", file=AUDIO, webhook=True, webhook_metadata={"order": 17}
    )
    assert answer.message  # type: ignore[union-attr]
    job = await gateway.only_job()
    assert answer.transcription_id == job.metadata.name
    assert answer.request_id == job.metadata.annotations["dalston.io/request-id"]  # type: ignore[union-attr]
    assert job.metadata.annotations["dalston.io/webhook-metadata"] == '{"order":17}'


async def test_client_sees_an_undecodable_file_as_an_error_of_its_own(
    gateway: Stack, client: AsyncElevenLabs
) -> None:
    gateway.operator.failure = {
        "stage": "prepare",
        "code": "UndecodableAudio",
        "message": "no audio could be read",
        "inputFault": True,
    }
    with pytest.raises(ApiError) as caught:
        await client.speech_to_text.convert(model_id="scribe_v1", file=AUDIO)
    assert caught.value.status_code == 400
    detail = caught.value.body["detail"]
    assert (detail["code"], detail["status"]) == ("invalid_audio", "invalid_content")
    assert len(await gateway.jobs()) == 1, "the SDK must not try again"


async def test_client_sees_bounds_as_unprocessable(client: AsyncElevenLabs) -> None:
    with pytest.raises(UnprocessableEntityError) as caught:
        await client.speech_to_text.convert(model_id="scribe_v1", file=AUDIO, num_speakers=33)
    assert caught.value.body["detail"][0]["loc"] == ["body", "num_speakers"]


async def test_client_of_the_official_example_is_told_what_is_missing(
    client: AsyncElevenLabs,
) -> None:
    with pytest.raises(ApiError) as caught:
        await client.speech_to_text.convert(
            model_id="scribe_v1",
            file=AUDIO,
            tag_audio_events=True,
            language_code="eng",
            diarize=True,
        )
    assert caught.value.status_code == 400
    detail = caught.value.body["detail"]
    assert (detail["param"], "Engine with stage diarize" in detail["message"]) == ("diarize", True)
