"""A recording becomes a transcript, through every door that the system has."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from elevenlabs import AsyncElevenLabs, ElevenLabs

from tests.speech import jfk
from tests.stack import Stack
from tests.system.recognised import says

pytestmark = pytest.mark.stack


@pytest.fixture
def client(stack: Stack) -> Iterator[ElevenLabs]:
    """The official client, as a user makes it."""
    with httpx.Client(timeout=60) as transport:
        yield ElevenLabs(base_url=stack.url, api_key="unused", httpx_client=transport)


def test_elevenlabs_client_transcribes(client: ElevenLabs) -> None:
    with jfk().path.open("rb") as file:
        answer = client.speech_to_text.convert(model_id="scribe_v1", file=file)
    assert says(answer.text, jfk().text)
    words = [word for word in answer.words if word.type == "word"]
    assert [word.text for word in words] == answer.text.split()
    assert all(left.end <= right.start for left, right in zip(words, words[1:], strict=False))
    assert 10.9 < answer.audio_duration_secs < 11.1


async def test_async_elevenlabs_client_transcribes(stack: Stack) -> None:
    async with httpx.AsyncClient(timeout=60) as transport:
        client = AsyncElevenLabs(base_url=stack.url, api_key="unused", httpx_client=transport)
        answer = await client.speech_to_text.convert(
            model_id="scribe_v1", file=jfk().path.read_bytes(), language_code="en"
        )
    assert says(answer.text, jfk().text)
    assert answer.language_code == "eng"
    assert answer.language_probability == 1.0


def test_elevenlabs_transcript_is_kept_and_deleted(stack: Stack, client: ElevenLabs) -> None:
    made = client.speech_to_text.convert(model_id="scribe_v1", file=jfk().path.read_bytes())
    kept = client.speech_to_text.transcripts.get(made.transcription_id)
    assert kept.text == made.text
    client.speech_to_text.transcripts.delete(made.transcription_id)
    reply = httpx.get(f"{stack.url}/v1/speech-to-text/transcripts/{made.transcription_id}")
    assert reply.status_code == 404
    assert reply.json()["detail"]["code"] == "transcript_not_found"


def test_example_manifest_transcribes(stack: Stack) -> None:
    manifest = yaml.safe_load(Path("examples/transcriptionjob.yaml").read_text())
    name = manifest["metadata"]["name"]
    stack.kubectl("apply", "-f", "examples/transcriptionjob.yaml")
    stack.kubectl("wait", f"tj/{name}", "--for=condition=Succeeded", "--timeout=60s")
    reply = httpx.get(f"{stack.url}/v1/audio/transcriptions/{name}/export/json")
    assert says(reply.json()["text"], jfk().text)
    row = stack.kubectl("get", "tj", name, "--no-headers")
    assert "Succeeded" in row
    assert "100" in row.split()
    stack.kubectl("delete", "tj", name)


def test_stages_that_are_not_needed_are_skipped(stack: Stack) -> None:
    reply = httpx.post(
        f"{stack.url}/v1/audio/transcriptions?wait=true",
        files={"file": jfk().path.read_bytes()},
        timeout=60,
    )
    stages = {stage["name"]: stage["state"] for stage in reply.json()["stages"]}
    assert stages == {
        "prepare": "succeeded",
        "transcribe": "succeeded",
        "align": "skipped",
        "diarize": "skipped",
        "detect": "skipped",
        "refine": "skipped",
        "merge": "succeeded",
    }


def test_job_without_an_engine_for_a_stage_is_refused(stack: Stack) -> None:
    manifest = {
        "apiVersion": "dalston.io/v1alpha1",
        "kind": "TranscriptionJob",
        "metadata": {"name": "nobody-diarizes"},
        "spec": {
            "source": {"artifact": "examples/jfk.flac"},
            "speakers": {"mode": "diarize"},
        },
    }
    stack.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    stack.kubectl("wait", "tj/nobody-diarizes", "--for=condition=Accepted=false", "--timeout=20s")
    found = stack.kubectl_json("get", "tj", "nobody-diarizes")["status"]["conditions"]
    accepted = next(condition for condition in found if condition["type"] == "Accepted")
    assert accepted["reason"] == "NoEngine"
    assert "diarize" in accepted["message"]
    stack.kubectl("delete", "tj", "nobody-diarizes")
