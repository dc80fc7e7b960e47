"""Recordings that are none, through the whole system: each has the API's own error, and no job is lost."""

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import media
from tests.media import tone
from tests.speech import jfk
from tests.stack import Stack
from tests.system.recognised import says, words_of

pytestmark = pytest.mark.stack

_SECONDS = 60.0


def post(stack: Stack, *, content: bytes | None = None, **fields: str) -> httpx.Response:
    files = {"file": ("recording.wav", content, "audio/wav")} if content is not None else None
    return httpx.post(
        f"{stack.url}/v1/speech-to-text",
        data={"model_id": "scribe_v1", **fields},
        files=files,
        timeout=_SECONDS,
    )


def refused(answer: httpx.Response) -> dict[str, Any]:
    """The error, which must be the client's."""
    assert answer.status_code == 400, answer.text
    detail: dict[str, Any] = answer.json()["detail"]
    assert detail["message"]
    return detail


def truncated(suffix: str, folder: Path) -> bytes:
    data = media.write(media.decode(jfk().path), folder / f"whole{suffix}").read_bytes()
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda _: b"This is text, whatever its name says.\n" * 50, "invalid_audio"),
        (lambda _: bytes(range(256)) * 40, "invalid_audio"),
        (lambda f: media.write(tone(0.05), f / "short.wav").read_bytes(), "audio_too_short"),
        (lambda f: media.write_silent_video(f / "mute.mp4").read_bytes(), "invalid_audio"),
    ],
    ids=["text", "noise", "50 ms", "video without sound"],
)
def test_what_is_no_recording_is_the_clients_fault(
    stack: Stack, tmp_path: Path, make: Callable[[Path], bytes], code: str
) -> None:
    detail = refused(post(stack, content=make(tmp_path)))
    assert detail["code"] == code
    again = httpx.get(f"{stack.url}/v1/speech-to-text/transcripts/{detail['transcription_id']}")
    assert again.status_code == 400


@pytest.mark.parametrize("suffix", [".mp3", ".flac"])
def test_truncated_recording_is_transcribed_as_far_as_it_goes(
    stack: Stack, tmp_path: Path, suffix: str
) -> None:
    answer = post(stack, content=truncated(suffix, tmp_path))
    assert answer.status_code == 200, answer.text
    assert words_of(answer.json()["text"])[:5] == words_of(jfk().text)[:5]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/talk.mp3",
        "http://169.254.169.254/latest/meta-data",
        "http://localhost/talk.mp3",
        "https://dalston.invalid/talk.mp3",
    ],
    ids=["loopback", "metadata service", "name of loopback", "unknown name"],
)
def test_url_that_may_not_or_cannot_be_fetched(stack: Stack, url: str) -> None:
    detail = refused(post(stack, source_url=url))
    assert (detail["status"], detail["param"]) == ("invalid_url", "source_url")


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A web server on loopback, which the system must not visit."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            visits.append(self.path)
            self.send_error(404)

    visits: list[str] = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    assert visits == []


def test_private_address_is_not_even_visited(stack: Stack, web: str) -> None:
    refused(post(stack, source_url=f"{web}/talk.mp3"))


def test_raw_samples_are_read_as_such(stack: Stack) -> None:
    samples = media.decode(jfk().path)[0].tobytes()
    answer = post(stack, content=samples, file_format="pcm_s16le_16")
    assert says(answer.json()["text"], jfk().text)
