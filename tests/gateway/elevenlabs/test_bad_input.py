"""Bad requests: each has the API's own error and leaves nothing behind."""

from pathlib import Path
from typing import Any

import pytest

from tests.gateway.stack import Stack, stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/speech-to-text"
FILE = {"file": ("a.wav", b"RIFF....", "audio/wav")}


async def refused(gateway: Stack, status: int, **request: Any) -> dict[str, Any]:
    answer = await gateway.http.post(PATH, **request)
    assert answer.status_code == status, answer.text
    assert await gateway.jobs() == []
    assert gateway.stored_files() == []
    detail = answer.json()["detail"]
    if isinstance(detail, dict):
        assert detail["request_id"] == answer.headers["request-id"]
        assert {"type", "code", "message", "status"} <= detail.keys()
        return detail
    return {"errors": detail}


async def test_empty_file(gateway: Stack) -> None:
    detail = await refused(
        gateway, 400, data={"model_id": "scribe_v1"}, files={"file": ("a.wav", b"")}
    )
    assert (detail["code"], detail["status"], detail["param"]) == (
        "bad_request",
        "empty_file",
        "file",
    )


async def test_no_file(gateway: Stack) -> None:
    files = {"model_id": (None, "scribe_v1")}
    detail = await refused(gateway, 400, files=files)
    assert (detail["code"], detail["param"]) == ("missing_required_field", "file")


async def test_file_and_url(gateway: Stack) -> None:
    data = {"model_id": "scribe_v1", "source_url": "https://example.org/a.mp3"}
    detail = await refused(gateway, 400, data=data, files=FILE)
    assert detail["code"] == "invalid_parameters"


async def test_two_urls(gateway: Stack) -> None:
    url = "https://example.org/a.mp3"
    data = {"model_id": "scribe_v1", "source_url": url, "cloud_storage_url": url}
    await refused(gateway, 400, data=data)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a", "example.org/a.mp3"])
async def test_url_that_is_no_web_address(gateway: Stack, url: str) -> None:
    detail = await refused(gateway, 400, data={"model_id": "scribe_v1", "source_url": url})
    assert (detail["status"], detail["param"]) == ("invalid_url", "source_url")


async def test_missing_model(gateway: Stack) -> None:
    detail = await refused(gateway, 422, files=FILE)
    assert detail["errors"][0]["loc"] == ["body", "model_id"]
    assert detail["errors"][0]["type"] == "missing"


@pytest.mark.parametrize("model", ["whisper-9", "scribe_v2_realtime", "faster-whisper/huge"])
async def test_unknown_model(gateway: Stack, model: str) -> None:
    detail = await refused(gateway, 400, data={"model_id": model}, files=FILE)
    assert (detail["code"], detail["status"]) == ("unsupported_model", "invalid_model_id")
    assert detail["param"] == "model_id"
    assert "tiny.en" in detail["message"]


@pytest.mark.parametrize("code", ["xx", "english", "zh", "q" * 60])
async def test_unknown_language(gateway: Stack, code: str) -> None:
    data = {"model_id": "scribe_v1", "language_code": code}
    detail = await refused(gateway, 400, data=data, files=FILE)
    assert (detail["code"], detail["status"]) == ("invalid_parameters", "invalid_language_code")


async def test_language_that_the_model_does_not_know(gateway: Stack) -> None:
    data = {"model_id": "tiny.en", "language_code": "de"}
    detail = await refused(gateway, 400, data=data, files=FILE)
    assert detail["status"] == "invalid_language_code"


@pytest.mark.parametrize(
    ("name", "value"),
    [("num_speakers", "0"), ("num_speakers", "33"), ("temperature", "3"), ("diarize", "maybe")],
)
async def test_values_out_of_range(gateway: Stack, name: str, value: str) -> None:
    detail = await refused(gateway, 422, data={"model_id": "scribe_v1", name: value}, files=FILE)
    assert detail["errors"][0]["loc"] == ["body", name]


