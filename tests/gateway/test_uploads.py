"""Uploads that go wrong on the way: the client is told, and nothing is left."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from dalston.artifacts import ArtifactStore, StoreFull, StoreUnavailable
from tests.deadlines import until, within
from tests.gateway.stack import Stack, stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

ELEVENLABS = "/v1/speech-to-text"
NATIVE = "/v1/audio/transcriptions"
HEADERS = {"Content-Type": "multipart/form-data; boundary=x"}
HEAD = (
    b'--x\r\nContent-Disposition: form-data; name="model_id"\r\n\r\nscribe_v1\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
)
PIECE = b"\x00" * 2**18


@pytest_asyncio.fixture(loop_scope="module")
async def small(tmp_path: Path, nats_url: str) -> AsyncIterator[Stack]:
    """A gateway that takes at most a mebibyte."""
    limits = {"upload_max_bytes": 2**20, "drain_seconds": 0.2, "upload_silence_seconds": 0.5}
    async with stack(tmp_path, nats_url, settings=limits) as running:
        yield running


async def form_of(pieces: int) -> AsyncIterator[bytes]:
    yield HEAD
    for _ in range(pieces):
        yield PIECE
    yield b"\r\n--x--\r\n"


@pytest.mark.parametrize(("path", "status"), [(ELEVENLABS, 400), (NATIVE, 413)])
async def test_upload_of_unknown_length_is_stopped_at_the_limit(
    small: Stack, path: str, status: int
) -> None:
    answer = await small.http.post(path, content=form_of(8), headers=HEADERS)
    assert answer.status_code == status
    assert small.stored_files() == []


async def test_upload_that_says_it_is_too_long_is_refused_at_once(small: Stack) -> None:
    host, port = small.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {ELEVENLABS} HTTP/1.1\r\nHost: x\r\nContent-Length: {10**10}\r\n"
    writer.write(f"{head}Content-Type: {HEADERS['Content-Type']}\r\n\r\n".encode() + HEAD)
    answer = await within(5, reader.readuntil(b"}}"), what="the refusal")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"request_too_large" in answer
    writer.close()
    await writer.wait_closed()


async def test_upload_at_the_limit_is_taken(small: Stack) -> None:
    answer = await small.http.post(ELEVENLABS, content=form_of(4), headers=HEADERS)
    assert answer.status_code == 200


async def test_client_gone_in_mid_upload_leaves_nothing(gateway: Stack) -> None:
    started = asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield HEAD
        for _ in range(64):
            yield PIECE
        started.set()
        await asyncio.Event().wait()

    async with httpx.AsyncClient(base_url=gateway.url) as client:
        post = asyncio.create_task(client.post(ELEVENLABS, content=half(), headers=HEADERS))
        await within(10, started.wait(), what="half of the upload")
        await until(lambda: any(Path(gateway.folder).rglob("source*")), what="a temporary file")
        post.cancel()
        await asyncio.gather(post, return_exceptions=True)
    await until(lambda: not gateway.stored_files(), what="no files")
    await until(lambda: not list((gateway.folder / "artifacts" / "uploads").glob("*")))
    assert await gateway.jobs() == []


async def test_client_that_stalls_is_given_up(small: Stack) -> None:
    host, port = small.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {ELEVENLABS} HTTP/1.1\r\nHost: x\r\nContent-Length: {2**20}\r\n"
    writer.write(f"{head}Content-Type: {HEADERS['Content-Type']}\r\n\r\n".encode() + HEAD)
    answer = await within(5, reader.readuntil(b"}}"), what="the refusal")
    assert b"nothing was sent" in answer
    assert small.stored_files() == []
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("error", "path", "status"),
    [
        (StoreFull, ELEVENLABS, 507),
        (StoreFull, NATIVE, 507),
        (StoreUnavailable, ELEVENLABS, 503),
        (StoreUnavailable, NATIVE, 503),
    ],
)
async def test_store_that_fails_in_mid_upload(
    gateway: Stack,
    monkeypatch: pytest.MonkeyPatch,
    error: type[StoreUnavailable],
    path: str,
    status: int,
) -> None:
    # A full disk cannot be had without a file system of the test's own; the store's error is its contract.
    async def put_stream(_: ArtifactStore, key: str, chunks: AsyncIterable[bytes]) -> int:
        async for _chunk in chunks:
            raise error("no room")
        return 0

    monkeypatch.setattr(ArtifactStore, "put_stream", put_stream)
    answer = await gateway.http.post(path, content=form_of(64), headers=HEADERS)
    assert answer.status_code == status
    assert await gateway.jobs() == []


async def test_slow_uploads_do_not_hold_up_others(gateway: Stack) -> None:
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield HEAD + PIECE
        await go_on.wait()
        yield b"\r\n--x--\r\n"

    waiting = [
        asyncio.create_task(gateway.http.post(ELEVENLABS, content=slow(), headers=HEADERS))
        for _ in range(20)
    ]
    answer = await within(
        10, gateway.http.post(ELEVENLABS, content=form_of(1), headers=HEADERS), what="the quick one"
    )
    assert answer.status_code == 200
    go_on.set()
    for slow_answer in await asyncio.gather(*waiting):
        assert slow_answer.status_code == 200


async def test_urlencoded_forms_are_read_too(gateway: Stack) -> None:
    data = {"model_id": "scribe_v1", "source_url": "https://example.org/a.mp3"}
    assert (await gateway.http.post(ELEVENLABS, data=data)).status_code == 200


async def test_uploaded_bytes_are_counted(gateway: Stack) -> None:
    counter = gateway.services.metrics.upload_bytes
    before = counter._value.get()
    await gateway.http.post(ELEVENLABS, content=form_of(4), headers=HEADERS)
    assert counter._value.get() - before == 4 * len(PIECE)


async def test_client_that_is_refused_early_sees_why(tmp_path: Path, nats_url: str) -> None:
    async with stack(tmp_path, nats_url, settings={"auth": True}) as guarded:
        answer = await guarded.http.post(ELEVENLABS, content=form_of(40), headers=HEADERS)
        assert answer.status_code == 401


async def test_client_that_asks_first_is_not_asked_to_send(small: Stack) -> None:
    host, port = small.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST {ELEVENLABS} HTTP/1.1\r\nHost: x\r\nContent-Length: {10**10}\r\n"
        f"Expect: 100-continue\r\nContent-Type: {HEADERS['Content-Type']}\r\n\r\n".encode()
    )
    answer = await within(5, reader.readuntil(b"}}"), what="the refusal")
    assert answer.startswith(b"HTTP/1.1 400")
    writer.close()
    await writer.wait_closed()
