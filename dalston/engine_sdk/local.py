"""Running engines without servers: the store is a temporary folder, tasks are made by hand.

The same Task, files and judging of results as in a worker.
"""

import asyncio
import json
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from dalston.artifacts import ArtifactSettings, ArtifactStore, keys
from dalston.audio import WavWriter, open_decoder
from dalston.engine_sdk.engine import Engine, EngineContext
from dalston.engine_sdk.files import StoreFiles
from dalston.engine_sdk.loading import load_engine_class, parameter_defaults, read_manifest
from dalston.engine_sdk.models import ModelResolver
from dalston.engine_sdk.outcomes import Produced
from dalston.engine_sdk.performing import perform
from dalston.engine_sdk.settings import choose_device, choose_threads
from dalston.engine_sdk.task import Task
from dalston.fetch import FetchSettings
from dalston.pipeline.results import Part, PrepareResult, StageResult, Track
from dalston.pipeline.tasks import Manifest, StageSummary, TaskId, TaskRequest
from dalston.resources.stages import Stage
from dalston.resources.transcription_options import Source, TranscriptionOptions

T = TypeVar("T")

JOB = "local"


def _ignore(done: float, total: float) -> None:
    """Take progress that nobody watches."""


@dataclass(frozen=True, kw_only=True)
class LocalRun:
    """What came of one call of an engine; times in seconds."""

    produced: Produced
    seconds: float
    files: dict[str, Path]

    @property
    def result(self) -> dict[str, Any]:
        """The result as a JSON object."""
        found: dict[str, Any] = json.loads(self.produced.json)
        return found


class LocalRunner:
    """A store in a temporary folder and results of earlier stages; use as a context manager."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="dalston-try-")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._inputs: dict[Stage, tuple[str, ...]] = {}
        self._files: list[StoreFiles] = []
        self.path = Path(self._folder.name)
        self.store = ArtifactStore.open(ArtifactSettings(url=f"file://{self.path}/store"))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for files in self._files:
            self._await(files.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._folder.cleanup()

    def put_source(self, path: Path) -> Source:
        """Store a recording as uploads are stored."""
        key = keys.upload_source(JOB)
        self._await(self.store.put_file(key, path))
        return Source(artifact=key, file_name=path.name)

    def request(
        self,
        stage: Stage,
        *,
        engine: str = "local",
        source: Source | None = None,
        options: TranscriptionOptions | None = None,
        model: str | None = None,
        part: int = 0,
    ) -> TaskRequest:
        """Make a request whose inputs are the results added so far."""
        return TaskRequest(
            job=JOB,
            job_name=JOB,
            namespace="default",
            stage=stage,
            part=part,
            engine=engine,
            model=model,
            source=source or Source(artifact=keys.upload_source(JOB)),
            options=options or TranscriptionOptions(),
            inputs=self._inputs,
            published_at=datetime.now(UTC),
        )

    def make_task(
        self, request: TaskRequest, *, on_progress: Callable[[float, float], None] = _ignore
    ) -> Task:
        """Give the task of a request, with files from the store."""
        scratch = self.path / f"task-{len(self._files)}"
        files = StoreFiles(self.store, loop=self._loop, scratch=scratch, fetching=FetchSettings())
        self._files.append(files)
        return Task(request, files=files, scratch=scratch, on_progress=on_progress)

    def run(
        self,
        engine: Engine,
        request: TaskRequest,
        *,
        on_progress: Callable[[float, float], None] = _ignore,
    ) -> LocalRun:
        """Run an engine in this thread; raises what it raises."""
        return self.run_task(engine, self.make_task(request, on_progress=on_progress))

    def run_task(self, engine: Engine, task: Task) -> LocalRun:
        """Run an engine on a task of `make_task`."""
        started = time.perf_counter()
        produced = perform(engine, task, folder=_folder(task.request.id))
        seconds = time.perf_counter() - started
        return LocalRun(
            produced=produced,
            seconds=seconds,
            files={path.name: path for path in produced.files},
        )

    def add_run(self, request: TaskRequest, run: LocalRun) -> None:
        """Make what an engine gave an input of later stages."""
        for name, path in run.files.items():
            self._await(self.store.put_file(f"{_folder(request.id)}/{name}", path))
        self._add(request.id, run.result, run.produced.summary)

    def add_result(self, stage: Stage, result: StageResult, *, part: int = 0) -> None:
        """Make a result an input of later stages; it names no files."""
        task = TaskId(JOB, stage, part, 0)
        self._add(task, result.model_dump(mode="json"), StageSummary())

    def prepare_simply(self, path: Path) -> PrepareResult:
        """Decode a recording to one track with one part, and make that an input."""
        task = TaskId(JOB, Stage.PREPARE, 0, 0)
        wav = self.path / "track-0.wav"
        with open_decoder(path) as decoder, WavWriter(wav) as writer:
            for block in decoder.blocks():
                writer.write(block[0])
            found, seconds = decoder.probe, writer.seconds
        self._await(self.store.put_file(f"{_folder(task)}/{wav.name}", wav))
        result = PrepareResult(
            duration=seconds,
            channels=found.channels,
            sample_rate=found.sample_rate,
            container=found.container,
            codec=found.codec,
            tracks=(Track(index=0, audio=wav.name, duration=seconds, speech=((0.0, seconds),)),),
            parts=(Part(index=0, track=0, start=0.0, end=seconds),),
        )
        self.add_result(Stage.PREPARE, result)
        return result

    def _add(self, task: TaskId, result: dict[str, Any], summary: StageSummary) -> None:
        manifest = Manifest(
            task=str(task),
            engine="local",
            worker="local",
            folder=_folder(task),
            result=result,
            summary=summary,
            finished_at=datetime.now(UTC),
        )
        key = keys.manifest(task)
        self._await(self.store.put(key, manifest.model_dump_json().encode()))
        known = self._inputs.get(task.stage, ())
        if key not in known:
            self._inputs = {**self._inputs, task.stage: (*known, key)}

    def _await(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()


def make_engine(folder: Path, *, parameters: dict[str, Any] | None = None) -> Engine:
    """Make the engine of a folder as a worker of its manifest would; `load()` is left to do."""
    manifest = read_manifest(folder)
    context = EngineContext(
        name=manifest.metadata.name,
        parameters={**parameter_defaults(folder), **(parameters or {})},
        models=ModelResolver.from_settings(manifest.spec.models),
        device=choose_device("auto"),
        threads=choose_threads(None),
    )
    return load_engine_class(folder)(context)


def find_prepare_engine(folder: Path) -> Path | None:
    """Give the folder of audio-prepare in the `engines` folder that another engine is in."""
    found = folder.resolve().parent.parent / "prepare" / "audio-prepare"
    return found if (found / "engine.py").is_file() else None


def prepare(
    runner: LocalRunner, path: Path, *, engine_folder: Path | None, **fields: Any
) -> PrepareResult:
    """Prepare a recording with audio-prepare where it is at hand, simply otherwise."""
    if engine_folder is None:
        return runner.prepare_simply(path)
    engine = make_engine(engine_folder)
    engine.load()
    request = runner.request(Stage.PREPARE, source=runner.put_source(path), **fields)
    run = runner.run(engine, request)
    runner.add_run(request, run)
    return PrepareResult.model_validate(run.result)


def _folder(task: TaskId) -> str:
    return keys.result_folder(task, 1)