async def test_key_term_too_long(gateway: Stack) -> None:
    data = {"model_id": "scribe_v1", "keyterms": ["x" * 51]}
    detail = await refused(gateway, 422, data=data, files=FILE)
    assert detail["errors"][0]["loc"] == ["body", "keyterms", 0]


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({"diarize": "true", "use_multi_channel": "true"}, "diarize"),
        ({"diarization_threshold": "0.2"}, "diarization_threshold"),
        ({"detect_speaker_roles": "true"}, "detect_speaker_roles"),
        ({"webhook_id": "w1"}, "webhook_id"),
        ({"transcript_edit": "shorten", "use_multi_channel": "true"}, "transcript_edit"),
        (
            {
                "use_multi_channel": "true",
                "multichannel_output_style": "combined",
                "timestamps_granularity": "none",
            },
            "multichannel_output_style",
        ),
    ],
)
async def test_options_that_contradict_each_other(
    gateway: Stack, data: dict[str, str], param: str
) -> None:
    detail = await refused(gateway, 400, data={"model_id": "scribe_v1", **data}, files=FILE)
    assert (detail["code"], detail["param"]) == ("invalid_parameters", param)


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"diarize": "true"}, "diarize"),
        ({"entity_detection": "pii"}, "entity_detection"),
        ({"entity_redaction": "pii"}, "entity_redaction"),
        ({"no_verbatim": "true"}, "no_verbatim"),
        ({"transcript_edit": "shorten"}, "transcript_edit"),
        ({"additional_formats": '[{"format": "docx"}]'}, "docx"),
        ({"additional_formats": '[{"format": "pdf"}]'}, "pdf"),
        ({"additional_formats": '[{"format": "html"}]'}, "html"),
    ],
)
async def test_options_that_nothing_here_can_do(
    gateway: Stack, data: dict[str, str], names: str
) -> None:
    detail = await refused(gateway, 400, data={"model_id": "scribe_v1", **data}, files=FILE)
    assert detail["status"] == "feature_not_available"
    assert names in detail["message"]
    assert detail["param"] in data


async def test_webhook_without_logging(gateway: Stack) -> None:
    detail = await refused(
        gateway,
        400,
        params={"enable_logging": "false"},
        data={"model_id": "scribe_v1", "webhook": "true"},
        files=FILE,
    )
    assert detail["param"] == "webhook"


async def test_wrong_content_type(gateway: Stack) -> None:
    detail = await refused(gateway, 400, json={"model_id": "scribe_v1"})
    assert detail["code"] == "invalid_content_type"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not multipart",
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nRIFF',
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n',
        b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n",
    ],
    ids=["empty", "text", "cut in the file", "cut in a head", "no name"],
)
async def test_broken_multipart(gateway: Stack, content: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    detail = await refused(gateway, 400, content=content, headers=headers)
    assert detail["code"] == "bad_request"


async def test_multipart_without_a_boundary(gateway: Stack) -> None:
    await refused(gateway, 400, content=b"a", headers={"Content-Type": "multipart/form-data"})


async def test_two_files(gateway: Stack) -> None:
    files = [("file", ("a.wav", b"a")), ("file", ("b.wav", b"b"))]
    detail = await refused(gateway, 400, data={"model_id": "scribe_v1"}, files=files)
    assert detail["param"] == "file"


async def test_field_that_is_no_utf_8(gateway: Stack) -> None:
    files = {**FILE, "language_code": (None, b"\xff\xfe")}
    detail = await refused(gateway, 400, files=files)
    assert detail["param"] == "language_code"


async def test_fields_that_are_too_large(gateway: Stack) -> None:
    files = {**FILE, "webhook_metadata": (None, b"x" * (5 * 2**20))}
    detail = await refused(gateway, 400, files=files)
    assert detail["code"] == "request_too_large"


async def test_too_many_fields(gateway: Stack) -> None:
    files = [("keyterms", (None, "a"))] * 5000
    detail = await refused(gateway, 400, files=files)
    assert detail["code"] == "request_too_large"


@pytest.mark.parametrize("id", ["nothing", "..%2Fetc", "A" * 300, "%00"])
async def test_transcript_that_is_not_there(gateway: Stack, id: str) -> None:
    for method in ("GET", "DELETE"):
        answer = await gateway.http.request(method, f"{PATH}/transcripts/{id}")
        assert answer.status_code == 404
        assert answer.json()["detail"]["code"] == "transcript_not_found"


async def test_method_that_is_not_allowed(gateway: Stack) -> None:
    answer = await gateway.http.put(PATH)
    assert answer.status_code == 405
    assert answer.json()["detail"]["code"] == "method_not_allowed"


async def test_no_engine_at_all_is_worth_another_try(tmp_path: Path, nats_url: str) -> None:
    async with stack(tmp_path, nats_url, engines=()) as gateway:
        answer = await gateway.http.post(PATH, data={"model_id": "scribe_v1"}, files=FILE)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "10"
        assert gateway.stored_files() == []
