"""What engines see of a task: sources, parts as WAV files, earlier results, outputs."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web

from dalston.artifacts import ArtifactSettings, ArtifactStore, keys
from dalston.audio import read_wav, wav_header
from dalston.engine_sdk import (
    AlignResult,
    EngineDefect,
    Part,
    PrepareResult,
    Source,
    Stage,
    StageResult,
    Task,
    Track,
    TranscribeResult,
    WavWriter,
)
from dalston.engine_sdk.local import LocalRunner
from dalston.pipeline import ErrorKind
from tests.deadlines import until
from tests.engine_sdk.conftest import Stack

SECONDS = 4.0
SAMPLES = np.arange(int(SECONDS * 16_000), dtype="<i2")
WAV = wav_header(SAMPLES.nbytes) + SAMPLES.tobytes()
HALVES = (
    Part(index=0, track=0, start=0.0, end=1.5),
    Part(index=1, track=0, start=1.5, end=SECONDS),
)


def read_samples(path: Path) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    return np.rint(read_wav(path) * 32768).astype(np.int16)


class RemoteStore(ArtifactStore):
    """A folder that is treated like a store on another machine."""

    def __init__(self, *arguments: object, **fields: object) -> None:
        super().__init__(*arguments, **{**fields, "root": None})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [ArtifactStore, RemoteStore])
@pytest.mark.parametrize("parts", [HALVES, HALVES[:0]], ids=["halves", "whole"])
async def test_audio_is_exactly_the_part(
    stack: Stack,
    store_settings: ArtifactSettings,
    kind: type[ArtifactStore],
    parts: tuple[Part, ...],
) -> None:
    heard: dict[int, list[int]] = {}

    def process(task: Task) -> TranscribeResult:
        assert task.audio is not None
        heard[task.request.part] = read_samples(task.audio).tolist()
        assert read_samples(task.track_audio(0)).tolist() == SAMPLES.tolist()
        return TranscribeResult()

    inputs = await stack.store_prepared("job-1", wav=WAV, seconds=SECONDS, parts=parts)
    tasks = [await stack.publish(part=n, inputs=inputs) for n in range(len(parts) or 1)]
    async with stack.worker(process, store=kind.open(store_settings)):
        for task in tasks:
            await stack.event("succeeded", task)
    assert [sample for part in sorted(heard) for sample in heard[part]] == SAMPLES.tolist()


async def test_whole_track_of_a_folder_store_is_not_copied(stack: Stack) -> None:
    seen: list[Path | None] = []

    def process(task: Task) -> TranscribeResult:
        seen.append(task.audio)
        return TranscribeResult()

    inputs = await stack.store_prepared("job-1", wav=WAV, seconds=SECONDS)
    task = await stack.publish(inputs=inputs)
    async with stack.worker(process):
        await stack.event("succeeded", task)
    assert seen[0] is not None
    assert seen[0].is_relative_to(stack.folder / "store")


async def test_results_of_all_parts_come_in_order(stack: Stack) -> None:
    def transcribe(task: Task) -> TranscribeResult:
        return TranscribeResult(language=f"l{task.request.part}")

    parts = [await stack.publish(part=n) for n in range(3)]
    async with stack.worker(transcribe):
        for part in parts:
            await stack.event("succeeded", part)
    seen: list[str | None] = []

    def align(task: Task) -> AlignResult:
        seen.extend(result.language for result in task.results_of(TranscribeResult))
        assert (task.results(Stage.DETECT), task.prepared, task.audio) == ([], None, None)
        return AlignResult()

    inputs = {Stage.TRANSCRIBE: tuple(keys.manifest(part) for part in parts)}
    last = await stack.publish(stage=Stage.ALIGN, inputs=inputs)
    async with stack.worker(align):
        await stack.event("succeeded", last)
    assert seen == ["l0", "l1", "l2"]


def record(task: Task, content: list[bytes]) -> PrepareResult:
    assert task.source is not None
    content.append(task.source.read_bytes())
    with WavWriter(task.output("a.wav")) as writer:
        writer.write(SAMPLES)
    track = Track(index=0, audio="a.wav", duration=SECONDS)
    return PrepareResult(
        duration=SECONDS, channels=1, sample_rate=16_000, container="wav", codec="pcm_s16le",
        tracks=(track,), parts=HALVES,
    )  # fmt: skip


async def test_prepare_reads_an_upload_and_tells_its_parts(stack: Stack) -> None:
    content: list[bytes] = []
    await stack.store.put("uploads/one/source", b"recording")
    task = await stack.publish(stage=Stage.PREPARE)
    async with stack.worker(lambda task: record(task, content)):
        event = await stack.event("succeeded", task)
    assert content == [b"recording"]
    assert event.summary is not None
    assert (event.summary.duration_seconds, event.summary.parts) == (4.0, (1.5, 2.5))
    manifest = await stack.manifest(task)
    assert await stack.store.size(f"{manifest.folder}/a.wav") == len(WAV)


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """A web server with one recording, and one that never comes."""

    async def recording(request: web.Request) -> web.Response:
        return web.Response(body=b"recording")

    async def never(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    app = web.Application()
    app.router.add_get("/recording", recording)
    app.router.add_get("/never", never)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    await runner.cleanup()


async def test_prepare_fetches_a_url(
    stack: Stack, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DALSTON_FETCH_ALLOW_PRIVATE", "true")
    content: list[bytes] = []
    task = await stack.publish(stage=Stage.PREPARE, source=Source(url=f"{server}/recording"))
    async with stack.worker(lambda task: record(task, content)):
        await stack.event("succeeded", task)
    assert content == [b"recording"]


async def test_download_stops_with_its_job(
    stack: Stack, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DALSTON_FETCH_ALLOW_PRIVATE", "true")
    task = await stack.publish(stage=Stage.PREPARE, source=Source(url=f"{server}/never"))
    async with stack.worker(lambda task: record(task, [])) as running:
        await stack.event("started", task)
        await stack.bus.forget_job("job-1")
        await stack.bus.cancel("job-1")
        await until(lambda: running.count("cancelled", "prepare") == 1, seconds=5)


@pytest.mark.parametrize(
    ("source", "kind", "code"),
    [
        (Source(artifact="uploads/gone/source"), ErrorKind.INPUT, "SourceNotFound"),
        (Source(url="http://127.0.0.1/a.wav"), ErrorKind.INPUT, "UrlRefused"),
        (Source(url="http://no-such-host.invalid/a"), None, "UrlUnreachable"),
    ],
)
async def test_source_that_cannot_be_had(
    stack: Stack, source: Source, kind: ErrorKind | None, code: str
) -> None:
    task = await stack.publish(stage=Stage.PREPARE, source=source)
    async with stack.worker(lambda task: record(task, [])):
        event = await stack.event("failed", task)
    assert event.error is not None
    assert event.error.code == code
    assert kind is None or event.error.kind is kind  # without a resolver, names may come back


async def test_named_file_that_is_missing_is_a_defect(stack: Stack) -> None:
    def process(task: Task) -> StageResult:
        result = record(task, [])
        task.output("a.wav").unlink()
        return result

    await stack.store.put("uploads/one/source", b"recording")
    task = await stack.publish(stage=Stage.PREPARE)
    async with stack.worker(process):
        event = await stack.event("failed", task)
    assert event.error is not None
    assert event.error.code == EngineDefect.__name__


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd", "../x"])
def test_output_is_a_plain_name(name: str) -> None:
    with LocalRunner() as runner:
        task = runner.make_task(runner.request(Stage.TRANSCRIBE))
        with pytest.raises(ValueError, match="not a plain file name"):
            task.output(name)
